/*
 * linear_check.h: what the tests of linear models, clusters and components share: a table by formula, comparisons of
 * doubles, and the sweeps over failing allocations and cancellations.
 */
#ifndef AX_LINEAR_CHECK_H
#define AX_LINEAR_CHECK_H

#include "linear/linear.h"
#include "unit.h"

#define TABLE_MAX 400

/*
 * Rows of the formula that the expected numbers were computed from, too: with u the next of
 * s = (s * 1664525 + 1013904223) mod 2^32, s_0 = 7, u = (s >> 8) / 2^24, all in float, each row is
 *
 *     x_j = 4 u - 2 + j for each j, noise = 4 u - 2, weight = 0.5 + u, other = 4 u - 2
 *     value = 2 x_0 - x_1 + noise
 *     two   = [x_0 - x_1 + noise > -1]
 *     three = [other + x_0 / 2 > -0.5] + [other > 0.7]
 */
typedef struct table {
    int n, p;
    float x[TABLE_MAX * 10], values[TABLE_MAX], weights[TABLE_MAX];
    int32_t two[TABLE_MAX], three[TABLE_MAX];
} table;

void table_fill(table *t, int n, int p);
ax_linear_rows table_rows(const table *t, bool weighted);
/* Compares doubles as unit_near does, NaN with NaN; shows the first that differs. */
bool close_to(const double *got, const double *want, int n, double tol, const char *text);
/* The same where the intercepts of k outputs stand apart: want is (k, p + 1), the intercept last. */
bool fit_close_to(const ax_linear_fit *f, const double *want, double tol, const char *text);

/* Some work that makes a result and frees it again. */
typedef ax_status (*work)(const ax_env *env, const void *arg, ax_error *err);
/* Each allocation fails in turn; then permission to go on is withdrawn at each poll. Nothing may leak. */
void sweep(work w, const void *arg, const char *text);

#endif /* AX_LINEAR_CHECK_H */
