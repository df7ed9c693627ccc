/*
 * acl.c: who may do what with a model.
 *
 * A model has an owner. He, the members of his role (as has_privs_of_role() sees it, so NOINHERIT
 * counts) and superusers may do everything. Everybody else has what rows of aiaas.privilege give to
 * him, to a role whose privileges he has, or to PUBLIC, which is the grantee 0.
 *
 * Roles are stored as regrole, so a dump names them and a restore finds them under other OIDs. The
 * server does not know of these references: DROP ROLE succeeds and leaves an OID that belongs to
 * nobody. Nobody has the privileges of such a role, so a model whose owner is gone is the
 * superusers'.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "catalog.h"
#include "catalog_tables.h"
#include "fn.h"

static const struct {
    const char *name;
    AiaasPrivilege privilege;
} privilege_names[] = {
    {"predict", AIAAS_PREDICT},
    {"train", AIAAS_TRAIN},
    {"read", AIAAS_READ},
    {"all", AIAAS_ANY},
};

int aiaas_privilege_parse(const char *text)
{
    for (size_t i = 0; i < lengthof(privilege_names); i++)
        if (strcmp(privilege_names[i].name, text) == 0)
            return privilege_names[i].privilege;
    return 0;
}

static const char *privilege_name(AiaasPrivilege privilege)
{
    for (size_t i = 0; i < lengthof(privilege_names); i++)
        if (privilege_names[i].privilege & privilege)
            return privilege_names[i].name;
    return "all";
}

static bool is_granted(int64 model_id, Oid role, AiaasPrivilege privilege)
{
    AiaasScan scan;
    ScanKeyData key;
    HeapTuple tuple;
    bool found = false;

    ScanKeyInit(&key, Anum_aiaas_privilege_model, BTEqualStrategyNumber, F_INT8EQ,
                Int64GetDatum(model_id));
    aiaas_scan_begin(&scan, AIAAS_REL_PRIVILEGE, AIAAS_REL_PRIVILEGE_KEY, GetActiveSnapshot(), 1,
                     &key);
    while (!found && (tuple = aiaas_scan_next(&scan)) != NULL) {
        bool isnull;
        Datum name = aiaas_scan_column(&scan, tuple, Anum_aiaas_privilege_privilege, &isnull);
        Oid grantee = DatumGetObjectId(
            aiaas_scan_column(&scan, tuple, Anum_aiaas_privilege_grantee, &isnull));

        if (aiaas_privilege_parse(TextDatumGetCString(name)) & privilege)
            found = !OidIsValid(grantee) || has_privs_of_role(role, grantee);
    }
    aiaas_scan_end(&scan);
    return found;
}

bool aiaas_has_privilege(int64 model_id, Oid owner, Oid role, AiaasPrivilege privilege)
{
    if (superuser_arg(role) || (OidIsValid(owner) && has_privs_of_role(role, owner)))
        return true;
    return (privilege & AIAAS_ANY) != 0 && is_granted(model_id, role, privilege);
}

/* The hint is a statement that the owner can run as it is. */
static char *grant_statement(const char *model, AiaasPrivilege privilege)
{
    return psprintf("SELECT aiaas_grant(%s, %s, '%s')", quote_literal_cstr(model),
                    quote_literal_cstr(GetUserNameFromId(GetUserId(), false)),
                    privilege_name(privilege));
}

void aiaas_deny(const char *model, Oid owner, AiaasPrivilege privilege)
{
    char *owner_name = GetUserNameFromId(owner, true);

    if ((privilege & AIAAS_ANY) == 0)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("must be owner of model \"%s\"", model),
                        owner_name ? errdetail("The model belongs to role \"%s\".", owner_name)
                                   : errdetail("The role that the model belonged to is gone.")));
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied for model \"%s\"", model),
                    errdetail("It takes the privilege \"%s\".", privilege_name(privilege)),
                    owner_name ? errhint("Ask the role \"%s\" to run: %s", owner_name,
                                         grant_statement(model, privilege))
                               : errhint("Ask a superuser to run: %s",
                                         grant_statement(model, privilege))));
}

/* SQL: aiaas.has_privilege(model bigint, privilege text), for the current user. */
PG_FUNCTION_INFO_V1(aiaas_sql_has_privilege);
Datum aiaas_sql_has_privilege(PG_FUNCTION_ARGS)
{
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
    int privilege = aiaas_privilege_parse(name);
    AiaasModelRow row;

    if (strcmp(name, "any") == 0)
        privilege = AIAAS_ANY;
    else if (strcmp(name, "own") == 0)
        privilege = AIAAS_OWN;
    else if (privilege == 0 || strcmp(name, "all") == 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown privilege \"%s\"", name),
                 errhint("Use predict, train, read, own or any.")));
    PG_RETURN_BOOL(aiaas_model_find_by_id(PG_GETARG_INT64(0), &row) &&
                   aiaas_has_privilege(row.id, row.owner, GetUserId(), privilege));
}
