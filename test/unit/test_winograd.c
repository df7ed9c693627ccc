/*
 * test_winograd.c: graph/winograd.h against plain loops in double, on every instruction set: forward with bias, relu,
 * adding and pool, the input's gradient (the same with the kernel turned round) and the kernel's gradient, over odd
 * planes, pads of 0 to 2 and channels that fill no vector.
 *
 * The bound. Outputs that come out of the same transformed sums share their rounding, and some of them are sums of few
 * terms (at the edge) or of small ones: an error is counted against the largest sum of magnitudes among the outputs of a
 * plane, or among the nine taps of a kernel's gradient; in units of 2^-24. A plain sum of n terms in floats is wrong by
 * about sqrt(n) of them. BOUND is by how much more a side of 2 and of 4 may be wrong. It is stated here and asserted; the
 * largest that was seen is printed.
 */
#include "graph/winograd.h"
#include "unit.h"

#include <math.h>
#include <stdlib.h>

#define BOUND(side) ((side) == 2 ? 4.0 : 16.0) /* units of 2^-24 of the magnitudes, times sqrt(terms) */
#define CASES 30

static ax_error err;

typedef struct sums {
    double *value, *size; /* and the sum of the magnitudes */
    int64_t n;
} sums;

static sums make_sums(int64_t n)
{
    return (sums){calloc((size_t) n + 1, sizeof(double)), calloc((size_t) n + 1, sizeof(double)), n};
}

static void free_sums(sums *s)
{
    free(s->value);
    free(s->size);
}

static void add(sums *s, int64_t at, double v)
{
    s->value[at] += v;
    s->size[at] += fabs(v);
}

/* In units of 2^-24 of the magnitudes and sqrt(terms); infinite where something is not a number. */
static double worst(const sums *s, const float *got, double terms)
{
    double most = 0;

    for (int64_t i = 0; i < s->n; i++) {
        double d = fabs((double) got[i] - s->value[i]) / (0x1p-24 * sqrt(terms) * (s->size[i] + 1e-30));

        most = d == d ? fmax(most, d) : INFINITY;
    }
    return most;
}

typedef struct problem {
    ax_winograd w;
    float *x, *k, *bias, *g; /* k: (m, c, 3, 3) */
} problem;

static float *random_floats(int64_t n)
{
    float *p = malloc((size_t) (n + 64) * sizeof(float));

    unit_fill_normal(p, n, 1);
    for (int64_t i = n; i < n + 64; i++)
        p[i] = NAN; /* a gradient may be read past its end, without effect */
    return p;
}

static problem make_problem(ax_arena *arena, int side, bool pool)
{
    problem p;
    int64_t top = unit_below(3), left = unit_below(3);

    p.w = (ax_winograd){.n = 1 + unit_below(3), .c = 1 + unit_below(70), .m = 1 + unit_below(70), .in_h = 3 + unit_below(12),
                        .in_w = 3 + unit_below(12), .top = top, .left = left, .side = side};
    p.w.out_h = p.w.in_h - 2 + top + unit_below(top + 1);
    p.w.out_w = p.w.in_w - 2 + left + unit_below(left + 1);
    if (pool && (p.w.out_h < 2 || p.w.out_w < 2))
        return make_problem(arena, side, pool);
    unit_status(ax_winograd_setup(&p.w, pool, arena, &err), AX_OK, &err, "set up");
    p.x = random_floats(p.w.n * p.w.in_h * p.w.in_w * p.w.c);
    p.k = random_floats(p.w.m * p.w.c * 9);
    p.bias = random_floats(p.w.m);
    p.g = random_floats(p.w.n * p.w.out_h * p.w.out_w * p.w.m);
    return p;
}

static void free_problem(problem *p)
{
    free(p->x);
    free(p->k);
    free(p->bias);
    free(p->g);
}

