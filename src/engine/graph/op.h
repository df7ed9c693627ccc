/*
 * op.h: what an operator is. One row of the table in op_table.c per ONNX operator; its functions stand
 * together in op_<name>.c: setup (check and shapes), forward, backward.
 *
 * setup runs when a graph is planned (and for shape inference): it checks attributes, types and shapes, fills
 * the outputs' types and shapes, asks for scratch and saved memory, and may prepare constants in
 * s->prep. After it said AX_OK nothing can fail: forward and backward return nothing, allocate nothing, and
 * run on any thread. They may be called for several shards of a batch at once, each with its own ax_run.
 *
 * Gradients: din[i].data is NULL when that gradient is not wanted. add[i] says whether to add to it (an
 * earlier consumer has written it) or to overwrite it; it is never read when add[i] is false. A
 * gradient has the shape of its value and type AX_FLOAT.
 *
 * Backward is the last to read the gradient of its own output, and may overwrite it.
 *
 * An operator whose training result depends on the whole batch (BatchNormalization) splits its work:
 * forward_stats for each shard, forward_merge once with all shards in order, then forward for each shard; the same
 * for backward. merge runs alone, so it may also update running statistics.
 */
#ifndef AX_OP_H
#define AX_OP_H

#include "graph/graph.h"
#include "tensor/kernel.h"
#include "tensor/pool.h"

#define AX_GRADIENT_ROWS 192 /* that weight_gradient is asked for at once */
#define AX_OP_MAX_IN 8   /* a longer list (Concat) goes through ax_run.in all the same: it is an array */

/*
 * The order of a weight's gradient within its floats: element (m, c, t) of a weight of shape (M, C, taps), that is
 * (groups * mg, c, taps), stands at m / mg * per_group + m % mg * per_m + at[c * taps + t]. A kernel that writes it in
 * the order in which it comes is saved a transposition a shard; who adds the shards up puts it in order.
 */
typedef struct ax_order {
    int64_t mg, c, taps;
    int64_t per_group, per_m;
    const int32_t *at; /* (c * taps) */
} ax_order;

/* One of `of` parts of a piece of work. */
typedef struct ax_part {
    int number, of;
} ax_part;

#define AX_WHOLE ((ax_part){0, 1})
#define AX_PACK_PARTS 4 /* in which weights are packed */

typedef struct ax_setup {
    const ax_node *node;
    int n_in, n_out;
    const ax_tensor *in; /* by position; rank -1 in an input left out; data only for constants */
    ax_tensor *out;      /* to fill: type and shape */
    bool training;       /* the plan will run backward (and Dropout drops, BatchNormalization learns) */
    ax_arena *arena;     /* for prep; lives as long as the plan */
    void *prep;          /* the operator's own, shared by all shards, read-only later */
    size_t scratch;          /* bytes wanted during forward (uninitialised, AX_ALIGN) */
    size_t scratch_backward; /* bytes wanted during backward */
    size_t saved;            /* bytes kept from forward to backward (training only) */
    size_t packed;           /* bytes of weights in the order that the kernels want; the same for every batch size */
    const ax_order *order;   /* training: how the gradient of input 1 is laid out; NULL: as the weight is */
    int alias;               /* set to i: out[0] has the very bytes of in[i], forward would copy nothing; -1 */
    ax_error *err;
} ax_setup;

typedef struct ax_run {
    const ax_node *node;
    const void *prep;
    int n_in, n_out;
    const ax_tensor *in; /* data set; rank -1 in an input left out */
    ax_tensor *out;
    const ax_tensor *dout; /* backward only: gradient of each output; data NULL: not used by anyone */
    ax_tensor *din;        /* backward only */
    const bool *add;       /* backward only, per input */
    void *scratch;
    void *saved;
    void *packed; /* shared by all shards; only pack writes to it */
    bool training;
    uint64_t key;  /* random key of this step and node, the same for all shards */
    int64_t row0;  /* this shard's first row within the batch: with key, random bits by row */
    ax_pool *pool; /* for ax_pool_stopped in loops that may take over 10 ms; may be NULL */
} ax_run;

