/*
 * op_pool.c: MaxPool (ONNX 12), AveragePool (11), GlobalMaxPool, GlobalAveragePool (1).
 *
 * Windows by window.h. MaxPool looks at real elements only, NaN wins, and of equal elements the first; in
 * training it keeps, for every output, which element that was, and the gradient goes there. AveragePool divides
 * by the number of real elements in the window, or with count_include_pad by those within input and pads.
 * The global pools reduce all spatial axes to 1.
 */
#include <math.h>

#include "graph/window.h"

typedef struct pool {
    ax_window w;
    int64_t planes; /* N * C */
    int64_t in_plane, out_plane;
    bool include_pad;
} pool;

/* ---- windows --------------------------------------------------------------------------------- */

/* The taps of one axis that lie within the input: first index, and one past the last, in steps of dilation. */
typedef struct span {
    int64_t from, to;
} span;

static span window_span(int64_t o, int64_t stride, int64_t begin, int64_t k, int64_t dilation,
                        int64_t in)
{
    int64_t start = o * stride - begin, end = start + (k - 1) * dilation + 1;

    if (start < 0)
        start += (-start + dilation - 1) / dilation * dilation;
    return (span){start, AX_MIN(end, in)};
}

static span rows_of(const ax_window *w, int64_t oy)
{
    return window_span(oy, w->sh, w->top, w->kh, w->dh, w->in_h);
}

static span columns_of(const ax_window *w, int64_t ox)
{
    return window_span(ox, w->sw, w->left, w->kw, w->dw, w->in_w);
}

static ax_status setup(ax_setup *s)
{
    pool *p = ax_setup_prep(s, sizeof(*p));
    const ax_shape *x = &s->in[0].shape;

    if (p == NULL)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 3, 4));
    AX_TRY(ax_window_setup(s, x, NULL, &p->w));
    p->planes = x->dim[0] * x->dim[1];
    p->in_plane = p->w.in_h * p->w.in_w;
    p->out_plane = p->w.out_h * p->w.out_w;
    p->include_pad = ax_node_int(s->node, "count_include_pad", 0) != 0;
    s->out[0].type = AX_FLOAT;
    s->out[0].shape = ax_window_output(&p->w, x->dim[0], x->dim[1]);
    return AX_OK;
}

/* ---- MaxPool --------------------------------------------------------------------------------- */

static ax_status setup_max(ax_setup *s)
{
    pool *p;

    if (ax_node_int(s->node, "storage_order", 0) != 0)
        return ax_setup_unsupported(s, "storage_order 1");
    AX_TRY(setup(s));
    p = s->prep;
    if (p->in_plane > INT32_MAX)
        return ax_setup_unsupported(s, "a plane of more than 2^31 elements");
    if (s->training)
        s->saved = (size_t) (p->planes * p->out_plane) * sizeof(int32_t);
    return AX_OK;
}

/* The place of the largest element of a window in its plane; -1 when the window has no real element. */
static int64_t window_max(const ax_window *w, const float *x, span rows, span cols)
{
    int64_t best = -1;

    for (int64_t y = rows.from; y < rows.to; y += w->dh) {
        for (int64_t q = cols.from; q < cols.to; q += w->dw) {
            int64_t at = y * w->in_w + q;

            if (best < 0 || x[at] > x[best] || (isnan(x[at]) && !isnan(x[best])))
                best = at;
        }
    }
    return best;
}

static void max_plane(const ax_window *w, const float *x, float *y, int32_t *where)
{
    for (int64_t oy = 0; oy < w->out_h; oy++) {
        span rows = rows_of(w, oy);

        for (int64_t ox = 0; ox < w->out_w; ox++, y++) {
            int64_t best = window_max(w, x, rows, columns_of(w, ox));

            *y = best < 0 ? -INFINITY : x[best];
            if (where != NULL)
                *where++ = (int32_t) best;
        }
    }
}

/* The everyday pool, 2x2 by 2 without pads, without the general walk. NaN is left to the general one. */
static bool is_two_by_two(const ax_window *w)
{
    return w->kh == 2 && w->kw == 2 && w->sh == 2 && w->sw == 2 && w->dh == 1 && w->dw == 1 &&
           w->top == 0 && w->left == 0 && w->bottom == 0 && w->right == 0 &&
           w->out_h * 2 <= w->in_h && w->out_w * 2 <= w->in_w;
}

static void max_plane_two(const ax_window *w, const float *x, float *y, int32_t *where)
{
    for (int64_t oy = 0; oy < w->out_h; oy++) {
        const float *a = x + 2 * oy * w->in_w, *b = a + w->in_w;
        int32_t at = (int32_t) (2 * oy * w->in_w), down = (int32_t) w->in_w;

        for (int64_t ox = 0; ox < w->out_w; ox++, a += 2, b += 2, at += 2) {
            float m = a[0];
            int32_t k = at;

            k = a[1] > m ? at + 1 : k;
            m = a[1] > m ? a[1] : m;
            k = b[0] > m ? at + down : k;
            m = b[0] > m ? b[0] : m;
            k = b[1] > m ? at + down + 1 : k;
            m = b[1] > m ? b[1] : m;
            *y++ = m;
            if (where != NULL)
                *where++ = k;
        }
    }
}

