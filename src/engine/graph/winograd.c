/*
 * winograd.c: see winograd.h. Scratch memory: planes of transformed input (tiles, c), planes of products or of
 * transformed gradients (tiles, m), then one tile's pixels for the edge; for a kernel's gradient also planes of
 * dU (c, m).
 */
#include "graph/winograd.h"

#define BATCH_BYTES  ((int64_t) 192 << 10) /* of transformed tiles at a time: part of the second cache */
#define KERNEL_BYTES ((int64_t) 512 << 10) /* longer sums pay for a gradient, which is loaded and stored for each */

static const int32_t no_offset[1] = {0};

/* ---- setup ----------------------------------------------------------------------------------- */

bool ax_winograd_pays(int64_t c, int64_t m)
{
    return c >= 16 && m >= 16;
}

static const ax_winograd_table *kernels_of(const ax_winograd *w)
{
    return &ax_kernels_get()->winograd[w->side == 4];
}

/* Tiles of this side, along an axis of n outputs or of half as many with a pool. */
static int64_t tiles_along(int64_t n, int side, bool pool)
{
    return pool ? (n / 2 + side / 2 - 1) / (side / 2) : (n + side - 1) / side;
}

/*
 * The larger side needs fewer products where it fits the plane, but its transforms cost more; and a plane of one or
 * two tiles would leave the products' tiles half empty when a single sample comes.
 */
static int choose_side(const ax_winograd *w, bool pool)
{
    int64_t two = tiles_along(w->out_h, 2, pool) * tiles_along(w->out_w, 2, pool);
    int64_t four = tiles_along(w->out_h, 4, pool) * tiles_along(w->out_w, 4, pool);

    return four >= 4 && four * 36 * 11 < two * 16 * 10 ? 4 : 2;
}

/* Tiles that fit the bytes: whole tiles of 12 points, at least one of them. */
static int64_t tiles_that_fit(const ax_winograd *w, int64_t bytes, int64_t most)
{
    int64_t tile = w->planes * (w->c + w->m) * (int64_t) sizeof(float);

    return AX_MIN(AX_MAX(bytes / tile / 12, 1) * 12, most);
}

ax_status ax_winograd_setup(ax_winograd *w, bool pool, ax_arena *arena, ax_error *err)
{
    int64_t longest;

    if (w->side == 0)
        w->side = choose_side(w, pool);
    w->planes = (w->side + 2) * (w->side + 2);
    w->tiles_h = tiles_along(w->out_h, w->side, pool);
    w->tiles_w = tiles_along(w->out_w, w->side, pool);
    w->tiles = w->n * w->tiles_h * w->tiles_w;
    w->batch = AX_MIN(tiles_that_fit(w, BATCH_BYTES, 48), AX_MAX(w->tiles, 1));
    w->kernel_batch = AX_MIN(tiles_that_fit(w, KERNEL_BYTES, 120), AX_MAX(w->tiles, 1));
    longest = AX_MAX(w->batch, w->kernel_batch);
    w->c_at = ax_multiples(arena, longest, w->c);
    w->m_at = ax_multiples(arena, AX_MAX(longest, w->c), w->m);
    w->step = ax_multiples(arena, w->c, 1);
    return w->c_at != NULL && w->m_at != NULL && w->step != NULL ? AX_OK : ax_nomem(err);
}

static int64_t panel(const ax_winograd *w)
{
    int64_t block = ax_kernels_get()->tiles->block;

    return (w->m + block - 1) / block * block * w->c;
}

int64_t ax_winograd_packed(const ax_winograd *w)
{
    return w->planes * panel(w);
}

int64_t ax_winograd_scratch(const ax_winograd *w)
{
    return w->planes * (w->batch * (w->c + w->m) + w->c);
}

int64_t ax_winograd_kernel_scratch(const ax_winograd *w)
{
    return w->planes * (w->kernel_batch * (w->c + w->m) + w->c + w->c * w->m);
}

void ax_winograd_pack(const ax_winograd *w, const float *direct, float *packed)
{
    int64_t block = ax_kernels_get()->tiles->block, rows = w->c * block;

    for (int64_t b = 0; b * block < w->m; b++)
        for (int64_t c = 0; c < w->c; c++)
            kernels_of(w)->kernel(block, direct + b * 9 * rows + c * block, rows,
                                               packed + b * rows + c * block, panel(w));
}

/* ---- tiles ----------------------------------------------------------------------------------- */

typedef struct place {
    int64_t n, y, x; /* sample; first output pixel */
} place;

static place place_of(const ax_winograd *w, int64_t tile)
{
    int64_t plane = w->tiles_h * w->tiles_w;

    return (place){tile / plane, tile % plane / w->tiles_w * w->side, tile % w->tiles_w * w->side};
}

/* The pixels of a tile with zeros where there are none. */
static void copy_edge(const ax_winograd *w, const float *x, int64_t y0, int64_t x0, float *edge)
{
    int size = w->side + 2;

    for (int i = 0; i < size * size; i++, edge += w->c) {
        int64_t y = y0 + i / size, col = x0 + i % size;

        if (y >= 0 && y < w->in_h && col >= 0 && col < w->in_w)
            memcpy(edge, x + (y * w->in_w + col) * w->c, (size_t) w->c * sizeof(float));
        else
            memset(edge, 0, (size_t) w->c * sizeof(float));
    }
}

