/*
 * op_conv.c: Conv (ONNX 11), over one or two spatial axes, with groups, strides, dilations and pads.
 *
 *     Y[n, m, oh, ow] = B[m] + sum over c, i, j of W[m, c, i, j] * X[n, g * C/G + c, oh*sh + i*dh - top, ...]
 *
 * where m lies in group g. How it is computed is chosen when the graph is planned:
 *
 *   - pointwise: a 1x1 kernel with stride 1 and no pads is a product of matrices as it stands
 *   - depthwise: one input channel a group; plain loops, a row of the output at a time
 *   - otherwise im2col: the windows of one sample are laid out as the columns of a matrix
 *     (C/G*kh*kw, oh*ow), and a group is a product of matrices. It stays in the cache.
 *
 * A sample's result does not depend on the other samples. Gradients: dW = dY * colᵀ, dcol = Wᵀ * dY (and col2im
 * adds the columns back), dB = dY summed over samples and positions.
 */
#include "graph/window.h"

typedef enum conv_path { CONV_IM2COL, CONV_POINTWISE, CONV_DEPTHWISE } conv_path;

typedef struct conv {
    ax_window w;
    int64_t n, c, m, groups;
    int64_t c_group, m_group;    /* channels of a group */
    int64_t in_plane, out_plane; /* elements of one channel */
    int64_t taps;                /* rows of the column matrix of a group: c_group * kh * kw */
    conv_path path;
    bool bias;
} conv;

/* ---- setup ----------------------------------------------------------------------------------- */

static ax_status check_channels(ax_setup *s, conv *p)
{
    const ax_shape *x = &s->in[0].shape, *w = &s->in[1].shape;

    p->n = x->dim[0];
    p->c = x->dim[1];
    p->m = w->dim[0];
    p->groups = ax_node_int(s->node, "group", 1);
    if (p->groups < 1 || p->c % p->groups != 0 || p->m % p->groups != 0)
        return ax_setup_fail(s, "%lld groups do not divide %lld input and %lld output channels",
                             (long long) p->groups, (long long) p->c, (long long) p->m);
    p->c_group = p->c / p->groups;
    p->m_group = p->m / p->groups;
    if (w->dim[1] != p->c_group)
        return ax_setup_fail(s, "the kernel has %lld input channels a group, the input %lld",
                             (long long) w->dim[1], (long long) p->c_group);
    if (!p->bias)
        return AX_OK;
    AX_TRY(ax_setup_float(s, 2, 1, 1));
    if (s->in[2].shape.dim[0] != p->m)
        return ax_setup_fail(s, "the bias has %lld entries for %lld output channels",
                             (long long) s->in[2].shape.dim[0], (long long) p->m);
    return AX_OK;
}

static conv_path choose_path(const conv *p)
{
    const ax_window *w = &p->w;
    bool padded = w->top != 0 || w->left != 0 || w->bottom != 0 || w->right != 0;

    if (p->c_group == 1)
        return CONV_DEPTHWISE;
    if (w->kh * w->kw == 1 && w->sh == 1 && w->sw == 1 && !padded)
        return CONV_POINTWISE;
    return CONV_IM2COL;
}

static ax_status setup(ax_setup *s)
{
    conv *p = ax_setup_prep(s, sizeof(*p));
    const ax_shape *x = &s->in[0].shape, *w = &s->in[1].shape;
    ax_shape col;

    if (p == NULL)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 3, 4));
    AX_TRY(ax_setup_float(s, 1, x->rank, x->rank));
    p->bias = s->n_in > 2 && s->in[2].shape.rank >= 0;
    AX_TRY(check_channels(s, p));
    AX_TRY(ax_window_setup(s, x, w->dim + 2, &p->w));
    p->in_plane = p->w.in_h * p->w.in_w;
    p->out_plane = p->w.out_h * p->w.out_w;
    p->taps = p->c_group * p->w.kh * p->w.kw;
    p->path = choose_path(p);
    s->out[0].type = AX_FLOAT;
    s->out[0].shape = ax_window_output(&p->w, p->n, p->m);
    if (p->path != CONV_IM2COL)
        return AX_OK;
    col = ax_shape_of(2, (const int64_t[]){p->taps, p->out_plane});
    if (!ax_shape_sane(&col))
        return ax_setup_fail(s, "the windows of one sample are too many");
    s->scratch = s->scratch_backward = ax_tensor_bytes(AX_FLOAT, &col);
    return AX_OK;
}

