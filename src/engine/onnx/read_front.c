/*
 * read_front.c: takes a graph's front (onnx/front.h) off again. Only what write_front.c writes is one: encoders in the
 * order of the texts, then the Concat by its name, whose inputs are all inputs of the graph in their order.
 */
#include "onnx/front.h"
#include "onnx/reader.h"

/* A node of the front. */
typedef struct front_node {
    const char *name, *op_type, *domain, *in, *out;
    int n_in, n_out, n_attr;
    ax_attr attr[3];
    const ax_field *field;
} front_node;

typedef struct front_bytes {
    ax_arena keep; /* what has to stay until the front is whole */
    ax_front_column *column;
    const char **code; /* of each column: what Concat reads */
    int n, cap;
    int next_text; /* the column that the next encoder belongs to */
} front_bytes;

static ax_status unsupported(ax_reader *r)
{
    return ax_fail(r->err, AX_ERR_UNSUPPORTED,
                   "the model has inputs that are texts, in another form than this engine's");
}

/* ---- inputs ---------------------------------------------------------------------------------- */

static bool grow(front_bytes *b)
{
    int cap = b->cap == 0 ? 16 : 2 * b->cap;
    ax_front_column *column = ax_arena_array(&b->keep, (size_t) cap, sizeof(*column));
    const char **code = ax_arena_array(&b->keep, (size_t) cap, sizeof(*code));

    if (column == NULL || code == NULL)
        return false;
    if (b->n > 0) {
        memcpy(column, b->column, (size_t) b->n * sizeof(*column));
        memcpy(code, b->code, (size_t) b->n * sizeof(*code));
    }
    b->column = column;
    b->code = code;
    b->cap = cap;
    return true;
}

static ax_status read_column(ax_reader *r, front_bytes *b, const ax_field *f)
{
    ax_input_bytes in;
    ax_front_column c = {0};

    AX_TRY(ax_read_value_info(r, f, &in));
    c.text = (int) in.type == AX_STRING_TYPE;
    c.width = in.shape.rank == 2 ? in.shape.dim[1] : 0;
    c.name = ax_arena_strdup(&b->keep, in.doc[0] != '\0' ? in.doc : in.name);
    if ((!c.text && in.type != AX_FLOAT) || in.shape.rank != 2 || in.shape.dim[0] != AX_DIM_BATCH)
        return unsupported(r);
    if (b->n >= AX_MAX_VALUES)
        return ax_fail(r->err, AX_ERR_LIMIT, "the model has more than %d inputs", AX_MAX_VALUES);
    if (c.name == NULL || (b->n == b->cap && !grow(b)))
        return ax_nomem(r->err);
    b->column[b->n] = c;
    b->code[b->n] = ax_arena_strdup(&b->keep, in.name);
    return b->code[b->n++] == NULL ? ax_nomem(r->err) : AX_OK;
}

