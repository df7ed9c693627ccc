/*
 * test_sequence_layers.c: layers over steps: shapes and parameter counts as Keras's summary gives them, what they compute
 * against plain loops, training on what only the order of tokens tells, the same bits for any number of threads, and
 * configs that are refused.
 */
#include "nn/initializer.h"
#include "nn/network.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>

static ax_error err;

typedef struct rows {
    int rank;
    int64_t dim[3];
    int outputs; /* of a regression; 0: two classes */
} rows;

static ax_status build_on(const ax_env *env, const char *layers, const rows *r, const char *options, ax_model **m)
{
    ax_options *o = NULL;
    ax_model_spec spec = {.name = "m",
                          .layers = layers,
                          .layers_len = strlen(layers),
                          .input_type = AX_FLOAT,
                          .input_rank = r->rank,
                          .task = r->outputs ? AX_TASK_REGRESSION : AX_TASK_CLASSIFICATION,
                          .n_outputs = r->outputs ? r->outputs : 1,
                          .n_classes = r->outputs ? 0 : 2};
    ax_status status = ax_options_parse(env, options, options ? strlen(options) : 0, &o, &err);

    memcpy(spec.input_dim, r->dim, sizeof(r->dim));
    if (status == AX_OK)
        status = ax_model_build(env, &spec, o, m, &err);
    ax_options_free(o);
    return status;
}

/* Shape and parameters of the first layer. */
static void first_is(const char *layers, const rows *r, const char *shape, int64_t parameters)
{
    ax_model *m = NULL;

    if (!unit_status(build_on(unit_env(), layers, r, NULL, &m), AX_OK, &err, "%.60s is built", layers))
        return;
    unit_is_str(ax_model_layer_at(m, 0)->output_shape, shape, "its shape");
    unit_is_int(ax_model_layer_at(m, 0)->parameters, parameters, "its parameters");
    ax_model_free(m);
}

#define END "{\"Flatten\": {}}, {\"Dense\": {\"units\": 2}}]"

static void test_shapes(void)
{
    static const rows tokens = {1, {7}, 0}, steps = {2, {7, 6}, 0};

    first_is("[{\"Embedding\": {\"input_dim\": 1000, \"output_dim\": 64}}, " END, &tokens, "(None, 7, 64)", 64000);
    first_is("[{\"PositionalEmbedding\": {\"sequence_length\": 9}}, " END, &steps, "(None, 7, 6)", 54);
    first_is("[{\"PositionalEmbedding\": {\"input_dim\": 50, \"output_dim\": 4}}, " END, &tokens, "(None, 7, 4)", 228);
    first_is("[{\"RepeatVector\": {\"n\": 3}}, " END, &tokens, "(None, 3, 7)", 0);
    first_is("[{\"SpatialDropout1D\": {\"rate\": 0.3}}, " END, &steps, "(None, 7, 6)", 0);
    first_is("[{\"TimeDistributed\": {\"layer\": {\"Dense\": {\"units\": 5}}}}, " END, &steps, "(None, 7, 5)", 35);
    first_is("[{\"TimeDistributed\": {\"layer\": {\"class_name\": \"Dense\", \"config\": {\"units\": 5, \"name\": \"d\","
             " \"activation\": \"relu\"}}}}, " END, &steps, "(None, 7, 5)", 35);
}

static void test_recurrent_shapes(void)
{
    static const rows steps = {2, {5, 32}, 0};

    first_is("[{\"LSTM\": {\"units\": 64}}, " END, &steps, "(None, 64)", 24832);
    first_is("[{\"LSTM\": {\"units\": 64, \"return_sequences\": true}}, " END, &steps, "(None, 5, 64)", 24832);
    first_is("[{\"GRU\": {\"units\": 64}}, " END, &steps, "(None, 64)", 18816);
    first_is("[{\"GRU\": {\"units\": 64, \"reset_after\": false}}, " END, &steps, "(None, 64)", 18624);
    first_is("[{\"SimpleRNN\": {\"units\": 64, \"go_backwards\": true}}, " END, &steps, "(None, 64)", 6208);
    first_is("[{\"Bidirectional\": {\"layer\": {\"LSTM\": {\"units\": 64}}}}, " END, &steps, "(None, 128)", 49664);
    first_is("[{\"Bidirectional\": {\"layer\": {\"GRU\": {\"units\": 8, \"return_sequences\": true}}, \"merge_mode\": \"ave\"}}, "
             END, &steps, "(None, 5, 8)", 2 * 3 * 8 * (32 + 8 + 2));
}

