/*
 * datum.c: one Datum becomes numbers.
 *
 * real is what models compute in, so every type ends there: wide integers and numerics are rounded,
 * what does not fit becomes an infinity and is reported as such. An array of real without NULLs is not
 * copied: its elements already stand in memory as the engine wants them.
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "datum.h"
#include "moment.h"

#define CACHE_LINE   64
#define ROW_OVERHEAD 128 /* headers of a row and its array, and where in a line it begins */
#define PREFETCH_MAX 512 /* bytes of a row; the rest of a long one is read ahead */

/* number_int4 reads a Datum, numbers_int4 elements as they stand in an array. */
#define DEFINE_NUMBER(name, type, getter)                                                          \
    static float number_##name(Datum value)                                                        \
    {                                                                                              \
        return (float) getter(value);                                                              \
    }                                                                                              \
                                                                                                   \
    static void numbers_##name(const char *packed, int64 n, float *out)                            \
    {                                                                                              \
        const type *x = (const type *) packed;                                                     \
                                                                                                   \
        for (int64 i = 0; i < n; i++)                                                              \
            out[i] = (float) x[i];                                                                 \
    }

DEFINE_NUMBER(int2, int16, DatumGetInt16)
DEFINE_NUMBER(int4, int32, DatumGetInt32)
DEFINE_NUMBER(int8, int64, DatumGetInt64)
DEFINE_NUMBER(float4, float4, DatumGetFloat4)
DEFINE_NUMBER(float8, float8, DatumGetFloat8)
DEFINE_NUMBER(bool, bool, DatumGetBool)

static float number_numeric(Datum value)
{
    return (float) DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
}

/* Seconds, as extract(epoch from ...) counts them: a month has 30 days, a year 365.25. */
static float number_interval(Datum value)
{
    const Interval *i = DatumGetIntervalP(value);
    double days = i->month / 12 * DAYS_PER_YEAR + i->month % 12 * (double) DAYS_PER_MONTH + i->day;

    return (float) (days * SECS_PER_DAY + (double) i->time / USECS_PER_SEC);
}

static const struct {
    Oid type;
    float (*number)(Datum value);
    void (*numbers)(const char *packed, int64 n, float *out);
} numbers[] = {
    {INT2OID, number_int2, numbers_int2},       {INT4OID, number_int4, numbers_int4},
    {INT8OID, number_int8, numbers_int8},       {FLOAT4OID, number_float4, numbers_float4},
    {FLOAT8OID, number_float8, numbers_float8}, {BOOLOID, number_bool, numbers_bool},
    {NUMERICOID, number_numeric, NULL},
};

static bool find_number(AiaasReader *r, Oid type)
{
    for (size_t i = 0; i < lengthof(numbers); i++) {
        if (numbers[i].type == type) {
            r->number = numbers[i].number;
            r->numbers = numbers[i].numbers;
            return true;
        }
    }
    return false;
}

bool aiaas_reader_init(AiaasReader *r, Oid type)
{
    memset(r, 0, sizeof(*r));
    r->type = getBaseType(type);
    if (r->type == BYTEAOID) {
        r->kind = AIAAS_BYTES;
        return true;
    }
    if (find_number(r, r->type)) {
        r->kind = AIAAS_NUMBER;
        return true;
    }
    r->element = get_element_type(r->type);
    if (!OidIsValid(r->element))
        return false;
    r->kind = AIAAS_ARRAY;
    get_typlenbyvalalign(r->element, &r->typlen, &r->typbyval, &r->typalign);
    return find_number(r, getBaseType(r->element));
}

bool aiaas_reader_init_column(AiaasReader *r, Oid type)
{
    bool known = aiaas_reader_init(r, type);

    r->spell = aiaas_category_spell(r->type);
    if (known)
        return true;
    if (r->type == INTERVALOID) {
        r->kind = AIAAS_NUMBER;
        r->number = number_interval;
        return true;
    }
    r->kind = AIAAS_OTHER;
    if (aiaas_category_type(r->type))
        r->kind = AIAAS_TEXT;
    else if (aiaas_moment_width(r->type) > 0)
        r->kind = AIAAS_TIME;
    return r->kind != AIAAS_OTHER;
}

