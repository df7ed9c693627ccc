/*
 * lower.c: see lower.h.
 *
 * One walk over the nodes in order. Every value of g has up to two values in the new graph: `plain`, as ONNX lays it
 * out, and `nhwc`, with its channels last; whichever a consumer asks for and is not there is made from the other by a
 * Transpose. A node that can work on channels last does so if its input is there in that form already, or if it is a
 * convolution or a pool, for which it pays to change.
 *
 * A pattern (Conv, Relu, MaxPool) is one node of the new graph where the values between are read by nobody else. Its
 * last node's output is then the output of the new one; the others are skipped.
 */
#include "graph/lower.h"

#include <math.h>
#include <stdio.h>

#include "graph/dense.h"
#include "graph/nhwc.h"
#include "graph/op_common.h"
#include "graph/op_list.h"
#include "graph/window.h"

#define LIMIT ((int64_t) 1 << 28) /* floats of a sample that tables of 32-bit offsets can reach, with room for pads */

typedef struct lowering {
    const ax_graph *g;
    ax_graph *to;
    bool training;
    ax_tensor *shape; /* (n_values) */
    int *uses;        /* (n_values) readers; an output of the graph and the loss count as one each */
    int *reader;      /* (n_values) the node that reads it last */
    int *plain, *nhwc; /* (n_values) in `to`; -1 */
    bool *needs;      /* (n_values) depends on a trainable weight: a training wants its gradient */
    bool *done;       /* (n_nodes) part of a pattern that was made */
    int made;         /* for names */
    ax_error *err;
} lowering;

/* ---- shapes and layouts ---------------------------------------------------------------------- */

ax_shape ax_nhwc_shape(const ax_shape *nchw)
{
    ax_shape s = *nchw;

    for (int i = 1; i < s.rank - 1; i++)
        s.dim[i] = nchw->dim[i + 1];
    s.dim[s.rank - 1] = nchw->dim[1];
    return s;
}

ax_shape ax_nchw_shape(const ax_shape *nhwc)
{
    ax_shape s = *nhwc;

    for (int i = 2; i < s.rank; i++)
        s.dim[i] = nhwc->dim[i - 1];
    s.dim[1] = nhwc->dim[s.rank - 1];
    return s;
}

static ax_status add_node(lowering *l, const ax_op *op, const char *name, int n_in, const int *in,
                          int n_attr, const ax_attr *attr, int *out)
{
    char unique[256];
    const char *names = unique;

    do
        snprintf(unique, sizeof(unique), "%.200s#%d", name, l->made++);
    while (ax_graph_find_value(l->to, unique) >= 0 || ax_graph_find_value(l->g, unique) >= 0);
    return ax_graph_add_op(l->to, op, unique, n_in, in, n_attr, attr, 1, &names, out, l->err);
}

/* perm: 0, 2, ..., rank - 1, 1 to the end, 0, rank - 1, 1, ... back. */
static ax_status add_transpose(lowering *l, int value, int from, bool to_end, int *out)
{
    int rank = l->shape[value].shape.rank;
    int64_t perm[AX_MAX_RANK] = {0};
    ax_attr attr = ax_attr_is("perm", rank, perm);

    for (int i = 1; i < rank; i++)
        perm[i] = to_end ? i % (rank - 1) + 1 : (i + rank - 3) % (rank - 1) + 1;
    return add_node(l, &ax_op_transpose, l->g->value[value].name, 1, &from, 1, &attr, out);
}

static ax_status get_plain(lowering *l, int value, int *out)
{
    *out = -1;
    if (value < 0)
        return AX_OK;
    if (l->plain[value] < 0)
        AX_TRY(add_transpose(l, value, l->nhwc[value], false, &l->plain[value]));
    *out = l->plain[value];
    return AX_OK;
}

static ax_status get_nhwc(lowering *l, int value, int *out)
{
    if (l->nhwc[value] < 0)
        AX_TRY(add_transpose(l, value, l->plain[value], true, &l->nhwc[value]));
    *out = l->nhwc[value];
    return AX_OK;
}

