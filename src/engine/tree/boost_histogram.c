/*
 * boost_histogram.c: sums of gradients by bin.
 *
 * This is where the time goes: each row of a node adds its gradient and hessian to one bin of every column. A task
 * takes the rows of a node (or a fixed part of many) and the columns of a tile, in order; parts are added in order
 * too. So the sums do not depend on the threads.
 */
#include "tree/boost_private.h"

#define PART_ROWS  32768 /* at least, of a part */
#define ASK_EVERY  32768
#define AHEAD      24 /* rows that are fetched into the cache before they are needed */
#define MANY_TILES 16 /* enough work for threads without parts */

/* ---- tiles ------------------------------------------------------------------------------------ */

static void fill_tile(ax_booster *b, const tile *t, int64_t from, int64_t to)
{
    const ax_bins *bins = b->train.bins;

    for (int c = 0; c < t->width; c++) {
        const uint8_t *column = bins->data + (t->first + c) * bins->stride;

        for (int64_t i = from; i < to; i++)
            t->data[i * t->width + c] = c < t->columns ? column[global_row(&b->train, i)] : 0;
    }
}

static void fill_task(void *arg, int block)
{
    ax_booster *b = arg;
    int64_t from = (int64_t) block * ROW_BLOCK, to = AX_MIN(b->n, from + ROW_BLOCK);

    for (int t = 0; t < b->tiles && !ax_work_stopped(&b->work); t++)
        fill_tile(b, &b->tile[t], from, to);
}

ax_status ax_boost_make_tiles(ax_booster *b, ax_error *err)
{
    const ax_env *env = &b->work.env;

    b->tiles = (b->columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
    b->tile = ax_zalloc(env, (size_t) b->tiles * sizeof(*b->tile));
    if (b->tile == NULL)
        return ax_nomem(err);
    for (int t = 0; t < b->tiles; t++) {
        tile *at = &b->tile[t];

        at->first = t * TILE_COLUMNS;
        at->columns = AX_MIN(TILE_COLUMNS, b->columns - at->first);
        at->width = at->columns <= TILE_COLUMNS / 2 ? TILE_COLUMNS / 2 : TILE_COLUMNS;
        at->data = ax_alloc_large(env, (size_t) b->n * (size_t) at->width);
        if (at->data == NULL)
            return ax_nomem(err);
    }
    b->slot_size = (int64_t) b->tiles * TILE_COLUMNS * HIST_BINS;
    b->part_rows = AX_MAX((b->n + 7) / 8, PART_ROWS);
    b->parts = b->tiles >= MANY_TILES ? 0 : (int) (b->n / b->part_rows) + 1;
    return ax_work_run(&b->work, fill_task, b, (int) block_count(b->n), err);
}

/* ---- adding rows up --------------------------------------------------------------------------- */

static inline pair_sum widened(gradient g)
{
    return (pair_sum){g.g, g.h};
}

/* The inner loop. width is a constant where it is called. */
static inline __attribute__((always_inline)) void add_rows(pair_sum *restrict hist, const uint8_t *data, int width,
                                                           const gradient *gradients, const int32_t *row, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t r = row[i];
        pair_sum p = widened(gradients[r]);
        uint64_t bins = 0;

        __builtin_prefetch(data + (int64_t) row[i + AHEAD < n ? i + AHEAD : i] * width);
        memcpy(&bins, data + r * width, (size_t) width);
        for (int c = 0; c < width; c++)
            hist[c * HIST_BINS + (int) ((bins >> (8 * c)) & 255)] += p;
    }
}

static void add_wide(pair_sum *hist, const tile *t, const gradient *gradients, const int32_t *row, int64_t n)
{
    add_rows(hist, t->data, 8, gradients, row, n);
}

static void add_narrow(pair_sum *hist, const tile *t, const gradient *gradients, const int32_t *row, int64_t n)
{
    add_rows(hist, t->data, 4, gradients, row, n);
}

static void add_part(ax_booster *b, pair_sum *hist, const tile *t, int64_t from, int64_t to)
{
    memset(hist, 0, (size_t) t->width * HIST_BINS * sizeof(*hist));
    for (int64_t at = from; at < to && !ax_work_stopped(&b->work); at += ASK_EVERY) {
        int64_t n = AX_MIN(to - at, ASK_EVERY);

        if (t->width == TILE_COLUMNS)
            add_wide(hist, t, b->gradient, b->index + at, n);
        else
            add_narrow(hist, t, b->gradient, b->index + at, n);
    }
}

/* ---- tasks ------------------------------------------------------------------------------------ */

/* Rows from..to of a leaf: its first part goes to its slot, others to parts of the scratch. */
typedef struct part {
    const leaf *of;
    int64_t from, to;
    pair_sum *hist;
} part;

#define MAX_PARTS 1024

