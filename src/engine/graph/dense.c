/*
 * dense.c: see dense.h. All three products are the sum of tensor/tile.h, with one run:
 *
 *   forward    points: rows of X         steps: K    y: W, packed by blocks of columns
 *   d X        points: rows of dY        steps: N    y: W transposed, packed the same way
 *   d W        points: rows of W         steps: rows of X (or of dY)    y: dY (or X), as it lies
 *
 * Long sums are cut into pieces of DEPTH steps, so that the block of y that a piece needs stays in the first cache
 * while all rows pass by.
 */
#include "graph/dense.h"

#define DEPTH      256
#define OFFSET_MOST 0x3fffffff

typedef struct dense {
    int64_t rows, k, n;
    bool bias, relu, transposed, needs_input;
    int32_t *x_at, *y_at; /* (rows) offsets of rows of X and Y */
    int32_t *step;        /* (max(k, n)) 0, 1, 2, ... */
    int32_t *k_at, *n_at; /* rows of packed blocks: (k) or (n) times the block */
    int32_t *w_at;        /* rows of W */
    size_t packed_input;  /* where W transposed begins, in floats */
} dense;

static const int32_t no_offset[1] = {0};

/* ---- setup ----------------------------------------------------------------------------------- */

static int32_t *multiples(ax_arena *a, int64_t n, int64_t of)
{
    int32_t *t = ax_arena_array(a, (size_t) n, sizeof(int32_t));

    for (int64_t i = 0; t != NULL && i < n; i++)
        t[i] = (int32_t) (i * of);
    return t;
}

static int64_t blocks_of(int64_t columns)
{
    int block = ax_kernels_get()->tiles->block;

    return (columns + block - 1) / block;
}

static ax_status make_tables(ax_setup *s, dense *p)
{
    int64_t block = ax_kernels_get()->tiles->block;

    p->x_at = multiples(s->arena, p->rows, p->k);
    p->y_at = multiples(s->arena, p->rows, p->n);
    p->step = multiples(s->arena, AX_MAX(p->k, p->n), 1);
    p->k_at = multiples(s->arena, p->k, block);
    p->n_at = multiples(s->arena, p->n, block);
    p->w_at = p->transposed ? multiples(s->arena, p->n, p->k) : multiples(s->arena, p->k, p->n);
    if (p->x_at == NULL || p->y_at == NULL || p->step == NULL || p->k_at == NULL ||
        p->n_at == NULL || p->w_at == NULL)
        return ax_nomem(s->err);
    return AX_OK;
}

static ax_status setup(ax_setup *s, bool relu)
{
    dense *p = ax_setup_prep(s, sizeof(*p));
    const ax_shape *x = &s->in[0].shape, *w = &s->in[1].shape;
    int64_t block = ax_kernels_get()->tiles->block;
    size_t floats;

    if (p == NULL)
        return ax_nomem(s->err);
    p->transposed = ax_node_int(s->node, "transB", 0) != 0;
    p->needs_input = s->training && ax_node_int(s->node, "needs_input", 1) != 0;
    p->relu = relu;
    p->bias = s->n_in > 2 && s->in[2].shape.rank >= 0;
    p->k = w->dim[p->transposed ? 1 : 0];
    p->n = w->dim[p->transposed ? 0 : 1];
    p->rows = ax_shape_span(x, 0, x->rank - 1);
    if (x->dim[x->rank - 1] != p->k)
        return ax_setup_fail(s, "the inner dimensions are %lld and %lld",
                             (long long) x->dim[x->rank - 1], (long long) p->k);
    if (p->rows * AX_MAX(p->k, p->n) > OFFSET_MOST)
        return ax_setup_fail(s, "the batch is too large");
    AX_TRY(make_tables(s, p));
    floats = (size_t) (blocks_of(p->n) * p->k * block);
    p->packed_input = floats;
    if (p->needs_input)
        floats += (size_t) (blocks_of(p->k) * p->n * block);
    s->packed = floats * sizeof(float);
    s->out[0].type = AX_FLOAT;
    s->out[0].shape = *x;
    s->out[0].shape.dim[x->rank - 1] = p->n;
    return AX_OK;
}

static ax_status setup_plain(ax_setup *s)
{
    return setup(s, false);
}

static ax_status setup_relu(ax_setup *s)
{
    return setup(s, true);
}

/* ---- packing --------------------------------------------------------------------------------- */

/* Columns of w (rows, columns) by blocks. */
static void pack_straight(const float *w, int64_t rows, int64_t columns, float *to)
{
    int64_t block = ax_kernels_get()->tiles->block;

    for (int64_t c = 0; c < columns; c += block)
        for (int64_t i = 0; i < rows; i++, to += block)
            memcpy(to, w + i * columns + c, (size_t) AX_MIN(block, columns - c) * sizeof(float));
}

/* Rows of w (rows, columns) become columns, by blocks. */
static void pack_transposed(const float *w, const int32_t *w_at, int64_t rows, int64_t columns,
                            const int32_t *to_at, float *to)
{
    int64_t block = ax_kernels_get()->tiles->block;

    for (int64_t i = 0; i < rows; i += block, to += columns * block)
        ax_kernels_get()->channels->transpose(AX_MIN(block, rows - i), columns, w, w_at + i, to,
                                              to_at);
}

