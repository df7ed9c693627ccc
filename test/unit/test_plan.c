/*
 * test_plan.c: random graphs, run through a plan (buffers shared, aliased, overwritten, in one arena
 * that starts as NaN) and through an interpreter here that gives every value and every gradient
 * memory of its own. Same bits forward, same gradients backward. Lowering is left out: test_lower has that.
 */
#include "graph/plan.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS 6
#define WIDTH 12

/* ---- random graphs -------------------------------------------------------------------------------------- */

typedef struct net {
    ax_graph *g;
    int value[64]; /* values of shape (ROWS, WIDTH) to choose from */
    int n;
    int weights;
    int loss;
} net;

static ax_error err;

static int pick(net *t)
{
    /* recent values more often, so that graphs get deep; old ones too, so that they branch */
    return t->value[unit_below(3) > 0 ? t->n - 1 : unit_below(t->n)];
}

static int weight(net *t, int rank, const int64_t *dim)
{
    char name[32];
    float *data;
    ax_shape s = ax_shape_of(rank, dim);
    int v = -1;

    data = malloc((size_t) ax_shape_elements(&s) * sizeof(float));
    unit_fill(data, ax_shape_elements(&s), -0.6f, 0.6f);
    snprintf(name, sizeof(name), "w%d", t->weights++);
    ax_graph_add_weight(t->g, name, AX_FLOAT, &s, unit_below(4) > 0, data, &v, &err);
    free(data);
    return v;
}

static void add(net *t, const char *op, int n_in, const int *in, int n_attr, const ax_attr *attr)
{
    char name[32];
    int out;

    snprintf(name, sizeof(name), "n%d", t->g->n_nodes);
    if (ax_graph_add_node(t->g, op, name, n_in, in, n_attr, attr, &out, &err) != AX_OK)
        unit_check(false, "node %s: %s", op, err.message);
    else
        t->value[t->n++] = out;
}

static void add_reshapes(net *t)
{
    static const int64_t deep[] = {0, 3, 4}, flat[] = {0, WIDTH};
    int64_t two = 2;
    ax_shape s = ax_shape_of(1, (const int64_t[]){3}), s2 = ax_shape_of(1, &two);
    char name[2][32];
    int in[2] = {pick(t), -1};

    for (int i = 0; i < 2; i++)
        snprintf(name[i], sizeof(name[i]), "shape%d_%d", t->g->n_nodes, i);
    ax_graph_add_weight(t->g, name[0], AX_INT64, &s, false, deep, &in[1], &err);
    add(t, "Reshape", 2, in, 0, NULL);
    in[0] = t->value[--t->n];
    ax_graph_add_weight(t->g, name[1], AX_INT64, &s2, false, flat, &in[1], &err);
    add(t, "Reshape", 2, in, 0, NULL);
}

static void add_random(net *t)
{
    static const char *const unary[] = {"Relu", "Sigmoid", "Tanh", "Identity", "Elu", "Softplus"};
    static const char *const binary[] = {"Add", "Mul", "Sub"};
    int in[3] = {pick(t), pick(t), -1};

    switch (unit_below(5)) {
    case 0:
        add(t, unary[unit_below(6)], 1, in, 0, NULL);
        break;
    case 1:
        add(t, binary[unit_below(3)], 2, in, 0, NULL);
        break;
    case 2:
        in[1] = weight(t, 2, (const int64_t[]){WIDTH, WIDTH});
        in[2] = weight(t, 1, (const int64_t[]){WIDTH});
        add(t, "Gemm", 3, in, 0, NULL);
        break;
    case 3:
        in[1] = weight(t, 1, (const int64_t[]){WIDTH});
        add(t, binary[unit_below(3)], 2, in, 0, NULL);
        break;
    default:
        add_reshapes(t);
        break;
    }
}

