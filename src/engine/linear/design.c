/*
 * design.c: moments of the columns, and rows read centred and scaled.
 *
 * Means are taken in two passes: the second adds the mean of what is left, and takes the deviations about a mean that
 * is near enough for no digit to be lost. Whether a column is constant is decided by its values, not by its deviation.
 */
#include "linear/design.h"

#include <math.h>

double ax_design_weight(const ax_design *d, int64_t row)
{
    return d->rows->weights == NULL ? 1.0 : (double) d->rows->weights[row];
}

int ax_piece_rows(double flops, double room)
{
    double rows = AX_MIN(5e7 / AX_MAX(flops, 1.0), 65536.0 / AX_MAX(room, 1.0));

    return (int) AX_MAX(1.0, AX_MIN(rows, 256.0));
}

static ax_status check_weights(ax_design *d, ax_error *err)
{
    for (int64_t i = 0; i < d->rows->n; i++) {
        double w = ax_design_weight(d, i);

        if (!isfinite(w))
            return ax_fail(err, AX_ERR_NUMERIC, "the weight of row %lld is not finite", (long long) i + 1);
        if (w < 0)
            return ax_fail(err, AX_ERR_INVALID, "the weight of row %lld is negative", (long long) i + 1);
        d->weight += w;
        d->used += w > 0;
        if (i % 1000000 == 999999 && !ax_may_continue(&d->arena.env))
            return ax_cancelled(err);
    }
    if (d->used == 0)
        return ax_fail(err, AX_ERR_INVALID, "there is no row of positive weight");
    return AX_OK;
}

/* Adds what a row has to say to sum; false when a value is not finite. */
static bool add_first(const float *x, int p, double w, double *sum)
{
    double check = 0;

    for (int j = 0; j < p; j++) {
        sum[j] += w * (double) x[j];
        check += (double) x[j] * 0.0;
    }
    return check == 0;
}

static ax_status first_pass(ax_design *d, ax_error *err)
{
    int piece = 1 + 1000000 / d->p;

    for (int64_t i = 0; i < d->rows->n; i++) {
        if (!add_first(d->rows->x + i * d->p, d->p, ax_design_weight(d, i), d->mean))
            return ax_fail(err, AX_ERR_NUMERIC, "row %lld has a value that is not finite", (long long) i + 1);
        if (i % piece == 0 && !ax_may_continue(&d->arena.env))
            return ax_cancelled(err);
    }
    for (int j = 0; j < d->p; j++)
        d->mean[j] = d->centred ? d->mean[j] / d->weight : 0;
    return AX_OK;
}

/* The sums of deviations go to inverse, those of their squares to scale; differs says which columns are not constant.
 */
static void add_second(ax_design *d, const float *x, double w, const float *first, bool *differs)
{
    for (int j = 0; j < d->p; j++) {
        double from_mean = (double) x[j] - d->mean[j];

        d->inverse[j] += w * from_mean;
        d->scale[j] += w * from_mean * from_mean;
        differs[j] |= d->centred ? x[j] != first[j] : x[j] != 0;
    }
}

static void finish(ax_design *d, const float *first, const bool *differs)
{
    for (int j = 0; j < d->p; j++) {
        double shift = d->centred ? d->inverse[j] / d->weight : 0;

        d->mean[j] = !differs[j] && d->centred ? (double) first[j] : d->mean[j] + shift;
        d->scale[j] = sqrt(AX_MAX(d->scale[j] / d->weight - shift * shift, 0));
        if (!differs[j] || d->scale[j] == 0) {
            d->scale[j] = 1;
            d->inverse[j] = 0;
        } else {
            d->inverse[j] = 1 / d->scale[j];
        }
    }
}

static ax_status second_pass(ax_design *d, ax_error *err)
{
    bool *differs = ax_arena_array(&d->arena, (size_t) d->p, sizeof(*differs));
    const float *first = NULL;
    int piece = 1 + 1000000 / d->p;

    if (differs == NULL)
        return ax_nomem(err);
    for (int64_t i = 0; i < d->rows->n; i++) {
        const float *x = d->rows->x + i * d->p;
        double w = ax_design_weight(d, i);

        if (w > 0) {
            first = first == NULL ? x : first;
            add_second(d, x, w, first, differs);
        }
        if (i % piece == 0 && !ax_may_continue(&d->arena.env))
            return ax_cancelled(err);
    }
    finish(d, first, differs);
    return AX_OK;
}

ax_status ax_design_open(const ax_env *env, const ax_linear_rows *rows, bool centre, ax_design *d, ax_error *err)
{
    size_t p = rows->p < 0 ? 0 : (size_t) rows->p;

    ax_engine_init();
    *d = (ax_design){.rows = rows, .p = rows->p, .centred = centre};
    ax_arena_init(&d->arena, env);
    if (rows->n < 1 || rows->p < 1)
        return ax_fail(err, AX_ERR_INVALID, "a fit needs at least one row and one column");
    d->block = ax_piece_rows(0, (double) p + 1);
    d->mean = ax_arena_array(&d->arena, p, sizeof(double));
    d->scale = ax_arena_array(&d->arena, p, sizeof(double));
    d->inverse = ax_arena_array(&d->arena, p, sizeof(double));
    if (d->mean == NULL || d->scale == NULL || d->inverse == NULL)
        return ax_nomem(err);
    AX_TRY(check_weights(d, err));
    AX_TRY(first_pass(d, err));
    return second_pass(d, err);
}

void ax_design_close(ax_design *d)
{
    ax_arena_free(&d->arena);
}

void ax_design_read(const ax_design *d, int64_t from, int count, double *out, int ld)
{
    for (int i = 0; i < count; i++) {
        const float *x = d->rows->x + (from + i) * d->p;
        double *row = out + (size_t) i * (size_t) ld;

        for (int j = 0; j < d->p; j++)
            row[j] = ((double) x[j] - d->mean[j]) * d->inverse[j];
    }
}

/* ---- fits ------------------------------------------------------------------------------------ */

static double *numbers(ax_arena *arena, int outputs, int each, double value)
{
    double *x = ax_arena_array(arena, (size_t) outputs * (size_t) each, sizeof(*x));

    if (x != NULL) {
        for (size_t i = 0; i < (size_t) outputs * (size_t) each; i++)
            x[i] = value;
    }
    return x;
}

ax_status ax_linear_new_fit(const ax_env *env, int p, int n_outputs, ax_linear_fit **out, ax_error *err)
{
    ax_linear_fit *f = ax_zalloc(env, sizeof(*f));

    if (f == NULL)
        return ax_nomem(err);
    ax_arena_init(&f->arena, env);
    f->p = p;
    f->n_outputs = n_outputs;
    f->coef = numbers(&f->arena, n_outputs, p, 0);
    f->intercept = numbers(&f->arena, n_outputs, 1, 0);
    f->std_error = numbers(&f->arena, n_outputs, p + 1, NAN);
    f->z = numbers(&f->arena, n_outputs, p + 1, NAN);
    f->p_value = numbers(&f->arena, n_outputs, p + 1, NAN);
    if (f->coef == NULL || f->intercept == NULL || f->std_error == NULL || f->z == NULL || f->p_value == NULL) {
        ax_linear_free(f);
        return ax_nomem(err);
    }
    *out = f;
    return AX_OK;
}

void ax_linear_free(ax_linear_fit *f)
{
    if (f != NULL) {
        ax_env env = f->arena.env;

        ax_arena_free(&f->arena);
        ax_free(&env, f);
    }
}
