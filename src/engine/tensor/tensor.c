/*
 * tensor.c: data types and shapes.
 */
#include "tensor/tensor.h"

#include <stdio.h>

static const struct {
    ax_dtype type;
    size_t size;
    const char *name;
} types[] = {
    {AX_FLOAT, 4, "float"},   {AX_UINT8, 1, "uint8"}, {AX_INT8, 1, "int8"},
    {AX_INT32, 4, "int32"},   {AX_INT64, 8, "int64"}, {AX_BOOL, 1, "bool"},
    {AX_DOUBLE, 8, "double"},
};

size_t ax_dtype_size(ax_dtype type)
{
    for (int i = 0; i < AX_COUNT(types); i++) {
        if (types[i].type == type)
            return types[i].size;
    }
    return 0;
}

const char *ax_dtype_name(ax_dtype type)
{
    for (int i = 0; i < AX_COUNT(types); i++) {
        if (types[i].type == type)
            return types[i].name;
    }
    return "unknown";
}

ax_shape ax_shape_of(int rank, const int64_t *dim)
{
    ax_shape s = {.rank = AX_MIN(AX_MAX(rank, 0), AX_MAX_RANK)};

    for (int i = 0; i < s.rank; i++)
        s.dim[i] = dim[i];
    return s;
}

bool ax_shape_equal(const ax_shape *a, const ax_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] != b->dim[i])
            return false;
    }
    return true;
}

int64_t ax_shape_span(const ax_shape *s, int from, int to)
{
    int64_t n = 1;

    for (int i = from; i < to; i++)
        n *= s->dim[i];
    return n;
}

int64_t ax_shape_elements(const ax_shape *s)
{
    return ax_shape_span(s, 0, s->rank);
}

/*
 * A zero does not excuse the other dimensions: spans of a part of the shape are multiplied too, and
 * must not overflow.
 */
bool ax_shape_sane(const ax_shape *s)
{
    int64_t n = 1;

    if (s->rank < 0 || s->rank > AX_MAX_RANK)
        return false;
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 0 || s->dim[i] > AX_MAX_ELEMENTS)
            return false;
        if (__builtin_mul_overflow(n, AX_MAX(s->dim[i], 1), &n) || n > AX_MAX_ELEMENTS)
            return false;
    }
    return true;
}

const char *ax_shape_text(const ax_shape *s, char *buf, size_t size)
{
    size_t at = 0;

    for (int i = 0; i < s->rank && at < size; i++)
        at += (size_t) snprintf(buf + at, size - at, "%s%lld", i == 0 ? "(" : ", ",
                                (long long) s->dim[i]);
    if (at < size)
        snprintf(buf + at, size - at, "%s", s->rank == 0 ? "()" : s->rank == 1 ? ",)" : ")");
    return buf;
}

size_t ax_tensor_bytes(ax_dtype type, const ax_shape *s)
{
    return (size_t) ax_shape_elements(s) * ax_dtype_size(type);
}

bool ax_shape_broadcast(const ax_shape *a, const ax_shape *b, ax_shape *out)
{
    ax_shape result = {.rank = AX_MAX(a->rank, b->rank)};

    for (int i = 1; i <= result.rank; i++) {
        int64_t x = i <= a->rank ? a->dim[a->rank - i] : 1;
        int64_t y = i <= b->rank ? b->dim[b->rank - i] : 1;

        if (x != y && x != 1 && y != 1)
            return false;
        result.dim[result.rank - i] = x == 1 ? y : x;
    }
    *out = result;
    return true;
}
