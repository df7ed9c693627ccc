/*
 * fit_trees.c: gradient_boosting, decision_tree, random_forest, extra_trees and isolation_forest: options become
 * parameters, rows become bins, and trees a node of the graph.
 */
#include <math.h>

#include "model/algorithm.h"

#include "graph/forest.h"
#include "tree/boost.h"
#include "tree/wood.h"

#define SLICE_ROWS 16384 /* binned in a slice */

/* XGBoost's. From the target's mean, small tables are learned worse (as measured, boston_housing: RMSE 5% higher). */
#define SQUARED_BASE 0.5

typedef struct trees {
    int columns;
    ax_binner *binner;
    ax_bins *bins;
    float *row;
    ax_booster *booster;
    ax_boost_params boost;
    ax_wood *wood;
    ax_wood_params grow;
    ax_metric train, valid; /* the loss of a round */
} trees;

/* ---- bins ------------------------------------------------------------------------------------ */

static ax_status open_trees(ax_fit *f, ax_error *err)
{
    const ax_preparation *p = f->spec->preparation;
    int64_t columns = ax_preparation_row_width(p);
    trees *t = ax_zalloc(&f->env, sizeof(*t));
    bool *category;

    if (t == NULL)
        return ax_nomem(err);
    f->work = t;
    if (columns > INT32_MAX)
        return ax_fail(err, AX_ERR_LIMIT, "a row of %lld numbers", (long long) columns);
    t->columns = (int) columns;
    t->row = ax_arena_array(&f->arena, (size_t) columns, sizeof(*t->row));
    category = ax_arena_array(&f->arena, (size_t) columns, sizeof(*category));
    if (t->row == NULL || category == NULL)
        return ax_nomem(err);
    for (int j = 0; j < t->columns; j++)
        category[j] = ax_preparation_part(p, j)->category;
    return ax_binner_create(&f->env, t->columns, category, (int) ax_options_integer(f->options, "max_bin"), &t->binner,
                            err);
}

static void close_trees(ax_fit *f)
{
    trees *t = f->work;

    if (t == NULL)
        return;
    ax_booster_free(t->booster);
    ax_wood_free(t->wood);
    ax_binner_free(t->binner);
    ax_bins_free(t->bins);
    ax_free(&f->env, t);
    f->work = NULL;
}

/* What is not used becomes missing: no tree ever splits by it. */
static ax_status bin_row(ax_fit *f, trees *t, int64_t i, ax_error *err)
{
    const float *row = ax_fit_row(&f->rows, i);

    for (int j = 0; j < t->columns; j++)
        t->row[j] = ax_preparation_part(f->spec->preparation, j)->used ? row[j] : NAN;
    return ax_binner_append(t->binner, t->row, err);
}

/* A slice of the rows; *done: the table is there. */
static ax_status bin_rows(ax_fit *f, trees *t, bool *done, ax_error *err)
{
    int64_t to = AX_MIN(f->at + SLICE_ROWS, f->rows.n);

    for (; f->at < to; f->at++)
        AX_TRY(bin_row(f, t, f->at, err));
    ax_dataset_forget(f->rows.data, f->at);
    if (f->at < f->rows.n)
        return AX_OK;
    f->at = 0;
    AX_TRY(ax_binner_close(t->binner, f->pool, &t->bins, err));
    ax_binner_free(t->binner);
    t->binner = NULL;
    *done = true;
    return AX_OK;
}

/* ---- boosting -------------------------------------------------------------------------------- */

static ax_boost_loss boost_loss(const ax_fit *f)
{
    static const char *const names[] = {
        [AX_BOOST_SQUARED] = "reg:squarederror", [AX_BOOST_ABSOLUTE] = "reg:absoluteerror",
        [AX_BOOST_QUANTILE] = "reg:quantileerror", [AX_BOOST_POISSON] = "count:poisson",
        [AX_BOOST_LOGISTIC] = "binary:logistic", [AX_BOOST_SOFTMAX] = "multi:softprob",
    };
    const char *objective = ax_options_text(f->options, "objective");

    for (int i = 0; objective != NULL && i < AX_COUNT(names); i++)
        if (strcmp(objective, names[i]) == 0)
            return (ax_boost_loss) i;
    if (f->spec->task != AX_TASK_CLASSIFICATION)
        return AX_BOOST_SQUARED;
    return f->spec->n_classes == 2 ? AX_BOOST_LOGISTIC : AX_BOOST_SOFTMAX;
}

