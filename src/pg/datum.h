/*
 * datum.h: one Datum becomes numbers.
 *
 * A reader is made once for a SQL type and then turns values of that type into floats (numbers, arrays of
 * numbers) or hands out their bytes (bytea). Readers call nothing but built-in conversions: no user's
 * code runs, no catalog is read, so a caller may hold on to cached things while it reads. Values that are
 * not toasted are read without allocating.
 */
#ifndef AIAAS_DATUM_H
#define AIAAS_DATUM_H

#include "postgres.h"

#include "category.h"

/* What a column is to a model. */
typedef enum AiaasKind {
    AIAAS_NUMBER, /* one number: integers, floats, numeric, boolean, interval (seconds) */
    AIAAS_ARRAY,  /* an array of such numbers, flattened row-major */
    AIAAS_BYTES,  /* bytea, one element a byte */
    AIAAS_TEXT,   /* a category, by its text */
    AIAAS_TIME,   /* a date or time, several numbers (moment.h) */
    AIAAS_OTHER   /* nothing that can be learned; only aiaas_describe meets it */
} AiaasKind;

typedef struct AiaasReader {
    AiaasKind kind;
    Oid type;    /* below all domains */
    Oid element; /* of an array */
    int16 typlen;
    bool typbyval;
    char typalign;
    float (*number)(Datum value); /* reads the scalar, or the element */
    void (*numbers)(const char *packed, int64 n, float *out); /* n elements; NULL for numeric */
    AiaasSpell spell; /* of a category; NULL where there is none, and from aiaas_reader_init */
} AiaasReader;

typedef enum AiaasRead {
    AIAAS_READ_OK,
    AIAAS_READ_NULL,      /* an array element is NULL */
    AIAAS_READ_NONFINITE, /* NaN, infinity, or too large for a real */
    AIAAS_READ_WIDTH      /* not as many elements as asked for */
} AiaasRead;

/* False when values of this type are not numbers (or bytes) for a network. Looks through domains. */
extern bool aiaas_reader_init(AiaasReader *r, Oid type);

/* The same for a column of a table: texts, times and intervals too. False: r->type is known, its kind AIAAS_OTHER. */
extern bool aiaas_reader_init_column(AiaasReader *r, Oid type);

/* The SQL name of the reader's type, e.g. "integer", "real[]". */
extern char *aiaas_reader_type_name(const AiaasReader *r);

/* How many elements a value has; 1 for a number. */
extern int64 aiaas_read_width(const AiaasReader *r, Datum value);

/* Is none of them NaN or infinite? For those who call r->number themselves. */
extern bool aiaas_all_finite(const float *x, int64 n);

/* AIAAS_NUMBER. */
extern AiaasRead aiaas_read_number(const AiaasReader *r, Datum value, float *out);

/*
 * AIAAS_ARRAY of exactly `width` elements. *row becomes where they are: in the value itself for real[]
 * (which then lives as long as CurrentMemoryContext or the value) unless that is so short that it is stored
 * unaligned, else in buffer, of `width` floats.
 */
extern AiaasRead aiaas_read_array(const AiaasReader *r, Datum value, int64 width, float *buffer,
                                  const float **row);

/* The same array, of exactly `width` elements, into buffer with NaN for NULLs. */
extern void aiaas_read_gaps(const AiaasReader *r, Datum value, int64 width, float *buffer);

/* AIAAS_BYTES of exactly `width` bytes; *row points into the value. */
extern AiaasRead aiaas_read_bytes(Datum value, int64 width, const uint8 **row);

#endif /* AIAAS_DATUM_H */
