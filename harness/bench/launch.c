#include "bench/launch.h"

#include "bench/clock.h"
#include "bench/sets.h"
#include "core/loader.h"

enum { REPEATS = 5, WAITS = 10, QUEUE = 100 };

/* `executes` executions and one wait, `repeats` times; the least time per execution. */
static convoy_status time_queue(struct convoy_instance *instance, struct convoy_plan *plan, const struct convoy_args *args,
                                int executes, int repeats, int64_t *least_ns, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    *least_ns = INT64_MAX;
    for (int repeat = 0; repeat < repeats && status == CONVOY_OK; repeat++) {
        const int64_t start = clock_ns();
        for (int execute = 0; execute < executes && status == CONVOY_OK; execute++)
            status = plan->ops->execute(plan, args, err);
        if (status == CONVOY_OK)
            status = instance->ops->sync(instance, err);
        const int64_t ns = (clock_ns() - start) / executes;
        *least_ns = ns < *least_ns ? ns : *least_ns;
    }
    return status;
}

convoy_status launch_measure(struct convoy_instance *instance, const struct convoy_host *host, struct launch_cost *cost,
                             struct convoy_error *err)
{
    const union problem problem = {
        .eltwise = {
            .head = {.struct_size = sizeof problem.eltwise, .op = CONVOY_ELTWISE, .dtype = CONVOY_F32, .layout = CONVOY_NCHW},
            .count = 1,
            .kind = CONVOY_ELT_SCALE,
            .alpha = 1}};
    *cost = (struct launch_cost){0};
    if (instance->memory == host->memory || !instance->ops->sync ||
        instance->ops->supports(instance, &problem.head, NULL) != CONVOY_OK)
        return CONVOY_OK;
    struct convoy_plan *plan = NULL;
    struct convoy_plan_info info;
    struct sets sets = {0};
    convoy_status status = loader_plan(instance, &problem.head, &plan, &info, err);
    if (status != CONVOY_OK)
        return status;
    status = sets_make(&sets, &problem, instance->memory, info.workspace_bytes, info.prepared_bytes, 0, 0, err);
    if (status == CONVOY_OK) {
        struct convoy_tensor slot[CONVOY_NSLOTS];
        sets_slots(&sets, 0, slot);
        slot[CONVOY_Y] = slot[CONVOY_X]; /* in place, so that each execution depends on the one before, as layers do */
        const struct convoy_args args = {sizeof args, CONVOY_NSLOTS, slot};
        int64_t warm_ns;
        status = time_queue(instance, plan, &args, 1, 2, &warm_ns, err);
        if (status == CONVOY_OK)
            status = time_queue(instance, plan, &args, 1, WAITS, &cost->waited_ns, err);
        if (status == CONVOY_OK)
            status = time_queue(instance, plan, &args, QUEUE, REPEATS, &cost->queued_ns, err);
    }
    plan->ops->destroy(plan);
    sets_free(&sets);
    return status;
}
