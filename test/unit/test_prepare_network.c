/*
 * test_prepare_network.c: a network on a table of mixed columns, with its preparation in front: it trains, its
 * embeddings too; becomes bytes and a model again; answers for gaps and for texts that it never saw; and is the same to
 * the bit for any number of threads.
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "nn/network.h"
#include "table_check.h"

#define ROWS 600
#define CITIES 6

static const char *const cities[CITIES] = {"Bonn", "Graz", "Lyon", "Oslo", "Riga", "Turin"};
static const char *const kinds[] = {"a", "b"};

static const char layers[] = "[{\"Dense\": {\"units\": 16, \"activation\": \"relu\"}},"
                             " {\"Dense\": {\"units\": 1, \"activation\": \"sigmoid\"}}]";
static const char options_text[] =
    "{\"epochs\": 25, \"batch_size\": 32, \"seed\": 3, \"learning_rate\": 0.01, \"columns\": {"
    " \"city\": {\"encode\": \"embedding\", \"output_dim\": 3},"
    " \"age\": {\"missing_indicator\": true},"
    " \"income\": {\"scale\": [\"log1p\", \"standardize\"], \"clip\": [0.01, 0.99]}}}";

/* age (gaps mean something), city (what decides), kind, income. */
static void make_table(table_case *t)
{
    *t = (table_case){.n_columns = 4,
                      .column = {{"age", false, 1, NULL, NULL, 0, NULL},
                                 {"city", true, 1, NULL, cities, CITIES, NULL},
                                 {"kind", true, 1, NULL, kinds, 2, NULL},
                                 {"income", false, 1, NULL, NULL, 0, NULL}},
                      .width = 4};
    unit_seed(5);
    column_rows(t, ROWS);
    for (int i = 0; i < ROWS; i++) {
        int64_t city = unit_below(CITIES);
        float *x = t->x + i * 4;

        x[0] = unit_below(5) == 0 ? NAN : 20 + (float) unit_below(50);
        x[1] = unit_below(10) == 0 ? NAN : (float) city;
        x[2] = (float) unit_below(2);
        x[3] = expf(3 * unit_normal());
        t->class[i] = isnan(x[1]) ? isnan(x[0]) : (city % 2) ^ (x[2] > 0);
    }
}

typedef struct life {
    ax_options *options;
    ax_model *model, *again;
    ax_trainer *trainer;
    uint8_t *bytes;
} life;

static ax_status build(const ax_env *env, const table_case *t, const char *network, life *l, ax_error *err)
{
    ax_model_spec spec = {.name = "table",
                          .layers = network,
                          .layers_len = strlen(network),
                          .input_type = AX_FLOAT,
                          .input_rank = 1,
                          .input_dim = {t->width},
                          .task = AX_TASK_CLASSIFICATION,
                          .n_outputs = 1,
                          .n_classes = 2,
                          .preparation = t->p};

    return ax_model_build(env, &spec, l->options, &l->model, err);
}

static ax_status train(const ax_env *env, table_case *t, life *l, int threads, ax_error *err)
{
    ax_train_event event = AX_TRAIN_MORE;

    AX_TRY(ax_trainer_create(env, l->model, t->d, NULL, l->options, threads, &l->trainer, err));
    while (event != AX_TRAIN_DONE)
        AX_TRY(ax_trainer_step(l->trainer, &event, err));
    return AX_OK;
}

static ax_status reload(const ax_env *env, life *l, bool with_weights, ax_error *err)
{
    size_t size;

    AX_TRY(ax_model_encoded_size(l->model, with_weights, &size, err));
    l->bytes = ax_alloc(env, size);
    if (l->bytes == NULL)
        return ax_nomem(err);
    AX_TRY(ax_model_encode(l->model, with_weights, l->bytes, size, err));
    AX_TRY(ax_model_decode(env, l->bytes, size, &l->again, err));
    for (int i = 0; !with_weights && i < ax_model_weight_count(l->model); i++) {
        ax_weight w;

        AX_TRY(ax_model_weight_at(l->model, i, &w, err));
        AX_TRY(ax_model_fill_weight(l->again, w.name, 0, w.data, w.bytes, err));
    }
    return ax_model_ready(l->again, err);
}

static void end(const ax_env *env, life *l)
{
    ax_trainer_free(l->trainer);
    ax_model_free(l->model);
    ax_model_free(l->again);
    ax_options_free(l->options);
    ax_free(env, l->bytes);
}

/* Learns, builds, trains. */
static ax_status live(const ax_env *env, table_case *t, const char *options, life *l, int threads, ax_error *err)
{
    AX_TRY(table_try(t, env, NULL, AX_TASK_CLASSIFICATION, options));
    AX_TRY(ax_options_parse(env, options, strlen(options), &l->options, err));
    AX_TRY(build(env, t, layers, l, err));
    return train(env, t, l, threads, err);
}

