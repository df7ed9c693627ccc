/*
 * fn_train.c: aiaas_train.
 *
 * A training goes through these stations, the cheap refusals first:
 *
 *     arguments and options     -> everything that can be said without looking at data
 *     aiaas_model_for_training  -> rights, read-only; the model's row is locked
 *     training_read_rows        -> the query's rows, the task, the classes
 *     training_choose           -> an algorithm, when none is given
 *     training_cross_validate   -> the figures of parts of them, when they are asked for
 *     training_split_rows       -> which rows learn, which judge
 *     training_prepare          -> how their columns are prepared
 *     training_run              -> a network: ax_model_build, then epochs of ax_trainer_step;
 *                                  another algorithm: steps of ax_fit_step
 *     training_store            -> the version, its weights, its metrics, its features
 *     deploy                    -> live or not
 *
 * Interrupts are served between the steps.
 *
 * Memory and threads. One memory context holds all of it. Its reset callback ends the trainer's (or fit's) threads
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

#include "compat.h"
#include "feature.h"
#include "fn.h"
#include "limit.h"
#include "training.h"

PG_FUNCTION_INFO_V1(aiaas_train);

static Training *running; /* the one of this session */

/* ---- beginning and end ----------------------------------------------------------------------- */

static void training_gone(void *arg)
{
    Training *t = arg;

    ax_trainer_free(t->trainer);
    ax_fit_free(t->fit);
    t->trainer = NULL;
    t->fit = NULL;
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

/* Layers or an algorithm: a network or one of the others. */
static void read_family(Training *t, FunctionCallInfo fcinfo)
{
    if (!PG_ARGISNULL(4))
        t->algorithm = text_to_cstring(PG_GETARG_TEXT_PP(4));
    if (t->algorithm != NULL && strcmp(t->algorithm, "neural_network") == 0)
        t->algorithm = NULL;
    if (!PG_ARGISNULL(3)) {
        t->layers = DatumGetJsonbPCopy(PG_GETARG_DATUM(3));
        t->layers_text = JsonbToCString(NULL, &t->layers->root, VARSIZE(t->layers));
    }
    if (t->layers != NULL && t->algorithm != NULL)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("algorithm \"%s\" takes no layers", t->algorithm),
                        errhint("Give either argument \"layers\" or argument \"algorithm\".")));
    t->chooses = t->layers == NULL && t->algorithm == NULL;
}

static void read_arguments(Training *t, FunctionCallInfo fcinfo)
{
    t->model = aiaas_text_argument(fcinfo, 0, "model");
    t->query = aiaas_text_argument(fcinfo, 1, "query");
    if (!PG_ARGISNULL(2))
        t->target = text_to_cstring(PG_GETARG_TEXT_PP(2));
    read_family(t, fcinfo);
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

static void check_algorithm(Training *t)
{
    ax_error err;

    aiaas_check(ax_algorithm_check(t->algorithm, t->parsed, &t->hint, &t->learns_target, &err), &err,
                "argument \"algorithm\"");
    if (t->learns_target || t->target == NULL)
        return;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("algorithm \"%s\" learns no target", t->algorithm),
                    errhint("Leave argument \"target\" out, and the column out of the query if it is no feature.")));
}

/* Which columns there may be, see AiaasColumns. */
static AiaasColumns choose_columns(const Training *t)
{
    if (t->algorithm != NULL || t->chooses)
        return AIAAS_COLUMNS_TABLE;
    if (ax_options_given(t->parsed, "prepare"))
        return ax_options_boolean(t->parsed, "prepare") ? AIAAS_COLUMNS_TABLE : AIAAS_COLUMNS_PLAIN;
    if (ax_options_given(t->parsed, "columns") || ax_options_given(t->parsed, "exclude"))
        return AIAAS_COLUMNS_TABLE;
    return t->input_rank > 0 ? AIAAS_COLUMNS_PLAIN : AIAAS_COLUMNS_EITHER;
}

/* Options have to mean the same to all that may be chosen. */
static void check_choice(Training *t)
{
    const char *const some[] = {"linear", "random_forest"}; /* they have no option in common but those of all */
    ax_task ignored;
    bool target;
    ax_error err;

    for (int i = 0; i < (int) lengthof(some); i++)
        aiaas_check(ax_algorithm_check(some[i], t->parsed, &ignored, &target, &err), &err, "choice of an algorithm");
    t->hint = AX_TASK_UNDECIDED;
}

void training_parse_options(Training *t)
{
    const char *options = aiaas_to_model(JsonbToCString(NULL, &t->options->root, VARSIZE(t->options)));
    ax_error err;

    ax_options_free(t->parsed);
    t->parsed = NULL;
    aiaas_check(ax_options_parse(&t->env, options, strlen(options), &t->parsed, &err), &err,
                "argument \"options\"");
}

static void check_settings(Training *t)
{
    ax_error err;

    training_parse_options(t);
    check_deploy(t);
    read_input_shape(t);
    t->columns = choose_columns(t);
    t->learns_target = true;
    if (t->chooses) {
        check_choice(t);
        return;
    }
    if (t->algorithm != NULL) {
        check_algorithm(t);
        return;
    }
    aiaas_check(ax_network_check(&t->env, t->layers_text, strlen(t->layers_text), t->parsed,
                                 &t->hint, &err),
                &err, "argument \"layers\"");
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
    foreach (cell, t->final) {
        const AiaasFigure *f = lfirst(cell);

        write_figure(&s, strcmp(f->split, "validation") == 0 ? "val_" : "", f->name, f->value);
    }
    foreach (cell, t->cross) {
        const AiaasFigure *f = lfirst(cell);

        if (f->epoch == 0)
            write_figure(&s, psprintf("%s_", f->split), f->name, f->value);
    }
    appendStringInfoChar(&s, '}');
    return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(s.data)));
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
    values[2] = CStringGetTextDatum(training_task_name(t));
    values[3] = Int32GetDatum(t->progress.epochs);
    values[4] = Int64GetDatum(t->rows->count);
    values[5] = Int64GetDatum(ax_model_parameters(t->network));
    values[6] = Float8GetDatum(training_seconds(t));
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
    training_read_rows(t);
    if (t->chooses)
        training_choose(t);
    training_cross_validate(t);
    training_split_rows(t);
    training_prepare(t);
    training_tell_left_out(t);
    training_run(t);
    training_store(t);
    deploy(t);
    answer = result(t, fcinfo, caller);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(t->context);
    PG_RETURN_DATUM(answer);
}
