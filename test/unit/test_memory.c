/*
 * test_memory.c: what a training says it will take is what it takes, to 5%, over networks, batch sizes and options;
 * and until its first step it has taken none of the large pieces.
 */
#include "unit.h"

#include <stdio.h>

#define ROWS 300
#define CHANNELS 3
#define SIDE 16
#define WIDTH (CHANNELS * SIDE * SIDE)

static ax_error err;

typedef struct net {
    const char *name, *layers;
    ax_dtype type;
    ax_task task;
} net;

static const net nets[] = {
    {"convolutions with normalization",
     "[{\"Rescaling\": {\"scale\": 0.01}},"
     " {\"Conv2D\": {\"filters\": 24, \"kernel_size\": 3, \"padding\": \"same\"}}, {\"BatchNormalization\": {}},"
     " {\"ReLU\": {}}, {\"MaxPooling2D\": {\"pool_size\": 2}},"
     " {\"Conv2D\": {\"filters\": 32, \"kernel_size\": 3, \"padding\": \"same\"}}, {\"BatchNormalization\": {}},"
     " {\"ReLU\": {}}, {\"Dropout\": {\"rate\": 0.2}}, {\"Flatten\": {}}, {\"Dense\": {\"units\": 64}},"
     " {\"Dense\": {\"units\": 10, \"activation\": \"softmax\"}}]",
     AX_UINT8, AX_TASK_CLASSIFICATION},
    {"a wide perceptron",
     "[{\"Flatten\": {}}, {\"Dense\": {\"units\": 600, \"activation\": \"relu\"}},"
     " {\"Dense\": {\"units\": 300, \"activation\": \"relu\"}},"
     " {\"Dense\": {\"units\": 10, \"activation\": \"softmax\"}}]",
     AX_FLOAT, AX_TASK_CLASSIFICATION},
    {"a small perceptron",
     "[{\"Flatten\": {}}, {\"Dense\": {\"units\": 8, \"activation\": \"tanh\"}}, {\"Dense\": {\"units\": 4}}]",
     AX_FLOAT, AX_TASK_REGRESSION},
};

static const char *const options[] = {
    "\"shuffle\": true",
    "\"validation_split\": 0.25, \"early_stopping\": true",
    "\"validation_split\": 0.1, \"optimizer\": \"sgd\", \"momentum\": 0.9, \"early_stopping\": {\"patience\": 3}",
    "\"optimizer\": {\"Adam\": {\"amsgrad\": true, \"clipnorm\": 1.0}}",
};

static const char auc[] = "\"metrics\": [\"auc\"], \"class_weight\": \"balanced\", \"validation_split\": 0.5";

/* ---- what a training is made of -------------------------------------------------------------- */

static ax_dataset *make_rows(const net *n, int rows)
{
    static float row[WIDTH], values[ROWS][4], weights[ROWS];
    static int32_t classes[ROWS];
    static uint8_t bytes[WIDTH];
    ax_dataset *d = NULL;

    ax_dataset_create(unit_env(), n->type, WIDTH, &d, &err);
    for (int i = 0; i < rows; i++) {
        unit_fill(row, WIDTH, 0, 1);
        for (int j = 0; j < WIDTH; j++)
            bytes[j] = (uint8_t) unit_below(256);
        ax_dataset_append(d, n->type == AX_UINT8 ? (const void *) bytes : row, &err);
        classes[i] = i % 10;
        weights[i] = 1;
        unit_fill(values[i], 4, -1, 1);
    }
    if (n->task == AX_TASK_CLASSIFICATION)
        ax_dataset_set_classes(d, classes, 10, &err);
    else
        ax_dataset_set_values(d, values[0], 4, &err);
    ax_dataset_set_weights(d, weights, &err);
    return d;
}

