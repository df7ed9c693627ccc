/*
 * options.c: every option there is, in one table, and the reading of a JSON object by it.
 *
 * A row says the name, the types that are accepted, the default, the range or the choices, and one sentence.
 * The parsed options are the JSON values themselves, one slot a row: whoever asks for a number gets it
 * from the slot, or else from the row.
 */
#include "table/options.h"

#include <math.h>
#include <stdio.h>

#include "table/setting.h"

/* JSON types that an option accepts. */
enum {
    NUMBER = 1 << 0,
    INTEGER = 1 << 1,
    TEXT = 1 << 2,
    BOOLEAN = 1 << 3,
    OBJECT = 1 << 4,
    INTEGERS = 1 << 5, /* an array of integers */
    TEXTS = 1 << 6     /* an array of text */
};

typedef struct option_row {
    ax_option_info info;
    unsigned accept;
    double number; /* the default of a number, integer or boolean */
    ax_range range; /* of a number, an integer, the integers of an array */
    const char *choices;
} option_row;

#define AT_LEAST(low) {AX_FROM, low, 0}
#define MORE_THAN(low) {AX_ABOVE, low, 0}
#define WITHIN(low, high) {AX_FROM | AX_TO, low, high}
#define SHARE {AX_FROM | AX_BELOW, 0, 1} /* at least 0 and less than 1 */
#define SHARE_OR_ALL {AX_ABOVE | AX_TO, 0, 1}
#define INSIDE {AX_ABOVE | AX_BELOW, 0, 1}
#define ANY {0, 0, 0}

