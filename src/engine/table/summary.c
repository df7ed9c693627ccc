/*
 * summary.c: statistics of a table's columns: moments, sorted numbers, categories.
 *
 * Rows lie one after the other, in blocks that fit the cache. A pass goes from block to block, and within a block from
 * column to column, so that memory is read once whatever is asked. Moments of a block are taken around its own mean in
 * two turns and merged (Chan, Golub and LeVeque 1979): numbers around 10^9 that differ in the last digit keep their
 * deviation. The order of blocks and rows fixes the bits.
 *
 * Quantiles come from sorting, a few columns at a time, at most a million numbers of each.
 */
#include "table/prepare.h"

#include <float.h>
#include <math.h>

#define SAMPLE ((int64_t) 1000000) /* rows that are sorted */
#define GROUP 16                   /* columns gathered at once: their floats share cache lines */

static ax_status go_on(const ax_dataset *d, ax_error *err)
{
    return ax_may_continue(&d->env) ? AX_OK : ax_cancelled(err);
}

static int64_t rows_in_block(const ax_dataset *d, int block)
{
    return AX_MIN(d->block_rows, d->rows - block * d->block_rows);
}

/* ---- moments --------------------------------------------------------------------------------- */

static float changed(float x, const ax_change *c)
{
    if (c == NULL || isnan(x))
        return x;
    x = x < c->low ? c->low : x > c->high ? c->high : x;
    return c->log1p ? (float) log1p((double) x) : x;
}

/* Counts a column of a block, and the sum of its finite numbers. Returns how many these are. */
static int64_t first_turn(const float *x, int64_t rows, int64_t width, const ax_change *c, ax_moments *m, double *sum)
{
    int64_t finite = 0;

    *sum = 0;
    for (int64_t r = 0; r < rows; r++) {
        float v = changed(x[r * width], c);

        if (isnan(v)) {
            m->nulls++;
            continue;
        }
        m->count++;
        m->min = m->count == 1 || v < m->min ? v : m->min;
        m->max = m->count == 1 || v > m->max ? v : m->max;
        if (isinf(v)) {
            m->above += v > 0;
            m->below += v < 0;
            continue;
        }
        *sum += (double) v;
        finite++;
    }
    return finite;
}

static void add_block(const float *x, int64_t rows, int64_t width, const ax_change *c, ax_moments *m)
{
    double before = (double) (m->count - m->above - m->below), sum, mean, squares = 0, rest = 0, n, delta;
    int64_t finite = first_turn(x, rows, width, c, m, &sum);

    if (finite == 0)
        return;
    n = (double) finite;
    mean = sum / n;
    for (int64_t r = 0; r < rows; r++) {
        double v = (double) changed(x[r * width], c);

        v = isfinite(v) ? v - mean : 0;
        squares += v * v;
        rest += v; /* what the mean lost by rounding */
    }
    mean += rest / n;
    squares -= rest * (rest / n);
    delta = mean - m->mean;
    m->squares += squares + delta * delta * (before * n / (before + n));
    m->mean += delta * (n / (before + n));
}

ax_status ax_rows_moments(const ax_dataset *d, int64_t n, const int64_t *element, const ax_change *change,
                          ax_moments *out, ax_error *err)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (ax_moments){.min = NAN, .max = NAN};
    for (int b = 0; n > 0 && b < d->n_blocks; b++) {
        const float *x = ax_dataset_block(d, b);

        AX_TRY(go_on(d, err));
        for (int64_t i = 0; i < n; i++)
            add_block(x + element[i], rows_in_block(d, b), d->width, change == NULL ? NULL : &change[i], &out[i]);
    }
    return AX_OK;
}

/* ---- sorted numbers -------------------------------------------------------------------------- */

/* Row number k of the n that are looked at. */
static int64_t sampled_row(const ax_dataset *d, int64_t k, int64_t n)
{
    int64_t from, to;

    if (n == d->rows)
        return k;
    from = (int64_t) ((__int128) d->rows * k / n);
    to = (int64_t) ((__int128) d->rows * (k + 1) / n);
    return from + (int64_t) (ax_rng_at(UINT64_C(0x73616d706c65), (uint64_t) k) % (uint64_t) (to - from));
}

