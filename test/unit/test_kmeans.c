/*
 * test_kmeans.c: k-means, against the inertia that scikit-learn 1.2's KMeans finds as the best of 200 starts on the
 * table of linear_check.h, and against what has to hold for centers.
 */
#include "linear_check.h"

#include <math.h>

static table t;
static const ax_kmeans_params defaults = {.k = 3, .n_init = 10, .max_iter = 300, .tol = 1e-4, .seed = 1};

static ax_kmeans *fit_rows(const ax_linear_rows *rows, const ax_kmeans_params *params, const char *text)
{
    ax_kmeans *m = NULL;
    ax_error err;

    unit_status(ax_kmeans_fit(unit_env(), rows, params, NULL, &m, &err), AX_OK, &err, "%s", text);
    return m;
}

/* Plainly, in double: the inertia; that each center lies in the middle of its rows; the sizes. */
static void check_centers(const ax_linear_rows *rows, const ax_kmeans *m, double tol)
{
    double inertia = 0, worst = 0, *sum = ax_zalloc(unit_env(), sizeof(double) * (size_t) (m->k * (m->p + 1)));
    int64_t *size = ax_zalloc(unit_env(), sizeof(int64_t) * (size_t) m->k);

    for (int64_t i = 0; i < rows->n; i++) {
        const float *x = rows->x + i * m->p;
        double best = INFINITY, w = rows->weights == NULL ? 1 : (double) rows->weights[i];
        int own = 0;

        for (int c = 0; c < m->k; c++) {
            double d = 0;

            for (int j = 0; j < m->p; j++)
                d += pow((double) x[j] - (double) m->center[c * m->p + j], 2);
            own = d < best ? c : own;
            best = fmin(best, d);
        }
        inertia += w * best;
        size[own]++;
        for (int j = 0; j < m->p; j++)
            sum[own * (m->p + 1) + j] += w * (double) x[j];
        sum[own * (m->p + 1) + m->p] += w;
    }
    for (int i = 0; i < m->k * m->p; i++) {
        const double *own = sum + i / m->p * (m->p + 1);

        worst = fmax(worst, fabs(own[i % m->p] / own[m->p] - (double) m->center[i]));
    }
    unit_near(m->inertia, inertia, 1e-5, "the inertia is what it is said to be");
    unit_check(worst <= tol, "centers are in the middle of their rows, to %g", worst);
    unit_check(memcmp(size, m->size, sizeof(int64_t) * (size_t) m->k) == 0, "the sizes are right");
    ax_free(unit_env(), sum);
    ax_free(unit_env(), size);
}

static void test_inertia(int k, bool weighted, double best)
{
    ax_linear_rows rows = table_rows(&t, weighted);
    ax_kmeans_params params = defaults;
    ax_kmeans *m;

    params.k = k;
    params.n_init = 50; /* scikit-learn, too, misses the best by more than 1% in every other run of 10 */
    params.tol = 0;
    m = fit_rows(&rows, &params, "clusters of a table");
    unit_check(m->inertia <= 1.01 * best, "%d clusters: %.2f, the best known is %.2f", k, m->inertia, best);
    check_centers(&rows, m, 1e-5);
    ax_kmeans_free(m);
}

/* ---- blobs ----------------------------------------------------------------------------------- */

#define BLOBS 6
#define ROWS  3000

static float blobs[ROWS * 3];

static void fill_blobs(void)
{
    unit_seed(4);
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < 3; j++)
            blobs[i * 3 + j] = 1e4f + (float) ((i % BLOBS) * (j + 1) * 20 % 97) + unit_normal();
    }
}

