/*
 * test_channel.c: every function of ax_channel_table, of every instruction set that this CPU has,
 * against plain loops written from channel.h: sums in double, what has an order once more in float,
 * bit by bit. Rows are of all lengths from 1 to 100; tile_check.h says how outputs are judged.
 */
#include "tile_check.h"

#include <math.h>

#define CASES     400
#define UNTOUCHED 255 /* in an array of places: no tap has this number */

/* A row of its own, with floats on both sides that must not change. */
#define MARGIN 3

/* ---- max ------------------------------------------------------------------------------------- */

/* Rows of small whole numbers, many of them equal, with zeros of both signs and NaN among them. */
static void fill_ties(float *x, const int32_t *at, int taps, int64_t columns)
{
    for (int t = 0; t < taps; t++)
        for (int64_t c = 0; c < columns; c++) {
            float v = (float) (unit_below(5) - 3);

            x[at[t] + c] = v != 0 ? v : unit_below(2) ? 0.0f : -0.0f;
            if (unit_below(20) == 0)
                x[at[t] + c] = unit_below(2) ? NAN : -INFINITY;
        }
}

/* NaN wins, of equal ones the first. */
static int largest(const float *x, const int32_t *at, int taps)
{
    int best = 0;

    for (int t = 1; t < taps; t++)
        if (x[at[t]] > x[at[best]] || (isnan(x[at[t]]) && !isnan(x[at[best]])))
            best = t;
    return best;
}

static void max_case(const ax_kernels *k, int number, tally *value, tally *place)
{
    static const int32_t zero[1] = {0};
    int64_t columns = 1 + number % 100, wrong = 0;
    int taps = number % 40 == 39 ? 255 : 1 + number % 13;
    int32_t *at = check_offsets(taps);
    float *x = (float *) check_reach(at, taps, zero, 1, columns, false);
    uint8_t *where = check_bytes(columns);
    bool placed = unit_below(4) > 0;
    cells y = cells_new(columns + 2 * MARGIN);

    memset(where, UNTOUCHED, (size_t) columns);
    if (number % 3 > 0)
        fill_ties(x, at, taps, columns);
    k->channels->max(columns, x, at, taps, y.got + MARGIN, placed ? where : NULL);
    for (int64_t c = 0; c < columns; c++) {
        int best = largest(x + c, at, taps);

        cells_exact(&y, MARGIN + c, x[at[best] + c]);
        wrong += where[c] != (placed ? best : UNTOUCHED);
    }
    tally_count(value, cells_wrong(&y), "case %d: %d columns, %d taps", number, (int) columns, taps);
    tally_count(place, wrong, "case %d: %d columns, %d taps", number, (int) columns, taps);
    check_free();
}

static void test_max(const ax_kernels *k)
{
    tally value = {0}, place = {0};

    for (int i = 0; i < CASES; i++)
        max_case(k, i, &value, &place);
    tally_check(&value, k->name, "max: the largest, NaN before all");
    tally_check(&place, k->name, "max: where it stood, the first of equal ones");
}

/* Cells for t->out or dx: from the lowest offset to the end of the highest. */
static cells rows_at(const int32_t *at, int n, int64_t columns, int64_t *low)
{
    int64_t high = 0;

    *low = 0;
    for (int i = 0; i < n; i++) {
        *low = AX_MIN(*low, at[i]);
        high = AX_MAX(high, at[i] + columns);
    }
    return cells_new(high - *low);
}

static void max_back_case(const ax_kernels *k, int number, tally *value)
{
    int64_t columns = 1 + number % 100, low;
    int taps = number % 40 == 39 ? 255 : 1 + number % 13;
    int32_t *at = check_offsets(taps);
    uint8_t *where = check_bytes(columns);
    float *g = check_floats(columns);
    cells dx = rows_at(at, taps, columns, &low);

    check_spoil(g, columns);
    for (int64_t c = 0; c < columns; c++) {
        where[c] = (uint8_t) unit_below(taps);
        cells_add(&dx, at[where[c]] + c - low, g[c]);
    }
    k->channels->max_back(columns, g, where, at, taps, dx.got - low);
    tally_count(value, cells_wrong(&dx), "case %d: %d columns, %d taps", number, (int) columns,
                taps);
    check_free();
}

