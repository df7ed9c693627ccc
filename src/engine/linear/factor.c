/*
 * factor.c: the rows as a triangle, and its rank.
 *
 * Two ways lead to the triangle. QR of the rows keeps all digits and is taken while it is cheap. Beyond, the Cholesky
 * factor of X'X costs half; it has only half the digits, which the solver's step of refinement gives back as long as
 * the condition allows; where it does not, QR is taken after all.
 *
 * The rank is found as R's lm does it: columns are kept in their order, and one whose part that the earlier ones do not
 * explain is less than 1e-7 of it (floats hold no more) goes to the end. The triangle is repaired by rotations.
 */
#include "linear/factor.h"
#include "linear/lapack.h"
#include "linear/stack.h"

#include <math.h>

#define QR_FLOPS    4e9  /* n p^2 up to which the rows are taken by QR */
#define DEPENDENT   1e-7 /* of a column's length */
#define GOOD_ENOUGH 1e-6 /* reciprocal condition of a triangle that Cholesky may make */

/* ---- from rows to a triangle ----------------------------------------------------------------- */

typedef struct reader {
    const ax_design *d;
    double y_mean;
    double *row; /* (block, p + 1), row by row */
} reader;

/* Rows times the roots of their weights, y last. */
static void read_rows(const reader *in, int64_t from, int count)
{
    const ax_design *d = in->d;
    int ld = d->p + 1;

    ax_design_read(d, from, count, in->row, ld);
    for (int i = 0; i < count; i++) {
        double *row = in->row + (size_t) i * (size_t) ld, root = sqrt(ax_design_weight(d, from + i));

        row[d->p] = d->rows->values == NULL ? 0 : (double) d->rows->values[from + i] - in->y_mean;
        for (int j = 0; d->rows->weights != NULL && j < ld; j++)
            row[j] *= root;
    }
}

static ax_status add_ridge(const ax_factor *f, ax_stack *s, ax_error *err)
{
    for (int from = 0; f->ridge != NULL && from < f->p; from += s->block) {
        int count = AX_MIN(s->block, f->p - from);

        memset(s->b, 0, sizeof(double) * (size_t) s->block * (size_t) s->n);
        for (int i = 0; i < count; i++)
            s->b[(size_t) (from + i) * (size_t) s->block + (size_t) i] = sqrt(f->ridge[from + i]);
        AX_TRY(ax_stack_add(s, &f->arena.env, count, err));
    }
    return AX_OK;
}

static ax_status by_rows(ax_factor *f, const reader *in, ax_error *err)
{
    ax_stack s;

    memset(f->r, 0, sizeof(double) * (size_t) f->ld * (size_t) f->ld);
    AX_TRY(ax_stack_open(&f->arena, f->ld, f->r, f->ld, &s, err));
    s.block = AX_MIN(s.block, AX_MAX(in->d->block, 1));
    for (int64_t from = 0; from < in->d->rows->n; from += s.block) {
        int count = (int) AX_MIN(s.block, in->d->rows->n - from);

        read_rows(in, from, count);
        for (int i = 0; i < count; i++) {
            for (int j = 0; j < f->ld; j++)
                s.b[(size_t) j * (size_t) s.block + (size_t) i] = in->row[(size_t) i * (size_t) f->ld + (size_t) j];
        }
        AX_TRY(ax_stack_add(&s, &f->arena.env, count, err));
    }
    return add_ridge(f, &s, err);
}

static ax_status condition(ax_factor *f, double *reciprocal, ax_error *err)
{
    double *work = ax_arena_array(&f->arena, 3 * (size_t) f->p, sizeof(double));
    int *iwork = ax_arena_array(&f->arena, (size_t) f->p, sizeof(int)), info;

    if (work == NULL || iwork == NULL)
        return ax_nomem(err);
    dtrcon_("1", "U", "N", &f->p, f->r, &f->ld, reciprocal, work, iwork, &info, 1, 1, 1);
    return ax_may_continue(&f->arena.env) ? AX_OK : ax_cancelled(err);
}

static ax_status by_products(ax_factor *f, const reader *in, bool *good, ax_error *err)
{
    double reciprocal;

    for (int64_t from = 0; from < in->d->rows->n; from += in->d->block) {
        int count = (int) AX_MIN(in->d->block, in->d->rows->n - from);

        read_rows(in, from, count);
        AX_TRY(ax_add_products(&f->arena.env, f->r, f->ld, in->row, count, err));
    }
    for (int j = 0; f->ridge != NULL && j < f->p; j++)
        f->r[(size_t) j * (size_t) f->ld + (size_t) j] += f->ridge[j];
    AX_TRY(ax_cholesky(&f->arena.env, f->p, f->r, f->ld, good, err));
    if (!*good)
        return AX_OK;
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, f->p, f->r, f->ld,
                f->r + (size_t) f->p * (size_t) f->ld, 1);
    AX_TRY(condition(f, &reciprocal, err));
    *good = reciprocal > GOOD_ENOUGH;
    return AX_OK;
}

