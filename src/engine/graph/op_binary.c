/*
 * op_binary.c: Add, Sub, Mul, Div with NumPy's broadcasting.
 *
 *     y = a + b      da = dy          db = dy
 *     y = a - b      da = dy          db = -dy
 *     y = a * b      da = dy * b      db = dy * a
 *     y = a / b      da = dy / b      db = -dy * (a / b) / b
 *
 * each gradient summed over the axes along which its operand was broadcast. Float has gradients;
 * int32 and int64, which are shape arithmetic, wrap around, and their division by zero gives 0,
 * because an answer that nobody should use is better than a trap in a server.
 *
 * All of it walks the output in runs (op_walk.h), in which an operand either moves with the output
 * or stands still. Gradients are made in pieces of CHUNK floats and added up where they belong.
 */
#include "graph/op_list.h"
#include "graph/op_walk.h"

#define CHUNK 512

typedef enum binary_kind { KIND_ADD, KIND_SUB, KIND_MUL, KIND_DIV } binary_kind;

typedef struct binary_prep {
    binary_kind kind;
    ax_walk walk;
} binary_prep;

/* ---- setup ----------------------------------------------------------------------------------- */

static ax_status binary_setup(ax_setup *s, binary_kind kind)
{
    const ax_tensor *a = &s->in[0], *b = &s->in[1];
    binary_prep *p;

    if (a->shape.rank < 0 || b->shape.rank < 0)
        return ax_setup_fail(s, "input %d is missing", a->shape.rank < 0 ? 0 : 1);
    if (a->type != b->type)
        return ax_setup_fail(s, "the inputs are %s and %s, not of one type", ax_dtype_name(a->type),
                             ax_dtype_name(b->type));
    if (a->type != AX_FLOAT && a->type != AX_INT32 && a->type != AX_INT64)
        return ax_setup_unsupported(s, "type %s is not supported", ax_dtype_name(a->type));
    AX_TRY(ax_setup_broadcast(s, a->type));
    p = ax_setup_prep(s, sizeof *p);
    if (!p)
        return ax_nomem(s->err);
    p->kind = kind;
    ax_walk_broadcast(&p->walk, &s->out[0].shape, &a->shape, &b->shape);
    return AX_OK;
}

static ax_status add_setup(ax_setup *s)
{
    return binary_setup(s, KIND_ADD);
}

static ax_status sub_setup(ax_setup *s)
{
    return binary_setup(s, KIND_SUB);
}

static ax_status mul_setup(ax_setup *s)
{
    return binary_setup(s, KIND_MUL);
}

static ax_status div_setup(ax_setup *s)
{
    return binary_setup(s, KIND_DIV);
}

/* ---- forward --------------------------------------------------------------------------------- */

/* Both operands move. */
static void run_both(binary_kind kind, int64_t n, const float *a, const float *b, float *y)
{
    const ax_kernels *k = ax_kernels_get();

    switch (kind) {
    case KIND_ADD:
        k->add(n, a, b, y);
        break;
    case KIND_SUB:
        k->sub(n, a, b, y);
        break;
    case KIND_MUL:
        k->mul(n, a, b, y);
        break;
    case KIND_DIV:
        k->div(n, a, b, y);
        break;
    }
}

/* b stands still. */
static void run_a(binary_kind kind, int64_t n, const float *a, float b, float *y)
{
    const ax_kernels *k = ax_kernels_get();

    switch (kind) {
    case KIND_ADD:
        k->add_scalar(n, a, b, y);
        break;
    case KIND_SUB:
        k->add_scalar(n, a, -b, y);
        break;
    case KIND_MUL:
        k->mul_scalar(n, a, b, y);
        break;
    case KIND_DIV:
        k->div_scalar(n, a, b, y);
        break;
    }
}

/* a stands still. */
static void run_b(binary_kind kind, int64_t n, float a, const float *b, float *y)
{
    const ax_kernels *k = ax_kernels_get();

    switch (kind) {
    case KIND_ADD:
        k->add_scalar(n, b, a, y);
        break;
    case KIND_SUB:
        k->scalar_sub(n, a, b, y);
        break;
    case KIND_MUL:
        k->mul_scalar(n, b, a, y);
        break;
    case KIND_DIV:
        k->scalar_div(n, a, b, y);
        break;
    }
}

static void forward_float(const binary_prep *p, const float *a, const float *b, float *y)
{
    const ax_walk *w = &p->walk;

    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at)) {
        if (w->step_b == 0)
            run_a(p->kind, w->n, a + at.a, b[at.b], y + at.whole);
        else if (w->step_a == 0)
            run_b(p->kind, w->n, a[at.a], b + at.b, y + at.whole);
        else
            run_both(p->kind, w->n, a + at.a, b + at.b, y + at.whole);
    }
}

/* Through unsigned, so that overflow wraps; the smallest number divided by -1 wraps to itself. */
static int64_t integer(binary_kind kind, int64_t a, int64_t b)
{
    uint64_t x = (uint64_t) a, y = (uint64_t) b;

    switch (kind) {
    case KIND_ADD:
        return (int64_t) (x + y);
    case KIND_SUB:
        return (int64_t) (x - y);
    case KIND_MUL:
        return (int64_t) (x * y);
    case KIND_DIV:
        return b == 0 ? 0 : b == -1 ? (int64_t) (0 - x) : a / b;
    }
    return 0;
}

static void forward_int64(const binary_prep *p, const int64_t *a, const int64_t *b, int64_t *y)
{
    const ax_walk *w = &p->walk;

    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            y[at.whole + i] = integer(p->kind, a[at.a + i * w->step_a], b[at.b + i * w->step_b]);
}

