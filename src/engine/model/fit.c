/*
 * fit.c: walks an algorithm through its stations, in slices.
 */
#include <math.h>

#include "model/algorithm.h"

#include "nn/class_weight.h"
#include "nn/train.h"
#include "tree/bins.h"

enum { SPLIT, OPEN, WORK, MODEL, SCORE_TRAIN, SCORE_VALID, DONE };

#define SCORE_ROWS 4096 /* in a slice */

/* ---- rows ------------------------------------------------------------------------------------ */

const float *ax_fit_row(const ax_fit_rows *rows, int64_t i)
{
    if (i < rows->data->rows)
        return ax_dataset_row(rows->data, i);
    return ax_dataset_row(rows->valid, i - rows->data->rows);
}

/* A number of the bin: the edge above it, or for the last one a number beyond all edges. */
static float number_of(const ax_bin_column *c, uint8_t bin)
{
    if (bin == AX_BIN_MISSING)
        return NAN;
    if (c->category)
        return c->edge[bin];
    return bin < c->n - 1 ? c->edge[bin] : INFINITY;
}

void ax_fit_read_row(const ax_fit *f, int64_t i, float *out)
{
    if (f->bins == NULL) {
        memcpy(out, ax_fit_row(&f->rows, i), (size_t) f->rows.data->width * sizeof(float));
        return;
    }
    for (int j = 0; j < f->bins->columns; j++)
        out[j] = number_of(&f->bins->column[j], f->bins->data[j * f->bins->stride + i]);
}

static ax_status room_for_rows(ax_fit *f, int64_t n_valid, ax_error *err)
{
    f->rows.train = ax_arena_array(&f->arena, (size_t) f->rows.data->rows, sizeof(int32_t));
    f->rows.check = ax_arena_array(&f->arena, (size_t) n_valid, sizeof(int32_t));
    return f->rows.train != NULL && f->rows.check != NULL ? AX_OK : ax_nomem(err);
}

/* The validation rows are of the data: cut them off by the option validation_split. */
static ax_status split_rows(ax_fit *f, ax_error *err)
{
    ax_fit_rows *r = &f->rows;
    int64_t *number = ax_alloc(&f->env, (size_t) r->n * 2 * sizeof(*number));
    ax_status status;

    if (number == NULL)
        return ax_nomem(err);
    status = ax_dataset_split(r->data, ax_options_number(f->options, "validation_split"),
                              (uint64_t) ax_options_integer(f->options, "seed"), number, &r->n_train, number + r->n,
                              &r->n_valid, err);
    if (status == AX_OK)
        status = room_for_rows(f, r->n_valid, err);
    for (int64_t i = 0; status == AX_OK && i < r->n_train; i++)
        r->train[i] = (int32_t) number[i];
    for (int64_t i = 0; status == AX_OK && i < r->n_valid; i++)
        r->check[i] = (int32_t) number[r->n + i];
    ax_free(&f->env, number);
    if (status == AX_OK && r->n_train == 0)
        return ax_fail(err, AX_ERR_INVALID, "no rows are left for the training");
    return status;
}

static ax_status number_rows(ax_fit *f, ax_error *err)
{
    ax_fit_rows *r = &f->rows;

    AX_TRY(room_for_rows(f, r->valid->rows, err));
    r->n_train = r->data->rows;
    r->n_valid = r->valid->rows;
    for (int64_t i = 0; i < r->n_train; i++)
        r->train[i] = (int32_t) i;
    for (int64_t i = 0; i < r->n_valid; i++)
        r->check[i] = (int32_t) (r->n_train + i);
    return AX_OK;
}

/* Arrays of two datasets, one after the other; in place where there is one. NULL stays NULL. */
static ax_status joined(ax_fit *f, const void *a, const void *b, size_t size, const void **out, ax_error *err)
{
    const ax_fit_rows *r = &f->rows;
    uint8_t *both;

    *out = a;
    if (a == NULL || r->valid == NULL)
        return AX_OK;
    both = ax_arena_array(&f->arena, (size_t) r->n, size);
    if (both == NULL)
        return ax_nomem(err);
    memcpy(both, a, (size_t) r->data->rows * size);
    if (b != NULL)
        memcpy(both + (size_t) r->data->rows * size, b, (size_t) r->valid->rows * size);
    *out = both;
    return AX_OK;
}

