/*
 * test_metric.c: every metric against a plain computation over the same rows, names and refusals,
 * tallies that are merged, auc with ties and weights, and the evaluator's own checks.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "nn/evaluate.h"
#include "nn/metric.h"
#include "unit.h"

#define ROWS 500
#define MAX_WIDTH 8

static ax_error err;

static struct {
    float out[ROWS * MAX_WIDTH], values[ROWS * MAX_WIDTH], weights[ROWS];
    int32_t classes[ROWS];
} data;

/* A model that is nothing but its head, in a graph that has labels. */
static ax_model make_model(ax_task task, int n_outputs, int n_classes, const char *labels)
{
    ax_model m = {.task = task, .n_outputs = n_outputs, .n_classes = n_classes};

    ax_graph_create(unit_env(), "m", &m.graph, &err);
    if (labels != NULL)
        ax_graph_set_meta(m.graph, "aiaas.labels", labels, &err);
    return m;
}

static ax_options *options_of(const char *json)
{
    ax_options *o = NULL;

    unit_status(ax_options_parse(unit_env(), json, strlen(json), &o, &err), AX_OK, &err,
                "options %s", json);
    return o;
}

/* Probabilities on a coarse grid, so that there are ties. */
static void fill_classes(int width, int n_classes, bool weighted)
{
    for (int i = 0; i < ROWS; i++) {
        data.classes[i] = (int32_t) (unit_below(n_classes) * unit_below(2));
        data.weights[i] = weighted ? unit_uniform(0, 2) : 1;
        for (int j = 0; j < width; j++)
            data.out[i * width + j] = (float) unit_below(11) / 10 * 0.8F +
                                      (data.classes[i] == j || width == 1 ? 0.1F : 0);
    }
}

static void fill_values(int width)
{
    for (int i = 0; i < ROWS; i++) {
        data.weights[i] = unit_uniform(0, 2);
        for (int j = 0; j < width; j++) {
            data.values[i * width + j] = 1000 + unit_normal() * (float) (j + 1);
            data.out[i * width + j] = data.values[i * width + j] + unit_normal() / 2;
        }
    }
}

/* Adds rows [from, to) with a loss of 2 a row. */
static void add_rows(ax_tally *t, ax_scores *s, int from, int to)
{
    int width = t->metrics->n_outputs;
    ax_answers a = {.n = to - from,
                    .out = data.out + from * width,
                    .classes = data.classes + from,
                    .values = data.values + from * width,
                    .weights = data.weights + from,
                    .loss = 2.0 * (to - from),
                    .first = from};

    ax_tally_add(t, s, &a);
}

/* ---- the plain computations ------------------------------------------------------------------ */

static int decided(int i, int width)
{
    int best = 0;

    if (width == 1)
        return data.out[i] > 0.5F;
    for (int j = 1; j < width; j++)
        if (data.out[i * width + j] > data.out[i * width + best])
            best = j;
    return best;
}

static double plain_accuracy(int width)
{
    double hits = 0, all = 0;

    for (int i = 0; i < ROWS; i++) {
        all += (double) data.weights[i];
        hits += decided(i, width) == data.classes[i] ? (double) data.weights[i] : 0;
    }
    return hits / all;
}

static double plain_top(int width, int k)
{
    double hits = 0, all = 0;

    for (int i = 0; i < ROWS; i++) {
        int better = 0;

        for (int j = 0; j < width; j++)
            better += data.out[i * width + j] > data.out[i * width + data.classes[i]];
        all += (double) data.weights[i];
        hits += better < k ? (double) data.weights[i] : 0;
    }
    return hits / all;
}

/* 'p', 'r' or 'f' of one class. */
static double plain_class(char what, int width, int class)
{
    double right = 0, predicted = 0, actual = 0, p, r;

    for (int i = 0; i < ROWS; i++) {
        double w = (double) data.weights[i];

        predicted += decided(i, width) == class ? w : 0;
        actual += data.classes[i] == class ? w : 0;
        right += decided(i, width) == class && data.classes[i] == class ? w : 0;
    }
    p = predicted > 0 ? right / predicted : 0;
    r = actual > 0 ? right / actual : 0;
    return what == 'p' ? p : what == 'r' ? r : p + r > 0 ? 2 * p * r / (p + r) : 0;
}

