/*
 * stack.h: the triangle R of a QR factorization of rows that come a few at a time (Householder reflections of the new
 * rows with the triangle so far). It needs no room for the rows and squares no condition number.
 */
#ifndef AX_STACK_H
#define AX_STACK_H

#include "linear/design.h"

typedef struct ax_stack {
    int n, ld; /* columns; ld of r */
    int block; /* rows that b has room for, and its leading dimension */
    double *r; /* (n, n) by columns, upper; 0 at the start; belongs to the caller */
    double *b; /* (block, n) by columns: where the caller puts new rows */
    double *t, *work;
    int reflectors; /* that are applied at once */
} ax_stack;

ax_status ax_stack_open(ax_arena *arena, int n, double *r, int ld, ax_stack *s, ax_error *err);
/* Takes the first `rows` rows of b in; b is spoiled. Asks may_continue. */
ax_status ax_stack_add(ax_stack *s, const ax_env *env, int rows, ax_error *err);

#endif /* AX_STACK_H */
