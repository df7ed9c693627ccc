/*
 * limit.c: see limit.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "guc.h"
#include "limit.h"

#define KB ((Size) 1024)
#define MB (KB * KB)

Size aiaas_limit(void)
{
    return aiaas_max_memory < 0 ? SIZE_MAX : (Size) aiaas_max_memory * KB;
}

char *aiaas_limit_bytes(Size bytes)
{
    if (bytes < 10 * MB)
        return psprintf("%zu kB", bytes / KB + (bytes % KB != 0));
    return psprintf("%zu MB", bytes / MB + (bytes % MB != 0));
}

/* As SHOW has it, with its unit. */
static const char *setting(void)
{
    return GetConfigOptionByName("aiaas.max_memory", NULL, false);
}

void aiaas_limit_begin(void)
{
    if (!aiaas_max_memory_lost || superuser())
        return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied to set parameter \"aiaas.max_memory\""),
                    errdetail("The session set it before aiaas was loaded, so its limit is not known."),
                    errhint("Begin a session that does not set it.")));
}

void aiaas_limit_rows(const char *model, MemoryContext context)
{
    if (aiaas_max_memory < 0 || MemoryContextMemAllocated(context, true) <= aiaas_limit())
        return;
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("the rows to train model \"%s\" need more than the %s of aiaas.max_memory", model,
                           setting()),
                    errhint("Train on fewer rows or fewer features, or have aiaas.max_memory raised.")));
}

void aiaas_limit_weights(const char *model)
{
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("the rows and the weights of model \"%s\" need more than the %s of aiaas.max_memory", model,
                           setting()),
                    errhint("Use a smaller network, or have aiaas.max_memory raised.")));
}

void aiaas_limit_fit(const char *model)
{
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("training model \"%s\" needs more memory than the %s of aiaas.max_memory", model, setting()),
                    errhint("Train on fewer rows or fewer features, or have aiaas.max_memory raised.")));
}

static char *parts(const ax_train_memory *m, int64 batch)
{
    const char *validation =
        m->validation > 0 ? psprintf(", and validation %s", aiaas_limit_bytes(m->validation)) : "";

    return psprintf("A batch of " INT64_FORMAT
                    " takes %s, the rows take %s, the weights and what the optimizer keeps of them %s%s.",
                    batch, aiaas_limit_bytes(m->batch), aiaas_limit_bytes(m->rows), aiaas_limit_bytes(m->weights),
                    validation);
}

void aiaas_limit_training(const char *model, const ax_train_memory *m, int64 batch)
{
    Size limit = aiaas_limit();

    ereport(DEBUG1, (errmsg_internal("training model \"%s\" needs %s of memory", model, aiaas_limit_bytes(m->total)),
                     errdetail_internal("%s", parts(m, batch))));
    if (m->total <= limit)
        return;
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("training model \"%s\" needs %s of memory, but aiaas.max_memory is %s", model,
                           aiaas_limit_bytes(m->total), setting()),
                    errdetail("%s", parts(m, batch)),
                    batch > 1 && m->total - m->batch < limit
                        ? errhint("Use a smaller batch_size, or have aiaas.max_memory raised.")
                        : errhint("Use a smaller network or fewer rows, or have aiaas.max_memory raised.")));
}
