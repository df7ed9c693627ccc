/*
 * op_reduce.c: ReduceSum, ReduceMean, ReduceMax over some axes or all of them.
 *
 *     ReduceSum     y = sum x           dx = dy
 *     ReduceMean    y = sum x / count   dx = dy / count
 *     ReduceMax     y = max x           dx = dy at the first maximum in row-major order, else 0
 *
 * Axes come as an input (ReduceSum from opset 13, the others from 18) or as an attribute; without
 * any, all axes are meant, unless noop_with_empty_axes makes it an identity. keepdims leaves axes
 * of size 1 behind. Over nothing a sum is 0, a mean NaN and a maximum -inf.
 *
 * A reduction is a broadcast read backwards: the walk goes over x in order, and y follows it with
 * stride 0 along the reduced axes.
 */
#include <math.h>

#include "graph/op_common.h"
#include "graph/op_list.h"
#include "graph/op_walk.h"

typedef enum reduce_kind { KIND_SUM, KIND_MEAN, KIND_MAX } reduce_kind;

typedef struct reduce_prep {
    reduce_kind kind;
    bool noop;
    float scale;  /* of the mean */
    ax_walk walk; /* over x; a: y */
} reduce_prep;

/* ---- setup ----------------------------------------------------------------------------------- */

static ax_status read_axes(ax_setup *s, int64_t *axes, int *count)
{
    const ax_attr *a = ax_node_attr(s->node, "axes");

    *count = 0;
    if (!ax_setup_absent(s, 1))
        return ax_setup_ints(s, 1, "axes", AX_MAX_RANK, axes, count);
    if (!a)
        return AX_OK;
    if (a->count > AX_MAX_RANK)
        return ax_setup_fail(s, "axes has %d entries; at most %d are possible", a->count,
                             AX_MAX_RANK);
    for (int k = 0; k < a->count; k++)
        axes[k] = a->ints[k];
    *count = a->count;
    return AX_OK;
}

/* kept: y with the reduced axes as 1, which is how the walk sees it. */
static void reduce_shapes(ax_setup *s, const bool *reduced, ax_shape *kept)
{
    bool keep = ax_node_int(s->node, "keepdims", 1) != 0;
    const ax_shape *x = &s->in[0].shape;
    ax_shape *y = &s->out[0].shape;

    kept->rank = x->rank;
    y->rank = 0;
    for (int k = 0; k < x->rank; k++) {
        kept->dim[k] = reduced[k] ? 1 : x->dim[k];
        if (keep || !reduced[k])
            y->dim[y->rank++] = kept->dim[k];
    }
}

static ax_status reduce_setup(ax_setup *s)
{
    const ax_shape *x = &s->in[0].shape;
    int64_t axes[AX_MAX_RANK], stride[AX_MAX_RANK], n_y;
    bool reduced[AX_MAX_RANK];
    ax_shape kept;
    reduce_prep *p;
    int count;

    AX_TRY(ax_setup_float(s, 0, 0, AX_MAX_RANK));
    AX_TRY(read_axes(s, axes, &count));
    AX_TRY(ax_setup_axes(s, axes, count, x->rank, reduced));
    p = ax_setup_prep(s, sizeof *p);
    if (!p)
        return ax_nomem(s->err);
    ax_setup_same(s, 0);
    p->kind = s->node->op == &ax_op_reduce_sum    ? KIND_SUM
              : s->node->op == &ax_op_reduce_mean ? KIND_MEAN
                                                  : KIND_MAX;
    p->noop = count == 0 && ax_node_int(s->node, "noop_with_empty_axes", 0) != 0;
    if (p->noop) {
        s->alias = 0;
        return AX_OK;
    }
    for (int k = 0; k < x->rank && count == 0; k++)
        reduced[k] = true;
    reduce_shapes(s, reduced, &kept);
    ax_walk_strides(&kept, x, stride);
    ax_walk_make(&p->walk, x, stride, NULL);
    n_y = ax_shape_elements(&kept);
    p->scale = 1;
    if (p->kind == KIND_MEAN && n_y > 0)
        p->scale = (float) ((double) n_y / (double) ax_shape_elements(x));
    if (p->kind == KIND_MAX)
        s->scratch_backward = (size_t) n_y;
    return AX_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */

static void sum_forward(const ax_walk *w, const float *x, float *y)
{
    const ax_kernels *k = ax_kernels_get();

    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at)) {
        if (w->step_a == 0)
            y[at.a] += k->sum(w->n, x + at.whole);
        else
            k->add(w->n, y + at.a, x + at.whole, y + at.a);
    }
}

