/*
 * tree_base.c: the way down for every CPU, eight rows at once.
 */
#include "tensor/tree.h"

#define ROWS 8
#define SURE 8 /* steps that are taken in any case: whether all rows have arrived is hard to predict */

static inline int32_t step(const ax_branch *b, const float *x, bool special)
{
    float v = x[b->rule & AX_TREE_FEATURE];
    bool yes = v <= b->threshold;

    if (special) {
        yes &= (b->rule & AX_TREE_EQUAL) == 0 || v >= b->threshold;
        yes |= v != v && (b->rule & AX_TREE_MISSING) != 0;
    }
    return b->next + !yes;
}

static inline void descend_rows(const ax_tree *t, const float *x, int64_t width, int n, bool special,
                                int32_t *payload)
{
    int32_t at[ROWS];
    int32_t moved = 1;

    for (int i = 0; i < n; i++)
        at[i] = t->root;
    for (int d = 0; d < AX_MIN(t->depth, SURE); d++)
        for (int i = 0; i < n; i++)
            at[i] = step(&t->branch[at[i]], x + i * width, special);
    for (int d = SURE; d < t->depth && moved != 0; d++) {
        moved = 0;
        for (int i = 0; i < n; i++) {
            int32_t next = step(&t->branch[at[i]], x + i * width, special);

            moved |= next ^ at[i];
            at[i] = next;
        }
    }
    for (int i = 0; i < n; i++)
        payload[i] = t->payload[at[i]];
}

void ax_descend_baseline(const ax_tree *t, const float *x, int64_t width, int n, bool nan, int32_t *payload)
{
    bool special = nan || t->equal;

    if (n == 1 && !special) {
        descend_rows(t, x, width, 1, false, payload);
        return;
    }
    for (; n >= ROWS; n -= ROWS, x += ROWS * width, payload += ROWS) {
        if (special)
            descend_rows(t, x, width, ROWS, true, payload);
        else
            descend_rows(t, x, width, ROWS, false, payload);
    }
    if (n > 0)
        descend_rows(t, x, width, n, true, payload);
}
