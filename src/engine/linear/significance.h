/*
 * significance.h: two-sided p values.
 */
#ifndef AX_SIGNIFICANCE_H
#define AX_SIGNIFICANCE_H

#include "linear/linear.h"

/* The regularized incomplete beta function I_x(a, b), a and b > 0, x in [0, 1]; about 12 digits. */
double ax_incomplete_beta(double a, double b, double x);
/* P(|T| >= |t|) for Student's t with df > 0 degrees of freedom, and for the normal distribution. NaN stays NaN. */
double ax_t_p_value(double t, double df);
double ax_normal_p_value(double z);
/*
 * Fills standard error, z and p value of a parameter (p: the intercept) of an output from its value and variance. df is
 * that of Student's t, infinity for the normal distribution. A variance of NaN leaves NaN.
 */
void ax_linear_set_error(ax_linear_fit *f, int output, int parameter, double variance, double df);

#endif /* AX_SIGNIFICANCE_H */