/* One pass that the compiler makes vectors of; comparing in the pool itself would lose NaN. */
static bool has_nan(const ax_run *r, const pool *p)
{
    const float *x = r->in[0].data;
    int64_t n = p->planes * p->in_plane;
    int found = 0;

    for (int64_t i = 0; i < n; i++)
        found |= x[i] != x[i];
    return found != 0;
}

static void forward_max(const ax_run *r)
{
    const pool *p = r->prep;
    const float *x = r->in[0].data;
    float *y = r->out[0].data;
    int32_t *where = r->saved;
    bool two = is_two_by_two(&p->w) && !has_nan(r, p);

    for (int64_t i = 0; i < p->planes && !ax_pool_stopped(r->pool); i++) {
        if (two)
            max_plane_two(&p->w, x, y, where);
        else
            max_plane(&p->w, x, y, where);
        x += p->in_plane;
        y += p->out_plane;
        where = where != NULL ? where + p->out_plane : NULL;
    }
}

static void clear(const ax_run *r)
{
    if (!r->add[0])
        memset(r->din[0].data, 0, (size_t) ax_shape_elements(&r->in[0].shape) * sizeof(float));
}

static void backward_max(const ax_run *r)
{
    const pool *p = r->prep;
    const float *g = r->dout[0].data;
    const int32_t *where = r->saved;
    float *dx = r->din[0].data;

    if (!ax_wants_grad(r, 0))
        return;
    clear(r);
    for (int64_t i = 0; i < p->planes; i++) {
        for (int64_t o = 0; o < p->out_plane; o++)
            if (where[o] >= 0)
                dx[where[o]] += g[o];
        dx += p->in_plane;
        g += p->out_plane;
        where += p->out_plane;
    }
}

/* ---- AveragePool ----------------------------------------------------------------------------- */

/* Taps of one axis that count: real ones, or with pads those within input and pads. */
static int64_t counted(int64_t o, int64_t stride, int64_t begin, int64_t end, int64_t k,
                       int64_t in, bool include_pad)
{
    span real = window_span(o, stride, begin, k, 1, in);

    if (!include_pad)
        return real.to - real.from;
    return AX_MIN(o * stride - begin + k, in + end) - (o * stride - begin);
}

static float share(const pool *p, int64_t oy, int64_t ox)
{
    const ax_window *w = &p->w;
    int64_t n = counted(oy, w->sh, w->top, w->bottom, w->kh, w->in_h, p->include_pad) *
                counted(ox, w->sw, w->left, w->right, w->kw, w->in_w, p->include_pad);

    return n > 0 ? 1.0f / (float) n : 0.0f;
}

static ax_status setup_average(ax_setup *s)
{
    const ax_attr *dilations = ax_node_attr(s->node, "dilations");

    for (int i = 0; dilations != NULL && i < dilations->count; i++)
        if (dilations->ints[i] != 1)
            return ax_setup_unsupported(s, "dilations");
    return setup(s);
}

static void forward_average(const ax_run *r)
{
    const pool *p = r->prep;
    const ax_window *w = &p->w;
    const float *x = r->in[0].data;
    float *y = r->out[0].data;

    for (int64_t i = 0; i < p->planes && !ax_pool_stopped(r->pool); i++, x += p->in_plane) {
        for (int64_t oy = 0; oy < w->out_h; oy++) {
            span rows = rows_of(w, oy);

            for (int64_t ox = 0; ox < w->out_w; ox++) {
                span cols = columns_of(w, ox);
                float sum = 0;

                for (int64_t a = rows.from; a < rows.to; a++)
                    for (int64_t b = cols.from; b < cols.to; b++)
                        sum += x[a * w->in_w + b];
                *y++ = sum * share(p, oy, ox);
            }
        }
    }
}

static void backward_average(const ax_run *r)
{
    const pool *p = r->prep;
    const ax_window *w = &p->w;
    const float *g = r->dout[0].data;
    float *dx = r->din[0].data;

    if (!ax_wants_grad(r, 0))
        return;
    clear(r);
    for (int64_t i = 0; i < p->planes && !ax_pool_stopped(r->pool); i++, dx += p->in_plane) {
        for (int64_t oy = 0; oy < w->out_h; oy++) {
            span rows = rows_of(w, oy);

            for (int64_t ox = 0; ox < w->out_w; ox++) {
                span cols = columns_of(w, ox);
                float part = *g++ * share(p, oy, ox);

                for (int64_t a = rows.from; a < rows.to; a++)
                    for (int64_t b = cols.from; b < cols.to; b++)
                        dx[a * w->in_w + b] += part;
            }
        }
    }
}

