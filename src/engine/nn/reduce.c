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
    const ax_order *order;
    int64_t begin; /* of the weight */
} block;

struct ax_reduce {
    ax_env env;
    ax_graph *graph;
    ax_optimizer *optimizer;
    int n_weights, n_blocks;
    block *block;
    float *scale; /* per weight: what clipping multiplies its gradient by */
    float *ordered; /* (n_param) gradients of weights with an order, put right; NULL without any */
    /* of the pass that runs */
    float *const *grad;
    int n_grads;
};

/* ---- blocks ---------------------------------------------------------------------------------- */

static bool is_parameter(const ax_value *v)
{
    return v->role == AX_VALUE_WEIGHT && v->trainable;
}

static const ax_order *order_of(const ax_plan *plan, int value)
{
    return plan != NULL ? ax_plan_order(plan, value) : NULL;
}

/* With an order, whole rows of the first dimension, and of those as many as share a cache line. */
static int64_t block_floats(const ax_value *v, const ax_order *order)
{
    int64_t row = order != NULL ? order->c * order->taps : 1;

    return AX_MAX(BLOCK_FLOATS / (16 * row), 1) * 16 * row;
}

static int64_t blocks_of(const ax_value *v, const ax_order *order)
{
    int64_t most = block_floats(v, order);

    return (ax_shape_elements(&v->shape) + most - 1) / most;
}

static void cut(ax_reduce *r, const ax_plan *plan)
{
    block *b = r->block;
    int weight = 0;

    for (int i = 0; i < r->graph->n_values; i++) {
        const ax_value *v = &r->graph->value[i];
        const ax_order *order;
        int64_t end, at, most;

        if (!is_parameter(v))
            continue;
        order = order_of(plan, i);
        most = block_floats(v, order);
        end = v->offset + ax_shape_elements(&v->shape);
        for (at = v->offset; at < end; at += most)
            *b++ = (block) {at, AX_MIN(at + most, end), weight, 0, order, v->offset};
        weight++;
    }
}

ax_status ax_reduce_create(const ax_env *env, ax_graph *g, const ax_plan *plan, ax_optimizer *o,
                           ax_reduce **out, ax_error *err)
{
    ax_reduce *r = ax_zalloc(env, sizeof(*r));
    int64_t n_blocks = 0;
    bool orders = false;

    if (r == NULL)
        return ax_nomem(err);
    r->env = *env;
    r->graph = g;
    r->optimizer = o;
    for (int i = 0; i < g->n_values; i++)
        if (is_parameter(&g->value[i])) {
            n_blocks += blocks_of(&g->value[i], order_of(plan, i));
            orders |= order_of(plan, i) != NULL;
            r->n_weights++;
        }
    if (n_blocks > INT32_MAX) {
        ax_reduce_free(r);
        return ax_fail(err, AX_ERR_LIMIT, "too many parameters");
    }
    r->n_blocks = (int) n_blocks;
    r->block = ax_zalloc(env, (size_t) n_blocks * sizeof(*r->block));
    r->scale = ax_zalloc(env, (size_t) r->n_weights * sizeof(*r->scale));
    r->ordered = orders ? ax_alloc(env, (size_t) g->n_param * sizeof(float)) : NULL;
    if (r->block == NULL || r->scale == NULL || (orders && r->ordered == NULL)) {
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
    ax_free(&env, r->ordered);
    ax_free(&env, r);
}

/* ---- passes ---------------------------------------------------------------------------------- */

static void sum_shards(const ax_reduce *r, const block *b)
{
    const ax_kernels *k = ax_kernels_get();
    float *sum = r->grad[0] + b->from;

    for (int s = 1; s < r->n_grads; s++)
        k->add(b->to - b->from, sum, r->grad[s] + b->from, sum);
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

/* From the order in which the gradient came to the weight's own. */
static void put_in_order(const ax_reduce *r, const block *b)
{
    const ax_order *o = b->order;
    int64_t row = o->c * o->taps, m = (b->from - b->begin) / row, end = (b->to - b->begin) / row;
    float *to = r->ordered + b->from;

    for (; m < end; m++) {
        const float *from = r->grad[0] + b->begin + m / o->mg * o->per_group + m % o->mg * o->per_m;

        for (int64_t c = 0; c < o->c; c++)
            for (int64_t t = 0; t < o->taps; t++)
                *to++ = from[c * o->per_c + t * o->per_t];
    }
}

static void update(const ax_reduce *r, const block *b)
{
    ax_optimizer_range(r->optimizer, b->from, b->to, b->order != NULL ? r->ordered : r->grad[0],
                       r->graph->param);
}

static bool needs_norm(const ax_reduce *r)
{
    return r->optimizer->set.clipnorm > 0 || r->optimizer->set.global_clipnorm > 0;
}

static void do_sum(ax_reduce *r, block *b)
{
    double limit = r->optimizer->set.clipvalue;

    sum_shards(r, b);
    if (limit > 0)
        clip_values(r->grad[0] + b->from, b->to - b->from, (float) limit);
    if (needs_norm(r))
        b->squares = squares(r->grad[0] + b->from, b->to - b->from);
    else if (b->order == NULL)
        update(r, b);
}

static void do_update(ax_reduce *r, block *b)
{
    float scale = needs_norm(r) ? r->scale[b->weight] : 1, *g = r->grad[0] + b->from;

    if (b->order == NULL && !needs_norm(r))
        return;
    if (b->order != NULL) {
        put_in_order(r, b);
        g = r->ordered + b->from;
    }
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

ax_status ax_reduce_step(ax_reduce *r, ax_pool *pool, float *const *grad, int n, double rate,
                         ax_error *err)
{
    r->grad = grad;
    r->n_grads = n;
    ax_optimizer_begin(r->optimizer, rate);
    AX_TRY(run_pass(r, pool, do_sum, err));
    if (needs_norm(r))
        find_scales(r);
    return needs_norm(r) || r->ordered != NULL ? run_pass(r, pool, do_update, err) : AX_OK;
}

ax_status ax_reduce_check(ax_reduce *r, ax_pool *pool, bool *finite, ax_error *err)
{
    *finite = true;
    AX_TRY(run_pass(r, pool, do_check, err));
    for (int i = 0; i < r->n_blocks; i++)
        *finite = *finite && r->block[i].squares == 0;
    return AX_OK;
}
