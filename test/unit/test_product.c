/*
 * test_product.c: matrix products through the tiles (graph/product.h) against plain loops in double, on every
 * instruction set: rows and columns around every tile, sums of one piece and of several, y packed and as it lies, x in
 * panels, x transposed, and all that happens to a sum before it is stored.
 */
#include <math.h>
#include <stdlib.h>

#include "graph/product.h"
#include "unit.h"

#define GUARD 12345.0f

static ax_error err;

typedef struct trial {
    int64_t rows, depth, columns;
    bool turned_x, turned_y, as_it_lies, start, add, relu, after;
} trial;

static float *numbers(int64_t n)
{
    float *x = ax_alloc(unit_env(), (size_t) (n + 64) * sizeof(float));

    unit_fill(x, n + 64, -1, 1);
    return x;
}

static double sum_of(const trial *t, const float *x, const float *y, int64_t i, int64_t j)
{
    double sum = 0;

    for (int64_t l = 0; l < t->depth; l++)
        sum += (double) x[t->turned_x ? l * t->rows + i : i * t->depth + l] *
               y[t->turned_y ? j * t->depth + l : l * t->columns + j];
    return sum;
}

/* What element (i, j) becomes. */
static double wanted(const trial *t, const float *x, const float *y, const float *start,
                     const float *old, int64_t i, int64_t j)
{
    double v = sum_of(t, x, y, i, j) + (t->start ? (double) start[j] : 0) +
               (t->add ? (double) old[i * t->columns + j] : 0);

    v = t->relu && v < 0 ? 0 : v;
    return t->after ? tanh(v) : v;
}

static void pack(const trial *t, ax_arena *a, const float *y, float *to)
{
    int64_t block = ax_kernels_get()->tiles->block;

    if (t->turned_y)
        ax_pack_transposed(y, ax_multiples(a, t->columns, t->depth), t->depth, t->columns,
                           ax_multiples(a, t->depth, block), AX_WHOLE, to);
    else
        ax_pack_straight(y, t->depth, t->columns, AX_WHOLE, to);
}

/* The largest error, relative to the number of terms; INFINITY when something beside out was written. */
static double run_trial(const trial *t)
{
    ax_arena arena;
    ax_setup s = {.arena = &arena, .err = &err};
    ax_product p;
    int64_t n = t->rows * t->columns, block = ax_kernels_get()->tiles->block;
    float *x = numbers(t->rows * t->depth), *y = numbers(t->depth * t->columns);
    float *start = numbers(t->columns), *old = numbers(n), *out = numbers(n), *packed, *scratch;
    ax_tile f = {.x = x, .y = y, .ldy = t->columns, .y_block = block, .add = t->add, .relu = t->relu};
    ax_run r = {.pool = NULL};
    ax_curve_of curve = {.curve = AX_CURVE_TANH};
    double worst = 0;

    ax_arena_init(&arena, unit_env());
    if (ax_product_make(&s, &p, t->turned_x, t->rows, t->depth, t->columns) != AX_OK)
        return INFINITY;
    packed = numbers((int64_t) ax_packed_floats(t->depth, t->columns));
    scratch = ax_alloc(unit_env(), ax_product_scratch(&p));
    if (!t->as_it_lies) {
        pack(t, &arena, y, packed);
        f.y = packed;
        f.ldy = block;
        f.y_block = block * t->depth;
    }
    for (int64_t i = 0; i < n; i++)
        out[i] = t->add ? old[i] : NAN;
    for (int64_t i = n; i < n + 64; i++)
        out[i] = GUARD;
    f.out = out;
    r.scratch = scratch;
    f.start = t->start ? start : NULL;
    ax_product_run(&r, &p, &f, t->after ? &curve : NULL);
    for (int64_t i = 0; i < n; i++) {
        double d = fabs(out[i] - wanted(t, x, y, start, old, i / t->columns, i % t->columns));

        worst = d == d ? fmax(worst, d / (1 + sqrt((double) t->depth))) : INFINITY;
    }
    for (int64_t i = n; i < n + 64; i++)
        worst = out[i] == GUARD ? worst : INFINITY;
    ax_arena_free(&arena);
    for (float *all[] = {x, y, start, old, out, packed, scratch}, **q = all; q < all + 7; q++)
        ax_free(unit_env(), *q);
    return worst;
}

static int64_t any(int64_t most)
{
    return 1 + (int64_t) unit_below((uint64_t) most);
}

/* y as it lies: its columns must be whole vectors. */
static trial random_trial(void)
{
    trial t = {any(40), any(50), any(70), unit_below(3) == 0, unit_below(2), unit_below(4) == 0,
               unit_below(2), unit_below(2), unit_below(2), unit_below(4) == 0};

    if (t.as_it_lies) {
        t.turned_y = false;
        t.columns = any(6) * ax_kernels_get()->tiles->lanes;
    }
    return t;
}

static void test_isa(const char *isa)
{
    static const trial large[] = {
        {.rows = 16, .depth = 1024, .columns = 128},                              /* panels */
        {.rows = 37, .depth = 1030, .columns = 130, .start = true, .relu = true}, /* with tails everywhere */
        {.rows = 29, .depth = 700, .columns = 201, .turned_y = true, .add = true, .after = true},
        {.rows = 19, .depth = 1024, .columns = 130, .relu = true},
        {.rows = 23, .depth = 1024, .columns = 130, .add = true},
        {.rows = 3, .depth = 3073, .columns = 65, .start = true, .relu = true},   /* two pieces */
        {.rows = 18, .depth = 6150, .columns = 129, .start = true, .relu = true, .after = true},
        {.rows = 2, .depth = 6150, .columns = 300, .add = true, .relu = true},
        {.rows = 130, .depth = 300, .columns = 140, .turned_x = true, .start = true},
        {.rows = 5, .depth = 1, .columns = 1},
        {.rows = 3, .depth = 0, .columns = 20, .start = true, .relu = true},      /* a sum of nothing */
        {.rows = 0, .depth = 5, .columns = 20},
        {.rows = 4, .depth = 5, .columns = 0},
    };
    double worst = 0;

    for (int i = 0; i < AX_COUNT(large); i++) {
        double e = run_trial(&large[i]);

        unit_check(e < 2e-6, "%s: %d x %d x %d: error %.2g", isa, (int) large[i].rows,
                   (int) large[i].depth, (int) large[i].columns, e);
    }
    for (int i = 0; i < 300; i++) {
        trial t = random_trial();

        worst = fmax(worst, run_trial(&t));
    }
    unit_check(worst < 2e-6, "%s: 300 small products: error %.2g", isa, worst);
}

int main(void)
{
    static const char *const isa[] = {"baseline", "avx2", "avx512"};

    unit_seed(3);
    for (int i = 0; i < AX_COUNT(isa); i++)
        if (ax_isa_force(isa[i], &err) == AX_OK)
            test_isa(isa[i]);
        else
            unit_skip("%s: not on this CPU", isa[i]);
    return unit_done();
}
