/*
 * test_forest.c: TreeEnsembleRegressor. Random forests, as the trainers describe them, against a walk from node to
 * node: shallow and deep trees, == and <=, NaN, one output and several; the same bits for every batch size and
 * instruction set; there and back again through attributes and through ONNX bytes. Modes and attributes that only
 * other programs write. Damage of every kind.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "graph/ensemble.h"
#include "graph/forest.h"
#include "graph/op.h"
#include "graph/plan.h"
#include "onnx/onnx.h"

#include "unit.h"

#define MOST_NODES 20000
#define FEATURES 5
#define ROWS 300
#define MOST_OUTPUTS 3

static ax_error err;

/* ---- random forests -------------------------------------------------------------------------- */

typedef struct wood {
    ax_forest f;
    ax_tree_node node[MOST_NODES];
    float value[MOST_NODES * MOST_OUTPUTS];
    int32_t root[64], at[64];
    float base[MOST_OUTPUTS];
} wood;

/* Grows one tree: a frontier of nodes is split until there are enough. */
static void grow_tree(wood *w, int t, int branches)
{
    int32_t from = (int32_t) w->f.n_nodes, end = from + 1;

    w->root[t] = from;
    w->at[t] = t % w->f.n_outputs;
    w->node[from] = (ax_tree_node){.feature = -1};
    for (int32_t i = from; i < end; i++) {
        ax_tree_node *n = &w->node[i];

        *n = (ax_tree_node){.feature = -1, .cover = (float) unit_below(100)};
        if (branches > 0 && (i == from || unit_below(4) > 0)) {
            n->feature = (int32_t) unit_below(FEATURES);
            n->equal = unit_below(5) == 0;
            n->missing_yes = unit_below(2) == 0;
            n->threshold = (float) unit_below(9) / 2 - 2;
            n->yes = end++;
            n->no = end++;
            branches--;
        } else {
            n->leaf = (int32_t) w->f.n_values;
            for (int k = 0; k < w->f.width; k++)
                w->value[w->f.n_values++] = unit_normal();
        }
    }
    w->f.n_nodes = end;
}

static wood *grow(int trees, int outputs, int width, bool average, int branches)
{
    wood *w = calloc(1, sizeof(*w));

    w->f = (ax_forest){.n_features = FEATURES, .n_outputs = outputs, .width = width, .average = average,
                       .base = w->base, .n_trees = trees, .root = w->root, .at = w->at, .node = w->node,
                       .value = w->value};
    for (int o = 0; o < outputs; o++)
        w->base[o] = unit_normal();
    for (int t = 0; t < trees; t++)
        grow_tree(w, t, t == 0 ? 0 : (int) unit_below(branches + 1));
    return w;
}

/* A chain: as deep as it has branches. */
static wood *chain(int branches)
{
    wood *w = grow(1, 1, 1, false, 0);

    w->f.n_nodes = 2 * branches + 1;
    w->f.n_values = branches + 1;
    for (int i = 0; i < branches; i++) {
        w->node[2 * i] = (ax_tree_node){.feature = i % FEATURES, .threshold = (float) i / 16 - 2, .missing_yes = true};
        w->node[2 * i].no = 2 * i + 1;
        w->node[2 * i].yes = 2 * i + 2;
        w->node[2 * i + 1] = (ax_tree_node){.feature = -1, .leaf = i};
        w->value[i] = unit_normal();
    }
    w->node[2 * branches] = (ax_tree_node){.feature = -1, .leaf = branches};
    w->value[branches] = 7;
    return w;
}

static void walk(const ax_forest *f, const float *x, double *y)
{
    for (int o = 0; o < f->n_outputs; o++)
        y[o] = 0;
    for (int t = 0; t < f->n_trees; t++) {
        const ax_tree_node *n = &f->node[f->root[t]];

        while (n->feature >= 0) {
            float v = x[n->feature];
            bool yes = isnan(v) ? n->missing_yes : n->equal ? v == n->threshold : v <= n->threshold;

            n = &f->node[yes ? n->yes : n->no];
        }
        for (int k = 0; k < f->width; k++)
            y[f->width > 1 ? k : f->at != NULL ? f->at[t] : 0] += f->value[n->leaf + k];
    }
    for (int o = 0; o < f->n_outputs; o++)
        y[o] = (f->average ? y[o] / f->n_trees : y[o]) + (f->base != NULL ? f->base[o] : 0);
}

