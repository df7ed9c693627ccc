/*
 * layer_attention.c: MultiHeadAttention (Vaswani et al. 2017) over steps, from plain ONNX nodes.
 *
 *     q = (query Wq + bq) / sqrt(key_dim)      (T, D) -> (T, heads key_dim) -> (heads, T, key_dim)
 *     k = key Wk + bk                          (S, D') -> (heads, key_dim, S)
 *     v = value Wv + bv                        (S, D'') -> (heads, S, value_dim)
 *     y = softmax(q k) v                       (heads, T, value_dim) -> (T, heads value_dim)
 *     output = y Wo + bo                       (T, output_shape)
 *
 * Fed by one layer it attends to itself; by two, query and value, the keys are the values.
 *
 * Weights have Keras's names. Keras keeps Wq as (D, heads, key_dim) and Wo as (heads, value_dim, D); here the same
 * numbers in the same order are matrices, (D, heads key_dim) and (heads value_dim, D). Their fans are Keras's, which
 * takes the first of three dimensions for the extent of a window.
 */
#include "nn/layer.h"

#include <math.h>
#include <stdio.h>

typedef enum role { QUERY, VALUE, KEY, ROLES } role; /* in the order of the call's arguments */

typedef struct attention {
    int64_t heads, key_dim, value_dim;
    int64_t queries, steps; /* T and S */
    int64_t out;
    const ax_flow *in[ROLES];
    ax_flow flow[ROLES]; /* what in[] points at */
} attention;

/* A node name: "query" and "reshape" give "query/reshape". */
static const char *part(ax_builder *b, const char *stem, const char *suffix)
{
    return ax_arena_printf(b->work, "%s/%s", stem, suffix);
}

/* ---- checks ---------------------------------------------------------------------------------- */

static ax_status check_attention(const ax_layer *l, ax_error *err)
{
    const ax_layer_value *axes = ax_layer_get(l, "attention_axes");
    const ax_layer_value *out = ax_layer_get(l, "output_shape");

    if (axes->given && (axes->count != 1 || axes->integer[0] != 1))
        return ax_layer_fail(l, err, AX_ERR_UNSUPPORTED,
                             "\"attention_axes\" other than the steps (1) are not supported");
    if (out->given && out->count != 1)
        return ax_layer_fail(l, err, AX_ERR_UNSUPPORTED,
                             "an \"output_shape\" of more than one dimension is not supported");
    if (out->given && out->integer[0] < 1)
        return ax_layer_fail(l, err, AX_ERR_INVALID, "\"output_shape\" must be at least 1");
    return AX_OK;
}

static ax_status check_steps(ax_builder *b, const ax_flow *f, const char *what)
{
    ax_shape s = ax_shape_of(f->rank, f->dim);
    char text[128];

    if (f->rank == 2)
        return AX_OK;
    ax_build_fail(b, AX_ERR_INVALID, "its %s must have 2 dimensions (steps, features), not %s", what,
                  ax_shape_text(&s, text, sizeof(text)));
    ax_hint(b->err, f->rank == 1 ? "Set the option \"input_shape\", or add a Reshape layer before it."
                                 : "Add a Reshape layer before it.");
    return AX_ERR_INVALID;
}

static ax_status read_sizes(ax_builder *b, const ax_layer *l, attention *a)
{
    const ax_layer_value *value_dim = ax_layer_get(l, "value_dim");
    const ax_layer_value *out = ax_layer_get(l, "output_shape");

    a->heads = ax_layer_integer(l, "num_heads");
    a->key_dim = ax_layer_integer(l, "key_dim");
    a->value_dim = value_dim->given ? value_dim->integer[0] : a->key_dim;
    a->queries = a->in[QUERY]->dim[0];
    a->steps = a->in[VALUE]->dim[0];
    a->out = out->given ? out->integer[0] : a->in[QUERY]->dim[1];
    if (a->in[KEY]->dim[0] != a->steps)
        return ax_build_fail(b, AX_ERR_INVALID, "its value has %lld steps, its key %lld",
                             (long long) a->steps, (long long) a->in[KEY]->dim[0]);
    if (a->heads > AX_MAX_UNITS / AX_MAX(a->key_dim, a->value_dim))
        return ax_build_fail(b, AX_ERR_LIMIT, "its heads have more than %lld numbers together",
                             (long long) AX_MAX_UNITS);
    return AX_OK;
}

