/*
 * bytes.c: a model as ONNX bytes and back; its weights piece by piece.
 *
 * Weights are numbered in the order of the graph's values. A decoded model without weights receives them
 * through ax_model_fill_weight, each tensor in order from its first byte; its memory is taken when its
 * first piece comes.
 */
#include "graph/op.h"
#include "nn/network.h"
#include "onnx/onnx.h"

ax_status ax_model_encoded_size(const ax_model *m, bool with_weights, size_t *size, ax_error *err)
{
    return ax_onnx_encoded_size(m->graph, with_weights, size, err);
}

ax_status ax_model_encode(const ax_model *m, bool with_weights, uint8_t *buf, size_t size,
                          ax_error *err)
{
    return ax_onnx_encode(m->graph, with_weights, buf, size, err);
}

int ax_model_weight_count(const ax_model *m)
{
    int n = 0;

    for (int v = 0; v < m->graph->n_values; v++)
        n += m->graph->value[v].role == AX_VALUE_WEIGHT;
    return n;
}

ax_status ax_model_weight_at(const ax_model *m, int i, ax_weight *out, ax_error *err)
{
    for (int v = 0; v < m->graph->n_values; v++) {
        const ax_value *value = &m->graph->value[v];

        if (value->role != AX_VALUE_WEIGHT || i-- > 0)
            continue;
        *out = (ax_weight){.name = value->name,
                           .type = value->type,
                           .rank = value->shape.rank,
                           .dim = value->shape.dim,
                           .data = value->data,
                           .bytes = ax_tensor_bytes(value->type, &value->shape)};
        return AX_OK;
    }
    return ax_fail(err, AX_ERR_UNKNOWN, "the model has no such weight");
}

static ax_status recall(ax_graph *g, ax_model **out, ax_error *err)
{
    ax_model *m = ax_arena_alloc(&g->arena, sizeof(*m));

    if (m == NULL)
        return ax_nomem(err);
    m->env = g->arena.env;
    m->graph = g;
    AX_TRY(ax_model_recall(m, err));
    *out = m;
    return AX_OK;
}

ax_status ax_model_decode(const ax_env *env, const uint8_t *bytes, size_t len, ax_model **out,
                          ax_error *err)
{
    ax_graph *g;
    ax_status status;

    AX_TRY(ax_onnx_decode(env, bytes, len, &g, err));
    status = recall(g, out, err);
    if (status != AX_OK)
        ax_graph_free(g);
    return status;
}

ax_status ax_model_fill_weight(ax_model *m, const char *name, size_t offset, const void *bytes,
                               size_t len, ax_error *err)
{
    int v = ax_graph_find_value(m->graph, name);
    ax_value *value = v < 0 ? NULL : &m->graph->value[v];
    size_t size;

    if (value == NULL || value->role != AX_VALUE_WEIGHT)
        return ax_fail(err, AX_ERR_CORRUPT, "the model has no weight \"%s\"", name);
    size = ax_tensor_bytes(value->type, &value->shape);
    if (offset != value->filled || len > size - value->filled)
        return ax_fail(err, AX_ERR_CORRUPT,
                       "weight \"%s\" has %zu bytes, and %zu more came at byte %zu after %zu", name,
                       size, len, offset, value->filled);
    if (value->data == NULL)
        value->data = ax_arena_alloc(&m->graph->arena, size);
    if (value->data == NULL)
        return ax_nomem(err);
    if (len > 0)
        memcpy((uint8_t *) value->data + offset, bytes, len);
    value->filled += len;
    return AX_OK;
}

/* Every byte is there, and the graph runs: its shapes follow from a batch of one row. */
static ax_status check_ready(ax_model *m, ax_arena *work, ax_error *err)
{
    ax_graph *g = m->graph;
    ax_tensor *value = ax_arena_array(work, (size_t) g->n_values, sizeof(*value));
    const ax_shape *out;

    if (value == NULL)
        return ax_nomem(err);
    for (int v = 0; v < g->n_values; v++) {
        const ax_value *w = &g->value[v];
        size_t size = w->role == AX_VALUE_WEIGHT ? ax_tensor_bytes(w->type, &w->shape) : 0;

        if (w->role == AX_VALUE_WEIGHT && w->filled != size)
            return ax_fail(err, AX_ERR_CORRUPT, "weight \"%s\" has %zu of its %zu bytes", w->name,
                           w->filled, size);
    }
    AX_TRY(ax_graph_bind(g, err));
    AX_TRY(ax_graph_infer(g, 1, value, err));
    out = &value[m->output].shape;
    if (value[m->output].type != AX_FLOAT || out->rank < 1 || out->dim[0] != 1 ||
        ax_shape_elements(out) != m->n_outputs)
        return ax_fail(err, AX_ERR_CORRUPT, "the graph's output is not what its metadata says");
    return AX_OK;
}

ax_status ax_model_ready(ax_model *m, ax_error *err)
{
    ax_arena work;
    ax_status status;

    ax_arena_init(&work, &m->env);
    status = check_ready(m, &work, err);
    ax_arena_free(&work);
    m->ready = status == AX_OK;
    return status;
}
