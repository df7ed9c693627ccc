/*
 * op_recurrent.c: setup and forward of LSTM, GRU and RNN; see op_recurrent.h. op_recurrent_back.c is backward.
 *
 * The inputs' share of the gates, x W' + b, is one product for a chunk of steps: as many as fill the tiles and still
 * find their gates in the cache when their turn comes. In training the gates of all steps are kept for backward, and
 * with them the state that each step began with.
 *
 * A step works on the sequences that are that long, listed anew each step with the offsets of their rows. So nothing
 * depends on what lies behind the end of a sequence, and going backward begins at each sequence's own end.
 */
#include <strings.h>

#include "graph/op_common.h"
#include "graph/op_recurrent.h"

#define CHUNK_ROWS 128 /* of inputs in one product */
#define ASK_STEPS  4   /* steps between two questions whether to go on */

static const int32_t no_offset[1] = {0};

const ax_attr_spec ax_recurrent_attrs[] = {
    {"activations", AX_ATTR_STRINGS}, {"activation_alpha", AX_ATTR_FLOATS}, {"activation_beta", AX_ATTR_FLOATS},
    {"clip", AX_ATTR_FLOAT},          {"direction", AX_ATTR_STRING},        {"hidden_size", AX_ATTR_INT},
    {"input_forget", AX_ATTR_INT},    {"layout", AX_ATTR_INT},              {NULL, 0}};

/* ---- setup: attributes ------------------------------------------------------------------------- */

static ax_status read_direction(ax_setup *s, recurrent *p)
{
    const char *direction = ax_node_string(s->node, "direction", "forward");
    int64_t layout = ax_node_int(s->node, "layout", 0);

    if (strcmp(direction, "forward") != 0 && strcmp(direction, "reverse") != 0 &&
        strcmp(direction, "bidirectional") != 0)
        return ax_setup_fail(s, "there is no direction \"%s\"", direction);
    if (layout != 0 && layout != 1)
        return ax_setup_fail(s, "layout is %lld, not 0 or 1", (long long) layout);
    p->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
    p->reverse_first = strcmp(direction, "reverse") == 0;
    p->batch_first = layout == 1;
    return AX_OK;
}

static ax_status read_curve(ax_setup *s, const char *name, ax_curve *curve)
{
    static const ax_curve known[] = {AX_CURVE_SIGMOID, AX_CURVE_TANH, AX_CURVE_RELU};
    static const char *const names[] = {"Sigmoid", "Tanh", "Relu"};

    for (int i = 0; i < AX_COUNT(names); i++) {
        *curve = known[i];
        if (strcasecmp(name, names[i]) == 0)
            return AX_OK;
    }
    return ax_setup_unsupported(s, "activation \"%s\"; Sigmoid, Tanh and Relu are possible", name);
}

static ax_status read_curves(ax_setup *s, recurrent *p)
{
    const ax_attr *a = ax_node_attr(s->node, "activations");
    int n = p->cell->curves;

    for (int d = 0; d < 2; d++)
        memcpy(p->curve[d], p->cell->curve, sizeof(p->curve[d]));
    if (a == NULL || a->count == 0)
        return AX_OK;
    if (a->count != n * p->directions)
        return ax_setup_fail(s, "%d activations instead of %d", a->count, n * (int) p->directions);
    for (int i = 0; i < a->count; i++)
        AX_TRY(read_curve(s, a->strings[i], &p->curve[i / n][i % n]));
    return AX_OK;
}

static ax_status read_attributes(ax_setup *s, recurrent *p)
{
    const ax_attr *clip = ax_node_attr(s->node, "clip");

    AX_TRY(read_direction(s, p));
    AX_TRY(read_curves(s, p));
    if (clip != NULL)
        return ax_setup_unsupported(s, "clip");
    if (ax_node_int(s->node, "input_forget", 0) != 0)
        return ax_setup_unsupported(s, "input_forget");
    p->reset_after = p->cell->has_side && ax_node_int(s->node, "linear_before_reset", 0) != 0;
    return AX_OK;
}

/* ---- setup: shapes ----------------------------------------------------------------------------- */

static ax_status expect(ax_setup *s, int i, int rank, const int64_t *dim)
{
    ax_shape want = ax_shape_of(rank, dim);
    char have_text[128], want_text[128];

    if (ax_shape_equal(&s->in[i].shape, &want))
        return AX_OK;
    return ax_setup_fail(s, "input %d has shape %s instead of %s", i,
                         ax_shape_text(&s->in[i].shape, have_text, sizeof have_text),
                         ax_shape_text(&want, want_text, sizeof want_text));
}

