/* stats: order statistics of small samples; no means. Functions sort a copy and need count >= 1. */
#ifndef CONVOY_BENCH_STATS_H
#define CONVOY_BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

int64_t stats_min(const int64_t *sample, size_t count);
int64_t stats_median(const int64_t *sample, size_t count); /* mean of the middle two for an even count        */
int64_t stats_mad(const int64_t *sample, size_t count);    /* median absolute deviation from the median       */
double stats_geomean(const double *sample, size_t count);  /* of positive values                              */

#endif
