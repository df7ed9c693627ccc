/*
 * prepared.c: see prepared.h.
 */
#include "model/prepared.h"

#include "nn/layer.h"

#define SLICE_ROWS 4096

ax_status ax_prepared_add(ax_fit *f, int *out, ax_error *err)
{
    int64_t width;

    return ax_preparation_add(f->spec->preparation, f->model->graph, f->model->input, out, &width, err);
}

/* A graph with nothing but the preparation. */
static ax_status make_graph(ax_fit *f, ax_prepared *d, ax_error *err)
{
    const ax_preparation *p = f->spec->preparation;
    ax_shape shape = {.rank = 2, .dim = {AX_DIM_BATCH, ax_preparation_row_width(p)}};

    AX_TRY(ax_graph_create(&f->env, "preparation", &d->graph, err));
    AX_TRY(ax_graph_add_input(d->graph, "input", AX_FLOAT, &shape, &d->model.input, err));
    AX_TRY(ax_preparation_add(p, d->graph, d->model.input, &d->model.output, &d->p, err));
    AX_TRY(ax_graph_add_output(d->graph, d->model.output, err));
    AX_TRY(ax_graph_bind(d->graph, err));
    d->model.env = f->env;
    d->model.graph = d->graph;
    d->model.n_outputs = (int) d->p;
    d->model.ready = true;
    return ax_runner_create(&f->env, &d->model, ax_pool_threads(f->pool), &d->runner, err);
}

static ax_status make_room(ax_fit *f, ax_prepared *d, ax_error *err)
{
    size_t n = (size_t) f->rows.n_train, bytes;

    if (!ax_mul_size(n * sizeof(float), (size_t) d->p, &bytes))
        return ax_nomem(err);
    d->x = ax_alloc(&f->env, bytes);
    d->weights = f->rows.weights != NULL ? ax_alloc(&f->env, n * sizeof(float)) : NULL;
    d->values = f->rows.values != NULL ? ax_alloc(&f->env, n * sizeof(float)) : NULL;
    d->classes = f->rows.classes != NULL ? ax_alloc(&f->env, n * sizeof(int32_t)) : NULL;
    if (d->x == NULL || (f->rows.weights != NULL && d->weights == NULL) ||
        (f->rows.values != NULL && d->values == NULL) || (f->rows.classes != NULL && d->classes == NULL))
        return ax_nomem(err);
    return AX_OK;
}

ax_status ax_prepared_open(ax_fit *f, ax_prepared *d, ax_error *err)
{
    AX_TRY(make_graph(f, d, err));
    if (d->p > AX_MAX_UNITS)
        return ax_fail(err, AX_ERR_LIMIT, "the columns become %lld numbers, the maximum is %lld", (long long) d->p,
                       (long long) AX_MAX_UNITS);
    return make_room(f, d, err);
}

/* A slice starts at row `from` of the training rows. */
typedef struct source {
    ax_fit *fit;
    int64_t from;
} source;

/* ax_row_source */
static void copy_slice(void *arg, int64_t first, int64_t n, void *dst)
{
    const source *s = arg;
    const ax_fit_rows *r = &s->fit->rows;
    int64_t width = r->data->width;
    float *to = dst;

    for (int64_t i = 0; i < n; i++)
        memcpy(to + i * width, ax_fit_row(r, r->train[s->from + first + i]), (size_t) width * sizeof(float));
}

static void copy_targets(const ax_fit *f, ax_prepared *d, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        int32_t row = f->rows.train[i];

        if (d->classes != NULL)
            d->classes[i] = f->rows.classes[row];
        if (d->values != NULL)
            d->values[i] = f->rows.values[row];
        if (d->weights != NULL)
            d->weights[i] = f->rows.weights[row];
    }
}

static void free_preparation(ax_prepared *d)
{
    ax_runner_free(d->runner);
    ax_graph_free(d->graph);
    d->runner = NULL;
    d->graph = NULL;
}

ax_status ax_prepared_fill(ax_fit *f, ax_prepared *d, bool *done, ax_error *err)
{
    int64_t n = AX_MIN(SLICE_ROWS, f->rows.n_train - d->at);
    source s = {f, d->at};

    AX_TRY(ax_runner_run(d->runner, f->pool, NULL, copy_slice, &s, n, d->x + d->at * d->p, err));
    copy_targets(f, d, d->at, d->at + n);
    d->at += n;
    *done = d->at == f->rows.n_train;
    if (*done)
        free_preparation(d);
    return AX_OK;
}

ax_linear_rows ax_prepared_rows(const ax_fit *f, const ax_prepared *d)
{
    return (ax_linear_rows) {.x = d->x, .n = f->rows.n_train, .p = (int) d->p, .values = d->values,
                             .classes = d->classes, .weights = d->weights};
}

void ax_prepared_close(ax_fit *f, ax_prepared *d)
{
    free_preparation(d);
    ax_free(&f->env, d->x);
    ax_free(&f->env, d->classes);
    ax_free(&f->env, d->values);
    ax_free(&f->env, d->weights);
    *d = (ax_prepared) {.x = NULL};
}
