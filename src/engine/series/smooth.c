/*
 * smooth.c: fits exponential smoothing to a series: a first guess of the states, the search, and the states at the end.
 */
#include "series/smooth.h"

static ax_status check(const double *y, int64_t n, const ax_smooth_form *f, ax_error *err)
{
    if (f->seasonal && (f->period < 2 || f->period > AX_SMOOTH_MAX_PERIOD))
        return ax_fail(err, AX_ERR_INVALID, "a season cannot have %d steps", f->period);
    if (f->damped && !f->trend)
        return ax_fail(err, AX_ERR_INVALID, "only a trend can be damped");
    if (n < (f->trend ? 4 : 3) || (f->seasonal && n / 2 < f->period))
        return ax_fail(err, AX_ERR_INVALID, "a series of %lld rows is too short for exponential smoothing",
                       (long long) n);
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(y[i]))
            return ax_fail(err, AX_ERR_NUMERIC, "row %lld of the series is not a finite number", (long long) i + 1);
        if (ax_smooth_multiplies(f) && !(y[i] > 0))
            return ax_fail(err, AX_ERR_INVALID, "a multiplicative trend or season needs values above zero");
    }
    return AX_OK;
}

/* A line through the means of the first and the last of a few periods, and what each place of a period is beside it. */
static void guess(ax_smooth_search *s)
{
    const ax_smooth_form *f = &s->form;
    int m = f->seasonal ? s->period : (int) AX_MIN(s->n / 2, 5), turns = (int) AX_MIN(s->n / m, 5);
    double first = 0, last = 0, slope, level;

    for (int i = 0; i < m; i++) {
        first += s->z[i] / m;
        last += s->z[(turns - 1) * m + i] / m;
    }
    slope = f->trend ? (last - first) / ((turns - 1) * m) : 0;
    level = first - slope * (m + 1) / 2;
    if (ax_smooth_multiplies(f) && level < 1e-3)
        level = first, slope = 0;
    s->point[4] = level;
    s->point[5] = f->trend == AX_SMOOTH_MUL ? fmin(fmax(1 + slope / level, 0.5), 2) : slope;
    for (int i = 0; f->seasonal && i < m; i++) {
        double sum = 0;

        for (int k = 0; k < turns; k++) {
            double line = level + slope * (k * m + i + 1), z = s->z[k * m + i];

            sum += f->seasonal == AX_SMOOTH_MUL ? z / fmax(line, 1e-3) : z - line;
        }
        s->point[AX_SMOOTH_POINT + i] = sum / turns;
    }
}

/* Takes the states over the whole series. */
static void run_over(ax_smooth *m, const double *y, int64_t n)
{
    ax_smooth_weights w = {m->alpha, m->beta, m->gamma, m->phi};
    double none = 0;

    m->now_level = m->level;
    m->now_trend = m->trend;
    for (int i = 0; m->form.seasonal && i < m->form.period; i++)
        m->now_season[i] = m->season[i];
    m->sse = 0;
    for (int64_t t = 0; t < n; t++) {
        double *slot = m->form.seasonal ? &m->now_season[t % m->form.period] : &none;
        double e = ax_smooth_step(&m->form, &w, y[t], &m->now_level, &m->now_trend, slot);

        m->sse += e * e;
    }
    m->n = n;
}

static void rate(ax_smooth *m, double scale)
{
    double n = (double) m->n, least = n * 1e-24 * scale * scale;
    int k = 2 + (m->form.seasonal ? m->form.period : 0) + (m->form.trend ? 2 : 0) + m->form.damped;

    m->aic = n * log(fmax(m->sse, least) / n) + 2 * k;
    m->aicc = n - k - 3 > 0 ? m->aic + 2.0 * (k + 2) * (k + 3) / (n - k - 3) : INFINITY;
    m->sigma = sqrt(m->sse / (m->n > k ? n - k : n));
}

static ax_status finish(const ax_smooth_search *s, const double *y, double scale, ax_smooth *m, ax_error *err)
{
    size_t places = s->form.seasonal ? (size_t) s->period : 0;
    ax_smooth_weights w = ax_smooth_weights_of(&s->form, s->point);
    double *season = ax_arena_array(&m->arena, places + 1, sizeof(double));

    m->now_season = ax_arena_array(&m->arena, places + 1, sizeof(double));
    if (season == NULL || m->now_season == NULL)
        return ax_nomem(err);
    m->form = s->form;
    m->alpha = w.alpha, m->beta = w.beta, m->gamma = w.gamma, m->phi = w.phi;
    m->level = s->point[4] * scale;
    m->trend = s->form.trend == AX_SMOOTH_MUL ? s->point[5] : s->point[5] * scale;
    for (size_t i = 0; i < places; i++)
        season[i] = s->point[AX_SMOOTH_POINT + i] * (s->form.seasonal == AX_SMOOTH_MUL ? 1 : scale);
    m->season = season;
    run_over(m, y, s->n);
    rate(m, scale);
    return AX_OK;
}

