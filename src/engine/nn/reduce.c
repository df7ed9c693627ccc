/*
 * reduce.c: see reduce.h.
 *
 * Without a norm to wait for, one pass over the blocks does everything while a block is in the
 * cache. clipnorm and global_clipnorm need the norm of a whole weight or of all of them first: then
 * a first pass sums and squares, and a second scales and updates. Weights whose gradient comes in an order
 * of its own (ax_order) also wait for the second pass, which puts it right.
 */
#include "nn/reduce.h"

#include <math.h>

#define BLOCK_FLOATS 4096
#define TASK_BLOCKS 4 /* blocks a task: 64 kB of parameters */

typedef struct block {
    int64_t from, to;
    int weight;     /* which of the weights, from 0 */
    double squares; /* of the summed gradient; or, in a check, whether a number is not finite */
    int64_t begin; /* of the weight */
    int64_t at;    /* of the weight's gradient in a shard's; not if it is deferred */
    int64_t row;   /* floats of one of its rows: of its first dimension */
    int value;
    const ax_order *order;
    bool deferred; /* its gradient is asked for, a few rows at a time */
} block;

struct ax_reduce {
    ax_env env;
    ax_graph *graph;
    ax_optimizer *optimizer;
    int n_weights, n_blocks;
    bool orders; /* some weight has one */
    block *block;
    float *scale; /* per weight: what clipping multiplies its gradient by */
    float *made; /* (n_param) gradients that are not in the shards as they should be: of weights with an order, and
                    deferred ones. NULL without any */
    /* of the pass that runs */
    float *const *grad;
    ax_exec *const *exec;
    int n_grads;
};

/* ---- blocks ---------------------------------------------------------------------------------- */

static bool is_parameter(const ax_value *v)
{
    return v->role == AX_VALUE_WEIGHT && v->trainable;
}

/* A block of a weight whose gradient is made here is whole rows: as many as share a cache line of an order, or as
 * fill the tiles of a product. */
static int64_t block_floats(const block *like)
{
    int64_t unit = like->order != NULL ? 16 : 12;

    if (like->order == NULL && !like->deferred)
        return BLOCK_FLOATS;
    return AX_MIN(AX_MAX(BLOCK_FLOATS / (unit * like->row), 1) * unit, AX_GRADIENT_ROWS) * like->row;
}

/* What all blocks of value i have in common. */
static block block_of(const ax_graph *g, const ax_plan *plan, int i, int weight)
{
    const ax_value *v = &g->value[i];

    return (block) {.begin = v->offset,
                    .at = plan != NULL ? ax_plan_gradient_at(plan, i) : v->offset,
                    .weight = weight,
                    .value = i,
                    .row = AX_MAX(ax_shape_span(&v->shape, 1, v->shape.rank), 1),
                    .order = plan != NULL ? ax_plan_order(plan, i) : NULL,
                    .deferred = plan != NULL && ax_plan_defers(plan, i)};
}

static int64_t blocks_of(const ax_value *v, const block *like)
{
    int64_t most = block_floats(like);

    return (ax_shape_elements(&v->shape) + most - 1) / most;
}

static void cut(ax_reduce *r, const ax_plan *plan)
{
    block *b = r->block;
    int weight = 0;

    for (int i = 0; i < r->graph->n_values; i++) {
        const ax_value *v = &r->graph->value[i];
        int64_t end = v->offset + ax_shape_elements(&v->shape), most;
        block like;

        if (!is_parameter(v))
            continue;
        like = block_of(r->graph, plan, i, weight++);
        most = block_floats(&like);
        for (like.from = v->offset; like.from < end; like.from += most) {
            like.to = AX_MIN(like.from + most, end);
            *b++ = like;
        }
    }
}

/* Counts weights and returns how many blocks they are. *makes: are there gradients that are made here? */
static int64_t count(ax_reduce *r, const ax_plan *plan, bool *makes)
{
    const ax_graph *g = r->graph;
    int64_t n_blocks = 0;

    for (int i = 0; i < g->n_values; i++)
        if (is_parameter(&g->value[i])) {
            block like = block_of(g, plan, i, 0);

            n_blocks += blocks_of(&g->value[i], &like);
            r->orders |= like.order != NULL;
            *makes |= like.order != NULL || like.deferred;
            r->n_weights++;
        }
    return n_blocks;
}

