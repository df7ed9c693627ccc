/*
 * wood_grow.c: one tree, node by node.
 *
 * Without max_leaf_nodes a node's smaller child goes first, so that never more than log2(rows) nodes wait; with it, the
 * node that gains most goes first, and those that still wait when the leaves are used up become leaves. The rows of a
 * node stand together in the sample, in the order of the table: a split moves those that say no behind the others.
 */
#include "tree/wood_private.h"

#include <math.h>

#define BLOCK 65536

/* ---- leaves ---------------------------------------------------------------------------------- */

double ax_isolation_path(double n)
{
    if (n <= 1)
        return 0;
    if (n <= 2)
        return 1;
    return 2 * (log(n - 1) + 0.57721566490153286) - 2 * (n - 1) / n;
}

static ax_wood_node *node_of(const ax_wood_slot *s, int32_t node)
{
    return &s->node[s->first_node + node];
}

static void write_shares(ax_wood_slot *s, const ax_wood_view *v, float *to)
{
    for (int k = 0; k < s->wood->width; k++)
        to[k] = 0;
    for (int k = 0; k < v->depth; k++)
        to[s->global[k]] = (float) (s->total[k] / v->weight);
}

/* What the node answers; returns the number of its first number. */
static int32_t write_value(ax_wood_slot *s, const ax_wood_place *p, const ax_wood_view *v)
{
    const ax_wood *w = s->wood;
    int64_t at = w->prune ? (int64_t) p->node * w->width : s->n_values;
    float *to = s->value + s->first_value + at;

    if (w->params.criterion == AX_RANDOM_CUTS)
        to[0] = (float) (p->depth + ax_isolation_path(v->n));
    else if (w->params.criterion != AX_SQUARED_ERROR)
        write_shares(s, v, to);
    else if (v->pure)
        to[0] = v->sample[0].value;
    else
        to[0] = (float) (w->shift + s->total[1] / s->total[0]);
    s->n_values = at + w->width;
    return (int32_t) at;
}

static void make_leaf(ax_wood_slot *s, const ax_wood_place *p, const ax_wood_view *v)
{
    ax_wood_node *node = node_of(s, p->node);
    bool shares = s->wood->params.n_classes > 0;

    node->feature = -1;
    node->next = shares && v->pure ? -1 - v->class : write_value(s, p, v);
}

/* weight * impurity. */
static double risk_of(const ax_wood_slot *s, const ax_wood_view *v)
{
    double sum = 0, mean = s->wood->shift + s->total[1] / s->total[0];

    if (v->pure)
        return 0;
    if (s->wood->params.criterion == AX_GINI)
        return v->weight - v->worth;
    if (s->wood->params.criterion == AX_ENTROPY)
        return -v->worth;
    for (int32_t i = 0; i < v->n; i++)
        sum += v->sample[i].weight * (v->sample[i].value - mean) * (v->sample[i].value - mean);
    return sum;
}

/* ---- splits ---------------------------------------------------------------------------------- */

/* The node's sums, and what is kept of them; the split, when there is a good one. */
static ax_wood_view open_place(ax_wood_slot *s, ax_wood_place *p)
{
    const ax_wood *w = s->wood;
    ax_wood_view v = ax_wood_look(s, s->sample + p->begin, p->end - p->begin);

    node_of(s, p->node)->cover = (float) v.weight;
    p->split.feature = -1;
    if (w->prune) {
        s->risk[p->node] = risk_of(s, &v);
        write_value(s, p, &v);
    }
    if (!v.pure && p->depth < w->max_depth && v.n >= w->min_split && v.n / 2 >= w->min_leaf)
        p->split = ax_wood_find(s, &v, &p->constants);
    if (p->split.gain / s->root_weight + 2.220446049250313e-16 < w->params.min_impurity_decrease)
        p->split.feature = -1;
    return v;
}

/* The edge next to the middle of the gap: the node has no rows between its bins. */
static uint8_t middle_edge(const ax_bin_column *c, int low, int high)
{
    double middle = c->edge[low] + ((double) c->edge[high] - c->edge[low]) / 2;
    int a = low, b = high; /* the first edge >= middle */

    if (!isfinite(middle))
        return (uint8_t) low;
    while (a < b) {
        int m = (a + b) / 2;

        if (c->edge[m] >= middle)
            b = m;
        else
            a = m + 1;
    }
    return (uint8_t) (a > low && middle - c->edge[a - 1] <= c->edge[a] - middle ? a - 1 : a);
}

static void set_rule(ax_wood_slot *s, ax_wood_node *node, const ax_wood_split *split)
{
    const ax_bin_column *c = &s->wood->rows.bins->column[split->feature];
    bool only_missing = !split->equal && split->next == AX_BIN_MISSING;

    node->feature = split->feature;
    node->equal = split->equal;
    node->missing_yes = split->missing_yes;
    node->gain = (float) AX_MAX(split->gain, 0);
    node->bin = split->bin;
    if (only_missing)
        node->bin = AX_BIN_MISSING - 1;
    else if (!c->category && !split->drawn)
        node->bin = middle_edge(c, split->bin, split->next - 1);
    node->threshold = only_missing ? INFINITY : split->drawn ? split->threshold : c->edge[node->bin];
}

