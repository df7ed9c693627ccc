/*
 * test_op_shape.c: what moves numbers without changing them: Identity, Flatten, Reshape, Squeeze,
 * Unsqueeze, Transpose, Concat, Cast. Their shapes come from untrusted integers, so most of it is
 * refusals.
 */
#include <math.h>

#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

static void copy_reference(const op_case *c, double *const *in, double *const *out)
{
    memcpy(out[0], in[0], (size_t) ax_shape_elements(&c->in[0].shape) * sizeof(double));
}

static bool check_shape(const op_case *c, int rank, const int64_t *dim)
{
    ax_shape want = ax_shape_of(rank, dim);
    char text[2][128];

    return unit_check(ax_shape_equal(&c->out[0].shape, &want), "%s gives %s, got %s", c->label,
                      ax_shape_text(&want, text[0], sizeof text[0]),
                      ax_shape_text(&c->out[0].shape, text[1], sizeof text[1]));
}

/* Forward, backward, and that a plan may skip both. */
static void check_same_bytes(op_case *c, int rank, const int64_t *dim)
{
    c->reference = copy_reference;
    op_check_forward(c);
    op_check_gradient(c);
    check_shape(c, rank, dim);
    unit_is_int(c->alias, 0, "%s is an alias", c->label);
    op_case_free(c);
}

static void start(op_case *c, const ax_op *op, int rank, const int64_t *dim)
{
    op_case_init(c, op, op->type);
    op_case_input(c, AX_FLOAT, rank, dim);
}

/* ---- Identity, Flatten ----------------------------------------------------------------------- */

static void test_identity(void)
{
    op_case c;

    start(&c, &ax_op_identity, 2, (int64_t[]){3, 5});
    check_same_bytes(&c, 2, (int64_t[]){3, 5});
    start(&c, &ax_op_identity, 2, (int64_t[]){7, 5});
    c.shards = 2;
    c.reference = copy_reference;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
    op_case_init(&c, &ax_op_identity, "Identity of integers");
    op_case_ints(&c, 3, (int64_t[]){1, -2, INT64_MAX});
    op_run_forward(&c, false);
    unit_same(c.out[0].data, c.in[0].data, 24, "integers pass");
    op_case_free(&c);
}

static void check_flatten(int rank, const int64_t *dim, int64_t axis, int64_t a, int64_t b)
{
    op_case c;

    start(&c, &ax_op_flatten, rank, dim);
    if (axis != 99)
        op_case_attr_i(&c, "axis", axis);
    check_same_bytes(&c, 2, (int64_t[]){a, b});
}

static void test_flatten(void)
{
    static const int64_t dim[] = {2, 3, 4, 5}, empty[] = {0, 3, 4};
    static const int64_t bad[] = {5, -5, INT64_MAX, INT64_MIN};
    op_case c;

    check_flatten(4, dim, 99, 2, 60);
    check_flatten(4, dim, 0, 1, 120);
    check_flatten(4, dim, 4, 120, 1);
    check_flatten(4, dim, -1, 24, 5);
    check_flatten(4, dim, -4, 1, 120);
    check_flatten(0, NULL, 0, 1, 1);
    check_flatten(3, empty, 1, 0, 12);
    for (int i = 0; i < AX_COUNT(bad); i++) {
        start(&c, &ax_op_flatten, 4, dim);
        op_case_attr_i(&c, "axis", bad[i]);
        op_check_refused(&c, AX_ERR_INVALID, "is out of range for 4 dimensions");
        op_case_free(&c);
    }
}

/* ---- Reshape --------------------------------------------------------------------------------- */

static void check_reshape(int rank, const int64_t *dim, int n, const int64_t *to, int rank_y,
                          const int64_t *y)
{
    op_case c;

    start(&c, &ax_op_reshape, rank, dim);
    op_case_ints(&c, n, to);
    check_same_bytes(&c, rank_y, y);
}

