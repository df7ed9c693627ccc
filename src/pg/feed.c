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
 * features, in the query's order: numbers, arrays of numbers, texts and times, or one bytea and nothing else. The
 * length of an array is that of the first row. For an existing model its features are found by name and all other
 * columns are ignored. A text is, in the row, the number of its category.
 *
 * Bad values. A NULL, NaN or infinity does not end the query: it is counted, column by column, and
 * reported when all rows were seen, so that one error tells the size of the problem. From the first of
 * them on no row is kept any more. Arrays of different lengths end it at once. A model that prepares its
 * columns can do without a value: then features are counted the same, but a row that lacks some is as good as any.
 *
 * Order. Training depends on the order of the rows. A parallel plan returns them in any order, and so does a
 * scan that joins another backend's (synchronize_seqscans), so both are switched off for a training
 * unless ORDER BY says what is meant.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
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
             errhint("Features are numbers, booleans, texts, dates, times, arrays of numbers, or one bytea. Leave the "
                     "column out, or turn it into one of these in the query.")));
}

static Oid open_column(FeedColumn *c, TupleDesc desc, int attnum)
{
    Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);

    c->name = pstrdup(NameStr(att->attname));
    c->attnum = attnum;
    return att->atttypid;
}

/* A column of a table; false when its type is none of those. */
static bool init_column(FeedColumn *c, TupleDesc desc, int attnum)
{
    return aiaas_reader_init_column(&c->reader, open_column(c, desc, attnum));
}

static void init_weight(AiaasFeed *feed, TupleDesc desc)
{
    const char *name = feed->spec->weight_column;
    int attnum;
    Oid type;

    if (name == NULL)
        return;
    attnum = need_column(desc, name, "weight column");
    type = open_column(&feed->weight, desc, attnum);
    if (!aiaas_reader_init(&feed->weight.reader, type))
        refuse_feature(name, type);
    if (feed->weight.reader.kind != AIAAS_NUMBER)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("weight column \"%s\" has type %s, but a weight is a number", name,
                               aiaas_reader_type_name(&feed->weight.reader))));
}

/* Columns whose values have an order that a key can keep. */
static bool has_order(const AiaasReader *r)
{
    return r->kind == AIAAS_TIME || (r->kind == AIAAS_NUMBER && r->type != BOOLOID);
}

static void init_split(AiaasFeed *feed, TupleDesc desc)
{
    const AiaasFeedSpec *spec = feed->spec;
    FeedColumn *c = &feed->split;
    int attnum;
    bool known;

    if (spec->split_column == NULL)
        return;
    attnum = need_column(desc, spec->split_column, spec->split_groups ? "group column" : "time column");
    known = init_column(c, desc, attnum);
    if (spec->split_groups ? c->reader.spell != NULL || (known && c->reader.kind == AIAAS_TIME) : has_order(&c->reader))
        return;
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("%s column \"%s\" has type %s", spec->split_groups ? "group" : "time", c->name,
                           aiaas_reader_type_name(&c->reader)),
                    errhint(spec->split_groups ? "Rows are grouped by numbers, texts, dates and times."
                                               : "Rows are ordered by dates, times and numbers.")));
}

static void init_target(AiaasFeed *feed, TupleDesc desc)
{
    const char *name = feed->spec->target_column;
    int last = desc->natts - (feed->weight.attnum == desc->natts);

    if (feed->spec->no_target)
        return;
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

/* True when the column is one that need not be read. */
static bool apply_wish(AiaasFeed *feed, FeedColumn *c)
{
    const AiaasFeedSpec *spec = feed->spec;
    AiaasWish wish = spec->wish == NULL ? AIAAS_WISH_NONE : spec->wish(spec->arg, c->name);

    if (wish == AIAAS_WISH_EXCLUDED && c->reader.kind != AIAAS_NUMBER && c->reader.kind != AIAAS_TEXT &&
        c->reader.kind != AIAAS_TIME)
        c->reader.kind = AIAAS_OTHER;
    if (wish == AIAAS_WISH_EXCLUDED)
        return true;
    if (wish == AIAAS_WISH_CATEGORY && c->reader.spell == NULL)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("column \"%s\" has type %s, which cannot be taken as a category", c->name,
                               aiaas_reader_type_name(&c->reader))));
    if (wish == AIAAS_WISH_CATEGORY)
        c->reader.kind = AIAAS_TEXT;
    return false;
}

