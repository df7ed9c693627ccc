/*
 * test_optimizer.c: every optimizer against its formula in double, step by step; clipping and the
 * sum over shards; settings from JSON and from plain options.
 */
#include <math.h>
#include <stdio.h>

#include "graph/graph.h"
#include "nn/optimizer.h"
#include "nn/reduce.h"
#include "unit.h"

#define N 67 /* not a multiple of any vector */
#define STEPS 25

static ax_error err;

/* Options from JSON text; freed by close_options. */
static ax_options *open_options(const char *json)
{
    ax_options *o = NULL;

    if (!unit_status(ax_options_parse(unit_env(), json, strlen(json), &o, &err), AX_OK, &err,
                     "options %s", json))
        return NULL;
    return o;
}

static ax_status read_settings(ax_options *o, ax_optimizer_settings *out)
{
    return ax_optimizer_read(ax_options_json(o, "optimizer"), o, out, &err);
}

/* ---- formulas in double ---------------------------------------------------------------------- */

typedef struct oracle {
    double p, a, b, c; /* one parameter and its moments */
    double product;    /* nadam */
} oracle;

static void sgd(oracle *o, const ax_optimizer_settings *s, double g, double rate, int t)
{
    o->a = s->momentum * o->a - rate * g;
    o->p += s->nesterov ? s->momentum * o->a - rate * g : o->a;
}

static void rmsprop(oracle *o, const ax_optimizer_settings *s, double g, double rate, int t)
{
    double d;

    o->a = s->rho * o->a + (1 - s->rho) * g * g;
    o->b = s->rho * o->b + (1 - s->rho) * g;
    d = o->a - (s->centered ? o->b * o->b : 0);
    o->c = s->momentum * o->c + rate * g / sqrt(d + s->epsilon);
    o->p -= o->c;
}

static void adagrad(oracle *o, const ax_optimizer_settings *s, double g, double rate, int t)
{
    if (t == 1)
        o->a = s->initial_accumulator_value;
    o->a += g * g;
    o->p -= rate * g / sqrt(o->a + s->epsilon);
}

static void adam(oracle *o, const ax_optimizer_settings *s, double g, double rate, int t)
{
    double v;

    o->a = s->beta_1 * o->a + (1 - s->beta_1) * g;
    o->b = s->beta_2 * o->b + (1 - s->beta_2) * g * g;
    o->c = fmax(o->c, o->b);
    v = s->amsgrad ? o->c : o->b;
    o->p -= rate * sqrt(1 - pow(s->beta_2, t)) / (1 - pow(s->beta_1, t)) * o->a /
            (sqrt(v) + s->epsilon);
}

static void nadam(oracle *o, const ax_optimizer_settings *s, double g, double rate, int t)
{
    double u = s->beta_1 * (1 - 0.5 * pow(0.96, t));
    double next = s->beta_1 * (1 - 0.5 * pow(0.96, t + 1));
    double m, v;

    o->product = (t == 1 ? 1 : o->product) * u;
    o->a = s->beta_1 * o->a + (1 - s->beta_1) * g;
    o->b = s->beta_2 * o->b + (1 - s->beta_2) * g * g;
    m = next * o->a / (1 - o->product * next) + (1 - u) * g / (1 - o->product);
    v = o->b / (1 - pow(s->beta_2, t));
    o->p -= rate * m / (sqrt(v) + s->epsilon);
}

typedef struct optimizer_case {
    const char *json;
    void (*step)(oracle *o, const ax_optimizer_settings *s, double g, double rate, int t);
    double rate, decay;
} optimizer_case;

static const optimizer_case cases[] = {
    {"{\"optimizer\": \"sgd\"}", sgd, 0.01, 0},
    {"{\"optimizer\": {\"SGD\": {\"momentum\": 0.9}}}", sgd, 0.01, 0},
    {"{\"optimizer\": {\"class_name\": \"SGD\", \"config\": {\"momentum\": 0.8, \"nesterov\": true,"
     " \"learning_rate\": 0.1}}}",
     sgd, 0.1, 0},
    {"{\"optimizer\": \"rmsprop\"}", rmsprop, 0.001, 0},
    {"{\"optimizer\": {\"RMSprop\": {\"rho\": 0.8, \"momentum\": 0.5, \"centered\": true,"
     " \"epsilon\": 1e-5}}}",
     rmsprop, 0.001, 0},
    {"{\"optimizer\": \"adagrad\", \"learning_rate\": 0.05}", adagrad, 0.05, 0},
    {"{}", adam, 0.001, 0},
    {"{\"optimizer\": {\"Adam\": {\"beta_1\": 0.8, \"beta_2\": 0.99, \"epsilon\": 1e-4}}}", adam,
     0.001, 0},
    {"{\"optimizer\": {\"Adam\": {\"amsgrad\": true, \"weight_decay\": 0.1}}}", adam, 0.001, 0.1},
    {"{\"optimizer\": \"AdamW\", \"learning_rate\": 0.1}", adam, 0.1, 0.004},
    {"{\"optimizer\": \"nadam\"}", nadam, 0.001, 0},
    {"{\"optimizer\": \"sgd\", \"weight_decay\": 0.5, \"momentum\": 0.9}", sgd, 0.01, 0.5},
};

