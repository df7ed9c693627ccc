/*
 * initializer.c: the table of initializers, and the drawing of numbers.
 */
#include "nn/initializer.h"

#include <math.h>
#include <stdio.h>

#include "table/options.h"
#include "table/setting.h"

enum { FAN_IN, FAN_OUT, FAN_AVG };
enum { UNIFORM, TRUNCATED, NORMAL };

#define FAN_CHOICES "fan_in|fan_out|fan_avg"
#define SHAPE_CHOICES "uniform|truncated_normal|untruncated_normal"

/* sd of a standard normal distribution cut at -2 and 2 */
#define TRUNCATED_SD 0.87962566103423978

/* What a fill needs once the fans are known: between a and b, or around a with sd b. */
typedef struct drawing {
    int shape;
    double a, b;
} drawing;

typedef struct ax_initializer_row {
    const char *name;  /* in lower case; the class name is the same but for case and '_' */
    const char *alias; /* NULL, or another one */
    drawing (*plan)(const ax_initializer *i, double fan_in, double fan_out);
    double a, b;
    int mode, shape;
    const char *setting[3]; /* names of a and b in a config, then "mode" when it has one */
} row;

/* All numbers the same: a uniform distribution without width. */
static drawing plan_constant(const ax_initializer *i, double fan_in, double fan_out)
{
    return (drawing){UNIFORM, i->a, i->a};
}

static drawing plan_given(const ax_initializer *i, double fan_in, double fan_out)
{
    return (drawing){i->shape, i->a, i->b};
}

static drawing plan_scaled(const ax_initializer *i, double fan_in, double fan_out)
{
    double n = i->mode == FAN_IN    ? fan_in
               : i->mode == FAN_OUT ? fan_out
                                    : (fan_in + fan_out) / 2;
    double s = i->a / fmax(1, n);

    if (i->shape == UNIFORM)
        return (drawing){UNIFORM, -sqrt(3 * s), sqrt(3 * s)};
    return (drawing){i->shape, 0, i->shape == TRUNCATED ? sqrt(s) / TRUNCATED_SD : sqrt(s)};
}

/* What an orthogonal matrix begins with. */
static drawing plan_orthogonal(const ax_initializer *i, double fan_in, double fan_out)
{
    return (drawing){NORMAL, 0, 1};
}

static const row rows[] = {
    {"glorot_uniform", "xavier_uniform", plan_scaled, 1, 0, FAN_AVG, UNIFORM, {NULL}},
    {"glorot_normal", "xavier_normal", plan_scaled, 1, 0, FAN_AVG, TRUNCATED, {NULL}},
    {"he_uniform", NULL, plan_scaled, 2, 0, FAN_IN, UNIFORM, {NULL}},
    {"he_normal", NULL, plan_scaled, 2, 0, FAN_IN, TRUNCATED, {NULL}},
    {"lecun_uniform", NULL, plan_scaled, 1, 0, FAN_IN, UNIFORM, {NULL}},
    {"lecun_normal", NULL, plan_scaled, 1, 0, FAN_IN, TRUNCATED, {NULL}},
    {"variance_scaling", NULL, plan_scaled, 1, 0, FAN_IN, TRUNCATED, {"scale", NULL, "mode"}},
    {"orthogonal", NULL, plan_orthogonal, 1, 0, 0, NORMAL, {"gain", NULL, NULL}},
    {"zeros", "zero", plan_constant, 0, 0, 0, 0, {NULL}},
    {"ones", "one", plan_constant, 1, 0, 0, 0, {NULL}},
    {"constant", NULL, plan_constant, 0, 0, 0, 0, {"value", NULL, NULL}},
    {"random_uniform", "uniform", plan_given, -0.05, 0.05, 0, UNIFORM, {"minval", "maxval", NULL}},
    {"random_normal", "normal", plan_given, 0, 0.05, 0, NORMAL, {"mean", "stddev", NULL}},
    {"truncated_normal", NULL, plan_given, 0, 0.05, 0, TRUNCATED, {"mean", "stddev", NULL}},
};

