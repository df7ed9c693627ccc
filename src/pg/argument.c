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
 * One value is argument_value.c's, JSON argument_json.c's.
 *
 * Nothing here or there runs a user's code: cache.c relies on it.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "argument_private.h"
#include "compat.h"

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
            aiaas_refuse_missing(m, "row", f->column[i].name);
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
            aiaas_put_null(r, &r->model->features->column[i]);
        else
            aiaas_put_column(r, i, &map->source[i], map->values[at]);
    }
}

/* ---- the whole call -------------------------------------------------------------------------- */

/* One value for all columns: an array, or a literal that holds one. False when it is none. */
static bool put_whole(Row *r, const Source *s, Datum value)
{
    const AiaasFeatures *f = r->model->features;

    if (s->kind != SOURCE_VALUE || s->reader.kind != AIAAS_ARRAY || !f->plain)
        return false;
    return aiaas_put_numbers(r, &s->reader, value, 0, f->width, true);
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
        aiaas_refuse_count(r->model, n, "elements");
    for (int i = 0; i < n; i++) {
        const AiaasFeature *f = &r->model->features->column[i];

        if (isnull[i] || f->left_out)
            aiaas_put_null(r, f);
        else
            aiaas_put_literal(r, i, TextDatumGetCString(element[i]));
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
        aiaas_put_json_text(r, text);
        return true;
    }
    if (!brace || !r->model->features->plain)
        return false;
    whole.width = r->model->features->width;
    aiaas_put_literal_number(r, &whole, text);
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
        aiaas_put_jsonb(r, DatumGetJsonbP(value));
        return true;
    case SOURCE_JSON:
        aiaas_put_json_text(r, TextDatumGetCString(value));
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
            aiaas_put_null(r, &one);
        else if (s->kind == SOURCE_LITERAL)
            aiaas_put_literal_number(r, &one, DatumGetCString(value));
        else if (s->kind != SOURCE_VALUE || s->reader.kind != AIAAS_NUMBER)
            aiaas_refuse_type(r->model, f, s->type);
        else
            aiaas_put_numbers(r, &s->reader, value, i, 1, false);
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
        aiaas_refuse_count(r->model, a->count, "arguments");
    for (int i = 0; i < f->count && !r->null; i++) {
        if (used_alone && f->column[i].left_out) {
            aiaas_put_null(r, &f->column[i]);
            continue;
        }
        if (PG_ARGISNULL(a->first + at))
            aiaas_put_null(r, &f->column[i]);
        else
            aiaas_put_column(r, i, &a->source[at], PG_GETARG_DATUM(a->first + at));
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
            aiaas_refuse_type(model, &model->features->column[0], a->source[0].type);
    } else if (a->count > 1 || PG_ARGISNULL(a->first) || !put_single(&r, a, &a->source[0], value)) {
        put_arguments(&r, a, fcinfo);
    }
    return r.null ? NULL : r.row;
}
