/*
 * bins.h: a table as bytes: what every tree is grown from.
 *
 * Each column's numbers are cut into at most 255 bins at quantiles of what was seen; a column with fewer distinct
 * values has one bin a value. A value is then one byte, the number of its bin; byte 255 (AX_BIN_MISSING) is NaN. The
 * edge between bins b and b + 1 is a float between their values: a split "bin <= b" is "x <= edge[b]", for
 * the rows of the training and for all that will come.
 *
 * A category's codes (whole numbers from 0) have a bin each, up to 255 of them; the caller keeps to that.
 *
 * Rows are appended as floats and read once. Up to RAW_BYTES (64 MB) are kept as they come and binned at the end. What
 * is more is binned piece by piece, by the edges of the first piece as long as they share the rows out well, else by
 * the piece's own; the pieces' bins are mapped to common ones when the table is closed. So a table takes one byte a
 * value and a constant. A column whose distribution jumps between pieces may have some rows in a bin beside theirs.
 */
#ifndef AX_BINS_H
#define AX_BINS_H

#include "tensor/pool.h"
#include "tensor/tensor.h"

#define AX_BIN_MISSING 255
#define AX_MAX_BINS 255

typedef struct ax_bin_column {
    bool category;
    int n;             /* bins; 0 when every value is missing */
    const float *edge; /* (n - 1) numbers: ascending. Categories: code of each bin (n) */
    bool missing;      /* are there any */
} ax_bin_column;

typedef struct ax_bins {
    ax_env env;
    int64_t rows;
    int columns;
    ax_bin_column *column;
    uint8_t *data; /* (columns, rows): column by column; each column starts at a multiple of 64 */
    int64_t stride; /* bytes from one column to the next */
} ax_bins;

typedef struct ax_binner ax_binner;

/* category[j]: column j holds codes; NULL: none does. max_bin: 2..AX_MAX_BINS. */
ax_status ax_binner_create(const ax_env *env, int columns, const bool *category, int max_bin,
                           ax_binner **out, ax_error *err);
/* The same with another limit than RAW_BYTES (at least 256 rows are kept): for tests. */
ax_status ax_binner_create_small(const ax_env *env, int columns, const bool *category, int max_bin,
                                 size_t raw_bytes, ax_binner **out, ax_error *err);
/* A row of `columns` floats; NaN is missing, infinities are ordinary values. */
ax_status ax_binner_append(ax_binner *b, const float *row, ax_error *err);
size_t ax_binner_memory(const ax_binner *b);
/* No more rows: the table. The binner is empty afterwards. threads as for a training; asks may_continue. */
ax_status ax_binner_close(ax_binner *b, ax_pool *pool, ax_bins **out, ax_error *err);
void ax_binner_free(ax_binner *b);
void ax_bins_free(ax_bins *b);

#endif /* AX_BINS_H */
