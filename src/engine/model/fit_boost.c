/*
 * fit_boost.c: gradient_boosting: options become parameters, rounds are told of, trees become a node of the graph.
 */
#include <math.h>

#include "model/fit_trees.h"

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
static int find_part(const ax_fit *f, const ax_fit_trees *t, const char *name)
{
    for (int j = 0; j < t->columns; j++)
        if (strcmp(ax_preparation_part(f->spec->preparation, j)->name, name) == 0)
            return j;
    return -1;
}

static ax_status read_monotone(ax_fit *f, ax_fit_trees *t, ax_error *err)
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

/*
 * XGBoost's start. From the target's mean or share, small tables and rare classes are learned worse, as measured
 * (boston_housing: RMSE 5% higher; mammography, 2% of one class: AUC 0.8 points lower): leaves need more rows then, as
 * hessians start small.
 */
static bool starts_at_half(ax_boost_loss loss)
{
    return loss == AX_BOOST_SQUARED || loss == AX_BOOST_LOGISTIC || loss == AX_BOOST_SOFTMAX;
}

static void read_boost(ax_fit *f, ax_fit_trees *t)
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
                      : starts_at_half(loss)            ? 0.5
                                                        : NAN,
        .early_stopping_rounds = (int) ax_options_integer(o, "early_stopping_rounds"),
        .seed = (uint64_t) ax_options_integer(o, "seed"),
    };
}

static ax_status open_booster(ax_fit *f, ax_fit_trees *t, ax_error *err)
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

static void report_round(ax_fit *f, ax_fit_trees *t)
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
    ax_fit_trees *t = f->work;
    bool binned = false;

    if (t->bins == NULL) {
        AX_TRY(ax_fit_trees_bin(f, t, &binned, err));
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

static ax_status model_boost(ax_fit *f, ax_error *err)
{
    ax_fit_trees *t = f->work;
    ax_fit_summary s = {.type = "TreeEnsemble", .loss = loss_kind(t->boost.loss)};
    int margin, out;

    AX_TRY(ax_fit_trees_add(f, t, ax_booster_forest(t->booster, err), &s, &margin, err));
    AX_TRY(link_node(f, t->boost.loss, margin, &out, err));
    return ax_fit_model_end(f, out, &s, err);
}

const ax_algorithm ax_algorithm_gradient_boosting = {
    .name = "gradient_boosting",
    .target = true,
    .options = "objective|n_estimators|learning_rate|max_depth|max_leaves|grow_policy|min_child_weight|gamma|"
               "reg_lambda|reg_alpha|max_delta_step|subsample|colsample_bytree|colsample_bylevel|colsample_bynode|"
               "scale_pos_weight|monotone_constraints|base_score|quantile_alpha|early_stopping_rounds|max_bin|"
               "class_weight",
    .bins = true,
    .open = ax_fit_trees_open,
    .work = work_boost,
    .model = model_boost,
    .close = ax_fit_trees_close,
};
