/*
 * shards.c: see shards.h.
 */
#include "nn/shards.h"

#define SHARD_ROWS 16

int ax_shard_count(int64_t batch, int64_t n_param)
{
    int64_t n = AX_MAX(AX_MIN((batch + SHARD_ROWS - 1) / SHARD_ROWS, AX_MAX_SHARDS), 1);
    int64_t room = AX_SHARD_GRADIENT_BYTES / AX_MAX(n_param * (int64_t) sizeof(float), 1);

    return (int) AX_MIN(n, AX_MAX(room, 4));
}

/* ---- planning -------------------------------------------------------------------------------- */

/* Rows of the epoch's last batch, if it is smaller. */
static int64_t tail_of(const ax_shards *s)
{
    return s->n_train % s->batch;
}

static ax_status need_size(ax_shards *s, int64_t rows, ax_error *err)
{
    ax_plan_spec spec = {.batch = rows, .training = true, .loss_value = s->model->loss_value};

    for (int k = 0; k < s->n_sizes; k++)
        if (s->size[k] == rows)
            return AX_OK;
    AX_TRY(ax_plan_create(&s->env, s->model->graph, &spec, &s->plan[s->n_sizes], err));
    s->size[s->n_sizes++] = rows;
    return AX_OK;
}

static ax_status plan_sizes(ax_shards *s, ax_error *err)
{
    AX_TRY(need_size(s, s->rows, err));
    if (s->batch % s->rows != 0)
        AX_TRY(need_size(s, s->batch % s->rows, err));
    if (tail_of(s) % s->rows != 0)
        AX_TRY(need_size(s, tail_of(s) % s->rows, err));
    return AX_OK;
}

ax_status ax_shards_plan(const ax_env *env, const ax_shards_spec *spec, ax_shards *out,
                         ax_error *err)
{
    int64_t n = ax_shard_count(spec->batch, spec->model->graph->n_param);
    ax_status status;

    *out = (ax_shards) {.env = *env,
                        .model = spec->model,
                        .data = spec->data,
                        .metrics = spec->metrics,
                        .class_weight = spec->class_weight,
                        .batch = spec->batch,
                        .n_train = spec->n_train,
                        .rows = (spec->batch + n - 1) / n};
    out->rows = AX_MIN((out->rows + 3) / 4 * 4, spec->batch); /* whole tiles */
    out->n = (int) ((spec->batch + out->rows - 1) / out->rows);
    ax_scores_open(&out->scores, env, spec->model->n_outputs, spec->model->n_classes);
    status = plan_sizes(out, err);
    if (status != AX_OK)
        ax_shards_close(out);
    return status;
}

static int size_of(const ax_shards *s, int64_t rows)
{
    for (int k = 0; k < s->n_sizes; k++)
        if (s->size[k] == rows)
            return k;
    return -1;
}

/* Rows of shard i in a batch of count rows; 0: none. */
static int64_t rows_of(const ax_shards *s, int i, int64_t count)
{
    return AX_MAX(AX_MIN(s->rows, count - i * s->rows), 0);
}

/* A lane's, in whole cache lines. */
static size_t arena_bytes(const ax_shards *s)
{
    size_t arena = 0;

    for (int k = 0; k < s->n_sizes; k++)
        arena = AX_MAX(arena, ax_plan_arena_bytes(s->plan[k]));
    return (arena + AX_ALIGN - 1) / AX_ALIGN * AX_ALIGN;
}

