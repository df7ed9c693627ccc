/*
 * kernel.c: which table of kernels is in use.
 *
 * The best one is found at the first question. Two threads may both find it; they find the same, so
 * one atomic pointer is all the locking there is.
 */
#include "tensor/kernel.h"

#include <stdatomic.h>

/* The compiler's own detection also asks whether the system saves the wide registers. */
static bool cpu_has_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

static bool cpu_has_avx512(void)
{
#if defined(__x86_64__)
    return cpu_has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

static bool cpu_has_baseline(void)
{
    return true;
}

/* The best first. */
static const struct {
    const char *name;
    bool (*on_this_cpu)(void);
    const ax_kernels *(*table)(void);
} isas[] = {
    {"avx512", cpu_has_avx512, ax_kernels_avx512},
    {"avx2", cpu_has_avx2, ax_kernels_avx2},
    {"baseline", cpu_has_baseline, ax_kernels_baseline},
};

static _Atomic(const ax_kernels *) in_use;

const ax_kernels *ax_kernels_named(const char *name)
{
    for (int i = 0; i < AX_COUNT(isas); i++) {
        if (strcmp(isas[i].name, name) == 0)
            return isas[i].on_this_cpu() ? isas[i].table() : NULL;
    }
    return NULL;
}

static const ax_kernels *best(void)
{
    const ax_kernels *found = NULL;

    for (int i = 0; found == NULL; i++)
        found = ax_kernels_named(isas[i].name);
    return found;
}

const ax_kernels *ax_kernels_get(void)
{
    const ax_kernels *k = atomic_load_explicit(&in_use, memory_order_acquire);

    if (k == NULL) {
        k = best();
        atomic_store_explicit(&in_use, k, memory_order_release);
    }
    return k;
}

const char *ax_isa(void)
{
    return ax_kernels_get()->name;
}

ax_status ax_isa_force(const char *name, ax_error *err)
{
    const ax_kernels *k = ax_kernels_named(name);

    if (k == NULL) {
        ax_fail(err, AX_ERR_UNSUPPORTED, "instruction set \"%.64s\" is not available", name);
        ax_hint(err, "Choose \"baseline\", \"avx2\" or \"avx512\", as far as this CPU has them.");
        return err->status;
    }
    atomic_store_explicit(&in_use, k, memory_order_release);
    return AX_OK;
}
