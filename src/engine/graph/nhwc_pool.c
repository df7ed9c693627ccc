/*
 * nhwc_pool.c: MaxPool, AveragePool and GlobalAveragePool with the channels last. An output pixel is a row of
 * channels, made from the rows that its window sees.
 */
#include "graph/nhwc.h"
#include "graph/window.h"

typedef struct pool {
    ax_window w;
    int64_t n, c;
    int64_t x_size, y_size; /* floats of a sample */
    bool include_pad;
} pool;

static ax_status setup_window(ax_setup *s, bool max)
{
    pool *p = ax_setup_prep(s, sizeof(*p));
    ax_shape x = ax_nchw_shape(&s->in[0].shape), y;

    if (p == NULL)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 3, 4));
    AX_TRY(ax_window_setup(s, &x, NULL, &p->w));
    if (p->w.kh * p->w.kw > AX_POOL_TAPS)
        return ax_setup_fail(s, "the window is too large");
    p->n = x.dim[0];
    p->c = x.dim[1];
    p->x_size = p->w.in_h * p->w.in_w * p->c;
    p->y_size = p->w.out_h * p->w.out_w * p->c;
    p->include_pad = ax_node_int(s->node, "count_include_pad", 0) != 0;
    y = ax_window_output(&p->w, p->n, p->c);
    s->out[0].type = AX_FLOAT;
    s->out[0].shape = ax_nhwc_shape(&y);
    if (max && s->training)
        s->saved = (size_t) (p->n * p->y_size);
    return AX_OK;
}

static ax_status setup_max(ax_setup *s)
{
    return setup_window(s, true);
}

static ax_status setup_average(ax_setup *s)
{
    return setup_window(s, false);
}

/* The rows of a sample that output (y, x) sees, and the number of taps within input and pads. */
static int list_taps(const pool *p, int64_t y, int64_t x, int32_t *at, int64_t *counted)
{
    const ax_window *w = &p->w;
    int n = 0;

    *counted = 0;
    for (int64_t i = 0; i < w->kh; i++)
        for (int64_t j = 0; j < w->kw; j++) {
            int64_t row = y * w->sh + i * w->dh - w->top, col = x * w->sw + j * w->dw - w->left;

            *counted += row < w->in_h + w->bottom && col < w->in_w + w->right;
            if (row >= 0 && row < w->in_h && col >= 0 && col < w->in_w)
                at[n++] = (int32_t) ((row * w->in_w + col) * p->c);
        }
    return n;
}

/* Calls fn for every output pixel of every sample; at, y and where point to that pixel's. */
typedef struct pixel {
    const pool *p;
    const ax_channel_table *channels;
    int64_t sample, at_y; /* floats before the sample in x, before the pixel in y */
    int taps;
    int64_t counted;
    int32_t at[AX_POOL_TAPS];
} pixel;

static void each_pixel(const ax_run *r, void (*fn)(const ax_run *r, const pixel *px))
{
    const pool *p = r->prep;
    pixel px = {.p = p, .channels = ax_kernels_get()->channels};

    for (int64_t y = 0; y < p->w.out_h && !ax_pool_stopped(r->pool); y++)
        for (int64_t x = 0; x < p->w.out_w; x++) {
            px.taps = list_taps(p, y, x, px.at, &px.counted);
            for (int64_t n = 0; n < p->n; n++) {
                px.sample = n * p->x_size;
                px.at_y = n * p->y_size + (y * p->w.out_w + x) * p->c;
                fn(r, &px);
            }
        }
}

static void clear(const ax_run *r)
{
    const pool *p = r->prep;

    if (!r->add[0])
        memset(r->din[0].data, 0, (size_t) (p->n * p->x_size) * sizeof(float));
}

static void max_pixel(const ax_run *r, const pixel *px)
{
    float *y = (float *) r->out[0].data + px->at_y;
    uint8_t *where = r->saved;

    if (px->taps > 0)
        px->channels->max(px->p->c, (const float *) r->in[0].data + px->sample, px->at, px->taps, y,
                          where != NULL ? where + px->at_y : NULL);
    for (int64_t c = 0; px->taps == 0 && c < px->p->c; c++)
        y[c] = -__builtin_inff();
}

static void max_pixel_back(const ax_run *r, const pixel *px)
{
    px->channels->max_back(px->p->c, (const float *) r->dout[0].data + px->at_y,
                           (const uint8_t *) r->saved + px->at_y, px->at, px->taps,
                           (float *) r->din[0].data + px->sample);
}

static void forward_max(const ax_run *r)
{
    each_pixel(r, max_pixel);
}

static void backward_max(const ax_run *r)
{
    if (!ax_wants_grad(r, 0))
        return;
    clear(r);
    each_pixel(r, max_pixel_back);
}