/* ---- running --------------------------------------------------------------------------------- */

static float rows[ROWS * FEATURES];

static void make_rows(bool nan)
{
    for (int i = 0; i < ROWS * FEATURES; i++)
        rows[i] = nan && unit_below(6) == 0 ? NAN : unit_below(20) == 0 ? INFINITY : (float) unit_below(17) / 4 - 2;
}

static ax_graph *new_graph(int *x)
{
    ax_shape shape = ax_shape_of(2, (const int64_t[]){AX_DIM_BATCH, FEATURES});
    ax_graph *g = NULL;

    ax_graph_create(unit_env(), "wood", &g, &err);
    ax_graph_add_input(g, "x", AX_FLOAT, &shape, x, &err);
    return g;
}

static ax_graph *plant(const ax_forest *f)
{
    int x, y;
    ax_graph *g = new_graph(&x);

    unit_status(ax_graph_add_forest(g, "trees", x, f, &y, &err), AX_OK, &err, "a forest of %d trees", f->n_trees);
    ax_graph_add_output(g, y, &err);
    ax_graph_bind(g, &err);
    return g;
}

static ax_status run(const ax_env *env, const ax_graph *g, int64_t batch, float *out)
{
    ax_plan_spec spec = {.batch = batch, .loss_value = -1};
    ax_plan *p = NULL;
    ax_exec *e = NULL;
    void *memory = NULL, *packed = NULL;
    ax_status status = ax_plan_create(env, g, &spec, &p, &err);

    if (status == AX_OK) {
        memory = ax_alloc(env, ax_plan_arena_bytes(p));
        packed = ax_alloc(env, ax_plan_packed_bytes(p));
        status = memory == NULL || packed == NULL ? AX_ERR_NOMEM
                                                  : ax_exec_create(env, p, memory, packed, NULL, &e, &err);
    }
    if (status == AX_OK) {
        ax_tensor y = ax_exec_value(e, g->output[0]);

        ax_exec_bind(e, g->input[0], rows);
        ax_exec_infer(e);
        memcpy(out, y.data, ax_tensor_bytes(AX_FLOAT, &y.shape));
    }
    ax_exec_free(e);
    ax_plan_free(p);
    ax_free(env, memory);
    ax_free(env, packed);
    return status;
}

/* What all rows get at once, against the walk. */
static void check_values(const ax_forest *f, const float *out, const char *what)
{
    int bad = 0;

    for (int i = 0; i < ROWS; i++) {
        double y[MOST_OUTPUTS];

        walk(f, rows + i * FEATURES, y);
        for (int o = 0; o < f->n_outputs; o++)
            bad += !(fabs(y[o] - out[i * f->n_outputs + o]) <= 1e-5 * (1 + fabs(y[o])));
    }
    unit_is_int(bad, 0, "%s: %d trees, %d outputs", what, f->n_trees, f->n_outputs);
}

static void check_bits(const ax_graph *g, int outputs, const float *out)
{
    static const int batches[] = {1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 129, 257};
    static const char *const isas[] = {"baseline", "avx2", "avx512"};
    static float again[ROWS * MOST_OUTPUTS];
    char best[16];
    int bad = 0;

    snprintf(best, sizeof best, "%s", ax_isa());
    for (int k = 0; k < AX_COUNT(isas); k++) {
        if (ax_isa_force(isas[k], &err) != AX_OK)
            continue;
        for (int b = 0; b < AX_COUNT(batches); b++) {
            run(unit_env(), g, batches[b], again);
            bad += memcmp(again, out, (size_t) (batches[b] * outputs) * sizeof(float)) != 0;
        }
    }
    ax_isa_force(best, &err);
    unit_is_int(bad, 0, "the same bits for every batch size and instruction set");
}

static uint8_t *encode(const ax_graph *g, size_t *size)
{
    uint8_t *bytes;

    unit_status(ax_onnx_encoded_size(g, true, size, &err), AX_OK, &err, "its size");
    bytes = malloc(*size);
    unit_status(ax_onnx_encode(g, true, bytes, *size, &err), AX_OK, &err, "its bytes");
    return bytes;
}

