/*
 * test_tile.c: every function of ax_tile_table, of every instruction set that this CPU has, against
 * plain loops written from tile.h: sums in double, what has an order once more in float, bit by
 * bit. Shapes are random, with all numbers of columns from 1 to 100 and of points from 0 to 40;
 * tile_check.h says how outputs are judged.
 */
#include "tile_check.h"

#include <math.h>
#include <stdio.h>

#define CASES     410
#define UNTOUCHED 99 /* in an array of places */

/* ---- the sum of tile.h ----------------------------------------------------------------------- */

/*
 * y as packed weights lie, block behind block, or as a matrix lies, block beside block. What stands
 * past the columns is NaN, which must have no effect; the last row of the last block ends where the
 * memory ends.
 */
static void make_y(const ax_kernels *k, ax_tile *t, bool whole)
{
    int64_t block = k->tiles->block, rows = t->runs * t->len, spare = unit_below(2) * unit_below(9);
    int64_t blocks = (t->columns + block - 1) / block, n;
    bool packed = unit_below(2) == 0;
    float *y;

    t->ldy = (packed ? block : t->columns) + spare;
    t->y_block = packed ? rows * t->ldy + unit_below(3) : block;
    n = rows > 0 ? (blocks - 1) * t->y_block + (rows - 1) * t->ldy + block : 0;
    t->y = y = check_floats(n);
    for (int64_t i = 0; i < n; i++)
        y[i] = NAN;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < t->columns; c += block)
            check_fill(y + c / block * t->y_block + i * t->ldy, AX_MIN(block, t->columns - c),
                       whole);
    if (rows > 0)
        check_spoil(y + (rows - 1) * t->ldy, 1);
}

/* Everything but the output. */
static ax_tile make_tile(const ax_kernels *k, int number, int64_t points, bool whole)
{
    ax_tile t = {.columns = 1 + number % 100,
                 .runs = unit_below(7),
                 .len = unit_below(41),
                 .step = 1 + unit_below(3),
                 .add = unit_below(2) == 0,
                 .relu = unit_below(2) == 0};
    float *start = check_floats(t.columns);

    t.at = check_offsets(points);
    t.run = check_offsets(t.runs);
    t.x = check_reach(t.at, points, t.run, t.len > 0 ? t.runs : 0, (t.len - 1) * t.step + 1, whole);
    if (t.len > 0 && t.runs > 0 && points > 0)
        check_spoil((float *) t.x + t.at[unit_below(points)] + t.run[unit_below(t.runs)], 1);
    make_y(k, &t, whole);
    check_fill(start, t.columns, whole);
    check_spoil(start, t.columns);
    t.start = unit_below(2) == 0 ? start : NULL;
    return t;
}

static float y_of(const ax_kernels *k, const ax_tile *t, int64_t row, int64_t c)
{
    return t->y[c / k->tiles->block * t->y_block + row * t->ldy + c % k->tiles->block];
}

static float x_of(const ax_tile *t, int64_t p, int64_t row)
{
    return t->x[t->at[p] + t->run[row / t->len] + row % t->len * t->step];
}

static cell true_sum(const ax_kernels *k, const ax_tile *t, int64_t p, int64_t c, float old)
{
    cell sum = {0, 0, 0};

    if (t->start != NULL)
        cell_add(&sum, t->start[c]);
    for (int64_t row = 0; row < t->runs * t->len; row++)
        cell_add(&sum, (double) x_of(t, p, row) * y_of(k, t, row, c));
    if (t->add)
        cell_add(&sum, old);
    return t->relu ? cell_relu(sum) : sum;
}

/* Sums of products may be fused, or not: the instruction set and the compiler's options decide. */
static bool is_fused(const ax_kernels *k)
{
    static const int32_t zero[1] = {0};
    float x = 1 + 0x1p-12f, start = -(1 + 0x1p-11f), y[64] = {x}, out = 0;
    ax_tile t = {.x = &x,
                 .at = zero,
                 .run = zero,
                 .runs = 1,
                 .len = 1,
                 .step = 1,
                 .y = y,
                 .columns = 1,
                 .start = &start,
                 .out = &out,
                 .to = zero};

    k->tiles->run(&t, 1);
    return out != 0;
}

