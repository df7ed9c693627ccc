/*
 * metric.c: which metrics there are, the sums behind them, and their values.
 *
 * A metric is a row of kind_table: a name, who may ask for it, which sums it needs, and a function
 * from the sums to the value. Sums are doubles, added row by row in order. The variance behind r2
 * is Welford's, which merges exactly as it adds; auc, the one metric that no sum can give, is in
 * scores.c.
 */
#include "nn/metric.h"

#include <math.h>

#include "nn/labels.h"
#include "nn/scores.h"
#include "table/setting.h"

enum {
    NEED_CLASSES = 1 << 0, /* class_sum */
    NEED_SCORES = 1 << 1,
    NEED_COLUMNS = 1 << 2
};

enum { RIGHT, PREDICTED, ACTUAL }; /* rows of class_sum */

#define DEFAULT_TOP 5
#define MAX_LISTED_CLASSES 1000 /* beyond this, full lists no metric per class */

typedef enum average { PLAIN, MACRO, MICRO, ONE_CLASS } average;
typedef double (*ratio_fn)(double right, double predicted, double actual);

typedef struct ax_metric_kind {
    const char *name;
    const char *alias[4];
    ax_task task; /* AX_TASK_UNDECIDED: both */
    bool higher;  /* is better */
    unsigned needs;
    double (*value)(const ax_tally *t, const ax_chosen *c); /* NULL: auc */
    ratio_fn ratio;
    average average;
} kind_row;

/* ---- values ---------------------------------------------------------------------------------- */

static double value_loss(const ax_tally *t, const ax_chosen *c)
{
    return t->loss / (double) t->rows;
}

static double value_accuracy(const ax_tally *t, const ax_chosen *c)
{
    return t->hits / t->weight;
}

