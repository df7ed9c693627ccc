/*
 * argument.c: the arguments of a prediction become one row of features.
 *
 *     one row            matched by column name; further columns are ignored
 *     one jsonb or json  an object is matched by key, an array by position
 *     one array          all numbers of the row by position, whatever columns they belong to
 *     VARIADIC array     the same
 *     as many arguments as the model has columns: one each, by position
 *     as many numbers as the one array column of the model has elements
 *     a literal without a type ('{1,2}', '\x00ff', '{"age": 3}')
 *                        read as what the column is; a lone one may be an array or JSON for the whole row
 *     one array of text  a literal for each column, for models that prepare their columns
 *
 * A model that prepares its columns takes NULL and NaN as missing values and a category by its text, whatever type that
 * comes in. Columns that it leaves out may be missing, and are not looked at; among arguments they may be left out
 * as well. Any other model answers NULL for NULL.
 *
 * What an argument is follows from its type and is found out once a call site. What the model wants follows
 * from the version, which may change from row to row, so fitting the two together is done each time and
 * kept cheap. Only the columns of a row type are remembered: by the row type, as long as the type cache says
 * that ALTER TABLE has not changed it, and by the version's uuid.
 *
 * Rows of plain numbers, by far the most, have a quick way: every number is converted, then all are checked in one
 * go. Whatever is unusual (a NULL, a NaN) sends the row through the careful way, from its start, which knows what
 * to say about it.
 *
 * Nothing here runs a user's code: cache.c relies on it.
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "argument.h"
#include "compat.h"

typedef enum SourceKind {
    SOURCE_VALUE,   /* number, array, bytea, text or time: what the reader says */
    SOURCE_ROW,     /* composite */
    SOURCE_JSON,    /* json, as text */
    SOURCE_JSONB,
    SOURCE_LITERAL, /* unknown: a C string */
    SOURCE_TEXTS,   /* an array of text */
    SOURCE_OTHER
} SourceKind;

typedef struct Source {
    SourceKind kind;
    Oid type;
    AiaasReader reader;
} Source;

/* How the columns of a row type lie for a version. */
typedef struct RowMap {
    MemoryContext context; /* holds the rest; NULL: there is no map yet */
    Oid type;
    int32 typmod;
    TypeCacheEntry *entry; /* of a named type; entries are never freed, and only change when asked for */
    uint64 identifier;     /* entry's when the map was made; what a record's typmod means never changes */
    pg_uuid_t uuid;
    TupleDesc desc;
    int *attnum;    /* of each feature; -1: of one that the model leaves out */
    Source *source; /* its type */
    bool numbers;   /* every feature is one number */
    Datum *values;  /* room for one row */
    bool *isnull;
} RowMap;

struct AiaasArguments {
    MemoryContext context;
    int first, count;
    bool variadic; /* one array was given with VARIADIC */
    bool numbers;  /* there are several, each of them a number */
    Source *source;
    RowMap map;
    float *buffer;
    int64 room;
};

/* A row being filled. */
typedef struct Row {
    const AiaasModel *model;
    float *buffer;
    const void *row;
    bool null; /* a NULL was met */
} Row;

/* ---- planning -------------------------------------------------------------------------------- */

static void init_source(Source *s, Oid type)
{
    s->type = type;
    if (!OidIsValid(type) || type == UNKNOWNOID)
        s->kind = SOURCE_LITERAL;
    else if (aiaas_reader_init_column(&s->reader, type))
        s->kind = SOURCE_VALUE;
    else if (s->reader.element == TEXTOID || s->reader.element == VARCHAROID)
        s->kind = SOURCE_TEXTS;
    else if (s->reader.type == JSONBOID)
        s->kind = SOURCE_JSONB;
    else if (s->reader.type == JSONOID)
        s->kind = SOURCE_JSON;
    else if (type_is_rowtype(s->reader.type))
        s->kind = SOURCE_ROW;
    else
        s->kind = SOURCE_OTHER;
}

static bool is_number(const Source *s)
{
    return s->kind == SOURCE_VALUE && s->reader.kind == AIAAS_NUMBER;
}

