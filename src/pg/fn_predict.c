/*
 * fn_predict.c: aiaas_predict and its sisters.
 *
 * One path serves all four: the name becomes a version (resolve.c), the version a model (cache.c), the
 * arguments a row (argument.c), the row outputs (the engine). They differ in how the outputs become an
 * answer. fn_extra holds what is remembered from row to row, each part with what it depends on.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "argument.h"
#include "ax.h"
#include "cache.h"
#include "compat.h"
#include "guard.h"
#include "resolve.h"

PG_FUNCTION_INFO_V1(aiaas_predict);
PG_FUNCTION_INFO_V1(aiaas_predict_label);
PG_FUNCTION_INFO_V1(aiaas_predict_proba);
PG_FUNCTION_INFO_V1(aiaas_predict_vector);

typedef struct PredictCall {
    AiaasResolved resolved;
    AiaasCached cached;
    AiaasArguments *arguments;
    float *out;
    int room; /* floats at out */
} PredictCall;

static PredictCall *get_call(FunctionCallInfo fcinfo)
{
    PredictCall *call = fcinfo->flinfo->fn_extra;

    if (likely(call != NULL))
        return call;
    call = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(*call));
    call->arguments = aiaas_arguments_plan(fcinfo, 1);
    fcinfo->flinfo->fn_extra = call;
    return call;
}

static AiaasModel *get_model(PredictCall *call, FunctionCallInfo fcinfo)
{
    const AiaasVersionRef *ref;
    text *name;

    if (PG_ARGISNULL(0))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument \"model\" must not be null")));
    name = PG_GETARG_TEXT_PP(0);
    ref = aiaas_resolve_again(&call->resolved, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name),
                              AIAAS_PREDICT);
    return aiaas_cache_get(&call->cached, ref);
}

static float *get_room(PredictCall *call, FunctionCallInfo fcinfo, int n)
{
    if (call->room < n) {
        call->out = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(float) * n);
        call->room = n;
    }
    return call->out;
}

/*
 * Runs the model on the call's features; *out becomes ax_model_outputs floats. False when a feature is
 * NULL. `check` refuses models that have no such answer, before any feature is looked at.
 */
static bool predict(FunctionCallInfo fcinfo, void (*check)(const AiaasModel *), AiaasModel **model,
                    float **out)
{
    PredictCall *call = get_call(fcinfo);
    AiaasModel *m = get_model(call, fcinfo);
    const void *row;
    ax_status status;
    ax_error err;

    if (check != NULL)
        check(m);
    row = aiaas_arguments_read(call->arguments, fcinfo, m);
    if (row == NULL)
        return false;
    *out = get_room(call, fcinfo, ax_model_outputs(m->network));
    status = ax_model_predict(m->network, row, 1, *out, &err);
    aiaas_cache_account(m);
    aiaas_check(status, &err, NULL);
    *model = m;
    return true;
}

/* ---- the number ------------------------------------------------------------------------------ */

static void check_number(const AiaasModel *m)
{
    if (m->n_labels > 0 && m->number == NULL)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the classes of model \"%s\" are not numbers", m->ref.name),
                        errhint("Use aiaas_predict_label.")));
    if (m->n_labels == 0 && ax_model_outputs(m->network) != 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("model \"%s\" predicts %d numbers, not one", m->ref.name,
                               ax_model_outputs(m->network)),
                        errhint("Use aiaas_predict_vector.")));
}

Datum aiaas_predict(PG_FUNCTION_ARGS)
{
    AiaasModel *m;
    float *out;

    if (!predict(fcinfo, check_number, &m, &out))
        PG_RETURN_NULL();
    if (m->n_labels > 0)
        PG_RETURN_FLOAT8(m->number[ax_model_decide(m->network, out)]);
    PG_RETURN_FLOAT8(out[0]);
}

/* ---- the class ------------------------------------------------------------------------------- */

static void check_classes(const AiaasModel *m)
{
    if (m->n_labels == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("model \"%s\" predicts numbers and has no classes", m->ref.name),
                        errhint("Use %s.", ax_model_outputs(m->network) == 1
                                               ? "aiaas_predict"
                                               : "aiaas_predict_vector")));
}

Datum aiaas_predict_label(PG_FUNCTION_ARGS)
{
    AiaasModel *m;
    float *out;

    if (!predict(fcinfo, check_classes, &m, &out))
        PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(m->label[ax_model_decide(m->network, out)]));
}

/* ---- arrays ---------------------------------------------------------------------------------- */

/* An uninitialized real[] of n elements. */
static ArrayType *make_array(int n, float **elements)
{
    Size size = ARR_OVERHEAD_NONULLS(1) + sizeof(float) * n;
    ArrayType *a = palloc0(size);

    SET_VARSIZE(a, size);
    a->ndim = 1;
    a->dataoffset = 0;
    a->elemtype = FLOAT4OID;
    ARR_DIMS(a)[0] = n;
    ARR_LBOUND(a)[0] = 1;
    *elements = (float *) ARR_DATA_PTR(a);
    return a;
}

Datum aiaas_predict_proba(PG_FUNCTION_ARGS)
{
    AiaasModel *m;
    ArrayType *a;
    float *out, *proba;

    if (!predict(fcinfo, check_classes, &m, &out))
        PG_RETURN_NULL();
    a = make_array(m->n_labels, &proba);
    ax_model_probabilities(m->network, out, proba);
    PG_RETURN_ARRAYTYPE_P(a);
}

Datum aiaas_predict_vector(PG_FUNCTION_ARGS)
{
    AiaasModel *m;
    ArrayType *a;
    float *out, *vector;

    if (!predict(fcinfo, NULL, &m, &out))
        PG_RETURN_NULL();
    a = make_array(ax_model_outputs(m->network), &vector);
    memcpy(vector, out, sizeof(float) * ax_model_outputs(m->network));
    PG_RETURN_ARRAYTYPE_P(a);
}
