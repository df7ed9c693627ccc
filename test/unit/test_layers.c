/*
 * test_layers.c: the layer table through ax_network_check and ax_model_build: shapes and parameters as Keras
 * gives them, Keras's own JSON in its two forms, and what is refused, with the name at fault.
 */
#include "nn/network.h"
#include "unit.h"

#include <stdio.h>

static ax_error err;

typedef struct wanted {
    const char *layers;
    const char *options;
    int rank;
    int64_t dim[4];
    int classes; /* 0: a regression of one number */
} wanted;

static ax_status build(const wanted *w, ax_model **m)
{
    ax_options *o = NULL;
    ax_model_spec spec = {.name = "m",
                          .layers = w->layers,
                          .layers_len = strlen(w->layers),
                          .input_type = AX_FLOAT,
                          .input_rank = w->rank,
                          .task = w->classes ? AX_TASK_CLASSIFICATION : AX_TASK_REGRESSION,
                          .n_outputs = 1,
                          .n_classes = w->classes};
    ax_status status;
    ax_task hint;

    memcpy(spec.input_dim, w->dim, sizeof(w->dim));
    status = ax_options_parse(unit_env(), w->options, w->options ? strlen(w->options) : 0, &o, &err);
    if (status == AX_OK)
        status = ax_network_check(unit_env(), w->layers, strlen(w->layers), o, &hint, &err);
    if (status == AX_OK)
        status = ax_model_build(unit_env(), &spec, o, m, &err);
    ax_options_free(o);
    return status;
}

/* The summary in one string: "shape parameters; ..." of every layer. */
static void shows(const char *what, const char *layers, const char *options, int rank,
                  const int64_t *dim, const char *text)
{
    wanted w = {layers, options, rank, {dim[0], rank > 1 ? dim[1] : 0, rank > 2 ? dim[2] : 0}, 2};
    char got[2048] = "";
    ax_model *m = NULL;

    if (!unit_status(build(&w, &m), AX_OK, &err, "%s is built", what))
        return;
    for (int i = 0; i < ax_model_layer_count(m); i++) {
        const ax_layer_info *l = ax_model_layer_at(m, i);
        size_t n = strlen(got);

        snprintf(got + n, sizeof(got) - n, "%s %s %lld; ", l->name, l->output_shape,
                 (long long) l->parameters);
    }
    unit_is_str(got, text, "%s: names, shapes and parameters", what);
    ax_model_free(m);
}

#define HEAD ", {\"Flatten\": {}}, {\"Dense\": {\"units\": 2, \"activation\": \"softmax\"}}]"

