/*
 * figures.h: baselines, figures about forecasts, and windows of a series.
 */
#ifndef AX_SERIES_FIGURES_H
#define AX_SERIES_FIGURES_H

#include "base/base.h"

typedef struct ax_series_figures {
    int64_t n;       /* pairs where both are finite; without any, the errors are NaN */
    double mae, rmse;
    double smape;    /* percent, 0 to 200; 0 where both are 0 */
    double mase;     /* mae / scale */
    double coverage; /* share of the actual values within the bounds, NaN without bounds */
    double pinball;  /* mean loss of both bounds as quantiles, NaN without bounds */
} ax_series_figures;

/* Mean absolute error of the naive forecast (period at most 1), or of the seasonal naive one, within the series, over
 * pairs that are finite; NaN without any. 0 for a constant series: MASE is then infinite, or NaN for no error. */
double ax_series_scale(const double *y, int64_t n, int period);
/* coverage: what the bounds were made for (0.95). lower and upper may be NULL together. */
void ax_series_score(const double *actual, const double *forecast, const double *lower, const double *upper, int64_t n,
                     double coverage, double scale, ax_series_figures *out);
/* Mean of max(q (a - f), (q - 1) (a - f)) over finite pairs. */
double ax_series_pinball(const double *actual, const double *forecast, int64_t n, double quantile);

typedef enum ax_baseline {
    AX_BASELINE_NAIVE = 0,      /* the last value */
    AX_BASELINE_SEASONAL_NAIVE, /* the value one period before */
    AX_BASELINE_DRIFT,          /* the line through the first and the last value */
    AX_BASELINE_MEAN
} ax_baseline;

/* Writes h forecasts. period is read by the seasonal naive one alone. A series that is too short: AX_ERR_INVALID. */
ax_status ax_baseline_forecast(const double *y, int64_t n, ax_baseline b, int period, int h, double *value,
                               ax_error *err);

typedef struct ax_windows {
    const float *x; /* (n, channels), time ascending; not copied */
    int64_t n;
    int channels, target; /* target: the channel to forecast */
    int64_t window, horizon, stride;
} ax_windows;

/* How many windows have all their rows and all their targets; 0 for sizes that make no sense. */
int64_t ax_windows_count(const ax_windows *w);
/* Window i: x (window, channels), and the target channel of the rows behind it, y (horizon); either may be NULL. */
void ax_windows_copy(const ax_windows *w, int64_t i, float *x, float *y);

#endif /* AX_SERIES_FIGURES_H */
