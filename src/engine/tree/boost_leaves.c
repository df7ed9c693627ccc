/*
 * boost_leaves.c: the values of a tree's leaves, and what they add to the scores of the rows.
 */
#include <math.h>

#include "tree/boost_private.h"

ax_status ax_boost_write_leaves(ax_booster *b, ax_error *err)
{
    const leaf *end = b->ends.data;

    if (!ax_boost_growing_room(&b->work.env, &b->values, b->ends.n, sizeof(float)))
        return ax_nomem(err);
    for (int64_t i = 0; i < b->ends.n; i++) {
        double w = ax_boost_leaf_weight(&b->params, end[i].g, end[i].h, end[i].lower, end[i].upper);
        float value = (float) (b->params.learning_rate * w);

        if (!isfinite(value))
            return ax_fail(err, AX_ERR_NUMERIC, "round %d: a leaf's value is not finite", b->rounds + 1);
        *node_at(b, end[i].node) = (ax_tree_node){.feature = -1, .leaf = (int32_t) b->values.n,
                                                  .cover = (float) end[i].h};
        *bin_node_at(b, end[i].node) = (bin_node){.column = -1, .value = value};
        ((float *) b->values.data)[b->values.n++] = value;
    }
    return AX_OK;
}

typedef struct scoring {
    ax_booster *b;
    const stretch *stretch;
    float *score;
    bool valid;
} scoring;

static void add_stretch(void *arg, int task)
{
    scoring *s = arg;
    const stretch *at = &s->stretch[task];
    float value = bin_node_at(s->b, ((leaf *) s->b->ends.data)[at->leaf].node)->value;

    for (int64_t i = at->from; i < at->to; i++)
        s->score[s->b->index[i]] += value;
}

/* Every row of a leaf gets its value. */
static ax_status add_by_leaf(ax_booster *b, float *score, ax_error *err)
{
    scoring s = {.b = b, .score = score};
    stretch *all;
    int n;
    ax_status status;

    all = ax_boost_stretches(b, b->ends.data, b->ends.n, &n);
    if (all == NULL)
        return ax_nomem(err);
    s.stretch = all;
    status = ax_work_run(&b->work, add_stretch, &s, n, err);
    ax_free(&b->work.env, all);
    return status;
}

static uint8_t train_bin(const ax_booster *b, int column, int64_t local)
{
    const tile *t = &b->tile[column / TILE_COLUMNS];

    return t->data[local * t->width + column % TILE_COLUMNS];
}

static uint8_t valid_bin(const ax_booster *b, int column, int64_t local)
{
    return b->valid.bins->data[column * b->valid.bins->stride + global_row(&b->valid, local)];
}

static float walk(const ax_booster *b, bool valid, int64_t row)
{
    const bin_node *first = b->bin_nodes.data, *n = first;
    int32_t base = first_node(b);

    while (n->column >= 0) {
        uint8_t bin = valid ? valid_bin(b, n->column, row) : train_bin(b, n->column, row);
        bool yes = bin == AX_BIN_MISSING ? n->missing_yes : n->equal ? bin == n->bin : bin <= n->bin;

        n = first + ((yes ? n->yes : n->no) - base);
    }
    return n->value;
}

static void walk_task(void *arg, int block)
{
    scoring *s = arg;
    int64_t n = s->valid ? s->b->valid.n : s->b->n;
    int64_t from = (int64_t) block * ROW_BLOCK, to = AX_MIN(n, from + ROW_BLOCK);

    for (int64_t i = from; i < to; i++) {
        if (i % CHUNK == 0 && ax_work_stopped(&s->b->work))
            return;
        s->score[i] += walk(s->b, s->valid, i);
    }
}

static ax_status add_by_walk(ax_booster *b, bool valid, float *score, ax_error *err)
{
    scoring s = {.b = b, .score = score, .valid = valid};

    return ax_work_run(&b->work, walk_task, &s, (int) block_count(valid ? b->valid.n : b->n), err);
}

ax_status ax_boost_add_tree(ax_booster *b, int output, ax_error *err)
{
    float *score = b->score + output * b->n;

    if (b->sampled == b->n)
        AX_TRY(add_by_leaf(b, score, err));
    else
        AX_TRY(add_by_walk(b, false, score, err));
    if (b->valid.bins == NULL)
        return AX_OK;
    return add_by_walk(b, true, b->valid_score + output * b->valid.n, err);
}
