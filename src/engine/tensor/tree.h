/*
 * tree.h: rows on their way down a decision tree. One function an instruction set, reached through
 * ax_kernels_get()->descend.
 *
 * The two children of a branch stand side by side, and a leaf is a branch that every row leaves for itself: a tree of
 * depth d is d steps without a jump, and many rows are on their way at once. Where the CPU can permute 16 numbers
 * within a register, the first steps read a second form of the tree's top, which fits a few registers: its branches by
 * level, 1 at the root, 2 n and 2 n + 1 below branch n; what a leaf above the sixth level leads to is repeated.
 */
#ifndef AX_TREE_H
#define AX_TREE_H

#include "tensor/tensor.h"

#define AX_TREE_MISSING 0x80000000u /* of a rule: NaN goes the way of yes */
#define AX_TREE_EQUAL   0x40000000u /* yes is ==, else <= */
#define AX_TREE_FEATURE 0x3fffffffu
#define AX_TREE_TOP     6           /* levels */
#define AX_TREE_ROWS    64          /* at once, at most */
#define AX_TREE_SIDE    8           /* trees that one row goes down side by side */

typedef struct ax_branch {
    float threshold;
    uint32_t rule; /* a feature, and bits */
    int32_t next;  /* where yes leads to; no to the one behind it */
} ax_branch;

typedef struct ax_tree_top {
    float threshold[1 << AX_TREE_TOP];
    uint32_t rule[1 << AX_TREE_TOP];
    int32_t exit[1 << AX_TREE_TOP]; /* a branch; the payload of a leaf where the tree has no more levels */
} ax_tree_top;

typedef struct ax_tree {
    const ax_branch *branch;
    const int32_t *payload; /* (branches) of the leaves: the bits of a number, or where its numbers stand */
    const ax_tree_top *top;
    int32_t root;
    int depth;  /* steps to the deepest leaf */
    bool equal; /* some rule is == */
} ax_tree;

/* The payloads of the leaves that n rows (at most AX_TREE_ROWS) of `width` numbers end in. nan: some may be NaN. */
typedef void (*ax_descend_fn)(const ax_tree *t, const float *x, int64_t width, int n, bool nan, int32_t *payload);

/* The payloads of the leaves that one row ends in, in n trees (at most AX_TREE_SIDE) of one array of branches. */
void ax_descend_row(const ax_tree *t, int n, const float *x, bool nan, int32_t *payload);

void ax_descend_baseline(const ax_tree *t, const float *x, int64_t width, int n, bool nan, int32_t *payload);
void ax_descend_avx512(const ax_tree *t, const float *x, int64_t width, int n, bool nan, int32_t *payload);

#endif /* AX_TREE_H */
