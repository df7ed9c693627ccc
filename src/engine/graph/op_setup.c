/*
 * op_setup.c: what the operators' setup functions share: errors that name the node, and the usual
 * checks.
 */
#include <stdarg.h>
#include <stdio.h>

#include "graph/op.h"

static ax_status fail_with(ax_setup *s, ax_status status, const char *fmt, va_list args)
{
    char text[AX_TEXT_MAX];

    vsnprintf(text, sizeof text, fmt, args);
    return ax_fail(s->err, status, "node \"%s\" (%s): %s", s->node->name ? s->node->name : "",
                   s->node->op->type, text);
}

ax_status ax_setup_fail(ax_setup *s, const char *fmt, ...)
{
    ax_status status;
    va_list args;

    va_start(args, fmt);
    status = fail_with(s, AX_ERR_INVALID, fmt, args);
    va_end(args);
    return status;
}

ax_status ax_setup_unsupported(ax_setup *s, const char *fmt, ...)
{
    ax_status status;
    va_list args;

    va_start(args, fmt);
    status = fail_with(s, AX_ERR_UNSUPPORTED, fmt, args);
    va_end(args);
    return status;
}

ax_status ax_setup_float(ax_setup *s, int i, int min_rank, int max_rank)
{
    char shape[128];

    if (i >= s->n_in || s->in[i].shape.rank < 0)
        return ax_setup_fail(s, "input %d is missing", i);
    if (s->in[i].type != AX_FLOAT)
        return ax_setup_fail(s, "input %d is %s, not float", i, ax_dtype_name(s->in[i].type));
    if (s->in[i].shape.rank < min_rank || s->in[i].shape.rank > max_rank)
        return ax_setup_fail(s, "input %d has shape %s, of %d dimensions; %d to %d are possible", i,
                             ax_shape_text(&s->in[i].shape, shape, sizeof shape),
                             s->in[i].shape.rank, min_rank, max_rank);
    return AX_OK;
}

void ax_setup_same(ax_setup *s, int i)
{
    s->out[0].type = s->in[i].type;
    s->out[0].shape = s->in[i].shape;
}

void *ax_setup_prep(ax_setup *s, size_t size)
{
    s->prep = ax_arena_alloc(s->arena, size);
    return s->prep;
}

ax_status ax_setup_axis(ax_setup *s, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return ax_setup_fail(s, "axis %lld is out of range for %d dimensions", (long long) axis,
                             rank);
    *out = (int) (axis < 0 ? axis + rank : axis);
    return AX_OK;
}

int32_t *ax_multiples(ax_arena *a, int64_t n, int64_t of)
{
    int32_t *t = ax_arena_array(a, (size_t) n, sizeof(int32_t));

    for (int64_t i = 0; t != NULL && i < n; i++)
        t[i] = (int32_t) (i * of);
    return t;
}

ax_status ax_setup_broadcast(ax_setup *s, ax_dtype type)
{
    const ax_shape *a = &s->in[0].shape, *b = &s->in[1].shape;
    char text[2][128];

    if (!ax_shape_broadcast(a, b, &s->out[0].shape))
        return ax_setup_fail(s, "shapes %s and %s do not fit together", ax_shape_text(a, text[0], sizeof(text[0])),
                             ax_shape_text(b, text[1], sizeof(text[1])));
    if (!ax_shape_sane(&s->out[0].shape))
        return ax_setup_fail(s, "the output is too large");
    s->out[0].type = type;
    return AX_OK;
}