static ax_status read_sizes(ax_setup *s, recurrent *p)
{
    const ax_shape *x = &s->in[RNN_X].shape;
    int64_t hidden;

    AX_TRY(ax_setup_float(s, RNN_X, 3, 3));
    AX_TRY(ax_setup_float(s, RNN_W, 3, 3));
    AX_TRY(ax_setup_float(s, RNN_R, 3, 3));
    p->batch = x->dim[p->batch_first ? 0 : 1];
    p->steps = x->dim[p->batch_first ? 1 : 0];
    p->input = x->dim[2];
    p->hidden = s->in[RNN_R].shape.dim[2];
    p->width = p->cell->gates * p->hidden;
    hidden = ax_node_int(s->node, "hidden_size", p->hidden);
    if (hidden != p->hidden)
        return ax_setup_fail(s, "hidden_size is %lld, R is for %lld", (long long) hidden, (long long) p->hidden);
    if (p->hidden < 1)
        return ax_setup_fail(s, "there are no hidden units");
    AX_TRY(expect(s, RNN_W, 3, (int64_t[]){p->directions, p->width, p->input}));
    AX_TRY(expect(s, RNN_R, 3, (int64_t[]){p->directions, p->width, p->hidden}));
    if (p->width * AX_MAX(p->input, p->hidden) > AX_PRODUCT_MOST ||
        p->batch * p->steps * AX_MAX(p->width, p->input) > AX_PRODUCT_MOST)
        return ax_setup_fail(s, "the batch is too large");
    return AX_OK;
}

static ax_shape state_shape(const recurrent *p)
{
    if (p->batch_first)
        return ax_shape_of(3, (int64_t[]){p->batch, p->directions, p->hidden});
    return ax_shape_of(3, (int64_t[]){p->directions, p->batch, p->hidden});
}

static ax_status check_state(ax_setup *s, const recurrent *p, int i)
{
    ax_shape shape = state_shape(p);

    if (ax_setup_absent(s, i))
        return AX_OK;
    AX_TRY(ax_setup_float(s, i, 3, 3));
    return expect(s, i, 3, shape.dim);
}

static ax_status check_optional(ax_setup *s, recurrent *p)
{
    p->bias = !ax_setup_absent(s, RNN_B);
    if (p->bias) {
        AX_TRY(ax_setup_float(s, RNN_B, 2, 2));
        AX_TRY(expect(s, RNN_B, 2, (int64_t[]){p->directions, 2 * p->width}));
    }
    if (!ax_setup_absent(s, RNN_LENGTHS)) {
        if (s->in[RNN_LENGTHS].type != AX_INT32)
            return ax_setup_fail(s, "sequence_lens is %s, not int32", ax_dtype_name(s->in[RNN_LENGTHS].type));
        AX_TRY(expect(s, RNN_LENGTHS, 1, (int64_t[]){p->batch}));
    }
    AX_TRY(check_state(s, p, RNN_H));
    AX_TRY(check_state(s, p, RNN_C));
    if (!ax_setup_absent(s, RNN_P))
        return ax_setup_unsupported(s, "peepholes (input 7)");
    return AX_OK;
}

static void set_outputs(ax_setup *s, const recurrent *p)
{
    ax_shape y = p->batch_first ? ax_shape_of(4, (int64_t[]){p->batch, p->steps, p->directions, p->hidden})
                                : ax_shape_of(4, (int64_t[]){p->steps, p->directions, p->batch, p->hidden});

    for (int i = 0; i < s->n_out; i++) {
        s->out[i].type = AX_FLOAT;
        s->out[i].shape = i == RNN_Y ? y : state_shape(p);
    }
}

/* ---- setup: memory ----------------------------------------------------------------------------- */

/* Takes floats from memory that is laid out piece by piece, each at the start of a cache line. */
static size_t take(size_t *used, int64_t floats)
{
    size_t at = *used;

    *used += ((size_t) floats + 15) / 16 * 16;
    return at;
}