/* Through bytes, and through ax_graph_read_forest. */
static void check_round_trip(const ax_graph *g, const ax_forest *f, const float *out)
{
    static float again[ROWS * MOST_OUTPUTS];
    size_t size, size_again;
    uint8_t *bytes = encode(g, &size), *bytes_again;
    ax_graph *h = NULL;
    ax_arena arena;
    ax_forest back;
    float cover = 0, cover_back = 0;

    ax_arena_init(&arena, unit_env());
    if (!unit_status(ax_onnx_decode(unit_env(), bytes, size, &h, &err), AX_OK, &err, "read back"))
        return;
    ax_graph_bind(h, &err);
    run(unit_env(), h, ROWS, again);
    unit_same(again, out, (size_t) (ROWS * f->n_outputs) * sizeof(float), "it answers the same");
    bytes_again = encode(h, &size_again);
    unit_check(size == size_again && memcmp(bytes, bytes_again, size) == 0, "written again: same bytes");
    unit_status(ax_graph_read_forest(&h->node[0], &arena, &back, &err), AX_OK, &err, "trees again");
    check_values(&back, out, "trees read back");
    for (int64_t i = 0; i < f->n_nodes; i++) {
        cover += f->node[i].cover;
        cover_back += back.node[i].cover;
    }
    unit_near(cover_back, cover, 0, "covers");
    ax_arena_free(&arena);
    ax_graph_free(h);
    free(bytes);
    free(bytes_again);
}

static void check_forest(wood *w, bool nan)
{
    static float out[ROWS * MOST_OUTPUTS];
    ax_graph *g = plant(&w->f);

    make_rows(nan);
    unit_status(run(unit_env(), g, ROWS, out), AX_OK, &err, "planned and run");
    check_values(&w->f, out, nan ? "with NaN" : "without NaN");
    check_bits(g, w->f.n_outputs, out);
    check_round_trip(g, &w->f, out);
    ax_graph_free(g);
    free(w);
}

static void test_forests(void)
{
    check_forest(grow(1, 1, 1, false, 0), true);
    for (int nan = 0; nan < 2; nan++) {
        check_forest(grow(20, 1, 1, false, 30), nan);
        check_forest(grow(13, 3, 1, false, 60), nan);
        check_forest(grow(9, 3, 3, true, 200), nan);
        check_forest(grow(7, 2, 2, false, 7), nan);
        check_forest(chain(5), nan);
        check_forest(chain(6), nan);
        check_forest(chain(7), nan);
        check_forest(chain(300), nan);
    }
}

/* Only <=, which has kernels of its own. */
static void test_plain(void)
{
    for (int nan = 0; nan < 2; nan++) {
        wood *w = grow(30, 1, 1, false, 100);

        for (int64_t i = 0; i < w->f.n_nodes; i++)
            w->node[i].equal = false;
        check_forest(w, nan);
    }
}

/* ---- what others write ----------------------------------------------------------------------- */

/* One branch and two leaves: 1 for yes, 2 for no; each list may be replaced. */
typedef struct stump {
    ax_attr attr[17];
    int n;
} stump;

static const int64_t zeros[] = {0, 0, 0}, ids[] = {0, 1, 2}, yes[] = {1, 0, 0}, no[] = {2, 0, 0}, leaves[] = {1, 2};
static const float thresholds[] = {0.5f, 0, 0}, weights[] = {1, 2};
static const char *const modes[] = {"BRANCH_LEQ", "LEAF", "LEAF"};

static stump make_stump(void)
{
    stump s = {.n = 12};
    ax_attr attr[] = {ax_attr_i("n_targets", 1),
                      ax_attr_is("nodes_treeids", 3, zeros),
                      ax_attr_is("nodes_nodeids", 3, ids),
                      ax_attr_is("nodes_featureids", 3, zeros),
                      ax_attr_ss("nodes_modes", 3, modes),
                      ax_attr_fs("nodes_values", 3, thresholds),
                      ax_attr_is("nodes_truenodeids", 3, yes),
                      ax_attr_is("nodes_falsenodeids", 3, no),
                      ax_attr_is("target_treeids", 2, zeros),
                      ax_attr_is("target_nodeids", 2, leaves),
                      ax_attr_is("target_ids", 2, zeros),
                      ax_attr_fs("target_weights", 2, weights)};

    memcpy(s.attr, attr, sizeof(attr));
    return s;
}

