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
 * Columns. The target is found by name, and so is the column of weights. For a new model all others are
 * features, in the query's order: numbers, arrays of numbers, or one bytea and nothing else. The length
 * of an array is that of the first row. For an existing model its features are found by name and all other
 * columns are ignored.
 *
 * Bad values. A NULL, NaN or infinity does not end the query: it is counted, column by column, and
 * reported when all rows were seen, so that one error tells the size of the problem. From the first of
 * them on no row is kept any more. Arrays of different lengths end it at once.
 *
 * Order. Training depends on the order of the rows. A parallel plan returns them in any order, and so does a
 * scan that joins another backend's (synchronize_seqscans), so both are switched off for a training
 * unless ORDER BY says what is meant.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

#include "compat.h"
#include "feed.h"

typedef struct FeedColumn {
    const char *name;
    int attnum; /* from 1; 0: there is none */
    AiaasReader reader;
    int64 nulls;
    int64 nonfinite;
} FeedColumn;

typedef struct AiaasFeed {
    DestReceiver pub; /* first: the executor knows only this */
    const AiaasFeedSpec *spec;
    MemoryContext context; /* lives as long as the feed's caller wants */
    MemoryContext row_context;
    AiaasFeatures *features;
    FeedColumn *column; /* of each feature */
    FeedColumn target, weight;
    AiaasTarget *learn;
    bool started;
    bool bad; /* a bad value was seen: count, keep nothing */
    float *buffer;
    int64 rows;
} AiaasFeed;

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

/* ---- columns --------------------------------------------------------------------------------- */

static const char **column_names(TupleDesc desc)
{
    const char **names = palloc(sizeof(char *) * Max(desc->natts, 1));

    for (int i = 0; i < desc->natts; i++)
        names[i] = NameStr(TupleDescAttr(desc, i)->attname);
    return names;
}

static char *join_names(const char *const *names, int n)
{
    StringInfoData s;

    initStringInfo(&s);
    for (int i = 0; i < n; i++)
        appendStringInfo(&s, "%s\"%s\"", i > 0 ? ", " : "", names[i]);
    return s.data;
}

static void check_duplicates(TupleDesc desc)
{
    const char **names = column_names(desc);

    for (int i = 0; i < desc->natts; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                ereport(ERROR,
                        (errcode(ERRCODE_DUPLICATE_COLUMN),
                         errmsg("the query returns two columns named \"%s\"", names[i]),
                         errhint("Give each column a name of its own with AS.")));
}

static int find_column(TupleDesc desc, const char *name)
{
    for (int i = 0; i < desc->natts; i++)
        if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
            return i + 1;
    return 0;
}

/* what: "target column", "weight column", "feature column". */
static int need_column(TupleDesc desc, const char *name, const char *what)
{
    int attnum = find_column(desc, name);
    const char **names;
    const char *near;

    if (attnum > 0)
        return attnum;
    names = column_names(desc);
    near = aiaas_nearest_name(name, names, desc->natts);
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                    errmsg("the query has no %s \"%s\"", what, name),
                    errdetail("Its columns are %s.", join_names(names, desc->natts)),
                    near ? errhint("Perhaps you meant \"%s\".", near) : 0));
    return 0;
}

static void refuse_feature(const char *name, Oid type)
{
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("feature column \"%s\" has type %s, which is not a number", name,
                    format_type_be(type)),
             errhint("Features are numbers, booleans, arrays of them, or one bytea. Leave the column "
                     "out, or turn it into numbers in the query.")));
}

static void init_column(FeedColumn *c, TupleDesc desc, int attnum)
{
    Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);

    c->name = pstrdup(NameStr(att->attname));
    c->attnum = attnum;
    if (!aiaas_reader_init(&c->reader, att->atttypid))
        refuse_feature(c->name, att->atttypid);
}