bool ax_initializer_find(const char *name, ax_initializer *out)
{
    for (int i = 0; i < AX_COUNT(rows); i++) {
        const row *r = &rows[i];

        if (!ax_same_name(name, r->name) && (r->alias == NULL || !ax_same_name(name, r->alias)))
            continue;
        *out = (ax_initializer){r, r->a, r->b, r->mode, r->shape};
        return true;
    }
    return false;
}

/* ---- settings -------------------------------------------------------------------------------- */

/* Which of the choices text is; it is one of them. */
static int choice_index(const char *choices, const char *text)
{
    int n = 0;

    for (const char *p = strstr(choices, text); p > choices; p--)
        n += p[-1] == '|';
    return n;
}

static ax_status read_choice(const char *choices, const char *what, const ax_json *v, int *out,
                             ax_error *err)
{
    if (v->kind != AX_JSON_STRING)
        return ax_wrong_type(what, "text", v, err);
    AX_TRY(ax_choice_check(choices, what, v->string, err));
    *out = choice_index(choices, v->string);
    return AX_OK;
}

static ax_status read_number(const ax_initializer *i, const char *what, const char *key,
                             const ax_json *v, double *out, ax_error *err)
{
    static const ax_range positive = {AX_ABOVE, 0, 0}, from_zero = {AX_FROM, 0, 0}, any = {0, 0, 0};
    const ax_range *range = i->row->plan == plan_scaled       ? &positive
                            : strcmp(key, "stddev") == 0 ? &from_zero
                                                         : &any;

    if (v->kind != AX_JSON_NUMBER)
        return ax_wrong_type(what, "a number", v, err);
    AX_TRY(ax_range_check(range, what, v->number, err));
    *out = v->number;
    return AX_OK;
}

static ax_status read_setting(ax_initializer *i, const char *what, const char *key,
                              const ax_json *v, ax_error *err)
{
    const char *const *name = i->row->setting;
    char part[200];

    snprintf(part, sizeof(part), "%s: \"%s\" of %s", what, key, i->row->name);
    if (v->kind == AX_JSON_NULL || strcmp(key, "seed") == 0 || strcmp(key, "dtype") == 0)
        return AX_OK;
    if (name[0] != NULL && strcmp(key, name[0]) == 0)
        return read_number(i, part, key, v, &i->a, err);
    if (name[1] != NULL && strcmp(key, name[1]) == 0)
        return read_number(i, part, key, v, &i->b, err);
    if (name[2] != NULL && strcmp(key, "mode") == 0)
        return read_choice(FAN_CHOICES, part, v, &i->mode, err);
    if (name[2] != NULL && strcmp(key, "distribution") == 0) {
        if (v->kind == AX_JSON_STRING && strcmp(v->string, "normal") == 0) {
            i->shape = TRUNCATED; /* Keras's older name for it */
            return AX_OK;
        }
        return read_choice(SHAPE_CHOICES, part, v, &i->shape, err);
    }
    ax_fail(err, AX_ERR_UNKNOWN, "%s: %s has no setting \"%s\"", what, i->row->name, key);
    if (name[0] != NULL)
        ax_hint(err, "It has \"%s\"%s%s%s.", name[0], name[1] != NULL ? " and \"" : "",
                name[1] != NULL ? name[1] : name[2] != NULL ? ", mode and distribution" : "",
                name[1] != NULL ? "\"" : "");
    return AX_ERR_UNKNOWN;
}

ax_status ax_initializer_read(const ax_json *v, const char *what, ax_initializer *out,
                              ax_error *err)
{
    const char *known[AX_COUNT(rows)], *name;
    const ax_json *config;
    ax_initializer i;

    AX_TRY(ax_named_config(v, what, &name, &config, err));
    if (!ax_initializer_find(name, &i)) {
        for (int k = 0; k < AX_COUNT(rows); k++)
            known[k] = rows[k].name;
        ax_fail(err, AX_ERR_UNKNOWN, "%s: unknown initializer \"%s\"", what, name);
        ax_hint_names(err, name, known, AX_COUNT(rows));
        return AX_ERR_UNKNOWN;
    }
    for (int k = 0; config != NULL && k < config->count; k++)
        AX_TRY(read_setting(&i, what, config->key[k], config->item[k], err));
    if (i.row->plan == plan_given && i.shape == UNIFORM && i.a > i.b)
        return ax_fail(err, AX_ERR_INVALID, "%s: \"minval\" is greater than \"maxval\"", what);
    *out = i;
    return AX_OK;
}

