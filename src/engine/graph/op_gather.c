/*
 * op_gather.c: Gather: slices of the data along an axis, by their numbers.
 *
 *     y[outer, i, inner] = data[outer, indices[i], inner]
 *     d data[outer, indices[i], inner] += dy[outer, i, inner]
 *
 * Numbers are int64 or int32 and may have any shape; a negative one counts from the end. One that is out of range gives
 * zeros, and has no gradient: indices are data, and what is not known should not end a query. The gradient is added
 * up in the order of the indices, shard by shard, so that it is the same for any number of threads.
 */
#include "graph/op_common.h"
#include "graph/op_list.h"

typedef struct gather_prep {
    int64_t outer, length, count, inner; /* count: of the indices */
    size_t size;                         /* bytes of an element */
} gather_prep;

static ax_status gather_shape(ax_setup *s, int axis)
{
    const ax_shape *data = &s->in[0].shape, *indices = &s->in[1].shape;
    ax_shape *y = &s->out[0].shape;

    if (data->rank - 1 + indices->rank > AX_MAX_RANK)
        return ax_setup_unsupported(s, "the result has %d dimensions; at most %d are possible",
                                    data->rank - 1 + indices->rank, AX_MAX_RANK);
    y->rank = 0;
    for (int k = 0; k < axis; k++)
        y->dim[y->rank++] = data->dim[k];
    for (int k = 0; k < indices->rank; k++)
        y->dim[y->rank++] = indices->dim[k];
    for (int k = axis + 1; k < data->rank; k++)
        y->dim[y->rank++] = data->dim[k];
    return ax_shape_sane(y) ? AX_OK : ax_setup_fail(s, "the output is too large");
}

static ax_status gather_setup(ax_setup *s)
{
    const ax_shape *data = &s->in[0].shape;
    gather_prep *p;
    int axis;

    AX_TRY(ax_setup_any(s, 0));
    AX_TRY(ax_setup_any(s, 1));
    if (s->in[1].type != AX_INT64 && s->in[1].type != AX_INT32)
        return ax_setup_fail(s, "the indices are %s, not integers", ax_dtype_name(s->in[1].type));
    AX_TRY(ax_setup_axis(s, ax_node_int(s->node, "axis", 0), data->rank, &axis));
    AX_TRY(gather_shape(s, axis));
    s->out[0].type = s->in[0].type;
    p = ax_setup_prep(s, sizeof *p);
    if (!p)
        return ax_nomem(s->err);
    p->outer = ax_shape_span(data, 0, axis);
    p->length = data->dim[axis];
    p->count = ax_shape_elements(&s->in[1].shape);
    p->inner = ax_shape_span(data, axis + 1, data->rank);
    p->size = ax_dtype_size(s->in[0].type);
    return AX_OK;
}

/* Which slice index i names; -1: none. */
static int64_t slice(const gather_prep *p, const ax_tensor *indices, int64_t i)
{
    int64_t v = indices->type == AX_INT64 ? ((const int64_t *) indices->data)[i] : ((const int32_t *) indices->data)[i];

    if (v < 0)
        v += p->length;
    return v >= 0 && v < p->length ? v : -1;
}

/* Single floats (or int32): columns of a table. */
static void gather_words(const gather_prep *p, const ax_tensor *indices, const uint32_t *data, uint32_t *y)
{
    for (int64_t o = 0; o < p->outer; o++, data += p->length)
        for (int64_t i = 0; i < p->count; i++) {
            int64_t from = slice(p, indices, i);

            *y++ = from < 0 ? 0 : data[from];
        }
}

static void gather_forward(const ax_run *r)
{
    const gather_prep *p = r->prep;
    size_t line = (size_t) p->inner * p->size;
    const char *data = r->in[0].data;
    char *y = r->out[0].data;

    if (line == sizeof(uint32_t)) {
        gather_words(p, &r->in[1], r->in[0].data, r->out[0].data);
        return;
    }
    for (int64_t o = 0; o < p->outer; o++, data += (size_t) p->length * line)
        for (int64_t i = 0; i < p->count; i++, y += line) {
            int64_t from = slice(p, &r->in[1], i);

            if (from < 0)
                memset(y, 0, line);
            else
                memcpy(y, data + (size_t) from * line, line);
        }
}

static void gather_backward(const ax_run *r)
{
    const gather_prep *p = r->prep;
    const ax_kernels *k = ax_kernels_get();
    const float *dy = r->dout[0].data;
    float *d = r->din[0].data;

    if (!ax_wants_grad(r, 0))
        return;
    if (!r->add[0])
        memset(d, 0, ax_tensor_bytes(AX_FLOAT, &r->din[0].shape));
    for (int64_t o = 0; o < p->outer; o++, d += p->length * p->inner)
        for (int64_t i = 0; i < p->count; i++, dy += p->inner) {
            int64_t to = slice(p, &r->in[1], i);

            if (to >= 0)
                k->add(p->inner, d + to * p->inner, dy, d + to * p->inner);
        }
}

static const ax_attr_spec gather_attrs[] = {{"axis", AX_ATTR_INT}, {NULL, 0}};

const ax_op ax_op_gather = {
    .type = "Gather",
    .since = 13,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_KEEP_IN1,
    .attr = gather_attrs,
    .setup = gather_setup,
    .forward = gather_forward,
    .backward = gather_backward,
};
