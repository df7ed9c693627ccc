/*
 * wood_split.c: the best split of a node.
 *
 * Columns are drawn without replacement until max_features of them were looked at and one of them was not constant, as
 * scikit-learn does it; columns that were constant in a node are so in all nodes below and are not looked at again
 * there.
 *
 * A column's bins are gathered first, which tells whether it is constant; then the weights are added up by bin (in
 * large nodes block by block, while the rows are in the cache), and the bins that are there are walked in their order.
 * Most nodes of a deep tree have a handful of rows: for them the bins that are there are remembered as bits, so that
 * nothing is done for the others.
 */
#include "tree/wood_private.h"

#include <math.h>

#define BLOCK 8192
#define FEW 256 /* rows: up to here the bins that are there are kept as bits */

/* ---- what a node is worth -------------------------------------------------------------------- */

static inline double worth_gini(const double *x, int depth)
{
    double sum = 0, squares = 0;

    for (int k = 0; k < depth; k++) {
        sum += x[k];
        squares += x[k] * x[k];
    }
    return sum > 0 ? squares / sum : 0;
}

static inline double worth_entropy(const double *x, int depth)
{
    double sum = 0, out = 0;

    for (int k = 0; k < depth; k++)
        if (x[k] > 0) {
            sum += x[k];
            out += x[k] * log2(x[k]);
        }
    return sum > 0 ? out - sum * log2(sum) : 0;
}

static inline double worth_squared(const double *x)
{
    return x[0] > 0 ? x[1] * x[1] / x[0] : 0;
}

static inline double worth(ax_criterion criterion, const double *x, int depth)
{
    switch (criterion) {
    case AX_GINI:
        return worth_gini(x, depth);
    case AX_ENTROPY:
        return worth_entropy(x, depth);
    case AX_SQUARED_ERROR:
        return worth_squared(x);
    default:
        return 0;
    }
}

double ax_wood_worth(ax_criterion criterion, const double *sums, int depth)
{
    return worth(criterion, sums, depth);
}

/* ---- the node's sums ------------------------------------------------------------------------- */

/* Only the classes that are there get a place in the sums: deep nodes have few of many. */
static void look_at_classes(ax_wood_slot *s, ax_wood_view *v)
{
    int classes = s->wood->params.n_classes, there = 0;

    for (int k = 0; k < classes; k++)
        s->left[k] = 0;
    for (int32_t i = 0; i < v->n; i++)
        s->left[v->sample[i].class] += v->sample[i].weight;
    for (int k = 0; k < classes; k++)
        if (s->left[k] > 0) {
            s->local[k] = there;
            s->global[there] = k;
            s->total[there++] = s->left[k];
            v->class = k;
        }
    v->pure = there == 1;
    v->depth = there;
    v->mapped = there < classes;
}

static void look_at_values(ax_wood_slot *s, ax_wood_view *v)
{
    float first = v->sample[0].value;
    double shift = s->wood->shift;

    v->depth = 2;
    v->pure = true;
    s->total[0] = s->total[1] = 0;
    for (int32_t i = 0; i < v->n; i++) {
        v->pure &= v->sample[i].value == first;
        s->total[0] += v->sample[i].weight;
        s->total[1] += v->sample[i].weight * (v->sample[i].value - shift);
    }
}

ax_wood_view ax_wood_look(ax_wood_slot *s, const ax_wood_sample *sample, int32_t n)
{
    ax_wood_view v = {.sample = sample, .n = n};

    switch (s->wood->params.criterion) {
    case AX_SQUARED_ERROR:
        look_at_values(s, &v);
        v.weight = s->total[0];
        break;
    case AX_RANDOM_CUTS:
        v.pure = n <= 1;
        for (int32_t i = 0; i < n; i++)
            v.weight += sample[i].weight;
        break;
    default:
        look_at_classes(s, &v);
        for (int k = 0; k < v.depth; k++)
            v.weight += s->total[k];
    }
    v.worth = worth(s->wood->params.criterion, s->total, v.depth);
    return v;
}

/* ---- sums by bin ----------------------------------------------------------------------------- */

typedef struct range {
    int low, high; /* bins with numbers; low > high: there are none */
    bool missing;
} range;

static void tally(ax_wood_slot *s, const ax_wood_view *v, int32_t from, int32_t to)
{
    const ax_wood_sample *x = v->sample;
    double *sums = s->sums, shift = s->wood->shift;
    size_t depth = (size_t) v->depth;

    if (s->wood->params.criterion == AX_SQUARED_ERROR) {
        for (int32_t i = from; i < to; i++) {
            double *cell = sums + 2 * (size_t) s->bin[i];

            cell[0] += x[i].weight;
            cell[1] += x[i].weight * (x[i].value - shift);
        }
    } else if (v->mapped) {
        for (int32_t i = from; i < to; i++)
            sums[s->bin[i] * depth + (size_t) s->local[x[i].class]] += x[i].weight;
    } else if (depth == 2) {
        for (int32_t i = from; i < to; i++)
            sums[s->bin[i] * 2 + x[i].class] += x[i].weight;
    } else {
        for (int32_t i = from; i < to; i++)
            sums[s->bin[i] * depth + (size_t) x[i].class] += x[i].weight;
    }
    if (s->wood->min_leaf > 1)
        for (int32_t i = from; i < to; i++)
            s->count[s->bin[i]]++;
}