static ax_status check_loss(const ax_fit *f, ax_boost_loss loss, ax_error *err)
{
    bool classes = loss == AX_BOOST_LOGISTIC || loss == AX_BOOST_SOFTMAX;
    const char *objective = ax_options_text(f->options, "objective");

    if (classes != (f->spec->task == AX_TASK_CLASSIFICATION))
        return ax_fail(err, AX_ERR_INVALID, "objective \"%s\" does not fit a %s", objective,
                       ax_task_name(f->spec->task));
    if (loss == AX_BOOST_LOGISTIC && f->spec->n_classes != 2)
        return ax_fail(err, AX_ERR_INVALID, "objective \"binary:logistic\" is for two classes, there are %d",
                       f->spec->n_classes);
    for (int64_t i = 0; loss == AX_BOOST_POISSON && i < f->rows.n; i++)
        if (f->rows.values[i] < 0)
            return ax_fail(err, AX_ERR_INVALID, "objective \"count:poisson\" is for counts, a target is %g",
                           (double) f->rows.values[i]);
    return AX_OK;
}

/* The place of a column's one float in the row; -1 when there is no such column. */
static int find_part(const ax_fit *f, const trees *t, const char *name)
{
    for (int j = 0; j < t->columns; j++)
        if (strcmp(ax_preparation_part(f->spec->preparation, j)->name, name) == 0)
            return j;
    return -1;
}

static ax_status read_monotone(ax_fit *f, trees *t, ax_error *err)
{
    const ax_json *v = ax_options_json(f->options, "monotone_constraints");
    int8_t *monotone;

    if (v == NULL)
        return AX_OK;
    monotone = ax_arena_array(&f->arena, (size_t) t->columns, sizeof(*monotone));
    if (monotone == NULL)
        return ax_nomem(err);
    for (int i = 0; i < v->count; i++) {
        int j = find_part(f, t, v->key[i]);
        int64_t sign;

        if (j < 0)
            return ax_fail(err, AX_ERR_UNKNOWN, "option \"monotone_constraints\" names \"%s\", which is no column",
                           v->key[i]);
        if (!ax_json_integer(v->item[i], &sign) || sign < -1 || sign > 1)
            return ax_fail(err, AX_ERR_INVALID, "a monotone constraint of \"%s\" must be 1, -1 or 0", v->key[i]);
        monotone[j] = (int8_t) sign;
    }
    t->boost.monotone = monotone;
    return AX_OK;
}

static void read_boost(ax_fit *f, trees *t)
{
    const ax_options *o = f->options;
    ax_boost_loss loss = boost_loss(f);

    t->boost = (ax_boost_params) {
        .loss = loss,
        .n_classes = f->spec->n_classes,
        .quantile = ax_options_number(o, "quantile_alpha"),
        .rounds = (int) ax_options_integer(o, "n_estimators"),
        .learning_rate = ax_options_given(o, "learning_rate") ? ax_options_number(o, "learning_rate") : 0.3,
        .max_depth = ax_options_given(o, "max_depth") ? (int) ax_options_integer(o, "max_depth") : 6,
        .max_leaves = (int) ax_options_integer(o, "max_leaves"),
        .leaf_wise = strcmp(ax_options_text(o, "grow_policy"), "lossguide") == 0,
        .min_child_weight = ax_options_number(o, "min_child_weight"),
        .gamma = ax_options_number(o, "gamma"),
        .reg_lambda = ax_options_number(o, "reg_lambda"),
        .reg_alpha = ax_options_number(o, "reg_alpha"),
        .max_delta_step = ax_options_given(o, "max_delta_step") ? ax_options_number(o, "max_delta_step")
                          : loss == AX_BOOST_POISSON            ? 0.7
                                                                : 0,
        .subsample = ax_options_number(o, "subsample"),
        .colsample_bytree = ax_options_number(o, "colsample_bytree"),
        .colsample_bylevel = ax_options_number(o, "colsample_bylevel"),
        .colsample_bynode = ax_options_number(o, "colsample_bynode"),
        .scale_pos_weight = ax_options_number(o, "scale_pos_weight"),
        .base_score = ax_options_given(o, "base_score") ? ax_options_number(o, "base_score")
                      : loss == AX_BOOST_SQUARED        ? SQUARED_BASE
                                                        : NAN,
        .early_stopping_rounds = (int) ax_options_integer(o, "early_stopping_rounds"),
        .seed = (uint64_t) ax_options_integer(o, "seed"),
    };
}