static void test_reshape(void)
{
    static const int64_t dim[] = {2, 3, 4}, empty[] = {0, 3, 4};

    check_reshape(3, dim, 2, (int64_t[]){4, 6}, 2, (int64_t[]){4, 6});
    check_reshape(3, dim, 1, (int64_t[]){-1}, 1, (int64_t[]){24});
    check_reshape(3, dim, 3, (int64_t[]){0, -1, 2}, 3, (int64_t[]){2, 6, 2});
    check_reshape(3, dim, 4, (int64_t[]){0, 0, 0, 1}, 4, (int64_t[]){2, 3, 4, 1});
    check_reshape(3, dim, 3, (int64_t[]){-1, 24, 1}, 3, (int64_t[]){1, 24, 1});
    check_reshape(0, NULL, 2, (int64_t[]){1, -1}, 2, (int64_t[]){1, 1});
    check_reshape(2, (int64_t[]){1, 1}, 0, NULL, 0, NULL);
    check_reshape(3, empty, 2, (int64_t[]){0, -1}, 2, (int64_t[]){0, 12});
    check_reshape(3, empty, 2, (int64_t[]){-1, 12}, 2, (int64_t[]){0, 12});
    check_reshape(3, empty, 2, (int64_t[]){0, 7}, 2, (int64_t[]){0, 7});
}

static void reshape_refused(int n, const int64_t *to, int allow_zero, const char *text)
{
    op_case c;

    start(&c, &ax_op_reshape, 3, (int64_t[]){2, 3, 4});
    op_case_ints(&c, n, to);
    op_case_attr_i(&c, "allowzero", allow_zero);
    op_check_refused(&c, AX_ERR_INVALID, text);
    op_case_free(&c);
}

static void test_reshape_refusals(void)
{
    const int64_t huge = INT64_MAX;
    op_case c;

    reshape_refused(2, (int64_t[]){5, 5}, 0,
                    "shape (5, 5) does not hold the elements of (2, 3, 4)");
    reshape_refused(2, (int64_t[]){-1, -1}, 0, "-1 twice");
    reshape_refused(2, (int64_t[]){-2, -12}, 0, "a dimension of -2");
    reshape_refused(2, (int64_t[]){-1, 7}, 0, "do not divide into lines of 7");
    reshape_refused(4, (int64_t[]){2, 3, 4, 0}, 0, "copies dimension 3 of 3");
    reshape_refused(2, (int64_t[]){0, -1}, 1, "both 0 and -1");
    reshape_refused(2, (int64_t[]){0, 24}, 1, "does not hold");
    reshape_refused(3, (int64_t[]){huge, huge, huge}, 0, "too large");
    reshape_refused(3, (int64_t[]){-1, huge, huge}, 0, "too large");
    reshape_refused(2, (int64_t[]){1 << 30, 1 << 30}, 0, "too large");
    reshape_refused(9, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 24}, 0, "shape has 9 entries");
    start(&c, &ax_op_reshape, 1, (int64_t[]){2});
    op_case_input(&c, AX_INT64, 1, (int64_t[]){2});
    op_check_refused(&c, AX_ERR_UNSUPPORTED, "shape is computed");
    op_case_free(&c);
    start(&c, &ax_op_reshape, 1, (int64_t[]){2});
    op_case_input(&c, AX_INT32, 1, (int64_t[]){2});
    op_check_refused(&c, AX_ERR_INVALID, "shape is int32, not int64");
    op_case_free(&c);
    start(&c, &ax_op_reshape, 1, (int64_t[]){2});
    op_case_missing(&c);
    op_check_refused(&c, AX_ERR_INVALID, "input 1 is missing");
    op_case_free(&c);
    start(&c, &ax_op_reshape, 1, (int64_t[]){2});
    op_case_input(&c, AX_INT64, 2, (int64_t[]){1, 1});
    op_check_refused(&c, AX_ERR_INVALID, "shape has 2 dimensions, not 1");
    op_case_free(&c);
}

/* ---- Squeeze, Unsqueeze ---------------------------------------------------------------------- */

static void check_axes(const ax_op *op, int rank, const int64_t *dim, int n, const int64_t *axes,
                       int rank_y, const int64_t *y)
{
    op_case c;

    start(&c, op, rank, dim);
    if (n >= 0)
        op_case_ints(&c, n, axes);
    check_same_bytes(&c, rank_y, y);
}