/* ---- the global ones ------------------------------------------------------------------------- */

typedef struct global_pool {
    int64_t planes, plane;
} global_pool;

static ax_status setup_global(ax_setup *s)
{
    global_pool *p = ax_setup_prep(s, sizeof(*p));
    const ax_shape *x = &s->in[0].shape;

    if (p == NULL)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 3, AX_MAX_RANK));
    p->planes = x->dim[0] * x->dim[1];
    p->plane = ax_shape_span(x, 2, x->rank);
    if (p->plane == 0)
        return ax_setup_fail(s, "the input has no positions to pool");
    s->out[0].type = AX_FLOAT;
    s->out[0].shape = *x;
    for (int i = 2; i < x->rank; i++)
        s->out[0].shape.dim[i] = 1;
    return AX_OK;
}

static void forward_global_average(const ax_run *r)
{
    const global_pool *p = r->prep;
    const ax_kernels *k = ax_kernels_get();
    const float *x = r->in[0].data;
    float *y = r->out[0].data;

    for (int64_t i = 0; i < p->planes; i++, x += p->plane)
        y[i] = k->sum(p->plane, x) / (float) p->plane;
}

static void backward_global_average(const ax_run *r)
{
    const global_pool *p = r->prep;
    const float *g = r->dout[0].data;
    float *dx = r->din[0].data;

    if (!ax_wants_grad(r, 0))
        return;
    for (int64_t i = 0; i < p->planes; i++, dx += p->plane) {
        float part = g[i] / (float) p->plane;

        for (int64_t j = 0; j < p->plane; j++)
            dx[j] = r->add[0] ? dx[j] + part : part;
    }
}

/* The place of the largest element; NaN wins, of equal ones the first. */
static int64_t plane_max(int64_t n, const float *x)
{
    int64_t best = 0;

    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best] || (isnan(x[i]) && !isnan(x[best])))
            best = i;
    return best;
}

static void forward_global_max(const ax_run *r)
{
    const global_pool *p = r->prep;
    const float *x = r->in[0].data;
    float *y = r->out[0].data;

    for (int64_t i = 0; i < p->planes; i++, x += p->plane)
        y[i] = x[plane_max(p->plane, x)];
}

static void backward_global_max(const ax_run *r)
{
    const global_pool *p = r->prep;
    const float *x = r->in[0].data, *g = r->dout[0].data;
    float *dx = r->din[0].data;

    if (!ax_wants_grad(r, 0))
        return;
    clear(r);
    for (int64_t i = 0; i < p->planes; i++, x += p->plane, dx += p->plane)
        dx[plane_max(p->plane, x)] += g[i];
}

/* ---- rows of the table ----------------------------------------------------------------------- */

static const ax_attr_spec max_attrs[] = {
    {"auto_pad", AX_ATTR_STRING},   {"ceil_mode", AX_ATTR_INT}, {"dilations", AX_ATTR_INTS},
    {"kernel_shape", AX_ATTR_INTS}, {"pads", AX_ATTR_INTS},     {"storage_order", AX_ATTR_INT},
    {"strides", AX_ATTR_INTS},      {NULL, 0}};

static const ax_attr_spec average_attrs[] = {
    {"auto_pad", AX_ATTR_STRING},   {"ceil_mode", AX_ATTR_INT}, {"count_include_pad", AX_ATTR_INT},
    {"dilations", AX_ATTR_INTS},    {"kernel_shape", AX_ATTR_INTS}, {"pads", AX_ATTR_INTS},
    {"strides", AX_ATTR_INTS},      {NULL, 0}};

const ax_op ax_op_max_pool = {.type = "MaxPool",
                              .since = 12,
                              .min_in = 1,
                              .max_in = 1,
                              .min_out = 1,
                              .max_out = 1,
                              .attr = max_attrs,
                              .setup = setup_max,
                              .forward = forward_max,
                              .backward = backward_max};

const ax_op ax_op_average_pool = {.type = "AveragePool",
                                  .since = 11,
                                  .min_in = 1,
                                  .max_in = 1,
                                  .min_out = 1,
                                  .max_out = 1,
                                  .attr = average_attrs,
                                  .setup = setup_average,
                                  .forward = forward_average,
                                  .backward = backward_average};

const ax_op ax_op_global_average_pool = {.type = "GlobalAveragePool",
                                         .since = 1,
                                         .min_in = 1,
                                         .max_in = 1,
                                         .min_out = 1,
                                         .max_out = 1,
                                         .setup = setup_global,
                                         .forward = forward_global_average,
                                         .backward = backward_global_average};

const ax_op ax_op_global_max_pool = {.type = "GlobalMaxPool",
                                     .since = 1,
                                     .min_in = 1,
                                     .max_in = 1,
                                     .min_out = 1,
                                     .max_out = 1,
                                     .flags = AX_KEEP_IN0,
                                     .setup = setup_global,
                                     .forward = forward_global_max,
                                     .backward = backward_global_max};
