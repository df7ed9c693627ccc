/*
 * fn_evaluate.c: aiaas_evaluate and aiaas_confusion_matrix.
 *
 * The query's columns are matched to the model's by name, so a query written for the training works as it
 * is, and further columns do no harm. Rows are scored in batches as they leave the executor; nothing of
 * the data is kept. The model is a private copy, because the query may itself predict and so turn
 * the session's cache over.
 *
 * The confusion matrix has a row for every pair of classes, zeros too, in the order of the classes: it is a
 * matrix, and \crosstabview in psql draws it as one.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "ax.h"
#include "cache.h"
#include "compat.h"
#include "feed.h"
#include "fn.h"
#include "guard.h"

PG_FUNCTION_INFO_V1(aiaas_evaluate);
PG_FUNCTION_INFO_V1(aiaas_confusion_matrix);

#define BATCH 256
#define MATRIX_CLASSES_MAX 4096

typedef struct Scoring {
    MemoryContext context;
    ax_env env;
    AiaasModel *model;
    AiaasTarget *target;
    Size row_bytes;
    char *batch; /* (BATCH, row_bytes) */
    int n;       /* rows in it */
    void (*flush)(struct Scoring *s);

    ax_evaluator *evaluator; /* aiaas_evaluate */
    int64 *count;            /* aiaas_confusion_matrix: (classes, classes) */
    float *out;              /* (BATCH, outputs) */
} Scoring;

/* ---- rows ------------------------------------------------------------------------------------ */

static AiaasTarget *scoring_make_target(void *arg, const char *column, Oid type)
{
    Scoring *s = arg;
    ax_model *network = s->model->network;

    s->target = aiaas_target_for_model(s->context, column, type, ax_model_task(network),
                                       (const char *const *) s->model->label, s->model->n_labels,
                                       ax_model_outputs(network));
    return s->target;
}

static void scoring_start(void *arg, const AiaasFeatures *features)
{
    Scoring *s = arg;

    s->row_bytes = features->width * (features->bytes ? sizeof(uint8) : sizeof(float));
    s->batch = MemoryContextAllocHuge(s->context, s->row_bytes * BATCH);
}

static void flush(Scoring *s)
{
    if (s->n > 0)
        s->flush(s);
    s->n = 0;
    aiaas_target_clear(s->target);
}

static void scoring_row(void *arg, const void *features, const AiaasMarks *marks)
{
    Scoring *s = arg;

    (void) marks;
    memcpy(s->batch + s->row_bytes * s->n, features, s->row_bytes);
    if (++s->n == BATCH)
        flush(s);
}

static Scoring *scoring_begin(FunctionCallInfo fcinfo)
{
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "aiaas scoring",
                                                  ALLOCSET_DEFAULT_SIZES);
    Scoring *s = MemoryContextAllocZero(context, sizeof(*s));
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    AiaasVersionRef ref;

    s->context = context;
    aiaas_env_init(&s->env, context, true);
    aiaas_resolve(name, AIAAS_PREDICT, &ref);
    s->model = aiaas_model_load(&ref, context);
    if (s->model->features->target[0] == '\0')
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("model \"%s\" learned no target to compare its answers with", ref.name)));
    return s;
}

static void scoring_run(Scoring *s, const char *query)
{
    MemoryContext old = MemoryContextSwitchTo(s->context);
    AiaasFeedSpec feed = {
        .query = query,
        .argument = "query",
        .target_column = s->model->features->target,
        .model = s->model->features,
        .missing = s->model->prepares,
        .network = s->model->prepares ? s->model->network : NULL,
        .volatile_caller = true,
        .make_target = scoring_make_target,
        .start = scoring_start,
        .row = scoring_row,
        .arg = s,
    };

    aiaas_feed_run(&feed, NULL);
    flush(s);
    MemoryContextSwitchTo(old);
}

