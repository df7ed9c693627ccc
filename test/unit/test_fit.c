/*
 * test_fit.c: the life of every algorithm that is no network, through ax.h alone: rows of a mixed table, preparation,
 * fit, prediction, bytes and back; then what each tells of itself; then the same with the nth allocation failing, and
 * with permission to go on withdrawn.
 *
 * The table: two numbers (one with gaps), a text that matters, a text that does not, and a time of two parts. The class
 * is "yes" where 2 a + (city is "oslo") - (city is "rome") > 1, the value 3 a - 2 b + 5 (city is "oslo").
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>

#define ROWS 600
#define COLUMNS 5
#define WIDTH 6

static const char *const cities[] = {"oslo", "rome", "lima"};
static const char *const colours[] = {"red", "blue"};
static const char *const parts[] = {"year", "month"};
static const ax_column columns[COLUMNS] = {
    {.name = "a", .width = 1},
    {.name = "b", .width = 1},
    {.name = "city", .text = true, .width = 1, .category = cities, .n_categories = 3},
    {.name = "colour", .text = true, .width = 1, .category = colours, .n_categories = 2},
    {.name = "made", .width = 2, .part = parts},
};

static float table[ROWS][WIDTH];
static int32_t classes[ROWS];
static float values[ROWS];

static void make_table(void)
{
    ax_rng r = ax_rng_make(7, 1);

    for (int i = 0; i < ROWS; i++) {
        float a = ax_rng_uniform(&r) * 2 - 0.5f, b = ax_rng_normal(&r), city = (float) ax_rng_below(&r, 3);

        table[i][0] = a;
        table[i][1] = ax_rng_below(&r, 10) == 0 ? NAN : b;
        table[i][2] = ax_rng_below(&r, 20) == 0 ? NAN : city;
        table[i][3] = (float) ax_rng_below(&r, 2);
        table[i][4] = 2000 + (float) ax_rng_below(&r, 20);
        table[i][5] = (float) ax_rng_below(&r, 12);
        classes[i] = 2 * a + (city == 0) - (city == 1) > 1;
        values[i] = 3 * a - 2 * (isnan(table[i][1]) ? 0 : b) + 5 * (city == 0);
    }
}

/* Everything that a life makes; freed in one place whatever happened. */
typedef struct life {
    ax_options *options;
    ax_dataset *data;
    ax_preparation *preparation;
    ax_fit *fit;
    ax_model *model, *again;
    uint8_t *bytes;
    float out[ROWS * 8], out_again[ROWS * 8];
    int rounds, n_out;
    double score; /* the first metric but the loss */
} life;

static void end(const ax_env *env, life *l)
{
    ax_free(env, l->bytes);
    ax_model_free(l->again);
    ax_model_free(l->model);
    ax_fit_free(l->fit);
    ax_preparation_free(l->preparation);
    ax_dataset_free(l->data);
    ax_options_free(l->options);
}

static bool compressed; /* the rows of the next life */

static ax_status prepare(const ax_env *env, life *l, const char *algorithm, ax_task task, bool target, ax_error *err)
{
    static const bool exact[WIDTH] = {false, false, true, true, false, false};
    ax_preparation_spec spec = {.column = columns, .n_columns = COLUMNS, .algorithm = algorithm, .task = task};

    AX_TRY(ax_dataset_create(env, AX_FLOAT, WIDTH, &l->data, err));
    if (compressed)
        AX_TRY(ax_dataset_compress(l->data, exact, err));
    for (int i = 0; i < ROWS; i++)
        AX_TRY(ax_dataset_append(l->data, table[i], err));
    if (target && task == AX_TASK_CLASSIFICATION)
        AX_TRY(ax_dataset_set_classes(l->data, classes, 2, err));
    else if (target)
        AX_TRY(ax_dataset_set_values(l->data, values, 1, err));
    return ax_preparation_learn(env, &spec, l->options, l->data, &l->preparation, err);
}

static ax_status run(life *l, ax_error *err)
{
    ax_train_event event = AX_TRAIN_MORE;
    const ax_train_report *report = ax_fit_report(l->fit);

    while (event != AX_TRAIN_DONE) {
        AX_TRY(ax_fit_step(l->fit, &event, err));
        l->rounds += event == AX_TRAIN_EPOCH;
    }
    l->score = report->n_metrics > 1 ? (report->valid != NULL ? report->valid : report->train)[1].value : NAN;
    l->model = ax_fit_take(l->fit);
    return l->model != NULL ? AX_OK : ax_fail(err, AX_ERR_INTERNAL, "no model came");
}

