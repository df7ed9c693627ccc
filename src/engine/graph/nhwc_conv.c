/*
 * nhwc_conv.c: convolutions with the channels last, with the relu and the 2x2 pool that follow them.
 *
 * Everything is the sum of tensor/tile.h, by tables that conv_tables.c makes. Per sample, with x padded where the
 * convolution has pads (a copy in scratch memory):
 *
 *   forward    points: output pixels, in the order of the pool's windows where there is one (pixels that the pool
 *              drops are never computed). runs: the rows of the window, of (column, channel); a run a tap where
 *              dilation or groups tear a row apart
 *   d input    by phase: the input pixels that a stride s treats alike, s * s of them. Pixel u (counted with the
 *              pad) sees output o = (u - t * d) / s for the taps t where that is whole. Output gradients are padded so
 *              that every such o exists. Taps go backwards, so that runs go forwards
 *   d kernel   points: taps and channels. runs: rows of output pixels, of several samples in one go
 *
 * After a pool at least three of four gradients are zero, and where they are is known: d kernel and d input then
 * walk over the pool's windows and skip the zeros exactly.
 *
 * A depthwise convolution is one sum over all channels at once (channel.h), where others have one a group.
 *
 * A 3x3 window with stride 1 over enough channels goes by Winograd's algorithm instead (winograd.h).
 *
 * packed: [bias with a folded normalization] [W by blocks of output channels] [W for d input], and of the last two
 * what Winograd's algorithm makes of them
 */
#include "graph/conv.h"
#include "graph/nhwc.h"

/* ---- setup ----------------------------------------------------------------------------------- */

static void pad_gradient(ax_conv *p)
{
    const ax_window *w = &p->w;

    p->front_h = (w->kh - 1) * w->dh / w->sh;
    p->front_w = (w->kw - 1) * w->dw / w->sw;
    p->gh = p->front_h + AX_MAX((w->in_h - 1 + w->top) / w->sh + 1, w->out_h);
    p->gw = p->front_w + AX_MAX((w->in_w - 1 + w->left) / w->sw + 1, w->out_w);
    p->grad_pads = p->gh != w->out_h || p->gw != w->out_w;
    p->grad_size = p->gh * p->gw * p->m;
}

/* Floats of the packed weights, and where each part begins. */
static size_t place_packed(ax_conv *p)
{
    int64_t at = 0;

    if (p->fold)
        at = (p->m + 15) / 16 * 16;
    p->forward.packed = (size_t) at;
    at += p->sums * ax_conv_panel(p, p->k, p->y_columns);
    if (p->needs_input && p->pool) {
        p->phase[0].packed = (size_t) at;
        at += (p->m * p->k + 15) / 16 * 16;
    }
    if (p->fast) {
        p->win_packed = (size_t) at;
        at += ax_winograd_packed(&p->win);
    }
    if (p->fast && p->needs_input && !p->pool) {
        p->win_input_packed = (size_t) at;
        at += ax_winograd_packed(&p->win_input);
    }
    for (int i = 0; p->needs_input && !p->pool && i < p->n_phases; i++) {
        p->phase[i].packed = (size_t) at;
        at += p->sums * ax_conv_panel(p, p->phase[i].n_taps * p->mg, p->x_columns);
    }
    return (size_t) at;
}

static void order_gradient(ax_setup *s, ax_conv *p)
{
    p->order = (ax_order){.mg = p->depthwise ? p->m : p->mg,
                          .c = p->cg,
                          .taps = p->taps,
                          .per_group = p->mg * p->k,
                          .per_m = p->pool ? p->k : 1,
                          .at = p->order_at};
    s->order = &p->order;
}

static void read_sizes(const ax_setup *s, ax_conv *p, const ax_shape *x)
{
    const ax_shape *w = &s->in[1].shape;

    p->n = x->dim[0];
    p->c = x->dim[1];
    p->m = w->dim[0];
    p->groups = ax_node_int(s->node, "group", 1);
    p->cg = p->c / p->groups;
    p->mg = p->m / p->groups;
    p->depthwise = p->groups > 1 && p->cg == 1 && p->mg == 1;
    p->sums = p->depthwise ? 1 : p->groups;
    p->x_columns = p->depthwise ? p->c : p->cg;
    p->y_columns = p->depthwise ? p->m : p->mg;
    p->bias = s->n_in > 2 && s->in[2].shape.rank >= 0;
    p->fold = s->n_in > 3;
    p->needs_input = s->training && ax_node_int(s->node, "needs_input", 1) != 0;
    p->epsilon = ax_node_float(s->node, "epsilon", 1e-5f);
}

