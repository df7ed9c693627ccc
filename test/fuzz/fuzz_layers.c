/*
 * fuzz_layers.c: any text as a list of layers. What is taken is built on small rows, within a budget of
 * memory, and asked for one prediction; nothing may leak.
 */
#include <stdlib.h>
#include <string.h>

#include "ax.h"

#define BUDGET ((size_t) 16 << 20)

static size_t live;

static void *take(void *ctx, size_t size)
{
    size_t *p = live + size > BUDGET || size > BUDGET ? NULL : malloc(size + 16);

    (void) ctx;
    if (p == NULL)
        return NULL;
    p[0] = size;
    live += size;
    return p + 2;
}

static void give(void *ctx, void *p)
{
    size_t *start = (size_t *) p - 2;

    (void) ctx;
    live -= start[0];
    free(start);
}

static void build(const ax_env *env, const char *text, size_t size, const ax_options *o, int rank)
{
    ax_model_spec spec = {.name = "fuzz", .layers = text, .layers_len = size, .input_type = AX_UINT8,
                          .input_rank = rank, .input_dim = {rank == 1 ? 48 : 4, 4, 3},
                          .task = AX_TASK_CLASSIFICATION, .n_outputs = 1, .n_classes = 2};
    unsigned char row[48] = {1, 2, 3};
    float out[2];
    ax_model *m = NULL;
    ax_error err;

    if (ax_model_build(env, &spec, o, &m, &err) != AX_OK)
        return;
    (void) !ax_model_predict(m, row, 1, out, &err);
    ax_model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_env env = {take, give, NULL, NULL};
    ax_options *o = NULL;
    ax_error err;
    ax_task hint;

    if (ax_options_parse(&env, NULL, 0, &o, &err) != AX_OK)
        return 0;
    if (ax_network_check(&env, (const char *) data, size, o, &hint, &err) == AX_OK) {
        build(&env, (const char *) data, size, o, 1);
        build(&env, (const char *) data, size, o, 3);
    }
    ax_options_free(o);
    if (live != 0)
        abort(); /* a leak */
    return 0;
}
