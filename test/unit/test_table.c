/*
 * test_table.c: what is learned of a table's columns: statistics against sorted arrays and sums in long double, each
 * encoding and scaling against plain loops, means out of fold by hand, columns that are of no use, hostile columns.
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "table_check.h"

static const char *const jobs[] = {"clerk", "teacher", "nurse", "pilot", "cook"};

#define N_JOBS AX_COUNT(jobs)

/* ---- statistics ------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    float x = *(const float *) a, y = *(const float *) b;

    return (x > y) - (x < y);
}

static double reference_quantile(const float *sorted, int64_t n, double q)
{
    double at = q * (double) (n - 1);
    int64_t i = (int64_t) at;

    return i + 1 < n ? (double) sorted[i] * (1 - (at - (double) i)) + (double) sorted[i + 1] * (at - (double) i)
                     : (double) sorted[n - 1];
}

/* The values of element k that are there, sorted. */
static int64_t sorted_values(const table_case *t, int64_t k, float *out)
{
    int64_t n = 0;

    for (int64_t i = 0; i < t->rows; i++)
        if (!isnan(t->x[i * t->width + k]))
            out[n++] = t->x[i * t->width + k];
    qsort(out, (size_t) n, sizeof(float), by_size);
    return n;
}

static void check_summary(const table_case *t, int k)
{
    const ax_column_summary *s = ax_preparation_summary(t->p, k);
    float *v = malloc((size_t) t->rows * sizeof(float));
    int64_t n = sorted_values(t, k, v);
    long double mean = 0, squares = 0;

    for (int64_t i = 0; i < n; i++)
        mean += (long double) v[i] / (long double) n;
    for (int64_t i = 0; i < n; i++)
        squares += ((long double) v[i] - mean) * ((long double) v[i] - mean);
    unit_is_int(s->count, n, "%s: count", s->name);
    unit_is_int(s->nulls, t->rows - n, "%s: nulls", s->name);
    unit_near(s->mean, (double) mean, 1e-12, "%s: mean", s->name);
    unit_near(s->sd, (double) sqrtl(squares / (long double) (n - 1)), 1e-10, "%s: sd", s->name);
    unit_check(s->min == (double) v[0] && s->max == (double) v[n - 1], "%s: ends", s->name);
    unit_near(s->q25, reference_quantile(v, n, 0.25), 1e-12, "%s: q25", s->name);
    unit_near(s->median, reference_quantile(v, n, 0.5), 1e-12, "%s: median", s->name);
    unit_near(s->q75, reference_quantile(v, n, 0.75), 1e-12, "%s: q75", s->name);
    free(v);
}

static void test_numbers(void)
{
    static const char *const parts[] = {"year", "sin"};
    table_case t = {.n_columns = 4,
                    .column = {{"a", false, 1, NULL, NULL, 0, NULL},
                               {"when", false, 2, parts, NULL, 0, NULL},
                               {"list", false, 3, NULL, NULL, 0, NULL},
                               {"large", false, 1, NULL, NULL, 0, NULL}},
                    .width = 7};

    column_rows(&t, 30011);
    for (int64_t i = 0; i < t.rows * t.width; i++)
        t.x[i] = unit_below(10) == 0 ? NAN
                 : i % 7 == 6        ? 1e7f + (float) unit_below(3)
                                     : unit_normal() * (float) (i % 7);
    for (int64_t i = 0; i < t.rows; i++)
        t.x[i * 7] = (float) unit_below(5) - 2; /* with -0 */
    table_learn(&t, NULL, AX_TASK_UNDECIDED, NULL, AX_OK);
    unit_is_int(ax_preparation_summaries(t.p), 7, "one an element");
    unit_is_str(ax_preparation_summary(t.p, 1)->name, "when.year", "parts have names");
    unit_is_str(ax_preparation_summary(t.p, 5)->name, "list.3", "or numbers");
    for (int k = 0; k < 7; k++)
        if (k != 1) /* all zeros times the normal number */
            check_summary(&t, k);
    unit_same(ax_dataset_row(t.d, 100), t.x + 700, 7 * sizeof(float), "the rows stay as they are");
    table_end(&t);
}

/* More than a million rows: quartiles from a sample, the rest of all. */
static void test_many_rows(void)
{
    table_case t = {.n_columns = 1, .column = {{"a", false, 1, NULL, NULL, 0, NULL}}, .width = 1};
    const ax_column_summary *s;

    column_rows(&t, 1500000);
    for (int64_t i = 0; i < t.rows; i++)
        t.x[i] = (float) (i % 1000);
    table_learn(&t, NULL, AX_TASK_UNDECIDED, NULL, AX_OK);
    s = ax_preparation_summary(t.p, 0);
    unit_is_int(s->count, t.rows, "all are counted");
    unit_near(s->mean, 499.5, 1e-9, "mean of all");
    unit_check(fabs(s->median - 499.5) < 3 && fabs(s->q25 - 249.5) < 3, "quartiles of a sample: %g %g", s->q25,
               s->median);
    table_end(&t);
}

