/*
 * layer.h: what a layer is: one row of a table. A row says the class's name, the keys of its config
 * with their types, ranges and defaults, and the function that adds its nodes to a graph. Names and defaults are
 * Keras's. A new layer is one row in the file of its family (layer_*.c).
 *
 * ---- shapes and layouts
 *
 * A graph computes as ONNX does, channels first. A layer thinks as Keras does, in the order that its
 * data_format says. So the value that grows from layer to layer (ax_builder.value) has two shapes: the
 * logical one, rank and dim, without the batch, which is what Keras shows; and the physical one, which is
 * the logical one with the batch in front and, when `moved` is set, the last dimension moved to the front
 * of the others:
 *
 *     logical (32, 32, 3)  moved      physical (batch, 3, 32, 32)
 *     logical (32, 32, 3)  not moved  physical (batch, 32, 32, 3)
 *
 * Element-wise layers leave the layout as it is. A layer that needs one asks: ax_build_planes for
 * convolutions and the like, ax_build_plain where the order of the elements is the meaning (Flatten, Dense
 * along the last axis, the model's output). Only these insert Transpose nodes, and only when the value is
 * not that way round already.
 *
 * ---- networks that branch
 *
 * The value that grows is, at any moment, one of several: what a layer ends with is kept (ax_flow), and a layer begins
 * with the one that feeds it. A layer that is fed by several begins with the first and asks for the others by
 * ax_build_input.
 */
#ifndef AX_LAYER_H
#define AX_LAYER_H

#include "graph/graph.h"
#include "nn/initializer.h"
#include "nn/loss.h"
#include "nn/network_json.h"
#include "table/options.h"

#define AX_MAX_UNITS ((int64_t) 1 << 24)      /* of any size in a config */
#define AX_MAX_PARAMETERS ((int64_t) 1 << 31) /* of a network */
#define AX_MAX_ROW ((int64_t) 1 << 31)        /* elements of one row of any value */

typedef struct ax_builder ax_builder;
typedef struct ax_layer ax_layer;
typedef struct ax_activation ax_activation;

/* ---- configs --------------------------------------------------------------------------------- */

typedef enum ax_key_kind {
    AX_KEY_INTEGER,
    AX_KEY_NUMBER,
    AX_KEY_BOOLEAN,
    AX_KEY_CHOICE,      /* one of `text`'s choices; the first is the default */
    AX_KEY_SIZES,       /* an integer, or an array of `count` integers */
    AX_KEY_INTEGERS,    /* an integer, or an array of up to AX_MAX_RANK */
    AX_KEY_SHAPE,       /* an array of integers, null (made -1) for an open one */
    AX_KEY_NUMBERS,     /* a number, or an array of numbers: read by ax_layer_numbers */
    AX_KEY_ACTIVATION,  /* `text` is the default */
    AX_KEY_INITIALIZER, /* `text` is the default */
    AX_KEY_LAYER,       /* a layer of its own, as the list writes one */
    AX_KEY_LINKS,       /* names of layers: network_links.c has read them */
    AX_KEY_UNUSED,      /* what would ask for something that is not done here: only null or false */
    AX_KEY_IGNORED      /* what changes nothing here */
} ax_key_kind;

typedef struct ax_layer_key {
    const char *name; /* NULL ends a list */
    ax_key_kind kind;
    bool required;
    int count;       /* SIZES */
    ax_range range;  /* INTEGER, NUMBER, SIZES, INTEGERS */
    double number;   /* default of INTEGER, NUMBER, BOOLEAN, SIZES, INTEGERS */
    const char *text;
} ax_layer_key;

typedef struct ax_layer_value {
    bool given; /* else what follows is the default */
    bool boolean;
    int count; /* of integer[] */
    int64_t integer[AX_MAX_RANK];
    double number;
    const char *text;
    const ax_activation *activation; /* NULL: linear */
    ax_initializer initializer;
    ax_layer *layer;     /* NULL unless given */
    const ax_json *json; /* NULL unless given */
} ax_layer_value;

/* ---- the table ------------------------------------------------------------------------------- */

enum {
    AX_LAYER_PLANES = 1 << 0, /* works on planes of channels (`rank` dimensions) */
    AX_LAYER_PLAIN = 1 << 1,  /* takes the elements in their logical order */
    AX_LAYER_INPUT = 1 << 2,  /* says something of the input, computes nothing */
    AX_LAYER_TOKENS = 1 << 3, /* its "input_dim" counts tokens, it is not the width of a row */
    AX_LAYER_WRAPS = 1 << 4   /* is around another layer */
};

