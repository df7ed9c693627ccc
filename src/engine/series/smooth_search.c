/*
 * smooth_search.c: the least squares of exponential smoothing.
 *
 * A coarse grid over the smoothing weights with the first guess of the states gives a few starts. From each of them
 * Levenberg's and Marquardt's method goes down: the errors are a smooth function of weights and states, linear in the
 * states of an additive form, so few steps suffice where a search without derivatives gets lost among the seasons. The
 * derivatives are differences: one copy of the states per unknown walks along the series, all copies side by side, and
 * J'J and J'e are summed on the way; no error is kept. Bounds: an unknown that stands at one and wants out is held for
 * the step, and what oversteps is put back.
 */
#include "series/smooth.h"

#include <float.h>

#define STARTS 3
#define STEPS 60
#define POLL 256 /* rows between two questions to the env, of all copies */
#define DELTA 1e-7

typedef struct descent {
    ax_smooth_search *search;
    int u;             /* unknowns */
    int *at;           /* (u) where in the point */
    double *point;     /* (points) where it stands */
    double *trial;     /* (points) */
    double *copy;      /* (points, u + 1) a point per copy, by coordinate */
    double *delta;     /* (u) */
    double *jacobian;  /* (u) of one row */
    double *hessian;   /* (u, u) J'J */
    double *gradient;  /* (u) J'e */
    double *factor;    /* (u, u) */
    double *move;      /* (u) */
    bool *held;        /* (u) */
    double *season;    /* (period) for one walk */
    ax_smooth_weights *weights; /* (u + 1) */
} descent;

ax_smooth_weights ax_smooth_weights_of(const ax_smooth_form *f, const double *point)
{
    ax_smooth_weights w = {.alpha = point[0], .phi = 1};

    if (f->trend)
        w.beta = point[1] * point[0];
    if (f->seasonal)
        w.gamma = point[2] * (1 - point[0]);
    if (f->damped)
        w.phi = point[3];
    return w;
}

static bool is_unknown(const ax_smooth_form *f, int i)
{
    if (i == 1 || i == 5)
        return f->trend != AX_SMOOTH_NONE;
    if (i == 2)
        return f->seasonal != AX_SMOOTH_NONE;
    if (i == 3)
        return f->damped;
    if (i >= AX_SMOOTH_POINT)
        return f->seasonal != AX_SMOOTH_NONE && f->period <= AX_SMOOTH_MAX_SEASON;
    return true;
}

int ax_smooth_unknowns(const ax_smooth_form *f)
{
    int u = 0, last = AX_SMOOTH_POINT + (f->seasonal && f->period <= AX_SMOOTH_MAX_SEASON ? f->period : 0);

    for (int i = 0; i < last; i++)
        u += is_unknown(f, i);
    return u;
}

static double low(const ax_smooth_form *f, int i)
{
    if (i < 3)
        return 0;
    if (i == 3)
        return 0.8;
    if (i == 5)
        return f->trend == AX_SMOOTH_MUL ? 0.1 : -DBL_MAX;
    if (i == 4)
        return ax_smooth_multiplies(f) ? 1e-6 : -DBL_MAX;
    return f->seasonal == AX_SMOOTH_MUL ? 1e-6 : -DBL_MAX;
}

static double high(const ax_smooth_form *f, int i)
{
    if (i < 3)
        return 1;
    if (i == 3)
        return 0.995;
    return i == 5 && f->trend == AX_SMOOTH_MUL ? 10 : DBL_MAX;
}

/* Infinite where the forecasts run away. */
static ax_status sum_squares(descent *d, const double *point, double *sse, ax_error *err)
{
    const ax_smooth_search *s = d->search;
    ax_smooth_weights w = ax_smooth_weights_of(&s->form, point);
    double level = point[4], trend = point[5], sum = 0;
    int slot = 0;

    memcpy(d->season, point + AX_SMOOTH_POINT, sizeof(double) * (size_t) s->period);
    for (int64_t t = 0; t < s->n; t++) {
        double e = ax_smooth_step(&s->form, &w, s->z[t], &level, &trend, &d->season[slot]);

        sum += e * e;
        slot = slot + 1 < s->period ? slot + 1 : 0;
        if (t % (64 * POLL) == 0 && !ax_may_continue(&s->arena.env))
            return ax_cancelled(err);
    }
    *sse = isfinite(sum) ? sum : INFINITY;
    return AX_OK;
}

/* ---- derivatives ----------------------------------------------------------------------------- */

