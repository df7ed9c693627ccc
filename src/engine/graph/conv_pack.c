/*
 * conv_pack.c: weights in the order in which the sums of a convolution read them, see nhwc_conv.c.
 */
#include <math.h>

#include "graph/conv.h"

/* What a folded normalization multiplies output channel m by; its bias goes to *start. */
static float fold_channel(const ax_run *r, const ax_conv *p, int64_t m, float *start)
{
    const float *scale = r->in[3].data, *shift = r->in[4].data;
    const float *mean = r->in[5].data, *var = r->in[6].data;
    float bias = p->bias ? ((const float *) r->in[2].data)[m] : 0;
    double k = scale[m] / sqrt((double) var[m] + p->epsilon);

    *start = (float) ((bias - mean[m]) * k + shift[m]);
    return (float) k;
}

/* Rows taps in the order of the list, columns channels. */
static void pack_depthwise(const ax_run *r, const ax_conv *p, const ax_sweep *t)
{
    const float *w = r->in[1].data;
    float *to = (float *) r->packed + t->packed;

    for (int64_t c = 0; c < p->c; c++) {
        float k = p->fold ? fold_channel(r, p, c, &((float *) r->packed)[c]) : 1;

        for (int64_t j = 0; j < t->n_taps; j++)
            to[j * p->c + c] = k * w[c * p->taps + t->tap[j]];
    }
}

/* A group's blocks of output channels within the forward weights. */
static float *forward_block(const ax_run *r, const ax_conv *p, int64_t group, int64_t m)
{
    return (float *) r->packed + p->forward.packed + group * ax_conv_panel(p, p->k, p->mg) +
           m * p->k;
}

static void fold_block(const ax_run *r, const ax_conv *p, int64_t first, int64_t n, float *to)
{
    int64_t block = ax_kernels_get()->tiles->block;

    for (int64_t i = 0; i < n; i++) {
        float k = fold_channel(r, p, first + i, &((float *) r->packed)[first + i]);

        for (int64_t j = 0; j < p->k; j++)
            to[j * block + i] *= k;
    }
}

/* Rows (tap, input channel), columns output channels, a group after the other. */
static void pack_forward(const ax_run *r, const ax_conv *p)
{
    int64_t block = ax_kernels_get()->tiles->block;
    const float *w = r->in[1].data;

    for (int64_t g = 0; g < p->groups; g++)
        for (int64_t m = 0; m < p->mg; m += block) {
            int64_t n = AX_MIN(block, p->mg - m), first = g * p->mg + m;
            float *to = forward_block(r, p, g, m);

            ax_kernels_get()->channels->transpose(n, p->k, w + first * p->k, p->row_at, to,
                                                  p->tap_at);
            if (p->fold)
                fold_block(r, p, first, n, to);
        }
}

/* Rows (tap, output channel), columns input channels, a group after the other: squares of the forward weights. */
static void pack_phase(const ax_run *r, const ax_conv *p, const ax_sweep *t, int64_t g)
{
    int64_t block = ax_kernels_get()->tiles->block, rows = t->n_taps * p->mg;
    float *to = (float *) r->packed + t->packed + g * ax_conv_panel(p, rows, p->cg);

    for (int64_t c = 0; c < p->cg; c += block, to += rows * block)
        for (int64_t j = 0; j < t->n_taps; j++)
            for (int64_t m = 0; m < p->mg; m += block)
                ax_kernels_get()->channels->transpose(
                    AX_MIN(block, p->cg - c), AX_MIN(block, p->mg - m),
                    forward_block(r, p, g, m) + (t->tap[j] * p->cg + c) * block, p->block_at,
                    to + (j * p->mg + m) * block, p->block_at);
}

/* Rows output channels, columns (tap, input channel). */
static void pack_pool(const ax_run *r, const ax_conv *p)
{
    int64_t block = ax_kernels_get()->tiles->block;
    float *to = (float *) r->packed + p->phase[0].packed;

    for (int64_t m = 0; m < p->m; m += block)
        ax_kernels_get()->channels->transpose(p->k, AX_MIN(block, p->m - m),
                                              forward_block(r, p, 0, m), p->block_at,
                                              to + m * p->k, p->row_at);
}

static void pack_input(const ax_run *r, const ax_conv *p)
{
    if (p->pool) {
        pack_pool(r, p);
        return;
    }
    for (int i = 0; i < p->n_phases; i++) {
        if (p->depthwise)
            pack_depthwise(r, p, &p->phase[i]);
        for (int64_t g = 0; !p->depthwise && g < p->groups; g++)
            pack_phase(r, p, &p->phase[i], g);
    }
}

void ax_conv_pack(const ax_run *r, ax_part part)
{
    const ax_conv *p = r->prep;
    float *packed = r->packed;

    if (part.number > 0) /* what is packed for the input's gradient is made of the forward weights */
        return;
    if (p->depthwise)
        pack_depthwise(r, p, &p->forward);
    else
        pack_forward(r, p);
    if (p->fast)
        ax_winograd_pack(&p->win, packed + p->forward.packed, packed + p->win_packed);
    if (p->needs_input)
        pack_input(r, p);
    if (p->fast && p->needs_input && !p->pool)
        ax_winograd_pack(&p->win_input, packed + p->phase[0].packed,
                         packed + p->win_input_packed);
}