/* A row as the database makes it: texts through the model's dictionary. */
static void fill_row(const ax_model *m, int i, float *row)
{
    memcpy(row, table[i], sizeof(table[i]));
    row[2] = ax_model_text(m, 2, isnan(table[i][2]) ? "" : cities[(int) table[i][2]],
                           isnan(table[i][2]) ? 0 : strlen(cities[(int) table[i][2]]));
    row[3] = ax_model_text(m, 3, colours[(int) table[i][3]], strlen(colours[(int) table[i][3]]));
}

static ax_status predict(ax_model *m, float *out, ax_error *err)
{
    static float rows[ROWS][WIDTH];

    for (int i = 0; i < ROWS; i++)
        fill_row(m, i, rows[i]);
    return ax_model_predict(m, rows, ROWS, out, err);
}

static ax_status reload(const ax_env *env, life *l, ax_error *err)
{
    size_t size;

    AX_TRY(ax_model_encoded_size(l->model, true, &size, err));
    l->bytes = ax_alloc(env, size);
    if (l->bytes == NULL)
        return ax_nomem(err);
    AX_TRY(ax_model_encode(l->model, true, l->bytes, size, err));
    AX_TRY(ax_model_decode(env, l->bytes, size, &l->again, err));
    AX_TRY(ax_model_ready(l->again, err));
    return predict(l->again, l->out_again, err);
}

static ax_status live(const ax_env *env, life *l, const char *algorithm, ax_task task, const char *options, int threads,
                      ax_error *err)
{
    static const char *const labels[] = {"no", "yes"};
    bool by_class = task == AX_TASK_CLASSIFICATION, target;
    ax_task hint;
    ax_model_spec spec = {.name = "fit", .input_type = AX_FLOAT, .input_rank = 1, .input_dim = {WIDTH}, .task = task,
                          .n_outputs = 1, .n_classes = by_class ? 2 : 0, .labels = by_class ? labels : NULL,
                          .features = "{\"columns\": []}"};

    *l = (life) {.score = NAN};
    AX_TRY(ax_options_parse(env, options, strlen(options), &l->options, err));
    AX_TRY(ax_algorithm_check(algorithm, l->options, &hint, &target, err));
    AX_TRY(prepare(env, l, algorithm, task, target, err));
    spec.preparation = l->preparation;
    AX_TRY(ax_fit_create(env, algorithm, &spec, l->data, NULL, l->options, threads, &l->fit, err));
    AX_TRY(run(l, err));
    AX_TRY(predict(l->model, l->out, err));
    l->n_out = ax_model_outputs(l->model);
    return reload(env, l, err);
}

typedef struct subject {
    const char *algorithm;
    ax_task task;
    const char *options;
    double score; /* at least (accuracy), or at most (mae); NaN: none */
} subject;

static const subject subjects[] = {
    {"gradient_boosting", AX_TASK_CLASSIFICATION, "{\"n_estimators\": 20, \"validation_split\": 0.25}", 0.93},
    {"gradient_boosting", AX_TASK_REGRESSION, "{\"n_estimators\": 40, \"validation_split\": 0.25}", 0.6},
    {"decision_tree", AX_TASK_CLASSIFICATION, "{\"max_depth\": 6, \"validation_split\": 0.25}", 0.92},
    {"decision_tree", AX_TASK_REGRESSION, "{\"validation_split\": 0.25}", 0.8},
    {"random_forest", AX_TASK_CLASSIFICATION, "{\"n_estimators\": 30, \"validation_split\": 0.25}", 0.92},
    {"random_forest", AX_TASK_REGRESSION, "{\"n_estimators\": 30, \"validation_split\": 0.25}", 0.6},
    {"extra_trees", AX_TASK_CLASSIFICATION, "{\"n_estimators\": 30, \"validation_split\": 0.25}", 0.9},
    {"logistic", AX_TASK_CLASSIFICATION, "{\"C\": 100, \"validation_split\": 0.25}", 0.93},
    {"logistic", AX_TASK_CLASSIFICATION, "{\"penalty\": \"l1\", \"class_weight\": \"balanced\"}", 0.9},
    {"linear", AX_TASK_REGRESSION, "{\"validation_split\": 0.25}", 0.35},
    {"linear", AX_TASK_REGRESSION, "{\"alpha\": 0.01, \"l1_ratio\": 0.5}", 0.35},
    {"kmeans", AX_TASK_REGRESSION, "{\"n_clusters\": 4}", NAN},
    {"pca", AX_TASK_REGRESSION, "{\"n_components\": 2}", NAN},
    {"isolation_forest", AX_TASK_REGRESSION, "{\"n_estimators\": 20}", NAN},
};

