/*
 * summarize.c: the elements of a table's row and what is known of each; which of them are of no use.
 *
 * Left out is what the caller or the user leaves out, what is always NULL, what has one value only (one value or NULL
 * still says something by being there), and a text that is different in nearly every row: a name, an id. "Nearly":
 * more than 9 of 10 texts, of at least 20, occur once or are as good as that: distinct > 0.9 * count. Who names an
 * encoding for such a text keeps it.
 */
#include "table/prepare.h"

#include <math.h>

#define ID_ROWS 20
#define ID_SHARE 0.9

static const char *element_name(ax_preparation *p, const ax_column *c, int64_t k)
{
    if (c->part != NULL)
        return ax_arena_printf(&p->arena, "%s.%s", c->name, c->part[k]);
    if (c->width > 1)
        return ax_arena_printf(&p->arena, "%s.%lld", c->name, (long long) k + 1);
    return c->name;
}

/* ---- statistics ------------------------------------------------------------------------------ */

/* Elements of one kind, as a list. */
static int64_t list_elements(const ax_preparation *p, bool text, int64_t *list)
{
    int64_t n = 0;

    for (int64_t i = 0; i < p->width; i++)
        if (p->element[i].summary.text == text)
            list[n++] = i;
    return n;
}

static double sample_sd(const ax_moments *m)
{
    if (m->above + m->below > 0 || m->count < 1)
        return NAN;
    return m->count == 1 ? NAN : sqrt(m->squares / (double) (m->count - 1));
}

static double whole_mean(const ax_moments *m)
{
    if (m->count == 0 || (m->above > 0 && m->below > 0))
        return NAN;
    return m->above > 0 ? (double) INFINITY : m->below > 0 ? -(double) INFINITY : m->mean;
}

static void tell_moments(ax_element *e)
{
    ax_column_summary *s = &e->summary;

    s->count = e->moments.count;
    s->nulls = e->moments.nulls;
    s->mean = whole_mean(&e->moments);
    s->sd = sample_sd(&e->moments);
    s->min = (double) e->moments.min;
    s->max = (double) e->moments.max;
}

typedef struct sorted_arg {
    ax_preparation *p;
    const int64_t *list;
} sorted_arg;

/* The different values of sorted numbers, and how often each occurs, in arrays that have room. */
static int different_values(const float *sorted, int64_t count, float *value, int64_t *times)
{
    int n = 0;

    for (int64_t i = 0; i < count; i++) {
        if (i == 0 || sorted[i] != sorted[i - 1]) {
            value[n] = sorted[i];
            times[n++] = 0;
        }
        times[n - 1]++;
    }
    return n;
}

static ax_status choose_levels(ax_preparation *p, ax_element *e, int n, const float *value, const int64_t *times,
                               int *order, ax_error *err)
{
    int64_t wish = p->options[e->column].categories;

    AX_TRY(ax_frequency_order(&p->arena.env, times, n, order, &n, err));
    e->n_levels = (int) AX_MIN(n, wish > 0 ? wish : AX_ONE_HOT_CATEGORIES);
    e->level = ax_arena_array(&p->arena, (size_t) e->n_levels, sizeof(float));
    if (e->level == NULL)
        return ax_nomem(err);
    for (int k = 0; k < e->n_levels; k++)
        e->level[k] = value[order[k]];
    return AX_OK;
}

/* The most frequent values of a number that is a category. */
static ax_status keep_levels(ax_preparation *p, ax_element *e, const float *sorted, int64_t count, ax_error *err)
{
    ax_arena work;
    float *value;
    int64_t *times;
    int *order;
    ax_status status;

    ax_arena_init(&work, &p->arena.env);
    value = ax_arena_array(&work, (size_t) count, sizeof(*value));
    times = ax_arena_array(&work, (size_t) count, sizeof(*times));
    order = ax_arena_array(&work, (size_t) count, sizeof(*order));
    if (value == NULL || times == NULL || order == NULL)
        status = ax_nomem(err);
    else
        status = choose_levels(p, e, different_values(sorted, count, value, times), value, times, order, err);
    ax_arena_free(&work);
    return status;
}

static ax_status tell_quantiles(void *arg, int64_t i, const float *sorted, int64_t count, ax_error *err)
{
    sorted_arg *a = arg;
    ax_element *e = &a->p->element[a->list[i]];
    const ax_column_options *o = &a->p->options[e->column];

    e->summary.q25 = ax_quantile(sorted, count, 0.25);
    e->summary.median = ax_quantile(sorted, count, 0.5);
    e->summary.q75 = ax_quantile(sorted, count, 0.75);
    e->clip[0] = ax_quantile(sorted, count, o->clip[0]);
    e->clip[1] = ax_quantile(sorted, count, o->clip[1]);
    return o->category ? keep_levels(a->p, e, sorted, count, err) : AX_OK;
}

static ax_status summarize_numbers(ax_preparation *p, const ax_dataset *d, int64_t *list, ax_moments *m,
                                   ax_error *err)
{
    int64_t n = list_elements(p, false, list);
    sorted_arg arg = {p, list};

    AX_TRY(ax_rows_moments(d, n, list, NULL, m, err));
    for (int64_t i = 0; i < n; i++) {
        p->element[list[i]].moments = m[i];
        tell_moments(&p->element[list[i]]);
    }
    return ax_rows_sorted(d, n, list, tell_quantiles, &arg, err);
}

