/*
 * op_pow.c: Pow, with NumPy's broadcasting.
 *
 *     y = a ^ b      da = dy * b * a^(b - 1)      db = dy * a^b * ln a
 *
 * Both gradients are 0 where their factor is (b = 0; a = 0 under a positive b), and NaN where there is none.
 */
#include <math.h>

#include "graph/op_common.h"
#include "graph/op_list.h"
#include "graph/op_walk.h"

static ax_status pow_setup(ax_setup *s)
{
    ax_walk *w;

    for (int k = 0; k < 2; k++)
        AX_TRY(ax_setup_float(s, k, 0, AX_MAX_RANK));
    AX_TRY(ax_setup_broadcast(s, AX_FLOAT));
    w = ax_setup_prep(s, sizeof *w);
    if (!w)
        return ax_nomem(s->err);
    ax_walk_broadcast(w, &s->out[0].shape, &s->in[0].shape, &s->in[1].shape);
    return AX_OK;
}

/* Squares need no logarithm. */
static float power(float a, float b)
{
    return b == 2 ? a * a : powf(a, b);
}

static void pow_forward(const ax_run *r)
{
    const ax_walk *w = r->prep;
    const float *a = r->in[0].data, *b = r->in[1].data;
    float *y = r->out[0].data;

    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            y[at.whole + i] = power(a[at.a + i * w->step_a], b[at.b + i * w->step_b]);
}

static float slope_of_base(float a, float b)
{
    return b == 0 ? 0 : b == 1 ? 1 : b == 2 ? 2 * a : b * powf(a, b - 1);
}

static float slope_of_exponent(float a, float b)
{
    return a == 0 && b > 0 ? 0 : powf(a, b) * logf(a);
}

static void operand_backward(const ax_run *r, int k)
{
    const ax_walk *w = r->prep;
    const float *a = r->in[0].data, *b = r->in[1].data, *dy = r->dout[0].data;
    float *d = r->din[k].data;

    if (!r->add[k])
        memset(d, 0, ax_tensor_bytes(AX_FLOAT, &r->din[k].shape));
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++) {
            float x = a[at.a + i * w->step_a], e = b[at.b + i * w->step_b];

            if (k == 0)
                d[at.a + i * w->step_a] += dy[at.whole + i] * slope_of_base(x, e);
            else
                d[at.b + i * w->step_b] += dy[at.whole + i] * slope_of_exponent(x, e);
        }
}

static void pow_backward(const ax_run *r)
{
    for (int k = 0; k < 2; k++)
        if (ax_wants_grad(r, k))
            operand_backward(r, k);
}

const ax_op ax_op_pow = {
    .type = "Pow",
    .since = 15,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_KEEP_IN0 | AX_KEEP_IN1,
    .setup = pow_setup,
    .forward = pow_forward,
    .backward = pow_backward,
};
