/* interference: what else the machine did while a batch ran, from the operating system's own counters. Needs no root. What cannot be
 * read counts as nothing. */
#ifndef CONVOY_BENCH_INTERFERENCE_H
#define CONVOY_BENCH_INTERFERENCE_H

#include <stdbool.h>
#include <stdint.h>

/* A reading; only differences mean anything. */
struct interference_mark {
    int64_t wall_ns, cpu_ns, waited_ns, voluntary, involuntary, stolen_ns;
};

struct interference {
    int64_t wall_ns, cpu_ns;        /* cpu_ns: of all threads of the process              */
    int64_t waited_ns;              /* of all threads, ready to run but without a processor */
    int64_t voluntary, involuntary; /* context switches                                   */
    int64_t stolen_ns;              /* taken from this machine's processors by its host   */
    double load;                    /* the run queue's length, averaged over a minute     */
    int64_t mhz;                    /* 0: unreadable                                      */
};

/* [any] */
void interference_start(struct interference_mark *mark);
void interference_stop(const struct interference_mark *mark, struct interference *found);

/* Whether the batch shared its processors: more than 1 % stolen; or threads that were ready waited for over 5 % of the wall time; or one
 * thread that had nothing to wait for computed less than 95 % of it. busy_threads 0: the work is on a device, and the host's threads may
 * wait. */
bool interference_disturbs(const struct interference *found, uint32_t busy_threads);

#endif
