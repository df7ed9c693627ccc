/*
 * fit_linear.c: linear and logistic: a product with the coefficients behind the preparation.
 */
#include <math.h>

#include "model/prepared.h"

typedef struct linear {
    ax_prepared design;
    ax_linear_fit *fit;
} linear;

static ax_status open_linear(ax_fit *f, ax_error *err)
{
    linear *l = ax_zalloc(&f->env, sizeof(*l));

    if (l == NULL)
        return ax_nomem(err);
    f->work = l;
    return ax_prepared_open(f, &l->design, err);
}

static void close_linear(ax_fit *f)
{
    linear *l = f->work;

    ax_prepared_close(f, &l->design);
    ax_linear_free(l->fit);
    ax_free(&f->env, l);
    f->work = NULL;
}

static double number_or(const ax_options *o, const char *name, double otherwise)
{
    return ax_options_given(o, name) ? ax_options_number(o, name) : otherwise;
}

static ax_linear_params read_common(const ax_fit *f, double tol)
{
    const ax_options *o = f->options;

    return (ax_linear_params) {
        .fit_intercept = ax_options_boolean(o, "fit_intercept"),
        .alpha = ax_options_number(o, "alpha"),
        .l1_ratio = ax_options_number(o, "l1_ratio"),
        .c = ax_options_number(o, "C"),
        .n_classes = f->spec->n_classes,
        .tol = number_or(o, "tol", tol),
        .max_iter = ax_options_given(o, "max_iter") ? (int) ax_options_integer(o, "max_iter") : 1000,
    };
}

/* The option penalty says how C and l1_ratio are meant. */
static void read_penalty(const ax_fit *f, ax_linear_params *p)
{
    const char *penalty = ax_options_text(f->options, "penalty");

    if (strcmp(penalty, "none") == 0)
        p->c = INFINITY;
    if (strcmp(penalty, "elasticnet") != 0)
        p->l1_ratio = strcmp(penalty, "l1") == 0 ? 1 : 0;
}

static ax_status solve(ax_fit *f, linear *l, ax_error *err)
{
    bool classes = f->algorithm == &ax_algorithm_logistic;
    ax_linear_params p = read_common(f, classes ? 1e-6 : 1e-4);
    ax_linear_rows rows = ax_prepared_rows(f, &l->design);

    if (!classes)
        return ax_linear_least_squares(&f->env, &rows, &p, f->pool, &l->fit, err);
    read_penalty(f, &p);
    return ax_linear_logistic(&f->env, &rows, &p, f->pool, &l->fit, err);
}

static ax_status work_linear(ax_fit *f, bool *done, bool *round, ax_error *err)
{
    linear *l = f->work;
    bool filled = false;

    (void) round;
    AX_TRY(ax_prepared_fill(f, &l->design, &filled, err));
    if (!filled)
        return AX_OK;
    AX_TRY(solve(f, l, err));
    f->report.epoch = f->report.epochs = AX_MAX(l->fit->iterations, 1);
    *done = true;
    return AX_OK;
}

/* ---- the model ------------------------------------------------------------------------------- */

/* (outputs, p) doubles as (p, outputs) floats, which MatMul wants. */
static ax_status add_coefficients(ax_fit *f, const ax_linear_fit *l, int x, int *out, ax_error *err)
{
    int64_t shape[] = {l->p, l->n_outputs}, bias_shape[] = {l->n_outputs};
    float *w = ax_arena_array(&f->arena, (size_t) l->p * (size_t) l->n_outputs, sizeof(*w));
    float *bias = ax_arena_array(&f->arena, (size_t) l->n_outputs, sizeof(*bias));
    int in[3] = {x};

    if (w == NULL || bias == NULL)
        return ax_nomem(err);
    for (int k = 0; k < l->n_outputs; k++) {
        bias[k] = (float) l->intercept[k];
        for (int j = 0; j < l->p; j++)
            w[(int64_t) j * l->n_outputs + k] = (float) l->coef[(int64_t) k * l->p + j];
    }
    AX_TRY(ax_fit_constant(f, "coefficients", 2, shape, w, &in[1], err));
    AX_TRY(ax_fit_constant(f, "intercept", 1, bias_shape, bias, &in[2], err));
    return ax_graph_add_node(f->model->graph, "Gemm", "linear", 3, in, 0, NULL, out, err);
}

/* Line j of output k; the intercept is the last. */
static ax_coefficient line_of(const ax_fit *f, const ax_linear_fit *l, int k, int j)
{
    int64_t at = (int64_t) k * (l->p + 1) + j;
    bool intercept = j == l->p, classes = f->spec->task == AX_TASK_CLASSIFICATION && f->spec->labels != NULL;

    return (ax_coefficient) {
        .label = classes ? f->spec->labels[l->n_outputs == 1 ? 1 : k] : NULL,
        .feature = intercept ? "(intercept)" : ax_preparation_output(f->spec->preparation, j),
        .value = intercept ? l->intercept[k] : l->coef[(int64_t) k * l->p + j],
        .std_error = l->std_error[at],
        .z = l->z[at],
        .p_value = l->p_value[at],
    };
}

static ax_status tell(ax_fit *f, const ax_linear_fit *l, ax_error *err)
{
    bool intercept = ax_options_boolean(f->options, "fit_intercept");
    int each = l->p + intercept, n = l->n_outputs * each;
    ax_coefficient *line = ax_arena_array(&f->arena, (size_t) n, sizeof(*line));

    if (line == NULL)
        return ax_nomem(err);
    for (int i = 0; i < n; i++)
        line[i] = line_of(f, l, i / each, i % each);
    return ax_fit_tell_coefficients(f, line, n, err);
}

static ax_status model_linear(ax_fit *f, ax_error *err)
{
    linear *l = f->work;
    bool classes = f->algorithm == &ax_algorithm_logistic, two = classes && l->fit->n_outputs == 1;
    ax_fit_summary s = {.type = "Linear",
                        .parameters = (int64_t) l->fit->n_outputs * (l->fit->p + 1),
                        .outputs = l->fit->n_outputs,
                        .loss = two ? AX_LOSS_BCE : classes ? AX_LOSS_SPARSE_CCE : AX_LOSS_MSE};
    int x, out;

    AX_TRY(ax_prepared_add(f, &x, err));
    AX_TRY(add_coefficients(f, l->fit, x, &out, err));
    if (classes)
        AX_TRY(ax_fit_node(f, two ? "Sigmoid" : "Softmax", "link", out, -1, -1, &out, err));
    AX_TRY(tell(f, l->fit, err));
    return ax_fit_model_end(f, out, &s, err);
}

const ax_algorithm ax_algorithm_linear = {
    .name = "linear",
    .hint = AX_TASK_REGRESSION,
    .target = true,
    .options = "alpha|l1_ratio|fit_intercept|tol|max_iter",
    .open = open_linear,
    .work = work_linear,
    .model = model_linear,
    .close = close_linear,
};

const ax_algorithm ax_algorithm_logistic = {
    .name = "logistic",
    .hint = AX_TASK_CLASSIFICATION,
    .target = true,
    .options = "penalty|C|l1_ratio|fit_intercept|tol|max_iter|class_weight",
    .open = open_linear,
    .work = work_linear,
    .model = model_linear,
    .close = close_linear,
};
