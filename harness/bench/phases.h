/* phases: how the time of an execute divides, as the plugin tells it by convoy.profile/1: for plugins with a layout of their own
 * the reorders, for devices the copies, apart from the arithmetic. Profiled executes are never those that a time is taken from,
 * because reading clocks between phases costs time. */
#ifndef CONVOY_BENCH_PHASES_H
#define CONVOY_BENCH_PHASES_H

#include <convoy/profile.h>
#include <stddef.h>

struct phases {
    int64_t ns[CONVOY_PHASE_COUNT]; /* of one execute: that with the median total                               */
};

/* Profiles a few executes after one more that is not counted. All zero: this plan tells nothing apart. Leaves profiling off. */
convoy_status phases_measure(const struct convoy_profiler *profiler, struct convoy_instance *instance, struct convoy_plan *plan,
                             const struct convoy_args *args, struct phases *phases, struct convoy_error *err);

/* "multiply=1200 reorder=340": those that are not zero, in ns. Returns the length it has whole. */
int phases_print(const struct phases *phases, char *buf, size_t size);

/* All phases but those that only move data: reorder, upload and download. */
int64_t phases_without_moves_ns(const struct phases *phases);

#endif
