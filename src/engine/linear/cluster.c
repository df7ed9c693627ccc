/*
 * cluster.c: which center is nearest to each row, by |x|^2 - 2 x c + |c|^2 with a matrix product for the middle term.
 */
#include "linear/cluster.h"
#include "linear/design.h"
#include "tensor/kernel.h"

#include <math.h>

#define LANES 8

double ax_cloud_weight(const ax_cloud *c, int64_t row)
{
    return c->weights == NULL ? 1.0 : (double) c->weights[row];
}

ax_status ax_cloud_open(const ax_env *env, const float *x, const float *weights, int64_t n, int p, int k,
                        const float *mean, ax_cloud *c, ax_error *err)
{
    size_t width = (size_t) p, count = (size_t) k, block;

    *c = (ax_cloud){.x = x, .weights = weights, .n = n, .p = p, .k = k, .mean = mean};
    ax_arena_init(&c->arena, env);
    c->block = ax_piece_rows(2.0 * k * p, AX_MAX(p, k));
    block = (size_t) c->block;
    c->row = ax_arena_array(&c->arena, block, sizeof(float) * width);
    c->product = ax_arena_array(&c->arena, block, sizeof(float) * count);
    c->center = ax_arena_array(&c->arena, count, sizeof(float) * width);
    c->square = ax_arena_array(&c->arena, count, sizeof(float));
    c->sum = ax_arena_array(&c->arena, count, sizeof(double) * width);
    c->mass = ax_arena_array(&c->arena, count, sizeof(double));
    c->label = ax_arena_array(&c->arena, (size_t) n, sizeof(int32_t));
    c->away = ax_arena_array(&c->arena, (size_t) n, sizeof(float));
    if (c->row == NULL || c->product == NULL || c->center == NULL || c->square == NULL || c->sum == NULL ||
        c->mass == NULL || c->label == NULL || c->away == NULL)
        return ax_nomem(err);
    return AX_OK;
}

void ax_cloud_close(ax_cloud *c)
{
    ax_arena_free(&c->arena);
}

void ax_cloud_read(const ax_cloud *c, int64_t from, int count, float *out)
{
    const float *x = c->x + from * c->p;

    for (int i = 0; i < count; i++) {
        for (int j = 0; j < c->p; j++)
            out[(size_t) i * (size_t) c->p + (size_t) j] = x[(size_t) i * (size_t) c->p + (size_t) j] - c->mean[j];
    }
}

float ax_cloud_distance(const float *a, const float *b, int p)
{
    float lane[LANES] = {0}, sum = 0;
    int j = 0;

    for (; j + LANES <= p; j += LANES) {
        for (int i = 0; i < LANES; i++)
            lane[i] += (a[j + i] - b[j + i]) * (a[j + i] - b[j + i]);
    }
    for (; j < p; j++)
        sum += (a[j] - b[j]) * (a[j] - b[j]);
    for (int i = 0; i < LANES; i++)
        sum += lane[i];
    return sum;
}

/* The nearest center of one row from its products with all; label and the squared distance. */
static int nearest(const ax_cloud *c, const float *product, float *least)
{
    int best = 0;

    *least = c->square[0] - 2 * product[0];
    for (int k = 1; k < c->k; k++) {
        float d = c->square[k] - 2 * product[k];

        if (d < *least) {
            *least = d;
            best = k;
        }
    }
    return best;
}

static void take_row(ax_cloud *c, int64_t at, const float *row, const float *product)
{
    float least, own = 0;
    int best = nearest(c, product, &least);
    double w = ax_cloud_weight(c, at), *sum = c->sum + (size_t) best * (size_t) c->p;

    for (int j = 0; j < c->p; j++) {
        own += row[j] * row[j];
        sum[j] += w * (double) row[j];
    }
    c->mass[best] += w;
    c->away[at] = own + least > 0 ? own + least : 0;
    c->changed |= c->label[at] != best;
    c->label[at] = best;
}

ax_status ax_cloud_assign(ax_cloud *c, ax_error *err)
{
    memset(c->sum, 0, sizeof(double) * (size_t) c->k * (size_t) c->p);
    memset(c->mass, 0, sizeof(double) * (size_t) c->k);
    c->changed = false;
    for (int k = 0; k < c->k; k++) {
        const float *center = c->center + (size_t) k * (size_t) c->p;

        c->square[k] = 0;
        for (int j = 0; j < c->p; j++)
            c->square[k] += center[j] * center[j];
    }
    for (int64_t from = 0; from < c->n; from += c->block) {
        int count = (int) AX_MIN(c->block, c->n - from);

        ax_cloud_read(c, from, count, c->row);
        ax_gemm(false, true, count, c->k, c->p, 1, c->row, c->p, c->center, c->p, 0, c->product, c->k);
        for (int i = 0; i < count; i++)
            take_row(c, from + i, c->row + (size_t) i * (size_t) c->p, c->product + (size_t) i * (size_t) c->k);
        if (!ax_may_continue(&c->arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

ax_status ax_cloud_inertia(ax_cloud *c, double *inertia, ax_error *err)
{
    *inertia = 0;
    for (int64_t from = 0; from < c->n; from += c->block) {
        int count = (int) AX_MIN(c->block, c->n - from);

        ax_cloud_read(c, from, count, c->row);
        for (int i = 0; i < count; i++) {
            const float *row = c->row + (size_t) i * (size_t) c->p;
            const float *center = c->center + (size_t) c->label[from + i] * (size_t) c->p;

            *inertia += ax_cloud_weight(c, from + i) * (double) ax_cloud_distance(row, center, c->p);
        }
        if (!ax_may_continue(&c->arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}
