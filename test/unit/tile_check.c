/* tile_check.c: see tile_check.h. */
#include "tile_check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- memory ---------------------------------------------------------------------------------- */

static void *kept[64];
static int n_kept;

/* malloc's blocks begin at multiples of 16: `offset` bytes later begins what the caller gets. */
static void *keep(int64_t n, size_t size, size_t offset)
{
    char *p = malloc((size_t) n * size + offset);

    if (p == NULL || n_kept == AX_COUNT(kept)) {
        printf("Bail out! too much memory in one case\n");
        abort();
    }
    kept[n_kept++] = p;
    return p + offset;
}

float *check_floats(int64_t n)
{
    float *x = keep(n, sizeof(float), sizeof(float));

    check_fill(x, n, false);
    return x;
}

int32_t *check_ints(int64_t n)
{
    return keep(n, sizeof(int32_t), sizeof(int32_t));
}

uint8_t *check_bytes(int64_t n)
{
    return keep(n, 1, 3);
}

void check_free(void)
{
    while (n_kept > 0)
        free(kept[--n_kept]);
}

void check_fill(float *x, int64_t n, bool whole)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = whole ? (float) (unit_below(5) - 2) : unit_uniform(-1, 1);
}

void check_spoil(float *x, int64_t n)
{
    static const float special[] = {NAN, NAN, INFINITY, -INFINITY};

    if (n > 0 && unit_below(3) == 0)
        x[unit_below(n)] = special[unit_below(AX_COUNT(special))];
}

bool check_same(float a, float b)
{
    return (isnan(a) && isnan(b)) || unit_bits_of_float(a) == unit_bits_of_float(b);
}

/* ---- offsets --------------------------------------------------------------------------------- */

int32_t *check_offsets(int64_t n)
{
    int32_t *at = check_ints(n), stride = (int32_t) unit_below(8);
    bool windows = unit_below(2) == 0;

    for (int64_t i = 0; i < n; i++)
        at[i] = windows ? (int32_t) i * stride : (int32_t) unit_below(400) - 200;
    return at;
}

int32_t *check_apart(int64_t n, int64_t width, int64_t *size)
{
    int32_t *to = check_ints(n), front = (int32_t) unit_below(3);
    int64_t stride = width + unit_below(4);

    for (int64_t i = 0; i < n; i++) {
        int64_t j = unit_below(i + 1);

        to[i] = to[j];
        to[j] = front + (int32_t) (i * stride);
    }
    *size = n > 0 ? front + (n - 1) * stride + width : front;
    return to;
}

const float *check_reach(const int32_t *at, int64_t n, const int32_t *run, int64_t runs,
                         int64_t width, bool whole)
{
    int64_t low = 0, high = 0;
    float *x;

    for (int64_t i = 0; i < n; i++)
        for (int64_t r = 0; r < runs; r++) {
            low = AX_MIN(low, at[i] + run[r]);
            high = AX_MAX(high, at[i] + run[r] + width);
        }
    x = check_floats(high - low);
    check_fill(x, high - low, whole);
    return x - low;
}

/* ---- outputs --------------------------------------------------------------------------------- */

cells cells_new(int64_t n)
{
    cells c = {n, check_floats(n), check_floats(n), keep(n, sizeof(cell), 0)};

    memcpy(c.before, c.got, (size_t) n * sizeof(float));
    memset(c.want, 0, (size_t) n * sizeof(cell));
    return c;
}

void cell_add(cell *c, double term)
{
    c->value += term;
    c->size += fabs(term);
    c->terms++;
}

cell cell_relu(cell c)
{
    c.value = c.value > 0 || isnan(c.value) ? c.value : 0;
    return c;
}

void cells_add(cells *c, int64_t i, double term)
{
    if (c->want[i].terms == 0)
        cell_add(&c->want[i], c->before[i]);
    cell_add(&c->want[i], term);
}

void cells_set(cells *c, int64_t i, cell want)
{
    c->want[i] = want;
    c->want[i].terms = AX_MAX(want.terms, 1);
}

void cells_exact(cells *c, int64_t i, float want)
{
    c->want[i] = (cell){want, 0, -1};
}

static bool is_right(cell want, float got, float before)
{
    double slack = isfinite(want.size) ? (double) (want.terms + 2) * 0x1p-24 * want.size : 0;

    if (want.terms <= 0)
        return check_same(got, want.terms == 0 ? before : (float) want.value);
    if (isnan(want.value))
        return isnan(got);
    return got == want.value || fabs(got - want.value) <= slack;
}

int64_t cells_wrong(const cells *c)
{
    int64_t wrong = 0;

    for (int64_t i = 0; i < c->n; i++)
        wrong += !is_right(c->want[i], c->got[i], c->before[i]);
    return wrong;
}

float *cells_again(cells *c)
{
    float *kept_bits = check_floats(c->n);

    memcpy(kept_bits, c->got, (size_t) c->n * sizeof(float));
    memcpy(c->got, c->before, (size_t) c->n * sizeof(float));
    return kept_bits;
}

int64_t cells_differ(const cells *c, const float *other)
{
    int64_t differ = 0;

    for (int64_t i = 0; i < c->n; i++)
        differ += unit_bits_of_float(c->got[i]) != unit_bits_of_float(other[i]);
    return differ;
}

/* ---- counting -------------------------------------------------------------------------------- */

void tally_count(tally *t, int64_t wrong, const char *fmt, ...)
{
    va_list args;

    if (wrong > 0 && t->wrong == 0) {
        va_start(args, fmt);
        vsnprintf(t->first, sizeof(t->first), fmt, args);
        va_end(args);
    }
    t->cases++;
    t->wrong += wrong;
}

void tally_check(const tally *t, const char *isa, const char *what)
{
    unit_check(t->cases > 0 && t->wrong == 0, "%s %s", isa, what);
    if (t->wrong > 0)
        unit_note("%lld values wrong in %lld cases, the first: %s", (long long) t->wrong,
                  (long long) t->cases, t->first);
}

void check_every_isa(void (*fn)(const ax_kernels *k))
{
    static const char *const names[] = {"baseline", "avx2", "avx512"};

    for (int i = 0; i < AX_COUNT(names); i++) {
        const ax_kernels *k = ax_kernels_named(names[i]);

        if (k == NULL)
            unit_skip("%s: not on this CPU", names[i]);
        else
            fn(k);
    }
}
