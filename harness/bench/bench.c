#include "bench/bench.h"

#include "bench/clock.h"
#include "bench/inputs.h"
#include "core/error.h"
#include "core/loader.h"
#include "core/slots.h"
#include <stdlib.h>
#include <string.h>

enum {
    REPEATS = 3,         /* of plan and prepare: the better of a few                           */
    SLOW_NS = 200000000, /* a call that takes longer is not repeated                           */
    READING_NS = 2500,   /* executes between two readings of the clock last at least this long */
    MOST_ITERATIONS = 1 << 30,
    LONG_BATCHES = 50 /* a first execute of so many least batches needs no second one       */
};

struct bench_case {
    struct convoy_instance *instance;
    struct convoy_plan *plan;
    struct convoy_tensor tensor[CONVOY_NSLOTS]; /* what this case allocated                                    */
    struct convoy_tensor prepare_slot[CONVOY_NSLOTS], execute_slot[CONVOY_NSLOTS];
    struct convoy_args prepare_args, execute_args;
    int64_t iterations;
    int64_t stride; /* executes between two readings of the clock; 0: one reading per batch */
};

static convoy_status wait_for_work(struct bench_case *bench, struct convoy_error *err)
{
    const struct convoy_instance_ops *ops = bench->instance->ops;
    return ops->sync ? ops->sync(bench->instance, err) : CONVOY_OK;
}

static convoy_status make_plan(struct bench_case *bench, const union problem *problem, struct convoy_plan_info *plan_info,
                               int64_t *best_ns, struct convoy_error *err)
{
    *best_ns = INT64_MAX;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        if (bench->plan)
            bench->plan->ops->destroy(bench->plan);
        bench->plan = NULL;
        const int64_t start = clock_ns();
        const convoy_status status = loader_plan(bench->instance, &problem->head, &bench->plan, plan_info, err);
        const int64_t elapsed_ns = clock_ns() - start;
        if (status != CONVOY_OK)
            return status;
        *best_ns = elapsed_ns < *best_ns ? elapsed_ns : *best_ns;
        if (elapsed_ns > SLOW_NS)
            break;
    }
    return CONVOY_OK;
}

static convoy_status allocate(struct bench_case *bench, uint32_t slot, uint64_t bytes, struct convoy_error *err)
{
    struct convoy_memory *memory = bench->instance->memory;
    return memory->alloc(memory, bytes, &bench->tensor[slot].buffer, err);
}

/* Writes every page, so that no page fault is timed. */
static convoy_status touch(struct bench_case *bench, uint32_t slot, uint64_t bytes, struct convoy_error *err)
{
    struct convoy_memory *memory = bench->instance->memory;
    const uint64_t words_bytes = bytes / 4 * 4;
    const uint32_t zero = 0;
    convoy_status status = CONVOY_OK;
    if (words_bytes)
        status = memory->fill(memory, bench->tensor[slot], words_bytes, zero, err);
    if (status == CONVOY_OK && bytes > words_bytes) {
        const struct convoy_tensor tail = {bench->tensor[slot].buffer, words_bytes};
        status = memory->upload(memory, tail, &zero, bytes - words_bytes, err);
    }
    return status;
}