static net random_net(int nodes)
{
    net t = {0};
    ax_shape in = ax_shape_of(2, (const int64_t[]){AX_DIM_BATCH, WIDTH});
    int w[2];

    ax_graph_create(unit_env(), "random", &t.g, &err);
    ax_graph_add_input(t.g, "x", AX_FLOAT, &in, &t.value[0], &err);
    t.n = 1;
    w[0] = t.value[0];
    w[1] = weight(&t, 2, (const int64_t[]){WIDTH, WIDTH});
    t.g->value[w[1]].trainable = true;
    add(&t, "MatMul", 2, w, 0, NULL);
    for (int i = 0; i < nodes; i++)
        add_random(&t);
    t.loss = t.value[t.n - 1];
    ax_graph_add_output(t.g, t.loss, &err);
    if (t.n > 3)
        ax_graph_add_output(t.g, t.value[t.n / 2], &err);
    unit_status(ax_graph_bind(t.g, &err), AX_OK, &err, "a graph of %d nodes is bound",
                t.g->n_nodes);
    return t;
}

/* ---- the interpreter: nothing shared ------------------------------------------------------------------------ */

typedef struct interpreter {
    ax_tensor value[256], grad[256];
} interpreter;

static void *fresh(const ax_tensor *t)
{
    return calloc((size_t) ax_shape_elements(&t->shape) + 1, 8);
}

static ax_run make_run(const net *t, interpreter *in, int i, ax_setup *s, ax_tensor *buf)
{
    const ax_node *node = &t->g->node[i];
    ax_run r = {.node = node, .prep = s->prep, .n_in = node->n_in, .n_out = 1, .in = buf,
                .out = &in->value[node->out[0]], .dout = &in->grad[node->out[0]], .din = buf + 8,
                .training = true};

    for (int k = 0; k < node->n_in; k++)
        buf[k] = in->value[node->in[k]];
    r.scratch = calloc(1, s->scratch + s->scratch_backward + 1);
    r.saved = calloc(1, s->saved + 1);
    return r;
}

static void back(const net *t, interpreter *in, int i, ax_run *r, ax_tensor *buf)
{
    static const bool never[8] = {false};

    for (int k = 0; k < r->n_in; k++) {
        int v = r->node->in[k];
        ax_tensor one[8];
        float *g;

        if (t->g->value[v].type != AX_FLOAT && t->g->value[v].role == AX_VALUE_WEIGHT)
            continue;
        /* one input at a time, into memory of its own, then added */
        memset(one, 0, sizeof(one));
        one[k] = buf[k];
        one[k].data = g = fresh(&buf[k]);
        r->din = one;
        r->add = never;
        r->node->op->backward(r);
        for (int64_t e = 0; e < ax_shape_elements(&buf[k].shape); e++)
            ((float *) in->grad[v].data)[e] += g[e];
        free(g);
    }
    (void) i;
}

static void interpret(const net *t, const float *x, const float *seed, interpreter *in)
{
    ax_graph *g = t->g;
    ax_arena arena;
    ax_setup s[64];
    ax_run r[64];
    ax_tensor buf[64][16];

    ax_arena_init(&arena, unit_env());
    ax_graph_bind_shapes(g, ROWS, in->value);
    for (int v = 0; v < g->n_values; v++) {
        in->grad[v] = (ax_tensor){AX_FLOAT, in->value[v].shape, NULL};
        if (g->value[v].role == AX_VALUE_INPUT)
            in->value[v].data = memcpy(fresh(&in->value[v]), x, ROWS * WIDTH * sizeof(float));
        if (g->value[v].role != AX_VALUE_COMPUTED)
            in->grad[v].data = fresh(&in->value[v]);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        int out = g->node[i].out[0];

        ax_graph_setup_node(g, i, true, &arena, in->value, &s[i], &err);
        in->value[out].data = fresh(&in->value[out]);
        in->grad[out].shape = in->value[out].shape;
        in->grad[out].data = fresh(&in->value[out]);
        r[i] = make_run(t, in, i, &s[i], buf[i]);
        g->node[i].op->forward(&r[i]);
    }
    memcpy(in->grad[t->loss].data, seed, ROWS * WIDTH * sizeof(float));
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        back(t, in, i, &r[i], buf[i]);
        free(r[i].scratch);
        free(r[i].saved);
    }
    ax_arena_free(&arena);
}

