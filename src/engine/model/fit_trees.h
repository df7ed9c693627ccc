/*
 * fit_trees.h: what the algorithms of trees share: rows become bins, and what columns are worth is told.
 */
#ifndef AX_FIT_TREES_H
#define AX_FIT_TREES_H

#include "model/algorithm.h"
#include "tree/boost.h"
#include "tree/wood.h"

typedef struct ax_fit_trees {
    int columns;
    ax_binner *binner;
    ax_bins *bins;
    float *row;
    ax_booster *booster; /* gradient_boosting */
    ax_boost_params boost;
    ax_wood *wood; /* the others */
    ax_wood_params grow;
    ax_metric train, valid; /* the loss of a round */
} ax_fit_trees;

/* For ax_algorithm: f->work is an ax_fit_trees. */
ax_status ax_fit_trees_open(ax_fit *f, ax_error *err);
void ax_fit_trees_close(ax_fit *f);
/* A slice of the rows becomes bins; *done: t->bins is there. Compressed rows are forgotten. */
ax_status ax_fit_trees_bin(ax_fit *f, ax_fit_trees *t, bool *done, ax_error *err);
/*
 * The trees become a node behind the model's input: *out, (batch, outputs). Tells what columns are worth, and fills the
 * summary's numbers. forest NULL: the error that *err has. The bins are then the fit's, if they stand for rows.
 */
ax_status ax_fit_trees_add(ax_fit *f, ax_fit_trees *t, const ax_forest *forest, ax_fit_summary *s, int *out,
                           ax_error *err);

#endif /* AX_FIT_TREES_H */
