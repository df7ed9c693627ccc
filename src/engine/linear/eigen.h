/*
 * eigen.h: the largest eigenvalues of a symmetric matrix.
 */
#ifndef AX_EIGEN_H
#define AX_EIGEN_H

#include "linear/linear.h"

/*
 * a (n, n), the upper triangle by columns, is spoiled. values (k) falling, vectors (n, k) by columns, orthonormal;
 * 1 <= k <= n. Large matrices are worked on in pieces, asking may_continue between them.
 */
ax_status ax_eigen_largest(const ax_env *env, int n, double *a, int k, double *values, double *vectors, ax_error *err);

#endif /* AX_EIGEN_H */
