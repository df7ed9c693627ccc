/*
 * train.h: what a training is made of; ax.h has the view of the outside.
 *
 * train_open.c reads the options and makes the plans, train_memory.c says what that will take and gets it, train.c
 * does the work:
 *
 *     first:  ax_train_take_memory
 *     epoch:  shuffle -> batch, batch, ...  -> validation -> close
 *     batch:  ax_shards_run (forward, loss, backward, shard by shard)
 *             ax_reduce_step (sum of the gradients in order, clipping, the optimizer)
 *     close:  metrics, schedule, early stopping, report
 *
 * The random bits of a step are a function of the seed and the step's number, those of a shuffle of
 * the seed and the epoch's. From the first batch on nothing is allocated, but for what auc sorts in
 * at the end of an epoch and what the runner sets up at the first validation.
 */
#ifndef AX_TRAIN_H
#define AX_TRAIN_H

#include "nn/evaluate.h"
#include "nn/optimizer.h"
#include "nn/reduce.h"
#include "nn/schedule.h"
#include "nn/shards.h"
#include "nn/stopping.h"

typedef enum ax_phase {
    AX_PHASE_MEMORY, /* nothing large is allocated yet */
    AX_PHASE_BATCHES,
    AX_PHASE_VALIDATION,
    AX_PHASE_CLOSE, /* of the epoch */
    AX_PHASE_DONE
} ax_phase;

struct ax_trainer {
    ax_env env;
    ax_model *model;
    const ax_dataset *data, *valid; /* valid: where validation rows are, NULL without any */

    /* options */
    int epochs;
    int64_t batch;
    bool shuffle;
    uint64_t seed;
    ax_optimizer_settings settings;

    /* rows */
    int64_t *train_rows; /* (n_train), shuffled in place */
    int64_t *valid_rows; /* (n_valid), or NULL: all rows of valid in order */
    int64_t n_train, n_valid;
    float *class_weight;

    /* parts */
    ax_pool *pool;
    ax_metrics metrics;
    ax_shards shards;
    ax_optimizer *optimizer;
    ax_reduce *reduce;
    ax_schedule schedule;
    ax_stopping stopping;
    ax_snapshot best;
    ax_tally tally;       /* the training metrics of an epoch, merged */
    double *train_value;  /* (metrics.n) */
    ax_scorer scorer;     /* validation */
    struct {              /* targets of a chunk of validation rows */
        int32_t *classes;
        float *values, *weights;
    } target;

    /* where it stands */
    ax_phase phase;
    bool failed, stopped;
    int epoch;    /* from 0 */
    int64_t step; /* from 0, over all epochs */
    int64_t at;   /* next row of the epoch, or of the validation */
    double rate;
    double began, epoch_began; /* seconds */

    ax_train_report report;
    ax_metric *train_metric, *valid_metric;
};

/* Fills t->report.memory; the plans are made. */
ax_status ax_train_plan_memory(ax_trainer *t, ax_error *err);
/* Gets it: all but what the validation's runner takes when it first runs. */
ax_status ax_train_take_memory(ax_trainer *t, ax_error *err);

double ax_train_clock(void); /* seconds of a clock that only goes forward */

#endif /* AX_TRAIN_H */
