/*
 * op_matmul.c: MatMul (ONNX 13), numpy.matmul: the last two axes are matrices, the ones before are broadcast; a
 * vector on the left is a row, on the right a column, and its axis goes from the result.
 *
 * Gradients per matrix: dA = G * Bᵀ, dB = Aᵀ * G, summed over the broadcast axes. A stack of matrices times one
 * matrix is one product with all rows.
 *
 * The products run through the tiles (product.h), of which the right side is read as it lies where it is small, and
 * packed otherwise; those with very few columns are left to BLAS.
 */
#include "graph/product.h"

#define COLUMNS_LEAST 4         /* that a tile is worth */
#define NEAR_FLOATS   (1 << 14) /* of a right side that the first cache may hold without being packed */

/* One of the three products. */
typedef struct product {
    ax_product run;
    bool tiles;          /* else BLAS */
    bool packed;         /* the right side is packed first */
    const int32_t *y_at; /* packed from its transpose: rows of that; else NULL */
    const int32_t *to_at; /* rows of packed blocks */
} product;

typedef struct matmul {
    int64_t m, n, k;
    int64_t batches; /* of the result */
    int rank;        /* of the batch axes */
    int64_t dim[AX_MAX_RANK];                        /* of the result's batch axes */
    int64_t step_a[AX_MAX_RANK], step_b[AX_MAX_RANK]; /* in elements; 0 where broadcast */
    product y, da, db;
} matmul;

/* The shape seen as a stack of matrices: vectors become one. */
static ax_shape as_matrices(const ax_shape *s, bool left)
{
    if (s->rank >= 2)
        return *s;
    return left ? ax_shape_of(2, (const int64_t[]){1, s->dim[0]})
                : ax_shape_of(2, (const int64_t[]){s->dim[0], 1});
}

/* Strides of the batch axes of a stack, aligned to the right with those of the result. */
static void batch_steps(const matmul *p, const ax_shape *s, int64_t *step)
{
    int64_t size = s->dim[s->rank - 1] * s->dim[s->rank - 2];
    int shift = p->rank - (s->rank - 2);

    for (int i = p->rank - 1; i >= 0; i--) {
        int64_t dim = i < shift ? 1 : s->dim[i - shift];

        step[i] = dim == 1 ? 0 : size;
        size *= dim;
    }
}

static void output_shape(ax_setup *s, const matmul *p)
{
    ax_shape *out = &s->out[0].shape;

    s->out[0].type = AX_FLOAT;
    out->rank = p->rank;
    memcpy(out->dim, p->dim, sizeof(out->dim));
    if (s->in[0].shape.rank > 1)
        out->dim[out->rank++] = p->m;
    if (s->in[1].shape.rank > 1)
        out->dim[out->rank++] = p->n;
}

/*
 * out (rows, columns) = x * y. turned_x, turned_y: it stands there transposed. Scratch is asked for in *scratch.
 * Reading y as it lies must not reach past its end: columns are whole vectors then.
 */
static ax_status make_product(ax_setup *s, product *p, bool turned_x, bool turned_y, int64_t rows,
                              int64_t depth, int64_t columns, size_t *scratch)
{
    const ax_tile_table *tiles = ax_kernels_get()->tiles;
    size_t bytes;

    p->tiles = columns >= COLUMNS_LEAST && depth > 0 &&
               rows * AX_MAX(depth, columns) <= AX_PRODUCT_MOST &&
               (columns + tiles->block) * depth <= AX_PRODUCT_MOST;
    if (!p->tiles)
        return AX_OK;
    p->packed = turned_y || columns % tiles->lanes != 0 || columns * depth > NEAR_FLOATS;
    AX_TRY(ax_product_make(s, &p->run, turned_x, rows, depth, columns));
    bytes = ax_product_scratch(&p->run);
    if (p->packed)
        bytes += ax_packed_floats(depth, columns) * sizeof(float);
    *scratch = AX_MAX(*scratch, bytes);
    if (!turned_y)
        return AX_OK;
    p->y_at = ax_multiples(s->arena, columns, depth);
    p->to_at = ax_multiples(s->arena, depth, tiles->block);
    return p->y_at != NULL && p->to_at != NULL ? AX_OK : ax_nomem(s->err);
}

/* out = x * y, added to it when add. */
static void multiply(const ax_run *r, const product *p, const float *x, const float *y, bool add,
                     float *out)
{
    int64_t block = ax_kernels_get()->tiles->block;
    float *packed = (float *) ((uint8_t *) r->scratch + ax_product_scratch(&p->run));
    ax_tile t = {.x = x,
                 .y = p->packed ? packed : y,
                 .ldy = p->packed ? block : p->run.columns,
                 .y_block = p->packed ? block * p->run.depth : block,
                 .add = add,
                 .out = out};

    if (p->y_at != NULL)
        ax_pack_transposed(y, p->y_at, p->run.depth, p->run.columns, p->to_at, AX_WHOLE, packed);
    else if (p->packed)
        ax_pack_straight(y, p->run.depth, p->run.columns, AX_WHOLE, packed);
    ax_product_run(r, &p->run, &t, NULL);
}