static ax_status open_booster(ax_fit *f, trees *t, ax_error *err)
{
    const ax_fit_rows *r = &f->rows;
    ax_boost_rows train = {t->bins, r->train, r->n_train, r->classes, r->values, r->weights}, valid = train;

    read_boost(f, t);
    AX_TRY(check_loss(f, t->boost.loss, err));
    AX_TRY(read_monotone(f, t, err));
    if (t->boost.early_stopping_rounds > 0 && r->n_valid == 0) {
        ax_fail(err, AX_ERR_INVALID, "option \"early_stopping_rounds\" needs validation rows");
        ax_hint(err, "Set the option \"validation_split\" or \"validation_query\".");
        return AX_ERR_INVALID;
    }
    valid.row = r->check;
    valid.n = r->n_valid;
    f->report.epochs = t->boost.rounds;
    return ax_booster_create(&f->env, &train, r->n_valid > 0 ? &valid : NULL, &t->boost, f->pool, &t->booster, err);
}

static void report_round(ax_fit *f, trees *t)
{
    double train, valid;

    ax_booster_loss(t->booster, &train, &valid);
    t->train = (ax_metric) {"loss", train};
    t->valid = (ax_metric) {"loss", valid};
    f->report.epoch = ax_booster_rounds(t->booster);
    f->report.best_epoch = ax_booster_best_round(t->booster);
    f->report.stopped_early = false;
    f->report.n_metrics = 1;
    f->report.train = &t->train;
    f->report.valid = f->rows.n_valid > 0 ? &t->valid : NULL;
    f->report.learning_rate = t->boost.learning_rate;
}

static ax_status work_boost(ax_fit *f, bool *done, bool *round, ax_error *err)
{
    trees *t = f->work;
    bool binned = false;

    if (t->bins == NULL) {
        AX_TRY(bin_rows(f, t, &binned, err));
        return binned ? open_booster(f, t, err) : AX_OK;
    }
    AX_TRY(ax_booster_round(t->booster, done, err));
    report_round(f, t);
    f->report.stopped_early = *done && f->report.epoch < t->boost.rounds;
    *round = true;
    return AX_OK;
}

/* From margins to what is predicted. */
static ax_status link_node(ax_fit *f, ax_boost_loss loss, int margin, int *out, ax_error *err)
{
    static const char *const type[] = {[AX_BOOST_POISSON] = "Exp", [AX_BOOST_LOGISTIC] = "Sigmoid",
                                       [AX_BOOST_SOFTMAX] = "Softmax"};

    *out = margin;
    if ((int) loss >= AX_COUNT(type) || type[loss] == NULL)
        return AX_OK;
    return ax_fit_node(f, type[loss], "link", margin, -1, -1, out, err);
}

static ax_loss_kind loss_kind(ax_boost_loss loss)
{
    switch (loss) {
    case AX_BOOST_LOGISTIC:
        return AX_LOSS_BCE;
    case AX_BOOST_SOFTMAX:
        return AX_LOSS_SPARSE_CCE;
    case AX_BOOST_ABSOLUTE:
    case AX_BOOST_QUANTILE:
        return AX_LOSS_MAE;
    default:
        return AX_LOSS_MSE;
    }
}