static void axes_refused(const ax_op *op, int n, const int64_t *axes, ax_status status,
                         const char *text)
{
    op_case c;

    start(&c, op, 4, (int64_t[]){1, 3, 1, 4});
    op_case_ints(&c, n, axes);
    op_check_refused(&c, status, text);
    op_case_free(&c);
}

static void test_squeeze(void)
{
    static const int64_t dim[] = {1, 3, 1, 4};

    check_axes(&ax_op_squeeze, 4, dim, -1, NULL, 2, (int64_t[]){3, 4});
    check_axes(&ax_op_squeeze, 4, dim, 1, (int64_t[]){2}, 3, (int64_t[]){1, 3, 4});
    check_axes(&ax_op_squeeze, 4, dim, 2, (int64_t[]){-2, 0}, 2, (int64_t[]){3, 4});
    check_axes(&ax_op_squeeze, 4, dim, 0, NULL, 4, dim);
    check_axes(&ax_op_unsqueeze, 2, dim, 1, (int64_t[]){0}, 3, (int64_t[]){1, 1, 3});
    check_axes(&ax_op_unsqueeze, 2, dim, 2, (int64_t[]){-1, 1}, 4, (int64_t[]){1, 1, 3, 1});
    check_axes(&ax_op_unsqueeze, 0, NULL, 1, (int64_t[]){0}, 1, (int64_t[]){1});
    axes_refused(&ax_op_squeeze, 1, (int64_t[]){1}, AX_ERR_INVALID, "axis 1 has size 3, not 1");
    axes_refused(&ax_op_squeeze, 1, (int64_t[]){4}, AX_ERR_INVALID, "axis 4 is out of range");
    axes_refused(&ax_op_squeeze, 2, (int64_t[]){0, 0}, AX_ERR_INVALID, "named twice");
    axes_refused(&ax_op_unsqueeze, 1, (int64_t[]){5}, AX_ERR_INVALID, "axis 5 is out of range");
    axes_refused(&ax_op_unsqueeze, 2, (int64_t[]){1, -5}, AX_ERR_INVALID, "named twice");
    axes_refused(&ax_op_unsqueeze, 5, (int64_t[]){0, 1, 2, 3, 4}, AX_ERR_UNSUPPORTED,
                 "has 9 dimensions");
}

/* ---- Transpose ------------------------------------------------------------------------------- */

/* user: the permutation. */
static void transpose_reference(const op_case *c, double *const *in, double *const *out)
{
    const int64_t *perm = c->user;
    const ax_shape *x = &c->in[0].shape, *y = &c->out[0].shape;

    for (int64_t i = 0; i < ax_shape_elements(y); i++) {
        int64_t rest = i, index[AX_MAX_RANK], at = 0;

        for (int k = y->rank - 1; k >= 0; k--) {
            index[perm[k]] = rest % y->dim[k];
            rest /= y->dim[k];
        }
        for (int k = 0; k < x->rank; k++)
            at = at * x->dim[k] + index[k];
        out[0][i] = in[0][at];
    }
}

static void check_transpose(ax_dtype type, int rank, const int64_t *dim, int64_t *perm, bool given)
{
    op_case c;

    op_case_init(&c, &ax_op_transpose, "Transpose");
    op_case_input(&c, type, rank, dim);
    if (given)
        op_case_attr_is(&c, "perm", rank, perm);
    for (int k = 0; k < rank && !given; k++)
        perm[k] = rank - 1 - k;
    for (size_t i = 0; type != AX_FLOAT && i < ax_tensor_bytes(type, &c.in[0].shape); i++)
        ((uint8_t *) c.in[0].data)[i] = (uint8_t) op_random_int(0, type == AX_UINT8 ? 255 : 0);
    for (int64_t i = 0; type == AX_INT64 && i < ax_shape_elements(&c.in[0].shape); i++)
        ((int64_t *) c.in[0].data)[i] = op_random_int(-99, 99);
    c.user = perm;
    c.reference = transpose_reference;
    op_check_forward(&c);
    if (type == AX_FLOAT)
        op_check_gradient(&c);
    op_case_free(&c);
}

