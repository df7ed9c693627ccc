/*
 * fn.h: arguments of functions that SQL calls.
 */
#ifndef AIAAS_FN_H
#define AIAAS_FN_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

/* Raises 22004 when an argument that has to be given is NULL. None of the functions is strict: a
 * NULL model that gave NULL would hide a mistake. */
static inline void aiaas_require_argument(FunctionCallInfo fcinfo, int i, const char *name)
{
    if (PG_ARGISNULL(i))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument \"%s\" must not be null", name)));
}

static inline char *aiaas_text_argument(FunctionCallInfo fcinfo, int i, const char *name)
{
    aiaas_require_argument(fcinfo, i, name);
    return text_to_cstring(PG_GETARG_TEXT_PP(i));
}

static inline int32 aiaas_int_argument(FunctionCallInfo fcinfo, int i, const char *name)
{
    aiaas_require_argument(fcinfo, i, name);
    return PG_GETARG_INT32(i);
}

#endif /* AIAAS_FN_H */
