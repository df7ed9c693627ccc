/*
 * logit_lbfgs.c: L-BFGS for logistic models with too many parameters for Newton's method (Liu and Nocedal, 1989).
 *
 * Its first guess at the second derivatives is an upper bound of them, the same for every class: X' W X times 1/4 (two
 * classes) or 1/2 (more; Boehning, "Multinomial logistic regression algorithm", 1992), plus the penalty. With that, features
 * that are correlated cost no iterations, and the first step never goes too far.
 */
#include "linear/factor.h"
#include "linear/logit.h"

#include <cblas.h>
#include <math.h>

#define KEPT        10   /* pairs of steps and changes of the gradient */
#define MATRIX_MAX  4096 /* columns up to which the bound is a matrix; beyond, its diagonal */

typedef struct lbfgs {
    int n, count;             /* parameters; pairs so far */
    bool matrix;
    double *bound;            /* (q, q) factor, or (q) diagonal */
    double *s[KEPT], *y[KEPT]; /* (n) */
    double product[KEPT];
    double *full, *before, *step;  /* (n): gradient with penalty, the last one, the next step */
} lbfgs;

static ax_status make_matrix(ax_logit *l, lbfgs *b, ax_error *err)
{
    int q = l->q;
    bool definite;

    AX_TRY(ax_logit_gram(l, b->bound, err));
    for (int j = 0; j < q; j++) {
        double *column = b->bound + (size_t) j * (size_t) q, own = column[j];

        cblas_dscal(q, l->k == 1 ? 0.25 : 0.5, column, 1);
        column[j] = own > 0 ? (l->k == 1 ? 0.25 : 0.5) * own * (1 + 1e-8) + l->l2[j] : 1;
    }
    AX_TRY(ax_cholesky(&l->design.arena.env, q, b->bound, q, &definite, err));
    b->matrix = definite;
    return AX_OK;
}

static ax_status make_bound(ax_logit *l, lbfgs *b, ax_error *err)
{
    size_t q = (size_t) l->q;

    b->matrix = l->q <= MATRIX_MAX;
    b->bound = ax_arena_array(&l->design.arena, b->matrix ? q * q : q, sizeof(double));
    if (b->bound == NULL)
        return ax_nomem(err);
    if (b->matrix)
        AX_TRY(make_matrix(l, b, err));
    for (size_t j = 0; !b->matrix && j < q; j++)
        b->bound[j] = 0.5 + l->l2[j]; /* scaled columns have unit length */
    return AX_OK;
}

/* x = bound^-1 x, class by class. */
static void divide(const ax_logit *l, const lbfgs *b, double *x)
{
    for (int c = 0; c < l->k; c++) {
        double *part = x + (size_t) c * (size_t) l->q;

        if (b->matrix)
            ax_cholesky_solve(l->q, b->bound, l->q, part);
        for (int j = 0; !b->matrix && j < l->q; j++)
            part[j] /= b->bound[j];
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
        l->converged = -slope <= 0.01 * l->params->tol * l->params->tol;
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
