/*
 * test_wood.c: trees and forests against plain references in double: every node of a tree is held against the best of
 * all splits of its rows, pruning against cutting the weakest link again and again, the out-of-bag score against the
 * draws made once more. Tables are made of bins by hand: the number of bin b is b, its edge b + 0.5.
 */
#include "unit.h"

#include "tree/wood.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_ROWS 4000
#define MOST_COLUMNS 12
#define MOST_CLASSES 7

/* ---- tables ---------------------------------------------------------------------------------- */

typedef struct table {
    ax_bins bins;
    ax_bin_column column[MOST_COLUMNS];
    float edge[MOST_COLUMNS][256];
    uint8_t *data;
    int32_t classes[MOST_ROWS];
    float values[MOST_ROWS], weights[MOST_ROWS];
    ax_wood_rows rows;
} table;

static uint8_t *cell(table *t, int64_t row, int column)
{
    return &t->data[column * t->bins.stride + row];
}

/* Columns of `bins` bins; every third one holds codes when asked; a share of the cells is missing. */
static void make_table(table *t, int rows, int columns, int bins, bool codes, float missing)
{
    t->bins = (ax_bins){.env = *unit_env(), .rows = rows, .columns = columns, .column = t->column};
    t->bins.stride = (rows + 63) / 64 * 64;
    t->data = malloc((size_t) (t->bins.stride * columns + 64));
    t->bins.data = t->data;
    for (int j = 0; j < columns; j++) {
        t->column[j] = (ax_bin_column){.category = codes && j % 3 == 1, .n = bins, .edge = t->edge[j]};
        t->column[j].missing = missing > 0;
        for (int b = 0; b < bins; b++)
            t->edge[j][b] = (float) b + (t->column[j].category ? 0 : 0.5f);
        for (int i = 0; i < rows; i++)
            *cell(t, i, j) = unit_uniform(0, 1) < missing ? AX_BIN_MISSING : (uint8_t) unit_below(bins);
    }
    for (int i = 0; i < rows; i++) {
        t->classes[i] = (int32_t) unit_below(2);
        t->values[i] = unit_normal();
        t->weights[i] = 1;
    }
    t->rows = (ax_wood_rows){.bins = &t->bins, .n = rows, .classes = t->classes, .values = t->values};
}

/* A target that has to do with the first columns. */
static void make_target(table *t, int classes)
{
    for (int i = 0; i < t->bins.rows; i++) {
        int a = *cell(t, i, 0), b = t->bins.columns > 1 ? *cell(t, i, 1) : 0;

        t->values[i] = 3 * (float) (a % 50) + (float) (b % 7) + 5 * unit_normal();
        t->classes[i] = unit_below(4) == 0 ? (int32_t) unit_below(classes) : (a / 5 + b) % classes;
    }
}

static float number(const table *t, int32_t row, int column)
{
    uint8_t b = t->data[column * t->bins.stride + row];

    return b == AX_BIN_MISSING ? NAN : (float) b;
}

/* ---- growing --------------------------------------------------------------------------------- */

static ax_wood_params params_of(ax_criterion criterion, int classes)
{
    return (ax_wood_params){.criterion = criterion,
                            .n_classes = classes,
                            .trees = 1,
                            .min_samples_split = 2,
                            .min_samples_leaf = 1,
                            .seed = 7};
}

static ax_status grow_in(const ax_env *env, const table *t, const ax_wood_params *p, int threads, ax_pool **pool,
                         ax_wood **out, ax_error *err)
{
    bool done = false;

    if (threads > 0)
        AX_TRY(ax_pool_open(env, threads, pool, err));
    AX_TRY(ax_wood_create(env, &t->rows, p, *pool, out, err));
    while (!done)
        AX_TRY(ax_wood_grow(*out, &done, err));
    return ax_wood_forest(*out, err) != NULL ? AX_OK : err->status;
}

/* The wood lives without its pool: nothing grows any more. */
static ax_wood *grow(const table *t, const ax_wood_params *p, int threads)
{
    ax_pool *pool = NULL;
    ax_wood *wood = NULL;
    ax_error err = {0};

    if (grow_in(unit_env(), t, p, threads, &pool, &wood, &err) != AX_OK) {
        unit_check(false, "grow: %s", err.message);
        exit(unit_done());
    }
    ax_pool_close(pool);
    return wood;
}

static const ax_forest *forest_of(ax_wood *w)
{
    ax_error err;

    return ax_wood_forest(w, &err);
}

static bool says_yes(const ax_tree_node *x, float number)
{
    return isnan(number) ? x->missing_yes : x->equal ? number == x->threshold : number <= x->threshold;
}