static const option_row rows[] = {
    {{"input_shape", "array", "",
      "Dimensions of one row's features, in the order of its bytes: [32, 32, 3]."},
     INTEGERS, 0, WITHIN(1, 1 << 30), NULL},
    {{"data_format", "text", "channels_last",
      "Whether the channels come last or first in input_shape and in the rows."},
     TEXT, 0, ANY, "channels_last|channels_first"},
    {{"columns", "object", "",
      "How each of a table's columns is prepared: {\"age\": {\"impute\": \"median\", \"scale\": \"robust\"}}; "
      "keys are impute, fill_value, scale, clip, missing_indicator, encode, categories, buckets, output_dim and type."},
     OBJECT, 0, ANY, NULL},
    {{"exclude", "array", "", "Names of columns that are not learned from."},
     TEXTS, 0, ANY, NULL},
    {{"prepare", "boolean", "",
      "Whether a table's columns are filled, scaled and encoded before the first layer; by default if they need it."},
     BOOLEAN, 0, ANY, NULL},
    {{"loss", "text", "",
      "What the training minimizes; by default it follows from the task and the last layer."},
     TEXT, 0, ANY, NULL},
    {{"optimizer", "text or object", "adam",
      "How gradients become steps: a name, or {\"Adam\": {\"learning_rate\": 0.01}}."},
     TEXT | OBJECT, 0, ANY, NULL},
    {{"learning_rate", "number or object", "",
      "Size of a step, or a schedule object; by default the optimizer's own."},
     NUMBER | OBJECT, 0, MORE_THAN(0), NULL},
    {{"momentum", "number", "", "Of sgd and rmsprop; by default 0."}, NUMBER, 0, SHARE, NULL},
    {{"nesterov", "boolean", "", "Nesterov's form of momentum, for sgd; by default false."},
     BOOLEAN, 0, ANY, NULL},
    {{"rho", "number", "", "Decay of the squared gradient's mean in rmsprop; by default 0.9."},
     NUMBER, 0, SHARE, NULL},
    {{"beta_1", "number", "",
      "Decay of the gradient's mean in adam, adamw and nadam; by default 0.9."},
     NUMBER, 0, SHARE, NULL},
    {{"beta_2", "number", "",
      "Decay of the squared gradient's mean in adam, adamw and nadam; by default 0.999."},
     NUMBER, 0, SHARE, NULL},
    {{"epsilon", "number", "",
      "Keeps a divisor of the optimizer away from zero; by default 1e-07."},
     NUMBER, 0, MORE_THAN(0), NULL},
    {{"weight_decay", "number", "",
      "Shrinks the weights at each step by this times the learning rate."},
     NUMBER, 0, AT_LEAST(0), NULL},
    {{"clipnorm", "number", "", "Longest gradient of one weight tensor."},
     NUMBER, 0, MORE_THAN(0), NULL},
    {{"clipvalue", "number", "", "Largest element of a gradient."}, NUMBER, 0, MORE_THAN(0), NULL},
    {{"global_clipnorm", "number", "", "Longest gradient of all weights together."},
     NUMBER, 0, MORE_THAN(0), NULL},
    {{"schedule", "text or object", "",
      "The learning rate over time: constant, step, exponential, cosine or reduce_on_plateau."},
     TEXT | OBJECT, 0, ANY, NULL},
    {{"metrics", "array", "",
      "Metrics of each epoch; by default accuracy for classes and mae for numbers."},
     TEXTS, 0, ANY, NULL},
    {{"top_k", "integer", "5", "The k of top_k_accuracy."},
     INTEGER, 5, WITHIN(1, INT32_MAX), NULL},
    {{"epochs", "integer", "10", "Passes over the training rows."},
     INTEGER, 10, WITHIN(1, INT32_MAX), NULL},
    {{"batch_size", "integer", "32", "Rows that make one step."},
     INTEGER, 32, WITHIN(1, 1 << 24), NULL},
    {{"validation_split", "number", "0",
      "Share of the rows that is kept out of the training and judges each epoch."},
     NUMBER, 0, SHARE, NULL},
    {{"validation_query", "text", "", "A query whose rows judge each epoch."},
     TEXT, 0, ANY, NULL},
    {{"class_weight", "text or object", "",
      "Weight of each class in the loss: {\"label\": number}, or \"balanced\"."},
     TEXT | OBJECT, 0, ANY, "balanced"},
    {{"weight", "text", "", "Name of the query's column that holds the weight of each row."},
     TEXT, 0, ANY, NULL},
    {{"shuffle", "boolean", "true", "New order of the rows in each epoch."},
     BOOLEAN, 1, ANY, NULL},
    {{"seed", "integer", "0",
      "Start of all random numbers: the same seed, rows and options give the same model."},
     INTEGER, 0, WITHIN(0, 9.2e18), NULL},
    {{"early_stopping", "boolean, integer or object", "false",
      "Stop when an epoch is no longer better: true, the patience, or an object with monitor, "
      "patience, min_delta, mode, baseline, restore_best_weights and start_from_epoch."},
     BOOLEAN | INTEGER | OBJECT, 0, WITHIN(0, INT32_MAX), NULL},
    {{"label_smoothing", "number", "0",
      "Share of a class's weight in a cross-entropy that is spread over all classes."},
     NUMBER, 0, SHARE, NULL},
    {{"huber_delta", "number", "1.0",
      "Error at which the huber loss turns from squares to absolutes."},
     NUMBER, 1.0, MORE_THAN(0), NULL},
    {{"group", "text", "",
      "A column whose equal values stay together on one side of validation_split (by default then 0.2) or folds; it is "
      "no feature."},
     TEXT, 0, ANY, NULL},
    {{"time", "text", "",
      "A column by which the newest rows validate: the share of validation_split, by default then 0.2."},
     TEXT, 0, ANY, NULL},
    {{"folds", "integer", "", "Parts of a cross-validation before the training: each validates once."},
     INTEGER, 0, WITHIN(2, 100), NULL},
    {{"max_seconds", "number", "60", "Time in which a choice of algorithm tries what there is."},
     NUMBER, 60, MORE_THAN(0), NULL},
    /* of the algorithms; what a default depends on stands in the sentence */
    {{"n_estimators", "integer", "100", "Trees of a forest, or rounds of boosting."},
     INTEGER, 100, WITHIN(1, 100000), NULL},
    {{"max_depth", "integer", "",
      "Most splits from a tree's root to a leaf; 0: no limit. By default 6 for gradient_boosting, else 0."},
     INTEGER, 0, WITHIN(0, 10000), NULL},
    {{"max_leaves", "integer", "0", "Most leaves of a tree of gradient_boosting; 0: no limit."},
     INTEGER, 0, WITHIN(0, 1 << 24), NULL},
    {{"max_leaf_nodes", "integer", "", "Most leaves of a tree or of each tree of a forest, grown best first."},
     INTEGER, 0, WITHIN(2, 1 << 24), NULL},
    {{"grow_policy", "text", "depthwise", "Whether gradient_boosting grows by depth or where the loss falls most."},
     TEXT, 0, ANY, "depthwise|lossguide"},
    {{"min_child_weight", "number", "1", "Least sum of hessians in a leaf of gradient_boosting."},
     NUMBER, 1, AT_LEAST(0), NULL},
    {{"gamma", "number", "0", "Least gain of a split of gradient_boosting."}, NUMBER, 0, AT_LEAST(0), NULL},
    {{"reg_lambda", "number", "1", "L2 penalty on the leaves of gradient_boosting."}, NUMBER, 1, AT_LEAST(0), NULL},
    {{"reg_alpha", "number", "0", "L1 penalty on the leaves of gradient_boosting."}, NUMBER, 0, AT_LEAST(0), NULL},
    {{"max_delta_step", "number", "",
      "Largest step of a leaf of gradient_boosting; by default 0.7 for count:poisson, else 0: no limit."},
     NUMBER, 0, AT_LEAST(0), NULL},
    {{"subsample", "number", "1", "Share of the rows that each round of gradient_boosting sees."},
     NUMBER, 1, SHARE_OR_ALL, NULL},
    {{"colsample_bytree", "number", "1", "Share of the columns that each tree of gradient_boosting sees."},
     NUMBER, 1, SHARE_OR_ALL, NULL},
    {{"colsample_bylevel", "number", "1", "Share of a tree's columns that each of its levels sees."},
     NUMBER, 1, SHARE_OR_ALL, NULL},
    {{"colsample_bynode", "number", "1", "Share of a level's columns that each of its nodes sees."},
     NUMBER, 1, SHARE_OR_ALL, NULL},
    {{"scale_pos_weight", "number", "1", "Weight of the second of two classes in gradient_boosting."},
     NUMBER, 1, MORE_THAN(0), NULL},
    {{"monotone_constraints", "object", "",
      "Columns in which gradient_boosting may only rise or fall: {\"age\": 1, \"distance\": -1}."},
     OBJECT, 0, ANY, NULL},
    {{"base_score", "number", "",
      "What gradient_boosting starts from; by default 0.5, for absolute errors, quantiles and counts by the target."},
     NUMBER, 0, ANY, NULL},
    {{"objective", "text", "",
      "What gradient_boosting minimizes: reg:squarederror, reg:absoluteerror, reg:quantileerror, count:poisson, "
      "binary:logistic or multi:softprob; by default it follows from the target."},
     TEXT, 0, ANY,
     "reg:squarederror|reg:absoluteerror|reg:quantileerror|count:poisson|binary:logistic|multi:softprob"},
    {{"quantile_alpha", "number", "0.5", "The quantile of reg:quantileerror."}, NUMBER, 0.5, INSIDE, NULL},
    {{"early_stopping_rounds", "integer", "",
      "Rounds without a lower validation loss after which gradient_boosting stops."},
     INTEGER, 0, WITHIN(1, INT32_MAX), NULL},
    {{"max_bin", "integer", "255", "Most bins that a column of numbers is cut into for trees."},
     INTEGER, 255, WITHIN(2, 255), NULL},
    {{"criterion", "text", "",
      "Impurity of trees: gini (the default for classes), entropy, log_loss or squared_error."},
     TEXT, 0, ANY, "gini|entropy|log_loss|squared_error"},
    {{"min_samples_split", "number", "2", "Least rows that a node of a tree is split with; below 1 a share."},
     NUMBER, 2, MORE_THAN(0), NULL},
    {{"min_samples_leaf", "number", "1", "Least rows in a leaf of a tree; below 1 a share."},
     NUMBER, 1, MORE_THAN(0), NULL},
    {{"min_impurity_decrease", "number", "0", "Least decrease of impurity that a split of a tree is worth."},
     NUMBER, 0, AT_LEAST(0), NULL},
    {{"ccp_alpha", "number", "0", "Price of a leaf in minimal cost-complexity pruning of trees."},
     NUMBER, 0, AT_LEAST(0), NULL},
    {{"max_features", "text or number", "",
      "Columns that are looked at for a split: sqrt, log2, a number, or a share below or at 1.0. By default sqrt for "
      "forests of classes, else all."},
     TEXT | NUMBER, 0, MORE_THAN(0), "sqrt|log2|all"},
    {{"bootstrap", "boolean", "", "Rows of each tree are drawn with replacement; by default true for random_forest."},
     BOOLEAN, 0, ANY, NULL},
    {{"max_samples", "number", "",
      "Rows drawn for each tree, above 1 a number, else a share; by default all, and 256 for isolation_forest."},
     NUMBER, 0, MORE_THAN(0), NULL},
    {{"oob_score", "boolean", "false", "Scores a forest by the rows that its trees did not see."},
     BOOLEAN, 0, ANY, NULL},
    {{"alpha", "number", "0", "Penalty of linear; 0 is least squares."}, NUMBER, 0, AT_LEAST(0), NULL},
    {{"l1_ratio", "number", "0", "Share of the L1 penalty in linear: 0 is ridge, 1 lasso, between them elastic net."},
     NUMBER, 0, WITHIN(0, 1), NULL},
    {{"penalty", "text", "l2", "Of logistic: l2, l1, elasticnet (with l1_ratio) or none."},
     TEXT, 0, ANY, "l2|l1|elasticnet|none"},
    {{"C", "number", "1", "Inverse of the penalty's strength in logistic."}, NUMBER, 1, MORE_THAN(0), NULL},
    {{"fit_intercept", "boolean", "true", "Whether linear and logistic have an intercept."}, BOOLEAN, 1, ANY, NULL},
    {{"tol", "number", "", "When linear, logistic and kmeans are close enough; by default 1e-4, logistic 1e-6."},
     NUMBER, 0, MORE_THAN(0), NULL},
    {{"max_iter", "integer", "", "Most iterations of linear and logistic (1000) and of kmeans (300)."},
     INTEGER, 0, WITHIN(1, INT32_MAX), NULL},
    {{"n_clusters", "integer", "8", "Clusters of kmeans."}, INTEGER, 8, WITHIN(1, 65536), NULL},
    {{"n_init", "integer", "10", "Starts of kmeans, of which the best is kept."}, INTEGER, 10, WITHIN(1, 10000), NULL},
    {{"n_components", "integer", "", "Components of pca; by default as many as there are columns."},
     INTEGER, 0, WITHIN(1, 65536), NULL},
    {{"deploy", "text", "if_better",
      "Whether the new version becomes the live one: if_better, always or never."},
     TEXT, 0, ANY, "if_better|always|never"},
};

