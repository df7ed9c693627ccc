/*
 * read.c: ONNX bytes → graph. The bytes are hostile (onnx.h says what that means here).
 *
 * Protobuf lets fields come in any order, and a node may name an initializer that stands behind it, so the
 * graph's message is walked once per kind of field: initializers, inputs, nodes, outputs. Each walk
 * skips what is not its own, which costs a few instructions a field.
 */
#include "onnx/reader.h"

#define MAX_STRING (1 << 24) /* bytes in one name or metadata value */

ax_status ax_read_corrupt(ax_reader *r, const char *what)
{
    return ax_fail(r->err, AX_ERR_CORRUPT, "the model's bytes are damaged: %s", what);
}

ax_status ax_read_string(ax_reader *r, const ax_field *f, const char **out)
{
    if (f->type != AX_WIRE_BYTES || f->len > MAX_STRING || memchr(f->bytes, 0, f->len) != NULL)
        return ax_read_corrupt(r, "a string is not one");
    *out = ax_arena_strndup(&r->work, (const char *) f->bytes, f->len);
    return *out == NULL ? ax_nomem(r->err) : AX_OK;
}

/* Key and value of a StringStringEntryProto; "" when left out. */
static ax_status read_entry(ax_reader *r, const ax_field *field, ax_meta *out)
{
    ax_wire w = ax_wire_sub(field);
    ax_field f;

    *out = (ax_meta){"", ""};
    while (ax_wire_next(&w, &f)) {
        if (f.number == ONNX_ENTRY_KEY)
            AX_TRY(ax_read_string(r, &f, &out->key));
        else if (f.number == ONNX_ENTRY_VALUE)
            AX_TRY(ax_read_string(r, &f, &out->value));
    }
    return w.bad ? ax_read_corrupt(r, "metadata") : AX_OK;
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* One value, or a packed list of them, handed to `take` as varints. */
static ax_status read_dims(ax_reader *r, const ax_field *f, ax_shape *shape)
{
    ax_wire w;
    uint64_t v = f->value;

    if (f->type == AX_WIRE_VARINT) {
        if (shape->rank >= AX_MAX_RANK)
            return ax_read_corrupt(r, "a tensor has too many dimensions");
        shape->dim[shape->rank++] = (int64_t) v;
        return AX_OK;
    }
    w = ax_wire_sub(f);
    while (!w.bad && w.p < w.end) {
        if (!ax_wire_varint(&w, &v) || shape->rank >= AX_MAX_RANK)
            return ax_read_corrupt(r, "a tensor's dimensions");
        shape->dim[shape->rank++] = (int64_t) v;
    }
    return w.bad ? ax_read_corrupt(r, "a tensor's dimensions") : AX_OK;
}

/* int32_data and int64_data: packed varints, narrowed to the tensor's type. */
static ax_status read_packed_ints(ax_reader *r, const ax_field *f, ax_onnx_tensor *t)
{
    size_t size = ax_dtype_size(t->t.type);
    ax_wire w = ax_wire_sub(f);
    uint8_t *data;
    size_t n = 0;
    uint64_t v;

    if (w.bad || size == 0)
        return ax_read_corrupt(r, "a tensor's data");
    data = ax_arena_array(&r->work, f->len, size); /* a varint is at least a byte long */
    if (data == NULL)
        return ax_nomem(r->err);
    while (w.p < w.end) {
        if (!ax_wire_varint(&w, &v))
            return ax_read_corrupt(r, "a tensor's data");
        memcpy(data + n++ * size, &v, size); /* little-endian: the low bytes come first */
    }
    t->t.data = data;
    t->data_len = n * size;
    return AX_OK;
}

static ax_status read_tensor_field(ax_reader *r, const ax_field *f, ax_onnx_tensor *t)
{
    ax_meta entry;

    switch (f->number) {
    case ONNX_TENSOR_DIMS:
        return read_dims(r, f, &t->t.shape);
    case ONNX_TENSOR_NAME:
        return ax_read_string(r, f, &t->name);
    case ONNX_TENSOR_FLOAT_DATA:
    case ONNX_TENSOR_RAW_DATA:
        if (f->type != AX_WIRE_BYTES)
            return ax_read_corrupt(r, "a tensor's data");
        t->t.data = (void *) f->bytes;
        t->data_len = f->len;
        return AX_OK;
    case ONNX_TENSOR_INT32_DATA:
    case ONNX_TENSOR_INT64_DATA:
        return read_packed_ints(r, f, t);
    case ONNX_TENSOR_DATA_LOCATION:
        t->external = f->value == 1;
        return AX_OK;
    case ONNX_TENSOR_EXTERNAL_DATA:
        AX_TRY(read_entry(r, f, &entry));
        if (strcmp(entry.key, "location") == 0)
            t->location = entry.value;
        return AX_OK;
    default:
        return AX_OK;
    }
}

/* The type first: the integer lists need to know it, whatever the order of fields. */
ax_status ax_read_tensor(ax_reader *r, const ax_field *field, ax_onnx_tensor *t)
{
    ax_wire w = ax_wire_sub(field);
    ax_field f;

    *t = (ax_onnx_tensor){.name = "", .location = ""};
    while (ax_wire_next(&w, &f))
        if (f.number == ONNX_TENSOR_TYPE)
            t->t.type = (ax_dtype) f.value;
    if (w.bad)
        return ax_read_corrupt(r, "a tensor");
    if (ax_dtype_size(t->t.type) == 0)
        return ax_fail(r->err, AX_ERR_UNSUPPORTED, "the model has a tensor of data type %d",
                       (int) t->t.type);
    w = ax_wire_sub(field);
    while (ax_wire_next(&w, &f))
        AX_TRY(read_tensor_field(r, &f, t));
    if (!ax_shape_sane(&t->t.shape))
        return ax_read_corrupt(r, "a tensor's shape");
    if (!t->external && t->data_len != ax_tensor_bytes(t->t.type, &t->t.shape))
        return ax_read_corrupt(r, "a tensor's data does not fill its shape");
    return AX_OK;
}

static ax_status read_initializer(ax_reader *r, const ax_field *f)
{
    ax_onnx_tensor t;
    int v;

    AX_TRY(ax_read_tensor(r, f, &t));
    if (t.external && strcmp(t.location, AX_WEIGHT_LOCATION) != 0) {
        ax_fail(r->err, AX_ERR_UNSUPPORTED, "tensor \"%s\" keeps its data in a file", t.name);
        ax_hint(r->err, "Save the model with all its tensors inside the file.");
        return AX_ERR_UNSUPPORTED;
    }
    if (!t.external && t.t.data == NULL)
        t.t.data = &t; /* an empty tensor: filled, with no byte of this */
    return ax_graph_add_weight(r->g, t.name, t.t.type, &t.t.shape, false,
                               t.external ? NULL : t.t.data, &v, r->err);
}

/* ---- inputs and outputs ---------------------------------------------------------------------- */

static ax_status read_dim(ax_reader *r, const ax_field *field, ax_shape *shape)
{
    ax_wire w = ax_wire_sub(field);
    ax_field f;
    int64_t dim = AX_DIM_BATCH;

    while (ax_wire_next(&w, &f))
        if (f.number == ONNX_DIM_VALUE && f.type == AX_WIRE_VARINT)
            dim = (int64_t) f.value;
    if (w.bad || shape->rank >= AX_MAX_RANK)
        return ax_read_corrupt(r, "a shape");
    if (dim == AX_DIM_BATCH && shape->rank > 0)
        return ax_fail(r->err, AX_ERR_UNSUPPORTED,
                       "an input has a dimension without a number, other than the first");
    shape->dim[shape->rank++] = dim;
    return AX_OK;
}

/* Descends type → tensor_type → shape → dim: four messages, no recursion. */
static ax_status read_tensor_type(ax_reader *r, const ax_field *field, ax_tensor *t)
{
    ax_wire w = ax_wire_sub(field), sub;
    ax_field f, g;

    while (ax_wire_next(&w, &f)) {
        if (f.number == ONNX_TENSOR_TYPE_ELEM)
            t->type = (ax_dtype) f.value;
        if (f.number != ONNX_TENSOR_TYPE_SHAPE)
            continue;
        t->shape.rank = 0;
        sub = ax_wire_sub(&f);
        while (ax_wire_next(&sub, &g))
            if (g.number == ONNX_SHAPE_DIM)
                AX_TRY(read_dim(r, &g, &t->shape));
        if (sub.bad)
            return ax_read_corrupt(r, "a shape");
    }
    return w.bad ? ax_read_corrupt(r, "a type") : AX_OK;
}

ax_status ax_read_value_info(ax_reader *r, const ax_field *field, ax_input_bytes *out)
{
    ax_tensor t = {.shape = {.rank = -1}};
    ax_wire w = ax_wire_sub(field), type;
    ax_field f, g;

    *out = (ax_input_bytes){.name = "", .doc = ""};
    while (ax_wire_next(&w, &f)) {
        if (f.number == ONNX_VALUE_NAME)
            AX_TRY(ax_read_string(r, &f, &out->name));
        if (f.number == ONNX_VALUE_DOC)
            AX_TRY(ax_read_string(r, &f, &out->doc));
        if (f.number != ONNX_VALUE_TYPE)
            continue;
        type = ax_wire_sub(&f);
        while (ax_wire_next(&type, &g))
            if (g.number == ONNX_TYPE_TENSOR)
                AX_TRY(read_tensor_type(r, &g, &t));
        if (type.bad)
            return ax_read_corrupt(r, "a type");
    }
    out->type = t.type;
    out->shape = t.shape;
    return w.bad ? ax_read_corrupt(r, "an input or output") : AX_OK;
}

static ax_status read_input(ax_reader *r, const ax_field *f)
{
    ax_input_bytes in;
    int v;

    AX_TRY(ax_read_value_info(r, f, &in));
    v = ax_graph_find_value(r->g, in.name);
    if (v >= 0 && r->g->value[v].role == AX_VALUE_WEIGHT)
        return AX_OK; /* IR version 3 lists initializers among the inputs */
    if (in.shape.rank < 0)
        return ax_fail(r->err, AX_ERR_UNSUPPORTED, "input \"%s\" has no shape", in.name);
    return ax_graph_add_input(r->g, in.name, in.type, &in.shape, &v, r->err);
}

static ax_status read_output(ax_reader *r, const ax_field *f)
{
    const char *name;
    ax_wire w = ax_wire_sub(f);
    ax_field sub;
    int v;

    /* only the name counts: what an output is, the graph itself says */
    name = "";
    while (ax_wire_next(&w, &sub))
        if (sub.number == ONNX_VALUE_NAME)
            AX_TRY(ax_read_string(r, &sub, &name));
    if (w.bad)
        return ax_read_corrupt(r, "an output");
    v = ax_graph_find_value(r->g, name);
    if (v < 0)
        return ax_read_corrupt(r, "an output that nothing computes");
    return ax_graph_add_output(r->g, v, r->err);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

typedef struct node_bytes {
    const char *name, *op_type, *domain;
    int n_in, n_out, n_attr;
    int in[AX_MAX_NODE_VALUES];
    const char *out[AX_MAX_NODE_VALUES];
    ax_attr attr[AX_MAX_ATTRIBUTES];
} node_bytes;

static ax_status read_attr(ax_reader *r, const ax_field *field, node_bytes *n)
{
    if (n->n_attr == AX_MAX_ATTRIBUTES)
        return ax_fail(r->err, AX_ERR_LIMIT, "a node has more than %d attributes", AX_MAX_ATTRIBUTES);
    return ax_read_attr(r, field, &n->attr[n->n_attr++]);
}

static ax_status read_node_input(ax_reader *r, const ax_field *f, node_bytes *n)
{
    const char *name;

    AX_TRY(ax_read_string(r, f, &name));
    if (n->n_in == AX_MAX_NODE_VALUES)
        return ax_fail(r->err, AX_ERR_LIMIT, "a node has more than %d inputs",
                       AX_MAX_NODE_VALUES);
    n->in[n->n_in] = name[0] == '\0' ? -1 : ax_graph_find_value(r->g, name);
    if (name[0] != '\0' && n->in[n->n_in] < 0)
        return ax_read_corrupt(r, "a node reads a value that no earlier node computes");
    n->n_in++;
    return AX_OK;
}

static ax_status read_node_field(ax_reader *r, const ax_field *f, node_bytes *n)
{
    switch (f->number) {
    case ONNX_NODE_INPUT:
        return read_node_input(r, f, n);
    case ONNX_NODE_OUTPUT:
        if (n->n_out == AX_MAX_NODE_VALUES)
            return ax_fail(r->err, AX_ERR_LIMIT, "a node has more than %d outputs",
                           AX_MAX_NODE_VALUES);
        return ax_read_string(r, f, &n->out[n->n_out++]);
    case ONNX_NODE_NAME:
        return ax_read_string(r, f, &n->name);
    case ONNX_NODE_OP_TYPE:
        return ax_read_string(r, f, &n->op_type);
    case ONNX_NODE_DOMAIN:
        return ax_read_string(r, f, &n->domain);
    case ONNX_NODE_ATTRIBUTE:
        return read_attr(r, f, n);
    default:
        return AX_OK;
    }
}

/* An operator that is unknown is in every domain: who adds the node complains. */
static bool in_domain(const char *op_type, const char *domain)
{
    const ax_op *op = ax_op_find(op_type);

    if (op != NULL && op->domain != NULL)
        return strcmp(domain, op->domain) == 0;
    return domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0;
}

static ax_status read_node(ax_reader *r, const ax_field *field)
{
    node_bytes *n;
    ax_wire w = ax_wire_sub(field);
    ax_field f;
    int out[AX_MAX_NODE_VALUES];

    if (r->nodes_seen++ < r->front_nodes)
        return AX_OK;
    n = ax_arena_alloc(&r->work, sizeof(*n));
    if (n == NULL)
        return ax_nomem(r->err);
    n->name = n->op_type = n->domain = "";
    while (ax_wire_next(&w, &f))
        AX_TRY(read_node_field(r, &f, n));
    if (w.bad)
        return ax_read_corrupt(r, "a node");
    if (!in_domain(n->op_type, n->domain))
        return ax_fail(r->err, AX_ERR_UNSUPPORTED, "operator \"%s\" of domain \"%s\"", n->op_type,
                       n->domain);
    return ax_graph_add_node_multi(r->g, n->op_type, n->name, n->n_in, n->in, n->n_attr, n->attr,
                                   n->n_out, n->out, out, r->err);
}

/* ---- graph and model ------------------------------------------------------------------------- */

/* Calls read for every field of one number, with a fresh working arena each time. */
static ax_status each(ax_reader *r, const ax_field *graph, uint32_t number,
                      ax_status (*read)(ax_reader *r, const ax_field *f))
{
    ax_wire w = ax_wire_sub(graph);
    ax_field f;
    ax_status status = AX_OK;

    while (status == AX_OK && ax_wire_next(&w, &f)) {
        if (f.number != number)
            continue;
        if (!ax_may_continue(&r->g->arena.env))
            return ax_cancelled(r->err);
        status = read(r, &f);
        ax_arena_free(&r->work);
    }
    return status == AX_OK && w.bad ? ax_read_corrupt(r, "the graph") : status;
}

static ax_status read_graph(ax_reader *r, const ax_field *f)
{
    ax_wire w = ax_wire_sub(f);
    ax_field sub;

    while (ax_wire_next(&w, &sub)) {
        if (sub.number == ONNX_GRAPH_SPARSE_INITIALIZER)
            return ax_fail(r->err, AX_ERR_UNSUPPORTED, "the model has sparse tensors");
        if (sub.number == ONNX_GRAPH_NAME) {
            const char *name;

            AX_TRY(ax_read_string(r, &sub, &name));
            r->g->name = ax_arena_strdup(&r->g->arena, name);
            if (r->g->name == NULL)
                return ax_nomem(r->err);
        }
    }
    AX_TRY(each(r, f, ONNX_GRAPH_INITIALIZER, read_initializer));
    AX_TRY(ax_read_front(r, f));
    if (r->g->front == NULL)
        AX_TRY(each(r, f, ONNX_GRAPH_INPUT, read_input));
    AX_TRY(each(r, f, ONNX_GRAPH_NODE, read_node));
    return each(r, f, ONNX_GRAPH_OUTPUT, read_output);
}

static ax_status read_opset(ax_reader *r, const ax_field *field)
{
    ax_wire w = ax_wire_sub(field);
    ax_field f;
    const char *domain = "";
    uint64_t version = 0;

    while (ax_wire_next(&w, &f)) {
        if (f.number == ONNX_OPSET_DOMAIN)
            AX_TRY(ax_read_string(r, &f, &domain));
        else if (f.number == ONNX_OPSET_VERSION)
            version = f.value;
    }
    if (w.bad)
        return ax_read_corrupt(r, "the opset");
    if (domain[0] == '\0' && (version < AX_OPSET || version > AX_MAX_OPSET))
        return ax_fail(r->err, AX_ERR_UNSUPPORTED,
                       "the model uses opset %llu; %d to %d are supported",
                       (unsigned long long) version, AX_OPSET, AX_MAX_OPSET);
    return AX_OK;
}

static ax_status read_metadata(ax_reader *r, const ax_field *f)
{
    ax_meta m;

    AX_TRY(read_entry(r, f, &m));
    return ax_graph_set_meta(r->g, m.key, m.value, r->err);
}

static ax_status read_model(ax_reader *r, const uint8_t *bytes, size_t len)
{
    ax_wire w = ax_wire_of(bytes, len);
    ax_field f;
    int graphs = 0, opsets = 0;

    while (ax_wire_next(&w, &f)) {
        if (f.number == ONNX_MODEL_GRAPH && graphs++ == 0)
            AX_TRY(read_graph(r, &f));
        else if (f.number == ONNX_MODEL_OPSET_IMPORT && ++opsets > 0)
            AX_TRY(read_opset(r, &f));
        else if (f.number == ONNX_MODEL_METADATA)
            AX_TRY(read_metadata(r, &f));
    }
    if (w.bad || graphs != 1 || opsets == 0)
        return ax_read_corrupt(r, "this is no ONNX model");
    if (r->g->n_inputs == 0 || r->g->n_outputs == 0)
        return ax_read_corrupt(r, "the graph has no input or no output");
    return AX_OK;
}

ax_status ax_onnx_decode(const ax_env *env, const uint8_t *bytes, size_t len, ax_graph **out,
                         ax_error *err)
{
    ax_reader r = {.err = err};
    ax_status status;

    AX_TRY(ax_graph_create(env, "", &r.g, err));
    ax_arena_init(&r.work, env);
    status = read_model(&r, bytes, len);
    ax_arena_free(&r.work);
    if (status != AX_OK) {
        ax_graph_free(r.g);
        return status;
    }
    *out = r.g;
    return AX_OK;
}
