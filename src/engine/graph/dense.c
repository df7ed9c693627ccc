/*
 * dense.c: see dense.h. All three products are the sum of tensor/tile.h, with one run:
 *
 *   forward    points: rows of X         steps: K    y: W, packed by blocks of columns
 *   d X        points: rows of dY        steps: N    y: W transposed, packed the same way
 *   d W        points: rows of W         steps: rows of X (or of dY)    y: dY (or X), as it lies
 */
#include "graph/dense.h"

#include "graph/product.h"

#define FAMILY_MOST 32

typedef struct dense {
    int64_t rows, k, n;
    bool bias, relu, transposed, needs_input, curved;
    ax_curve_of curve;
    ax_product forward, input; /* the second with needs_input */
    int32_t *step;             /* (max(k, n)) 0, 1, 2, ... */
    int32_t *to_at;            /* (max(k, n)) rows of packed blocks */
    int32_t *w_at;             /* rows of W */
    size_t packed_input;       /* where W transposed begins, in floats */
} dense;

/* ---- setup ----------------------------------------------------------------------------------- */

static ax_status make_tables(ax_setup *s, dense *p)
{
    int64_t most = AX_MAX(p->k, p->n);

    AX_TRY(ax_product_make(s, &p->forward, false, p->rows, p->k, p->n));
    s->scratch = ax_product_scratch(&p->forward);
    if (p->needs_input) {
        AX_TRY(ax_product_make(s, &p->input, false, p->rows, p->n, p->k));
        s->scratch_backward = ax_product_scratch(&p->input);
    }
    p->step = ax_multiples(s->arena, most, 1);
    p->to_at = ax_multiples(s->arena, most, ax_kernels_get()->tiles->block);
    p->w_at = p->transposed ? ax_multiples(s->arena, p->n, p->k)
                            : ax_multiples(s->arena, p->k, p->n);
    if (p->step == NULL || p->to_at == NULL || p->w_at == NULL)
        return ax_nomem(s->err);
    return AX_OK;
}

static ax_status setup(ax_setup *s, bool relu)
{
    dense *p = ax_setup_prep(s, sizeof(*p));
    const ax_shape *x = &s->in[0].shape, *w = &s->in[1].shape;
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
    if (p->rows * AX_MAX(p->k, p->n) > AX_PRODUCT_MOST)
        return ax_setup_fail(s, "the batch is too large");
    AX_TRY(make_tables(s, p));
    floats = ax_packed_floats(p->k, p->n);
    p->packed_input = floats;
    if (p->needs_input)
        floats += ax_packed_floats(p->n, p->k);
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

static ax_status setup_curve(ax_setup *s)
{
    dense *p;

    AX_TRY(setup(s, false));
    p = s->prep;
    p->curved = true;
    p->curve.curve = (ax_curve) ax_node_int(s->node, "curve", 0);
    p->curve.a = ax_node_float(s->node, "a", 0);
    p->curve.b = ax_node_float(s->node, "b", 0);
    return AX_OK;
}

/* ---- packing --------------------------------------------------------------------------------- */

static void pack(const ax_run *r, ax_part part)
{
    const dense *p = r->prep;
    const float *w = r->in[1].data;
    float *forward = r->packed, *input = forward + p->packed_input;

    if (p->transposed)
        ax_pack_transposed(w, p->w_at, p->k, p->n, p->to_at, part, forward);
    else
        ax_pack_straight(w, p->k, p->n, part, forward);
    if (!p->needs_input)
        return;
    if (p->transposed)
        ax_pack_straight(w, p->n, p->k, part, input);
    else
        ax_pack_transposed(w, p->w_at, p->n, p->k, p->to_at, part, input);
}

/* ---- forward and backward -------------------------------------------------------------------- */

/* y is packed weights: block after block. */
static void multiply(const ax_run *r, const ax_product *p, ax_tile *t, const ax_curve_of *then)
{
    t->ldy = ax_kernels_get()->tiles->block;
    t->y_block = t->ldy * p->depth;
    ax_product_run(r, p, t, then);
}

static void forward(const ax_run *r)
{
    const dense *p = r->prep;
    ax_tile t = {.x = r->in[0].data,
                 .y = r->packed,
                 .start = p->bias ? r->in[2].data : NULL,
                 .relu = p->relu,
                 .out = r->out[0].data};

    multiply(r, &p->forward, &t, p->curved ? &p->curve : NULL);
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
                     .y = (const float *) r->packed + p->packed_input,
                     .add = r->add[0],
                     .out = r->din[0].data};

        multiply(r, &p->input, &t, NULL);
    }
}