/* As a part of flags: how many layers may feed it, each number up to AX_MAX_LAYER_INPUTS. Without it,
 * one. */
#define AX_LAYER_FED_BY(least, most) ((unsigned) (least) << 8 | (unsigned) (most) << 16)

typedef struct ax_layer_kind {
    const char *name;       /* Keras's class; NULL ends a family */
    const char *alias;      /* or NULL */
    const ax_layer_key *key; /* besides the ones that every layer has */
    unsigned flags;
    int rank;               /* dimensions of the input without the batch; 0: any */
    const char *op;         /* for rows that share a build function: the ONNX operator */
    const char *activation; /* layers that are an activation: which one */
    ax_status (*check)(const ax_layer *l, ax_error *err); /* keys that depend on each other; or NULL */
    ax_status (*build)(ax_builder *b, const ax_layer *l);
} ax_layer_kind;

struct ax_layer {
    const ax_layer_kind *kind;
    const char *name;
    ax_layer_value *value; /* of the kind's keys, then of the common ones */
    int index;                   /* within the network */
    int n_in;                    /* what feeds it: layers before it, or AX_NETWORK_INPUT */
    const int *in;
};

typedef struct ax_network {
    int n;
    ax_layer *layer; /* in the order of computing; the last one is the output */
    bool chain;
} ax_network;

/* The families (layer_*.c). */
extern const ax_layer_kind ax_layers_dense[], ax_layers_conv[], ax_layers_pool[], ax_layers_shape[],
    ax_layers_norm[], ax_layers_activation[], ax_layers_preprocess[], ax_layers_regularize[],
    ax_layers_padding[], ax_layers_merge[], ax_layers_attention[], ax_layers_sequence[],
    ax_layers_recurrent[];

int ax_layer_kind_count(void);
const ax_layer_kind *ax_layer_kind_at(int i);
const ax_layer_kind *ax_layer_kind_find(const char *name); /* by name or alias; NULL */

/* Reads every layer's config by the table. Everything lives in the arena. */
ax_status ax_network_read(ax_arena *a, const char *text, size_t len, ax_network *out,
                          ax_error *err);

/* A layer of the kind of this name with the defaults of all keys, for a layer that is made of others; its numbers are
 * those of `outer`, and it is trainable if that is. */
ax_status ax_layer_make(ax_arena *a, const char *kind, const char *name, const ax_layer *outer, ax_layer **out,
                        ax_error *err);
/* The value of a key of such a layer, to be changed. */
ax_layer_value *ax_layer_change(ax_layer *l, const char *key);

/* The value of a key that the layer's kind has; never NULL for those. */
const ax_layer_value *ax_layer_get(const ax_layer *l, const char *key);
int64_t ax_layer_integer(const ax_layer *l, const char *key);
bool ax_layer_boolean(const ax_layer *l, const char *key);
/* Whether a CHOICE key has this value. */
bool ax_layer_chose(const ax_layer *l, const char *key, const char *choice);
/* How many numbers a NUMBERS key holds (nested arrays are one list); at most max are copied. 0 when absent. */
int64_t ax_layer_numbers(const ax_layer *l, const char *key, float *out, int64_t max);
/* The activation that the layer ends with, by its config alone; NULL: linear. */
const ax_activation *ax_layer_activation(const ax_layer *l);
/* `layer "conv2d_2" (Conv2D): ...` */
ax_status ax_layer_fail(const ax_layer *l, ax_error *err, ax_status status, const char *fmt, ...)
    AX_PRINTF(4, 5);

/* ---- keys that many layers have -------------------------------------------------------------- */

#define AX_KEY_END {.name = NULL}
#define AX_KEY_COUNT_OF(key)                                                                       \
    {.name = key, .kind = AX_KEY_INTEGER, .required = true, .range = {AX_FROM, 1, 0}}
#define AX_KEY_SIZES_OF(key, n, otherwise)                                                         \
    {.name = key, .kind = AX_KEY_SIZES, .count = n, .range = {AX_FROM, 1, 0}, .number = otherwise}
