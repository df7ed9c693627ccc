/*
 * linear_check.c: see linear_check.h.
 */
#include "linear_check.h"

#include <math.h>

static uint32_t state;

static float next(void)
{
    state = state * 1664525u + 1013904223u;
    return (float) (state >> 8) / 16777216.0f;
}

void table_fill(table *t, int n, int p)
{
    state = 7;
    t->n = n;
    t->p = p;
    for (int i = 0; i < n; i++) {
        float *x = t->x + i * p, noise, other;

        for (int j = 0; j < p; j++)
            x[j] = 4.0f * next() - 2.0f + (float) j;
        noise = 4.0f * next() - 2.0f;
        t->values[i] = 2.0f * x[0] - x[1] + noise;
        t->two[i] = x[0] - x[1] + noise > -1.0f;
        t->weights[i] = 0.5f + next();
        other = 4.0f * next() - 2.0f;
        t->three[i] = (other + 0.5f * x[0] > -0.5f) + (other > 0.7f);
    }
}

ax_linear_rows table_rows(const table *t, bool weighted)
{
    return (ax_linear_rows){
        .x = t->x, .n = t->n, .p = t->p, .values = t->values, .weights = weighted ? t->weights : NULL};
}

static bool near(double a, double b, double tol)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) <= tol * fmax(1, fmax(fabs(a), fabs(b)));
}

bool close_to(const double *got, const double *want, int n, double tol, const char *text)
{
    int first = 0;

    while (first < n && near(got[first], want[first], tol))
        first++;
    return unit_check(first == n, "%s", text) ||
           (unit_note("number %d is %.12g, not %.12g", first, got[first], want[first]), false);
}

bool fit_close_to(const ax_linear_fit *f, const double *want, double tol, const char *text)
{
    int bad = 0;

    for (int c = 0; c < f->n_outputs; c++) {
        for (int j = 0; j <= f->p; j++) {
            double got = j < f->p ? f->coef[c * f->p + j] : f->intercept[c];
            double wanted = want[c * (f->p + 1) + j];

            if (!near(got, wanted, tol) && bad++ == 0)
                unit_note("output %d, coefficient %d is %.12g, not %.12g", c, j, got, wanted);
        }
    }
    return unit_check(bad == 0, "%s", text);
}

void sweep(work w, const void *arg, const char *text)
{
    size_t before = unit_live_bytes();
    int bad = 0, failed = 0, cancelled = 0;
    ax_error err;

    for (long n = 1;; n++, failed++) {
        ax_status status = w(unit_env_fail_at(n), arg, &err);

        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    for (long n = 1;; n++, cancelled++) {
        ax_status status = w(unit_env_cancel_at(n), arg, &err);

        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_CANCELLED || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && failed > 3 && cancelled > 3, "%s: %d allocations may fail, %d polls may say no", text,
               failed, cancelled);
}
