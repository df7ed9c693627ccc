/*
 * op_layernorm.c: LayerNormalization (ONNX 17). A row is what lies on axes axis.. of x; every row is normalized on
 * its own:
 *
 *     x^ = (x - mean) / sqrt(var + epsilon),   y = x^ * scale + bias
 *
 * scale and bias have the row's shape. Backward, with h = g * scale and means over the row:
 *     dscale = sum(g x^), dbias = sum(g), dx = (h - mean(h) - x^ * mean(h x^)) / sqrt(var + epsilon).
 */
#include <math.h>

#include "graph/op.h"

#define CHUNK 4096 /* of a row: its sums are floats, those of the row doubles */

typedef struct norm {
    int64_t rows, width;
    float epsilon;
} norm;

static ax_status check_row(ax_setup *s, int i, int axis)
{
    const ax_shape *x = &s->in[0].shape, *w = &s->in[i].shape;

    AX_TRY(ax_setup_float(s, i, 1, AX_MAX_RANK));
    if (w->rank != x->rank - axis)
        return ax_setup_fail(s, "input %d does not have the shape of a row", i + 1);
    for (int k = 0; k < w->rank; k++)
        if (w->dim[k] != x->dim[axis + k])
            return ax_setup_fail(s, "input %d does not have the shape of a row", i + 1);
    return AX_OK;
}

static ax_status setup(ax_setup *s)
{
    norm *p = ax_setup_prep(s, sizeof(*p));
    const ax_shape *x = &s->in[0].shape;
    int axis;

    if (p == NULL)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 1, AX_MAX_RANK));
    AX_TRY(ax_setup_axis(s, ax_node_int(s->node, "axis", -1), x->rank, &axis));
    AX_TRY(check_row(s, 1, axis));
    if (s->n_in > 2 && s->in[2].shape.rank >= 0)
        AX_TRY(check_row(s, 2, axis));
    if (ax_node_int(s->node, "stash_type", 1) != 1)
        return ax_setup_unsupported(s, "a stash_type other than float");
    p->epsilon = ax_node_float(s->node, "epsilon", 1e-5f);
    p->rows = ax_shape_span(x, 0, axis);
    p->width = ax_shape_span(x, axis, x->rank);
    if (s->training) /* mean and 1/sqrt(var + epsilon) of every row */
        s->saved = 2 * (size_t) p->rows * sizeof(float);
    ax_setup_same(s, 0);
    return AX_OK;
}

static void row_statistics(const norm *p, const float *x, float *mean, float *inv)
{
    const ax_kernels *k = ax_kernels_get();
    double sum = 0, squares = 0, n = (double) AX_MAX(p->width, 1);

    for (int64_t i = 0; i < p->width; i += CHUNK)
        sum += (double) k->sum(AX_MIN(CHUNK, p->width - i), x + i);
    *mean = (float) (sum / n);
    for (int64_t i = 0; i < p->width; i += CHUNK)
        squares += (double) k->squares(AX_MIN(CHUNK, p->width - i), x + i, *mean);
    *inv = (float) (1.0 / sqrt(squares / n + (double) p->epsilon));
}

static void forward(const ax_run *r)
{
    const norm *p = r->prep;
    const float *x = r->in[0].data, *scale = r->in[1].data;
    const float *bias = r->n_in > 2 && r->in[2].shape.rank >= 0 ? r->in[2].data : NULL;
    float *y = r->out[0].data, *saved = r->saved;

    for (int64_t k = 0; k < p->rows; k++, x += p->width, y += p->width) {
        float mean, inv;

        row_statistics(p, x, &mean, &inv);
        ax_kernels_get()->normalize(p->width, x, mean, inv, scale, bias, y);
        if (saved != NULL) {
            saved[2 * k] = mean;
            saved[2 * k + 1] = inv;
        }
    }
}

static void clear(const ax_run *r, int i)
{
    if (ax_wants_grad(r, i) && !r->add[i])
        memset(r->din[i].data, 0, (size_t) ax_shape_elements(&r->in[i].shape) * sizeof(float));
}

static void backward_row(const norm *p, const float *x, const float *scale, const float *g,
                         const float *saved, bool add, float *dx)
{
    const ax_kernels *k = ax_kernels_get();
    ax_norm_row s = {.mean = saved[0], .inv = saved[1]};
    double sum = 0, sum_x = 0, n = (double) AX_MAX(p->width, 1);

    for (int64_t i = 0; i < p->width; i += CHUNK) {
        float part, part_x;

        k->normalize_sums(AX_MIN(CHUNK, p->width - i), x + i, g + i, scale + i, s.mean, s.inv,
                          &part, &part_x);
        sum += (double) part;
        sum_x += (double) part_x;
    }
    s.a = (float) (sum / n);
    s.b = (float) (sum_x / n);
    k->normalize_back(p->width, x, g, scale, &s, dx, add);
}

static void backward(const ax_run *r)
{
    const norm *p = r->prep;
    const float *x = r->in[0].data, *scale = r->in[1].data, *g = r->dout[0].data;
    const float *saved = r->saved;
    float *dx = ax_wants_grad(r, 0) ? r->din[0].data : NULL;
    float *dscale = ax_wants_grad(r, 1) ? r->din[1].data : NULL;
    float *dbias = ax_wants_grad(r, 2) ? r->din[2].data : NULL;

    clear(r, 1);
    clear(r, 2);
    for (int64_t k = 0; k < p->rows; k++, x += p->width, g += p->width, saved += 2) {
        if (dscale != NULL || dbias != NULL)
            ax_kernels_get()->normalize_weights(p->width, x, g, saved[0], saved[1], dscale, dbias);
        if (dx != NULL)
            backward_row(p, x, scale, g, saved, r->add[0], dx + k * p->width);
    }
}

static const ax_attr_spec attrs[] = {{"axis", AX_ATTR_INT},
                                     {"epsilon", AX_ATTR_FLOAT},
                                     {"stash_type", AX_ATTR_INT},
                                     {NULL, 0}};

const ax_op ax_op_layer_normalization = {.type = "LayerNormalization",
                                         .since = 17,
                                         .min_in = 2,
                                         .max_in = 3,
                                         .min_out = 1,
                                         .max_out = 1,
                                         .flags = AX_KEEP_IN0 | AX_KEEP_IN1,
                                         .attr = attrs,
                                         .setup = setup,
                                         .forward = forward,
                                         .backward = backward};
