/* probe: what this machine can do at most, measured by our own loops: the roof that results are a fraction of. */
#ifndef CONVOY_BENCH_PROBE_H
#define CONVOY_BENCH_PROBE_H

#include "core/pool.h"

/* Fused multiply-add peak in GFLOP/s, two operations each, over all threads of the pool, from registers only, with the
 * widest vectors that the CPU has (AVX-512, AVX2+FMA, else portable): the best of several short runs. */
double probe_fma_gflops(struct pool *pool);

#endif
