/*
 * unit.c: checks that speak TAP, environments that count, fail and cancel, and random values.
 */
#include "unit.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- checks ---------------------------------------------------------------------------------- */

static int unit_tests, unit_failures;

static bool report(const char *file, int line, bool ok, const char *fmt, va_list args)
{
    unit_tests++;
    printf("%s %d - ", ok ? "ok" : "not ok", unit_tests);
    vprintf(fmt, args);
    printf("\n");
    if (!ok) {
        unit_failures++;
        printf("# at %s:%d\n", file, line);
    }
    fflush(stdout);
    return ok;
}

bool unit_check_at(const char *file, int line, bool ok, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    report(file, line, ok, fmt, args);
    va_end(args);
    return ok;
}

const char *unit_status_name(ax_status status)
{
    static const char *const names[] = {"AX_OK",          "AX_ERR_NOMEM",   "AX_ERR_CANCELLED",
                                        "AX_ERR_INVALID", "AX_ERR_UNKNOWN", "AX_ERR_UNSUPPORTED",
                                        "AX_ERR_CORRUPT", "AX_ERR_LIMIT",   "AX_ERR_NUMERIC",
                                        "AX_ERR_INTERNAL"};

    if ((int) status < 0 || (int) status >= AX_COUNT(names))
        return "a status out of range";
    return names[status];
}

bool unit_status_at(const char *file, int line, ax_status got, ax_status want, const ax_error *err,
                    const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    report(file, line, got == want, fmt, args);
    va_end(args);
    if (got == want)
        return true;
    printf("# wanted %s, got %s\n", unit_status_name(want), unit_status_name(got));
    if (got != AX_OK && err != NULL)
        printf("# message: %s\n# detail: %s\n# hint: %s\n", err->message, err->detail, err->hint);
    return false;
}

bool unit_is_int_at(const char *file, int line, long long got, long long want, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    report(file, line, got == want, fmt, args);
    va_end(args);
    if (got != want)
        printf("# wanted %lld, got %lld\n", want, got);
    return got == want;
}

bool unit_is_str_at(const char *file, int line, const char *got, const char *want, const char *fmt,
                    ...)
{
    va_list args;
    bool same = got == NULL || want == NULL ? got == want : strcmp(got, want) == 0;

    va_start(args, fmt);
    report(file, line, same, fmt, args);
    va_end(args);
    if (!same)
        printf("# wanted \"%s\"\n# got    \"%s\"\n", want ? want : "(null)", got ? got : "(null)");
    return same;
}

/* |a - b| over max(1, |a|, |b|); 0 for equal infinities and two NaN, infinite for one of them. */
static double distance(double a, double b)
{
    if ((isnan(a) && isnan(b)) || a == b)
        return 0;
    if (!isfinite(a) || !isfinite(b))
        return INFINITY;
    return fabs(a - b) / fmax(1, fmax(fabs(a), fabs(b)));
}

bool unit_near_at(const char *file, int line, double a, double b, double tol, const char *fmt, ...)
{
    va_list args;
    bool ok = distance(a, b) <= tol;

    va_start(args, fmt);
    report(file, line, ok, fmt, args);
    va_end(args);
    if (!ok)
        printf("# wanted %.17g, got %.17g, distance %g, allowed %g\n", b, a, distance(a, b), tol);
    return ok;
}

bool unit_close_at(const char *file, int line, const float *a, const float *b, int64_t n,
                   double tol, const char *fmt, ...)
{
    va_list args;
    double worst = 0;
    int64_t at = -1, over = 0;

    for (int64_t i = 0; i < n; i++) {
        double d = distance(a[i], b[i]);

        over += d > tol;
        if (d > worst) {
            worst = d;
            at = i;
        }
    }
    va_start(args, fmt);
    report(file, line, over == 0, fmt, args);
    va_end(args);
    if (over > 0)
        printf("# %lld of %lld differ; worst at %lld: wanted %.9g, got %.9g, distance %g, "
               "allowed %g\n",
               (long long) over, (long long) n, (long long) at, b[at], a[at], worst, tol);
    return over == 0;
}

bool unit_same_at(const char *file, int line, const void *a, const void *b, size_t bytes,
                  const char *fmt, ...)
{
    const unsigned char *x = a, *y = b;
    va_list args;
    size_t i = 0;

    while (i < bytes && x[i] == y[i])
        i++;
    va_start(args, fmt);
    report(file, line, i == bytes, fmt, args);
    va_end(args);
    if (i < bytes)
        printf("# byte %zu of %zu: wanted %02x, got %02x\n", i, bytes, y[i], x[i]);
    return i == bytes;
}

void unit_skip(const char *fmt, ...)
{
    va_list args;

    printf("ok %d # SKIP ", ++unit_tests);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
}

void unit_note(const char *fmt, ...)
{
    va_list args;

    printf("# ");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
}

