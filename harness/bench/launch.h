/* launch: what a device takes for nothing: the fixed cost of an execution, which no kernel can get below. Measured with the least
 * problem that every device backend has, an element-wise operation on one element. Knows no problem of a run and no plan of it. */
#ifndef CONVOY_BENCH_LAUNCH_H
#define CONVOY_BENCH_LAUNCH_H

#include <convoy/convoy.h>

struct launch_cost {
    int64_t waited_ns; /* one execution and the wait for it: the least of several                                            */
    int64_t
        queued_ns; /* per execution of a queue of them, each on what the one before wrote, waited for once: the least of several */
};

/* All zero on the host, and where the backend declines the operation. [instance] */
convoy_status launch_measure(struct convoy_instance *instance, const struct convoy_host *host, struct launch_cost *cost,
                             struct convoy_error *err);

#endif
