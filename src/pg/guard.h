/*
 * guard.h: the border between PostgreSQL and the engine.
 *
 * An ax_env is made over a memory context: what the engine allocates dies with the context, and out of
 * memory is an answer, not a jump. Engine statuses become SQLSTATEs in one table. Nothing of PostgreSQL
 * that can ereport is ever called from inside an engine frame.
 */
#ifndef AIAAS_GUARD_H
#define AIAAS_GUARD_H

#include "postgres.h"

#include "ax.h"

/*
 * Fills *env with an allocator over the context. interruptible: may_continue answers no once a
 * cancel or a termination is pending, so that the caller, back in its own frame, can run
 * CHECK_FOR_INTERRUPTS(). The env holds the context's pointer; the context must outlive it.
 */
extern void aiaas_env_init(ax_env *env, MemoryContext context, bool interruptible);

/* What an env may take, once aiaas_env_limit has put it on. */
typedef struct AiaasBudget {
    MemoryContext context;
    Size limit;    /* of all that the context and its children hold; may be changed */
    bool exceeded; /* an allocation was refused because of it */
} AiaasBudget;

/* Makes the allocator of *env one that keeps to the budget, which must outlive the env. */
extern void aiaas_env_limit(ax_env *env, AiaasBudget *budget);

/*
 * Returns when status is AX_OK. Else: AX_ERR_CANCELLED runs CHECK_FOR_INTERRUPTS() first; then ereport(ERROR)
 * with the SQLSTATE of the status and the engine's message, detail and hint. what: "training of model
 * \"x\"" and the like, becomes the errcontext; may be NULL.
 */
extern void aiaas_check(ax_status status, const ax_error *err, const char *what);

#endif /* AIAAS_GUARD_H */