#define N_ROWS AX_COUNT(rows)

struct ax_options {
    ax_arena arena;
    const ax_json *value[N_ROWS]; /* NULL: not given */
};

int ax_option_count(void)
{
    return N_ROWS;
}

const ax_option_info *ax_option_at(int i)
{
    return i >= 0 && i < N_ROWS ? &rows[i].info : NULL;
}

static int find_row(const char *name)
{
    for (int i = 0; i < N_ROWS; i++)
        if (strcmp(rows[i].info.name, name) == 0)
            return i;
    return -1;
}

/* ---- saying what is wrong -------------------------------------------------------------------- */

bool ax_json_integer(const ax_json *v, int64_t *out)
{
    if (v->kind != AX_JSON_NUMBER)
        return false;
    if (v->is_integer) {
        *out = v->integer;
        return true;
    }
    if (!(fabs(v->number) < 9007199254740992.0) || v->number != floor(v->number))
        return false;
    *out = (int64_t) v->number;
    return true;
}

ax_status ax_wrong_type(const char *what, const char *wanted, const ax_json *got, ax_error *err)
{
    if (got->kind == AX_JSON_STRING)
        return ax_fail(err, AX_ERR_INVALID, "%s must be %s, not \"%s\"", what, wanted, got->string);
    if (got->kind == AX_JSON_NUMBER)
        return ax_fail(err, AX_ERR_INVALID, "%s must be %s, not %.15g", what, wanted, got->number);
    if (got->kind == AX_JSON_BOOL)
        return ax_fail(err, AX_ERR_INVALID, "%s must be %s, not %s", what, wanted,
                       got->boolean ? "true" : "false");
    return ax_fail(err, AX_ERR_INVALID, "%s must be %s, not %s", what, wanted,
                   ax_json_kind_name(got->kind));
}

