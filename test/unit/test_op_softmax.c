/*
 * test_op_softmax.c: Softmax and LogSoftmax along every axis, against the definition in double.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

static const ax_op *const ops[] = {&ax_op_softmax, &ax_op_log_softmax};

static void line(bool log_form, int64_t n, int64_t step, const double *x, double *y)
{
    double m = -INFINITY, sum = 0;

    for (int64_t i = 0; i < n; i++)
        m = fmax(m, x[i * step]);
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i * step] - m);
    for (int64_t i = 0; i < n; i++)
        y[i * step] = log_form ? x[i * step] - m - log(sum) : exp(x[i * step] - m) / sum;
}

static void reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *s = &c->in[0].shape;
    int axis = c->n_attr ? (int) c->attr[0].i : -1;
    int64_t outer, inner, n;

    axis = axis < 0 ? axis + s->rank : axis;
    outer = ax_shape_span(s, 0, axis);
    n = s->dim[axis];
    inner = ax_shape_span(s, axis + 1, s->rank);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++)
            line(c->op == &ax_op_log_softmax, n, inner, in[0] + o * n * inner + i,
                 out[0] + o * n * inner + i);
}

static void check(const ax_op *op, int rank, const int64_t *dim, int axis, double sd, int shards)
{
    op_case c;

    op_case_init(&c, op, op->type);
    op_case_input(&c, AX_FLOAT, rank, dim);
    op_fill_normal(&c, 0, 0, sd);
    if (axis != 99)
        op_case_attr_i(&c, "axis", axis);
    c.reference = reference;
    c.shards = shards;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

static void test_shapes(void)
{
    for (int o = 0; o < 2; o++) {
        check(ops[o], 2, (int64_t[]){5, 10}, 99, 1, 1);
        check(ops[o], 2, (int64_t[]){9, 10}, -1, 1, 3);
        check(ops[o], 1, (int64_t[]){700}, 0, 2, 1);
        check(ops[o], 2, (int64_t[]){3, 1}, 1, 1, 1);
        check(ops[o], 2, (int64_t[]){0, 4}, 1, 1, 1);
        check(ops[o], 2, (int64_t[]){4, 0}, 1, 1, 1);
        check(ops[o], 3, (int64_t[]){2, 5, 300}, 1, 1, 1);
        check(ops[o], 4, (int64_t[]){2, 3, 4, 5}, -3, 3, 1);
    }
}

static void test_random(void)
{
    for (int round = 0; round < 20; round++) {
        int64_t dim[4];
        int rank = (int) op_random_int(1, 4);

        op_random_dims(rank, 1, 6, dim);
        check(ops[round % 2], rank, dim, (int) op_random_int(-rank, rank - 1), 2, 1);
    }
}

/* Logits far apart and far from 0: no overflow, and the lines still sum to 1. */
static void test_stable(void)
{
    static const float x[] = {1e4f, 1e4f + 1, -1e4f, 88, 89, 1e38f, -1e38f, 0, 200, -200};

    for (int o = 0; o < 2; o++)
        for (int axis = 0; axis < 2; axis++) {
            op_case c;

            op_case_init(&c, ops[o], "far apart");
            op_case_input(&c, AX_FLOAT, 2, axis ? (int64_t[]){2, 5} : (int64_t[]){5, 2});
            memcpy(c.in[0].data, x, sizeof x);
            op_case_attr_i(&c, "axis", axis);
            c.reference = reference;
            op_check_forward(&c);
            op_case_free(&c);
        }
}

static void test_nan(void)
{
    for (int o = 0; o < 2; o++) {
        op_case c;
        float *y;

        op_case_init(&c, ops[o], "nan");
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){2, 3});
        op_case_floats(&c, 0)[1] = NAN;
        op_run_forward(&c, false);
        y = c.out[0].data;
        unit_check(isnan(y[0]) && isnan(y[2]) && isfinite(y[3]) && isfinite(y[5]),
                   "%s: NaN spoils its own line only", ops[o]->type);
        op_case_free(&c);
    }
}

static void test_refusals(void)
{
    op_case c;

    op_case_init(&c, &ax_op_softmax, "Softmax");
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){2, 3});
    op_case_attr_i(&c, "axis", 2);
    op_check_refused(&c, AX_ERR_INVALID, "axis 2 is out of range for 2 dimensions");
    c.attr[0].i = INT64_MIN;
    op_check_refused(&c, AX_ERR_INVALID, "out of range");
    c.in[0].shape.rank = 0;
    op_check_refused(&c, AX_ERR_INVALID, "of 0 dimensions; 1 to 8 are possible");
    op_case_free(&c);
}

int main(void)
{
    test_shapes();
    test_random();
    test_stable();
    test_nan();
    test_refusals();
    return unit_done();
}
