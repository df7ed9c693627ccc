/*
 * test_loss.c: values against plain formulas, gradients against finite differences, and the edges:
 * huge logits, clipped probabilities, NaN.
 */
#include <math.h>
#include <stdio.h>

#include "nn/loss.h"
#include "unit.h"

#define ROWS 5
#define MAX_WIDTH 7

typedef struct loss_case {
    const char *label;
    ax_loss loss;
    int width;
    bool by_class, weighted;
} loss_case;

static const loss_case cases[] = {
    {"sparse on logits", {AX_LOSS_SPARSE_CCE, 1, 0, true}, 4, true, false},
    {"sparse on logits, weighted", {AX_LOSS_SPARSE_CCE, 1, 0, true}, 7, true, true},
    {"sparse on probabilities", {AX_LOSS_SPARSE_CCE, 1, 0, false}, 4, true, true},
    {"categorical on logits, smoothed", {AX_LOSS_CCE, 1, 0.2F, true}, 5, true, false},
    {"categorical on logits, rows", {AX_LOSS_CCE, 1, 0, true}, 5, false, true},
    {"categorical on probabilities, rows", {AX_LOSS_CCE, 1, 0, false}, 5, false, false},
    {"categorical on probabilities, smoothed", {AX_LOSS_CCE, 1, 0.1F, false}, 3, true, true},
    {"binary on logits", {AX_LOSS_BCE, 1, 0, true}, 1, true, false},
    {"binary on logits, smoothed", {AX_LOSS_BCE, 1, 0.3F, true}, 1, true, true},
    {"binary on logits, rows", {AX_LOSS_BCE, 1, 0, true}, 6, false, true},
    {"binary on probabilities", {AX_LOSS_BCE, 1, 0, false}, 1, true, true},
    {"binary on probabilities, rows", {AX_LOSS_BCE, 1, 0.1F, false}, 4, false, false},
    {"mse", {AX_LOSS_MSE, 1, 0, false}, 1, false, false},
    {"mse, vectors", {AX_LOSS_MSE, 1, 0, false}, 3, false, true},
    {"mae", {AX_LOSS_MAE, 1, 0, false}, 2, false, true},
    {"huber", {AX_LOSS_HUBER, 0.7F, 0, false}, 3, false, true},
};

typedef struct batch {
    float out[ROWS * MAX_WIDTH], values[ROWS * MAX_WIDTH], weights[ROWS];
    int32_t classes[ROWS];
    ax_targets targets;
} batch;

static bool is_probability(const ax_loss *l)
{
    return l->kind <= AX_LOSS_BCE;
}

static void fill(const loss_case *c, batch *b)
{
    int n = ROWS * c->width, classes = c->width == 1 ? 2 : c->width;

    unit_fill(b->values, n, 0, 1);
    unit_fill(b->weights, ROWS, 0.1F, 2);
    for (int i = 0; i < ROWS; i++)
        b->classes[i] = (int32_t) unit_below(classes);
    if (is_probability(&c->loss) && !c->loss.on_logits)
        unit_fill(b->out, n, 0.1F, 0.9F);
    else
        unit_fill_normal(b->out, n, 2);
    b->targets = (ax_targets) {.classes = c->by_class ? b->classes : NULL,
                               .values = c->by_class ? NULL : b->values,
                               .weights = c->weighted ? b->weights : NULL};
}

/* ---- values ---------------------------------------------------------------------------------- */

static double target(const loss_case *c, const batch *b, int i, int j)
{
    double s = is_probability(&c->loss) ? (double) c->loss.label_smoothing : 0;
    double classes = c->loss.kind == AX_LOSS_BCE ? 2 : c->width, y;

    if (!c->by_class)
        y = (double) b->values[i * c->width + j];
    else if (c->width == 1)
        y = b->classes[i];
    else
        y = b->classes[i] == j;
    return y * (1 - s) + s / classes;
}

static double plain_row(const loss_case *c, const batch *b, int i)
{
    const float *x = b->out + i * c->width;
    double loss = 0, sum = 0;

    for (int j = 0; j < c->width; j++)
        sum += c->loss.on_logits ? exp((double) x[j]) : (double) x[j];
    for (int j = 0; j < c->width; j++) {
        double y = target(c, b, i, j), e = (double) x[j] - y, p, d = (double) c->loss.delta;

        switch (c->loss.kind) {
        case AX_LOSS_SPARSE_CCE:
        case AX_LOSS_CCE:
            p = (c->loss.on_logits ? exp((double) x[j]) : (double) x[j]) / sum;
            loss -= y * log(p);
            break;
        case AX_LOSS_BCE:
            p = c->loss.on_logits ? 1 / (1 + exp(-(double) x[j])) : (double) x[j];
            loss -= (y * log(p) + (1 - y) * log(1 - p)) / c->width;
            break;
        case AX_LOSS_MSE:
            loss += e * e / c->width;
            break;
        case AX_LOSS_MAE:
            loss += fabs(e) / c->width;
            break;
        case AX_LOSS_HUBER:
            loss += (fabs(e) <= d ? 0.5 * e * e : d * fabs(e) - 0.5 * d * d) / c->width;
            break;
        }
    }
    return loss;
}

static void check_value(const loss_case *c)
{
    batch b;
    double want = 0, got;

    fill(c, &b);
    for (int i = 0; i < ROWS; i++)
        want += plain_row(c, &b, i) * (c->weighted ? (double) b.weights[i] : 1);
    got = ax_loss_sum(&c->loss, ROWS, c->width, b.out, &b.targets, 1, NULL);
    unit_near(got, want, 1e-12, "%s: value", c->label);
}

