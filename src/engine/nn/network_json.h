/*
 * network_json.h: the list of layers, as people and Keras write it.
 *
 *     [{"Dense": {"units": 10}}, {"Flatten": {}}, "Flatten"]          a class and its config
 *     [{"class_name": "Dense", "config": {"units": 10}}]              the same in Keras's long form
 *     {"class_name": "Sequential", "config": {"layers": [...]}, ...}  what Keras's to_json() prints
 *
 * What is in the configs is the layer table's business (layer.h).
 */
#ifndef AX_NETWORK_JSON_H
#define AX_NETWORK_JSON_H

#include "base/json.h"

#define AX_MAX_LAYERS 1000
#define AX_MAX_LAYER_NAME 200 /* bytes */

typedef struct ax_layer_json {
    const char *type;      /* the class, as written */
    const char *name;      /* the config's, or made as Keras makes them: "conv2d", "conv2d_1"; unique */
    const ax_json *config; /* an object, or NULL */
} ax_layer_json;

typedef struct ax_network_json {
    int n;
    ax_layer_json *layer;
} ax_network_json;

/* Everything lives in the arena. Errors: AX_ERR_INVALID, AX_ERR_UNSUPPORTED (a model that is no simple
 * chain of layers), AX_ERR_LIMIT. */
ax_status ax_network_json_read(ax_arena *a, const char *text, size_t len, ax_network_json *out,
                               ax_error *err);

#endif /* AX_NETWORK_JSON_H */
