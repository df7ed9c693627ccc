/*
 * stopping.c: see stopping.h. Each epoch that is not better than the best makes the wait longer;
 * when it reaches the patience, training stops. The first epoch never stops it.
 */
#include "nn/stopping.h"

#include <math.h>

#include "table/setting.h"

#define WHAT "option \"early_stopping\""
#define DEFAULT_PATIENCE 3 /* of `true`; an object has Keras's 0 */

/* ---- snapshots ------------------------------------------------------------------------------- */

static bool is_kept(const ax_value *v)
{
    return v->role == AX_VALUE_WEIGHT && !v->trainable && v->type == AX_FLOAT;
}

/* Copies the model's changing bytes out (to a snapshot) or in. */
static void copy_weights(const ax_graph *g, uint8_t *bytes, bool in)
{
    size_t n = (size_t) g->n_param * sizeof(float);

    if (n > 0)
        memcpy(in ? (void *) g->param : bytes, in ? bytes : (void *) g->param, n);
    bytes += n;
    for (int i = 0; i < g->n_values; i++) {
        const ax_value *v = &g->value[i];

        if (!is_kept(v))
            continue;
        n = ax_tensor_bytes(v->type, &v->shape);
        if (n > 0)
            memcpy(in ? v->data : bytes, in ? bytes : v->data, n);
        bytes += n;
    }
}

static size_t changing_bytes(const ax_graph *g)
{
    size_t size = (size_t) g->n_param * sizeof(float);

    for (int i = 0; i < g->n_values; i++)
        if (is_kept(&g->value[i]))
            size += ax_tensor_bytes(g->value[i].type, &g->value[i].shape);
    return size;
}

size_t ax_snapshot_memory(const ax_graph *g)
{
    return ax_sum_alloc(0, 1, changing_bytes(g));
}

ax_status ax_snapshot_open(const ax_env *env, const ax_graph *g, ax_snapshot *out, ax_error *err)
{
    size_t size = changing_bytes(g);
    uint8_t *bytes = ax_alloc(env, size);

    if (bytes == NULL)
        return ax_nomem(err);
    *out = (ax_snapshot) {.env = *env, .bytes = bytes, .size = size};
    return AX_OK;
}

void ax_snapshot_take(ax_snapshot *s, const ax_graph *g)
{
    copy_weights(g, s->bytes, false);
    s->taken = true;
}

void ax_snapshot_restore(const ax_snapshot *s, ax_graph *g)
{
    if (s->taken)
        copy_weights(g, s->bytes, true);
}

void ax_snapshot_close(ax_snapshot *s)
{
    if (s->bytes != NULL)
        ax_free(&s->env, s->bytes);
    *s = (ax_snapshot) {.bytes = NULL};
}

/* ---- early stopping -------------------------------------------------------------------------- */

#define AT(member) offsetof(ax_stopping, member)

static const ax_setting setting_table[] = {
    {"monitor", AX_SETTING_TEXT, 1, AT(monitor), AX_ANY},
    {"min_delta", AX_SETTING_NUMBER, 1, AT(min_delta), AX_ANY},
    {"patience", AX_SETTING_INTEGER, 1, AT(patience), AX_AT_LEAST(0)},
    {"mode", AX_SETTING_TEXT, 1, AT(mode), AX_ANY},
    {"baseline", AX_SETTING_NUMBER, 1, AT(baseline), AX_ANY},
    {"restore_best_weights", AX_SETTING_BOOLEAN, 1, AT(restore_best_weights), AX_ANY},
    {"start_from_epoch", AX_SETTING_INTEGER, 1, AT(start_from_epoch), AX_AT_LEAST(0)},
    {"verbose", AX_SETTING_IGNORED, 1, 0, AX_ANY},
};

static const ax_setting *patience_setting(void)
{
    return ax_setting_find(setting_table, AX_COUNT(setting_table), 1, "patience");
}

static ax_status read_value(const ax_json *v, ax_stopping *s, ax_error *err)
{
    if (v == NULL || v->kind == AX_JSON_NULL || (v->kind == AX_JSON_BOOL && !v->boolean))
        return AX_OK;
    s->enabled = true;
    if (v->kind == AX_JSON_OBJECT)
        return ax_settings_read(setting_table, AX_COUNT(setting_table), 1, WHAT, v, s, err);
    s->restore_best_weights = true;
    s->patience = DEFAULT_PATIENCE;
    if (v->kind == AX_JSON_BOOL)
        return AX_OK;
    return ax_setting_put(patience_setting(), WHAT, v, s, err);
}

ax_status ax_stopping_read(const ax_json *v, const ax_metrics *metrics, bool has_valid,
                           ax_stopping *out, ax_error *err)
{
    ax_stopping s = {.baseline = NAN};

    AX_TRY(read_value(v, &s, err));
    AX_TRY(ax_watch_open(metrics, has_valid, WHAT, s.monitor, s.mode, s.min_delta, &s.watch, err));
    *out = s;
    return AX_OK;
}

unsigned ax_stopping_epoch(ax_stopping *s, int epoch, const double *train, const double *valid)
{
    double value = ax_watch_value(&s->watch, train, valid);
    unsigned verdict = 0;
    bool better;

    if (s->enabled && epoch <= s->start_from_epoch)
        return 0;
    s->wait++;
    better = ax_watch_update(&s->watch, value);
    /* Even if no epoch ever counts as better (NaN), the first is the one to go back to. */
    if (better || s->best_epoch == 0) {
        s->best_epoch = epoch;
        verdict = AX_VERDICT_BEST;
    }
    if (better && (isnan(s->baseline) || ax_watch_better(&s->watch, value, s->baseline)))
        s->wait = 0;
    if (better)
        return verdict;
    if (s->enabled && s->wait >= s->patience && epoch > 1)
        verdict |= AX_VERDICT_STOP;
    return verdict;
}
