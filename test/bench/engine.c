/*
 * engine.c: aiaas as a contender of the benchmarks. It sees nothing of the engine but ax.h.
 *
 *     engine train|infer KEY=VALUE...
 *
 *     layers=FILE       the layers as JSON (ax_network_check)
 *     options={...}     options as JSON; for train with the epochs and the batch_size
 *     input=3x32x32     shape of a row
 *     type=float|uint8  its elements; float without
 *     classes=N         a classification; without, a regression
 *     outputs=N         of so many numbers; 1 without
 *     threads=N         of a training; 1 without
 *     batch=N           rows of a step, or of a call of ax_model_predict
 *     rows=N            rows of an epoch; without, about a megabyte of them and at least two
 * batches
 *
 * The first line that it prints is "ready PARAMETERS", "unsupported MESSAGE" or "failed MESSAGE".
 * Then each line of standard input is a command, and gets one line as answer:
 *
 *     block SECONDS     works for so long; for a training, to the end of an epoch. "block ROWS
 * SECONDS" memory            "memory BYTES": the peak of resident memory, less what there was
 * before the model export FILE       writes the model as ONNX input FILE        writes the rows of
 * a batch output FILE       writes what the model says to them
 *
 * The others are "done", or "failed MESSAGE".
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ax.h"

#define EPOCH_BYTES 0x100000

typedef struct contender {
    bool trains;
    const char *layers_file;
    const char *options_text;
    ax_dtype type;
    int rank;
    int64_t dim[AX_MAX_RANK];
    int classes, outputs, threads;
    int64_t batch, rows;

    int64_t width; /* elements of a row */
    char *layers;
    uint8_t *row; /* rows, or one batch of them */
    float *out;   /* (batch, outputs) */
    long memory;  /* bytes resident before there was a model */
    ax_options *options;
    ax_dataset *data;
    ax_model *model;
    ax_trainer *trainer;
} contender;

static ax_error err;

/* ---- the world that the engine needs --------------------------------------------------------- */

