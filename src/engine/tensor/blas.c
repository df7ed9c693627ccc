/*
 * blas.c: matrix products, by OpenBLAS at one thread.
 *
 * The engine's threads are the only ones: OpenBLAS's own would be started with the server's signals
 * unblocked, and would cut a product differently for each number of threads. Products so large that
 * a dimension does not fit BLAS's int are cut into pieces here.
 */
#include "tensor/kernel.h"

#include <cblas.h>
#include <limits.h>
#include <pthread.h>

/* Only OpenBLAS has them; another BLAS that takes its place is used as it is. */
extern void openblas_set_num_threads(int n);
extern int blas_thread_shutdown_(void);
#pragma weak openblas_set_num_threads
#pragma weak blas_thread_shutdown_

#define PIECE ((int64_t) 1 << 30) /* of a dimension */

static void use_one_thread(void)
{
    if (openblas_set_num_threads != NULL)
        openblas_set_num_threads(1);
    /* OpenBLAS starts its pool when it is loaded; at one thread it never starts it again */
    if (blas_thread_shutdown_ != NULL)
        (void) blas_thread_shutdown_();
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

void ax_engine_init(void)
{
    pthread_once(&once, use_one_thread);
}

/* What is left when there is nothing to multiply. */
static void scale(int64_t m, int64_t n, float beta, float *c, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++)
            c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    }
}

/* For strides that BLAS cannot express: rows of more than 8 GB. */
static void plain_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
                       const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
                       float *c, int64_t ldc)
{
    scale(m, n, beta, c, ldc);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t l = 0; l < k; l++) {
            float x = alpha * (trans_a ? a[l * lda + i] : a[i * lda + l]);

            for (int64_t j = 0; j < n; j++)
                c[i * ldc + j] += x * (trans_b ? b[j * ldb + l] : b[l * ldb + j]);
        }
    }
}

/* Every dimension at most PIECE, none of them 0. */
static void gemm_piece(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
                       const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
                       float *c, int64_t ldc)
{
    if (lda > INT_MAX || ldb > INT_MAX || ldc > INT_MAX)
        plain_gemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    else
        cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
                    trans_b ? CblasTrans : CblasNoTrans, (int) m, (int) n, (int) k, alpha, a,
                    (int) lda, b, (int) ldb, beta, c, (int) ldc);
}

/* The stride of a matrix of one row means nothing; BLAS wants it plausible all the same. */
static int64_t stride(int64_t rows, int64_t cols, int64_t ld)
{
    return rows == 1 ? AX_MIN(cols, PIECE) : ld;
}

void ax_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
             const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
             int64_t ldc)
{
    ax_engine_init();
    if (m <= 0 || n <= 0)
        return;
    if (k <= 0) {
        scale(m, n, beta, c, ldc);
        return;
    }
    lda = trans_a ? stride(k, m, lda) : stride(m, k, lda);
    ldb = trans_b ? stride(n, k, ldb) : stride(k, n, ldb);
    ldc = stride(m, n, ldc);
    for (int64_t i = 0; i < m; i += PIECE) {
        for (int64_t j = 0; j < n; j += PIECE) {
            for (int64_t l = 0; l < k; l += PIECE)
                gemm_piece(trans_a, trans_b, AX_MIN(PIECE, m - i), AX_MIN(PIECE, n - j),
                           AX_MIN(PIECE, k - l), alpha, a + (trans_a ? l * lda + i : i * lda + l),
                           lda, b + (trans_b ? j * ldb + l : l * ldb + j), ldb, l == 0 ? beta : 1,
                           c + i * ldc + j, ldc);
        }
    }
}
