/*
 * label.c: the dictionary of classes.
 *
 * Every value is reduced to a key of bytes, so that one hash table serves all types:
 *   integers             8 bytes, the value as int64
 *   floats and numeric   8 bytes, the value as double (1.0 and 1.00 are one class, so are 0 and -0)
 *   boolean              8 bytes, 0 or 1
 *   text, char, enum     the text; trailing blanks of character(n) do not count
 * The key of an enum is its label and not its OID, because labels are what a model stores and what
 * survives a dump. The order of an enum's values is asked for only when the classes are sorted.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "bytehash.h"
#include "compat.h"
#include "label.h"

typedef enum LabelFamily { LABEL_INTEGER, LABEL_FLOAT, LABEL_BOOLEAN, LABEL_TEXT, LABEL_ENUM } LabelFamily;

struct AiaasLabels {
    MemoryContext context;
    LabelFamily family;
    Oid type; /* below domains */
    bool closed;
    byteshash_hash *hash;
    int count, room;
    const char **text; /* by code */
    double *number;    /* by code; order and value, 0 for text */
};

static bool find_family(Oid type, LabelFamily *family)
{
    static const struct {
        Oid type;
        LabelFamily family;
    } families[] = {
        {INT2OID, LABEL_INTEGER}, {INT4OID, LABEL_INTEGER}, {INT8OID, LABEL_INTEGER},
        {FLOAT4OID, LABEL_FLOAT}, {FLOAT8OID, LABEL_FLOAT}, {NUMERICOID, LABEL_FLOAT},
        {BOOLOID, LABEL_BOOLEAN}, {TEXTOID, LABEL_TEXT},    {VARCHAROID, LABEL_TEXT},
        {BPCHAROID, LABEL_TEXT},  {NAMEOID, LABEL_TEXT},
    };

    for (size_t i = 0; i < lengthof(families); i++) {
        if (families[i].type == type) {
            *family = families[i].family;
            return true;
        }
    }
    *family = LABEL_ENUM;
    return get_typtype(type) == TYPTYPE_ENUM;
}

bool aiaas_labels_type(Oid type)
{
    LabelFamily family;

    return find_family(getBaseType(type), &family);
}

/* ---- values to keys -------------------------------------------------------------------------- */

/* The double that is spelled like the real: 0.1 and not 0.10000000149. */
static double number_of_real(float f)
{
    char buf[FLOAT_SHORTEST_DECIMAL_LEN];

    float_to_shortest_decimal_buf(f, buf);
    return strtod(buf, NULL);
}

static double number_of(const AiaasLabels *l, Datum value)
{
    switch (l->type) {
    case BOOLOID:
        return DatumGetBool(value) ? 1 : 0;
    case INT2OID:
        return DatumGetInt16(value);
    case INT4OID:
        return DatumGetInt32(value);
    case INT8OID:
        return (double) DatumGetInt64(value);
    case FLOAT4OID:
        return number_of_real(DatumGetFloat4(value));
    case FLOAT8OID:
        return DatumGetFloat8(value);
    case NUMERICOID:
        return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
    default:
        return 0;
    }
}

static int64 integer_of(const AiaasLabels *l, Datum value)
{
    if (l->type == INT8OID)
        return DatumGetInt64(value);
    return l->type == INT4OID ? DatumGetInt32(value) : DatumGetInt16(value);
}

/* A key over text that lives in CurrentMemoryContext. */
static AiaasBytes text_key(const AiaasLabels *l, Datum value)
{
    AiaasBytes key;
    struct varlena *v;

    if (l->family == LABEL_ENUM || l->type == NAMEOID) {
        key.bytes = l->type == NAMEOID ? NameStr(*DatumGetName(value))
                                       : DatumGetCString(DirectFunctionCall1(enum_out, value));
        key.len = strlen(key.bytes);
        return key;
    }
    v = PG_DETOAST_DATUM_PACKED(value);
    key.bytes = VARDATA_ANY(v);
    key.len = VARSIZE_ANY_EXHDR(v);
    while (l->type == BPCHAROID && key.len > 0 && key.bytes[key.len - 1] == ' ')
        key.len--;
    return key;
}

