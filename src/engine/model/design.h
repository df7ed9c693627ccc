/*
 * design.h: the matrix that the linear models are fitted to: the training rows, prepared.
 */
#ifndef AX_DESIGN_H
#define AX_DESIGN_H

#include "linear/linear.h"
#include "model/algorithm.h"
#include "nn/runner.h"

typedef struct ax_design {
    ax_graph *graph; /* the preparation alone */
    ax_model model;  /* around it, for the runner */
    ax_runner *runner;
    int64_t p;       /* columns */
    float *x;        /* (n_train, p) */
    int32_t *classes; /* (n_train), or NULL */
    float *values, *weights;
    int64_t at;      /* rows done */
} ax_design;

ax_status ax_design_open(ax_fit *f, ax_design *d, ax_error *err);
/* A slice of the rows. *done: x and the targets are complete; the preparation is no longer needed and freed. */
ax_status ax_design_fill(ax_fit *f, ax_design *d, bool *done, ax_error *err);
ax_linear_rows ax_design_rows(const ax_fit *f, const ax_design *d);
void ax_design_close(ax_fit *f, ax_design *d); /* zeros are fine */

/* The same preparation behind the input of f->model: *out, (batch, p). */
ax_status ax_design_add(ax_fit *f, int *out, ax_error *err);

#endif /* AX_DESIGN_H */
