/*
 * test_op_recurrent.c: LSTM, GRU and RNN against plain loops in double.
 */
#include "graph/op_list.h"

#include <math.h>
#include <stdlib.h>

#include "graph/plan.h"
#include "op_check.h"
#include "unit.h"

typedef struct shape_of_case {
    int64_t batch, steps, input, hidden;
    const char *direction;
    bool batch_first, bias, lengths, h, c, after;
    const char *const *activations;
} shape_of_case;

/* ---- the reference ------------------------------------------------------------------------------ */

static double curve(const char *name, double x)
{
    if (name[0] == 'S')
        return 1 / (1 + exp(-x));
    return name[0] == 'T' ? tanh(x) : x > 0 ? x : 0;
}

static int gates_of(const op_case *c)
{
    return c->op == &ax_op_lstm ? 4 : c->op == &ax_op_gru ? 3 : 1;
}

static const char *activation(const op_case *c, int d, int i)
{
    static const char *const lstm[] = {"Sigmoid", "Tanh", "Tanh"};
    const shape_of_case *s = c->user;
    int n = c->op == &ax_op_lstm ? 3 : c->op == &ax_op_gru ? 2 : 1;

    if (s->activations)
        return s->activations[d * n + i];
    return n == 1 ? "Tanh" : lstm[i];
}

/* sums[g] of gate unit j: W x + R h + both biases; apart: what R and its bias make of it */
static double inner(const op_case *c, double *const *in, int d, int64_t unit, const double *x, const double *h,
                    double *apart)
{
    const shape_of_case *s = c->user;
    int64_t width = gates_of(c) * s->hidden;
    double sum = in[3] && s->bias ? in[3][d * 2 * width + unit] : 0;

    *apart = in[3] && s->bias ? in[3][d * 2 * width + width + unit] : 0;
    for (int64_t k = 0; k < s->input; k++)
        sum += in[1][(d * width + unit) * s->input + k] * x[k];
    for (int64_t k = 0; k < s->hidden; k++)
        *apart += in[2][(d * width + unit) * s->hidden + k] * h[k];
    return sum;
}

static void lstm_step(const op_case *c, double *const *in, int d, const double *x, double *h, double *cell)
{
    const shape_of_case *s = c->user;
    int64_t n = s->hidden;
    double gate[4][16], next[16], apart;

    for (int g = 0; g < 4; g++)
        for (int64_t j = 0; j < n; j++) {
            gate[g][j] = inner(c, in, d, g * n + j, x, h, &apart);
            gate[g][j] = curve(activation(c, d, g == 3), gate[g][j] + apart);
        }
    for (int64_t j = 0; j < n; j++) {
        cell[j] = gate[2][j] * cell[j] + gate[0][j] * gate[3][j];
        next[j] = gate[1][j] * curve(activation(c, d, 2), cell[j]);
    }
    memcpy(h, next, (size_t) n * sizeof(double));
}

static void gru_step(const op_case *c, double *const *in, int d, const double *x, double *h)
{
    const shape_of_case *s = c->user;
    int64_t n = s->hidden;
    double gate[2][16], reset[16], next[16], sum, apart;

    for (int g = 0; g < 2; g++)
        for (int64_t j = 0; j < n; j++) {
            sum = inner(c, in, d, g * n + j, x, h, &apart);
            gate[g][j] = curve(activation(c, d, 0), sum + apart);
        }
    for (int64_t j = 0; j < n; j++)
        reset[j] = s->after ? h[j] : gate[1][j] * h[j];
    for (int64_t j = 0; j < n; j++) {
        sum = inner(c, in, d, 2 * n + j, x, reset, &apart);
        sum = curve(activation(c, d, 1), sum + (s->after ? gate[1][j] : 1) * apart);
        next[j] = (1 - gate[0][j]) * sum + gate[0][j] * h[j];
    }
    memcpy(h, next, (size_t) n * sizeof(double));
}

static void rnn_step(const op_case *c, double *const *in, int d, const double *x, double *h)
{
    const shape_of_case *s = c->user;
    double next[16], apart;

    for (int64_t j = 0; j < s->hidden; j++) {
        next[j] = inner(c, in, d, j, x, h, &apart);
        next[j] = curve(activation(c, d, 0), next[j] + apart);
    }
    memcpy(h, next, (size_t) s->hidden * sizeof(double));
}

