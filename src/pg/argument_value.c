/*
 * argument_value.c: one value of an argument becomes one column of the row, or an error that says why it cannot.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "argument_private.h"
#include "compat.h"

/* ---- errors ---------------------------------------------------------------------------------- */

void aiaas_refuse_type(const AiaasModel *m, const AiaasFeature *f, Oid type)
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

void aiaas_refuse_count(const AiaasModel *m, int64 count, const char *what)
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

void aiaas_refuse_nonfinite(const AiaasModel *m, const char *feature)
{
    ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("feature \"%s\" of model \"%s\" is NaN, infinite or out of range for "
                           "type real",
                           feature, m->ref.name)));
}

void aiaas_refuse_missing(const AiaasModel *m, const char *what, const char *feature)
{
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                    errmsg("the %s has no \"%s\", which model \"%s\" needs", what, feature,
                           m->ref.name),
                    errdetail("The features are %s.", aiaas_features_describe(m->features))));
}

/* The name of the feature that a place in the row belongs to. */
const char *aiaas_feature_at(const AiaasModel *m, int64 place)
{
    int i = m->features->count - 1;

    while (i > 0 && m->features->column[i].offset > place)
        i--;
    return m->features->column[i].name;
}

/* ---- one value to one column ----------------------------------------------------------------- */

/* A value for `width` places from `offset` on; width 1 takes numbers too. False when the type is wrong. */
bool aiaas_put_numbers(Row *r, const AiaasReader *reader, Datum value, int64 offset, int64 width,
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
        aiaas_refuse_count(r->model, aiaas_read_width(reader, value), "elements");
    if (r->model->prepares && got == AIAAS_READ_NULL)
        aiaas_read_gaps(reader, value, width, place);
    else if (got == AIAAS_READ_NULL)
        r->null = true;
    else if (got == AIAAS_READ_NONFINITE && !r->model->prepares)
        aiaas_refuse_nonfinite(r->model, aiaas_feature_at(r->model, offset));
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
void aiaas_put_null(Row *r, const AiaasFeature *f)
{
    if (r->model->prepares)
        aiaas_feature_missing(f, r->buffer);
    else
        r->null = true;
}

/* A category, in the database's encoding. */
void aiaas_put_category(Row *r, int i, const char *text, Size len)
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

void aiaas_put_literal_number(Row *r, const AiaasFeature *f, const char *text)
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
    aiaas_put_numbers(r, &reader, value, f->offset, f->width, false);
}

/* The text of a literal for column i, read as the column's kind asks for. */
void aiaas_put_literal(Row *r, int i, const char *text)
{
    const AiaasFeature *f = &r->model->features->column[i];

    switch (f->kind) {
    case AIAAS_BYTES:
        put_bytes(r, DirectFunctionCall1(byteain, CStringGetDatum(text)));
        break;
    case AIAAS_TEXT:
        aiaas_put_category(r, i, text, strlen(text));
        break;
    case AIAAS_TIME:
        put_time(r, f, f->moment, aiaas_moment_parse(f->moment, text));
        break;
    case AIAAS_OTHER:
        break;
    default:
        aiaas_put_literal_number(r, f, text);
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
        aiaas_put_category(r, i, text, len);
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

void aiaas_put_column(Row *r, int i, const Source *s, Datum value)
{
    const AiaasFeatures *all = r->model->features;
    const AiaasFeature *f = &all->column[i];
    bool numbers = f->kind == AIAAS_NUMBER || f->kind == AIAAS_ARRAY;

    if (f->left_out)
        aiaas_feature_missing(f, r->buffer);
    else if (s->kind == SOURCE_LITERAL)
        aiaas_put_literal(r, i, DatumGetCString(value));
    else if (numbers ? s->kind != SOURCE_VALUE ||
                           !aiaas_put_numbers(r, &s->reader, value, f->offset, f->width, all->count == 1)
                     : !put_other(r, i, s, value))
        aiaas_refuse_type(r->model, f, s->type);
}
