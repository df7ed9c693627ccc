/*
 * cuts.c: see cuts.h.
 */
#include "tree/cuts.h"

#include <math.h>

/* ---- sorting --------------------------------------------------------------------------------- */

#define DIGIT_BITS 11
#define DIGITS     (1 << DIGIT_BITS)
#define ASK_EVERY  (1 << 20)

uint32_t ax_key_of_float(float x)
{
    uint32_t bits;

    x += 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &x, sizeof(bits));
    return bits ^ ((bits >> 31) != 0 ? UINT32_MAX : UINT32_C(0x80000000));
}

float ax_float_of_key(uint32_t key)
{
    float x;

    key ^= (key >> 31) != 0 ? UINT32_C(0x80000000) : UINT32_MAX;
    memcpy(&x, &key, sizeof(x));
    return x;
}

/* One pass: a stable sort by the digit at `shift`. False: stopped. */
static bool sort_by_digit(const uint32_t *key, uint32_t *out, int64_t n, int shift, int64_t *place,
                          bool (*stopped)(void *arg), void *arg)
{
    for (int64_t from = 0; from < n; from += ASK_EVERY) {
        int64_t to = AX_MIN(n, from + ASK_EVERY);

        if (stopped(arg))
            return false;
        for (int64_t i = from; i < to; i++)
            out[place[(key[i] >> shift) & (DIGITS - 1)]++] = key[i];
    }
    return true;
}

/* Counts become the places of the first key of each digit. True: all keys have the same digit. */
static bool make_places(int64_t *place, int64_t n)
{
    int64_t at = 0;

    for (int d = 0; d < DIGITS; d++) {
        int64_t count = place[d];

        if (count == n)
            return true;
        place[d] = at;
        at += count;
    }
    return false;
}

uint32_t *ax_sort_keys(uint32_t *key, uint32_t *other, int64_t n, bool (*stopped)(void *arg), void *arg)
{
    int64_t place[3][DIGITS];

    memset(place, 0, sizeof(place));
    for (int64_t i = 0; i < n; i++) {
        place[0][key[i] & (DIGITS - 1)]++;
        place[1][(key[i] >> DIGIT_BITS) & (DIGITS - 1)]++;
        place[2][key[i] >> (2 * DIGIT_BITS)]++;
    }
    for (int d = 0; d < 3; d++) {
        uint32_t *swap = key;

        if (make_places(place[d], n))
            continue;
        if (!sort_by_digit(key, other, n, d * DIGIT_BITS, place[d], stopped, arg))
            return NULL;
        key = other;
        other = swap;
    }
    return key;
}

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
