/*
 * fn_manage.c: aiaas_deploy, aiaas_rollback, aiaas_drop, aiaas_grant, aiaas_revoke.
 *
 * All of them are the owner's. aiaas_model_lock checks that and takes the model's row, so two of
 * them on one model run one after the other, and what the second one reads is what the first one
 * committed.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "catalog.h"
#include "fn.h"
#include "spi.h"

static void require_version(const AiaasModelRow *model, const char *name, int32 number)
{
    static const Oid types[] = {INT8OID, INT4OID};
    Datum values[] = {Int64GetDatum(model->id), Int32GetDatum(number)};
    AiaasOwnerScope scope;
    bool found;

    aiaas_owner_begin(&scope);
    found = aiaas_owner_run("SELECT 1 FROM aiaas.version WHERE model = $1 AND number = $2", 2,
                            types, values, NULL) > 0;
    aiaas_owner_end(&scope);
    if (!found)
        aiaas_fail_unknown_version(name, number);
}

PG_FUNCTION_INFO_V1(aiaas_deploy);
Datum aiaas_deploy(PG_FUNCTION_ARGS)
{
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    int32 number = aiaas_int_argument(fcinfo, 1, "version");
    AiaasModelRow model;

    aiaas_model_lock(name, AIAAS_OWN, "aiaas_deploy()", &model);
    require_version(&model, name, number);
    if (number != model.live)
        aiaas_make_live(model.id, number, "deploy");
    PG_RETURN_INT32(number);
}

PG_FUNCTION_INFO_V1(aiaas_rollback);
Datum aiaas_rollback(PG_FUNCTION_ARGS)
{
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    AiaasModelRow model;
    int32 number;

    aiaas_model_lock(name, AIAAS_OWN, "aiaas_rollback()", &model);
    number = aiaas_undo_promotion(model.id, model.live);
    if (number == 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("model \"%s\" has no earlier live version to roll back to", name),
                        errhint("The view aiaas.versions lists what aiaas_deploy can make live.")));
    aiaas_make_live(model.id, number, "rollback");
    PG_RETURN_INT32(number);
}

PG_FUNCTION_INFO_V1(aiaas_drop_model);
Datum aiaas_drop_model(PG_FUNCTION_ARGS)
{
    static const Oid types[] = {INT8OID};
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    AiaasModelRow model;
    AiaasOwnerScope scope;
    Datum id;

    aiaas_model_lock(name, AIAAS_OWN, "aiaas_drop()", &model);
    id = Int64GetDatum(model.id);
    aiaas_owner_begin(&scope);
    aiaas_owner_run("DELETE FROM aiaas.model WHERE id = $1", 1, types, &id, NULL);
    aiaas_owner_end(&scope);
    PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(aiaas_drop_version);
Datum aiaas_drop_version(PG_FUNCTION_ARGS)
{
    static const Oid types[] = {INT8OID, INT4OID};
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    int32 number = aiaas_int_argument(fcinfo, 1, "version");
    Datum values[2];
    AiaasModelRow model;
    AiaasOwnerScope scope;
    uint64 dropped;

    aiaas_model_lock(name, AIAAS_OWN, "aiaas_drop()", &model);
    if (model.live != 0 && number == model.live)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_IN_USE),
                 errmsg("version %d of model \"%s\" is live", number, name),
                 errhint("Make another version live first with aiaas_deploy, or drop the whole "
                         "model with aiaas_drop(%s).",
                         quote_literal_cstr(name))));
    values[0] = Int64GetDatum(model.id);
    values[1] = Int32GetDatum(number);
    aiaas_owner_begin(&scope);
    dropped = aiaas_owner_run("DELETE FROM aiaas.version WHERE model = $1 AND number = $2", 2,
                              types, values, NULL);
    aiaas_owner_end(&scope);
    if (dropped == 0)
        aiaas_fail_unknown_version(name, number);
    PG_RETURN_VOID();
}

/* ---- grants ---------------------------------------------------------------------------------- */

/* model, grantee, the list of privileges, grantor: the parameters of both statements below. */
static const Oid grant_types[] = {INT8OID, REGROLEOID, TEXTOID, REGROLEOID};

static void change_grant(FunctionCallInfo fcinfo, const char *command, const char *sql)
{
    char *name = aiaas_text_argument(fcinfo, 0, "model");
    char *role = aiaas_text_argument(fcinfo, 1, "role");
    char *privilege = aiaas_text_argument(fcinfo, 2, "privilege");
    Datum values[lengthof(grant_types)];
    AiaasModelRow model;
    AiaasOwnerScope scope;

    if (aiaas_privilege_parse(privilege) == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("unknown privilege \"%s\"", privilege),
                        errhint("Use predict, train, read or all.")));
    aiaas_model_lock(name, AIAAS_OWN, command, &model);
    /* No role can have this name, and SQL's GRANT understands it so. */
    values[0] = Int64GetDatum(model.id);
    values[1] =
        ObjectIdGetDatum(strcmp(role, "public") == 0 ? InvalidOid : get_role_oid(role, false));
    values[2] = CStringGetTextDatum(privilege);
    values[3] = ObjectIdGetDatum(GetUserId());
    aiaas_owner_begin(&scope);
    aiaas_owner_run(sql, lengthof(grant_types), grant_types, values, NULL);
    aiaas_owner_end(&scope);
}

PG_FUNCTION_INFO_V1(aiaas_grant);
Datum aiaas_grant(PG_FUNCTION_ARGS)
{
    change_grant(fcinfo, "aiaas_grant()",
                 "INSERT INTO aiaas.privilege (model, grantee, privilege, grantor) "
                 "SELECT $1, $2, p, $4 FROM unnest('{predict,train,read}'::text[]) p "
                 "WHERE $3 IN (p, 'all') ON CONFLICT DO NOTHING");
    PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(aiaas_revoke);
Datum aiaas_revoke(PG_FUNCTION_ARGS)
{
    change_grant(fcinfo, "aiaas_revoke()",
                 "DELETE FROM aiaas.privilege WHERE model = $1 AND grantee = $2::oid "
                 "AND $3 IN (privilege, 'all') AND $4::oid IS NOT NULL");
    PG_RETURN_VOID();
}