static float share(const pixel *px)
{
    int64_t n = px->p->include_pad ? px->counted : px->taps;

    return n > 0 ? 1.0f / (float) n : 0.0f;
}

static void average_pixel(const ax_run *r, const pixel *px)
{
    const ax_kernels *k = ax_kernels_get();
    const float *x = (const float *) r->in[0].data + px->sample;
    float *y = (float *) r->out[0].data + px->at_y;

    memset(y, 0, (size_t) px->p->c * sizeof(float));
    for (int t = 0; t < px->taps; t++)
        k->add(px->p->c, y, x + px->at[t], y);
    k->mul_scalar(px->p->c, y, share(px), y);
}

static void average_pixel_back(const ax_run *r, const pixel *px)
{
    float *dx = (float *) r->din[0].data + px->sample, part = share(px);

    for (int t = 0; t < px->taps; t++)
        ax_kernels_get()->axpy(px->p->c, part, (const float *) r->dout[0].data + px->at_y,
                               dx + px->at[t]);
}

static void forward_average(const ax_run *r)
{
    each_pixel(r, average_pixel);
}

static void backward_average(const ax_run *r)
{
    if (!ax_wants_grad(r, 0))
        return;
    clear(r);
    each_pixel(r, average_pixel_back);
}

/* ---- GlobalAveragePool ----------------------------------------------------------------------- */

typedef struct global {
    int64_t n, pixels, c;
} global;

static ax_status setup_global(ax_setup *s)
{
    global *p = ax_setup_prep(s, sizeof(*p));
    const ax_shape *x = &s->in[0].shape;

    if (p == NULL)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 3, AX_MAX_RANK));
    *p = (global){x->dim[0], ax_shape_span(x, 1, x->rank - 1), x->dim[x->rank - 1]};
    if (p->pixels == 0)
        return ax_setup_fail(s, "the input has no positions to pool");
    s->out[0].type = AX_FLOAT;
    s->out[0].shape = *x;
    for (int i = 1; i < x->rank - 1; i++)
        s->out[0].shape.dim[i] = 1;
    return AX_OK;
}

static void forward_global(const ax_run *r)
{
    const global *p = r->prep;
    const ax_kernels *k = ax_kernels_get();
    const float *x = r->in[0].data;
    float *y = r->out[0].data;

    for (int64_t n = 0; n < p->n && !ax_pool_stopped(r->pool); n++, y += p->c) {
        memset(y, 0, (size_t) p->c * sizeof(float));
        for (int64_t i = 0; i < p->pixels; i++, x += p->c)
            k->add(p->c, y, x, y);
        k->mul_scalar(p->c, y, 1.0f / (float) p->pixels, y);
    }
}

static void backward_global(const ax_run *r)
{
    const global *p = r->prep;
    const ax_kernels *k = ax_kernels_get();
    const float *g = r->dout[0].data;
    float *dx = r->din[0].data;

    if (!ax_wants_grad(r, 0))
        return;
    for (int64_t n = 0; n < p->n; n++, g += p->c)
        for (int64_t i = 0; i < p->pixels; i++, dx += p->c) {
            if (r->add[0])
                k->axpy(p->c, 1.0f / (float) p->pixels, g, dx);
            else
                k->mul_scalar(p->c, g, 1.0f / (float) p->pixels, dx);
        }
}

/* ---- rows of the table ----------------------------------------------------------------------- */

static const ax_attr_spec attrs[] = {
    {"auto_pad", AX_ATTR_STRING},   {"ceil_mode", AX_ATTR_INT},  {"count_include_pad", AX_ATTR_INT},
    {"dilations", AX_ATTR_INTS},    {"kernel_shape", AX_ATTR_INTS}, {"pads", AX_ATTR_INTS},
    {"storage_order", AX_ATTR_INT}, {"strides", AX_ATTR_INTS},   {NULL, 0}};

#define POOL(name, label, setup_fn, forward_fn, backward_fn)                                       \
    const ax_op name = {.type = label,                                                             \
                        .min_in = 1,                                                               \
                        .max_in = 1,                                                               \
                        .min_out = 1,                                                              \
                        .max_out = 1,                                                              \
                        .attr = attrs,                                                             \
                        .setup = setup_fn,                                                         \
                        .forward = forward_fn,                                                     \
                        .backward = backward_fn}

POOL(ax_nhwc_max_pool, "MaxPool", setup_max, forward_max, backward_max);
POOL(ax_nhwc_average_pool, "AveragePool", setup_average, forward_average, backward_average);
POOL(ax_nhwc_global_average_pool, "GlobalAveragePool", setup_global, forward_global, backward_global);
