/*
 * test_pca.c: principal components, against scikit-learn 1.2's PCA with svd_solver full on the table of linear_check.h,
 * and against what has to hold for any eigenvectors.
 */
#include "linear_check.h"

#include <math.h>

static const double mean[] = {-0.11165073514, 0.795814025402, 2.07046425939, 3.15397681594};
static const double component[] = {-0.0369117084998, -0.452946109752, 0.377502932587, 0.806826427012,
                                   0.436856224098,   -0.209226864361, 0.750952619029, -0.448832844911,
                                   -0.848446695733,  0.206172978033,  0.4665295109,   -0.141354600518};
static const double variance[] = {2.18114961273, 1.47492105811, 1.29012034817};
static const double ratio[] = {0.383470267478, 0.259307463074, 0.22681745081};
static const double wide_component[] = {
    -0.266636601324,  0.290990168365,   0.192835736349,  0.149173385277,  -0.419097655846, 0.240817347866,
    0.00139499061177, -0.505990891493,  -0.350386315604, 0.415158025404,  -0.411084088225, 0.380995286483,
    -0.373471229388,  -0.30208619964,   -0.118768894504, -0.350471307118, -0.53396500841,  -0.00922346062928,
    0.180119854618,   -0.0230777169244, -0.203934070432, 0.297924550506,  0.189806620255,  0.0221053005603,
    -0.16350588628,   -0.249018777885,  0.463578368872,  -0.207896761865, 0.016982608929,  -0.69712104863,
    0.237221803449,   0.00788385007855, 0.279648008725,  -0.276645272425, 0.0173969323854, -0.0398513562447,
    0.0503671274836,  -0.465884816783,  0.725813912434,  0.201608323149};
static const double wide_variance[] = {7.66329610657, 3.17094489615, 1.57761052302, 0.780439377575};

static table t;

static ax_pca *fit(const float *x, int64_t n, int p, int k, const char *text)
{
    ax_linear_rows rows = {.x = x, .n = n, .p = p};
    ax_pca *m = NULL;
    ax_error err;

    unit_status(ax_pca_fit(unit_env(), &rows, k, &m, &err), AX_OK, &err, "%s", text);
    return m;
}

static void test_tables(void)
{
    ax_pca *m;

    table_fill(&t, 40, 4);
    m = fit(t.x, 40, 4, 3, "components of a table");
    close_to(m->mean, mean, 4, 1e-11, "means");
    close_to(m->component, component, 12, 1e-9, "components, with their signs");
    close_to(m->variance, variance, 3, 1e-9, "explained variance");
    close_to(m->ratio, ratio, 3, 1e-9, "its share");
    ax_pca_free(m);
    table_fill(&t, 6, 10);
    m = fit(t.x, 6, 10, 4, "more columns than rows");
    close_to(m->component, wide_component, 40, 1e-9, "components");
    close_to(m->variance, wide_variance, 4, 1e-9, "explained variance");
    ax_pca_free(m);
}

/* The components are orthonormal, and the covariance maps each to its variance times itself. */
static void check_components(const float *x, int64_t n, const ax_pca *m)
{
    double worst = 0, wrong = 0, *image = ax_zalloc(unit_env(), sizeof(double) * (size_t) (m->k * m->p));

    for (int a = 0; a < m->k; a++) {
        for (int b = 0; b <= a; b++) {
            double dot = 0;

            for (int j = 0; j < m->p; j++)
                dot += m->component[a * m->p + j] * m->component[b * m->p + j];
            worst = fmax(worst, fabs(dot - (a == b)));
        }
    }
    for (int64_t i = 0; i < n; i++) {
        for (int a = 0; a < m->k; a++) {
            double score = 0;

            for (int j = 0; j < m->p; j++)
                score += ((double) x[i * m->p + j] - m->mean[j]) * m->component[a * m->p + j];
            for (int j = 0; j < m->p; j++)
                image[a * m->p + j] += score * ((double) x[i * m->p + j] - m->mean[j]) / (double) (n - 1);
        }
    }
    for (int i = 0; i < m->k * m->p; i++)
        wrong = fmax(wrong, fabs(image[i] - m->variance[i / m->p] * m->component[i]) / m->variance[0]);
    for (int a = 1; a < m->k; a++)
        worst = m->variance[a] > m->variance[a - 1] ? 1 : worst;
    unit_check(worst < 1e-10, "orthonormal to %g, variances fall", worst);
    unit_check(wrong < 1e-10, "eigenvectors to %g", wrong);
    ax_free(unit_env(), image);
}

static void test_shape(int64_t n, int p, int k, const char *text)
{
    float *x = ax_alloc(unit_env(), sizeof(float) * (size_t) (n * p));
    ax_pca *m;

    unit_seed(9);
    unit_fill_normal(x, n * p, 1);
    for (int64_t i = 0; i < n * p; i++)
        x[i] = x[i] * (float) (1 + i % p % 9) + 1000;
    m = fit(x, n, p, k, text);
    check_components(x, n, m);
    ax_pca_free(m);
    ax_free(unit_env(), x);
}

static void test_edges(void)
{
    float same[12] = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}, nan[4] = {1, 2, NAN, 3};
    ax_linear_rows bad = {.x = nan, .n = 2, .p = 2}, one = {.x = same, .n = 1, .p = 3},
                   two = {.x = same, .n = 2, .p = 3};
    ax_pca *m = fit(same, 4, 3, 2, "rows that are all the same");
    ax_error err;

    unit_check(m->variance[0] == 0 && m->ratio[0] == 0, "have no variance");
    check_components(same, 0, m);
    ax_pca_free(m);
    m = fit(same, 2, 3, 2, "two of them");
    unit_check(m->variance[0] == 0 && isfinite(m->component[0]), "neither");
    ax_pca_free(m);
    m = NULL;
    unit_status(ax_pca_fit(unit_env(), &bad, 1, &m, &err), AX_ERR_NUMERIC, NULL, "NaN");
    unit_status(ax_pca_fit(unit_env(), &one, 1, &m, &err), AX_ERR_INVALID, NULL, "one row");
    unit_status(ax_pca_fit(unit_env(), &two, 3, &m, &err), AX_ERR_INVALID, NULL, "more components than rows");
    unit_status(ax_pca_fit(unit_env(), &two, 0, &m, &err), AX_ERR_INVALID, NULL, "no component");
    unit_check(m == NULL, "nothing comes out");
}

static ax_status fit_once(const ax_env *env, const void *arg, ax_error *err)
{
    ax_linear_rows rows = table_rows(&t, false);
    ax_pca *m = NULL;
    ax_status status = ax_pca_fit(env, &rows, *(const int *) arg, &m, err);

    ax_pca_free(m);
    return status;
}

int main(void)
{
    int k = 3;

    test_tables();
    test_shape(500, 30, 30, "tall");
    test_shape(260, 250, 250, "in pieces, all components");
    test_shape(700, 250, 5, "in pieces, some");
    test_shape(30, 90, 30, "wide, all components");
    test_shape(220, 300, 7, "wide, in pieces");
    test_shape(50, 1, 1, "one column");
    test_edges();
    table_fill(&t, 40, 4);
    sweep(fit_once, &k, "tall");
    table_fill(&t, 6, 10);
    sweep(fit_once, &k, "wide");
    return unit_done();
}
