/*
 * train_memory.c: what a training takes, known before it is taken.
 *
 * Each part says what it will allocate, next to where it does so: the shards, the optimizer and so on. Here they are
 * summed; test_memory.c compares the sum with what the allocator was asked for. Not in it are the threads' stacks, and
 * the buffers of the BLAS library, which do not come from the env.
 */
#include "nn/train.h"

static size_t rows_memory(const ax_trainer *t)
{
    size_t order = ax_sum_alloc(0, (size_t) t->data->rows, sizeof(int64_t));
    size_t bytes = ax_dataset_memory(t->data) + order;

    if (t->valid_rows != NULL)
        return bytes + order;
    return t->valid != NULL ? bytes + ax_dataset_memory(t->valid) : bytes;
}

static size_t weights_memory(const ax_trainer *t)
{
    ax_graph *g = t->model->graph;
    size_t bytes = ax_model_memory(t->model) + ax_optimizer_memory(&t->settings, g->n_param) +
                   ax_reduce_memory(g, t->shards.plan[0]);

    return t->stopping.restore_best_weights ? bytes + ax_snapshot_memory(g) : bytes;
}

/* The targets of a chunk of validation rows. */
static size_t targets_memory(const ax_trainer *t, size_t bytes)
{
    const ax_dataset *v = t->valid;
    size_t rows = (size_t) t->scorer.chunk;

    if (v->classes != NULL)
        bytes = ax_sum_alloc(bytes, rows, sizeof(int32_t));
    if (v->values != NULL)
        bytes = ax_sum_alloc(bytes, rows, (size_t) v->value_width * sizeof(float));
    return v->weights != NULL ? ax_sum_alloc(bytes, rows, sizeof(float)) : bytes;
}

ax_status ax_train_plan_memory(ax_trainer *t, ax_error *err)
{
    ax_train_memory *m = &t->report.memory;

    m->rows = rows_memory(t);
    m->weights = weights_memory(t);
    m->batch = ax_shards_memory(&t->shards);
    if (t->n_valid > 0) {
        AX_TRY(ax_scorer_plan(&t->scorer, t->n_valid, &m->validation, err));
        m->validation = targets_memory(t, m->validation);
    }
    m->total = m->rows + m->weights + m->validation + sizeof(*t);
    if (!ax_add_size(m->total, m->batch, &m->total))
        m->total = SIZE_MAX;
    return AX_OK;
}

ax_status ax_train_take_memory(ax_trainer *t, ax_error *err)
{
    ax_graph *g = t->model->graph;

    AX_TRY(ax_shards_open(&t->shards, err));
    AX_TRY(ax_optimizer_create(&t->env, &t->settings, g->n_param, &t->optimizer, err));
    AX_TRY(ax_reduce_create(&t->env, g, t->shards.plan[0], t->optimizer, &t->reduce, err));
    return t->stopping.restore_best_weights ? ax_snapshot_open(&t->env, g, &t->best, err) : AX_OK;
}
