/*
 * watch.c: see watch.h.
 */
#include "nn/watch.h"

#include <math.h>

static ax_status find_metric(const ax_metrics *metrics, const char *what, const char *name,
                             int *out, ax_error *err)
{
    const char *known[32];
    int n = AX_MIN(metrics->n, AX_COUNT(known));

    *out = ax_metrics_find(metrics, name);
    if (*out >= 0)
        return AX_OK;
    for (int i = 0; i < n; i++)
        known[i] = metrics->chosen[i].name;
    ax_fail(err, AX_ERR_UNKNOWN, "%s: \"%s\" is not a metric of this training", what, name);
    ax_hint_names(err, name, known, n);
    return AX_ERR_UNKNOWN;
}

static ax_status find_direction(const char *what, const char *mode, bool natural, bool *higher,
                                ax_error *err)
{
    if (mode == NULL || ax_same_name(mode, "auto"))
        *higher = natural;
    else if (ax_same_name(mode, "max") || ax_same_name(mode, "min"))
        *higher = ax_same_name(mode, "max");
    else {
        ax_fail(err, AX_ERR_INVALID, "%s: mode \"%s\" does not exist", what, mode);
        ax_hint(err, "There is: auto, min, max.");
        return AX_ERR_INVALID;
    }
    return AX_OK;
}

ax_status ax_watch_open(const ax_metrics *metrics, bool has_valid, const char *what,
                        const char *monitor, const char *mode, double min_delta, ax_watch *out,
                        ax_error *err)
{
    ax_watch w = {.min_delta = fabs(min_delta), .valid = has_valid};
    const char *name = "loss";

    if (monitor != NULL) {
        w.valid = strncmp(monitor, "val_", 4) == 0;
        name = w.valid ? monitor + 4 : monitor;
    }
    AX_TRY(find_metric(metrics, what, name, &w.metric, err));
    if (w.valid && !has_valid) {
        ax_fail(err, AX_ERR_INVALID, "%s: there are no validation rows for \"%s\"", what, monitor);
        ax_hint(err, "Set validation_split, or monitor \"%s\".", name);
        return AX_ERR_INVALID;
    }
    AX_TRY(find_direction(what, mode, ax_metrics_higher_is_better(metrics, w.metric), &w.higher,
                          err));
    w.best = w.higher ? -INFINITY : INFINITY;
    *out = w;
    return AX_OK;
}

double ax_watch_value(const ax_watch *w, const double *train, const double *valid)
{
    return w->valid ? valid[w->metric] : train[w->metric];
}

bool ax_watch_better(const ax_watch *w, double value, double reference)
{
    return w->higher ? value > reference + w->min_delta : value < reference - w->min_delta;
}

bool ax_watch_update(ax_watch *w, double value)
{
    if (!ax_watch_better(w, value, w->best))
        return false;
    w->best = value;
    return true;
}
