/*
 * boost_grow.c: a tree.
 *
 * The rows of a leaf are a piece of booster.index, in ascending order. Leaves that may be split wait in `leaves` with
 * the best split that was found for them; a step takes some (depth-wise: those of the lowest depth; leaf-wise: the one
 * that gains most), parts their rows, makes the histograms of the children, and searches those. A leaf whose children
 * are at the last depth needs neither.
 *
 * A waiting leaf keeps its histogram in a slot, so that only its smaller child has to read rows. Slots are few: when
 * none is free, the leaf that will be split last loses its own, and both its children read rows.
 */
#include <math.h>

#include "tree/boost_private.h"

bool ax_boost_growing_room(const ax_env *env, growing *a, int64_t more, size_t size)
{
    int64_t room = AX_MAX(a->room, 16);
    void *data;

    while (room < a->n + more)
        room += room / 2;
    if (room == a->room)
        return true;
    data = ax_alloc(env, (size_t) room * size);
    if (data == NULL)
        return false;
    if (a->n > 0)
        memcpy(data, a->data, (size_t) a->n * size);
    ax_free(env, a->data);
    a->data = data;
    a->room = room;
    return true;
}

/* ---- random columns --------------------------------------------------------------------------- */

/* Leaves a share of the columns of a mask, at least one. */
static void thin(ax_booster *b, uint8_t *mask, double share, uint64_t stream)
{
    ax_rng rng = ax_rng_make(b->params.seed, stream);
    int n = 0, wanted;

    if (share >= 1)
        return;
    for (int j = 0; j < b->columns; j++)
        if (mask[j])
            b->pick[n++] = j;
    wanted = AX_MAX(AX_MIN((int) (share * n), n), AX_MIN(n, 1));
    for (int i = 0; i < wanted; i++) {
        int with = i + (int) ax_rng_below(&rng, (uint64_t) (n - i)), column = b->pick[with];

        b->pick[with] = b->pick[i];
        b->pick[i] = column;
    }
    for (int i = wanted; i < n; i++)
        mask[b->pick[i]] = 0;
}

static uint64_t stream_of(const ax_booster *b, int output, int kind, int64_t number)
{
    uint64_t tree = (uint64_t) b->rounds * (uint64_t) b->outputs + (uint64_t) output;

    return (tree << 24) ^ ((uint64_t) kind << 60) ^ (uint64_t) number;
}

static void mask_tree(ax_booster *b, int output)
{
    memset(b->tree_mask, 1, (size_t) b->columns);
    thin(b, b->tree_mask, b->params.colsample_bytree, stream_of(b, output, 1, 0));
}

static void mask_leaf(ax_booster *b, int output, const leaf *l, int at)
{
    uint8_t *mask = b->mask + (int64_t) at * b->columns;

    memcpy(mask, b->tree_mask, (size_t) b->columns);
    thin(b, mask, b->params.colsample_bylevel, stream_of(b, output, 2, l->depth));
    thin(b, mask, b->params.colsample_bynode, stream_of(b, output, 3, l->node));
}

/* ---- nodes ------------------------------------------------------------------------------------ */

static ax_status add_nodes(ax_booster *b, int n, ax_error *err)
{
    const ax_env *env = &b->work.env;

    if (b->nodes.n > INT32_MAX - n)
        return ax_fail(err, AX_ERR_LIMIT, "the trees have more than %d nodes", INT32_MAX);
    if (!ax_boost_growing_room(env, &b->nodes, n, sizeof(ax_tree_node)) ||
        !ax_boost_growing_room(env, &b->bin_nodes, n, sizeof(bin_node)))
        return ax_nomem(err);
    memset((ax_tree_node *) b->nodes.data + b->nodes.n, 0, (size_t) n * sizeof(ax_tree_node));
    memset((bin_node *) b->bin_nodes.data + b->bin_nodes.n, 0, (size_t) n * sizeof(bin_node));
    b->nodes.n += n;
    b->bin_nodes.n += n;
    return AX_OK;
}

