/*
 * test_op_conv.c: Conv and the pools against loops written from the standard, in double, over random
 * windows (strides, dilations, pads, groups, auto_pad, ceil_mode), and their gradients.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

/* A window over one or two axes, as the standard describes it. */
typedef struct window {
    int axes;
    int64_t k[2], stride[2], dilation[2], begin[2], end[2];
    const char *pad; /* auto_pad, or NULL for explicit pads */
    bool ceil_mode, include_pad;
    int64_t groups;
} window;

static int64_t output_size(const window *w, int i, int64_t in, int64_t *begin)
{
    int64_t extent = (w->k[i] - 1) * w->dilation[i] + 1, out, total;
    double room;

    *begin = w->begin[i];
    if (w->pad != NULL && strncmp(w->pad, "SAME", 4) == 0) {
        out = (int64_t) ceil((double) in / (double) w->stride[i]);
        total = (out - 1) * w->stride[i] + extent - in;
        total = total > 0 ? total : 0;
        *begin = strcmp(w->pad, "SAME_UPPER") == 0 ? total / 2 : (total + 1) / 2;
        return out;
    }
    room = (double) (in + w->begin[i] + w->end[i] - extent) / (double) w->stride[i];
    out = (int64_t) (w->ceil_mode ? ceil(room) : floor(room)) + 1;
    if (w->ceil_mode && (out - 1) * w->stride[i] >= in + w->begin[i])
        out--;
    return out;
}

/* Input and output as planes of two axes, whatever the case has. */
typedef struct planes {
    int64_t n, c, h, w, oh, ow, top, left;
} planes;

static planes planes_of(const op_case *c, const window *w)
{
    const ax_shape *s = &c->in[0].shape;
    planes p = {s->dim[0], s->dim[1], 1, s->dim[s->rank - 1], 1, 0, 0, 0};

    if (w->axes == 2)
        p.h = s->dim[2];
    if (w->axes == 2)
        p.oh = output_size(w, 0, p.h, &p.top);
    p.ow = output_size(w, w->axes - 1, p.w, &p.left);
    return p;
}

static int64_t tap(const window *w, int axis, int64_t o, int64_t i, int64_t begin)
{
    if (w->axes == 1 && axis == 0)
        return 0;
    axis = w->axes == 1 ? 0 : axis;
    return o * w->stride[axis] + i * w->dilation[axis] - begin;
}

static int64_t kernel_h(const window *w)
{
    return w->axes == 2 ? w->k[0] : 1;
}

static int64_t kernel_w(const window *w)
{
    return w->k[w->axes - 1];
}

static void conv_reference(const op_case *c, double *const *in, double *const *out)
{
    const window *w = c->user;
    planes p = planes_of(c, w);
    int64_t m_all = c->in[1].shape.dim[0], cg = c->in[1].shape.dim[1], at = 0;
    int64_t kh = kernel_h(w), kw = kernel_w(w);

    for (int64_t n = 0; n < p.n; n++)
        for (int64_t m = 0; m < m_all; m++)
            for (int64_t oy = 0; oy < p.oh; oy++)
                for (int64_t ox = 0; ox < p.ow; ox++) {
                    double sum = c->n_in > 2 ? in[2][m] : 0;

                    for (int64_t k = 0; k < cg * kh * kw; k++) {
                        int64_t ch = k / (kh * kw) + m / (m_all / w->groups) * cg;
                        int64_t y = tap(w, 0, oy, k / kw % kh, p.top);
                        int64_t x = tap(w, 1, ox, k % kw, p.left);

                        if (y >= 0 && y < p.h && x >= 0 && x < p.w)
                            sum += in[1][m * cg * kh * kw + k] *
                                   in[0][((n * p.c + ch) * p.h + y) * p.w + x];
                    }
                    out[0][at++] = sum;
                }
}