/* So few rows are not rounded: the model is the same, and its score, which is then that of the bins. */
static void test_compressed(const subject *s, const life *l)
{
    const ax_env *env = unit_env();
    static life other;
    ax_error err;

    if (!ax_algorithm_bins(s->algorithm))
        return;
    compressed = true;
    unit_status(live(env, &other, s->algorithm, s->task, s->options, 1, &err), AX_OK, &err, "%s: compressed rows",
                s->algorithm);
    compressed = false;
    unit_same(other.out, l->out, sizeof(float) * ROWS * (size_t) l->n_out, "%s: the same model", s->algorithm);
    unit_near(other.score, l->score, 1e-6, "%s: the same score", s->algorithm);
    end(env, &other);
}

static void test_subject(const subject *s)
{
    const ax_env *env = unit_env();
    static life l, other;
    ax_error err;
    bool by_class = s->task == AX_TASK_CLASSIFICATION;

    if (unit_status(live(env, &l, s->algorithm, s->task, s->options, 1, &err), AX_OK, &err, "%s %s lives", s->algorithm,
                    s->options)) {
        size_t bytes = sizeof(float) * ROWS * (size_t) l.n_out;

        unit_same(l.out_again, l.out, bytes, "%s: its bytes are the same model", s->algorithm);
        if (!isnan(s->score))
            unit_check(by_class ? l.score >= s->score : l.score <= s->score, "%s: scores %.3f", s->algorithm, l.score);
        unit_status(live(env, &other, s->algorithm, s->task, s->options, 3, &err), AX_OK, &err, "%s: three threads",
                    s->algorithm);
        unit_same(other.out, l.out, bytes, "%s: three threads give the same bits", s->algorithm);
        end(env, &other);
        test_compressed(s, &l);
    }
    end(env, &l);
}

/* ---- what models tell ------------------------------------------------------------------------ */

static void test_coefficients(void)
{
    const ax_env *env = unit_env();
    static life l;
    ax_error err;
    ax_coefficient c;
    double oslo = NAN, lima = NAN, a = NAN;

    unit_status(live(env, &l, "linear", AX_TASK_REGRESSION, "{}", 1, &err), AX_OK, &err, "a linear model");
    for (int i = 0; l.again != NULL && i < ax_model_coefficient_count(l.again); i++) {
        unit_status(ax_model_coefficient_at(l.again, i, &c, &err), AX_OK, &err, "line %d", i);
        oslo = strcmp(c.feature, "city=oslo") == 0 ? c.value : oslo;
        lima = strcmp(c.feature, "city=lima") == 0 ? c.value : lima;
        a = strcmp(c.feature, "a") == 0 ? c.value : a;
    }
    unit_near(a, 3, 0.1, "the coefficient of a");
    unit_near(oslo - lima, 5, 0.1, "what oslo has over lima");
    unit_check(l.again != NULL && ax_model_coefficient_at(l.again, 1000, &c, &err) == AX_ERR_UNKNOWN, "no line 1000");
    unit_check(l.again != NULL && ax_model_importance_count(l.again) == 0, "and no importances");
    end(env, &l);
}

typedef struct lines {
    int n;
    bool city, class, gap;
} lines;

static void take_line(void *arg, const char *text)
{
    lines *l = arg;

    l->n++;
    l->city |= strstr(text, "city in (") != NULL || strstr(text, "city not in (") != NULL;
    l->class |= strstr(text, "class: yes (") != NULL;
    l->gap |= strstr(text, " or missing") != NULL;
}

static void test_tree(void)
{
    const ax_env *env = unit_env();
    static life l;
    lines seen = {0};
    ax_importance best = {.gain = -1}, at;
    double sum = 0;
    ax_error err;

    unit_status(live(env, &l, "decision_tree", AX_TASK_CLASSIFICATION, "{\"max_depth\": 3}", 1, &err), AX_OK, &err,
                "a tree");
    unit_is_int(ax_model_tree_count(l.again), 1, "there is one");
    unit_status(ax_model_print_tree(l.again, 0, take_line, &seen, &err), AX_OK, &err, "it is printed");
    unit_check(seen.n >= 8 && seen.city && seen.class && seen.gap, "with cities, classes and gaps, in %d lines", seen.n);
    unit_status(ax_model_print_tree(l.again, 1, take_line, &seen, &err), AX_ERR_UNKNOWN, &err, "there is no second");
    for (int i = 0; i < ax_model_importance_count(l.again); i++) {
        unit_status(ax_model_importance_at(l.again, i, &at, &err), AX_OK, &err, "importance %d", i);
        sum += at.gain;
        best = at.gain > best.gain ? at : best;
    }
    unit_is_str(best.feature, "a", "a matters most");
    unit_near(sum, 1, 1e-6, "importances add up to one");
    end(env, &l);
}

