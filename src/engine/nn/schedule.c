/*
 * schedule.c: one row of a table per schedule; the formulas stand in schedule.h.
 */
#include "nn/schedule.h"

#include <math.h>
#include <stdio.h>

#include "table/setting.h"

enum { CONSTANT = 1 << 0, STEP = 1 << 1, EXPONENTIAL = 1 << 2, COSINE = 1 << 3, PLATEAU = 1 << 4 };

typedef struct ax_schedule_kind {
    const char *name, *alias;
    unsigned bit;
    double (*rate)(const ax_schedule *s, int64_t step, int64_t epoch);
} kind_row;

#define AT(member) offsetof(ax_schedule, member)
#define RATED (CONSTANT | STEP | EXPONENTIAL | COSINE | PLATEAU)

static const ax_setting setting_table[] = {
    {"initial_learning_rate", AX_SETTING_NUMBER, RATED, AT(initial_learning_rate), AX_AT_LEAST(0)},
    {"learning_rate", AX_SETTING_NUMBER, RATED, AT(initial_learning_rate), AX_AT_LEAST(0)},
    {"step_size", AX_SETTING_INTEGER, STEP, AT(step_size), AX_AT_LEAST(1)},
    {"factor", AX_SETTING_NUMBER, STEP | PLATEAU, AT(factor), AX_WITHIN(0, 1)},
    {"decay_steps", AX_SETTING_INTEGER, EXPONENTIAL | COSINE, AT(decay_steps), AX_AT_LEAST(1)},
    {"decay_rate", AX_SETTING_NUMBER, EXPONENTIAL, AT(decay_rate), AX_MORE_THAN(0)},
    {"staircase", AX_SETTING_BOOLEAN, EXPONENTIAL, AT(staircase), AX_ANY},
    {"alpha", AX_SETTING_NUMBER, COSINE, AT(alpha), AX_WITHIN(0, 1)},
    {"warmup_steps", AX_SETTING_INTEGER, COSINE, AT(warmup_steps), AX_AT_LEAST(0)},
    {"warmup_target", AX_SETTING_NUMBER, COSINE, AT(warmup_target), AX_AT_LEAST(0)},
    {"monitor", AX_SETTING_TEXT, PLATEAU, AT(monitor), AX_ANY},
    {"patience", AX_SETTING_INTEGER, PLATEAU, AT(patience), AX_AT_LEAST(0)},
    {"mode", AX_SETTING_TEXT, PLATEAU, AT(mode), AX_ANY},
    {"min_delta", AX_SETTING_NUMBER, PLATEAU, AT(min_delta), AX_AT_LEAST(0)},
    {"cooldown", AX_SETTING_INTEGER, PLATEAU, AT(cooldown), AX_AT_LEAST(0)},
    {"min_lr", AX_SETTING_NUMBER, PLATEAU, AT(min_lr), AX_AT_LEAST(0)},
    {"name", AX_SETTING_IGNORED, RATED, 0, AX_ANY},
    {"verbose", AX_SETTING_IGNORED, PLATEAU, 0, AX_ANY},
};

/* ---- rates ----------------------------------------------------------------------------------- */

static double constant_rate(const ax_schedule *s, int64_t step, int64_t epoch)
{
    return s->initial_learning_rate;
}

static double step_rate(const ax_schedule *s, int64_t step, int64_t epoch)
{
    return s->initial_learning_rate * pow(s->factor, (double) (epoch / s->step_size));
}

static double exponential_rate(const ax_schedule *s, int64_t step, int64_t epoch)
{
    double p = (double) step / (double) s->decay_steps;

    return s->initial_learning_rate * pow(s->decay_rate, s->staircase ? floor(p) : p);
}

static double cosine_rate(const ax_schedule *s, int64_t step, int64_t epoch)
{
    double done, from = s->initial_learning_rate;

    if (step < s->warmup_steps)
        return from + (s->warmup_target - from) * (double) step / (double) s->warmup_steps;
    done = (double) AX_MIN(step - s->warmup_steps, s->decay_steps) / (double) s->decay_steps;
    return s->warmup_target * (s->alpha + (1 - s->alpha) * 0.5 * (1 + cos(M_PI * done)));
}

static double plateau_rate(const ax_schedule *s, int64_t step, int64_t epoch)
{
    return s->rate;
}

