/*
 * layer_sequence.c: layers over steps: tokens made vectors, positions, and what is done to every step alike.
 *
 * A token is a number, in rows of floats or of bytes; one that the table does not have is a vector of zeros.
 */
#include "nn/layer.h"

static ax_status fail_rank(ax_builder *b, const char *wanted)
{
    char shape[128];

    return ax_build_fail(b, AX_ERR_INVALID, "it needs an input of %s, not %s", wanted,
                         ax_build_shape_text(b, shape, sizeof(shape)));
}

/* ---- Embedding ------------------------------------------------------------------------------- */

/* A table of `tokens` rows of `width`; the value so far, whole numbers, becomes their rows. */
static ax_status look_up(ax_builder *b, const char *table, int64_t tokens, int64_t width)
{
    const ax_initializer *init = &ax_layer_get(b->layer, "embeddings_initializer")->initializer;
    ax_attr to = ax_attr_i("to", AX_INT64), axis = ax_attr_i("axis", 0);
    int64_t dim[AX_MAX_RANK];
    int weight, tokens_value;
    ax_flow f;

    AX_TRY(ax_build_plain(b));
    AX_TRY(ax_build_weight(b, table, 2, (int64_t[]){tokens, width}, init, (double) tokens, (double) width, &weight));
    AX_TRY(ax_build_node(b, "Cast", "tokens", 0, NULL, 1, &to));
    memcpy(dim, b->dim, sizeof(dim));
    if (b->rank + 1 < AX_MAX_RANK)
        dim[b->rank] = width;
    tokens_value = b->value;
    f = ax_build_flow(b);
    f.value = weight;
    ax_build_resume(b, &f);
    AX_TRY(ax_build_shape(b, b->rank + 1, dim, false));
    b->type = AX_FLOAT;
    return ax_build_node(b, "Gather", "embedded", 1, &tokens_value, 1, &axis);
}

static ax_status build_embedding(ax_builder *b, const ax_layer *l)
{
    const ax_layer_value *length = ax_layer_get(l, "input_length");

    if (length->given && length->integer[0] != b->dim[b->rank - 1])
        return ax_build_fail(b, AX_ERR_INVALID, "its input has %lld steps, \"input_length\" says %lld",
                             (long long) b->dim[b->rank - 1], (long long) length->integer[0]);
    return look_up(b, "embeddings", ax_layer_integer(l, "input_dim"), ax_layer_integer(l, "output_dim"));
}

/* ---- PositionalEmbedding --------------------------------------------------------------------- */

/* Which rows of the table the steps have, when it has more of them. */
static ax_status first_rows(ax_builder *b, int64_t steps, int *table)
{
    int64_t *number = ax_arena_array(b->work, (size_t) steps, sizeof(*number));
    ax_attr axis = ax_attr_i("axis", 0);
    ax_flow here = ax_build_flow(b);
    int numbers;

    if (number == NULL)
        return ax_nomem(b->err);
    for (int64_t i = 0; i < steps; i++)
        number[i] = i;
    AX_TRY(ax_build_integers(b, "steps", (int) steps, number, &numbers));
    b->value = *table;
    AX_TRY(ax_build_node(b, "Gather", "positions_used", 1, &numbers, 1, &axis));
    *table = b->value;
    ax_build_resume(b, &here);
    return AX_OK;
}

/* x + positions. Tokens are made vectors first, if input_dim and output_dim say how. */
static ax_status build_positions(ax_builder *b, const ax_layer *l)
{
    const ax_layer_value *tokens = ax_layer_get(l, "input_dim"), *length = ax_layer_get(l, "sequence_length");
    const ax_initializer *init = &ax_layer_get(l, "initializer")->initializer;
    int64_t dim[2];
    int table;

    if (b->rank != (tokens->given ? 1 : 2))
        return fail_rank(b, tokens->given ? "1 dimension (steps)" : "2 dimensions (steps, features)");
    if (tokens->given)
        AX_TRY(look_up(b, "embeddings", tokens->integer[0], ax_layer_integer(l, "output_dim")));
    AX_TRY(ax_build_float(b));
    AX_TRY(ax_build_plain(b));
    dim[0] = length->given ? length->integer[0] : b->dim[0];
    dim[1] = b->dim[1];
    if (dim[0] < b->dim[0])
        return ax_build_fail(b, AX_ERR_INVALID, "its input has %lld steps, \"sequence_length\" is %lld",
                             (long long) b->dim[0], (long long) dim[0]);
    AX_TRY(ax_build_weight(b, "positions", 2, dim, init, (double) dim[0], (double) dim[1], &table));
    if (dim[0] > b->dim[0])
        AX_TRY(first_rows(b, b->dim[0], &table));
    return ax_build_node(b, "Add", NULL, 1, &table, 0, NULL);
}

static ax_status check_positions(const ax_layer *l, ax_error *err)
{
    if (ax_layer_get(l, "input_dim")->given != ax_layer_get(l, "output_dim")->given)
        return ax_layer_fail(l, err, AX_ERR_INVALID, "\"input_dim\" and \"output_dim\" go together");
    return AX_OK;
}

/* ---- RepeatVector ---------------------------------------------------------------------------- */

static ax_status build_repeat(ax_builder *b, const ax_layer *l)
{
    int64_t n = ax_layer_integer(l, "n"), dim[2] = {n, b->dim[0]};
    int64_t *zeros = ax_arena_array(b->work, (size_t) n, sizeof(*zeros));
    const int64_t one_step[3] = {0, 1, dim[1]};
    ax_attr axis = ax_attr_i("axis", 1);
    int shape, numbers;

    if (zeros == NULL)
        return ax_nomem(b->err);
    memset(zeros, 0, (size_t) n * sizeof(*zeros));
    AX_TRY(ax_build_float(b));
    AX_TRY(ax_build_shape(b, 2, dim, false));
    AX_TRY(ax_build_integers(b, "shape", 3, one_step, &shape));
    AX_TRY(ax_build_integers(b, "steps", (int) n, zeros, &numbers));
    AX_TRY(ax_build_node(b, "Reshape", "step", 1, &shape, 0, NULL));
    return ax_build_node(b, "Gather", NULL, 1, &numbers, 1, &axis);
}

