/*
 * head.c: the end of a network. What the last layer must give, which loss fits it, where that loss attaches, and
 * how all this travels with the graph's bytes.
 *
 * A cross-entropy is trained on the logits, before the last Softmax or Sigmoid, where it is stable. A network that
 * ends in logits gets its Softmax or Sigmoid appended, so that predictions are probabilities.
 */
#include "graph/op.h"
#include "nn/layer.h"
#include "nn/network.h"
#include "table/setting.h"

#include <math.h>

const char *ax_task_name(ax_task task)
{
    static const char *const names[] = {[AX_TASK_UNDECIDED] = "undecided",
                                        [AX_TASK_REGRESSION] = "regression",
                                        [AX_TASK_CLASSIFICATION] = "classification"};

    return names[task];
}

/* ---- the loss -------------------------------------------------------------------------------- */

ax_status ax_head_loss(const ax_options *options, const ax_loss_info **out, ax_error *err)
{
    const char *name = options != NULL ? ax_options_text(options, "loss") : NULL;
    const char *known[16];
    int n = AX_MIN(ax_loss_count(), AX_COUNT(known));

    *out = NULL;
    if (name == NULL)
        return AX_OK;
    *out = ax_loss_find(name);
    if (*out != NULL)
        return AX_OK;
    for (int i = 0; i < n; i++)
        known[i] = ax_loss_at(i)->name;
    ax_fail(err, AX_ERR_UNKNOWN, "unknown loss \"%s\"", name);
    ax_hint_names(err, name, known, n);
    return AX_ERR_UNKNOWN;
}

static bool is_cce(ax_loss_kind kind)
{
    return kind == AX_LOSS_SPARSE_CCE || kind == AX_LOSS_CCE;
}

/* The loss when the options name none. */
static ax_loss_kind default_loss(const ax_builder *b, const ax_head *h)
{
    if (h->task != AX_TASK_CLASSIFICATION)
        return AX_LOSS_MSE;
    return b->dim[0] == 1 ? AX_LOSS_BCE : AX_LOSS_SPARSE_CCE;
}

static ax_status fail_with_hint(ax_builder *b, const char *hint)
{
    ax_hint(b->err, "%s", hint);
    return AX_ERR_INVALID;
}

static ax_status check_row(ax_builder *b)
{
    char shape[128];

    if (b->rank == 1)
        return AX_OK;
    ax_build_fail(b, AX_ERR_INVALID, "the network ends with %s, not with one list of numbers a row",
                  ax_build_shape_text(b, shape, sizeof(shape)));
    return fail_with_hint(b, "Add a Flatten or a global pooling layer, and a Dense layer.");
}

static ax_status check_class_units(ax_builder *b, const ax_head *h)
{
    int64_t units = b->dim[0];

    if (units == h->n_classes || (units == 1 && h->n_classes == 2))
        return AX_OK;
    ax_build_fail(b, AX_ERR_INVALID, "the network ends with %lld outputs, the target has %d classes",
                  (long long) units, h->n_classes);
    ax_hint(b->err, "Set \"units\" of the last layer to %d.", h->n_classes);
    return AX_ERR_INVALID;
}

static ax_status check_class_loss(ax_builder *b, const ax_head *h)
{
    const char *name = ax_loss_name(h->loss.kind);

    if (!is_cce(h->loss.kind) && h->loss.kind != AX_LOSS_BCE) {
        ax_build_fail(b, AX_ERR_INVALID, "loss \"%s\" does not fit a target of classes", name);
        return fail_with_hint(b, "Use sparse_categorical_crossentropy, or binary_crossentropy.");
    }
    if (is_cce(h->loss.kind) && b->dim[0] == 1) {
        ax_build_fail(b, AX_ERR_INVALID, "loss \"%s\" needs one output a class, not one", name);
        return fail_with_hint(b, "Use binary_crossentropy, or set \"units\" of the last layer to 2.");
    }
    if (h->loss.kind == AX_LOSS_BCE && b->dim[0] != 1) {
        ax_build_fail(b, AX_ERR_INVALID, "loss \"%s\" needs one output, not %lld", name,
                      (long long) b->dim[0]);
        return fail_with_hint(b, "Use sparse_categorical_crossentropy, or set \"units\" to 1.");
    }
    return AX_OK;
}

