/*
 * feature.c: the feature columns of a model, as JSON and back.
 *
 * The parser trusts nothing but PostgreSQL's own jsonb: the metadata comes out of a table that could
 * have been damaged, and a wrong width would be a wrong memory access later. What it accepts is exactly
 * what the writer makes.
 */
#include "postgres.h"

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
    for (int i = 0; i < f->count; i++) {
        f->column[i].offset = f->width;
        f->width += f->column[i].width;
    }
    f->bytes = f->count == 1 && f->column[0].kind == AIAAS_BYTES;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_columns(StringInfo s, const AiaasFeatures *f)
{
    appendStringInfoChar(s, '[');
    for (int i = 0; i < f->count; i++) {
        appendStringInfoString(s, i > 0 ? ", {\"name\": " : "{\"name\": ");
        escape_json(s, f->column[i].name);
        appendStringInfoString(s, ", \"type\": ");
        escape_json(s, f->column[i].type);
        appendStringInfo(s, ", \"width\": " INT64_FORMAT "}", f->column[i].width);
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

static int64 get_width(JsonbContainer *object)
{
    JsonbValue *v = get_key(object, "width", jbvNumeric);
    Datum d = DirectFunctionCall1(numeric_int8, NumericGetDatum(v->val.numeric));
    int64 width = DatumGetInt64(d);

    if (width < 1 || width > (int64) (MaxAllocHugeSize / sizeof(float)))
        corrupt("width");
    return width;
}

static AiaasKind kind_of_type(const char *type)
{
    size_t len = strlen(type);

    if (strcmp(type, "bytea") == 0)
        return AIAAS_BYTES;
    return len > 2 && strcmp(type + len - 2, "[]") == 0 ? AIAAS_ARRAY : AIAAS_NUMBER;
}

static void parse_column(AiaasFeature *c, JsonbContainer *object)
{
    c->name = get_text(object, "name");
    c->type = get_text(object, "type");
    c->kind = kind_of_type(c->type);
    c->width = get_width(object);
    if (c->kind == AIAAS_NUMBER && c->width != 1)
        corrupt("width");
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
