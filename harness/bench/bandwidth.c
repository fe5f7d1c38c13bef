#include "bench/bandwidth.h"

#include "bench/bandwidth_loop.h"
#include "bench/clock.h"
#include "bench/stats.h"
#include "core/hostmem.h"
#include <assert.h>
#include <convoy/plugin.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 5, RUN_NS = 1000000, DRAM_CACHES = 3 };
static const int64_t dram_least_bytes = INT64_C(64) << 20, dram_most_bytes = INT64_C(256) << 20;

struct run {
    bandwidth_loop_fn *loop;
    char *to;
    const char *from;
    size_t bytes, parts; /* of one thread's share, and shares */
    int64_t passes;
};

static bandwidth_loop_fn *const *widest_loops(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return bandwidth_loops_avx512;
    if (__builtin_cpu_supports("avx2"))
        return bandwidth_loops_avx2;
#endif
    return bandwidth_loops_portable;
}

static void run_part(void *context, size_t i, size_t worker)
{
    const struct run *run = context;
    (void)worker;
    for (int64_t pass = 0; pass < run->passes; pass++)
        run->loop(run->to + i * run->bytes, run->from + i * run->bytes, run->bytes);
}

static int64_t time_run(struct pool *pool, struct run *run)
{
    const int64_t start = clock_ns();
    pool_run(pool, run_part, run, run->parts);
    const int64_t elapsed_ns = clock_ns() - start;
    return elapsed_ns > 0 ? elapsed_ns : 1;
}

/* 10^9 bytes per second of one kind over a buffer of so many bytes, of which a copy reads one half and writes the other. */
static double measure_kind(struct pool *pool, enum bandwidth_kind kind, char *buffer, int64_t buffer_bytes)
{
    const int copies = kind == BANDWIDTH_COPY || kind == BANDWIDTH_COPY_STREAM;
    const size_t threads = pool_threads(pool);
    const size_t share_bytes = (size_t)buffer_bytes / (copies ? 2 : 1) / threads / BANDWIDTH_BLOCK_BYTES * BANDWIDTH_BLOCK_BYTES;
    struct run run = {
        .loop = widest_loops()[kind],
        .to = buffer,
        .from = copies ? buffer + share_bytes * threads : buffer,
        .bytes = share_bytes,
        .parts = threads,
        .passes = 1,
    };
    while (time_run(pool, &run) < RUN_NS)
        run.passes *= 2;
    int64_t elapsed_ns[RUNS];
    for (int repeat = 0; repeat < RUNS; repeat++)
        elapsed_ns[repeat] = time_run(pool, &run);
    const double moved = (double)share_bytes * (double)threads * (copies ? 2 : 1) * (double)run.passes;
    return moved / (double)stats_median(elapsed_ns, RUNS);
}

bool bandwidth_measure(struct pool *pool, const struct machine *machine, struct bandwidth *bandwidth)
{
    const int64_t l2_bytes = (int64_t)pool_threads(pool) * machine->l2_bytes;
    const int64_t dram_bytes = convoy_max(dram_least_bytes, convoy_min(dram_most_bytes, DRAM_CACHES * machine->l3_bytes));
    *bandwidth = (struct bandwidth){
        .capacity_bytes = {
            [BANDWIDTH_L2] = l2_bytes,
            [BANDWIDTH_L3] = machine->l3_bytes > l2_bytes ? machine->l3_bytes : 0,
            [BANDWIDTH_DRAM] = INT64_MAX,
        },
    };
    struct convoy_memory *memory = hostmem();
    struct convoy_buffer *buffer = NULL;
    if (memory->alloc(memory, (uint64_t)dram_bytes, &buffer, NULL) != CONVOY_OK)
        return false;
    const struct convoy_tensor whole = {buffer, 0};
    const bool touched = memory->fill(memory, whole, (uint64_t)dram_bytes, 0, NULL) == CONVOY_OK; /* no page fault is timed */
    for (int level = 0; level < BANDWIDTH_LEVELS && touched; level++) {
        const int64_t bytes = level == BANDWIDTH_DRAM ? dram_bytes : convoy_min(dram_bytes, bandwidth->capacity_bytes[level] / 2);
        for (int kind = 0; kind < BANDWIDTH_KINDS && bytes; kind++)
            bandwidth->gbps[level][kind] = measure_kind(pool, (enum bandwidth_kind)kind, buffer->host, bytes);
    }
    memory->free(memory, buffer);
    return touched;
}

enum bandwidth_level bandwidth_level_of(const struct bandwidth *bandwidth, int64_t bytes)
{
    int level = BANDWIDTH_L2;
    while (level < BANDWIDTH_DRAM && bytes > bandwidth->capacity_bytes[level])
        level++;
    return (enum bandwidth_level)level;
}

const char *bandwidth_level_name(enum bandwidth_level level)
{
    static const char *const names[BANDWIDTH_LEVELS] = {
        [BANDWIDTH_L2] = "L2",
        [BANDWIDTH_L3] = "L3",
        [BANDWIDTH_DRAM] = "DRAM",
    };
    return names[level];
}

void bandwidth_print(const struct bandwidth *bandwidth, char *buf, size_t size)
{
    size_t at = 0;
    for (int level = 0; level < BANDWIDTH_LEVELS; level++) {
        at += (size_t)snprintf(buf + at, size - at, "%" PRId64 " ", bandwidth->capacity_bytes[level]);
        for (int kind = 0; kind < BANDWIDTH_KINDS && at < size; kind++)
            at += (size_t)snprintf(buf + at, size - at, "%.6g ", bandwidth->gbps[level][kind]);
        assert(at < size);
    }
}

bool bandwidth_parse(const char *text, struct bandwidth *bandwidth)
{
    for (int level = 0; level < BANDWIDTH_LEVELS; level++) {
        char *end;
        bandwidth->capacity_bytes[level] = strtoll(text, &end, 10);
        if (end == text)
            return false;
        for (int kind = 0; kind < BANDWIDTH_KINDS; kind++) {
            text = end;
            bandwidth->gbps[level][kind] = strtod(text, &end);
            if (end == text)
                return false;
        }
        text = end;
    }
    return true;
}
