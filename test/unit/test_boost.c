/*
 * test_boost.c: gradient boosting. One tree against a plain search in double over all splits; losses that fall; the
 * forest walked on raw floats against the loss that the booster sees in bins; monotone columns, sampling, early
 * stopping; no memory, cancelling, odd tables; the same bits for any number of threads.
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>

#include "tree/boost.h"

/* ---- tables ----------------------------------------------------------------------------------- */

typedef struct table {
    int64_t rows;
    int columns;
    float *x; /* (rows, columns) */
    float *values, *weights;
    int32_t *classes;
    bool category[64];
} table;

/* Numbers and every fourth column a category, with holes; a target that depends on the first four. */
static table make_table(int64_t rows, int columns, int distinct, int n_classes)
{
    table t = {.rows = rows, .columns = columns};

    t.x = malloc((size_t) (rows * columns) * sizeof(float));
    t.values = malloc((size_t) rows * sizeof(float));
    t.weights = malloc((size_t) rows * sizeof(float));
    t.classes = malloc((size_t) rows * sizeof(int32_t));
    for (int j = 0; j < columns; j++)
        t.category[j] = j % 4 == 3;
    for (int64_t i = 0; i < rows; i++) {
        float *x = t.x + i * columns, z = 0;

        for (int j = 0; j < columns; j++) {
            x[j] = t.category[j] ? (float) unit_below(6) : distinct > 0 ? (float) unit_below(distinct) : unit_normal();
            if (unit_below(8) == 0)
                x[j] = NAN;
            if (j < 4)
                z += isnan(x[j]) ? 0.7f : j == 3 ? (x[j] == 2 ? 2.0f : 0) : sinf(x[j] * (float) (j + 1));
        }
        t.values[i] = z + 0.2f * unit_normal();
        t.weights[i] = unit_uniform(0.2f, 3);
        t.classes[i] = (int32_t) floorf(z + 0.5f * unit_normal());
        t.classes[i] = AX_MIN(AX_MAX(t.classes[i], 0), n_classes - 1);
    }
    return t;
}

static void free_table(table *t)
{
    free(t->x);
    free(t->values);
    free(t->weights);
    free(t->classes);
}

static ax_status make_bins(const ax_env *env, const table *t, ax_bins **out, ax_error *err)
{
    ax_binner *b = NULL;
    ax_status status = ax_binner_create(env, t->columns, t->category, 255, &b, err);

    for (int64_t i = 0; i < t->rows && status == AX_OK; i++)
        status = ax_binner_append(b, t->x + i * t->columns, err);
    if (status == AX_OK)
        status = ax_binner_close(b, NULL, out, err);
    ax_binner_free(b);
    return status;
}

static ax_boost_rows all_rows(const ax_bins *bins, const table *t, bool weighted)
{
    return (ax_boost_rows){.bins = bins, .n = t->rows, .classes = t->classes, .values = t->values,
                           .weights = weighted ? t->weights : NULL};
}

static ax_boost_params defaults(ax_boost_loss loss)
{
    return (ax_boost_params){.loss = loss, .n_classes = 3, .quantile = 0.5, .rounds = 20, .learning_rate = 0.3,
                             .max_depth = 6, .min_child_weight = 1, .reg_lambda = 1, .subsample = 1,
                             .max_delta_step = loss == AX_BOOST_POISSON ? 0.7 : 0, .colsample_bytree = 1,
                             .colsample_bylevel = 1, .colsample_bynode = 1, .scale_pos_weight = 1,
                             .base_score = NAN, .seed = 7};
}

static ax_status boost(const ax_env *env, const ax_boost_rows *train, const ax_boost_rows *valid,
                       const ax_boost_params *p, ax_pool *pool, ax_booster **out, ax_error *err)
{
    ax_status status = ax_booster_create(env, train, valid, p, pool, out, err);
    bool done = false;

    while (status == AX_OK && !done)
        status = ax_booster_round(*out, &done, err);
    return status;
}

/* ---- the forest on raw numbers ----------------------------------------------------------------- */