static void test_texts(void)
{
    char name[30][16];
    const char *category[30];
    table_case t = {.n_columns = 1, .column = {{"job", true, 1, NULL, category, 30, NULL}}, .width = 1};
    const ax_column_summary *s;
    int64_t count[30] = {0}, bad = 0;

    for (int k = 0; k < 30; k++) {
        snprintf(name[k], sizeof(name[k]), "c%d", k);
        category[k] = name[k];
    }
    column_rows(&t, 5000);
    for (int64_t i = 0; i < t.rows; i++) {
        int64_t k = unit_below(1 + unit_below(30));

        t.x[i] = i % 9 == 0 || k == 29 ? NAN : (float) k;
        if (!isnan(t.x[i]))
            count[k]++;
    }
    table_learn(&t, NULL, AX_TASK_UNDECIDED, NULL, AX_OK);
    s = ax_preparation_summary(t.p, 0);
    unit_is_int(s->distinct, 29, "distinct texts, without one that does not occur");
    unit_is_int(s->n_top, 10, "ten at the top");
    for (int k = 0; k < s->n_top; k++) {
        bad += s->top_count[k] != count[atoi(s->top[k] + 1)] || (k > 0 && s->top_count[k] > s->top_count[k - 1]);
        for (int j = 0; k == 9 && j < 30; j++)
            if (count[j] > s->top_count[9]) {
                bool shown = false;

                for (int i = 0; i < 9; i++)
                    shown |= atoi(s->top[i] + 1) == j;
                bad += !shown;
            }
    }
    unit_is_int(bad, 0, "they are the most frequent");
    unit_is_int(s->nulls + s->count, t.rows, "nulls and values are all rows");
    unit_check(isnan(s->mean) && isnan(s->median), "a text has no mean");
    table_end(&t);
}

/* ---- a mixed table --------------------------------------------------------------------------- */

/* age (with gaps), income (skewed, from 0), job (with gaps), grade (whole numbers). */
static void mixed_table(table_case *t, int64_t rows)
{
    *t = (table_case){.n_columns = 4,
                      .column = {{"age", false, 1, NULL, NULL, 0, NULL},
                                 {"job", true, 1, NULL, jobs, N_JOBS, NULL},
                                 {"income", false, 1, NULL, NULL, 0, NULL},
                                 {"grade", false, 1, NULL, NULL, 0, NULL}},
                      .width = 4};
    column_rows(t, rows);
    for (int64_t i = 0; i < rows; i++) {
        float *x = t->x + i * 4;

        x[0] = unit_below(6) == 0 ? NAN : (float) (18 + unit_below(60));
        x[1] = unit_below(8) == 0 ? NAN : (float) unit_below(1 + unit_below(N_JOBS));
        x[2] = expf(2 * unit_normal());
        x[3] = (float) (1 + unit_below(4));
        t->y[i] = unit_normal() + (isnan(x[1]) ? 0 : -x[1]);
        t->class[i] = t->y[i] > 0;
    }
}

static int64_t output_number(const ax_preparation *p, const char *name)
{
    for (int64_t i = 0; ax_preparation_output(p, i) != NULL; i++)
        if (strcmp(ax_preparation_output(p, i), name) == 0)
            return i;
    unit_check(false, "there is an output \"%s\"", name);
    return 0;
}

/* Learns, runs the nodes over the rows as learned; the column called name goes to out. False: no nodes. */
static bool one_output(table_case *t, const char *algorithm, const char *options, const char *name, float *out)
{
    int64_t width = 0, k;
    float *rows, *y;

    table_learn(t, algorithm, AX_TASK_REGRESSION, options, AX_OK);
    if (t->p == NULL)
        return false;
    rows = malloc((size_t) (t->rows * t->width) * sizeof(float));
    for (int64_t i = 0; i < t->rows; i++)
        memcpy(rows + i * t->width, ax_dataset_row(t->d, i), (size_t) t->width * sizeof(float));
    y = table_run(t->p, rows, t->rows, &width, &t->err);
    k = output_number(t->p, name);
    for (int64_t i = 0; y != NULL && i < t->rows; i++)
        out[i] = y[i * width + k];
    free(rows);
    free(y);
    return unit_check(y != NULL, "the nodes run");
}

/* What a number becomes, in double: by steps as they are written in the options. */
typedef struct number_reference {
    const char *options;
    double fill;
    double low, high; /* quantiles, or 0 and 1 */
    bool log;
    char scaling; /* n, s, m, r */
} number_reference;

