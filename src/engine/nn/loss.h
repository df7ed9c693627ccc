/*
 * loss.h: how wrong an answer is, and in which direction. Names are Keras's.
 *
 * Values are means over rows ("sum_over_batch_size": the weighted sum divided by the number of rows,
 * not by the sum of weights), and over the elements of a row for mse, mae, huber and binary_crossentropy.
 */
#ifndef AX_LOSS_H
#define AX_LOSS_H

#include "base/base.h"

typedef enum ax_loss_kind {
    AX_LOSS_SPARSE_CCE, /* classes as indexes; one probability a class */
    AX_LOSS_CCE,        /* classes as indexes (made one-hot here) or rows of probabilities */
    AX_LOSS_BCE,        /* class 1 of 2, or values in [0, 1] */
    AX_LOSS_MSE,
    AX_LOSS_MAE,
    AX_LOSS_HUBER
} ax_loss_kind;

typedef struct ax_loss {
    ax_loss_kind kind;
    float delta;           /* huber */
    float label_smoothing; /* cross-entropies: y (1 - s) + s / classes */
    bool on_logits;        /* `out` below holds logits: softmax or sigmoid is fused, stable */
} ax_loss;

typedef struct ax_loss_info {
    ax_loss_kind kind;
    const char *name;  /* "sparse_categorical_crossentropy" */
    const char *alias; /* "" or e.g. "mean_squared_error" */
    ax_task task;      /* what it calls for: CCEs and BCE classification, the others regression */
} ax_loss_info;

int ax_loss_count(void);
const ax_loss_info *ax_loss_at(int i);
const ax_loss_info *ax_loss_find(const char *name); /* by name or alias, NULL when unknown */
const char *ax_loss_name(ax_loss_kind kind);

/* The targets of n rows: one of the two is set. */
typedef struct ax_targets {
    const int32_t *classes; /* (n) */
    const float *values;    /* (n, width) */
    const float *weights;   /* (n) or NULL: 1 */
} ax_targets;

/*
 * The weighted sum of the loss over n rows of `out` (n, width), in double, rows in order. When dout is not
 * NULL it receives d(scale * sum)/d(out), (n, width); the caller passes scale = 1 / rows of the whole batch.
 */
double ax_loss_sum(const ax_loss *loss, int64_t n, int width, const float *out, const ax_targets *t,
                   float scale, float *dout);

#endif /* AX_LOSS_H */
