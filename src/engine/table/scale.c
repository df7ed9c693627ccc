/*
 * scale.c: how each number goes into a model: what fills its gaps, its bounds, and what is subtracted and multiplied.
 *
 *     x = fill where it is NaN;  x = min(max(x, low), high);  x = log(x + 1);  x = (x - offset) * factor
 *
 *     standardize   offset: mean, factor: 1 / sd (of the population)
 *     min_max       offset: min, factor: 1 / (max - min)
 *     robust        offset: median, factor: 1 / (q75 - q25)
 *
 * All of them are statistics of the values that are there, after bounds and logarithm: gaps neither move the mean nor
 * narrow the deviation. A column without spread has factor 1. The codes of an ordinal text and the means of a target
 * encoding are numbers like others.
 */
#include "table/prepare.h"

#include <float.h>
#include <math.h>

#define LEAST_LOG (-0x1.fffffep-1f) /* above -1, where log(x + 1) ends */

/* ---- which elements are numbers -------------------------------------------------------------- */

static bool is_number(const ax_element *e, const ax_column_options *o)
{
    if (e->text != NULL)
        return e->text->encode == AX_ENCODE_ORDINAL || e->text->encode == AX_ENCODE_TARGET;
    return !o->category;
}

/* Trees tell a number's categories apart by their codes: the numbers must be codes. */
static ax_status check_codes(const ax_element *e, ax_error *err)
{
    if (e->moments.min >= 0 && e->moments.max < AX_TREE_CATEGORIES)
        for (int k = 0; k < e->n_levels && e->level[k] == floorf(e->level[k]); k++)
            if (k == e->n_levels - 1)
                return AX_OK;
    ax_fail(err, AX_ERR_INVALID,
            "column \"%s\" cannot be a category for trees: its values are not all whole numbers from 0 to %d",
            e->summary.name, AX_TREE_CATEGORIES - 1);
    ax_hint(err, "Cast it to text in the query.");
    return AX_ERR_INVALID;
}

static ax_status find_numbers(ax_preparation *p, ax_error *err)
{
    for (int64_t i = 0; i < p->width; i++) {
        ax_element *e = &p->element[i];
        const ax_column_options *o = &p->options[e->column];

        if (!ax_element_used(e))
            continue;
        if (o->category)
            e->summary.encoding = p->family == AX_FAMILY_TREES ? "ordinal" : "one_hot";
        if (p->family == AX_FAMILY_TREES) {
            if (o->category)
                AX_TRY(check_codes(e, err));
            continue;
        }
        e->number = is_number(e, o);
        e->indicator = o->missing_indicator;
        if (e->number && e->text == NULL && e->moments.min == e->moments.max) {
            e->number = false; /* one value or NULL: only which of them says something */
            e->indicator = true;
            e->summary.encoding = "missing_indicator";
        }
    }
    return AX_OK;
}

/* ---- statistics of what texts have become ---------------------------------------------------- */

typedef struct quartiles_arg {
    ax_preparation *p;
    const int64_t *list;
    double (*quartile)[3]; /* (width) */
} quartiles_arg;

static ax_status keep_quartiles(void *arg, int64_t i, const float *sorted, int64_t count, ax_error *err)
{
    quartiles_arg *a = arg;
    ax_element *e = &a->p->element[a->list[i]];
    const ax_column_options *o = &a->p->options[e->column];

    for (int k = 0; k < 3; k++)
        a->quartile[a->list[i]][k] = ax_quantile(sorted, count, 0.25 * (k + 1));
    e->clip[0] = ax_quantile(sorted, count, o->clip[0]);
    e->clip[1] = ax_quantile(sorted, count, o->clip[1]);
    return AX_OK;
}

static ax_status look_at_codes(ax_preparation *p, const ax_dataset *d, int64_t *list, ax_moments *m,
                               double (*quartile)[3], ax_error *err)
{
    quartiles_arg arg = {p, list, quartile};
    int64_t n = 0;

    for (int64_t i = 0; i < p->width; i++) {
        const ax_column_summary *s = &p->element[i].summary;

        quartile[i][0] = s->q25;
        quartile[i][1] = s->median;
        quartile[i][2] = s->q75;
        if (p->element[i].number && p->element[i].text != NULL)
            list[n++] = i;
    }
    AX_TRY(ax_rows_moments(d, n, list, NULL, m, err));
    for (int64_t k = 0; k < n; k++)
        p->element[list[k]].moments = m[k];
    return ax_rows_sorted(d, n, list, keep_quartiles, &arg, err);
}

/* ---- filling and bounds ---------------------------------------------------------------------- */

