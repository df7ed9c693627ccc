/*
 * test_op_product.c: Gemm and MatMul against plain loops in double, over all transposes and broadcasts, and their
 * gradients.
 */
#include "graph/op_list.h"

#include "op_check.h"
#include "unit.h"

typedef struct gemm {
    bool trans_a, trans_b;
    float alpha, beta;
} gemm;

static void gemm_reference(const op_case *c, double *const *in, double *const *out)
{
    const gemm *g = c->user;
    const ax_shape *a = &c->in[0].shape, *b = &c->in[1].shape, *s = &c->in[2].shape;
    int64_t m = a->dim[g->trans_a], k = a->dim[!g->trans_a], n = b->dim[!g->trans_b];

    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;

            for (int64_t l = 0; l < k; l++)
                sum += in[0][g->trans_a ? l * m + i : i * k + l] *
                       in[1][g->trans_b ? j * k + l : l * n + j];
            sum *= g->alpha;
            if (c->n_in > 2) {
                int64_t cols = s->rank > 0 ? s->dim[s->rank - 1] : 1;
                int64_t row = s->rank == 2 && s->dim[0] > 1 ? i : 0;

                sum += g->beta * in[2][row * cols + (cols > 1 ? j : 0)];
            }
            out[0][i * n + j] = sum;
        }
}

static void check_gemm(const gemm *g, int64_t m, int64_t n, int64_t k, int c_form)
{
    op_case c;

    op_case_init(&c, &ax_op_gemm, "Gemm");
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){g->trans_a ? k : m, g->trans_a ? m : k});
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){g->trans_b ? n : k, g->trans_b ? k : n});
    if (c_form == 1)
        op_case_input(&c, AX_FLOAT, 1, &n);
    if (c_form == 2)
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){m, n});
    if (c_form == 3)
        op_case_input(&c, AX_FLOAT, 2, (int64_t[]){m, 1});
    if (c_form == 4)
        op_case_input(&c, AX_FLOAT, 0, NULL);
    op_case_attr_i(&c, "transA", g->trans_a);
    op_case_attr_i(&c, "transB", g->trans_b);
    op_case_attr_f(&c, "alpha", g->alpha);
    op_case_attr_f(&c, "beta", g->beta);
    c.reference = gemm_reference;
    c.user = (void *) g;
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

/* numpy.matmul, element by element of the result. */
static void matmul_reference(const op_case *c, double *const *in, double *const *out)
{
    const ax_shape *a = &c->in[0].shape, *b = &c->in[1].shape;
    int64_t m = a->rank > 1 ? a->dim[a->rank - 2] : 1, k = a->dim[a->rank - 1];
    int64_t n = b->rank > 1 ? b->dim[b->rank - 1] : 1;
    int64_t a_batch = a->rank > 2 ? ax_shape_span(a, 0, a->rank - 2) : 1;
    int64_t b_batch = b->rank > 2 ? ax_shape_span(b, 0, b->rank - 2) : 1;
    int64_t batches = a_batch > b_batch ? a_batch : b_batch;

    /* the cases here have equal batch axes, or none on one side, or ones in front */
    for (int64_t i = 0; i < batches * m * n; i++) {
        int64_t batch = i / (m * n), row = i / n % m, col = i % n;
        double sum = 0;

        for (int64_t l = 0; l < k; l++)
            sum += in[0][batch % a_batch * m * k + row * k + l] *
                   in[1][batch % b_batch * k * n + l * n + col];
        out[0][i] = sum;
    }
}

static void check_matmul(int ra, const int64_t *a, int rb, const int64_t *b)
{
    op_case c;

    op_case_init(&c, &ax_op_matmul, "MatMul");
    op_case_input(&c, AX_FLOAT, ra, a);
    op_case_input(&c, AX_FLOAT, rb, b);
    c.reference = matmul_reference;
    c.tolerance *= 1 + (double) a[ra - 1] / 100; /* longer sums round more */
    op_check_forward(&c);
    op_check_gradient(&c);
    op_case_free(&c);
}

/* Left sides of few rows and of many, right sides that are read as they lie, that are packed, and columns for BLAS. */
static void check_sizes(void)
{
    check_matmul(4, (int64_t[]){1, 2, 20, 16}, 4, (int64_t[]){1, 2, 16, 32});
    check_matmul(3, (int64_t[]){2, 17, 33}, 3, (int64_t[]){1, 33, 50});
    check_matmul(3, (int64_t[]){1, 5, 40}, 3, (int64_t[]){3, 40, 3});
    check_matmul(2, (int64_t[]){3, 150}, 2, (int64_t[]){150, 128});
    check_matmul(2, (int64_t[]){18, 700}, 2, (int64_t[]){700, 192});
    check_matmul(3, (int64_t[]){2, 3, 4}, 3, (int64_t[]){2, 4, 5});
}

static void check_isas(void)
{
    static const char *const isa[] = {"baseline", "avx2", "avx512"};
    ax_error err;

    for (int i = 0; i < AX_COUNT(isa); i++)
        if (ax_isa_force(isa[i], &err) == AX_OK)
            check_sizes();
        else
            unit_skip("%s: not on this CPU", isa[i]);
}

int main(void)
{
    op_case c;

    for (int round = 0; round < 40; round++) {
        gemm g = {round & 1, round >> 1 & 1, round % 3 ? 1.0f : 0.5f, round % 5 ? 1.0f : -2.0f};

        check_gemm(&g, op_random_int(1, 9), op_random_int(1, 9), op_random_int(1, 12), round % 5);
    }
    check_gemm(&(gemm){false, false, 1, 1}, 0, 4, 3, 1);
    check_matmul(2, (int64_t[]){3, 4}, 2, (int64_t[]){4, 5});
    check_matmul(3, (int64_t[]){2, 3, 4}, 2, (int64_t[]){4, 5});
    check_matmul(3, (int64_t[]){2, 3, 4}, 3, (int64_t[]){2, 4, 5});
    check_matmul(2, (int64_t[]){3, 4}, 3, (int64_t[]){2, 4, 5});
    check_matmul(4, (int64_t[]){2, 3, 4, 2}, 3, (int64_t[]){3, 2, 4});
    check_matmul(1, (int64_t[]){4}, 2, (int64_t[]){4, 5});
    check_matmul(2, (int64_t[]){3, 4}, 1, (int64_t[]){4});
    check_matmul(3, (int64_t[]){2, 3, 4}, 1, (int64_t[]){4});
    check_matmul(1, (int64_t[]){4}, 1, (int64_t[]){4});
    op_case_init(&c, &ax_op_matmul, "MatMul");
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){3, 4});
    op_case_input(&c, AX_FLOAT, 2, (int64_t[]){5, 4});
    op_check_refused(&c, AX_ERR_INVALID, "inner");
    op_case_free(&c);
    check_isas();
    return unit_done();
}
