/*
 * prepare.c: ax.h's ax_preparation: learning, step by step, and what it tells of itself.
 *
 *     columns.c      options of each column
 *     summarize.c    statistics, what is of no use
 *     encode_text.c  codes of texts, put into the rows
 *     scale.c        how numbers are filled and scaled
 *     outputs.c      the front, and the list of what comes out
 *     prepare_nodes.c  the nodes of that
 */
#include "table/prepare.h"

#define MAX_COLUMNS 100000
#define MAX_CATEGORIES (1 << 24) /* whole numbers that a float can tell apart */

/* ---- the columns ----------------------------------------------------------------------------- */

static ax_status copy_parts(ax_preparation *p, const ax_column *from, ax_column *to, ax_error *err)
{
    const char **part = ax_arena_array(&p->arena, (size_t) from->width, sizeof(*part));

    if (part == NULL)
        return ax_nomem(err);
    to->part = part;
    for (int64_t k = 0; k < from->width; k++) {
        part[k] = ax_arena_strdup(&p->arena, from->part[k]);
        if (part[k] == NULL)
            return ax_nomem(err);
    }
    return AX_OK;
}

static ax_status copy_categories(ax_preparation *p, const ax_column *c, int64_t at, ax_error *err)
{
    ax_text_codes *t = ax_arena_alloc(&p->arena, sizeof(*t));
    size_t n = (size_t) c->n_categories;
    const char **category = ax_arena_array(&p->arena, n, sizeof(*category));

    if (t == NULL || category == NULL)
        return ax_nomem(err);
    p->text[p->n_texts++] = t;
    t->at = at;
    t->n_categories = c->n_categories;
    t->category = category;
    t->count = ax_arena_array(&p->arena, n, sizeof(*t->count));
    t->order = ax_arena_array(&p->arena, n, sizeof(*t->order));
    if (t->count == NULL || t->order == NULL)
        return ax_nomem(err);
    for (int k = 0; k < c->n_categories; k++) {
        category[k] = ax_arena_strdup(&p->arena, c->category[k]);
        if (category[k] == NULL)
            return ax_nomem(err);
    }
    return AX_OK;
}

static ax_status copy_column(ax_preparation *p, const ax_column *from, int64_t at, ax_column *to, ax_error *err)
{
    *to = (ax_column){.name = ax_arena_strdup(&p->arena, from->name), .text = from->text, .width = from->width};
    if (to->name == NULL)
        return ax_nomem(err);
    if (from->left_out != NULL) {
        to->left_out = ax_arena_strdup(&p->arena, from->left_out);
        if (to->left_out == NULL)
            return ax_nomem(err);
    }
    if (from->part != NULL)
        AX_TRY(copy_parts(p, from, to, err));
    return from->text ? copy_categories(p, from, at, err) : AX_OK;
}

/* Widths that are possible and add up to that of the rows. */
static ax_status check_columns(const ax_preparation_spec *spec, const ax_dataset *d, ax_error *err)
{
    int64_t width = 0;

    if (spec->n_columns < 1)
        return ax_fail(err, AX_ERR_INVALID, "there are no columns to learn from");
    if (spec->n_columns > MAX_COLUMNS)
        return ax_fail(err, AX_ERR_LIMIT, "there are %d columns, the maximum is %d", spec->n_columns, MAX_COLUMNS);
    for (int i = 0; i < spec->n_columns; i++) {
        const ax_column *c = &spec->column[i];

        if (c->width < 1 || c->width > d->width || (c->text && c->width != 1) || c->n_categories < 0)
            return ax_fail(err, AX_ERR_INVALID, "column \"%s\" cannot have %lld floats", c->name, (long long) c->width);
        if (c->n_categories > MAX_CATEGORIES)
            return ax_fail(err, AX_ERR_LIMIT, "column \"%s\" has more than %d different texts", c->name,
                           MAX_CATEGORIES);
        width += c->width;
    }
    if (d->type != AX_FLOAT || width != d->width)
        return ax_fail(err, AX_ERR_INVALID, "rows of %lld %ss do not fit columns of %lld floats", (long long) d->width,
                       ax_dtype_name(d->type), (long long) width);
    return AX_OK;
}

