/*
 * feature.h: what a model remembers of the query it was trained on.
 *
 * The list of feature columns in the query's order, and the target. It is stored twice, both times as
 * JSON: whole in the model's metadata ("aiaas.features"), from where every prediction takes it, and the
 * columns alone in aiaas.version.features, for people to read:
 *
 *     {"columns": [{"name": "age", "type": "integer", "width": 1}, ...],
 *      "target": "label", "target_type": "text"}
 */
#ifndef AIAAS_FEATURE_H
#define AIAAS_FEATURE_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "datum.h"

typedef struct AiaasFeature {
    char *name;
    char *type;     /* SQL type below domains: "integer", "real[]", "bytea" */
    AiaasKind kind; /* follows from the type */
    int64 width;    /* elements; 1 for a number */
    int64 offset;   /* of its first element in a row */
} AiaasFeature;

typedef struct AiaasFeatures {
    int count;
    AiaasFeature *column;
    int64 width; /* elements of a row */
    bool bytes;  /* rows are uint8: there is one column, of bytea */
    char *target;
    char *target_type;
} AiaasFeatures;

/* Sets offsets and the row's width from the columns' widths. */
extern void aiaas_features_layout(AiaasFeatures *f);

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
