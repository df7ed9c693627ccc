/*
 * table_check.c: see table_check.h.
 */
#include "table_check.h"

#include <stdlib.h>

#include "graph/plan.h"
#include "unit.h"

void column_rows(table_case *t, int64_t rows)
{
    t->rows = rows;
    t->x = calloc((size_t) (rows * t->width) + 1, sizeof(float));
    t->y = calloc((size_t) rows + 1, sizeof(float));
    t->class = calloc((size_t) rows + 1, sizeof(int32_t));
    t->n_classes = 2;
}

static ax_status fill(table_case *t, const ax_env *env, ax_task task)
{
    AX_TRY(ax_dataset_create(env, AX_FLOAT, t->width, &t->d, &t->err));
    for (int64_t i = 0; i < t->rows; i++)
        AX_TRY(ax_dataset_append(t->d, t->x + i * t->width, &t->err));
    if (task == AX_TASK_CLASSIFICATION)
        return ax_dataset_set_classes(t->d, t->class, t->n_classes, &t->err);
    return task == AX_TASK_REGRESSION ? ax_dataset_set_values(t->d, t->y, 1, &t->err) : AX_OK;
}

ax_status table_try(table_case *t, const ax_env *env, const char *algorithm, ax_task task, const char *options)
{
    ax_preparation_spec spec = {t->column, t->n_columns, algorithm, task};
    ax_options *o = NULL;
    ax_status status = AX_OK;

    if (options != NULL)
        status = ax_options_parse(env, options, strlen(options), &o, &t->err);
    if (status == AX_OK)
        status = fill(t, env, task);
    if (status == AX_OK)
        status = ax_preparation_learn(env, &spec, o, t->d, &t->p, &t->err);
    ax_options_free(o);
    return status;
}

void table_reset(table_case *t)
{
    ax_preparation_free(t->p);
    ax_dataset_free(t->d);
    t->p = NULL;
    t->d = NULL;
}

ax_preparation *table_learn(table_case *t, const char *algorithm, ax_task task, const char *options, ax_status wanted)
{
    table_reset(t);
    unit_status(table_try(t, unit_env(), algorithm, task, options), wanted, &t->err, "%s %s",
                algorithm == NULL ? "network" : algorithm, options == NULL ? "(statistics)" : options);
    return t->p;
}

void table_end(table_case *t)
{
    table_reset(t);
    free(t->x);
    free(t->y);
    free(t->class);
}

static ax_status make_graph(const ax_preparation *p, ax_graph *g, int *input, int64_t *width, ax_error *err)
{
    ax_shape shape = {.rank = 2, .dim = {AX_DIM_BATCH, ax_preparation_row_width(p)}};
    int out;

    AX_TRY(ax_graph_add_input(g, "input", AX_FLOAT, &shape, input, err));
    AX_TRY(ax_preparation_add(p, g, *input, &out, width, err));
    AX_TRY(ax_graph_add_output(g, out, err));
    return ax_graph_bind(g, err);
}

static ax_status run(const ax_graph *g, int input, const float *rows, int64_t n, int64_t width, float *out,
                     ax_error *err)
{
    ax_plan_spec spec = {.batch = n, .loss_value = -1};
    ax_plan *plan = NULL;
    ax_exec *e = NULL;
    void *memory, *packed;
    ax_tensor y;

    AX_TRY(ax_plan_create(unit_env(), g, &spec, &plan, err));
    memory = aligned_alloc(AX_ALIGN, (ax_plan_arena_bytes(plan) / AX_ALIGN + 1) * AX_ALIGN);
    packed = aligned_alloc(AX_ALIGN, (ax_plan_packed_bytes(plan) / AX_ALIGN + 1) * AX_ALIGN);
    memset(memory, 0xff, ax_plan_arena_bytes(plan));
    if (ax_exec_create(unit_env(), plan, memory, packed, NULL, &e, err) == AX_OK &&
        ax_exec_pack(e, NULL, err) == AX_OK) {
        ax_exec_bind(e, input, rows);
        ax_exec_infer(e);
        y = ax_exec_value(e, g->output[0]);
        unit_is_int(ax_shape_elements(&y.shape), n * width, "the nodes give %lld numbers a row", (long long) width);
        memcpy(out, y.data, (size_t) (n * width) * sizeof(float));
    }
    ax_exec_free(e);
    ax_plan_free(plan);
    free(memory);
    free(packed);
    return AX_OK;
}

float *table_run(const ax_preparation *p, const float *rows, int64_t n, int64_t *width, ax_error *err)
{
    ax_graph *g = NULL;
    float *out = NULL;
    int input;
    ax_status status = ax_graph_create(unit_env(), "table", &g, err);

    if (status == AX_OK)
        status = make_graph(p, g, &input, width, err);
    if (status == AX_OK) {
        out = calloc((size_t) (n * *width) + 1, sizeof(float));
        status = run(g, input, rows, n, *width, out, err);
    }
    ax_graph_free(g);
    if (status == AX_OK)
        return out;
    unit_note("nodes: %s", err->message);
    free(out);
    return NULL;
}
