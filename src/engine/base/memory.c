/*
 * memory.c: the only door to the caller's allocator, and arenas on top of it.
 *
 * ax_alloc aligns what the env gives (to 8 at least) up to AX_ALIGN and keeps the env's own pointer
 * in the word in front of what it returns.
 *
 * An arena is a list of blocks, the newest first. Small requests are cut from the newest one; a
 * request that is large for it gets a block of its own, which is put behind the newest, so that the
 * newest goes on being filled. Under AddressSanitizer the parts of a block that nobody asked for
 * are poisoned, and a gap follows each request, so that an overrun within a block is found like any
 * other.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define HIDE(p, n)   __asan_poison_memory_region(p, n)
#define REVEAL(p, n) __asan_unpoison_memory_region(p, n)
#define GAP          16
#else
#define HIDE(p, n)   ((void) (p), (void) (n))
#define REVEAL(p, n) ((void) (p), (void) (n))
#define GAP          0
#endif

/* ---- blocks of the env ----------------------------------------------------------------------- */

#define ALLOC_OVERHEAD (AX_ALIGN - 1 + sizeof(void *))

void *ax_alloc(const ax_env *env, size_t size)
{
    char *raw, *p;

    if (size > SIZE_MAX / 4)
        return NULL;
    raw = env->alloc(env->ctx, size + ALLOC_OVERHEAD);
    if (raw == NULL)
        return NULL;
    p = raw + ALLOC_OVERHEAD;
    p -= (uintptr_t) p % AX_ALIGN;
    ((void **) (void *) p)[-1] = raw;
    return p;
}

#define LARGE_PAGE ((size_t) 2 << 20)

void *ax_alloc_large(const ax_env *env, size_t size)
{
    char *raw, *p;

    if (size < 2 * LARGE_PAGE || size > SIZE_MAX / 4)
        return ax_alloc(env, size);
    raw = env->alloc(env->ctx, size + LARGE_PAGE + sizeof(void *));
    if (raw == NULL)
        return NULL;
    p = raw + sizeof(void *) + LARGE_PAGE - 1;
    p -= (uintptr_t) p % LARGE_PAGE;
    ((void **) (void *) p)[-1] = raw;
#ifdef MADV_HUGEPAGE
    (void) madvise(p, size / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE); /* a wish: it works without */
#endif
    return p;
}

size_t ax_sum_large(size_t bytes, size_t size)
{
    if (size < 2 * LARGE_PAGE)
        return ax_sum_alloc(bytes, 1, size);
    return ax_add_size(bytes, LARGE_PAGE + sizeof(void *), &bytes) && ax_add_size(bytes, size, &bytes) ? bytes
                                                                                                      : SIZE_MAX;
}

