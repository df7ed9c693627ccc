/*
 * onnx.h: a graph as ONNX bytes, and back (onnx.proto3, IR version 8).
 *
 * Written: one ModelProto; weights as initializers with raw_data, or, without weights, as external tensors
 * whose location is AX_WEIGHT_LOCATION (their bytes live in rows). The opset is AX_OPSET, or what the
 * newest operator in use needs; ai.onnx.ml stands beside it when an operator of that domain is in use. What stands in
 * front of the graph's input (graph/front.h) is written as inputs and nodes of its own, and taken off by the reader
 * (onnx/front.h).
 *
 * Read: hostile bytes. Every length is checked against the bytes that remain, messages nest as deep as
 * ONNX's own (no recursion on what the bytes say: subgraphs are refused), nodes, values and ranks have the
 * graph's maxima, memory is at most a small multiple of the bytes read, and external data may only point at
 * AX_WEIGHT_LOCATION, never at a file.
 */
#ifndef AX_ONNX_H
#define AX_ONNX_H

#include "graph/graph.h"

#define AX_IR_VERSION 8
#define AX_MAX_OPSET 20
#define AX_ML_DOMAIN "ai.onnx.ml"
#define AX_ML_OPSET 3
#define AX_WEIGHT_LOCATION "aiaas.weight"

/* The types and shapes of outputs are inferred for batch 1; dim 0 of inputs and outputs is written as the
 * symbol "batch". */
ax_status ax_onnx_encoded_size(const ax_graph *g, bool with_weights, size_t *size, ax_error *err);
/* size is what ax_onnx_encoded_size said. */
ax_status ax_onnx_encode(const ax_graph *g, bool with_weights, uint8_t *buf, size_t size,
                         ax_error *err);

/*
 * A fresh graph. Initializers become weights that are not trainable; those with data are filled, external
 * ones wait (data NULL, filled 0). AX_ERR_CORRUPT for bytes that are no ONNX model, AX_ERR_UNSUPPORTED for
 * one that uses what this engine lacks.
 */
ax_status ax_onnx_decode(const ax_env *env, const uint8_t *bytes, size_t len, ax_graph **out,
                         ax_error *err);

/* Field numbers of onnx.proto3, for reader and writer alike. */
enum {
    ONNX_MODEL_IR_VERSION = 1,
    ONNX_MODEL_PRODUCER_NAME = 2,
    ONNX_MODEL_PRODUCER_VERSION = 3,
    ONNX_MODEL_GRAPH = 7,
    ONNX_MODEL_OPSET_IMPORT = 8,
    ONNX_MODEL_METADATA = 14,

    ONNX_OPSET_DOMAIN = 1,
    ONNX_OPSET_VERSION = 2,

    ONNX_ENTRY_KEY = 1,
    ONNX_ENTRY_VALUE = 2,

    ONNX_GRAPH_NODE = 1,
    ONNX_GRAPH_NAME = 2,
    ONNX_GRAPH_INITIALIZER = 5,
    ONNX_GRAPH_INPUT = 11,
    ONNX_GRAPH_OUTPUT = 12,
    ONNX_GRAPH_SPARSE_INITIALIZER = 15,

    ONNX_NODE_INPUT = 1,
    ONNX_NODE_OUTPUT = 2,
    ONNX_NODE_NAME = 3,
    ONNX_NODE_OP_TYPE = 4,
    ONNX_NODE_ATTRIBUTE = 5,
    ONNX_NODE_DOMAIN = 7,

    ONNX_ATTR_NAME = 1,
    ONNX_ATTR_F = 2,
    ONNX_ATTR_I = 3,
    ONNX_ATTR_S = 4,
    ONNX_ATTR_T = 5,
    ONNX_ATTR_FLOATS = 7,
    ONNX_ATTR_INTS = 8,
    ONNX_ATTR_STRINGS = 9,
    ONNX_ATTR_TYPE = 20,

    ONNX_TENSOR_DIMS = 1,
    ONNX_TENSOR_TYPE = 2,
    ONNX_TENSOR_FLOAT_DATA = 4,
    ONNX_TENSOR_INT32_DATA = 5,
    ONNX_TENSOR_INT64_DATA = 7,
    ONNX_TENSOR_NAME = 8,
    ONNX_TENSOR_RAW_DATA = 9,
    ONNX_TENSOR_EXTERNAL_DATA = 13,
    ONNX_TENSOR_DATA_LOCATION = 14,

    ONNX_VALUE_NAME = 1,
    ONNX_VALUE_TYPE = 2,
    ONNX_VALUE_DOC = 3,
    ONNX_TYPE_TENSOR = 1,
    ONNX_TENSOR_TYPE_ELEM = 1,
    ONNX_TENSOR_TYPE_SHAPE = 2,
    ONNX_SHAPE_DIM = 1,
    ONNX_DIM_VALUE = 1,
    ONNX_DIM_PARAM = 2
};

#endif /* AX_ONNX_H */
