/*
 * op_where.c: Where, with NumPy's broadcasting of all three inputs.
 *
 *     y = condition ? a : b       da = condition ? dy : 0       db = condition ? 0 : dy
 *
 * A walk follows two operands, so there are two of them: one takes from a where the condition holds, the other from b
 * where it does not.
 */
#include "graph/op_common.h"
#include "graph/op_list.h"
#include "graph/op_walk.h"

static ax_status where_setup(ax_setup *s)
{
    ax_shape *out = &s->out[0].shape;
    ax_walk *w;

    for (int k = 0; k < 3; k++)
        AX_TRY(ax_setup_any(s, k));
    if (s->in[0].type != AX_BOOL)
        return ax_setup_fail(s, "the condition is %s, not bool", ax_dtype_name(s->in[0].type));
    if (s->in[1].type != s->in[2].type)
        return ax_setup_fail(s, "the inputs are %s and %s, not of one type", ax_dtype_name(s->in[1].type),
                             ax_dtype_name(s->in[2].type));
    if (!ax_shape_broadcast(&s->in[0].shape, &s->in[1].shape, out) || !ax_shape_broadcast(out, &s->in[2].shape, out))
        return ax_setup_fail(s, "the shapes of the inputs do not fit together");
    if (!ax_shape_sane(out))
        return ax_setup_fail(s, "the output is too large");
    s->out[0].type = s->in[1].type;
    w = ax_setup_prep(s, 2 * sizeof *w);
    if (!w)
        return ax_nomem(s->err);
    ax_walk_broadcast(&w[0], out, &s->in[0].shape, &s->in[1].shape);
    ax_walk_broadcast(&w[1], out, &s->in[0].shape, &s->in[2].shape);
    return AX_OK;
}

/* Takes from x, of elements of `size` bytes, where the condition is `wanted`. */
static inline void take_sized(const ax_walk *w, const uint8_t *condition, bool wanted, const char *x, char *y,
                              size_t size)
{
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            if ((condition[at.a + i * w->step_a] != 0) == wanted)
                memcpy(y + (size_t) (at.whole + i) * size, x + (size_t) (at.b + i * w->step_b) * size, size);
}

static void take(const ax_walk *w, const uint8_t *condition, bool wanted, const ax_tensor *x, ax_tensor *y)
{
    size_t size = ax_dtype_size(x->type);

    if (size == 1)
        take_sized(w, condition, wanted, x->data, y->data, 1);
    else if (size == 4)
        take_sized(w, condition, wanted, x->data, y->data, 4);
    else
        take_sized(w, condition, wanted, x->data, y->data, size);
}

static void where_forward(const ax_run *r)
{
    const ax_walk *w = r->prep;

    take(&w[0], r->in[0].data, true, &r->in[1], &r->out[0]);
    take(&w[1], r->in[0].data, false, &r->in[2], &r->out[0]);
}

static void input_backward(const ax_run *r, int k)
{
    const ax_walk *w = (const ax_walk *) r->prep + (k - 1);
    const uint8_t *condition = r->in[0].data;
    const float *dy = r->dout[0].data;
    float *d = r->din[k].data;

    if (!r->add[k])
        memset(d, 0, ax_tensor_bytes(AX_FLOAT, &r->din[k].shape));
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            d[at.b + i * w->step_b] += (condition[at.a + i * w->step_a] != 0) == (k == 1) ? dy[at.whole + i] : 0;
}

static void where_backward(const ax_run *r)
{
    for (int k = 1; k < 3; k++)
        if (ax_wants_grad(r, k))
            input_backward(r, k);
}

const ax_op ax_op_where = {
    .type = "Where",
    .since = 16,
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_KEEP_IN0,
    .setup = where_setup,
    .forward = where_forward,
    .backward = where_backward,
};
