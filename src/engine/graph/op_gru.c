/*
 * op_gru.c: GRU. Gates in ONNX's order: z, r, h.
 *
 *     z, r = f(x W' + h R' + b)
 *     h~   = g(x W' + b + (r h) R')            linear_before_reset 0
 *     h~   = g(x W' + b + r (h R' + b_R))      linear_before_reset 1, which PyTorch and Keras do
 *     h'   = (1 - z) h~ + z h
 *
 * The side row of a step is r h in the first form, h R' + b_R in the second: what backward multiplies with.
 */
#include "graph/op_list.h"
#include "graph/op_recurrent.h"

/* ---- forward --------------------------------------------------------------------------------- */

static const float *side_bias(const recurrent_walk *w)
{
    return w->p->bias ? w->packed + w->p->packed_bias + w->p->width : NULL;
}

/* h' = h~ + z (h - h~) */
static void mix(recurrent_walk *w, int64_t i)
{
    int64_t n = w->p->hidden;
    const ax_kernels *k = ax_kernels_get();
    float *gate = w->gates + w->gate_at[i], *h = w->h + w->state_at[i];

    ax_recurrent_curve(w->curve[1], n, gate + 2 * n, gate + 2 * n);
    k->sub(n, h, gate + 2 * n, h);
    k->mul(n, h, gate, h);
    k->add(n, h, gate + 2 * n, h);
}

static void forward_step(recurrent_walk *w)
{
    int64_t n = w->p->hidden;
    const ax_kernels *k = ax_kernels_get();

    ax_recurrent_times(w, 0, w->h, w->state_at, NULL, true, w->gates, w->gate_at);
    if (w->p->reset_after)
        ax_recurrent_times(w, 1, w->h, w->state_at, side_bias(w), false, w->side, w->side_at);
    for (int64_t i = 0; i < w->n; i++) {
        float *gate = w->gates + w->gate_at[i], *side = w->side + w->side_at[i];

        ax_recurrent_curve(w->curve[0], 2 * n, gate, gate);
        if (w->p->reset_after)
            k->muladd(n, gate + n, side, gate + 2 * n);
        else
            k->mul(n, gate + n, w->h + w->state_at[i], side);
    }
    if (!w->p->reset_after)
        ax_recurrent_times(w, 1, w->side, w->side_at, NULL, true, w->gates + 2 * n, w->gate_at);
    for (int64_t i = 0; i < w->n; i++)
        mix(w, i);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* Gradients of z and of the inner h, which replace those gates; z h's share of h stays in dh. */
static void back_mix(recurrent_walk *w, int64_t i)
{
    int64_t n = w->p->hidden;
    const ax_kernels *k = ax_kernels_get();
    float *gate = w->gates + w->gate_at[i], *dh = w->h + w->state_at[i], *dz = w->row, *inner = w->row + n;

    k->sub(n, w->old_h + w->at[i] * n, gate + 2 * n, dz);
    k->mul(n, dz, dh, dz);
    k->mul(n, dh, gate, inner);          /* z dh */
    k->sub(n, dh, inner, dh);            /* (1 - z) dh */
    ax_kernels_get()->curve_back[w->curve[1]](n, 0, 0, gate + 2 * n, dh, gate + 2 * n, false);
    memcpy(dh, inner, (size_t) n * sizeof(float));
    ax_kernels_get()->curve_back[w->curve[0]](n, 0, 0, gate, dz, gate, false);
}

/* linear_before_reset: the side row becomes its own gradient. */
static void back_after(recurrent_walk *w)
{
    int64_t n = w->p->hidden;
    const ax_kernels *k = ax_kernels_get();

    for (int64_t i = 0; i < w->n; i++) {
        float *gate = w->gates + w->gate_at[i], *side = w->side + w->side_at[i];

        k->mul(n, side, gate + 2 * n, w->row);
        k->mul(n, gate + n, gate + 2 * n, side);
        ax_kernels_get()->curve_back[w->curve[0]](n, 0, 0, gate + n, w->row, gate + n, false);
    }
    ax_recurrent_times_back(w, 1, w->side, w->side_at, true, w->h, w->state_at);
}

/* The gradient of r h, for all rows, then r's and h's share of it. */
static void back_before(recurrent_walk *w)
{
    int64_t n = w->p->hidden;
    const ax_kernels *k = ax_kernels_get();
    float *g = w->c; /* free: a GRU has no cell */

    ax_recurrent_times_back(w, 1, w->gates + 2 * n, w->gate_at, false, g, w->state_at);
    for (int64_t i = 0; i < w->n; i++) {
        float *gate = w->gates + w->gate_at[i], *d = g + w->state_at[i];

        k->muladd(n, d, gate + n, w->h + w->state_at[i]);
        k->mul(n, d, w->old_h + w->at[i] * n, d);
        ax_kernels_get()->curve_back[w->curve[0]](n, 0, 0, gate + n, d, gate + n, false);
    }
}

static void backward_step(recurrent_walk *w)
{
    for (int64_t i = 0; i < w->n; i++)
        back_mix(w, i);
    if (w->p->reset_after)
        back_after(w);
    else
        back_before(w);
    ax_recurrent_times_back(w, 0, w->gates, w->gate_at, true, w->h, w->state_at);
}

static const recurrent_cell gru = {.gates = 3,
                                   .curves = 2,
                                   .has_side = true,
                                   .curve = {AX_CURVE_SIGMOID, AX_CURVE_TANH},
                                   .forward = forward_step,
                                   .backward = backward_step};

static ax_status setup(ax_setup *s)
{
    return ax_recurrent_setup(s, &gru);
}

static const ax_attr_spec attrs[] = {
    {"activations", AX_ATTR_STRINGS}, {"activation_alpha", AX_ATTR_FLOATS}, {"activation_beta", AX_ATTR_FLOATS},
    {"clip", AX_ATTR_FLOAT},          {"direction", AX_ATTR_STRING},        {"hidden_size", AX_ATTR_INT},
    {"layout", AX_ATTR_INT},          {"linear_before_reset", AX_ATTR_INT}, {NULL, 0}};

const ax_op ax_op_gru = {.type = "GRU",
                         .since = 14,
                         .min_in = 3,
                         .max_in = 6,
                         .min_out = 1,
                         .max_out = 2,
                         .flags = AX_KEEP_IN,
                         .attr = attrs,
                         .setup = setup,
                         .forward = ax_recurrent_forward,
                         .backward = ax_recurrent_backward};
