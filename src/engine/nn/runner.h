/*
 * runner.h: inference over any number of rows: plans for a few batch sizes, made when first needed and
 * kept; the memory of the largest.
 *
 * Rows are cut into chunks of AX_RUN_ROWS and a tail of powers of two, so that at most nine plans exist.
 * With a pool, chunks run side by side.
 */
#ifndef AX_RUNNER_H
#define AX_RUNNER_H

#include "graph/plan.h"
#include "nn/network.h"

#define AX_RUN_ROWS 192

typedef struct ax_runner ax_runner;

/* Where rows come from: copies rows [first, first + n) to dst, on any thread. */
typedef void (*ax_row_source)(void *arg, int64_t first, int64_t n, void *dst);

/* lanes: chunks that may run at once (1 without a pool). The model's weights may change between runs, not
 * its graph. */
ax_status ax_runner_create(const ax_env *env, const ax_model *m, int lanes, ax_runner **out,
                           ax_error *err);
/*
 * Makes the plans for n rows that come in runs of at most `most`. *bytes: what the runner will hold once they have run;
 * only the plans are there so far.
 */
ax_status ax_runner_plan(ax_runner *r, int64_t n, int64_t most, size_t *bytes, ax_error *err);
/* One of rows (contiguous, used in place) and source is given. Writes n * n_outputs floats. pool may be NULL. */
ax_status ax_runner_run(ax_runner *r, ax_pool *pool, const void *rows, ax_row_source source,
                        void *arg, int64_t n, float *out, ax_error *err);
/* The next run packs the model's weights anew. */
void ax_runner_weights_changed(ax_runner *r);
/* Bytes that its lanes and the packed weights hold. */
size_t ax_runner_memory(const ax_runner *r);
void ax_runner_free(ax_runner *r);

#endif /* AX_RUNNER_H */
