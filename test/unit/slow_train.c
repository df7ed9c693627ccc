/*
 * slow_train.c: a small convolutional network learns to read digits. The MNIST files are looked for
 * in the directory mnist of the directory that AIAAS_DATA names; without them the test is skipped.
 */
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

#define PIXELS 784
#define WANTED 0.985

static ax_error err;

static const char layers[] =
    "[{\"Rescaling\": {\"scale\": 0.00392156862745098}},"
    " {\"Conv2D\": {\"filters\": 16, \"kernel_size\": 3, \"activation\": \"relu\"}},"
    " {\"MaxPooling2D\": {\"pool_size\": 2}},"
    " {\"Conv2D\": {\"filters\": 32, \"kernel_size\": 3, \"activation\": \"relu\"}},"
    " {\"MaxPooling2D\": {\"pool_size\": 2}},"
    " {\"Flatten\": {}},"
    " {\"Dropout\": {\"rate\": 0.2}},"
    " {\"Dense\": {\"units\": 64, \"activation\": \"relu\"}},"
    " {\"Dense\": {\"units\": 10, \"activation\": \"softmax\"}}]";

static const char options_text[] =
    "{\"input_shape\": [28, 28, 1], \"optimizer\": \"adam\", \"learning_rate\": 0.002,"
    " \"schedule\": \"cosine\", \"epochs\": 3, \"batch_size\": 64, \"metrics\": [\"accuracy\"]}";

static FILE *open_gz(const char *name)
{
    char path[1024], command[1100];
    const char *dir = getenv("AIAAS_DATA");
    FILE *f;

    if (dir == NULL)
        return NULL;
    snprintf(path, sizeof(path), "%s/mnist/%s", dir, name);
    f = fopen(path, "r");
    if (f == NULL)
        return NULL;
    fclose(f);
    snprintf(command, sizeof(command), "gzip -dc '%s'", path);
    return popen(command, "r");
}

static uint32_t read_number(FILE *f)
{
    uint8_t b[4] = {0};

    if (fread(b, 1, 4, f) != 4)
        return 0;
    return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

/* Rows and classes from open files; false when they are not what they should be. */
static bool read_digits(FILE *images, FILE *labels, ax_dataset *d)
{
    static int32_t class[70000];
    uint8_t row[PIXELS];
    uint32_t n;

    if (read_number(images) != 0x803 || read_number(labels) != 0x801)
        return false;
    n = read_number(images);
    if (n != read_number(labels) || n > 70000 || read_number(images) != 28 ||
        read_number(images) != 28)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (fread(row, 1, PIXELS, images) != PIXELS || ax_dataset_append(d, row, &err) != AX_OK)
            return false;
        class[i] = fgetc(labels);
    }
    return ax_dataset_set_classes(d, class, 10, &err) == AX_OK;
}

static ax_dataset *load(const char *images_name, const char *labels_name)
{
    FILE *images = open_gz(images_name), *labels = open_gz(labels_name);
    ax_dataset *d = NULL;

    if (images != NULL && labels != NULL &&
        ax_dataset_create(unit_env(), AX_UINT8, PIXELS, &d, &err) == AX_OK &&
        !read_digits(images, labels, d)) {
        ax_dataset_free(d);
        d = NULL;
    }
    if (images != NULL)
        pclose(images);
    if (labels != NULL)
        pclose(labels);
    return d;
}

static ax_status build(const ax_options *o, ax_model **m)
{
    const ax_model_spec spec = {.name = "digits",
                                .layers = layers,
                                .layers_len = sizeof(layers) - 1,
                                .input_type = AX_UINT8,
                                .input_rank = 3,
                                .input_dim = {28, 28, 1},
                                .task = AX_TASK_CLASSIFICATION,
                                .n_outputs = 1,
                                .n_classes = 10};

    return ax_model_build(unit_env(), &spec, o, m, &err);
}

static void learn(ax_dataset *train, ax_dataset *test)
{
    ax_options *o = NULL;
    ax_model *m = NULL;
    ax_trainer *t = NULL;
    ax_train_event event = AX_TRAIN_MORE;
    ax_status status = ax_options_parse(unit_env(), options_text, sizeof(options_text) - 1, &o,
                                        &err);
    double accuracy = 0;

    if (status == AX_OK)
        status = build(o, &m);
    if (status == AX_OK)
        status = ax_trainer_create(unit_env(), m, train, test, o, ax_cpu_count(), &t, &err);
    while (status == AX_OK && event != AX_TRAIN_DONE) {
        status = ax_trainer_step(t, &event, &err);
        if (status == AX_OK && event == AX_TRAIN_EPOCH) {
            const ax_train_report *r = ax_trainer_report(t);

            accuracy = r->valid[1].value;
            unit_note("epoch %d: loss %.4f, accuracy %.4f; test %.4f, %.4f; %.1f s", r->epoch,
                      r->train[0].value, r->train[1].value, r->valid[0].value, accuracy,
                      r->seconds);
        }
    }
    unit_status(status, AX_OK, &err, "the network is trained");
    unit_check(accuracy >= WANTED, "it reads %.4f of the test digits, at least %.3f are wanted",
               accuracy, WANTED);
    ax_trainer_free(t);
    ax_model_free(m);
    ax_options_free(o);
}

int main(void)
{
    ax_dataset *train = load("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz");
    ax_dataset *test = load("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz");

    if (train == NULL || test == NULL)
        unit_skip("MNIST is not in the directory that AIAAS_DATA names");
    else
        learn(train, test);
    ax_dataset_free(train);
    ax_dataset_free(test);
    return unit_done();
}