/* How many of the rows say yes; they come first, and both parts keep their order. */
static int32_t part(ax_wood_slot *s, const ax_wood_place *p, const ax_wood_node *node)
{
    const uint8_t *column = ax_wood_column(s->wood, node->feature);
    ax_wood_sample *sample = s->sample + p->begin;
    int32_t n = p->end - p->begin, yes = 0, no = 0;

    for (int32_t at = 0; at < n; at += BLOCK) {
        int32_t end = AX_MIN(n - at, BLOCK) + at;

        for (int32_t i = at; i < end; i++) {
            ax_wood_sample x = sample[i];
            bool says = ax_wood_yes(node->equal, node->bin, node->missing_yes, column[x.row]);

            sample[yes] = x;
            s->scratch[no] = x;
            yes += says;
            no += !says;
        }
        if (ax_wood_tick(s, end - at))
            break;
    }
    memcpy(sample + yes, s->scratch, (size_t) no * sizeof(*sample));
    return yes;
}

/* Makes the node a branch, with two children that are not opened yet. */
static void split_place(ax_wood_slot *s, const ax_wood_place *p, ax_wood_place child[2])
{
    ax_wood_node *node = node_of(s, p->node);
    int32_t yes;

    set_rule(s, node, &p->split);
    node->next = s->n_nodes;
    yes = part(s, p, node);
    if (!p->split.missing) /* nothing was learned: the way of the greater number */
        node->missing_yes = yes >= p->end - p->begin - yes;
    for (int i = 0; i < 2; i++) {
        child[i] = (ax_wood_place){.node = s->n_nodes++,
                                   .depth = p->depth + 1,
                                   .begin = i == 0 ? p->begin : p->begin + yes,
                                   .end = i == 0 ? p->begin + yes : p->end,
                                   .constants = p->constants};
        *node_of(s, child[i].node) = (ax_wood_node){.feature = -1};
    }
}

/* ---- depth first ----------------------------------------------------------------------------- */

static void step_deep(ax_wood_slot *s)
{
    ax_wood_place p = s->waiting[--s->n_waiting], child[2];
    ax_wood_view v = open_place(s, &p);
    bool first_is_larger;

    if (p.split.feature < 0) {
        make_leaf(s, &p, &v);
        return;
    }
    split_place(s, &p, child);
    first_is_larger = child[0].end - child[0].begin > child[1].end - child[1].begin;
    s->waiting[s->n_waiting++] = child[!first_is_larger];
    s->waiting[s->n_waiting++] = child[first_is_larger];
}

/* ---- best first: a heap ---------------------------------------------------------------------- */

static bool better(const ax_wood_place *a, const ax_wood_place *b)
{
    return a->split.gain > b->split.gain || (a->split.gain == b->split.gain && a->node < b->node);
}

static void push(ax_wood_slot *s, const ax_wood_place *p)
{
    int i = s->n_waiting++;

    for (; i > 0 && better(p, &s->waiting[(i - 1) / 2]); i = (i - 1) / 2)
        s->waiting[i] = s->waiting[(i - 1) / 2];
    s->waiting[i] = *p;
}

static ax_wood_place pop(ax_wood_slot *s)
{
    ax_wood_place top = s->waiting[0], last = s->waiting[--s->n_waiting];
    int i = 0;

    for (int child = 1; child < s->n_waiting; child = 2 * i + 1) {
        if (child + 1 < s->n_waiting && better(&s->waiting[child + 1], &s->waiting[child]))
            child++;
        if (!better(&s->waiting[child], &last))
            break;
        s->waiting[i] = s->waiting[child];
        i = child;
    }
    s->waiting[i] = last;
    return top;
}

/* Nodes are opened in another order than they are split: what is known of constant columns does not hold. */
static void add_best(ax_wood_slot *s, ax_wood_place *p)
{
    ax_wood_view v;

    p->constants = 0;
    v = open_place(s, p);
    if (p->split.feature >= 0)
        push(s, p);
    else
        make_leaf(s, p, &v);
}

static void step_best(ax_wood_slot *s)
{
    ax_wood_place p, child[2];
    ax_wood_view v;

    if (s->leaves == 0) {
        p = s->waiting[--s->n_waiting];
        s->leaves = 1;
        add_best(s, &p);
        return;
    }
    p = pop(s);
    if (s->leaves == s->wood->max_leaves) {
        v = ax_wood_look(s, s->sample + p.begin, p.end - p.begin);
        make_leaf(s, &p, &v);
        return;
    }
    s->leaves++;
    split_place(s, &p, child);
    add_best(s, &child[0]);
    add_best(s, &child[1]);
}

/* ---- the tree -------------------------------------------------------------------------------- */

void ax_wood_plant(ax_wood_slot *s)
{
    for (int32_t j = 0; j < s->wood->rows.bins->columns; j++)
        s->column[j] = j;
    s->n_nodes = 0;
    s->n_values = 0;
    s->leaves = 0;
    s->waiting[0] = (ax_wood_place){.node = 0, .begin = 0, .end = s->n_sample};
    s->n_waiting = 1;
}

/* A step makes two nodes, or writes two values; pruning wants a value for every node. */
static bool has_room(const ax_wood_slot *s)
{
    int64_t width = s->wood->width;
    int64_t values = s->wood->prune ? (s->n_nodes + 3) * width : s->n_values + 2 * width;

    return s->first_node + s->n_nodes + 3 <= s->node_capacity && s->first_value + values <= s->value_capacity;
}

bool ax_wood_extend(ax_wood_slot *s)
{
    while (s->n_waiting > 0) {
        s->full = !has_room(s);
        if (s->full || ax_wood_tick(s, 10) || s->late)
            return false;
        if (s->n_nodes == 0)
            *node_of(s, s->n_nodes++) = (ax_wood_node){.feature = -1};
        if (s->wood->max_leaves > 0)
            step_best(s);
        else
            step_deep(s);
    }
    return !s->stopped;
}
