/*
 * op_tree.c: TreeEnsembleRegressor (ai.onnx.ml): what the leaves add up to that a row ends in.
 *
 *     y[row][o] = base[o] + sum over trees, leaf weights for o     (or the mean, the least, the most)
 *
 * Setup puts the trees into the form in which the kernels run them (tree.h). Rows go in blocks that stay in the cache
 * while the trees pass by, a kernel call finds the leaves of up to 64 rows in one tree. Sums are in the order of the
 * trees, in float, so that they depend neither on the batch nor on the instruction set.
 *
 * In a tree whose leaves have one weight each, all for the same output, a leaf's payload is that weight. Else it is the
 * leaf's number, and its weights stand in a list.
 */
#include <math.h>

#include "graph/ensemble.h"
#include "graph/op_list.h"

#define BLOCK 256      /* rows that all trees run over: four kernel calls a tree */
#define POLL_TREES 256 /* trees between two questions whether to stop */

typedef struct forest {
    int n_trees, n_outputs;
    ax_aggregate aggregate;
    const float *base; /* or NULL */
    ax_tree *tree;
    int32_t *at; /* per tree: the output of its leaves, -1: each has a list */
    const int32_t *first, *output; /* the lists, by number of the leaf's branch */
    const float *weight;
} forest;

/* ---- setup ----------------------------------------------------------------------------------- */

static const void *keep(ax_setup *s, const void *from, size_t count, size_t size)
{
    void *to = ax_arena_array(s->arena, count, size);

    if (to != NULL && count > 0)
        memcpy(to, from, count * size);
    return to;
}

static int32_t tree_end(const ax_ensemble *e, int t)
{
    return t + 1 < e->n_trees ? e->root[t + 1] : e->n_nodes;
}

/* The one output that all leaves of a tree add to, each once; -1 when it is otherwise. */
static int32_t common_output(const ax_ensemble *e, int t)
{
    int32_t common = -1;

    for (int32_t i = e->root[t]; i < tree_end(e, t); i++) {
        if (e->node[i].feature >= 0)
            continue;
        if (e->first[i + 1] - e->first[i] != 1)
            return -1;
        if (common >= 0 && e->output[e->first[i]] != common)
            return -1;
        common = e->output[e->first[i]];
    }
    return common;
}

static bool is_leaf(const ax_tree *t, int32_t i)
{
    return t->branch[i].next == i;
}

static void make_branches(const ax_ensemble *e, int t, bool single, ax_branch *branch, int32_t *payload)
{
    for (int32_t i = e->root[t]; i < tree_end(e, t); i++) {
        const ax_ensemble_node *n = &e->node[i];

        if (n->feature < 0) {
            branch[i] = (ax_branch){INFINITY, AX_TREE_MISSING, i};
            payload[i] = i;
            if (single)
                memcpy(&payload[i], &e->weight[e->first[i]], sizeof(float));
            continue;
        }
        branch[i] = (ax_branch){n->threshold, (uint32_t) n->feature, n->next};
        branch[i].rule |= (n->equal ? AX_TREE_EQUAL : 0) | (n->missing_yes ? AX_TREE_MISSING : 0);
    }
}

/* The first levels of a tree: what a leaf above the last of them leads to is that leaf. */
static void make_top(const ax_tree *t, ax_tree_top *top)
{
    int levels = AX_MIN(t->depth, AX_TREE_TOP);
    int32_t at[2 << AX_TREE_TOP];

    at[1] = t->root;
    for (int i = 1; i < 1 << levels; i++) {
        const ax_branch *b = &t->branch[at[i]];
        bool leaf = is_leaf(t, at[i]);

        top->threshold[i] = b->threshold;
        top->rule[i] = b->rule;
        at[2 * i] = b->next;
        at[2 * i + 1] = leaf ? b->next : b->next + 1;
    }
    for (int i = 0; i < 1 << levels; i++) {
        int32_t end = at[(1 << levels) + i];

        top->exit[i] = t->depth > AX_TREE_TOP ? end : t->payload[end];
    }
}

