/*
 * layer_preprocess.c: scaling as part of the network, so that a model takes the rows as they are.
 *
 * A factor or a summand is one number, or one for each element along an axis; in the graph it is a
 * constant that broadcasts over the rest.
 */
#include "nn/layer.h"

#include <math.h>

/* Adds `op` with n numbers along a logical axis; n is 1 or the length of the axis. */
static ax_status apply(ax_builder *b, const char *op, const char *suffix, const char *constant,
                       int64_t n, const float *data, int axis)
{
    int64_t dim[AX_MAX_RANK];
    int rank = n == 1 ? 0 : b->rank + 1 - ax_build_physical_axis(b, axis);
    int value;

    for (int i = 0; i < rank; i++)
        dim[i] = i == 0 ? n : 1;
    AX_TRY(ax_build_floats(b, constant, rank, dim, data, &value));
    return ax_build_node(b, op, suffix, 1, &value, 0, NULL);
}

/* The numbers of a key in the builder's work memory: 1, or as many as the axis is long. */
static ax_status numbers(ax_builder *b, const ax_layer *l, const char *key, int axis, int64_t *n,
                         float **out)
{
    char shape[128];

    *n = ax_layer_numbers(l, key, NULL, 0);
    if (*n != 1 && *n != b->dim[axis])
        return ax_build_fail(b, AX_ERR_INVALID, "\"%s\" has %lld numbers for axis %d of its input %s",
                             key, (long long) *n, axis + 1,
                             ax_build_shape_text(b, shape, sizeof(shape)));
    *out = ax_arena_array(b->work, (size_t) *n, sizeof(float));
    if (*out == NULL)
        return ax_nomem(b->err);
    ax_layer_numbers(l, key, *out, *n);
    return AX_OK;
}

/* ---- Rescaling: x scale + offset ------------------------------------------------------------- */

static bool all_zero(int64_t n, const float *x)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0)
            return false;
    return true;
}

static ax_status build_rescaling(ax_builder *b, const ax_layer *l)
{
    int axis = b->rank - 1;
    int64_t n_scale, n_offset = 0;
    float *scale, *offset = NULL;
    bool moves;

    AX_TRY(ax_build_float(b));
    AX_TRY(numbers(b, l, "scale", axis, &n_scale, &scale));
    if (ax_layer_get(l, "offset")->given)
        AX_TRY(numbers(b, l, "offset", axis, &n_offset, &offset));
    moves = !all_zero(n_offset, offset);
    AX_TRY(apply(b, "Mul", moves ? "mul" : NULL, "scale", n_scale, scale, axis));
    return moves ? apply(b, "Add", NULL, "offset", n_offset, offset, axis) : AX_OK;
}

/* ---- Normalization: (x - mean) / sqrt(variance), or with invert the way back ----------------- */

#define SMALLEST_SD 1e-7f /* Keras's epsilon: a constant column becomes zeros */

static ax_status check_normalization(const ax_layer *l, ax_error *err)
{
    bool mean = ax_layer_get(l, "mean")->given, variance = ax_layer_get(l, "variance")->given;

    if (!mean && !variance) {
        ax_layer_fail(l, err, AX_ERR_UNSUPPORTED,
                      "learning mean and variance from the data is not supported");
        ax_hint(err, "Give \"mean\" and \"variance\", or scale with a Rescaling layer.");
        return AX_ERR_UNSUPPORTED;
    }
    if (!mean || !variance)
        return ax_layer_fail(l, err, AX_ERR_INVALID,
                             "\"mean\" and \"variance\" must be given together");
    if (ax_layer_get(l, "axis")->count != 1)
        return ax_layer_fail(l, err, AX_ERR_UNSUPPORTED,
                             "an \"axis\" of more than one is not supported");
    return AX_OK;
}

/* Variances become standard deviations or, the other way, their inverses. */
static ax_status to_factors(ax_builder *b, int64_t n, float *x, bool invert)
{
    for (int64_t i = 0; i < n; i++) {
        if (x[i] < 0)
            return ax_build_fail(b, AX_ERR_INVALID, "\"variance\" must not be negative");
        x[i] = sqrtf(x[i]);
        if (!invert)
            x[i] = 1 / AX_MAX(x[i], SMALLEST_SD);
    }
    return AX_OK;
}

static ax_status build_normalization(ax_builder *b, const ax_layer *l)
{
    bool invert = ax_layer_boolean(l, "invert");
    int64_t n_mean, n_sd;
    float *mean, *sd;
    int axis;

    AX_TRY(ax_build_float(b));
    AX_TRY(ax_build_axis(b, "axis", ax_layer_integer(l, "axis"), &axis));
    AX_TRY(numbers(b, l, "mean", axis, &n_mean, &mean));
    AX_TRY(numbers(b, l, "variance", axis, &n_sd, &sd));
    AX_TRY(to_factors(b, n_sd, sd, invert));
    if (invert) {
        AX_TRY(apply(b, "Mul", "mul", "sd", n_sd, sd, axis));
        return apply(b, "Add", NULL, "mean", n_mean, mean, axis);
    }
    AX_TRY(apply(b, "Sub", "sub", "mean", n_mean, mean, axis));
    return apply(b, "Mul", NULL, "scale", n_sd, sd, axis);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const ax_layer_key rescaling_keys[] = {
    {.name = "scale", .kind = AX_KEY_NUMBERS, .required = true},
    {.name = "offset", .kind = AX_KEY_NUMBERS},
    AX_KEY_END,
};
static const ax_layer_key normalization_keys[] = {
    {.name = "axis", .kind = AX_KEY_INTEGERS, .number = -1},
    {.name = "mean", .kind = AX_KEY_NUMBERS},
    {.name = "variance", .kind = AX_KEY_NUMBERS},
    AX_KEY_FLAG("invert", 0),
    AX_KEY_END,
};

const ax_layer_kind ax_layers_preprocess[] = {
    {"Rescaling", NULL, rescaling_keys, 0, 0, NULL, NULL, NULL, build_rescaling},
    {"Normalization", NULL, normalization_keys, 0, 0, NULL, NULL, check_normalization,
     build_normalization},
    {.name = NULL},
};
