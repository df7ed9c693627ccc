/*
 * prepared.h: the matrix that the linear models are fitted to: the training rows, prepared.
 */
#ifndef AX_PREPARED_H
#define AX_PREPARED_H

#include "linear/linear.h"
#include "model/algorithm.h"
#include "nn/runner.h"

typedef struct ax_prepared {
    ax_graph *graph; /* the preparation alone */
    ax_model model;  /* around it, for the runner */
    ax_runner *runner;
    int64_t p;       /* columns */
    float *x;        /* (n_train, p) */
    int32_t *classes; /* (n_train), or NULL */
    float *values, *weights;
    int64_t at;      /* rows done */
} ax_prepared;

ax_status ax_prepared_open(ax_fit *f, ax_prepared *d, ax_error *err);
/* A slice of the rows. *done: x and the targets are complete; the preparation is no longer needed and freed. */
ax_status ax_prepared_fill(ax_fit *f, ax_prepared *d, bool *done, ax_error *err);
ax_linear_rows ax_prepared_rows(const ax_fit *f, const ax_prepared *d);
void ax_prepared_close(ax_fit *f, ax_prepared *d); /* zeros are fine */

/* The same preparation behind the input of f->model: *out, (batch, p). */
ax_status ax_prepared_add(ax_fit *f, int *out, ax_error *err);

#endif /* AX_PREPARED_H */