/* The sum without add and relu in float, as the header says: one chain, in the order of the rows.
 */
static float chain(const ax_kernels *k, const ax_tile *t, bool fused, int64_t p, int64_t c)
{
    float sum = t->start != NULL ? t->start[c] : 0;

    for (int64_t row = 0; row < t->runs * t->len; row++) {
        float x = x_of(t, p, row), y = y_of(k, t, row, c);

        sum = fused ? fmaf(x, y, sum) : sum + x * y;
    }
    return sum;
}

/* ---- run ------------------------------------------------------------------------------------- */

/* Is out[p][c] what comes out where no other point and no later column is computed? */
static bool is_same_alone(const ax_kernels *k, const ax_tile *t, int64_t p, int64_t c, float old,
                          float got)
{
    static const int32_t zero[1] = {0};
    int64_t block = k->tiles->block, first = c / block * block;
    float out[64];
    ax_tile one = *t;

    for (int64_t i = 0; i <= c - first; i++)
        out[i] = old;
    one.at = t->at + p;
    one.y = t->y + c / block * t->y_block;
    one.columns = c - first + 1;
    one.start = t->start != NULL ? t->start + first : NULL;
    one.out = out;
    one.to = zero;
    k->tiles->run(&one, 1);
    return check_same(out[c - first], got);
}

static const char *shape_of(const ax_tile *t, int number, int64_t points)
{
    static char text[160];

    snprintf(text, sizeof(text),
             "case %d: %d points, %d columns, %d runs of %d by %d, ldy %d, y_block %d, start %d, "
             "add %d, relu %d",
             number, (int) points, (int) t->columns, (int) t->runs, (int) t->len, (int) t->step,
             (int) t->ldy, (int) t->y_block, t->start != NULL, t->add, t->relu);
    return text;
}

typedef struct run_tallies {
    tally value, chain, alone, twice;
} run_tallies;

static void run_case(const ax_kernels *k, int number, bool fused, run_tallies *sum)
{
    int64_t points = number % 41, size, broken = 0, strange = 0;
    ax_tile t = make_tile(k, number, points, false);
    const float *first;
    cells out;

    t.to = check_apart(points, t.columns, &size);
    out = cells_new(size);
    t.out = out.got;
    for (int64_t p = 0; p < points; p++)
        for (int64_t c = 0; c < t.columns; c++)
            cells_set(&out, t.to[p] + c, true_sum(k, &t, p, c, out.got[t.to[p] + c]));
    k->tiles->run(&t, points);
    tally_count(&sum->value, cells_wrong(&out), "%s", shape_of(&t, number, points));
    first = cells_again(&out);
    k->tiles->run(&t, points);
    tally_count(&sum->twice, cells_differ(&out, first), "%s", shape_of(&t, number, points));
    for (int64_t i = 0; i < points * t.columns; i++) {
        int64_t p = i / t.columns, c = i % t.columns, at = t.to[p] + c;
        float want = chain(k, &t, fused, p, c) + (t.add ? out.before[at] : 0);

        broken += !check_same(out.got[at], t.relu && want <= 0 ? 0 : want);
        if (i % 7 == number % 7)
            strange += !is_same_alone(k, &t, p, c, out.before[at], out.got[at]);
    }
    tally_count(&sum->chain, broken, "%s", shape_of(&t, number, points));
    tally_count(&sum->alone, strange, "%s", shape_of(&t, number, points));
    check_free();
}

static void test_run(const ax_kernels *k)
{
    run_tallies sum = {0};
    bool fused = is_fused(k);

    for (int i = 0; i < CASES; i++)
        run_case(k, i, fused, &sum);
    tally_check(&sum.value, k->name, "run: sums of products of all shapes, nothing else written");
    tally_check(&sum.chain, k->name, "run: one chain in the order of the rows");
    tally_check(&sum.alone, k->name, "run: the same bits without neighbours");
    tally_check(&sum.twice, k->name, "run: the same bits twice");
}

/* ---- pool ------------------------------------------------------------------------------------ */

