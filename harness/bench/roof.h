/* roof: what a time cannot be below. Knows the arithmetic that a plan declares by its name in the results, no plugin. */
#ifndef CONVOY_BENCH_ROOF_H
#define CONVOY_BENCH_ROOF_H

#include <convoy/convoy.h>

/* The fewest operations, two per multiply-add, that the named numerics ("direct", "gemm", "winograd(4,3)", "fft", …) can compute
 * the convolution with: taps in the padding are not counted, F(m,r) saves at most (m*r/(m+r-1))^2 (Winograd, "Arithmetic
 * Complexity of Computations", 1980), a transform over whole tiles at most kh*kw. [any] */
double roof_least_flops(const struct convoy_conv *conv, const char *numerics);

#endif