static ax_status tell_categories(ax_preparation *p, ax_text_codes *t, const ax_dataset *d, ax_error *err)
{
    ax_element *e = &p->element[t->at];
    ax_column_summary *s = &e->summary;
    const char **top = ax_arena_array(&p->arena, AX_TOP, sizeof(*top));
    int64_t *top_count = ax_arena_array(&p->arena, AX_TOP, sizeof(*top_count));

    if (top == NULL || top_count == NULL)
        return ax_nomem(err);
    AX_TRY(ax_frequency_order(&d->env, t->count, t->n_categories, t->order, &t->n_seen, err));
    for (int k = 0; k < t->n_seen; k++)
        s->count += t->count[t->order[k]];
    s->nulls = d->rows - s->count;
    s->distinct = t->n_seen;
    s->n_top = AX_MIN(t->n_seen, AX_TOP);
    for (int k = 0; k < s->n_top; k++) {
        top[k] = t->category[t->order[k]];
        top_count[k] = t->count[t->order[k]];
    }
    s->top = top;
    s->top_count = top_count;
    return AX_OK;
}

static ax_status summarize_texts(ax_preparation *p, const ax_dataset *d, int64_t *list, ax_arena *work, ax_error *err)
{
    int *n_categories = ax_arena_array(work, (size_t) p->n_texts, sizeof(*n_categories));
    int64_t **count = ax_arena_array(work, (size_t) p->n_texts, sizeof(*count));

    if (n_categories == NULL || count == NULL)
        return ax_nomem(err);
    for (int i = 0; i < p->n_texts; i++) {
        list[i] = p->text[i]->at;
        n_categories[i] = p->text[i]->n_categories;
        count[i] = p->text[i]->count;
    }
    AX_TRY(ax_rows_categories(d, p->n_texts, list, n_categories, count, err));
    for (int i = 0; i < p->n_texts; i++)
        AX_TRY(tell_categories(p, p->text[i], d, err));
    return AX_OK;
}

/* ---- what is of no use ----------------------------------------------------------------------- */

static bool is_id(const ax_element *e, const ax_column_options *o)
{
    return e->text != NULL && o->encode == AX_ENCODE_DEFAULT && e->summary.count >= ID_ROWS &&
           (double) e->text->n_seen > ID_SHARE * (double) e->summary.count;
}

static bool has_one_value(const ax_element *e)
{
    if (e->text != NULL)
        return e->text->n_seen == 1;
    return e->moments.min == e->moments.max;
}

static const char *reason(const ax_preparation *p, const ax_element *e)
{
    const ax_column_options *o = &p->options[e->column];

    if (p->column[e->column].left_out != NULL)
        return p->column[e->column].left_out;
    if (o->excluded)
        return "is excluded";
    if (e->summary.count == 0)
        return "is always NULL";
    if (has_one_value(e) && e->summary.nulls == 0)
        return "has one value only";
    if (e->text != NULL && o->encode == AX_ENCODE_NONE)
        return "is a text that is not to be encoded";
    return is_id(e, o) ? "has a different text in nearly every row" : NULL;
}

/* ---- all together ---------------------------------------------------------------------------- */

static ax_status name_elements(ax_preparation *p, ax_error *err)
{
    ax_element *e = p->element;

    for (int i = 0; i < p->n_columns; i++) {
        const ax_column *c = &p->column[i];

        for (int64_t k = 0; k < c->width; k++, e++) {
            e->column = i;
            e->summary = (ax_column_summary){.name = element_name(p, c, k),
                                             .text = c->text,
                                             .distinct = -1,
                                             .mean = NAN,
                                             .sd = NAN,
                                             .min = NAN,
                                             .q25 = NAN,
                                             .median = NAN,
                                             .q75 = NAN,
                                             .max = NAN,
                                             .encoding = "none"};
            if (e->summary.name == NULL)
                return ax_nomem(err);
        }
    }
    for (int i = 0; i < p->n_texts; i++)
        p->element[p->text[i]->at].text = p->text[i];
    return AX_OK;
}

static ax_status summarize(ax_preparation *p, const ax_dataset *d, ax_arena *work, ax_error *err)
{
    int64_t *list = ax_arena_array(work, (size_t) p->width, sizeof(*list));
    ax_moments *m = ax_arena_array(work, (size_t) p->width, sizeof(*m));

    if (list == NULL || m == NULL)
        return ax_nomem(err);
    AX_TRY(name_elements(p, err));
    AX_TRY(summarize_numbers(p, d, list, m, err));
    AX_TRY(summarize_texts(p, d, list, work, err));
    for (int64_t i = 0; i < p->width; i++)
        p->element[i].summary.left_out = reason(p, &p->element[i]);
    return AX_OK;
}

ax_status ax_prepare_summaries(ax_preparation *p, const ax_dataset *d, ax_error *err)
{
    ax_arena work;
    ax_status status;

    ax_arena_init(&work, &d->env);
    status = summarize(p, d, &work, err);
    ax_arena_free(&work);
    return status;
}
