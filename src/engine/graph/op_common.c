/*
 * op_common.c: copies, gradients of copies, and constant integer inputs (op_common.h).
 */
#include "graph/op_common.h"

void ax_copy_forward(const ax_run *r)
{
    if (r->out[0].data != r->in[0].data)
        memcpy(r->out[0].data, r->in[0].data, ax_tensor_bytes(r->out[0].type, &r->out[0].shape));
}

void ax_give_gradient(int64_t n, const float *g, float *d, bool add)
{
    if (add)
        ax_kernels_get()->add(n, d, g, d);
    else if (d != g)
        memcpy(d, g, (size_t) n * sizeof(float));
}

void ax_copy_backward(const ax_run *r)
{
    if (ax_wants_grad(r, 0))
        ax_give_gradient(ax_shape_elements(&r->din[0].shape), r->dout[0].data, r->din[0].data,
                         r->add[0]);
}

bool ax_setup_absent(const ax_setup *s, int i)
{
    return i >= s->n_in || s->in[i].shape.rank < 0;
}

ax_status ax_setup_any(ax_setup *s, int i)
{
    if (ax_setup_absent(s, i))
        return ax_setup_fail(s, "input %d is missing", i);
    if (!ax_dtype_size(s->in[i].type))
        return ax_setup_unsupported(s, "input %d has an unknown type (%d)", i, (int) s->in[i].type);
    return AX_OK;
}

ax_status ax_setup_ints(ax_setup *s, int i, const char *name, int max, int64_t *v, int *count)
{
    const ax_tensor *t = &s->in[i];
    int64_t n;

    AX_TRY(ax_setup_any(s, i));
    if (t->type != AX_INT64)
        return ax_setup_fail(s, "%s is %s, not int64", name, ax_dtype_name(t->type));
    if (t->shape.rank > 1)
        return ax_setup_fail(s, "%s has %d dimensions, not 1", name, t->shape.rank);
    n = ax_shape_elements(&t->shape);
    if (n > max)
        return ax_setup_fail(s, "%s has %lld entries; at most %d are possible", name, (long long) n,
                             max);
    if (n > 0 && !t->data)
        return ax_setup_unsupported(s, "%s is computed; it must be a constant", name);
    if (n > 0)
        memcpy(v, t->data, (size_t) n * sizeof *v);
    *count = (int) n;
    return AX_OK;
}

ax_status ax_setup_axes(ax_setup *s, const int64_t *axes, int count, int rank, bool *set)
{
    memset(set, 0, (size_t) rank * sizeof *set);
    for (int k = 0; k < count; k++) {
        int axis;

        AX_TRY(ax_setup_axis(s, axes[k], rank, &axis));
        if (set[axis])
            return ax_setup_fail(s, "axis %lld is named twice", (long long) axes[k]);
        set[axis] = true;
    }
    return AX_OK;
}
