/*
 * op_lstm.c: LSTM. Gates in ONNX's order: i, o, f, c; f, g, h are the three activations.
 *
 *     i, o, f = f(x W' + h R' + b)     g = g(x W' + h R' + b)
 *     c' = f c + i g                   h' = o h(c')
 */
#include "graph/op_list.h"
#include "graph/op_recurrent.h"

static void make_row(recurrent_walk *w, int64_t i)
{
    int64_t n = w->p->hidden;
    const ax_kernels *k = ax_kernels_get();
    float *gate = w->gates + w->gate_at[i], *h = w->h + w->state_at[i], *c = w->c + w->state_at[i];
    float *curve_c = w->curve_c != NULL ? w->curve_c + w->at[i] * n : w->row;

    ax_recurrent_curve(w->curve[0], 3 * n, gate, gate);
    ax_recurrent_curve(w->curve[1], n, gate + 3 * n, gate + 3 * n);
    k->mul(n, gate + 2 * n, c, c);
    k->muladd(n, gate, gate + 3 * n, c);
    ax_recurrent_curve(w->curve[2], n, c, curve_c);
    k->mul(n, gate + n, curve_c, h);
}

static void forward_step(recurrent_walk *w)
{
    ax_recurrent_times(w, 0, w->h, w->state_at, NULL, true, w->gates, w->gate_at);
    for (int64_t i = 0; i < w->n; i++)
        make_row(w, i);
}

static void back_row(recurrent_walk *w, int64_t i)
{
    int64_t n = w->p->hidden;
    const ax_kernels *k = ax_kernels_get();
    float *gate = w->gates + w->gate_at[i], *g = w->row;
    float *dh = w->h + w->state_at[i], *dc = w->c + w->state_at[i];
    const float *old_c = w->old_c + w->at[i] * n, *curve_c = w->curve_c + w->at[i] * n;

    k->mul(n, dh, gate + n, g); /* of c, through the output */
    ax_recurrent_slope(w->curve[2], n, curve_c, g);
    k->add(n, dc, g, dc);
    k->mul(n, dc, gate + 3 * n, g);
    k->mul(n, dh, curve_c, g + n);
    k->mul(n, dc, old_c, g + 2 * n);
    k->mul(n, dc, gate, g + 3 * n);
    k->mul(n, dc, gate + 2 * n, dc);
    ax_kernels_get()->curve_back[w->curve[0]](3 * n, 0, 0, gate, g, gate, false);
    ax_kernels_get()->curve_back[w->curve[1]](n, 0, 0, gate + 3 * n, g + 3 * n, gate + 3 * n, false);
}

static void backward_step(recurrent_walk *w)
{
    for (int64_t i = 0; i < w->n; i++)
        back_row(w, i);
    ax_recurrent_times_back(w, 0, w->gates, w->gate_at, false, w->h, w->state_at);
}

static const recurrent_cell lstm = {.gates = 4,
                                    .curves = 3,
                                    .has_c = true,
                                    .curve = {AX_CURVE_SIGMOID, AX_CURVE_TANH, AX_CURVE_TANH},
                                    .forward = forward_step,
                                    .backward = backward_step};

static ax_status setup(ax_setup *s)
{
    return ax_recurrent_setup(s, &lstm);
}

const ax_op ax_op_lstm = {.type = "LSTM",
                          .since = 14,
                          .min_in = 3,
                          .max_in = 8,
                          .min_out = 1,
                          .max_out = 3,
                          .flags = AX_KEEP_IN,
                          .attr = ax_recurrent_attrs,
                          .setup = setup,
                          .forward = ax_recurrent_forward,
                          .backward = ax_recurrent_backward};
