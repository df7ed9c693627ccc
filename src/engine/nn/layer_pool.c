/*
 * layer_pool.c: pools over steps and over images, by windows and over the whole plane.
 *
 * At the edge an average is over the elements that are there (ONNX's count_include_pad 0, as in Keras).
 */
#include "nn/layer.h"

static ax_status build_pool(ax_builder *b, const ax_layer *l)
{
    ax_attr attr[AX_WINDOW_ATTRS];
    ax_window w;
    int n;

    AX_TRY(ax_window_open(b, l, "pool_size", &w));
    n = ax_window_attrs(&w, false, attr);
    AX_TRY(ax_build_node(b, l->kind->op, NULL, 0, NULL, n, attr));
    return ax_window_close(b, &w, w.channels);
}

/* The whole plane becomes one number: planes of size 1 are kept or dropped. */
static ax_status build_global(ax_builder *b, const ax_layer *l)
{
    ax_attr axis = ax_attr_i("axis", 1);
    bool keep = ax_layer_boolean(l, "keepdims");
    ax_window w;

    AX_TRY(ax_window_planes(b, l, &w));
    AX_TRY(ax_build_node(b, l->kind->op, keep ? NULL : "planes", 0, NULL, 0, NULL));
    w.out[0] = w.out[1] = 1;
    if (keep)
        return ax_window_close(b, &w, w.channels);
    AX_TRY(ax_build_node(b, "Flatten", NULL, 0, NULL, 1, &axis));
    return ax_build_shape(b, 1, &w.channels, false);
}

/* No strides: as large as the window (0 stands for it). */
#define POOL_KEYS(n)                                                                               \
    AX_KEY_SIZES_OF("pool_size", n, 2), AX_KEY_SIZES_OF("strides", n, 0), AX_KEY_PADDING_ROW,      \
        AX_KEY_FORMAT_ROW, AX_KEY_END

static const ax_layer_key pool1d_keys[] = {POOL_KEYS(1)};
static const ax_layer_key pool2d_keys[] = {POOL_KEYS(2)};
static const ax_layer_key global_keys[] = {AX_KEY_FORMAT_ROW, AX_KEY_FLAG("keepdims", 0),
                                           AX_KEY_END};

#define LAYER(name, alias, keys, rank, op, build)                                                  \
    {name, alias, keys, AX_LAYER_PLANES, rank, op, NULL, NULL, build}

const ax_layer_kind ax_layers_pool[] = {
    LAYER("MaxPooling1D", "MaxPool1D", pool1d_keys, 2, "MaxPool", build_pool),
    LAYER("MaxPooling2D", "MaxPool2D", pool2d_keys, 3, "MaxPool", build_pool),
    LAYER("AveragePooling1D", "AvgPool1D", pool1d_keys, 2, "AveragePool", build_pool),
    LAYER("AveragePooling2D", "AvgPool2D", pool2d_keys, 3, "AveragePool", build_pool),
    LAYER("GlobalAveragePooling1D", "GlobalAvgPool1D", global_keys, 2, "GlobalAveragePool",
          build_global),
    LAYER("GlobalAveragePooling2D", "GlobalAvgPool2D", global_keys, 3, "GlobalAveragePool",
          build_global),
    LAYER("GlobalMaxPooling1D", "GlobalMaxPool1D", global_keys, 2, "GlobalMaxPool", build_global),
    LAYER("GlobalMaxPooling2D", "GlobalMaxPool2D", global_keys, 3, "GlobalMaxPool", build_global),
    {.name = NULL},
};
