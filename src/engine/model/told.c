/*
 * told.c: what a model tells of itself: coefficients and importances, kept as JSON in its metadata, so that they travel
 * with its bytes.
 *
 *     aiaas.coefficients   [[label or null, feature, value, standard error, z, p], ...]   null: not a number
 *     aiaas.importance     [[feature, share of the gain, splits], ...]                    those that split at all
 *     aiaas.parts          [name of each float of a row, ...]
 */
#include <math.h>

#include "base/json.h"
#include "model/algorithm.h"
#include "model/told.h"

/* ---- writing --------------------------------------------------------------------------------- */

static void add_number(ax_text *t, double x)
{
    if (isfinite(x))
        ax_text_addf(t, ",%.17g", x);
    else
        ax_text_add(t, ",null", 5);
}

static void add_coefficient(ax_text *t, const ax_coefficient *c)
{
    ax_text_add(t, "[", 1);
    if (c->label != NULL)
        ax_text_add_json_string(t, c->label);
    else
        ax_text_add(t, "null", 4);
    ax_text_add(t, ",", 1);
    ax_text_add_json_string(t, c->feature);
    add_number(t, c->value);
    add_number(t, c->std_error);
    add_number(t, c->z);
    add_number(t, c->p_value);
    ax_text_add(t, "]", 1);
}

/* Closes the list and keeps it under the key. */
static ax_status keep(ax_fit *f, const char *key, ax_text *t, ax_error *err)
{
    ax_status status;

    ax_text_add(t, "]", 1);
    status = t->failed ? ax_nomem(err) : ax_graph_set_meta(f->model->graph, key, t->data, err);
    ax_text_free(t);
    return status;
}

ax_status ax_fit_tell_coefficients(ax_fit *f, const ax_coefficient *line, int n, ax_error *err)
{
    ax_text t;

    ax_text_init(&t, &f->env);
    ax_text_add(&t, "[", 1);
    for (int i = 0; i < n; i++) {
        ax_text_add(&t, ",", i > 0);
        add_coefficient(&t, &line[i]);
    }
    return keep(f, "aiaas.coefficients", &t, err);
}

static ax_status tell_parts(ax_fit *f, ax_error *err)
{
    const ax_preparation *p = f->spec->preparation;
    ax_text t;

    ax_text_init(&t, &f->env);
    ax_text_add(&t, "[", 1);
    for (int64_t j = 0; j < ax_preparation_row_width(p); j++) {
        ax_text_add(&t, ",", j > 0);
        ax_text_add_json_string(&t, ax_preparation_part(p, j)->name);
    }
    return keep(f, "aiaas.parts", &t, err);
}

ax_status ax_fit_tell_importance(ax_fit *f, const double *gain, const double *count, ax_error *err)
{
    const ax_preparation *p = f->spec->preparation;
    int64_t width = ax_preparation_row_width(p);
    double all = 0;
    bool any = false;
    ax_text t;

    AX_TRY(tell_parts(f, err));
    for (int64_t j = 0; j < width; j++)
        all += gain[j];
    ax_text_init(&t, &f->env);
    ax_text_add(&t, "[", 1);
    for (int64_t j = 0; j < width; j++) {
        if (count[j] == 0)
            continue;
        ax_text_add(&t, any ? ",[" : "[", any ? 2 : 1);
        ax_text_add_json_string(&t, ax_preparation_part(p, j)->name);
        ax_text_addf(&t, ",%.9g,%.0f]", all > 0 ? gain[j] / all : 0, count[j]);
        any = true;
    }
    return keep(f, "aiaas.importance", &t, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A list of the metadata, read once and kept with the model; NULL when there is none, or when it is damaged. */
const ax_json *ax_told_list(ax_model *m, ax_told_kind kind)
{
    static const char *const key[] = {"aiaas.coefficients", "aiaas.importance", "aiaas.parts"};
    const char *text = ax_graph_meta(m->graph, key[kind]);
    ax_json *list;
    ax_error err;

    if (text == NULL)
        return NULL;
    if (m->told == NULL)
        m->told = ax_arena_alloc(&m->graph->arena, sizeof(*m->told));
    if (m->told == NULL)
        return NULL;
    if (m->told->list[kind] == NULL &&
        ax_json_parse(&m->graph->arena, text, strlen(text), &list, &err) == AX_OK && list->kind == AX_JSON_ARRAY)
        m->told->list[kind] = list;
    return m->told->list[kind];
}

static int count_of(ax_model *m, ax_told_kind kind)
{
    const ax_json *list = ax_told_list(m, kind);

    return list != NULL ? list->count : 0;
}

/* Line i, with `fields` fields of which the one before the numbers is text. */
static ax_status line_at(ax_model *m, ax_told_kind kind, int i, int fields, const ax_json **out, ax_error *err)
{
    const ax_json *list = ax_told_list(m, kind);
    int name = kind == AX_TOLD_COEFFICIENTS;

    if (list == NULL || i < 0 || i >= list->count)
        return ax_fail(err, AX_ERR_UNKNOWN, "the model has no such line");
    *out = list->item[i];
    if ((*out)->kind != AX_JSON_ARRAY || (*out)->count != fields || (*out)->item[name]->kind != AX_JSON_STRING)
        return ax_fail(err, AX_ERR_CORRUPT, "the model's metadata is damaged");
    return AX_OK;
}

static double number_of(const ax_json *v)
{
    return v->kind == AX_JSON_NUMBER ? v->number : NAN;
}

int ax_model_coefficient_count(ax_model *m)
{
    return count_of(m, AX_TOLD_COEFFICIENTS);
}

ax_status ax_model_coefficient_at(ax_model *m, int i, ax_coefficient *out, ax_error *err)
{
    const ax_json *line = NULL;

    AX_TRY(line_at(m, AX_TOLD_COEFFICIENTS, i, 6, &line, err));
    *out = (ax_coefficient) {
        .label = line->item[0]->kind == AX_JSON_STRING ? line->item[0]->string : NULL,
        .feature = line->item[1]->string,
        .value = number_of(line->item[2]),
        .std_error = number_of(line->item[3]),
        .z = number_of(line->item[4]),
        .p_value = number_of(line->item[5]),
    };
    return AX_OK;
}

int ax_model_importance_count(ax_model *m)
{
    return count_of(m, AX_TOLD_IMPORTANCE);
}

ax_status ax_model_importance_at(ax_model *m, int i, ax_importance *out, ax_error *err)
{
    const ax_json *line = NULL;

    AX_TRY(line_at(m, AX_TOLD_IMPORTANCE, i, 3, &line, err));
    *out = (ax_importance) {
        .feature = line->item[0]->string,
        .gain = number_of(line->item[1]),
        .count = (int64_t) AX_MAX(number_of(line->item[2]), 0),
    };
    return AX_OK;
}
