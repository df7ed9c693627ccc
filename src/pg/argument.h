/*
 * argument.h: the arguments of a prediction become one row of features.
 *
 * The forms that are understood, and what each is matched by, stand at the head of argument.c.
 */
#ifndef AIAAS_ARGUMENT_H
#define AIAAS_ARGUMENT_H

#include "postgres.h"

#include "fmgr.h"

#include "cache.h"

typedef struct AiaasArguments AiaasArguments;

/* Looks at the types of the call's arguments from number `first` on; once a call site, into its fn_mcxt. */
extern AiaasArguments *aiaas_arguments_plan(FunctionCallInfo fcinfo, int first);

/*
 * One row for the model: features->width floats, or bytes for a model of bytes. Lives until the next call or
 * until CurrentMemoryContext is reset. NULL when a feature is NULL: then the answer is NULL too.
 * Errors: 22023 for a number of arguments that does not fit, 42703 for a row or object that lacks a
 * column, 42804 for a type that does not fit, 22003 for NaN and infinities.
 */
extern const void *aiaas_arguments_read(AiaasArguments *a, FunctionCallInfo fcinfo,
                                        const AiaasModel *model);

#endif /* AIAAS_ARGUMENT_H */
