/*
 * op_walk.c: makes walks (op_walk.h): drops axes of size 1, merges neighbours, splits off the run.
 */
#include "graph/op_walk.h"

void ax_walk_strides(const ax_shape *t, const ax_shape *whole, int64_t *stride)
{
    int lead = whole->rank - t->rank;
    int64_t span = 1;

    for (int k = whole->rank - 1; k >= 0; k--) {
        int64_t dim = k < lead ? 1 : t->dim[k - lead];

        stride[k] = dim == 1 ? 0 : span;
        span *= dim;
    }
}

/*
 * Goes from the outermost axis inwards; the run is the axis seen last. An axis that the one before
 * continues is merged into it: the merged axis steps by the inner strides.
 */
void ax_walk_make(ax_walk *w, const ax_shape *whole, const int64_t *stride_a,
                  const int64_t *stride_b)
{
    memset(w, 0, sizeof *w);
    w->n = 1;
    w->runs = 1;
    for (int k = 0; k < whole->rank; k++) {
        int64_t n = whole->dim[k], a = stride_a[k], b = stride_b ? stride_b[k] : 0;

        if (n == 1)
            continue;
        if (w->n == 1 || (w->step_a == a * n && w->step_b == b * n)) {
            w->n *= n;
        } else {
            w->dim[w->rank] = w->n;
            w->stride_a[w->rank] = w->step_a;
            w->stride_b[w->rank++] = w->step_b;
            w->runs *= w->n;
            w->n = n;
        }
        w->step_a = a;
        w->step_b = b;
    }
    if (w->n == 0)
        w->runs = 0;
}

void ax_walk_broadcast(ax_walk *w, const ax_shape *whole, const ax_shape *a, const ax_shape *b)
{
    int64_t stride_a[AX_MAX_RANK], stride_b[AX_MAX_RANK];

    ax_walk_strides(a, whole, stride_a);
    ax_walk_strides(b, whole, stride_b);
    ax_walk_make(w, whole, stride_a, stride_b);
}
