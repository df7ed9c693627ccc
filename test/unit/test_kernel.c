/*
 * test_kernel.c: every kernel of every instruction set that this CPU has, against double precision
 * and plain loops, over all exponents, special values, every length up to 70, odd addresses, and in
 * place.
 *
 * An argument is the step through the 2^32 floats that the elementary functions are measured at: 1
 * takes them all, and some minutes.
 */
#include "unit.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "tensor/kernel.h"

static const char *const isa_names[] = {"baseline", "avx2", "avx512"};

#define SIZES 71 /* 0 to 70: below, at and above every vector and block length */

/* ---- elementary functions -------------------------------------------------------------------- */

typedef void (*unary_kernel)(int64_t n, const float *x, float *y);

static double sigmoid_reference(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static const struct {
    const char *name;
    size_t offset;
    double (*reference)(double x);
    double bound; /* in units of the last place */
} unaries[] = {
    {"exp", offsetof(ax_kernels, exp), exp, 2},
    {"log", offsetof(ax_kernels, log), log, 2},
    {"tanh", offsetof(ax_kernels, tanh), tanh, 4},
    {"sigmoid", offsetof(ax_kernels, sigmoid), sigmoid_reference, 4},
    {"erf", offsetof(ax_kernels, erf), erf, 4},
};

static unary_kernel unary_of(const ax_kernels *k, int i)
{
    return *(const unary_kernel *) ((const char *) k + unaries[i].offset);
}

/*
 * Distance in units of float's last place at the true value. Infinity counts as the float after the
 * largest, so that the edge of overflow is judged like any other place.
 */
static double ulps(float got, double want)
{
    double g = isinf(got) ? copysign(0x1p128, got) : got;
    double w = fabs(want) > 0x1p128 ? copysign(0x1p128, want) : want;
    int exponent;

    if (isnan(got) || isnan(want))
        return isnan(got) && isnan(want) ? 0 : INFINITY;
    if (g == w)
        return 0;
    frexp(w, &exponent);
    exponent = AX_MIN(AX_MAX(exponent, -125), 128);
    return fabs(g - w) / ldexp(1, exponent - 24);
}

typedef struct worst {
    double ulp;
    float at, got;
} worst;

static void measure(unary_kernel f, double (*reference)(double), const float *x, int n, worst *w)
{
    float y[512];

    f(n, x, y);
    for (int i = 0; i < n; i++) {
        double u = ulps(y[i], reference(x[i]));

        if (!(u <= w->ulp))
            *w = (worst){u, x[i], y[i]};
    }
}

/* Every step-th of the 2^32 bit patterns. */
static void measure_all(unary_kernel f, double (*reference)(double), uint64_t step, worst *w)
{
    float x[512];
    int n = 0;

    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += step) {
        x[n++] = unit_float_from_bits((uint32_t) bits);
        if (n == 512) {
            measure(f, reference, x, n, w);
            n = 0;
        }
    }
    measure(f, reference, x, n, w);
}

/* Where the functions have their curves, more densely than the bit patterns lie. */
static void measure_middle(unary_kernel f, double (*reference)(double), worst *w)
{
    float x[512];

    for (int block = 0; block < 400; block++) {
        unit_fill(x, 512, block % 2 ? -120 : -5, block % 2 ? 120 : 5);
        measure(f, reference, x, 512, w);
    }
}

static void test_unary(const ax_kernels *k, int i, uint64_t step)
{
    worst w = {0, 0, 0};

    measure_all(unary_of(k, i), unaries[i].reference, step, &w);
    measure_middle(unary_of(k, i), unaries[i].reference, &w);
    unit_check(w.ulp <= unaries[i].bound, "%s %s: at most %g ulp off (%.3f at %a)", k->name,
               unaries[i].name, unaries[i].bound, w.ulp, w.at);
}

static void test_special_values(const ax_kernels *k)
{
    static const float x[] = {0.0f,      -0.0f,   INFINITY,  -INFINITY,       NAN,
                              1.0f,      -1.0f,   0x1p-149f, -0x1p-149f,      0x1p-126f,
                              88.72283f, -103.5f, -105.0f,   0x1.fffffep127f, -0x1.fffffep127f};
    float y[AX_COUNT(x)];

    k->exp(AX_COUNT(x), x, y);
    unit_check(y[0] == 1 && y[1] == 1 && isinf(y[2]) && y[3] == 0 && isnan(y[4]) &&
                   y[10] > 0x1.fff000p127f && isfinite(y[10]) && y[11] > 0 && y[12] == 0,
               "%s exp: zeros, infinities, NaN and both ends", k->name);
    k->log(AX_COUNT(x), x, y);
    unit_check(y[0] == -INFINITY && y[1] == -INFINITY && y[2] == INFINITY && isnan(y[3]) &&
                   isnan(y[4]) && y[5] == 0 && !signbit(y[5]) && isnan(y[6]) && y[7] < -103 &&
                   isnan(y[8]),
               "%s log: zeros, infinities, NaN, 1, negatives and denormals", k->name);
    k->tanh(AX_COUNT(x), x, y);
    unit_check(y[0] == 0 && !signbit(y[0]) && y[1] == 0 && signbit(y[1]) && y[2] == 1 &&
                   y[3] == -1 && isnan(y[4]) && y[7] == x[7] && y[8] == x[8],
               "%s tanh: signed zeros, infinities, NaN, denormals", k->name);
    k->sigmoid(AX_COUNT(x), x, y);
    unit_check(y[0] == 0.5f && y[1] == 0.5f && y[2] == 1 && y[3] == 0 && isnan(y[4]),
               "%s sigmoid: zeros, infinities, NaN", k->name);
    k->erf(AX_COUNT(x), x, y);
    unit_check(y[0] == 0 && !signbit(y[0]) && y[1] == 0 && signbit(y[1]) && y[2] == 1 &&
                   y[3] == -1 && isnan(y[4]),
               "%s erf: signed zeros, infinities, NaN", k->name);
    k->curve[AX_CURVE_RELU](AX_COUNT(x), 0, 0, x, y);
    unit_check(y[0] == 0 && !signbit(y[1]) && y[2] == INFINITY && y[3] == 0 && isnan(y[4]),
               "%s relu: zeros, infinities, NaN", k->name);
}