static void test_shapes(void)
{
    static const int64_t image[] = {32, 32, 3}, planes[] = {3, 32, 32}, row[] = {100, 6}, five[] = {5};

    shows("Conv2D", "[{\"Conv2D\": {\"filters\": 8, \"kernel_size\": 3}}" HEAD, NULL, 3, image,
          "conv2d (None, 30, 30, 8) 224; flatten (None, 7200) 0; dense (None, 2) 14402; ");
    shows("Conv2D, channels first", "[{\"Conv2D\": {\"filters\": 8, \"kernel_size\": 3}}" HEAD,
          "{\"data_format\": \"channels_first\"}", 3, planes,
          "conv2d (None, 8, 30, 30) 224; flatten (None, 7200) 0; dense (None, 2) 14402; ");
    shows("Conv2D, same, strides 2",
          "[{\"Conv2D\": {\"filters\": 4, \"kernel_size\": [3, 5], \"strides\": 2, \"padding\": \"same\"}}" HEAD,
          NULL, 3, image,
          "conv2d (None, 16, 16, 4) 184; flatten (None, 1024) 0; dense (None, 2) 2050; ");
    shows("DepthwiseConv2D and SeparableConv2D",
          "[{\"DepthwiseConv2D\": {\"kernel_size\": 3, \"depth_multiplier\": 2}},"
          "{\"SeparableConv2D\": {\"filters\": 4, \"kernel_size\": 3}}" HEAD,
          NULL, 3, image,
          "depthwise_conv2d (None, 30, 30, 6) 60; separable_conv2d (None, 28, 28, 4) 82; "
          "flatten (None, 3136) 0; dense (None, 2) 6274; ");
    shows("pools",
          "[{\"MaxPooling2D\": {}}, {\"AveragePooling2D\": {\"pool_size\": 3, \"strides\": 2, \"padding\": \"same\"}},"
          "{\"GlobalAveragePooling2D\": {}}, {\"Dense\": {\"units\": 2}}]",
          NULL, 3, image,
          "max_pooling2d (None, 16, 16, 3) 0; average_pooling2d (None, 8, 8, 3) 0; "
          "global_average_pooling2d (None, 3) 0; dense (None, 2) 8; ");
    shows("one axis",
          "[{\"Conv1D\": {\"filters\": 4, \"kernel_size\": 5, \"dilation_rate\": 2}}, {\"MaxPooling1D\": {}},"
          "{\"BatchNormalization\": {}}, {\"LayerNormalization\": {}}, {\"GlobalMaxPooling1D\": {}},"
          "{\"Dense\": {\"units\": 2}}]",
          NULL, 2, row,
          "conv1d (None, 92, 4) 124; max_pooling1d (None, 46, 4) 0; batch_normalization (None, 46, 4) 16; "
          "layer_normalization (None, 46, 4) 8; global_max_pooling1d (None, 4) 0; dense (None, 2) 10; ");
    shows("names", "[{\"Dense\": {\"units\": 3, \"use_bias\": false}}, {\"Dropout\": {\"rate\": 0.5}},"
          "{\"Dense\": {\"units\": 3, \"name\": \"mine\"}}, {\"Activation\": {\"activation\": \"relu\"}}, {\"Dense\": {\"units\": 2}}]",
          NULL, 1, five,
          "dense (None, 3) 15; dropout (None, 3) 0; mine (None, 3) 12; activation (None, 3) 0; "
          "dense_1 (None, 2) 8; ");
    shows("Reshape", "[{\"Reshape\": {\"target_shape\": [2, -1]}}, {\"Dense\": {\"units\": 4}}" HEAD, NULL, 3,
          image, "reshape (None, 2, 1536) 0; dense (None, 2, 4) 6148; flatten (None, 8) 0; dense_1 (None, 2) 18; ");
}

