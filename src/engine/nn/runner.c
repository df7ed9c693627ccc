/*
 * runner.c: see runner.h. A lane is the memory of one chunk in flight; it has an exec per plan, all over the
 * same arena, because a lane runs one chunk at a time.
 *
 * A single row has a short way of its own, because a small network answers in less time than locks and clocks
 * take: its steps one after the other, and nobody is asked whether to go on. The long way asks, so the first
 * rows take it and are timed; the short way opens when one of them was quick.
 */
#include "nn/runner.h"

#include <time.h>

#define N_PLANS 9
#define ONE_ROW (N_PLANS - 1)

/* A row that takes longer keeps the long way. Far below 50 ms: the numbers of another row may be slower. */
#define QUICK_NS 250000

/* A chunk of a big network is made smaller until its memory fits this. */
#define LANE_BYTES ((size_t) 16 * 1024 * 1024)

/* Batches of the plans. The largest fills the tiles of every instruction set, which take 12, 6 or 4 rows. */
static const int batches[N_PLANS] = {AX_RUN_ROWS, 128, 64, 32, 16, 8, 4, 2, 1};

typedef struct lane {
    void *memory;
    ax_exec *exec[N_PLANS];
    bool planned[N_PLANS]; /* by ax_runner_plan */
} lane;

struct ax_runner {
    ax_env env;
    const ax_model *model;
    ax_plan *plan[N_PLANS];
    size_t memory_bytes; /* of every lane's memory */
    void *packed;        /* weights as the kernels want them, for all lanes and plans */
    size_t packed_bytes;
    bool fresh;          /* packed is what the weights are */
    int n_lanes;
    lane *lane;
    bool quick;        /* one row was seen to take less than QUICK_NS */
    ax_pool *own_pool; /* of one thread, when the caller has none: kernels poll through it */
};

/* What the chunks of one ax_exec_run need. */
typedef struct flight {
    ax_runner *runner;
    const uint8_t *rows;
    size_t row_bytes;
    ax_row_source source;
    void *arg;
    float *out;
    int64_t *first; /* per chunk: its first row */
} flight;

ax_status ax_runner_create(const ax_env *env, const ax_model *m, int lanes, ax_runner **out,
                           ax_error *err)
{
    ax_runner *r = ax_zalloc(env, sizeof(*r));

    if (r == NULL)
        return ax_nomem(err);
    r->env = *env;
    r->model = m;
    r->n_lanes = lanes < 1 ? 1 : lanes;
    r->lane = ax_zalloc(env, (size_t) r->n_lanes * sizeof(lane));
    if (r->lane == NULL) {
        ax_runner_free(r);
        return ax_nomem(err);
    }
    *out = r;
    return AX_OK;
}

static void free_lane_memory(ax_runner *r)
{
    for (int i = 0; i < r->n_lanes; i++) {
        for (int k = 0; k < N_PLANS; k++) {
            ax_exec_free(r->lane[i].exec[k]);
            r->lane[i].exec[k] = NULL;
        }
        ax_free(&r->env, r->lane[i].memory);
        r->lane[i].memory = NULL;
    }
}

void ax_runner_weights_changed(ax_runner *r)
{
    r->fresh = false;
}

size_t ax_runner_memory(const ax_runner *r)
{
    size_t n = r->packed != NULL ? r->packed_bytes : 0;

    for (int i = 0; i < r->n_lanes; i++)
        n += r->lane[i].memory != NULL ? r->memory_bytes : 0;
    return n;
}

void ax_runner_free(ax_runner *r)
{
    ax_env env;

    if (r == NULL)
        return;
    env = r->env;
    if (r->lane != NULL)
        free_lane_memory(r);
    for (int k = 0; k < N_PLANS; k++)
        ax_plan_free(r->plan[k]);
    ax_pool_close(r->own_pool);
    ax_free(&env, r->packed);
    ax_free(&env, r->lane);
    ax_free(&env, r);
}

/* ---- plans and execs, made when first needed ------------------------------------------------- */

static ax_status need_plan(ax_runner *r, int k, ax_error *err)
{
    ax_plan_spec spec = {.batch = batches[k], .training = false, .loss_value = -1};

    if (r->plan[k] != NULL)
        return AX_OK;
    return ax_plan_create(&r->env, r->model->graph, &spec, &r->plan[k], err);
}

