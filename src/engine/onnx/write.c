/*
 * write.c: graph → ONNX bytes. One function a message, in the order of onnx.proto3's fields.
 */
#include "graph/op.h"
#include "onnx/front.h"
#include "onnx/onnx.h"
#include "onnx/wire.h"

/* What a model's messages are written from. */
typedef struct source {
    const ax_graph *g;
    bool with_weights;
    const ax_tensor *shape; /* per value, for batch 1 */
    ax_front_names front;
} source;

/* A part of it: the i-th value, node, ... */
typedef struct item {
    const source *s;
    int i;
} item;

static void write_entry(ax_writer *w, const void *arg)
{
    const ax_meta *m = arg;

    ax_put_string(w, ONNX_ENTRY_KEY, m->key);
    ax_put_string(w, ONNX_ENTRY_VALUE, m->value);
}

static void write_tensor_data(ax_writer *w, const ax_tensor *t)
{
    ax_put_int64s(w, ONNX_TENSOR_DIMS, t->shape.rank, t->shape.dim);
    ax_put_varint(w, ONNX_TENSOR_TYPE, (uint64_t) t->type);
}

static void write_weight(ax_writer *w, const void *arg)
{
    const item *it = arg;
    const ax_value *v = &it->s->g->value[it->i];
    const ax_tensor t = {v->type, v->shape, v->data};
    const ax_meta location = {"location", AX_WEIGHT_LOCATION};

    write_tensor_data(w, &t);
    ax_put_string(w, ONNX_TENSOR_NAME, v->name);
    if (it->s->with_weights) {
        ax_put_bytes(w, ONNX_TENSOR_RAW_DATA, v->data, ax_tensor_bytes(v->type, &v->shape));
    } else {
        ax_put_message(w, ONNX_TENSOR_EXTERNAL_DATA, write_entry, &location);
        ax_put_varint(w, ONNX_TENSOR_DATA_LOCATION, 1);
    }
}

static void write_attr_tensor(ax_writer *w, const void *arg)
{
    const ax_tensor *t = arg;

    write_tensor_data(w, t);
    ax_put_bytes(w, ONNX_TENSOR_RAW_DATA, t->data, ax_tensor_bytes(t->type, &t->shape));
}

static void write_attr(ax_writer *w, const void *arg)
{
    const ax_attr *a = arg;

    ax_put_string(w, ONNX_ATTR_NAME, a->name);
    switch (a->kind) {
    case AX_ATTR_FLOAT:
        ax_put_float(w, ONNX_ATTR_F, a->f);
        break;
    case AX_ATTR_INT:
        ax_put_varint(w, ONNX_ATTR_I, (uint64_t) a->i);
        break;
    case AX_ATTR_STRING:
        ax_put_string(w, ONNX_ATTR_S, a->s);
        break;
    case AX_ATTR_TENSOR:
        ax_put_message(w, ONNX_ATTR_T, write_attr_tensor, &a->tensor);
        break;
    case AX_ATTR_FLOATS:
        ax_put_floats(w, ONNX_ATTR_FLOATS, a->count, a->floats);
        break;
    case AX_ATTR_INTS:
        ax_put_int64s(w, ONNX_ATTR_INTS, a->count, a->ints);
        break;
    case AX_ATTR_STRINGS:
        for (int i = 0; i < a->count; i++)
            ax_put_string(w, ONNX_ATTR_STRINGS, a->strings[i]);
        break;
    }
    ax_put_varint(w, ONNX_ATTR_TYPE, (uint64_t) a->kind);
}

static void write_node(ax_writer *w, const void *arg)
{
    const item *it = arg;
    const ax_graph *g = it->s->g;
    const ax_node *n = &g->node[it->i];

    for (int k = 0; k < n->n_in; k++)
        ax_put_string(w, ONNX_NODE_INPUT, n->in[k] < 0 ? "" : g->value[n->in[k]].name);
    for (int k = 0; k < n->n_out; k++)
        ax_put_string(w, ONNX_NODE_OUTPUT, n->out[k] < 0 ? "" : g->value[n->out[k]].name);
    ax_put_string(w, ONNX_NODE_NAME, n->name);
    ax_put_string(w, ONNX_NODE_OP_TYPE, n->op->type);
    for (int k = 0; k < n->n_attr; k++)
        ax_put_message(w, ONNX_NODE_ATTRIBUTE, write_attr, &n->attr[k]);
    if (n->op->domain != NULL)
        ax_put_string(w, ONNX_NODE_DOMAIN, n->op->domain);
}

/* ---- TypeProto of an input or output, its first dimension the symbol "batch" ----------------- */

static void write_dim(ax_writer *w, const void *arg)
{
    const int64_t *dim = arg;

    if (*dim == AX_DIM_BATCH)
        ax_put_string(w, ONNX_DIM_PARAM, "batch");
    else
        ax_put_varint(w, ONNX_DIM_VALUE, (uint64_t) *dim);
}

static void write_shape(ax_writer *w, const void *arg)
{
    const ax_tensor *t = arg;
    int64_t batch = AX_DIM_BATCH;

    for (int i = 0; i < t->shape.rank; i++)
        ax_put_message(w, ONNX_SHAPE_DIM, write_dim, i == 0 ? &batch : &t->shape.dim[i]);
}

