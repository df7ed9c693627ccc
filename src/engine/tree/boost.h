/*
 * boost.h: gradient boosting on histograms.
 *
 * The names, defaults and formulas are XGBoost's (tree_method hist): a round adds one tree (one a class for softmax)
 * that is grown by second order gain with L1/L2, gamma and min_child_weight; a missing value goes the way that gains
 * more; categories split one against the rest or, in the order of their codes, one side against the other: the caller
 * numbers them by the mean of the target.
 */
#ifndef AX_BOOST_H
#define AX_BOOST_H

#include "graph/forest.h"
#include "tree/bins.h"

typedef enum ax_boost_loss {
    AX_BOOST_SQUARED, /* base: mean */
    AX_BOOST_ABSOLUTE, /* leaves are medians of what is left; base: median */
    AX_BOOST_QUANTILE, /* alpha; leaves are quantiles */
    AX_BOOST_POISSON,  /* log link */
    AX_BOOST_LOGISTIC, /* two classes, one output (log odds) */
    AX_BOOST_SOFTMAX   /* n_classes outputs */
} ax_boost_loss;

typedef struct ax_boost_params {
    ax_boost_loss loss;
    int n_classes;           /* softmax */
    double quantile;         /* 0.5 */
    int rounds;              /* n_estimators: 100 */
    double learning_rate;    /* 0.3 */
    int max_depth;           /* 6; 0: no limit */
    int max_leaves;          /* 0: no limit */
    bool leaf_wise;          /* grow_policy "lossguide", else "depthwise" */
    double min_child_weight; /* 1 */
    double gamma;            /* min_split_loss: 0 */
    double reg_lambda;       /* 1 */
    double reg_alpha;        /* 0 */
    double max_delta_step;   /* 0; poisson 0.7 */
    double subsample;        /* 1: rows of a round */
    double colsample_bytree, colsample_bylevel, colsample_bynode; /* 1 */
    double scale_pos_weight; /* 1 */
    const int8_t *monotone;  /* (columns) -1, 0, 1; or NULL */
    double base_score;       /* NaN: from the data; else a probability (logistic), a mean (poisson), or a score */
    int early_stopping_rounds; /* 0: never; needs valid rows */
    uint64_t seed;
} ax_boost_params;

/* Rows with their targets; arrays of bins->rows entries that outlive the booster. */
typedef struct ax_boost_rows {
    const ax_bins *bins;     /* of the whole table */
    const int32_t *row;      /* (n) which of them, ascending; NULL: all, n == bins->rows */
    int64_t n;
    const int32_t *classes;  /* (bins->rows) logistic, softmax */
    const float *values;     /* (bins->rows) the others */
    const float *weights;    /* (bins->rows) or NULL */
} ax_boost_rows;

typedef struct ax_booster ax_booster;

/* valid may be NULL; it is of the same bins. The pool may be NULL; the bits do not depend on its size. */
ax_status ax_booster_create(const ax_env *env, const ax_boost_rows *train, const ax_boost_rows *valid,
                            const ax_boost_params *params, ax_pool *pool, ax_booster **out, ax_error *err);
/* One round. *done: it was the last (rounds, or early stopping). Cancel: AX_ERR_CANCELLED within 50 ms. */
ax_status ax_booster_round(ax_booster *b, bool *done, ax_error *err);
int ax_booster_rounds(const ax_booster *b);      /* so far */
int ax_booster_best_round(const ax_booster *b);  /* by the loss of valid; else all */
/* The mean loss on the rows of the training, and of valid (NaN without): log loss, squared error, ... */
void ax_booster_loss(const ax_booster *b, double *train, double *valid);
/* The trees of the rounds up to the best; lives in the booster. */
const ax_forest *ax_booster_forest(ax_booster *b, ax_error *err);
/* (columns) each: total gain, and how many splits. */
void ax_booster_importance(const ax_booster *b, double *gain, double *count);
void ax_booster_free(ax_booster *b);

#endif /* AX_BOOST_H */
