/*
 * moment.h: a date or a time becomes numbers that a model can learn from.
 *
 * What repeats (month, weekday, hour) becomes a point on a circle, its sine and cosine, so that December is next to
 * January; what goes on (year, age) stays a number. Times with a time zone are taken as they are in UTC, because the
 * answer of a model must not depend on the session's time zone.
 *
 *     date                     year month_sin month_cos day weekday_sin weekday_cos age
 *     timestamp, timestamptz   year month_sin month_cos day weekday_sin weekday_cos hour_sin hour_cos age
 *     time                     hour_sin hour_cos
 *
 * age: years since an origin that is learned once and kept with the model.
 */
#ifndef AIAAS_MOMENT_H
#define AIAAS_MOMENT_H

#include "postgres.h"

#define AIAAS_MOMENT_WIDTH 9             /* at most */
#define AIAAS_NO_ORIGIN    PG_INT64_MIN /* no value was seen yet */

/* How many numbers a value of the type becomes; 0 when it is none of the types above. */
extern int aiaas_moment_width(Oid type);

/* Their names. */
extern const char *const *aiaas_moment_parts(Oid type);

/* The type by the name that format_type gives it; InvalidOid for others. */
extern Oid aiaas_moment_type(const char *name);

/*
 * A value of one type as a value of another: dates and timestamps stand for each other. *micros becomes
 * microseconds since 2000-01-01 UTC, or since midnight. False: infinite, or beyond what a timestamp holds.
 */
extern bool aiaas_moment_read(Oid type, Datum value, int64 *micros);

/* May a value of `type` stand where `wanted` was learned? */
extern bool aiaas_moment_fits(Oid type, Oid wanted);

/* Writes aiaas_moment_width(type) numbers. */
extern void aiaas_moment_write(Oid type, int64 micros, int64 origin, float *out);

/* The text of a value, read as the type's input does. */
extern Datum aiaas_moment_parse(Oid type, const char *text);

#endif /* AIAAS_MOMENT_H */
