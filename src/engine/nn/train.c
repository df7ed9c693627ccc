/*
 * train.c: the training loop, in slices of about 20 ms.
 *
 * A slice is a few batches, or a few chunks of validation rows; the phases of an epoch follow one
 * another in ax_trainer. A batch is the smallest piece: on a big network a slice is longer, but the
 * pool still asks the env whether to go on within it.
 */
#include "nn/train.h"

#include <math.h>
#include <time.h>

#define SLICE_SECONDS 0.02
#define POLL_ROWS 0x10000

/* Streams of random bits under one seed. */
#define STREAM_SHUFFLE UINT64_C(0x73687566666c6500)
#define STREAM_STEP UINT64_C(0x7374657073000000)

double ax_train_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

/* ---- batches --------------------------------------------------------------------------------- */

static ax_status shuffle_rows(ax_trainer *t, ax_error *err)
{
    ax_rng rng = ax_rng_make(t->seed, STREAM_SHUFFLE + (uint64_t) t->epoch);

    for (int64_t i = t->n_train - 1; i > 0; i--) {
        int64_t j = (int64_t) ax_rng_below(&rng, (uint64_t) i + 1), row = t->train_rows[i];

        t->train_rows[i] = t->train_rows[j];
        t->train_rows[j] = row;
        if (i % POLL_ROWS == 0 && !ax_may_continue(&t->env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

static ax_status begin_epoch(ax_trainer *t, ax_error *err)
{
    t->epoch_began = ax_train_clock();
    ax_shards_reset(&t->shards);
    return t->shuffle ? shuffle_rows(t, err) : AX_OK;
}

static void hint_numeric(ax_error *err)
{
    ax_hint(err, "Try a lower learning_rate, clipnorm, or inputs scaled to about -1 .. 1 (a "
                 "Rescaling or Normalization layer).");
}

static ax_status loss_failed(const ax_trainer *t, double loss, ax_error *err)
{
    ax_fail(err, AX_ERR_NUMERIC, "loss became %s at epoch %d, step %lld",
            isnan(loss) ? "NaN" : "infinite", t->epoch + 1, (long long) (t->at / t->batch) + 1);
    hint_numeric(err);
    return AX_ERR_NUMERIC;
}

static ax_status run_batch(ax_trainer *t, ax_error *err)
{
    int64_t count = AX_MIN(t->batch, t->n_train - t->at);
    uint64_t key = ax_rng_at(ax_rng_make(t->seed, STREAM_STEP).key, (uint64_t) t->step);
    double loss;
    int used;

    if (t->at == 0)
        AX_TRY(begin_epoch(t, err));
    t->rate = ax_schedule_rate(&t->schedule, t->step, t->epoch);
    AX_TRY(ax_shards_run(&t->shards, t->pool, t->train_rows + t->at, count, t->at, key, &loss,
                         &used, err));
    if (!isfinite(loss))
        return loss_failed(t, loss, err);
    AX_TRY(ax_reduce_step(t->reduce, t->pool, t->shards.grad, t->shards.exec, used, t->rate, err));
    t->step++;
    t->at += count;
    if (t->at < t->n_train)
        return AX_OK;
    t->at = 0;
    t->phase = t->n_valid > 0 ? AX_PHASE_VALIDATION : AX_PHASE_CLOSE;
    return AX_OK;
}

/* ---- validation ------------------------------------------------------------------------------ */

static int64_t valid_row(const ax_trainer *t, int64_t i)
{
    return t->valid_rows != NULL ? t->valid_rows[t->at + i] : t->at + i;
}

/* An ax_row_source; runs on any thread. */
static void read_valid(void *arg, int64_t first, int64_t n, void *dst)
{
    const ax_trainer *t = arg;

    for (int64_t i = 0; i < n; i++) {
        int64_t row = valid_row(t, first + i);

        ax_dataset_gather(t->valid, &row, 1, (uint8_t *) dst + (size_t) i * t->valid->row_bytes,
                          NULL, NULL, NULL);
    }
}

static void gather_targets(ax_trainer *t, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t row = valid_row(t, i);

        ax_dataset_gather(
            t->valid, &row, 1, NULL, t->target.classes != NULL ? t->target.classes + i : NULL,
            t->target.values != NULL ? t->target.values + i * t->valid->value_width : NULL,
            t->target.weights != NULL ? t->target.weights + i : NULL);
    }
}

static ax_status validate(ax_trainer *t, ax_error *err)
{
    int64_t n = AX_MIN(t->scorer.chunk, t->n_valid - t->at);
    ax_targets targets = {t->target.classes, t->target.values, t->target.weights};

    if (t->at == 0)
        ax_scorer_reset(&t->scorer);
    gather_targets(t, n);
    AX_TRY(ax_scorer_add(&t->scorer, t->pool, NULL, read_valid, t, n, &targets, err));
    t->at += n;
    if (t->at < t->n_valid)
        return AX_OK;
    t->at = 0;
    t->phase = AX_PHASE_CLOSE;
    return AX_OK;
}

/* ---- the end of an epoch --------------------------------------------------------------------- */

/* The last step of an epoch has no loss after it that would show what it did. */
static ax_status check_parameters(ax_trainer *t, ax_error *err)
{
    bool finite;

    AX_TRY(ax_reduce_check(t->reduce, t->pool, &finite, err));
    if (finite)
        return AX_OK;
    ax_fail(err, AX_ERR_NUMERIC, "a weight became NaN or infinite in epoch %d", t->epoch + 1);
    hint_numeric(err);
    return AX_ERR_NUMERIC;
}

static ax_status find_metrics(ax_trainer *t, ax_error *err)
{
    ax_tally_reset(&t->tally);
    ax_shards_merge(&t->shards, &t->tally);
    AX_TRY(ax_tally_result(&t->env, &t->tally, &t->shards.scores, t->train_value, err));
    for (int i = 0; i < t->metrics.n; i++)
        t->train_metric[i].value = t->train_value[i];
    if (t->n_valid == 0)
        return AX_OK;
    AX_TRY(ax_scorer_result(&t->scorer, err));
    for (int i = 0; i < t->metrics.n; i++)
        t->valid_metric[i].value = t->scorer.value[i];
    return AX_OK;
}

static void fill_report(ax_trainer *t)
{
    double now = ax_train_clock();

    t->report.epoch = t->epoch;
    t->report.best_epoch = t->stopping.best_epoch;
    t->report.stopped_early = t->stopped;
    t->report.seconds = now - t->epoch_began;
    t->report.seconds_total = now - t->began;
    t->report.learning_rate = t->rate;
}

static ax_status close_epoch(ax_trainer *t, ax_error *err)
{
    const double *valid = t->n_valid > 0 ? t->scorer.value : NULL;
    unsigned verdict;

    AX_TRY(check_parameters(t, err));
    AX_TRY(find_metrics(t, err));
    t->epoch++;
    ax_schedule_epoch(&t->schedule, t->train_value, valid);
    verdict = ax_stopping_epoch(&t->stopping, t->epoch, t->train_value, valid);
    if ((verdict & AX_VERDICT_BEST) != 0 && t->stopping.restore_best_weights)
        ax_snapshot_take(&t->best, t->model->graph);
    t->stopped = (verdict & AX_VERDICT_STOP) != 0 && t->epoch < t->epochs;
    t->phase = t->stopped || t->epoch == t->epochs ? AX_PHASE_DONE : AX_PHASE_BATCHES;
    /* Here and not with the last event: whoever sees that event may look at the model already. */
    if (t->phase == AX_PHASE_DONE)
        ax_snapshot_restore(&t->best, t->model->graph);
    fill_report(t);
    return AX_OK;
}

/* ---- the beginning --------------------------------------------------------------------------- */

static ax_status take_memory(ax_trainer *t, ax_error *err)
{
    AX_TRY(ax_train_take_memory(t, err));
    t->phase = AX_PHASE_BATCHES;
    return AX_OK;
}

/* ---- slices ---------------------------------------------------------------------------------- */

static ax_status (*const work_of_phase[])(ax_trainer *t, ax_error *err) = {
    [AX_PHASE_MEMORY] = take_memory,
    [AX_PHASE_BATCHES] = run_batch,
    [AX_PHASE_VALIDATION] = validate,
    [AX_PHASE_CLOSE] = close_epoch,
};

static ax_status run_slice(ax_trainer *t, ax_train_event *event, ax_error *err)
{
    double until = ax_train_clock() + SLICE_SECONDS;
    int epoch = t->epoch;

    if (t->phase == AX_PHASE_DONE) {
        *event = AX_TRAIN_DONE;
        return AX_OK;
    }
    if (!ax_may_continue(&t->env))
        return ax_cancelled(err);
    do
        AX_TRY(work_of_phase[t->phase](t, err));
    while (t->epoch == epoch && ax_train_clock() < until);
    *event = t->epoch == epoch ? AX_TRAIN_MORE : AX_TRAIN_EPOCH;
    return AX_OK;
}

ax_status ax_trainer_step(ax_trainer *t, ax_train_event *event, ax_error *err)
{
    ax_status status;

    if (t->failed)
        return ax_fail(err, AX_ERR_INTERNAL, "this training has failed, it cannot go on");
    status = run_slice(t, event, err);
    t->failed = status != AX_OK;
    return status;
}

const ax_train_report *ax_trainer_report(const ax_trainer *t)
{
    return &t->report;
}
