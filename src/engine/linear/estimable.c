/*
 * estimable.c: what a matrix without full rank says about the coefficients, and what it leaves open.
 *
 * With R = [R1 T] and R1 (rank, rank), the columns of [-R1^-1 T; 1] are what may be added to the (scaled) coefficients
 * without a change of any prediction. A coefficient can be estimated when none of them moves it.
 */
#include "linear/factor.h"
#include "linear/lapack.h"
#include "linear/stack.h"

#include <math.h>

#define STILL 1e-6 /* what moves less is not moved */

/* out (rank, count) by columns becomes R1^-1 out, in pieces. */
static ax_status solve_columns(const ax_factor *f, double *out, int count, ax_error *err)
{
    int rank = f->rank, piece = (int) AX_MAX(1, AX_MIN(1e6, AX_PIECE_FLOPS / ((double) rank * rank + 1)));

    for (int from = 0; from < count && rank > 0; from += piece) {
        cblas_dtrsm(CblasColMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, rank, AX_MIN(piece, count - from),
                    1, f->r, f->ld, out + (size_t) from * (size_t) rank, rank);
        if (!ax_may_continue(&f->arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

ax_status ax_factor_null_basis(ax_factor *f, const ax_design *d, double **basis, ax_error *err)
{
    size_t p = (size_t) f->p, rank = (size_t) f->rank, open = p - rank;
    double *moved = ax_arena_array(&f->arena, open + 1, sizeof(double) * (rank + 1));
    double *out = ax_arena_array(&f->arena, open + 1, sizeof(double) * p);

    if (moved == NULL || out == NULL)
        return ax_nomem(err);
    for (size_t j = 0; j < open; j++)
        memcpy(moved + j * rank, f->r + (rank + j) * (size_t) f->ld, sizeof(double) * rank);
    AX_TRY(solve_columns(f, moved, (int) open, err));
    for (size_t j = 0; j < open; j++) {
        for (size_t k = 0; k < rank; k++)
            out[j * p + (size_t) f->order[k]] = -moved[j * rank + k] / d->scale[f->order[k]];
        out[j * p + (size_t) f->order[rank + j]] = 1 / d->scale[f->order[rank + j]];
    }
    *basis = out;
    return AX_OK;
}

/* Little is open: w minus its projection on what is open. The second round takes off what rounding left of the first.
 */
static ax_status project(ax_factor *f, const ax_design *d, double *w, ax_error *err)
{
    int p = f->p, open = p - f->rank;
    double *basis, *r = ax_arena_array(&f->arena, (size_t) open * (size_t) open, sizeof(double));
    ax_stack s;

    if (r == NULL)
        return ax_nomem(err);
    AX_TRY(ax_factor_null_basis(f, d, &basis, err));
    AX_TRY(ax_stack_open(&f->arena, open, r, open, &s, err));
    for (int from = 0; from < p; from += s.block) {
        int count = AX_MIN(s.block, p - from);

        for (int j = 0; j < open; j++)
            memcpy(s.b + (size_t) j * (size_t) s.block, basis + (size_t) j * (size_t) p + from,
                   sizeof(double) * (size_t) count);
        AX_TRY(ax_stack_add(&s, &f->arena.env, count, err));
    }
    for (int round = 0; round < 2; round++) {
        cblas_dgemv(CblasColMajor, CblasTrans, p, open, 1, basis, p, w, 1, 0, f->place, 1);
        ax_cholesky_solve(open, r, open, f->place);
        cblas_dgemv(CblasColMajor, CblasNoTrans, p, open, -1, basis, p, f->place, 1, 1, w, 1);
    }
    return AX_OK;
}

/* Row `place` of the transposed matrix M that the coefficients in the units of X are multiplied with. */
static void read_row(const ax_factor *f, const ax_design *d, int place, double *out, int stride)
{
    for (int i = 0; i < f->rank; i++)
        out[(size_t) i * (size_t) stride] =
            f->r[(size_t) place * (size_t) f->ld + (size_t) i] * d->scale[f->order[place]];
}

/* Much is open: of all with the same M w, the least is M' (M M')^-1 M w. */
static ax_status rebuild(ax_factor *f, const ax_design *d, double *w, ax_error *err)
{
    size_t rank = (size_t) f->rank;
    double *r = ax_arena_array(&f->arena, rank * rank, sizeof(double));
    double *q = ax_arena_array(&f->arena, rank, sizeof(double)), *row = ax_arena_array(&f->arena, rank, sizeof(double));
    ax_stack s;

    if (r == NULL || q == NULL || row == NULL)
        return ax_nomem(err);
    AX_TRY(ax_stack_open(&f->arena, f->rank, r, f->rank, &s, err));
    for (int from = 0; from < f->p; from += s.block) {
        int count = AX_MIN(s.block, f->p - from);

        for (int i = 0; i < count; i++) {
            read_row(f, d, from + i, s.b + i, s.block);
            read_row(f, d, from + i, row, 1);
            cblas_daxpy(f->rank, w[f->order[from + i]], row, 1, q, 1);
        }
        AX_TRY(ax_stack_add(&s, &f->arena.env, count, err));
    }
    ax_cholesky_solve(f->rank, r, f->rank, q);
    for (int k = 0; k < f->p; k++) {
        read_row(f, d, k, row, 1);
        w[f->order[k]] = cblas_ddot(f->rank, row, 1, q, 1);
    }
    return AX_OK;
}

ax_status ax_factor_least_norm(ax_factor *f, const ax_design *d, double *w, ax_error *err)
{
    if (f->rank == f->p)
        return AX_OK;
    if (f->rank == 0) {
        memset(w, 0, sizeof(double) * (size_t) f->p);
        return AX_OK;
    }
    return f->p - f->rank <= f->rank ? project(f, d, w, err) : rebuild(f, d, w, err);
}

/* out[column] of the independent columns: the squared lengths of the rows of R1^-1, some columns of it at a time. */
static ax_status row_lengths(ax_factor *f, const ax_design *d, double *out, ax_error *err)
{
    int piece = (int) AX_MAX(1, AX_MIN(64, AX_PIECE_FLOPS / ((double) f->rank * f->rank + 1)));
    double *column = ax_arena_array(&f->arena, (size_t) piece, sizeof(double) * ((size_t) f->rank + 1));

    if (column == NULL)
        return ax_nomem(err);
    for (int from = 0; from < f->rank; from += piece) {
        int count = AX_MIN(piece, f->rank - from), m = from + count;

        memset(column, 0, sizeof(double) * (size_t) count * (size_t) m);
        for (int j = 0; j < count; j++)
            column[(size_t) j * (size_t) m + (size_t) (from + j)] = 1;
        cblas_dtrsm(CblasColMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, m, count, 1, f->r, f->ld, column,
                    m);
        for (int k = 0; k < m; k++) {
            double length = cblas_dnrm2(count, column + k, m) * d->inverse[f->order[k]];

            out[f->order[k]] += length * length;
        }
        if (!ax_may_continue(&f->arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

/* The intercept is the mean of y less the means times the coefficients. */
static double intercept_inverse(ax_factor *f, const ax_design *d)
{
    double length;

    if (!d->centred)
        return NAN;
    for (int k = 0; k < f->rank; k++)
        f->place[k] = d->mean[f->order[k]] * d->inverse[f->order[k]];
    if (f->rank > 0)
        cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, f->rank, f->r, f->ld, f->place, 1);
    length = cblas_dnrm2(f->rank, f->place, 1);
    return 1 / d->weight + length * length;
}

/* Puts NaN where the basis moves something. */
static void mark_open(const ax_factor *f, const ax_design *d, const double *basis, double *out)
{
    for (int j = 0; j < f->p - f->rank; j++) {
        const double *move = basis + (size_t) j * (size_t) f->p;
        double sum = 0, size = 0;

        for (int i = 0; i < f->p; i++) {
            if (fabs(move[i]) * d->scale[i] > STILL)
                out[i] = NAN;
            sum += move[i] * d->mean[i];
            size += fabs(move[i] * d->mean[i]);
        }
        if (fabs(sum) > STILL * size)
            out[f->p] = NAN;
    }
}

ax_status ax_factor_inverse_diagonal(ax_factor *f, const ax_design *d, double *out, ax_error *err)
{
    double *basis;

    memset(out, 0, sizeof(double) * (size_t) f->p);
    AX_TRY(row_lengths(f, d, out, err));
    out[f->p] = intercept_inverse(f, d);
    if (f->rank < f->p) {
        AX_TRY(ax_factor_null_basis(f, d, &basis, err));
        mark_open(f, d, basis, out);
    }
    return AX_OK;
}
