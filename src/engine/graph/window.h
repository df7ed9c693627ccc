/*
 * window.h: the arithmetic of sliding windows that Conv and the pools share (ONNX, section "Conv", "MaxPool",
 * "AveragePool"): kernel, strides, dilations, pads, auto_pad, ceil_mode, over one or two spatial axes.
 *
 * One spatial axis is handled as two with a height of 1, so that kernels are written once.
 */
#ifndef AX_WINDOW_H
#define AX_WINDOW_H

#include "graph/op.h"

typedef struct ax_window {
    int axes;                 /* as the node has them: 1 or 2 */
    int64_t in_h, in_w;       /* input */
    int64_t out_h, out_w;     /* output */
    int64_t kh, kw, sh, sw;   /* kernel, strides */
    int64_t dh, dw;           /* dilations */
    int64_t top, left;        /* pads at the beginning */
    int64_t bottom, right;    /* pads at the end, as given or as auto_pad makes them */
} ax_window;

/*
 * Reads the attributes of s->node for an input of shape (N, C, spatial...). kernel: the kernel's spatial
 * dimensions when they follow from a weight (Conv), else NULL: attribute kernel_shape is required.
 * Everything is checked; messages name the node.
 */
ax_status ax_window_setup(ax_setup *s, const ax_shape *in, const int64_t *kernel, ax_window *out);
/* (N, channels, out...) with as many axes as the input. */
ax_shape ax_window_output(const ax_window *w, int64_t n, int64_t channels);

#endif /* AX_WINDOW_H */
