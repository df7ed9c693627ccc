/*
 * test_packed.c: rows that a dataset keeps as bytes: what is exact, how far the rest is off, that changes stay, and how
 * much memory they take.
 */
#include "unit.h"

#include <math.h>

#include "table/dataset.h"

#define WIDTH 4
#define ROWS 5000000 /* 80 MB, of which 64 are packed */

/* Few values; numbers of all sizes, now and then missing; codes that must stay; a number that grows with the rows. */
static void make_row(int64_t i, float *x)
{
    uint64_t bits = ax_rng_at(3, (uint64_t) i);

    x[0] = (float) (bits % 100) * 0.25f;
    x[1] = bits % 17 == 0 ? NAN : (float) ((double) (bits >> 12) / 4503599627370496.0);
    x[2] = (float) (bits % 1000);
    x[3] = (float) i;
}

static ax_dataset *fill(const ax_env *env, int64_t rows, ax_error *err)
{
    static const bool exact[WIDTH] = {false, false, true, false};
    ax_dataset *d = NULL;
    int bad = 0;

    unit_status(ax_dataset_create(env, AX_FLOAT, WIDTH, &d, err), AX_OK, err, "a dataset");
    unit_status(ax_dataset_compress(d, exact, err), AX_OK, err, "that is compressed");
    for (int64_t i = 0; i < rows; i++) {
        float x[WIDTH];

        make_row(i, x);
        bad += ax_dataset_append(d, x, err) != AX_OK;
    }
    unit_check(bad == 0, "takes %lld rows", (long long) rows);
    return d;
}

static void test_rows(const ax_dataset *d)
{
    int few = 0, missing = 0, codes = 0, far = 0, order = 0;
    double sum = 0, most = 0;

    for (int64_t i = 0; i < ROWS; i++) {
        const float *x = ax_dataset_row(d, i);
        float y[WIDTH];

        make_row(i, y);
        few += x[0] != y[0];
        missing += isnan(x[1]) != isnan(y[1]);
        codes += x[2] != y[2];
        far += fabsf(x[1] - y[1]) > 2.0f / 255;
        order += fabsf(x[3] - y[3]) > 2 * 65536.0f / 255;
        sum += isnan(x[1]) ? 0 : x[1] - y[1];
        most = fmax(most, isnan(x[1]) ? 0 : fabs(x[1] - y[1]));
    }
    unit_is_int(few, 0, "few values are exact");
    unit_is_int(missing, 0, "so is what is missing");
    unit_is_int(codes, 0, "and codes, though they are many");
    unit_check(far == 0 && most > 0, "a number is off by at most %.4f", most);
    unit_check(order == 0, "one that follows the rows, by a share of its block");
    unit_check(fabs(sum / ROWS) < 1e-5, "the mean stays: %g", sum / ROWS);
}

static void test_change(ax_dataset *d)
{
    int lost = 0;

    for (int64_t i = 0; i < ROWS; i++) {
        float *x = ax_dataset_change(d, i);

        x[2] = (float) (i % 7);
    }
    for (int64_t i = 0; i < ROWS; i++)
        lost += ((const float *) ax_dataset_row(d, i))[2] != (float) (i % 7);
    unit_is_int(lost, 0, "what was changed stays changed");
}

static void test_refusals(const ax_env *env)
{
    static const bool exact[WIDTH] = {false};
    ax_dataset *d = NULL;
    ax_error err;
    float x[WIDTH] = {0};

    unit_status(ax_dataset_create(env, AX_FLOAT, WIDTH, &d, &err), AX_OK, &err, "a dataset");
    unit_status(ax_dataset_append(d, x, &err), AX_OK, &err, "with a row");
    unit_status(ax_dataset_compress(d, exact, &err), AX_ERR_INTERNAL, &err, "is no longer compressed");
    ax_dataset_free(d);
}

static void test_failures(void)
{
    size_t before = unit_live_bytes();
    int bad = 0;
    ax_error err;

    for (long n = 1; n < 12; n++) {
        static const bool exact[WIDTH] = {false};
        const ax_env *env = unit_env_fail_at(n);
        ax_dataset *d = NULL;
        ax_status status = ax_dataset_create(env, AX_FLOAT, WIDTH, &d, &err);
        float x[WIDTH] = {0};

        if (status == AX_OK)
            status = ax_dataset_compress(d, exact, &err);
        for (int i = 0; i < 10 && status == AX_OK; i++)
            status = ax_dataset_append(d, x, &err);
        ax_dataset_free(d);
        bad += (unit_env_tripped() && status != AX_ERR_NOMEM) || unit_live_bytes() != before;
    }
    unit_check(bad == 0, "a failing allocation ends it cleanly");
}

int main(void)
{
    const ax_env *env = unit_env();
    ax_error err;
    ax_dataset *d = fill(env, ROWS, &err);

    unit_check(ax_dataset_memory(d) < 50 * 1000 * 1000, "80 MB are held in %zu bytes", ax_dataset_memory(d));
    test_rows(d);
    test_change(d);
    ax_dataset_free(d);
    test_refusals(env);
    test_failures();
    return unit_done();
}
