/* The least plugin that keeps the contract: it opens, and declines every problem with a reason. */
#include <convoy/plugin.h>
#include <stdlib.h>

static convoy_status decline(const struct convoy_problem *problem, struct convoy_error *err)
{
    return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "mini computes nothing, so not operation %u either", (unsigned)problem->op);
}

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_error *err)
{
    (void)instance;
    return decline(problem, err);
}

static convoy_status plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                          struct convoy_error *err)
{
    (void)instance, (void)out;
    return decline(problem, err);
}

static void close_instance(struct convoy_instance *instance)
{
    free(instance);
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops,
    .supports = supports,
    .plan = plan,
    .close = close_instance,
};

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    (void)variant;
    struct convoy_instance *instance = malloc(sizeof *instance);
    if (!instance)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance of mini");
    *instance = (struct convoy_instance){.ops = &instance_ops, .memory = host->memory};
    host->log(host, CONVOY_LOG_DEBUG, "mini is open");
    *out = instance;
    return CONVOY_OK;
}

static const void *extension(const char *id)
{
    (void)id;
    return NULL;
}

static const char *const variants[] = {"first", "second", NULL};

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof(struct convoy_plugin),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "mini",
    .version = "1",
    .author = "Convoy",
    .summary = "declines every problem",
    .variants = variants,
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
    .extension = extension,
};