/* The largest plan that n rows fill and whose memory is moderate. */
static ax_status plan_for(ax_runner *r, int64_t n, int *out, ax_error *err)
{
    int k = 0;

    while (batches[k] > n)
        k++;
    AX_TRY(need_plan(r, k, err));
    while (k < N_PLANS - 1 && ax_plan_arena_bytes(r->plan[k]) > LANE_BYTES)
        AX_TRY(need_plan(r, ++k, err));
    *out = k;
    return AX_OK;
}

/* Lanes get the memory of the largest plan in use. */
static void need_memory(ax_runner *r, int k)
{
    size_t bytes = ax_plan_arena_bytes(r->plan[k]);

    if (bytes <= r->memory_bytes)
        return;
    free_lane_memory(r); /* execs hold addresses within the old memory */
    r->memory_bytes = bytes;
}

static ax_status need_exec(ax_runner *r, int i, int k, ax_error *err)
{
    lane *l = &r->lane[i];

    if (r->packed == NULL) {
        r->packed_bytes = ax_plan_packed_bytes(r->plan[k]);
        r->packed = ax_alloc(&r->env, r->packed_bytes);
        if (r->packed == NULL)
            return ax_nomem(err);
    }
    if (l->memory == NULL) {
        l->memory = ax_alloc(&r->env, r->memory_bytes);
        if (l->memory == NULL)
            return ax_nomem(err);
    }
    if (l->exec[k] != NULL)
        return AX_OK;
    return ax_exec_create(&r->env, r->plan[k], l->memory, r->packed, NULL, &l->exec[k], err);
}

static void load_rows(void *arg, int chunk, ax_exec *e)
{
    flight *f = arg;
    int input = f->runner->model->input;

    if (f->rows != NULL) {
        ax_exec_bind(e, input, f->rows + (size_t) f->first[chunk] * f->row_bytes);
        return;
    }
    ax_exec_bind(e, input, NULL);
    f->source(f->arg, f->first[chunk], ax_plan_batch(ax_exec_plan(e)),
              ax_exec_value(e, input).data);
}

static void take_outputs(void *arg, int chunk, ax_exec *e)
{
    flight *f = arg;
    const ax_model *m = f->runner->model;
    size_t n = (size_t) ax_plan_batch(ax_exec_plan(e)) * (size_t) m->n_outputs;

    memcpy(f->out + f->first[chunk] * m->n_outputs, ax_exec_value(e, m->output).data,
           n * sizeof(float));
}

/* Cuts the next of n rows into at most one chunk a lane: their plans. */
static ax_status choose_plans(ax_runner *r, int64_t n, int *plan, int *chunks, ax_error *err)
{
    int count = 0;

    for (; count < r->n_lanes && n > 0; count++) {
        AX_TRY(plan_for(r, n, &plan[count], err));
        need_memory(r, plan[count]);
        n -= batches[plan[count]];
    }
    *chunks = count;
    return AX_OK;
}

/* ---- planning -------------------------------------------------------------------------------- */

static ax_status plan_run(ax_runner *r, int64_t n, ax_error *err)
{
    int plan[AX_MAX_THREADS], chunks;

    while (n > 0) {
        AX_TRY(choose_plans(r, n, plan, &chunks, err));
        for (int i = 0; i < chunks; i++) {
            r->lane[i].planned[plan[i]] = true;
            n -= batches[plan[i]];
        }
    }
    return AX_OK;
}

static size_t planned_lane(const ax_runner *r, const lane *l, size_t bytes)
{
    bool any = false;

    for (int k = 0; k < N_PLANS; k++) {
        any |= l->planned[k];
        bytes += l->planned[k] ? ax_exec_memory(r->plan[k]) : 0;
    }
    return any ? ax_sum_alloc(bytes, 1, r->memory_bytes) : bytes;
}

