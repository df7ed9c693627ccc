/*
 * boost_loss.c: gradients and hessians of the losses by the score, as XGBoost has them.
 *
 *   squared   score - y, 1                     absolute  sign(score - y), 1
 *   logistic  p - y, p (1 - p)                 quantile  score >= y ? 1 - alpha : -alpha, 1
 *   softmax   p - y, 2 p (1 - p)               poisson   e^score - y, e^(score + max_delta_step)
 *
 * each times the row's weight. The leaves of absolute and quantile are quantiles of what is left of the targets.
 */
#include <math.h>

#include "tensor/kernel.h"
#include "tree/boost_private.h"
#include "tree/cuts.h"

#define LEAST_HESSIAN 1e-16f

/* ---- gradients -------------------------------------------------------------------------------- */

typedef struct filling {
    ax_booster *b;
    const ax_kernels *k;
    int output;
} filling;

static void logistic_chunk(const filling *f, int64_t from, int64_t n)
{
    const ax_booster *b = f->b;
    float p[CHUNK];

    f->k->sigmoid(n, b->score + from, p);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = global_row(&b->train, from + i);
        float w = row_weight(&b->params, &b->train, row), y = b->train.classes[row] == 1 ? 1 : 0;

        b->gradient[from + i] = (gradient){(p[i] - y) * w, AX_MAX(p[i] * (1 - p[i]), LEAST_HESSIAN) * w};
    }
}

static void softmax_chunk(const filling *f, int64_t from, int64_t n)
{
    const ax_booster *b = f->b;
    float p[CHUNK];

    f->k->sub(n, b->score + f->output * b->n + from, b->norm + from, p);
    f->k->exp(n, p, p);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = global_row(&b->train, from + i);
        float w = row_weight(&b->params, &b->train, row), y = b->train.classes[row] == f->output ? 1 : 0;

        b->gradient[from + i] = (gradient){(p[i] - y) * w, AX_MAX(2 * p[i] * (1 - p[i]), LEAST_HESSIAN) * w};
    }
}

static void poisson_chunk(const filling *f, int64_t from, int64_t n)
{
    const ax_booster *b = f->b;
    float mean[CHUNK], more = expf((float) b->params.max_delta_step);

    f->k->exp(n, b->score + from, mean);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = global_row(&b->train, from + i);
        float w = row_weight(&b->params, &b->train, row);

        b->gradient[from + i] = (gradient){(mean[i] - b->train.values[row]) * w, mean[i] * more * w};
    }
}

static float value_gradient(const ax_boost_params *p, float score, float y)
{
    if (p->loss == AX_BOOST_ABSOLUTE)
        return (float) ((score > y) - (score < y));
    if (p->loss == AX_BOOST_QUANTILE)
        return (float) (score >= y ? 1 - p->quantile : -p->quantile);
    return score - y;
}

static void value_chunk(const filling *f, int64_t from, int64_t n)
{
    const ax_booster *b = f->b;

    for (int64_t i = from; i < from + n; i++) {
        int64_t row = global_row(&b->train, i);
        float w = row_weight(&b->params, &b->train, row);

        b->gradient[i] = (gradient){value_gradient(&b->params, b->score[i], b->train.values[row]) * w, w};
    }
}

static void gradient_task(void *arg, int block)
{
    filling *f = arg;
    int64_t from = (int64_t) block * ROW_BLOCK, to = AX_MIN(f->b->n, from + ROW_BLOCK);

    for (int64_t at = from; at < to; at += CHUNK) {
        int64_t n = AX_MIN(to - at, CHUNK);

        switch (f->b->params.loss) {
        case AX_BOOST_LOGISTIC:
            logistic_chunk(f, at, n);
            break;
        case AX_BOOST_SOFTMAX:
            softmax_chunk(f, at, n);
            break;
        case AX_BOOST_POISSON:
            poisson_chunk(f, at, n);
            break;
        default:
            value_chunk(f, at, n);
        }
    }
}

ax_status ax_boost_loss_gradients(ax_booster *b, int output, ax_error *err)
{
    filling f = {.b = b, .k = ax_kernels_get(), .output = output};

    return ax_work_run(&b->work, gradient_task, &f, (int) block_count(b->n), err);
}

/* log of the sum over the outputs of e^score; score (outputs, stride). */
static float log_sum(const float *score, int64_t stride, int outputs, int64_t i)
{
    float largest = score[i];
    double sum = 0;

    for (int k = 1; k < outputs; k++)
        largest = fmaxf(largest, score[k * stride + i]);
    for (int k = 0; k < outputs; k++)
        sum += expf(score[k * stride + i] - largest);
    return largest + (float) log(sum);
}

static void norm_task(void *arg, int block)
{
    ax_booster *b = arg;
    int64_t from = (int64_t) block * ROW_BLOCK, to = AX_MIN(b->n, from + ROW_BLOCK);

    for (int64_t i = from; i < to; i++) {
        if (i % CHUNK == 0 && ax_work_stopped(&b->work))
            return;
        b->norm[i] = log_sum(b->score, b->n, b->outputs, i);
    }
}

