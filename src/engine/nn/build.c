/*
 * build.c: from a list of layers to a model.
 *
 * The layers are read by the table (layer.c), each adds its nodes (builder.c), the head is checked against the
 * task (head.c). Then the operators judge the whole by inferring its shapes, weights get their memory, and
 * last their numbers: what is refused has cost nothing yet.
 *
 * The input. The rows' bytes are in the order of the option data_format; the layers think in the network's,
 * which is that of the first layer that names one, else the option's. Where the two differ, images are
 * turned once, behind the input.
 */
#include "nn/layer.h"
#include "nn/network.h"

#include <stdio.h>

/* ---- before any shape is known --------------------------------------------------------------- */

ax_status ax_network_check(const ax_env *env, const char *layers, size_t len,
                           const ax_options *options, ax_task *hint, ax_error *err)
{
    const ax_loss_info *loss;
    ax_network net = {0};
    ax_arena work;
    ax_status status;

    AX_TRY(ax_head_loss(options, &loss, err));
    ax_arena_init(&work, env);
    status = ax_network_read(&work, layers, len, &net, err);
    if (status == AX_OK) {
        const ax_activation *last =
            net.n > 0 ? ax_layer_activation(&net.layer[net.n - 1]) : NULL;

        *hint = AX_TASK_UNDECIDED;
        if (loss != NULL)
            *hint = loss->task;
        else if (ax_activation_is(last, "softmax") || ax_activation_is(last, "sigmoid"))
            *hint = AX_TASK_CLASSIFICATION;
    }
    ax_arena_free(&work);
    return status;
}

/* ---- the input ------------------------------------------------------------------------------- */

static bool is_channels_last(const char *format)
{
    return format == NULL || strcmp(format, "channels_last") == 0;
}

/* The format of the first layer that names one, else that of the data. */
static bool network_channels_last(const ax_network *net, bool data_last)
{
    for (int i = 0; i < net->n; i++) {
        const ax_layer_value *v = ax_layer_get(&net->layer[i], "data_format");

        if (v != NULL && v->given)
            return is_channels_last(v->text);
    }
    return data_last;
}

/* Turns the order of the data's dimensions into the network's: the last becomes the first, or the other way. */
static ax_status turn_input(ax_builder *b, bool data_last)
{
    int64_t dim[AX_MAX_RANK];
    int perm[AX_MAX_RANK], rank = b->rank;

    if (rank < 2 || data_last == b->channels_last)
        return AX_OK;
    if (b->channels_last) {
        /* the bytes are planes already: only what they are called changes */
        for (int i = 0; i < rank; i++)
            dim[i] = b->dim[(i + 1) % rank];
        return ax_build_shape(b, rank, dim, true);
    }
    for (int i = 0; i < rank; i++) {
        perm[i] = (i + rank - 1) % rank;
        dim[i] = b->dim[perm[i]];
    }
    AX_TRY(ax_build_transpose(b, "input_channels_first", perm));
    return ax_build_shape(b, rank, dim, false);
}

/* The input as the caller has it; a layer list that names a shape of as many elements gives it dimensions. */
static ax_status add_input(ax_builder *b, const ax_model_spec *spec, bool data_last, int *input)
{
    ax_shape shape = {.rank = spec->input_rank + 1, .dim = {AX_DIM_BATCH}};

    if (spec->input_rank < 1 || spec->input_rank >= AX_MAX_RANK)
        return ax_fail(b->err, AX_ERR_INVALID, "the input has %d dimensions; 1 to %d are possible",
                       spec->input_rank, AX_MAX_RANK - 1);
    for (int i = 0; i < spec->input_rank; i++)
        shape.dim[i + 1] = spec->input_dim[i];
    b->type = spec->input_type;
    AX_TRY(ax_build_shape(b, spec->input_rank, spec->input_dim, false));
    AX_TRY(ax_graph_add_input(b->graph, "input", spec->input_type, &shape, &b->value, b->err));
    *input = b->value;
    return turn_input(b, data_last);
}

/* ---- the layers ------------------------------------------------------------------------------ */

/* Keras's way to show a shape: "(None, 30, 30, 32)". */
static const char *shown_shape(ax_builder *b)
{
    char text[256];
    int at = snprintf(text, sizeof(text), "(None");

    for (int i = 0; i < b->rank && at < (int) sizeof(text); i++)
        at += snprintf(text + at, sizeof(text) - (size_t) at, ", %lld", (long long) b->dim[i]);
    if (at < (int) sizeof(text))
        snprintf(text + at, sizeof(text) - (size_t) at, b->rank == 0 ? ",)" : ")");
    return ax_arena_strdup(&b->graph->arena, text);
}

static ax_status note_layer(ax_builder *b, const ax_layer *l, ax_layer_info *info)
{
    *info = (ax_layer_info){ax_arena_strdup(&b->graph->arena, l->name), l->kind->name,
                            shown_shape(b), b->parameters, b->trainable};
    return info->name == NULL || info->output_shape == NULL ? ax_nomem(b->err) : AX_OK;
}

static ax_status check_rank(ax_builder *b, const ax_layer *l)
{
    char shape[128];

    if (l->kind->rank == 0 || l->kind->rank == b->rank)
        return AX_OK;
    ax_build_fail(b, AX_ERR_INVALID, "it needs an input of %d dimensions, not %s", l->kind->rank,
                  ax_build_shape_text(b, shape, sizeof(shape)));
    if (b->rank == 1)
        ax_hint(b->err,
                "Set the option \"input_shape\", or add a Reshape layer before it.");
    else
        ax_hint(b->err, "Add a Flatten or a Reshape layer before it.");
    return AX_ERR_INVALID;
}

