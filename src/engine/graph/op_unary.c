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
 * The formulas are kernels (tensor/curve.inc), in one pass each way; all work in place. Where the slope is made from y,
 * or from nothing, the input need not be kept.
 */
#include <math.h>

#include "graph/op_common.h"
#include "graph/op_list.h"

typedef struct unary_prep {
    ax_curve curve;
    float a, b;
} unary_prep;

typedef struct formula {
    const ax_op *op;
    ax_curve curve;
    const char *a_name; /* float attributes, with their defaults */
    float a;
    const char *b_name;
    float b;
    ax_status (*read)(ax_setup *s, unary_prep *p); /* whatever else there is to know */
} formula;

static ax_status gelu_read(ax_setup *s, unary_prep *p)
{
    const char *approximate = ax_node_string(s->node, "approximate", "none");

    if (strcmp(approximate, "tanh") == 0)
        p->curve = AX_CURVE_GELU_TANH;
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
    {&ax_op_abs, AX_CURVE_ABS, NULL, 0, NULL, 0, NULL},
    {&ax_op_clip, AX_CURVE_CLIP, NULL, -INFINITY, NULL, INFINITY, clip_read},
    {&ax_op_elu, AX_CURVE_ELU, "alpha", 1, NULL, 1, NULL},
    {&ax_op_erf, AX_CURVE_ERF, NULL, 0, NULL, 0, NULL},
    {&ax_op_exp, AX_CURVE_EXP, NULL, 0, NULL, 0, NULL},
    {&ax_op_gelu, AX_CURVE_GELU, NULL, 0, NULL, 0, gelu_read},
    {&ax_op_hard_sigmoid, AX_CURVE_HARD_SIGMOID, "alpha", 0.2f, "beta", 0.5f,
     NULL},
    {&ax_op_hard_swish, AX_CURVE_HARD_SWISH, NULL, 0, NULL, 0, NULL},
    {&ax_op_leaky_relu, AX_CURVE_LEAKY_RELU, "alpha", 0.01f, NULL, 0, NULL},
    {&ax_op_log, AX_CURVE_LOG, NULL, 0, NULL, 0, NULL},
    {&ax_op_neg, AX_CURVE_NEG, NULL, 0, NULL, 0, NULL},
    {&ax_op_relu, AX_CURVE_RELU, NULL, 0, NULL, 0, NULL},
    {&ax_op_selu, AX_CURVE_ELU, "alpha", 1.67326319217681884765625f, "gamma",
     1.05070102214813232421875f, NULL},
    {&ax_op_sigmoid, AX_CURVE_SIGMOID, NULL, 0, NULL, 0, NULL},
    {&ax_op_softplus, AX_CURVE_SOFTPLUS, NULL, 0, NULL, 0, NULL},
    {&ax_op_softsign, AX_CURVE_SOFTSIGN, NULL, 0, NULL, 0, NULL},
    {&ax_op_sqrt, AX_CURVE_SQRT, NULL, 0, NULL, 0, NULL},
    {&ax_op_tanh, AX_CURVE_TANH, NULL, 0, NULL, 0, NULL},
};

static const formula *formula_of(const ax_op *op)
{
    for (int i = 0; i < AX_COUNT(formulas); i++)
        if (formulas[i].op == op)
            return &formulas[i];
    return NULL;
}

static void read_constants(const formula *f, const ax_node *n, unary_prep *p)
{
    p->curve = f->curve;
    p->a = f->a_name ? ax_node_float(n, f->a_name, f->a) : f->a;
    p->b = f->b_name ? ax_node_float(n, f->b_name, f->b) : f->b;
}

static ax_status unary_setup(ax_setup *s)
{
    const formula *f = formula_of(s->node->op);
    unary_prep *p;

    AX_TRY(ax_setup_float(s, 0, 0, AX_MAX_RANK));
    ax_setup_same(s, 0);
    p = ax_setup_prep(s, sizeof *p);
    if (!p)
        return ax_nomem(s->err);
    read_constants(f, s->node, p);
    return f->read ? f->read(s, p) : AX_OK;
}

