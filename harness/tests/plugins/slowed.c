/* Another plugin, slowed by a known factor: its variant's name. After each execute of the plugin that CONVOY_SLOWED_BASE names (in its first
 * variant, or that of CONVOY_SLOWED_VARIANT) it stays busy until the factor is reached. What a comparison of speeds must notice, or must not. */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include <convoy/plugin.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

struct self {
    struct convoy_instance base;
    struct convoy_instance *inner;
    double factor;
};
struct plan {
    struct convoy_plan base;
    struct convoy_plan *inner;
    double factor;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    const struct plan *plan = (const struct plan *)base;
    plan->inner->ops->info(plan->inner, out);
}

static convoy_status prepare(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *plan = (struct plan *)base;
    return plan->inner->ops->prepare(plan->inner, args, err);
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *plan = (struct plan *)base;
    const int64_t start = now_ns();
    const convoy_status status = plan->inner->ops->execute(plan->inner, args, err);
    const int64_t end = start + (int64_t)(plan->factor * (double)(now_ns() - start));
    while (now_ns() < end)
        continue;
    return status;
}

static void destroy(struct convoy_plan *base)
{
    struct plan *plan = (struct plan *)base;
    plan->inner->ops->destroy(plan->inner);
    free(plan);
}

static const struct convoy_plan_ops plain_ops = {
    .struct_size = sizeof plain_ops, .info = info, .execute = execute, .destroy = destroy};
static const struct convoy_plan_ops preparing_ops = {
    .struct_size = sizeof preparing_ops, .info = info, .prepare = prepare, .execute = execute, .destroy = destroy};

static convoy_status supports(const struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_error *err)
{
    const struct self *self = (const struct self *)base;
    return self->inner->ops->supports(self->inner, problem, err);
}

static convoy_status make_plan(struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    struct self *self = (struct self *)base;
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    const convoy_status status = self->inner->ops->plan(self->inner, problem, &plan->inner, err);
    if (status != CONVOY_OK) {
        free(plan);
        return status;
    }
    plan->base.ops = plan->inner->ops->prepare ? &preparing_ops : &plain_ops;
    plan->factor = self->factor;
    *out = &plan->base;
    return CONVOY_OK;
}

static void close_instance(struct convoy_instance *base)
{
    struct self *self = (struct self *)base;
    self->inner->ops->close(self->inner);
    free(self);
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops, .supports = supports, .plan = make_plan, .close = close_instance};

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    const char *path = getenv("CONVOY_SLOWED_BASE");
    void *object = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    const struct convoy_plugin *plugin = object ? dlsym(object, "convoy_plugin_v1") : NULL;
    if (!plugin)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "CONVOY_SLOWED_BASE does not name a plugin");
    struct self *self = calloc(1, sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance");
    const convoy_status status = plugin->open(host, getenv("CONVOY_SLOWED_VARIANT"), &self->inner, err);
    if (status != CONVOY_OK) {
        free(self);
        return status;
    }
    self->base = (struct convoy_instance){&instance_ops, self->inner->memory};
    self->factor = variant && *variant ? strtod(variant, NULL) : 1;
    *out = &self->base;
    return CONVOY_OK;
}

static const char *const variants[] = {"1.00", "1.05", "1.50", NULL};

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "slowed",
    .version = "1.0",
    .author = "the Convoy authors",
    .summary = "another plugin, slowed by the factor that its variant names",
    .variants = variants,
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
};
