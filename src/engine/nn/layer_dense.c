/*
 * layer_dense.c: Dense. activation(x kernel + bias) along the last axis.
 *
 * The kernel is (inputs, units) as in Keras. A row that is one list of numbers is a Gemm; along the last of
 * several axes it is MatMul and Add.
 */
#include "nn/layer.h"

static ax_status build_dense(ax_builder *b, const ax_layer *l)
{
    int64_t units = ax_layer_integer(l, "units");
    bool flat, bias = ax_layer_boolean(l, "use_bias");
    int64_t dim[AX_MAX_RANK], kernel[2];
    int more[2];

    AX_TRY(ax_build_float(b));
    AX_TRY(ax_build_plain(b));
    flat = b->rank == 1;
    memcpy(dim, b->dim, sizeof(dim));
    kernel[0] = dim[b->rank - 1];
    kernel[1] = dim[b->rank - 1] = units;
    AX_TRY(ax_build_weight(b, "kernel", 2, kernel,
                           &ax_layer_get(l, "kernel_initializer")->initializer, (double) kernel[0],
                           (double) units, &more[0]));
    if (bias)
        AX_TRY(ax_build_weight(b, "bias", 1, &units,
                               &ax_layer_get(l, "bias_initializer")->initializer, (double) units,
                               (double) units, &more[1]));
    AX_TRY(ax_build_shape(b, b->rank, dim, false));
    if (flat) {
        AX_TRY(ax_build_node(b, "Gemm", NULL, bias ? 2 : 1, more, 0, NULL));
    } else {
        AX_TRY(ax_build_node(b, "MatMul", bias ? "matmul" : NULL, 1, more, 0, NULL));
        if (bias)
            AX_TRY(ax_build_node(b, "Add", NULL, 1, &more[1], 0, NULL));
    }
    return ax_build_activation(b, ax_layer_activation(l));
}

static const ax_layer_key dense_keys[] = {
    AX_KEY_COUNT_OF("units"),
    AX_KEY_ACTIVATION_ROW,
    AX_KEYS_OF_KERNEL("kernel"),
    AX_KEYS_OF_BIAS,
    AX_KEY_NONE("lora_rank"),
    AX_KEY_SKIP("lora_alpha"),
    AX_KEY_END,
};

const ax_layer_kind ax_layers_dense[] = {
    {"Dense", NULL, dense_keys, AX_LAYER_PLAIN, 0, NULL, NULL, NULL, build_dense},
    {.name = NULL},
};