static void init_feature(AiaasFeed *feed, AiaasFeature *f, FeedColumn *c)
{
    f->name = pstrdup(c->name);
    f->type = aiaas_reader_type_name(&c->reader);
    f->kind = c->reader.kind;
    f->origin = AIAAS_NO_ORIGIN;
    f->width = f->kind == AIAAS_ARRAY || f->kind == AIAAS_BYTES ? 0 : 1;
    if (f->kind == AIAAS_TIME) {
        f->moment = c->reader.type;
        f->width = aiaas_moment_width(f->moment);
    }
    if (f->kind == AIAAS_TEXT)
        f->categories = aiaas_categories_create(feed->context);
}

/* Which columns may be features, by what the caller asked for. */
static bool is_allowed(AiaasColumns columns, AiaasKind kind)
{
    switch (kind) {
    case AIAAS_NUMBER:
    case AIAAS_ARRAY:
    case AIAAS_BYTES:
        return true;
    case AIAAS_TEXT:
    case AIAAS_TIME:
        return columns != AIAAS_COLUMNS_PLAIN;
    case AIAAS_OTHER:
        break;
    }
    return false;
}

static void learn_feature(AiaasFeed *feed, TupleDesc desc, int attnum)
{
    AiaasFeatures *f = feed->features;
    FeedColumn *c = &feed->column[f->count];
    AiaasColumns columns = feed->spec->columns;
    bool excluded;

    (void) init_column(c, desc, attnum);
    excluded = apply_wish(feed, c);
    if (columns == AIAAS_COLUMNS_ANY && c->reader.kind == AIAAS_BYTES)
        c->reader.kind = AIAAS_OTHER;
    if (columns != AIAAS_COLUMNS_ANY && !excluded && !is_allowed(columns, c->reader.kind))
        refuse_feature(c->name, TupleDescAttr(desc, attnum - 1)->atttypid);
    if (columns == AIAAS_COLUMNS_PLAIN && c->reader.kind == AIAAS_NUMBER &&
        c->reader.type == INTERVALOID)
        refuse_feature(c->name, c->reader.type);
    init_feature(feed, &f->column[f->count++], c);
}

static void check_features(const AiaasFeatures *f)
{
    bool bytes = false;

    if (f->count == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the query has no feature column"),
                        errhint("Return at least one column next to the target.")));
    for (int i = 0; i < f->count; i++)
        bytes |= f->column[i].kind == AIAAS_BYTES;
    if (bytes && f->count > 1)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a bytea feature cannot be combined with other features"),
                        errdetail("The features are %s.", aiaas_features_describe(f)),
                        errhint("Return the bytea and the target only.")));
}

/* All columns but target, weight and group, in the query's order. */
static void learn_features(AiaasFeed *feed, TupleDesc desc)
{
    AiaasFeatures *f = feed->features = palloc0(sizeof(*f));
    AiaasColumns columns = feed->spec->columns;
    int group = feed->spec->split_groups ? feed->split.attnum : 0;
    bool alone;

    f->column = palloc0(sizeof(AiaasFeature) * Max(desc->natts, 1));
    feed->column = palloc0(sizeof(FeedColumn) * Max(desc->natts, 1));
    for (int i = 1; i <= desc->natts; i++)
        if (i != feed->target.attnum && i != feed->weight.attnum && i != group)
            learn_feature(feed, desc, i);
    check_features(f);
    alone = f->count == 1 && (f->column[0].kind == AIAAS_ARRAY || f->column[0].kind == AIAAS_BYTES);
    feed->missing = columns != AIAAS_COLUMNS_PLAIN && !(columns == AIAAS_COLUMNS_EITHER && alone);
    f->missing = feed->missing;
}