/* Gain and number of splits by column. */
typedef struct counts {
    double *gain, *splits;
} counts;

static ax_status new_counts(ax_fit *f, const trees *t, counts *c, ax_error *err)
{
    c->gain = ax_arena_array(&f->arena, (size_t) t->columns, sizeof(double));
    c->splits = ax_arena_array(&f->arena, (size_t) t->columns, sizeof(double));
    return c->gain != NULL && c->splits != NULL ? AX_OK : ax_nomem(err);
}

/* Compressed rows were forgotten; the bins stand for them. */
static void keep_bins(ax_fit *f, trees *t)
{
    if (!ax_dataset_compressed(f->rows.data))
        return;
    f->bins = t->bins;
    t->bins = NULL;
}

static ax_status model_boost(ax_fit *f, ax_error *err)
{
    trees *t = f->work;
    const ax_forest *forest = ax_booster_forest(t->booster, err);
    ax_fit_summary s = {.type = "TreeEnsemble", .loss = loss_kind(t->boost.loss)};
    int margin, out;
    counts c;

    if (forest == NULL)
        return err->status;
    AX_TRY(ax_graph_add_forest(f->model->graph, "trees", f->model->input, forest, &margin, err));
    AX_TRY(link_node(f, t->boost.loss, margin, &out, err));
    AX_TRY(new_counts(f, t, &c, err));
    ax_booster_importance(t->booster, c.gain, c.splits);
    AX_TRY(ax_fit_tell_importance(f, c.gain, c.splits, err));
    s.parameters = forest->n_nodes;
    s.outputs = forest->n_outputs;
    keep_bins(f, t);
    return ax_fit_model_end(f, out, &s, err);
}

/* ---- trees and forests ----------------------------------------------------------------------- */

/* "sqrt", "log2", a number of columns or a share of them; 0: all. */
static int max_features(const ax_fit *f, int columns, const char *otherwise)
{
    const ax_json *v = ax_options_json(f->options, "max_features");
    const char *text = v == NULL ? otherwise : v->kind == AX_JSON_STRING ? v->string : NULL;
    double n;

    if (text != NULL && strcmp(text, "all") == 0)
        return 0;
    if (text != NULL)
        n = strcmp(text, "sqrt") == 0 ? sqrt(columns) : log2(columns);
    else
        n = v->is_integer ? v->number : v->number * columns;
    return (int) AX_MIN(AX_MAX(n, 1), columns);
}

/* A number of rows, or below 1 (at most 1 for a sample) a share of them. */
static double rows_of(double x, int64_t n, bool one_is_all)
{
    return x < 1 || (one_is_all && x == 1) ? ceil(x * (double) n) : x;
}

static ax_criterion criterion(const ax_fit *f)
{
    const char *name = ax_options_text(f->options, "criterion");

    if (f->spec->task != AX_TASK_CLASSIFICATION)
        return AX_SQUARED_ERROR;
    return name == NULL || strcmp(name, "gini") == 0 ? AX_GINI : AX_ENTROPY;
}

static ax_status check_criterion(const ax_fit *f, ax_error *err)
{
    const char *name = ax_options_text(f->options, "criterion");
    bool squares = name != NULL && strcmp(name, "squared_error") == 0;

    if (name == NULL || squares == (f->spec->task != AX_TASK_CLASSIFICATION))
        return AX_OK;
    return ax_fail(err, AX_ERR_INVALID, "criterion \"%s\" does not fit a %s", name, ax_task_name(f->spec->task));
}

static int used_columns(const ax_fit *f, const trees *t)
{
    int n = 0;

    for (int j = 0; j < t->columns; j++)
        n += ax_preparation_part(f->spec->preparation, j)->used;
    return n;
}

