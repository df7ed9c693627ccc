/*
 * test_life.c: the whole life of a model through ax.h alone (options, layers, rows, training, bytes, reading
 * them back, prediction), as the database goes through it; then the same with the nth allocation failing,
 * for every n, and with permission to go on withdrawn at the nth time it is asked. Nothing may leak.
 */
#include "unit.h"

#include <stdlib.h>

#define ROWS 40
#define CHANNELS 2
#define SIDE 8
#define WIDTH (CHANNELS * SIDE * SIDE)

static const char layers[] =
    "[{\"Rescaling\": {\"scale\": 0.01}},"
    " {\"Conv2D\": {\"filters\": 4, \"kernel_size\": 3, \"activation\": \"relu\"}},"
    " {\"BatchNormalization\": {}}, {\"MaxPooling2D\": {\"pool_size\": 2}}, {\"Dropout\": {\"rate\": 0.2}},"
    " {\"Flatten\": {}}, {\"Dense\": {\"units\": 8, \"activation\": \"relu\"}},"
    " {\"Dense\": {\"units\": 3, \"activation\": \"softmax\"}}]";
static const char options_text[] =
    "{\"epochs\": 2, \"batch_size\": 16, \"validation_split\": 0.25, \"data_format\": \"channels_first\","
    " \"early_stopping\": true, \"seed\": 5, \"class_weight\": \"balanced\"}";

static uint8_t pixels[ROWS][WIDTH];
static int32_t classes[ROWS];

/* Everything that a life makes; freed in one place whatever happened. */
typedef struct life {
    ax_options *options;
    ax_dataset *data;
    ax_model *model, *again;
    ax_trainer *trainer;
    uint8_t *bytes;
    float out[ROWS * 3], out_again[ROWS * 3];
    int epochs;
} life;

static ax_status read_rows(const ax_env *env, life *l, ax_error *err)
{
    AX_TRY(ax_dataset_create(env, AX_UINT8, WIDTH, &l->data, err));
    for (int i = 0; i < ROWS; i++)
        AX_TRY(ax_dataset_append(l->data, pixels[i], err));
    return ax_dataset_set_classes(l->data, classes, 3, err);
}

static ax_status build(const ax_env *env, life *l, ax_error *err)
{
    static const char *const labels[] = {"cat", "dog", "fox"};
    ax_model_spec spec = {.name = "life",
                          .layers = layers,
                          .layers_len = sizeof(layers) - 1,
                          .input_type = AX_UINT8,
                          .input_rank = 3,
                          .input_dim = {CHANNELS, SIDE, SIDE},
                          .task = AX_TASK_CLASSIFICATION,
                          .n_outputs = 1,
                          .n_classes = 3,
                          .labels = labels,
                          .features = "{\"columns\": []}"};

    return ax_model_build(env, &spec, l->options, &l->model, err);
}

static ax_status train(const ax_env *env, life *l, int threads, ax_error *err)
{
    ax_train_event event = AX_TRAIN_MORE;

    AX_TRY(ax_trainer_create(env, l->model, l->data, NULL, l->options, threads, &l->trainer, err));
    while (event != AX_TRAIN_DONE) {
        AX_TRY(ax_trainer_step(l->trainer, &event, err));
        l->epochs += event == AX_TRAIN_EPOCH;
    }
    return ax_model_predict(l->model, pixels, ROWS, l->out, err);
}

/* As the database does it: the graph without weights, then every weight in pieces. */
static ax_status reload(const ax_env *env, life *l, ax_error *err)
{
    size_t size;

    AX_TRY(ax_model_encoded_size(l->model, false, &size, err));
    l->bytes = ax_alloc(env, size);
    if (l->bytes == NULL)
        return ax_nomem(err);
    AX_TRY(ax_model_encode(l->model, false, l->bytes, size, err));
    AX_TRY(ax_model_decode(env, l->bytes, size, &l->again, err));
    for (int i = 0; i < ax_model_weight_count(l->model); i++) {
        ax_weight w;

        AX_TRY(ax_model_weight_at(l->model, i, &w, err));
        for (size_t at = 0; at < w.bytes; at += 100)
            AX_TRY(ax_model_fill_weight(l->again, w.name, at, (const char *) w.data + at,
                                        AX_MIN(w.bytes - at, 100), err));
    }
    AX_TRY(ax_model_ready(l->again, err));
    return ax_model_predict(l->again, pixels, ROWS, l->out_again, err);
}

