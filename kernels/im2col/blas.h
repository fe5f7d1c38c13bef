/* blas: the matrix product that this backend takes from OpenBLAS, single-threaded.
 * The only place that knows <cblas.h>, and that the library is opened at run time. Knows nothing of convolutions. */
#ifndef CONVOY_IM2COL_BLAS_H
#define CONVOY_IM2COL_BLAS_H

#include <convoy/convoy.h>

enum blas_shape { BLAS_PLAIN, BLAS_TRANSPOSED };

/* Opens OpenBLAS once per process and keeps it until the end; later calls repeat the first answer. [any] */
convoy_status blas_open(struct convoy_error *err);

/* The name of the kernel set that OpenBLAS has chosen for this machine: "SkylakeX". After blas_open. [any] */
const char *blas_core(void);

/* Products with m*n*k up to this are computed without packing the operands; 0: the kernel set has no such path. [any] */
int64_t blas_unpacked_limit(void);

/* c = op(a)*op(b) + beta*c, row-major, op(a) m x k, op(b) k x n, beta 0 overwrites. All extents fit int. May run on many
 * threads at the same time. [any] */
void blas_multiply(enum blas_shape shape_a, enum blas_shape shape_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                   const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

#endif