static const ax_tree_node *walk(const ax_forest *f, int tree, const table *t, int32_t row)
{
    const ax_tree_node *x = &f->node[f->root[tree]];

    while (x->feature >= 0)
        x = &f->node[says_yes(x, number(t, row, x->feature)) ? x->yes : x->no];
    return x;
}

/* ---- the reference --------------------------------------------------------------------------- */

typedef struct part {
    const table *t;
    const ax_wood_params *p;
    const double *weight; /* (rows) 0: not in the sample */
    int32_t row[MOST_ROWS];
    int n;
} part;

/* weight * impurity, from the rows; *sum the weights. */
static double risk(const part *x, double *sum)
{
    double by[MOST_CLASSES] = {0}, mean = 0, out = 0, weight = 0;

    for (int i = 0; i < x->n; i++) {
        double w = x->weight[x->row[i]];

        weight += w;
        by[x->t->classes[x->row[i]] % MOST_CLASSES] += w;
        mean += w * x->t->values[x->row[i]];
    }
    mean /= weight;
    for (int i = 0; i < x->n && x->p->criterion == AX_SQUARED_ERROR; i++)
        out += x->weight[x->row[i]] * pow(x->t->values[x->row[i]] - mean, 2);
    for (int k = 0; k < MOST_CLASSES && x->p->criterion != AX_SQUARED_ERROR; k++)
        if (by[k] > 0)
            out += x->p->criterion == AX_GINI ? by[k] * (1 - by[k] / weight) : -by[k] * log2(by[k] / weight);
    *sum = weight;
    return out;
}

static void divide(const part *x, const ax_tree_node *rule, part *yes, part *no)
{
    *yes = (part){.t = x->t, .p = x->p, .weight = x->weight};
    *no = *yes;
    for (int i = 0; i < x->n; i++) {
        part *to = says_yes(rule, number(x->t, x->row[i], rule->feature)) ? yes : no;

        to->row[to->n++] = x->row[i];
    }
}

/* What a split gains; -1 when it is none, or one side has too few rows. */
static double gain_of(const part *x, const ax_tree_node *rule)
{
    static part yes, no;
    double weight;
    int least = (int) x->p->min_samples_leaf;

    divide(x, rule, &yes, &no);
    if (yes.n < AX_MAX(least, 1) || no.n < AX_MAX(least, 1))
        return -1;
    return risk(x, &weight) - risk(&yes, &weight) - risk(&no, &weight);
}

/* The most that any split of the node gains; -1: there is none. */
static double best_gain(const part *x)
{
    double best = -1;

    for (int j = 0; j < x->t->bins.columns; j++)
        for (int b = 0; b < x->t->column[j].n; b++)
            for (int how = 0; how < (x->t->column[j].category ? 4 : 2); how++) {
                ax_tree_node rule = {.feature = j, .threshold = (float) b, .missing_yes = how & 1, .equal = how & 2};
                double gain = gain_of(x, &rule);

                best = gain > best ? gain : best;
            }
    return best;
}

typedef struct findings {
    int nodes, bad_gain, bad_cover, bad_leaf, bad_value, bad_order;
    double total_weight;
    double gain[MOST_COLUMNS];
} findings;

static void hold_value(const part *x, const ax_forest *f, const ax_tree_node *leaf, findings *out)
{
    const float *value = &f->value[leaf->leaf];
    double want[MOST_CLASSES] = {0}, sum = 0;

    for (int i = 0; i < x->n; i++) {
        double w = x->weight[x->row[i]];

        sum += w;
        if (x->p->criterion == AX_SQUARED_ERROR)
            want[0] += w * x->t->values[x->row[i]];
        else
            want[x->t->classes[x->row[i]]] += w;
    }
    for (int k = 0; k < f->width; k++)
        out->bad_value += !(fabs(value[k] - want[k] / sum) <= 1e-5 * fmax(1, fabs(value[k])));
}

/* A leaf has to be one: by the limits, because it is pure, or because nothing can be gained. */
static void hold_leaf(const part *x, int depth, double impurity, findings *out)
{
    const ax_wood_params *p = x->p;
    double best;

    if (impurity < 1e-9 * out->total_weight || (p->max_depth > 0 && depth >= p->max_depth))
        return;
    if (x->n < p->min_samples_split || x->n < 2 * p->min_samples_leaf)
        return;
    best = best_gain(x);
    out->bad_leaf += best >= 0 && best / out->total_weight >= p->min_impurity_decrease + 1e-9;
}

