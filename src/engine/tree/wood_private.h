/*
 * wood_private.h: what the files of the wood share. wood.h is the manual.
 *
 *   wood.c         the wood: checks, memory, runs of the pool, finished trees
 *   wood_draw.c    the rows of a tree
 *   wood_grow.c    one tree, node by node
 *   wood_split.c   the best split of a node
 *   wood_random.c  a random split of a node: extra_trees, isolation_forest
 *   wood_prune.c   minimal cost-complexity pruning
 *   wood_forest.c  the trees as an ax_forest, importances
 *   wood_score.c   the out-of-bag score
 *
 * A slot is a place where one tree at a time grows: a thread's memory. Slots grow side by side in runs of the pool
 * that last about SLICE_NS; a tree that is not ready by then, or whose buffers are full, waits in its slot for the
 * next run. Between the runs the caller's thread takes the finished trees out and gives the full slots more room. What
 * a tree becomes depends on (seed, tree) alone, not on the slot, the run or the clock.
 *
 * What a node adds up is `depth` numbers a bin: the weights by class, or the weight and the weighted sum of the
 * targets. The criteria are written as what they subtract, worth(sums), so that a split's gain is worth(yes) +
 * worth(no) - worth(node), and weight * impurity = base - worth with a base that a split leaves as it is:
 *
 *   gini      sum of squares / weight                 base: weight
 *   entropy   sum of n log2 n - weight log2 weight     base: 0
 *   squared   sum^2 / weight                          base: sum of squares
 */
#ifndef AX_WOOD_PRIVATE_H
#define AX_WOOD_PRIVATE_H

#include "tree/wood.h"

#define AX_WOOD_WAITING 64 /* nodes that wait when the smaller child goes first: log2 of the rows, at most */
#define AX_WOOD_READY 64   /* finished trees that a slot keeps until the run ends */

/* A row of a tree's sample. */
typedef struct ax_wood_sample {
    int32_t row;  /* of the bins */
    float weight; /* times how often it was drawn */
    union {
        int32_t class;
        float value;
    };
} ax_wood_sample;

/* 24 bytes: a tree without a depth limit has nearly as many nodes as its sample has rows. */
typedef struct ax_wood_node {
    int32_t feature; /* -1: a leaf */
    int32_t next;    /* a branch: `yes`, and `no` is behind it. A leaf: its first number; of one class: -1 - class */
    float threshold;
    uint8_t bin;
    bool equal, missing_yes, kept; /* kept: pruning's mark */
    float cover, gain;
} ax_wood_node;

typedef struct ax_wood_split {
    int32_t feature; /* -1: there is none */
    uint8_t bin, next; /* the last bin that says yes, the first one of the node behind it (numbers) */
    bool equal, missing_yes;
    bool missing;       /* the node has missing values in this column */
    bool drawn;         /* the threshold; else it is in the middle of the gap, which is found when the split is made */
    float threshold;
    double gain;
} ax_wood_split;

/* A node that waits to be split. */
typedef struct ax_wood_place {
    int32_t node, depth;
    int32_t begin, end; /* its rows in the sample */
    int32_t constants;  /* columns known to be constant: the first ones of slot->constant */
    ax_wood_split split; /* best first only: what it will be */
} ax_wood_place;

/* The sums of a node. */
typedef struct ax_wood_view {
    const ax_wood_sample *sample;
    int32_t n;
    int depth;      /* numbers a bin */
    int32_t class;  /* the class when it is pure */
    bool pure;
    bool mapped;    /* classes go through slot->local */
    double weight, worth;
} ax_wood_view;

/* A finished tree within its slot. */
typedef struct ax_wood_ready {
    int tree;
    int32_t node, n_nodes;
    int64_t value, n_values;
} ax_wood_ready;

/* A tree, taken out. */
typedef struct ax_wood_tree {
    ax_wood_node *node; /* NULL: not there yet */
    int32_t n_nodes;
    float *value;
    int64_t n_values;
} ax_wood_tree;

