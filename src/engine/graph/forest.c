/*
 * forest.c: a forest as a node of a graph, and a node as a forest (forest.h).
 */
#include "graph/forest.h"

#include "graph/ensemble.h"
#include "graph/op.h"

/* ---- forest -> node -------------------------------------------------------------------------- */

/* The lists of the attributes, and where they stand: trees one after the other, nodes in the forest's order. */
typedef struct lists {
    const ax_forest *f;
    ax_arena *arena;
    ax_error *err;
    int64_t n, targets;
    int32_t *tree, *id; /* (n_nodes of the forest) of each node: its tree, -1: of none; its number there */
    int64_t *start;     /* (n_trees + 1) */
    int64_t *treeids, *nodeids, *featureids, *yes, *no, *missing;
    float *values, *hitrates, *weights;
    const char **modes;
    int64_t *target_treeids, *target_nodeids, *target_ids;
} lists;

static ax_status wrong(const lists *l, int64_t node)
{
    return ax_fail(l->err, AX_ERR_INVALID, "node %lld of the forest is not in place", (long long) node);
}

static ax_status enter(lists *l, int64_t from, int32_t child, int32_t tree)
{
    if (child <= from || child >= l->f->n_nodes || l->tree[child] >= 0)
        return wrong(l, child);
    l->tree[child] = tree;
    return AX_OK;
}

/* Children stand behind their parents, so one pass tells every node its tree. */
static ax_status find_trees(lists *l)
{
    const ax_forest *f = l->f;

    for (int64_t i = 0; i < f->n_nodes; i++)
        l->tree[i] = -1;
    for (int t = 0; t < f->n_trees; t++)
        AX_TRY(enter(l, -1, f->root[t], t));
    for (int64_t i = 0; i < f->n_nodes; i++) {
        const ax_tree_node *n = &f->node[i];

        if (l->tree[i] < 0)
            return wrong(l, i);
        l->id[i] = (int32_t) l->start[l->tree[i] + 1]++;
        if (n->feature >= 0) {
            AX_TRY(enter(l, i, n->yes, l->tree[i]));
            AX_TRY(enter(l, i, n->no, l->tree[i]));
        } else if (n->leaf < 0 || n->leaf > f->n_values - f->width) {
            return wrong(l, i);
        } else {
            l->targets += f->width;
        }
    }
    for (int t = 0; t < f->n_trees; t++)
        l->start[t + 1] += l->start[t];
    return AX_OK;
}

static bool allocate_lists(lists *l)
{
    size_t n = (size_t) l->f->n_nodes, m = (size_t) l->targets;
    int64_t **ints[] = {&l->treeids, &l->nodeids, &l->featureids, &l->yes, &l->no, &l->missing};
    int64_t **targets[] = {&l->target_treeids, &l->target_nodeids, &l->target_ids};
    bool all = true;

    for (int k = 0; k < AX_COUNT(ints); k++)
        all &= (*ints[k] = ax_arena_array(l->arena, n, sizeof(int64_t))) != NULL;
    for (int k = 0; k < AX_COUNT(targets); k++)
        all &= (*targets[k] = ax_arena_array(l->arena, m, sizeof(int64_t))) != NULL;
    l->values = ax_arena_array(l->arena, n, sizeof(float));
    l->hitrates = ax_arena_array(l->arena, n, sizeof(float));
    l->modes = ax_arena_array(l->arena, n, sizeof(char *));
    l->weights = ax_arena_array(l->arena, m, sizeof(float));
    return all && l->values != NULL && l->hitrates != NULL && l->modes != NULL && l->weights != NULL;
}

static void fill_node(lists *l, int64_t i, int64_t to)
{
    const ax_tree_node *n = &l->f->node[i];
    bool leaf = n->feature < 0;

    l->treeids[to] = l->tree[i];
    l->nodeids[to] = l->id[i];
    l->featureids[to] = leaf ? 0 : n->feature;
    l->yes[to] = leaf ? 0 : l->id[n->yes];
    l->no[to] = leaf ? 0 : l->id[n->no];
    l->missing[to] = !leaf && n->missing_yes;
    l->values[to] = leaf ? 0 : n->threshold;
    l->hitrates[to] = n->cover;
    l->modes[to] = leaf ? "LEAF" : n->equal ? "BRANCH_EQ" : "BRANCH_LEQ";
}

