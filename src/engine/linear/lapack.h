/*
 * lapack.h: the routines of LAPACK that are used, as Fortran knows them, and BLAS.
 *
 * Matrices are stored by columns. The last arguments are the lengths of the texts, which Fortran passes unseen. Each
 * call runs to its end, so the callers hand over pieces of at most AX_PIECE_FLOPS.
 */
#ifndef AX_LAPACK_H
#define AX_LAPACK_H

#include <cblas.h>
#include <stddef.h>

#define AX_PIECE_FLOPS 5e7 /* some 10 to 30 ms of one old core */

/* QR of an upper triangle a (n, n) on top of rows b (m, n); a becomes the new triangle. */
extern void dtpqrt_(const int *m, const int *n, const int *l, const int *nb, double *a, const int *lda, double *b,
                    const int *ldb, double *t, const int *ldt, double *work, int *info);
extern void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);
extern void dtrcon_(const char *norm, const char *uplo, const char *diag, const int *n, const double *a, const int *lda,
                    double *rcond, double *work, int *iwork, int *info, size_t, size_t, size_t);
extern void dlarfg_(const int *n, double *alpha, double *x, const int *incx, double *tau);
extern void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
                    double *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t);
/* Eigenvectors of a tridiagonal matrix, il to iu of them. */
extern void dstemr_(const char *jobz, const char *range, const int *n, double *d, double *e, const double *vl,
                    const double *vu, const int *il, const int *iu, int *m, double *w, double *z, const int *ldz,
                    const int *nzc, int *isuppz, int *tryrac, double *work, const int *lwork, int *iwork,
                    const int *liwork, int *info, size_t, size_t);

#endif /* AX_LAPACK_H */
