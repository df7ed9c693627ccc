/*
 * test_logistic.c: logistic regression, against numbers of scikit-learn 1.2 and formulas in numpy, and against what has
 * to hold at the optimum.
 *
 * The expected numbers were computed on the table of linear_check.h by LogisticRegression with tol 1e-12: newton-cg
 * with penalty l2 (C 1; weighted: C 0.3) and none, saga with l1 (C 0.4) and elastic net (C 0.4, l1_ratio 0.3,
 * weighted). Errors are the roots of the diagonal of the inverse of X' W p (1 - p) X; of three classes (without
 * penalty, weighted) of numpy's pinv of the information of all classes.
 */
#include "linear_check.h"

#include <math.h>

static const double two[] = {0.777221406167, -1.14054372823, 0.0680408803752, 0.269946854018, -0.00704204207501};
static const double two_weighted[] = {0.504440945431, -0.93362255606, 0.065007119058, 0.187653738333, -0.0354178916186};
static const double two_without_intercept[] = {0.777014166901, -1.14174937773, 0.067243100966, 0.268690407509, 0};
static const double two_none[] = {0.94709211259, -1.46062227531, 0.0406212250366, 0.272175394479, 0.302941134888};
static const double two_l1[] = {0.498582502557, -0.966748411345, 0, 0.0897867047244, 0.520973584268};
static const double two_net[] = {0.507714458636, -1.05438849875, 0.00659552301043, 0.143597084147, 0.313246859098};
static const double three[] = {-1.14412639763,  0.125206709024,    -0.285457808854,  0.496679854698,  -1.05103554811,
                               1.10944917753,   -0.00426568258933, 0.36119236229,    -0.361205268046, -0.214571188073,
                               0.0346772200974, -0.120941026435,   -0.0757345534358, -0.135474586652, 1.26560673618};
static const double three_none[] = {-1.45853737173,   0.0798391263639, -0.274517690337, 0.61730201947,
                                    -1.42285115939,   1.43598476392,   0.0249850656051, 0.36544094094,
                                    -0.474109218939,  -0.120860613562, 0.0225526078128, -0.104824191969,
                                    -0.0909232506023, -0.143192800531, 1.54371177295};
static const double three_l1[] = {-0.865117526139,
                                  0,
                                  0,
                                  0.331505158709,
                                  -0.543349279034,
                                  0.739999323002,
                                  0,
                                  0.13829092805,
                                  -0.0302852850785,
                                  -0.242985076076,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0.78633435511};
static const double two_none_error[] = {0.427165167243, 0.565071605368, 0.354900383988, 0.350500032399, 1.46226541389};
static const double two_none_z[] = {2.21715670007, -2.58484457799, 0.114458103934, 0.776534577232, 0.207172468152};
static const double two_none_p[] = {0.0266123853199, 0.00974229023168, 0.908874656294, 0.437433413065, 0.835875168089};
static const double three_none_error[] = {0.430601541403, 0.327886012539, 0.273862144949, 0.285870010984,
                                          1.21446332089,  0.479215182343, 0.398301884705, 0.326369948293,
                                          0.324984756824, 1.45190965132,  0.295034850529, 0.263361842211,
                                          0.213807886491, 0.209042965888, 0.925939877046};

static table t;
static const ax_linear_params defaults = {.fit_intercept = true, .c = 1, .n_classes = 2, .tol = 1e-6, .max_iter = 1000};

static ax_linear_rows class_rows(bool three, bool weighted)
{
    ax_linear_rows rows = table_rows(&t, weighted);

    rows.values = NULL;
    rows.classes = three ? t.three : t.two;
    return rows;
}

static ax_linear_fit *fit_rows(const ax_linear_rows *rows, const ax_linear_params *params, const char *text)
{
    ax_linear_fit *f = NULL;
    ax_error err;

    unit_status(ax_linear_logistic(unit_env(), rows, params, NULL, &f, &err), AX_OK, &err, "%s", text);
    return f;
}

