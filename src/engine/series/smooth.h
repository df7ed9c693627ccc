/*
 * smooth.h: the recurrence of exponential smoothing, shared by its search, its fit and its forecasts.
 */
#ifndef AX_SMOOTH_H
#define AX_SMOOTH_H

#include <math.h>

#include "series/series.h"

typedef struct ax_smooth_weights {
    double alpha, beta, gamma, phi;
} ax_smooth_weights;

/* Level and trend one step on, before the row is known. */
static inline double ax_smooth_ahead(const ax_smooth_form *f, double phi, double level, double trend)
{
    if (f->trend == AX_SMOOTH_ADD)
        return level + phi * trend;
    if (f->trend == AX_SMOOTH_MUL)
        return level * (f->damped ? pow(trend, phi) : trend);
    return level;
}

static inline double ax_smooth_with_season(const ax_smooth_form *f, double ahead, double season)
{
    if (f->seasonal == AX_SMOOTH_ADD)
        return ahead + season;
    return f->seasonal == AX_SMOOTH_MUL ? ahead * season : ahead;
}

/* Takes the states over row y, and returns the error of the forecast that they had made of it. */
static inline double ax_smooth_step(const ax_smooth_form *f, const ax_smooth_weights *w, double y, double *level,
                                    double *trend, double *season)
{
    double ahead = ax_smooth_ahead(f, w->phi, *level, *trend), s = f->seasonal ? *season : 0;
    double plain = f->seasonal == AX_SMOOTH_MUL ? y / s : y - s;
    double next = w->alpha * plain + (1 - w->alpha) * ahead;

    if (f->trend == AX_SMOOTH_ADD)
        *trend = w->beta * (next - *level) + (1 - w->beta) * w->phi * *trend;
    else if (f->trend == AX_SMOOTH_MUL)
        *trend = w->beta * (next / *level) + (1 - w->beta) * (ahead / *level);
    if (f->seasonal)
        *season = w->gamma * (f->seasonal == AX_SMOOTH_MUL ? y / ahead : y - ahead) + (1 - w->gamma) * s;
    *level = next;
    return y - ax_smooth_with_season(f, ahead, s);
}

static inline bool ax_smooth_multiplies(const ax_smooth_form *f)
{
    return f->trend == AX_SMOOTH_MUL || f->seasonal == AX_SMOOTH_MUL;
}

/*
 * A point of the search: smoothing weights as shares in [0, 1] (beta of alpha, gamma of 1 - alpha), phi, then the
 * initial states. The series is scaled, so that all of them are of order 1.
 */
#define AX_SMOOTH_POINT 6 /* alpha, beta, gamma, phi, level, trend; the seasons follow */

typedef struct ax_smooth_search {
    ax_arena arena;
    ax_smooth_form form;
    const double *z; /* (n) the scaled series */
    int64_t n;
    int period;    /* 1 without a season */
    double *point; /* (AX_SMOOTH_POINT + period) the best so far */
    double sse;    /* there */
} ax_smooth_search;

ax_smooth_weights ax_smooth_weights_of(const ax_smooth_form *f, const double *point);
/* How many weights and states are estimated. */
int ax_smooth_unknowns(const ax_smooth_form *f);
/* From the initial states in s->point to the least sum of squares that is found; allocates from s->arena. */
ax_status ax_smooth_search_run(ax_smooth_search *s, ax_error *err);

#endif /* AX_SMOOTH_H */