static void forward_int32(const binary_prep *p, const int32_t *a, const int32_t *b, int32_t *y)
{
    const ax_walk *w = &p->walk;

    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            y[at.whole + i] =
                (int32_t) integer(p->kind, a[at.a + i * w->step_a], b[at.b + i * w->step_b]);
}

static void binary_forward(const ax_run *r)
{
    const binary_prep *p = r->prep;
    const void *a = r->in[0].data, *b = r->in[1].data;

    if (r->out[0].type == AX_FLOAT)
        forward_float(p, a, b, r->out[0].data);
    else if (r->out[0].type == AX_INT64)
        forward_int64(p, a, b, r->out[0].data);
    else
        forward_int32(p, a, b, r->out[0].data);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* A piece of one run: the operands where it starts, and their steps. */
typedef struct piece {
    binary_kind kind;
    int64_t n;
    const float *dy, *a, *b;
    int64_t step_a, step_b;
} piece;

/* dy / b, or -dy * (a / b) / b: n <= CHUNK. */
static void run_div(const piece *q, int which, float *t)
{
    const ax_kernels *k = ax_kernels_get();
    float over[CHUNK];

    if (q->step_b == 0)
        k->div_scalar(q->n, q->dy, *q->b, t);
    else
        k->div(q->n, q->dy, q->b, t);
    if (which == 0)
        return;
    if (q->step_b == 0)
        k->div_scalar(q->n, q->a, *q->b, over);
    else if (q->step_a == 0)
        k->scalar_div(q->n, *q->a, q->b, over);
    else
        k->div(q->n, q->a, q->b, over);
    k->mul_scalar(q->n, over, -1, over);
    k->mul(q->n, t, over, t);
}

/* The gradient of operand `which`, before any summing: in t, or dy itself where nothing is to be
 * done. */
static const float *piece_gradient(const piece *q, int which, float *t)
{
    const ax_kernels *k = ax_kernels_get();

    if (q->kind == KIND_ADD || (q->kind == KIND_SUB && which == 0))
        return q->dy;
    if (q->kind == KIND_SUB) {
        k->mul_scalar(q->n, q->dy, -1, t);
    } else if (q->kind == KIND_MUL) {
        const float *other = which == 0 ? q->b : q->a;

        if ((which == 0 ? q->step_b : q->step_a) == 0)
            k->mul_scalar(q->n, q->dy, *other, t);
        else
            k->mul(q->n, q->dy, other, t);
    } else {
        run_div(q, which, t);
    }
    return t;
}

/* The whole gradient of operand `which`; sum: onto what is there. */
static void operand_gradient(const ax_run *r, int which, bool sum)
{
    const binary_prep *p = r->prep;
    const ax_walk *w = &p->walk;
    const ax_kernels *k = ax_kernels_get();
    const float *dy = r->dout[0].data, *a = r->in[0].data, *b = r->in[1].data;
    bool moves = (which == 0 ? w->step_a : w->step_b) != 0;
    float t[CHUNK];

    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at)) {
        float *d = (float *) r->din[which].data + (which == 0 ? at.a : at.b);

        for (int64_t from = 0; from < w->n; from += CHUNK) {
            int64_t n = AX_MIN(w->n - from, CHUNK);
            piece q = {p->kind,
                       n,
                       dy + at.whole + from,
                       a + at.a + from * w->step_a,
                       b + at.b + from * w->step_b,
                       w->step_a,
                       w->step_b};
            const float *g = piece_gradient(&q, which, t);

            if (!moves)
                d[0] = (sum ? d[0] : 0) + k->sum(n, g);
            else if (sum)
                k->add(n, d + from, g, d + from);
            else if (d + from != g)
                memcpy(d + from, g, (size_t) n * sizeof(float));
        }
    }
}

/* Several output elements flow into one element of an operand that was broadcast: it starts from
 * zero. */
static void operand_backward(const ax_run *r, int which)
{
    const ax_shape *shape = &r->din[which].shape;
    bool whole = ax_shape_elements(shape) == ax_shape_elements(&r->dout[0].shape);
    bool sum = r->add[which] || !whole;

    if (!ax_wants_grad(r, which))
        return;
    if (sum && !r->add[which])
        memset(r->din[which].data, 0, ax_tensor_bytes(AX_FLOAT, shape));
    operand_gradient(r, which, sum);
}

/* Where din[0] is dout[0] itself (Add and Sub), the first gradient leaves it as it is for the
 * second. */
static void binary_backward(const ax_run *r)
{
    operand_backward(r, 0);
    operand_backward(r, 1);
}

const ax_op ax_op_add = {
    .type = "Add",
    .since = 14,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_INPLACE | AX_ELEMENTWISE,
    .setup = add_setup,
    .forward = binary_forward,
    .backward = binary_backward,
};

const ax_op ax_op_sub = {
    .type = "Sub",
    .since = 14,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_INPLACE | AX_ELEMENTWISE,
    .setup = sub_setup,
    .forward = binary_forward,
    .backward = binary_backward,
};

/* Not in place: both gradients are made from dout, and x * x would read it after writing it. */
const ax_op ax_op_mul = {
    .type = "Mul",
    .since = 14,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_KEEP_IN0 | AX_KEEP_IN1,
    .setup = mul_setup,
    .forward = binary_forward,
    .backward = binary_backward,
};

const ax_op ax_op_div = {
    .type = "Div",
    .since = 14,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = AX_KEEP_IN0 | AX_KEEP_IN1,
    .setup = div_setup,
    .forward = binary_forward,
    .backward = binary_backward,
};
