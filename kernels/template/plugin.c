/* The plugin table of the backend `template`: who it is, what it accepts, and where its plans come from. */
#include "conv_fwd.h"
#include <convoy/plugin.h>
#include <stdlib.h>

struct self {
    struct convoy_instance base;
    const struct convoy_host *host;
};

/* Declines with the first property that does not fit. What passes here must be planned: CONVOY_OK is a promise. */
static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem,
                              struct convoy_error *err)
{
    (void)instance;
    if (problem->op != CONVOY_CONV_FWD)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "only forward convolution is implemented");
    if (problem->dtype != CONVOY_F32)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DTYPE, "only f32 is implemented, got data type %u",
                           problem->dtype);
    if (problem->layout != CONVOY_NCHW)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_LAYOUT, "only NCHW is implemented, got layout %u",
                           problem->layout);
    if (problem->flags & ~(uint32_t)CONVOY_WITH_BIAS)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "bias is the only flag implemented, got flags %#x",
                           problem->flags);

    const struct convoy_conv *p = (const struct convoy_conv *)problem;
    if (p->groups != 1)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_GROUPS, "needs one group, got %d", p->groups);
    if (p->stride_h != 1 || p->stride_w != 1)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_STRIDE, "needs stride 1, got %dx%d", p->stride_h, p->stride_w);
    if (p->dil_h != 1 || p->dil_w != 1)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DILATION, "needs dilation 1, got %dx%d", p->dil_h, p->dil_w);
    return CONVOY_OK;
}

static convoy_status plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                          struct convoy_error *err)
{
    const struct self *self = (const struct self *)instance;
    const convoy_status status = supports(instance, problem, err);
    if (status != CONVOY_OK)
        return status;
    return conv_fwd_plan(self->host, (const struct convoy_conv *)problem, out, err);
}

static void close_instance(struct convoy_instance *instance)
{
    free(instance);
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops,
    .supports = supports,
    .plan = plan,
    .sync = NULL, /* execute has finished when it returns */
    .close = close_instance,
};

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    if (variant && variant[0])
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "there are no variants, got \"%s\"", variant);
    struct self *self = malloc(sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance of %zu bytes", sizeof *self);
    *self = (struct self){.base = {.ops = &instance_ops, .memory = host->memory}, .host = host};
    *out = &self->base;
    return CONVOY_OK;
}

const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "template",
    .version = "0.1.0",
    .author = "Convoy contributors",
    .summary = "direct convolution, forward, stride 1",
    .variants = NULL,
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
};