static void hold_node(const part *x, const ax_forest *f, int32_t at, int depth, bool best, findings *out)
{
    const ax_tree_node *node = &f->node[at];
    double weight, impurity = risk(x, &weight), gain;
    part *yes, *no;

    out->nodes++;
    if (depth == 0)
        out->total_weight = weight;
    out->bad_cover += !(fabs(node->cover - weight) <= 1e-5 * weight);
    if (node->feature < 0) {
        hold_value(x, f, node, out);
        if (best)
            hold_leaf(x, depth, impurity, out);
        return;
    }
    gain = gain_of(x, node);
    out->gain[node->feature] += gain;
    out->bad_gain += !(fabs(gain - node->gain) <= 1e-5 * fmax(1, impurity)) || gain < 0;
    if (best)
        out->bad_gain += gain < best_gain(x) - 1e-7 * fmax(1, impurity);
    out->bad_order += node->yes <= at || node->no <= at;
    yes = malloc(2 * sizeof(part));
    no = yes + 1;
    divide(x, node, yes, no);
    hold_node(yes, f, node->yes, depth + 1, best, out);
    hold_node(no, f, node->no, depth + 1, best, out);
    free(yes);
}

static part everything(const table *t, const ax_wood_params *p, const double *weight)
{
    part all = {.t = t, .p = p, .weight = weight};

    for (int i = 0; i < t->bins.rows; i++)
        if (weight[i] > 0)
            all.row[all.n++] = i;
    return all;
}

/* best: every split has to be the best one. */
static void hold_tree(const table *t, const ax_wood_params *p, bool best, const char *what)
{
    static double weight[MOST_ROWS];
    static part all;
    ax_wood *w = grow(t, p, 1);
    findings out = {0};

    for (int i = 0; i < t->bins.rows; i++)
        weight[i] = t->rows.weights != NULL ? t->weights[i] : 1;
    all = everything(t, p, weight);
    hold_node(&all, forest_of(w), 0, 0, best, &out);
    unit_check(out.bad_gain + out.bad_cover + out.bad_leaf + out.bad_value + out.bad_order == 0 && out.nodes > 1,
               "%s: %d nodes; wrong gains %d, covers %d, leaves %d, values %d, numbers %d", what, out.nodes,
               out.bad_gain, out.bad_cover, out.bad_leaf, out.bad_value, out.bad_order);
    ax_wood_free(w);
}

static void weigh(table *t)
{
    for (int i = 0; i < t->bins.rows; i++)
        t->weights[i] = unit_below(6) == 0 ? 0 : unit_uniform(0.1f, 3);
    t->rows.weights = t->weights;
}

static void test_best_splits(void)
{
    static const char *const names[] = {"gini", "entropy", "squared error"};
    static table t;
    char what[100];

    for (int round = 0; round < 18; round++) {
        int classes = round % 2 == 0 ? 2 : 2 + (int) unit_below(MOST_CLASSES - 1);
        ax_wood_params p = params_of((ax_criterion) (round % 3), classes);
        bool codes = round % 4 >= 2, weights = round % 5 >= 3;

        make_table(&t, round == 17 ? 700 : 20 + (int) unit_below(60), 3, round % 7 == 0 ? 40 : 7, codes,
                   round % 4 % 2 ? 0.15f : 0);
        make_target(&t, classes);
        if (weights)
            weigh(&t);
        p.min_samples_leaf = round % 6 == 5 ? 4 : 1;
        p.min_samples_split = round % 6 == 4 ? 9 : 2;
        p.max_depth = round % 6 == 3 ? 3 : round == 17 ? 4 : 0;
        p.min_impurity_decrease = round % 6 == 2 ? 0.01 : 0;
        snprintf(what, sizeof(what), "%s, %d rows, %s%s", names[round % 3], (int) t.bins.rows,
                 codes ? "codes" : "numbers", weights ? ", weights" : "");
        hold_tree(&t, &p, true, what);
        free(t.data);
    }
}

static void test_random_splits(void)
{
    static table t;

    for (int round = 0; round < 6; round++) {
        ax_wood_params p = params_of((ax_criterion) (round % 3), 3);

        make_table(&t, 300, 5, 50, round % 2 == 1, 0.1f);
        make_target(&t, 3);
        p.random_threshold = true;
        p.max_features = 2;
        p.min_samples_leaf = round < 3 ? 1 : 5;
        hold_tree(&t, &p, false, "random thresholds");
        free(t.data);
    }
}

/* ---- best first ------------------------------------------------------------------------------ */

/* What each node could gain, in the order of the nodes. */
static void potentials(const part *x, const ax_forest *f, int32_t at, double *potential)
{
    const ax_tree_node *node = &f->node[at];
    part *yes = malloc(2 * sizeof(part));

    potential[at] = best_gain(x);
    if (node->feature >= 0) {
        divide(x, node, yes, yes + 1);
        potentials(yes, f, node->yes, potential);
        potentials(yes + 1, f, node->no, potential);
    }
    free(yes);
}

