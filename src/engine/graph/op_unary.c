/*
 * op_unary.c: the functions of one number: activations and a little arithmetic.
 *
 *                    y                                      dy/dx                        made from
 *     Abs            |x|                                    sign x                       x
 *     Clip           min(max(x, min), max)                  1 strictly inside, else 0    y
 *     Elu            x > 0 ? x : a (e^x - 1)                x > 0 ? 1 : a e^x            x
 *     Erf            2/sqrt(pi) int_0^x e^(-t^2) dt         2/sqrt(pi) e^(-x^2)          x
 *     Exp            e^x                                    y                            y
 *     Gelu           x P(x), P the normal distribution      P(x) + x P'(x)               x
 *       tanh         x/2 (1 + tanh u(x))                    see gelu_tanh_slope          x
 *     HardSigmoid    min(max(a x + b, 0), 1)                a strictly inside, else 0    y
 *     HardSwish      x min(max(x/6 + 1/2, 0), 1)            0, x/3 + 1/2, 1              x
 *     LeakyRelu      x >= 0 ? x : a x                       1, a                         x
 *     Log            ln x                                   1 / x                        x
 *     Neg            -x                                     -1
 *     Relu           max(x, 0)                              y > 0                        y
 *     Selu           g (x > 0 ? x : a (e^x - 1))            g (x > 0 ? 1 : a e^x)        x
 *     Sigmoid        1 / (1 + e^-x)                         y (1 - y)                    y
 *     Softplus       ln(1 + e^x)                            1 / (1 + e^-x)               x
 *     Softsign       x / (1 + |x|)                          1 / (1 + |x|)^2              x
 *     Sqrt           sqrt x                                 1 / (2 y)                    y
 *     Tanh           tanh x                                 1 - y^2                      y
 *
 * A formula is two functions over at most CHUNK numbers, which stay in the first-level cache
 * between its passes: the value, and the slope, by which backward multiplies dy. All work in place.
 * Where the slope is made from y, or from nothing, the input need not be kept.
 *
 * e^x - 1 for x <= 0 is 2t / (1 - t) with t = tanh(x/2), which is exact to the last bits near 0,
 * where the difference would lose them.
 */
#include <math.h>

#include "graph/op_list.h"

#define CHUNK 512

struct formula;

typedef struct unary_prep {
    const struct formula *formula;
    float a, b;
} unary_prep;

typedef struct formula {
    const ax_op *op;
    void (*value)(const unary_prep *p, int64_t n, const float *x, float *y);
    /* t = dy/dx; v is y when the operator keeps its output, else x */
    void (*slope)(const unary_prep *p, int64_t n, const float *v, float *t);
    const char *a_name; /* float attributes, with their defaults */
    float a;
    const char *b_name;
    float b;
    ax_status (*read)(ax_setup *s, unary_prep *p); /* whatever else there is to know */
} formula;

/* ---- arithmetic ------------------------------------------------------------------------------ */

static void abs_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = fabsf(x[i]);
}

static void abs_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = (float) ((x[i] > 0) - (x[i] < 0));
}

static void neg_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = -x[i];
}

static void neg_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = -1;
}

static void exp_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    ax_kernels_get()->exp(n, x, y);
}

static void exp_slope(const unary_prep *p, int64_t n, const float *y, float *t)
{
    memcpy(t, y, (size_t) n * sizeof(float));
}

static void log_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    ax_kernels_get()->log(n, x, y);
}

static void log_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = 1 / x[i];
}

static void sqrt_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = sqrtf(x[i]);
}

static void sqrt_slope(const unary_prep *p, int64_t n, const float *y, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = 0.5f / y[i];
}

static void erf_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    ax_kernels_get()->erf(n, x, y);
}

static void erf_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    const ax_kernels *k = ax_kernels_get();

    for (int64_t i = 0; i < n; i++)
        t[i] = -x[i] * x[i];
    k->exp(n, t, t);
    k->mul_scalar(n, t, 1.1283791670955126f, t); /* 2 / sqrt(pi) */
}

