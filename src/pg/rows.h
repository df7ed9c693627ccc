/*
 * rows.h: the rows of a query, in memory, ready for the engine.
 *
 * What a training reads: an ax_dataset with its targets and weights, the feature columns and the classes
 * that were found. Rows go into the dataset as they leave the executor.
 */
#ifndef AIAAS_ROWS_H
#define AIAAS_ROWS_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "ax.h"
#include "feature.h"
#include "feed.h"
#include "target.h"

typedef struct AiaasRows {
    ax_env env;
    MemoryContext context; /* everything lives here */
    ax_dataset *dataset; /* NULL: there were no rows */
    AiaasFeatures *features;
    AiaasTarget *target; /* classes and task; its rows are already in the dataset. NULL: there is none */
    int64 count;
    uint64 hash; /* of rows and targets */
    int64 *key;  /* (count) of the split column, see AiaasMarks; NULL without one */

    /* while reading */
    bool weighted;
    float *weight;
    int64 weight_room;
    int64 key_room;
    const struct AiaasRowsSpec *spec;
} AiaasRows;

typedef struct AiaasRowsSpec {
    const char *model; /* its name, for errors */
    const char *query;
    const char *argument; /* its name, for errors */
    const char *target_column; /* NULL: the last one */
    const char *weight_column; /* NULL: none */
    const char *split_column; /* NULL: none */
    bool split_groups;
    bool no_target;
    bool compress; /* what is many may be rounded: trees learn from it */
    AiaasColumns columns;
    Jsonb *options; /* "columns": which are taken as categories; may be NULL */
    ax_task hint;
    const AiaasRows *like; /* validation rows: the columns and classes of these */
    int64 input_width;     /* product of input_shape, 0 when not given */
    const char *input_shape;
} AiaasRowsSpec;

extern AiaasRows *aiaas_rows_read(MemoryContext context, const AiaasRowsSpec *spec);

#endif /* AIAAS_ROWS_H */
