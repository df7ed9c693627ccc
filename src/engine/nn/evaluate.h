/*
 * evaluate.h: runs a model over rows and tallies how good its answers are. Behind ax.h's
 * ax_evaluator, and behind the validation of a training.
 *
 * The loss is computed from the outputs, so the probabilities of a cross-entropy are clipped to
 * [1e-7, 1 - 1e-7], while training works on the logits: a row that is utterly wrong costs 16.1
 * here.
 */
#ifndef AX_EVALUATE_H
#define AX_EVALUATE_H

#include "nn/metric.h"
#include "nn/runner.h"

typedef struct ax_scorer {
    ax_env env;
    const ax_model *model;
    const ax_metrics *metrics;
    ax_loss loss;
    ax_runner *runner;
    ax_tally tally;
    ax_scores scores;
    int64_t chunk; /* rows at once, at most: AX_RUN_ROWS a lane */
    float *out;    /* (chunk, n_outputs) */
    double *value; /* (metrics->n) */
} ax_scorer;

/* lanes: as for ax_runner_create. The metrics must outlive it. */
ax_status ax_scorer_open(const ax_env *env, const ax_model *m, const ax_metrics *metrics, int lanes,
                         ax_scorer *out, ax_error *err);
/* Plans for n rows in all. *bytes: what the scorer will hold once they were added; so far there are plans and what is
 * small. */
ax_status ax_scorer_plan(ax_scorer *s, int64_t n, size_t *bytes, ax_error *err);
void ax_scorer_close(ax_scorer *s); /* zeros are fine */
void ax_scorer_reset(ax_scorer *s);

/* Up to s->chunk rows, from rows or from source as for ax_runner_run, with their targets. The sums
 * do not depend on the number of lanes if every call but the last has s->chunk rows. */
ax_status ax_scorer_add(ax_scorer *s, ax_pool *pool, const void *rows, ax_row_source source,
                        void *arg, int64_t n, const ax_targets *targets, ax_error *err);
/* The metrics' values are then in s->value. */
ax_status ax_scorer_result(ax_scorer *s, ax_error *err);

#endif /* AX_EVALUATE_H */