/* A branch made its children when it was its turn; no leaf that was there by then could gain more. */
static void test_best_first(void)
{
    static table t;
    static double potential[1000], weight[MOST_ROWS];
    static part all;
    ax_wood_params p = params_of(AX_SQUARED_ERROR, 0);
    ax_wood *w;
    const ax_forest *f;
    int bad = 0, leaves = 0;

    make_table(&t, 200, 3, 9, false, 0.1f);
    make_target(&t, 2);
    p.max_leaf_nodes = 12;
    for (int i = 0; i < t.bins.rows; i++)
        weight[i] = 1;
    all = everything(&t, &p, weight);
    w = grow(&t, &p, 1);
    f = forest_of(w);
    potentials(&all, f, 0, potential);
    for (int i = 0; i < f->n_nodes; i++) {
        leaves += f->node[i].feature < 0;
        for (int j = 0; j < f->n_nodes; j++)
            bad += f->node[i].feature < 0 && f->node[j].feature >= 0 && f->node[j].yes > i + 1 &&
                   potential[i] > f->node[j].gain * (1 + 1e-5);
    }
    unit_check(bad == 0 && leaves == 12, "best first: %d leaves, %d out of turn", leaves, bad);
    ax_wood_free(w);
    hold_tree(&t, &(ax_wood_params){.criterion = AX_SQUARED_ERROR, .trees = 1, .max_leaf_nodes = 1000}, true,
              "best first without an end");
    free(t.data);
}

/* ---- pruning --------------------------------------------------------------------------------- */

typedef struct link {
    double alone, below; /* cost as a leaf, and of the leaves below */
    int leaves;
    bool cut;
} link;

static void measure(const part *x, const ax_forest *f, int32_t at, double total, link *links)
{
    part *yes = malloc(2 * sizeof(part));
    double weight;

    links[at].alone = risk(x, &weight) / total;
    if (f->node[at].feature >= 0) {
        divide(x, &f->node[at], yes, yes + 1);
        measure(yes, f, f->node[at].yes, total, links);
        measure(yes + 1, f, f->node[at].no, total, links);
    }
    free(yes);
}

static bool branch(const ax_forest *f, const link *links, int32_t at)
{
    return f->node[at].feature >= 0 && !links[at].cut;
}

static void sum_up(const ax_forest *f, int32_t at, link *links)
{
    links[at].below = links[at].alone;
    links[at].leaves = 1;
    if (!branch(f, links, at))
        return;
    sum_up(f, f->node[at].yes, links);
    sum_up(f, f->node[at].no, links);
    links[at].below = links[f->node[at].yes].below + links[f->node[at].no].below;
    links[at].leaves = links[f->node[at].yes].leaves + links[f->node[at].no].leaves;
}

static void weakest(const ax_forest *f, int32_t at, const link *links, double *alpha, int32_t *which)
{
    double own = (links[at].alone - links[at].below) / (links[at].leaves - 1);

    if (!branch(f, links, at))
        return;
    if (own < *alpha) {
        *alpha = own;
        *which = at;
    }
    weakest(f, f->node[at].yes, links, alpha, which);
    weakest(f, f->node[at].no, links, alpha, which);
}

static int differences(const ax_forest *full, int32_t a, const link *links, const ax_forest *pruned, int32_t b)
{
    const ax_tree_node *x = &full->node[a], *y = &pruned->node[b];

    if (!branch(full, links, a))
        return y->feature >= 0;
    if (x->feature != y->feature || x->threshold != y->threshold || x->cover != y->cover)
        return 1;
    return differences(full, x->yes, links, pruned, y->yes) + differences(full, x->no, links, pruned, y->no);
}

static void prune_one(table *t, ax_criterion criterion, double alpha)
{
    static double weight[MOST_ROWS];
    static link links[2 * MOST_ROWS];
    static part all;
    ax_wood_params p = params_of(criterion, 3);
    ax_wood *full = grow(t, &p, 1), *pruned;
    findings out = {0};

    for (int i = 0; i < t->bins.rows; i++)
        weight[i] = t->rows.weights != NULL ? t->weights[i] : 1;
    all = everything(t, &p, weight);
    memset(links, 0, sizeof(links));
    measure(&all, forest_of(full), 0, forest_of(full)->node[0].cover, links);
    for (;;) {
        double least = INFINITY;
        int32_t which = -1;

        sum_up(forest_of(full), 0, links);
        weakest(forest_of(full), 0, links, &least, &which);
        if (which < 0 || least > alpha)
            break;
        links[which].cut = true;
    }
    p.ccp_alpha = alpha;
    pruned = grow(t, &p, 1);
    hold_node(&all, forest_of(pruned), 0, 0, false, &out);
    unit_check(differences(forest_of(full), 0, links, forest_of(pruned), 0) == 0 &&
                   out.bad_value + out.bad_cover + out.bad_gain == 0 && forest_of(pruned)->n_nodes == out.nodes,
               "pruned by %g: %d of %d nodes", alpha, out.nodes, (int) forest_of(full)->n_nodes);
    ax_wood_free(full);
    ax_wood_free(pruned);
}