static ax_status make_trees(ax_setup *s, const ax_ensemble *e, forest *f)
{
    size_t n = (size_t) e->n_nodes, trees = (size_t) e->n_trees;
    ax_branch *branch = ax_arena_array(s->arena, n, sizeof(*branch));
    int32_t *payload = ax_arena_array(s->arena, n, sizeof(*payload));
    ax_tree_top *top = ax_arena_array(s->arena, trees, sizeof(*top));

    f->tree = ax_arena_array(s->arena, trees, sizeof(*f->tree));
    f->at = ax_arena_array(s->arena, trees, sizeof(*f->at));
    if (branch == NULL || payload == NULL || top == NULL || f->tree == NULL || f->at == NULL)
        return ax_nomem(s->err);
    for (int t = 0; t < e->n_trees; t++) {
        f->at[t] = common_output(e, t);
        make_branches(e, t, f->at[t] >= 0, branch, payload);
        f->tree[t] = (ax_tree){branch, payload, &top[t], e->root[t], e->depth[t], false};
        for (int32_t i = e->root[t]; i < tree_end(e, t); i++)
            f->tree[t].equal |= e->node[i].equal;
        make_top(&f->tree[t], &top[t]);
    }
    return AX_OK;
}

static ax_status make_lists(ax_setup *s, const ax_ensemble *e, forest *f)
{
    size_t n = (size_t) e->n_nodes, weights = (size_t) e->first[n];
    bool any = false;

    for (int t = 0; t < f->n_trees; t++)
        any |= f->at[t] < 0;
    if (!any)
        return AX_OK;
    f->first = keep(s, e->first, n + 1, sizeof(int32_t));
    f->output = keep(s, e->output, weights, sizeof(int32_t));
    f->weight = keep(s, e->weight, weights, sizeof(float));
    return f->first == NULL || f->output == NULL || f->weight == NULL ? ax_nomem(s->err) : AX_OK;
}

static ax_status make_forest(ax_setup *s, const ax_ensemble *e)
{
    forest *f = ax_setup_prep(s, sizeof *f);

    if (f == NULL)
        return ax_nomem(s->err);
    f->n_trees = e->n_trees;
    f->n_outputs = e->n_outputs;
    f->aggregate = e->aggregate;
    if (e->base != NULL) {
        f->base = keep(s, e->base, (size_t) e->n_outputs, sizeof(float));
        if (f->base == NULL)
            return ax_nomem(s->err);
    }
    AX_TRY(make_trees(s, e, f));
    return make_lists(s, e, f);
}

static ax_status tree_setup(ax_setup *s)
{
    ax_ensemble e;
    ax_arena work;
    ax_status status;

    AX_TRY(ax_setup_float(s, 0, 2, 2));
    ax_arena_init(&work, &s->arena->env);
    status = ax_ensemble_read(s->node, &work, &e, s->err);
    if (status == AX_OK && s->in[0].shape.dim[1] < AX_MAX(e.n_features, 1))
        status = ax_setup_fail(s, "a branch asks for feature %d of %lld", e.n_features - 1,
                               (long long) s->in[0].shape.dim[1]);
    if (status == AX_OK)
        status = make_forest(s, &e);
    s->out[0].type = AX_FLOAT;
    s->out[0].shape = ax_shape_of(2, (const int64_t[]){s->in[0].shape.dim[0], status == AX_OK ? e.n_outputs : 0});
    ax_arena_free(&work);
    return status;
}

/* ---- forward --------------------------------------------------------------------------------- */

static float start_of(ax_aggregate aggregate)
{
    return aggregate == AX_LEAST ? INFINITY : aggregate == AX_MOST ? -INFINITY : 0;
}

static inline void take(ax_aggregate aggregate, float *y, float v)
{
    if (aggregate == AX_LEAST)
        *y = v < *y ? v : *y;
    else if (aggregate == AX_MOST)
        *y = v > *y ? v : *y;
    else
        *y += v;
}

static void add_weights(int n, int n_outputs, const int32_t *payload, float *y)
{
    float v[AX_TREE_ROWS];

    memcpy(v, payload, (size_t) n * sizeof(float));
    if (n_outputs == 1)
        for (int i = 0; i < n; i++)
            y[i] += v[i];
    else
        for (int i = 0; i < n; i++)
            y[i * n_outputs] += v[i];
}

static void add_lists(const forest *f, int n, const int32_t *leaf, float *y)
{
    for (int i = 0; i < n; i++, y += f->n_outputs)
        for (int32_t k = f->first[leaf[i]]; k < f->first[leaf[i] + 1]; k++)
            take(f->aggregate, &y[f->output[k]], f->weight[k]);
}

/* What n rows of a block got from tree t. */
static void add_tree(const forest *f, int t, int n, const int32_t *payload, float *y)
{
    if (f->at[t] < 0) {
        add_lists(f, n, payload, y);
    } else if (f->aggregate == AX_SUM || f->aggregate == AX_AVERAGE) {
        add_weights(n, f->n_outputs, payload, y + f->at[t]);
    } else {
        for (int i = 0; i < n; i++) {
            float v;

            memcpy(&v, &payload[i], sizeof v);
            take(f->aggregate, &y[i * f->n_outputs + f->at[t]], v);
        }
    }
}

