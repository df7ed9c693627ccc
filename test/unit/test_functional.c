/*
 * test_functional.c: networks that are not a chain. How they are written (our list, Keras 2's and Keras 3's JSON), what
 * the layers that several others feed compute, parameter counts that are known from Keras, gradients of whole networks,
 * and hostile text.
 */
#include "graph/plan.h"
#include "nn/network.h"
#include "unit.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static ax_error err;

/* ---- building -------------------------------------------------------------------------------- */

typedef struct rows {
    int rank;
    int64_t dim[4];
    int outputs; /* of a regression; 0: two classes */
    const char *options;
    ax_dtype type; /* 0: floats */
} rows;

static ax_status build_on(const ax_env *env, const char *layers, const rows *r, ax_model **m)
{
    ax_options *o = NULL;
    ax_model_spec spec = {.name = "m",
                          .layers = layers,
                          .layers_len = strlen(layers),
                          .input_type = r->type ? r->type : AX_FLOAT,
                          .input_rank = r->rank,
                          .task = r->outputs ? AX_TASK_REGRESSION : AX_TASK_CLASSIFICATION,
                          .n_outputs = r->outputs ? r->outputs : 1,
                          .n_classes = r->outputs ? 0 : 2};
    ax_status status;
    ax_task hint;

    memcpy(spec.input_dim, r->dim, sizeof(r->dim));
    status = ax_options_parse(env, r->options, r->options ? strlen(r->options) : 0, &o, &err);
    if (status == AX_OK)
        status = ax_network_check(env, layers, strlen(layers), o, &hint, &err);
    if (status == AX_OK)
        status = ax_model_build(env, &spec, o, m, &err);
    ax_options_free(o);
    return status;
}

static ax_model *build(const char *what, const char *layers, const rows *r)
{
    ax_model *m = NULL;

    unit_status(build_on(unit_env(), layers, r, &m), AX_OK, &err, "%s is built", what);
    return m;
}

/* "name shape parameters < inbound inbound; " of every layer */
static void show(const ax_model *m, char *text, size_t size)
{
    size_t n = 0;

    text[0] = '\0';
    for (int i = 0; i < ax_model_layer_count(m); i++) {
        const ax_layer_info *l = ax_model_layer_at(m, i);

        n += (size_t) snprintf(text + n, size - n, "%s %s %lld", l->name, l->output_shape,
                               (long long) l->parameters);
        for (int k = 0; k < l->n_inbound; k++)
            n += (size_t) snprintf(text + n, size - n, "%s %s", k == 0 ? " <" : "", l->inbound[k]);
        n += (size_t) snprintf(text + n, size - n, "; ");
    }
}

static void shows(const char *what, const char *layers, const rows *r, const char *text)
{
    ax_model *m = build(what, layers, r);
    char got[2048];

    if (m == NULL)
        return;
    show(m, got, sizeof(got));
    unit_is_str(got, text, "%s: names, shapes, parameters, links", what);
    ax_model_free(m);
}

/* ---- the three notations --------------------------------------------------------------------- */

#define KT(name) "{\"class_name\": \"__keras_tensor__\", \"config\": {\"shape\": [null, 8], \"dtype\": \"float32\"," \
                 " \"keras_history\": [\"" name "\", 0, 0]}}"
#define K3(class_name, config, name, args)                                                          \
    "{\"module\": \"keras.layers\", \"class_name\": \"" class_name "\", \"config\": {\"name\": \"" name "\"" config "},"  \
    " \"registered_name\": null, \"build_config\": {\"input_shape\": [null, 8]}, \"name\": \"" name "\"," \
    " \"inbound_nodes\": [{\"args\": [" args "], \"kwargs\": {\"training\": false, \"mask\": null}}]}"
#define K2(class_name, config, name, nodes)                                                         \
    "{\"class_name\": \"" class_name "\", \"config\": {\"name\": \"" name "\", \"trainable\": true, \"dtype\": \"float32\"" \
    config "}, \"name\": \"" name "\", \"inbound_nodes\": [[" nodes "]]}"
#define FROM(name) "[\"" name "\", 0, 0, {}]"
#define RELU8 ", \"units\": 8, \"activation\": \"relu\""

static const char list_form[] =
    "[\"InputLayer\", {\"Dense\": {\"units\": 8, \"activation\": \"relu\"}},"
    " {\"Dense\": {\"units\": 8, \"activation\": \"relu\"}}, {\"Add\": {\"inbound\": [\"dense_1\", \"dense\"]}},"
    " {\"Dense\": {\"units\": 2, \"activation\": \"softmax\"}}]";
static const char keras3_form[] =
    "{\"module\": \"keras\", \"class_name\": \"Functional\", \"config\": {\"name\": \"functional\", \"trainable\": true,"
    " \"layers\": [{\"module\": \"keras.layers\", \"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 5],"
    " \"dtype\": \"float32\", \"sparse\": false, \"name\": \"input_layer\"}, \"name\": \"input_layer\","
    " \"inbound_nodes\": []}, " K3("Dense", RELU8, "dense", KT("input_layer")) ", "
    K3("Dense", RELU8, "dense_1", KT("dense")) ", " K3("Add", "", "add", "[" KT("dense_1") ", " KT("dense") "]") ", "
    K3("Dense", ", \"units\": 2, \"activation\": \"softmax\"", "dense_2", KT("add")) "],"
    " \"input_layers\": [[\"input_layer\", 0, 0]], \"output_layers\": [\"dense_2\", 0, 0]},"
    " \"registered_name\": \"Functional\"}";
/* Also shuffled: every layer stands before what feeds it. */
static const char keras2_form[] =
    "{\"class_name\": \"Functional\", \"config\": {\"name\": \"model\", \"trainable\": true, \"layers\": ["
    K2("Dense", ", \"units\": 2, \"activation\": \"softmax\"", "dense_2", FROM("add")) ", "
    K2("Add", "", "add", FROM("dense_1") ", " FROM("dense")) ", " K2("Dense", RELU8, "dense_1", FROM("dense")) ", "
    K2("Dense", RELU8, "dense", FROM("input_layer")) ", {\"class_name\": \"InputLayer\", \"config\":"
    " {\"batch_input_shape\": [null, 5], \"dtype\": \"float32\", \"sparse\": false, \"ragged\": false, \"name\":"
    " \"input_layer\"}, \"name\": \"input_layer\", \"inbound_nodes\": []}],"
    " \"input_layers\": [[\"input_layer\", 0, 0]], \"output_layers\": [[\"dense_2\", 0, 0]]},"
    " \"keras_version\": \"2.12.0\", \"backend\": \"tensorflow\"}";

static const rows five = {1, {5}, 0, NULL, 0};
static const rows three_out = {1, {3}, 3, NULL, 0};