static ax_linear_fit *fit_table(bool three, bool weighted, double c, double l1_ratio, const double *want, double tol,
                                const char *text)
{
    ax_linear_rows rows = class_rows(three, weighted);
    ax_linear_params params = defaults;
    ax_linear_fit *f;

    params.c = c;
    params.l1_ratio = l1_ratio;
    params.n_classes = three ? 3 : 2;
    f = fit_rows(&rows, &params, text);
    fit_close_to(f, want, tol, text);
    unit_check(f->converged && f->iterations < 20, "converged after %d iterations", f->iterations);
    unit_check(isnan(f->std_error[0]) == !isinf(c), "errors belong to the model without penalty");
    return f;
}

static void test_tables(void)
{
    ax_linear_fit *f;

    table_fill(&t, 40, 4);
    ax_linear_free(fit_table(false, false, 1, 0, two, 1e-8, "two classes"));
    ax_linear_free(fit_table(false, true, 0.3, 0, two_weighted, 1e-8, "two classes, weighted"));
    ax_linear_free(fit_table(false, false, 0.4, 1, two_l1, 1e-6, "two classes, l1"));
    ax_linear_free(fit_table(false, true, 0.4, 0.3, two_net, 1e-6, "two classes, elastic net, weighted"));
    ax_linear_free(fit_table(true, false, 1, 0, three, 1e-8, "three classes"));
    ax_linear_free(fit_table(true, false, 0.4, 1, three_l1, 1e-6, "three classes, l1"));
    f = fit_table(false, false, INFINITY, 0, two_none, 1e-8, "two classes, no penalty");
    close_to(f->std_error, two_none_error, 5, 1e-8, "standard errors");
    close_to(f->z, two_none_z, 5, 1e-8, "z values");
    close_to(f->p_value, two_none_p, 5, 1e-8, "p values");
    ax_linear_free(f);
    f = fit_table(true, true, INFINITY, 0, three_none, 1e-7, "three classes, no penalty, weighted");
    close_to(f->std_error, three_none_error, 15, 1e-7, "standard errors of three classes");
    ax_linear_free(f);
}

static void test_without_intercept(void)
{
    ax_linear_rows rows = class_rows(false, false);
    ax_linear_params params = defaults;
    ax_linear_fit *f;

    params.fit_intercept = false;
    f = fit_rows(&rows, &params, "without intercept");
    fit_close_to(f, two_without_intercept, 1e-8, "coefficients without intercept");
    ax_linear_free(f);
}

/* ---- what has to hold at the optimum --------------------------------------------------------- */

#define MANY 400
#define WIDE 12

static float x[MANY * WIDE];
static int32_t classes[MANY];

static void fill(int k)
{
    unit_seed(17);
    unit_fill_normal(x, MANY * WIDE, 1);
    for (int i = 0; i < MANY; i++) {
        float best = -INFINITY;

        for (int j = 1; j < WIDE; j++)
            x[i * WIDE + j] = x[i * WIDE + j] * (float) (1 + j) + x[i * WIDE] + (float) (10 * j);
        for (int c = 0; c < k; c++) {
            float score = (x[i * WIDE + c] - (float) (10 * c)) * (c % 2 ? 0.3f : -0.5f) + 2 * unit_normal();

            classes[i] = score > best ? c : classes[i];
            best = fmaxf(best, score);
        }
    }
}

/* out (k, WIDE + 1): the derivatives of the summed log loss, plainly. */
static void slopes(const ax_linear_fit *f, double *out)
{
    int k = f->n_outputs;

    memset(out, 0, sizeof(double) * (size_t) k * (WIDE + 1));
    for (int i = 0; i < MANY; i++) {
        double eta[16], sum = k == 1 ? 1 : 0;

        for (int c = 0; c < k; c++) {
            eta[c] = f->intercept[c];
            for (int j = 0; j < WIDE; j++)
                eta[c] += f->coef[c * WIDE + j] * (double) x[i * WIDE + j];
            sum += exp(eta[c]);
        }
        for (int c = 0; c < k; c++) {
            double d = exp(eta[c]) / sum - (classes[i] == (k == 1 ? 1 : c));

            for (int j = 0; j < WIDE; j++)
                out[c * (WIDE + 1) + j] += d * (double) x[i * WIDE + j];
            out[c * (WIDE + 1) + WIDE] += d;
        }
    }
}

