/*
 * build.c: from a list of layers to a model.
 *
 * The layers are read by the table (layer.c), each adds its nodes (builder.c), the head is checked against the
 * task (head.c). Then the operators judge the whole by inferring its shapes, weights get their memory, and
 * last their numbers: what is refused has cost nothing yet.
 *
 * The input. The rows' bytes are in the order of the option data_format; the layers think in the network's,
 * which is that of the first layer that names one, else the option's. Where the two differ, images are
 * turned once, behind the input. An InputLayer (or the first layer's "input_shape") may give the rows
 * their shape; the option "input_shape" must then say the same, or nothing.
 *
 * A table's rows go through its preparation first (table.h); the layers begin with what that gives.
 */
#include "nn/layer.h"
#include "nn/network.h"
#include "table/table.h"

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

/*
 * The shape of a row as the first layer's config names it, in the network's order, -1 for an open dimension.
 * Returns its rank, 0 when it names none.
 */
static int named_shape(const ax_layer *l, int64_t *dim)
{
    static const struct {
        const char *key;
        int batch;
    } keys[] = {{"batch_shape", 1}, {"batch_input_shape", 1}, {"shape", 0}, {"input_shape", 0}};
    const ax_layer_value *v = ax_layer_get(l, "input_dim");

    for (int i = 0; i < AX_COUNT(keys); i++) {
        const ax_layer_value *shape = ax_layer_get(l, keys[i].key);

        if (shape == NULL || !shape->given || shape->count <= keys[i].batch)
            continue;
        memcpy(dim, shape->integer + keys[i].batch,
               (size_t) (shape->count - keys[i].batch) * sizeof(*dim));
        return shape->count - keys[i].batch;
    }
    if (!v->given || (l->kind->flags & AX_LAYER_TOKENS) != 0)
        return 0;
    dim[0] = v->integer[0];
    return 1;
}

/* The same in the order of the rows' bytes: what turn_input undoes. */
static void turn_shape(const ax_builder *b, bool data_last, int rank, int64_t *dim)
{
    int64_t turned[AX_MAX_RANK];
    int shift = b->channels_last ? rank - 1 : 1;

    if (rank < 2 || data_last == b->channels_last)
        return;
    for (int i = 0; i < rank; i++)
        turned[i] = dim[(i + shift) % rank];
    memcpy(dim, turned, (size_t) rank * sizeof(*dim));
}

/* Whether a row of this shape can be one of that shape; open dimensions become what they must be. */
static bool fits(int rank, const int64_t *dim, int named_rank, int64_t *named)
{
    int64_t known = 1;
    int open = -1;

    for (int i = 0; rank == named_rank && i < rank; i++) {
        if (named[i] >= 0 && named[i] != dim[i])
            return false;
        named[i] = dim[i];
    }
    if (rank == named_rank || rank != 1)
        return rank == named_rank;
    for (int i = 0; i < named_rank; i++) {
        if (named[i] < 0 && open >= 0)
            return false;
        if (named[i] < 0)
            open = i;
        else if (named[i] > dim[0] / known)
            return false;
        else
            known *= named[i];
    }
    if (open >= 0)
        named[open] = dim[0] / known;
    return (open >= 0 ? known * named[open] : known) == dim[0];
}

/*
 * The dimensions of a row, in the order of its bytes: the spec's, compared with what the layers say; a plain list of
 * numbers takes the shape that they name.
 */
static ax_status input_shape(ax_builder *b, const ax_model_spec *spec, bool data_last, int *rank,
                             int64_t *dim)
{
    int64_t named[AX_MAX_RANK];
    int named_rank = named_shape(b->layer, named);
    ax_shape shape[2];
    char text[2][128];

    *rank = spec->input_rank;
    memcpy(dim, spec->input_dim, (size_t) *rank * sizeof(*dim));
    if (named_rank == 0)
        return AX_OK;
    turn_shape(b, data_last, named_rank, named);
    shape[0] = ax_shape_of(named_rank, named);
    if (named_rank < AX_MAX_RANK && fits(*rank, dim, named_rank, named)) {
        *rank = named_rank;
        memcpy(dim, named, (size_t) named_rank * sizeof(*dim));
        return AX_OK;
    }
    shape[1] = ax_shape_of(*rank, dim);
    ax_build_fail(b, AX_ERR_INVALID, "it takes rows of %s, these are of %s",
                  ax_shape_text(&shape[0], text[0], sizeof(text[0])),
                  ax_shape_text(&shape[1], text[1], sizeof(text[1])));
    ax_hint(b->err, "The shapes are in the order of the rows, which the option \"data_format\" "
                    "says; the option \"input_shape\" gives rows a shape.");
    return AX_ERR_INVALID;
}

