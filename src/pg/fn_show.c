/*
 * fn_show.c: aiaas_summary, aiaas_training_curve, aiaas_classes, aiaas_options, aiaas_export,
 * aiaas_version.
 *
 * All of them only read, so they work on a standby and in a read-only transaction. Summary and
 * curve need no weights: a model of any size is shown at once.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "ax.h"
#include "catalog.h"
#include "catalog_tables.h"
#include "chart.h"
#include "compat.h"
#include "feature.h"
#include "fn.h"
#include "guard.h"
#include "store.h"
#include "summary.h"

#define AIAAS_VERSION "0.1" /* of the library, as in aiaas.control */

/* ---- lines of text as rows ------------------------------------------------------------------- */

static void emit_line(void *ctx, const char *line)
{
    ReturnSetInfo *rsinfo = ctx;
    Datum value = CStringGetTextDatum(line);
    bool isnull = false;

    tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
}

static ReturnSetInfo *begin_lines(FunctionCallInfo fcinfo)
{
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    return (ReturnSetInfo *)fcinfo->resultinfo;
}

/* ---- aiaas_summary --------------------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(aiaas_summary);
Datum aiaas_summary(PG_FUNCTION_ARGS)
{
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    ReturnSetInfo *rsinfo = begin_lines(fcinfo);
    AiaasVersionRef ref;
    ax_env env;
    MemoryContext context;

    aiaas_resolve(name, AIAAS_ANY, &ref);
    context = AllocSetContextCreate(CurrentMemoryContext, "aiaas summary", ALLOCSET_DEFAULT_SIZES);
    aiaas_env_init(&env, context, true);
    aiaas_summary_write(aiaas_store_load_graph(&ref, &env),
                        psprintf("Model: \"%s\", version %d", ref.name, ref.number), emit_line,
                        rsinfo);
    MemoryContextDelete(context);
    return (Datum)0;
}

/* ---- aiaas_training_curve -------------------------------------------------------------------- */

/* One row of aiaas.metric. */
typedef struct Figure {
    bool validation;
    int32 epoch;
    char *name;
    double value;
} Figure;

typedef struct Figures {
    Figure *figure;
    int count, room;
    int epochs; /* the highest epoch */
} Figures;

static void add_figure(Figures *f, AiaasScan *scan, HeapTuple tuple)
{
    Datum column[Anum_aiaas_metric_value + 1];
    bool isnull = false;
    char *split;
    Figure *to;

    for (int i = Anum_aiaas_metric_version; i <= Anum_aiaas_metric_value; i++) {
        column[i] = aiaas_scan_column(scan, tuple, i, &isnull);
        if (isnull)
            return;
    }
    split = TextDatumGetCString(column[Anum_aiaas_metric_split]);
    if (strcmp(split, "final") == 0 || DatumGetInt32(column[Anum_aiaas_metric_epoch]) < 1)
        return;
    if (f->count == f->room) {
        f->room *= 2;
        f->figure = repalloc(f->figure, f->room * sizeof(Figure));
    }
    to = &f->figure[f->count++];
    to->validation = strcmp(split, "validation") == 0;
    to->epoch = DatumGetInt32(column[Anum_aiaas_metric_epoch]);
    to->name = TextDatumGetCString(column[Anum_aiaas_metric_name]);
    to->value = DatumGetFloat8(column[Anum_aiaas_metric_value]);
    f->epochs = Max(f->epochs, to->epoch);
}

static void read_figures(int64 version_id, Figures *f)
{
    AiaasScan scan;
    ScanKeyData key;
    HeapTuple tuple;

    f->count = f->epochs = 0;
    f->room = 64;
    f->figure = palloc(f->room * sizeof(Figure));
    ScanKeyInit(&key, Anum_aiaas_metric_version, BTEqualStrategyNumber, F_INT8EQ,
                Int64GetDatum(version_id));
    aiaas_scan_begin(&scan, AIAAS_REL_METRIC, AIAAS_REL_METRIC_KEY, GetActiveSnapshot(), 1, &key);
    while ((tuple = aiaas_scan_next(&scan)) != NULL)
        add_figure(f, &scan, tuple);
    aiaas_scan_end(&scan);
}

/* The metric that stands beside the loss: the accuracy, else the first one of another name, else
 * NULL. */
static const char *second_metric(const Figures *f)
{
    const char *other = NULL;

    for (int i = 0; i < f->count; i++) {
        const char *name = f->figure[i].name;

        if (strcmp(name, "accuracy") == 0)
            return name;
        if (other == NULL && strcmp(name, "loss") != 0)
            other = name;
    }
    return other;
}

