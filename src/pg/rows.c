/*
 * rows.c: the rows of a query, in memory, ready for the engine.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "feed.h"
#include "guard.h"
#include "limit.h"
#include "rows.h"

#define FIRST_ROOM 1024
#define HASH_PIECE (1 << 20)

/* The member of an object, itself an object; NULL when it is none. */
static JsonbContainer *find_object(JsonbContainer *object, const char *key)
{
    JsonbValue *v = object == NULL || !JsonContainerIsObject(object)
                        ? NULL
                        : getKeyJsonValueFromContainer(object, key, strlen(key), NULL);

    return v != NULL && v->type == jbvBinary ? v->val.binary.data : NULL;
}

static bool is_string(const JsonbValue *v, const char *text)
{
    return v != NULL && v->type == jbvString && v->val.string.len == (int) strlen(text) &&
           memcmp(v->val.string.val, text, strlen(text)) == 0;
}

/* {"columns": {"rooms": {"type": "category"}}, "exclude": ["id"]} */
static AiaasWish rows_wish(void *arg, const char *column)
{
    const AiaasRows *r = arg;
    JsonbContainer *settings, *exclude;

    if (r->spec->options == NULL)
        return AIAAS_WISH_NONE;
    exclude = find_object(&r->spec->options->root, "exclude");
    for (uint32 i = 0; exclude != NULL && JsonContainerIsArray(exclude) && i < JsonContainerSize(exclude); i++)
        if (is_string(getIthJsonbValueFromContainer(exclude, i), column))
            return AIAAS_WISH_EXCLUDED;
    settings = find_object(find_object(&r->spec->options->root, "columns"), column);
    if (settings != NULL &&
        is_string(getKeyJsonValueFromContainer(settings, "type", strlen("type"), NULL), "category"))
        return AIAAS_WISH_CATEGORY;
    return AIAAS_WISH_NONE;
}

static AiaasTarget *rows_make_target(void *arg, const char *column, Oid type)
{
    AiaasRows *r = arg;
    const AiaasTarget *like = r->spec->like ? r->spec->like->target : NULL;

    if (like == NULL)
        r->target = aiaas_target_create(r->context, column, type, r->spec->hint);
    else if (like->task == AX_TASK_CLASSIFICATION)
        r->target = aiaas_target_for_model(r->context, column, type, like->task,
                                           aiaas_labels_texts(like->labels),
                                           aiaas_labels_count(like->labels), 1);
    else
        r->target = aiaas_target_for_model(r->context, column, type, like->task, NULL, 0,
                                           like->width);
    return r->target;
}

/* Numbers may be rounded, categories are what they are. */
static void compress(AiaasRows *r, const AiaasFeatures *features)
{
    bool *exact = palloc0(sizeof(bool) * features->width);
    ax_error err;

    for (int i = 0; i < features->count; i++)
        for (int64 k = 0; k < features->column[i].width; k++)
            exact[features->column[i].offset + k] = features->column[i].kind == AIAAS_TEXT;
    aiaas_check(ax_dataset_compress(r->dataset, exact, &err), &err, NULL);
    pfree(exact);
}

static void rows_start(void *arg, const AiaasFeatures *features)
{
    AiaasRows *r = arg;
    ax_error err;

    if (r->spec->input_width > 0 && r->spec->input_width != features->width)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("input_shape %s needs " INT64_FORMAT
                               " numbers a row, the features have " INT64_FORMAT,
                               r->spec->input_shape, r->spec->input_width, features->width),
                        errdetail("The features are %s.", aiaas_features_describe(features))));
    r->features = (AiaasFeatures *) features;
    aiaas_check(ax_dataset_create(&r->env, features->bytes ? AX_UINT8 : AX_FLOAT, features->width,
                                  &r->dataset, &err),
                &err, NULL);
    if (r->spec->compress && !features->bytes)
        compress(r, features);
}

static void append_weight(AiaasRows *r, float weight)
{
    if (r->count >= r->weight_room) {
        r->weight_room = Max(FIRST_ROOM, r->weight_room * 2);
        if (r->weight == NULL)
            r->weight = MemoryContextAllocHuge(r->context, r->weight_room * sizeof(float));
        else
            r->weight = repalloc_huge(r->weight, r->weight_room * sizeof(float));
    }
    r->weight[r->count] = weight;
}

