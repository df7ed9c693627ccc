/*
 * kernel.h: the table of inner loops, one row of function pointers per instruction set.
 *
 * Start at the baseline, upgrade by what the CPU has (at first use), force for tests. Every kernel is a
 * pure function of its arguments: no allocation, no threads, no state. Unless said otherwise n is a count
 * of floats, pointers need no alignment, outputs may be the very same pointer as an input (not overlap
 * otherwise), n = 0 is fine, and NaN in gives NaN out.
 *
 * One source, kernel_impl.inc with the .inc files that it includes, written with GCC vector extensions over a width
 * macro, is compiled once per instruction set by kernel_base.c, kernel_avx2.c and kernel_avx512.c. A faster special
 * kernel is one more pointer here, its plain loop stays as the oracle in the tests.
 *
 * Accuracy of the transcendental kernels, measured in test/unit over all of their range: exp 2 ulp, tanh
 * 4 ulp, sigmoid 4 ulp, log 2 ulp, erf 4 ulp (absolute 1e-6 where the result is below 1e-30); of the curves: gelu
 * 4 ulp or 1e-7 (1 + |x|), its tanh form 4 ulp or twice that, elu and softplus 8 ulp, all slopes 1e-6.
 */
#ifndef AX_KERNEL_H
#define AX_KERNEL_H

#include "tensor/channel.h"
#include "tensor/tree.h"
#include "tensor/winograd.h"

/*
 * Functions of one number (op_unary.c), with up to two constants, a and b. A gradient is made from x, but from y where
 * an operator keeps that: clip, exp, hard_sigmoid, relu, sigmoid, sqrt, tanh.
 */
#define AX_CURVE_LIST(C)                                                                           \
    C(abs, ABS)                                                                                    \
    C(clip, CLIP) /* to [a, b] */                                                                  \
    C(elu, ELU)   /* b (x > 0 ? x : a (e^x - 1)) */                                                \
    C(erf, ERF)                                                                                    \
    C(exp, EXP)                                                                                    \
    C(gelu, GELU)                                                                                  \
    C(gelu_tanh, GELU_TANH)                                                                        \
    C(hard_sigmoid, HARD_SIGMOID) /* a x + b within [0, 1] */                                      \
    C(hard_swish, HARD_SWISH)                                                                      \
    C(leaky_relu, LEAKY_RELU) /* x >= 0 ? x : a x */                                               \
    C(log, LOG)                                                                                    \
    C(neg, NEG)                                                                                    \
    C(relu, RELU)                                                                                  \
    C(sigmoid, SIGMOID)                                                                            \
    C(softplus, SOFTPLUS)                                                                          \
    C(softsign, SOFTSIGN)                                                                          \
    C(sqrt, SQRT)                                                                                  \
    C(tanh, TANH)

typedef enum ax_curve {
#define AX_CURVE_NAME(name, upper) AX_CURVE_##upper,
    AX_CURVE_LIST(AX_CURVE_NAME)
#undef AX_CURVE_NAME
    AX_CURVES
} ax_curve;

/* What the gradient of a normalized row is made of: statistics of x, and means of h = g * scale and of h * x^. */
typedef struct ax_norm_row {
    float mean, inv, a, b;
} ax_norm_row;

/* The scalars of an optimizer's step, as far as it has them. */
typedef struct ax_update {
    float rate;
    float decay; /* decoupled weight decay: p -= decay * p, first; with the learning rate folded in */
    float momentum, rho, beta1, beta2, epsilon;
    float step; /* adam: learning rate with the bias correction of m folded in: lr * sqrt(1-b2^t) / (1-b1^t) */
    float of_m, of_g, rectify; /* nadam: factors of m, of g, of v */
} ax_update;

/* One pass over n parameters p, their gradients g, and what the optimizer remembers of them in its slots. */
typedef void (*ax_update_fn)(int64_t n, const ax_update *u, const float *g, float *const *slot,
                             float *p);