static void reference_numbers(const table_case *t, int k, const number_reference *r, float *out)
{
    float *v = malloc((size_t) t->rows * sizeof(float));
    int64_t n = sorted_values(t, k, v);
    double low = reference_quantile(v, n, r->low), high = reference_quantile(v, n, r->high), mean = 0, squares = 0;
    double offset = 0, spread = 1, fill = r->fill, quartile[3];

    if (r->low == 0 && r->high == 1) {
        low = -1e300;
        high = 1e300;
    }
    for (int64_t i = 0; i < n; i++)
        mean += (double) v[i] / (double) n;
    if (r->fill == 0)
        fill = mean;
    if (r->fill == -1)
        fill = reference_quantile(v, n, 0.5);
#define CHANGED(x) (r->log ? log1p(fmin(fmax(x, low), high)) : fmin(fmax(x, low), high))
    for (int j = 0; j < 3; j++)
        quartile[j] = CHANGED(reference_quantile(v, n, 0.25 * (j + 1)));
    mean = 0;
    for (int64_t i = 0; i < n; i++)
        mean += CHANGED((double) v[i]) / (double) n;
    for (int64_t i = 0; i < n; i++)
        squares += pow(CHANGED((double) v[i]) - mean, 2);
    if (r->scaling == 's') {
        offset = mean;
        spread = sqrt(squares / (double) n);
    } else if (r->scaling == 'm') {
        offset = CHANGED((double) v[0]);
        spread = CHANGED((double) v[n - 1]) - offset;
    } else if (r->scaling == 'r') {
        offset = quartile[1];
        spread = quartile[2] - quartile[0];
    }
    for (int64_t i = 0; i < t->rows; i++) {
        double x = isnan(t->x[i * t->width + k]) ? fill : (double) t->x[i * t->width + k];

        out[i] = (float) ((CHANGED(x) - offset) / spread);
    }
    free(v);
}

static void check_number(table_case *t, const char *algorithm, const char *column, int k, const number_reference *r)
{
    float *got = calloc((size_t) t->rows, sizeof(float)), *wanted = calloc((size_t) t->rows, sizeof(float));

    if (one_output(t, algorithm, r->options, column, got)) {
        reference_numbers(t, k, r, wanted);
        unit_close(got, wanted, t->rows, 2e-5, "%s of %s", column, r->options);
    }
    free(got);
    free(wanted);
}

static void test_scaling(void)
{
    static const number_reference age[] = {
        {"{}", 0, 0, 1, false, 's'},
        {"{\"columns\": {\"age\": {\"scale\": \"none\"}}}", 0, 0, 1, false, 'n'},
        {"{\"columns\": {\"age\": {\"impute\": \"median\", \"scale\": \"min_max\"}}}", -1, 0, 1, false, 'm'},
        {"{\"columns\": {\"age\": {\"fill_value\": 33, \"scale\": \"robust\"}}}", 33, 0, 1, false, 'r'},
    };
    static const number_reference income[] = {
        {"{\"columns\": {\"income\": {\"scale\": \"log1p\"}}}", 0, 0, 1, true, 'n'},
        {"{\"columns\": {\"income\": {\"clip\": [0.05, 0.9]}}}", 0, 0.05, 0.9, false, 's'},
        {"{\"columns\": {\"income\": {\"clip\": [0.05, 0.9], \"scale\": [\"log1p\", \"standardize\"]}}}", 0, 0.05, 0.9,
         true, 's'},
        {"{\"columns\": {\"income\": {\"scale\": [\"log1p\", \"min_max\"]}}}", 0, 0, 1, true, 'm'},
        {"{\"columns\": {\"income\": {\"scale\": [\"log1p\", \"robust\"]}}}", 0, 0, 1, true, 'r'},
    };
    number_reference plain = {"{}", 0, 0, 1, false, 'n'};
    table_case t;

    mixed_table(&t, 700);
    for (int i = 0; i < AX_COUNT(age); i++)
        check_number(&t, NULL, "age", 0, &age[i]);
    for (int i = 0; i < AX_COUNT(income); i++)
        check_number(&t, i % 2 ? "kmeans" : NULL, "income", 2, &income[i]);
    unit_is_str(ax_preparation_summary(t.p, 2)->encoding, "log1p, robust", "the summary names it");
    check_number(&t, "linear", "age", 0, &plain);
    unit_is_str(ax_preparation_summary(t.p, 0)->encoding, "none", "linear models take numbers in their units");
    table_end(&t);
}

/* ---- encodings in nodes ---------------------------------------------------------------------- */

static void check_flag(table_case *t, const char *options, const char *name, int k, float value)
{
    float *got = calloc((size_t) t->rows, sizeof(float));
    int64_t bad = 0;

    if (one_output(t, "logistic", options, name, got))
        for (int64_t i = 0; i < t->rows; i++) {
            float x = t->x[i * t->width + k];

            bad += got[i] != (isnan(value) ? isnan(x) : x == value);
        }
    unit_is_int(bad, 0, "\"%s\" is 1 where it should be", name);
    free(got);
}

static void test_flags(void)
{
    static const char indicator[] = "{\"columns\": {\"age\": {\"missing_indicator\": true},"
                                    " \"job\": {\"missing_indicator\": true}}}";
    static const char few[] = "{\"columns\": {\"job\": {\"categories\": 2}}}";
    table_case t;
    float *other;
    int64_t bad = 0;

    mixed_table(&t, 400);
    for (int k = 0; k < N_JOBS; k++) {
        char name[32];

        snprintf(name, sizeof(name), "job=%s", jobs[k]);
        check_flag(&t, "{}", name, 1, (float) k);
    }
    check_flag(&t, indicator, "age is missing", 0, NAN);
    check_flag(&t, indicator, "job is missing", 1, NAN);
    check_flag(&t, "{\"columns\": {\"grade\": {\"type\": \"category\"}}}", "grade=3", 3, 3);
    other = calloc((size_t) t.rows, sizeof(float));
    if (one_output(&t, "logistic", few, "job=(other)", other))
        for (int64_t i = 0; i < t.rows; i++) /* jobs are made so that lower numbers are more frequent */
            bad += other[i] != (t.x[i * 4 + 1] >= 2);
    unit_is_int(bad, 0, "what has no flag of its own is other");
    free(other);
    table_end(&t);
}

