/*
 * network_links.c: who feeds whom, and an order in which the layers can be computed.
 *
 * Three notations are read. Keras 2 lists the calls of a layer, each a list of the tensors that went in, the further
 * arguments behind the first of them; Keras 3 keeps arguments as they were written:
 *
 *     "inbound_nodes": [[["query", 0, 0, {"value": ["memory", 0, 0]}]]]
 *     "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__",
 *                                  "config": {"keras_history": ["query", 0, 0], ...}}, ...], "kwargs": {}}]
 *     "inbound": ["query", "memory"]
 *
 * The numbers behind a name are which call of that layer and which of its outputs. A layer is called once
 * here and has one output, so both are 0.
 *
 * The text is hostile: names may be missing, double or circular. Everything is bounded by AX_MAX_LAYERS and
 * AX_MAX_LAYER_INPUTS, names are found by a hash, and nothing recurses but into arguments, which JSON's own
 * depth bounds.
 */
#include "nn/layer.h"

#include <stdio.h>

#include "table/setting.h"

typedef struct linker {
    ax_arena *a;
    ax_network_json *net;
    ax_error *err;
    bool functional;
    int *slot; /* open addressing by name: number of a layer + 1, 0 is free */
    size_t n_slots;
    const ax_layer_json *layer; /* the one at work, and its links so far */
    int n_in;
    int in[AX_MAX_LAYER_INPUTS];
} linker;

/* `layer "x" (Kind): ...`, of the layer at work. */
static ax_status link_fail(linker *k, ax_status status, const char *text)
{
    return ax_fail(k->err, status, "layer \"%s\" (%s): %s", k->layer->name, k->layer->type, text);
}

static ax_status link_fail_name(linker *k, ax_status status, const char *before, const char *name,
                                const char *after)
{
    char text[AX_TEXT_MAX];

    snprintf(text, sizeof(text), "%s \"%s\"%s", before, name, after);
    return link_fail(k, status, text);
}

