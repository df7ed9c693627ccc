/*
 * conv_tables.c: the offsets by which tensor/tile.h computes a convolution, see nhwc_conv.c.
 */
#include "graph/conv.h"

/* Of input and gradient of the samples that d kernel takes in one go: it passes over them once for every few taps. */
#define CHUNK_FLOATS 0x10000

static bool make_sweep(ax_setup *s, ax_sweep *t, int64_t points, int64_t runs, int64_t taps)
{
    t->points = points;
    t->runs = runs;
    t->at = ax_arena_array(s->arena, (size_t) points, sizeof(int32_t));
    t->to = ax_arena_array(s->arena, (size_t) points, sizeof(int32_t));
    t->run = ax_arena_array(s->arena, (size_t) runs, sizeof(int32_t));
    t->tap = ax_arena_array(s->arena, (size_t) taps, sizeof(int));
    return t->at != NULL && t->to != NULL && t->run != NULL && t->tap != NULL;
}

/* Whole rows of the window are one run where taps lie side by side and groups do not cut the channels. */
static bool rows_are_runs(const ax_conv *p)
{
    return p->groups == 1 && p->w.dw == 1;
}

static int32_t pixel_at(const ax_conv *p, int64_t y, int64_t x)
{
    return (int32_t) ((y * p->w.sh * p->pw + x * p->w.sw) * p->c);
}

/* Points in the order of the output, or of the pool's windows, four at a time. */
static void list_pixels(const ax_conv *p, ax_sweep *t)
{
    int64_t side = p->pool ? 2 : 1, i = 0, window = 0;

    for (int64_t y = 0; y < p->out_h; y++)
        for (int64_t x = 0; x < p->out_w; x++) {
            for (int64_t q = 0; q < side * side; q++)
                t->at[i++] = pixel_at(p, side * y + q / side, side * x + q % side);
            t->to[window] = (int32_t) (window * p->m);
            window++;
        }
}

static ax_status table_forward(ax_setup *s, ax_conv *p)
{
    const ax_window *w = &p->w;
    bool rows = rows_are_runs(p);
    ax_sweep *t = &p->forward;

    if (!make_sweep(s, t, p->out_h * p->out_w * (p->pool ? 4 : 1), rows ? w->kh : p->taps, p->taps))
        return ax_nomem(s->err);
    t->len = rows ? w->kw * p->c : p->cg;
    t->n_taps = (int) p->taps;
    list_pixels(p, t);
    for (int64_t i = 0; i < p->taps; i++)
        t->tap[i] = (int) i;
    for (int64_t i = 0; i < t->runs; i++) {
        int64_t row = rows ? i : i / w->kw, col = rows ? 0 : i % w->kw;

        t->run[i] = (int32_t) ((row * w->dh * p->pw + col * w->dw) * p->c);
    }
    return AX_OK;
}

static ax_status table_kernel(ax_setup *s, ax_conv *p)
{
    const ax_window *w = &p->w;
    ax_sweep *t = &p->kernel;

    p->chunk = CHUNK_FLOATS / (p->padded_size + w->out_h * w->out_w * p->m);
    p->chunk = AX_MAX(AX_MIN(p->chunk, p->n), 1);
    if (!make_sweep(s, t, p->k, p->chunk * w->out_h, 0))
        return ax_nomem(s->err);
    t->len = w->out_w;
    for (int64_t i = 0; i < p->k; i++) {
        int64_t tap = i / p->cg;

        t->at[i] = (int32_t) ((tap / w->kw * w->dh * p->pw + tap % w->kw * w->dw) * p->c +
                              i % p->cg);
        t->to[i] = (int32_t) (i * p->y_columns);
    }
    for (int64_t i = 0; i < t->runs; i++)
        t->run[i] = (int32_t) (i / w->out_h * p->padded_size +
                               i % w->out_h * w->sh * p->pw * p->c);
    return AX_OK;
}

/* One axis of a phase: which taps see it, and which input positions it has. */
typedef struct phase_axis {
    int64_t residue, stride, dilation, k, pad, in, front;
} phase_axis;

static bool has_tap(const phase_axis *a, int64_t t)
{
    return t * a->dilation % a->stride == a->residue;
}

/* Where tap t finds the output gradient of the pixel with q = 0, counted with what stands in front. */
static int64_t tap_at(const phase_axis *a, int64_t t)
{
    return a->front - (t * a->dilation - a->residue) / a->stride;
}

