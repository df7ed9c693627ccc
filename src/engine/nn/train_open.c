/*
 * train_open.c: opens and frees a training: checks that data and model fit, reads the options, makes the plans.
 */
#include "nn/train.h"

#include "nn/class_weight.h"

/* ---- does it fit? ---------------------------------------------------------------------------- */

static ax_status check_rows(const ax_model *m, const ax_dataset *d, const char *what, ax_error *err)
{
    const ax_value *input = &m->graph->value[m->input];
    int64_t width = ax_shape_span(&input->shape, 1, input->shape.rank);

    if (d->rows == 0)
        return ax_fail(err, AX_ERR_INVALID, "there are no %s rows", what);
    if (d->type != input->type)
        return ax_fail(err, AX_ERR_INVALID, "the %s rows are %s, the model takes %s", what,
                       ax_dtype_name(d->type), ax_dtype_name(input->type));
    if (d->width != width)
        return ax_fail(err, AX_ERR_INVALID, "the %s rows have %lld elements, the model takes %lld",
                       what, (long long) d->width, (long long) width);
    return AX_OK;
}

static ax_status check_targets(const ax_model *m, const ax_dataset *d, const char *what,
                               ax_error *err)
{
    if (m->task == AX_TASK_CLASSIFICATION) {
        if (d->classes == NULL)
            return ax_fail(err, AX_ERR_INVALID, "the %s rows have no classes", what);
        if (d->n_classes > m->n_classes)
            return ax_fail(err, AX_ERR_INVALID, "the %s rows have %d classes, the model has %d",
                           what, d->n_classes, m->n_classes);
        return AX_OK;
    }
    if (d->values == NULL)
        return ax_fail(err, AX_ERR_INVALID, "the %s rows have no target values", what);
    if (d->value_width != m->n_outputs)
        return ax_fail(err, AX_ERR_INVALID,
                       "the targets of the %s rows have %d numbers, the model gives %d", what,
                       d->value_width, m->n_outputs);
    return AX_OK;
}

static ax_status check_fit(const ax_model *m, const ax_dataset *d, const char *what, ax_error *err)
{
    AX_TRY(check_rows(m, d, what, err));
    return check_targets(m, d, what, err);
}

/* Outputs that the loss can compare with the targets: one for two classes, or one a class. */
static ax_status check_model(const ax_model *m, ax_error *err)
{
    if (!m->ready || m->graph->n_param == 0)
        return ax_fail(err, AX_ERR_INVALID, "the network has no parameters to train");
    if (m->task != AX_TASK_CLASSIFICATION)
        return AX_OK;
    if (m->n_outputs == m->n_classes || (m->n_outputs == 1 && m->n_classes == 2))
        return AX_OK;
    return ax_fail(err, AX_ERR_INVALID, "the network has %d outputs for %d classes", m->n_outputs,
                   m->n_classes);
}

/* ---- options --------------------------------------------------------------------------------- */

static ax_status read_plain(ax_trainer *t, const ax_options *o, ax_error *err)
{
    int64_t epochs = ax_options_integer(o, "epochs"), batch = ax_options_integer(o, "batch_size");

    if (epochs < 1 || epochs > INT32_MAX)
        return ax_fail(err, AX_ERR_INVALID, "option \"epochs\" must be at least 1");
    if (batch < 1)
        return ax_fail(err, AX_ERR_INVALID, "option \"batch_size\" must be at least 1");
    t->epochs = (int) epochs;
    t->batch = batch;
    t->shuffle = ax_options_boolean(o, "shuffle");
    t->seed = (uint64_t) ax_options_integer(o, "seed");
    return ax_optimizer_read(ax_options_json(o, "optimizer"), o, &t->settings, err);
}

/* The learning rate's schedule stands in one of two places. */
static ax_status read_schedule(ax_trainer *t, const ax_options *o, ax_error *err)
{
    const ax_json *choice = ax_options_json(o, "schedule");
    ax_schedule_spec spec = {.choice = choice != NULL ? choice : t->settings.schedule,
                             .learning_rate = t->settings.learning_rate,
                             .steps = (t->n_train + t->batch - 1) / t->batch,
                             .epochs = t->epochs,
                             .metrics = &t->metrics,
                             .has_valid = t->n_valid > 0,
                             .monitor = t->stopping.monitor};

    if (choice != NULL && t->settings.schedule != NULL)
        return ax_fail(err, AX_ERR_INVALID,
                       "option \"schedule\" and a learning_rate that is a schedule exclude each "
                       "other");
    return ax_schedule_read(&spec, &t->schedule, err);
}