static ax_status fit(ax_smooth_search *s, const double *y, ax_smooth *m, ax_error *err)
{
    double scale = 0, *z = ax_arena_array(&s->arena, (size_t) s->n, sizeof(double));

    s->point = ax_arena_array(&s->arena, (size_t) (AX_SMOOTH_POINT + s->period), sizeof(double));
    if (z == NULL || s->point == NULL)
        return ax_nomem(err);
    for (int64_t i = 0; i < s->n; i++)
        scale += fabs(y[i]) / (double) s->n;
    scale = scale > 0 && isfinite(scale) ? scale : 1;
    for (int64_t i = 0; i < s->n; i++)
        z[i] = y[i] / scale;
    s->z = z;
    guess(s);
    AX_TRY(ax_smooth_search_run(s, err));
    return finish(s, y, scale, m, err);
}

ax_status ax_smooth_fit(const ax_env *env, const double *y, int64_t n, const ax_smooth_form *form, ax_smooth **out,
                        ax_error *err)
{
    ax_smooth_search s = {.form = *form, .n = n, .period = form->seasonal ? form->period : 1};
    int64_t most = AX_MAX(AX_SMOOTH_ROWS, 4 * (int64_t) s.period);
    ax_status status;
    ax_smooth *m;

    AX_TRY(check(y, n, form, err));
    s.n = AX_MIN(n, most);
    m = ax_zalloc(env, sizeof(*m));
    if (m == NULL)
        return ax_nomem(err);
    ax_arena_init(&m->arena, env);
    ax_arena_init(&s.arena, env);
    status = fit(&s, y + (n - s.n), m, err);
    ax_arena_free(&s.arena);
    if (status == AX_OK)
        *out = m;
    else
        ax_smooth_free(m);
    return status;
}

ax_status ax_smooth_forecast(const ax_smooth *m, int h, double *value, ax_error *err)
{
    double level = m->now_level, trend = m->now_trend;

    if (h < 1 || h > AX_SMOOTH_MAX_HORIZON)
        return ax_fail(err, AX_ERR_INVALID, "a horizon of %d steps is out of range", h);
    for (int i = 0; i < h; i++) {
        double ahead = ax_smooth_ahead(&m->form, m->phi, level, trend);
        double season = m->form.seasonal ? m->now_season[(m->n + i) % m->form.period] : 0;

        if (m->form.trend == AX_SMOOTH_ADD)
            trend *= m->phi;
        else if (m->form.trend == AX_SMOOTH_MUL)
            trend = ahead / level;
        level = ahead;
        value[i] = ax_smooth_with_season(&m->form, ahead, season);
    }
    return AX_OK;
}

void ax_smooth_free(ax_smooth *m)
{
    ax_env env;

    if (m == NULL)
        return;
    env = m->arena.env;
    ax_arena_free(&m->arena);
    ax_free(&env, m);
}

ax_status ax_smooth_spread(const ax_smooth *m, int h, double *sd, ax_error *err)
{
    double sum = 1, damp = 1, reach = 0;

    if (h < 1 || h > AX_SMOOTH_MAX_HORIZON)
        return ax_fail(err, AX_ERR_INVALID, "a horizon of %d steps is out of range", h);
    if (ax_smooth_multiplies(&m->form))
        return ax_fail(err, AX_ERR_UNSUPPORTED, "a multiplicative trend or season has no formula for its intervals");
    for (int j = 1; j <= h; j++) {
        double c;

        sd[j - 1] = m->sigma * sqrt(sum);
        damp *= m->phi;
        reach += damp;
        c = m->alpha + m->alpha * m->beta * reach;
        if (m->form.seasonal && j % m->form.period == 0)
            c += m->gamma;
        sum += c * c;
    }
    return AX_OK;
}

/* A form that the values or the number of rows forbid is passed over. */
static ax_status try_form(const ax_env *env, const double *y, int64_t n, const ax_smooth_form *f, ax_smooth **best,
                          ax_error *err)
{
    ax_smooth *m = NULL;
    ax_status status = ax_smooth_fit(env, y, n, f, &m, err);

    if (status == AX_ERR_NOMEM || status == AX_ERR_CANCELLED)
        return status;
    if (m == NULL)
        return AX_OK;
    if (*best == NULL || m->aicc < (*best)->aicc) {
        ax_smooth_free(*best);
        *best = m;
    } else {
        ax_smooth_free(m);
    }
    return AX_OK;
}

ax_status ax_smooth_choose(const ax_env *env, const double *y, int64_t n, int period, ax_smooth **out, ax_error *err)
{
    ax_smooth_form plain = {.period = 1};
    ax_smooth *best = NULL;
    ax_status status = check(y, n, &plain, err);

    for (int i = 0; i < 9 && status == AX_OK; i++) {
        ax_smooth_form f = {i % 3 > 0 ? AX_SMOOTH_ADD : AX_SMOOTH_NONE, (ax_smooth_kind) (i / 3), i % 3 == 2, period};

        if (f.seasonal == AX_SMOOTH_NONE || period > 1)
            status = try_form(env, y, n, &f, &best, err);
    }
    if (status == AX_OK && best == NULL)
        status = ax_fail(err, AX_ERR_NUMERIC, "exponential smoothing does not fit this series");
    if (status == AX_OK)
        *out = best;
    else
        ax_smooth_free(best);
    return status;
}