static void forget(const net *t, interpreter *in)
{
    for (int v = 0; v < t->g->n_values; v++) {
        if (t->g->value[v].role != AX_VALUE_WEIGHT)
            free(in->value[v].data);
        free(in->grad[v].data);
    }
}

/* ---- the comparison --------------------------------------------------------------------------------------------- */

typedef struct feed {
    const net *t;
    const float *x, *seed;
    float out[2][ROWS * WIDTH];
    int64_t rows;
} feed;

static void load(void *arg, int shard, ax_exec *e)
{
    feed *f = arg;

    memcpy(ax_exec_value(e, f->t->g->input[0]).data, f->x + shard * f->rows * WIDTH,
           (size_t) f->rows * WIDTH * sizeof(float));
}

static void seed_loss(void *arg, int shard, ax_exec *e)
{
    feed *f = arg;
    size_t at = (size_t) (shard * f->rows * WIDTH), n = (size_t) f->rows * WIDTH * sizeof(float);

    for (int k = 0; k < f->t->g->n_outputs; k++)
        memcpy(f->out[k] + at, ax_exec_value(e, f->t->g->output[k]).data, n);
    if (ax_exec_gradient(e, f->t->loss).data != NULL)
        memcpy(ax_exec_gradient(e, f->t->loss).data, f->seed + at, n);
}

static void *nan_memory(size_t bytes)
{
    float *p = ax_alloc(unit_env(), bytes);

    for (size_t i = 0; i < bytes / sizeof(float); i++)
        p[i] = NAN;
    return p;
}

/* Largest difference between the plan's gradients (summed over shards) and the interpreter's. */
static double gradient_error(const net *t, interpreter *in, float *const *grad, int shards)
{
    double worst = 0;

    for (int v = 0; v < t->g->n_values; v++) {
        const float *want = in->grad[v].data;
        double scale = 1e-3, diff = 0;

        if (!t->g->value[v].trainable)
            continue;
        for (int64_t e = 0; e < ax_shape_elements(&t->g->value[v].shape); e++) {
            double sum = 0;

            for (int s = 0; s < shards; s++)
                sum += grad[s][t->g->value[v].offset + e];
            scale = fmax(scale, fabs(want[e]));
            diff = sum == sum ? fmax(diff, fabs(sum - want[e])) : INFINITY;
        }
        worst = fmax(worst, diff / scale);
    }
    return worst;
}

static void compare(const net *t, int shards, bool training, ax_pool *pool)
{
    const ax_env *env = unit_env();
    float x[ROWS * WIDTH], seed[ROWS * WIDTH];
    feed f = {.t = t, .x = x, .seed = seed, .rows = ROWS / shards};
    ax_exec_job job = {.load = load, .loss = seed_loss, .arg = &f, .backward = training};
    ax_plan_spec spec = {f.rows, training, t->loss, true};
    ax_plan *plan = NULL;
    ax_exec *e[ROWS];
    void *memory[ROWS], *packed;
    float *grad[ROWS];
    interpreter in;
    bool same = true;

    unit_fill(x, ROWS * WIDTH, -1, 1);
    unit_fill(seed, ROWS * WIDTH, -1, 1);
    interpret(t, x, seed, &in);
    unit_status(ax_plan_create(env, t->g, &spec, &plan, &err), AX_OK, &err, "planned");
    packed = nan_memory(ax_plan_packed_bytes(plan));
    for (int s = 0; s < shards; s++) {
        memory[s] = nan_memory(ax_plan_arena_bytes(plan));
        grad[s] = nan_memory((size_t) t->g->n_param * sizeof(float));
        ax_exec_create(env, plan, memory[s], packed, training ? grad[s] : NULL, &e[s], &err);
    }
    unit_status(ax_exec_pack(e[0], pool, &err), AX_OK, &err, "packed");
    for (int again = 0; again < 2; again++) {
        unit_status(ax_exec_run(env, e, shards, pool, &job, &err), AX_OK, &err, "run");
        for (int k = 0; k < t->g->n_outputs; k++)
            same &= memcmp(f.out[k], in.value[t->g->output[k]].data, sizeof(f.out[k])) == 0;
    }
    unit_check(same || shards > 1, "outputs have the interpreter's bits");
    unit_close(f.out[0], in.value[t->loss].data, ROWS * WIDTH, 1e-5, "outputs are right");
    if (training)
        unit_check(gradient_error(t, &in, grad, shards) < 1e-4, "gradients, %d shards: error %g",
                   shards, gradient_error(t, &in, grad, shards));
    for (int s = 0; s < shards; s++) {
        ax_exec_free(e[s]);
        ax_free(env, memory[s]);
        ax_free(env, grad[s]);
    }
    ax_free(env, packed);
    ax_plan_free(plan);
    forget(t, &in);
}

