/*
 * test_bins.c: numbers become bytes. Against a plain reference: an edge between any two bins is between the values of
 * their rows, few values have a bin each, many are shared out evenly; a table in pieces is binned as one in one piece
 * is, as nearly as the pieces' bins allow.
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>

#include "tree/bins.h"
#include "tree/cuts.h"

#define WHOLE ((size_t) 1 << 30)

static ax_status try_bin(const ax_env *env, const float *x, int64_t rows, int columns, const bool *category,
                         int max_bin, size_t raw, int threads, ax_bins **out, ax_error *err)
{
    ax_binner *b = NULL;
    ax_pool *pool = NULL;
    ax_status status = ax_binner_create_small(env, columns, category, max_bin, raw, &b, err);

    for (int64_t i = 0; i < rows && status == AX_OK; i++)
        status = ax_binner_append(b, x + i * columns, err);
    if (status == AX_OK && threads > 0)
        status = ax_pool_open(env, threads, &pool, err);
    if (status == AX_OK)
        status = ax_binner_close(b, pool, out, err);
    ax_pool_close(pool);
    ax_binner_free(b);
    return status;
}

static ax_bins *bin(const float *x, int64_t rows, int columns, int max_bin, size_t raw)
{
    ax_bins *bins = NULL;
    ax_error err;

    if (try_bin(unit_env(), x, rows, columns, NULL, max_bin, raw, 0, &bins, &err) != AX_OK)
        unit_check(false, "binned: %s", err.message);
    return bins;
}

/* Rows of a column whose byte is not the one that the edges say. */
static int64_t misplaced_in(const ax_bins *bins, const float *x, int j)
{
    int64_t bad = 0;

    for (int64_t i = 0; i < bins->rows; i++) {
        float v = x[i * bins->columns + j];
        int at = 0;

        while (at < bins->column[j].n - 1 && bins->column[j].edge[at] < v)
            at++;
        bad += bins->data[j * bins->stride + i] != (isnan(v) ? AX_BIN_MISSING : at);
    }
    return bad;
}

static int64_t misplaced(const ax_bins *bins, const float *x)
{
    int64_t bad = 0;

    for (int j = 0; j < bins->columns; j++)
        bad += misplaced_in(bins, x, j);
    return bad;
}

static bool ascending(const ax_bins *bins, int j)
{
    for (int b = 1; b < bins->column[j].n - 1; b++)
        if (!(bins->column[j].edge[b - 1] < bins->column[j].edge[b]))
            return false;
    return true;
}

/* The fewest and the most rows in a bin. */
static void bin_sizes(const ax_bins *bins, int j, long long *least, long long *most)
{
    int64_t count[256] = {0};

    for (int64_t i = 0; i < bins->rows; i++)
        count[bins->data[j * bins->stride + i]]++;
    *least = INT64_MAX;
    *most = 0;
    for (int b = 0; b < bins->column[j].n; b++) {
        *least = AX_MIN(*least, count[b]);
        *most = AX_MAX(*most, count[b]);
    }
}

static void test_few_values(void)
{
    static const float x[] = {3, 1, 2, NAN, 2, 1, -INFINITY, INFINITY, 3, -0.0f, 0.0f, 1e-45f};
    ax_bins *bins = bin(x, AX_COUNT(x), 1, 255, WHOLE);
    const float *edge = bins->column[0].edge;

    unit_is_int(bins->column[0].n, 7, "seven values, seven bins");
    unit_check(bins->column[0].missing, "one is missing");
    unit_is_int(misplaced(bins, x), 0, "every row is in its bin");
    unit_check(edge[2] == 0.5f && edge[3] == 1.5f && ascending(bins, 0), "edges are in the middle");
    ax_bins_free(bins);
}

static void test_many_values(void)
{
    enum { ROWS = 30000 };
    float *x = malloc(ROWS * 3 * sizeof(*x));
    long long least, most;
    ax_bins *bins;

    for (int i = 0; i < ROWS; i++) {
        x[3 * i] = unit_normal();
        x[3 * i + 1] = unit_below(2) ? 0.0f : expf(2 * unit_normal()); /* half of them zero */
        x[3 * i + 2] = (float) unit_below(400) * (unit_below(3) ? 1 : NAN);
    }
    bins = bin(x, ROWS, 3, 255, WHOLE);
    unit_is_int(misplaced(bins, x), 0, "every row is in its bin");
    unit_check(ascending(bins, 0) && ascending(bins, 1) && ascending(bins, 2), "edges ascend");
    bin_sizes(bins, 0, &least, &most);
    unit_check(bins->column[0].n == 255 && least >= 110 && most <= 125, "even bins: %d of %lld to %lld rows",
               bins->column[0].n, least, most);
    bin_sizes(bins, 1, &least, &most);
    unit_check(bins->column[1].n >= 250 && least >= 25 && most < ROWS * 0.52,
               "a frequent value takes no bins from the others: %d bins of %lld to %lld rows", bins->column[1].n,
               least, most);
    bin_sizes(bins, 2, &least, &most);
    unit_check(bins->column[2].n > 180 && most < 300, "400 values: %d bins of up to %lld rows", bins->column[2].n,
               most);
    ax_bins_free(bins);
    bins = bin(x, ROWS, 3, 16, WHOLE);
    unit_check(bins->column[0].n == 16 && bins->column[2].n == 16 && misplaced(bins, x) == 0, "16 bins");
    ax_bins_free(bins);
    free(x);
}