static ax_status check_values(ax_builder *b, const ax_head *h)
{
    if (h->loss.kind == AX_LOSS_SPARSE_CCE) {
        ax_build_fail(b, AX_ERR_INVALID, "loss \"%s\" needs a target of classes",
                      ax_loss_name(h->loss.kind));
        return fail_with_hint(b, "Use mse, mae or huber.");
    }
    if (b->dim[0] == h->n_targets)
        return AX_OK;
    ax_build_fail(b, AX_ERR_INVALID, "the network ends with %lld outputs, the target has %d",
                  (long long) b->dim[0], h->n_targets);
    ax_hint(b->err, "Set \"units\" of the last layer to %d.", h->n_targets);
    return AX_ERR_INVALID;
}

/* Cross-entropies want probabilities: the activation that makes them is there, or is added. */
static ax_status finish(ax_builder *b, const ax_head *h)
{
    const char *wanted = is_cce(h->loss.kind) ? "softmax" : "sigmoid";

    if (!is_cce(h->loss.kind) && h->loss.kind != AX_LOSS_BCE)
        return AX_OK;
    if (ax_activation_is(b->activation, wanted))
        return AX_OK;
    if (b->activation == NULL)
        return ax_build_activation(b, ax_activation_find(wanted));
    ax_build_fail(b, AX_ERR_INVALID, "loss \"%s\" needs probabilities, the network ends with \"%s\"",
                  ax_loss_name(h->loss.kind), b->activation->name);
    ax_hint(b->err, "Set \"activation\" of the last layer to \"%s\".", wanted);
    return AX_ERR_INVALID;
}

ax_status ax_build_head(ax_builder *b, ax_head *h)
{
    const ax_loss_info *info;

    AX_TRY(ax_build_float(b));
    AX_TRY(ax_build_plain(b));
    AX_TRY(check_row(b));
    AX_TRY(ax_head_loss(h->options, &info, b->err));
    if (h->task == AX_TASK_CLASSIFICATION)
        AX_TRY(check_class_units(b, h));
    h->loss.kind = info != NULL ? info->kind : default_loss(b, h);
    h->loss.delta = (float) ax_options_number(h->options, "huber_delta");
    h->loss.label_smoothing = (float) ax_options_number(h->options, "label_smoothing");
    if (h->task == AX_TASK_CLASSIFICATION)
        AX_TRY(check_class_loss(b, h));
    else
        AX_TRY(check_values(b, h));
    return finish(b, h);
}

/* ---- where it attaches ----------------------------------------------------------------------- */

void ax_model_attach_loss(ax_model *m)
{
    int producer = m->graph->value[m->output].producer;
    const ax_node *last = producer < 0 ? NULL : &m->graph->node[producer];
    const char *wanted = is_cce(m->loss.kind) ? "Softmax" : "Sigmoid";
    bool entropy = is_cce(m->loss.kind) || m->loss.kind == AX_LOSS_BCE;

    m->loss_value = m->output;
    m->loss.on_logits = false;
    if (!entropy || last == NULL || strcmp(last->op->type, wanted) != 0)
        return;
    m->loss_value = last->in[0];
    m->loss.on_logits = true;
}

/* ---- metadata -------------------------------------------------------------------------------- */

/* Behind the numbers of a layer, unless the network is a chain: the layers that feed it. */
static void describe_inbound(const ax_layer_info *l, ax_text *t)
{
    ax_text_add(t, ",[", 2);
    for (int i = 0; i < l->n_inbound; i++) {
        ax_text_add(t, ",", i > 0 ? 1 : 0);
        ax_text_add_json_string(t, l->inbound[i]);
    }
    ax_text_add(t, "]", 1);
}

