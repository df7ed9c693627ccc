/*
 * json.h: a small JSON reader (RFC 8259) for layer lists and options.
 *
 * The text is hostile: depth at most AX_JSON_DEPTH, values at most AX_JSON_VALUES, every string checked
 * for escapes and for UTF-8 surrogates. Values live in the arena that was given. Numbers are kept as
 * double and, when written without fraction and exponent and in range, as int64 too.
 */
#ifndef AX_JSON_H
#define AX_JSON_H

#include "base/base.h"

#define AX_JSON_DEPTH 64
#define AX_JSON_VALUES 1000000

typedef enum ax_json_kind {
    AX_JSON_NULL,
    AX_JSON_BOOL,
    AX_JSON_NUMBER,
    AX_JSON_STRING,
    AX_JSON_ARRAY,
    AX_JSON_OBJECT
} ax_json_kind;

typedef struct ax_json ax_json;
struct ax_json {
    ax_json_kind kind;
    bool boolean;
    bool is_integer;    /* NUMBER: integer is exact */
    int64_t integer;
    double number;
    const char *string; /* STRING: '\0'-terminated, embedded zero bytes are refused */
    int count;          /* ARRAY, OBJECT: number of members */
    ax_json **item;     /* ARRAY, OBJECT: values */
    const char **key;   /* OBJECT: names, in the order written; duplicates are refused */
};

/* len bytes of UTF-8. AX_ERR_INVALID says at which byte. */
ax_status ax_json_parse(ax_arena *a, const char *text, size_t len, ax_json **out, ax_error *err);

/* The member of an object by name, NULL when absent (or when v is not an object). */
const ax_json *ax_json_get(const ax_json *v, const char *key);
const char *ax_json_kind_name(ax_json_kind kind); /* "a number", "an array", ... */

#endif /* AX_JSON_H */
