/*
 * bytehash.h: a hash of byte strings to codes, for those who number what they read: classes (label.c), categories
 * (category.c). An instance of lib/simplehash.h, all of it static.
 */
#ifndef AIAAS_BYTEHASH_H
#define AIAAS_BYTEHASH_H

#include "postgres.h"

#include "common/hashfn.h"

typedef struct AiaasBytes {
    const char *bytes;
    uint32 len;
} AiaasBytes;

typedef struct AiaasBytesEntry {
    AiaasBytes key;
    int32 code;
    char status;
} AiaasBytesEntry;

static inline uint32 aiaas_hash_bytes(AiaasBytes key)
{
    return hash_bytes((const unsigned char *) key.bytes, (int) key.len);
}

static inline bool aiaas_equal_bytes(AiaasBytes a, AiaasBytes b)
{
    return a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

#define SH_PREFIX byteshash
#define SH_ELEMENT_TYPE AiaasBytesEntry
#define SH_KEY_TYPE AiaasBytes
#define SH_KEY key
#define SH_HASH_KEY(tb, k) aiaas_hash_bytes(k)
#define SH_EQUAL(tb, a, b) aiaas_equal_bytes(a, b)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#endif /* AIAAS_BYTEHASH_H */