static void test_blobs(int batch_size, double tol)
{
    ax_linear_rows rows = {.x = blobs, .n = ROWS, .p = 3};
    ax_kmeans_params params = defaults;
    ax_kmeans *m;
    int right = 0;

    params.k = BLOBS;
    params.batch_size = batch_size;
    m = fit_rows(&rows, &params, batch_size ? "blobs by mini-batches" : "blobs");
    for (int c = 0; c < BLOBS; c++)
        right += m->size[c] == ROWS / BLOBS;
    unit_is_int(right, BLOBS, "each blob is a cluster");
    unit_check(m->inertia < 1.05 * 3 * ROWS, "the inertia is that of the noise, %g", m->inertia);
    check_centers(&rows, m, tol);
    ax_kmeans_free(m);
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void expect(ax_linear_rows rows, ax_kmeans_params params, ax_status want, const char *text)
{
    ax_kmeans *m = NULL;
    ax_error err;

    unit_status(ax_kmeans_fit(unit_env(), &rows, &params, NULL, &m, &err), want, NULL, "%s", text);
    unit_check(m == NULL, "nothing comes out");
}

static void test_edges(void)
{
    float two[20], nan[4] = {1, 2, NAN, 4}, far[4] = {3e38f, -3e38f, 3e38f, -3e38f};
    ax_linear_rows rows = {.x = two, .n = 20, .p = 1}, bad = {.x = nan, .n = 4, .p = 1},
                   wide = {.x = far, .n = 4, .p = 1};
    ax_kmeans_params params = defaults;
    ax_kmeans *m;

    for (int i = 0; i < 20; i++)
        two[i] = (float) (i % 2);
    expect(rows, params, AX_ERR_INVALID, "three clusters of two distinct rows");
    params.k = 2;
    m = fit_rows(&rows, &params, "two clusters of two distinct rows");
    unit_check(m->inertia == 0 && m->size[0] == 10 && m->size[1] == 10, "leave nothing");
    ax_kmeans_free(m);
    params.k = 1;
    m = fit_rows(&rows, &params, "one cluster");
    unit_near((double) m->center[0], 0.5, 1e-6, "is at the mean");
    ax_kmeans_free(m);
    rows.n = 1;
    m = fit_rows(&rows, &params, "one row");
    unit_check(m->center[0] == 0 && m->inertia == 0 && m->size[0] == 1, "is its own center");
    ax_kmeans_free(m);
    params.k = 2;
    expect(bad, params, AX_ERR_NUMERIC, "NaN");
    expect(wide, params, AX_ERR_NUMERIC, "distances that are no floats");
    rows.n = 0;
    expect(rows, params, AX_ERR_INVALID, "no rows");
    params.k = 0;
    expect(bad, params, AX_ERR_INVALID, "no clusters");
}

/* ---- life ------------------------------------------------------------------------------------ */

static ax_status fit_once(const ax_env *env, const void *arg, ax_error *err)
{
    ax_linear_rows rows = table_rows(&t, true);
    ax_kmeans *m = NULL;
    ax_status status = ax_kmeans_fit(env, &rows, arg, NULL, &m, err);

    ax_kmeans_free(m);
    return status;
}

static void test_threads(void)
{
    ax_linear_rows rows = {.x = blobs, .n = ROWS, .p = 3};
    ax_kmeans *m = fit_rows(&rows, &defaults, "without a pool");
    ax_error err;

    for (int threads = 1; threads <= 4; threads *= 2) {
        ax_pool *pool = NULL;
        ax_kmeans *other = NULL;

        unit_status(ax_pool_open(unit_env(), threads, &pool, &err), AX_OK, &err, "a pool of %d", threads);
        unit_status(ax_kmeans_fit(unit_env(), &rows, &defaults, pool, &other, &err), AX_OK, &err, "a fit");
        unit_same(m->center, other->center, 9 * sizeof(float), "gives the same bits");
        ax_kmeans_free(other);
        ax_pool_close(pool);
    }
    ax_kmeans_free(m);
}

int main(void)
{
    ax_kmeans_params params = {.k = 3, .n_init = 1, .max_iter = 5, .batch_size = 50, .seed = 1};

    table_fill(&t, 200, 4);
    test_inertia(3, false, 694.0689293);
    test_inertia(8, false, 352.467743);
    test_inertia(3, true, 701.4132218);
    fill_blobs();
    test_blobs(0, 1e-2);
    test_blobs(256, 0.3);
    test_edges();
    sweep(fit_once, &params, "mini-batches");
    params.batch_size = 0;
    sweep(fit_once, &params, "lloyd");
    test_threads();
    return unit_done();
}