static float threshold_of(const ax_bin_column *c, int bin)
{
    if (c->category)
        return c->edge[bin];
    return bin < c->n - 1 ? c->edge[bin] : INFINITY;
}

/* A leaf becomes a branch over two new nodes. */
static ax_status make_branch(ax_booster *b, const leaf *l, ax_error *err)
{
    const split *s = &l->best;
    int32_t yes = (int32_t) b->nodes.n;
    ax_tree_node *n;

    AX_TRY(add_nodes(b, 2, err));
    n = node_at(b, l->node);
    *n = (ax_tree_node){.feature = s->column, .equal = s->equal, .missing_yes = s->missing_yes, .yes = yes,
                        .no = yes + 1, .cover = (float) l->h, .gain = (float) s->gain,
                        .threshold = threshold_of(&b->train.bins->column[s->column], s->bin)};
    *bin_node_at(b, l->node) = (bin_node){.column = s->column, .bin = (uint8_t) s->bin, .equal = s->equal,
                                          .missing_yes = s->missing_yes, .yes = yes, .no = yes + 1};
    b->gain[s->column] += s->gain;
    b->count[s->column] += 1;
    return AX_OK;
}

/* ---- slots ------------------------------------------------------------------------------------ */

static void give_slot(ax_booster *b, leaf *l)
{
    if (l->slot >= 0)
        b->free_slot[b->n_free++] = l->slot;
    l->slot = -1;
}

/* There are at least two slots for each split of a step: somebody who waits has one. */
static int take_slot(ax_booster *b)
{
    leaf *waiting = b->leaves.data;

    for (int64_t i = b->leaves.n - 1; i >= 0 && b->n_free == 0; i--)
        give_slot(b, &waiting[i]);
    return b->free_slot[--b->n_free];
}

/* ---- steps ------------------------------------------------------------------------------------ */

static ax_status end_leaf(ax_booster *b, const leaf *l, ax_error *err)
{
    if (!ax_boost_growing_room(&b->work.env, &b->ends, 1, sizeof(leaf)))
        return ax_nomem(err);
    ((leaf *) b->ends.data)[b->ends.n++] = *l;
    return AX_OK;
}

/* A leaf that was searched waits, or ends here. */
static ax_status settle(ax_booster *b, leaf *l, int at, ax_error *err)
{
    l->best = (split){0};
    for (int t = 0; t < b->tiles; t++)
        if (ax_boost_split_is_better(&b->found[at * b->tiles + t], &l->best))
            l->best = b->found[at * b->tiles + t];
    if (!(l->best.gain > 0)) {
        give_slot(b, l);
        return end_leaf(b, l, err);
    }
    if (!ax_boost_growing_room(&b->work.env, &b->leaves, 1, sizeof(leaf)))
        return ax_nomem(err);
    ((leaf *) b->leaves.data)[b->leaves.n++] = *l;
    return AX_OK;
}

/* Removes those that are split next from `leaves`: at most `most`. */
static int choose(ax_booster *b, leaf *chosen, int most)
{
    leaf *waiting = b->leaves.data;
    int64_t best = 0, kept = 0;
    int n = 0, depth = waiting[0].depth;

    if (!b->params.leaf_wise) {
        for (int64_t i = 0; i < b->leaves.n; i++) {
            if (n < most && waiting[i].depth == depth)
                chosen[n++] = waiting[i];
            else
                waiting[kept++] = waiting[i];
        }
        b->leaves.n = kept;
        return n;
    }
    for (int64_t i = 1; i < b->leaves.n; i++)
        if (waiting[i].best.gain > waiting[best].best.gain)
            best = i;
    chosen[0] = waiting[best];
    memmove(waiting + best, waiting + best + 1, (size_t) (b->leaves.n - best - 1) * sizeof(*waiting));
    b->leaves.n--;
    return 1;
}

