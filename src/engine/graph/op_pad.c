/*
 * op_pad.c: Pad with a constant (ONNX 13).
 *
 *     y = x in the middle, the constant around it      dx = the middle of dy
 *
 * The input "pads" holds what goes before each axis, then what goes behind each. Negative ones, which cut, and the
 * other modes are not done.
 */
#include "graph/op_common.h"
#include "graph/op_list.h"
#include "graph/op_walk.h"

typedef struct pad_prep {
    float value;
    int64_t from; /* of x's first element within y */
    ax_walk walk; /* over x; a: y, counted from there */
} pad_prep;

static ax_status read_value(ax_setup *s, float *value)
{
    *value = 0;
    if (ax_setup_absent(s, 2))
        return AX_OK;
    AX_TRY(ax_setup_float(s, 2, 0, 1));
    if (s->in[2].data == NULL || ax_shape_elements(&s->in[2].shape) != 1)
        return ax_setup_unsupported(s, "a constant_value that is not one constant");
    memcpy(value, s->in[2].data, sizeof *value);
    return AX_OK;
}

static ax_status read_pads(ax_setup *s, int64_t *pads)
{
    const char *mode = ax_node_string(s->node, "mode", "constant");
    int rank = s->in[0].shape.rank, count;

    if (strcmp(mode, "constant") != 0)
        return ax_setup_unsupported(s, "mode \"%s\"", mode);
    AX_TRY(ax_setup_ints(s, 1, "pads", 2 * AX_MAX_RANK, pads, &count));
    if (count != 2 * rank)
        return ax_setup_fail(s, "pads has %d entries for %d dimensions", count, rank);
    for (int k = 0; k < count; k++)
        if (pads[k] < 0)
            return ax_setup_unsupported(s, "negative pads");
    return AX_OK;
}

static ax_status pad_setup(ax_setup *s)
{
    const ax_shape *x = &s->in[0].shape;
    ax_shape *y = &s->out[0].shape;
    int64_t pads[2 * AX_MAX_RANK] = {0}, stride[AX_MAX_RANK];
    pad_prep *p = ax_setup_prep(s, sizeof *p);

    if (!p)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 0, AX_MAX_RANK));
    AX_TRY(read_pads(s, pads));
    AX_TRY(read_value(s, &p->value));
    ax_setup_same(s, 0);
    for (int k = 0; k < x->rank; k++)
        if (__builtin_add_overflow(y->dim[k], pads[k], &y->dim[k]) ||
            __builtin_add_overflow(y->dim[k], pads[x->rank + k], &y->dim[k]))
            return ax_setup_fail(s, "the output is too large");
    if (!ax_shape_sane(y))
        return ax_setup_fail(s, "the output is too large");
    ax_walk_strides(y, y, stride);
    for (int k = 0; k < x->rank; k++)
        p->from += pads[k] * stride[k];
    ax_walk_make(&p->walk, x, stride, NULL);
    return AX_OK;
}

static void pad_forward(const ax_run *r)
{
    const pad_prep *p = r->prep;
    const ax_walk *w = &p->walk;
    const float *x = r->in[0].data;
    int64_t n = ax_shape_elements(&r->out[0].shape);
    float *y = r->out[0].data;

    for (int64_t i = 0; i < n; i++)
        y[i] = p->value;
    y += p->from;
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            y[at.a + i * w->step_a] = x[at.whole + i];
}

static void pad_backward(const ax_run *r)
{
    const pad_prep *p = r->prep;
    const ax_walk *w = &p->walk;
    const float *dy = r->dout[0].data;
    float *dx = ax_wants_grad(r, 0) ? r->din[0].data : NULL;

    if (dx == NULL)
        return;
    dy += p->from;
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            dx[at.whole + i] = (r->add[0] ? dx[at.whole + i] : 0) + dy[at.a + i * w->step_a];
}

static const ax_attr_spec pad_attrs[] = {{"mode", AX_ATTR_STRING}, {NULL, 0}};

const ax_op ax_op_pad = {
    .type = "Pad",
    .since = 13,
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .attr = pad_attrs,
    .setup = pad_setup,
    .forward = pad_forward,
    .backward = pad_backward,
};