static void test_max_back(const ax_kernels *k)
{
    tally value = {0};

    for (int i = 0; i < CASES; i++)
        max_back_case(k, i, &value);
    tally_check(&value, k->name, "max_back: gradients at the largest, nowhere else");
}

/* ---- normalization --------------------------------------------------------------------------- */

/* What the four functions read: x and g (rows, columns), and numbers a column. */
typedef struct norm {
    int64_t rows, columns, n;
    float *x, *g, *mean, *k, *bias, *a, *b;
} norm;

static norm make_norm(int number)
{
    norm p = {.rows = number % 23, .columns = 1 + number % 100};

    p.n = p.rows * p.columns;
    p.x = check_floats(p.n);
    p.g = check_floats(p.n);
    p.mean = check_floats(p.columns);
    p.k = check_floats(p.columns);
    p.bias = check_floats(p.columns);
    p.a = check_floats(p.columns);
    p.b = check_floats(p.columns);
    check_spoil(p.x, p.n);
    check_spoil(p.g, p.n);
    return p;
}

/* The sums that need no product are exact: additions in the order of the rows. */
static void moments_case(const ax_kernels *k, int number, tally *value)
{
    norm p = make_norm(number);
    cells sum = cells_new(p.columns + 2 * MARGIN), square = cells_new(p.columns + 2 * MARGIN);

    for (int64_t c = 0; c < p.columns; c++) {
        float s = sum.before[MARGIN + c];

        cells_add(&square, MARGIN + c, 0);
        for (int64_t i = c; i < p.n; i += p.columns) {
            double d = p.x[i] - p.mean[c];

            s += p.x[i] - p.mean[c];
            cells_add(&square, MARGIN + c, d * d);
        }
        cells_exact(&sum, MARGIN + c, s);
    }
    k->channels->moments(p.rows, p.columns, p.x, p.mean, sum.got + MARGIN, square.got + MARGIN);
    tally_count(value, cells_wrong(&sum) + cells_wrong(&square), "case %d: (%d, %d)", number,
                (int) p.rows, (int) p.columns);
    check_free();
}

/* g as a relu behind normalize lets it through. */
static float let_through(const norm *p, int64_t i, bool relu)
{
    int64_t c = i % p->columns;
    double y = (double) p->k[c] * (p->x[i] - p->mean[c]) + p->bias[c];

    return !relu || y > 0 ? p->g[i] : 0;
}

static void moments_back_case(const ax_kernels *k, int number, tally *value)
{
    norm p = make_norm(number);
    cells sum = cells_new(p.columns + 2 * MARGIN), product = cells_new(p.columns + 2 * MARGIN);
    bool relu = unit_below(2) == 0;

    for (int64_t c = 0; c < p.columns; c++) {
        float s = sum.before[MARGIN + c];

        cells_add(&product, MARGIN + c, 0);
        for (int64_t i = c; i < p.n; i += p.columns) {
            float g = let_through(&p, i, relu);

            s += g;
            cells_add(&product, MARGIN + c, (double) g * (p.x[i] - p.mean[c]));
        }
        cells_exact(&sum, MARGIN + c, s);
    }
    k->channels->moments_back(p.rows, p.columns, p.g, p.x, p.mean, p.k,
                              relu ? p.bias : NULL, sum.got + MARGIN, product.got + MARGIN);
    tally_count(value, cells_wrong(&sum) + cells_wrong(&product), "case %d: (%d, %d)", number,
                (int) p.rows, (int) p.columns);
    check_free();
}

static void normalize_case(const ax_kernels *k, int number, tally *value)
{
    norm p = make_norm(number);
    cells y = cells_new(p.n);
    bool relu = unit_below(2) == 0;

    for (int64_t i = 0; i < p.n; i++) {
        int64_t c = i % p.columns;
        cell want = {0, 0, 0};

        cell_add(&want, (double) p.k[c] * p.x[i]);
        cell_add(&want, -(double) p.k[c] * p.mean[c]);
        cell_add(&want, p.bias[c]);
        cells_set(&y, i, relu ? cell_relu(want) : want);
    }
    k->channels->normalize(p.rows, p.columns, p.x, p.mean, p.k, p.bias, relu, y.got);
    tally_count(value, cells_wrong(&y), "case %d: (%d, %d), relu %d", number, (int) p.rows,
                (int) p.columns, relu);
    check_free();
}

