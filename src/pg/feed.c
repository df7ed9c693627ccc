/*
 * feed.c: the user's query becomes rows of numbers.
 *
 * The query is text from the user and runs with the user's own rights, through SPI: grants, row level
 * security and views hold as if it had been typed in. It must be one SELECT (or VALUES, TABLE, WITH)
 * that writes nothing; this is asked of the parsed query and not of its text.
 *
 * The executor sends its tuples to a DestReceiver of ours, one by one, so the result is never
 * materialized; a context for a row's temporary values is reset after each.
 *
 * What each column is for stands at the head of feed_columns.c, what becomes of bad values at that of feed_rows.c.
 *
 * Order. Training depends on the order of the rows. A parallel plan returns them in any order, and so does a
 * scan that joins another backend's (synchronize_seqscans), so both are switched off for a training
 * unless ORDER BY says what is meant.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "tcop/dest.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

#include "compat.h"
#include "feed_private.h"

/* ---- the query ------------------------------------------------------------------------------- */

static void query_error_context(void *arg)
{
    const AiaasFeedSpec *spec = arg;

    errcontext("argument \"%s\"", spec->argument);
}

static void refuse_query(const AiaasFeedSpec *spec, const char *why)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("argument \"%s\" %s", spec->argument, why),
                    errhint("Give one SELECT that returns the feature columns and the target.")));
}

static void check_query(const AiaasFeedSpec *spec, const Query *query)
{
    if (query->commandType != CMD_SELECT || query->utilityStmt != NULL)
        refuse_query(spec, "is not a SELECT");
    if (query->hasModifyingCTE)
        refuse_query(spec, "writes to a table");
    if (query->rowMarks != NIL)
        refuse_query(spec, "locks rows");
}

/* The plan of the one SELECT that the text is; an error for everything else. */
static SPIPlanPtr prepare(const AiaasFeedSpec *spec)
{
    SPIPlanPtr plan = SPI_prepare(spec->query, 0, NULL);
    List *sources;
    CachedPlanSource *source;
    Query *query;

    if (plan == NULL)
        elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
    sources = SPI_plan_get_plan_sources(plan);
    if (sources == NIL)
        refuse_query(spec, "is empty");
    if (list_length(sources) > 1)
        refuse_query(spec, "holds more than one statement");
    source = linitial(sources);
    if (list_length(source->query_list) != 1)
        refuse_query(spec, "is not a SELECT");
    query = linitial_node(Query, source->query_list);
    check_query(spec, query);
    if (!spec->keep_order || query->sortClause != NIL)
        source->cursor_options |= CURSOR_OPT_PARALLEL_OK;
    return plan;
}

static void execute(AiaasFeed *feed)
{
    SPIExecuteOptions options;
    int rc;

    memset(&options, 0, sizeof(options));
    options.read_only = !feed->spec->volatile_caller;
    options.dest = &feed->pub;
    rc = SPI_execute_plan_extended(prepare(feed->spec), &options);
    if (rc < 0)
        elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(rc));
}

/* ---- the end --------------------------------------------------------------------------------- */

/* What is said of a column of bad values. */
typedef struct BadColumns {
    StringInfoData all;
    const char *first;
    int64 count; /* of the first */
} BadColumns;

static void add_bad(BadColumns *b, const char *name, int64 n)
{
    if (n == 0)
        return;
    appendStringInfo(&b->all, "%s\"%s\" in " INT64_FORMAT, b->first ? ", " : "", name, n);
    if (b->first == NULL) {
        b->first = name;
        b->count = n;
    }
}

static void refuse_nulls(const BadColumns *b, int64 rows)
{
    if (b->first != NULL)
        ereport(ERROR,
                (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                 errmsg("column \"%s\" is NULL in " INT64_FORMAT " of " INT64_FORMAT " rows", b->first,
                        b->count, rows),
                 errdetail("NULLs by column: %s.", b->all.data),
                 errhint("Leave these rows out with WHERE ... IS NOT NULL, or give the missing values "
                         "with coalesce().")));
}

static void refuse_nonfinite(const BadColumns *b, int64 rows)
{
    if (b->first != NULL)
        ereport(ERROR,
                (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                 errmsg("column \"%s\" is NaN, infinite or out of range for type real in " INT64_FORMAT
                        " of " INT64_FORMAT " rows",
                        b->first, b->count, rows),
                 errdetail("Such values by column: %s.", b->all.data),
                 errhint("Leave these rows out, or replace the values.")));
}

/* The features' bad values (NULL: they do not matter), then those of n columns that have to be there. */
static void refuse_bad_values(const AiaasFeatures *f, const FeedColumn *const *column, int n, int64 rows)
{
    BadColumns nulls = {.first = NULL}, nonfinite = {.first = NULL};

    initStringInfo(&nulls.all);
    initStringInfo(&nonfinite.all);
    for (int i = 0; f != NULL && i < f->count; i++) {
        add_bad(&nulls, f->column[i].name, f->column[i].nulls);
        add_bad(&nonfinite, f->column[i].name, f->column[i].nans + f->column[i].infinite);
    }
    for (int i = 0; i < n; i++) {
        add_bad(&nulls, column[i]->name, column[i]->nulls);
        add_bad(&nonfinite, column[i]->name, column[i]->nonfinite);
    }
    refuse_nulls(&nulls, rows);
    refuse_nonfinite(&nonfinite, rows);
}

void aiaas_feed_refuse_missing(const AiaasFeatures *f, int64 rows)
{
    refuse_bad_values(f, NULL, 0, rows);
}

static void feed_nothing(DestReceiver *self)
{
    (void) self;
}

int64 aiaas_feed_run(const AiaasFeedSpec *spec, AiaasFeatures **features)
{
    AiaasFeed feed = {
        .pub = {aiaas_feed_receive, aiaas_feed_startup, feed_nothing, feed_nothing, DestNone},
        .spec = spec,
        .context = CurrentMemoryContext,
    };
    ErrorContextCallback callback = {error_context_stack, query_error_context, (void *) spec};
    const FeedColumn *const needed[] = {&feed.target, &feed.weight, &feed.split};
    int nest = NewGUCNestLevel();

    feed.row_context = AllocSetContextCreate(CurrentMemoryContext, "aiaas row",
                                             ALLOCSET_DEFAULT_SIZES);
    if (spec->keep_order)
        (void) set_config_option("synchronize_seqscans", "off", PGC_USERSET, PGC_S_SESSION,
                                 GUC_ACTION_SAVE, true, 0, false);
    SPI_connect();
    error_context_stack = &callback;
    execute(&feed);
    error_context_stack = callback.previous;
    SPI_finish();
    AtEOXact_GUC(true, nest);
    MemoryContextDelete(feed.row_context);
    if (feed.bad)
        refuse_bad_values(feed.missing ? NULL : feed.features, needed, lengthof(needed), feed.rows);
    if (feed.rows == 0 && spec->columns != AIAAS_COLUMNS_ANY)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("argument \"%s\" returns no rows", spec->argument)));
    if (features != NULL)
        *features = feed.features;
    return feed.rows;
}
