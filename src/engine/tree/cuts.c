/*
 * cuts.c: see cuts.h.
 */
#include "tree/cuts.h"

#include <math.h>

int ax_search_steps(int bins)
{
    int step = 1;

    while (2 * step < bins)
        step *= 2;
    return step;
}

/* ---- cutting --------------------------------------------------------------------------------- */

float ax_cut_between(float a, float b)
{
    float middle = (float) (0.5 * (double) a + 0.5 * (double) b);

    return middle >= a && middle < b && isfinite(middle) ? middle : a;
}

void ax_cutter_start(ax_cutter *c, int max_bin, int64_t rows, float *edge)
{
    *c = (ax_cutter){.max_bin = max_bin, .rows = rows, .edge = edge};
    c->heavy_from = AX_MAX(rows / max_bin, 2);
}

void ax_cutter_count(ax_cutter *c, int64_t count)
{
    c->points++;
    if (count >= c->heavy_from) {
        c->heavy++;
        c->heavy_rows += count;
    }
}

void ax_cutter_counted(ax_cutter *c)
{
    if (c->points <= c->max_bin)
        c->heavy_from = 0;
    c->light_rows = c->rows - c->heavy_rows;
    c->light_bins = c->max_bin - c->heavy;
}

static float edge_after(const ax_cut_point *a, const ax_cut_point *b)
{
    return a->range || b->low <= a->high ? a->high : ax_cut_between(a->high, b->low);
}

/* Does the bin that is being filled end in front of a point of so many rows? */
static bool bin_ends(const ax_cutter *c, int64_t count, bool heavy)
{
    double target;

    if (c->in_bin == 0 || c->n + 1 >= c->max_bin)
        return false;
    if (c->in_heavy)
        return true;
    if (c->light_bins <= 0)
        return false;
    target = (double) c->light_rows / (double) c->light_bins;
    return heavy ? 2.0 * (double) c->in_bin >= target : (double) c->in_bin + 0.5 * (double) count > target;
}

void ax_cutter_add(ax_cutter *c, ax_cut_point p)
{
    bool heavy = p.count >= c->heavy_from;

    if (bin_ends(c, p.count, heavy)) {
        c->edge[c->n++] = edge_after(&c->last, &p);
        if (!c->in_heavy) {
            c->light_rows -= c->in_bin;
            c->light_bins--;
        }
        c->in_bin = 0;
        c->in_heavy = false;
    }
    if (heavy && !c->in_heavy)
        c->light_rows -= c->in_bin; /* too few for a bin of their own */
    c->in_bin += p.count;
    c->in_heavy = c->in_heavy || heavy;
    c->last = p;
}

int ax_cutter_end(ax_cutter *c)
{
    if (c->in_bin > 0)
        c->n++;
    return c->n;
}
