/*
 * wood_forest.c: the trees as an ax_forest, and the importances.
 *
 * Most leaves of a deep tree have rows of one class. All of them share 2K - 1 numbers at the head of the values:
 * K - 1 zeros, a one, K - 1 zeros; the shares of class c alone begin at number K - 1 - c.
 */
#include "tree/wood_private.h"

void ax_wood_drop_forest(ax_wood *w)
{
    ax_free(&w->env, w->forest_node);
    ax_free(&w->env, w->forest_value);
    ax_free(&w->env, w->forest_root);
    w->forest_node = NULL;
    w->forest_value = NULL;
    w->forest_root = NULL;
    w->forest_trees = 0;
}

void ax_wood_drop_trees(ax_wood *w)
{
    for (int t = 0; w->tree != NULL && t < w->params.trees; t++) {
        ax_free(&w->env, w->tree[t].node);
        ax_free(&w->env, w->tree[t].value);
        w->tree[t] = (ax_wood_tree){0};
    }
}

static ax_status count(const ax_wood *w, ax_forest *f, ax_error *err)
{
    f->n_values = w->params.n_classes > 0 ? 2 * (int64_t) w->params.n_classes - 1 : 0;
    for (int t = 0; t < w->params.trees; t++) {
        f->n_nodes += w->tree[t].n_nodes;
        f->n_values += w->tree[t].n_values;
    }
    if (f->n_nodes <= INT32_MAX && f->n_values <= INT32_MAX)
        return AX_OK;
    ax_fail(err, AX_ERR_LIMIT, "the trees have more than %d nodes or numbers", INT32_MAX);
    ax_hint(err, "Limit the trees by max_depth, max_leaf_nodes or min_samples_leaf, or grow fewer.");
    return err->status;
}

static ax_tree_node as_tree_node(const ax_wood *w, const ax_wood_node *x, int32_t first_node, int32_t first_value)
{
    ax_tree_node out = {.feature = x->feature, .yes = -1, .no = -1, .leaf = -1, .cover = x->cover};

    if (x->feature >= 0) {
        out.threshold = x->threshold;
        out.equal = x->equal;
        out.missing_yes = x->missing_yes;
        out.yes = first_node + x->next;
        out.no = out.yes + 1;
        out.gain = x->gain;
    } else {
        out.leaf = x->next >= 0 ? first_value + x->next : w->params.n_classes + x->next;
    }
    return out;
}

/* False: cancelled. */
static bool fill(ax_wood *w)
{
    int32_t node = 0, value = 0, n = 0;

    if (w->params.n_classes > 0) {
        value = 2 * w->params.n_classes - 1;
        memset(w->forest_value, 0, (size_t) value * sizeof(float));
        w->forest_value[w->params.n_classes - 1] = 1;
    }
    for (int t = 0; t < w->params.trees; t++) {
        const ax_wood_tree *from = &w->tree[t];

        if (from->node == NULL)
            continue;
        if (!ax_may_continue(&w->env))
            return false;
        w->forest_root[n++] = node;
        for (int32_t i = 0; i < from->n_nodes; i++)
            w->forest_node[node + i] = as_tree_node(w, &from->node[i], node, value);
        memcpy(w->forest_value + value, from->value, (size_t) from->n_values * sizeof(float));
        node += from->n_nodes;
        value += (int32_t) from->n_values;
    }
    return true;
}

static ax_status make_forest(ax_wood *w, ax_error *err)
{
    ax_forest f = {.n_features = w->rows.bins->columns,
                   .n_outputs = w->width,
                   .width = w->width,
                   .average = true,
                   .n_trees = w->finished};

    ax_wood_drop_forest(w);
    AX_TRY(count(w, &f, err));
    w->forest_node = ax_alloc(&w->env, (size_t) f.n_nodes * sizeof(*w->forest_node));
    w->forest_value = ax_alloc(&w->env, (size_t) f.n_values * sizeof(*w->forest_value));
    w->forest_root = ax_alloc(&w->env, (size_t) f.n_trees * sizeof(*w->forest_root));
    if (w->forest_node == NULL || w->forest_value == NULL || w->forest_root == NULL) {
        ax_wood_drop_forest(w);
        return ax_nomem(err);
    }
    f.node = w->forest_node;
    f.value = w->forest_value;
    f.root = w->forest_root;
    if (!fill(w)) {
        ax_wood_drop_forest(w);
        return ax_cancelled(err);
    }
    w->forest = f;
    w->forest_trees = w->finished;
    if (w->finished == w->params.trees)
        ax_wood_drop_trees(w);
    return AX_OK;
}

const ax_forest *ax_wood_forest(ax_wood *w, ax_error *err)
{
    if (w->finished == 0) {
        ax_fail(err, AX_ERR_INTERNAL, "a forest without trees");
        return NULL;
    }
    if (w->forest_trees != w->finished && make_forest(w, err) != AX_OK)
        return NULL;
    return &w->forest;
}

static void add_split(const ax_wood *w, int32_t feature, double gain, double cover, double *gains, double *counts)
{
    if (feature < 0)
        return;
    gains[feature] += gain / cover / w->finished;
    counts[feature]++;
}

/* A split counts by its share of the tree's rows, and each tree the same. */
void ax_wood_importance(const ax_wood *w, double *gain, double *count)
{
    for (int j = 0; j < w->rows.bins->columns; j++)
        gain[j] = count[j] = 0;
    for (int t = 0; t < w->params.trees; t++) {
        const ax_wood_tree *tree = &w->tree[t];

        for (int32_t i = 0; i < tree->n_nodes; i++)
            add_split(w, tree->node[i].feature, tree->node[i].gain, tree->node[0].cover, gain, count);
    }
    for (int t = 0; t < w->forest_trees && w->forest_trees == w->params.trees; t++) {
        const ax_forest *f = &w->forest;
        int64_t end = t + 1 < f->n_trees ? f->root[t + 1] : f->n_nodes;

        for (int64_t i = f->root[t]; i < end; i++)
            add_split(w, f->node[i].feature, f->node[i].gain, f->node[f->root[t]].cover, gain, count);
    }
}
