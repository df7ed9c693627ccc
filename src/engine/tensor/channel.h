/*
 * channel.h: loops over rows of channels, (rows, columns) with the channels last: pools, normalizations, depthwise
 * convolutions. One table an instruction set, reached through ax_kernels_get()->channels. Sums over rows are taken
 * in the order of the rows. columns > 0 except in transpose, rows may be 0. Nothing past the columns of a row is read
 * or written. Outputs do not overlap inputs.
 */
#ifndef AX_CHANNEL_H
#define AX_CHANNEL_H

#include "tensor/tile.h"

typedef struct ax_channel_table {
    /* Largest of `taps` > 0 rows x + at[t]; NaN wins, of equal ones or of NaN the first. where: the t of each, which
     * must fit (taps <= 256); may be NULL. */
    void (*max)(int64_t columns, const float *x, const int32_t *at, int taps, float *y, uint8_t *where);
    /* dx[at[t] + c] += g[c] for the t with where[c] == t; rows at[t] may overlap. What gets nothing may change from -0
     * to 0: the other taps of c are added a zero. */
    void (*max_back)(int64_t columns, const float *g, const uint8_t *where, const int32_t *at, int taps, float *dx);
    /* sum[c] += x - shift[c], square[c] += (x - shift[c])^2, over at most some hundred rows: they are floats */
    void (*moments)(int64_t rows, int64_t columns, const float *x, const float *shift, float *sum, float *square);
    /* y = k[c] * (x - mean[c]) + bias[c], then relu */
    void (*normalize)(int64_t rows, int64_t columns, const float *x, const float *mean, const float *k,
                      const float *bias, bool relu, float *y);
    /* What follows is normalize's gradient. relu: NULL, or the bias of a normalize with relu, where g counts only for
     * outputs above zero: they are computed again, which is cheaper than reading them. */
    /* sum[c] += g, product[c] += g * (x - mean[c]) */
    void (*moments_back)(int64_t rows, int64_t columns, const float *g, const float *x, const float *mean,
                         const float *k, const float *relu, float *sum, float *product);
    /* dx = k[c] * (g - a[c] - (x - mean[c]) * b[c]), added to dx when add */
    void (*normalize_back)(int64_t rows, int64_t columns, const float *g, const float *x, const float *mean,
                           const float *k, const float *relu, const float *a, const float *b, bool add, float *dx);
    /*
     * The sum of tile.h, channel by channel: out[to[p] + c] = start[c] + sum of x[at[p] + run[r] + j * step + c] *
     * y[row * ldy + c]. add and relu as there; y_block is not used.
     */
    void (*depthwise)(const ax_tile *t, int64_t points);
    /* y[y_at[j] + i] = x[x_at[i] + j] for i < rows, j < columns: rows of either side may lie anywhere */
    void (*transpose)(int64_t rows, int64_t columns, const float *x, const int32_t *x_at, float *y,
                      const int32_t *y_at);
    /* y = a[0], b[0], c[0], a[1], ...: the planes of a color image to pixels */
    void (*mix_three)(int64_t n, const float *a, const float *b, const float *c, float *y);
} ax_channel_table;

extern const ax_channel_table ax_channels_baseline, ax_channels_avx2, ax_channels_avx512;

#endif /* AX_CHANNEL_H */