static void set(stump *s, ax_attr a)
{
    int k = 0;

    while (k < s->n && strcmp(s->attr[k].name, a.name) != 0)
        k++;
    s->attr[k] = a;
    s->n = AX_MAX(s->n, k + 1);
}

static ax_graph *stump_graph(const stump *s)
{
    int x, y;
    ax_graph *g = new_graph(&x);

    unit_status(ax_graph_add_node(g, "TreeEnsembleRegressor", "stump", 1, &x, s->n, s->attr, &y, &err), AX_OK, &err,
                "a node made by hand");
    ax_graph_add_output(g, y, &err);
    ax_graph_bind(g, &err);
    return g;
}

static bool decides(const char *mode, float v, float t, bool missing)
{
    bool yes = strcmp(mode, "BRANCH_LEQ") == 0   ? v <= t
               : strcmp(mode, "BRANCH_LT") == 0  ? v < t
               : strcmp(mode, "BRANCH_GTE") == 0 ? v >= t
               : strcmp(mode, "BRANCH_GT") == 0  ? v > t
               : strcmp(mode, "BRANCH_EQ") == 0  ? v == t
                                                 : v != t;

    return yes || (missing && isnan(v));
}

static void test_modes(void)
{
    static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                        "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
    const float numbers[] = {-INFINITY, -1, -0.0f, 0, 1e-45f, -1e-45f, 0.5f, nextafterf(0.5f, 0), 1, INFINITY, NAN};
    static const int64_t odd_ids[] = {INT64_MAX, -9, 2, 0};
    static float out[ROWS];
    int bad = 0;

    for (int m = 0; m < AX_COUNT(names); m++)
        for (int t = 0; t < AX_COUNT(numbers); t++)
            for (int missing = 0; missing < 2; missing++) {
                stump s = make_stump();
                ax_graph *g;

                set(&s, ax_attr_ss("nodes_modes", 3, (const char *const[]){names[m], "LEAF", "LEAF"}));
                set(&s, ax_attr_fs("nodes_values", 3, (const float[]){numbers[t], 0, 0}));
                set(&s, ax_attr_is("nodes_missing_value_tracks_true", 3, (const int64_t[]){missing, 0, 0}));
                if (missing) { /* ids of any kind */
                    set(&s, ax_attr_is("nodes_nodeids", 3, odd_ids));
                    set(&s, ax_attr_is("nodes_truenodeids", 3, odd_ids + 1));
                    set(&s, ax_attr_is("target_nodeids", 2, odd_ids + 1));
                }
                g = stump_graph(&s);
                for (int i = 0; i < AX_COUNT(numbers); i++)
                    rows[i * FEATURES] = numbers[i];
                run(unit_env(), g, AX_COUNT(numbers), out);
                for (int i = 0; i < AX_COUNT(numbers); i++)
                    bad += out[i] != (decides(names[m], numbers[i], numbers[t], missing) ? 1 : 2);
                ax_graph_free(g);
            }
    unit_is_int(bad, 0, "six modes, over all sorts of numbers");
}

