/* peak: the multiply-add rate from registers alone, against which the tiles are judged. Knows no clock. */
#ifndef CONVOY_MICROKERNEL_PEAK_H
#define CONVOY_MICROKERNEL_PEAK_H

#include <stdint.h>

/* Full unrolling, so that an array of vectors lives in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Does `turns` turns of independent multiply-adds; returns their operations, two each. */
typedef double peak_fn(int64_t turns);

peak_fn peak_avx512, peak_avx2, peak_portable; /* the first two on x86-64 only */

#endif
