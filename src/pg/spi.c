/*
 * spi.c: statements that run in the name of the catalog's owner. See spi.h.
 *
 * SECURITY_LOCAL_USERID_CHANGE keeps SET ROLE and the like from undoing the switch of the user, as
 * it does for a SECURITY DEFINER function. The triggers that delete the parts of a model run under
 * the same switch.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "catalog_tables.h"
#include "spi.h"

#define MAX_ARGS 32

void aiaas_owner_begin(AiaasOwnerScope *scope)
{
    Oid owner = aiaas_catalog_owner();

    GetUserIdAndSecContext(&scope->user, &scope->security);
    SetUserIdAndSecContext(owner, scope->security | SECURITY_LOCAL_USERID_CHANGE);
    scope->guc_level = NewGUCNestLevel();
    (void)set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
                            GUC_ACTION_SAVE, true, 0, false);
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "SPI_connect failed");
}

void aiaas_owner_end(AiaasOwnerScope *scope)
{
    SPI_finish();
    AtEOXact_GUC(true, scope->guc_level);
    SetUserIdAndSecContext(scope->user, scope->security);
}

uint64 aiaas_owner_run(const char *sql, int nargs, const Oid *types, const Datum *values,
                       const bool *nulls)
{
    char null_flag[MAX_ARGS] = {0};
    int code;

    Assert(nargs <= MAX_ARGS);
    for (int i = 0; i < nargs; i++)
        null_flag[i] = nulls != NULL && nulls[i] ? 'n' : ' ';
    code = SPI_execute_with_args(sql, nargs, unconstify(Oid *, types), unconstify(Datum *, values),
                                 null_flag, false, 0);
    if (code < 0)
        elog(ERROR, "SPI_execute_with_args returned %s", SPI_result_code_string(code));
    return SPI_processed;
}

static Datum first_row(int column, bool *isnull)
{
    Assert(SPI_processed > 0);
    return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, isnull);
}

int64 aiaas_owner_int64(int column)
{
    bool isnull;
    Datum value = first_row(column, &isnull);

    return isnull ? 0 : DatumGetInt64(value);
}

int32 aiaas_owner_int32(int column)
{
    bool isnull;
    Datum value = first_row(column, &isnull);

    return isnull ? 0 : DatumGetInt32(value);
}
