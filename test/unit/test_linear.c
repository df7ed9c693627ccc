/*
 * test_linear.c: least squares, ridge, lasso and elastic net, against numbers of scikit-learn 1.2 and formulas in
 * numpy, and against what has to hold at the optimum.
 *
 * The expected numbers were computed on the table of linear_check.h: LinearRegression, Ridge, Lasso and ElasticNet (tol
 * 1e-14); errors as the roots of the diagonal of s^2 (X' W X)^-1, with s^2 the weighted squares over n - p - 1; p
 * values by scipy's stats.t; least norms by numpy's pinv of the centred rows.
 */
#include "linear_check.h"
#include "linear/significance.h"

#include <math.h>

static const double least_squares[] = {2.07675283848, -1.07330237463, 0.0678329066221, -0.11490378502, 0.327232108055};
static const double weighted[] = {2.03249155875, -1.12917459477, 0.0623579656742, -0.165894215293, 0.524463153149};
static const double without_intercept[] = {2.08562407205, -1.01805912192, 0.109228791592, -0.0598316975716, 0};
static const double ridge[] = {1.98423759234, -1.018472991, 0.0750697388163, -0.10385733465, 0.223444869534};
static const double ridge_weighted[] = {1.94220454488, -1.06781630252, 0.0716483288375, -0.156586193591,
                                        0.412111022416};
static const double lasso[] = {1.87828922899, -0.786271441012, 0, -0, -0.145308007789};
static const double net_weighted[] = {1.71345815951, -0.859490556039, 0.0228253320422, -0.0573359853743,
                                      -0.00543187979294};
static const double least_squares_error[] = {0.18800368088, 0.220747755627, 0.177473991477, 0.165173159263,
                                             0.750031810248};
static const double least_squares_t[] = {11.0463413735, -4.86212134563, 0.38221322492, -0.695656519087, 0.436290972707};
static const double least_squares_p[] = {5.89056092818e-13, 2.43144372495e-05, 0.704614290206, 0.491237578897,
                                         0.665305171697};
static const double weighted_error[] = {0.185856077562, 0.21296573013, 0.173346094839, 0.164036596752, 0.727768246293};
static const double weighted_t[] = {10.9358358651, -5.30214224646, 0.359731009412, -1.01132441527, 0.72064583172};
static const double weighted_p[] = {7.75472112352e-13, 6.42621136338e-06, 0.721209856888, 0.318801940805,
                                    0.475913430502};
static const double wide[] = {0.991681106068,  -1.0949771428,  -0.0360986872889, 0.54438685427,
                              0.758042485315,  0.679077857489, 0.357338040599,   0.999561256344,
                              -0.344621292943, 0.244499714023, -15.0789854616};

static table t;
static const ax_linear_params defaults = {
    .fit_intercept = true, .l1_ratio = 0, .c = 1, .n_classes = 2, .tol = 1e-4, .max_iter = 1000};

static ax_linear_fit *fit_rows(const ax_linear_rows *rows, double alpha, double l1_ratio, const char *text)
{
    ax_linear_params params = defaults;
    ax_linear_fit *f = NULL;
    ax_error err;

    params.alpha = alpha;
    params.l1_ratio = l1_ratio;
    unit_status(ax_linear_least_squares(unit_env(), rows, &params, NULL, &f, &err), AX_OK, &err, "%s", text);
    return f;
}

static void fit_table(bool weighted, double alpha, double l1_ratio, const double *want, const char *text)
{
    ax_linear_rows rows = table_rows(&t, weighted);
    ax_linear_fit *f = fit_rows(&rows, alpha, l1_ratio, text);
    int nan = 0;

    fit_close_to(f, want, 1e-9, text);
    for (int j = 0; j <= f->p; j++)
        nan += isnan(f->std_error[j]) && isnan(f->z[j]) && isnan(f->p_value[j]);
    unit_is_int(nan, alpha > 0 ? f->p + 1 : 0, "errors belong to the model without penalty");
    unit_check(f->converged, "converged");
    ax_linear_free(f);
}

static void test_tables(void)
{
    table_fill(&t, 40, 4);
    fit_table(false, 0, 0, least_squares, "least squares");
    fit_table(true, 0, 0, weighted, "weighted least squares");
    fit_table(false, 2.5, 0, ridge, "ridge");
    fit_table(true, 2.5, 0, ridge_weighted, "weighted ridge");
    fit_table(false, 0.3, 1, lasso, "lasso");
    fit_table(true, 0.3, 0.4, net_weighted, "weighted elastic net");
}

