/*
 * winograd_avx512.c: the transforms for AVX-512 (F, BW, DQ and VL), in 512-bit vectors.
 */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#define KERNEL_LANES    16
#define KERNEL_WINOGRAD ax_winograd_avx512

#include "tensor/winograd_impl.inc"

#endif
