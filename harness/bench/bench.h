/* bench: one (plugin, problem) -> timings. The caller interleaves: it opens a case per candidate, asks for batches in turns and
 * closes them. Knows neither workers nor files nor verification. All times in nanoseconds of the monotonic clock. */
#ifndef CONVOY_BENCH_BENCH_H
#define CONVOY_BENCH_BENCH_H

#include "bench/interference.h"
#include "bench/phases.h"
#include "core/problem.h"

struct bench_case;

struct bench_info {
    int64_t plan_ns, prepare_ns;   /* prepare_ns 0: nothing to prepare; the better of a few calls                       */
    int64_t iterations;            /* executes per batch, doubled until one batch lasts at least min_batch_ns           */
    uint64_t workspace_bytes, prepared_bytes;
    struct convoy_numerics numerics;
    char algorithm[40];
};

struct bench_sample {
    double mean_ns, min_ns; /* per execute (a device: synchronised once per batch, so both are the mean) */
    struct interference interference;
    bool disturbed;
};

/* Plans, allocates, fills inputs with random data (seed), touches every page, prepares, warms up, finds the iteration count.
 * cold_bytes 0: every execute works on the same tensors; else executes take turns over sets of tensors that hold so many bytes
 * together, workspace and prepared weights included. */
convoy_status bench_open(struct convoy_instance *instance, const struct convoy_host *host, const union problem *problem, uint64_t seed,
                         int64_t min_batch_ns, uint64_t cold_bytes, uint64_t mem_limit_bytes, struct bench_case **out,
                         struct bench_info *info, struct convoy_error *err);

/* Another iteration count, a power of two, so that candidates can have the same. */
void bench_set_iterations(struct bench_case *bench, int64_t iterations);

/* One batch, on activations that no batch before had. */
convoy_status bench_batch(struct bench_case *bench, struct bench_sample *sample, struct convoy_error *err);

/* After the batches: the outputs that the last execute left, against those of another plan on other memory with the same inputs. Replayed
 * or skipped work is CONVOY_FAILED with a sentence. An execute of over 0.25 s is taken at its word: a replay is never slow. */
convoy_status bench_check(struct bench_case *bench, struct convoy_error *err);
/* Executes on the same tensors, with the plugin's profiler on. */
convoy_status bench_phases(struct bench_case *bench, const struct convoy_profiler *profiler, struct phases *phases,
                           struct convoy_error *err);
void bench_close(struct bench_case *bench);

#endif
