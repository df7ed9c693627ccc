/*
 * kernel_avx512.c: the kernels for AVX-512 (F, BW, DQ and VL), in 512-bit vectors.
 */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#define KERNEL_LANES  16
#define KERNEL_NAME   "avx512"
#define KERNEL_GETTER ax_kernels_avx512
#define KERNEL_TILES  ax_tiles_avx512
#define KERNEL_CHANNELS ax_channels_avx512
#define KERNEL_DESCEND ax_descend_avx512
#define KERNEL_WINOGRAD ax_winograd_avx512

#include "tensor/kernel_impl.inc"

#else

#include "tensor/kernel.h"

const ax_kernels *ax_kernels_avx512(void)
{
    return NULL;
}

#endif
