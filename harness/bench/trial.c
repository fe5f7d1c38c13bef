#include "bench/trial.h"

#include "bench/clock.h"
#include "bench/sets.h"
#include "core/loader.h"
#include <convoy/plugin.h>
#include <math.h>
#include <stdlib.h>

enum { LEAST_TIMES = 3, MOST_TIMES = 5 };

struct trial {
    struct convoy_instance *instance;
    const struct convoy_profiler *profiler;
    union problem problem;
    uint64_t mem_limit_bytes;
    struct sets first, other; /* the first configuration's tensors, and those that all others share; no scratch memory */
};

/* A plan with its scratch memory, and the arguments that go with it. */
struct attempt {
    struct convoy_plan *plan;
    struct convoy_buffer *workspace, *prepared;
    struct convoy_tensor slot[CONVOY_NSLOTS];
    struct convoy_args args;
};

static void attempt_close(struct trial *trial, struct attempt *attempt)
{
    struct convoy_memory *const memory = trial->instance->memory;
    if (attempt->plan)
        attempt->plan->ops->destroy(attempt->plan);
    if (attempt->workspace)
        memory->free(memory, attempt->workspace);
    if (attempt->prepared)
        memory->free(memory, attempt->prepared);
}

static convoy_status wait_for(const struct trial *trial, struct convoy_error *err)
{
    return trial->instance->ops->sync ? trial->instance->ops->sync(trial->instance, err) : CONVOY_OK;
}

static convoy_status attempt_open(struct trial *trial, const struct sets *sets, struct attempt *attempt,
                                  struct convoy_plan_info *info, struct convoy_error *err)
{
    struct convoy_memory *const memory = trial->instance->memory;
    *attempt = (struct attempt){0};
    convoy_status status = loader_plan(trial->instance, &trial->problem.head, &attempt->plan, info, err);
    const uint64_t limit = trial->mem_limit_bytes;
    if (status == CONVOY_OK && limit && (info->workspace_bytes > limit || info->prepared_bytes > limit - info->workspace_bytes))
        status = convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_MEMORY, "it needs more than the memory limit");
    if (status == CONVOY_OK && info->workspace_bytes)
        status = memory->alloc(memory, info->workspace_bytes, &attempt->workspace, err);
    if (status == CONVOY_OK && info->prepared_bytes)
        status = memory->alloc(memory, info->prepared_bytes, &attempt->prepared, err);
    sets_slots(sets, 0, attempt->slot);
    attempt->slot[CONVOY_WORKSPACE] = (struct convoy_tensor){attempt->workspace, 0};
    attempt->slot[CONVOY_PREPARED] = (struct convoy_tensor){attempt->prepared, 0};
    attempt->args = (struct convoy_args){sizeof attempt->args, CONVOY_NSLOTS, attempt->slot};
    if (status == CONVOY_OK && info->prepared_bytes) {
        status = attempt->plan->ops->prepare(attempt->plan, &attempt->args, err);
        if (status == CONVOY_OK)
            status = wait_for(trial, err);
        attempt->slot[CONVOY_W] = (struct convoy_tensor){0}; /* what still reads it is found out */
    }
    return status;
}

static convoy_status execute(const struct trial *trial, const struct attempt *attempt, struct convoy_error *err)
{
    const convoy_status status = attempt->plan->ops->execute(attempt->plan, &attempt->args, err);
    return status == CONVOY_OK ? wait_for(trial, err) : status;
}

/* The first execution warms up: caches, what drivers do late. */
static convoy_status time_attempt(const struct trial *trial, const struct attempt *attempt, double best_ns,
                                  struct trial_result *result, struct convoy_error *err)
{
    const struct convoy_profiler *const profiler = trial->profiler;
    convoy_status status = execute(trial, attempt, err);
    result->ns = INFINITY;
    if (profiler)
        profiler->enable(attempt->plan, 1);
    for (int time = 0; time < MOST_TIMES && status == CONVOY_OK; time++) {
        struct convoy_profile profile = {.struct_size = sizeof profile};
        const int64_t start = clock_ns();
        status = execute(trial, attempt, err);
        double ns = (double)(clock_ns() - start), phases_ns = 0;
        if (profiler)
            profiler->read(attempt->plan, &profile);
        for (int phase = 0; phase < CONVOY_PHASE_COUNT; phase++)
            phases_ns += (double)profile.phase_ns[phase];
        result->plugin_clock = phases_ns > 0;
        ns = phases_ns > 0 ? phases_ns : ns;
        result->ns = ns < result->ns ? ns : result->ns;
        if (ns > 2 * best_ns || (time + 1 >= LEAST_TIMES && result->ns > 1.2 * best_ns))
            break;
    }
    if (profiler)
        profiler->enable(attempt->plan, 0);
    return status;
}

static bool updates_in_place(const struct sets *sets)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (sets->buffer[slot] && sets->info[slot].role == SLOT_INOUT)
            return true;
    }
    return false;
}

convoy_status trial_open(struct convoy_instance *instance, const struct convoy_profiler *profiler, const union problem *problem,
                         uint64_t seed, uint64_t mem_limit_bytes, struct trial **out, struct trial_result *result,
                         struct convoy_error *err)
{
    struct trial *const trial = calloc(1, sizeof *trial);
    struct attempt attempt = {0};
    if (!trial)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for a trial");
    trial->instance = instance;
    trial->profiler = profiler;
    trial->problem = *problem;
    trial->mem_limit_bytes = mem_limit_bytes;
    *result = (struct trial_result){.compared = true};
    convoy_status status = sets_make(&trial->first, &trial->problem, instance->memory, 0, 0, 0, seed, err);
    if (status == CONVOY_OK && updates_in_place(&trial->first))
        status = convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "what updates tensors in place is not tuned");
    if (status == CONVOY_OK)
        status = sets_make(&trial->other, &trial->problem, instance->memory, 0, 0, 0, seed, err);
    if (status == CONVOY_OK)
        status = attempt_open(trial, &trial->first, &attempt, &result->info, err);
    const int64_t start = clock_ns();
    if (status == CONVOY_OK)
        status = time_attempt(trial, &attempt, INFINITY, result, err);
    result->spent_ns = clock_ns() - start;
    attempt_close(trial, &attempt);
    if (status == CONVOY_OK)
        *out = trial;
    else
        trial_close(trial);
    return status;
}

convoy_status trial_run(struct trial *trial, double best_ns, struct trial_result *result, struct convoy_error *err)
{
    struct attempt attempt;
    *result = (struct trial_result){.difference = NAN};
    convoy_status status = attempt_open(trial, &trial->other, &attempt, &result->info, err);
    const int64_t start = clock_ns();
    if (status == CONVOY_OK)
        status = time_attempt(trial, &attempt, best_ns, result, err);
    if (status == CONVOY_OK && result->ns < best_ns) {
        /* The outputs of a timed execution may be those of another one before: poison, and once more. */
        status = sets_copy_inputs(&trial->first, 0, &trial->other, err);
        if (status == CONVOY_OK)
            status = execute(trial, &attempt, err);
        if (status == CONVOY_OK)
            status = sets_difference(&trial->other, 0, &trial->first, &result->difference, err);
        result->compared = status == CONVOY_OK;
    }
    result->spent_ns = clock_ns() - start;
    attempt_close(trial, &attempt);
    return status;
}

void trial_close(struct trial *trial)
{
    if (!trial)
        return;
    sets_free(&trial->first);
    sets_free(&trial->other);
    free(trial);
}
