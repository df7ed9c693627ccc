/*
 * schedule.h: the learning rate of every step. Names are Keras's where Keras has them.
 *
 *     constant           the base rate
 *     step               base * factor^floor(epoch / step_size)
 *     ExponentialDecay   initial_learning_rate * decay_rate^(step / decay_steps), with staircase of
 *                        the exponent's floor
 *     CosineDecay        from initial_learning_rate linearly to t = warmup_target in warmup_steps;
 *                        then with x = (step - warmup_steps) / decay_steps, at most 1,
 *                        t (alpha + (1 - alpha) (1 + cos(pi x)) / 2)
 *     ReduceLROnPlateau  times factor when the monitored metric has not become better for patience
 *                        epochs
 *
 * "exponential", "cosine" and "reduce_on_plateau" are the same things in short, and need no
 * setting: decay_steps is an epoch for the exponential one, and what is left of the training for
 * the cosine. warmup_steps without warmup_target warms up from 0 to the initial rate (Keras ignores
 * it then). steps and epochs count from 0.
 */
#ifndef AX_SCHEDULE_H
#define AX_SCHEDULE_H

#include "nn/metric.h"
#include "table/options.h"
#include "nn/watch.h"

struct ax_schedule_kind;

typedef struct ax_schedule {
    const struct ax_schedule_kind *kind;
    /* settings */
    double initial_learning_rate, decay_rate, alpha, warmup_target, factor, min_lr, min_delta;
    int64_t decay_steps, warmup_steps, step_size, patience, cooldown;
    bool staircase;
    const char *monitor, *mode;
    /* the plateau's memory */
    ax_watch watch;
    double rate;
    int64_t wait, cooling;
} ax_schedule;

typedef struct ax_schedule_spec {
    const ax_json *choice; /* option `schedule`, or learning_rate as an object; NULL: constant */
    double learning_rate;  /* the base, where the choice has no rate of its own */
    int64_t steps;         /* of an epoch */
    int64_t epochs;
    const ax_metrics *metrics; /* for a plateau */
    bool has_valid;
    const char *monitor; /* unless the plateau names its own; NULL: val_loss, or loss */
} ax_schedule_spec;

ax_status ax_schedule_read(const ax_schedule_spec *spec, ax_schedule *out, ax_error *err);
double ax_schedule_rate(const ax_schedule *s, int64_t step, int64_t epoch);
/* After each epoch, with the values of all metrics on both sides (valid may be NULL). */
void ax_schedule_epoch(ax_schedule *s, const double *train, const double *valid);

#endif /* AX_SCHEDULE_H */
