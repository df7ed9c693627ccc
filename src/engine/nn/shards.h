/*
 * shards.h: one training batch, cut into pieces that run side by side.
 *
 * Shard s of a batch has the rows [s * rows, (s + 1) * rows) of it, the last one what is left; how
 * many there are follows from the batch and the model, never from the threads. Each has a lane of
 * memory: an arena, a private gradient, the targets of its rows, and its share of the epoch's
 * metrics. Plans are made for the sizes that occur: the main one, what is left of a batch, and what
 * is left of the epoch's last batch.
 */
#ifndef AX_SHARDS_H
#define AX_SHARDS_H

#include "graph/plan.h"
#include "table/dataset.h"
#include "nn/metric.h"

#define AX_MAX_SHARDS 16
#define AX_SHARD_SIZES 3
#define AX_SHARD_GRADIENT_BYTES ((int64_t) 256 << 20)

/*
 * clamp(ceil(batch / 16), 1, 16): sixteen rows fill the kernels' tiles and are worth a gradient of their own
 * (measured at 4 to 24). More threads than shards have nothing to do: a batch of 32 keeps two busy. Fewer shards when
 * that many gradients would need more than 256 MB, but not fewer than 4 for that reason.
 */
int ax_shard_count(int64_t batch, int64_t n_param);

typedef struct ax_lane {
    void *memory;
    float *grad;                   /* (ax_plan_gradient_floats) */
    ax_exec *exec[AX_SHARD_SIZES]; /* where this lane meets that size */
    int32_t *classes;              /* (rows) */
    float *values;                 /* (rows, value_width) */
    float *weights, *loss_weights; /* (rows): of the sample; that times its class's. NULL: 1 */
    double loss;                   /* of the batch just run, a weighted sum */
    ax_tally tally;                /* of the epoch */
} ax_lane;

typedef struct ax_shards {
    ax_env env;
    const ax_model *model;
    const ax_dataset *data;
    const ax_metrics *metrics;
    const float *class_weight; /* (n_classes) or NULL */
    int n;                     /* of a full batch */
    int64_t batch, rows;       /* of a batch, of a shard */
    int64_t n_train;           /* of an epoch */
    int n_sizes;
    int64_t size[AX_SHARD_SIZES];
    ax_plan *plan[AX_SHARD_SIZES];
    void *packed; /* weights as the kernels want them, for all lanes */
    void *slab;   /* the lanes' memory, one after the other: what they keep is within reach of an offset */
    ax_lane lane[AX_MAX_SHARDS];
    float *grad[AX_MAX_SHARDS]; /* the lanes', for ax_reduce_step */
    ax_scores scores;           /* of the epoch, when a metric needs them */
    /* of the batch that runs */
    ax_exec *exec[AX_MAX_SHARDS];
    const int64_t *index; /* row numbers in the dataset */
    int64_t count;        /* rows */
    int64_t at;           /* first row's place within the epoch */
} ax_shards;

typedef struct ax_shards_spec {
    const ax_model *model;
    const ax_dataset *data;
    const ax_metrics *metrics;
    const float *class_weight;
    int64_t batch;   /* at most n_train */
    int64_t n_train; /* rows of an epoch */
} ax_shards_spec;

/* Makes the plans, and nothing else yet. Everything in the spec must outlive it. */
ax_status ax_shards_plan(const ax_env *env, const ax_shards_spec *spec, ax_shards *out,
                         ax_error *err);
/* Bytes: of the plans, and what ax_shards_open will take. */
size_t ax_shards_memory(const ax_shards *s);
/* After ax_shards_plan: gets the memory. Nothing is allocated later. */
ax_status ax_shards_open(ax_shards *s, ax_error *err);
void ax_shards_close(ax_shards *s); /* zeros are fine */

/* Forward, loss and backward for the rows index[0..count), which stand at `at` in the epoch. *loss
 * is their mean. Returns in *used how many shards (and gradients) there were. */
ax_status ax_shards_run(ax_shards *s, ax_pool *pool, const int64_t *index, int64_t count,
                        int64_t at, uint64_t key, double *loss, int *used, ax_error *err);

/* The epoch's metrics: reset before, merged in the order of the shards after. */
void ax_shards_reset(ax_shards *s);
void ax_shards_merge(const ax_shards *s, ax_tally *into);

#endif /* AX_SHARDS_H */
