/* trial: several configurations of one plan on the same data, timed one after the other and compared with the first one's outputs.
 * The times are short looks for choosing, not measurements for a report: a few executions each, the least one counts. Knows no
 * configurations: the caller sets what the instance plans next, and judges the differences. */
#ifndef CONVOY_BENCH_TRIAL_H
#define CONVOY_BENCH_TRIAL_H

#include "core/problem.h"
#include <convoy/profile.h>
#include <stdbool.h>

struct trial;

struct trial_result {
    double ns;         /* of an execution: the sum of its phases by the plugin's clock, else by ours with the wait          */
    bool plugin_clock; /* which of them                                                                                     */
    bool compared;     /* false: slower than the best so far, so its outputs do not matter                                  */
    double difference; /* |a-b|_2 / |b|_2 to the first configuration's outputs, the worst of them; infinite: not finite     */
    int64_t spent_ns;  /* on it, planning (and with it compiling) left out                                                  */
    struct convoy_plan_info info;
};

/* Plans, allocates, fills inputs, runs and times what the instance plans now. profiler NULL: our clock. Problems that update tensors
 * in place are CONVOY_UNSUPPORTED: their second execution is another one than the first. [instance] */
convoy_status trial_open(struct convoy_instance *instance, const struct convoy_profiler *profiler, const union problem *problem,
                         uint64_t seed, uint64_t mem_limit_bytes, struct trial **trial, struct trial_result *result,
                         struct convoy_error *err);

/* The same with what the instance plans now: 3 to 5 executions, fewer once one took more than twice best_ns. Outputs are compared
 * where it is faster than best_ns. [instance] */
convoy_status trial_run(struct trial *trial, double best_ns, struct trial_result *result, struct convoy_error *err);

void trial_close(struct trial *trial); /* NULL: nothing to do */

#endif
