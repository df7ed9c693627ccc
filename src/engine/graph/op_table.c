/*
 * op_table.c: every operator that the engine knows, sorted by its ONNX name so that finding one is
 * a binary search. A new operator is one file, one line in op_list.h and one row here.
 */
#include "graph/op_list.h"

/* In the order of strcmp; test_op_table checks it. */
static const ax_op *const table[] = {
    &ax_op_abs,
    &ax_op_add,
    &ax_op_argmax,
    &ax_op_argmin,
    &ax_op_average_pool,
    &ax_op_batch_normalization,
    &ax_op_cast,
    &ax_op_clip,
    &ax_op_concat,
    &ax_op_conv,
    &ax_op_div,
    &ax_op_dropout,
    &ax_op_elu,
    &ax_op_equal,
    &ax_op_erf,
    &ax_op_exp,
    &ax_op_flatten,
    &ax_op_floor,
    &ax_op_gru,
    &ax_op_gather,
    &ax_op_gelu,
    &ax_op_gemm,
    &ax_op_global_average_pool,
    &ax_op_global_max_pool,
    &ax_op_hard_sigmoid,
    &ax_op_hard_swish,
    &ax_op_identity,
    &ax_op_isnan,
    &ax_op_lstm,
    &ax_op_layer_normalization,
    &ax_op_leaky_relu,
    &ax_op_log,
    &ax_op_log_softmax,
    &ax_op_matmul,
    &ax_op_max,
    &ax_op_max_pool,
    &ax_op_min,
    &ax_op_mul,
    &ax_op_neg,
    &ax_op_pad,
    &ax_op_pow,
    &ax_op_rnn,
    &ax_op_reduce_max,
    &ax_op_reduce_mean,
    &ax_op_reduce_sum,
    &ax_op_relu,
    &ax_op_reshape,
    &ax_op_selu,
    &ax_op_sigmoid,
    &ax_op_softmax,
    &ax_op_softplus,
    &ax_op_softsign,
    &ax_op_sqrt,
    &ax_op_squeeze,
    &ax_op_sub,
    &ax_op_tanh,
    &ax_op_transpose,
    &ax_op_tree_ensemble_regressor,
    &ax_op_unsqueeze,
    &ax_op_where,
};

const ax_op *ax_op_find(const char *type)
{
    int low = 0, high = AX_COUNT(table);

    while (low < high) {
        int middle = (low + high) / 2;
        int order = strcmp(type, table[middle]->type);

        if (order == 0)
            return table[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

int ax_op_count(void)
{
    return AX_COUNT(table);
}

const ax_op *ax_op_at(int i)
{
    return i >= 0 && i < AX_COUNT(table) ? table[i] : NULL;
}
