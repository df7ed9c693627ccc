/*
 * guc.c: the settings aiaas.*
 *
 * aiaas.isa is for tests: it forces the engine onto another instruction set. Its check hook tries the
 * value and puts the old one back, because a check must not change anything; only the assign hook,
 * which cannot fail any more then, switches.
 *
 * aiaas.max_memory is made after temp_file_limit: -1 is no limit, and only a superuser (or who was granted SET on it)
 * changes it, because a limit that its subject can lift limits nothing. work_mem and its kind are no model for it:
 * they say when to go to disk, and a training cannot.
 *
 * Before the library is loaded, anybody may begin a session with any value of a setting that nobody knows yet, and it
 * stands in front of what the database or the configuration file says. PostgreSQL refuses it when the setting is
 * defined, but by then the other value is forgotten. That is noticed here by what is missing: the call of the assign
 * hook that takes the value over. Trainings are then refused.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "ax.h"
#include "guc.h"

bool aiaas_progress = true;
int aiaas_cache_size = 256 * 1024;
int aiaas_max_memory = -1;
bool aiaas_max_memory_lost = false;
uint32 aiaas_isa_changes = 0;

static int threads = 0;

/* The order is that of isa_name below. */
static const struct config_enum_entry isa_options[] = {
    {"auto", 0, false}, {"baseline", 1, false}, {"avx2", 2, false}, {"avx512", 3, false},
    {NULL, 0, false},
};
static int isa = 0;
static const char *isa_best; /* what "auto" means on this machine */

int aiaas_training_threads(void)
{
    return threads > 0 ? threads : ax_cpu_count();
}

static const char *isa_name(int value)
{
    return value == 0 ? isa_best : isa_options[value].name;
}

static bool check_isa(int *value, void **extra, GucSource source)
{
    const char *before = ax_isa();
    ax_error err;

    (void) extra;
    (void) source;
    if (ax_isa_force(isa_name(*value), &err) != AX_OK) {
        GUC_check_errdetail("%s", err.message);
        return false;
    }
    (void) ax_isa_force(before, &err);
    return true;
}

static void assign_isa(int value, void *extra)
{
    ax_error err;

    (void) extra;
    (void) ax_isa_force(isa_name(value), &err);
    aiaas_isa_changes++;
}

static int max_memory_assigned;

static void assign_max_memory(int value, void *extra)
{
    (void) value;
    (void) extra;
    max_memory_assigned++;
}

static void define_max_memory(void)
{
    bool given = GetConfigOption("aiaas.max_memory", true, false) != NULL;

    DefineCustomIntVariable("aiaas.max_memory",
                            "Memory that a training may take; -1 means no limit.",
                            "A training that would need more is refused before it starts.",
                            &aiaas_max_memory, -1, -1, MAX_KILOBYTES, PGC_SUSET, GUC_UNIT_KB, NULL,
                            assign_max_memory, NULL);
    aiaas_max_memory_lost = given && max_memory_assigned < 2; /* the first is of the default */
}

void aiaas_guc_init(void)
{
    isa_best = ax_isa();
    DefineCustomIntVariable("aiaas.threads",
                            "Number of threads of a training; 0 means one per processor.",
                            "The trained model is the same for every number. "
                            "A prediction always runs in one thread.",
                            &threads, 0, 0, 256, PGC_USERSET, 0, NULL, NULL, NULL);
    DefineCustomBoolVariable("aiaas.progress", "Reports every epoch of a training as a NOTICE.",
                             NULL, &aiaas_progress, true, PGC_USERSET, 0, NULL, NULL, NULL);
    DefineCustomIntVariable("aiaas.cache_size",
                            "Memory that decoded models may take in a session.",
                            "Least recently used models go first; the one in use always stays.",
                            &aiaas_cache_size, 256 * 1024, 1024, MAX_KILOBYTES, PGC_USERSET,
                            GUC_UNIT_KB, NULL, NULL, NULL);
    define_max_memory();
    DefineCustomEnumVariable("aiaas.isa", "Instruction set of the engine, for tests.", NULL, &isa,
                             0, isa_options, PGC_SUSET, GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL,
                             check_isa, assign_isa, NULL);
    MarkGUCPrefixReserved("aiaas");
}
