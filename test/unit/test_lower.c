/*
 * test_lower.c: what lowering makes of a graph against the graph as it stands. Random stacks of
 * convolutions (any kernel, stride, dilation, pads, groups, odd sizes), normalizations,
 * activations, pools and shortcuts run through two plans: one plain, whose operators have oracles
 * of their own, and one lowered. Outputs, gradients of all weights and of the running statistics
 * must agree, on every instruction set.
 */
#include "graph/plan.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS 6

static ax_error err;

/* ---- random networks
 * --------------------------------------------------------------------------------------- */

typedef struct net {
    ax_graph *g;
    int value, channels, h, w; /* the newest value; h 0: one spatial axis */
    int shortcut;              /* an earlier value of the same shape, or -1 */
    int n;
} net;

static int weight(net *t, int rank, const int64_t *dim, float lo, float hi, bool trainable)
{
    ax_shape s = ax_shape_of(rank, dim);
    float *data = malloc((size_t)ax_shape_elements(&s) * sizeof(float));
    char name[32];
    int v = -1;

    unit_fill(data, ax_shape_elements(&s), lo, hi);
    snprintf(name, sizeof(name), "w%d", t->n++);
    ax_graph_add_weight(t->g, name, AX_FLOAT, &s, trainable, data, &v, &err);
    free(data);
    return v;
}

static void node(net *t, const char *op, int n_in, const int *in, int n_attr, const ax_attr *attr)
{
    char name[32];

    snprintf(name, sizeof(name), "n%d", t->n++);
    if (ax_graph_add_node(t->g, op, name, n_in, in, n_attr, attr, &t->value, &err) != AX_OK)
        unit_check(false, "node %s: %s", op, err.message);
}

/* The size of an axis after a window, or 0 when it does not fit. */
static int after(int in, int64_t k, int64_t stride, int64_t dilation, int64_t pad)
{
    int64_t room = in + 2 * pad - (k - 1) * dilation - 1;

    return room < 0 ? 0 : (int)(room / stride) + 1;
}

static void add_conv(net *t)
{
    int axes = t->h > 0 ? 2 : 1, h, w;
    int64_t groups = unit_below(4) == 0 && t->channels % 2 == 0 ? 2
                     : unit_below(6) == 0                       ? t->channels
                                                                : 1;
    int64_t m = groups * (1 + (int)unit_below(groups == 1 ? 40 : 3));
    int64_t k[2], s[2], d[2], p[4], dim[4];
    int in[3] = {t->value};
    ax_attr attr[5];

    for (int i = 0; i < 2; i++) {
        k[i] = 1 + (int)unit_below(4);
        s[i] = unit_below(3) == 0 ? 2 : 1;
        d[i] = unit_below(5) == 0 ? 2 : 1;
        p[i] = unit_below(2) == 0 ? 0 : (int64_t)unit_below((int)k[i]);
        p[i + axes] = p[i];
    }
    h = axes == 2 ? after(t->h, k[0], s[0], d[0], p[0]) : 0;
    w = after(t->w, k[axes - 1], s[axes - 1], d[axes - 1], p[axes - 1]);
    if (w < 1 || (axes == 2 && h < 1))
        return;
    dim[0] = m;
    dim[1] = t->channels / groups;
    memcpy(dim + 2, k, sizeof(k));
    in[1] = weight(t, axes + 2, dim, -0.4f, 0.4f, unit_below(8) > 0);
    in[2] = unit_below(4) > 0 ? weight(t, 1, &m, -0.5f, 0.5f, true) : -1;
    attr[0] = ax_attr_is("kernel_shape", axes, k);
    attr[1] = ax_attr_is("strides", axes, s);
    attr[2] = ax_attr_is("dilations", axes, d);
    attr[3] = ax_attr_is("pads", 2 * axes, p);
    attr[4] = ax_attr_i("group", groups);
    node(t, "Conv", 3, in, 5, attr);
    t->channels = (int)m;
    t->h = h;
    t->w = w;
    t->shortcut = -1;
}

