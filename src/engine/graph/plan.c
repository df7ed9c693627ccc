/*
 * plan.c: from graph to plan.
 *
 * The graph is lowered first (lower.c); from then on it is an ordinary graph. Five passes, each a function of
 * the ones before:
 *
 *   1. setup: every operator checks its node and says what memory it wants.
 *   2. gradients: which values get one (they depend on a trainable weight and the loss depends on them),
 *      which nodes therefore run backward, and which of several consumers of a value writes its gradient
 *      first (the last one in forward order) and which add to it.
 *   3. sharing: outputs that are their input's bytes (Reshape, Flatten), outputs written over an input
 *      that nobody needs any more (Relu), and the same for gradients.
 *   4. steps: the order of work of a shard, with the points where all shards must meet.
 *   5. placement: every buffer gets an offset in one arena by its first and last use. Larger ones first,
 *      each at the lowest offset where no buffer of an overlapping life lies.
 *
 * Time, for lifetimes: node i runs forward at time i, the loss at n, node i backward at 2n - i; END is
 * after all that.
 */
#include "graph/plan_private.h"

#define OVERREAD ((size_t) 256) /* bytes behind the last tensor that a kernel may look at (tile.h) */

/* The plan while it is made. */
typedef struct planner {
    ax_plan *p;
    const ax_graph *g;
    ax_error *err;
    int n;         /* nodes */
    bool *needs;   /* per value: depends on a trainable weight, differentiably */
    int *last_use; /* per value: time of the last use; of a root, of all that share its buffer */
    int *first_grad, *last_grad; /* per gradient root: life of its buffer */
} planner;

static int end_of_time(const planner *pl)
{
    return 2 * pl->n + 1;
}

static int backward_time(const planner *pl, int node)
{
    return 2 * pl->n - node;
}

/* ---- 1. setup -------------------------------------------------------------------------------- */

static void place_packed(ax_plan *p, int i)
{
    p->node[i].packed = p->packed_bytes;
    p->packed_bytes += (p->node[i].packed_bytes + AX_ALIGN - 1) / AX_ALIGN * AX_ALIGN;
    p->pack[p->n_packs++] = i;
}

static ax_status setup_nodes(planner *pl)
{
    ax_plan *p = pl->p;
    ax_setup s;

    ax_graph_bind_shapes(pl->g, p->batch, p->value);
    for (int i = 0; i < pl->n; i++) {
        ax_planned *node = &p->node[i];

        AX_TRY(ax_graph_setup_node(pl->g, i, p->training, &p->arena, p->value, &s, pl->err));
        node->prep = s.prep;
        node->alias = s.alias;
        node->scratch_bytes = s.scratch;
        node->scratch_backward_bytes = s.scratch_backward;
        node->saved_bytes = s.saved;
        node->packed_bytes = s.packed;
        if (s.packed > 0)
            place_packed(p, i);
        if (s.order != NULL)
            p->order[pl->g->node[i].in[1]] = s.order;
        node->scratch = node->scratch_backward = node->saved = AX_NOWHERE;
        node->add = ax_arena_array(&p->arena, (size_t) pl->g->node[i].n_in, sizeof(bool));
        if (node->add == NULL)
            return ax_nomem(pl->err);
    }
    return AX_OK;
}

/* ---- 2. gradients ---------------------------------------------------------------------------- */

static bool differentiable(const ax_op *op)
{
    return op->backward != NULL && (op->flags & AX_NO_GRADIENT) == 0;
}

/* Values that depend on a trainable weight through operators that have a gradient. */
static void mark_needs(planner *pl)
{
    const ax_graph *g = pl->g;

    for (int v = 0; v < g->n_values; v++)
        pl->needs[v] = g->value[v].trainable;
    for (int i = 0; i < pl->n; i++) {
        const ax_node *node = &g->node[i];
        bool any = false;

        for (int k = 0; k < node->n_in; k++)
            any |= node->in[k] >= 0 && pl->needs[node->in[k]];
        for (int k = 0; k < node->n_out; k++)
            if (node->out[k] >= 0 && pl->p->value[node->out[k]].type == AX_FLOAT)
                pl->needs[node->out[k]] = any && differentiable(node->op);
    }
}

