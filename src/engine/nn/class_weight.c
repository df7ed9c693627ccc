/*
 * class_weight.c: see class_weight.h.
 */
#include "nn/class_weight.h"

#include <math.h>

#include "nn/labels.h"
#include "table/setting.h"

#define WHAT "option \"class_weight\""

static int find_label(const char *const *label, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(label[i], name) == 0)
            return i;
    return -1;
}

static ax_status read_object(const ax_json *v, const char *const *label, int n, float *weight,
                             ax_error *err)
{
    for (int i = 0; i < n; i++)
        weight[i] = 1;
    for (int i = 0; i < v->count; i++) {
        int class = find_label(label, n, v->key[i]);

        if (class < 0) {
            ax_fail(err, AX_ERR_UNKNOWN, WHAT ": there is no class \"%s\"", v->key[i]);
            ax_hint_names(err, v->key[i], label, n);
            return AX_ERR_UNKNOWN;
        }
        if (v->item[i]->kind != AX_JSON_NUMBER || !isfinite((float) v->item[i]->number) ||
            v->item[i]->number < 0)
            return ax_fail(err, AX_ERR_INVALID,
                           WHAT ": the weight of \"%s\" must be a number that is not negative",
                           v->key[i]);
        weight[class] = (float) v->item[i]->number;
    }
    return AX_OK;
}

static ax_status read_labelled(const ax_env *env, const ax_json *v, const ax_model *m,
                               float *weight, ax_error *err)
{
    ax_arena arena;
    const char **label;
    ax_status status;

    ax_arena_init(&arena, env);
    status = ax_labels_read(&arena, m, &label, err);
    if (status == AX_OK)
        status = read_object(v, label, m->n_classes, weight, err);
    ax_arena_free(&arena);
    return status;
}

/* A class without rows has nothing to weigh. */
static ax_status balance(const ax_env *env, const ax_model *m, const ax_dataset *d,
                         const int64_t *rows, int64_t n, float *weight, ax_error *err)
{
    int64_t *count = ax_zalloc(env, (size_t) m->n_classes * sizeof(*count));

    if (count == NULL)
        return ax_nomem(err);
    for (int64_t i = 0; i < n; i++)
        count[d->classes[rows[i]]]++;
    for (int c = 0; c < m->n_classes; c++)
        weight[c] = count[c] == 0 ? 1
                                  : (float) ((double) n / ((double) m->n_classes *
                                                           (double) count[c]));
    ax_free(env, count);
    return AX_OK;
}

ax_status ax_class_weight_read(const ax_env *env, const ax_json *v, const ax_model *m,
                               const ax_dataset *d, const int64_t *rows, int64_t n, float **out,
                               ax_error *err)
{
    float *weight;
    ax_status status;

    *out = NULL;
    if (v == NULL || v->kind == AX_JSON_NULL)
        return AX_OK;
    if (m->task != AX_TASK_CLASSIFICATION)
        return ax_fail(err, AX_ERR_INVALID, WHAT " needs classes, this is a regression");
    weight = ax_alloc(env, (size_t) m->n_classes * sizeof(*weight));
    if (weight == NULL)
        return ax_nomem(err);
    if (v->kind == AX_JSON_OBJECT)
        status = read_labelled(env, v, m, weight, err);
    else if (v->kind == AX_JSON_STRING && ax_same_name(v->string, "balanced"))
        status = balance(env, m, d, rows, n, weight, err);
    else
        status = ax_fail(err, AX_ERR_INVALID,
                         WHAT " must be \"balanced\" or an object of labels and weights");
    if (status != AX_OK) {
        ax_free(env, weight);
        return status;
    }
    *out = weight;
    return AX_OK;
}