/* Copy 0 is the point, copy j + 1 has unknown j moved by delta[j], inwards at an upper bound. */
static void spread(descent *d)
{
    const ax_smooth_search *s = d->search;
    int points = AX_SMOOTH_POINT + s->period, copies = d->u + 1;

    for (int j = 0; j < copies; j++) {
        memcpy(d->trial, d->point, sizeof(double) * (size_t) points);
        if (j > 0) {
            int i = d->at[j - 1];
            double step = DELTA * fmax(1, fabs(d->point[i]));

            step = d->point[i] + step > high(&s->form, i) ? -step : step;
            d->trial[i] = d->point[i] + step;
            d->delta[j - 1] = d->trial[i] - d->point[i];
        }
        d->weights[j] = ax_smooth_weights_of(&s->form, d->trial);
        for (int i = 0; i < points; i++)
            d->copy[(size_t) i * (size_t) copies + (size_t) j] = d->trial[i];
    }
}

static void add_row(descent *d, double e)
{
    for (int a = 0; a < d->u; a++) {
        double ja = d->jacobian[a], *row = d->hessian + (size_t) a * (size_t) d->u;

        d->gradient[a] += ja * e;
        for (int b = 0; b <= a; b++)
            row[b] += ja * d->jacobian[b];
    }
}