/* The values of monotone columns' sides are kept apart by the middle between them. */
static void set_bounds(const ax_booster *b, const leaf *l, leaf *yes, leaf *no)
{
    int way = b->monotone != NULL ? b->monotone[l->best.column] : 0;
    double middle;

    yes->lower = no->lower = l->lower;
    yes->upper = no->upper = l->upper;
    if (way == 0)
        return;
    middle = 0.5 * (ax_boost_leaf_weight(&b->params, yes->g, yes->h, l->lower, l->upper) +
                    ax_boost_leaf_weight(&b->params, no->g, no->h, l->lower, l->upper));
    if (way > 0)
        yes->upper = no->lower = middle;
    else
        yes->lower = no->upper = middle;
}

static void make_children(const ax_booster *b, const leaf *l, int64_t n_yes, int32_t node, leaf *yes, leaf *no)
{
    *yes = (leaf){.node = node, .depth = l->depth + 1, .from = l->from, .to = l->from + n_yes, .g = l->best.g_yes,
                  .h = l->best.h_yes, .slot = -1};
    *no = (leaf){.node = node + 1, .depth = l->depth + 1, .from = l->from + n_yes, .to = l->to, .g = l->best.g_no,
                 .h = l->best.h_no, .slot = -1};
    set_bounds(b, l, yes, no);
}

/* What a step works on. */
typedef struct step {
    leaf *chosen;       /* (batch) */
    leaf *child;        /* (2 * batch) */
    sibling_pair *pair; /* (batch) */
    int64_t *yes;       /* (batch) */
    int output;
    int pairs;
    int64_t made;       /* leaves of the tree, so far */
} step;

static bool may_grow(const ax_booster *b, const leaf *l)
{
    return b->params.max_depth <= 0 || l->depth < b->params.max_depth;
}

/* Slots and masks for the children of a leaf, which has just lost its rows to them. */
static void prepare_pair(ax_booster *b, step *s, leaf *l, leaf *yes, leaf *no)
{
    bool yes_is_small = yes->to - yes->from <= no->to - no->from;
    sibling_pair *p = &s->pair[s->pairs];

    *p = (sibling_pair){.small = yes_is_small ? yes : no, .large = yes_is_small ? no : yes, .both = l->slot < 0};
    p->large->slot = l->slot >= 0 ? l->slot : take_slot(b);
    p->small->slot = take_slot(b);
    mask_leaf(b, s->output, p->small, 2 * s->pairs);
    mask_leaf(b, s->output, p->large, 2 * s->pairs + 1);
    s->pairs++;
}

/* A split that parts no rows (the sums are rounded) is none. */
static ax_status split_leaf(ax_booster *b, step *s, int i, ax_error *err)
{
    leaf *l = &s->chosen[i], *yes = &s->child[2 * i], *no = yes + 1;

    if (s->yes[i] == 0 || s->yes[i] == l->to - l->from) {
        give_slot(b, l);
        return end_leaf(b, l, err);
    }
    make_children(b, l, s->yes[i], (int32_t) b->nodes.n, yes, no);
    AX_TRY(make_branch(b, l, err));
    s->made++;
    if (may_grow(b, yes)) {
        prepare_pair(b, s, l, yes, no);
        return AX_OK;
    }
    give_slot(b, l);
    AX_TRY(end_leaf(b, yes, err));
    return end_leaf(b, no, err);
}

