/*
 * columns.c: the options "columns" and "exclude", read into one ax_column_options a column.
 */
#include "table/prepare.h"

#include <stdio.h>

#include "table/setting.h"

/* A column's object as it is written. */
typedef struct written {
    const char *impute, *encode, *type;
    const ax_json *fill_value, *scale, *clip;
    bool missing_indicator;
    int64_t categories, buckets, output_dim;
} written;

#define MAX_CATEGORIES (1 << 20)

#define ROW(name, kind, ...) {#name, kind, 1, offsetof(written, name), __VA_ARGS__}

static const ax_setting settings[] = {
    ROW(impute, AX_SETTING_TEXT, AX_ANY),
    ROW(fill_value, AX_SETTING_JSON, AX_ANY),
    ROW(scale, AX_SETTING_JSON, AX_ANY),
    ROW(clip, AX_SETTING_JSON, AX_ANY),
    ROW(missing_indicator, AX_SETTING_BOOLEAN, AX_ANY),
    ROW(encode, AX_SETTING_TEXT, AX_ANY),
    ROW(categories, AX_SETTING_INTEGER, AX_WITHIN(1, MAX_CATEGORIES)),
    ROW(buckets, AX_SETTING_INTEGER, AX_WITHIN(1, MAX_CATEGORIES)),
    ROW(output_dim, AX_SETTING_INTEGER, AX_WITHIN(1, 4096)),
    ROW(type, AX_SETTING_TEXT, AX_ANY),
};

static const char *const encodings[] = {
    [AX_ENCODE_NONE] = "none",     [AX_ENCODE_ONE_HOT] = "one_hot", [AX_ENCODE_ORDINAL] = "ordinal",
    [AX_ENCODE_HASH] = "hash",     [AX_ENCODE_TARGET] = "target",   [AX_ENCODE_EMBEDDING] = "embedding",
};

const char *ax_encode_name(ax_encode e)
{
    return e == AX_ENCODE_DEFAULT ? "none" : encodings[e];
}

/* ---- algorithms ------------------------------------------------------------------------------ */

ax_status ax_family_of(const char *algorithm, ax_family *out, ax_error *err)
{
    static const char *const names[] = {"linear", "logistic", "kmeans", "pca", "decision_tree",
                                        "random_forest", "extra_trees", "gradient_boosting", "isolation_forest"};
    static const ax_family families[] = {AX_FAMILY_LINEAR, AX_FAMILY_LINEAR, AX_FAMILY_DISTANCE,
                                         AX_FAMILY_DISTANCE, AX_FAMILY_TREES, AX_FAMILY_TREES,
                                         AX_FAMILY_TREES, AX_FAMILY_TREES, AX_FAMILY_TREES};

    *out = AX_FAMILY_NETWORK;
    if (algorithm == NULL)
        return AX_OK;
    for (int i = 0; i < AX_COUNT(names); i++)
        if (strcmp(names[i], algorithm) == 0) {
            *out = families[i];
            return AX_OK;
        }
    ax_fail(err, AX_ERR_UNKNOWN, "unknown algorithm \"%s\"", algorithm);
    ax_hint_names(err, algorithm, names, AX_COUNT(names));
    return AX_ERR_UNKNOWN;
}

/* ---- one column ------------------------------------------------------------------------------ */

static ax_status read_impute(const char *what, const written *w, ax_column_options *o, ax_error *err)
{
    char key[200];

    snprintf(key, sizeof(key), "%s: impute", what);
    if (w->impute != NULL)
        AX_TRY(ax_choice_check("mean|median|constant", key, w->impute, err));
    o->impute = w->impute == NULL             ? AX_IMPUTE_MEAN
                : strcmp(w->impute, "mean") == 0 ? AX_IMPUTE_MEAN
                : strcmp(w->impute, "median") == 0 ? AX_IMPUTE_MEDIAN
                                                   : AX_IMPUTE_CONSTANT;
    if (w->fill_value == NULL)
        return AX_OK;
    snprintf(key, sizeof(key), "%s: fill_value", what);
    if (w->fill_value->kind != AX_JSON_NUMBER)
        return ax_wrong_type(key, "a number", w->fill_value, err);
    AX_TRY(ax_range_check(&(ax_range){AX_FROM | AX_TO, -3e38, 3e38}, key, w->fill_value->number, err));
    if (w->impute != NULL && o->impute != AX_IMPUTE_CONSTANT)
        return ax_fail(err, AX_ERR_INVALID, "%s does not go with \"impute\": \"%s\"", key, w->impute);
    o->impute = AX_IMPUTE_CONSTANT;
    o->fill_value = w->fill_value->number;
    return AX_OK;
}