static void walk(const ax_forest *f, const float *x, float *out)
{
    for (int k = 0; k < f->n_outputs; k++)
        out[k] = f->base[k];
    for (int t = 0; t < f->n_trees; t++) {
        const ax_tree_node *n = &f->node[f->root[t]];

        while (n->feature >= 0) {
            float v = x[n->feature];
            bool yes = isnan(v) ? n->missing_yes : n->equal ? v == n->threshold : v <= n->threshold;

            n = &f->node[yes ? n->yes : n->no];
        }
        out[f->at[t]] += f->value[n->leaf];
    }
}

static double loss_of_row(const ax_boost_params *p, const float *s, int32_t class, double y)
{
    double sum = 0;

    switch (p->loss) {
    case AX_BOOST_LOGISTIC:
        return log1p(exp(class == 1 ? -(double) s[0] : s[0]));
    case AX_BOOST_SOFTMAX:
        for (int k = 0; k < p->n_classes; k++)
            sum += exp(s[k]);
        return log(sum) - s[class];
    case AX_BOOST_POISSON:
        return exp(s[0]) - y * s[0] + lgamma(y + 1);
    case AX_BOOST_ABSOLUTE:
        return fabs(y - s[0]);
    case AX_BOOST_QUANTILE:
        return y >= s[0] ? p->quantile * (y - s[0]) : (1 - p->quantile) * (s[0] - y);
    default:
        return (y - s[0]) * (y - s[0]);
    }
}

static double walked_loss(const ax_forest *f, const ax_boost_params *p, const table *t, const ax_boost_rows *rows)
{
    double loss = 0, all = 0;
    float s[8];

    for (int64_t k = 0; k < rows->n; k++) {
        int64_t i = rows->row != NULL ? rows->row[k] : k;
        double w = rows->weights != NULL ? rows->weights[i] : 1;

        walk(f, t->x + i * t->columns, s);
        loss += w * loss_of_row(p, s, t->classes[i], t->values[i]);
        all += w;
    }
    return loss / all;
}

static bool forest_is_sound(const ax_forest *f)
{
    for (int64_t i = 0; i < f->n_nodes; i++) {
        const ax_tree_node *n = &f->node[i];

        if (n->feature >= f->n_features || (n->feature < 0 && (n->leaf < 0 || n->leaf >= f->n_values)))
            return false;
        if (n->feature >= 0 && (n->yes <= i || n->no <= i || n->yes >= f->n_nodes || n->no >= f->n_nodes))
            return false;
    }
    return true;
}

/* Every loss: falls on the training's rows, and is what the forest gives on raw numbers, for train and valid. */
static void test_loss(const char *name, ax_boost_loss loss, bool weighted, double subsample)
{
    table t = make_table(3000, 10, 0, loss == AX_BOOST_LOGISTIC ? 2 : 3);
    ax_boost_params p = defaults(loss);
    static int32_t row[2000], rest[1000];
    ax_booster *b = NULL;
    ax_bins *bins = NULL;
    ax_error err;
    double before = INFINITY, train = 0, valid = 0, first = 0;
    int rises = 0;
    bool done = false;

    for (int i = 0; i < 3000; i++)
        *(i % 3 == 2 ? &rest[i / 3] : &row[i / 3 * 2 + i % 3]) = i;
    if (loss == AX_BOOST_POISSON)
        for (int64_t i = 0; i < t.rows; i++)
            t.values[i] = floorf(expf(AX_MIN(t.values[i], 3)));
    p.subsample = subsample;
    p.quantile = 0.8;
    make_bins(unit_env(), &t, &bins, &err);
    ax_boost_rows on = all_rows(bins, &t, weighted), off = on;
    on.row = row, on.n = 2000, off.row = rest, off.n = 1000;
    unit_status(ax_booster_create(unit_env(), &on, &off, &p, NULL, &b, &err), AX_OK, &err, "%s", name);
    ax_booster_loss(b, &first, &valid);
    unit_near(first, walked_loss(ax_booster_forest(b, &err), &p, &t, &on), 1e-4, "before the first round: %g", first);
    while (!done && ax_booster_round(b, &done, &err) == AX_OK) {
        ax_booster_loss(b, &train, &valid);
        rises += train > before;
        before = train;
    }
    unit_check(rises <= (subsample < 1 ? 4 : 0) && train < 0.6 * first, "%s falls: from %g to %g", name, first, train);
    const ax_forest *f = ax_booster_forest(b, &err);
    unit_check(forest_is_sound(f) && f->n_trees == p.rounds * f->n_outputs, "the forest is sound");
    unit_near(walked_loss(f, &p, &t, &on), train, 2e-6, "raw numbers go where bins went");
    unit_near(walked_loss(f, &p, &t, &off), valid, 2e-6, "those of valid too");
    ax_booster_free(b);
    ax_bins_free(bins);
    free_table(&t);
}

