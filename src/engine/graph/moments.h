/*
 * moments.h: what BatchNormalization counts of a channel, over some rows or a whole batch.
 */
#ifndef AX_MOMENTS_H
#define AX_MOMENTS_H

#include "graph/op.h"

typedef struct ax_moments {
    double count, mean, m2; /* m2: sum of (x - mean)^2 */
} ax_moments;

/* Two sets of rows become one (Chan, Golub, LeVeque). */
static inline void ax_moments_add(ax_moments *into, const ax_moments *m)
{
    double total = into->count + m->count, delta = m->mean - into->mean;

    if (m->count == 0)
        return;
    into->mean += delta * m->count / total;
    into->m2 += m->m2 + delta * delta * into->count * m->count / total;
    into->count = total;
}

/* running = momentum * running + (1 - momentum) * batch, with the population variance. r: of a BatchNormalization,
 * which owns these weights. */
static inline void ax_moments_move_running(const ax_run *r, double momentum, int64_t c,
                                           const ax_moments *batch)
{
    float *mean = (float *) r->in[3].data, *var = (float *) r->in[4].data;
    double v = batch->m2 / batch->count;

    mean[c] = (float) (momentum * mean[c] + (1.0 - momentum) * batch->mean);
    var[c] = (float) (momentum * var[c] + (1.0 - momentum) * v);
}

#endif /* AX_MOMENTS_H */