/* As Keras 2 and Keras 3 print the same model. */
static void test_keras_json(void)
{
    static const int64_t image[] = {8, 8, 1};
    static const char shown[] = "conv2d (None, 6, 6, 2) 20; flatten (None, 72) 0; dense (None, 2) 146; ";
    static const char two[] =
        "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"sequential\", \"layers\": ["
        "{\"class_name\": \"Conv2D\", \"config\": {\"name\": \"conv2d\", \"trainable\": true, \"dtype\": \"float32\","
        " \"batch_input_shape\": [null, 8, 8, 1], \"filters\": 2, \"kernel_size\": [3, 3], \"strides\": [1, 1],"
        " \"padding\": \"valid\", \"data_format\": \"channels_last\", \"dilation_rate\": [1, 1], \"groups\": 1,"
        " \"activation\": \"relu\", \"use_bias\": true, \"kernel_initializer\": {\"class_name\": \"GlorotUniform\","
        " \"config\": {\"seed\": null}}, \"bias_initializer\": {\"class_name\": \"Zeros\", \"config\": {}},"
        " \"kernel_regularizer\": null, \"bias_regularizer\": null, \"activity_regularizer\": null,"
        " \"kernel_constraint\": null, \"bias_constraint\": null}},"
        "{\"class_name\": \"Flatten\", \"config\": {\"name\": \"flatten\", \"trainable\": true, \"dtype\": \"float32\","
        " \"data_format\": \"channels_last\"}},"
        "{\"class_name\": \"Dense\", \"config\": {\"name\": \"dense\", \"units\": 2, \"activation\": \"softmax\"}}]},"
        " \"keras_version\": \"2.12.0\", \"backend\": \"tensorflow\"}";
    static const char three[] =
        "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": {\"name\": \"sequential\", \"trainable\": true,"
        " \"dtype\": {\"module\": \"keras\", \"class_name\": \"DTypePolicy\", \"config\": {\"name\": \"float32\"},"
        " \"registered_name\": null}, \"layers\": [{\"module\": \"keras.layers\", \"class_name\": \"InputLayer\","
        " \"config\": {\"batch_shape\": [null, 8, 8, 1], \"dtype\": \"float32\", \"sparse\": false, \"ragged\": false,"
        " \"name\": \"input_layer\"}, \"registered_name\": null}, {\"module\": \"keras.layers\", \"class_name\": \"Conv2D\","
        " \"config\": {\"name\": \"conv2d\", \"trainable\": true, \"dtype\": {\"module\": \"keras\", \"class_name\":"
        " \"DTypePolicy\", \"config\": {\"name\": \"float32\"}, \"registered_name\": null}, \"filters\": 2, \"kernel_size\":"
        " [3, 3], \"strides\": [1, 1], \"padding\": \"valid\", \"data_format\": \"channels_last\", \"dilation_rate\": [1, 1],"
        " \"groups\": 1, \"activation\": \"relu\", \"use_bias\": true, \"kernel_initializer\": {\"module\":"
        " \"keras.initializers\", \"class_name\": \"GlorotUniform\", \"config\": {\"seed\": null}, \"registered_name\": null},"
        " \"bias_initializer\": {\"module\": \"keras.initializers\", \"class_name\": \"Zeros\", \"config\": {},"
        " \"registered_name\": null}, \"kernel_regularizer\": null, \"bias_regularizer\": null, \"activity_regularizer\":"
        " null, \"kernel_constraint\": null, \"bias_constraint\": null}, \"registered_name\": null, \"build_config\":"
        " {\"input_shape\": [null, 8, 8, 1]}}, {\"module\": \"keras.layers\", \"class_name\": \"Flatten\", \"config\":"
        " {\"name\": \"flatten\", \"trainable\": true, \"data_format\": \"channels_last\"}, \"registered_name\": null,"
        " \"build_config\": {\"input_shape\": [null, 6, 6, 2]}}, {\"module\": \"keras.layers\", \"class_name\": \"Dense\","
        " \"config\": {\"name\": \"dense\", \"units\": 2, \"activation\": \"softmax\"}, \"registered_name\": null}],"
        " \"build_input_shape\": [null, 8, 8, 1]}, \"registered_name\": null, \"build_config\": {\"input_shape\":"
        " [null, 8, 8, 1]}, \"compile_config\": {}}";
    char with_input[256];

    snprintf(with_input, sizeof(with_input), "input_layer (None, 8, 8, 1) 0; %s", shown);
    shows("to_json() of Keras 2", two, NULL, 3, image, shown);
    shows("to_json() of Keras 3", three, NULL, 3, image, with_input);
}

static void refused(const wanted *w, ax_status status, const char *message, const char *hint)
{
    ax_model *m = NULL;
    size_t before = unit_live_bytes();

    err = (ax_error){AX_OK, "", "", ""};
    unit_status(build(w, &m), status, &err, "refused: %.60s", w->layers);
    unit_check(strstr(err.message, message) != NULL, "\"%s\" says \"%s\"", err.message, message);
    unit_check(strstr(err.hint, hint) != NULL, "the hint \"%s\" says \"%s\"", err.hint, hint);
    unit_check(unit_live_bytes() == before, "and nothing is left");
}

static void test_refused(void)
{
    refused(&(wanted){"[{\"Denes\": {\"units\": 2}}]", NULL, 1, {4}, 2}, AX_ERR_UNKNOWN, "\"Denes\"", "\"Dense\"");
    refused(&(wanted){"[{\"Dense\": {\"unit\": 2}}]", NULL, 1, {4}, 2}, AX_ERR_UNKNOWN, "\"unit\"", "\"units\"");
    refused(&(wanted){"[{\"Dense\": {}}]", NULL, 1, {4}, 2}, AX_ERR_INVALID, "units", "");
    refused(&(wanted){"[{\"Dense\": {\"units\": -1}}]", NULL, 1, {4}, 2}, AX_ERR_INVALID, "units", "");
    refused(&(wanted){"[{\"Dense\": {\"units\": 1000000000}}]", NULL, 1, {4}, 2}, AX_ERR_LIMIT, "units", "");
    refused(&(wanted){"[{\"Dense\": {\"units\": 16777216}}, {\"Dense\": {\"units\": 16777216}}]", NULL, 1, {4}, 2},
            AX_ERR_LIMIT, "parameters", "");
    refused(&(wanted){"[{\"Dense\": {\"units\": 5, \"activation\": \"softmax\"}}]", NULL, 1, {4}, 3},
            AX_ERR_INVALID, "3 classes", "to 3");
    refused(&(wanted){"[{\"Dense\": {\"units\": 3, \"activation\": \"relu\"}}]", NULL, 1, {4}, 3},
            AX_ERR_INVALID, "relu", "softmax");
    refused(&(wanted){"[{\"Dense\": {\"units\": 3, \"activation\": \"softmx\"}}]", NULL, 1, {4}, 3},
            AX_ERR_UNKNOWN, "softmx", "softmax");
    refused(&(wanted){"[{\"Conv2D\": {\"filters\": 2, \"kernel_size\": 3}}]", NULL, 1, {4}, 2}, AX_ERR_INVALID,
            "conv2d", "input_shape");
    refused(&(wanted){"[{\"Conv2D\": {\"filters\": 2, \"kernel_size\": 9}}]", NULL, 3, {8, 8, 3}, 2},
            AX_ERR_INVALID, "does not fit", "");
    refused(&(wanted){"[{\"Conv2D\": {\"filters\": 2, \"kernel_size\": 3}}]", NULL, 3, {8, 8, 3}, 2},
            AX_ERR_INVALID, "(6, 6, 2)", "Flatten");
    refused(&(wanted){"[{\"Dense\": {\"units\": 2}}]", "{\"loss\": \"mse\"}", 1, {4}, 2}, AX_ERR_INVALID, "mse", "crossentropy");
    refused(&(wanted){"[{\"Dense\": {\"units\": 2}}]", NULL, 1, {4}, 0}, AX_ERR_INVALID, "2 outputs", "to 1");
    refused(&(wanted){"[{\"ConvLSTM2D\": {\"filters\": 2}}]", NULL, 1, {4}, 2}, AX_ERR_UNKNOWN, "LSTM", "");
    refused(&(wanted){"[", NULL, 1, {4}, 2}, AX_ERR_INVALID, "", "");
    refused(&(wanted){"[]", NULL, 1, {4}, 2}, AX_ERR_INVALID, "empty", "");
    refused(&(wanted){"{\"class_name\": \"MyModel\", \"config\": {}}", NULL, 1, {4}, 2}, AX_ERR_UNSUPPORTED,
            "MyModel", "Functional");
}

/* A network that ends in logits answers with probabilities, and its loss is on the logits. */
static void test_head(void)
{
    wanted w = {"[{\"Dense\": {\"units\": 3}}]", NULL, 1, {4}, 3};
    float row[4] = {1, 2, 3, 4}, out[3];
    ax_model *m = NULL;

    unit_status(build(&w, &m), AX_OK, &err, "logits are taken");
    unit_status(ax_model_predict(m, row, 1, out, &err), AX_OK, &err, "a prediction");
    unit_near(out[0] + out[1] + out[2], 1, 1e-5, "is of probabilities");
    unit_check(m->loss.on_logits && m->loss_value != m->output, "the loss is before the softmax");
    ax_model_free(m);
}

/* The order of elements: what channels_last flattens is rows, columns, channels. */
static void test_order(void)
{
    wanted w = {"[{\"MaxPooling2D\": {\"pool_size\": 1}}, {\"Flatten\": {}}, {\"Dense\": {\"units\": 2,"
                " \"activation\": \"sigmoid\"}}, {\"Dense\": {\"units\": 1}}]", NULL, 3, {2, 3, 2}, 0};
    float row[12], last, first, planes[12];
    ax_model *m = NULL;

    unit_fill(row, 12, -1, 1);
    unit_status(build(&w, &m), AX_OK, &err, "channels last");
    ax_model_predict(m, row, 1, &last, &err);
    ax_model_free(m);
    /* the same numbers as planes, for a network that says channels_last itself */
    w.layers = "[{\"MaxPooling2D\": {\"pool_size\": 1, \"data_format\": \"channels_last\"}}, {\"Flatten\": {}},"
               "{\"Dense\": {\"units\": 2, \"activation\": \"sigmoid\"}}, {\"Dense\": {\"units\": 1}}]";
    w.options = "{\"data_format\": \"channels_first\"}";
    memcpy(w.dim, (int64_t[]){2, 2, 3}, 3 * sizeof(int64_t));
    for (int i = 0; i < 12; i++)
        planes[i % 2 * 6 + i / 2] = row[i];
    unit_status(build(&w, &m), AX_OK, &err, "planes for a network of channels last");
    ax_model_predict(m, planes, 1, &first, &err);
    unit_near(first, last, 1e-6, "the answer does not depend on how the bytes lie");
    ax_model_free(m);
}

int main(void)
{
    unit_seed(1);
    test_shapes();
    test_keras_json();
    test_refused();
    test_head();
    test_order();
    return unit_done();
}
