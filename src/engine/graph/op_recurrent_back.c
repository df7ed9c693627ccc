/*
 * op_recurrent_back.c: backward through time of LSTM, GRU and RNN; see op_recurrent.h.
 *
 * The walk goes from the last step to the first and turns every saved gate into its gradient. Then the gradients of X,
 * W, R and B are products and sums over all rows at once: one where all sequences are whole, else one a sequence, so
 * that what lies behind its end is not looked at.
 */
#include "graph/op_recurrent.h"

#define ASK_STEPS 4

/* Rows that one product takes. */
typedef struct row_span {
    int64_t first, rows, stride;
} row_span;

static bool all_whole(const ax_run *r)
{
    const recurrent *p = r->prep;

    for (int64_t b = 0; b < p->batch; b++)
        if (ax_recurrent_length(r, b) < p->steps)
            return false;
    return true;
}

static row_span span_at(const ax_run *r, bool whole, int64_t b)
{
    const recurrent *p = r->prep;

    if (whole)
        return (row_span){0, p->batch * p->steps, 1};
    return (row_span){ax_recurrent_row(p, b, 0), ax_recurrent_length(r, b), p->batch_first ? 1 : p->batch};
}

/* ---- the walk ---------------------------------------------------------------------------------- */

static void pack_backward(const ax_run *r, int direction, float *to)
{
    const recurrent *p = r->prep;
    const float *u = (const float *) r->in[RNN_R].data + direction * p->width * p->hidden;

    for (int i = 0; i < p->parts; i++)
        ax_pack_straight(u + p->part[i].from * p->hidden, p->part[i].columns, p->hidden, AX_WHOLE,
                         to + p->part[i].backward);
}

static const float *output_gradient(const ax_run *r, int output)
{
    return output < r->n_out ? r->dout[output].data : NULL;
}

static void begin_gradient(const recurrent_walk *w, int output, float *state)
{
    const recurrent *p = w->p;
    const float *g = output_gradient(w->r, output);
    size_t bytes = (size_t) p->hidden * sizeof(float);

    for (int64_t b = 0; b < p->batch; b++) {
        if (g == NULL)
            memset(state + b * p->hidden, 0, bytes);
        else
            memcpy(state + b * p->hidden, g + ax_recurrent_state_at(p, w->direction, b), bytes);
    }
}

static void add_step(const recurrent_walk *w)
{
    const float *g = output_gradient(w->r, RNN_Y);

    for (int64_t i = 0; i < w->n && g != NULL; i++) {
        float *h = w->h + w->state_at[i];

        ax_kernels_get()->add(w->p->hidden, h, g + ax_recurrent_y_at(w->p, w->direction, w->at[i]), h);
    }
}

static void give_state(const recurrent_walk *w, int input, const float *state)
{
    const recurrent *p = w->p;

    if (!ax_wants_grad(w->r, input))
        return;
    for (int64_t b = 0; b < p->batch; b++) {
        float *d = (float *) w->r->din[input].data + ax_recurrent_state_at(p, w->direction, b);

        if (w->r->add[input])
            ax_kernels_get()->add(p->hidden, d, state + b * p->hidden, d);
        else
            memcpy(d, state + b * p->hidden, (size_t) p->hidden * sizeof(float));
    }
}

/* ---- products over all rows -------------------------------------------------------------------- */

/* d (columns of g, n) (+)= g' x over the rows of all spans. */
static void weight_product(const ax_run *r, bool whole, const float *g, int64_t ldg, int64_t columns, const float *x,
                           int64_t n, bool add, float *d)
{
    const recurrent *p = r->prep;
    int64_t spans = whole ? 1 : p->batch;

    for (int64_t b = 0; b < spans && !ax_pool_stopped(r->pool); b++) {
        row_span s = span_at(r, whole, b);

        ax_gemm(true, false, columns, n, s.rows, 1, g + s.first * ldg, s.stride * ldg, x + s.first * n, s.stride * n,
                add || b > 0, d, n);
    }
}

