/*
 * op_common.h: what several operators do alike: keep the bytes and change what they mean, and read
 * integers that the graph gives as a constant input.
 */
#ifndef AX_OP_COMMON_H
#define AX_OP_COMMON_H

#include "graph/op.h"

/* out[0] = the bytes of in[0]; nothing is done when both are the same memory. */
void ax_copy_forward(const ax_run *r);
/* din[0] = dout[0], or += ; float. */
void ax_copy_backward(const ax_run *r);

/* d (n floats) = g, or += g when add; d may be g itself. */
void ax_give_gradient(int64_t n, const float *g, float *d, bool add);

/* Input i is there and has a type that the engine knows. */
ax_status ax_setup_any(ax_setup *s, int i);
/* Input i is left out. */
bool ax_setup_absent(const ax_setup *s, int i);
/*
 * The integers of constant input i (int64, a list or a single number), at most max of them. A
 * longer list, another type or a computed input fails; `name` is what the standard calls it.
 */
ax_status ax_setup_ints(ax_setup *s, int i, const char *name, int max, int64_t *v, int *count);
/* Marks the axes in set[0..rank); each within -rank..rank-1, none twice. */
ax_status ax_setup_axes(ax_setup *s, const int64_t *axes, int count, int rank, bool *set);

/*
 * The function of one number that a node is (op_unary.c), as a kernel with its constants. False when it is none, or one
 * whose constants are inputs (Clip).
 */
bool ax_unary_curve(const ax_node *n, ax_curve *curve, float *a, float *b);

#endif /* AX_OP_COMMON_H */
