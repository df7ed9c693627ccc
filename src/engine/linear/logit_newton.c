/*
 * logit_newton.c: Newton's method for smooth penalties, and the proximal Newton method for those with an L1 part
 * (Lee, Sun and Saunders, "Proximal Newton-type methods for minimizing composite functions", 2014).
 *
 * Newton solves with the second derivatives of all parameters at once. The proximal method minimizes their quadratic
 * plus the penalty by coordinate descent; when the parameters are too many for one matrix, it goes through the classes
 * one by one.
 *
 * Both stop by what the next step promises. Newton's promises shrink by ever larger factors near a minimum; where there
 * is none, because the classes can be separated in some direction, each is about 1/e of the one before, and that tells.
 */
#include "linear/factor.h"
#include "linear/logit.h"
#include "linear/shrink.h"

#include <cblas.h>
#include <math.h>

#define SLOW  0.05  /* a promise above this part of the last one is not Newton's near a minimum */
#define NOISE 1e-15 /* smaller promises are rounding */

/*
 * Makes the matrix (m classes) solvable: what is added to all classes alike changes no prediction, so where nothing
 * penalizes it, the products of it with itself are put in; a parameter without effect gets 1 on the diagonal.
 */
static void prepare(const ax_logit *l, double *h, int m)
{
    size_t q = (size_t) l->q, n = (size_t) m * q;

    for (size_t j = 0; j < q; j++) {
        double own = h[j * n + j];

        for (int a = 0; m == l->k && m > 1 && l->l1[j] == 0 && l->l2[j] == 0 && a < m; a++) {
            for (int b = 0; b < m; b++)
                h[((size_t) a * q + j) * n + (size_t) b * q + j] += own;
        }
    }
}

static void add_penalty(const ax_logit *l, double *h, int n, double lift)
{
    for (int i = 0; i < n; i++) {
        double *own = h + (size_t) i * (size_t) n + (size_t) i;

        *own = *own > 0 ? *own * (1 + lift) + l->l2[i % l->q] : 1;
    }
}

/* step = -(H + penalty)^-1 gradient. A matrix that is nearly singular has its diagonal lifted until it is not. */
static ax_status newton_step(ax_logit *l, double *h, double *step, double *slope, ax_error *err)
{
    int n = l->k * l->q;
    bool definite = false;

    for (double lift = 1e-14; !definite && lift < 1e3; lift *= 1e3) {
        AX_TRY(ax_logit_hessian(l, l->u, 0, l->k, h, err));
        prepare(l, h, l->k);
        add_penalty(l, h, n, lift);
        AX_TRY(ax_cholesky(&l->design.arena.env, n, h, n, &definite, err));
    }
    *slope = 0;
    if (!definite)
        return AX_OK;
    for (int i = 0; i < n; i++)
        step[i] = -(l->gradient[i] + l->l2[i % l->q] * l->u[i]);
    ax_cholesky_solve(n, h, n, step);
    for (int i = 0; i < n; i++)
        *slope += step[i] * (l->gradient[i] + l->l2[i % l->q] * l->u[i]);
    return AX_OK;
}

static ax_status iterate(ax_logit *l, double *h, double *step, double last, ax_error *err)
{
    AX_TRY(ax_logit_pass(l, l->u, true, err));
    while (l->iterations < l->params->max_iter) {
        double slope, share, promise;

        if (!l->penalized && l->separated && l->loss < 1e-3)
            return AX_OK;
        AX_TRY(newton_step(l, h, step, &slope, err));
        promise = -slope;
        if (!(promise > 0)) {
            l->converged = promise == 0;
            return AX_OK;
        }
        AX_TRY(ax_logit_search(l, step, slope, &share, err));
        l->iterations++;
        l->converged = promise <= l->params->tol * l->params->tol && share == 1 && promise <= SLOW * last;
        if (l->converged || share == 0 || promise < NOISE)
            return AX_OK;
        last = promise;
    }
    return AX_OK;
}

