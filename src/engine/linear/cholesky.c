/*
 * cholesky.c: a Cholesky factor in pieces, so that a large one can be cancelled. Each panel of columns is made of the
 * panels above it (products), its own triangle (LAPACK) and the rest of its rows (a triangular solve).
 */
#include "linear/factor.h"
#include "linear/lapack.h"

#define PANEL 64

/* Rows [j, j + m) of columns [from, n): take off what the rows above explain. */
static ax_status update_rows(const ax_env *env, int n, int j, int m, double *a, size_t ld, ax_error *err)
{
    int piece = (int) AX_MAX(32, AX_MIN(1e9, AX_PIECE_FLOPS / (2.0 * m * AX_MAX(j, 1))));

    for (int from = j; j > 0 && from < n; from += piece) {
        int count = AX_MIN(piece, n - from);

        cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, m, count, j, -1, a + (size_t) j * ld, (int) ld,
                    a + (size_t) from * ld, (int) ld, 1, a + (size_t) from * ld + j, (int) ld);
        if (!ax_may_continue(env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

ax_status ax_cholesky(const ax_env *env, int n, double *a, int ld, bool *definite, ax_error *err)
{
    *definite = true;
    for (int j = 0; j < n; j += PANEL) {
        int m = AX_MIN(PANEL, n - j), rest = n - j - m, info;
        double *corner = a + (size_t) j * (size_t) ld + j;

        AX_TRY(update_rows(env, n, j, m, a, (size_t) ld, err));
        dpotrf_("U", &m, corner, &ld, &info, 1);
        if (info != 0) {
            *definite = false;
            return AX_OK;
        }
        if (rest > 0)
            cblas_dtrsm(CblasColMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, m, rest, 1, corner, ld,
                        corner + (size_t) m * (size_t) ld, ld);
        if (!ax_may_continue(env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

void ax_cholesky_solve(int n, const double *u, int ld, double *x)
{
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, n, u, ld, x, 1);
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, n, u, ld, x, 1);
}

ax_status ax_add_products(const ax_env *env, double *gram, int n, const double *row, int count, ax_error *err)
{
    int piece = (int) AX_MAX(16, AX_MIN(n, AX_PIECE_FLOPS / (2.0 * n * count)));

    if (piece >= n) {
        cblas_dsyrk(CblasColMajor, CblasUpper, CblasNoTrans, n, count, 1, row, n, 1, gram, n);
        return ax_may_continue(env) ? AX_OK : ax_cancelled(err);
    }
    for (int from = 0; from < n; from += piece) {
        int columns = AX_MIN(piece, n - from);

        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, from + columns, columns, count, 1, row, n, row + from, n,
                    1, gram + (size_t) from * (size_t) n, n);
        if (!ax_may_continue(env))
            return ax_cancelled(err);
    }
    return AX_OK;
}