size_t ax_reduce_memory(ax_graph *g, const ax_plan *plan)
{
    ax_reduce r = {.graph = g};
    bool makes = false;
    int64_t n_blocks = count(&r, plan, &makes);
    size_t bytes = ax_sum_alloc(0, 1, sizeof(r));

    bytes = ax_sum_alloc(bytes, (size_t) n_blocks, sizeof(*r.block));
    bytes = ax_sum_alloc(bytes, (size_t) r.n_weights, sizeof(*r.scale));
    return makes ? ax_sum_alloc(bytes, (size_t) g->n_param, sizeof(float)) : bytes;
}

ax_status ax_reduce_create(const ax_env *env, ax_graph *g, const ax_plan *plan, ax_optimizer *o,
                           ax_reduce **out, ax_error *err)
{
    ax_reduce *r = ax_zalloc(env, sizeof(*r));
    int64_t n_blocks;
    bool makes = false;

    if (r == NULL)
        return ax_nomem(err);
    r->env = *env;
    r->graph = g;
    r->optimizer = o;
    n_blocks = count(r, plan, &makes);
    if (n_blocks > INT32_MAX) {
        ax_reduce_free(r);
        return ax_fail(err, AX_ERR_LIMIT, "too many parameters");
    }
    r->n_blocks = (int) n_blocks;
    r->block = ax_zalloc(env, (size_t) n_blocks * sizeof(*r->block));
    r->scale = ax_zalloc(env, (size_t) r->n_weights * sizeof(*r->scale));
    r->made = makes ? ax_alloc(env, (size_t) g->n_param * sizeof(float)) : NULL;
    if (r->block == NULL || r->scale == NULL || (makes && r->made == NULL)) {
        ax_reduce_free(r);
        return ax_nomem(err);
    }
    cut(r, plan);
    *out = r;
    return AX_OK;
}

void ax_reduce_free(ax_reduce *r)
{
    ax_env env;

    if (r == NULL)
        return;
    env = r->env;
    ax_free(&env, r->block);
    ax_free(&env, r->scale);
    ax_free(&env, r->made);
    ax_free(&env, r);
}

/* ---- passes ---------------------------------------------------------------------------------- */

static float *of_shard(const ax_reduce *r, int shard, const block *b)
{
    return r->grad[shard] + b->at + (b->from - b->begin);
}

/* Where the gradient of a block stands once it is summed, and put in order. */
static float *gradient_of(const ax_reduce *r, const block *b)
{
    return b->order != NULL || b->deferred ? r->made + b->from : of_shard(r, 0, b);
}

/* Returns the sum over the shards: in order, unless the block has one of its own. */
static float *sum_shards(const ax_reduce *r, const block *b)
{
    const ax_kernels *k = ax_kernels_get();
    float *sum;

    if (b->deferred) {
        ax_exec_weight_gradient(r->exec, r->n_grads, b->value, (b->from - b->begin) / b->row,
                                (b->to - b->begin) / b->row, r->made + b->from);
        return r->made + b->from;
    }
    sum = of_shard(r, 0, b);
    for (int s = 1; s < r->n_grads; s++)
        k->add(b->to - b->from, sum, of_shard(r, s, b), sum);
    return sum;
}

static double squares(const float *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double) x[i] * (double) x[i];
    return sum;
}

/* NaN stays NaN. */
static void clip_values(float *x, int64_t n, float limit)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}

/* n rows of one group, from the order in which the gradient came to the weight's own. */
static void put_rows_in_order(const ax_order *o, const float *from, int64_t n, int64_t row, float *to)
{
    int32_t to_at[AX_GRADIENT_ROWS];

    if (o->per_m == 1) {
        for (int64_t i = 0; i < n; i++)
            to_at[i] = (int32_t) (i * row);
        ax_kernels_get()->channels->transpose(row, n, from, o->at, to, to_at);
        return;
    }
    for (int64_t i = 0; i < n; i++, from += o->per_m)
        for (int64_t j = 0; j < row; j++)
            *to++ = from[o->at[j]];
}

