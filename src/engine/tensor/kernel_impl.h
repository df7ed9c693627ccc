/*
 * kernel_impl.h: the kernels, compiled once per instruction set.
 *
 * The including file defines KERNEL_LANES (floats in a vector), KERNEL_NAME and KERNEL_GETTER.
 * There are no intrinsics: GCC's vector types have operators, and the flags of the file choose the
 * instructions.
 *
 * Every table gives the same bits. Nothing here depends on the width of a vector: elementwise
 * kernels treat every element alike (a tail goes through the same code, padded to a vector), there
 * are no fused multiply-adds, and reductions keep SUM_LANES partial results whatever the vectors
 * are, and join them in one order. So a model that leaves the matrix products alone does not notice
 * the CPU.
 *
 * The elementary functions reduce their argument to a small interval and evaluate a minimax
 * polynomial there (found by Remez exchange at 40 digits; the error it leaves, relative to the
 * function, stands beside it). Rounding adds the rest; test_kernel measures the sum. They branch
 * nowhere: all cases are computed and the right one is selected.
 */
#include "tensor/kernel.h"

#include <math.h>

#define L         KERNEL_LANES
#define SUM_LANES 32
#define INLINE    static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(4 * L)));
typedef int32_t vi __attribute__((vector_size(4 * L)));
typedef uint32_t vu __attribute__((vector_size(4 * L)));
typedef float vf_unaligned __attribute__((vector_size(4 * L), aligned(4), may_alias));

INLINE vf load(const float *p)
{
    return *(const vf_unaligned *) p;
}

INLINE void store(float *p, vf x)
{
    *(vf_unaligned *) p = x;
}

INLINE vf splat(float s)
{
    return s - (vf){0};
}

INLINE vf select(vi mask, vf yes, vf no)
{
    return (vf) (((vi) yes & mask) | ((vi) no & ~mask));
}

INLINE vf magnitude(vf x)
{
    return (vf) ((vu) x & 0x7fffffffu);
}

INLINE vf with_sign_of(vf x, vf sign)
{
    return (vf) ((vu) x | ((vu) sign & 0x80000000u));
}

/* ---- elementary functions of one vector ------------------------------------------------------ */

/*
 * e^x = 2^n e^r with n the integer nearest to x / ln 2, |r| <= ln 2 / 2. ln 2 is in two parts, the
 * first so short that n times it is exact. Adding and taking off 1.5 * 2^23 rounds to an integer,
 * which then stands in the low bits. 2^n is applied in two factors, because n goes from -159 (a
 * result below the least denormal) to 144 (infinity).
 */
INLINE vf exp_v(vf x)
{
    const float magic = 12582912.0f;
    vf z, n, r, q, y;
    vi half, rest;

    x = select(x > 100.0f, splat(100.0f), x);
    x = select(x < -110.0f, splat(-110.0f), x);
    z = x * 0x1.715476p+0f + magic;
    n = z - magic;
    r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
    q = 0x1.6a2314p-10f + (vf){0}; /* (e^r - 1 - r) / r^2, 2^-28 */
    q = q * r + 0x1.123a8ep-7f;
    q = q * r + 0x1.5558f6p-5f;
    q = q * r + 0x1.55549p-3f;
    q = q * r + 0x1.fffffcp-2f;
    y = 1.0f + (r + r * r * q);
    rest = (vi) ((vu) z - 0x4b400000u);
    half = rest >> 1;
    y *= (vf) (((vu) half + 127u) << 23);
    return y * (vf) (((vu) rest - (vu) half + 127u) << 23);
}

/*
 * x = 2^e m with m in [sqrt(1/2), sqrt(2)); log x = e ln 2 + log m, small terms first. Denormals
 * are made normal by 2^23.
 */
INLINE vf log_v(vf x)
{
    vi tiny = x < 0x1p-126f, e;
    vf scaled = select(tiny, x * 0x1p23f, x), f, z, q, y, k;
    vu bits = (vu) scaled;

    e = (vi) (bits - 0x3f3504f3u) >> 23;
    f = (vf) (bits - ((vu) e << 23)) - 1.0f;
    k = __builtin_convertvector(e, vf) - select(tiny, splat(23.0f), splat(0.0f));
    z = f * f;
    q = 0x1.145742p-4f + (vf){0}; /* (log(1 + f) - f + f^2/2) / f^3, 2^-30 */
    q = q * f - 0x1.de3b96p-4f;
    q = q * f + 0x1.e6f054p-4f;
    q = q * f - 0x1.fc221cp-4f;
    q = q * f + 0x1.23376cp-3f;
    q = q * f - 0x1.555c4cp-3f;
    q = q * f + 0x1.99a4b6p-3f;
    q = q * f - 0x1.000006p-2f;
    q = q * f + 0x1.555548p-2f;
    y = f * z * q + k * 0x1.7f7d1cp-20f - 0.5f * z;
    y = (f + y) + k * 0x1.62e4p-1f;
    y = select(x == INFINITY, x, y);
    y = select(x == 0.0f, splat(-INFINITY), y);
    return select((x < 0.0f) | (x != x), splat(NAN), y);
}

