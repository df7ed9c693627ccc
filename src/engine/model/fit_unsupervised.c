/*
 * fit_unsupervised.c: kmeans and pca: nothing is predicted, the rows are described.
 */
#include "model/prepared.h"

typedef struct described {
    ax_prepared design;
    ax_kmeans *kmeans;
    ax_pca *pca;
} described;

static ax_status open_design(ax_fit *f, ax_error *err)
{
    described *d = ax_zalloc(&f->env, sizeof(*d));

    if (d == NULL)
        return ax_nomem(err);
    f->work = d;
    return ax_prepared_open(f, &d->design, err);
}

static void close_design(ax_fit *f)
{
    described *d = f->work;

    ax_prepared_close(f, &d->design);
    ax_kmeans_free(d->kmeans);
    ax_pca_free(d->pca);
    ax_free(&f->env, d);
    f->work = NULL;
}

static ax_status solve_kmeans(ax_fit *f, described *d, ax_error *err)
{
    const ax_options *o = f->options;
    ax_linear_rows rows = ax_prepared_rows(f, &d->design);
    ax_kmeans_params p = {
        .k = (int) ax_options_integer(o, "n_clusters"),
        .n_init = (int) ax_options_integer(o, "n_init"),
        .max_iter = ax_options_given(o, "max_iter") ? (int) ax_options_integer(o, "max_iter") : 300,
        .tol = ax_options_given(o, "tol") ? ax_options_number(o, "tol") : 1e-4,
        .batch_size = ax_options_given(o, "batch_size") ? (int) ax_options_integer(o, "batch_size") : 0,
        .seed = (uint64_t) ax_options_integer(o, "seed"),
    };

    AX_TRY(ax_kmeans_fit(&f->env, &rows, &p, f->pool, &d->kmeans, err));
    f->report.epoch = f->report.epochs = d->kmeans->iterations;
    return AX_OK;
}

static ax_status solve_pca(ax_fit *f, described *d, ax_error *err)
{
    ax_linear_rows rows = ax_prepared_rows(f, &d->design);
    int64_t most = AX_MIN(rows.n, rows.p), k = most;

    if (ax_options_given(f->options, "n_components"))
        k = ax_options_integer(f->options, "n_components");
    if (k > most)
        return ax_fail(err, AX_ERR_INVALID, "option \"n_components\" must be at most %lld, not %lld", (long long) most,
                       (long long) k);
    f->report.epoch = f->report.epochs = 1;
    return ax_pca_fit(&f->env, &rows, (int) k, &d->pca, err);
}

static ax_status work_design(ax_fit *f, bool *done, bool *round, ax_error *err)
{
    described *d = f->work;

    (void) round;
    AX_TRY(ax_prepared_fill(f, &d->design, done, err));
    if (!*done)
        return AX_OK;
    return f->algorithm == &ax_algorithm_kmeans ? solve_kmeans(f, d, err) : solve_pca(f, d, err);
}

/* ---- models ---------------------------------------------------------------------------------- */

/*
 * The nearest center has the least |c|^2 - 2 x c: a product, a sum, the place of the minimum, as a number.
 */
static ax_status add_nearest(ax_fit *f, const ax_kmeans *k, int x, int *out, ax_error *err)
{
    int64_t w_shape[] = {k->p, k->k}, b_shape[] = {k->k};
    float *w = ax_arena_array(&f->arena, (size_t) k->p * (size_t) k->k, sizeof(*w));
    float *b = ax_arena_array(&f->arena, (size_t) k->k, sizeof(*b));
    ax_attr nearest[] = {ax_attr_i("axis", 1), ax_attr_i("keepdims", 1)}, cast[] = {ax_attr_i("to", AX_FLOAT)};
    int in[3] = {x}, value;

    if (w == NULL || b == NULL)
        return ax_nomem(err);
    for (int c = 0; c < k->k; c++) {
        double square = 0;

        for (int j = 0; j < k->p; j++) {
            float at = k->center[(int64_t) c * k->p + j];

            w[(int64_t) j * k->k + c] = -2 * at;
            square += (double) at * at;
        }
        b[c] = (float) square;
    }
    AX_TRY(ax_fit_constant(f, "centers", 2, w_shape, w, &in[1], err));
    AX_TRY(ax_fit_constant(f, "squares", 1, b_shape, b, &in[2], err));
    AX_TRY(ax_graph_add_node(f->model->graph, "Gemm", "distance", 3, in, 0, NULL, &value, err));
    AX_TRY(ax_graph_add_node(f->model->graph, "ArgMin", "nearest", 1, &value, 2, nearest, &value, err));
    return ax_graph_add_node(f->model->graph, "Cast", "cluster", 1, &value, 1, cast, out, err);
}

static ax_status model_kmeans(ax_fit *f, ax_error *err)
{
    described *d = f->work;
    ax_fit_summary s = {.type = "KMeans", .parameters = (int64_t) d->kmeans->k * d->kmeans->p, .outputs = 1,
                        .loss = AX_LOSS_MSE};
    int x, out;

    AX_TRY(ax_prepared_add(f, &x, err));
    AX_TRY(add_nearest(f, d->kmeans, x, &out, err));
    return ax_fit_model_end(f, out, &s, err);
}

static ax_status add_components(ax_fit *f, const ax_pca *p, int x, int *out, ax_error *err)
{
    int64_t mean_shape[] = {p->p}, w_shape[] = {p->p, p->k};
    float *mean = ax_arena_array(&f->arena, (size_t) p->p, sizeof(*mean));
    float *w = ax_arena_array(&f->arena, (size_t) p->p * (size_t) p->k, sizeof(*w));
    int center, weight;

    if (mean == NULL || w == NULL)
        return ax_nomem(err);
    for (int j = 0; j < p->p; j++) {
        mean[j] = (float) p->mean[j];
        for (int c = 0; c < p->k; c++)
            w[(int64_t) j * p->k + c] = (float) p->component[(int64_t) c * p->p + j];
    }
    AX_TRY(ax_fit_constant(f, "mean", 1, mean_shape, mean, &center, err));
    AX_TRY(ax_fit_constant(f, "components", 2, w_shape, w, &weight, err));
    AX_TRY(ax_fit_node(f, "Sub", "centered", x, center, -1, out, err));
    return ax_fit_node(f, "MatMul", "component", *out, weight, -1, out, err);
}

static ax_status model_pca(ax_fit *f, ax_error *err)
{
    described *d = f->work;
    ax_fit_summary s = {.type = "PCA", .parameters = (int64_t) d->pca->p * d->pca->k, .outputs = d->pca->k,
                        .loss = AX_LOSS_MSE};
    int x, out;

    AX_TRY(ax_prepared_add(f, &x, err));
    AX_TRY(add_components(f, d->pca, x, &out, err));
    return ax_fit_model_end(f, out, &s, err);
}

const ax_algorithm ax_algorithm_kmeans = {
    .name = "kmeans",
    .hint = AX_TASK_REGRESSION,
    .options = "n_clusters|n_init|max_iter|tol|batch_size",
    .open = open_design,
    .work = work_design,
    .model = model_kmeans,
    .close = close_design,
};

const ax_algorithm ax_algorithm_pca = {
    .name = "pca",
    .hint = AX_TASK_REGRESSION,
    .options = "n_components",
    .open = open_design,
    .work = work_design,
    .model = model_pca,
    .close = close_design,
};