typedef struct making {
    ax_booster *b;
    const sibling_pair *pair;
    int parts;
    part part[MAX_PARTS];
    int used; /* parts of the scratch */
} making;

static pair_sum *slot_hist(const ax_booster *b, int slot)
{
    return b->hist + slot * b->slot_size;
}

static bool tile_used(const ax_booster *b, const tile *t)
{
    for (int c = 0; c < t->columns; c++)
        if (b->tree_mask[t->first + c])
            return true;
    return false;
}

static void plan_leaf(making *m, const leaf *l)
{
    ax_booster *b = m->b;
    int64_t from = l->from;

    do {
        int64_t to = b->parts > 0 ? AX_MIN(l->to, from + b->part_rows) : l->to;
        bool first = from == l->from;

        m->part[m->parts++] = (part){l, from, to,
                                     first ? slot_hist(b, l->slot) : b->partial + m->used++ * b->slot_size};
        from = to;
    } while (from < l->to);
}

static void part_task(void *arg, int task)
{
    making *m = arg;
    const part *p = &m->part[task / m->b->tiles];
    const tile *t = &m->b->tile[task % m->b->tiles];

    if (tile_used(m->b, t))
        add_part(m->b, p->hist + (int64_t) t->first * HIST_BINS, t, p->from, p->to);
}

/* The other parts of a leaf, added to the first. */
static void add_up(const making *m, const leaf *l, const tile *t)
{
    int64_t at = (int64_t) t->first * HIST_BINS, n = (int64_t) t->columns * HIST_BINS;
    pair_sum *to = slot_hist(m->b, l->slot) + at;

    for (int i = 0; i < m->parts; i++) {
        const pair_sum *from = m->part[i].hist + at;

        if (m->part[i].of != l || from == to)
            continue;
        for (int64_t k = 0; k < n; k++)
            to[k] += from[k];
    }
}

static void subtract(const ax_booster *b, const leaf *large, const leaf *small, const tile *t)
{
    int64_t at = (int64_t) t->first * HIST_BINS, n = (int64_t) t->columns * HIST_BINS;
    pair_sum *restrict to = slot_hist(b, large->slot) + at;
    const pair_sum *restrict from = slot_hist(b, small->slot) + at;

    for (int64_t k = 0; k < n; k++)
        to[k] -= from[k];
}

static void sum_root(const ax_booster *b, leaf *l, const tile *t)
{
    const pair_sum *hist = slot_hist(b, l->slot) + (int64_t) t->first * HIST_BINS;
    pair_sum sum = {0, 0};

    for (int k = 0; k < HIST_BINS; k++)
        sum += hist[k];
    l->g = sum[0];
    l->h = sum[1];
}

static void search_leaf(const making *m, const leaf *l, int at, const tile *t, int tile_number)
{
    ax_boost_split_search(m->b, l, slot_hist(m->b, l->slot) + (int64_t) t->first * HIST_BINS, t,
                 m->b->mask + (int64_t) at * m->b->columns, &m->b->found[at * m->b->tiles + tile_number]);
}

static void finish_task(void *arg, int task)
{
    making *m = arg;
    int pair = task / m->b->tiles, number = task % m->b->tiles;
    const sibling_pair *p = &m->pair[pair];
    const tile *t = &m->b->tile[number];

    m->b->found[2 * pair * m->b->tiles + number] = (split){0};
    m->b->found[(2 * pair + 1) * m->b->tiles + number] = (split){0};
    if (!tile_used(m->b, t) || ax_work_stopped(&m->b->work))
        return;
    add_up(m, p->small, t);
    if (p->large == NULL) {
        leaf root = *p->small;

        sum_root(m->b, &root, t);
        search_leaf(m, &root, 2 * pair, t, number);
        return;
    }
    if (p->both)
        add_up(m, p->large, t);
    else
        subtract(m->b, p->large, p->small, t);
    search_leaf(m, p->small, 2 * pair, t, number);
    search_leaf(m, p->large, 2 * pair + 1, t, number);
}

static void set_root_sums(ax_booster *b, leaf *root)
{
    for (int t = 0; t < b->tiles; t++)
        if (tile_used(b, &b->tile[t])) {
            sum_root(b, root, &b->tile[t]);
            return;
        }
}

ax_status ax_boost_make_histograms(ax_booster *b, const sibling_pair *pair, int pairs, ax_error *err)
{
    making m = {.b = b, .pair = pair};

    for (int i = 0; i < pairs; i++) {
        plan_leaf(&m, pair[i].small);
        if (pair[i].both)
            plan_leaf(&m, pair[i].large);
    }
    AX_TRY(ax_work_run(&b->work, part_task, &m, m.parts * b->tiles, err));
    AX_TRY(ax_work_run(&b->work, finish_task, &m, pairs * b->tiles, err));
    if (pairs == 1 && pair->large == NULL)
        set_root_sums(b, pair->small);
    return AX_OK;
}