/* How far the conditions of the optimum are from holding. */
static double violation(const ax_linear_fit *f, double c, double l1_ratio)
{
    double slope[16 * (WIDE + 1)], worst = 0, limit = l1_ratio / c;

    slopes(f, slope);
    for (int o = 0; o < f->n_outputs; o++) {
        for (int j = 0; j < WIDE; j++) {
            double b = f->coef[o * WIDE + j], rest = slope[o * (WIDE + 1) + j] + (1 - l1_ratio) / c * b;

            worst = fmax(worst, b == 0 ? fabs(rest) - limit : fabs(rest + (b > 0 ? limit : -limit)));
        }
        worst = fmax(worst, fabs(slope[o * (WIDE + 1) + WIDE]));
    }
    return worst;
}

static void test_conditions(int k, double c, double l1_ratio)
{
    ax_linear_rows rows = {.x = x, .n = MANY, .p = WIDE, .classes = classes};
    ax_linear_params params = defaults;
    ax_linear_fit *f;
    double v;
    int zeros = 0;

    fill(k);
    params.c = c;
    params.l1_ratio = l1_ratio;
    params.n_classes = k;
    f = fit_rows(&rows, &params, "classes by chance");
    v = violation(f, c, l1_ratio);
    for (int i = 0; i < f->n_outputs * WIDE; i++)
        zeros += f->coef[i] == 0;
    unit_check(f->converged && v < 1e-3, "%d classes, c %g, l1_ratio %g: the conditions hold to %g of %d rows", k, c,
               l1_ratio, v, MANY);
    unit_check((zeros > 0) == (l1_ratio > 0), "%d coefficients are zero", zeros);
    ax_linear_free(f);
}

/* More parameters than Newton takes on: L-BFGS, and proximal steps class by class. */
static void test_large(double l1_ratio)
{
    enum { P = 320, K = 8, N = 600 };
    float *large = ax_alloc(unit_env(), sizeof(float) * P * N);
    ax_linear_rows rows = {.x = large, .n = N, .p = P, .classes = classes};
    ax_linear_params params = defaults;
    ax_linear_fit *f;
    static int32_t own[N];
    double worst = 0;

    unit_seed(23);
    unit_fill_normal(large, P * N, 1);
    for (int i = 0; i < N; i++) {
        own[i] = (int32_t) unit_below(K);
        large[i * P + own[i]] += 1;
    }
    rows.classes = own;
    params.n_classes = K;
    params.c = 0.05;
    params.l1_ratio = l1_ratio;
    f = fit_rows(&rows, &params, "many parameters");
    for (int c = 0; c < K; c++) {
        double slope[4] = {0};

        for (int i = 0; i < N; i++) {
            double eta[K], sum = 0, d;

            for (int o = 0; o < K; o++) {
                eta[o] = f->intercept[o];
                for (int j = 0; j < P; j++)
                    eta[o] += f->coef[o * P + j] * (double) large[i * P + j];
                sum += exp(eta[o]);
            }
            d = exp(eta[c]) / sum - (own[i] == c);
            for (int j = 0; j < 4; j++)
                slope[j] += d * (double) large[i * P + j];
        }
        for (int j = 0; j < 4; j++) {
            double b = f->coef[c * P + j], rest = slope[j] + (1 - l1_ratio) / 0.05 * b, limit = l1_ratio / 0.05;

            worst = fmax(worst, b == 0 ? fabs(rest) - limit : fabs(rest + (b > 0 ? limit : -limit)));
        }
    }
    unit_check(f->converged && worst < 1e-3, "%d parameters, l1_ratio %g: the conditions hold to %g", P * K, l1_ratio,
               worst);
    ax_linear_free(f);
    ax_free(unit_env(), large);
}

