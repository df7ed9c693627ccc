/*
 * cuts.h: where a column of numbers is cut into bins.
 *
 * What is cut is a list of points in ascending order: a point is a value that some rows have, or (when pieces of a
 * table are put together) a range of values that nobody can tell apart any more. Up to max_bin points have a bin each.
 * More are shared out so that every bin has about as many rows; a value that fills a bin alone has one.
 */
#ifndef AX_CUTS_H
#define AX_CUTS_H

#include "tree/bins.h"

typedef struct ax_cut_point {
    float low, high; /* the values x: low == high == x, or (range) low < x <= high */
    bool range;
    int64_t count;
} ax_cut_point;

/* Points are shown twice: first counted, then cut. */
typedef struct ax_cutter {
    int max_bin;
    int64_t points, rows;          /* all */
    int64_t heavy, heavy_rows;     /* those that fill a bin alone */
    int64_t heavy_from;            /* rows that make a point heavy; 0: every point has a bin of its own */
    int64_t light_rows, light_bins; /* what is left for the others */
    int64_t in_bin;                /* rows of the bin that is being filled */
    bool in_heavy;
    ax_cut_point last;
    int n;       /* bins closed */
    float *edge; /* (max_bin - 1) */
} ax_cutter;

/* rows: in all points together. edge: room for max_bin - 1. */
void ax_cutter_start(ax_cutter *c, int max_bin, int64_t rows, float *edge);
void ax_cutter_count(ax_cutter *c, int64_t count);
void ax_cutter_counted(ax_cutter *c);
void ax_cutter_add(ax_cutter *c, ax_cut_point p);
int ax_cutter_end(ax_cutter *c); /* number of bins */

/* A number e with a <= e < b, in the middle where there is one. a < b. */
float ax_cut_between(float a, float b);

/* The bin of x: how many of the ascending edges (255, infinite behind the last) are below it. steps: see
 * ax_search_steps. */
static inline int ax_bin_of(const float *edge, int steps, float x)
{
    int at = 0;

    for (int step = steps; step > 0; step >>= 1)
        at += edge[at + step - 1] < x ? step : 0;
    return at;
}

/* A power of two, for so many bins: half of what the search has to reach. */
int ax_search_steps(int bins);

#endif /* AX_CUTS_H */
