/*
 * feed_rows.c: a tuple of the user's query becomes a row of numbers.
 *
 * Bad values. A NULL, NaN or infinity does not end the query: it is counted, column by column, and
 * reported when all rows were seen, so that one error tells the size of the problem. From the first of
 * them on no row is kept any more. Arrays of different lengths end it at once. A model that prepares its
 * columns can do without a value: then features are counted the same, but a row that lacks some is as good as any.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "feed_private.h"

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

bool aiaas_feed_receive(TupleTableSlot *slot, DestReceiver *self)
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
