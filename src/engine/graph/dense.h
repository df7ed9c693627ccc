/*
 * dense.h: products with a weight, as the planner makes them of Gemm and MatMul (lower.c). Not among ONNX's operators.
 */
#ifndef AX_DENSE_H
#define AX_DENSE_H

#include "graph/op.h"

/*
 * Y (..., N) = X (..., K) * W + B, then relu. W is (K, N), or (N, K) with attribute transB; B is (N) or missing.
 * Attribute needs_input: whether a training wants the gradient of X.
 *
 * The gradient of W is deferred: nothing is computed a shard; op->weight_gradient adds all of them up, a few rows of W
 * at a time, when the optimizer wants them.
 */
extern const ax_op ax_dense, ax_dense_relu;
/* In inference only: then a curve of tensor/kernel.h, attributes curve (its number), a and b. */
extern const ax_op ax_dense_curve;

#endif /* AX_DENSE_H */
