/*
 * boost.c: the booster: what it is made of, its rounds, and the forest. See boost.h and boost_private.h.
 */
#include "tree/boost.h"

#include <math.h>

#include "tree/boost_private.h"

#define HIST_BYTES ((size_t) 128 << 20) /* of all slots, at most; but four there are */
#define MAX_SLOTS  128

/* ---- making ------------------------------------------------------------------------------------ */

static void free_growing(ax_booster *b, growing *a)
{
    ax_free(&b->work.env, a->data);
}

void ax_booster_free(ax_booster *b)
{
    ax_env env;

    if (b == NULL)
        return;
    env = b->work.env;
    for (int t = 0; t < b->tiles && b->tile != NULL; t++)
        ax_free(&env, b->tile[t].data);
    void *const owned[] = {b->tile,      b->index,     b->other, b->gradient, b->score, b->valid_score, b->norm,
                           b->base,      b->block_sum, b->hist,  b->partial,  b->free_slot, b->mask,    b->tree_mask,
                           b->pick,      b->found,     b->gain,  b->count,    b->monotone,  b->round_gain};
    growing *const grown[] = {&b->leaves, &b->ends,  &b->bin_nodes, &b->nodes,
                              &b->values, &b->roots, &b->ats,       &b->round_nodes};

    for (int i = 0; i < AX_COUNT(owned); i++)
        ax_free(&env, owned[i]);
    for (int i = 0; i < AX_COUNT(grown); i++)
        free_growing(b, grown[i]);
    ax_free(&env, b);
}

/* An array of the booster: *out; false when there is no room. */
#define TAKE(out, count) (((out) = take(b, (size_t) (count), sizeof(*(out)))) != NULL)

static void *take(const ax_booster *b, size_t count, size_t size)
{
    size_t bytes;

    return ax_mul_size(count, size, &bytes) ? ax_alloc_large(&b->work.env, bytes) : NULL;
}

static bool take_rows(ax_booster *b)
{
    int64_t blocks = AX_MAX(block_count(b->n), block_count(b->valid.n)), outputs = b->outputs;

    return TAKE(b->index, b->n) && TAKE(b->other, b->n) && TAKE(b->gradient, b->n) && TAKE(b->score, outputs * b->n) &&
           (b->valid.bins == NULL || TAKE(b->valid_score, outputs * b->valid.n)) &&
           (b->params.loss != AX_BOOST_SOFTMAX || TAKE(b->norm, b->n)) && TAKE(b->base, outputs) &&
           TAKE(b->block_sum, 2 * blocks);
}

/* Slots for the leaves that wait, as far as they are not too large. */
static bool take_histograms(ax_booster *b)
{
    size_t slot = (size_t) b->slot_size * sizeof(pair_sum);
    int64_t slots = AX_MIN((int64_t) (HIST_BYTES / AX_MAX(slot, 1)), MAX_SLOTS);

    if (b->params.max_depth > 0 && b->params.max_depth < 7)
        slots = AX_MIN(slots, (int64_t) 1 << b->params.max_depth);
    b->slots = (int) AX_MAX(slots, 4);
    b->batch = b->slots / 2;
    return TAKE(b->hist, b->slots * b->slot_size) && TAKE(b->partial, b->parts * b->slot_size) &&
           TAKE(b->free_slot, b->slots) && TAKE(b->mask, (int64_t) 2 * b->batch * b->columns) &&
           TAKE(b->tree_mask, b->columns) && TAKE(b->pick, b->columns) &&
           TAKE(b->found, (int64_t) 2 * b->batch * b->tiles);
}

static bool take_columns(ax_booster *b)
{
    if (!TAKE(b->gain, b->columns) || !TAKE(b->count, b->columns) || !TAKE(b->round_gain, 2 * (int64_t) b->columns))
        return false;
    memset(b->gain, 0, (size_t) b->columns * sizeof(double));
    memset(b->count, 0, (size_t) b->columns * sizeof(double));
    memset(b->round_gain, 0, 2 * (size_t) b->columns * sizeof(double));
    if (b->params.monotone == NULL)
        return true;
    if (!TAKE(b->monotone, b->columns))
        return false;
    memcpy(b->monotone, b->params.monotone, (size_t) b->columns);
    return true;
}

static ax_status start_scores(ax_booster *b, float *score, int64_t n, ax_error *err)
{
    for (int k = 0; k < b->outputs; k++)
        for (int64_t i = 0; i < n; i++) {
            if (i % ROW_BLOCK == 0 && !ax_may_continue(&b->work.env))
                return ax_cancelled(err);
            score[k * n + i] = b->base[k];
        }
    return AX_OK;
}

static ax_status set_up(ax_booster *b, ax_error *err)
{
    AX_TRY(ax_boost_make_tiles(b, err));
    if (!take_rows(b) || !take_histograms(b) || !take_columns(b))
        return ax_nomem(err);
    memset(b->base, 0, (size_t) b->outputs * sizeof(*b->base));
    AX_TRY(start_scores(b, b->score, b->n, err)); /* zero: what is left of the targets is they themselves */
    AX_TRY(ax_boost_loss_base(b, err));
    AX_TRY(start_scores(b, b->score, b->n, err));
    return b->valid.bins != NULL ? start_scores(b, b->valid_score, b->valid.n, err) : AX_OK;
}

