/*
 * ensemble.c: see ensemble.h. Ids are found through a hash. That it is trees, and no cycle is in them, follows from
 * counting: no node has two parents, each tree has one node without a parent, and all nodes are met on the way down
 * from these. Nothing recurses.
 */
#include "graph/ensemble.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "graph/op.h"
#include "tensor/tree.h"

#define MOST_OUTPUTS 65536
#define POLL 0xffff /* nodes between two questions whether to go on */

/* The attributes as they are. */
typedef struct source {
    const ax_node *node;
    ax_arena *arena;
    ax_error *err;
    int n;
    const int64_t *tree, *id, *feature, *yes, *no, *missing; /* (n); missing may be NULL */
    const float *value, *hitrate;                            /* hitrate may be NULL */
    const char *const *mode;
    int n_targets;
    const int64_t *target_tree, *target_node, *target_output; /* (n_targets) */
    const float *target_weight;
    int32_t *slot; /* hash of (tree, id): number + 1, 0 is free; NULL where all is in order */
    int n_slots;
    int32_t *start; /* in order: the first node of each tree, their trees ascending */
    int n_starts, near; /* near: the tree that was asked for last */
    int32_t *child; /* (2 n) of a branch: yes and no, -1 in a leaf */
    int32_t *parent;
} source;