static void write_tensor_type(ax_writer *w, const void *arg)
{
    const ax_tensor *t = arg;

    ax_put_varint(w, ONNX_TENSOR_TYPE_ELEM, (uint64_t) t->type);
    ax_put_message(w, ONNX_TENSOR_TYPE_SHAPE, write_shape, t);
}

static void write_type(ax_writer *w, const void *arg)
{
    ax_put_message(w, ONNX_TYPE_TENSOR, write_tensor_type, arg);
}

static void write_value_info(ax_writer *w, const void *arg)
{
    const item *it = arg;

    ax_put_string(w, ONNX_VALUE_NAME, it->s->g->value[it->i].name);
    ax_put_message(w, ONNX_VALUE_TYPE, write_type, &it->s->shape[it->i]);
}

/* ---- graph and model ------------------------------------------------------------------------- */

static void write_graph(ax_writer *w, const void *arg)
{
    const source *s = arg;
    const ax_graph *g = s->g;

    if (g->front != NULL)
        ax_write_front_nodes(w, g, &s->front);
    for (int i = 0; i < g->n_nodes; i++)
        ax_put_message(w, ONNX_GRAPH_NODE, write_node, &(item){s, i});
    ax_put_string(w, ONNX_GRAPH_NAME, g->name);
    for (int i = 0; i < g->n_values; i++)
        if (g->value[i].role == AX_VALUE_WEIGHT)
            ax_put_message(w, ONNX_GRAPH_INITIALIZER, write_weight, &(item){s, i});
    if (g->front != NULL)
        ax_write_front_inputs(w, g, &s->front);
    for (int i = 0; g->front == NULL && i < g->n_inputs; i++)
        ax_put_message(w, ONNX_GRAPH_INPUT, write_value_info, &(item){s, g->input[i]});
    for (int i = 0; i < g->n_outputs; i++)
        ax_put_message(w, ONNX_GRAPH_OUTPUT, write_value_info, &(item){s, g->output[i]});
}

static void write_opset(ax_writer *w, const void *arg)
{
    const ax_graph *g = arg;
    int version = AX_OPSET;

    for (int i = 0; i < g->n_nodes; i++)
        if (g->node[i].op->domain == NULL)
            version = AX_MAX(version, g->node[i].op->since);
    ax_put_string(w, ONNX_OPSET_DOMAIN, "");
    ax_put_varint(w, ONNX_OPSET_VERSION, (uint64_t) version);
}

static void write_ml_opset(ax_writer *w, const void *arg)
{
    ax_put_string(w, ONNX_OPSET_DOMAIN, AX_ML_DOMAIN);
    ax_put_varint(w, ONNX_OPSET_VERSION, AX_ML_OPSET);
}

static bool uses_ml(const ax_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (g->node[i].op->domain != NULL)
            return true;
    return ax_front_has_text(g);
}

static void write_model(ax_writer *w, const source *s)
{
    ax_put_varint(w, ONNX_MODEL_IR_VERSION, AX_IR_VERSION);
    ax_put_string(w, ONNX_MODEL_PRODUCER_NAME, "aiaas");
    ax_put_string(w, ONNX_MODEL_PRODUCER_VERSION, ax_engine_version());
    ax_put_message(w, ONNX_MODEL_GRAPH, write_graph, s);
    ax_put_message(w, ONNX_MODEL_OPSET_IMPORT, write_opset, s->g);
    if (uses_ml(s->g))
        ax_put_message(w, ONNX_MODEL_OPSET_IMPORT, write_ml_opset, NULL);
    for (int i = 0; i < s->g->n_meta; i++)
        ax_put_message(w, ONNX_MODEL_METADATA, write_entry, &s->g->meta[i]);
}

/* Both entries: infer the shapes, then count or write. */
static ax_status encode(const ax_graph *g, bool with_weights, ax_writer *w, ax_error *err)
{
    source s = {.g = g, .with_weights = with_weights};
    ax_arena work;
    ax_tensor *shape;
    ax_status status;

    for (int i = 0; with_weights && i < g->n_values; i++)
        if (g->value[i].role == AX_VALUE_WEIGHT && g->value[i].data == NULL)
            return ax_fail(err, AX_ERR_INVALID, "weight \"%s\" has no data", g->value[i].name);
    ax_arena_init(&work, &g->arena.env);
    shape = ax_arena_array(&work, (size_t) g->n_values, sizeof(*shape));
    status = shape == NULL ? ax_nomem(err) : ax_graph_infer(g, 1, shape, err);
    s.shape = shape;
    if (status == AX_OK && g->front != NULL)
        status = ax_front_name(g, &work, &s.front, err);
    if (status == AX_OK)
        write_model(w, &s);
    ax_arena_free(&work);
    return status;
}

ax_status ax_onnx_encoded_size(const ax_graph *g, bool with_weights, size_t *size, ax_error *err)
{
    ax_writer w = {0};

    AX_TRY(encode(g, with_weights, &w, err));
    *size = w.len;
    return AX_OK;
}

ax_status ax_onnx_encode(const ax_graph *g, bool with_weights, uint8_t *buf, size_t size,
                         ax_error *err)
{
    ax_writer w = {.buf = buf, .cap = size};

    AX_TRY(encode(g, with_weights, &w, err));
    if (w.len != size)
        return ax_fail(err, AX_ERR_INTERNAL, "the graph changed while it was encoded");
    return AX_OK;
}
