/*
 * cache.h: decoded models, kept for the session.
 */
#ifndef AIAAS_CACHE_H
#define AIAAS_CACHE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/ilist.h"

#include "ax.h"
#include "catalog.h"
#include "feature.h"

/* A version, ready to predict. */
typedef struct AiaasModel {
    AiaasVersionRef ref;
    MemoryContext context; /* holds all of this, and what the engine allocates */
    ax_env env;
    ax_model *network;
    AiaasFeatures *features;
    bool prepares; /* values may be missing, and columns be texts and times */
    int n_labels; /* 0 for regression */
    char **label;
    double *number; /* the number that each label is; NULL when not all of them are one */

    /* the cache's own */
    dlist_node lru;
    Size bytes;
    TimestampTz used;
    uint32 isa_changes; /* weights are packed for an instruction set */
} AiaasModel;

/* The model that a call site was given last. Zeros are a good start; only cache.c looks into it. */
typedef struct AiaasCached {
    AiaasModel *model;
    uint64 drops; /* from how many models had left the cache by then */
} AiaasCached;

/*
 * The model of a version: what the call site was given last if that is it, else from the cache, or loaded under
 * the active snapshot. It stays until the next call, and no longer: nothing that could run a user's code may
 * stand between the call and the last look at what it returned.
 */
extern AiaasModel *aiaas_cache_get(AiaasCached *site, const AiaasVersionRef *ref);

/* To be called after a prediction, which may have grown the engine's buffers. Cheap when it has not. */
extern void aiaas_cache_account(AiaasModel *m);

/* Drops every version of a model, given as "name" or "name@3". Always safe: what is needed is loaded again. */
extern void aiaas_cache_forget(const char *text);

/* A private copy in the context, for those who hold a model while a user's query runs. */
extern AiaasModel *aiaas_model_load(const AiaasVersionRef *ref, MemoryContext context);

#endif /* AIAAS_CACHE_H */
