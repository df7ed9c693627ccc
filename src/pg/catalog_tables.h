/*
 * catalog_tables.h: the tables of schema aiaas as C sees them: which relation, which column.
 *
 * The column numbers are those of sql/aiaas--0.1.sql. Update scripts append columns and never drop
 * or reorder any, so the numbers hold in every version.
 */
#ifndef AIAAS_CATALOG_TABLES_H
#define AIAAS_CATALOG_TABLES_H

#include "postgres.h"

#include "access/genam.h"
#include "access/htup.h"
#include "access/skey.h"
#include "utils/relcache.h"

/* A table, or one of the indexes that C looks rows up with. */
typedef enum AiaasRelation {
    AIAAS_REL_MODEL,
    AIAAS_REL_PRIVILEGE,
    AIAAS_REL_VERSION,
    AIAAS_REL_WEIGHT,
    AIAAS_REL_METRIC,
    AIAAS_REL_DEPLOYMENT,
    AIAAS_REL_MODEL_BY_ID,   /* (id) */
    AIAAS_REL_MODEL_BY_NAME, /* (name) */
    AIAAS_REL_PRIVILEGE_KEY, /* (model, grantee, privilege) */
    AIAAS_REL_VERSION_BY_ID, /* (id) */
    AIAAS_REL_VERSION_KEY,   /* (model, number) */
    AIAAS_REL_WEIGHT_KEY,    /* (version, tensor, chunk) */
    AIAAS_REL_METRIC_KEY     /* (version, split, epoch, name) */
} AiaasRelation;

#define AIAAS_REL_TABLES (AIAAS_REL_DEPLOYMENT + 1)
#define AIAAS_REL_COUNT  (AIAAS_REL_METRIC_KEY + 1)

enum {
    Anum_aiaas_model_id = 1,
    Anum_aiaas_model_name,
    Anum_aiaas_model_owner,
    Anum_aiaas_model_live,
    Anum_aiaas_model_last_version,
    Anum_aiaas_model_created
};

enum {
    Anum_aiaas_privilege_model = 1,
    Anum_aiaas_privilege_grantee,
    Anum_aiaas_privilege_privilege,
    Anum_aiaas_privilege_grantor
};

enum {
    Anum_aiaas_version_id = 1,
    Anum_aiaas_version_model,
    Anum_aiaas_version_number,
    Anum_aiaas_version_uuid,
    Anum_aiaas_version_status,
    Anum_aiaas_version_task,
    Anum_aiaas_version_algorithm,
    Anum_aiaas_version_layers,
    Anum_aiaas_version_options,
    Anum_aiaas_version_features,
    Anum_aiaas_version_labels,
    Anum_aiaas_version_label_type,
    Anum_aiaas_version_query,
    Anum_aiaas_version_target,
    Anum_aiaas_version_rows,
    Anum_aiaas_version_parameters,
    Anum_aiaas_version_epochs,
    Anum_aiaas_version_seed,
    Anum_aiaas_version_data_hash,
    Anum_aiaas_version_engine_version,
    Anum_aiaas_version_trained_by,
    Anum_aiaas_version_trained_at,
    Anum_aiaas_version_seconds,
    Anum_aiaas_version_graph,
    Anum_aiaas_version_graph_crc
};

enum {
    Anum_aiaas_weight_version = 1,
    Anum_aiaas_weight_tensor,
    Anum_aiaas_weight_chunk,
    Anum_aiaas_weight_data,
    Anum_aiaas_weight_crc
};

enum {
    Anum_aiaas_metric_version = 1,
    Anum_aiaas_metric_split,
    Anum_aiaas_metric_epoch,
    Anum_aiaas_metric_name,
    Anum_aiaas_metric_value
};

/* The OID of a relation of the catalog. Error 55000 when the extension is not created in this
 * database. */
extern Oid aiaas_relation_oid(AiaasRelation which);

/* The role that owns the catalog: writes are done in its name. */
extern Oid aiaas_catalog_owner(void);

/*
 * A forward scan over the rows that match the keys, in the order of the index. Rights are not
 * looked at, nothing is written, the table is locked as a SELECT locks it until the end of the
 * transaction.
 *
 *     AiaasScan scan;
 *     ScanKeyData key;
 *
 *     ScanKeyInit(&key, Anum_aiaas_..., BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
 *     aiaas_scan_begin(&scan, AIAAS_REL_WEIGHT, AIAAS_REL_WEIGHT_KEY, snapshot, 1, &key);
 *     while ((tuple = aiaas_scan_next(&scan)) != NULL)
 *         ... aiaas_scan_column(&scan, tuple, Anum_aiaas_..., &isnull) ...
 *     aiaas_scan_end(&scan);
 *
 * A tuple is good until the next call. snapshot: the active one on the path of prediction.
 */
typedef struct AiaasScan {
    Relation table;
    Relation index;
    SysScanDesc descriptor;
} AiaasScan;

extern void aiaas_scan_begin(AiaasScan *scan, AiaasRelation table, AiaasRelation index,
                             Snapshot snapshot, int nkeys, ScanKey keys);
extern HeapTuple aiaas_scan_next(AiaasScan *scan);
extern Datum aiaas_scan_column(AiaasScan *scan, HeapTuple tuple, int column, bool *isnull);
extern void aiaas_scan_end(AiaasScan *scan);

#endif /* AIAAS_CATALOG_TABLES_H */
