/*
 * factor.h: triangular factors of tall matrices, their rank, and what the rank leaves open.
 */
#ifndef AX_FACTOR_H
#define AX_FACTOR_H

#include "linear/design.h"

/*
 * In place, by columns: the upper triangle of the symmetric a (n, n), leading dimension ld, becomes U with U'U = a. In
 * pieces, asking may_continue between them. *definite false: it is not (numerically) positive definite, and a is
 * spoiled.
 */
ax_status ax_cholesky(const ax_env *env, int n, double *a, int ld, bool *definite, ax_error *err);
/* x = a^-1 x with U of ax_cholesky. */
void ax_cholesky_solve(int n, const double *u, int ld, double *x);

/* Adds the products of the columns of `row` (count, n; row by row) to the upper triangle of gram (n, n) by columns. */
ax_status ax_add_products(const ax_env *env, double *gram, int n, const double *row, int count, ax_error *err);

/*
 * The rows of the design times the roots of their weights, X, and a column y beside them, as a triangle:
 * X'X + ridge = R'R, with R (p, p) in the first columns and Q'y in the last.
 */
typedef struct ax_factor {
    ax_arena arena;
    int p, rank, ld; /* ld = p + 1 */
    double *r;       /* (p + 1, p + 1) by columns */
    int *order;    /* (p) place -> column of the design; the first `rank` are independent, the rest follows from them */
    double *ridge; /* (p) what was added to the diagonal of X'X, or NULL */
    double *place; /* (p + 1) room for one vector */
} ax_factor;

/* y_mean is taken off rows->values (NULL: y is 0). ridge (p) or NULL. The rank is not looked for yet: it is p. */
ax_status ax_factor_open(const ax_design *d, double y_mean, const double *ridge, ax_factor *f, ax_error *err);
void ax_factor_close(ax_factor *f);
/* Moves dependent columns to the end and finds the rank. */
ax_status ax_factor_reveal(ax_factor *f, ax_error *err);
/* x (p, by column of the design, 0 for dependent columns) with R'R x = g. */
void ax_factor_solve(const ax_factor *f, const double *g, double *x);
/* x (p) with R x = Q'y, likewise. */
void ax_factor_solve_response(const ax_factor *f, double *x);

/*
 * What the rank leaves open: coefficients w (p) in the units of X may be moved by any combination of the columns of
 * basis (p, p - rank) by columns, and predict the same. Row i belongs to column i of the design.
 */
ax_status ax_factor_null_basis(ax_factor *f, const ax_design *d, double **basis, ax_error *err);
/* Of all coefficients that predict what w (p, units of X) predicts, the ones of least norm, in place. */
ax_status ax_factor_least_norm(ax_factor *f, const ax_design *d, double *w, ax_error *err);
/*
 * out (p + 1, intercept last): the diagonal of the inverse of X'X in the units of X, for the columns of the design and
 * the intercept: what the variances of the coefficients are multiples of. NaN for what the rank leaves open, and for
 * the intercept of a design that is not centred.
 */
ax_status ax_factor_inverse_diagonal(ax_factor *f, const ax_design *d, double *out, ax_error *err);

#endif /* AX_FACTOR_H */
