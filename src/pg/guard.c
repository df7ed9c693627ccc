/*
 * guard.c: memory, interrupts and errors at the border to the engine.
 *
 * The allocator refuses what a memory context would ereport about, so that no longjmp ever leaves an
 * engine frame. The answer to "may I go on?" only looks at flags that signal handlers set; what they
 * mean is carried out by CHECK_FOR_INTERRUPTS() in aiaas_check, when no engine frame is on the stack.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "guard.h"

static void *env_alloc(void *ctx, size_t size)
{
    if (size == 0 || !AllocHugeSizeIsValid(size))
        return NULL;
    return MemoryContextAllocExtended((MemoryContext) ctx, size,
                                      MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

static void *env_alloc_limited(void *ctx, size_t size)
{
    AiaasBudget *b = ctx;

    if (b->limit != SIZE_MAX && (size > b->limit || MemoryContextMemAllocated(b->context, true) > b->limit - size)) {
        b->exceeded = true;
        return NULL;
    }
    return env_alloc(b->context, size);
}

static void env_free(void *ctx, void *p)
{
    (void) ctx;
    pfree(p);
}

/*
 * A cancel that cannot be acted on now (interrupts held off) must not stop the work: the caller would
 * have nothing to raise.
 */
static bool env_may_continue(void *ctx)
{
    (void) ctx;
    if (!InterruptPending || InterruptHoldoffCount > 0 || CritSectionCount > 0)
        return true;
    return !(QueryCancelPending || ProcDiePending || ClientConnectionLost);
}

void aiaas_env_init(ax_env *env, MemoryContext context, bool interruptible)
{
    env->alloc = env_alloc;
    env->free = env_free;
    env->may_continue = interruptible ? env_may_continue : NULL;
    env->ctx = context;
}

void aiaas_env_limit(ax_env *env, AiaasBudget *budget)
{
    env->alloc = env_alloc_limited;
    env->ctx = budget;
}

static const struct {
    ax_status status;
    int sqlstate;
} sqlstates[] = {
    {AX_ERR_NOMEM, ERRCODE_OUT_OF_MEMORY},
    {AX_ERR_CANCELLED, ERRCODE_QUERY_CANCELED},
    {AX_ERR_INVALID, ERRCODE_INVALID_PARAMETER_VALUE},
    {AX_ERR_UNKNOWN, ERRCODE_INVALID_PARAMETER_VALUE},
    {AX_ERR_UNSUPPORTED, ERRCODE_FEATURE_NOT_SUPPORTED},
    {AX_ERR_CORRUPT, ERRCODE_DATA_CORRUPTED},
    {AX_ERR_LIMIT, ERRCODE_PROGRAM_LIMIT_EXCEEDED},
    {AX_ERR_NUMERIC, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE},
    {AX_ERR_INTERNAL, ERRCODE_INTERNAL_ERROR},
};

static int status_sqlstate(ax_status status)
{
    for (size_t i = 0; i < lengthof(sqlstates); i++)
        if (sqlstates[i].status == status)
            return sqlstates[i].sqlstate;
    return ERRCODE_INTERNAL_ERROR;
}

void aiaas_check(ax_status status, const ax_error *err, const char *what)
{
    if (likely(status == AX_OK))
        return;
    if (status == AX_ERR_CANCELLED)
        CHECK_FOR_INTERRUPTS();
    ereport(ERROR,
            (errcode(status_sqlstate(status)), errmsg("%s", err->message),
             err->detail[0] ? errdetail("%s", err->detail) : 0,
             err->hint[0] ? errhint("%s", err->hint) : 0,
             what ? errcontext("%s", what) : 0));
}