static ax_model *make_model(const net *n, const ax_options *o)
{
    ax_model *m = NULL;
    ax_model_spec spec = {.name = "memory",
                          .layers = n->layers,
                          .layers_len = strlen(n->layers),
                          .input_type = n->type,
                          .input_rank = 3,
                          .input_dim = {CHANNELS, SIDE, SIDE},
                          .task = n->task,
                          .n_outputs = n->task == AX_TASK_CLASSIFICATION ? 1 : 4,
                          .n_classes = n->task == AX_TASK_CLASSIFICATION ? 10 : 0};

    unit_status(ax_model_build(unit_env(), &spec, o, &m, &err), AX_OK, &err, "%s is built", n->name);
    return m;
}

/* ---- planned and measured -------------------------------------------------------------------- */

/* What the plans, the options and the like may take before the first step. */
#define SMALL ((size_t) 768 << 10)

/* Without the rows, whose memory is there before the training and would hide what the plan forgets. */
static void compare(const char *what, const ax_trainer *t, size_t before, size_t opened)
{
    const ax_train_memory *m = &ax_trainer_report(t)->memory;
    size_t peak = unit_peak_bytes() - before, planned = m->total - m->rows;
    double off = ((double) m->total - (double) peak) / (double) (peak - m->rows);

    unit_check(off > -0.05 && off < 0.05, "%s: planned %zu, off by %.1f%%", what, planned, 100 * off);
    unit_check(m->rows + m->weights + m->batch + m->validation <= m->total, "%s: the parts are within the whole", what);
    unit_check(opened < SMALL, "%s: %zu bytes are taken before the first step", what, opened);
}

/* valid: rows of a dataset of its own for validation, or 0. */
static void run(const net *n, int batch, const char *more, int valid, int threads)
{
    char json[400], what[500];
    size_t before, said, made, opened;
    ax_options *o = NULL;
    ax_train_event event = AX_TRAIN_MORE;
    ax_trainer *t = NULL;
    ax_dataset *d, *v;
    ax_model *m;
    ax_status status = AX_OK;

    snprintf(json, sizeof(json), "{\"epochs\": 1, \"batch_size\": %d, \"data_format\": \"channels_first\", %s}", batch,
             more);
    snprintf(what, sizeof(what), "%s, batch %d, %s, %d threads", n->name, batch, more, threads);
    unit_status(ax_options_parse(unit_env(), json, strlen(json), &o, &err), AX_OK, &err, "options");
    before = unit_live_bytes();
    d = make_rows(n, batch == 1 ? 40 : ROWS);
    v = valid > 0 ? make_rows(n, valid) : NULL;
    said = ax_dataset_memory(d) + (v != NULL ? ax_dataset_memory(v) : 0);
    unit_is_int((long long) (unit_live_bytes() - before), (long long) said, "%s: the rows take what they say", what);
    m = make_model(n, o);
    made = unit_live_bytes();
    unit_status(ax_trainer_create(unit_env(), m, d, v, o, threads, &t, &err), AX_OK, &err, "it is opened");
    opened = unit_live_bytes() - made;
    unit_peak_reset();
    while (status == AX_OK && event != AX_TRAIN_DONE)
        status = ax_trainer_step(t, &event, &err);
    unit_status(status, AX_OK, &err, "and trained");
    compare(what, t, before, opened);
    ax_trainer_free(t);
    ax_model_free(m);
    ax_dataset_free(d);
    ax_dataset_free(v);
    ax_options_free(o);
}

int main(void)
{
    static const int batches[] = {1, 32, 128};

    for (int i = 0; i < AX_COUNT(nets); i++)
        for (int b = 0; b < AX_COUNT(batches); b++)
            for (int k = 0; k < AX_COUNT(options); k++)
                run(&nets[i], batches[b], options[k], 0, 1 + k % 3);
    for (int b = 0; b < AX_COUNT(batches); b++)
        run(&nets[0], batches[b], auc, 0, 2);
    run(&nets[0], 128, options[0], 70, 2);
    run(&nets[1], 50, options[0], 200, 2);
    return unit_done();
}