static void test_pruning(void)
{
    static table t;

    for (int round = 0; round < 9; round++) {
        static const double alphas[] = {0.0031, 0.013, 0.77};

        make_table(&t, 150, 3, 12, false, 0);
        make_target(&t, 3);
        if (round % 2)
            weigh(&t);
        prune_one(&t, (ax_criterion) (round % 3), alphas[round / 3] * (round % 3 == 2 ? 60 : 1));
        free(t.data);
    }
}

/* ---- forests --------------------------------------------------------------------------------- */

/* The draws once more: how often is a row in a tree's sample. */
static void draw(const ax_wood_params *p, int tree, int64_t n, double *times)
{
    ax_rng r = ax_rng_make(p->seed, (uint64_t) tree);

    memset(times, 0, (size_t) n * sizeof(*times));
    for (int64_t j = 0; j < n; j++)
        times[ax_rng_below(&r, (uint64_t) n)]++;
}

static double plain_score(const table *t, const ax_wood_params *p, const ax_forest *f)
{
    static double sum[MOST_ROWS][MOST_CLASSES], times[MOST_ROWS];
    static int seen[MOST_ROWS];
    double right = 0, rows = 0, mean = 0, left = 0, all = 0;

    memset(sum, 0, sizeof(sum));
    memset(seen, 0, sizeof(seen));
    for (int tree = 0; tree < f->n_trees; tree++) {
        draw(p, tree, t->bins.rows, times);
        for (int i = 0; i < t->bins.rows; i++)
            for (int k = 0; k < f->width && times[i] == 0; k++) {
                sum[i][k] += f->value[walk(f, tree, t, i)->leaf + k];
                seen[i] += k == 0;
            }
    }
    for (int i = 0; i < t->bins.rows; i++) {
        int best = 0;

        for (int k = 1; k < f->width; k++)
            best = sum[i][k] > sum[i][best] ? k : best;
        rows += seen[i] > 0;
        right += seen[i] > 0 && best == t->classes[i];
        mean += seen[i] > 0 ? t->values[i] : 0;
    }
    if (p->criterion != AX_SQUARED_ERROR)
        return right / rows;
    for (int i = 0; i < t->bins.rows; i++)
        if (seen[i] > 0) {
            left += pow(t->values[i] - sum[i][0] / seen[i], 2);
            all += pow(t->values[i] - mean / rows, 2);
        }
    return 1 - left / all;
}

static void test_out_of_bag(void)
{
    static table t;

    for (int round = 0; round < 3; round++) {
        ax_wood_params p = params_of((ax_criterion) round, 3);
        ax_wood *w;
        double got;

        make_table(&t, 120, 4, 30, round == 1, 0.1f);
        make_target(&t, 3);
        p.bootstrap = p.oob = true;
        p.trees = 7;
        p.max_features = 2;
        p.max_depth = round == 0 ? 3 : 0;
        w = grow(&t, &p, 2);
        got = ax_wood_oob_score(w);
        unit_near(got, plain_score(&t, &p, forest_of(w)), 1e-5, "out-of-bag score %.4f", got);
        ax_wood_free(w);
        free(t.data);
    }
}

/* A row that was drawn k times weighs k; importances are the splits' gains by share of the rows. */
static void test_bootstrap(void)
{
    static table t;
    static double times[MOST_ROWS];
    static part all;
    ax_wood_params p = params_of(AX_GINI, 3);
    double gain[MOST_COLUMNS], count[MOST_COLUMNS], wrong = 0, splits = 0;
    findings out = {0};
    ax_wood *w;

    make_table(&t, 300, 3, 9, false, 0.1f);
    make_target(&t, 3);
    p.bootstrap = true;
    draw(&p, 0, t.bins.rows, times);
    all = everything(&t, &p, times);
    w = grow(&t, &p, 1);
    hold_node(&all, forest_of(w), 0, 0, true, &out);
    ax_wood_importance(w, gain, count);
    for (int j = 0; j < 3; j++) {
        wrong += fabs(gain[j] - out.gain[j] / 300) > 1e-5;
        splits += count[j];
    }
    unit_check(out.bad_gain + out.bad_cover + out.bad_leaf + out.bad_value == 0, "a bootstrap sample by weights");
    unit_check(wrong == 0 && splits == (out.nodes - 1) / 2, "importances");
    ax_wood_free(w);
    p.bootstrap = false;
    p.max_samples = 100;
    w = grow(&t, &p, 1);
    unit_check(forest_of(w)->node[0].cover == 100, "100 of 300 rows without replacement");
    ax_wood_free(w);
    free(t.data);
}