ax_status ax_boost_loss_prepare(ax_booster *b, ax_error *err)
{
    if (b->params.loss != AX_BOOST_SOFTMAX)
        return AX_OK;
    return ax_work_run(&b->work, norm_task, b, (int) block_count(b->n), err);
}

/* ---- means of the loss ------------------------------------------------------------------------ */

typedef struct averaging {
    ax_booster *b;
    const ax_boost_rows *rows;
    const float *score;
    double *sum; /* (blocks, 2): of loss and weight */
} averaging;

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double row_loss(const averaging *a, int64_t i, int64_t row)
{
    const ax_boost_params *p = &a->b->params;
    double s = a->score[i], y;

    if (p->loss == AX_BOOST_LOGISTIC)
        return softplus(a->rows->classes[row] == 1 ? -s : s);
    if (p->loss == AX_BOOST_SOFTMAX) {
        int class = a->rows->classes[row];

        y = class >= 0 && class < a->b->outputs ? a->score[class * a->rows->n + i] : -INFINITY;
        return log_sum(a->score, a->rows->n, a->b->outputs, i) - y;
    }
    y = a->rows->values[row];
    switch (p->loss) {
    case AX_BOOST_ABSOLUTE:
        return fabs(s - y);
    case AX_BOOST_QUANTILE:
        return y >= s ? p->quantile * (y - s) : (1 - p->quantile) * (s - y);
    case AX_BOOST_POISSON: /* the negative log likelihood */
        return exp(s) - y * s + lgamma(y + 1);
    default:
        return (s - y) * (s - y);
    }
}

static void mean_task(void *arg, int block)
{
    averaging *a = arg;
    int64_t from = (int64_t) block * ROW_BLOCK, to = AX_MIN(a->rows->n, from + ROW_BLOCK);
    double loss = 0, weight = 0;

    for (int64_t i = from; i < to; i++) {
        int64_t row = global_row(a->rows, i);
        double w = row_weight(&a->b->params, a->rows, row);

        if (i % CHUNK == 0 && ax_work_stopped(&a->b->work))
            return;
        loss += w * row_loss(a, i, row);
        weight += w;
    }
    a->sum[2 * block] = loss;
    a->sum[2 * block + 1] = weight;
}

ax_status ax_boost_loss_mean(ax_booster *b, bool valid, double *mean, ax_error *err)
{
    averaging a = {.b = b, .rows = valid ? &b->valid : &b->train, .score = valid ? b->valid_score : b->score,
                   .sum = b->block_sum};
    int blocks = (int) block_count(a.rows->n);
    double loss = 0, weight = 0;

    AX_TRY(ax_work_run(&b->work, mean_task, &a, blocks, err));
    for (int i = 0; i < blocks; i++) {
        loss += a.sum[2 * i];
        weight += a.sum[2 * i + 1];
    }
    *mean = loss / weight;
    return AX_OK;
}

/* ---- quantiles -------------------------------------------------------------------------------- */

#define DIGIT_BITS 11
#define DIGITS     (1 << DIGIT_BITS)

/* A list of numbers with weights: what is left of the targets of some rows. */
typedef struct left_over {
    ax_booster *b;
    const int32_t *index; /* NULL: all rows */
    int64_t n;
    bool plain; /* every weight is one */
} left_over;

static float left_of(const left_over *l, int64_t i, double *weight)
{
    int64_t local = l->index != NULL ? l->index[i] : i, row = global_row(&l->b->train, local);

    *weight = l->plain ? 1 : row_weight(&l->b->params, &l->b->train, row);
    return l->b->train.values[row] - l->b->score[local];
}

/* The smallest number such that it and all below have more than `target` of the weight (or, `reach`: at least). By
 * digits of the numbers' keys, from the highest: nothing is sorted. */
static float select_weight(const left_over *l, double target, bool reach)
{
    double sum[DIGITS], before = 0, w;
    uint32_t prefix = 0, known = 0;

    for (int shift = 21; shift >= 0; shift = shift == 21 ? 10 : shift == 10 ? 0 : -1) {
        int bits = shift == 0 ? 10 : DIGIT_BITS, digit = 0, last = 0;

        memset(sum, 0, sizeof(sum));
        for (int64_t i = 0; i < l->n; i++) {
            uint32_t key = ax_key_of_float(left_of(l, i, &w));

            if (i % ROW_BLOCK == 0 && ax_work_stopped(&l->b->work))
                return 0;
            if ((key & known) == prefix)
                sum[(key >> shift) & ((1u << bits) - 1)] += w;
        }
        for (; digit < 1 << bits; digit++) {
            last = sum[digit] > 0 ? digit : last;
            if (sum[digit] > 0 && (reach ? before + sum[digit] >= target : before + sum[digit] > target))
                break;
            before += sum[digit];
        }
        if (digit == 1 << bits) { /* rounding: the last one there is */
            digit = last;
            before -= sum[digit];
        }
        prefix |= (uint32_t) digit << shift;
        known |= ((1u << bits) - 1) << shift;
    }
    return ax_float_of_key(prefix);
}

