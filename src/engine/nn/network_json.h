/*
 * network_json.h: the layers of a network and who feeds whom, as people and Keras write it.
 *
 *     [{"Dense": {"units": 10}}, {"Flatten": {}}, "Flatten"]          a class and its config
 *     [{"class_name": "Dense", "config": {"units": 10}}]              the same in Keras's long form
 *     {"class_name": "Sequential", "config": {"layers": [...]}, ...}  what Keras's to_json() prints
 *     {"class_name": "Functional", "config": {"layers": [...], ...}}  the same of a Functional model
 *
 * In a list a layer takes the output of the one before it, unless its config names others:
 *
 *     [{"Dense": {"units": 8, "name": "a"}}, {"Dense": {"units": 8, "name": "b"}},
 *      {"Add": {"inbound": ["a", "b"]}}, {"Dense": {"units": 1, "inbound": "add"}}]
 *
 * "input" names the network's input. A list ends with its last layer. In a Functional model every layer has its
 * "inbound_nodes", in the form of Keras 2 or of Keras 3, and the model names its input and its output.
 *
 * What is in the configs is the layer table's business (layer.h).
 */
#ifndef AX_NETWORK_JSON_H
#define AX_NETWORK_JSON_H

#include "base/json.h"

#define AX_MAX_LAYERS 1000
#define AX_MAX_LAYER_NAME 200 /* bytes */
#define AX_MAX_LAYER_INPUTS 100
#define AX_NETWORK_INPUT (-1) /* as the number of a layer: the network's input */

typedef struct ax_layer_json {
    const char *type;       /* the class, as written */
    const char *name;       /* the config's, or made as Keras makes them: "conv2d", "conv2d_1"; unique */
    const ax_json *config;  /* an object, or NULL */
    const ax_json *written; /* the whole entry of the list */
    int position;           /* in the list, from 0 */
    int n_in;               /* 0 for an InputLayer only */
    const int *in;          /* the layers that feed it, all of them before it; or AX_NETWORK_INPUT */
} ax_layer_json;

/* One layer in any of the notations, of a list (then i is its place in it) or within a config. Fills type, name and
 * config; the name is NULL when none is written. */
ax_status ax_layer_json_read(const ax_json *v, int i, ax_layer_json *out, ax_error *err);

/* The layers in an order in which they can be computed: the written one where that is possible. The last one is the
 * network's output, and every other one has a part in it. */
typedef struct ax_network_json {
    int n;
    ax_layer_json *layer;
    bool chain; /* each layer is fed by the one before it and by nothing else */
} ax_network_json;

/* Everything lives in the arena. Errors: AX_ERR_INVALID, AX_ERR_UNKNOWN (a layer that is not there),
 * AX_ERR_UNSUPPORTED (shared layers, several inputs or outputs), AX_ERR_LIMIT. */
ax_status ax_network_json_read(ax_arena *a, const char *text, size_t len, ax_network_json *out,
                               ax_error *err);

/*
 * The second half of it (network_links.c), when every layer has its name: who feeds whom, and the order of
 * computing. functional: the config of a Functional model, NULL for a list.
 */
ax_status ax_network_json_link(ax_arena *a, const ax_json *functional, ax_network_json *net,
                               ax_error *err);

#endif /* AX_NETWORK_JSON_H */
