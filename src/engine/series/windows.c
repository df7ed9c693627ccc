/*
 * windows.c: pieces of a series, and the forecasts that need no model.
 */
#include "series/figures.h"

int64_t ax_windows_count(const ax_windows *w)
{
    if (w->window < 1 || w->horizon < 0 || w->stride < 1 || w->channels < 1 || w->target < 0 ||
        w->target >= w->channels || w->window > w->n || w->horizon > w->n - w->window)
        return 0;
    return (w->n - w->window - w->horizon) / w->stride + 1;
}

void ax_windows_copy(const ax_windows *w, int64_t i, float *x, float *y)
{
    const float *from = w->x + i * w->stride * w->channels;

    if (x != NULL)
        memcpy(x, from, sizeof(float) * (size_t) w->window * (size_t) w->channels);
    for (int64_t k = 0; y != NULL && k < w->horizon; k++)
        y[k] = from[(w->window + k) * w->channels + w->target];
}

static double mean(const double *y, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += y[i];
    return sum / (double) n;
}

ax_status ax_baseline_forecast(const double *y, int64_t n, ax_baseline b, int period, int h, double *value,
                               ax_error *err)
{
    int64_t back = b == AX_BASELINE_SEASONAL_NAIVE ? period : 1;
    double slope = b == AX_BASELINE_DRIFT && n > 1 ? (y[n - 1] - y[0]) / (double) (n - 1) : 0;

    if (back < 1 || h < 1)
        return ax_fail(err, AX_ERR_INVALID, "period and horizon of a baseline must be at least 1");
    if (n < back || (b == AX_BASELINE_DRIFT && n < 2))
        return ax_fail(err, AX_ERR_INVALID, "a series of %lld rows is too short for the baseline", (long long) n);
    for (int i = 0; i < h; i++) {
        value[i] = y[n - back + i % back];
        if (b == AX_BASELINE_MEAN)
            value[i] = i > 0 ? value[0] : mean(y, n);
        else if (b == AX_BASELINE_DRIFT)
            value[i] += slope * (i + 1);
    }
    return AX_OK;
}