static convoy_status make_tensors(struct bench_case *bench, const union problem *problem,
                                  const struct convoy_plan_info *plan_info, uint64_t seed, struct convoy_error *err)
{
    struct slot_info slot_info[CONVOY_NSLOTS];
    slots_describe(problem, slot_info);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        const bool scratch = slot == CONVOY_WORKSPACE || slot == CONVOY_PREPARED;
        const uint64_t bytes = slot == CONVOY_WORKSPACE  ? plan_info->workspace_bytes
                               : slot == CONVOY_PREPARED ? plan_info->prepared_bytes
                                                         : (uint64_t)slot_info[slot].bytes;
        if (!bytes || (!scratch && slot_info[slot].role == SLOT_UNUSED))
            continue;
        convoy_status status = allocate(bench, slot, bytes, err);
        if (status != CONVOY_OK)
            return status;
        status = scratch || slot_info[slot].role == SLOT_OUTPUT
                     ? touch(bench, slot, bytes, err)
                     : inputs_fill(problem, slot, &slot_info[slot], seed, bench->instance->memory, bench->tensor[slot], err);
        if (status != CONVOY_OK)
            return status;
    }

    /* W goes to prepare, and to execute only where nothing is prepared: a plan that still reads it is found out. */
    memcpy(bench->prepare_slot, bench->tensor, sizeof bench->tensor);
    memcpy(bench->execute_slot, bench->tensor, sizeof bench->tensor);
    if (plan_info->prepared_bytes)
        bench->execute_slot[CONVOY_W] = (struct convoy_tensor){0};
    bench->prepare_args = (struct convoy_args){sizeof bench->prepare_args, CONVOY_NSLOTS, bench->prepare_slot};
    bench->execute_args = (struct convoy_args){sizeof bench->execute_args, CONVOY_NSLOTS, bench->execute_slot};
    return CONVOY_OK;
}

static convoy_status prepare(struct bench_case *bench, const struct convoy_plan_info *plan_info, int64_t *best_ns,
                             struct convoy_error *err)
{
    *best_ns = 0;
    if (!bench->plan->ops->prepare) {
        if (plan_info->prepared_bytes)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the plan asks for %llu prepared bytes but has no prepare()",
                               (unsigned long long)plan_info->prepared_bytes);
        return CONVOY_OK;
    }
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        const int64_t start = clock_ns();
        convoy_status status = bench->plan->ops->prepare(bench->plan, &bench->prepare_args, err);
        if (status == CONVOY_OK)
            status = wait_for_work(bench, err);
        const int64_t elapsed_ns = clock_ns() - start;
        if (status != CONVOY_OK)
            return status;
        *best_ns = repeat == 0 || elapsed_ns < *best_ns ? elapsed_ns : *best_ns;
        if (elapsed_ns > SLOW_NS)
            break;
    }
    return CONVOY_OK;
}

/* `iterations` executes; *total_ns includes the wait at the end, *least_ns is the least time of one execute. */
static convoy_status run_batch(struct bench_case *bench, int64_t *total_ns, int64_t *least_ns, struct convoy_error *err)
{
    convoy_status (*const execute)(struct convoy_plan *, const struct convoy_args *, struct convoy_error *) =
        bench->plan->ops->execute;
    const int64_t stride = bench->stride ? bench->stride : bench->iterations;
    int64_t least = INT64_MAX;
    const int64_t start = clock_ns();
    int64_t last = start;
    for (int64_t done = 0; done < bench->iterations; done += stride) {
        for (int64_t turn = 0; turn < stride; turn++) {
            const convoy_status status = execute(bench->plan, &bench->execute_args, err);
            if (status != CONVOY_OK)
                return status;
        }
        const int64_t now = clock_ns();
        if (now - last < least)
            least = now - last;
        last = now;
    }
    *least_ns = least / stride;
    if (!bench->stride) {
        const convoy_status status = wait_for_work(bench, err);
        if (status != CONVOY_OK)
            return status;
        last = clock_ns();
        *least_ns = (last - start) / bench->iterations;
    }
    *total_ns = last - start;
    return CONVOY_OK;
}

/* Doubles the iterations until a batch is long enough. A synchronous plan gets readings of the clock within the batch, as often
 * as they cost less than about a hundredth. iterations and stride are powers of two, so that a batch is whole strides. */
