/*
 * datum.c: one Datum becomes numbers.
 *
 * real is what networks compute in, so every type ends there: wide integers and numerics are rounded,
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

#include "compat.h"
#include "datum.h"

static float number_int2(Datum value)
{
    return (float) DatumGetInt16(value);
}

static float number_int4(Datum value)
{
    return (float) DatumGetInt32(value);
}

static float number_int8(Datum value)
{
    return (float) DatumGetInt64(value);
}

static float number_float4(Datum value)
{
    return DatumGetFloat4(value);
}

static float number_float8(Datum value)
{
    return (float) DatumGetFloat8(value);
}

static float number_bool(Datum value)
{
    return DatumGetBool(value) ? 1.0f : 0.0f;
}

static float number_numeric(Datum value)
{
    return (float) DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
}

static const struct {
    Oid type;
    float (*number)(Datum value);
} numbers[] = {
    {INT2OID, number_int2},     {INT4OID, number_int4},     {INT8OID, number_int8},
    {FLOAT4OID, number_float4}, {FLOAT8OID, number_float8}, {NUMERICOID, number_numeric},
    {BOOLOID, number_bool},
};

static bool find_number(AiaasReader *r, Oid type)
{
    for (size_t i = 0; i < lengthof(numbers); i++) {
        if (numbers[i].type == type) {
            r->number = numbers[i].number;
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

char *aiaas_reader_type_name(const AiaasReader *r)
{
    return format_type_be(r->type);
}

int64 aiaas_read_width(const AiaasReader *r, Datum value)
{
    ArrayType *a;

    switch (r->kind) {
    case AIAAS_NUMBER:
        return 1;
    case AIAAS_BYTES:
        return (int64) toast_raw_datum_size(value) - VARHDRSZ;
    case AIAAS_ARRAY:
        break;
    }
    a = DatumGetArrayTypeP(value);
    return ArrayGetNItems(ARR_NDIM(a), ARR_DIMS(a));
}

AiaasRead aiaas_read_number(const AiaasReader *r, Datum value, float *out)
{
    *out = r->number(value);
    return isfinite(*out) ? AIAAS_READ_OK : AIAAS_READ_NONFINITE;
}

/* Written on the bits and without a jump, so that the compiler makes vector code of it. */
static bool all_finite(const float *x, int64 n)
{
    uint32 bad = 0;

    for (int64 i = 0; i < n; i++) {
        uint32 bits;

        memcpy(&bits, &x[i], sizeof(bits));
        bad |= ((bits & 0x7f800000u) == 0x7f800000u);
    }
    return bad == 0;
}

static void read_elements(const AiaasReader *r, ArrayType *a, int64 width, float *out)
{
    char *p = ARR_DATA_PTR(a);

    for (int64 i = 0; i < width; i++) {
        out[i] = r->number(fetch_att(p, r->typbyval, r->typlen));
        p = att_addlength_pointer(p, r->typlen, p);
        p = (char *) att_align_nominal(p, r->typalign);
    }
}

AiaasRead aiaas_read_array(const AiaasReader *r, Datum value, int64 width, float *buffer,
                           const float **row)
{
    ArrayType *a = DatumGetArrayTypeP(value);

    if (ArrayGetNItems(ARR_NDIM(a), ARR_DIMS(a)) != width)
        return AIAAS_READ_WIDTH;
    if (ARR_HASNULL(a) && array_contains_nulls(a))
        return AIAAS_READ_NULL;
    if (r->number == number_float4) {
        *row = (const float *) ARR_DATA_PTR(a);
    } else {
        read_elements(r, a, width, buffer);
        *row = buffer;
    }
    return all_finite(*row, width) ? AIAAS_READ_OK : AIAAS_READ_NONFINITE;
}

AiaasRead aiaas_read_bytes(Datum value, int64 width, const uint8 **row)
{
    struct varlena *b = PG_DETOAST_DATUM_PACKED(value);

    if ((int64) VARSIZE_ANY_EXHDR(b) != width)
        return AIAAS_READ_WIDTH;
    *row = (const uint8 *) VARDATA_ANY(b);
    return AIAAS_READ_OK;
}
