/*
 * trees.c: aiaas' models of tables as a contender of the benchmarks: rows of normal numbers and two classes, as
 * peer_trees.py makes them. The protocol is engine.c's.
 *
 *     trees fit|predict algorithm=NAME options={...} rows=N columns=N threads=N batch=N
 *
 * A block of `fit` is whole fits, from ready floats to a model; of `predict`, calls of ax_model_predict on `batch` rows.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ax.h"

typedef struct contender {
    bool fits;
    const char *algorithm, *options_text;
    int threads, columns;
    int64_t rows, batch;
    float *row; /* (rows, columns) */
    int32_t *class;
    float *out;
    ax_column *column;
    ax_options *options;
    ax_model *model;
} contender;

static ax_error err;

/* ---- the world that the engine needs --------------------------------------------------------- */

static void *take(void *ctx, size_t size)
{
    (void) ctx;
    return malloc(size);
}

static void give(void *ctx, void *p)
{
    (void) ctx;
    free(p);
}

static const ax_env env = {take, give, NULL, NULL};

static void answer(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void give_up(const char *why)
{
    answer("failed %s", why);
    exit(1);
}

static void need(ax_status status)
{
    if (status != AX_OK)
        give_up(err.message);
}

static void *room(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (p == NULL)
        give_up("out of memory");
    return p;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static double uniform(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return ((double) (state >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

static void make_rows(contender *c)
{
    double w[1024];

    if (c->columns < 4 || c->columns > 1024)
        give_up("columns must be from 4 to 1024");
    c->row = room((size_t) c->rows * (size_t) c->columns, sizeof(float));
    c->class = room((size_t) c->rows, sizeof(int32_t));
    for (int j = 0; j < c->columns; j++)
        w[j] = normal();
    for (int64_t i = 0; i < c->rows; i++) {
        float *x = c->row + i * c->columns;
        double z = 0, u;

        for (int j = 0; j < c->columns; j++) {
            x[j] = (float) normal();
            z += 0.3 * w[j] * x[j];
        }
        u = uniform();
        z += sin(x[0] * x[1]) + 0.5 * x[2] * x[3] + log(u / (1 - u));
        c->class[i] = z > 0;
    }
}

static void make_columns(contender *c)
{
    char (*name)[16] = room((size_t) c->columns, sizeof(*name));

    c->column = room((size_t) c->columns, sizeof(*c->column));
    for (int j = 0; j < c->columns; j++) {
        snprintf(name[j], sizeof(name[j]), "x%d", j);
        c->column[j] = (ax_column) {.name = name[j], .width = 1};
    }
}

/* ---- work ------------------------------------------------------------------------------------ */

/* From the floats to a model. */
static ax_model *fit(const contender *c)
{
    static const char *const labels[] = {"0", "1"};
    ax_preparation_spec prepare = {c->column, c->columns, c->algorithm, AX_TASK_CLASSIFICATION};
    ax_model_spec spec = {.name = "bench", .input_type = AX_FLOAT, .input_rank = 1, .input_dim = {c->columns},
                          .task = AX_TASK_CLASSIFICATION, .n_outputs = 1, .n_classes = 2, .labels = labels};
    ax_train_event event = AX_TRAIN_MORE;
    ax_preparation *preparation;
    ax_dataset *d;
    ax_fit *f;
    ax_model *m;

    need(ax_dataset_create(&env, AX_FLOAT, c->columns, &d, &err));
    for (int64_t i = 0; i < c->rows; i++)
        need(ax_dataset_append(d, c->row + i * c->columns, &err));
    need(ax_dataset_set_classes(d, c->class, 2, &err));
    need(ax_preparation_learn(&env, &prepare, c->options, d, &preparation, &err));
    spec.preparation = preparation;
    need(ax_fit_create(&env, c->algorithm, &spec, d, NULL, c->options, c->threads, &f, &err));
    while (event != AX_TRAIN_DONE)
        need(ax_fit_step(f, &event, &err));
    m = ax_fit_take(f);
    ax_fit_free(f);
    ax_preparation_free(preparation);
    ax_dataset_free(d);
    return m;
}

static int64_t fit_once(contender *c)
{
    ax_model_free(c->model);
    c->model = fit(c);
    return c->rows;
}

/* All rows, `batch` of them a call. */
static int64_t predict_all(contender *c)
{
    for (int64_t i = 0; i + c->batch <= c->rows; i += c->batch)
        need(ax_model_predict(c->model, c->row + i * c->columns, c->batch, c->out, &err));
    return c->rows / c->batch * c->batch;
}

static void block(contender *c, double seconds)
{
    double start = now(), end;
    int64_t rows = 0;

    do {
        rows += c->fits ? fit_once(c) : predict_all(c);
        end = now();
    } while (end < start + seconds);
    answer("block %lld %.9f", (long long) rows, end - start);
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void read_argument(contender *c, const char *text)
{
    const char *value = strchr(text, '=');

    if (value++ == NULL)
        give_up("arguments are KEY=VALUE");
    if (strncmp(text, "algorithm=", 10) == 0)
        c->algorithm = value;
    else if (strncmp(text, "options=", 8) == 0)
        c->options_text = value;
    else if (strncmp(text, "rows=", 5) == 0)
        c->rows = atoll(value);
    else if (strncmp(text, "columns=", 8) == 0)
        c->columns = atoi(value);
    else if (strncmp(text, "threads=", 8) == 0)
        c->threads = atoi(value);
    else if (strncmp(text, "batch=", 6) == 0)
        c->batch = atoll(value);
    else
        give_up("unknown argument");
}

int main(int argc, char **argv)
{
    contender c = {.algorithm = "gradient_boosting", .options_text = "{}", .threads = 1, .columns = 28, .rows = 100000,
                   .batch = 1000};
    char line[256];
    double seconds;

    if (argc < 2)
        give_up("fit or predict?");
    ax_engine_init();
    c.fits = strcmp(argv[1], "fit") == 0;
    for (int i = 2; i < argc; i++)
        read_argument(&c, argv[i]);
    if (c.rows < 1 || c.batch < 1 || c.batch > c.rows)
        give_up("no rows");
    make_rows(&c);
    make_columns(&c);
    c.out = room((size_t) c.batch * 2, sizeof(float));
    need(ax_options_parse(&env, c.options_text, strlen(c.options_text), &c.options, &err));
    c.model = fit(&c);
    answer("ready %lld", (long long) ax_model_parameters(c.model));
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (sscanf(line, "block %lf", &seconds) == 1)
            block(&c, seconds);
        else
            give_up("unknown command");
    }
    return 0;
}
