/*
 * op_shape.c: the same bytes under another shape: Identity, Flatten, Reshape, Squeeze, Unsqueeze.
 *
 * All of them are aliases (op.h): a plan gives the output the input's memory and skips the node,
 * forward and backward. The copies are for whoever cannot.
 */
#include "graph/op_common.h"
#include "graph/op_list.h"

static ax_status same_bytes(ax_setup *s)
{
    s->out[0].type = s->in[0].type;
    s->alias = 0;
    return AX_OK;
}

static ax_status identity_setup(ax_setup *s)
{
    AX_TRY(ax_setup_any(s, 0));
    s->out[0].shape = s->in[0].shape;
    return same_bytes(s);
}

/* (d0, ..., dn) -> (d0 * ... before axis, axis * ... dn); axis may be the rank itself. */
static ax_status flatten_setup(ax_setup *s)
{
    const ax_shape *in = &s->in[0].shape;
    int64_t axis = ax_node_int(s->node, "axis", 1);

    AX_TRY(ax_setup_any(s, 0));
    if (axis < -in->rank || axis > in->rank)
        return ax_setup_fail(s, "axis %lld is out of range for %d dimensions", (long long) axis,
                             in->rank);
    if (axis < 0)
        axis += in->rank;
    s->out[0].shape.rank = 2;
    s->out[0].shape.dim[0] = ax_shape_span(in, 0, (int) axis);
    s->out[0].shape.dim[1] = ax_shape_span(in, (int) axis, in->rank);
    return same_bytes(s);
}

/* ---- Reshape --------------------------------------------------------------------------------- */

/* Product of the dimensions except `skip` and, with no_zeros, except zeros; false on overflow. */
static bool product(const ax_shape *shape, int skip, bool no_zeros, int64_t *out)
{
    int64_t n = 1;

    for (int k = 0; k < shape->rank; k++) {
        if (k == skip || (no_zeros && shape->dim[k] == 0))
            continue;
        if (__builtin_mul_overflow(n, shape->dim[k], &n))
            return false;
    }
    *out = n;
    return true;
}

/*
 * The one dimension given as -1. Where another dimension is 0 (an empty batch), any number would
 * give an empty result; then the zeros of both sides are taken away first, so that (0, 3, 4) as (0,
 * -1) is (0, 12), like any other batch.
 */
static ax_status infer_dimension(ax_setup *s, int missing)
{
    ax_shape *out = &s->out[0].shape;
    bool zeros = false;
    int64_t known, total;

    for (int k = 0; k < out->rank; k++)
        zeros |= out->dim[k] == 0;
    if (!product(out, missing, zeros, &known) || !product(&s->in[0].shape, -1, zeros, &total))
        return ax_setup_fail(s, "the new shape is too large");
    if (total % known != 0)
        return ax_setup_fail(s, "%lld elements do not divide into lines of %lld", (long long) total,
                             (long long) known);
    out->dim[missing] = total / known;
    return AX_OK;
}

static ax_status reshape_dims(ax_setup *s, const int64_t *v, int count, int *missing)
{
    bool allow_zero = ax_node_int(s->node, "allowzero", 0) != 0, zero = false;
    const ax_shape *in = &s->in[0].shape;
    ax_shape *out = &s->out[0].shape;

    out->rank = count;
    *missing = -1;
    for (int k = 0; k < count; k++) {
        if (v[k] < -1)
            return ax_setup_fail(s, "the new shape has a dimension of %lld", (long long) v[k]);
        if (v[k] == -1 && *missing >= 0)
            return ax_setup_fail(s, "the new shape has -1 twice");
        if (v[k] == 0 && !allow_zero && k >= in->rank)
            return ax_setup_fail(s, "the new shape copies dimension %d of %d", k, in->rank);
        if (v[k] == -1)
            *missing = k;
        zero |= v[k] == 0;
        out->dim[k] = v[k] == 0 && !allow_zero ? in->dim[k] : v[k];
    }
    if (allow_zero && zero && *missing >= 0)
        return ax_setup_fail(s, "the new shape has both 0 and -1 with allowzero");
    return AX_OK;
}

