/*
 * model.c: what a model tells of itself.
 */
#include "nn/network.h"
#include "nn/runner.h"

#include <math.h>

void ax_model_free(ax_model *m)
{
    if (m == NULL)
        return;
    ax_runner_free(m->runner);
    ax_graph_free(m->graph); /* the model itself lives in its graph's arena */
}

ax_task ax_model_task(const ax_model *m)
{
    return m->task;
}

int ax_model_outputs(const ax_model *m)
{
    return m->n_outputs;
}

int ax_model_classes(const ax_model *m)
{
    return m->n_classes;
}

int64_t ax_model_parameters(const ax_model *m)
{
    int64_t n = 0;

    for (int i = 0; i < m->n_layers; i++)
        n += m->layer[i].parameters;
    return n;
}

ax_dtype ax_model_input_type(const ax_model *m)
{
    return m->graph->value[m->input].type;
}

int64_t ax_model_input_width(const ax_model *m)
{
    const ax_shape *s = &m->graph->value[m->input].shape;

    return ax_shape_span(s, 1, s->rank);
}

bool ax_model_prepares(const ax_model *m)
{
    return m->graph->front != NULL;
}

float ax_model_text(const ax_model *m, int column, const char *text, size_t len)
{
    const ax_front *f = m->graph->front;

    if (f == NULL || column < 0 || column >= f->n || !f->column[column].text)
        return NAN;
    return ax_front_value(&f->column[column], text, len);
}

const char *ax_model_metadata(const ax_model *m, const char *key)
{
    return ax_graph_meta(m->graph, key);
}

const char *ax_model_loss(const ax_model *m)
{
    return ax_loss_name(m->loss.kind);
}

int ax_model_layer_count(const ax_model *m)
{
    return m->n_layers;
}

const ax_layer_info *ax_model_layer_at(const ax_model *m, int i)
{
    return i >= 0 && i < m->n_layers ? &m->layer[i] : NULL;
}

size_t ax_model_memory(const ax_model *m)
{
    return m->graph->arena.reserved + (m->runner != NULL ? ax_runner_memory(m->runner) : 0);
}
