/*
 * guc.h: the settings aiaas.*, as C sees them.
 */
#ifndef AIAAS_GUC_H
#define AIAAS_GUC_H

#include "postgres.h"

extern bool aiaas_progress;       /* aiaas.progress: a NOTICE per epoch */
extern int aiaas_cache_size;      /* aiaas.cache_size: kB of decoded models per session */
extern int aiaas_max_memory;      /* aiaas.max_memory: kB that a training may take, -1: any. See limit.h */
extern bool aiaas_max_memory_lost; /* the session tried to begin with another: what it should be is not known */
extern uint32 aiaas_isa_changes;  /* how often aiaas.isa changed: packed weights follow it */

/* Threads for a training: aiaas.threads, or the machine's processors when that is 0. */
extern int aiaas_training_threads(void);

/* Defines the settings; called once, when the library is loaded. */
extern void aiaas_guc_init(void);

#endif /* AIAAS_GUC_H */
