/*
 * nhwc.h: operators that only the planner makes (lower.c), on data with the channels last: (N, H, W, C), or
 * (N, L, C). They never stand in ONNX bytes, and ax_op_find does not know them.
 *
 * Channels last is what the kernels want: the window of a convolution is a few long runs of memory, and a vector
 * holds channels, so that pools, normalizations and biases are plain loops over rows of channels.
 *
 * Weights stay as ONNX has them. What the kernels want instead is packed once a training step, or once a load.
 */
#ifndef AX_NHWC_H
#define AX_NHWC_H

#include "graph/op.h"

#define AX_CONV_ATTRS 6   /* that ONNX's Conv has */
#define AX_POOL_TAPS  255 /* of a window at most: which one is the largest is kept in a byte */

/*
 * Conv and what follows it. Inputs: X, W, B (may be missing), and when a BatchNormalization is folded in (inference
 * only) its scale, bias, mean and variance; attributes: Conv's, and epsilon of the folded one.
 *   ax_nhwc_conv            Conv
 *   ax_nhwc_conv_relu       Conv, Relu
 *   ax_nhwc_conv_pool       Conv, MaxPool of 2x2 with stride 2 without pads
 *   ax_nhwc_conv_relu_pool  Conv, Relu, MaxPool
 */
extern const ax_op ax_nhwc_conv, ax_nhwc_conv_relu, ax_nhwc_conv_pool, ax_nhwc_conv_relu_pool;
/* ONNX's, with its attributes. */
extern const ax_op ax_nhwc_max_pool, ax_nhwc_average_pool, ax_nhwc_global_average_pool;
extern const ax_op ax_nhwc_batch_normalization, ax_nhwc_batch_normalization_relu;

/* NCHW -> NHWC and back, for any rank from 3 on. */
ax_shape ax_nhwc_shape(const ax_shape *nchw);
ax_shape ax_nchw_shape(const ax_shape *nhwc);

#endif /* AX_NHWC_H */