/* ---- patterns -------------------------------------------------------------------------------- */

/* The one node that reads value, if it is of this kind; else NULL. */
static const ax_node *only_reader(const lowering *l, int value, const ax_op *op)
{
    const ax_node *n;

    if (l->uses[value] != 1 || l->reader[value] < 0)
        return NULL;
    n = &l->g->node[l->reader[value]];
    return n->op == op && n->in[0] == value ? n : NULL;
}

/* Marks n as made together with the node before it; returns the value that it gives. */
static int take(lowering *l, const ax_node *n)
{
    l->done[n - l->g->node] = true;
    return n->out[0];
}

static bool all_are(const ax_attr *a, int64_t v)
{
    for (int i = 0; a != NULL && i < a->count; i++)
        if (a->ints[i] != v)
            return false;
    return true;
}

/* A pool that a convolution can take along: 2x2, stride 2, nothing special. */
static bool is_pool_of_two(const lowering *l, const ax_node *n)
{
    const ax_attr *k = ax_node_attr(n, "kernel_shape"), *s = ax_node_attr(n, "strides");
    const ax_shape *x = &l->shape[n->in[0]].shape;

    return k != NULL && k->count == 2 && all_are(k, 2) && s != NULL && all_are(s, 2) &&
           all_are(ax_node_attr(n, "pads"), 0) && all_are(ax_node_attr(n, "dilations"), 1) &&
           ax_node_int(n, "ceil_mode", 0) == 0 &&
           strcmp(ax_node_string(n, "auto_pad", "NOTSET"), "NOTSET") == 0 && x->dim[2] >= 2 &&
           x->dim[3] >= 2;
}

/* Constants for all the batches: the fold is made when weights are packed. */
static bool can_fold(const lowering *l, const ax_node *norm)
{
    for (int i = 1; i < 5; i++)
        if (l->g->value[norm->in[i]].role != AX_VALUE_WEIGHT)
            return false;
    return !l->training;
}

/* ---- convolutions ---------------------------------------------------------------------------- */

static int64_t row_size(const lowering *l, int value)
{
    const ax_shape *s = &l->shape[value].shape;

    return ax_shape_span(s, 1, s->rank);
}

static bool can_convolve(const lowering *l, const ax_node *n)
{
    return row_size(l, n->in[0]) < LIMIT && row_size(l, n->out[0]) < LIMIT &&
           ax_shape_elements(&l->shape[n->in[1]].shape) < LIMIT && l->g->value[n->in[1]].role == AX_VALUE_WEIGHT &&
           l->uses[n->in[1]] == 1;
}

static const ax_op *conv_op(bool relu, bool pool)
{
    if (pool)
        return relu ? &ax_nhwc_conv_relu_pool : &ax_nhwc_conv_pool;
    return relu ? &ax_nhwc_conv_relu : &ax_nhwc_conv;
}

static ax_status lower_conv(lowering *l, const ax_node *n)
{
    const ax_node *norm = only_reader(l, n->out[0], &ax_op_batch_normalization), *relu, *pool;
    int in[7] = {-1, -1, -1, -1, -1, -1, -1}, value = n->out[0], n_in = 3;
    ax_attr attr[AX_CONV_ATTRS + 2];
    int n_attr = AX_MIN(n->n_attr, AX_CONV_ATTRS);

    memcpy(attr, n->attr, (size_t) n_attr * sizeof(*attr));
    attr[n_attr++] = ax_attr_i("needs_input", l->needs[n->in[0]]);
    AX_TRY(get_nhwc(l, n->in[0], &in[0]));
    for (int i = 1; i < n->n_in; i++)
        AX_TRY(get_plain(l, n->in[i], &in[i]));
    if (norm != NULL && can_fold(l, norm)) {
        for (int i = 1; i < 5; i++)
            AX_TRY(get_plain(l, norm->in[i], &in[2 + i]));
        attr[n_attr++] = ax_attr_f("epsilon", ax_node_float(norm, "epsilon", 1e-5f));
        value = take(l, norm);
        n_in = 7;
    }
    relu = only_reader(l, value, &ax_op_relu);
    if (relu != NULL)
        value = take(l, relu);
    pool = ax_node_int(n, "group", 1) == 1 ? only_reader(l, value, &ax_op_max_pool) : NULL;
    if (pool != NULL && is_pool_of_two(l, pool))
        value = take(l, pool);
    else
        pool = NULL;
    return add_node(l, conv_op(relu != NULL, pool != NULL), n->name, n_in, in, n_attr, attr,
                    &l->nhwc[value]);
}