static void add_pool(net *t, bool two)
{
    static const char *const op[] = {"MaxPool", "MaxPool", "AveragePool"};
    int axes = t->h > 0 ? 2 : 1, h, w;
    int64_t k[2], s[2], p[4] = {0};
    ax_attr attr[3];

    for (int i = 0; i < 2; i++) {
        k[i] = two ? 2 : 2 + (int)unit_below(2);
        s[i] = two ? 2 : 1 + (int)unit_below(2);
        p[i] = p[i + axes] = two ? 0 : (int64_t)unit_below(2);
    }
    h = axes == 2 ? after(t->h, k[0], s[0], 1, p[0]) : 0;
    w = after(t->w, k[axes - 1], s[axes - 1], 1, p[axes - 1]);
    if (w < 1 || (axes == 2 && h < 1))
        return;
    attr[0] = ax_attr_is("kernel_shape", axes, k);
    attr[1] = ax_attr_is("strides", axes, s);
    attr[2] = ax_attr_is("pads", 2 * axes, p);
    node(t, op[two ? 0 : unit_below(3)], 1, &t->value, 3, attr);
    t->h = h;
    t->w = w;
    t->shortcut = -1;
}

static void add_norm(net *t)
{
    int64_t c = t->channels;
    int in[5] = {t->value, weight(t, 1, &c, 0.5f, 1.5f, true), weight(t, 1, &c, -0.5f, 0.5f, true),
                 weight(t, 1, &c, -0.2f, 0.2f, false), weight(t, 1, &c, 0.5f, 2, false)};

    node(t, "BatchNormalization", 5, in, 0, NULL);
}

static void add_shortcut(net *t)
{
    int in[2] = {t->shortcut, t->value};

    if (t->shortcut >= 0)
        node(t, "Add", 2, in, 0, NULL);
    t->shortcut = t->value;
}

/* A constant, as rank 0 or 1. */
static int constant(net *t, float v)
{
    return weight(t, (int)unit_below(2), (const int64_t[]){1}, v, v, false);
}

/* Two inputs in either order. */
static void either(net *t, const char *op, int a, int b)
{
    bool turned = unit_below(2) == 0;

    node(t, op, 2, (const int[]){turned ? b : a, turned ? a : b}, 0, NULL);
}

/* Gelu as exporters write it, in all its spellings; broken: with a constant that makes it something
 * else. */
static void add_gelu(net *t, bool broken)
{
    int x = t->value;

    if (unit_below(2) == 0)
        node(t, "Div", 2, (const int[]){x, constant(t, 1.41421356f)}, 0, NULL);
    else
        either(t, "Mul", x, constant(t, 0.70710678f));
    node(t, "Erf", 1, &t->value, 0, NULL);
    either(t, "Add", t->value, constant(t, broken ? 1.5f : 1));
    either(t, "Mul", t->value, x);
    either(t, "Mul", t->value, constant(t, 0.5f));
}

static void add_activation(net *t)
{
    static const char *const op[] = {"Relu", "Relu", "Relu", "Sigmoid", "Elu", "Tanh"};

    if (unit_below(6) == 0)
        add_gelu(t, unit_below(4) == 0);
    else
        node(t, op[unit_below(AX_COUNT(op))], 1, &t->value, 0, NULL);
}

/* What may stand behind a product and be made together with it. */
static void add_curve(net *t)
{
    static const char *const op[] = {"Relu", "Gelu", "Sigmoid", "Elu", "Tanh", "LeakyRelu", "Selu"};
    ax_attr tanh = ax_attr_s("approximate", "tanh");
    int which = (int)unit_below(AX_COUNT(op) + 4);

    if (which < AX_COUNT(op))
        node(t, op[which], 1, &t->value, which == 1, &tanh);
    else if (which < AX_COUNT(op) + 3)
        add_gelu(t, which == AX_COUNT(op));
}

/* Flatten and two dense layers: as Gemm either way round, and as MatMul with Add. */
static void add_dense(net *t)
{
    ax_attr transposed = ax_attr_i("transB", 1);
    ax_tensor shape[256];
    int64_t n = 1 + (int)unit_below(50), m = 1 + (int)unit_below(50), k;
    int in[3];

    node(t, "Flatten", 1, &t->value, 0, NULL);
    if (ax_graph_infer(t->g, 1, shape, &err) != AX_OK)
        return;
    k = shape[t->value].shape.dim[1];
    in[0] = t->value;
    in[1] = weight(t, 2, (const int64_t[]){n, k}, -0.2f, 0.2f, true);
    in[2] = weight(t, 1, &n, -0.2f, 0.2f, true);
    node(t, "Gemm", 3, in, 1, &transposed);
    add_curve(t);
    in[0] = t->value;
    in[1] = weight(t, 2, (const int64_t[]){n, m}, -0.2f, 0.2f, true);
    in[2] = weight(t, 1, &m, -0.2f, 0.2f, true);
    if (unit_below(2) == 0) {
        node(t, "Gemm", 3, in, 0, NULL);
        return;
    }
    node(t, "MatMul", 2, in, 0, NULL);
    in[0] = in[2];
    in[1] = t->value;
    node(t, "Add", 2, in, 0, NULL);
    add_curve(t);
}

