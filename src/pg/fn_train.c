/*
 * fn_train.c: aiaas_train.
 *
 * A training goes through these stations, the cheap refusals first:
 *
 *     arguments and options     -> everything that can be said without looking at data
 *     aiaas_model_for_training  -> rights, read-only; the model's row is locked
 *     aiaas_rows_read           -> the query's rows, the task, the classes
 *     ax_model_build            -> a network that fits them
 *     ax_trainer_create         -> the plans, and whether aiaas.max_memory allows what they need
 *     ax_trainer_step ...       -> epochs; interrupts are served between the steps
 *     aiaas_version_insert      -> the version, its weights, its metrics
 *     deploy                    -> live or not
 *
 * Memory and threads. One memory context holds all of it. Its reset callback ends the trainer's threads
 * before the context's blocks are freed, whatever ends the training: success, error, cancel, or the
 * end of the session. For this the engine allocates from the context itself and not from a child,
 * because children are deleted before the callback runs.
 *
 * Which version is better. "if_better" compares the final figure of the new version with that of the live one:
 * accuracy for classes, loss for numbers, of the validation rows where there are any. Equal is not
 * better: what is live stays live.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "ax.h"
#include "catalog.h"
#include "compat.h"
#include "fn.h"
#include "guard.h"
#include "guc.h"
#include "limit.h"
#include "progress.h"
#include "rows.h"

PG_FUNCTION_INFO_V1(aiaas_train);

typedef struct Training {
    MemoryContext context;
    AiaasBudget budget;
    ax_env env; /* keeps to the budget */
    TimestampTz began;

    /* arguments */
    const char *model, *query, *target; /* target: as given, may be NULL */
    Jsonb *layers, *options;
    char *layers_text;

    ax_options *parsed;
    ax_task hint;
    int64 model_id;
    int64 input_dim[AX_MAX_RANK];
    int input_rank; /* 0: no input_shape */
    int64 input_width;
    char *input_shape; /* as text */
    AiaasRows *rows, *valid;
    ax_model *network;
    ax_trainer *trainer;
    AiaasProgress progress;
    const char *split; /* whose figures count: "validation" or "train" */
    int kept_epoch;    /* whose weights the network holds */
    AiaasVersionRef version;
    bool live;
} Training;

static Training *running; /* the one of this session */

/* ---- beginning and end ----------------------------------------------------------------------- */

static void training_gone(void *arg)
{
    Training *t = arg;

    ax_trainer_free(t->trainer);
    t->trainer = NULL;
    aiaas_progress_end(&t->progress);
    running = NULL;
}

static Training *training_begin(void)
{
    MemoryContext context;
    Training *t;
    MemoryContextCallback *callback;

    if (running != NULL)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a training cannot run inside another training"),
                        errdetail("Model \"%s\" is being trained.", running->model),
                        errhint("Train one model after the other.")));
    context = AllocSetContextCreate(CurrentMemoryContext, "aiaas training", ALLOCSET_DEFAULT_SIZES);
    t = MemoryContextAllocZero(context, sizeof(*t));
    callback = MemoryContextAlloc(context, sizeof(*callback));
    t->context = context;
    t->began = GetCurrentTimestamp();
    t->budget = (AiaasBudget){.context = context, .limit = SIZE_MAX};
    aiaas_env_init(&t->env, context, true);
    aiaas_env_limit(&t->env, &t->budget);
    callback->func = training_gone;
    callback->arg = t;
    MemoryContextRegisterResetCallback(context, callback);
    running = t;
    return t;
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void read_arguments(Training *t, FunctionCallInfo fcinfo)
{
    t->model = aiaas_text_argument(fcinfo, 0, "model");
    t->query = aiaas_text_argument(fcinfo, 1, "query");
    if (!PG_ARGISNULL(2))
        t->target = text_to_cstring(PG_GETARG_TEXT_PP(2));
    if (!PG_ARGISNULL(4)) {
        char *algorithm = text_to_cstring(PG_GETARG_TEXT_PP(4));

        if (strcmp(algorithm, "neural_network") != 0)
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("algorithm \"%s\" is not available", algorithm),
                            errhint("Use \"neural_network\".")));
    }
    if (PG_ARGISNULL(3))
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("argument \"layers\" is missing"),
                 errhint("Give the network as a list of layers, such as "
                         "[{\"Dense\": {\"units\": 16, \"activation\": \"relu\"}}, "
                         "{\"Dense\": {\"units\": 1}}].")));
    t->layers = DatumGetJsonbPCopy(PG_GETARG_DATUM(3));
    t->layers_text = JsonbToCString(NULL, &t->layers->root, VARSIZE(t->layers));
    if (PG_ARGISNULL(5))
        t->options = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
    else
        t->options = DatumGetJsonbPCopy(PG_GETARG_DATUM(5));
}