static ax_status put_scale(const char *key, const char *name, ax_column_options *o, ax_error *err)
{
    AX_TRY(ax_choice_check("standardize|min_max|robust|log1p|none", key, name, err));
    o->scale_given = true;
    if (strcmp(name, "none") == 0)
        return AX_OK;
    if (o->scaling != AX_SCALING_NONE || (o->log1p && strcmp(name, "log1p") == 0))
        return ax_fail(err, AX_ERR_INVALID, "%s cannot have \"%s\" behind what is before it", key, name);
    if (strcmp(name, "log1p") == 0)
        o->log1p = true;
    else
        o->scaling = strcmp(name, "standardize") == 0 ? AX_SCALING_STANDARDIZE
                     : strcmp(name, "min_max") == 0   ? AX_SCALING_MIN_MAX
                                                      : AX_SCALING_ROBUST;
    return AX_OK;
}

/* A name, or an array of them: log1p comes first, then one of the others. */
static ax_status read_scale(const char *what, const ax_json *v, ax_column_options *o, ax_error *err)
{
    char key[200];

    if (v == NULL)
        return AX_OK;
    snprintf(key, sizeof(key), "%s: scale", what);
    if (v->kind == AX_JSON_STRING)
        return put_scale(key, v->string, o, err);
    if (v->kind != AX_JSON_ARRAY)
        return ax_wrong_type(key, "a name or an array of names", v, err);
    for (int i = 0; i < v->count; i++) {
        if (v->item[i]->kind != AX_JSON_STRING)
            return ax_wrong_type(key, "an array of names", v->item[i], err);
        AX_TRY(put_scale(key, v->item[i]->string, o, err));
    }
    return AX_OK;
}

static ax_status read_clip(const char *what, const ax_json *v, ax_column_options *o, ax_error *err)
{
    char key[200];

    if (v == NULL)
        return AX_OK;
    snprintf(key, sizeof(key), "%s: clip", what);
    if (v->kind != AX_JSON_ARRAY || v->count != 2 || v->item[0]->kind != AX_JSON_NUMBER ||
        v->item[1]->kind != AX_JSON_NUMBER)
        return ax_wrong_type(key, "an array of two quantiles such as [0.01, 0.99]", v, err);
    for (int i = 0; i < 2; i++) {
        AX_TRY(ax_range_check(&(ax_range){AX_FROM | AX_TO, 0, 1}, key, v->item[i]->number, err));
        o->clip[i] = v->item[i]->number;
    }
    if (o->clip[0] >= o->clip[1])
        return ax_fail(err, AX_ERR_INVALID, "%s must have the lower quantile first", key);
    o->clips = true;
    return AX_OK;
}

static ax_status read_encode(const char *what, const written *w, ax_column_options *o, ax_error *err)
{
    char key[200];

    if (w->encode == NULL)
        return AX_OK;
    snprintf(key, sizeof(key), "%s: encode", what);
    AX_TRY(ax_choice_check("one_hot|ordinal|hash|target|embedding|none", key, w->encode, err));
    for (int i = AX_ENCODE_NONE; i <= AX_ENCODE_EMBEDDING; i++)
        if (strcmp(encodings[i], w->encode) == 0)
            o->encode = (ax_encode) i;
    return AX_OK;
}

static ax_status read_type(const char *what, const ax_column *c, const char *type, ax_column_options *o,
                           ax_error *err)
{
    char key[200];

    if (type == NULL)
        return AX_OK;
    snprintf(key, sizeof(key), "%s: type", what);
    AX_TRY(ax_choice_check("category|number", key, type, err));
    o->category = !c->text && strcmp(type, "category") == 0;
    if (!c->text || strcmp(type, "number") != 0)
        return AX_OK;
    ax_fail(err, AX_ERR_INVALID, "%s cannot be \"number\", the column is a text", key);
    ax_hint(err, "Cast it in the query.");
    return AX_ERR_INVALID;
}