static void test_oob(void)
{
    const ax_env *env = unit_env();
    static life l;
    const ax_train_report *report;
    ax_error err;

    unit_status(live(env, &l, "random_forest", AX_TASK_CLASSIFICATION, "{\"n_estimators\": 30, \"oob_score\": true}", 1,
                     &err), AX_OK, &err, "a forest that scores itself");
    report = ax_fit_report(l.fit);
    unit_is_str(report->train[report->n_metrics - 1].name, "oob_score", "its score comes last");
    unit_check(report->train[report->n_metrics - 1].value > 0.85 && report->train[report->n_metrics - 1].value < 1,
               "by rows that trees did not see: %.3f", report->train[report->n_metrics - 1].value);
    end(env, &l);
    unit_status(live(env, &l, "extra_trees", AX_TASK_CLASSIFICATION, "{\"oob_score\": true}", 1, &err), AX_ERR_INVALID, &err,
                "trees that saw all rows cannot");
    end(env, &l);
}

static void test_refusals(void)
{
    const ax_env *env = unit_env();
    static life l;
    ax_error err;

    unit_status(live(env, &l, "gradient_bosting", AX_TASK_REGRESSION, "{}", 1, &err), AX_ERR_UNKNOWN, &err, "a misspelt name");
    unit_check(strstr(err.hint, "gradient_boosting") != NULL, "the hint names the nearest: %s", err.hint);
    end(env, &l);
    unit_status(live(env, &l, "linear", AX_TASK_REGRESSION, "{\"n_clusters\": 3}", 1, &err), AX_ERR_INVALID, &err,
                "an option of another algorithm");
    end(env, &l);
    unit_status(live(env, &l, "gradient_boosting", AX_TASK_REGRESSION, "{\"objective\": \"binary:logistic\"}", 1, &err),
                AX_ERR_INVALID, &err, "an objective of another task");
    end(env, &l);
    unit_status(live(env, &l, "gradient_boosting", AX_TASK_REGRESSION, "{\"early_stopping_rounds\": 3}", 1, &err),
                AX_ERR_INVALID, &err, "early stopping without validation rows");
    end(env, &l);
    unit_status(live(env, &l, "gradient_boosting", AX_TASK_REGRESSION, "{\"monotone_constraints\": {\"z\": 1}}", 1, &err),
                AX_ERR_UNKNOWN, &err, "a constraint of a column that there is not");
    end(env, &l);
    unit_status(live(env, &l, "pca", AX_TASK_REGRESSION, "{\"n_components\": 300}", 1, &err), AX_ERR_INVALID, &err,
                "more components than columns");
    end(env, &l);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void sweep(const subject *s, bool cancel)
{
    static life l;
    size_t before = unit_live_bytes();
    int bad = 0;
    long n = 1;
    ax_error err;

    for (;; n += 1 + n / 40) {
        const ax_env *env = cancel ? unit_env_cancel_at(n) : unit_env_fail_at(n);
        ax_status status = live(env, &l, s->algorithm, s->task, s->options, 1, &err);

        end(env, &l);
        if (!unit_env_tripped())
            break;
        bad += status != (cancel ? AX_ERR_CANCELLED : AX_ERR_NOMEM) || unit_live_bytes() != before;
    }
    unit_check(bad == 0, "%s: %s at every point up to %ld ends it cleanly, %d do not", s->algorithm,
               cancel ? "a cancel" : "a failing allocation", n, bad);
}

int main(void)
{
    make_table();
    for (int i = 0; i < AX_COUNT(subjects); i++)
        test_subject(&subjects[i]);
    test_coefficients();
    test_tree();
    test_oob();
    test_refusals();
    for (int i = 0; i < AX_COUNT(subjects); i++) {
        sweep(&subjects[i], false);
        sweep(&subjects[i], true);
    }
    return unit_done();
}