/* A seen text, another one and a missing one, through the front and the nodes. */
static void test_unseen(void)
{
    table_case t;
    const ax_front_column *front;
    float row[3][4] = {{30, 0, 1, 1}, {30, 0, 1, 1}, {NAN, 0, 1, 1}}, *y;
    int64_t width = 0, teacher;
    int n;

    mixed_table(&t, 400);
    table_learn(&t, NULL, AX_TASK_REGRESSION, "{}", AX_OK);
    front = ax_preparation_front(t.p, &n);
    unit_is_int(n, 4, "the front has every column");
    for (int k = 0; k < front[1].n_keys; k++)
        if (strcmp(front[1].key[k], "teacher") == 0)
            row[0][1] = front[1].key_value[k];
    row[1][1] = front[1].otherwise;
    row[2][1] = front[1].missing;
    y = table_run(t.p, row[0], 3, &width, &t.err);
    teacher = output_number(t.p, "job=teacher");
    for (int i = 0; y != NULL && i < 3; i++) {
        float sum = 0;

        for (int64_t k = 0; k < width; k++) {
            unit_check(isfinite(y[i * width + k]), "row %d, %s is finite", i, ax_preparation_output(t.p, k));
            sum += strncmp(ax_preparation_output(t.p, k), "job=", 4) == 0 ? y[i * width + k] : 0;
        }
        unit_check(sum == (i == 0) && y[i * width + teacher] == (i == 0), "only a text that was seen has a flag");
    }
    free(y);
    table_end(&t);
}

/* Fresh embeddings: a line a code; nothing for other texts and for missing ones. */
static void test_embedding(void)
{
    static const char options[] = "{\"columns\": {\"job\": {\"encode\": \"embedding\", \"categories\": 3,"
                                  " \"output_dim\": 2}}}";
    table_case t;
    float row[5][4] = {{0}}, *y;
    const ax_front_column *front;
    int64_t width = 0, first;
    int n, bad = 0;

    mixed_table(&t, 400);
    table_learn(&t, NULL, AX_TASK_REGRESSION, options, AX_OK);
    front = ax_preparation_front(t.p, &n) + 1;
    unit_is_int(front->n_keys, 3, "three texts of five have a code");
    unit_check(front->otherwise == 3 && isnan(front->missing), "the others share one");
    for (int i = 0; i < 5; i++)
        row[i][1] = i < 3 ? front->key_value[i] : i == 3 ? front->otherwise : front->missing;
    y = table_run(t.p, row[0], 5, &width, &t.err);
    first = output_number(t.p, "job[0]");
    unit_is_int(output_number(t.p, "job[1]"), first + 1, "two numbers side by side");
    for (int i = 0; y != NULL && i < 5; i++)
        for (int k = 0; k < 2; k++) {
            float v = y[i * width + first + k];

            bad += i < 3 ? !(v != 0 && fabsf(v) <= 0.05f) : v != 0;
            for (int j = 0; j < i && i < 3; j++)
                bad += v == y[j * width + first + k];
        }
    unit_is_int(bad, 0, "each code has a line of its own, the others begin at zero");
    free(y);
    table_learn(&t, "linear", AX_TASK_REGRESSION, options, AX_OK);
    unit_is_str(ax_preparation_summary(t.p, 1)->encoding, "one_hot (an embedding needs a network)",
                "only networks embed");
    output_number(t.p, "job=(other)");
    table_end(&t);
}

static void test_hash(void)
{
    table_case t;
    const ax_front_column *front;
    int n;

    mixed_table(&t, 300);
    table_learn(&t, NULL, AX_TASK_REGRESSION, "{\"columns\": {\"job\": {\"encode\": \"hash\", \"buckets\": 3}}}",
                AX_OK);
    front = ax_preparation_front(t.p, &n) + 1;
    unit_is_int(front->n_keys, N_JOBS, "every text that was seen is a key");
    for (int k = 0; k < front->n_keys; k++)
        unit_check(front->key_value[k] >= 0 && front->key_value[k] < 3, "%s is in a bucket", front->key[k]);
    unit_check(front->otherwise == 3 && isnan(front->missing), "others are in none");
    output_number(t.p, "job#2");
    table_end(&t);
}

/* ---- ordinal codes --------------------------------------------------------------------------- */

static double mean_of_job(const table_case *t, int job, bool classes)
{
    double sum = 0, n = 0;

    for (int64_t i = 0; i < t->rows; i++)
        if (t->x[i * 4 + 1] == (float) job) {
            sum += classes ? t->class[i] : (double) t->y[i];
            n++;
        }
    return sum / n;
}

