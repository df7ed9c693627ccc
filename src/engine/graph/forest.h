/*
 * forest.h: decision trees as data: what the trainers of the tree floor make, and what the operator
 * TreeEnsembleRegressor (ai.onnx.ml) runs.
 *
 * A row starts at a tree's root. At a branch it goes to `yes` when its number is <= the threshold (or == it, for
 * a category's code), else to `no`; a NaN goes where missing_yes says. The leaf that it ends in adds its numbers to the
 * outputs: to one of them (boosting: output `at`), or to all of them (width == n_outputs, at == 0).
 */
#ifndef AX_FOREST_H
#define AX_FOREST_H

#include "tensor/tensor.h"

#define AX_MAX_TREE_NODES (1 << 24) /* and numbers in leaves, of one forest: what a list of ONNX may have here */

typedef struct ax_tree_node {
    int32_t feature; /* -1: a leaf */
    float threshold;
    bool equal;       /* ==, else <= */
    bool missing_yes; /* where NaN goes */
    int32_t yes, no;  /* node numbers within the forest, larger than this one's */
    int32_t leaf;     /* of a leaf: its first number in `value` */
    float cover;      /* rows, or the sum of their weights or hessians */
    float gain;       /* of a branch: what the split was worth */
} ax_tree_node;

typedef struct ax_forest {
    int n_features, n_outputs;
    int width;           /* numbers in a leaf: 1 or n_outputs */
    bool average;        /* the mean over the trees, else the sum */
    const float *base;   /* (n_outputs) added at the end, or NULL */
    int n_trees;
    const int32_t *root; /* (n_trees) */
    const int32_t *at;   /* (n_trees) the output of each tree's leaves; NULL: 0 */
    int64_t n_nodes;
    const ax_tree_node *node;
    int64_t n_values;
    const float *value;
} ax_forest;

struct ax_graph;
struct ax_node;

/*
 * Adds a TreeEnsembleRegressor with all its attributes, which are copies; input: (batch, features) floats; *out:
 * (batch, n_outputs). A branch that leads out of the forest, upwards, or to where another one leads: AX_ERR_INVALID.
 */
ax_status ax_graph_add_forest(struct ax_graph *g, const char *name, int input, const ax_forest *f, int *out,
                              ax_error *err);
/*
 * The way back: the trees of such a node, whatever wrote it; everything lives in the arena, or in the node.
 * Thresholds of other modes come as <= or ==; gains are 0, which ONNX does not keep. n_features is what the branches
 * ask for. A minimum or maximum over the trees: AX_ERR_UNSUPPORTED.
 */
ax_status ax_graph_read_forest(const struct ax_node *n, ax_arena *arena, ax_forest *out, ax_error *err);

#endif /* AX_FOREST_H */
