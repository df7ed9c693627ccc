/*
 * tree_avx512.c: the way down with AVX-512, 16 rows a vector and four vectors at once. The first levels find a branch
 * by permuting registers, so that only the rows' own numbers are gathered.
 */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "tensor/tree.h"

#define VECTORS 4

typedef struct group {
    const float *x;
    __m512i lane[VECTORS]; /* where each row begins */
    bool special;          /* NaN or == may come up */
} group;

static inline __m512i number(const group *g, int k, __m512i rule)
{
    __m512i feature = _mm512_and_si512(rule, _mm512_set1_epi32(AX_TREE_FEATURE));

    return _mm512_castps_si512(_mm512_i32gather_ps(_mm512_add_epi32(g->lane[k], feature), g->x, 4));
}

/* The rows that do not take the way of yes. */
static inline __mmask16 refuse(const group *g, int k, __m512 threshold, __m512i rule)
{
    __m512 v = _mm512_castsi512_ps(number(g, k, rule));
    __mmask16 no = _mm512_cmp_ps_mask(v, threshold, _CMP_NLE_UQ);

    if (g->special) {
        __mmask16 equal = _mm512_test_epi32_mask(rule, _mm512_set1_epi32(AX_TREE_EQUAL));
        __mmask16 missing = _mm512_test_epi32_mask(rule, _mm512_set1_epi32((int) AX_TREE_MISSING));

        no |= equal & _mm512_cmp_ps_mask(v, threshold, _CMP_NGE_UQ);
        no &= (__mmask16) ~(missing & _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q));
    }
    return no;
}

static inline __m512i child(__m512i j, __mmask16 no)
{
    __m512i two = _mm512_add_epi32(j, j);

    return _mm512_mask_or_epi32(two, no, two, _mm512_set1_epi32(1));
}

/* Levels 0 to 3 read the first 16 entries, level 4 the next 16, level 5 the rest; an index counts by its low bits. */
static inline void descend_top(const ax_tree_top *t, const group *g, int levels, __m512i *j)
{
    __m512 t0 = _mm512_load_ps(t->threshold), t1 = _mm512_load_ps(t->threshold + 16);
    __m512 t2 = _mm512_load_ps(t->threshold + 32), t3 = _mm512_load_ps(t->threshold + 48);
    __m512i r0 = _mm512_load_si512(t->rule), r1 = _mm512_load_si512(t->rule + 16);
    __m512i r2 = _mm512_load_si512(t->rule + 32), r3 = _mm512_load_si512(t->rule + 48);

    for (int d = 0; d < AX_MIN(levels, 4); d++)
        for (int k = 0; k < VECTORS; k++)
            j[k] = child(j[k], refuse(g, k, _mm512_permutexvar_ps(j[k], t0), _mm512_permutexvar_epi32(j[k], r0)));
    if (levels > 4)
        for (int k = 0; k < VECTORS; k++)
            j[k] = child(j[k], refuse(g, k, _mm512_permutexvar_ps(j[k], t1), _mm512_permutexvar_epi32(j[k], r1)));
    if (levels > 5)
        for (int k = 0; k < VECTORS; k++)
            j[k] = child(j[k], refuse(g, k, _mm512_permutex2var_ps(t2, j[k], t3),
                                      _mm512_permutex2var_epi32(r2, j[k], r3)));
}

/* What entries 0 to 63 of the exits say. */
static inline void leave_top(const ax_tree_top *t, int levels, __m512i *j)
{
    __m512i e0 = _mm512_load_si512(t->exit), e1 = _mm512_load_si512(t->exit + 16);
    __m512i e2 = _mm512_load_si512(t->exit + 32), e3 = _mm512_load_si512(t->exit + 48);

    for (int k = 0; k < VECTORS; k++) {
        __m512i i = _mm512_sub_epi32(j[k], _mm512_set1_epi32(1 << levels));
        __mmask16 high = _mm512_test_epi32_mask(i, _mm512_set1_epi32(32));

        j[k] = _mm512_mask_blend_epi32(high, _mm512_permutex2var_epi32(e0, i, e1),
                                       _mm512_permutex2var_epi32(e2, i, e3));
    }
}

static inline void descend_rest(const ax_tree *t, const group *g, __m512i *at)
{
    const int *base = (const int *) t->branch;

    for (int d = AX_TREE_TOP, moved = 1; d < t->depth && moved; d++) {
        moved = 0;
        for (int k = 0; k < VECTORS; k++) {
            __m512i i = _mm512_add_epi32(at[k], _mm512_add_epi32(at[k], at[k])); /* three words a branch */
            __m512 threshold = _mm512_castsi512_ps(_mm512_i32gather_epi32(i, base, 4));
            __m512i rule = _mm512_i32gather_epi32(i, base + 1, 4);
            __m512i next = _mm512_i32gather_epi32(i, base + 2, 4);

            next = _mm512_mask_add_epi32(next, refuse(g, k, threshold, rule), next, _mm512_set1_epi32(1));
            moved |= _mm512_cmpneq_epi32_mask(next, at[k]) != 0;
            at[k] = next;
        }
    }
    for (int k = 0; k < VECTORS; k++)
        at[k] = _mm512_i32gather_epi32(at[k], t->payload, 4);
}

static inline void descend(const ax_tree *t, const group *g, int32_t *payload, int n)
{
    int levels = AX_MIN(t->depth, AX_TREE_TOP);
    __m512i j[VECTORS];

    for (int k = 0; k < VECTORS; k++)
        j[k] = _mm512_set1_epi32(1);
    descend_top(t->top, g, levels, j);
    leave_top(t->top, levels, j);
    if (t->depth > AX_TREE_TOP)
        descend_rest(t, g, j);
    for (int k = 0; k < VECTORS && n > 16 * k; k++)
        _mm512_mask_storeu_epi32(payload + 16 * k, n >= 16 * (k + 1) ? 0xffff : (__mmask16) ((1 << (n - 16 * k)) - 1),
                                 j[k]);
}

void ax_descend_avx512(const ax_tree *t, const float *x, int64_t width, int n, bool nan, int32_t *payload)
{
    group g = {.x = x, .special = nan || t->equal};

    if (n < 8 || width > INT32_MAX / AX_TREE_ROWS) {
        ax_descend_baseline(t, x, width, n, nan, payload);
        return;
    }
    for (int k = 0; k < VECTORS; k++) {
        __m512i row = _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                       _mm512_set1_epi32(16 * k));

        /* past the last row: the last once more */
        row = _mm512_min_epi32(row, _mm512_set1_epi32(n - 1));
        g.lane[k] = _mm512_mullo_epi32(row, _mm512_set1_epi32((int) width));
    }
    if (g.special) {
        g.special = true;
        descend(t, &g, payload, n);
    } else {
        g.special = false;
        descend(t, &g, payload, n);
    }
}

#endif
