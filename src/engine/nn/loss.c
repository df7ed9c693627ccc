/*
 * loss.c: values and gradients of the losses.
 *
 * A row's loss is one of two forms. The cross-entropies over classes look at the whole row:
 *
 *     on logits    L = sum_j y_j (lse(z) - z_j)          dL/dz_j = (sum y) softmax(z)_j - y_j
 *     otherwise    L = -sum_j y_j log clip(o_j / sum o)  as Keras does, clip to [1e-7, 1 - 1e-7]
 *
 * where y is a row of the targets, or one-hot made from a class, smoothed to y (1 - s) + s /
 * classes. The others are means over the elements of a row, each with its value and slope:
 *
 *     binary_crossentropy, logits   max(x, 0) - x y + log1p(exp(-|x|))     sigmoid(x) - y
 *     binary_crossentropy           -y log p - (1 - y) log(1 - p)          (p - y) / (p (1 - p))
 *     mse                           (x - y)^2                              2 (x - y)
 *     mae                           |x - y|                                sign(x - y)
 *     huber                         e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2
 *
 * A clipped probability has slope 0, as in Keras. All of it runs in double: outputs are few
 * compared with the work that made them.
 */
#include "nn/loss.h"

#include <math.h>

#include "table/setting.h"

#define CLIP 1e-7

static const ax_loss_info loss_table[] = {
    {AX_LOSS_SPARSE_CCE, "sparse_categorical_crossentropy", "", AX_TASK_CLASSIFICATION},
    {AX_LOSS_CCE, "categorical_crossentropy", "", AX_TASK_CLASSIFICATION},
    {AX_LOSS_BCE, "binary_crossentropy", "bce", AX_TASK_CLASSIFICATION},
    {AX_LOSS_MSE, "mse", "mean_squared_error", AX_TASK_REGRESSION},
    {AX_LOSS_MAE, "mae", "mean_absolute_error", AX_TASK_REGRESSION},
    {AX_LOSS_HUBER, "huber", "", AX_TASK_REGRESSION},
};

int ax_loss_count(void)
{
    return AX_COUNT(loss_table);
}

const ax_loss_info *ax_loss_at(int i)
{
    return i >= 0 && i < AX_COUNT(loss_table) ? &loss_table[i] : NULL;
}

const ax_loss_info *ax_loss_find(const char *name)
{
    for (int i = 0; i < AX_COUNT(loss_table); i++) {
        const ax_loss_info *l = &loss_table[i];

        if (ax_same_name(name, l->name) || (l->alias[0] != '\0' && ax_same_name(name, l->alias)))
            return l;
    }
    return NULL;
}

const char *ax_loss_name(ax_loss_kind kind)
{
    for (int i = 0; i < AX_COUNT(loss_table); i++)
        if (loss_table[i].kind == kind)
            return loss_table[i].name;
    return "";
}

/* ---- targets --------------------------------------------------------------------------------- */

/* The target of one row: values, or a class when values is NULL. */
typedef struct row_target {
    const float *values;
    int32_t class;
    double keep, add; /* label smoothing: y keep + add */
} row_target;

/* A single output stands for class 1 of two, more outputs for one class each. */
static inline double target_at(const row_target *t, int width, int j)
{
    double y;

    if (t->values != NULL)
        y = (double) t->values[j];
    else if (width == 1)
        y = (double) t->class;
    else
        y = t->class == j ? 1 : 0;
    return y * t->keep + t->add;
}

static void set_smoothing(row_target *t, const ax_loss *loss, int width)
{
    double s = loss->kind <= AX_LOSS_BCE ? (double) loss->label_smoothing : 0;
    int classes = loss->kind == AX_LOSS_BCE ? 2 : width;

    t->keep = 1 - s;
    t->add = s / classes;
}

/* ---- over classes ---------------------------------------------------------------------------- */

/* Gradients are multiplied by scale. dout may be NULL. */
typedef double (*row_fn)(const row_target *t, int width, const float *out, double scale,
                         float *dout);

static double row_softmax(const row_target *t, int width, const float *z, double scale, float *dz)
{
    double max = (double) z[0], sum = 0, y_sum = 0, loss = 0, lse;

    for (int j = 1; j < width; j++)
        if ((double) z[j] > max)
            max = (double) z[j];
    for (int j = 0; j < width; j++) {
        double e = exp((double) z[j] - max);

        sum += e;
        if (dz != NULL)
            dz[j] = (float) e;
    }
    lse = log(sum);
    for (int j = 0; j < width; j++) {
        double y = target_at(t, width, j);

        y_sum += y;
        /* An impossible class (z = -inf) costs nothing where nothing is asked of it. */
        if (y != 0)
            loss += y * (lse - ((double) z[j] - max));
    }
    /* A NaN anywhere must be seen, even where y is 0. */
    if (isnan(sum))
        loss = sum;
    if (dz != NULL)
        for (int j = 0; j < width; j++)
            dz[j] = (float) (scale * (y_sum * (double) dz[j] / sum - target_at(t, width, j)));
    return loss;
}