/* Walks back from the loss: who has a gradient, who runs backward, who writes first. */
static void derive_backward(planner *pl)
{
    const ax_graph *g = pl->g;
    ax_plan *p = pl->p;

    p->has_grad[p->loss_value] = pl->needs[p->loss_value];
    for (int i = pl->n - 1; i >= 0; i--) {
        const ax_node *node = &g->node[i];
        bool reached = false;

        for (int k = 0; k < node->n_out; k++)
            reached |= node->out[k] >= 0 && p->has_grad[node->out[k]];
        p->node[i].backward = reached;
        for (int k = 0; reached && k < node->n_in; k++) {
            int v = node->in[k];

            if (v < 0 || !pl->needs[v])
                continue;
            p->node[i].add[k] = p->has_grad[v];
            p->has_grad[v] = true;
            if (k == 1 && node->op->weight_gradient != NULL)
                p->deferred[v] = i;
        }
    }
}

/* ---- 3. sharing ------------------------------------------------------------------------------ */

static void use_until(planner *pl, int value, int time)
{
    if (value >= 0)
        pl->last_use[value] = AX_MAX(pl->last_use[value], time);
}

/* Last uses of every value on its own, before any buffer is shared. */
/* Node i gives the gradient of its weight after all else: what that is made of must still be there. */
static bool defers(const planner *pl, int i)
{
    const ax_node *node = &pl->g->node[i];

    return pl->p->node[i].backward && node->op->weight_gradient != NULL &&
           pl->p->has_grad[node->in[1]];
}

static void find_last_uses(planner *pl)
{
    const ax_graph *g = pl->g;
    ax_plan *p = pl->p;

    for (int i = 0; i < pl->n; i++) {
        const ax_node *node = &g->node[i];
        int back = backward_time(pl, i);

        for (int k = 0; k < node->n_out; k++)
            use_until(pl, node->out[k], i);
        for (int k = 0; k < node->n_in; k++)
            use_until(pl, node->in[k], i);
        if (!p->node[i].backward)
            continue;
        for (int k = 0; k < node->n_in; k++)
            if (node->op->flags & (AX_KEEP_IN0 << AX_MIN(k, 7)))
                use_until(pl, node->in[k], back);
        if (node->op->flags & AX_KEEP_OUT)
            use_until(pl, node->out[0], back);
        if (defers(pl, i))
            use_until(pl, node->in[0], end_of_time(pl));
    }
    for (int k = 0; k < g->n_outputs; k++)
        use_until(pl, g->output[k], end_of_time(pl));
    if (p->training)
        use_until(pl, p->loss_value, end_of_time(pl));
}

static bool same_bytes(const ax_tensor *a, const ax_tensor *b)
{
    return a->type == b->type && ax_shape_elements(&a->shape) == ax_shape_elements(&b->shape);
}

static void share(planner *pl, int value, int root)
{
    pl->p->root[value] = root;
    use_until(pl, root, pl->last_use[value]);
}

/* May output 0 of node i be written over input 0? */
static bool may_overwrite(const planner *pl, int i)
{
    const ax_node *node = &pl->g->node[i];
    const ax_plan *p = pl->p;
    int root;

    if ((node->op->flags & AX_INPLACE) == 0 || node->in[0] < 0)
        return false;
    root = p->root[node->in[0]];
    if (pl->g->value[root].role != AX_VALUE_COMPUTED || pl->last_use[root] > i ||
        !same_bytes(&p->value[node->in[0]], &p->value[node->out[0]]))
        return false;
    for (int k = 1; k < node->n_in; k++)
        if (node->in[k] >= 0 && p->root[node->in[k]] == root)
            return false;
    return true;
}

static void share_buffers(planner *pl)
{
    ax_plan *p = pl->p;

    for (int v = 0; v < pl->g->n_values; v++)
        p->root[v] = v;
    for (int i = 0; i < pl->n; i++) {
        const ax_node *node = &pl->g->node[i];
        int from = p->node[i].alias >= 0 ? node->in[p->node[i].alias] : -1;

        if (node->out[0] < 0)
            continue;
        if (from >= 0 && same_bytes(&p->value[from], &p->value[node->out[0]])) {
            share(pl, node->out[0], p->root[from]);
            p->node[i].forward_skipped = true;
        } else if (may_overwrite(pl, i)) {
            share(pl, node->out[0], p->root[node->in[0]]);
        }
    }
}

/* The gradient of an input can live in the buffer of the output's gradient when this node writes it first:
 * nobody reads the output's gradient after this node. */
static bool may_share_gradient(const planner *pl, int i, int input)
{
    const ax_node *node = &pl->g->node[i];
    const ax_plan *p = pl->p;
    int v = input >= 0 ? node->in[input] : -1;
    int out = node->out[0];

    return v >= 0 && out >= 0 && p->has_grad[v] && p->has_grad[out] && !p->node[i].add[input] &&
           !pl->g->value[v].trainable && v != p->loss_value &&
           same_bytes(&p->value[v], &p->value[out]);
}

