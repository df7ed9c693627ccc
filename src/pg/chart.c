/*
 * chart.c: two curves over the epochs, as lines of text.
 *
 *      loss                                       * train   o validation
 *      1.84 |*
 *           |      *
 *      1.21 |o           *
 *           |
 *     0.712 |                  *
 *           +-------------------
 *            1     2     3     4
 *            train 0.712
 *            validation 0.731 (best 0.725 at epoch 3)
 *
 * The plot is a grid of cells, each a set of marks. An epoch has a column: a whole number of
 * columns apart when they fit, so that the steps look even, else several epochs share a column and
 * their mean is drawn. What is drawn in a cell is chosen last, by the set of characters in use.
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"

#include "chart.h"

#define PLOT_WIDTH  58
#define PLOT_HEIGHT 10
#define MAX_STEP    6 /* columns from one epoch to the next */
#define LABEL_GAP   5 /* columns that the number of an epoch needs */
#define LABEL_WIDTH 9

#define MARK_TRAIN      1
#define MARK_VALIDATION 2

typedef struct Glyphs {
    const char *mark[4]; /* by the set of marks */
    const char *side, *corner, *floor;
} Glyphs;

static const Glyphs ascii = {{" ", "*", "o", "@"}, "|", "+", "-"};
static const Glyphs utf8 = {{" ", "\u25cf", "\u25cb", "\u25c9"}, "\u2502", "\u2514", "\u2500"};

typedef struct Plot {
    const AiaasCurve *curve;
    double low, high; /* of the finite figures */
    int step;         /* columns per epoch, 0 when epochs share columns */
    int width;        /* columns in use */
    uint8 cell[PLOT_HEIGHT][PLOT_WIDTH];
} Plot;

static bool plot_range(Plot *p)
{
    const double *series[] = {p->curve->train, p->curve->validation};

    p->low = INFINITY;
    p->high = -INFINITY;
    for (size_t s = 0; s < lengthof(series); s++)
        for (int e = 0; e < p->curve->epochs; e++)
            if (isfinite(series[s][e])) {
                p->low = Min(p->low, series[s][e]);
                p->high = Max(p->high, series[s][e]);
            }
    if (p->low > p->high)
        return false;
    if (p->low == p->high) {
        double margin = p->low != 0 ? fabs(p->low) / 10 : 1;

        p->low -= margin;
        p->high += margin;
    }
    return true;
}

static void plot_scale(Plot *p)
{
    int epochs = p->curve->epochs;

    p->step = epochs > 1 ? Min(MAX_STEP, (PLOT_WIDTH - 1) / (epochs - 1)) : 1;
    p->width = p->step > 0 ? (epochs - 1) * p->step + 1 : PLOT_WIDTH;
}

/* The column of an epoch, which counts from 0. */
static int plot_column(const Plot *p, int epoch)
{
    if (p->step > 0)
        return epoch * p->step;
    return (int)((int64)epoch * (PLOT_WIDTH - 1) / (p->curve->epochs - 1));
}

static void plot_series(Plot *p, const double *series, uint8 mark)
{
    for (int e = 0; e < p->curve->epochs;) {
        int column = plot_column(p, e), n = 0;
        double sum = 0;

        for (; e < p->curve->epochs && plot_column(p, e) == column; e++)
            if (isfinite(series[e])) {
                sum += series[e];
                n++;
            }
        if (n > 0) {
            double height = (p->high - sum / n) / (p->high - p->low);

            p->cell[(int)lround(height * (PLOT_HEIGHT - 1))][column] |= mark;
        }
    }
}

static void trim(StringInfo line)
{
    while (line->len > 0 && line->data[line->len - 1] == ' ')
        line->data[--line->len] = '\0';
}

static void plot_row(const Plot *p, int row, const Glyphs *g, StringInfo line)
{
    resetStringInfo(line);
    if (row == 0 || row == PLOT_HEIGHT - 1 || row == PLOT_HEIGHT / 2)
        appendStringInfo(line, "%*.4g %s", LABEL_WIDTH,
                         p->high - (p->high - p->low) * row / (PLOT_HEIGHT - 1), g->side);
    else
        appendStringInfo(line, "%*s %s", LABEL_WIDTH, "", g->side);
    for (int i = 0; i < p->width; i++)
        appendStringInfoString(line, g->mark[p->cell[row][i]]);
    trim(line);
}

