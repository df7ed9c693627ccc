/*
 * graph.h: a network as data. Nodes are ONNX operators with ONNX attributes; values are the named edges
 * between them. The graph is what is stored, exported, summarized, planned and differentiated; nothing
 * in it says how it will be run.
 *
 * Values are numbered; a node lists the numbers of its inputs (-1: an optional input left out) and its
 * outputs. Nodes stand in topological order, as ONNX demands: every input of a node is a graph input,
 * a weight or the output of an earlier node.
 *
 * Everything lives in the graph's arena and goes with it, weights included: the trainable ones in one
 * flat vector (ax_graph_bind), so that an optimizer is one loop.
 */
#ifndef AX_GRAPH_H
#define AX_GRAPH_H

#include "graph/front.h"
#include "tensor/tensor.h"

/* Named maxima; more is AX_ERR_LIMIT. */
#define AX_MAX_NODES 20000
#define AX_MAX_VALUES 60000
#define AX_MAX_NODE_VALUES 256 /* inputs, or outputs, of one node */
#define AX_OPSET 17            /* what is written; a higher one only if an operator in use needs it */

/* The numbers are ONNX's AttributeProto.AttributeType. */
typedef enum ax_attr_kind {
    AX_ATTR_FLOAT = 1,
    AX_ATTR_INT = 2,
    AX_ATTR_STRING = 3,
    AX_ATTR_TENSOR = 4,
    AX_ATTR_FLOATS = 6,
    AX_ATTR_INTS = 7,
    AX_ATTR_STRINGS = 8
} ax_attr_kind;

typedef struct ax_attr {
    const char *name;
    ax_attr_kind kind;
    float f;
    int64_t i;
    const char *s; /* '\0'-terminated */
    int count;     /* FLOATS, INTS, STRINGS */
    const float *floats;
    const int64_t *ints;
    const char *const *strings; /* each '\0'-terminated; equal ones may be the same pointer */
    ax_tensor tensor;
} ax_attr;

struct ax_op;

typedef struct ax_node {
    const char *name; /* "conv2d_1" or "conv2d_1/relu": layer, then what of it */
    const struct ax_op *op;
    int n_in, n_out, n_attr;
    const int *in; /* value numbers, -1 for an input left out */
    const int *out;
    const ax_attr *attr;
} ax_node;

typedef enum ax_value_role {
    AX_VALUE_INPUT,    /* fed by the caller */
    AX_VALUE_WEIGHT,   /* an initializer: trainable or not (running statistics, shapes, ...) */
    AX_VALUE_COMPUTED  /* output of a node */
} ax_value_role;

typedef struct ax_value {
    const char *name; /* unique in the graph */
    ax_value_role role;
    ax_dtype type;   /* inputs and weights: known; computed: by inference only */
    ax_shape shape;  /* inputs: dim[0] may be AX_DIM_BATCH; weights: exact; computed: unset (rank -1) */
    int producer;    /* node number, -1 */
    /* weights */
    bool trainable;
    void *data;      /* NULL until bound or filled */
    size_t filled;   /* bytes received so far (decoding) */
    int64_t offset;  /* trainable: first float within the flat vector, after ax_graph_bind */
} ax_value;

typedef struct ax_meta {
    const char *key, *value;
} ax_meta;

typedef struct ax_graph {
    ax_arena arena;
    const char *name;
    int n_nodes, n_values, n_inputs, n_outputs, n_meta;
    ax_node *node;
    ax_value *value;
    int *input;  /* value numbers */
    int *output;
    ax_meta *meta;
    int cap_nodes, cap_values, cap_inputs, cap_outputs, cap_meta;
    int *slot;   /* open-addressing hash of value names: value number + 1, 0 is free */
    int n_slots; /* a power of two, at least twice n_values */
    const ax_front *front; /* what stands in front of the one input (front.h), or NULL */
    bool borrow; /* attributes of new nodes stay where they are: their owner outlives this graph */
    /* after ax_graph_bind */
    float *param;     /* every trainable weight, each starting at a multiple of 16 floats, zero between */
    int64_t n_param;  /* floats in param, padding included, a multiple of 16 */
} ax_graph;

ax_status ax_graph_create(const ax_env *env, const char *name, ax_graph **out, ax_error *err);
void ax_graph_free(ax_graph *g);

/* ---- building. Names are copied. Each returns the new value's number in *out. ---------------- */

