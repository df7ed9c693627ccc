/*
 * reader.h: what the files that read ONNX bytes share (read.c, read_attr.c, read_front.c). The bytes are hostile;
 * every function answers AX_ERR_CORRUPT, AX_ERR_UNSUPPORTED or AX_ERR_LIMIT for what it does not like.
 */
#ifndef AX_READER_H
#define AX_READER_H

#include "graph/op.h"
#include "onnx/onnx.h"
#include "onnx/wire.h"

#define AX_MAX_ATTRIBUTES 64 /* of one node */

typedef struct ax_reader {
    ax_graph *g;
    ax_arena work; /* names and lists of one node, gone with the call */
    ax_error *err;
    int front_nodes; /* the first nodes, which ax_read_front took off */
    int nodes_seen;
} ax_reader;

ax_status ax_read_corrupt(ax_reader *r, const char *what);
/* A '\0'-terminated copy of a string field in the working arena. */
ax_status ax_read_string(ax_reader *r, const ax_field *f, const char **out);

typedef struct ax_onnx_tensor {
    const char *name;
    ax_tensor t;     /* data within the message for raw_data, or in the working arena */
    size_t data_len; /* bytes of data */
    bool external;
    const char *location;
} ax_onnx_tensor;

ax_status ax_read_tensor(ax_reader *r, const ax_field *field, ax_onnx_tensor *t);

/* An AttributeProto; its lists are in the working arena. */
ax_status ax_read_attr(ax_reader *r, const ax_field *field, ax_attr *a);

/* A graph's input. */
typedef struct ax_input_bytes {
    const char *name, *doc; /* "" when left out */
    ax_dtype type;
    ax_shape shape; /* rank -1 when left out */
} ax_input_bytes;

ax_status ax_read_value_info(ax_reader *r, const ax_field *field, ax_input_bytes *out);

/* The front of the graph in field `graph` (front.h), if it has one: the graph then has its input and its front, and
 * r->front_nodes says how many nodes that were. */
ax_status ax_read_front(ax_reader *r, const ax_field *graph);

#endif /* AX_READER_H */
