/*
 * layer_regularize.c: layers that only do something while the model is trained.
 */
#include "nn/layer.h"

/* The operator drops when the plan trains; in the graph, as for ONNX, it is idle. */
static ax_status build_dropout(ax_builder *b, const ax_layer *l)
{
    const ax_activation *activation = b->activation;
    double rate = ax_layer_get(l, "rate")->number;
    int ratio;

    AX_TRY(ax_build_float(b));
    if (rate == 0)
        return AX_OK;
    AX_TRY(ax_build_scalar(b, "rate", (float) rate, &ratio));
    AX_TRY(ax_build_node(b, "Dropout", NULL, 1, &ratio, 0, NULL));
    b->activation = activation;
    return AX_OK;
}

static const ax_layer_key dropout_keys[] = {
    {.name = "rate",
     .kind = AX_KEY_NUMBER,
     .required = true,
     .range = {AX_FROM | AX_BELOW, 0, 1}},
    AX_KEY_NONE("noise_shape"),
    AX_KEY_SKIP("seed"), /* the option seed rules all random numbers */
    AX_KEY_END,
};

const ax_layer_kind ax_layers_regularize[] = {
    {"Dropout", NULL, dropout_keys, 0, 0, NULL, NULL, NULL, build_dropout},
    {.name = NULL},
};