/* *room takes the 8 bytes of a key that is a number. */
static AiaasBytes value_key(const AiaasLabels *l, Datum value, int64 *room)
{
    AiaasBytes key = {(const char *) room, sizeof(*room)};
    double d;

    switch (l->family) {
    case LABEL_INTEGER:
        *room = integer_of(l, value);
        return key;
    case LABEL_BOOLEAN:
        *room = DatumGetBool(value);
        return key;
    case LABEL_FLOAT:
        d = number_of(l, value) + 0.0; /* -0 becomes 0 */
        memcpy(room, &d, sizeof(d));
        return key;
    case LABEL_TEXT:
    case LABEL_ENUM:
        break;
    }
    return text_key(l, value);
}

/* As float8out does by default; the setting extra_float_digits must not change a class's name. */
static char *spell_double(double d)
{
    char buf[DOUBLE_SHORTEST_DECIMAL_LEN];

    double_to_shortest_decimal_buf(d, buf);
    return pstrdup(buf);
}

char *aiaas_labels_spell(const AiaasLabels *l, Datum value)
{
    int64 room;
    AiaasBytes key = value_key(l, value, &room);

    switch (l->family) {
    case LABEL_INTEGER:
        return psprintf(INT64_FORMAT, room);
    case LABEL_BOOLEAN:
        return pstrdup(room ? "true" : "false");
    case LABEL_FLOAT:
        return spell_double(number_of(l, value) + 0.0);
    case LABEL_TEXT:
    case LABEL_ENUM:
        break;
    }
    return pnstrdup(key.bytes, key.len);
}

/* ---- the dictionary -------------------------------------------------------------------------- */

AiaasLabels *aiaas_labels_create(MemoryContext context, Oid type)
{
    MemoryContext old = MemoryContextSwitchTo(context);
    AiaasLabels *l = palloc0(sizeof(*l));

    l->context = context;
    l->type = getBaseType(type);
    find_family(l->type, &l->family);
    l->room = 64;
    l->text = palloc(sizeof(*l->text) * l->room);
    l->number = palloc(sizeof(*l->number) * l->room);
    l->hash = byteshash_create(context, l->room, NULL);
    MemoryContextSwitchTo(old);
    return l;
}

static AiaasBytes copy_key(AiaasBytes key, MemoryContext context)
{
    char *bytes = MemoryContextAlloc(context, Max(key.len, 1));

    memcpy(bytes, key.bytes, key.len);
    key.bytes = bytes;
    return key;
}

static void make_room(AiaasLabels *l)
{
    if (l->count < l->room)
        return;
    l->room *= 2;
    l->text = repalloc(l->text, sizeof(*l->text) * l->room);
    l->number = repalloc(l->number, sizeof(*l->number) * l->room);
}

/* Returns the code that the key has from now on; a key that was there keeps its own. */
static int32 add(AiaasLabels *l, AiaasBytes key, const char *text, double number)
{
    AiaasBytesEntry *e;
    bool found;

    make_room(l);
    key = copy_key(key, l->context);
    e = byteshash_insert(l->hash, key, &found);
    if (!found) {
        e->code = l->count;
        l->text[l->count] = MemoryContextStrdup(l->context, text);
        l->number[l->count] = number;
        l->count++;
    }
    return e->code;
}

int32 aiaas_labels_code(AiaasLabels *l, Datum value)
{
    int64 room;
    AiaasBytes key = value_key(l, value, &room);
    AiaasBytesEntry *e = byteshash_lookup(l->hash, key);

    if (e != NULL)
        return e->code;
    if (l->closed || l->count >= AIAAS_CLASSES_MAX)
        return -1;
    return add(l, key, aiaas_labels_spell(l, value), number_of(l, value));
}

