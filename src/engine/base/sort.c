/*
 * sort.c: numbers in their order, in time that is linear in how many there are.
 */
#include "base/base.h"

#include <math.h>

#define DIGIT_BITS 11
#define DIGITS     (1 << DIGIT_BITS)
#define ASK_EVERY  (1 << 20)

uint32_t ax_key_of_float(float x)
{
    uint32_t bits;

    x += 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &x, sizeof(bits));
    return bits ^ ((bits >> 31) != 0 ? UINT32_MAX : UINT32_C(0x80000000));
}

float ax_float_of_key(uint32_t key)
{
    float x;

    key ^= (key >> 31) != 0 ? UINT32_C(0x80000000) : UINT32_MAX;
    memcpy(&x, &key, sizeof(x));
    return x;
}

/* One pass: a stable sort by the digit at `shift`. False: stopped. */
static bool sort_by_digit(const uint32_t *key, uint32_t *out, int64_t n, int shift, int64_t *place,
                          bool (*stopped)(void *arg), void *arg)
{
    for (int64_t from = 0; from < n; from += ASK_EVERY) {
        int64_t to = AX_MIN(n, from + ASK_EVERY);

        if (stopped != NULL && stopped(arg))
            return false;
        for (int64_t i = from; i < to; i++)
            out[place[(key[i] >> shift) & (DIGITS - 1)]++] = key[i];
    }
    return true;
}

/* Counts become the places of the first key of each digit. True: all keys have the same digit. */
static bool make_places(int64_t *place, int64_t n)
{
    int64_t at = 0;

    for (int d = 0; d < DIGITS; d++) {
        int64_t count = place[d];

        if (count == n)
            return true;
        place[d] = at;
        at += count;
    }
    return false;
}

uint32_t *ax_sort_keys(uint32_t *key, uint32_t *other, int64_t n, bool (*stopped)(void *arg), void *arg)
{
    int64_t place[3][DIGITS];

    memset(place, 0, sizeof(place));
    for (int64_t i = 0; i < n; i++) {
        place[0][key[i] & (DIGITS - 1)]++;
        place[1][(key[i] >> DIGIT_BITS) & (DIGITS - 1)]++;
        place[2][key[i] >> (2 * DIGIT_BITS)]++;
    }
    for (int d = 0; d < 3; d++) {
        uint32_t *swap = key;

        if (make_places(place[d], n))
            continue;
        if (!sort_by_digit(key, other, n, d * DIGIT_BITS, place[d], stopped, arg))
            return NULL;
        key = other;
        other = swap;
    }
    return key;
}

int64_t ax_sort_floats(float *x, float *spare, int64_t n, const float **sorted)
{
    uint32_t *key = (uint32_t *) (void *) x;
    int64_t left = 0;

    for (int64_t i = 0; i < n; i++) {
        float v = x[i];

        if (!isnan(v))
            key[left++] = ax_key_of_float(v);
    }
    key = ax_sort_keys(key, (uint32_t *) (void *) spare, left, NULL, NULL);
    for (int64_t i = 0; i < left; i++) {
        float v = ax_float_of_key(key[i]);

        memcpy(&key[i], &v, sizeof(v));
    }
    *sorted = (const float *) (const void *) key;
    return left;
}