ax_status ax_booster_create(const ax_env *env, const ax_boost_rows *train, const ax_boost_rows *valid,
                            const ax_boost_params *params, ax_pool *pool, ax_booster **out, ax_error *err)
{
    ax_booster *b;
    ax_status status;

    if (train->n < 1)
        return ax_fail(err, AX_ERR_INVALID, "there is no row to train with");
    b = ax_zalloc(env, sizeof(*b));
    if (b == NULL)
        return ax_nomem(err);
    b->work = (ax_work){.env = *env, .pool = pool};
    b->params = *params;
    b->train = *train;
    if (valid != NULL && valid->n > 0)
        b->valid = *valid;
    b->columns = train->bins->columns;
    b->outputs = params->loss == AX_BOOST_SOFTMAX ? AX_MAX(params->n_classes, 1) : 1;
    b->n = train->n;
    b->best_loss = INFINITY;
    status = set_up(b, err);
    if (status != AX_OK) {
        ax_booster_free(b);
        return status;
    }
    *out = b;
    return AX_OK;
}

/* ---- rounds ------------------------------------------------------------------------------------ */

/* The rows of the round: each with the same chance. */
static ax_status sample_rows(ax_booster *b, ax_error *err)
{
    uint64_t key = ax_rng_make(b->params.seed, (uint64_t) b->rounds ^ (UINT64_C(9) << 60)).key;
    uint64_t limit = (uint64_t) (AX_MAX(b->params.subsample, 0) * 0x1p53);
    bool all = b->params.subsample >= 1;

    b->sampled = 0;
    for (int64_t i = 0; i < b->n; i++) {
        if (i % ROW_BLOCK == 0 && !ax_may_continue(&b->work.env))
            return ax_cancelled(err);
        b->index[b->sampled] = (int32_t) i;
        b->sampled += all || (ax_rng_at(key, (uint64_t) i) >> 11) < limit;
    }
    return AX_OK;
}

/* Is the training over, by the loss of valid? */
static ax_status watch(ax_booster *b, ax_error *err)
{
    size_t bytes = (size_t) b->columns * sizeof(double);

    if (b->params.early_stopping_rounds <= 0 || b->valid.bins == NULL) {
        b->best_round = b->rounds;
        return AX_OK;
    }
    AX_TRY(ax_boost_loss_mean(b, true, &b->valid_loss, err));
    if (b->valid_loss < b->best_loss || b->best_round == 0) {
        b->best_loss = b->valid_loss;
        b->best_round = b->rounds;
        memcpy(b->round_gain, b->gain, bytes);
        memcpy(b->round_gain + b->columns, b->count, bytes);
    }
    b->finished = b->rounds - b->best_round >= b->params.early_stopping_rounds;
    return AX_OK;
}

static ax_status grow_round(ax_booster *b, ax_error *err)
{
    AX_TRY(ax_boost_loss_prepare(b, err));
    for (int k = 0; k < b->outputs; k++) {
        AX_TRY(ax_boost_loss_gradients(b, k, err));
        AX_TRY(sample_rows(b, err));
        AX_TRY(ax_boost_grow_tree(b, k, err));
    }
    if (!ax_boost_growing_room(&b->work.env, &b->round_nodes, 2, sizeof(int64_t)))
        return ax_nomem(err);
    return AX_OK;
}

ax_status ax_booster_round(ax_booster *b, bool *done, ax_error *err)
{
    int64_t *after;

    if (b->finished || b->rounds >= b->params.rounds) {
        *done = true;
        return AX_OK;
    }
    AX_TRY(grow_round(b, err));
    after = (int64_t *) b->round_nodes.data + b->round_nodes.n;
    after[0] = b->nodes.n;
    after[1] = b->values.n;
    b->round_nodes.n += 2;
    b->rounds++;
    b->loss_known = false;
    AX_TRY(watch(b, err));
    b->finished = b->finished || b->rounds >= b->params.rounds;
    *done = b->finished;
    return AX_OK;
}

int ax_booster_rounds(const ax_booster *b)
{
    return b->rounds;
}

int ax_booster_best_round(const ax_booster *b)
{
    return b->best_round;
}

/* The losses are found when somebody asks; what keeps them is no part of the booster's state that shows. */
void ax_booster_loss(const ax_booster *booster, double *train, double *valid)
{
    ax_booster *b = (ax_booster *) booster;
    ax_error err;

    if (!b->loss_known) {
        b->train_loss = b->valid_loss = NAN;
        b->loss_known = ax_boost_loss_mean(b, false, &b->train_loss, &err) == AX_OK;
        if (b->valid.bins != NULL && ax_boost_loss_mean(b, true, &b->valid_loss, &err) != AX_OK)
            b->loss_known = false;
    }
    *train = b->train_loss;
    *valid = b->valid_loss;
}

/* ---- what came of it ---------------------------------------------------------------------------- */

const ax_forest *ax_booster_forest(ax_booster *b, ax_error *err)
{
    const int64_t *after = b->best_round > 0 ? (int64_t *) b->round_nodes.data + 2 * (b->best_round - 1) : NULL;

    b->forest = (ax_forest){.n_features = b->columns,
                            .n_outputs = b->outputs,
                            .width = 1,
                            .base = b->base,
                            .n_trees = b->best_round * b->outputs,
                            .root = b->roots.data,
                            .at = b->ats.data,
                            .n_nodes = after != NULL ? after[0] : 0,
                            .node = b->nodes.data,
                            .n_values = after != NULL ? after[1] : 0,
                            .value = b->values.data};
    return &b->forest;
}

void ax_booster_importance(const ax_booster *b, double *gain, double *count)
{
    bool best = b->best_round < b->rounds;
    size_t bytes = (size_t) b->columns * sizeof(double);

    memcpy(gain, best ? b->round_gain : b->gain, bytes);
    memcpy(count, best ? b->round_gain + b->columns : b->count, bytes);
}