static ax_status setup(ax_setup *s)
{
    matmul *p = ax_setup_prep(s, sizeof(*p));
    ax_shape a, b, batch_a, batch_b, batch;

    if (p == NULL)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 1, AX_MAX_RANK));
    AX_TRY(ax_setup_float(s, 1, 1, AX_MAX_RANK));
    a = as_matrices(&s->in[0].shape, true);
    b = as_matrices(&s->in[1].shape, false);
    p->m = a.dim[a.rank - 2];
    p->k = a.dim[a.rank - 1];
    p->n = b.dim[b.rank - 1];
    if (b.dim[b.rank - 2] != p->k)
        return ax_setup_fail(s, "the inner dimensions are %lld and %lld", (long long) p->k,
                             (long long) b.dim[b.rank - 2]);
    batch_a = ax_shape_of(a.rank - 2, a.dim);
    batch_b = ax_shape_of(b.rank - 2, b.dim);
    if (!ax_shape_broadcast(&batch_a, &batch_b, &batch))
        return ax_setup_fail(s, "the axes before the matrices do not broadcast");
    p->rank = batch.rank;
    memcpy(p->dim, batch.dim, sizeof(p->dim));
    p->batches = ax_shape_elements(&batch);
    batch_steps(p, &a, p->step_a);
    batch_steps(p, &b, p->step_b);
    /* a stack on the left and one matrix on the right: its rows are one tall matrix */
    if (b.rank == 2 && s->in[0].shape.rank > 2) {
        p->m *= p->batches;
        p->batches = 1;
    }
    output_shape(s, p);
    if (b.rank == 2 && s->in[0].shape.rank > 2)
        s->out[0].shape.dim[s->in[0].shape.rank - 2] = a.dim[a.rank - 2];
    AX_TRY(make_product(s, &p->y, false, false, p->m, p->k, p->n, &s->scratch));
    if (!s->training)
        return AX_OK;
    AX_TRY(make_product(s, &p->da, false, true, p->m, p->n, p->k, &s->scratch_backward));
    return make_product(s, &p->db, true, false, p->k, p->m, p->n, &s->scratch_backward);
}

/* Where the matrices of batch number i lie in A and B. */
static void offsets(const matmul *p, int64_t i, int64_t *at_a, int64_t *at_b)
{
    *at_a = *at_b = 0;
    for (int d = p->rank - 1; d >= 0 && p->batches > 1; d--) {
        *at_a += i % p->dim[d] * p->step_a[d];
        *at_b += i % p->dim[d] * p->step_b[d];
        i /= p->dim[d];
    }
}

static void forward(const ax_run *r)
{
    const matmul *p = r->prep;
    const float *a = r->in[0].data, *b = r->in[1].data;
    float *y = r->out[0].data;

    for (int64_t i = 0; i < p->batches && !ax_pool_stopped(r->pool); i++) {
        int64_t at_a, at_b;

        offsets(p, i, &at_a, &at_b);
        if (p->y.tiles)
            multiply(r, &p->y, a + at_a, b + at_b, false, y + i * p->m * p->n);
        else
            ax_gemm(false, false, p->m, p->n, p->k, 1.0f, a + at_a, p->k, b + at_b, p->n,
                    0.0f, y + i * p->m * p->n, p->n);
    }
}

static void clear(const ax_run *r, int i)
{
    if (ax_wants_grad(r, i) && !r->add[i])
        memset(r->din[i].data, 0, (size_t) ax_shape_elements(&r->in[i].shape) * sizeof(float));
}

static void backward(const ax_run *r)
{
    const matmul *p = r->prep;
    const float *a = r->in[0].data, *b = r->in[1].data, *g = r->dout[0].data;
    float *da = ax_wants_grad(r, 0) ? r->din[0].data : NULL;
    float *db = ax_wants_grad(r, 1) ? r->din[1].data : NULL;

    clear(r, 0);
    clear(r, 1);
    for (int64_t i = 0; i < p->batches && !ax_pool_stopped(r->pool); i++, g += p->m * p->n) {
        int64_t at_a, at_b;

        offsets(p, i, &at_a, &at_b);
        if (da != NULL && p->da.tiles)
            multiply(r, &p->da, g, b + at_b, true, da + at_a);
        else if (da != NULL)
            ax_gemm(false, true, p->m, p->k, p->n, 1.0f, g, p->n, b + at_b, p->n, 1.0f, da + at_a,
                    p->k);
        if (db != NULL && p->db.tiles)
            multiply(r, &p->db, a + at_a, g, true, db + at_b);
        else if (db != NULL)
            ax_gemm(true, false, p->k, p->n, p->m, 1.0f, a + at_a, p->k, g, p->n, 1.0f, db + at_b,
                    p->n);
    }
}

const ax_op ax_op_matmul = {.type = "MatMul",
                            .since = 13,
                            .min_in = 2,
                            .max_in = 2,
                            .min_out = 1,
                            .max_out = 1,
                            .flags = AX_KEEP_IN0 | AX_KEEP_IN1,
                            .setup = setup,
                            .forward = forward,
                            .backward = backward};