static void test_errors(void)
{
    ax_linear_rows rows = table_rows(&t, false), heavy = table_rows(&t, true);
    ax_linear_fit *f = fit_rows(&rows, 0, 0, "errors"), *g = fit_rows(&heavy, 0, 0, "errors of weighted rows");

    close_to(f->std_error, least_squares_error, 5, 1e-9, "standard errors");
    close_to(f->z, least_squares_t, 5, 1e-9, "t values");
    close_to(f->p_value, least_squares_p, 5, 1e-9, "p values");
    unit_check(fabs(f->p_value[0] / least_squares_p[0] - 1) < 1e-8, "a small p value has its digits");
    close_to(g->std_error, weighted_error, 5, 1e-9, "standard errors of weighted rows");
    close_to(g->z, weighted_t, 5, 1e-9, "t values of weighted rows");
    close_to(g->p_value, weighted_p, 5, 1e-9, "p values of weighted rows");
    ax_linear_free(f);
    ax_linear_free(g);
}

static void test_without_intercept(void)
{
    ax_linear_rows rows = table_rows(&t, false);
    ax_linear_params params = defaults;
    ax_linear_fit *f = NULL;
    ax_error err;

    params.fit_intercept = false;
    unit_status(ax_linear_least_squares(unit_env(), &rows, &params, NULL, &f, &err), AX_OK, &err, "without intercept");
    fit_close_to(f, without_intercept, 1e-9, "coefficients without intercept");
    unit_check(isnan(f->std_error[4]) && f->std_error[0] > 0, "the intercept has no error, the others do");
    ax_linear_free(f);
}

/* ---- rank ------------------------------------------------------------------------------------ */

#define MANY 200

static float one_hot[MANY * 8], reduced[MANY * 6], answers[MANY];

/* Three and four categories in full, and a number; the reduced rows lack the first of each. */
static void fill_one_hot(void)
{
    unit_seed(3);
    for (int i = 0; i < MANY; i++) {
        int a = (int) unit_below(3), b = (int) unit_below(4);
        float x = unit_normal(), *full = one_hot + i * 8, *less = reduced + i * 6;

        memset(full, 0, 8 * sizeof(float));
        full[a] = 1;
        full[3 + b] = 1;
        full[7] = x;
        memcpy(less, full + 1, 2 * sizeof(float));
        memcpy(less + 2, full + 4, 4 * sizeof(float));
        answers[i] = (float) a - 2 * (float) b + 0.5f * x + unit_normal();
    }
}

static double predict(const ax_linear_fit *f, const float *x)
{
    double y = f->intercept[0];

    for (int j = 0; j < f->p; j++)
        y += f->coef[j] * (double) x[j];
    return y;
}

static void test_singular(void)
{
    ax_linear_rows all = {.x = one_hot, .n = MANY, .p = 8, .values = answers};
    ax_linear_rows less = {.x = reduced, .n = MANY, .p = 6, .values = answers};
    ax_linear_fit *f, *g;
    double worst = 0, norm = 0, other = 0;
    int nan = 0;

    fill_one_hot();
    f = fit_rows(&all, 0, 0, "columns that add up to one");
    g = fit_rows(&less, 0, 0, "the same without the first of each");
    for (int i = 0; i < MANY; i++)
        worst = fmax(worst, fabs(predict(f, one_hot + i * 8) - predict(g, reduced + i * 6)));
    unit_check(worst < 1e-10, "both predict the same, %g", worst);
    for (int j = 0; j < 8; j++) {
        norm += f->coef[j] * f->coef[j];
        other += j < 6 ? g->coef[j] * g->coef[j] : 0;
        nan += isnan(f->std_error[j]);
    }
    unit_check(norm < other, "of the coefficients that predict so, the least are taken: %g < %g", norm, other);
    unit_near(f->coef[0] + f->coef[1] + f->coef[2], 0, 1e-10, "those of a set add up to 0");
    unit_check(nan == 7 && isnan(f->std_error[8]), "what cannot be estimated has no error");
    unit_near(f->std_error[7], g->std_error[5], 1e-9, "what can has that of the reduced rows");
    unit_near(f->p_value[7], g->p_value[5], 1e-9, "and its p value");
    ax_linear_free(f);
    ax_linear_free(g);
}