char *aiaas_reader_type_name(const AiaasReader *r)
{
    return format_type_be(r->type);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

/* Room for a value with the short header, which may stand at any address. */
typedef union ShortArray {
    ArrayType array;
    char bytes[VARHDRSZ + VARATT_SHORT_MAX];
    int64 align;
} ShortArray;

/*
 * A page of a table is filled from its end, so the next row that a scan reads stands below this one, where no
 * processor reads ahead by itself. Fetched now, it is there after the network has run; a wrong guess costs
 * nothing. The size comes from the caller, because it may take a while until the value's own is here.
 */
static void prefetch_next_row(Datum value, Size size)
{
    const char *p = DatumGetPointer(value);
    Size limit = Min(size, PREFETCH_MAX) + ROW_OVERHEAD;

    for (Size k = CACHE_LINE; k <= limit; k += CACHE_LINE)
        __builtin_prefetch(p - k);
}

/* The array, aligned: where it stands, or short ones in *room. */
static ArrayType *open_array(Datum value, ShortArray *room)
{
    struct varlena *v = PG_DETOAST_DATUM_PACKED(value);
    Size size;

    if (!VARATT_IS_SHORT(v))
        return (ArrayType *) v;
    size = VARSIZE_SHORT(v) - VARHDRSZ_SHORT;
    SET_VARSIZE(room, VARHDRSZ + size);
    memcpy(room->bytes + VARHDRSZ, VARDATA_SHORT(v), size);
    return &room->array;
}

static int64 count_elements(const ArrayType *a)
{
    return ARR_NDIM(a) == 1 ? ARR_DIMS(a)[0] : ArrayGetNItems(ARR_NDIM(a), ARR_DIMS(a));
}

int64 aiaas_read_width(const AiaasReader *r, Datum value)
{
    ShortArray room;

    switch (r->kind) {
    case AIAAS_BYTES:
        return (int64) toast_raw_datum_size(value) - VARHDRSZ;
    case AIAAS_ARRAY:
        return count_elements(open_array(value, &room));
    case AIAAS_TIME:
        return aiaas_moment_width(r->type);
    default:
        return 1;
    }
}

/*
 * Two floats a step: adding one to the exponent's lowest bit carries into the sign's place, which is empty,
 * when all bits of the exponent are set, and those are the numbers that are not finite.
 */
bool aiaas_all_finite(const float *x, int64 n)
{
    const uint64 exponents = UINT64CONST(0x7f8000007f800000);
    const uint64 one = UINT64CONST(0x0080000000800000);
    const uint64 signs = UINT64CONST(0x8000000080000000);
    uint64 carries = 0, two;
    uint32 last = 0;

    for (int64 i = 0; i + 1 < n; i += 2) {
        memcpy(&two, &x[i], sizeof(two));
        carries |= (two & exponents) + one;
    }
    if (n % 2 != 0)
        memcpy(&last, &x[n - 1], sizeof(last));
    carries |= (last & exponents) + one;
    return (carries & signs) == 0;
}

AiaasRead aiaas_read_number(const AiaasReader *r, Datum value, float *out)
{
    *out = r->number(value);
    return isfinite(*out) ? AIAAS_READ_OK : AIAAS_READ_NONFINITE;
}

/* Elements of varying length, one by one. */
static void read_elements(const AiaasReader *r, const char *p, int64 width, float *out)
{
    for (int64 i = 0; i < width; i++) {
        out[i] = r->number(fetch_att(p, r->typbyval, r->typlen));
        p = att_addlength_pointer(p, r->typlen, p);
        p = (const char *) att_align_nominal(p, r->typalign);
    }
}

AiaasRead aiaas_read_array(const AiaasReader *r, Datum value, int64 width, float *buffer,
                           const float **row)
{
    ShortArray room;
    ArrayType *a;
    const char *data;

    prefetch_next_row(value, width * Max(r->typlen, 1));
    a = open_array(value, &room);
    data = ARR_DATA_PTR(a);
    if (count_elements(a) != width)
        return AIAAS_READ_WIDTH;
    if (ARR_HASNULL(a) && array_contains_nulls(a))
        return AIAAS_READ_NULL;
    if (r->number == number_float4 && a != &room.array) {
        *row = (const float *) data;
        return aiaas_all_finite(*row, width) ? AIAAS_READ_OK : AIAAS_READ_NONFINITE;
    }
    if (r->numbers != NULL)
        r->numbers(data, width, buffer);
    else
        read_elements(r, data, width, buffer);
    *row = buffer;
    return aiaas_all_finite(buffer, width) ? AIAAS_READ_OK : AIAAS_READ_NONFINITE;
}

void aiaas_read_gaps(const AiaasReader *r, Datum value, int64 width, float *buffer)
{
    ShortArray room;
    ArrayType *a = open_array(value, &room);
    const char *p = ARR_DATA_PTR(a);
    const bits8 *present = ARR_NULLBITMAP(a);

    for (int64 i = 0; i < width; i++) {
        buffer[i] = NAN;
        if (present != NULL && !(present[i / 8] & (1 << (i % 8))))
            continue;
        buffer[i] = r->number(fetch_att(p, r->typbyval, r->typlen));
        p = att_addlength_pointer(p, r->typlen, p);
        p = (const char *) att_align_nominal(p, r->typalign);
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

AiaasRead aiaas_read_bytes(Datum value, int64 width, const uint8 **row)
{
    struct varlena *b = PG_DETOAST_DATUM_PACKED(value);

    if ((int64) VARSIZE_ANY_EXHDR(b) != width)
        return AIAAS_READ_WIDTH;
    *row = (const uint8 *) VARDATA_ANY(b);
    return AIAAS_READ_OK;
}
