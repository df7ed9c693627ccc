/*
 * layer_recurrent.c: SimpleRNN, LSTM, GRU, and Bidirectional around one of them: ONNX's RNN, LSTM and GRU, batch first.
 *
 * The gates stand in ONNX's order (LSTM i o f c where Keras has i f c o; GRU z r h in both). A weight holds both
 * directions, its matrices one behind the other, each started as Keras starts the whole kernel of a direction. ONNX has
 * two biases, which are added up; Keras has one, but for GRU's reset_after: the other one is zeros that do not learn.
 */
#include "nn/layer.h"

#define LSTM_FORGET 2 /* the place of the forget gate */

typedef struct recurrent {
    const ax_layer *layer; /* the recurrent one: itself, or the one within Bidirectional */
    int64_t directions, gates, units, steps, features;
    bool sequences, two_biases;
} recurrent;

static bool is_kind(const ax_layer *l, const char *name)
{
    return strcmp(l->kind->name, name) == 0;
}

/* ---- weights --------------------------------------------------------------------------------- */

static ax_status add_kernel(ax_builder *b, const recurrent *r, const char *name, const char *initializer,
                            int64_t inputs, int *out)
{
    int64_t width = r->gates * r->units;

    AX_TRY(ax_build_weight(b, name, 3, (int64_t[]){r->directions, width, inputs},
                           &ax_layer_get(r->layer, initializer)->initializer, (double) inputs, (double) width, out));
    ax_build_blocks(b, (int) r->directions);
    return AX_OK;
}

/* The bias behind which stand the zeros that ONNX adds to it. */
static ax_status widen_bias(ax_builder *b, const recurrent *r, int64_t width, int *bias)
{
    ax_flow here = ax_build_flow(b);
    ax_attr axis = ax_attr_i("axis", 1);
    int64_t dim[2] = {r->directions, width}, n = r->directions * width;
    float *zero = ax_arena_array(b->work, (size_t) n, sizeof(*zero));
    int zeros;

    if (zero == NULL)
        return ax_nomem(b->err);
    memset(zero, 0, (size_t) n * sizeof(*zero));
    AX_TRY(ax_build_floats(b, "no_bias", 2, dim, zero, &zeros));
    b->value = *bias;
    AX_TRY(ax_build_node(b, "Concat", "biases", 1, &zeros, 1, &axis));
    *bias = b->value;
    ax_build_resume(b, &here);
    return AX_OK;
}

