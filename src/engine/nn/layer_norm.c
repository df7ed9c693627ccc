/*
 * layer_norm.c: normalization by the statistics of a batch, or of a row.
 *
 * BatchNormalization goes over the channels: the axis -1 of a channels_last value, the axis 1 of a
 * channels_first one. When "axis" is not given it is the axis of the network's data_format (Keras says
 * -1 always, which for channels_first would be the width); a given one is taken at its word.
 * ONNX's operator has the channels at axis 1, so other axes are not to be had.
 */
#include "nn/layer.h"

/* ---- BatchNormalization ---------------------------------------------------------------------- */

/* gamma or beta when the layer has it (key `flag`), else the constant that does nothing. */
static ax_status affine(ax_builder *b, const ax_layer *l, const char *flag, const char *name,
                        const char *initializer, float neutral, int rank, const int64_t *dim,
                        int *out)
{
    int64_t n = 1;

    if (ax_layer_boolean(l, flag))
        return ax_build_weight(b, name, rank, dim, &ax_layer_get(l, initializer)->initializer, 1, 1,
                               out);
    for (int i = 0; i < rank; i++)
        n *= dim[i];
    return rank == 1 ? ax_build_filled(b, name, n, neutral, out)
                     : ax_build_fail(b, AX_ERR_UNSUPPORTED,
                                     "\"%s\" can only be false with a single axis", flag);
}

/* Which axis holds the channels; the value is laid out so that it is the graph's axis 1. */
static ax_status to_channels(ax_builder *b, const ax_layer *l, int *channels)
{
    const ax_layer_value *v = ax_layer_get(l, "axis");
    int axis = b->channels_last ? b->rank - 1 : 0;

    if (v->count != 1)
        return ax_build_fail(b, AX_ERR_UNSUPPORTED, "an \"axis\" of more than one is not supported");
    if (v->given)
        AX_TRY(ax_build_axis(b, "axis", v->integer[0], &axis));
    if (axis != 0 && axis != b->rank - 1)
        return ax_build_fail(b, AX_ERR_UNSUPPORTED, "\"axis\" must be the first or the last one");
    *channels = axis;
    return ax_build_planes(b, axis > 0);
}

static ax_status check_batch_norm(const ax_layer *l, ax_error *err)
{
    if (!ax_layer_boolean(l, "trainable"))
        return ax_layer_fail(l, err, AX_ERR_UNSUPPORTED, "\"trainable\" false is not supported");
    return AX_OK;
}

static ax_status build_batch_norm(ax_builder *b, const ax_layer *l)
{
    ax_attr attr[] = {ax_attr_f("epsilon", (float) ax_layer_get(l, "epsilon")->number),
                      ax_attr_f("momentum", (float) ax_layer_get(l, "momentum")->number)};
    int more[4], axis = 0;
    int64_t n;

    AX_TRY(ax_build_float(b));
    AX_TRY(to_channels(b, l, &axis));
    n = b->dim[axis];
    AX_TRY(affine(b, l, "scale", "gamma", "gamma_initializer", 1, 1, &n, &more[0]));
    AX_TRY(affine(b, l, "center", "beta", "beta_initializer", 0, 1, &n, &more[1]));
    AX_TRY(ax_build_statistic(b, "moving_mean", n,
                              &ax_layer_get(l, "moving_mean_initializer")->initializer, &more[2]));
    AX_TRY(ax_build_statistic(b, "moving_variance", n,
                              &ax_layer_get(l, "moving_variance_initializer")->initializer,
                              &more[3]));
    return ax_build_node(b, "BatchNormalization", NULL, 4, more, 2, attr);
}

/* ---- LayerNormalization ---------------------------------------------------------------------- */

/* The axes must be the last ones; returns the first of them. */
static ax_status first_axis(ax_builder *b, const ax_layer *l, int *first)
{
    const ax_layer_value *v = ax_layer_get(l, "axis");
    unsigned seen = 0;
    int axis;

    for (int i = 0; i < v->count; i++) {
        AX_TRY(ax_build_axis(b, "axis", v->integer[i], &axis));
        seen |= 1u << axis;
    }
    *first = b->rank - v->count;
    if (*first < 0 || seen != (1u << b->rank) - (1u << *first))
        return ax_build_fail(b, AX_ERR_UNSUPPORTED, "\"axis\" must name the last axes");
    return AX_OK;
}

static ax_status build_layer_norm(ax_builder *b, const ax_layer *l)
{
    ax_attr attr[2] = {ax_attr_f("epsilon", (float) ax_layer_get(l, "epsilon")->number)};
    bool center = ax_layer_boolean(l, "center");
    const int64_t *dim;
    int more[2], first, n;

    AX_TRY(ax_build_float(b));
    AX_TRY(ax_build_plain(b));
    AX_TRY(first_axis(b, l, &first));
    n = b->rank - first;
    dim = b->dim + first;
    attr[1] = ax_attr_i("axis", -n);
    AX_TRY(affine(b, l, "scale", "gamma", "gamma_initializer", 1, n, dim, &more[0]));
    if (center)
        AX_TRY(affine(b, l, "center", "beta", "beta_initializer", 0, n, dim, &more[1]));
    return ax_build_node(b, "LayerNormalization", NULL, center ? 2 : 1, more, 2, attr);
}

/* ---- rows ------------------------------------------------------------------------------------ */

#define NORM_KEYS                                                                                  \
    {.name = "axis", .kind = AX_KEY_INTEGERS, .number = -1},                                       \
        {.name = "epsilon", .kind = AX_KEY_NUMBER, .range = {AX_FROM, 0, 0}, .number = 1e-3},      \
        AX_KEY_FLAG("center", 1), AX_KEY_FLAG("scale", 1),                                         \
        AX_KEY_START("beta_initializer", "zeros"), AX_KEY_START("gamma_initializer", "ones"),      \
        AX_KEY_NONE("beta_regularizer"), AX_KEY_NONE("gamma_regularizer"),                         \
        AX_KEY_NONE("beta_constraint"), AX_KEY_NONE("gamma_constraint")

static const ax_layer_key batch_norm_keys[] = {
    NORM_KEYS,
    {.name = "momentum", .kind = AX_KEY_NUMBER, .range = {AX_FROM | AX_TO, 0, 1}, .number = 0.99},
    AX_KEY_START("moving_mean_initializer", "zeros"),
    AX_KEY_START("moving_variance_initializer", "ones"),
    AX_KEY_NONE("synchronized"),
    AX_KEY_NONE("renorm"),
    AX_KEY_NONE("virtual_batch_size"),
    AX_KEY_SKIP("fused"),
    AX_KEY_END,
};
static const ax_layer_key layer_norm_keys[] = {NORM_KEYS, AX_KEY_NONE("rms_scaling"), AX_KEY_END};

const ax_layer_kind ax_layers_norm[] = {
    {"BatchNormalization", NULL, batch_norm_keys, 0, 0, NULL, NULL, check_batch_norm,
     build_batch_norm},
    {"LayerNormalization", NULL, layer_norm_keys, AX_LAYER_PLAIN, 0, NULL, NULL, NULL,
     build_layer_norm},
    {.name = NULL},
};