/* Of four floats the largest: NaN wins, of equal ones the first. */
static int largest(const float *v)
{
    int best = 0;

    for (int q = 1; q < 4; q++)
        if (v[q] > v[best] || (isnan(v[q]) && !isnan(v[best])))
            best = q;
    return best;
}

static float pooled(const float *v, bool relu)
{
    float max = v[largest(v)];

    return relu && max <= 0 ? 0 : max;
}

/* May `where` hold this for the four sums? Of several NaN it may be any. */
static bool is_place(const float *v, bool relu, uint8_t place)
{
    int best = largest(v);

    if (isnan(v[best]))
        return place < 4 && isnan(v[place]);
    return place == (relu && v[best] <= 0 ? 4 : best);
}

static ax_tile make_pool(const ax_kernels *k, int number, int64_t points)
{
    ax_tile t = make_tile(k, number, points, number % 3 > 0);

    t.add = false;
    /* sums are below zero everywhere, or where the start is */
    for (int64_t c = 0; t.start != NULL && number % 4 == 0 && c < t.columns; c += 1 + number % 2)
        ((float *) t.start)[c] = -2000;
    return t;
}

static void pool_case(const ax_kernels *k, int number, bool fused, tally *value, tally *place)
{
    int64_t windows = number % 11, size, wrong = 0;
    ax_tile t = make_pool(k, number, 4 * windows);
    ax_tile_pool pool = {NULL, unit_below(2) == 0};
    uint8_t *where;
    cells out;

    t.to = check_apart(windows, t.columns, &size);
    out = cells_new(size);
    t.out = out.got;
    where = check_bytes(size);
    memset(where, UNTOUCHED, (size_t) size);
    pool.where = unit_below(4) > 0 ? where : NULL;
    k->tiles->pool(&t, &pool, 4 * windows);
    for (int64_t i = 0; i < windows * t.columns; i++) {
        int64_t w = i / t.columns, c = i % t.columns, at = t.to[w] + c;
        float v[4];

        for (int q = 0; q < 4; q++)
            v[q] = chain(k, &t, fused, 4 * w + q, c);
        cells_exact(&out, at, pooled(v, pool.relu));
        if (pool.where != NULL)
            wrong += !is_place(v, pool.relu, where[at]);
        if (pool.where != NULL)
            where[at] = UNTOUCHED;
    }
    for (int64_t i = 0; i < size; i++)
        wrong += where[i] != UNTOUCHED;
    tally_count(value, cells_wrong(&out), "case %d: %d windows, %d columns, relu %d", number,
                (int) windows, (int) t.columns, pool.relu);
    tally_count(place, wrong, "case %d: %d windows, %d columns, relu %d", number, (int) windows,
                (int) t.columns, pool.relu);
    check_free();
}

static void test_pool(const ax_kernels *k)
{
    tally value = {0}, place = {0};
    bool fused = is_fused(k);

    for (int i = 0; i < CASES; i++)
        pool_case(k, i, fused, &value, &place);
    tally_check(&value, k->name, "pool: the largest of the sums that run gives, NaN before all");
    tally_check(&place, k->name, "pool: where it stood, the first of equal ones, 4 behind relu");
}

/* ---- backward of a pool ---------------------------------------------------------------------- */

/* Places 0..3 and, if dead, 4; the gradients there become `hidden`. */
static uint8_t *make_places(int64_t n, bool dead, float *g, float hidden)
{
    uint8_t *where = check_bytes(n);

    for (int64_t i = 0; i < n; i++) {
        where[i] = (uint8_t) unit_below(dead ? 5 : 4);
        if (where[i] == 4)
            g[i] = hidden;
    }
    return where;
}