/* The first input position of the phase, from 0. */
static int64_t first_input(const phase_axis *a)
{
    return ((a->residue - a->pad) % a->stride + a->stride) % a->stride;
}

static int64_t count_inputs(const phase_axis *a)
{
    int64_t first = first_input(a);

    return first >= a->in ? 0 : (a->in - 1 - first) / a->stride + 1;
}

static void list_phase_taps(const ax_conv *p, const phase_axis *h, const phase_axis *v, bool rows,
                            ax_sweep *t)
{
    t->n_taps = 0;
    t->runs = 0;
    for (int64_t i = h->k - 1; i >= 0; i--) {
        bool begun = false;

        for (int64_t j = v->k - 1; j >= 0 && has_tap(h, i); j--) {
            if (!has_tap(v, j))
                continue;
            t->tap[t->n_taps++] = (int) (i * p->w.kw + j);
            if (rows && begun)
                continue;
            begun = true;
            t->run[t->runs++] = (int32_t) ((tap_at(h, i) * p->gw + tap_at(v, j)) * p->m);
        }
    }
}

static void list_phase_pixels(const ax_conv *p, const phase_axis *h, const phase_axis *v, ax_sweep *t)
{
    int64_t i = 0;

    for (int64_t y = first_input(h); y < h->in; y += h->stride)
        for (int64_t x = first_input(v); x < v->in; x += v->stride, i++) {
            int64_t qy = (y + h->pad - h->residue) / h->stride;
            int64_t qx = (x + v->pad - v->residue) / v->stride;

            t->at[i] = (int32_t) ((qy * p->gw + qx) * p->m);
            t->to[i] = (int32_t) ((y * p->w.in_w + x) * p->c);
        }
}

static ax_status table_phase(ax_setup *s, ax_conv *p, int64_t down, int64_t along, ax_sweep *t)
{
    const ax_window *w = &p->w;
    phase_axis h = {down, w->sh, w->dh, w->kh, w->top, w->in_h, p->front_h};
    phase_axis v = {along, w->sw, w->dw, w->kw, w->left, w->in_w, p->front_w};
    bool rows = rows_are_runs(p) && w->sw == 1;

    if (!make_sweep(s, t, count_inputs(&h) * count_inputs(&v), p->taps, p->taps))
        return ax_nomem(s->err);
    list_phase_taps(p, &h, &v, rows, t);
    t->len = rows ? w->kw * p->m : p->mg;
    list_phase_pixels(p, &h, &v, t);
    return AX_OK;
}

static ax_status table_input(ax_setup *s, ax_conv *p)
{
    const ax_window *w = &p->w;

    p->n_phases = (int) (w->sh * w->sw);
    p->phase = ax_arena_array(s->arena, (size_t) p->n_phases, sizeof(ax_sweep));
    if (p->phase == NULL)
        return ax_nomem(s->err);
    for (int i = 0; i < p->n_phases; i++)
        AX_TRY(table_phase(s, p, i / w->sw, i % w->sw, &p->phase[i]));
    return AX_OK;
}

/* Of weights: rows of W against rows of what is packed. */
static ax_status table_weights(ax_setup *s, ax_conv *p)
{
    int64_t block = ax_kernels_get()->tiles->block;

    p->row_at = ax_multiples(s->arena, block, p->k);
    p->block_at = ax_multiples(s->arena, AX_MAX(p->k, block), block);
    p->tap_at = ax_multiples(s->arena, p->k, 1);
    p->order_at = ax_multiples(s->arena, p->k, 1);
    if (p->row_at == NULL || p->block_at == NULL || p->tap_at == NULL || p->order_at == NULL)
        return ax_nomem(s->err);
    for (int64_t i = 0; i < p->k; i++) {
        int64_t row = i % p->taps * p->cg + i / p->taps;

        p->tap_at[i] = (int32_t) (row * block);
        p->order_at[i] = (int32_t) (row * (p->pool ? 1 : p->y_columns));
    }
    return AX_OK;
}

ax_status ax_conv_make_tables(ax_setup *s, ax_conv *p)
{
    AX_TRY(table_weights(s, p));
    AX_TRY(table_forward(s, p));
    if (!s->training)
        return AX_OK;
    AX_TRY(table_kernel(s, p));
    return p->needs_input ? table_input(s, p) : AX_OK;
}
