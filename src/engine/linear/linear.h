/*
 * linear.h: linear models, k-means and principal components, in double, over OpenBLAS' BLAS and LAPACK.
 *
 * The names, defaults and formulas are scikit-learn's. X is (n, p) floats, row by row, all finite. Inside, every column
 * is centred and scaled, so that large means and small deviations lose no digits; what comes out is in the units of X.
 *
 * Every fit asks env->may_continue at least every 50 ms, allocates from the env alone, and gives the same bits for any
 * pool (the work is done by the calling thread; pool may be NULL). Errors: AX_ERR_INVALID for parameters that make no
 * sense or no rows, AX_ERR_NUMERIC for values that are not finite, AX_ERR_NOMEM, AX_ERR_CANCELLED.
 */
#ifndef AX_LINEAR_H
#define AX_LINEAR_H

#include "tensor/pool.h"
#include "tensor/tensor.h"

typedef struct ax_linear_rows {
    const float *x; /* (n, p), finite */
    int64_t n;
    int p;
    const float *values;    /* (n) linear */
    const int32_t *classes; /* (n) logistic, in [0, n_classes) */
    const float *weights;   /* (n), at least 0, or NULL: all 1. A row of weight 0 is not there */
} ax_linear_rows;

/*
 * Coefficients and intercept of each output. Standard errors, z (linear: t) and two-sided p values belong to the model
 * without penalty; of a penalized one they are NaN. They are NaN, too, for a coefficient that the rows leave open
 * because its column is a combination of others (the coefficients are then those of least norm), without residual
 * degrees of freedom, without convergence, and beyond 2,000 logistic parameters.
 *
 * Of more than two classes the unpenalized coefficients of a feature add up to 0 over the classes, as do the intercepts
 * of every multinomial model; the errors are those of this parametrization.
 */
typedef struct ax_linear_fit {
    ax_arena arena;                        /* holds all arrays */
    int p, n_outputs;                      /* logistic: 1 for two classes, else one a class */
    const double *coef;                    /* (n_outputs, p) */
    const double *intercept;               /* (n_outputs) */
    const double *std_error, *z, *p_value; /* (n_outputs, p + 1), the intercept last */
    int iterations;
    bool converged; /* false: max_iter came first, or (logistic) the classes can be separated and nothing penalizes */
    double loss;    /* weighted mean of squared errors, or of the log loss, without penalty */
} ax_linear_fit;

typedef struct ax_linear_params {
    bool fit_intercept; /* true; it is never penalized */
    double alpha;       /* linear: strength of the penalty, 1 in scikit-learn; 0 is least squares */
    double l1_ratio;    /* 0 ridge, 1 lasso, between: elastic net; for logistic too */
    double c;           /* logistic: 1, inverse strength; infinity: no penalty */
    int n_classes;      /* logistic: 2, or more: multinomial */
    double tol;         /* 1e-4 for lasso, 1e-6 logistic */
    int max_iter;       /* 1000 */
} ax_linear_params;

/*
 * With w the weights, r the residuals and b the coefficients:
 *
 *     alpha 0              sum w r^2
 *     l1_ratio 0 (Ridge)   sum w r^2 + alpha sum b^2
 *     else (ElasticNet)    sum w r^2 / (2 sum w) + alpha l1_ratio sum |b| + alpha (1 - l1_ratio) / 2 sum b^2
 */
ax_status ax_linear_least_squares(const ax_env *env, const ax_linear_rows *rows, const ax_linear_params *params,
                                  ax_pool *pool, ax_linear_fit **out, ax_error *err);
/* c sum w (log loss) + l1_ratio sum |b| + (1 - l1_ratio) / 2 sum b^2. */
ax_status ax_linear_logistic(const ax_env *env, const ax_linear_rows *rows, const ax_linear_params *params,
                             ax_pool *pool, ax_linear_fit **out, ax_error *err);
void ax_linear_free(ax_linear_fit *f);

/* ---- kmeans and pca -------------------------------------------------------------------------- */

typedef struct ax_kmeans {
    ax_arena arena;
    int k, p;
    const float *center; /* (k, p) */
    const int64_t *size; /* (k) rows of each, those of weight 0 too */
    double inertia;      /* weighted sum of squared distances */
    int iterations;
} ax_kmeans;

typedef struct ax_kmeans_params {
    int k;          /* n_clusters: 8 */
    int n_init;     /* 10 */
    int max_iter;   /* 300 */
    double tol;     /* 1e-4, of the mean variance of the columns */
    int batch_size; /* 0: Lloyd; else mini-batch */
    uint64_t seed;
} ax_kmeans_params;

/* k-means++ starts. Fewer distinct rows than clusters: AX_ERR_INVALID. */
ax_status ax_kmeans_fit(const ax_env *env, const ax_linear_rows *rows, const ax_kmeans_params *params, ax_pool *pool,
                        ax_kmeans **out, ax_error *err);
void ax_kmeans_free(ax_kmeans *k);

typedef struct ax_pca {
    ax_arena arena;
    int p, k;
    const double *mean;      /* (p) */
    const double *component; /* (k, p) orthonormal rows */
    const double *variance;  /* (k) explained, by n - 1, falling */
    const double *ratio;     /* (k) of all variance */
} ax_pca;

/*
 * 1 <= k <= min(n, p), n >= 2. Signs are those of scikit-learn's svd_flip: the row whose score on a component is
 * largest in absolute value has a positive one. Weights are not used.
 */
ax_status ax_pca_fit(const ax_env *env, const ax_linear_rows *rows, int k, ax_pca **out, ax_error *err);
void ax_pca_free(ax_pca *p);

#endif /* AX_LINEAR_H */
