/*
 * plan.h: compile once, run many.
 *
 * A plan is a graph made ready for one batch size: lowered to what runs fastest (lower.h), shapes inferred,
 * steps in order (the forward ones, and for training the backward ones derived from them), every buffer placed
 * in one arena by its lifetime. A plan is read-only once made, and holds no tensor bytes; an ax_exec is the memory
 * of one shard that runs it. A training batch is several shards, each an ax_exec, run side by side.
 *
 * Between two points where the whole batch must meet (ax_op.forward_merge) a shard runs alone: one task of
 * the pool takes it through load, forward, loss and backward without stopping.
 */
#ifndef AX_PLAN_H
#define AX_PLAN_H

#include "graph/op.h"

typedef struct ax_plan ax_plan;
typedef struct ax_exec ax_exec;

typedef struct ax_plan_spec {
    int64_t batch;  /* rows of a shard */
    bool training;
    int loss_value; /* training: the value whose gradient the caller's loss fills (kept alive with it) */
    bool plain;     /* for tests: as the operators stand, the oracle of what lower.c makes */
} ax_plan_spec;

/* The graph must be bound, and outlive the plan. */
ax_status ax_plan_create(const ax_env *env, const ax_graph *g, const ax_plan_spec *spec,
                         ax_plan **out, ax_error *err);
void ax_plan_free(ax_plan *p);
size_t ax_plan_arena_bytes(const ax_plan *p); /* what an ax_exec of this plan needs */
size_t ax_plan_packed_bytes(const ax_plan *p); /* the same for every batch size of a graph */
size_t ax_plan_memory(const ax_plan *p);       /* what the plan itself has taken from its env */
int64_t ax_plan_batch(const ax_plan *p);
/* How the gradient of a trainable weight is laid out in a shard's grad; NULL: as the weight is. */
const ax_order *ax_plan_order(const ax_plan *p, int value);
/* What a shard's grad is (the same for every batch size of a graph), and where in it the gradient of a trainable weight
 * stands; -1: it is deferred. */
int64_t ax_plan_gradient_floats(const ax_plan *p);
int64_t ax_plan_gradient_at(const ax_plan *p, int value);
/* Is the gradient of a weight not in grad, but to be had from ax_exec_weight_gradient? */
bool ax_plan_defers(const ax_plan *p, int value);

/*
 * arena: ax_plan_arena_bytes of AX_ALIGN-aligned memory that several execs may share if they never run at
 * the same time. packed: ax_plan_packed_bytes of it, shared by all execs of plans of one graph. grad: the
 * shard's own gradient, ax_plan_gradient_floats (training), else NULL. All stay the caller's.
 */
ax_status ax_exec_create(const ax_env *env, const ax_plan *p, void *arena, void *packed,
                         float *grad, ax_exec **out, ax_error *err);
/* What an ax_exec of this plan takes from its env, besides the arena and the gradient. */
size_t ax_exec_memory(const ax_plan *p);
/* Fills packed from the weights: before the first run, and whenever they have changed. pool may be NULL. */
ax_status ax_exec_pack(ax_exec *e, ax_pool *pool, ax_error *err);
void ax_exec_free(ax_exec *e);
const ax_plan *ax_exec_plan(const ax_exec *e);

/* Points a graph input at the caller's bytes instead of the arena (until pointed elsewhere; NULL: back). */
void ax_exec_bind(ax_exec *e, int value, const void *data);
ax_tensor ax_exec_value(const ax_exec *e, int value);    /* graph inputs, outputs and the loss value only */
ax_tensor ax_exec_gradient(const ax_exec *e, int value); /* the loss value's */
const void *ax_exec_data(const ax_exec *e, int value);   /* ax_exec_value's data alone */

/* What one run does. The functions are called on the pool's threads with the shard's number. */
typedef struct ax_exec_job {
    uint64_t key;  /* random key of the step */
    void (*load)(void *arg, int shard, ax_exec *e); /* writes or binds the inputs; may be NULL */
    void (*loss)(void *arg, int shard, ax_exec *e); /* after forward; training: fills the gradient of
                                                       loss_value. May be NULL for inference */
    void *arg;
    bool backward;        /* only for training plans: run it. The shard's grad is overwritten */
    const int64_t *row0;  /* first row of each shard within the batch; NULL: 0 */
} ax_exec_job;

/* Runs the shards. pool may be NULL for one shard on the calling thread; then env->may_continue is asked
 * between nodes. */
ax_status ax_exec_run(const ax_env *env, ax_exec *const *shard, int n, ax_pool *pool,
                      const ax_exec_job *job, ax_error *err);

/*
 * The gradient of a weight that the plan defers, all shards of the run that just ended added up in order: rows [from,
 * to) of its first dimension, at most AX_GRADIENT_ROWS. Any thread.
 */
void ax_exec_weight_gradient(ax_exec *const *shard, int n, int value, int64_t from, int64_t to,
                             float *out);

/*
 * What ax_exec_run does, for one shard of an inference plan, without a job, a pool or a question whether to go on: the
 * inputs are bound before, the outputs read after. Only for plans whose run takes far less than 50 ms.
 */
void ax_exec_infer(ax_exec *e);

#endif /* AX_PLAN_H */
