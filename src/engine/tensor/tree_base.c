/*
 * tree_base.c: the way down for every CPU, eight rows at once, or one row in eight trees.
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

/* A step waits for the one before it in the same tree; those of other trees need not. A leaf leads to itself. */
static inline void descend_trees(const ax_tree *t, int n, const float *x, bool special, int32_t *payload)
{
    const ax_branch *branch = t[0].branch;
    int32_t at[AX_TREE_SIDE], moved = 1;
    int depth = 0;

    for (int k = 0; k < n; k++) {
        at[k] = t[k].root;
        depth = AX_MAX(depth, t[k].depth);
    }
    for (int d = 0; d < AX_MIN(depth, SURE); d++)
        for (int k = 0; k < n; k++)
            at[k] = step(&branch[at[k]], x, special);
    for (int d = SURE; d < depth && moved != 0; d++) {
        moved = 0;
        for (int k = 0; k < n; k++) {
            int32_t next = step(&branch[at[k]], x, special);

            moved |= next ^ at[k];
            at[k] = next;
        }
    }
    for (int k = 0; k < n; k++)
        payload[k] = t[0].payload[at[k]];
}

void ax_descend_row(const ax_tree *t, int n, const float *x, bool nan, int32_t *payload)
{
    bool special = nan;

    for (int k = 0; k < n; k++)
        special |= t[k].equal;
    if (n == AX_TREE_SIDE && !special)
        descend_trees(t, AX_TREE_SIDE, x, false, payload);
    else if (n == AX_TREE_SIDE)
        descend_trees(t, AX_TREE_SIDE, x, true, payload);
    else
        descend_trees(t, n, x, true, payload);
}