static ax_status add_input(ax_builder *b, const ax_model_spec *spec, bool data_last, int *input)
{
    ax_shape shape = {.rank = 1, .dim = {AX_DIM_BATCH}};
    int rank;

    if (spec->input_rank < 1 || spec->input_rank >= AX_MAX_RANK)
        return ax_fail(b->err, AX_ERR_INVALID, "the input has %d dimensions; 1 to %d are possible",
                       spec->input_rank, AX_MAX_RANK - 1);
    AX_TRY(input_shape(b, spec, data_last, &rank, shape.dim + 1));
    shape.rank = rank + 1;
    b->type = spec->input_type;
    AX_TRY(ax_build_shape(b, rank, shape.dim + 1, false));
    AX_TRY(ax_graph_add_input(b->graph, "input", spec->input_type, &shape, &b->value, b->err));
    *input = b->value;
    return turn_input(b, data_last);
}

/* ---- a table in front ------------------------------------------------------------------------ */

static ax_status check_table(ax_builder *b, const ax_model_spec *spec, const ax_options *options)
{
    int64_t width = ax_preparation_row_width(spec->preparation);

    if (ax_options_given(options, "input_shape")) {
        ax_fail(b->err, AX_ERR_INVALID, "option \"input_shape\" does not go with columns that are prepared");
        ax_hint(b->err, "Set the option \"prepare\" to false to give the numbers to the layers as they are.");
        return AX_ERR_INVALID;
    }
    if (spec->input_type != AX_FLOAT || spec->input_rank != 1 || spec->input_dim[0] != width)
        return ax_fail(b->err, AX_ERR_INVALID, "the rows are not the %lld floats that were prepared",
                       (long long) width);
    return AX_OK;
}

/* What the first layer says of its input must be what the preparation gives. */
static ax_status check_named(ax_builder *b, int64_t width)
{
    ax_model_spec prepared = {.input_rank = 1, .input_dim = {width}};
    int64_t dim[AX_MAX_RANK];
    int rank;

    AX_TRY(input_shape(b, &prepared, true, &rank, dim));
    if (rank == 1)
        return AX_OK;
    return ax_build_fail(b, AX_ERR_INVALID, "it takes rows of %d dimensions, prepared columns have one", rank);
}

/* The row, and behind it what was learned of its columns. The layers begin with that. */
static ax_status add_table(ax_builder *b, const ax_model_spec *spec, const ax_options *options, int *input)
{
    ax_shape shape = {.rank = 2, .dim = {AX_DIM_BATCH, ax_preparation_row_width(spec->preparation)}};
    int64_t width;
    const ax_front_column *front;
    int n;

    AX_TRY(check_table(b, spec, options));
    front = ax_preparation_front(spec->preparation, &n);
    AX_TRY(ax_graph_add_input(b->graph, "input", AX_FLOAT, &shape, input, b->err));
    AX_TRY(ax_graph_set_front(b->graph, n, front, b->err));
    AX_TRY(ax_preparation_add(spec->preparation, b->graph, *input, &b->value, &width, b->err));
    b->type = AX_FLOAT;
    b->parameters = b->trainable = b->total = ax_graph_parameters(b->graph, true); /* embeddings */
    AX_TRY(ax_build_shape(b, 1, &width, false));
    return check_named(b, width);
}

/* ---- the layers ------------------------------------------------------------------------------ */

#define PREPARATION "preparation" /* the name of what stands before the first layer */

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

