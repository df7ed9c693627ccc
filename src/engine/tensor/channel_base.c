/*
 * channel_base.c: the loops over channels for what every CPU of the architecture has.
 */
#define KERNEL_LANES    4
#define KERNEL_CHANNELS ax_channels_baseline

#include "tensor/channel_impl.inc"
