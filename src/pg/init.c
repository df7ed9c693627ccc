/*
 * init.c: what happens when the server loads the library.
 *
 * Settings are defined and nothing else: no thread, no matrix product (the library may be loaded in
 * the postmaster, and what starts a thread there is lost at the first fork), no memory.
 */
#include "postgres.h"

#include "compat.h"
#include "guc.h"

AIAAS_MODULE_MAGIC("0.1");

extern void _PG_init(void);

void _PG_init(void)
{
    aiaas_guc_init();
}
