/*
 * test_series.c: exponential smoothing, against statsmodels 0.13's ExponentialSmoothing(y, trend="add", seasonal="mul",
 * seasonal_periods=12).fit() on the airline passengers of 1949 to 1958 and 7 months.
 */
#include "unit.h"

#include <math.h>

#include "series/figures.h"
#include "series/series.h"

static const double air[144] = {
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118,
    115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114, 140,
    145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166,
    171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194,
    196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201,
    204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229,
    242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278,
    284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306,
    315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336,
    340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337,
    360, 342, 406, 396, 420, 472, 548, 559, 463, 407, 362, 405,
    417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432,
};

static void test_air(void)
{
    ax_smooth_form form = {AX_SMOOTH_ADD, AX_SMOOTH_MUL, false, 12};
    ax_smooth *m = NULL;
    double value[29], sum = 0;
    ax_error err;

    if (!unit_status(ax_smooth_fit(unit_env(), air, 115, &form, &m, &err), AX_OK, &err, "passengers are fitted"))
        return;
    unit_check(m->sse <= 6085.05 * 1.001, "the errors' squares are 6085.05 or less, got %.2f", m->sse);
    unit_status(ax_smooth_forecast(m, 29, value, &err), AX_OK, &err, "and forecast");
    for (int i = 0; i < 29; i++)
        sum += pow(value[i] - air[115 + i], 2) / 29;
    unit_check(sqrt(sum) <= 26.0411 * 1.05, "with statsmodels' error of 26.04 at most 5%% more, got %.3f", sqrt(sum));
    ax_smooth_free(m);
}

static void test_edges(void)
{
    ax_smooth_form form = {AX_SMOOTH_ADD, AX_SMOOTH_MUL, false, 12}, plain = {.period = 0};
    double flat[20], bad[5] = {1, 2, NAN, 3, 4}, value[3];
    ax_smooth *m = NULL;
    ax_error err;

    unit_status(ax_smooth_fit(unit_env(), air, 23, &form, &m, &err), AX_ERR_INVALID, NULL, "less than two periods");
    unit_status(ax_smooth_fit(unit_env(), bad, 5, &plain, &m, &err), AX_ERR_NUMERIC, NULL, "NaN");
    for (int i = 0; i < 20; i++)
        flat[i] = 7;
    unit_status(ax_smooth_fit(unit_env(), flat, 20, &plain, &m, &err), AX_OK, &err, "a constant series");
    unit_status(ax_smooth_forecast(m, 3, value, &err), AX_OK, &err, "is forecast");
    unit_near(value[2], 7, 1e-9, "as the constant");
    ax_smooth_free(m);
}

