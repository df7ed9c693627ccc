/*
 * test_base.c: errors, memory and arenas, texts, nearest names, random bits.
 */
#include "unit.h"

#include <math.h>

/* ---- errors ---------------------------------------------------------------------------------- */

static void test_errors(void)
{
    ax_error err;
    char longer[2 * AX_TEXT_MAX];

    memset(&err, 'x', sizeof(err));
    unit_check(ax_fail(&err, AX_ERR_LIMIT, "at most %d", 3) == AX_ERR_LIMIT &&
                   err.status == AX_ERR_LIMIT,
               "ax_fail returns the status that it sets");
    unit_is_str(err.message, "at most 3", "it formats the message");
    unit_check(err.detail[0] == '\0' && err.hint[0] == '\0', "and clears detail and hint");
    ax_detail(&err, "There are %d.", 4);
    ax_hint(&err, "Ask for %s.", "less");
    unit_check(strcmp(err.detail, "There are 4.") == 0 && strcmp(err.hint, "Ask for less.") == 0,
               "detail and hint can be added");
    ax_fail(&err, err.status, "layer 2: %s", err.message);
    unit_is_str(err.message, "layer 2: at most 3", "a message can be wrapped");
    unit_check(ax_nomem(&err) == AX_ERR_NOMEM && ax_cancelled(&err) == AX_ERR_CANCELLED &&
                   err.message[0] != '\0',
               "the usual answers have their status");
    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    ax_fail(&err, AX_ERR_INVALID, "%s", longer);
    unit_is_int((long long) strlen(err.message), AX_TEXT_MAX - 1, "a long message is cut");
}

