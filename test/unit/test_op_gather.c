/*
 * test_op_gather.c: Gather against the sentence of the standard written out in double: axes, kinds of indices,
 * negative ones and ones out of range, its gradient when an index comes often, and the same bits for any number of
 * threads.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

static int64_t axis_of(const op_case *c)
{
    for (int i = 0; i < c->n_attr; i++)
        if (strcmp(c->attr[i].name, "axis") == 0)
            return c->attr[i].i < 0 ? c->attr[i].i + c->in[0].shape.rank : c->attr[i].i;
    return 0;
}

static void reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *data = &c->in[0].shape;
    int axis = (int) axis_of(c);
    int64_t outer = ax_shape_span(data, 0, axis), inner = ax_shape_span(data, axis + 1, data->rank);
    int64_t length = data->dim[axis], count = ax_shape_elements(&c->in[1].shape);

    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < count; i++)
            for (int64_t k = 0; k < inner; k++) {
                int64_t at = (int64_t) in[1][i];

                at = at < 0 ? at + length : at;
                out[0][(o * count + i) * inner + k] =
                    at >= 0 && at < length ? in[0][(o * length + at) * inner + k] : 0;
            }
}

static void fill_indices(op_case *c, int i, int64_t low, int64_t high)
{
    ax_tensor *t = &c->in[i];

    for (int64_t k = 0; k < ax_shape_elements(&t->shape); k++) {
        int64_t v = op_random_int(low, high);

        if (t->type == AX_INT64)
            ((int64_t *) t->data)[k] = v;
        else
            ((int32_t *) t->data)[k] = (int32_t) v;
    }
}

static void check(const char *label, int axis, const ax_shape *data, const ax_shape *indices, ax_dtype type,
                  int64_t low, int64_t high)
{
    op_case c;

    op_case_init(&c, &ax_op_gather, label);
    op_case_input(&c, AX_FLOAT, data->rank, data->dim);
    op_case_input(&c, type, indices->rank, indices->dim);
    fill_indices(&c, 1, low, high);
    op_case_attr_i(&c, "axis", axis);
    c.reference = reference;
    c.fixed = 2;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

static void test_shapes(void)
{
    ax_shape table = ax_shape_of(2, (const int64_t[]){7, 5}), cube = ax_shape_of(3, (const int64_t[]){3, 4, 5});
    ax_shape line = ax_shape_of(1, (const int64_t[]){9}), page = ax_shape_of(2, (const int64_t[]){2, 3});
    ax_shape scalar = {.rank = 0}, none = ax_shape_of(1, (const int64_t[]){0});

    check("rows of a table, some often", 0, &table, &line, AX_INT64, 0, 6);
    check("a page of rows", 0, &table, &page, AX_INT32, 0, 6);
    check("columns", 1, &table, &line, AX_INT64, 0, 4);
    check("the middle of a cube", 1, &cube, &page, AX_INT64, 0, 3);
    check("the last axis, counted from the end", -1, &cube, &line, AX_INT32, 0, 4);
    check("from the end", 0, &table, &line, AX_INT64, -7, -1);
    check("out of range", 0, &table, &line, AX_INT64, -20, 20);
    check("far out of range", 0, &table, &line, AX_INT64, INT64_MIN / 4, INT64_MAX / 4);
    check("one number", 0, &table, &scalar, AX_INT64, 2, 2);
    check("no index", 0, &table, &none, AX_INT64, 0, 0);
    check("nothing to choose from", 0, &none, &line, AX_INT64, -1, 1);
}

static void test_extremes(void)
{
    const int64_t bad[] = {INT64_MIN, INT64_MAX, 3, -4, 0, -1};
    op_case c;
    const float *y;

    op_case_init(&c, &ax_op_gather, "extremes");
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){3});
    op_case_input(&c, AX_INT64, 1, (int64_t[]){6});
    memcpy(c.in[1].data, bad, sizeof(bad));
    if (op_run_forward(&c, true)) {
        y = c.out[0].data;
        unit_check(y[0] == 0 && y[1] == 0 && y[2] == 0 && y[3] == 0, "indices out of range give 0");
        unit_check(y[4] == op_case_floats(&c, 0)[0] && y[5] == op_case_floats(&c, 0)[2], "the others do not");
    }
    op_case_free(&c);
}

static void test_integers(void)
{
    op_case c;

    op_case_init(&c, &ax_op_gather, "integers");
    op_case_input(&c, AX_INT64, 2, (int64_t[]){3, 2});
    op_case_input(&c, AX_INT64, 1, (int64_t[]){2});
    for (int i = 0; i < 6; i++)
        ((int64_t *) c.in[0].data)[i] = 10 + i;
    ((int64_t *) c.in[1].data)[0] = 2;
    if (op_run_forward(&c, false))
        unit_check(((int64_t *) c.out[0].data)[1] == 15 && ((int64_t *) c.out[0].data)[2] == 10,
                   "integers are gathered too");
    op_case_free(&c);
}

static void test_shards(void)
{
    op_case c;

    op_case_init(&c, &ax_op_gather, "an embedding in three shards");
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){5, 4});
    op_case_input(&c, AX_INT64, 2, (int64_t[]){12, 2});
    fill_indices(&c, 1, 0, 4);
    c.reference = reference;
    c.shards = 3;
    c.batched = 2;
    c.batched_out = 1;
    c.fixed = 2;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

static void test_refusals(void)
{
    op_case c;

    op_case_init(&c, &ax_op_gather, "floats as indices");
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){3});
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){3});
    op_check_refused(&c, AX_ERR_INVALID, "not integers");
    op_case_free(&c);
    op_case_init(&c, &ax_op_gather, "an axis that is not there");
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){3});
    op_case_input(&c, AX_INT64, 1, (int64_t[]){3});
    op_case_attr_i(&c, "axis", 1);
    op_check_refused(&c, AX_ERR_INVALID, "out of range");
    op_case_free(&c);
}

int main(void)
{
    test_shapes();
    test_extremes();
    test_integers();
    test_shards();
    test_refusals();
    return unit_done();
}