static net random_net(int layers)
{
    net t = {.channels = 1 + (int)unit_below(5),
             .h = unit_below(5) == 0 ? 0 : 6 + (int)unit_below(14),
             .shortcut = -1};
    ax_shape in;

    t.w = 6 + (int)unit_below(14);
    in = ax_shape_of(t.h > 0 ? 4 : 3,
                     (const int64_t[]){AX_DIM_BATCH, t.channels, t.h > 0 ? t.h : t.w, t.w});
    ax_graph_create(unit_env(), "net", &t.g, &err);
    ax_graph_add_input(t.g, "x", AX_FLOAT, &in, &t.value, &err);
    add_conv(&t);
    for (int i = 0; i < layers; i++)
        switch (unit_below(8)) {
        case 0:
        case 1:
            add_conv(&t);
            break;
        case 2:
            add_conv(&t);
            if (unit_below(3) > 0)
                node(&t, "Relu", 1, &t.value, 0, NULL);
            add_pool(&t, true);
            break;
        case 3:
            add_norm(&t);
            break;
        case 4:
            add_pool(&t, false);
            break;
        case 5:
            add_shortcut(&t);
            break;
        default:
            add_activation(&t);
        }
    if (unit_below(3) == 0)
        node(&t, "GlobalAveragePool", 1, &t.value, 0, NULL);
    if (unit_below(2) == 0)
        add_dense(&t);
    ax_graph_add_output(t.g, t.value, &err);
    ax_graph_bind(t.g, &err);
    return t;
}

/* ---- two plans
 * -----------------------------------------------------------------------------------------------
 */

/* What one plan makes of one batch. */
typedef struct result {
    float *out;
    int64_t n_out;
    double *grad;      /* (n_param), shards added up, in the weights' order */
    float stats[4096]; /* weights that are not trained, after it: running statistics */
} result;

typedef struct feed {
    const net *t;
    const float *x, *seed;
    int64_t x_row, out_row, rows;
    float *out;
} feed;

static void load(void *arg, int shard, ax_exec *e)
{
    feed *f = arg;

    memcpy(ax_exec_value(e, f->t->g->input[0]).data, f->x + shard * f->rows * f->x_row,
           (size_t)(f->rows * f->x_row) * sizeof(float));
}

static void seed_loss(void *arg, int shard, ax_exec *e)
{
    feed *f = arg;
    int64_t at = shard * f->rows * f->out_row;
    size_t n = (size_t)(f->rows * f->out_row) * sizeof(float);

    memcpy(f->out + at, ax_exec_value(e, f->t->value).data, n);
    if (ax_exec_gradient(e, f->t->value).data != NULL)
        memcpy(ax_exec_gradient(e, f->t->value).data, f->seed + at, n);
}

static void *nan_memory(size_t bytes)
{
    float *p = ax_alloc(unit_env(), bytes + sizeof(float));

    for (size_t i = 0; i < bytes / sizeof(float); i++)
        p[i] = NAN;
    return p;
}

/* Gradients that the plan gives on demand, a few rows at a time. */
static void add_deferred(const net *t, const ax_plan *plan, ax_exec *const *e, int shards,
                         double *sum)
{
    static float rows[5 * 65536];

    for (int v = 0; v < t->g->n_values; v++) {
        const ax_value *w = &t->g->value[v];
        int64_t row = ax_shape_span(&w->shape, 1, w->shape.rank);

        if (!w->trainable || !ax_plan_defers(plan, v))
            continue;
        for (int64_t i = 0; i < w->shape.dim[0]; i += 5) {
            int64_t n = AX_MIN(5, w->shape.dim[0] - i);

            ax_exec_weight_gradient(e, shards, v, i, i + n, rows);
            for (int64_t k = 0; k < n * row; k++)
                sum[w->offset + i * row + k] = rows[k];
        }
    }
}

