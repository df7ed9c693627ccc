/*
 * layer_conv.c: convolutions over steps and over images.
 *
 * A kernel is (filters, channels / groups, window ...) in the graph, as ONNX wants it; the fans are those of
 * Keras's kernel (window ..., channels / groups, filters): the window's size times either of the last
 * two. A depthwise kernel is Keras's (window ..., channels, depth_multiplier), a convolution of
 * `channels` groups here. A separable one is a depthwise one and then a convolution with a window of 1.
 */
#include "nn/layer.h"

static double window_size(const ax_window *w)
{
    double size = 1;

    for (int i = 0; i < w->n; i++)
        size *= (double) w->kernel[i];
    return size;
}

/* A kernel of `filters` over in_each channels, and its Conv node. bias: a value, or -1. */
static ax_status add_conv(ax_builder *b, const ax_window *w, const char *kernel, int64_t filters,
                          int64_t in_each, double fan_in, double fan_out, int bias,
                          const char *suffix)
{
    char initializer[64];
    int64_t dim[4] = {filters, in_each, w->kernel[0], w->kernel[1]};
    ax_attr attr[AX_WINDOW_ATTRS + 1];
    int n = ax_window_attrs(w, true, attr), more[2] = {-1, bias};
    size_t stem = strcspn(kernel, "_"); /* "kernel", "depthwise_kernel": "kernel_initializer", ... */

    memcpy(initializer, kernel, stem);
    memcpy(initializer + stem, "_initializer", sizeof("_initializer"));
    attr[n++] = ax_attr_i("group", w->channels / in_each);
    AX_TRY(ax_build_weight(b, kernel, w->n + 2, dim,
                           &ax_layer_get(b->layer, initializer)->initializer, fan_in, fan_out,
                           &more[0]));
    AX_TRY(ax_build_node(b, "Conv", suffix, bias < 0 ? 1 : 2, more, n, attr));
    return AX_OK;
}

/* *out is -1 when the layer has no bias. */
static ax_status add_bias(ax_builder *b, const ax_layer *l, int64_t n, int *out)
{
    *out = -1;
    if (!ax_layer_boolean(l, "use_bias"))
        return AX_OK;
    return ax_build_weight(b, "bias", 1, &n, &ax_layer_get(l, "bias_initializer")->initializer,
                           (double) n, (double) n, out);
}

/* filters, checked before a weight is made */
static ax_status open_conv(ax_builder *b, const ax_layer *l, ax_window *w, int64_t filters)
{
    AX_TRY(ax_window_open(b, l, "kernel_size", w));
    return ax_window_close(b, w, filters);
}

static ax_status build_conv(ax_builder *b, const ax_layer *l)
{
    int64_t filters = ax_layer_integer(l, "filters"), groups = ax_layer_integer(l, "groups");
    ax_window w;
    double size;
    int bias;

    AX_TRY(open_conv(b, l, &w, filters));
    if (w.channels % groups != 0)
        return ax_build_fail(b, AX_ERR_INVALID,
                             "its %lld input channels cannot be cut into %lld groups",
                             (long long) w.channels, (long long) groups);
    size = window_size(&w);
    AX_TRY(add_bias(b, l, filters, &bias));
    AX_TRY(add_conv(b, &w, "kernel", filters, w.channels / groups,
                    size * (double) (w.channels / groups), size * (double) filters, bias, NULL));
    return ax_build_activation(b, ax_layer_activation(l));
}

static ax_status check_conv(const ax_layer *l, ax_error *err)
{
    int64_t filters = ax_layer_integer(l, "filters"), groups = ax_layer_integer(l, "groups");

    if (filters % groups != 0)
        return ax_layer_fail(l, err, AX_ERR_INVALID, "%lld filters cannot be cut into %lld groups",
                             (long long) filters, (long long) groups);
    return AX_OK;
}

static ax_status build_depthwise(ax_builder *b, const ax_layer *l)
{
    int64_t times = ax_layer_integer(l, "depth_multiplier"), filters;
    ax_window w;
    double size;
    int bias;

    AX_TRY(ax_window_open(b, l, "kernel_size", &w));
    filters = w.channels * times;
    AX_TRY(ax_window_close(b, &w, filters));
    size = window_size(&w);
    AX_TRY(add_bias(b, l, filters, &bias));
    AX_TRY(add_conv(b, &w, "depthwise_kernel", filters, 1, size * (double) w.channels,
                    size * (double) times, bias, NULL));
    return ax_build_activation(b, ax_layer_activation(l));
}

