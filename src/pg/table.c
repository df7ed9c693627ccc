/*
 * table.c: see table.h.
 *
 * The engine knows a column by its elements, and so does what is shown: one line for a number or a text, one for each
 * part of a date or element of an array. Two things the reading of the rows knows better than the engine and puts
 * right: a text column of too many categories, whose rows hold no numbers any more, and columns that were not read.
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "catalog.h"
#include "guard.h"
#include "table.h"

const char *const aiaas_element_number[AIAAS_ELEMENT_NUMBERS] = {"mean", "sd",  "min", "q25",
                                                                 "median", "q75", "max"};

/* ---- learning -------------------------------------------------------------------------------- */

/* Why the engine need not look at the column, or NULL. */
static const char *left_out_by_reading(const AiaasFeature *f, const ax_options *options)
{
    if (f->categories != NULL && aiaas_categories_full(f->categories))
        return psprintf("has more than %d different texts", AIAAS_CATEGORIES_MAX);
    if (f->ragged)
        return "holds arrays of several lengths";
    if (f->kind != AIAAS_OTHER)
        return NULL;
    return options != NULL ? "is excluded" : psprintf("has type %s", f->type);
}

static const char *const *categories_of(const AiaasFeature *f)
{
    int n = aiaas_categories_count(f->categories);
    const char *const *text = aiaas_categories_texts(f->categories);
    const char **utf8 = palloc_extended(sizeof(char *) * Max(n, 1), MCXT_ALLOC_HUGE);

    for (int i = 0; i < n; i++)
        utf8[i] = aiaas_to_model(text[i]);
    return utf8;
}

static void fill_column(ax_column *c, const AiaasFeature *f, const ax_options *options)
{
    c->name = aiaas_to_model(f->name);
    c->text = f->kind == AIAAS_TEXT;
    c->width = f->width;
    c->left_out = left_out_by_reading(f, options);
    if (f->kind == AIAAS_TIME)
        c->part = aiaas_moment_parts(f->moment);
    if (f->kind == AIAAS_TEXT) {
        c->category = categories_of(f);
        c->n_categories = aiaas_categories_count(f->categories);
    }
}

/* A column is left out when all of its elements are. */
static void mark_left_out(AiaasFeatures *f, const ax_preparation *p)
{
    int64 at = 0;

    for (int i = 0; i < f->count; i++) {
        AiaasFeature *c = &f->column[i];

        c->left_out = true;
        for (int64 k = 0; k < c->width; k++)
            c->left_out &= ax_preparation_summary(p, (int) at++)->left_out != NULL;
    }
}

ax_preparation *aiaas_table_learn(AiaasRows *rows, ax_dataset *d, ax_dataset *valid, const char *algorithm,
                                  ax_task task, const ax_options *options)
{
    MemoryContext old = MemoryContextSwitchTo(rows->context);
    AiaasFeatures *f = rows->features;
    ax_column *column = palloc0(sizeof(ax_column) * f->count);
    ax_preparation_spec spec = {.column = column, .n_columns = f->count, .algorithm = algorithm, .task = task};
    ax_preparation *p;
    ax_error err;

    for (int i = 0; i < f->count; i++)
        fill_column(&column[i], &f->column[i], options);
    aiaas_check(ax_preparation_learn(&rows->env, &spec, options, d, &p, &err), &err, NULL);
    if (options != NULL)
        mark_left_out(f, p);
    if (options != NULL && valid != NULL)
        aiaas_check(ax_preparation_apply(p, valid, &err), &err, NULL);
    pfree(column);
    MemoryContextSwitchTo(old);
    return p;
}

void aiaas_table_tell_left_out(const AiaasRows *rows, const ax_preparation *p)
{
    const AiaasFeatures *f = rows->features;
    int64 at = 0;

    for (int i = 0; i < f->count; i++) {
        const ax_column_summary *s = ax_preparation_summary(p, (int) at);

        at += f->column[i].width;
        if (f->column[i].left_out && s->left_out != NULL && strcmp(s->left_out, "is excluded") != 0)
            ereport(NOTICE, (errmsg("column \"%s\" is left out: it %s", f->column[i].name, s->left_out)));
    }
}

