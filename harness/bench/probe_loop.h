/* probe_loop: one register-only loop of multiply-adds per instruction set. Knows no threads and no clock. */
#ifndef CONVOY_BENCH_PROBE_LOOP_H
#define CONVOY_BENCH_PROBE_LOOP_H

#include <stdint.h>

/* Runs `turns` turns and returns the floating-point operations that it did. Every chain settles near 1, so that the operands
 * are ordinary numbers for ever. [any] */
typedef double probe_loop_fn(int64_t turns);

probe_loop_fn probe_loop_portable;
#if defined(__x86_64__)
probe_loop_fn probe_loop_avx2;
probe_loop_fn probe_loop_avx512;
#endif

#endif
