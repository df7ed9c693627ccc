/*
 * significance.c: p values, by the continued fraction of the incomplete beta function (Abramowitz and Stegun, 26.5.8),
 * evaluated from the front by Lentz's method.
 */
#include "linear/significance.h"

#include <math.h>

static double not_zero(double x)
{
    return fabs(x) < 1e-300 ? 1e-300 : x;
}

/* One step of Lentz: the fraction so far times the next ratio. */
static double lentz(double term, double *c, double *d)
{
    *d = 1 / not_zero(1 + term * *d);
    *c = not_zero(1 + term / *c);
    return *c * *d;
}

static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 / not_zero(1 - (a + b) * x / (a + 1)), f = d;

    for (int m = 1; m < 20000; m++) {
        double change;

        f *= lentz(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), &c, &d);
        change = lentz(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), &c, &d);
        f *= change;
        if (fabs(change - 1) < 1e-15)
            break;
    }
    return f;
}

/* With y = 1 - x, which the caller knows to more digits. */
static double incomplete_beta(double a, double b, double x, double y)
{
    int sign;
    double front;

    if (x <= 0 || y <= 0)
        return x <= 0 ? 0 : 1;
    front = exp(lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) + a * log(x) + b * log(y));
    /* the fraction is quick on one side of the mean only */
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, y) / b;
}

double ax_incomplete_beta(double a, double b, double x)
{
    return isnan(x) ? x : incomplete_beta(a, b, x, 1 - x);
}

double ax_normal_p_value(double z)
{
    return erfc(fabs(z) / sqrt(2.0));
}

double ax_t_p_value(double t, double df)
{
    double share = t * t / df;

    if (isnan(t) || isinf(share))
        return isnan(t) ? t : 0;
    return incomplete_beta(df / 2, 0.5, 1 / (1 + share), share / (1 + share));
}

void ax_linear_set_error(ax_linear_fit *f, int output, int parameter, double variance, double df)
{
    size_t at = (size_t) output * ((size_t) f->p + 1) + (size_t) parameter;
    double value =
        parameter == f->p ? f->intercept[output] : f->coef[(size_t) output * (size_t) f->p + (size_t) parameter];
    double error = sqrt(variance), z = value / error;

    if (isnan(variance) || !(variance >= 0) || isnan(z))
        return;
    ((double *) f->std_error)[at] = error;
    ((double *) f->z)[at] = z;
    ((double *) f->p_value)[at] = isinf(df) ? ax_normal_p_value(z) : ax_t_p_value(z, df);
}