static size_t lane_memory(const ax_shards *s, int i)
{
    const ax_dataset *d = s->data;
    size_t rows = (size_t) s->rows, bytes = ax_tally_memory(s->metrics);
    int64_t full = rows_of(s, i, s->batch), tail = rows_of(s, i, tail_of(s));

    bytes = ax_sum_alloc(bytes, (size_t) ax_plan_gradient_floats(s->plan[0]), sizeof(float));
    if (d->classes != NULL)
        bytes = ax_sum_alloc(bytes, rows, sizeof(int32_t));
    if (d->values != NULL)
        bytes = ax_sum_alloc(bytes, rows, (size_t) d->value_width * sizeof(float));
    if (d->weights != NULL)
        bytes = ax_sum_alloc(bytes, rows, sizeof(float));
    if (s->class_weight != NULL)
        bytes = ax_sum_alloc(bytes, rows, sizeof(float));
    bytes += ax_exec_memory(s->plan[size_of(s, full)]);
    if (tail > 0 && tail != full)
        bytes += ax_exec_memory(s->plan[size_of(s, tail)]);
    return bytes;
}

size_t ax_shards_memory(const ax_shards *s)
{
    size_t bytes = ax_sum_alloc(0, 1, ax_plan_packed_bytes(s->plan[0])), slab;

    for (int k = 0; k < s->n_sizes; k++)
        bytes += ax_plan_memory(s->plan[k]);
    for (int i = 0; i < s->n; i++)
        bytes += lane_memory(s, i);
    if (ax_metrics_need_scores(s->metrics))
        bytes += ax_scores_memory(&s->scores, s->n_train);
    if (!ax_mul_size(arena_bytes(s), (size_t) s->n, &slab))
        return SIZE_MAX;
    return ax_sum_large(bytes, slab);
}

/* ---- opening --------------------------------------------------------------------------------- */

static ax_status make_exec(ax_shards *s, int i, int64_t rows, ax_error *err)
{
    ax_lane *l = &s->lane[i];
    int k = size_of(s, rows);

    if (rows == 0 || l->exec[k] != NULL)
        return AX_OK;
    return ax_exec_create(&s->env, s->plan[k], l->memory, s->packed, l->grad,
                          &l->exec[k], err);
}

static ax_status get(const ax_env *env, size_t count, size_t size, void *out, ax_error *err)
{
    size_t bytes;
    void *p = ax_mul_size(count, size, &bytes) ? ax_alloc(env, bytes) : NULL;

    if (p == NULL)
        return ax_nomem(err);
    memcpy(out, &p, sizeof(p));
    return AX_OK;
}

static ax_status open_lane(ax_shards *s, ax_lane *l, ax_error *err)
{
    const ax_dataset *d = s->data;
    size_t rows = (size_t) s->rows;

    AX_TRY(get(&s->env, (size_t) ax_plan_gradient_floats(s->plan[0]), sizeof(float), &l->grad, err));
    if (d->classes != NULL)
        AX_TRY(get(&s->env, rows, sizeof(int32_t), &l->classes, err));
    if (d->values != NULL)
        AX_TRY(get(&s->env, rows, (size_t) d->value_width * sizeof(float), &l->values, err));
    if (d->weights != NULL)
        AX_TRY(get(&s->env, rows, sizeof(float), &l->weights, err));
    if (s->class_weight != NULL)
        AX_TRY(get(&s->env, rows, sizeof(float), &l->loss_weights, err));
    return ax_tally_open(&s->env, s->metrics, &l->tally, err);
}

ax_status ax_shards_open(ax_shards *s, ax_error *err)
{
    size_t arena = arena_bytes(s), slab;

    AX_TRY(get(&s->env, ax_plan_packed_bytes(s->plan[0]), 1, &s->packed, err));
    s->slab = ax_mul_size(arena, (size_t) s->n, &slab) ? ax_alloc_large(&s->env, slab) : NULL;
    if (s->slab == NULL)
        return ax_nomem(err);
    for (int i = 0; i < s->n; i++) {
        s->lane[i].memory = (uint8_t *) s->slab + (size_t) i * arena;
        AX_TRY(open_lane(s, &s->lane[i], err));
        s->grad[i] = s->lane[i].grad;
        AX_TRY(make_exec(s, i, rows_of(s, i, s->batch), err));
        AX_TRY(make_exec(s, i, rows_of(s, i, tail_of(s)), err));
    }
    if (ax_metrics_need_scores(s->metrics))
        AX_TRY(ax_scores_reserve(&s->scores, s->n_train, err));
    return AX_OK;
}

