/*
 * tile_base.c: the tiles for what every CPU of the architecture has.
 */
#define KERNEL_LANES  4
#define KERNEL_TILES  ax_tiles_baseline

#include "tensor/tile_impl.inc"
