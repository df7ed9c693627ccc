/*
 * exec.c: one shard's memory, and the walk through the steps of a plan.
 *
 * An exec resolves every tensor of its plan to an address once, when it is made; running it is then a loop
 * of calls. Graph inputs may be bound to the caller's bytes: the tensors that read them are listed and
 * patched.
 *
 * A run goes segment by segment. A segment ends where all shards must meet (a merge step) or at the end
 * of the plan; within it every shard is one task of the pool. Plans of different batch size of one graph have
 * the same merge steps in the same order, so shards of different size meet at the same points.
 */
#include "graph/plan_private.h"

#define MAX_SHARDS 256

typedef struct patch {
    ax_tensor *tensor;
    int input; /* value number of the graph input whose bytes it reads */
} patch;

struct ax_exec {
    ax_arena arena;
    const ax_plan *plan;
    uint8_t *memory, *packed;
    float *grad;
    ax_run *forward, *backward; /* per node */
    const void **bound;         /* per value: graph inputs pointed at the caller's bytes, else NULL */
    patch *patch;
    ax_tensor *tensor; /* the next one that make_run may take */
    int n_patches;
    int next_step;
};

/* ---- addresses ------------------------------------------------------------------------------- */

static void *address(const ax_exec *e, int v)
{
    int root = e->plan->root[v];

    if (e->plan->graph->value[root].role == AX_VALUE_WEIGHT)
        return e->plan->graph->value[root].data;
    if (e->bound[root] != NULL)
        return (void *) e->bound[root];
    return e->memory + e->plan->place[root];
}

static ax_tensor resolve_value(const ax_exec *e, int v)
{
    ax_tensor t = {.type = AX_FLOAT, .shape = {.rank = -1}};

    if (v < 0)
        return t;
    t = e->plan->value[v];
    t.data = address(e, v);
    return t;
}

/* The gradient of v; data NULL when the plan computes none. */
static ax_tensor resolve_gradient(const ax_exec *e, int v)
{
    const ax_plan *p = e->plan;
    ax_tensor t = {.type = AX_FLOAT, .shape = {.rank = -1}};

    if (v < 0)
        return t;
    t.shape = p->value[v].shape;
    if (!p->has_grad[v])
        return t;
    if (p->graph->value[v].trainable)
        t.data = p->deferred[v] < 0 ? e->grad + p->grad_place[v] : NULL;
    else
        t.data = e->memory + p->grad_place[p->grad_root[v]];
    return t;
}

static void *resolve_memory(const ax_exec *e, size_t bytes, size_t place)
{
    return bytes == 0 || place == AX_NOWHERE ? NULL : e->memory + place;
}

/* ---- making an exec -------------------------------------------------------------------------- */

static void note_patch(ax_exec *e, ax_tensor *t, int value)
{
    int root = value < 0 ? -1 : e->plan->root[value];

    if (root >= 0 && e->plan->graph->value[root].role == AX_VALUE_INPUT)
        e->patch[e->n_patches++] = (patch){t, root};
}

static void make_run(ax_exec *e, int i)
{
    const ax_plan *p = e->plan;
    const ax_node *node = &p->graph->node[i];
    const ax_planned *planned = &p->node[i];
    ax_run *r = &e->forward[i];
    size_t n_in = (size_t) node->n_in, n_out = (size_t) node->n_out;
    ax_tensor *t = e->tensor;

    e->tensor += 2 * (n_in + n_out);
    *r = (ax_run){.node = node, .prep = planned->prep, .n_in = node->n_in, .n_out = node->n_out};
    r->in = t;
    r->out = t + n_in;
    r->din = t + n_in + n_out;
    r->dout = t + 2 * n_in + n_out;
    r->add = planned->add;
    r->training = p->training;
    r->packed = planned->packed_bytes > 0 ? e->packed + planned->packed : NULL;
    for (int k = 0; k < node->n_in; k++) {
        t[k] = resolve_value(e, node->in[k]);
        note_patch(e, &t[k], node->in[k]);
        r->din[k] = resolve_gradient(e, node->in[k]);
    }
    for (int k = 0; k < node->n_out; k++) {
        r->out[k] = resolve_value(e, node->out[k]);
        note_patch(e, &r->out[k], node->out[k]);
        t[2 * n_in + n_out + (size_t) k] = resolve_gradient(e, node->out[k]);
    }
    r->saved = resolve_memory(e, planned->saved_bytes, planned->saved);
    r->scratch = resolve_memory(e, planned->scratch_bytes, planned->scratch);
    e->backward[i] = *r;
    e->backward[i].scratch =
        resolve_memory(e, planned->scratch_backward_bytes, planned->scratch_backward);
}

/* Inputs and outputs of all nodes. */
static size_t count_edges(const ax_graph *g)
{
    size_t edges = 0;

    for (int i = 0; i < g->n_nodes; i++)
        edges += (size_t) g->node[i].n_in + (size_t) g->node[i].n_out;
    return edges;
}

