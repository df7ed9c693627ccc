/*
 * eigen.c: small matrices go to LAPACK whole. For large ones that would take seconds without an answer to a cancel, so
 * they are made tridiagonal here, a reflection at a time; LAPACK finds the eigenvectors of that, which takes little,
 * and the reflections are applied to them in turn.
 */
#include "linear/eigen.h"
#include "linear/lapack.h"

#define SMALL 200

/* ---- small ----------------------------------------------------------------------------------- */

static ax_status all_at_once(ax_arena *arena, int n, double *a, int k, double *values, double *vectors, ax_error *err)
{
    int lwork = 1 + 6 * n + 2 * n * n, liwork = 3 + 5 * n, info;
    double *w = ax_arena_array(arena, (size_t) n, sizeof(double));
    double *work = ax_arena_array(arena, (size_t) lwork, sizeof(double));
    int *iwork = ax_arena_array(arena, (size_t) liwork, sizeof(int));

    if (w == NULL || work == NULL || iwork == NULL)
        return ax_nomem(err);
    dsyevd_("V", "U", &n, a, &n, w, work, &lwork, iwork, &liwork, &info, 1, 1);
    if (info != 0)
        return ax_fail(err, AX_ERR_NUMERIC, "the eigenvalues of the matrix cannot be found");
    for (int i = 0; i < k; i++) {
        values[i] = w[n - 1 - i];
        memcpy(vectors + (size_t) i * (size_t) n, a + (size_t) (n - 1 - i) * (size_t) n, sizeof(double) * (size_t) n);
    }
    return ax_may_continue(&arena->env) ? AX_OK : ax_cancelled(err);
}

/* ---- large ----------------------------------------------------------------------------------- */

typedef struct tridiagonal {
    double *d, *e;  /* (n) diagonal and what stands beside it */
    double *factor; /* (n) of the reflections, whose vectors replace a below the diagonal */
    double *w;      /* (n) */
} tridiagonal;

/* One reflection from both sides; it leaves a zero below the entry under the diagonal of column i. */
static void reflect(tridiagonal *t, double *a, int n, int i)
{
    int rest = n - i - 1, one = 1;
    double *column = a + (size_t) i * (size_t) n, *v = column + i + 1,
           *corner = a + (size_t) (i + 1) * (size_t) n + i + 1;
    double half;

    t->d[i] = column[i];
    dlarfg_(&rest, v, v + AX_MIN(1, rest - 1), &one, &t->factor[i]);
    t->e[i] = *v;
    *v = 1;
    cblas_dsymv(CblasColMajor, CblasLower, rest, t->factor[i], corner, n, v, 1, 0, t->w, 1);
    half = -0.5 * t->factor[i] * cblas_ddot(rest, t->w, 1, v, 1);
    cblas_daxpy(rest, half, v, 1, t->w, 1);
    cblas_dsyr2(CblasColMajor, CblasLower, rest, -1, v, 1, t->w, 1, corner, n);
}

static ax_status reduce(ax_arena *arena, tridiagonal *t, double *a, int n, ax_error *err)
{
    /* the reflections want the lower triangle */
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++)
            a[(size_t) j * (size_t) n + (size_t) i] = a[(size_t) i * (size_t) n + (size_t) j];
    }
    for (int i = 0; i + 1 < n; i++) {
        reflect(t, a, n, i);
        if (!ax_may_continue(&arena->env))
            return ax_cancelled(err);
    }
    t->d[n - 1] = a[(size_t) n * (size_t) n - 1];
    t->e[n - 1] = 0;
    return AX_OK;
}

static ax_status solve_tridiagonal(ax_arena *arena, tridiagonal *t, int n, int k, double *values, double *vectors,
                                   ax_error *err)
{
    int first = n - k + 1, found, wanted = k, try_accurate = 1, lwork = 18 * n, liwork = 10 * n, info;
    double none = 0, *w = ax_arena_array(arena, (size_t) n, sizeof(double));
    double *z = ax_arena_array(arena, (size_t) n, sizeof(double) * (size_t) k);
    double *work = ax_arena_array(arena, (size_t) lwork, sizeof(double));
    int *iwork = ax_arena_array(arena, (size_t) liwork, sizeof(int));
    int *support = ax_arena_array(arena, 2 * (size_t) k, sizeof(int));

    if (w == NULL || z == NULL || work == NULL || iwork == NULL || support == NULL)
        return ax_nomem(err);
    dstemr_("V", "I", &n, t->d, t->e, &none, &none, &first, &n, &found, w, z, &n, &wanted, support, &try_accurate, work,
            &lwork, iwork, &liwork, &info, 1, 1);
    if (info != 0 || found != k)
        return ax_fail(err, AX_ERR_NUMERIC, "the eigenvalues of the matrix cannot be found");
    for (int i = 0; i < k; i++) {
        values[i] = w[k - 1 - i];
        memcpy(vectors + (size_t) i * (size_t) n, z + (size_t) (k - 1 - i) * (size_t) n, sizeof(double) * (size_t) n);
    }
    return AX_OK;
}

static ax_status in_pieces(ax_arena *arena, int n, double *a, int k, double *values, double *vectors, ax_error *err)
{
    double *room = ax_arena_array(arena, 4 * (size_t) n, sizeof(double));
    double *share = ax_arena_array(arena, (size_t) k, sizeof(double));
    tridiagonal t = {room, room + n, room + 2 * n, room + 3 * n};

    if (room == NULL || share == NULL)
        return ax_nomem(err);
    AX_TRY(reduce(arena, &t, a, n, err));
    AX_TRY(solve_tridiagonal(arena, &t, n, k, values, vectors, err));
    for (int i = n - 2; i >= 0; i--) {
        const double *v = a + (size_t) i * (size_t) n + i + 1;
        int rest = n - i - 1;

        cblas_dgemv(CblasColMajor, CblasTrans, rest, k, t.factor[i], vectors + i + 1, n, v, 1, 0, share, 1);
        cblas_dger(CblasColMajor, rest, k, -1, v, 1, share, 1, vectors + i + 1, n);
        if (!ax_may_continue(&arena->env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

ax_status ax_eigen_largest(const ax_env *env, int n, double *a, int k, double *values, double *vectors, ax_error *err)
{
    ax_arena arena;
    ax_status status;

    ax_arena_init(&arena, env);
    status = n <= SMALL ? all_at_once(&arena, n, a, k, values, vectors, err)
                        : in_pieces(&arena, n, a, k, values, vectors, err);
    ax_arena_free(&arena);
    return status;
}