static bool same_forest(ax_wood *a, ax_wood *b)
{
    const ax_forest *f = forest_of(a), *g = forest_of(b);
    bool same = f->n_nodes == g->n_nodes && f->n_values == g->n_values && f->n_trees == g->n_trees;

    for (int i = 0; same && i < f->n_nodes; i++) {
        const ax_tree_node *x = &f->node[i], *y = &g->node[i];

        same = x->feature == y->feature && x->threshold == y->threshold && x->equal == y->equal && x->yes == y->yes &&
               x->no == y->no && x->leaf == y->leaf && x->missing_yes == y->missing_yes && x->cover == y->cover &&
               x->gain == y->gain;
    }
    return same && memcmp(f->value, g->value, (size_t) f->n_values * sizeof(float)) == 0 &&
           memcmp(f->root, g->root, (size_t) f->n_trees * sizeof(int32_t)) == 0;
}

/* Sixteen woods of all kinds. */
static ax_wood_params some_params(int kind)
{
    ax_wood_params p = params_of((ax_criterion) (kind % 4), 5);

    p.trees = 9;
    p.bootstrap = kind % 2 == 0;
    p.oob = p.bootstrap;
    p.random_threshold = kind % 3 == 0;
    p.max_features = kind % 5 == 0 ? 0 : 2;
    p.max_leaf_nodes = kind == 5 || kind == 6 ? 50 : 0;
    p.ccp_alpha = kind == 8 || kind == 9 ? 0.001 : 0;
    p.max_samples = kind % 4 == 3 ? 256 : 0;
    return p;
}

static void test_same_bits(void)
{
    static table t;
    int bad = 0;

    make_table(&t, MOST_ROWS, 6, 60, true, 0.05f);
    make_target(&t, 5);
    for (int kind = 0; kind < 16; kind++) {
        ax_wood_params p = some_params(kind);
        ax_wood *one = grow(&t, &p, 1);

        for (int threads = 0; threads <= 4; threads += 2) {
            ax_wood *more = grow(&t, &p, threads);
            double a = ax_wood_oob_score(one), b = ax_wood_oob_score(more);

            bad += !same_forest(one, more) || memcmp(&a, &b, sizeof(a)) != 0;
            ax_wood_free(more);
        }
        ax_wood_free(one);
    }
    unit_check(bad == 0, "the same bits without a pool and with 1, 2 and 4 threads");
    free(t.data);
}

/* One-class leaves share their numbers; all leaves' shares add up to one. */
static void test_shared_leaves(void)
{
    static table t;
    ax_wood_params p = params_of(AX_GINI, 7);
    ax_wood *w;
    const ax_forest *f;
    int bad = 0, leaves = 0;

    make_table(&t, 2000, 5, 200, false, 0);
    make_target(&t, 7);
    p.trees = 5;
    p.bootstrap = true;
    w = grow(&t, &p, 2);
    f = forest_of(w);
    for (int i = 0; i < f->n_nodes; i++)
        if (f->node[i].feature < 0) {
            double sum = 0;

            for (int k = 0; k < 7; k++)
                sum += f->value[f->node[i].leaf + k];
            bad += fabs(sum - 1) > 1e-6 || f->node[i].leaf + 7 > f->n_values;
            leaves++;
        }
    unit_check(bad == 0 && leaves > 1000, "shares of %d leaves", leaves);
    unit_check(f->n_values < leaves / 10, "one-class leaves share %d numbers", (int) f->n_values);
    ax_wood_free(w);
    free(t.data);
}

/* ---- isolation ------------------------------------------------------------------------------- */

static void test_isolation(void)
{
    static table t;
    ax_wood_params p = params_of(AX_RANDOM_CUTS, 0);
    static double path[MOST_ROWS];
    double before = 0;
    ax_wood *w;
    const ax_forest *f;

    make_table(&t, 1000, 4, 100, false, 0.02f);
    for (int i = 0; i < 1000; i++)
        for (int j = 0; j < 4; j++)
            if (*cell(&t, i, j) != AX_BIN_MISSING)
                *cell(&t, i, j) =
                    (uint8_t) (i < 10 ? (unit_below(2) ? 0 : 95) + unit_below(5) : 50 + 6 * unit_normal());
    p.trees = 100;
    p.max_samples = 256;
    w = grow(&t, &p, 2);
    f = forest_of(w);
    for (int i = 0; i < 1000; i++)
        for (int tree = 0; tree < 100; tree++)
            path[i] += f->value[walk(f, tree, &t, i)->leaf] / 100;
    for (int i = 0; i < 10; i++)
        for (int j = 10; j < 1000; j++)
            before += path[i] < path[j];
    unit_check(before / 9900 > 0.99, "outliers stand apart: AUC %.4f", before / 9900);
    unit_check(f->node[0].cover == 256 && f->average && f->width == 1, "256 rows a tree");
    unit_near(ax_isolation_path(256), 10.244770920116851, 1e-12, "path length of 256 rows");
    unit_check(ax_isolation_path(1) == 0 && ax_isolation_path(2) == 1 && ax_isolation_path(0) == 0, "and of few");
    ax_wood_free(w);
    free(t.data);
}