static int64_t right_rows(table_case *t, ax_model *m)
{
    int64_t right = 0;

    for (int64_t i = 0; i < t->rows; i++) {
        float out;
        ax_error err;

        if (ax_model_predict(m, ax_dataset_row(t->d, i), 1, &out, &err) == AX_OK)
            right += ax_model_decide(m, &out) == t->class[i];
    }
    return right;
}

static void check_model(table_case *t, life *l)
{
    const ax_layer_info *info = ax_model_layer_at(l->model, 0);
    /* age, log income; age is missing; kind=a, kind=b; 3 of city */
    int64_t width = 2 + 1 + 2 + 3, embedded = (CITIES + 2) * 3;

    unit_check(ax_model_prepares(l->model), "the model prepares its columns");
    unit_is_int(ax_model_input_width(l->model), 4, "it takes the row");
    unit_is_str(info->type, "Preparation", "a line of its own");
    unit_is_str(info->output_shape, "(None, 8)", "its shape");
    unit_is_int(info->parameters, embedded, "its parameters are the embeddings");
    unit_is_int(ax_model_parameters(l->model), embedded + width * 16 + 16 + 16 + 1, "all parameters");
    unit_is_int(ax_graph_parameters(l->model->graph, true), ax_model_parameters(l->model), "constants are none");
    unit_check(right_rows(t, l->model) > ROWS * 95 / 100, "it has learned %lld of %d rows",
               (long long) right_rows(t, l->model), ROWS);
}

/* Lines of the embedding that have moved from where they began. */
static void check_embedding(const table_case *t, const life *l)
{
    int v = ax_graph_find_value(l->model->graph, "preparation/embedding_0");
    const ax_front_column *f;
    const float *w;
    int n, moved = 0;

    if (!unit_check(v >= 0, "there is an embedding"))
        return;
    w = l->model->graph->value[v].data;
    for (int k = 0; k < CITIES * 3; k++)
        moved += fabsf(w[k]) > 0.06f; /* they begin within 0.05 */
    unit_check(moved > CITIES, "%d numbers of the embedding were trained", moved);
    for (int k = 0; k < 3; k++)
        unit_check(w[CITIES * 3 + k] == 0, "no row trained the line of other texts");
    unit_check(w[(CITIES + 1) * 3] != 0, "missing texts trained theirs");
    f = ax_preparation_front(t->p, &n) + 1;
    unit_is_int(f->n_keys, CITIES, "the front knows each city");
}

/* Rows as they come at a prediction: gaps, texts that are new. */
static void raw_rows(const ax_model *m, float rows[4][4])
{
    static const char *const city[] = {"Oslo", "Rome", "", "Turin"};
    static const float age[] = {30, NAN, 40, INFINITY}, income[] = {1, 1e30f, NAN, -5};

    for (int i = 0; i < 4; i++) {
        rows[i][0] = i == 3 ? 1e9f : age[i];
        rows[i][1] = ax_model_text(m, 1, city[i], strlen(city[i]));
        rows[i][2] = ax_model_text(m, 2, i == 1 ? "z" : "a", 1);
        rows[i][3] = income[i];
    }
}

static void check_again(table_case *t, life *l, bool with_weights)
{
    float rows[2][4][4], out[2][4], *all[2];
    ax_error err;

    if (!unit_status(reload(unit_env(), l, with_weights, &err), AX_OK, &err, "bytes and back"))
        return;
    unit_check(ax_model_prepares(l->again), "it still prepares");
    unit_is_int(ax_model_parameters(l->again), ax_model_parameters(l->model), "the same parameters");
    raw_rows(l->model, rows[0]);
    raw_rows(l->again, rows[1]);
    unit_same(rows[1], rows[0], sizeof(rows[0]), "texts stand for the same numbers");
    unit_status(ax_model_predict(l->model, rows[0], 4, out[0], &err), AX_OK, &err, "predicts");
    unit_status(ax_model_predict(l->again, rows[1], 4, out[1], &err), AX_OK, &err, "predicts");
    unit_same(out[1], out[0], sizeof(out[0]), "and the same answers");
    for (int i = 0; i < 4; i++)
        unit_check(out[0][i] >= 0 && out[0][i] <= 1, "row %d: %g", i, (double) out[0][i]);
    unit_check(isnan(ax_model_text(l->again, 0, "x", 1)) && isnan(ax_model_text(l->again, 9, "x", 1)),
               "no text where there is none");
    for (int k = 0; k < 2; k++)
        all[k] = malloc(ROWS * sizeof(float));
    for (int i = 0; i < ROWS; i++) {
        ax_model_predict(l->model, ax_dataset_row(t->d, i), 1, all[0] + i, &err);
        ax_model_predict(l->again, ax_dataset_row(t->d, i), 1, all[1] + i, &err);
    }
    unit_same(all[1], all[0], ROWS * sizeof(float), "for all rows");
    free(all[0]);
    free(all[1]);
}

