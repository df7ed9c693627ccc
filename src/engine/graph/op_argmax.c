/*
 * op_argmax.c: ArgMax and ArgMin: where along an axis the largest or smallest number stands, the first of equal ones
 * or, with select_last_index, the last. A NaN never wins over a number that stands before it, and no number over a
 * NaN that stands first.
 */
#include "graph/op_common.h"
#include "graph/op_list.h"

typedef struct argmax_prep {
    bool least, last;
    int64_t outer, length, inner;
} argmax_prep;

static ax_status argmax_setup(ax_setup *s)
{
    const ax_shape *x = &s->in[0].shape;
    bool keep = ax_node_int(s->node, "keepdims", 1) != 0;
    argmax_prep *p;
    int axis;

    AX_TRY(ax_setup_float(s, 0, 1, AX_MAX_RANK));
    AX_TRY(ax_setup_axis(s, ax_node_int(s->node, "axis", 0), x->rank, &axis));
    if (x->dim[axis] == 0)
        return ax_setup_fail(s, "axis %d has no elements", axis);
    s->out[0].type = AX_INT64;
    s->out[0].shape.rank = 0;
    for (int k = 0; k < x->rank; k++)
        if (k != axis || keep)
            s->out[0].shape.dim[s->out[0].shape.rank++] = k == axis ? 1 : x->dim[k];
    p = ax_setup_prep(s, sizeof *p);
    if (!p)
        return ax_nomem(s->err);
    p->least = s->node->op == &ax_op_argmin;
    p->last = ax_node_int(s->node, "select_last_index", 0) != 0;
    p->outer = ax_shape_span(x, 0, axis);
    p->length = x->dim[axis];
    p->inner = ax_shape_span(x, axis + 1, x->rank);
    return AX_OK;
}

static bool wins(const argmax_prep *p, float v, float best)
{
    return (p->least ? v < best : v > best) || (p->last && v == best);
}

static void argmax_forward(const ax_run *r)
{
    const argmax_prep *p = r->prep;
    const float *x = r->in[0].data;
    int64_t *y = r->out[0].data;

    for (int64_t o = 0; o < p->outer; o++, x += p->length * p->inner)
        for (int64_t i = 0; i < p->inner; i++) {
            int64_t best = 0;

            for (int64_t k = 1; k < p->length; k++)
                if (wins(p, x[k * p->inner + i], x[best * p->inner + i]))
                    best = k;
            *y++ = best;
        }
}

static const ax_attr_spec argmax_attrs[] = {
    {"axis", AX_ATTR_INT}, {"keepdims", AX_ATTR_INT}, {"select_last_index", AX_ATTR_INT}, {NULL, 0}};

#define ARG(name, onnx)                                                                            \
    const ax_op ax_op_##name = {                                                                   \
        .type = onnx,                                                                              \
        .since = 13,                                                                               \
        .min_in = 1,                                                                               \
        .max_in = 1,                                                                               \
        .min_out = 1,                                                                              \
        .max_out = 1,                                                                              \
        .flags = AX_NO_GRADIENT,                                                                   \
        .attr = argmax_attrs,                                                                      \
        .setup = argmax_setup,                                                                     \
        .forward = argmax_forward,                                                                 \
    }

ARG(argmax, "ArgMax");
ARG(argmin, "ArgMin");
