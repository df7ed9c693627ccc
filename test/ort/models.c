/*
 * models.c: models for another runtime of ONNX to agree with.
 *
 *     models FOLDER
 *
 * writes FOLDER/NAME.onnx for each model, and FOLDER/NAME.js: raw columns as the model's inputs, with missing numbers,
 * empty texts and texts that it never saw, and what the engine answers for them. NAMEs go to stdout.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "graph/forest.h"
#include "graph/graph.h"
#include "graph/plan.h"
#include "onnx/onnx.h"

#define ROWS 64
#define MOST_COLUMNS 8

static ax_error err;
static const char *folder;

static void *take(void *ctx, size_t size)
{
    return malloc(size);
}

static void give(void *ctx, void *p)
{
    free(p);
}

static const ax_env env = {take, give, NULL, NULL};

static void must(ax_status status)
{
    if (status == AX_OK)
        return;
    fprintf(stderr, "models: %s\n", err.message);
    exit(1);
}

static uint64_t state = 42;

static int below(int n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int) ((state >> 33) % (uint64_t) n);
}

static float number(void)
{
    return below(7) == 0 ? NAN : (float) below(33) / 4 - 4;
}

/* ---- one model's rows and files -------------------------------------------------------------- */

typedef struct model {
    const char *name;
    ax_graph *g;
    int x; /* the input */
    int64_t width;
} model;

static model begin(const char *name, int n, const ax_front_column *column)
{
    model m = {.name = name};
    ax_shape shape;

    for (int i = 0; i < n; i++)
        m.width += column[i].width;
    shape = ax_shape_of(2, (const int64_t[]){AX_DIM_BATCH, m.width});
    must(ax_graph_create(&env, name, &m.g, &err));
    must(ax_graph_add_input(m.g, "input", AX_FLOAT, &shape, &m.x, &err));
    must(ax_graph_set_front(m.g, n, column, &err));
    return m;
}

static FILE *open_file(const model *m, const char *ending)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s.%s", folder, m->name, ending);
    f = fopen(path, "wb");
    if (f == NULL)
        exit(1);
    return f;
}

static void print_floats(FILE *f, int64_t n, const float *x)
{
    for (int64_t i = 0; i < n; i++)
        if (isnan(x[i]))
            fprintf(f, "NaN,");
        else
            fprintf(f, "%.9g,", (double) x[i]);
}

static const char *some_text(const ax_front_column *c)
{
    int k = below(c->n_keys + 2);

    return k < c->n_keys ? c->key[k] : k == c->n_keys ? "" : "never seen";
}

/* A column's raw values for all rows, and the numbers that they are in a row. */
static void print_column(FILE *f, const model *m, int i, int64_t at, float *rows)
{
    const ax_front_column *c = &m->g->front->column[i];

    fprintf(f, " {type: '%s', dims: [%d, %d], data: [", c->text ? "string" : "float32", ROWS, (int) c->width);
    for (int r = 0; r < ROWS; r++) {
        float *row = rows + r * m->width + at;

        if (c->text) {
            const char *text = some_text(c);

            *row = ax_front_value(c, text, strlen(text));
            fprintf(f, "'%s',", text);
            continue;
        }
        for (int64_t k = 0; k < c->width; k++)
            row[k] = number();
        print_floats(f, c->width, row);
    }
    fprintf(f, "]},\n");
}

static const float *run(const model *m, const float *rows, int64_t *n)
{
    ax_plan_spec spec = {.batch = ROWS, .loss_value = -1};
    ax_plan *p;
    ax_exec *e;
    ax_tensor y;

    must(ax_plan_create(&env, m->g, &spec, &p, &err));
    must(ax_exec_create(&env, p, ax_alloc(&env, ax_plan_arena_bytes(p)), ax_alloc(&env, ax_plan_packed_bytes(p)), NULL,
                        &e, &err));
    must(ax_exec_pack(e, NULL, &err));
    ax_exec_bind(e, m->x, rows);
    ax_exec_infer(e);
    y = ax_exec_value(e, m->g->output[0]);
    *n = ax_shape_elements(&y.shape);
    return y.data;
}

static void write_model(const model *m)
{
    FILE *f = open_file(m, "onnx");
    size_t size;
    uint8_t *bytes;

    must(ax_onnx_encoded_size(m->g, true, &size, &err));
    bytes = malloc(size);
    must(ax_onnx_encode(m->g, true, bytes, size, &err));
    fwrite(bytes, 1, size, f);
    fclose(f);
    free(bytes);
}

/* What makes a graph a model of the engine: the fuzzers' seeds are made of these. */
static void describe(const model *m, int64_t outputs)
{
    char text[32];

    snprintf(text, sizeof text, "%d", (int) outputs);
    must(ax_graph_set_meta(m->g, "aiaas.task", "regression", &err));
    must(ax_graph_set_meta(m->g, "aiaas.loss", "mean_squared_error", &err));
    must(ax_graph_set_meta(m->g, "aiaas.huber_delta", "1", &err));
    must(ax_graph_set_meta(m->g, "aiaas.label_smoothing", "0", &err));
    must(ax_graph_set_meta(m->g, "aiaas.classes", "0", &err));
    must(ax_graph_set_meta(m->g, "aiaas.targets", text, &err));
    must(ax_graph_set_meta(m->g, "aiaas.layers", "[]", &err));
}

