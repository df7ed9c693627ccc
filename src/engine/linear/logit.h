/*
 * logit.h: what the solvers of logistic regression share: the value, the gradient and the second derivatives.
 *
 * Parameters u are (k, q) with q = p + 1, the intercept of a class last; k is 1 for two classes, else their number.
 * They belong to the centred and scaled columns. Everything is divided by the sum of the weights:
 *
 *     value(u) = mean log loss + sum 1/2 l2 u^2 + sum l1 |u|
 */
#ifndef AX_LOGIT_H
#define AX_LOGIT_H

#include "linear/design.h"

#define AX_LOGIT_NEWTON_MAX 2000 /* parameters up to which a full matrix of second derivatives is made */

typedef struct ax_logit {
    ax_design design;
    const ax_linear_params *params;
    int k, q;
    double *l1, *l2; /* (q) */
    bool has_l1, penalized;
    double *u;        /* (k, q) */
    double *gradient; /* (k, q) of the loss alone, by ax_logit_pass */
    double loss;      /* mean log loss, by ax_logit_pass */
    bool separated;   /* at the last pass every row had its own class in front */
    int iterations;
    bool converged;
    double *x;      /* (block, q) rows, the intercept's 1 (or 0) last */
    double *eta;    /* (block, k) */
    double *scaled; /* (block, q) */
} ax_logit;

/* Room for parameters and blocks; the design is open already. */
ax_status ax_logit_open(ax_logit *l, ax_error *err);
/* loss, separated and (when asked) gradient at u. */
ax_status ax_logit_pass(ax_logit *l, const double *u, bool gradient, ax_error *err);
/* l1 and l2 terms at u. */
double ax_logit_penalty(const ax_logit *l, const double *u);
/*
 * Second derivatives of the loss at u for the classes [from, to): ((to - from) q) squared, both triangles. Parameters
 * without any effect have 0 throughout.
 */
ax_status ax_logit_hessian(ax_logit *l, const double *u, int from, int to, double *h, ax_error *err);
/* X' W X / sum w (q, q), both triangles. */
ax_status ax_logit_gram(ax_logit *l, double *gram, ax_error *err);
/*
 * Halves the step from u until the value has fallen by enough of what the slope promises, and takes it: u is moved and
 * ax_logit_pass with gradient made there. slope < 0. *share is the part of the step that was taken, 0 when none makes
 * the value smaller.
 */
ax_status ax_logit_search(ax_logit *l, const double *step, double slope, double *share, ax_error *err);

/* The solvers: from u to the best u. */
ax_status ax_logit_newton(ax_logit *l, ax_error *err);
ax_status ax_logit_lbfgs(ax_logit *l, ax_error *err);
ax_status ax_logit_proximal(ax_logit *l, ax_error *err);

#endif /* AX_LOGIT_H */
