/*
 * tile_avx2.c: the tiles for AVX2, in 256-bit vectors.
 */
#if defined(__AVX2__) && defined(__FMA__)

#define KERNEL_LANES  8
#define KERNEL_TILES  ax_tiles_avx2

#include "tensor/tile_impl.inc"

#endif