static bool is_input_layer(const ax_layer_json *l)
{
    const ax_layer_kind *kind = ax_layer_kind_find(l->type);

    return kind != NULL && (kind->flags & AX_LAYER_INPUT) != 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* FNV-1a. The slot of the name, or the free one where it would go. */
static size_t slot_of(const linker *k, const char *name)
{
    uint64_t h = 14695981039346656037u;
    size_t at;

    for (const char *p = name; *p != '\0'; p++)
        h = (h ^ (unsigned char) *p) * 1099511628211u;
    at = (size_t) (h ^ h >> 32) & (k->n_slots - 1);
    while (k->slot[at] != 0 && strcmp(k->net->layer[k->slot[at] - 1].name, name) != 0)
        at = (at + 1) & (k->n_slots - 1);
    return at;
}

static ax_status note_names(linker *k)
{
    k->n_slots = 16;
    while (k->n_slots < (size_t) k->net->n * 2)
        k->n_slots *= 2;
    k->slot = ax_arena_array(k->a, k->n_slots, sizeof(int));
    if (k->slot == NULL)
        return ax_nomem(k->err);
    for (int i = 0; i < k->net->n; i++)
        k->slot[slot_of(k, k->net->layer[i].name)] = i + 1;
    return AX_OK;
}

static void hint_layers(linker *k, const char *name)
{
    const char *known[AX_MAX_LAYERS];

    for (int i = 0; i < k->net->n; i++)
        known[i] = k->net->layer[i].name;
    ax_hint_names(k->err, name, known, k->net->n);
}

/* ---- one link -------------------------------------------------------------------------------- */

static ax_status add_link(linker *k, const char *name)
{
    int from = k->slot[slot_of(k, name)] - 1;

    if (from < 0 && (k->functional || strcmp(name, "input") != 0)) {
        link_fail_name(k, AX_ERR_UNKNOWN, "there is no layer", name, " to feed it");
        hint_layers(k, name);
        return AX_ERR_UNKNOWN;
    }
    if (k->n_in == AX_MAX_LAYER_INPUTS)
        return ax_fail(k->err, AX_ERR_LIMIT,
                       "layer \"%s\" (%s): it has more than %d inputs", k->layer->name,
                       k->layer->type, AX_MAX_LAYER_INPUTS);
    k->in[k->n_in++] = from < 0 ? AX_NETWORK_INPUT : from;
    return AX_OK;
}

/* ["name", call, output] and what may follow. */
static bool is_history(const ax_json *v)
{
    return v != NULL && v->kind == AX_JSON_ARRAY && v->count >= 3 &&
           v->item[0]->kind == AX_JSON_STRING && v->item[1]->kind == AX_JSON_NUMBER &&
           v->item[2]->kind == AX_JSON_NUMBER;
}

static ax_status add_history(linker *k, const ax_json *v)
{
    const char *name = v->item[0]->string;

    AX_TRY(add_link(k, name));
    if (v->item[1]->number != 0) {
        link_fail_name(k, AX_ERR_UNSUPPORTED, "it takes what a second call of", name,
                       " gives; shared layers are not supported");
        ax_hint(k->err, "Write a layer of its own for each use.");
        return AX_ERR_UNSUPPORTED;
    }
    if (v->item[2]->number != 0)
        return link_fail_name(k, AX_ERR_UNSUPPORTED, "it takes the second output of", name,
                              ", which has one here");
    return AX_OK;
}

/* The history of Keras 3's tensor, else NULL. */
static const ax_json *tensor_history(const ax_json *v)
{
    const ax_json *class_name = ax_json_get(v, "class_name");

    if (class_name == NULL || class_name->kind != AX_JSON_STRING ||
        strcmp(class_name->string, "__keras_tensor__") != 0)
        return NULL;
    return ax_json_get(ax_json_get(v, "config"), "keras_history");
}

/* ---- one call: its arguments ----------------------------------------------------------------- */

static bool is_tensor(const ax_json *v)
{
    return is_history(v) || is_history(tensor_history(v));
}

/* A tensor, or a list of arguments; null is an argument left out. */
static ax_status read_argument(linker *k, const ax_json *v)
{
    if (v->kind == AX_JSON_NULL)
        return AX_OK;
    if (is_history(v))
        return add_history(k, v);
    if (is_tensor(v))
        return add_history(k, tensor_history(v));
    if (v->kind != AX_JSON_ARRAY)
        return link_fail(k, AX_ERR_UNSUPPORTED,
                         "it is called with an argument that is no layer's output");
    for (int i = 0; i < v->count; i++)
        AX_TRY(read_argument(k, v->item[i]));
    return AX_OK;
}

/* The arguments that a layer may be fed through by name, in the order of the calls' signatures. */
static const char *const fed_by_name[] = {"inputs", "query", "value", "key"};

static bool is_fed_by_name(const char *key)
{
    for (int i = 0; i < AX_COUNT(fed_by_name); i++)
        if (strcmp(key, fed_by_name[i]) == 0)
            return true;
    return false;
}

/* Whether an argument asks for nothing. Keras 3 writes training = false wherever a layer knows the word, and means
 * nothing by it; Keras 2 writes it when the layer is to be frozen. */
static bool asks_nothing(const char *key, const ax_json *v, bool keras3)
{
    if (strcmp(key, "training") == 0 && !keras3)
        return v->kind == AX_JSON_NULL;
    return v->kind == AX_JSON_NULL || (v->kind == AX_JSON_BOOL && !v->boolean);
}

static ax_status read_keywords(linker *k, const ax_json *v, bool keras3)
{
    for (int i = 0; v != NULL && v->kind == AX_JSON_OBJECT && i < v->count; i++) {
        const char *key = v->key[i];

        if (asks_nothing(key, v->item[i], keras3) || is_fed_by_name(key))
            continue;
        link_fail_name(k, AX_ERR_UNSUPPORTED, "it is called with", key, ", which is not supported");
        ax_hint(k->err, "Call it without \"%s\".", key);
        return AX_ERR_UNSUPPORTED;
    }
    for (int i = 0; i < AX_COUNT(fed_by_name); i++) {
        const ax_json *tensor = ax_json_get(v, fed_by_name[i]);

        if (tensor != NULL)
            AX_TRY(read_argument(k, tensor));
    }
    return AX_OK;
}

/* One entry of "inbound_nodes". */
static ax_status read_call(linker *k, const ax_json *v)
{
    const ax_json *args = ax_json_get(v, "args"), *first = v;

    if (args != NULL) {
        AX_TRY(read_argument(k, args));
        return read_keywords(k, ax_json_get(v, "kwargs"), true);
    }
    AX_TRY(read_argument(k, v));
    if (v->kind == AX_JSON_ARRAY && v->count > 0 && !is_history(v))
        first = v->item[0];
    return is_history(first) && first->count > 3 ? read_keywords(k, first->item[3], false) : AX_OK;
}

static ax_status read_calls(linker *k, const ax_json *v)
{
    if (v->kind != AX_JSON_ARRAY)
        return link_fail(k, AX_ERR_INVALID, "\"inbound_nodes\" must be an array");
    if (v->count > 1) {
        ax_fail(k->err, AX_ERR_UNSUPPORTED,
                "layer \"%s\" (%s): it is used %d times; shared layers are not supported",
                k->layer->name, k->layer->type, v->count);
        ax_hint(k->err, "Write a layer of its own for each use.");
        return AX_ERR_UNSUPPORTED;
    }
    return v->count == 0 ? AX_OK : read_call(k, v->item[0]);
}

/* ---- the links of a layer -------------------------------------------------------------------- */

static ax_status read_inbound(linker *k, const ax_json *v)
{
    if (v->kind == AX_JSON_STRING)
        return add_link(k, v->string);
    if (v->kind != AX_JSON_ARRAY)
        return link_fail(k, AX_ERR_INVALID,
                         "\"inbound\" must be the name of a layer, or an array of names");
    for (int i = 0; i < v->count; i++) {
        if (v->item[i]->kind != AX_JSON_STRING)
            return link_fail(k, AX_ERR_INVALID, "\"inbound\" must hold names of layers");
        AX_TRY(add_link(k, v->item[i]->string));
    }
    return AX_OK;
}

/* What the layer is called and what feeds it can both be. */
static ax_status check_links(linker *k)
{
    bool is_input = is_input_layer(k->layer);

    if (!is_input && strcmp(k->layer->name, "input") == 0) {
        link_fail(k, AX_ERR_INVALID, "its name is that of the network's input");
        ax_hint(k->err, "Give it another \"name\".");
        return AX_ERR_INVALID;
    }
    if (is_input && k->n_in > 0)
        return link_fail(k, AX_ERR_INVALID, "no layer can feed it");
    if (is_input || k->n_in > 0)
        return AX_OK;
    link_fail(k, AX_ERR_INVALID, "nothing feeds it");
    ax_hint(k->err, k->functional ? "Its \"inbound_nodes\" must name a layer."
                                  : "Its \"inbound\" must name a layer, or \"input\".");
    return AX_ERR_INVALID;
}

static ax_status read_links(linker *k, int i)
{
    ax_layer_json *l = &k->net->layer[i];
    const ax_json *calls = ax_json_get(l->written, "inbound_nodes");
    const ax_json *inbound = ax_json_get(l->config, "inbound");
    int *in;

    k->layer = l;
    k->n_in = 0;
    if (inbound != NULL && (calls != NULL || k->functional))
        return link_fail(k, AX_ERR_INVALID, "\"inbound\" has no place beside \"inbound_nodes\"");
    if (calls != NULL)
        AX_TRY(read_calls(k, calls));
    else if (inbound != NULL && inbound->kind != AX_JSON_NULL)
        AX_TRY(read_inbound(k, inbound));
    else if (!k->functional && !is_input_layer(l))
        k->in[k->n_in++] = i == 0 ? AX_NETWORK_INPUT : i - 1;
    AX_TRY(check_links(k));
    in = ax_arena_array(k->a, (size_t) k->n_in, sizeof(int));
    if (in == NULL)
        return ax_nomem(k->err);
    memcpy(in, k->in, (size_t) k->n_in * sizeof(int));
    l->n_in = k->n_in;
    l->in = in;
    return AX_OK;
}

/* ---- the ends of a Functional model ---------------------------------------------------------- */

/* "input_layers", "output_layers": ["name", 0, 0], or a list or an object of those. */
static ax_status read_end(linker *k, const ax_json *config, const char *key, const char *what,
                          int *out)
{
    const ax_json *v = ax_json_get(config, key);

    if (v != NULL && !is_history(v) && v->count == 1)
        v = v->item[0];
    if (v != NULL && !is_history(v) && v->count > 1)
        return ax_fail(k->err, AX_ERR_UNSUPPORTED, "the model has %d %ss; one is supported",
                       v->count, what);
    if (!is_history(v))
        return ax_fail(k->err, AX_ERR_INVALID, "\"%s\" of the model must name its %s", key, what);
    *out = k->slot[slot_of(k, v->item[0]->string)] - 1;
    if (*out >= 0)
        return AX_OK;
    ax_fail(k->err, AX_ERR_UNKNOWN, "there is no layer \"%s\" to be the model's %s",
            v->item[0]->string, what);
    hint_layers(k, v->item[0]->string);
    return AX_ERR_UNKNOWN;
}

static ax_status read_ends(linker *k, const ax_json *config, int *output)
{
    int input, n = 0;

    AX_TRY(read_end(k, config, "input_layers", "input", &input));
    AX_TRY(read_end(k, config, "output_layers", "output", output));
    for (int i = 0; i < k->net->n; i++)
        n += is_input_layer(&k->net->layer[i]);
    if (n > 1)
        return ax_fail(k->err, AX_ERR_UNSUPPORTED, "the model has %d input layers; one is supported",
                       n);
    k->layer = &k->net->layer[input];
    return is_input_layer(k->layer)
               ? AX_OK
               : link_fail(k, AX_ERR_INVALID, "the model's input must be an InputLayer");
}

/* ---- the order ------------------------------------------------------------------------------- */

/* An input of the layer that has no place yet; -1: all have. */
static int waits_for(const ax_layer_json *l, const int *place)
{
    for (int i = 0; i < l->n_in; i++)
        if (l->in[i] != AX_NETWORK_INPUT && place[l->in[i]] < 0)
            return l->in[i];
    return -1;
}

/* From any layer that waits, as many steps back as there are layers end on a circle. */
static ax_status circle(linker *k, const int *place)
{
    const ax_network_json *net = k->net;
    int at = 0, from;

    while (place[at] >= 0)
        at++;
    for (int i = 0; i < net->n; i++)
        at = waits_for(&net->layer[at], place);
    from = waits_for(&net->layer[at], place);
    k->layer = &net->layer[at];
    if (from == at)
        link_fail(k, AX_ERR_INVALID, "it takes its own output");
    else
        link_fail_name(k, AX_ERR_INVALID, "it depends on itself, by way of", net->layer[from].name,
                       "");
    ax_hint(k->err, "Layers must not feed each other in a circle.");
    return AX_ERR_INVALID;
}

/* Gives every layer its place: the first in the list that waits for nothing is next. */
static ax_status find_places(linker *k, int *place)
{
    int done = 0, from = 0;

    for (int i = 0; i < k->net->n; i++)
        place[i] = -1;
    while (done < k->net->n) {
        int i = from;

        while (i < k->net->n && (place[i] >= 0 || waits_for(&k->net->layer[i], place) >= 0))
            i++;
        if (i == k->net->n)
            return circle(k, place);
        place[i] = done++;
        while (from < k->net->n && place[from] >= 0)
            from++;
    }
    return AX_OK;
}

/* Moves every layer to its place, and its links along. */
static ax_status move_layers(linker *k, const int *place)
{
    ax_network_json *net = k->net;
    ax_layer_json *moved = ax_arena_array(k->a, (size_t) net->n, sizeof(*moved));

    if (moved == NULL)
        return ax_nomem(k->err);
    for (int i = 0; i < net->n; i++) {
        const ax_layer_json *l = &net->layer[i];
        int *in = ax_arena_array(k->a, (size_t) l->n_in, sizeof(int));

        if (in == NULL)
            return ax_nomem(k->err);
        for (int j = 0; j < l->n_in; j++)
            in[j] = l->in[j] == AX_NETWORK_INPUT ? AX_NETWORK_INPUT : place[l->in[j]];
        moved[place[i]] = *l;
        moved[place[i]].in = in;
    }
    net->layer = moved;
    return AX_OK;
}

/* Every layer has a part in the output; so the output is the last of them. */
static ax_status check_used(linker *k, int output)
{
    const ax_network_json *net = k->net;
    bool *used = ax_arena_array(k->a, (size_t) net->n, sizeof(bool));

    if (used == NULL)
        return ax_nomem(k->err);
    used[output] = true;
    for (int i = net->n - 1; i >= 0; i--) {
        k->layer = &net->layer[i];
        if (!used[i]) {
            link_fail(k, AX_ERR_INVALID, "nothing takes its output");
            ax_hint(k->err, "Leave it out, or let a later layer take it%s.",
                    k->functional ? "" : " by naming it in \"inbound\"");
            return AX_ERR_INVALID;
        }
        for (int j = 0; j < k->layer->n_in; j++)
            if (k->layer->in[j] != AX_NETWORK_INPUT)
                used[k->layer->in[j]] = true;
    }
    return AX_OK;
}

static bool is_chain(const ax_network_json *net)
{
    for (int i = 0; i < net->n; i++) {
        const ax_layer_json *l = &net->layer[i];

        if (l->n_in > 1 || (l->n_in == 1 && l->in[0] != i - 1) || (l->n_in == 0 && i > 0))
            return false;
    }
    return true;
}

ax_status ax_network_json_link(ax_arena *a, const ax_json *functional, ax_network_json *net,
                               ax_error *err)
{
    linker k = {.a = a, .net = net, .err = err, .functional = functional != NULL};
    int *place = ax_arena_array(a, (size_t) net->n, sizeof(int)), output = net->n - 1;

    if (place == NULL)
        return ax_nomem(err);
    AX_TRY(note_names(&k));
    if (functional != NULL)
        AX_TRY(read_ends(&k, functional, &output));
    for (int i = 0; i < net->n; i++)
        AX_TRY(read_links(&k, i));
    AX_TRY(find_places(&k, place));
    AX_TRY(move_layers(&k, place));
    AX_TRY(check_used(&k, place[output]));
    net->chain = is_chain(net);
    return AX_OK;
}