/* ---- one tree against a plain search ------------------------------------------------------------ */

typedef struct plain {
    const table *t;
    const ax_boost_params *p;
    const ax_forest *f;
    const double *g, *h;
    int bad, nodes;
    double worst;
} plain;

static double plain_shrunk(double g, double alpha)
{
    return fabs(g) <= alpha ? 0 : g > 0 ? g - alpha : g + alpha;
}

static double plain_weight(const ax_boost_params *p, double g, double h)
{
    double w = -plain_shrunk(g, p->reg_alpha) / (h + p->reg_lambda);

    if (p->max_delta_step > 0)
        w = fmin(fmax(w, -p->max_delta_step), p->max_delta_step);
    return h < p->min_child_weight ? 0 : w;
}

static double plain_score(const ax_boost_params *p, double g, double h)
{
    double w = plain_weight(p, g, h);

    return -2 * (g * w + (h + p->reg_lambda) * w * w / 2 + p->reg_alpha * fabs(w));
}

static bool goes_yes(float v, float threshold, bool equal, bool missing_yes)
{
    return isnan(v) ? missing_yes : equal ? v == threshold : v <= threshold;
}

static double gain_of_split(const plain *s, const uint8_t *in, int j, float threshold, bool equal, bool missing_yes)
{
    double g[2] = {0, 0}, h[2] = {0, 0};
    int64_t n[2] = {0, 0};

    for (int64_t i = 0; i < s->t->rows; i++) {
        int side = goes_yes(s->t->x[i * s->t->columns + j], threshold, equal, missing_yes);

        if (!in[i])
            continue;
        g[side] += s->g[i];
        h[side] += s->h[i];
        n[side]++;
    }
    if (n[0] == 0 || n[1] == 0 || h[0] < s->p->min_child_weight || h[1] < s->p->min_child_weight)
        return 0;
    if (s->p->monotone != NULL && s->p->monotone[j] != 0) {
        double yes = plain_weight(s->p, g[1], h[1]), no = plain_weight(s->p, g[0], h[0]);

        if ((s->p->monotone[j] > 0 && yes > no) || (s->p->monotone[j] < 0 && yes < no))
            return 0;
    }
    return plain_score(s->p, g[0], h[0]) + plain_score(s->p, g[1], h[1]) -
           plain_score(s->p, g[0] + g[1], h[0] + h[1]);
}

/* The best of all splits at all values that the column has. */
static double best_gain(const plain *s, const uint8_t *in)
{
    double best = 0;

    for (int j = 0; j < s->t->columns; j++)
        for (int64_t i = 0; i < s->t->rows; i++) {
            float v = s->t->x[i * s->t->columns + j];

            for (int way = 0; way < 4 && in[i] && !isnan(v); way++) {
                bool equal = way >= 2;

                if (equal && (!s->t->category[j] || (s->p->monotone != NULL && s->p->monotone[j] != 0)))
                    continue;
                best = fmax(best, gain_of_split(s, in, j, v, equal, way % 2));
            }
        }
    return best;
}

/* A node of the tree with its rows: is its split as good as the best there is? */
static void check_node(plain *s, int32_t node, const uint8_t *in, int depth)
{
    const ax_tree_node *n = &s->f->node[node];
    uint8_t side[400];
    double g = 0, h = 0, best;

    s->nodes++;
    for (int64_t i = 0; i < s->t->rows; i++) {
        g += in[i] * s->g[i];
        h += in[i] * s->h[i];
    }
    s->bad += fabs(n->cover - h) > 1e-4 * (1 + h);
    if (n->feature < 0) {
        double w = s->p->learning_rate * plain_weight(s->p, g, h);

        if (s->p->monotone == NULL)
            s->bad += fabs(s->f->value[n->leaf] - w) > 1e-5 * (1 + fabs(w));
        if (depth < s->p->max_depth)
            s->bad += best_gain(s, in) > fmax(s->p->gamma, 1e-6) + 1e-5;
        return;
    }
    best = best_gain(s, in);
    s->bad += fabs(gain_of_split(s, in, n->feature, n->threshold, n->equal, n->missing_yes) - best) > 1e-5 * (1 + best);
    s->bad += fabs(n->gain - best) > 1e-5 * (1 + best);
    for (int yes = 1; yes >= 0; yes--) {
        for (int64_t i = 0; i < s->t->rows; i++)
            side[i] = in[i] && goes_yes(s->t->x[i * s->t->columns + n->feature], n->threshold, n->equal,
                                        n->missing_yes) == yes;
        check_node(s, yes ? n->yes : n->no, side, depth + 1);
    }
}