static ax_status join_targets(ax_fit *f, ax_error *err)
{
    ax_fit_rows *r = &f->rows;
    const ax_dataset *d = r->data, *v = r->valid;
    size_t target = (size_t) d->value_width * sizeof(*d->values);
    const void *classes, *values, *weights;

    AX_TRY(joined(f, d->classes, v != NULL ? v->classes : NULL, sizeof(*d->classes), &classes, err));
    AX_TRY(joined(f, d->values, v != NULL ? v->values : NULL, target, &values, err));
    AX_TRY(joined(f, d->weights, v != NULL ? v->weights : NULL, sizeof(*d->weights), &weights, err));
    r->classes = classes;
    r->values = values;
    r->weights = weights;
    return AX_OK;
}

/* Class weights become weights of the training rows. */
static ax_status weigh_classes(ax_fit *f, ax_error *err)
{
    ax_fit_rows *r = &f->rows;
    const ax_json *v = ax_options_json(f->options, "class_weight");
    float *of_class, *weights;
    int64_t *number;
    ax_status status;

    if (v == NULL || r->classes == NULL)
        return AX_OK;
    weights = ax_arena_array(&f->arena, (size_t) r->n, sizeof(*weights));
    number = ax_alloc(&f->env, (size_t) r->n_train * sizeof(*number));
    if (weights == NULL || number == NULL) {
        ax_free(&f->env, number);
        return ax_nomem(err);
    }
    for (int64_t i = 0; i < r->n_train; i++)
        number[i] = r->train[i];
    status = ax_class_weight_read(&f->env, v, f->model, r->data, number, r->n_train, &of_class, err);
    ax_free(&f->env, number);
    AX_TRY(status);
    for (int64_t i = 0; i < r->n; i++)
        weights[i] = r->weights != NULL ? r->weights[i] : 1;
    for (int64_t i = 0; i < r->n_train; i++)
        weights[r->train[i]] *= of_class[r->classes[r->train[i]]];
    ax_free(&f->env, of_class);
    r->weights = weights;
    return AX_OK;
}

static ax_status take_rows(ax_fit *f, ax_error *err)
{
    ax_fit_rows *r = &f->rows;

    r->n = r->data->rows + (r->valid != NULL ? r->valid->rows : 0);
    if (r->n > INT32_MAX)
        return ax_fail(err, AX_ERR_LIMIT, "%lld rows, the maximum is %d", (long long) r->n, INT32_MAX);
    AX_TRY(r->valid != NULL ? number_rows(f, err) : split_rows(f, err));
    AX_TRY(join_targets(f, err));
    AX_TRY(weigh_classes(f, err));
    f->report.train_rows = r->n_train;
    f->report.valid_rows = r->n_valid;
    return AX_OK;
}

/* ---- scores ---------------------------------------------------------------------------------- */

typedef struct slice {
    float *row;
    int32_t *classes;
    float *values, *weights;
} slice;

static ax_status new_slice(ax_fit *f, ax_arena *a, int64_t n, slice *s, ax_error *err)
{
    size_t width = (size_t) f->rows.data->width, outputs = (size_t) AX_MAX(f->rows.data->value_width, 1);

    s->row = ax_arena_array(a, (size_t) n * width, sizeof(float));
    s->classes = ax_arena_array(a, (size_t) n, sizeof(int32_t));
    s->values = ax_arena_array(a, (size_t) n * outputs, sizeof(float));
    s->weights = ax_arena_array(a, (size_t) n, sizeof(float));
    return s->row && s->classes && s->values && s->weights ? AX_OK : ax_nomem(err);
}

