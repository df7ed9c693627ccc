/*
 * op_rnn.c: RNN, the simple recurrent network: h' = f(x W' + h R' + b).
 */
#include "graph/op_list.h"
#include "graph/op_recurrent.h"

static void forward_step(recurrent_walk *w)
{
    int64_t n = w->p->hidden;

    ax_recurrent_times(w, 0, w->h, w->state_at, NULL, true, w->gates, w->gate_at);
    for (int64_t i = 0; i < w->n; i++) {
        float *gate = w->gates + w->gate_at[i];

        ax_recurrent_curve(w->curve[0], n, gate, gate);
        memcpy(w->h + w->state_at[i], gate, (size_t) n * sizeof(float));
    }
}

static void backward_step(recurrent_walk *w)
{
    int64_t n = w->p->hidden;

    for (int64_t i = 0; i < w->n; i++) {
        float *gate = w->gates + w->gate_at[i];

        ax_kernels_get()->curve_back[w->curve[0]](n, 0, 0, gate, w->h + w->state_at[i], gate, false);
    }
    ax_recurrent_times_back(w, 0, w->gates, w->gate_at, false, w->h, w->state_at);
}

static const recurrent_cell rnn = {.gates = 1,
                                   .curves = 1,
                                   .curve = {AX_CURVE_TANH},
                                   .forward = forward_step,
                                   .backward = backward_step};

static ax_status setup(ax_setup *s)
{
    return ax_recurrent_setup(s, &rnn);
}

const ax_op ax_op_rnn = {.type = "RNN",
                         .since = 14,
                         .min_in = 3,
                         .max_in = 6,
                         .min_out = 1,
                         .max_out = 2,
                         .flags = AX_KEEP_IN,
                         .attr = ax_recurrent_attrs,
                         .setup = setup,
                         .forward = ax_recurrent_forward,
                         .backward = ax_recurrent_backward};