/* ---- im2col ---------------------------------------------------------------------------------- */

/* The positions o for which o * stride + shift lies within [0, in): from *from to before *to. */
static void inside(int64_t out, int64_t in, int64_t stride, int64_t shift, int64_t *from,
                   int64_t *to)
{
    *from = shift >= 0 ? 0 : AX_MIN((-shift + stride - 1) / stride, out);
    *to = in - shift <= 0 ? 0 : AX_MIN((in - shift - 1) / stride + 1, out);
    *to = AX_MAX(*to, *from);
}

static void copy_row(float *to, const float *from, int64_t n, int64_t stride)
{
    if (stride == 1) {
        memcpy(to, from, (size_t) n * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        to[i] = from[i * stride];
}

/* One row of the column matrix: what tap (i, j) of one channel sees at every position. */
static void gather_tap(const ax_window *w, const float *x, int64_t i, int64_t j, float *row)
{
    int64_t down = i * w->dh - w->top, along = j * w->dw - w->left, from, to, y0, y1;

    inside(w->out_w, w->in_w, w->sw, along, &from, &to);
    inside(w->out_h, w->in_h, w->sh, down, &y0, &y1);
    if (from > 0 || to < w->out_w || y0 > 0 || y1 < w->out_h)
        memset(row, 0, (size_t) (w->out_h * w->out_w) * sizeof(float));
    for (int64_t y = y0; y < y1; y++)
        copy_row(row + y * w->out_w + from,
                 x + (y * w->sh + down) * w->in_w + from * w->sw + along, to - from, w->sw);
}

/* x: the channels of one group of one sample; col: (taps, out_plane). */
static void im2col(const conv *p, const float *x, float *col)
{
    const ax_window *w = &p->w;

    for (int64_t c = 0; c < p->c_group; c++)
        for (int64_t i = 0; i < w->kh; i++)
            for (int64_t j = 0; j < w->kw; j++, col += p->out_plane)
                gather_tap(w, x + c * p->in_plane, i, j, col);
}

static void scatter_tap(const ax_window *w, const float *row, int64_t i, int64_t j, float *dx)
{
    int64_t down = i * w->dh - w->top, along = j * w->dw - w->left, from, to, y0, y1;

    inside(w->out_w, w->in_w, w->sw, along, &from, &to);
    inside(w->out_h, w->in_h, w->sh, down, &y0, &y1);
    for (int64_t y = y0; y < y1; y++) {
        float *d = dx + (y * w->sh + down) * w->in_w + along;
        const float *g = row + y * w->out_w;

        for (int64_t o = from; o < to; o++)
            d[o * w->sw] += g[o];
    }
}

static void col2im(const conv *p, const float *col, float *dx)
{
    const ax_window *w = &p->w;

    for (int64_t c = 0; c < p->c_group; c++)
        for (int64_t i = 0; i < w->kh; i++)
            for (int64_t j = 0; j < w->kw; j++, col += p->out_plane)
                scatter_tap(w, col, i, j, dx + c * p->in_plane);
}

/* ---- forward --------------------------------------------------------------------------------- */

static void fill_bias(const conv *p, const float *bias, float *y)
{
    for (int64_t m = 0; m < p->m; m++)
        for (int64_t o = 0; o < p->out_plane; o++)
            y[m * p->out_plane + o] = bias[m];
}

/* y[o] += k * x[o * stride] over one row. */
static void add_row(float *y, const float *x, float k, int64_t n, int64_t stride)
{
    if (stride == 1) {
        for (int64_t i = 0; i < n; i++)
            y[i] += k * x[i];
        return;
    }
    for (int64_t i = 0; i < n; i++)
        y[i] += k * x[i * stride];
}

/* One output channel from one input channel. kernel: (kh, kw). */
static void depthwise_plane(const ax_window *w, const float *x, const float *kernel, float *y)
{
    for (int64_t i = 0; i < w->kh; i++) {
        for (int64_t j = 0; j < w->kw; j++) {
            int64_t down = i * w->dh - w->top, along = j * w->dw - w->left, from, to, y0, y1;

            inside(w->out_w, w->in_w, w->sw, along, &from, &to);
            inside(w->out_h, w->in_h, w->sh, down, &y0, &y1);
            for (int64_t o = y0; o < y1; o++)
                add_row(y + o * w->out_w + from,
                        x + (o * w->sh + down) * w->in_w + from * w->sw + along,
                        kernel[i * w->kw + j], to - from, w->sw);
        }
    }
}

static void forward_depthwise(const conv *p, const float *x, const float *kernel, bool keep,
                              float *y)
{
    int64_t taps = p->w.kh * p->w.kw;

    if (!keep)
        memset(y, 0, (size_t) (p->m * p->out_plane) * sizeof(float));
    for (int64_t m = 0; m < p->m; m++)
        depthwise_plane(&p->w, x + m / p->m_group * p->in_plane, kernel + m * taps,
                        y + m * p->out_plane);
}

static void forward_products(const conv *p, const float *x, const float *kernel, float *scratch,
                             bool keep, float *y)
{
    for (int64_t g = 0; g < p->groups; g++) {
        const float *group = x + g * p->c_group * p->in_plane, *col = group;

        if (p->path == CONV_IM2COL) {
            im2col(p, group, scratch);
            col = scratch;
        }
        ax_gemm(false, false, p->m_group, p->out_plane, p->taps, 1.0f,
                kernel + g * p->m_group * p->taps, p->taps, col, p->out_plane, keep ? 1.0f : 0.0f,
                y + g * p->m_group * p->out_plane, p->out_plane);
    }
}

static void forward(const ax_run *r)
{
    const conv *p = r->prep;
    const float *x = r->in[0].data, *kernel = r->in[1].data;
    float *y = r->out[0].data; /* (N, M, oh, ow) */

    for (int64_t n = 0; n < p->n && !ax_pool_stopped(r->pool); n++) {
        if (p->bias)
            fill_bias(p, r->in[2].data, y);
        if (p->path == CONV_DEPTHWISE)
            forward_depthwise(p, x, kernel, p->bias, y);
        else
            forward_products(p, x, kernel, r->scratch, p->bias, y);
        x += p->c * p->in_plane;
        y += p->m * p->out_plane;
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

static void backward_bias(const ax_run *r, const conv *p)
{
    const ax_kernels *k = ax_kernels_get();
    const float *g = r->dout[0].data;
    float *db = r->din[2].data;

    if (!r->add[2])
        memset(db, 0, (size_t) p->m * sizeof(float));
    for (int64_t n = 0; n < p->n; n++)
        for (int64_t m = 0; m < p->m; m++, g += p->out_plane)
            db[m] += k->sum(p->out_plane, g);
}

static float row_dot(const float *a, const float *x, int64_t n, int64_t stride)
{
    float sum = 0;

    if (stride == 1)
        return ax_kernels_get()->dot(n, a, x);
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * x[i * stride];
    return sum;
}

/* Gradients of one output channel of a depthwise kernel; dk or dx may be NULL. */
static void depthwise_plane_back(const ax_window *w, const float *x, const float *kernel,
                                 const float *g, float *dk, float *dx)
{
    for (int64_t i = 0; i < w->kh; i++) {
        for (int64_t j = 0; j < w->kw; j++) {
            int64_t down = i * w->dh - w->top, along = j * w->dw - w->left, from, to, y0, y1;
            float sum = 0, tap = kernel[i * w->kw + j];

            inside(w->out_w, w->in_w, w->sw, along, &from, &to);
            inside(w->out_h, w->in_h, w->sh, down, &y0, &y1);
            for (int64_t o = y0; o < y1; o++) {
                int64_t at = (o * w->sh + down) * w->in_w + along;
                const float *row = g + o * w->out_w;

                if (dk != NULL)
                    sum += row_dot(row + from, x + at + from * w->sw, to - from, w->sw);
                for (int64_t q = from; dx != NULL && q < to; q++)
                    dx[at + q * w->sw] += tap * row[q];
            }
            if (dk != NULL)
                dk[i * w->kw + j] += sum;
        }
    }
}

/* One sample: x, g in; dk, dx (may be NULL) are added to. */
static void backward_depthwise(const conv *p, const float *x, const float *kernel, const float *g,
                               float *dk, float *dx)
{
    int64_t taps = p->w.kh * p->w.kw;

    for (int64_t m = 0; m < p->m; m++) {
        int64_t c = m / p->m_group;

        depthwise_plane_back(&p->w, x + c * p->in_plane, kernel + m * taps, g + m * p->out_plane,
                             dk != NULL ? dk + m * taps : NULL,
                             dx != NULL ? dx + c * p->in_plane : NULL);
    }
}

static void group_weight_back(const conv *p, const float *x, const float *g, float *scratch,
                              float *dk)
{
    const float *col = x;

    if (p->path == CONV_IM2COL) {
        im2col(p, x, scratch);
        col = scratch;
    }
    ax_gemm(false, true, p->m_group, p->taps, p->out_plane, 1.0f, g, p->out_plane, col,
            p->out_plane, 1.0f, dk, p->taps);
}

static void group_data_back(const conv *p, const float *kernel, const float *g, float *scratch,
                            float *dx)
{
    bool direct = p->path == CONV_POINTWISE;

    ax_gemm(true, false, p->taps, p->out_plane, p->m_group, 1.0f, kernel, p->taps, g, p->out_plane,
            direct ? 1.0f : 0.0f, direct ? dx : scratch, p->out_plane);
    if (!direct)
        col2im(p, scratch, dx);
}

static void backward_products(const conv *p, const float *x, const float *kernel, const float *g,
                              float *scratch, float *dk, float *dx)
{
    for (int64_t i = 0; i < p->groups; i++) {
        int64_t at_w = i * p->m_group * p->taps, at_x = i * p->c_group * p->in_plane;
        const float *gi = g + i * p->m_group * p->out_plane;

        if (dk != NULL)
            group_weight_back(p, x + at_x, gi, scratch, dk + at_w);
        if (dx != NULL)
            group_data_back(p, kernel + at_w, gi, scratch, dx + at_x);
    }
}

static void clear(const ax_run *r, int i)
{
    if (ax_wants_grad(r, i) && !r->add[i])
        memset(r->din[i].data, 0, (size_t) ax_shape_elements(&r->in[i].shape) * sizeof(float));
}

static void backward(const ax_run *r)
{
    const conv *p = r->prep;
    const float *x = r->in[0].data, *kernel = r->in[1].data, *g = r->dout[0].data;
    float *dx = ax_wants_grad(r, 0) ? r->din[0].data : NULL;
    float *dk = ax_wants_grad(r, 1) ? r->din[1].data : NULL;

    clear(r, 0);
    clear(r, 1);
    if (ax_wants_grad(r, 2))
        backward_bias(r, p);
    for (int64_t n = 0; n < p->n && !ax_pool_stopped(r->pool); n++) {
        if (p->path == CONV_DEPTHWISE)
            backward_depthwise(p, x, kernel, g, dk, dx);
        else
            backward_products(p, x, kernel, g, r->scratch, dk, dx);
        x += p->c * p->in_plane;
        g += p->m * p->out_plane;
        dx = dx != NULL ? dx + p->c * p->in_plane : NULL;
    }
}

static const ax_attr_spec attrs[] = {{"auto_pad", AX_ATTR_STRING},  {"dilations", AX_ATTR_INTS},
                                     {"group", AX_ATTR_INT},        {"kernel_shape", AX_ATTR_INTS},
                                     {"pads", AX_ATTR_INTS},        {"strides", AX_ATTR_INTS},
                                     {NULL, 0}};

const ax_op ax_op_conv = {.type = "Conv",
                          .since = 11,
                          .min_in = 2,
                          .max_in = 3,
                          .min_out = 1,
                          .max_out = 1,
                          .flags = AX_KEEP_IN0 | AX_KEEP_IN1,
                          .attr = attrs,
                          .setup = setup,
                          .forward = forward,
                          .backward = backward};
