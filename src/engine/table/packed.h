/*
 * packed.h: blocks of a dataset as bytes: a number becomes the place of its value among at most 255 of its column.
 *
 * A column of a block with no more than 255 different values keeps them as they are; any other is cut at the quantiles
 * of a sample, and each of its numbers becomes the mean of its part. Numbers that must not be rounded and are too many
 * stay floats. Byte 255 is NaN.
 *
 * Packed blocks are read through a window, of one block; who changes rows in it says so, and they are packed again, in
 * the same place, when another block is asked for. So reading is for one thread, and quick only in the rows' order.
 */
#ifndef AX_PACKED_H
#define AX_PACKED_H

#include "table/dataset.h"

typedef struct ax_packer ax_packer;

/* Before a block is added: packs full ones that are beyond what may stay as it is. d->packer may be NULL. */
ax_status ax_packer_make_room(ax_dataset *d, ax_error *err);
const void *ax_packer_block(const ax_dataset *d, int b);
/* Rows of the block that was asked for last are being changed. */
void ax_packer_changed(ax_dataset *d);
size_t ax_packer_memory(const ax_dataset *d); /* of blocks and window */
/* As given to ax_dataset_compress. */
const bool *ax_packer_exact(const ax_dataset *d);
void ax_packer_free(ax_dataset *d);

#endif /* AX_PACKED_H */
