/*
 * test_same_bits.c: the same rows, options and seed give the same weights with 1, 2, 3 and 4 threads, on every
 * instruction set: for a network that has all that shards share or meet at (packed weights, Winograd's and depthwise
 * convolutions, pools, BatchNormalization, dropout, deferred gradients of dense layers) and batches that leave rests.
 */
#include "unit.h"

#include <string.h>

#define ROWS 83

static ax_error err;

static const char layers[] =
    "[{\"Conv2D\": {\"filters\": 24, \"kernel_size\": 3, \"activation\": \"relu\"}}, {\"MaxPooling2D\": {}},"
    "{\"Conv2D\": {\"filters\": 40, \"kernel_size\": 3, \"padding\": \"same\"}}, {\"BatchNormalization\": {}}, {\"ReLU\": {}},"
    "{\"DepthwiseConv2D\": {\"kernel_size\": 3, \"strides\": 2}}, {\"Dropout\": {\"rate\": 0.2}},"
    "{\"Flatten\": {}}, {\"Dense\": {\"units\": 33, \"activation\": \"relu\"}}, {\"Dense\": {\"units\": 5}}]";
static const char options[] = "{\"epochs\": 2, \"batch_size\": 25, \"seed\": 3, \"validation_split\": 0.1}";

static ax_dataset *make_rows(void)
{
    ax_dataset *d = NULL;
    int32_t class[ROWS];
    float row[16 * 16 * 3];

    ax_dataset_create(unit_env(), AX_FLOAT, AX_COUNT(row), &d, &err);
    for (int i = 0; i < ROWS; i++) {
        unit_fill(row, AX_COUNT(row), -1, 1);
        class[i] = (int32_t) unit_below(5);
        ax_dataset_append(d, row, &err);
    }
    ax_dataset_set_classes(d, class, 5, &err);
    return d;
}

static ax_status train(ax_model *m, ax_dataset *d, const ax_options *o, int threads)
{
    ax_train_event event = AX_TRAIN_MORE;
    ax_trainer *t = NULL;
    ax_status status = ax_trainer_create(unit_env(), m, d, NULL, o, threads, &t, &err);

    while (status == AX_OK && event != AX_TRAIN_DONE)
        status = ax_trainer_step(t, &event, &err);
    ax_trainer_free(t);
    return status;
}

/* FNV-1a over the model's ONNX bytes; 0 when something failed. */
static uint64_t hash_of(ax_model *m)
{
    uint64_t h = 0xcbf29ce484222325u;
    size_t size = 0;
    uint8_t *bytes;

    if (ax_model_encoded_size(m, true, &size, &err) != AX_OK)
        return 0;
    bytes = ax_alloc(unit_env(), size);
    if (ax_model_encode(m, true, bytes, size, &err) != AX_OK)
        h = 0;
    for (size_t i = 0; h != 0 && i < size; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    ax_free(unit_env(), bytes);
    return h;
}

static uint64_t train_and_hash(ax_dataset *d, int threads)
{
    const ax_model_spec spec = {.name = "bits", .layers = layers, .layers_len = sizeof(layers) - 1,
                                .input_type = AX_FLOAT, .input_rank = 3, .input_dim = {16, 16, 3},
                                .task = AX_TASK_CLASSIFICATION, .n_outputs = 1, .n_classes = 5};
    ax_options *o = NULL;
    ax_model *m = NULL;
    uint64_t h = 0;
    ax_status status = ax_options_parse(unit_env(), options, sizeof(options) - 1, &o, &err);

    if (status == AX_OK)
        status = ax_model_build(unit_env(), &spec, o, &m, &err);
    if (status == AX_OK)
        status = train(m, d, o, threads);
    if (unit_status(status, AX_OK, &err, "%d threads have trained", threads))
        h = hash_of(m);
    ax_model_free(m);
    ax_options_free(o);
    return h;
}

int main(void)
{
    static const char *const isa[] = {"baseline", "avx2", "avx512"};
    ax_dataset *d;

    unit_seed(9);
    d = make_rows();
    for (int i = 0; i < AX_COUNT(isa); i++) {
        uint64_t one;

        if (ax_isa_force(isa[i], &err) != AX_OK) {
            unit_skip("this CPU has no %s", isa[i]);
            continue;
        }
        one = train_and_hash(d, 1);
        for (int threads = 2; threads <= 4; threads++)
            unit_check(one != 0 && train_and_hash(d, threads) == one, "%s: the same weights with %d threads", isa[i],
                       threads);
    }
    ax_dataset_free(d);
    return unit_done();
}