static void refuse_match(const AiaasFeature *want, const FeedColumn *c)
{
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("feature column \"%s\" has type %s, but the model was trained with %s",
                           want->name, format_type_be(c->reader.type), want->type)));
}

/* Can the column stand where the feature was learned? A category takes whatever can be spelled. */
static void match_column(const AiaasFeature *want, FeedColumn *c, bool known)
{
    bool fits = c->reader.kind == want->kind;

    if (want->kind == AIAAS_TEXT)
        fits = c->reader.spell != NULL;
    else if (want->kind == AIAAS_TIME)
        fits = c->reader.kind == AIAAS_TIME && aiaas_moment_fits(c->reader.type, want->moment);
    else if (!known)
        refuse_feature(c->name, c->reader.type);
    if (!fits)
        refuse_match(want, c);
    c->reader.kind = want->kind;
}

/* The model's columns, wherever the query has them; those that it does not use may be nowhere. */
static void match_features(AiaasFeed *feed, TupleDesc desc)
{
    const AiaasFeatures *model = feed->spec->model;

    feed->features = (AiaasFeatures *) model;
    feed->missing = feed->spec->missing;
    feed->column = palloc0(sizeof(FeedColumn) * model->count);
    for (int i = 0; i < model->count; i++) {
        const AiaasFeature *want = &model->column[i];
        FeedColumn *c = &feed->column[i];
        int attnum;

        c->name = want->name;
        if (want->left_out)
            continue;
        attnum = need_column(desc, want->name, "feature column");
        match_column(want, c, init_column(c, desc, attnum));
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
    init_split(feed, desc);
    if (spec->model != NULL)
        match_features(feed, desc);
    else
        learn_features(feed, desc);
    if (!spec->no_target) {
        type = TupleDescAttr(desc, feed->target.attnum - 1)->atttypid;
        feed->learn = spec->make_target(spec->arg, feed->target.name, type);
    }
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

static void learn_width(AiaasFeed *feed, int i, Datum value, bool isnull)
{
    AiaasFeature *c = &feed->features->column[i];

    if (isnull && feed->spec->columns == AIAAS_COLUMNS_ANY) {
        c->width = 1;
        c->ragged = true;
        return;
    }
    if (isnull)
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("column \"%s\" is NULL in the first row, which decides how long its arrays are",
                               c->name),
                        errhint("Let the query begin with a row that has an array: ORDER BY %s IS NULL.",
                                quote_identifier(c->name))));
    c->width = aiaas_read_width(&feed->column[i].reader, value);
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

static void learn_widths(AiaasFeed *feed, const Datum *values, const bool *isnull)
{
    AiaasFeatures *f = feed->features;

    for (int i = 0; i < f->count; i++) {
        int at = feed->column[i].attnum - 1;

        if (f->column[i].width == 0)
            learn_width(feed, i, values[at], isnull[at]);
    }
    aiaas_features_layout(f);
}

static void start(AiaasFeed *feed, const Datum *values, const bool *isnull)
{
    MemoryContext old = MemoryContextSwitchTo(feed->context);

    if (feed->spec->model == NULL)
        learn_widths(feed, values, isnull);
    if (!feed->features->bytes)
        feed->buffer = palloc_extended(sizeof(float) * feed->features->width, MCXT_ALLOC_HUGE);
    feed->spec->start(feed->spec->arg, feed->features);
    feed->started = true;
    MemoryContextSwitchTo(old);
}

static bool is_null(FeedColumn *c, const bool *isnull)
{
    return c->attnum > 0 && isnull[c->attnum - 1];
}

/* Is there a NULL that makes the row useless? */
static bool count_nulls(AiaasFeed *feed, const bool *isnull)
{
    bool target = is_null(&feed->target, isnull), weight = is_null(&feed->weight, isnull);
    bool split = is_null(&feed->split, isnull);
    bool any = target || weight || split;

    feed->target.nulls += target;
    feed->weight.nulls += weight;
    feed->split.nulls += split;
    if (feed->missing)
        return any;
    for (int i = 0; i < feed->features->count; i++) {
        bool null = is_null(&feed->column[i], isnull);

        feed->features->column[i].nulls += null;
        any |= null;
    }
    return any;
}

static bool count_bad(FeedColumn *c, AiaasRead got)
{
    c->nulls += got == AIAAS_READ_NULL;
    c->nonfinite += got == AIAAS_READ_NONFINITE;
    return got != AIAAS_READ_OK;
}

/* Looks what the numbers are that are not finite. */
static void count_nonfinite(AiaasFeature *f, const float *x)
{
    bool nan = false, infinite = false;

    for (int64 i = 0; i < f->width; i++) {
        nan |= isnan(x[i]);
        infinite |= isinf(x[i]);
    }
    f->nans += nan;
    f->infinite += infinite && !nan;
}

/* The number that stands for a text; NaN when it is empty, or no category of the dictionary any more. */
static float read_category(AiaasFeed *feed, int i, Datum value)
{
    AiaasFeature *f = &feed->features->column[i];
    char room[AIAAS_SPELL_ROOM];
    Size len;
    const char *text = feed->column[i].reader.spell(value, room, &len);
    int32 code;

    if (feed->spec->network != NULL) {
        const char *utf8 = pg_server_to_any(text, (int) len, PG_UTF8);

        return ax_model_text(feed->spec->network, i, utf8, utf8 == text ? len : strlen(utf8));
    }
    f->nulls += len == 0;
    code = len == 0 ? -1 : aiaas_categories_code(f->categories, text, len);
    return code < 0 ? NAN : (float) code;
}

static void read_time(AiaasFeed *feed, int i, Datum value)
{
    AiaasFeature *f = &feed->features->column[i];
    int64 micros;

    if (!aiaas_moment_read(feed->column[i].reader.type, value, &micros)) {
        f->nans++;
        aiaas_feature_missing(f, feed->buffer);
        return;
    }
    if (f->origin == AIAAS_NO_ORIGIN && feed->spec->model == NULL && f->moment != TIMEOID)
        f->origin = micros;
    aiaas_moment_write(f->moment, micros, f->origin, feed->buffer + f->offset);
}

/* Numbers, an array of them, or bytes; *from becomes where they are. */
static AiaasRead read_numbers(AiaasFeed *feed, int i, Datum value, const void **from)
{
    const AiaasFeature *f = &feed->features->column[i];
    const AiaasReader *reader = &feed->column[i].reader;
    float *place = feed->buffer + f->offset;

    *from = place;
    if (f->kind == AIAAS_BYTES)
        return aiaas_read_bytes(value, f->width, (const uint8 **) from);
    if (f->kind == AIAAS_NUMBER)
        return aiaas_read_number(reader, value, place);
    return aiaas_read_array(reader, value, f->width, place, (const float **) from);
}

/* Reads numbers to their place in the row; a row of one array or bytea need not be copied. */
static bool read_feature(AiaasFeed *feed, int i, Datum value, const void **row)
{
    AiaasFeature *f = &feed->features->column[i];
    float *place = feed->buffer + f->offset;
    const void *from;
    AiaasRead got = read_numbers(feed, i, value, &from);

    if (got == AIAAS_READ_WIDTH && feed->spec->columns == AIAAS_COLUMNS_ANY && feed->spec->model == NULL) {
        f->ragged = true;
        aiaas_feature_missing(f, feed->buffer);
        return true;
    }
    if (got == AIAAS_READ_WIDTH)
        refuse_width(feed, i, aiaas_read_width(&feed->column[i].reader, value));
    f->nulls += got == AIAAS_READ_NULL;
    if (got == AIAAS_READ_NULL && feed->missing)
        aiaas_read_gaps(&feed->column[i].reader, value, f->width, place);
    if (got == AIAAS_READ_NONFINITE)
        count_nonfinite(f, from);
    if (got != AIAAS_READ_OK && !feed->missing)
        return false;
    if (feed->features->count == 1 && f->kind != AIAAS_NUMBER)
        *row = from;
    else if (from != place)
        memcpy(place, from, sizeof(float) * f->width);
    return true;
}

/* Any kind of column. False: the row is of no use. */
static bool read_column(AiaasFeed *feed, int i, const Datum *values, const bool *isnull, const void **row)
{
    AiaasFeature *f = &feed->features->column[i];
    int at = feed->column[i].attnum - 1;

    if (at < 0 || isnull[at] || f->kind == AIAAS_OTHER) {
        f->nulls += at >= 0 && isnull[at];
        aiaas_feature_missing(f, feed->buffer);
        return true;
    }
    if (f->kind == AIAAS_TEXT)
        feed->buffer[f->offset] = read_category(feed, i, values[at]);
    else if (f->kind == AIAAS_TIME)
        read_time(feed, i, values[at]);
    else
        return read_feature(feed, i, values[at], row);
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

/* Ordered as the doubles are. */
static int64 key_of_double(double d)
{
    int64 bits;

    memcpy(&bits, &d, sizeof(bits));
    return bits < 0 ? bits ^ PG_INT64_MAX : bits;
}

static int64 key_of_number(const AiaasReader *r, Datum value)
{
    switch (r->type) {
    case INT2OID:
        return DatumGetInt16(value);
    case INT4OID:
        return DatumGetInt32(value);
    case INT8OID:
        return DatumGetInt64(value);
    case FLOAT8OID:
        return key_of_double(DatumGetFloat8(value));
    case NUMERICOID:
        return key_of_double(DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value)));
    default:
        return key_of_double(r->number(value));
    }
}