static void sequence(const op_case *c, double *const *in, double *const *out, int64_t b, int d, int directions)
{
    const shape_of_case *s = c->user;
    int64_t n = s->hidden, length = s->lengths ? (int64_t) in[4][b] : s->steps;
    int64_t state = (s->batch_first ? b * directions + d : d * s->batch + b) * n;
    double h[16] = {0}, cell[16] = {0};
    bool reverse = d == 1 || s->direction[0] == 'r';

    length = length < 0 ? 0 : AX_MIN(length, s->steps);
    for (int64_t t = 0; t < s->steps; t++)
        for (int64_t j = 0; j < n; j++)
            out[0][(s->batch_first ? (b * s->steps + t) * directions + d : (t * directions + d) * s->batch + b) * n +
                   j] = 0;
    if (s->h)
        memcpy(h, in[5] + state, (size_t) n * sizeof(double));
    if (s->c)
        memcpy(cell, in[6] + state, (size_t) n * sizeof(double));
    for (int64_t k = 0; k < length; k++) {
        int64_t t = reverse ? length - 1 - k : k;
        const double *x = in[0] + (s->batch_first ? b * s->steps + t : t * s->batch + b) * s->input;

        if (c->op == &ax_op_lstm)
            lstm_step(c, in, d, x, h, cell);
        else if (c->op == &ax_op_gru)
            gru_step(c, in, d, x, h);
        else
            rnn_step(c, in, d, x, h);
        memcpy(out[0] + (s->batch_first ? (b * s->steps + t) * directions + d
                                        : (t * directions + d) * s->batch + b) * n,
               h, (size_t) n * sizeof(double));
    }
    memcpy(out[1] + state, h, (size_t) n * sizeof(double));
    if (c->n_out > 2)
        memcpy(out[2] + state, cell, (size_t) n * sizeof(double));
}

static void reference(const op_case *c, double *const *in, double *const *out)
{
    const shape_of_case *s = c->user;
    int directions = s->direction[0] == 'b' ? 2 : 1;

    for (int64_t b = 0; b < s->batch; b++)
        for (int d = 0; d < directions; d++)
            sequence(c, in, out, b, d, directions);
}

/* ---- cases -------------------------------------------------------------------------------------- */

static void add_state(op_case *c, const shape_of_case *s, int64_t directions, bool given)
{
    if (!given)
        op_case_missing(c);
    else if (s->batch_first)
        op_case_input(c, AX_FLOAT, 3, (int64_t[]){s->batch, directions, s->hidden});
    else
        op_case_input(c, AX_FLOAT, 3, (int64_t[]){directions, s->batch, s->hidden});
}

static void make(op_case *c, const ax_op *op, const char *label, shape_of_case *s)
{
    int64_t directions = s->direction[0] == 'b' ? 2 : 1, width;

    op_case_init(c, op, label);
    c->user = s;
    c->reference = reference;
    width = gates_of(c) * s->hidden;
    if (s->batch_first)
        op_case_input(c, AX_FLOAT, 3, (int64_t[]){s->batch, s->steps, s->input});
    else
        op_case_input(c, AX_FLOAT, 3, (int64_t[]){s->steps, s->batch, s->input});
    op_case_input(c, AX_FLOAT, 3, (int64_t[]){directions, width, s->input});
    op_case_input(c, AX_FLOAT, 3, (int64_t[]){directions, width, s->hidden});
    if (s->bias)
        op_case_input(c, AX_FLOAT, 2, (int64_t[]){directions, 2 * width});
    else
        op_case_missing(c);
    if (s->lengths) {
        int i = op_case_input(c, AX_INT32, 1, &s->batch);

        for (int64_t b = 0; b < s->batch; b++)
            ((int32_t *) c->in[i].data)[b] = (int32_t) op_random_int(-1, s->steps + 1);
    } else {
        op_case_missing(c);
    }
    add_state(c, s, directions, s->h);
    if (op == &ax_op_lstm)
        add_state(c, s, directions, s->c);
    op_case_attr_s(c, "direction", s->direction);
    op_case_attr_i(c, "layout", s->batch_first);
    op_case_attr_i(c, "hidden_size", s->hidden);
    if (op == &ax_op_gru)
        op_case_attr_i(c, "linear_before_reset", s->after);
    if (s->activations)
        op_case_attr_ss(c, "activations", (int) directions * (op == &ax_op_lstm ? 3 : op == &ax_op_gru ? 2 : 1),
                        s->activations);
    c->n_out = op == &ax_op_lstm ? 3 : 2;
    c->all_dout = true;
    c->max_probes = 12;
}