/* ---- Gelu as exporters write it -------------------------------------------------------------- */

/* Is value the constant c, as one float? */
static bool is_constant(const lowering *l, int value, double c)
{
    const ax_value *v = value >= 0 ? &l->g->value[value] : NULL;

    return v != NULL && v->role == AX_VALUE_WEIGHT && !v->trainable && v->type == AX_FLOAT &&
           ax_shape_elements(&v->shape) == 1 && v->shape.rank <= 1 && v->data != NULL &&
           fabs((double) *(const float *) v->data - c) < 1e-6 * fabs(c);
}

/* The node that gives value, if it is of this kind and nobody else wants what it gives. */
static const ax_node *made_by(const lowering *l, int value, const ax_op *op)
{
    int i = l->g->value[value].producer;

    return i >= 0 && l->uses[value] == 1 && l->g->node[i].op == op ? &l->g->node[i] : NULL;
}

/* n's other input, where one of the two is value; else -1. */
static int beside(const ax_node *n, int value)
{
    return n->in[0] == value ? n->in[1] : n->in[1] == value ? n->in[0] : -1;
}

/* Is n x / sqrt(2), or x * sqrt(1/2)? */
static bool is_scaled(const lowering *l, const ax_node *n, int x)
{
    if (n->op == &ax_op_div)
        return n->in[0] == x && is_constant(l, n->in[1], 1.4142135623730951);
    return n->op == &ax_op_mul && beside(n, x) >= 0 && is_constant(l, beside(n, x), 0.7071067811865476);
}

/* The nodes of x * (erf(x / sqrt(2)) + 1) * 0.5, in order; false when what reads x is something else. */
static bool find_gelu(const lowering *l, int x, const ax_node *part[5])
{
    const ax_node *times = l->uses[x] == 2 && l->reader[x] >= 0 ? &l->g->node[l->reader[x]] : NULL;
    const ax_node *plus, *erf, *half;
    int scaled, i;

    if (times == NULL || times->op != &ax_op_mul || beside(times, x) < 0)
        return false;
    plus = made_by(l, beside(times, x), &ax_op_add);
    erf = plus == NULL ? NULL : made_by(l, plus->in[0], &ax_op_erf);
    if (erf == NULL && plus != NULL)
        erf = made_by(l, plus->in[1], &ax_op_erf);
    if (erf == NULL || !is_constant(l, beside(plus, erf->out[0]), 1))
        return false;
    scaled = erf->in[0];
    i = l->g->value[scaled].producer;
    if (i < 0 || l->uses[scaled] != 1 || !is_scaled(l, &l->g->node[i], x) ||
        l->uses[times->out[0]] != 1 || l->reader[times->out[0]] < 0)
        return false;
    half = &l->g->node[l->reader[times->out[0]]];
    if (half->op != &ax_op_mul || !is_constant(l, beside(half, times->out[0]), 0.5))
        return false;
    memcpy(part, (const ax_node *[]){&l->g->node[i], erf, plus, times, half}, 5 * sizeof(*part));
    return true;
}

/* Marks what makes a Gelu of x as made; returns the value that it gives, -1 when there is none. */
static int take_gelu(lowering *l, int x)
{
    const ax_node *part[5];

    if (!find_gelu(l, x, part))
        return -1;
    for (int i = 0; i < 4; i++)
        take(l, part[i]);
    return take(l, part[4]);
}

