/*
 * feed_private.h: what the files of the feed share: its state, and what the executor calls.
 */
#ifndef AIAAS_FEED_PRIVATE_H
#define AIAAS_FEED_PRIVATE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "tcop/dest.h"

#include "feed.h"

typedef struct FeedColumn {
    const char *name;
    int attnum; /* from 1; 0: there is none */
    AiaasReader reader;
    int64 nulls; /* of target and weight; a feature has its own */
    int64 nonfinite;
} FeedColumn;

typedef struct AiaasFeed {
    DestReceiver pub; /* first: the executor knows only this */
    const AiaasFeedSpec *spec;
    MemoryContext context; /* lives as long as the feed's caller wants */
    MemoryContext row_context;
    AiaasFeatures *features;
    FeedColumn *column; /* of each feature */
    FeedColumn target, weight, split;
    AiaasTarget *learn;
    bool missing; /* may values of features be missing? */
    bool started;
    bool bad; /* a bad value was seen: count, keep nothing */
    float *buffer;
    int64 rows;
} AiaasFeed;

/* Before the first tuple: finds target, weight, split column and features, or refuses the query. */
void aiaas_feed_startup(DestReceiver *self, int operation, TupleDesc desc);

/* Reads one tuple and hands it on, or counts what is bad about it; true: go on. */
bool aiaas_feed_receive(TupleTableSlot *slot, DestReceiver *self);

#endif
