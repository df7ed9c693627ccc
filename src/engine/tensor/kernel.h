/*
 * kernel.h: the table of inner loops, one row of function pointers per instruction set.
 *
 * Start at the baseline, upgrade by what the CPU has (at first use), force for tests. Every kernel is a
 * pure function of its arguments: no allocation, no threads, no state. Unless said otherwise n is a count
 * of floats, pointers need no alignment, outputs may be the very same pointer as an input (not overlap
 * otherwise), n = 0 is fine, and NaN in gives NaN out.
 *
 * One source, kernel_impl.inc, written with GCC vector extensions over a width macro, is compiled once per
 * instruction set by kernel_base.c, kernel_avx2.c and kernel_avx512.c. A faster special kernel is one more
 * pointer here, its plain loop stays as the oracle in the tests.
 *
 * Accuracy of the transcendental kernels, measured in test/unit over all of their range: exp 2 ulp, tanh
 * 4 ulp, sigmoid 4 ulp, log 2 ulp, erf 4 ulp (absolute 1e-6 where the result is below 1e-30).
 */
#ifndef AX_KERNEL_H
#define AX_KERNEL_H

#include "tensor/channel.h"
#include "tensor/winograd.h"

typedef struct ax_adam_args {
    float beta1, beta2, epsilon;
    float step;  /* learning rate with the bias correction of m folded in: lr * sqrt(1-b2^t) / (1-b1^t) */
    float decay; /* decoupled weight decay: p -= decay * p, with the learning rate folded in; 0 for adam */
} ax_adam_args;

typedef struct ax_kernels {
    const char *name; /* "baseline", "avx2", "avx512" */
    const ax_tile_table *tiles; /* sums of products */
    const ax_channel_table *channels;
    const ax_winograd_table *winograd;

    /* y = a op b */
    void (*add)(int64_t n, const float *a, const float *b, float *y);
    void (*sub)(int64_t n, const float *a, const float *b, float *y);
    void (*mul)(int64_t n, const float *a, const float *b, float *y);
    void (*div)(int64_t n, const float *a, const float *b, float *y);
    /* y = a op s: one scalar */
    void (*add_scalar)(int64_t n, const float *a, float s, float *y);
    void (*mul_scalar)(int64_t n, const float *a, float s, float *y);
    /* y += s * x */
    void (*axpy)(int64_t n, float s, const float *x, float *y);
    /* y += a * b */
    void (*muladd)(int64_t n, const float *a, const float *b, float *y);
    float (*sum)(int64_t n, const float *x);               /* fixed order for a given table */
    float (*dot)(int64_t n, const float *a, const float *b); /* fixed order for a given table */
    float (*max)(int64_t n, const float *x);               /* n > 0 */

    void (*exp)(int64_t n, const float *x, float *y);
    void (*log)(int64_t n, const float *x, float *y);
    void (*tanh)(int64_t n, const float *x, float *y);
    void (*sigmoid)(int64_t n, const float *x, float *y);
    void (*erf)(int64_t n, const float *x, float *y);
    void (*relu)(int64_t n, const float *x, float *y);
    /* dx = (y > 0 ? dy : 0), added to dx when add */
    void (*relu_grad)(int64_t n, const float *y, const float *dy, float *dx, bool add);
    /* y[i] = x[i] as a number */
    void (*u8_to_float)(int64_t n, const uint8_t *x, float *y);

    /* One pass over parameters, moments and gradient. */
    void (*adam)(int64_t n, const ax_adam_args *args, const float *g, float *m, float *v, float *p);
} ax_kernels;

/* The table in use. Never NULL. */
const ax_kernels *ax_kernels_get(void);
/* By name; NULL when this CPU or build lacks it. */
const ax_kernels *ax_kernels_named(const char *name);

/* The three tables; NULL where the compiler could not build one (kernel_*.c). */
const ax_kernels *ax_kernels_baseline(void);
const ax_kernels *ax_kernels_avx2(void);
const ax_kernels *ax_kernels_avx512(void);

/*
 * BLAS (blas.c): row-major sgemm over OpenBLAS at one thread.
 * c (m x n) = alpha * op(a) (m x k) * op(b) (k x n) + beta * c; lda, ldb, ldc are row strides of the
 * matrices as stored. beta 0 never reads c. m, n or k of 0 are fine. Safe to call from many threads at once.
 */
void ax_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
             const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
             int64_t ldc);

#endif /* AX_KERNEL_H */