ax_status ax_factor_open(const ax_design *d, double y_mean, const double *ridge, ax_factor *f, ax_error *err)
{
    double rows = (double) d->rows->n + (ridge != NULL ? d->p : 0);
    bool good = false;
    size_t ld = (size_t) d->p + 1;
    reader in = {.d = d, .y_mean = y_mean};

    *f = (ax_factor){.p = d->p, .rank = d->p, .ld = d->p + 1};
    ax_arena_init(&f->arena, &d->arena.env);
    f->r = ax_arena_array(&f->arena, ld * ld, sizeof(double));
    f->order = ax_arena_array(&f->arena, ld, sizeof(int));
    f->place = ax_arena_array(&f->arena, ld, sizeof(double));
    in.row = ax_arena_array(&f->arena, ld * (size_t) d->block, sizeof(double));
    if (ridge != NULL)
        f->ridge = ax_arena_array(&f->arena, ld, sizeof(double));
    if (f->r == NULL || f->order == NULL || f->place == NULL || in.row == NULL || (ridge != NULL && f->ridge == NULL))
        return ax_nomem(err);
    for (int j = 0; j < d->p; j++) {
        f->order[j] = j;
        if (ridge != NULL)
            f->ridge[j] = ridge[j];
    }
    if (rows * d->p * d->p > QR_FLOPS && (ridge != NULL || d->rows->n > d->p))
        AX_TRY(by_products(f, &in, &good, err));
    return good ? AX_OK : by_rows(f, &in, err);
}

void ax_factor_close(ax_factor *f)
{
    ax_arena_free(&f->arena);
}

/* ---- rank ------------------------------------------------------------------------------------ */

/* Column j to the end of the p columns; the triangle is repaired down to row `last`. y is turned along. */
static void move_to_end(ax_factor *f, int j, int last)
{
    size_t ld = (size_t) f->ld;
    int moved = f->order[j];

    for (int k = j; k + 1 < f->p; k++) {
        cblas_dswap(f->ld, f->r + (size_t) k * ld, 1, f->r + (size_t) (k + 1) * ld, 1);
        f->order[k] = f->order[k + 1];
    }
    f->order[f->p - 1] = moved;
    for (int k = j; k < last; k++) {
        double *a = f->r + (size_t) k * ld + (size_t) k, *b = a + 1, c, s;

        if (*b == 0)
            continue;
        cblas_drotg(a, b, &c, &s);
        *b = 0;
        cblas_drot(f->p - k, a + ld, f->ld, a + ld + 1, f->ld, c, s);
    }
}

/* Is there nothing left below row j in the columns from j on? Then they all depend on the first j. */
static bool all_explained(const ax_factor *f, const double *length, int j)
{
    for (int k = j; k < f->p; k++) {
        const double *column = f->r + (size_t) k * (size_t) f->ld;

        if (cblas_dnrm2(AX_MIN(k, f->p - 1) - j + 1, column + j, 1) > DEPENDENT * length[f->order[k]])
            return false;
    }
    return true;
}

ax_status ax_factor_reveal(ax_factor *f, ax_error *err)
{
    double *length = ax_arena_array(&f->arena, (size_t) f->p, sizeof(double));

    if (length == NULL)
        return ax_nomem(err);
    for (int k = 0; k < f->p; k++)
        length[k] = cblas_dnrm2(k + 1, f->r + (size_t) k * (size_t) f->ld, 1);
    for (int j = 0; j < f->rank;) {
        double own = fabs(f->r[(size_t) j * (size_t) f->ld + (size_t) j]);

        if (own > DEPENDENT * length[f->order[j]]) {
            j++;
        } else if (all_explained(f, length, j)) {
            f->rank = j;
        } else {
            move_to_end(f, j, f->rank - 1);
            f->rank--;
        }
        if (!ax_may_continue(&f->arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

/* ---- solving --------------------------------------------------------------------------------- */

static void scatter(const ax_factor *f, double *x)
{
    for (int k = 0; k < f->p; k++)
        x[f->order[k]] = k < f->rank ? f->place[k] : 0;
}

void ax_factor_solve(const ax_factor *f, const double *g, double *x)
{
    for (int k = 0; k < f->rank; k++)
        f->place[k] = g[f->order[k]];
    if (f->rank > 0)
        ax_cholesky_solve(f->rank, f->r, f->ld, f->place);
    scatter(f, x);
}

void ax_factor_solve_response(const ax_factor *f, double *x)
{
    memcpy(f->place, f->r + (size_t) f->p * (size_t) f->ld, sizeof(double) * (size_t) f->p);
    if (f->rank > 0)
        cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, f->rank, f->r, f->ld, f->place, 1);
    scatter(f, x);
}
