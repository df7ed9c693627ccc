/*
 * front.h: what stands in front of a table's row of numbers.
 *
 * A model of a table takes its columns one by one: numbers as they are, texts as texts. Inside, a row is `width`
 * floats, the columns side by side in their order: numbers (NaN where SQL says NULL), and for each text the number
 * that it stands for. The front says which. It is part of the graph: its ONNX bytes begin with one input a
 * column, a LabelEncoder (ai.onnx.ml) for each text and a Concat whose output is the graph's own input; the reader
 * takes these nodes off again. So an exported model takes raw columns, and here the translation is a look into a
 * dictionary while the row is made, before anything runs.
 *
 * ONNX has no NULL: the empty text stands for it.
 */
#ifndef AX_FRONT_H
#define AX_FRONT_H

#include "tensor/tensor.h"

typedef struct ax_front_column {
    const char *name; /* of the ONNX input; unique, any UTF-8 text */
    bool text;
    int64_t width;           /* floats in a row; 1 for a text */
    int n_keys;              /* text only, from here on */
    const char *const *key;  /* distinct, none empty */
    const float *key_value;  /* (n_keys) */
    float otherwise;         /* any other text */
    float missing;           /* the empty text */
    const int32_t *slot;     /* open-addressing hash of the keys (ax_graph_set_front): key number + 1, 0 is free */
    int n_slots;             /* a power of two */
} ax_front_column;

typedef struct ax_front {
    int n;
    ax_front_column *column;
} ax_front;

struct ax_graph;

/*
 * Copies the columns into the graph's arena and indexes their keys. A graph has one input, (batch, sum of widths). Two
 * columns of one name, a category twice, widths that do not fit: AX_ERR_INVALID.
 */
ax_status ax_graph_set_front(struct ax_graph *g, int n, const ax_front_column *column, ax_error *err);

/* What a text of len bytes stands for. */
float ax_front_value(const ax_front_column *c, const char *text, size_t len);

#endif /* AX_FRONT_H */
