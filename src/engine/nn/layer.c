/*
 * layer.c: the table of layers, and the reading of their configs by it.
 *
 * The rows stand with the families; here is the list of families. A config is read key by key into one
 * ax_layer_value a key, defaults included, so that whoever builds a layer never looks at JSON.
 */
#include "nn/layer.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "table/setting.h"

static const ax_layer_kind *const families[] = {
    ax_layers_dense, ax_layers_conv,       ax_layers_pool,       ax_layers_shape,
    ax_layers_norm,  ax_layers_preprocess, ax_layers_regularize, ax_layers_padding,
    ax_layers_merge, ax_layers_attention,  ax_layers_sequence,   ax_layers_recurrent,
    ax_layers_activation,
};

/* What every layer may say. */
static const ax_layer_key common_keys[] = {
    AX_KEY_SKIP("name"), /* network_json.c has read it */
    {.name = "inbound", .kind = AX_KEY_LINKS},
    AX_KEY_FLAG("trainable", 1),
    {.name = "input_shape", .kind = AX_KEY_SHAPE},
    {.name = "batch_input_shape", .kind = AX_KEY_SHAPE},
    {.name = "batch_shape", .kind = AX_KEY_SHAPE},
    {.name = "input_dim", .kind = AX_KEY_INTEGER, .range = {AX_FROM, 1, 0}},
    AX_KEY_NONE("activity_regularizer"),
    AX_KEY_NONE("quantization_config"),
    AX_KEY_SKIP("dtype"),
    AX_KEY_SKIP("autocast"),
    AX_KEY_SKIP("batch_size"),
    AX_KEY_SKIP("build_config"),
    AX_KEY_END,
};

/* ---- looking up ------------------------------------------------------------------------------ */

const ax_layer_kind *ax_layer_kind_at(int i)
{
    for (int f = 0; f < AX_COUNT(families); f++)
        for (const ax_layer_kind *k = families[f]; k->name != NULL; k++)
            if (i-- == 0)
                return k;
    return NULL;
}

int ax_layer_kind_count(void)
{
    int n = 0;

    while (ax_layer_kind_at(n) != NULL)
        n++;
    return n;
}

const ax_layer_kind *ax_layer_kind_find(const char *name)
{
    for (int f = 0; f < AX_COUNT(families); f++)
        for (const ax_layer_kind *k = families[f]; k->name != NULL; k++)
            if (strcmp(k->name, name) == 0 || (k->alias != NULL && strcmp(k->alias, name) == 0))
                return k;
    return NULL;
}

static int key_count(const ax_layer_key *keys)
{
    int n = 0;

    while (keys[n].name != NULL)
        n++;
    return n;
}

/* The row of a key and its number among the layer's values; NULL when the layer has none of this name. */
static const ax_layer_key *find_key(const ax_layer_kind *kind, const char *name, int *number)
{
    const ax_layer_key *const lists[] = {kind->key, common_keys};

    *number = 0;
    for (int l = 0; l < AX_COUNT(lists); l++)
        for (const ax_layer_key *k = lists[l]; k->name != NULL; k++, ++*number)
            if (strcmp(k->name, name) == 0)
                return k;
    return NULL;
}

const ax_layer_value *ax_layer_get(const ax_layer *l, const char *key)
{
    int number;

    return find_key(l->kind, key, &number) == NULL ? NULL : &l->value[number];
}

int64_t ax_layer_integer(const ax_layer *l, const char *key)
{
    return ax_layer_get(l, key)->integer[0];
}

ax_layer_value *ax_layer_change(ax_layer *l, const char *key)
{
    int number;

    return find_key(l->kind, key, &number) == NULL ? NULL : &l->value[number];
}

bool ax_layer_boolean(const ax_layer *l, const char *key)
{
    return ax_layer_get(l, key)->boolean;
}

bool ax_layer_chose(const ax_layer *l, const char *key, const char *choice)
{
    return strcmp(ax_layer_get(l, key)->text, choice) == 0;
}

const ax_activation *ax_layer_activation(const ax_layer *l)
{
    const ax_layer_value *v = ax_layer_get(l, "activation");

    if (l->kind->activation != NULL)
        return ax_activation_find(l->kind->activation);
    return v != NULL ? v->activation : NULL;
}

static int64_t collect_numbers(const ax_json *v, float *out, int64_t max, int64_t n)
{
    if (v->kind == AX_JSON_NUMBER) {
        if (n < max)
            out[n] = (float) v->number;
        return n + 1;
    }
    for (int i = 0; i < v->count; i++)
        n = collect_numbers(v->item[i], out, max, n);
    return n;
}

