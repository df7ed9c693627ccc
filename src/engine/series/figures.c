/*
 * figures.c: how good a forecast was.
 */
#include "series/figures.h"

#include <math.h>

double ax_series_scale(const double *y, int64_t n, int period)
{
    int64_t back = AX_MAX(period, 1), pairs = 0;
    double sum = 0;

    for (int64_t i = back; i < n; i++) {
        if (isfinite(y[i]) && isfinite(y[i - back])) {
            sum += fabs(y[i] - y[i - back]);
            pairs++;
        }
    }
    return pairs > 0 ? sum / (double) pairs : NAN;
}

static double quantile_loss(double actual, double forecast, double q)
{
    double d = actual - forecast;

    return d >= 0 ? q * d : (q - 1) * d;
}

double ax_series_pinball(const double *actual, const double *forecast, int64_t n, double quantile)
{
    int64_t pairs = 0;
    double sum = 0;

    for (int64_t i = 0; i < n; i++) {
        if (isfinite(actual[i]) && isfinite(forecast[i])) {
            sum += quantile_loss(actual[i], forecast[i], quantile);
            pairs++;
        }
    }
    return pairs > 0 ? sum / (double) pairs : NAN;
}

/* Share within the bounds, and the mean loss of both as quantiles. */
static void score_bounds(const double *actual, const double *lower, const double *upper, int64_t n, double coverage,
                         ax_series_figures *out)
{
    int64_t pairs = 0, within = 0;

    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(actual[i]) || isnan(lower[i]) || isnan(upper[i]))
            continue;
        within += actual[i] >= lower[i] && actual[i] <= upper[i];
        pairs++;
    }
    out->coverage = pairs > 0 ? (double) within / (double) pairs : NAN;
    out->pinball = (ax_series_pinball(actual, lower, n, (1 - coverage) / 2) +
                    ax_series_pinball(actual, upper, n, (1 + coverage) / 2)) / 2;
}

void ax_series_score(const double *actual, const double *forecast, const double *lower, const double *upper, int64_t n,
                     double coverage, double scale, ax_series_figures *out)
{
    double absolute = 0, square = 0, relative = 0;
    int64_t pairs = 0;

    for (int64_t i = 0; i < n; i++) {
        double e = fabs(actual[i] - forecast[i]), size = fabs(actual[i]) + fabs(forecast[i]);

        if (!isfinite(actual[i]) || !isfinite(forecast[i]))
            continue;
        absolute += e;
        square += e * e;
        relative += size > 0 ? 200 * e / size : 0;
        pairs++;
    }
    *out = (ax_series_figures){pairs, NAN, NAN, NAN, NAN, NAN, NAN};
    if (pairs > 0) {
        out->mae = absolute / (double) pairs;
        out->rmse = sqrt(square / (double) pairs);
        out->smape = relative / (double) pairs;
        out->mase = out->mae / scale;
    }
    if (lower != NULL && upper != NULL)
        score_bounds(actual, lower, upper, n, coverage, out);
}