static void put_in_order(const ax_reduce *r, const block *b)
{
    const ax_order *o = b->order;
    int64_t m = (b->from - b->begin) / b->row, end = (b->to - b->begin) / b->row, n;
    const float *g = r->grad[0] + b->at;

    for (; m < end; m += n) {
        n = AX_MIN(end - m, o->mg - m % o->mg);
        put_rows_in_order(o, g + m / o->mg * o->per_group + m % o->mg * o->per_m, n, b->row,
                          r->made + b->begin + m * b->row);
    }
}

static void update(const ax_reduce *r, const block *b)
{
    ax_optimizer_range(r->optimizer, b->from, b->to, gradient_of(r, b), r->graph->param);
}

static bool needs_norm(const ax_reduce *r)
{
    return r->optimizer->set.clipnorm > 0 || r->optimizer->set.global_clipnorm > 0;
}

static void do_sum(ax_reduce *r, block *b)
{
    double limit = r->optimizer->set.clipvalue;
    float *g = sum_shards(r, b);

    if (limit > 0)
        clip_values(g, b->to - b->from, (float) limit);
    if (needs_norm(r))
        b->squares = squares(g, b->to - b->from);
    else if (b->order == NULL)
        update(r, b);
}

static void do_update(ax_reduce *r, block *b)
{
    float scale = needs_norm(r) ? r->scale[b->weight] : 1, *g = gradient_of(r, b);

    if (b->order == NULL && !needs_norm(r))
        return;
    if (b->order != NULL)
        put_in_order(r, b);
    if (scale != 1)
        ax_kernels_get()->mul_scalar(b->to - b->from, g, scale, g);
    update(r, b);
}

static void do_check(ax_reduce *r, block *b)
{
    const float *p = r->graph->param;
    bool bad = false;

    for (int64_t i = b->from; i < b->to; i++)
        bad |= !isfinite(p[i]);
    b->squares = bad;
}

typedef struct pass {
    ax_reduce *reduce;
    void (*work)(ax_reduce *r, block *b);
} pass;

static void run_task(void *arg, int task)
{
    pass *p = arg;
    int end = AX_MIN(task * TASK_BLOCKS + TASK_BLOCKS, p->reduce->n_blocks);

    for (int i = task * TASK_BLOCKS; i < end; i++)
        p->work(p->reduce, &p->reduce->block[i]);
}

static ax_status run_pass(ax_reduce *r, ax_pool *pool, void (*work)(ax_reduce *, block *),
                          ax_error *err)
{
    pass p = {r, work};

    return ax_pool_run(pool, run_task, &p, (r->n_blocks + TASK_BLOCKS - 1) / TASK_BLOCKS, err);
}

/* ---- norms ----------------------------------------------------------------------------------- */

/* A gradient longer than limit is made as long as limit. A NaN norm scales by NaN, and the loss
 * will show it. */
static float scale_for(double squares, double limit)
{
    double norm = sqrt(squares);

    return norm <= limit ? 1 : (float) (limit / norm);
}

static void find_scales(ax_reduce *r)
{
    const ax_optimizer_settings *set = &r->optimizer->set;
    double total = 0, own = 0;

    for (int i = 0; i < r->n_blocks; i++) {
        const block *b = &r->block[i];

        total += b->squares;
        own = i > 0 && r->block[i - 1].weight == b->weight ? own + b->squares : b->squares;
        r->scale[b->weight] = scale_for(own, set->clipnorm);
    }
    if (set->global_clipnorm > 0)
        for (int i = 0; i < r->n_weights; i++)
            r->scale[i] = scale_for(total, set->global_clipnorm);
}

ax_status ax_reduce_step(ax_reduce *r, ax_pool *pool, float *const *grad, ax_exec *const *exec,
                         int n, double rate, ax_error *err)
{
    r->grad = grad;
    r->exec = exec;
    r->n_grads = n;
    ax_optimizer_begin(r->optimizer, rate);
    AX_TRY(run_pass(r, pool, do_sum, err));
    if (needs_norm(r))
        find_scales(r);
    return needs_norm(r) || r->orders ? run_pass(r, pool, do_update, err) : AX_OK;
}

ax_status ax_reduce_check(ax_reduce *r, ax_pool *pool, bool *finite, ax_error *err)
{
    *finite = true;
    AX_TRY(run_pass(r, pool, do_check, err));
    for (int i = 0; i < r->n_blocks; i++)
        *finite = *finite && r->block[i].squares == 0;
    return AX_OK;
}
