/*
 * spi.h: statements that run in the name of the catalog's owner.
 *
 *     AiaasOwnerScope scope;
 *
 *     aiaas_owner_begin(&scope);
 *     n = aiaas_owner_run("UPDATE aiaas.model SET live = $2 WHERE id = $1", 2, types, values,
 * NULL); aiaas_owner_end(&scope);
 *
 * Between begin and end the user is the owner of the tables, the search_path is pinned to
 * pg_catalog, and SPI is connected: memory from palloc is freed by aiaas_owner_end, and
 * SPI_tuptable holds the rows of the last statement. Nothing of the user's runs in between:
 * statements are constants of this program, and what the user gave is a parameter.
 *
 * An error needs no clean-up: the abort of the (sub)transaction restores the user, the settings and
 * SPI.
 */
#ifndef AIAAS_SPI_H
#define AIAAS_SPI_H

#include "postgres.h"

typedef struct AiaasOwnerScope {
    Oid user;     /* who called, to be restored; also who is recorded as having done it */
    int security; /* his security context */
    int guc_level;
} AiaasOwnerScope;

extern void aiaas_owner_begin(AiaasOwnerScope *scope);
extern void aiaas_owner_end(AiaasOwnerScope *scope);

/*
 * Runs one statement with a fresh snapshot and returns the number of rows that it processed. nulls
 * is an array of booleans, or NULL when no value is null.
 */
extern uint64 aiaas_owner_run(const char *sql, int nargs, const Oid *types, const Datum *values,
                              const bool *nulls);

/* A column (from 1) of the first row that the last statement returned; bigints and integers only.
 */
extern int64 aiaas_owner_int64(int column);
extern int32 aiaas_owner_int32(int column); /* 0 when null */

#endif /* AIAAS_SPI_H */
