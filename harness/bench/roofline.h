/* roofline: the least time of a problem on this machine (Williams, Waterman and Patterson, "Roofline", 2009), from its operations and
 * its bytes and from what the probes measured in the same run. Knows no plugin and no algorithm.
 *
 * The roof is min(peak, intensity * bandwidth), the intensity being operations (of the direct algorithm) per byte of the least
 * traffic: every input read once, every output written once. As a time that is the larger of
 *
 *     operations / peak      and      2*min(R,W)/copy + (R - W)/read  or  2*min(R,W)/copy + (W - R)/write
 *
 * for R bytes read and W written: as much as pairs up runs at the rate of a copy, the rest at that of reading or writing alone;
 * copy and write are the better of ordinary and streamed stores. The rates are those of the level that holds all tensors of the
 * problem (bandwidth_level_of). Fast algorithms may exceed a roof of operations, and one of bytes is exceeded where a part of the
 * tensors stays in a faster level from one execution to the next. */
#ifndef CONVOY_BENCH_ROOFLINE_H
#define CONVOY_BENCH_ROOFLINE_H

#include "bench/bandwidth.h"
#include "core/problem.h"

struct roofline {
    double least_ns;   /* 0: unknown, nothing was measured                                             */
    double gbps;       /* bytes of the least traffic over the time that they take                      */
    const char *limit; /* what least_ns comes from: "FMA", or the level "L2", "L3", "DRAM"             */
};

/* peak_gflops 0: unknown. [any] */
struct roofline roofline_of(const union problem *problem, double peak_gflops, const struct bandwidth *bandwidth);

#endif
