/*
 * stack.c: QR of rows that come a few at a time, by LAPACK's dtpqrt.
 */
#include "linear/stack.h"
#include "linear/lapack.h"

ax_status ax_stack_open(ax_arena *arena, int n, double *r, int ld, ax_stack *s, ax_error *err)
{
    double rows = AX_PIECE_FLOPS / (2.0 * n * n);
    size_t t;

    *s = (ax_stack){.n = n, .ld = ld, .r = r, .reflectors = AX_MIN(32, n)};
    s->block = (int) AX_MAX(8, AX_MIN(rows, 256));
    t = (size_t) s->reflectors * (size_t) n;
    s->b = ax_arena_array(arena, (size_t) s->block * (size_t) n, sizeof(double));
    s->t = ax_arena_array(arena, t, sizeof(double));
    s->work = ax_arena_array(arena, t, sizeof(double));
    return s->b == NULL || s->t == NULL || s->work == NULL ? ax_nomem(err) : AX_OK;
}

ax_status ax_stack_add(ax_stack *s, const ax_env *env, int rows, ax_error *err)
{
    int zero = 0, info;

    if (rows > 0)
        dtpqrt_(&rows, &s->n, &zero, &s->reflectors, s->r, &s->ld, s->b, &s->block, s->t, &s->reflectors, s->work,
                &info);
    return ax_may_continue(env) ? AX_OK : ax_cancelled(err);
}
