/*
 * winograd.h: the transforms of F(2x2, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2015), over n channels side by side. Where a 3x3 window moves by one pixel, two by two outputs are
 *
 *     Y = A' [ (G w G') * (B' d B) ] A        with 16 products a channel pair where the plain sum has 36
 *
 * d: 4x4 input pixels; *: element by element, summed over the input channels, which is 16 products of matrices. The
 * gradient of w is the same backwards: dU = (B' d B) * (A dY A'), summed over tiles, and dw = G' dU G.
 *
 * A transformed tile is 16 vectors of channels, `plane` floats apart. B, A and twice G have only 0, 1 and -1: the sums
 * lose about one bit more than the plain ones; test_lower bounds it.
 */
#ifndef AX_WINOGRAD_TENSOR_H
#define AX_WINOGRAD_TENSOR_H

#include "tensor/tile.h"

#define AX_WINOGRAD_PLANES 16

/* Where the outputs of a tile go: 2x2 pixels of `columns` channels, of which rows x cols exist. */
typedef struct ax_winograd_out {
    float *out;
    int64_t row, pixel; /* floats between rows, between pixels */
    int rows, cols;
    const float *start; /* (columns) or NULL */
    bool add, relu;
    uint8_t *where; /* pool: as ax_tile_pool; may be NULL */
} ax_winograd_out;

typedef struct ax_winograd_table {
    /* v = B' d B; pixel (i, j) of d at x + i * row + j * pixel */
    void (*input)(int64_t n, const float *x, int64_t row, int64_t pixel, float *v, int64_t plane);
    /* Y = A' m A to where o says */
    void (*output)(int64_t n, const float *m, int64_t plane, const ax_winograd_out *o);
    /* The largest of the four, with relu, to o->out; its place to o->where */
    void (*pool)(int64_t n, const float *m, int64_t plane, const ax_winograd_out *o);
    /* y = A g A'; pixels of g that do not exist are zero */
    void (*spread)(int64_t n, const float *g, int64_t row, int64_t pixel, int rows, int cols, float *y, int64_t plane);
    /* u = G w G'; tap t of w at w + t * tap */
    void (*kernel)(int64_t n, const float *w, int64_t tap, float *u, int64_t plane);
    /* w += G' u G */
    void (*kernel_back)(int64_t n, const float *u, int64_t plane, float *w, int64_t tap);
} ax_winograd_table;

extern const ax_winograd_table ax_winograd_baseline, ax_winograd_avx2, ax_winograd_avx512;

#endif /* AX_WINOGRAD_TENSOR_H */