static const float *weight(const ax_model *m, const char *name)
{
    int v = ax_graph_find_value(m->graph, name);

    unit_check(v >= 0, "there is a weight %s", name);
    return v < 0 ? NULL : m->graph->value[v].data;
}

static void test_embedding(void)
{
    static const rows tokens = {1, {4}, 12};
    float row[4] = {2, 0, 9, 4}, got[12], wanted[12];
    const float *table, *positions;
    ax_model *m = NULL;

    unit_status(build_on(unit_env(), "[{\"PositionalEmbedding\": {\"input_dim\": 5, \"output_dim\": 3, \"sequence_length\": 6,"
                         " \"name\": \"p\"}}, {\"Flatten\": {}}]", &tokens, NULL, &m), AX_OK, &err, "tokens and positions");
    if (m == NULL)
        return;
    table = weight(m, "p/embeddings");
    positions = weight(m, "p/positions");
    for (int t = 0; t < 4; t++)
        for (int i = 0; i < 3; i++)
            wanted[t * 3 + i] = (row[t] < 5 ? table[(int) row[t] * 3 + i] : 0) + positions[t * 3 + i];
    unit_status(ax_model_predict(m, row, 1, got, &err), AX_OK, &err, "they predict");
    unit_close(got, wanted, 12, 1e-6, "rows of the table, zeros for what it does not have, plus positions");
    ax_model_free(m);
}

static void test_repeat(void)
{
    static const rows flat = {1, {2}, 6};
    float row[2] = {1.5f, -2}, got[6], wanted[6] = {1.5f, -2, 1.5f, -2, 1.5f, -2};
    ax_model *m = NULL;

    unit_status(build_on(unit_env(), "[{\"RepeatVector\": {\"n\": 3}}, {\"SpatialDropout1D\": {\"rate\": 0.5}}, {\"Flatten\": {}}]",
                         &flat, NULL, &m), AX_OK, &err, "a repeated vector");
    unit_status(ax_model_predict(m, row, 1, got, &err), AX_OK, &err, "predicts");
    unit_close(got, wanted, 6, 0, "three times the same; nothing is dropped");
    ax_model_free(m);
}

static void orthogonal(int rows, int columns)
{
    static float x[64 * 64];
    int n = AX_MIN(rows, columns), m = AX_MAX(rows, columns);
    int vector = rows < columns ? columns : 1, number = rows < columns ? 1 : columns;
    double worst = 0;
    ax_initializer init;

    ax_initializer_find("orthogonal", &init);
    unit_status(ax_initializer_orthogonal(unit_env(), &init, 7, 1, rows, columns, x, &err), AX_OK, &err, "orthogonal");
    for (int a = 0; a < n; a++)
        for (int c = 0; c < n; c++) {
            double dot = 0;

            for (int i = 0; i < m; i++)
                dot += (double) x[a * vector + i * number] * x[c * vector + i * number];
            worst = fmax(worst, fabs(dot - (a == c)));
        }
    unit_check(worst < 1e-6, "%d x %d is orthogonal within %g", rows, columns, worst);
}

/* ---- training -------------------------------------------------------------------------------- */

#define ROWS 200
#define STEPS 6

static float token[ROWS][STEPS];
static int32_t class[ROWS];

/* Which of the two comes first, token 1 or token 2; all rows have the same tokens. */
static void make_rows(void)
{
    for (int i = 0; i < ROWS; i++) {
        int a = (int) unit_below(STEPS), c = (a + 1 + (int) unit_below(STEPS - 1)) % STEPS;

        token[i][a] = 1;
        token[i][c] = 2;
        class[i] = a < c;
    }
}

