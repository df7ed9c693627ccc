/*
 * reduce.h: from the private gradients of the shards to one step of the optimizer.
 *
 * The parameters are cut into fixed blocks that end where a weight ends. Each block is summed over
 * the shards in their order, clipped, and handed to the optimizer, by whichever thread comes first;
 * a norm is the sum of the blocks' sums in order. Nothing depends on the number of threads.
 */
#ifndef AX_REDUCE_H
#define AX_REDUCE_H

#include "graph/plan.h"
#include "nn/optimizer.h"
#include "tensor/pool.h"

typedef struct ax_reduce ax_reduce;

/* The graph must be bound; plan (of any batch size; NULL: gradients are in the
 * order of the weights), optimizer and graph must outlive it. */
ax_status ax_reduce_create(const ax_env *env, ax_graph *g, const ax_plan *plan, ax_optimizer *o,
                           ax_reduce **out, ax_error *err);
size_t ax_reduce_memory(ax_graph *g, const ax_plan *plan); /* what ax_reduce_create takes */
/* One step with the given learning rate. grad: n vectors as the plan lays them out; the first is
 * overwritten by the sum. exec: the shards that made them, for gradients that the plan defers; NULL without a plan.
 * AX_ERR_CANCELLED leaves the parameters half updated. */
ax_status ax_reduce_step(ax_reduce *r, ax_pool *pool, float *const *grad, ax_exec *const *exec,
                         int n, double rate, ax_error *err);
/* Is every parameter a finite number? */
ax_status ax_reduce_check(ax_reduce *r, ax_pool *pool, bool *finite, ax_error *err);
void ax_reduce_free(ax_reduce *r);

#endif /* AX_REDUCE_H */