static void share_gradients(planner *pl)
{
    ax_plan *p = pl->p;

    for (int v = 0; v < pl->g->n_values; v++) {
        p->grad_root[v] = v;
        pl->first_grad[v] = end_of_time(pl);
        pl->last_grad[v] = -1;
    }
    for (int i = pl->n - 1; i >= 0; i--) {
        const ax_node *node = &pl->g->node[i];

        if (!p->node[i].backward)
            continue;
        if (p->node[i].alias >= 0 && may_share_gradient(pl, i, p->node[i].alias)) {
            p->grad_root[node->in[p->node[i].alias]] = p->grad_root[node->out[0]];
            p->node[i].backward_skipped = true;
        } else if ((node->op->flags & AX_INPLACE) && may_share_gradient(pl, i, 0)) {
            p->grad_root[node->in[0]] = p->grad_root[node->out[0]];
        }
    }
}

static void live_gradient(planner *pl, int value, int time)
{
    int root = pl->p->grad_root[value];

    pl->first_grad[root] = AX_MIN(pl->first_grad[root], time);
    pl->last_grad[root] = AX_MAX(pl->last_grad[root], time);
}

static void find_gradient_lives(planner *pl)
{
    ax_plan *p = pl->p;

    live_gradient(pl, p->loss_value, pl->n);
    for (int i = 0; i < pl->n; i++) {
        const ax_node *node = &pl->g->node[i];

        if (!p->node[i].backward)
            continue;
        for (int k = 0; k < node->n_out; k++)
            if (node->out[k] >= 0 && p->has_grad[node->out[k]])
                live_gradient(pl, node->out[k],
                              defers(pl, i) ? end_of_time(pl) : backward_time(pl, i));
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] >= 0 && p->has_grad[node->in[k]])
                live_gradient(pl, node->in[k], backward_time(pl, i));
    }
}

/* ---- 4. steps -------------------------------------------------------------------------------- */

static void add_step(ax_plan *p, ax_step_kind kind, int node)
{
    p->step[p->n_steps++] = (ax_step){kind, node};
}

static void list_steps(planner *pl)
{
    ax_plan *p = pl->p;

    for (int i = 0; i < pl->n; i++) {
        if (p->training && pl->g->node[i].op->forward_stats != NULL) {
            add_step(p, AX_STEP_FORWARD_STATS, i);
            add_step(p, AX_STEP_FORWARD_MERGE, i);
        }
        if (!p->node[i].forward_skipped)
            add_step(p, AX_STEP_FORWARD, i);
    }
    add_step(p, AX_STEP_LOSS, -1);
    for (int i = pl->n - 1; i >= 0; i--) {
        if (!p->node[i].backward)
            continue;
        if (pl->g->node[i].op->backward_stats != NULL) {
            add_step(p, AX_STEP_BACKWARD_STATS, i);
            add_step(p, AX_STEP_BACKWARD_MERGE, i);
        }
        if (!p->node[i].backward_skipped)
            add_step(p, AX_STEP_BACKWARD, i);
    }
}

/* ---- 5. placement ---------------------------------------------------------------------------- */

typedef struct buffer {
    size_t bytes;
    int first, last; /* life, both ends included */
    size_t *place;   /* where the offset goes */
    size_t offset;
} buffer;

typedef struct buffer_list {
    buffer *b;
    int n;
} buffer_list;

static void want(buffer_list *l, size_t bytes, int first, int last, size_t *place)
{
    size_t rounded = (bytes + AX_ALIGN - 1) / AX_ALIGN * AX_ALIGN;

    *place = 0;
    if (rounded > 0)
        l->b[l->n++] = (buffer){rounded, first, last, place, 0};
}

static void list_values(planner *pl, buffer_list *l)
{
    ax_plan *p = pl->p;

    for (int v = 0; v < pl->g->n_values; v++) {
        const ax_value *value = &pl->g->value[v];
        size_t bytes;

        p->place[v] = p->grad_place[v] = AX_NOWHERE;
        if (p->value[v].shape.rank < 0)
            continue;
        bytes = ax_tensor_bytes(p->value[v].type, &p->value[v].shape);
        if (value->role != AX_VALUE_WEIGHT && p->root[v] == v)
            want(l, bytes, AX_MAX(value->producer, 0), pl->last_use[v], &p->place[v]);
        if (p->has_grad[v] && !value->trainable && p->grad_root[v] == v)
            want(l, bytes, pl->first_grad[v], pl->last_grad[v], &p->grad_place[v]);
    }
}

