/*
 * test_op_choose.c: Equal, IsNaN, Where, Pow, Floor, ArgMax and ArgMin against their definitions in double.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

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

static double element(const op_case *c, double *const *in, int k, int64_t i)
{
    return in[k][meets(&c->in[k].shape, &c->out[0].shape, i)];
}

static void equal_reference(const op_case *c, double *const *in, double *const *out)
{
    for (int64_t i = 0; i < ax_shape_elements(&c->out[0].shape); i++)
        out[0][i] = element(c, in, 0, i) == element(c, in, 1, i);
}

static void where_reference(const op_case *c, double *const *in, double *const *out)
{
    for (int64_t i = 0; i < ax_shape_elements(&c->out[0].shape); i++)
        out[0][i] = element(c, in, element(c, in, 0, i) != 0 ? 1 : 2, i);
}

static void pow_reference(const op_case *c, double *const *in, double *const *out)
{
    for (int64_t i = 0; i < ax_shape_elements(&c->out[0].shape); i++)
        out[0][i] = pow(element(c, in, 0, i), element(c, in, 1, i));
}

static const int64_t shapes[][3][3] = {{{4, 3, 5}, {4, 3, 5}, {4, 3, 5}},
                                       {{4, 1, 5}, {1, 3, 5}, {4, 3, 1}},
                                       {{1, 1, 1}, {4, 3, 5}, {1, 1, 5}},
                                       {{0, 3, 5}, {1, 3, 1}, {1, 1, 1}}};

static void test_equal(void)
{
    static const ax_dtype types[] = {AX_INT64, AX_INT32, AX_FLOAT, AX_BOOL};
    op_case c;

    for (int t = 0; t < AX_COUNT(types); t++)
        for (int k = 0; k < AX_COUNT(shapes); k++) {
            op_case_init(&c, &ax_op_equal, "equal");
            for (int i = 0; i < 2; i++) {
                op_case_input(&c, types[t], 3, shapes[k][i]);
                for (int64_t j = 0; j < ax_shape_elements(&c.in[i].shape); j++) {
                    int v = (int) op_random_int(0, 2);

                    if (types[t] == AX_INT64)
                        ((int64_t *) c.in[i].data)[j] = v;
                    else if (types[t] == AX_INT32)
                        ((int32_t *) c.in[i].data)[j] = v;
                    else if (types[t] == AX_FLOAT)
                        ((float *) c.in[i].data)[j] = v == 2 ? NAN : (float) v;
                    else
                        ((uint8_t *) c.in[i].data)[j] = v > 0;
                }
            }
            c.reference = equal_reference;
            op_check_forward(&c);
            op_case_free(&c);
        }
    op_case_init(&c, &ax_op_equal, "two types");
    op_case_input(&c, AX_INT64, 3, shapes[0][0]);
    op_case_input(&c, AX_INT32, 3, shapes[0][0]);
    op_check_refused(&c, AX_ERR_INVALID, "not of one type");
    op_case_free(&c);
}

static void test_where(void)
{
    op_case c;

    for (int k = 0; k < AX_COUNT(shapes); k++) {
        op_case_init(&c, &ax_op_where, "where");
        op_case_input(&c, AX_BOOL, 3, shapes[k][0]);
        op_case_input(&c, AX_FLOAT, 3, shapes[k][1]);
        op_case_input(&c, AX_FLOAT, 3, shapes[k][2]);
        for (int64_t j = 0; j < ax_shape_elements(&c.in[0].shape); j++)
            ((uint8_t *) c.in[0].data)[j] = (uint8_t) op_random_int(0, 1);
        c.reference = where_reference;
        c.fixed = 1;
        op_check_forward(&c);
        op_check_gradient(&c);
        op_case_free(&c);
    }
    op_case_init(&c, &ax_op_where, "numbers as a condition");
    for (int i = 0; i < 3; i++)
        op_case_input(&c, AX_FLOAT, 3, shapes[0][i]);
    op_check_refused(&c, AX_ERR_INVALID, "not bool");
    op_case_free(&c);
}

static void test_pow(void)
{
    op_case c;

    for (int k = 0; k < AX_COUNT(shapes); k++) {
        op_case_init(&c, &ax_op_pow, "any powers");
        op_case_input(&c, AX_FLOAT, 3, shapes[k][0]);
        op_case_input(&c, AX_FLOAT, 3, shapes[k][1]);
        op_fill_uniform(&c, 0, 0.3, 3);
        op_fill_uniform(&c, 1, -2, 3);
        c.reference = pow_reference;
        op_check_forward(&c);
        op_check_gradient(&c);
        op_case_free(&c);
    }
    for (int e = 0; e <= 3; e++) {
        op_case_init(&c, &ax_op_pow, "whole powers of numbers of both signs");
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){4, 7});
        op_case_scalar(&c, (float) e);
        c.reference = pow_reference;
        op_check_forward(&c);
        op_check_gradient(&c);
        op_case_free(&c);
    }
}

static void test_floor_and_isnan(void)
{
    static const float x[] = {-1.5f, -0.0f, 0.5f, 1, NAN, INFINITY};
    static const float floors[] = {-2, 0, 0, 1, NAN, INFINITY};
    op_case c;

    op_case_init(&c, &ax_op_floor, "floor");
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){6});
    memcpy(c.in[0].data, x, sizeof(x));
    for (int i = 0; op_run_forward(&c, false) && i < 6; i++) {
        float y = ((float *) c.out[0].data)[i];

        unit_check(y == floors[i] || (isnan(y) && isnan(floors[i])), "floor of %g", x[i]);
    }
    op_case_free(&c);
    op_case_init(&c, &ax_op_isnan, "isnan");
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){6});
    memcpy(c.in[0].data, x, sizeof(x));
    for (int i = 0; op_run_forward(&c, false) && i < 6; i++)
        unit_is_int(((uint8_t *) c.out[0].data)[i], i == 4, "is %g NaN", x[i]);
    op_case_free(&c);
}

static int64_t attr(const op_case *c, const char *name, int64_t otherwise)
{
    for (int i = 0; i < c->n_attr; i++)
        if (strcmp(c->attr[i].name, name) == 0)
            return c->attr[i].i;
    return otherwise;
}

static void arg_reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *x = &c->in[0].shape;
    int axis = (int) attr(c, "axis", 0);
    int64_t inner, length;

    axis += axis < 0 ? x->rank : 0;
    inner = ax_shape_span(x, axis + 1, x->rank);
    length = x->dim[axis];
    for (int64_t i = 0; i < ax_shape_elements(&c->out[0].shape); i++) {
        const double *line = in[0] + i / inner * length * inner + i % inner;
        int64_t best = 0;

        for (int64_t k = 1; k < length; k++) {
            double d = line[k * inner] - line[best * inner];

            if (c->op == &ax_op_argmin ? d < 0 : d > 0)
                best = k;
            if (d == 0 && attr(c, "select_last_index", 0))
                best = k;
        }
        out[0][i] = (double) best;
    }
}

static void test_arg(void)
{
    static const ax_op *const ops[] = {&ax_op_argmax, &ax_op_argmin};
    op_case c;

    for (int trial = 0; trial < 48; trial++) {
        op_case_init(&c, ops[trial % 2], "arg");
        op_case_input(&c, AX_FLOAT, 3, (int64_t[]){4, 5, 3});
        for (int i = 0; i < 60; i++)
            op_case_floats(&c, 0)[i] = (float) op_random_int(-2, 2);
        op_case_attr_i(&c, "axis", trial / 4 % 6 - 3);
        op_case_attr_i(&c, "keepdims", trial / 2 % 2);
        op_case_attr_i(&c, "select_last_index", trial / 24);
        c.reference = arg_reference;
        op_check_forward(&c);
        unit_is_int(c.out[0].shape.rank, trial / 2 % 2 ? 3 : 2, "dimensions");
        op_case_free(&c);
    }
    op_case_init(&c, &ax_op_argmax, "nothing");
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){4, 0});
    op_case_attr_i(&c, "axis", 1);
    op_check_refused(&c, AX_ERR_INVALID, "no elements");
    op_case_free(&c);
}

int main(void)
{
    test_equal();
    test_where();
    test_pow();
    test_floor_and_isnan();
    test_arg();
    return unit_done();
}