/* ---- piecewise linear ------------------------------------------------------------------------ */

static void relu_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    ax_kernels_get()->relu(n, x, y);
}

static void relu_slope(const unary_prep *p, int64_t n, const float *y, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = y[i] > 0;
}

static void leaky_relu_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? p->a * x[i] : x[i];
}

static void leaky_relu_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = x[i] < 0 ? p->a : 1;
}

/* a and b are min and max. NaN passes both comparisons; a min above max gives max, as the standard
 * says. */
static void clip_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++) {
        float v = x[i] < p->a ? p->a : x[i];

        y[i] = v > p->b ? p->b : v;
    }
}

static void clip_slope(const unary_prep *p, int64_t n, const float *y, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = y[i] > p->a && y[i] < p->b;
}

static void hard_sigmoid_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++) {
        float v = p->a * x[i] + p->b;

        y[i] = v < 0 ? 0 : v > 1 ? 1 : v;
    }
}

static void hard_sigmoid_slope(const unary_prep *p, int64_t n, const float *y, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = y[i] > 0 && y[i] < 1 ? p->a : 0;
}

static void hard_swish_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++) {
        float gate = x[i] * (1.0f / 6) + 0.5f;

        y[i] = x[i] * (gate < 0 ? 0 : gate > 1 ? 1 : gate);
    }
}

static void hard_swish_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = x[i] < -3 ? 0 : x[i] > 3 ? 1 : x[i] * (1.0f / 3) + 0.5f;
}

/* ---- exponential ----------------------------------------------------------------------------- */

static void sigmoid_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    ax_kernels_get()->sigmoid(n, x, y);
}

static void sigmoid_slope(const unary_prep *p, int64_t n, const float *y, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = y[i] * (1 - y[i]);
}

static void tanh_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    ax_kernels_get()->tanh(n, x, y);
}

static void tanh_slope(const unary_prep *p, int64_t n, const float *y, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = 1 - y[i] * y[i];
}

/* y = x > 0 ? g x : g a (e^x - 1) */
static void exponential_linear(int64_t n, float a, float g, const float *x, float *y)
{
    float t[CHUNK];

    for (int64_t i = 0; i < n; i++)
        t[i] = x[i] > 0 ? 0 : 0.5f * x[i];
    ax_kernels_get()->tanh(n, t, t);
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] > 0 ? g * x[i] : g * a * (2 * t[i] / (1 - t[i]));
}

static void exponential_linear_slope(int64_t n, float a, float g, const float *x, float *t)
{
    float e[CHUNK];

    for (int64_t i = 0; i < n; i++)
        e[i] = x[i] > 0 ? 0 : x[i];
    ax_kernels_get()->exp(n, e, e);
    for (int64_t i = 0; i < n; i++)
        t[i] = x[i] > 0 ? g : g * a * e[i];
}

static void elu_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    exponential_linear(n, p->a, 1, x, y);
}

static void elu_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    exponential_linear_slope(n, p->a, 1, x, t);
}

static void selu_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    exponential_linear(n, p->a, p->b, x, y);
}

static void selu_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    exponential_linear_slope(n, p->a, p->b, x, t);
}

/*
 * max(x, 0) + ln(1 + u) with u = e^-|x|, which overflows nowhere. w = 1 + u rounds; ln(w) u / (w -
 * 1) undoes the rounding, so that small results keep all their bits.
 */
static void softplus_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    const ax_kernels *k = ax_kernels_get();
    float u[CHUNK], w[CHUNK], l[CHUNK];

    for (int64_t i = 0; i < n; i++)
        u[i] = -fabsf(x[i]);
    k->exp(n, u, u);
    k->add_scalar(n, u, 1, w);
    k->log(n, w, l);
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] > 0 ? x[i] : 0) + (w[i] == 1 ? u[i] : l[i] * (u[i] / (w[i] - 1)));
}

