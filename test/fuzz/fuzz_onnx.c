/*
 * fuzz_onnx.c: any bytes as a model. What is read must survive what the database does next: asking
 * for its weights, its layers, its shape; and a prediction when it has all its weights.
 */
#include <stdlib.h>

#include "ax.h"

#define BUDGET ((size_t) 64 << 20)

typedef struct budget {
    size_t live;
} budget;

static void *take(void *ctx, size_t size)
{
    budget *b = ctx;
    size_t *p;

    if (size > BUDGET || b->live + size > BUDGET)
        return NULL;
    p = malloc(size + 16);
    if (p == NULL)
        return NULL;
    p[0] = size;
    b->live += size;
    return p + 2;
}

static void give(void *ctx, void *p)
{
    budget *b = ctx;
    size_t *start = (size_t *) p - 2;

    b->live -= start[0];
    free(start);
}

static void use(ax_model *m)
{
    ax_error err;
    ax_weight w;
    int64_t width = ax_model_input_width(m);

    for (int i = 0; i < ax_model_weight_count(m); i++)
        if (ax_model_weight_at(m, i, &w, &err) == AX_OK && w.bytes < 4096) {
            void *zeros = calloc(1, w.bytes + 1);

            (void) !ax_model_fill_weight(m, w.name, 0, zeros, w.bytes, &err);
            free(zeros);
        }
    if (ax_model_ready(m, &err) == AX_OK && width < 65536 && ax_model_outputs(m) < 65536) {
        void *row = calloc((size_t) width + 1, 8);
        float *out = calloc((size_t) ax_model_outputs(m) + 1, sizeof(float));

        if (ax_model_predict(m, row, 1, out, &err) == AX_OK)
            (void) ax_model_decide(m, out);
        free(row);
        free(out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    budget b = {0};
    ax_env env = {take, give, NULL, &b};
    ax_model *m = NULL;
    ax_error err;

    if (ax_model_decode(&env, data, size, &m, &err) == AX_OK) {
        use(m);
        ax_model_free(m);
    }
    if (b.live != 0)
        abort(); /* a leak */
    return 0;
}
