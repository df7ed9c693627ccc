/*
 * optimizer.c: one row of a table per optimizer.
 *
 * g: gradient, p: parameter, r: learning rate of this step, t: number of this step from 1. Formulas
 * are Keras 3's; where papers and other libraries differ, it is in where epsilon stands.
 *
 *     all       p -= p * weight_decay * r, first
 *     sgd       m = momentum m - r g;  p += m          nesterov: p += momentum m - r g
 *     rmsprop   v = rho v + (1 - rho) g^2;  d = v;  centered: a = rho a + (1 - rho) g, d = v - a^2
 *               u = r g / sqrt(d + epsilon);  m = momentum m + u;  p -= m
 *     adagrad   v += g^2;  p -= r g / sqrt(v + epsilon)    v starts at initial_accumulator_value
 *     adam      m += (1 - b1) (g - m);  v += (1 - b2) (g^2 - v);  amsgrad: v = max of all v so far
 *               p -= r sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)
 *     adamw     adam, with weight_decay 0.004 unless given
 *     nadam     u_t = b1 (1 - 0.96^t / 2), U_t = u_1 ... u_t;  m, v as adam
 *               p -= r (u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t))
 *                    / (sqrt(v / (1 - b2^t)) + epsilon)
 */
#include "nn/optimizer.h"

#include <math.h>
#include <stdio.h>

#include "table/setting.h"

typedef void (*begin_fn)(ax_optimizer *o, double rate);
enum {
    SGD = 1 << 0,
    RMSPROP = 1 << 1,
    ADAGRAD = 1 << 2,
    ADAM = 1 << 3,
    ADAMW = 1 << 4,
    NADAM = 1 << 5,
    ADAMS = ADAM | ADAMW | NADAM,
    ALL = SGD | RMSPROP | ADAGRAD | ADAMS
};

typedef struct ax_optimizer_kind {
    const char *name;
    unsigned bit;
    double learning_rate, weight_decay; /* defaults that differ */
    begin_fn begin;
    size_t update; /* place of the kernel in ax_kernels */
} kind_row;

/* ---- settings -------------------------------------------------------------------------------- */

#define AT(member) offsetof(ax_optimizer_settings, member)

static const ax_setting setting_table[] = {
    {"learning_rate", AX_SETTING_JSON, ALL, AT(rate), AX_ANY},
    {"weight_decay", AX_SETTING_NUMBER, ALL, AT(weight_decay), AX_AT_LEAST(0)},
    {"clipnorm", AX_SETTING_NUMBER, ALL, AT(clipnorm), AX_MORE_THAN(0)},
    {"clipvalue", AX_SETTING_NUMBER, ALL, AT(clipvalue), AX_MORE_THAN(0)},
    {"global_clipnorm", AX_SETTING_NUMBER, ALL, AT(global_clipnorm), AX_MORE_THAN(0)},
    {"momentum", AX_SETTING_NUMBER, SGD | RMSPROP, AT(momentum), AX_SHARE},
    {"nesterov", AX_SETTING_BOOLEAN, SGD, AT(nesterov), AX_ANY},
    {"rho", AX_SETTING_NUMBER, RMSPROP, AT(rho), AX_SHARE},
    {"centered", AX_SETTING_BOOLEAN, RMSPROP, AT(centered), AX_ANY},
    {"initial_accumulator_value", AX_SETTING_NUMBER, ADAGRAD, AT(initial_accumulator_value),
     AX_AT_LEAST(0)},
    {"beta_1", AX_SETTING_NUMBER, ADAMS, AT(beta_1), AX_SHARE},
    {"beta_2", AX_SETTING_NUMBER, ADAMS, AT(beta_2), AX_SHARE},
    {"amsgrad", AX_SETTING_BOOLEAN, ADAM | ADAMW, AT(amsgrad), AX_ANY},
    {"epsilon", AX_SETTING_NUMBER, ALL & ~SGD, AT(epsilon), AX_MORE_THAN(0)},
    {"name", AX_SETTING_UNUSED, ALL, 0, AX_ANY},
    {"use_ema", AX_SETTING_UNUSED, ALL, 0, AX_ANY},
    {"loss_scale_factor", AX_SETTING_UNUSED, ALL, 0, AX_ANY},
    {"gradient_accumulation_steps", AX_SETTING_UNUSED, ALL, 0, AX_ANY},
    {"ema_momentum", AX_SETTING_IGNORED, ALL, 0, AX_ANY},
    {"ema_overwrite_frequency", AX_SETTING_IGNORED, ALL, 0, AX_ANY},
};