static void softplus_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    ax_kernels_get()->sigmoid(n, x, t);
}

static void softsign_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] / (1 + fabsf(x[i]));
}

static void softsign_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    for (int64_t i = 0; i < n; i++)
        t[i] = 1 / ((1 + fabsf(x[i])) * (1 + fabsf(x[i])));
}

/* ---- Gelu ------------------------------------------------------------------------------------ */

#define SQRT_HALF   0.70710678118654752f
#define SQRT_2_PI   0.79788456080286536f /* sqrt(2 / pi) */
#define GELU_CUBIC  0.044715f
#define GELU_BORDER 15.0f

static void gelu_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    const ax_kernels *k = ax_kernels_get();
    float t[CHUNK];

    k->mul_scalar(n, x, SQRT_HALF, t);
    k->erf(n, t, t);
    for (int64_t i = 0; i < n; i++)
        y[i] = 0.5f * x[i] * (1 + t[i]);
}

/* Beyond the border the slope is 0 or 1 to the last bit; squares of what lies there might overflow.
 */
static void gelu_within(int64_t n, const float *x, float *v)
{
    for (int64_t i = 0; i < n; i++)
        v[i] = x[i] < -GELU_BORDER ? -GELU_BORDER : x[i] > GELU_BORDER ? GELU_BORDER : x[i];
}

static void gelu_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    const ax_kernels *k = ax_kernels_get();
    float v[CHUNK], e[CHUNK];

    gelu_within(n, x, v);
    for (int64_t i = 0; i < n; i++)
        e[i] = -0.5f * v[i] * v[i];
    k->exp(n, e, e);
    k->mul_scalar(n, v, SQRT_HALF, t);
    k->erf(n, t, t);
    for (int64_t i = 0; i < n; i++)
        t[i] = 0.5f * (1 + t[i]) + v[i] * e[i] * (0.5f * SQRT_2_PI);
}

/* u(x) = sqrt(2/pi) (x + 0.044715 x^3) */
static void gelu_tanh_value(const unary_prep *p, int64_t n, const float *x, float *y)
{
    float t[CHUNK];

    for (int64_t i = 0; i < n; i++)
        t[i] = SQRT_2_PI * (x[i] + GELU_CUBIC * x[i] * x[i] * x[i]);
    ax_kernels_get()->tanh(n, t, t);
    for (int64_t i = 0; i < n; i++)
        y[i] = 0.5f * x[i] * (1 + t[i]);
}

/* (1 + t)/2 + x/2 (1 - t^2) u'(x), with t = tanh u(x) and u'(x) = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
 */
static void gelu_tanh_slope(const unary_prep *p, int64_t n, const float *x, float *t)
{
    float v[CHUNK];

    gelu_within(n, x, v);
    for (int64_t i = 0; i < n; i++)
        t[i] = SQRT_2_PI * (v[i] + GELU_CUBIC * v[i] * v[i] * v[i]);
    ax_kernels_get()->tanh(n, t, t);
    for (int64_t i = 0; i < n; i++) {
        float du = SQRT_2_PI * (1 + 3 * GELU_CUBIC * v[i] * v[i]);

        t[i] = 0.5f * (1 + t[i]) + 0.5f * v[i] * (1 - t[i] * t[i]) * du;
    }
}

static const formula gelu_tanh = {&ax_op_gelu, gelu_tanh_value, gelu_tanh_slope, NULL, 0, NULL, 0,
                                  NULL};

static ax_status gelu_read(ax_setup *s, unary_prep *p)
{
    const char *approximate = ax_node_string(s->node, "approximate", "none");

    if (strcmp(approximate, "tanh") == 0)
        p->formula = &gelu_tanh;
    else if (strcmp(approximate, "none") != 0)
        return ax_setup_fail(s, "attribute approximate is \"%.64s\", not \"none\" or \"tanh\"",
                             approximate);
    return AX_OK;
}

/* ---- Clip's limits are inputs ---------------------------------------------------------------- */

