/*
 * cluster_start.c: the first centers.
 */
#include "linear/cluster.h"

#include <math.h>

#define CANDIDATES_MAX 64

/* Squared distance of each row of a block to row `to`, in product. */
static void distances(ax_cloud *c, int count, const float *to)
{
    for (int i = 0; i < count; i++)
        c->product[i] = ax_cloud_distance(c->row + (size_t) i * (size_t) c->p, to, c->p);
}

/* What would be left if `to` (p) became a center; with keep, it does: away is updated. */
static ax_status potential(ax_cloud *c, const float *to, bool keep, double *left, ax_error *err)
{
    *left = 0;
    for (int64_t from = 0; from < c->n; from += c->block) {
        int count = (int) AX_MIN(c->block, c->n - from);

        ax_cloud_read(c, from, count, c->row);
        distances(c, count, to);
        for (int i = 0; i < count; i++) {
            float least = c->product[i] < c->away[from + i] ? c->product[i] : c->away[from + i];

            *left += ax_cloud_weight(c, from + i) * (double) least;
            if (keep)
                c->away[from + i] = least;
        }
        if (!ax_may_continue(&c->arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

/* A row, by chance in proportion to its weight times its distance. */
static ax_status draw(const ax_cloud *c, double total, ax_rng *rng, int64_t *row, ax_error *err)
{
    double until = ax_rng_uniform64(rng) * total, sum = 0;

    for (int64_t i = 0; i < c->n; i++) {
        double share = ax_cloud_weight(c, i) * (double) c->away[i];

        sum += share;
        if (share > 0)
            *row = i;
        if (share > 0 && sum > until)
            break;
        if (i % 4000000 == 3999999 && !ax_may_continue(&c->arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

static ax_status next_center(ax_cloud *c, int at, int candidates, double *total, ax_rng *rng, ax_error *err)
{
    float *center = c->center + (size_t) at * (size_t) c->p;
    double best = INFINITY;
    int64_t chosen = 0;

    for (int i = 0; i < candidates; i++) {
        int64_t row = 0;
        double left;

        AX_TRY(draw(c, *total, rng, &row, err));
        ax_cloud_read(c, row, 1, center);
        AX_TRY(potential(c, center, false, &left, err));
        if (left < best) {
            best = left;
            chosen = row;
        }
    }
    ax_cloud_read(c, chosen, 1, center);
    return potential(c, center, true, total, err);
}

ax_status ax_cloud_start(ax_cloud *c, ax_rng *rng, ax_error *err)
{
    int candidates = AX_MIN(2 + (int) log(c->k), CANDIDATES_MAX);
    double total = 0;

    for (int64_t i = 0; i < c->n; i++) {
        c->away[i] = 1;
        total += ax_cloud_weight(c, i);
        c->label[i] = -1;
        if (i % 4000000 == 3999999 && !ax_may_continue(&c->arena.env))
            return ax_cancelled(err);
    }
    for (int at = 0; at < c->k; at++) {
        if (at == 1) {
            /* the first was drawn by weight alone; now distances count */
            for (int64_t i = 0; i < c->n; i++)
                c->away[i] = INFINITY;
            AX_TRY(potential(c, c->center, true, &total, err));
        }
        if (!isfinite(total))
            return ax_fail(err, AX_ERR_NUMERIC, "the rows are too far apart for their distances to be numbers");
        if (!(total > 0)) {
            ax_fail(err, AX_ERR_INVALID, "there are fewer than %d distinct rows, the number of clusters", c->k);
            ax_hint(err, "Ask for fewer clusters.");
            return AX_ERR_INVALID;
        }
        AX_TRY(next_center(c, at, at == 0 ? 1 : candidates, &total, rng, err));
    }
    return AX_OK;
}