static void test_notations(void)
{
    static const char shown[] = "input_layer (None, 5) 0; dense (None, 8) 48 < input_layer; dense_1 (None, 8) 72 < dense; "
                                "add (None, 8) 0 < dense_1 dense; dense_2 (None, 2) 18 < add; ";
    static const char *const forms[] = {list_form, keras3_form, keras2_form};
    static const char *const names[] = {"our list", "Keras 3's JSON", "Keras 2's JSON, shuffled"};
    float row[5], out[3][2] = {{0}};

    unit_fill(row, 5, -1, 1);
    for (int i = 0; i < 3; i++) {
        ax_model *m;

        shows(names[i], forms[i], &five, shown);
        m = build(names[i], forms[i], &five);
        if (m != NULL)
            ax_model_predict(m, row, 1, out[i], &err);
        ax_model_free(m);
    }
    unit_check(out[0][0] > 0 && out[0][0] < 1, "it predicts");
    unit_same(out[1], out[0], sizeof(out[0]), "Keras 3's JSON is the same network as the list");
    unit_same(out[2], out[0], sizeof(out[0]), "so is Keras 2's");
    shows("a chain says nothing of links", "[{\"Dense\": {\"units\": 2, \"inbound\": \"input\"}}]", &five,
          "dense (None, 2) 12; ");
    shows("\"input\", a name, the layer before, and the same layer twice",
          "[{\"Dense\": {\"units\": 5, \"name\": \"a\"}}, {\"Add\": {\"inbound\": [\"a\", \"input\", \"a\"]}}, {\"Dense\": {\"units\": 2}}]",
          &five, "a (None, 5) 30 < input; add (None, 5) 0 < a input a; dense (None, 2) 12 < add; ");
    shows("layers before what feeds them",
          "[{\"Add\": {\"inbound\": [\"a\", \"b\"], \"name\": \"sum\"}}, {\"Dense\": {\"units\": 4, \"name\": \"b\", \"inbound\": \"a\"}},"
          "{\"Dense\": {\"units\": 4, \"name\": \"a\", \"inbound\": \"input\"}}, {\"Dense\": {\"units\": 2, \"inbound\": [\"sum\"]}}]",
          &five, "a (None, 4) 24 < input; b (None, 4) 20 < a; sum (None, 4) 0 < a b; dense (None, 2) 10 < sum; ");
    shows("an InputLayer called input", "[{\"InputLayer\": {\"name\": \"input\"}}, {\"Dense\": {\"units\": 5}},"
          "{\"Add\": {\"inbound\": [\"input\", \"dense\"]}}, {\"Dense\": {\"units\": 2}}]", &five,
          "input (None, 5) 0; dense (None, 5) 30 < input; add (None, 5) 0 < input dense; dense_1 (None, 2) 12 < add; ");
}

/* An InputLayer gives plain rows their shape. */
static void test_input_shape(void)
{
    static const rows plain = {1, {48}, 0, NULL, 0}, image = {3, {4, 4, 3}, 0, NULL, 0};
    static const rows planes = {1, {48}, 0, "{\"data_format\": \"channels_first\"}", AX_UINT8};
    static const char layers[] = "[{\"InputLayer\": {\"batch_shape\": [null, 4, null, 3]}}, {\"Conv2D\": {\"filters\": 2,"
                                 " \"kernel_size\": 3, \"data_format\": \"channels_last\"}}, {\"Flatten\": {}}, {\"Dense\": {\"units\": 2}}]";
    static const char shown[] = "input_layer (None, 4, 4, 3) 0; conv2d (None, 2, 2, 2) 56; flatten (None, 8) 0; "
                                "dense (None, 2) 18; ";
    ax_model *m = NULL;

    shows("a plain row takes the shape of the InputLayer", layers, &plain, shown);
    shows("rows of that shape", layers, &image, shown);
    shows("planes in the rows, channels last in the network", layers, &planes, shown);
    shows("input_shape of the first layer", "[{\"GlobalMaxPooling1D\": {\"input_shape\": [12, 4]}}, {\"Dense\": {\"units\": 2}}]",
          &plain, "global_max_pooling1d (None, 4) 0; dense (None, 2) 10; ");
    unit_status(build_on(unit_env(), layers, &five, &m), AX_ERR_INVALID, &err, "a row of five does not fit");
    unit_check(strstr(err.message, "\"input_layer\"") && strstr(err.message, "(5,)"), "\"%s\" says it", err.message);
    unit_status(build_on(unit_env(), "[{\"InputLayer\": {\"shape\": [3, 4, 4]}}, {\"Flatten\": {}}, {\"Dense\": {\"units\": 2}}]", &image,
                         &m), AX_ERR_INVALID, &err, "nor does another order");
}

/* ---- what merging computes ------------------------------------------------------------------- */

/* Builds a network that gives `n` numbers a row and compares them. */
static void computes(const char *what, const char *layers, const rows *r, const float *row, int n, const float *wanted)
{
    rows with = *r;
    float out[64] = {0};
    ax_model *m;

    with.outputs = n;
    m = build(what, layers, &with);
    if (m == NULL)
        return;
    unit_status(ax_model_predict(m, row, 1, out, &err), AX_OK, &err, "%s predicts", what);
    unit_close(out, wanted, n, 1e-6, "%s: the numbers", what);
    ax_model_free(m);
}

#define TWICE "{\"Rescaling\": {\"scale\": 2, \"name\": \"twice\", \"inbound\": \"input\"}}"
#define MINUS "{\"Rescaling\": {\"scale\": -1, \"offset\": 3, \"name\": \"minus\", \"inbound\": \"input\"}}"
#define MERGED(layer) "[" TWICE ", " MINUS ", {\"" layer "\": {\"inbound\": [\"twice\", \"minus\"]}}]"
#define MERGED3(layer) "[" TWICE ", " MINUS ", {\"" layer "\": {\"inbound\": [\"twice\", \"minus\", \"input\"]}}]"

static void test_merging(void)
{
    static const float row[] = {1, -2, 5}; /* twice: 2 -4 10; minus: 2 5 -2 */

    computes("Add", MERGED("Add"), &three_out, row, 3, (float[]){4, 1, 8});
    computes("Add of three", MERGED3("Add"), &three_out, row, 3, (float[]){5, -1, 13});
    computes("Subtract", MERGED("Subtract"), &three_out, row, 3, (float[]){0, -9, 12});
    computes("Multiply", MERGED("Multiply"), &three_out, row, 3, (float[]){4, -20, -20});
    computes("Multiply of three", MERGED3("Multiply"), &three_out, row, 3, (float[]){4, 40, -100});
    computes("Average", MERGED("Average"), &three_out, row, 3, (float[]){2, 0.5f, 4});
    computes("Average of three", MERGED3("Average"), &three_out, row, 3, (float[]){5 / 3.f, -1 / 3.f, 13 / 3.f});
    computes("Maximum", MERGED("Maximum"), &three_out, row, 3, (float[]){2, 5, 10});
    computes("Minimum of three", MERGED3("Minimum"), &three_out, row, 3, (float[]){1, -4, -2});
    computes("Concatenate", MERGED("Concatenate"), &three_out, row, 6, (float[]){2, -4, 10, 2, 5, -2});
}