static const ax_setting rate_setting = {"learning_rate", AX_SETTING_NUMBER, ALL, AT(learning_rate),
                                        AX_AT_LEAST(0)};

/* learning_rate is a number, or an object that says how the rate changes. */
static ax_status settle_rate(const char *what, ax_optimizer_settings *set, ax_error *err)
{
    const ax_json *v = set->rate;

    set->schedule = NULL;
    if (v == NULL)
        return AX_OK;
    if (v->kind == AX_JSON_OBJECT) {
        set->schedule = v;
        return AX_OK;
    }
    return ax_setting_put(&rate_setting, what, v, set, err);
}

/* A plain option that the optimizer does not have would silently change nothing: it is refused. */
static ax_status read_plain(const ax_options *o, ax_optimizer_settings *out, ax_error *err)
{
    for (int i = 0; i < AX_COUNT(setting_table); i++) {
        const ax_setting *s = &setting_table[i];
        const ax_json *v = s->kind >= AX_SETTING_UNUSED ? NULL : ax_options_json(o, s->name);

        if (v == NULL || v->kind == AX_JSON_NULL)
            continue;
        if ((s->who & out->kind->bit) == 0)
            return ax_fail(err, AX_ERR_INVALID, "optimizer \"%s\" has no %s", out->kind->name,
                           s->name);
        AX_TRY(ax_setting_put(s, "option", v, out, err));
    }
    return AX_OK;
}

static ax_status check_clipping(const ax_optimizer_settings *s, ax_error *err)
{
    if ((s->clipnorm > 0) + (s->clipvalue > 0) + (s->global_clipnorm > 0) <= 1)
        return AX_OK;
    return ax_fail(err, AX_ERR_INVALID,
                   "only one of clipnorm, clipvalue and global_clipnorm can be set");
}

/* ---- the steps ------------------------------------------------------------------------------- */

static void begin_plain(ax_optimizer *o, double rate)
{
}

static void begin_adam(ax_optimizer *o, double rate)
{
    const ax_optimizer_settings *s = &o->set;
    double t = (double) o->step;

    o->now.step = (float) (rate * sqrt(1 - pow(s->beta_2, t)) / (1 - pow(s->beta_1, t)));
}

static void begin_nadam(ax_optimizer *o, double rate)
{
    double t = (double) o->step, b1 = o->set.beta_1;
    double u = b1 * (1 - 0.5 * pow(0.96, t)), u_next = b1 * (1 - 0.5 * pow(0.96, t + 1));

    o->momentum_product *= u;
    o->now.of_m = (float) (rate * u_next / (1 - o->momentum_product * u_next));
    o->now.of_g = (float) (rate * (1 - u) / (1 - o->momentum_product));
    o->now.rectify = (float) (1 / (1 - pow(o->set.beta_2, t)));
}

#define KERNEL(name) offsetof(ax_kernels, name)

static const kind_row kind_table[] = {
    {"sgd", SGD, 0.01, 0, begin_plain, KERNEL(sgd)},
    {"rmsprop", RMSPROP, 0.001, 0, begin_plain, KERNEL(rmsprop)},
    {"adagrad", ADAGRAD, 0.001, 0, begin_plain, KERNEL(adagrad)},
    {"adam", ADAM, 0.001, 0, begin_adam, KERNEL(adam)},
    {"adamw", ADAMW, 0.001, 0.004, begin_adam, KERNEL(adam)},
    {"nadam", NADAM, 0.001, 0, begin_nadam, KERNEL(nadam)},
};

/* ---- what the outside calls ------------------------------------------------------------------ */

static ax_status find_kind(const char *name, const kind_row **out, ax_error *err)
{
    const char *known[AX_COUNT(kind_table)];

    for (int i = 0; i < AX_COUNT(kind_table); i++) {
        known[i] = kind_table[i].name;
        if (ax_same_name(name, known[i])) {
            *out = &kind_table[i];
            return AX_OK;
        }
    }
    ax_fail(err, AX_ERR_UNKNOWN, "optimizer \"%s\" does not exist", name);
    ax_hint_names(err, name, known, AX_COUNT(known));
    return AX_ERR_UNKNOWN;
}

