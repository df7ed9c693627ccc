/*
 * product.h: a matrix product through the tiles of tensor/tile.h, for dense.c and op_matmul.c.
 *
 *     out (rows, columns) = x (rows, depth) * y (depth, columns)
 *
 * Rows of x and of out lie where tables say; y lies in blocks of columns, as ax_tile reads it. Long sums are cut into
 * pieces, so that the block of y that a piece needs stays in the second cache while all rows pass by.
 *
 * Where y comes from far away, x is first copied in panels: 16 rows side by side, step after step. Twelve rows read
 * side by side keep the hardware from noticing that y is a stream, a panel does not.
 */
#ifndef AX_PRODUCT_H
#define AX_PRODUCT_H

#include "graph/op.h"

#define AX_PRODUCT_MOST 0x3fffffff /* floats that the tables of offsets reach */

/* What is known when a graph is planned: sizes and tables. */
typedef struct ax_product {
    int64_t rows, depth, columns;
    const int32_t *x_at, *to;          /* (rows + 1) offsets of rows, the last one twice */
    int64_t step;                      /* from one element of a row of x to the next */
    bool panels;                       /* x is copied */
    const int32_t *panel_at, *step_at; /* (rows + 1), (depth): where rows and steps lie in the panels */
} ax_product;

/* A curve of tensor/kernel.h with its constants. */
typedef struct ax_curve_of {
    ax_curve curve;
    float a, b;
} ax_curve_of;

/* x is (rows, depth), or (depth, rows) when transposed; out is (rows, columns). The only error: no memory. */
ax_status ax_product_make(ax_setup *s, ax_product *p, bool transposed, int64_t rows, int64_t depth,
                          int64_t columns);
/* Bytes of scratch, from the beginning of r->scratch, that ax_product_run uses. */
size_t ax_product_scratch(const ax_product *p);
/*
 * In t the caller sets x, y, ldy, y_block, start, add, relu and out; the rest is filled in, and t is used up. then:
 * what is done to the sums at last; may be NULL.
 */
void ax_product_run(const ax_run *r, const ax_product *p, ax_tile *t, const ax_curve_of *then);

/* Floats of y (depth, columns) packed by blocks. */
size_t ax_packed_floats(int64_t depth, int64_t columns);
/* Packs y (depth, columns), or its transpose (columns, depth), whose rows w_at lists; to_at: multiples of the block. */
void ax_pack_straight(const float *y, int64_t depth, int64_t columns, ax_part part, float *to);
void ax_pack_transposed(const float *y, const int32_t *w_at, int64_t depth, int64_t columns,
                        const int32_t *to_at, ax_part part, float *to);

#endif /* AX_PRODUCT_H */
