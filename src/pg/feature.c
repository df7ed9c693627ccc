/*
 * feature.c: the feature columns of a model, as JSON and back.
 *
 * The parser trusts nothing but PostgreSQL's own jsonb: the metadata comes out of a table that could
 * have been damaged, and a wrong width would be a wrong memory access later. What it accepts is exactly
 * what the writer makes.
 */
#include "postgres.h"

#include <math.h>

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/varlena.h"

#include "feature.h"

#define DESCRIBE_MAX 20

void aiaas_features_layout(AiaasFeatures *f)
{
    f->width = 0;
    f->plain = true;
    for (int i = 0; i < f->count; i++) {
        f->column[i].offset = f->width;
        f->width += f->column[i].width;
        f->plain &= f->column[i].kind == AIAAS_NUMBER || f->column[i].kind == AIAAS_ARRAY;
    }
    f->bytes = f->count == 1 && f->column[0].kind == AIAAS_BYTES;
}

void aiaas_feature_missing(const AiaasFeature *f, float *row)
{
    for (int64 i = 0; i < f->width; i++)
        row[f->offset + i] = NAN;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_column(StringInfo s, const AiaasFeature *c)
{
    appendStringInfoString(s, "{\"name\": ");
    escape_json(s, c->name);
    appendStringInfoString(s, ", \"type\": ");
    escape_json(s, c->type);
    appendStringInfo(s, ", \"width\": " INT64_FORMAT, c->width);
    if (c->kind == AIAAS_TEXT)
        appendStringInfoString(s, ", \"kind\": \"category\"");
    if (c->kind == AIAAS_TIME)
        appendStringInfoString(s, ", \"kind\": \"time\"");
    if (c->kind == AIAAS_OTHER)
        appendStringInfoString(s, ", \"kind\": \"other\"");
    if (c->kind == AIAAS_TIME && c->origin != AIAAS_NO_ORIGIN)
        appendStringInfo(s, ", \"origin\": " INT64_FORMAT, c->origin);
    if (c->left_out)
        appendStringInfoString(s, ", \"left_out\": true");
    appendStringInfoChar(s, '}');
}

static void write_columns(StringInfo s, const AiaasFeatures *f)
{
    appendStringInfoChar(s, '[');
    for (int i = 0; i < f->count; i++) {
        if (i > 0)
            appendStringInfoString(s, ", ");
        write_column(s, &f->column[i]);
    }
    appendStringInfoChar(s, ']');
}

char *aiaas_features_json(const AiaasFeatures *f, bool columns_only)
{
    StringInfoData s;

    initStringInfo(&s);
    if (columns_only) {
        write_columns(&s, f);
        return s.data;
    }
    appendStringInfoString(&s, "{\"columns\": ");
    write_columns(&s, f);
    appendStringInfoString(&s, ", \"target\": ");
    escape_json(&s, f->target);
    appendStringInfoString(&s, ", \"target_type\": ");
    escape_json(&s, f->target_type);
    appendStringInfoChar(&s, '}');
    return s.data;
}

char *aiaas_labels_json(const char *const *labels, int count)
{
    StringInfoData s;

    initStringInfo(&s);
    appendStringInfoChar(&s, '[');
    for (int i = 0; i < count; i++) {
        if (i > 0)
            appendStringInfoString(&s, ", ");
        escape_json(&s, labels[i]);
    }
    appendStringInfoChar(&s, ']');
    return s.data;
}

char *aiaas_features_describe(const AiaasFeatures *f)
{
    StringInfoData s;

    initStringInfo(&s);
    for (int i = 0; i < f->count && i < DESCRIBE_MAX; i++) {
        const AiaasFeature *c = &f->column[i];
        size_t len = strlen(c->type);

        appendStringInfo(&s, "%s%s ", i > 0 ? ", " : "", c->name);
        if (c->kind == AIAAS_ARRAY && len > 2)
            appendStringInfo(&s, "%.*s[" INT64_FORMAT "]", (int) len - 2, c->type, c->width);
        else if (c->kind == AIAAS_BYTES)
            appendStringInfo(&s, "bytea of " INT64_FORMAT " bytes", c->width);
        else
            appendStringInfoString(&s, c->type);
    }
    if (f->count > DESCRIBE_MAX)
        appendStringInfo(&s, ", ... (%d in all)", f->count);
    return s.data;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void pg_attribute_noreturn() corrupt(const char *what)
{
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("the model's metadata is damaged: %s", what)));
}

const char *aiaas_to_model(const char *text)
{
    return pg_server_to_any(text, strlen(text), PG_UTF8);
}

const char *aiaas_from_model(const char *text)
{
    return text ? pg_any_to_server(text, strlen(text), PG_UTF8) : NULL;
}

static JsonbContainer *parse_jsonb(const char *json)
{
    Datum d;

    if (json == NULL)
        corrupt("an entry is missing");
    d = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
    return &DatumGetJsonbP(d)->root;
}

static JsonbValue *get_key(JsonbContainer *object, const char *key, enum jbvType type)
{
    JsonbValue *v = NULL;

    if (JsonContainerIsObject(object))
        v = getKeyJsonValueFromContainer(object, key, strlen(key), NULL);
    if (v == NULL || v->type != type)
        corrupt(key);
    return v;
}

static char *get_text(JsonbContainer *object, const char *key)
{
    JsonbValue *v = get_key(object, key, jbvString);

    return pnstrdup(v->val.string.val, v->val.string.len);
}