static double clipped(double p)
{
    return p < CLIP ? CLIP : p > 1 - CLIP ? 1 - CLIP : p;
}

/*
 * With p = o / S: dL/dp_i = -y_i / p_i where p_i is not clipped, and through the division
 * dL/do_j = (dL/dp_j - sum_i p_i dL/dp_i) / S. A row of zeros has no S to divide by; it is left as
 * it is.
 */
static double row_probabilities(const row_target *t, int width, const float *out, double scale,
                                float *dout)
{
    double sum = 0, dot = 0, loss = 0;
    bool divide;

    for (int j = 0; j < width; j++)
        sum += (double) out[j];
    divide = !(sum < CLIP);
    if (!divide)
        sum = 1;
    for (int j = 0; j < width; j++) {
        double p = (double) out[j] / sum, y = target_at(t, width, j);

        if (y != 0 || isnan(p))
            loss -= y * log(clipped(p));
        if (divide && clipped(p) == p)
            dot -= y;
    }
    if (dout != NULL)
        for (int j = 0; j < width; j++) {
            double p = (double) out[j] / sum;
            double slope = clipped(p) == p ? -target_at(t, width, j) / p : 0;

            dout[j] = (float) (scale * (slope - dot) / sum);
        }
    return loss;
}

/* ---- element by element ---------------------------------------------------------------------- */

typedef double (*element_fn)(const ax_loss *loss, double x, double y, double *slope);

static double bce_logits(const ax_loss *loss, double x, double y, double *slope)
{
    double e = exp(-fabs(x));

    *slope = (x >= 0 ? 1 / (1 + e) : e / (1 + e)) - y;
    return (x > 0 ? x : 0) - x * y + log1p(e);
}

static double bce_probability(const ax_loss *loss, double x, double y, double *slope)
{
    double p = clipped(x);

    *slope = p == x ? (p - y) / (p * (1 - p)) : 0;
    return -y * log(p) - (1 - y) * log1p(-p);
}

static double squared(const ax_loss *loss, double x, double y, double *slope)
{
    double e = x - y;

    *slope = 2 * e;
    return e * e;
}

static double absolute(const ax_loss *loss, double x, double y, double *slope)
{
    double e = x - y;

    *slope = e > 0 ? 1 : e < 0 ? -1 : 0;
    return fabs(e);
}

static double huber(const ax_loss *loss, double x, double y, double *slope)
{
    double e = x - y, delta = (double) loss->delta;

    if (fabs(e) <= delta) {
        *slope = e;
        return 0.5 * e * e;
    }
    *slope = e > 0 ? delta : -delta;
    return delta * fabs(e) - 0.5 * delta * delta;
}

static double row_elements(element_fn f, const ax_loss *loss, const row_target *t, int width,
                           const float *out, double scale, float *dout)
{
    double sum = 0, slope;

    for (int j = 0; j < width; j++) {
        sum += f(loss, (double) out[j], target_at(t, width, j), &slope);
        if (dout != NULL)
            dout[j] = (float) (scale * slope / width);
    }
    return sum / width;
}

/* One of the two, by kind, then by on_logits. */
static const struct {
    row_fn row;
    element_fn element;
} form[][2] = {
    [AX_LOSS_SPARSE_CCE] = {{row_probabilities, NULL}, {row_softmax, NULL}},
    [AX_LOSS_CCE] = {{row_probabilities, NULL}, {row_softmax, NULL}},
    [AX_LOSS_BCE] = {{NULL, bce_probability}, {NULL, bce_logits}},
    [AX_LOSS_MSE] = {{NULL, squared}, {NULL, squared}},
    [AX_LOSS_MAE] = {{NULL, absolute}, {NULL, absolute}},
    [AX_LOSS_HUBER] = {{NULL, huber}, {NULL, huber}},
};

double ax_loss_sum(const ax_loss *loss, int64_t n, int width, const float *out, const ax_targets *t,
                   float scale, float *dout)
{
    row_fn row = form[loss->kind][loss->on_logits].row;
    element_fn element = form[loss->kind][loss->on_logits].element;
    row_target target = {NULL, 0, 1, 0};
    double sum = 0;

    set_smoothing(&target, loss, width);
    for (int64_t i = 0; i < n; i++) {
        double w = t->weights != NULL ? (double) t->weights[i] : 1;
        const float *x = out + i * width;
        float *dx = dout != NULL ? dout + i * width : NULL;

        if (t->values != NULL)
            target.values = t->values + i * width;
        else
            target.class = t->classes[i];
        sum += w * (row != NULL ? row(&target, width, x, (double) scale * w, dx)
                                : row_elements(element, loss, &target, width, x,
                                               (double) scale * w, dx));
    }
    return sum;
}
