/*
 * feature.h: what a model remembers of the query it was trained on.
 *
 * The list of feature columns in the query's order, and the target. It is stored twice, both times as
 * JSON: whole in the model's metadata ("aiaas.features"), from where every prediction takes it, and the
 * columns alone in aiaas.version.features, for people to read:
 *
 *     {"columns": [{"name": "age", "type": "integer", "width": 1},
 *                  {"name": "job", "type": "text", "width": 1, "kind": "category"},
 *                  {"name": "at", "type": "date", "width": 7, "kind": "time", "origin": 762652800000000},
 *                  {"name": "id", "type": "uuid", "width": 1, "kind": "category", "left_out": true}, ...],
 *      "target": "label", "target_type": "text"}
 *
 * Without "kind" it follows from the type: a number, an array of numbers or bytes. "origin" is what a time's age counts
 * from, in microseconds since 2000-01-01 UTC. What is left out needs not be there when the model is asked. A model
 * that learned without a target has "" there.
 */
#ifndef AIAAS_FEATURE_H
#define AIAAS_FEATURE_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "datum.h"
#include "moment.h"

typedef struct AiaasFeature {
    char *name;
    char *type;     /* SQL type below domains: "integer", "real[]", "bytea" */
    AiaasKind kind;
    int64 width;   /* elements; 1 for a number or a category */
    int64 offset;  /* of its first element in a row */
    Oid moment;    /* AIAAS_TIME: its type */
    int64 origin;  /* AIAAS_TIME: or AIAAS_NO_ORIGIN */
    bool left_out; /* the model does not use it */

    /* of the rows that were read; not in the JSON */
    AiaasCategories *categories; /* AIAAS_TEXT, of a new model */
    int64 nulls, nans, infinite; /* rows that hold one */
    bool ragged;                 /* arrays of several lengths, for aiaas_describe */
} AiaasFeature;

typedef struct AiaasFeatures {
    int count;
    AiaasFeature *column;
    int64 width; /* elements of a row */
    bool bytes;  /* rows are uint8: there is one column, of bytea */
    bool plain;  /* all columns are numbers, or arrays of them */
    bool missing; /* of a new model: values may be missing in its rows (AiaasColumns) */
    char *target;
    char *target_type;
} AiaasFeatures;

/* Sets offsets and the row's width from the columns' widths. */
extern void aiaas_features_layout(AiaasFeatures *f);

/* Makes the feature's place in a row missing. */
extern void aiaas_feature_missing(const AiaasFeature *f, float *row);

/* The JSON above; columns_only: just the list. */
extern char *aiaas_features_json(const AiaasFeatures *f, bool columns_only);

/*
 * Reads the JSON back into CurrentMemoryContext. Metadata that is missing or not of this form: XX001.
 */
extern AiaasFeatures *aiaas_features_parse(const char *json);

/* Reads a JSON list of strings (a model's labels); *count of them. XX001 when it is not one. */
extern char **aiaas_labels_parse(const char *json, int *count);
extern char *aiaas_labels_json(const char *const *labels, int count);

/* Text for a model and out of one: ONNX strings are UTF-8, whatever the database's encoding is. */
extern const char *aiaas_to_model(const char *text);
extern const char *aiaas_from_model(const char *text); /* NULL stays NULL */

/* "age integer, image real[3072]": for messages and hints. Long lists are cut. */
extern char *aiaas_features_describe(const AiaasFeatures *f);

/* The name among n that is nearest to `name`, NULL when none is near. */
extern const char *aiaas_nearest_name(const char *name, const char *const *names, int n);

#endif /* AIAAS_FEATURE_H */
