/*
 * sort.c: numbers in their order, in time that is linear in how many there are.
 */
#include "base/base.h"

#include <math.h>

#define DIGIT 11
#define DIGITS (1 << DIGIT)
#define FEW 64 /* so many are sorted faster one by one */

/* Bits whose order as unsigned integers is the order of the numbers. */
static uint32_t ordered(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof(u));
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

static float disordered(uint32_t u)
{
    float x;

    u = u & 0x80000000u ? u & 0x7fffffffu : ~u;
    memcpy(&x, &u, sizeof(x));
    return x;
}

static void insertion_sort(uint32_t *x, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        uint32_t v = x[i];
        int64_t k = i;

        for (; k > 0 && x[k - 1] > v; k--)
            x[k] = x[k - 1];
        x[k] = v;
    }
}

/* Radix sort, three turns of 11 bits. The result is in *x. */
static void radix_sort(uint32_t **x, uint32_t *other, int64_t n)
{
    for (int shift = 0; shift < 32; shift += DIGIT) {
        int64_t start[DIGITS] = {0}, at = 0;
        uint32_t *from = *x;

        for (int64_t i = 0; i < n; i++)
            start[from[i] >> shift & (DIGITS - 1)]++;
        for (int k = 0; k < DIGITS; k++) {
            int64_t count = start[k];

            start[k] = at;
            at += count;
        }
        for (int64_t i = 0; i < n; i++)
            other[start[from[i] >> shift & (DIGITS - 1)]++] = from[i];
        *x = other;
        other = from;
    }
}

int64_t ax_sort_floats(float *x, float *spare, int64_t n, const float **sorted)
{
    uint32_t *key = (uint32_t *) (void *) x;
    int64_t left = 0;

    for (int64_t i = 0; i < n; i++) {
        float v = x[i];

        if (!isnan(v))
            key[left++] = ordered(v == 0 ? 0.0f : v); /* -0 is 0 */
    }
    if (left < FEW)
        insertion_sort(key, left);
    else
        radix_sort(&key, (uint32_t *) (void *) spare, left);
    for (int64_t i = 0; i < left; i++) {
        float v = disordered(key[i]);

        memcpy(&key[i], &v, sizeof(v));
    }
    *sorted = (const float *) (const void *) key;
    return left;
}