static void draw_curve(ReturnSetInfo *rsinfo, const Figures *f, const char *name)
{
    AiaasCurve curve = {.name = name, .epochs = f->epochs};

    curve.train = palloc(f->epochs * sizeof(double));
    curve.validation = palloc(f->epochs * sizeof(double));
    for (int e = 0; e < f->epochs; e++)
        curve.train[e] = curve.validation[e] = NAN;
    for (int i = 0; i < f->count; i++) {
        const Figure *g = &f->figure[i];

        if (strcmp(g->name, name) == 0)
            (g->validation ? curve.validation : curve.train)[g->epoch - 1] = g->value;
    }
    aiaas_chart_draw(&curve, GetDatabaseEncoding() == PG_UTF8, emit_line, rsinfo);
}

PG_FUNCTION_INFO_V1(aiaas_training_curve);
Datum aiaas_training_curve(PG_FUNCTION_ARGS)
{
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    ReturnSetInfo *rsinfo = begin_lines(fcinfo);
    AiaasVersionRef ref;
    Figures figures;
    const char *second;

    aiaas_resolve(name, AIAAS_ANY, &ref);
    read_figures(ref.version_id, &figures);
    emit_line(rsinfo, psprintf("Model: \"%s\", version %d, %d %s", ref.name, ref.number,
                               figures.epochs, figures.epochs == 1 ? "epoch" : "epochs"));
    if (figures.count == 0)
        return (Datum)0;
    emit_line(rsinfo, "");
    draw_curve(rsinfo, &figures, "loss");
    second = second_metric(&figures);
    if (second != NULL) {
        emit_line(rsinfo, "");
        draw_curve(rsinfo, &figures, second);
    }
    return (Datum)0;
}

/* ---- the others ------------------------------------------------------------------------------ */

PG_FUNCTION_INFO_V1(aiaas_classes);
Datum aiaas_classes(PG_FUNCTION_ARGS)
{
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    AiaasVersionRef ref;
    bool isnull;
    Datum labels;
    Jsonb *json;
    char **label;
    Datum *element;
    int count;

    aiaas_resolve(name, AIAAS_ANY, &ref);
    labels = aiaas_version_column(ref.version_id, Anum_aiaas_version_labels, &isnull);
    if (isnull)
        PG_RETURN_NULL();
    json = DatumGetJsonbP(labels);
    label = aiaas_labels_parse(JsonbToCString(NULL, &json->root, VARSIZE(json)), &count);
    element = palloc(Max(count, 1) * sizeof(Datum));
    for (int i = 0; i < count; i++)
        element[i] = CStringGetTextDatum(label[i]);
    PG_RETURN_ARRAYTYPE_P(construct_array(element, count, TEXTOID, -1, false, TYPALIGN_INT));
}

PG_FUNCTION_INFO_V1(aiaas_options);
Datum aiaas_options(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *rsinfo = (ReturnSetInfo *)fcinfo->resultinfo;

    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < ax_option_count(); i++) {
        const ax_option_info *o = ax_option_at(i);
        Datum values[] = {CStringGetTextDatum(o->name), CStringGetTextDatum(o->type),
                          CStringGetTextDatum(o->default_value),
                          CStringGetTextDatum(o->description)};
        bool nulls[] = {false, false, o->default_value[0] == '\0', false};

        tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
    }
    return (Datum)0;
}

PG_FUNCTION_INFO_V1(aiaas_export);
Datum aiaas_export(PG_FUNCTION_ARGS)
{
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    AiaasVersionRef ref;
    ax_env env;
    MemoryContext context;
    bytea *file;

    aiaas_resolve(name, AIAAS_READ, &ref);
    context = AllocSetContextCreate(CurrentMemoryContext, "aiaas export", ALLOCSET_DEFAULT_SIZES);
    aiaas_env_init(&env, context, true);
    file = aiaas_store_export(&ref, &env);
    MemoryContextDelete(context);
    PG_RETURN_BYTEA_P(file);
}

PG_FUNCTION_INFO_V1(aiaas_version);
Datum aiaas_version(PG_FUNCTION_ARGS)
{
    PG_RETURN_TEXT_P(cstring_to_text(
        psprintf("aiaas %s, engine %s, %s", AIAAS_VERSION, ax_engine_version(), ax_isa())));
}
