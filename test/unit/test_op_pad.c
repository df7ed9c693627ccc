/*
 * test_op_pad.c: Pad with a constant, against the same by index, over random shapes and pads.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

static double value_of(const op_case *c)
{
    return c->n_in > 2 ? *(const float *) c->in[2].data : 0;
}

static void reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *x = &c->in[0].shape, *y = &c->out[0].shape;
    const int64_t *pads = c->in[1].data;

    for (int64_t i = 0; i < ax_shape_elements(y); i++) {
        int64_t rest = i, from = 0, step = 1;
        bool inside = true;

        for (int k = y->rank - 1; k >= 0; k--) {
            int64_t at = rest % y->dim[k] - pads[k];

            rest /= y->dim[k];
            inside &= at >= 0 && at < x->dim[k];
            from += at * step;
            step *= x->dim[k];
        }
        out[0][i] = inside ? in[0][from] : value_of(c);
    }
}

static void start(op_case *c, int rank, const int64_t *dim, const int64_t *pads)
{
    op_case_init(c, &ax_op_pad, "Pad");
    op_case_input(c, AX_FLOAT, rank, dim);
    op_case_ints(c, 2 * rank, pads);
}

static void check(op_case *c)
{
    c->reference = reference;
    op_check_forward(c);
    op_check_gradient(c);
    op_case_free(c);
}

static void test_shapes(void)
{
    op_case c;

    start(&c, 4, (int64_t[]){2, 3, 5, 4}, (int64_t[]){0, 0, 1, 2, 0, 0, 3, 0});
    check(&c);
    start(&c, 4, (int64_t[]){2, 3, 5, 1}, (int64_t[]){0, 0, 1, 1, 0, 0, 1, 1});
    op_case_scalar(&c, -2.5f);
    check(&c);
    start(&c, 3, (int64_t[]){6, 3, 2}, (int64_t[]){0, 0, 1, 0, 0, 1});
    c.shards = 2;
    c.batched = c.batched_out = 1;
    check(&c);
    start(&c, 3, (int64_t[]){0, 3, 2}, (int64_t[]){0, 0, 1, 0, 0, 1});
    check(&c);
    start(&c, 2, (int64_t[]){3, 4}, (int64_t[]){0, 0, 0, 0});
    check(&c);
    for (int round = 0; round < 20; round++) {
        int64_t dim[4], pads[8];
        int rank = (int) op_random_int(1, 4);

        op_random_dims(rank, 1, 4, dim);
        for (int k = 0; k < 2 * rank; k++)
            pads[k] = op_random_int(0, 3);
        start(&c, rank, dim, pads);
        check(&c);
    }
}

static void refused(const int64_t *pads, int n, const char *mode, ax_status status, const char *text)
{
    op_case c;

    op_case_init(&c, &ax_op_pad, text);
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){3, 4});
    op_case_ints(&c, n, pads);
    if (mode != NULL)
        op_case_attr_s(&c, "mode", mode);
    op_check_refused(&c, status, text);
    op_case_free(&c);
}

static void test_refusals(void)
{
    static const int64_t none[4] = {0}, cut[4] = {0, -1, 0, 0}, huge[4] = {0, INT64_MAX, 0, 1};
    op_case c;

    refused(none, 3, NULL, AX_ERR_INVALID, "3 entries for 2 dimensions");
    refused(none, 4, "reflect", AX_ERR_UNSUPPORTED, "mode \"reflect\"");
    refused(cut, 4, NULL, AX_ERR_UNSUPPORTED, "negative pads");
    refused(huge, 4, NULL, AX_ERR_INVALID, "too large");
    start(&c, 1, (int64_t[]){3}, none);
    op_case_input(&c, AX_FLOAT, 0, NULL);
    op_check_refused(&c, AX_ERR_UNSUPPORTED, "constant_value");
    op_case_free(&c);
}

int main(void)
{
    test_shapes();
    test_refusals();
    return unit_done();
}
