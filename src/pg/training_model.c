/*
 * training_model.c: rows become a model: a network by ax_trainer, anything else by ax_fit.
 *
 * Both work in slices and tell what they did; between two slices PostgreSQL has its turn. The final figures of a
 * network are those of the epoch whose weights it holds, the ones of a fit those of its last report.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "feature.h"
#include "guc.h"
#include "limit.h"
#include "training.h"

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

/* Has a candidate used up its time? Then it leaves no figures. */
static bool is_late(const Training *t)
{
    return t->deadline != 0 && GetCurrentTimestamp() > t->deadline;
}

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
        if (is_late(t))
            return;
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

static void add_final(Training *t, const char *split, const ax_metric *metrics, int n)
{
    for (int i = 0; metrics != NULL && i < n; i++) {
        AiaasFigure *f;

        if (isnan(metrics[i].value)) /* it cannot be said, or not of these rows */
            continue;
        f = palloc0(sizeof(*f));
        f->split = split;
        f->name = pstrdup(metrics[i].name);
        f->value = metrics[i].value;
        t->final = lappend(t->final, f);
    }
}

/* What the model that was made does on the rows, and how it came about. */
static void take_fit(Training *t)
{
    const ax_train_report *report = ax_fit_report(t->fit);

    t->split = report->valid != NULL ? "validation" : "train";
    t->progress.epochs = report->epoch;
    add_final(t, "train", report->train, report->n_metrics);
    add_final(t, "validation", report->valid, report->n_metrics);
    t->network = ax_fit_take(t->fit);
    ax_fit_free(t->fit);
    t->fit = NULL;
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
        if (is_late(t))
            return;
    }
    t->budget.limit = SIZE_MAX;
    take_fit(t);
}

void training_run(Training *t)
{
    fill_spec(t);
    if (t->algorithm != NULL) {
        run_fit(t);
        return;
    }
    build_network(t);
    plan_training(t);
    run_trainer(t);
}