AiaasArguments *aiaas_arguments_plan(FunctionCallInfo fcinfo, int first)
{
    FmgrInfo *flinfo = fcinfo->flinfo;
    MemoryContext old = MemoryContextSwitchTo(flinfo->fn_mcxt);
    AiaasArguments *a = palloc0(sizeof(*a));

    a->context = flinfo->fn_mcxt;
    a->first = first;
    a->count = PG_NARGS() - first;
    a->variadic = get_fn_expr_variadic(flinfo);
    a->source = palloc0(sizeof(Source) * Max(a->count, 1));
    a->numbers = a->count > 1;
    for (int i = 0; i < a->count; i++) {
        init_source(&a->source[i], get_fn_expr_argtype(flinfo, first + i));
        a->numbers &= is_number(&a->source[i]);
    }
    MemoryContextSwitchTo(old);
    if (a->count < 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("no features were given"),
                        errhint("Give them after the model: a row, an array, or one by one.")));
    return a;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void refuse_type(const AiaasModel *m, const AiaasFeature *f, Oid type)
{
    if (!OidIsValid(type) || type == UNKNOWNOID)
        type = TEXTOID;
    ereport(ERROR,
            (errcode(ERRCODE_DATATYPE_MISMATCH),
             errmsg("feature \"%s\" of model \"%s\" is %s, not %s", f->name, m->ref.name, f->type,
                    format_type_be(type)),
             errhint("The features are %s. A cast such as ::%s may help.",
                     aiaas_features_describe(m->features), f->type)));
}

static void refuse_count(const AiaasModel *m, int64 count, const char *what)
{
    int64 wanted = m->features->count;
    const char *unit = "features";

    if (strcmp(what, "arguments") != 0 || wanted == 1) {
        wanted = m->features->width;
        unit = "numbers";
    }
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("model \"%s\" takes " INT64_FORMAT " %s, not " INT64_FORMAT " %s",
                           m->ref.name, wanted, unit, count, what),
                    errdetail("The features are %s.", aiaas_features_describe(m->features))));
}

static void refuse_nonfinite(const AiaasModel *m, const char *feature)
{
    ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("feature \"%s\" of model \"%s\" is NaN, infinite or out of range for "
                           "type real",
                           feature, m->ref.name)));
}

static void refuse_missing(const AiaasModel *m, const char *what, const char *feature)
{
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                    errmsg("the %s has no \"%s\", which model \"%s\" needs", what, feature,
                           m->ref.name),
                    errdetail("The features are %s.", aiaas_features_describe(m->features))));
}

/* The name of the feature that a place in the row belongs to. */
static const char *feature_at(const AiaasModel *m, int64 place)
{
    int i = m->features->count - 1;

    while (i > 0 && m->features->column[i].offset > place)
        i--;
    return m->features->column[i].name;
}

/* ---- one value to one column ----------------------------------------------------------------- */

/* A value for `width` places from `offset` on; width 1 takes numbers too. False when the type is wrong. */
static bool put_numbers(Row *r, const AiaasReader *reader, Datum value, int64 offset, int64 width,
                        bool whole)
{
    float *place = r->buffer + offset;
    const float *from = place;
    AiaasRead got;

    if (reader->kind != AIAAS_ARRAY && (reader->kind != AIAAS_NUMBER || width != 1))
        return false;
    if (reader->kind == AIAAS_NUMBER)
        got = aiaas_read_number(reader, value, place);
    else
        got = aiaas_read_array(reader, value, width, place, &from);
    if (got == AIAAS_READ_WIDTH)
        refuse_count(r->model, aiaas_read_width(reader, value), "elements");
    if (r->model->prepares && got == AIAAS_READ_NULL)
        aiaas_read_gaps(reader, value, width, place);
    else if (got == AIAAS_READ_NULL)
        r->null = true;
    else if (got == AIAAS_READ_NONFINITE && !r->model->prepares)
        refuse_nonfinite(r->model, feature_at(r->model, offset));
    if (r->null)
        return true;
    if (whole)
        r->row = from;
    else if (from != place)
        memcpy(place, from, sizeof(float) * width);
    return true;
}

