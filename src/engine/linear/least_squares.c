/*
 * least_squares.c: least squares, ridge, lasso and elastic net.
 *
 * The first two solve with the triangle of factor.c, and then once more with what the residuals of the rows themselves
 * leave, which wins back the digits that a triangle from products loses. The others descend on X'X (shrink.c).
 */
#include "linear/factor.h"
#include "linear/lapack.h"
#include "linear/shrink.h"
#include "linear/significance.h"

#include <math.h>

typedef struct problem {
    const ax_linear_params *params;
    ax_design design;
    ax_factor factor;
    double y_mean;
    double squares; /* weighted sum of squared residuals */
    double *x;      /* (block, p) */
    double *u;      /* (p) coefficients of the scaled columns */
    double *g;      /* (p) */
    double *extra;  /* (p + 1) */
} problem;

static ax_status mean_of_values(problem *s, ax_error *err)
{
    const ax_design *d = &s->design;
    double sum = 0, rest = 0;

    for (int64_t i = 0; i < d->rows->n; i++) {
        if (!isfinite(d->rows->values[i]))
            return ax_fail(err, AX_ERR_NUMERIC, "the value of row %lld is not finite", (long long) i + 1);
        sum += ax_design_weight(d, i) * (double) d->rows->values[i];
        if (i % 1000000 == 999999 && !ax_may_continue(&d->arena.env))
            return ax_cancelled(err);
    }
    if (!d->centred)
        return AX_OK;
    s->y_mean = sum / d->weight;
    for (int64_t i = 0; i < d->rows->n; i++)
        rest += ax_design_weight(d, i) * ((double) d->rows->values[i] - s->y_mean);
    s->y_mean += rest / d->weight;
    return AX_OK;
}