/* Images: a branch whose value lies as planes, one that does not, one that is broadcast. */
static void test_layouts(void)
{
    static const rows image = {3, {2, 2, 2}, 0, NULL, 0};
    static const rows first = {3, {2, 2, 2}, 0, "{\"data_format\": \"channels_first\"}", 0};
    static const float row[] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const char pool[] = "{\"MaxPooling2D\": {\"pool_size\": 1, \"name\": \"p\"}}";
    char layers[512];

    snprintf(layers, sizeof(layers), "[%s, {\"Add\": {\"inbound\": [\"input\", \"p\"]}}, {\"Flatten\": {}}]", pool);
    computes("planes and not", layers, &image, row, 8, (float[]){2, 4, 6, 8, 10, 12, 14, 16});
    computes("channels first", layers, &first, row, 8, (float[]){2, 4, 6, 8, 10, 12, 14, 16});
    snprintf(layers, sizeof(layers), "[%s, {\"GlobalAveragePooling2D\": {\"name\": \"g\"}},"
             " {\"Multiply\": {\"inbound\": [\"p\", \"g\"]}}, {\"Flatten\": {}}]", pool);
    computes("a list of channels over planes", layers, &image, row, 8, (float[]){4, 10, 12, 20, 20, 30, 28, 40});
    snprintf(layers, sizeof(layers), "[%s, {\"GlobalAveragePooling2D\": {\"name\": \"g\"}},"
             " {\"Multiply\": {\"inbound\": [\"g\", \"input\"]}}, {\"Flatten\": {}}]", pool);
    computes("the same, the other way round", layers, &image, row, 8, (float[]){4, 10, 12, 20, 20, 30, 28, 40});
    snprintf(layers, sizeof(layers), "[%s, {\"Concatenate\": {\"inbound\": [\"p\", \"input\"]}}, {\"Flatten\": {}}]", pool);
    computes("Concatenate along the channels", layers, &image, row, 16,
             (float[]){1, 2, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6, 7, 8, 7, 8});
    snprintf(layers, sizeof(layers), "[%s, {\"Concatenate\": {\"inbound\": [\"p\", \"input\"], \"axis\": 1}}, {\"Flatten\": {}}]",
             pool);
    computes("Concatenate along the rows", layers, &image, row, 16, (float[]){1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8});
    computes("the axis 1 is the channels in channels_first", layers, &first, row, 16,
             (float[]){1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8});
    snprintf(layers, sizeof(layers), "[%s, {\"Concatenate\": {\"inbound\": [\"p\", \"input\"], \"axis\": -2}}, {\"Flatten\": {}}]",
             pool);
    computes("Concatenate along the columns", layers, &image, row, 16,
             (float[]){1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8});
}

static void test_padding(void)
{
    static const rows image = {3, {1, 2, 2}, 0, NULL, AX_UINT8}, steps = {2, {2, 2}, 0, NULL, 0};
    static const uint8_t bytes[] = {1, 2, 3, 4};
    static const float row[] = {1, 2, 3, 4};

    computes("ZeroPadding2D by pairs", "[{\"ZeroPadding2D\": {\"padding\": [[0, 1], [1, 0]]}}, {\"Flatten\": {}}]", &image,
             (const float *) (const void *) bytes, 12, (float[]){0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0});
    computes("ZeroPadding2D by dimensions", "[{\"ZeroPadding2D\": {\"padding\": [1, 0]}}, {\"Flatten\": {}}]", &image,
             (const float *) (const void *) bytes, 12, (float[]){0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0});
    computes("ZeroPadding1D", "[{\"ZeroPadding1D\": {\"padding\": [1, 2]}}, {\"Flatten\": {}}]", &steps, row, 10,
             (float[]){0, 0, 1, 2, 3, 4, 0, 0, 0, 0});
    computes("ZeroPadding1D by default", "[{\"ZeroPadding1D\": {}}, {\"Flatten\": {}}]", &steps, row, 8,
             (float[]){0, 0, 1, 2, 3, 4, 0, 0});
    shows("ZeroPadding2D by default", "[{\"ZeroPadding2D\": {\"data_format\": \"channels_first\"}}, {\"Flatten\": {}}, {\"Dense\": {\"units\": 2}}]",
          &image, "zero_padding2d (None, 2, 3, 4) 0; flatten (None, 24) 0; dense (None, 2) 50; ");
}

/* ---- attention against a plain reference in double ------------------------------------------- */

static const float *weight(const ax_model *m, const char *name)
{
    int v = ax_graph_find_value(m->graph, name);

    unit_check(v >= 0, "there is a weight %s", name);
    return v < 0 ? NULL : m->graph->value[v].data;
}

/* (steps, in) -> (steps, out); the bias may be NULL. */
static void product(int steps, int in, int out, const double *x, const float *kernel, const float *bias, double *y)
{
    for (int t = 0; t < steps; t++)
        for (int j = 0; j < out; j++) {
            double sum = bias != NULL ? bias[j] : 0;

            for (int i = 0; i < in; i++)
                sum += x[t * in + i] * kernel[i * out + j];
            y[t * out + j] = sum;
        }
}

typedef struct sizes {
    int t, s, d, ds, heads, key, value, out; /* steps and features of query and value; numbers of a head */
} sizes;

/* The weights are random, biases too: a fresh bias is zero. */
static void attend(const ax_model *m, const sizes *z, bool bias, const double *query, const double *source, double *out)
{
    static const char *const names[] = {"query", "key", "value", "attention_output"};
    const float *w[4], *c[4] = {NULL};
    double q[512], k[512], v[512], joined[512] = {0};
    char name[64];

    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "mha/%s/kernel", names[i]);
        w[i] = weight(m, name);
        snprintf(name, sizeof(name), "mha/%s/bias", names[i]);
        c[i] = bias ? weight(m, name) : NULL;
    }
    product(z->t, z->d, z->heads * z->key, query, w[0], c[0], q);
    product(z->s, z->ds, z->heads * z->key, source, w[1], c[1], k);
    product(z->s, z->ds, z->heads * z->value, source, w[2], c[2], v);
    for (int h = 0; h < z->heads; h++)
        for (int t = 0; t < z->t; t++) {
            double p[64], sum = 0;

            for (int s = 0; s < z->s; s++) {
                double dot = 0;

                for (int i = 0; i < z->key; i++)
                    dot += q[t * z->heads * z->key + h * z->key + i] * k[s * z->heads * z->key + h * z->key + i];
                sum += p[s] = exp(dot / sqrt(z->key));
            }
            for (int s = 0; s < z->s; s++)
                for (int i = 0; i < z->value; i++)
                    joined[t * z->heads * z->value + h * z->value + i] +=
                        p[s] / sum * v[s * z->heads * z->value + h * z->value + i];
        }
    product(z->t, z->heads * z->value, z->out, joined, w[3], c[3], out);
}

static void randomize(ax_model *m)
{
    unit_fill(m->graph->param, m->graph->n_param, -0.7f, 0.7f);
}

static void check_attention(const char *what, const char *layers, const sizes *z, bool bias, bool self)
{
    rows r = {2, {z->t, z->d}, z->t * z->out, NULL, 0};
    float row[256], got[256], wanted[256];
    double query[256], source[256], out[256];
    ax_model *m = build(what, layers, &r);

    if (m == NULL)
        return;
    randomize(m);
    unit_fill(row, z->t * z->d, -1, 1);
    for (int i = 0; i < z->t * z->d; i++)
        query[i] = row[i];
    /* the other side is the first rows of the query, or the query itself */
    memcpy(source, query, sizeof(query));
    attend(m, z, bias, query, self ? query : source, out);
    for (int i = 0; i < z->t * z->out; i++)
        wanted[i] = (float) out[i];
    unit_status(ax_model_predict(m, row, 1, got, &err), AX_OK, &err, "%s predicts", what);
    unit_close(got, wanted, z->t * z->out, 1e-5, "%s against the reference", what);
    ax_model_free(m);
}