static void give_input(const recurrent_walk *w, bool whole)
{
    const recurrent *p = w->p;
    const float *weight = (const float *) w->r->in[RNN_W].data + w->direction * p->width * p->input;
    bool add = w->r->add[RNN_X] || w->direction > 0;
    float *d = w->r->din[RNN_X].data;
    int64_t spans = whole ? 1 : p->batch;

    if (!ax_wants_grad(w->r, RNN_X))
        return;
    for (int64_t b = 0; b < spans && !ax_pool_stopped(w->r->pool); b++) {
        row_span s = span_at(w->r, whole, b);

        ax_gemm(false, false, s.rows, p->input, p->width, 1, w->gates + s.first * p->width, s.stride * p->width,
                weight, p->input, add, d + s.first * p->input, s.stride * p->input);
        for (int64_t t = s.rows; t < p->steps && !whole && !add; t++)
            memset(d + ax_recurrent_row(p, b, t) * p->input, 0, (size_t) p->input * sizeof(float));
    }
}

static void give_recurrent(const recurrent_walk *w, bool whole)
{
    const recurrent *p = w->p;
    float *d = (float *) w->r->din[RNN_R].data + w->direction * p->width * p->hidden;
    int64_t n = p->part[0].columns;
    bool add = w->r->add[RNN_R];

    weight_product(w->r, whole, w->gates, p->width, n, w->old_h, p->hidden, add, d);
    if (p->parts > 1 && p->reset_after)
        weight_product(w->r, whole, w->side, p->hidden, p->hidden, w->old_h, p->hidden, add, d + n * p->hidden);
    else if (p->parts > 1)
        weight_product(w->r, whole, w->gates + n, p->width, p->hidden, w->side, p->hidden, add, d + n * p->hidden);
}

/* sum (n) += rows of g */
static void sum_rows(const ax_run *r, bool whole, const float *g, int64_t n, float *sum)
{
    const recurrent *p = r->prep;
    int64_t spans = whole ? 1 : p->batch;

    memset(sum, 0, (size_t) n * sizeof(float));
    for (int64_t b = 0; b < spans; b++) {
        row_span s = span_at(r, whole, b);

        for (int64_t i = 0; i < s.rows; i++)
            ax_kernels_get()->add(n, sum, g + (s.first + i * s.stride) * n, sum);
    }
}

static void give_bias(const recurrent_walk *w, bool whole)
{
    const recurrent *p = w->p;
    float *d = (float *) w->r->din[RNN_B].data + w->direction * 2 * p->width, *sum = w->row;
    int64_t n = p->width, together = p->reset_after ? 2 * p->hidden : n;

    if (!w->r->add[RNN_B])
        memset(d, 0, 2 * (size_t) n * sizeof(float));
    sum_rows(w->r, whole, w->gates, n, sum);
    ax_kernels_get()->add(n, d, sum, d);
    ax_kernels_get()->add(together, d + n, sum, d + n);
    if (p->reset_after) {
        sum_rows(w->r, whole, w->side, p->hidden, sum);
        ax_kernels_get()->add(p->hidden, d + n + together, sum, d + n + together);
    }
}

static void give_weights(const recurrent_walk *w)
{
    const recurrent *p = w->p;
    const ax_run *r = w->r;
    bool whole = all_whole(r);

    give_input(w, whole);
    if (ax_wants_grad(r, RNN_W))
        weight_product(r, whole, w->gates, p->width, p->width, r->in[RNN_X].data, p->input, r->add[RNN_W],
                       (float *) r->din[RNN_W].data + w->direction * p->width * p->input);
    if (ax_wants_grad(r, RNN_R))
        give_recurrent(w, whole);
    if (ax_wants_grad(r, RNN_B))
        give_bias(w, whole);
}

/* ---- backward ---------------------------------------------------------------------------------- */

static void backward_direction(const ax_run *r, int direction)
{
    const recurrent *p = r->prep;
    recurrent_walk w = ax_recurrent_walk(r, direction);

    pack_backward(r, direction, r->scratch);
    begin_gradient(&w, RNN_Y_H, w.h);
    begin_gradient(&w, RNN_Y_C, w.c);
    for (int64_t k = p->steps - 1; k >= 0; k--) {
        if (k % ASK_STEPS == 0 && ax_pool_stopped(r->pool))
            return;
        ax_recurrent_list(&w, k, 0);
        add_step(&w);
        p->cell->backward(&w);
    }
    give_state(&w, RNN_H, w.h);
    if (p->cell->has_c)
        give_state(&w, RNN_C, w.c);
    give_weights(&w);
}

void ax_recurrent_backward(const ax_run *r)
{
    const recurrent *p = r->prep;

    for (int d = 0; d < p->directions; d++)
        backward_direction(r, d);
}