/* The key that a value spelled like this would have, false when no value is spelled so. */
static bool spelled_key(const AiaasLabels *l, const char *label, int64 *room, AiaasBytes *key)
{
    char *end;
    double d;

    key->bytes = (const char *) room;
    key->len = sizeof(*room);
    switch (l->family) {
    case LABEL_INTEGER:
        errno = 0;
        *room = strtoll(label, &end, 10);
        return errno == 0 && end != label && *end == '\0';
    case LABEL_FLOAT:
        d = strtod(label, &end) + 0.0;
        memcpy(room, &d, sizeof(d));
        return end != label && *end == '\0';
    case LABEL_BOOLEAN:
        *room = strcmp(label, "true") == 0;
        return *room || strcmp(label, "false") == 0;
    case LABEL_TEXT:
    case LABEL_ENUM:
        break;
    }
    key->bytes = label;
    key->len = strlen(label);
    return true;
}

AiaasLabels *aiaas_labels_closed(MemoryContext context, Oid type, const char *const *labels,
                                 int count)
{
    AiaasLabels *l = aiaas_labels_create(context, type);

    for (int i = 0; i < count; i++) {
        int64 room;
        AiaasBytes key;
        AiaasBytesEntry *e;
        bool found;

        make_room(l);
        l->text[l->count] = MemoryContextStrdup(context, labels[i]);
        l->number[l->count++] = 0;
        if (!spelled_key(l, labels[i], &room, &key))
            continue;
        e = byteshash_insert(l->hash, copy_key(key, context), &found);
        if (!found)
            e->code = i;
    }
    l->closed = true;
    return l;
}

int aiaas_labels_count(const AiaasLabels *l)
{
    return l->count;
}

const char *const *aiaas_labels_texts(const AiaasLabels *l)
{
    return l->text;
}

const double *aiaas_labels_numbers(const AiaasLabels *l)
{
    return l->number;
}

/* ---- sorting --------------------------------------------------------------------------------- */

typedef struct SortItem {
    const char *text;
    double number;
    int64 integer; /* double rounds large bigints */
    int32 code;
} SortItem;

static int compare_items(const void *pa, const void *pb)
{
    const SortItem *a = pa, *b = pb;

    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    if (a->integer != b->integer)
        return a->integer < b->integer ? -1 : 1;
    return strcmp(a->text, b->text);
}

/* The place of an enum's label; the type may have grown values in any order. */
static double enum_place(Oid type, const char *label)
{
    HeapTuple tuple = SearchSysCache2(ENUMTYPOIDNAME, ObjectIdGetDatum(type),
                                      CStringGetDatum(label));
    double place;

    if (!HeapTupleIsValid(tuple))
        return 0;
    place = ((Form_pg_enum) GETSTRUCT(tuple))->enumsortorder;
    ReleaseSysCache(tuple);
    return place;
}

int32 *aiaas_labels_sort(AiaasLabels *l)
{
    SortItem *items = palloc(sizeof(SortItem) * Max(l->count, 1));
    int32 *place = palloc(sizeof(int32) * Max(l->count, 1));
    byteshash_iterator it;
    AiaasBytesEntry *e;

    for (int i = 0; i < l->count; i++) {
        items[i].text = l->text[i];
        items[i].number = l->family == LABEL_ENUM ? enum_place(l->type, l->text[i]) : l->number[i];
        items[i].integer = l->family == LABEL_INTEGER ? strtoll(l->text[i], NULL, 10) : 0;
        items[i].code = i;
    }
    qsort(items, l->count, sizeof(SortItem), compare_items);
    for (int i = 0; i < l->count; i++) {
        place[items[i].code] = i;
        l->text[i] = items[i].text;
    }
    for (int i = 0; i < l->count; i++)
        l->number[i] = l->family == LABEL_ENUM ? 0 : items[i].number;
    byteshash_start_iterate(l->hash, &it);
    while ((e = byteshash_iterate(l->hash, &it)) != NULL)
        e->code = place[e->code];
    pfree(items);
    return place;
}
