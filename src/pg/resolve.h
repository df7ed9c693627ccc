/*
 * resolve.h: which version a name stands for, remembered for as long as it cannot change.
 */
#ifndef AIAAS_RESOLVE_H
#define AIAAS_RESOLVE_H

#include "postgres.h"

#include "catalog.h"

/* What one call site remembers; zeros are a good start. Lives in fn_extra. */
typedef struct AiaasResolved {
    bool valid;
    uint64 epoch;
    Oid user;
    TransactionId xmin, xmax;
    uint32 xcnt;
    int32 subxcnt;
    bool suboverflowed;
    CommandId curcid;
    Size len; /* of the model's text */
    char text[AIAAS_NAME_MAX + 16];
    AiaasVersionRef ref;
} AiaasResolved;

/* As aiaas_resolve, but asks the catalog only when the answer may differ from the remembered one. */
extern const AiaasVersionRef *aiaas_resolve_again(AiaasResolved *r, const char *text, Size len,
                                                  AiaasPrivilege privilege);

#endif /* AIAAS_RESOLVE_H */
