/*
 * cluster_batch.c: k-means on small random samples, for many rows. Each center is the mean of all rows that it was ever
 * given; a center that gets (almost) none is put on a row of the sample. It ends when the smoothed distance has not
 * fallen for some samples, as scikit-learn's MiniBatchKMeans does.
 */
#include "linear/cluster.h"

#include <math.h>

#define PATIENCE 10   /* samples without improvement */
#define STARVED  0.01 /* of the heaviest center's weight: such a center is put elsewhere */

static ax_status gather(const ax_cloud *c, ax_cloud *sample, float *x, float *weights, ax_rng *rng, ax_error *err)
{
    for (int64_t i = 0; i < sample->n; i++) {
        int64_t row = (int64_t) ax_rng_below(rng, (uint64_t) c->n);

        memcpy(x + i * c->p, c->x + row * c->p, sizeof(float) * (size_t) c->p);
        weights[i] = (float) ax_cloud_weight(c, row);
    }
    return ax_may_continue(&c->arena.env) ? AX_OK : ax_cancelled(err);
}

/* Moves the centers towards their rows; *moved is the sum of squares. */
static void learn(ax_cloud *sample, double *given, double *moved)
{
    *moved = 0;
    for (int k = 0; k < sample->k; k++) {
        float *center = sample->center + (size_t) k * (size_t) sample->p;
        const double *sum = sample->sum + (size_t) k * (size_t) sample->p;
        double mass = sample->mass[k];

        given[k] += mass;
        for (int j = 0; mass > 0 && j < sample->p; j++) {
            double step = (sum[j] - mass * (double) center[j]) / given[k];

            center[j] = (float) ((double) center[j] + step);
            *moved += step * step;
        }
    }
}

static void feed_starved(ax_cloud *sample, double *given, ax_rng *rng)
{
    double most = 0, least = INFINITY;

    for (int k = 0; k < sample->k; k++)
        most = fmax(most, given[k]);
    for (int k = 0; k < sample->k; k++)
        least = given[k] >= STARVED * most ? fmin(least, given[k]) : least;
    for (int k = 0; k < sample->k; k++) {
        if (given[k] >= STARVED * most)
            continue;
        ax_cloud_read(sample, (int64_t) ax_rng_below(rng, (uint64_t) sample->n), 1,
                      sample->center + (size_t) k * (size_t) sample->p);
        given[k] = least;
    }
}

typedef struct smooth {
    double value, best;
    int waited;
} smooth;

/* Whether there has been no improvement for long enough. */
static bool has_settled(smooth *s, double value, double part)
{
    s->value = isinf(s->value) ? value : s->value * (1 - part) + value * part;
    s->waited = s->value < s->best ? 0 : s->waited + 1;
    s->best = fmin(s->best, s->value);
    return s->waited >= PATIENCE;
}

static ax_status run(ax_cloud *c, ax_cloud *sample, const ax_kmeans_params *params, float *x, float *weights,
                     ax_rng *rng, int *iterations, ax_error *err)
{
    double *given = ax_arena_array(&sample->arena, (size_t) c->k, sizeof(double));
    double most = (double) params->max_iter * ceil((double) c->n / (double) sample->n);
    smooth s = {.value = INFINITY, .best = INFINITY};

    if (given == NULL)
        return ax_nomem(err);
    memcpy(sample->center, c->center, sizeof(float) * (size_t) c->k * (size_t) c->p);
    for (int step = 1; step <= most && step < INT32_MAX; step++) {
        double moved, inertia = 0;

        AX_TRY(gather(c, sample, x, weights, rng, err));
        AX_TRY(ax_cloud_assign(sample, err));
        for (int64_t i = 0; i < sample->n; i++)
            inertia += (double) weights[i] * (double) sample->away[i];
        learn(sample, given, &moved);
        *iterations = step;
        if (step % 10 == 0 && step < most / 2)
            feed_starved(sample, given, rng);
        if (step > 1 && has_settled(&s, inertia, AX_MIN(1, 2.0 * (double) sample->n / ((double) c->n + 1))))
            break;
    }
    memcpy(c->center, sample->center, sizeof(float) * (size_t) c->k * (size_t) c->p);
    return AX_OK;
}

ax_status ax_cloud_batches(ax_cloud *c, const ax_kmeans_params *params, ax_rng *rng, int *iterations, ax_error *err)
{
    int64_t size = AX_MIN(params->batch_size, c->n);
    const ax_env *env = &c->arena.env;
    float *x = ax_alloc(env, sizeof(float) * (size_t) size * (size_t) c->p);
    float *weights = ax_alloc(env, sizeof(float) * (size_t) size);
    ax_cloud sample = {0};
    ax_status status = x == NULL || weights == NULL ? ax_nomem(err) : AX_OK;

    if (status == AX_OK)
        status = ax_cloud_open(env, x, weights, size, c->p, c->k, c->mean, &sample, err);
    if (status == AX_OK)
        status = run(c, &sample, params, x, weights, rng, iterations, err);
    ax_cloud_close(&sample);
    ax_free(env, x);
    ax_free(env, weights);
    return status;
}