/* Frequent and rare values in turn: the worst case for sharing out. */
static void test_alternating(void)
{
    enum { ROWS = 60000 };
    float *x = malloc(ROWS * sizeof(*x));
    long long least, most;
    ax_bins *bins;

    for (int i = 0; i < ROWS; i++)
        x[i] = unit_below(10) ? (float) unit_below(200) : unit_uniform(0, 200);
    bins = bin(x, ROWS, 1, 255, WHOLE);
    bin_sizes(bins, 0, &least, &most);
    unit_check(misplaced(bins, x) == 0 && bins->column[0].n > 200 && most < 800,
               "frequent values between rare ones: %d bins of up to %lld rows", bins->column[0].n, most);
    ax_bins_free(bins);
    free(x);
}

static void test_categories(void)
{
    static const float x[] = {0, 5, NAN, 2, 254, 255, -1, 3};
    static const bool category = true;
    static const uint8_t want[] = {0, 5, 255, 2, 254, 255, 255, 3};
    ax_bins *bins = NULL;
    ax_error err;

    unit_status(try_bin(unit_env(), x, AX_COUNT(x), 1, &category, 2, WHOLE, 0, &bins, &err), AX_OK, &err,
                "categories");
    unit_same(bins->data, want, sizeof(want), "a code is its bin");
    unit_check(bins->column[0].n == 255 && bins->column[0].edge[254] == 254, "each code has one");
    ax_bins_free(bins);
}

static void test_odd_tables(void)
{
    static const float nothing[3] = {NAN, NAN, NAN}, one = 7;
    float *wide = malloc(2 * 5000 * sizeof(*wide));
    ax_bins *bins = bin(nothing, 0, 1, 255, WHOLE);

    unit_check(bins->rows == 0 && bins->column[0].n == 0, "no rows");
    ax_bins_free(bins);
    bins = bin(nothing, 3, 1, 255, WHOLE);
    unit_check(bins->column[0].n == 0 && bins->column[0].missing && bins->data[2] == AX_BIN_MISSING, "all missing");
    ax_bins_free(bins);
    bins = bin(&one, 1, 1, 255, WHOLE);
    unit_check(bins->column[0].n == 1 && !bins->column[0].missing && bins->data[0] == 0, "one row");
    ax_bins_free(bins);
    unit_fill(wide, 10000, -1, 1);
    bins = bin(wide, 2, 5000, 255, WHOLE);
    unit_check(misplaced(bins, wide) == 0 && (uintptr_t) (bins->data + bins->stride) % 64 == 0, "5,000 columns");
    ax_bins_free(bins);
    free(wide);
}

/* ---- in pieces -------------------------------------------------------------------------------- */

enum { PIECES_ROWS = 20000, PIECES_COLUMNS = 6 };

/* Normal, few values, ascending, half zero, few values that change, a jump in the distribution. */
static float *drifting_table(void)
{
    float *x = malloc(PIECES_ROWS * PIECES_COLUMNS * sizeof(*x));

    for (int i = 0; i < PIECES_ROWS; i++) {
        float *row = x + i * PIECES_COLUMNS;

        row[0] = unit_normal();
        row[1] = (float) unit_below(200) * 0.25f;
        row[2] = (float) i + unit_uniform(0, 1);
        row[3] = unit_below(2) ? 0 : unit_uniform(-1, 1);
        row[4] = (float) (unit_below(20) + i / 2000 * 15);
        row[5] = unit_below(50) == 0 ? NAN : i < PIECES_ROWS / 2 ? unit_normal() : 5 + 0.1f * unit_normal();
    }
    return x;
}

/* The largest share of the rows between two edges. */
static double worst_share(const ax_bins *bins, const float *x, int j)
{
    double worst = 0;
    int n = bins->column[j].n;

    for (int b = 0; b < n; b++) {
        int64_t in = 0, all = 0;

        for (int64_t i = 0; i < bins->rows; i++) {
            float v = x[i * bins->columns + j];

            all += !isnan(v);
            in += (b == 0 || v > bins->column[j].edge[b - 1]) && (b == n - 1 || v <= bins->column[j].edge[b]);
        }
        worst = AX_MAX(worst, (double) in / (double) all);
    }
    return worst;
}

