/*
 * moment.c: see moment.h.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "moment.h"

#define MICROS_PER_YEAR (365.25 * (double) USECS_PER_DAY)
#define DAYS_MAX        ((int64) (PG_INT64_MAX / USECS_PER_DAY))

static const char *const timestamp_parts[] = {"year",        "month_sin", "month_cos", "day", "weekday_sin",
                                              "weekday_cos", "hour_sin",  "hour_cos",  "age"};
static const char *const date_parts[] = {"year", "month_sin", "month_cos", "day", "weekday_sin", "weekday_cos", "age"};
static const char *const time_parts[] = {"hour_sin", "hour_cos"};

static const struct {
    Oid type;
    const char *name;
    int width;
    const char *const *part;
    PGFunction input;
} moments[] = {
    {DATEOID, "date", lengthof(date_parts), date_parts, date_in},
    {TIMESTAMPOID, "timestamp without time zone", lengthof(timestamp_parts), timestamp_parts, timestamp_in},
    {TIMESTAMPTZOID, "timestamp with time zone", lengthof(timestamp_parts), timestamp_parts, timestamptz_in},
    {TIMEOID, "time without time zone", lengthof(time_parts), time_parts, time_in},
};

static int find(Oid type)
{
    for (int i = 0; i < (int) lengthof(moments); i++)
        if (moments[i].type == type)
            return i;
    return -1;
}

int aiaas_moment_width(Oid type)
{
    int i = find(type);

    return i < 0 ? 0 : moments[i].width;
}

const char *const *aiaas_moment_parts(Oid type)
{
    int i = find(type);

    return i < 0 ? NULL : moments[i].part;
}

Oid aiaas_moment_type(const char *name)
{
    for (size_t i = 0; i < lengthof(moments); i++)
        if (strcmp(moments[i].name, name) == 0)
            return moments[i].type;
    return InvalidOid;
}

bool aiaas_moment_fits(Oid type, Oid wanted)
{
    return find(type) >= 0 && (type == TIMEOID) == (wanted == TIMEOID);
}

Datum aiaas_moment_parse(Oid type, const char *text)
{
    int i = find(type);

    if (i < 0)
        elog(ERROR, "type %u is no time", type);
    return DirectFunctionCall3(moments[i].input, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
                               Int32GetDatum(-1));
}

bool aiaas_moment_read(Oid type, Datum value, int64 *micros)
{
    DateADT date;

    switch (type) {
    case DATEOID:
        date = DatumGetDateADT(value);
        if (date > DAYS_MAX || date < -DAYS_MAX)
            return false;
        *micros = (int64) date * USECS_PER_DAY;
        break;
    case TIMEOID:
        *micros = DatumGetTimeADT(value);
        return true;
    default:
        *micros = DatumGetTimestamp(value);
        break;
    }
    return !TIMESTAMP_NOT_FINITE(*micros) && IS_VALID_TIMESTAMP(*micros);
}

static void write_circle(double share, float **out)
{
    *(*out)++ = (float) sin(share * 2 * M_PI);
    *(*out)++ = (float) cos(share * 2 * M_PI);
}

static void write_missing(float *out, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = NAN;
}

void aiaas_moment_write(Oid type, int64 micros, int64 origin, float *out)
{
    struct pg_tm tm;
    fsec_t fraction;

    if (type == TIMEOID) {
        write_circle((double) micros / USECS_PER_DAY, &out);
        return;
    }
    if (timestamp2tm(micros, NULL, &tm, &fraction, NULL, NULL) != 0) {
        write_missing(out, aiaas_moment_width(type));
        return;
    }
    *out++ = tm.tm_year;
    write_circle((tm.tm_mon - 1) / 12.0, &out);
    *out++ = tm.tm_mday;
    write_circle(j2day(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday)) / 7.0, &out);
    if (type != DATEOID)
        write_circle((tm.tm_hour * 3600.0 + tm.tm_min * 60.0 + tm.tm_sec) / SECS_PER_DAY, &out);
    *out = origin == AIAAS_NO_ORIGIN ? NAN : (float) (((double) micros - (double) origin) / MICROS_PER_YEAR);
}