/* Ranges of odd lengths, in an odd order. */
static void step_in_ranges(ax_optimizer *o, double rate, const float *g, float *p)
{
    ax_optimizer_begin(o, rate);
    ax_optimizer_range(o, 33, N, g + 33, p);
    ax_optimizer_range(o, 0, 5, g, p);
    ax_optimizer_range(o, 5, 33, g + 5, p);
}

static void check_formula(const optimizer_case *c)
{
    ax_options *options = open_options(c->json);
    ax_optimizer_settings set;
    ax_optimizer *o = NULL;
    oracle want[N] = {{0}};
    float p[N], g[N], expected[N];

    if (options == NULL || !unit_status(read_settings(options, &set), AX_OK, &err, "are read"))
        return;
    unit_near(set.learning_rate, c->rate, 0, "learning rate %g", c->rate);
    unit_near(set.weight_decay, c->decay, 0, "weight decay %g", c->decay);
    unit_status(ax_optimizer_create(unit_env(), &set, N, &o, &err), AX_OK, &err, "%s is made",
                ax_optimizer_name(&set));
    unit_fill_normal(p, N, 1);
    for (int i = 0; i < N; i++)
        want[i].p = (double) p[i];
    for (int t = 1; t <= STEPS; t++) {
        double rate = c->rate / t; /* as a schedule would */

        unit_fill_normal(g, N, t % 5 == 0 ? 20 : 0.1F);
        g[7] = 0;
        step_in_ranges(o, rate, g, p);
        for (int i = 0; i < N; i++) {
            want[i].p -= want[i].p * c->decay * rate;
            c->step(&want[i], &set, (double) g[i], rate, t);
        }
    }
    for (int i = 0; i < N; i++)
        expected[i] = (float) want[i].p;
    unit_close(p, expected, N, 2e-6, "%d steps as the formula says", STEPS);
    ax_optimizer_free(o);
    ax_options_free(options);
}

/* ---- settings -------------------------------------------------------------------------------- */

typedef struct refusal {
    const char *json;
    ax_status status;
    const char *message, *hint;
} refusal;

/* As the optimizer sees them: most of these are values that the table of options lets through. */
static const refusal refusals[] = {
    {"\"addam\"", AX_ERR_UNKNOWN, "optimizer \"addam\" does not exist", "Did you mean \"adam\"?"},
    {"\"lion\"", AX_ERR_UNKNOWN, "optimizer \"lion\" does not exist",
     "There is: sgd, rmsprop, adagrad, adam, adamw, nadam."},
    {"{\"Adam\": {\"beta1\": 0.5}}", AX_ERR_UNKNOWN, "optimizer \"adam\" has no setting \"beta1\"",
     "Did you mean \"beta_1\"?"},
    {"{\"Adam\": {\"momentum\": 0.5}}", AX_ERR_UNKNOWN,
     "optimizer \"adam\" has no setting \"momentum\"", NULL},
    {"{\"Adam\": {\"beta_1\": 1}}", AX_ERR_INVALID,
     "optimizer \"adam\": beta_1 must be less than 1, not 1", ""},
    {"{\"Adam\": {\"beta_1\": \"x\"}}", AX_ERR_INVALID,
     "optimizer \"adam\": beta_1 must be a number, not \"x\"", NULL},
    {"{\"Adam\": {\"learning_rate\": -1}}", AX_ERR_INVALID,
     "optimizer \"adam\": learning_rate must be at least 0, not -1", ""},
    {"{\"Adam\": {\"epsilon\": 0}}", AX_ERR_INVALID,
     "optimizer \"adam\": epsilon must be greater than 0, not 0", ""},
    {"{\"SGD\": {\"nesterov\": 1}}", AX_ERR_INVALID, NULL, NULL},
    {"{\"SGD\": {\"use_ema\": true}}", AX_ERR_UNSUPPORTED,
     "optimizer \"sgd\": use_ema is not supported", ""},
    {"{\"SGD\": {\"clipnorm\": 1, \"clipvalue\": 1}}", AX_ERR_INVALID,
     "only one of clipnorm, clipvalue and global_clipnorm can be set", ""},
    {"{\"SGD\": 3}", AX_ERR_INVALID, NULL, NULL},
};

