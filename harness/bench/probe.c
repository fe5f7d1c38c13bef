#include "bench/probe.h"

#include "bench/clock.h"
#include "bench/probe_loop.h"

enum { RUNS = 5, RUN_NS = 10000000, FIRST_TURNS = 4096 };

struct probe_run {
    probe_loop_fn *loop;
    int64_t turns;
    double operations; /* of one thread */
};

static probe_loop_fn *widest_loop(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return probe_loop_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return probe_loop_avx2;
#endif
    return probe_loop_portable;
}

static void run_loop(void *context, size_t i, size_t worker)
{
    (void)worker;
    struct probe_run *run = context;
    const double operations = run->loop(run->turns);
    if (i == 0)
        run->operations = operations;
}

/* Wall time of one loop on every thread at once. */
static int64_t time_run(struct pool *pool, struct probe_run *run)
{
    const int64_t start = clock_ns();
    pool_run(pool, run_loop, run, pool_threads(pool));
    return clock_ns() - start;
}

double probe_fma_gflops(struct pool *pool)
{
    struct probe_run run = {.loop = widest_loop(), .turns = FIRST_TURNS};
    while (time_run(pool, &run) < RUN_NS)
        run.turns *= 2;
    double best = 0;
    for (int repeat = 0; repeat < RUNS; repeat++) {
        const int64_t elapsed_ns = time_run(pool, &run);
        const double gflops = run.operations * (double)pool_threads(pool) / (double)elapsed_ns;
        if (gflops > best)
            best = gflops;
    }
    return best;
}