static void gather_block(ax_wood_slot *s, const ax_wood_view *v, const uint8_t *column, int32_t from, int32_t to,
                         range *r)
{
    int low = r->low, high = r->high, largest = 0;

    for (int32_t i = from; i < to; i++) {
        int b = column[v->sample[i].row];
        int number = b == AX_BIN_MISSING ? -1 : b;

        s->bin[i] = (uint8_t) b;
        low = AX_MIN(low, b);
        high = AX_MAX(high, number);
        largest = AX_MAX(largest, b);
    }
    *r = (range){low, high, r->missing || largest == AX_BIN_MISSING};
}

/* The node's bins of a column; sums: adds up each block while it is in the cache. */
static range gather(ax_wood_slot *s, const ax_wood_view *v, int32_t column, bool sums)
{
    range r = {AX_BIN_MISSING, -1, false};

    for (int32_t at = 0; at < v->n; at += BLOCK) {
        int32_t end = AX_MIN(v->n - at, BLOCK) + at;

        gather_block(s, v, ax_wood_column(s->wood, column), at, end, &r);
        if (sums)
            tally(s, v, at, end);
        if (ax_wood_tick(s, (end - at) * (sums ? 2 : 1)))
            break;
    }
    return r;
}

/* The bins with numbers that are there, ascending. */
static int list_few(ax_wood_slot *s, const ax_wood_view *v, uint8_t *bins)
{
    uint64_t bits[4] = {0};
    int n = 0;

    for (int32_t i = 0; i < v->n; i++)
        bits[s->bin[i] >> 6] |= UINT64_C(1) << (s->bin[i] & 63);
    bits[3] &= ~(UINT64_C(1) << 63);
    for (int word = 0; word < 4; word++)
        for (uint64_t left = bits[word]; left != 0; left &= left - 1)
            bins[n++] = (uint8_t) (word * 64 + __builtin_ctzll(left));
    return n;
}

static int list_many(ax_wood_slot *s, const ax_wood_view *v, range r, uint8_t *bins)
{
    bool values = s->wood->params.criterion == AX_SQUARED_ERROR;
    int n = 0;

    for (int b = r.low; b <= r.high; b++) {
        const double *cell = s->sums + (size_t) b * (size_t) v->depth;
        bool there = cell[0] > 0;

        for (int k = 1; k < v->depth && !there && !values; k++)
            there = cell[k] > 0;
        bins[n] = (uint8_t) b;
        n += there;
    }
    return n;
}

static void clear(ax_wood_slot *s, const ax_wood_view *v, const uint8_t *bins, int n)
{
    size_t depth = (size_t) v->depth;

    for (int i = 0; i < n; i++) {
        double *cell = s->sums + bins[i] * depth;

        cell[0] = cell[1] = 0; /* the usual depth: no call for it */
        if (depth > 2)
            memset(cell, 0, depth * sizeof(double));
        s->count[bins[i]] = 0;
    }
    memset(s->sums + AX_BIN_MISSING * depth, 0, depth * sizeof(double));
    s->count[AX_BIN_MISSING] = 0;
}

/* ---- the cuts of a column -------------------------------------------------------------------- */

typedef struct walk {
    ax_wood_slot *s;
    const ax_wood_view *v;
    const uint8_t *bins; /* that are there */
    int n;
    int32_t column;
    bool missing;
    ax_wood_split *best;
} walk;

static inline void offer(const walk *w, double gain, bool equal, bool missing_yes, int bin, int next)
{
    if (gain > w->best->gain)
        *w->best = (ax_wood_split){.feature = w->column,
                                   .bin = (uint8_t) bin,
                                   .next = (uint8_t) next,
                                   .equal = equal,
                                   .missing_yes = missing_yes,
                                   .missing = w->missing,
                                   .gain = gain};
}

static inline bool enough(const walk *w, int32_t left)
{
    int32_t least = w->s->wood->min_leaf;

    return left >= least && w->v->n - left >= least;
}

/* "<=" behind each bin, missing values on one side. Behind the last one only they are on the other. */
static inline void walk_cuts(const walk *w, ax_criterion criterion, int depth, bool missing_yes)
{
    double *left = w->s->left, *right = w->s->right;
    const double *total = w->s->total, *sums = w->s->sums;
    int cuts = w->missing && !missing_yes ? w->n : w->n - 1;
    int32_t rows = missing_yes ? w->s->count[AX_BIN_MISSING] : 0;
    bool counts = w->s->wood->min_leaf > 1;

    for (int k = 0; k < depth; k++)
        left[k] = missing_yes ? sums[AX_BIN_MISSING * depth + k] : 0;
    for (int i = 0; i < cuts; i++) {
        const double *cell = sums + (size_t) w->bins[i] * (size_t) depth;

        for (int k = 0; k < depth; k++) {
            left[k] += cell[k];
            right[k] = total[k] - left[k];
        }
        rows += w->s->count[w->bins[i]];
        if (counts && !enough(w, rows))
            continue;
        offer(w, worth(criterion, left, depth) + worth(criterion, right, depth) - w->v->worth, false, missing_yes,
              w->bins[i], i + 1 < w->n ? w->bins[i + 1] : AX_BIN_MISSING);
    }
}