static void test_tree(const char *name, ax_boost_params p, bool weighted)
{
    enum { TRIALS = 6, ROWS = 120 };
    int bad = 0, nodes = 0;

    for (int trial = 0; trial < TRIALS; trial++) {
        table t = make_table(ROWS, 5 + trial, trial % 2 ? 12 : 0, 2);
        double g[ROWS], h[ROWS];
        uint8_t in[ROWS];
        ax_booster *b = NULL;
        ax_bins *bins = NULL;
        ax_error err;

        p.rounds = 1;
        p.base_score = 0.5;
        make_bins(unit_env(), &t, &bins, &err);
        for (int i = 0; i < ROWS; i++) {
            double w = weighted ? t.weights[i] : 1;

            w *= p.loss == AX_BOOST_LOGISTIC && t.classes[i] == 1 ? p.scale_pos_weight : 1;
            g[i] = w * (0.5 - (p.loss == AX_BOOST_LOGISTIC ? t.classes[i] : t.values[i]));
            h[i] = w * (p.loss == AX_BOOST_LOGISTIC ? 0.25 : 1);
            in[i] = 1;
        }
        ax_boost_rows rows = all_rows(bins, &t, weighted);
        if (boost(unit_env(), &rows, NULL, &p, NULL, &b, &err) != AX_OK)
            unit_check(false, "%s", err.message);
        plain s = {.t = &t, .p = &p, .f = ax_booster_forest(b, &err), .g = g, .h = h};
        check_node(&s, s.f->root[0], in, 0);
        bad += s.bad;
        nodes += s.nodes;
        ax_booster_free(b);
        ax_bins_free(bins);
        free_table(&t);
    }
    unit_check(bad == 0 && nodes >= 3 * TRIALS, "%s: %d of %d nodes are not the best", name, bad, nodes);
}

static void test_trees(void)
{
    static const int8_t monotone[16] = {1, -1, 1, 1};
    ax_boost_params p = defaults(AX_BOOST_SQUARED);

    test_tree("squared", p, false);
    test_tree("squared with weights", p, true);
    p.reg_alpha = 0.7, p.reg_lambda = 3, p.gamma = 0.5, p.min_child_weight = 4;
    test_tree("with L1, L2, gamma and min_child_weight", p, true);
    p.max_delta_step = 0.3;
    test_tree("with max_delta_step", p, false);
    p = defaults(AX_BOOST_LOGISTIC);
    p.scale_pos_weight = 2.5;
    test_tree("logistic", p, true);
    p.min_child_weight = 0, p.max_depth = 4;
    test_tree("without min_child_weight", p, false);
    p = defaults(AX_BOOST_SQUARED);
    p.monotone = monotone;
    p.max_depth = 1; /* deeper nodes have bounds */
    test_tree("monotone", p, false);
    p.monotone = NULL;
    p.max_depth = 5;
    p.leaf_wise = true;
    test_tree("leaf-wise", p, false);
}

/* ---- the rest ----------------------------------------------------------------------------------- */

