/*
 * driver.c - runs one fuzz target without libFuzzer: the same inputs every time.
 *
 *     fuzz_NAME [folder of seed files]
 *     fuzz_NAME FILE                      one run over that file: to repeat a crash
 *
 * A target is a function LLVMFuzzerTestOneInput(bytes, size). It is given, in this order, nothing at all,
 * every seed file, and then FUZZ_RUNS (20,000) mutations: of the seeds, of what came out of earlier
 * mutations, and now and then bytes from nowhere. All follow from FUZZ_SEED, so a failure comes back. There is no
 * coverage feedback: the seeds have to be good, and each mutation small enough to keep most of one.
 *
 * FUZZ_SECONDS (30) bounds the time; the last line says how many runs it was. When the sanitizers
 * end the program, or an input takes longer than 10 seconds, the input is left in
 * build/crash/NAME-last (or in the folder FUZZ_CRASH).
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_INPUT (64 * 1024) /* longer seeds are run as they are, but not mutated */
#define MAX_POOL 1024         /* seeds and mutations that later mutations start from */
#define HANG_SECONDS 10

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The sanitizers call this before they end the program; without them it is not there. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
const char *__asan_default_options(void);

typedef struct {
    uint8_t *bytes;
    size_t size;
} input;

static input pool[MAX_POOL];
static int pool_count;
static input current; /* what the target is looking at */
static char crash_path[4096];
static uint64_t state; /* of the random numbers */

/* An allocation that is too large is the target's to refuse; abort() counts as a crash like any other. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:handle_abort=1:detect_leaks=1";
}

/* splitmix64 */
static uint64_t random_bits(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t random_below(size_t n)
{
    return n == 0 ? 0 : (size_t)(random_bits() % n);
}

static long setting(const char *name, long otherwise)
{
    const char *value = getenv(name);

    return value && *value ? atol(value) : otherwise;
}

static void keep_current(void)
{
    FILE *file = fopen(crash_path, "wb");

    if (!file)
        return;
    fwrite(current.bytes, 1, current.size, file);
    fclose(file);
    fprintf(stderr, "# the input is in %s\n", crash_path);
}

static void on_hang(int signal_number)
{
    fprintf(stderr, "# an input of %zu bytes took longer than %d seconds\n", current.size,
            HANG_SECONDS);
    keep_current();
    _exit(2);
}

/* The target gets a block of exactly the input's size, so that one byte too far is seen. */
static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        exit(2);
    if (size)
        memcpy(copy, bytes, size);
    current.bytes = copy;
    current.size = size;
    alarm(HANG_SECONDS);
    LLVMFuzzerTestOneInput(copy, size);
    alarm(0);
    current.bytes = NULL;
    current.size = 0;
    free(copy);
}

/* A full pool forgets a random one. */
static void pool_add(const uint8_t *bytes, size_t size)
{
    int slot = pool_count < MAX_POOL ? pool_count++ : (int)random_below(MAX_POOL);
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        exit(2);
    memcpy(copy, bytes, size);
    free(pool[slot].bytes);
    pool[slot] = (input){copy, size};
}

static int read_file(const char *path, input *out)
{
    FILE *file = fopen(path, "rb");
    struct stat info;

    if (!file)
        return 0;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
        fclose(file);
        return 0;
    }
    out->bytes = malloc((size_t)info.st_size + 1);
    if (!out->bytes)
        exit(2);
    out->size = fread(out->bytes, 1, (size_t)info.st_size, file);
    fclose(file);
    return 1;
}