static void describe_layers(const ax_model *m, ax_text *t)
{
    ax_text_add(t, "[", 1);
    for (int i = 0; i < m->n_layers; i++) {
        const ax_layer_info *l = &m->layer[i];

        ax_text_add(t, i > 0 ? ",[" : "[", i > 0 ? 2 : 1);
        ax_text_add_json_string(t, l->name);
        ax_text_add(t, ",", 1);
        ax_text_add_json_string(t, l->type);
        ax_text_add(t, ",", 1);
        ax_text_add_json_string(t, l->output_shape);
        ax_text_addf(t, ",%lld,%lld", (long long) l->parameters, (long long) l->trainable);
        if (l->inbound != NULL)
            describe_inbound(l, t);
        ax_text_add(t, "]", 1);
    }
    ax_text_add(t, "]", 1);
}

static ax_status set_number(ax_model *m, const char *key, double v, ax_error *err)
{
    ax_text t;
    ax_status status;

    ax_text_init(&t, &m->env);
    ax_text_addf(&t, "%.9g", v);
    status = t.failed ? ax_nomem(err) : ax_graph_set_meta(m->graph, key, t.data, err);
    ax_text_free(&t);
    return status;
}

ax_status ax_model_describe(ax_model *m, ax_error *err)
{
    ax_text t;
    ax_status status;

    AX_TRY(ax_graph_set_meta(m->graph, "aiaas.task", ax_task_name(m->task), err));
    AX_TRY(set_number(m, "aiaas.classes", m->n_classes, err));
    AX_TRY(set_number(m, "aiaas.targets", m->n_targets, err));
    AX_TRY(ax_graph_set_meta(m->graph, "aiaas.loss", ax_loss_name(m->loss.kind), err));
    AX_TRY(set_number(m, "aiaas.huber_delta", m->loss.delta, err));
    AX_TRY(set_number(m, "aiaas.label_smoothing", m->loss.label_smoothing, err));
    ax_text_init(&t, &m->env);
    describe_layers(m, &t);
    status = t.failed ? ax_nomem(err) : ax_graph_set_meta(m->graph, "aiaas.layers", t.data, err);
    ax_text_free(&t);
    return status;
}

static ax_status damaged(const char *key, ax_error *err)
{
    return ax_fail(err, AX_ERR_CORRUPT, "the model's metadata \"%s\" is missing or damaged", key);
}

/* A metadata value as JSON, in the graph's arena. */
static ax_status recall_json(ax_model *m, const char *key, ax_json **out, ax_error *err)
{
    const char *text = ax_graph_meta(m->graph, key);
    ax_status status;

    if (text == NULL)
        return damaged(key, err);
    status = ax_json_parse(&m->graph->arena, text, strlen(text), out, err);
    return status == AX_OK || status == AX_ERR_NOMEM || status == AX_ERR_CANCELLED
               ? status
               : damaged(key, err);
}

static ax_status recall_int(ax_model *m, const char *key, int64_t most, int *out, ax_error *err)
{
    ax_json *v;

    AX_TRY(recall_json(m, key, &v, err));
    if (v->kind != AX_JSON_NUMBER || !v->is_integer || v->integer < 0 || v->integer > most)
        return damaged(key, err);
    *out = (int) v->integer;
    return AX_OK;
}

static ax_status recall_float(ax_model *m, const char *key, float *out, ax_error *err)
{
    ax_json *v;

    AX_TRY(recall_json(m, key, &v, err));
    if (v->kind != AX_JSON_NUMBER || !isfinite(v->number))
        return damaged(key, err);
    *out = (float) v->number;
    return AX_OK;
}

static bool is_layer_row(const ax_json *row)
{
    return row->kind == AX_JSON_ARRAY && row->count >= 5 && row->item[0]->kind == AX_JSON_STRING &&
           row->item[1]->kind == AX_JSON_STRING && row->item[2]->kind == AX_JSON_STRING &&
           row->item[3]->kind == AX_JSON_NUMBER && row->item[3]->is_integer &&
           row->item[4]->kind == AX_JSON_NUMBER && row->item[4]->is_integer;
}

