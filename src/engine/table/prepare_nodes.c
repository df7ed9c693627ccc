/*
 * prepare_nodes.c: the nodes behind a table's row: what is learned of the columns, as a part of the graph.
 *
 * All columns at once, whatever their number:
 *
 *     numbers      Gather -> Where(IsNaN(x), fill, x) -> Max, Min -> Log(x + 1) of the last ones -> Sub, Mul
 *     indicators   Gather -> IsNaN -> Cast
 *     flags        Gather (a code once for each of its categories) -> Equal -> Cast
 *     embeddings   Gather -> Where(IsNaN(x), n_codes + 1, x) -> Cast -> Gather from the weight, a column at a time
 *
 * and a Concat of these. What changes nothing (no bound, no scale) is left out. Constants are weights that are not
 * trained. An embedding's weight has a line for each code, one for any other text and one for a missing one; these two
 * start at zero, so that a text that was never seen adds nothing.
 */
#include "table/prepare.h"

#include <float.h>
#include <stdio.h>

#define PREFIX "preparation/"
#define NAME_BYTES 48 /* without the prefix */
#define FULL_NAME_BYTES 80
#define CONCAT_MAX (AX_MAX_NODE_VALUES - 6) /* values in one Concat */
#define START_RANGE 0.05f /* Keras's Embedding begins within [-0.05, 0.05) */

typedef struct adder {
    const ax_preparation *p;
    ax_graph *g;
    int input;
    ax_arena *work;
    ax_error *err;
} adder;

/* ---- pieces ---------------------------------------------------------------------------------- */

static ax_status add_node(adder *a, const char *op, const char *name, int n_in, const int *in, const ax_attr *attr,
                          int *out)
{
    char full[FULL_NAME_BYTES];

    snprintf(full, sizeof(full), PREFIX "%s", name);
    return ax_graph_add_node(a->g, op, full, n_in, in, attr != NULL, attr, out, a->err);
}

static ax_status add_constant(adder *a, const char *name, ax_dtype type, int64_t n, const void *data, int *out)
{
    char full[FULL_NAME_BYTES];
    ax_shape shape = {.rank = 1, .dim = {n}};

    snprintf(full, sizeof(full), PREFIX "%s", name);
    return ax_graph_add_weight(a->g, full, type, &shape, false, data, out, a->err);
}

/* op(x, constant): n floats. */
static ax_status add_with(adder *a, const char *op, const char *name, int64_t n, const float *data, int *x)
{
    char constant[NAME_BYTES];
    int in[2] = {*x, -1};

    snprintf(constant, sizeof(constant), "%s_by", name);
    AX_TRY(add_constant(a, constant, AX_FLOAT, n, data, &in[1]));
    return add_node(a, op, name, 2, in, NULL, x);
}

/* The elements of x along axis 1. */
static ax_status add_gather(adder *a, const char *name, int x, int64_t n, const int64_t *at, int *out)
{
    ax_attr axis = ax_attr_i("axis", 1);
    char constant[NAME_BYTES];
    int in[2] = {x, -1};

    snprintf(constant, sizeof(constant), "%s_at", name);
    AX_TRY(add_constant(a, constant, AX_INT64, n, at, &in[1]));
    return add_node(a, "Gather", name, 2, in, &axis, out);
}

static ax_status add_cast(adder *a, const char *name, ax_dtype type, int x, int *out)
{
    ax_attr to = ax_attr_i("to", type);

    return add_node(a, "Cast", name, 1, &x, &to, out);
}

/* fill where x is NaN. */
static ax_status add_fill(adder *a, const char *what, int64_t n, const float *fill, int *x)
{
    char name[NAME_BYTES];
    int in[3] = {-1, -1, *x};

    snprintf(name, sizeof(name), "%s_missing", what);
    AX_TRY(add_node(a, "IsNaN", name, 1, x, NULL, &in[0]));
    snprintf(name, sizeof(name), "%s_fill", what);
    AX_TRY(add_constant(a, name, AX_FLOAT, n, fill, &in[1]));
    snprintf(name, sizeof(name), "%s_filled", what);
    return add_node(a, "Where", name, 3, in, NULL, x);
}