static ax_status reshape_setup(ax_setup *s)
{
    int64_t v[AX_MAX_RANK];
    int count, missing;
    char text[2][128];

    AX_TRY(ax_setup_any(s, 0));
    AX_TRY(ax_setup_ints(s, 1, "shape", AX_MAX_RANK, v, &count));
    AX_TRY(reshape_dims(s, v, count, &missing));
    if (missing >= 0)
        AX_TRY(infer_dimension(s, missing));
    if (!ax_shape_sane(&s->out[0].shape))
        return ax_setup_fail(s, "the new shape is too large");
    if (ax_shape_elements(&s->out[0].shape) != ax_shape_elements(&s->in[0].shape))
        return ax_setup_fail(s, "shape %s does not hold the elements of %s",
                             ax_shape_text(&s->out[0].shape, text[0], sizeof text[0]),
                             ax_shape_text(&s->in[0].shape, text[1], sizeof text[1]));
    return same_bytes(s);
}

/* ---- Squeeze, Unsqueeze ---------------------------------------------------------------------- */

/* Takes away the named axes, which have size 1; without names, every axis of size 1. */
static ax_status squeeze_setup(ax_setup *s)
{
    const ax_shape *in = &s->in[0].shape;
    ax_shape *out = &s->out[0].shape;
    int64_t axes[AX_MAX_RANK];
    bool drop[AX_MAX_RANK];
    int count = 0;

    AX_TRY(ax_setup_any(s, 0));
    if (!ax_setup_absent(s, 1))
        AX_TRY(ax_setup_ints(s, 1, "axes", AX_MAX_RANK, axes, &count));
    AX_TRY(ax_setup_axes(s, axes, count, in->rank, drop));
    for (int k = 0; k < in->rank; k++) {
        if (drop[k] && in->dim[k] != 1)
            return ax_setup_fail(s, "axis %d has size %lld, not 1", k, (long long) in->dim[k]);
        if (ax_setup_absent(s, 1))
            drop[k] = in->dim[k] == 1;
        if (!drop[k])
            out->dim[out->rank++] = in->dim[k];
    }
    return same_bytes(s);
}

/* Puts an axis of size 1 at each of the named places of the result. */
static ax_status unsqueeze_setup(ax_setup *s)
{
    const ax_shape *in = &s->in[0].shape;
    ax_shape *out = &s->out[0].shape;
    int64_t axes[AX_MAX_RANK];
    bool fresh[AX_MAX_RANK];
    int count, from = 0;

    AX_TRY(ax_setup_any(s, 0));
    AX_TRY(ax_setup_ints(s, 1, "axes", AX_MAX_RANK, axes, &count));
    if (in->rank + count > AX_MAX_RANK)
        return ax_setup_unsupported(s, "the result has %d dimensions; at most %d are possible",
                                    in->rank + count, AX_MAX_RANK);
    out->rank = in->rank + count;
    AX_TRY(ax_setup_axes(s, axes, count, out->rank, fresh));
    for (int k = 0; k < out->rank; k++)
        out->dim[k] = fresh[k] ? 1 : in->dim[from++];
    return same_bytes(s);
}

/* ---- the operators --------------------------------------------------------------------------- */

static const ax_attr_spec flatten_attrs[] = {{"axis", AX_ATTR_INT}, {NULL, 0}};
static const ax_attr_spec reshape_attrs[] = {{"allowzero", AX_ATTR_INT}, {NULL, 0}};
static const ax_attr_spec no_attrs[] = {{NULL, 0}};

#define SAME_BYTES(name, onnx, opset, fewest_in, most_in, attrs)                                   \
    const ax_op ax_op_##name = {                                                                   \
        .type = onnx,                                                                              \
        .since = opset,                                                                            \
        .min_in = fewest_in,                                                                       \
        .max_in = most_in,                                                                         \
        .min_out = 1,                                                                              \
        .max_out = 1,                                                                              \
        .attr = attrs,                                                                             \
        .setup = name##_setup,                                                                     \
        .forward = ax_copy_forward,                                                                \
        .backward = ax_copy_backward,                                                              \
    }

SAME_BYTES(flatten, "Flatten", 13, 1, 1, flatten_attrs);
SAME_BYTES(identity, "Identity", 16, 1, 1, no_attrs);
SAME_BYTES(reshape, "Reshape", 14, 2, 2, reshape_attrs);
SAME_BYTES(squeeze, "Squeeze", 13, 1, 2, no_attrs);
SAME_BYTES(unsqueeze, "Unsqueeze", 13, 2, 2, no_attrs);