static void test_monotone(void)
{
    enum { ROWS = 2000 };
    table t = make_table(ROWS, 4, 0, 2);
    static const int8_t monotone[] = {1, -1, 0, 0};
    ax_boost_params p = defaults(AX_BOOST_SQUARED);
    ax_booster *b = NULL;
    ax_bins *bins = NULL;
    ax_error err;
    int bad = 0, moved = 0;

    p.monotone = monotone;
    make_bins(unit_env(), &t, &bins, &err);
    ax_boost_rows rows = all_rows(bins, &t, false);
    unit_status(boost(unit_env(), &rows, NULL, &p, NULL, &b, &err), AX_OK, &err, "monotone columns");
    const ax_forest *f = ax_booster_forest(b, &err);
    for (int i = 0; i < 200; i++)
        for (int j = 0; j < 2; j++) {
            float x[4], before, after;

            memcpy(x, t.x + 4 * i, sizeof(x));
            x[j] = -3;
            walk(f, x, &before);
            for (; x[j] < 3; x[j] += 0.05f, before = after) {
                walk(f, x, &after);
                bad += (after - before) * monotone[j] < -1e-5f;
                moved += after != before;
            }
        }
    unit_check(bad == 0 && moved > 100, "predictions never turn: %d do, of %d steps", bad, moved);
    ax_booster_free(b);
    ax_bins_free(bins);
    free_table(&t);
}

static void test_leaves(void)
{
    table t = make_table(3000, 6, 0, 2);
    ax_boost_params p = defaults(AX_BOOST_LOGISTIC);
    ax_bins *bins = NULL;
    ax_error err;
    double gain[6], count[6], splits = 0;

    make_bins(unit_env(), &t, &bins, &err);
    ax_boost_rows rows = all_rows(bins, &t, false);
    for (int wise = 0; wise < 2; wise++) {
        ax_booster *b = NULL;
        int64_t leaves = 0;

        p.leaf_wise = wise;
        p.max_leaves = 11;
        p.max_depth = wise ? 0 : 6;
        boost(unit_env(), &rows, NULL, &p, NULL, &b, &err);
        const ax_forest *f = ax_booster_forest(b, &err);
        for (int64_t i = 0; i < f->n_nodes; i++)
            leaves += f->node[i].feature < 0;
        unit_is_int(leaves, 11 * f->n_trees, "%s: 11 leaves a tree", wise ? "leaf-wise" : "depth-wise");
        ax_booster_importance(b, gain, count);
        splits = 0;
        for (int j = 0; j < 6; j++)
            splits += count[j];
        unit_check(splits == 10.0 * f->n_trees && gain[0] > 3 * gain[5], "importances: %g splits", splits);
        ax_booster_free(b);
    }
    p.max_leaves = 0;
    p.max_depth = 0;
    p.rounds = 2;
    p.min_child_weight = 0;
    p.reg_lambda = 0;
    for (int wise = 0; wise < 2; wise++) { /* more leaves wait than there are slots */
        ax_booster *b = NULL;
        double train, valid;

        p.leaf_wise = wise;
        unit_status(boost(unit_env(), &rows, NULL, &p, NULL, &b, &err), AX_OK, &err, "no limit");
        ax_booster_loss(b, &train, &valid);
        const ax_forest *f = ax_booster_forest(b, &err);
        unit_check(f->n_nodes > 600, "%lld nodes", (long long) f->n_nodes);
        unit_near(walked_loss(f, &p, &t, &rows), train, 1e-6, "raw numbers go where bins went");
        ax_booster_free(b);
    }
    ax_bins_free(bins);
    free_table(&t);
}

static void test_early_stopping(void)
{
    table t = make_table(1000, 8, 0, 2);
    ax_boost_params p = defaults(AX_BOOST_LOGISTIC);
    static int32_t row[500], rest[500];
    ax_booster *b = NULL;
    ax_bins *bins = NULL;
    ax_error err;
    double gain[8], count[8], splits = 0, branches = 0;

    for (int i = 0; i < 1000; i++)
        *(i % 2 ? &rest[i / 2] : &row[i / 2]) = i;
    p.rounds = 500;
    p.early_stopping_rounds = 5;
    make_bins(unit_env(), &t, &bins, &err);
    ax_boost_rows on = all_rows(bins, &t, false), off = on;
    on.row = row, on.n = 500, off.row = rest, off.n = 500;
    unit_status(boost(unit_env(), &on, &off, &p, NULL, &b, &err), AX_OK, &err, "early stopping");
    const ax_forest *f = ax_booster_forest(b, &err);
    unit_check(ax_booster_rounds(b) == ax_booster_best_round(b) + 5 && ax_booster_rounds(b) < 100,
               "stops after %d rounds, the best was %d", ax_booster_rounds(b), ax_booster_best_round(b));
    unit_is_int(f->n_trees, ax_booster_best_round(b), "the forest ends there");
    ax_booster_importance(b, gain, count);
    for (int j = 0; j < 8; j++)
        splits += count[j];
    for (int64_t i = 0; i < f->n_nodes; i++)
        branches += f->node[i].feature >= 0;
    unit_check(splits == branches, "importances are of the trees that are kept");
    ax_booster_free(b);
    ax_bins_free(bins);
    free_table(&t);
}

