/*
 * test_op_dropout.c: how much Dropout drops, that every key, row and place draws for itself, that
 * shards have no say, and that backward drops what forward dropped.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

static void make(op_case *c, int64_t rows, int64_t width, float ratio)
{
    op_case_init(c, &ax_op_dropout, "Dropout");
    op_case_input(c, AX_FLOAT, 2, (int64_t[]){rows, width});
    op_fill_uniform(c, 0, 1, 2);
    op_case_scalar(c, ratio);
}

static void identity(const op_case *c, double *const *in, double *const *out)
{
    memcpy(out[0], in[0], (size_t) ax_shape_elements(&c->in[0].shape) * sizeof(double));
}

/* Every value is 0 or exactly x scaled; the share of zeros is the ratio within five standard
 * deviations. */
static void test_share(float ratio)
{
    op_case c;
    int64_t n = 400 * 301, zeros = 0, wrong = 0;
    float scale = 1 / (1 - ratio);
    const float *y, *x;
    double expected = (double) ratio * (double) n;

    make(&c, 400, 301, ratio);
    op_run_forward(&c, true);
    y = c.out[0].data;
    x = c.in[0].data;
    for (int64_t i = 0; i < n; i++) {
        zeros += y[i] == 0;
        wrong += y[i] != 0 && y[i] != scale * x[i];
    }
    unit_check(wrong == 0, "ratio %g: kept values are scaled by %g", (double) ratio,
               (double) scale);
    unit_check(fabs((double) zeros - expected) <= 5 * sqrt(expected * (1 - (double) ratio)),
               "ratio %g: %lld of %lld dropped", (double) ratio, (long long) zeros, (long long) n);
    op_case_free(&c);
}

/* How often two runs of 200 x 301 at ratio 1/2 agree on an element: about half the time when
 * independent. */
static double agreement(const float *a, const float *b, int64_t n)
{
    int64_t same = 0;

    for (int64_t i = 0; i < n; i++)
        same += (a[i] == 0) == (b[i] == 0);
    return (double) same / (double) n;
}

static void test_independence(void)
{
    static float first[200 * 301];
    const int64_t n = AX_COUNT(first);
    op_case c;
    const float *y;

    make(&c, 200, 301, 0.5f);
    op_run_forward(&c, true);
    memcpy(first, c.out[0].data, sizeof first);
    unit_near(agreement(first, first + 301, n - 301), 0.5, 0.02, "rows are independent");
    unit_near(agreement(first, first + 1, n - 1), 0.5, 0.02, "neighbours are independent");
    unit_near(agreement(first, first + 2, n - 2), 0.5, 0.02, "draws are independent");
    c.key++;
    op_run_forward(&c, true);
    y = c.out[0].data;
    unit_near(agreement(first, y, n), 0.5, 0.02, "keys are independent");
    c.key--;
    op_case_attr_i(&c, "seed", 7);
    op_run_forward(&c, true);
    y = c.out[0].data;
    unit_near(agreement(first, y, n), 0.5, 0.02, "seeds are independent");
    op_case_free(&c);
}

/* The whole batch at once, in shards, and a part of it that starts at its own first row: the same
 * bits. */
static void test_shards(void)
{
    static float whole[23 * 35];
    op_case c;

    make(&c, 23, 35, 0.3f);
    op_fill_uniform(&c, 0, 1, 1);
    op_run_forward(&c, true);
    memcpy(whole, c.out[0].data, sizeof whole);
    for (int shards = 2; shards <= 5; shards++) {
        c.shards = shards;
        op_run_forward(&c, true);
        unit_same(c.out[0].data, whole, sizeof whole, "%d shards drop what one does", shards);
    }
    op_case_free(&c);
    make(&c, 13, 35, 0.3f);
    op_fill_uniform(&c, 0, 1, 1);
    c.row0 = 10;
    op_run_forward(&c, true);
    unit_same(c.out[0].data, whole + 350, 350 * sizeof(float), "rows 10 on, on their own");
    op_case_free(&c);
}

static void check_gradient(int rank, const int64_t *dim, int shards)
{
    op_case c;

    op_case_init(&c, &ax_op_dropout, "Dropout");
    op_case_input(&c, AX_FLOAT, rank, dim);
    op_case_scalar(&c, 0.4f);
    c.shards = shards;
    c.only_training = true;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

static void test_inference(void)
{
    op_case c;

    make(&c, 5, 7, 0.9f);
    c.reference = identity;
    c.only_inference = true;
    op_check_forward(&c);
    unit_is_int(c.alias, 0, "inference is an alias");
    op_case_free(&c);
    make(&c, 5, 7, 0);
    c.reference = identity;
    op_check_forward(&c);
    op_check_gradient(&c);
    unit_is_int(c.alias, 0, "ratio 0 is an alias in training too");
    op_case_free(&c);
}

/* The mask is an output where somebody wants it. */
static void test_mask(void)
{
    op_case c;
    int wrong = 0;

    make(&c, 9, 11, 0.5f);
    c.n_out = 2;
    op_run_forward(&c, true);
    for (int i = 0; i < 99; i++)
        wrong += ((uint8_t *) c.out[1].data)[i] != (((float *) c.out[0].data)[i] != 0);
    unit_check(wrong == 0 && c.out[1].type == AX_BOOL, "the mask says what was kept");
    op_run_forward(&c, false);
    for (int i = 0; i < 99; i++)
        wrong += ((uint8_t *) c.out[1].data)[i] != 1;
    unit_check(wrong == 0 && c.alias == -1, "in inference everything is");
    op_case_free(&c);
}

static void test_default_ratio(void)
{
    op_case c;
    int64_t zeros = 0;

    op_case_init(&c, &ax_op_dropout, "Dropout");
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){10000});
    op_run_forward(&c, true);
    for (int i = 0; i < 10000; i++)
        zeros += ((float *) c.out[0].data)[i] == 0;
    unit_check(zeros > 4700 && zeros < 5300, "the default ratio is a half: %lld",
               (long long) zeros);
    op_case_free(&c);
}

static void test_refusals(void)
{
    static const float bad[] = {-0.1f, 1, 2, NAN, INFINITY};
    op_case c;

    for (int i = 0; i < AX_COUNT(bad); i++) {
        make(&c, 2, 2, bad[i]);
        op_check_refused(&c, AX_ERR_INVALID, "not in [0, 1)");
        op_case_free(&c);
    }
    make(&c, 2, 2, 0.5f);
    c.constant = 0;
    op_check_refused(&c, AX_ERR_UNSUPPORTED, "ratio is computed");
    op_case_free(&c);
}

int main(void)
{
    test_share(0.1f);
    test_share(0.5f);
    test_share(0.99f);
    test_independence();
    test_shards();
    check_gradient(2, (int64_t[]){6, 7}, 1);
    check_gradient(2, (int64_t[]){9, 7}, 4);
    check_gradient(4, (int64_t[]){3, 2, 3, 1}, 1);
    check_gradient(0, NULL, 1);
    check_gradient(2, (int64_t[]){0, 7}, 1);
    test_inference();
    test_mask();
    test_default_ratio();
    test_refusals();
    return unit_done();
}
