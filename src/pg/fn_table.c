/*
 * fn_table.c: aiaas_describe, and what models of other algorithms have to show: aiaas_coefficients, aiaas_importance,
 * aiaas_tree.
 *
 * A model that is shown is a private copy, which needs no place in the session's cache.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "ax.h"
#include "cache.h"
#include "compat.h"
#include "fn.h"
#include "guard.h"
#include "rows.h"
#include "table.h"

/* ---- rows of an answer ----------------------------------------------------------------------- */

#define COLUMNS_MAX 16

/* A row being filled from left to right. */
typedef struct Line {
    int n;
    Datum value[COLUMNS_MAX];
    bool isnull[COLUMNS_MAX];
} Line;

static void put(Line *l, Datum value, bool isnull)
{
    Assert(l->n < COLUMNS_MAX);
    l->value[l->n] = value;
    l->isnull[l->n++] = isnull;
}

static void put_text(Line *l, const char *text)
{
    put(l, text != NULL ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

static void put_number(Line *l, double number)
{
    put(l, Float8GetDatum(number), isnan(number));
}

static void put_count(Line *l, int64 count)
{
    put(l, Int64GetDatum(count), count < 0);
}

static void emit(FunctionCallInfo fcinfo, Line *l)
{
    ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

    tuplestore_putvalues(result->setResult, result->setDesc, l->value, l->isnull);
}

/* ---- aiaas_describe -------------------------------------------------------------------------- */

static void describe_element(void *arg, const AiaasElement *e)
{
    FunctionCallInfo fcinfo = arg;
    Line l = {.n = 0};

    put_text(&l, e->name);
    put_text(&l, e->type);
    put_count(&l, e->count);
    put_count(&l, e->nulls);
    put_count(&l, e->distinct);
    for (int i = 0; i < AIAAS_ELEMENT_NUMBERS; i++)
        put_number(&l, e->number[i]);
    put(&l, JsonbPGetDatum(e->top), e->top == NULL);
    emit(fcinfo, &l);
}

/* A query without rows still has columns. */
static void describe_nothing(FunctionCallInfo fcinfo, const AiaasFeatures *f)
{
    for (int i = 0; i < f->count; i++) {
        AiaasElement e = {.name = f->column[i].name, .type = f->column[i].type, .distinct = -1};

        for (int k = 0; k < AIAAS_ELEMENT_NUMBERS; k++)
            e.number[k] = NAN;
        describe_element(fcinfo, &e);
    }
}

PG_FUNCTION_INFO_V1(aiaas_describe);
Datum aiaas_describe(PG_FUNCTION_ARGS)
{
    AiaasRowsSpec spec = {
        .model = "",
        .query = aiaas_text_argument(fcinfo, 0, "query"),
        .argument = "query",
        .no_target = true,
        .columns = AIAAS_COLUMNS_ANY,
    };
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "aiaas description", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old;
    AiaasRows *rows;
    ax_preparation *p;

    InitMaterializedSRF(fcinfo, 0);
    old = MemoryContextSwitchTo(context);
    rows = aiaas_rows_read(context, &spec);
    if (rows->count == 0) {
        describe_nothing(fcinfo, rows->features);
    } else {
        p = aiaas_table_learn(rows, rows->dataset, NULL, NULL, AX_TASK_REGRESSION, NULL);
        aiaas_table_elements(rows, p, describe_element, fcinfo);
    }
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
    return (Datum) 0;
}

/* ---- models ---------------------------------------------------------------------------------- */

/* The model of the first argument, in CurrentMemoryContext. */
static AiaasModel *shown_model(FunctionCallInfo fcinfo)
{
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    AiaasVersionRef ref;

    aiaas_resolve(name, AIAAS_ANY, &ref);
    return aiaas_model_load(&ref, CurrentMemoryContext);
}

static void refuse_none(const AiaasModel *m, const char *what, const char *hint)
{
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("model \"%s\" has no %s", m->ref.name, what), errhint("%s", hint)));
}