/* "==" each bin. */
static void walk_equal(const walk *w, ax_criterion criterion, int depth, bool missing_yes)
{
    double *left = w->s->left, *right = w->s->right;
    const double *gone = w->s->sums + AX_BIN_MISSING * depth;

    for (int i = 0; i < w->n; i++) {
        const double *cell = w->s->sums + (size_t) w->bins[i] * (size_t) depth;
        int32_t rows = w->s->count[w->bins[i]] + (missing_yes ? w->s->count[AX_BIN_MISSING] : 0);

        if (w->n == 1 && (!w->missing || missing_yes))
            continue;
        if (w->s->wood->min_leaf > 1 && !enough(w, rows))
            continue;
        for (int k = 0; k < depth; k++) {
            left[k] = cell[k] + (missing_yes ? gone[k] : 0);
            right[k] = w->s->total[k] - left[k];
        }
        offer(w, worth(criterion, left, depth) + worth(criterion, right, depth) - w->v->worth, true, missing_yes,
              w->bins[i], w->bins[i]);
    }
}

/* The common cases with their numbers known to the compiler. */
static void walk_side(const walk *w, bool missing_yes)
{
    ax_criterion criterion = w->s->wood->params.criterion;

    if (criterion == AX_SQUARED_ERROR)
        walk_cuts(w, AX_SQUARED_ERROR, 2, missing_yes);
    else if (criterion == AX_GINI && w->v->depth == 2)
        walk_cuts(w, AX_GINI, 2, missing_yes);
    else if (criterion == AX_GINI)
        walk_cuts(w, AX_GINI, w->v->depth, missing_yes);
    else
        walk_cuts(w, AX_ENTROPY, w->v->depth, missing_yes);
}

static void walk_column(const walk *w)
{
    ax_criterion criterion = w->s->wood->params.criterion;

    for (int side = 0; side <= (int) w->missing; side++) {
        if (w->s->wood->rows.bins->column[w->column].category)
            walk_equal(w, criterion, w->v->depth, side == 1);
        walk_side(w, side == 1);
    }
}

/* The sums are there. */
static void try_column(ax_wood_slot *s, const ax_wood_view *v, int32_t column, range r, ax_wood_split *best)
{
    uint8_t bins[256];
    walk w = {s, v, bins, 0, column, r.missing, best};

    w.n = v->n <= FEW ? list_few(s, v, bins) : list_many(s, v, r, bins);
    if (w.n > 1 || r.missing)
        walk_column(&w);
    clear(s, v, bins, w.n);
}

/* ---- the columns of a node ------------------------------------------------------------------- */

static inline void swap(int32_t *a, int32_t *b)
{
    int32_t was = *a;

    *a = *b;
    *b = was;
}

/* False: the column is constant in this node. Small nodes ask that first; in large ones it is rare. */
static bool look_at_column(ax_wood_slot *s, const ax_wood_view *v, int32_t column, ax_wood_split *best)
{
    bool random = s->wood->params.random_threshold, at_once = !random && v->n > BLOCK;
    range r = gather(s, v, column, at_once);
    bool constant = r.high < r.low || (r.low == r.high && !r.missing);

    if (s->stopped)
        return true;
    if (constant && !at_once)
        return false;
    if (random) {
        ax_wood_try_random(s, v, column, r.low, r.high, r.missing, best);
        return true;
    }
    if (!at_once)
        tally(s, v, 0, v->n);
    try_column(s, v, column, r, best);
    return !constant;
}

/*
 * column[] is, from left to right: known constants that were drawn, known ones that were not, constants found here,
 * columns that may still be drawn, columns that were looked at.
 */
ax_wood_split ax_wood_find(ax_wood_slot *s, const ax_wood_view *v, int32_t *constants)
{
    ax_wood_split best = {.feature = -1, .gain = -INFINITY};
    int32_t known = *constants, drawn = 0, found = 0, end = s->wood->rows.bins->columns, looked = 0;

    while (end > known + found && (looked < s->wood->max_features || looked <= found + drawn) && !s->stopped) {
        int32_t at = drawn + (int32_t) ax_rng_below(&s->rng, (uint64_t) (end - found - drawn));

        looked++;
        if (at < known) {
            swap(&s->column[drawn++], &s->column[at]);
            continue;
        }
        at += found;
        if (look_at_column(s, v, s->column[at], &best))
            swap(&s->column[--end], &s->column[at]);
        else
            swap(&s->column[known + found++], &s->column[at]);
    }
    memcpy(s->column, s->constant, (size_t) known * sizeof(*s->column));
    memcpy(s->constant + known, s->column + known, (size_t) found * sizeof(*s->column));
    *constants = known + found;
    return best;
}