static void put_bytes(Row *r, Datum value)
{
    const AiaasFeature *f = &r->model->features->column[0];
    const uint8 *bytes;

    if (aiaas_read_bytes(value, f->width, &bytes) == AIAAS_READ_WIDTH)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("feature \"%s\" of model \"%s\" is " INT64_FORMAT
                               " bytes long, not " INT64_FORMAT,
                               f->name, r->model->ref.name, f->width,
                               (int64) toast_raw_datum_size(value) - VARHDRSZ)));
    r->row = bytes;
}

/* A missing value: the place of the column says so, or else the whole answer is NULL. */
static void put_null(Row *r, const AiaasFeature *f)
{
    if (r->model->prepares)
        aiaas_feature_missing(f, r->buffer);
    else
        r->null = true;
}

/* A category, in the database's encoding. */
static void put_category(Row *r, int i, const char *text, Size len)
{
    const char *utf8 = text;

    if (GetDatabaseEncoding() != PG_UTF8) {
        utf8 = pg_server_to_any(text, (int) len, PG_UTF8);
        len = utf8 == text ? len : strlen(utf8);
    }
    r->buffer[r->model->features->column[i].offset] = ax_model_text(r->model->network, i, utf8, len);
}

static void put_time(Row *r, const AiaasFeature *f, Oid type, Datum value)
{
    int64 micros;

    if (aiaas_moment_read(type, value, &micros))
        aiaas_moment_write(f->moment, micros, f->origin, r->buffer + f->offset);
    else
        aiaas_feature_missing(f, r->buffer);
}

static void put_literal_number(Row *r, const AiaasFeature *f, const char *text)
{
    AiaasReader reader;
    Datum value;

    if (f->kind == AIAAS_ARRAY) {
        value = OidFunctionCall3(F_ARRAY_IN, CStringGetDatum(text), ObjectIdGetDatum(FLOAT4OID),
                                 Int32GetDatum(-1));
        aiaas_reader_init(&reader, FLOAT4ARRAYOID);
    } else if (strcmp(f->type, "boolean") == 0) {
        value = DirectFunctionCall1(boolin, CStringGetDatum(text));
        aiaas_reader_init(&reader, BOOLOID);
    } else if (strcmp(f->type, "interval") == 0) {
        value = DirectFunctionCall3(interval_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
                                    Int32GetDatum(-1));
        aiaas_reader_init_column(&reader, INTERVALOID);
    } else {
        value = DirectFunctionCall1(float8in, CStringGetDatum(text));
        aiaas_reader_init(&reader, FLOAT8OID);
    }
    put_numbers(r, &reader, value, f->offset, f->width, false);
}

/* The text of a literal for column i, read as the column's kind asks for. */
static void put_literal(Row *r, int i, const char *text)
{
    const AiaasFeature *f = &r->model->features->column[i];

    switch (f->kind) {
    case AIAAS_BYTES:
        put_bytes(r, DirectFunctionCall1(byteain, CStringGetDatum(text)));
        break;
    case AIAAS_TEXT:
        put_category(r, i, text, strlen(text));
        break;
    case AIAAS_TIME:
        put_time(r, f, f->moment, aiaas_moment_parse(f->moment, text));
        break;
    case AIAAS_OTHER:
        break;
    default:
        put_literal_number(r, f, text);
    }
}

/* A value of column i, whose kind is not that of numbers. False when its type is wrong. */
static bool put_other(Row *r, int i, const Source *s, Datum value)
{
    const AiaasFeature *f = &r->model->features->column[i];
    char room[AIAAS_SPELL_ROOM];
    const char *text;
    Size len;

    if (s->kind != SOURCE_VALUE)
        return false;
    if (f->kind == AIAAS_TEXT && s->reader.spell != NULL) {
        text = s->reader.spell(value, room, &len);
        put_category(r, i, text, len);
        return true;
    }
    if (f->kind == AIAAS_TIME && s->reader.kind == AIAAS_TIME && aiaas_moment_fits(s->reader.type, f->moment)) {
        put_time(r, f, s->reader.type, value);
        return true;
    }
    if (f->kind == AIAAS_BYTES && s->reader.kind == AIAAS_BYTES) {
        put_bytes(r, value);
        return true;
    }
    return false;
}

