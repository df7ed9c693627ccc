/*
 * evaluate.c: see evaluate.h, and ax_evaluator_* in ax.h.
 */
#include "nn/evaluate.h"
#include "table/dataset.h"

#include <math.h>

struct ax_evaluator {
    ax_env env;
    const ax_model *model;
    ax_metrics metrics;
    ax_scorer scorer;
    ax_metric *result;
};

/* ---- the scorer ------------------------------------------------------------------------------ */

static ax_status open_buffers(ax_scorer *s, int lanes, ax_error *err)
{
    size_t floats;

    s->chunk = (int64_t) AX_RUN_ROWS * AX_MAX(lanes, 1);
    floats = (size_t) s->chunk * (size_t) s->model->n_outputs;
    AX_TRY(ax_runner_create(&s->env, s->model, lanes, &s->runner, err));
    AX_TRY(ax_tally_open(&s->env, s->metrics, &s->tally, err));
    s->out = ax_alloc(&s->env, floats * sizeof(float));
    s->value = ax_zalloc(&s->env, (size_t) s->metrics->n * sizeof(double));
    return s->out != NULL && s->value != NULL ? AX_OK : ax_nomem(err);
}

ax_status ax_scorer_open(const ax_env *env, const ax_model *m, const ax_metrics *metrics, int lanes,
                         ax_scorer *out, ax_error *err)
{
    ax_scorer s = {.env = *env, .model = m, .metrics = metrics, .loss = m->loss};
    ax_status status;

    s.loss.on_logits = false;
    ax_scores_open(&s.scores, env, m->n_outputs, m->n_classes);
    status = open_buffers(&s, lanes, err);
    if (status != AX_OK) {
        ax_scorer_close(&s);
        return status;
    }
    *out = s;
    return AX_OK;
}

ax_status ax_scorer_plan(ax_scorer *s, int64_t n, size_t *bytes, ax_error *err)
{
    size_t sum;

    AX_TRY(ax_runner_plan(s->runner, n, s->chunk, &sum, err));
    sum = ax_sum_alloc(sum, (size_t) s->chunk, (size_t) s->model->n_outputs * sizeof(float));
    sum += ax_tally_memory(s->metrics);
    if (ax_metrics_need_scores(s->metrics))
        sum += ax_scores_memory(&s->scores, n);
    *bytes = sum;
    return AX_OK;
}

void ax_scorer_close(ax_scorer *s)
{
    if (s->model == NULL)
        return;
    ax_runner_free(s->runner);
    ax_tally_close(&s->env, &s->tally);
    ax_scores_close(&s->scores);
    ax_free(&s->env, s->out);
    ax_free(&s->env, s->value);
    *s = (ax_scorer) {.model = NULL};
}

void ax_scorer_reset(ax_scorer *s)
{
    ax_runner_weights_changed(s->runner);
    ax_tally_reset(&s->tally);
}

/* The targets from row `from` on. */
static ax_targets targets_from(const ax_targets *t, int64_t from, int width)
{
    return (ax_targets) {.classes = t->classes != NULL ? t->classes + from : NULL,
                         .values = t->values != NULL ? t->values + from * width : NULL,
                         .weights = t->weights != NULL ? t->weights + from : NULL};
}

/* At most AX_RUN_ROWS rows, so that the sums are grouped in the same way whatever a chunk is. */
static void tally_rows(ax_scorer *s, int64_t from, int64_t n, const ax_targets *all)
{
    int width = s->model->n_outputs;
    const float *out = s->out + from * width;
    ax_targets t = targets_from(all, from, width);
    ax_answers a = {.n = n,
                    .out = out,
                    .classes = t.classes,
                    .values = t.values,
                    .weights = t.weights,
                    .loss = ax_loss_sum(&s->loss, n, width, out, &t, 1, NULL),
                    .first = s->tally.rows};

    ax_tally_add(&s->tally, &s->scores, &a);
}

ax_status ax_scorer_add(ax_scorer *s, ax_pool *pool, const void *rows, ax_row_source source,
                        void *arg, int64_t n, const ax_targets *targets, ax_error *err)
{
    if (ax_metrics_need_scores(s->metrics))
        AX_TRY(ax_scores_reserve(&s->scores, s->tally.rows + n, err));
    AX_TRY(ax_runner_run(s->runner, pool, rows, source, arg, n, s->out, err));
    for (int64_t i = 0; i < n; i += AX_RUN_ROWS)
        tally_rows(s, i, AX_MIN(n - i, AX_RUN_ROWS), targets);
    return AX_OK;
}

ax_status ax_scorer_result(ax_scorer *s, ax_error *err)
{
    return ax_tally_result(&s->env, &s->tally, &s->scores, s->value, err);
}

/* ---- the evaluator --------------------------------------------------------------------------- */

