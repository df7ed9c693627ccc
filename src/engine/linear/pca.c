/*
 * pca.c: principal components: the eigenvectors of the covariance, or with fewer rows than columns those of the
 * products of the rows, from which the components follow.
 */
#include "linear/design.h"
#include "linear/eigen.h"
#include "linear/factor.h"
#include "linear/lapack.h"

#include <math.h>

typedef struct analysis {
    ax_design d; /* not scaled */
    int k, block;
    double *x;       /* (block, p) or (n, block) */
    double *matrix;  /* (p, p) or (n, n) */
    double *vectors; /* (its order, k) by columns */
    double *score;   /* (block, k) */
    double *component, *variance;
    double total; /* variance of all columns */
} analysis;

static ax_status by_columns(analysis *s, ax_error *err)
{
    int p = s->d.p;

    for (int64_t from = 0; from < s->d.rows->n; from += s->block) {
        int count = (int) AX_MIN(s->block, s->d.rows->n - from);

        ax_design_read(&s->d, from, count, s->x, p);
        AX_TRY(ax_add_products(&s->d.arena.env, s->matrix, p, s->x, count, err));
    }
    return ax_eigen_largest(&s->d.arena.env, p, s->matrix, s->k, s->variance, s->component, err);
}

/* Takes off what the first `count` components explain, twice for the rounding, and makes the length 1. Returns the
 * length. */
static double orthogonalize(const analysis *s, double *v, int count)
{
    int p = s->d.p;
    double length;

    for (int round = 0; round < 2 && count > 0; round++) {
        cblas_dgemv(CblasRowMajor, CblasNoTrans, count, p, 1, s->component, p, v, 1, 0, s->score, 1);
        cblas_dgemv(CblasRowMajor, CblasTrans, count, p, -1, s->component, p, s->score, 1, 1, v, 1);
    }
    length = cblas_dnrm2(p, v, 1);
    if (length > 0)
        cblas_dscal(p, 1 / length, v, 1);
    return length;
}

/* Component i of the rows' eigenvector i. One without variance can be any that is orthogonal to the others. */
static void finish_component(analysis *s, int i)
{
    double *v = s->component + (size_t) i * (size_t) s->d.p, enough = sqrt(0.5 * (s->d.p - i) / s->d.p);

    if (s->variance[i] > 1e-14 * s->variance[0] && orthogonalize(s, v, i) > 0)
        return;
    for (int j = 0; j < s->d.p; j++) {
        memset(v, 0, sizeof(double) * (size_t) s->d.p);
        v[j] = 1;
        if (orthogonalize(s, v, i) >= enough)
            return;
    }
}