static bool begins_gelu(const lowering *l, const ax_node *n)
{
    const ax_node *part[5];

    for (int i = 0; i < 2 && (n->op == &ax_op_div || n->op == &ax_op_mul); i++)
        if (n->in[i] >= 0 && find_gelu(l, n->in[i], part) && part[0] == n)
            return true;
    return false;
}

static ax_status lower_gelu(lowering *l, const ax_node *n)
{
    int x = l->g->value[n->in[0]].role == AX_VALUE_WEIGHT ? n->in[1] : n->in[0];
    int *form = l->plain[x] >= 0 ? l->plain : l->nhwc, in = form[x];

    return add_node(l, &ax_op_gelu, n->name, 1, &in, 0, NULL, &form[take_gelu(l, x)]);
}

/* ---- dense products -------------------------------------------------------------------------- */

/* A weight matrix that nobody else reads. */
static bool is_own_matrix(const lowering *l, int value)
{
    return value >= 0 && l->g->value[value].role == AX_VALUE_WEIGHT && l->uses[value] == 1 &&
           l->shape[value].shape.rank == 2 && l->shape[value].type == AX_FLOAT &&
           ax_shape_elements(&l->shape[value].shape) < LIMIT;
}

/* A row of n numbers, from a weight. */
static bool is_row(const lowering *l, int value, int64_t n)
{
    const ax_shape *s = &l->shape[value].shape;

    return l->g->value[value].role == AX_VALUE_WEIGHT && s->rank == 1 && s->dim[0] == n;
}

static bool can_be_dense(const lowering *l, const ax_node *n)
{
    const ax_shape *x = &l->shape[n->in[0]].shape, *y = &l->shape[n->out[0]].shape;
    int64_t columns = y->rank > 0 ? y->dim[y->rank - 1] : 0;

    if (!is_own_matrix(l, n->in[1]) || x->rank < 2 || x->dim[0] == 0 ||
        row_size(l, n->in[0]) >= LIMIT || row_size(l, n->out[0]) >= LIMIT ||
        l->g->value[n->in[0]].role == AX_VALUE_WEIGHT)
        return false;
    if (n->op == &ax_op_matmul)
        return true;
    return ax_node_int(n, "transA", 0) == 0 && ax_node_float(n, "alpha", 1) == 1 &&
           (n->n_in < 3 || n->in[2] < 0 ||
            (ax_node_float(n, "beta", 1) == 1 && is_row(l, n->in[2], columns)));
}

/* MatMul, and the Add of a row behind it. Returns the bias, -1 without one. */
static int take_bias(lowering *l, int *value)
{
    const ax_shape *y = &l->shape[*value].shape;
    int reader = l->uses[*value] == 1 ? l->reader[*value] : -1, other;
    const ax_node *add = reader >= 0 ? &l->g->node[reader] : NULL;

    if (add == NULL || add->op != &ax_op_add)
        return -1;
    other = add->in[0] == *value ? add->in[1] : add->in[0];
    if (!is_row(l, other, y->dim[y->rank - 1]) || l->uses[other] != 1)
        return -1;
    *value = take(l, add);
    return other;
}

/* The one node that reads value, whatever it is. */
static const ax_node *next_node(const lowering *l, int value)
{
    return l->uses[value] == 1 && l->reader[value] >= 0 ? &l->g->node[l->reader[value]] : NULL;
}

/* In inference, the curve behind a product as its attributes (3 of them). */
static bool take_curve(lowering *l, int *value, ax_attr *attr)
{
    ax_curve curve = AX_CURVE_GELU;
    float a = 0, b = 0;
    const ax_node *n = next_node(l, *value);
    int gelu = l->training ? -1 : take_gelu(l, *value);

    if (l->training || (gelu < 0 && (n == NULL || !ax_unary_curve(n, &curve, &a, &b))))
        return false;
    *value = gelu >= 0 ? gelu : take(l, n);
    attr[0] = ax_attr_i("curve", curve);
    attr[1] = ax_attr_f("a", a);
    attr[2] = ax_attr_f("b", b);
    return true;
}