static void random_perm(int rank, int64_t *perm)
{
    for (int k = 0; k < rank; k++)
        perm[k] = k;
    for (int k = rank - 1; k > 0; k--) {
        int64_t other = op_random_int(0, k), t = perm[k];

        perm[k] = perm[other];
        perm[other] = t;
    }
}

static void transpose_refused(int n, const int64_t *perm, const char *text)
{
    op_case c;

    start(&c, &ax_op_transpose, 3, (int64_t[]){2, 3, 4});
    op_case_attr_is(&c, "perm", n, perm);
    op_check_refused(&c, AX_ERR_INVALID, text);
    op_case_free(&c);
}

/* Axes that change places, whole squares and tails of them. */
static void transpose_squares(void)
{
    check_transpose(AX_FLOAT, 3, (int64_t[]){4, 40, 50}, (int64_t[]){1, 0, 2}, true);
    check_transpose(AX_FLOAT, 2, (int64_t[]){70, 130}, (int64_t[]){1, 0}, true);
    check_transpose(AX_FLOAT, 4, (int64_t[]){2, 21, 3, 37}, (int64_t[]){0, 2, 3, 1}, true);
    check_transpose(AX_FLOAT, 4, (int64_t[]){2, 5, 19, 4}, (int64_t[]){0, 2, 1, 3}, true);
    check_transpose(AX_FLOAT, 3, (int64_t[]){5, 17, 33}, (int64_t[]){2, 1, 0}, true);
    check_transpose(AX_INT32, 3, (int64_t[]){3, 18, 20}, (int64_t[]){0, 2, 1}, true);
}

static void test_transpose(void)
{
    static const char *const isa[] = {"baseline", "avx2", "avx512"};
    ax_error err;
    static const ax_dtype types[] = {AX_FLOAT, AX_FLOAT, AX_INT64, AX_UINT8};
    int64_t dim[5], perm[5];
    op_case c;

    for (int round = 0; round < 24; round++) {
        int rank = (int) op_random_int(round % 4 ? 0 : 3, 5);

        op_random_dims(rank, round % 6 == 5 ? 0 : 1, 5, dim);
        random_perm(rank, perm);
        check_transpose(types[round % 4], rank, dim, perm, round % 5 != 0);
    }
    check_transpose(AX_FLOAT, 5, (int64_t[]){2, 3, 4, 3, 2}, (int64_t[]){4, 2, 0, 1, 3}, true);
    check_transpose(AX_FLOAT, 3, (int64_t[]){2, 3, 4}, (int64_t[]){2, 0, 1}, true);
    check_transpose(AX_FLOAT, 4, (int64_t[]){2, 3, 8, 9}, (int64_t[]){0, 2, 3, 1}, true);
    for (int i = 0; i < AX_COUNT(isa); i++)
        if (ax_isa_force(isa[i], &err) == AX_OK)
            transpose_squares();
        else
            unit_skip("%s: not on this CPU", isa[i]);
    transpose_refused(2, (int64_t[]){1, 0}, "perm has 2 entries for 3 dimensions");
    transpose_refused(3, (int64_t[]){0, 1, 1}, "not a permutation of 0 to 2");
    transpose_refused(3, (int64_t[]){0, 1, 3}, "not a permutation");
    transpose_refused(3, (int64_t[]){0, 1, -1}, "not a permutation");
    start(&c, &ax_op_transpose, 4, (int64_t[]){5, 1, 1, 4});
    op_case_attr_is(&c, "perm", 4, (int64_t[]){1, 0, 3, 2});
    op_run_forward(&c, false);
    unit_check(c.alias == -1 || c.alias == 0, "moving axes of size 1 past others");
    unit_same(c.out[0].data, c.in[0].data, 80, "keeps the order");
    unit_is_int(c.alias, 0, "and is an alias");
    op_case_free(&c);
}

/* ---- Concat ---------------------------------------------------------------------------------- */

