/*
 * feed.h: the user's query becomes rows of numbers.
 *
 * A feed runs one SELECT as the current user and hands every row to a sink, as it comes out of the
 * executor: no second copy of the result exists anywhere. See feed_columns.c for the rules on columns.
 */
#ifndef AIAAS_FEED_H
#define AIAAS_FEED_H

#include "postgres.h"

#include "ax.h"
#include "feature.h"
#include "target.h"

/* Which columns a new model may have, and whether values may be missing in them. */
typedef enum AiaasColumns {
    AIAAS_COLUMNS_PLAIN,  /* what goes into a network as it is: numbers, arrays, one bytea; nothing may be missing */
    AIAAS_COLUMNS_TABLE,  /* what can be prepared: texts and times too */
    AIAAS_COLUMNS_EITHER, /* a table, unless there is one array or bytea alone */
    AIAAS_COLUMNS_ANY     /* whatever there is, for statistics */
} AiaasColumns;

/* What comes with a row besides features and target. */
typedef struct AiaasMarks {
    float weight; /* 1 without a weight column */
    int64 key;    /* of the split column: equal for equal values, or in their order; 0 without one */
} AiaasMarks;

typedef enum AiaasWish {
    AIAAS_WISH_NONE,
    AIAAS_WISH_CATEGORY, /* to be taken by its text */
    AIAAS_WISH_EXCLUDED  /* not to be used: any type will do */
} AiaasWish;

typedef struct AiaasFeedSpec {
    const char *query;
    const char *argument;      /* "query", "validation_query": named in errors */
    const char *target_column; /* as the query spells it; NULL: the last that is not the weight */
    bool no_target;            /* there is none: make_target is not called */
    const char *weight_column; /* NULL: none */
    const char *split_column;  /* NULL: none */
    bool split_groups;         /* by equal values, and the column is no feature; else in order, and it may be one */
    const AiaasFeatures *model; /* NULL: learn the columns; else match these by name, and count in them */
    AiaasColumns columns;       /* NULL model: which may be learned */
    bool missing;               /* else: may values be missing? */
    const ax_model *network;    /* else: says which number stands for a text; NULL: the features' dictionaries */
    int64 input_width;         /* product of input_shape, 0 when not given */
    const char *input_shape;   /* as text, for errors */
    bool volatile_caller;      /* sees what the current command did (training), else STABLE */
    bool keep_order;           /* the order of the rows matters: parallel only under ORDER BY */

    /* NULL model: what is wanted of a column. May be NULL. */
    AiaasWish (*wish)(void *arg, const char *column);
    /* The target is made when its name and type are known, before the first row. */
    AiaasTarget *(*make_target)(void *arg, const char *column, Oid type);
    /* Before the first row's target: widths are known, see aiaas_feed_features. */
    void (*start)(void *arg, const AiaasFeatures *features);
    /* One row; the bytes (floats, or uint8 when features->bytes) live until it returns. The target is
     * already in the AiaasTarget. */
    void (*row)(void *arg, const void *features, const AiaasMarks *marks);
    void *arg;
} AiaasFeedSpec;

/*
 * Runs the query, returns how many rows it had, at least one (AIAAS_COLUMNS_ANY: or none). What it allocates for good
 * (features) goes to CurrentMemoryContext. Raises at the end, with counts, what was wrong in columns: NULL 22004,
 * NaN and infinity 22003. Where values may be missing that is said of target and weight alone: a missing feature is
 * NaN in the row, an infinity stays one, and both are counted in the features. *features, unless it is NULL, becomes
 * the columns, also when there were no rows.
 */
extern int64 aiaas_feed_run(const AiaasFeedSpec *spec, AiaasFeatures **features);

/* Raises what aiaas_feed_run would have, had nothing been allowed to miss; returns when nothing does. */
extern void aiaas_feed_refuse_missing(const AiaasFeatures *f, int64 rows);

#endif /* AIAAS_FEED_H */