/* len reaches past the most vectors that a tile of pool_kernel has. */
static void pool_kernel_case(const ax_kernels *k, int number, tally *value, tally *twice)
{
    int64_t windows = number % 13, n;
    ax_tile t = {.columns = 1 + number % 37,
                 .runs = unit_below(7),
                 .len = unit_below(number % 3 ? 41 : 131)};
    int64_t ldo = t.runs * t.len + unit_below(4);
    bool dead = unit_below(2) == 0;
    float *g = check_floats(windows * t.columns);
    const float *first;
    const uint8_t *where;
    cells out;

    if (windows > 0)
        check_spoil(g, windows * t.columns);
    where = make_places(windows * t.columns, dead, g, 0);
    t.at = check_offsets(4 * windows);
    t.run = check_offsets(t.runs);
    t.x = check_reach(t.at, 4 * windows, t.run, t.runs, t.len, false);
    if (!dead && windows > 0 && t.runs > 0 && t.len > 0)
        check_spoil((float *) t.x + t.at[0] + t.run[0], 1);
    out = cells_new((t.columns - 1) * ldo + t.runs * t.len);
    t.out = out.got;
    for (n = 0; n < windows * t.columns; n++)
        for (int64_t j = 0; where[n] < 4 && j < t.runs * t.len; j++)
            cells_add(&out, n % t.columns * ldo + j,
                      (double) g[n] *
                          t.x[t.at[4 * (n / t.columns) + where[n]] + t.run[j / t.len] + j % t.len]);
    k->tiles->pool_kernel(&t, where, g, ldo, windows);
    tally_count(value, cells_wrong(&out), "case %d: %d windows, %d columns, %d runs of %d", number,
                (int) windows, (int) t.columns, (int) t.runs, (int) t.len);
    first = cells_again(&out);
    k->tiles->pool_kernel(&t, where, g, ldo, windows);
    tally_count(twice, cells_differ(&out, first), "case %d", number);
    check_free();
}

static void test_pool_kernel(const ax_kernels *k)
{
    tally value = {0}, twice = {0};

    for (int i = 0; i < CASES; i++)
        pool_kernel_case(k, i, &value, &twice);
    tally_check(&value, k->name, "pool_kernel: gradients of the chosen pixels only");
    tally_check(&twice, k->name, "pool_kernel: the same bits twice");
}

/*
 * The windows of a pool over an image that is `wide` pixels of `channels` wide, in any order and
 * overlapping; each pixel sees `runs` rows of len floats, `apart` rows from each other.
 */
static void lay_windows(ax_tile *t, int64_t windows, int64_t channels, int64_t wide, int64_t apart)
{
    int32_t *at = check_ints(4 * windows), *run = check_ints(t->runs);
    int64_t row = wide * channels;

    for (int64_t i = 0; i < windows; i++) {
        int64_t corner = unit_below(3) * row + unit_below(3) * channels - 7;

        for (int64_t q = 0; q < 4; q++)
            at[4 * i + q] = (int32_t) (corner + q / 2 * row + q % 2 * channels);
    }
    for (int64_t r = 0; r < t->runs; r++)
        run[r] = (int32_t) (r * apart * row);
    t->at = at;
    t->run = run;
}

/* An image where t->out is what check_reach would give as x: from the lowest offset to the end of
 * the highest. */
static cells image_of(ax_tile *t, int64_t windows, int64_t *low)
{
    int64_t high = 0;

    *low = 0;
    for (int64_t i = 0; i < 4 * windows; i++)
        for (int64_t r = 0; r < t->runs; r++) {
            *low = AX_MIN(*low, t->at[i] + t->run[r]);
            high = AX_MAX(high, t->at[i] + t->run[r] + t->len);
        }
    return cells_new(high - *low);
}

/* three: windows of 3x3 pixels of whole vectors, which have a way of their own, and what looks much
 * like it. */
static void pool_input_case(const ax_kernels *k, int number, bool three, tally *value, tally *twice)
{
    int64_t windows = number % 7, lanes = k->tiles->lanes, low, rows, n;
    int64_t channels = three ? lanes * (1 + unit_below(3)) : 1 + unit_below(40);
    ax_tile t = {.columns = 1 + number % 100,
                 .runs = three ? 3 + (number % 5 == 4) : unit_below(7),
                 .len = three ? 3 * channels : unit_below(60)};
    float *g = check_floats(windows * t.columns);
    const uint8_t *where;
    const float *first;
    cells out;

    check_spoil(g, windows * t.columns);
    where = make_places(windows * t.columns, unit_below(4) > 0, g, NAN);
    lay_windows(&t, windows, channels, 4 + unit_below(3),
                three ? 1 + (number % 4 == 3) : 1 + unit_below(2));
    rows = t.runs * t.len;
    t.ldy = rows + unit_below(4);
    t.y = check_floats((t.columns - 1) * t.ldy + rows);
    if (rows > 0)
        check_spoil((float *) t.y, rows);
    out = image_of(&t, windows, &low);
    t.out = out.got - low;
    for (n = 0; n < windows * t.columns; n++)
        for (int64_t j = 0; where[n] < 4 && j < rows; j++)
            cells_add(&out,
                      t.at[4 * (n / t.columns) + where[n]] + t.run[j / t.len] + j % t.len - low,
                      (double) g[n] * t.y[n % t.columns * t.ldy + j]);
    k->tiles->pool_input(&t, where, g, windows);
    tally_count(value, cells_wrong(&out),
                "case %d: %d windows, %d columns, %d channels, %d runs of %d", number, (int) windows,
                (int) t.columns, (int) channels, (int) t.runs, (int) t.len);
    first = cells_again(&out);
    k->tiles->pool_input(&t, where, g, windows);
    tally_count(twice, cells_differ(&out, first), "case %d", number);
    check_free();
}

