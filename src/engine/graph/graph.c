/*
 * graph.c: building a graph and asking it questions.
 *
 * Arrays grow by doubling inside the arena (the old ones stay there until the graph goes, at most as
 * much again). Names are found through a hash of value numbers, so that a hostile file with many
 * names costs no more than its length.
 */
#include "graph/graph.h"

#include "graph/op.h"

#define PARAM_ALIGN 16 /* floats: every weight starts on its own cache line */

ax_status ax_graph_create(const ax_env *env, const char *name, ax_graph **out, ax_error *err)
{
    ax_arena arena;
    ax_graph *g;

    ax_arena_init(&arena, env);
    g = ax_arena_alloc(&arena, sizeof(*g));
    if (g == NULL)
        return ax_nomem(err);
    g->name = ax_arena_strdup(&arena, name != NULL ? name : "");
    if (g->name == NULL) {
        ax_arena_free(&arena);
        return ax_nomem(err);
    }
    g->arena = arena; /* the graph lives in the arena that it holds */
    *out = g;
    return AX_OK;
}

void ax_graph_free(ax_graph *g)
{
    ax_arena arena;

    if (g == NULL)
        return;
    arena = g->arena;
    ax_arena_free(&arena);
}

/* ---- growing --------------------------------------------------------------------------------- */

/* Room for one more element of *array; false when there is no memory. */
static bool grow(ax_arena *a, void *array, int n, int *cap, size_t size)
{
    void **slot = array;
    void *bigger;
    int wanted = *cap == 0 ? 16 : *cap * 2;

    if (n < *cap)
        return true;
    bigger = ax_arena_array(a, (size_t) wanted, size);
    if (bigger == NULL)
        return false;
    if (n > 0)
        memcpy(bigger, *slot, (size_t) n * size);
    *slot = bigger;
    *cap = wanted;
    return true;
}

static uint64_t hash_name(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char) *name) * 0x100000001b3u;
    return h ^ (h >> 29);
}

/* The slot of name, or the free one where it belongs. */
static int *find_slot(const ax_graph *g, const char *name)
{
    uint64_t mask = (uint64_t) g->n_slots - 1;
    uint64_t i = hash_name(name) & mask;

    while (g->slot[i] != 0 && strcmp(g->value[g->slot[i] - 1].name, name) != 0)
        i = (i + 1) & mask;
    return &g->slot[i];
}

static bool grow_slots(ax_graph *g)
{
    int *old = g->slot;
    int n = g->n_slots;

    if (2 * (g->n_values + 1) <= n)
        return true;
    g->slot = ax_arena_array(&g->arena, n == 0 ? 64 : (size_t) n * 4, sizeof(int));
    if (g->slot == NULL) {
        g->slot = old;
        return false;
    }
    g->n_slots = n == 0 ? 64 : n * 4;
    for (int i = 0; i < g->n_values; i++)
        *find_slot(g, g->value[i].name) = i + 1;
    return true;
}

int ax_graph_find_value(const ax_graph *g, const char *name)
{
    return g->n_slots == 0 ? -1 : *find_slot(g, name) - 1;
}

/* A new value with the given name; the caller fills the rest. */
static ax_status add_value(ax_graph *g, const char *name, ax_value_role role, int *out,
                           ax_error *err)
{
    ax_value *v;

    if (name == NULL || name[0] == '\0')
        return ax_fail(err, AX_ERR_INVALID, "a value of the graph has no name");
    if (ax_graph_find_value(g, name) >= 0)
        return ax_fail(err, AX_ERR_INVALID, "the graph has two values named \"%s\"", name);
    if (g->n_values >= AX_MAX_VALUES)
        return ax_fail(err, AX_ERR_LIMIT, "the graph has more than %d values", AX_MAX_VALUES);
    if (!grow(&g->arena, &g->value, g->n_values, &g->cap_values, sizeof(ax_value)) ||
        !grow_slots(g))
        return ax_nomem(err);
    v = &g->value[g->n_values];
    *v = (ax_value){.role = role, .producer = -1, .shape = {.rank = -1}, .offset = -1};
    v->name = ax_arena_strdup(&g->arena, name);
    if (v->name == NULL)
        return ax_nomem(err);
    *find_slot(g, v->name) = g->n_values + 1;
    *out = g->n_values++;
    return AX_OK;
}

