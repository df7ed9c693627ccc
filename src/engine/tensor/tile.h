/*
 * tile.h: one inner loop for convolutions and matrix products, forward and backward.
 *
 * A convolution on channels-last data, the gradient of its input, the gradient of its kernel, and the three
 * products of a dense layer are all the same sum:
 *
 *     out[p][m] = sum over runs r and steps j of   x[at[p] + run[r] + j * step] * y[row][m]
 *                 with row = r * len + j, or with y_run: row j of what begins at y + y_run[r]
 *
 * Only the meaning of p, r and j differs, and it stands in three small tables of offsets, made when a graph is
 * planned:
 *
 *     forward     p output pixels     r rows of the window        j (column, channel) of the window
 *     d input     p input pixels      r rows of the flipped one   j (column, output channel)
 *     d kernel    p taps              r rows of output pixels     j output pixels of a row
 *     dense       p rows              one run                     j inner dimension
 *
 * The kernel keeps a tile of up to 12 p by 2 vectors of m in registers (AVX-512; 6 by 2 otherwise) and reads x by
 * broadcasts, so offsets may be arbitrary at no cost: strides, dilations, groups and pools are tables, not code.
 * It runs at the CPU's peak where y's block stays in the cache.
 *
 * y is read in blocks of the table's `block` columns (two vectors): block b starts at y + b *
 * y_block, its rows are ldy apart. Weights are packed so that a block is contiguous; the gradient of a kernel reads
 * dY as it lies (ldy = channels, y_block = block). Columns of the last block past `columns` may be read, up to a whole
 * block, but have no effect: who lets y be read as it lies has that much memory behind it (a plan's arena does).
 * Nothing else is read that the sum does not name. Outputs do not overlap each other or an input.
 *
 * Rounding: sums run in the order of the rows, in one chain per output; with fused multiply-adds where the
 * instruction set and the compiler's options have them. The result of an output does not depend on its neighbours in
 * the tile.
 */
#ifndef AX_TILE_H
#define AX_TILE_H

#include "tensor/tensor.h"

typedef struct ax_tile {
    const float *x;
    const int32_t *at;  /* (points) offsets into x, in floats */
    const int32_t *run; /* (runs) */
    int64_t runs, len, step;
    const float *y;
    const int64_t *y_run; /* (runs) in floats, or NULL: rows of y follow one another */
    int64_t ldy, y_block;
    int64_t columns;
    const float *start; /* (columns) what the sums start from, or NULL: zero */
    bool add;           /* add to what out holds (after start) */
    bool relu;          /* store max(0, sum); NaN stays NaN */
    float *out;
    const int32_t *to; /* (points) offsets into out */
} ax_tile;

/* A 2x2 pool of relu outputs: which of the four pixels of a window was the largest, by bits. */
typedef struct ax_tile_pool {
    /* at to[window] + column: 0..3 the largest pixel, of equal ones the first, of several NaN one of them; 4: none is
       positive. NULL: not kept */
    uint8_t *where;
    bool relu;      /* else `where` is never 4 */
} ax_tile_pool;

typedef struct ax_tile_table {
    int lanes; /* floats in a vector */
    int block; /* columns in a block of y: 2 * lanes */
    /* The sum above for `points` values of p; columns > 0, the other counts may be 0. */
    void (*run)(const ax_tile *t, int64_t points);
    /* The same where four consecutive points are the pixels of a pool's window: out gets their maximum (NaN
     * wins), then relu if the pool says so; t->relu is not looked at. to has an entry a window: points / 4. t->add
     * must be false. */
    void (*pool)(const ax_tile *t, const ax_tile_pool *pool, int64_t points);
    /*
     * Backward of a pooled convolution without its zeros: of the four pixels of a window at most one has a
     * gradient. For every window i < windows and column c < columns with where[i * columns + c] < 4,
     *
     *     out[c * ldo + r * len + j] += g[i * columns + c] * x[at[4 * i + where] + run[r] + j]
     *
     * A g without a place, where it is 4, must be 0 (relu_back makes it so): it is multiplied with the x of the first
     * pixel all the same, and what is not finite there makes the gradient NaN.
     */
    void (*pool_kernel)(const ax_tile *t, const uint8_t *where, const float *g, int64_t ldo, int64_t windows);
    /*
     *     out[at[4 * i + where] + run[r] + j] += g[i * columns + c] * y[c * ldy + r * len + j]
     *
     * in any order. A g without a place has no effect here. The tables are those of an image: run[0] is 0, and with
     * across = at[1] - at[0] and down = at[2] - at[0], the pixels of every window stand at 0, across, down and down +
     * across from its first. Where runs are `down` apart, rows of the image do not overlap: down >= across + len.
     */
    void (*pool_input)(const ax_tile *t, const uint8_t *where, const float *g, int64_t windows);
    /*
     * What a relu lets through of g (rows, columns), in place: where y > 0, or where where < 4; all of it when both
     * are NULL, which at least one of them is. sums[column] += what is left, row by row; may be NULL.
     */
    void (*relu_back)(int64_t rows, int64_t columns, const float *y, const uint8_t *where, float *g, float *sums);
} ax_tile_table;

/* One a instruction set, reached through ax_kernels_get()->tiles. */
extern const ax_tile_table ax_tiles_baseline, ax_tiles_avx2, ax_tiles_avx512;

#endif /* AX_TILE_H */