static void test_pool_input(const ax_kernels *k)
{
    tally any = {0}, three = {0}, twice = {0};

    for (int i = 0; i < CASES; i++)
        pool_input_case(k, i, false, &any, &twice);
    for (int i = 0; i < CASES / 2; i++)
        pool_input_case(k, i, true, &three, &twice);
    tally_check(&any, k->name, "pool_input: gradients of the chosen pixels only");
    tally_check(&three, k->name, "pool_input: 3x3 over whole vectors of channels, and nearly that");
    tally_check(&twice, k->name, "pool_input: the same bits twice");
}

/* ---- relu_back ------------------------------------------------------------------------------- */

static void fill_outputs(float *y, int64_t n)
{
    static const float special[] = {0.0f, -0.0f, NAN, INFINITY, 0x1p-140f};

    for (int64_t i = 0; i < n; i++)
        y[i] = unit_below(3) ? unit_uniform(-1, 1) : special[unit_below(AX_COUNT(special))];
}

static void relu_back_case(const ax_kernels *k, int number, tally *value)
{
    int64_t rows = number % 21, columns = 1 + number % 100, n = rows * columns;
    cells g = cells_new(n), sums = cells_new(columns);
    int kind = (int) unit_below(3);
    float *y = check_floats(n);
    uint8_t *where = check_bytes(n);
    bool summed = unit_below(3) > 0;

    check_spoil(g.before, n);
    memcpy(g.got, g.before, (size_t) n * sizeof(float));
    fill_outputs(y, n);
    for (int64_t i = 0; i < n; i++) {
        where[i] = (uint8_t) unit_below(5);
        cells_exact(&g, i, kind == 0 || (kind == 1 ? y[i] > 0 : where[i] < 4) ? g.before[i] : 0);
    }
    for (int64_t c = 0; summed && c < columns; c++) {
        float sum = sums.before[c];

        for (int64_t i = 0; i < rows; i++)
            sum += (float) g.want[i * columns + c].value;
        cells_exact(&sums, c, sum);
    }
    k->tiles->relu_back(rows, columns, kind == 1 ? y : NULL, kind == 2 ? where : NULL, g.got,
                        summed ? sums.got : NULL);
    tally_count(value, cells_wrong(&g) + cells_wrong(&sums), "case %d: (%d, %d), %s, sums %d",
                number, (int) rows, (int) columns,
                kind == 0   ? "all"
                : kind == 1 ? "y"
                            : "where",
                summed);
    check_free();
}

static void test_relu_back(const ax_kernels *k)
{
    tally value = {0};

    for (int i = 0; i < 4 * CASES; i++)
        relu_back_case(k, i, &value);
    tally_check(&value, k->name,
                "relu_back: gradients where the output is above zero, and their sums in order");
}

/* ---- all together ---------------------------------------------------------------------------- */

static void test_isa(const ax_kernels *k)
{
    unit_is_int(k->tiles->block, 2 * k->tiles->lanes, "%s: a block is two vectors", k->name);
    test_run(k);
    test_pool(k);
    test_pool_kernel(k);
    test_pool_input(k);
    test_relu_back(k);
}

int main(void)
{
    check_every_isa(test_isa);
    return unit_done();
}