/* ---- inputs, weights, outputs ---------------------------------------------------------------- */

static ax_status check_declared(const char *name, ax_dtype type, const ax_shape *shape,
                                ax_error *err)
{
    ax_shape s = *shape;

    if (ax_dtype_size(type) == 0)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "\"%s\" has data type %d, which is not supported",
                       name, (int) type);
    if (s.rank < 0 || s.rank > AX_MAX_RANK)
        return ax_fail(err, AX_ERR_LIMIT, "\"%s\" has rank %d; the maximum is %d", name, s.rank,
                       AX_MAX_RANK);
    if (s.rank > 0 && s.dim[0] == AX_DIM_BATCH)
        s.dim[0] = 1;
    if (!ax_shape_sane(&s))
        return ax_fail(err, AX_ERR_INVALID, "the shape of \"%s\" is not possible", name);
    return AX_OK;
}

ax_status ax_graph_add_input(ax_graph *g, const char *name, ax_dtype type, const ax_shape *shape,
                             int *out, ax_error *err)
{
    int v;

    AX_TRY(check_declared(name, type, shape, err));
    if (!grow(&g->arena, &g->input, g->n_inputs, &g->cap_inputs, sizeof(int)))
        return ax_nomem(err);
    AX_TRY(add_value(g, name, AX_VALUE_INPUT, &v, err));
    g->value[v].type = type;
    g->value[v].shape = *shape;
    g->input[g->n_inputs++] = v;
    *out = v;
    return AX_OK;
}

ax_status ax_graph_add_weight(ax_graph *g, const char *name, ax_dtype type, const ax_shape *shape,
                              bool trainable, const void *data, int *out, ax_error *err)
{
    size_t bytes;
    int v;

    if (shape->rank > 0 && shape->dim[0] == AX_DIM_BATCH)
        return ax_fail(err, AX_ERR_INVALID, "weight \"%s\" has no fixed shape", name);
    AX_TRY(check_declared(name, type, shape, err));
    if (trainable && type != AX_FLOAT)
        return ax_fail(err, AX_ERR_INVALID, "weight \"%s\" is not of floats and cannot be trained",
                       name);
    AX_TRY(add_value(g, name, AX_VALUE_WEIGHT, &v, err));
    bytes = ax_tensor_bytes(type, shape);
    g->value[v].type = type;
    g->value[v].shape = *shape;
    g->value[v].trainable = trainable;
    if (data != NULL) {
        g->value[v].data = ax_arena_alloc(&g->arena, bytes);
        if (g->value[v].data == NULL)
            return ax_nomem(err);
        memcpy(g->value[v].data, data, bytes);
        g->value[v].filled = bytes;
    }
    *out = v;
    return AX_OK;
}

ax_status ax_graph_share_weight(ax_graph *g, const ax_value *from, int *out, ax_error *err)
{
    AX_TRY(add_value(g, from->name, AX_VALUE_WEIGHT, out, err));
    g->value[*out].type = from->type;
    g->value[*out].shape = from->shape;
    g->value[*out].trainable = from->trainable;
    g->value[*out].data = from->data;
    g->value[*out].filled = from->filled;
    g->value[*out].offset = from->offset;
    return AX_OK;
}