/* The option input_shape: its dimensions, their product and how it is spelled. */
static void read_input_shape(Training *t)
{
    StringInfoData s;

    if (!ax_options_given(t->parsed, "input_shape"))
        return;
    t->input_rank = ax_options_integers(t->parsed, "input_shape", t->input_dim, AX_MAX_RANK);
    if (t->input_rank < 1 || t->input_rank > AX_MAX_RANK)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("option \"input_shape\" has %d dimensions", t->input_rank),
                        errhint("Give between 1 and %d positive integers.", AX_MAX_RANK)));
    initStringInfo(&s);
    t->input_width = 1;
    for (int i = 0; i < t->input_rank; i++) {
        appendStringInfo(&s, "%s" INT64_FORMAT, i > 0 ? ", " : "[", (int64) t->input_dim[i]);
        if (t->input_dim[i] < 1 || t->input_width > PG_INT32_MAX / t->input_dim[i])
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("option \"input_shape\" has a dimension of " INT64_FORMAT,
                                   (int64) t->input_dim[i]),
                            errhint("Give positive integers whose product is at most %d.",
                                    PG_INT32_MAX)));
        t->input_width *= t->input_dim[i];
    }
    appendStringInfoChar(&s, ']');
    t->input_shape = s.data;
}

static void check_deploy(const Training *t)
{
    const char *deploy = ax_options_text(t->parsed, "deploy");

    if (deploy == NULL || strcmp(deploy, "if_better") == 0 || strcmp(deploy, "always") == 0 ||
        strcmp(deploy, "never") == 0)
        return;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("option \"deploy\" is \"%s\"", deploy),
                    errhint("Use \"if_better\", \"always\" or \"never\".")));
}