int64_t ax_layer_numbers(const ax_layer *l, const char *key, float *out, int64_t max)
{
    const ax_layer_value *v = ax_layer_get(l, key);

    return v->json == NULL ? 0 : collect_numbers(v->json, out, max, 0);
}

/* ---- errors ---------------------------------------------------------------------------------- */

ax_status ax_layer_fail(const ax_layer *l, ax_error *err, ax_status status, const char *fmt, ...)
{
    char text[AX_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return ax_fail(err, status, "layer \"%s\" (%s): %s", l->name, l->kind->name, text);
}

static ax_status unknown_layer(const char *type, int i, ax_error *err)
{
    const char *known[128];
    int n = 0;

    for (const ax_layer_kind *k; n < AX_COUNT(known) && (k = ax_layer_kind_at(n)) != NULL; n++)
        known[n] = k->name;
    ax_fail(err, AX_ERR_UNKNOWN, "unknown layer \"%s\"", type);
    ax_detail(err, "It is layer %d of the list.", i + 1);
    ax_hint_names(err, type, known, n);
    return AX_ERR_UNKNOWN;
}

static ax_status unknown_key(const ax_layer *l, const char *key, ax_error *err)
{
    const ax_layer_key *const lists[] = {l->kind->key, common_keys};
    const char *known[64];
    int n = 0;

    for (int i = 0; i < AX_COUNT(lists); i++)
        for (const ax_layer_key *k = lists[i]; k->name != NULL && n < AX_COUNT(known); k++)
            if (k->kind < AX_KEY_UNUSED)
                known[n++] = k->name;
    ax_layer_fail(l, err, AX_ERR_UNKNOWN, "unknown key \"%s\"", key);
    ax_hint_names(err, key, known, n);
    return AX_ERR_UNKNOWN;
}

/* ---- reading: one function a kind of key ----------------------------------------------------- */

/* What a message on this key begins with. */
typedef struct key_place {
    char text[2 * AX_MAX_LAYER_NAME + 128];
} key_place;

static ax_status put_integer(const ax_layer_key *k, const char *what, const ax_json *v,
                             int64_t *out, ax_error *err)
{
    int64_t x;

    if (!ax_json_integer(v, &x))
        return ax_wrong_type(what, "an integer", v, err);
    AX_TRY(ax_range_check(&k->range, what, (double) x, err));
    if (x > AX_MAX_UNITS || x < -AX_MAX_UNITS)
        return ax_fail(err, AX_ERR_LIMIT, "%s must be at most %lld, not %lld", what,
                       (long long) AX_MAX_UNITS, (long long) x);
    *out = x;
    return AX_OK;
}

static ax_status read_integer(const ax_layer_key *k, const char *what, const ax_json *v,
                              ax_layer_value *out, ax_error *err)
{
    out->count = 1;
    return put_integer(k, what, v, &out->integer[0], err);
}

static ax_status read_number(const ax_layer_key *k, const char *what, const ax_json *v,
                             ax_layer_value *out, ax_error *err)
{
    if (v->kind != AX_JSON_NUMBER)
        return ax_wrong_type(what, "a number", v, err);
    out->number = v->number;
    if (fabs(v->number) > FLT_MAX)
        return ax_fail(err, AX_ERR_INVALID, "%s is too large", what);
    return ax_range_check(&k->range, what, v->number, err);
}

static ax_status read_boolean(const ax_layer_key *k, const char *what, const ax_json *v,
                              ax_layer_value *out, ax_error *err)
{
    if (v->kind != AX_JSON_BOOL)
        return ax_wrong_type(what, "true or false", v, err);
    out->boolean = v->boolean;
    return AX_OK;
}

static ax_status read_choice(const ax_layer_key *k, const char *what, const ax_json *v,
                             ax_layer_value *out, ax_error *err)
{
    if (v->kind != AX_JSON_STRING)
        return ax_wrong_type(what, "text", v, err);
    out->text = v->string;
    return ax_choice_check(k->text, what, v->string, err);
}

static ax_status read_integers(const ax_layer_key *k, const char *what, const ax_json *v,
                               ax_layer_value *out, ax_error *err)
{
    if (v->kind == AX_JSON_NUMBER) {
        out->count = 1;
        return put_integer(k, what, v, &out->integer[0], err);
    }
    if (v->kind != AX_JSON_ARRAY || v->count == 0)
        return ax_wrong_type(what, "an integer or an array of them", v, err);
    if (v->count > AX_MAX_RANK)
        return ax_fail(err, AX_ERR_LIMIT, "%s has %d elements, the maximum is %d", what, v->count,
                       AX_MAX_RANK);
    out->count = v->count;
    for (int i = 0; i < v->count; i++)
        AX_TRY(put_integer(k, what, v->item[i], &out->integer[i], err));
    return AX_OK;
}

/* One integer stands for all of them. */
static ax_status read_sizes(const ax_layer_key *k, const char *what, const ax_json *v,
                            ax_layer_value *out, ax_error *err)
{
    AX_TRY(read_integers(k, what, v, out, err));
    if (v->kind == AX_JSON_ARRAY && v->count != k->count)
        return ax_fail(err, AX_ERR_INVALID, "%s must be an integer or %d of them, not %d", what,
                       k->count, v->count);
    for (int i = out->count; i < k->count; i++)
        out->integer[i] = out->integer[0];
    out->count = k->count;
    return AX_OK;
}

static ax_status read_shape(const ax_layer_key *k, const char *what, const ax_json *v,
                            ax_layer_value *out, ax_error *err)
{
    static const ax_layer_key dimension = {.range = {AX_FROM, 1, 0}};

    if (v->kind != AX_JSON_ARRAY)
        return ax_wrong_type(what, "an array", v, err);
    if (v->count > AX_MAX_RANK)
        return ax_fail(err, AX_ERR_LIMIT, "%s has %d elements, the maximum is %d", what, v->count,
                       AX_MAX_RANK);
    out->count = v->count;
    for (int i = 0; i < v->count; i++) {
        out->integer[i] = -1;
        if (v->item[i]->kind != AX_JSON_NULL)
            AX_TRY(put_integer(&dimension, what, v->item[i], &out->integer[i], err));
    }
    return AX_OK;
}

static ax_status check_numbers(const char *what, const ax_json *v, ax_error *err)
{
    if (v->kind == AX_JSON_NUMBER && fabs(v->number) <= FLT_MAX)
        return AX_OK;
    if (v->kind == AX_JSON_NUMBER)
        return ax_fail(err, AX_ERR_INVALID, "%s is too large", what);
    if (v->kind != AX_JSON_ARRAY || v->count == 0)
        return ax_wrong_type(what, "a number or an array of numbers", v, err);
    for (int i = 0; i < v->count; i++)
        AX_TRY(check_numbers(what, v->item[i], err));
    return AX_OK;
}

static ax_status read_numbers(const ax_layer_key *k, const char *what, const ax_json *v,
                              ax_layer_value *out, ax_error *err)
{
    return check_numbers(what, v, err);
}

static ax_status read_activation(const ax_layer_key *k, const char *what, const ax_json *v,
                                 ax_layer_value *out, ax_error *err)
{
    return ax_activation_read(v, what, &out->activation, err);
}

static ax_status read_initializer(const ax_layer_key *k, const char *what, const ax_json *v,
                                  ax_layer_value *out, ax_error *err)
{
    return ax_initializer_read(v, what, &out->initializer, err);
}

static ax_status read_unused(const ax_layer_key *k, const char *what, const ax_json *v,
                             ax_layer_value *out, ax_error *err)
{
    if (v->kind == AX_JSON_BOOL && !v->boolean)
        return AX_OK;
    ax_fail(err, AX_ERR_UNSUPPORTED, "%s is not supported", what);
    ax_hint(err, "Leave \"%s\" out.", k->name);
    return AX_ERR_UNSUPPORTED;
}

static ax_status read_ignored(const ax_layer_key *k, const char *what, const ax_json *v,
                              ax_layer_value *out, ax_error *err)
{
    return AX_OK;
}

typedef ax_status (*read_fn)(const ax_layer_key *, const char *, const ax_json *, ax_layer_value *,
                             ax_error *);

static const read_fn read_of_kind[] = {
    [AX_KEY_INTEGER] = read_integer,         [AX_KEY_NUMBER] = read_number,
    [AX_KEY_BOOLEAN] = read_boolean,         [AX_KEY_CHOICE] = read_choice,
    [AX_KEY_SIZES] = read_sizes,             [AX_KEY_INTEGERS] = read_integers,
    [AX_KEY_SHAPE] = read_shape,             [AX_KEY_NUMBERS] = read_numbers,
    [AX_KEY_ACTIVATION] = read_activation,   [AX_KEY_INITIALIZER] = read_initializer,
    [AX_KEY_UNUSED] = read_unused,           [AX_KEY_IGNORED] = read_ignored,
    [AX_KEY_LINKS] = read_ignored,           [AX_KEY_LAYER] = read_ignored, /* read_inner does */
};

/* ---- a config -------------------------------------------------------------------------------- */

/* The default choice is what stands before the first bar. */
static const char *first_choice(ax_arena *a, const char *choices)
{
    return ax_arena_strndup(a, choices, strcspn(choices, "|"));
}

static ax_status set_default(ax_arena *a, const ax_layer_key *k, ax_layer_value *v, ax_error *err)
{
    v->number = k->number;
    v->boolean = k->number != 0;
    v->count = k->kind == AX_KEY_SIZES ? k->count : k->kind == AX_KEY_SHAPE ? 0 : 1;
    for (int i = 0; i < AX_MAX_RANK; i++)
        v->integer[i] = (int64_t) k->number;
    if (k->kind == AX_KEY_ACTIVATION && k->text != NULL)
        v->activation = ax_activation_find(k->text);
    if (k->kind == AX_KEY_INITIALIZER && !ax_initializer_find(k->text, &v->initializer))
        return ax_fail(err, AX_ERR_INTERNAL, "no initializer \"%s\"", k->text);
    if (k->kind != AX_KEY_CHOICE)
        return AX_OK;
    v->text = first_choice(a, k->text);
    return v->text == NULL ? ax_nomem(err) : AX_OK;
}

static ax_status set_defaults(ax_arena *a, const ax_layer_kind *kind, ax_layer_value *v,
                              ax_error *err)
{
    for (const ax_layer_key *k = kind->key; k->name != NULL; k++)
        AX_TRY(set_default(a, k, v++, err));
    for (const ax_layer_key *k = common_keys; k->name != NULL; k++)
        AX_TRY(set_default(a, k, v++, err));
    return AX_OK;
}

static ax_status read_config(const ax_layer *l, ax_layer_value *value, const ax_json *config,
                             ax_error *err)
{
    key_place place;

    for (int i = 0; config != NULL && i < config->count; i++) {
        int number;
        const ax_layer_key *k = find_key(l->kind, config->key[i], &number);
        const ax_json *v = config->item[i];

        if (k == NULL)
            return unknown_key(l, config->key[i], err);
        if (v->kind == AX_JSON_NULL)
            continue;
        snprintf(place.text, sizeof(place.text), "layer \"%s\" (%s): \"%s\"", l->name,
                 l->kind->name, k->name);
        AX_TRY(read_of_kind[k->kind](k, place.text, v, &value[number], err));
        value[number].given = true;
        value[number].json = v;
    }
    return AX_OK;
}

static ax_status check_required(const ax_layer *l, ax_error *err)
{
    for (int i = 0; l->kind->key[i].name != NULL; i++) {
        if (!l->kind->key[i].required || l->value[i].given)
            continue;
        ax_layer_fail(l, err, AX_ERR_INVALID, "\"%s\" is missing", l->kind->key[i].name);
        ax_hint(err, "Write {\"%s\": {\"%s\": ...}}.", l->kind->name, l->kind->key[i].name);
        return AX_ERR_INVALID;
    }
    return AX_OK;
}

static ax_status too_many_inputs(const ax_layer *l, int most, ax_error *err)
{
    if (most > 1)
        return ax_layer_fail(l, err, AX_ERR_INVALID, "it takes at most %d inputs, not %d", most,
                             l->n_in);
    ax_layer_fail(l, err, AX_ERR_INVALID, "it takes one input, not %d", l->n_in);
    ax_hint(err, "Put an Add or a Concatenate layer before it.");
    return AX_ERR_INVALID;
}

static ax_status too_few_inputs(const ax_layer *l, int least, int most, ax_error *err)
{
    ax_layer_fail(l, err, AX_ERR_INVALID, "it takes %s%d inputs, not %d",
                  least == most ? "" : "at least ", least, l->n_in);
    ax_hint(err, "Name them: {\"%s\": {\"inbound\": [\"a\", \"b\"]}}.", l->kind->name);
    return AX_ERR_INVALID;
}

static ax_status check_inputs(const ax_layer *l, ax_error *err)
{
    int least = AX_MAX((int) (l->kind->flags >> 8 & 255), 1);
    int most = AX_MAX((int) (l->kind->flags >> 16 & 255), 1);

    if ((l->kind->flags & AX_LAYER_INPUT) != 0)
        return AX_OK;
    if (l->n_in > most)
        return too_many_inputs(l, most, err);
    return l->n_in < least ? too_few_inputs(l, least, most, err) : AX_OK;
}

static ax_status default_values(ax_arena *a, ax_layer *l, ax_error *err)
{
    size_t n = (size_t) (key_count(l->kind->key) + key_count(common_keys));

    l->value = ax_arena_array(a, n, sizeof(*l->value));
    return l->value == NULL ? ax_nomem(err) : set_defaults(a, l->kind, l->value, err);
}

ax_status ax_layer_make(ax_arena *a, const char *kind, const char *name, const ax_layer *outer, ax_layer **out,
                        ax_error *err)
{
    ax_layer *l = ax_arena_alloc(a, sizeof(*l));

    if (l == NULL)
        return ax_nomem(err);
    *l = (ax_layer){.kind = ax_layer_kind_find(kind), .name = name, .index = outer->index};
    if (l->kind == NULL)
        return ax_layer_fail(outer, err, AX_ERR_INTERNAL, "there is no %s", kind);
    AX_TRY(default_values(a, l, err));
    ax_layer_change(l, "trainable")->boolean = ax_layer_boolean(outer, "trainable");
    *out = l;
    return AX_OK;
}

/* The layer that stands in a config. It is named after the one around it. */
static ax_status read_inner(ax_arena *a, const ax_layer *l, ax_layer_value *v, ax_error *err)
{
    ax_layer_json json = {0};
    const ax_layer_kind *kind;
    ax_layer *inner;

    AX_TRY(ax_layer_json_read(v->json, l->index, &json, err));
    kind = ax_layer_kind_find(json.type);
    if (kind == NULL)
        return unknown_layer(json.type, l->index, err);
    if (kind->flags & (AX_LAYER_INPUT | AX_LAYER_WRAPS) || (kind->flags >> 8 & 255) > 1)
        return ax_layer_fail(l, err, AX_ERR_UNSUPPORTED, "it cannot be around a layer %s", kind->name);
    AX_TRY(ax_layer_make(a, kind->name, ax_arena_printf(a, "%s/%s", l->name, "layer"), l, &inner, err));
    if (inner->name == NULL)
        return ax_nomem(err);
    AX_TRY(read_config(inner, inner->value, json.config, err));
    if (!ax_layer_boolean(l, "trainable"))
        ax_layer_change(inner, "trainable")->boolean = false;
    AX_TRY(check_required(inner, err));
    v->layer = inner;
    return inner->kind->check != NULL ? inner->kind->check(inner, err) : AX_OK;
}

static ax_status read_inners(ax_arena *a, ax_layer *l, ax_error *err)
{
    for (int i = 0; l->kind->key[i].name != NULL; i++)
        if (l->kind->key[i].kind == AX_KEY_LAYER && l->value[i].given)
            AX_TRY(read_inner(a, l, &l->value[i], err));
    return AX_OK;
}

static ax_status read_layer(ax_arena *a, const ax_layer_json *json, int i, ax_layer *l,
                            ax_error *err)
{
    *l = (ax_layer){ax_layer_kind_find(json->type), json->name, NULL, i, json->n_in, json->in};
    if (l->kind == NULL)
        return unknown_layer(json->type, json->position, err);
    AX_TRY(default_values(a, l, err));
    AX_TRY(read_config(l, l->value, json->config, err));
    AX_TRY(check_required(l, err));
    AX_TRY(read_inners(a, l, err));
    if ((l->kind->flags & AX_LAYER_INPUT) != 0 && i > 0)
        return ax_layer_fail(l, err, AX_ERR_INVALID, "it can only be the first layer");
    AX_TRY(check_inputs(l, err));
    return l->kind->check != NULL ? l->kind->check(l, err) : AX_OK;
}

ax_status ax_network_read(ax_arena *a, const char *text, size_t len, ax_network *out,
                          ax_error *err)
{
    ax_network_json json;
    ax_network net;

    AX_TRY(ax_network_json_read(a, text, len, &json, err));
    net.n = json.n;
    net.chain = json.chain;
    net.layer = ax_arena_array(a, (size_t) json.n, sizeof(ax_layer));
    if (net.layer == NULL)
        return ax_nomem(err);
    for (int i = 0; i < net.n; i++)
        AX_TRY(read_layer(a, &json.layer[i], i, &net.layer[i], err));
    *out = net;
    return AX_OK;
}