static ax_status note_layer(ax_builder *b, const char *name, const char *type, ax_layer_info *info)
{
    *info = (ax_layer_info){.name = ax_arena_strdup(&b->graph->arena, name),
                            .type = type,
                            .output_shape = shown_shape(b),
                            .parameters = b->parameters,
                            .trainable = b->trainable};
    return info->name == NULL || info->output_shape == NULL ? ax_nomem(b->err) : AX_OK;
}

/* What feeds the layer, by name. A chain says nothing of it. first: what the network's input is called. */
static ax_status note_inbound(ax_builder *b, const ax_network *net, int i, const char *first, ax_layer_info *info)
{
    const ax_layer *l = &net->layer[i];
    const char **inbound = ax_arena_array(&b->graph->arena, (size_t) l->n_in, sizeof(*inbound));

    if (inbound == NULL)
        return ax_nomem(b->err);
    for (int k = 0; k < l->n_in; k++)
        inbound[k] = l->in[k] == AX_NETWORK_INPUT ? first : info[l->in[k]].name;
    info[i].inbound = inbound;
    info[i].n_inbound = l->n_in;
    return AX_OK;
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

/* flow[i]: what layer i ends with; flow[-1]: the network's input. */
static ax_status build_layer(ax_builder *b, const ax_layer *l, ax_flow *flow)
{
    b->layer = l;
    b->n_weights = 0;
    b->parameters = b->trainable = 0;
    b->n_in = l->n_in;
    b->in[0] = &flow[AX_NETWORK_INPUT]; /* an InputLayer passes it on */
    for (int k = 0; k < l->n_in; k++)
        b->in[k] = &flow[l->in[k]];
    ax_build_input(b, 0);
    AX_TRY(check_rank(b, l));
    AX_TRY(l->kind->build(b, l));
    b->at_in = 0;
    flow[l->index] = ax_build_flow(b);
    return AX_OK;
}

/* The line of the preparation, before those of the layers. */
static ax_status note_preparation(ax_builder *b, bool chain, ax_layer_info *info)
{
    const char **inbound = ax_arena_array(&b->graph->arena, 1, sizeof(*inbound));

    if (inbound == NULL)
        return ax_nomem(b->err);
    AX_TRY(note_layer(b, PREPARATION, "Preparation", info));
    inbound[0] = "input";
    info->inbound = chain ? NULL : inbound;
    info->n_inbound = chain ? 0 : 1;
    return AX_OK;
}

static ax_status build_layers(ax_builder *b, const ax_network *net, bool prepared, ax_model *m)
{
    ax_layer_info *info;
    ax_flow *flow = ax_arena_array(b->work, (size_t) net->n + 1, sizeof(*flow));

    b->in = ax_arena_array(b->work, AX_MAX_LAYER_INPUTS, sizeof(*b->in));
    m->layer = ax_arena_array(&b->graph->arena, (size_t) net->n + prepared, sizeof(*m->layer));
    if (b->in == NULL || m->layer == NULL || flow == NULL)
        return ax_nomem(b->err);
    if (prepared)
        AX_TRY(note_preparation(b, net->chain, m->layer));
    info = m->layer + prepared;
    *flow++ = ax_build_flow(b);
    for (int i = 0; i < net->n; i++) {
        AX_TRY(build_layer(b, &net->layer[i], flow));
        AX_TRY(note_layer(b, net->layer[i].name, net->layer[i].kind->name, &info[i]));
        if (!net->chain)
            AX_TRY(note_inbound(b, net, i, prepared ? PREPARATION : "input", info));
    }
    m->n_layers = net->n + prepared;
    return AX_OK;
}

/* ---- the model ------------------------------------------------------------------------------- */

ax_status ax_model_set_labels(ax_model *m, const ax_model_spec *spec, ax_error *err)
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
    AX_TRY(spec->preparation != NULL ? add_table(b, spec, options, &m->input)
                                     : add_input(b, spec, data_last, &m->input));
    AX_TRY(build_layers(b, &net, spec->preparation != NULL, m));
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
    AX_TRY(ax_model_set_labels(m, spec, err));
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
