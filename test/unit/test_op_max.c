/*
 * test_op_max.c: Max and Min over several inputs, against the same written out in double: random shapes that are
 * broadcast, ties, NaN, one input and many.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

static const ax_op *const ops[] = {&ax_op_max, &ax_op_min};

/* The element of t that meets element `flat` of whole. */
static int64_t meets(const ax_shape *t, const ax_shape *whole, int64_t flat)
{
    int64_t at = 0, step = 1;

    for (int k = whole->rank - 1, j = t->rank - 1; k >= 0; k--, j--) {
        int64_t i = flat % whole->dim[k];

        flat /= whole->dim[k];
        if (j < 0)
            continue;
        if (t->dim[j] > 1)
            at += i * step;
        step *= t->dim[j];
    }
    return at;
}

static void reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *whole = &c->out[0].shape;

    for (int64_t i = 0; i < ax_shape_elements(whole); i++)
        for (int k = 0; k < c->n_in; k++) {
            double a = in[k][meets(&c->in[k].shape, whole, i)], *y = &out[0][i];

            if (k == 0 || isnan(a) || (c->op == &ax_op_max ? a > *y : a < *y))
                *y = a;
        }
}

static void check(op_case *c)
{
    c->reference = reference;
    op_check_forward(c);
    op_check_gradient(c);
    op_case_free(c);
}

static void test_shapes(void)
{
    static const int64_t shapes[][4] = {{3, 4, 1, 5}, {3, 1, 6, 5}, {1, 4, 6, 1}, {3, 4, 6, 5}};
    op_case c;

    for (int o = 0; o < 2; o++) {
        op_case_init(&c, ops[o], "two of one shape");
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){7, 33});
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){7, 33});
        check(&c);
        op_case_init(&c, ops[o], "four that are broadcast");
        for (int k = 0; k < 4; k++)
            op_case_input(&c, AX_FLOAT, 4, shapes[k]);
        check(&c);
        op_case_init(&c, ops[o], "a number, a line and planes");
        op_case_input(&c, AX_FLOAT, 0, NULL);
        op_case_input(&c, AX_FLOAT, 1, (int64_t[]){5});
        op_case_input(&c, AX_FLOAT, 3, (int64_t[]){2, 3, 5});
        check(&c);
        op_case_init(&c, ops[o], "one");
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){3, 5});
        check(&c);
        op_case_init(&c, ops[o], "nothing in it");
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){0, 5});
        op_case_input(&c, AX_FLOAT, 1, (int64_t[]){5});
        check(&c);
        op_case_init(&c, ops[o], "shards");
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){6, 5});
        op_case_input(&c, AX_FLOAT, 1, (int64_t[]){5});
        c.shards = 3;
        c.batched = c.batched_out = 1;
        check(&c);
    }
}

/* The gradient of equal inputs goes to the first of them. */
static void test_ties(void)
{
    op_case c;
    double g;

    op_case_init(&c, &ax_op_max, "ties");
    for (int k = 0; k < 3; k++)
        *op_case_floats(&c, op_case_input(&c, AX_FLOAT, 1, (int64_t[]){1})) = k == 0 ? 1 : 2;
    if (op_run_forward(&c, true)) {
        op_random_dout(&c);
        g = *(float *) c.dout[0].data;
        op_run_backward(&c);
        unit_near(*(float *) c.din[0].data, 0, 0, "the smaller one has none");
        unit_near(*(float *) c.din[1].data, g, 0, "the first of the equal ones has all of it");
        unit_near(*(float *) c.din[2].data, 0, 0, "the second has none");
    }
    op_case_free(&c);
}

static void test_nan(void)
{
    for (int o = 0; o < 2; o++) {
        op_case c;

        op_case_init(&c, ops[o], "NaN");
        for (int k = 0; k < 2; k++)
            op_case_input(&c, AX_FLOAT, 1, (int64_t[]){3});
        op_case_floats(&c, 0)[0] = NAN;
        op_case_floats(&c, 1)[1] = NAN;
        op_run_forward(&c, false);
        unit_check(isnan(((float *) c.out[0].data)[0]) && isnan(((float *) c.out[0].data)[1]) &&
                       !isnan(((float *) c.out[0].data)[2]),
                   "NaN wins, wherever it stands");
        op_case_free(&c);
    }
}

static void test_refusals(void)
{
    op_case c;

    op_case_init(&c, &ax_op_max, "shapes that do not fit");
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){3});
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){4});
    op_check_refused(&c, AX_ERR_INVALID, "does not fit");
    op_case_free(&c);
    op_case_init(&c, &ax_op_min, "integers");
    op_case_input(&c, AX_INT64, 1, (int64_t[]){3});
    op_check_refused(&c, AX_ERR_INVALID, "not float");
    op_case_free(&c);
}

int main(void)
{
    test_shapes();
    test_ties();
    test_nan();
    test_refusals();
    return unit_done();
}