static void test_life(void)
{
    table_case t;
    life l = {0};

    make_table(&t);
    unit_status(live(unit_env(), &t, options_text, &l, 1, &t.err), AX_OK, &t.err, "a whole life");
    check_model(&t, &l);
    check_embedding(&t, &l);
    check_again(&t, &l, true);
    ax_model_free(l.again);
    ax_free(unit_env(), l.bytes);
    l.again = NULL;
    l.bytes = NULL;
    check_again(&t, &l, false);
    end(unit_env(), &l);
    table_end(&t);
}

static void test_threads(void)
{
    static const int threads[] = {1, 2, 4};
    float *first = NULL;

    for (int k = 0; k < 3; k++) {
        table_case t;
        life l = {0};
        const ax_graph *g;

        make_table(&t);
        unit_status(live(unit_env(), &t, options_text, &l, threads[k], &t.err), AX_OK, &t.err, "%d threads",
                    threads[k]);
        g = l.model->graph;
        if (first == NULL) {
            first = malloc((size_t) g->n_param * sizeof(float));
            memcpy(first, g->param, (size_t) g->n_param * sizeof(float));
        }
        unit_same(g->param, first, (size_t) g->n_param * sizeof(float), "the same weights");
        end(unit_env(), &l);
        table_end(&t);
    }
    free(first);
}

/* ---- other networks -------------------------------------------------------------------------- */

static void built(table_case *t, const char *network, const char *options, ax_status wanted, const char *says)
{
    life l = {0};

    t->err = (ax_error){0};
    ax_options_parse(unit_env(), options, strlen(options), &l.options, &t->err);
    unit_status(build(unit_env(), t, network, &l, &t->err), wanted, &t->err, "%s", network);
    unit_check(strstr(t->err.message, says) != NULL, "it says \"%s\": %s", says, t->err.message);
    end(unit_env(), &l);
}

static void test_networks(void)
{
    static const char branches[] =
        "{\"class_name\": \"Functional\", \"config\": {\"name\": \"f\", \"layers\": ["
        "{\"class_name\": \"InputLayer\", \"name\": \"in\", \"config\": {\"batch_shape\": [null, 8], \"name\": \"in\"},"
        " \"inbound_nodes\": []},"
        "{\"class_name\": \"Dense\", \"name\": \"a\", \"config\": {\"units\": 4, \"name\": \"a\"},"
        " \"inbound_nodes\": [[[\"in\", 0, 0, {}]]]},"
        "{\"class_name\": \"Concatenate\", \"name\": \"c\", \"config\": {\"axis\": -1, \"name\": \"c\"},"
        " \"inbound_nodes\": [[[\"a\", 0, 0, {}], [\"in\", 0, 0, {}]]]},"
        "{\"class_name\": \"Dense\", \"name\": \"d\", \"config\": {\"units\": 1, \"name\": \"d\"},"
        " \"inbound_nodes\": [[[\"c\", 0, 0, {}]]]}],"
        "\"input_layers\": [[\"in\", 0, 0]], \"output_layers\": [[\"d\", 0, 0]]}}";
    table_case t;
    life l = {0};

    make_table(&t);
    table_learn(&t, NULL, AX_TASK_CLASSIFICATION, options_text, AX_OK);
    built(&t, layers, "{\"input_shape\": [2, 2]}", AX_ERR_INVALID, "\"input_shape\" does not go with");
    built(&t, "[{\"Dense\": {\"units\": 1, \"input_dim\": 9}}]", "{}", AX_ERR_INVALID,
          "rows of (9,), these are of (8,)");
    built(&t, "[{\"Dense\": {\"units\": 1, \"input_dim\": 8}}]", "{}", AX_OK, "");
    built(&t, "[{\"InputLayer\": {\"shape\": [2, 4]}}, {\"Flatten\": {}}, {\"Dense\": {\"units\": 1}}]", "{}",
          AX_ERR_INVALID, "2 dimensions");
    built(&t, "[{\"Conv2D\": {\"filters\": 1, \"kernel_size\": 1}}]", "{}", AX_ERR_INVALID, "it needs an input of 3");
    t.width = 5;
    built(&t, layers, "{}", AX_ERR_INVALID, "not the 4 floats");
    t.width = 4;
    ax_options_parse(unit_env(), "{\"epochs\": 1}", 13, &l.options, &t.err);
    if (unit_status(build(unit_env(), &t, branches, &l, &t.err), AX_OK, &t.err, "a network that branches")) {
        unit_is_str(ax_model_layer_at(l.model, 2)->inbound[0], "in", "fed by its input");
        unit_is_str(ax_model_layer_at(l.model, 0)->inbound[0], "input", "which is fed by the row");
        unit_status(train(unit_env(), &t, &l, 1, &t.err), AX_OK, &t.err, "it trains");
        unit_status(reload(unit_env(), &l, true, &t.err), AX_OK, &t.err, "and comes back");
    }
    end(unit_env(), &l);
    table_end(&t);
}

