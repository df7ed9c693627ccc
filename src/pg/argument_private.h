/*
 * argument_private.h: what the files of the arguments share: one argument, the row being filled, and how it is filled.
 */
#ifndef AIAAS_ARGUMENT_PRIVATE_H
#define AIAAS_ARGUMENT_PRIVATE_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "argument.h"

typedef enum SourceKind {
    SOURCE_VALUE,   /* number, array, bytea, text or time: what the reader says */
    SOURCE_ROW,     /* composite */
    SOURCE_JSON,    /* json, as text */
    SOURCE_JSONB,
    SOURCE_LITERAL, /* unknown: a C string */
    SOURCE_TEXTS,   /* an array of text */
    SOURCE_OTHER
} SourceKind;

typedef struct Source {
    SourceKind kind;
    Oid type;
    AiaasReader reader;
} Source;

/* A row being filled. */
typedef struct Row {
    const AiaasModel *model;
    float *buffer;
    const void *row;
    bool null; /* a NULL was met */
} Row;

/* ---- argument_value.c ------------------------------------------------------------------------ */

/* An error: the feature cannot be made of this type. */
void aiaas_refuse_type(const AiaasModel *m, const AiaasFeature *f, Oid type);

/* An error: so many of these ("arguments", "elements") are not what the model takes. */
void aiaas_refuse_count(const AiaasModel *m, int64 count, const char *what);

/* An error: the feature's value is no finite number. */
void aiaas_refuse_nonfinite(const AiaasModel *m, const char *feature);

/* An error: the row or JSON object (what) lacks the feature. */
void aiaas_refuse_missing(const AiaasModel *m, const char *what, const char *feature);

/* The name of the feature that a place in the row belongs to. */
const char *aiaas_feature_at(const AiaasModel *m, int64 place);

/* A value for `width` places from `offset` on; width 1 takes numbers too. False when the type is wrong. */
bool aiaas_put_numbers(Row *r, const AiaasReader *reader, Datum value, int64 offset, int64 width, bool whole);

/* A missing value: the place of the column says so, or else the whole answer is NULL. */
void aiaas_put_null(Row *r, const AiaasFeature *f);

/* A category for column i, in the database's encoding. */
void aiaas_put_category(Row *r, int i, const char *text, Size len);

/* The text of a number, boolean, interval or array, as the feature asks for. */
void aiaas_put_literal_number(Row *r, const AiaasFeature *f, const char *text);

/* The text of a literal for column i, read as the column's kind asks for. */
void aiaas_put_literal(Row *r, int i, const char *text);

/* A value that is not NULL for column i; an error when its type is wrong. */
void aiaas_put_column(Row *r, int i, const Source *s, Datum value);

/* ---- argument_json.c ------------------------------------------------------------------------- */

/* A whole row: an object by key, an array by position. */
void aiaas_put_jsonb(Row *r, Jsonb *json);

/* The same from the text of a JSON value. */
void aiaas_put_json_text(Row *r, const char *text);

#endif