/* Settings that do not go together with the column's type. */
static ax_status check_kind(const char *what, const ax_column *c, const ax_column_options *o, ax_error *err)
{
    bool category = c->text || o->category;
    bool as_number = c->text && (o->encode == AX_ENCODE_ORDINAL || o->encode == AX_ENCODE_TARGET);

    if (!category && o->encode > AX_ENCODE_NONE) {
        ax_fail(err, AX_ERR_INVALID, "%s: \"encode\" is for categories, the column is a number", what);
        ax_hint(err, "Add \"type\": \"category\".");
        return AX_ERR_INVALID;
    }
    if (o->category && o->encode > AX_ENCODE_ONE_HOT) {
        ax_fail(err, AX_ERR_UNSUPPORTED, "%s: \"%s\" encodes texts, the column is a number", what,
                ax_encode_name(o->encode));
        ax_hint(err, "Cast it to text in the query.");
        return AX_ERR_UNSUPPORTED;
    }
    if (category && !as_number && o->numbers_given) {
        ax_fail(err, AX_ERR_INVALID, "%s: \"scale\", \"clip\", \"impute\" and \"fill_value\" are for numbers", what);
        ax_hint(err, "A text has them when it is encoded by \"ordinal\" or \"target\".");
        return AX_ERR_INVALID;
    }
    return AX_OK;
}

static ax_status read_column(const ax_column *c, const ax_json *v, ax_column_options *o, ax_error *err)
{
    written w = {.buckets = o->buckets, .output_dim = o->output_dim};
    char what[160];

    snprintf(what, sizeof(what), "option \"columns\": \"%.60s\"", c->name);
    AX_TRY(ax_settings_read(settings, AX_COUNT(settings), 1, what, v, &w, err));
    o->missing_indicator = w.missing_indicator;
    o->categories = w.categories;
    o->buckets = w.buckets;
    o->output_dim = w.output_dim;
    o->numbers_given = w.impute != NULL || w.fill_value != NULL || w.scale != NULL || w.clip != NULL;
    AX_TRY(read_type(what, c, w.type, o, err));
    AX_TRY(read_impute(what, &w, o, err));
    AX_TRY(read_scale(what, w.scale, o, err));
    AX_TRY(read_clip(what, w.clip, o, err));
    AX_TRY(read_encode(what, &w, o, err));
    return check_kind(what, c, o, err);
}

/* ---- all of them ----------------------------------------------------------------------------- */

#define SHOWN 64 /* names that are compared with an unknown one at a time */

/* AX_ERR_UNKNOWN, with the nearest of the columns. */
static ax_status unknown_column(const char *option, const char *name, const ax_column *column, int n, ax_error *err)
{
    const char *known[SHOWN + 1];
    int count = 0;

    ax_fail(err, AX_ERR_UNKNOWN, "option \"%s\" names a column \"%.200s\" that is not there", option, name);
    /* the nearest of all so far stays among the next few */
    for (int i = 0; i < n; i++) {
        known[count++] = column[i].name;
        if (count == SHOWN + 1 && i + 1 < n) {
            const char *near = ax_nearest_name(name, known, count);

            count = near != NULL;
            known[0] = near;
        }
    }
    ax_hint_names(err, name, known, count);
    return AX_ERR_UNKNOWN;
}

static int find_column(const ax_column *column, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(column[i].name, name) == 0)
            return i;
    return -1;
}

ax_status ax_column_options_read(const ax_column *column, int n, const ax_options *options, ax_column_options *out,
                                 ax_error *err)
{
    const ax_json *columns = ax_options_json(options, "columns"), *exclude = ax_options_json(options, "exclude");

    for (int i = 0; i < n; i++)
        out[i] = (ax_column_options){.buckets = 64, .output_dim = 8};
    for (int k = 0; columns != NULL && k < columns->count; k++) {
        int i = find_column(column, n, columns->key[k]);

        if (i < 0)
            return unknown_column("columns", columns->key[k], column, n, err);
        AX_TRY(read_column(&column[i], columns->item[k], &out[i], err));
    }
    for (int k = 0; exclude != NULL && k < exclude->count; k++) {
        int i = find_column(column, n, exclude->item[k]->string);

        if (i < 0)
            return unknown_column("exclude", exclude->item[k]->string, column, n, err);
        out[i].excluded = true;
    }
    return AX_OK;
}