static void add_gradient(const net *t, const ax_plan *plan, const float *grad, double *sum)
{
    for (int v = 0; v < t->g->n_values; v++) {
        const ax_value *w = &t->g->value[v];
        const ax_order *o;
        int64_t row;

        if (!w->trainable || ax_plan_defers(plan, v))
            continue;
        o = ax_plan_order(plan, v);
        row = o != NULL ? o->c * o->taps : 1;
        for (int64_t i = 0; i < ax_shape_elements(&w->shape); i++) {
            int64_t m = i / row, at = i;

            if (o != NULL)
                at = m / o->mg * o->per_group + m % o->mg * o->per_m + o->at[i % row];
            sum[w->offset + i] += grad[ax_plan_gradient_at(plan, v) + at];
        }
    }
}

static result run(const net *t, bool plain, bool training, int shards, ax_pool *pool, feed *f)
{
    const ax_env *env = unit_env();
    ax_exec_job job = {.load = load, .loss = seed_loss, .arg = f, .backward = training};
    ax_plan_spec spec = {ROWS / shards, training, t->value, plain};
    result r = {.n_out = ROWS * f->out_row};
    ax_plan *plan = NULL;
    ax_exec *e[ROWS];
    void *memory[ROWS], *packed;
    float *grad[ROWS];
    ax_status status = ax_plan_create(env, t->g, &spec, &plan, &err);

    f->rows = spec.batch;
    f->out = r.out = nan_memory((size_t)r.n_out * sizeof(float));
    r.grad = calloc((size_t)t->g->n_param + 1, sizeof(double));
    if (status != AX_OK) {
        unit_status(status, AX_OK, &err, "planned");
        return r;
    }
    packed = nan_memory(ax_plan_packed_bytes(plan));
    for (int s = 0; s < shards; s++) {
        memory[s] = nan_memory(ax_plan_arena_bytes(plan));
        grad[s] = nan_memory((size_t)t->g->n_param * sizeof(float));
        ax_exec_create(env, plan, memory[s], packed, training ? grad[s] : NULL, &e[s], &err);
    }
    status = ax_exec_pack(e[0], pool, &err);
    if (status == AX_OK)
        status = ax_exec_run(env, e, shards, pool, &job, &err);
    if (status != AX_OK)
        unit_status(status, AX_OK, &err, "run");
    if (training)
        add_deferred(t, plan, e, shards, r.grad);
    for (int s = 0; s < shards; s++) {
        if (training)
            add_gradient(t, plan, grad[s], r.grad);
        ax_exec_free(e[s]);
        ax_free(env, memory[s]);
        ax_free(env, grad[s]);
    }
    ax_free(env, packed);
    ax_plan_free(plan);
    return r;
}

/* Copies all weights that are not trained: out of the graph, or back into it. */
static void move_stats(const net *t, float *stats, bool back)
{
    for (int v = 0; v < t->g->n_values; v++) {
        const ax_value *w = &t->g->value[v];
        int64_t n = w->role == AX_VALUE_WEIGHT && !w->trainable ? ax_shape_elements(&w->shape) : 0;

        if (w->shape.rank != 1 || n == 0)
            continue;
        memcpy(back ? w->data : stats, back ? stats : w->data, (size_t)n * sizeof(float));
        stats += n;
    }
}

/* The same twice starts from the same running statistics. */
static result train(const net *t, bool plain, int shards, ax_pool *pool, feed *f)
{
    static float before[4096];
    result r;

    move_stats(t, before, false);
    r = run(t, plain, true, shards, pool, f);
    memset(r.stats, 0, sizeof(r.stats));
    move_stats(t, r.stats, false);
    move_stats(t, before, true);
    return r;
}

static double stats_error(const result *a, const result *b)
{
    double worst = 0;

    for (int i = 0; i < AX_COUNT(a->stats); i++)
        worst = fmax(worst, fabs((double)a->stats[i] - b->stats[i]));
    return worst;
}

static void forget(result *r)
{
    ax_free(unit_env(), r->out);
    free(r->grad);
}