#define AX_KEY_FLAG(key, otherwise) {.name = key, .kind = AX_KEY_BOOLEAN, .number = otherwise}
#define AX_KEY_START(key, otherwise) {.name = key, .kind = AX_KEY_INITIALIZER, .text = otherwise}
#define AX_KEY_NONE(key) {.name = key, .kind = AX_KEY_UNUSED}
#define AX_KEY_SKIP(key) {.name = key, .kind = AX_KEY_IGNORED}
#define AX_KEY_ACTIVATION_ROW {.name = "activation", .kind = AX_KEY_ACTIVATION}
#define AX_KEY_FORMAT_ROW                                                                          \
    {.name = "data_format", .kind = AX_KEY_CHOICE, .text = "channels_last|channels_first"}
#define AX_KEY_PADDING_ROW {.name = "padding", .kind = AX_KEY_CHOICE, .text = "valid|same"}
#define AX_KEYS_OF_KERNEL(kernel)                                                                  \
    AX_KEY_START(kernel "_initializer", "glorot_uniform"), AX_KEY_NONE(kernel "_regularizer"),     \
        AX_KEY_NONE(kernel "_constraint")
#define AX_KEYS_OF_BIAS                                                                            \
    AX_KEY_FLAG("use_bias", 1), AX_KEY_START("bias_initializer", "zeros"),                         \
        AX_KEY_NONE("bias_regularizer"), AX_KEY_NONE("bias_constraint")

/* ---- building (builder.c) -------------------------------------------------------------------- */

/* A value between two layers. The fields are the builder's own of the same names. */
typedef struct ax_flow {
    int value;
    ax_dtype type;
    int rank;
    int64_t dim[AX_MAX_RANK];
    bool moved;
    const ax_activation *activation;
} ax_flow;

struct ax_builder {
    ax_graph *graph;
    ax_arena *work; /* goes when the model is built */
    ax_error *err;
    const ax_layer *layer; /* the one at work: names nodes, weights and errors */
    bool channels_last;    /* the network's data_format */
    /* the value so far */
    int value; /* its number in the graph */
    ax_dtype type;
    int rank;
    int64_t dim[AX_MAX_RANK];
    bool moved;
    const ax_activation *activation; /* what made the value; NULL: no activation */
    /* what feeds the layer */
    int n_in;
    const ax_flow **in;
    int at_in; /* the one that is being made ready: names the nodes that it needs */
    /* weights */
    int n_weights;                 /* of this layer so far */
    int64_t parameters, trainable; /* of this layer */
    int64_t total;                 /* of the network */
    struct ax_fresh *fresh;        /* what is to be initialised once memory is there */
};

/* `layer "x" (Kind): ...`, for a function that builds. */
ax_status ax_build_fail(ax_builder *b, ax_status status, const char *fmt, ...) AX_PRINTF(3, 4);
/* "name of the layer/suffix", or the layer's name itself for NULL. NULL without memory. */
const char *ax_build_name(ax_builder *b, const char *suffix);
/* "(30, 30, 32)": the logical shape, for messages. */
const char *ax_build_shape_text(const ax_builder *b, char *buf, size_t size);

/* Adds the nodes of a layer within the one at work; NULL for inputs: it is fed by the value so far. */
ax_status ax_build_inside(ax_builder *b, const ax_layer *inner, int n_in, const ax_flow *const *in);

/* The value so far, to come back to. */
ax_flow ax_build_flow(const ax_builder *b);
void ax_build_resume(ax_builder *b, const ax_flow *f);
/* The value so far becomes input i of the layer. Nodes that lay it out are named after i, until input 0 is asked for
 * or the layer is at its end. */
void ax_build_input(ax_builder *b, int i);

/* Adds a node whose inputs are the value so far and n_more others (at most AX_MAX_LAYER_INPUTS); its output becomes the
 * value so far. */
ax_status ax_build_node(ax_builder *b, const char *op, const char *suffix, int n_more,
                        const int *more, int n_attr, const ax_attr *attr);
/* The logical shape from here on. AX_ERR_LIMIT when a row would be too large. */
ax_status ax_build_shape(ax_builder *b, int rank, const int64_t *dim, bool moved);

/*
 * A weight that training changes (or, for a statistic, that only the operator itself changes), filled by the
 * initializer when the graph is bound. dim is ONNX's order; the fans are Keras's.
 */
ax_status ax_build_weight(ax_builder *b, const char *name, int rank, const int64_t *dim,
                          const ax_initializer *init, double fan_in, double fan_out, int *out);
ax_status ax_build_statistic(ax_builder *b, const char *name, int64_t n, const ax_initializer *init,
                             int *out);