PG_FUNCTION_INFO_V1(aiaas_coefficients);
Datum aiaas_coefficients(PG_FUNCTION_ARGS)
{
    AiaasModel *m = shown_model(fcinfo);
    int n = ax_model_coefficient_count(m->network);
    ax_error err;

    if (n == 0)
        refuse_none(m, "coefficients", "The algorithms \"linear\" and \"logistic\" have them.");
    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < n; i++) {
        ax_coefficient c;
        Line l = {.n = 0};

        CHECK_FOR_INTERRUPTS();
        aiaas_check(ax_model_coefficient_at(m->network, i, &c, &err), &err, NULL);
        put_text(&l, aiaas_from_model(c.label));
        put_text(&l, aiaas_from_model(c.feature));
        put_number(&l, c.value);
        put_number(&l, c.std_error);
        put_number(&l, c.z);
        put_number(&l, c.p_value);
        emit(fcinfo, &l);
    }
    MemoryContextDelete(m->context);
    return (Datum) 0;
}

PG_FUNCTION_INFO_V1(aiaas_importance);
Datum aiaas_importance(PG_FUNCTION_ARGS)
{
    AiaasModel *m = shown_model(fcinfo);
    int n = ax_model_importance_count(m->network);
    ax_error err;

    if (n == 0)
        refuse_none(m, "importances", "Models of trees have them, such as those of \"gradient_boosting\".");
    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < n; i++) {
        ax_importance x;
        Line l = {.n = 0};

        CHECK_FOR_INTERRUPTS();
        aiaas_check(ax_model_importance_at(m->network, i, &x, &err), &err, NULL);
        put_text(&l, aiaas_from_model(x.feature));
        put_number(&l, x.gain);
        put_count(&l, x.count);
        emit(fcinfo, &l);
    }
    MemoryContextDelete(m->context);
    return (Datum) 0;
}

/* ---- aiaas_tree ------------------------------------------------------------------------------ */

/* The engine prints into memory that it may call for without a jump; the rows are made when it has returned. */
typedef struct Printed {
    ax_env *env;
    char *text;
    size_t len, room;
    bool failed;
} Printed;

static bool make_room(Printed *p, size_t wanted)
{
    size_t room = Max(p->room * 2, wanted + 1024);
    char *more;

    if (wanted <= p->room)
        return true;
    more = p->env->alloc(p->env->ctx, room);
    if (more == NULL)
        return false;
    if (p->text != NULL) {
        memcpy(more, p->text, p->len);
        p->env->free(p->env->ctx, p->text);
    }
    p->text = more;
    p->room = room;
    return true;
}

static void print_line(void *arg, const char *text)
{
    Printed *p = arg;
    size_t len = strlen(text) + 1;

    p->failed = p->failed || !make_room(p, p->len + len);
    if (p->failed)
        return;
    memcpy(p->text + p->len, text, len);
    p->len += len;
}

static void emit_lines(FunctionCallInfo fcinfo, const Printed *p)
{
    for (size_t at = 0; at < p->len; at += strlen(p->text + at) + 1) {
        Line l = {.n = 0};

        CHECK_FOR_INTERRUPTS();
        put_text(&l, aiaas_from_model(p->text + at));
        emit(fcinfo, &l);
    }
}

PG_FUNCTION_INFO_V1(aiaas_tree);
Datum aiaas_tree(PG_FUNCTION_ARGS)
{
    int32 tree = aiaas_int_argument(fcinfo, 1, "tree");
    AiaasModel *m = shown_model(fcinfo);
    int n = ax_model_tree_count(m->network);
    Printed p = {.env = &m->env};
    ax_error err;

    if (n == 0)
        refuse_none(m, "trees", "\"decision_tree\", \"random_forest\" and \"gradient_boosting\" grow them.");
    if (tree < 1 || tree > n)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("model \"%s\" has no tree %d", m->ref.name, tree),
                        errhint("Its trees are numbered from 1 to %d.", n)));
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    aiaas_check(ax_model_print_tree(m->network, tree - 1, print_line, &p, &err), &err, NULL);
    if (p.failed)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
    emit_lines(fcinfo, &p);
    MemoryContextDelete(m->context);
    return (Datum) 0;
}