static ax_status copy_columns(ax_preparation *p, const ax_preparation_spec *spec, ax_error *err)
{
    size_t n = (size_t) spec->n_columns;
    int64_t at = 0;

    p->n_columns = spec->n_columns;
    p->column = ax_arena_array(&p->arena, n, sizeof(*p->column));
    p->options = ax_arena_array(&p->arena, n, sizeof(*p->options));
    p->text = ax_arena_array(&p->arena, n, sizeof(*p->text));
    p->element = ax_arena_array(&p->arena, (size_t) p->width, sizeof(*p->element));
    if (p->column == NULL || p->options == NULL || p->text == NULL || p->element == NULL)
        return ax_nomem(err);
    for (int i = 0; i < p->n_columns; i++) {
        AX_TRY(copy_column(p, &spec->column[i], at, &p->column[i], err));
        at += spec->column[i].width;
    }
    return AX_OK;
}

/* ---- learning -------------------------------------------------------------------------------- */

static ax_status check_some(const ax_preparation *p, const ax_dataset *d, ax_error *err)
{
    if (d->rows == 0)
        return ax_fail(err, AX_ERR_INVALID, "there are no rows to learn from");
    for (int64_t i = 0; i < p->width; i++)
        if (ax_element_used(&p->element[i]))
            return AX_OK;
    ax_fail(err, AX_ERR_INVALID, "no column is of use to learn from");
    ax_detail(err, "Column \"%s\" %s.", p->element[0].summary.name, p->element[0].summary.left_out);
    return AX_ERR_INVALID;
}

/* Trees take infinities like any number; sums and products do not. */
static ax_status check_infinite(const ax_preparation *p, ax_error *err)
{
    for (int64_t i = 0; p->family != AX_FAMILY_TREES && i < p->width; i++) {
        const ax_element *e = &p->element[i];

        if (!ax_element_used(e) || e->moments.above + e->moments.below == 0)
            continue;
        ax_fail(err, AX_ERR_NUMERIC, "column \"%s\" has an infinite value", e->summary.name);
        ax_hint(err, "Make it NULL in the query: NULLIF(column, 'Infinity').");
        return AX_ERR_NUMERIC;
    }
    return AX_OK;
}

static ax_status learn(ax_preparation *p, const ax_preparation_spec *spec, const ax_options *options, ax_dataset *d,
                       ax_error *err)
{
    p->task = spec->task;
    p->width = d->width;
    p->seed = (uint64_t) ax_options_integer(options, "seed");
    AX_TRY(ax_family_of(spec->algorithm, &p->family, err));
    AX_TRY(copy_columns(p, spec, err));
    AX_TRY(ax_column_options_read(p->column, p->n_columns, options, p->options, err));
    AX_TRY(ax_prepare_summaries(p, d, err));
    if (options == NULL)
        return AX_OK;
    AX_TRY(check_some(p, d, err));
    AX_TRY(check_infinite(p, err));
    AX_TRY(ax_encode_texts(p, d, err));
    AX_TRY(ax_prepare_numbers(p, d, err));
    return ax_prepare_outputs(p, err);
}

ax_status ax_preparation_learn(const ax_env *env, const ax_preparation_spec *spec, const ax_options *options,
                               ax_dataset *d, ax_preparation **out, ax_error *err)
{
    ax_preparation *p;
    ax_status status;

    AX_TRY(check_columns(spec, d, err));
    p = ax_zalloc(env, sizeof(*p));
    if (p == NULL)
        return ax_nomem(err);
    ax_arena_init(&p->arena, env);
    status = learn(p, spec, options, d, err);
    if (status == AX_OK)
        *out = p;
    else
        ax_preparation_free(p);
    return status;
}

void ax_preparation_free(ax_preparation *p)
{
    ax_env env;

    if (p == NULL)
        return;
    env = p->arena.env;
    ax_arena_free(&p->arena);
    ax_free(&env, p);
}

/* ---- what it tells --------------------------------------------------------------------------- */

int ax_preparation_summaries(const ax_preparation *p)
{
    return (int) p->width;
}

const ax_column_summary *ax_preparation_summary(const ax_preparation *p, int i)
{
    return i >= 0 && i < p->width ? &p->element[i].summary : NULL;
}

const ax_front_column *ax_preparation_front(const ax_preparation *p, int *n)
{
    *n = p->n_columns;
    return p->front;
}

int64_t ax_preparation_row_width(const ax_preparation *p)
{
    return p->width;
}

const char *ax_preparation_output(const ax_preparation *p, int64_t i)
{
    return i >= 0 && i < p->n_outputs ? p->output[i] : NULL;
}

const ax_row_part *ax_preparation_part(const ax_preparation *p, int64_t i)
{
    return p->part != NULL && i >= 0 && i < p->width ? &p->part[i] : NULL;
}
