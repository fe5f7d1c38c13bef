/* The plugin table of the reference backend. Plans hold a copy of the problem and nothing else. */
#include "naive.h"
#include <stdlib.h>
#include <string.h>

struct self {
    struct convoy_instance base;
    const struct convoy_host *host;
};

struct plan {
    struct convoy_plan base;
    const struct convoy_host *host;
    union problem problem;
};

static void (*const run[CONVOY_OP_COUNT])(const struct job *) = {
    [CONVOY_CONV_FWD] = conv_execute, [CONVOY_CONV_BWD_DATA] = conv_execute, [CONVOY_CONV_BWD_WEIGHTS] = conv_execute,
    [CONVOY_POOL_FWD] = pool_execute, [CONVOY_POOL_BWD] = pool_execute,      [CONVOY_BN_TRAIN] = bn_execute,
    [CONVOY_BN_INFER] = bn_execute,   [CONVOY_BN_BWD] = bn_execute,          [CONVOY_ELTWISE] = eltwise_execute,
};

static void info(const struct convoy_plan *plan, struct convoy_plan_info *out)
{
    (void)plan;
    if (!convoy_has(out, algorithm))
        return;
    out->flags = 0;
    out->workspace_bytes = 0;
    out->prepared_bytes = 0;
    out->numerics = (struct convoy_numerics){.kind = CONVOY_NUM_EXACT, .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT};
    snprintf(out->algorithm, sizeof out->algorithm, "direct sums in fp64");
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *plan = (struct plan *)base;
    struct job job = {.host = plan->host, .problem = &plan->problem};
    const convoy_status status = binding_resolve(&job, args, binding_reads(&plan->problem) | binding_writes(&plan->problem), err);
    if (status == CONVOY_OK)
        run[plan->problem.head.op](&job);
    return status;
}

static void destroy(struct convoy_plan *plan)
{
    free(plan);
}

static const struct convoy_plan_ops plan_ops = {
    .struct_size = sizeof plan_ops,
    .info = info,
    .execute = execute,
    .destroy = destroy,
};

static convoy_status supports(const struct convoy_instance *self, const struct convoy_problem *problem, struct convoy_error *err)
{
    (void)self;
    return supports_problem(problem, NULL, err);
}

static convoy_status make_plan(struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    const struct self *self = (const struct self *)base;
    union problem checked;
    const convoy_status status = supports_problem(problem, &checked, err);
    if (status != CONVOY_OK)
        return status;
    struct plan *plan = malloc(sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    *plan = (struct plan){.base = {&plan_ops}, .host = self->host, .problem = checked};
    *out = &plan->base;
    return CONVOY_OK;
}

static void close_instance(struct convoy_instance *self)
{
    free(self);
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops,
    .supports = supports,
    .plan = make_plan,
    .close = close_instance,
};

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    if (variant && *variant)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "naive has no variants, got \"%s\"", variant);
    struct self *self = malloc(sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance");
    *self = (struct self){.base = {&instance_ops, host->memory}, .host = host};
    *out = &self->base;
    return CONVOY_OK;
}

static const void *extension(const char *id)
{
    return strcmp(id, CONVOY_REFEREE_ID) == 0 ? &naive_referee : NULL;
}

const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "naive",
    .version = "1.0",
    .author = "the Convoy authors",
    .summary = "the reference: the formulas of convoy.h in double, rounded once; every operation",
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
    .extension = extension,
};
