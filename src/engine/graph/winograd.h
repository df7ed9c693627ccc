/*
 * winograd.h: 3x3 convolutions with stride 1 by Winograd's F(2x2, 3x3) or F(4x4, 3x3), on channels-last samples: 16
 * products where the plain sum has 36, or 36 where it has 144. tensor/winograd.h has the transforms; this cuts planes
 * into tiles of 2x2 or 4x4 outputs, whichever needs fewer products, some dozen of them at a time, so that their
 * transforms stay in the cache.
 *
 * Tiles are counted over all samples of a shard, so that small planes fill the tiles of a product too. A tile whose
 * pixels reach over the edge is copied with zeros around; nothing else is padded.
 *
 * The gradient of the input is the same convolution of the output's gradient, with the kernel turned round.
 */
#ifndef AX_WINOGRAD_H
#define AX_WINOGRAD_H

#include "graph/op.h"

typedef struct ax_winograd {
    int64_t n, c, m;                  /* samples; channels of the input, of the output */
    int64_t in_h, in_w, top, left;    /* the input, and the pads before it */
    int64_t out_h, out_w;
    int side, planes;                 /* of a tile's outputs; (side + 2)^2 */
    int64_t tiles_h, tiles_w, tiles;  /* a column, a row, in all */
    int64_t batch, kernel_batch;      /* tiles at a time: of products, of a kernel's gradient */
    int32_t *c_at, *m_at;             /* multiples of c and of m */
    int32_t *step;                    /* 0, 1, 2, ... (c) */
} ax_winograd;

/* Chooses the side, unless w->side says it (2 or 4), and makes tables in the arena. pool: a 2x2 pool follows, and what it
 * drops is left out. */
ax_status ax_winograd_setup(ax_winograd *w, bool pool, ax_arena *arena, ax_error *err);
/* Is it worth it for so many channels? */
bool ax_winograd_pays(int64_t c, int64_t m);

/* Floats of the transformed kernel; of scratch memory, in forward and for the kernel's gradient. */
int64_t ax_winograd_packed(const ax_winograd *w);
int64_t ax_winograd_scratch(const ax_winograd *w);
int64_t ax_winograd_kernel_scratch(const ax_winograd *w);

/* direct: the kernel by blocks of output channels, rows (tap, input channel), as a plain sum wants it. */
void ax_winograd_pack(const ax_winograd *w, const float *direct, float *packed);

typedef struct ax_winograd_job {
    const float *x, *packed;
    const float *start;  /* (m) or NULL */
    bool add, relu, pool;
    float *out;          /* samples of out_h x out_w pixels of m, or half of either with pool */
    uint8_t *where;      /* as out; pool only, may be NULL */
    float *scratch;
    ax_pool *threads;    /* to ask whether to stop */
} ax_winograd_job;

void ax_winograd_forward(const ax_winograd *w, const ax_winograd_job *job);
/* dk (tap, c, m) += the kernel's gradient; g: samples of out_h x out_w pixels of m. */
void ax_winograd_kernel(const ax_winograd *w, const float *x, const float *g, float *dk, float *scratch,
                        ax_pool *threads);

#endif /* AX_WINOGRAD_H */