static ax_status AX_PRINTF(2, 3) fail(source *s, const char *fmt, ...)
{
    char text[AX_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return ax_fail(s->err, AX_ERR_INVALID, "node \"%s\" (%s): %s", s->node->name, s->node->op->type, text);
}

static ax_status go_on(const source *s, int i)
{
    if ((i & POLL) == POLL && !ax_may_continue(&s->arena->env))
        return ax_cancelled(s->err);
    return AX_OK;
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* A list of n; *count -1: it may have any length, which is noted. NULL where it is left out. */
static ax_status list(source *s, const char *name, bool needed, int *count, const ax_attr **out)
{
    *out = ax_node_attr(s->node, name);
    if (*out == NULL)
        return needed ? fail(s, "attribute %s is missing", name) : AX_OK;
    if (*count < 0)
        *count = (*out)->count;
    if (!needed && (*out)->count == 0)
        *out = NULL;
    else if ((*out)->count != *count)
        return fail(s, "%s has %d entries, not %d", name, (*out)->count, *count);
    return AX_OK;
}

static ax_status ints(source *s, const char *name, bool needed, int *count, const int64_t **out)
{
    const ax_attr *a;

    AX_TRY(list(s, name, needed, count, &a));
    *out = a != NULL ? a->ints : NULL;
    return AX_OK;
}

static ax_status floats(source *s, const char *name, bool needed, int *count, const float **out)
{
    const ax_attr *a;

    AX_TRY(list(s, name, needed, count, &a));
    *out = a != NULL ? a->floats : NULL;
    return AX_OK;
}

static ax_status read_lists(source *s)
{
    const ax_attr *mode;

    s->n = s->n_targets = -1;
    AX_TRY(ints(s, "nodes_treeids", true, &s->n, &s->tree));
    AX_TRY(ints(s, "nodes_nodeids", true, &s->n, &s->id));
    AX_TRY(ints(s, "nodes_featureids", true, &s->n, &s->feature));
    AX_TRY(ints(s, "nodes_truenodeids", true, &s->n, &s->yes));
    AX_TRY(ints(s, "nodes_falsenodeids", true, &s->n, &s->no));
    AX_TRY(ints(s, "nodes_missing_value_tracks_true", false, &s->n, &s->missing));
    AX_TRY(floats(s, "nodes_values", true, &s->n, &s->value));
    AX_TRY(floats(s, "nodes_hitrates", false, &s->n, &s->hitrate));
    AX_TRY(list(s, "nodes_modes", true, &s->n, &mode));
    s->mode = mode->strings;
    AX_TRY(ints(s, "target_treeids", true, &s->n_targets, &s->target_tree));
    AX_TRY(ints(s, "target_nodeids", true, &s->n_targets, &s->target_node));
    AX_TRY(ints(s, "target_ids", true, &s->n_targets, &s->target_output));
    AX_TRY(floats(s, "target_weights", true, &s->n_targets, &s->target_weight));
    return s->n > 0 ? AX_OK : fail(s, "there are no trees");
}

static ax_status read_settings(source *s, ax_ensemble *e)
{
    static const char *const names[] = {"SUM", "AVERAGE", "MIN", "MAX"};
    const char *aggregate = ax_node_string(s->node, "aggregate_function", "SUM");
    const char *transform = ax_node_string(s->node, "post_transform", "NONE");
    int64_t outputs = ax_node_int(s->node, "n_targets", 1);
    int k = 0;

    if (strcmp(transform, "NONE") != 0)
        return ax_fail(s->err, AX_ERR_UNSUPPORTED, "node \"%s\" (%s): post_transform %.32s is not supported",
                       s->node->name, s->node->op->type, transform);
    if (outputs < 1 || outputs > MOST_OUTPUTS)
        return fail(s, "n_targets is %lld; 1 to %d are possible", (long long) outputs, MOST_OUTPUTS);
    e->n_outputs = (int32_t) outputs;
    while (k < AX_COUNT(names) && strcmp(names[k], aggregate) != 0)
        k++;
    if (k == AX_COUNT(names))
        return fail(s, "there is no aggregate_function \"%.32s\"", aggregate);
    e->aggregate = (ax_aggregate) k;
    return floats(s, "base_values", false, &e->n_outputs, &e->base);
}

/* ---- links ----------------------------------------------------------------------------------- */

/* Trees ascending, the nodes of each numbered from 0, as this engine writes them: nothing has to be looked up then. */
static ax_status find_order(source *s, bool *ordered)
{
    int trees = 0;

    *ordered = true;
    for (int i = 0; i < s->n && *ordered; i++) {
        bool first = i == 0 || s->tree[i] != s->tree[i - 1];

        *ordered = first ? s->id[i] == 0 && (i == 0 || s->tree[i] > s->tree[i - 1]) : s->id[i] == s->id[i - 1] + 1;
        trees += first;
    }
    if (!*ordered)
        return AX_OK;
    s->start = ax_arena_array(s->arena, (size_t) trees + 1, sizeof(int32_t));
    if (s->start == NULL)
        return ax_nomem(s->err);
    for (int i = 0; i < s->n; i++)
        if (s->id[i] == 0)
            s->start[s->n_starts++] = i;
    s->start[s->n_starts] = s->n;
    return AX_OK;
}

static int32_t find_in_order(source *s, int64_t tree, int64_t id)
{
    int low = 0, high = s->n_starts - 1;

    if (s->tree[s->start[s->near]] != tree) {
        while (low < high) {
            int middle = low + (high - low + 1) / 2;

            if (s->tree[s->start[middle]] <= tree)
                low = middle;
            else
                high = middle - 1;
        }
        s->near = low;
    }
    if (s->tree[s->start[s->near]] != tree || id < 0 || id >= s->start[s->near + 1] - s->start[s->near])
        return -1;
    return s->start[s->near] + (int32_t) id;
}

/* The slot of a node's id, or the free one where it belongs. */
static int32_t *find_slot(const source *s, int64_t tree, int64_t id)
{
    uint64_t mask = (uint64_t) s->n_slots - 1;
    uint64_t at = ax_rng_at((uint64_t) tree, (uint64_t) id) & mask;

    for (int32_t i; (i = s->slot[at]) != 0; at = (at + 1) & mask)
        if (s->tree[i - 1] == tree && s->id[i - 1] == id)
            break;
    return &s->slot[at];
}

/* The number of a node; -1: there is none. */
static int32_t find_node(source *s, int64_t tree, int64_t id)
{
    return s->slot == NULL ? find_in_order(s, tree, id) : *find_slot(s, tree, id) - 1;
}

static ax_status index_nodes(source *s)
{
    bool ordered;

    AX_TRY(find_order(s, &ordered));
    if (ordered)
        return AX_OK;
    s->n_slots = 4;
    while (s->n_slots < 2 * s->n)
        s->n_slots *= 2;
    s->slot = ax_arena_array(s->arena, (size_t) s->n_slots, sizeof(int32_t));
    if (s->slot == NULL)
        return ax_nomem(s->err);
    for (int i = 0; i < s->n; i++) {
        int32_t *slot = find_slot(s, s->tree[i], s->id[i]);

        AX_TRY(go_on(s, i));
        if (*slot != 0)
            return fail(s, "tree %lld has node %lld twice", (long long) s->tree[i], (long long) s->id[i]);
        *slot = i + 1;
    }
    return AX_OK;
}

static ax_status link_child(source *s, int i, int64_t id, int32_t *out)
{
    int32_t child = find_node(s, s->tree[i], id);

    if (child < 0)
        return fail(s, "node %lld of tree %lld leads to node %lld, which is not there", (long long) s->id[i],
                    (long long) s->tree[i], (long long) id);
    if (s->parent[child] >= 0)
        return fail(s, "node %lld of tree %lld has two parents", (long long) id, (long long) s->tree[i]);
    s->parent[child] = i;
    *out = child;
    return AX_OK;
}

static ax_status link_nodes(source *s)
{
    s->child = ax_arena_array(s->arena, 2 * (size_t) s->n, sizeof(int32_t));
    s->parent = ax_arena_array(s->arena, (size_t) s->n, sizeof(int32_t));
    if (s->child == NULL || s->parent == NULL)
        return ax_nomem(s->err);
    for (int i = 0; i < s->n; i++)
        s->parent[i] = s->child[2 * i] = s->child[2 * i + 1] = -1;
    for (int i = 0; i < s->n; i++) {
        AX_TRY(go_on(s, i));
        if (strcmp(s->mode[i], "LEAF") == 0)
            continue;
        AX_TRY(link_child(s, i, s->yes[i], &s->child[2 * i]));
        AX_TRY(link_child(s, i, s->no[i], &s->child[2 * i + 1]));
    }
    return AX_OK;
}

/* ---- branches -------------------------------------------------------------------------------- */

static void exchange_children(source *s, int i)
{
    int32_t yes = s->child[2 * i];

    s->child[2 * i] = s->child[2 * i + 1];
    s->child[2 * i + 1] = yes;
}

/* The six modes as the two that there are. */
static ax_status read_mode(source *s, int i, ax_ensemble_node *n)
{
    enum { LEQ, EQ, LT, GT, NEQ, GTE };
    static const char *const names[] = {"BRANCH_LEQ", "BRANCH_EQ",  "BRANCH_LT",
                                        "BRANCH_GT",  "BRANCH_NEQ", "BRANCH_GTE"};
    int mode = 0;

    while (mode < AX_COUNT(names) && strcmp(names[mode], s->mode[i]) != 0)
        mode++;
    if (mode == AX_COUNT(names))
        return fail(s, "there is no mode \"%.32s\"", s->mode[i]);
    n->threshold = s->value[i];
    n->missing_yes = s->missing != NULL && s->missing[i] != 0;
    n->equal = mode == EQ || mode == NEQ;
    if (mode == LT || mode == GTE) {
        n->equal = n->threshold == -INFINITY; /* nothing is below it, as nothing is equal to NaN */
        n->threshold = n->equal ? NAN : nextafterf(n->threshold, -INFINITY);
    }
    if (mode < GT || (mode != NEQ && isnan(s->value[i])))
        return AX_OK; /* nothing is <, =, > NaN */
    /* NaN is not equal to anything: != sends it to yes anyway; > and >= send it to no unless told otherwise */
    n->missing_yes = mode != NEQ && !n->missing_yes;
    exchange_children(s, i);
    return AX_OK;
}

static ax_status read_node(source *s, int i, ax_ensemble *e, ax_ensemble_node *n)
{
    *n = (ax_ensemble_node){.feature = -1, .source = i};
    n->cover = s->hitrate != NULL ? s->hitrate[i] : 0;
    if (s->child[2 * i] < 0)
        return AX_OK;
    if (s->feature[i] < 0 || s->feature[i] >= AX_TREE_FEATURE)
        return fail(s, "node %lld of tree %lld asks for feature %lld", (long long) s->id[i], (long long) s->tree[i],
                    (long long) s->feature[i]);
    n->feature = (int32_t) s->feature[i];
    e->n_features = AX_MAX(e->n_features, n->feature + 1);
    return read_mode(s, i, n);
}

/* One tree, level by level, from its root at node `from` on. */
static ax_status place_tree(source *s, ax_ensemble *e, int root, int32_t *placed)
{
    int32_t from = *placed, end = from + 1, level_end = end;
    int32_t tree = e->n_trees++;

    e->root[tree] = from;
    e->node[from].source = root;
    for (int32_t at = from; at < end; at++) {
        ax_ensemble_node *n = &e->node[at];
        int i = n->source;

        AX_TRY(go_on(s, at));
        if (at == level_end) {
            level_end = end;
            e->depth[tree]++;
        }
        AX_TRY(read_node(s, i, e, n));
        if (n->feature < 0)
            continue;
        n->next = end;
        e->node[end++].source = s->child[2 * i];
        e->node[end++].source = s->child[2 * i + 1];
    }
    *placed = end;
    return AX_OK;
}

/* The trees come in the order of their roots. What is in a cycle is not met. */
static ax_status place_trees(source *s, ax_ensemble *e)
{
    int32_t placed = 0;
    int roots = 0;

    for (int i = 0; i < s->n; i++)
        roots += s->parent[i] < 0;
    e->node = ax_arena_array(s->arena, (size_t) s->n, sizeof(*e->node));
    e->root = ax_arena_array(s->arena, (size_t) roots, sizeof(int32_t));
    e->depth = ax_arena_array(s->arena, (size_t) roots, sizeof(int32_t));
    if (e->node == NULL || e->root == NULL || e->depth == NULL)
        return ax_nomem(s->err);
    for (int i = 0; i < s->n; i++)
        if (s->parent[i] < 0)
            AX_TRY(place_tree(s, e, i, &placed));
    e->n_nodes = placed;
    return placed == s->n ? AX_OK : fail(s, "a tree has a cycle");
}

/* No two roots are of one tree: in order they would follow one another. */
static ax_status check_roots(source *s, const ax_ensemble *e)
{
    for (int t = 1; s->slot == NULL && t < e->n_trees; t++)
        if (s->tree[e->node[e->root[t]].source] == s->tree[e->node[e->root[t - 1]].source])
            return fail(s, "tree %lld has two roots", (long long) s->tree[e->node[e->root[t]].source]);
    if (s->slot == NULL)
        return AX_OK;
    memset(s->slot, 0, (size_t) s->n_slots * sizeof(int32_t));
    for (int t = 0; t < e->n_trees; t++) {
        int32_t i = e->node[e->root[t]].source;
        uint64_t mask = (uint64_t) s->n_slots - 1, at = ax_rng_at((uint64_t) s->tree[i], 0) & mask;

        for (; s->slot[at] != 0; at = (at + 1) & mask)
            if (s->tree[s->slot[at] - 1] == s->tree[i])
                return fail(s, "tree %lld has two roots", (long long) s->tree[i]);
        s->slot[at] = i + 1;
    }
    return AX_OK;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

/* The leaf of each target, by its number in the attributes. */
static ax_status find_leaves(source *s, const ax_ensemble *e, int32_t *leaf)
{
    for (int k = 0; k < s->n_targets; k++) {
        int32_t i = find_node(s, s->target_tree[k], s->target_node[k]);

        AX_TRY(go_on(s, k));
        if (i < 0 || s->child[2 * i] >= 0)
            return fail(s, "node %lld of tree %lld is no leaf, and has a weight", (long long) s->target_node[k],
                        (long long) s->target_tree[k]);
        if (s->target_output[k] < 0 || s->target_output[k] >= e->n_outputs)
            return fail(s, "a leaf adds to output %lld of %d", (long long) s->target_output[k], e->n_outputs);
        leaf[k] = i;
    }
    return AX_OK;
}

static ax_status place_targets(source *s, ax_ensemble *e, const int32_t *leaf)
{
    int32_t *place = ax_arena_array(s->arena, (size_t) s->n, sizeof(int32_t));

    e->first = ax_arena_array(s->arena, (size_t) s->n + 1, sizeof(int32_t));
    e->output = ax_arena_array(s->arena, (size_t) s->n_targets, sizeof(int32_t));
    e->weight = ax_arena_array(s->arena, (size_t) s->n_targets, sizeof(float));
    if (place == NULL || e->first == NULL || e->output == NULL || e->weight == NULL)
        return ax_nomem(s->err);
    for (int32_t at = 0; at < s->n; at++)
        place[e->node[at].source] = at;
    for (int k = 0; k < s->n_targets; k++)
        e->first[place[leaf[k]] + 1]++;
    for (int32_t at = 0; at < s->n; at++)
        e->first[at + 1] += e->first[at];
    for (int k = s->n_targets - 1; k >= 0; k--) { /* backwards: first[at + 1] moves down to where `at` begins */
        int32_t to = --e->first[place[leaf[k]] + 1];

        e->output[to] = (int32_t) s->target_output[k];
        e->weight[to] = s->target_weight[k];
    }
    memmove(e->first, e->first + 1, (size_t) s->n * sizeof(int32_t));
    e->first[s->n] = s->n_targets;
    return AX_OK;
}

ax_status ax_ensemble_read(const ax_node *n, ax_arena *arena, ax_ensemble *out, ax_error *err)
{
    source s = {.node = n, .arena = arena, .err = err};
    int32_t *leaf;

    *out = (ax_ensemble){0};
    AX_TRY(read_lists(&s));
    AX_TRY(read_settings(&s, out));
    AX_TRY(index_nodes(&s));
    AX_TRY(link_nodes(&s));
    leaf = ax_arena_array(arena, (size_t) s.n_targets, sizeof(int32_t));
    if (leaf == NULL)
        return ax_nomem(err);
    AX_TRY(find_leaves(&s, out, leaf));
    AX_TRY(place_trees(&s, out));
    AX_TRY(check_roots(&s, out));
    return place_targets(&s, out, leaf);
}