static void place_weights(recurrent *p)
{
    int64_t columns = p->cell->has_side ? 2 * p->hidden : p->width;
    size_t used = 0;

    p->parts = p->cell->has_side ? 2 : 1;
    p->part[0] = (recurrent_part){.columns = columns};
    p->part[1] = (recurrent_part){.from = columns, .columns = p->hidden};
    p->packed_bias = take(&used, p->width + p->hidden);
    p->packed_input = take(&used, (int64_t) ax_packed_floats(p->input, p->width));
    for (int i = 0; i < p->parts; i++)
        p->part[i].forward = take(&used, (int64_t) ax_packed_floats(p->hidden, p->part[i].columns));
    p->weights_forward = used;
    for (int i = 0; i < p->parts && p->training; i++)
        p->part[i].backward = take(&used, (int64_t) ax_packed_floats(p->part[i].columns, p->hidden));
    p->weights = used;
}

static void place_saved(recurrent *p)
{
    int64_t rows = p->batch * p->steps, state = rows * p->hidden;
    size_t used = 0;

    p->saved_gates = take(&used, rows * p->width);
    p->saved_h = take(&used, state);
    p->saved_c = take(&used, p->cell->has_c ? state : 0);
    p->saved_curve = take(&used, p->cell->has_c ? state : 0);
    p->saved_side = take(&used, p->cell->has_side ? state : 0);
    p->saved = used;
}

/* Behind the packed weights. Bytes in all. */
static size_t place_scratch(recurrent *p)
{
    size_t used = p->weights;

    p->state = take(&used, p->batch * p->hidden);
    p->cell_state = take(&used, p->batch * p->hidden);
    p->gates = take(&used, p->training ? 0 : p->chunk * p->batch * p->width);
    p->side = take(&used, p->training || !p->cell->has_side ? 0 : p->batch * p->hidden);
    p->row = take(&used, p->width + p->hidden);
    p->tables = take(&used, 5 * p->batch + 2 * p->chunk * p->batch);
    return used * sizeof(float);
}

static ax_status make_tables(ax_setup *s, recurrent *p)
{
    p->w_at = ax_multiples(s->arena, p->width, p->input);
    p->r_at = ax_multiples(s->arena, p->width, p->hidden);
    p->to_at = ax_multiples(s->arena, AX_MAX(p->input, p->hidden), ax_kernels_get()->tiles->block);
    return p->w_at != NULL && p->r_at != NULL && p->to_at != NULL ? AX_OK : ax_nomem(s->err);
}

ax_status ax_recurrent_setup(ax_setup *s, const recurrent_cell *cell)
{
    recurrent *p = ax_setup_prep(s, sizeof(*p));

    if (p == NULL)
        return ax_nomem(s->err);
    p->cell = cell;
    p->training = s->training;
    AX_TRY(read_attributes(s, p));
    AX_TRY(read_sizes(s, p));
    AX_TRY(check_optional(s, p));
    AX_TRY(make_tables(s, p));
    set_outputs(s, p);
    p->chunk = AX_MIN(AX_MAX(CHUNK_ROWS / AX_MAX(p->batch, 1), 1), AX_MAX(p->steps, 1));
    place_weights(p);
    place_saved(p);
    s->scratch = place_scratch(p);
    s->scratch_backward = s->training ? s->scratch : 0;
    s->saved = s->training ? (size_t) p->directions * p->saved * sizeof(float) : 0;
    return AX_OK;
}

/* ---- the walk ---------------------------------------------------------------------------------- */

bool ax_recurrent_given(const ax_run *r, int input)
{
    return input < r->n_in && r->in[input].shape.rank >= 0;
}

int64_t ax_recurrent_length(const ax_run *r, int64_t b)
{
    const recurrent *p = r->prep;
    int64_t n;

    if (!ax_recurrent_given(r, RNN_LENGTHS))
        return p->steps;
    n = ((const int32_t *) r->in[RNN_LENGTHS].data)[b];
    return AX_MAX(0, AX_MIN(n, p->steps));
}

int64_t ax_recurrent_state_at(const recurrent *p, int direction, int64_t b)
{
    return (p->batch_first ? b * p->directions + direction : direction * p->batch + b) * p->hidden;
}

int64_t ax_recurrent_row(const recurrent *p, int64_t b, int64_t t)
{
    return p->batch_first ? b * p->steps + t : t * p->batch + b;
}

int64_t ax_recurrent_y_at(const recurrent *p, int direction, int64_t row)
{
    if (p->batch_first)
        return (row * p->directions + direction) * p->hidden;
    return ((row / p->batch * p->directions + direction) * p->batch + row % p->batch) * p->hidden;
}