static double value_top(const ax_tally *t, const ax_chosen *c)
{
    for (int i = 0; i < t->metrics->n_top; i++)
        if (t->metrics->top[i] == c->arg)
            return t->top[i] / t->weight;
    return NAN;
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static double precision(double right, double predicted, double actual)
{
    return share(right, predicted);
}

static double recall(double right, double predicted, double actual)
{
    return share(right, actual);
}

static double f1(double right, double predicted, double actual)
{
    return share(2 * right, predicted + actual);
}

static double of_class(const ax_tally *t, ratio_fn ratio, int class)
{
    const double *sum = t->class_sum + class;
    int n = t->metrics->n_classes;

    return ratio(sum[RIGHT * n], sum[PREDICTED * n], sum[ACTUAL * n]);
}

/* The mean over the classes that came, or were predicted, at all. */
static double of_classes(const ax_tally *t, ratio_fn ratio)
{
    int n = t->metrics->n_classes, present = 0;
    double sum = 0;

    for (int i = 0; i < n; i++) {
        if (t->class_sum[PREDICTED * n + i] + t->class_sum[ACTUAL * n + i] <= 0)
            continue;
        sum += of_class(t, ratio, i);
        present++;
    }
    return present > 0 ? sum / present : NAN;
}

static double value_ratio(const ax_tally *t, const ax_chosen *c)
{
    average average = c->kind->average;

    if (average == ONE_CLASS)
        return of_class(t, c->kind->ratio, c->arg);
    if (average == MICRO)
        return c->kind->ratio(t->hits, t->weight, t->weight);
    if (average == PLAIN && t->metrics->n_classes == 2)
        return of_class(t, c->kind->ratio, 1);
    return of_classes(t, c->kind->ratio);
}

static double elements(const ax_tally *t)
{
    return t->weight * t->metrics->n_outputs;
}

static double value_mse(const ax_tally *t, const ax_chosen *c)
{
    return t->squares / elements(t);
}

static double value_rmse(const ax_tally *t, const ax_chosen *c)
{
    return sqrt(t->squares / elements(t));
}

static double value_mae(const ax_tally *t, const ax_chosen *c)
{
    return t->absolutes / elements(t);
}

/* A target that never changes: 1 when it was met exactly, else 0. */
static double value_r2(const ax_tally *t, const ax_chosen *c)
{
    int n = t->metrics->n_outputs;
    const double *variance = t->column + 2 * n, *error = t->column + 3 * n;
    double sum = 0;

    for (int j = 0; j < n; j++)
        sum += variance[j] != 0 ? 1 - error[j] / variance[j] : error[j] == 0;
    return sum / n;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define CLASSES AX_TASK_CLASSIFICATION
#define NUMBERS AX_TASK_REGRESSION

static const kind_row kind_table[] = {
    {"loss", {NULL}, AX_TASK_UNDECIDED, false, 0, value_loss, NULL, PLAIN},
    {"accuracy",
     {"acc", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy"},
     CLASSES, true, 0, value_accuracy, NULL, PLAIN},
    {"top_k_accuracy",
     {"top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"},
     CLASSES, true, 0, value_top, NULL, PLAIN},
    {"auc", {"roc_auc"}, CLASSES, true, NEED_SCORES, NULL, NULL, PLAIN},
    {"precision", {NULL}, CLASSES, true, NEED_CLASSES, value_ratio, precision, PLAIN},
    {"recall", {NULL}, CLASSES, true, NEED_CLASSES, value_ratio, recall, PLAIN},
    {"f1", {"f1_score"}, CLASSES, true, NEED_CLASSES, value_ratio, f1, PLAIN},
    {"precision_macro", {NULL}, CLASSES, true, NEED_CLASSES, value_ratio, precision, MACRO},
    {"recall_macro", {NULL}, CLASSES, true, NEED_CLASSES, value_ratio, recall, MACRO},
    {"f1_macro", {NULL}, CLASSES, true, NEED_CLASSES, value_ratio, f1, MACRO},
    {"precision_micro", {NULL}, CLASSES, true, 0, value_ratio, precision, MICRO},
    {"recall_micro", {NULL}, CLASSES, true, 0, value_ratio, recall, MICRO},
    {"f1_micro", {NULL}, CLASSES, true, 0, value_ratio, f1, MICRO},
    {"mse", {"mean_squared_error"}, NUMBERS, false, 0, value_mse, NULL, PLAIN},
    {"rmse", {"root_mean_squared_error"}, NUMBERS, false, 0, value_rmse, NULL, PLAIN},
    {"mae", {"mean_absolute_error"}, NUMBERS, false, 0, value_mae, NULL, PLAIN},
    {"r2", {"r2_score"}, NUMBERS, true, NEED_COLUMNS, value_r2, NULL, PLAIN},
};

/* Named after a label, and listed by full only. */
static const kind_row class_table[] = {
    {"precision", {NULL}, CLASSES, true, NEED_CLASSES, value_ratio, precision, ONE_CLASS},
    {"recall", {NULL}, CLASSES, true, NEED_CLASSES, value_ratio, recall, ONE_CLASS},
    {"f1", {NULL}, CLASSES, true, NEED_CLASSES, value_ratio, f1, ONE_CLASS},
};

/* "top_3_accuracy" is 3; 0 for any other name. */
static int parse_top(const char *name)
{
    int k = 0;
    const char *p = name;

    if (strncmp(p, "top_", 4) != 0)
        return 0;
    for (p += 4; *p >= '0' && *p <= '9' && k < 1000000; p++)
        k = k * 10 + (*p - '0');
    return strcmp(p, "_accuracy") == 0 ? k : 0;
}

/* *arg: k of top-k (by_default unless the name says it), else -1. */
static const kind_row *find_kind(const char *name, int by_default, int *arg)
{
    int top = parse_top(name);

    *arg = -1;
    for (int i = 0; i < AX_COUNT(kind_table); i++) {
        const kind_row *k = &kind_table[i];
        bool same = ax_same_name(name, k->name) || (top > 0 && k->value == value_top);

        for (int j = 0; j < AX_COUNT(k->alias) && k->alias[j] != NULL; j++)
            same = same || ax_same_name(name, k->alias[j]);
        if (!same)
            continue;
        if (k->value == value_top)
            *arg = top > 0 ? top : by_default;
        return k;
    }
    return NULL;
}

static ax_status unknown_metric(const ax_metrics *s, const char *name, ax_error *err)
{
    const char *known[AX_COUNT(kind_table)];
    int n = 0;

    for (int i = 0; i < AX_COUNT(kind_table); i++)
        if (kind_table[i].task == AX_TASK_UNDECIDED || kind_table[i].task == s->task)
            known[n++] = kind_table[i].name;
    ax_fail(err, AX_ERR_UNKNOWN, "metric \"%s\" does not exist", name);
    ax_hint_names(err, name, known, n);
    return AX_ERR_UNKNOWN;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* The list has room: ax_metrics_open counted before. */
static ax_status choose(ax_metrics *s, const kind_row *kind, int arg, const char *name,
                        ax_error *err)
{
    if (name == NULL && kind->value == value_top)
        name = ax_arena_printf(&s->arena, "top_%d_accuracy", arg);
    else if (name == NULL)
        name = kind->name;
    if (name == NULL)
        return ax_nomem(err);
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->chosen[i].name, name) == 0)
            return AX_OK;
    if (kind->value == value_top) {
        if (s->n_top == AX_MAX_TOP)
            return ax_fail(err, AX_ERR_LIMIT, "at most %d top-k metrics can be asked for",
                           AX_MAX_TOP);
        s->top[s->n_top++] = arg;
    }
    s->chosen[s->n++] = (ax_chosen) {kind, name, arg};
    s->needs |= kind->needs;
    return AX_OK;
}

static ax_status choose_by_name(ax_metrics *s, const char *name, ax_error *err)
{
    int arg;
    const kind_row *kind = find_kind(name, s->default_top, &arg);

    if (kind == NULL)
        return unknown_metric(s, name, err);
    if (kind->task != AX_TASK_UNDECIDED && kind->task != s->task)
        return ax_fail(err, AX_ERR_INVALID, "metric \"%s\" is for %s, not for %s", name,
                       ax_task_name(kind->task), ax_task_name(s->task));
    return choose(s, kind, arg, NULL, err);
}

static ax_status choose_per_class(ax_metrics *s, const ax_model *m, ax_error *err)
{
    const char **label;

    AX_TRY(ax_labels_read(&s->arena, m, &label, err));
    for (int c = 0; c < s->n_classes; c++)
        for (int i = 0; i < AX_COUNT(class_table); i++) {
            const char *name = ax_arena_printf(&s->arena, "%s[%s]", class_table[i].name, label[c]);

            if (name == NULL)
                return ax_nomem(err);
            s->chosen[s->n++] = (ax_chosen) {&class_table[i], name, c};
        }
    return AX_OK;
}

static ax_status choose_all(ax_metrics *s, const ax_model *m, ax_error *err)
{
    for (int i = 0; i < AX_COUNT(kind_table); i++) {
        const kind_row *k = &kind_table[i];

        if (k->task != AX_TASK_UNDECIDED && k->task != s->task)
            continue;
        if (k->value == value_top && s->n_classes <= s->default_top)
            continue;
        AX_TRY(choose(s, k, k->value == value_top ? s->default_top : -1, NULL, err));
    }
    if (s->task == CLASSES && s->n_classes <= MAX_LISTED_CLASSES)
        AX_TRY(choose_per_class(s, m, err));
    return AX_OK;
}

static ax_status choose_listed(ax_metrics *s, const ax_json *list, ax_error *err)
{
    if (list == NULL || list->kind == AX_JSON_NULL)
        return choose_by_name(s, s->task == CLASSES ? "accuracy" : "mae", err);
    if (list->kind == AX_JSON_STRING)
        return choose_by_name(s, list->string, err);
    for (int i = 0; i < list->count; i++) {
        if (list->item[i]->kind != AX_JSON_STRING)
            return ax_fail(err, AX_ERR_INVALID, "option \"metrics\" must list names, not %s",
                           ax_json_kind_name(list->item[i]->kind));
        AX_TRY(choose_by_name(s, list->item[i]->string, err));
    }
    return AX_OK;
}

static ax_status choose_into(ax_metrics *s, const ax_model *m, const ax_options *options, bool full,
                             ax_error *err)
{
    const ax_json *list = options != NULL ? ax_options_json(options, "metrics") : NULL;
    size_t room = AX_COUNT(kind_table) + 1;

    if (list != NULL)
        room += (size_t) list->count;
    if (full)
        room += (size_t) s->n_classes * AX_COUNT(class_table);
    s->chosen = ax_arena_array(&s->arena, room, sizeof(*s->chosen));
    if (s->chosen == NULL)
        return ax_nomem(err);
    AX_TRY(choose_by_name(s, "loss", err));
    return full ? choose_all(s, m, err) : choose_listed(s, list, err);
}

ax_status ax_metrics_open(const ax_env *env, const ax_model *m, const ax_options *options,
                          bool full, ax_metrics *out, ax_error *err)
{
    ax_metrics s = {.task = m->task, .n_outputs = m->n_outputs, .n_classes = m->n_classes};
    ax_status status;

    s.default_top = options != NULL ? (int) ax_options_integer(options, "top_k") : DEFAULT_TOP;
    ax_arena_init(&s.arena, env);
    status = choose_into(&s, m, options, full, err);
    if (status != AX_OK) {
        ax_arena_free(&s.arena);
        return status;
    }
    *out = s;
    return AX_OK;
}

void ax_metrics_close(ax_metrics *s)
{
    if (s->chosen != NULL)
        ax_arena_free(&s->arena);
    s->chosen = NULL;
}

int ax_metrics_find(const ax_metrics *s, const char *name)
{
    int arg;
    const kind_row *kind = find_kind(name, s->default_top, &arg);

    for (int i = 0; i < s->n; i++)
        if (strcmp(s->chosen[i].name, name) == 0 ||
            (kind != NULL && s->chosen[i].kind == kind && s->chosen[i].arg == arg))
            return i;
    return -1;
}

bool ax_metrics_higher_is_better(const ax_metrics *s, int i)
{
    return s->chosen[i].kind->higher;
}

bool ax_metrics_need_scores(const ax_metrics *s)
{
    return (s->needs & NEED_SCORES) != 0;
}

/* ---- sums ------------------------------------------------------------------------------------ */

static ax_status zeros(const ax_env *env, int rows, int n, double **out, ax_error *err)
{
    *out = ax_zalloc(env, (size_t) rows * (size_t) n * sizeof(double));
    return *out != NULL ? AX_OK : ax_nomem(err);
}

ax_status ax_tally_open(const ax_env *env, const ax_metrics *metrics, ax_tally *out, ax_error *err)
{
    ax_tally t = {.metrics = metrics};
    ax_status status = AX_OK;

    if ((metrics->needs & NEED_CLASSES) != 0)
        status = zeros(env, 3, metrics->n_classes, &t.class_sum, err);
    if (status == AX_OK && (metrics->needs & NEED_COLUMNS) != 0)
        status = zeros(env, 4, metrics->n_outputs, &t.column, err);
    if (status != AX_OK) {
        ax_tally_close(env, &t);
        return status;
    }
    *out = t;
    return AX_OK;
}

size_t ax_tally_memory(const ax_metrics *metrics)
{
    size_t bytes = 0;

    if ((metrics->needs & NEED_CLASSES) != 0)
        bytes = ax_sum_alloc(bytes, 3 * (size_t) metrics->n_classes, sizeof(double));
    if ((metrics->needs & NEED_COLUMNS) != 0)
        bytes = ax_sum_alloc(bytes, 4 * (size_t) metrics->n_outputs, sizeof(double));
    return bytes;
}

void ax_tally_close(const ax_env *env, ax_tally *t)
{
    ax_free(env, t->class_sum);
    ax_free(env, t->column);
    *t = (ax_tally) {.metrics = NULL};
}

void ax_tally_reset(ax_tally *t)
{
    ax_tally fresh = {.metrics = t->metrics, .class_sum = t->class_sum, .column = t->column};

    *t = fresh;
    if (t->class_sum != NULL)
        memset(t->class_sum, 0, 3 * sizeof(double) * (size_t) t->metrics->n_classes);
    if (t->column != NULL)
        memset(t->column, 0, 4 * sizeof(double) * (size_t) t->metrics->n_outputs);
}

static int decide(const float *out, int n)
{
    int best = 0;

    if (n == 1)
        return out[0] > 0.5F;
    for (int j = 1; j < n; j++)
        if (out[j] > out[best])
            best = j;
    return best;
}

/* How many classes are likelier than the true one. A NaN hides every class. */
static int rank_of(const float *out, int n, int actual)
{
    int rank = 0;

    if (n == 1)
        return decide(out, n) != actual;
    if (!isfinite(out[actual]))
        return n;
    for (int j = 0; j < n; j++)
        rank += out[j] > out[actual];
    return rank;
}

static void add_class(ax_tally *t, const float *out, int actual, double w)
{
    const ax_metrics *s = t->metrics;
    int predicted = decide(out, s->n_outputs);

    if (predicted == actual)
        t->hits += w;
    if (t->class_sum != NULL) {
        t->class_sum[PREDICTED * s->n_classes + predicted] += w;
        t->class_sum[ACTUAL * s->n_classes + actual] += w;
        if (predicted == actual)
            t->class_sum[RIGHT * s->n_classes + actual] += w;
    }
    if (s->n_top > 0) {
        int rank = rank_of(out, s->n_outputs, actual);

        for (int i = 0; i < s->n_top; i++)
            if (rank < s->top[i])
                t->top[i] += w;
    }
}

static void add_column(double *column, int n, int j, double y, double e, double w)
{
    double *weight = column, *mean = column + n, *squares = column + 2 * n, *error = column + 3 * n;
    double delta = y - mean[j];

    if (w <= 0)
        return;
    weight[j] += w;
    mean[j] += delta * w / weight[j];
    squares[j] += w * delta * (y - mean[j]);
    error[j] += w * e * e;
}

static void add_values(ax_tally *t, const float *out, const float *y, double w)
{
    int n = t->metrics->n_outputs;

    for (int j = 0; j < n; j++) {
        double e = (double) out[j] - (double) y[j];

        t->squares += w * e * e;
        t->absolutes += w * fabs(e);
        if (t->column != NULL)
            add_column(t->column, n, j, (double) y[j], e, w);
    }
}

void ax_tally_add(ax_tally *t, ax_scores *scores, const ax_answers *a)
{
    int width = t->metrics->n_outputs;

    t->rows += a->n;
    t->loss += a->loss;
    for (int64_t i = 0; i < a->n; i++) {
        double w = a->weights != NULL ? (double) a->weights[i] : 1;
        const float *out = a->out + i * width;

        t->weight += w;
        if (t->metrics->task == CLASSES)
            add_class(t, out, a->classes[i], w);
        else
            add_values(t, out, a->values + i * width, w);
        if (scores != NULL && ax_metrics_need_scores(t->metrics))
            ax_scores_put(scores, a->first + i, out, a->classes[i], (float) w);
    }
}

static void merge_columns(double *into, const double *from, int n)
{
    for (int j = 0; j < n; j++) {
        double a = into[j], b = from[j], delta = from[n + j] - into[n + j];

        if (b <= 0)
            continue;
        into[j] = a + b;
        into[n + j] += delta * b / (a + b);
        into[2 * n + j] += from[2 * n + j] + delta * delta * a * b / (a + b);
        into[3 * n + j] += from[3 * n + j];
    }
}

void ax_tally_merge(ax_tally *into, const ax_tally *from)
{
    into->rows += from->rows;
    into->loss += from->loss;
    into->weight += from->weight;
    into->hits += from->hits;
    into->squares += from->squares;
    into->absolutes += from->absolutes;
    for (int i = 0; i < AX_MAX_TOP; i++)
        into->top[i] += from->top[i];
    if (into->class_sum != NULL)
        for (int i = 0; i < 3 * into->metrics->n_classes; i++)
            into->class_sum[i] += from->class_sum[i];
    if (into->column != NULL)
        merge_columns(into->column, from->column, into->metrics->n_outputs);
}

ax_status ax_tally_result(const ax_env *env, const ax_tally *t, const ax_scores *scores,
                          double *value, ax_error *err)
{
    for (int i = 0; i < t->metrics->n; i++) {
        const ax_chosen *c = &t->metrics->chosen[i];

        if (c->kind->value != NULL)
            value[i] = c->kind->value(t, c);
        else
            AX_TRY(ax_scores_auc(env, scores, t->rows, &value[i], err));
    }
    return AX_OK;
}