static void normalize_back_case(const ax_kernels *k, int number, tally *value)
{
    norm p = make_norm(number);
    cells dx = cells_new(p.n);
    bool add = unit_below(2) == 0, relu = unit_below(2) == 0;

    for (int64_t i = 0; i < p.n; i++) {
        int64_t c = i % p.columns;
        cell want = {0, 0, 0};

        cell_add(&want, (double) p.k[c] * let_through(&p, i, relu));
        cell_add(&want, -(double) p.k[c] * p.a[c]);
        cell_add(&want, -(double) p.k[c] * p.b[c] * p.x[i]);
        cell_add(&want, (double) p.k[c] * p.b[c] * p.mean[c]);
        if (add)
            cell_add(&want, dx.before[i]);
        cells_set(&dx, i, want);
    }
    k->channels->normalize_back(p.rows, p.columns, p.g, p.x, p.mean, p.k,
                                relu ? p.bias : NULL, p.a, p.b, add, dx.got);
    tally_count(value, cells_wrong(&dx), "case %d: (%d, %d), add %d, relu %d", number,
                (int) p.rows, (int) p.columns, add, relu);
    check_free();
}

static void test_norm(const ax_kernels *k)
{
    tally moments = {0}, normalize = {0}, moments_back = {0}, normalize_back = {0};

    for (int i = 0; i < CASES; i++) {
        moments_case(k, i, &moments);
        normalize_case(k, i, &normalize);
        moments_back_case(k, i, &moments_back);
        normalize_back_case(k, i, &normalize_back);
    }
    tally_check(&moments, k->name, "moments: sums in the order of the rows, and of squares");
    tally_check(&normalize, k->name, "normalize: a line a column, and relu");
    tally_check(&moments_back, k->name,
                "moments_back: sums in the order of the rows, and of products");
    tally_check(&normalize_back, k->name, "normalize_back: gradients, set or added");
}

/* ---- depthwise ------------------------------------------------------------------------------- */

/* All but the output: no float of x or y past the columns is there. */
static ax_tile make_depthwise(int number, int64_t points)
{
    ax_tile t = {.columns = 1 + number % 100,
                 .runs = unit_below(7),
                 .len = unit_below(8),
                 .step = 1 + unit_below(50),
                 .add = unit_below(2) == 0,
                 .relu = unit_below(2) == 0};
    int64_t rows = t.runs * t.len;
    float *start = check_floats(t.columns), *y;

    t.at = check_offsets(points);
    t.run = check_offsets(t.runs);
    t.x = check_reach(t.at, points, t.run, t.len > 0 ? t.runs : 0, (t.len - 1) * t.step + t.columns,
                      false);
    t.ldy = t.columns + unit_below(5);
    t.y = y = check_floats(rows > 0 ? (rows - 1) * t.ldy + t.columns : 0);
    if (rows > 0)
        check_spoil(y, t.columns);
    if (rows > 0 && points > 0)
        check_spoil((float *) t.x + t.at[0] + t.run[0], t.columns);
    check_spoil(start, t.columns);
    t.start = unit_below(2) == 0 ? start : NULL;
    return t;
}

/* Both sums of out[to[p] + c]: the true one into *sum, and the chain in the order of the rows. */
static float depthwise_sum(const ax_tile *t, bool fused, int64_t p, int64_t c, float old, cell *sum)
{
    float chain = t->start != NULL ? t->start[c] : 0;

    *sum = (cell){0, 0, 0};
    cell_add(sum, chain);
    for (int64_t row = 0; row < t->runs * t->len; row++) {
        float x = t->x[t->at[p] + t->run[row / t->len] + row % t->len * t->step + c];
        float y = t->y[row * t->ldy + c];

        cell_add(sum, (double) x * y);
        chain = fused ? fmaf(x, y, chain) : chain + x * y;
    }
    if (t->add) {
        cell_add(sum, old);
        chain += old;
    }
    if (t->relu)
        *sum = cell_relu(*sum);
    return t->relu && chain <= 0 ? 0 : chain;
}

