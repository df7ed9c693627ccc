/*
 * layer_activation.c: the activations, by name at the end of other layers and as layers of their own.
 *
 * Where Keras 2 and 3 differ, Keras 3 is followed: hard_sigmoid is relu6(x + 3) / 6 (slope 1/6), and
 * leaky_relu by name has slope 0.2, while the layer LeakyReLU has 0.3. Softmax and log_softmax go over
 * the last logical axis, wherever it stands, so no layout is changed for them.
 */
#include "nn/layer.h"

#include "table/setting.h"

/* ---- how the nodes are made ------------------------------------------------------------------ */

static ax_status build_plain(ax_builder *b, const ax_activation *a, const char *suffix)
{
    return ax_build_node(b, a->op, suffix, 0, NULL, 0, NULL);
}

static ax_status build_alpha(ax_builder *b, const ax_activation *a, const char *suffix)
{
    ax_attr alpha = ax_attr_f("alpha", a->alpha);

    return ax_build_node(b, a->op, suffix, 0, NULL, 1, &alpha);
}

static ax_status build_alpha_beta(ax_builder *b, const ax_activation *a, const char *suffix)
{
    ax_attr attr[] = {ax_attr_f("alpha", a->alpha), ax_attr_f("beta", a->beta)};

    return ax_build_node(b, a->op, suffix, 0, NULL, 2, attr);
}

static ax_status build_softmax(ax_builder *b, const ax_activation *a, const char *suffix)
{
    ax_attr axis = ax_attr_i("axis", b->moved ? 1 : -1);

    return ax_build_node(b, a->op, suffix, 0, NULL, 1, &axis);
}

/* Between alpha and beta; alpha above beta leaves the lower side open. */
static ax_status build_clip(ax_builder *b, const ax_activation *a, const char *suffix)
{
    int limit[2] = {-1, -1};

    if (a->alpha <= a->beta)
        AX_TRY(ax_build_scalar(b, "min", a->alpha, &limit[0]));
    AX_TRY(ax_build_scalar(b, "max", a->beta, &limit[1]));
    return ax_build_node(b, a->op, suffix, 2, limit, 0, NULL);
}