static void append_key(AiaasRows *r, int64 key)
{
    if (r->count >= r->key_room) {
        r->key_room = Max(FIRST_ROOM, r->key_room * 2);
        if (r->key == NULL)
            r->key = MemoryContextAllocHuge(r->context, r->key_room * sizeof(int64));
        else
            r->key = repalloc_huge(r->key, r->key_room * sizeof(int64));
    }
    r->key[r->count] = key;
}

static uint64 hash_piecewise(const void *bytes, Size len, uint64 seed)
{
    const unsigned char *p = bytes;

    for (; len > HASH_PIECE; p += HASH_PIECE, len -= HASH_PIECE)
        seed = hash_bytes_extended(p, HASH_PIECE, seed);
    return hash_bytes_extended(p, (int) len, seed);
}

static void rows_row(void *arg, const void *features, const AiaasMarks *marks)
{
    AiaasRows *r = arg;
    Size size = r->features->bytes ? sizeof(uint8) : sizeof(float);
    ax_error err;

    aiaas_check(ax_dataset_append(r->dataset, features, &err), &err, NULL);
    aiaas_limit_rows(r->spec->model, r->context);
    if (r->weighted)
        append_weight(r, marks->weight);
    if (r->spec->split_column != NULL && r->spec->like == NULL)
        append_key(r, marks->key);
    r->hash = hash_piecewise(features, r->features->width * size, r->hash);
    r->count++;
}

/* Hands targets and weights over to the dataset, which copies them. */
static void finish(AiaasRows *r)
{
    AiaasTarget *t = r->target;
    ax_error err;

    if (r->spec->like == NULL && t != NULL)
        aiaas_target_finish(t);
    if (t == NULL)
        ;
    else if (t->task == AX_TASK_CLASSIFICATION)
        aiaas_check(ax_dataset_set_classes(r->dataset, t->code, aiaas_labels_count(t->labels), &err),
                    &err, NULL);
    else
        aiaas_check(ax_dataset_set_values(r->dataset, t->value, t->width, &err), &err, NULL);
    if (t != NULL)
        r->hash = aiaas_target_hash(t, r->hash);
    if (r->weighted) {
        aiaas_check(ax_dataset_set_weights(r->dataset, r->weight, &err), &err, NULL);
        r->hash = hash_piecewise(r->weight, r->count * sizeof(float), r->hash);
        pfree(r->weight);
        r->weight = NULL;
    }
    if (t != NULL)
        aiaas_target_release(t);
}

/* Of other rows: the same columns and dictionaries, counted for themselves. */
static AiaasFeatures *copy_features(const AiaasFeatures *from)
{
    AiaasFeatures *f = palloc(sizeof(*f));

    *f = *from;
    f->column = palloc(sizeof(AiaasFeature) * f->count);
    for (int i = 0; i < f->count; i++) {
        f->column[i] = from->column[i];
        f->column[i].nulls = f->column[i].nans = f->column[i].infinite = 0;
    }
    return f;
}

AiaasRows *aiaas_rows_read(MemoryContext context, const AiaasRowsSpec *spec)
{
    MemoryContext old = MemoryContextSwitchTo(context);
    AiaasRows *r = palloc0(sizeof(*r));
    AiaasFeedSpec feed = {
        .query = spec->query,
        .argument = spec->argument,
        .target_column = spec->target_column,
        .weight_column = spec->weight_column,
        .split_column = spec->like == NULL ? spec->split_column : NULL,
        .split_groups = spec->split_groups,
        .no_target = spec->no_target,
        .model = spec->like ? copy_features(spec->like->features) : NULL,
        .columns = spec->columns,
        .missing = spec->like != NULL && spec->like->features->missing,
        .wish = rows_wish,
        .input_width = spec->input_width,
        .input_shape = spec->input_shape,
        .volatile_caller = true,
        .keep_order = true,
        .make_target = rows_make_target,
        .start = rows_start,
        .row = rows_row,
        .arg = r,
    };

    r->context = context;
    r->spec = spec;
    r->weighted = spec->weight_column != NULL;
    aiaas_env_init(&r->env, context, true);
    aiaas_feed_run(&feed, &r->features);
    if (r->dataset != NULL)
        finish(r);
    r->spec = NULL;
    MemoryContextSwitchTo(old);
    return r;
}