static const kind_row kind_table[] = {
    {"constant", "constant", CONSTANT, constant_rate},
    {"step", "StepDecay", STEP, step_rate},
    {"exponential", "ExponentialDecay", EXPONENTIAL, exponential_rate},
    {"cosine", "CosineDecay", COSINE, cosine_rate},
    {"reduce_on_plateau", "ReduceLROnPlateau", PLATEAU, plateau_rate},
};

double ax_schedule_rate(const ax_schedule *s, int64_t step, int64_t epoch)
{
    return s->kind->rate(s, step, epoch);
}

/* ---- reading --------------------------------------------------------------------------------- */

static ax_status find_kind(const char *name, const kind_row **out, ax_error *err)
{
    const char *known[AX_COUNT(kind_table)];

    for (int i = 0; i < AX_COUNT(kind_table); i++) {
        known[i] = kind_table[i].name;
        if (ax_same_name(name, kind_table[i].name) || ax_same_name(name, kind_table[i].alias)) {
            *out = &kind_table[i];
            return AX_OK;
        }
    }
    ax_fail(err, AX_ERR_UNKNOWN, "learning rate schedule \"%s\" does not exist", name);
    ax_hint_names(err, name, known, AX_COUNT(known));
    return AX_ERR_UNKNOWN;
}

/* Fills what was left out from the training it is for. */
static void settle(ax_schedule *s, const ax_schedule_spec *spec)
{
    bool own_rate = !isnan(s->initial_learning_rate);

    if (!own_rate)
        s->initial_learning_rate = spec->learning_rate;
    s->rate = s->initial_learning_rate;
    if (s->kind->bit == COSINE && isnan(s->warmup_target)) {
        s->warmup_target = s->initial_learning_rate;
        if (s->warmup_steps > 0)
            s->initial_learning_rate = 0;
    }
    if (s->decay_steps == 0 && s->kind->bit == EXPONENTIAL)
        s->decay_steps = AX_MAX(spec->steps, 1);
    if (s->decay_steps == 0)
        s->decay_steps = AX_MAX(spec->steps * spec->epochs - s->warmup_steps, 1);
}

/* Defaults that one struct member has differently in two schedules are set by kind. */
static ax_schedule defaults(const kind_row *kind)
{
    return (ax_schedule) {.kind = kind,
                          .initial_learning_rate = NAN,
                          .decay_rate = 0.96,
                          .warmup_target = NAN,
                          .factor = kind->bit == STEP ? 0.5 : 0.1,
                          .step_size = 10,
                          .patience = 10,
                          .min_delta = 1e-4};
}

ax_status ax_schedule_read(const ax_schedule_spec *spec, ax_schedule *out, ax_error *err)
{
    const kind_row *kind;
    const char *name = "constant";
    const ax_json *config = NULL;
    ax_schedule s;
    char what[64];

    if (spec->choice != NULL)
        AX_TRY(ax_named_config(spec->choice, "the learning rate schedule", &name, &config, err));
    AX_TRY(find_kind(name, &kind, err));
    s = defaults(kind);
    snprintf(what, sizeof(what), "schedule \"%s\"", kind->name);
    AX_TRY(ax_settings_read(setting_table, AX_COUNT(setting_table), kind->bit, what, config, &s,
                            err));
    settle(&s, spec);
    if (kind->bit == PLATEAU)
        AX_TRY(ax_watch_open(spec->metrics, spec->has_valid, what,
                             s.monitor != NULL ? s.monitor : spec->monitor, s.mode, s.min_delta,
                             &s.watch, err));
    *out = s;
    return AX_OK;
}

void ax_schedule_epoch(ax_schedule *s, const double *train, const double *valid)
{
    if (s->kind->bit != PLATEAU)
        return;
    if (s->cooling > 0) {
        s->cooling--;
        s->wait = 0;
    }
    if (ax_watch_update(&s->watch, ax_watch_value(&s->watch, train, valid))) {
        s->wait = 0;
        return;
    }
    if (s->cooling > 0 || ++s->wait < s->patience)
        return;
    s->rate = AX_MIN(s->rate, AX_MAX(s->rate * s->factor, s->min_lr));
    s->cooling = s->cooldown;
    s->wait = 0;
}
