/*
 * linear.h: linear models and what is close to them, in double, over OpenBLAS' BLAS and LAPACK.
 *
 * The names, defaults and formulas are scikit-learn's. X is (n, p) floats, row by row; every fit adds an intercept that is
 * not penalized unless it is told not to.
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
    const int32_t *classes; /* (n) logistic */
    const float *weights;   /* (n) or NULL */
} ax_linear_rows;

/*
 * Coefficients of one output: p, and the intercept. Standard errors, z (or t) and p values are those of the unpenalized
 * model at the fit (for a penalized one NaN); NaN too where the matrix is singular. All arrays live in the fit.
 */
typedef struct ax_linear_fit {
    ax_arena arena;
    int p, n_outputs; /* logistic: 1 for two classes, else one a class */
    const double *coef;      /* (n_outputs, p) */
    const double *intercept; /* (n_outputs) */
    const double *std_error, *z, *p_value; /* (n_outputs, p + 1), the intercept last */
    int iterations;
    bool converged;
    double loss; /* mean */
} ax_linear_fit;

typedef struct ax_linear_params {
    bool fit_intercept; /* true */
    double alpha;       /* ridge, lasso, elastic net: 1 in scikit-learn; 0 is least squares */
    double l1_ratio;    /* 0 ridge, 1 lasso, between: elastic net */
    double c;           /* logistic: 1, inverse strength; infinity: no penalty. l1_ratio as above */
    int n_classes;      /* logistic: 2, or more: multinomial */
    double tol;         /* 1e-4 for lasso, 1e-6 logistic */
    int max_iter;       /* 1000 */
} ax_linear_params;

/* l1_ratio 0 and alpha 0: least squares (QR; minimum norm when X is singular, with a warning by fit->converged false?
 * no: converged tells of the coordinate descent only). Fits hold nothing outside fit->arena. Each asks may_continue. */
ax_status ax_linear_least_squares(const ax_env *env, const ax_linear_rows *rows, const ax_linear_params *params,
                                  ax_pool *pool, ax_linear_fit **out, ax_error *err);
ax_status ax_linear_logistic(const ax_env *env, const ax_linear_rows *rows, const ax_linear_params *params,
                             ax_pool *pool, ax_linear_fit **out, ax_error *err);
void ax_linear_free(ax_linear_fit *f);

/* ---- kmeans and pca -------------------------------------------------------------------------- */

typedef struct ax_kmeans {
    ax_arena arena;
    int k, p;
    const float *center; /* (k, p) */
    const int64_t *size; /* (k) rows of each */
    double inertia;      /* sum of squared distances */
    int iterations;
} ax_kmeans;

typedef struct ax_kmeans_params {
    int k;          /* n_clusters: 8 */
    int n_init;     /* 10 */
    int max_iter;   /* 300 */
    double tol;     /* 1e-4 */
    int batch_size; /* 0: Lloyd; else mini-batch */
    uint64_t seed;
} ax_kmeans_params;

/* k-means++ starts. Fewer distinct rows than clusters: AX_ERR_INVALID. */
ax_status ax_kmeans_fit(const ax_env *env, const ax_linear_rows *rows, const ax_kmeans_params *params,
                        ax_pool *pool, ax_kmeans **out, ax_error *err);
void ax_kmeans_free(ax_kmeans *k);

typedef struct ax_pca {
    ax_arena arena;
    int p, k;
    const double *mean;      /* (p) */
    const double *component; /* (k, p), signs as scikit-learn's: the largest loading of each is positive */
    const double *variance;  /* (k) explained */
    const double *ratio;     /* (k) of all variance */
} ax_pca;

/* k <= min(n, p); by the eigenvectors of the covariance. */
ax_status ax_pca_fit(const ax_env *env, const ax_linear_rows *rows, int k, ax_pca **out, ax_error *err);
void ax_pca_free(ax_pca *p);

#endif /* AX_LINEAR_H */
