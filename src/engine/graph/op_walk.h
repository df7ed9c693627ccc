/*
 * op_walk.h: a walk over all elements of a shape, with two operands that follow it by strides.
 *
 * The walk itself counts elements of the whole shape in row-major order; an operand that is
 * broadcast along an axis has stride 0 there, a transposed one has its strides in another order.
 * Axes of size 1 are dropped and neighbours that all operands cross evenly are merged, so that the
 * innermost axis, the run, is as long as it can be:
 *
 *     for (ax_walk_at p = {0}; p.run < w->runs; ax_walk_next(w, &p))
 *         w->n elements: whole[p.whole + i], a[p.a + i * w->step_a], b[p.b + i * w->step_b]
 *
 * (32, 64, 30, 30) + (64, 1, 1) is 2048 runs of 900 elements, with b standing still in each.
 */
#ifndef AX_OP_WALK_H
#define AX_OP_WALK_H

#include "tensor/tensor.h"

typedef struct ax_walk {
    int rank;                 /* of the outer axes: what is left without the run */
    int64_t dim[AX_MAX_RANK]; /* outer axes */
    int64_t stride_a[AX_MAX_RANK], stride_b[AX_MAX_RANK]; /* in elements */
    int64_t runs;              /* product of dim; 0 when the whole is empty */
    int64_t n, step_a, step_b; /* the run */
} ax_walk;

typedef struct ax_walk_at {
    int64_t run, whole, a, b;
    int64_t index[AX_MAX_RANK];
} ax_walk_at;

/* Row-major strides of t, which is broadcast to whole: 0 along the broadcast axes. */
void ax_walk_strides(const ax_shape *t, const ax_shape *whole, int64_t *stride);
/* A walk over whole. The shape is sane; stride_b may be NULL (all 0). */
void ax_walk_make(ax_walk *w, const ax_shape *whole, const int64_t *stride_a,
                  const int64_t *stride_b);
/* Both operands broadcast to whole. */
void ax_walk_broadcast(ax_walk *w, const ax_shape *whole, const ax_shape *a, const ax_shape *b);

static inline void ax_walk_next(const ax_walk *w, ax_walk_at *p)
{
    p->run++;
    p->whole += w->n;
    for (int k = w->rank - 1; k >= 0; k--) {
        p->a += w->stride_a[k];
        p->b += w->stride_b[k];
        if (++p->index[k] < w->dim[k])
            return;
        p->index[k] = 0;
        p->a -= w->stride_a[k] * w->dim[k];
        p->b -= w->stride_b[k] * w->dim[k];
    }
}

#endif /* AX_OP_WALK_H */
