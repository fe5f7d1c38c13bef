/* transfer: what it costs to bring the activations of one execution from the host to the memory that a plugin works in, and back.
 * Weights stay where they are used and do not count. Knows no plans. */
#ifndef CONVOY_BENCH_TRANSFER_H
#define CONVOY_BENCH_TRANSFER_H

#include "core/problem.h"

struct transfer {
    char domain[72];                /* the memory's name; "host" */
    int64_t upload_ns, download_ns; /* 0 on the host */
};

convoy_status transfer_measure(struct convoy_instance *instance, const struct convoy_host *host, const union problem *problem,
                               struct transfer *transfer, struct convoy_error *err);

#endif