/* ---- drawing --------------------------------------------------------------------------------- */

static double draw(const drawing *d, ax_rng *rng)
{
    double x;

    if (d->shape == UNIFORM)
        return d->a + (d->b - d->a) * ax_rng_uniform64(rng);
    do
        x = ax_rng_normal(rng);
    while (d->shape == TRUNCATED && fabs(x) > 2);
    return d->a + d->b * x;
}

#define POLL_EVERY (1 << 18) /* numbers: a few milliseconds */

ax_status ax_initializer_fill(const ax_env *env, const ax_initializer *init, uint64_t seed,
                              uint64_t stream, double fan_in, double fan_out, int64_t n, float *out,
                              ax_error *err)
{
    drawing d = init->row->plan(init, fan_in, fan_out);
    ax_rng rng = ax_rng_make(seed, stream);

    for (int64_t i = 0; i < n; i++) {
        if (i % POLL_EVERY == 0 && !ax_may_continue(env))
            return ax_cancelled(err);
        out[i] = d.shape == UNIFORM && d.a == d.b ? (float) d.a : (float) draw(&d, &rng);
    }
    return AX_OK;
}

/* ---- orthogonal matrices --------------------------------------------------------------------- */

/* n vectors of m numbers: number i of vector j is at j * vector + i * number. */
typedef struct vectors {
    float *x;
    int64_t n, m, vector, number;
} vectors;

/* Makes vector j as long as 1, and those behind it orthogonal to it. dot: room for n numbers. */
static ax_status project_out(const ax_env *env, const vectors *v, int64_t j, double *dot, ax_error *err)
{
    const int64_t block = POLL_EVERY / (v->n - j) + 1;
    double scale;

    for (int64_t k = j; k < v->n; k++)
        dot[k] = 0;
    for (int64_t i = 0; i < v->m; i++) {
        const float *x = v->x + i * v->number;
        double xj = x[j * v->vector];

        if (i % block == 0 && !ax_may_continue(env))
            return ax_cancelled(err);
        for (int64_t k = j; k < v->n; k++)
            dot[k] += xj * x[k * v->vector];
    }
    scale = dot[j] > 0 ? 1 / dot[j] : 0;
    for (int64_t i = 0; i < v->m; i++) {
        float *x = v->x + i * v->number;
        double xj = x[j * v->vector];

        if (i % block == 0 && !ax_may_continue(env))
            return ax_cancelled(err);
        for (int64_t k = j + 1; k < v->n; k++)
            x[k * v->vector] = (float) (x[k * v->vector] - xj * scale * dot[k]);
        x[j * v->vector] = (float) (xj * sqrt(scale));
    }
    return AX_OK;
}

bool ax_initializer_is_orthogonal(const ax_initializer *init)
{
    return init->row->plan == plan_orthogonal;
}

/* Gram and Schmidt twice: once leaves an error as large as the matrix is badly conditioned. */
ax_status ax_initializer_orthogonal(const ax_env *env, const ax_initializer *init, uint64_t seed, uint64_t stream,
                                    int64_t rows, int64_t columns, float *out, ax_error *err)
{
    vectors v = rows < columns ? (vectors){out, rows, columns, columns, 1} : (vectors){out, columns, rows, 1, columns};
    ax_status status = ax_initializer_fill(env, init, seed, stream, 1, 1, rows * columns, out, err);
    double *dot;

    AX_TRY(status);
    dot = ax_alloc(env, (size_t) v.n * sizeof(*dot));
    if (dot == NULL)
        return ax_nomem(err);
    for (int64_t j = 0; status == AX_OK && j < 2 * v.n; j++)
        status = project_out(env, &v, j % v.n, dot, err);
    ax_free(env, dot);
    for (int64_t i = 0; init->a != 1 && i < rows * columns; i++)
        out[i] *= (float) init->a;
    return status;
}