static void fill_slice(const ax_fit *f, const int32_t *row, int64_t n, slice *s)
{
    const ax_fit_rows *r = &f->rows;
    int64_t width = r->data->width, outputs = r->data->value_width;

    for (int64_t i = 0; i < n; i++) {
        ax_fit_read_row(f, row[i], s->row + i * width);
        if (r->classes != NULL)
            s->classes[i] = r->classes[row[i]];
        if (r->values != NULL)
            memcpy(s->values + i * outputs, r->values + row[i] * outputs, (size_t) outputs * sizeof(float));
        s->weights[i] = r->weights != NULL ? r->weights[row[i]] : 1;
    }
}

static ax_status score_slice(ax_fit *f, const int32_t *row, int64_t n, ax_error *err)
{
    ax_arena work;
    slice s;
    ax_status status;

    ax_arena_init(&work, &f->env);
    status = new_slice(f, &work, n, &s, err);
    if (status == AX_OK) {
        ax_targets t = {f->rows.classes != NULL ? s.classes : NULL, f->rows.values != NULL ? s.values : NULL,
                        f->rows.weights != NULL ? s.weights : NULL};

        fill_slice(f, row, n, &s);
        status = ax_scorer_add(&f->scorer, f->pool, s.row, NULL, NULL, n, &t, err);
    }
    ax_arena_free(&work);
    return status;
}

static void take_scores(ax_fit *f, ax_metric *out)
{
    for (int i = 0; i < f->metrics.n; i++)
        out[i] = (ax_metric) {f->metrics.chosen[i].name, f->scorer.value[i]};
}

/* A slice of the rows is scored. */
static ax_status score(ax_fit *f, const int32_t *row, int64_t n, ax_metric *out, ax_error *err)
{
    int64_t many = AX_MIN(AX_MIN(n - f->at, SCORE_ROWS), f->scorer.chunk);

    if (f->at == 0)
        ax_scorer_reset(&f->scorer);
    if (many > 0)
        AX_TRY(score_slice(f, row + f->at, many, err));
    f->at += many;
    if (f->at < n)
        return AX_OK;
    AX_TRY(ax_scorer_result(&f->scorer, err));
    take_scores(f, out);
    f->at = 0;
    f->station++;
    return AX_OK;
}

static ax_status open_scores(ax_fit *f, ax_error *err)
{
    AX_TRY(ax_metrics_open(&f->env, f->model, f->options, false, &f->metrics, err));
    AX_TRY(ax_scorer_open(&f->env, f->model, &f->metrics, ax_pool_threads(f->pool), &f->scorer, err));
    f->train_metric = ax_arena_array(&f->arena, (size_t) f->metrics.n + 1, sizeof(ax_metric));
    f->valid_metric = ax_arena_array(&f->arena, (size_t) f->metrics.n + 1, sizeof(ax_metric));
    return f->train_metric != NULL && f->valid_metric != NULL ? AX_OK : ax_nomem(err);
}

/* ---- stations -------------------------------------------------------------------------------- */

static ax_status make_model(ax_fit *f, ax_error *err)
{
    AX_TRY(f->algorithm->model(f, err));
    f->algorithm->close(f);
    f->work = NULL;
    f->report.n_metrics = 0;
    f->report.train = f->report.valid = NULL;
    if (!f->algorithm->target) {
        f->station = DONE;
        return AX_OK;
    }
    AX_TRY(open_scores(f, err));
    f->station = SCORE_TRAIN;
    return AX_OK;
}

static void close_scores(ax_fit *f)
{
    f->report.n_metrics = f->metrics.n + f->has_oob;
    f->train_metric[f->metrics.n] = (ax_metric) {"oob_score", f->oob};
    f->valid_metric[f->metrics.n] = (ax_metric) {"oob_score", NAN};
    f->report.train = f->train_metric;
    f->report.valid = f->rows.n_valid > 0 ? f->valid_metric : NULL;
    f->station = DONE;
}