static ax_status open_evaluator(ax_evaluator *e, const ax_options *options, bool full,
                                ax_error *err)
{
    AX_TRY(ax_metrics_open(&e->env, e->model, options, full, &e->metrics, err));
    AX_TRY(ax_scorer_open(&e->env, e->model, &e->metrics, 1, &e->scorer, err));
    e->result = ax_zalloc(&e->env, (size_t) e->metrics.n * sizeof(*e->result));
    return e->result != NULL ? AX_OK : ax_nomem(err);
}

ax_status ax_evaluator_create(const ax_env *env, ax_model *m, const ax_options *options, bool full,
                              ax_evaluator **out, ax_error *err)
{
    ax_evaluator *e = ax_zalloc(env, sizeof(*e));
    ax_status status;

    if (e == NULL)
        return ax_nomem(err);
    e->env = *env;
    e->model = m;
    status = open_evaluator(e, options, full, err);
    if (status != AX_OK) {
        ax_evaluator_free(e);
        return status;
    }
    *out = e;
    return AX_OK;
}

void ax_evaluator_free(ax_evaluator *e)
{
    ax_env env;

    if (e == NULL)
        return;
    env = e->env;
    ax_scorer_close(&e->scorer);
    ax_metrics_close(&e->metrics);
    ax_free(&env, e->result);
    ax_free(&env, e);
}

static ax_status check_targets(const ax_model *m, int64_t n, const ax_targets *t, ax_error *err)
{
    bool classes = m->task == AX_TASK_CLASSIFICATION;

    if (classes ? t->classes == NULL : t->values == NULL)
        return ax_fail(err, AX_ERR_INVALID, "the targets of a %s must be %s", ax_task_name(m->task),
                       classes ? "classes" : "values");
    for (int64_t i = 0; classes && i < n; i++)
        if (t->classes[i] < 0 || t->classes[i] >= m->n_classes)
            return ax_fail(err, AX_ERR_INVALID, "class %d does not exist, the model has %d classes",
                           (int) t->classes[i], m->n_classes);
    for (int64_t i = 0; t->weights != NULL && i < n; i++)
        if (!(isfinite(t->weights[i]) && t->weights[i] >= 0))
            return ax_fail(err, AX_ERR_INVALID, "a weight must be finite and not negative");
    return AX_OK;
}

ax_status ax_evaluator_add(ax_evaluator *e, const void *rows, int64_t n, const int32_t *classes,
                           const float *values, const float *weights, ax_error *err)
{
    const ax_model *m = e->model;
    const ax_value *input = &m->graph->value[m->input];
    bool by_class = m->task == AX_TASK_CLASSIFICATION;
    ax_targets all = {by_class ? classes : NULL, by_class ? NULL : values, weights};
    size_t row_bytes = (size_t) ax_shape_span(&input->shape, 1, input->shape.rank) *
                       ax_dtype_size(input->type);

    AX_TRY(check_targets(m, n, &all, err));
    for (int64_t at = 0; at < n; at += e->scorer.chunk) {
        ax_targets t = targets_from(&all, at, m->n_outputs);

        AX_TRY(ax_scorer_add(&e->scorer, NULL, (const uint8_t *) rows + (size_t) at * row_bytes,
                             NULL, NULL, AX_MIN(n - at, e->scorer.chunk), &t, err));
    }
    return AX_OK;
}

ax_status ax_evaluator_add_rows(ax_evaluator *e, const ax_dataset *d, int64_t first, int64_t n, ax_error *err)
{
    if (first < 0 || n < 0 || first > d->rows || n > d->rows - first)
        return ax_fail(err, AX_ERR_INVALID, "rows %lld to %lld are not in a dataset of %lld", (long long) first,
                       (long long) (first + n), (long long) d->rows);
    while (n > 0) {
        int64_t in_block = AX_MIN(n, d->block_rows - first % d->block_rows); /* rows of a block lie side by side */

        AX_TRY(ax_evaluator_add(e, ax_dataset_row(d, first), in_block, d->classes != NULL ? d->classes + first : NULL,
                                d->values != NULL ? d->values + first * d->value_width : NULL,
                                d->weights != NULL ? d->weights + first : NULL, err));
        first += in_block;
        n -= in_block;
    }
    return AX_OK;
}

ax_status ax_evaluator_result(ax_evaluator *e, const ax_metric **metrics, int *count, ax_error *err)
{
    if (e->scorer.tally.rows == 0)
        return ax_fail(err, AX_ERR_INVALID, "there are no rows to evaluate");
    AX_TRY(ax_scorer_result(&e->scorer, err));
    for (int i = 0; i < e->metrics.n; i++)
        e->result[i] = (ax_metric) {e->metrics.chosen[i].name, e->scorer.value[i]};
    *metrics = e->result;
    *count = e->metrics.n;
    return AX_OK;
}