static ax_status by_rows(analysis *s, ax_error *err)
{
    int p = s->d.p, n = (int) s->d.rows->n;

    ax_design_read(&s->d, 0, n, s->x, p);
    for (int from = 0; from < p; from += s->block) {
        int count = AX_MIN(s->block, p - from);

        cblas_dsyrk(CblasColMajor, CblasUpper, CblasTrans, n, count, 1, s->x + from, p, 1, s->matrix, n);
        if (!ax_may_continue(&s->d.arena.env))
            return ax_cancelled(err);
    }
    AX_TRY(ax_eigen_largest(&s->d.arena.env, n, s->matrix, s->k, s->variance, s->vectors, err));
    for (int i = 0; i < s->k; i++) {
        cblas_dgemv(CblasRowMajor, CblasTrans, n, p, 1, s->x, p, s->vectors + (size_t) i * (size_t) n, 1, 0,
                    s->component + (size_t) i * (size_t) p, 1);
        finish_component(s, i);
        if (!ax_may_continue(&s->d.arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

/* The row with the largest score on a component decides its sign. */
static ax_status set_signs(analysis *s, double *largest, ax_error *err)
{
    int p = s->d.p;

    for (int64_t from = 0; from < s->d.rows->n; from += s->d.block) {
        int count = (int) AX_MIN(s->d.block, s->d.rows->n - from);

        ax_design_read(&s->d, from, count, s->x, p);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count, s->k, p, 1, s->x, p, s->component, p, 0, s->score,
                    s->k);
        for (int i = 0; i < count * s->k; i++) {
            if (fabs(s->score[i]) > fabs(largest[i % s->k]))
                largest[i % s->k] = s->score[i];
        }
        if (!ax_may_continue(&s->d.arena.env))
            return ax_cancelled(err);
    }
    for (int i = 0; i < s->k; i++) {
        if (largest[i] < 0)
            cblas_dscal(p, -1, s->component + (size_t) i * (size_t) p, 1);
    }
    return AX_OK;
}

static ax_status analyse(analysis *s, double *ratio, ax_error *err)
{
    ax_arena *arena = &s->d.arena;
    int64_t n = s->d.rows->n;
    bool tall = n >= s->d.p;
    size_t p = (size_t) s->d.p, order = tall ? p : (size_t) n, k = (size_t) s->k;
    double *largest = ax_arena_array(arena, k, sizeof(double));

    s->block = tall ? s->d.block : ax_piece_rows((double) n * (double) n, 1);
    s->x = ax_arena_array(arena, tall ? (size_t) s->d.block : (size_t) n, sizeof(double) * p);
    s->matrix = ax_arena_array(arena, order * order, sizeof(double));
    s->score = ax_arena_array(arena, AX_MAX((size_t) s->d.block, 1), sizeof(double) * k);
    s->vectors = ax_arena_array(arena, tall ? 1 : order * k, sizeof(double));
    if (largest == NULL || s->x == NULL || s->matrix == NULL || s->score == NULL || s->vectors == NULL)
        return ax_nomem(err);
    for (int j = 0; j < s->d.p; j++) {
        s->total += s->d.inverse[j] > 0 ? s->d.scale[j] * s->d.scale[j] * (double) n / (double) (n - 1) : 0;
        s->d.inverse[j] = s->d.inverse[j] > 0 ? 1 : 0;
    }
    AX_TRY(tall ? by_columns(s, err) : by_rows(s, err));
    for (size_t i = 0; i < k; i++) {
        s->variance[i] = fmax(s->variance[i], 0) / (double) (n - 1);
        ratio[i] = s->total > 0 ? s->variance[i] / s->total : 0;
    }
    return set_signs(s, largest, err);
}

static ax_status new_pca(const ax_env *env, int p, int k, ax_pca **out, ax_error *err)
{
    ax_pca *m = ax_zalloc(env, sizeof(*m));

    if (m == NULL)
        return ax_nomem(err);
    ax_arena_init(&m->arena, env);
    m->p = p;
    m->k = k;
    m->mean = ax_arena_array(&m->arena, (size_t) p, sizeof(double));
    m->component = ax_arena_array(&m->arena, (size_t) k, sizeof(double) * (size_t) p);
    m->variance = ax_arena_array(&m->arena, (size_t) k, sizeof(double));
    m->ratio = ax_arena_array(&m->arena, (size_t) k, sizeof(double));
    if (m->mean == NULL || m->component == NULL || m->variance == NULL || m->ratio == NULL) {
        ax_pca_free(m);
        return ax_nomem(err);
    }
    *out = m;
    return AX_OK;
}

ax_status ax_pca_fit(const ax_env *env, const ax_linear_rows *rows, int k, ax_pca **out, ax_error *err)
{
    ax_linear_rows plain = {.x = rows->x, .n = rows->n, .p = rows->p};
    analysis s = {.k = k};
    ax_pca *m = NULL;
    ax_status status;

    if (rows->n < 2)
        return ax_fail(err, AX_ERR_INVALID, "principal components need at least two rows");
    if (k < 1 || k > rows->n || k > rows->p)
        return ax_fail(err, AX_ERR_INVALID, "there are between 1 and %lld principal components, not %d",
                       (long long) AX_MIN(rows->n, rows->p), k);
    status = ax_design_open(env, &plain, true, &s.d, err);
    if (status == AX_OK)
        status = new_pca(env, rows->p, k, &m, err);
    if (status == AX_OK) {
        s.component = (double *) m->component;
        s.variance = (double *) m->variance;
        memcpy((double *) m->mean, s.d.mean, sizeof(double) * (size_t) m->p);
        status = analyse(&s, (double *) m->ratio, err);
    }
    ax_design_close(&s.d);
    if (status != AX_OK) {
        ax_pca_free(m);
        return status;
    }
    *out = m;
    return AX_OK;
}

void ax_pca_free(ax_pca *p)
{
    if (p != NULL) {
        ax_env env = p->arena.env;

        ax_arena_free(&p->arena);
        ax_free(&env, p);
    }
}