/* What tells rows apart that a split keeps together, or in which order they are. */
static int64 read_key(const AiaasFeed *feed, const Datum *values)
{
    const FeedColumn *c = &feed->split;
    char room[AIAAS_SPELL_ROOM];
    const char *text;
    Size len;
    int64 key;

    if (c->attnum == 0)
        return 0;
    if (c->reader.kind == AIAAS_TIME) {
        if (!aiaas_moment_read(c->reader.type, values[c->attnum - 1], &key))
            key = PG_INT64_MAX;
        return key;
    }
    if (!feed->spec->split_groups)
        return key_of_number(&c->reader, values[c->attnum - 1]);
    text = c->reader.spell(values[c->attnum - 1], room, &len);
    return (int64) hash_bytes_extended((const unsigned char *) text, (int) len, 0);
}

static void read_row(AiaasFeed *feed, const Datum *values, const bool *isnull)
{
    const void *row = feed->buffer;
    AiaasMarks marks;
    bool good;

    good = read_weight(feed, values, &marks.weight);
    marks.key = read_key(feed, values);
    for (int i = 0; i < feed->features->count; i++)
        good &= read_column(feed, i, values, isnull, &row);
    if (feed->learn != NULL)
        good &= !count_bad(&feed->target, aiaas_target_add(feed->learn, values[feed->target.attnum - 1], feed->rows));
    if (good && !feed->bad)
        feed->spec->row(feed->spec->arg, row, &marks);
    feed->bad |= !good;
    if (feed->bad && feed->learn != NULL)
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
        start(feed, slot->tts_values, slot->tts_isnull);
    read_row(feed, slot->tts_values, slot->tts_isnull);
    MemoryContextSwitchTo(old);
    MemoryContextReset(feed->row_context);
    return true;
}

static void feed_nothing(DestReceiver *self)
{
    (void) self;
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

int64 aiaas_feed_run(const AiaasFeedSpec *spec, AiaasFeatures **features)
{
    AiaasFeed feed = {
        .pub = {feed_receive, feed_startup, feed_nothing, feed_nothing, DestNone},
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