/* Near 0 a polynomial, so that small results keep all their digits; else 1 - 2 / (e^2|x| + 1). */
INLINE vf tanh_v(vf x)
{
    vf a = magnitude(x), z = a * a, q, near, far;

    q = 0x1.18e1e6p-9f + (vf){0}; /* (tanh(a) / a - 1) / a^2, 2^-32 */
    q = q * z - 0x1.0bf5p-7f;
    q = q * z + 0x1.638b5ap-6f;
    q = q * z - 0x1.b9ee9p-5f;
    q = q * z + 0x1.111066p-3f;
    q = q * z - 0x1.555554p-2f;
    near = a + a * (z * q);
    far = 1.0f - 2.0f / (exp_v(a + a) + 1.0f);
    return with_sign_of(select(a < 0.625f, near, far), x);
}

/* 1 / (1 + e^-x), of |x|, so that the exponential never overflows and small results stay exact. */
INLINE vf sigmoid_v(vf x)
{
    vf e = exp_v(-magnitude(x));

    return select(x < 0.0f, e, splat(1.0f)) / (1.0f + e);
}

/* Below 1 a polynomial; up to 4, 1 - e^log(erfc), of which few digits are needed; then 1. */
INLINE vf erf_v(vf x)
{
    vf a = magnitude(x), z = a * a, t = select(a > 4.0f, splat(4.0f), a), p, q, near, far;

    q = 0x1.496a36p-14f + (vf){0}; /* erf(a) / a - 1, 2^-29 */
    q = q * z - 0x1.a3f702p-11f;
    q = q * z + 0x1.5405b2p-8f;
    q = q * z - 0x1.b7f90ep-6f;
    q = q * z + 0x1.ce2cf8p-4f;
    q = q * z - 0x1.81273ep-2f;
    q = q * z + 0x1.06eba8p-3f;
    near = a + a * q;
    p = 0x1.2d931ep-10f + (vf){0}; /* -log(erfc(t)), 2^-25 absolute in erf */
    p = p * t - 0x1.e43f7ap-7f;
    p = p * t + 0x1.6b0b86p-4f;
    p = p * t + 0x1.4f1934p-1f;
    p = p * t + 0x1.1e107p+0f;
    p = p * t + 0x1.5e30b8p-9f;
    far = 1.0f - exp_v(-p);
    return with_sign_of(select(a < 1.0f, near, far), x);
}

INLINE vf relu_v(vf x)
{
    return select(x <= 0.0f, splat(0.0f), x);
}

/* ---- elementwise kernels --------------------------------------------------------------------- */

