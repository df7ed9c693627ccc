/*
 * init.c: what happens when the server loads the library.
 *
 * Settings are defined, and the threads that OpenBLAS has started by itself are ended: they would take
 * PostgreSQL's signals. No thread is made and no matrix product run (the library may be loaded in the
 * postmaster, and what starts a thread there is lost at the first fork).
 */
#include "postgres.h"

#include "ax.h"
#include "compat.h"
#include "guc.h"

AIAAS_MODULE_MAGIC("0.1");

extern void _PG_init(void);

void _PG_init(void)
{
    ax_engine_init();
    aiaas_guc_init();
}
