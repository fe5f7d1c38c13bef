#include "bench/bench.h"

#include "bench/clock.h"
#include "bench/sets.h"
#include "core/error.h"
#include "core/loader.h"
#include <stdlib.h>
#include <string.h>

enum {
    REPEATS = 3,         /* of plan and prepare: the better of a few                           */
    SLOW_NS = 200000000, /* a call that takes longer is not repeated                           */
    READING_NS = 2500,   /* executes between two readings of the clock last at least this long */
    MOST_ITERATIONS = 1 << 30,
    LONG_BATCHES = 50,          /* a first execute of so many least batches needs no second one       */
    SLOW_EXECUTE_NS = 250000000 /* not checked for replay                                             */
};

/* Another plan may round otherwise (another thread's sum comes first), a replayed output differs wholly in what was refreshed. */
#define LARGEST_DIFFERENCE 0x1p-10

struct bench_case {
    struct convoy_instance *instance;
    struct convoy_plan *plan;
    union problem problem;
    struct sets sets;
    uint64_t prepared_bytes;
    struct convoy_tensor execute_slot[CONVOY_NSLOTS];
    uint32_t used[CONVOY_NSLOTS]; /* slots that move with the set                                  */
    size_t used_count;
    struct convoy_args execute_args;
    int64_t set, step; /* of the last execute, and to the next one                      */
    bool synchronous;
    uint32_t busy_threads; /* 0: a device works                                              */
    uint64_t batches;
    double mean_ns;
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

static convoy_status prepare_set(struct convoy_instance *instance, struct convoy_plan *plan, const struct sets *sets, int64_t set,
                                 struct convoy_error *err)
{
    struct convoy_tensor slot[CONVOY_NSLOTS];
    sets_slots(sets, set, slot);
    const struct convoy_args args = {sizeof args, CONVOY_NSLOTS, slot};
    const convoy_status status = plan->ops->prepare(plan, &args, err);
    return status == CONVOY_OK && instance->ops->sync ? instance->ops->sync(instance, err) : status;
}

static convoy_status prepare(struct bench_case *bench, int64_t *best_ns, struct convoy_error *err)
{
    *best_ns = 0;
    if (!bench->plan->ops->prepare) {
        if (bench->prepared_bytes)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the plan asks for %llu prepared bytes but has no prepare()",
                               (unsigned long long)bench->prepared_bytes);
        return CONVOY_OK;
    }
    bool slow = false;
    for (int64_t call = 0; call < bench->sets.count || (call < REPEATS && !slow); call++) {
        const int64_t start = clock_ns();
        const convoy_status status = prepare_set(bench->instance, bench->plan, &bench->sets, call % bench->sets.count, err);
        const int64_t elapsed_ns = clock_ns() - start;
        if (status != CONVOY_OK)
            return status;
        *best_ns = call == 0 || elapsed_ns < *best_ns ? elapsed_ns : *best_ns;
        slow = elapsed_ns > SLOW_NS;
    }
    return CONVOY_OK;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* W goes to prepare, and to execute only where nothing is prepared: a plan that still reads it is found out. Sets follow each
 * other by a step near the golden section of their number, so that no prefetcher sees the next one coming. */
static void arrange(struct bench_case *bench)
{
    sets_slots(&bench->sets, 0, bench->execute_slot);
    if (bench->prepared_bytes)
        bench->execute_slot[CONVOY_W] = (struct convoy_tensor){0};
    bench->execute_args = (struct convoy_args){sizeof bench->execute_args, CONVOY_NSLOTS, bench->execute_slot};
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (bench->execute_slot[slot].buffer)
            bench->used[bench->used_count++] = slot;
    }
    const int64_t count = bench->sets.count;
    bench->step = count > 2 ? (int64_t)(0.618 * (double)count) : count - 1;
    while (bench->step > 1 && common_divisor(count, bench->step) != 1)
        bench->step--;
}

static void next_set(struct bench_case *bench)
{
    const int64_t next = bench->set + bench->step;
    bench->set = next < bench->sets.count ? next : next - bench->sets.count;
    for (size_t u = 0; u < bench->used_count; u++) {
        const uint32_t slot = bench->used[u];
        bench->execute_slot[slot].offset = (uint64_t)bench->set * bench->sets.stride[slot];
    }
}

/* `iterations` executes; *total_ns includes the wait at the end, *least_ns is the least time between two readings of the clock.
 */
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
            if (bench->step)
                next_set(bench);
            const convoy_status status = execute(bench->plan, &bench->execute_args, err);
            if (status != CONVOY_OK)
                return status;
        }
        const int64_t now = clock_ns();
        if (now - last < least)
            least = now - last;
        last = now;
    }
    *least_ns = least;
    if (!bench->stride) {
        const convoy_status status = wait_for_work(bench, err);
        if (status != CONVOY_OK)
            return status;
        last = clock_ns();
        *least_ns = last - start;
    }
    *total_ns = last - start;
    return CONVOY_OK;
}

