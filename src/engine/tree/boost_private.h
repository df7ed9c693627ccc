/*
 * boost_private.h: what the files of the booster share.
 *
 *   boost.c            the booster: what it is made of, rounds, the forest
 *   boost_loss.c       gradients, hessians, losses, where predictions start, leaves that are quantiles
 *   boost_grow.c       a tree: which node is split next
 *   boost_part.c       rows to the sides of a split
 *   boost_leaves.c     values of leaves, scores
 *   boost_histogram.c  sums of gradients by bin
 *   boost_split.c      the best split of a node by its histogram
 *
 * The rows of the training are numbered anew from 0 ("local"), and their bytes are copied into tiles: eight columns of
 * a row lie together, so one load brings eight bins, and the histograms of a tile's columns fit into the first cache.
 */
#ifndef AX_BOOST_PRIVATE_H
#define AX_BOOST_PRIVATE_H

#include "tree/boost.h"
#include "tree/work.h"

#define TILE_COLUMNS 8
#define HIST_BINS    256 /* of a column; the last one is AX_BIN_MISSING */
#define ROW_BLOCK    16384 /* rows of a task that goes over all rows once */
#define CHUNK        1024  /* rows that a kernel is given at once */

/* Sums of gradients and hessians. */
typedef double pair_sum __attribute__((vector_size(16)));

typedef struct gradient {
    float g, h;
} gradient;

/* Columns at, at + 1, ... of all local rows: (n, width) bytes. The last one may be half as wide. */
typedef struct tile {
    int first, columns; /* of the table */
    int width;          /* bytes of a row: 8 or 4 */
    uint8_t *data;
} tile;

typedef struct split {
    double gain; /* 0: none */
    int column, bin;
    bool equal, missing_yes;
    double g_yes, h_yes, g_no, h_no;
} split;

/* A node that is being grown. */
typedef struct leaf {
    int32_t node; /* of the forest */
    int depth;
    int64_t from, to;    /* of booster.index */
    double g, h;
    double lower, upper; /* bounds of its value: monotone columns */
    int slot;            /* its histogram, or -1 */
    split best;
} leaf;

/* The last tree in terms of bins: node i is the forest's node first + i. */
typedef struct bin_node {
    int32_t column; /* -1: a leaf */
    uint8_t bin;
    bool equal, missing_yes;
    int32_t yes, no;
    float value;
} bin_node;

/* An array that grows. */
typedef struct growing {
    void *data;
    int64_t n, room;
} growing;

struct ax_booster {
    ax_work work;
    ax_boost_params params;
    ax_boost_rows train, valid; /* valid.bins NULL: none */
    int columns, outputs;
    int64_t n;

    tile *tile;
    int tiles;
    int32_t *index, *other; /* (n) local rows, in the order of the leaves; room to sort them */
    int64_t sampled;        /* rows of the round: the first of index */
    gradient *gradient;     /* (n) of the output whose tree is grown */
    float *score;           /* (outputs, n) */
    float *valid_score;     /* (outputs, valid.n) */
    float *norm;            /* (n) softmax: log of the sum of exponentials, at the start of the round */
    float *base;            /* (outputs) */
    double *block_sum;      /* (blocks, 2) */
    int8_t *monotone;       /* (columns) or NULL */

    pair_sum *hist;         /* (slots, columns rounded up, HIST_BINS) */
    pair_sum *partial;      /* (parts, columns rounded up, HIST_BINS) */
    int64_t slot_size;      /* pairs */
    int slots, parts;
    int64_t part_rows;      /* rows whose histogram is made by one task */
    int *free_slot, n_free;

    int batch;              /* splits made at once, at most */
    uint8_t *mask;          /* (2 * batch, columns) which columns may split a node */
    uint8_t *tree_mask;     /* (columns) */
    int32_t *pick;          /* (columns) */
    split *found;           /* (2 * batch, tiles) */

    growing leaves;         /* leaf: those that may be split */
    growing ends;           /* leaf: those that will not */
    growing bin_nodes;      /* bin_node */
    growing nodes;          /* ax_tree_node */
    growing values;         /* float */
    growing roots, ats;     /* int32_t */
    growing round_nodes;    /* int64_t: nodes after each round */

    int rounds, best_round;
    double best_loss, train_loss, valid_loss; /* of the last round; NaN: not known yet */
    bool loss_known, finished;
    double *gain, *count; /* (columns) */
    double *round_gain;   /* of the rounds after the best one: (2, columns) */
    ax_forest forest;
};

static inline int64_t block_count(int64_t n)
{
    return (n + ROW_BLOCK - 1) / ROW_BLOCK;
}