static ax_status clip_limit(ax_setup *s, int i, const char *name, float *limit)
{
    if (i >= s->n_in || s->in[i].shape.rank < 0)
        return AX_OK;
    AX_TRY(ax_setup_float(s, i, 0, 1));
    if (ax_shape_elements(&s->in[i].shape) != 1)
        return ax_setup_fail(s, "%s is not a single number", name);
    if (!s->in[i].data)
        return ax_setup_unsupported(s, "%s is computed; it must be a constant", name);
    *limit = *(const float *) s->in[i].data;
    return AX_OK;
}

static ax_status clip_read(ax_setup *s, unary_prep *p)
{
    AX_TRY(clip_limit(s, 1, "min", &p->a));
    return clip_limit(s, 2, "max", &p->b);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const formula formulas[] = {
    {&ax_op_abs, abs_value, abs_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_clip, clip_value, clip_slope, NULL, -INFINITY, NULL, INFINITY, clip_read},
    {&ax_op_elu, elu_value, elu_slope, "alpha", 1, NULL, 0, NULL},
    {&ax_op_erf, erf_value, erf_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_exp, exp_value, exp_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_gelu, gelu_value, gelu_slope, NULL, 0, NULL, 0, gelu_read},
    {&ax_op_hard_sigmoid, hard_sigmoid_value, hard_sigmoid_slope, "alpha", 0.2f, "beta", 0.5f,
     NULL},
    {&ax_op_hard_swish, hard_swish_value, hard_swish_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_leaky_relu, leaky_relu_value, leaky_relu_slope, "alpha", 0.01f, NULL, 0, NULL},
    {&ax_op_log, log_value, log_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_neg, neg_value, neg_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_relu, relu_value, relu_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_selu, selu_value, selu_slope, "alpha", 1.67326319217681884765625f, "gamma",
     1.05070102214813232421875f, NULL},
    {&ax_op_sigmoid, sigmoid_value, sigmoid_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_softplus, softplus_value, softplus_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_softsign, softsign_value, softsign_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_sqrt, sqrt_value, sqrt_slope, NULL, 0, NULL, 0, NULL},
    {&ax_op_tanh, tanh_value, tanh_slope, NULL, 0, NULL, 0, NULL},
};

static ax_status unary_setup(ax_setup *s)
{
    const formula *f = formulas;
    unary_prep *p;

    AX_TRY(ax_setup_float(s, 0, 0, AX_MAX_RANK));
    ax_setup_same(s, 0);
    p = ax_setup_prep(s, sizeof *p);
    if (!p)
        return ax_nomem(s->err);
    while (f->op != s->node->op)
        f++;
    p->formula = f;
    p->a = f->a_name ? ax_node_float(s->node, f->a_name, f->a) : f->a;
    p->b = f->b_name ? ax_node_float(s->node, f->b_name, f->b) : f->b;
    return f->read ? f->read(s, p) : AX_OK;
}

static void unary_forward(const ax_run *r)
{
    const unary_prep *p = r->prep;
    const float *x = r->in[0].data;
    float *y = r->out[0].data;
    int64_t total = ax_shape_elements(&r->out[0].shape);

    for (int64_t from = 0; from < total; from += CHUNK)
        p->formula->value(p, AX_MIN(total - from, CHUNK), x + from, y + from);
}

static void unary_backward(const ax_run *r)
{
    const unary_prep *p = r->prep;
    const ax_kernels *k = ax_kernels_get();
    const float *v = r->node->op->flags & AX_KEEP_OUT ? r->out[0].data : r->in[0].data;
    const float *dy = r->dout[0].data;
    float *dx = r->din[0].data;
    int64_t total = ax_shape_elements(&r->out[0].shape);
    float t[CHUNK];

    if (!dx)
        return;
    for (int64_t from = 0; from < total; from += CHUNK) {
        int64_t n = AX_MIN(total - from, CHUNK);

        p->formula->slope(p, n, v + from, t);
        if (r->add[0])
            k->muladd(n, dy + from, t, dx + from);
        else
            k->mul(n, dy + from, t, dx + from);
    }
}

/* The kernel needs no slopes in memory, and gives 0 for an infinite dy where the unit is off. */
static void relu_backward(const ax_run *r)
{
    if (ax_wants_grad(r, 0))
        ax_kernels_get()->relu_grad(ax_shape_elements(&r->out[0].shape), r->out[0].data,
                                    r->dout[0].data, r->din[0].data, r->add[0]);
}

static const ax_attr_spec no_attrs[] = {{NULL, 0}};
static const ax_attr_spec alpha_attrs[] = {{"alpha", AX_ATTR_FLOAT}, {NULL, 0}};
static const ax_attr_spec selu_attrs[] = {
    {"alpha", AX_ATTR_FLOAT}, {"gamma", AX_ATTR_FLOAT}, {NULL, 0}};
static const ax_attr_spec hard_sigmoid_attrs[] = {
    {"alpha", AX_ATTR_FLOAT}, {"beta", AX_ATTR_FLOAT}, {NULL, 0}};
static const ax_attr_spec gelu_attrs[] = {{"approximate", AX_ATTR_STRING}, {NULL, 0}};

#define UNARY(name, onnx, opset, most_in, keep, attrs, back)                                       \
    const ax_op ax_op_##name = {                                                                   \
        .type = onnx,                                                                              \
        .since = opset,                                                                            \
        .min_in = 1,                                                                               \
        .max_in = most_in,                                                                         \
        .min_out = 1,                                                                              \
        .max_out = 1,                                                                              \
        .flags = (keep) | AX_INPLACE | AX_ELEMENTWISE,                                                        \
        .attr = attrs,                                                                             \
        .setup = unary_setup,                                                                      \
        .forward = unary_forward,                                                                  \
        .backward = back,                                                                          \
    }

