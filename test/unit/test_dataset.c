/*
 * test_dataset.c: rows come back as they went in, targets are checked, the cut is seeded and
 * stratified, and nothing leaks when memory runs out.
 */
#include <math.h>
#include <stdlib.h>

#include "table/dataset.h"
#include "unit.h"

static ax_error err;

static void fill_row(uint8_t *row, int64_t width, int64_t i)
{
    for (int64_t j = 0; j < width; j++)
        row[j] = (uint8_t) (i * 31 + j * 7 + (i >> 8));
}

/* rows rows of width bytes; NULL when a step failed. */
static ax_dataset *make(const ax_env *env, int64_t rows, int64_t width, ax_status *status)
{
    uint8_t row[4096];
    ax_dataset *d = NULL;

    *status = ax_dataset_create(env, AX_UINT8, width, &d, &err);
    for (int64_t i = 0; i < rows && *status == AX_OK; i++) {
        fill_row(row, width, i);
        *status = ax_dataset_append(d, row, &err);
    }
    if (*status != AX_OK) {
        ax_dataset_free(d);
        return NULL;
    }
    return d;
}

static void check_rows(void)
{
    uint8_t want[3 * 4096], got[3 * 4096];
    const int64_t index[] = {999, 0, 500};
    ax_status status;
    ax_dataset *d = make(unit_env(), 1000, 3072, &status);
    int bad = 0;

    unit_status(status, AX_OK, &err, "a thousand rows of 3072 bytes");
    unit_is_int(ax_dataset_rows(d), 1000, "they are counted");
    for (int64_t i = 0; i < 1000; i++) {
        fill_row(want, 3072, i);
        bad += memcmp(want, ax_dataset_row(d, i), 3072) != 0;
    }
    unit_check(bad == 0, "every row is there");
    for (int k = 0; k < 3; k++)
        fill_row(want + k * 3072, 3072, index[k]);
    ax_dataset_gather(d, index, 3, got, NULL, NULL, NULL);
    unit_same(got, want, sizeof(got) / 4096 * 3072, "rows are gathered in the order asked for");
    unit_check(unit_live_bytes() < 1000 * 3072 * 11 / 10, "memory is about what the rows need");
    ax_dataset_free(d);
}

static void check_targets(void)
{
    const int32_t classes[] = {0, 2, 1}, high[] = {0, 3, 1}, low[] = {0, -1, 1};
    const float values[] = {1, 2, 3, 4, 5, 6}, nan[] = {1, NAN, 3}, weights[] = {1, 0, 2};
    const float negative[] = {1, -1, 2};
    const int64_t index[] = {2, 1};
    int32_t c[2];
    float v[4], w[2];
    ax_status status;
    ax_dataset *d = make(unit_env(), 3, 8, &status);

    unit_status(ax_dataset_set_classes(d, high, 3, &err), AX_ERR_INVALID, &err, "class too high");
    unit_is_str(err.message, "row 2 has class 3, but there are 3 classes", "it says which");
    unit_status(ax_dataset_set_classes(d, low, 3, &err), AX_ERR_INVALID, &err, "class negative");
    unit_status(ax_dataset_set_values(d, nan, 1, &err), AX_ERR_NUMERIC, &err, "target NaN");
    unit_status(ax_dataset_set_values(d, values, 0, &err), AX_ERR_INVALID, &err, "no width");
    unit_status(ax_dataset_set_weights(d, negative, &err), AX_ERR_INVALID, &err, "weight negative");
    unit_status(ax_dataset_set_weights(d, nan, &err), AX_ERR_NUMERIC, &err, "weight NaN");
    unit_status(ax_dataset_set_classes(d, classes, 3, &err), AX_OK, &err, "classes");
    unit_status(ax_dataset_set_weights(d, weights, &err), AX_OK, &err, "weights");
    ax_dataset_gather(d, index, 2, NULL, c, NULL, w);
    unit_check(c[0] == 1 && c[1] == 2 && w[0] == 2 && w[1] == 0, "are gathered");
    unit_status(ax_dataset_set_values(d, values, 2, &err), AX_OK, &err, "values instead");
    unit_check(d->classes == NULL && d->value_width == 2, "the classes are gone then");
    ax_dataset_gather(d, index, 2, NULL, NULL, v, NULL);
    unit_check(v[0] == 5 && v[1] == 6 && v[2] == 3 && v[3] == 4, "values are gathered");
    unit_status(ax_dataset_append(d, values, &err), AX_ERR_INVALID, &err, "no rows after targets");
    ax_dataset_free(d);
}

