/*
 * wood_score.c: the out-of-bag score: what the trees that did not see a row say of it.
 *
 * Trees are finished in any order and by any thread, and each adds its answers to its rows at once. So that the sums
 * do not depend on the order, they are whole numbers: an answer is rounded to one of 2^30 (classes, divided among the
 * trees) or 2^40 steps.
 */
#include "tree/wood_private.h"

#include <math.h>

#define BLOCK 4096

static const ax_wood_node *walk(const ax_wood_slot *s, const ax_wood_node *root, int32_t row)
{
    const ax_bins *bins = s->wood->rows.bins;
    const ax_wood_node *x = root;

    while (x->feature >= 0) {
        uint8_t bin = bins->data[(size_t) x->feature * (size_t) bins->stride + (size_t) row];

        x = root + x->next + !ax_wood_yes(x->equal, x->bin, x->missing_yes, bin);
    }
    return x;
}

static int share_one(const ax_wood *w)
{
    return (1 << 30) / w->params.trees;
}

static void add(atomic_int *to, int x)
{
    if (x != 0)
        atomic_fetch_add_explicit(to, x, memory_order_relaxed);
}

static void add_shares(ax_wood_slot *s, int64_t i, const ax_wood_node *leaf)
{
    const ax_wood *w = s->wood;
    atomic_int *to = w->share + i * w->width;
    double one = share_one(w);

    if (leaf->next < 0) {
        add(&to[-1 - leaf->next], (int) one);
        return;
    }
    for (int k = 0; k < w->width; k++)
        add(&to[k], (int) lrint(one * s->value[s->first_value + leaf->next + k]));
}

/* Targets are steps of the largest one that there is. */
double ax_wood_value_scale(const ax_wood *w)
{
    double largest = 0;

    for (int64_t i = 0; i < w->rows.n; i++)
        largest = fmax(largest, fabs(w->rows.values[ax_wood_row(w, i)] - w->shift));
    return largest > 0 ? 0x1p40 / largest : 1;
}

static void add_value(ax_wood_slot *s, int64_t i, const ax_wood_node *leaf)
{
    const ax_wood *w = s->wood;
    double x = (s->value[s->first_value + leaf->next] - w->shift) * w->sum_scale;

    atomic_fetch_add_explicit(&w->sum[i], (int64_t) llrint(x), memory_order_relaxed);
}

void ax_wood_score_tree(ax_wood_slot *s)
{
    const ax_wood *w = s->wood;
    const ax_wood_node *root = s->node + s->first_node;

    for (int64_t i = 0; i < w->rows.n; i++) {
        if (i % BLOCK == BLOCK - 1 && ax_wood_tick(s, 10 * BLOCK))
            return;
        if (s->drawn[i])
            continue;
        add(&w->seen[i], 1);
        if (w->share != NULL)
            add_shares(s, i, walk(s, root, ax_wood_row(w, i)));
        else
            add_value(s, i, walk(s, root, ax_wood_row(w, i)));
    }
}

static int likeliest(const ax_wood *w, int64_t i)
{
    const atomic_int *share = w->share + i * w->width;
    int best = 0;

    for (int k = 1; k < w->width; k++)
        if (atomic_load(&share[k]) > atomic_load(&share[best]))
            best = k;
    return best;
}

static double accuracy(const ax_wood *w)
{
    int64_t seen = 0, right = 0;

    for (int64_t i = 0; i < w->rows.n; i++)
        if (atomic_load(&w->seen[i]) > 0) {
            seen++;
            right += likeliest(w, i) == w->rows.classes[ax_wood_row(w, i)];
        }
    return seen > 0 ? (double) right / (double) seen : NAN;
}

static double r2(const ax_wood *w)
{
    double mean = 0, left = 0, all = 0;
    int64_t seen = 0;

    for (int64_t i = 0; i < w->rows.n; i++)
        if (atomic_load(&w->seen[i]) > 0) {
            mean += w->rows.values[ax_wood_row(w, i)] - w->shift;
            seen++;
        }
    if (seen == 0)
        return NAN;
    mean /= (double) seen;
    for (int64_t i = 0; i < w->rows.n; i++)
        if (atomic_load(&w->seen[i]) > 0) {
            double y = w->rows.values[ax_wood_row(w, i)] - w->shift;
            double answer = (double) atomic_load(&w->sum[i]) / w->sum_scale / atomic_load(&w->seen[i]);

            left += (y - answer) * (y - answer);
            all += (y - mean) * (y - mean);
        }
    return all > 0 ? 1 - left / all : left > 0 ? 0 : 1; /* scikit-learn's, for a constant target */
}

double ax_wood_oob_score(const ax_wood *w)
{
    if (!w->params.oob || w->finished == 0)
        return NAN;
    return w->share != NULL ? accuracy(w) : r2(w);
}