static void check(const ax_op *op, const char *label, shape_of_case s, int shards)
{
    op_case c;

    make(&c, op, label, &s);
    c.shards = shards;
    c.batched = 1 | 1 << 4 | 1 << 5 | 1 << 6;
    c.batched_out = 7;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

static void test_shapes(const ax_op *op)
{
    static const char *const directions[] = {"forward", "reverse", "bidirectional"};

    for (int i = 0; i < 24; i++) {
        bool c = op == &ax_op_lstm && i % 5 < 3;
        shape_of_case s = {op_random_int(1, 5), op_random_int(1, 7), op_random_int(1, 9), op_random_int(1, 16),
                           directions[i % 3],   i / 3 % 2,           i % 4 != 0,          i % 2,
                           i % 5 < 3,           c,                   i / 6 % 2,           NULL};

        check(op, directions[i % 3], s, 1);
    }
    check(op, "long", (shape_of_case){3, 150, 2, 3, "bidirectional", true, true, true, true, false, true, NULL}, 1);
    check(op, "shards", (shape_of_case){7, 5, 3, 6, "bidirectional", true, true, true, true, false, true, NULL}, 3);
    check(op, "no step", (shape_of_case){2, 0, 3, 4, "forward", true, true, false, true, false, true, NULL}, 1);
}

static void test_activations(void)
{
    static const char *const names[] = {"Tanh", "Sigmoid", "Sigmoid", "Sigmoid", "Tanh", "Tanh"};
    static const char *const relu[] = {"Relu", "Relu"};
    shape_of_case s = {3, 4, 5, 6, "bidirectional", true, true, false, true, false, false, names};

    check(&ax_op_lstm, "other activations", s, 1);
    check(&ax_op_gru, "other activations", s, 1);
    s.activations = relu;
    check(&ax_op_rnn, "relu", s, 1);
}

/* What stands behind the end of a sequence reaches no result and no gradient, not even as NaN. */
static void test_padding(const ax_op *op)
{
    shape_of_case s = {4, 6, 3, 5, "bidirectional", true, true, true, false, false, true, NULL};
    op_case c;
    int bad = 0;

    make(&c, op, "padding", &s);
    for (int64_t b = 0; b < s.batch; b++) {
        ((int32_t *) c.in[4].data)[b] = (int32_t) b + 1;
        for (int64_t i = (b + 1) * s.input; i < s.steps * s.input; i++)
            op_case_floats(&c, 0)[b * s.steps * s.input + i] = NAN;
    }
    if (op_run_forward(&c, true)) {
        for (int o = 0; o < c.n_out; o++)
            for (int64_t i = 0; i < ax_shape_elements(&c.out[o].shape); i++)
                bad += !isfinite(((float *) c.out[o].data)[i]);
        op_random_dout(&c);
        op_run_backward(&c);
        for (int k = 0; k < 4; k++)
            for (int64_t i = 0; i < ax_shape_elements(&c.din[k].shape); i++)
                bad += !isfinite(((float *) c.din[k].data)[i]);
    } else {
        bad = 1;
    }
    unit_check(bad == 0, "%s: padding reaches nothing", op->type);
    op_case_free(&c);
}

static ax_status setup_alone(op_case *c)
{
    ax_arena arena;
    ax_tensor out[3];
    ax_node node = {.name = "n", .op = c->op, .n_attr = c->n_attr, .attr = c->attr};
    ax_setup s = {.node = &node, .n_in = c->n_in, .n_out = c->n_out, .in = c->in, .out = out, .arena = &arena};
    ax_status status;

    ax_arena_init(&arena, unit_env());
    s.err = &c->err;
    status = c->op->setup(&s);
    ax_arena_free(&arena);
    return status;
}

/* Shapes without the memory for them: setup alone looks at them. */
static void test_sizes(shape_of_case s)
{
    op_case c;

    make(&c, &ax_op_lstm, "sizes", &s);
    c.in[0].shape.dim[0] = (int64_t) 1 << 40;
    unit_check(setup_alone(&c) == AX_ERR_INVALID && strstr(c.err.message, "too large"), "too large a batch");
    c.in[0].shape.dim[0] = 2;
    c.in[0].shape.dim[2] = c.in[1].shape.dim[2] = 0;
    unit_check(setup_alone(&c) == AX_ERR_INVALID && strstr(c.err.message, "0 inputs"), "no inputs");
    op_case_free(&c);
}

static void test_refusals(void)
{
    static const char *const odd[] = {"Sigmoid", "Tanh", "Softsign"};
    shape_of_case s = {2, 3, 4, 5, "forward", true, true, false, false, false, false, NULL};
    op_case c;

    make(&c, &ax_op_lstm, "clip", &s);
    op_case_attr_f(&c, "clip", 1);
    op_check_refused(&c, AX_ERR_UNSUPPORTED, "clip");
    op_case_free(&c);
    make(&c, &ax_op_lstm, "coupled gates", &s);
    op_case_attr_i(&c, "input_forget", 1);
    op_check_refused(&c, AX_ERR_UNSUPPORTED, "input_forget");
    op_case_free(&c);
    make(&c, &ax_op_lstm, "peepholes", &s);
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){1, 15});
    op_check_refused(&c, AX_ERR_UNSUPPORTED, "peepholes");
    op_case_free(&c);
    s.activations = odd;
    make(&c, &ax_op_lstm, "an activation", &s);
    op_check_refused(&c, AX_ERR_UNSUPPORTED, "Softsign");
    op_case_free(&c);
    s.activations = NULL;
    make(&c, &ax_op_gru, "another R", &s);
    c.in[2].shape.dim[1] = 14;
    op_check_refused(&c, AX_ERR_INVALID, "input 2");
    op_case_free(&c);
    test_sizes(s);
}

