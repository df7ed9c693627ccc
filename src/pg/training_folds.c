/*
 * training_folds.c: trains on parts of the rows, to tell how well the whole will do.
 *
 * A cross-validation trains once for each fold, on all rows but the fold's, and judges by those. Each time everything
 * is learned anew from the rows that learn, the preparation too: what a fold knew of the rows that judge it would
 * flatter it. Only then the model that is kept is trained, on all rows.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "guc.h"
#include "split.h"
#include "training.h"

void training_drop_part(Training *t)
{
    ax_trainer_free(t->trainer);
    ax_fit_free(t->fit);
    ax_model_free(t->network);
    ax_preparation_free(t->statistics);
    t->trainer = NULL;
    t->fit = NULL;
    t->network = NULL;
    t->preparation = t->statistics = NULL;
    t->progress.figures = NIL;
    t->progress.epochs = 0;
}

void training_run_part(Training *t, ax_dataset *train, ax_dataset *valid)
{
    t->train_set = train;
    t->valid_set = valid;
    t->final = NIL;
    training_prepare(t);
    training_run(t);
    training_drop_part(t);
}

static AiaasFigure *add_figure(Training *t, int epoch, char *name, double value)
{
    AiaasFigure *f = palloc0(sizeof(*f));

    f->split = "folds";
    f->epoch = epoch;
    f->name = name;
    f->value = value;
    t->cross = lappend(t->cross, f);
    return f;
}

/* What fold number `fold` (from 1) came to. */
static void keep_fold(Training *t, int fold)
{
    StringInfoData s;
    ListCell *cell;

    initStringInfo(&s);
    foreach (cell, t->final) {
        const AiaasFigure *f = lfirst(cell);

        if (strcmp(f->split, "validation") != 0)
            continue;
        add_figure(t, fold, f->name, f->value);
        appendStringInfo(&s, "  %s %.4f", f->name, f->value);
    }
    if (aiaas_progress)
        ereport(NOTICE, (errmsg("fold %d/%d%s", fold, t->folds, s.data)));
}

/* Mean and deviation (of a sample) of a metric over the folds. */
static void keep_mean(Training *t, char *name)
{
    double sum = 0, squares = 0;
    ListCell *cell;

    foreach (cell, t->cross) {
        const AiaasFigure *f = lfirst(cell);

        sum += strcmp(f->name, name) == 0 ? f->value : 0;
    }
    foreach (cell, t->cross) {
        const AiaasFigure *f = lfirst(cell);

        if (strcmp(f->name, name) == 0)
            squares += (f->value - sum / t->folds) * (f->value - sum / t->folds);
    }
    add_figure(t, 0, name, sum / t->folds);
    add_figure(t, 0, psprintf("%s_sd", name), sqrt(squares / (t->folds - 1)));
}

static void keep_means(Training *t)
{
    ListCell *cell;

    foreach (cell, t->final) {
        AiaasFigure *f = lfirst(cell);

        if (strcmp(f->split, "validation") == 0)
            keep_mean(t, f->name);
    }
    t->final = NIL;
}

void training_cross_validate(Training *t)
{
    int32 *number;

    if (t->folds == 0)
        return;
    number = aiaas_split_folds(t->rows, t->folds, (uint64) ax_options_integer(t->parsed, "seed"));
    t->progress.quiet = true;
    for (int k = 0; k < t->folds; k++) {
        ax_dataset *train = aiaas_split_take(t->rows, number, k, false);
        ax_dataset *valid = aiaas_split_take(t->rows, number, k, true);

        training_run_part(t, train, valid);
        keep_fold(t, k + 1);
        ax_dataset_free(train);
        ax_dataset_free(valid);
        CHECK_FOR_INTERRUPTS();
    }
    keep_means(t);
    t->progress.quiet = false;
    pfree(number);
}