static convoy_status calibrate(struct bench_case *bench, bool synchronous, int64_t min_batch_ns, struct convoy_error *err)
{
    int64_t total_ns, least_ns;
    bench->iterations = 1;
    bench->stride = 0;
    convoy_status status = run_batch(bench, &total_ns, &least_ns, err); /* warm up: caches, lazy set-up, clocks */
    if (status != CONVOY_OK)
        return status;
    if (total_ns / LONG_BATCHES < min_batch_ns)
        for (;; bench->iterations *= 2) {
            status = run_batch(bench, &total_ns, &least_ns, err);
            if (status != CONVOY_OK)
                return status;
            if (total_ns >= min_batch_ns || bench->iterations >= MOST_ITERATIONS)
                break;
        }
    if (synchronous) {
        bench->stride = 1;
        while (bench->stride < bench->iterations && bench->stride * total_ns < READING_NS * bench->iterations)
            bench->stride *= 2;
    }
    return CONVOY_OK;
}

convoy_status bench_open(struct convoy_instance *instance, const struct convoy_host *host, const union problem *problem,
                         uint64_t seed, int64_t min_batch_ns, uint64_t mem_limit_bytes, struct bench_case **out,
                         struct bench_info *info, struct convoy_error *err)
{
    struct bench_case *bench = calloc(1, sizeof *bench);
    if (!bench)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for a bench case");
    bench->instance = instance;

    struct convoy_plan_info plan_info;
    struct bench_info found = {0};
    convoy_status status = make_plan(bench, problem, &plan_info, &found.plan_ns, err);
    if (status != CONVOY_OK)
        goto out;
    const uint64_t workspace_bytes = plan_info.workspace_bytes, prepared_bytes = plan_info.prepared_bytes;
    if (mem_limit_bytes && (workspace_bytes > mem_limit_bytes || prepared_bytes > mem_limit_bytes - workspace_bytes)) {
        status =
            convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_MEMORY,
                        "workspace of %.1f MiB and prepared weights of %.1f MiB are above the memory limit of %.1f MiB",
                        (double)workspace_bytes / 1048576, (double)prepared_bytes / 1048576, (double)mem_limit_bytes / 1048576);
        goto out;
    }
    status = make_tensors(bench, problem, &plan_info, seed, err);
    if (status != CONVOY_OK)
        goto out;
    status = prepare(bench, &plan_info, &found.prepare_ns, err);
    if (status != CONVOY_OK)
        goto out;
    const bool synchronous = !instance->ops->sync && instance->memory == host->memory;
    status = calibrate(bench, synchronous, min_batch_ns, err);
    if (status != CONVOY_OK)
        goto out;

    found.iterations = bench->iterations;
    found.workspace_bytes = workspace_bytes;
    found.prepared_bytes = prepared_bytes;
    found.numerics = plan_info.numerics;
    memcpy(found.algorithm, plan_info.algorithm, sizeof found.algorithm);
    found.algorithm[sizeof found.algorithm - 1] = '\0';
    *info = found;
    *out = bench;
    return CONVOY_OK;
out:
    bench_close(bench);
    return status;
}

convoy_status bench_batch(struct bench_case *bench, int64_t *mean_ns, int64_t *min_ns, struct convoy_error *err)
{
    int64_t total_ns, least_ns;
    const convoy_status status = run_batch(bench, &total_ns, &least_ns, err);
    if (status != CONVOY_OK)
        return status;
    *mean_ns = total_ns / bench->iterations;
    *min_ns = least_ns;
    return CONVOY_OK;
}

convoy_status bench_phases(struct bench_case *bench, const struct convoy_profiler *profiler, struct phases *phases,
                           struct convoy_error *err)
{
    return phases_measure(profiler, bench->instance, bench->plan, &bench->execute_args, phases, err);
}

void bench_close(struct bench_case *bench)
{
    if (!bench)
        return;
    struct convoy_memory *memory = bench->instance->memory;
    if (bench->plan)
        bench->plan->ops->destroy(bench->plan);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        if (bench->tensor[slot].buffer)
            memory->free(memory, bench->tensor[slot].buffer);
    free(bench);
}
