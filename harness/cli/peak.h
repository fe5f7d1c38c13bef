/* peak: the measured roof of the machine, and times that cannot be true under it. */
#ifndef CONVOY_CLI_PEAK_H
#define CONVOY_CLI_PEAK_H

#include "bench/bandwidth.h"
#include "cli/opt.h"
#include "core/record.h"

/* FMA peak with so many threads, in a worker of its own, so that the program itself never starts threads. */
convoy_status peak_probe(const struct options *options, int64_t threads, double *gflops, struct convoy_error *err);

/* No kernel is faster than the fewest multiply-adds of its arithmetic at the measured peak: a record whose min_ns is below that
 * gets the verdict INVALID_PERF. The peak is measured again first, because something may have disturbed it. Fills peak_gflops and
 * pct_peak. */
void peak_judge(struct record *record, const struct options *options, const struct convoy_conv *conv, double *peak_gflops);

/* The bandwidths of the cache levels and of memory, likewise. */
convoy_status peak_bandwidth(const struct options *options, int64_t threads, struct bandwidth *bandwidth,
                             struct convoy_error *err);

/* How near the row comes to the least time that this machine allows: fills pct_roof, roof_gbps and roof. */
void peak_judge_roof(struct record *record, const union problem *problem, const struct bandwidth *bandwidth);

#endif