static void *allocate(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void release(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

static const ax_env env = {.alloc = allocate, .free = release};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A line of /proc/self/status, in bytes. */
static long process_bytes(const char *name)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    long kilobytes = 0;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kilobytes = strtol(line + strlen(name) + 1, NULL, 10);
    if (f != NULL)
        fclose(f);
    return kilobytes * 1024;
}

/* Lets the peak begin anew at what is resident now. */
static void reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");

    if (f != NULL) {
        fputs("5", f);
        fclose(f);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static void answer(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

__attribute__((noreturn)) static void give_up(const char *message)
{
    answer("failed %s", message);
    exit(1);
}

/* A layer or an operator that the engine does not have ends the contender, not the run. */
static void need(ax_status status)
{
    if (status == AX_OK)
        return;
    answer("%s %s",
           status == AX_ERR_UNSUPPORTED || status == AX_ERR_UNKNOWN ? "unsupported" : "failed",
           err.message);
    exit(1);
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void read_shape(contender *c, const char *text)
{
    char *end = NULL;

    for (c->rank = 0; c->rank < AX_MAX_RANK; text = end + 1) {
        c->dim[c->rank++] = strtoll(text, &end, 10);
        if (*end != 'x')
            return;
    }
}

static void read_argument(contender *c, const char *argument)
{
    const char *value = strchr(argument, '=');
    size_t length = value != NULL ? (size_t)(value - argument) : 0;

#define IS(name) (length == strlen(name) && strncmp(argument, name, length) == 0)
    if (value == NULL)
        give_up("arguments are key=value");
    value++;
    if (IS("layers"))
        c->layers_file = value;
    else if (IS("options"))
        c->options_text = value;
    else if (IS("input"))
        read_shape(c, value);
    else if (IS("type"))
        c->type = strcmp(value, "uint8") == 0 ? AX_UINT8 : AX_FLOAT;
    else if (IS("classes"))
        c->classes = atoi(value);
    else if (IS("outputs"))
        c->outputs = atoi(value);
    else if (IS("threads"))
        c->threads = atoi(value);
    else if (IS("batch"))
        c->batch = atoll(value);
    else if (IS("rows"))
        c->rows = atoll(value);
    else
        give_up(argument);
#undef IS
}

static int64_t row_bytes(const contender *c)
{
    return c->width * (int64_t)ax_dtype_size(c->type);
}

static void read_arguments(contender *c, int argc, char **argv)
{
    if (argc < 2 || (strcmp(argv[1], "train") != 0 && strcmp(argv[1], "infer") != 0))
        give_up("train or infer?");
    c->trains = strcmp(argv[1], "train") == 0;
    for (int i = 2; i < argc; i++)
        read_argument(c, argv[i]);
    if (c->layers_file == NULL || c->rank == 0 || c->batch < 1 || c->threads < 1)
        give_up("layers, input, batch and threads are needed");
    c->width = 1;
    for (int i = 0; i < c->rank; i++)
        c->width *= c->dim[i];
    if (!c->trains)
        c->rows = c->batch;
    else if (c->rows == 0)
        c->rows = (EPOCH_BYTES / row_bytes(c) / c->batch + 2) * c->batch;
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    if (f == NULL || getdelim(&text, &size, '\0', f) < 0)
        give_up("the file of the layers cannot be read");
    fclose(f);
    return text;
}

/* ---- rows and a model ------------------------------------------------------------------------ */

/* Bytes over their whole range; floats in -0.5 .. 0.5. */
static void make_rows(contender *c)
{
    int64_t n = c->rows * c->width;
    uint32_t bits = 1;

    c->row = malloc((size_t)(c->rows * row_bytes(c)));
    if (c->row == NULL)
        give_up("out of memory");
    for (int64_t i = 0; i < n; i++) {
        bits = bits * 1664525u + 1013904223u;
        if (c->type == AX_UINT8)
            c->row[i] = (uint8_t)(bits >> 24);
        else
            ((float *)c->row)[i] = (float)(bits >> 8) * 0x1p-24f - 0.5f;
    }
}

static void make_targets(contender *c)
{
    int32_t *class = calloc((size_t)c->rows, sizeof(*class));
    float *value = calloc((size_t)(c->rows * c->outputs), sizeof(*value));

    if (class == NULL || value == NULL)
        give_up("out of memory");
    srand(1);
    for (int64_t i = 0; i < c->rows && c->classes > 0; i++)
        class[i] = rand() % c->classes;
    if (c->classes > 0)
        need(ax_dataset_set_classes(c->data, class, c->classes, &err));
    else
        need(ax_dataset_set_values(c->data, value, c->outputs, &err));
    free(class);
    free(value);
}

static void make_dataset(contender *c)
{
    need(ax_dataset_create(&env, c->type, c->width, &c->data, &err));
    for (int64_t i = 0; i < c->rows; i++)
        need(ax_dataset_append(c->data, c->row + i * row_bytes(c), &err));
    make_targets(c);
}

static void make_model(contender *c)
{
    ax_task task = c->classes > 0 ? AX_TASK_CLASSIFICATION : AX_TASK_REGRESSION, hint;
    size_t length = strlen(c->layers);
    ax_model_spec spec = {.name = "bench",
                          .layers = c->layers,
                          .layers_len = length,
                          .input_type = c->type,
                          .input_rank = c->rank,
                          .task = task,
                          .n_outputs = c->outputs,
                          .n_classes = c->classes};

    memcpy(spec.input_dim, c->dim, sizeof(c->dim));
    need(ax_options_parse(&env, c->options_text, strlen(c->options_text), &c->options, &err));
    need(ax_network_check(&env, c->layers, length, c->options, &hint, &err));
    need(ax_model_build(&env, &spec, c->options, &c->model, &err));
}

static void prepare(contender *c)
{
    c->layers = read_file(c->layers_file);
    make_rows(c);
    if (c->trains)
        make_dataset(c);
    reset_peak();
    c->memory = process_bytes("VmRSS");
    make_model(c);
    if (c->trains)
        need(ax_trainer_create(&env, c->model, c->data, NULL, c->options, c->threads, &c->trainer,
                               &err));
    c->out = calloc((size_t)c->batch * (size_t)ax_model_outputs(c->model), sizeof(float));
    if (c->out == NULL)
        give_up("out of memory");
}

static void dismiss(contender *c)
{
    ax_trainer_free(c->trainer);
    ax_model_free(c->model);
    ax_dataset_free(c->data);
    ax_options_free(c->options);
    free(c->out);
    free(c->row);
    free(c->layers);
}

/* ---- commands -------------------------------------------------------------------------------- */

static int64_t train_epoch(contender *c)
{
    ax_train_event event = AX_TRAIN_MORE;

    while (event == AX_TRAIN_MORE)
        need(ax_trainer_step(c->trainer, &event, &err));
    if (event == AX_TRAIN_DONE)
        give_up("the training came to its end");
    return c->rows;
}

static int64_t predict_batch(contender *c)
{
    need(ax_model_predict(c->model, c->row, c->batch, c->out, &err));
    return c->batch;
}

static void block(contender *c, double seconds)
{
    double start = now(), end;
    int64_t rows = 0;

    do {
        rows += c->trains ? train_epoch(c) : predict_batch(c);
        end = now();
    } while (end < start + seconds);
    answer("block %lld %.9f", (long long)rows, end - start);
}

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    bool written = f != NULL && fwrite(bytes, 1, size, f) == size;

    if (f != NULL && fclose(f) != 0)
        written = false;
    answer(written ? "done" : "failed to write %s", path);
}

static void export_model(contender *c, const char *path)
{
    size_t size;
    uint8_t *bytes;

    need(ax_model_encoded_size(c->model, true, &size, &err));
    bytes = malloc(size);
    if (bytes == NULL)
        give_up("out of memory");
    need(ax_model_encode(c->model, true, bytes, size, &err));
    write_bytes(path, bytes, size);
    free(bytes);
}

static void obey(contender *c, const char *command, const char *argument)
{
    if (strcmp(command, "block") == 0)
        block(c, strtod(argument, NULL));
    else if (strcmp(command, "memory") == 0)
        answer("memory %ld", process_bytes("VmHWM") - c->memory);
    else if (strcmp(command, "export") == 0)
        export_model(c, argument);
    else if (strcmp(command, "input") == 0)
        write_bytes(argument, c->row, (size_t)(c->batch * row_bytes(c)));
    else if (strcmp(command, "output") == 0) {
        size_t size = (size_t)predict_batch(c) * (size_t)ax_model_outputs(c->model) * sizeof(float);

        write_bytes(argument, c->out, size);
    } else
        give_up("unknown command");
}

int main(int argc, char **argv)
{
    contender c = {.type = AX_FLOAT, .outputs = 1, .threads = 1, .options_text = "{}"};
    char line[4096], command[16], argument[4000];

    ax_engine_init();
    read_arguments(&c, argc, argv);
    prepare(&c);
    answer("ready %lld", (long long)ax_model_parameters(c.model));
    while (fgets(line, sizeof(line), stdin) != NULL) {
        argument[0] = '\0';
        if (sscanf(line, "%15s %3999[^\n]", command, argument) >= 1)
            obey(&c, command, argument);
    }
    dismiss(&c);
    return 0;
}