static ax_status read_callbacks(ax_trainer *t, const ax_options *o, ax_error *err)
{
    AX_TRY(ax_metrics_open(&t->env, t->model, o, false, &t->metrics, err));
    AX_TRY(ax_stopping_read(ax_options_json(o, "early_stopping"), &t->metrics, t->n_valid > 0,
                            &t->stopping, err));
    return read_schedule(t, o, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static ax_status get(const ax_env *env, int64_t count, size_t size, void *out, ax_error *err)
{
    size_t bytes;
    void *p = ax_mul_size((size_t) count, size, &bytes) ? ax_alloc(env, bytes) : NULL;

    if (p == NULL)
        return ax_nomem(err);
    memcpy(out, &p, sizeof(p));
    return AX_OK;
}

static ax_status choose_rows(ax_trainer *t, const ax_dataset *valid, double split, ax_error *err)
{
    AX_TRY(get(&t->env, t->data->rows, sizeof(int64_t), &t->train_rows, err));
    if (valid != NULL || split == 0) {
        for (int64_t i = 0; i < t->data->rows; i++)
            t->train_rows[i] = i;
        t->n_train = t->data->rows;
        t->valid = valid;
        t->n_valid = valid != NULL ? valid->rows : 0;
    } else {
        AX_TRY(get(&t->env, t->data->rows, sizeof(int64_t), &t->valid_rows, err));
        AX_TRY(ax_dataset_split(t->data, split, t->seed, t->train_rows, &t->n_train, t->valid_rows,
                                &t->n_valid, err));
        t->valid = t->n_valid > 0 ? t->data : NULL;
    }
    t->batch = AX_MIN(t->batch, t->n_train);
    return AX_OK;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static ax_status open_validation(ax_trainer *t, ax_error *err)
{
    const ax_dataset *v = t->valid;

    if (v == NULL)
        return AX_OK;
    AX_TRY(ax_scorer_open(&t->env, t->model, &t->metrics, ax_pool_threads(t->pool), &t->scorer,
                          err));
    if (v->classes != NULL)
        AX_TRY(get(&t->env, t->scorer.chunk, sizeof(int32_t), &t->target.classes, err));
    if (v->values != NULL)
        AX_TRY(get(&t->env, t->scorer.chunk, (size_t) v->value_width * sizeof(float),
                   &t->target.values, err));
    if (v->weights != NULL)
        AX_TRY(get(&t->env, t->scorer.chunk, sizeof(float), &t->target.weights, err));
    return AX_OK;
}

static ax_status open_report(ax_trainer *t, ax_error *err)
{
    int n = t->metrics.n;

    AX_TRY(get(&t->env, n, sizeof(double), &t->train_value, err));
    AX_TRY(get(&t->env, n, sizeof(ax_metric), &t->train_metric, err));
    AX_TRY(get(&t->env, n, sizeof(ax_metric), &t->valid_metric, err));
    for (int i = 0; i < n; i++) {
        t->train_metric[i] = (ax_metric) {t->metrics.chosen[i].name, 0};
        t->valid_metric[i] = t->train_metric[i];
    }
    t->report = (ax_train_report) {.epochs = t->epochs,
                                   .train_rows = t->n_train,
                                   .valid_rows = t->n_valid,
                                   .n_metrics = n,
                                   .train = t->train_metric,
                                   .valid = t->n_valid > 0 ? t->valid_metric : NULL};
    return AX_OK;
}

static ax_status open_parts(ax_trainer *t, int threads, ax_error *err)
{
    ax_shards_spec spec = {.model = t->model,
                           .data = t->data,
                           .metrics = &t->metrics,
                           .class_weight = t->class_weight,
                           .batch = t->batch,
                           .n_train = t->n_train};

    AX_TRY(ax_shards_plan(&t->env, &spec, &t->shards, err));
    AX_TRY(ax_tally_open(&t->env, &t->metrics, &t->tally, err));
    AX_TRY(ax_pool_open(&t->env, threads, &t->pool, err));
    AX_TRY(open_validation(t, err));
    AX_TRY(open_report(t, err));
    return ax_train_plan_memory(t, err);
}

static ax_status open_trainer(ax_trainer *t, const ax_dataset *valid, const ax_options *o,
                              int threads, ax_error *err)
{
    AX_TRY(check_model(t->model, err));
    AX_TRY(check_fit(t->model, t->data, "training", err));
    if (valid != NULL)
        AX_TRY(check_fit(t->model, valid, "validation", err));
    AX_TRY(read_plain(t, o, err));
    AX_TRY(choose_rows(t, valid, ax_options_number(o, "validation_split"), err));
    AX_TRY(read_callbacks(t, o, err));
    AX_TRY(ax_class_weight_read(&t->env, ax_options_json(o, "class_weight"), t->model, t->data,
                                t->train_rows, t->n_train, &t->class_weight, err));
    return open_parts(t, AX_MIN(threads, AX_MAX_THREADS), err);
}

ax_status ax_trainer_create(const ax_env *env, ax_model *m, ax_dataset *d, ax_dataset *valid,
                            const ax_options *options, int threads, ax_trainer **out, ax_error *err)
{
    ax_trainer *t = ax_zalloc(env, sizeof(*t));
    ax_status status;

    if (t == NULL)
        return ax_nomem(err);
    t->env = *env;
    t->model = m;
    t->data = d;
    t->began = ax_train_clock();
    status = open_trainer(t, valid, options, threads, err);
    if (status != AX_OK) {
        ax_trainer_free(t);
        return status;
    }
    *out = t;
    return AX_OK;
}

void ax_trainer_free(ax_trainer *t)
{
    ax_env env;

    if (t == NULL)
        return;
    env = t->env;
    ax_pool_close(t->pool); /* the threads first: they hold on to what follows */
    ax_scorer_close(&t->scorer);
    ax_shards_close(&t->shards);
    ax_reduce_free(t->reduce);
    ax_optimizer_free(t->optimizer);
    ax_snapshot_close(&t->best);
    ax_tally_close(&env, &t->tally);
    ax_metrics_close(&t->metrics);
    ax_free(&env, t->target.classes);
    ax_free(&env, t->target.values);
    ax_free(&env, t->target.weights);
    ax_free(&env, t->train_value);
    ax_free(&env, t->train_metric);
    ax_free(&env, t->valid_metric);
    ax_free(&env, t->class_weight);
    ax_free(&env, t->train_rows);
    ax_free(&env, t->valid_rows);
    ax_free(&env, t);
}
