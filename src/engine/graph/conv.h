/*
 * conv.h: what nhwc_conv.c, conv_tables.c and conv_pack.c know of a convolution on channels-last data: its sizes, the
 * tables of its sums, where its packed weights stand.
 */
#ifndef AX_CONV_H
#define AX_CONV_H

#include "graph/window.h"
#include "graph/winograd.h"

#define AX_OFFSET_MOST 0x3fffffff /* of an offset in a table */

/* Tables of one sum. */
typedef struct ax_sweep {
    int64_t points, runs, len;
    int32_t *at, *to, *run;
    int n_taps; /* of the window that take part */
    int *tap;   /* (n_taps) i * kw + j, in the order of the rows of packed */
    size_t packed; /* where its weights begin, in floats */
} ax_sweep;

typedef struct ax_conv {
    ax_window w;
    int64_t n, c, m, groups, cg, mg, taps, k; /* k: taps * cg */
    int64_t sums, x_columns, y_columns;       /* sums a sample, and their columns: groups, cg, mg; depthwise: 1, c, c */
    bool depthwise;
    bool bias, fold, relu, pool, pads, grad_pads, needs_input;
    int64_t ph, pw;                       /* the padded input */
    int64_t gh, gw, front_h, front_w;     /* the padded output gradient, and how much of it stands before */
    int64_t x_size, padded_size, y_size, grad_size; /* floats of a sample */
    int64_t out_h, out_w;                 /* after the pool */
    int64_t chunk;                        /* samples that d kernel takes in one go */
    float epsilon;
    ax_sweep forward, kernel;
    int32_t *row_at;   /* (block) rows of W: multiples of k */
    int32_t *block_at; /* (k, or block) rows of packed blocks: multiples of the block */
    int32_t *tap_at;   /* (k) of column (c, t) of a row of W, the row of packed blocks */
    int32_t *order_at; /* (k) the same for the gradient as the kernels write it */
    int n_phases;
    ax_sweep *phase;
    ax_order order;
    bool fast;                        /* 3x3 with stride 1, by Winograd's algorithm */
    ax_winograd win, win_input;       /* of the convolution; of its input's gradient */
    size_t win_packed, win_input_packed; /* where the transformed kernels begin */
} ax_conv;

static inline int64_t ax_conv_blocks(int64_t columns)
{
    int block = ax_kernels_get()->tiles->block;

    return (columns + block - 1) / block;
}

/* Floats of one sum's packed weights: rows of columns, by blocks. */
static inline int64_t ax_conv_panel(const ax_conv *p, int64_t rows, int64_t columns)
{
    return p->depthwise ? rows * columns
                        : rows * ax_conv_blocks(columns) * ax_kernels_get()->tiles->block;
}

/* The tables, once the sizes are known (conv_tables.c). */
ax_status ax_conv_make_tables(ax_setup *s, ax_conv *p);
/* Weights into r->packed (conv_pack.c). */
void ax_conv_pack(const ax_run *r, ax_part part);

#endif /* AX_CONV_H */