/* The squared residuals at u; and, when asked, g = X' W residuals. */
static ax_status pass(problem *s, bool gradient, ax_error *err)
{
    const ax_design *d = &s->design;
    double residual[256];

    s->squares = 0;
    memset(s->g, 0, gradient ? sizeof(double) * (size_t) d->p : 0);
    for (int64_t from = 0; from < d->rows->n; from += d->block) {
        int count = (int) AX_MIN(d->block, d->rows->n - from);

        ax_design_read(d, from, count, s->x, d->p);
        for (int i = 0; i < count; i++)
            residual[i] = (double) d->rows->values[from + i] - s->y_mean;
        cblas_dgemv(CblasRowMajor, CblasNoTrans, count, d->p, -1, s->x, d->p, s->u, 1, 1, residual, 1);
        for (int i = 0; i < count; i++) {
            double w = ax_design_weight(d, from + i);

            s->squares += w * residual[i] * residual[i];
            residual[i] *= w;
        }
        if (gradient)
            cblas_dgemv(CblasRowMajor, CblasTrans, count, d->p, 1, s->x, d->p, residual, 1, 1, s->g, 1);
        if (!ax_may_continue(&d->arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

/* To the units of X; the intercept follows from the means. */
static void set_coefficients(problem *s, ax_linear_fit *f)
{
    double *coef = (double *) f->coef, *intercept = (double *) f->intercept;

    intercept[0] = s->y_mean;
    for (int j = 0; j < f->p; j++)
        intercept[0] -= s->design.mean[j] * coef[j];
    f->loss = s->squares / s->design.weight;
}

/* ---- least squares and ridge ----------------------------------------------------------------- */

static ax_status set_errors(problem *s, ax_linear_fit *f, ax_error *err)
{
    double df = (double) s->design.used - s->factor.rank - (s->design.centred ? 1 : 0);
    double variance = s->squares / df;

    if (df <= 0)
        return AX_OK;
    AX_TRY(ax_factor_inverse_diagonal(&s->factor, &s->design, s->extra, err));
    for (int j = 0; j <= f->p; j++)
        ax_linear_set_error(f, 0, j, variance * s->extra[j], df);
    return AX_OK;
}

/* One step of refinement, on the rows themselves. */
static ax_status refine(problem *s, ax_error *err)
{
    AX_TRY(pass(s, true, err));
    for (int j = 0; j < s->design.p; j++)
        s->g[j] -= s->factor.ridge != NULL ? s->factor.ridge[j] * s->u[j] : 0;
    ax_factor_solve(&s->factor, s->g, s->extra);
    for (int j = 0; j < s->design.p; j++)
        s->u[j] += s->extra[j];
    return pass(s, false, err);
}

static ax_status solve_squares(problem *s, ax_linear_fit *f, ax_error *err)
{
    ax_design *d = &s->design;
    double alpha = s->params->alpha, *coef = (double *) f->coef;

    for (int j = 0; j < d->p; j++)
        s->extra[j] = alpha / (d->scale[j] * d->scale[j]);
    AX_TRY(ax_factor_open(d, s->y_mean, alpha > 0 ? s->extra : NULL, &s->factor, err));
    AX_TRY(ax_factor_reveal(&s->factor, err));
    ax_factor_solve_response(&s->factor, s->u);
    AX_TRY(refine(s, err));
    for (int j = 0; j < d->p; j++)
        coef[j] = s->u[j] / d->scale[j];
    f->converged = true;
    f->iterations = 1;
    if (alpha > 0)
        return AX_OK;
    AX_TRY(ax_factor_least_norm(&s->factor, d, coef, err));
    set_coefficients(s, f);
    return set_errors(s, f, err);
}

/* ---- lasso and elastic net ------------------------------------------------------------------- */

/* X' W X / sum w, both triangles. */
static ax_status make_gram(problem *s, double *gram, ax_error *err)
{
    ax_design *d = &s->design;
    size_t p = (size_t) d->p;

    for (int64_t from = 0; from < d->rows->n; from += d->block) {
        int count = (int) AX_MIN(d->block, d->rows->n - from);

        ax_design_read(d, from, count, s->x, d->p);
        for (int i = 0; d->rows->weights != NULL && i < count; i++)
            cblas_dscal(d->p, sqrt(ax_design_weight(d, from + i)), s->x + (size_t) i * p, 1);
        AX_TRY(ax_add_products(&d->arena.env, gram, d->p, s->x, count, err));
    }
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j <= i; j++)
            gram[j * p + i] = gram[i * p + j] = gram[i * p + j] / d->weight;
        if (i % 256 == 255 && !ax_may_continue(&d->arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

static ax_status solve_net(problem *s, ax_linear_fit *f, ax_error *err)
{
    ax_design *d = &s->design;
    size_t p = (size_t) d->p;
    const ax_linear_params *set = s->params;
    double *gram = ax_arena_array(&d->arena, p * p, sizeof(double));
    double *l1 = ax_arena_array(&d->arena, p, sizeof(double)), *l2 = ax_arena_array(&d->arena, p, sizeof(double));
    ax_shrink shrink = {.env = &d->arena.env, .n = d->p, .h = gram, .g = s->g, .l1 = l1, .l2 = l2, .v = s->u};

    if (gram == NULL || l1 == NULL || l2 == NULL)
        return ax_nomem(err);
    AX_TRY(make_gram(s, gram, err));
    AX_TRY(pass(s, true, err));
    for (size_t j = 0; j < p; j++) {
        s->g[j] /= -d->weight;
        l1[j] = set->alpha * set->l1_ratio * d->inverse[j];
        l2[j] = set->alpha * (1 - set->l1_ratio) * d->inverse[j] * d->inverse[j];
    }
    /* scikit-learn's tolerance is for the gap; steps a thousandth of it leave coefficients without visible error */
    shrink.tol = 1e-3 * set->tol * sqrt(s->squares / d->weight);
    shrink.max_iter = set->max_iter;
    AX_TRY(ax_shrink_solve(&shrink, err));
    f->iterations = shrink.iterations;
    f->converged = shrink.converged;
    for (size_t j = 0; j < p; j++)
        ((double *) f->coef)[j] = s->u[j] * d->inverse[j];
    return pass(s, false, err);
}

/* ---- the fit --------------------------------------------------------------------------------- */

static ax_status check_params(const ax_linear_rows *rows, const ax_linear_params *p, ax_error *err)
{
    if (rows->values == NULL)
        return ax_fail(err, AX_ERR_INVALID, "a linear model needs values to fit");
    if (!(p->alpha >= 0) || isinf(p->alpha))
        return ax_fail(err, AX_ERR_INVALID, "alpha must be a finite number of at least 0");
    if (!(p->l1_ratio >= 0 && p->l1_ratio <= 1))
        return ax_fail(err, AX_ERR_INVALID, "l1_ratio must be between 0 and 1");
    if (!(p->tol >= 0) || p->max_iter < 1)
        return ax_fail(err, AX_ERR_INVALID, "tol must be at least 0 and max_iter at least 1");
    return AX_OK;
}

static ax_status fit(problem *s, ax_linear_fit *f, ax_error *err)
{
    ax_design *d = &s->design;
    size_t p = (size_t) d->p;
    bool net = s->params->alpha > 0 && s->params->l1_ratio > 0;

    s->x = ax_arena_array(&d->arena, (size_t) d->block, sizeof(double) * p);
    s->u = ax_arena_array(&d->arena, p, sizeof(double));
    s->g = ax_arena_array(&d->arena, p, sizeof(double));
    s->extra = ax_arena_array(&d->arena, p + 1, sizeof(double));
    if (s->x == NULL || s->u == NULL || s->g == NULL || s->extra == NULL)
        return ax_nomem(err);
    AX_TRY(mean_of_values(s, err));
    AX_TRY(net ? solve_net(s, f, err) : solve_squares(s, f, err));
    set_coefficients(s, f);
    return AX_OK;
}

ax_status ax_linear_least_squares(const ax_env *env, const ax_linear_rows *rows, const ax_linear_params *params,
                                  ax_pool *pool, ax_linear_fit **out, ax_error *err)
{
    problem s = {.params = params};
    ax_linear_fit *f = NULL;
    ax_status status;

    AX_TRY(check_params(rows, params, err));
    status = ax_design_open(env, rows, params->fit_intercept, &s.design, err);
    if (status == AX_OK)
        status = ax_linear_new_fit(env, rows->p, 1, &f, err);
    if (status == AX_OK)
        status = fit(&s, f, err);
    ax_factor_close(&s.factor);
    ax_design_close(&s.design);
    if (status != AX_OK) {
        ax_linear_free(f);
        return status;
    }
    *out = f;
    return AX_OK;
}