bool ax_unary_curve(const ax_node *n, ax_curve *curve, float *a, float *b)
{
    const formula *f = formula_of(n->op);
    unary_prep p;

    if (f == NULL || f->op == &ax_op_clip)
        return false;
    read_constants(f, n, &p);
    if (f->op == &ax_op_gelu && strcmp(ax_node_string(n, "approximate", "none"), "tanh") == 0)
        p.curve = AX_CURVE_GELU_TANH;
    *curve = p.curve;
    *a = p.a;
    *b = p.b;
    return true;
}

static void unary_forward(const ax_run *r)
{
    const unary_prep *p = r->prep;

    ax_kernels_get()->curve[p->curve](ax_shape_elements(&r->out[0].shape), p->a, p->b,
                                      r->in[0].data, r->out[0].data);
}

static void unary_backward(const ax_run *r)
{
    const unary_prep *p = r->prep;
    const float *v = r->node->op->flags & AX_KEEP_OUT ? r->out[0].data : r->in[0].data;

    if (ax_wants_grad(r, 0))
        ax_kernels_get()->curve_back[p->curve](ax_shape_elements(&r->out[0].shape), p->a, p->b, v,
                                               r->dout[0].data, r->din[0].data, r->add[0]);
}

static const ax_attr_spec no_attrs[] = {{NULL, 0}};
static const ax_attr_spec alpha_attrs[] = {{"alpha", AX_ATTR_FLOAT}, {NULL, 0}};
static const ax_attr_spec selu_attrs[] = {
    {"alpha", AX_ATTR_FLOAT}, {"gamma", AX_ATTR_FLOAT}, {NULL, 0}};
static const ax_attr_spec hard_sigmoid_attrs[] = {
    {"alpha", AX_ATTR_FLOAT}, {"beta", AX_ATTR_FLOAT}, {NULL, 0}};
static const ax_attr_spec gelu_attrs[] = {{"approximate", AX_ATTR_STRING}, {NULL, 0}};

#define UNARY(name, onnx, opset, most_in, keep, attrs)                                             \
    const ax_op ax_op_##name = {                                                                   \
        .type = onnx,                                                                              \
        .since = opset,                                                                            \
        .min_in = 1,                                                                               \
        .max_in = most_in,                                                                         \
        .min_out = 1,                                                                              \
        .max_out = 1,                                                                              \
        .flags = (keep) | AX_INPLACE | AX_ELEMENTWISE,                                               \
        .attr = attrs,                                                                             \
        .setup = unary_setup,                                                                      \
        .forward = unary_forward,                                                                  \
        .backward = unary_backward,                                                                \
    }

UNARY(abs, "Abs", 13, 1, AX_KEEP_IN0, no_attrs);
UNARY(clip, "Clip", 13, 3, AX_KEEP_OUT, no_attrs);
UNARY(elu, "Elu", 6, 1, AX_KEEP_IN0, alpha_attrs);
UNARY(erf, "Erf", 13, 1, AX_KEEP_IN0, no_attrs);
UNARY(exp, "Exp", 13, 1, AX_KEEP_OUT, no_attrs);
UNARY(gelu, "Gelu", 20, 1, AX_KEEP_IN0, gelu_attrs);
UNARY(hard_sigmoid, "HardSigmoid", 6, 1, AX_KEEP_OUT, hard_sigmoid_attrs);
UNARY(hard_swish, "HardSwish", 14, 1, AX_KEEP_IN0, no_attrs);
UNARY(leaky_relu, "LeakyRelu", 16, 1, AX_KEEP_IN0, alpha_attrs);
UNARY(log, "Log", 13, 1, AX_KEEP_IN0, no_attrs);
UNARY(neg, "Neg", 13, 1, 0, no_attrs);
UNARY(relu, "Relu", 14, 1, AX_KEEP_OUT, no_attrs);
UNARY(selu, "Selu", 6, 1, AX_KEEP_IN0, selu_attrs);
UNARY(sigmoid, "Sigmoid", 13, 1, AX_KEEP_OUT, no_attrs);
UNARY(softplus, "Softplus", 1, 1, AX_KEEP_IN0, no_attrs);
UNARY(softsign, "Softsign", 1, 1, AX_KEEP_IN0, no_attrs);
UNARY(sqrt, "Sqrt", 13, 1, AX_KEEP_OUT, no_attrs);
UNARY(tanh, "Tanh", 13, 1, AX_KEEP_OUT, no_attrs);
