/*
 * channel_avx2.c: the loops over channels for AVX2, in 256-bit vectors.
 */
#if defined(__AVX2__) && defined(__FMA__)

#define KERNEL_LANES    8
#define KERNEL_CHANNELS ax_channels_avx2

#include "tensor/channel_impl.inc"

#endif
