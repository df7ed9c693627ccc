/*
 * layer_merge.c: layers that several others feed: Add, Subtract, Multiply, Average, Maximum, Minimum and Concatenate.
 *
 * Element by element, shapes are broadcast as in Keras: aligned at the last dimension, with 1 for what is missing, and
 * never across the batch. The axis of Concatenate counts as in Keras, 0 being the batch, in the order of the
 * network's data_format.
 *
 * All inputs are brought into one layout before they meet. It is that of planes as soon as one of them lies so: behind
 * a convolution the others do as well, and nothing is turned.
 */
#include "nn/layer.h"

#include <stdio.h>

static const char *shape_of(const ax_flow *f, char *buf, size_t size)
{
    ax_shape s = ax_shape_of(f->rank, f->dim);

    return ax_shape_text(&s, buf, size);
}

static ax_status do_not_fit(ax_builder *b, const ax_flow *other, const char *how, const char *hint)
{
    char text[2][128];

    ax_build_fail(b, AX_ERR_INVALID, "its inputs %s and %s %s",
                  shape_of(b->in[0], text[0], sizeof(text[0])),
                  shape_of(other, text[1], sizeof(text[1])), how);
    ax_hint(b->err, "%s", hint);
    return AX_ERR_INVALID;
}

/* ---- element by element ---------------------------------------------------------------------- */

/* The logical shape of the result, and whether it lies as planes. */
static ax_status broadcast(ax_builder *b, ax_flow *out)
{
    *out = *b->in[0];
    for (int k = 1; k < b->n_in; k++) {
        ax_shape a = ax_shape_of(out->rank, out->dim);
        ax_shape c = ax_shape_of(b->in[k]->rank, b->in[k]->dim), both;

        if (!ax_shape_broadcast(&a, &c, &both))
            return do_not_fit(b, b->in[k], "do not fit together",
                              "Dimensions must be equal, or 1 in one of the two.");
        out->rank = both.rank;
        memcpy(out->dim, both.dim, sizeof(out->dim));
    }
    out->moved = false;
    for (int k = 0; k < b->n_in; k++)
        out->moved |= b->in[k]->moved && b->in[k]->rank == out->rank;
    return AX_OK;
}

/* (8) among (4, 4, 8) is (1, 1, 8). */
static ax_status widen(ax_builder *b, int rank)
{
    int64_t dim[AX_MAX_RANK + 1] = {0}; /* 0: the batch as it is */
    int lead = rank - b->rank, shape;

    AX_TRY(ax_build_plain(b));
    for (int i = 0; i < rank; i++)
        dim[i + 1] = i < lead ? 1 : b->dim[i - lead];
    AX_TRY(ax_build_shape(b, rank, dim + 1, false));
    AX_TRY(ax_build_integers(b, "shape", rank + 1, dim, &shape));
    return ax_build_node(b, "Reshape", "reshape", 1, &shape, 0, NULL);
}

/* Input k as floats, of the result's rank and layout. */
static ax_status take(ax_builder *b, int k, const ax_flow *like, int *value)
{
    ax_build_input(b, k);
    AX_TRY(ax_build_float(b));
    if (b->rank < like->rank)
        AX_TRY(widen(b, like->rank));
    AX_TRY(like->moved ? ax_build_planes(b, true) : ax_build_plain(b));
    *value = b->value;
    return AX_OK;
}

static ax_status take_all(ax_builder *b, const ax_flow *like, int *value)
{
    for (int k = 0; k < b->n_in; k++)
        AX_TRY(take(b, k, like, &value[k]));
    ax_build_input(b, 0);
    b->value = value[0];
    return AX_OK;
}

/* ((a + b) + c) + d. The last node is called as `last` says. */
static ax_status fold(ax_builder *b, const char *op, const int *value, const char *last)
{
    char suffix[32];

    for (int k = 1; k < b->n_in; k++) {
        snprintf(suffix, sizeof(suffix), "%s_%d", op, k);
        AX_TRY(ax_build_node(b, op, k == b->n_in - 1 ? last : suffix, 1, &value[k], 0, NULL));
    }
    return AX_OK;
}

/* Opens an element-wise layer: value[] are its inputs, ready, and the value so far is the first. */
static ax_status open_merge(ax_builder *b, ax_flow *like, int *value)
{
    AX_TRY(broadcast(b, like));
    return take_all(b, like, value);
}