ax_status ax_range_check(const ax_range *r, const char *what, double x, ax_error *err)
{
    bool low_ok = r->ends & AX_FROM ? x >= r->low : r->ends & AX_ABOVE ? x > r->low : true;
    bool high_ok = r->ends & AX_TO ? x <= r->high : r->ends & AX_BELOW ? x < r->high : true;

    if (!isfinite(x))
        return ax_fail(err, AX_ERR_INVALID, "%s must be a finite number", what);
    if (!low_ok)
        return ax_fail(err, AX_ERR_INVALID, "%s must be %s %.15g, not %.15g", what,
                       r->ends & AX_FROM ? "at least" : "greater than", r->low, x);
    if (!high_ok)
        return ax_fail(err, AX_ERR_INVALID, "%s must be %s %.15g, not %.15g", what,
                       r->ends & AX_TO ? "at most" : "less than", r->high, x);
    return AX_OK;
}

#define MAX_CHOICES 8

/* Cuts "a|b|c" at its bars; returns how many there are. buf holds the pieces. */
static int split_choices(const char *choices, char *buf, size_t size, const char **out)
{
    int n = 0;

    snprintf(buf, size, "%s", choices);
    for (char *p = buf; p != NULL && n < MAX_CHOICES; n++) {
        out[n] = p;
        p = strchr(p, '|');
        if (p != NULL)
            *p++ = '\0';
    }
    return n;
}