/* XGBoost's two definitions: between two ranks without weights, the first that reaches the share with them. */
static double quantile_of(const left_over *l, double alpha)
{
    double w, all = 0, rank;
    int64_t k;

    if (l->n == 0)
        return 0;
    if (!l->plain) {
        for (int64_t i = 0; i < l->n && (i % ROW_BLOCK != 0 || !ax_work_stopped(&l->b->work)); i++) {
            left_of(l, i, &w);
            all += w;
        }
        return select_weight(l, alpha * all, true);
    }
    if (alpha <= 1 / ((double) l->n + 1))
        return select_weight(l, 0, false);
    if (alpha >= (double) l->n / ((double) l->n + 1))
        return select_weight(l, (double) l->n - 1, false);
    rank = alpha * ((double) l->n + 1);
    k = (int64_t) rank - 1;
    w = select_weight(l, (double) k, false);
    return w + (rank - 1 - (double) k) * (select_weight(l, (double) k + 1, false) - w);
}

static double alpha_of(const ax_booster *b)
{
    return b->params.loss == AX_BOOST_ABSOLUTE ? 0.5 : b->params.quantile;
}

bool ax_boost_loss_has_quantile_leaves(const ax_booster *b)
{
    return b->params.loss == AX_BOOST_ABSOLUTE || b->params.loss == AX_BOOST_QUANTILE;
}

static void quantile_task(void *arg, int task)
{
    ax_booster *b = arg;
    const leaf *l = (leaf *) b->ends.data + task;
    left_over rows = {.b = b, .index = b->index + l->from, .n = l->to - l->from, .plain = b->train.weights == NULL};
    float value = (float) (b->params.learning_rate * fmin(fmax(quantile_of(&rows, alpha_of(b)), l->lower), l->upper));

    bin_node_at(b, l->node)->value = value;
    ((float *) b->values.data)[node_at(b, l->node)->leaf] = value;
}

ax_status ax_boost_loss_quantile_leaves(ax_booster *b, ax_error *err)
{
    return ax_work_run(&b->work, quantile_task, b, (int) b->ends.n, err);
}

/* ---- where predictions start ------------------------------------------------------------------ */

static double logit(double p)
{
    p = fmin(fmax(p, 1e-7), 1 - 1e-7);
    return log(p / (1 - p));
}

/* A share of the weight: of the rows of a class, or (values) their mean. */
static ax_status weighted_mean(ax_booster *b, int class, double *mean, ax_error *err)
{
    double sum = 0, all = 0;

    for (int64_t i = 0; i < b->n; i++) {
        int64_t row = global_row(&b->train, i);
        double w = row_weight(&b->params, &b->train, row);

        if (i % ROW_BLOCK == 0 && !ax_may_continue(&b->work.env))
            return ax_cancelled(err);
        sum += w * (class < 0 ? b->train.values[row] : b->train.classes[row] == class);
        all += w;
    }
    *mean = all > 0 ? sum / all : 0;
    return AX_OK;
}

static void base_quantile_task(void *arg, int task)
{
    ax_booster *b = arg;
    left_over rows = {.b = b, .n = b->n, .plain = b->train.weights == NULL};

    b->base[0] = (float) quantile_of(&rows, alpha_of(b));
}

static ax_status base_of_data(ax_booster *b, ax_error *err)
{
    double mean = 0;

    if (ax_boost_loss_has_quantile_leaves(b))
        return ax_work_run(&b->work, base_quantile_task, b, 1, err);
    for (int k = 0; k < b->outputs; k++) {
        bool classes = b->params.loss == AX_BOOST_SOFTMAX || b->params.loss == AX_BOOST_LOGISTIC;

        AX_TRY(weighted_mean(b, !classes ? -1 : b->params.loss == AX_BOOST_LOGISTIC ? 1 : k, &mean, err));
        if (b->params.loss == AX_BOOST_LOGISTIC)
            mean = logit(mean);
        else if (classes || b->params.loss == AX_BOOST_POISSON)
            mean = log(fmax(mean, 1e-7));
        b->base[k] = (float) mean;
    }
    return AX_OK;
}

ax_status ax_boost_loss_base(ax_booster *b, ax_error *err)
{
    double base = b->params.base_score;

    if (isnan(base))
        return base_of_data(b, err);
    if (b->params.loss == AX_BOOST_LOGISTIC)
        base = logit(base);
    if (b->params.loss == AX_BOOST_POISSON)
        base = log(fmax(base, 1e-7));
    for (int k = 0; k < b->outputs; k++)
        b->base[k] = (float) base;
    return AX_OK;
}
