/*
 * setting.h: a JSON object of named settings, read into a struct by a table.
 *
 * Optimizers, schedules and callbacks each come with a config such as {"learning_rate": 0.01}. What
 * they know is one table of ax_setting rows: the name, the kind, where it goes and its range. A row
 * says who has it by a bit, so that one table serves a family (every optimizer, every schedule).
 */
#ifndef AX_SETTING_H
#define AX_SETTING_H

#include "table/options.h"

typedef enum ax_setting_kind {
    AX_SETTING_NUMBER,  /* double, finite */
    AX_SETTING_INTEGER, /* int64_t */
    AX_SETTING_BOOLEAN, /* bool */
    AX_SETTING_TEXT,    /* const char *: the JSON's own string */
    AX_SETTING_JSON,    /* const ax_json *: checked by who uses it */
    AX_SETTING_UNUSED,  /* one of Keras's that changes nothing unless it is switched on, which is
                           refused: null, false and text are accepted */
    AX_SETTING_IGNORED  /* one of Keras's that means nothing by itself */
} ax_setting_kind;

/* Ranges. */
#define AX_ANY {0, 0, 0}
#define AX_AT_LEAST(low) {AX_FROM, low, 0}
#define AX_MORE_THAN(low) {AX_ABOVE, low, 0}
#define AX_WITHIN(low, high) {AX_FROM | AX_TO, low, high}
#define AX_SHARE {AX_FROM | AX_BELOW, 0, 1} /* at least 0 and less than 1 */

#define AX_SETTING_MAX 64 /* rows in one table */

typedef struct ax_setting {
    const char *name;
    ax_setting_kind kind;
    unsigned who;     /* bits: who has this setting */
    size_t offset;    /* within the struct that is filled */
    ax_range range;   /* NUMBER, INTEGER */
} ax_setting;

/*
 * Reads every member of config (an object; NULL or null is empty) into the struct at out. A member
 * that is null leaves the default. what opens the messages: "optimizer \"adam\"". AX_ERR_UNKNOWN
 * for a name that `who` does not have, with the nearest one; AX_ERR_INVALID for a wrong type or a
 * value out of range.
 */
ax_status ax_settings_read(const ax_setting *table, int n, unsigned who, const char *what,
                           const ax_json *config, void *out, ax_error *err);
/* One setting from one value. */
ax_status ax_setting_put(const ax_setting *s, const char *what, const ax_json *v, void *out,
                         ax_error *err);
const ax_setting *ax_setting_find(const ax_setting *table, int n, unsigned who, const char *name);

/* Equal but for ASCII case and '_': "ExponentialDecay" is "exponential_decay". */
bool ax_same_name(const char *a, const char *b);
/* Adds to err the hint "Did you mean ...?", or when nothing is near, the list of what there is. */
void ax_hint_names(ax_error *err, const char *name, const char *const *known, int n);

#endif /* AX_SETTING_H */