/* ---- no best coefficients, or many ------------------------------------------------------------ */

static void test_separation(void)
{
    ax_linear_rows rows = {.x = x, .n = MANY, .p = WIDE, .classes = classes};
    ax_linear_params params = defaults;
    ax_linear_fit *f;
    int finite = 0;

    fill(2);
    params.c = INFINITY;
    for (int i = 0; i < MANY; i++)
        classes[i] = x[i * WIDE] > 0;
    f = fit_rows(&rows, &params, "classes that a line separates");
    for (int j = 0; j < WIDE; j++)
        finite += isfinite(f->coef[j]) && isnan(f->std_error[j]);
    unit_check(!f->converged && finite == WIDE && f->loss < 0.01, "do not converge, and say so");
    ax_linear_free(f);
    fill(2);
    for (int i = 0; i < MANY; i++) {
        x[i * WIDE] = i < 5;
        classes[i] = i < 5 ? 1 : classes[i];
    }
    f = fit_rows(&rows, &params, "a category of one class only");
    unit_check(!f->converged && isfinite(f->coef[0]) && f->coef[0] > 5, "does not converge either: %g", f->coef[0]);
    ax_linear_free(f);
    params.c = 1;
    f = fit_rows(&rows, &params, "the same with a penalty");
    unit_check(f->converged && f->coef[0] < 5, "converges");
    ax_linear_free(f);
    memset(classes, 0, sizeof(classes));
    f = fit_rows(&rows, &params, "one class alone");
    unit_check(!f->converged && f->intercept[0] < -5 && isfinite(f->intercept[0]), "does not converge");
    ax_linear_free(f);
}