static void max_forward(const ax_walk *w, const float *x, float *y)
{
    const ax_kernels *k = ax_kernels_get();

    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at)) {
        float m;

        if (w->step_a == 0) {
            m = k->max(w->n, x + at.whole);
            k->maximum(1, y + at.a, &m, y + at.a);
        } else {
            k->maximum(w->n, y + at.a, x + at.whole, y + at.a);
        }
    }
}

static void reduce_forward(const ax_run *r)
{
    const reduce_prep *p = r->prep;
    int64_t n = ax_shape_elements(&r->out[0].shape);
    float *y = r->out[0].data;

    if (p->noop) {
        ax_copy_forward(r);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        y[i] = p->kind == KIND_MAX ? -INFINITY : 0;
    if (p->kind == KIND_MAX)
        max_forward(&p->walk, r->in[0].data, y);
    else
        sum_forward(&p->walk, r->in[0].data, y);
    if (p->kind == KIND_MEAN)
        ax_kernels_get()->mul_scalar(n, y, p->scale, y);
}

/* ---- backward -------------------------------------------------------------------------------- */

static void fill(int64_t n, float v, float *d)
{
    for (int64_t i = 0; i < n; i++)
        d[i] = v;
}

static void sum_backward(const reduce_prep *p, const float *dy, float *dx, bool add)
{
    const ax_kernels *k = ax_kernels_get();
    const ax_walk *w = &p->walk;

    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at)) {
        float *d = dx + at.whole;

        if (w->step_a == 0 && add)
            k->add_scalar(w->n, d, dy[at.a] * p->scale, d);
        else if (w->step_a == 0)
            fill(w->n, dy[at.a] * p->scale, d);
        else if (add)
            k->axpy(w->n, p->scale, dy + at.a, d);
        else
            k->mul_scalar(w->n, dy + at.a, p->scale, d);
    }
}

/* taken: one byte for each y, set once its maximum was found. */
static void max_backward(const ax_run *r)
{
    const reduce_prep *p = r->prep;
    const ax_walk *w = &p->walk;
    const float *x = r->in[0].data, *y = r->out[0].data, *dy = r->dout[0].data;
    float *dx = r->din[0].data;
    uint8_t *taken = r->scratch;

    memset(taken, 0, (size_t) ax_shape_elements(&r->out[0].shape));
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++) {
            int64_t from = at.a + i * w->step_a, to = at.whole + i;
            bool first = !taken[from] && x[to] == y[from];
            float g = first ? dy[from] : 0;

            taken[from] |= first;
            dx[to] = r->add[0] ? dx[to] + g : g;
        }
}

static void reduce_backward(const ax_run *r)
{
    const reduce_prep *p = r->prep;

    if (!ax_wants_grad(r, 0))
        return;
    if (p->noop)
        ax_copy_backward(r);
    else if (p->kind == KIND_MAX)
        max_backward(r);
    else
        sum_backward(p, r->dout[0].data, r->din[0].data, r->add[0]);
}

/* ---- the operators --------------------------------------------------------------------------- */

static const ax_attr_spec sum_attrs[] = {
    {"keepdims", AX_ATTR_INT}, {"noop_with_empty_axes", AX_ATTR_INT}, {NULL, 0}};
static const ax_attr_spec axes_attrs[] = {{"axes", AX_ATTR_INTS},
                                          {"keepdims", AX_ATTR_INT},
                                          {"noop_with_empty_axes", AX_ATTR_INT},
                                          {NULL, 0}};

#define REDUCE(name, onnx, keep, attrs)                                                            \
    const ax_op ax_op_##name = {                                                                   \
        .type = onnx,                                                                              \
        .since = 13,                                                                               \
        .min_in = 1,                                                                               \
        .max_in = 2,                                                                               \
        .min_out = 1,                                                                              \
        .max_out = 1,                                                                              \
        .flags = keep,                                                                             \
        .attr = attrs,                                                                             \
        .setup = reduce_setup,                                                                     \
        .forward = reduce_forward,                                                                 \
        .backward = reduce_backward,                                                               \
    }

REDUCE(reduce_max, "ReduceMax", AX_KEEP_IN0 | AX_KEEP_OUT, axes_attrs);
REDUCE(reduce_mean, "ReduceMean", 0, axes_attrs);
REDUCE(reduce_sum, "ReduceSum", 0, sum_attrs);