static void check_exact(const ax_bins *pieces, const ax_bins *whole, int j)
{
    unit_is_int(pieces->column[j].n, whole->column[j].n, "column %d: as many bins in pieces", j);
    unit_same(pieces->column[j].edge, whole->column[j].edge, (size_t) (whole->column[j].n - 1) * sizeof(float),
              "the same edges");
    unit_same(pieces->data + j * pieces->stride, whole->data + j * whole->stride, (size_t) whole->rows,
              "the same bytes");
}

static void test_pieces(void)
{
    float *x = drifting_table();
    ax_bins *whole = bin(x, PIECES_ROWS, PIECES_COLUMNS, 255, WHOLE);
    ax_bins *pieces = bin(x, PIECES_ROWS, PIECES_COLUMNS, 255, 3000 * PIECES_COLUMNS * sizeof(float));
    static const double share[] = {0.009, 1, 0.009, 0.52, 1, 0.013}; /* in a bin; at best 0.0039 */

    check_exact(pieces, whole, 1);
    check_exact(pieces, whole, 4);
    for (int j = 0; j < PIECES_COLUMNS; j++) {
        long long bad = misplaced_in(pieces, x, j);
        double worst = worst_share(pieces, x, j);

        unit_check(worst < share[j] && ascending(pieces, j) && pieces->column[j].n > 120,
                   "column %d: %d bins of at most %.2f %% of the rows", j, pieces->column[j].n, 100 * worst);
        unit_check(bad <= (j == 5 ? PIECES_ROWS / 10 : 0), "column %d: %lld rows in a bin beside theirs", j, bad);
    }
    ax_bins_free(whole);
    ax_bins_free(pieces);
    free(x);
}

static void test_threads(void)
{
    float *x = drifting_table();
    ax_bins *one = NULL, *other = NULL;
    ax_error err;

    try_bin(unit_env(), x, PIECES_ROWS, PIECES_COLUMNS, NULL, 200, 200000, 0, &one, &err);
    for (int threads = 1; threads <= 4; threads *= 2) {
        unit_status(try_bin(unit_env(), x, PIECES_ROWS, PIECES_COLUMNS, NULL, 200, 200000, threads, &other, &err),
                    AX_OK, &err, "%d threads", threads);
        for (int j = 0; j < PIECES_COLUMNS; j++)
            check_exact(other, one, j);
        ax_bins_free(other);
    }
    ax_bins_free(one);
    free(x);
}

static void test_trouble(void)
{
    float *x = drifting_table();
    size_t before = unit_live_bytes();
    int bad = 0, tried = 0;
    ax_error err;

    for (long n = 1;; n++, tried++) {
        ax_bins *bins = NULL;
        ax_status status = try_bin(unit_env_fail_at(n), x, 1000, PIECES_COLUMNS, NULL, 255, 9000, 2, &bins, &err);
        bool tripped = unit_env_tripped();

        ax_bins_free(bins);
        if (!tripped)
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 20, "each of %d allocations may fail", tried);
    tried = 0;
    for (long n = 1;; n++, tried++) {
        ax_bins *bins = NULL;
        ax_status status = try_bin(unit_env_cancel_at(n), x, 3000, PIECES_COLUMNS, NULL, 255, 9000, 0, &bins, &err);
        bool tripped = unit_env_tripped();

        ax_bins_free(bins);
        if (!tripped)
            break;
        bad += status != AX_ERR_CANCELLED || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 10, "cancelled at %d moments", tried);
    free(x);
}

static bool never(void *arg)
{
    return false;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *) a, y = *(const float *) b;

    return (x > y) - (x < y);
}

static void test_sort(void)
{
    enum { N = 5000 };
    static uint32_t key[N], other[N];
    static float x[N];
    uint32_t *sorted;
    int bad = 0;

    for (int i = 0; i < N; i++) {
        do
            x[i] = unit_float_from_bits((uint32_t) unit_random());
        while (isnan(x[i]));
        key[i] = ax_key_of_float(x[i]);
    }
    qsort(x, N, sizeof(*x), by_value);
    sorted = ax_sort_keys(key, other, N, never, NULL);
    for (int i = 0; i < N; i++)
        bad += ax_float_of_key(sorted[i]) != x[i];
    unit_is_int(bad, 0, "floats of all sizes are sorted");
}

int main(void)
{
    unit_seed(1);
    test_sort();
    test_few_values();
    test_many_values();
    test_alternating();
    test_categories();
    test_odd_tables();
    test_pieces();
    test_threads();
    test_trouble();
    return unit_done();
}
