/*
 * layer_window.c: a window that walks over planes: what convolutions and pools have in common.
 *
 * With k the window's extent, (kernel - 1) dilation + 1:
 *
 *     valid   out = floor((in - k) / stride) + 1, no padding
 *     same    out = ceil(in / stride), padding (out - 1) stride + k - in, the odd one at the end
 *     causal  out = ceil(in / stride), padding k - 1, all of it in front
 *
 * Shapes are fixed when a network is built, so the padding is written into the graph as numbers.
 */
#include "nn/layer.h"

#include <stdio.h>

static ax_status wrong_rank(ax_builder *b, const ax_layer *l)
{
    static const char *const axes[2][2] = {{"channels, steps", "channels, height, width"},
                                           {"steps, channels", "height, width, channels"}};
    char shape[128];
    bool last = ax_build_channels_last(b, l);

    ax_build_fail(b, AX_ERR_INVALID, "needs an input of %d dimensions (%s), not %s", l->kind->rank,
                  axes[last][l->kind->rank - 2], ax_build_shape_text(b, shape, sizeof(shape)));
    ax_hint(b->err, "%s",
            b->rank == 1 ? "Set the option \"input_shape\", or add a Reshape layer before it."
                         : "Add a Reshape layer before it.");
    return AX_ERR_INVALID;
}

/* A size key's values; 1 where the layer has no such key. */
static void read_sizes(const ax_layer *l, const char *key, int n, int64_t *out)
{
    const ax_layer_value *v = ax_layer_get(l, key);

    for (int i = 0; i < n; i++)
        out[i] = v == NULL ? 1 : v->integer[i];
}

/* "3x3" */
static const char *size_text(const ax_window *w, char *buf, size_t size)
{
    if (w->n == 1)
        snprintf(buf, size, "%lld", (long long) w->kernel[0]);
    else
        snprintf(buf, size, "%lldx%lld", (long long) w->kernel[0], (long long) w->kernel[1]);
    return buf;
}

/* Output size and padding along one dimension; false when the window does not fit. */
static bool place(ax_window *w, int i, const char *padding)
{
    int64_t extent = (w->kernel[i] - 1) * w->dilation[i] + 1, in = w->in[i], total;

    if (strcmp(padding, "valid") == 0) {
        w->out[i] = (in - extent) / w->stride[i] + 1;
        return in >= extent;
    }
    w->out[i] = (in - 1) / w->stride[i] + 1;
    total = AX_MAX((w->out[i] - 1) * w->stride[i] + extent - in, 0);
    w->pad[i] = strcmp(padding, "causal") == 0 ? extent - 1 : total / 2;
    w->pad[w->n + i] = strcmp(padding, "causal") == 0 ? 0 : total - total / 2;
    return true;
}

ax_status ax_window_planes(ax_builder *b, const ax_layer *l, ax_window *w)
{
    *w = (ax_window){.n = l->kind->rank - 1, .last = ax_build_channels_last(b, l)};
    if (b->rank != l->kind->rank)
        return wrong_rank(b, l);
    AX_TRY(ax_build_float(b));
    AX_TRY(ax_build_planes(b, w->last));
    w->channels = b->dim[w->last ? w->n : 0];
    memcpy(w->in, b->dim + (w->last ? 0 : 1), (size_t) w->n * sizeof(int64_t));
    return AX_OK;
}

ax_status ax_window_open(ax_builder *b, const ax_layer *l, const char *kernel_key, ax_window *w)
{
    const ax_layer_value *strides = ax_layer_get(l, "strides");
    const char *padding = ax_layer_get(l, "padding")->text;
    char size[64], shape[128];

    AX_TRY(ax_window_planes(b, l, w));
    read_sizes(l, kernel_key, w->n, w->kernel);
    read_sizes(l, "dilation_rate", w->n, w->dilation);
    /* a pool steps by its own size unless told otherwise: its strides have 0 as default */
    read_sizes(l, strides->integer[0] == 0 ? kernel_key : "strides", w->n, w->stride);
    for (int i = 0; i < w->n; i++) {
        if ((w->kernel[i] - 1) * w->dilation[i] >= AX_MAX_UNITS)
            return ax_build_fail(b, AX_ERR_LIMIT, "its window is larger than %lld",
                                 (long long) AX_MAX_UNITS);
        if (!place(w, i, padding))
            return ax_build_fail(b, AX_ERR_INVALID, "%s %s does not fit its input %s",
                                 strcmp(kernel_key, "pool_size") == 0 ? "pool" : "kernel",
                                 size_text(w, size, sizeof(size)),
                                 ax_build_shape_text(b, shape, sizeof(shape)));
    }
    return AX_OK;
}

int ax_window_attrs(const ax_window *w, bool dilations, ax_attr attr[AX_WINDOW_ATTRS])
{
    attr[0] = ax_attr_is("kernel_shape", w->n, w->kernel);
    attr[1] = ax_attr_is("strides", w->n, w->stride);
    attr[2] = ax_attr_is("pads", 2 * w->n, w->pad);
    if (!dilations)
        return 3;
    attr[3] = ax_attr_is("dilations", w->n, w->dilation);
    return 4;
}

ax_status ax_window_close(ax_builder *b, const ax_window *w, int64_t channels)
{
    int64_t dim[3];

    dim[w->last ? w->n : 0] = channels;
    memcpy(dim + (w->last ? 0 : 1), w->out, (size_t) w->n * sizeof(int64_t));
    return ax_build_shape(b, w->n + 1, dim, w->last);
}