static ax_status evaluate(const ax_env *env, life *l, ax_error *err)
{
    ax_evaluator *e = NULL;
    const ax_metric *metrics;
    int count;
    ax_status status;

    AX_TRY(ax_evaluator_create(env, l->again, NULL, true, &e, err));
    status = ax_evaluator_add(e, pixels, ROWS, classes, NULL, NULL, err);
    if (status == AX_OK)
        status = ax_evaluator_result(e, &metrics, &count, err);
    ax_evaluator_free(e);
    return status;
}

static ax_status live(const ax_env *env, life *l, int threads, ax_error *err)
{
    ax_task hint;

    AX_TRY(ax_options_parse(env, options_text, sizeof(options_text) - 1, &l->options, err));
    AX_TRY(ax_network_check(env, layers, sizeof(layers) - 1, l->options, &hint, err));
    AX_TRY(read_rows(env, l, err));
    AX_TRY(build(env, l, err));
    AX_TRY(train(env, l, threads, err));
    AX_TRY(reload(env, l, err));
    return evaluate(env, l, err);
}

static void end(const ax_env *env, life *l)
{
    ax_trainer_free(l->trainer);
    ax_model_free(l->model);
    ax_model_free(l->again);
    ax_dataset_free(l->data);
    ax_options_free(l->options);
    ax_free(env, l->bytes);
}

static void test_life(void)
{
    life one = {0}, two = {0};
    ax_error err;

    unit_status(live(unit_env(), &one, 1, &err), AX_OK, &err, "a whole life");
    unit_is_int(one.epochs, 2, "two epochs");
    unit_is_int(ax_model_parameters(one.model),
                4 * CHANNELS * 9 + 4 + 16 + 36 * 8 + 8 + 8 * 3 + 3, "parameters");
    unit_same(one.out, one.out_again, sizeof(one.out), "a reloaded model answers with the same bits");
    unit_status(live(unit_env(), &two, 4, &err), AX_OK, &err, "the same with four threads");
    unit_same(one.out, two.out, sizeof(one.out), "the bits do not depend on the threads");
    end(unit_env(), &one);
    end(unit_env(), &two);
}

static void test_no_memory(void)
{
    size_t before = unit_live_bytes();
    int bad = 0, tried = 0;

    for (long n = 1;; n++, tried++) {
        const ax_env *env = unit_env_fail_at(n);
        life l = {0};
        ax_error err;
        ax_status status = live(env, &l, 2, &err);
        bool tripped = unit_env_tripped();

        end(env, &l);
        if (!tripped)
            break;
        if (status != AX_ERR_NOMEM || unit_live_bytes() != before)
            unit_note("allocation %ld: %s, %zu bytes left", n, unit_status_name(status),
                      unit_live_bytes() - before);
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 100, "each of %d allocations may fail", tried);
}

static void test_cancel(void)
{
    size_t before = unit_live_bytes();
    int bad = 0, tried = 0;

    for (long n = 1;; n += 1 + n / 50, tried++) {
        const ax_env *env = unit_env_cancel_at(n);
        life l = {0};
        ax_error err;
        ax_status status = live(env, &l, 2, &err);
        bool tripped = unit_env_tripped();

        end(env, &l);
        if (!tripped)
            break;
        bad += status != AX_ERR_CANCELLED || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 3, "cancelled at %d moments", tried);
}

int main(void)
{
    unit_seed(3);
    for (int i = 0; i < ROWS; i++) {
        classes[i] = i % 3;
        for (int k = 0; k < WIDTH; k++)
            pixels[i][k] = (uint8_t) (unit_below(100) + 50 * classes[i] * (k % 3 == classes[i]));
    }
    test_life();
    test_no_memory();
    test_cancel();
    return unit_done();
}