static double plain_macro(char what, int width, int n_classes)
{
    double sum = 0;
    int present = 0;

    for (int c = 0; c < n_classes; c++) {
        bool seen = false;

        for (int i = 0; i < ROWS; i++)
            seen = seen || data.classes[i] == c || decided(i, width) == c;
        if (seen) {
            sum += plain_class(what, width, c);
            present++;
        }
    }
    return sum / present;
}

/* By pairs. */
static double plain_auc(int width, int column, int positive)
{
    double good = 0, all = 0;

    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < ROWS; k++) {
            float a = data.out[i * width + column], b = data.out[k * width + column];
            double w = (double) data.weights[i] * (double) data.weights[k];

            if (data.classes[i] != positive || data.classes[k] == positive)
                continue;
            all += w;
            good += a > b ? w : a == b ? w / 2 : 0;
        }
    return good / all;
}

/* 's' squares, 'a' absolutes, '2' r2. */
static double plain_error(char what, int width)
{
    double sum = 0, all = 0, r2 = 0;

    for (int j = 0; j < width; j++) {
        double mean = 0, weight = 0, error = 0, variance = 0;

        for (int i = 0; i < ROWS; i++) {
            mean += (double) data.weights[i] * (double) data.values[i * width + j];
            weight += (double) data.weights[i];
        }
        mean /= weight;
        for (int i = 0; i < ROWS; i++) {
            double w = (double) data.weights[i], y = (double) data.values[i * width + j];
            double e = (double) data.out[i * width + j] - y;

            sum += w * (what == 'a' ? fabs(e) : e * e);
            all += w;
            error += w * e * e;
            variance += w * (y - mean) * (y - mean);
        }
        r2 += (1 - error / variance) / width;
    }
    return what == '2' ? r2 : sum / all;
}

static double plain(const ax_metrics *s, const char *name)
{
    int width = s->n_outputs, n = s->n_classes, k;
    double auc = 0;

    if (strcmp(name, "loss") == 0)
        return 2;
    if (strcmp(name, "accuracy") == 0 || strstr(name, "_micro") != NULL)
        return plain_accuracy(width);
    if (sscanf(name, "top_%d_accuracy", &k) == 1)
        return plain_top(width, k);
    if (strcmp(name, "auc") == 0 && n == 2)
        return plain_auc(width, width - 1, 1);
    for (int c = 0; strcmp(name, "auc") == 0 && c < n; c++)
        auc += plain_auc(width, c, c) / n;
    if (auc > 0)
        return auc;
    if (strcmp(name, "rmse") == 0)
        return sqrt(plain_error('s', width));
    if (strcmp(name, "r2") == 0)
        return plain_error('2', width);
    if (name[0] == 'm')
        return plain_error(name[1], width);
    if (strchr(name, '[') != NULL)
        return plain_class(name[0], width, atoi(strchr(name, '[') + 2));
    return n == 2 && strstr(name, "_macro") == NULL ? plain_class(name[0], width, 1)
                                                    : plain_macro(name[0], width, n);
}

/* ---- all metrics of a head ------------------------------------------------------------------- */

/* In one tally, and in three that are merged. */
static void check_values(const ax_metrics *s)
{
    ax_tally one, part[3];
    ax_scores scores;
    double value[64], merged[64];
    int bad = 0;

    ax_scores_open(&scores, unit_env(), s->n_outputs, s->n_classes);
    unit_status(ax_scores_reserve(&scores, ROWS, &err), AX_OK, &err, "room for the scores");
    ax_tally_open(unit_env(), s, &one, &err);
    add_rows(&one, &scores, 0, ROWS);
    unit_status(ax_tally_result(unit_env(), &one, &scores, value, &err), AX_OK, &err, "results");
    for (int i = 0; i < s->n; i++)
        unit_near(value[i], plain(s, s->chosen[i].name), 1e-9, "%s is %.4f", s->chosen[i].name,
                  value[i]);
    for (int k = 0; k < 3; k++) {
        ax_tally_open(unit_env(), s, &part[k], &err);
        add_rows(&part[k], &scores, ROWS * k / 3, ROWS * (k + 1) / 3);
    }
    ax_tally_reset(&one);
    for (int k = 0; k < 3; k++) {
        ax_tally_merge(&one, &part[k]);
        ax_tally_close(unit_env(), &part[k]);
    }
    ax_tally_result(unit_env(), &one, &scores, merged, &err);
    for (int i = 0; i < s->n; i++)
        bad += fabs(merged[i] - value[i]) > 1e-9 * fabs(value[i]);
    unit_check(bad == 0, "three tallies that are merged say the same");
    ax_tally_close(unit_env(), &one);
    ax_scores_close(&scores);
}