static size_t planned_memory(const ax_runner *r)
{
    size_t bytes = ax_sum_alloc(ax_sum_alloc(0, 1, sizeof(*r)), (size_t) r->n_lanes, sizeof(lane));
    size_t packed = 0;

    for (int k = 0; k < N_PLANS; k++)
        if (r->plan[k] != NULL) {
            bytes += ax_plan_memory(r->plan[k]);
            packed = ax_plan_packed_bytes(r->plan[k]);
        }
    bytes = ax_sum_alloc(bytes, 1, packed);
    for (int i = 0; i < r->n_lanes; i++)
        bytes = planned_lane(r, &r->lane[i], bytes);
    return bytes;
}

ax_status ax_runner_plan(ax_runner *r, int64_t n, int64_t most, size_t *bytes, ax_error *err)
{
    AX_TRY(plan_run(r, AX_MIN(n, most), err));
    AX_TRY(plan_run(r, n % most, err));
    *bytes = planned_memory(r);
    return AX_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

/* The next chunks, at most one a lane. Returns how many; *next moves on. */
static ax_status cut(ax_runner *r, int64_t n, int64_t *next, ax_exec **exec, int64_t *first,
                     int *chunks, ax_error *err)
{
    int plan[AX_MAX_THREADS], count;
    int64_t at = *next;

    /* plans first: a larger one moves the lanes' memory */
    AX_TRY(choose_plans(r, n - at, plan, &count, err));
    for (int i = 0; i < count; i++) {
        int k = plan[i];

        AX_TRY(need_exec(r, i, k, err));
        exec[i] = r->lane[i].exec[k];
        first[i] = at;
        at += batches[k];
    }
    *next = at;
    *chunks = count;
    return AX_OK;
}

static ax_status run_chunks(ax_runner *r, ax_pool *pool, const void *rows, ax_row_source source,
                            void *arg, int64_t n, float *out, ax_error *err)
{
    ax_exec *exec[AX_MAX_THREADS];
    int64_t first[AX_MAX_THREADS];
    const ax_tensor input = {.type = r->model->graph->value[r->model->input].type,
                             .shape = r->model->graph->value[r->model->input].shape};
    flight f = {.runner = r, .rows = rows, .source = source, .arg = arg, .out = out, .first = first};
    ax_exec_job job = {.load = load_rows, .loss = take_outputs, .arg = &f};
    int64_t next = 0;

    if (r->n_lanes > AX_MAX_THREADS)
        return ax_fail(err, AX_ERR_INTERNAL, "%d lanes are too many", r->n_lanes);
    if (pool == NULL && r->own_pool == NULL)
        AX_TRY(ax_pool_open(&r->env, 1, &r->own_pool, err));
    f.row_bytes = (size_t) ax_shape_span(&input.shape, 1, input.shape.rank) *
                  ax_dtype_size(input.type);
    while (next < n) {
        int chunks;

        AX_TRY(cut(r, n, &next, exec, first, &chunks, err));
        if (!r->fresh)
            AX_TRY(ax_exec_pack(exec[0], pool, err));
        r->fresh = true;
        AX_TRY(ax_exec_run(&r->env, exec, chunks, pool != NULL ? pool : r->own_pool, &job, err));
    }
    return AX_OK;
}

/* ---- one row --------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

/* By the long way, with an eye on the clock. The time includes making plans: then another row decides. */
static ax_status try_row(ax_runner *r, const void *row, float *out, ax_error *err)
{
    int64_t start = now_ns();

    AX_TRY(run_chunks(r, NULL, row, NULL, NULL, 1, out, err));
    r->quick = now_ns() - start < QUICK_NS;
    return AX_OK;
}

static ax_status run_row(ax_runner *r, const void *row, float *out, ax_error *err)
{
    ax_exec *e = r->lane[0].exec[ONE_ROW];

    if (!r->quick || !r->fresh || e == NULL)
        return try_row(r, row, out, err);
    ax_exec_bind(e, r->model->input, row);
    ax_exec_infer(e);
    memcpy(out, ax_exec_data(e, r->model->output), (size_t) r->model->n_outputs * sizeof(float));
    return AX_OK;
}

ax_status ax_runner_run(ax_runner *r, ax_pool *pool, const void *rows, ax_row_source source,
                        void *arg, int64_t n, float *out, ax_error *err)
{
    if (n == 1 && rows != NULL && pool == NULL)
        return run_row(r, rows, out, err);
    return run_chunks(r, pool, rows, source, arg, n, out, err);
}