static void put_column(Row *r, int i, const Source *s, Datum value)
{
    const AiaasFeatures *all = r->model->features;
    const AiaasFeature *f = &all->column[i];
    bool numbers = f->kind == AIAAS_NUMBER || f->kind == AIAAS_ARRAY;

    if (f->left_out)
        aiaas_feature_missing(f, r->buffer);
    else if (s->kind == SOURCE_LITERAL)
        put_literal(r, i, DatumGetCString(value));
    else if (numbers ? s->kind != SOURCE_VALUE ||
                           !put_numbers(r, &s->reader, value, f->offset, f->width, all->count == 1)
                     : !put_other(r, i, s, value))
        refuse_type(r->model, f, s->type);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* A number or boolean; anything else but null is refused. */
static void put_json_scalar(Row *r, const JsonbValue *v, int64 place)
{
    double number = 0;

    if (v->type == jbvNull && r->model->prepares)
        number = NAN;
    else if (v->type == jbvNull)
        r->null = true;
    else if (v->type == jbvBool)
        number = v->val.boolean;
    else if (v->type == jbvNumeric)
        number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
                                                    NumericGetDatum(v->val.numeric)));
    else
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("feature \"%s\" of model \"%s\" is no number in the JSON",
                               feature_at(r->model, place), r->model->ref.name)));
    r->buffer[place] = (float) number;
    if (!isfinite(r->buffer[place]) && !r->model->prepares)
        refuse_nonfinite(r->model, feature_at(r->model, place));
}

/* All numbers of a JSON array, however nested, to `width` places from `offset` on. */
static void put_json_array(Row *r, JsonbContainer *array, int64 offset, int64 width)
{
    JsonbIterator *it = JsonbIteratorInit(array);
    JsonbIteratorToken token;
    JsonbValue v;
    int64 n = 0;

    while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE) {
        if (token == WJB_BEGIN_OBJECT)
            ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                            errmsg("the JSON array for model \"%s\" holds an object",
                                   r->model->ref.name)));
        if (token != WJB_ELEM)
            continue;
        if (n < width)
            put_json_scalar(r, &v, offset + n);
        n++;
    }
    if (n != width)
        refuse_count(r->model, n, "elements");
}

/* A scalar for a category, as its text. */
static void put_json_text_of(Row *r, int i, const JsonbValue *v)
{
    char room[AIAAS_SPELL_ROOM];
    const char *text = room;
    Size len = 0;

    if (v->type == jbvString) {
        text = v->val.string.val;
        len = v->val.string.len;
    } else if (v->type == jbvBool) {
        text = aiaas_category_spell(BOOLOID)(BoolGetDatum(v->val.boolean), room, &len);
    } else if (v->type == jbvNumeric) {
        text = aiaas_category_spell(NUMERICOID)(NumericGetDatum(v->val.numeric), room, &len);
    } else {
        refuse_type(r->model, &r->model->features->column[i], JSONBOID);
    }
    put_category(r, i, text, len);
}

static void put_json_column(Row *r, int i, const JsonbValue *v)
{
    const AiaasFeature *f = &r->model->features->column[i];
    bool numbers = f->kind == AIAAS_NUMBER || f->kind == AIAAS_ARRAY;

    if (f->left_out)
        aiaas_feature_missing(f, r->buffer);
    else if (v->type == jbvNull)
        put_null(r, f);
    else if (f->kind == AIAAS_TEXT)
        put_json_text_of(r, i, v);
    else if (v->type == jbvString &&
             (f->kind == AIAAS_BYTES || f->kind == AIAAS_TIME || strcmp(f->type, "interval") == 0))
        put_literal(r, i, pnstrdup(v->val.string.val, v->val.string.len));
    else if (!numbers || (v->type != jbvBinary && f->width != 1))
        refuse_type(r->model, f, JSONBOID);
    else if (v->type == jbvBinary)
        put_json_array(r, v->val.binary.data, f->offset, f->width);
    else
        put_json_scalar(r, v, f->offset);
}

static void put_json_object(Row *r, JsonbContainer *object)
{
    const AiaasFeatures *f = r->model->features;

    for (int i = 0; i < f->count; i++) {
        const char *name = f->column[i].name;
        JsonbValue *v = getKeyJsonValueFromContainer(object, name, strlen(name), NULL);

        if (v != NULL)
            put_json_column(r, i, v);
        else if (f->column[i].left_out)
            aiaas_feature_missing(&f->column[i], r->buffer);
        else
            refuse_missing(r->model, "JSON object", name);
    }
}