ax_status ax_graph_add_input(ax_graph *g, const char *name, ax_dtype type, const ax_shape *shape,
                             int *out, ax_error *err);
/* data: copied when not NULL; else the value stays without bytes until ax_graph_bind (zeros) or filling. */
ax_status ax_graph_add_weight(ax_graph *g, const char *name, ax_dtype type, const ax_shape *shape,
                              bool trainable, const void *data, int *out, ax_error *err);
/* A weight of another graph that outlives this one: its very memory, its offset, its name. */
ax_status ax_graph_share_weight(ax_graph *g, const ax_value *from, int *out, ax_error *err);
ax_status ax_graph_add_output(ax_graph *g, int value, ax_error *err);

/*
 * Adds a node; its single output is named after the node. Attributes are copied (names, strings, lists).
 * An unknown op_type, a wrong number of inputs, an attribute that the operator does not have or of the
 * wrong kind: AX_ERR_UNSUPPORTED / AX_ERR_INVALID naming the node.
 */
ax_status ax_graph_add_node(ax_graph *g, const char *op_type, const char *name, int n_in,
                            const int *in, int n_attr, const ax_attr *attr, int *out,
                            ax_error *err);
/* The general form: n_out named outputs ("" or NULL: an output left out, its number is -1). */
ax_status ax_graph_add_node_multi(ax_graph *g, const char *op_type, const char *name, int n_in,
                                  const int *in, int n_attr, const ax_attr *attr, int n_out,
                                  const char *const *out_name, int *out, ax_error *err);
/* The same for an operator at hand, which need not be one of ONNX's. */
ax_status ax_graph_add_op(ax_graph *g, const struct ax_op *op, const char *name, int n_in,
                          const int *in, int n_attr, const ax_attr *attr, int n_out,
                          const char *const *out_name, int *out, ax_error *err);

/* Attribute literals: ax_attr_i("axis", 1) and so on. They point at the caller's memory. */
ax_attr ax_attr_i(const char *name, int64_t v);
ax_attr ax_attr_f(const char *name, float v);
ax_attr ax_attr_s(const char *name, const char *v);
ax_attr ax_attr_is(const char *name, int n, const int64_t *v);
ax_attr ax_attr_fs(const char *name, int n, const float *v);
ax_attr ax_attr_ss(const char *name, int n, const char *const *v);

ax_status ax_graph_set_meta(ax_graph *g, const char *key, const char *value, ax_error *err);
const char *ax_graph_meta(const ax_graph *g, const char *key); /* NULL when absent */

/* Lays the trainable weights out in one flat vector and gives every weight its memory (zeros unless it
 * had data). After this the set of weights is fixed. */
ax_status ax_graph_bind(ax_graph *g, ax_error *err);

int ax_graph_find_value(const ax_graph *g, const char *name); /* -1 when absent */
int64_t ax_graph_parameters(const ax_graph *g, bool trainable_only); /* elements of float weights */

/* ---- attributes of a node -------------------------------------------------------------------- */

const ax_attr *ax_node_attr(const ax_node *n, const char *name); /* NULL when absent */
int64_t ax_node_int(const ax_node *n, const char *name, int64_t otherwise);
float ax_node_float(const ax_node *n, const char *name, float otherwise);
const char *ax_node_string(const ax_node *n, const char *name, const char *otherwise);

/* ---- shape inference (infer.c) --------------------------------------------------------------- */

/*
 * Types and shapes of every value for a given batch (inputs' AX_DIM_BATCH becomes batch), in arrays of
 * g->n_values entries. This is also where operators check their inputs: AX_ERR_INVALID names the node.
 */
ax_status ax_graph_infer(const ax_graph *g, int64_t batch, ax_tensor *value, ax_error *err);

/* Fills value[] for inputs and weights only (data of weights included); the others get rank -1. */
void ax_graph_bind_shapes(const ax_graph *g, int64_t batch, ax_tensor *value);

struct ax_setup;
/*
 * Sets node i up: its inputs are read from value[], what setup says of its outputs is checked for sanity and
 * written to value[]. *s keeps the rest (prep, scratch, saved, alias); its arrays live in arena.
 */
ax_status ax_graph_setup_node(const ax_graph *g, int i, bool training, ax_arena *arena,
                              ax_tensor *value, struct ax_setup *s, ax_error *err);

#endif /* AX_GRAPH_H */