/* Both pools: the maximum, or the mean over what counts. */
static void pool_reference(const op_case *c, double *const *in, double *const *out)
{
    const window *w = c->user;
    planes p = planes_of(c, w);
    int64_t at = 0;

    for (int64_t plane = 0; plane < p.n * p.c; plane++)
        for (int64_t oy = 0; oy < p.oh; oy++)
            for (int64_t ox = 0; ox < p.ow; ox++) {
                double best = -INFINITY, sum = 0;
                int64_t count = 0;

                for (int64_t k = 0; k < kernel_h(w) * kernel_w(w); k++) {
                    int64_t y = tap(w, 0, oy, k / kernel_w(w), p.top);
                    int64_t x = tap(w, 1, ox, k % kernel_w(w), p.left);
                    bool real = y >= 0 && y < p.h && x >= 0 && x < p.w;
                    int64_t bottom = w->axes == 2 ? w->end[0] : 0;

                    count += real || (w->include_pad && y < p.h + bottom &&
                                      x < p.w + w->end[w->axes - 1]);
                    if (!real)
                        continue;
                    best = fmax(best, in[0][(plane * p.h + y) * p.w + x]);
                    sum += in[0][(plane * p.h + y) * p.w + x];
                }
                out[0][at++] = c->op == &ax_op_max_pool ? best : count > 0 ? sum / (double) count : 0;
            }
}

static void put_window(op_case *c, const window *w, bool pool, bool dilations)
{
    int64_t pads[4];

    for (int i = 0; i < w->axes; i++) {
        pads[i] = w->begin[i];
        pads[i + w->axes] = w->end[i];
    }
    if (pool)
        op_case_attr_is(c, "kernel_shape", w->axes, w->k);
    op_case_attr_is(c, "strides", w->axes, w->stride);
    if (dilations)
        op_case_attr_is(c, "dilations", w->axes, w->dilation);
    if (w->pad != NULL)
        op_case_attr_s(c, "auto_pad", w->pad);
    else
        op_case_attr_is(c, "pads", 2 * w->axes, pads);
    c->user = (void *) w;
}

static window random_window(bool pool)
{
    static const char *const pads[] = {"SAME_UPPER", "SAME_LOWER", "VALID", NULL, NULL, NULL};
    window w = {.axes = (int) op_random_int(1, 2), .pad = pads[op_random_int(0, 5)], .groups = 1};

    for (int i = 0; i < 2; i++) {
        w.k[i] = op_random_int(1, 3);
        w.stride[i] = op_random_int(1, 3);
        w.dilation[i] = op_random_int(1, 2);
        if (w.pad != NULL)
            continue;
        /* a pool's window always sees a real element */
        w.begin[i] = op_random_int(0, pool ? w.k[i] - 1 : 2);
        w.end[i] = op_random_int(0, pool ? w.k[i] - 1 : 2);
        w.dilation[i] = pool && w.begin[i] > 0 ? 1 : w.dilation[i];
    }
    return w;
}

