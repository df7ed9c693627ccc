/*
 * op_transpose.c: Transpose.
 *
 *     y[i0, ..., in] = x, indexed so that axis k of y is axis perm[k] of x (default: all reversed)
 *     dx = dy transposed back
 *
 * Both directions are one walk over the result in order, gathering from the source by strides; where two neighbouring
 * axes of it change places, by squares, and the three planes of a color image by a kernel of their own.
 * Where the elements keep their order (only axes of size 1 moved) the output is an alias.
 */
#include "graph/op_common.h"
#include "graph/op_list.h"
#include "graph/op_walk.h"

#define SQUARE_LEAST 4          /* rows and columns that squares are worth */
#define OFFSET_MOST  0x7fffffff /* of a table */

/* A walk, and tables for squares when there are any: the last two axes of the result are then (columns, rows). */
typedef struct gathering {
    ax_walk walk;
    int64_t rows, columns;      /* 0: no squares */
    const int32_t *from, *to;   /* (rows) in the source, (columns) in the result */
    ax_walk outer;              /* over the axes before these two */
} gathering;

typedef struct transpose_prep {
    gathering forward;  /* over y; a: x */
    gathering backward; /* over x; a: y */
} transpose_prep;

/* Floats whose run strides through the source, across an axis along which the source is whole. */
static ax_status find_squares(ax_setup *s, gathering *g)
{
    const ax_walk *w = &g->walk;
    int64_t rows = w->n, columns = w->rank > 0 ? w->dim[w->rank - 1] : 0;

    if (ax_dtype_size(s->in[0].type) != sizeof(float) || w->rank == 0 || w->runs == 0 ||
        w->stride_a[w->rank - 1] != 1 || (rows < SQUARE_LEAST && rows != 3) || columns < SQUARE_LEAST ||
        w->step_a > OFFSET_MOST / rows || columns > OFFSET_MOST / rows)
        return AX_OK;
    g->from = ax_multiples(s->arena, rows, w->step_a);
    g->to = ax_multiples(s->arena, columns, rows);
    if (g->from == NULL || g->to == NULL)
        return ax_nomem(s->err);
    g->rows = rows;
    g->columns = columns;
    g->outer = *w;
    g->outer.rank--;
    g->outer.runs /= columns;
    g->outer.n = rows * columns;
    return AX_OK;
}

static ax_status read_perm(ax_setup *s, int rank, int *perm)
{
    const ax_attr *a = ax_node_attr(s->node, "perm");
    bool seen[AX_MAX_RANK] = {false};

    for (int k = 0; k < rank; k++)
        perm[k] = rank - 1 - k;
    if (!a)
        return AX_OK;
    if (a->count != rank)
        return ax_setup_fail(s, "perm has %d entries for %d dimensions", a->count, rank);
    for (int k = 0; k < rank; k++) {
        if (a->ints[k] < 0 || a->ints[k] >= rank || seen[a->ints[k]])
            return ax_setup_fail(s, "perm is not a permutation of 0 to %d", rank - 1);
        perm[k] = (int) a->ints[k];
        seen[perm[k]] = true;
    }
    return AX_OK;
}

static ax_status transpose_setup(ax_setup *s)
{
    const ax_shape *x = &s->in[0].shape;
    ax_shape *y = &s->out[0].shape;
    int64_t x_stride[AX_MAX_RANK], y_stride[AX_MAX_RANK], a[AX_MAX_RANK], b[AX_MAX_RANK];
    int perm[AX_MAX_RANK];
    transpose_prep *p;

    AX_TRY(ax_setup_any(s, 0));
    AX_TRY(read_perm(s, x->rank, perm));
    s->out[0].type = s->in[0].type;
    y->rank = x->rank;
    for (int k = 0; k < x->rank; k++)
        y->dim[k] = x->dim[perm[k]];
    p = ax_setup_prep(s, sizeof *p);
    if (!p)
        return ax_nomem(s->err);
    ax_walk_strides(x, x, x_stride);
    ax_walk_strides(y, y, y_stride);
    for (int k = 0; k < x->rank; k++) {
        a[k] = x_stride[perm[k]];
        b[perm[k]] = y_stride[k];
    }
    ax_walk_make(&p->forward.walk, y, a, NULL);
    ax_walk_make(&p->backward.walk, x, b, NULL);
    if (p->forward.walk.rank == 0 && p->forward.walk.step_a <= 1)
        s->alias = 0;
    AX_TRY(find_squares(s, &p->forward));
    return find_squares(s, &p->backward);
}

static void gather32(const ax_walk *w, const uint32_t *x, uint32_t *y)
{
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            y[at.whole + i] = x[at.a + i * w->step_a];
}

static void gather64(const ax_walk *w, const uint64_t *x, uint64_t *y)
{
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            y[at.whole + i] = x[at.a + i * w->step_a];
}

static void gather8(const ax_walk *w, const uint8_t *x, uint8_t *y)
{
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            y[at.whole + i] = x[at.a + i * w->step_a];
}

/* Runs that stay together are copied whole. */
static void gather_runs(const ax_walk *w, size_t size, const char *x, char *y)
{
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        memcpy(y + (size_t) at.whole * size, x + (size_t) at.a * size, (size_t) w->n * size);
}

static void gather_squares(const gathering *g, const float *x, float *y)
{
    const ax_channel_table *k = ax_kernels_get()->channels;

    for (ax_walk_at at = {0}; at.run < g->outer.runs; ax_walk_next(&g->outer, &at)) {
        const float *from = x + at.a;

        if (g->rows == 3)
            k->mix_three(g->columns, from, from + g->from[1], from + g->from[2], y + at.whole);
        else
            k->transpose(g->rows, g->columns, from, g->from, y + at.whole, g->to);
    }
}

static void gather(const gathering *g, size_t size, const void *x, void *y)
{
    const ax_walk *w = &g->walk;

    if (x == y)
        return;
    if (g->rows > 0)
        gather_squares(g, x, y);
    else if (w->step_a == 1)
        gather_runs(w, size, x, y);
    else if (size == 4)
        gather32(w, x, y);
    else if (size == 8)
        gather64(w, x, y);
    else
        gather8(w, x, y);
}

static void gather_add(const ax_walk *w, const float *x, float *y)
{
    for (ax_walk_at at = {0}; at.run < w->runs; ax_walk_next(w, &at))
        for (int64_t i = 0; i < w->n; i++)
            y[at.whole + i] += x[at.a + i * w->step_a];
}

static void transpose_forward(const ax_run *r)
{
    const transpose_prep *p = r->prep;

    gather(&p->forward, ax_dtype_size(r->in[0].type), r->in[0].data, r->out[0].data);
}

static void transpose_backward(const ax_run *r)
{
    const transpose_prep *p = r->prep;

    if (!ax_wants_grad(r, 0))
        return;
    if (r->add[0])
        gather_add(&p->backward.walk, r->dout[0].data, r->din[0].data);
    else
        gather(&p->backward, sizeof(float), r->dout[0].data, r->din[0].data);
}

static const ax_attr_spec transpose_attrs[] = {{"perm", AX_ATTR_INTS}, {NULL, 0}};

const ax_op ax_op_transpose = {
    .type = "Transpose",
    .since = 13,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .attr = transpose_attrs,
    .setup = transpose_setup,
    .forward = transpose_forward,
    .backward = transpose_backward,
};
