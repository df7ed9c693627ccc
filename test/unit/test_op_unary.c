/*
 * test_op_unary.c: every function of one number against its formula in double: normal values, far
 * out on both sides, NaN and the infinities; gradients away from the kinks.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

typedef struct unary_case {
    const ax_op *op;
    double (*f)(double x, double a, double b);
    const char *a_name;
    double a;
    const char *b_name;
    double b;
    double low, high; /* of the test values */
    double kinks[2];  /* NAN: none */
    const char *text; /* attribute approximate */
} unary_case;

static double f_abs(double x, double a, double b)
{
    return fabs(x);
}

static double f_clip(double x, double a, double b)
{
    return isnan(x) ? x : fmin(fmax(x, a), b);
}

static double f_elu(double x, double a, double b)
{
    return x < 0 ? a * expm1(x) : x;
}

static double f_erf(double x, double a, double b)
{
    return erf(x);
}

static double f_exp(double x, double a, double b)
{
    return exp(x);
}

static double f_gelu(double x, double a, double b)
{
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static double f_gelu_tanh(double x, double a, double b)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double f_hard_sigmoid(double x, double a, double b)
{
    return isnan(x) ? x : fmax(0, fmin(1, a * x + b));
}

static double f_hard_swish(double x, double a, double b)
{
    return isnan(x) ? x : x * fmax(0, fmin(1, x / 6 + 0.5));
}

static double f_leaky_relu(double x, double a, double b)
{
    return x < 0 ? a * x : x;
}

static double f_log(double x, double a, double b)
{
    return log(x);
}

static double f_neg(double x, double a, double b)
{
    return -x;
}

static double f_relu(double x, double a, double b)
{
    return isnan(x) ? x : fmax(x, 0);
}

static double f_selu(double x, double a, double b)
{
    return b * (x <= 0 ? a * expm1(x) : x);
}

static double f_sigmoid(double x, double a, double b)
{
    return 1 / (1 + exp(-x));
}

static double f_softplus(double x, double a, double b)
{
    return fmax(x, 0) + log1p(exp(-fabs(x))) + (isnan(x) ? x : 0);
}

static double f_softsign(double x, double a, double b)
{
    return x / (1 + fabs(x));
}

static double f_sqrt(double x, double a, double b)
{
    return sqrt(x);
}

static double f_tanh(double x, double a, double b)
{
    return tanh(x);
}

#define NO_KINK                                                                                    \
    {                                                                                              \
        NAN, NAN                                                                                   \
    }

static const unary_case cases[] = {
    {&ax_op_abs, f_abs, NULL, 0, NULL, 0, -9, 9, {0, NAN}, NULL},
    {&ax_op_elu, f_elu, NULL, 1, NULL, 0, -9, 9, {0, NAN}, NULL},
    {&ax_op_elu, f_elu, "alpha", 0.25, NULL, 0, -0.01, 0.01, {0, NAN}, NULL},
    {&ax_op_elu, f_elu, "alpha", -2, NULL, 0, -3, 3, {0, NAN}, NULL},
    {&ax_op_erf, f_erf, NULL, 0, NULL, 0, -4, 4, NO_KINK, NULL},
    {&ax_op_exp, f_exp, NULL, 0, NULL, 0, -4, 4, NO_KINK, NULL},
    {&ax_op_gelu, f_gelu, NULL, 0, NULL, 0, -5, 5, NO_KINK, NULL},
    {&ax_op_gelu, f_gelu, NULL, 0, NULL, 0, -5, 5, NO_KINK, "none"},
    {&ax_op_gelu, f_gelu_tanh, NULL, 0, NULL, 0, -5, 5, NO_KINK, "tanh"},
    {&ax_op_hard_sigmoid, f_hard_sigmoid, NULL, 0.2, NULL, 0.5, -5, 5, {-2.5, 2.5}, NULL},
    {&ax_op_hard_sigmoid, f_hard_sigmoid, "alpha", 0.25, "beta", 0.25, -5, 5, {-1, 3}, NULL},
    {&ax_op_hard_swish, f_hard_swish, NULL, 0, NULL, 0, -6, 6, {-3, 3}, NULL},
    {&ax_op_leaky_relu, f_leaky_relu, NULL, 0.01, NULL, 0, -3, 3, {0, NAN}, NULL},
    {&ax_op_leaky_relu, f_leaky_relu, "alpha", -0.5, NULL, 0, -3, 3, {0, NAN}, NULL},
    {&ax_op_log, f_log, NULL, 0, NULL, 0, 0.1, 9, NO_KINK, NULL},
    {&ax_op_neg, f_neg, NULL, 0, NULL, 0, -9, 9, NO_KINK, NULL},
    {&ax_op_relu, f_relu, NULL, 0, NULL, 0, -3, 3, {0, NAN}, NULL},
    {&ax_op_selu,
     f_selu,
     NULL,
     1.67326319217681884765625,
     NULL,
     1.05070102214813232421875,
     -3,
     3,
     {0, NAN},
     NULL},
    {&ax_op_selu, f_selu, "alpha", 1.5, "gamma", 2, -3, 3, {0, NAN}, NULL},
    {&ax_op_sigmoid, f_sigmoid, NULL, 0, NULL, 0, -9, 9, NO_KINK, NULL},
    {&ax_op_softplus, f_softplus, NULL, 0, NULL, 0, -9, 9, NO_KINK, NULL},
    {&ax_op_softsign, f_softsign, NULL, 0, NULL, 0, -9, 9, NO_KINK, NULL},
    {&ax_op_sqrt, f_sqrt, NULL, 0, NULL, 0, 0.1, 9, NO_KINK, NULL},
    {&ax_op_tanh, f_tanh, NULL, 0, NULL, 0, -4, 4, NO_KINK, NULL},
};

static void reference(const op_case *c, double *const *in, double *const *out)
{
    const unary_case *u = c->user;

    for (int64_t i = 0; i < ax_shape_elements(&c->in[0].shape); i++)
        out[0][i] = u->f(in[0][i], u->a, u->b);
}

static void make(op_case *c, const unary_case *u, int rank, const int64_t *dim)
{
    op_case_init(c, u->op, u->op->type);
    op_case_input(c, AX_FLOAT, rank, dim);
    op_fill_uniform(c, 0, u->low, u->high);
    for (int k = 0; k < 2; k++)
        if (!isnan(u->kinks[k]))
            op_fill_avoid(c, 0, u->kinks[k], 1e-3);
    if (u->a_name)
        op_case_attr_f(c, u->a_name, (float) u->a);
    if (u->b_name)
        op_case_attr_f(c, u->b_name, (float) u->b);
    if (u->text)
        op_case_attr_s(c, "approximate", u->text);
    c->reference = reference;
    c->user = (void *) u;
}

/* A scalar, an empty batch, tails, and more than two chunks. */
static void test_values(const unary_case *u)
{
    static const struct {
        int rank;
        int64_t dim[3];
    } shapes[] = {{0, {0}}, {2, {0, 3}}, {3, {2, 3, 7}}, {1, {1300}}};

    for (int i = 0; i < AX_COUNT(shapes); i++) {
        op_case c;

        make(&c, u, shapes[i].rank, shapes[i].dim);
        op_check_forward(&c);
        op_check_gradient(&c);
        op_case_free(&c);
    }
}

/* Far out, where exponentials overflow; the formulas themselves say what is right. */
static void test_far(const unary_case *u)
{
    static const float far[] = {-1e30f, -1e5f, -200, -90, -30, -15,  -1e-20f, 0,
                                1e-20f, 15,    30,   90,  200, 1e5f, 1e30f};
    op_case c;

    make(&c, u, 1, (int64_t[]){AX_COUNT(far)});
    memcpy(c.in[0].data, far, sizeof far);
    if (u->op == &ax_op_exp)
        op_fill_uniform(&c, 0, -80, 80);
    if (u->low > 0)
        for (int i = 0; i < AX_COUNT(far); i++)
            op_case_floats(&c, 0)[i] = fabsf(far[i]);
    c.label = "far out";
    op_check_forward(&c);
    op_case_free(&c);
}

/* Slopes far out are numbers: nothing overflows on the way. */
static void test_far_slopes(const unary_case *u)
{
    static const float far[] = {-1e30f, -1e5f, -200, -90, 90, 200, 1e5f, 1e30f};
    op_case c;
    int bad = 0;

    if (u->low > 0 || u->op == &ax_op_exp)
        return;
    make(&c, u, 1, (int64_t[]){AX_COUNT(far)});
    memcpy(c.in[0].data, far, sizeof far);
    op_run_forward(&c, true);
    op_random_dout(&c);
    op_run_backward(&c);
    for (int i = 0; i < AX_COUNT(far); i++)
        bad += !isfinite(((float *) c.din[0].data)[i]);
    unit_check(bad == 0, "%s: slopes far out are finite", u->op->type);
    op_case_free(&c);
}

static void test_nan(const unary_case *u)
{
    op_case c;
    float y, dx;

    make(&c, u, 1, (int64_t[]){1});
    op_case_floats(&c, 0)[0] = NAN;
    op_run_forward(&c, true);
    y = ((float *) c.out[0].data)[0];
    op_random_dout(&c);
    op_run_backward(&c);
    dx = ((float *) c.din[0].data)[0];
    unit_check(isnan(y), "%s of NaN is NaN (its gradient %g)", u->op->type, (double) dx);
    op_case_free(&c);
}

/* Clip's limits come as inputs, either of which may be left out. */
static void test_clip(double low, double high)
{
    unary_case u = {&ax_op_clip, f_clip, NULL, low, NULL, high, -9, 9, {low, high}, NULL};
    op_case c;

    for (int k = 0; k < 2; k++)
        if (isinf(u.kinks[k]))
            u.kinks[k] = NAN;
    make(&c, &u, 2, (int64_t[]){20, 30});
    if (isinf(low))
        op_case_missing(&c);
    else
        op_case_scalar(&c, (float) low);
    if (!isinf(high))
        op_case_scalar(&c, (float) high);
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
    test_nan(&u);
}

static void test_shards(void)
{
    for (int i = 0; i < AX_COUNT(cases); i += 5) {
        op_case c;

        make(&c, &cases[i], 2, (int64_t[]){7, 11});
        c.shards = 3;
        op_check_forward(&c);
        op_check_gradient(&c);
        op_case_free(&c);
    }
}

static void test_refusals(void)
{
    op_case c;

    op_case_init(&c, &ax_op_relu, "Relu");
    op_case_input(&c, AX_INT64, 1, (int64_t[]){3});
    op_check_refused(&c, AX_ERR_INVALID, "node \"Relu\" (Relu): input 0 is int64, not float");
    op_case_free(&c);
    op_case_init(&c, &ax_op_gelu, "Gelu");
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){3});
    op_case_attr_s(&c, "approximate", "sigmoid");
    op_check_refused(&c, AX_ERR_INVALID, "\"sigmoid\", not \"none\" or \"tanh\"");
    op_case_free(&c);
    op_case_init(&c, &ax_op_clip, "Clip");
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){3});
    op_case_input(&c, AX_FLOAT, 0, NULL);
    op_check_refused(&c, AX_ERR_UNSUPPORTED, "min is computed");
    c.constant = 2;
    c.in[1].shape = (ax_shape){1, {0}};
    op_check_refused(&c, AX_ERR_INVALID, "min is not a single number");
    c.in[1].shape.rank = 0;
    op_case_free(&c);
}

int main(void)
{
    for (int i = 0; i < AX_COUNT(cases); i++) {
        test_values(&cases[i]);
        test_far(&cases[i]);
        test_far_slopes(&cases[i]);
        test_nan(&cases[i]);
    }
    test_clip(0, 6);
    test_clip(-INFINITY, 2);
    test_clip(-1, INFINITY);
    test_clip(-INFINITY, INFINITY);
    test_shards();
    test_refusals();
    return unit_done();
}
