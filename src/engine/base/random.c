/*
 * random.c: counter-based random bits. SplitMix64 (Steele, Lea and Flood, "Fast splittable
 * pseudorandom number generators", 2014) is a mix function over a counter, so the number at any
 * position is one evaluation away, and positions can be shared out among threads freely.
 */
#include "base/base.h"

#include <math.h>

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15) /* 2^64 over the golden ratio, odd */

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/*
 * Two keys give the same sequence at different positions; where a key starts is spread by mixing
 * twice, so that streams 0, 1, 2, ... of a seed are as far apart as chance puts them.
 */
ax_rng ax_rng_make(uint64_t seed, uint64_t stream)
{
    return (ax_rng){.key = mix(mix(seed + GOLDEN) + stream * GOLDEN + GOLDEN), .counter = 0};
}

uint64_t ax_rng_at(uint64_t key, uint64_t position)
{
    return mix(key + (position + 1) * GOLDEN);
}

uint64_t ax_rng_next(ax_rng *r)
{
    return ax_rng_at(r->key, r->counter++);
}

float ax_rng_uniform(ax_rng *r)
{
    return (float) (ax_rng_next(r) >> 40) * 0x1p-24f;
}

double ax_rng_uniform64(ax_rng *r)
{
    return (double) (ax_rng_next(r) >> 11) * 0x1p-53;
}

/* Takes two positions, always, and drops the sine: a position then says which number it is. */
float ax_rng_normal(ax_rng *r)
{
    double u = 1.0 - ax_rng_uniform64(r); /* (0, 1]: its logarithm is finite */
    double v = ax_rng_uniform64(r);

    return (float) (sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

/* The high word of bits * n; the few low words that would favour some numbers are drawn again. */
uint64_t ax_rng_below(ax_rng *r, uint64_t n)
{
    unsigned __int128 product;
    uint64_t unfair = -n % n; /* 2^64 mod n */

    do {
        product = (unsigned __int128) ax_rng_next(r) * n;
    } while ((uint64_t) product < unfair);
    return (uint64_t) (product >> 64);
}