/* ---- what is known of an element ------------------------------------------------------------- */

static Jsonb *top_of(const ax_column_summary *s)
{
    StringInfoData json;

    if (!s->text || s->n_top == 0)
        return NULL;
    initStringInfo(&json);
    appendStringInfoChar(&json, '[');
    for (int i = 0; i < s->n_top; i++) {
        appendStringInfoString(&json, i > 0 ? ", {\"value\": " : "{\"value\": ");
        escape_json(&json, aiaas_from_model(s->top[i]));
        appendStringInfo(&json, ", \"count\": " INT64_FORMAT "}", (int64) s->top_count[i]);
    }
    appendStringInfoChar(&json, ']');
    return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

static void fill_element(AiaasElement *e, const AiaasFeature *f, const ax_column_summary *s, int64 rows)
{
    const double number[AIAAS_ELEMENT_NUMBERS] = {s->mean, s->sd, s->min, s->q25, s->median, s->q75, s->max};
    bool full = f->categories != NULL && aiaas_categories_full(f->categories);
    bool unread = f->kind == AIAAS_OTHER || f->ragged;

    memset(e, 0, sizeof(*e));
    e->name = f->ragged ? f->name : aiaas_from_model(s->name);
    e->type = f->type;
    e->nulls = full || unread ? f->nulls : s->nulls;
    e->count = full || unread ? rows - f->nulls : s->count;
    e->distinct = full || unread ? -1 : s->distinct;
    for (int i = 0; i < AIAAS_ELEMENT_NUMBERS; i++)
        e->number[i] = f->kind == AIAAS_TEXT || unread ? NAN : number[i];
    e->top = full || unread ? NULL : top_of(s);
    e->encoding = s->encoding;
    e->left_out = aiaas_from_model(s->left_out);
}

void aiaas_table_elements(const AiaasRows *rows, const ax_preparation *p,
                          void (*visit)(void *arg, const AiaasElement *e), void *arg)
{
    const AiaasFeatures *f = rows->features;
    int64 at = 0;

    for (int i = 0; i < f->count; i++) {
        const AiaasFeature *c = &f->column[i];
        int64 shown = c->ragged ? 1 : c->width;

        for (int64 k = 0; k < shown; k++) {
            AiaasElement e;

            CHECK_FOR_INTERRUPTS();
            fill_element(&e, c, ax_preparation_summary(p, (int) (at + k)), rows->count);
            visit(arg, &e);
        }
        at += c->width;
    }
}

/* ---- the catalog ----------------------------------------------------------------------------- */

static void write_number(StringInfo s, const char *name, double value)
{
    char digits[DOUBLE_SHORTEST_DECIMAL_LEN];

    if (!isfinite(value))
        return;
    double_to_shortest_decimal_buf(value, digits);
    appendStringInfo(s, ", \"%s\": %s", name, digits);
}

static Jsonb *statistics_of(const AiaasElement *e)
{
    StringInfoData s;

    initStringInfo(&s);
    appendStringInfo(&s, "{\"count\": " INT64_FORMAT ", \"nulls\": " INT64_FORMAT, e->count, e->nulls);
    if (e->distinct >= 0)
        appendStringInfo(&s, ", \"distinct\": " INT64_FORMAT, e->distinct);
    for (int i = 0; i < AIAAS_ELEMENT_NUMBERS; i++)
        write_number(&s, aiaas_element_number[i], e->number[i]);
    if (e->top != NULL)
        appendStringInfo(&s, ", \"top\": %s", JsonbToCString(NULL, &e->top->root, VARSIZE(e->top)));
    appendStringInfoChar(&s, '}');
    return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(s.data)));
}

typedef struct Storing {
    int64 version_id;
    int32 place;
} Storing;

static void store_element(void *arg, const AiaasElement *e)
{
    Storing *s = arg;

    aiaas_feature_insert(s->version_id, ++s->place, e->name, e->type, e->encoding, e->left_out, statistics_of(e));
}

void aiaas_table_store(int64 version_id, const AiaasRows *rows, const ax_preparation *p)
{
    Storing s = {.version_id = version_id};

    aiaas_table_elements(rows, p, store_element, &s);
}
