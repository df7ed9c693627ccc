/*
 * op_equal.c: questions about numbers, answered with true or false: Equal with NumPy's broadcasting, IsNaN. And Floor,
 * which has no gradient either.
 */
#include <math.h>

#include "graph/op_common.h"
#include "graph/op_list.h"
#include "graph/op_walk.h"

static ax_status equal_setup(ax_setup *s)
{
    ax_walk *w;

    AX_TRY(ax_setup_any(s, 0));
    AX_TRY(ax_setup_any(s, 1));
    if (s->in[0].type != s->in[1].type)
        return ax_setup_fail(s, "the inputs are %s and %s, not of one type", ax_dtype_name(s->in[0].type),
                             ax_dtype_name(s->in[1].type));
    AX_TRY(ax_setup_broadcast(s, AX_BOOL));
    w = ax_setup_prep(s, sizeof *w);
    if (!w)
        return ax_nomem(s->err);
    ax_walk_broadcast(w, &s->out[0].shape, &s->in[0].shape, &s->in[1].shape);
    return AX_OK;
}

#define EQUAL_RUNS(type)                                                                           \
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))                              \
        for (int64_t i = 0; i < w->n; i++)                                                         \
            y[at.whole + i] = ((const type *) a)[at.a + i * w->step_a] == ((const type *) b)[at.b + i * w->step_b]

/* Both operands move: what a table's categories are compared with. */
static void equal_floats(const ax_walk *w, const float *a, const float *b, uint8_t *y)
{
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at)) {
        const float *restrict p = a + at.a, *restrict q = b + at.b;
        uint8_t *restrict to = y + at.whole;

        for (int64_t i = 0; i < w->n; i++)
            to[i] = p[i] == q[i];
    }
}

static void equal_forward(const ax_run *r)
{
    const ax_walk *w = r->prep;
    const void *a = r->in[0].data, *b = r->in[1].data;
    uint8_t *y = r->out[0].data;

    switch (r->in[0].type) {
    case AX_FLOAT:
        if (w->step_a == 1 && w->step_b == 1)
            equal_floats(w, a, b, y);
        else
            EQUAL_RUNS(float);
        break;
    case AX_DOUBLE:
        EQUAL_RUNS(double);
        break;
    case AX_INT32:
        EQUAL_RUNS(int32_t);
        break;
    case AX_INT64:
        EQUAL_RUNS(int64_t);
        break;
    default: /* bool, int8, uint8 */
        EQUAL_RUNS(uint8_t);
        break;
    }
}

static ax_status isnan_setup(ax_setup *s)
{
    AX_TRY(ax_setup_float(s, 0, 0, AX_MAX_RANK));
    ax_setup_same(s, 0);
    s->out[0].type = AX_BOOL;
    return AX_OK;
}

static void isnan_forward(const ax_run *r)
{
    int64_t n = ax_shape_elements(&r->in[0].shape);
    const float *x = r->in[0].data;
    uint8_t *y = r->out[0].data;

    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] != x[i];
}

static ax_status floor_setup(ax_setup *s)
{
    AX_TRY(ax_setup_float(s, 0, 0, AX_MAX_RANK));
    ax_setup_same(s, 0);
    return AX_OK;
}

static void floor_forward(const ax_run *r)
{
    int64_t n = ax_shape_elements(&r->in[0].shape);
    const float *x = r->in[0].data;
    float *y = r->out[0].data;

    for (int64_t i = 0; i < n; i++)
        y[i] = floorf(x[i]);
}

const ax_op ax_op_equal = {
    .type = "Equal",
    .since = 13,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_NO_GRADIENT,
    .setup = equal_setup,
    .forward = equal_forward,
};

const ax_op ax_op_isnan = {
    .type = "IsNaN",
    .since = 13,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_NO_GRADIENT,
    .setup = isnan_setup,
    .forward = isnan_forward,
};

const ax_op ax_op_floor = {
    .type = "Floor",
    .since = 13,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_NO_GRADIENT | AX_INPLACE,
    .setup = floor_setup,
    .forward = floor_forward,
};