/* ---- lengths, addresses, in place ------------------------------------------------------------ */

/* n floats at an address that no vector likes, with marks before and after. */
typedef struct span {
    float room[SIZES + 4];
} span;

#define MARK 12345.0f

static float *span_at(span *s, int64_t n)
{
    for (int i = 0; i < SIZES + 4; i++)
        s->room[i] = MARK;
    (void) n;
    return s->room + 1;
}

static bool span_intact(const span *s, int64_t n)
{
    bool intact = s->room[0] == MARK;

    for (int64_t i = n + 1; i < SIZES + 4; i++)
        intact &= s->room[i] == MARK;
    return intact;
}

static bool same_float(float a, float b)
{
    return (isnan(a) && isnan(b)) || unit_bits_of_float(a) == unit_bits_of_float(b);
}

/* Numbers of all sizes, with a few special ones among them. */
static void fill_mixed(float *x, int64_t n)
{
    static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 0x1p-140f};

    for (int64_t i = 0; i < n; i++) {
        x[i] = unit_normal() * ldexpf(1, (int) unit_below(12) - 6);
        if (unit_below(20) == 0)
            x[i] = special[unit_below(AX_COUNT(special))];
    }
}

/* Each element alone must give what it gives within any array, at any address. */
static void test_unary_sizes(const ax_kernels *k, int which)
{
    unary_kernel f = unary_of(k, which);
    int bad = 0;

    for (int64_t n = 0; n < SIZES; n++) {
        span in, out;
        float *x = span_at(&in, n), *y = span_at(&out, n), one;

        fill_mixed(x, n);
        f(n, x, y);
        bad += !span_intact(&out, n);
        for (int64_t i = 0; i < n; i++) {
            f(1, x + i, &one);
            bad += !same_float(one, y[i]);
        }
        f(n, x, x);
        for (int64_t i = 0; i < n; i++)
            bad += !same_float(x[i], y[i]);
        bad += !span_intact(&in, n);
    }
    unit_check(bad == 0, "%s %s: the same bits at every place, length and address, and in place",
               k->name, unaries[which].name);
}

static void fill_triple(span s[3], float *p[3], int64_t n)
{
    for (int i = 0; i < 3; i++) {
        p[i] = span_at(&s[i], n);
        fill_mixed(p[i], n);
    }
}

