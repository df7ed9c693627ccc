/*
 * infer.c: types and shapes of every value. The operators' setup functions are the judges; this file walks
 * the graph and distrusts what they say only as far as sanity goes.
 */
#include "graph/op.h"

void ax_graph_bind_shapes(const ax_graph *g, int64_t batch, ax_tensor *value)
{
    for (int i = 0; i < g->n_values; i++) {
        const ax_value *v = &g->value[i];

        value[i] = (ax_tensor){.type = v->type, .shape = v->shape, .data = v->data};
        if (v->role == AX_VALUE_COMPUTED)
            value[i].shape.rank = -1;
        else if (v->shape.rank > 0 && v->shape.dim[0] == AX_DIM_BATCH)
            value[i].shape.dim[0] = batch;
    }
}

static ax_status check_output(ax_setup *s, const ax_tensor *t)
{
    if (ax_dtype_size(t->type) == 0 || t->shape.rank < 0 || t->shape.rank > AX_MAX_RANK)
        return ax_fail(s->err, AX_ERR_INTERNAL, "node \"%s\" (%s): no shape was inferred",
                       s->node->name, s->node->op->type);
    if (!ax_shape_sane(&t->shape))
        return ax_fail(s->err, AX_ERR_LIMIT, "node \"%s\" (%s): the output is too large",
                       s->node->name, s->node->op->type);
    return AX_OK;
}

ax_status ax_graph_setup_node(const ax_graph *g, int i, bool training, ax_arena *arena,
                              ax_tensor *value, ax_setup *s, ax_error *err)
{
    const ax_node *node = &g->node[i];
    ax_tensor *in = ax_arena_array(arena, (size_t) node->n_in, sizeof(ax_tensor));
    ax_tensor *out = ax_arena_array(arena, (size_t) node->n_out, sizeof(ax_tensor));

    if (in == NULL || out == NULL)
        return ax_nomem(err);
    *s = (ax_setup){.node = node,
                    .n_in = node->n_in,
                    .n_out = node->n_out,
                    .in = in,
                    .out = out,
                    .training = training,
                    .arena = arena,
                    .alias = -1,
                    .err = err};
    for (int k = 0; k < node->n_in; k++) {
        in[k].shape.rank = -1;
        if (node->in[k] < 0)
            continue;
        in[k] = value[node->in[k]];
        /* a trainable weight is no constant: its bytes change from step to step */
        if (g->value[node->in[k]].trainable)
            in[k].data = NULL;
    }
    AX_TRY(node->op->setup(s));
    for (int k = 0; k < node->n_out; k++) {
        if (node->out[k] < 0)
            continue;
        AX_TRY(check_output(s, &out[k]));
        value[node->out[k]] = out[k];
        value[node->out[k]].data = NULL;
    }
    return AX_OK;
}

ax_status ax_graph_infer(const ax_graph *g, int64_t batch, ax_tensor *value, ax_error *err)
{
    ax_arena arena;
    ax_setup s;
    ax_status status = AX_OK;

    ax_arena_init(&arena, &g->arena.env);
    ax_graph_bind_shapes(g, batch, value);
    for (int i = 0; i < g->n_nodes && status == AX_OK; i++)
        status = ax_graph_setup_node(g, i, false, &arena, value, &s, err);
    ax_arena_free(&arena);
    return status;
}
