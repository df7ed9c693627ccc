/*
 * catalog.h: the tables of schema aiaas, read and written from C.
 *
 * Users cannot write these tables. Every function that writes first checks the caller's rights on
 * the model, then switches to the owner of the extension's tables for the one statement (user id,
 * pinned search_path, SECURITY_LOCAL_USERID_CHANGE) and switches back. Reads on the prediction path
 * use index scans with the active snapshot, write nothing and so work on a hot standby, in a
 * read-only transaction and in a parallel worker.
 *
 * Locks: a training holds a key share lock on the model's row from its start (the model cannot be
 * dropped under it); whoever numbers, deploys or drops a version holds the row FOR NO KEY UPDATE
 * from there to the end of the transaction. So a training of hours blocks no promotion and no
 * grant, version numbers are given out one by one, and a promotion is atomic. Readers take no lock.
 */
#ifndef AIAAS_CATALOG_H
#define AIAAS_CATALOG_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"

/* What a role may do with a model. The owner (and members of the owner's role, and superusers) may
 * do everything, AIAAS_OWN included, which cannot be granted. */
typedef enum AiaasPrivilege {
    AIAAS_PREDICT = 1, /* predict and evaluate */
    AIAAS_TRAIN = 2,   /* train another version */
    AIAAS_READ = 4,    /* read the weights: export */
    AIAAS_OWN = 8      /* deploy, roll back, drop, grant */
} AiaasPrivilege;

/* At least one of those that can be granted: summary, training curve, classes, the views. */
#define AIAAS_ANY ((AiaasPrivilege)(AIAAS_PREDICT | AIAAS_TRAIN | AIAAS_READ))

/* One version of one model, as found under a name. Flat, safe to copy. */
typedef struct AiaasVersionRef {
    int64 model_id;
    int64 version_id;
    int32 number;               /* 1, 2, ... within the model */
    int32 live;                 /* the model's live version number, 0 when none */
    pg_uuid_t uuid;             /* of the version's content: the key of every cache */
    Oid owner;                  /* role, InvalidOid when it is gone */
    char name[NAMEDATALEN * 4]; /* of the model, without @version */
} AiaasVersionRef;

#define AIAAS_NAME_MAX 200 /* bytes in a model's name */

/* ---- names and rights (catalog.c, acl.c) ----------------------------------------------------- */

/*
 * Splits 'name' or 'name@3' (number 0 when there is no @), checks the name's form: 1 to
 * AIAAS_NAME_MAX bytes, no '@', no control character. Errors: 22023 with a hint.
 */
extern void aiaas_parse_model_name(const char *text, char **name, int32 *number);

/*
 * Finds the version that 'name' (the live one) or 'name@3' stands for under the active snapshot and
 * checks that the current user has the privilege. Errors: 42704 for an unknown model or version
 * (hint: the nearest name that the user may see), 55000 when no version is live, 42501 without the
 * privilege (hint: the GRANT to ask for). Never writes, takes no lock.
 */
extern void aiaas_resolve(const char *text, AiaasPrivilege privilege, AiaasVersionRef *ref);

/*
 * Does the role have the privilege (one of several, when they are or-ed together)? Reads the
 * catalog with the active snapshot.
 */
extern bool aiaas_has_privilege(int64 model_id, Oid owner, Oid role, AiaasPrivilege privilege);

/* 'predict', 'train', 'read', or 'all' for the three as a mask; 0 for anything else. */
extern int aiaas_privilege_parse(const char *text);

/* Raises 42501, with the grant to ask the owner for as a hint. */
extern void aiaas_deny(const char *model, Oid owner, AiaasPrivilege privilege)
    pg_attribute_noreturn();

/* A model's row, without its versions. */
typedef struct AiaasModelRow {
    int64 id;
    Oid owner;
    int32 live; /* 0 when none */
} AiaasModelRow;

/* Raise 42704 with a hint. */
extern void aiaas_fail_unknown_model(const char *name) pg_attribute_noreturn();
extern void aiaas_fail_unknown_version(const char *name, int32 number) pg_attribute_noreturn();