static int64 get_integer(JsonbContainer *object, const char *key, int64 low, int64 high)
{
    JsonbValue *v = get_key(object, key, jbvNumeric);
    Datum number = NumericGetDatum(v->val.numeric);
    double about = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, number));
    int64 value;

    if (!(fabs(about) < 9.2e18))
        corrupt(key);
    value = DatumGetInt64(DirectFunctionCall1(numeric_int8, number));
    if (value < low || value > high)
        corrupt(key);
    return value;
}

static bool has_key(JsonbContainer *object, const char *key)
{
    return JsonContainerIsObject(object) && getKeyJsonValueFromContainer(object, key, strlen(key), NULL) != NULL;
}

static bool get_flag(JsonbContainer *object, const char *key)
{
    return has_key(object, key) && get_key(object, key, jbvBool)->val.boolean;
}

static AiaasKind kind_of_type(const char *type)
{
    size_t len = strlen(type);

    if (strcmp(type, "bytea") == 0)
        return AIAAS_BYTES;
    return len > 2 && strcmp(type + len - 2, "[]") == 0 ? AIAAS_ARRAY : AIAAS_NUMBER;
}

static AiaasKind get_kind(JsonbContainer *object, const char *type)
{
    char *kind;

    if (!has_key(object, "kind"))
        return kind_of_type(type);
    kind = get_text(object, "kind");
    if (strcmp(kind, "category") == 0)
        return AIAAS_TEXT;
    if (strcmp(kind, "other") == 0)
        return AIAAS_OTHER;
    if (strcmp(kind, "time") != 0)
        corrupt("kind");
    return AIAAS_TIME;
}

static void parse_column(AiaasFeature *c, JsonbContainer *object)
{
    c->name = get_text(object, "name");
    c->type = get_text(object, "type");
    c->kind = get_kind(object, c->type);
    c->width = get_integer(object, "width", 1, (int64) (MaxAllocHugeSize / sizeof(float)));
    c->origin = AIAAS_NO_ORIGIN;
    c->left_out = get_flag(object, "left_out");
    if (c->kind == AIAAS_TIME) {
        c->moment = aiaas_moment_type(c->type);
        if (c->width != aiaas_moment_width(c->moment))
            corrupt("width");
        if (has_key(object, "origin"))
            c->origin = get_integer(object, "origin", MIN_TIMESTAMP, END_TIMESTAMP - 1);
    }
    if ((c->kind == AIAAS_NUMBER || c->kind == AIAAS_TEXT || c->kind == AIAAS_OTHER) && c->width != 1)
        corrupt("width");
    if (c->kind == AIAAS_OTHER && !c->left_out)
        corrupt("kind");
}

/* Widths that each are plausible must not add up to an overflow. */
static void check_total(const AiaasFeatures *f)
{
    int64 left = (int64) (MaxAllocHugeSize / sizeof(float));

    for (int i = 0; i < f->count; i++) {
        if (f->column[i].width > left)
            corrupt("width");
        left -= f->column[i].width;
    }
}

AiaasFeatures *aiaas_features_parse(const char *json)
{
    AiaasFeatures *f = palloc0(sizeof(*f));
    JsonbContainer *root = parse_jsonb(json);
    JsonbContainer *columns = get_key(root, "columns", jbvBinary)->val.binary.data;

    if (!JsonContainerIsArray(columns) || JsonContainerSize(columns) == 0)
        corrupt("columns");
    f->count = JsonContainerSize(columns);
    f->column = palloc0(sizeof(AiaasFeature) * f->count);
    for (int i = 0; i < f->count; i++) {
        JsonbValue *v = getIthJsonbValueFromContainer(columns, i);

        if (v->type != jbvBinary)
            corrupt("columns");
        parse_column(&f->column[i], v->val.binary.data);
        if (f->count > 1 && f->column[i].kind == AIAAS_BYTES)
            corrupt("columns");
    }
    f->target = get_text(root, "target");
    f->target_type = get_text(root, "target_type");
    check_total(f);
    aiaas_features_layout(f);
    return f;
}

char **aiaas_labels_parse(const char *json, int *count)
{
    JsonbContainer *root = parse_jsonb(json);
    int n;
    char **labels;

    if (!JsonContainerIsArray(root) || JsonContainerIsScalar(root))
        corrupt("labels");
    n = JsonContainerSize(root);
    labels = palloc(sizeof(char *) * Max(n, 1));
    for (int i = 0; i < n; i++) {
        JsonbValue *v = getIthJsonbValueFromContainer(root, i);

        if (v->type != jbvString)
            corrupt("labels");
        labels[i] = pnstrdup(v->val.string.val, v->val.string.len);
    }
    *count = n;
    return labels;
}

/* ---- hints ----------------------------------------------------------------------------------- */

const char *aiaas_nearest_name(const char *name, const char *const *names, int n)
{
    const char *best = NULL;
    int best_distance = 0;
    int len = strlen(name);

    if (len > 255)
        return NULL;
    for (int i = 0; i < n; i++) {
        int other = strlen(names[i]);
        int limit = Max(len, other) / 2;
        int d;

        if (other > 255)
            continue;
        if (pg_strcasecmp(name, names[i]) == 0)
            return names[i];
        d = varstr_levenshtein(name, len, names[i], other, 1, 1, 1, true);
        if (d <= limit && (best == NULL || d < best_distance)) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}
