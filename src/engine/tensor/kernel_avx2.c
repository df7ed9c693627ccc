/*
 * kernel_avx2.c: the kernels for AVX2, in 256-bit vectors.
 */
#if defined(__AVX2__) && defined(__FMA__)

#define KERNEL_LANES  8
#define KERNEL_NAME   "avx2"
#define KERNEL_GETTER ax_kernels_avx2
#define KERNEL_TILES  ax_tiles_avx2
#define KERNEL_CHANNELS ax_channels_avx2
#define KERNEL_DESCEND ax_descend_baseline
#define KERNEL_WINOGRAD ax_winograd_avx2

#include "tensor/kernel_impl.inc"

#else

#include "tensor/kernel.h"

const ax_kernels *ax_kernels_avx2(void)
{
    return NULL;
}

#endif
