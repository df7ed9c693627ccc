/*
 * peer_ort.c: ONNX Runtime as a contender of the benchmarks, through its C API.
 *
 *     peer_ort LIBRARY MODEL.onnx INPUT THREADS BATCHxDIMS
 *
 * INPUT holds the floats of one batch. The protocol is that of engine.c: "ready VERSION", then the
 * commands block and output.
 *
 * Neither the library nor its header is needed to build this. The API is a struct of function
 * pointers that only ever grows at its end, so a slot is known by its number; the few in use are
 * declared here with their types.
 *
 * Its settings are those in which it is fastest: every graph optimization, one session of THREADS
 * threads that run one operator at a time, and after the first run an output that is there already.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_RANK 8

typedef struct ort_thing ort_thing; /* an environment, a session, a tensor, ... */
typedef ort_thing *ort_status;      /* NULL when all is well */
typedef void (*ort_function)(void);

typedef struct ort_base {
    const ort_function *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} ort_base;

enum {
    API_VERSION = 1,
    LOG_ERRORS = 3,
    SEQUENTIAL = 0,
    OPTIMIZE_ALL = 99,
    ARENA = 1,
    DEFAULT_MEMORY = 0,
    FLOAT = 1
};

/* Slots of the struct, and the functions in them. */
#define GET_ERROR_MESSAGE(a) ((const char *(*)(ort_status))(a)[2])
#define CREATE_ENV(a)        ((ort_status(*)(int, const char *, ort_thing **))(a)[3])
#define CREATE_SESSION(a)                                                                          \
    ((ort_status(*)(ort_thing *, const char *, const ort_thing *, ort_thing **))(a)[7])
#define RUN(a)                                                                                     \
    ((ort_status(*)(ort_thing *, const ort_thing *, const char *const *, const ort_thing *const *, \
                    size_t, const char *const *, size_t, ort_thing **))(a)[9])
#define CREATE_OPTIONS(a)    ((ort_status(*)(ort_thing **))(a)[10])
#define SET_MODE(a)          ((ort_status(*)(ort_thing *, int))(a)[13])
#define SET_OPTIMIZATION(a)  ((ort_status(*)(ort_thing *, int))(a)[23])
#define SET_INTRA_THREADS(a) ((ort_status(*)(ort_thing *, int))(a)[24])
#define SET_INTER_THREADS(a) ((ort_status(*)(ort_thing *, int))(a)[25])
#define INPUT_NAME(a)        ((ort_status(*)(const ort_thing *, size_t, ort_thing *, char **))(a)[36])
#define OUTPUT_NAME(a)       ((ort_status(*)(const ort_thing *, size_t, ort_thing *, char **))(a)[37])
#define CREATE_TENSOR(a)                                                                           \
    ((ort_status(*)(const ort_thing *, void *, size_t, const int64_t *, size_t, int,               \
                    ort_thing **))(a)[49])
#define TENSOR_DATA(a)       ((ort_status(*)(ort_thing *, void **))(a)[51])
#define ELEMENT_COUNT(a)     ((ort_status(*)(const ort_thing *, size_t *))(a)[64])
#define TENSOR_SHAPE(a)      ((ort_status(*)(const ort_thing *, ort_thing **))(a)[65])
#define CREATE_CPU_MEMORY(a) ((ort_status(*)(int, int, ort_thing **))(a)[69])
#define DEFAULT_ALLOCATOR(a) ((ort_status(*)(ort_thing **))(a)[78])

static const ort_function *api;
static ort_thing *session, *input, *output;
static char *input_name, *output_name;
static int64_t dim[MAX_RANK];
static int rank;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

