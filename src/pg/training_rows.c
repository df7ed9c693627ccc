/*
 * training_rows.c: the rows of a training, and how their columns are prepared.
 *
 * A network takes plain numbers as they are, and so did every network before columns could be prepared. It gets a
 * preparation when it cannot do without (a text, a time, a missing value) or when the options speak of one; every other
 * algorithm always has one. Whether a value is missing is known when the rows have been read, so until then nothing
 * is refused that a preparation could deal with.
 *
 * Rows that validate are read before anything is learned, so that a text means the same in both.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "feature.h"
#include "split.h"
#include "table.h"
#include "training.h"

#define DEFAULT_SHARE 0.2 /* of rows that judge, where "group" or "time" says which */

ax_task training_task(const Training *t)
{
    return t->rows->target != NULL ? t->rows->target->task : t->hint;
}

const char *training_task_name(const Training *t)
{
    static const char *const without_target[][2] = {
        {"kmeans", "clustering"}, {"pca", "decomposition"}, {"isolation_forest", "anomaly detection"}};

    for (int i = 0; t->algorithm != NULL && i < (int) lengthof(without_target); i++)
        if (strcmp(t->algorithm, without_target[i][0]) == 0)
            return without_target[i][1];
    return ax_task_name(training_task(t));
}

static const char *option_text(const Training *t, const char *name)
{
    return aiaas_from_model(ax_options_text(t->parsed, name));
}

static void read_queries(Training *t)
{
    AiaasRowsSpec spec = {
        .model = t->model,
        .query = t->query,
        .argument = "query",
        .target_column = t->target,
        .weight_column = option_text(t, "weight"),
        .split_column = t->split_column,
        .split_groups = t->split_groups,
        .no_target = !t->learns_target,
        .compress = t->algorithm != NULL && ax_algorithm_bins(t->algorithm),
        .columns = t->columns,
        .options = t->options,
        .hint = t->hint,
        .input_width = t->input_width,
        .input_shape = t->input_shape,
    };

    aiaas_progress_phase(&t->progress, "reading rows");
    t->rows = aiaas_rows_read(t->context, &spec);
    if (t->learns_target)
        t->target = t->rows->target->column;
    spec.query = option_text(t, "validation_query");
    if (spec.query == NULL)
        return;
    spec.argument = "validation_query";
    spec.target_column = t->target;
    spec.like = t->rows;
    t->valid = aiaas_rows_read(t->context, &spec);
}

/* ---- preparation ----------------------------------------------------------------------------- */

static bool misses_values(const AiaasRows *rows)
{
    for (int i = 0; rows != NULL && i < rows->features->count; i++)
        if (rows->features->column[i].nulls + rows->features->column[i].nans > 0)
            return true;
    return false;
}

static bool is_prepared(const Training *t)
{
    if (t->columns != AIAAS_COLUMNS_EITHER)
        return t->columns == AIAAS_COLUMNS_TABLE;
    if (!t->rows->features->missing)
        return false;
    return !t->rows->features->plain || misses_values(t->rows) || misses_values(t->valid);
}

static void refuse_bytes(const Training *t)
{
    if (!t->rows->features->bytes)
        return;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("a bytea feature cannot be prepared as a column of a table"),
                    t->algorithm != NULL
                        ? errhint("\"%s\" learns from numbers, texts and times; a network of layers takes bytes as "
                                  "they are.",
                                  t->algorithm)
                        : errhint("Leave the options \"prepare\", \"columns\" and \"exclude\" out.")));
}

/* Infinities, which only a preparation would have let pass. */
static void refuse_unprepared(const Training *t)
{
    if (!t->rows->features->missing)
        return;
    aiaas_feed_refuse_missing(t->rows->features, t->rows->count);
    if (t->valid != NULL)
        aiaas_feed_refuse_missing(t->valid->features, t->valid->count);
}

/* Columns of single numbers are worth a look also when they go in as they are. */
static bool is_worth_a_look(const AiaasFeatures *f)
{
    return !f->bytes && f->plain && f->width == f->count;
}

void training_prepare(Training *t)
{
    aiaas_progress_phase(&t->progress, "preparing columns");
    t->preparation = t->statistics = NULL;
    if (is_prepared(t)) {
        refuse_bytes(t);
        t->preparation =
            aiaas_table_learn(t->rows, t->train_set, t->valid_set, t->algorithm, training_task(t), t->parsed);
        t->statistics = t->preparation;
    } else {
        refuse_unprepared(t);
        if (is_worth_a_look(t->rows->features))
            t->statistics = aiaas_table_learn(t->rows, t->train_set, NULL, NULL, training_task(t), NULL);
    }
    t->features = *t->rows->features;
    t->features.target = t->target != NULL ? (char *) t->target : "";
    t->features.target_type = t->learns_target ? format_type_be(t->rows->target->reader.type) : "";
}

void training_tell_left_out(const Training *t)
{
    if (t->preparation != NULL)
        aiaas_table_tell_left_out(t->rows, t->preparation);
}

/* ---- splits ---------------------------------------------------------------------------------- */

/* What a column decides; a split at random is the engine's. */
void training_split_rows(Training *t)
{
    double share = ax_options_number(t->parsed, "validation_split");
    uint64 seed = (uint64) ax_options_integer(t->parsed, "seed");
    int32 *part;

    t->train_set = t->rows->dataset;
    t->valid_set = t->valid != NULL ? t->valid->dataset : NULL;
    if (t->rows->key == NULL || (t->folds > 0 && share == 0))
        return;
    share = share > 0 ? share : DEFAULT_SHARE;
    part = t->split_groups ? aiaas_split_groups(t->rows, share, seed) : aiaas_split_newest(t->rows, share);
    t->train_set = aiaas_split_take(t->rows, part, 0, true);
    t->valid_set = aiaas_split_take(t->rows, part, 1, true);
    ax_dataset_free(t->rows->dataset);
    t->rows->dataset = NULL;
    pfree(part);
}

static void check_split(Training *t)
{
    bool group = ax_options_given(t->parsed, "group"), time = ax_options_given(t->parsed, "time");

    t->folds = ax_options_given(t->parsed, "folds") ? (int) ax_options_integer(t->parsed, "folds") : 0;
    t->split_groups = group;
    t->split_column = option_text(t, group ? "group" : "time");
    if (group && time)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("options \"group\" and \"time\" are two ways to split rows"),
                        errhint("Give one of them.")));
    if (time && t->folds > 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("options \"time\" and \"folds\" do not go together"),
                        errhint("A fold would judge by older rows than it learned from.")));
    if (t->split_column != NULL && t->folds == 0 && ax_options_given(t->parsed, "validation_query"))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("option \"%s\" splits rows off, but \"validation_query\" gives others",
                               group ? "group" : "time"),
                        errhint("Give one of them.")));
}

void training_read_rows(Training *t)
{
    check_split(t);
    read_queries(t);
}
