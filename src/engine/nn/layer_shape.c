/*
 * layer_shape.c: layers that compute nothing: the input, and the same elements under another shape.
 *
 * The order of the elements is the logical one, so the value is made plain first. Bytes stay bytes.
 */
#include "nn/layer.h"

/* ---- InputLayer: build.c compares the shape that it says with the rows ----------------------- */

static ax_status build_input(ax_builder *b, const ax_layer *l)
{
    return AX_OK;
}

/* ---- Flatten --------------------------------------------------------------------------------- */

/* An explicit "channels_first" makes Keras move the channels to the end first, so that a kernel behind it
 * means the same in both formats. */
static ax_status channels_to_end(ax_builder *b, const ax_layer *l)
{
    const ax_layer_value *format = ax_layer_get(l, "data_format");
    int perm[AX_MAX_RANK];

    if (!format->given || b->rank < 2 || strcmp(format->text, "channels_first") != 0)
        return AX_OK;
    for (int i = 0; i < b->rank; i++)
        perm[i] = (i + 1) % b->rank;
    return ax_build_transpose(b, "channels_to_end", perm);
}

static ax_status build_flatten(ax_builder *b, const ax_layer *l)
{
    ax_attr axis = ax_attr_i("axis", 1);
    const ax_activation *activation = b->activation;
    int64_t n = 1;

    AX_TRY(ax_build_plain(b));
    AX_TRY(channels_to_end(b, l));
    for (int i = 0; i < b->rank; i++)
        n *= b->dim[i];
    if (b->rank > 1)
        AX_TRY(ax_build_node(b, "Flatten", NULL, 0, NULL, 1, &axis));
    b->activation = activation;
    return ax_build_shape(b, 1, &n, false);
}

/* ---- Reshape --------------------------------------------------------------------------------- */

static ax_status wrong_target(ax_builder *b)
{
    char shape[128];

    return ax_build_fail(b, AX_ERR_INVALID, "its input %s does not have as many elements as "
                         "\"target_shape\"", ax_build_shape_text(b, shape, sizeof(shape)));
}

/* Resolves the one dimension that may be -1. */
static ax_status resolve_target(ax_builder *b, const ax_layer_value *v, int64_t *dim)
{
    int64_t have = 1, known = 1;
    int open = -1;

    for (int i = 0; i < b->rank; i++)
        have *= b->dim[i];
    for (int i = 0; i < v->count; i++) {
        dim[i] = v->integer[i];
        if (dim[i] == 0 || dim[i] < -1)
            return ax_build_fail(b, AX_ERR_INVALID, "\"target_shape\" must not hold %lld",
                                 (long long) dim[i]);
        if (dim[i] == -1 && open >= 0)
            return ax_build_fail(b, AX_ERR_INVALID, "\"target_shape\" holds -1 more than once");
        if (dim[i] == -1)
            open = i;
        else if (known > have / dim[i])
            return wrong_target(b);
        else
            known *= dim[i];
    }
    if (open >= 0 ? have % known != 0 : have != known)
        return wrong_target(b);
    if (open >= 0)
        dim[open] = have / known;
    return AX_OK;
}

static ax_status build_reshape(ax_builder *b, const ax_layer *l)
{
    const ax_layer_value *v = ax_layer_get(l, "target_shape");
    int64_t dim[AX_MAX_RANK + 1] = {0}; /* 0: the batch as it is */
    const ax_activation *activation = b->activation;
    int shape;

    AX_TRY(ax_build_plain(b));
    AX_TRY(resolve_target(b, v, dim + 1));
    AX_TRY(ax_build_shape(b, v->count, dim + 1, false));
    AX_TRY(ax_build_integers(b, "shape", v->count + 1, dim, &shape));
    AX_TRY(ax_build_node(b, "Reshape", NULL, 1, &shape, 0, NULL));
    b->activation = activation;
    return AX_OK;
}

/* ---- Permute --------------------------------------------------------------------------------- */

static ax_status build_permute(ax_builder *b, const ax_layer *l)
{
    const ax_layer_value *v = ax_layer_get(l, "dims");
    int64_t dim[AX_MAX_RANK];
    int perm[AX_MAX_RANK];
    unsigned seen = 0;

    AX_TRY(ax_build_plain(b));
    for (int i = 0; i < v->count; i++)
        seen |= v->integer[i] <= b->rank ? 1u << v->integer[i] : 0;
    if (v->count != b->rank || seen != (2u << b->rank) - 2)
        return ax_build_fail(b, AX_ERR_INVALID, "\"dims\" must hold each of 1 to %d once", b->rank);
    for (int i = 0; i < b->rank; i++) {
        perm[i] = (int) v->integer[i] - 1;
        dim[i] = b->dim[perm[i]];
    }
    AX_TRY(ax_build_transpose(b, NULL, perm));
    return ax_build_shape(b, b->rank, dim, false);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const ax_layer_key input_keys[] = {
    {.name = "shape", .kind = AX_KEY_SHAPE}, AX_KEY_NONE("sparse"), AX_KEY_NONE("ragged"),
    AX_KEY_SKIP("optional"), AX_KEY_END};
static const ax_layer_key flatten_keys[] = {AX_KEY_FORMAT_ROW, AX_KEY_END};
static const ax_layer_key reshape_keys[] = {
    {.name = "target_shape", .kind = AX_KEY_INTEGERS, .required = true}, AX_KEY_END};
static const ax_layer_key permute_keys[] = {
    {.name = "dims",
     .kind = AX_KEY_INTEGERS,
     .required = true,
     .range = {AX_FROM | AX_TO, 1, AX_MAX_RANK}},
    AX_KEY_END};

const ax_layer_kind ax_layers_shape[] = {
    {"InputLayer", "Input", input_keys, AX_LAYER_INPUT, 0, NULL, NULL, NULL, build_input},
    {"Flatten", NULL, flatten_keys, AX_LAYER_PLAIN, 0, NULL, NULL, NULL, build_flatten},
    {"Reshape", NULL, reshape_keys, AX_LAYER_PLAIN, 0, NULL, NULL, NULL, build_reshape},
    {"Permute", NULL, permute_keys, AX_LAYER_PLAIN, 0, NULL, NULL, NULL, build_permute},
    {.name = NULL},
};
