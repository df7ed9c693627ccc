/*
 * winograd_avx2.c: the transforms for AVX2, in 256-bit vectors.
 */
#if defined(__AVX2__) && defined(__FMA__)

#define KERNEL_LANES    8
#define KERNEL_WINOGRAD ax_winograd_avx2

#include "tensor/winograd_impl.inc"

#endif