static ax_status recall_inbound(ax_model *m, const ax_json *v, ax_layer_info *l, ax_error *err)
{
    const char **inbound;

    if (v->kind != AX_JSON_ARRAY)
        return damaged("aiaas.layers", err);
    inbound = ax_arena_array(&m->graph->arena, (size_t) v->count, sizeof(*inbound));
    if (inbound == NULL)
        return ax_nomem(err);
    for (int i = 0; i < v->count; i++) {
        if (v->item[i]->kind != AX_JSON_STRING)
            return damaged("aiaas.layers", err);
        inbound[i] = v->item[i]->string;
    }
    l->inbound = inbound;
    l->n_inbound = v->count;
    return AX_OK;
}

static ax_status recall_layers(ax_model *m, ax_error *err)
{
    ax_json *v;

    AX_TRY(recall_json(m, "aiaas.layers", &v, err));
    if (v->kind != AX_JSON_ARRAY)
        return damaged("aiaas.layers", err);
    m->layer = ax_arena_array(&m->graph->arena, (size_t) v->count, sizeof(*m->layer));
    if (m->layer == NULL)
        return ax_nomem(err);
    for (int i = 0; i < v->count; i++) {
        const ax_json *row = v->item[i];

        if (!is_layer_row(row))
            return damaged("aiaas.layers", err);
        m->layer[i] = (ax_layer_info){.name = row->item[0]->string,
                                      .type = row->item[1]->string,
                                      .output_shape = row->item[2]->string,
                                      .parameters = row->item[3]->integer,
                                      .trainable = row->item[4]->integer};
        if (row->count > 5)
            AX_TRY(recall_inbound(m, row->item[5], &m->layer[i], err));
    }
    m->n_layers = v->count;
    return AX_OK;
}

static ax_status recall_task(ax_model *m, ax_error *err)
{
    const char *task = ax_graph_meta(m->graph, "aiaas.task");
    const char *loss = ax_graph_meta(m->graph, "aiaas.loss");
    const ax_loss_info *info = loss != NULL ? ax_loss_find(loss) : NULL;

    if (task != NULL && strcmp(task, ax_task_name(AX_TASK_CLASSIFICATION)) == 0)
        m->task = AX_TASK_CLASSIFICATION;
    else if (task != NULL && strcmp(task, ax_task_name(AX_TASK_REGRESSION)) == 0)
        m->task = AX_TASK_REGRESSION;
    else
        return damaged("aiaas.task", err);
    if (info == NULL)
        return damaged("aiaas.loss", err);
    m->loss.kind = info->kind;
    AX_TRY(recall_float(m, "aiaas.huber_delta", &m->loss.delta, err));
    AX_TRY(recall_float(m, "aiaas.label_smoothing", &m->loss.label_smoothing, err));
    AX_TRY(recall_int(m, "aiaas.classes", AX_MAX_UNITS, &m->n_classes, err));
    return recall_int(m, "aiaas.targets", AX_MAX_UNITS, &m->n_targets, err);
}

/* The width of the output: a function of the task, which ax_model_ready compares with the graph. */
static ax_status recall_outputs(ax_model *m, ax_error *err)
{
    bool classes = m->task == AX_TASK_CLASSIFICATION;

    if (classes ? m->n_classes < 2 : m->n_classes != 0 || m->n_targets < 1)
        return damaged("aiaas.classes", err);
    m->n_outputs = !classes ? m->n_targets : m->loss.kind == AX_LOSS_BCE ? 1 : m->n_classes;
    if (classes && m->loss.kind == AX_LOSS_BCE && m->n_classes != 2)
        return damaged("aiaas.classes", err);
    return AX_OK;
}

ax_status ax_model_recall(ax_model *m, ax_error *err)
{
    const ax_graph *g = m->graph;
    const ax_value *in;

    if (g->n_inputs != 1 || g->n_outputs != 1)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "the graph has %d inputs and %d outputs",
                       g->n_inputs, g->n_outputs);
    m->input = g->input[0];
    m->output = g->output[0];
    in = &g->value[m->input];
    if ((in->type != AX_FLOAT && in->type != AX_UINT8) || in->shape.rank < 2 ||
        in->shape.dim[0] != AX_DIM_BATCH)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "the graph's input is not a batch of rows");
    AX_TRY(recall_task(m, err));
    AX_TRY(recall_outputs(m, err));
    AX_TRY(recall_layers(m, err));
    ax_model_attach_loss(m);
    return AX_OK;
}
