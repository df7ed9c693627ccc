/*
 * argument_json.c: a JSON value becomes one row of features: an object by key, an array by position.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "argument_private.h"
#include "compat.h"

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
                               aiaas_feature_at(r->model, place), r->model->ref.name)));
    r->buffer[place] = (float) number;
    if (!isfinite(r->buffer[place]) && !r->model->prepares)
        aiaas_refuse_nonfinite(r->model, aiaas_feature_at(r->model, place));
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
        aiaas_refuse_count(r->model, n, "elements");
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
        aiaas_refuse_type(r->model, &r->model->features->column[i], JSONBOID);
    }
    aiaas_put_category(r, i, text, len);
}

static void put_json_column(Row *r, int i, const JsonbValue *v)
{
    const AiaasFeature *f = &r->model->features->column[i];
    bool numbers = f->kind == AIAAS_NUMBER || f->kind == AIAAS_ARRAY;

    if (f->left_out)
        aiaas_feature_missing(f, r->buffer);
    else if (v->type == jbvNull)
        aiaas_put_null(r, f);
    else if (f->kind == AIAAS_TEXT)
        put_json_text_of(r, i, v);
    else if (v->type == jbvString &&
             (f->kind == AIAAS_BYTES || f->kind == AIAAS_TIME || strcmp(f->type, "interval") == 0))
        aiaas_put_literal(r, i, pnstrdup(v->val.string.val, v->val.string.len));
    else if (!numbers || (v->type != jbvBinary && f->width != 1))
        aiaas_refuse_type(r->model, f, JSONBOID);
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
            aiaas_refuse_missing(r->model, "JSON object", name);
    }
}

/* An array with one element a column. */
static void put_json_list(Row *r, JsonbContainer *array)
{
    int n = (int) JsonContainerSize(array);

    if (n != r->model->features->count)
        aiaas_refuse_count(r->model, n, "elements");
    for (int i = 0; i < n; i++)
        put_json_column(r, i, getIthJsonbValueFromContainer(array, i));
}

void aiaas_put_jsonb(Row *r, Jsonb *json)
{
    if (JsonContainerIsObject(&json->root))
        put_json_object(r, &json->root);
    else if (r->model->features->bytes)
        aiaas_refuse_type(r->model, &r->model->features->column[0], JSONBOID);
    else if (!r->model->features->plain && !JsonContainerIsScalar(&json->root))
        put_json_list(r, &json->root);
    else
        put_json_array(r, &json->root, 0, r->model->features->width);
}

void aiaas_put_json_text(Row *r, const char *text)
{
    aiaas_put_jsonb(r, DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text))));
}