static void pack(const ax_run *r)
{
    const dense *p = r->prep;
    const float *w = r->in[1].data;
    float *forward = r->packed, *input = forward + p->packed_input;

    if (p->transposed)
        pack_transposed(w, p->w_at, p->n, p->k, p->k_at, forward);
    else
        pack_straight(w, p->k, p->n, forward);
    if (!p->needs_input)
        return;
    if (p->transposed)
        pack_straight(w, p->n, p->k, input);
    else
        pack_transposed(w, p->w_at, p->k, p->n, p->n_at, input);
}

/* ---- forward and backward -------------------------------------------------------------------- */

/* out (rows, columns) = x (rows, depth) * packed (depth, columns), what t has beside that included. */
static void multiply(const ax_run *r, ax_tile t, int64_t rows, int64_t depth)
{
    const ax_tile_table *tiles = ax_kernels_get()->tiles;
    const float *x = t.x, *y = t.y;
    bool relu = t.relu;

    t.run = no_offset;
    t.runs = 1;
    t.step = 1;
    t.ldy = tiles->block;
    t.y_block = depth * tiles->block;
    if (rows <= 2) {
        t.len = depth;
        tiles->run(&t, rows);
        return;
    }
    for (int64_t k = 0; (k < depth || k == 0) && !ax_pool_stopped(r->pool); k += DEPTH) {
        t.len = AX_MIN(DEPTH, depth - k);
        t.x = x + k;
        t.y = y + k * tiles->block;
        t.relu = relu && k + DEPTH >= depth;
        tiles->run(&t, rows);
        t.start = NULL;
        t.add = true;
    }
}

static void forward(const ax_run *r)
{
    const dense *p = r->prep;
    ax_tile t = {.x = r->in[0].data,
                 .at = p->x_at,
                 .y = r->packed,
                 .columns = p->n,
                 .start = p->bias ? r->in[2].data : NULL,
                 .relu = p->relu,
                 .out = r->out[0].data,
                 .to = p->y_at};

    multiply(r, t, p->rows, p->k);
}

static void backward(const ax_run *r)
{
    const dense *p = r->prep;
    float *db = ax_wants_grad(r, 2) ? r->din[2].data : NULL;

    if (db != NULL && !r->add[2])
        memset(db, 0, (size_t) p->n * sizeof(float));
    if (db != NULL || p->relu)
        ax_kernels_get()->tiles->relu_back(p->rows, p->n, p->relu ? r->out[0].data : NULL, NULL,
                                           r->dout[0].data, db);
    if (ax_wants_grad(r, 0)) {
        ax_tile t = {.x = r->dout[0].data,
                     .at = p->y_at,
                     .y = (const float *) r->packed + p->packed_input,
                     .columns = p->k,
                     .add = r->add[0],
                     .out = r->din[0].data,
                     .to = p->x_at};

        multiply(r, t, p->rows, p->n);
    }
}

/* Rows of W are columns of X, or transposed of dY; the other side is read as it lies. */
static void weight_gradient(const ax_run *const *shard, int n, int64_t from, int64_t to, float *out)
{
    const dense *first = shard[0]->prep;
    const ax_tile_table *tiles = ax_kernels_get()->tiles;
    int64_t row = first->transposed ? first->k : first->n;
    int32_t to_at[AX_GRADIENT_ROWS];

    for (int64_t i = 0; i < to - from; i++)
        to_at[i] = (int32_t) (i * row);
    for (int s = 0; s < n; s++) {
        const dense *p = shard[s]->prep;
        const float *x = shard[s]->in[0].data, *g = shard[s]->dout[0].data;
        ax_tile t = {.x = p->transposed ? g : x,
                     .at = p->step + from,
                     .run = no_offset,
                     .runs = 1,
                     .len = p->rows,
                     .step = p->transposed ? p->n : p->k,
                     .y = p->transposed ? x : g,
                     .ldy = row,
                     .y_block = tiles->block,
                     .columns = row,
                     .add = s > 0,
                     .out = out,
                     .to = to_at};

        tiles->run(&t, to - from);
    }
}

/* ---- rows of the table ----------------------------------------------------------------------- */

static const ax_attr_spec attrs[] = {
    {"transB", AX_ATTR_INT}, {"needs_input", AX_ATTR_INT}, {NULL, 0}};

#define DENSE(name, label, kept, setup_fn)                                                         \
    const ax_op name = {.type = label,                                                             \
                        .min_in = 2,                                                               \
                        .max_in = 3,                                                               \
                        .min_out = 1,                                                              \
                        .max_out = 1,                                                              \
                        .flags = AX_KEEP_IN0 | (kept),                                             \
                        .attr = attrs,                                                             \
                        .setup = setup_fn,                                                         \
                        .pack = pack,                                                              \
                        .forward = forward,                                                        \
                        .backward = backward,                                                      \
                        .weight_gradient = weight_gradient}

DENSE(ax_dense, "Dense", 0, setup_plain);
DENSE(ax_dense_relu, "Dense+Relu", AX_KEEP_OUT, setup_relu);
