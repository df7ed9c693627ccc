/*
 * fit_trees.c: see fit_trees.h.
 */
#include "model/fit_trees.h"

#include <math.h>

#define SLICE_ROWS 16384 /* binned in a slice */

/* ---- bins ------------------------------------------------------------------------------------ */

ax_status ax_fit_trees_open(ax_fit *f, ax_error *err)
{
    const ax_preparation *p = f->spec->preparation;
    int64_t columns = ax_preparation_row_width(p);
    ax_fit_trees *t = ax_zalloc(&f->env, sizeof(*t));
    bool *category;

    if (t == NULL)
        return ax_nomem(err);
    f->work = t;
    if (columns > INT32_MAX)
        return ax_fail(err, AX_ERR_LIMIT, "a row of %lld numbers", (long long) columns);
    t->columns = (int) columns;
    t->row = ax_arena_array(&f->arena, (size_t) columns, sizeof(*t->row));
    category = ax_arena_array(&f->arena, (size_t) columns, sizeof(*category));
    if (t->row == NULL || category == NULL)
        return ax_nomem(err);
    for (int j = 0; j < t->columns; j++)
        category[j] = ax_preparation_part(p, j)->category;
    return ax_binner_create(&f->env, t->columns, category, (int) ax_options_integer(f->options, "max_bin"), &t->binner,
                            err);
}

void ax_fit_trees_close(ax_fit *f)
{
    ax_fit_trees *t = f->work;

    if (t == NULL)
        return;
    ax_booster_free(t->booster);
    ax_wood_free(t->wood);
    ax_binner_free(t->binner);
    ax_bins_free(t->bins);
    ax_free(&f->env, t);
    f->work = NULL;
}

/* What is not used becomes missing: no tree ever splits by it. */
static ax_status bin_row(ax_fit *f, ax_fit_trees *t, int64_t i, ax_error *err)
{
    const float *row = ax_fit_row(&f->rows, i);

    for (int j = 0; j < t->columns; j++)
        t->row[j] = ax_preparation_part(f->spec->preparation, j)->used ? row[j] : NAN;
    return ax_binner_append(t->binner, t->row, err);
}

/* A slice of the rows; *done: the table is there. */
ax_status ax_fit_trees_bin(ax_fit *f, ax_fit_trees *t, bool *done, ax_error *err)
{
    int64_t to = AX_MIN(f->at + SLICE_ROWS, f->rows.n);

    for (; f->at < to; f->at++)
        AX_TRY(bin_row(f, t, f->at, err));
    ax_dataset_forget(f->rows.data, f->at);
    if (f->at < f->rows.n)
        return AX_OK;
    f->at = 0;
    AX_TRY(ax_binner_close(t->binner, f->pool, &t->bins, err));
    ax_binner_free(t->binner);
    t->binner = NULL;
    *done = true;
    return AX_OK;
}

/* Compressed rows were forgotten; the bins stand for them. */
static void keep_bins(ax_fit *f, ax_fit_trees *t)
{
    if (!ax_dataset_compressed(f->rows.data))
        return;
    f->bins = t->bins;
    t->bins = NULL;
}

static ax_status tell_importance(ax_fit *f, const ax_fit_trees *t, ax_error *err)
{
    double *gain = ax_arena_array(&f->arena, (size_t) t->columns, sizeof(*gain));
    double *splits = ax_arena_array(&f->arena, (size_t) t->columns, sizeof(*splits));

    if (gain == NULL || splits == NULL)
        return ax_nomem(err);
    if (t->booster != NULL)
        ax_booster_importance(t->booster, gain, splits);
    else
        ax_wood_importance(t->wood, gain, splits);
    return ax_fit_tell_importance(f, gain, splits, err);
}

ax_status ax_fit_trees_add(ax_fit *f, ax_fit_trees *t, const ax_forest *forest, ax_fit_summary *s, int *out,
                           ax_error *err)
{
    if (forest == NULL)
        return err->status;
    AX_TRY(ax_graph_add_forest(f->model->graph, "trees", f->model->input, forest, out, err));
    AX_TRY(tell_importance(f, t, err));
    s->parameters = forest->n_nodes;
    s->outputs = forest->n_outputs;
    keep_bins(f, t);
    return AX_OK;
}