/* ---- in a graph --------------------------------------------------------------------------------- */

#define GRAPH_BATCH 3
#define GRAPH_STEPS 4
#define GRAPH_HIDDEN 5

static const float *graph_x;
static const ax_env *graph_env;

static void load(void *arg, int shard, ax_exec *e)
{
    ax_exec_bind(e, *(int *) arg, graph_x);
}

static void loss(void *arg, int shard, ax_exec *e)
{
    int y_h = ((int *) arg)[1];
    ax_tensor g = ax_exec_gradient(e, y_h);

    for (int64_t i = 0; i < ax_shape_elements(&g.shape); i++)
        ((float *) g.data)[i] = 1;
}

static ax_status graph_weight(ax_graph *g, const char *name, int64_t rows, int64_t columns, int *out,
                              ax_error *err)
{
    float data[4 * GRAPH_HIDDEN * GRAPH_HIDDEN];
    ax_shape shape = ax_shape_of(3, (int64_t[]){1, rows, columns});

    for (int64_t i = 0; i < rows * columns; i++)
        data[i] = (float) ((i * 7 % 11) - 5) / 10;
    return ax_graph_add_weight(g, name, AX_FLOAT, &shape, true, data, out, err);
}

/* value: X and Y_h. */
static ax_status build_graph(ax_graph *g, const char *y_name, int *value, ax_error *err)
{
    const char *names[3] = {y_name, "y_h", ""};
    ax_shape shape = ax_shape_of(3, (int64_t[]){AX_DIM_BATCH, GRAPH_STEPS, 3});
    ax_attr attr = ax_attr_i("layout", 1);
    int in[3], out[3];

    AX_TRY(ax_graph_add_input(g, "x", AX_FLOAT, &shape, &in[0], err));
    AX_TRY(graph_weight(g, "w", 4 * GRAPH_HIDDEN, 3, &in[1], err));
    AX_TRY(graph_weight(g, "r", 4 * GRAPH_HIDDEN, GRAPH_HIDDEN, &in[2], err));
    AX_TRY(ax_graph_add_node_multi(g, "LSTM", "lstm", 3, in, 1, &attr, 3, names, out, err));
    AX_TRY(ax_graph_add_output(g, out[1], err));
    value[0] = in[0];
    value[1] = out[1];
    return ax_graph_bind(g, err);
}