static void init_weight(AiaasFeed *feed, TupleDesc desc)
{
    const char *name = feed->spec->weight_column;
    int attnum;

    if (name == NULL)
        return;
    attnum = need_column(desc, name, "weight column");
    init_column(&feed->weight, desc, attnum);
    if (feed->weight.reader.kind != AIAAS_NUMBER)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("weight column \"%s\" has type %s, but a weight is a number", name,
                               aiaas_reader_type_name(&feed->weight.reader))));
}

static void init_target(AiaasFeed *feed, TupleDesc desc)
{
    const char *name = feed->spec->target_column;
    int last = desc->natts - (feed->weight.attnum == desc->natts);

    if (name == NULL && last < 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the query has no target column"),
                        errhint("Return the feature columns and the target.")));
    feed->target.attnum = name ? need_column(desc, name, "target column") : last;
    feed->target.name = pstrdup(NameStr(TupleDescAttr(desc, feed->target.attnum - 1)->attname));
    if (feed->weight.attnum == feed->target.attnum)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("column \"%s\" cannot be both target and weight",
                               feed->target.name)));
}

/* All columns but target and weight, in the query's order. */
static void learn_features(AiaasFeed *feed, TupleDesc desc)
{
    AiaasFeatures *f = feed->features = palloc0(sizeof(*f));
    bool bytes = false;

    f->column = palloc0(sizeof(AiaasFeature) * Max(desc->natts, 1));
    feed->column = palloc0(sizeof(FeedColumn) * Max(desc->natts, 1));
    for (int i = 1; i <= desc->natts; i++) {
        FeedColumn *c = &feed->column[f->count];
        AiaasFeature *feature = &f->column[f->count];

        if (i == feed->target.attnum || i == feed->weight.attnum)
            continue;
        init_column(c, desc, i);
        feature->name = pstrdup(c->name);
        feature->type = aiaas_reader_type_name(&c->reader);
        feature->kind = c->reader.kind;
        feature->width = feature->kind == AIAAS_NUMBER ? 1 : 0;
        bytes |= feature->kind == AIAAS_BYTES;
        f->count++;
    }
    if (f->count == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the query has no feature column"),
                        errhint("Return at least one column next to the target.")));
    if (bytes && f->count > 1)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a bytea feature cannot be combined with other features"),
                        errdetail("The features are %s.", aiaas_features_describe(f)),
                        errhint("Return the bytea and the target only.")));
}

/* The model's columns, wherever the query has them. */
static void match_features(AiaasFeed *feed, TupleDesc desc)
{
    const AiaasFeatures *model = feed->spec->model;

    feed->features = (AiaasFeatures *) model;
    feed->column = palloc0(sizeof(FeedColumn) * model->count);
    for (int i = 0; i < model->count; i++) {
        const AiaasFeature *want = &model->column[i];
        FeedColumn *c = &feed->column[i];

        init_column(c, desc, need_column(desc, want->name, "feature column"));
        if (c->reader.kind != want->kind)
            ereport(ERROR,
                    (errcode(ERRCODE_DATATYPE_MISMATCH),
                     errmsg("feature column \"%s\" has type %s, but the model was trained with %s",
                            want->name, aiaas_reader_type_name(&c->reader), want->type)));
    }
}

static void feed_startup(DestReceiver *self, int operation, TupleDesc desc)
{
    AiaasFeed *feed = (AiaasFeed *) self;
    const AiaasFeedSpec *spec = feed->spec;
    MemoryContext old = MemoryContextSwitchTo(feed->context);
    Oid type;

    (void) operation;
    check_duplicates(desc);
    init_weight(feed, desc);
    init_target(feed, desc);
    if (spec->model != NULL)
        match_features(feed, desc);
    else
        learn_features(feed, desc);
    type = TupleDescAttr(desc, feed->target.attnum - 1)->atttypid;
    feed->learn = spec->make_target(spec->arg, feed->target.name, type);
    MemoryContextSwitchTo(old);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void refuse_width(const AiaasFeed *feed, int i, int64 width)
{
    const AiaasFeature *f = &feed->features->column[i];
    const char *unit = f->kind == AIAAS_BYTES ? "bytes" : "elements";

    if (f->kind == AIAAS_BYTES && feed->spec->input_width > 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("column \"%s\" holds " INT64_FORMAT " bytes in row " INT64_FORMAT
                        ", but input_shape %s is " INT64_FORMAT,
                        f->name, width, feed->rows, feed->spec->input_shape, f->width),
                 errhint("Raw pixels are expected: one byte for each number of the shape.")));
    ereport(ERROR,
            (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
             errmsg("column \"%s\" holds " INT64_FORMAT " %s in row " INT64_FORMAT ", not " INT64_FORMAT,
                    f->name, width, unit, feed->rows, f->width),
             feed->spec->model != NULL
                 ? errdetail("The model was trained with " INT64_FORMAT " %s.", f->width, unit)
                 : errdetail("The first row decides; all others must have the same length.")));
}

