/*
 * training_store.c: what is written of a training.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"

#include "feature.h"
#include "table.h"
#include "training.h"

static Jsonb *parse_jsonb(const char *json)
{
    return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

double training_seconds(const Training *t)
{
    return (double) (GetCurrentTimestamp() - t->began) / USECS_PER_SEC;
}

static void insert_figure(const Training *t, const char *split, int epoch, const AiaasFigure *f)
{
    if (!isnan(f->value))
        aiaas_metric_insert(t->version.version_id, split, epoch, f->name, f->value);
}

static void store_metrics(const Training *t)
{
    ListCell *cell;

    foreach (cell, t->progress.figures) {
        const AiaasFigure *f = lfirst(cell);

        insert_figure(t, f->split, f->epoch, f);
    }
    foreach (cell, t->final) {
        const AiaasFigure *f = lfirst(cell);

        if (strcmp(f->split, t->split) == 0)
            insert_figure(t, "final", 0, f);
    }
}

/* What a cross-validation or a choice found. */
static void store_cross(const Training *t)
{
    ListCell *cell;

    foreach (cell, t->cross) {
        const AiaasFigure *f = lfirst(cell);

        insert_figure(t, f->split, f->epoch, f);
    }
}

void training_store(Training *t)
{
    const AiaasTarget *target = t->rows->target;
    AiaasNewVersion v = {
        .model_id = t->model_id,
        .task = training_task_name(t),
        .algorithm = t->algorithm != NULL ? t->algorithm : "neural_network",
        .layers = t->layers,
        .options = t->options,
        .features = parse_jsonb(aiaas_features_json(&t->features, true)),
        .label_type = target != NULL ? t->features.target_type : NULL,
        .query = t->query,
        .target = t->target,
        .rows = t->rows->count,
        .parameters = ax_model_parameters(t->network),
        .seed = ax_options_integer(t->parsed, "seed"),
        .epochs = t->progress.epochs,
        .seconds = training_seconds(t),
        .data_hash = psprintf("%016" INT64_MODIFIER "x", t->rows->hash),
    };

    if (target != NULL && target->task == AX_TASK_CLASSIFICATION)
        v.labels = parse_jsonb(aiaas_labels_json(aiaas_labels_texts(target->labels),
                                              aiaas_labels_count(target->labels)));
    aiaas_progress_phase(&t->progress, "storing");
    aiaas_version_insert(&v, t->network, &t->version);
    store_metrics(t);
    store_cross(t);
    if (t->statistics != NULL)
        aiaas_table_store(t->version.version_id, t->rows, t->statistics);
}
