/*
 * scores.h: what the model said of every row, kept for the metric that needs them all at once: auc.
 *
 * Memory is (classes + 2) * 4 bytes a row, 12 for two classes, taken in blocks as rows come, and 16
 * bytes a row more while the area is computed.
 */
#ifndef AX_SCORES_H
#define AX_SCORES_H

#include "base/base.h"

typedef struct ax_scores {
    ax_env env;
    int n_outputs;
    int width;          /* scores kept of a row: one for two classes, else one a class */
    int64_t block_rows;
    int64_t room;       /* rows there is memory for */
    int n_blocks, cap_blocks;
    float **block; /* (block_rows, width + 2): scores, the class (its bits), the weight */
} ax_scores;

void ax_scores_open(ax_scores *s, const ax_env *env, int n_outputs, int n_classes);
/* Memory for this many rows in all. */
ax_status ax_scores_reserve(ax_scores *s, int64_t rows, ax_error *err);
/* What that many rows take, once they are there and the area is computed. */
size_t ax_scores_memory(const ax_scores *s, int64_t rows);
void ax_scores_close(ax_scores *s); /* zeros are fine */

/* row < room; different rows may be put at the same time. out: n_outputs probabilities. */
void ax_scores_put(ax_scores *s, int64_t row, const float *out, int32_t class, float weight);

/*
 * The area under the ROC curve over rows [0, n), exact: the share of (positive, negative) pairs
 * that are in the right order, ties counting half, weights multiplied. More than two classes: the
 * mean over each class against the rest, of those that have rows on both sides; NaN when there is
 * none.
 */
ax_status ax_scores_auc(const ax_env *env, const ax_scores *s, int64_t n, double *out,
                        ax_error *err);

#endif /* AX_SCORES_H */