static ax_status build_separable(ax_builder *b, const ax_layer *l)
{
    int64_t times = ax_layer_integer(l, "depth_multiplier");
    int64_t filters = ax_layer_integer(l, "filters");
    ax_window w, point;
    double size;
    int bias;

    AX_TRY(ax_window_open(b, l, "kernel_size", &w));
    AX_TRY(ax_window_close(b, &w, w.channels * times));
    size = window_size(&w);
    AX_TRY(add_conv(b, &w, "depthwise_kernel", w.channels * times, 1, size * (double) w.channels,
                    size * (double) times, -1, "depthwise"));
    point = (ax_window){.n = w.n,
                        .last = w.last,
                        .channels = w.channels * times,
                        .kernel = {1, 1},
                        .stride = {1, 1},
                        .dilation = {1, 1}};
    memcpy(point.out, w.out, sizeof(w.out));
    AX_TRY(ax_window_close(b, &point, filters));
    AX_TRY(add_bias(b, l, filters, &bias));
    AX_TRY(add_conv(b, &point, "pointwise_kernel", filters, point.channels,
                    (double) point.channels, (double) filters, bias, NULL));
    return ax_build_activation(b, ax_layer_activation(l));
}

/* What all of them have. */
#define WINDOW_KEYS(n)                                                                             \
    {.name = "kernel_size",                                                                        \
     .kind = AX_KEY_SIZES,                                                                         \
     .required = true,                                                                             \
     .count = n,                                                                                   \
     .range = {AX_FROM, 1, 0}},                                                                    \
        AX_KEY_SIZES_OF("strides", n, 1), AX_KEY_SIZES_OF("dilation_rate", n, 1),                  \
        AX_KEY_FORMAT_ROW, AX_KEY_ACTIVATION_ROW, AX_KEYS_OF_BIAS, AX_KEY_SKIP("rank")
#define GROUPS_KEY(most)                                                                           \
    {.name = "groups", .kind = AX_KEY_INTEGER, .range = {AX_FROM | AX_TO, 1, most}, .number = 1}
#define DEPTH_KEY                                                                                  \
    {.name = "depth_multiplier", .kind = AX_KEY_INTEGER, .range = {AX_FROM, 1, 0}, .number = 1}
/* Keras 2 prints these for layers that do not use them. */
#define LEFTOVER_KEYS                                                                              \
    AX_KEY_SKIP("kernel_initializer"), AX_KEY_SKIP("kernel_regularizer"),                          \
        AX_KEY_SKIP("kernel_constraint"), GROUPS_KEY(1)

static const ax_layer_key conv1d_keys[] = {
    AX_KEY_COUNT_OF("filters"),
    WINDOW_KEYS(1),
    {.name = "padding", .kind = AX_KEY_CHOICE, .text = "valid|same|causal"},
    GROUPS_KEY((double) AX_MAX_UNITS),
    AX_KEYS_OF_KERNEL("kernel"),
    AX_KEY_END,
};
static const ax_layer_key conv2d_keys[] = {
    AX_KEY_COUNT_OF("filters"),
    WINDOW_KEYS(2),
    AX_KEY_PADDING_ROW,
    GROUPS_KEY((double) AX_MAX_UNITS),
    AX_KEYS_OF_KERNEL("kernel"),
    AX_KEY_END,
};
static const ax_layer_key depthwise_keys[] = {
    WINDOW_KEYS(2), AX_KEY_PADDING_ROW, DEPTH_KEY, AX_KEYS_OF_KERNEL("depthwise"), LEFTOVER_KEYS,
    AX_KEY_END,
};
static const ax_layer_key separable_keys[] = {
    AX_KEY_COUNT_OF("filters"),
    WINDOW_KEYS(2),
    AX_KEY_PADDING_ROW,
    DEPTH_KEY,
    AX_KEYS_OF_KERNEL("depthwise"),
    AX_KEYS_OF_KERNEL("pointwise"),
    LEFTOVER_KEYS,
    AX_KEY_END,
};

const ax_layer_kind ax_layers_conv[] = {
    {"Conv1D", "Convolution1D", conv1d_keys, AX_LAYER_PLANES, 2, NULL, NULL, check_conv,
     build_conv},
    {"Conv2D", "Convolution2D", conv2d_keys, AX_LAYER_PLANES, 3, NULL, NULL, check_conv,
     build_conv},
    {"DepthwiseConv2D", NULL, depthwise_keys, AX_LAYER_PLANES, 3, NULL, NULL, NULL,
     build_depthwise},
    {"SeparableConv2D", "SeparableConvolution2D", separable_keys, AX_LAYER_PLANES, 3, NULL, NULL,
     NULL, build_separable},
    {.name = NULL},
};