/* Sums of products may be fused, or not: the instruction set and the compiler's options decide. */
static bool is_fused(const ax_kernels *k)
{
    static const int32_t zero[1] = {0};
    float x = 1 + 0x1p-12f, start = -(1 + 0x1p-11f), out = 0;
    ax_tile t = {.x = &x,
                 .at = zero,
                 .run = zero,
                 .runs = 1,
                 .len = 1,
                 .y = &x,
                 .columns = 1,
                 .start = &start,
                 .out = &out,
                 .to = zero};

    k->channels->depthwise(&t, 1);
    return out != 0;
}

static void depthwise_case(const ax_kernels *k, int number, bool fused, tally *value, tally *chain)
{
    int64_t points = number % 41, size, broken = 0;
    ax_tile t = make_depthwise(number, points);
    cells out;

    t.to = check_apart(points, t.columns, &size);
    out = cells_new(size);
    t.out = out.got;
    k->channels->depthwise(&t, points);
    for (int64_t i = 0; i < points * t.columns; i++) {
        int64_t c = i % t.columns, at = t.to[i / t.columns] + c;
        cell sum;

        broken += !check_same(depthwise_sum(&t, fused, i / t.columns, c, out.before[at], &sum),
                              out.got[at]);
        cells_set(&out, at, sum);
    }
    tally_count(value, cells_wrong(&out), "case %d: %d points, %d columns, %d runs of %d", number,
                (int) points, (int) t.columns, (int) t.runs, (int) t.len);
    tally_count(chain, broken, "case %d: %d points, %d columns, %d runs of %d", number, (int) points,
                (int) t.columns, (int) t.runs, (int) t.len);
    check_free();
}

static void test_depthwise(const ax_kernels *k)
{
    tally value = {0}, chain = {0};
    bool fused = is_fused(k);

    for (int i = 0; i < CASES; i++)
        depthwise_case(k, i, fused, &value, &chain);
    tally_check(&value, k->name, "depthwise: sums of products of all shapes, nothing else written");
    tally_check(&chain, k->name,
                "depthwise: one chain in the order of the rows, whatever its neighbours");
}

/* ---- transpose ------------------------------------------------------------------------------- */

static void transpose_case(const ax_kernels *k, int number, tally *value)
{
    static const int32_t zero[1] = {0};
    int64_t rows = number % 53, columns = number % 47, size;
    const int32_t *x_at = check_offsets(rows), *y_at = check_apart(columns, rows, &size);
    const float *x = check_reach(x_at, rows, zero, 1, columns, false);
    cells y = cells_new(size);

    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            cells_exact(&y, y_at[j] + i, x[x_at[i] + j]);
    k->channels->transpose(rows, columns, x, x_at, y.got, y_at);
    tally_count(value, cells_wrong(&y), "case %d: (%d, %d)", number, (int) rows, (int) columns);
    check_free();
}

static void test_transpose(const ax_kernels *k)
{
    tally value = {0};

    for (int i = 0; i < 53 * 47; i++)
        transpose_case(k, i, &value);
    tally_check(&value, k->name, "transpose: all sizes, rows anywhere");
}

static void test_mix_three(const ax_kernels *k)
{
    tally value = {0};

    for (int64_t n = 0; n < 70; n++) {
        const float *plane[3] = {check_floats(n), check_floats(n), check_floats(n)};
        cells y = cells_new(3 * n);

        for (int64_t i = 0; i < 3 * n; i++)
            cells_exact(&y, i, plane[i % 3][i / 3]);
        k->channels->mix_three(n, plane[0], plane[1], plane[2], y.got);
        tally_count(&value, cells_wrong(&y), "%d pixels", (int) n);
        check_free();
    }
    tally_check(&value, k->name, "mix_three: planes become pixels");
}

/* ---- all together ---------------------------------------------------------------------------- */

static void test_isa(const ax_kernels *k)
{
    test_max(k);
    test_max_back(k);
    test_norm(k);
    test_depthwise(k);
    test_transpose(k);
    test_mix_three(k);
}

int main(void)
{
    check_every_isa(test_isa);
    return unit_done();
}