static const char trained[] =
    "[{\"PositionalEmbedding\": {\"input_dim\": 3, \"output_dim\": 12}}, {\"SpatialDropout1D\": {\"rate\": 0.05}},"
    " {\"TimeDistributed\": {\"layer\": {\"Dense\": {\"units\": 16, \"activation\": \"relu\"}}}}, {\"Flatten\": {}},"
    " {\"Dense\": {\"units\": 16, \"activation\": \"relu\"}}, {\"Dense\": {\"units\": 2}}]";

#define RECURRENT(layers)                                                                          \
    "[{\"Embedding\": {\"input_dim\": 3, \"output_dim\": 8}}, " layers ", {\"Dense\": {\"units\": 2}}]"

static ax_status train(const ax_env *env, const char *layers, const char *options, int threads, float *out)
{
    const rows r = {1, {STEPS}, 0};
    ax_train_event event = AX_TRAIN_MORE;
    ax_trainer *t = NULL;
    ax_dataset *d = NULL;
    ax_options *o = NULL;
    ax_model *m = NULL;
    ax_status status = ax_options_parse(env, options, strlen(options), &o, &err);

    if (status == AX_OK)
        status = ax_dataset_create(env, AX_FLOAT, STEPS, &d, &err);
    for (int i = 0; status == AX_OK && i < ROWS; i++)
        status = ax_dataset_append(d, token[i], &err);
    if (status == AX_OK)
        status = ax_dataset_set_classes(d, class, 2, &err);
    if (status == AX_OK)
        status = build_on(env, layers, &r, options, &m);
    if (status == AX_OK)
        status = ax_trainer_create(env, m, d, NULL, o, threads, &t, &err);
    while (status == AX_OK && event != AX_TRAIN_DONE)
        status = ax_trainer_step(t, &event, &err);
    if (status == AX_OK)
        status = ax_model_predict(m, token, ROWS, out, &err);
    ax_trainer_free(t);
    ax_model_free(m);
    ax_dataset_free(d);
    ax_options_free(o);
    return status;
}

static void test_training(const char *what, const char *layers)
{
    static const char options[] = "{\"epochs\": 40, \"batch_size\": 25, \"learning_rate\": 0.01, \"seed\": 4}";
    static float one[ROWS * 2], more[ROWS * 2];
    int right = 0;

    unit_status(train(unit_env(), layers, options, 1, one), AX_OK, &err, "%s trains", what);
    for (int i = 0; i < ROWS; i++)
        right += (one[2 * i + 1] > one[2 * i]) == class[i];
    unit_check(right > ROWS * 95 / 100, "%s: %d of %d are right", what, right, ROWS);
    for (int threads = 2; threads <= 4; threads += 2) {
        unit_status(train(unit_env(), layers, options, threads, more), AX_OK, &err, "%s: %d threads", what, threads);
        unit_same(one, more, sizeof(one), "%s: the same bits", what);
    }
}