static void test_aggregates(void)
{
    static const char *const names[] = {"SUM", "AVERAGE", "MIN", "MAX"};
    static const float wanted[][2] = {{3 + 10, 4 + 20}, {1.5f + 10, 2 + 20}, {1 + 10, 4 + 20}, {2 + 10, 4 + 20}};
    static const int64_t trees[] = {7, 3}, first[] = {0, 0};
    float out[3];

    for (int k = 0; k < 4; k++) { /* two trees that are leaves: 1 and 2 for output 0, 4 for output 1 from one of them */
        stump s = make_stump();
        ax_graph *g;

        set(&s, ax_attr_s("aggregate_function", names[k]));
        set(&s, ax_attr_i("n_targets", 3));
        set(&s, ax_attr_fs("base_values", 3, (const float[]){10, 20, 30}));
        set(&s, ax_attr_is("nodes_treeids", 2, trees));
        set(&s, ax_attr_is("nodes_nodeids", 2, first));
        set(&s, ax_attr_is("nodes_featureids", 2, first));
        set(&s, ax_attr_ss("nodes_modes", 2, modes + 1));
        set(&s, ax_attr_fs("nodes_values", 2, thresholds));
        set(&s, ax_attr_is("nodes_truenodeids", 2, first));
        set(&s, ax_attr_is("nodes_falsenodeids", 2, first));
        set(&s, ax_attr_is("target_treeids", 3, (const int64_t[]){3, 7, 3}));
        set(&s, ax_attr_is("target_nodeids", 3, zeros));
        set(&s, ax_attr_is("target_ids", 3, (const int64_t[]){0, 0, 1}));
        set(&s, ax_attr_fs("target_weights", 3, (const float[]){2, 1, 4}));
        g = stump_graph(&s);
        unit_status(run(unit_env(), g, 1, out), AX_OK, &err, names[k]);
        unit_near(out[0], wanted[k][0], 1e-6, "%s of 1 and 2, and the base", names[k]);
        unit_near(out[1], wanted[k][1], 1e-6, "%s of 4, and the base", names[k]);
        unit_near(out[2], 30, 0, "%s of nothing is the base", names[k]);
        ax_graph_free(g);
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void refuse(ax_attr a, ax_status status, const char *text)
{
    stump s = make_stump();
    ax_graph *g;
    float out[1];

    set(&s, a);
    g = stump_graph(&s);
    unit_status(run(unit_env(), g, 1, out), status, &err, "refused: %s", text);
    unit_check(strstr(err.message, text) != NULL, "\"%s\" says \"%s\"", err.message, text);
    ax_graph_free(g);
}

static void test_refusals(void)
{
    refuse(ax_attr_is("nodes_truenodeids", 3, (const int64_t[]){0, 0, 0}), AX_ERR_INVALID, "cycle");
    refuse(ax_attr_is("nodes_truenodeids", 3, (const int64_t[]){2, 0, 0}), AX_ERR_INVALID, "two parents");
    refuse(ax_attr_is("nodes_truenodeids", 3, (const int64_t[]){9, 0, 0}), AX_ERR_INVALID, "not there");
    refuse(ax_attr_is("nodes_truenodeids", 3, (const int64_t[]){INT64_MIN, 0, 0}), AX_ERR_INVALID, "not there");
    refuse(ax_attr_is("nodes_nodeids", 3, (const int64_t[]){0, 1, 1}), AX_ERR_INVALID, "twice");
    refuse(ax_attr_is("nodes_nodeids", 2, ids), AX_ERR_INVALID, "entries");
    refuse(ax_attr_is("nodes_treeids", 3, (const int64_t[]){0, 0, 1}), AX_ERR_INVALID, "not there");
    refuse(ax_attr_is("nodes_treeids", 0, zeros), AX_ERR_INVALID, "entries");
    refuse(ax_attr_is("nodes_featureids", 3, (const int64_t[]){-1, 0, 0}), AX_ERR_INVALID, "feature");
    refuse(ax_attr_is("nodes_featureids", 3, (const int64_t[]){FEATURES, 0, 0}), AX_ERR_INVALID, "feature");
    refuse(ax_attr_is("nodes_featureids", 3, (const int64_t[]){1 << 30, 0, 0}), AX_ERR_INVALID, "feature");
    refuse(ax_attr_ss("nodes_modes", 3, (const char *const[]){"BRANCH_LE", "LEAF", "LEAF"}), AX_ERR_INVALID, "mode");
    refuse(ax_attr_ss("nodes_modes", 3, (const char *const[]){"LEAF", "LEAF", "LEAF"}), AX_ERR_INVALID, "two roots");
    refuse(ax_attr_ss("nodes_modes", 3, (const char *const[]){"BRANCH_EQ", "BRANCH_EQ", "LEAF"}), AX_ERR_INVALID, "");
    refuse(ax_attr_is("target_nodeids", 2, (const int64_t[]){0, 1}), AX_ERR_INVALID, "no leaf");
    refuse(ax_attr_is("target_nodeids", 2, (const int64_t[]){1, 77}), AX_ERR_INVALID, "no leaf");
    refuse(ax_attr_is("target_ids", 2, (const int64_t[]){0, 1}), AX_ERR_INVALID, "output 1 of 1");
    refuse(ax_attr_fs("target_weights", 1, weights), AX_ERR_INVALID, "entries");
    refuse(ax_attr_fs("base_values", 2, weights), AX_ERR_INVALID, "entries");
    refuse(ax_attr_i("n_targets", 0), AX_ERR_INVALID, "n_targets");
    refuse(ax_attr_i("n_targets", INT64_MAX), AX_ERR_INVALID, "n_targets");
    refuse(ax_attr_s("aggregate_function", "MEDIAN"), AX_ERR_INVALID, "aggregate_function");
    refuse(ax_attr_s("post_transform", "LOGISTIC"), AX_ERR_UNSUPPORTED, "post_transform");
}

static void refuse_forest(wood *w, const char *what)
{
    int x, y;
    ax_graph *g = new_graph(&x);

    unit_status(ax_graph_add_forest(g, "trees", x, &w->f, &y, &err), AX_ERR_INVALID, &err, "%s", what);
    ax_graph_free(g);
    free(w);
}

static void test_bad_forests(void)
{
    wood *w = chain(5);

    w->node[2].yes = 2;
    refuse_forest(w, "a branch that leads to itself");
    w = chain(5);
    w->node[2].yes = 1;
    refuse_forest(w, "a branch that leads upwards");
    w = chain(5);
    w->node[0].yes = 1000;
    refuse_forest(w, "a branch that leads out of the forest");
    w = chain(5);
    w->node[0].yes = w->node[0].no;
    refuse_forest(w, "two ways to one node");
    w = chain(5);
    w->node[1].leaf = 6;
    refuse_forest(w, "a leaf without its number");
    w = chain(5);
    w->at[0] = 1;
    refuse_forest(w, "an output that is not there");
    w = chain(5);
    w->f.n_trees = 0;
    refuse_forest(w, "no trees");
}

/* Every bit of an encoded forest flipped, some at once, then planned and run. */
static void test_flips(void)
{
    wood *w = grow(3, 2, 1, false, 6);
    ax_graph *g = plant(&w->f);
    static float out[2 * 65536];
    size_t size, before = unit_live_bytes();
    uint8_t *bytes = encode(g, &size);
    int ran = 0;

    for (size_t bit = 0; bit < 8 * size; bit++) {
        ax_graph *h = NULL;

        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
        if (ax_onnx_decode(unit_env(), bytes, size, &h, &err) == AX_OK && ax_graph_bind(h, &err) == AX_OK &&
            h->value[h->input[0]].shape.rank == 2 && h->value[h->input[0]].shape.dim[1] == FEATURES)
            ran += run(unit_env(), h, 2, out) == AX_OK;
        ax_graph_free(h);
        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    unit_check(ran > 0 && unit_live_bytes() == before, "%d of %zu damaged files still run, nothing leaks", ran, 8 * size);
    free(bytes);
    ax_graph_free(g);
    free(w);
}

static ax_status live(const ax_env *env, const ax_forest *f, float *out)
{
    ax_shape shape = ax_shape_of(2, (const int64_t[]){AX_DIM_BATCH, FEATURES});
    ax_graph *g = NULL;
    ax_status status = ax_graph_create(env, "wood", &g, &err);
    int x, y;

    if (status == AX_OK)
        status = ax_graph_add_input(g, "x", AX_FLOAT, &shape, &x, &err);
    if (status == AX_OK)
        status = ax_graph_add_forest(g, "trees", x, f, &y, &err);
    if (status == AX_OK)
        status = ax_graph_add_output(g, y, &err);
    if (status == AX_OK)
        status = ax_graph_bind(g, &err);
    if (status == AX_OK)
        status = run(env, g, 4, out);
    ax_graph_free(g);
    return status;
}

static void test_no_memory(void)
{
    wood *w = grow(9, 3, 3, true, 400);
    float out[12];
    size_t before = unit_live_bytes();
    int bad = 0, tried = 0;

    for (long n = 1;; n++, tried++) {
        const ax_env *env = unit_env_fail_at(n);
        ax_status status = live(env, &w->f, out);

        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 10, "each of %d allocations may fail", tried);
    free(w);
}

int main(void)
{
    unit_seed(11);
    test_forests();
    test_plain();
    test_modes();
    test_aggregates();
    test_refusals();
    test_bad_forests();
    test_flips();
    test_no_memory();
    return unit_done();
}