/* What backward reads; the planner keeps it alive. */
enum {
    AX_KEEP_IN0 = 1 << 0,
    AX_KEEP_IN1 = 1 << 1,
    AX_KEEP_IN2 = 1 << 2,
    AX_KEEP_IN = 0xff,      /* all inputs */
    AX_KEEP_OUT = 1 << 8,   /* output 0 */
    AX_INPLACE = 1 << 9,    /* forward may write out[0] over in[0] (same shape and type), and backward
                               din[0] over dout[0] */
    AX_NO_GRADIENT = 1 << 10, /* backward is NULL and gradients stop here (Cast to integer, Shape) */
    AX_RANDOM = 1 << 11,    /* uses key when training */
    AX_ELEMENTWISE = 1 << 12 /* every element for itself: any order of the elements will do */
};

/* An attribute that an operator knows. Absent attributes take the operator's own default. */
typedef struct ax_attr_spec {
    const char *name; /* NULL ends the list */
    ax_attr_kind kind;
} ax_attr_spec;

typedef struct ax_op {
    const char *type;   /* ONNX op_type */
    const char *domain; /* NULL: ai.onnx; else "ai.onnx.ml" */
    int since;          /* opset of the domain that brought the form implemented here (for what is written) */
    int min_in, max_in, min_out, max_out; /* max_in -1: any number */
    unsigned flags;
    const ax_attr_spec *attr;
    ax_status (*setup)(ax_setup *s);
    /* Weights -> packed, after every change of them; only in, prep and packed are set. In AX_PACK_PARTS parts at
     * once, or all in part 0. */
    void (*pack)(const ax_run *r, ax_part part);
    void (*forward)(const ax_run *r);
    void (*backward)(const ax_run *r);
    void (*forward_stats)(const ax_run *r);
    void (*forward_merge)(const ax_run *const *shard, int n);
    /*
     * Set: backward leaves the gradient of input 1 alone, and this adds it up over all shards once they are done: rows
     * [from, to) of its first dimension, at most AX_GRADIENT_ROWS, to out (overwritten). Any thread.
     */
    void (*weight_gradient)(const ax_run *const *shard, int n, int64_t from, int64_t to, float *out);
    void (*backward_stats)(const ax_run *r);
    void (*backward_merge)(const ax_run *const *shard, int n);
} ax_op;

/* By ONNX op_type; NULL when there is none. */
const ax_op *ax_op_find(const char *type);
int ax_op_count(void);
const ax_op *ax_op_at(int i);

/* ---- helpers for setup ----------------------------------------------------------------------- */

/* AX_ERR_INVALID "node \"x\" (Conv): ..." */
ax_status ax_setup_fail(ax_setup *s, const char *fmt, ...) AX_PRINTF(2, 3);
ax_status ax_setup_unsupported(ax_setup *s, const char *fmt, ...) AX_PRINTF(2, 3);
/* Input i is there, and is AX_FLOAT of rank min..max. */
ax_status ax_setup_float(ax_setup *s, int i, int min_rank, int max_rank);
/* out[0] = in[0] and in[1] broadcast to one shape, of the type. AX_ERR_INVALID when they do not fit. */
ax_status ax_setup_broadcast(ax_setup *s, ax_dtype type);
/* out[0] = type and shape of in[i]. */
void ax_setup_same(ax_setup *s, int i);
/* Zeroed prep memory; NULL when there is none (then return ax_nomem(s->err)). */
void *ax_setup_prep(ax_setup *s, size_t size);
/* 0, of, 2 * of, ...: n offsets for a kernel's table; NULL when there is no memory. */
int32_t *ax_multiples(ax_arena *a, int64_t n, int64_t of);
/* An axis attribute: -rank..rank-1 made 0..rank-1. */
ax_status ax_setup_axis(ax_setup *s, int64_t axis, int rank, int *out);

static inline bool ax_wants_grad(const ax_run *r, int i)
{
    return i < r->n_in && r->din[i].data != NULL;
}

#endif /* AX_OP_H */
