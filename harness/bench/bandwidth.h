/* bandwidth: bytes per second between the cores and each level of the memory, measured by our own loops: the roof of everything
 * that computes little. Knows no problem and no plugin. */
#ifndef CONVOY_BENCH_BANDWIDTH_H
#define CONVOY_BENCH_BANDWIDTH_H

#include "core/machine.h"
#include "core/pool.h"
#include <stdbool.h>

enum bandwidth_level { BANDWIDTH_L2, BANDWIDTH_L3, BANDWIDTH_DRAM, BANDWIDTH_LEVELS };

/* What a loop does with its bytes. STREAM: by non-temporal stores, which leave no copy in the caches. */
enum bandwidth_kind {
    BANDWIDTH_READ,
    BANDWIDTH_WRITE,
    BANDWIDTH_WRITE_STREAM,
    BANDWIDTH_COPY,
    BANDWIDTH_COPY_STREAM,
    BANDWIDTH_KINDS
};

struct bandwidth {
    /* Up to so many bytes belong to a level: the L2 of every thread, the L3, no limit. 0: the machine has no such cache, or
     * names none. */
    int64_t capacity_bytes[BANDWIDTH_LEVELS];
    double gbps[BANDWIDTH_LEVELS][BANDWIDTH_KINDS]; /* 10^9 bytes per second, read and written ones together; 0: not measured */
};

/* All threads of the pool at once, each on its own part of one working set: half of what the level holds, for the DRAM three times
 * the last cache. The widest vectors that the CPU has; the median of several runs of about a millisecond each. Takes less than
 * half a second. False: no memory for the working set. */
bool bandwidth_measure(struct pool *pool, const struct machine *machine, struct bandwidth *bandwidth);

/* The level that a working set of so many bytes falls into: the first that holds all of it. [any] */
enum bandwidth_level bandwidth_level_of(const struct bandwidth *bandwidth, int64_t bytes);

/* Capacities and rates as numbers with blanks between them, and back: false if the text is no such list. [any] */
enum { BANDWIDTH_TEXT_BYTES = 512 };
void bandwidth_print(const struct bandwidth *bandwidth, char *buf, size_t size);
bool bandwidth_parse(const char *text, struct bandwidth *bandwidth);

const char *bandwidth_level_name(enum bandwidth_level level); /* "L2" "L3" "DRAM" */

#endif