static void end(model *m, int output)
{
    float *rows = calloc((size_t) (ROWS * m->width), sizeof(float));
    const float *y;
    int64_t at = 0, n;
    FILE *f;

    must(ax_graph_add_output(m->g, output, &err));
    must(ax_graph_bind(m->g, &err));
    f = open_file(m, "js");
    fprintf(f, "module.exports = {inputs: [\n");
    for (int i = 0; i < m->g->front->n; i++) {
        print_column(f, m, i, at, rows);
        at += m->g->front->column[i].width;
    }
    y = run(m, rows, &n);
    fprintf(f, "], output: [");
    print_floats(f, n, y);
    fprintf(f, "]};\n");
    fclose(f);
    describe(m, n / ROWS);
    write_model(m);
    puts(m->name);
    free(rows);
}

/* ---- columns --------------------------------------------------------------------------------- */

static const char *const jobs[] = {"teacher", "nurse", "smith", "été", "a text of some length", "x"};
static const float codes[] = {0, 1, 2, 3, 4, NAN};
static const ax_front_column mixed[] = {
    {.name = "Age, \"in\" years", .width = 1},
    {.name = "job", .text = true, .width = 1, .n_keys = 6, .key = jobs, .key_value = codes, .otherwise = -1,
     .missing = NAN},
    {.name = "input", .width = 2}, /* which the graph has, too */
    {.name = "town", .text = true, .width = 1, .n_keys = 2, .key = jobs, .key_value = codes, .otherwise = NAN,
     .missing = 3},
};
static const ax_front_column numbers[] = {{.name = "x", .width = 4}};

/* ---- forests --------------------------------------------------------------------------------- */

#define TREES 12    /* at most */
#define BRANCHES 40
#define NODES (TREES * (2 * BRANCHES + 1))

static ax_tree_node node[NODES];
static float value[3 * NODES];
static int32_t root[TREES], at_output[TREES];
static const float base[] = {0.25f, -1, 2};

static void grow(ax_forest *f, int tree, int branches)
{
    int32_t i = (int32_t) f->n_nodes, last = i + 1, end_of_branches = i + branches;

    root[tree] = i;
    at_output[tree] = tree % f->n_outputs;
    for (; i < last; i++) {
        node[i] = (ax_tree_node){.feature = -1, .cover = 1, .leaf = (int32_t) f->n_values};
        if (i < end_of_branches && (i == root[tree] || below(5) > 0)) {
            node[i].feature = below(f->n_features);
            node[i].equal = below(3) == 0;
            node[i].missing_yes = below(2);
            node[i].threshold = (float) below(17) / 2 - 4;
            node[i].yes = last++;
            node[i].no = last++;
            continue;
        }
        for (int k = 0; k < f->width; k++)
            value[f->n_values++] = (float) below(1000) / 500 - 1;
    }
    f->n_nodes = last;
}

static int add_forest(model *m, int trees, int outputs, int width, bool average)
{
    ax_forest f = {.n_features = (int) m->width, .n_outputs = outputs, .width = width, .average = average,
                   .n_trees = trees, .root = root, .at = at_output, .node = node, .value = value};
    int y;

    f.base = average ? NULL : base;
    for (int t = 0; t < trees; t++)
        grow(&f, t, trees < TREES ? 4 : BRANCHES);
    must(ax_graph_add_forest(m->g, "trees", m->x, &f, &y, &err));
    return y;
}

static void forests(void)
{
    model m = begin("forest", AX_COUNT(mixed), mixed);

    end(&m, add_forest(&m, TREES, 1, 1, false));
    m = begin("few_trees", AX_COUNT(mixed), mixed);
    end(&m, add_forest(&m, 3, 2, 2, false));
    m = begin("forest_of_classes", AX_COUNT(mixed), mixed);
    end(&m, add_forest(&m, TREES, 3, 3, true));
    m = begin("boosted_classes", AX_COUNT(numbers), numbers);
    end(&m, add_forest(&m, TREES, 3, 1, false));
}