static void check_refused(void)
{
    ax_dataset *d = NULL;

    unit_status(ax_dataset_create(unit_env(), AX_INT64, 4, &d, &err), AX_ERR_INVALID, &err,
                "rows of int64");
    unit_status(ax_dataset_create(unit_env(), AX_FLOAT, 0, &d, &err), AX_ERR_INVALID, &err,
                "rows of nothing");
    unit_status(ax_dataset_create(unit_env(), AX_FLOAT, INT64_MAX / 2, &d, &err), AX_ERR_LIMIT,
                &err, "rows beyond measure");
    unit_check(d == NULL, "nothing was made");
    ax_dataset_free(NULL);
}

/* ---- the cut --------------------------------------------------------------------------------- */

#define N 1000

static int64_t train[N], valid[N], n_train, n_valid;

static ax_status split(ax_dataset *d, double fraction, uint64_t seed)
{
    return ax_dataset_split(d, fraction, seed, train, &n_train, valid, &n_valid, &err);
}

/* Both lists ascending, and together every row once. */
static bool is_partition(int64_t rows)
{
    int64_t t = 0, v = 0;

    for (int64_t i = 0; i < rows; i++) {
        if (t < n_train && train[t] == i)
            t++;
        else if (v < n_valid && valid[v] == i)
            v++;
        else
            return false;
    }
    return t == n_train && v == n_valid;
}

static void check_split(void)
{
    int32_t classes[N];
    int64_t before[N], count[4] = {0}, held[4] = {0};
    ax_status status;
    ax_dataset *d = make(unit_env(), N, 4, &status);
    int off = 0;

    /* 700, 200, 99 and 1 rows */
    for (int i = 0; i < N; i++) {
        classes[i] = i == 500 ? 3 : i % 10 < 7 ? 0 : i % 10 < 9 ? 1 : 2;
        count[classes[i]]++;
    }
    unit_status(ax_dataset_set_classes(d, classes, 4, &err), AX_OK, &err, "four classes");
    unit_status(split(d, 0.1, 42), AX_OK, &err, "a tenth is cut off");
    unit_check(is_partition(N), "every row is on one side, in order");
    unit_is_int(n_valid, 100, "a tenth it is");
    for (int64_t i = 0; i < n_valid; i++)
        held[classes[valid[i]]]++;
    for (int c = 0; c < 4; c++)
        off += fabs((double) held[c] - 0.1 * (double) count[c]) > 1;
    unit_check(off == 0, "in each class to within a row: %d %d %d %d", (int) held[0],
               (int) held[1], (int) held[2], (int) held[3]);
    unit_is_int(held[3], 0, "a class's only row stays in training");
    memcpy(before, valid, sizeof(before));
    split(d, 0.1, 42);
    unit_same(before, valid, (size_t) n_valid * sizeof(*valid), "the same seed, the same cut");
    split(d, 0.1, 43);
    unit_check(memcmp(before, valid, (size_t) n_valid * sizeof(*valid)) != 0,
               "another seed, another cut");
    unit_status(split(d, 0, 1), AX_OK, &err, "fraction 0");
    unit_check(n_valid == 0 && is_partition(N), "keeps all rows");
    unit_status(split(d, 0.999999, 1), AX_OK, &err, "fraction nearly 1");
    unit_check(n_train == 4 && is_partition(N), "leaves a row of each class, got %d",
               (int) n_train);
    unit_status(split(d, 1, 1), AX_ERR_INVALID, &err, "fraction 1 is refused");
    unit_status(split(d, NAN, 1), AX_ERR_INVALID, &err, "fraction NaN is refused");
    ax_dataset_free(d);
}

static void check_small_split(void)
{
    ax_status status;
    ax_dataset *d = make(unit_env(), 3, 4, &status);

    unit_status(split(d, 0.01, 1), AX_OK, &err, "a hundredth of three rows");
    unit_check(n_valid == 1 && is_partition(3), "is one row");
    ax_dataset_free(d);
    d = make(unit_env(), 1, 4, &status);
    unit_status(split(d, 0.5, 1), AX_OK, &err, "half of one row");
    unit_check(n_train == 1 && n_valid == 0, "is none: training keeps it");
    ax_dataset_free(d);
}