static void check_refusals(void)
{
    for (int i = 0; i < AX_COUNT(refusals); i++) {
        const refusal *r = &refusals[i];
        ax_optimizer_settings set;
        ax_arena arena;
        ax_json *v = NULL;

        ax_arena_init(&arena, unit_env());
        if (ax_json_parse(&arena, r->json, strlen(r->json), &v, &err) == AX_OK) {
            unit_status(ax_optimizer_read(v, NULL, &set, &err), r->status, &err, "%s is refused",
                        r->json);
            if (r->message != NULL)
                unit_is_str(err.message, r->message, "the message names it");
            if (r->hint != NULL)
                unit_is_str(err.hint, r->hint, "the hint helps");
        }
        ax_arena_free(&arena);
    }
}

/* What Keras's optimizer.get_config() gives. */
static void check_keras_config(void)
{
    ax_options *o = open_options(
        "{\"optimizer\": {\"class_name\": \"Adam\", \"config\": {\"name\": \"adam\", "
        "\"learning_rate\": 0.002, \"weight_decay\": null, \"clipnorm\": null, "
        "\"global_clipnorm\": null, \"clipvalue\": null, \"use_ema\": false, \"ema_momentum\": "
        "0.99, \"ema_overwrite_frequency\": null, \"loss_scale_factor\": null, "
        "\"gradient_accumulation_steps\": null, \"beta_1\": 0.9, \"beta_2\": 0.999, \"epsilon\": "
        "1e-07, \"amsgrad\": false}}}");
    ax_optimizer_settings set;

    unit_status(read_settings(o, &set), AX_OK, &err, "Keras's own config is read");
    unit_near(set.learning_rate, 0.002, 0, "with its learning rate");
    ax_options_free(o);
    o = open_options("{\"optimizer\": {\"Adam\": {\"learning_rate\": 0.002}}, "
                     "\"learning_rate\": 1}");
    unit_status(read_settings(o, &set), AX_OK, &err, "a plain option beside a config");
    unit_near(set.learning_rate, 1, 0, "wins");
    ax_options_free(o);
    o = open_options("{\"optimizer\": \"adam\", \"momentum\": 0.5}");
    unit_status(read_settings(o, &set), AX_ERR_INVALID, &err, "one that the optimizer lacks");
    unit_is_str(err.message, "optimizer \"adam\" has no momentum", "is refused");
    ax_options_free(o);
    o = open_options("{\"optimizer\": {\"Adam\": {\"learning_rate\": {\"class_name\": "
                     "\"CosineDecay\", \"config\": {}}}}}");
    unit_status(read_settings(o, &set), AX_OK, &err, "a learning rate that is a schedule");
    unit_check(set.schedule != NULL && set.learning_rate == 0.001, "is kept as such");
    ax_options_free(o);
}

/* ---- shards and clipping --------------------------------------------------------------------- */

static const int64_t sizes[] = {5000, 3, 9001, 1};

static ax_graph *make_graph(const ax_env *env)
{
    ax_graph *g = NULL;
    char name[16];
    int v;

    if (ax_graph_create(env, "weights", &g, &err) != AX_OK)
        return NULL;
    for (int i = 0; i < AX_COUNT(sizes); i++) {
        ax_shape shape = ax_shape_of(1, &sizes[i]);

        snprintf(name, sizeof(name), "w%d", i);
        if (ax_graph_add_weight(g, name, AX_FLOAT, &shape, true, NULL, &v, &err) != AX_OK) {
            ax_graph_free(g);
            return NULL;
        }
    }
    if (ax_graph_bind(g, &err) == AX_OK)
        return g;
    ax_graph_free(g);
    return NULL;
}

#define SHARDS 3

typedef struct reduction {
    ax_graph *graph;
    ax_optimizer *optimizer;
    ax_reduce *reduce;
    ax_pool *pool;
} reduction;

static void close_reduction(reduction *r)
{
    ax_pool_close(r->pool);
    ax_reduce_free(r->reduce);
    ax_optimizer_free(r->optimizer);
    ax_graph_free(r->graph);
}

static ax_status open_reduction(const ax_env *env, const ax_optimizer_settings *set, int threads,
                                reduction *r)
{
    ax_status status;

    *r = (reduction) {.graph = make_graph(env)};
    if (r->graph == NULL)
        return err.status;
    status = ax_optimizer_create(env, set, r->graph->n_param, &r->optimizer, &err);
    if (status == AX_OK)
        status = ax_reduce_create(env, r->graph, NULL, r->optimizer, &r->reduce, &err);
    if (status == AX_OK)
        status = ax_pool_open(env, threads, &r->pool, &err);
    return status;
}

