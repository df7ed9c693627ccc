/*
 * catalog_write.c: models and versions, made and changed.
 *
 * Writing is done with SQL in the name of the tables' owner (spi.h), after the check of the
 * caller's rights.
 *
 * Checks before a write read with a fresh snapshot: the one that is active was taken when the
 * calling statement began, and would neither see a model that the same statement has just made nor
 * a privilege that was revoked a moment ago. In a transaction with one snapshot (repeatable read),
 * a model that somebody else changed since is a serialization error, as for any UPDATE.
 *
 * A training that takes hours must not block a rollback for hours, so it only holds a key share
 * lock until its version gets its number. In a transaction with one snapshot it takes the full lock
 * at once: a promotion in between would make the whole training fail at its very end.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "ax.h"
#include "catalog.h"
#include "compat.h"
#include "spi.h"
#include "store.h"

/* ---- before a write -------------------------------------------------------------------------- */

void aiaas_require_write(const char *command)
{
    if (RecoveryInProgress())
        ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                        errmsg("cannot execute %s during recovery", command),
                        errhint("This server is a standby, which predicts and does not write: run "
                                "it on the primary.")));
    if (XactReadOnly)
        ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                        errmsg("cannot execute %s in a read-only transaction", command),
                        errhint("Begin the transaction with READ WRITE.")));
    PreventCommandIfParallelMode(command);
}

/* For commands about a whole model, or that take the version as an argument of its own. */
static char *parse_bare_name(const char *text)
{
    char *name;
    int32 number;

    aiaas_parse_model_name(text, &name, &number);
    if (number != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a model's name without a version is needed here, not \"%s\"", text),
                        errhint("Write \"%s\".", name)));
    return name;
}

/* With a fresh snapshot: is there such a model? Raises 42501 when there is and the privilege is
 * missing. */
static bool check_model(const char *name, AiaasPrivilege privilege, AiaasModelRow *row)
{
    bool found;

    PushActiveSnapshot(GetTransactionSnapshot());
    found = aiaas_model_find(name, row);
    if (found && !aiaas_has_privilege(row->id, row->owner, GetUserId(), privilege))
        aiaas_deny(name, row->owner, privilege);
    PopActiveSnapshot();
    return found;
}

/* Locks the model's row, which may just have gone, and reads what may just have changed. */
static bool lock_row(int64 model_id, bool key_share, int32 *live)
{
    static const Oid types[] = {INT8OID};
    Datum values[] = {Int64GetDatum(model_id)};
    AiaasOwnerScope scope;
    bool found;

    aiaas_owner_begin(&scope);
    found =
        aiaas_owner_run(key_share ? "SELECT live FROM aiaas.model WHERE id = $1 FOR KEY SHARE"
                                  : "SELECT live FROM aiaas.model WHERE id = $1 FOR NO KEY UPDATE",
                        1, types, values, NULL) > 0;
    if (found)
        *live = aiaas_owner_int32(1);
    aiaas_owner_end(&scope);
    return found;
}

void aiaas_model_lock(const char *text, AiaasPrivilege privilege, const char *command,
                      AiaasModelRow *row)
{
    char *name = parse_bare_name(text);

    aiaas_require_write(command);
    if (!check_model(name, privilege, row) || !lock_row(row->id, false, &row->live))
        aiaas_fail_unknown_model(name);
}

/* False when another session has made a model of the name; then it is there now, or will not be. */
static bool create_model(const char *name, int64 *id)
{
    static const Oid types[] = {TEXTOID, REGROLEOID};
    Datum values[] = {CStringGetTextDatum(name), ObjectIdGetDatum(GetUserId())};
    AiaasOwnerScope scope;
    bool made;

    aiaas_owner_begin(&scope);
    made = aiaas_owner_run("INSERT INTO aiaas.model (name, owner) VALUES ($1, $2) "
                           "ON CONFLICT (name) DO NOTHING RETURNING id",
                           2, types, values, NULL) > 0;
    if (made)
        *id = aiaas_owner_int64(1);
    aiaas_owner_end(&scope);
    return made;
}