/* What the requests of ax_exec_create add up to: REQUESTS of them. */
#define REQUESTS 6

static size_t exec_bytes(const ax_graph *g)
{
    return sizeof(ax_exec) + 2 * (size_t) g->n_nodes * sizeof(ax_run) +
           (size_t) g->n_values * sizeof(const void *) +
           count_edges(g) * (sizeof(patch) + 2 * sizeof(ax_tensor));
}

size_t ax_exec_memory(const ax_plan *p)
{
    return ax_arena_room(exec_bytes(p->graph), REQUESTS);
}

static ax_status make_exec(ax_exec *e, ax_error *err)
{
    const ax_graph *g = e->plan->graph;
    size_t edges = count_edges(g);

    e->forward = ax_arena_array(&e->arena, (size_t) g->n_nodes, sizeof(ax_run));
    e->backward = ax_arena_array(&e->arena, (size_t) g->n_nodes, sizeof(ax_run));
    e->bound = ax_arena_array(&e->arena, (size_t) g->n_values, sizeof(*e->bound));
    e->patch = ax_arena_array(&e->arena, edges, sizeof(patch));
    e->tensor = ax_arena_array(&e->arena, 2 * edges, sizeof(ax_tensor));
    if (e->forward == NULL || e->backward == NULL || e->bound == NULL || e->patch == NULL ||
        e->tensor == NULL)
        return ax_nomem(err);
    for (int i = 0; i < g->n_nodes; i++)
        make_run(e, i);
    /* weights that the loss does not depend on, and the padding, keep a gradient of zero */
    if (e->grad != NULL)
        memset(e->grad, 0, (size_t) e->plan->grad_floats * sizeof(float));
    return AX_OK;
}

ax_status ax_exec_create(const ax_env *env, const ax_plan *p, void *arena, void *packed,
                         float *grad, ax_exec **out, ax_error *err)
{
    ax_arena own;
    ax_exec *e;
    ax_status status;

    if (p->training && grad == NULL)
        return ax_fail(err, AX_ERR_INTERNAL, "a training plan was given no gradient");
    ax_arena_init(&own, env);
    if (!ax_arena_reserve(&own, exec_bytes(p->graph), REQUESTS))
        return ax_nomem(err);
    e = ax_arena_alloc(&own, sizeof(*e));
    if (e == NULL) {
        ax_arena_free(&own);
        return ax_nomem(err);
    }
    e->arena = own;
    e->plan = p;
    e->memory = arena;
    e->packed = packed;
    e->grad = grad;
    status = make_exec(e, err);
    if (status != AX_OK) {
        ax_exec_free(e);
        return status;
    }
    *out = e;
    return AX_OK;
}

void ax_exec_free(ax_exec *e)
{
    ax_arena arena;

    if (e == NULL)
        return;
    arena = e->arena;
    ax_arena_free(&arena);
}

const ax_plan *ax_exec_plan(const ax_exec *e)
{
    return e->plan;
}

void ax_exec_bind(ax_exec *e, int value, const void *data)
{
    value = e->plan->lowered.value[value];
    e->bound[value] = data;
    for (int i = 0; i < e->n_patches; i++)
        if (e->patch[i].input == value)
            e->patch[i].tensor->data =
                data != NULL ? (void *) data : e->memory + e->plan->place[value];
    /* the backward runs share the arrays of the forward ones: nothing else to patch */
}

ax_tensor ax_exec_value(const ax_exec *e, int value)
{
    return resolve_value(e, e->plan->lowered.value[value]);
}

const void *ax_exec_data(const ax_exec *e, int value)
{
    return address(e, e->plan->lowered.value[value]);
}

ax_tensor ax_exec_gradient(const ax_exec *e, int value)
{
    return resolve_gradient(e, e->plan->lowered.value[value]);
}

/* ---- packing weights ------------------------------------------------------------------------- */

static void pack_node(void *arg, int task)
{
    const ax_exec *e = arg;
    int i = e->plan->pack[task / AX_PACK_PARTS];

    e->plan->graph->node[i].op->pack(&e->forward[i],
                                     (ax_part){task % AX_PACK_PARTS, AX_PACK_PARTS});
}