#define CHECK_EACH(call, expression)                                                               \
    do {                                                                                           \
        int bad = 0;                                                                               \
                                                                                                   \
        for (int64_t n = 0; n < SIZES; n++) {                                                      \
            span s[3];                                                                             \
            float *p[3], old[SIZES];                                                               \
                                                                                                   \
            fill_triple(s, p, n);                                                                  \
            float *a = p[0], *b = p[1], *y = p[2];                                                 \
            memcpy(old, y, (size_t) n * sizeof(float));                                            \
            call;                                                                                  \
            bad += !span_intact(&s[2], n);                                                         \
            for (int64_t i = 0; i < n; i++)                                                        \
                bad += !same_float(y[i], expression);                                              \
            (void) b;                                                                              \
        }                                                                                          \
        unit_check(bad == 0, "%s: " #call " is " #expression " for every length", k->name);        \
    } while (0)

static void test_arithmetic(const ax_kernels *k)
{
    CHECK_EACH(k->add(n, a, b, y), a[i] + b[i]);
    CHECK_EACH(k->sub(n, a, b, y), a[i] - b[i]);
    CHECK_EACH(k->mul(n, a, b, y), a[i] * b[i]);
    CHECK_EACH(k->div(n, a, b, y), a[i] / b[i]);
    CHECK_EACH(k->add_scalar(n, a, 1.7f, y), a[i] + 1.7f);
    CHECK_EACH(k->mul_scalar(n, a, -0.3f, y), a[i] * -0.3f);
    CHECK_EACH(k->div_scalar(n, a, 0.3f, y), a[i] / 0.3f);
    CHECK_EACH(k->scalar_sub(n, 0.7f, b, y), 0.7f - b[i]);
    CHECK_EACH(k->scalar_div(n, 0.7f, b, y), 0.7f / b[i]);
    CHECK_EACH(k->axpy(n, 0.7f, a, y), old[i] + 0.7f * a[i]);
    CHECK_EACH(k->muladd(n, a, b, y), old[i] + a[i] * b[i]);
    CHECK_EACH(k->maximum(n, a, b, y), b[i] > a[i] || isnan(b[i]) ? b[i] : a[i]);
    CHECK_EACH(k->curve_back[AX_CURVE_RELU](n, 0, 0, a, b, y, false), a[i] > 0 ? b[i] : 0);
    CHECK_EACH(k->curve_back[AX_CURVE_RELU](n, 0, 0, a, b, y, true),
               old[i] + (a[i] > 0 ? b[i] : 0));
}

static void test_arithmetic_in_place(const ax_kernels *k)
{
    float a[SIZES], b[SIZES], want[SIZES];

    fill_mixed(a, SIZES);
    fill_mixed(b, SIZES);
    for (int i = 0; i < SIZES; i++)
        want[i] = (a[i] + b[i]) * b[i] - b[i];
    k->add(SIZES, a, b, a);
    k->mul(SIZES, b, a, a);
    k->sub(SIZES, a, b, a);
    unit_close(a, want, SIZES, 0, "%s: arithmetic in place", k->name);
}

static void test_u8(const ax_kernels *k)
{
    uint8_t x[300];
    int bad = 0;

    for (int i = 0; i < 300; i++)
        x[i] = (uint8_t) i;
    for (int64_t n = 0; n < SIZES; n++) {
        span s;
        float *y = span_at(&s, n);

        k->u8_to_float(n, x + 3 * n, y);
        for (int64_t i = 0; i < n; i++)
            bad += y[i] != x[3 * n + i];
        bad += !span_intact(&s, n);
    }
    unit_check(bad == 0, "%s: bytes become numbers", k->name);
}

/* ---- reductions ------------------------------------------------------------------------------ */

static void test_sum_and_dot(const ax_kernels *k)
{
    static float a[5003], b[5003];
    double worst_sum = 0, worst_dot = 0;

    unit_fill(a, 5003, -1, 1);
    unit_fill(b, 5003, -1, 1);
    for (int64_t n = 0; n <= 5000; n += n < SIZES ? 1 : 493) {
        const float *x = a + n % 3, *y = b + n % 2;
        double sum = 0, dot = 0, size = 1e-30;

        for (int64_t i = 0; i < n; i++) {
            sum += x[i];
            dot += (double) x[i] * y[i];
            size += 1;
        }
        worst_sum = fmax(worst_sum, fabs(k->sum(n, x) - sum) / size);
        worst_dot = fmax(worst_dot, fabs(k->dot(n, x, y) - dot) / size);
    }
    unit_check(worst_sum < 1e-7, "%s sum: off by %.2g an element at most", k->name, worst_sum);
    unit_check(worst_dot < 1e-7, "%s dot: off by %.2g an element at most", k->name, worst_dot);
    unit_check(k->sum(0, a) == 0 && k->dot(0, a, b) == 0, "%s: nothing adds up to 0", k->name);
    a[4000] = NAN;
    unit_check(isnan(k->sum(5003, a)) && isnan(k->dot(5003, a, b)), "%s: NaN stays in a sum",
               k->name);
}

static void test_max(const ax_kernels *k)
{
    int bad = 0, lost = 0;

    for (int64_t n = 1; n < 200; n++) {
        float x[200], want;

        unit_fill(x, n, -9, -1);
        want = x[0];
        for (int64_t i = 1; i < n; i++)
            want = fmaxf(want, x[i]);
        bad += k->max(n, x) != want;
        x[unit_below(n)] = INFINITY;
        bad += k->max(n, x) != INFINITY;
        x[unit_below(n)] = NAN;
        lost += !isnan(k->max(n, x));
        unit_fill(x, n, -9, -1);
        x[0] = -INFINITY;
        want = k->max(n, x);
        bad += n == 1 ? want != -INFINITY : want < -9;
    }
    unit_check(bad == 0, "%s max: of every length, with infinities", k->name);
    unit_check(lost == 0, "%s max: a NaN wins wherever it stands", k->name);
}

/* ---- curves ---------------------------------------------------------------------------------- */

#define A 0.7
#define B 1.3

static double elu_reference(double x)
{
    return B * (x > 0 ? x : A * expm1(x));
}

static double elu_slope(double x)
{
    return B * (x > 0 ? 1 : A * exp(x));
}

static double within(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static double clip_reference(double x)
{
    return within(x, A, B);
}

static double clip_slope(double y)
{
    return y > (double) (float) A && y < (double) (float) B;
}

static double abs_slope(double x)
{
    return (x > 0) - (x < 0);
}

static double erf_slope(double x)
{
    return 2 / sqrt(M_PI) * exp(-x * x);
}

static double same(double x)
{
    return x;
}

static double gelu_reference(double x)
{
    return x == -INFINITY ? 0 : x * 0.5 * erfc(-x * sqrt(0.5));
}

static double gelu_slope(double x)
{
    return isinf(x) ? x > 0 : 0.5 * erfc(-x * sqrt(0.5)) + x * exp(-0.5 * x * x) / sqrt(2 * M_PI);
}

static double gelu_tanh_reference(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double gelu_tanh_slope(double x)
{
    double t, du;

    if (fabs(x) > 30)
        return x > 0;
    t = tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
    du = sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
    return isnan(x) ? x : 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du;
}

static double hard_sigmoid_reference(double x)
{
    return within(A * x + B, 0, 1);
}

static double hard_sigmoid_slope(double y)
{
    return y > 0 && y < 1 ? A : 0;
}

static double hard_swish_reference(double x)
{
    return x * within(x / 6 + 0.5, 0, 1);
}

static double hard_swish_slope(double x)
{
    return x < -3 ? 0 : x > 3 ? 1 : x / 3 + 0.5;
}

static double leaky_relu_reference(double x)
{
    return x < 0 ? A * x : x;
}

static double leaky_relu_slope(double x)
{
    return x < 0 ? A : 1;
}

static double log_slope(double x)
{
    return 1 / x;
}

static double neg_reference(double x)
{
    return -x;
}

static double neg_slope(double x)
{
    return -1;
}

static double relu_reference(double x)
{
    return x <= 0 ? 0 : x;
}

static double relu_slope(double y)
{
    return y > 0;
}

static double sigmoid_slope(double y)
{
    return y * (1 - y);
}

static double softplus_reference(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x))) + (isnan(x) ? x : 0);
}

