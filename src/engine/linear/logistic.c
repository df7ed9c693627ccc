/*
 * logistic.c: logistic regression from rows to coefficients and their errors.
 *
 * Which solver works follows from the penalty and the sizes. Without a penalty, columns that follow from others are
 * taken out before and given their part of the coefficients (those of least norm) afterwards.
 */
#include "linear/factor.h"
#include "linear/logit.h"
#include "linear/significance.h"

#include <cblas.h>
#include <math.h>

static ax_status check_params(const ax_linear_rows *rows, const ax_linear_params *p, ax_error *err)
{
    if (rows->classes == NULL)
        return ax_fail(err, AX_ERR_INVALID, "a logistic model needs classes to fit");
    if (p->n_classes < 2)
        return ax_fail(err, AX_ERR_INVALID, "a logistic model needs at least two classes");
    if (!(p->c > 0))
        return ax_fail(err, AX_ERR_INVALID, "c must be positive");
    if (!(p->l1_ratio >= 0 && p->l1_ratio <= 1))
        return ax_fail(err, AX_ERR_INVALID, "l1_ratio must be between 0 and 1");
    if (!(p->tol >= 0) || p->max_iter < 1)
        return ax_fail(err, AX_ERR_INVALID, "tol must be at least 0 and max_iter at least 1");
    for (int64_t i = 0; i < rows->n; i++) {
        if (rows->classes[i] < 0 || rows->classes[i] >= p->n_classes)
            return ax_fail(err, AX_ERR_INVALID, "row %lld is of class %d, there are %d", (long long) i + 1,
                           rows->classes[i], p->n_classes);
    }
    if ((double) rows->p * p->n_classes > 1e8)
        return ax_fail(err, AX_ERR_LIMIT, "%d columns times %d classes are too many coefficients", rows->p,
                       p->n_classes);
    return AX_OK;
}

static void set_penalty(ax_logit *l)
{
    double strength = 1 / (l->params->c * l->design.weight);

    l->penalized = strength > 0;
    l->has_l1 = l->penalized && l->params->l1_ratio > 0;
    for (int j = 0; j < l->design.p; j++) {
        double inverse = l->design.inverse[j];

        l->l1[j] = strength * l->params->l1_ratio * inverse;
        l->l2[j] = strength * (1 - l->params->l1_ratio) * inverse * inverse;
    }
}

static bool newton_is_cheap(const ax_logit *l)
{
    double n = (double) l->k * l->q;

    return n <= AX_LOGIT_NEWTON_MAX && n * n * (double) l->design.rows->n <= (l->k == 1 ? 1e10 : 1e9);
}

static ax_status solve(ax_logit *l, ax_error *err)
{
    if (l->has_l1)
        return ax_logit_proximal(l, err);
    if (newton_is_cheap(l))
        return ax_logit_newton(l, err);
    AX_TRY(ax_logit_lbfgs(l, err));
    /* without a penalty there may be no best coefficients, which only Newton's steps tell */
    if (l->converged && !l->penalized && l->k * l->q <= AX_LOGIT_NEWTON_MAX)
        return ax_logit_newton(l, err);
    return AX_OK;
}

/* ---- coefficients ---------------------------------------------------------------------------- */

/* Takes off what adds nothing to any prediction: the mean over the classes. */
static void centre(double *x, int count, int stride)
{
    double mean = 0;

    for (int c = 0; c < count; c++)
        mean += x[(size_t) c * (size_t) stride] / count;
    for (int c = 0; c < count; c++)
        x[(size_t) c * (size_t) stride] -= mean;
}

static ax_status set_coefficients(ax_logit *l, ax_factor *factor, ax_linear_fit *f, ax_error *err)
{
    double *coef = (double *) f->coef, *intercept = (double *) f->intercept;

    for (int c = 0; c < l->k; c++) {
        const double *u = l->u + (size_t) c * (size_t) l->q;
        double *to = coef + (size_t) c * (size_t) f->p;

        for (int j = 0; j < f->p; j++)
            to[j] = u[j] * l->design.inverse[j];
        if (!l->penalized)
            AX_TRY(ax_factor_least_norm(factor, &l->design, to, err));
        intercept[c] = l->params->fit_intercept ? u[f->p] - cblas_ddot(f->p, l->design.mean, 1, to, 1) : 0;
    }
    if (l->k > 1 && l->params->fit_intercept)
        centre(intercept, l->k, 1);
    for (int j = 0; l->k > 1 && !l->penalized && j < f->p; j++)
        centre(coef + j, l->k, f->p);
    f->iterations = l->iterations;
    f->converged = l->converged;
    f->loss = l->loss;
    return AX_OK;
}

/* ---- errors ---------------------------------------------------------------------------------- */