static void check_settings(Training *t)
{
    char *options = JsonbToCString(NULL, &t->options->root, VARSIZE(t->options));
    ax_error err;

    aiaas_check(ax_options_parse(&t->env, options, strlen(options), &t->parsed, &err), &err,
                "argument \"options\"");
    check_deploy(t);
    read_input_shape(t);
    aiaas_check(ax_network_check(&t->env, t->layers_text, strlen(t->layers_text), t->parsed,
                                 &t->hint, &err),
                &err, "argument \"layers\"");
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void read_rows(Training *t)
{
    AiaasRowsSpec spec = {
        .model = t->model,
        .query = t->query,
        .argument = "query",
        .target_column = t->target,
        .weight_column = ax_options_text(t->parsed, "weight"),
        .hint = t->hint,
        .input_width = t->input_width,
        .input_shape = t->input_shape,
    };

    aiaas_progress_phase(&t->progress, "reading rows");
    t->rows = aiaas_rows_read(t->context, &spec);
    t->target = t->rows->target->column;
    spec.query = ax_options_text(t->parsed, "validation_query");
    if (spec.query == NULL)
        return;
    spec.argument = "validation_query";
    spec.target_column = t->target;
    spec.like = t->rows;
    t->valid = aiaas_rows_read(t->context, &spec);
}

/* ---- the network ----------------------------------------------------------------------------- */

static AiaasFeatures features_of(const Training *t)
{
    AiaasFeatures f = *t->rows->features;

    f.target = (char *) t->target;
    f.target_type = format_type_be(t->rows->target->reader.type);
    return f;
}

static const char *const *labels_of(const AiaasTarget *target)
{
    int n = aiaas_labels_count(target->labels);
    const char **labels = palloc(sizeof(char *) * n);

    for (int i = 0; i < n; i++)
        labels[i] = aiaas_to_model(aiaas_labels_texts(target->labels)[i]);
    return labels;
}

static void build_network(Training *t)
{
    const AiaasTarget *target = t->rows->target;
    AiaasFeatures features = features_of(t);
    bool classes = target->task == AX_TASK_CLASSIFICATION;
    ax_model_spec spec = {
        .name = aiaas_to_model(t->model),
        .layers = t->layers_text,
        .layers_len = strlen(t->layers_text),
        .input_type = features.bytes ? AX_UINT8 : AX_FLOAT,
        .input_rank = 1,
        .input_dim = {features.width},
        .task = target->task,
        .n_outputs = classes ? 1 : target->width,
        .n_classes = classes ? aiaas_labels_count(target->labels) : 0,
        .labels = classes ? labels_of(target) : NULL,
        .features = aiaas_to_model(aiaas_features_json(&features, false)),
    };
    ax_error err;
    ax_status status;

    if (t->input_rank > 0) {
        spec.input_rank = t->input_rank;
        memcpy(spec.input_dim, t->input_dim, sizeof(spec.input_dim));
    }
    t->budget.limit = aiaas_limit(); /* only here: what a training takes beyond its network is planned */
    status = ax_model_build(&t->env, &spec, t->parsed, &t->network, &err);
    t->budget.limit = SIZE_MAX;
    if (t->budget.exceeded)
        aiaas_limit_weights(t->model);
    aiaas_check(status, &err, NULL);
}

/* ---- the work -------------------------------------------------------------------------------- */

/* Does the option early_stopping ask for the weights of the best epoch? */
static bool restores_best(const Training *t)
{
    JsonbValue *v = getKeyJsonValueFromContainer(&t->options->root, "early_stopping",
                                                 strlen("early_stopping"), NULL);

    if (v != NULL && v->type == jbvBinary)
        v = getKeyJsonValueFromContainer(v->val.binary.data, "restore_best_weights",
                                         strlen("restore_best_weights"), NULL);
    if (v == NULL)
        return false;
    return v->type == jbvNumeric || (v->type == jbvBool && v->val.boolean);
}

/* Makes the plans. What they need is known and allowed before anything large is allocated for it. */
static void plan_training(Training *t)
{
    const ax_train_report *report;
    ax_error err;

    aiaas_progress_phase(&t->progress, "planning");
    aiaas_check(ax_trainer_create(&t->env, t->network, t->rows->dataset,
                                  t->valid ? t->valid->dataset : NULL, t->parsed,
                                  aiaas_training_threads(), &t->trainer, &err),
                &err, NULL);
    report = ax_trainer_report(t->trainer);
    aiaas_limit_training(t->model, &report->memory,
                         Min(ax_options_integer(t->parsed, "batch_size"), report->train_rows));
}

static void run_trainer(Training *t)
{
    ax_train_event event = AX_TRAIN_MORE;
    const ax_train_report *report;
    ax_error err;

    aiaas_progress_phase(&t->progress, "training");
    while (event != AX_TRAIN_DONE) {
        aiaas_check(ax_trainer_step(t->trainer, &event, &err), &err, NULL);
        if (event == AX_TRAIN_EPOCH)
            aiaas_progress_epoch(&t->progress, ax_trainer_report(t->trainer));
        CHECK_FOR_INTERRUPTS();
    }
    report = ax_trainer_report(t->trainer);
    t->split = report->valid != NULL ? "validation" : "train";
    t->kept_epoch = restores_best(t) && report->best_epoch > 0 ? report->best_epoch : report->epoch;
    ax_trainer_free(t->trainer);
    t->trainer = NULL;
}

/* ---- what is written ------------------------------------------------------------------------- */

static Jsonb *parse_jsonb(const char *json)
{
    return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

static double seconds_since(TimestampTz began)
{
    return (double) (GetCurrentTimestamp() - began) / USECS_PER_SEC;
}

static void store_metrics(const Training *t)
{
    int64 id = t->version.version_id;
    ListCell *cell;

    foreach (cell, t->progress.figures) {
        const AiaasFigure *f = lfirst(cell);

        if (isnan(f->value))
            continue;
        aiaas_metric_insert(id, f->split, f->epoch, f->name, f->value);
        if (f->epoch == t->kept_epoch && strcmp(f->split, t->split) == 0)
            aiaas_metric_insert(id, "final", 0, f->name, f->value);
    }
}

static void store(Training *t)
{
    const AiaasTarget *target = t->rows->target;
    AiaasFeatures features = features_of(t);
    AiaasNewVersion v = {
        .model_id = t->model_id,
        .task = ax_task_name(target->task),
        .algorithm = "neural_network",
        .layers = t->layers,
        .options = t->options,
        .features = parse_jsonb(aiaas_features_json(&features, true)),
        .label_type = features.target_type,
        .query = t->query,
        .target = t->target,
        .rows = t->rows->count,
        .parameters = ax_model_parameters(t->network),
        .seed = ax_options_integer(t->parsed, "seed"),
        .epochs = t->progress.epochs,
        .seconds = seconds_since(t->began),
        .data_hash = psprintf("%016" INT64_MODIFIER "x", t->rows->hash),
    };

    if (target->task == AX_TASK_CLASSIFICATION)
        v.labels = parse_jsonb(aiaas_labels_json(aiaas_labels_texts(target->labels),
                                              aiaas_labels_count(target->labels)));
    aiaas_progress_phase(&t->progress, "storing");
    aiaas_version_insert(&v, t->network, &t->version);
    store_metrics(t);
}

/* ---- live or not ----------------------------------------------------------------------------- */

/* Says why a version stays in the background. */
static void tell_not_live(const Training *t, const char *why)
{
    ereport(NOTICE, (errmsg("version %d of model \"%s\" is not live: %s", t->version.number,
                            t->version.name, why),
                     errhint("SELECT aiaas_deploy('%s', %d) makes it live.", t->version.name,
                             t->version.number)));
}

static bool is_better(const Training *t, int64 live_version)
{
    const char *metric = "loss";
    double mine, theirs;

    if (aiaas_metric_final(t->version.version_id, "accuracy", &mine))
        metric = "accuracy";
    else if (!aiaas_metric_final(t->version.version_id, "loss", &mine))
        return true;
    if (!aiaas_metric_final(live_version, metric, &theirs))
        return true; /* another kind of model: nothing to compare */
    if (strcmp(metric, "accuracy") == 0 ? mine > theirs : mine < theirs)
        return true;
    tell_not_live(t, psprintf("%s %.4f is not better than %.4f of version %d", metric, mine, theirs,
                              t->version.live));
    return false;
}

static void deploy(Training *t)
{
    const char *how = ax_options_text(t->parsed, "deploy");
    int64 live = aiaas_live_version(t->model_id);

    if (how != NULL && strcmp(how, "never") == 0) {
        tell_not_live(t, "option \"deploy\" is \"never\"");
        return;
    }
    if (live != 0 && (how == NULL || strcmp(how, "if_better") == 0) && !is_better(t, live))
        return;
    aiaas_make_live(t->model_id, t->version.number, "train");
    t->live = true;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void write_figure(StringInfo s, const char *prefix, const char *name, double value)
{
    char digits[DOUBLE_SHORTEST_DECIMAL_LEN];

    if (s->len > 1)
        appendStringInfoString(s, ", ");
    escape_json(s, psprintf("%s%s", prefix, name));
    double_to_shortest_decimal_buf(value, digits);
    appendStringInfo(s, ": %s", isfinite(value) ? digits : "null");
}

static Jsonb *final_metrics(const Training *t)
{
    StringInfoData s;
    ListCell *cell;

    initStringInfo(&s);
    appendStringInfoChar(&s, '{');
    foreach (cell, t->progress.figures) {
        const AiaasFigure *f = lfirst(cell);

        if (f->epoch == t->kept_epoch)
            write_figure(&s, strcmp(f->split, "validation") == 0 ? "val_" : "", f->name, f->value);
    }
    appendStringInfoChar(&s, '}');
    return parse_jsonb(s.data);
}

/* The result row, in the caller's memory context. */
static Datum result(const Training *t, FunctionCallInfo fcinfo, MemoryContext context)
{
    MemoryContext old = MemoryContextSwitchTo(context);
    Datum values[9];
    bool nulls[9] = {false};
    TupleDesc desc;
    HeapTuple tuple;

    if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 9)
        elog(ERROR, "aiaas_train is not declared to return aiaas.train_result");
    values[0] = CStringGetTextDatum(t->version.name);
    values[1] = Int32GetDatum(t->version.number);
    values[2] = CStringGetTextDatum(ax_task_name(t->rows->target->task));
    values[3] = Int32GetDatum(t->progress.epochs);
    values[4] = Int64GetDatum(t->rows->count);
    values[5] = Int64GetDatum(ax_model_parameters(t->network));
    values[6] = Float8GetDatum(seconds_since(t->began));
    values[7] = JsonbPGetDatum(final_metrics(t));
    values[8] = BoolGetDatum(t->live);
    tuple = heap_form_tuple(BlessTupleDesc(desc), values, nulls);
    MemoryContextSwitchTo(old);
    return HeapTupleGetDatum(tuple);
}

Datum aiaas_train(PG_FUNCTION_ARGS)
{
    Training *t = training_begin();
    MemoryContext caller = MemoryContextSwitchTo(t->context);
    Datum answer;

    t->model = "";
    read_arguments(t, fcinfo);
    aiaas_progress_begin(&t->progress, t->model);
    aiaas_limit_begin();
    check_settings(t);
    t->model_id = aiaas_model_for_training(t->model);
    read_rows(t);
    build_network(t);
    plan_training(t);
    run_trainer(t);
    store(t);
    deploy(t);
    answer = result(t, fcinfo, caller);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(t->context);
    PG_RETURN_DATUM(answer);
}
