/*
 * window.c: see window.h. With k' = (k - 1) * dilation + 1, the window's extent:
 *
 *     out = floor((in + pads - k') / stride) + 1        (ceil with ceil_mode, but the last window starts inside
 *                                                        the input or its left pad)
 *     SAME_UPPER, SAME_LOWER: out = ceil(in / stride), the pads are what that needs, the odd one at the
 *     end (UPPER) or the beginning (LOWER).
 */
#include "graph/window.h"

#define MAX_EXTENT ((int64_t) 1 << 31) /* of kernels, strides, dilations and pads: products stay small */

/* One spatial axis. */
typedef struct axis {
    int64_t in, k, stride, dilation, begin, end, out;
} axis;

/* Entry i of a list attribute; otherwise when the attribute is absent. */
static ax_status list_entry(ax_setup *s, const char *name, int wanted, int i, int64_t least,
                            int64_t otherwise, int64_t *out)
{
    const ax_attr *a = ax_node_attr(s->node, name);

    *out = otherwise;
    if (a == NULL)
        return AX_OK;
    if (a->count != wanted)
        return ax_setup_fail(s, "%s has %d numbers, not %d", name, a->count, wanted);
    if (a->ints[i] < least || a->ints[i] >= MAX_EXTENT)
        return ax_setup_fail(s, "%s has %lld", name, (long long) a->ints[i]);
    *out = a->ints[i];
    return AX_OK;
}

static ax_status read_axis(ax_setup *s, int axes, int i, const int64_t *kernel, axis *x)
{
    AX_TRY(list_entry(s, "kernel_shape", axes, i, 1, kernel != NULL ? kernel[i] : 0, &x->k));
    if (kernel != NULL && x->k != kernel[i])
        return ax_setup_fail(s, "kernel_shape differs from the weight's");
    if (x->k < 1 || x->k >= MAX_EXTENT)
        return ax_setup_fail(s, "the kernel has no size");
    AX_TRY(list_entry(s, "strides", axes, i, 1, 1, &x->stride));
    AX_TRY(list_entry(s, "dilations", axes, i, 1, 1, &x->dilation));
    AX_TRY(list_entry(s, "pads", 2 * axes, i, 0, 0, &x->begin));
    return list_entry(s, "pads", 2 * axes, i + axes, 0, 0, &x->end);
}

static void same_pads(axis *x, int64_t extent, bool upper)
{
    int64_t total;

    x->out = (x->in + x->stride - 1) / x->stride;
    total = AX_MAX((x->out - 1) * x->stride + extent - x->in, 0);
    x->begin = upper ? total / 2 : total - total / 2;
    x->end = total - x->begin;
}

static ax_status explicit_pads(ax_setup *s, axis *x, int64_t extent, bool ceil_mode)
{
    int64_t room = x->in + x->begin + x->end - extent;

    if (room < 0)
        return ax_setup_fail(s, "a kernel of extent %lld does not fit an input of %lld",
                             (long long) extent, (long long) (x->in + x->begin + x->end));
    x->out = (room + (ceil_mode ? x->stride - 1 : 0)) / x->stride + 1;
    if (ceil_mode && (x->out - 1) * x->stride >= x->in + x->begin)
        x->out--;
    return AX_OK;
}

static ax_status finish_axis(ax_setup *s, axis *x)
{
    const char *pad = ax_node_string(s->node, "auto_pad", "NOTSET");
    bool ceil_mode = ax_node_int(s->node, "ceil_mode", 0) != 0;
    int64_t extent = (x->k - 1) * x->dilation + 1;

    if (strcmp(pad, "NOTSET") == 0)
        return explicit_pads(s, x, extent, ceil_mode);
    if (ax_node_attr(s->node, "pads") != NULL && (x->begin != 0 || x->end != 0))
        return ax_setup_fail(s, "pads and auto_pad exclude each other");
    if (strcmp(pad, "VALID") == 0)
        return explicit_pads(s, x, extent, ceil_mode);
    if (strcmp(pad, "SAME_UPPER") != 0 && strcmp(pad, "SAME_LOWER") != 0)
        return ax_setup_fail(s, "auto_pad is \"%s\"", pad);
    same_pads(x, extent, strcmp(pad, "SAME_UPPER") == 0);
    return AX_OK;
}

ax_status ax_window_setup(ax_setup *s, const ax_shape *in, const int64_t *kernel, ax_window *out)
{
    int axes = in->rank - 2;
    axis x[2] = {{.in = 1, .k = 1, .stride = 1, .dilation = 1, .out = 1}};
    axis *h = &x[0], *w = &x[1];

    if (axes < 1 || axes > 2)
        return ax_setup_unsupported(s, "%d spatial axes; 1 and 2 are supported", axes);
    for (int i = 0; i < axes; i++) {
        axis *a = &x[2 - axes + i];

        AX_TRY(read_axis(s, axes, i, kernel, a));
        a->in = in->dim[2 + i];
        AX_TRY(finish_axis(s, a));
    }
    *out = (ax_window){axes,      h->in,     w->in, h->out,      w->out,      h->k,     w->k,     h->stride,
                       w->stride, h->dilation, w->dilation, h->begin, w->begin, h->end, w->end};
    return AX_OK;
}

ax_shape ax_window_output(const ax_window *w, int64_t n, int64_t channels)
{
    if (w->axes == 1)
        return ax_shape_of(3, (const int64_t[]){n, channels, w->out_w});
    return ax_shape_of(4, (const int64_t[]){n, channels, w->out_h, w->out_w});
}
