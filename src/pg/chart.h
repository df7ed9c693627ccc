/*
 * chart.h: two curves over the epochs, as lines of text.
 */
#ifndef AIAAS_CHART_H
#define AIAAS_CHART_H

#include "postgres.h"

/* One metric on the training and on the validation rows; NaN where there is no figure. */
typedef struct AiaasCurve {
    const char *name;
    int epochs;
    double *train;      /* (epochs) */
    double *validation; /* (epochs) */
} AiaasCurve;

/*
 * Draws the chart, at most 70 characters wide, and hands out its lines from the top. unicode:
 * line-drawing characters of UTF-8 are used; else ASCII only. A curve without any finite figure
 * gives one line that says so.
 */
extern void aiaas_chart_draw(const AiaasCurve *curve, bool unicode,
                             void (*emit)(void *ctx, const char *line), void *ctx);

#endif /* AIAAS_CHART_H */
