/*
 * builder.c: what layers build with. Nodes and weights named after the layer, the shape and layout of the
 * value so far, and the list of weights that wait for their first numbers.
 *
 * Weights are counted before they are made, and have no memory before the whole graph stands
 * (ax_graph_bind): a network over a limit costs nothing.
 */
#include "nn/layer.h"

#include <stdarg.h>
#include <stdio.h>

/* A weight without numbers yet. */
typedef struct ax_fresh {
    struct ax_fresh *next;
    int value;
    ax_initializer init;
    double fan_in, fan_out;
    uint64_t stream; /* of the random numbers: the layer and the number of the weight in it */
    int blocks;
    int64_t first, count; /* of each block: what starts as `start` */
    float start;
} ax_fresh;

ax_status ax_build_fail(ax_builder *b, ax_status status, const char *fmt, ...)
{
    char text[AX_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return ax_layer_fail(b->layer, b->err, status, "%s", text);
}

const char *ax_build_name(ax_builder *b, const char *suffix)
{
    if (suffix == NULL)
        return b->layer->name;
    if (b->at_in > 0)
        return ax_arena_printf(b->work, "%s/%s_%d", b->layer->name, suffix, b->at_in);
    return ax_arena_printf(b->work, "%s/%s", b->layer->name, suffix);
}

const char *ax_build_shape_text(const ax_builder *b, char *buf, size_t size)
{
    ax_shape s = ax_shape_of(b->rank, b->dim);

    return ax_shape_text(&s, buf, size);
}

/* ---- the value so far ------------------------------------------------------------------------ */

ax_flow ax_build_flow(const ax_builder *b)
{
    ax_flow f = {b->value, b->type, b->rank, {0}, b->moved, b->activation};

    memcpy(f.dim, b->dim, sizeof(f.dim));
    return f;
}

void ax_build_resume(ax_builder *b, const ax_flow *f)
{
    b->value = f->value;
    b->type = f->type;
    b->rank = f->rank;
    memcpy(b->dim, f->dim, sizeof(b->dim));
    b->moved = f->moved;
    b->activation = f->activation;
}

void ax_build_input(ax_builder *b, int i)
{
    ax_build_resume(b, b->in[i]);
    b->at_in = i;
}

ax_status ax_build_inside(ax_builder *b, const ax_layer *inner, int n_in, const ax_flow *const *in)
{
    ax_builder outer = *b;
    ax_flow here = ax_build_flow(b);
    const ax_flow *fed[AX_MAX_LAYER_INPUTS] = {&here};

    for (int i = 0; i < n_in; i++)
        fed[i] = in[i];
    b->layer = inner;
    b->in = fed;
    b->n_in = AX_MAX(n_in, 1);
    ax_build_input(b, 0);
    AX_TRY(inner->kind->build(b, inner));
    b->layer = outer.layer;
    b->in = outer.in;
    b->n_in = outer.n_in;
    b->at_in = outer.at_in;
    return AX_OK;
}

/* ---- nodes and shapes ------------------------------------------------------------------------ */

ax_status ax_build_node(ax_builder *b, const char *op, const char *suffix, int n_more,
                        const int *more, int n_attr, const ax_attr *attr)
{
    const char *name = ax_build_name(b, suffix);
    int in[AX_MAX_LAYER_INPUTS + 1] = {b->value};

    if (name == NULL)
        return ax_nomem(b->err);
    for (int i = 0; i < n_more; i++)
        in[i + 1] = more[i];
    b->activation = NULL;
    return ax_graph_add_node(b->graph, op, name, n_more + 1, in, n_attr, attr, &b->value, b->err);
}

ax_status ax_build_shape(ax_builder *b, int rank, const int64_t *dim, bool moved)
{
    int64_t n = 1;

    if (rank >= AX_MAX_RANK)
        return ax_build_fail(b, AX_ERR_LIMIT, "its output has %d dimensions, the maximum is %d",
                             rank, AX_MAX_RANK - 1);
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 1)
            return ax_build_fail(b, AX_ERR_INVALID, "its output would be empty");
        if (dim[i] > AX_MAX_ROW / n)
            return ax_build_fail(b, AX_ERR_LIMIT, "its output has more than %lld elements a row",
                                 (long long) AX_MAX_ROW);
        n *= dim[i];
    }
    b->rank = rank;
    memmove(b->dim, dim, (size_t) rank * sizeof(*dim));
    b->moved = moved && rank > 1;
    return AX_OK;
}

