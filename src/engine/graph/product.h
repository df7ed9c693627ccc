/*
 * product.h: matrix products as operators need them: such that a long one can be cancelled, and such that a row
 * of a batch gets the same bits whatever stands in the other rows and however many there are.
 */
#ifndef AX_PRODUCT_H
#define AX_PRODUCT_H

#include "tensor/kernel.h"
#include "tensor/pool.h"

/* ax_gemm's arguments: c (m x n) = alpha * op(a) (m x k) * op(b) (k x n) + beta * c. */
typedef struct ax_product {
    bool trans_a, trans_b;
    int64_t m, n, k;
    float alpha, beta;
    const float *a;
    int64_t lda;
    const float *b;
    int64_t ldb;
    float *c;
    int64_t ldc;
} ax_product;

/* The product, in pieces of a few milliseconds; gives up between two when the pool is stopped. */
void ax_product_run(const ax_product *p, ax_pool *pool);

/*
 * The same for a batch of rows: op(a) is a (no trans_a) and row i of c depends on row i of a only, to the
 * last bit. scratch: ax_product_rows_scratch bytes.
 */
void ax_product_rows(const ax_product *p, float *scratch, ax_pool *pool);
/* False when the size overflows. */
bool ax_product_rows_scratch(int64_t n, int64_t k, size_t *bytes);

#endif /* AX_PRODUCT_H */