ax_status ax_choice_check(const char *choices, const char *what, const char *text, ax_error *err)
{
    char buf[200], list[400] = "";
    const char *choice[MAX_CHOICES], *near;
    int n = split_choices(choices, buf, sizeof(buf), choice);
    size_t len = 0;

    for (int i = 0; i < n; i++)
        if (strcmp(choice[i], text) == 0)
            return AX_OK;
    for (int i = 0; i < n && len < sizeof(list); i++)
        len += (size_t) snprintf(list + len, sizeof(list) - len, "%s\"%s\"",
                                 i == 0 ? "" : i == n - 1 ? " or " : ", ", choice[i]);
    ax_fail(err, AX_ERR_INVALID, "%s must be %s, not \"%s\"", what, list, text);
    near = ax_nearest_name(text, choice, n);
    if (near != NULL)
        ax_hint(err, "Did you mean \"%s\"?", near);
    return AX_ERR_INVALID;
}

/* ---- parsing --------------------------------------------------------------------------------- */

static ax_status unknown_option(const char *name, ax_error *err)
{
    const char *known[N_ROWS];

    for (int i = 0; i < N_ROWS; i++)
        known[i] = rows[i].info.name;
    ax_fail(err, AX_ERR_UNKNOWN, "unknown option \"%s\"", name);
    ax_hint_names(err, name, known, N_ROWS);
    return AX_ERR_UNKNOWN;
}

/* The option's type with its article, for "must be ...". */
static const char *wanted(const option_row *row, char *buf, size_t size)
{
    const char *type = row->info.type;

    if (row->accept == BOOLEAN)
        return "true or false";
    if (row->accept == INTEGERS)
        return "an array of integers";
    if (row->accept == TEXTS)
        return "an array of text";
    snprintf(buf, size, "%s%s",
             row->accept & TEXT ? "" : strchr("aeiou", type[0]) != NULL ? "an " : "a ", type);
    return buf;
}