recurrent_walk ax_recurrent_walk(const ax_run *r, int direction)
{
    const recurrent *p = r->prep;
    float *scratch = r->scratch;
    int32_t *table = (int32_t *) (scratch + p->tables);
    recurrent_walk w = {.r = r, .p = p, .direction = direction, .curve = p->curve[direction], .packed = scratch};

    w.h = scratch + p->state;
    w.c = scratch + p->cell_state;
    w.gates = scratch + p->gates;
    w.side = scratch + p->side;
    w.row = scratch + p->row;
    w.b = table;
    w.at = table + p->batch;
    w.state_at = table + 2 * p->batch;
    w.gate_at = table + 3 * p->batch;
    w.side_at = table + 4 * p->batch;
    w.x_at = table + 5 * p->batch;
    w.x_to = w.x_at + p->chunk * p->batch;
    if (p->training) {
        float *saved = (float *) r->saved + (size_t) direction * p->saved;

        w.gates = saved + p->saved_gates;
        w.old_h = saved + p->saved_h;
        w.old_c = p->cell->has_c ? saved + p->saved_c : NULL;
        w.curve_c = p->cell->has_c ? saved + p->saved_curve : NULL;
        w.side = saved + p->saved_side;
    }
    return w;
}

void ax_recurrent_list(recurrent_walk *w, int64_t step, int64_t first)
{
    const recurrent *p = w->p;
    bool reverse = w->direction == 1 || p->reverse_first;

    w->n = 0;
    for (int64_t b = 0; b < p->batch; b++) {
        int64_t length = ax_recurrent_length(w->r, b), row, i = w->n;

        if (step >= length)
            continue;
        row = ax_recurrent_row(p, b, reverse ? length - 1 - step : step);
        w->b[i] = (int32_t) b;
        w->at[i] = (int32_t) row;
        w->state_at[i] = (int32_t) (b * p->hidden);
        w->gate_at[i] = (int32_t) ((p->training ? row : (step - first) * p->batch + b) * p->width);
        w->side_at[i] = (int32_t) ((p->training ? row : b) * p->hidden);
        w->n++;
    }
}

/* ---- products ---------------------------------------------------------------------------------- */

static void multiply(ax_tile *t, int64_t points, int64_t depth, int64_t columns)
{
    t->run = no_offset;
    t->runs = 1;
    t->len = depth;
    t->step = 1;
    t->ldy = ax_kernels_get()->tiles->block;
    t->y_block = t->ldy * depth;
    t->columns = columns;
    if (points > 0)
        ax_kernels_get()->tiles->run(t, points);
}

void ax_recurrent_times(const recurrent_walk *w, int part, const float *x, const int32_t *at, const float *start,
                        bool add, float *out, const int32_t *to)
{
    const recurrent_part *p = &w->p->part[part];
    ax_tile t = {.x = x, .at = at, .y = w->packed + p->forward, .start = start, .add = add, .out = out, .to = to};

    multiply(&t, w->n, w->p->hidden, p->columns);
}

void ax_recurrent_times_back(const recurrent_walk *w, int part, const float *g, const int32_t *at, bool add, float *dx,
                             const int32_t *to)
{
    const recurrent_part *p = &w->p->part[part];
    ax_tile t = {.x = g, .at = at, .y = w->packed + p->backward, .add = add, .out = dx, .to = to};

    multiply(&t, w->n, p->columns, w->p->hidden);
}

/* x W' + b for the steps [from, to). */
static void multiply_inputs(recurrent_walk *w, int64_t from, int64_t to)
{
    const recurrent *p = w->p;
    int64_t n = 0;
    ax_tile t = {.x = w->r->in[RNN_X].data, .at = w->x_at, .out = w->gates, .to = w->x_to};

    for (int64_t k = from; k < to; k++) {
        ax_recurrent_list(w, k, from);
        for (int64_t i = 0; i < w->n; i++, n++) {
            w->x_at[n] = (int32_t) (w->at[i] * p->input);
            w->x_to[n] = w->gate_at[i];
        }
    }
    t.y = w->packed + p->packed_input;
    t.start = p->bias ? w->packed + p->packed_bias : NULL;
    multiply(&t, n, p->input, p->width);
}

/* ---- weights ----------------------------------------------------------------------------------- */

/* Both biases meet in the inputs' product, but for the one that a GRU's reset gate multiplies. */
static void pack_bias(const ax_run *r, int direction, float *to)
{
    const recurrent *p = r->prep;
    const float *w = (const float *) r->in[RNN_B].data + direction * 2 * p->width, *other = w + p->width;
    int64_t together = p->reset_after ? 2 * p->hidden : p->width;

    memcpy(to, w, (size_t) p->width * sizeof(float));
    ax_kernels_get()->add(together, to, other, to);
    if (p->reset_after)
        memcpy(to + p->width, other + together, (size_t) p->hidden * sizeof(float));
}

