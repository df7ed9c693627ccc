/*
 * feed_columns.c: what each column of the user's query is for, found out before its first row.
 *
 * Columns. The target is found by name, and so is the column of weights. For a new model all others are
 * features, in the query's order: numbers, arrays of numbers, texts and times, or one bytea and nothing else. The
 * length of an array is that of the first row. For an existing model its features are found by name and all other
 * columns are ignored. A text is, in the row, the number of its category.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "compat.h"
#include "feed_private.h"

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

void aiaas_feed_startup(DestReceiver *self, int operation, TupleDesc desc)
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
