/*
 * op_concat.c: Concat: any number of inputs, one behind the other along an axis.
 *
 * Seen as (outer, axis * inner), each input is a block of columns of the output; its gradient is
 * the same block of dy. A single input is an alias.
 */
#include "graph/op_common.h"
#include "graph/op_list.h"

typedef struct concat_prep {
    int axis;
    int64_t outer;
} concat_prep;

/* Input i fits input 0 except along the axis, along which it adds to the output. */
static ax_status add_input(ax_setup *s, int i, int axis)
{
    const ax_shape *first = &s->in[0].shape, *shape = &s->in[i].shape;
    int64_t *length = &s->out[0].shape.dim[axis];
    bool fits = shape->rank == first->rank;
    char text[2][128];

    AX_TRY(ax_setup_any(s, i));
    if (s->in[i].type != s->in[0].type)
        return ax_setup_fail(s, "input %d is %s, input 0 %s", i, ax_dtype_name(s->in[i].type),
                             ax_dtype_name(s->in[0].type));
    for (int k = 0; fits && k < first->rank; k++)
        fits = k == axis || shape->dim[k] == first->dim[k];
    if (!fits)
        return ax_setup_fail(s, "input %d has shape %s, which does not fit %s along axis %d", i,
                             ax_shape_text(shape, text[0], sizeof text[0]),
                             ax_shape_text(first, text[1], sizeof text[1]), axis);
    *length += shape->dim[axis];
    if (!ax_shape_sane(&s->out[0].shape))
        return ax_setup_fail(s, "the output is too large");
    return AX_OK;
}

static ax_status concat_setup(ax_setup *s)
{
    const ax_attr *a = ax_node_attr(s->node, "axis");
    concat_prep *p;
    int axis;

    AX_TRY(ax_setup_any(s, 0));
    if (!a)
        return ax_setup_fail(s, "attribute axis is missing");
    AX_TRY(ax_setup_axis(s, a->i, s->in[0].shape.rank, &axis));
    ax_setup_same(s, 0);
    s->out[0].shape.dim[axis] = 0;
    for (int i = 0; i < s->n_in; i++)
        AX_TRY(add_input(s, i, axis));
    p = ax_setup_prep(s, sizeof *p);
    if (!p)
        return ax_nomem(s->err);
    p->axis = axis;
    p->outer = ax_shape_span(&s->in[0].shape, 0, axis);
    if (s->n_in == 1)
        s->alias = 0;
    return AX_OK;
}

static void concat_forward(const ax_run *r)
{
    const concat_prep *p = r->prep;
    size_t size = ax_dtype_size(r->out[0].type);
    size_t line = (size_t) ax_shape_span(&r->out[0].shape, p->axis, r->out[0].shape.rank) * size;
    char *y = r->out[0].data;

    if (r->n_in == 1) {
        ax_copy_forward(r);
        return;
    }
    for (int i = 0; i < r->n_in; i++) {
        const ax_shape *shape = &r->in[i].shape;
        size_t block = (size_t) ax_shape_span(shape, p->axis, shape->rank) * size;
        const char *x = r->in[i].data;

        for (int64_t o = 0; block > 0 && o < p->outer; o++)
            memcpy(y + (size_t) o * line, x + (size_t) o * block, block);
        y += block;
    }
}

static void concat_backward(const ax_run *r)
{
    const concat_prep *p = r->prep;
    int64_t line = ax_shape_span(&r->out[0].shape, p->axis, r->out[0].shape.rank);
    const float *dy = r->dout[0].data;

    for (int i = 0; i < r->n_in; i++) {
        const ax_shape *shape = &r->in[i].shape;
        int64_t block = ax_shape_span(shape, p->axis, shape->rank);
        float *dx = r->din[i].data;

        for (int64_t o = 0; dx && block > 0 && o < p->outer; o++)
            ax_give_gradient(block, dy + o * line, dx + o * block, r->add[i]);
        dy += block;
    }
}

static const ax_attr_spec concat_attrs[] = {{"axis", AX_ATTR_INT}, {NULL, 0}};

const ax_op ax_op_concat = {
    .type = "Concat",
    .since = 13,
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = 1,
    .attr = concat_attrs,
    .setup = concat_setup,
    .forward = concat_forward,
    .backward = concat_backward,
};