static ax_status set_bounds(ax_element *e, const ax_column_options *o, double median, ax_error *err)
{
    e->fill = (float) (o->impute == AX_IMPUTE_MEAN     ? e->moments.mean
                       : o->impute == AX_IMPUTE_MEDIAN ? median
                                                       : o->fill_value);
    e->low = o->clips ? (float) e->clip[0] : -FLT_MAX;
    e->high = o->clips ? (float) e->clip[1] : FLT_MAX;
    e->log1p = o->log1p;
    if (!e->log1p)
        return AX_OK;
    if (AX_MAX(e->moments.min, e->low) <= -1) {
        ax_fail(err, AX_ERR_NUMERIC, "column \"%s\" has values of -1 or less, which have no log1p", e->summary.name);
        ax_hint(err, "Choose another \"scale\" in the option \"columns\".");
        return AX_ERR_NUMERIC;
    }
    e->low = AX_MAX(e->low, LEAST_LOG);
    return AX_OK;
}

static double changed(const ax_element *e, double x)
{
    x = AX_MIN(AX_MAX(x, (double) e->low), (double) e->high);
    return e->log1p ? log1p(x) : x;
}

static void set_scale(ax_element *e, ax_scaling scaling, const ax_moments *m, const double *quartile)
{
    double offset = 0, spread = 1;

    if (scaling == AX_SCALING_STANDARDIZE) {
        offset = m->mean;
        spread = sqrt(m->squares / (double) m->count);
    } else if (scaling == AX_SCALING_MIN_MAX) {
        offset = changed(e, (double) e->moments.min);
        spread = changed(e, (double) e->moments.max) - offset;
    } else if (scaling == AX_SCALING_ROBUST) {
        offset = changed(e, quartile[1]);
        spread = changed(e, quartile[2]) - changed(e, quartile[0]);
    }
    e->offset = (float) offset;
    e->factor = (float) (1 / spread);
    if (!isfinite(e->factor) || e->factor == 0)
        e->factor = 1;
}

static ax_scaling scaling_of(const ax_preparation *p, const ax_column_options *o)
{
    bool scales = p->family == AX_FAMILY_NETWORK || p->family == AX_FAMILY_DISTANCE;

    return o->scale_given ? o->scaling : scales ? AX_SCALING_STANDARDIZE : AX_SCALING_NONE;
}

static const char *encoding_name(const ax_column_options *o, ax_scaling scaling)
{
    static const char *const names[2][2][4] = {
        {{"none", "standardize", "min_max", "robust"},
         {"log1p", "log1p, standardize", "log1p, min_max", "log1p, robust"}},
        {{"clip", "clip, standardize", "clip, min_max", "clip, robust"},
         {"clip, log1p", "clip, log1p, standardize", "clip, log1p, min_max", "clip, log1p, robust"}},
    };

    return names[o->clips][o->log1p][scaling];
}

/* ---- all together ---------------------------------------------------------------------------- */

/* Moments after bounds and logarithm, for the elements that have them. m: by element, else as they were. */
static ax_status look_at_changed(ax_preparation *p, const ax_dataset *d, int64_t *list, ax_change *change,
                                 ax_moments *found, ax_moments *m, ax_error *err)
{
    int64_t n = 0;

    for (int64_t i = 0; i < p->width; i++) {
        const ax_element *e = &p->element[i];
        const ax_column_options *o = &p->options[e->column];

        m[i] = e->moments;
        if (!e->number || (!o->clips && !o->log1p) || scaling_of(p, o) != AX_SCALING_STANDARDIZE)
            continue;
        change[n] = (ax_change){e->low, e->high, e->log1p};
        list[n++] = i;
    }
    AX_TRY(ax_rows_moments(d, n, list, change, found, err));
    for (int64_t k = 0; k < n; k++)
        m[list[k]] = found[k];
    return AX_OK;
}

static ax_status scale(ax_preparation *p, const ax_dataset *d, ax_arena *work, ax_error *err)
{
    size_t n = (size_t) p->width;
    int64_t *list = ax_arena_array(work, n, sizeof(*list));
    ax_moments *m = ax_arena_array(work, n, sizeof(*m)), *found = ax_arena_array(work, n, sizeof(*found));
    ax_change *change = ax_arena_array(work, n, sizeof(*change));
    double(*quartile)[3] = ax_arena_array(work, n, sizeof(*quartile));

    if (list == NULL || m == NULL || found == NULL || change == NULL || quartile == NULL)
        return ax_nomem(err);
    AX_TRY(look_at_codes(p, d, list, found, quartile, err));
    for (size_t i = 0; i < n; i++)
        if (p->element[i].number)
            AX_TRY(set_bounds(&p->element[i], &p->options[p->element[i].column], quartile[i][1], err));
    AX_TRY(look_at_changed(p, d, list, change, found, m, err));
    for (size_t i = 0; i < n; i++) {
        ax_element *e = &p->element[i];
        const ax_column_options *o = &p->options[e->column];

        if (!e->number)
            continue;
        set_scale(e, scaling_of(p, o), &m[i], quartile[i]);
        if (e->text == NULL)
            e->summary.encoding = encoding_name(o, scaling_of(p, o));
    }
    return AX_OK;
}

ax_status ax_prepare_numbers(ax_preparation *p, const ax_dataset *d, ax_error *err)
{
    ax_arena work;
    ax_status status;

    AX_TRY(find_numbers(p, err));
    ax_arena_init(&work, &d->env);
    status = scale(p, d, &work, err);
    ax_arena_free(&work);
    return status;
}