static void fill_targets(lists *l, int64_t i, int64_t to)
{
    const ax_forest *f = l->f;

    for (int k = 0; k < f->width; k++) {
        l->target_treeids[to + k] = l->tree[i];
        l->target_nodeids[to + k] = l->id[i];
        l->target_ids[to + k] = f->width > 1 ? k : f->at != NULL ? f->at[l->tree[i]] : 0;
        l->weights[to + k] = f->value[f->node[i].leaf + k];
    }
}

/* Tree by tree, though the forest's nodes may lie otherwise; targets in the order of their leaves. */
static ax_status fill_lists(lists *l)
{
    int64_t *order = ax_arena_array(l->arena, (size_t) l->f->n_nodes, sizeof(int64_t)), at = 0;

    if (order == NULL)
        return ax_nomem(l->err);
    for (int64_t i = 0; i < l->f->n_nodes; i++)
        order[l->start[l->tree[i]] + l->id[i]] = i;
    for (int64_t to = 0; to < l->f->n_nodes; to++) {
        fill_node(l, order[to], to);
        if (l->f->node[order[to]].feature >= 0)
            continue;
        fill_targets(l, order[to], at);
        at += l->f->width;
    }
    return AX_OK;
}

static ax_status add_node(const lists *l, ax_graph *g, const char *name, int input, int *out)
{
    const ax_forest *f = l->f;
    int n = (int) f->n_nodes, m = (int) l->targets;
    ax_attr attr[] = {ax_attr_s("aggregate_function", f->average ? "AVERAGE" : "SUM"),
                      ax_attr_i("n_targets", f->n_outputs),
                      ax_attr_is("nodes_treeids", n, l->treeids),
                      ax_attr_is("nodes_nodeids", n, l->nodeids),
                      ax_attr_is("nodes_featureids", n, l->featureids),
                      ax_attr_ss("nodes_modes", n, l->modes),
                      ax_attr_fs("nodes_values", n, l->values),
                      ax_attr_is("nodes_truenodeids", n, l->yes),
                      ax_attr_is("nodes_falsenodeids", n, l->no),
                      ax_attr_is("nodes_missing_value_tracks_true", n, l->missing),
                      ax_attr_fs("nodes_hitrates", n, l->hitrates),
                      ax_attr_s("post_transform", "NONE"),
                      ax_attr_is("target_treeids", m, l->target_treeids),
                      ax_attr_is("target_nodeids", m, l->target_nodeids),
                      ax_attr_is("target_ids", m, l->target_ids),
                      ax_attr_fs("target_weights", m, l->weights),
                      ax_attr_fs("base_values", f->n_outputs, f->base)};

    return ax_graph_add_node(g, "TreeEnsembleRegressor", name, 1, &input, AX_COUNT(attr) - (f->base == NULL), attr, out,
                             l->err);
}

static ax_status check_forest(const ax_forest *f, ax_error *err)
{
    if (f->n_trees < 1 || f->n_nodes < f->n_trees || f->n_outputs < 1)
        return ax_fail(err, AX_ERR_INVALID, "the forest has no trees");
    if (f->width != 1 && f->width != f->n_outputs)
        return ax_fail(err, AX_ERR_INVALID, "the leaves have %d numbers for %d outputs", f->width, f->n_outputs);
    for (int t = 0; f->width == 1 && f->at != NULL && t < f->n_trees; t++)
        if (f->at[t] < 0 || f->at[t] >= f->n_outputs)
            return ax_fail(err, AX_ERR_INVALID, "tree %d adds to output %d of %d", t, f->at[t], f->n_outputs);
    if (f->n_nodes > AX_MAX_TREE_NODES || f->n_nodes * f->width > AX_MAX_TREE_NODES)
        return ax_fail(err, AX_ERR_LIMIT, "the trees have more than %d nodes or leaf values", AX_MAX_TREE_NODES);
    return AX_OK;
}

ax_status ax_graph_add_forest(ax_graph *g, const char *name, int input, const ax_forest *f, int *out,
                              ax_error *err)
{
    ax_arena work;
    lists l = {.f = f, .arena = &work, .err = err};
    ax_status status;

    AX_TRY(check_forest(f, err));
    ax_arena_init(&work, &g->arena.env);
    l.tree = ax_arena_array(&work, (size_t) f->n_nodes, sizeof(int32_t));
    l.id = ax_arena_array(&work, (size_t) f->n_nodes, sizeof(int32_t));
    l.start = ax_arena_array(&work, (size_t) f->n_trees + 1, sizeof(int64_t));
    status = l.tree == NULL || l.id == NULL || l.start == NULL ? ax_nomem(err) : find_trees(&l);
    if (status == AX_OK && !allocate_lists(&l))
        status = ax_nomem(err);
    if (status == AX_OK)
        status = fill_lists(&l);
    if (status == AX_OK)
        status = add_node(&l, g, name, input, out);
    ax_arena_free(&work);
    return status;
}

