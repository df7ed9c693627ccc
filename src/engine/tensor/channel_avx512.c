/*
 * channel_avx512.c: the loops over channels for AVX-512 (F, BW, DQ and VL), in 512-bit vectors.
 */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#define KERNEL_LANES    16
#define KERNEL_CHANNELS ax_channels_avx512

#include "tensor/channel_impl.inc"

#endif
