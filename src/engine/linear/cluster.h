/*
 * cluster.h: what the parts of k-means share.
 */
#ifndef AX_CLUSTER_H
#define AX_CLUSTER_H

#include "linear/linear.h"

/* Rows and centers. Inside, everything is less the mean of the rows, so that squares lose no digits. */
typedef struct ax_cloud {
    ax_arena arena;
    const float *x;       /* (n, p) */
    const float *weights; /* (n) or NULL */
    int64_t n;
    int p, k;
    const float *mean; /* (p) */
    int block;         /* rows that are worked on at once */
    float *row;        /* (block, p) */
    float *product;    /* (block, k) */
    float *center;     /* (k, p) */
    float *square;     /* (k) of the centers */
    double *sum;       /* (k, p) weighted sums of the rows of each center */
    double *mass;      /* (k) their weights */
    int32_t *label;    /* (n) nearest center */
    float *away;       /* (n) its squared distance */
    bool changed;      /* some label did, at the last assignment */
} ax_cloud;

ax_status ax_cloud_open(const ax_env *env, const float *x, const float *weights, int64_t n, int p, int k,
                        const float *mean, ax_cloud *c, ax_error *err);
void ax_cloud_close(ax_cloud *c);
double ax_cloud_weight(const ax_cloud *c, int64_t row);
/* Rows [from, from + count), less the mean, into out (count, p). */
void ax_cloud_read(const ax_cloud *c, int64_t from, int count, float *out);
/* label, away, sum and mass for the centers. */
ax_status ax_cloud_assign(ax_cloud *c, ax_error *err);
/* The weighted sum of squared distances to the centers of the labels, exactly. */
ax_status ax_cloud_inertia(ax_cloud *c, double *inertia, ax_error *err);
/* Squared distance. */
float ax_cloud_distance(const float *a, const float *b, int p);

/*
 * k-means++ (Arthur and Vassilvitskii, 2007) with 2 + log k candidates for each center, of which the one that helps
 * most is taken. AX_ERR_INVALID when there are fewer distinct rows than centers.
 */
ax_status ax_cloud_start(ax_cloud *c, ax_rng *rng, ax_error *err);
/* Mini-batch k-means (Sculley, 2010) from the centers. */
ax_status ax_cloud_batches(ax_cloud *c, const ax_kmeans_params *params, ax_rng *rng, int *iterations, ax_error *err);

#endif /* AX_CLUSTER_H */
