/*
 * category.c: see category.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "bytehash.h"
#include "category.h"
#include "compat.h"

/* ---- values as text -------------------------------------------------------------------------- */

static const char *spell_text(Datum value, char *room, Size *len)
{
    struct varlena *v = PG_DETOAST_DATUM_PACKED(value);

    (void) room;
    *len = VARSIZE_ANY_EXHDR(v);
    return VARDATA_ANY(v);
}

static const char *spell_padded(Datum value, char *room, Size *len)
{
    const char *text = spell_text(value, room, len);

    while (*len > 0 && text[*len - 1] == ' ')
        (*len)--;
    return text;
}

static const char *spell_name(Datum value, char *room, Size *len)
{
    (void) room;
    *len = strlen(NameStr(*DatumGetName(value)));
    return NameStr(*DatumGetName(value));
}

static const char *spell_output(PGFunction output, Datum value, Size *len)
{
    const char *text = DatumGetCString(DirectFunctionCall1(output, value));

    *len = strlen(text);
    return text;
}

static const char *spell_enum(Datum value, char *room, Size *len)
{
    (void) room;
    return spell_output(enum_out, value, len);
}

static const char *spell_uuid(Datum value, char *room, Size *len)
{
    (void) room;
    return spell_output(uuid_out, value, len);
}

static const char *spell_char(Datum value, char *room, Size *len)
{
    room[0] = DatumGetChar(value);
    *len = room[0] != '\0';
    return room;
}

static const char *spell_integer(int64 value, char *room, Size *len)
{
    *len = pg_lltoa(value, room);
    return room;
}

static const char *spell_int2(Datum value, char *room, Size *len)
{
    return spell_integer(DatumGetInt16(value), room, len);
}

static const char *spell_int4(Datum value, char *room, Size *len)
{
    return spell_integer(DatumGetInt32(value), room, len);
}

static const char *spell_int8(Datum value, char *room, Size *len)
{
    return spell_integer(DatumGetInt64(value), room, len);
}

static const char *spell_boolean(Datum value, char *room, Size *len)
{
    (void) room;
    *len = DatumGetBool(value) ? 4 : 5;
    return DatumGetBool(value) ? "true" : "false";
}

static const char *spell_real(Datum value, char *room, Size *len)
{
    *len = float_to_shortest_decimal_buf(DatumGetFloat4(value) + 0.0f, room);
    return room;
}

static const char *spell_double(Datum value, char *room, Size *len)
{
    *len = double_to_shortest_decimal_buf(DatumGetFloat8(value) + 0.0, room);
    return room;
}

/* 1.0 and 1.00 are one category. */
static const char *spell_numeric(Datum value, char *room, Size *len)
{
    return spell_double(DirectFunctionCall1(numeric_float8_no_overflow, value), room, len);
}

static const struct {
    Oid type;
    bool by_nature;
    AiaasSpell spell;
} spellings[] = {
    {TEXTOID, true, spell_text},      {VARCHAROID, true, spell_text},     {BPCHAROID, true, spell_padded},
    {NAMEOID, true, spell_name},      {CHAROID, true, spell_char},        {UUIDOID, true, spell_uuid},
    {INT2OID, false, spell_int2},     {INT4OID, false, spell_int4},       {INT8OID, false, spell_int8},
    {BOOLOID, false, spell_boolean},  {FLOAT4OID, false, spell_real},     {FLOAT8OID, false, spell_double},
    {NUMERICOID, false, spell_numeric},
};

AiaasSpell aiaas_category_spell(Oid type)
{
    for (size_t i = 0; i < lengthof(spellings); i++)
        if (spellings[i].type == type)
            return spellings[i].spell;
    return get_typtype(type) == TYPTYPE_ENUM ? spell_enum : NULL;
}

bool aiaas_category_type(Oid type)
{
    for (size_t i = 0; i < lengthof(spellings); i++)
        if (spellings[i].type == type)
            return spellings[i].by_nature;
    return get_typtype(type) == TYPTYPE_ENUM;
}

/* ---- the dictionary -------------------------------------------------------------------------- */

struct AiaasCategories {
    MemoryContext context;
    byteshash_hash *hash;
    const char **text; /* by code */
    int count, room;
    bool full;
};

AiaasCategories *aiaas_categories_create(MemoryContext context)
{
    AiaasCategories *c = MemoryContextAllocZero(context, sizeof(*c));

    c->context = context;
    c->room = 16;
    c->text = MemoryContextAlloc(context, sizeof(*c->text) * c->room);
    c->hash = byteshash_create(context, c->room, NULL);
    return c;
}

static int32 add(AiaasCategories *c, AiaasBytes key)
{
    char *copy = MemoryContextAlloc(c->context, (Size) key.len + 1);
    bool found;

    memcpy(copy, key.bytes, key.len);
    copy[key.len] = '\0';
    key.bytes = copy;
    if (c->count == c->room) {
        c->room *= 2;
        c->text = repalloc(c->text, sizeof(*c->text) * c->room);
    }
    c->text[c->count] = copy;
    byteshash_insert(c->hash, key, &found)->code = c->count;
    return c->count++;
}

int32 aiaas_categories_code(AiaasCategories *c, const char *bytes, Size len)
{
    AiaasBytes key = {bytes, (uint32) len};
    AiaasBytesEntry *e;

    if (c->full)
        return -1;
    e = byteshash_lookup(c->hash, key);
    if (e != NULL)
        return e->code;
    if (c->count < AIAAS_CATEGORIES_MAX)
        return add(c, key);
    c->full = true;
    return -1;
}

int aiaas_categories_count(const AiaasCategories *c)
{
    return c->count;
}

bool aiaas_categories_full(const AiaasCategories *c)
{
    return c->full;
}

const char *const *aiaas_categories_texts(const AiaasCategories *c)
{
    return c->text;
}