static ax_status build_layers(ax_builder *b, const ax_network *net, ax_model *m)
{
    m->layer = ax_arena_array(&b->graph->arena, (size_t) net->n, sizeof(*m->layer));
    if (m->layer == NULL)
        return ax_nomem(b->err);
    for (int i = 0; i < net->n; i++) {
        const ax_layer *l = &net->layer[i];

        b->layer = l;
        b->n_weights = 0;
        b->parameters = b->trainable = 0;
        AX_TRY(check_rank(b, l));
        AX_TRY(l->kind->build(b, l));
        AX_TRY(note_layer(b, l, &m->layer[i]));
    }
    m->n_layers = net->n;
    return AX_OK;
}

/* ---- the model ------------------------------------------------------------------------------- */

static ax_status set_labels(ax_model *m, const ax_model_spec *spec, ax_error *err)
{
    ax_text t;
    ax_status status;

    if (spec->features != NULL)
        AX_TRY(ax_graph_set_meta(m->graph, "aiaas.features", spec->features, err));
    if (spec->labels == NULL || spec->task != AX_TASK_CLASSIFICATION)
        return AX_OK;
    ax_text_init(&t, &m->env);
    for (int i = 0; i < spec->n_classes; i++) {
        ax_text_add(&t, i == 0 ? "[" : ",", 1);
        ax_text_add_json_string(&t, spec->labels[i]);
    }
    ax_text_add(&t, "]", 1);
    status = t.failed ? ax_nomem(err) : ax_graph_set_meta(m->graph, "aiaas.labels", t.data, err);
    ax_text_free(&t);
    return status;
}

/* The operators' own checks, before memory is taken for any weight. */
static ax_status check_shapes(const ax_builder *b)
{
    ax_tensor *value = ax_arena_array(b->work, (size_t) b->graph->n_values, sizeof(*value));

    return value == NULL ? ax_nomem(b->err) : ax_graph_infer(b->graph, 1, value, b->err);
}

static ax_status build_graph(ax_builder *b, ax_model *m, const ax_model_spec *spec,
                             const ax_options *options)
{
    bool data_last = is_channels_last(ax_options_text(options, "data_format"));
    ax_head head = {.task = spec->task,
                    .n_classes = spec->n_classes,
                    .n_targets = spec->n_outputs,
                    .options = options};
    ax_network net = {0};

    AX_TRY(ax_network_read(b->work, spec->layers, spec->layers_len, &net, b->err));
    if (net.n == 0)
        return ax_fail(b->err, AX_ERR_INVALID, "the list of layers is empty");
    b->channels_last = network_channels_last(&net, data_last);
    b->layer = &net.layer[0];
    AX_TRY(add_input(b, spec, data_last, &m->input));
    AX_TRY(build_layers(b, &net, m));
    AX_TRY(ax_build_head(b, &head));
    m->output = b->value;
    m->n_outputs = (int) b->dim[0];
    m->loss = head.loss;
    AX_TRY(ax_graph_add_output(b->graph, b->value, b->err));
    AX_TRY(check_shapes(b));
    AX_TRY(ax_graph_bind(b->graph, b->err));
    return ax_build_fill(b, (uint64_t) ax_options_integer(options, "seed"));
}

static ax_status build_model(ax_graph *g, ax_arena *work, const ax_model_spec *spec,
                             const ax_options *options, ax_model **out, ax_error *err)
{
    ax_builder b = {.graph = g, .work = work, .err = err};
    ax_model *m = ax_arena_alloc(&g->arena, sizeof(*m)); /* the model lives in its graph's arena */

    if (m == NULL)
        return ax_nomem(err);
    m->env = g->arena.env;
    m->graph = g;
    m->task = spec->task;
    m->n_classes = spec->task == AX_TASK_CLASSIFICATION ? spec->n_classes : 0;
    m->n_targets = spec->n_outputs;
    AX_TRY(build_graph(&b, m, spec, options));
    AX_TRY(set_labels(m, spec, err));
    ax_model_attach_loss(m);
    AX_TRY(ax_model_describe(m, err));
    m->ready = true;
    *out = m;
    return AX_OK;
}

static ax_status check_spec(const ax_model_spec *spec, ax_error *err)
{
    if (spec->task == AX_TASK_CLASSIFICATION && spec->n_classes < 2)
        return ax_fail(err, AX_ERR_INVALID, "a classification needs at least two classes");
    if (spec->task != AX_TASK_CLASSIFICATION && spec->task != AX_TASK_REGRESSION)
        return ax_fail(err, AX_ERR_INTERNAL, "the task is not decided");
    if (spec->n_outputs < 1)
        return ax_fail(err, AX_ERR_INVALID, "the target is empty");
    if (spec->input_type != AX_FLOAT && spec->input_type != AX_UINT8)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "rows of type %s",
                       ax_dtype_name(spec->input_type));
    return AX_OK;
}

ax_status ax_model_build(const ax_env *env, const ax_model_spec *spec, const ax_options *options,
                         ax_model **out, ax_error *err)
{
    ax_graph *g;
    ax_arena work;
    ax_status status;

    AX_TRY(check_spec(spec, err));
    AX_TRY(ax_graph_create(env, spec->name, &g, err));
    ax_arena_init(&work, env);
    status = build_model(g, &work, spec, options, out, err);
    ax_arena_free(&work);
    if (status != AX_OK)
        ax_graph_free(g);
    return status;
}