int unit_done(void)
{
    unit_check(unit_live_count() == 0, "nothing leaked (%ld allocations, %zu bytes)",
               unit_live_count(), unit_live_bytes());
    printf("1..%d\n", unit_tests);
    fflush(stdout);
    return unit_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- environments ---------------------------------------------------------------------------- */

/*
 * A block is a header, then the caller's bytes. The header is 24 bytes after malloc's alignment of
 * 16, so that what the caller gets is aligned to 8 and to no more.
 */
typedef struct block_header {
    size_t size;
    uint64_t magic;
    uint64_t tail;
} block_header;

#define BLOCK_MAGIC UINT64_C(0x617861786178a1e5)

/* Countdowns: 0 means never; the action starts when the count reaches 1. */
typedef struct unit_ctx {
    long alloc_countdown;
    long poll_countdown;
    bool fail_from;
    bool tripped;
} unit_ctx;

static unit_ctx plain_ctx, fail_ctx, cancel_ctx;
static unit_ctx *last_ctx = &plain_ctx;
static size_t live_bytes, peak_bytes;
static long live_count, alloc_count, poll_count;

static bool alloc_refused(unit_ctx *c)
{
    if (c->alloc_countdown == 0 || --c->alloc_countdown > 0)
        return false;
    if (c->fail_from)
        c->alloc_countdown = 1;
    c->tripped = true;
    return true;
}

/* More than any test means to have; AddressSanitizer ends the program where malloc says no. */
#define ALLOC_MAX ((size_t) 1 << 36)

static void *unit_alloc(void *ctx, size_t size)
{
    block_header *h;

    alloc_count++;
    if (alloc_refused(ctx) || size > ALLOC_MAX)
        return NULL;
    h = malloc(sizeof(*h) + size);
    if (h == NULL)
        return NULL;
    h->size = size;
    h->magic = h->tail = BLOCK_MAGIC;
    memset(h + 1, 0xa5, size);
    live_bytes += size;
    live_count++;
    peak_bytes = AX_MAX(peak_bytes, live_bytes);
    return h + 1;
}

static void unit_free(void *ctx, void *p)
{
    block_header *h;

    (void) ctx;
    if (p == NULL) {
        printf("Bail out! free of NULL reached the env\n");
        abort();
    }
    h = (block_header *) p - 1;
    if (h->magic != BLOCK_MAGIC || h->tail != BLOCK_MAGIC) {
        printf("Bail out! free of a pointer that the env did not give\n");
        abort();
    }
    h->magic = h->tail = 0;
    live_bytes -= h->size;
    live_count--;
    free(h);
}

static bool unit_may_continue(void *ctx)
{
    unit_ctx *c = ctx;

    poll_count++;
    if (c->poll_countdown == 0 || --c->poll_countdown > 0)
        return true;
    c->poll_countdown = 1;
    c->tripped = true;
    return false;
}

static const ax_env *set_env(ax_env *env, unit_ctx *ctx, unit_ctx value)
{
    *ctx = value;
    last_ctx = ctx;
    *env = (ax_env){unit_alloc, unit_free, unit_may_continue, ctx};
    return env;
}

const ax_env *unit_env(void)
{
    static const ax_env env = {unit_alloc, unit_free, unit_may_continue, &plain_ctx};

    return &env;
}

const ax_env *unit_env_fail_at(long n)
{
    static ax_env env;

    return set_env(&env, &fail_ctx, (unit_ctx){.alloc_countdown = n});
}

const ax_env *unit_env_fail_from(long n)
{
    static ax_env env;

    return set_env(&env, &fail_ctx, (unit_ctx){.alloc_countdown = n, .fail_from = true});
}

const ax_env *unit_env_cancel_at(long n)
{
    static ax_env env;

    return set_env(&env, &cancel_ctx, (unit_ctx){.poll_countdown = n});
}

bool unit_env_tripped(void)
{
    return last_ctx->tripped;
}

size_t unit_live_bytes(void)
{
    return live_bytes;
}

long unit_live_count(void)
{
    return live_count;
}

size_t unit_peak_bytes(void)
{
    return peak_bytes;
}

void unit_peak_reset(void)
{
    peak_bytes = live_bytes;
}

long unit_allocations(void)
{
    return alloc_count;
}

long unit_polls(void)
{
    return poll_count;
}

/* ---- random values: xorshift64* -------------------------------------------------------------- */

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

void unit_seed(uint64_t seed)
{
    random_state = seed * 2 + 1;
    for (int i = 0; i < 8; i++)
        unit_random();
}

uint64_t unit_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

int64_t unit_below(int64_t n)
{
    return (int64_t) ((unit_random() >> 1) % (uint64_t) n);
}

float unit_uniform(float low, float high)
{
    return low + (high - low) * ((float) (unit_random() >> 40) * 0x1p-24f);
}

float unit_normal(void)
{
    double u = ((double) (unit_random() >> 11) + 0.5) * 0x1p-53;
    double v = (double) (unit_random() >> 11) * 0x1p-53;

    return (float) (sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

void unit_fill(float *x, int64_t n, float low, float high)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = unit_uniform(low, high);
}

void unit_fill_normal(float *x, int64_t n, float sd)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = sd * unit_normal();
}

float unit_float_from_bits(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

uint32_t unit_bits_of_float(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof(bits));
    return bits;
}