/* A leaf is its depth and the path among its rows. */
static int wrong_paths(const ax_forest *f, int32_t at, int depth, int *deepest)
{
    const ax_tree_node *x = &f->node[at];

    *deepest = AX_MAX(*deepest, depth);
    if (x->feature < 0)
        return fabs(f->value[x->leaf] - depth - ax_isolation_path(x->cover)) > 1e-5;
    return wrong_paths(f, x->yes, depth + 1, deepest) + wrong_paths(f, x->no, depth + 1, deepest);
}

static void test_path_lengths(void)
{
    static table t;
    ax_wood_params p = params_of(AX_RANDOM_CUTS, 0);
    int bad = 0, deepest = 0;
    ax_wood *w;

    make_table(&t, 500, 3, 20, true, 0.1f);
    p.trees = 20;
    p.max_samples = 100;
    w = grow(&t, &p, 1);
    for (int tree = 0; tree < 20; tree++)
        bad += wrong_paths(forest_of(w), forest_of(w)->root[tree], 0, &deepest);
    unit_check(bad == 0 && deepest == 7, "path lengths, at most 7 deep");
    ax_wood_free(w);
    free(t.data);
}

/* ---- what may go wrong ----------------------------------------------------------------------- */

static void refuse(const table *t, const ax_wood_params *p, ax_status want, const char *what)
{
    ax_error err = {0};
    ax_wood *w = NULL;

    unit_status(ax_wood_create(unit_env(), &t->rows, p, NULL, &w, &err), want, &err, "%s", what);
    unit_check(w == NULL && err.message[0] != '\0', "%s: %s", what, err.message);
}

static void test_refusals(void)
{
    static table t;
    ax_wood_params gini = params_of(AX_GINI, 2), squared = params_of(AX_SQUARED_ERROR, 0), p;

    make_table(&t, 10, 2, 5, false, 0);
    t.classes[3] = 2;
    refuse(&t, &gini, AX_ERR_INVALID, "a class that is not there");
    t.classes[3] = 1;
    t.values[4] = NAN;
    refuse(&t, &squared, AX_ERR_NUMERIC, "a target that is no number");
    t.values[4] = 1;
    t.rows.weights = t.weights;
    t.weights[0] = -1;
    refuse(&t, &gini, AX_ERR_NUMERIC, "a negative weight");
    memset(t.weights, 0, sizeof(t.weights));
    refuse(&t, &gini, AX_ERR_INVALID, "no weight");
    t.rows.weights = NULL;
    p = gini;
    p.trees = 0;
    refuse(&t, &p, AX_ERR_INVALID, "no trees");
    p = gini;
    p.n_classes = 1000000;
    refuse(&t, &p, AX_ERR_LIMIT, "too many classes");
    p = gini;
    p.ccp_alpha = NAN;
    refuse(&t, &p, AX_ERR_INVALID, "pruning by no number");
    t.rows.n = t.bins.rows = 0;
    refuse(&t, &gini, AX_ERR_INVALID, "no rows");
    free(t.data);
}

/* Trees that are a single leaf. */
static void test_single_leaves(void)
{
    static table t;
    ax_wood_params p = params_of(AX_SQUARED_ERROR, 0);
    ax_wood *w;

    make_table(&t, 1, 2, 5, false, 0);
    t.values[0] = 0.1f;
    w = grow(&t, &p, 1);
    unit_check(forest_of(w)->n_nodes == 1 && forest_of(w)->value[0] == 0.1f, "one row");
    ax_wood_free(w);
    free(t.data);
    make_table(&t, 20, 2, 5, true, 1.1f);
    for (int i = 0; i < 20; i++)
        t.values[i] = (float) (i % 2);
    w = grow(&t, &p, 1);
    unit_check(forest_of(w)->n_nodes == 1 && forest_of(w)->value[0] == 0.5f, "all missing");
    ax_wood_free(w);
    for (int i = 0; i < 20; i += 2)
        *cell(&t, i, 1) = 3;
    w = grow(&t, &p, 1);
    unit_check(forest_of(w)->n_nodes == 3 && forest_of(w)->value[0] + forest_of(w)->value[1] == 1, "missing or not");
    unit_check(walk(forest_of(w), 0, &t, 0)->leaf != walk(forest_of(w), 0, &t, 1)->leaf, "and numbers know their way");
    ax_wood_free(w);
    free(t.data);
}