static void list_node_memory(planner *pl, buffer_list *l)
{
    for (int i = 0; i < pl->n; i++) {
        ax_planned *node = &pl->p->node[i];
        int back = backward_time(pl, i);

        want(l, node->scratch_bytes, i, i, &node->scratch);
        if (node->backward)
            want(l, node->scratch_backward_bytes, back, back, &node->scratch_backward);
        want(l, node->saved_bytes, i, node->backward ? back : i, &node->saved);
    }
}

/* Merge sort, larger first; equal ones keep their order, so that a plan is a function of its graph. */
static void sort_by_size(buffer **b, buffer **tmp, int n)
{
    int half = n / 2, i = 0, j = half;

    if (n < 2)
        return;
    sort_by_size(b, tmp, half);
    sort_by_size(b + half, tmp, n - half);
    for (int k = 0; k < n; k++)
        tmp[k] = j >= n || (i < half && b[i]->bytes >= b[j]->bytes) ? b[i++] : b[j++];
    memcpy(b, tmp, (size_t) n * sizeof(*b));
}

/* The lowest offset for b among the buffers already placed, which are sorted by offset. */
static size_t find_gap(buffer *const *placed, int n, const buffer *b)
{
    size_t offset = 0;

    for (int i = 0; i < n; i++) {
        const buffer *o = placed[i];

        if (o->last < b->first || o->first > b->last)
            continue;
        if (o->offset >= offset + b->bytes)
            break;
        offset = AX_MAX(offset, o->offset + o->bytes);
    }
    return offset;
}

static void insert_by_offset(buffer **placed, int n, buffer *b)
{
    while (n > 0 && placed[n - 1]->offset > b->offset) {
        placed[n] = placed[n - 1];
        n--;
    }
    placed[n] = b;
}

static ax_status place_list(planner *pl, buffer_list *l, ax_arena *work)
{
    buffer **order = ax_arena_array(work, (size_t) l->n, sizeof(*order));
    buffer **placed = ax_arena_array(work, (size_t) l->n, sizeof(*placed));

    if (order == NULL || placed == NULL)
        return ax_nomem(pl->err);
    for (int i = 0; i < l->n; i++)
        order[i] = &l->b[i];
    sort_by_size(order, placed, l->n);
    for (int i = 0; i < l->n; i++) {
        buffer *b = order[i];

        /* a hostile graph can make this quadratic loop long */
        if (i % 256 == 0 && !ax_may_continue(&pl->p->arena.env))
            return ax_cancelled(pl->err);
        b->offset = find_gap(placed, i, b);
        insert_by_offset(placed, i, b);
        *b->place = b->offset;
        pl->p->bytes = AX_MAX(pl->p->bytes, b->offset + b->bytes);
    }
    return AX_OK;
}

static ax_status place_buffers(planner *pl, ax_arena *work)
{
    buffer_list l = {0};

    l.b = ax_arena_array(work, 2 * (size_t) pl->g->n_values + 3 * (size_t) pl->n, sizeof(buffer));
    if (l.b == NULL)
        return ax_nomem(pl->err);
    list_values(pl, &l);
    list_node_memory(pl, &l);
    return place_list(pl, &l, work);
}

/* A place in the shards' grad for every trainable weight but the deferred ones, each at the start of a cache line. */
static void place_weight_gradients(planner *pl)
{
    const int64_t line = AX_ALIGN / sizeof(float);
    ax_plan *p = pl->p;

    for (int v = 0; v < pl->g->n_values; v++) {
        const ax_value *w = &pl->g->value[v];

        if (w->role != AX_VALUE_WEIGHT || !w->trainable)
            continue;
        p->grad_place[v] = p->deferred[v] >= 0 ? AX_NOWHERE : (size_t) p->grad_floats;
        if (p->deferred[v] < 0)
            p->grad_floats += (ax_shape_elements(&w->shape) + line - 1) / line * line;
    }
}

/* ---- all together ---------------------------------------------------------------------------- */