ax_status ax_build_float(ax_builder *b)
{
    ax_attr to = ax_attr_i("to", AX_FLOAT);

    if (b->type == AX_FLOAT)
        return AX_OK;
    b->type = AX_FLOAT;
    return ax_build_node(b, "Cast", "cast", 0, NULL, 1, &to);
}

/* ---- layouts --------------------------------------------------------------------------------- */

ax_status ax_build_transpose(ax_builder *b, const char *suffix, const int *perm)
{
    int64_t all[AX_MAX_RANK] = {0};
    const ax_activation *activation = b->activation;
    ax_attr attr = ax_attr_is("perm", b->rank + 1, all);

    for (int i = 0; i < b->rank; i++)
        all[i + 1] = perm[i] + 1;
    AX_TRY(ax_build_node(b, "Transpose", suffix, 0, NULL, 1, &attr));
    b->activation = activation; /* the same numbers in another order */
    return AX_OK;
}

ax_status ax_build_plain(ax_builder *b)
{
    int perm[AX_MAX_RANK];

    if (!b->moved)
        return AX_OK;
    for (int i = 0; i < b->rank; i++)
        perm[i] = (i + 1) % b->rank;
    AX_TRY(ax_build_transpose(b, "channels_last", perm));
    b->moved = false;
    return AX_OK;
}

ax_status ax_build_planes(ax_builder *b, bool channels_last)
{
    int perm[AX_MAX_RANK];

    if (!channels_last)
        return ax_build_plain(b);
    if (b->moved || b->rank < 2)
        return AX_OK;
    for (int i = 0; i < b->rank; i++)
        perm[i] = (i + b->rank - 1) % b->rank;
    AX_TRY(ax_build_transpose(b, "channels_first", perm));
    b->moved = true;
    return AX_OK;
}

bool ax_build_channels_last(const ax_builder *b, const ax_layer *l)
{
    const ax_layer_value *v = ax_layer_get(l, "data_format");

    if (v == NULL || !v->given)
        return b->channels_last;
    return strcmp(v->text, "channels_last") == 0;
}

ax_status ax_build_axis(ax_builder *b, const char *key, int64_t axis, int *out)
{
    char shape[128];
    int64_t at = axis < 0 ? axis + b->rank : axis - 1;

    if (axis == 0 || at < 0 || at >= b->rank)
        return ax_build_fail(b, AX_ERR_INVALID, "\"%s\" %lld is no axis of its input %s", key,
                             (long long) axis, ax_build_shape_text(b, shape, sizeof(shape)));
    *out = (int) at;
    return AX_OK;
}

int ax_build_physical_axis(const ax_builder *b, int axis)
{
    if (!b->moved)
        return axis + 1;
    return axis == b->rank - 1 ? 1 : axis + 2;
}

/* ---- weights --------------------------------------------------------------------------------- */

/* Counts n elements more; fails before anything of that size is made. */
static ax_status count_parameters(ax_builder *b, const char *name, int rank, const int64_t *dim,
                                  int64_t *out)
{
    int64_t n = 1;

    for (int i = 0; i < rank; i++) {
        if (dim[i] > AX_MAX_PARAMETERS / n) {
            n = AX_MAX_PARAMETERS + 1;
            break;
        }
        n *= dim[i];
    }
    if (n > AX_MAX_PARAMETERS)
        return ax_build_fail(b, AX_ERR_LIMIT, "its %s has more than %lld parameters", name,
                             (long long) AX_MAX_PARAMETERS);
    if (n > AX_MAX_PARAMETERS - b->total)
        return ax_build_fail(b, AX_ERR_LIMIT,
                             "with it the network has more than %lld parameters",
                             (long long) AX_MAX_PARAMETERS);
    b->total += n;
    b->parameters += n;
    *out = n;
    return AX_OK;
}