ax_status ax_exec_pack(ax_exec *e, ax_pool *pool, ax_error *err)
{
    int tasks = e->plan->n_packs * AX_PACK_PARTS;

    if (pool != NULL && tasks > 0)
        return ax_pool_run(pool, pack_node, e, tasks, err);
    for (int i = 0; i < tasks; i++)
        pack_node(e, i);
    return AX_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

/* One call of ax_exec_run. */
typedef struct crew {
    const ax_env *env;
    ax_exec *const *shard;
    ax_pool *pool;
    const ax_exec_job *job;
    atomic_bool stopped; /* without a pool: may_continue said no */
} crew;

static bool should_stop(crew *c)
{
    if (c->pool != NULL)
        return ax_pool_stopped(c->pool);
    if (!atomic_load_explicit(&c->stopped, memory_order_relaxed) && !ax_may_continue(c->env))
        atomic_store_explicit(&c->stopped, true, memory_order_relaxed);
    return atomic_load_explicit(&c->stopped, memory_order_relaxed);
}

static bool is_merge(ax_step_kind kind)
{
    return kind == AX_STEP_FORWARD_MERGE || kind == AX_STEP_BACKWARD_MERGE;
}

static void prepare(ax_run *r, const crew *c, int shard, int node)
{
    r->key = ax_rng_at(c->job->key, (uint64_t) node);
    r->row0 = c->job->row0 != NULL ? c->job->row0[shard] : 0;
    r->pool = c->pool;
}

static void take_step(crew *c, int shard, const ax_step *step)
{
    ax_exec *e = c->shard[shard];
    const ax_op *op;

    if (step->kind == AX_STEP_LOSS) {
        if (c->job->loss != NULL)
            c->job->loss(c->job->arg, shard, e);
        return;
    }
    op = e->plan->graph->node[step->node].op;
    prepare(&e->forward[step->node], c, shard, step->node);
    prepare(&e->backward[step->node], c, shard, step->node);
    switch (step->kind) {
    case AX_STEP_FORWARD:
        op->forward(&e->forward[step->node]);
        break;
    case AX_STEP_FORWARD_STATS:
        op->forward_stats(&e->forward[step->node]);
        break;
    case AX_STEP_BACKWARD:
        op->backward(&e->backward[step->node]);
        break;
    case AX_STEP_BACKWARD_STATS:
        op->backward_stats(&e->backward[step->node]);
        break;
    default: /* merges are the crew's, the loss is done */
        break;
    }
}

/* A shard's task: from where it stands to the next merge, or to the end. */
static void run_segment(void *arg, int shard)
{
    crew *c = arg;
    ax_exec *e = c->shard[shard];
    const ax_plan *p = e->plan;

    if (e->next_step == 0 && c->job->load != NULL)
        c->job->load(c->job->arg, shard, e);
    while (e->next_step < p->n_steps) {
        const ax_step *step = &p->step[e->next_step];

        if (is_merge(step->kind) || should_stop(c))
            return;
        if (step->kind >= AX_STEP_BACKWARD && !c->job->backward) {
            e->next_step = p->n_steps;
            return;
        }
        take_step(c, shard, step);
        e->next_step++;
    }
}

static void merge(crew *c, int n)
{
    const ax_run *run[MAX_SHARDS];
    const ax_exec *first = c->shard[0];
    ax_step step = first->plan->step[first->next_step];
    const ax_op *op = first->plan->graph->node[step.node].op;

    for (int s = 0; s < n; s++) {
        ax_exec *e = c->shard[s];

        run[s] = step.kind == AX_STEP_FORWARD_MERGE ? &e->forward[step.node]
                                                     : &e->backward[step.node];
        e->next_step++;
    }
    if (step.kind == AX_STEP_FORWARD_MERGE)
        op->forward_merge(run, n);
    else
        op->backward_merge(run, n);
}

static ax_status run_all(crew *c, int n, ax_error *err)
{
    if (c->pool != NULL)
        return ax_pool_run(c->pool, run_segment, c, n, err);
    for (int s = 0; s < n && !should_stop(c); s++)
        run_segment(c, s);
    return should_stop(c) ? ax_cancelled(err) : AX_OK;
}

ax_status ax_exec_run(const ax_env *env, ax_exec *const *shard, int n, ax_pool *pool,
                      const ax_exec_job *job, ax_error *err)
{
    crew c = {.env = env, .shard = shard, .pool = pool, .job = job};

    if (n < 1 || n > MAX_SHARDS)
        return ax_fail(err, AX_ERR_INTERNAL, "%d shards cannot run at once", n);
    for (int s = 0; s < n; s++)
        shard[s]->next_step = 0;
    for (;;) {
        AX_TRY(run_all(&c, n, err));
        if (shard[0]->next_step >= shard[0]->plan->n_steps)
            return AX_OK;
        merge(&c, n);
    }
}

void ax_exec_weight_gradient(ax_exec *const *shard, int n, int value, int64_t from, int64_t to,
                             float *out)
{
    const ax_plan *p = shard[0]->plan;
    int node = p->deferred[p->lowered.value[value]];
    const ax_run *run[MAX_SHARDS];

    for (int s = 0; s < n; s++)
        run[s] = &shard[s]->backward[node];
    p->graph->node[node].op->weight_gradient(run, n, from, to, out);
}

void ax_exec_infer(ax_exec *e)
{
    const ax_plan *p = e->plan;

    for (int i = 0; i < p->n_steps && p->step[i].kind == AX_STEP_FORWARD; i++) {
        ax_run *r = &e->forward[p->step[i].node];

        r->pool = NULL; /* an earlier run may have left one */
        r->node->op->forward(r);
    }
}