/* Wherever the cut falls, no part of a character of 2, 3 or 4 bytes is left. */
static void test_error_encoding(void)
{
    static const char *const letters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    int bad = 0;

    for (int width = 2; width <= 4; width++) {
        for (size_t shift = 0; shift < 8; shift++) {
            char text[2 * AX_TEXT_MAX] = "";
            ax_error err;

            memset(text, 'a', shift);
            while (strlen(text) < AX_TEXT_MAX + 8)
                strcat(text, letters[width - 2]);
            ax_fail(&err, AX_ERR_INVALID, "%s", text);
            bad += (strlen(err.message) - shift) % (size_t) width != 0;
            bad += strlen(err.message) < AX_TEXT_MAX - 4;
        }
    }
    unit_check(bad == 0, "a message is cut between characters");
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void test_alloc(void)
{
    const ax_env *env = unit_env();
    void *p[100];
    int bad = 0;
    char *zeros;

    for (size_t i = 0; i < 100; i++) {
        p[i] = ax_alloc(env, i * 7);
        bad += p[i] == NULL || (uintptr_t) p[i] % AX_ALIGN != 0;
        if (p[i] != NULL)
            memset(p[i], 1, i * 7);
    }
    for (size_t i = 0; i < 100; i++)
        ax_free(env, p[i]);
    unit_check(bad == 0, "memory of every size is aligned");
    ax_free(env, NULL);
    unit_check(ax_alloc(env, SIZE_MAX) == NULL && ax_alloc(env, SIZE_MAX - 80) == NULL &&
                   ax_alloc(env, SIZE_MAX / 2) == NULL,
               "absurd sizes are refused");
    unit_check(ax_alloc(unit_env_fail_at(1), 8) == NULL, "a refusal of the env is passed on");
    zeros = ax_zalloc(env, 1000);
    for (int i = 0; i < 1000; i++)
        bad += zeros[i] != 0;
    ax_free(env, zeros);
    unit_check(bad == 0, "ax_zalloc gives zeros");
}

static void test_sizes(void)
{
    size_t n;

    unit_check(ax_mul_size(3, 4, &n) && n == 12 && ax_add_size(3, 4, &n) && n == 7,
               "sizes multiply and add");
    unit_check(!ax_mul_size(SIZE_MAX / 2, 3, &n) && !ax_add_size(SIZE_MAX, 1, &n),
               "overflow is noticed");
    unit_check(ax_may_continue(unit_env()) && !ax_may_continue(unit_env_cancel_at(1)) &&
                   ax_may_continue(&(ax_env){0}),
               "the env is asked, and an env without an answer means yes");
}

static void test_arena_blocks(void)
{
    unsigned char *p[2000];
    ax_arena a;
    int bad = 0;

    ax_arena_init(&a, unit_env());
    for (int i = 0; i < 2000; i++) {
        size_t size = (size_t) (i % 50 == 0 ? unit_below(100000) : unit_below(400));

        p[i] = ax_arena_alloc(&a, size + 1);
        bad += p[i] == NULL || (uintptr_t) p[i] % (size + 1 >= 256 ? AX_ALIGN : 16) != 0;
        for (size_t j = 0; j <= size; j++)
            bad += p[i][j] != 0;
        memset(p[i], i & 0xff, size + 1);
    }
    for (int i = 0; i < 2000; i++)
        bad += p[i][0] != (i & 0xff);
    unit_check(bad == 0, "an arena's pieces are aligned, zeroed and apart");
    unit_check(a.reserved >= unit_live_bytes(), "it knows what it holds (%zu of %zu)", a.reserved,
               unit_live_bytes());
    ax_arena_free(&a);
    unit_check(unit_live_bytes() == 0 && a.reserved == 0, "one free gives everything back");
    unit_check(ax_arena_alloc(&a, 10) != NULL, "and the arena can be used again");
    ax_arena_free(&a);
    ax_arena_free(&a);
}

static void test_arena_sharing(void)
{
    long before = unit_allocations();
    ax_arena a;

    ax_arena_init(&a, unit_env());
    for (int i = 0; i < 10000; i++)
        ax_arena_alloc(&a, 16);
    unit_check(unit_allocations() - before < 30, "small pieces share blocks (%ld)",
               unit_allocations() - before);
    before = unit_allocations();
    ax_arena_alloc(&a, 5000000);
    for (int i = 0; i < 10; i++)
        ax_arena_alloc(&a, 16);
    unit_check(unit_allocations() - before <= 2, "a large piece does not end the block in use");
    ax_arena_free(&a);
}

static void test_arena_limits(void)
{
    ax_arena a;

    ax_arena_init(&a, unit_env());
    unit_check(ax_arena_alloc(&a, 0) != NULL && ax_arena_array(&a, 0, 8) != NULL,
               "nothing is something to point at");
    unit_check(ax_arena_alloc(&a, SIZE_MAX) == NULL && ax_arena_alloc(&a, SIZE_MAX / 8) == NULL &&
                   ax_arena_array(&a, SIZE_MAX / 4, 8) == NULL &&
                   ax_arena_strndup(&a, "", SIZE_MAX) == NULL,
               "sizes that overflow are refused");
    unit_is_str(ax_arena_strdup(&a, "abc"), "abc", "a copy of a string");
    unit_is_str(ax_arena_strndup(&a, "abcdef", 2), "ab", "a copy of a part");
    unit_is_str(ax_arena_printf(&a, "%s-%d", "x", 7), "x-7", "a formatted string");
    ax_arena_free(&a);
    ax_arena_init(&a, unit_env_fail_from(2));
    unit_check(ax_arena_alloc(&a, 100) != NULL && ax_arena_alloc(&a, 100000) == NULL &&
                   ax_arena_alloc(&a, 100) != NULL,
               "an arena survives a refusal");
    ax_arena_free(&a);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void test_text(void)
{
    ax_text t;
    int bad = 0;

    ax_text_init(&t, unit_env());
    ax_text_add(&t, "ab", 2);
    ax_text_addf(&t, "%d%s", 12, "c");
    unit_is_str(t.data, "ab12c", "a text grows");
    ax_text_add_json_string(&t, "q\"b\\s/\n\t\x01\x1f \xc3\xa9");
    unit_is_str(t.data, "ab12c\"q\\\"b\\\\s/\\n\\t\\u0001\\u001f \xc3\xa9\"", "with JSON strings");
    for (int i = 0; i < 5000; i++)
        ax_text_addf(&t, "%04d", i);
    bad += memcmp(t.data + t.len - 8, "49984999", 9) != 0;
    unit_check(bad == 0 && !t.failed && t.len == strlen(t.data), "and stays terminated");
    ax_text_free(&t);
    unit_check(t.data == NULL && t.len == 0, "freeing leaves an empty text");
    ax_text_add(&t, "", 0);
    unit_is_str(t.data, "", "adding nothing makes the empty string");
    ax_text_free(&t);
}

static void test_text_failure(void)
{
    int bad = 0;

    for (long n = 1;; n++) {
        ax_text t;

        ax_text_init(&t, unit_env_fail_at(n));
        for (int i = 0; i < 200; i++)
            ax_text_addf(&t, "%d,", i);
        bad += t.failed != unit_env_tripped();
        ax_text_free(&t);
        if (!unit_env_tripped())
            break;
    }
    unit_check(bad == 0, "a text remembers that memory ran out");
}

/* ---- names ----------------------------------------------------------------------------------- */

static void test_names(void)
{
    static const char *const names[] = {
        "epochs", "batch_size", "learning_rate", "Conv2D", "Dense", "MaxPooling2D", "lr"};
    static const struct {
        const char *name, *want;
    } cases[] = {{"epoch", "epochs"},
                 {"epohcs", "epochs"},
                 {"EPOCHS", "epochs"},
                 {"batchSize", "batch_size"},
                 {"batch", NULL},
                 {"learningrate", "learning_rate"},
                 {"learn_rate", "learning_rate"},
                 {"conv_2d", "Conv2D"},
                 {"conv3d", "Conv2D"},
                 {"desne", "Dense"},
                 {"maxpool2d", "MaxPooling2D"},
                 {"xy", NULL},
                 {"", NULL},
                 {"___", NULL}};
    char longest[1000];

    for (int i = 0; i < AX_COUNT(cases); i++)
        unit_is_str(ax_nearest_name(cases[i].name, names, AX_COUNT(names)), cases[i].want,
                    "nearest to \"%s\"", cases[i].name);
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    unit_check(ax_nearest_name(longest, names, AX_COUNT(names)) == NULL, "a very long name");
    unit_check(ax_nearest_name("epoch", names, 0) == NULL, "no candidates");
}

/* ---- random bits ----------------------------------------------------------------------------- */

static void test_rng_order(void)
{
    ax_rng r = ax_rng_make(42, 7), again = ax_rng_make(42, 7);
    uint64_t drawn[100];
    int bad = 0, equal = 0;

    for (int i = 0; i < 100; i++)
        drawn[i] = ax_rng_next(&r);
    for (int i = 99; i >= 0; i--)
        bad += ax_rng_at(again.key, (uint64_t) i) != drawn[i];
    unit_check(bad == 0, "a position has its number, whatever the order");
    for (uint64_t stream = 0; stream < 100; stream++) {
        ax_rng a = ax_rng_make(1, stream), b = ax_rng_make(2, stream),
               c = ax_rng_make(1, stream + 1);
        uint64_t x = ax_rng_next(&a);

        equal += x == ax_rng_next(&b) || x == ax_rng_next(&c) || x == ax_rng_next(&a);
    }
    unit_check(equal == 0, "seeds, streams and positions differ");
    unit_check(drawn[0] == UINT64_C(0x20a28ed9e2b2bc4) && drawn[99] == UINT64_C(0x220510ec5a8bb4f4),
               "the numbers are those of version 0.1 (0x%llx, 0x%llx)",
               (unsigned long long) drawn[0], (unsigned long long) drawn[99]);
}

static void test_rng_uniform(void)
{
    enum { N = 400000, BINS = 64 };
    ax_rng r = ax_rng_make(3, 0);
    int bins[BINS] = {0}, bad = 0;
    double sum = 0, sum2 = 0, lagged = 0, last = 0.5, chi = 0;

    for (int i = 0; i < N; i++) {
        double x = i % 2 ? ax_rng_uniform(&r) : ax_rng_uniform64(&r);

        bad += !(x >= 0 && x < 1);
        sum += x;
        sum2 += x * x;
        lagged += (x - 0.5) * (last - 0.5);
        last = x;
        bins[(int) (x * BINS)]++;
    }
    for (int i = 0; i < BINS; i++)
        chi += (bins[i] - N / (double) BINS) * (bins[i] - N / (double) BINS) / (N / (double) BINS);
    unit_check(bad == 0, "uniform numbers are in [0, 1)");
    unit_near(sum / N, 0.5, 0.002, "their mean");
    unit_near(sum2 / N - sum / N * sum / N, 1 / 12.0, 0.001, "their variance");
    unit_near(lagged / N, 0, 0.001, "neighbours are not related");
    unit_check(chi > 25 && chi < 120, "they fill 64 bins evenly (chi squared %.1f)", chi);
}

static void test_rng_streams(void)
{
    double sum = 0, lagged = 0, last = 0.5;
    int ones[64] = {0}, worst = 0;

    for (uint64_t stream = 0; stream < 100000; stream++) {
        ax_rng r = ax_rng_make(9, stream);
        uint64_t bits = ax_rng_next(&r);
        double x = (double) (bits >> 11) * 0x1p-53;

        sum += x;
        lagged += (x - 0.5) * (last - 0.5);
        last = x;
        for (int b = 0; b < 64; b++)
            ones[b] += (int) (bits >> b & 1);
    }
    for (int b = 0; b < 64; b++)
        worst = AX_MAX(worst, ones[b] > 50000 ? ones[b] - 50000 : 50000 - ones[b]);
    unit_near(sum / 100000, 0.5, 0.004, "first numbers of streams have the mean");
    unit_near(lagged / 100000, 0, 0.002, "neighbouring streams are not related");
    unit_check(worst < 700, "every bit is a fair coin (%d off of 100000)", worst);
}

static void test_rng_normal(void)
{
    enum { N = 400000 };
    ax_rng r = ax_rng_make(4, 0);
    double sum = 0, sum2 = 0, sum3 = 0, sum4 = 0;
    int tail = 0, bad = 0;

    for (int i = 0; i < N; i++) {
        double x = ax_rng_normal(&r);

        bad += !isfinite(x);
        sum += x;
        sum2 += x * x;
        sum3 += x * x * x;
        sum4 += x * x * x * x;
        tail += fabs(x) > 1.959964;
    }
    unit_check(bad == 0, "normal numbers are finite");
    unit_near(sum / N, 0, 0.006, "their mean");
    unit_near(sum2 / N, 1, 0.01, "their variance");
    unit_near(sum3 / N, 0, 0.02, "their skewness");
    unit_near(sum4 / N, 3, 0.02, "their kurtosis");
    unit_near((double) tail / N, 0.05, 0.002, "a twentieth lies beyond 1.96");
    unit_is_int((long long) r.counter, 2 * N, "each takes two positions");
}

static void test_rng_below(void)
{
    static const uint64_t limits[] = {
        1, 2, 3, 7, 10, 1000003, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1, UINT64_MAX};
    ax_rng r = ax_rng_make(5, 0);
    int counts[7] = {0}, bad = 0;
    double chi = 0;

    for (int i = 0; i < AX_COUNT(limits); i++) {
        for (int j = 0; j < 1000; j++)
            bad += ax_rng_below(&r, limits[i]) >= limits[i];
    }
    unit_check(bad == 0, "numbers below a limit are below it");
    for (int i = 0; i < 70000; i++)
        counts[ax_rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        chi += (counts[i] - 10000.0) * (counts[i] - 10000.0) / 10000.0;
    unit_check(chi < 25, "each as often as the others (chi squared %.1f)", chi);
}

int main(void)
{
    test_errors();
    test_error_encoding();
    test_alloc();
    test_sizes();
    test_arena_blocks();
    test_arena_sharing();
    test_arena_limits();
    test_text();
    test_text_failure();
    test_names();
    test_rng_order();
    test_rng_uniform();
    test_rng_streams();
    test_rng_normal();
    test_rng_below();
    return unit_done();
}
