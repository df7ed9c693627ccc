/*
 * network_json.c: finds the layers in what was written, and gives every one its name.
 *
 * A name that Keras would make is the class in snake case and a number from the second one on. Names
 * written in configs come first: a made name steps aside.
 */
#include "nn/network_json.h"

#include "table/options.h"

/* ---- the list -------------------------------------------------------------------------------- */

static ax_status not_a_list(const ax_json *v, ax_error *err)
{
    ax_wrong_type("layers", "a list", v, err);
    ax_hint(err, "Write a list such as [{\"Dense\": {\"units\": 10}}], or what Keras's "
                 "model.to_json() prints.");
    return AX_ERR_INVALID;
}

static ax_status other_model(const char *class_name, ax_error *err)
{
    ax_fail(err, AX_ERR_UNSUPPORTED, "a model of class \"%s\" is not supported", class_name);
    ax_hint(err, "Use a Sequential or a Functional model, or write the layers as a list.");
    return AX_ERR_UNSUPPORTED;
}

/* "Model" is what Keras called it before 2.4. */
static bool is_functional(const char *class_name)
{
    return strcmp(class_name, "Functional") == 0 || strcmp(class_name, "Model") == 0;
}

/* The array of layers, wherever it stands; *functional is the config around it if the model is one. */
static ax_status find_list(const ax_json *v, const ax_json **out, const ax_json **functional,
                           ax_error *err)
{
    const ax_json *class_name = ax_json_get(v, "class_name"), *config = v;

    *functional = NULL;
    if (class_name != NULL && class_name->kind == AX_JSON_STRING) {
        config = ax_json_get(v, "config");
        if (is_functional(class_name->string))
            *functional = config;
        else if (strcmp(class_name->string, "Sequential") != 0)
            return other_model(class_name->string, err);
    }
    if (config != NULL && config->kind == AX_JSON_OBJECT)
        config = ax_json_get(config, "layers");
    if (config == NULL || config->kind != AX_JSON_ARRAY)
        return not_a_list(v, err);
    *out = config;
    return AX_OK;
}

/* ---- one layer ------------------------------------------------------------------------------- */

static ax_status not_a_layer(const ax_json *v, int i, ax_error *err)
{
    if (v->kind == AX_JSON_OBJECT)
        ax_fail(err, AX_ERR_INVALID, "layer %d must be an object with one key, its class, not %d",
                i + 1, v->count);
    else
        ax_fail(err, AX_ERR_INVALID, "layer %d must be an object, not %s", i + 1,
                ax_json_kind_name(v->kind));
    ax_hint(err, "Write {\"Dense\": {\"units\": 10}}.");
    return AX_ERR_INVALID;
}

static ax_status check_name(const char *name, int i, ax_error *err)
{
    size_t len = strlen(name);

    if (len == 0)
        return ax_fail(err, AX_ERR_INVALID, "layer %d has an empty name", i + 1);
    if (len > AX_MAX_LAYER_NAME)
        return ax_fail(err, AX_ERR_LIMIT, "the name of layer %d has %zu bytes, the maximum is %d",
                       i + 1, len, AX_MAX_LAYER_NAME);
    for (const char *p = name; *p != '\0'; p++)
        if (*p == '/' || (unsigned char) *p < ' ')
            return ax_fail(err, AX_ERR_INVALID,
                           "the name of layer %d has a slash or a control character in it", i + 1);
    return AX_OK;
}

