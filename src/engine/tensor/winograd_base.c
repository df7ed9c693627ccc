/*
 * winograd_base.c: the transforms for what every CPU of the architecture has.
 */
#define KERNEL_LANES    4
#define KERNEL_WINOGRAD ax_winograd_baseline

#include "tensor/winograd_impl.inc"