static void test_wide(void)
{
    ax_linear_rows rows;
    ax_linear_fit *f;
    double worst = 0;

    table_fill(&t, 6, 10);
    rows = table_rows(&t, false);
    f = fit_rows(&rows, 0, 0, "more columns than rows");
    fit_close_to(f, wide, 1e-9, "coefficients of least norm");
    for (int i = 0; i < 6; i++)
        worst = fmax(worst, fabs(predict(f, t.x + i * 10) - (double) t.values[i]));
    unit_check(worst < 1e-10, "every row is met");
    unit_check(isnan(f->std_error[0]) && isnan(f->p_value[10]), "nothing is left for errors");
    ax_linear_free(f);
}

static void test_constant(void)
{
    static float x[40 * 3];
    ax_linear_rows rows = {.x = x, .n = 40, .p = 3, .values = t.values};
    ax_linear_fit *f;

    table_fill(&t, 40, 1);
    for (int i = 0; i < 40; i++) {
        x[i * 3] = 0.1f;
        x[i * 3 + 1] = t.x[i];
        x[i * 3 + 2] = 0;
    }
    f = fit_rows(&rows, 0, 0, "constant columns");
    unit_check(f->coef[0] == 0 && f->coef[2] == 0 && f->coef[1] > 0, "say nothing");
    unit_check(isnan(f->std_error[0]) && isnan(f->std_error[2]) && f->std_error[1] > 0, "and have no error");
    ax_linear_free(f);
    f = fit_rows(&rows, 1, 0, "constant columns and ridge");
    unit_check(f->coef[0] == 0 && f->coef[2] == 0, "say nothing with a penalty");
    ax_linear_free(f);
    f = fit_rows(&rows, 0.1, 1, "constant columns and lasso");
    unit_check(f->coef[0] == 0 && f->coef[2] == 0, "nor with the other");
    ax_linear_free(f);
}

/* ---- what has to hold at the optimum --------------------------------------------------------- */

/* out[j] = the mean of x_j - mean(x_j) times the residual. */
static void slopes(const ax_linear_rows *rows, const ax_linear_fit *f, double *out)
{
    for (int j = 0; j < rows->p; j++) {
        double mean = 0, sum = 0, residual = 0;

        for (int64_t i = 0; i < rows->n; i++)
            mean += (double) rows->x[i * rows->p + j] / (double) rows->n;
        for (int64_t i = 0; i < rows->n; i++) {
            residual = (double) rows->values[i] - predict(f, rows->x + i * rows->p);
            sum += ((double) rows->x[i * rows->p + j] - mean) * residual;
        }
        out[j] = sum / (double) rows->n;
    }
}

static void make_rows(ax_linear_rows *rows, int64_t n, int p)
{
    float *x = ax_alloc(unit_env(), sizeof(float) * (size_t) (n * p)),
          *y = ax_alloc(unit_env(), sizeof(float) * (size_t) n);

    unit_seed(11);
    unit_fill_normal(x, n * p, 1);
    for (int64_t i = 0; i < n; i++) {
        /* every column has a share of the first, so that all are correlated */
        for (int j = 1; j < p; j++)
            x[i * p + j] += x[i * p] + (float) (j % 7);
        y[i] = x[i * p] - 2 * x[i * p + 1] + x[i * p + p - 1] + unit_normal();
    }
    *rows = (ax_linear_rows){.x = x, .n = n, .p = p, .values = y};
}

static void drop_rows(const ax_linear_rows *rows)
{
    ax_free(unit_env(), (void *) (uintptr_t) rows->x);
    ax_free(unit_env(), (void *) (uintptr_t) rows->values);
}

static void test_lasso_conditions(double l1_ratio)
{
    ax_linear_rows rows;
    ax_linear_fit *f;
    double slope[60], worst = 0, alpha = 0.05;
    int zeros = 0;

    make_rows(&rows, 300, 60);
    f = fit_rows(&rows, alpha, l1_ratio, "a larger elastic net");
    slopes(&rows, f, slope);
    for (int j = 0; j < 60; j++) {
        double b = f->coef[j], rest = slope[j] - alpha * (1 - l1_ratio) * b, limit = alpha * l1_ratio;

        worst = fmax(worst, b == 0 ? fabs(rest) - limit : fabs(rest - (b > 0 ? limit : -limit)));
        zeros += b == 0;
    }
    unit_check(f->converged && worst < 1e-7, "the conditions of the optimum hold to %g", worst);
    unit_check(zeros > 10 && zeros < 58, "%d of 60 coefficients are zero", zeros);
    ax_linear_free(f);
    drop_rows(&rows);
}