/* The first role that has what role i has: without a value the query is it, without a key the value. */
static int first_like(const ax_builder *b, int i)
{
    int like = 0;

    i = AX_MIN(i, b->n_in - 1);
    while (b->in[like]->value != b->in[i]->value)
        like++;
    return like;
}

/* What goes in, as plain floats; what comes in twice is made ready once. */
static ax_status take_inputs(ax_builder *b, attention *a)
{
    static const char *const names[ROLES] = {"query", "value", "key"};

    for (int i = 0; i < ROLES; i++) {
        int like = first_like(b, i);

        a->in[i] = &a->flow[like];
        if (like < i)
            continue;
        AX_TRY(check_steps(b, b->in[i], names[i]));
        ax_build_input(b, i);
        AX_TRY(ax_build_float(b));
        AX_TRY(ax_build_plain(b));
        a->flow[i] = ax_build_flow(b);
    }
    b->at_in = 0;
    return AX_OK;
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* The value so far times a kernel, plus a bias: called "stem/kernel", "stem/matmul" and so on; the last node `last`. */
static ax_status project(ax_builder *b, const char *stem, int64_t units, double fan_in,
                         double fan_out, const char *last)
{
    const ax_layer *l = b->layer;
    const char *matmul = part(b, stem, "matmul"), *kernel_name = part(b, stem, "kernel");
    const char *bias_name = part(b, stem, "bias");
    bool bias = ax_layer_boolean(l, "use_bias");
    int64_t dim[2] = {b->dim[1], units};
    int kernel, offset;

    if (matmul == NULL || kernel_name == NULL || bias_name == NULL)
        return ax_nomem(b->err);
    AX_TRY(ax_build_weight(b, kernel_name, 2, dim, &ax_layer_get(l, "kernel_initializer")->initializer,
                           fan_in, fan_out, &kernel));
    AX_TRY(ax_build_shape(b, 2, (int64_t[]){b->dim[0], units}, false));
    AX_TRY(ax_build_node(b, "MatMul", bias ? matmul : last, 1, &kernel, 0, NULL));
    if (!bias)
        return AX_OK;
    AX_TRY(ax_build_weight(b, bias_name, 1, &units, &ax_layer_get(l, "bias_initializer")->initializer,
                           (double) units, (double) units, &offset));
    return ax_build_node(b, "Add", last, 1, &offset, 0, NULL);
}

/* (steps, heads size) becomes (heads, steps, size) or, transposed, (heads, size, steps). */
static ax_status split_heads(ax_builder *b, const char *stem, int64_t heads, int64_t size,
                             bool transposed)
{
    const int64_t steps = b->dim[0], dim[4] = {0, steps, heads, size};
    const char *shape_name = part(b, stem, "shape"), *reshape = part(b, stem, "reshape");
    const char *transpose = part(b, stem, "transpose");
    int shape;

    if (shape_name == NULL || reshape == NULL || transpose == NULL)
        return ax_nomem(b->err);
    AX_TRY(ax_build_integers(b, shape_name, 4, dim, &shape));
    AX_TRY(ax_build_shape(b, 3, dim + 1, false));
    AX_TRY(ax_build_node(b, "Reshape", reshape, 1, &shape, 0, NULL));
    if (transposed) {
        AX_TRY(ax_build_transpose(b, transpose, (int[]){1, 2, 0}));
        return ax_build_shape(b, 3, (int64_t[]){heads, size, steps}, false);
    }
    AX_TRY(ax_build_transpose(b, transpose, (int[]){1, 0, 2}));
    return ax_build_shape(b, 3, (int64_t[]){heads, steps, size}, false);
}

/* (heads, T, value_dim) becomes (T, heads value_dim). */
static ax_status join_heads(ax_builder *b, const attention *a)
{
    const int64_t dim[3] = {0, a->queries, a->heads * a->value_dim};
    int shape;

    AX_TRY(ax_build_transpose(b, "heads/transpose", (int[]){1, 0, 2}));
    AX_TRY(ax_build_integers(b, "heads/shape", 3, dim, &shape));
    AX_TRY(ax_build_shape(b, 2, dim + 1, false));
    return ax_build_node(b, "Reshape", "heads/reshape", 1, &shape, 0, NULL);
}

/* One of the three that go in, projected and cut into heads. The value so far becomes it. */
static ax_status take(ax_builder *b, const attention *a, const char *stem, role input, int64_t size,
                      bool transposed)
{
    const char *projected = part(b, stem, "projected");
    double depth = (double) a->in[input]->dim[1];

    if (projected == NULL)
        return ax_nomem(b->err);
    ax_build_resume(b, a->in[input]);
    AX_TRY(project(b, stem, a->heads * size, (double) a->heads * depth, (double) size * depth,
                   projected));
    return split_heads(b, stem, a->heads, size, transposed);
}

/* The query is the smallest thing on the way to the scores, so it is what is scaled. */
static ax_status take_query(ax_builder *b, const attention *a)
{
    int scale;

    AX_TRY(take(b, a, "query", QUERY, a->key_dim, false));
    AX_TRY(ax_build_scalar(b, "scale", 1 / sqrtf((float) a->key_dim), &scale));
    return ax_build_node(b, "Mul", "query/scaled", 1, &scale, 0, NULL);
}

static ax_status drop(ax_builder *b, double rate)
{
    int ratio;

    if (rate == 0)
        return AX_OK;
    AX_TRY(ax_build_scalar(b, "rate", (float) rate, &ratio));
    return ax_build_node(b, "Dropout", "dropout", 1, &ratio, 0, NULL);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static ax_status attend(ax_builder *b, const ax_layer *l, const attention *a)
{
    ax_attr axis = ax_attr_i("axis", -1);
    int key, value;

    AX_TRY(take(b, a, "key", KEY, a->key_dim, true));
    key = b->value;
    AX_TRY(take(b, a, "value", VALUE, a->value_dim, false));
    value = b->value;
    AX_TRY(take_query(b, a));
    AX_TRY(ax_build_shape(b, 3, (int64_t[]){a->heads, a->queries, a->steps}, false));
    AX_TRY(ax_build_node(b, "MatMul", "scores", 1, &key, 0, NULL));
    AX_TRY(ax_build_node(b, "Softmax", "softmax", 0, NULL, 1, &axis));
    AX_TRY(drop(b, ax_layer_get(l, "dropout")->number));
    AX_TRY(ax_build_shape(b, 3, (int64_t[]){a->heads, a->queries, a->value_dim}, false));
    AX_TRY(ax_build_node(b, "MatMul", "heads", 1, &value, 0, NULL));
    return join_heads(b, a);
}

static ax_status build_attention(ax_builder *b, const ax_layer *l)
{
    attention a = {0};

    AX_TRY(take_inputs(b, &a));
    AX_TRY(read_sizes(b, l, &a));
    AX_TRY(attend(b, l, &a));
    return project(b, "attention_output", a.out, (double) (a.heads * a.value_dim),
                   (double) (a.heads * a.out), NULL);
}

#define KEY_INTEGER(key) {.name = key, .kind = AX_KEY_INTEGER, .range = {AX_FROM, 1, 0}}

static const ax_layer_key attention_keys[] = {
    AX_KEY_COUNT_OF("num_heads"),
    AX_KEY_COUNT_OF("key_dim"),
    KEY_INTEGER("value_dim"),
    {.name = "dropout", .kind = AX_KEY_NUMBER, .range = {AX_FROM | AX_BELOW, 0, 1}},
    {.name = "output_shape", .kind = AX_KEY_INTEGERS},
    {.name = "attention_axes", .kind = AX_KEY_INTEGERS},
    AX_KEYS_OF_KERNEL("kernel"),
    AX_KEYS_OF_BIAS,
    AX_KEY_NONE("use_gate"),
    AX_KEY_SKIP("flash_attention"), /* how, not what, it computes */
    AX_KEY_SKIP("seed"),            /* the option seed rules all random numbers */
    AX_KEY_SKIP("query_shape"),     /* what Keras notes once it has built the layer */
    AX_KEY_SKIP("key_shape"),
    AX_KEY_SKIP("value_shape"),
    AX_KEY_END,
};

const ax_layer_kind ax_layers_attention[] = {
    {"MultiHeadAttention", NULL, attention_keys, AX_LAYER_PLAIN | AX_LAYER_FED_BY(1, 3), 0, NULL,
     NULL, check_attention, build_attention},
    {.name = NULL},
};