static void check_odd(const char *name, int64_t rows, int columns, ax_boost_params p, float fill)
{
    table t = make_table(rows, columns, 0, 2);
    ax_booster *b = NULL;
    ax_bins *bins = NULL;
    ax_error err;
    float out[8];
    double train, valid;

    for (int64_t i = 0; i < rows * columns && !(fill == 1); i++)
        t.x[i] = fill;
    make_bins(unit_env(), &t, &bins, &err);
    ax_boost_rows on = all_rows(bins, &t, false);
    unit_status(boost(unit_env(), &on, NULL, &p, NULL, &b, &err), AX_OK, &err, "%s", name);
    walk(ax_booster_forest(b, &err), t.x, out);
    ax_booster_loss(b, &train, &valid);
    unit_check(isfinite(out[0]) && isfinite(train) && isnan(valid), "predicts a number, %g", (double) out[0]);
    ax_booster_free(b);
    ax_bins_free(bins);
    free_table(&t);
}

static void test_odd(void)
{
    ax_boost_params p = defaults(AX_BOOST_SQUARED), wild = p;

    check_odd("one row", 1, 3, p, 1);
    check_odd("two rows", 2, 3, p, 1);
    check_odd("all missing", 50, 3, p, NAN);
    check_odd("all the same", 50, 3, p, 0);
    check_odd("infinite", 50, 3, p, INFINITY);
    check_odd("a median of one row", 1, 2, defaults(AX_BOOST_ABSOLUTE), 1);
    check_odd("one row of logistic", 1, 2, defaults(AX_BOOST_LOGISTIC), 1);
    p.colsample_bytree = 0.5, p.colsample_bylevel = 0.5, p.colsample_bynode = 0.1, p.subsample = 0.01;
    check_odd("almost no rows in a round", 100, 30, p, 1);
    wild.learning_rate = 0, wild.max_depth = -3, wild.max_leaves = 1, wild.reg_lambda = 0, wild.min_child_weight = -1;
    wild.subsample = 0, wild.colsample_bytree = -1;
    check_odd("parameters out of range", 100, 5, wild, 1);
}

/* Columns are drawn: with half of them a tree, another half in the other tree. */
static void test_columns_are_drawn(void)
{
    table t = make_table(500, 12, 0, 2);
    ax_boost_params p = defaults(AX_BOOST_LOGISTIC);
    ax_booster *b = NULL;
    ax_bins *bins = NULL;
    ax_error err;
    int most = 0, seen = 0, used[12] = {0};

    p.colsample_bytree = 0.25;
    p.rounds = 30;
    make_bins(unit_env(), &t, &bins, &err);
    ax_boost_rows rows = all_rows(bins, &t, false);
    boost(unit_env(), &rows, NULL, &p, NULL, &b, &err);
    const ax_forest *f = ax_booster_forest(b, &err);
    for (int tree = 0; tree < f->n_trees; tree++) {
        int64_t end = tree + 1 < f->n_trees ? f->root[tree + 1] : f->n_nodes;
        int columns = 0, in[12] = {0};

        for (int64_t i = f->root[tree]; i < end; i++)
            if (f->node[i].feature >= 0)
                columns += in[f->node[i].feature]++ == 0;
        for (int j = 0; j < 12; j++)
            used[j] += in[j];
        most = AX_MAX(most, columns);
    }
    for (int j = 0; j < 12; j++)
        seen += used[j] > 0;
    unit_check(most == 3 && seen == 12, "a tree uses %d columns, all trees %d", most, seen);
    ax_booster_free(b);
    ax_bins_free(bins);
    free_table(&t);
}