ax_status ax_layer_json_read(const ax_json *v, int i, ax_layer_json *out, ax_error *err)
{
    const ax_json *class_name = ax_json_get(v, "class_name"), *config = NULL, *name;

    out->written = v;
    out->position = i;
    if (v->kind == AX_JSON_STRING) {
        out->type = v->string;
    } else if (class_name != NULL && class_name->kind == AX_JSON_STRING) {
        out->type = class_name->string;
        config = ax_json_get(v, "config");
    } else if (v->kind == AX_JSON_OBJECT && v->count == 1) {
        out->type = v->key[0];
        config = v->item[0];
    } else {
        return not_a_layer(v, i, err);
    }
    if (config != NULL && config->kind != AX_JSON_OBJECT && config->kind != AX_JSON_NULL)
        return ax_fail(err, AX_ERR_INVALID, "the config of layer %d (%s) must be an object, not %s",
                       i + 1, out->type, ax_json_kind_name(config->kind));
    if (strcmp(out->type, "Sequential") == 0 || is_functional(out->type))
        return ax_fail(err, AX_ERR_UNSUPPORTED, "layer %d is a model within the model (%s)", i + 1,
                       out->type);
    out->config = config != NULL && config->kind == AX_JSON_OBJECT ? config : NULL;
    name = ax_json_get(out->config, "name");
    if (name == NULL && class_name != NULL)
        name = ax_json_get(v, "name"); /* Keras's operations have it only here */
    if (name == NULL || name->kind == AX_JSON_NULL)
        return AX_OK;
    if (name->kind != AX_JSON_STRING)
        return ax_wrong_type("the name of a layer", "text", name, err);
    out->name = name->string;
    return check_name(out->name, i, err);
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* "MaxPooling2D" -> "max_pooling2d", "LeakyReLU" -> "leaky_re_lu": a capital that follows a small letter,
 * or that follows something and is followed by a small letter, opens a word. */
static char *snake_case(ax_arena *a, const char *type)
{
    char *out = ax_arena_alloc(a, 2 * strlen(type) + 1), *to = out;

    for (const char *p = type; out != NULL && *p != '\0'; p++) {
        bool follows = p > type && p[-1] != '_';

        if (is_upper(*p) && follows && (is_lower(p[-1]) || is_lower(p[1])))
            *to++ = '_';
        *to++ = (char) (is_upper(*p) ? *p - 'A' + 'a' : *p);
    }
    return out;
}

static bool is_taken(const ax_network_json *net, const char *name, int but)
{
    for (int i = 0; i < net->n; i++)
        if (i != but && net->layer[i].name != NULL && strcmp(net->layer[i].name, name) == 0)
            return true;
    return false;
}

/* number[j]: what was last tried for the class of layer j, so that many layers of one class stay cheap. */
static ax_status make_name(ax_arena *a, ax_network_json *net, int i, int *number, ax_error *err)
{
    ax_layer_json *l = &net->layer[i];
    char *base = snake_case(a, l->type), *name;

    if (base == NULL)
        return ax_nomem(err);
    AX_TRY(check_name(base, i, err));
    for (int j = i - 1; j >= 0 && number[i] == 0; j--)
        if (strcmp(net->layer[j].type, l->type) == 0)
            number[i] = number[j];
    do {
        name = number[i] == 0 ? base : ax_arena_printf(a, "%s_%d", base, number[i]);
        number[i]++;
        if (name == NULL)
            return ax_nomem(err);
    } while (is_taken(net, name, i));
    l->name = name;
    return AX_OK;
}

static ax_status name_layers(ax_arena *a, ax_network_json *net, ax_error *err)
{
    int *number = ax_arena_array(a, (size_t) net->n, sizeof(int));

    if (number == NULL)
        return ax_nomem(err);
    for (int i = 0; i < net->n; i++)
        if (net->layer[i].name != NULL && is_taken(net, net->layer[i].name, i))
            return ax_fail(err, AX_ERR_INVALID, "two layers are named \"%s\"", net->layer[i].name);
    for (int i = 0; i < net->n; i++)
        if (net->layer[i].name == NULL)
            AX_TRY(make_name(a, net, i, number, err));
    return AX_OK;
}

ax_status ax_network_json_read(ax_arena *a, const char *text, size_t len, ax_network_json *out,
                               ax_error *err)
{
    const ax_json *list, *functional;
    ax_json *v;
    ax_network_json net = {0};

    AX_TRY(ax_json_parse(a, text, len, &v, err));
    AX_TRY(find_list(v, &list, &functional, err));
    if (list->count == 0)
        return ax_fail(err, AX_ERR_INVALID, "the list of layers is empty");
    if (list->count > AX_MAX_LAYERS)
        return ax_fail(err, AX_ERR_LIMIT, "there are %d layers, the maximum is %d", list->count,
                       AX_MAX_LAYERS);
    net.n = list->count;
    net.layer = ax_arena_array(a, (size_t) net.n, sizeof(ax_layer_json));
    if (net.layer == NULL)
        return ax_nomem(err);
    for (int i = 0; i < net.n; i++)
        AX_TRY(ax_layer_json_read(list->item[i], i, &net.layer[i], err));
    AX_TRY(name_layers(a, &net, err));
    AX_TRY(ax_network_json_link(a, functional, &net, err));
    *out = net;
    return AX_OK;
}