static inline int64_t global_row(const ax_boost_rows *rows, int64_t local)
{
    return rows->row != NULL ? rows->row[local] : local;
}

static inline float row_weight(const ax_boost_params *p, const ax_boost_rows *rows, int64_t row)
{
    float w = rows->weights != NULL ? rows->weights[row] : 1;

    if (p->loss == AX_BOOST_LOGISTIC && rows->classes[row] == 1)
        w *= (float) p->scale_pos_weight;
    return w;
}

/* Number of the first node of the tree that is being grown. */
static inline int32_t first_node(const ax_booster *b)
{
    return ((const int32_t *) b->roots.data)[b->roots.n - 1];
}

static inline ax_tree_node *node_at(ax_booster *b, int32_t node)
{
    return (ax_tree_node *) b->nodes.data + node;
}

static inline bin_node *bin_node_at(ax_booster *b, int32_t node)
{
    return (bin_node *) b->bin_nodes.data + (node - first_node(b));
}

/* Makes room for `more` entries of `size` bytes. */
bool ax_boost_growing_room(const ax_env *env, growing *a, int64_t more, size_t size);

/* ---- boost_loss.c ----------------------------------------------------------------------------- */

/* base; the scores are zero. */
ax_status ax_boost_loss_base(ax_booster *b, ax_error *err);
/* norm, at the start of a round. */
ax_status ax_boost_loss_prepare(ax_booster *b, ax_error *err);
/* gradient, of an output. */
ax_status ax_boost_loss_gradients(ax_booster *b, int output, ax_error *err);
bool ax_boost_loss_has_quantile_leaves(const ax_booster *b);
/* Puts quantiles of what is left into the values of the ends. */
ax_status ax_boost_loss_quantile_leaves(ax_booster *b, ax_error *err);
/* Means over the rows of the training, or of valid. */
ax_status ax_boost_loss_mean(ax_booster *b, bool valid, double *mean, ax_error *err);

/* ---- boost_histogram.c ------------------------------------------------------------------------ */

/* Two children of a split: the histogram of one is made of its rows, and that of the other is what is left of their
 * parent's. small->slot and large->slot are set; large's holds the parent's sums, or (both) is made of rows too. */
typedef struct sibling_pair {
    leaf *small, *large; /* large NULL: a root */
    bool both;
} sibling_pair;

ax_status ax_boost_make_tiles(ax_booster *b, ax_error *err);
/* Sums by bin of the pairs' rows, and the best splits into found[2 * pair] (small), [2 * pair + 1] (large), by mask. */
ax_status ax_boost_make_histograms(ax_booster *b, const sibling_pair *pair, int pairs, ax_error *err);

/* ---- boost_split.c ---------------------------------------------------------------------------- */

/* The best split of a leaf by the columns of a tile; mask (columns): those that may be used. */
void ax_boost_split_search(const ax_booster *b, const leaf *l, const pair_sum *hist, const tile *t, const uint8_t *mask,
                           split *best);
/* The value of a leaf of these sums, before the learning rate. */
double ax_boost_leaf_weight(const ax_boost_params *p, double g, double h, double lower, double upper);
bool ax_boost_split_is_better(const split *a, const split *b);

/* ---- boost_part.c ----------------------------------------------------------------------------- */

/* A stretch of the rows of a leaf, and how many of them go to `yes`. */
typedef struct stretch {
    int leaf;
    int64_t from, to, yes;
    int64_t to_yes, to_no; /* where they go */
} stretch;

/* The rows of leaves, cut into stretches: *n of them, to be freed; NULL when there is no memory. What
 * follows `to` is not set. */
stretch *ax_boost_stretches(const ax_booster *b, const leaf *l, int64_t leaves, int *n);
/* Parts the rows of n leaves by their splits, in order; yes[i]: how many of leaf i went to `yes`. */
ax_status ax_boost_part_rows(ax_booster *b, const leaf *l, int n, int64_t *yes, ax_error *err);

/* ---- boost_leaves.c --------------------------------------------------------------------------- */

/* The ends become leaves of the tree, with their values. */
ax_status ax_boost_write_leaves(ax_booster *b, ax_error *err);
/* Adds the tree to the scores of an output, of all rows. */
ax_status ax_boost_add_tree(ax_booster *b, int output, ax_error *err);

/* ---- boost_grow.c ----------------------------------------------------------------------------- */

/* One tree for an output: appended to the forest's arrays; scores are brought up to date. */
ax_status ax_boost_grow_tree(ax_booster *b, int output, ax_error *err);

#endif /* AX_BOOST_PRIVATE_H */
