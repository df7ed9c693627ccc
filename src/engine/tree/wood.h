/*
 * wood.h: single trees and forests: decision_tree, random_forest, extra_trees, isolation_forest.
 *
 * The names, defaults and formulas are scikit-learn's, on binned columns (bins.h): thresholds come from at most 255
 * quantiles. Missing values go the way that lowers the impurity more, and where a node had none, the way of the greater
 * number. Categories are split one against the rest or by their codes, like numbers.
 */
#ifndef AX_WOOD_H
#define AX_WOOD_H

#include "graph/forest.h"
#include "tree/bins.h"

typedef enum ax_criterion { AX_GINI, AX_ENTROPY, AX_SQUARED_ERROR, AX_RANDOM_CUTS /* isolation */ } ax_criterion;

typedef struct ax_wood_params {
    ax_criterion criterion;
    int n_classes;           /* gini and entropy; leaves are class shares. Else one number a leaf */
    int trees;               /* n_estimators: 1 or 100 */
    int max_depth;           /* 0: no limit */
    int max_leaf_nodes;      /* 0: no limit; else best first */
    double min_samples_split; /* 2 */
    double min_samples_leaf;  /* 1 */
    double min_impurity_decrease; /* 0 */
    double ccp_alpha;        /* 0: minimal cost-complexity pruning */
    int max_features;        /* columns looked at for a split; 0: all */
    bool random_threshold;   /* extra_trees: one random threshold a column */
    bool bootstrap;          /* random_forest */
    int64_t max_samples;     /* rows of a tree's sample; 0: as many as there are */
    bool oob;                /* wants the out-of-bag score */
    uint64_t seed;
} ax_wood_params;

typedef struct ax_wood_rows {
    const ax_bins *bins;
    const int32_t *row; /* (n) which rows, ascending; NULL: all, n == bins->rows */
    int64_t n;
    const int32_t *classes; /* (bins->rows) */
    const float *values;    /* (bins->rows) */
    const float *weights;   /* (bins->rows) or NULL */
} ax_wood_rows;

typedef struct ax_wood ax_wood;

ax_status ax_wood_create(const ax_env *env, const ax_wood_rows *rows, const ax_wood_params *params,
                         ax_pool *pool, ax_wood **out, ax_error *err);
/* Grows the next trees (one a thread at a time: trees are grown side by side). *done: all are there. Asks
 * may_continue at least every 50 ms. The bits do not depend on the pool's size. */
ax_status ax_wood_grow(ax_wood *w, bool *done, ax_error *err);
int ax_wood_trees(const ax_wood *w);
/* average is set, base NULL; lives in the wood. isolation: a leaf is the path length (depth + c(n)). */
const ax_forest *ax_wood_forest(ax_wood *w, ax_error *err);
/* Accuracy, or R2, of the rows by the trees that did not see them; NaN when none was left out. */
double ax_wood_oob_score(const ax_wood *w);
/* (columns) each: impurity decrease (as scikit-learn's, not normalized), and how many splits. */
void ax_wood_importance(const ax_wood *w, double *gain, double *count);
void ax_wood_free(ax_wood *w);

/* The path length c(n) of an unsuccessful search among n rows: scores are 2^(-mean path / c(max_samples)). */
double ax_isolation_path(double n);

#endif /* AX_WOOD_H */