/* ---- gradients ------------------------------------------------------------------------------- */

static void check_gradient(const loss_case *c)
{
    const float scale = 0.25F, h = 1.0F / 8192;
    float dout[ROWS * MAX_WIDTH], want[ROWS * MAX_WIDTH];
    batch b;

    fill(c, &b);
    ax_loss_sum(&c->loss, ROWS, c->width, b.out, &b.targets, scale, dout);
    for (int k = 0; k < ROWS * c->width; k++) {
        float x = b.out[k], hi = x + h, lo = x - h;
        double up, down;

        b.out[k] = hi;
        up = ax_loss_sum(&c->loss, ROWS, c->width, b.out, &b.targets, 1, NULL);
        b.out[k] = lo;
        down = ax_loss_sum(&c->loss, ROWS, c->width, b.out, &b.targets, 1, NULL);
        b.out[k] = x;
        want[k] = (float) ((double) scale * (up - down) / ((double) hi - (double) lo));
    }
    unit_close(dout, want, ROWS * c->width, 2e-5, "%s: gradient", c->label);
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void check_huge_logits(void)
{
    const ax_loss cce = {AX_LOSS_SPARSE_CCE, 1, 0, true}, bce = {AX_LOSS_BCE, 1, 0, true};
    const float z[] = {1e30F, -1e30F, 0}, x[] = {1000, -1000};
    const int32_t right[] = {0}, wrong[] = {1}, both[] = {1, 0};
    float dz[3];
    ax_targets t = {.classes = right};

    unit_near(ax_loss_sum(&cce, 1, 3, z, &t, 1, dz), 0, 0, "huge logits, right: loss 0");
    unit_check(dz[0] == 0 && dz[1] == 0 && dz[2] == 0, "huge logits, right: no gradient");
    t.classes = wrong;
    unit_near(ax_loss_sum(&cce, 1, 3, z, &t, 1, dz), 2e30, 1e-6, "huge logits, wrong: finite");
    unit_check(dz[0] == 1 && dz[1] == -1, "huge logits, wrong: gradient 1 and -1");
    t.classes = both;
    unit_near(ax_loss_sum(&bce, 2, 1, x, &t, 1, dz), 0, 0, "huge binary logits, right: loss 0");
    t.classes = (const int32_t[]) {0, 1};
    unit_near(ax_loss_sum(&bce, 2, 1, x, &t, 1, dz), 2000, 1e-12, "huge binary logits, wrong");
}

static void check_clipping(void)
{
    const ax_loss cce = {AX_LOSS_SPARSE_CCE, 1, 0, false}, bce = {AX_LOSS_BCE, 1, 0, false};
    const float p[] = {0, 1}, zeros[] = {0, 0}, x[] = {0, 1};
    float d[2];
    ax_targets t = {.classes = (const int32_t[]) {0, 0}};

    unit_near(ax_loss_sum(&cce, 1, 2, p, &t, 1, d), -log(1e-7), 1e-12, "probability 0 is clipped");
    unit_check(d[0] == 0 && d[1] == 0, "a clipped probability has no slope");
    unit_near(ax_loss_sum(&cce, 1, 2, zeros, &t, 1, d), -log(1e-7), 1e-12, "a row of zeros");
    unit_check(isfinite(d[0]) && isfinite(d[1]), "a row of zeros has a finite gradient");
    unit_near(ax_loss_sum(&bce, 2, 1, x, &t, 1, d), -log(1 - 1e-7) - log(1e-7), 1e-9,
              "binary probabilities are clipped");
}

static void check_not_a_number(void)
{
    int blind = 0;

    for (int k = 0; k < AX_COUNT(cases); k++) {
        const loss_case *c = &cases[k];
        float dout[ROWS * MAX_WIDTH];
        batch b;

        fill(c, &b);
        for (int i = 0; i < ROWS * c->width; i++) {
            float x = b.out[i];

            b.out[i] = NAN;
            blind += !isnan(ax_loss_sum(&c->loss, ROWS, c->width, b.out, &b.targets, 1, dout));
            b.out[i] = x;
        }
    }
    unit_check(blind == 0, "a NaN anywhere makes the loss NaN, missed %d", blind);
}

static void check_names(void)
{
    int bad = 0;

    for (int i = 0; i < ax_loss_count(); i++) {
        const ax_loss_info *l = ax_loss_at(i);

        bad += ax_loss_find(l->name) != l || strcmp(ax_loss_name(l->kind), l->name) != 0;
        bad += l->alias[0] != '\0' && ax_loss_find(l->alias) != l;
    }
    unit_check(bad == 0, "every loss is found by name and alias");
    unit_check(ax_loss_find("SparseCategoricalCrossentropy") == ax_loss_at(0),
               "Keras's class names are found");
    unit_check(ax_loss_find("nothing") == NULL && ax_loss_find("") == NULL,
               "an unknown name is not");
    unit_check(ax_loss_at(-1) == NULL && ax_loss_at(ax_loss_count()) == NULL,
               "beyond the table there is none");
}

int main(void)
{
    unit_seed(7);
    for (int i = 0; i < AX_COUNT(cases); i++) {
        check_value(&cases[i]);
        check_gradient(&cases[i]);
    }
    check_huge_logits();
    check_clipping();
    check_not_a_number();
    check_names();
    unit_check(ax_loss_sum(&cases[0].loss, 0, 4, NULL, &(ax_targets) {.classes = NULL}, 1, NULL) ==
                   0,
               "no rows: 0");
    return unit_done();
}
