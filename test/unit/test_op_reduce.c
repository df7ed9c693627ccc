/*
 * test_op_reduce.c: ReduceSum, ReduceMean and ReduceMax over every set of axes, against plain loops
 * in double.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

static const ax_op *const ops[] = {&ax_op_reduce_sum, &ax_op_reduce_mean, &ax_op_reduce_max};

/* Bit k of *mask: axis k is reduced. */
static void reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *x = &c->in[0].shape;
    unsigned mask = *(const unsigned *) c->user;
    int64_t n = ax_shape_elements(x), n_y = ax_shape_elements(&c->out[0].shape);

    for (int64_t i = 0; i < n_y; i++)
        out[0][i] = c->op == &ax_op_reduce_max ? -INFINITY : 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at = 0, step = 1;

        for (int k = x->rank - 1; k >= 0; k--) {
            if (!(mask >> k & 1)) {
                at += rest % x->dim[k] * step;
                step *= x->dim[k];
            }
            rest /= x->dim[k];
        }
        if (c->op == &ax_op_reduce_max)
            out[0][at] = fmax(out[0][at], in[0][i]);
        else
            out[0][at] += in[0][i];
    }
    for (int64_t i = 0; i < n_y && c->op == &ax_op_reduce_mean; i++)
        out[0][i] /= (double) n / (double) n_y;
}

/* form 0: axes as an input, 1: as an attribute, 2: negative and as an input; all with keepdims or
 * not. */
static void check(const ax_op *op, int rank, const int64_t *dim, unsigned mask, int form, bool keep)
{
    int64_t axes[AX_MAX_RANK];
    int n = 0, rank_y = keep ? rank : rank - __builtin_popcount(mask);
    op_case c;

    for (int k = rank - 1; k >= 0; k--)
        if (mask >> k & 1)
            axes[n++] = form == 2 ? k - rank : k;
    op_case_init(&c, op, op->type);
    op_case_input(&c, AX_FLOAT, rank, dim);
    if (op == &ax_op_reduce_max)
        op_fill_distinct(&c, 0, 0.1);
    if (form == 1 && op != &ax_op_reduce_sum && n)
        op_case_attr_is(&c, "axes", n, axes);
    else if (n)
        op_case_ints(&c, n, axes);
    else
        mask = (1u << rank) - 1, rank_y = keep ? rank : 0;
    if (!keep || op_random_int(0, 1))
        op_case_attr_i(&c, "keepdims", keep);
    c.user = &mask;
    c.reference = reference;
    op_check_forward(&c);
    op_check_gradient(&c);
    if (c.out[0].shape.rank != rank_y)
        unit_is_int(c.out[0].shape.rank, rank_y, "the result's rank");
    op_case_free(&c);
}

static void test_all_axes(void)
{
    static const int64_t dim[] = {3, 1, 4, 5};

    for (unsigned mask = 0; mask < 16; mask++)
        for (int o = 0; o < AX_COUNT(ops); o++)
            check(ops[o], 4, dim, mask, (int) mask % 3, mask % 2);
}

static void test_shapes(void)
{
    for (int o = 0; o < AX_COUNT(ops); o++) {
        check(ops[o], 0, NULL, 0, 0, true);
        check(ops[o], 1, (int64_t[]){1500}, 1, 0, false);
        check(ops[o], 2, (int64_t[]){40, 50}, 1, 1, false);
        check(ops[o], 2, (int64_t[]){40, 50}, 2, 1, true);
        check(ops[o], 4, (int64_t[]){2, 3, 7, 9}, 12, 1, false);
        check(ops[o], 3, (int64_t[]){0, 3, 4}, 6, 0, false);
    }
}

/* Over nothing: 0, NaN, -inf. */
static void test_empty(void)
{
    for (int o = 0; o < AX_COUNT(ops); o++) {
        op_case c;
        float *y;

        op_case_init(&c, ops[o], "over nothing");
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){2, 0});
        op_case_ints(&c, 1, (int64_t[]){1});
        op_run_forward(&c, false);
        y = c.out[0].data;
        unit_check(o == 0   ? y[1] == 0
                   : o == 1 ? isnan(y[1])
                            : y[1] == -INFINITY,
                   "%s over nothing is %g", ops[o]->type, (double) y[1]);
        op_case_free(&c);
    }
}

static void identity(const op_case *c, double *const *in, double *const *out)
{
    memcpy(out[0], in[0], (size_t) ax_shape_elements(&c->in[0].shape) * sizeof(double));
}

static void test_noop(void)
{
    for (int o = 0; o < AX_COUNT(ops); o++) {
        op_case c;

        op_case_init(&c, ops[o], "noop_with_empty_axes");
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){3, 4});
        op_case_attr_i(&c, "noop_with_empty_axes", 1);
        c.reference = identity;
        op_check_forward(&c);
        op_check_gradient(&c);
        op_case_free(&c);
    }
}

/* Equal maxima: the first one gets the whole gradient. NaN wins a maximum. */
static void test_max(void)
{
    op_case c;
    float *x, *dx;

    op_case_init(&c, &ax_op_reduce_max, "ties");
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){2, 4});
    op_case_ints(&c, 1, (int64_t[]){1});
    x = op_case_floats(&c, 0);
    memcpy(x, (float[]){1, 5, 5, 2, 7, 7, 7, NAN}, 8 * sizeof(float));
    op_run_forward(&c, true);
    unit_check(((float *) c.out[0].data)[0] == 5 && isnan(((float *) c.out[0].data)[1]),
               "NaN wins a maximum");
    op_random_dout(&c);
    op_run_backward(&c);
    dx = c.din[0].data;
    unit_check(dx[0] == 0 && dx[1] == ((float *) c.dout[0].data)[0] && dx[2] == 0 && dx[3] == 0,
               "the first of equal maxima gets the gradient");
    op_case_free(&c);
}

static void test_shards(void)
{
    op_case c;
    unsigned mask = 6;

    op_case_init(&c, &ax_op_reduce_mean, "ReduceMean");
    op_case_input(&c, AX_FLOAT, 3, (int64_t[]){7, 3, 4});
    op_case_attr_is(&c, "axes", 2, (int64_t[]){1, 2});
    c.shards = 3;
    c.user = &mask;
    c.reference = reference;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

static void refused(int n, const int64_t *axes, const char *text)
{
    op_case c;

    op_case_init(&c, &ax_op_reduce_sum, "ReduceSum");
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){2, 3});
    op_case_ints(&c, n, axes);
    op_check_refused(&c, AX_ERR_INVALID, text);
    op_case_free(&c);
    op_case_init(&c, &ax_op_reduce_mean, "ReduceMean");
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){2, 3});
    op_case_attr_is(&c, "axes", n, axes);
    op_check_refused(&c, AX_ERR_INVALID, text);
    op_case_free(&c);
}

static void test_refusals(void)
{
    refused(1, (int64_t[]){2}, "axis 2 is out of range");
    refused(1, (int64_t[]){INT64_MIN}, "out of range");
    refused(2, (int64_t[]){1, -1}, "axis -1 is named twice");
    refused(9, (int64_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0}, "axes has 9 entries");
}

int main(void)
{
    test_all_axes();
    test_shapes();
    test_empty();
    test_noop();
    test_max();
    test_shards();
    test_refusals();
    return unit_done();
}