ax_status ax_graph_add_output(ax_graph *g, int value, ax_error *err)
{
    if (!grow(&g->arena, &g->output, g->n_outputs, &g->cap_outputs, sizeof(int)))
        return ax_nomem(err);
    g->output[g->n_outputs++] = value;
    return AX_OK;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

ax_attr ax_attr_i(const char *name, int64_t v)
{
    return (ax_attr){.name = name, .kind = AX_ATTR_INT, .i = v};
}

ax_attr ax_attr_f(const char *name, float v)
{
    return (ax_attr){.name = name, .kind = AX_ATTR_FLOAT, .f = v};
}

ax_attr ax_attr_s(const char *name, const char *v)
{
    return (ax_attr){.name = name, .kind = AX_ATTR_STRING, .s = v};
}

ax_attr ax_attr_is(const char *name, int n, const int64_t *v)
{
    return (ax_attr){.name = name, .kind = AX_ATTR_INTS, .count = n, .ints = v};
}

ax_attr ax_attr_fs(const char *name, int n, const float *v)
{
    return (ax_attr){.name = name, .kind = AX_ATTR_FLOATS, .count = n, .floats = v};
}

ax_attr ax_attr_ss(const char *name, int n, const char *const *v)
{
    return (ax_attr){.name = name, .kind = AX_ATTR_STRINGS, .count = n, .strings = v};
}

static const void *copy_bytes(ax_arena *a, const void *bytes, size_t n)
{
    void *copy = ax_arena_alloc(a, n);

    if (copy != NULL && n > 0)
        memcpy(copy, bytes, n);
    return copy;
}

#define RECENT 4 /* strings that a new one is compared with */

/*
 * Lists of strings repeat themselves (the modes of a forest's nodes): equal neighbours share their bytes. NULL when
 * there is no memory.
 */
static const char *const *copy_strings(ax_arena *a, const char *const *from, int n)
{
    const char **to = ax_arena_array(a, (size_t) n, sizeof(*to));
    const char *recent[RECENT] = {NULL};
    int turn = 0;

    for (int i = 0; to != NULL && i < n; i++) {
        for (int k = 0; k < RECENT && to[i] == NULL; k++)
            if (recent[k] != NULL && strcmp(recent[k], from[i]) == 0)
                to[i] = recent[k];
        if (to[i] == NULL)
            to[i] = recent[turn++ % RECENT] = ax_arena_strdup(a, from[i]);
        if (to[i] == NULL)
            return NULL;
    }
    return to;
}

/* False when there is no memory. */
static bool copy_attr(ax_arena *a, const ax_attr *from, ax_attr *to)
{
    *to = *from;
    to->name = ax_arena_strdup(a, from->name);
    if (to->name == NULL)
        return false;
    switch (from->kind) {
    case AX_ATTR_STRING:
        to->s = ax_arena_strdup(a, from->s);
        return to->s != NULL;
    case AX_ATTR_FLOATS:
        to->floats = copy_bytes(a, from->floats, (size_t) from->count * sizeof(float));
        return to->floats != NULL;
    case AX_ATTR_INTS:
        to->ints = copy_bytes(a, from->ints, (size_t) from->count * sizeof(int64_t));
        return to->ints != NULL;
    case AX_ATTR_STRINGS:
        to->strings = copy_strings(a, from->strings, from->count);
        return to->strings != NULL;
    case AX_ATTR_TENSOR:
        to->tensor.data = (void *) copy_bytes(
            a, from->tensor.data, ax_tensor_bytes(from->tensor.type, &from->tensor.shape));
        return to->tensor.data != NULL;
    default:
        return true;
    }
}

static ax_status check_attr(const char *node, const ax_op *op, const ax_attr *attr, ax_error *err)
{
    for (const ax_attr_spec *spec = op->attr; spec != NULL && spec->name != NULL; spec++) {
        if (strcmp(spec->name, attr->name) != 0)
            continue;
        if (spec->kind != attr->kind)
            return ax_fail(err, AX_ERR_INVALID,
                           "node \"%s\" (%s): attribute \"%s\" has the wrong type", node, op->type,
                           attr->name);
        return AX_OK;
    }
    return ax_fail(err, AX_ERR_UNSUPPORTED, "node \"%s\" (%s): unknown attribute \"%s\"", node,
                   op->type, attr->name);
}

static ax_status check_arity(const char *node, const ax_op *op, int n_in, int n_out, ax_error *err)
{
    if (n_in < op->min_in || (op->max_in >= 0 && n_in > op->max_in) || n_in > AX_MAX_NODE_VALUES)
        return ax_fail(err, AX_ERR_INVALID, "node \"%s\" (%s) has %d inputs", node, op->type,
                       n_in);
    if (n_out < op->min_out || n_out > op->max_out)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "node \"%s\" (%s) has %d outputs", node, op->type,
                       n_out);
    return AX_OK;
}