/* ---- SpatialDropout1D ------------------------------------------------------------------------ */

/* Whole features are dropped: a step of ones goes through Dropout, and every step is multiplied by what is left. The
 * ones come of comparing the first step with itself, which has no gradient. */
static ax_status build_spatial_dropout(ax_builder *b, const ax_layer *l)
{
    double rate = ax_layer_get(l, "rate")->number;
    ax_attr axis = ax_attr_i("axis", 1), to = ax_attr_i("to", AX_FLOAT);
    const int64_t zero = 0;
    int first, ratio, x;

    AX_TRY(ax_build_float(b));
    AX_TRY(ax_build_plain(b));
    if (rate == 0)
        return AX_OK;
    x = b->value;
    AX_TRY(ax_build_integers(b, "first", 1, &zero, &first));
    AX_TRY(ax_build_scalar(b, "rate", (float) rate, &ratio));
    AX_TRY(ax_build_node(b, "Gather", "step", 1, &first, 1, &axis));
    AX_TRY(ax_build_node(b, "Equal", "equal", 1, &b->value, 0, NULL));
    AX_TRY(ax_build_node(b, "Cast", "ones", 0, NULL, 1, &to));
    AX_TRY(ax_build_node(b, "Dropout", "dropout", 1, &ratio, 0, NULL));
    return ax_build_node(b, "Mul", NULL, 1, &x, 0, NULL);
}

/* ---- TimeDistributed ------------------------------------------------------------------------- */

/* These do to each step what they do to a row. */
static ax_status check_distributed(const ax_layer *l, ax_error *err)
{
    static const char *const known[] = {"Dense", "Activation", "Dropout", "Rescaling"};
    const char *inner = ax_layer_get(l, "layer")->layer->kind->name;

    for (int i = 0; i < AX_COUNT(known); i++)
        if (strcmp(inner, known[i]) == 0)
            return AX_OK;
    ax_layer_fail(l, err, AX_ERR_UNSUPPORTED, "it cannot be around a layer %s", inner);
    ax_hint(err, "It can be around Dense, Activation, Dropout and Rescaling.");
    return AX_ERR_UNSUPPORTED;
}

static ax_status build_distributed(ax_builder *b, const ax_layer *l)
{
    if (b->rank < 2)
        return fail_rank(b, "at least 2 dimensions (steps, features)");
    return ax_build_inside(b, ax_layer_get(l, "layer")->layer, 0, NULL);
}

/* ---- rows ------------------------------------------------------------------------------------ */

#define KEY_COUNT(key) {.name = key, .kind = AX_KEY_INTEGER, .range = {AX_FROM, 1, 0}}

static const ax_layer_key embedding_keys[] = {
    AX_KEY_COUNT_OF("input_dim"),
    AX_KEY_COUNT_OF("output_dim"),
    AX_KEY_START("embeddings_initializer", "random_uniform"),
    KEY_COUNT("input_length"),
    AX_KEY_NONE("mask_zero"),
    AX_KEY_NONE("embeddings_regularizer"),
    AX_KEY_NONE("embeddings_constraint"),
    AX_KEY_NONE("weights"),
    AX_KEY_NONE("sparse"),
    AX_KEY_NONE("lora_rank"),
    AX_KEY_SKIP("lora_alpha"),
    AX_KEY_END,
};
static const ax_layer_key positions_keys[] = {
    KEY_COUNT("sequence_length"),
    KEY_COUNT("input_dim"),
    KEY_COUNT("output_dim"),
    AX_KEY_START("initializer", "glorot_uniform"),
    AX_KEY_START("embeddings_initializer", "random_uniform"),
    AX_KEY_NONE("mask_zero"),
    AX_KEY_END,
};
static const ax_layer_key repeat_keys[] = {AX_KEY_COUNT_OF("n"), AX_KEY_END};
static const ax_layer_key spatial_dropout_keys[] = {
    {.name = "rate", .kind = AX_KEY_NUMBER, .required = true, .range = {AX_FROM | AX_BELOW, 0, 1}},
    AX_KEY_SKIP("seed"),
    AX_KEY_NONE("noise_shape"),
    AX_KEY_END,
};
static const ax_layer_key distributed_keys[] = {
    {.name = "layer", .kind = AX_KEY_LAYER, .required = true}, AX_KEY_END};

const ax_layer_kind ax_layers_sequence[] = {
    {"Embedding", NULL, embedding_keys, AX_LAYER_PLAIN | AX_LAYER_TOKENS, 0, NULL, NULL, NULL, build_embedding},
    {"PositionalEmbedding", "PositionEmbedding", positions_keys, AX_LAYER_PLAIN | AX_LAYER_TOKENS, 0, NULL, NULL,
     check_positions, build_positions},
    {"RepeatVector", NULL, repeat_keys, AX_LAYER_PLAIN, 1, NULL, NULL, NULL, build_repeat},
    {"SpatialDropout1D", NULL, spatial_dropout_keys, AX_LAYER_PLAIN, 2, NULL, NULL, NULL, build_spatial_dropout},
    {"TimeDistributed", NULL, distributed_keys, AX_LAYER_PLAIN | AX_LAYER_WRAPS, 0, NULL, NULL, check_distributed,
     build_distributed},
    {.name = NULL},
};
