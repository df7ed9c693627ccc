/*
 * logit.c: passes over the rows for logistic regression.
 */
#include "linear/logit.h"
#include "linear/factor.h"
#include "linear/lapack.h"

#include <math.h>

ax_status ax_logit_open(ax_logit *l, ax_error *err)
{
    ax_arena *arena = &l->design.arena;
    size_t q = (size_t) l->q, k = (size_t) l->k, block = (size_t) l->design.block;

    l->l1 = ax_arena_array(arena, q, sizeof(double));
    l->l2 = ax_arena_array(arena, q, sizeof(double));
    l->u = ax_arena_array(arena, q * k, sizeof(double));
    l->gradient = ax_arena_array(arena, q * k, sizeof(double));
    l->x = ax_arena_array(arena, q * block, sizeof(double));
    l->scaled = ax_arena_array(arena, q * block, sizeof(double));
    l->eta = ax_arena_array(arena, k * block, sizeof(double));
    if (l->l1 == NULL || l->l2 == NULL || l->u == NULL || l->gradient == NULL || l->x == NULL || l->scaled == NULL ||
        l->eta == NULL)
        return ax_nomem(err);
    return AX_OK;
}

/* Rows, with the intercept's column. */
static void read_rows(ax_logit *l, int64_t from, int count)
{
    ax_design_read(&l->design, from, count, l->x, l->q);
    for (int i = 0; i < count; i++)
        l->x[(size_t) i * (size_t) l->q + (size_t) l->design.p] = l->params->fit_intercept ? 1 : 0;
}

static void read_eta(ax_logit *l, const double *u, int64_t from, int count)
{
    read_rows(l, from, count);
    if (l->k == 1)
        cblas_dgemv(CblasRowMajor, CblasNoTrans, count, l->q, 1, l->x, l->q, u, 1, 0, l->eta, 1);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count, l->k, l->q, 1, l->x, l->q, u, l->q, 0, l->eta,
                    l->k);
}

/* eta becomes the derivative of the loss by it, p - y; returns the loss. */
static double two_classes(double *eta, bool second, bool *separated)
{
    double toward = second ? *eta : -*eta, e = exp(-fabs(toward)), p = *eta >= 0 ? 1 / (1 + e) : e / (1 + e);

    *separated = *separated && toward > 0;
    *eta = second ? p - 1 : p;
    if (second && *eta > -0.5)
        *eta = -e / (1 + e); /* without cancellation */
    return (toward > 0 ? 0 : -toward) + log1p(e);
}

/* Probabilities in place; returns the logarithm of their common divisor, taken off the largest. */
static double softmax(double *eta, int k)
{
    double largest = eta[0], sum = 0;

    for (int c = 1; c < k; c++)
        largest = fmax(largest, eta[c]);
    for (int c = 0; c < k; c++) {
        eta[c] = exp(eta[c] - largest);
        sum += eta[c];
    }
    for (int c = 0; c < k; c++)
        eta[c] /= sum;
    return log(sum) + largest;
}

static double many_classes(double *eta, int k, int own, bool *separated)
{
    double mine = eta[own], loss, others = 0;

    for (int c = 0; c < k; c++)
        *separated = *separated && (c == own || eta[c] < mine);
    loss = softmax(eta, k) - mine;
    for (int c = 0; c < k; c++)
        others += c == own ? 0 : eta[c];
    eta[own] = -others; /* p - 1 without cancellation */
    return fmax(loss, 0);
}

static double turn_rows(ax_logit *l, int64_t from, int count)
{
    double loss = 0;

    for (int i = 0; i < count; i++) {
        double *eta = l->eta + (size_t) i * (size_t) l->k, w = ax_design_weight(&l->design, from + i);
        int own = l->design.rows->classes[from + i];
        bool separated = l->separated;

        loss += w * (l->k == 1 ? two_classes(eta, own == 1, &separated) : many_classes(eta, l->k, own, &separated));
        for (int c = 0; c < l->k; c++)
            eta[c] *= w / l->design.weight;
        l->separated = w > 0 ? separated : l->separated;
    }
    return loss;
}

ax_status ax_logit_pass(ax_logit *l, const double *u, bool gradient, ax_error *err)
{
    int64_t n = l->design.rows->n;
    double loss = 0;
    int piece = AX_MIN(l->design.block, ax_piece_rows(4.0 * l->k * l->q + 40.0 * l->k, 1));

    l->separated = true;
    if (gradient)
        memset(l->gradient, 0, sizeof(double) * (size_t) l->k * (size_t) l->q);
    for (int64_t from = 0; from < n; from += piece) {
        int count = (int) AX_MIN(piece, n - from);

        read_eta(l, u, from, count);
        loss += turn_rows(l, from, count);
        if (gradient && l->k == 1)
            cblas_dgemv(CblasRowMajor, CblasTrans, count, l->q, 1, l->x, l->q, l->eta, 1, 1, l->gradient, 1);
        else if (gradient)
            cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, l->k, l->q, count, 1, l->eta, l->k, l->x, l->q, 1,
                        l->gradient, l->q);
        if (!ax_may_continue(&l->design.arena.env))
            return ax_cancelled(err);
    }
    l->loss = loss / l->design.weight;
    return AX_OK;
}

double ax_logit_penalty(const ax_logit *l, const double *u)
{
    double sum = 0;

    for (int i = 0; i < l->k * l->q; i++)
        sum += l->l1[i % l->q] * fabs(u[i]) + 0.5 * l->l2[i % l->q] * u[i] * u[i];
    return sum;
}

