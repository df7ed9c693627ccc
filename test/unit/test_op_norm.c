/*
 * test_op_norm.c: BatchNormalization, with running statistics and, in training, with those of the whole batch over
 * several shards, and LayerNormalization, against the definitions in double; their gradients.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

#define EPSILON 0.01

static void batch_reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *s = &c->in[0].shape;
    int64_t n = s->dim[0], ch = s->dim[1], plane = ax_shape_span(s, 2, s->rank);

    for (int64_t k = 0; k < ch; k++) {
        double mean = in[3][k], var = in[4][k], sum = 0, m2 = 0;

        if (c->training && n * plane > 0) {
            for (int64_t i = 0; i < n * plane; i++)
                sum += in[0][(i / plane * ch + k) * plane + i % plane];
            mean = sum / (double) (n * plane);
            for (int64_t i = 0; i < n * plane; i++)
                m2 += pow(in[0][(i / plane * ch + k) * plane + i % plane] - mean, 2);
            var = m2 / (double) (n * plane);
            in[3][k] = 0.75 * in[3][k] + 0.25 * mean;
            in[4][k] = 0.75 * in[4][k] + 0.25 * var;
        }
        for (int64_t i = 0; i < n * plane; i++) {
            int64_t at = (i / plane * ch + k) * plane + i % plane;

            out[0][at] = in[1][k] * (in[0][at] - mean) / sqrt(var + EPSILON) + in[2][k];
        }
    }
}

static void check_batch(int rank, const int64_t *dim, int shards)
{
    op_case c;

    op_case_init(&c, &ax_op_batch_normalization, "BatchNormalization");
    op_case_input(&c, AX_FLOAT, rank, dim);
    for (int i = 0; i < 4; i++)
        op_case_input(&c, AX_FLOAT, 1, &dim[1]);
    op_fill_uniform(&c, 4, 0.5, 2);
    op_case_attr_f(&c, "epsilon", (float) EPSILON);
    op_case_attr_f(&c, "momentum", 0.75f);
    c.reference = batch_reference;
    c.fixed = c.updates = 1 << 3 | 1 << 4;
    c.shards = shards;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

static void layer_reference(const op_case *c, double *const *in, double *const *out)
{
    int64_t width = ax_shape_elements(&c->in[1].shape);

    for (int64_t r = 0; r < ax_shape_elements(&c->in[0].shape) / width; r++) {
        const double *x = in[0] + r * width;
        double sum = 0, m2 = 0, mean;

        for (int64_t i = 0; i < width; i++)
            sum += x[i];
        mean = sum / (double) width;
        for (int64_t i = 0; i < width; i++)
            m2 += (x[i] - mean) * (x[i] - mean);
        for (int64_t i = 0; i < width; i++)
            out[0][r * width + i] = (x[i] - mean) / sqrt(m2 / (double) width + EPSILON) * in[1][i] +
                                    (c->n_in > 2 ? in[2][i] : 0);
    }
}

static void check_layer(int rank, const int64_t *dim, int axis, bool bias)
{
    op_case c;

    op_case_init(&c, &ax_op_layer_normalization, "LayerNormalization");
    op_case_input(&c, AX_FLOAT, rank, dim);
    op_case_input(&c, AX_FLOAT, rank - axis, dim + axis);
    if (bias)
        op_case_input(&c, AX_FLOAT, rank - axis, dim + axis);
    op_case_attr_i(&c, "axis", op_random_int(0, 1) ? axis : axis - rank);
    op_case_attr_f(&c, "epsilon", (float) EPSILON);
    c.reference = layer_reference;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

int main(void)
{
    check_batch(4, (int64_t[]){6, 3, 4, 5}, 1);
    check_batch(4, (int64_t[]){6, 3, 4, 5}, 3);
    check_batch(4, (int64_t[]){7, 2, 3, 3}, 4);
    check_batch(3, (int64_t[]){5, 4, 6}, 2);
    check_batch(2, (int64_t[]){9, 4}, 1);
    check_batch(2, (int64_t[]){9, 4}, 4);
    for (int round = 0; round < 12; round++) {
        int64_t dim[4];
        int rank = (int) op_random_int(2, 4);

        op_random_dims(rank, 2, 6, dim);
        check_layer(rank, dim, (int) op_random_int(1, rank - 1), round % 2);
    }
    return unit_done();
}