static ax_status close_merge(ax_builder *b, const ax_flow *like)
{
    b->type = AX_FLOAT;
    b->activation = NULL;
    return ax_build_shape(b, like->rank, like->dim, like->moved);
}

static ax_status build_fold(ax_builder *b, const ax_layer *l)
{
    int value[AX_MAX_LAYER_INPUTS];
    ax_flow like;

    AX_TRY(open_merge(b, &like, value));
    AX_TRY(fold(b, l->kind->op, value, NULL));
    return close_merge(b, &like);
}

static ax_status build_average(ax_builder *b, const ax_layer *l)
{
    int value[AX_MAX_LAYER_INPUTS], share;
    ax_flow like;

    AX_TRY(open_merge(b, &like, value));
    AX_TRY(fold(b, "Add", value, "sum"));
    AX_TRY(ax_build_scalar(b, "share", 1.0f / (float) b->n_in, &share));
    AX_TRY(ax_build_node(b, "Mul", NULL, 1, &share, 0, NULL));
    return close_merge(b, &like);
}

/* ONNX's Max and Min take any number of inputs. */
static ax_status build_extreme(ax_builder *b, const ax_layer *l)
{
    int value[AX_MAX_LAYER_INPUTS];
    ax_flow like;

    AX_TRY(open_merge(b, &like, value));
    AX_TRY(ax_build_node(b, l->kind->op, NULL, b->n_in - 1, value + 1, 0, NULL));
    return close_merge(b, &like);
}

/* ---- Concatenate ----------------------------------------------------------------------------- */

/* The shape of all behind one another along an axis. */
static ax_status concatenated(ax_builder *b, int axis, ax_flow *out)
{
    *out = *b->in[0];
    for (int k = 1; k < b->n_in; k++) {
        const ax_flow *f = b->in[k];
        bool fits = f->rank == out->rank;

        for (int i = 0; fits && i < f->rank; i++)
            fits = i == axis || f->dim[i] == out->dim[i];
        if (!fits)
            return do_not_fit(b, f, "differ in more than the axis that they are put together along",
                              "All dimensions but that of \"axis\" must be equal.");
        out->dim[axis] += f->dim[axis]; /* AX_MAX_LAYER_INPUTS times AX_MAX_ROW is far from overflow */
        out->moved |= f->moved;
    }
    return AX_OK;
}

static ax_status build_concatenate(ax_builder *b, const ax_layer *l)
{
    const ax_layer_value *v = ax_layer_get(l, "axis");
    int value[AX_MAX_LAYER_INPUTS], axis;
    ax_flow out;
    ax_attr attr;

    if (v->count != 1)
        return ax_build_fail(b, AX_ERR_INVALID, "\"axis\" must be one axis");
    AX_TRY(ax_build_axis(b, "axis", v->integer[0], &axis));
    AX_TRY(concatenated(b, axis, &out));
    AX_TRY(take_all(b, &out, value));
    b->type = AX_FLOAT;
    AX_TRY(ax_build_shape(b, out.rank, out.dim, out.moved));
    attr = ax_attr_i("axis", ax_build_physical_axis(b, axis));
    return ax_build_node(b, "Concat", NULL, b->n_in - 1, value + 1, 1, &attr);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const ax_layer_key no_keys[] = {AX_KEY_END};
static const ax_layer_key concatenate_keys[] = {
    {.name = "axis", .kind = AX_KEY_INTEGERS, .number = -1}, AX_KEY_END};

#define MERGE(name, keys, op, most, build)                                                         \
    {name, NULL, keys, AX_LAYER_FED_BY(2, most), 0, op, NULL, NULL, build}

const ax_layer_kind ax_layers_merge[] = {
    MERGE("Add", no_keys, "Add", AX_MAX_LAYER_INPUTS, build_fold),
    MERGE("Subtract", no_keys, "Sub", 2, build_fold),
    MERGE("Multiply", no_keys, "Mul", AX_MAX_LAYER_INPUTS, build_fold),
    MERGE("Average", no_keys, "Add", AX_MAX_LAYER_INPUTS, build_average),
    MERGE("Maximum", no_keys, "Max", AX_MAX_LAYER_INPUTS, build_extreme),
    MERGE("Minimum", no_keys, "Min", AX_MAX_LAYER_INPUTS, build_extreme),
    MERGE("Concatenate", concatenate_keys, "Concat", AX_MAX_LAYER_INPUTS, build_concatenate),
    {.name = NULL},
};