static void plot_floor(const Plot *p, const Glyphs *g, StringInfo line)
{
    resetStringInfo(line);
    appendStringInfo(line, "%*s %s", LABEL_WIDTH, "", g->corner);
    for (int i = 0; i < p->width; i++)
        appendStringInfoString(line, g->floor);
}

/* Numbers of epochs under their columns: 1 and the multiples of a round stride that leaves room. */
static void plot_epochs(const Plot *p, StringInfo line)
{
    static const int strides[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};
    int stride = Max(1, p->curve->epochs);
    int end = -LABEL_GAP; /* where the last label began */

    for (size_t i = 0; i < lengthof(strides); i++)
        if ((int64)strides[i] * (p->width - 1) >= (int64)LABEL_GAP * (p->curve->epochs - 1)) {
            stride = Min(stride, strides[i]);
            break;
        }
    resetStringInfo(line);
    appendStringInfo(line, "%*s  ", LABEL_WIDTH, "");
    for (int epoch = 1; epoch <= p->curve->epochs; epoch++) {
        int column = plot_column(p, epoch - 1);

        if ((epoch != 1 && epoch % stride != 0) || column - end < LABEL_GAP)
            continue;
        while (line->len < LABEL_WIDTH + 2 + column)
            appendStringInfoChar(line, ' ');
        appendStringInfo(line, "%d", epoch);
        end = column;
    }
}

static bool lower_is_better(const char *name)
{
    static const char *const names[] = {"loss", "mse", "rmse", "mae"};

    for (size_t i = 0; i < lengthof(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* A line "train 0.7321 (best 0.7001 at epoch 8)" under the plot; none without a figure. */
static void say_last_and_best(const AiaasCurve *c, const char *label, const double *series,
                              StringInfo line, void (*emit)(void *ctx, const char *line), void *ctx)
{
    int best = -1, last = -1;

    for (int e = 0; e < c->epochs; e++) {
        if (!isfinite(series[e]))
            continue;
        last = e;
        if (best < 0 ||
            (lower_is_better(c->name) ? series[e] < series[best] : series[e] > series[best]))
            best = e;
    }
    if (last < 0)
        return;
    resetStringInfo(line);
    appendStringInfo(line, "%*s%s %.4g", LABEL_WIDTH + 2, "", label, series[last]);
    if (best != last)
        appendStringInfo(line, " (best %.4g at epoch %d)", series[best], best + 1);
    emit(ctx, line->data);
}

void aiaas_chart_draw(const AiaasCurve *curve, bool unicode,
                      void (*emit)(void *ctx, const char *line), void *ctx)
{
    const Glyphs *g = unicode ? &utf8 : &ascii;
    Plot p = {.curve = curve};
    StringInfoData line;

    initStringInfo(&line);
    if (!plot_range(&p)) {
        appendStringInfo(&line, "%s: no finite figures", curve->name);
        emit(ctx, line.data);
        return;
    }
    plot_scale(&p);
    plot_series(&p, curve->train, MARK_TRAIN);
    plot_series(&p, curve->validation, MARK_VALIDATION);

    appendStringInfo(&line, "%-30s   %s train   %s validation   %s both", curve->name, g->mark[1],
                     g->mark[2], g->mark[3]);
    emit(ctx, line.data);
    for (int row = 0; row < PLOT_HEIGHT; row++) {
        plot_row(&p, row, g, &line);
        emit(ctx, line.data);
    }
    plot_floor(&p, g, &line);
    emit(ctx, line.data);
    plot_epochs(&p, &line);
    emit(ctx, line.data);
    say_last_and_best(curve, "train", curve->train, &line, emit, ctx);
    say_last_and_best(curve, "validation", curve->validation, &line, emit, ctx);
}
