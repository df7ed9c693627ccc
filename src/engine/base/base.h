/*
 * base.h: the ground floor. Errors, memory, numbers without overflow, names, random bits.
 *
 * Every other floor includes this one; it includes only ax.h and the C library. No PostgreSQL header
 * may be seen from here on up.
 */
#ifndef AX_BASE_H
#define AX_BASE_H

#ifdef POSTGRES_H
#error "engine code must not see PostgreSQL headers"
#endif

#include <string.h>

#include "ax.h"

#define AX_COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))
#define AX_MIN(a, b) ((a) < (b) ? (a) : (b))
#define AX_MAX(a, b) ((a) > (b) ? (a) : (b))
#define AX_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Return early on failure: AX_TRY(f(...)); */
#define AX_TRY(call)                                                                               \
    do {                                                                                           \
        ax_status ax_try_status_ = (call);                                                         \
        if (ax_try_status_ != AX_OK)                                                               \
            return ax_try_status_;                                                                 \
    } while (0)

/* ---- errors (error.c) ------------------------------------------------------------------------ */

/* Fills *err and returns status, so that `return ax_fail(...)` reads as it acts. Clears detail and hint. */
ax_status ax_fail(ax_error *err, ax_status status, const char *fmt, ...) AX_PRINTF(3, 4);
/* Adds to an error that ax_fail just filled. */
void ax_detail(ax_error *err, const char *fmt, ...) AX_PRINTF(2, 3);
void ax_hint(ax_error *err, const char *fmt, ...) AX_PRINTF(2, 3);
/* The usual answers. */
ax_status ax_nomem(ax_error *err);
ax_status ax_cancelled(ax_error *err);

/* ---- raw memory (memory.c): the only door to env->alloc and env->free ------------------------ */

#define AX_ALIGN 64 /* of every arena block and tensor: one cache line, one AVX-512 vector */

/* Aligned to AX_ALIGN; NULL when there is none, or size is absurd. Not zeroed. size 0 gives a valid
 * pointer. */
void *ax_alloc(const ax_env *env, size_t size);
/* For what is passed over from end to end again and again: asks the system for large pages, where there are any. Up to
 * 2 MB more are taken from the env. Freed like the others. */
void *ax_alloc_large(const ax_env *env, size_t size);
void *ax_zalloc(const ax_env *env, size_t size);
void ax_free(const ax_env *env, void *p); /* NULL is fine */
bool ax_may_continue(const ax_env *env);

/* False on overflow; *out = a * b (or a + b). */
bool ax_mul_size(size_t a, size_t b, size_t *out);
bool ax_add_size(size_t a, size_t b, size_t *out);
/* bytes + count * size, as an ax_alloc of that takes it from the env; SIZE_MAX when that is too much to say. For plans
 * of memory: nothing is allocated. */
size_t ax_sum_alloc(size_t bytes, size_t count, size_t size);
size_t ax_sum_large(size_t bytes, size_t size); /* the same for an ax_alloc_large */

/*
 * An arena: many allocations, one free. Blocks grow from the env; small requests share a block.
 * Zero-initialise with ax_arena_init; ax_arena_free gives everything back and leaves an empty arena.
 */
typedef struct ax_arena_block ax_arena_block;

typedef struct ax_arena {
    ax_env env;
    ax_arena_block *blocks;
    size_t used;     /* bytes of the newest block */
    size_t reserved; /* bytes taken from the env in all */
} ax_arena;

void ax_arena_init(ax_arena *a, const ax_env *env);
/* Zeroed memory aligned to 16 (to AX_ALIGN from 256 bytes on), NULL when there is none. */
void *ax_arena_alloc(ax_arena *a, size_t size);
/* Makes the first block of an empty arena, for `requests` requests of that many bytes in all: then they take
 * ax_arena_room(size, requests) from the env, and not up to twice as much. */
bool ax_arena_reserve(ax_arena *a, size_t size, size_t requests);
size_t ax_arena_room(size_t size, size_t requests);
/* count * size, checked for overflow. */
void *ax_arena_array(ax_arena *a, size_t count, size_t size);
char *ax_arena_strdup(ax_arena *a, const char *s);
char *ax_arena_strndup(ax_arena *a, const char *s, size_t n); /* adds the '\0' */
char *ax_arena_printf(ax_arena *a, const char *fmt, ...) AX_PRINTF(2, 3);
void ax_arena_free(ax_arena *a);

/* ---- growing byte string (text.c): never overruns, remembers that memory ran out ------------- */

typedef struct ax_text {
    ax_env env;
    char *data; /* always '\0'-terminated once something was added; may be NULL before */
    size_t len, cap;
    bool failed; /* out of memory at some point: the text is not to be used */
} ax_text;

void ax_text_init(ax_text *t, const ax_env *env);
void ax_text_add(ax_text *t, const void *bytes, size_t n);
void ax_text_addf(ax_text *t, const char *fmt, ...) AX_PRINTF(2, 3);
/* As a JSON string with quotes and escapes. */
void ax_text_add_json_string(ax_text *t, const char *s);
void ax_text_free(ax_text *t);

/* ---- names (name.c) -------------------------------------------------------------------------- */

/*
 * The candidate nearest to name by edit distance, ignoring case and '_', or NULL when none is near enough
 * to be meant (more than a third of the letters differ). Sources for "did you mean".
 */
const char *ax_nearest_name(const char *name, const char *const *candidates, int n);

/* ---- random bits (random.c) ------------------------------------------------------------------ */

/*
 * Counter-based: the numbers are a function of (seed, stream, position) and of nothing else, so that
 * threads may draw in any order and the bits stay the same. SplitMix64 over the three words.
 */
typedef struct ax_rng {
    uint64_t key;
    uint64_t counter;
} ax_rng;

ax_rng ax_rng_make(uint64_t seed, uint64_t stream);
uint64_t ax_rng_next(ax_rng *r);
uint64_t ax_rng_at(uint64_t key, uint64_t position); /* stateless */
float ax_rng_uniform(ax_rng *r);                     /* [0, 1), 24 bits */
double ax_rng_uniform64(ax_rng *r);                  /* [0, 1), 53 bits */
float ax_rng_normal(ax_rng *r);                      /* mean 0, sd 1 (Box-Muller, float64 inside) */
uint64_t ax_rng_below(ax_rng *r, uint64_t n);        /* [0, n) without bias; n > 0 */

/* ---- sorting (sort.c) ------------------------------------------------------------------------ */

/* Floats as keys that sort as numbers do; -0 is 0. */
uint32_t ax_key_of_float(float x);
float ax_float_of_key(uint32_t key);
/*
 * Sorts n keys: by digits of 11 bits, through `other` (n). The sorted ones are in the array that is returned.
 * stopped(arg), unless NULL, is asked about every 2^20 keys; NULL is returned when it says yes.
 */
uint32_t *ax_sort_keys(uint32_t *key, uint32_t *other, int64_t n, bool (*stopped)(void *arg), void *arg);

/*
 * Sorts n floats, ascending; NaN are left out, -0 becomes 0. Returns how many there are; *sorted is x or spare, of n
 * floats each, both overwritten.
 */
int64_t ax_sort_floats(float *x, float *spare, int64_t n, const float **sorted);

#endif /* AX_BASE_H */