static void check_order(table_case *t, bool classes)
{
    const ax_row_part *part = ax_preparation_part(t->p, 1);
    double last = -1e300;
    int bad = 0;

    for (int c = 0; c < part->n_codes; c++)
        for (int k = 0; k < N_JOBS; k++)
            if (strcmp(part->code[c], jobs[k]) == 0) {
                bad += mean_of_job(t, k, classes) < last;
                last = mean_of_job(t, k, classes);
            }
    unit_is_int(bad, 0, "codes go by the mean of the target");
    bad = 0;
    for (int64_t i = 0; i < t->rows; i++) {
        const float *row = ax_dataset_row(t->d, i), *x = t->x + i * 4;

        bad += isnan(x[1]) ? !isnan(row[1]) : strcmp(part->code[(int) row[1]], jobs[(int) x[1]]) != 0;
        bad += memcmp(row, x, sizeof(float)) != 0 || memcmp(row + 2, x + 2, 2 * sizeof(float)) != 0;
    }
    unit_is_int(bad, 0, "the rows hold the codes, and the numbers as they were");
}

static void test_trees(void)
{
    table_case t;
    float row[4] = {1, 2, 3, 4}, *y;
    const ax_front_column *front;
    int n;
    int64_t width;

    mixed_table(&t, 600);
    table_learn(&t, "gradient_boosting", AX_TASK_REGRESSION, "{}", AX_OK);
    check_order(&t, false);
    table_learn(&t, "random_forest", AX_TASK_CLASSIFICATION, "{}", AX_OK);
    check_order(&t, true);
    unit_is_str(ax_preparation_summary(t.p, 1)->encoding, "ordinal", "its name");
    unit_check(ax_preparation_part(t.p, 1)->category && !ax_preparation_part(t.p, 0)->category, "which are categories");
    front = ax_preparation_front(t.p, &n);
    unit_check(front[1].otherwise == (float) N_JOBS && isnan(front[1].missing), "others have the last code");
    y = table_run(t.p, row, 1, &width, &t.err);
    unit_check(y != NULL && memcmp(y, row, sizeof(row)) == 0 && width == 4, "trees take the row as it is");
    free(y);
    for (int64_t i = 0; i < t.rows; i++)
        t.class[i] = (int32_t) (i % 3);
    t.n_classes = 3;
    table_learn(&t, "decision_tree", AX_TASK_CLASSIFICATION, "{}", AX_OK);
    unit_is_str(ax_preparation_part(t.p, 1)->code[0], "clerk", "more classes: by frequency");
    table_learn(&t, "decision_tree", AX_TASK_CLASSIFICATION,
                "{\"columns\": {\"job\": {\"encode\": \"target\"}, \"grade\": {\"type\": \"category\"}}}", AX_OK);
    unit_is_str(ax_preparation_summary(t.p, 1)->encoding, "ordinal (the target has no mean)",
                "no mean of three classes");
    unit_check(ax_preparation_part(t.p, 3)->category && ax_preparation_part(t.p, 3)->n_codes == 5, "numbers as codes");
    table_end(&t);
}

/* 300 categories: the 254 most frequent have codes, the others share one. */
static void test_many_codes(void)
{
    char (*name)[16] = malloc(sizeof(*name) * 300);
    const char *category[300];
    table_case t = {.n_columns = 1, .column = {{"c", true, 1, NULL, category, 300, NULL}}, .width = 1};
    int64_t bad = 0;

    for (int k = 0; k < 300; k++) {
        snprintf(name[k], sizeof(name[k]), "k%d", k);
        category[k] = name[k];
    }
    column_rows(&t, 300 * 20);
    for (int64_t i = 0; i < t.rows; i++) {
        t.x[i] = i < 300 ? (float) i : (float) (i % 254);
        t.y[i] = (float) ((int) t.x[i] * 7 % 254); /* another order than that of the categories */
    }
    table_learn(&t, "extra_trees", AX_TASK_REGRESSION, "{}", AX_OK);
    for (int64_t i = 0; i < t.rows; i++) {
        float code = *(const float *) ax_dataset_row(t.d, i);

        bad += code != (t.x[i] < 254 ? t.y[i] : 254);
    }
    unit_is_int(bad, 0, "codes by the mean, the rest is code 254");
    unit_is_int(ax_preparation_part(t.p, 0)->n_codes, 254, "codes");
    table_end(&t);
    free(name);
}

/* ---- target encoding ------------------------------------------------------------------------- */

static int fold_by_hand(int64_t row, uint64_t seed)
{
    return (int) (ax_rng_at(ax_rng_make(seed, UINT64_C(0x666f6c6473)).key, (uint64_t) row) % 5);
}