/* Columns 0 to 2 are a category in full: errors of the others are those of the model without column 0. */
static void test_singular(void)
{
    static float less[MANY * (WIDE - 1)];
    ax_linear_rows all = {.x = x, .n = MANY, .p = WIDE, .classes = classes}, some = all;
    ax_linear_params params = defaults;
    ax_linear_fit *f, *g;

    fill(2);
    for (int i = 0; i < MANY; i++) {
        int at = (int) unit_below(3);

        for (int j = 0; j < 3; j++)
            x[i * WIDE + j] = j == at;
        memcpy(less + i * (WIDE - 1), x + i * WIDE + 1, sizeof(float) * (WIDE - 1));
    }
    params.c = INFINITY;
    some.x = less, some.p = WIDE - 1;
    f = fit_rows(&all, &params, "columns that add up to one");
    g = fit_rows(&some, &params, "the same without one");
    unit_near(f->loss, g->loss, 1e-12, "the loss is the same");
    unit_near(f->coef[0] + f->coef[1] + f->coef[2], 0, 1e-9, "the coefficients are those of least norm");
    unit_near(f->coef[1] - f->coef[0], g->coef[0], 1e-7, "their differences are the same");
    unit_check(isnan(f->std_error[0]) && isnan(f->std_error[1]) && isnan(f->std_error[WIDE]), "and have no error");
    close_to(f->std_error + 3, g->std_error + 2, WIDE - 3, 1e-7, "the others have");
    ax_linear_free(f);
    ax_linear_free(g);
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void expect(ax_linear_rows rows, ax_linear_params params, ax_status want, const char *text)
{
    ax_linear_fit *f = NULL;
    ax_error err;

    unit_status(ax_linear_logistic(unit_env(), &rows, &params, NULL, &f, &err), want, NULL, "%s", text);
    unit_check(f == NULL, "and nothing comes out");
}

static void test_refusals(void)
{
    float some[4] = {1, 2, 3, 4}, nan[4] = {1, NAN, 3, 4};
    int32_t y[4] = {0, 1, 0, 1}, bad_class[4] = {0, 1, 2, 1};
    ax_linear_rows rows = {.x = some, .n = 4, .p = 1, .classes = y}, bad = rows;
    ax_linear_params params = defaults;

    bad.n = 0;
    expect(bad, params, AX_ERR_INVALID, "no rows");
    bad = rows, bad.x = nan;
    expect(bad, params, AX_ERR_NUMERIC, "NaN in X");
    bad = rows, bad.classes = bad_class;
    expect(bad, params, AX_ERR_INVALID, "a class that there is not");
    params.c = 0;
    expect(rows, params, AX_ERR_INVALID, "c of 0");
    params = defaults, params.n_classes = 1;
    expect(rows, params, AX_ERR_INVALID, "one class");
}

static void test_edges(void)
{
    ax_linear_rows rows = class_rows(false, false), all = rows;
    float w[40], big[2] = {3e38f, -3e38f};
    int32_t y[2] = {0, 1};
    ax_linear_rows far = {.x = big, .n = 2, .p = 1, .classes = y};
    ax_linear_fit *f, *g;

    for (int i = 0; i < 40; i++)
        w[i] = i < 30;
    rows.n = 30;
    all.weights = w;
    f = fit_rows(&rows, &defaults, "some rows");
    g = fit_rows(&all, &defaults, "all, the others of weight 0");
    close_to(f->coef, g->coef, 4, 1e-9, "are the same");
    ax_linear_free(f);
    ax_linear_free(g);
    f = fit_rows(&far, &defaults, "numbers as large as floats are");
    unit_check(isfinite(f->coef[0]) && f->coef[0] < 0 && isfinite(f->intercept[0]), "give finite coefficients");
    ax_linear_free(f);
    far.n = 1;
    f = fit_rows(&far, &defaults, "one row");
    unit_check(f->coef[0] == 0 && isfinite(f->intercept[0]), "says nothing of its column");
    ax_linear_free(f);
}

/* ---- life ------------------------------------------------------------------------------------ */

static ax_status fit_once(const ax_env *env, const void *arg, ax_error *err)
{
    const ax_linear_params *params = arg;
    ax_linear_rows rows = class_rows(params->n_classes > 2, true);
    ax_linear_fit *f = NULL;
    ax_status status = ax_linear_logistic(env, &rows, params, NULL, &f, err);

    ax_linear_free(f);
    return status;
}

static void test_life(void)
{
    ax_linear_params params = defaults;

    sweep(fit_once, &params, "newton");
    params.l1_ratio = 0.5;
    sweep(fit_once, &params, "proximal newton");
    params.l1_ratio = 0;
    params.n_classes = 3;
    params.c = INFINITY;
    sweep(fit_once, &params, "three classes without penalty");
}

static void test_threads(void)
{
    ax_linear_rows rows = class_rows(false, true);
    ax_linear_fit *f = fit_rows(&rows, &defaults, "without a pool");
    ax_error err;

    for (int threads = 1; threads <= 4; threads *= 2) {
        ax_pool *pool = NULL;
        ax_linear_fit *g = NULL;

        unit_status(ax_pool_open(unit_env(), threads, &pool, &err), AX_OK, &err, "a pool of %d", threads);
        unit_status(ax_linear_logistic(unit_env(), &rows, &defaults, pool, &g, &err), AX_OK, &err, "a fit");
        unit_same(f->coef, g->coef, 4 * sizeof(double), "gives the same bits");
        ax_linear_free(g);
        ax_pool_close(pool);
    }
    ax_linear_free(f);
}

int main(void)
{
    test_tables();
    test_without_intercept();
    test_refusals();
    test_edges();
    test_life();
    test_threads();
    test_conditions(2, 0.1, 0);
    test_conditions(2, 0.1, 1);
    test_conditions(5, 1, 0);
    test_conditions(5, 0.02, 1);
    test_conditions(5, 0.02, 0.5);
    test_large(0);
    test_large(0.5);
    test_separation();
    test_singular();
    return unit_done();
}