ax_status ax_optimizer_read(const ax_json *choice, const ax_options *o, ax_optimizer_settings *out,
                            ax_error *err)
{
    ax_optimizer_settings set = {.rho = 0.9,
                                 .beta_1 = 0.9,
                                 .beta_2 = 0.999,
                                 .epsilon = 1e-7,
                                 .initial_accumulator_value = 0.1};
    const char *name = "adam";
    const ax_json *config = NULL;
    char what[64];

    if (choice != NULL)
        AX_TRY(ax_named_config(choice, "option \"optimizer\"", &name, &config, err));
    AX_TRY(find_kind(name, &set.kind, err));
    set.learning_rate = set.kind->learning_rate;
    set.weight_decay = set.kind->weight_decay;
    snprintf(what, sizeof(what), "optimizer \"%s\"", set.kind->name);
    AX_TRY(ax_settings_read(setting_table, AX_COUNT(setting_table), set.kind->bit, what, config,
                            &set, err));
    if (o != NULL)
        AX_TRY(read_plain(o, &set, err));
    AX_TRY(settle_rate(what, &set, err));
    AX_TRY(check_clipping(&set, err));
    *out = set;
    return AX_OK;
}

const char *ax_optimizer_name(const ax_optimizer_settings *s)
{
    return s->kind->name;
}

/* Which of the slots this optimizer uses, as bits. */
static unsigned slots_of(const ax_optimizer_settings *s)
{
    unsigned bit = s->kind->bit;

    if (bit == SGD)
        return s->momentum > 0 ? 1 : 0;
    if (bit == RMSPROP)
        return 1 | (s->momentum > 0 ? 2 : 0) | (s->centered ? 4 : 0);
    if (bit == ADAGRAD)
        return 1;
    return 3 | (s->amsgrad ? 4 : 0);
}

static ax_update_fn update_of(const ax_optimizer_settings *s)
{
    const ax_kernels *k = ax_kernels_get();

    if (s->kind->bit == SGD && s->momentum > 0)
        return s->nesterov ? k->nesterov : k->momentum;
    if (s->amsgrad)
        return k->amsgrad;
    return *(const ax_update_fn *) ((const char *) k + s->kind->update);
}

size_t ax_optimizer_memory(const ax_optimizer_settings *set, int64_t n)
{
    size_t bytes = ax_sum_alloc(0, 1, sizeof(ax_optimizer));

    for (int i = 0; i < AX_OPTIMIZER_SLOTS; i++)
        if ((slots_of(set) >> i & 1) != 0)
            bytes = ax_sum_alloc(bytes, (size_t) n, sizeof(float));
    return bytes;
}

ax_status ax_optimizer_create(const ax_env *env, const ax_optimizer_settings *set, int64_t n,
                              ax_optimizer **out, ax_error *err)
{
    ax_optimizer *o = ax_zalloc(env, sizeof(*o));
    size_t bytes;

    if (o == NULL)
        return ax_nomem(err);
    o->env = *env;
    o->set = *set;
    o->n = n;
    o->momentum_product = 1;
    for (int i = 0; i < AX_OPTIMIZER_SLOTS; i++) {
        if ((slots_of(set) >> i & 1) == 0)
            continue;
        if (ax_mul_size((size_t) n, sizeof(float), &bytes))
            o->slot[i] = ax_zalloc(env, bytes);
        if (o->slot[i] == NULL) {
            ax_optimizer_free(o);
            return ax_nomem(err);
        }
    }
    for (int64_t i = 0; set->kind->bit == ADAGRAD && i < n; i++)
        o->slot[0][i] = (float) set->initial_accumulator_value;
    *out = o;
    return AX_OK;
}

void ax_optimizer_begin(ax_optimizer *o, double rate)
{
    o->step++;
    o->now = (ax_update) {.rate = (float) rate,
                          .decay = (float) (rate * o->set.weight_decay),
                          .momentum = (float) o->set.momentum,
                          .rho = (float) o->set.rho,
                          .beta1 = (float) o->set.beta_1,
                          .beta2 = (float) o->set.beta_2,
                          .epsilon = (float) o->set.epsilon};
    o->set.kind->begin(o, rate);
}

void ax_optimizer_range(const ax_optimizer *o, int64_t from, int64_t to, const float *grad,
                        float *param)
{
    float *slot[AX_OPTIMIZER_SLOTS];

    for (int i = 0; i < AX_OPTIMIZER_SLOTS; i++)
        slot[i] = o->slot[i] != NULL ? o->slot[i] + from : NULL;
    update_of(&o->set)(to - from, &o->now, grad, slot, param + from);
}

void ax_optimizer_free(ax_optimizer *o)
{
    ax_env env;

    if (o == NULL)
        return;
    env = o->env;
    for (int i = 0; i < AX_OPTIMIZER_SLOTS; i++)
        ax_free(&env, o->slot[i]);
    ax_free(&env, o);
}
