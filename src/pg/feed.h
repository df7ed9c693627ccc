/*
 * feed.h: the user's query becomes rows of numbers.
 *
 * A feed runs one SELECT as the current user and hands every row to a sink, as it comes out of the
 * executor: no second copy of the result exists anywhere. See feed.c for the rules on columns.
 */
#ifndef AIAAS_FEED_H
#define AIAAS_FEED_H

#include "postgres.h"

#include "feature.h"
#include "target.h"

typedef struct AiaasFeedSpec {
    const char *query;
    const char *argument;      /* "query", "validation_query": named in errors */
    const char *target_column; /* as the query spells it; NULL: the last that is not the weight */
    const char *weight_column; /* NULL: none */
    const AiaasFeatures *model; /* NULL: learn the columns; else match these by name */
    int64 input_width;         /* product of input_shape, 0 when not given */
    const char *input_shape;   /* as text, for errors */
    bool volatile_caller;      /* sees what the current command did (training), else STABLE */
    bool keep_order;           /* the order of the rows matters: parallel only under ORDER BY */

    /* The target is made when its name and type are known, before the first row. */
    AiaasTarget *(*make_target)(void *arg, const char *column, Oid type);
    /* Before the first row's target: widths are known, see aiaas_feed_features. */
    void (*start)(void *arg, const AiaasFeatures *features);
    /* One row; the bytes (floats, or uint8 when features->bytes) live until it returns. The target is
     * already in the AiaasTarget. weight is 1 without a weight column. */
    void (*row)(void *arg, const void *features, float weight);
    void *arg;
} AiaasFeedSpec;

/*
 * Runs the query, returns how many rows it had, at least one. What it allocates for good (features)
 * goes to CurrentMemoryContext. Raises at the end, with counts, what was wrong in columns: NULL 22004,
 * NaN and infinity 22003.
 */
extern int64 aiaas_feed_run(const AiaasFeedSpec *spec);

#endif /* AIAAS_FEED_H */