static ax_status lower_dense(lowering *l, const ax_node *n)
{
    int in[3] = {-1, -1, -1}, value = n->out[0], bias = n->n_in > 2 ? n->in[2] : -1;
    const ax_node *relu;
    ax_attr attr[5] = {ax_attr_i("transB", ax_node_int(n, "transB", 0)),
                       ax_attr_i("needs_input", l->needs[n->in[0]])};
    bool curved;

    if (n->op == &ax_op_matmul)
        bias = take_bias(l, &value);
    relu = only_reader(l, value, &ax_op_relu);
    if (relu != NULL)
        value = take(l, relu);
    curved = relu == NULL && take_curve(l, &value, attr + 2);
    AX_TRY(get_plain(l, n->in[0], &in[0]));
    AX_TRY(get_plain(l, n->in[1], &in[1]));
    AX_TRY(get_plain(l, bias, &in[2]));
    return add_node(l, relu != NULL ? &ax_dense_relu : curved ? &ax_dense_curve : &ax_dense, n->name,
                    3, in, curved ? 5 : 2, attr, &l->plain[value]);
}

/* ---- the others ------------------------------------------------------------------------------ */

/* Elements for themselves: the layout does not matter. */
static bool is_elementwise(const lowering *l, const ax_node *n)
{
    const ax_shape *y;

    if (n->n_out != 1 || n->n_in < 1 || n->in[0] < 0 || (n->op->flags & AX_ELEMENTWISE) == 0)
        return false;
    y = &l->shape[n->out[0]].shape;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && l->g->value[n->in[i]].role != AX_VALUE_WEIGHT &&
            !ax_shape_equal(&l->shape[n->in[i]].shape, y))
            return false;
    return y->rank >= 3;
}

/* Weights among the inputs of an elementwise node must be single numbers. */
static bool inputs_fit(const lowering *l, const ax_node *n)
{
    bool some = false;

    for (int i = 0; i < n->n_in; i++) {
        int v = n->in[i];

        if (v < 0)
            continue;
        if (l->g->value[v].role == AX_VALUE_WEIGHT && ax_shape_elements(&l->shape[v].shape) != 1)
            return false;
        some |= l->nhwc[v] >= 0 && l->plain[v] < 0;
    }
    return some;
}

static ax_status lower_elementwise(lowering *l, const ax_node *n)
{
    int in[AX_OP_MAX_IN];

    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0 || l->g->value[n->in[i]].role == AX_VALUE_WEIGHT)
            AX_TRY(get_plain(l, n->in[i], &in[i]));
        else
            AX_TRY(get_nhwc(l, n->in[i], &in[i]));
    }
    return add_node(l, n->op, n->name, n->n_in, in, n->n_attr, n->attr, &l->nhwc[n->out[0]]);
}

/* A Transpose between the two layouts is only another name for what is there. */
static bool lower_transpose(lowering *l, const ax_node *n)
{
    const ax_attr *perm = ax_node_attr(n, "perm");
    int rank = l->shape[n->in[0]].shape.rank;
    bool to_end = true, to_front = true;

    if (perm == NULL || rank < 3 || perm->count != rank || perm->ints[0] != 0)
        return false;
    for (int i = 1; i < rank; i++) {
        to_end &= perm->ints[i] == i % (rank - 1) + 1;
        to_front &= perm->ints[i] == (i + rank - 3) % (rank - 1) + 1;
    }
    if (to_front && l->plain[n->in[0]] >= 0)
        l->nhwc[n->out[0]] = l->plain[n->in[0]];
    else if (to_end && l->nhwc[n->in[0]] >= 0)
        l->plain[n->out[0]] = l->nhwc[n->in[0]];
    else
        return false;
    return true;
}

