/*
 * fit_wood.c: decision_tree, random_forest, extra_trees and isolation_forest: options become parameters, and trees a
 * node of the graph.
 */
#include <math.h>

#include "model/fit_trees.h"

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

static int used_columns(const ax_fit *f, const ax_fit_trees *t)
{
    int n = 0;

    for (int j = 0; j < t->columns; j++)
        n += ax_preparation_part(f->spec->preparation, j)->used;
    return n;
}

static void read_wood(ax_fit *f, ax_fit_trees *t)
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

static void read_isolation(ax_fit *f, ax_fit_trees *t)
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

static ax_status open_wood(ax_fit *f, ax_fit_trees *t, ax_error *err)
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
        if (t->grow.oob && !t->grow.bootstrap) {
            ax_fail(err, AX_ERR_INVALID, "option \"oob_score\" needs rows that a tree did not see");
            ax_hint(err, "Set the option \"bootstrap\".");
            return AX_ERR_INVALID;
        }
    }
    f->report.epochs = 1;
    return ax_wood_create(&f->env, &rows, &t->grow, f->pool, &t->wood, err);
}

static ax_status work_wood(ax_fit *f, bool *done, bool *round, ax_error *err)
{
    ax_fit_trees *t = f->work;
    bool binned = false;

    (void) round;
    if (t->bins == NULL) {
        AX_TRY(ax_fit_trees_bin(f, t, &binned, err));
        return binned ? open_wood(f, t, err) : AX_OK;
    }
    f->report.epoch = 1;
    return ax_wood_grow(t->wood, done, err);
}

static ax_status model_wood(ax_fit *f, ax_error *err)
{
    ax_fit_trees *t = f->work;
    bool classes = f->spec->task == AX_TASK_CLASSIFICATION;
    ax_fit_summary s = {.type = "TreeEnsemble", .loss = classes ? AX_LOSS_SPARSE_CCE : AX_LOSS_MSE};
    int out;

    AX_TRY(ax_fit_trees_add(f, t, ax_wood_forest(t->wood, err), &s, &out, err));
    f->has_oob = t->grow.oob;
    f->oob = f->has_oob ? ax_wood_oob_score(t->wood) : 0;
    return ax_fit_model_end(f, out, &s, err);
}

/* The score is 2^(-path / c): between 0 and 1, higher where a row is easier to tell apart. */
static ax_status model_isolation(ax_fit *f, ax_error *err)
{
    static const int64_t one[] = {1};
    ax_fit_trees *t = f->work;
    double c = ax_isolation_path((double) t->grow.max_samples);
    float factor = c > 0 ? (float) (-M_LN2 / c) : 0;
    ax_fit_summary s = {.type = "TreeEnsemble", .loss = AX_LOSS_MSE};
    int path, scale, power, out;

    AX_TRY(ax_fit_trees_add(f, t, ax_wood_forest(t->wood, err), &s, &path, err));
    AX_TRY(ax_fit_constant(f, "path_scale", 1, one, &factor, &scale, err));
    AX_TRY(ax_fit_node(f, "Mul", "power", path, scale, -1, &power, err));
    AX_TRY(ax_fit_node(f, "Exp", "score", power, -1, -1, &out, err));
    return ax_fit_model_end(f, out, &s, err);
}

/* ---- the rows of the table ------------------------------------------------------------------- */

#define TREE_OPTIONS "max_depth|max_leaf_nodes|min_samples_split|min_samples_leaf|min_impurity_decrease|ccp_alpha|" \
                     "max_features|criterion|max_bin|class_weight"
#define FOREST_OPTIONS TREE_OPTIONS "|n_estimators|bootstrap|max_samples|oob_score"

const ax_algorithm ax_algorithm_decision_tree = {
    .name = "decision_tree",
    .target = true,
    .options = TREE_OPTIONS,
    .bins = true,
    .open = ax_fit_trees_open,
    .work = work_wood,
    .model = model_wood,
    .close = ax_fit_trees_close,
};

const ax_algorithm ax_algorithm_random_forest = {
    .name = "random_forest",
    .target = true,
    .options = FOREST_OPTIONS,
    .bins = true,
    .open = ax_fit_trees_open,
    .work = work_wood,
    .model = model_wood,
    .close = ax_fit_trees_close,
};

const ax_algorithm ax_algorithm_extra_trees = {
    .name = "extra_trees",
    .target = true,
    .options = FOREST_OPTIONS,
    .bins = true,
    .open = ax_fit_trees_open,
    .work = work_wood,
    .model = model_wood,
    .close = ax_fit_trees_close,
};

const ax_algorithm ax_algorithm_isolation_forest = {
    .name = "isolation_forest",
    .hint = AX_TASK_REGRESSION,
    .options = "n_estimators|max_samples|max_features|max_bin",
    .bins = true,
    .open = ax_fit_trees_open,
    .work = work_wood,
    .model = model_isolation,
    .close = ax_fit_trees_close,
};
