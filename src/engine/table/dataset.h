/*
 * dataset.h: the rows of a training, as ax.h's ax_dataset keeps them. Blocks of whole rows; growing
 * never copies, and a row is found by a division and an addition.
 */
#ifndef AX_DATASET_H
#define AX_DATASET_H

#include "tensor/tensor.h"

struct ax_dataset {
    ax_env env;
    ax_dtype type;
    int64_t width;      /* elements a row */
    size_t row_bytes;
    int64_t block_rows; /* rows a block */
    int64_t rows;
    int n_blocks, cap_blocks;
    uint8_t **block; /* read them by ax_dataset_block: some may be packed */
    struct ax_packer *packer; /* after ax_dataset_compress; see packed.h */
    int32_t *classes; /* (rows) or NULL */
    int n_classes;
    float *values; /* (rows, value_width) or NULL */
    int value_width;
    float *weights; /* (rows) or NULL */
};

/* Lives until a row of another block is asked for, if blocks are packed. */
const void *ax_dataset_row(const ax_dataset *d, int64_t i);
/* The rows of block b, one after the other; the same holds. */
const void *ax_dataset_block(const ax_dataset *d, int b);
/* Of compressed rows: gives the memory of those in front of row `first` back, block by block; nobody asks for them. */
void ax_dataset_forget(ax_dataset *d, int64_t first);
bool ax_dataset_compressed(const ax_dataset *d);
/* A row that will be changed. */
void *ax_dataset_change(ax_dataset *d, int64_t i);
/* Copies rows index[0..n) one after the other to dst, and their targets to the arrays that are not NULL. */
void ax_dataset_gather(const ax_dataset *d, const int64_t *index, int64_t n, void *dst,
                       int32_t *classes, float *values, float *weights);

/*
 * Splits row numbers into training and validation by a seeded shuffle; for classes the share is kept in each
 * class as far as whole rows allow (at least one row of each class stays in training). train and valid have
 * room for d->rows entries each.
 */
ax_status ax_dataset_split(const ax_dataset *d, double fraction, uint64_t seed, int64_t *train,
                           int64_t *n_train, int64_t *valid, int64_t *n_valid, ax_error *err);

#endif /* AX_DATASET_H */