static ax_status grow_step(ax_booster *b, step *s, ax_error *err)
{
    int most = b->batch, n;

    if (b->params.max_leaves > 0)
        most = (int) AX_MIN(most, b->params.max_leaves - s->made);
    n = choose(b, s->chosen, most);
    AX_TRY(ax_boost_part_rows(b, s->chosen, n, s->yes, err));
    s->pairs = 0;
    for (int i = 0; i < n; i++)
        AX_TRY(split_leaf(b, s, i, err));
    if (s->pairs == 0)
        return AX_OK;
    AX_TRY(ax_boost_make_histograms(b, s->pair, s->pairs, err));
    for (int i = 0; i < s->pairs; i++) {
        bool yes_first = s->pair[i].small->node < s->pair[i].large->node;

        AX_TRY(settle(b, yes_first ? s->pair[i].small : s->pair[i].large, 2 * i + !yes_first, err));
        AX_TRY(settle(b, yes_first ? s->pair[i].large : s->pair[i].small, 2 * i + yes_first, err));
    }
    return AX_OK;
}

static ax_status grow_root(ax_booster *b, int output, ax_error *err)
{
    leaf root = {.from = 0, .to = b->sampled, .lower = -INFINITY, .upper = INFINITY};
    sibling_pair pair = {.small = &root};

    root.node = (int32_t) b->nodes.n;
    ((int32_t *) b->roots.data)[b->roots.n++] = root.node;
    ((int32_t *) b->ats.data)[b->ats.n++] = output;
    AX_TRY(add_nodes(b, 1, err));
    root.slot = take_slot(b);
    mask_leaf(b, output, &root, 0);
    AX_TRY(ax_boost_make_histograms(b, &pair, 1, err));
    return settle(b, &root, 0, err);
}

static ax_status grow_all(ax_booster *b, step *s, ax_error *err)
{
    while (b->leaves.n > 0 && (b->params.max_leaves <= 0 || s->made < b->params.max_leaves)) {
        AX_TRY(grow_step(b, s, err));
        if (!ax_may_continue(&b->work.env))
            return ax_cancelled(err);
    }
    for (int64_t i = 0; i < b->leaves.n; i++) {
        leaf *l = (leaf *) b->leaves.data + i;

        give_slot(b, l);
        AX_TRY(end_leaf(b, l, err));
    }
    b->leaves.n = 0;
    return AX_OK;
}

static ax_status grow_branches(ax_booster *b, int output, ax_error *err)
{
    const ax_env *env = &b->work.env;
    size_t batch = (size_t) b->batch;
    step s = {.output = output, .made = 1};
    ax_status status = AX_ERR_NOMEM;

    s.chosen = ax_alloc(env, batch * sizeof(*s.chosen));
    s.child = ax_alloc(env, 2 * batch * sizeof(*s.child));
    s.pair = ax_alloc(env, batch * sizeof(*s.pair));
    s.yes = ax_alloc(env, batch * sizeof(*s.yes));
    if (s.chosen != NULL && s.child != NULL && s.pair != NULL && s.yes != NULL)
        status = grow_all(b, &s, err);
    else
        ax_nomem(err);
    ax_free(env, s.chosen);
    ax_free(env, s.child);
    ax_free(env, s.pair);
    ax_free(env, s.yes);
    return status;
}

static void start_tree(ax_booster *b, int output)
{
    b->leaves.n = b->ends.n = b->bin_nodes.n = 0;
    b->n_free = b->slots;
    for (int i = 0; i < b->slots; i++)
        b->free_slot[i] = i;
    mask_tree(b, output);
}

ax_status ax_boost_grow_tree(ax_booster *b, int output, ax_error *err)
{
    const ax_env *env = &b->work.env;

    start_tree(b, output);
    if (!ax_boost_growing_room(env, &b->roots, 1, sizeof(int32_t)) ||
        !ax_boost_growing_room(env, &b->ats, 1, sizeof(int32_t)))
        return ax_nomem(err);
    AX_TRY(grow_root(b, output, err));
    AX_TRY(grow_branches(b, output, err));
    AX_TRY(ax_boost_write_leaves(b, err));
    if (ax_boost_loss_has_quantile_leaves(b))
        AX_TRY(ax_boost_loss_quantile_leaves(b, err));
    return ax_boost_add_tree(b, output, err);
}