/* The weight made last is `blocks` matrices behind one another, each initialised for itself. */
void ax_build_blocks(ax_builder *b, int blocks);
/* n elements of each of its blocks, from `first` on, start as v whatever the initializer says. */
void ax_build_overlay(ax_builder *b, int64_t first, int64_t n, float v);
/* A tensor that never changes and is no parameter. */
ax_status ax_build_floats(ax_builder *b, const char *name, int rank, const int64_t *dim,
                          const float *data, int *out);
ax_status ax_build_integers(ax_builder *b, const char *name, int n, const int64_t *data, int *out);
ax_status ax_build_scalar(ax_builder *b, const char *name, float v, int *out);
/* n equal floats. */
ax_status ax_build_filled(ax_builder *b, const char *name, int64_t n, float v, int *out);

/* After ax_graph_bind: fills every weight by its initializer. */
ax_status ax_build_fill(ax_builder *b, uint64_t seed);

/* Casts bytes to floats; nothing when the value is floats. */
ax_status ax_build_float(ax_builder *b);
/* Makes the physical order the logical one. */
ax_status ax_build_plain(ax_builder *b);
/* Makes the physical order that of planes, for a layer of this data_format. */
ax_status ax_build_planes(ax_builder *b, bool channels_last);
/* A Transpose by a permutation of the dimensions without the batch (from 0). The shape is the caller's. */
ax_status ax_build_transpose(ax_builder *b, const char *suffix, const int *perm);
/* The layer's data_format, else the network's. */
bool ax_build_channels_last(const ax_builder *b, const ax_layer *l);
/* A logical axis as Keras counts it (0 is the batch, -1 the last) made 0 .. rank-1 without the batch. */
ax_status ax_build_axis(ax_builder *b, const char *key, int64_t axis, int *out);
/* Where a logical axis (0 .. rank-1) stands in the physical shape (1 .. rank). */
int ax_build_physical_axis(const ax_builder *b, int axis);

/* ---- activations (layer_activation.c) -------------------------------------------------------- */

struct ax_activation {
    const char *name;
    const char *alias; /* or NULL */
    const char *op;    /* the ONNX operator that ends it; NULL: linear */
    ax_status (*build)(ax_builder *b, const ax_activation *a, const char *suffix);
    float alpha, beta;
};

const ax_activation *ax_activation_find(const char *name); /* NULL: unknown */
/* The nodes of an activation, called "layer/relu"; nothing for NULL (linear). */
ax_status ax_build_activation(ax_builder *b, const ax_activation *a);
bool ax_activation_is(const ax_activation *a, const char *name);
/* Reads null, a name, or Keras's object. *out NULL: linear. */
ax_status ax_activation_read(const ax_json *v, const char *what, const ax_activation **out,
                             ax_error *err);

/* ---- windows: what convolutions and pools share (layer_window.c) ----------------------------- */

typedef struct ax_window {
    int n;     /* dimensions of a plane: 1 or 2 */
    bool last; /* data_format of the layer */
    int64_t channels;
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2];
    int64_t pad[4]; /* as in ONNX: all begins, then all ends */
} ax_window;

/* Checks the rank of the input and lays it out as planes: fills last, channels and in. */
ax_status ax_window_planes(ax_builder *b, const ax_layer *l, ax_window *w);
/* The same, and reads the kernel (by its key), strides, padding and dilation_rate. */
ax_status ax_window_open(ax_builder *b, const ax_layer *l, const char *kernel_key, ax_window *w);
#define AX_WINDOW_ATTRS 4
/* Fills kernel_shape, strides, pads and, when asked for, dilations. They point into w. Returns how many. */
int ax_window_attrs(const ax_window *w, bool dilations, ax_attr attr[AX_WINDOW_ATTRS]);
/* The shape after the window went over the planes. */
ax_status ax_window_close(ax_builder *b, const ax_window *w, int64_t channels);

/* ---- the head (head.c) ----------------------------------------------------------------------- */

/* What the end of the network has to fit. */
typedef struct ax_head {
    ax_task task;
    int n_classes, n_targets;
    const ax_options *options;
    ax_loss loss; /* out */
} ax_head;

/* Checks the last value against the task, chooses the loss, appends Softmax or Sigmoid where the network ends
 * in logits. */
ax_status ax_build_head(ax_builder *b, ax_head *h);
/* The loss that the options name, NULL when they do not. AX_ERR_UNKNOWN. */
ax_status ax_head_loss(const ax_options *options, const ax_loss_info **out, ax_error *err);

#endif /* AX_LAYER_H */
