/*
 * front.h of the codec: how a graph's front (graph/front.h) is spelled in ONNX.
 *
 *     input  COLUMN   FLOAT (batch, width), or STRING (batch, 1)           one a column
 *     node   LabelEncoder (ai.onnx.ml) COLUMN -> code                      one a text: keys_strings, values_floats (the
 *                                                                          last is of the empty text), default_float
 *     node   Concat on axis 1 -> the graph's own input                     named AX_FRONT_NODE
 *
 * A column whose name is taken by a value of the graph gets another one, and keeps its own as doc_string. What is
 * made up begins with a prefix that no name has.
 */
#ifndef AX_ONNX_FRONT_H
#define AX_ONNX_FRONT_H

#include "graph/graph.h"
#include "onnx/wire.h"

#define AX_FRONT_NODE "aiaas.front"
#define AX_STRING_TYPE 8 /* TensorProto.DataType.STRING, which no tensor of the engine has */

typedef struct ax_front_names {
    const char **input; /* of each column */
    const char **code;  /* of each column's numbers: of a text another value than the input */
} ax_front_names;

ax_status ax_front_name(const ax_graph *g, ax_arena *work, ax_front_names *out, ax_error *err);
/* The fields of a GraphProto. */
void ax_write_front_nodes(ax_writer *w, const ax_graph *g, const ax_front_names *names);
void ax_write_front_inputs(ax_writer *w, const ax_graph *g, const ax_front_names *names);
bool ax_front_has_text(const ax_graph *g);

#endif /* AX_ONNX_FRONT_H */
