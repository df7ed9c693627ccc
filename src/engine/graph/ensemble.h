/*
 * ensemble.h: the attributes of a TreeEnsembleRegressor (ai.onnx.ml), checked and linked. They may come from hostile
 * bytes: ids of any kind, wrong lengths, cycles.
 *
 * The nodes stand tree by tree, in the order in which the trees come, level by level, and the two children of a branch
 * side by side. Every mode is put as <= or ==: x < t is x <= the next number below t, and of the opposite ones (>=, >,
 * !=) the children are exchanged.
 */
#ifndef AX_ENSEMBLE_H
#define AX_ENSEMBLE_H

#include "graph/graph.h"

typedef enum ax_aggregate { AX_SUM, AX_AVERAGE, AX_LEAST, AX_MOST } ax_aggregate;

typedef struct ax_ensemble_node {
    float threshold;
    int32_t feature; /* -1: a leaf */
    int32_t next;    /* where yes leads; no is behind it */
    bool equal, missing_yes;
    float cover;     /* nodes_hitrates, or 0 */
    int32_t source;  /* its place in the attributes */
} ax_ensemble_node;

typedef struct ax_ensemble {
    int32_t n_nodes, n_trees, n_outputs;
    int32_t n_features; /* one more than the largest that is asked for */
    ax_aggregate aggregate;
    const float *base; /* (n_outputs), or NULL */
    ax_ensemble_node *node;
    int32_t *root, *depth;  /* (n_trees) */
    int32_t *first;         /* (n_nodes + 1) a leaf adds `output` and `weight` from first[node] to first[node + 1] */
    int32_t *output;
    float *weight;
} ax_ensemble;

/* Everything lives in the arena, which is asked for about 100 bytes a node. */
ax_status ax_ensemble_read(const ax_node *n, ax_arena *arena, ax_ensemble *out, ax_error *err);

#endif /* AX_ENSEMBLE_H */
