/*
 * table_check.h: a small table for tests of preparation: columns, rows of floats, targets.
 *
 *     table_case t = {.n_columns = 2, .column = {...}, .width = 2};
 *     column_rows(&t, 100);              // t.x: 100 rows to fill
 *     p = table_learn(&t, env, "linear", AX_TASK_REGRESSION, "{}", AX_OK);    // t.d holds the rows as learned
 *     out = table_run(p, rows, n, &width);    // what the preparation's nodes make of rows
 *     table_end(&t);
 */
#ifndef TABLE_CHECK_H
#define TABLE_CHECK_H

#include "table/dataset.h"
#include "table/table.h"

#define TABLE_COLUMNS 16

typedef struct table_case {
    int n_columns;
    ax_column column[TABLE_COLUMNS];
    int64_t width, rows;
    float *x;       /* (rows, width) as the caller makes them */
    float *y;       /* (rows) */
    int32_t *class; /* (rows) */
    int n_classes;
    ax_dataset *d;
    ax_preparation *p;
    ax_error err;
} table_case;

void column_rows(table_case *t, int64_t rows); /* zeros */
/* A dataset of t.x in t.d, with targets by the task; learns from it. */
ax_status table_try(table_case *t, const ax_env *env, const char *algorithm, ax_task task, const char *options);
/* The same, and a check of the status. */
ax_preparation *table_learn(table_case *t, const char *algorithm, ax_task task, const char *options, ax_status wanted);
/* Frees what learning made. */
void table_reset(table_case *t);
void table_end(table_case *t);

/* Runs the nodes that p adds: (n, *width) floats, to be freed; NULL when they cannot be made. */
float *table_run(const ax_preparation *p, const float *rows, int64_t n, int64_t *width, ax_error *err);

#endif /* TABLE_CHECK_H */