static double output_error(const result *a, const result *b)
{
    double scale = 1e-3, worst = 0;

    for (int64_t i = 0; i < a->n_out; i++) {
        double d = fabs((double)a->out[i] - b->out[i]);

        scale = fmax(scale, fabs(b->out[i]));
        worst = d == d ? fmax(worst, d) : INFINITY;
    }
    return worst / scale;
}

/*
 * Largest difference of a weight's gradient, relative to the largest gradient there is in it; but
 * one that cancels to nothing (a bias in front of a normalization) counts against the others.
 */
static double gradient_error(const net *t, const result *a, const result *b)
{
    double worst = 0, least = 1e-2;

    for (int64_t i = 0; i < t->g->n_param; i++)
        least = fmax(least, 0.05 * fabs(b->grad[i]));

    for (int v = 0; v < t->g->n_values; v++) {
        const ax_value *w = &t->g->value[v];
        double scale = least, diff = 0;

        for (int64_t i = 0; w->trainable && i < ax_shape_elements(&w->shape); i++) {
            double d = fabs(a->grad[w->offset + i] - b->grad[w->offset + i]);

            scale = fmax(scale, fabs(b->grad[w->offset + i]));
            diff = d == d ? fmax(diff, d) : INFINITY;
        }
        worst = fmax(worst, diff / scale);
    }
    return worst;
}

static void compare(const net *t, const char *isa, ax_pool *pool)
{
    int64_t n_out;
    ax_tensor shape[256];
    float *x, *seed;
    feed f = {.t = t};
    static result want, got, again;

    ax_graph_infer(t->g, 1, shape, &err);
    n_out = ax_shape_elements(&shape[t->value].shape);
    f.x_row = ax_shape_span(&t->g->value[t->g->input[0]].shape, 1,
                            t->g->value[t->g->input[0]].shape.rank);
    f.out_row = n_out;
    x = malloc((size_t)(ROWS * f.x_row) * sizeof(float));
    seed = malloc((size_t)(ROWS * n_out) * sizeof(float));
    unit_fill(x, ROWS * f.x_row, -1, 1);
    unit_fill(seed, ROWS * n_out, -1, 1);
    f.x = x;
    f.seed = seed;
    want = run(t, true, false, 1, NULL, &f);
    got = run(t, false, false, 1, NULL, &f);
    unit_check(output_error(&got, &want) < 2e-5, "%s: %d nodes, inference: error %.2g", isa,
               t->g->n_nodes, output_error(&got, &want));
    forget(&want);
    forget(&got);
    want = train(t, true, 1, NULL, &f);
    got = train(t, false, 1, NULL, &f);
    unit_check(output_error(&got, &want) < 1e-4, "%s: training: error %.2g", isa,
               output_error(&got, &want));
    unit_check(gradient_error(t, &got, &want) < 1e-3, "%s: gradients: error %.2g", isa,
               gradient_error(t, &got, &want));
    again = train(t, false, 3, pool, &f);
    unit_check(gradient_error(t, &again, &want) < 1e-3, "%s: gradients of three shards: error %.2g",
               isa, gradient_error(t, &again, &want));
    unit_check(stats_error(&got, &want) < 1e-5 && stats_error(&again, &want) < 1e-5,
               "%s: running statistics", isa);
    forget(&again);
    forget(&want);
    forget(&got);
    free(x);
    free(seed);
}

int main(void)
{
    static const char *const isa[] = {"baseline", "avx2", "avx512"};
    ax_pool *pool = NULL;

    unit_seed(11);
    ax_pool_open(unit_env(), 3, &pool, &err);
    for (int i = 0; i < AX_COUNT(isa); i++) {
        if (ax_isa_force(isa[i], &err) != AX_OK) {
            unit_skip("this CPU has no such instruction set");
            continue;
        }
        for (int round = 0; round < 60; round++) {
            ax_tensor shape[256];
            net t = random_net((int)unit_below(7));

            /* some windows do not fit after all (a pool of nothing but pads) */
            while (ax_graph_infer(t.g, 1, shape, &err) != AX_OK) {
                ax_graph_free(t.g);
                t = random_net((int)unit_below(7));
            }

            compare(&t, isa[i], pool);
            ax_graph_free(t.g);
        }
    }
    ax_pool_close(pool);
    return unit_done();
}