static double softsign_reference(double x)
{
    return x / (1 + fabs(x));
}

static double softsign_slope(double x)
{
    return 1 / ((1 + fabs(x)) * (1 + fabs(x)));
}

static double sqrt_slope(double y)
{
    return 0.5 / y;
}

static double tanh_slope(double y)
{
    return 1 - y * y;
}

/* ulp: of the value, or, where that is more, `absolute` * (1 + |x|). Slopes: 1e-6 of themselves or of 1. */
static const struct {
    const char *name;
    double (*value)(double x), (*slope)(double v);
    double ulp, absolute;
} curves[AX_CURVES] = {
    [AX_CURVE_ABS] = {"abs", fabs, abs_slope, 0, 0},
    [AX_CURVE_CLIP] = {"clip", clip_reference, clip_slope, 1, 0},
    [AX_CURVE_ELU] = {"elu", elu_reference, elu_slope, 8, 0},
    [AX_CURVE_ERF] = {"erf", erf, erf_slope, 4, 0},
    [AX_CURVE_EXP] = {"exp", exp, same, 2, 0},
    [AX_CURVE_GELU] = {"gelu", gelu_reference, gelu_slope, 4, 1e-7},
    [AX_CURVE_GELU_TANH] = {"gelu_tanh", gelu_tanh_reference, gelu_tanh_slope, 4, 2e-7},
    [AX_CURVE_HARD_SIGMOID] = {"hard_sigmoid", hard_sigmoid_reference, hard_sigmoid_slope, 2, 2e-7},
    [AX_CURVE_HARD_SWISH] = {"hard_swish", hard_swish_reference, hard_swish_slope, 2, 2e-7},
    [AX_CURVE_LEAKY_RELU] = {"leaky_relu", leaky_relu_reference, leaky_relu_slope, 1, 0},
    [AX_CURVE_LOG] = {"log", log, log_slope, 2, 0},
    [AX_CURVE_NEG] = {"neg", neg_reference, neg_slope, 0, 0},
    [AX_CURVE_RELU] = {"relu", relu_reference, relu_slope, 0, 0},
    [AX_CURVE_SIGMOID] = {"sigmoid", sigmoid_reference, sigmoid_slope, 4, 0},
    [AX_CURVE_SOFTPLUS] = {"softplus", softplus_reference, sigmoid_reference, 8, 0},
    [AX_CURVE_SOFTSIGN] = {"softsign", softsign_reference, softsign_slope, 2, 0},
    [AX_CURVE_SQRT] = {"sqrt", sqrt, sqrt_slope, 1, 0},
    [AX_CURVE_TANH] = {"tanh", tanh, tanh_slope, 4, 0},
};

/* How far y is off in units of what is allowed. */
static double excess(int i, float x, float y)
{
    double want = curves[i].value((double) x), off = fabs(y - want);

    if (isnan(want) || isinf(want) || isinf(y))
        return ulps(y, want) <= curves[i].ulp ? 0 : INFINITY;
    if (off <= curves[i].absolute * (1 + fabs(x)) || ulps(y, want) <= curves[i].ulp)
        return 0;
    return ulps(y, want) / fmax(curves[i].ulp, 1);
}

static void test_curve(const ax_kernels *k, int i)
{
    double worst = 0, at = 0;

    for (int block = 0; block < 600; block++) {
        float x[512], y[512];

        for (int j = 0; j < 512; j++)
            x[j] = block < 200   ? (float) unit_uniform(-8, 8)
                   : block < 400 ? (float) unit_uniform(-100, 100)
                                 : unit_float_from_bits((uint32_t) unit_below(UINT64_C(1) << 32));
        k->curve[i](512, (float) A, (float) B, x, y);
        for (int j = 0; j < 512; j++) {
            /* the cube of its argument overflows: infinity times the 0 of a tail */
            bool skip = i == AX_CURVE_GELU_TANH && fabs(x[j]) > 1e12;
            double e = skip ? 0 : excess(i, x[j], y[j]);

            at = e > worst ? (double) x[j] : at;
            worst = fmax(worst, e);
        }
    }
    unit_check(worst == 0, "%s %s: within %g ulp or %g (%.3g times that at %a)", k->name,
               curves[i].name, curves[i].ulp, curves[i].absolute, worst, at);
}

