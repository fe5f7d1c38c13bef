/* Opens successfully, but what it hands out lacks something: the variant says what. */
#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_error *err)
{
    (void)instance, (void)problem;
    return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "null_ops computes nothing");
}

static convoy_status plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                          struct convoy_error *err)
{
    (void)out;
    return supports(instance, problem, err);
}

static void close_instance(struct convoy_instance *instance)
{
    free(instance);
}

/* No memory domain of the harness has this address. */
static struct convoy_memory foreign = {.struct_size = sizeof foreign, .align = 64, .name = "foreign"};

static const struct convoy_instance_ops whole = {sizeof whole, 0, supports, plan, NULL, close_instance};
static const struct convoy_instance_ops no_supports = {sizeof whole, 0, NULL, plan, NULL, close_instance};
static const struct convoy_instance_ops no_plan = {sizeof whole, 0, supports, NULL, NULL, close_instance};
static const struct convoy_instance_ops no_close = {sizeof whole, 0, supports, plan, NULL, NULL};

static const char *const variants[] = {"no_ops",    "no_instance",    "no_supports", "no_plan", "no_close",
                                       "no_memory", "foreign_memory", "bad_status",  "silent",  NULL};

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    static struct convoy_instance leftover; /* of the variants that cannot be closed */
    if (!variant || !*variant)
        variant = variants[0];
    if (strcmp(variant, "no_instance") == 0)
        return CONVOY_OK;
    if (strcmp(variant, "bad_status") == 0)
        return (convoy_status)77;
    if (strcmp(variant, "silent") == 0)
        return CONVOY_UNSUPPORTED;
    if (strcmp(variant, "no_ops") == 0 || strcmp(variant, "no_close") == 0) {
        leftover = (struct convoy_instance){.ops = strcmp(variant, "no_close") == 0 ? &no_close : NULL, .memory = host->memory};
        *out = &leftover;
        return CONVOY_OK;
    }
    struct convoy_instance *instance = malloc(sizeof *instance);
    if (!instance)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance of null_ops");
    *instance = (struct convoy_instance){.ops = &whole, .memory = host->memory};
    if (strcmp(variant, "no_supports") == 0)
        instance->ops = &no_supports;
    else if (strcmp(variant, "no_plan") == 0)
        instance->ops = &no_plan;
    else if (strcmp(variant, "no_memory") == 0)
        instance->memory = NULL;
    else if (strcmp(variant, "foreign_memory") == 0)
        instance->memory = &foreign;
    *out = instance;
    return CONVOY_OK;
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof(struct convoy_plugin),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "null_ops",
    .version = "1",
    .author = "Convoy",
    .summary = "instances that lack something",
    .variants = variants,
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
};