static void read_wood(ax_fit *f, trees *t)
{
    const ax_options *o = f->options;
    bool classes = f->spec->task == AX_TASK_CLASSIFICATION;
    bool forest = f->algorithm != &ax_algorithm_decision_tree;
    bool drawn = f->algorithm == &ax_algorithm_random_forest;
    int64_t n = f->rows.n_train;

    t->grow = (ax_wood_params) {
        .criterion = criterion(f),
        .n_classes = classes ? f->spec->n_classes : 0,
        .trees = forest ? (int) ax_options_integer(o, "n_estimators") : 1,
        .max_depth = (int) ax_options_integer(o, "max_depth"),
        .max_leaf_nodes = (int) ax_options_integer(o, "max_leaf_nodes"),
        .min_samples_split = rows_of(ax_options_number(o, "min_samples_split"), n, false),
        .min_samples_leaf = rows_of(ax_options_number(o, "min_samples_leaf"), n, false),
        .min_impurity_decrease = ax_options_number(o, "min_impurity_decrease"),
        .ccp_alpha = ax_options_number(o, "ccp_alpha"),
        .max_features = max_features(f, used_columns(f, t), forest && classes ? "sqrt" : "all"),
        .random_threshold = f->algorithm == &ax_algorithm_extra_trees,
        .bootstrap = ax_options_given(o, "bootstrap") ? ax_options_boolean(o, "bootstrap") : drawn,
        .oob = ax_options_boolean(o, "oob_score"),
        .seed = (uint64_t) ax_options_integer(o, "seed"),
    };
    if (ax_options_given(o, "max_samples"))
        t->grow.max_samples = (int64_t) rows_of(ax_options_number(o, "max_samples"), n, true);
}

static void read_isolation(ax_fit *f, trees *t)
{
    const ax_options *o = f->options;
    int64_t n = f->rows.n_train;
    double sample = ax_options_given(o, "max_samples") ? rows_of(ax_options_number(o, "max_samples"), n, true) : 256;

    t->grow = (ax_wood_params) {
        .criterion = AX_RANDOM_CUTS,
        .trees = (int) ax_options_integer(o, "n_estimators"),
        .max_samples = AX_MIN((int64_t) sample, n),
        .min_samples_split = 2,
        .min_samples_leaf = 1,
        .max_features = max_features(f, used_columns(f, t), "all"),
        .seed = (uint64_t) ax_options_integer(o, "seed"),
    };
    t->grow.max_depth = (int) ceil(log2((double) AX_MAX(t->grow.max_samples, 2)));
}

static ax_status open_wood(ax_fit *f, trees *t, ax_error *err)
{
    const ax_fit_rows *r = &f->rows;
    ax_wood_rows rows = {t->bins, r->train, r->n_train, r->classes, r->values, r->weights};

    if (f->algorithm == &ax_algorithm_isolation_forest) {
        read_isolation(f, t);
        rows.classes = NULL;
        rows.values = NULL;
    } else {
        AX_TRY(check_criterion(f, err));
        read_wood(f, t);
    }
    f->report.epochs = 1;
    return ax_wood_create(&f->env, &rows, &t->grow, f->pool, &t->wood, err);
}

static ax_status work_wood(ax_fit *f, bool *done, bool *round, ax_error *err)
{
    trees *t = f->work;
    bool binned = false;

    (void) round;
    if (t->bins == NULL) {
        AX_TRY(bin_rows(f, t, &binned, err));
        return binned ? open_wood(f, t, err) : AX_OK;
    }
    f->report.epoch = 1;
    return ax_wood_grow(t->wood, done, err);
}

static ax_status tell_wood(ax_fit *f, trees *t, ax_error *err)
{
    counts c;

    AX_TRY(new_counts(f, t, &c, err));
    ax_wood_importance(t->wood, c.gain, c.splits);
    return ax_fit_tell_importance(f, c.gain, c.splits, err);
}

