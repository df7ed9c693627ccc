/*
 * winograd.h: the transforms of Winograd's convolutions F(2x2, 3x3) and F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", 2015), over n channels side by side. Where a 3x3 window moves by one pixel, a tile
 * of side x side outputs is
 *
 *     Y = A' [ (G w G') * (B' d B) ] A
 *
 * d: the (side + 2)^2 input pixels; *: element by element, summed over the input channels, which is (side + 2)^2 products
 * of matrices. That is 16 products a channel pair for 4 outputs, or 36 for 16, where the plain sum has 36 and 144. The
 * gradient of w is the same backwards: dU = (B' d B) * (A dY A'), summed over tiles, and dw = G' dU G.
 *
 * A transformed tile is (side + 2)^2 vectors of channels, `plane` floats apart. The numbers in B, A and G are small for
 * side 2 (0, 1 and halves) and up to 8 for side 4, so that sums lose bits: test_winograd states and asserts how many.
 */
#ifndef AX_WINOGRAD_TENSOR_H
#define AX_WINOGRAD_TENSOR_H

#include "tensor/tile.h"

/* Where the outputs of a tile go: side x side pixels of n channels, with a pool half of either; rows x cols exist. */
typedef struct ax_winograd_out {
    float *out;
    int64_t row, pixel; /* floats between rows, between pixels */
    int rows, cols;
    const float *start; /* (columns) or NULL */
    bool add, relu;
    uint8_t *where; /* pool: as ax_tile_pool; may be NULL */
} ax_winograd_out;

typedef struct ax_winograd_table {
    int side;
    /* v = B' d B; pixel (i, j) of d at x + i * row + j * pixel */
    void (*input)(int64_t n, const float *x, int64_t row, int64_t pixel, float *v, int64_t plane);
    /* Y = A' m A to where o says */
    void (*output)(int64_t n, const float *m, int64_t plane, const ax_winograd_out *o);
    /* The largest of every four, with relu, to o->out; its place to o->where, laid out as out */
    void (*pool)(int64_t n, const float *m, int64_t plane, const ax_winograd_out *o);
    /* y = A g A'; pixels of g that do not exist are zero */
    void (*spread)(int64_t n, const float *g, int64_t row, int64_t pixel, int rows, int cols, float *y, int64_t plane);
    /* u = G w G'; tap t of w at w + t * tap */
    void (*kernel)(int64_t n, const float *w, int64_t tap, float *u, int64_t plane);
    /* w += G' u G */
    void (*kernel_back)(int64_t n, const float *u, int64_t plane, float *w, int64_t tap);
} ax_winograd_table;

/* [0]: side 2, [1]: side 4. */
extern const ax_winograd_table ax_winograd_baseline[2], ax_winograd_avx2[2], ax_winograd_avx512[2];

#endif /* AX_WINOGRAD_TENSOR_H */