static void concat_reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *y = &c->out[0].shape;
    int axis = (int) c->attr[0].i;
    int64_t outer, to = 0;

    axis = axis < 0 ? axis + y->rank : axis;
    outer = ax_shape_span(y, 0, axis);
    for (int64_t o = 0; o < outer; o++)
        for (int i = 0; i < c->n_in; i++) {
            int64_t block = ax_shape_span(&c->in[i].shape, axis, y->rank);

            for (int64_t k = 0; k < block; k++)
                out[0][to++] = in[i][o * block + k];
        }
}

static void check_concat(int n, int rank, int axis, bool repeat)
{
    int64_t dim[4];
    op_case c;

    op_random_dims(rank, 1, 4, dim);
    op_case_init(&c, &ax_op_concat, "Concat");
    for (int i = 0; i < n; i++) {
        dim[axis < 0 ? axis + rank : axis] = op_random_int(0, 5);
        op_case_input(&c, AX_FLOAT, rank, dim);
    }
    if (repeat)
        op_case_repeat(&c, 0);
    op_case_attr_i(&c, "axis", axis);
    c.reference = concat_reference;
    op_check_forward(&c);
    op_check_gradient(&c);
    if (n == 1 && !repeat)
        unit_is_int(c.alias, 0, "a single input is an alias");
    op_case_free(&c);
}

static void concat_refused(int rank, const int64_t *dim, ax_dtype type, int64_t axis,
                           const char *text)
{
    op_case c;

    start(&c, &ax_op_concat, 2, (int64_t[]){2, 3});
    op_case_input(&c, type, rank, dim);
    op_case_attr_i(&c, "axis", axis);
    op_check_refused(&c, AX_ERR_INVALID, text);
    op_case_free(&c);
}

static void test_concat(void)
{
    op_case c;

    for (int round = 0; round < 16; round++) {
        int rank = (int) op_random_int(1, 4);

        check_concat((int) op_random_int(1, 5), rank, (int) op_random_int(-rank, rank - 1),
                     round % 4 == 3);
    }
    check_concat(12, 2, 1, false);
    concat_refused(2, (int64_t[]){3, 3}, AX_FLOAT, 1, "does not fit (2, 3) along axis 1");
    concat_refused(1, (int64_t[]){2}, AX_FLOAT, 0, "does not fit");
    concat_refused(2, (int64_t[]){2, 3}, AX_INT64, 0, "input 1 is int64, input 0 float");
    concat_refused(2, (int64_t[]){2, 3}, AX_FLOAT, 2, "axis 2 is out of range");
    start(&c, &ax_op_concat, 2, (int64_t[]){2, 3});
    op_check_refused(&c, AX_ERR_INVALID, "attribute axis is missing");
    op_case_missing(&c);
    op_case_attr_i(&c, "axis", 0);
    op_check_refused(&c, AX_ERR_INVALID, "input 1 is missing");
    op_case_free(&c);
}

/* ---- Cast ------------------------------------------------------------------------------------ */

static const ax_dtype types[] = {AX_FLOAT, AX_UINT8, AX_INT8,  AX_INT32,
                                 AX_INT64, AX_BOOL,  AX_DOUBLE};

/* Small numbers, which every type holds, except that bool only knows whether they are 0. */
static void cast_reference(const op_case *c, double *const *in, double *const *out)
{
    for (int64_t i = 0; i < ax_shape_elements(&c->in[0].shape); i++) {
        double v = in[0][i];

        if (c->out[0].type == AX_BOOL)
            v = v != 0;
        else if (c->out[0].type != AX_FLOAT && c->out[0].type != AX_DOUBLE)
            v = trunc(v);
        out[0][i] = v;
    }
}

