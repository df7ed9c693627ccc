/*
 * unit.h: what every unit test of the engine shares. Output is TAP: "ok N - text" or
 * "not ok N - text", and the plan "1..N" at the end.
 *
 *     int main(void)
 *     {
 *         const ax_env *env = unit_env();
 *         ax_error err;
 *         thing *t = NULL;
 *
 *         unit_status(thing_create(env, &t, &err), AX_OK, &err, "a thing is created");
 *         unit_check(thing_size(t) == 3, "it has size 3, got %d", thing_size(t));
 *         thing_free(t);
 *         return unit_done();    // also checks that no allocation is left
 *     }
 *
 * Each check is one line of output: a test over thousands of values counts its failures and checks
 * the count once. A failure does not end the program; the check's value says whether to go on.
 *
 * The allocation sweep, which every function that allocates deserves:
 *
 *     for (long n = 1;; n++) {
 *         const ax_env *env = unit_env_fail_at(n);
 *         ax_status status = the_work(env, &err);
 *         if (!unit_env_tripped())
 *             break;                                  // n is past the last allocation
 *         bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
 *     }
 *     unit_check(bad == 0, "...");
 *
 * The cancel sweep is the same with unit_env_cancel_at and AX_ERR_CANCELLED.
 */
#ifndef AX_UNIT_H
#define AX_UNIT_H

#include "base/base.h"

/* ---- checks: all return whether they held ---------------------------------------------------- */

/* unit_check(condition, "printf text", ...) */
#define unit_check(cond, ...) unit_check_at(__FILE__, __LINE__, (cond) ? true : false, __VA_ARGS__)
/* unit_status(got, wanted, &err, "text", ...): on failure shows the error; err may be NULL. */
#define unit_status(got, want, err, ...)                                                           \
    unit_status_at(__FILE__, __LINE__, (got), (want), (err), __VA_ARGS__)
/* unit_is_int and unit_is_str(got, wanted, "text", ...); a NULL string equals NULL. */
#define unit_is_int(got, want, ...) unit_is_int_at(__FILE__, __LINE__, (got), (want), __VA_ARGS__)
#define unit_is_str(got, want, ...) unit_is_str_at(__FILE__, __LINE__, (got), (want), __VA_ARGS__)
/* unit_near(a, b, tol, "text", ...): |a - b| <= tol * max(1, |a|, |b|); NaN equals NaN. */
#define unit_near(a, b, tol, ...) unit_near_at(__FILE__, __LINE__, (a), (b), (tol), __VA_ARGS__)
/*
 * unit_close(got, wanted, n, tol, "text", ...): two arrays of n floats, by the same measure; a
 * failure shows the worst index and both values there.
 */
#define unit_close(a, b, n, tol, ...)                                                              \
    unit_close_at(__FILE__, __LINE__, (a), (b), (n), (tol), __VA_ARGS__)
/* unit_same(got, wanted, bytes, "text", ...): the same bits; shows the first byte that differs. */
#define unit_same(a, b, bytes, ...) unit_same_at(__FILE__, __LINE__, (a), (b), (bytes), __VA_ARGS__)

/* A check that cannot be made here: "ok N # SKIP text". */
void unit_skip(const char *fmt, ...) AX_PRINTF(1, 2);
/* A line of comment: "# text". */
void unit_note(const char *fmt, ...) AX_PRINTF(1, 2);
/* Prints the plan, checks for leaks; returns main's exit status. The last thing main does. */
int unit_done(void);

bool unit_check_at(const char *file, int line, bool ok, const char *fmt, ...) AX_PRINTF(4, 5);
bool unit_status_at(const char *file, int line, ax_status got, ax_status want, const ax_error *err,
                    const char *fmt, ...) AX_PRINTF(6, 7);
bool unit_is_int_at(const char *file, int line, long long got, long long want, const char *fmt, ...)
    AX_PRINTF(5, 6);
bool unit_is_str_at(const char *file, int line, const char *got, const char *want, const char *fmt,
                    ...) AX_PRINTF(5, 6);
bool unit_near_at(const char *file, int line, double a, double b, double tol, const char *fmt, ...)
    AX_PRINTF(6, 7);
bool unit_close_at(const char *file, int line, const float *a, const float *b, int64_t n,
                   double tol, const char *fmt, ...) AX_PRINTF(7, 8);
bool unit_same_at(const char *file, int line, const void *a, const void *b, size_t bytes,
                  const char *fmt, ...) AX_PRINTF(6, 7);

const char *unit_status_name(ax_status status); /* "AX_OK", "AX_ERR_NOMEM", ... */

/* ---- environments ---------------------------------------------------------------------------- */

/*
 * All of them count what is live, give memory aligned to 8 and not to 16 (the least that the
 * contract allows), fill it with rubbish, and abort the test on a free of a pointer that is not
 * theirs. Each kind is one static object: asking again resets its countdown. Memory may be freed
 * through any of them.
 */
const ax_env *unit_env(void);           /* always says yes */
const ax_env *unit_env_fail_at(long n); /* the nth allocation from here fails, the others do not */
const ax_env *unit_env_fail_from(long n); /* the nth and all later ones fail */
const ax_env *unit_env_cancel_at(long n); /* may_continue says no from the nth time it is asked */
bool unit_env_tripped(void); /* did the failing or cancelling env last asked for act? */

size_t unit_live_bytes(void); /* allocated and not freed, over all of them */
long unit_live_count(void);   /* the same in allocations */
size_t unit_peak_bytes(void); /* most that was live at once, since unit_peak_reset */
void unit_peak_reset(void);
long unit_allocations(void); /* calls of alloc since the program began */
long unit_polls(void);       /* calls of may_continue since the program began */

/* ---- random values: the same in every run, and not the engine's generator -------------------- */

void unit_seed(uint64_t seed);
uint64_t unit_random(void);
int64_t unit_below(int64_t n);             /* [0, n) */
float unit_uniform(float low, float high); /* [low, high) */
float unit_normal(void);                   /* mean 0, sd 1 */
void unit_fill(float *x, int64_t n, float low, float high);
void unit_fill_normal(float *x, int64_t n, float sd);
float unit_float_from_bits(uint32_t bits);
uint32_t unit_bits_of_float(float x);

#endif /* AX_UNIT_H */