static ax_status check_array(const option_row *row, const char *what, const ax_json *v,
                             ax_error *err)
{
    char item[128];
    int64_t integer;

    if (v->count == 0)
        return ax_fail(err, AX_ERR_INVALID, "%s must not be empty", what);
    if (row->accept == INTEGERS && v->count >= AX_MAX_RANK)
        return ax_fail(err, AX_ERR_LIMIT, "%s has %d elements, the maximum is %d", what, v->count,
                       AX_MAX_RANK - 1);
    for (int i = 0; i < v->count; i++) {
        const ax_json *x = v->item[i];

        snprintf(item, sizeof(item), "element %d of %s", i + 1, what);
        if (row->accept == TEXTS && x->kind != AX_JSON_STRING)
            return ax_wrong_type(item, "text", x, err);
        if (row->accept == INTEGERS && !ax_json_integer(x, &integer))
            return ax_wrong_type(item, "an integer", x, err);
        if (row->accept == INTEGERS)
            AX_TRY(ax_range_check(&row->range, item, x->number, err));
    }
    return AX_OK;
}

static ax_status check_value(const option_row *row, const ax_json *v, ax_error *err)
{
    char what[80], type[80];
    int64_t integer;

    snprintf(what, sizeof(what), "option \"%s\"", row->info.name);
    switch (v->kind) {
    case AX_JSON_NUMBER:
        if ((row->accept & (NUMBER | INTEGER)) == 0 ||
            ((row->accept & NUMBER) == 0 && !ax_json_integer(v, &integer)))
            break;
        return ax_range_check(&row->range, what, v->number, err);
    case AX_JSON_STRING:
        if ((row->accept & TEXT) == 0)
            break;
        return row->choices == NULL ? AX_OK : ax_choice_check(row->choices, what, v->string, err);
    case AX_JSON_ARRAY:
        if ((row->accept & (INTEGERS | TEXTS)) == 0)
            break;
        return check_array(row, what, v, err);
    case AX_JSON_BOOL:
        if ((row->accept & BOOLEAN) == 0)
            break;
        return AX_OK;
    case AX_JSON_OBJECT:
        if ((row->accept & OBJECT) == 0)
            break;
        return AX_OK;
    case AX_JSON_NULL: /* as in Keras: not given */
        return AX_OK;
    }
    return ax_wrong_type(what, wanted(row, type, sizeof(type)), v, err);
}

static ax_status read_object(ax_options *o, const char *json, size_t len, ax_error *err)
{
    ax_json *object;

    if (json == NULL || len == 0)
        return AX_OK;
    AX_TRY(ax_json_parse(&o->arena, json, len, &object, err));
    if (object->kind != AX_JSON_OBJECT) {
        ax_wrong_type("options", "an object", object, err);
        ax_hint(err, "Write the options as a JSON object: {\"epochs\": 10}.");
        return AX_ERR_INVALID;
    }
    for (int i = 0; i < object->count; i++) {
        int row = find_row(object->key[i]);

        if (row < 0)
            return unknown_option(object->key[i], err);
        AX_TRY(check_value(&rows[row], object->item[i], err));
        if (object->item[i]->kind != AX_JSON_NULL)
            o->value[row] = object->item[i];
    }
    return AX_OK;
}

ax_status ax_options_parse(const ax_env *env, const char *json, size_t len, ax_options **out,
                           ax_error *err)
{
    ax_options *o = ax_zalloc(env, sizeof(*o));
    ax_status status;

    if (o == NULL)
        return ax_nomem(err);
    ax_arena_init(&o->arena, env);
    status = read_object(o, json, len, err);
    if (status == AX_OK)
        *out = o;
    else
        ax_options_free(o);
    return status;
}