static void test_attention(void)
{
    static const rows seven = {2, {7, 6}, 0, NULL, 0}, line = {1, {42}, 0, NULL, 0};
    ax_model *m = NULL;

    check_attention("self-attention", "[{\"MultiHeadAttention\": {\"num_heads\": 3, \"key_dim\": 4, \"name\": \"mha\"}}, {\"Flatten\": {}}]",
                    &(sizes){7, 7, 6, 6, 3, 4, 4, 6}, true, true);
    check_attention("without bias, other sizes",
                    "[{\"MultiHeadAttention\": {\"num_heads\": 2, \"key_dim\": 3, \"value_dim\": 5, \"use_bias\": false,"
                    " \"output_shape\": 4, \"dropout\": 0.3, \"attention_axes\": [1], \"name\": \"mha\"}}, {\"Flatten\": {}}]",
                    &(sizes){5, 5, 6, 6, 2, 3, 5, 4}, false, true);
    /* every second step of the query, by a pool of size 1 */
    check_attention("to other steps",
                    "[{\"Reshape\": {\"target_shape\": [2, 18], \"name\": \"r\"}}, {\"MultiHeadAttention\": {\"num_heads\": 2,"
                    " \"key_dim\": 4, \"name\": \"mha\", \"inbound\": [\"input\", \"r\"]}}, {\"Flatten\": {}}]",
                    &(sizes){6, 2, 6, 18, 2, 4, 4, 6}, true, false);
    shows("query, value and key", "[{\"Dense\": {\"units\": 4, \"name\": \"v\"}}, {\"Dense\": {\"units\": 3, \"name\": \"k\", \"inbound\": \"input\"}},"
          "{\"MultiHeadAttention\": {\"num_heads\": 2, \"key_dim\": 5, \"inbound\": [\"input\", \"v\", \"k\"]}},"
          "{\"GlobalAveragePooling1D\": {}}, {\"Dense\": {\"units\": 2}}]", &seven,
          "v (None, 7, 4) 28 < input; k (None, 7, 3) 21 < input; multi_head_attention (None, 7, 6) 226 < input v k; "
          "global_average_pooling1d (None, 6) 0 < multi_head_attention; dense (None, 2) 14 < global_average_pooling1d; ");
    unit_status(build_on(unit_env(), "[{\"MultiHeadAttention\": {\"num_heads\": 2, \"key_dim\": 5}}, {\"Flatten\": {}}, {\"Dense\": {\"units\": 2}}]", &line, &m),
                AX_ERR_INVALID, &err, "a row without steps");
    unit_check(strstr(err.message, "multi_head_attention") && strstr(err.hint, "input_shape"), "\"%s\" says so", err.message);
    unit_status(build_on(unit_env(), "[{\"MultiHeadAttention\": {\"num_heads\": 2, \"key_dim\": 5, \"attention_axes\": [1, 2]}}]", &seven, &m),
                AX_ERR_UNSUPPORTED, &err, "other axes");
    unit_status(build_on(unit_env(), "[{\"MultiHeadAttention\": {\"num_heads\": 16777216, \"key_dim\": 16777216}}, {\"Flatten\": {}}]", &seven, &m),
                AX_ERR_LIMIT, &err, "heads beyond all bounds");
}

/* As Keras 2 and 3 write the call: the value by name, or as the second argument. */
static void test_attention_json(void)
{
    static const rows seven = {2, {7, 6}, 0, NULL, 0};
    static const char input[] = "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 7, 6], \"name\": \"x\"},"
                                " \"name\": \"x\", \"inbound_nodes\": []}";
    static const char shown[] = "x (None, 7, 6) 0; mha (None, 7, 6) 222 < x x; flatten (None, 42) 0 < mha; dense (None, 2) 86 < flatten; ";
    static const char *const calls[] = {
        "[[\"x\", 0, 0, {\"value\": [\"x\", 0, 0], \"use_causal_mask\": false}]]",
        "{\"args\": [" KT("x") ", " KT("x") "], \"kwargs\": {\"key\": null, \"return_attention_scores\": false}}",
        "{\"args\": [], \"kwargs\": {\"value\": " KT("x") ", \"query\": " KT("x") "}}",
        "[[\"x\", 0, 0, {\"value\": [\"x\", 0, 0], \"use_causal_mask\": true}]]"};
    char layers[4096];
    ax_model *m = NULL;

    for (int i = 0; i < AX_COUNT(calls); i++) {
        snprintf(layers, sizeof(layers),
                 "{\"class_name\": \"Functional\", \"config\": {\"layers\": [%s, {\"class_name\": \"MultiHeadAttention\", \"config\":"
                 " {\"name\": \"mha\", \"num_heads\": 2, \"key_dim\": 4, \"value_dim\": 4, \"dropout\": 0.0, \"use_bias\": true,"
                 " \"output_shape\": null, \"attention_axes\": [1], \"query_shape\": [null, 7, 6]}, \"inbound_nodes\": [%s]},"
                 " {\"class_name\": \"Flatten\", \"config\": {\"name\": \"flatten\"}, \"inbound_nodes\": [[[\"mha\", 0, 0, {}]]]},"
                 " {\"class_name\": \"Dense\", \"config\": {\"name\": \"dense\", \"units\": 2}, \"inbound_nodes\": [[\"flatten\", 0, 0, {}]]}],"
                 " \"input_layers\": [\"x\", 0, 0], \"output_layers\": {\"y\": [\"dense\", 0, 0]}}}",
                 input, calls[i]);
        if (i < 3)
            shows("attention in Keras's JSON", layers, &seven, shown);
    }
    unit_status(build_on(unit_env(), layers, &seven, &m), AX_ERR_UNSUPPORTED, &err, "a causal mask");
    unit_check(strstr(err.message, "\"mha\"") && strstr(err.message, "use_causal_mask"), "\"%s\" names it", err.message);
}

/* ---- known networks -------------------------------------------------------------------------- */

typedef struct text {
    char data[65536];
    size_t n;
} text;

static void put(text *t, const char *fmt, ...) AX_PRINTF(2, 3);
static void put(text *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    t->n += (size_t) vsnprintf(t->data + t->n, sizeof(t->data) - t->n, fmt, args);
    va_end(args);
}

/* A convolution and its normalization, called c<i> and b<i>. */
static void conv_norm(text *t, int i, int filters, int kernel, int stride, const char *from)
{
    put(t, "{\"Conv2D\": {\"name\": \"c%d\", \"filters\": %d, \"kernel_size\": %d, \"strides\": %d, \"padding\": \"same\","
           " \"inbound\": \"%s\"}}, {\"BatchNormalization\": {\"name\": \"b%d\"}}, ", i, filters, kernel, stride, from, i);
}

/* ResNet v1 of Keras's CIFAR-10 example: 6 n + 2 layers with weights. */
static void resnet(text *t, int n)
{
    char from[16] = "r0";
    int i = 0;

    put(t, "[");
    conv_norm(t, i++, 16, 3, 1, "input");
    put(t, "{\"ReLU\": {\"name\": \"r0\"}}, ");
    for (int stack = 0, filters = 16; stack < 3; stack++, filters *= 2)
        for (int block = 0; block < n; block++) {
            bool turns = stack > 0 && block == 0;
            int last;

            conv_norm(t, i++, filters, 3, turns ? 2 : 1, from);
            put(t, "{\"ReLU\": {\"name\": \"m%d\"}}, ", i);
            put(t, "{\"Conv2D\": {\"filters\": %d, \"kernel_size\": 3, \"padding\": \"same\"}}, {\"BatchNormalization\": {\"name\": \"y%d\"}}, ",
                filters, i);
            last = i;
            if (turns)
                put(t, "{\"Conv2D\": {\"name\": \"s%d\", \"filters\": %d, \"kernel_size\": 1, \"strides\": 2, \"padding\": \"same\","
                       " \"inbound\": \"%s\"}}, ", last, filters, from);
            put(t, "{\"Add\": {\"inbound\": [\"%s%.0d\", \"y%d\"]}}, ", turns ? "s" : from, turns ? last : 0, last);
            snprintf(from, sizeof(from), "r%d", last);
            put(t, "{\"Activation\": {\"activation\": \"relu\", \"name\": \"%s\"}}, ", from);
        }
    put(t, "{\"AveragePooling2D\": {\"pool_size\": 8}}, {\"Flatten\": {}}, {\"Dense\": {\"units\": 10, \"activation\": \"softmax\"}}]");
}

