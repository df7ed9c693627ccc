/*
 * kmeans.c: Lloyd's algorithm from several starts, of which the best is kept.
 *
 * Each start has its own stream of random numbers. With mini-batches the starts are compared by the distances that
 * they leave, and only the best goes on.
 */
#include "linear/cluster.h"
#include "linear/design.h"

#include <math.h>

typedef struct search {
    const ax_kmeans_params *params;
    ax_cloud cloud;
    double tol;     /* squared movement of all centers that is none */
    float *best;    /* (k, p) */
    double inertia; /* of the best */
    int iterations; /* of the best */
} search;

/* ---- Lloyd ----------------------------------------------------------------------------------- */

static ax_status farthest(const ax_cloud *c, int64_t *row, ax_error *err)
{
    float most = -1;

    *row = 0;
    for (int64_t i = 0; i < c->n; i++) {
        if (c->away[i] > most && ax_cloud_weight(c, i) > 0) {
            most = c->away[i];
            *row = i;
        }
    }
    return ax_may_continue(&c->arena.env) ? AX_OK : ax_cancelled(err);
}

/* A center without rows gets the row that is farthest from its own. */
static ax_status fill_empty(ax_cloud *c, ax_error *err)
{
    for (int k = 0; k < c->k; k++) {
        int64_t row;
        int from;
        double w;

        if (c->mass[k] > 0)
            continue;
        AX_TRY(farthest(c, &row, err));
        from = c->label[row];
        w = ax_cloud_weight(c, row);
        ax_cloud_read(c, row, 1, c->row);
        for (int j = 0; j < c->p; j++) {
            c->sum[(size_t) from * (size_t) c->p + (size_t) j] -= w * (double) c->row[j];
            c->sum[(size_t) k * (size_t) c->p + (size_t) j] = w * (double) c->row[j];
        }
        c->mass[from] -= w;
        c->mass[k] = w;
        c->label[row] = k;
        c->away[row] = -1;
        c->changed = true;
    }
    return AX_OK;
}

/* Puts each center into the middle of its rows; returns the sum of squared movements. */
static double move_centers(ax_cloud *c)
{
    double moved = 0;

    for (int k = 0; k < c->k; k++) {
        float *center = c->center + (size_t) k * (size_t) c->p;

        for (int j = 0; c->mass[k] > 0 && j < c->p; j++) {
            float to = (float) (c->sum[(size_t) k * (size_t) c->p + (size_t) j] / c->mass[k]);
            double step = (double) to - (double) center[j];

            moved += step * step;
            center[j] = to;
        }
    }
    return moved;
}

static ax_status lloyd(search *s, int *iterations, ax_error *err)
{
    ax_cloud *c = &s->cloud;

    for (*iterations = 0; *iterations < s->params->max_iter;) {
        double moved;

        AX_TRY(ax_cloud_assign(c, err));
        ++*iterations;
        AX_TRY(fill_empty(c, err));
        if (!c->changed)
            return AX_OK;
        moved = move_centers(c);
        if (moved <= s->tol)
            break;
    }
    return ax_cloud_assign(c, err);
}

/* ---- starts ---------------------------------------------------------------------------------- */

static void keep_best(search *s, double inertia, int iterations)
{
    const ax_cloud *c = &s->cloud;

    if (inertia < s->inertia) {
        memcpy(s->best, c->center, sizeof(float) * (size_t) c->k * (size_t) c->p);
        s->inertia = inertia;
        s->iterations = iterations;
    }
}

static ax_status try_starts(search *s, ax_error *err)
{
    ax_cloud *c = &s->cloud;

    s->inertia = INFINITY;
    for (int i = 0; i < s->params->n_init; i++) {
        ax_rng rng = ax_rng_make(s->params->seed, (uint64_t) i);
        double inertia;
        int iterations = 0;

        AX_TRY(ax_cloud_start(c, &rng, err));
        AX_TRY(s->params->batch_size == 0 ? lloyd(s, &iterations, err) : ax_cloud_assign(c, err));
        AX_TRY(ax_cloud_inertia(c, &inertia, err));
        keep_best(s, inertia, iterations);
    }
    memcpy(c->center, s->best, sizeof(float) * (size_t) c->k * (size_t) c->p);
    return AX_OK;
}

