/*
 * limit.h: aiaas.max_memory, the memory that one training may take.
 *
 * It is asked three times, each before the next large piece is allocated: by every row that is read, by every
 * allocation of the network's weights, and by the plan of the training. Errors: ERRCODE_CONFIGURATION_LIMIT_EXCEEDED
 * (53400), as for temp_file_limit.
 */
#ifndef AIAAS_LIMIT_H
#define AIAAS_LIMIT_H

#include "postgres.h"

#include "ax.h"

/* The limit in bytes; SIZE_MAX when there is none. */
extern Size aiaas_limit(void);

/* Refuses any training of a session that tried to begin with a limit of its own. */
extern void aiaas_limit_begin(void);

/* Refuses a training whose rows, all in the context, are too many already. */
extern void aiaas_limit_rows(const char *model, MemoryContext context);

/* Refuses a training because of the weights of its network. */
extern void aiaas_limit_weights(const char *model) pg_attribute_noreturn();

/* Refuses a training of another algorithm while it works. */
extern void aiaas_limit_fit(const char *model) pg_attribute_noreturn();

/* Refuses a training that is planned to take too much; tells the plan at DEBUG1. batch: rows of one. */
extern void aiaas_limit_training(const char *model, const ax_train_memory *m, int64 batch);

/* "640 kB" or "183 MB", rounded up. */
extern char *aiaas_limit_bytes(Size bytes);

#endif /* AIAAS_LIMIT_H */
