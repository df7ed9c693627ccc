/*
 * cache.c: decoded models, kept for the session.
 *
 * The key is the version's uuid. A version's content never changes, and a uuid is never used twice, so
 * an entry can be old but not wrong: which version a name stands for is decided anew by resolve.c, and
 * only then the cache is asked. That is why nothing here listens to other sessions.
 *
 * Memory. Each model has a memory context; the sum of their sizes is kept below aiaas.cache_size by
 * dropping the least recently used, and models that were not used for IDLE_SECONDS go whenever another
 * one is loaded: that is how versions vanish that were dropped or replaced. The model that was asked for
 * last always stays, whatever its size.
 *
 * A call site remembers the model that it was given. Any model that leaves the cache voids what all sites remember,
 * by a count; as long as it stands, the model that a site remembers is alive, and only its version has to be compared.
 *
 * Nothing is pinned. Between aiaas_cache_get and the end of a prediction only the engine and built-in
 * conversions run, so no second aiaas_cache_get can come in between. Who runs a user's query while it
 * holds a model (aiaas_evaluate) loads a private one.
 *
 * A model is loaded into a context below the caller's, which an error deletes, and moves under
 * TopMemoryContext when it is complete.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "cache.h"
#include "guard.h"
#include "guc.h"
#include "store.h"

#define IDLE_SECONDS 900

typedef struct CacheEntry {
    pg_uuid_t uuid; /* key */
    AiaasModel *model;
} CacheEntry;

static HTAB *cache;
static dlist_head lru = DLIST_STATIC_INIT(lru); /* most recently used first */
static Size total;
static uint64 drops = 1; /* a site of zeros remembers nothing */

/* ---- loading --------------------------------------------------------------------------------- */

/* The label as a number: 1 and 0 for booleans, else what it spells. */
static bool label_number(const char *type, const char *label, double *number)
{
    char *end;

    if (strcmp(type, "boolean") == 0) {
        *number = strcmp(label, "true") == 0;
        return true;
    }
    *number = strtod(label, &end);
    return end != label && *end == '\0' && isfinite(*number);
}

static const char *metadata(const AiaasModel *m, const char *key)
{
    return aiaas_from_model(ax_model_metadata(m->network, key));
}

static void read_labels(AiaasModel *m)
{
    if (ax_model_task(m->network) != AX_TASK_CLASSIFICATION)
        return;
    m->label = aiaas_labels_parse(metadata(m, "aiaas.labels"), &m->n_labels);
    m->number = palloc(sizeof(double) * Max(m->n_labels, 1));
    for (int i = 0; i < m->n_labels; i++) {
        if (!label_number(m->features->target_type, m->label[i], &m->number[i])) {
            pfree(m->number);
            m->number = NULL;
            return;
        }
    }
}

/* What the metadata says must fit the network: widths become memory accesses. Texts and gaps need a preparation. */
static void check_fit(const AiaasModel *m)
{
    bool fits = m->prepares ? !m->features->bytes : m->features->plain || m->features->bytes;

    if (fits && m->features->width == ax_model_input_width(m->network) &&
        m->features->bytes == (ax_model_input_type(m->network) == AX_UINT8) &&
        m->n_labels == ax_model_classes(m->network))
        return;
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("version %d of model \"%s\" is damaged: its columns do not fit its network",
                           m->ref.number, m->ref.name)));
}

AiaasModel *aiaas_model_load(const AiaasVersionRef *ref, MemoryContext parent)
{
    MemoryContext context = AllocSetContextCreate(parent, "aiaas model", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    AiaasModel *m = palloc0(sizeof(*m));

    m->ref = *ref;
    m->context = context;
    m->isa_changes = aiaas_isa_changes;
    aiaas_env_init(&m->env, context, true);
    m->network = aiaas_store_load(ref, &m->env);
    m->features = aiaas_features_parse(metadata(m, "aiaas.features"));
    m->prepares = ax_model_prepares(m->network);
    read_labels(m);
    check_fit(m);
    MemoryContextSwitchTo(old);
    return m;
}

/* ---- the cache ------------------------------------------------------------------------------- */

static void make_cache(void)
{
    HASHCTL ctl = {0};

    if (cache != NULL)
        return;
    ctl.keysize = sizeof(pg_uuid_t);
    ctl.entrysize = sizeof(CacheEntry);
    ctl.hcxt = TopMemoryContext;
    cache = hash_create("aiaas models", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void drop(AiaasModel *m)
{
    (void) hash_search(cache, &m->ref.uuid, HASH_REMOVE, NULL);
    dlist_delete(&m->lru);
    total -= m->bytes;
    drops++;
    MemoryContextDelete(m->context);
}

static bool is_idle(const AiaasModel *m)
{
    return GetCurrentStatementStartTimestamp() - m->used > IDLE_SECONDS * USECS_PER_SEC;
}

/* Keeps the first of the list, which is in use. */
static void shrink(bool idle_too)
{
    while (!dlist_is_empty(&lru)) {
        AiaasModel *last = dlist_tail_element(AiaasModel, lru, &lru);

        if (dlist_head_node(&lru) == &last->lru)
            return;
        if (total <= (Size) aiaas_cache_size * 1024 && !(idle_too && is_idle(last)))
            return;
        drop(last);
    }
}

static AiaasModel *load(const AiaasVersionRef *ref)
{
    AiaasModel *m = aiaas_model_load(ref, CurrentMemoryContext);
    CacheEntry *e = hash_search(cache, &ref->uuid, HASH_ENTER, NULL);

    e->model = m;
    m->bytes = MemoryContextMemAllocated(m->context, true);
    total += m->bytes;
    dlist_push_head(&lru, &m->lru);
    MemoryContextSetParent(m->context, TopMemoryContext);
    shrink(true);
    return m;
}

static AiaasModel *find(const AiaasVersionRef *ref)
{
    CacheEntry *e;
    AiaasModel *m;

    make_cache();
    e = hash_search(cache, &ref->uuid, HASH_FIND, NULL);
    m = e ? e->model : NULL;
    if (m != NULL && m->isa_changes != aiaas_isa_changes) {
        drop(m);
        m = NULL;
    }
    return m != NULL ? m : load(ref);
}

static bool still_holds(const AiaasCached *site, const AiaasVersionRef *ref)
{
    return site->drops == drops && site->model->isa_changes == aiaas_isa_changes &&
           memcmp(&site->model->ref.uuid, &ref->uuid, sizeof(pg_uuid_t)) == 0;
}

AiaasModel *aiaas_cache_get(AiaasCached *site, const AiaasVersionRef *ref)
{
    AiaasModel *m = site->model;

    if (unlikely(!still_holds(site, ref))) {
        site->drops = 0;
        m = site->model = find(ref);
        site->drops = drops;
    }
    m->used = GetCurrentStatementStartTimestamp();
    dlist_move_head(&lru, &m->lru);
    return m;
}

void aiaas_cache_account(AiaasModel *m)
{
    Size bytes = m->context->mem_allocated;

    if (likely(bytes == m->bytes && total <= (Size) aiaas_cache_size * 1024))
        return;
    total = total - m->bytes + bytes;
    m->bytes = bytes;
    shrink(false);
}

void aiaas_cache_forget(const char *text)
{
    const char *at = strchr(text, '@');
    size_t len = at ? (size_t) (at - text) : strlen(text);
    dlist_mutable_iter it;

    dlist_foreach_modify(it, &lru)
    {
        AiaasModel *m = dlist_container(AiaasModel, lru, it.cur);

        if (strlen(m->ref.name) == len && memcmp(m->ref.name, text, len) == 0)
            drop(m);
    }
}