static ax_status derive(descent *d, ax_error *err)
{
    const ax_smooth_search *s = d->search;
    size_t copies = (size_t) d->u + 1;
    double *level = d->copy + 4 * copies, *trend = d->copy + 5 * copies, *season = d->copy + AX_SMOOTH_POINT * copies;
    int slot = 0;

    spread(d);
    memset(d->hessian, 0, sizeof(double) * (size_t) d->u * (size_t) d->u);
    memset(d->gradient, 0, sizeof(double) * (size_t) d->u);
    for (int64_t t = 0; t < s->n; t++) {
        double *now = season + (size_t) slot * copies;
        double e = ax_smooth_step(&s->form, &d->weights[0], s->z[t], &level[0], &trend[0], &now[0]);

        for (int j = 0; j < d->u; j++) {
            double moved = ax_smooth_step(&s->form, &d->weights[j + 1], s->z[t], &level[j + 1], &trend[j + 1],
                                          &now[j + 1]);

            d->jacobian[j] = (moved - e) / d->delta[j];
        }
        add_row(d, e);
        slot = slot + 1 < s->period ? slot + 1 : 0;
        if (t % POLL == 0 && !ax_may_continue(&s->arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

/* ---- one step -------------------------------------------------------------------------------- */

static void hold_bounds(descent *d)
{
    const ax_smooth_form *f = &d->search->form;

    for (int j = 0; j < d->u; j++) {
        double x = d->point[d->at[j]];

        d->held[j] = (x <= low(f, d->at[j]) && d->gradient[j] > 0) || (x >= high(f, d->at[j]) && d->gradient[j] < 0);
    }
}

/* Cholesky of J'J with its diagonal raised by lambda; held unknowns are cut out. False: not positive. */
static bool factorize(descent *d, double lambda)
{
    int u = d->u;
    double most = 0;

    for (int a = 0; a < u; a++)
        most = fmax(most, d->hessian[a * u + a]);
    for (int a = 0; a < u; a++) {
        for (int b = 0; b <= a; b++) {
            double v = d->held[a] || d->held[b] ? 0 : d->hessian[a * u + b];

            if (a == b)
                v = d->held[a] ? 1 : v + lambda * (v + 1e-8 * most) + DBL_MIN;
            for (int k = 0; k < b; k++)
                v -= d->factor[a * u + k] * d->factor[b * u + k];
            if (a == b && !(v > 0))
                return false;
            d->factor[a * u + b] = a == b ? sqrt(v) : v / d->factor[b * u + b];
        }
    }
    return true;
}

static void solve(descent *d)
{
    int u = d->u;

    for (int a = 0; a < u; a++) {
        double v = d->held[a] ? 0 : -d->gradient[a];

        for (int k = 0; k < a; k++)
            v -= d->factor[a * u + k] * d->move[k];
        d->move[a] = v / d->factor[a * u + a];
    }
    for (int a = u - 1; a >= 0; a--) {
        double v = d->move[a];

        for (int k = a + 1; k < u; k++)
            v -= d->factor[k * u + a] * d->move[k];
        d->move[a] = v / d->factor[a * u + a];
    }
}

static void make_trial(descent *d)
{
    const ax_smooth_search *s = d->search;

    memcpy(d->trial, d->point, sizeof(double) * (size_t) (AX_SMOOTH_POINT + s->period));
    for (int j = 0; j < d->u; j++) {
        int i = d->at[j];

        d->trial[i] = fmin(fmax(d->point[i] + d->move[j], low(&s->form, i)), high(&s->form, i));
    }
}

/* From d->point with that sum of squares down to a minimum nearby. */
static ax_status descend(descent *d, double *sse, ax_error *err)
{
    double lambda = 1e-3;
    size_t bytes = sizeof(double) * (size_t) (AX_SMOOTH_POINT + d->search->period);

    for (int step = 0; step < STEPS && *sse > 0; step++) {
        double before = *sse, got = INFINITY;

        AX_TRY(derive(d, err));
        hold_bounds(d);
        while (got >= before && lambda < 1e12) {
            got = INFINITY;
            if (factorize(d, lambda)) {
                solve(d);
                make_trial(d);
                AX_TRY(sum_squares(d, d->trial, &got, err));
            }
            lambda = got < before ? fmax(lambda / 8, 1e-12) : lambda * 4;
        }
        if (!(got < before))
            break;
        memcpy(d->point, d->trial, bytes);
        *sse = got;
        if (before - got <= 1e-9 * before)
            break;
    }
    return AX_OK;
}

/* ---- starts ---------------------------------------------------------------------------------- */

typedef struct start {
    double weight[4], sse;
} start;

static void put_start(start *best, const start *s)
{
    int i = STARTS;

    for (; i > 0 && s->sse < best[i - 1].sse; i--) {
        if (i < STARTS)
            best[i] = best[i - 1];
    }
    if (i < STARTS)
        best[i] = *s;
}

static ax_status find_starts(descent *d, start *best, ax_error *err)
{
    static const double alpha[] = {0.05, 0.3, 0.6, 0.95}, share[] = {0.05, 0.5};
    const ax_smooth_form *f = &d->search->form;

    for (int i = 0; i < STARTS; i++)
        best[i].sse = INFINITY;
    for (int i = 0; i < 16; i++) {
        start s = {.weight = {alpha[i / 4], share[i / 2 % 2], share[i % 2], 0.98}};

        if ((!f->trend && i / 2 % 2 > 0) || (!f->seasonal && i % 2 > 0))
            continue;
        memcpy(d->trial, d->search->point, sizeof(double) * (size_t) (AX_SMOOTH_POINT + d->search->period));
        memcpy(d->trial, s.weight, sizeof(s.weight));
        AX_TRY(sum_squares(d, d->trial, &s.sse, err));
        put_start(best, &s);
    }
    return AX_OK;
}

static ax_status make_descent(descent *d, ax_smooth_search *s, ax_error *err)
{
    ax_arena *a = &s->arena;
    size_t points = (size_t) (AX_SMOOTH_POINT + s->period), u = (size_t) ax_smooth_unknowns(&s->form);

    *d = (descent){.search = s, .u = (int) u};
    if ((d->at = ax_arena_array(a, u, sizeof(int))) == NULL ||
        (d->point = ax_arena_array(a, points, sizeof(double))) == NULL ||
        (d->trial = ax_arena_array(a, points, sizeof(double))) == NULL ||
        (d->copy = ax_arena_array(a, points * (u + 1), sizeof(double))) == NULL ||
        (d->delta = ax_arena_array(a, u, sizeof(double))) == NULL ||
        (d->jacobian = ax_arena_array(a, u, sizeof(double))) == NULL ||
        (d->hessian = ax_arena_array(a, u * u, sizeof(double))) == NULL ||
        (d->gradient = ax_arena_array(a, u, sizeof(double))) == NULL ||
        (d->factor = ax_arena_array(a, u * u, sizeof(double))) == NULL ||
        (d->move = ax_arena_array(a, u, sizeof(double))) == NULL ||
        (d->held = ax_arena_array(a, u, sizeof(bool))) == NULL ||
        (d->season = ax_arena_array(a, (size_t) s->period, sizeof(double))) == NULL ||
        (d->weights = ax_arena_array(a, u + 1, sizeof(ax_smooth_weights))) == NULL)
        return ax_nomem(err);
    for (int i = 0, j = 0; j < d->u; i++) {
        if (is_unknown(&s->form, i))
            d->at[j++] = i;
    }
    return AX_OK;
}

ax_status ax_smooth_search_run(ax_smooth_search *s, ax_error *err)
{
    size_t bytes = sizeof(double) * (size_t) (AX_SMOOTH_POINT + s->period);
    double *first = ax_arena_alloc(&s->arena, bytes);
    start best[STARTS];
    descent d;

    if (first == NULL)
        return ax_nomem(err);
    AX_TRY(make_descent(&d, s, err));
    memcpy(first, s->point, bytes);
    AX_TRY(find_starts(&d, best, err));
    s->sse = INFINITY;
    for (int i = 0; i < STARTS && isfinite(best[i].sse); i++) {
        double sse = best[i].sse;

        memcpy(d.point, first, bytes);
        memcpy(d.point, best[i].weight, sizeof(best[i].weight));
        AX_TRY(descend(&d, &sse, err));
        if (sse < s->sse) {
            s->sse = sse;
            memcpy(s->point, d.point, bytes);
        }
    }
    if (!isfinite(s->sse))
        return ax_fail(err, AX_ERR_NUMERIC, "exponential smoothing does not fit this series");
    return AX_OK;
}
