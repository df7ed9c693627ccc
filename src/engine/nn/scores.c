/*
 * scores.c: scores in blocks, and the area under the ROC curve.
 *
 * The area is the rank statistic: rows are sorted by their score, and walking up, every group of
 * equal scores adds its positive weight times (negative weight below + half of the group's own).
 * The sort is a radix sort of 64-bit words (score as an ordered integer, row number) over the upper
 * 32 bits, in two buffers; nothing else is needed, and its time is known.
 */
#include "nn/scores.h"

#include <math.h>

#define BLOCK_FLOATS 65536
#define POLL_ROWS 0x100000 /* a million rows of one pass take about 5 ms */
#define MAX_ROWS ((int64_t) 1 << 32)

void ax_scores_open(ax_scores *s, const ax_env *env, int n_outputs, int n_classes)
{
    *s = (ax_scores) {.env = *env, .n_outputs = n_outputs};
    s->width = n_classes == 2 ? 1 : n_outputs;
    s->block_rows = AX_MAX(BLOCK_FLOATS / (s->width + 2), 1);
}

static ax_status grow_list(ax_scores *s, ax_error *err)
{
    int cap = AX_MAX(16, s->cap_blocks * 2);
    float **block = ax_alloc(&s->env, (size_t) cap * sizeof(*block));

    if (block == NULL)
        return ax_nomem(err);
    if (s->n_blocks > 0)
        memcpy(block, s->block, (size_t) s->n_blocks * sizeof(*block));
    ax_free(&s->env, s->block);
    s->block = block;
    s->cap_blocks = cap;
    return AX_OK;
}

static size_t block_floats(const ax_scores *s)
{
    return (size_t) s->block_rows * (size_t) (s->width + 2);
}

ax_status ax_scores_reserve(ax_scores *s, int64_t rows, ax_error *err)
{
    if (rows > MAX_ROWS)
        return ax_fail(err, AX_ERR_LIMIT, "auc is limited to %lld rows", (long long) MAX_ROWS);
    while (s->room < rows) {
        if (s->n_blocks == s->cap_blocks)
            AX_TRY(grow_list(s, err));
        s->block[s->n_blocks] = ax_alloc(&s->env, block_floats(s) * sizeof(float));
        if (s->block[s->n_blocks] == NULL)
            return ax_nomem(err);
        s->n_blocks++;
        s->room += s->block_rows;
    }
    return AX_OK;
}

size_t ax_scores_memory(const ax_scores *s, int64_t rows)
{
    int64_t blocks = (rows + s->block_rows - 1) / s->block_rows;
    size_t bytes = ax_sum_alloc(0, (size_t) blocks, block_floats(s) * sizeof(float));

    return ax_sum_alloc(bytes, (size_t) rows, 2 * sizeof(uint64_t)); /* what is sorted, and its spare */
}

void ax_scores_close(ax_scores *s)
{
    for (int i = 0; i < s->n_blocks; i++)
        ax_free(&s->env, s->block[i]);
    if (s->block != NULL)
        ax_free(&s->env, s->block);
    s->block = NULL;
    s->n_blocks = s->cap_blocks = 0;
    s->room = 0;
}

static float *row_at(const ax_scores *s, int64_t row)
{
    return s->block[row / s->block_rows] + (row % s->block_rows) * (s->width + 2);
}

void ax_scores_put(ax_scores *s, int64_t row, const float *out, int32_t class, float weight)
{
    float *at = row_at(s, row);

    if (s->width == 1)
        at[0] = out[s->n_outputs - 1];
    else
        memcpy(at, out, (size_t) s->width * sizeof(float));
    memcpy(at + s->width, &class, sizeof(class));
    at[s->width + 1] = weight;
}

/* ---- the area -------------------------------------------------------------------------------- */

/* An integer in the order of the floats; the two zeros are one. */
static uint32_t ordered(float x)
{
    uint32_t bits;

    x += 0.0F;
    memcpy(&bits, &x, sizeof(bits));
    return (bits >> 31) != 0 ? ~bits : bits | UINT32_C(0x80000000);
}

static bool go_on(const ax_env *env, int64_t i)
{
    return i % POLL_ROWS != 0 || ax_may_continue(env);
}

/* One pass by the 8 bits at shift; stable. */
static bool sort_pass(const ax_env *env, const uint64_t *from, uint64_t *to, int64_t n, int shift)
{
    int64_t at[257] = {0};

    for (int64_t i = 0; i < n; i++)
        at[(from[i] >> shift & 255) + 1]++;
    for (int b = 0; b < 256; b++)
        at[b + 1] += at[b];
    for (int64_t i = 0; i < n; i++) {
        if (!go_on(env, i))
            return false;
        to[at[from[i] >> shift & 255]++] = from[i];
    }
    return true;
}

/* words: n rows of one score column, sorted into the same buffer. */
static bool sort_rows(const ax_env *env, const ax_scores *s, int column, uint64_t *words,
                      uint64_t *spare, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        words[i] = (uint64_t) ordered(row_at(s, i)[column]) << 32 | (uint64_t) i;
    return sort_pass(env, words, spare, n, 32) && sort_pass(env, spare, words, n, 40) &&
           sort_pass(env, words, spare, n, 48) && sort_pass(env, spare, words, n, 56);
}

/* Walks up the sorted rows. NaN when one side has no weight. */
static double area(const ax_scores *s, int32_t positive, const uint64_t *words, int64_t n)
{
    double sum = 0, below = 0, positives = 0;

    for (int64_t i = 0; i < n;) {
        uint64_t key = words[i] >> 32;
        double yes = 0, no = 0;

        for (; i < n && words[i] >> 32 == key; i++) {
            const float *row = row_at(s, (int64_t) (words[i] & UINT32_MAX));
            int32_t class;

            memcpy(&class, row + s->width, sizeof(class));
            if (class == positive)
                yes += (double) row[s->width + 1];
            else
                no += (double) row[s->width + 1];
        }
        sum += yes * (below + 0.5 * no);
        positives += yes;
        below += no;
    }
    return positives > 0 && below > 0 ? sum / (positives * below) : NAN;
}

static ax_status mean_area(const ax_env *env, const ax_scores *s, uint64_t *words, uint64_t *spare,
                           int64_t n, double *out, ax_error *err)
{
    double sum = 0;
    int defined = 0;

    for (int c = 0; c < s->width; c++) {
        double a;

        if (!ax_may_continue(env) || !sort_rows(env, s, c, words, spare, n))
            return ax_cancelled(err);
        a = area(s, s->width == 1 ? 1 : c, words, n);
        if (isnan(a))
            continue;
        sum += a;
        defined++;
    }
    *out = defined > 0 ? sum / defined : NAN;
    return AX_OK;
}

ax_status ax_scores_auc(const ax_env *env, const ax_scores *s, int64_t n, double *out,
                        ax_error *err)
{
    uint64_t *words = ax_alloc(env, (size_t) n * sizeof(uint64_t));
    uint64_t *spare = ax_alloc(env, (size_t) n * sizeof(uint64_t));
    ax_status status;

    if (words == NULL || spare == NULL)
        status = ax_nomem(err);
    else
        status = mean_area(env, s, words, spare, n, out, err);
    ax_free(env, words);
    ax_free(env, spare);
    return status;
}