static ax_status read_columns(ax_reader *r, front_bytes *b, const ax_field *graph)
{
    ax_wire w = ax_wire_sub(graph);
    ax_field f;

    while (ax_wire_next(&w, &f)) {
        if (f.number != ONNX_GRAPH_INPUT)
            continue;
        AX_TRY(read_column(r, b, &f));
        ax_arena_free(&r->work);
    }
    return AX_OK;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static ax_status read_node_field(ax_reader *r, const ax_field *f, front_node *n)
{
    const char **text = f->number == ONNX_NODE_NAME      ? &n->name
                        : f->number == ONNX_NODE_OP_TYPE ? &n->op_type
                        : f->number == ONNX_NODE_DOMAIN  ? &n->domain
                        : f->number == ONNX_NODE_OUTPUT  ? &n->out
                                                         : NULL;

    n->n_out += f->number == ONNX_NODE_OUTPUT;
    n->n_in += f->number == ONNX_NODE_INPUT;
    if (f->number == ONNX_NODE_INPUT && n->n_in == 1)
        text = &n->in;
    return text != NULL ? ax_read_string(r, f, text) : AX_OK;
}

/* What the node is: everything except its attributes, and its inputs but for the first. */
static ax_status read_head(ax_reader *r, const ax_field *field, front_node *n)
{
    ax_wire w = ax_wire_sub(field);
    ax_field f;

    *n = (front_node){.name = "", .op_type = "", .domain = "", .in = "", .out = "", .field = field};
    while (ax_wire_next(&w, &f))
        AX_TRY(read_node_field(r, &f, n));
    return w.bad ? ax_read_corrupt(r, "a node") : AX_OK;
}

static ax_status read_attrs(ax_reader *r, front_node *n)
{
    ax_wire w = ax_wire_sub(n->field);
    ax_field f;

    while (ax_wire_next(&w, &f)) {
        if (f.number != ONNX_NODE_ATTRIBUTE)
            continue;
        if (n->n_attr == AX_COUNT(n->attr))
            return unsupported(r);
        AX_TRY(ax_read_attr(r, &f, &n->attr[n->n_attr++]));
    }
    return AX_OK;
}

static const ax_attr *attr(const front_node *n, const char *name, ax_attr_kind kind)
{
    for (int i = 0; i < n->n_attr; i++)
        if (n->attr[i].kind == kind && strcmp(n->attr[i].name, name) == 0)
            return &n->attr[i];
    return NULL;
}

static bool is_encoder(const front_node *n)
{
    return strcmp(n->op_type, "LabelEncoder") == 0 && strcmp(n->domain, AX_ML_DOMAIN) == 0;
}

static bool is_concat(const front_node *n)
{
    return strcmp(n->op_type, "Concat") == 0 && strcmp(n->name, AX_FRONT_NODE) == 0 && n->domain[0] == '\0';
}

/* Keys and values as the column has them: without the empty text, which is the last. */
static ax_status keep_keys(ax_reader *r, front_bytes *b, const front_node *n, ax_front_column *c)
{
    const ax_attr *keys = attr(n, "keys_strings", AX_ATTR_STRINGS);
    const ax_attr *values = attr(n, "values_floats", AX_ATTR_FLOATS);
    const ax_attr *otherwise = attr(n, "default_float", AX_ATTR_FLOAT);
    const char **key;
    float *value;

    if (keys == NULL || values == NULL || otherwise == NULL || keys->count != values->count || keys->count < 1 ||
        keys->strings[keys->count - 1][0] != '\0')
        return unsupported(r);
    c->n_keys = keys->count - 1;
    key = ax_arena_array(&b->keep, (size_t) c->n_keys, sizeof(*key));
    value = ax_arena_array(&b->keep, (size_t) c->n_keys, sizeof(*value));
    if (key == NULL || value == NULL)
        return ax_nomem(r->err);
    for (int i = 0; i < c->n_keys; i++) {
        key[i] = ax_arena_strdup(&b->keep, keys->strings[i]);
        if (key[i] == NULL)
            return ax_nomem(r->err);
        value[i] = values->floats[i];
    }
    c->key = key;
    c->key_value = value;
    c->missing = values->floats[c->n_keys];
    c->otherwise = otherwise->f;
    return AX_OK;
}

static ax_status read_encoder(ax_reader *r, front_bytes *b, front_node *n)
{
    int i = b->next_text;

    while (i < b->n && !b->column[i].text)
        i++;
    if (i == b->n || n->n_in != 1 || n->n_out != 1 || strcmp(n->in, b->code[i]) != 0)
        return unsupported(r);
    AX_TRY(read_attrs(r, n));
    AX_TRY(keep_keys(r, b, n, &b->column[i]));
    b->code[i] = ax_arena_strdup(&b->keep, n->out);
    b->next_text = i + 1;
    return b->code[i] == NULL ? ax_nomem(r->err) : AX_OK;
}

/* Its inputs are the columns' numbers, all of them, in order; and every text had its encoder. */
static ax_status check_concat(ax_reader *r, const front_bytes *b, front_node *n)
{
    ax_wire w = ax_wire_sub(n->field);
    const ax_attr *axis;
    ax_field f;
    int i = 0;

    AX_TRY(read_attrs(r, n));
    axis = attr(n, "axis", AX_ATTR_INT);
    if (axis == NULL || axis->i != 1 || n->n_in != b->n || n->n_out != 1)
        return unsupported(r);
    while (ax_wire_next(&w, &f)) {
        if (f.number != ONNX_NODE_INPUT)
            continue;
        if (f.type != AX_WIRE_BYTES || strlen(b->code[i]) != f.len || memcmp(b->code[i], f.bytes, f.len) != 0)
            return unsupported(r);
        i++;
    }
    for (i = b->next_text; i < b->n; i++)
        if (b->column[i].text)
            return unsupported(r);
    return AX_OK;
}

static ax_status set_front(ax_reader *r, const front_bytes *b, const char *input)
{
    ax_shape shape = ax_shape_of(2, (const int64_t[]){AX_DIM_BATCH, 0});
    int v;

    for (int i = 0; i < b->n; i++)
        if (b->column[i].width < 1 || __builtin_add_overflow(shape.dim[1], b->column[i].width, &shape.dim[1]))
            return ax_read_corrupt(r, "an input's shape");
    AX_TRY(ax_graph_add_input(r->g, input, AX_FLOAT, &shape, &v, r->err));
    return ax_graph_set_front(r->g, b->n, b->column, r->err);
}

/* Node number `count` of the front. *more: another one follows. */
static ax_status read_front_node(ax_reader *r, front_bytes *b, const ax_field *field, const ax_field *graph, bool *more)
{
    front_node n;

    *more = false;
    AX_TRY(read_head(r, field, &n));
    if (!is_encoder(&n) && !is_concat(&n))
        return r->front_nodes == 0 ? AX_OK : unsupported(r);
    if (r->front_nodes++ == 0) {
        AX_TRY(read_columns(r, b, graph)); /* frees the working arena */
        AX_TRY(read_head(r, field, &n));
    }
    if (is_concat(&n)) {
        AX_TRY(check_concat(r, b, &n));
        return set_front(r, b, n.out);
    }
    *more = true;
    return read_encoder(r, b, &n);
}

ax_status ax_read_front(ax_reader *r, const ax_field *graph)
{
    front_bytes b = {.n = 0};
    ax_wire w = ax_wire_sub(graph);
    ax_field f;
    ax_status status = AX_OK;
    bool more = true;

    ax_arena_init(&b.keep, &r->g->arena.env);
    while (status == AX_OK && more && ax_wire_next(&w, &f)) {
        if (f.number != ONNX_GRAPH_NODE)
            continue;
        if (!ax_may_continue(&r->g->arena.env))
            status = ax_cancelled(r->err);
        else
            status = read_front_node(r, &b, &f, graph, &more);
        ax_arena_free(&r->work);
    }
    if (status == AX_OK && r->front_nodes > 0 && r->g->front == NULL)
        status = w.bad ? ax_read_corrupt(r, "the graph") : unsupported(r);
    ax_arena_free(&b.keep);
    return status;
}