/* Runs every file of the folder, in the order of the names, and puts it into the pool. */
static int run_seeds(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), seeds = 0;

    for (int i = 0; i < count; i++) {
        char path[4096];
        input seed;

        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (read_file(path, &seed)) {
            run(seed.bytes, seed.size);
            if (seed.size <= LONGEST_INPUT)
                pool_add(seed.bytes, seed.size);
            free(seed.bytes);
            seeds++;
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return seeds;
}

/* Moves the tail so that a hole of `grow` bytes opens at `at`, or -grow bytes go. */
static size_t resize_at(uint8_t *bytes, size_t size, size_t at, long grow)
{
    size_t from = grow < 0 ? at + (size_t)-grow : at;

    if (from > size || size + (size_t)grow > LONGEST_INPUT)
        return size;
    memmove(bytes + (grow < 0 ? at : at + (size_t)grow), bytes + from, size - from);
    return size + (size_t)grow;
}

/* One small change, in place. What it does follows formats: counts, lengths, varints, nesting. */
static size_t mutate(uint8_t *bytes, size_t size)
{
    static const int64_t edges[] = {0,     1,      -1,        127,       128,     255,       256,
                                    32767, 65535,  INT32_MAX, INT32_MIN, 1 << 30, INT64_MAX, INT64_MIN,
                                    63,    0x7fff0000};
    size_t at = random_below(size), n, other;
    int64_t value;

    switch (random_below(9)) {
    case 0: /* flip a bit */
        if (size)
            bytes[at] ^= (uint8_t)(1u << random_below(8));
        return size;
    case 1: /* any byte */
        if (size)
            bytes[at] = (uint8_t)random_bits();
        return size;
    case 2: /* a little more, a little less */
        if (size)
            bytes[at] = (uint8_t)(bytes[at] + random_below(7) - 3);
        return size;
    case 3: /* a number at the edge of its type */
        value = edges[random_below(sizeof(edges) / sizeof(edges[0]))];
        n = (size_t)1 << random_below(4);
        if (at + n <= size)
            memcpy(bytes + at, &value, n);
        return size;
    case 4: /* cut the end off */
        return random_below(4) == 0 ? at : size;
    case 5: /* take a piece out */
        return resize_at(bytes, size, at, -(long)(1 + random_below(size - at < 32 ? size - at : 32)));
    case 6: /* put something in */
        n = 1 + random_below(16);
        other = resize_at(bytes, size, at, (long)n);
        for (size_t i = 0; i < n && other != size; i++)
            bytes[at + i] = (uint8_t)random_bits();
        return other;
    case 7: /* repeat a piece right behind itself: nesting, long lists */
        n = 1 + random_below(size - at < 64 ? size - at : 64);
        if (at + n > size)
            return size;
        other = resize_at(bytes, size, at, (long)n);
        if (other != size)
            memmove(bytes + at, bytes + at + n, n);
        return other;
    default: /* a piece of another input */
        if (pool_count > 0) {
            const input *from = &pool[random_below((size_t)pool_count)];

            other = random_below(from->size);
            n = random_below(from->size - other < 64 ? from->size - other : 64);
            if (at + n <= size && n > 0)
                memcpy(bytes + at, from->bytes + other, n);
        }
        return size;
    }
}

/* A new input in `bytes`: out of the pool with a few changes, or out of nothing. */
static size_t make_input(uint8_t *bytes)
{
    size_t size;

    if (pool_count == 0 || random_below(32) == 0) {
        size = random_below(256);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)random_bits();
        return size;
    }
    const input *from = &pool[random_below((size_t)pool_count)];

    size = from->size;
    memcpy(bytes, from->bytes, size);
    for (size_t changes = 1 + random_below(4); changes > 0; changes--)
        size = mutate(bytes, size);
    return size;
}

/* build/crash/NAME-last, or the same in FUZZ_CRASH */
static void choose_crash_path(const char *name)
{
    const char *folder = getenv("FUZZ_CRASH");

    if (!folder || !*folder) {
        folder = "build/crash";
        mkdir("build", 0777);
        mkdir(folder, 0777);
    }
    snprintf(crash_path, sizeof(crash_path), "%s/%s-last", folder, name);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[LONGEST_INPUT];
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    long runs = setting("FUZZ_RUNS", 20000), seconds = setting("FUZZ_SECONDS", 30), done;
    time_t start = time(NULL);
    int seeds = 0;
    input one;

    state = (uint64_t)setting("FUZZ_SEED", 1);
    choose_crash_path(name);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(keep_current);
    signal(SIGALRM, on_hang);
    printf("1..1\n");
    fflush(stdout);

    if (argc > 1 && read_file(argv[1], &one)) {
        run(one.bytes, one.size);
        free(one.bytes);
        printf("ok 1 - %s, %s\n", name, argv[1]);
        return 0;
    }
    run(bytes, 0);
    if (argc > 1)
        seeds = run_seeds(argv[1]);
    for (done = 0; done < runs && time(NULL) - start < seconds; done++) {
        size_t size = make_input(bytes);

        run(bytes, size);
        if (random_below(16) == 0)
            pool_add(bytes, size);
    }
    printf("ok 1 - %s, %d seeds, %ld mutations in %ld s\n", name, seeds, done,
           (long)(time(NULL) - start));
    for (int i = 0; i < pool_count; i++)
        free(pool[i].bytes);
    return 0;
}