static ax_status gather(const ax_dataset *d, const int64_t *element, int n, int64_t rows, float *column, ax_error *err)
{
    for (int64_t k = 0; k < rows; k++) {
        const float *x = ax_dataset_row(d, sampled_row(d, k, rows));

        if (k % 65536 == 0)
            AX_TRY(go_on(d, err));
        for (int i = 0; i < n; i++)
            column[i * rows + k] = x[element[i]];
    }
    return AX_OK;
}

ax_status ax_rows_sorted(const ax_dataset *d, int64_t n, const int64_t *element, ax_sorted_fn visit, void *arg,
                         ax_error *err)
{
    int64_t rows = AX_MIN(d->rows, SAMPLE), group = AX_MIN(n, GROUP);
    float *column;
    ax_status status = AX_OK;

    if (n == 0)
        return AX_OK;
    column = ax_alloc(&d->env, (size_t) (rows * (group + 1)) * sizeof(float)); /* and a spare one */
    if (column == NULL)
        return ax_nomem(err);
    for (int64_t i = 0; i < n && status == AX_OK; i += group) {
        int many = (int) AX_MIN(group, n - i);

        status = gather(d, element + i, many, rows, column, err);
        for (int k = 0; k < many && status == AX_OK; k++) {
            const float *sorted;
            int64_t count = ax_sort_floats(column + k * rows, column + group * rows, rows, &sorted);

            status = visit(arg, i + k, sorted, count, err);
            if (status == AX_OK)
                status = go_on(d, err);
        }
    }
    ax_free(&d->env, column);
    return status;
}

double ax_quantile(const float *sorted, int64_t count, double q)
{
    double at = q * (double) (count - 1), low = floor(at);
    int64_t i = (int64_t) low;

    if (count == 0)
        return NAN;
    if (i + 1 >= count || sorted[i] == sorted[i + 1])
        return (double) sorted[AX_MIN(i, count - 1)];
    return (double) sorted[i] + (at - low) * ((double) sorted[i + 1] - (double) sorted[i]);
}

/* ---- categories ------------------------------------------------------------------------------ */

static ax_status count_block(const float *x, int64_t rows, int64_t width, int n_categories, int64_t *count,
                             ax_error *err)
{
    /* without categories: a column that the caller has left out, and did not read */
    for (int64_t r = 0; n_categories > 0 && r < rows; r++) {
        float v = x[r * width];

        if (isnan(v))
            continue;
        if (!(v >= 0 && v < (float) n_categories) || v != floorf(v) || (int) v >= n_categories)
            return ax_fail(err, AX_ERR_INTERNAL, "a row names category %g of %d", (double) v, n_categories);
        count[(int) v]++;
    }
    return AX_OK;
}

ax_status ax_rows_categories(const ax_dataset *d, int64_t n, const int64_t *element, const int *n_categories,
                             int64_t *const *count, ax_error *err)
{
    for (int b = 0; n > 0 && b < d->n_blocks; b++) {
        const float *x = ax_dataset_block(d, b);

        AX_TRY(go_on(d, err));
        for (int64_t i = 0; i < n; i++)
            AX_TRY(count_block(x + element[i], rows_in_block(d, b), d->width, n_categories[i], count[i], err));
    }
    return AX_OK;
}

/* Merge sort, larger counts first; equal ones keep their order. */
static void sort_by_count(const int64_t *count, int *order, int *spare, int n)
{
    int half = n / 2, i = 0, j = half;

    if (n < 2)
        return;
    sort_by_count(count, order, spare, half);
    sort_by_count(count, order + half, spare, n - half);
    for (int k = 0; k < n; k++)
        spare[k] = j >= n || (i < half && count[order[i]] >= count[order[j]]) ? order[i++] : order[j++];
    memcpy(order, spare, (size_t) n * sizeof(*order));
}

ax_status ax_frequency_order(const ax_env *env, const int64_t *count, int n, int *order, int *n_seen, ax_error *err)
{
    int *spare = ax_alloc(env, (size_t) n * sizeof(*spare)), seen = 0;

    if (spare == NULL)
        return ax_nomem(err);
    for (int i = 0; i < n; i++)
        if (count[i] > 0)
            order[seen++] = i;
    sort_by_count(count, order, spare, seen);
    ax_free(env, spare);
    *n_seen = seen;
    return AX_OK;
}