/* Calls fn for every product of an input, a kernel's element and an output. */
static void each_product(const problem *p, void (*fn)(void *arg, int64_t x, int64_t k, int64_t y), void *arg)
{
    const ax_winograd *w = &p->w;

    for (int64_t n = 0; n < w->n; n++)
        for (int64_t y = 0; y < w->out_h; y++)
            for (int64_t x = 0; x < w->out_w; x++)
                for (int64_t t = 0; t < 9; t++) {
                    int64_t row = y + t / 3 - w->top, col = x + t % 3 - w->left;

                    if (row < 0 || row >= w->in_h || col < 0 || col >= w->in_w)
                        continue;
                    for (int64_t m = 0; m < w->m; m++)
                        for (int64_t c = 0; c < w->c; c++)
                            fn(arg, ((n * w->in_h + row) * w->in_w + col) * w->c + c, (m * w->c + c) * 9 + t,
                               ((n * w->out_h + y) * w->out_w + x) * w->m + m);
                }
}

typedef struct walk {
    const problem *p;
    sums *s;
} walk;

static void add_output(void *arg, int64_t x, int64_t k, int64_t y)
{
    walk *a = arg;

    add(a->s, y, (double) a->p->x[x] * a->p->k[k]);
}

/* In the order (tap, c, m). */
static void add_kernel(void *arg, int64_t x, int64_t k, int64_t y)
{
    walk *a = arg;
    const ax_winograd *w = &a->p->w;
    int64_t m = k / 9 / w->c, c = k / 9 % w->c;

    add(a->s, (k % 9 * w->c + c) * w->m + m, (double) a->p->x[x] * a->p->g[y]);
}

/* The kernel as a plain sum wants it, transformed. */
static float *pack(const problem *p)
{
    int64_t block = ax_kernels_get()->tiles->block, blocks = (p->w.m + block - 1) / block;
    float *direct = calloc((size_t) (blocks * 9 * p->w.c * block), sizeof(float));
    float *packed = malloc((size_t) ax_winograd_packed(&p->w) * sizeof(float));

    for (int64_t m = 0; m < p->w.m; m++)
        for (int64_t c = 0; c < p->w.c; c++)
            for (int64_t t = 0; t < 9; t++)
                direct[((m / block * 9 + t) * p->w.c + c) * block + m % block] = p->k[(m * p->w.c + c) * 9 + t];
    ax_winograd_pack(&p->w, direct, packed);
    free(direct);
    return packed;
}

/* Elements i, i + apart, i + 2 * apart, ... of each `whole` get the largest size among them. */
static void share_size(sums *s, int64_t whole, int64_t apart)
{
    for (int64_t i = 0; i < s->n; i++) {
        double most = 0;

        if (i % whole >= apart)
            continue;
        for (int64_t k = 0; k < whole; k += apart)
            most = fmax(most, s->size[i + k]);
        for (int64_t k = 0; k < whole; k += apart)
            s->size[i + k] = most;
    }
}

static double forward_case(ax_arena *arena, int side)
{
    problem p = make_problem(arena, side, false);
    int64_t n = p.w.n * p.w.out_h * p.w.out_w * p.w.m;
    bool relu = unit_below(2) == 0, sum = unit_below(2) == 0, biased = unit_below(2) == 0;
    float *packed = pack(&p), *out = random_floats(n), *scratch = random_floats(ax_winograd_scratch(&p.w));
    ax_winograd_job job = {.x = p.x, .packed = packed, .start = biased ? p.bias : NULL, .add = sum, .relu = relu,
                           .out = out, .scratch = scratch};
    sums s = make_sums(n);
    walk a = {&p, &s};
    double most;

    each_product(&p, add_output, &a);
    for (int64_t i = 0; i < n; i++) {
        if (biased)
            add(&s, i, p.bias[i % p.w.m]);
        if (sum)
            add(&s, i, out[i]);
        s.value[i] = relu && s.value[i] < 0 ? 0 : s.value[i];
    }
    share_size(&s, n / p.w.n, p.w.m);
    ax_winograd_forward(&p.w, &job);
    most = worst(&s, out, 9.0 * (double) p.w.c);
    free_sums(&s);
    free(packed);
    free(out);
    free(scratch);
    free_problem(&p);
    return most;
}

static double kernel_case(ax_arena *arena, int side)
{
    problem p = make_problem(arena, side, false);
    int64_t n = 9 * p.w.c * p.w.m;
    float *scratch = random_floats(ax_winograd_kernel_scratch(&p.w)), *dk = random_floats(n);
    sums s = make_sums(n);
    walk a = {&p, &s};
    double most;

    for (int64_t i = 0; i < n; i++)
        add(&s, i, dk[i]);
    each_product(&p, add_kernel, &a);
    share_size(&s, n, n / 9);
    ax_winograd_kernel(&p.w, p.x, p.g, dk, scratch, NULL);
    most = worst(&s, dk, (double) (p.w.n * p.w.out_h * p.w.out_w));
    free_sums(&s);
    free(scratch);
    free(dk);
    free_problem(&p);
    return most;
}