/* So many that products of columns replace QR. */
static void test_many(void)
{
    ax_linear_rows rows;
    ax_linear_fit *f;
    double residual = 0, slope[3], u[3] = {0};
    const int at[3] = {0, 1, 299};

    make_rows(&rows, 50000, 300);
    f = fit_rows(&rows, 0, 0, "many rows");
    for (int64_t i = 0; i < rows.n; i++) {
        residual = (double) rows.values[i] - predict(f, rows.x + i * rows.p);
        for (int j = 0; j < 3; j++)
            u[j] += residual * (double) rows.x[i * rows.p + at[j]] / (double) rows.n;
    }
    for (int j = 0; j < 3; j++)
        slope[j] = fabs(u[j]);
    unit_check(slope[0] < 1e-12 && slope[1] < 1e-12 && slope[2] < 1e-12, "the gradient is zero: %g", slope[1]);
    unit_check(f->std_error[1] > 0.004 && f->std_error[1] < 0.005, "an error is near 1 / sqrt n: %g", f->std_error[1]);
    ax_linear_free(f);
    drop_rows(&rows);
}

/* A column of mean 1e6 and one of tiny numbers give what the same columns near 0 and 1 give. */
static void test_scales(void)
{
    static float x[MANY * 2], plain[MANY * 2], y[MANY];
    ax_linear_rows a = {.x = x, .n = MANY, .p = 2, .values = y}, b = {.x = plain, .n = MANY, .p = 2, .values = y};
    ax_linear_fit *f, *g;

    unit_seed(5);
    for (int i = 0; i < MANY; i++) {
        float u = (float) unit_below(1000), v = unit_normal();

        plain[2 * i] = u / 1024;
        plain[2 * i + 1] = v;
        x[2 * i] = 1e6f + u / 16; /* exact */
        x[2 * i + 1] = v * 0x1p-40f;
        y[i] = u / 500 + v + unit_normal();
    }
    f = fit_rows(&a, 0, 0, "large means and small numbers");
    g = fit_rows(&b, 0, 0, "the same near 1");
    unit_near(f->coef[0] * 64, g->coef[0], 1e-9, "the coefficient of the large one");
    unit_near(f->coef[1] * 0x1p-40, g->coef[1], 1e-9, "that of the small one");
    unit_near(f->p_value[0], g->p_value[0], 1e-9, "their p value");
    ax_linear_free(f);
    ax_linear_free(g);
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void expect(ax_linear_rows rows, ax_linear_params params, ax_status want, const char *text)
{
    ax_linear_fit *f = NULL;
    ax_error err;

    unit_status(ax_linear_least_squares(unit_env(), &rows, &params, NULL, &f, &err), want, NULL, "%s", text);
    unit_check(f == NULL, "and nothing comes out");
}

static void test_refusals(void)
{
    float x[4] = {1, 2, 3, 4}, y[4] = {1, 0, 2, 1}, nan[4] = {1, NAN, 3, 4}, inf[4] = {1, 2, INFINITY, 4};
    float minus[4] = {1, 1, -1, 1}, none[4] = {0};
    ax_linear_rows rows = {.x = x, .n = 4, .p = 1, .values = y}, bad = rows;
    ax_linear_params params = defaults;

    bad.n = 0;
    expect(bad, params, AX_ERR_INVALID, "no rows");
    bad = rows, bad.p = 0;
    expect(bad, params, AX_ERR_INVALID, "no columns");
    bad = rows, bad.x = nan;
    expect(bad, params, AX_ERR_NUMERIC, "NaN in X");
    bad = rows, bad.x = inf;
    expect(bad, params, AX_ERR_NUMERIC, "infinity in X");
    bad = rows, bad.values = nan;
    expect(bad, params, AX_ERR_NUMERIC, "NaN in the values");
    bad = rows, bad.weights = nan;
    expect(bad, params, AX_ERR_NUMERIC, "NaN in the weights");
    bad = rows, bad.weights = minus;
    expect(bad, params, AX_ERR_INVALID, "a negative weight");
    bad = rows, bad.weights = none;
    expect(bad, params, AX_ERR_INVALID, "no weight at all");
    params.alpha = -1;
    expect(rows, params, AX_ERR_INVALID, "a negative penalty");
    params = defaults, params.l1_ratio = NAN;
    expect(rows, params, AX_ERR_INVALID, "a ratio that is no number");
}

static void test_edges(void)
{
    float x[3] = {5, 7, 9}, y[1] = {2}, w[40];
    ax_linear_rows one = {.x = x, .n = 1, .p = 3, .values = y}, some, all;
    ax_linear_fit *f = fit_rows(&one, 0, 0, "one row"), *g;

    unit_check(f->coef[0] == 0 && f->intercept[0] == 2 && f->loss == 0, "one row is its own prediction");
    ax_linear_free(f);
    table_fill(&t, 40, 4);
    for (int i = 0; i < 40; i++)
        w[i] = i < 30;
    all = table_rows(&t, false);
    some = all;
    some.n = 30;
    all.weights = w;
    f = fit_rows(&all, 0, 0, "rows of weight 0");
    g = fit_rows(&some, 0, 0, "rows that are not there");
    close_to(f->coef, g->coef, 4, 1e-12, "are the same");
    close_to(f->std_error, g->std_error, 5, 1e-12, "in their errors too");
    ax_linear_free(f);
    ax_linear_free(g);
}

static void test_significance(void)
{
    unit_near(ax_incomplete_beta(2, 3, 0.4), 0.5248, 1e-13, "beta");
    unit_near(ax_incomplete_beta(0.5, 0.5, 0.1), 0.204832764699134, 1e-13, "beta, half and half");
    unit_near(ax_incomplete_beta(50, 0.5, 0.99), 0.317304397874196, 1e-12, "beta, a large");
    unit_near(ax_incomplete_beta(1e4, 0.5, 0.9999), 0.15729401776329, 1e-10, "beta, a larger");
    unit_near(ax_incomplete_beta(0.3, 20, 0.02), 0.775113286411213, 1e-13, "beta, b large");
    unit_check(ax_incomplete_beta(1, 2, 0) == 0 && ax_incomplete_beta(1, 2, 1) == 1, "beta, the ends");
    unit_near(ax_t_p_value(0, 3), 1, 1e-15, "t of 0");
    unit_near(ax_t_p_value(2, 1), 0.295167235300866, 1e-13, "t, one degree of freedom");
    unit_near(ax_t_p_value(-2, 5), 0.101939478829858, 1e-13, "t, negative");
    unit_near(ax_t_p_value(10, 30) / 4.57525140832961e-11, 1, 1e-10, "t, far out");
    unit_near(ax_t_p_value(40, 100) / 2.46210760214007e-63, 1, 1e-9, "t, farther out");
    unit_near(ax_t_p_value(3, 1e6), 0.0026998625414218, 1e-11, "t, many degrees of freedom");
    unit_check(ax_t_p_value(INFINITY, 5) == 0 && isnan(ax_t_p_value(NAN, 5)), "t, infinity and NaN");
    unit_near(ax_normal_p_value(1.96), 0.0499957902964409, 1e-14, "normal");
    unit_near(ax_normal_p_value(-12) / 3.55296422415531e-33, 1, 1e-12, "normal, far out");
}

/* ---- life ------------------------------------------------------------------------------------ */

static ax_status fit_once(const ax_env *env, const void *arg, ax_error *err)
{
    ax_linear_rows all = {.x = one_hot, .n = MANY, .p = 8, .values = answers};
    ax_linear_fit *f = NULL;
    ax_status status = ax_linear_least_squares(env, &all, arg, NULL, &f, err);

    ax_linear_free(f);
    return status;
}

static void test_life(void)
{
    ax_linear_params params = defaults;

    sweep(fit_once, &params, "least squares of a singular matrix");
    params.alpha = 0.1;
    sweep(fit_once, &params, "ridge");
    params.l1_ratio = 0.5;
    sweep(fit_once, &params, "elastic net");
}

static void test_threads(void)
{
    ax_linear_rows all = {.x = one_hot, .n = MANY, .p = 8, .values = answers};
    ax_linear_fit *f = fit_rows(&all, 0, 0, "without a pool");
    ax_error err;

    for (int threads = 1; threads <= 4; threads *= 2) {
        ax_pool *pool = NULL;
        ax_linear_fit *g = NULL;

        unit_status(ax_pool_open(unit_env(), threads, &pool, &err), AX_OK, &err, "a pool of %d", threads);
        unit_status(ax_linear_least_squares(unit_env(), &all, &defaults, pool, &g, &err), AX_OK, &err, "a fit");
        unit_same(f->coef, g->coef, 8 * sizeof(double), "gives the same bits");
        ax_linear_free(g);
        ax_pool_close(pool);
    }
    ax_linear_free(f);
}

int main(void)
{
    test_tables();
    test_errors();
    test_without_intercept();
    test_singular();
    test_wide();
    test_constant();
    test_lasso_conditions(1);
    test_lasso_conditions(0.5);
    test_many();
    test_scales();
    test_refusals();
    test_edges();
    test_significance();
    fill_one_hot();
    test_life();
    test_threads();
    return unit_done();
}