/* Only texts, many of them embedded: the Concat in groups, no number at all. */
static void test_many_embeddings(void)
{
    enum { N = 300 };
    static char name[N][16];
    static ax_column column[N];
    table_case t = {.width = N};
    ax_preparation_spec spec = {column, N, NULL, AX_TASK_CLASSIFICATION};
    ax_text text;
    life l = {0};

    ax_text_init(&text, unit_env());
    ax_text_addf(&text, "{\"epochs\": 1, \"columns\": {");
    for (int k = 0; k < N; k++) {
        snprintf(name[k], sizeof(name[k]), "c%d", k);
        column[k] = (ax_column){.name = name[k], .text = true, .width = 1, .category = cities, .n_categories = CITIES};
        ax_text_addf(&text, "%s\"c%d\": {\"encode\": \"embedding\", \"output_dim\": 2}", k > 0 ? "," : "", k);
    }
    ax_text_addf(&text, "}}");
    column_rows(&t, 64);
    for (int64_t i = 0; i < 64 * N; i++)
        t.x[i] = (float) unit_below(CITIES);
    for (int i = 0; i < 64; i++)
        t.class[i] = i % 2;
    ax_dataset_create(unit_env(), AX_FLOAT, N, &t.d, &t.err);
    for (int i = 0; i < 64; i++)
        ax_dataset_append(t.d, t.x + i * N, &t.err);
    ax_dataset_set_classes(t.d, t.class, 2, &t.err);
    ax_options_parse(unit_env(), text.data, text.len, &l.options, &t.err);
    unit_status(ax_preparation_learn(unit_env(), &spec, l.options, t.d, &t.p, &t.err), AX_OK, &t.err, "300 texts");
    if (unit_status(build(unit_env(), &t, layers, &l, &t.err), AX_OK, &t.err, "a network on them")) {
        unit_is_str(ax_model_layer_at(l.model, 0)->output_shape, "(None, 600)", "two numbers each");
        unit_status(train(unit_env(), &t, &l, 2, &t.err), AX_OK, &t.err, "trains");
        unit_status(reload(unit_env(), &l, true, &t.err), AX_OK, &t.err, "and comes back");
    }
    end(unit_env(), &l);
    table_end(&t);
    ax_text_free(&text);
}

/* ---- memory and cancelling ------------------------------------------------------------------- */

static const char short_options[] =
    "{\"epochs\": 1, \"batch_size\": 64, \"columns\": {\"city\": {\"encode\": \"embedding\", \"output_dim\": 3}}}";

static ax_status short_life(const ax_env *env, table_case *t, life *l)
{
    AX_TRY(live(env, t, short_options, l, 2, &t->err));
    return reload(env, l, true, &t->err);
}

static void test_failures(void)
{
    int bad = 0, tried = 0;
    table_case t;
    size_t before;

    make_table(&t);
    t.rows = 100;
    before = unit_live_bytes();
    for (long n = 1;; n++, tried++) {
        const ax_env *env = unit_env_fail_at(n);
        life l = {0};
        ax_status status = short_life(env, &t, &l);
        bool tripped = unit_env_tripped();

        end(env, &l);
        table_reset(&t);
        if (!tripped)
            break;
        if (status != AX_ERR_NOMEM || unit_live_bytes() != before)
            unit_note("at %ld: %s, %zu bytes left: %s", n, unit_status_name(status), unit_live_bytes() - before,
                      t.err.message);
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 50, "each of %d allocations may fail", tried);
    bad = tried = 0;
    for (long n = 1;; n += 1 + n / 20, tried++) {
        const ax_env *env = unit_env_cancel_at(n);
        life l = {0};
        ax_status status = short_life(env, &t, &l);
        bool tripped = unit_env_tripped();

        end(env, &l);
        table_reset(&t);
        if (!tripped)
            break;
        if (status != AX_ERR_CANCELLED || unit_live_bytes() != before)
            unit_note("at %ld: %s, %zu bytes left: %s", n, unit_status_name(status), unit_live_bytes() - before,
                      t.err.message);
        bad += status != AX_ERR_CANCELLED || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 3, "cancelled at %d moments", tried);
    table_end(&t);
}

int main(void)
{
    test_life();
    test_threads();
    test_networks();
    test_many_embeddings();
    test_failures();
    return unit_done();
}