/* An output that no leaf of the trees added to is 0, of a minimum too. */
static void finish(const forest *f, int64_t rows, float *y)
{
    float untouched = start_of(f->aggregate), trees = (float) f->n_trees;
    bool extreme = f->aggregate == AX_LEAST || f->aggregate == AX_MOST;

    for (int64_t i = 0; i < rows; i++, y += f->n_outputs)
        for (int o = 0; o < f->n_outputs; o++) {
            if (extreme && y[o] == untouched)
                y[o] = 0;
            if (f->aggregate == AX_AVERAGE)
                y[o] /= trees;
            if (f->base != NULL)
                y[o] += f->base[o];
        }
}

static bool has_nan(const float *x, int64_t n)
{
    int found = 0;

    for (int64_t i = 0; i < n; i++)
        found |= x[i] != x[i];
    return found != 0;
}

/* One row, through several trees at once. */
static void run_row(const ax_run *r, const forest *f, const float *x, int64_t width, float *y)
{
    int32_t payload[AX_TREE_SIDE];
    bool nan = has_nan(x, width);

    for (int o = 0; o < f->n_outputs; o++)
        y[o] = start_of(f->aggregate);
    for (int t = 0; t < f->n_trees; t += AX_TREE_SIDE) {
        int n = AX_MIN(f->n_trees - t, AX_TREE_SIDE);

        if (t % POLL_TREES == 0 && r->pool != NULL && ax_pool_stopped(r->pool))
            return;
        ax_descend_row(&f->tree[t], n, x, nan, payload);
        for (int k = 0; k < n; k++)
            add_tree(f, t + k, 1, &payload[k], y);
    }
    finish(f, 1, y);
}

static void run_block(const ax_run *r, const forest *f, const float *x, int64_t width, int n, float *y)
{
    const ax_kernels *kernels = ax_kernels_get();
    int32_t payload[AX_TREE_ROWS];
    bool nan = has_nan(x, n * width);

    for (int i = 0; i < n * f->n_outputs; i++)
        y[i] = start_of(f->aggregate);
    for (int t = 0; t < f->n_trees; t++) {
        if (t % POLL_TREES == POLL_TREES - 1 && r->pool != NULL && ax_pool_stopped(r->pool))
            return;
        for (int i = 0; i < n; i += AX_TREE_ROWS) {
            int rows = AX_MIN(n - i, AX_TREE_ROWS);

            kernels->descend(&f->tree[t], x + i * width, width, rows, nan, payload);
            add_tree(f, t, rows, payload, y + i * f->n_outputs);
        }
    }
    finish(f, n, y);
}

static void tree_forward(const ax_run *r)
{
    const forest *f = r->prep;
    int64_t rows = r->in[0].shape.dim[0], width = r->in[0].shape.dim[1];
    const float *x = r->in[0].data;
    float *y = r->out[0].data;

    if (rows == 1) {
        run_row(r, f, x, width, y);
        return;
    }
    for (int64_t i = 0; i < rows; i += BLOCK)
        run_block(r, f, x + i * width, width, (int) AX_MIN(rows - i, BLOCK), y + i * f->n_outputs);
}

static const ax_attr_spec attrs[] = {{"aggregate_function", AX_ATTR_STRING},
                                     {"base_values", AX_ATTR_FLOATS},
                                     {"n_targets", AX_ATTR_INT},
                                     {"nodes_falsenodeids", AX_ATTR_INTS},
                                     {"nodes_featureids", AX_ATTR_INTS},
                                     {"nodes_hitrates", AX_ATTR_FLOATS},
                                     {"nodes_missing_value_tracks_true", AX_ATTR_INTS},
                                     {"nodes_modes", AX_ATTR_STRINGS},
                                     {"nodes_nodeids", AX_ATTR_INTS},
                                     {"nodes_treeids", AX_ATTR_INTS},
                                     {"nodes_truenodeids", AX_ATTR_INTS},
                                     {"nodes_values", AX_ATTR_FLOATS},
                                     {"post_transform", AX_ATTR_STRING},
                                     {"target_ids", AX_ATTR_INTS},
                                     {"target_nodeids", AX_ATTR_INTS},
                                     {"target_treeids", AX_ATTR_INTS},
                                     {"target_weights", AX_ATTR_FLOATS},
                                     {NULL, 0}};

const ax_op ax_op_tree_ensemble_regressor = {
    .type = "TreeEnsembleRegressor",
    .domain = "ai.onnx.ml",
    .since = 3,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_NO_GRADIENT,
    .attr = attrs,
    .setup = tree_setup,
    .forward = tree_forward,
};
