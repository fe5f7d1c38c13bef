/* Its instance's table ends, as it says itself, before close: the pointers behind must not be called. */
#include <convoy/plugin.h>
#include <stdlib.h>

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_error *err)
{
    (void)instance, (void)problem;
    return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "short_ops computes nothing");
}

static convoy_status plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                          struct convoy_error *err)
{
    (void)out;
    return supports(instance, problem, err);
}

static void close_beyond_the_end(struct convoy_instance *instance)
{
    (void)instance;
    abort();
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = offsetof(struct convoy_instance_ops, close),
    .supports = supports,
    .plan = plan,
    .close = close_beyond_the_end,
};

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    static struct convoy_instance instance; /* which nobody can close */
    (void)variant, (void)err;
    instance = (struct convoy_instance){.ops = &instance_ops, .memory = host->memory};
    *out = &instance;
    return CONVOY_OK;
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof(struct convoy_plugin),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "short_ops",
    .version = "1",
    .author = "Convoy",
    .summary = "instances whose table is too short",
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
};