/* Values at every length and address, in place; gradients, added or not, in place of dy. */
static void test_curve_sizes(const ax_kernels *k, int i)
{
    int bad = 0;
    double worst = 0;

    for (int64_t n = 0; n < SIZES; n++) {
        span s[4];
        float *x = span_at(&s[0], n), *y = span_at(&s[1], n), *dy = span_at(&s[2], n);
        float *dx = span_at(&s[3], n), one, old[SIZES];

        fill_mixed(x, n);
        unit_fill(dy, n, -1, 1);
        k->curve[i](n, (float) A, (float) B, x, y);
        for (int64_t j = 0; j < n; j++) {
            k->curve[i](1, (float) A, (float) B, x + j, &one);
            bad += !same_float(one, y[j]);
            old[j] = dx[j] = 3;
        }
        bad += !span_intact(&s[1], n);
        k->curve_back[i](n, (float) A, (float) B, x, dy, dx, true);
        bad += !span_intact(&s[3], n);
        k->curve_back[i](n, (float) A, (float) B, x, dy, y, false);
        for (int64_t j = 0; j < n; j++) {
            double slope = curves[i].slope((double) x[j]), want = slope * dy[j];

            if (isnan(want) || fabs(want) > 1e30) {
                bad += !isnan(want) && isnan(y[j]);
                continue;
            }
            worst = fmax(worst, fabs(y[j] - want) / (1 + fabs(want)));
            bad += !same_float(dx[j], old[j] + y[j]) && fabs(dx[j] - old[j] - y[j]) > 1e-6 * (1 + fabs(want));
        }
        k->curve_back[i](n, (float) A, (float) B, x, dy, dy, false);
        for (int64_t j = 0; j < n; j++)
            bad += !same_float(dy[j], y[j]);
    }
    unit_check(bad == 0 && worst < 1e-6,
               "%s %s: at every place and length, and its gradient (%d wrong, off by %.2g)", k->name,
               curves[i].name, bad, worst);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void test_softmax(const ax_kernels *k)
{
    double worst = 0, worst_back = 0;
    int bad = 0;

    for (int64_t n = 1; n < SIZES; n++) {
        span s[3];
        float *x = span_at(&s[0], n), *y = span_at(&s[1], n), *d = span_at(&s[2], n), old[SIZES];
        double sum = 0, dot = 0, m;

        unit_fill(x, n, n % 2 ? -9 : -200, n % 2 ? 9 : 200);
        unit_fill(d, n, -1, 1);
        m = (double) k->max(n, x);
        for (int64_t i = 0; i < n; i++)
            sum += exp(x[i] - m);
        k->softmax(n, x, y);
        for (int64_t i = 0; i < n; i++) {
            worst = fmax(worst, fabs(y[i] - exp(x[i] - m) / sum));
            dot += (double) d[i] * y[i];
        }
        memcpy(old, x, (size_t) n * sizeof(float));
        k->softmax_back(n, y, d, x, true);
        for (int64_t i = 0; i < n; i++)
            worst_back = fmax(worst_back, fabs(x[i] - (old[i] + (d[i] - dot) * y[i])) / (1 + fabs(old[i])));
        bad += !span_intact(&s[1], n) || !span_intact(&s[0], n);
        k->softmax_back(n, y, d, d, false);
        for (int64_t i = 0; i < n; i++)
            worst_back = fmax(worst_back, fabs(d[i] - ((double) x[i] - old[i])) / (1 + fabs(old[i])));
        memcpy(x, old, (size_t) n * sizeof(float));
        k->softmax(n, x, x);
        for (int64_t i = 0; i < n; i++)
            bad += !same_float(x[i], y[i]);
        x[n / 2] = NAN;
        k->softmax(n, x, y);
        for (int64_t i = 0; i < n; i++)
            bad += !isnan(y[i]);
        x[n / 2] = -INFINITY;
        k->softmax(n, x, y);
        bad += n > 1 && y[n / 2] != 0;
    }
    unit_check(bad == 0 && worst < 3e-7 && worst_back < 3e-7,
               "%s softmax: every length, in place, NaN, -infinity (%d wrong, off by %.2g, %.2g)", k->name,
               bad, worst, worst_back);
}

static double norm_trial(const ax_kernels *k, int64_t n, bool bias)
{
    span s[8];
    float *x = span_at(&s[0], n), *g = span_at(&s[1], n), *w = span_at(&s[2], n), *b = span_at(&s[3], n);
    float *y = span_at(&s[4], n), *ds = span_at(&s[5], n), *db = span_at(&s[6], n), *dx = span_at(&s[7], n);
    ax_norm_row row = {0.3f, 1.7f, 0.2f, -0.4f};
    double sum = 0, sum_x = 0, squares = 0, worst = 0;
    float got, got_x;

    for (float *all[] = {x, g, w, b}, **q = all; q < all + 4; q++)
        unit_fill(*q, n, -2, 2);
    for (int64_t i = 0; i < n; i++)
        ds[i] = db[i] = dx[i] = 1;
    for (int64_t i = 0; i < n; i++) {
        squares += (x[i] - (double) 0.3f) * (x[i] - (double) 0.3f);
        sum += (double) g[i] * w[i];
        sum_x += (double) g[i] * w[i] * (x[i] - (double) 0.3f) * (double) 1.7f;
    }
    k->normalize(n, x, row.mean, row.inv, w, bias ? b : NULL, y);
    k->normalize_sums(n, x, g, w, row.mean, row.inv, &got, &got_x);
    k->normalize_weights(n, x, g, row.mean, row.inv, bias ? ds : NULL, bias ? NULL : db);
    k->normalize_back(n, x, g, w, &row, dx, bias);
    worst = fmax(fabs(got - sum), fabs(got_x - sum_x)) / (double) (n + 1);
    worst = fmax(worst, fabs(k->squares(n, x, 0.3f) - squares) / (double) (n + 1));
    for (int64_t i = 0; i < n; i++) {
        double v = (x[i] - (double) 0.3f) * (double) 1.7f, h = (double) g[i] * w[i];
        double back = (double) 1.7f * (h - (double) 0.2f + v * (double) 0.4f) + (bias ? 1 : 0);

        worst = fmax(worst, fabs(y[i] - (v * w[i] + (bias ? (double) b[i] : 0))) / 8);
        worst = fmax(worst, fabs(ds[i] - (bias ? 1 + g[i] * v : 1)) / 8);
        worst = fmax(worst, fabs(db[i] - (bias ? 1 : 1 + (double) g[i])) / 8);
        worst = fmax(worst, fabs(dx[i] - back) / 8);
    }
    for (int i = 4; i < 8; i++)
        worst = span_intact(&s[i], n) ? worst : INFINITY;
    return worst;
}

static void test_norm(const ax_kernels *k)
{
    double worst = 0;

    for (int64_t n = 0; n < SIZES; n++)
        worst = fmax(worst, fmax(norm_trial(k, n, false), norm_trial(k, n, true)));
    unit_check(worst < 3e-7, "%s: a normalized row and its gradients, every length: off by %.2g", k->name, worst);
}

static void test_dropout(const ax_kernels *k)
{
    int bad = 0;

    for (int64_t n = 0; n < SIZES; n++) {
        uint64_t key = unit_below(UINT64_C(1) << 60), at = unit_below(1000);
        uint32_t threshold = (uint32_t) unit_below(UINT64_C(1) << 32);
        span s[3];
        float *x = span_at(&s[0], n), *y = span_at(&s[1], n), *dx = span_at(&s[2], n);
        uint8_t keep[SIZES + 1];

        memset(keep, 77, sizeof(keep));
        fill_mixed(x, n);
        k->dropout(n, key, at, threshold, 1.25f, x, keep, y);
        for (int64_t i = 0; i < n; i++) {
            uint64_t bits = ax_rng_at(key, at + (uint64_t) i / 2) >> (i % 2 * 32);
            bool kept = (uint32_t) bits >= threshold;

            bad += keep[i] != kept || !same_float(y[i], kept ? 1.25f * x[i] : 0);
            dx[i] = 2;
        }
        bad += keep[n] != 77 || !span_intact(&s[1], n);
        k->dropout_back(n, keep, 1.25f, x, dx, true);
        bad += !span_intact(&s[2], n);
        for (int64_t i = 0; i < n; i++)
            bad += !same_float(dx[i], 2 + (keep[i] ? 1.25f * x[i] : 0));
        k->dropout_back(n, keep, 1.25f, x, x, false);
        for (int64_t i = 0; i < n; i++)
            bad += !same_float(x[i], y[i]);
    }
    unit_check(bad == 0, "%s dropout: the draws of ax_rng_at, every length, and back (%d wrong)", k->name, bad);
}

/* ---- optimizers ------------------------------------------------------------------------------ */

static const ax_update step_of = {.rate = 0.02f,
                                  .decay = 0.001f,
                                  .momentum = 0.8f,
                                  .rho = 0.9f,
                                  .beta1 = 0.9f,
                                  .beta2 = 0.999f,
                                  .epsilon = 1e-7f,
                                  .step = 0.01f,
                                  .of_m = 0.03f,
                                  .of_g = 0.004f,
                                  .rectify = 1.5f};

#define U(member) ((double) step_of.member)

/* One element: s are its slots, g its gradient; the parameter without its decay becomes the one returned. */
static double sgd_step(double *s, double g, double p)
{
    return p - U(rate) * g;
}

static double momentum_step(double *s, double g, double p)
{
    s[0] = U(momentum) * s[0] - U(rate) * g;
    return p + s[0];
}

static double nesterov_step(double *s, double g, double p)
{
    s[0] = U(momentum) * s[0] - U(rate) * g;
    return p + U(momentum) * s[0] - U(rate) * g;
}

static double rmsprop_plain(double *s, double g, double p)
{
    s[0] = U(rho) * s[0] + (1 - U(rho)) * g * g;
    return p - U(rate) * g / sqrt(s[0] + U(epsilon));
}

static double rmsprop_full(double *s, double g, double p)
{
    s[0] = U(rho) * s[0] + (1 - U(rho)) * g * g;
    s[2] = U(rho) * s[2] + (1 - U(rho)) * g;
    s[1] = U(momentum) * s[1] + U(rate) * g / sqrt(s[0] - s[2] * s[2] + U(epsilon));
    return p - s[1];
}

static double adagrad_step(double *s, double g, double p)
{
    s[0] += g * g;
    return p - U(rate) * g / sqrt(s[0] + U(epsilon));
}

static void moments(double *s, double g)
{
    s[0] += (1 - U(beta1)) * (g - s[0]);
    s[1] += (1 - U(beta2)) * (g * g - s[1]);
}

static double adam_step(double *s, double g, double p)
{
    moments(s, g);
    return p - U(step) * s[0] / (sqrt(s[1]) + U(epsilon));
}

static double amsgrad_step(double *s, double g, double p)
{
    moments(s, g);
    s[2] = fmax(s[2], s[1]);
    return p - U(step) * s[0] / (sqrt(s[2]) + U(epsilon));
}

static double nadam_step(double *s, double g, double p)
{
    moments(s, g);
    return p - (U(of_m) * s[0] + U(of_g) * g) / (sqrt(s[1] * U(rectify)) + U(epsilon));
}

static const struct {
    const char *name;
    size_t offset;
    double (*step)(double *s, double g, double p);
    int slots; /* bits of those that are there */
} updates[] = {
    {"sgd", offsetof(ax_kernels, sgd), sgd_step, 0},
    {"momentum", offsetof(ax_kernels, momentum), momentum_step, 1},
    {"nesterov", offsetof(ax_kernels, nesterov), nesterov_step, 1},
    {"rmsprop", offsetof(ax_kernels, rmsprop), rmsprop_plain, 1},
    {"centered rmsprop with momentum", offsetof(ax_kernels, rmsprop), rmsprop_full, 7},
    {"adagrad", offsetof(ax_kernels, adagrad), adagrad_step, 1},
    {"adam", offsetof(ax_kernels, adam), adam_step, 3},
    {"amsgrad", offsetof(ax_kernels, amsgrad), amsgrad_step, 7},
    {"nadam", offsetof(ax_kernels, nadam), nadam_step, 3},
};

static ax_update_fn update_of(const ax_kernels *k, int i)
{
    return *(const ax_update_fn *) ((const char *) k + updates[i].offset);
}

static void test_update(const ax_kernels *k, int which)
{
    double worst = 0;
    int bad = 0;

    for (int64_t n = 0; n < SIZES; n++) {
        span spans[5];
        float *slot[3], *g = span_at(&spans[3], n), *p = span_at(&spans[4], n);
        double want[SIZES], s[SIZES][3];

        unit_fill(g, n, -2, 2);
        unit_fill(p, n, -1, 1);
        for (int j = 0; j < 3; j++) {
            slot[j] = span_at(&spans[j], n);
            unit_fill(slot[j], n, j == 0 ? 0.5f : 0.1f, j == 0 ? 1 : 0.2f);
        }
        for (int64_t i = 0; i < n; i++) {
            for (int j = 0; j < 3; j++)
                s[i][j] = (double) slot[j][i];
            want[i] = updates[which].step(s[i], (double) g[i], p[i] * (1 - U(decay)));
        }
        for (int j = 0; j < 3; j++)
            slot[j] = updates[which].slots >> j & 1 ? slot[j] : NULL;
        update_of(k, which)(n, &step_of, g, slot, p);
        for (int64_t i = 0; i < n; i++) {
            worst = fmax(worst, fabs(p[i] - want[i]));
            for (int j = 0; j < 3; j++)
                worst = slot[j] != NULL ? fmax(worst, fabs(slot[j][i] - s[i][j])) : worst;
        }
        for (int j = 0; j < 5; j++)
            bad += !span_intact(&spans[j], n);
    }
    unit_check(bad == 0 && worst < 1e-6, "%s %s: within %.2g of double precision", k->name,
               updates[which].name, worst);
}

/* ---- all tables together --------------------------------------------------------------------- */

#define LONG 4099

/* One array of everything that a table computes from fixed inputs. */
static int64_t compute_everything(const ax_kernels *k, float *out)
{
    static float a[LONG], b[LONG];
    int64_t at = 0;

    unit_seed(5);
    fill_mixed(a, LONG);
    unit_fill(b, LONG, -3, 3);
    for (int i = 0; i < AX_COUNT(unaries); i++, at += LONG)
        unary_of(k, i)(LONG, a, out + at);
    unit_fill(a, LONG, -3, 3);
    for (int i = 0; i < AX_CURVES; i++, at += 2 * LONG) {
        k->curve[i](LONG, 0.3f, 0.8f, a, out + at);
        k->curve_back[i](LONG, 0.3f, 0.8f, a, b, out + at + LONG, false);
    }
    for (int i = 0; i < AX_COUNT(updates); i++, at += 4 * LONG) {
        float *slot[3] = {out + at, out + at + LONG, out + at + 2 * LONG};

        for (int j = 0; j < 4; j++)
            for (int l = 0; l < LONG; l++)
                out[at + j * LONG + l] = fabsf(b[(l + j) % LONG]);
        if (updates[i].slots == 1)
            slot[1] = slot[2] = NULL;
        update_of(k, i)(LONG, &step_of, b, slot, out + at + 3 * LONG);
    }
    k->softmax(LONG, a, out + at);
    k->softmax_back(LONG, b, a, out + at + LONG, false);
    k->normalize(LONG, a, 0.1f, 0.9f, b, a, out + at + 2 * LONG);
    k->normalize_back(LONG, a, b, a, &(ax_norm_row) {0.1f, 0.9f, 0.2f, 0.3f}, out + at + 3 * LONG, false);
    at += 4 * LONG;
    for (int64_t n = 1; n < LONG; n += 37) {
        out[at++] = k->sum(n, a + n % 5);
        out[at++] = k->dot(n, a + n % 5, b);
        out[at++] = k->max(n, a + n % 5);
        out[at++] = k->squares(n, a + n % 5, 0.4f);
        k->normalize_sums(n, a + n % 5, b, a, 0.1f, 0.9f, out + at, out + at + 1);
        at += 2;
    }
    return at;
}

static void test_same_bits(const ax_kernels *k)
{
    static float want[96 * LONG], got[96 * LONG];
    int64_t n = compute_everything(ax_kernels_named("baseline"), want), bad = 0;

    compute_everything(k, got);
    for (int64_t i = 0; i < n; i++)
        bad += !same_float(got[i], want[i]);
    unit_check(bad == 0, "%s gives the bits of the baseline", k->name);
}

static void test_choice(void)
{
    ax_error err;
    const char *best = ax_isa();

    unit_check(ax_kernels_named("mmx") == NULL, "an unknown instruction set has no table");
    unit_status(ax_isa_force("mmx", &err), AX_ERR_UNSUPPORTED, &err, "and cannot be forced");
    unit_is_str(ax_isa(), best, "which changes nothing");
    unit_status(ax_isa_force("baseline", &err), AX_OK, &err, "the baseline can be forced");
    unit_is_str(ax_isa(), "baseline", "and is in use then");
    unit_status(ax_isa_force(best, &err), AX_OK, &err, "%s can be forced back", best);
    unit_is_str(ax_kernels_get()->name, best, "and is in use again");
    unit_is_str(ax_engine_version(), "0.1", "the engine has a version");
}

/* ---- matrix products ------------------------------------------------------------------------- */

static double gemm_element(bool ta, bool tb, int64_t k, const float *a, int64_t lda, const float *b,
                           int64_t ldb, int64_t i, int64_t j)
{
    double sum = 0;

    for (int64_t l = 0; l < k; l++)
        sum += (double) (ta ? a[l * lda + i] : a[i * lda + l]) *
               (tb ? b[j * ldb + l] : b[l * ldb + j]);
    return sum;
}

static bool gemm_once(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, float beta)
{
    static float a[64 * 64], b[64 * 64], c[64 * 64], old[64 * 64];
    int64_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
    bool ok = true;

    unit_fill(a, 64 * 64, -1, 1);
    unit_fill(b, 64 * 64, -1, 1);
    for (int i = 0; i < 64 * 64; i++)
        c[i] = old[i] = beta == 0 ? NAN : unit_uniform(-1, 1);
    ax_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double want = alpha * gemm_element(ta, tb, k, a, lda, b, ldb, i, j);

            want += beta == 0 ? 0 : (double) beta * old[i * ldc + j];
            ok &= fabs(c[i * ldc + j] - want) < 1e-4;
            c[i * ldc + j] = old[i * ldc + j];
        }
    }
    return ok && memcmp(c, old, sizeof(c)) == 0;
}