static void random_conv(bool depthwise)
{
    window w = random_window(false);
    op_case c;
    int64_t dim[4] = {op_random_int(0, 3), 0, op_random_int(6, 9), op_random_int(6, 9)};
    int64_t kernel[4] = {0, 0, w.k[0], w.k[1]};
    int64_t cg = depthwise ? 1 : op_random_int(1, 3);

    w.groups = op_random_int(1, 3);
    dim[1] = cg * w.groups;
    kernel[0] = w.groups * op_random_int(1, 2);
    kernel[1] = cg;
    op_case_init(&c, &ax_op_conv, depthwise ? "depthwise Conv" : "Conv");
    op_case_input(&c, AX_FLOAT, 2 + w.axes, dim);
    op_case_input(&c, AX_FLOAT, 2 + w.axes, kernel);
    if (op_random_int(0, 1))
        op_case_input(&c, AX_FLOAT, 1, kernel);
    put_window(&c, &w, false, true);
    op_case_attr_i(&c, "group", w.groups);
    c.reference = conv_reference;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

static void random_pool(bool max)
{
    window w = random_window(true);
    int64_t dim[4] = {op_random_int(1, 2), op_random_int(1, 3), op_random_int(6, 9),
                      op_random_int(6, 9)};
    op_case c;

    w.ceil_mode = w.pad == NULL && op_random_int(0, 1);
    w.include_pad = !max && w.pad == NULL && !w.ceil_mode && op_random_int(0, 1);
    if (!max)
        w.dilation[0] = w.dilation[1] = 1;
    op_case_init(&c, max ? &ax_op_max_pool : &ax_op_average_pool, max ? "MaxPool" : "AveragePool");
    op_case_input(&c, AX_FLOAT, 2 + w.axes, dim);
    op_fill_distinct(&c, 0, 0.01);
    put_window(&c, &w, true, max);
    op_case_attr_i(&c, "ceil_mode", w.ceil_mode);
    if (!max)
        op_case_attr_i(&c, "count_include_pad", w.include_pad);
    c.reference = pool_reference;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

/* The pool of the everyday, which has a path of its own. */
static void two_by_two(int64_t h, int64_t w2)
{
    window w = {.axes = 2, .k = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}, .groups = 1};
    op_case c;

    op_case_init(&c, &ax_op_max_pool, "MaxPool 2x2");
    op_case_input(&c, AX_FLOAT, 4, (int64_t[]){2, 3, h, w2});
    op_fill_distinct(&c, 0, 0.01);
    put_window(&c, &w, true, true);
    c.reference = pool_reference;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

static void global_reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *s = &c->in[0].shape;
    int64_t plane = ax_shape_span(s, 2, s->rank);

    for (int64_t i = 0; i < s->dim[0] * s->dim[1]; i++) {
        double best = -INFINITY, sum = 0;

        for (int64_t k = 0; k < plane; k++) {
            best = fmax(best, in[0][i * plane + k]);
            sum += in[0][i * plane + k];
        }
        out[0][i] = c->op == &ax_op_global_max_pool ? best : sum / (double) plane;
    }
}

static void global(const ax_op *op, int rank, const int64_t *dim)
{
    op_case c;

    op_case_init(&c, op, op->type);
    op_case_input(&c, AX_FLOAT, rank, dim);
    op_fill_distinct(&c, 0, 0.01);
    c.reference = global_reference;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

/* What a hostile graph may say. */
static void refused(const char *attr, int n, const int64_t *v, const char *text)
{
    op_case c;

    op_case_init(&c, &ax_op_conv, "Conv");
    op_case_input(&c, AX_FLOAT, 4, (int64_t[]){1, 2, 5, 5});
    op_case_input(&c, AX_FLOAT, 4, (int64_t[]){2, 2, 3, 3});
    if (n == 0)
        op_case_attr_i(&c, attr, v[0]);
    else
        op_case_attr_is(&c, attr, n, v);
    op_check_refused(&c, AX_ERR_INVALID, text);
    op_case_free(&c);
}

int main(void)
{
    for (int round = 0; round < 60; round++)
        random_conv(round % 3 == 0);
    for (int round = 0; round < 60; round++)
        random_pool(round % 2 == 0);
    two_by_two(6, 8);
    two_by_two(7, 5);
    global(&ax_op_global_average_pool, 4, (int64_t[]){2, 3, 4, 5});
    global(&ax_op_global_average_pool, 3, (int64_t[]){1, 2, 17});
    global(&ax_op_global_max_pool, 4, (int64_t[]){2, 3, 4, 5});
    global(&ax_op_global_max_pool, 3, (int64_t[]){1, 2, 17});
    refused("strides", 2, (int64_t[]){0, 1}, "strides");
    refused("strides", 2, (int64_t[]){1, INT64_MAX}, "strides");
    refused("strides", 3, (int64_t[]){1, 1, 1}, "strides");
    refused("dilations", 2, (int64_t[]){3, 1}, "does not fit");
    refused("pads", 4, (int64_t[]){-1, 0, 0, 0}, "pads");
    refused("pads", 2, (int64_t[]){0, 0}, "pads");
    refused("kernel_shape", 2, (int64_t[]){2, 3}, "kernel_shape");
    refused("group", 0, (int64_t[]){0}, "groups");
    refused("group", 0, (int64_t[]){3}, "groups");
    return unit_done();
}