/* Many rows, so that leaves are cut into parts and blocks; softmax, sampling and quantiles. */
static void test_threads(void)
{
    table t = make_table(100000, 11, 0, 3);
    static const ax_boost_loss loss[] = {AX_BOOST_SOFTMAX, AX_BOOST_ABSOLUTE};
    ax_bins *bins = NULL;
    ax_error err;

    make_bins(unit_env(), &t, &bins, &err);
    ax_boost_rows rows = all_rows(bins, &t, true);
    for (int k = 0; k < 2; k++) {
        ax_boost_params p = defaults(loss[k]);
        ax_booster *one = NULL;

        p.rounds = 2;
        p.subsample = k == 0 ? 1 : 0.7;
        p.colsample_bynode = 0.8;
        boost(unit_env(), &rows, NULL, &p, NULL, &one, &err);
        const ax_forest *f = ax_booster_forest(one, &err);
        for (int threads = 1; threads <= 4; threads *= 2) {
            ax_booster *other = NULL;
            ax_pool *pool = NULL;

            ax_pool_open(unit_env(), threads, &pool, &err);
            unit_status(boost(unit_env(), &rows, NULL, &p, pool, &other, &err), AX_OK, &err, "%d threads", threads);
            const ax_forest *g = ax_booster_forest(other, &err);
            unit_check(f->n_nodes == g->n_nodes && f->n_values == g->n_values, "as many nodes");
            unit_same(f->node, g->node, (size_t) f->n_nodes * sizeof(*f->node), "the same nodes");
            unit_same(f->value, g->value, (size_t) f->n_values * sizeof(float), "the same values");
            ax_booster_free(other);
            ax_pool_close(pool);
        }
        ax_booster_free(one);
    }
    ax_bins_free(bins);
    free_table(&t);
}

/* Everything that allocates or asks, in one life. */
static ax_status live(const ax_env *env, const table *t, int threads, ax_boost_loss loss, ax_error *err)
{
    ax_boost_params p = defaults(loss);
    ax_bins *bins = NULL;
    ax_booster *b = NULL;
    ax_pool *pool = NULL;
    ax_status status = make_bins(env, t, &bins, err);

    p.rounds = 3;
    p.early_stopping_rounds = 2;
    if (status == AX_OK && threads > 0)
        status = ax_pool_open(env, threads, &pool, err);
    if (status == AX_OK) {
        ax_boost_rows rows = all_rows(bins, t, false);

        status = boost(env, &rows, &rows, &p, pool, &b, err);
    }
    ax_booster_free(b);
    ax_pool_close(pool);
    ax_bins_free(bins);
    return status;
}

static void test_trouble(void)
{
    table t = make_table(400, 9, 0, 3);
    size_t before = unit_live_bytes();
    ax_error err;

    for (int k = 0; k < 2; k++) {
        ax_boost_loss loss = k == 0 ? AX_BOOST_SOFTMAX : AX_BOOST_ABSOLUTE;
        int bad = 0, tried = 0;

        for (long n = 1;; n++, tried++) {
            ax_status status = live(unit_env_fail_at(n), &t, 2, loss, &err);

            if (!unit_env_tripped())
                break;
            bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
        }
        unit_check(bad == 0 && tried > 50, "each of %d allocations may fail", tried);
        bad = tried = 0;
        for (long n = 1;; n += 1 + n / 30, tried++) {
            ax_status status = live(unit_env_cancel_at(n), &t, 0, loss, &err);

            if (!unit_env_tripped())
                break;
            bad += status != AX_ERR_CANCELLED || unit_live_bytes() != before;
        }
        unit_check(bad == 0 && tried > 30, "cancelled at %d moments", tried);
    }
    free_table(&t);
}

int main(void)
{
    unit_seed(11);
    test_loss("squared", AX_BOOST_SQUARED, false, 1);
    test_loss("squared with weights", AX_BOOST_SQUARED, true, 1);
    test_loss("absolute", AX_BOOST_ABSOLUTE, false, 1);
    test_loss("absolute with weights", AX_BOOST_ABSOLUTE, true, 1);
    test_loss("quantile", AX_BOOST_QUANTILE, false, 1);
    test_loss("poisson", AX_BOOST_POISSON, false, 1);
    test_loss("logistic", AX_BOOST_LOGISTIC, true, 1);
    test_loss("softmax", AX_BOOST_SOFTMAX, false, 1);
    test_loss("softmax of samples", AX_BOOST_SOFTMAX, true, 0.5);
    test_trees();
    test_monotone();
    test_leaves();
    test_early_stopping();
    test_odd();
    test_columns_are_drawn();
    test_threads();
    test_trouble();
    return unit_done();
}