static void fill(op_case *c, ax_dtype type)
{
    for (int i = 0; i < 60; i++) {
        double v = i % 5 ? op_random_uniform(0, 120) : 0;

        if (type == AX_FLOAT)
            ((float *) c->in[0].data)[i] = (float) v;
        else if (type == AX_DOUBLE)
            ((double *) c->in[0].data)[i] = v;
        else if (type == AX_INT64)
            ((int64_t *) c->in[0].data)[i] = (int64_t) v;
        else if (type == AX_INT32)
            ((int32_t *) c->in[0].data)[i] = (int32_t) v;
        else if (type == AX_BOOL)
            ((uint8_t *) c->in[0].data)[i] = v != 0;
        else
            ((uint8_t *) c->in[0].data)[i] = (uint8_t) v;
    }
}

static void test_cast_pairs(void)
{
    for (int from = 0; from < AX_COUNT(types); from++)
        for (int to = 0; to < AX_COUNT(types); to++) {
            op_case c;

            op_case_init(&c, &ax_op_cast, ax_dtype_name(types[to]));
            op_case_input(&c, types[from], 2, (int64_t[]){3, 20});
            fill(&c, types[from]);
            op_case_attr_i(&c, "to", types[to]);
            c.reference = cast_reference;
            op_check_forward(&c);
            if (types[from] == AX_FLOAT && types[to] == AX_FLOAT)
                op_check_gradient(&c);
            op_case_free(&c);
        }
}

static void cast_floats(int n, const float *v, ax_dtype to, const void *want)
{
    op_case c;

    op_case_init(&c, &ax_op_cast, "Cast");
    op_case_input(&c, AX_FLOAT, 1, (int64_t[]){n});
    memcpy(c.in[0].data, v, (size_t) n * sizeof *v);
    op_case_attr_i(&c, "to", to);
    op_run_forward(&c, false);
    unit_same(c.out[0].data, want, (size_t) n * ax_dtype_size(to), "edges as %s",
              ax_dtype_name(to));
    op_case_free(&c);
}

/* Flags become 0 and 1, whatever bytes they were. */
static void test_cast_flags(void)
{
    static const float want[] = {0, 1, 1, 1, 0};
    op_case c;

    op_case_init(&c, &ax_op_cast, "Cast");
    op_case_input(&c, AX_BOOL, 1, (int64_t[]){5});
    memcpy(c.in[0].data, (uint8_t[]){0, 1, 2, 255, 0}, 5);
    op_case_attr_i(&c, "to", AX_FLOAT);
    op_run_forward(&c, false);
    unit_same(c.out[0].data, want, sizeof(want), "flags as float");
    op_case_free(&c);
}

static void test_cast_edges(void)
{
    static const float v[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, -0.9f, 255.9f, -128.5f};

    cast_floats(8, v, AX_INT64,
                (int64_t[]){0, INT64_MAX, INT64_MIN, INT64_MAX, INT64_MIN, 0, 255, -128});
    cast_floats(8, v, AX_INT32,
                (int32_t[]){0, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 0, 255, -128});
    cast_floats(8, v, AX_INT8, (int8_t[]){0, 127, -128, 127, -128, 0, 127, -128});
    cast_floats(8, v, AX_UINT8, (uint8_t[]){0, 255, 0, 255, 0, 0, 255, 0});
    cast_floats(8, v, AX_BOOL, (uint8_t[]){1, 1, 1, 1, 1, 1, 1, 1});
}

static void test_cast_refusals(void)
{
    static const int64_t bad[] = {0, 8, 10, -1, INT64_MAX, 257};
    op_case c;

    for (int i = 0; i < AX_COUNT(bad); i++) {
        start(&c, &ax_op_cast, 1, (int64_t[]){2});
        op_case_attr_i(&c, "to", bad[i]);
        op_check_refused(&c, AX_ERR_UNSUPPORTED, "is not supported");
        op_case_free(&c);
    }
    start(&c, &ax_op_cast, 1, (int64_t[]){2});
    op_check_refused(&c, AX_ERR_INVALID, "attribute to is missing");
    op_case_free(&c);
}

int main(void)
{
    test_identity();
    test_flatten();
    test_reshape();
    test_reshape_refusals();
    test_squeeze();
    test_transpose();
    test_concat();
    test_cast_pairs();
    test_cast_edges();
    test_cast_flags();
    test_cast_refusals();
    return unit_done();
}