static ax_status add_weight(ax_builder *b, const char *name, int rank, const int64_t *dim,
                            bool trainable, const ax_initializer *init, double fan_in,
                            double fan_out, int *out)
{
    ax_shape shape = ax_shape_of(rank, dim);
    const char *full = ax_build_name(b, name);
    ax_fresh *fresh = ax_arena_alloc(b->work, sizeof(*fresh));
    int64_t n = 0;

    if (full == NULL || fresh == NULL)
        return ax_nomem(b->err);
    AX_TRY(count_parameters(b, name, rank, dim, &n));
    if (trainable)
        b->trainable += n;
    AX_TRY(ax_graph_add_weight(b->graph, full, AX_FLOAT, &shape, trainable, NULL, out, b->err));
    *fresh = (ax_fresh){b->fresh, *out, *init, fan_in, fan_out,
                        (uint64_t) b->layer->index << 16 | (uint64_t) b->n_weights++, 1, 0, 0, 0};
    b->fresh = fresh;
    return AX_OK;
}

ax_status ax_build_weight(ax_builder *b, const char *name, int rank, const int64_t *dim,
                          const ax_initializer *init, double fan_in, double fan_out, int *out)
{
    return add_weight(b, name, rank, dim, ax_layer_boolean(b->layer, "trainable"), init, fan_in,
                      fan_out, out);
}

void ax_build_blocks(ax_builder *b, int blocks)
{
    b->fresh->blocks = blocks;
}

void ax_build_overlay(ax_builder *b, int64_t first, int64_t n, float v)
{
    b->fresh->first = first;
    b->fresh->count = n;
    b->fresh->start = v;
}

ax_status ax_build_statistic(ax_builder *b, const char *name, int64_t n, const ax_initializer *init,
                             int *out)
{
    return add_weight(b, name, 1, &n, false, init, 1, 1, out);
}

ax_status ax_build_floats(ax_builder *b, const char *name, int rank, const int64_t *dim,
                          const float *data, int *out)
{
    ax_shape shape = ax_shape_of(rank, dim);
    const char *full = ax_build_name(b, name);

    if (full == NULL)
        return ax_nomem(b->err);
    return ax_graph_add_weight(b->graph, full, AX_FLOAT, &shape, false, data, out, b->err);
}

ax_status ax_build_integers(ax_builder *b, const char *name, int n, const int64_t *data, int *out)
{
    int64_t dim = n;
    ax_shape shape = ax_shape_of(1, &dim);
    const char *full = ax_build_name(b, name);

    if (full == NULL)
        return ax_nomem(b->err);
    return ax_graph_add_weight(b->graph, full, AX_INT64, &shape, false, data, out, b->err);
}

ax_status ax_build_scalar(ax_builder *b, const char *name, float v, int *out)
{
    return ax_build_floats(b, name, 0, NULL, &v, out);
}

ax_status ax_build_filled(ax_builder *b, const char *name, int64_t n, float v, int *out)
{
    float *data = ax_arena_array(b->work, (size_t) n, sizeof(float));

    if (data == NULL)
        return ax_nomem(b->err);
    for (int64_t i = 0; i < n; i++)
        data[i] = v;
    return ax_build_floats(b, name, 1, &n, data, out);
}

/* A matrix is what the last dimension says: rows of that many columns. */
static ax_status fill_weight(ax_builder *b, const ax_fresh *f, uint64_t seed)
{
    const ax_value *v = &b->graph->value[f->value];
    const ax_env *env = &b->graph->arena.env;
    int64_t n = ax_shape_elements(&v->shape) / f->blocks;
    bool is_filter = f->blocks == 1 && v->shape.rank > 2; /* (filters, ...): one row each */
    int64_t columns = v->shape.rank < 1 ? 1 : is_filter ? n / v->shape.dim[0] : v->shape.dim[v->shape.rank - 1];

    for (int i = 0; i < f->blocks; i++) {
        float *out = (float *) v->data + i * n;
        uint64_t stream = f->stream | (uint64_t) i << 48;

        AX_TRY(ax_initializer_is_orthogonal(&f->init)
                   ? ax_initializer_orthogonal(env, &f->init, seed, stream, n / columns, columns, out, b->err)
                   : ax_initializer_fill(env, &f->init, seed, stream, f->fan_in, f->fan_out, n, out, b->err));
        for (int64_t k = 0; k < f->count; k++)
            out[f->first + k] = f->start;
    }
    return AX_OK;
}

ax_status ax_build_fill(ax_builder *b, uint64_t seed)
{
    for (const ax_fresh *f = b->fresh; f != NULL; f = f->next) {
        ax_value *v = &b->graph->value[f->value];

        AX_TRY(fill_weight(b, f, seed));
        v->filled = ax_tensor_bytes(v->type, &v->shape);
    }
    return AX_OK;
}
