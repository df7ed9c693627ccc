/*
 * op_list.h: the names of all operators, each defined in its own file and listed in op_table.c.
 */
#ifndef AX_OP_LIST_H
#define AX_OP_LIST_H

#include "graph/op.h"

/* op_binary.c */
extern const ax_op ax_op_add, ax_op_sub, ax_op_mul, ax_op_div;

/* op_unary.c */
extern const ax_op ax_op_abs;
extern const ax_op ax_op_clip;
extern const ax_op ax_op_elu;
extern const ax_op ax_op_erf;
extern const ax_op ax_op_exp;
extern const ax_op ax_op_gelu;
extern const ax_op ax_op_hard_sigmoid;
extern const ax_op ax_op_hard_swish;
extern const ax_op ax_op_leaky_relu;
extern const ax_op ax_op_log;
extern const ax_op ax_op_neg;
extern const ax_op ax_op_relu;
extern const ax_op ax_op_selu;
extern const ax_op ax_op_sigmoid;
extern const ax_op ax_op_softplus;
extern const ax_op ax_op_softsign;
extern const ax_op ax_op_sqrt;
extern const ax_op ax_op_tanh;

/* op_softmax.c */
extern const ax_op ax_op_softmax, ax_op_log_softmax;

/* op_dropout.c */
extern const ax_op ax_op_dropout;

/* op_shape.c: the same bytes under another shape */
extern const ax_op ax_op_flatten;
extern const ax_op ax_op_identity;
extern const ax_op ax_op_reshape;
extern const ax_op ax_op_squeeze;
extern const ax_op ax_op_unsqueeze;

/* op_max.c */
extern const ax_op ax_op_max, ax_op_min;

/* op_pad.c */
extern const ax_op ax_op_pad;

/* op_transpose.c, op_concat.c, op_cast.c */
extern const ax_op ax_op_transpose;
extern const ax_op ax_op_concat;
extern const ax_op ax_op_cast;

/* op_gather.c, op_where.c, op_pow.c, op_equal.c, op_argmax.c */
extern const ax_op ax_op_gather;
extern const ax_op ax_op_where;
extern const ax_op ax_op_pow;
extern const ax_op ax_op_equal, ax_op_isnan, ax_op_floor;
extern const ax_op ax_op_argmax, ax_op_argmin;

/* op_lstm.c, op_gru.c, op_rnn.c: over op_recurrent.h */
extern const ax_op ax_op_lstm, ax_op_gru, ax_op_rnn;

/* op_tree.c */
extern const ax_op ax_op_tree_ensemble_regressor;

/* op_reduce.c */
extern const ax_op ax_op_reduce_max, ax_op_reduce_mean, ax_op_reduce_sum;

/* convolution, pooling, products and normalization */
extern const ax_op ax_op_conv;
extern const ax_op ax_op_max_pool;
extern const ax_op ax_op_average_pool;
extern const ax_op ax_op_global_average_pool;
extern const ax_op ax_op_global_max_pool;
extern const ax_op ax_op_gemm;
extern const ax_op ax_op_matmul;
extern const ax_op ax_op_batch_normalization;
extern const ax_op ax_op_layer_normalization;

#endif /* AX_OP_LIST_H */