/* An array with one element a column. */
static void put_json_list(Row *r, JsonbContainer *array)
{
    int n = (int) JsonContainerSize(array);

    if (n != r->model->features->count)
        refuse_count(r->model, n, "elements");
    for (int i = 0; i < n; i++)
        put_json_column(r, i, getIthJsonbValueFromContainer(array, i));
}

static void put_jsonb(Row *r, Jsonb *json)
{
    if (JsonContainerIsObject(&json->root))
        put_json_object(r, &json->root);
    else if (r->model->features->bytes)
        refuse_type(r->model, &r->model->features->column[0], JSONBOID);
    else if (!r->model->features->plain && !JsonContainerIsScalar(&json->root))
        put_json_list(r, &json->root);
    else
        put_json_array(r, &json->root, 0, r->model->features->width);
}

static void put_json_text(Row *r, const char *text)
{
    put_jsonb(r, DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text))));
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int find_attribute(TupleDesc desc, const char *name)
{
    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute att = TupleDescAttr(desc, i);

        if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
            return i;
    }
    return -1;
}

static bool map_holds(const RowMap *map, HeapTupleHeader row, const AiaasModel *m)
{
    return map->context != NULL && map->type == HeapTupleHeaderGetTypeId(row) &&
           map->typmod == HeapTupleHeaderGetTypMod(row) &&
           (map->entry == NULL || map->entry->tupDesc_identifier == map->identifier) &&
           memcmp(&map->uuid, &m->ref.uuid, sizeof(pg_uuid_t)) == 0;
}

/* CurrentMemoryContext is the map's. */
static void fill_map(RowMap *map, const AiaasModel *m)
{
    const AiaasFeatures *f = m->features;

    map->attnum = palloc(sizeof(int) * f->count);
    map->source = palloc0(sizeof(Source) * f->count);
    map->values = palloc(sizeof(Datum) * Max(map->desc->natts, 1));
    map->isnull = palloc(sizeof(bool) * Max(map->desc->natts, 1));
    map->numbers = f->plain && f->width == f->count;
    for (int i = 0; i < f->count; i++) {
        map->attnum[i] = f->column[i].left_out ? -1 : find_attribute(map->desc, f->column[i].name);
        if (map->attnum[i] < 0 && !f->column[i].left_out)
            refuse_missing(m, "row", f->column[i].name);
        map->numbers &= map->attnum[i] >= 0;
        if (map->attnum[i] < 0)
            continue;
        init_source(&map->source[i], TupleDescAttr(map->desc, map->attnum[i])->atttypid);
        map->numbers &= is_number(&map->source[i]);
    }
}

static void make_map(AiaasArguments *a, HeapTupleHeader row, const AiaasModel *m)
{
    RowMap map = {.uuid = m->ref.uuid,
                  .type = HeapTupleHeaderGetTypeId(row),
                  .typmod = HeapTupleHeaderGetTypMod(row)};
    TupleDesc desc;
    MemoryContext old;

    if (a->map.context != NULL)
        MemoryContextDelete(a->map.context);
    a->map.context = NULL;
    map.context =
        AllocSetContextCreate(CurrentMemoryContext, "aiaas row map", ALLOCSET_SMALL_SIZES);
    old = MemoryContextSwitchTo(map.context);
    if (map.type != RECORDOID) {
        map.entry = lookup_type_cache(map.type, TYPECACHE_TUPDESC);
        map.identifier = map.entry->tupDesc_identifier; /* before the columns: never newer than they */
    }
    desc = lookup_rowtype_tupdesc(map.type, map.typmod);
    map.desc = CreateTupleDescCopyConstr(desc);
    ReleaseTupleDesc(desc);
    fill_map(&map, m);
    MemoryContextSwitchTo(old);
    MemoryContextSetParent(map.context, a->context); /* complete: no error can leave it behind */
    a->map = map;
}