/* Inputs must exist already (that is what keeps the nodes in topological order). */
static ax_status check_inputs(const ax_graph *g, const char *node, const ax_op *op, int n_in,
                              const int *in, ax_error *err)
{
    for (int i = 0; i < n_in; i++) {
        if (in[i] < -1 || in[i] >= g->n_values)
            return ax_fail(err, AX_ERR_INTERNAL, "node \"%s\" reads value %d", node, in[i]);
        if (in[i] == -1 && i < op->min_in)
            return ax_fail(err, AX_ERR_INVALID, "node \"%s\" (%s) lacks input %d", node, op->type,
                           i + 1);
    }
    return AX_OK;
}

static ax_status add_outputs(ax_graph *g, int n_out, const char *const *name, int *out,
                             ax_error *err)
{
    for (int i = 0; i < n_out; i++) {
        out[i] = -1;
        if (name[i] == NULL || name[i][0] == '\0')
            continue;
        AX_TRY(add_value(g, name[i], AX_VALUE_COMPUTED, &out[i], err));
        g->value[out[i]].producer = g->n_nodes;
    }
    return AX_OK;
}

ax_status ax_graph_add_op(ax_graph *g, const ax_op *op, const char *name, int n_in, const int *in,
                          int n_attr, const ax_attr *attr, int n_out, const char *const *out_name,
                          int *out, ax_error *err)
{
    ax_node node = {.op = op, .n_in = n_in, .n_out = n_out, .n_attr = n_attr};
    ax_attr *copy;

    if (g->n_nodes >= AX_MAX_NODES)
        return ax_fail(err, AX_ERR_LIMIT, "the graph has more than %d nodes", AX_MAX_NODES);
    AX_TRY(check_arity(name, op, n_in, n_out, err));
    AX_TRY(check_inputs(g, name, op, n_in, in, err));
    copy = ax_arena_array(&g->arena, (size_t) n_attr, sizeof(ax_attr));
    /* before the outputs are written: `out` may be the very variable that `in` points at */
    node.in = copy_bytes(&g->arena, in, (size_t) n_in * sizeof(int));
    if (copy == NULL || node.in == NULL)
        return ax_nomem(err);
    for (int i = 0; i < n_attr; i++) {
        AX_TRY(check_attr(name, op, &attr[i], err));
        copy[i] = attr[i];
        if (!g->borrow && !copy_attr(&g->arena, &attr[i], &copy[i]))
            return ax_nomem(err);
    }
    AX_TRY(add_outputs(g, n_out, out_name, out, err));
    node.name = ax_arena_strdup(&g->arena, name);
    node.attr = copy;
    node.out = copy_bytes(&g->arena, out, (size_t) n_out * sizeof(int));
    if (node.name == NULL || node.out == NULL ||
        !grow(&g->arena, &g->node, g->n_nodes, &g->cap_nodes, sizeof(ax_node)))
        return ax_nomem(err);
    g->node[g->n_nodes++] = node;
    return AX_OK;
}

ax_status ax_graph_add_node_multi(ax_graph *g, const char *op_type, const char *name, int n_in,
                                  const int *in, int n_attr, const ax_attr *attr, int n_out,
                                  const char *const *out_name, int *out, ax_error *err)
{
    const ax_op *op = ax_op_find(op_type);

    if (op == NULL)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "operator \"%s\" is not supported (node \"%s\")",
                       op_type, name);
    return ax_graph_add_op(g, op, name, n_in, in, n_attr, attr, n_out, out_name, out, err);
}

ax_status ax_graph_add_node(ax_graph *g, const char *op_type, const char *name, int n_in,
                            const int *in, int n_attr, const ax_attr *attr, int *out,
                            ax_error *err)
{
    return ax_graph_add_node_multi(g, op_type, name, n_in, in, n_attr, attr, 1, &name, out, err);
}