static void learn_widths(AiaasFeed *feed, const Datum *values)
{
    AiaasFeatures *f = feed->features;

    for (int i = 0; i < f->count; i++) {
        AiaasFeature *c = &f->column[i];

        if (c->kind == AIAAS_NUMBER)
            continue;
        c->width = aiaas_read_width(&feed->column[i].reader, values[feed->column[i].attnum - 1]);
        if (c->width < 1)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("column \"%s\" is empty in the first row", c->name)));
        if (c->kind == AIAAS_BYTES && feed->spec->input_width > 0) {
            int64 width = c->width;

            c->width = feed->spec->input_width;
            if (width != c->width)
                refuse_width(feed, i, width);
        }
    }
    aiaas_features_layout(f);
}

static void start(AiaasFeed *feed, const Datum *values)
{
    MemoryContext old = MemoryContextSwitchTo(feed->context);

    if (feed->spec->model == NULL)
        learn_widths(feed, values);
    if (!feed->features->bytes)
        feed->buffer = palloc_extended(sizeof(float) * feed->features->width, MCXT_ALLOC_HUGE);
    feed->spec->start(feed->spec->arg, feed->features);
    feed->started = true;
    MemoryContextSwitchTo(old);
}

static bool count_null(FeedColumn *c, const bool *isnull)
{
    if (c->attnum == 0 || !isnull[c->attnum - 1])
        return false;
    c->nulls++;
    return true;
}

static bool count_nulls(AiaasFeed *feed, const bool *isnull)
{
    bool any = count_null(&feed->target, isnull);

    any |= count_null(&feed->weight, isnull);
    for (int i = 0; i < feed->features->count; i++)
        any |= count_null(&feed->column[i], isnull);
    return any;
}

static bool count_bad(FeedColumn *c, AiaasRead got)
{
    c->nulls += got == AIAAS_READ_NULL;
    c->nonfinite += got == AIAAS_READ_NONFINITE;
    return got != AIAAS_READ_OK;
}

/* Reads one feature to its place in the row; a row of one array or bytea need not be copied. */
static bool read_feature(AiaasFeed *feed, int i, Datum value, const void **row)
{
    const AiaasFeature *f = &feed->features->column[i];
    FeedColumn *c = &feed->column[i];
    float *place = feed->buffer + f->offset;
    const float *from = place;
    AiaasRead got;

    if (f->kind == AIAAS_BYTES)
        got = aiaas_read_bytes(value, f->width, (const uint8 **) row);
    else if (f->kind == AIAAS_NUMBER)
        got = aiaas_read_number(&c->reader, value, place);
    else
        got = aiaas_read_array(&c->reader, value, f->width, place, &from);
    if (got == AIAAS_READ_WIDTH)
        refuse_width(feed, i, aiaas_read_width(&c->reader, value));
    if (count_bad(c, got))
        return false;
    if (f->kind == AIAAS_ARRAY && feed->features->count == 1)
        *row = from;
    else if (from != place)
        memcpy(place, from, sizeof(float) * f->width);
    return true;
}