void ax_options_free(ax_options *o)
{
    ax_env env;

    if (o == NULL)
        return;
    env = o->arena.env;
    ax_arena_free(&o->arena);
    ax_free(&env, o);
}

/* ---- access: NULL options are no options given ----------------------------------------------- */

const ax_json *ax_options_json(const ax_options *o, const char *name)
{
    int row = find_row(name);

    return o == NULL || row < 0 ? NULL : o->value[row];
}

bool ax_options_given(const ax_options *o, const char *name)
{
    return ax_options_json(o, name) != NULL;
}

const char *ax_options_text(const ax_options *o, const char *name)
{
    const ax_json *v = ax_options_json(o, name);
    int row = find_row(name);

    if (v != NULL)
        return v->kind == AX_JSON_STRING ? v->string : NULL;
    if (row < 0 || (rows[row].accept & TEXT) == 0 || rows[row].info.default_value[0] == '\0')
        return NULL;
    return rows[row].info.default_value;
}

/* A number or integer, its default when it was not given, 0 for what is no number. */
static double number_of(const ax_options *o, const char *name, unsigned accept)
{
    const ax_json *v = ax_options_json(o, name);
    int row = find_row(name);

    if (row < 0 || (rows[row].accept & accept) == 0)
        return 0;
    if (v != NULL)
        return v->kind == AX_JSON_NUMBER ? v->number : 0;
    return rows[row].number;
}

double ax_options_number(const ax_options *o, const char *name)
{
    return number_of(o, name, NUMBER | INTEGER);
}

int64_t ax_options_integer(const ax_options *o, const char *name)
{
    const ax_json *v = ax_options_json(o, name);
    int row = find_row(name);
    int64_t integer = 0;

    if (row < 0 || (rows[row].accept & INTEGER) == 0)
        return 0;
    if (v != NULL)
        return ax_json_integer(v, &integer) ? integer : 0;
    return (int64_t) rows[row].number;
}

bool ax_options_boolean(const ax_options *o, const char *name)
{
    const ax_json *v = ax_options_json(o, name);
    int row = find_row(name);

    if (row < 0 || (rows[row].accept & BOOLEAN) == 0)
        return false;
    if (v != NULL)
        return v->kind == AX_JSON_BOOL && v->boolean;
    return rows[row].number != 0;
}

int ax_options_integers(const ax_options *o, const char *name, int64_t *out, int max)
{
    const ax_json *v = ax_options_json(o, name);

    if (v == NULL || v->kind != AX_JSON_ARRAY)
        return 0;
    for (int i = 0; i < v->count && i < max; i++)
        if (!ax_json_integer(v->item[i], &out[i]))
            return 0;
    return v->count;
}

/* ---- names with settings --------------------------------------------------------------------- */

static ax_status not_a_choice(const ax_json *v, const char *what, ax_error *err)
{
    ax_wrong_type(what, "a name or an object that holds one", v, err);
    ax_hint(err, "Write \"Name\", or {\"Name\": {\"setting\": value}}.");
    return AX_ERR_INVALID;
}

ax_status ax_named_config(const ax_json *v, const char *what, const char **name,
                          const ax_json **config, ax_error *err)
{
    const ax_json *class_name = ax_json_get(v, "class_name"), *settings;

    if (v->kind == AX_JSON_STRING) {
        *name = v->string;
        *config = NULL;
        return AX_OK;
    }
    if (v->kind != AX_JSON_OBJECT)
        return not_a_choice(v, what, err);
    if (class_name != NULL && class_name->kind == AX_JSON_STRING)
        settings = ax_json_get(v, "config");
    else if (v->count == 1)
        settings = v->item[0];
    else
        return not_a_choice(v, what, err);
    if (settings != NULL && settings->kind != AX_JSON_OBJECT && settings->kind != AX_JSON_NULL)
        return not_a_choice(v, what, err);
    *name = class_name != NULL && class_name->kind == AX_JSON_STRING ? class_name->string
                                                                      : v->key[0];
    *config = settings != NULL && settings->kind == AX_JSON_OBJECT ? settings : NULL;
    return AX_OK;
}