__attribute__((format(printf, 1, 2))) static void answer(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

__attribute__((noreturn)) static void give_up(const char *message)
{
    answer("failed %s", message);
    exit(1);
}

static void need(ort_status status)
{
    if (status != NULL)
        give_up(GET_ERROR_MESSAGE(api)(status));
}

/* ---- a session and its input ----------------------------------------------------------------- */

static const char *open_library(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const ort_base *(*get_base)(void);

    if (library == NULL)
        give_up(dlerror());
    *(void **)&get_base = dlsym(library, "OrtGetApiBase");
    if (get_base == NULL)
        give_up("the library is not ONNX Runtime");
    api = get_base()->get_api(API_VERSION);
    if (api == NULL)
        give_up("the library has another API");
    return get_base()->get_version();
}

static void open_session(const char *model, int threads)
{
    ort_thing *env, *options, *allocator;

    need(CREATE_ENV(api)(LOG_ERRORS, "bench", &env));
    need(CREATE_OPTIONS(api)(&options));
    need(SET_MODE(api)(options, SEQUENTIAL));
    need(SET_OPTIMIZATION(api)(options, OPTIMIZE_ALL));
    need(SET_INTRA_THREADS(api)(options, threads));
    need(SET_INTER_THREADS(api)(options, 1));
    need(CREATE_SESSION(api)(env, model, options, &session));
    need(DEFAULT_ALLOCATOR(api)(&allocator));
    need(INPUT_NAME(api)(session, 0, allocator, &input_name));
    need(OUTPUT_NAME(api)(session, 0, allocator, &output_name));
}

static size_t read_shape(const char *text)
{
    size_t count = 1;
    char *end;

    for (rank = 0; rank < MAX_RANK; text = end + 1) {
        dim[rank] = strtoll(text, &end, 10);
        count *= (size_t)dim[rank++];
        if (*end != 'x')
            break;
    }
    return count;
}

static void make_input(const char *path, size_t count)
{
    ort_thing *memory;
    float *data = malloc(count * sizeof(float));
    FILE *f = fopen(path, "rb");

    if (data == NULL || f == NULL || fread(data, sizeof(float), count, f) != count)
        give_up("the input cannot be read");
    fclose(f);
    need(CREATE_CPU_MEMORY(api)(ARENA, DEFAULT_MEMORY, &memory));
    need(CREATE_TENSOR(api)(memory, data, count * sizeof(float), dim, (size_t)rank, FLOAT, &input));
}

/* ---- commands -------------------------------------------------------------------------------- */

/* The output that the first run made is what the next ones write to. */
static void run(void)
{
    const char *const in_name[] = {input_name}, *const out_name[] = {output_name};
    const ort_thing *const in[] = {input};

    need(RUN(api)(session, NULL, in_name, in, 1, out_name, 1, &output));
}

static void block(double seconds)
{
    double start = now(), end;
    int64_t rows = 0;

    do {
        run();
        rows += dim[0];
        end = now();
    } while (end < start + seconds);
    answer("block %lld %.9f", (long long)rows, end - start);
}

static void write_output(const char *path)
{
    FILE *f = fopen(path, "wb");
    ort_thing *shape;
    size_t count = 0;
    void *data = NULL;
    bool written;

    run();
    need(TENSOR_SHAPE(api)(output, &shape));
    need(ELEMENT_COUNT(api)(shape, &count));
    need(TENSOR_DATA(api)(output, &data));
    written = f != NULL && fwrite(data, sizeof(float), count, f) == count;
    if (f != NULL && fclose(f) != 0)
        written = false;
    answer(written ? "done" : "failed to write %s", path);
}

int main(int argc, char **argv)
{
    char line[4096], command[16], argument[4000];
    const char *version;

    if (argc != 6)
        give_up("peer_ort LIBRARY MODEL INPUT THREADS SHAPE");
    version = open_library(argv[1]);
    open_session(argv[2], atoi(argv[4]));
    make_input(argv[3], read_shape(argv[5]));
    answer("ready %s", version);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        argument[0] = '\0';
        if (sscanf(line, "%15s %3999[^\n]", command, argument) < 1)
            continue;
        if (strcmp(command, "block") == 0)
            block(strtod(argument, NULL));
        else if (strcmp(command, "output") == 0)
            write_output(argument);
        else
            give_up("unknown command");
    }
    return 0;
}
