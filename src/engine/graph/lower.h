/*
 * lower.h: from the graph that is stored to the graph that is run.
 *
 * Lowering makes a new graph that computes the same: convolutions and what stands around them work on channels-last
 * data (nhwc.h) and take the relu, the pool and, in inference, the normalization behind them along; everything else
 * stays. Between layers that agree on channels last no data is moved. What was an ONNX graph is no longer one, and
 * nobody outside the plan sees it.
 */
#ifndef AX_LOWER_H
#define AX_LOWER_H

#include "graph/plan.h"

typedef struct ax_lowered {
    ax_graph *graph; /* its weights are those of g: the same memory, the same offsets */
    int *value;      /* (g->n_values) by value of g: of inputs, weights, outputs and loss_value the value of graph;
                        else -1. In graph->arena */
} ax_lowered;

/* g: bound (weights have memory); must outlive the result. What is done does not depend on the batch. */
ax_status ax_lower(const ax_env *env, const ax_graph *g, const ax_plan_spec *spec, ax_lowered *out,
                   ax_error *err);

#endif /* AX_LOWER_H */