/* Transforms `n` tiles from `first` on into planes of `plane` floats. */
static void transform_inputs(const ax_winograd *w, const float *x, int64_t first, int64_t n,
                             float *v, int64_t plane, float *edge)
{
    const ax_winograd_table *k = kernels_of(w);

    for (int64_t i = 0; i < n; i++, v += w->c) {
        place p = place_of(w, first + i);
        const float *sample = x + p.n * w->in_h * w->in_w * w->c;
        int64_t y = p.y - w->top, col = p.x - w->left, size = w->side + 2;

        if (y >= 0 && y + size <= w->in_h && col >= 0 && col + size <= w->in_w) {
            k->input(w->c, sample + (y * w->in_w + col) * w->c, w->in_w * w->c, w->c, v, plane);
        } else {
            copy_edge(w, sample, y, col, edge);
            k->input(w->c, edge, size * w->c, w->c, v, plane);
        }
    }
}

/* products (tiles, m) = v (tiles, c) * packed (c, m), plane by plane */
static void multiply(const ax_winograd *w, const ax_winograd_job *job, const float *v, int64_t n,
                     float *products)
{
    const ax_tile_table *tiles = ax_kernels_get()->tiles;

    for (int f = 0; f < w->planes; f++) {
        ax_tile t = {.x = v + f * w->batch * w->c,
                     .at = w->c_at,
                     .run = no_offset,
                     .runs = 1,
                     .len = w->c,
                     .step = 1,
                     .y = job->packed + f * panel(w),
                     .ldy = tiles->block,
                     .y_block = w->c * tiles->block,
                     .columns = w->m,
                     .out = products + f * w->batch * w->m,
                     .to = w->m_at};

        tiles->run(&t, n);
    }
}

static void put_outputs(const ax_winograd *w, const ax_winograd_job *job, const float *products,
                        int64_t first, int64_t n)
{
    const ax_winograd_table *k = kernels_of(w);
    int64_t step = job->pool ? 2 : 1, width = w->out_w / step, height = w->out_h / step;
    int64_t plane = w->batch * w->m, most = w->side / step;

    for (int64_t i = 0; i < n; i++) {
        place p = place_of(w, first + i);
        int64_t at = ((p.n * height + p.y / step) * width + p.x / step) * w->m;
        ax_winograd_out o = {.out = job->out + at,
                             .row = width * w->m,
                             .pixel = w->m,
                             .rows = (int) AX_MIN(height - p.y / step, most),
                             .cols = (int) AX_MIN(width - p.x / step, most),
                             .start = job->start,
                             .add = job->add,
                             .relu = job->relu,
                             .where = job->where != NULL ? job->where + at : NULL};

        (job->pool ? k->pool : k->output)(w->m, products + i * w->m, plane, &o);
    }
}

void ax_winograd_forward(const ax_winograd *w, const ax_winograd_job *job)
{
    float *v = job->scratch, *products = v + w->planes * w->batch * w->c;
    float *edge = products + w->planes * w->batch * w->m;

    for (int64_t i = 0; i < w->tiles && !ax_pool_stopped(job->threads); i += w->batch) {
        int64_t n = AX_MIN(w->batch, w->tiles - i);

        transform_inputs(w, job->x, i, n, v, w->batch * w->c, edge);
        multiply(w, job, v, n, products);
        put_outputs(w, job, products, i, n);
    }
}

/* ---- the kernel's gradient ------------------------------------------------------------------- */

static void spread_gradients(const ax_winograd *w, const float *g, int64_t first, int64_t n,
                             float *y, int64_t plane)
{
    for (int64_t i = 0; i < n; i++, y += w->m) {
        place p = place_of(w, first + i);

        kernels_of(w)->spread(
            w->m, g + ((p.n * w->out_h + p.y) * w->out_w + p.x) * w->m, w->out_w * w->m, w->m,
            (int) AX_MIN(w->out_h - p.y, w->side), (int) AX_MIN(w->out_w - p.x, w->side), y, plane);
    }
}

/* du (c, m) of each plane += v' (c, tiles) * y (tiles, m) */
static void add_products(const ax_winograd *w, const float *v, const float *y, int64_t n, bool add,
                         float *du)
{
    const ax_tile_table *tiles = ax_kernels_get()->tiles;

    for (int f = 0; f < w->planes; f++) {
        ax_tile t = {.x = v + f * w->kernel_batch * w->c,
                     .at = w->step,
                     .run = no_offset,
                     .runs = 1,
                     .len = n,
                     .step = w->c,
                     .y = y + f * w->kernel_batch * w->m,
                     .ldy = w->m,
                     .y_block = tiles->block,
                     .columns = w->m,
                     .add = add,
                     .out = du + f * w->c * w->m,
                     .to = w->m_at};

        tiles->run(&t, w->c);
    }
}

void ax_winograd_kernel(const ax_winograd *w, const float *x, const float *g, float *dk,
                        float *scratch, ax_pool *threads)
{
    int64_t batch = w->kernel_batch, size = w->c * w->m;
    float *v = scratch, *y = v + w->planes * batch * w->c, *du = y + w->planes * batch * w->m;
    float *edge = du + w->planes * size;

    for (int64_t i = 0; i < w->tiles && !ax_pool_stopped(threads); i += batch) {
        int64_t n = AX_MIN(batch, w->tiles - i);

        transform_inputs(w, x, i, n, v, batch * w->c, edge);
        spread_gradients(w, g, i, n, y, batch * w->m);
        add_products(w, v, y, n, i > 0, du);
    }
    if (w->tiles > 0)
        kernels_of(w)->kernel_back(size, du, size, dk, size);
}