typedef struct ax_kernels {
    const char *name; /* "baseline", "avx2", "avx512" */
    const ax_tile_table *tiles; /* sums of products */
    const ax_channel_table *channels;
    ax_descend_fn descend; /* trees (tree.h) */
    const ax_winograd_table *winograd; /* [0]: tiles of 2x2, [1]: of 4x4 */

    /* y = a op b */
    void (*add)(int64_t n, const float *a, const float *b, float *y);
    void (*sub)(int64_t n, const float *a, const float *b, float *y);
    void (*mul)(int64_t n, const float *a, const float *b, float *y);
    void (*div)(int64_t n, const float *a, const float *b, float *y);
    /* y = a op s: one scalar */
    void (*add_scalar)(int64_t n, const float *a, float s, float *y);
    void (*mul_scalar)(int64_t n, const float *a, float s, float *y);
    void (*div_scalar)(int64_t n, const float *a, float s, float *y);
    /* y = s op b */
    void (*scalar_sub)(int64_t n, float s, const float *b, float *y);
    void (*scalar_div)(int64_t n, float s, const float *b, float *y);
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
    /* y = larger of a and b; NaN wins */
    void (*maximum)(int64_t n, const float *a, const float *b, float *y);
    /* y[i] = x[i] as a number */
    void (*u8_to_float)(int64_t n, const uint8_t *x, float *y);


    void (*curve[AX_CURVES])(int64_t n, float a, float b, const float *x, float *y);
    /* dx = dy * slope, added to dx when add; v: x or y, see above. A relu that is off lets nothing through, not even
     * infinity. */
    void (*curve_back[AX_CURVES])(int64_t n, float a, float b, const float *v, const float *dy,
                                  float *dx, bool add);

    /* A row of n > 0 numbers: y = e^(x - max) / sum; dx = (dy - sum(dy y)) y */
    void (*softmax)(int64_t n, const float *x, float *y);
    void (*softmax_back)(int64_t n, const float *y, const float *dy, float *dx, bool add);

    /* Layer normalization of a row, x^ = (x - mean) inv. Sums of at most some thousand numbers: they are floats. */
    float (*squares)(int64_t n, const float *x, float shift); /* sum (x - shift)^2 */
    /* y = x^ scale + bias; bias may be NULL */
    void (*normalize)(int64_t n, const float *x, float mean, float inv, const float *scale,
                      const float *bias, float *y);
    /* of h = g scale: *sum = sum h, *sum_x = sum h x^ */
    void (*normalize_sums)(int64_t n, const float *x, const float *g, const float *scale, float mean,
                           float inv, float *sum, float *sum_x);
    /* dx = inv (h - a - x^ b), added to dx when add */
    void (*normalize_back)(int64_t n, const float *x, const float *g, const float *scale,
                           const ax_norm_row *s, float *dx, bool add);
    /* dscale += g x^, dbias += g; either may be NULL */
    void (*normalize_weights)(int64_t n, const float *x, const float *g, float mean, float inv,
                              float *dscale, float *dbias);

    /*
     * keep = draw >= threshold; y = keep ? scale x : 0. The draws are the halves, the low one first, of
     * ax_rng_at(key, position), ax_rng_at(key, position + 1), ...
     */
    void (*dropout)(int64_t n, uint64_t key, uint64_t position, uint32_t threshold, float scale,
                    const float *x, uint8_t *keep, float *y);
    /* dx = keep ? scale dy : 0, added to dx when add */
    void (*dropout_back)(int64_t n, const uint8_t *keep, float scale, const float *dy, float *dx,
                         bool add);

    /*
     * Slots: momentum, nesterov: momentum. rmsprop: mean square, momentum or NULL, mean or NULL (not centered).
     * adagrad: sum of squares. adam, amsgrad, nadam: the two moments; amsgrad: the largest second one.
     */
    ax_update_fn sgd, momentum, nesterov, rmsprop, adagrad, adam, amsgrad, nadam;
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