static void put_tuple(FunctionCallInfo fcinfo, Datum *values)
{
    ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
    bool nulls[3] = {false};

    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* ---- aiaas_evaluate -------------------------------------------------------------------------- */

static void flush_evaluate(Scoring *s)
{
    bool classes = s->target->task == AX_TASK_CLASSIFICATION;
    ax_error err;

    aiaas_check(ax_evaluator_add(s->evaluator, s->batch, s->n, classes ? s->target->code : NULL,
                                 classes ? NULL : s->target->value, NULL, &err),
                &err, NULL);
}

Datum aiaas_evaluate(PG_FUNCTION_ARGS)
{
    char *query = aiaas_text_argument(fcinfo, 1, "query");
    Scoring *s = scoring_begin(fcinfo);
    const ax_metric *metrics;
    int count;
    ax_error err;

    InitMaterializedSRF(fcinfo, 0);
    s->flush = flush_evaluate;
    aiaas_check(ax_evaluator_create(&s->env, s->model->network, NULL, true, &s->evaluator, &err),
                &err, NULL);
    scoring_run(s, query);
    aiaas_check(ax_evaluator_result(s->evaluator, &metrics, &count, &err), &err, NULL);
    for (int i = 0; i < count; i++) {
        Datum values[2] = {CStringGetTextDatum(metrics[i].name), Float8GetDatum(metrics[i].value)};

        put_tuple(fcinfo, values);
    }
    ax_evaluator_free(s->evaluator);
    MemoryContextDelete(s->context);
    return (Datum) 0;
}

/* ---- aiaas_confusion_matrix ------------------------------------------------------------------ */

static void flush_confusion(Scoring *s)
{
    ax_model *network = s->model->network;
    int outputs = ax_model_outputs(network);
    ax_error err;

    aiaas_check(ax_model_predict(network, s->batch, s->n, s->out, &err), &err, NULL);
    for (int i = 0; i < s->n; i++) {
        int predicted = ax_model_decide(network, s->out + (Size) i * outputs);

        s->count[(Size) s->target->code[i] * s->model->n_labels + predicted]++;
    }
}

static void prepare_matrix(Scoring *s)
{
    const AiaasModel *m = s->model;
    Size classes = m->n_labels;

    if (classes == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("model \"%s\" predicts numbers and has no classes", m->ref.name),
                        errhint("Use aiaas_evaluate.")));
    if (classes > MATRIX_CLASSES_MAX)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("the %d classes of model \"%s\" are too many for a confusion matrix",
                               m->n_labels, m->ref.name),
                        errdetail("At most %d classes are possible.", MATRIX_CLASSES_MAX),
                        errhint("Use aiaas_evaluate.")));
    s->flush = flush_confusion;
    s->count = MemoryContextAllocExtended(s->context, sizeof(int64) * classes * classes,
                                          MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
    s->out = MemoryContextAllocHuge(s->context,
                                    sizeof(float) * BATCH * ax_model_outputs(m->network));
}

Datum aiaas_confusion_matrix(PG_FUNCTION_ARGS)
{
    char *query = aiaas_text_argument(fcinfo, 1, "query");
    Scoring *s = scoring_begin(fcinfo);
    int classes = s->model->n_labels;

    InitMaterializedSRF(fcinfo, 0);
    prepare_matrix(s);
    scoring_run(s, query);
    for (int i = 0; i < classes; i++) {
        Datum actual = CStringGetTextDatum(s->model->label[i]);

        CHECK_FOR_INTERRUPTS();
        for (int j = 0; j < classes; j++) {
            Datum predicted = CStringGetTextDatum(s->model->label[j]);
            Datum values[3] = {actual, predicted,
                               Int64GetDatum(s->count[(Size) i * classes + j])};

            put_tuple(fcinfo, values);
            pfree(DatumGetPointer(predicted));
        }
    }
    MemoryContextDelete(s->context);
    return (Datum) 0;
}