int64 aiaas_model_for_training(const char *text)
{
    char *name = parse_bare_name(text);
    AiaasModelRow row;

    if (RecoveryInProgress())
        ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                        errmsg("cannot train model \"%s\" during recovery", name),
                        errdetail("This server is a standby: it predicts, and cannot write a new "
                                  "version."),
                        errhint("Train on the primary. The new version arrives here by "
                                "replication.")));
    aiaas_require_write("aiaas_train()");
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        if (!check_model(name, AIAAS_TRAIN, &row)) {
            if (create_model(name, &row.id))
                return row.id;
        } else if (lock_row(row.id, !IsolationUsesXactSnapshot(), &row.live)) {
            return row.id;
        }
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Gives out the model's next number, which locks its row until the end of the transaction. */
static void next_version(int64 model_id, AiaasVersionRef *ref)
{
    static const Oid types[] = {INT8OID};
    Datum values[] = {Int64GetDatum(model_id)};
    HeapTuple row;
    bool isnull;

    if (aiaas_owner_run("UPDATE aiaas.model SET last_version = last_version + 1 WHERE id = $1 "
                        "RETURNING last_version, live, owner, name",
                        1, types, values, NULL) == 0)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("the model was dropped while it was trained")));
    row = SPI_tuptable->vals[0];
    ref->model_id = model_id;
    ref->number = aiaas_owner_int32(1);
    ref->live = aiaas_owner_int32(2);
    ref->owner = DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull));
    strlcpy(ref->name, SPI_getvalue(row, SPI_tuptable->tupdesc, 4), sizeof(ref->name));
}

/* The parameters of one INSERT, collected column by column. */
typedef struct Parameters {
    int count;
    Oid type[24];
    Datum value[24];
    bool isnull[24];
} Parameters;

static void add(Parameters *p, Oid type, Datum value, bool isnull)
{
    Assert(p->count < (int)lengthof(p->type));
    p->type[p->count] = type;
    p->value[p->count] = value;
    p->isnull[p->count++] = isnull;
}

static void add_text(Parameters *p, const char *value)
{
    add(p, TEXTOID, value ? CStringGetTextDatum(value) : (Datum)0, value == NULL);
}

static void add_jsonb(Parameters *p, Jsonb *value)
{
    add(p, JSONBOID, value ? JsonbPGetDatum(value) : (Datum)0, value == NULL);
}

static void add_int64(Parameters *p, int64 value)
{
    add(p, INT8OID, Int64GetDatum(value), false);
}

static void insert_version(const AiaasNewVersion *v, bytea *graph, Oid trained_by,
                           AiaasVersionRef *ref)
{
    Parameters p = {0};
    bool isnull;

    add_int64(&p, v->model_id);
    add(&p, INT4OID, Int32GetDatum(ref->number), false);
    add_text(&p, v->task);
    add_text(&p, v->algorithm);
    add_jsonb(&p, v->layers);
    add_jsonb(&p, v->options);
    add_jsonb(&p, v->features);
    add_jsonb(&p, v->labels);
    add_text(&p, v->label_type);
    add_text(&p, v->query);
    add_text(&p, v->target);
    add_int64(&p, v->rows);
    add_int64(&p, v->parameters);
    add(&p, INT4OID, Int32GetDatum(v->epochs), false);
    add_int64(&p, v->seed);
    add_text(&p, v->data_hash);
    add_text(&p, ax_engine_version());
    add(&p, REGROLEOID, ObjectIdGetDatum(trained_by), false);
    add(&p, FLOAT8OID, Float8GetDatum(v->seconds), false);
    add(&p, BYTEAOID, PointerGetDatum(graph), false);
    add_int64(&p, aiaas_store_crc(VARDATA(graph), VARSIZE(graph) - VARHDRSZ));

    aiaas_owner_run("INSERT INTO aiaas.version (model, number, task, algorithm, layers, options, "
                    "features, labels, label_type, query, target, rows, parameters, epochs, seed, "
                    "data_hash, engine_version, trained_by, seconds, graph, graph_crc) "
                    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
                    "$16, $17, $18, $19, $20, $21) RETURNING id, uuid",
                    p.count, p.type, p.value, p.isnull);
    ref->version_id = aiaas_owner_int64(1);
    ref->uuid =
        *DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
}

void aiaas_version_insert(const AiaasNewVersion *v, struct ax_model *model, AiaasVersionRef *ref)
{
    AiaasOwnerScope scope;
    bytea *graph = aiaas_store_encode(model, false);

    memset(ref, 0, sizeof(*ref));
    aiaas_owner_begin(&scope);
    next_version(v->model_id, ref);
    insert_version(v, graph, scope.user, ref);
    aiaas_owner_end(&scope);
    pfree(graph);
    aiaas_store_weights(ref->version_id, model);
}

void aiaas_metric_insert(int64 version_id, const char *split, int32 epoch, const char *name,
                         double value)
{
    static const Oid types[] = {INT8OID, TEXTOID, INT4OID, TEXTOID, FLOAT8OID};
    Datum values[] = {Int64GetDatum(version_id), CStringGetTextDatum(split), Int32GetDatum(epoch),
                      CStringGetTextDatum(name), Float8GetDatum(value)};
    AiaasOwnerScope scope;

    aiaas_owner_begin(&scope);
    aiaas_owner_run("INSERT INTO aiaas.metric (version, split, epoch, name, value) "
                    "VALUES ($1, $2, $3, $4, $5)",
                    lengthof(types), types, values, NULL);
    aiaas_owner_end(&scope);
}