/* The last elements, fewer than a vector, pass through the same code in a padded copy. */
#define UNARY(name)                                                                                \
    static void name##_kernel(int64_t n, const float *x, float *y)                                 \
    {                                                                                              \
        float t[L] = {0};                                                                          \
        int64_t i = 0;                                                                             \
                                                                                                   \
        for (; i + L <= n; i += L)                                                                 \
            store(y + i, name##_v(load(x + i)));                                                   \
        if (i == n)                                                                                \
            return;                                                                                \
        memcpy(t, x + i, (size_t) (n - i) * sizeof(float));                                        \
        store(t, name##_v(load(t)));                                                               \
        memcpy(y + i, t, (size_t) (n - i) * sizeof(float));                                        \
    }

UNARY(exp)
UNARY(log)
UNARY(tanh)
UNARY(sigmoid)
UNARY(erf)
UNARY(relu)

/* One operation of IEEE 754 has the same result in a vector and alone, so these tails are plain. */
#define BINARY(name, op)                                                                           \
    static void name##_kernel(int64_t n, const float *a, const float *b, float *y)                 \
    {                                                                                              \
        int64_t i = 0;                                                                             \
                                                                                                   \
        for (; i + L <= n; i += L)                                                                 \
            store(y + i, load(a + i) op load(b + i));                                              \
        for (; i < n; i++)                                                                         \
            y[i] = a[i] op b[i];                                                                   \
    }

BINARY(add, +)
BINARY(sub, -)
BINARY(mul, *)
BINARY(div, /)

static void add_scalar_kernel(int64_t n, const float *a, float s, float *y)
{
    int64_t i = 0;

    for (; i + L <= n; i += L)
        store(y + i, load(a + i) + s);
    for (; i < n; i++)
        y[i] = a[i] + s;
}

static void mul_scalar_kernel(int64_t n, const float *a, float s, float *y)
{
    int64_t i = 0;

    for (; i + L <= n; i += L)
        store(y + i, load(a + i) * s);
    for (; i < n; i++)
        y[i] = a[i] * s;
}

static void axpy_kernel(int64_t n, float s, const float *x, float *y)
{
    int64_t i = 0;

    for (; i + L <= n; i += L)
        store(y + i, load(y + i) + s * load(x + i));
    for (; i < n; i++)
        y[i] = y[i] + s * x[i];
}

static void muladd_kernel(int64_t n, const float *a, const float *b, float *y)
{
    int64_t i = 0;

    for (; i + L <= n; i += L)
        store(y + i, load(y + i) + load(a + i) * load(b + i));
    for (; i < n; i++)
        y[i] = y[i] + a[i] * b[i];
}

static void relu_grad_kernel(int64_t n, const float *y, const float *dy, float *dx, bool add)
{
    int64_t i = 0;

    if (add) {
        for (; i + L <= n; i += L)
            store(dx + i, load(dx + i) + select(load(y + i) > 0.0f, load(dy + i), splat(0.0f)));
        for (; i < n; i++)
            dx[i] = dx[i] + (y[i] > 0.0f ? dy[i] : 0.0f);
    } else {
        for (; i + L <= n; i += L)
            store(dx + i, select(load(y + i) > 0.0f, load(dy + i), splat(0.0f)));
        for (; i < n; i++)
            dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
    }
}

static void u8_to_float_kernel(int64_t n, const uint8_t *restrict x, float *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float) x[i];
}

/* The compiler makes the vectors: the arrays are distinct, sqrt and division round exactly. */
static void adam_kernel(int64_t n, const ax_adam_args *args, const float *restrict g,
                        float *restrict m, float *restrict v, float *restrict p)
{
    const float b1 = args->beta1, b2 = args->beta2, c1 = 1.0f - b1, c2 = 1.0f - b2;
    const float epsilon = args->epsilon, step = args->step, decay = args->decay;

    for (int64_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + c1 * g[i];
        v[i] = b2 * v[i] + c2 * (g[i] * g[i]);
        p[i] = p[i] - decay * p[i];
        p[i] = p[i] - step * m[i] / (sqrtf(v[i]) + epsilon);
    }
}

/* ---- reductions ------------------------------------------------------------------------------ */

#define SUM_VECTORS (SUM_LANES / L)

/* Joins the partial sums in halves: 0 with 16, 1 with 17, ..., then 0 with 8, ... */
INLINE float join_sums(float t[SUM_LANES])
{
    for (int half = SUM_LANES / 2; half > 0; half /= 2) {
        for (int j = 0; j < half; j++)
            t[j] += t[j + half];
    }
    return t[0];
}

static float sum_kernel(int64_t n, const float *x)
{
    vf acc[SUM_VECTORS] = {{0}};
    float t[SUM_LANES];
    int64_t i = 0;

    for (; i + SUM_LANES <= n; i += SUM_LANES) {
        for (int j = 0; j < SUM_VECTORS; j++)
            acc[j] += load(x + i + j * L);
    }
    for (int j = 0; j < SUM_VECTORS; j++)
        store(t + j * L, acc[j]);
    for (int j = 0; i < n; i++, j++)
        t[j] += x[i];
    return join_sums(t);
}

static float dot_kernel(int64_t n, const float *a, const float *b)
{
    vf acc[SUM_VECTORS] = {{0}};
    float t[SUM_LANES];
    int64_t i = 0;

    for (; i + SUM_LANES <= n; i += SUM_LANES) {
        for (int j = 0; j < SUM_VECTORS; j++)
            acc[j] += load(a + i + j * L) * load(b + i + j * L);
    }
    for (int j = 0; j < SUM_VECTORS; j++)
        store(t + j * L, acc[j]);
    for (int j = 0; i < n; i++, j++)
        t[j] += a[i] * b[i];
    return join_sums(t);
}

/* A NaN wins, wherever it stands. */
INLINE float larger(float m, float x)
{
    return x > m || x != x ? x : m;
}

static float max_kernel(int64_t n, const float *x)
{
    vf acc[SUM_VECTORS];
    float t[SUM_LANES], m = x[0];
    int64_t i = 0;

    for (int j = 0; j < SUM_VECTORS; j++)
        acc[j] = splat(x[0]);
    for (; i + SUM_LANES <= n; i += SUM_LANES) {
        for (int j = 0; j < SUM_VECTORS; j++) {
            vf v = load(x + i + j * L);

            acc[j] = select((v > acc[j]) | (v != v), v, acc[j]);
        }
    }
    for (int j = 0; j < SUM_VECTORS; j++)
        store(t + j * L, acc[j]);
    for (int j = 0; j < SUM_LANES && n >= SUM_LANES; j++)
        m = larger(m, t[j]);
    for (; i < n; i++)
        m = larger(m, x[i]);
    return m;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const ax_kernels table = {
    .name = KERNEL_NAME,
    .add = add_kernel,
    .sub = sub_kernel,
    .mul = mul_kernel,
    .div = div_kernel,
    .add_scalar = add_scalar_kernel,
    .mul_scalar = mul_scalar_kernel,
    .axpy = axpy_kernel,
    .muladd = muladd_kernel,
    .sum = sum_kernel,
    .dot = dot_kernel,
    .max = max_kernel,
    .exp = exp_kernel,
    .log = log_kernel,
    .tanh = tanh_kernel,
    .sigmoid = sigmoid_kernel,
    .erf = erf_kernel,
    .relu = relu_kernel,
    .relu_grad = relu_grad_kernel,
    .u8_to_float = u8_to_float_kernel,
    .adam = adam_kernel,
};

const ax_kernels *KERNEL_GETTER(void)
{
    return &table;
}
