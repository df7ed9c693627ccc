/*
 * plan_private.h: what plan.c decides and exec.c carries out.
 */
#ifndef AX_PLAN_PRIVATE_H
#define AX_PLAN_PRIVATE_H

#include "graph/lower.h"

#define AX_NOWHERE ((size_t) -1)

typedef enum ax_step_kind {
    AX_STEP_FORWARD,
    AX_STEP_FORWARD_STATS,
    AX_STEP_FORWARD_MERGE, /* all shards meet */
    AX_STEP_LOSS,
    AX_STEP_BACKWARD,
    AX_STEP_BACKWARD_STATS,
    AX_STEP_BACKWARD_MERGE /* all shards meet */
} ax_step_kind;

typedef struct ax_step {
    ax_step_kind kind;
    int node;
} ax_step;

/* One node as planned. Offsets are into the shard's arena, AX_NOWHERE: none. */
typedef struct ax_planned {
    void *prep;
    size_t scratch_bytes, scratch_backward_bytes, saved_bytes;
    size_t scratch, scratch_backward, saved;
    size_t packed_bytes, packed; /* within the packed memory */
    int alias;     /* input whose bytes output 0 shares by meaning, -1 */
    bool backward; /* takes part in the backward pass */
    bool forward_skipped, backward_skipped; /* aliases: nothing to do */
    bool *add;     /* per input: add to the gradient, another consumer wrote it before */
} ax_planned;

struct ax_plan {
    ax_arena arena;
    ax_lowered lowered;
    const ax_graph *graph; /* the lowered one; value numbers here are its */
    int64_t batch;
    bool training;
    int loss_value;
    ax_tensor *value;    /* types and shapes; data of weights */
    int *root;           /* per value: the value whose buffer holds it (itself, unless shared) */
    size_t *place;       /* per root value that is computed or an input: offset in the shard's arena */
    bool *has_grad;      /* per value: the backward pass computes its gradient */
    int *grad_root;      /* per value: the value whose gradient buffer holds its gradient */
    size_t *grad_place;  /* per gradient root: offset; for a trainable weight in floats, in the shard's grad */
    int64_t grad_floats; /* of the shard's grad */
    ax_planned *node;
    int n_steps;
    ax_step *step;
    const ax_order **order; /* per value: of a trainable weight's gradient, or NULL */
    int *deferred;       /* per value: the node that has its gradient on demand, or -1 */
    size_t bytes;        /* of a shard's arena */
    size_t packed_bytes; /* of the weights that all shards share */
    int n_packs;
    int *pack; /* (n_packs) nodes that pack */
};

#endif /* AX_PLAN_PRIVATE_H */