ax_status ax_logit_newton(ax_logit *l, ax_error *err)
{
    size_t n = (size_t) l->k * (size_t) l->q;
    double *h = ax_alloc(&l->design.arena.env, sizeof(double) * n * (n + 1));
    /* after another solver the first promise proves nothing */
    double last = l->iterations == 0 ? INFINITY : 0;
    ax_status status;

    if (h == NULL)
        return ax_nomem(err);
    l->converged = false;
    status = iterate(l, h, h + n * n, last, err);
    ax_free(&l->design.arena.env, h);
    return status;
}

/* ---- with an L1 penalty ---------------------------------------------------------------------- */

typedef struct proximal {
    double *h, *g, *v, *l1, *l2; /* of a group of classes */
    double *step;                /* (k, q) */
} proximal;

/* The step of the classes [from, to); the others stay. */
static ax_status proximal_step(ax_logit *l, proximal *s, int from, int to, double *slope, ax_error *err)
{
    int n = (to - from) * l->q, at = from * l->q;
    ax_shrink shrink = {.env = &l->design.arena.env,
                        .n = n,
                        .h = s->h,
                        .g = s->g,
                        .l1 = s->l1,
                        .l2 = s->l2,
                        .v = s->v,
                        .tol = 0.1 * l->params->tol,
                        .max_iter = 10000};

    AX_TRY(ax_logit_hessian(l, l->u, from, to, s->h, err));
    prepare(l, s->h, to - from);
    memset(s->step, 0, sizeof(double) * (size_t) l->k * (size_t) l->q);
    memcpy(s->g, l->gradient + at, sizeof(double) * (size_t) n);
    memcpy(s->v, l->u + at, sizeof(double) * (size_t) n);
    AX_TRY(ax_shrink_solve(&shrink, err));
    *slope = -ax_logit_penalty(l, l->u);
    for (int i = 0; i < n; i++) {
        s->step[at + i] = s->v[i] - l->u[at + i];
        *slope += l->gradient[at + i] * s->step[at + i];
    }
    for (int i = 0; i < l->k * l->q; i++) {
        double v = l->u[i] + s->step[i];

        *slope += l->l1[i % l->q] * fabs(v) + 0.5 * l->l2[i % l->q] * v * v;
    }
    return AX_OK;
}

static ax_status iterate_proximal(ax_logit *l, proximal *s, int group, ax_error *err)
{
    AX_TRY(ax_logit_pass(l, l->u, true, err));
    while (l->iterations < l->params->max_iter && !l->converged) {
        double most = 0, all = 0;

        for (int from = 0; from < l->k; from += group) {
            double slope, share = 1;

            AX_TRY(proximal_step(l, s, from, from + group, &slope, err));
            if (slope < 0)
                AX_TRY(ax_logit_search(l, s->step, slope, &share, err));
            most = fmax(most, -slope);
            all += share;
        }
        l->iterations++;
        l->converged = most <= l->params->tol * l->params->tol;
        if (all == 0)
            return AX_OK;
    }
    return AX_OK;
}

ax_status ax_logit_proximal(ax_logit *l, ax_error *err)
{
    int group = l->k * l->q <= AX_LOGIT_NEWTON_MAX ? l->k : 1;
    size_t n = (size_t) group * (size_t) l->q, all = (size_t) l->k * (size_t) l->q;
    ax_arena *arena = &l->design.arena;
    proximal s = {.h = ax_arena_array(arena, n * n, sizeof(double)),
                  .g = ax_arena_array(arena, n, sizeof(double)),
                  .v = ax_arena_array(arena, n, sizeof(double)),
                  .l1 = ax_arena_array(arena, n, sizeof(double)),
                  .l2 = ax_arena_array(arena, n, sizeof(double)),
                  .step = ax_arena_array(arena, all, sizeof(double))};

    if (s.h == NULL || s.g == NULL || s.v == NULL || s.l1 == NULL || s.l2 == NULL || s.step == NULL)
        return ax_nomem(err);
    for (size_t i = 0; i < n; i++) {
        s.l1[i] = l->l1[i % (size_t) l->q];
        s.l2[i] = l->l2[i % (size_t) l->q];
    }
    return iterate_proximal(l, &s, group, err);
}