static void test_gemm(void)
{
    static const int64_t sizes[] = {0, 1, 2, 7, 16, 33, 50};
    static const float betas[] = {0, 1, -0.5f};
    int bad = 0, done = 0;

    for (int m = 0; m < AX_COUNT(sizes); m++)
        for (int n = 0; n < AX_COUNT(sizes); n++)
            for (int k = 0; k < AX_COUNT(sizes); k++)
                for (int t = 0; t < 4; t++, done++)
                    bad += !gemm_once(t & 1, t & 2, sizes[m], sizes[n], sizes[k], 0.7f,
                                      betas[done % 3]);
    unit_check(bad == 0, "%d products of all sizes and transpositions, %d wrong", done, bad);
}

static void test_gemm_rows(void)
{
    float a[3] = {1, 2, 3}, b[6] = {1, 2, 3, 4, 5, 6}, c[2] = {0, 0};

    ax_gemm(false, false, 1, 2, 3, 1, a, 0, b, 2, 0, c, 0);
    unit_check(c[0] == 22 && c[1] == 28, "the stride of a single row means nothing");
    c[0] = 3;
    ax_gemm(false, false, 1, 1, 0, 1, a, 0, b, 0, 2, c, 0);
    unit_check(c[0] == 6, "a product over nothing scales by beta");
    c[0] = NAN;
    ax_gemm(true, true, 1, 1, 0, 1, NULL, 0, NULL, 0, 0, c, 0);
    unit_check(c[0] == 0, "and beta 0 writes zeros over anything");
}

