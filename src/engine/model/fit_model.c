/*
 * fit_model.c: the graph of a fit becomes a model.
 */
#include <stdio.h>

#include "model/algorithm.h"

static ax_status add_input(ax_fit *f, ax_error *err)
{
    int n;
    const ax_front_column *column = ax_preparation_front(f->spec->preparation, &n);
    ax_shape shape = {.rank = 2, .dim = {AX_DIM_BATCH, ax_preparation_row_width(f->spec->preparation)}};
    ax_graph *g = f->model->graph;

    AX_TRY(ax_graph_add_input(g, "input", AX_FLOAT, &shape, &f->model->input, err));
    return ax_graph_set_front(g, n, column, err);
}

static ax_status begin(ax_fit *f, ax_graph *g, ax_error *err)
{
    ax_model *m = ax_arena_alloc(&g->arena, sizeof(*m)); /* the model lives in its graph's arena */

    if (m == NULL) {
        ax_graph_free(g);
        return ax_nomem(err);
    }
    m->env = f->env;
    m->graph = g;
    m->task = f->spec->task;
    m->n_classes = m->task == AX_TASK_CLASSIFICATION ? f->spec->n_classes : 0;
    f->model = m;
    AX_TRY(add_input(f, err));
    AX_TRY(ax_graph_set_meta(g, "aiaas.algorithm", f->algorithm->name, err));
    return ax_model_set_labels(m, f->spec, err);
}

ax_status ax_fit_model_begin(ax_fit *f, ax_error *err)
{
    ax_graph *g;

    AX_TRY(ax_graph_create(&f->env, f->spec->name, &g, err));
    return begin(f, g, err);
}

ax_status ax_fit_constant(ax_fit *f, const char *name, int rank, const int64_t *dim, const float *data, int *out,
                          ax_error *err)
{
    ax_shape shape = ax_shape_of(rank, dim);

    return ax_graph_add_weight(f->model->graph, name, AX_FLOAT, &shape, false, data, out, err);
}

ax_status ax_fit_node(ax_fit *f, const char *type, const char *name, int a, int b, int c, int *out, ax_error *err)
{
    int in[3] = {a, b, c};
    int n = b < 0 ? 1 : c < 0 ? 2 : 3;

    return ax_graph_add_node(f->model->graph, type, name, n, in, 0, NULL, out, err);
}

static ax_status add_layer(ax_model *m, const ax_fit_summary *s, ax_error *err)
{
    char shape[64];
    ax_arena *a = &m->graph->arena;

    snprintf(shape, sizeof(shape), "(None, %d)", s->outputs);
    m->layer = ax_arena_alloc(a, sizeof(*m->layer));
    if (m->layer == NULL)
        return ax_nomem(err);
    *m->layer = (ax_layer_info) {.name = ax_graph_meta(m->graph, "aiaas.algorithm"),
                                 .type = s->type,
                                 .output_shape = ax_arena_strdup(a, shape),
                                 .parameters = s->parameters,
                                 .trainable = s->parameters};
    m->n_layers = 1;
    return m->layer->output_shape != NULL ? AX_OK : ax_nomem(err);
}

static ax_status check_shapes(ax_model *m, ax_error *err)
{
    ax_arena work;
    ax_tensor *value;
    ax_status status;

    ax_arena_init(&work, &m->env);
    value = ax_arena_array(&work, (size_t) m->graph->n_values, sizeof(*value));
    status = value == NULL ? ax_nomem(err) : ax_graph_infer(m->graph, 1, value, err);
    ax_arena_free(&work);
    return status;
}

ax_status ax_fit_model_end(ax_fit *f, int output, const ax_fit_summary *s, ax_error *err)
{
    ax_model *m = f->model;

    m->output = output;
    m->n_outputs = s->outputs;
    m->n_targets = m->task == AX_TASK_CLASSIFICATION ? 1 : s->outputs;
    m->loss = (ax_loss) {.kind = s->loss, .delta = 1};
    AX_TRY(add_layer(m, s, err));
    AX_TRY(ax_graph_add_output(m->graph, output, err));
    AX_TRY(ax_graph_bind(m->graph, err));
    AX_TRY(check_shapes(m, err));
    ax_model_attach_loss(m);
    AX_TRY(ax_model_describe(m, err));
    m->ready = true;
    return AX_OK;
}