static ax_status lower_plain(lowering *l, const ax_node *n)
{
    int *in = ax_arena_array(&l->to->arena, (size_t) n->n_in, sizeof(int));
    int *out = ax_arena_array(&l->to->arena, (size_t) n->n_out, sizeof(int));
    const char **name = ax_arena_array(&l->to->arena, (size_t) n->n_out, sizeof(*name));

    if (in == NULL || out == NULL || name == NULL)
        return ax_nomem(l->err);
    for (int i = 0; i < n->n_in; i++)
        AX_TRY(get_plain(l, n->in[i], &in[i]));
    for (int i = 0; i < n->n_out; i++)
        name[i] = n->out[i] >= 0 ? l->g->value[n->out[i]].name : NULL;
    l->to->borrow = true; /* a forest's lists are large */
    AX_TRY(ax_graph_add_op(l->to, n->op, n->name, n->n_in, in, n->n_attr, n->attr, n->n_out, name,
                           out, l->err));
    l->to->borrow = false;
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0)
            l->plain[n->out[i]] = out[i];
    return AX_OK;
}

static bool is_small_window(const ax_node *n)
{
    const ax_attr *k = ax_node_attr(n, "kernel_shape");
    int64_t taps = 1;

    for (int i = 0; k != NULL && i < k->count; i++)
        taps = k->ints[i] <= AX_POOL_TAPS ? taps * k->ints[i] : AX_POOL_TAPS + 1;
    return taps <= AX_POOL_TAPS;
}

/* The channels-last form of a node with one input that is worth a change of layout. */
static const ax_op *nhwc_form(const lowering *l, const ax_node *n)
{
    int rank = l->shape[n->in[0]].shape.rank;

    if (rank < 3 || rank > 4 || row_size(l, n->in[0]) >= LIMIT)
        return NULL;
    if (n->op == &ax_op_max_pool && is_small_window(n))
        return &ax_nhwc_max_pool;
    if (n->op == &ax_op_average_pool && is_small_window(n))
        return &ax_nhwc_average_pool;
    if (n->op == &ax_op_global_average_pool)
        return &ax_nhwc_global_average_pool;
    if (n->op == &ax_op_batch_normalization)
        return &ax_nhwc_batch_normalization;
    return NULL;
}

static ax_status lower_form(lowering *l, const ax_node *n, const ax_op *op)
{
    const ax_node *relu = NULL;
    int in[AX_OP_MAX_IN], value = n->out[0];

    AX_TRY(get_nhwc(l, n->in[0], &in[0]));
    for (int i = 1; i < n->n_in; i++)
        AX_TRY(get_plain(l, n->in[i], &in[i]));
    if (op == &ax_nhwc_batch_normalization)
        relu = only_reader(l, value, &ax_op_relu);
    if (relu != NULL) {
        value = take(l, relu);
        op = &ax_nhwc_batch_normalization_relu;
    }
    return add_node(l, op, n->name, n->n_in, in, n->n_attr, n->attr, &l->nhwc[value]);
}

static ax_status lower_node(lowering *l, const ax_node *n)
{
    const ax_op *form;

    if (n->op == &ax_op_conv && can_convolve(l, n))
        return lower_conv(l, n);
    if ((n->op == &ax_op_gemm || n->op == &ax_op_matmul) && can_be_dense(l, n))
        return lower_dense(l, n);
    if (begins_gelu(l, n))
        return lower_gelu(l, n);
    if (n->op == &ax_op_transpose && lower_transpose(l, n))
        return AX_OK;
    form = nhwc_form(l, n);
    if (form != NULL)
        return lower_form(l, n, form);
    if (is_elementwise(l, n) && inputs_fit(l, n))
        return lower_elementwise(l, n);
    return lower_plain(l, n);
}

/* ---- all together ---------------------------------------------------------------------------- */

