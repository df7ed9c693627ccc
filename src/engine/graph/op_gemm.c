/*
 * op_gemm.c: Gemm (ONNX 13). Y = alpha * op(A) * op(B) + beta * C, where op transposes when transA or transB
 * says so and C (optional) broadcasts to (M, N).
 *
 * Gradients, with G = dY:  d op(A) = alpha * G * op(B)ᵀ,  d op(B) = alpha * op(A)ᵀ * G,  dC = beta * G summed
 * over what was broadcast.
 */
#include "graph/op.h"

typedef struct gemm {
    bool trans_a, trans_b;
    float alpha, beta;
    int64_t m, n, k;
    int64_t c_row, c_col; /* strides of C within (M, N): 0 where it is broadcast */
} gemm;

static ax_status setup_c(ax_setup *s, gemm *p)
{
    const ax_shape *c = &s->in[2].shape;
    int64_t rows, cols;

    AX_TRY(ax_setup_float(s, 2, 0, 2));
    rows = c->rank == 2 ? c->dim[0] : 1;
    cols = c->rank >= 1 ? c->dim[c->rank - 1] : 1;
    if ((rows != 1 && rows != p->m) || (cols != 1 && cols != p->n))
        return ax_setup_fail(s, "C does not broadcast to (%lld, %lld)", (long long) p->m,
                             (long long) p->n);
    p->c_row = rows == 1 ? 0 : cols;
    p->c_col = cols == 1 ? 0 : 1;
    return AX_OK;
}

static ax_status setup(ax_setup *s)
{
    gemm *p = ax_setup_prep(s, sizeof(*p));
    const ax_shape *a = &s->in[0].shape, *b = &s->in[1].shape;

    if (p == NULL)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 2, 2));
    AX_TRY(ax_setup_float(s, 1, 2, 2));
    p->trans_a = ax_node_int(s->node, "transA", 0) != 0;
    p->trans_b = ax_node_int(s->node, "transB", 0) != 0;
    p->alpha = ax_node_float(s->node, "alpha", 1.0f);
    p->beta = ax_node_float(s->node, "beta", 1.0f);
    p->m = a->dim[p->trans_a ? 1 : 0];
    p->k = a->dim[p->trans_a ? 0 : 1];
    p->n = b->dim[p->trans_b ? 0 : 1];
    if (b->dim[p->trans_b ? 1 : 0] != p->k)
        return ax_setup_fail(s, "the inner dimensions of A and B are %lld and %lld",
                             (long long) p->k, (long long) b->dim[p->trans_b ? 1 : 0]);
    if (s->n_in > 2 && s->in[2].shape.rank >= 0)
        AX_TRY(setup_c(s, p));
    s->out[0].type = AX_FLOAT;
    s->out[0].shape = ax_shape_of(2, (const int64_t[]){p->m, p->n});
    return AX_OK;
}

static void add_c(const gemm *p, const float *c, float *y)
{
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++)
            y[i * p->n + j] = p->beta * c[i * p->c_row + j * p->c_col];
}

static void forward(const ax_run *r)
{
    const gemm *p = r->prep;
    const float *a = r->in[0].data, *b = r->in[1].data;
    float *y = r->out[0].data; /* (M, N) */
    bool has_c = r->n_in > 2 && r->in[2].shape.rank >= 0;

    if (has_c)
        add_c(p, r->in[2].data, y);
    ax_gemm(p->trans_a, p->trans_b, p->m, p->n, p->k, p->alpha, a, p->trans_a ? p->m : p->k, b,
            p->trans_b ? p->k : p->n, has_c ? 1.0f : 0.0f, y, p->n);
}

/* dA is (M, K) or, transposed, (K, M). */
static void backward_a(const ax_run *r, const gemm *p, const float *g, float *da)
{
    const float *b = r->in[1].data;
    int64_t ldb = p->trans_b ? p->k : p->n;
    float beta = r->add[0] ? 1.0f : 0.0f;

    if (p->trans_a)
        ax_gemm(p->trans_b, true, p->k, p->m, p->n, p->alpha, b, ldb, g, p->n, beta, da, p->m);
    else
        ax_gemm(false, !p->trans_b, p->m, p->k, p->n, p->alpha, g, p->n, b, ldb, beta, da, p->k);
}

/* dB is (K, N) or, transposed, (N, K). */
static void backward_b(const ax_run *r, const gemm *p, const float *g, float *db)
{
    const float *a = r->in[0].data;
    int64_t lda = p->trans_a ? p->m : p->k;
    float beta = r->add[1] ? 1.0f : 0.0f;

    if (p->trans_b)
        ax_gemm(true, p->trans_a, p->n, p->k, p->m, p->alpha, g, p->n, a, lda, beta, db, p->k);
    else
        ax_gemm(!p->trans_a, false, p->k, p->n, p->m, p->alpha, a, lda, g, p->n, beta, db, p->n);
}

static void backward_c(const ax_run *r, const gemm *p, const float *g, float *dc)
{
    if (!r->add[2])
        memset(dc, 0, (size_t) ax_shape_elements(&r->in[2].shape) * sizeof(float));
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++)
            dc[i * p->c_row + j * p->c_col] += p->beta * g[i * p->n + j];
}

static void backward(const ax_run *r)
{
    const gemm *p = r->prep;
    const float *g = r->dout[0].data; /* (M, N) */

    if (ax_wants_grad(r, 0))
        backward_a(r, p, g, r->din[0].data);
    if (ax_wants_grad(r, 1))
        backward_b(r, p, g, r->din[1].data);
    if (ax_wants_grad(r, 2))
        backward_c(r, p, g, r->din[2].data);
}

static const ax_attr_spec attrs[] = {{"alpha", AX_ATTR_FLOAT},
                                     {"beta", AX_ATTR_FLOAT},
                                     {"transA", AX_ATTR_INT},
                                     {"transB", AX_ATTR_INT},
                                     {NULL, 0}};

const ax_op ax_op_gemm = {.type = "Gemm",
                          .since = 13,
                          .min_in = 2,
                          .max_in = 3,
                          .min_out = 1,
                          .max_out = 1,
                          .flags = AX_KEEP_IN0 | AX_KEEP_IN1,
                          .attr = attrs,
                          .setup = setup,
                          .forward = forward,
                          .backward = backward};