static bool read_weight(AiaasFeed *feed, const Datum *values, float *weight)
{
    FeedColumn *c = &feed->weight;

    *weight = 1;
    if (c->attnum == 0)
        return true;
    if (count_bad(c, aiaas_read_number(&c->reader, values[c->attnum - 1], weight)))
        return false;
    if (*weight < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("weight column \"%s\" is negative in row " INT64_FORMAT, c->name,
                               feed->rows)));
    return true;
}

static void read_row(AiaasFeed *feed, const Datum *values)
{
    const void *row = feed->buffer;
    Datum target = values[feed->target.attnum - 1];
    float weight;
    bool good;

    good = read_weight(feed, values, &weight);
    for (int i = 0; i < feed->features->count; i++)
        good &= read_feature(feed, i, values[feed->column[i].attnum - 1], &row);
    good &= !count_bad(&feed->target, aiaas_target_add(feed->learn, target, feed->rows));
    if (good && !feed->bad)
        feed->spec->row(feed->spec->arg, row, weight);
    feed->bad |= !good;
    if (feed->bad)
        aiaas_target_clear(feed->learn);
}

static bool feed_receive(TupleTableSlot *slot, DestReceiver *self)
{
    AiaasFeed *feed = (AiaasFeed *) self;
    MemoryContext old;

    feed->rows++;
    slot_getallattrs(slot);
    if (count_nulls(feed, slot->tts_isnull)) {
        feed->bad = true;
        return true;
    }
    old = MemoryContextSwitchTo(feed->row_context);
    if (!feed->started)
        start(feed, slot->tts_values);
    read_row(feed, slot->tts_values);
    MemoryContextSwitchTo(old);
    MemoryContextReset(feed->row_context);
    return true;
}

static void feed_nothing(DestReceiver *self)
{
    (void) self;
}

/* ---- the end --------------------------------------------------------------------------------- */

static FeedColumn *feed_column(AiaasFeed *feed, int i)
{
    if (i < feed->features->count)
        return &feed->column[i];
    return i == feed->features->count ? &feed->target : &feed->weight;
}

static char *bad_columns(AiaasFeed *feed, bool nulls, const char **first, int64 *count)
{
    StringInfoData s;

    initStringInfo(&s);
    *first = NULL;
    for (int i = 0; i < feed->features->count + 2; i++) {
        FeedColumn *c = feed_column(feed, i);
        int64 n = nulls ? c->nulls : c->nonfinite;

        if (n == 0)
            continue;
        appendStringInfo(&s, "%s\"%s\" in " INT64_FORMAT, *first ? ", " : "", c->name, n);
        if (*first == NULL) {
            *first = c->name;
            *count = n;
        }
    }
    return s.data;
}

static void refuse_bad_values(AiaasFeed *feed)
{
    const char *first;
    int64 count = 0;
    char *all = bad_columns(feed, true, &first, &count);

    if (first != NULL)
        ereport(ERROR,
                (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                 errmsg("column \"%s\" is NULL in " INT64_FORMAT " of " INT64_FORMAT " rows", first,
                        count, feed->rows),
                 errdetail("NULLs by column: %s.", all),
                 errhint("Leave these rows out with WHERE ... IS NOT NULL, or give the missing values "
                         "with coalesce().")));
    all = bad_columns(feed, false, &first, &count);
    ereport(ERROR,
            (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
             errmsg("column \"%s\" is NaN, infinite or out of range for type real in " INT64_FORMAT
                    " of " INT64_FORMAT " rows",
                    first, count, feed->rows),
             errdetail("Such values by column: %s.", all),
             errhint("Leave these rows out, or replace the values.")));
}

int64 aiaas_feed_run(const AiaasFeedSpec *spec)
{
    AiaasFeed feed = {
        .pub = {feed_receive, feed_startup, feed_nothing, feed_nothing, DestNone},
        .spec = spec,
        .context = CurrentMemoryContext,
    };
    ErrorContextCallback callback = {error_context_stack, query_error_context, (void *) spec};
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
        refuse_bad_values(&feed);
    if (feed.rows == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("argument \"%s\" returns no rows", spec->argument)));
    return feed.rows;
}
