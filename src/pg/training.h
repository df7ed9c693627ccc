/*
 * training.h: one training under way, shared by the files that do its stations (fn_train.c).
 */
#ifndef AIAAS_TRAINING_H
#define AIAAS_TRAINING_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "ax.h"
#include "catalog.h"
#include "guard.h"
#include "progress.h"
#include "rows.h"

typedef struct Training {
    MemoryContext context;
    AiaasBudget budget;
    ax_env env; /* keeps to the budget */
    TimestampTz began;

    /* arguments */
    const char *model, *query, *target; /* target: as given, may be NULL */
    const char *algorithm;              /* NULL: a network */
    Jsonb *layers, *options;            /* layers: NULL for an algorithm */
    char *layers_text;

    bool chooses; /* neither layers nor algorithm was given */
    ax_options *parsed;
    ax_task hint;
    bool learns_target; /* kmeans and its like do not */
    int64 model_id;
    int64 input_dim[AX_MAX_RANK];
    int input_rank; /* 0: no input_shape */
    int64 input_width;
    char *input_shape; /* as text */
    AiaasColumns columns;
    AiaasRows *rows, *valid;
    const char *split_column; /* option "group" or "time", or NULL */
    bool split_groups;
    int folds;                /* 0: no cross-validation */
    List *cross;              /* of AiaasFigure: what it found */
    ax_dataset *train_set, *valid_set; /* what learns and what judges; valid_set may be NULL */
    ax_preparation *preparation;       /* NULL: rows go in as they are */
    ax_preparation *statistics;        /* what is kept of the columns: the preparation, or a look; or NULL */
    AiaasFeatures features;
    ax_model_spec spec;
    ax_model *network;
    ax_trainer *trainer;
    ax_fit *fit;
    TimestampTz deadline; /* when a candidate has to be done; 0: never */
    AiaasProgress progress;
    const char *split; /* whose figures count: "validation" or "train" */
    int kept_epoch;    /* whose weights the network holds */
    List *final;       /* of AiaasFigure: what the kept weights do on "train" and "validation" rows */
    AiaasVersionRef version;
    bool live;
} Training;

/* training_rows.c: reads the rows, splits them, and learns how they are prepared. */
extern void training_read_rows(Training *t);
extern void training_split_rows(Training *t);
extern void training_prepare(Training *t); /* train_set and valid_set; fills features */
extern void training_tell_left_out(const Training *t);
extern ax_task training_task(const Training *t);

/* training_folds.c: trains on parts of the rows, to tell how well the whole will do. */
extern void training_cross_validate(Training *t);
/* Trains on one dataset, judges by the other, keeps nothing but the figures in t->final (none: the deadline came). */
extern void training_run_part(Training *t, ax_dataset *train, ax_dataset *valid);
extern void training_drop_part(Training *t);

/* training_choose.c: tries what there is, and makes the training one of the best. */
extern void training_choose(Training *t);

/* fn_train.c: t->options into t->parsed. */
extern void training_parse_options(Training *t);

/* training_model.c: makes the model out of them. */
/* What aiaas.versions and the result call the task. */
extern const char *training_task_name(const Training *t);
extern void training_run(Training *t);

extern double training_seconds(const Training *t); /* since it began */

/* training_store.c: writes the version, its metrics and features. */
extern void training_store(Training *t);

#endif /* AIAAS_TRAINING_H */
