/*
 * resolve.c: which version a name stands for, remembered for as long as it cannot change.
 *
 * A query that predicts a million rows asks a million times what 'churn' means, and under one snapshot
 * the answer is always the same. So a call site remembers its last answer together with everything that
 * the answer follows from: the text, the user, and what the active snapshot can see. A promotion, a
 * revoke or a drop that another session commits is then seen by exactly those statements that see the
 * other changes of that transaction: by the next one under READ COMMITTED, by none under REPEATABLE READ.
 *
 * What a snapshot sees is compared by (xmin, xmax, xcnt, subxcnt, suboverflowed, curcid). Two snapshots with
 * one xmax differ only in which transactions below it were still running; no transaction can join that
 * set later (transaction numbers are given out in order), so it only shrinks, and equal counts mean equal
 * sets. curcid is for the changes of this transaction itself. The pointer to the snapshot would not
 * do: snapshots are copied, and their memory is used again.
 *
 * Two things change what is visible and leave the snapshot alone: the end of a transaction, after which
 * numbers may repeat, and a rollback to a savepoint, which takes own changes back. Both advance an epoch.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "cache.h"
#include "resolve.h"

static uint64 epoch = 1;
static bool watching;

static void transaction_ended(XactEvent event, void *arg)
{
    (void) event;
    (void) arg;
    epoch++;
}

static void subtransaction_ended(SubXactEvent event, SubTransactionId mine,
                                 SubTransactionId parent, void *arg)
{
    (void) mine;
    (void) parent;
    (void) arg;
    if (event == SUBXACT_EVENT_ABORT_SUB)
        epoch++;
}

static void watch_transactions(void)
{
    if (watching)
        return;
    RegisterXactCallback(transaction_ended, NULL);
    RegisterSubXactCallback(subtransaction_ended, NULL);
    watching = true;
}

static bool still_holds(const AiaasResolved *r, Snapshot s, const char *text, Size len)
{
    return r->valid && r->epoch == epoch && r->user == GetUserId() && r->xmin == s->xmin &&
           r->xmax == s->xmax && r->xcnt == s->xcnt && r->subxcnt == s->subxcnt &&
           r->suboverflowed == s->suboverflowed && r->curcid == s->curcid && r->len == len &&
           memcmp(r->text, text, len) == 0;
}

static void remember(AiaasResolved *r, Snapshot s, const char *text, Size len)
{
    r->epoch = epoch;
    r->user = GetUserId();
    r->xmin = s->xmin;
    r->xmax = s->xmax;
    r->xcnt = s->xcnt;
    r->subxcnt = s->subxcnt;
    r->suboverflowed = s->suboverflowed;
    r->curcid = s->curcid;
    r->len = len;
    memcpy(r->text, text, len);
    r->valid = true;
}

/* A name that means nothing any more takes its models out of the cache. */
static void resolve(const char *text, AiaasPrivilege privilege, AiaasVersionRef *ref)
{
    PG_TRY();
    {
        aiaas_resolve(text, privilege, ref);
    }
    PG_CATCH();
    {
        aiaas_cache_forget(text);
        PG_RE_THROW();
    }
    PG_END_TRY();
}

const AiaasVersionRef *aiaas_resolve_again(AiaasResolved *r, const char *text, Size len,
                                           AiaasPrivilege privilege)
{
    Snapshot snapshot = GetActiveSnapshot();
    char *name;

    if (likely(still_holds(r, snapshot, text, len)))
        return &r->ref;
    watch_transactions();
    r->valid = false;
    name = pnstrdup(text, len);
    resolve(name, privilege, &r->ref);
    pfree(name);
    if (len <= sizeof(r->text))
        remember(r, snapshot, text, len);
    return &r->ref;
}