/* One branch of any mode, its leaves -1 and 1. */
static int stump(model *m, int input, const char *mode, int missing, const char *aggregate)
{
    const int64_t zeros[] = {0, 0, 0}, ids[] = {0, 1, 2}, yes[] = {1, 0, 0}, no[] = {2, 0, 0}, miss[] = {missing, 0, 0};
    const float thresholds[] = {0.5f, 0, 0}, weights[] = {-1, 1};
    const char *const modes[] = {mode, "LEAF", "LEAF"};
    char name[64];
    ax_attr attr[] = {ax_attr_i("n_targets", 1),
                      ax_attr_is("nodes_treeids", 3, zeros),
                      ax_attr_is("nodes_nodeids", 3, ids),
                      ax_attr_is("nodes_featureids", 3, zeros),
                      ax_attr_ss("nodes_modes", 3, modes),
                      ax_attr_fs("nodes_values", 3, thresholds),
                      ax_attr_is("nodes_truenodeids", 3, yes),
                      ax_attr_is("nodes_falsenodeids", 3, no),
                      ax_attr_is("nodes_missing_value_tracks_true", 3, miss),
                      ax_attr_is("target_treeids", 2, zeros),
                      ax_attr_is("target_nodeids", 2, ids + 1),
                      ax_attr_is("target_ids", 2, zeros),
                      ax_attr_fs("target_weights", 2, weights),
                      ax_attr_s("aggregate_function", aggregate)};
    int y;

    snprintf(name, sizeof name, "%s/%d/%s", mode, missing, aggregate);
    must(ax_graph_add_node(m->g, "TreeEnsembleRegressor", name, 1, &input, AX_COUNT(attr), attr, &y, &err));
    return y;
}

static int concat(model *m, int n, const int *in)
{
    ax_attr axis = ax_attr_i("axis", 1);
    int y;

    must(ax_graph_add_node(m->g, "Concat", "all", n, in, 1, &axis, &y, &err));
    return y;
}

static void modes(void)
{
    static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                        "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
    static const char *const aggregates[] = {"SUM", "AVERAGE", "MIN", "MAX"};
    model m = begin("modes", AX_COUNT(numbers), numbers);
    int in[12];

    for (int k = 0; k < AX_COUNT(names); k++)
        for (int missing = 0; missing < 2; missing++)
            in[2 * k + missing] = stump(&m, m.x, names[k], missing, aggregates[k % 4]);
    end(&m, concat(&m, 12, in));
}

/* ---- preparation ----------------------------------------------------------------------------- */

static int add(model *m, const char *op, const char *name, int n, const int *in, int n_attr, const ax_attr *attr)
{
    int y;

    must(ax_graph_add_node(m->g, op, name, n, in, n_attr, attr, &y, &err));
    return y;
}

static int weight(model *m, const char *name, int rank, const int64_t *dim, const float *data)
{
    ax_shape shape = ax_shape_of(rank, dim);
    int w;

    must(ax_graph_add_weight(m->g, name, AX_FLOAT, &shape, false, data, &w, &err));
    return w;
}

/* NaN -> mean, flags, powers, whole numbers, a table's rows by number: most of what stands between columns and a model. */
static void preparation(void)
{
    static const float means[] = {1, 2, 3, 4, 5}, table[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, two = 2, three = 3;
    model m = begin("preparation", AX_COUNT(mixed), mixed);
    ax_attr to_float = ax_attr_i("to", AX_FLOAT), to_int = ax_attr_i("to", AX_INT64), axis = ax_attr_i("axis", 1);
    ax_attr flat = ax_attr_i("axis", 1);
    int mean = weight(&m, "mean", 1, (const int64_t[]){5}, means), rows = weight(&m, "table", 2, (const int64_t[]){3, 3}, table);
    int square = weight(&m, "two", 0, NULL, &two), most = weight(&m, "three", 0, NULL, &three), minus;
    int nan = add(&m, "IsNaN", "isnan", 1, &m.x, 0, NULL);
    int filled = add(&m, "Where", "filled", 3, (int[]){nan, mean, m.x}, 0, NULL);
    int flags = add(&m, "Cast", "flags", 1, &nan, 1, &to_float);
    int squares = add(&m, "Pow", "squares", 2, (int[]){filled, square}, 0, NULL);
    int whole = add(&m, "Floor", "whole", 1, &filled, 0, NULL);
    int same = add(&m, "Equal", "same", 2, (int[]){whole, filled}, 0, NULL);
    int same_numbers = add(&m, "Cast", "same_numbers", 1, &same, 1, &to_float);
    int best = add(&m, "ArgMax", "best", 1, &filled, 1, &axis);
    int worst = add(&m, "ArgMin", "worst", 1, &filled, 1, &axis);
    int best_number = add(&m, "Cast", "best_number", 1, &best, 1, &to_float);
    int limited, index, row, in[8];

    (void) to_int;
    minus = add(&m, "Cast", "worst_number", 1, &worst, 1, &to_float);
    limited = add(&m, "Min", "limited", 2, (int[]){minus, most}, 0, NULL);
    limited = add(&m, "Sub", "lowered", 2, (int[]){limited, most}, 0, NULL); /* -3 to 0: rows from the end, and the first */
    index = add(&m, "Cast", "index", 1, &limited, 1, &to_int);
    row = add(&m, "Gather", "row", 2, (int[]){rows, index}, 0, NULL);
    row = add(&m, "Flatten", "flat", 1, &row, 1, &flat);
    memcpy(in, (int[]){filled, flags, squares, whole, same_numbers, best_number, minus, row}, sizeof(in));
    end(&m, concat(&m, 8, in));
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    folder = argv[1];
    ax_engine_init();
    forests();
    modes();
    preparation();
    return 0;
}