const ax_attr *ax_node_attr(const ax_node *n, const char *name)
{
    for (int i = 0; i < n->n_attr; i++)
        if (strcmp(n->attr[i].name, name) == 0)
            return &n->attr[i];
    return NULL;
}

int64_t ax_node_int(const ax_node *n, const char *name, int64_t otherwise)
{
    const ax_attr *a = ax_node_attr(n, name);

    return a != NULL && a->kind == AX_ATTR_INT ? a->i : otherwise;
}

float ax_node_float(const ax_node *n, const char *name, float otherwise)
{
    const ax_attr *a = ax_node_attr(n, name);

    return a != NULL && a->kind == AX_ATTR_FLOAT ? a->f : otherwise;
}

const char *ax_node_string(const ax_node *n, const char *name, const char *otherwise)
{
    const ax_attr *a = ax_node_attr(n, name);

    return a != NULL && a->kind == AX_ATTR_STRING ? a->s : otherwise;
}

/* ---- metadata -------------------------------------------------------------------------------- */

ax_status ax_graph_set_meta(ax_graph *g, const char *key, const char *value, ax_error *err)
{
    ax_meta meta = {ax_arena_strdup(&g->arena, key), ax_arena_strdup(&g->arena, value)};

    if (meta.key == NULL || meta.value == NULL)
        return ax_nomem(err);
    for (int i = 0; i < g->n_meta; i++) {
        if (strcmp(g->meta[i].key, key) != 0)
            continue;
        g->meta[i] = meta;
        return AX_OK;
    }
    if (!grow(&g->arena, &g->meta, g->n_meta, &g->cap_meta, sizeof(ax_meta)))
        return ax_nomem(err);
    g->meta[g->n_meta++] = meta;
    return AX_OK;
}

const char *ax_graph_meta(const ax_graph *g, const char *key)
{
    for (int i = 0; i < g->n_meta; i++)
        if (strcmp(g->meta[i].key, key) == 0)
            return g->meta[i].value;
    return NULL;
}

/* ---- weights --------------------------------------------------------------------------------- */

static int64_t padded(int64_t n)
{
    return (n + PARAM_ALIGN - 1) / PARAM_ALIGN * PARAM_ALIGN;
}

/* Moves a trainable weight to its place in the flat vector. */
static void place_trainable(ax_graph *g, ax_value *v, int64_t offset)
{
    int64_t n = ax_shape_elements(&v->shape);

    v->offset = offset;
    if (v->data != NULL)
        memcpy(g->param + offset, v->data, (size_t) n * sizeof(float));
    v->data = g->param + offset;
}

ax_status ax_graph_bind(ax_graph *g, ax_error *err)
{
    int64_t total = 0;

    for (int i = 0; i < g->n_values; i++)
        if (g->value[i].trainable)
            total += padded(ax_shape_elements(&g->value[i].shape));
    if (total > AX_MAX_ELEMENTS)
        return ax_fail(err, AX_ERR_LIMIT, "the network has too many parameters");
    g->param = ax_arena_array(&g->arena, (size_t) total, sizeof(float));
    if (g->param == NULL)
        return ax_nomem(err);
    g->n_param = total;
    total = 0;
    for (int i = 0; i < g->n_values; i++) {
        ax_value *v = &g->value[i];

        if (v->trainable) {
            place_trainable(g, v, total);
            total += padded(ax_shape_elements(&v->shape));
        } else if (v->role == AX_VALUE_WEIGHT && v->data == NULL) {
            v->data = ax_arena_alloc(&g->arena, ax_tensor_bytes(v->type, &v->shape));
            if (v->data == NULL)
                return ax_nomem(err);
        }
    }
    return AX_OK;
}

int64_t ax_graph_parameters(const ax_graph *g, bool trainable_only)
{
    int64_t n = 0;

    for (int i = 0; i < g->n_values; i++) {
        const ax_value *v = &g->value[i];

        if (v->role == AX_VALUE_WEIGHT && v->type == AX_FLOAT && (v->trainable || !trainable_only))
            n += ax_shape_elements(&v->shape);
    }
    return n;
}
