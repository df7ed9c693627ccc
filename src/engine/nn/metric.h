/*
 * metric.h: how good an answer is, over many rows.
 *
 * ax_metrics says which metrics are wanted of a model; an ax_tally adds rows up for them. Tallies
 * can be filled side by side (one a shard) and merged in order, so the sums do not depend on
 * threads.
 *
 *   loss             the model's loss, as a mean over rows (weights multiply, see loss.h)
 *   accuracy         share of rows whose class was right (also acc, categorical_accuracy, ...)
 *   top_5_accuracy   ... is among the 5 likeliest; any number; "top_k_accuracy" takes the
 *                    option top_k
 *   precision, recall, f1
 *                    of class 1 when there are two classes; else the same as ..._macro
 *   precision_macro, ..._micro
 *                    mean over the classes; of all decisions together. A class that nobody
 *                    predicted has precision 0
 *   precision[label] of one class
 *   auc              area under the ROC curve, exact with ties; more than two classes: the mean of
 *                    each against the rest (also roc_auc)
 *   mse, rmse, mae   over all elements of the targets (also mean_squared_error, ...)
 *   r2               1 - squared error / variance, a mean over the columns of a vector target
 *
 * Sample weights count in every one of them. A metric that cannot be said (auc when only one class
 * came) is NaN.
 *
 * auc needs the scores of all rows, see scores.h.
 */
#ifndef AX_METRIC_H
#define AX_METRIC_H

#include "nn/network.h"
#include "table/options.h"
#include "nn/scores.h"

#define AX_MAX_TOP 8 /* different k of top_k_accuracy at once */

typedef struct ax_chosen {
    const struct ax_metric_kind *kind;
    const char *name;
    int arg; /* k, or the class; -1 */
} ax_chosen;

typedef struct ax_metrics {
    ax_arena arena; /* names, chosen */
    ax_task task;
    int n_outputs, n_classes;
    int n;
    ax_chosen *chosen; /* "loss" first */
    int default_top;
    int n_top;
    int top[AX_MAX_TOP];
    unsigned needs;
} ax_metrics;

/*
 * full: every metric of the task; else what the option `metrics` lists (NULL or not given:
 * accuracy; for regression mae). AX_ERR_UNKNOWN with the nearest name, AX_ERR_INVALID for one of
 * the other task.
 */
ax_status ax_metrics_open(const ax_env *env, const ax_model *m, const ax_options *options,
                          bool full, ax_metrics *out, ax_error *err);
void ax_metrics_close(ax_metrics *s); /* zeros are fine */
/* -1 when it is not among them. Accepts aliases. */
int ax_metrics_find(const ax_metrics *s, const char *name);
bool ax_metrics_higher_is_better(const ax_metrics *s, int i);
bool ax_metrics_need_scores(const ax_metrics *s); /* then tallies are given an ax_scores */

/* ---- sums ------------------------------------------------------------------------------------ */

typedef struct ax_tally {
    const ax_metrics *metrics;
    int64_t rows;
    double loss;   /* sum */
    double weight; /* sum of weights */
    double hits;
    double top[AX_MAX_TOP];
    double *class_sum; /* (3, n_classes): right, predicted, actual */
    double squares, absolutes;
    double *column; /* (4, n_outputs): weight, mean and squares about it of the target; error */
} ax_tally;

ax_status ax_tally_open(const ax_env *env, const ax_metrics *metrics, ax_tally *out, ax_error *err);
size_t ax_tally_memory(const ax_metrics *metrics); /* what ax_tally_open takes */
void ax_tally_close(const ax_env *env, ax_tally *t); /* zeros are fine */
void ax_tally_reset(ax_tally *t);

/* Rows for a tally: what the model said and what was true. */
typedef struct ax_answers {
    int64_t n;
    const float *out;       /* (n, n_outputs), as ax_model_predict gives them */
    const int32_t *classes; /* classification */
    const float *values;    /* regression: (n, n_outputs) */
    const float *weights;   /* NULL: 1 */
    double loss;            /* ax_loss_sum over these rows */
    int64_t first;          /* where the rows go within the scores */
} ax_answers;

/* scores: NULL, or with room for the rows. Different tallies may write different rows at the same
 * time. */
void ax_tally_add(ax_tally *t, ax_scores *scores, const ax_answers *a);
void ax_tally_merge(ax_tally *into, const ax_tally *from);
/* Writes metrics->n values; rows [0, t->rows) of the scores belong to t. AX_ERR_NOMEM,
 * AX_ERR_CANCELLED. */
ax_status ax_tally_result(const ax_env *env, const ax_tally *t, const ax_scores *scores,
                          double *value, ax_error *err);

#endif /* AX_METRIC_H */