static bool same_job(float a, float b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* (sum of y of the text in other folds + 20 * their mean) / (n + 20) */
static double out_of_fold_by_hand(const table_case *t, int64_t row)
{
    double all = 0, n_all = 0, sum = 0, n = 0;

    for (int64_t i = 0; i < t->rows; i++) {
        if (fold_by_hand(i, 7) == fold_by_hand(row, 7))
            continue;
        all += (double) t->y[i];
        n_all++;
        if (same_job(t->x[i * 4 + 1], t->x[row * 4 + 1])) {
            sum += (double) t->y[i];
            n++;
        }
    }
    return (sum + 20 * all / n_all) / (n + 20);
}

static void test_target(void)
{
    static const char options[] = "{\"seed\": 7, "
                                  "\"columns\": {\"job\": {\"encode\": \"target\", \"scale\": \"none\"}}}";
    table_case t;
    const ax_front_column *front;
    float *got, before[40], row[4] = {30, 0, 1, 1};
    double worst = 0, all = 0, sum = 0, n = 0, seen[5] = {0};
    int n_front, moved = 0;

    mixed_table(&t, 250);
    got = calloc((size_t) t.rows, sizeof(float));
    for (int64_t i = 0; i < t.rows; i++)
        seen[fold_by_hand(i, 7)]++;
    for (int f = 0; f < 5; f++)
        unit_check(seen[f] > 20, "fold %d has %g of 250 rows", f, seen[f]);
    if (one_output(&t, "linear", options, "job", got))
        for (int64_t i = 0; i < t.rows; i++)
            worst = fmax(worst, fabs((double) got[i] - out_of_fold_by_hand(&t, i)));
    unit_check(worst < 1e-5, "means out of fold, off by %g", worst);
    front = ax_preparation_front(t.p, &n_front) + 1;
    for (int64_t i = 0; i < t.rows; i++) {
        all += (double) t.y[i] / (double) t.rows;
        if (t.x[i * 4 + 1] == 0) {
            sum += (double) t.y[i];
            n++;
        }
    }
    unit_near((double) front->otherwise, all, 1e-6, "a text that was not seen is the mean of all");
    for (int k = 0; k < front->n_keys; k++)
        if (strcmp(front->key[k], jobs[0]) == 0)
            unit_near((double) front->key_value[k], (sum + 20 * all) / (n + 20), 1e-6,
                      "the front has the mean of all rows");
    ax_dataset_free(t.d);
    t.d = NULL;
    ax_dataset_create(unit_env(), AX_FLOAT, 4, &t.d, &t.err);
    ax_dataset_append(t.d, row, &t.err);
    unit_status(ax_preparation_apply(t.p, t.d, &t.err), AX_OK, &t.err, "other rows");
    unit_near((double) ((const float *) ax_dataset_row(t.d, 0))[1], (sum + 20 * all) / (n + 20), 1e-6, "get it too");

    /* no row's number depends on its own target */
    table_learn(&t, "linear", AX_TASK_REGRESSION, options, AX_OK);
    for (int i = 0; i < 40; i++)
        before[i] = ((const float *) ax_dataset_row(t.d, i))[1];
    for (int i = 0; i < 40; i++) {
        float y = t.y[i];

        t.y[i] += 100;
        table_reset(&t);
        if (table_try(&t, unit_env(), "linear", AX_TASK_REGRESSION, options) == AX_OK)
            moved += ((const float *) ax_dataset_row(t.d, i))[1] != before[i];
        t.y[i] = y;
    }
    unit_is_int(moved, 0, "a row's number does not know its target");
    free(got);
    table_end(&t);
}

/* ---- columns of no use ----------------------------------------------------------------------- */

static void test_left_out(void)
{
    static char name[50][16];
    static const char *category[50];
    table_case t = {.n_columns = 7,
                    .column = {{"null", false, 1, NULL, NULL, 0, NULL},
                               {"const", false, 1, NULL, NULL, 0, NULL},
                               {"some", false, 1, NULL, NULL, 0, NULL},
                               {"id", true, 1, NULL, category, 50, NULL},
                               {"drop", false, 1, NULL, NULL, 0, NULL},
                               {"bytes", false, 1, NULL, NULL, 0, "is of type bytea"},
                               {"nothing", true, 1, NULL, NULL, 0, NULL}},
                    .width = 7};
    static const char *const why[] = {"is always NULL", "has one value only", NULL,
                                      "has a different text in nearly every row", "is excluded", "is of type bytea",
                                      "is always NULL"};

    for (int k = 0; k < 50; k++) {
        snprintf(name[k], sizeof(name[k]), "n%d", k);
        category[k] = name[k];
    }
    column_rows(&t, 50);
    for (int64_t i = 0; i < 50; i++)
        memcpy(t.x + i * 7, (float[]){NAN, 5, i % 3 ? 2 : NAN, (float) i, (float) i, (float) i, NAN},
               7 * sizeof(float));
    table_learn(&t, "linear", AX_TASK_REGRESSION, "{\"exclude\": [\"drop\"]}", AX_OK);
    for (int k = 0; k < 7; k++)
        unit_is_str(ax_preparation_summary(t.p, k)->left_out, why[k], "%s", ax_preparation_summary(t.p, k)->name);
    unit_is_str(ax_preparation_output(t.p, 0), "some is missing", "one value or NULL is an indicator");
    unit_is_str(ax_preparation_output(t.p, 1), NULL, "and that is all");
    table_learn(&t, "linear", AX_TASK_REGRESSION, "{\"columns\": {\"id\": {\"encode\": \"hash\"}}}", AX_OK);
    unit_is_str(ax_preparation_summary(t.p, 3)->left_out, NULL, "who names an encoding gets it");
    table_learn(&t, "random_forest", AX_TASK_REGRESSION, "{\"exclude\": [\"drop\"]}", AX_OK);
    unit_check(ax_preparation_part(t.p, 2)->used && !ax_preparation_part(t.p, 1)->used, "trees use one value or NULL");
    table_learn(&t, "linear", AX_TASK_REGRESSION, "{\"exclude\": [\"drop\", \"some\"]}", AX_ERR_INVALID);
    unit_is_str(t.err.message, "no column is of use to learn from", "nothing is left");
    table_end(&t);
}

/* ---- options --------------------------------------------------------------------------------- */

static void refused(table_case *t, const char *algorithm, const char *options, ax_status status, const char *says)
{
    t->err = (ax_error){0};
    table_learn(t, algorithm, AX_TASK_REGRESSION, options, status);
    unit_check(strstr(t->err.message, says) != NULL || strstr(t->err.hint, says) != NULL, "it says %s: %s %s", says,
               t->err.message, t->err.hint);
}

static void test_options(void)
{
    table_case t;

    mixed_table(&t, 50);
    refused(&t, NULL, "{\"columns\": {\"agee\": {}}}", AX_ERR_UNKNOWN, "Did you mean \"age\"?");
    refused(&t, NULL, "{\"exclude\": [\"jobs\"]}", AX_ERR_UNKNOWN, "Did you mean \"job\"?");
    refused(&t, NULL, "{\"columns\": {\"age\": {\"scal\": \"none\"}}}", AX_ERR_UNKNOWN, "Did you mean \"scale\"?");
    refused(&t, NULL, "{\"columns\": {\"age\": 3}}", AX_ERR_INVALID, "must be an object");
    refused(&t, NULL, "{\"columns\": {\"age\": {\"scale\": \"stand\"}}}", AX_ERR_INVALID, "\"stand\"");
    refused(&t, NULL, "{\"columns\": {\"age\": {\"scale\": [\"robust\", \"log1p\"]}}}", AX_ERR_INVALID, "log1p");
    refused(&t, NULL, "{\"columns\": {\"age\": {\"scale\": 3}}}", AX_ERR_INVALID, "array of names");
    refused(&t, NULL, "{\"columns\": {\"age\": {\"clip\": [0.9, 0.1]}}}", AX_ERR_INVALID, "lower quantile first");
    refused(&t, NULL, "{\"columns\": {\"age\": {\"clip\": [0, 2]}}}", AX_ERR_INVALID, "at most 1");
    refused(&t, NULL, "{\"columns\": {\"age\": {\"encode\": \"hash\"}}}", AX_ERR_INVALID, "\"type\": \"category\"");
    refused(&t, NULL, "{\"columns\": {\"age\": {\"type\": \"category\", \"encode\": \"hash\"}}}", AX_ERR_UNSUPPORTED,
            "Cast it to text");
    refused(&t, NULL, "{\"columns\": {\"job\": {\"type\": \"number\"}}}", AX_ERR_INVALID, "is a text");
    refused(&t, NULL, "{\"columns\": {\"job\": {\"scale\": \"robust\"}}}", AX_ERR_INVALID, "for numbers");
    refused(&t, NULL, "{\"columns\": {\"age\": {\"impute\": \"median\", \"fill_value\": 1}}}", AX_ERR_INVALID,
            "median");
    refused(&t, NULL, "{\"columns\": {\"job\": {\"buckets\": 0}}}", AX_ERR_INVALID, "at least 1");
    refused(&t, "random_forrest", "{}", AX_ERR_UNKNOWN, "random_forest");
    refused(&t, "random_forest", "{\"columns\": {\"income\": {\"type\": \"category\"}}}", AX_ERR_INVALID,
            "whole numbers");
    for (int i = 0; i < 50; i++)
        t.x[i * 4 + 2] = (float) (i - 1);
    refused(&t, NULL, "{\"columns\": {\"income\": {\"scale\": \"log1p\"}}}", AX_ERR_NUMERIC, "\"income\"");
    t.x[2] = INFINITY;
    refused(&t, "linear", "{}", AX_ERR_NUMERIC, "column \"income\" has an infinite value");
    table_learn(&t, "gradient_boosting", AX_TASK_REGRESSION, "{}", AX_OK);
    unit_check(isinf(ax_preparation_summary(t.p, 2)->mean) && isnan(ax_preparation_summary(t.p, 2)->sd),
               "trees keep infinities");
    t.x[1] = 77;
    refused(&t, NULL, "{}", AX_ERR_INTERNAL, "category 77");
    t.rows = 0;
    refused(&t, NULL, "{}", AX_ERR_INVALID, "no rows");
    table_learn(&t, NULL, AX_TASK_UNDECIDED, NULL, AX_OK);
    unit_check(isnan(ax_preparation_summary(t.p, 0)->mean), "statistics of nothing");
    t.rows = 1;
    t.x[1] = t.x[2] = 0;
    refused(&t, NULL, "{}", AX_ERR_INVALID, "no column is of use");
    t.column[1].n_categories = (1 << 24) + 1;
    refused(&t, NULL, "{}", AX_ERR_LIMIT, "different texts");
    t.column[1].n_categories = 0;
    t.column[1].left_out = "is not read";
    refused(&t, NULL, "{}", AX_ERR_INVALID, "no column is of use");
    t.width = 3;
    refused(&t, NULL, "{}", AX_ERR_INVALID, "do not fit");
    table_end(&t);
}

/* ---- absurd sizes ---------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec s;

    clock_gettime(CLOCK_MONOTONIC, &s);
    return (double) s.tv_sec + (double) s.tv_nsec * 1e-9;
}

static void learn_large(const ax_column *column, int n, int64_t width, const table_case *t, const char *options)
{
    ax_preparation_spec spec = {column, n, NULL, AX_TASK_REGRESSION};
    ax_options *o = NULL;
    ax_dataset *d = NULL;
    ax_preparation *p = NULL;
    ax_error err;
    double start = now();
    float *out;
    int64_t outputs = 0;

    ax_options_parse(unit_env(), options, strlen(options), &o, &err);
    ax_dataset_create(unit_env(), AX_FLOAT, width, &d, &err);
    for (int64_t i = 0; i < t->rows; i++)
        ax_dataset_append(d, t->x + i * width, &err);
    ax_dataset_set_values(d, t->y, 1, &err);
    unit_peak_reset();
    unit_status(ax_preparation_learn(unit_env(), &spec, o, d, &p, &err), AX_OK, &err, "learned");
    unit_note("%d columns, %lld rows: %.2f s, %zu MB at most", n, (long long) t->rows, now() - start,
              unit_peak_bytes() >> 20);
    if (p != NULL) {
        out = table_run(p, ax_dataset_row(d, 0), 1, &outputs, &err);
        unit_check(out != NULL && outputs > 0, "%lld outputs", (long long) outputs);
        free(out);
    }
    ax_preparation_free(p);
    ax_dataset_free(d);
    ax_options_free(o);
}

static void test_many_columns(void)
{
    table_case t = {.width = 5000};
    ax_column *column = calloc(5000, sizeof(*column));
    char (*name)[32] = malloc(5000 * sizeof(*name));

    column_rows(&t, 400);
    for (int k = 0; k < 5000; k++) {
        snprintf(name[k], sizeof(name[k]), "\"Column\" %d", k);
        column[k] = (ax_column){.name = name[k], .text = k % 5 == 0, .width = 1, .category = jobs,
                                .n_categories = N_JOBS};
    }
    for (int64_t i = 0; i < t.rows * t.width; i++)
        t.x[i] = (float) unit_below(N_JOBS);
    learn_large(column, 5000, 5000, &t, "{\"columns\": {\"\\\"Column\\\" 7\": {\"impute\": \"median\"}}}");
    table_end(&t);
    free(column);
    free(name);
}

static void test_many_categories(void)
{
    table_case t = {.width = 1};
    const char **category = malloc(100000 * sizeof(*category));
    char (*name)[24] = malloc(100000 * sizeof(*name));
    static const char *const options[] = {"{\"columns\": {\"c\": {\"encode\": \"one_hot\"}}}",
                                          "{\"columns\": {\"c\": {\"encode\": \"target\"}}}",
                                          "{\"columns\": {\"c\": {\"encode\": \"hash\"}}}",
                                          "{\"columns\": {\"c\": {\"encode\": \"embedding\"}}}"};

    column_rows(&t, 200000);
    for (int k = 0; k < 100000; k++) {
        snprintf(name[k], sizeof(name[k]), "text %d", k);
        category[k] = name[k];
    }
    for (int64_t i = 0; i < t.rows; i++)
        t.x[i] = (float) (i % 100000);
    for (int k = 0; k < AX_COUNT(options); k++) {
        ax_column column = {.name = "c", .text = true, .width = 1, .category = category, .n_categories = 100000};

        learn_large(&column, 1, 1, &t, options[k]);
    }
    table_end(&t);
    free(category);
    free(name);
}

/* ---- memory and cancelling ------------------------------------------------------------------- */

static const char everything[] =
    "{\"columns\": {\"age\": {\"clip\": [0.1, 0.9], \"scale\": [\"log1p\", \"standardize\"],"
    " \"missing_indicator\": true}, \"job\": {\"encode\": \"target\"}, \"grade\": {\"type\": \"category\"}}}";

static void test_failures(void)
{
    table_case t;
    size_t before;
    int bad = 0, tried = 0;

    mixed_table(&t, 300);
    before = unit_live_bytes();
    for (long n = 1;; n++, tried++) {
        ax_status status = table_try(&t, unit_env_fail_at(n), NULL, AX_TASK_REGRESSION, everything);
        bool tripped = unit_env_tripped();

        table_reset(&t);
        if (!tripped)
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 10, "each of %d allocations may fail", tried);
    bad = tried = 0;
    for (long n = 1;; n++, tried++) {
        ax_status status = table_try(&t, unit_env_cancel_at(n), NULL, AX_TASK_REGRESSION, everything);
        bool tripped = unit_env_tripped();

        table_reset(&t);
        if (!tripped)
            break;
        bad += status != AX_ERR_CANCELLED || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 4, "cancelled at %d moments", tried);
    table_end(&t);
}

int main(void)
{
    unit_seed(11);
    test_numbers();
    test_many_rows();
    test_texts();
    test_trees();
    test_many_codes();
    test_left_out();
    test_options();
    test_embedding();
    test_hash();
    test_target();
    test_scaling();
    test_flags();
    test_unseen();
    test_many_columns();
    test_many_categories();
    test_failures();
    return unit_done();
}
