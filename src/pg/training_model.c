/*
 * training_model.c: rows become a model: a network by ax_trainer, anything else by ax_fit.
 *
 * Both work in slices and tell what they did; between two slices PostgreSQL has its turn. A network's figures of the
 * kept epoch are those of its last report; a fit is asked for its final figures by evaluating the rows once more.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "feature.h"
#include "guc.h"
#include "limit.h"
#include "training.h"

#define EVALUATE_ROWS 1024

/* ---- what it is built from ------------------------------------------------------------------- */

static const char *const *labels_of(const AiaasTarget *target)
{
    int n = aiaas_labels_count(target->labels);
    const char **labels = palloc(sizeof(char *) * n);

    for (int i = 0; i < n; i++)
        labels[i] = aiaas_to_model(aiaas_labels_texts(target->labels)[i]);
    return labels;
}

static void fill_target(ax_model_spec *spec, const AiaasTarget *target)
{
    spec->n_outputs = 1;
    if (target == NULL)
        return;
    if (target->task == AX_TASK_CLASSIFICATION) {
        spec->n_classes = aiaas_labels_count(target->labels);
        spec->labels = labels_of(target);
    } else {
        spec->n_outputs = target->width;
    }
}

static void fill_spec(Training *t)
{
    t->spec = (ax_model_spec){
        .name = aiaas_to_model(t->model),
        .layers = t->layers_text,
        .layers_len = t->layers_text ? strlen(t->layers_text) : 0,
        .input_type = t->features.bytes ? AX_UINT8 : AX_FLOAT,
        .input_rank = 1,
        .input_dim = {t->features.width},
        .task = training_task(t),
        .features = aiaas_to_model(aiaas_features_json(&t->features, false)),
        .preparation = t->preparation,
    };
    fill_target(&t->spec, t->rows->target);
    if (t->input_rank > 0 && t->preparation == NULL) {
        t->spec.input_rank = t->input_rank;
        memcpy(t->spec.input_dim, t->input_dim, sizeof(t->spec.input_dim));
    }
}

/* ---- networks -------------------------------------------------------------------------------- */

static void build_network(Training *t)
{
    ax_error err;
    ax_status status;

    t->budget.limit = aiaas_limit(); /* only here: what a training takes beyond its network is planned */
    status = ax_model_build(&t->env, &t->spec, t->parsed, &t->network, &err);
    t->budget.limit = SIZE_MAX;
    if (t->budget.exceeded)
        aiaas_limit_weights(t->model);
    aiaas_check(status, &err, NULL);
}

/* Does the option early_stopping ask for the weights of the best epoch? */
static bool restores_best(const Training *t)
{
    JsonbValue *v = getKeyJsonValueFromContainer(&t->options->root, "early_stopping",
                                                 strlen("early_stopping"), NULL);

    if (v != NULL && v->type == jbvBinary)
        v = getKeyJsonValueFromContainer(v->val.binary.data, "restore_best_weights",
                                         strlen("restore_best_weights"), NULL);
    if (v == NULL)
        return false;
    return v->type == jbvNumeric || (v->type == jbvBool && v->val.boolean);
}

/* Makes the plans. What they need is known and allowed before anything large is allocated for it. */
static void plan_training(Training *t)
{
    const ax_train_report *report;
    ax_error err;

    aiaas_progress_phase(&t->progress, "planning");
    aiaas_check(ax_trainer_create(&t->env, t->network, t->train_set, t->valid_set, t->parsed,
                                  aiaas_training_threads(), &t->trainer, &err),
                &err, NULL);
    report = ax_trainer_report(t->trainer);
    aiaas_limit_training(t->model, &report->memory,
                         Min(ax_options_integer(t->parsed, "batch_size"), report->train_rows));
}

/* The figures of the kept epoch are the final ones. */
static void keep_epoch_figures(Training *t)
{
    ListCell *cell;

    foreach (cell, t->progress.figures) {
        AiaasFigure *f = lfirst(cell);

        if (f->epoch == t->kept_epoch)
            t->final = lappend(t->final, f);
    }
}