/* A transformer's encoder as in Keras's examples: attention and two dense layers, each added and normalized. */
static void encoder(text *t, int layers, int width, int heads, int inner, const char *end)
{
    char from[16] = "input";

    put(t, "[");
    for (int i = 0; i < layers; i++) {
        put(t, "{\"MultiHeadAttention\": {\"name\": \"a%d\", \"num_heads\": %d, \"key_dim\": %d, \"dropout\": 0.1, \"inbound\": [\"%s\", \"%s\"]}}, ",
            i, heads, width / heads, from, from);
        put(t, "{\"Dropout\": {\"rate\": 0.1, \"name\": \"d%d\"}}, {\"Add\": {\"inbound\": [\"%s\", \"d%d\"]}}, ", i, from, i);
        put(t, "{\"LayerNormalization\": {\"epsilon\": 1e-6, \"name\": \"n%d\"}}, ", i);
        put(t, "{\"Dense\": {\"units\": %d, \"activation\": \"gelu\"}}, {\"Dense\": {\"units\": %d, \"name\": \"f%d\"}}, ", inner, width, i);
        put(t, "{\"Add\": {\"inbound\": [\"n%d\", \"f%d\"]}}, {\"LayerNormalization\": {\"epsilon\": 1e-6, \"name\": \"e%d\"}}, ", i, i, i);
        snprintf(from, sizeof(from), "e%d", i);
    }
    put(t, "{\"GlobalAveragePooling1D\": {}}, %s]", end);
}

static void count(const ax_model *m, int64_t *all, int64_t *trainable)
{
    *all = *trainable = 0;
    for (int i = 0; i < ax_model_layer_count(m); i++) {
        *all += ax_model_layer_at(m, i)->parameters;
        *trainable += ax_model_layer_at(m, i)->trainable;
    }
}

static int count_nodes(const ax_model *m, const char *type)
{
    int n = 0;

    for (int i = 0; i < m->graph->n_nodes; i++)
        n += strcmp(m->graph->node[i].op->type, type) == 0;
    return n;
}

/* Images of channels last are turned at the ends of the network, not at every place where two branches meet. */
static void test_turns(void)
{
    static const rows image = {3, {8, 8, 3}, 0, NULL, 0};
    ax_model *m = build("branches of planes",
                        "[{\"Conv2D\": {\"filters\": 4, \"kernel_size\": 3, \"padding\": \"same\", \"name\": \"a\"}},"
                        "{\"MaxPooling2D\": {\"pool_size\": 3, \"strides\": 1, \"padding\": \"same\", \"name\": \"b\"}},"
                        "{\"Concatenate\": {\"inbound\": [\"a\", \"b\"], \"name\": \"c\"}}, {\"ZeroPadding2D\": {}},"
                        "{\"Conv2D\": {\"filters\": 8, \"kernel_size\": 3}}, {\"Add\": {\"inbound\": [\"c\", \"conv2d\"]}},"
                        "{\"Maximum\": {\"inbound\": [\"add\", \"c\"]}}, {\"Flatten\": {}}, {\"Dense\": {\"units\": 2}}]", &image);

    if (m != NULL)
        unit_is_int(count_nodes(m, "Transpose"), 2, "are turned behind the input and before Flatten");
    ax_model_free(m);
}

static void test_known(void)
{
    static const rows cifar = {3, {32, 32, 3}, 10, "{\"loss\": \"mse\"}", AX_UINT8}, steps = {2, {10, 64}, 0, NULL, 0};
    static text t;
    int64_t all, trainable;
    ax_model *m;

    resnet(&t, 3);
    m = build("ResNet-20", t.data, &cifar);
    if (m != NULL) {
        uint8_t row[32 * 32 * 3] = {1, 2, 3};
        float out[10];

        count(m, &all, &trainable);
        unit_is_int(all, 274442, "ResNet-20 has as many parameters as in Keras");
        unit_is_int(trainable, 273066, "so many of them trainable");
        unit_is_int(ax_graph_parameters(m->graph, true), 273066, "the graph says the same");
        unit_status(ax_model_predict(m, row, 1, out, &err), AX_OK, &err, "it predicts");
    }
    ax_model_free(m);
    t.n = 0;
    encoder(&t, 2, 64, 4, 128, "{\"Dense\": {\"units\": 2}}");
    m = build("an encoder of two layers", t.data, &steps);
    if (m != NULL) {
        count(m, &all, &trainable);
        /* attention 4 (64 64 + 64), dense 64 128 + 128 + 128 64 + 64, two normalizations 2 64 each; the head 130 */
        unit_is_int(all, 2 * (16640 + 16576 + 256) + 130, "its parameters are Keras's");
        unit_is_int(trainable, all, "all of them trainable");
    }
    ax_model_free(m);
}

/* ---- gradients of whole networks ------------------------------------------------------------- */

#define BATCH 3

typedef struct probe {
    ax_model *m;
    float x[BATCH * 256], seed[BATCH * 64];
    double value; /* the sum of seed * loss value */
} probe;

static void load_rows(void *arg, int shard, ax_exec *e)
{
    probe *p = arg;
    ax_tensor in = ax_exec_value(e, p->m->input);

    (void) shard;
    memcpy(in.data, p->x, ax_tensor_bytes(AX_FLOAT, &in.shape));
}

static void weigh(void *arg, int shard, ax_exec *e)
{
    probe *p = arg;
    ax_tensor y = ax_exec_value(e, p->m->loss_value), g = ax_exec_gradient(e, p->m->loss_value);

    (void) shard;
    p->value = 0;
    for (int64_t i = 0; i < ax_shape_elements(&y.shape); i++) {
        p->value += (double) ((float *) y.data)[i] * p->seed[i];
        ((float *) g.data)[i] = p->seed[i];
    }
}

static void run(probe *p, ax_exec *e, bool backward)
{
    ax_exec_job job = {.load = load_rows, .loss = weigh, .arg = p, .backward = backward};

    if (ax_exec_run(unit_env(), &e, 1, NULL, &job, &err) != AX_OK)
        unit_check(false, "run: %s", err.message);
}

#define PROBES 15

