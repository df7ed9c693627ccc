/*
 * op_softmax.c: Softmax and LogSoftmax along one axis (opset 13).
 *
 *     Softmax       y = e^(x - m) / s            dx = y (dy - sum(dy y))
 *     LogSoftmax    y = (x - m) - ln s           dx = dy - e^y sum(dy)
 *
 * with m the maximum and s = sum(e^(x - m)) along the axis, so that nothing overflows.
 *
 * The tensor is seen as (outer, n, inner) with the axis in the middle. With inner = 1 a line along
 * the axis is contiguous; else WIDTH neighbouring lines are done at a time, so that memory is read
 * in order. Everything works in place: a line's sums are known before its first element is written.
 */
#include <math.h>

#include "graph/op_list.h"

#define WIDTH 128

typedef struct softmax_prep {
    bool log;
    int64_t outer, n, inner;
} softmax_prep;

static ax_status softmax_setup(ax_setup *s)
{
    const ax_shape *shape = &s->in[0].shape;
    softmax_prep *p;
    int axis;

    AX_TRY(ax_setup_float(s, 0, 1, AX_MAX_RANK));
    AX_TRY(ax_setup_axis(s, ax_node_int(s->node, "axis", -1), shape->rank, &axis));
    ax_setup_same(s, 0);
    p = ax_setup_prep(s, sizeof *p);
    if (!p)
        return ax_nomem(s->err);
    p->log = s->node->op == &ax_op_log_softmax;
    p->outer = ax_shape_span(shape, 0, axis);
    p->n = shape->dim[axis];
    p->inner = ax_shape_span(shape, axis + 1, shape->rank);
    return AX_OK;
}

/* ---- contiguous lines ------------------------------------------------------------------------ */

static void line_log_softmax(int64_t n, const float *x, float *y)
{
    const ax_kernels *k = ax_kernels_get();
    float t[WIDTH], sum = 0;

    k->add_scalar(n, x, -k->max(n, x), y);
    for (int64_t from = 0; from < n; from += WIDTH) {
        int64_t w = AX_MIN(n - from, WIDTH);

        k->exp(w, y + from, t);
        sum += k->sum(w, t);
    }
    k->add_scalar(n, y, -logf(sum), y);
}

static void line_log_backward(int64_t n, const float *y, const float *dy, float *dx, bool add)
{
    const ax_kernels *k = ax_kernels_get();
    float sum = k->sum(n, dy), t[WIDTH];

    for (int64_t from = 0; from < n; from += WIDTH) {
        int64_t w = AX_MIN(n - from, WIDTH);

        k->exp(w, y + from, t);
        k->mul_scalar(w, t, -sum, t);
        k->add(w, t, dy + from, t);
        if (add)
            k->add(w, t, dx + from, dx + from);
        else
            memcpy(dx + from, t, (size_t) w * sizeof(float));
    }
}

/* ---- w <= WIDTH lines side by side, their elements `stride` apart ---------------------------- */

static void column_max(const softmax_prep *p, int64_t w, const float *x, float *m)
{
    memcpy(m, x, (size_t) w * sizeof(float));
    for (int64_t i = 1; i < p->n; i++)
        ax_kernels_get()->maximum(w, m, x + i * p->inner, m);
}

static void columns_forward(const softmax_prep *p, int64_t w, const float *x, float *y)
{
    const ax_kernels *k = ax_kernels_get();
    float m[WIDTH], sum[WIDTH] = {0}, t[WIDTH];

    column_max(p, w, x, m);
    for (int64_t i = 0; i < p->n; i++) {
        float *row = y + i * p->inner;

        k->sub(w, x + i * p->inner, m, row);
        k->exp(w, row, t);
        k->add(w, sum, t, sum);
        if (!p->log)
            memcpy(row, t, (size_t) w * sizeof(float));
    }
    if (p->log)
        k->log(w, sum, sum);
    for (int64_t i = 0; i < p->n; i++) {
        float *row = y + i * p->inner;

        (p->log ? k->sub : k->div)(w, row, sum, row);
    }
}

static void columns_backward(const softmax_prep *p, int64_t w, const float *y, const float *dy,
                             float *dx, bool add)
{
    const ax_kernels *k = ax_kernels_get();
    float sum[WIDTH] = {0}, t[WIDTH];

    for (int64_t i = 0; i < p->n; i++) {
        if (p->log)
            k->add(w, sum, dy + i * p->inner, sum);
        else
            k->muladd(w, dy + i * p->inner, y + i * p->inner, sum);
    }
    for (int64_t i = 0; i < p->n; i++) {
        int64_t at = i * p->inner;

        if (p->log) {
            k->exp(w, y + at, t);
            k->mul(w, t, sum, t);
            k->sub(w, dy + at, t, t);
        } else {
            k->sub(w, dy + at, sum, t);
            k->mul(w, t, y + at, t);
        }
        if (add)
            k->add(w, t, dx + at, dx + at);
        else
            memcpy(dx + at, t, (size_t) w * sizeof(float));
    }
}

/* ---- both ------------------------------------------------------------------------------------ */

static void softmax_forward(const ax_run *r)
{
    const softmax_prep *p = r->prep;
    const float *x = r->in[0].data;
    float *y = r->out[0].data;

    if (p->n == 0)
        return;
    for (int64_t o = 0; o < p->outer; o++, x += p->n * p->inner, y += p->n * p->inner) {
        if (p->inner == 1 && p->log)
            line_log_softmax(p->n, x, y);
        else if (p->inner == 1)
            ax_kernels_get()->softmax(p->n, x, y);
        else
            for (int64_t j = 0; j < p->inner; j += WIDTH)
                columns_forward(p, AX_MIN(p->inner - j, WIDTH), x + j, y + j);
    }
}

static void softmax_backward(const ax_run *r)
{
    const softmax_prep *p = r->prep;
    const float *y = r->out[0].data, *dy = r->dout[0].data;
    float *dx = r->din[0].data;
    int64_t step = p->n * p->inner;

    if (!dx || step == 0)
        return;
    for (int64_t o = 0; o < p->outer; o++, y += step, dy += step, dx += step) {
        if (p->inner == 1 && p->log)
            line_log_backward(p->n, y, dy, dx, r->add[0]);
        else if (p->inner == 1)
            ax_kernels_get()->softmax_back(p->n, y, dy, dx, r->add[0]);
        else
            for (int64_t j = 0; j < p->inner; j += WIDTH)
                columns_backward(p, AX_MIN(p->inner - j, WIDTH), y + j, dy + j, dx + j, r->add[0]);
    }
}

static const ax_attr_spec softmax_attrs[] = {{"axis", AX_ATTR_INT}, {NULL, 0}};

const ax_op ax_op_softmax = {
    .type = "Softmax",
    .since = 13,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_KEEP_OUT | AX_INPLACE,
    .attr = softmax_attrs,
    .setup = softmax_setup,
    .forward = softmax_forward,
    .backward = softmax_backward,
};

const ax_op ax_op_log_softmax = {
    .type = "LogSoftmax",
    .since = 13,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_KEEP_OUT | AX_INPLACE,
    .attr = softmax_attrs,
    .setup = softmax_setup,
    .forward = softmax_forward,
    .backward = softmax_backward,
};