void aiaas_feature_insert(int64 version_id, int32 place, const char *name, const char *type, const char *encoding,
                          const char *left_out, Jsonb *statistics)
{
    AiaasOwnerScope scope;
    Parameters p = {0};

    add_int64(&p, version_id);
    add(&p, INT4OID, Int32GetDatum(place), false);
    add_text(&p, name);
    add_text(&p, type);
    add_text(&p, encoding);
    add_text(&p, left_out);
    add_jsonb(&p, statistics);
    aiaas_owner_begin(&scope);
    aiaas_owner_run("INSERT INTO aiaas.feature (version, place, name, type, encoding, left_out, statistics) "
                    "VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    p.count, p.type, p.value, p.isnull);
    aiaas_owner_end(&scope);
}

bool aiaas_metric_final(int64 version_id, const char *name, double *value)
{
    static const Oid types[] = {INT8OID, TEXTOID};
    Datum values[] = {Int64GetDatum(version_id), CStringGetTextDatum(name)};
    AiaasOwnerScope scope;
    Datum found;
    bool isnull = true;

    /* 'final' < 'train' < 'validation', and the order wanted is final, validation, train. */
    aiaas_owner_begin(&scope);
    if (aiaas_owner_run("SELECT value FROM aiaas.metric WHERE version = $1 AND name = $2 "
                        "ORDER BY split = 'final' DESC, split DESC, epoch DESC LIMIT 1",
                        2, types, values, NULL) > 0) {
        found = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
        if (!isnull)
            *value = DatumGetFloat8(found);
    }
    aiaas_owner_end(&scope);
    return !isnull;
}

void aiaas_make_live(int64 model_id, int32 number, const char *reason)
{
    static const Oid types[] = {INT8OID, INT4OID, TEXTOID, REGROLEOID};
    Datum values[] = {Int64GetDatum(model_id), Int32GetDatum(number), CStringGetTextDatum(reason),
                      ObjectIdGetDatum(GetUserId())};
    AiaasOwnerScope scope;

    aiaas_owner_begin(&scope);
    aiaas_owner_run("UPDATE aiaas.model SET live = $2 WHERE id = $1", 2, types, values, NULL);
    aiaas_owner_run("INSERT INTO aiaas.deployment (model, version, reason, deployed_by) "
                    "VALUES ($1, $2, $3, $4)",
                    4, types, values, NULL);
    aiaas_owner_end(&scope);
}

/*
 * The promotions that were not undone form a stack whose top is the live version. Undoing takes off
 * everything above the newest entry that is another version and still exists.
 */
int32 aiaas_undo_promotion(int64 model_id, int32 live)
{
    static const Oid types[] = {INT8OID, INT8OID};
    Datum values[] = {Int64GetDatum(model_id), Int64GetDatum(live)};
    AiaasOwnerScope scope;
    int32 number = 0;

    aiaas_owner_begin(&scope);
    if (aiaas_owner_run("SELECT d.id, d.version FROM aiaas.deployment d "
                        "JOIN aiaas.version v ON v.model = d.model AND v.number = d.version "
                        "WHERE d.model = $1 AND NOT d.undone AND d.reason <> 'rollback' "
                        "AND d.version <> $2 ORDER BY d.id DESC LIMIT 1",
                        2, types, values, NULL) > 0) {
        number = aiaas_owner_int32(2);
        values[1] = Int64GetDatum(aiaas_owner_int64(1));
        aiaas_owner_run("UPDATE aiaas.deployment SET undone = true WHERE model = $1 AND id > $2 "
                        "AND NOT undone AND reason <> 'rollback'",
                        2, types, values, NULL);
    }
    aiaas_owner_end(&scope);
    return number;
}

int64 aiaas_live_version(int64 model_id)
{
    static const Oid types[] = {INT8OID};
    Datum values[] = {Int64GetDatum(model_id)};
    AiaasOwnerScope scope;
    int64 id = 0;

    aiaas_owner_begin(&scope);
    if (aiaas_owner_run("SELECT v.id FROM aiaas.model m "
                        "JOIN aiaas.version v ON v.model = m.id AND v.number = m.live "
                        "WHERE m.id = $1",
                        1, types, values, NULL) > 0)
        id = aiaas_owner_int64(1);
    aiaas_owner_end(&scope);
    return id;
}
