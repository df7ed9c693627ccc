/*
 * test_tensor.c: data types, shapes, and how shapes broadcast.
 */
#include "unit.h"

#include "tensor/tensor.h"

#define SHAPE(...) shape_of(AX_COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]){__VA_ARGS__})

static ax_shape shape_of(int rank, const int64_t *dim)
{
    return ax_shape_of(rank, dim);
}

static void test_types(void)
{
    static const struct {
        ax_dtype type;
        size_t size;
        const char *name;
    } types[] = {{AX_FLOAT, 4, "float"},  {AX_UINT8, 1, "uint8"}, {AX_INT8, 1, "int8"},
                 {AX_INT32, 4, "int32"},  {AX_INT64, 8, "int64"}, {AX_BOOL, 1, "bool"},
                 {AX_DOUBLE, 8, "double"}};

    for (int i = 0; i < AX_COUNT(types); i++) {
        unit_is_int((long long) ax_dtype_size(types[i].type), (long long) types[i].size,
                    "size of %s", types[i].name);
        unit_is_str(ax_dtype_name(types[i].type), types[i].name, "name of %s", types[i].name);
    }
    unit_is_int((long long) ax_dtype_size((ax_dtype) 99), 0, "an unknown type has size 0");
    unit_is_str(ax_dtype_name((ax_dtype) 99), "unknown", "and says so");
}

static void test_shapes(void)
{
    ax_shape s = SHAPE(32, 3, 30, 30), t = SHAPE(32, 3, 30), scalar = {0};

    unit_is_int(ax_shape_elements(&s), 86400, "elements of a shape");
    unit_is_int(ax_shape_elements(&scalar), 1, "a scalar is one element");
    unit_is_int(ax_shape_span(&s, 1, 3), 90, "a span of dimensions");
    unit_is_int(ax_shape_span(&s, 2, 2), 1, "an empty span");
    unit_is_int((long long) ax_tensor_bytes(AX_DOUBLE, &s), 691200, "bytes of a tensor");
    unit_check(ax_shape_equal(&s, &s) && !ax_shape_equal(&s, &t) && !ax_shape_equal(&t, &s),
               "equality looks at the rank");
    t = s;
    t.dim[3] = 31;
    unit_check(!ax_shape_equal(&s, &t), "and at every dimension");
    t = s;
    t.dim[5] = 7;
    unit_check(ax_shape_equal(&s, &t), "and not past the rank");
}

static void test_sane(void)
{
    const int64_t m = AX_MAX_ELEMENTS;
    const struct {
        ax_shape shape;
        bool sane;
    } cases[] = {
        {SHAPE(2, 3), true},       {SHAPE(0, 3), true},     {SHAPE(m), true},
        {SHAPE(m + 1), false},     {SHAPE(m, 2), false},    {SHAPE(-1, 3), false},
        {SHAPE(INT64_MIN), false}, {SHAPE(0, m, m), false}, {SHAPE(INT64_MAX, INT64_MAX), false},
        {SHAPE(m, 1, 1, 1), true}, {{.rank = 0}, true},     {{.rank = 9}, false},
        {{.rank = -1}, false}};

    for (int i = 0; i < AX_COUNT(cases); i++)
        unit_check(ax_shape_sane(&cases[i].shape) == cases[i].sane, "shape %d is %ssane", i,
                   cases[i].sane ? "" : "not ");
}

static void test_text(void)
{
    ax_shape s = SHAPE(32, 3, 30, 30), one = SHAPE(5), scalar = {0};
    char buf[64], small[6];

    unit_is_str(ax_shape_text(&s, buf, sizeof(buf)), "(32, 3, 30, 30)", "a shape as text");
    unit_is_str(ax_shape_text(&one, buf, sizeof(buf)), "(5,)", "one dimension as text");
    unit_is_str(ax_shape_text(&scalar, buf, sizeof(buf)), "()", "a scalar as text");
    unit_is_str(ax_shape_text(&s, small, sizeof(small)), "(32, ", "text is cut to the buffer");
    for (size_t n = 1; n < 20; n++)
        ax_shape_text(&s, buf, n);
    unit_is_str(buf, "(32, 3, 30, 30)", "every size of buffer is kept to");
}

static void test_broadcast(void)
{
    const struct {
        ax_shape a, b, want;
        bool fits;
    } cases[] = {
        {SHAPE(2, 3), SHAPE(2, 3), SHAPE(2, 3), true},
        {SHAPE(2, 3), SHAPE(3), SHAPE(2, 3), true},
        {SHAPE(2, 1), SHAPE(1, 5), SHAPE(2, 5), true},
        {SHAPE(8, 1, 6, 1), SHAPE(7, 1, 5), SHAPE(8, 7, 6, 5), true},
        {{.rank = 0}, SHAPE(4, 2), SHAPE(4, 2), true},
        {SHAPE(0, 3), SHAPE(1, 3), SHAPE(0, 3), true},
        {SHAPE(0), SHAPE(1), SHAPE(0), true},
        {SHAPE(2, 3), SHAPE(2), {0}, false},
        {SHAPE(0, 3), SHAPE(2, 3), {0}, false},
        {SHAPE(4, 2), SHAPE(3, 4, 3), {0}, false},
    };

    for (int i = 0; i < AX_COUNT(cases); i++) {
        for (int swap = 0; swap < 2; swap++) {
            const ax_shape *a = swap ? &cases[i].b : &cases[i].a;
            const ax_shape *b = swap ? &cases[i].a : &cases[i].b;
            ax_shape out = {0};
            bool fits = ax_shape_broadcast(a, b, &out);

            unit_check(fits == cases[i].fits && (!fits || ax_shape_equal(&out, &cases[i].want)),
                       "broadcast %d%s", i, swap ? ", swapped" : "");
        }
    }
}

int main(void)
{
    test_types();
    test_shapes();
    test_sane();
    test_text();
    test_broadcast();
    return unit_done();
}
