/*
 * training_choose.c: which algorithm, when nobody said.
 *
 * Each candidate learns from the same four fifths of the rows and is judged by the same fifth (or by what the options
 * say: groups, the newest rows, a query of their own), by its loss, which means the same for all of them. The one with
 * the least is kept, and then trained as if it had been asked for. The cheap ones come first, and no new one begins,
 * nor does one go on, when the option max_seconds is used up; only the first always comes to its end.
 *
 * A candidate that cannot do with the data (infinities in a linear model) is passed over. Its error comes from the
 * engine, with nothing of PostgreSQL's held meanwhile, so it may be caught without a subtransaction.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "feature.h"
#include "guc.h"
#include "split.h"
#include "training.h"

#define PARTS  5    /* one of them judges */
#define SHARE  0.2
#define EPOCHS 30   /* of the network */

/* The network that is tried, for the task. */
static char *layers_text(const Training *t)
{
    const AiaasTarget *target = t->rows->target;
    int classes = target->task == AX_TASK_CLASSIFICATION ? aiaas_labels_count(target->labels) : 0;
    const char *head = classes > 2    ? psprintf("{\"units\": %d, \"activation\": \"softmax\"}", classes)
                       : classes == 2 ? "{\"units\": 1, \"activation\": \"sigmoid\"}"
                                      : psprintf("{\"units\": %d}", target->width);

    return psprintf("[{\"Dense\": {\"units\": 32, \"activation\": \"relu\"}}, "
                    "{\"Dense\": {\"units\": 32, \"activation\": \"relu\"}}, {\"Dense\": %s}]",
                    head);
}

static Jsonb *parse_jsonb(const char *json)
{
    return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

/* Makes the training one of the candidate. */
static void become(Training *t, const char *name)
{
    t->algorithm = strcmp(name, "neural_network") == 0 ? NULL : name;
    if (t->algorithm != NULL)
        return;
    t->layers_text = layers_text(t);
    t->layers = parse_jsonb(t->layers_text);
    t->options = DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(t->options),
                                                    JsonbPGetDatum(parse_jsonb(psprintf("{\"epochs\": %d}", EPOCHS)))));
    training_parse_options(t);
}

static int32 *judges(const Training *t)
{
    uint64 seed = (uint64) ax_options_integer(t->parsed, "seed");

    if (t->valid != NULL)
        return NULL;
    if (t->rows->key != NULL && !t->split_groups)
        return aiaas_split_newest(t->rows, SHARE);
    if (t->rows->key != NULL)
        return aiaas_split_groups(t->rows, SHARE, seed);
    return aiaas_split_folds(t->rows, PARTS, seed);
}

/* Copies, since each candidate prepares them in its own way. judge: part 1 judges; NULL: the validation rows do. */
static void take_rows(const Training *t, const int32 *judge, ax_dataset **train, ax_dataset **valid)
{
    *train = aiaas_split_take(t->rows, judge, 1, false);
    *valid = judge != NULL ? aiaas_split_take(t->rows, judge, 1, true) : aiaas_split_take(t->valid, NULL, 1, false);
}

/* Runs the candidate; false when the data are not for it. */
static bool run_candidate(Training *t, const char *name, const int32 *judge)
{
    MemoryContext context = CurrentMemoryContext;
    ax_dataset *volatile train = NULL, *volatile valid = NULL;
    volatile bool good = true;

    PG_TRY();
    {
        ax_dataset *a, *b;

        take_rows(t, judge, &a, &b);
        train = a;
        valid = b;
        become(t, name);
        training_run_part(t, train, valid);
    }
    PG_CATCH();
    {
        int code = geterrcode();

        if (code != ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE && code != ERRCODE_FEATURE_NOT_SUPPORTED)
            PG_RE_THROW();
        MemoryContextSwitchTo(context);
        FlushErrorState();
        training_drop_part(t);
        good = false;
    }
    PG_END_TRY();
    ax_dataset_free(train);
    ax_dataset_free(valid);
    return good;
}

static void add_tried(Training *t, const char *candidate, const AiaasFigure *from)
{
    AiaasFigure *f = palloc0(sizeof(*f));

    f->split = "tried";
    f->name = psprintf("%s_%s", candidate, from->name);
    f->value = from->value;
    t->cross = lappend(t->cross, f);
}

/* What a candidate came to: its loss, NaN when it did not come to an end. */
static double keep_tried(Training *t, const char *name, double seconds)
{
    double loss = NAN;
    StringInfoData s;
    ListCell *cell;

    initStringInfo(&s);
    foreach (cell, t->final) {
        const AiaasFigure *f = lfirst(cell);

        if (strcmp(f->split, "validation") != 0)
            continue;
        if (strcmp(f->name, "loss") == 0)
            loss = f->value;
        add_tried(t, name, f);
        appendStringInfo(&s, "  %s %.4f", f->name, f->value);
    }
    if (aiaas_progress)
        ereport(NOTICE, (errmsg("tried %s%s  %.1f s", name, s.len > 0 ? s.data : ": not in time", seconds)));
    return loss;
}

/* Which layers an image needs is nothing to guess. */
static void refuse_bytes(const Training *t)
{
    const AiaasFeatures *f = t->rows->features;

    if (f->bytes)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("argument \"layers\" is missing"),
                        errdetail("Column \"%s\" is a bytea, which only networks learn from.", f->column[0].name),
                        errhint("Give the network as a list of layers, such as "
                                "[{\"Flatten\": {}}, {\"Dense\": {\"units\": 10}}].")));
}

/* Tries one candidate after the other; the name of the best, NULL when none can learn. */
static const char *try_all(Training *t)
{
    bool classes = training_task(t) == AX_TASK_CLASSIFICATION;
    const char *const candidates[] = {classes ? "logistic" : "linear", "gradient_boosting", "random_forest",
                                      "neural_network"};
    double limit = ax_options_number(t->parsed, "max_seconds"), least = INFINITY;
    TimestampTz began = GetCurrentTimestamp();
    Jsonb *options = t->options;
    int32 *judge = judges(t);
    const char *best = NULL;

    for (int i = 0; i < (int) lengthof(candidates); i++) {
        TimestampTz start = GetCurrentTimestamp();
        double loss;

        if (best != NULL && start - began > limit * USECS_PER_SEC)
            break;
        t->deadline = best != NULL ? began + (TimestampTz) (limit * USECS_PER_SEC) : 0;
        if (!run_candidate(t, candidates[i], judge))
            continue;
        loss = keep_tried(t, candidates[i], (double) (GetCurrentTimestamp() - start) / USECS_PER_SEC);
        t->options = options;
        if (!isnan(loss) && loss < least) {
            least = loss;
            best = candidates[i];
        }
    }
    t->deadline = 0;
    return best;
}

void training_choose(Training *t)
{
    Jsonb *options = t->options;
    const char *best;

    refuse_bytes(t);
    t->progress.quiet = true;
    best = try_all(t);
    t->progress.quiet = false;
    if (best == NULL)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no algorithm can learn from these rows"),
                        errhint("Choose one by argument \"algorithm\", and it will say why.")));
    t->layers = NULL;
    t->layers_text = NULL;
    t->options = options;
    t->final = NIL;
    training_parse_options(t);
    become(t, best);
    if (aiaas_progress)
        ereport(NOTICE, (errmsg("chosen: %s", best)));
}