/* One sgd step with rate 1 from parameters 0: they become minus the clipped sum of the shards. */
static void check_clipping(const char *config, double norm_limit, bool global, double value_limit)
{
    static float grad[SHARDS][20000], want[20000];
    float *const list[] = {grad[0], grad[1], grad[2]};
    double squares[AX_COUNT(sizes)] = {0}, total = 0;
    ax_options *o = open_options(config);
    ax_optimizer_settings set;
    reduction r;
    int w = 0;

    unit_status(read_settings(o, &set), AX_OK, &err, "are read");
    unit_status(open_reduction(unit_env(), &set, 2, &r), AX_OK, &err, "a reduction is made");
    for (int s = 0; s < SHARDS; s++)
        unit_fill_normal(grad[s], r.graph->n_param, 1);
    for (int i = 0; i < r.graph->n_values; i++, w++) {
        const ax_value *v = &r.graph->value[i];

        for (int64_t j = v->offset; j < v->offset + sizes[w]; j++) {
            want[j] = -((grad[0][j] + grad[1][j]) + grad[2][j]);
            squares[w] += (double) want[j] * (double) want[j];
        }
        total += squares[w];
    }
    for (int i = 0; i < r.graph->n_values; i++) {
        const ax_value *v = &r.graph->value[i];
        double norm = sqrt(global ? total : squares[i]);

        for (int64_t j = v->offset; j < v->offset + sizes[i]; j++) {
            if (norm_limit > 0 && norm > norm_limit)
                want[j] = (float) ((double) want[j] * norm_limit / norm);
            if (value_limit > 0)
                want[j] = fmaxf(fminf(want[j], (float) value_limit), (float) -value_limit);
        }
    }
    unit_status(ax_reduce_step(r.reduce, r.pool, list, NULL, SHARDS, 1, &err), AX_OK, &err, "a step");
    for (int i = 0; i < r.graph->n_values; i++)
        unit_close(r.graph->param + r.graph->value[i].offset, want + r.graph->value[i].offset,
                   sizes[i], 1e-6, "weight %d is the clipped sum", i);
    close_reduction(&r);
    ax_options_free(o);
}

static void check_threads(void)
{
    static float grad[SHARDS][20000], first[20000];
    float *const list[] = {grad[0], grad[1], grad[2]};
    ax_options *o = open_options("{\"global_clipnorm\": 0.5}");
    ax_optimizer_settings set;
    bool finite = false;
    reduction r;

    unit_status(read_settings(o, &set), AX_OK, &err, "are read");
    for (int threads = 1; threads <= 4; threads++) {
        unit_seed(99);
        unit_status(open_reduction(unit_env(), &set, threads, &r), AX_OK, &err, "%d threads",
                    threads);
        for (int step = 0; step < 5; step++) {
            for (int s = 0; s < SHARDS; s++)
                unit_fill_normal(grad[s], r.graph->n_param, 1);
            ax_reduce_step(r.reduce, r.pool, list, NULL, SHARDS, 0.01, &err);
        }
        if (threads == 1)
            memcpy(first, r.graph->param, (size_t) r.graph->n_param * sizeof(float));
        unit_same(r.graph->param, first, (size_t) r.graph->n_param * sizeof(float),
                  "the same bits with %d threads", threads);
        ax_reduce_check(r.reduce, r.pool, &finite, &err);
        unit_check(finite, "all finite");
        r.graph->param[r.graph->value[2].offset + 9000] = NAN;
        ax_reduce_check(r.reduce, r.pool, &finite, &err);
        unit_check(!finite, "a NaN is seen");
        close_reduction(&r);
    }
    ax_options_free(o);
}

static void check_out_of_memory(void)
{
    ax_options *o = open_options("{\"optimizer\": {\"Adam\": {\"amsgrad\": true}}}");
    ax_optimizer_settings set;
    size_t before;
    int bad = 0;
    long n;

    unit_status(read_settings(o, &set), AX_OK, &err, "are read");
    before = unit_live_bytes();
    for (n = 1;; n++) {
        reduction r;
        ax_status status = open_reduction(unit_env_fail_at(n), &set, 1, &r);

        close_reduction(&r);
        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && n > 6, "out of memory at any of %ld allocations", n - 1);
    ax_options_free(o);
}

int main(void)
{
    unit_seed(3);
    for (int i = 0; i < AX_COUNT(cases); i++)
        check_formula(&cases[i]);
    check_refusals();
    check_keras_config();
    check_clipping("{\"optimizer\": \"sgd\"}", 0, false, 0);
    check_clipping("{\"optimizer\": \"sgd\", \"clipvalue\": 0.8}", 0, false, 0.8);
    check_clipping("{\"optimizer\": \"sgd\", \"clipnorm\": 2.5}", 2.5, false, 0);
    check_clipping("{\"optimizer\": \"sgd\", \"global_clipnorm\": 10}", 10, true, 0);
    check_threads();
    check_out_of_memory();
    return unit_done();
}
