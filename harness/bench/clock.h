/* clock: the monotonic clock and what reading it costs. */
#ifndef CONVOY_BENCH_CLOCK_H
#define CONVOY_BENCH_CLOCK_H

#include <stdint.h>

int64_t clock_ns(void);
int64_t clock_resolution_ns(void); /* smallest step seen                */

#endif