typedef struct product {
    float a[40 * 40], b[40 * 40], c[40 * 40];
} product;

static void *multiply_often(void *arg)
{
    product *p = arg;

    for (int i = 0; i < 200; i++)
        ax_gemm(false, true, 40, 40, 40, 1, p->a, 40, p->b, 40, 0, p->c, 40);
    return NULL;
}

static void test_gemm_threads(void)
{
    static product p[4];
    pthread_t thread[4];
    int bad = 0;

    unit_fill(p[0].a, 1600, -1, 1);
    unit_fill(p[0].b, 1600, -1, 1);
    for (int i = 1; i < 4; i++)
        p[i] = p[0];
    for (int i = 0; i < 4; i++)
        bad += pthread_create(&thread[i], NULL, multiply_often, &p[i]) != 0;
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    for (int i = 1; i < 4; i++)
        bad += memcmp(p[i].c, p[0].c, sizeof(p[0].c)) != 0;
    unit_check(bad == 0, "four threads multiply at once and get the same bits");
}

static void test_isa(const ax_kernels *k, uint64_t step)
{
    for (int i = 0; i < AX_COUNT(unaries); i++) {
        test_unary(k, i, step);
        test_unary_sizes(k, i);
    }
    test_special_values(k);
    test_arithmetic(k);
    test_arithmetic_in_place(k);
    test_u8(k);
    test_sum_and_dot(k);
    test_max(k);
    for (int i = 0; i < AX_CURVES; i++) {
        test_curve(k, i);
        test_curve_sizes(k, i);
    }
    test_softmax(k);
    test_norm(k);
    test_dropout(k);
    for (int i = 0; i < AX_COUNT(updates); i++)
        test_update(k, i);
    test_same_bits(k);
}

int main(int argc, char **argv)
{
    uint64_t step = argc > 1 ? strtoull(argv[1], NULL, 10) : 9973;

    test_choice();
    for (int i = 0; i < AX_COUNT(isa_names); i++) {
        const ax_kernels *k = ax_kernels_named(isa_names[i]);

        if (k == NULL)
            unit_skip("%s: not on this CPU", isa_names[i]);
        else
            test_isa(k, AX_MAX(step, 1));
    }
    test_gemm();
    test_gemm_rows();
    test_gemm_threads();
    return unit_done();
}