/* A long chain must need the memory of two or three values, not of all. */
static void test_memory(void)
{
    net t = {0};
    ax_shape in = ax_shape_of(2, (const int64_t[]){AX_DIM_BATCH, 1000});
    ax_plan_spec spec = {10, false, -1, false};
    ax_plan *plan = NULL;

    ax_graph_create(unit_env(), "chain", &t.g, &err);
    ax_graph_add_input(t.g, "x", AX_FLOAT, &in, &t.value[0], &err);
    t.n = 1;
    for (int i = 0; i < 40; i++)
        add(&t, i % 2 ? "Relu" : "Softplus", 1, &t.value[t.n - 1], 0, NULL);
    ax_graph_add_output(t.g, t.value[t.n - 1], &err);
    ax_graph_bind(t.g, &err);
    unit_status(ax_plan_create(unit_env(), t.g, &spec, &plan, &err), AX_OK, &err, "chain planned");
    unit_check(ax_plan_arena_bytes(plan) <= 3 * 10 * 1024 * sizeof(float),
               "a chain of 40 nodes lives in %zu bytes", ax_plan_arena_bytes(plan));
    ax_plan_free(plan);
    ax_graph_free(t.g);
}

static void test_no_memory(const net *t)
{
    size_t before = unit_live_bytes();
    ax_plan_spec spec = {3, true, t->loss, false};
    ax_plan *plan = NULL;
    int bad = 0;

    for (long n = 1;; n++) {
        ax_status status = ax_plan_create(unit_env_fail_at(n), t->g, &spec, &plan, &err);

        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    ax_plan_free(plan);
    unit_check(bad == 0, "planning without memory fails cleanly");
}

static void test_cancel(const net *t)
{
    ax_plan_spec spec = {ROWS, true, t->loss, true};
    ax_plan *plan = NULL;
    ax_exec *e = NULL;
    void *memory;
    float *grad;
    int bad = 0;

    ax_plan_create(unit_env(), t->g, &spec, &plan, &err);
    memory = nan_memory(ax_plan_arena_bytes(plan));
    grad = nan_memory((size_t) t->g->n_param * sizeof(float));
    ax_exec_create(unit_env(), plan, memory, NULL, grad, &e, &err);
    for (long n = 1;; n++) {
        const ax_env *env = unit_env_cancel_at(n);
        ax_exec_job job = {.backward = true};
        ax_status status = ax_exec_run(env, &e, 1, NULL, &job, &err);

        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_CANCELLED;
    }
    unit_check(bad == 0, "a run can be cancelled at every poll");
    ax_exec_free(e);
    ax_plan_free(plan);
    ax_free(unit_env(), memory);
    ax_free(unit_env(), grad);
}

int main(void)
{
    ax_pool *pool = NULL;

    unit_seed(7);
    ax_pool_open(unit_env(), 3, &pool, &err);
    for (int round = 0; round < 60; round++) {
        net t = random_net(2 + (int) unit_below(20));

        compare(&t, 1, false, NULL);
        compare(&t, 1, true, NULL);
        compare(&t, 3, true, pool);
        if (round == 5) {
            test_no_memory(&t);
            test_cancel(&t);
        }
        ax_graph_free(t.g);
    }
    test_memory();
    ax_pool_close(pool);
    return unit_done();
}
