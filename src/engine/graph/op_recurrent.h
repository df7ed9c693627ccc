/*
 * op_recurrent.h: what LSTM, GRU and RNN share: shapes, the walk through the steps, the products that take all steps
 * at once. A cell adds what happens within one step (op_lstm.c, op_gru.c, op_rnn.c).
 *
 * Names: a row is one step of one sequence; rows lie in the order of X, whatever its layout. `gates` gates of `hidden`
 * units stand side by side in a row of width = gates * hidden.
 */
#ifndef AX_OP_RECURRENT_H
#define AX_OP_RECURRENT_H

#include "graph/product.h"

/* Inputs and outputs by position. */
enum { RNN_X, RNN_W, RNN_R, RNN_B, RNN_LENGTHS, RNN_H, RNN_C, RNN_P };
enum { RNN_Y, RNN_Y_H, RNN_Y_C };

#define RNN_CURVES 3 /* of one direction at most */

typedef struct recurrent_cell recurrent_cell;

/* One recurrent product of a step: rows [from, from + columns) of R. */
typedef struct recurrent_part {
    int64_t from, columns;
    size_t forward, backward; /* where R transposed and R as it is lie packed, in floats */
} recurrent_part;

typedef struct recurrent {
    const recurrent_cell *cell;
    int64_t batch, steps, input, hidden, width, directions;
    bool batch_first, reverse_first; /* layout 1; direction 0 goes backward */
    bool reset_after;                /* GRU's linear_before_reset */
    bool bias, training;
    ax_curve curve[2][RNN_CURVES];
    int64_t chunk;                     /* steps whose inputs are multiplied at once */
    int parts;
    recurrent_part part[2];            /* GRU has two */
    size_t weights, weights_forward;   /* floats of a direction's packed weights: all, those that forward reads */
    size_t packed_input, packed_bias;  /* floats, within a direction */
    int32_t *w_at, *r_at, *to_at;      /* rows of W, of R, of packed blocks */
    /* floats within scratch, of forward and of backward */
    size_t state, cell_state, gates, side, row, tables;
    /* floats within a direction's part of what is saved */
    size_t saved, saved_gates, saved_h, saved_c, saved_curve, saved_side;
} recurrent;

/* One direction on its way through the steps. */
typedef struct recurrent_walk {
    const ax_run *r;
    const recurrent *p;
    int direction;
    const ax_curve *curve;
    const float *packed;
    float *h, *c;   /* (batch, hidden) state; backward: their gradients */
    float *gates;   /* rows of width, at gate_at */
    float *side;    /* GRU: rows of hidden, at side_at */
    float *old_h, *old_c, *curve_c; /* training: (rows, hidden) what a step began with, and the curve of its c */
    float *row;     /* width + hidden floats to work with */
    /* the rows of this step */
    int64_t n;
    int32_t *b, *at, *state_at, *gate_at, *side_at; /* (n) sequence, row, and offsets */
    int32_t *x_at, *x_to; /* (chunk * batch) */
} recurrent_walk;

struct recurrent_cell {
    int gates, curves;
    bool has_c, has_side;
    ax_curve curve[RNN_CURVES];
    /* Gates hold the inputs' share; makes them and the state of all rows of this step. */
    void (*forward)(recurrent_walk *w);
    /* Gates become their gradients, the gradients of the state those of the step before. */
    void (*backward)(recurrent_walk *w);
};

ax_status ax_recurrent_setup(ax_setup *s, const recurrent_cell *cell);
void ax_recurrent_forward(const ax_run *r);
void ax_recurrent_backward(const ax_run *r);

/* out rows at `to` (+)= x rows at `at`, times the part of R; start: what the sums begin with, or NULL. */
void ax_recurrent_times(const recurrent_walk *w, int part, const float *x, const int32_t *at, const float *start,
                        bool add, float *out, const int32_t *to);
/* dx rows at `to` (+)= gradient rows at `at`, times the part of R. */
void ax_recurrent_times_back(const recurrent_walk *w, int part, const float *g, const int32_t *at, bool add, float *dx,
                             const int32_t *to);

/* ---- for op_recurrent.c and op_recurrent_back.c ------------------------------------------------ */

bool ax_recurrent_given(const ax_run *r, int input);
/* Steps of sequence b that count, within 0..steps. */
int64_t ax_recurrent_length(const ax_run *r, int64_t b);
/* Where sequence b of a direction stands in the states of the graph (initial_h, Y_h), and its row in Y. */
int64_t ax_recurrent_state_at(const recurrent *p, int direction, int64_t b);
int64_t ax_recurrent_y_at(const recurrent *p, int direction, int64_t row);
/* The row of step t of sequence b. */
int64_t ax_recurrent_row(const recurrent *p, int64_t b, int64_t t);
/* A walk with its memory; first: the step whose gates stand first where not all are kept. */
recurrent_walk ax_recurrent_walk(const ax_run *r, int direction);
void ax_recurrent_list(recurrent_walk *w, int64_t step, int64_t first);

/* y = curve(x); g *= slope at y. */
static inline void ax_recurrent_curve(ax_curve curve, int64_t n, const float *x, float *y)
{
    ax_kernels_get()->curve[curve](n, 0, 0, x, y);
}

static inline void ax_recurrent_slope(ax_curve curve, int64_t n, const float *y, float *g)
{
    ax_kernels_get()->curve_back[curve](n, 0, 0, y, g, g, false);
}

extern const ax_attr_spec ax_recurrent_attrs[];

#endif /* AX_OP_RECURRENT_H */