/* ---- node -> forest -------------------------------------------------------------------------- */

static bool is_leaf(const ax_ensemble_node *n)
{
    return n->feature < 0;
}

/* Every leaf adds to one output at most, which is the same for all leaves of a tree: noted in at[tree]. */
static bool has_single_outputs(const ax_ensemble *e, int32_t *at)
{
    for (int t = 0; t < e->n_trees; t++) {
        int32_t end = t + 1 < e->n_trees ? e->root[t + 1] : e->n_nodes, common = -1;

        for (int32_t i = e->root[t]; i < end; i++) {
            if (e->first[i + 1] - e->first[i] > 1)
                return false;
            if (e->first[i + 1] == e->first[i])
                continue;
            if (common >= 0 && e->output[e->first[i]] != common)
                return false;
            common = e->output[e->first[i]];
        }
        at[t] = AX_MAX(common, 0);
    }
    return true;
}

static ax_status read_values(const ax_ensemble *e, ax_arena *arena, ax_forest *f, ax_error *err)
{
    int64_t leaves = 0;
    float *value;

    for (int32_t i = 0; i < e->n_nodes; i++)
        leaves += is_leaf(&e->node[i]);
    f->n_values = leaves * f->width;
    if (f->n_values > INT32_MAX)
        return ax_fail(err, AX_ERR_LIMIT, "the leaves have too many numbers");
    f->value = value = ax_arena_array(arena, (size_t) f->n_values, sizeof(float));
    if (value == NULL)
        return ax_nomem(err);
    for (int32_t i = 0; i < e->n_nodes; i++) {
        if (!is_leaf(&e->node[i]))
            continue;
        for (int32_t k = e->first[i]; k < e->first[i + 1]; k++)
            value[f->width == 1 ? 0 : e->output[k]] += e->weight[k];
        value += f->width;
    }
    return AX_OK;
}

static ax_status read_nodes(const ax_ensemble *e, ax_arena *arena, ax_forest *f, ax_error *err)
{
    ax_tree_node *node = ax_arena_array(arena, (size_t) e->n_nodes, sizeof(*node));
    int32_t leaf = 0;

    if (node == NULL)
        return ax_nomem(err);
    for (int32_t i = 0; i < e->n_nodes; i++) {
        const ax_ensemble_node *n = &e->node[i];

        node[i] = (ax_tree_node){.feature = n->feature, .cover = n->cover};
        if (is_leaf(n)) {
            node[i].leaf = leaf;
            leaf += f->width;
            continue;
        }
        node[i].threshold = n->threshold;
        node[i].equal = n->equal;
        node[i].missing_yes = n->missing_yes;
        node[i].yes = n->next;
        node[i].no = n->next + 1;
    }
    f->n_nodes = e->n_nodes;
    f->node = node;
    return AX_OK;
}

ax_status ax_graph_read_forest(const ax_node *n, ax_arena *arena, ax_forest *out, ax_error *err)
{
    ax_ensemble e;
    int32_t *at;

    *out = (ax_forest){0};
    if (strcmp(n->op->type, "TreeEnsembleRegressor") != 0)
        return ax_fail(err, AX_ERR_INVALID, "node \"%s\" (%s) has no trees", n->name, n->op->type);
    AX_TRY(ax_ensemble_read(n, arena, &e, err));
    if (e.aggregate != AX_SUM && e.aggregate != AX_AVERAGE)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "node \"%s\" takes an extreme over its trees", n->name);
    at = ax_arena_array(arena, (size_t) e.n_trees, sizeof(int32_t));
    if (at == NULL)
        return ax_nomem(err);
    out->n_features = e.n_features;
    out->n_outputs = e.n_outputs;
    out->average = e.aggregate == AX_AVERAGE;
    out->base = e.base;
    out->n_trees = e.n_trees;
    out->root = e.root;
    out->width = has_single_outputs(&e, at) ? 1 : e.n_outputs;
    out->at = out->width == 1 ? at : NULL;
    AX_TRY(read_values(&e, arena, out, err));
    return read_nodes(&e, arena, out, err);
}