static void run_trainer(Training *t)
{
    ax_train_event event = AX_TRAIN_MORE;
    const ax_train_report *report;
    ax_error err;

    aiaas_progress_phase(&t->progress, "training");
    while (event != AX_TRAIN_DONE) {
        aiaas_check(ax_trainer_step(t->trainer, &event, &err), &err, NULL);
        if (event == AX_TRAIN_EPOCH)
            aiaas_progress_epoch(&t->progress, ax_trainer_report(t->trainer));
        CHECK_FOR_INTERRUPTS();
    }
    report = ax_trainer_report(t->trainer);
    t->split = report->valid != NULL ? "validation" : "train";
    t->kept_epoch = restores_best(t) && report->best_epoch > 0 ? report->best_epoch : report->epoch;
    keep_epoch_figures(t);
    ax_trainer_free(t->trainer);
    t->trainer = NULL;
}

/* ---- other algorithms ------------------------------------------------------------------------ */

static void check_fit(const Training *t, ax_status status, const ax_error *err)
{
    if (t->budget.exceeded)
        aiaas_limit_fit(t->model);
    aiaas_check(status, err, NULL);
}

static void run_fit(Training *t)
{
    ax_train_event event = AX_TRAIN_MORE;
    ax_error err;

    aiaas_progress_phase(&t->progress, "training");
    t->progress.unit = "round";
    t->budget.limit = aiaas_limit();
    check_fit(t,
              ax_fit_create(&t->env, t->algorithm, &t->spec, t->train_set, t->valid_set, t->parsed,
                            aiaas_training_threads(), &t->fit, &err),
              &err);
    while (event != AX_TRAIN_DONE) {
        check_fit(t, ax_fit_step(t->fit, &event, &err), &err);
        if (event == AX_TRAIN_EPOCH)
            aiaas_progress_epoch(&t->progress, ax_fit_report(t->fit));
        CHECK_FOR_INTERRUPTS();
    }
    t->network = ax_fit_take(t->fit);
    t->kept_epoch = ax_fit_report(t->fit)->epoch;
    ax_fit_free(t->fit);
    t->fit = NULL;
    t->budget.limit = SIZE_MAX;
}

static void add_final(Training *t, const char *split, const ax_metric *m)
{
    AiaasFigure *f = palloc(sizeof(*f));

    f->split = split;
    f->epoch = 0;
    f->name = pstrdup(m->name);
    f->value = m->value;
    t->final = lappend(t->final, f);
}

/* What the model does on rows of a dataset. */
static void evaluate(Training *t, const char *split, const ax_dataset *d)
{
    ax_evaluator *e;
    const ax_metric *metrics;
    int count;
    ax_error err;

    aiaas_check(ax_evaluator_create(&t->env, t->network, t->parsed, false, &e, &err), &err, NULL);
    for (int64 first = 0; first < ax_dataset_rows(d); first += EVALUATE_ROWS) {
        int64 n = Min(EVALUATE_ROWS, ax_dataset_rows(d) - first);

        aiaas_check(ax_evaluator_add_rows(e, d, first, n, &err), &err, NULL);
        CHECK_FOR_INTERRUPTS();
    }
    aiaas_check(ax_evaluator_result(e, &metrics, &count, &err), &err, NULL);
    for (int i = 0; i < count; i++)
        add_final(t, split, &metrics[i]);
    ax_evaluator_free(e);
}

static void evaluate_fit(Training *t)
{
    t->split = t->valid_set != NULL ? "validation" : "train";
    if (!t->learns_target)
        return;
    aiaas_progress_phase(&t->progress, "evaluating");
    evaluate(t, "train", t->train_set);
    if (t->valid_set != NULL)
        evaluate(t, "validation", t->valid_set);
}

void training_run(Training *t)
{
    fill_spec(t);
    if (t->algorithm != NULL) {
        run_fit(t);
        evaluate_fit(t);
        return;
    }
    build_network(t);
    plan_training(t);
    run_trainer(t);
}