/* The quick way; false when something is unusual. */
static bool put_row_numbers(Row *r, const RowMap *map)
{
    int n = r->model->features->count;

    for (int i = 0; i < n; i++) {
        int at = map->attnum[i];

        if (map->isnull[at] && !r->model->prepares)
            return false;
        r->buffer[i] = map->isnull[at] ? NAN : map->source[i].reader.number(map->values[at]);
    }
    return r->model->prepares || aiaas_all_finite(r->buffer, n);
}

static void put_row(Row *r, AiaasArguments *a, Datum value)
{
    HeapTupleHeader header = DatumGetHeapTupleHeader(value);
    RowMap *map = &a->map;
    HeapTupleData tuple;

    if (!map_holds(map, header, r->model))
        make_map(a, header, r->model);
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    ItemPointerSetInvalid(&tuple.t_self);
    tuple.t_tableOid = InvalidOid;
    tuple.t_data = header;
    heap_deform_tuple(&tuple, map->desc, map->values, map->isnull);
    if (map->numbers && put_row_numbers(r, map))
        return;
    for (int i = 0; i < r->model->features->count; i++) {
        int at = map->attnum[i];

        if (at < 0 || map->isnull[at])
            put_null(r, &r->model->features->column[i]);
        else
            put_column(r, i, &map->source[i], map->values[at]);
    }
}

/* ---- the whole call -------------------------------------------------------------------------- */

/* One value for all columns: an array, or a literal that holds one. False when it is none. */
static bool put_whole(Row *r, const Source *s, Datum value)
{
    const AiaasFeatures *f = r->model->features;

    if (s->kind != SOURCE_VALUE || s->reader.kind != AIAAS_ARRAY || !f->plain)
        return false;
    return put_numbers(r, &s->reader, value, 0, f->width, true);
}

/* An array of text: one literal a column. */
static bool put_texts(Row *r, Datum value)
{
    Datum *element;
    bool *isnull;
    int n;

    if (!r->model->prepares)
        return false;
    deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &element, &isnull, &n);
    if (n != r->model->features->count)
        refuse_count(r->model, n, "elements");
    for (int i = 0; i < n; i++) {
        const AiaasFeature *f = &r->model->features->column[i];

        if (isnull[i] || f->left_out)
            put_null(r, f);
        else
            put_literal(r, i, TextDatumGetCString(element[i]));
    }
    return true;
}

/* A lone literal may be JSON or an array for the whole row. False when it is for one column. */
static bool put_whole_literal(Row *r, const char *text)
{
    const char *p = text + strspn(text, " \t\r\n");
    AiaasFeature whole = {.kind = AIAAS_ARRAY, .type = "real[]"};
    bool brace = *p == '{';

    if (*p == '[' || (brace && strchr("\"}", p[1 + strspn(p + 1, " \t\r\n")]) != NULL)) {
        put_json_text(r, text);
        return true;
    }
    if (!brace || !r->model->features->plain)
        return false;
    whole.width = r->model->features->width;
    put_literal_number(r, &whole, text);
    return true;
}

/* The forms that are one argument. False: it is one of several columns' kind. */
static bool put_single(Row *r, AiaasArguments *a, const Source *s, Datum value)
{
    switch (s->kind) {
    case SOURCE_ROW:
        put_row(r, a, value);
        return true;
    case SOURCE_JSONB:
        put_jsonb(r, DatumGetJsonbP(value));
        return true;
    case SOURCE_JSON:
        put_json_text(r, TextDatumGetCString(value));
        return true;
    case SOURCE_LITERAL:
        return put_whole_literal(r, DatumGetCString(value));
    case SOURCE_VALUE:
        return put_whole(r, s, value);
    case SOURCE_TEXTS:
        return put_texts(r, value);
    case SOURCE_OTHER:
        break;
    }
    return false;
}

/*
 * The quick way; false when something is unusual. When there are as many numbers as a row has, then each is a column,
 * or all are the elements of the one array.
 */