/* The nth allocation fails, for every n. */
static void test_memory(const char *layers)
{
    static float out[ROWS * 2];
    size_t before = unit_live_bytes();
    int bad = 0;
    long n = 1;

    for (;; n++) {
        ax_status status = train(unit_env_fail_at(n), layers, "{\"epochs\": 1, \"batch_size\": 100}", 1, out);

        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && n > 50, "%ld allocations fail in turn", n);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void refused(const char *layers, const rows *r, ax_status status, const char *word)
{
    ax_model *m = NULL;

    unit_status(build_on(unit_env(), layers, r, NULL, &m), status, &err, "%.70s is refused", layers);
    unit_check(strstr(err.message, word) != NULL, "\"%s\" names %s", err.message, word);
    ax_model_free(m);
}

static void test_refused(void)
{
    static const rows tokens = {1, {7}, 0}, steps = {2, {7, 6}, 0};

    refused("[{\"Embedding\": {\"input_dim\": 9, \"output_dim\": 2, \"mask_zero\": true}}, " END, &tokens, AX_ERR_UNSUPPORTED, "mask_zero");
    refused("[{\"Embedding\": {\"input_dim\": 9}}, " END, &tokens, AX_ERR_INVALID, "output_dim");
    refused("[{\"Embedding\": {\"input_dim\": 16777216, \"output_dim\": 16777216}}, " END, &tokens, AX_ERR_LIMIT, "parameters");
    refused("[{\"Embedding\": {\"input_dim\": 9, \"output_dim\": 2, \"input_length\": 8}}, " END, &tokens, AX_ERR_INVALID, "input_length");
    refused("[{\"PositionalEmbedding\": {\"sequence_length\": 3}}, " END, &steps, AX_ERR_INVALID, "sequence_length");
    refused("[{\"PositionalEmbedding\": {}}, " END, &tokens, AX_ERR_INVALID, "dimensions");
    refused("[{\"PositionalEmbedding\": {\"input_dim\": 4}}, " END, &tokens, AX_ERR_INVALID, "output_dim");
    refused("[{\"LSTM\": {\"units\": 2, \"recurrent_dropout\": 0.1}}, " END, &steps, AX_ERR_UNSUPPORTED, "recurrent_dropout");
    refused("[{\"LSTM\": {\"units\": 2, \"stateful\": true}}, " END, &steps, AX_ERR_UNSUPPORTED, "stateful");
    refused("[{\"GRU\": {\"units\": 2, \"activation\": \"gelu\"}}, " END, &steps, AX_ERR_UNSUPPORTED, "activation");
    refused("[{\"GRU\": {\"units\": 2}}, " END, &tokens, AX_ERR_INVALID, "2 dimensions");
    refused("[{\"Bidirectional\": {\"layer\": {\"Dense\": {\"units\": 2}}}}, " END, &steps, AX_ERR_INVALID, "Dense");
    refused("[{\"RepeatVector\": {\"n\": 0}}, " END, &tokens, AX_ERR_INVALID, "\"n\"");
    refused("[{\"SpatialDropout1D\": {\"rate\": 1}}, " END, &steps, AX_ERR_INVALID, "rate");
    refused("[{\"TimeDistributed\": {}}, " END, &steps, AX_ERR_INVALID, "\"layer\"");
    refused("[{\"TimeDistributed\": {\"layer\": 3}}, " END, &steps, AX_ERR_INVALID, "object");
    refused("[{\"TimeDistributed\": {\"layer\": {\"Dense\": {}}}}, " END, &steps, AX_ERR_INVALID, "units");
    refused("[{\"TimeDistributed\": {\"layer\": {\"Dens\": {}}}}, " END, &steps, AX_ERR_UNKNOWN, "Dens");
    refused("[{\"TimeDistributed\": {\"layer\": {\"Flatten\": {}}}}, " END, &steps, AX_ERR_UNSUPPORTED, "Flatten");
    refused("[{\"TimeDistributed\": {\"layer\": {\"TimeDistributed\": {}}}}, " END, &steps, AX_ERR_UNSUPPORTED, "TimeDistributed");
}

int main(void)
{
    unit_seed(11);
    make_rows();
    test_shapes();
    test_embedding();
    test_repeat();
    orthogonal(64, 16);
    orthogonal(16, 16);
    orthogonal(5, 40);
    test_training("positions", trained);
    test_recurrent_shapes();
    test_training("an LSTM", RECURRENT("{\"LSTM\": {\"units\": 12}}"));
    test_training("a GRU", RECURRENT("{\"GRU\": {\"units\": 12, \"dropout\": 0.05}}"));
    test_training("both directions", RECURRENT("{\"Bidirectional\": {\"merge_mode\": \"mul\", \"layer\": {\"LSTM\": {\"units\": 8,"
                                               " \"return_sequences\": true}}}}, {\"SimpleRNN\": {\"units\": 8}}"));
    test_memory(trained);
    test_refused();
    return unit_done();
}
