/*
 * table.h: how the columns of a table become what a model learns from: ax.h's ax_preparation, from inside.
 *
 * Learning looks at every row once: statistics of each column, which of them are of no use, and by options and
 * algorithm how each is encoded. The result is a front (front.h: which number stands for which text) and, for all but
 * trees, nodes behind the row that fill gaps, scale and spread categories out. Trees take the row as it is.
 */
#ifndef AX_TABLE_H
#define AX_TABLE_H

#include "graph/front.h"
#include "graph/graph.h"

/* The front's columns, as ax_graph_set_front wants them; they live in the preparation. */
const ax_front_column *ax_preparation_front(const ax_preparation *p, int *n);
int64_t ax_preparation_row_width(const ax_preparation *p);

/*
 * Adds the nodes that turn the row (value `input`, (batch, row width)) into `*width` finite floats: *out, (batch,
 * *width). Embeddings are trainable weights of theirs. For trees there are none: *out is the row itself.
 */
ax_status ax_preparation_add(const ax_preparation *p, ax_graph *g, int input, int *out, int64_t *width,
                             ax_error *err);
/* What float i of that is called: "age", "age is missing", "job=teacher", "created.hour_sin". NULL: out of range. */
const char *ax_preparation_output(const ax_preparation *p, int64_t i);

/* For trees: what each float of the row is. */
typedef struct ax_row_part {
    const char *name;  /* "age", "created.hour_sin" */
    bool used;
    bool category;     /* its number is a code, 0 .. n_codes - 1; n_codes: any other */
    int n_codes;
    const char *const *code; /* (n_codes) texts */
} ax_row_part;

const ax_row_part *ax_preparation_part(const ax_preparation *p, int64_t i);

#endif /* AX_TABLE_H */
