/*
 * stopping.h: early stopping, and the weights as they were at the best epoch.
 *
 * The names, defaults and rules are those of Keras's EarlyStopping: monitor, min_delta, patience,
 * mode, baseline, restore_best_weights, start_from_epoch. The best epoch is known even when nothing
 * stops.
 */
#ifndef AX_STOPPING_H
#define AX_STOPPING_H

#include "nn/network.h"
#include "table/options.h"
#include "nn/watch.h"

/* A copy of everything that training changes: the parameters, and the weights that are not trained
 * (running statistics). */
typedef struct ax_snapshot {
    ax_env env;
    uint8_t *bytes;
    size_t size;
    bool taken;
} ax_snapshot;

ax_status ax_snapshot_open(const ax_env *env, const ax_graph *g, ax_snapshot *out, ax_error *err);
size_t ax_snapshot_memory(const ax_graph *g); /* what ax_snapshot_open takes */
void ax_snapshot_take(ax_snapshot *s, const ax_graph *g);
void ax_snapshot_restore(const ax_snapshot *s, ax_graph *g); /* nothing before the first take */
void ax_snapshot_close(ax_snapshot *s);                      /* zeros are fine */

typedef struct ax_stopping {
    bool enabled;
    /* settings */
    const char *monitor, *mode;
    double min_delta, baseline;
    int64_t patience, start_from_epoch;
    bool restore_best_weights;
    /* memory */
    ax_watch watch;
    int64_t wait;
    int best_epoch; /* from 1; 0 before the first */
} ax_stopping;

/*
 * v: the option `early_stopping`: NULL or false (nothing stops), true (patience 3, weights
 * restored), a number (the patience, weights restored) or an object of settings.
 */
ax_status ax_stopping_read(const ax_json *v, const ax_metrics *metrics, bool has_valid,
                           ax_stopping *out, ax_error *err);

typedef enum ax_verdict {
    AX_VERDICT_STOP = 1, /* training ends here */
    AX_VERDICT_BEST = 2  /* the best so far: take a snapshot if weights are restored */
} ax_verdict;

/* After each epoch, from 1. Returns ax_verdict bits. */
unsigned ax_stopping_epoch(ax_stopping *s, int epoch, const double *train, const double *valid);

#endif /* AX_STOPPING_H */