void *ax_zalloc(const ax_env *env, size_t size)
{
    void *p = ax_alloc(env, size);

    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void ax_free(const ax_env *env, void *p)
{
    if (p != NULL)
        env->free(env->ctx, ((void **) p)[-1]);
}

bool ax_may_continue(const ax_env *env)
{
    return env->may_continue == NULL || env->may_continue(env->ctx);
}

bool ax_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool ax_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

size_t ax_sum_alloc(size_t bytes, size_t count, size_t size)
{
    size_t more;

    if (!ax_mul_size(count, size, &more) || !ax_add_size(more, ALLOC_OVERHEAD, &more) ||
        !ax_add_size(bytes, more, &bytes))
        return SIZE_MAX;
    return bytes;
}

/* ---- arenas ---------------------------------------------------------------------------------- */

struct ax_arena_block {
    ax_arena_block *next;
    size_t size; /* bytes after the header, which takes BLOCK_HEADER */
};

#define BLOCK_HEADER ((size_t) AX_ALIGN)
#define BLOCK_MIN    ((size_t) 4096 - BLOCK_HEADER)
#define BLOCK_MAX    ((size_t) 1 << 20)

static char *block_data(ax_arena_block *b)
{
    return (char *) b + BLOCK_HEADER;
}

void ax_arena_init(ax_arena *a, const ax_env *env)
{
    *a = (ax_arena){.env = *env};
}

static ax_arena_block *new_block(ax_arena *a, size_t size)
{
    ax_arena_block *b = ax_alloc(&a->env, BLOCK_HEADER + size);

    if (b == NULL)
        return NULL;
    b->next = NULL;
    b->size = size;
    a->reserved += BLOCK_HEADER + size + ALLOC_OVERHEAD;
    HIDE(block_data(b), size);
    return b;
}

/* Blocks double with what the arena holds already, so that a small arena stays small. */
static size_t next_block_size(const ax_arena *a)
{
    return AX_MIN(AX_MAX(a->reserved, BLOCK_MIN), BLOCK_MAX);
}

static void *take(ax_arena_block *b, size_t at, size_t size)
{
    char *p = block_data(b) + at;

    REVEAL(p, size);
    memset(p, 0, size);
    return p;
}

/* With the gaps that alignment may make. */
static size_t padded(size_t size, size_t requests)
{
    return size + requests * (AX_ALIGN + GAP);
}

size_t ax_arena_room(size_t size, size_t requests)
{
    return BLOCK_HEADER + padded(size, requests) + ALLOC_OVERHEAD;
}

bool ax_arena_reserve(ax_arena *a, size_t size, size_t requests)
{
    a->blocks = new_block(a, padded(size, requests));
    a->used = 0;
    return a->blocks != NULL;
}

/* A block for one large request, behind the newest block. */
static void *alloc_apart(ax_arena *a, size_t size)
{
    ax_arena_block *b = new_block(a, size);

    if (b == NULL)
        return NULL;
    if (a->blocks == NULL) {
        a->blocks = b;
        a->used = size;
    } else {
        b->next = a->blocks->next;
        a->blocks->next = b;
    }
    return take(b, 0, size);
}

void *ax_arena_alloc(ax_arena *a, size_t size)
{
    size_t align = size >= 256 ? AX_ALIGN : 16;
    size_t at = (a->used + align - 1) & ~(align - 1);
    ax_arena_block *b = a->blocks;

    if (size > SIZE_MAX / 8)
        return NULL;
    if (b == NULL || at > b->size || size + GAP > b->size - at) {
        size_t block_size = next_block_size(a);

        if (size + GAP > block_size / 4)
            return alloc_apart(a, size);
        b = new_block(a, block_size);
        if (b == NULL)
            return NULL;
        b->next = a->blocks;
        a->blocks = b;
        at = 0;
    }
    a->used = at + AX_MAX(size, 1) + GAP;
    return take(b, at, size);
}

void *ax_arena_array(ax_arena *a, size_t count, size_t size)
{
    size_t total;

    if (!ax_mul_size(count, size, &total))
        return NULL;
    return ax_arena_alloc(a, total);
}

char *ax_arena_strndup(ax_arena *a, const char *s, size_t n)
{
    size_t total;
    char *copy = ax_add_size(n, 1, &total) ? ax_arena_alloc(a, total) : NULL;

    if (copy != NULL && n > 0)
        memcpy(copy, s, n);
    return copy;
}

char *ax_arena_strdup(ax_arena *a, const char *s)
{
    return ax_arena_strndup(a, s, strlen(s));
}

char *ax_arena_printf(ax_arena *a, const char *fmt, ...)
{
    va_list args;
    char *text;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    text = n < 0 ? NULL : ax_arena_alloc(a, (size_t) n + 1);
    if (text == NULL)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, (size_t) n + 1, fmt, args);
    va_end(args);
    return text;
}

void ax_arena_free(ax_arena *a)
{
    ax_arena_block *b = a->blocks;

    while (b != NULL) {
        ax_arena_block *next = b->next;

        REVEAL(block_data(b), b->size);
        ax_free(&a->env, b);
        b = next;
    }
    ax_arena_init(a, &(ax_env){a->env.alloc, a->env.free, a->env.may_continue, a->env.ctx});
}
