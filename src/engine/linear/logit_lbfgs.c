/*
 * logit_lbfgs.c: L-BFGS for logistic models with too many parameters for Newton's method (Liu and Nocedal, 1989).
 *
 * Its first guess at the second derivatives of a class is X' W X times f (1 - f), with f the part of the rows that are
 * of the class, plus the penalty: what they are where the features say nothing. With that, features that are correlated
 * and classes that are rare cost few iterations. Where a matrix for each class is too much, its diagonal does.
 */
#include "linear/factor.h"
#include "linear/logit.h"

#include <cblas.h>
#include <math.h>

#define KEPT       10       /* pairs of steps and changes of the gradient */
#define MATRIX_MAX 16777216 /* numbers in the matrices of all classes; beyond, their diagonals */

typedef struct lbfgs {
    int n, count; /* parameters; pairs so far */
    bool matrix;
    double *bound;             /* (k, q, q) factors of the first guess, when matrix */
    double *spread;            /* (k) what X'WX is multiplied by */
    double *s[KEPT], *y[KEPT]; /* (n) */
    double product[KEPT];
    double *full, *before, *step; /* (n): gradient with penalty, the last one, the next step */
} lbfgs;

/* f (1 - f) of each class, at least a little. */
static ax_status class_spread(const ax_logit *l, double *spread, ax_error *err)
{
    memset(spread, 0, sizeof(double) * (size_t) l->k);
    for (int64_t i = 0; i < l->design.rows->n; i++) {
        int own = l->design.rows->classes[i];

        if (l->k > 1 || own == 1)
            spread[l->k > 1 ? own : 0] += ax_design_weight(&l->design, i) / l->design.weight;
        if (i % 1000000 == 999999 && !ax_may_continue(&l->design.arena.env))
            return ax_cancelled(err);
    }
    for (int c = 0; c < l->k; c++)
        spread[c] = fmax(spread[c] * (1 - spread[c]), 1e-3);
    return AX_OK;
}

/* The factor of gram * spread + penalty into to (q, q). */
static ax_status make_matrix(const ax_logit *l, const double *gram, double spread, double *to, bool *definite,
                             ax_error *err)
{
    size_t q = (size_t) l->q;

    for (size_t i = 0; i < q * q; i++)
        to[i] = gram[i] * spread;
    for (size_t j = 0; j < q; j++)
        to[j * q + j] = to[j * q + j] > 0 ? to[j * q + j] * (1 + 1e-8) + l->l2[j] : 1;
    return ax_cholesky(&l->design.arena.env, l->q, to, l->q, definite, err);
}

static ax_status make_matrices(ax_logit *l, lbfgs *b, ax_error *err)
{
    size_t q = (size_t) l->q;
    double *gram = ax_arena_array(&l->design.arena, q * q, sizeof(double));

    if (gram == NULL)
        return ax_nomem(err);
    AX_TRY(ax_logit_gram(l, gram, err));
    for (int c = 0; b->matrix && c < l->k; c++)
        AX_TRY(make_matrix(l, gram, b->spread[c], b->bound + (size_t) c * q * q, &b->matrix, err));
    return AX_OK;
}

static ax_status make_bound(ax_logit *l, lbfgs *b, ax_error *err)
{
    size_t q = (size_t) l->q, k = (size_t) l->k;

    b->matrix = (double) k * (double) q * (double) q <= MATRIX_MAX;
    b->spread = ax_arena_array(&l->design.arena, k, sizeof(double));
    b->bound = ax_arena_array(&l->design.arena, b->matrix ? k * q * q : 1, sizeof(double));
    if (b->bound == NULL || b->spread == NULL)
        return ax_nomem(err);
    AX_TRY(class_spread(l, b->spread, err));
    return b->matrix ? make_matrices(l, b, err) : AX_OK;
}

/* x = (first guess)^-1 x, class by class. Scaled columns have unit length. */
static void divide(const ax_logit *l, const lbfgs *b, double *x)
{
    size_t q = (size_t) l->q;

    for (size_t c = 0; c < (size_t) l->k; c++) {
        if (b->matrix)
            ax_cholesky_solve(l->q, b->bound + c * q * q, l->q, x + c * q);
        for (size_t j = 0; !b->matrix && j < q; j++)
            x[c * q + j] /= b->spread[c] + l->l2[j];
    }
}

/* The two loops: step = -(approximate inverse) * gradient. */
static void make_step(const ax_logit *l, lbfgs *b)
{
    double share[KEPT];
    int first = AX_MAX(0, b->count - KEPT);

    for (int i = 0; i < b->n; i++)
        b->step[i] = -b->full[i];
    for (int i = b->count - 1; i >= first; i--) {
        int at = i % KEPT;

        share[at] = cblas_ddot(b->n, b->s[at], 1, b->step, 1) / b->product[at];
        cblas_daxpy(b->n, -share[at], b->y[at], 1, b->step, 1);
    }
    divide(l, b, b->step);
    for (int i = first; i < b->count; i++) {
        int at = i % KEPT;
        double back = cblas_ddot(b->n, b->y[at], 1, b->step, 1) / b->product[at];

        cblas_daxpy(b->n, share[at] - back, b->s[at], 1, b->step, 1);
    }
}

static void take_gradient(const ax_logit *l, lbfgs *b)
{
    for (int i = 0; i < b->n; i++)
        b->full[i] = l->gradient[i] + l->l2[i % l->q] * l->u[i];
}

static void keep_pair(lbfgs *b, double share)
{
    int at = b->count % KEPT;

    for (int i = 0; i < b->n; i++) {
        b->s[at][i] = share * b->step[i];
        b->y[at][i] = b->full[i] - b->before[i];
    }
    b->product[at] = cblas_ddot(b->n, b->s[at], 1, b->y[at], 1);
    if (b->product[at] > 1e-10 * cblas_dnrm2(b->n, b->s[at], 1) * cblas_dnrm2(b->n, b->y[at], 1))
        b->count++;
}

static ax_status iterate(ax_logit *l, lbfgs *b, ax_error *err)
{
    AX_TRY(ax_logit_pass(l, l->u, true, err));
    take_gradient(l, b);
    while (l->iterations < l->params->max_iter) {
        double slope, share;

        if (!l->penalized && l->separated && l->loss < 1e-3)
            return AX_OK;
        make_step(l, b);
        slope = cblas_ddot(b->n, b->step, 1, b->full, 1);
        l->converged = -slope <= 0.1 * l->params->tol * l->params->tol;
        if (l->converged || !(slope < 0))
            return AX_OK;
        AX_TRY(ax_logit_search(l, b->step, slope, &share, err));
        l->iterations++;
        if (share == 0)
            return AX_OK;
        memcpy(b->before, b->full, sizeof(double) * (size_t) b->n);
        take_gradient(l, b);
        keep_pair(b, share);
    }
    return AX_OK;
}

ax_status ax_logit_lbfgs(ax_logit *l, ax_error *err)
{
    ax_arena *arena = &l->design.arena;
    size_t n = (size_t) l->k * (size_t) l->q;
    lbfgs b = {.n = l->k * l->q};
    double *room = ax_arena_array(arena, n, sizeof(double) * (2 * KEPT + 3));

    if (room == NULL)
        return ax_nomem(err);
    for (int i = 0; i < KEPT; i++) {
        b.s[i] = room + (size_t) i * n;
        b.y[i] = room + (size_t) (KEPT + i) * n;
    }
    b.full = room + 2 * KEPT * n;
    b.before = b.full + n;
    b.step = b.before + n;
    AX_TRY(make_bound(l, &b, err));
    return iterate(l, &b, err);
}