static ax_status add_bias(ax_builder *b, const recurrent *r, int *out)
{
    int64_t width = r->gates * r->units, dim[2] = {r->directions, r->two_biases ? 2 * width : width};

    AX_TRY(ax_build_weight(b, "bias", 2, dim, &ax_layer_get(r->layer, "bias_initializer")->initializer,
                           (double) dim[1], (double) dim[1], out));
    ax_build_blocks(b, (int) r->directions);
    if (is_kind(r->layer, "LSTM") && ax_layer_boolean(r->layer, "unit_forget_bias"))
        ax_build_overlay(b, LSTM_FORGET * r->units, r->units, 1);
    return r->two_biases ? AX_OK : widen_bias(b, r, width, out);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static const char *curve_of(const ax_layer *l, const char *key)
{
    const ax_activation *a = ax_layer_get(l, key)->activation;

    return ax_activation_is(a, "tanh") ? "Tanh" : ax_activation_is(a, "sigmoid") ? "Sigmoid" : "Relu";
}

static int list_curves(const recurrent *r, const char **curve)
{
    int n = 0;

    for (int d = 0; d < r->directions; d++) {
        if (!is_kind(r->layer, "SimpleRNN"))
            curve[n++] = curve_of(r->layer, "recurrent_activation");
        curve[n++] = curve_of(r->layer, "activation");
        if (is_kind(r->layer, "LSTM"))
            curve[n++] = curve_of(r->layer, "activation");
    }
    return n;
}

static ax_status transpose(ax_builder *b, const char *suffix, int n, const int64_t *perm)
{
    ax_attr attr = ax_attr_is("perm", n, perm);

    return ax_build_node(b, "Transpose", suffix, 0, NULL, 1, &attr);
}

/*
 * Output 0 of the node are all steps, output 1 the last state. Steps come first there, as every runtime of ONNX has it:
 * (steps, batch, features) in, (steps, directions, batch, units) or (directions, batch, units) out.
 */
static ax_status add_node(ax_builder *b, const recurrent *r, const int *weight, bool bias)
{
    bool back = ax_layer_boolean(r->layer, "go_backwards");
    const char *curve[6], *name = ax_build_name(b, "recurrent"), *out_name[2] = {NULL, NULL};
    int in[4] = {-1, weight[0], weight[1], weight[2]}, out[2];
    ax_attr attr[4] = {
        ax_attr_i("hidden_size", r->units),
        ax_attr_s("direction", r->directions == 2 ? "bidirectional" : back ? "reverse" : "forward"),
        ax_attr_ss("activations", list_curves(r, curve), curve), ax_attr_i("linear_before_reset", 1)};
    int n_attr = is_kind(r->layer, "GRU") && ax_layer_boolean(r->layer, "reset_after") ? 4 : 3;
    const char *op = is_kind(r->layer, "SimpleRNN") ? "RNN" : r->layer->kind->name;

    if (name == NULL)
        return ax_nomem(b->err);
    AX_TRY(transpose(b, "steps_first", 3, (const int64_t[]) {1, 0, 2}));
    in[0] = b->value;
    out_name[r->sequences ? 0 : 1] = name;
    AX_TRY(ax_graph_add_node_multi(b->graph, op, name, bias ? 4 : 3, in, n_attr, attr, r->sequences ? 1 : 2, out_name,
                                   out, b->err));
    b->value = out[r->sequences ? 0 : 1];
    b->activation = NULL;
    return r->sequences ? transpose(b, "rows_first", 4, (const int64_t[]) {2, 0, 1, 3})
                        : transpose(b, "rows_first", 3, (const int64_t[]) {1, 0, 2});
}

static ax_status reshape(ax_builder *b, int rank, const int64_t *dim)
{
    int64_t all[AX_MAX_RANK] = {0};
    int shape;

    memcpy(all + 1, dim, (size_t) rank * sizeof(*dim));
    AX_TRY(ax_build_integers(b, "shape", rank + 1, all, &shape));
    AX_TRY(ax_build_shape(b, rank, dim, false));
    return ax_build_node(b, "Reshape", NULL, 1, &shape, 0, NULL);
}

/* One of the two directions. */
static ax_status take_direction(ax_builder *b, int both, int64_t i, const char *suffix, int axis)
{
    ax_attr attr = ax_attr_i("axis", axis);
    int number;

    AX_TRY(ax_build_integers(b, i == 0 ? "first" : "second", 1, &i, &number));
    b->value = both;
    return ax_build_node(b, "Gather", suffix, 1, &number, 1, &attr);
}

/* The directions, at this axis of the graph's, as "merge_mode" says: side by side unless they are put together here. */
static ax_status merge(ax_builder *b, const ax_layer *l, int axis)
{
    bool average = ax_layer_chose(l, "merge_mode", "ave");
    int both = b->value, other, half;

    if (ax_layer_chose(l, "merge_mode", "concat"))
        return AX_OK;
    AX_TRY(take_direction(b, both, 1, "backward", axis));
    other = b->value;
    AX_TRY(take_direction(b, both, 0, "forward", axis));
    AX_TRY(ax_build_node(b, ax_layer_chose(l, "merge_mode", "mul") ? "Mul" : "Add", "merged", 1, &other, 0, NULL));
    if (!average)
        return AX_OK;
    AX_TRY(ax_build_scalar(b, "half", 0.5f, &half));
    return ax_build_node(b, "Mul", "average", 1, &half, 0, NULL);
}

/* (batch, steps, directions, units) or (batch, directions, units) without the directions. */
static ax_status close_recurrent(ax_builder *b, const ax_layer *l, const recurrent *r)
{
    bool two = r->directions == 2, concat = two && ax_layer_chose(l, "merge_mode", "concat");
    int64_t width = concat ? 2 * r->units : r->units, dim[2] = {r->steps, width};

    if (two)
        AX_TRY(merge(b, l, r->sequences ? 2 : 1));
    return r->sequences ? reshape(b, 2, dim) : reshape(b, 1, &width);
}

/* Whole features, the same ones at every step, as Keras drops them. */
static ax_status drop_inputs(ax_builder *b, const ax_layer *inner)
{
    const char *name = ax_build_name(b, "inputs");
    ax_layer *drop;

    if (ax_layer_get(inner, "dropout")->number == 0)
        return AX_OK;
    if (name == NULL)
        return ax_nomem(b->err);
    AX_TRY(ax_layer_make(b->work, "SpatialDropout1D", name, b->layer, &drop, b->err));
    ax_layer_change(drop, "rate")->number = ax_layer_get(inner, "dropout")->number;
    return ax_build_inside(b, drop, 0, NULL);
}

static ax_status build_recurrent(ax_builder *b, const ax_layer *l, const ax_layer *inner, int64_t directions)
{
    recurrent r = {inner, directions, is_kind(inner, "LSTM") ? 4 : is_kind(inner, "GRU") ? 3 : 1,
                   ax_layer_integer(inner, "units"), b->dim[0], b->dim[1],
                   ax_layer_boolean(inner, "return_sequences"), false};
    bool bias = ax_layer_boolean(inner, "use_bias");
    int weight[3];

    r.two_biases = r.gates == 3 && ax_layer_boolean(inner, "reset_after");
    AX_TRY(ax_build_float(b));
    AX_TRY(ax_build_plain(b));
    AX_TRY(drop_inputs(b, inner));
    AX_TRY(add_kernel(b, &r, "kernel", "kernel_initializer", r.features, &weight[0]));
    AX_TRY(add_kernel(b, &r, "recurrent_kernel", "recurrent_initializer", r.units, &weight[1]));
    if (bias)
        AX_TRY(add_bias(b, &r, &weight[2]));
    AX_TRY(add_node(b, &r, weight, bias));
    return close_recurrent(b, l, &r);
}

static ax_status build_alone(ax_builder *b, const ax_layer *l)
{
    return build_recurrent(b, l, l, 1);
}

static ax_status build_bidirectional(ax_builder *b, const ax_layer *l)
{
    return build_recurrent(b, l, ax_layer_get(l, "layer")->layer, 2);
}

/* ---- checks ---------------------------------------------------------------------------------- */

static ax_status check_curve(const ax_layer *l, const char *key, ax_error *err)
{
    const ax_layer_value *v = ax_layer_get(l, key);

    if (v == NULL || ax_activation_is(v->activation, "tanh") || ax_activation_is(v->activation, "sigmoid") ||
        ax_activation_is(v->activation, "relu"))
        return AX_OK;
    return ax_layer_fail(l, err, AX_ERR_UNSUPPORTED, "\"%s\" can be tanh, sigmoid or relu", key);
}

static ax_status check_zero(const ax_layer *l, const char *key, ax_error *err)
{
    if (ax_layer_get(l, key)->number == 0)
        return AX_OK;
    return ax_layer_fail(l, err, AX_ERR_UNSUPPORTED, "\"%s\" is not supported", key);
}

static ax_status check_recurrent(const ax_layer *l, ax_error *err)
{
    AX_TRY(check_curve(l, "activation", err));
    AX_TRY(check_curve(l, "recurrent_activation", err));
    AX_TRY(check_zero(l, "recurrent_dropout", err));
    if (ax_layer_boolean(l, "go_backwards") && ax_layer_boolean(l, "return_sequences"))
        return ax_layer_fail(l, err, AX_ERR_UNSUPPORTED, "\"go_backwards\" with \"return_sequences\" is not supported");
    return AX_OK;
}

static ax_status check_bidirectional(const ax_layer *l, ax_error *err)
{
    const ax_layer *inner = ax_layer_get(l, "layer")->layer;

    if (!is_kind(inner, "LSTM") && !is_kind(inner, "GRU") && !is_kind(inner, "SimpleRNN"))
        return ax_layer_fail(l, err, AX_ERR_INVALID, "it goes around LSTM, GRU or SimpleRNN, not around %s",
                             inner->kind->name);
    if (ax_layer_boolean(inner, "go_backwards"))
        return ax_layer_fail(l, err, AX_ERR_UNSUPPORTED, "\"go_backwards\" within it is not supported");
    return AX_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

#define KEY_RATE(key) {.name = key, .kind = AX_KEY_NUMBER, .range = {AX_FROM | AX_BELOW, 0, 1}}
#define RECURRENT_KEYS                                                                             \
    AX_KEY_COUNT_OF("units"), {.name = "activation", .kind = AX_KEY_ACTIVATION, .text = "tanh"},  \
        AX_KEYS_OF_KERNEL("kernel"), AX_KEYS_OF_BIAS,                                              \
        AX_KEY_START("recurrent_initializer", "orthogonal"), AX_KEY_NONE("recurrent_regularizer"), \
        AX_KEY_NONE("recurrent_constraint"), AX_KEY_FLAG("return_sequences", 0),                   \
        AX_KEY_FLAG("go_backwards", 0), AX_KEY_NONE("return_state"), AX_KEY_NONE("stateful"),      \
        AX_KEY_NONE("time_major"), AX_KEY_NONE("zero_output_for_mask"), KEY_RATE("dropout"),       \
        KEY_RATE("recurrent_dropout"), AX_KEY_SKIP("unroll"), AX_KEY_SKIP("implementation"),       \
        AX_KEY_SKIP("use_cudnn"), AX_KEY_SKIP("seed")
#define RECURRENT_ACTIVATION {.name = "recurrent_activation", .kind = AX_KEY_ACTIVATION, .text = "sigmoid"}

static const ax_layer_key simple_keys[] = {RECURRENT_KEYS, AX_KEY_END};
static const ax_layer_key lstm_keys[] = {
    RECURRENT_KEYS, RECURRENT_ACTIVATION, AX_KEY_FLAG("unit_forget_bias", 1), AX_KEY_END};
static const ax_layer_key gru_keys[] = {
    RECURRENT_KEYS, RECURRENT_ACTIVATION, AX_KEY_FLAG("reset_after", 1), AX_KEY_END};
static const ax_layer_key bidirectional_keys[] = {
    {.name = "layer", .kind = AX_KEY_LAYER, .required = true},
    {.name = "merge_mode", .kind = AX_KEY_CHOICE, .text = "concat|sum|mul|ave"},
    AX_KEY_NONE("backward_layer"),
    AX_KEY_END,
};

const ax_layer_kind ax_layers_recurrent[] = {
    {"SimpleRNN", NULL, simple_keys, AX_LAYER_PLAIN, 2, NULL, NULL, check_recurrent, build_alone},
    {"LSTM", NULL, lstm_keys, AX_LAYER_PLAIN, 2, NULL, NULL, check_recurrent, build_alone},
    {"GRU", NULL, gru_keys, AX_LAYER_PLAIN, 2, NULL, NULL, check_recurrent, build_alone},
    {"Bidirectional", NULL, bidirectional_keys, AX_LAYER_PLAIN | AX_LAYER_WRAPS, 2, NULL, NULL, check_bidirectional,
     build_bidirectional},
    {.name = NULL},
};