static ax_status model_wood(ax_fit *f, ax_error *err)
{
    trees *t = f->work;
    const ax_forest *forest = ax_wood_forest(t->wood, err);
    bool classes = f->spec->task == AX_TASK_CLASSIFICATION;
    ax_fit_summary s = {.type = "TreeEnsemble", .loss = classes ? AX_LOSS_SPARSE_CCE : AX_LOSS_MSE};
    int out;

    if (forest == NULL)
        return err->status;
    AX_TRY(ax_graph_add_forest(f->model->graph, "trees", f->model->input, forest, &out, err));
    AX_TRY(tell_wood(f, t, err));
    s.parameters = forest->n_nodes;
    s.outputs = forest->n_outputs;
    keep_bins(f, t);
    return ax_fit_model_end(f, out, &s, err);
}

/* The score is 2^(-path / c): between 0 and 1, higher where a row is easier to tell apart. */
static ax_status model_isolation(ax_fit *f, ax_error *err)
{
    static const int64_t one[] = {1};
    trees *t = f->work;
    const ax_forest *forest = ax_wood_forest(t->wood, err);
    double c = ax_isolation_path((double) t->grow.max_samples);
    float factor = c > 0 ? (float) (-M_LN2 / c) : 0;
    ax_fit_summary s = {.type = "TreeEnsemble", .outputs = 1, .loss = AX_LOSS_MSE};
    int path, scale, power, out;

    if (forest == NULL)
        return err->status;
    AX_TRY(ax_graph_add_forest(f->model->graph, "trees", f->model->input, forest, &path, err));
    AX_TRY(ax_fit_constant(f, "path_scale", 1, one, &factor, &scale, err));
    AX_TRY(ax_fit_node(f, "Mul", "power", path, scale, -1, &power, err));
    AX_TRY(ax_fit_node(f, "Exp", "score", power, -1, -1, &out, err));
    AX_TRY(tell_wood(f, t, err));
    s.parameters = forest->n_nodes;
    keep_bins(f, t);
    return ax_fit_model_end(f, out, &s, err);
}

/* ---- the rows of the table ------------------------------------------------------------------- */

#define TREE_OPTIONS "max_depth|max_leaf_nodes|min_samples_split|min_samples_leaf|min_impurity_decrease|ccp_alpha|" \
                     "max_features|criterion|max_bin|class_weight"
#define FOREST_OPTIONS TREE_OPTIONS "|n_estimators|bootstrap|max_samples|oob_score"

const ax_algorithm ax_algorithm_gradient_boosting = {
    .name = "gradient_boosting",
    .target = true,
    .options = "objective|n_estimators|learning_rate|max_depth|max_leaves|grow_policy|min_child_weight|gamma|"
               "reg_lambda|reg_alpha|max_delta_step|subsample|colsample_bytree|colsample_bylevel|colsample_bynode|"
               "scale_pos_weight|monotone_constraints|base_score|quantile_alpha|early_stopping_rounds|max_bin|"
               "class_weight",
    .bins = true,
    .open = open_trees,
    .work = work_boost,
    .model = model_boost,
    .close = close_trees,
};

const ax_algorithm ax_algorithm_decision_tree = {
    .name = "decision_tree",
    .target = true,
    .options = TREE_OPTIONS,
    .bins = true,
    .open = open_trees,
    .work = work_wood,
    .model = model_wood,
    .close = close_trees,
};

const ax_algorithm ax_algorithm_random_forest = {
    .name = "random_forest",
    .target = true,
    .options = FOREST_OPTIONS,
    .bins = true,
    .open = open_trees,
    .work = work_wood,
    .model = model_wood,
    .close = close_trees,
};

const ax_algorithm ax_algorithm_extra_trees = {
    .name = "extra_trees",
    .target = true,
    .options = FOREST_OPTIONS,
    .bins = true,
    .open = open_trees,
    .work = work_wood,
    .model = model_wood,
    .close = close_trees,
};

const ax_algorithm ax_algorithm_isolation_forest = {
    .name = "isolation_forest",
    .hint = AX_TASK_REGRESSION,
    .options = "n_estimators|max_samples|max_features|max_bin",
    .bins = true,
    .open = open_trees,
    .work = work_wood,
    .model = model_isolation,
    .close = close_trees,
};