static void measure(ax_conv *p)
{
    const ax_window *w = &p->w;

    p->taps = w->kh * w->kw;
    p->k = p->taps * p->cg;
    p->ph = w->in_h + w->top + w->bottom;
    p->pw = w->in_w + w->left + w->right;
    p->pads = p->ph != w->in_h || p->pw != w->in_w;
    p->x_size = w->in_h * w->in_w * p->c;
    p->padded_size = p->ph * p->pw * p->c;
    p->out_h = p->pool ? w->out_h / 2 : w->out_h;
    p->out_w = p->pool ? w->out_w / 2 : w->out_w;
    p->y_size = p->out_h * p->out_w * p->m;
    pad_gradient(p);
}

/* Is it a convolution that Winograd's algorithm can do, with enough channels to pay? */
static bool can_be_fast(const ax_conv *p)
{
    const ax_window *w = &p->w;

    return w->kh == 3 && w->kw == 3 && w->sh == 1 && w->sw == 1 && w->dh == 1 && w->dw == 1 &&
           w->top <= 2 && w->left <= 2 && p->groups == 1 && ax_winograd_pays(p->c, p->m);
}

static ax_status setup_fast(ax_setup *s, ax_conv *p)
{
    const ax_window *w = &p->w;

    p->win = (ax_winograd){.n = p->n, .c = p->c, .m = p->m, .in_h = w->in_h, .in_w = w->in_w,
                           .top = w->top, .left = w->left, .out_h = w->out_h, .out_w = w->out_w};
    p->win_input = (ax_winograd){.n = p->n, .c = p->m, .m = p->c, .in_h = w->out_h,
                                 .in_w = w->out_w, .top = 2 - w->top, .left = 2 - w->left,
                                 .out_h = w->in_h, .out_w = w->in_w};
    AX_TRY(ax_winograd_setup(&p->win, p->pool, s->arena, s->err));
    return ax_winograd_setup(&p->win_input, false, s->arena, s->err);
}

/* Floats of scratch memory that the fast ways need. */
static size_t fast_scratch(const ax_conv *p)
{
    return p->fast ? (size_t) ax_winograd_scratch(&p->win) : 0;
}

static size_t fast_scratch_backward(const ax_conv *p)
{
    if (!p->fast || p->pool)
        return 0;
    return (size_t) AX_MAX(ax_winograd_kernel_scratch(&p->win),
                           ax_winograd_scratch(&p->win_input));
}

static void ask_memory(ax_setup *s, ax_conv *p)
{
    size_t padded = p->pads ? (size_t) p->padded_size : 0;
    size_t grad = p->grad_pads && p->needs_input ? (size_t) p->grad_size : 0;

    s->packed = place_packed(p) * sizeof(float);
    s->scratch = AX_MAX(padded, fast_scratch(p)) * sizeof(float);
    if (!s->training)
        return;
    s->scratch_backward = p->pool ? 2 * padded : AX_MAX(padded * (size_t) p->chunk, grad);
    s->scratch_backward = AX_MAX(s->scratch_backward, fast_scratch_backward(p)) * sizeof(float);
    if (p->pool)
        s->saved = (size_t) (p->n * p->y_size);
    order_gradient(s, p);
}

static ax_status setup(ax_setup *s, bool relu, bool pool)
{
    ax_conv *p = ax_setup_prep(s, sizeof(*p));
    ax_shape x = ax_nchw_shape(&s->in[0].shape), y;

    if (p == NULL)
        return ax_nomem(s->err);
    read_sizes(s, p, &x);
    p->relu = relu;
    p->pool = pool;
    AX_TRY(ax_window_setup(s, &x, s->in[1].shape.dim + 2, &p->w));
    measure(p);
    if (AX_MAX(p->padded_size, p->grad_size) > AX_OFFSET_MOST || p->k * p->m > AX_OFFSET_MOST)
        return ax_setup_fail(s, "one sample is too large");
    AX_TRY(ax_conv_make_tables(s, p));
    p->fast = can_be_fast(p);
    if (p->fast)
        AX_TRY(setup_fast(s, p));
    ask_memory(s, p);
    y = ax_window_output(&p->w, p->n, p->m);
    for (int i = 2; pool && i < y.rank; i++)
        y.dim[i] /= 2;
    s->out[0].type = AX_FLOAT;
    s->out[0].shape = ax_nhwc_shape(&y);
    return AX_OK;
}

