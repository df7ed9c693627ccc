/*
 * table.h: what the engine learns of the columns of a table, and what of it is shown and kept.
 */
#ifndef AIAAS_TABLE_H
#define AIAAS_TABLE_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "ax.h"
#include "rows.h"

/*
 * Learns from the dataset d, of all or some of the rows, how their columns are prepared, and prepares it; `valid` (or
 * NULL) is prepared the same way. options NULL: only statistics, the rows stay as they are. In the rows' context. Marks
 * the features that are left out.
 */
extern ax_preparation *aiaas_table_learn(AiaasRows *rows, ax_dataset *d, ax_dataset *valid, const char *algorithm,
                                         ax_task task, const ax_options *options);

/* A NOTICE for every column that is left out without having been excluded. */
extern void aiaas_table_tell_left_out(const AiaasRows *rows, const ax_preparation *p);

/* What is known of an element of a column. Texts are in the database's encoding; NULL: there is none. */
typedef struct AiaasElement {
    const char *name, *type;
    int64 count, nulls;
    int64 distinct; /* -1: not counted */
    double number[7]; /* mean, sd, min, q25, median, q75, max; NaN: there is none */
    Jsonb *top;     /* [{"value": "a", "count": 3}, ...] or NULL */
    const char *encoding, *left_out;
} AiaasElement;

#define AIAAS_ELEMENT_NUMBERS 7
extern const char *const aiaas_element_number[AIAAS_ELEMENT_NUMBERS]; /* their names */

/* Calls `visit` for each element of each column, in their order, in CurrentMemoryContext. */
extern void aiaas_table_elements(const AiaasRows *rows, const ax_preparation *p,
                                 void (*visit)(void *arg, const AiaasElement *e), void *arg);

/* Writes them to aiaas.feature. */
extern void aiaas_table_store(int64 version_id, const AiaasRows *rows, const ax_preparation *p);

#endif /* AIAAS_TABLE_H */
