/*
 * tensor.h: what a tensor is: a type, a shape, and bytes in row-major order.
 *
 * A tensor never owns its bytes; whoever laid them out (an arena, a plan, the caller) does.
 */
#ifndef AX_TENSOR_H
#define AX_TENSOR_H

#include "base/base.h"

#define AX_DIM_BATCH (-1)              /* only in a graph's inputs: the batch, bound when a plan is made */
#define AX_MAX_ELEMENTS ((int64_t) 1 << 40) /* in one tensor: keeps every product below 2^63 */

typedef struct ax_shape {
    int rank; /* 0: a scalar */
    int64_t dim[AX_MAX_RANK];
} ax_shape;

typedef struct ax_tensor {
    ax_dtype type;
    ax_shape shape;
    void *data;
} ax_tensor;

ax_shape ax_shape_of(int rank, const int64_t *dim);
bool ax_shape_equal(const ax_shape *a, const ax_shape *b);
/* Product of dim[from..to). The shape is known to be sane (ax_shape_check). */
int64_t ax_shape_span(const ax_shape *s, int from, int to);
int64_t ax_shape_elements(const ax_shape *s);
/* Every dimension >= 0 (AX_DIM_BATCH not allowed) and the product at most AX_MAX_ELEMENTS. */
bool ax_shape_sane(const ax_shape *s);
/* "(32, 3, 30, 30)"; the buffer is returned. */
const char *ax_shape_text(const ax_shape *s, char *buf, size_t size);
size_t ax_tensor_bytes(ax_dtype type, const ax_shape *s);

/* NumPy's broadcasting of two shapes; false when they do not fit. */
bool ax_shape_broadcast(const ax_shape *a, const ax_shape *b, ax_shape *out);

#endif /* AX_TENSOR_H */