/* A subset of the table's rows, given by number. */
static void test_some_rows(void)
{
    static table t, half;
    static int32_t rows[100];
    ax_wood_params p = params_of(AX_GINI, 3);
    ax_wood *a, *b;

    make_table(&t, 200, 3, 9, false, 0.1f);
    make_target(&t, 3);
    unit_seed(99);
    make_table(&half, 100, 3, 9, false, 0.1f);
    for (int i = 0; i < 100; i++) {
        rows[i] = 2 * i + 1;
        half.classes[i] = t.classes[rows[i]];
        for (int j = 0; j < 3; j++)
            *cell(&half, i, j) = *cell(&t, rows[i], j);
    }
    t.rows.row = rows;
    t.rows.n = 100;
    p.trees = 3;
    p.bootstrap = true;
    a = grow(&t, &p, 1);
    b = grow(&half, &p, 1);
    unit_check(same_forest(a, b), "every other row of a table");
    ax_wood_free(a);
    ax_wood_free(b);
    free(t.data);
    free(half.data);
}

static void test_no_memory(void)
{
    static table t;
    size_t before = unit_live_bytes();
    int bad = 0, tried = 0;

    make_table(&t, 400, 3, 9, false, 0);
    make_target(&t, 5);
    for (long n = 1;; n++, tried++) {
        const ax_env *env = unit_env_fail_at(n);
        ax_wood_params p = some_params(8);
        ax_error err;
        ax_pool *pool = NULL;
        ax_wood *w = NULL;
        ax_status status = grow_in(env, &t, &p, 2, &pool, &w, &err);
        bool tripped = unit_env_tripped();

        ax_wood_free(w);
        ax_pool_close(pool);
        if (!tripped)
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 20, "each of %d allocations may fail", tried);
    free(t.data);
}

/* More nodes than a slot has room for at first: buffers are emptied, and fail to be, in the middle of a tree. */
static void test_growing_buffers(void)
{
    static table t;
    size_t before = unit_live_bytes();
    ax_wood_params p = params_of(AX_SQUARED_ERROR, 0);
    int bad = 0, tried = 0;
    ax_wood *whole;

    make_table(&t, MOST_ROWS, 6, 250, false, 0);
    p.trees = 7;
    p.max_features = 1;
    whole = grow(&t, &p, 1);
    unit_check(forest_of(whole)->n_nodes == 7 * (2 * MOST_ROWS - 1), "a leaf for every row");
    ax_wood_free(whole);
    for (long n = 1;; n++, tried++) {
        const ax_env *env = unit_env_fail_from(n);
        ax_error err;
        ax_pool *pool = NULL;
        ax_wood *w = NULL;
        ax_status status = grow_in(env, &t, &p, 2, &pool, &w, &err);
        bool tripped = unit_env_tripped();

        ax_wood_free(w);
        ax_pool_close(pool);
        if (!tripped)
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 20, "from each of %d allocations on there may be no memory", tried);
    free(t.data);
}

static void test_cancel(void)
{
    static table t;
    size_t before = unit_live_bytes();
    int bad = 0, tried = 0;

    make_table(&t, MOST_ROWS, 6, 250, false, 0);
    make_target(&t, 5);
    for (long n = 1;; n += 1 + n / 4, tried++) {
        const ax_env *env = unit_env_cancel_at(n);
        ax_wood_params p = some_params(2);
        ax_error err;
        ax_pool *pool = NULL;
        ax_wood *w = NULL;
        ax_status status;
        bool tripped;

        p.trees = 20;
        status = grow_in(env, &t, &p, 2, &pool, &w, &err);
        tripped = unit_env_tripped();
        ax_wood_free(w);
        ax_pool_close(pool);
        if (!tripped)
            break;
        bad += status != AX_ERR_CANCELLED || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 2, "cancelled at %d moments", tried);
    free(t.data);
}

int main(void)
{
    unit_seed(5);
    test_best_splits();
    test_random_splits();
    test_best_first();
    test_pruning();
    test_out_of_bag();
    test_bootstrap();
    test_same_bits();
    test_shared_leaves();
    test_isolation();
    test_path_lengths();
    test_refusals();
    test_single_leaves();
    test_some_rows();
    test_no_memory();
    test_growing_buffers();
    test_cancel();
    return unit_done();
}