static ax_status setup_plain(ax_setup *s)
{
    return setup(s, false, false);
}

static ax_status setup_relu(ax_setup *s)
{
    return setup(s, true, false);
}

static ax_status setup_pool(ax_setup *s)
{
    return setup(s, false, true);
}

static ax_status setup_relu_pool(ax_setup *s)
{
    return setup(s, true, true);
}

/* The sums of tables and packed weights for one of p->sums. */
static void add_up(const ax_conv *p, const ax_tile *t, int64_t points)
{
    if (p->depthwise)
        ax_kernels_get()->channels->depthwise(t, points);
    else
        ax_kernels_get()->tiles->run(t, points);
}

/* Floats between two rows of packed columns, and between two blocks of them. */
static void place_y(const ax_conv *p, ax_tile *t, int64_t rows)
{
    int64_t block = ax_kernels_get()->tiles->block;

    t->ldy = p->depthwise ? t->columns : block;
    t->y_block = rows * block;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* One sample (h, w, c) into the middle of zeros (ph, pw, c). */
static void pad_plane(const float *x, int64_t h, int64_t w, int64_t c, int64_t top, int64_t left,
                      int64_t ph, int64_t pw, float *to)
{
    memset(to, 0, (size_t) (top * pw * c) * sizeof(float));
    for (int64_t y = 0; y < h; y++, x += w * c) {
        float *row = to + (top + y) * pw * c;

        memset(row, 0, (size_t) (left * c) * sizeof(float));
        memcpy(row + left * c, x, (size_t) (w * c) * sizeof(float));
        memset(row + (left + w) * c, 0, (size_t) ((pw - left - w) * c) * sizeof(float));
    }
    memset(to + (top + h) * pw * c, 0, (size_t) ((ph - top - h) * pw * c) * sizeof(float));
}

/* n samples of x as the tables want them: padded in scratch memory, or as they are. */
static const float *padded_input(const ax_conv *p, const float *x, int64_t n, float *scratch)
{
    const ax_window *w = &p->w;

    if (!p->pads)
        return x;
    for (int64_t i = 0; i < n; i++)
        pad_plane(x + i * p->x_size, w->in_h, w->in_w, p->c, w->top, w->left, p->ph, p->pw,
                  scratch + i * p->padded_size);
    return scratch;
}

static const float *start_of(const ax_run *r, const ax_conv *p)
{
    if (p->fold)
        return r->packed;
    return p->bias ? r->in[2].data : NULL;
}

static void forward_sample(const ax_run *r, const ax_conv *p, const float *x, float *y, uint8_t *where)
{
    const float *start = start_of(r, p), *packed = (const float *) r->packed + p->forward.packed;
    ax_tile_pool pool = {where, p->relu};

    for (int64_t i = 0; i < p->sums; i++) {
        ax_tile t = {.x = x + i * p->cg,
                     .at = p->forward.at,
                     .run = p->forward.run,
                     .runs = p->forward.runs,
                     .len = p->forward.len,
                     .step = 1,
                     .y = packed + i * ax_conv_panel(p, p->k, p->y_columns),
                     .columns = p->y_columns,
                     .start = start != NULL ? start + i * p->mg : NULL,
                     .relu = p->relu,
                     .out = y + i * p->mg,
                     .to = p->forward.to};

        place_y(p, &t, p->k);
        if (p->pool)
            ax_kernels_get()->tiles->pool(&t, &pool, p->forward.points);
        else
            add_up(p, &t, p->forward.points);
    }
}

static void forward_fast(const ax_run *r, const ax_conv *p)
{
    ax_winograd_job job = {.x = r->in[0].data,
                           .packed = (const float *) r->packed + p->win_packed,
                           .start = start_of(r, p),
                           .relu = p->relu,
                           .pool = p->pool,
                           .out = r->out[0].data,
                           .where = r->saved,
                           .scratch = r->scratch,
                           .threads = r->pool};

    ax_winograd_forward(&p->win, &job);
}

static void forward(const ax_run *r)
{
    const ax_conv *p = r->prep;
    const float *x = r->in[0].data;
    float *y = r->out[0].data;
    uint8_t *where = r->saved;

    if (p->fast) {
        forward_fast(r, p);
        return;
    }
    for (int64_t n = 0; n < p->n && !ax_pool_stopped(r->pool); n++) {
        forward_sample(r, p, padded_input(p, x, 1, r->scratch), y, where);
        x += p->x_size;
        y += p->y_size;
        where = where != NULL ? where + p->y_size : NULL;
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

/* The gradient behind relu and pool, in place, and the bias's. */
static void backward_relu(const ax_run *r, const ax_conv *p)
{
    const ax_tile_table *tiles = ax_kernels_get()->tiles;
    float *db = ax_wants_grad(r, 2) ? r->din[2].data : NULL;

    if (db != NULL && !r->add[2])
        memset(db, 0, (size_t) p->m * sizeof(float));
    if (db == NULL && !p->relu)
        return;
    tiles->relu_back(p->n * p->out_h * p->out_w, p->m, p->relu && !p->pool ? r->out[0].data : NULL,
                     p->pool && p->relu ? r->saved : NULL, r->dout[0].data, db);
}

/* n samples at once: x and g as they lie. */
static void backward_kernel(const ax_conv *p, const float *x, const float *g, int64_t n, float *dk)
{
    for (int64_t i = 0; i < p->sums; i++) {
        ax_tile t = {.x = x + i * p->cg,
                     .at = p->kernel.at,
                     .run = p->kernel.run,
                     .runs = n * p->w.out_h,
                     .len = p->kernel.len,
                     .step = p->w.sw * p->c,
                     .y = g + i * p->mg,
                     .ldy = p->m,
                     .y_block = ax_kernels_get()->tiles->block,
                     .columns = p->y_columns,
                     .add = true,
                     .out = dk + i * p->order.per_group,
                     .to = p->kernel.to};

        add_up(p, &t, p->kernel.points);
    }
}

/* One sample: g padded. */
static void backward_input(const ax_run *r, const ax_conv *p, const float *g, float *dx)
{
    for (int i = 0; i < p->n_phases; i++) {
        const ax_sweep *s = &p->phase[i];
        int64_t rows = s->n_taps * p->mg;

        for (int64_t j = 0; j < p->sums; j++) {
            ax_tile t = {.x = g + j * p->mg,
                         .at = s->at,
                         .run = s->run,
                         .runs = s->runs,
                         .len = s->len,
                         .step = 1,
                         .y = (const float *) r->packed + s->packed +
                              j * ax_conv_panel(p, rows, p->x_columns),
                         .columns = p->x_columns,
                         .add = r->add[0],
                         .out = dx + j * p->cg,
                         .to = s->to};

            place_y(p, &t, rows);
            add_up(p, &t, s->points);
        }
    }
}

static void backward_dense(const ax_run *r, const ax_conv *p, float *dk, float *dx)
{
    const ax_window *w = &p->w;
    const float *x = r->in[0].data, *g = r->dout[0].data;
    float *scratch = r->scratch;

    for (int64_t n = 0; dk != NULL && n < p->n && !ax_pool_stopped(r->pool); n += p->chunk) {
        int64_t some = AX_MIN(p->chunk, p->n - n);

        backward_kernel(p, padded_input(p, x + n * p->x_size, some, scratch), g + n * p->y_size,
                        some, dk);
    }
    for (int64_t n = 0; dx != NULL && n < p->n && !ax_pool_stopped(r->pool); n++) {
        const float *gn = g + n * p->y_size;

        if (p->grad_pads) {
            pad_plane(gn, w->out_h, w->out_w, p->m, p->front_h, p->front_w, p->gh, p->gw, scratch);
            gn = scratch;
        }
        backward_input(r, p, gn, dx + n * p->x_size);
    }
}

static void backward_fast(const ax_run *r, const ax_conv *p, float *dk, float *dx)
{
    ax_winograd_job job = {.x = r->dout[0].data,
                           .packed = (const float *) r->packed + p->win_input_packed,
                           .add = r->add[0],
                           .out = dx,
                           .scratch = r->scratch,
                           .threads = r->pool};

    if (dk != NULL)
        ax_winograd_kernel(&p->win, r->in[0].data, r->dout[0].data, dk, r->scratch, r->pool);
    if (dx != NULL)
        ax_winograd_forward(&p->win_input, &job);
}

/* The middle of a padded sample is added to dx. */
static void add_middle(const ax_conv *p, const float *padded, float *dx)
{
    const ax_window *w = &p->w;
    int64_t row = w->in_w * p->c;

    for (int64_t y = 0; y < w->in_h; y++, dx += row)
        ax_kernels_get()->add(row, dx, padded + ((w->top + y) * p->pw + w->left) * p->c, dx);
}

static void pool_input(const ax_run *r, const ax_conv *p, const uint8_t *where, const float *g,
                       float *scratch, float *dx)
{
    float *out = p->pads ? scratch : dx;
    ax_tile t = {.at = p->forward.at,
                 .run = p->forward.run,
                 .runs = p->forward.runs,
                 .len = p->forward.len,
                 .y = (const float *) r->packed + p->phase[0].packed,
                 .ldy = p->k,
                 .columns = p->m,
                 .out = out};

    if (p->pads)
        memset(out, 0, (size_t) p->padded_size * sizeof(float));
    ax_kernels_get()->tiles->pool_input(&t, where, g, p->forward.points / 4);
    if (p->pads)
        add_middle(p, out, dx);
}

static void backward_pool(const ax_run *r, const ax_conv *p, float *dk, float *dx)
{
    const float *x = r->in[0].data, *g = r->dout[0].data;
    const uint8_t *where = r->saved;
    float *scratch = r->scratch;

    if (dx != NULL && !r->add[0])
        memset(dx, 0, (size_t) (p->n * p->x_size) * sizeof(float));
    for (int64_t n = 0; n < p->n && !ax_pool_stopped(r->pool); n++) {
        ax_tile t = {.x = padded_input(p, x + n * p->x_size, 1, scratch),
                     .at = p->forward.at,
                     .run = p->forward.run,
                     .runs = p->forward.runs,
                     .len = p->forward.len,
                     .columns = p->m,
                     .out = dk};

        if (dk != NULL)
            ax_kernels_get()->tiles->pool_kernel(&t, where, g, p->k, p->forward.points / 4);
        if (dx != NULL)
            pool_input(r, p, where, g, scratch + (p->pads ? p->padded_size : 0),
                       dx + n * p->x_size);
        where += p->y_size;
        g += p->y_size;
    }
}

static void backward(const ax_run *r)
{
    const ax_conv *p = r->prep;
    float *dk = ax_wants_grad(r, 1) ? r->din[1].data : NULL;
    float *dx = ax_wants_grad(r, 0) ? r->din[0].data : NULL;

    backward_relu(r, p);
    if (dk != NULL && !r->add[1])
        memset(dk, 0, (size_t) (p->m * p->k) * sizeof(float));
    if (p->pool)
        backward_pool(r, p, dk, dx);
    else if (p->fast)
        backward_fast(r, p, dk, dx);
    else
        backward_dense(r, p, dk, dx);
}

/* ---- rows of the table ----------------------------------------------------------------------- */

static const ax_attr_spec attrs[] = {{"auto_pad", AX_ATTR_STRING},  {"dilations", AX_ATTR_INTS},
                                     {"group", AX_ATTR_INT},        {"kernel_shape", AX_ATTR_INTS},
                                     {"pads", AX_ATTR_INTS},        {"strides", AX_ATTR_INTS},
                                     {"epsilon", AX_ATTR_FLOAT},    {"needs_input", AX_ATTR_INT},
                                     {NULL, 0}};

#define CONV(name, label, kept, setup_fn)                                                          \
    const ax_op name = {.type = label,                                                             \
                        .min_in = 2,                                                               \
                        .max_in = 7,                                                               \
                        .min_out = 1,                                                              \
                        .max_out = 1,                                                              \
                        .flags = AX_KEEP_IN0 | (kept),                                             \
                        .attr = attrs,                                                             \
                        .setup = setup_fn,                                                         \
                        .pack = ax_conv_pack,                                                              \
                        .forward = forward,                                                        \
                        .backward = backward}

CONV(ax_nhwc_conv, "Conv", 0, setup_plain);
CONV(ax_nhwc_conv_relu, "Conv+Relu", AX_KEEP_OUT, setup_relu);
CONV(ax_nhwc_conv_pool, "Conv+MaxPool", 0, setup_pool);
CONV(ax_nhwc_conv_relu_pool, "Conv+Relu+MaxPool", 0, setup_relu_pool);
