/*
 * design.h: the rows as the solvers see them: centred, scaled to unit deviation, in double, a block at a time.
 */
#ifndef AX_DESIGN_H
#define AX_DESIGN_H

#include "linear/linear.h"

typedef struct ax_design {
    ax_arena arena;
    const ax_linear_rows *rows;
    int p;
    bool centred;
    double *mean;    /* (p), 0 when not centred */
    double *scale;   /* (p) weighted root mean square of x - mean; 1 for a column without any */
    double *inverse; /* (p) 1 / scale; 0 for a column without any deviation, which is then 0 throughout */
    double weight;   /* sum of the weights */
    int64_t used;    /* rows of positive weight */
    int block;       /* rows that are read at once */
} ax_design;

/* Checks the rows (finite, weights not negative, some positive) and takes the moments. ax_design_close in any case. */
ax_status ax_design_open(const ax_env *env, const ax_linear_rows *rows, bool centre, ax_design *d, ax_error *err);
void ax_design_close(ax_design *d);
/* Rows [from, from + count) into out, row by row, ld numbers apart. */
void ax_design_read(const ax_design *d, int64_t from, int count, double *out, int ld);
double ax_design_weight(const ax_design *d, int64_t row);
/* How many rows make a piece of work when each costs so many operations and so many numbers of room. */
int ax_piece_rows(double flops, double room);
/* A zeroed fit with its arrays; errors, z and p values are NaN. */
ax_status ax_linear_new_fit(const ax_env *env, int p, int n_outputs, ax_linear_fit **out, ax_error *err);

#endif /* AX_DESIGN_H */
