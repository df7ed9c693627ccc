/*
 * shrink.h: the smallest value of a quadratic with an L1 penalty.
 */
#ifndef AX_SHRINK_H
#define AX_SHRINK_H

#include "linear/linear.h"

/*
 * Over v (n), starting from v:
 *
 *     1/2 (v - u)' H (v - u) + g' (v - u) + sum l1 |v| + 1/2 sum l2 v^2
 *
 * h (n, n) symmetric, both triangles; g becomes the gradient of the first two terms at the result. A coordinate with a
 * zero on the diagonal of h stays where it is. Done when no step in a whole round is longer than tol, measured as
 * |step| * sqrt(h_jj).
 */
typedef struct ax_shrink {
    const ax_env *env;
    int n;
    const double *h;
    double *g;             /* (n) in: at u; v starts as u */
    const double *l1, *l2; /* (n) */
    double *v;             /* (n) */
    double tol;
    int max_iter;
    int iterations; /* out: rounds over the coordinates */
    bool converged; /* out */
} ax_shrink;

ax_status ax_shrink_solve(ax_shrink *s, ax_error *err);

#endif /* AX_SHRINK_H */