static void close_lane(const ax_env *env, ax_lane *l)
{
    for (int k = 0; k < AX_SHARD_SIZES; k++)
        ax_exec_free(l->exec[k]);
    ax_tally_close(env, &l->tally);
    ax_free(env, l->grad);
    ax_free(env, l->classes);
    ax_free(env, l->values);
    ax_free(env, l->weights);
    ax_free(env, l->loss_weights);
}

void ax_shards_close(ax_shards *s)
{
    if (s->model == NULL)
        return;
    for (int i = 0; i < s->n; i++)
        close_lane(&s->env, &s->lane[i]);
    for (int k = 0; k < s->n_sizes; k++)
        ax_plan_free(s->plan[k]);
    ax_free(&s->env, s->packed);
    ax_free(&s->env, s->slab);
    ax_scores_close(&s->scores);
    *s = (ax_shards) {.model = NULL};
}

/* ---- running: on any thread ------------------------------------------------------------------ */

static void load(void *arg, int shard, ax_exec *e)
{
    ax_shards *s = arg;
    ax_lane *l = &s->lane[shard];
    int64_t n = ax_plan_batch(ax_exec_plan(e));

    ax_dataset_gather(s->data, s->index + shard * s->rows, n,
                      ax_exec_value(e, s->model->input).data, l->classes, l->values, l->weights);
    if (l->loss_weights != NULL)
        for (int64_t i = 0; i < n; i++)
            l->loss_weights[i] = s->class_weight[l->classes[i]] *
                                 (l->weights != NULL ? l->weights[i] : 1);
}

static void attach_loss(void *arg, int shard, ax_exec *e)
{
    ax_shards *s = arg;
    const ax_model *m = s->model;
    ax_lane *l = &s->lane[shard];
    int64_t n = ax_plan_batch(ax_exec_plan(e));
    ax_targets t = {l->classes, l->values,
                    l->loss_weights != NULL ? l->loss_weights : l->weights};
    ax_answers a = {.n = n,
                    .out = ax_exec_value(e, m->output).data,
                    .classes = l->classes,
                    .values = l->values,
                    .weights = l->weights,
                    .first = s->at + shard * s->rows};

    l->loss = ax_loss_sum(&m->loss, n, m->n_outputs, ax_exec_value(e, m->loss_value).data, &t,
                          1.0F / (float) s->count, ax_exec_gradient(e, m->loss_value).data);
    a.loss = l->loss;
    ax_tally_add(&l->tally, &s->scores, &a);
}

ax_status ax_shards_run(ax_shards *s, ax_pool *pool, const int64_t *index, int64_t count,
                        int64_t at, uint64_t key, double *loss, int *used, ax_error *err)
{
    int64_t row0[AX_MAX_SHARDS] = {0};
    ax_exec_job job = {.key = key,
                       .load = load,
                       .loss = attach_loss,
                       .arg = s,
                       .backward = true,
                       .row0 = row0};
    double sum = 0;
    int n;

    s->index = index;
    s->count = count;
    s->at = at;
    for (n = 0; n < s->n && rows_of(s, n, count) > 0; n++) {
        s->exec[n] = s->lane[n].exec[size_of(s, rows_of(s, n, count))];
        row0[n] = n * s->rows;
    }
    AX_TRY(ax_exec_pack(s->exec[0], pool, err));
    AX_TRY(ax_exec_run(&s->env, s->exec, n, pool, &job, err));
    for (int i = 0; i < n; i++)
        sum += s->lane[i].loss;
    *loss = sum / (double) count;
    *used = n;
    return AX_OK;
}

void ax_shards_reset(ax_shards *s)
{
    for (int i = 0; i < s->n; i++)
        ax_tally_reset(&s->lane[i].tally);
}

void ax_shards_merge(const ax_shards *s, ax_tally *into)
{
    for (int i = 0; i < s->n; i++)
        ax_tally_merge(into, &s->lane[i].tally);
}