/* The sum, every weight moved by `step` along the way. */
static double value_at(probe *p, ax_exec *e, const float *at, const float *way, double step)
{
    ax_graph *g = p->m->graph;

    for (int64_t i = 0; i < g->n_param; i++)
        g->param[i] = (float) (at[i] + step * way[i]);
    run(p, e, false);
    memcpy(g->param, at, (size_t) g->n_param * sizeof(float));
    return p->value;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* The slope along random directions over all weights at once, by the gradient and by differences. The middle one of the
 * errors counts: a step may cross a place where a Maximum goes over to another input and the slope jumps. */
static void check_slopes(const char *what, probe *p, ax_exec *e, const float *grad)
{
    int64_t n = p->m->graph->n_param;
    float *at = malloc((size_t) n * sizeof(float)), *way = malloc((size_t) n * sizeof(float));
    double error[PROBES], step = 1e-2 / sqrt((double) n), length = 0;

    memcpy(at, p->m->graph->param, (size_t) n * sizeof(float));
    for (int64_t i = 0; i < n; i++)
        length += (double) grad[i] * grad[i];
    for (int k = 0; k < PROBES; k++) {
        double slope = 0;

        unit_fill_normal(way, n, 1);
        for (int64_t i = 0; i < n; i++)
            slope += (double) grad[i] * way[i];
        error[k] = fabs((value_at(p, e, at, way, step) - value_at(p, e, at, way, -step)) / (2 * step) - slope) /
                   sqrt(length);
    }
    qsort(error, PROBES, sizeof(*error), by_size);
    unit_check(error[PROBES / 2] < 1e-3, "%s: gradients of %lld weights, error %.2g of their length", what,
               (long long) ax_graph_parameters(p->m->graph, true), error[PROBES / 2]);
    free(at);
    free(way);
}

static void check_gradients(const char *what, const char *layers, const rows *r)
{
    static probe p;
    ax_plan_spec spec = {BATCH, true, 0, true};
    ax_plan *plan = NULL;
    ax_exec *e = NULL;
    void *memory;
    float *grad;

    p.m = build(what, layers, r);
    if (p.m == NULL)
        return;
    for (int64_t i = 0; i < p.m->graph->n_param; i++)
        p.m->graph->param[i] += unit_uniform(-0.1f, 0.1f); /* biases too */
    unit_fill(p.x, AX_COUNT(p.x), -1, 1);
    unit_fill(p.seed, AX_COUNT(p.seed), -1, 1);
    spec.loss_value = p.m->loss_value;
    unit_status(ax_plan_create(unit_env(), p.m->graph, &spec, &plan, &err), AX_OK, &err, "%s is planned", what);
    memory = ax_alloc(unit_env(), ax_plan_arena_bytes(plan));
    grad = ax_alloc(unit_env(), (size_t) p.m->graph->n_param * sizeof(float));
    unit_status(ax_exec_create(unit_env(), plan, memory, NULL, grad, &e, &err), AX_OK, &err, "and runs");
    run(&p, e, true);
    check_slopes(what, &p, e, grad);
    ax_exec_free(e);
    ax_free(unit_env(), memory);
    ax_free(unit_env(), grad);
    ax_plan_free(plan);
    ax_model_free(p.m);
}

static void test_gradients(void)
{
    static const rows image = {3, {6, 6, 2}, 2, NULL, 0}, steps = {2, {5, 8}, 2, NULL, 0}, row = {1, {7}, 2, NULL, 0};
    static text t;

    check_gradients("a residual network",
                    "[{\"Conv2D\": {\"filters\": 2, \"kernel_size\": 1}}, {\"ZeroPadding2D\": {\"padding\": [[1, 2], [0, 1]]}},"
                    "{\"Conv2D\": {\"filters\": 4, \"kernel_size\": 3, \"activation\": \"tanh\", \"name\": \"a\"}},"
                    "{\"Conv2D\": {\"filters\": 4, \"kernel_size\": 3, \"padding\": \"same\"}}, {\"BatchNormalization\": {\"name\": \"b\"}},"
                    "{\"Add\": {\"inbound\": [\"a\", \"b\"]}}, {\"Activation\": {\"activation\": \"elu\", \"name\": \"c\"}},"
                    "{\"Conv2D\": {\"filters\": 3, \"kernel_size\": 3, \"strides\": 2, \"padding\": \"same\", \"name\": \"d\"}},"
                    "{\"Conv2D\": {\"filters\": 3, \"kernel_size\": 1, \"strides\": 2, \"inbound\": \"c\", \"name\": \"e\"}},"
                    "{\"Concatenate\": {\"inbound\": [\"d\", \"e\", \"d\"]}}, {\"GlobalAveragePooling2D\": {\"name\": \"g\"}},"
                    "{\"Dense\": {\"units\": 9, \"activation\": \"sigmoid\"}}, {\"Multiply\": {\"inbound\": [\"g\", \"dense\"]}},"
                    "{\"Dense\": {\"units\": 2}}]", &image);
    check_gradients("every merge",
                    "[{\"Dense\": {\"units\": 5, \"activation\": \"tanh\", \"name\": \"a\"}}, {\"Dense\": {\"units\": 5, \"activation\": \"tanh\","
                    " \"name\": \"b\"}}, {\"Dense\": {\"units\": 1, \"name\": \"c\"}}, {\"Subtract\": {\"inbound\": [\"a\", \"b\"], \"name\": \"s\"}},"
                    "{\"Average\": {\"inbound\": [\"a\", \"c\", \"b\"], \"name\": \"m\"}}, {\"Multiply\": {\"inbound\": [\"s\", \"m\", \"c\"], \"name\": \"p\"}},"
                    "{\"Maximum\": {\"inbound\": [\"a\", \"p\"], \"name\": \"x\"}}, {\"Minimum\": {\"inbound\": [\"b\", \"m\", \"x\"]}}, {\"Dense\": {\"units\": 2}}]",
                    &row);
    encoder(&t, 2, 8, 2, 6, "{\"Dense\": {\"units\": 2}}");
    /* dropout would drop otherwise in every run */
    for (char *at; (at = strstr(t.data, "0.1")) != NULL;)
        memcpy(at, "0.0", 3);
    check_gradients("an encoder", t.data, &steps);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void refused(const char *layers, const rows *r, ax_status status, const char *message, const char *hint)
{
    ax_model *m = NULL;
    size_t before = unit_live_bytes();

    err = (ax_error){AX_OK, "", "", ""};
    unit_status(build_on(unit_env(), layers, r, &m), status, &err, "refused: %.70s", layers);
    unit_check(strstr(err.message, message) != NULL, "\"%s\" says \"%s\"", err.message, message);
    unit_check(strstr(err.hint, hint) != NULL, "the hint \"%s\" says \"%s\"", err.hint, hint);
    unit_check(unit_live_bytes() == before, "and nothing is left");
}

#define D(name, from) "{\"Dense\": {\"units\": 2, \"name\": \"" name "\", \"inbound\": " from "}}"

static void test_refused_lists(void)
{
    refused("[" D("a", "\"a\"") "]", &five, AX_ERR_INVALID, "layer \"a\" (Dense): it takes its own output", "circle");
    refused("[" D("a", "\"input\"") ", {\"Add\": {\"name\": \"b\", \"inbound\": [\"a\", \"c\"]}}, " D("c", "\"b\"") "]", &five, AX_ERR_INVALID,
            "depends on itself, by way of", "circle");
    refused("[" D("a", "\"input\"") ", " D("b", "\"aa\"") "]", &five, AX_ERR_UNKNOWN, "layer \"b\" (Dense): there is no layer \"aa\"", "There is: a, b.");
    refused("[" D("input", "\"input\"") "]", &five, AX_ERR_INVALID, "layer \"input\" (Dense): its name is", "another");
    refused("[{\"Dense\": {\"units\": 2, \"name\": \"block_one\"}}, " D("b", "\"block_on\"") "]", &five, AX_ERR_UNKNOWN, "\"block_on\"",
            "Did you mean \"block_one\"?");
    refused("[{\"Dense\": {\"units\": 2}}, {\"InputLayer\": {\"inbound\": \"dense\"}}]", &five, AX_ERR_INVALID, "no layer can feed it", "");
    refused("[" D("a", "\"input\"") ", " D("b", "\"input\"") "]", &five, AX_ERR_INVALID, "layer \"a\" (Dense): nothing takes its output",
            "inbound");
    refused("[" D("a", "\"input\"") ", " D("a", "\"input\"") "]", &five, AX_ERR_INVALID, "two layers are named \"a\"", "");
    refused("[" D("a", "[]") "]", &five, AX_ERR_INVALID, "layer \"a\" (Dense): nothing feeds it", "\"input\"");
    refused("[" D("a", "3") "]", &five, AX_ERR_INVALID, "\"inbound\" must be", "");
    refused("[" D("a", "[3]") "]", &five, AX_ERR_INVALID, "\"inbound\" must hold", "");
    refused("[" D("a", "[\"input\", \"input\"]") "]", &five, AX_ERR_INVALID, "it takes one input, not 2", "Concatenate");
    refused("[{\"Add\": {}}]", &five, AX_ERR_INVALID, "layer \"add\" (Add): it takes at least 2 inputs, not 1", "\"inbound\"");
    refused("[{\"Subtract\": {\"inbound\": [\"input\", \"input\", \"input\"]}}]", &five, AX_ERR_INVALID, "at most 2 inputs, not 3", "");
    refused("[{\"Dense\": {\"units\": 3}}, {\"Add\": {\"inbound\": [\"dense\", \"input\"]}}]", &five, AX_ERR_INVALID,
            "its inputs (3,) and (5,) do not fit together", "equal");
    refused("[{\"Reshape\": {\"target_shape\": [5, 1]}}, {\"Concatenate\": {\"inbound\": [\"reshape\", \"input\"]}}]", &five, AX_ERR_INVALID,
            "differ in more than the axis", "\"axis\"");
    refused("[{\"Concatenate\": {\"inbound\": [\"input\", \"input\"], \"axis\": 0}}]", &five, AX_ERR_INVALID, "is no axis of", "");
    refused("[{\"Concatenate\": {\"inbound\": [\"input\", \"input\"], \"axis\": 2}}]", &five, AX_ERR_INVALID, "is no axis of", "");
    refused("[{\"Add\": {\"inbond\": [\"input\", \"input\"]}}]", &five, AX_ERR_UNKNOWN, "\"inbond\"", "\"inbound\"");
    refused("[{\"ZeroPadding2D\": {\"padding\": [1, 2, 3]}}]", &(rows){3, {2, 2, 2}, 0, NULL, 0}, AX_ERR_INVALID, "\"padding\"", "[height, width]");
    refused("[{\"ZeroPadding2D\": {\"padding\": -1}}]", &(rows){3, {2, 2, 2}, 0, NULL, 0}, AX_ERR_INVALID, "\"padding\"", "");
}

/* A Functional model of an input x and what the arguments say. */
static void refused_model(const char *layers, const char *inputs, const char *outputs, ax_status status, const char *message)
{
    char model[4096];

    snprintf(model, sizeof(model), "{\"class_name\": \"Functional\", \"config\": {\"layers\": [{\"class_name\": \"InputLayer\", \"config\":"
             " {\"name\": \"x\"}, \"inbound_nodes\": []}, %s], \"input_layers\": %s, \"output_layers\": %s}}", layers, inputs, outputs);
    refused(model, &five, status, message, "");
}

#define L(name, nodes) "{\"class_name\": \"Dense\", \"config\": {\"name\": \"" name "\", \"units\": 2}, \"inbound_nodes\": " nodes "}"
#define X "[\"x\", 0, 0]"

static void test_refused_models(void)
{
    refused_model(L("a", "[[[\"x\", 0, 0, {}]]]"), X, "[[\"b\", 0, 0]]", AX_ERR_UNKNOWN, "there is no layer \"b\" to be the model's output");
    refused_model(L("a", "[[[\"x\", 0, 0, {}]]]"), "[]", "[[\"a\", 0, 0]]", AX_ERR_INVALID, "\"input_layers\"");
    refused_model(L("a", "[[[\"x\", 0, 0, {}]]]"), X, "null", AX_ERR_INVALID, "\"output_layers\"");
    refused_model(L("a", "[[[\"x\", 0, 0, {}]]]"), "[[\"a\", 0, 0]]", "[[\"a\", 0, 0]]", AX_ERR_INVALID, "must be an InputLayer");
    refused_model(L("a", "[[[\"x\", 0, 0, {}]]]"), "[" X ", " X "]", "[[\"a\", 0, 0]]", AX_ERR_UNSUPPORTED, "the model has 2 inputs");
    refused_model(L("a", "[[[\"x\", 0, 0, {}]]]"), X, "[[\"a\", 0, 0], [\"x\", 0, 0]]", AX_ERR_UNSUPPORTED, "the model has 2 outputs");
    refused_model("{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"y\"}}, " L("a", "[[[\"x\", 0, 0, {}]]]"), X, "[[\"a\", 0, 0]]",
                  AX_ERR_UNSUPPORTED, "the model has 2 input layers");
    refused_model(L("a", "[[[\"x\", 0, 0, {}]], [[\"x\", 0, 0, {}]]]"), X, "[[\"a\", 0, 0]]", AX_ERR_UNSUPPORTED,
                  "layer \"a\" (Dense): it is used 2 times; shared layers are not supported");
    refused_model(L("a", "[[[\"x\", 1, 0, {}]]]"), X, "[[\"a\", 0, 0]]", AX_ERR_UNSUPPORTED, "shared layers");
    refused_model(L("a", "[[[\"x\", 0, 1, {}]]]"), X, "[[\"a\", 0, 0]]", AX_ERR_UNSUPPORTED, "second output of \"x\"");
    refused_model(L("a", "[]"), X, "[[\"a\", 0, 0]]", AX_ERR_INVALID, "layer \"a\" (Dense): nothing feeds it");
    refused_model(L("a", "{}"), X, "[[\"a\", 0, 0]]", AX_ERR_INVALID, "\"inbound_nodes\" must be an array");
    refused_model(L("a", "[[[\"x\", 0, 0, {\"training\": false}]]]"), X, "[[\"a\", 0, 0]]", AX_ERR_UNSUPPORTED, "\"training\"");
    refused_model(L("a", "[{\"args\": [3], \"kwargs\": {}}]"), X, "[[\"a\", 0, 0]]", AX_ERR_UNSUPPORTED, "no layer's output");
    refused_model(L("a", "[[[\"b\", 0, 0, {}]]]") ", " L("b", "[[[\"a\", 0, 0, {}]]]"), X, "[[\"b\", 0, 0]]", AX_ERR_INVALID, "depends on itself");
    refused_model(L("a", "[[[\"x\", 0, 0, {}]]]") ", " L("b", "[[[\"a\", 0, 0, {}]]]"), X, "[[\"a\", 0, 0]]", AX_ERR_INVALID,
                  "layer \"b\" (Dense): nothing takes its output");
    refused_model("{\"Dense\": {\"units\": 2, \"inbound\": \"x\", \"name\": \"a\"}}", X, "[[\"a\", 0, 0]]", AX_ERR_INVALID, "no place");
    refused_model("{\"class_name\": \"Functional\", \"config\": {}}", X, X, AX_ERR_UNSUPPORTED, "a model within the model");
}

/* Large and deep: refused, or done, in no time. */
static void test_hostile(void)
{
    static text t;
    ax_model *m = NULL;
    char *big = malloc(1 << 20);
    size_t n;

    n = (size_t) sprintf(big, "[");
    for (int i = 0; i < 10000; i++)
        n += (size_t) sprintf(big + n, "%s{\"Dense\": {\"units\": 2}}", i > 0 ? ", " : "");
    sprintf(big + n, "]");
    refused(big, &five, AX_ERR_LIMIT, "there are 10000 layers, the maximum is 1000", "");
    n = 0;
    for (int i = 0; i < 10000; i++)
        n += (size_t) sprintf(big + n, "[");
    refused(big, &five, AX_ERR_LIMIT, "", "");
    n = (size_t) sprintf(big, "[{\"Add\": {\"inbound\": [\"input\"");
    for (int i = 0; i < 200; i++)
        n += (size_t) sprintf(big + n, ", \"input\"");
    sprintf(big + n, "]}}]");
    refused(big, &five, AX_ERR_LIMIT, "layer \"add\" (Add): it has more than 100 inputs", "");
    /* a thousand layers, each before what feeds it, and then in a ring */
    for (int ring = 0; ring < 2; ring++) {
        n = (size_t) sprintf(big, "[");
        for (int i = 999; i > 0; i--)
            n += (size_t) sprintf(big + n, "{\"linear\": {\"name\": \"l%d\", \"inbound\": \"%s%.0d\"}}, ", i,
                                  i == 1 ? ring ? "l999" : "input" : "l", i == 1 ? 0 : i - 1);
        sprintf(big + n, "{\"Dense\": {\"units\": 2, \"inbound\": \"l999\"}}]");
        if (ring)
            refused(big, &five, AX_ERR_INVALID, "depends on itself", "circle");
        else
            unit_status(build_on(unit_env(), big, &five, &m), AX_OK, &err, "a thousand layers backwards");
        ax_model_free(m);
        m = NULL;
    }
    /* each layer doubles the width: stopped before the memory is taken */
    put(&t, "[{\"Concatenate\": {\"inbound\": [\"input\", \"input\"], \"name\": \"l0\"}}");
    for (int i = 1; i < 60; i++)
        put(&t, ", {\"Concatenate\": {\"inbound\": [\"l%d\", \"l%d\"], \"name\": \"l%d\"}}", i - 1, i - 1, i);
    put(&t, "]");
    refused(t.data, &five, AX_ERR_LIMIT, "elements a row", "");
    t.n = 0;
    put(&t, "[{\"Reshape\": {\"target_shape\": [1, 5], \"name\": \"b\"}}, {\"Reshape\": {\"target_shape\": [5, 1], \"name\": \"a\"}}");
    put(&t, ", {\"Multiply\": {\"inbound\": [\"a\", \"b\"]}}, {\"Flatten\": {}}, {\"Dense\": {\"units\": 2}}]");
    m = build("an outer product", t.data, &five);
    ax_model_free(m);
    free(big);
}

/* ---- the life of such a model ---------------------------------------------------------------- */

static void test_storage(void)
{
    char before[1024], after[1024];
    ax_model *m = build("a model to store", list_form, &five), *again = NULL;
    uint8_t *bytes;
    size_t size = 0;

    if (m == NULL)
        return;
    ax_model_encoded_size(m, true, &size, &err);
    bytes = ax_alloc(unit_env(), size);
    unit_status(ax_model_encode(m, true, bytes, size, &err), AX_OK, &err, "it is encoded");
    unit_status(ax_model_decode(unit_env(), bytes, size, &again, &err), AX_OK, &err, "and decoded");
    if (again != NULL) {
        show(m, before, sizeof(before));
        show(again, after, sizeof(after));
        unit_is_str(after, before, "its layers and links come back");
        unit_status(ax_model_ready(again, &err), AX_OK, &err, "it is whole");
    }
    ax_model_free(again);
    ax_free(unit_env(), bytes);
    /* a row of layers as it was before there were links, and two that are damaged */
    ax_graph_set_meta(m->graph, "aiaas.layers", "[[\"a\",\"Dense\",\"(None, 2)\",3,3]]", &err);
    unit_status(ax_model_recall(m, &err), AX_OK, &err, "the former form is read");
    unit_check(m->layer[0].inbound == NULL && m->n_layers == 1, "as a chain");
    ax_graph_set_meta(m->graph, "aiaas.layers", "[[\"a\",\"Dense\",\"(None, 2)\",3,3,[1]]]", &err);
    unit_status(ax_model_recall(m, &err), AX_ERR_CORRUPT, &err, "a link that is no name");
    ax_graph_set_meta(m->graph, "aiaas.layers", "[[\"a\",\"Dense\",\"(None, 2)\",3,3,3]]", &err);
    unit_status(ax_model_recall(m, &err), AX_ERR_CORRUPT, &err, "links that are no list");
    ax_model_free(m);
}

/* A residual network learns; one thread and two give the same bits. */
static void test_training(void)
{
    static const char layers[] = "[{\"Dense\": {\"units\": 8, \"activation\": \"relu\", \"name\": \"a\"}}, {\"Dense\": {\"units\": 8, \"activation\":"
                                 " \"relu\"}}, {\"Dense\": {\"units\": 8}}, {\"Add\": {\"inbound\": [\"a\", \"dense_1\"]}}, {\"ReLU\": {}},"
                                 " {\"Dense\": {\"units\": 2, \"activation\": \"softmax\"}}]";
    static const char options[] = "{\"epochs\": 12, \"learning_rate\": 0.02}";
    float out[2][2], x[2] = {0.9f, -0.8f};

    for (int threads = 1; threads <= 2; threads++) {
        ax_model *m = build("a residual network", layers, &(rows){1, {2}, 0, NULL, 0});
        int32_t classes[200];
        ax_dataset *d = NULL;
        ax_options *o = NULL;
        ax_trainer *t = NULL;
        ax_train_event event = AX_TRAIN_MORE;
        double loss = 1;

        unit_seed(5);
        ax_dataset_create(unit_env(), AX_FLOAT, 2, &d, &err);
        for (int i = 0; i < 200; i++) {
            float row[2] = {unit_uniform(-1, 1), unit_uniform(-1, 1)};

            classes[i] = row[0] * row[1] > 0;
            ax_dataset_append(d, row, &err);
        }
        ax_dataset_set_classes(d, classes, 2, &err);
        ax_options_parse(unit_env(), options, sizeof(options) - 1, &o, &err);
        unit_status(ax_trainer_create(unit_env(), m, d, NULL, o, threads, &t, &err), AX_OK, &err, "it is trained");
        while (t != NULL && event != AX_TRAIN_DONE && ax_trainer_step(t, &event, &err) == AX_OK)
            if (event == AX_TRAIN_EPOCH)
                loss = ax_trainer_report(t)->train[0].value;
        unit_check(loss < 0.3, "its loss is %.3f", loss);
        ax_model_predict(m, x, 1, out[threads - 1], &err);
        ax_trainer_free(t);
        ax_options_free(o);
        ax_dataset_free(d);
        ax_model_free(m);
    }
    unit_same(out[1], out[0], sizeof(out[0]), "two threads give the bits of one");
}

static void test_out_of_memory(void)
{
    static const char *const forms[] = {keras3_form, keras2_form, list_form};
    size_t before = unit_live_bytes();
    int bad = 0;

    for (int i = 0; i < 3; i++)
        for (long n = 1;; n++) {
            ax_model *m = NULL;
            ax_status status = build_on(unit_env_fail_at(n), forms[i], &five, &m);

            ax_model_free(m);
            if (!unit_env_tripped())
                break;
            bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
        }
    unit_check(bad == 0, "every allocation may fail");
}

int main(void)
{
    unit_seed(1);
    test_notations();
    test_input_shape();
    test_merging();
    test_layouts();
    test_padding();
    test_attention();
    test_attention_json();
    test_turns();
    test_known();
    test_gradients();
    test_refused_lists();
    test_refused_models();
    test_hostile();
    test_storage();
    test_training();
    test_out_of_memory();
    return unit_done();
}
