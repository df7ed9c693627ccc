/*
 * options.h: the table of options, for the engine's own use; ax.h has the view of the outside.
 *
 * Also here: how a value that does not fit is spoken of, shared with the layers' configs.
 */
#ifndef AX_OPTIONS_H
#define AX_OPTIONS_H

#include "base/json.h"

/* The JSON value of an option as given, NULL when it was not. Checked against the table already; what is
 * inside an object ({"class_name": "Adam", "config": {...}}) is checked by who uses it. */
const ax_json *ax_options_json(const ax_options *o, const char *name);

/*
 * A thing chosen by name with settings: "adam", {"Adam": {"learning_rate": 0.01}} or {"class_name": "Adam",
 * "config": {...}}. Returns the name and the config object (NULL when none). AX_ERR_INVALID when it is none of
 * these; what names it in the message ("option \"optimizer\"").
 */
ax_status ax_named_config(const ax_json *v, const char *what, const char **name,
                          const ax_json **config, ax_error *err);

/* ---- saying what is wrong: `what` opens each message, e.g. "option \"epochs\"" --------------- */

/* Which ends a range has, and whether they belong to it. */
enum { AX_FROM = 1, AX_ABOVE = 2, AX_TO = 4, AX_BELOW = 8 };

typedef struct ax_range {
    unsigned ends; /* 0: any finite number */
    double low, high;
} ax_range;

/* AX_ERR_INVALID `option "epochs" must be at least 1, not -3`. */
ax_status ax_range_check(const ax_range *r, const char *what, double x, ax_error *err);
/* choices: "valid|same". AX_ERR_INVALID `... must be "valid" or "same", not "sane"`, with the nearest as hint. */
ax_status ax_choice_check(const char *choices, const char *what, const char *text, ax_error *err);
/* AX_ERR_INVALID `option "epochs" must be an integer, not "ten"`. */
ax_status ax_wrong_type(const char *what, const char *wanted, const ax_json *got, ax_error *err);
/* An integer, also when it is written 3.0. */
bool ax_json_integer(const ax_json *v, int64_t *out);

#endif /* AX_OPTIONS_H */