/* Rows of 4 bytes, three classes, weights. */
static ax_dataset *make_classes(int64_t rows)
{
    int32_t classes[1000];
    float weights[1000];
    ax_status status;
    ax_dataset *d = make(unit_env(), rows, 4, &status);

    for (int64_t i = 0; i < rows; i++) {
        classes[i] = (int32_t) (i % 10 < 7 ? 0 : i % 10 < 9 ? 1 : 2);
        weights[i] = (float) i;
    }
    ax_dataset_set_classes(d, classes, 3, &err);
    ax_dataset_set_weights(d, weights, &err);
    return d;
}

static void check_select(void)
{
    const int64_t index[] = {9, 9, 0, 7}, wrong[] = {0, 10}, below[] = {-1};
    ax_dataset *d = make_classes(10), *part = NULL;
    int bad = 0;

    unit_status(ax_dataset_select(d, index, 4, &part, &err), AX_OK, &err, "four rows of ten");
    for (int i = 0; i < 4; i++)
        bad += memcmp(ax_dataset_row(part, i), ax_dataset_row(d, index[i]), 4) != 0 ||
               part->classes[i] != d->classes[index[i]] || part->weights[i] != d->weights[index[i]];
    unit_check(bad == 0 && part->rows == 4 && part->n_classes == 3, "come with their targets and weights");
    ax_dataset_free(part);
    unit_status(ax_dataset_select(d, index, 0, &part, &err), AX_OK, &err, "no rows");
    unit_is_int(ax_dataset_rows(part), 0, "are none");
    ax_dataset_free(part);
    unit_status(ax_dataset_select(d, wrong, 2, &part, &err), AX_ERR_INVALID, &err, "a row behind the last");
    unit_status(ax_dataset_select(d, below, 1, &part, &err), AX_ERR_INVALID, &err, "a row before the first");
    ax_dataset_free(d);
}

static void check_folds(void)
{
    ax_dataset *d = make_classes(1000);
    int32_t fold[1000], again[1000], other[1000];
    int count[3][7] = {{0}}, bad = 0;

    unit_status(ax_dataset_folds(d, 7, 3, fold, &err), AX_OK, &err, "seven folds");
    for (int i = 0; i < 1000; i++) {
        bad += fold[i] < 0 || fold[i] >= 7;
        if (!bad)
            count[d->classes[i]][fold[i]]++;
    }
    for (int c = 0; c < 3; c++)
        for (int k = 1; k < 7; k++)
            bad += abs(count[c][k] - count[c][0]) > 1;
    unit_check(bad == 0, "each class is dealt out evenly");
    ax_dataset_folds(d, 7, 3, again, &err);
    ax_dataset_folds(d, 7, 4, other, &err);
    unit_check(memcmp(fold, again, sizeof(fold)) == 0, "the same seed deals the same");
    unit_check(memcmp(fold, other, sizeof(fold)) != 0, "another seed another way");
    unit_status(ax_dataset_folds(d, 0, 3, fold, &err), AX_ERR_INVALID, &err, "no folds are refused");
    ax_dataset_free(d);
}

static ax_status all_steps(const ax_env *env)
{
    const int32_t classes[300] = {0};
    const float ones[300] = {0};
    int32_t fold[300];
    ax_dataset *part = NULL;
    ax_status status;
    ax_dataset *d = make(env, 300, 4096, &status);

    if (d == NULL)
        return status;
    if (status == AX_OK)
        status = ax_dataset_set_values(d, ones, 1, &err);
    if (status == AX_OK)
        status = ax_dataset_set_classes(d, classes, 1, &err);
    if (status == AX_OK)
        status = ax_dataset_set_weights(d, ones, &err);
    if (status == AX_OK)
        status = split(d, 0.2, 1);
    if (status == AX_OK)
        status = ax_dataset_folds(d, 3, 1, fold, &err);
    if (status == AX_OK)
        status = ax_dataset_select(d, train, 200, &part, &err);
    ax_dataset_free(part);
    ax_dataset_free(d);
    return status;
}

static void check_out_of_memory(void)
{
    int bad = 0;
    long n;

    for (n = 1;; n++) {
        ax_status status = all_steps(unit_env_fail_at(n));

        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != 0;
    }
    unit_check(bad == 0 && n > 8, "out of memory at any of %ld allocations", n - 1);
}

int main(void)
{
    check_rows();
    check_targets();
    check_refused();
    check_split();
    check_small_split();
    check_select();
    check_folds();
    check_out_of_memory();
    return unit_done();
}