UNARY(abs, "Abs", 13, 1, AX_KEEP_IN0, no_attrs, unary_backward);
UNARY(clip, "Clip", 13, 3, AX_KEEP_OUT, no_attrs, unary_backward);
UNARY(elu, "Elu", 6, 1, AX_KEEP_IN0, alpha_attrs, unary_backward);
UNARY(erf, "Erf", 13, 1, AX_KEEP_IN0, no_attrs, unary_backward);
UNARY(exp, "Exp", 13, 1, AX_KEEP_OUT, no_attrs, unary_backward);
UNARY(gelu, "Gelu", 20, 1, AX_KEEP_IN0, gelu_attrs, unary_backward);
UNARY(hard_sigmoid, "HardSigmoid", 6, 1, AX_KEEP_OUT, hard_sigmoid_attrs, unary_backward);
UNARY(hard_swish, "HardSwish", 14, 1, AX_KEEP_IN0, no_attrs, unary_backward);
UNARY(leaky_relu, "LeakyRelu", 16, 1, AX_KEEP_IN0, alpha_attrs, unary_backward);
UNARY(log, "Log", 13, 1, AX_KEEP_IN0, no_attrs, unary_backward);
UNARY(neg, "Neg", 13, 1, 0, no_attrs, unary_backward);
UNARY(relu, "Relu", 14, 1, AX_KEEP_OUT, no_attrs, relu_backward);
UNARY(selu, "Selu", 6, 1, AX_KEEP_IN0, selu_attrs, unary_backward);
UNARY(sigmoid, "Sigmoid", 13, 1, AX_KEEP_OUT, no_attrs, unary_backward);
UNARY(softplus, "Softplus", 1, 1, AX_KEEP_IN0, no_attrs, unary_backward);
UNARY(softsign, "Softsign", 1, 1, AX_KEEP_IN0, no_attrs, unary_backward);
UNARY(sqrt, "Sqrt", 13, 1, AX_KEEP_OUT, no_attrs, unary_backward);
UNARY(tanh, "Tanh", 13, 1, AX_KEEP_OUT, no_attrs, unary_backward);