/* ---- second derivatives ---------------------------------------------------------------------- */

/* The lower triangle from the upper (by columns), divided by the sum of the weights. */
static ax_status mirror(const ax_logit *l, double *h, size_t n, ax_error *err)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++)
            h[j * n + i] = h[i * n + j] = h[i * n + j] / l->design.weight;
        if (i % 256 == 255 && !ax_may_continue(&l->design.arena.env))
            return ax_cancelled(err);
    }
    return AX_OK;
}

/* scaled = the rows, each times the root of its factor. */
static void scale_rows(ax_logit *l, const double *factor, int count)
{
    for (int i = 0; i < count; i++) {
        const double *x = l->x + (size_t) i * (size_t) l->q;
        double *to = l->scaled + (size_t) i * (size_t) l->q;

        for (int j = 0; j < l->q; j++)
            to[j] = x[j] * factor[i];
    }
}

static ax_status add_binary(ax_logit *l, int64_t from, int count, double *h, ax_error *err)
{
    double root[256];

    for (int i = 0; i < count; i++) {
        double e = exp(-fabs(l->eta[i]));

        root[i] = sqrt(ax_design_weight(&l->design, from + i) * e) / (1 + e);
    }
    scale_rows(l, root, count);
    return ax_add_products(&l->design.arena.env, h, l->q, l->scaled, count, err);
}

/* Class a's block with class b's: the rows times w p_a (1 [a = b] - p_b). */
static void add_pair(ax_logit *l, int64_t from, int count, int a, int b, double *corner, int ld)
{
    double factor[256];

    for (int i = 0; i < count; i++) {
        const double *p = l->eta + (size_t) i * (size_t) l->k;
        double w = ax_design_weight(&l->design, from + i), others = 0;

        for (int c = 0; a == b && c < l->k; c++)
            others += c == a ? 0 : p[c];
        factor[i] = w * p[a] * (a == b ? others : -p[b]);
    }
    scale_rows(l, factor, count);
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, l->q, l->q, count, 1, l->x, l->q, l->scaled, l->q, 1, corner,
                ld);
}

static ax_status add_many(ax_logit *l, int64_t row, int count, int from, int to, double *h, ax_error *err)
{
    size_t q = (size_t) l->q, n = (size_t) (to - from) * q;

    for (int i = 0; i < count; i++)
        softmax(l->eta + (size_t) i * (size_t) l->k, l->k);
    for (int b = from; b < to; b++) {
        for (int a = from; a <= b; a++) {
            add_pair(l, row, count, a, b, h + (size_t) (b - from) * q * n + (size_t) (a - from) * q, (int) n);
            if (!ax_may_continue(&l->design.arena.env))
                return ax_cancelled(err);
        }
    }
    return AX_OK;
}

ax_status ax_logit_hessian(ax_logit *l, const double *u, int from, int to, double *h, ax_error *err)
{
    int64_t rows = l->design.rows->n;
    size_t n = (size_t) (to - from) * (size_t) l->q;
    int piece = AX_MIN(l->design.block, ax_piece_rows(2.0 * l->q * l->q, 1));

    memset(h, 0, sizeof(double) * n * n);
    for (int64_t row = 0; row < rows; row += piece) {
        int count = (int) AX_MIN(piece, rows - row);

        read_eta(l, u, row, count);
        AX_TRY(l->k == 1 ? add_binary(l, row, count, h, err) : add_many(l, row, count, from, to, h, err));
    }
    return mirror(l, h, n, err);
}

ax_status ax_logit_gram(ax_logit *l, double *gram, ax_error *err)
{
    double root[256];

    for (int64_t from = 0; from < l->design.rows->n; from += l->design.block) {
        int count = (int) AX_MIN(l->design.block, l->design.rows->n - from);

        read_rows(l, from, count);
        for (int i = 0; i < count; i++)
            root[i] = sqrt(ax_design_weight(&l->design, from + i));
        scale_rows(l, root, count);
        AX_TRY(ax_add_products(&l->design.arena.env, gram, l->q, l->scaled, count, err));
    }
    return mirror(l, gram, (size_t) l->q, err);
}

/* ---- steps ----------------------------------------------------------------------------------- */

ax_status ax_logit_search(ax_logit *l, const double *step, double slope, double *share, ax_error *err)
{
    int n = l->k * l->q;
    double before = l->loss + ax_logit_penalty(l, l->u), noise = 4e-16 * (1 + fabs(before));
    double *trial = ax_alloc(&l->design.arena.env, sizeof(double) * (size_t) n);
    ax_status status = trial == NULL ? ax_nomem(err) : AX_OK;

    *share = 1;
    for (int halvings = 0; status == AX_OK; halvings++) {
        double value;

        for (int i = 0; i < n; i++)
            trial[i] = l->u[i] + *share * step[i];
        status = ax_logit_pass(l, trial, true, err);
        value = l->loss + ax_logit_penalty(l, trial);
        if (value <= before + 1e-4 * *share * slope + noise) {
            memcpy(l->u, trial, sizeof(double) * (size_t) n);
            break;
        }
        *share = halvings < 40 ? *share / 2 : 0;
        if (halvings == 41)
            break;
    }
    ax_free(&l->design.arena.env, trial);
    return status;
}
