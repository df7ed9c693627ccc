/*
 * write_front.c: see onnx/front.h.
 */
#include "onnx/front.h"
#include "onnx/onnx.h"

bool ax_front_has_text(const ax_graph *g)
{
    for (int i = 0; g->front != NULL && i < g->front->n; i++)
        if (g->front->column[i].text)
            return true;
    return false;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_prefix(const ax_graph *g, const char *prefix)
{
    size_t n = strlen(prefix);

    for (int i = 0; i < g->n_values; i++)
        if (strncmp(g->value[i].name, prefix, n) == 0)
            return true;
    for (int i = 0; i < g->front->n; i++)
        if (strncmp(g->front->column[i].name, prefix, n) == 0)
            return true;
    return false;
}

ax_status ax_front_name(const ax_graph *g, ax_arena *work, ax_front_names *out, ax_error *err)
{
    const ax_front *f = g->front;
    const char *prefix = AX_FRONT_NODE;

    while (prefix != NULL && is_prefix(g, prefix))
        prefix = ax_arena_printf(work, "%s_", prefix);
    out->input = ax_arena_array(work, (size_t) f->n, sizeof(char *));
    out->code = ax_arena_array(work, (size_t) f->n, sizeof(char *));
    if (prefix == NULL || out->input == NULL || out->code == NULL)
        return ax_nomem(err);
    for (int i = 0; i < f->n; i++) {
        bool taken = ax_graph_find_value(g, f->column[i].name) >= 0;

        out->input[i] =
            taken ? ax_arena_printf(work, "%s/input/%s", prefix, f->column[i].name) : f->column[i].name;
        out->code[i] = f->column[i].text ? ax_arena_printf(work, "%s/code/%d", prefix, i) : out->input[i];
        if (out->input[i] == NULL || out->code[i] == NULL)
            return ax_nomem(err);
    }
    return AX_OK;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void write_keys(ax_writer *w, const void *arg)
{
    const ax_front_column *c = arg;

    ax_put_string(w, ONNX_ATTR_NAME, "keys_strings");
    for (int i = 0; i < c->n_keys; i++)
        ax_put_string(w, ONNX_ATTR_STRINGS, c->key[i]);
    ax_put_string(w, ONNX_ATTR_STRINGS, "");
    ax_put_varint(w, ONNX_ATTR_TYPE, AX_ATTR_STRINGS);
}

static void write_values(ax_writer *w, const void *arg)
{
    const ax_front_column *c = arg;

    ax_put_string(w, ONNX_ATTR_NAME, "values_floats");
    ax_put_floats(w, ONNX_ATTR_FLOATS, c->n_keys, c->key_value);
    ax_put_floats(w, ONNX_ATTR_FLOATS, 1, &c->missing); /* a reader of protobuf puts both fields together */
    ax_put_varint(w, ONNX_ATTR_TYPE, AX_ATTR_FLOATS);
}

static void write_otherwise(ax_writer *w, const void *arg)
{
    const ax_front_column *c = arg;

    ax_put_string(w, ONNX_ATTR_NAME, "default_float");
    ax_put_float(w, ONNX_ATTR_F, c->otherwise);
    ax_put_varint(w, ONNX_ATTR_TYPE, AX_ATTR_FLOAT);
}

typedef struct item {
    const ax_graph *g;
    const ax_front_names *names;
    int i;
} item;

static void write_encoder(ax_writer *w, const void *arg)
{
    const item *it = arg;
    const ax_front_column *c = &it->g->front->column[it->i];

    ax_put_string(w, ONNX_NODE_INPUT, it->names->input[it->i]);
    ax_put_string(w, ONNX_NODE_OUTPUT, it->names->code[it->i]);
    ax_put_string(w, ONNX_NODE_NAME, it->names->code[it->i]);
    ax_put_string(w, ONNX_NODE_OP_TYPE, "LabelEncoder");
    ax_put_message(w, ONNX_NODE_ATTRIBUTE, write_keys, c);
    ax_put_message(w, ONNX_NODE_ATTRIBUTE, write_values, c);
    ax_put_message(w, ONNX_NODE_ATTRIBUTE, write_otherwise, c);
    ax_put_string(w, ONNX_NODE_DOMAIN, AX_ML_DOMAIN);
}

static void write_axis(ax_writer *w, const void *arg)
{
    ax_put_string(w, ONNX_ATTR_NAME, "axis");
    ax_put_varint(w, ONNX_ATTR_I, 1);
    ax_put_varint(w, ONNX_ATTR_TYPE, AX_ATTR_INT);
}

static void write_concat(ax_writer *w, const void *arg)
{
    const item *it = arg;
    const ax_graph *g = it->g;

    for (int i = 0; i < g->front->n; i++)
        ax_put_string(w, ONNX_NODE_INPUT, it->names->code[i]);
    ax_put_string(w, ONNX_NODE_OUTPUT, g->value[g->input[0]].name);
    ax_put_string(w, ONNX_NODE_NAME, AX_FRONT_NODE);
    ax_put_string(w, ONNX_NODE_OP_TYPE, "Concat");
    ax_put_message(w, ONNX_NODE_ATTRIBUTE, write_axis, NULL);
}

void ax_write_front_nodes(ax_writer *w, const ax_graph *g, const ax_front_names *names)
{
    item it = {g, names, 0};

    for (it.i = 0; it.i < g->front->n; it.i++)
        if (g->front->column[it.i].text)
            ax_put_message(w, ONNX_GRAPH_NODE, write_encoder, &it);
    ax_put_message(w, ONNX_GRAPH_NODE, write_concat, &it);
}

/* ---- inputs ---------------------------------------------------------------------------------- */

static void write_batch(ax_writer *w, const void *arg)
{
    ax_put_string(w, ONNX_DIM_PARAM, "batch");
}

static void write_width(ax_writer *w, const void *arg)
{
    ax_put_varint(w, ONNX_DIM_VALUE, (uint64_t) ((const ax_front_column *) arg)->width);
}

static void write_shape(ax_writer *w, const void *arg)
{
    ax_put_message(w, ONNX_SHAPE_DIM, write_batch, NULL);
    ax_put_message(w, ONNX_SHAPE_DIM, write_width, arg);
}

static void write_tensor_type(ax_writer *w, const void *arg)
{
    const ax_front_column *c = arg;

    ax_put_varint(w, ONNX_TENSOR_TYPE_ELEM, c->text ? AX_STRING_TYPE : AX_FLOAT);
    ax_put_message(w, ONNX_TENSOR_TYPE_SHAPE, write_shape, c);
}

static void write_type(ax_writer *w, const void *arg)
{
    ax_put_message(w, ONNX_TYPE_TENSOR, write_tensor_type, arg);
}

static void write_input(ax_writer *w, const void *arg)
{
    const item *it = arg;
    const ax_front_column *c = &it->g->front->column[it->i];

    ax_put_string(w, ONNX_VALUE_NAME, it->names->input[it->i]);
    ax_put_message(w, ONNX_VALUE_TYPE, write_type, c);
    if (it->names->input[it->i] != c->name)
        ax_put_string(w, ONNX_VALUE_DOC, c->name);
}

void ax_write_front_inputs(ax_writer *w, const ax_graph *g, const ax_front_names *names)
{
    for (int i = 0; i < g->front->n; i++)
        ax_put_message(w, ONNX_GRAPH_INPUT, write_input, &(item){g, names, i});
}
