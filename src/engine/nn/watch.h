/*
 * watch.h: an eye on one metric: has it become better? For early stopping and for the learning
 * rate.
 *
 * A metric is named as Keras does: "loss", "accuracy", or with "val_" in front for the validation
 * rows.
 */
#ifndef AX_WATCH_H
#define AX_WATCH_H

#include "nn/metric.h"
#include "table/setting.h"

typedef struct ax_watch {
    int metric;       /* within the ax_metrics */
    bool valid;       /* on the validation rows */
    bool higher;      /* is better */
    double min_delta; /* an improvement is more than this */
    double best;      /* so far; infinitely bad at first */
} ax_watch;

/*
 * monitor: NULL is val_loss, or loss without validation rows. mode: "min", "max" or "auto" (NULL),
 * which knows the metric. what opens the messages. AX_ERR_UNKNOWN when the metric is not among
 * those of the training, AX_ERR_INVALID for a mode that there is not or a val_ metric without
 * validation rows.
 */
ax_status ax_watch_open(const ax_metrics *metrics, bool has_valid, const char *what,
                        const char *monitor, const char *mode, double min_delta, ax_watch *out,
                        ax_error *err);
/* This metric of an epoch; valid may be NULL unless the watch is on it. */
double ax_watch_value(const ax_watch *w, const double *train, const double *valid);
/* Is value better than reference by more than min_delta? NaN is never better. */
bool ax_watch_better(const ax_watch *w, double value, double reference);
/* Better than the best so far? Then it becomes the best. */
bool ax_watch_update(ax_watch *w, double value);

#endif /* AX_WATCH_H */
