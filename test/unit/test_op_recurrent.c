/*
 * test_op_recurrent.c: LSTM, GRU and RNN against plain loops in double.
 */
#include "graph/op_list.h"

#include <math.h>
#include <stdlib.h>

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
    return unit_done();
}
