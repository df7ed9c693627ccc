/*
 * op_cast.c: Cast between float, double, bool, uint8, int8, int32 and int64.
 *
 * Numbers become integers by truncation towards zero; what lies outside of the range becomes the
 * nearest end of it, and NaN becomes 0 (the standard leaves both open, and C calls them undefined).
 * Integers become narrower integers by their low bits. Everything that is not 0 is true. Between
 * float and float the bytes are the same, and that is the only cast with a gradient.
 */
#include "graph/op_common.h"
#include "graph/op_list.h"

static ax_status cast_setup(ax_setup *s)
{
    const ax_attr *to = ax_node_attr(s->node, "to");

    AX_TRY(ax_setup_any(s, 0));
    if (!to)
        return ax_setup_fail(s, "attribute to is missing");
    if (to->i < 0 || to->i > 255 || !ax_dtype_size((ax_dtype) to->i))
        return ax_setup_unsupported(s, "type %lld is not supported", (long long) to->i);
    s->out[0].type = (ax_dtype) to->i;
    s->out[0].shape = s->in[0].shape;
    if (s->out[0].type == s->in[0].type)
        s->alias = 0;
    return AX_OK;
}

static bool is_real(ax_dtype type)
{
    return type == AX_FLOAT || type == AX_DOUBLE;
}

static double real_at(const ax_tensor *t, int64_t i)
{
    return t->type == AX_FLOAT ? ((const float *) t->data)[i] : ((const double *) t->data)[i];
}

static int64_t integer_at(const ax_tensor *t, int64_t i)
{
    switch (t->type) {
    case AX_INT64:
        return ((const int64_t *) t->data)[i];
    case AX_INT32:
        return ((const int32_t *) t->data)[i];
    case AX_INT8:
        return ((const int8_t *) t->data)[i];
    case AX_BOOL:
        return ((const uint8_t *) t->data)[i] != 0;
    default:
        return ((const uint8_t *) t->data)[i];
    }
}

static int64_t truncated(double v, int64_t low, int64_t high)
{
    if (v != v)
        return 0;
    if (v <= (double) low)
        return low;
    return v >= (double) high ? high : (int64_t) v;
}

static void put_real(ax_tensor *t, int64_t i, double v)
{
    switch (t->type) {
    case AX_FLOAT:
        ((float *) t->data)[i] = (float) v;
        break;
    case AX_DOUBLE:
        ((double *) t->data)[i] = v;
        break;
    case AX_INT64:
        ((int64_t *) t->data)[i] = truncated(v, INT64_MIN, INT64_MAX);
        break;
    case AX_INT32:
        ((int32_t *) t->data)[i] = (int32_t) truncated(v, INT32_MIN, INT32_MAX);
        break;
    case AX_INT8:
        ((int8_t *) t->data)[i] = (int8_t) truncated(v, INT8_MIN, INT8_MAX);
        break;
    case AX_UINT8:
        ((uint8_t *) t->data)[i] = (uint8_t) truncated(v, 0, UINT8_MAX);
        break;
    case AX_BOOL:
        ((uint8_t *) t->data)[i] = v != 0;
        break;
    }
}

static void put_integer(ax_tensor *t, int64_t i, int64_t v)
{
    switch (t->type) {
    case AX_FLOAT:
        ((float *) t->data)[i] = (float) v;
        break;
    case AX_DOUBLE:
        ((double *) t->data)[i] = (double) v;
        break;
    case AX_INT64:
        ((int64_t *) t->data)[i] = v;
        break;
    case AX_INT32:
        ((int32_t *) t->data)[i] = (int32_t) v;
        break;
    case AX_INT8:
        ((int8_t *) t->data)[i] = (int8_t) v;
        break;
    case AX_UINT8:
        ((uint8_t *) t->data)[i] = (uint8_t) v;
        break;
    case AX_BOOL:
        ((uint8_t *) t->data)[i] = v != 0;
        break;
    }
}

static void flags_to_float(int64_t n, const uint8_t *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] != 0 ? 1.0f : 0.0f;
}

static void cast_forward(const ax_run *r)
{
    const ax_tensor *x = &r->in[0];
    ax_tensor *y = &r->out[0];
    int64_t n = ax_shape_elements(&x->shape);

    if (x->type == y->type)
        ax_copy_forward(r);
    else if (x->type == AX_UINT8 && y->type == AX_FLOAT)
        ax_kernels_get()->u8_to_float(n, x->data, y->data);
    else if (x->type == AX_BOOL && y->type == AX_FLOAT)
        flags_to_float(n, x->data, y->data);
    else if (is_real(x->type))
        for (int64_t i = 0; i < n; i++)
            put_real(y, i, real_at(x, i));
    else
        for (int64_t i = 0; i < n; i++)
            put_integer(y, i, integer_at(x, i));
}

static const ax_attr_spec cast_attrs[] = {{"to", AX_ATTR_INT}, {NULL, 0}};

const ax_op ax_op_cast = {
    .type = "Cast",
    .since = 13,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .attr = cast_attrs,
    .setup = cast_setup,
    .forward = cast_forward,
    .backward = ax_copy_backward,
};