static ax_status allocate(lowering *l, ax_arena *work)
{
    size_t n = (size_t) l->g->n_values;

    l->shape = ax_arena_array(work, n, sizeof(*l->shape));
    l->uses = ax_arena_array(work, n, sizeof(*l->uses));
    l->reader = ax_arena_array(work, n, sizeof(*l->reader));
    l->nhwc = ax_arena_array(work, n, sizeof(*l->nhwc));
    l->needs = ax_arena_array(work, n, sizeof(*l->needs));
    l->done = ax_arena_array(work, (size_t) l->g->n_nodes, sizeof(*l->done));
    l->plain = ax_arena_array(&l->to->arena, n, sizeof(*l->plain));
    if (l->shape == NULL || l->uses == NULL || l->reader == NULL || l->nhwc == NULL ||
        l->needs == NULL || l->done == NULL || l->plain == NULL)
        return ax_nomem(l->err);
    for (size_t i = 0; i < n; i++)
        l->plain[i] = l->nhwc[i] = l->reader[i] = -1;
    return AX_OK;
}

static void count_uses(lowering *l, int loss_value)
{
    const ax_graph *g = l->g;

    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->node[i].n_in; k++)
            if (g->node[i].in[k] >= 0) {
                l->uses[g->node[i].in[k]]++;
                l->reader[g->node[i].in[k]] = i;
            }
    for (int k = 0; k < g->n_outputs; k++)
        l->uses[g->output[k]]++;
    if (loss_value >= 0)
        l->uses[loss_value]++;
}

static void mark_needs(lowering *l)
{
    const ax_graph *g = l->g;

    for (int v = 0; v < g->n_values; v++)
        l->needs[v] = g->value[v].trainable;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->node[i].n_in; k++)
            for (int o = 0; o < g->node[i].n_out && g->node[i].in[k] >= 0; o++)
                if (g->node[i].out[o] >= 0)
                    l->needs[g->node[i].out[o]] |= l->needs[g->node[i].in[k]];
}

static ax_status share_sources(lowering *l)
{
    for (int i = 0; i < l->g->n_values; i++) {
        const ax_value *v = &l->g->value[i];

        if (v->role == AX_VALUE_INPUT)
            AX_TRY(ax_graph_add_input(l->to, v->name, v->type, &v->shape, &l->plain[i], l->err));
        else if (v->role == AX_VALUE_WEIGHT)
            AX_TRY(ax_graph_share_weight(l->to, v, &l->plain[i], l->err));
    }
    l->to->param = l->g->param;
    l->to->n_param = l->g->n_param;
    return AX_OK;
}

static ax_status lower_all(lowering *l, const ax_plan_spec *spec, ax_arena *work)
{
    int ignored;

    AX_TRY(allocate(l, work));
    AX_TRY(share_sources(l));
    if (!spec->plain)
        AX_TRY(ax_graph_infer(l->g, spec->batch, l->shape, l->err));
    count_uses(l, spec->training ? spec->loss_value : -1);
    mark_needs(l);
    for (int i = 0; i < l->g->n_nodes; i++) {
        if (l->done[i])
            continue;
        AX_TRY((spec->plain ? lower_plain : lower_node)(l, &l->g->node[i]));
    }
    for (int k = 0; k < l->g->n_outputs; k++) {
        AX_TRY(get_plain(l, l->g->output[k], &ignored));
        AX_TRY(ax_graph_add_output(l->to, l->plain[l->g->output[k]], l->err));
    }
    return spec->training ? get_plain(l, spec->loss_value, &ignored) : AX_OK;
}

ax_status ax_lower(const ax_env *env, const ax_graph *g, const ax_plan_spec *spec, ax_lowered *out,
                   ax_error *err)
{
    lowering l = {.g = g, .training = spec->training, .err = err};
    ax_arena work;
    ax_status status;

    AX_TRY(ax_graph_create(env, g->name, &l.to, err));
    ax_arena_init(&work, env);
    status = lower_all(&l, spec, &work);
    ax_arena_free(&work);
    if (status != AX_OK) {
        ax_graph_free(l.to);
        return status;
    }
    *out = (ax_lowered){l.to, l.plain};
    return AX_OK;
}
