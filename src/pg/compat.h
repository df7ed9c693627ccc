/*
 * compat.h: what differs between PostgreSQL 15 and 18.
 *
 * Every PG_VERSION_NUM of the glue stands here. A difference gets a name that says what is meant;
 * the rest of the code uses the name.
 */
#ifndef AIAAS_COMPAT_H
#define AIAAS_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "aiaas needs PostgreSQL 15 or later"
#endif

/* VARDATA and its family left postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "fmgr.h"

/* The mark of a function that does not return, behind its declaration. */
#ifndef pg_attribute_noreturn
#define pg_attribute_noreturn() __attribute__((noreturn))
#endif

/* What the server and pg_get_loaded_modules() learn about the library. */
#if PG_VERSION_NUM >= 180000
#define AIAAS_MODULE_MAGIC(library_version)                                                        \
    PG_MODULE_MAGIC_EXT(.name = "aiaas", .version = library_version)
#else
#define AIAAS_MODULE_MAGIC(library_version) PG_MODULE_MAGIC
#endif

#endif /* AIAAS_COMPAT_H */