static ax_status work_slice(ax_fit *f, ax_train_event *event, ax_error *err)
{
    bool done = false, round = false;

    AX_TRY(f->algorithm->work(f, &done, &round, err));
    if (round)
        *event = AX_TRAIN_EPOCH;
    if (done)
        f->station = MODEL;
    return AX_OK;
}

static ax_status step(ax_fit *f, ax_train_event *event, ax_error *err)
{
    switch (f->station) {
    case SPLIT:
        AX_TRY(take_rows(f, err));
        f->station = OPEN;
        return AX_OK;
    case OPEN:
        f->station = WORK;
        return f->algorithm->open(f, err);
    case WORK:
        return work_slice(f, event, err);
    case MODEL:
        return make_model(f, err);
    case SCORE_TRAIN:
        return score(f, f->rows.train, f->rows.n_train, f->train_metric, err);
    case SCORE_VALID:
        if (f->rows.n_valid > 0)
            AX_TRY(score(f, f->rows.check, f->rows.n_valid, f->valid_metric, err));
        else
            f->station = DONE;
        if (f->station == DONE)
            close_scores(f);
        return AX_OK;
    default:
        return AX_OK;
    }
}

ax_status ax_fit_step(ax_fit *f, ax_train_event *event, ax_error *err)
{
    double began = ax_train_clock();
    ax_train_event got = AX_TRAIN_MORE;

    do {
        AX_TRY(step(f, &got, err));
    } while (got == AX_TRAIN_MORE && f->station != DONE && ax_train_clock() - began < 0.02);
    f->report.seconds_total = ax_train_clock() - f->began;
    *event = f->station == DONE && got == AX_TRAIN_MORE ? AX_TRAIN_DONE : got;
    return AX_OK;
}

const ax_train_report *ax_fit_report(const ax_fit *f)
{
    return &f->report;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static ax_status open_fit(ax_fit *f, const char *algorithm, int threads, ax_error *err)
{
    f->algorithm = ax_algorithm_find(algorithm, err);
    if (f->algorithm == NULL)
        return AX_ERR_UNKNOWN;
    if (f->rows.data->rows == 0)
        return ax_fail(err, AX_ERR_INVALID, "there are no training rows");
    if (f->spec->n_outputs > 1)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "algorithm \"%s\" learns one number, the target is an array of %d",
                       algorithm, f->spec->n_outputs);
    AX_TRY(ax_pool_open(&f->env, threads, &f->pool, err));
    return ax_fit_model_begin(f, err);
}

ax_status ax_fit_create(const ax_env *env, const char *algorithm, const ax_model_spec *spec, ax_dataset *d,
                        ax_dataset *valid, const ax_options *options, int threads, ax_fit **out, ax_error *err)
{
    ax_fit *f = ax_zalloc(env, sizeof(*f));
    ax_status status;

    if (f == NULL)
        return ax_nomem(err);
    f->env = *env;
    ax_arena_init(&f->arena, env);
    f->spec = spec;
    f->options = options;
    f->rows.data = d;
    f->rows.valid = valid;
    f->began = ax_train_clock();
    status = open_fit(f, algorithm, threads, err);
    if (status != AX_OK) {
        ax_fit_free(f);
        return status;
    }
    *out = f;
    return AX_OK;
}

ax_model *ax_fit_take(ax_fit *f)
{
    ax_model *m = f->station == DONE ? f->model : NULL;

    if (m != NULL) {
        ax_scorer_close(&f->scorer); /* it looks at the model */
        f->model = NULL;
    }
    return m;
}

void ax_fit_free(ax_fit *f)
{
    ax_env env;

    if (f == NULL)
        return;
    env = f->env;
    if (f->work != NULL)
        f->algorithm->close(f);
    ax_bins_free(f->bins);
    ax_scorer_close(&f->scorer);
    ax_metrics_close(&f->metrics);
    ax_model_free(f->model);
    ax_pool_close(f->pool);
    ax_arena_free(&f->arena);
    ax_free(&env, f);
}
