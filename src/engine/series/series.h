/*
 * series.h: forecasts without networks.
 *
 * A series is n doubles, time ascending, one step apart. All results are the same bits in every run; nothing here uses
 * threads. Errors: AX_ERR_INVALID for arguments that make no sense or a series that is too short, AX_ERR_NUMERIC for
 * values that are not finite where every value is needed, AX_ERR_NOMEM, AX_ERR_CANCELLED.
 */
#ifndef AX_SERIES_H
#define AX_SERIES_H

#include "base/base.h"

/* ---- exponential smoothing (smooth*.c) ------------------------------------------------------- */

typedef enum ax_smooth_kind { AX_SMOOTH_NONE = 0, AX_SMOOTH_ADD, AX_SMOOTH_MUL } ax_smooth_kind;

typedef struct ax_smooth_form {
    ax_smooth_kind trend, seasonal;
    bool damped; /* the trend; needs one */
    int period;  /* steps, at least 2; not read without a season */
} ax_smooth_form;

/*
 * A fitted model. The parameters are those of statsmodels' ExponentialSmoothing; with + and * as the form has them,
 *
 *     forecast  f = (l + phi b) + s                l, b, s before the step
 *     level     l' = alpha (y - s) + (1 - alpha) (l + phi b)
 *     trend     b' = beta (l' - l) + (1 - beta) phi b
 *     season    s' = gamma (y - (l + phi b)) + (1 - gamma) s
 *
 * (of a multiplicative trend l b^phi, l' / l and b^phi.) 0 <= alpha <= 1, 0 <= beta <= alpha, 0 <= gamma <= 1 - alpha,
 * 0.8 <= phi <= 0.995; what the form lacks is 0, phi then 1.
 */
typedef struct ax_smooth {
    ax_arena arena; /* holds the arrays */
    ax_smooth_form form;
    double alpha, beta, gamma, phi;
    double level, trend;         /* before the first row that was used */
    const double *season;        /* (period) the same, by row; NULL without a season */
    double now_level, now_trend; /* behind the newest row */
    double *now_season;          /* (period) by row, as season */
    int64_t n;                   /* rows used */
    double sse, aic, aicc;       /* of one-step errors, as statsmodels has them; aicc may be infinite */
    double sigma;                /* standard deviation of the one-step errors, by degrees of freedom */
} ax_smooth;

/* Of a longer series only the newest rows are used: so many, or four periods if that is more. */
#define AX_SMOOTH_ROWS 10000
/* The initial seasons are estimated up to this period; of a longer one they are averages of the first periods. */
#define AX_SMOOTH_MAX_SEASON 64
#define AX_SMOOTH_MAX_PERIOD 100000
#define AX_SMOOTH_MAX_HORIZON 100000

/*
 * Smoothing parameters and initial states by the least sum of squared one-step errors. At least 3 rows, 4 with a trend,
 * and two periods; only positive values for what is multiplicative, else AX_ERR_INVALID.
 */
ax_status ax_smooth_fit(const ax_env *env, const double *y, int64_t n, const ax_smooth_form *form, ax_smooth **out,
                        ax_error *err);

/* The form of least AICc with an additive trend, damped or not, or none, and any season of that period (1: none) that
 * the rows allow. A multiplicative trend can grow beyond all measure and is not tried. */
ax_status ax_smooth_choose(const ax_env *env, const double *y, int64_t n, int period, ax_smooth **out, ax_error *err);
/* Forecasts of the next h steps. */
ax_status ax_smooth_forecast(const ax_smooth *m, int h, double *value, ax_error *err);
/* Standard deviations of the errors of the next h forecasts, by the state space of the additive forms; of others:
 * AX_ERR_UNSUPPORTED. */
ax_status ax_smooth_spread(const ax_smooth *m, int h, double *sd, ax_error *err);
void ax_smooth_free(ax_smooth *m);

#endif /* AX_SERIES_H */