static ax_status find(search *s, ax_error *err)
{
    ax_rng rng = ax_rng_make(s->params->seed, UINT64_MAX);

    AX_TRY(try_starts(s, err));
    if (s->params->batch_size > 0)
        AX_TRY(ax_cloud_batches(&s->cloud, s->params, &rng, &s->iterations, err));
    AX_TRY(ax_cloud_assign(&s->cloud, err));
    return ax_cloud_inertia(&s->cloud, &s->inertia, err);
}

/* ---- the fit --------------------------------------------------------------------------------- */

static ax_status check_params(const ax_linear_rows *rows, const ax_kmeans_params *p, ax_error *err)
{
    if (p->k < 1 || p->n_init < 1 || p->max_iter < 1 || p->batch_size < 0 || !(p->tol >= 0))
        return ax_fail(err, AX_ERR_INVALID, "k-means needs at least one cluster, one start and one iteration");
    if (rows->n < p->k) {
        ax_fail(err, AX_ERR_INVALID, "there are %lld rows for %d clusters", (long long) rows->n, p->k);
        ax_hint(err, "Ask for fewer clusters.");
        return AX_ERR_INVALID;
    }
    return AX_OK;
}

static ax_status open_search(const ax_env *env, ax_design *d, search *s, ax_error *err)
{
    float *mean = ax_arena_array(&d->arena, (size_t) d->p, sizeof(float));
    double variance = 0;

    if (mean == NULL)
        return ax_nomem(err);
    for (int j = 0; j < d->p; j++) {
        mean[j] = (float) d->mean[j];
        variance += d->inverse[j] > 0 ? d->scale[j] * d->scale[j] / d->p : 0;
    }
    s->tol = s->params->tol * variance;
    AX_TRY(ax_cloud_open(env, d->rows->x, d->rows->weights, d->rows->n, d->p, s->params->k, mean, &s->cloud, err));
    s->best = ax_arena_array(&s->cloud.arena, (size_t) d->p, sizeof(float) * (size_t) s->params->k);
    return s->best == NULL ? ax_nomem(err) : AX_OK;
}

static ax_status make_result(const ax_env *env, const search *s, ax_kmeans **out, ax_error *err)
{
    const ax_cloud *c = &s->cloud;
    size_t count = (size_t) c->k * (size_t) c->p;
    ax_kmeans *m = ax_zalloc(env, sizeof(*m));
    float *center;
    int64_t *size;

    if (m == NULL)
        return ax_nomem(err);
    ax_arena_init(&m->arena, env);
    m->center = center = ax_arena_array(&m->arena, count, sizeof(float));
    m->size = size = ax_arena_array(&m->arena, (size_t) c->k, sizeof(int64_t));
    if (center == NULL || size == NULL) {
        ax_kmeans_free(m);
        return ax_nomem(err);
    }
    for (size_t i = 0; i < count; i++)
        center[i] = c->center[i] + c->mean[i % (size_t) c->p];
    for (int64_t i = 0; i < c->n; i++)
        size[c->label[i]]++;
    m->k = c->k;
    m->p = c->p;
    m->inertia = s->inertia;
    m->iterations = s->iterations;
    *out = m;
    return AX_OK;
}

ax_status ax_kmeans_fit(const ax_env *env, const ax_linear_rows *rows, const ax_kmeans_params *params, ax_pool *pool,
                        ax_kmeans **out, ax_error *err)
{
    search s = {.params = params};
    ax_design d;
    ax_status status;

    AX_TRY(check_params(rows, params, err));
    status = ax_design_open(env, rows, true, &d, err);
    if (status == AX_OK)
        status = open_search(env, &d, &s, err);
    if (status == AX_OK)
        status = find(&s, err);
    if (status == AX_OK)
        status = make_result(env, &s, out, err);
    ax_cloud_close(&s.cloud);
    ax_design_close(&d);
    return status;
}

void ax_kmeans_free(ax_kmeans *k)
{
    if (k != NULL) {
        ax_env env = k->arena.env;

        ax_arena_free(&k->arena);
        ax_free(&env, k);
    }
}