/* The pool's answer is the largest of four plain ones, and where says which. */
static int pool_case(ax_arena *arena, int side)
{
    problem p = make_problem(arena, side, true);
    int64_t h = p.w.out_h / 2, w = p.w.out_w / 2, n = p.w.n * h * w * p.w.m;
    float *packed = pack(&p), *out = random_floats(n), *scratch = random_floats(ax_winograd_scratch(&p.w));
    uint8_t *where = malloc((size_t) n);
    ax_winograd_job job = {.x = p.x, .packed = packed, .start = p.bias, .relu = true, .pool = true, .out = out,
                           .where = where, .scratch = scratch};
    sums s = make_sums(p.w.n * p.w.out_h * p.w.out_w * p.w.m);
    walk a = {&p, &s};
    int bad = 0;

    each_product(&p, add_output, &a);
    ax_winograd_forward(&p.w, &job);
    for (int64_t i = 0; i < n; i++) {
        int64_t m = i % p.w.m, x = i / p.w.m % w, y = i / p.w.m / w % h, sample = i / p.w.m / w / h;
        double most = 0, chosen = 0;

        for (int64_t q = 0; q < 4; q++) {
            double v = s.value[((sample * p.w.out_h + 2 * y + q / 2) * p.w.out_w + 2 * x + q % 2) * p.w.m + m] + p.bias[m];

            most = fmax(most, v);
            chosen = q == where[i] ? v : chosen;
        }
        bad += fabs(out[i] - most) > 1e-3 || fabs(chosen - most) > 1e-3 || (where[i] == 4) != (out[i] == 0);
    }
    free_sums(&s);
    free(packed);
    free(out);
    free(scratch);
    free(where);
    free_problem(&p);
    return bad;
}

static void test_side(const char *isa, int side)
{
    double forward = 0, kernel = 0;
    ax_arena arena;
    int bad = 0;

    ax_arena_init(&arena, unit_env());
    for (int i = 0; i < CASES; i++) {
        forward = fmax(forward, forward_case(&arena, side));
        kernel = fmax(kernel, kernel_case(&arena, side));
        bad += pool_case(&arena, side);
    }
    ax_arena_free(&arena);
    unit_check(forward <= BOUND(side), "%s, side %d: outputs within the bound: %.2f of %.1f units", isa, side, forward,
               BOUND(side));
    unit_check(kernel <= BOUND(side), "%s, side %d: kernel gradients within it: %.2f", isa, side, kernel);
    unit_check(bad == 0, "%s, side %d: pools take the largest, and say which", isa, side);
}

/* A side of 4 where it saves products, of 2 where planes are small. */
static void test_choice(void)
{
    static const struct {
        int64_t size;
        bool pool;
        int side;
    } c[] = {{4, false, 2}, {6, false, 2}, {8, false, 4}, {13, true, 4}, {32, false, 4}, {5, true, 2}};
    ax_arena arena;
    int bad = 0;

    ax_arena_init(&arena, unit_env());
    for (int i = 0; i < AX_COUNT(c); i++) {
        ax_winograd w = {.n = 1, .c = 16, .m = 32, .in_h = c[i].size, .in_w = c[i].size, .out_h = c[i].size,
                         .out_w = c[i].size};

        bad += ax_winograd_setup(&w, c[i].pool, &arena, &err) != AX_OK || w.side != c[i].side;
    }
    ax_arena_free(&arena);
    unit_check(bad == 0, "the side follows from the plane");
}

int main(void)
{
    static const char *const isa[] = {"baseline", "avx2", "avx512"};

    unit_seed(5);
    test_choice();
    for (int i = 0; i < AX_COUNT(isa); i++) {
        if (ax_isa_force(isa[i], &err) != AX_OK) {
            unit_skip("this CPU has no %s", isa[i]);
            continue;
        }
        test_side(isa[i], 2);
        test_side(isa[i], 4);
    }
    return unit_done();
}