typedef struct ax_wood_slot {
    struct ax_wood *wood;
    int tree; /* that grows; -1: none */
    ax_rng rng;

    uint8_t *drawn; /* (n) how often */
    ax_wood_sample *sample, *scratch;
    int32_t n_sample;
    double root_weight;

    /* Ready trees and then the one that grows, whose nodes and values are counted from its first ones. */
    ax_wood_node *node;
    double *risk; /* pruning: weight * impurity of each node */
    float *value; /* pruning: of each node; else of the leaves */
    int64_t node_capacity, value_capacity;
    int64_t first_node, first_value;
    int32_t n_nodes;
    int64_t n_values;
    ax_wood_ready ready[AX_WOOD_READY];
    int n_ready;

    ax_wood_place *waiting; /* a stack, or best first a heap */
    int n_waiting, leaves;

    int32_t *column, *constant; /* (columns) the order in which they were drawn; known constants */
    double *total, *left, *right, *missing; /* (depth) */
    double *sums;    /* (256, depth): zero between two columns */
    int32_t *count;  /* (256): rows, for min_samples_leaf */
    int32_t *local;  /* (classes): number among the node's classes */
    int32_t *global; /* and back */
    uint8_t *bin;    /* (n_sample) the node's bins of one column */

    int64_t work; /* since the clock was asked */
    int64_t until;
    bool late, stopped, full;
} ax_wood_slot;

struct ax_wood {
    ax_env env;
    ax_pool *pool;
    bool own_pool;
    ax_wood_rows rows;
    ax_wood_params params;
    int width;             /* numbers a leaf */
    int depth;             /* numbers a bin, at most */
    int max_features;
    int64_t samples;       /* rows drawn for a tree */
    int32_t sample_capacity;
    int64_t max_nodes;     /* a tree cannot have more */
    int32_t min_split, min_leaf, max_depth, max_leaves;
    bool prune;
    double shift;          /* the targets' mean: sums are of what is left */

    ax_arena arena;
    ax_wood_slot *slot;
    int slots;
    atomic_int next_tree;
    atomic_bool wrap_up; /* a slot is full: the run shall end */
    bool dead;           /* cancelled, or out of memory */
    ax_wood_tree *tree; /* (trees); empty again when all are in the forest */
    int finished;

    /* out of bag, by row: fixed point, because whole numbers add up to the same in any order */
    atomic_int *share;         /* (n, classes) */
    atomic_int_fast64_t *sum;  /* (n) */
    atomic_int *seen;          /* (n) trees */
    double sum_scale;

    ax_forest forest;
    ax_tree_node *forest_node;
    float *forest_value;
    int32_t *forest_root;
    int forest_trees; /* it was made of */
};

static inline int32_t ax_wood_row(const ax_wood *w, int64_t i)
{
    return w->rows.row != NULL ? w->rows.row[i] : (int32_t) i;
}

static inline const uint8_t *ax_wood_column(const ax_wood *w, int column)
{
    return w->rows.bins->data + (size_t) column * (size_t) w->rows.bins->stride;
}

static inline bool ax_wood_yes(bool equal, uint8_t at, bool missing_yes, uint8_t bin)
{
    bool yes = equal ? bin == at : bin <= at;

    return bin == AX_BIN_MISSING ? missing_yes : yes;
}

/* wood.c. After `rows` more rows were looked at: true when the run was cancelled; sets late when the slice is over. */
bool ax_wood_tick(ax_wood_slot *s, int64_t rows);
/* wood_draw.c. Fills the sample of slot->tree; false when stopped. */
bool ax_wood_draw(ax_wood_slot *s);
/* wood_grow.c. A new tree's root; then nodes until the tree is ready (true), or the slot is late, full or stopped. */
void ax_wood_plant(ax_wood_slot *s);
bool ax_wood_extend(ax_wood_slot *s);
/* wood_split.c. The node's sums; needs no more than its rows. */
ax_wood_view ax_wood_look(ax_wood_slot *s, const ax_wood_sample *sample, int32_t n);
double ax_wood_worth(ax_criterion criterion, const double *sums, int depth);
/* The best split of the columns that are drawn; *constants grows by those that were found constant. */
ax_wood_split ax_wood_find(ax_wood_slot *s, const ax_wood_view *v, int32_t *constants);
/* wood_random.c. One random split of this column, whose bins are in slot->bin and go from low to high. */
void ax_wood_try_random(ax_wood_slot *s, const ax_wood_view *v, int32_t column, int low, int high, bool missing,
                        ax_wood_split *best);
/* wood_prune.c. Turns the branches that are not worth ccp_alpha into leaves and closes the gaps. */
void ax_wood_prune(ax_wood_slot *s);
/* wood_score.c */
void ax_wood_score_tree(ax_wood_slot *s);
double ax_wood_value_scale(const ax_wood *w);
/* wood_forest.c */
void ax_wood_drop_trees(ax_wood *w);
void ax_wood_drop_forest(ax_wood *w);

#endif /* AX_WOOD_PRIVATE_H */