static bool put_numbers_at_once(Row *r, const AiaasArguments *a, FunctionCallInfo fcinfo)
{
    const AiaasFeatures *f = r->model->features;
    const NullableDatum *arg = &fcinfo->args[a->first];

    if (!f->plain || f->width != a->count || (f->count != a->count && f->count != 1))
        return false;
    for (int i = 0; i < a->count; i++) {
        if (arg[i].isnull && !r->model->prepares)
            return false;
        r->buffer[i] = arg[i].isnull ? NAN : a->source[i].reader.number(arg[i].value);
    }
    return r->model->prepares || aiaas_all_finite(r->buffer, a->count);
}

/* Arguments for the columns that the model uses: fewer than it knows. */
static int count_used(const AiaasFeatures *f)
{
    int n = 0;

    for (int i = 0; i < f->count; i++)
        n += !f->column[i].left_out;
    return n;
}

/* Elements of the one array column, one argument each. */
static void put_elements(Row *r, AiaasArguments *a, FunctionCallInfo fcinfo)
{
    const AiaasFeature *f = &r->model->features->column[0];

    for (int i = 0; i < a->count && !r->null; i++) {
        Datum value = PG_GETARG_DATUM(a->first + i);
        const Source *s = &a->source[i];
        AiaasFeature one = {.name = f->name, .type = f->type, .kind = AIAAS_NUMBER, .width = 1, .offset = i};

        if (PG_ARGISNULL(a->first + i))
            put_null(r, &one);
        else if (s->kind == SOURCE_LITERAL)
            put_literal_number(r, &one, DatumGetCString(value));
        else if (s->kind != SOURCE_VALUE || s->reader.kind != AIAAS_NUMBER)
            refuse_type(r->model, f, s->type);
        else
            put_numbers(r, &s->reader, value, i, 1, false);
    }
}

static void put_arguments(Row *r, AiaasArguments *a, FunctionCallInfo fcinfo)
{
    const AiaasFeatures *f = r->model->features;
    bool used_alone = a->count != f->count && a->count == count_used(f);
    int at = 0;

    if (f->count == 1 && f->column[0].kind == AIAAS_ARRAY && a->count == f->width && a->count > 1) {
        put_elements(r, a, fcinfo);
        return;
    }
    if (a->count != f->count && !used_alone)
        refuse_count(r->model, a->count, "arguments");
    for (int i = 0; i < f->count && !r->null; i++) {
        if (used_alone && f->column[i].left_out) {
            put_null(r, &f->column[i]);
            continue;
        }
        if (PG_ARGISNULL(a->first + at))
            put_null(r, &f->column[i]);
        else
            put_column(r, i, &a->source[at], PG_GETARG_DATUM(a->first + at));
        at++;
    }
}

/* A lone NULL is no row at all, unless it is a value that may be missing. */
static bool is_no_row(const AiaasArguments *a, FunctionCallInfo fcinfo, const AiaasModel *m)
{
    const Source *s = &a->source[0];
    bool value = !a->variadic && m->features->count == 1 && (s->kind == SOURCE_VALUE || s->kind == SOURCE_LITERAL);

    return a->count == 1 && PG_ARGISNULL(a->first) && !(m->prepares && value);
}

static void make_room(AiaasArguments *a, int64 width)
{
    if (a->room >= width)
        return;
    if (a->buffer != NULL)
        pfree(a->buffer);
    a->room = 0;
    a->buffer = MemoryContextAllocHuge(a->context, sizeof(float) * width);
    a->room = width;
}

const void *aiaas_arguments_read(AiaasArguments *a, FunctionCallInfo fcinfo, const AiaasModel *model)
{
    Row r = {.model = model};
    Datum value = PG_GETARG_DATUM(a->first);

    if (!model->features->bytes)
        make_room(a, model->features->width);
    r.row = r.buffer = a->buffer;
    if (a->numbers && put_numbers_at_once(&r, a, fcinfo))
        return r.row;
    if (is_no_row(a, fcinfo, model))
        return NULL;
    if (a->variadic) {
        if (!put_whole(&r, &a->source[0], value) &&
            !(a->source[0].kind == SOURCE_TEXTS && put_texts(&r, value)))
            refuse_type(model, &model->features->column[0], a->source[0].type);
    } else if (a->count > 1 || PG_ARGISNULL(a->first) || !put_single(&r, a, &a->source[0], value)) {
        put_arguments(&r, a, fcinfo);
    }
    return r.null ? NULL : r.row;
}