static ax_status allocate(planner *pl, ax_arena *work)
{
    ax_plan *p = pl->p;
    size_t nv = (size_t) pl->g->n_values, nn = (size_t) pl->n;

    p->value = ax_arena_array(&p->arena, nv, sizeof(*p->value));
    p->root = ax_arena_array(&p->arena, nv, sizeof(*p->root));
    p->place = ax_arena_array(&p->arena, nv, sizeof(*p->place));
    p->has_grad = ax_arena_array(&p->arena, nv, sizeof(*p->has_grad));
    p->grad_root = ax_arena_array(&p->arena, nv, sizeof(*p->grad_root));
    p->grad_place = ax_arena_array(&p->arena, nv, sizeof(*p->grad_place));
    p->node = ax_arena_array(&p->arena, nn, sizeof(*p->node));
    p->step = ax_arena_array(&p->arena, 6 * nn + 1, sizeof(*p->step));
    p->order = ax_arena_array(&p->arena, nv, sizeof(*p->order));
    p->pack = ax_arena_array(&p->arena, nn, sizeof(*p->pack));
    p->deferred = ax_arena_array(&p->arena, nv, sizeof(*p->deferred));
    pl->needs = ax_arena_array(work, nv, sizeof(*pl->needs));
    pl->last_use = ax_arena_array(work, nv, sizeof(*pl->last_use));
    pl->first_grad = ax_arena_array(work, nv, sizeof(*pl->first_grad));
    pl->last_grad = ax_arena_array(work, nv, sizeof(*pl->last_grad));
    if (p->value == NULL || p->root == NULL || p->place == NULL || p->has_grad == NULL ||
        p->grad_root == NULL || p->grad_place == NULL || p->node == NULL || p->step == NULL ||
        p->order == NULL || p->pack == NULL || p->deferred == NULL ||
        pl->needs == NULL || pl->last_use == NULL || pl->first_grad == NULL ||
        pl->last_grad == NULL)
        return ax_nomem(pl->err);
    for (size_t i = 0; i < nv; i++)
        p->deferred[i] = -1;
    return AX_OK;
}

static ax_status make(planner *pl, ax_arena *work)
{
    AX_TRY(allocate(pl, work));
    AX_TRY(setup_nodes(pl));
    if (pl->p->training) {
        mark_needs(pl);
        derive_backward(pl);
    }
    find_last_uses(pl);
    share_buffers(pl);
    share_gradients(pl);
    if (pl->p->training)
        find_gradient_lives(pl);
    list_steps(pl);
    AX_TRY(place_buffers(pl, work));
    if (pl->p->training)
        place_weight_gradients(pl);
    return AX_OK;
}

ax_status ax_plan_create(const ax_env *env, const ax_graph *g, const ax_plan_spec *spec,
                         ax_plan **out, ax_error *err)
{
    ax_arena arena, work;
    ax_plan *p;
    planner pl = {.err = err};
    ax_lowered lowered;
    ax_status status;

    if (spec->batch < 0 || (spec->training && (spec->loss_value < 0 || spec->loss_value >= g->n_values)))
        return ax_fail(err, AX_ERR_INTERNAL, "a plan was asked for that makes no sense");
    AX_TRY(ax_lower(env, g, spec, &lowered, err));
    ax_arena_init(&arena, env);
    ax_arena_init(&work, env);
    p = ax_arena_alloc(&arena, sizeof(*p));
    if (p == NULL) {
        ax_graph_free(lowered.graph);
        return ax_nomem(err);
    }
    p->arena = arena;
    p->lowered = lowered;
    p->graph = lowered.graph;
    p->batch = spec->batch;
    p->training = spec->training;
    p->loss_value = spec->training ? lowered.value[spec->loss_value] : -1;
    pl.p = p;
    pl.g = p->graph;
    pl.n = pl.g->n_nodes;
    status = make(&pl, &work);
    ax_arena_free(&work);
    if (status != AX_OK) {
        ax_plan_free(p);
        return status;
    }
    *out = p;
    return AX_OK;
}

void ax_plan_free(ax_plan *p)
{
    ax_arena arena;

    if (p == NULL)
        return;
    ax_graph_free(p->lowered.graph);
    arena = p->arena;
    ax_arena_free(&arena);
}

size_t ax_plan_arena_bytes(const ax_plan *p)
{
    return p->bytes + OVERREAD;
}

size_t ax_plan_packed_bytes(const ax_plan *p)
{
    return p->packed_bytes;
}

size_t ax_plan_memory(const ax_plan *p)
{
    return p->arena.reserved + p->lowered.graph->arena.reserved;
}

int64_t ax_plan_batch(const ax_plan *p)
{
    return p->batch;
}

const ax_order *ax_plan_order(const ax_plan *p, int value)
{
    return p->order[p->lowered.value[value]];
}

int64_t ax_plan_gradient_floats(const ax_plan *p)
{
    return p->grad_floats;
}

int64_t ax_plan_gradient_at(const ax_plan *p, int value)
{
    size_t at = p->grad_place[p->lowered.value[value]];

    return at == AX_NOWHERE ? -1 : (int64_t) at;
}

bool ax_plan_defers(const ax_plan *p, int value)
{
    return p->deferred[p->lowered.value[value]] >= 0;
}