static void test_sweeps(void)
{
    ax_smooth_form form = {AX_SMOOTH_ADD, AX_SMOOTH_MUL, false, 12};
    size_t before = unit_live_bytes();
    ax_smooth *m = NULL;
    ax_error err;
    int bad = 0;

    for (long n = 1;; n++) {
        ax_status status = ax_smooth_fit(unit_env_fail_at(n), air, 115, &form, &m, &err);

        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    ax_smooth_free(m);
    unit_check(bad == 0, "every failed allocation is an error without a leak");
    unit_status(ax_smooth_fit(unit_env_cancel_at(5), air, 115, &form, &m, &err), AX_ERR_CANCELLED, NULL, "cancelled");
}

static void test_baselines(void)
{
    static const double y[4] = {1, 2, 3, 7}, want[4][3] = {{7, 7, 7}, {3, 7, 3}, {9, 11, 13}, {3.25, 3.25, 3.25}};
    double value[3];
    ax_error err;

    for (int b = 0; b < 4; b++) {
        unit_status(ax_baseline_forecast(y, 4, (ax_baseline) b, 2, 3, value, &err), AX_OK, &err, "baseline %d", b);
        unit_same(value, want[b], sizeof(value), "forecasts what it should");
    }
    unit_status(ax_baseline_forecast(y, 4, AX_BASELINE_SEASONAL_NAIVE, 5, 3, value, &err), AX_ERR_INVALID, NULL,
                "a period longer than the series");
    unit_status(ax_baseline_forecast(y, 1, AX_BASELINE_DRIFT, 1, 3, value, &err), AX_ERR_INVALID, NULL, "one row");
}

static void test_figures(void)
{
    static const double a[4] = {1, 2, 0, NAN}, f[4] = {2, 2, 0, 1}, low[4] = {1.5, 1, -1, 0}, up[4] = {3, 3, 1, 2};
    ax_series_figures g;

    ax_series_score(a, f, low, up, 4, 0.8, ax_series_scale(a, 3, 1), &g);
    unit_is_int(g.n, 3, "a missing value is left out");
    unit_near(g.mae, 1.0 / 3, 1e-12, "mae");
    unit_near(g.rmse, sqrt(1.0 / 3), 1e-12, "rmse");
    unit_near(g.smape, 200.0 / 9, 1e-12, "smape");
    unit_near(g.mase, 1.0 / 4.5, 1e-12, "mase");
    unit_near(g.coverage, 2.0 / 3, 1e-12, "coverage");
    unit_near(g.pinball, ((0.9 * 0.5 + 0.1 + 0.1) / 3 + (0.1 * 2 + 0.1 + 0.1) / 3) / 2, 1e-12, "pinball");
    unit_near(ax_series_scale(a, 3, 2), 1, 1e-12, "the scale of a season");
    unit_check(isnan(ax_series_scale(a, 3, 3)), "none for a period as long as the series");
}

static void test_windows(void)
{
    static const float x[12] = {0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51}, want[4] = {20, 21, 30, 31},
                       next[2] = {41, 51};
    ax_windows w = {x, 6, 2, 1, 2, 2, 2};
    float in[4], out[2];

    unit_is_int(ax_windows_count(&w), 2, "two windows");
    ax_windows_copy(&w, 1, in, out);
    unit_same(in, want, sizeof(in), "the second one's rows");
    unit_same(out, next, sizeof(out), "and targets");
    w.window = 5;
    unit_is_int(ax_windows_count(&w), 0, "too long a window");
    w.horizon = INT64_MAX;
    unit_is_int(ax_windows_count(&w), 0, "an absurd horizon");
}

static void test_choice(void)
{
    static double noise[1000000];
    ax_smooth *m = NULL;
    double sd[20];
    ax_error err;

    if (!unit_status(ax_smooth_choose(unit_env(), air, 115, 12, &m, &err), AX_OK, &err, "a form is chosen"))
        return;
    unit_check(m->form.seasonal == AX_SMOOTH_MUL && m->form.trend == AX_SMOOTH_ADD, "passengers multiply");
    unit_status(ax_smooth_spread(m, 20, sd, &err), AX_ERR_UNSUPPORTED, NULL, "no formula for that");
    ax_smooth_free(m);
    m = NULL;
    for (int i = 0; i < AX_COUNT(noise); i++)
        noise[i] = 5 + (double) unit_normal();
    if (!unit_status(ax_smooth_choose(unit_env(), noise, AX_COUNT(noise), 1, &m, &err), AX_OK, &err, "a million rows"))
        return;
    unit_check(m->form.trend == AX_SMOOTH_NONE && m->alpha < 0.05, "noise has no trend");
    unit_status(ax_smooth_spread(m, 20, sd, &err), AX_OK, &err, "its errors");
    unit_near(sd[0], 1, 0.03, "have their deviation");
    unit_near(sd[19], m->sigma * sqrt(1 + 19 * m->alpha * m->alpha), 1e-9, "and spread by the formula");
    ax_smooth_free(m);
}

int main(void)
{
    test_choice();
    test_baselines();
    test_figures();
    test_windows();
    test_air();
    test_edges();
    test_sweeps();
    return unit_done();
}
