/*
 * bins_private.h: what the files of the binner share.
 *
 *   bins.c         rows come in, the table comes out
 *   bins_piece.c   floats become bytes, piece by piece
 *   bins_merge.c   common bins of the pieces
 *   cuts.c         where a list of values is cut
 */
#ifndef AX_BINS_PRIVATE_H
#define AX_BINS_PRIVATE_H

#include "tree/bins.h"
#include "tree/cuts.h"
#include "tree/work.h"

/* The bins of a column in one or more pieces. */
typedef struct cuts {
    struct cuts *next; /* older */
    int n;
    bool exact;        /* a bin a value */
    float low, high;   /* smallest and largest value */
    float edge[AX_MAX_BINS];   /* n - 1, then infinities */
    float value[AX_MAX_BINS];  /* exact: of each bin */
    int64_t count[AX_MAX_BINS];
    uint8_t map[AX_MAX_BINS + 1]; /* to the bins of the table */
} cuts;

typedef struct piece {
    struct piece *next;
    int64_t rows, stride;
    uint8_t *data;   /* (columns, stride) */
    cuts **of;       /* (columns) */
} piece;

typedef struct binner_column {
    bool category, missing;
    int codes; /* category: the largest code and one */
    cuts *newest;
} binner_column;

struct ax_binner {
    ax_env env;
    int columns, max_bin;
    int64_t rows, raw_rows, raw_limit;
    int64_t chunk_rows;
    float **chunk; /* each (columns, chunk_rows) */
    int64_t n_chunks;
    binner_column *column;
    piece *first, *last;
    size_t memory;
};

/* ax_alloc, counted. */
void *ax_binner_take(ax_binner *b, size_t size);

/* ---- bins_piece.c ----------------------------------------------------------------------------- */

/* Turns the floats that are there into the last piece. */
ax_status ax_binner_seal(ax_binner *b, ax_pool *pool, ax_error *err);
void ax_binner_free_piece(ax_binner *b, piece *p);

/* ---- bins_merge.c ----------------------------------------------------------------------------- */

/* The bins of a column of the table, and the map to them of each of its cuts. */
ax_status ax_binner_close_column(ax_binner *b, int column, ax_bin_column *out, ax_error *err);

#endif /* AX_BINS_PRIVATE_H */
