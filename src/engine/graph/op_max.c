/*
 * op_max.c: Max and Min over any number of inputs, with NumPy's broadcasting.
 *
 *     y = max(a, b, ...)      the gradient goes to the first input that holds the extreme
 *
 * NaN wins, as in NumPy. Which input won is kept for the way back, a byte an element; along the axes that an
 * input was broadcast its gradients are summed.
 */
#include <math.h>

#include "graph/op_list.h"
#include "graph/op_walk.h"

typedef struct max_prep {
    bool least;    /* Min */
    ax_walk *walk; /* per input, over the output; a: the input */
} max_prep;

static ax_status max_setup(ax_setup *s)
{
    ax_shape *out = &s->out[0].shape;
    max_prep *p = ax_setup_prep(s, sizeof *p);

    if (!p)
        return ax_nomem(s->err);
    p->least = s->node->op == &ax_op_min;
    p->walk = ax_setup_prep(s, (size_t) s->n_in * sizeof *p->walk);
    s->prep = p;
    if (!p->walk)
        return ax_nomem(s->err);
    for (int k = 0; k < s->n_in; k++) {
        AX_TRY(ax_setup_float(s, k, 0, AX_MAX_RANK));
        if (k > 0 && !ax_shape_broadcast(out, &s->in[k].shape, out))
            return ax_setup_fail(s, "the shape of input %d does not fit the ones before", k);
        if (k == 0)
            ax_setup_same(s, 0);
    }
    if (!ax_shape_sane(out))
        return ax_setup_fail(s, "the output is too large");
    for (int k = 0; k < s->n_in; k++)
        ax_walk_broadcast(&p->walk[k], out, &s->in[k].shape, &s->in[k].shape);
    s->saved = s->training ? (size_t) ax_shape_elements(out) : 0;
    return AX_OK;
}

static void put_first(const ax_walk *w, const float *x, float *y)
{
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            y[at.whole + i] = x[at.a + i * w->step_a];
}

/* Input k against the winner so far. */
static void challenge(const ax_walk *w, bool least, int k, const float *x, float *y, uint8_t *winner)
{
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++) {
            float a = x[at.a + i * w->step_a], *b = y + at.whole + i;
            bool wins = (least ? a < *b : a > *b) || (isnan(a) && !isnan(*b));

            *b = wins ? a : *b;
            if (winner)
                winner[at.whole + i] = wins ? (uint8_t) k : winner[at.whole + i];
        }
}

static void max_forward(const ax_run *r)
{
    const max_prep *p = r->prep;
    uint8_t *winner = r->training ? r->saved : NULL;
    float *y = r->out[0].data;

    put_first(&p->walk[0], r->in[0].data, y);
    if (winner)
        memset(winner, 0, (size_t) ax_shape_elements(&r->out[0].shape));
    for (int k = 1; k < r->n_in; k++)
        challenge(&p->walk[k], p->least, k, r->in[k].data, y, winner);
}

static void input_backward(const ax_run *r, int k)
{
    const ax_walk *w = &((const max_prep *) r->prep)->walk[k];
    const float *dy = r->dout[0].data;
    const uint8_t *winner = r->saved;
    float *d = r->din[k].data;

    if (!r->add[k])
        memset(d, 0, ax_tensor_bytes(AX_FLOAT, &r->din[k].shape));
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            d[at.a + i * w->step_a] += winner[at.whole + i] == k ? dy[at.whole + i] : 0;
}

static void max_backward(const ax_run *r)
{
    for (int k = 0; k < r->n_in; k++)
        if (ax_wants_grad(r, k))
            input_backward(r, k);
}

#define EXTREME(name, onnx)                                                                        \
    const ax_op ax_op_##name = {                                                                   \
        .type = onnx,                                                                              \
        .since = 13,                                                                               \
        .min_in = 1,                                                                               \
        .max_in = -1,                                                                              \
        .min_out = 1,                                                                              \
        .max_out = 1,                                                                              \
        .setup = max_setup,                                                                        \
        .forward = max_forward,                                                                    \
        .backward = max_backward,                                                                  \
    }

EXTREME(max, "Max");
EXTREME(min, "Min");