/* Finds a model by its name under the active snapshot; rights are not looked at. */
extern bool aiaas_model_find(const char *name, AiaasModelRow *row);
extern bool aiaas_model_find_by_id(int64 model_id, AiaasModelRow *row);

/* A column (Anum_aiaas_version_...) of a version, copied, under the active snapshot. The version
 * must be there: else 42704. */
extern Datum aiaas_version_column(int64 version_id, int column, bool *isnull);

/* ---- writing (catalog_write.c) --------------------------------------------------------------- */

/* Raises 25006 when this transaction cannot write. command: "aiaas_deploy()". */
extern void aiaas_require_write(const char *command);

/*
 * For commands that change a model: finds it by its bare name, checks the privilege, and locks its
 * row until the end of the transaction. Errors: 22023 for 'name@3', 42704, 42501, 25006.
 */
extern void aiaas_model_lock(const char *name, AiaasPrivilege privilege, const char *command,
                             AiaasModelRow *row);

/*
 * The id of the model that is about to be trained; made, and owned by the current user, when there
 * was none. Checks AIAAS_TRAIN when there was one. Until the end of the transaction the model
 * cannot be dropped, and a second session that makes a model of the same name waits. Errors: 22023
 * for 'name@3', 25006 in a read-only transaction or in recovery (says what to do), 42501. Call it
 * before the training starts (fail early).
 */
extern int64 aiaas_model_for_training(const char *name);

/* What aiaas_train knows of a version when it is done. */
typedef struct AiaasNewVersion {
    int64 model_id;
    const char *task;       /* "classification" or "regression" */
    const char *algorithm;  /* "neural_network", "gradient_boosting", ... */
    Jsonb *layers;          /* as given; may be NULL */
    Jsonb *options;         /* as given, {} when none */
    Jsonb *features;        /* [{"name": ..., "type": ..., "width": n}, ...] in the query's order */
    Jsonb *labels;          /* ["airplane", ...] for classes, else NULL */
    const char *label_type; /* SQL type of the target, e.g. "integer"; format_type's spelling */
    const char *query;
    const char *target;
    int64 rows;
    int64 parameters;
    int64 seed;
    int32 epochs;
    double seconds;
    const char *data_hash; /* hex of the rows' hash, may be NULL */
} AiaasNewVersion;

struct ax_model;

/*
 * Writes the version's row (next number, fresh uuid), its graph and weights (store.h). Not live
 * yet. Returns the ids in *ref.
 */
extern void aiaas_version_insert(const AiaasNewVersion *v, struct ax_model *model,
                                 AiaasVersionRef *ref);

/* One row of aiaas.metric; split is "train", "validation", "final", "folds" or "tried"; epoch 0 for the final
 * figures. */
extern void aiaas_metric_insert(int64 version_id, const char *split, int32 epoch, const char *name,
                                double value);

/* One row of aiaas.feature: an element of a column, in its place from 1. left_out may be NULL. */
extern void aiaas_feature_insert(int64 version_id, int32 place, const char *name, const char *type,
                                 const char *encoding, const char *left_out, Jsonb *statistics);

/* The final figure of a version (split "final"; without one the last "validation" figure, else the
 * last "train" figure), false when it has none. Used by deploy => if_better. */
extern bool aiaas_metric_final(int64 version_id, const char *name, double *value);

/* Makes a version live and writes the deployment's history row. reason: "train", "deploy",
 * "rollback". */
extern void aiaas_make_live(int64 model_id, int32 number, const char *reason);

/* The number of the version that was live before the live one, rollbacks and dropped versions
 * passed over, whose later promotions are then marked as undone; 0 when there is none. */
extern int32 aiaas_undo_promotion(int64 model_id, int32 live);

/* The live version's id, 0 when none. */
extern int64 aiaas_live_version(int64 model_id);

#endif /* AIAAS_CATALOG_H */