/* Side by side; of many, in groups. level makes names. */
static ax_status add_concat(adder *a, const char *what, int n, int *x, int level, int *out)
{
    ax_attr axis = ax_attr_i("axis", 1);
    char name[NAME_BYTES];
    int groups = 0;

    if (n == 1) {
        *out = x[0];
        return AX_OK;
    }
    for (int i = 0; i < n; i += CONCAT_MAX) {
        snprintf(name, sizeof(name), "%s_%d_%d", what, level, groups);
        AX_TRY(add_node(a, "Concat", n <= CONCAT_MAX ? what : name, AX_MIN(CONCAT_MAX, n - i), x + i, &axis,
                        &x[groups]));
        groups++;
    }
    return add_concat(a, what, groups, x, level + 1, out);
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* One constant a number, by what `of` reads. */
static float *constants(adder *a, float (*of)(const ax_element *e))
{
    const ax_preparation *p = a->p;
    float *c = ax_arena_array(a->work, (size_t) p->n_numbers, sizeof(*c));

    for (int64_t i = 0; c != NULL && i < p->n_numbers; i++)
        c[i] = of(&p->element[p->number[i]]);
    return c;
}

static float fill_of(const ax_element *e)
{
    return e->fill;
}

static float low_of(const ax_element *e)
{
    return e->low;
}

static float high_of(const ax_element *e)
{
    return e->high;
}

static float offset_of(const ax_element *e)
{
    return e->offset;
}

static float factor_of(const ax_element *e)
{
    return e->factor;
}

/* op(x, constants), unless all of them are `nothing`, which changes nothing. */
static ax_status add_step(adder *a, const char *op, const char *name, float (*of)(const ax_element *e), float nothing,
                          int *x)
{
    float *c = constants(a, of);
    bool some = false;

    if (c == NULL)
        return ax_nomem(a->err);
    for (int64_t i = 0; i < a->p->n_numbers; i++)
        some |= c[i] != nothing;
    return some ? add_with(a, op, name, a->p->n_numbers, c, x) : AX_OK;
}

/* log(x + 1) of the last n_logs numbers. */
static ax_status add_logs(adder *a, int *x)
{
    int64_t n = a->p->n_numbers, logs = a->p->n_logs, plain = n - logs;
    int64_t *at = ax_arena_array(a->work, (size_t) n, sizeof(*at));
    int part[2] = {*x, *x};
    const float one = 1;

    if (at == NULL)
        return ax_nomem(a->err);
    for (int64_t i = 0; i < n; i++)
        at[i] = i;
    if (logs == 0)
        return AX_OK;
    if (plain > 0) {
        AX_TRY(add_gather(a, "plain", *x, plain, at, &part[0]));
        AX_TRY(add_gather(a, "log", *x, logs, at + plain, &part[1]));
    }
    AX_TRY(add_with(a, "Add", "log_plus_1", 1, &one, &part[1]));
    AX_TRY(add_node(a, "Log", "log1p", 1, &part[1], NULL, &part[1]));
    return add_concat(a, "plain_and_log", plain > 0 ? 2 : 1, plain > 0 ? part : part + 1, 0, x);
}

static ax_status add_numbers(adder *a, int *out)
{
    const ax_preparation *p = a->p;
    float *fill = constants(a, fill_of);
    int x = a->input;

    if (fill == NULL)
        return ax_nomem(a->err);
    if (p->n_numbers < p->width || p->n_logs > 0)
        AX_TRY(add_gather(a, "numbers", a->input, p->n_numbers, p->number, &x));
    AX_TRY(add_fill(a, "numbers", p->n_numbers, fill, &x));
    AX_TRY(add_step(a, "Max", "at_least", low_of, -FLT_MAX, &x));
    AX_TRY(add_step(a, "Min", "at_most", high_of, FLT_MAX, &x));
    AX_TRY(add_logs(a, &x));
    AX_TRY(add_step(a, "Sub", "centered", offset_of, 0, &x));
    AX_TRY(add_step(a, "Mul", "scaled", factor_of, 1, &x));
    *out = x;
    return AX_OK;
}

/* ---- indicators and flags -------------------------------------------------------------------- */

static ax_status add_indicators(adder *a, int *out)
{
    int x;

    AX_TRY(add_gather(a, "indicators", a->input, a->p->n_indicators, a->p->indicator, &x));
    AX_TRY(add_node(a, "IsNaN", "indicators_missing", 1, &x, NULL, &x));
    return add_cast(a, "is_missing", AX_FLOAT, x, out);
}

static ax_status add_flags(adder *a, int *out)
{
    const ax_preparation *p = a->p;
    int64_t *at = ax_arena_array(a->work, (size_t) p->n_flags, sizeof(*at));
    float *value = ax_arena_array(a->work, (size_t) p->n_flags, sizeof(*value));
    int x;

    if (at == NULL || value == NULL)
        return ax_nomem(a->err);
    for (int64_t i = 0; i < p->n_flags; i++) {
        at[i] = p->flag[i].at;
        value[i] = p->flag[i].value;
    }
    AX_TRY(add_gather(a, "categories", a->input, p->n_flags, at, &x));
    AX_TRY(add_with(a, "Equal", "categories_equal", p->n_flags, value, &x));
    return add_cast(a, "one_hot", AX_FLOAT, x, out);
}

/* ---- embeddings ------------------------------------------------------------------------------ */

static ax_status add_table(adder *a, int i, int *out)
{
    const ax_text_codes *t = a->p->embedding[i];
    ax_shape shape = {.rank = 2, .dim = {(int64_t) t->n_codes + 2, t->output_dim}};
    int64_t n = t->n_codes * t->output_dim;
    ax_rng rng = ax_rng_make(a->p->seed, UINT64_C(0x656d62656400) + (uint64_t) t->at); /* "embed" */
    float *start = ax_arena_array(a->work, (size_t) ax_shape_elements(&shape), sizeof(*start));
    char name[NAME_BYTES];

    if (start == NULL)
        return ax_nomem(a->err);
    for (int64_t k = 0; k < n; k++)
        start[k] = (2 * ax_rng_uniform(&rng) - 1) * START_RANGE;
    snprintf(name, sizeof(name), PREFIX "embedding_%d", i);
    return ax_graph_add_weight(a->g, name, AX_FLOAT, &shape, true, start, out, a->err);
}

/* Column i of the codes, as whole numbers, and the lines of the table that they name. */
static ax_status add_embedding(adder *a, int i, int codes, int *out)
{
    ax_attr axis = ax_attr_i("axis", 1), lines = ax_attr_i("axis", 0);
    ax_shape scalar = {.rank = 0};
    int64_t at = i;
    char name[NAME_BYTES];
    int in[2] = {codes, -1}, x;

    snprintf(name, sizeof(name), PREFIX "code_%d_at", i);
    AX_TRY(ax_graph_add_weight(a->g, name, AX_INT64, &scalar, false, &at, &in[1], a->err));
    snprintf(name, sizeof(name), "code_%d", i);
    AX_TRY(add_node(a, "Gather", name, 2, in, &axis, &x));
    AX_TRY(add_table(a, i, &in[0]));
    in[1] = x;
    snprintf(name, sizeof(name), "embedded_%d", i);
    return add_node(a, "Gather", name, 2, in, &lines, out);
}

static ax_status add_embeddings(adder *a, int *out)
{
    const ax_preparation *p = a->p;
    size_t n = (size_t) p->n_embeddings;
    int64_t *at = ax_arena_array(a->work, n, sizeof(*at));
    float *missing = ax_arena_array(a->work, n, sizeof(*missing));
    int *part = ax_arena_array(a->work, n, sizeof(*part)), x;

    if (at == NULL || missing == NULL || part == NULL)
        return ax_nomem(a->err);
    for (size_t i = 0; i < n; i++) {
        at[i] = p->embedding[i]->at;
        missing[i] = (float) p->embedding[i]->n_codes + 1;
    }
    AX_TRY(add_gather(a, "texts", a->input, p->n_embeddings, at, &x));
    AX_TRY(add_fill(a, "texts", p->n_embeddings, missing, &x));
    AX_TRY(add_cast(a, "codes", AX_INT64, x, &x));
    for (int i = 0; i < p->n_embeddings; i++)
        AX_TRY(add_embedding(a, i, x, &part[i]));
    return add_concat(a, "embedded", p->n_embeddings, part, 0, out);
}

/* ---- all together ---------------------------------------------------------------------------- */

static ax_status add_all(adder *a, int *out)
{
    int part[4], n = 0;

    if (a->p->n_numbers > 0)
        AX_TRY(add_numbers(a, &part[n++]));
    if (a->p->n_indicators > 0)
        AX_TRY(add_indicators(a, &part[n++]));
    if (a->p->n_flags > 0)
        AX_TRY(add_flags(a, &part[n++]));
    if (a->p->n_embeddings > 0)
        AX_TRY(add_embeddings(a, &part[n++]));
    return add_concat(a, "columns", n, part, 0, out);
}

ax_status ax_preparation_add(const ax_preparation *p, ax_graph *g, int input, int *out, int64_t *width, ax_error *err)
{
    adder a = {.p = p, .g = g, .input = input, .err = err};
    ax_arena work;
    ax_status status;
    int value = input;

    if (p->output == NULL)
        return ax_fail(err, AX_ERR_INTERNAL, "the columns were looked at, but not prepared");
    if (p->family != AX_FAMILY_TREES) {
        ax_arena_init(&work, &g->arena.env);
        a.work = &work;
        status = add_all(&a, &value);
        ax_arena_free(&work);
        AX_TRY(status);
    }
    *out = value;
    *width = p->n_outputs;
    return AX_OK;
}