/* Shards whose rows one sum takes in: as many rows each, and within reach of an offset. */
typedef struct family {
    int n;
    const float *x, *g; /* of the first */
    int32_t run[FAMILY_MOST];
    int64_t y_run[FAMILY_MOST];
} family;

static int64_t distance(const float *from, const float *to)
{
    return ((intptr_t) to - (intptr_t) from) / (intptr_t) sizeof(float);
}

/* The shards from the first on that belong together. x: what is read by broadcasts. */
static family gather(const ax_run *const *shard, int n)
{
    const dense *first = shard[0]->prep;
    const ax_tensor *x = first->transposed ? &shard[0]->dout[0] : &shard[0]->in[0];
    const ax_tensor *g = first->transposed ? &shard[0]->in[0] : &shard[0]->dout[0];
    family f = {.x = x->data, .g = g->data};

    for (; f.n < n && f.n < FAMILY_MOST; f.n++) {
        const ax_run *r = shard[f.n];
        const dense *p = r->prep;
        int64_t at = distance(f.x, p->transposed ? r->dout[0].data : r->in[0].data);

        if (p->rows != first->rows || at > INT32_MAX || at < INT32_MIN)
            return f;
        f.run[f.n] = (int32_t) at;
        f.y_run[f.n] = distance(f.g, p->transposed ? r->in[0].data : r->dout[0].data);
    }
    return f;
}

/*
 * Rows of W are columns of X, or transposed of dY; the other side is read as it lies. The rows of all shards are one
 * long sum, so that its result is stored once.
 */
static void weight_gradient(const ax_run *const *shard, int n, int64_t from, int64_t to, float *out)
{
    const dense *p = shard[0]->prep;
    const ax_tile_table *tiles = ax_kernels_get()->tiles;
    int64_t row = p->transposed ? p->k : p->n;
    int32_t to_at[AX_GRADIENT_ROWS];

    for (int64_t i = 0; i < to - from; i++)
        to_at[i] = (int32_t) (i * row);
    for (int s = 0; s < n;) {
        family f = gather(shard + s, n - s);
        ax_tile t = {.x = f.x,
                     .at = p->step + from,
                     .run = f.run,
                     .runs = f.n,
                     .len = ((const dense *) shard[s]->prep)->rows,
                     .step = p->transposed ? p->n : p->k,
                     .y = f.g,
                     .y_run = f.y_run,
                     .ldy = row,
                     .y_block = tiles->block,
                     .columns = row,
                     .add = s > 0,
                     .out = out,
                     .to = to_at};

        tiles->run(&t, to - from);
        s += f.n;
    }
}

/* ---- rows of the table ----------------------------------------------------------------------- */

static const ax_attr_spec attrs[] = {
    {"transB", AX_ATTR_INT}, {"needs_input", AX_ATTR_INT}, {NULL, 0}};
static const ax_attr_spec curve_attrs[] = {{"transB", AX_ATTR_INT}, {"needs_input", AX_ATTR_INT},
                                           {"curve", AX_ATTR_INT},  {"a", AX_ATTR_FLOAT},
                                           {"b", AX_ATTR_FLOAT},    {NULL, 0}};

#define DENSE(name, label, kept, known, setup_fn)                                                  \
    const ax_op name = {.type = label,                                                             \
                        .min_in = 2,                                                               \
                        .max_in = 3,                                                               \
                        .min_out = 1,                                                              \
                        .max_out = 1,                                                              \
                        .flags = AX_KEEP_IN0 | (kept),                                             \
                        .attr = known,                                                             \
                        .setup = setup_fn,                                                         \
                        .pack = pack,                                                              \
                        .forward = forward,                                                        \
                        .backward = backward,                                                      \
                        .weight_gradient = weight_gradient}

DENSE(ax_dense, "Dense", 0, attrs, setup_plain);
DENSE(ax_dense_relu, "Dense+Relu", AX_KEEP_OUT, attrs, setup_relu);
DENSE(ax_dense_curve, "Dense+Curve", 0, curve_attrs, setup_curve);