/*
 * How parameter `j` of class `c` follows from the parameters that the matrix of second derivatives has. Of several
 * classes it has all but the last, which stands at 0; the coefficients are then taken less their mean over the classes.
 * The intercept is that of the centred columns less the means times the coefficients.
 */
static void functional(const ax_logit *l, int m, int c, int j, double *a)
{
    const ax_design *d = &l->design;

    memset(a, 0, sizeof(double) * (size_t) m * (size_t) l->q);
    for (int other = 0; other < m; other++) {
        double part = (other == c ? 1.0 : 0.0) - (l->k > 1 ? 1.0 / l->k : 0.0);
        double *to = a + (size_t) other * (size_t) l->q;

        if (j < d->p)
            to[j] = part * d->inverse[j];
        for (int i = 0; j == d->p && i < d->p; i++)
            to[i] = -part * d->mean[i] * d->inverse[i];
        if (j == d->p)
            to[j] = part;
    }
}

/* With the factor of the information in h; open has NaN for what cannot be estimated. */
static ax_status variances(ax_logit *l, const double *h, int m, double *a, const double *open, ax_linear_fit *f,
                           ax_error *err)
{
    int n = m * l->q;

    for (int c = 0; c < l->k; c++) {
        for (int j = 0; j <= f->p; j++) {
            double length;

            if (isnan(open[j]))
                continue;
            functional(l, m, c, j, a);
            cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, n, h, n, a, 1);
            length = cblas_dnrm2(n, a, 1);
            ax_linear_set_error(f, c, j, length * length / l->design.weight, INFINITY);
            if (!ax_may_continue(&l->design.arena.env))
                return ax_cancelled(err);
        }
    }
    return AX_OK;
}

static ax_status set_errors(ax_logit *l, ax_factor *factor, ax_linear_fit *f, ax_error *err)
{
    int m = AX_MAX(1, l->k - 1);
    size_t n = (size_t) m * (size_t) l->q;
    ax_arena *arena = &l->design.arena;
    bool definite;
    double *h, *a, *open;

    if (l->penalized || !l->converged || l->k * l->q > AX_LOGIT_NEWTON_MAX)
        return AX_OK;
    h = ax_arena_array(arena, n * n, sizeof(double));
    a = ax_arena_array(arena, n, sizeof(double));
    open = ax_arena_array(arena, (size_t) l->q, sizeof(double));
    if (h == NULL || a == NULL || open == NULL)
        return ax_nomem(err);
    AX_TRY(ax_factor_inverse_diagonal(factor, &l->design, open, err));
    AX_TRY(ax_logit_hessian(l, l->u, 0, m, h, err));
    for (size_t i = 0; i < n; i++)
        h[i * n + i] = h[i * n + i] > 0 ? h[i * n + i] : 1;
    AX_TRY(ax_cholesky(&arena->env, (int) n, h, (int) n, &definite, err));
    return definite ? variances(l, h, m, a, open, f, err) : AX_OK;
}

/* ---- the fit --------------------------------------------------------------------------------- */

/* Without a penalty: leaves dependent columns out. */
static ax_status drop_dependent(ax_logit *l, ax_factor *factor, ax_error *err)
{
    AX_TRY(ax_factor_open(&l->design, 0, NULL, factor, err));
    AX_TRY(ax_factor_reveal(factor, err));
    for (int k = factor->rank; k < factor->p; k++)
        l->design.inverse[factor->order[k]] = 0;
    return AX_OK;
}

static ax_status fit(ax_logit *l, ax_factor *factor, ax_linear_fit *f, ax_error *err)
{
    AX_TRY(ax_logit_open(l, err));
    set_penalty(l);
    if (!l->penalized)
        AX_TRY(drop_dependent(l, factor, err));
    AX_TRY(solve(l, err));
    AX_TRY(set_coefficients(l, factor, f, err));
    return set_errors(l, factor, f, err);
}

ax_status ax_linear_logistic(const ax_env *env, const ax_linear_rows *rows, const ax_linear_params *params,
                             ax_pool *pool, ax_linear_fit **out, ax_error *err)
{
    ax_logit l = {.params = params, .k = params->n_classes > 2 ? params->n_classes : 1, .q = rows->p + 1};
    ax_factor factor = {0};
    ax_linear_fit *f = NULL;
    ax_status status;

    AX_TRY(check_params(rows, params, err));
    status = ax_design_open(env, rows, params->fit_intercept, &l.design, err);
    if (status == AX_OK)
        status = ax_linear_new_fit(env, rows->p, l.k, &f, err);
    if (status == AX_OK)
        status = fit(&l, &factor, f, err);
    ax_factor_close(&factor);
    ax_design_close(&l.design);
    if (status != AX_OK) {
        ax_linear_free(f);
        return status;
    }
    *out = f;
    return AX_OK;
}
