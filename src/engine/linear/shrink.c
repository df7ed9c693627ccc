/*
 * shrink.c: coordinate descent (Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models
 * via coordinate descent", 2010), with jumps.
 *
 * Descent finds soon which coordinates are not zero, and then takes long to agree on their values when they are
 * correlated. So every few rounds it jumps: with the signs held, the best values are the solution of linear equations.
 * The jump ends where the first coordinate would change its sign, which becomes zero. A jump never makes the value
 * larger.
 */
#include "linear/shrink.h"
#include "linear/factor.h"

#include <cblas.h>
#include <math.h>

#define ROUNDS 4 /* of descent between two jumps */

static double toward_zero(double x, double by)
{
    return x > by ? x - by : x < -by ? x + by : 0;
}

/* Moves v[j] by step and the gradient along. */
static void move(ax_shrink *s, int j, double step)
{
    s->v[j] += step;
    cblas_daxpy(s->n, step, s->h + (size_t) j * (size_t) s->n, 1, s->g, 1);
}

/* The length of the step that was made. */
static double descend(ax_shrink *s, int j)
{
    double own = s->h[(size_t) j * (size_t) s->n + (size_t) j], old = s->v[j], best;

    if (own <= 0)
        return 0;
    best = toward_zero(own * old - s->g[j], s->l1[j]) / (own + s->l2[j]);
    if (best == old)
        return 0;
    move(s, j, best - old);
    s->v[j] = best; /* exactly, so that zero is zero */
    return fabs(best - old) * sqrt(own);
}

/* All coordinates, or those that are not zero; *longest is the longest step. */
static ax_status round_over(ax_shrink *s, bool all, double *longest, ax_error *err)
{
    int piece = 1 + 2000000 / s->n;

    *longest = 0;
    for (int j = 0; j < s->n; j++) {
        if (all || s->v[j] != 0)
            *longest = fmax(*longest, descend(s, j));
        if (j % piece == piece - 1 && !ax_may_continue(s->env))
            return ax_cancelled(err);
    }
    s->iterations++;
    return ax_may_continue(s->env) ? AX_OK : ax_cancelled(err);
}

/* ---- jumps ----------------------------------------------------------------------------------- */

static bool moves(const ax_shrink *s, int j)
{
    return (s->v[j] != 0 || s->l1[j] == 0) && s->h[(size_t) j * (size_t) s->n + (size_t) j] > 0;
}

/* The equations of the coordinates in list: matrix (count, count) by columns, and what is to be added in step. */
static void set_up(const ax_shrink *s, const int *list, int count, double *matrix, double *step)
{
    for (int a = 0; a < count; a++) {
        const double *column = s->h + (size_t) list[a] * (size_t) s->n;
        double *to = matrix + (size_t) a * (size_t) count, v = s->v[list[a]];

        for (int b = 0; b <= a; b++)
            to[b] = column[list[b]];
        to[a] += s->l2[list[a]] + 1e-12 * to[a];
        step[a] = -(s->g[list[a]] + s->l2[list[a]] * v + (v > 0 ? s->l1[list[a]] : v < 0 ? -s->l1[list[a]] : 0));
    }
}

static void leap(ax_shrink *s, const int *list, int count, const double *step)
{
    double share = 1;
    int first = -1;

    for (int a = 0; a < count; a++) {
        double v = s->v[list[a]];

        if (s->l1[list[a]] > 0 && v * (v + step[a]) <= 0 && -v / step[a] < share) {
            share = -v / step[a];
            first = a;
        }
    }
    for (int a = 0; a < count; a++)
        move(s, list[a], a == first ? -s->v[list[a]] : share * step[a]);
    if (first >= 0)
        s->v[list[first]] = 0;
}

static ax_status jump(ax_shrink *s, int *list, ax_error *err)
{
    int count = 0;
    double *matrix, *step;
    bool definite = false, finite = true;
    ax_status status;

    for (int j = 0; j < s->n; j++) {
        if (moves(s, j))
            list[count++] = j;
    }
    if (count == 0)
        return AX_OK;
    matrix = ax_alloc(s->env, sizeof(double) * (size_t) count * ((size_t) count + 1));
    if (matrix == NULL)
        return ax_nomem(err);
    step = matrix + (size_t) count * (size_t) count;
    set_up(s, list, count, matrix, step);
    status = ax_cholesky(s->env, count, matrix, count, &definite, err);
    if (status == AX_OK && definite) {
        ax_cholesky_solve(count, matrix, count, step);
        for (int a = 0; a < count; a++)
            finite = finite && isfinite(step[a]);
        if (finite)
            leap(s, list, count, step);
    }
    ax_free(s->env, matrix);
    return status;
}

static ax_status solve(ax_shrink *s, int *list, ax_error *err)
{
    double longest;

    while (s->iterations < s->max_iter) {
        AX_TRY(round_over(s, true, &longest, err));
        s->converged = longest <= s->tol;
        if (s->converged)
            return AX_OK;
        for (int i = 0; i < ROUNDS && longest > s->tol && s->iterations < s->max_iter; i++)
            AX_TRY(round_over(s, false, &longest, err));
        AX_TRY(jump(s, list, err));
    }
    return AX_OK;
}

ax_status ax_shrink_solve(ax_shrink *s, ax_error *err)
{
    int *list = ax_alloc(s->env, sizeof(int) * (size_t) s->n);
    ax_status status;

    if (list == NULL)
        return ax_nomem(err);
    s->iterations = 0;
    s->converged = false;
    status = solve(s, list, err);
    ax_free(s->env, list);
    return status;
}
