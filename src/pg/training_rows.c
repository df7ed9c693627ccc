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
#include "table.h"
#include "training.h"

ax_task training_task(const Training *t)
{
    return t->rows->target != NULL ? t->rows->target->task : t->hint;
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
        .no_target = !t->learns_target,
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
    if (t->rows->features->bytes)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a bytea feature cannot be prepared as a column of a table"),
                        t->algorithm != NULL ? errhint("Algorithm \"%s\" learns from numbers, texts and times; a network "
                                                       "of layers takes bytes as they are.",
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

static void learn_columns(Training *t)
{
    aiaas_progress_phase(&t->progress, "preparing columns");
    if (is_prepared(t)) {
        refuse_bytes(t);
        t->preparation = aiaas_table_learn(t->rows, t->valid, t->algorithm, training_task(t), t->parsed);
        t->statistics = t->preparation;
        aiaas_table_tell_left_out(t->rows, t->preparation);
        return;
    }
    refuse_unprepared(t);
    if (is_worth_a_look(t->rows->features))
        t->statistics = aiaas_table_learn(t->rows, NULL, NULL, training_task(t), NULL);
}

void training_read_rows(Training *t)
{
    read_queries(t);
    learn_columns(t);
    t->train_set = t->rows->dataset;
    t->valid_set = t->valid != NULL ? t->valid->dataset : NULL;
    t->features = *t->rows->features;
    t->features.target = t->target != NULL ? (char *) t->target : "";
    t->features.target_type = t->learns_target ? format_type_be(t->rows->target->reader.type) : "";
}
