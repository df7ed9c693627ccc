/*
 * test_op_binary.c: Add, Sub, Mul, Div against NumPy's broadcasting rule written out, over random
 * shapes with axes of size 0 and 1, in float and in integers.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

static const ax_op *const ops[] = {&ax_op_add, &ax_op_sub, &ax_op_mul, &ax_op_div};

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

static double calculate(const ax_op *op, double a, double b)
{
    if (op == &ax_op_add)
        return a + b;
    if (op == &ax_op_sub)
        return a - b;
    return op == &ax_op_mul ? a * b : a / b;
}

static void reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *whole = &c->out[0].shape;

    for (int64_t i = 0; i < ax_shape_elements(whole); i++) {
        double a = in[0][meets(&c->in[0].shape, whole, i)];
        double b = in[1][meets(&c->in[1].shape, whole, i)];
        double y = calculate(c->op, a, b);

        if (c->in[0].type != AX_FLOAT && c->op == &ax_op_div)
            y = b == 0 ? 0 : trunc(y);
        out[0][i] = y;
    }
}

static void check_shapes(const ax_op *op, int rank_a, const int64_t *a, int rank_b,
                         const int64_t *b)
{
    op_case c;

    op_case_init(&c, op, op->type);
    op_case_input(&c, AX_FLOAT, rank_a, a);
    op_case_input(&c, AX_FLOAT, rank_b, b);
    if (op == &ax_op_div)
        op_fill_avoid(&c, 1, 0, 0.3);
    c.reference = reference;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

/* Two shapes that fit: each axis of the one may be 1 or missing in the other. */
static void random_shapes(int *rank_a, int64_t *a, int *rank_b, int64_t *b)
{
    int64_t whole[5];
    int rank = (int) op_random_int(0, 5);

    op_random_dims(rank, 1, 4, whole);
    if (rank > 0 && op_random_int(0, 9) == 0)
        whole[op_random_int(0, rank - 1)] = 0;
    *rank_a = (int) op_random_int(0, rank);
    *rank_b = (int) op_random_int(0, rank);
    for (int i = 0; i < *rank_a; i++)
        a[i] = op_random_int(0, 2) ? whole[rank - *rank_a + i] : 1;
    for (int i = 0; i < *rank_b; i++)
        b[i] = op_random_int(0, 2) ? whole[rank - *rank_b + i] : 1;
}

static void test_random(void)
{
    for (int round = 0; round < 15; round++)
        for (int o = 0; o < AX_COUNT(ops); o++) {
            int64_t a[5], b[5];
            int rank_a, rank_b;

            random_shapes(&rank_a, a, &rank_b, b);
            check_shapes(ops[o], rank_a, a, rank_b, b);
        }
}

/* What networks do: biases, scales per channel, tails beyond a vector and beyond a chunk. */
static void test_usual(void)
{
    static const struct {
        int rank_a, rank_b;
        int64_t a[4], b[4];
    } shapes[] = {
        {2, 1, {7, 33}, {33}},     {4, 3, {2, 3, 5, 7}, {3, 1, 1}},
        {1, 0, {1500}, {0}},       {0, 1, {0}, {700}},
        {2, 2, {1300, 1}, {1, 2}}, {3, 3, {2, 1, 600}, {2, 3, 1}},
        {2, 2, {0, 3}, {1, 3}},    {2, 1, {0, 3}, {1}},
        {1, 1, {1}, {0}},          {2, 2, {40, 40}, {40, 40}},
        {0, 0, {0}, {0}},          {3, 3, {1, 1, 1}, {1, 1, 1}},
    };

    for (int i = 0; i < AX_COUNT(shapes); i++)
        for (int o = 0; o < AX_COUNT(ops); o++)
            check_shapes(ops[o], shapes[i].rank_a, shapes[i].a, shapes[i].rank_b, shapes[i].b);
}

/* x + x, x - x, x * x, x / x: both gradients go to the same place. */
static void test_repeated(void)
{
    for (int o = 0; o < AX_COUNT(ops); o++) {
        op_case c;

        op_case_init(&c, ops[o], "an input twice");
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){5, 130});
        op_case_repeat(&c, 0);
        op_fill_avoid(&c, 0, 0, 0.3);
        c.reference = reference;
        op_check_forward(&c);
        op_check_gradient(&c);
        op_case_free(&c);
    }
}

