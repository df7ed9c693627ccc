/*
 * catalog_tables.c: finding the tables of schema aiaas, and scanning them.
 *
 * The OIDs are looked up by name once per backend and forgotten when any of the relations, or any
 * schema, changes: DROP EXTENSION, ALTER TABLE and REINDEX CONCURRENTLY (which gives an index a new
 * OID) all send such a message. A name alone proves nothing, since anybody who may create a schema
 * in a database without the extension could build look-alikes of these tables: every table has to
 * be a member of the extension.
 *
 * Scans open the table first and ask for the index's OID then. Taking the lock on the table
 * processes pending invalidations, and REINDEX CONCURRENTLY drops the old index only after it has
 * waited for the lock holders of the table, so the OID that is found under the lock stays good.
 *
 * Scan keys on text use the collation "C" (that is what ScanKeyInit sets), as the columns do.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "catalog_tables.h"

static const char *const relation_name[AIAAS_REL_COUNT] = {
    [AIAAS_REL_MODEL] = "model",
    [AIAAS_REL_PRIVILEGE] = "privilege",
    [AIAAS_REL_VERSION] = "version",
    [AIAAS_REL_WEIGHT] = "weight",
    [AIAAS_REL_METRIC] = "metric",
    [AIAAS_REL_DEPLOYMENT] = "deployment",
    [AIAAS_REL_MODEL_BY_ID] = "model_pkey",
    [AIAAS_REL_MODEL_BY_NAME] = "model_name_key",
    [AIAAS_REL_PRIVILEGE_KEY] = "privilege_pkey",
    [AIAAS_REL_VERSION_BY_ID] = "version_pkey",
    [AIAAS_REL_VERSION_KEY] = "version_model_number_key",
    [AIAAS_REL_WEIGHT_KEY] = "weight_pkey",
    [AIAAS_REL_METRIC_KEY] = "metric_pkey",
};

static bool known = false; /* are the OIDs below good for another call? */
static uint64 changes = 0; /* invalidations seen so far */
static Oid relation_oid[AIAAS_REL_COUNT];
static Oid catalog_owner;

static void forget_relation(Datum arg, Oid relid)
{
    changes++;
    if (!OidIsValid(relid))
        known = false;
    for (int i = 0; known && i < AIAAS_REL_COUNT; i++)
        if (relation_oid[i] == relid)
            known = false;
}

static void forget_all(Datum arg, int cacheid, uint32 hashvalue)
{
    changes++;
    known = false;
}

/* Callbacks cannot be taken back, so they are registered once per backend. */
static void listen(void)
{
    static bool listening = false;

    if (listening)
        return;
    CacheRegisterRelcacheCallback(forget_relation, (Datum)0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, forget_all, (Datum)0);
    listening = true;
}

static void fail_not_created(void)
{
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("extension \"aiaas\" is not created in this database"),
                    errhint("Run CREATE EXTENSION aiaas.")));
}

static void find_relations(void)
{
    Oid extension = get_extension_oid("aiaas", true);
    Oid schema = get_namespace_oid("aiaas", true);
    Oid found[AIAAS_REL_COUNT];
    HeapTuple tuple;

    if (!OidIsValid(extension) || !OidIsValid(schema))
        fail_not_created();
    for (int i = 0; i < AIAAS_REL_COUNT; i++) {
        found[i] = get_relname_relid(relation_name[i], schema);
        if (!OidIsValid(found[i]) ||
            (i < AIAAS_REL_TABLES &&
             getExtensionOfObject(RelationRelationId, found[i]) != extension))
            ereport(ERROR,
                    (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                     errmsg("\"aiaas.%s\" is missing or not part of extension \"aiaas\"",
                            relation_name[i]),
                     errhint("Check the versions of the library and of the extension: run ALTER "
                             "EXTENSION aiaas UPDATE.")));
    }

    tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(found[AIAAS_REL_MODEL]));
    if (!HeapTupleIsValid(tuple))
        fail_not_created();
    catalog_owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    memcpy(relation_oid, found, sizeof(found));
}

/*
 * What was looked up while an invalidation arrived is used this once and not kept: the invalidation
 * may or may not concern it.
 */
static void ensure_known(void)
{
    uint64 before = changes;

    if (known)
        return;
    listen();
    find_relations();
    known = changes == before;
}

Oid aiaas_relation_oid(AiaasRelation which)
{
    ensure_known();
    return relation_oid[which];
}

Oid aiaas_catalog_owner(void)
{
    ensure_known();
    return catalog_owner;
}

void aiaas_scan_begin(AiaasScan *scan, AiaasRelation table, AiaasRelation index, Snapshot snapshot,
                      int nkeys, ScanKey keys)
{
    scan->table = table_open(aiaas_relation_oid(table), AccessShareLock);
    scan->index = index_open(aiaas_relation_oid(index), AccessShareLock);
    scan->descriptor = systable_beginscan_ordered(scan->table, scan->index, snapshot, nkeys, keys);
}

HeapTuple aiaas_scan_next(AiaasScan *scan)
{
    return systable_getnext_ordered(scan->descriptor, ForwardScanDirection);
}

Datum aiaas_scan_column(AiaasScan *scan, HeapTuple tuple, int column, bool *isnull)
{
    return heap_getattr(tuple, column, RelationGetDescr(scan->table), isnull);
}

void aiaas_scan_end(AiaasScan *scan)
{
    systable_endscan_ordered(scan->descriptor);
    index_close(scan->index, NoLock);
    table_close(scan->table, NoLock);
}
