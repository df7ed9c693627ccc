/*
 * product.c: products that can be cancelled, and products whose rows do not know of each other.
 *
 * A BLAS chooses its inner loops by the size of the whole product, and sums in another order in each of
 * them; so the last bits of a row change with the number of rows beside it. ax_product_rows always multiplies
 * TILE rows, the last ones filled up with zeros: the size is then a property of the model. Within
 * a tile a row's place must not matter either. It does not for 4 and 8 rows with any of OpenBLAS's kernels
 * for x86-64; it does for 12, 16 and 32 with those for Haswell. test_op_gemm watches over it.
 */
#include "graph/product.h"

#define TILE 8
#define PIECE ((int64_t) 1 << 28) /* multiplications in one call: a few milliseconds */

static void multiply(const ax_product *p, int64_t from, int64_t rows)
{
    ax_gemm(p->trans_a, p->trans_b, rows, p->n, p->k, p->alpha,
            p->a + (p->trans_a ? from : from * p->lda), p->lda, p->b, p->ldb, p->beta,
            p->c + from * p->ldc, p->ldc);
}

void ax_product_run(const ax_product *p, ax_pool *pool)
{
    int64_t row = AX_MAX(p->n, 1) * AX_MAX(p->k, 1), rows = AX_MAX(PIECE / row, 1);

    for (int64_t i = 0; i < p->m && !ax_pool_stopped(pool); i += rows)
        multiply(p, i, AX_MIN(rows, p->m - i));
}

bool ax_product_rows_scratch(int64_t n, int64_t k, size_t *bytes)
{
    size_t floats;

    return ax_add_size((size_t) n, (size_t) k, &floats) &&
           ax_mul_size(floats, TILE * sizeof(float), bytes);
}

/* The last rows, fewer than TILE of them, in a tile of their own. */
static void multiply_rest(const ax_product *p, int64_t from, float *scratch)
{
    int64_t rows = p->m - from;
    float *a = scratch, *c = scratch + TILE * p->k; /* (TILE, k), (TILE, n) */
    ax_product tile = *p;

    memset(scratch, 0, (size_t) (TILE * (p->k + p->n)) * sizeof(float));
    for (int64_t i = 0; i < rows; i++) {
        memcpy(a + i * p->k, p->a + (from + i) * p->lda, (size_t) p->k * sizeof(float));
        if (p->beta != 0)
            memcpy(c + i * p->n, p->c + (from + i) * p->ldc, (size_t) p->n * sizeof(float));
    }
    tile.a = a;
    tile.lda = p->k;
    tile.c = c;
    tile.ldc = p->n;
    multiply(&tile, 0, TILE);
    for (int64_t i = 0; i < rows; i++)
        memcpy(p->c + (from + i) * p->ldc, c + i * p->n, (size_t) p->n * sizeof(float));
}

void ax_product_rows(const ax_product *p, float *scratch, ax_pool *pool)
{
    int64_t i = 0;

    for (; i + TILE <= p->m && !ax_pool_stopped(pool); i += TILE)
        multiply(p, i, TILE);
    if (i < p->m && !ax_pool_stopped(pool))
        multiply_rest(p, i, scratch);
}