static void check_head(ax_task task, int n_outputs, int n_classes, int count)
{
    ax_model m = make_model(task, n_outputs, n_classes,
                            "[\"c0\", \"c1\", \"c2\", \"c3\", \"c4\", \"c5\", \"c6\", \"c7\"]");
    ax_metrics s;

    unit_note("%s, %d outputs, %d classes", ax_task_name(task), n_outputs, n_classes);
    if (unit_status(ax_metrics_open(unit_env(), &m, NULL, true, &s, &err), AX_OK, &err,
                    "every metric is chosen")) {
        unit_is_int(s.n, count, "there are %d", count);
        check_values(&s);
        ax_metrics_close(&s);
    }
    ax_graph_free(m.graph);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void check_choice(const char *json, ax_model *m, const char *const *want, int n)
{
    ax_options *o = options_of(json);
    ax_metrics s;
    int bad = 0;

    if (unit_status(ax_metrics_open(unit_env(), m, o, false, &s, &err), AX_OK, &err, "chosen")) {
        for (int i = 0; i < AX_MIN(n, s.n); i++)
            bad += strcmp(s.chosen[i].name, want[i]) != 0;
        unit_check(bad == 0 && s.n == n, "as %d metrics in their order", n);
        ax_metrics_close(&s);
    }
    ax_options_free(o);
}

static void check_refusal(const char *json, ax_model *m, ax_status status, const char *message,
                          const char *hint)
{
    ax_options *o = options_of(json);
    ax_metrics s;

    unit_status(ax_metrics_open(unit_env(), m, o, false, &s, &err), status, &err, "is refused");
    unit_is_str(err.message, message, "with its name");
    unit_is_str(err.hint, hint, "and a hint");
    ax_options_free(o);
}

static void check_names(void)
{
    ax_model classes = make_model(AX_TASK_CLASSIFICATION, 10, 10, NULL);
    ax_model numbers = make_model(AX_TASK_REGRESSION, 1, 0, NULL);
    ax_metrics s;

    check_choice("{}", &classes, (const char *const[]) {"loss", "accuracy"}, 2);
    check_choice("{}", &numbers, (const char *const[]) {"loss", "mae"}, 2);
    check_choice("{\"metrics\": [\"acc\", \"accuracy\", \"loss\", \"top_3_accuracy\", "
                 "\"top_k_accuracy\", \"f1_score\"]}",
                 &classes,
                 (const char *const[]) {"loss", "accuracy", "top_3_accuracy", "top_5_accuracy",
                                        "f1"},
                 5);
    check_choice("{\"metrics\": [\"MeanSquaredError\", \"root_mean_squared_error\", \"r2\"]}",
                 &numbers, (const char *const[]) {"loss", "mse", "rmse", "r2"}, 4);
    check_choice("{\"metrics\": [\"top_k_accuracy\"], \"top_k\": 2}", &classes,
                 (const char *const[]) {"loss", "top_2_accuracy"}, 2);
    check_refusal("{\"metrics\": [\"acuracy\"]}", &classes, AX_ERR_UNKNOWN,
                  "metric \"acuracy\" does not exist", "Did you mean \"accuracy\"?");
    check_refusal("{\"metrics\": [\"accuracy\"]}", &numbers, AX_ERR_INVALID,
                  "metric \"accuracy\" is for classification, not for regression", "");
    unit_status(ax_metrics_open(unit_env(), &classes, NULL, true, &s, &err), AX_OK, &err, "all");
    unit_check(ax_metrics_find(&s, "sparse_categorical_accuracy") == 1, "found by its alias");
    unit_check(ax_metrics_find(&s, "top_k_accuracy") == 2 &&
                   ax_metrics_find(&s, "top_5_accuracy") == 2,
               "top 5 is found by both names");
    unit_check(ax_metrics_find(&s, "f1[9]") == s.n - 1, "found by class");
    unit_check(ax_metrics_find(&s, "mse") == -1 && ax_metrics_find(&s, "x") == -1, "or not");
    unit_check(ax_metrics_higher_is_better(&s, 1) && !ax_metrics_higher_is_better(&s, 0),
               "accuracy up, loss down");
    ax_metrics_close(&s);
    ax_graph_free(classes.graph);
    ax_graph_free(numbers.graph);
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void check_undefined(void)
{
    ax_model m = make_model(AX_TASK_CLASSIFICATION, 1, 2, NULL);
    ax_metrics s;
    ax_tally t;
    ax_scores scores;
    double value[64];
    int auc;

    ax_metrics_open(unit_env(), &m, NULL, true, &s, &err);
    ax_scores_open(&scores, unit_env(), 1, 2);
    ax_scores_reserve(&scores, ROWS, &err);
    ax_tally_open(unit_env(), &s, &t, &err);
    fill_classes(1, 2, false);
    memset(data.classes, 0, sizeof(data.classes));
    add_rows(&t, &scores, 0, ROWS);
    unit_status(ax_tally_result(unit_env(), &t, &scores, value, &err), AX_OK, &err,
                "one class only");
    auc = ax_metrics_find(&s, "auc");
    unit_check(isnan(value[auc]), "has no auc");
    unit_near(value[ax_metrics_find(&s, "recall")], 0, 0, "and recall 0");
    unit_status(ax_tally_result(unit_env_cancel_at(1), &t, &scores, value, &err), AX_ERR_CANCELLED,
                &err, "auc can be cancelled");
    unit_status(ax_tally_result(unit_env_fail_at(1), &t, &scores, value, &err), AX_ERR_NOMEM, &err,
                "and run out of memory");
    ax_tally_close(unit_env(), &t);
    ax_scores_close(&scores);
    ax_metrics_close(&s);
    ax_graph_free(m.graph);
}

static void check_constant_target(void)
{
    ax_model m = make_model(AX_TASK_REGRESSION, 1, 0, NULL);
    ax_metrics s;
    ax_tally t;
    double value[16];

    ax_metrics_open(unit_env(), &m, NULL, true, &s, &err);
    ax_tally_open(unit_env(), &s, &t, &err);
    for (int i = 0; i < ROWS; i++)
        data.out[i] = data.values[i] = 3;
    add_rows(&t, NULL, 0, ROWS);
    ax_tally_result(unit_env(), &t, NULL, value, &err);
    unit_near(value[ax_metrics_find(&s, "r2")], 1, 0, "a constant that was met has r2 1");
    data.out[7] = 4;
    ax_tally_reset(&t);
    add_rows(&t, NULL, 0, ROWS);
    ax_tally_result(unit_env(), &t, NULL, value, &err);
    unit_near(value[ax_metrics_find(&s, "r2")], 0, 0, "one that was missed has r2 0");
    ax_tally_close(unit_env(), &t);
    ax_metrics_close(&s);
    ax_graph_free(m.graph);
}

static void check_out_of_memory(void)
{
    ax_model m = make_model(AX_TASK_CLASSIFICATION, 3, 3, "[\"a\", \"b\", \"c\"]");
    size_t before = unit_live_bytes();
    int bad = 0;
    long n;

    for (n = 1;; n++) {
        const ax_env *env = unit_env_fail_at(n);
        ax_metrics s = {.chosen = NULL};
        ax_tally t = {.metrics = NULL};
        ax_scores scores;
        ax_status status = ax_metrics_open(env, &m, NULL, true, &s, &err);

        ax_scores_open(&scores, env, 3, 3);
        if (status == AX_OK)
            status = ax_tally_open(env, &s, &t, &err);
        if (status == AX_OK)
            status = ax_scores_reserve(&scores, 300000, &err);
        ax_scores_close(&scores);
        ax_tally_close(env, &t);
        ax_metrics_close(&s);
        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && n > 5, "out of memory at any of %ld allocations", n - 1);
    ax_graph_free(m.graph);
}

int main(void)
{
    unit_seed(5);
    fill_classes(1, 2, true);
    check_head(AX_TASK_CLASSIFICATION, 1, 2, 3 + 9 + 6);
    fill_classes(2, 2, true);
    check_head(AX_TASK_CLASSIFICATION, 2, 2, 3 + 9 + 6);
    fill_classes(3, 3, true);
    check_head(AX_TASK_CLASSIFICATION, 3, 3, 3 + 9 + 9);
    fill_classes(8, 8, false);
    check_head(AX_TASK_CLASSIFICATION, 8, 8, 4 + 9 + 24);
    fill_values(1);
    check_head(AX_TASK_REGRESSION, 1, 0, 5);
    fill_values(3);
    check_head(AX_TASK_REGRESSION, 3, 0, 5);
    check_names();
    check_undefined();
    check_constant_target();
    check_out_of_memory();
    return unit_done();
}
