/*
 * kernel_base.c: the kernels for what every CPU of the architecture has.
 */
#define KERNEL_LANES  4
#define KERNEL_NAME   "baseline"
#define KERNEL_GETTER ax_kernels_baseline
#define KERNEL_TILES  ax_tiles_baseline
#define KERNEL_CHANNELS ax_channels_baseline
#define KERNEL_DESCEND ax_descend_baseline
#define KERNEL_WINOGRAD ax_winograd_baseline

#include "tensor/kernel_impl.inc"