static void test_shards(void)
{
    for (int o = 0; o < AX_COUNT(ops); o++) {
        op_case c;

        op_case_init(&c, ops[o], "shards and a shared bias");
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){7, 5});
        op_case_input(&c, AX_FLOAT, 1, (int64_t[]){5});
        op_fill_avoid(&c, 1, 0, 0.3);
        c.shards = 3;
        c.reference = reference;
        op_check_forward(&c);
        op_check_gradient(&c);
        op_case_free(&c);
    }
}

static void fill_integers(op_case *c, int i)
{
    for (int64_t k = 0; k < ax_shape_elements(&c->in[i].shape); k++) {
        int64_t v = op_random_int(-9, 9);

        if (c->in[i].type == AX_INT64)
            ((int64_t *) c->in[i].data)[k] = v;
        else
            ((int32_t *) c->in[i].data)[k] = (int32_t) v;
    }
}

static void test_integers(void)
{
    static const ax_dtype types[] = {AX_INT32, AX_INT64};

    for (int t = 0; t < AX_COUNT(types); t++)
        for (int o = 0; o < AX_COUNT(ops); o++) {
            op_case c;

            op_case_init(&c, ops[o], ax_dtype_name(types[t]));
            op_case_input(&c, types[t], 2, (int64_t[]){9, 30});
            op_case_input(&c, types[t], 2, (int64_t[]){9, 1});
            fill_integers(&c, 0);
            fill_integers(&c, 1);
            c.reference = reference;
            op_check_forward(&c);
            op_case_free(&c);
        }
}

/* Overflow wraps, nothing traps. */
static void test_integer_edges(void)
{
    static const int64_t a[] = {INT64_MIN, INT64_MAX, 5, INT64_MIN, 0};
    static const int64_t b[] = {-1, 2, 0, 0, 0};
    static const int64_t want[4][5] = {
        {INT64_MAX, INT64_MIN + 1, 5, INT64_MIN, 0},
        {INT64_MIN + 1, INT64_MAX - 2, 5, INT64_MIN, 0},
        {INT64_MIN, -2, 0, 0, 0},
        {INT64_MIN, INT64_MAX / 2, 0, 0, 0},
    };

    for (int o = 0; o < AX_COUNT(ops); o++) {
        op_case c;

        op_case_init(&c, ops[o], "edges");
        op_case_ints(&c, 5, a);
        op_case_ints(&c, 5, b);
        op_run_forward(&c, false);
        unit_same(c.out[0].data, want[o], sizeof want[o], "%s at the ends of int64", ops[o]->type);
        op_case_free(&c);
    }
    {
        op_case c;
        int32_t *x, *y;

        op_case_init(&c, &ax_op_div, "edges");
        op_case_input(&c, AX_INT32, 1, (int64_t[]){2});
        op_case_input(&c, AX_INT32, 1, (int64_t[]){2});
        x = c.in[0].data;
        y = c.in[1].data;
        x[0] = x[1] = INT32_MIN;
        y[0] = -1;
        op_run_forward(&c, false);
        unit_check(((int32_t *) c.out[0].data)[0] == INT32_MIN &&
                       ((int32_t *) c.out[0].data)[1] == 0,
                   "Div at the ends of int32");
        op_case_free(&c);
    }
}

static void refused(ax_dtype type_a, int rank_a, const int64_t *a, ax_dtype type_b, int rank_b,
                    const int64_t *b, ax_status status, const char *text)
{
    op_case c;

    op_case_init(&c, &ax_op_add, "Add");
    op_case_input(&c, type_a, rank_a, a);
    op_case_input(&c, type_b, rank_b, b);
    op_check_refused(&c, status, text);
    op_case_free(&c);
}

static void test_refusals(void)
{
    int64_t two[] = {2, 2}, three[] = {3};
    op_case c;

    refused(AX_FLOAT, 2, two, AX_FLOAT, 1, three, AX_ERR_INVALID, "(2, 2) and (3,) do not fit");
    refused(AX_FLOAT, 2, two, AX_INT64, 2, two, AX_ERR_INVALID, "float and int64");
    refused(AX_BOOL, 2, two, AX_BOOL, 2, two, AX_ERR_UNSUPPORTED, "bool is not supported");
    op_case_init(&c, &ax_op_add, "Add");
    op_case_input(&c, AX_FLOAT, 2, two);
    op_case_missing(&c);
    op_check_refused(&c, AX_ERR_INVALID, "input 1 is missing");
    op_case_free(&c);
}

int main(void)
{
    test_usual();
    test_random();
    test_repeated();
    test_shards();
    test_integers();
    test_integer_edges();
    test_refusals();
    return unit_done();
}