/* Doubles the iterations until a batch is long enough. A synchronous plan gets readings of the clock within the batch, as often
 * as they cost less than about a hundredth. iterations and stride are powers of two, so that a batch is whole strides. */
static convoy_status calibrate(struct bench_case *bench, int64_t min_batch_ns, struct convoy_error *err)
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
    if (bench->synchronous) {
        bench->stride = 1;
        while (bench->stride < bench->iterations && bench->stride * total_ns < READING_NS * bench->iterations)
            bench->stride *= 2;
    }
    return CONVOY_OK;
}

convoy_status bench_open(struct convoy_instance *instance, const struct convoy_host *host, const union problem *problem,
                         uint64_t seed, int64_t min_batch_ns, uint64_t cold_bytes, uint64_t mem_limit_bytes,
                         struct bench_case **out, struct bench_info *info, struct convoy_error *err)
{
    struct bench_case *bench = calloc(1, sizeof *bench);
    if (!bench)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for a bench case");
    bench->instance = instance;
    bench->problem = *problem;

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
    bench->prepared_bytes = prepared_bytes;
    status = sets_make(&bench->sets, &bench->problem, instance->memory, workspace_bytes, prepared_bytes, cold_bytes, seed, err);
    if (status != CONVOY_OK)
        goto out;
    arrange(bench);
    status = prepare(bench, &found.prepare_ns, err);
    if (status != CONVOY_OK)
        goto out;
    bench->synchronous = !instance->ops->sync && instance->memory == host->memory;
    bench->busy_threads = bench->synchronous ? host->threads : 0;
    status = calibrate(bench, min_batch_ns, err);
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

void bench_set_iterations(struct bench_case *bench, int64_t iterations)
{
    bench->iterations = iterations;
    if (bench->stride > iterations)
        bench->stride = iterations;
}

convoy_status bench_batch(struct bench_case *bench, struct bench_sample *sample, struct convoy_error *err)
{
    int64_t total_ns, least_ns;
    bench->batches++;
    /* The set that the last execute of this batch will work on, because bench_check looks at that one. */
    const int64_t last = (bench->set + bench->iterations % bench->sets.count * bench->step) % bench->sets.count;
    convoy_status status = sets_refresh(&bench->sets, last, bench->batches, err);
    if (status != CONVOY_OK)
        return status;
    struct interference_mark mark;
    interference_start(&mark);
    status = run_batch(bench, &total_ns, &least_ns, err);
    if (status != CONVOY_OK)
        return status;
    interference_stop(&mark, &sample->interference);
    sample->disturbed = interference_disturbs(&sample->interference, bench->busy_threads);
    sample->mean_ns = bench->mean_ns = (double)total_ns / (double)bench->iterations;
    sample->min_ns = (double)least_ns / (double)(bench->stride ? bench->stride : bench->iterations);
    return CONVOY_OK;
}

convoy_status bench_check(struct bench_case *bench, struct convoy_error *err)
{
    if (!bench->batches || bench->mean_ns > SLOW_EXECUTE_NS)
        return CONVOY_OK;
    struct convoy_instance *instance = bench->instance;
    struct convoy_plan *plan = NULL;
    struct convoy_plan_info info;
    struct sets sets = {0};
    double difference = 0;
    convoy_status status = loader_plan(instance, &bench->problem.head, &plan, &info, err);
    if (status != CONVOY_OK)
        return status;
    status = sets_make(&sets, &bench->problem, instance->memory, info.workspace_bytes, info.prepared_bytes, 0, 0, err);
    if (status == CONVOY_OK)
        status = sets_copy_inputs(&bench->sets, bench->set, &sets, err);
    if (status == CONVOY_OK && info.prepared_bytes)
        status = prepare_set(instance, plan, &sets, 0, err);
    struct convoy_tensor slot[CONVOY_NSLOTS];
    sets_slots(&sets, 0, slot);
    if (info.prepared_bytes)
        slot[CONVOY_W] = (struct convoy_tensor){0};
    const struct convoy_args args = {sizeof args, CONVOY_NSLOTS, slot};
    if (status == CONVOY_OK)
        status = plan->ops->execute(plan, &args, err);
    if (status == CONVOY_OK)
        status = wait_for_work(bench, err);
    if (status == CONVOY_OK)
        status = sets_difference(&bench->sets, bench->set, &sets, &difference, err);
    if (status == CONVOY_OK && difference > LARGEST_DIFFERENCE)
        status = convoy_fail(
            err, CONVOY_FAILED, CONVOY_WHY_OTHER,
            "the timed calls left other outputs than one call on fresh memory (relative difference %.3g): they did not "
            "do the work on these inputs",
            difference);
    plan->ops->destroy(plan);
    sets_free(&sets);
    return status;
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
    if (bench->plan)
        bench->plan->ops->destroy(bench->plan);
    sets_free(&bench->sets);
    free(bench);
}