static void pack_forward(const ax_run *r, int direction, float *to)
{
    const recurrent *p = r->prep;
    const float *w = (const float *) r->in[RNN_W].data + direction * p->width * p->input;
    const float *u = (const float *) r->in[RNN_R].data + direction * p->width * p->hidden;

    if (p->bias)
        pack_bias(r, direction, to + p->packed_bias);
    ax_pack_transposed(w, p->w_at, p->input, p->width, p->to_at, AX_WHOLE, to + p->packed_input);
    for (int i = 0; i < p->parts; i++)
        ax_pack_transposed(u + p->part[i].from * p->hidden, p->r_at, p->hidden, p->part[i].columns, p->to_at,
                           AX_WHOLE, to + p->part[i].forward);
}

/* ---- forward ----------------------------------------------------------------------------------- */

static void begin_state(recurrent_walk *w, int input, float *state)
{
    const recurrent *p = w->p;
    size_t bytes = (size_t) p->hidden * sizeof(float);

    if (!ax_recurrent_given(w->r, input)) {
        memset(state, 0, (size_t) p->batch * bytes);
        return;
    }
    for (int64_t b = 0; b < p->batch; b++)
        memcpy(state + b * p->hidden,
               (const float *) w->r->in[input].data + ax_recurrent_state_at(p, w->direction, b), bytes);
}

static void end_state(const recurrent_walk *w, int output, const float *state)
{
    const recurrent *p = w->p;

    if (output >= w->r->n_out || w->r->out[output].data == NULL)
        return;
    for (int64_t b = 0; b < p->batch; b++)
        memcpy((float *) w->r->out[output].data + ax_recurrent_state_at(p, w->direction, b), state + b * p->hidden,
               (size_t) p->hidden * sizeof(float));
}

static void keep_state(const recurrent_walk *w)
{
    size_t bytes = (size_t) w->p->hidden * sizeof(float);

    for (int64_t i = 0; i < w->n && w->p->training; i++) {
        memcpy(w->old_h + w->at[i] * w->p->hidden, w->h + w->state_at[i], bytes);
        if (w->old_c != NULL)
            memcpy(w->old_c + w->at[i] * w->p->hidden, w->c + w->state_at[i], bytes);
    }
}

static void write_step(const recurrent_walk *w)
{
    float *y = w->r->out[RNN_Y].data;

    for (int64_t i = 0; i < w->n && y != NULL; i++)
        memcpy(y + ax_recurrent_y_at(w->p, w->direction, w->at[i]), w->h + w->state_at[i],
               (size_t) w->p->hidden * sizeof(float));
}

/* Zeros behind the ends of the sequences. */
static void clear_rest(const recurrent_walk *w)
{
    const recurrent *p = w->p;
    float *y = w->r->out[RNN_Y].data;

    for (int64_t b = 0; b < p->batch && y != NULL; b++)
        for (int64_t t = ax_recurrent_length(w->r, b); t < p->steps; t++)
            memset(y + ax_recurrent_y_at(p, w->direction, ax_recurrent_row(p, b, t)), 0,
                   (size_t) p->hidden * sizeof(float));
}

static void forward_direction(const ax_run *r, int direction)
{
    const recurrent *p = r->prep;
    recurrent_walk w = ax_recurrent_walk(r, direction);

    pack_forward(r, direction, r->scratch);
    begin_state(&w, RNN_H, w.h);
    begin_state(&w, RNN_C, w.c);
    for (int64_t k = 0; k < p->steps; k++) {
        int64_t first = k / p->chunk * p->chunk;

        if (k % ASK_STEPS == 0 && ax_pool_stopped(r->pool))
            return;
        if (k == first)
            multiply_inputs(&w, k, AX_MIN(k + p->chunk, p->steps));
        ax_recurrent_list(&w, k, first);
        keep_state(&w);
        p->cell->forward(&w);
        write_step(&w);
    }
    clear_rest(&w);
    end_state(&w, RNN_Y_H, w.h);
    end_state(&w, RNN_Y_C, w.c);
}

void ax_recurrent_forward(const ax_run *r)
{
    const recurrent *p = r->prep;

    for (int d = 0; d < p->directions; d++)
        forward_direction(r, d);
}