/* x * sigmoid(x) */
static ax_status build_swish(ax_builder *b, const ax_activation *a, const char *suffix)
{
    int x = b->value;

    AX_TRY(ax_build_node(b, "Sigmoid", "sigmoid", 0, NULL, 0, NULL));
    return ax_build_node(b, a->op, suffix, 1, &x, 0, NULL);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const ax_activation activations[] = {
    {"linear", NULL, NULL, NULL, 0, 0},
    {"relu", NULL, "Relu", build_plain, 0, 0},
    {"relu6", NULL, "Clip", build_clip, 0, 6},
    {"leaky_relu", NULL, "LeakyRelu", build_alpha, 0.2f, 0},
    {"elu", NULL, "Elu", build_alpha, 1, 0},
    {"selu", NULL, "Selu", build_plain, 0, 0},
    {"gelu", NULL, "Gelu", build_plain, 0, 0},
    {"swish", "silu", "Mul", build_swish, 0, 0},
    {"hard_swish", "hard_silu", "HardSwish", build_plain, 0, 0},
    {"sigmoid", NULL, "Sigmoid", build_plain, 0, 0},
    {"hard_sigmoid", NULL, "HardSigmoid", build_alpha_beta, 1.0f / 6, 0.5f},
    {"tanh", NULL, "Tanh", build_plain, 0, 0},
    {"softplus", NULL, "Softplus", build_plain, 0, 0},
    {"softsign", NULL, "Softsign", build_plain, 0, 0},
    {"exponential", NULL, "Exp", build_plain, 0, 0},
    {"softmax", NULL, "Softmax", build_softmax, 0, 0},
    {"log_softmax", NULL, "LogSoftmax", build_softmax, 0, 0},
};

const ax_activation *ax_activation_find(const char *name)
{
    for (int i = 0; i < AX_COUNT(activations); i++) {
        const ax_activation *a = &activations[i];

        if (strcmp(a->name, name) == 0 || (a->alias != NULL && strcmp(a->alias, name) == 0))
            return a;
    }
    return NULL;
}

bool ax_activation_is(const ax_activation *a, const char *name)
{
    return strcmp(a == NULL ? "linear" : a->name, name) == 0;
}

static ax_status unknown_activation(const char *what, const char *name, ax_error *err)
{
    const char *known[AX_COUNT(activations)];

    for (int i = 0; i < AX_COUNT(activations); i++)
        known[i] = activations[i].name;
    ax_fail(err, AX_ERR_UNKNOWN, "%s: unknown activation \"%s\"", what, name);
    ax_hint_names(err, name, known, AX_COUNT(activations));
    return AX_ERR_UNKNOWN;
}

ax_status ax_activation_read(const ax_json *v, const char *what, const ax_activation **out,
                             ax_error *err)
{
    const ax_json *config;
    const ax_activation *a;
    const char *name;

    AX_TRY(ax_named_config(v, what, &name, &config, err));
    a = ax_activation_find(name);
    if (a == NULL)
        return unknown_activation(what, name, err);
    if (config != NULL && config->count > 0) {
        ax_fail(err, AX_ERR_UNSUPPORTED, "%s: an activation with settings is not supported", what);
        ax_hint(err, "Add a layer of its own, such as {\"LeakyReLU\": {\"negative_slope\": 0.1}}.");
        return AX_ERR_UNSUPPORTED;
    }
    *out = a->op == NULL ? NULL : a;
    return AX_OK;
}

/* The node is called "layer/relu" or, for a layer that is nothing else, by the layer's own name. */
static ax_status build_as(ax_builder *b, const ax_activation *a, const char *suffix)
{
    if (a == NULL || a->op == NULL)
        return AX_OK;
    AX_TRY(ax_build_float(b));
    AX_TRY(a->build(b, a, suffix));
    b->activation = ax_activation_find(a->name); /* a may be a layer's own, with other settings */
    return AX_OK;
}

ax_status ax_build_activation(ax_builder *b, const ax_activation *a)
{
    return build_as(b, a, a == NULL ? NULL : a->name);
}

/* ---- layers ---------------------------------------------------------------------------------- */

static ax_status build_activation_layer(ax_builder *b, const ax_layer *l)
{
    return build_as(b, ax_layer_activation(l), NULL);
}

/* One of the two names of a slope was given, or none. */
static float slope(const ax_layer *l, const char *key, const char *other)
{
    const ax_layer_value *v = ax_layer_get(l, other);

    return (float) (v->given ? v : ax_layer_get(l, key))->number;
}

static ax_status build_leaky_relu(ax_builder *b, const ax_layer *l)
{
    ax_activation a = {"leaky_relu", NULL, "LeakyRelu", build_alpha,
                       slope(l, "negative_slope", "alpha"), 0};

    return build_as(b, &a, NULL);
}

static ax_status build_elu(ax_builder *b, const ax_layer *l)
{
    ax_activation a = {"elu", NULL, "Elu", build_alpha, (float) ax_layer_get(l, "alpha")->number,
                       0};

    return build_as(b, &a, NULL);
}

static ax_status check_relu(const ax_layer *l, ax_error *err)
{
    if (ax_layer_get(l, "threshold")->number != 0)
        return ax_layer_fail(l, err, AX_ERR_UNSUPPORTED, "a \"threshold\" is not supported");
    return AX_OK;
}

/* min(max(x, slope * x), max_value) */
static ax_status build_relu(ax_builder *b, const ax_layer *l)
{
    const ax_layer_value *max = ax_layer_get(l, "max_value");
    float leak = slope(l, "negative_slope", "alpha");
    ax_activation clip = {"relu", NULL, "Clip", build_clip, 0, (float) max->number};
    ax_activation leaky = {"relu", NULL, "LeakyRelu", build_alpha, leak, 0};

    if (leak != 0)
        AX_TRY(build_as(b, &leaky, max->given ? "leaky_relu" : NULL));
    if (leak != 0)
        clip.alpha = clip.beta + 1; /* no lower limit */
    if (max->given)
        return build_as(b, &clip, NULL);
    return leak == 0 ? build_as(b, ax_activation_find("relu"), NULL) : AX_OK;
}

static ax_status build_softmax_layer(ax_builder *b, const ax_layer *l)
{
    const ax_layer_value *v = ax_layer_get(l, "axis");
    ax_attr attr;
    int axis;

    if (v->count != 1)
        return ax_build_fail(b, AX_ERR_UNSUPPORTED, "an \"axis\" of more than one is not supported");
    AX_TRY(ax_build_float(b));
    AX_TRY(ax_build_axis(b, "axis", v->integer[0], &axis));
    if (axis == b->rank - 1)
        return build_activation_layer(b, l);
    attr = ax_attr_i("axis", ax_build_physical_axis(b, axis));
    return ax_build_node(b, "Softmax", NULL, 0, NULL, 1, &attr);
}

#define NUMBER_KEY(key, otherwise, from)                                                           \
    {.name = key, .kind = AX_KEY_NUMBER, .range = {AX_FROM, from, 0}, .number = otherwise}

static const ax_layer_key no_keys[] = {AX_KEY_END};
static const ax_layer_key activation_keys[] = {
    {.name = "activation", .kind = AX_KEY_ACTIVATION, .required = true}, AX_KEY_END};
static const ax_layer_key softmax_keys[] = {
    {.name = "axis", .kind = AX_KEY_INTEGERS, .number = -1}, AX_KEY_END};
static const ax_layer_key leaky_relu_keys[] = {NUMBER_KEY("negative_slope", 0.3, 0),
                                               NUMBER_KEY("alpha", 0.3, 0), AX_KEY_END};
static const ax_layer_key elu_keys[] = {NUMBER_KEY("alpha", 1, 0), AX_KEY_END};
static const ax_layer_key relu_keys[] = {NUMBER_KEY("max_value", 0, 0),
                                         NUMBER_KEY("negative_slope", 0, 0),
                                         NUMBER_KEY("alpha", 0, 0), NUMBER_KEY("threshold", 0, 0),
                                         AX_KEY_END};

#define LAYER(class_name, keys, activation, check, build)                                          \
    {class_name, NULL, keys, 0, 0, NULL, activation, check, build}
/* An activation as a layer without settings. */
#define BY_NAME(name) LAYER(name, no_keys, name, NULL, build_activation_layer)

const ax_layer_kind ax_layers_activation[] = {
    LAYER("Activation", activation_keys, NULL, NULL, build_activation_layer),
    LAYER("ReLU", relu_keys, "relu", check_relu, build_relu),
    LAYER("LeakyReLU", leaky_relu_keys, "leaky_relu", NULL, build_leaky_relu),
    LAYER("ELU", elu_keys, "elu", NULL, build_elu),
    LAYER("Softmax", softmax_keys, "softmax", NULL, build_softmax_layer),
    BY_NAME("linear"),
    BY_NAME("relu"),
    BY_NAME("relu6"),
    BY_NAME("leaky_relu"),
    BY_NAME("elu"),
    BY_NAME("selu"),
    BY_NAME("gelu"),
    BY_NAME("swish"),
    BY_NAME("silu"),
    BY_NAME("hard_swish"),
    BY_NAME("hard_silu"),
    BY_NAME("sigmoid"),
    BY_NAME("hard_sigmoid"),
    BY_NAME("tanh"),
    BY_NAME("softplus"),
    BY_NAME("softsign"),
    BY_NAME("exponential"),
    BY_NAME("softmax"),
    BY_NAME("log_softmax"),
    {.name = NULL},
};