/* Runs a training plan whose loss is Y_h; Y is made or left out. Y_h to y, the gradients to grad. */
static ax_status run_graph(const char *y_name, float *y, float *grad, int64_t *n_grad)
{
    ax_plan_spec spec = {.batch = GRAPH_BATCH, .training = true};
    ax_exec_job job = {.load = load, .loss = loss, .backward = true};
    ax_graph *g = NULL;
    ax_plan *plan = NULL;
    ax_exec *e = NULL;
    ax_error err = {0};
    int value[2]; /* X, Y_h */
    void *arena = NULL;
    ax_status status;

    status = ax_graph_create(graph_env, "g", &g, &err);
    if (status != AX_OK)
        return status;
    status = build_graph(g, y_name, value, &err);
    spec.loss_value = value[1];
    job.arg = value;
    if (status == AX_OK)
        status = ax_plan_create(graph_env, g, &spec, &plan, &err);
    if (status == AX_OK) {
        arena = aligned_alloc(64, (ax_plan_arena_bytes(plan) + 63) / 64 * 64);
        memset(arena, 0xff, ax_plan_arena_bytes(plan));
        *n_grad = ax_plan_gradient_floats(plan);
        status = ax_exec_create(graph_env, plan, arena, NULL, grad, &e, &err);
    }
    if (status == AX_OK)
        status = ax_exec_run(graph_env, &e, 1, NULL, &job, &err);
    if (status == AX_OK)
        memcpy(y, ax_exec_data(e, value[1]), GRAPH_BATCH * GRAPH_HIDDEN * sizeof(float));
    ax_exec_free(e);
    ax_plan_free(plan);
    ax_graph_free(g);
    free(arena);
    return status;
}

/* Every allocation fails in turn, and every question whether to go on is answered with no. */
static void graph_fails(float *y, float *grad)
{
    int64_t n_grad;
    long failed = 0, cancelled = 0;
    int wrong = 0;

    for (;; failed++) {
        graph_env = unit_env_fail_at(failed + 1);
        ax_status status = run_graph("", y, grad, &n_grad);

        if (!unit_env_tripped())
            break;
        wrong += status != AX_ERR_NOMEM;
    }
    for (;; cancelled++) {
        graph_env = unit_env_cancel_at(cancelled + 1);
        ax_status status = run_graph("", y, grad, &n_grad);

        if (!unit_env_tripped())
            break;
        wrong += status != AX_ERR_CANCELLED;
    }
    unit_check(wrong == 0 && failed > 3 && cancelled > 0, "%ld failed allocations, %ld cancels", failed, cancelled);
}

static void test_left_out(void)
{
    static float grad[2][1024] __attribute__((aligned(64)));
    float y[2][GRAPH_BATCH * GRAPH_HIDDEN], x[GRAPH_BATCH * GRAPH_STEPS * 3], some = 0;
    int64_t n = 0;

    unit_fill(x, AX_COUNT(x), -1, 1);
    graph_x = x;
    graph_env = unit_env();
    if (!unit_check(run_graph("y", y[0], grad[0], &n) == AX_OK && run_graph("", y[1], grad[1], &n) == AX_OK &&
                         n > 0 && n <= 1024,
                    "a plan with an LSTM"))
        return;
    for (int64_t i = 0; i < n; i++)
        some = fmaxf(some, fabsf(grad[0][i]));
    unit_check(memcmp(y[0], y[1], sizeof(y[0])) == 0, "Y_h is the same where Y is left out");
    unit_check(some > 0 && memcmp(grad[0], grad[1], (size_t) n * sizeof(float)) == 0, "and so are gradients");
    graph_fails(y[1], grad[1]);
}

int main(void)
{
    const ax_op *const ops[] = {&ax_op_lstm, &ax_op_gru, &ax_op_rnn};

    for (int i = 0; i < AX_COUNT(ops); i++) {
        test_shapes(ops[i]);
        test_padding(ops[i]);
    }
    test_activations();
    test_refusals();
    test_left_out();
    return unit_done();
}
