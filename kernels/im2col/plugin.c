/* The plugin table of the backend im2col: variants, the operations it has, and what every plan does alike. */
#include "blas.h"
#include "im2col.h"
#include "implicit.h"
#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

static const struct variant variants[] = {
    {.name = "panel", .tile = tiling_panel},
    {.name = "whole", .tile = tiling_whole},
    {.name = "implicit", .plan = implicit_plan},
};
enum { VARIANT_COUNT = sizeof variants / sizeof *variants };
static const char *const variant_names[] = {"panel", "whole", "implicit", NULL};
_Static_assert(sizeof variant_names / sizeof *variant_names == VARIANT_COUNT + 1, "every variant has its name in both tables");

static const struct operation {
    size_t problem_bytes;
    uint32_t flags; /* those that mean something here */
    convoy_status (*supports)(const struct self *self, const struct convoy_problem *problem, struct convoy_error *err);
    void (*plan)(const struct self *self, struct plan *plan);
} operations[CONVOY_OP_COUNT] = {
    [CONVOY_CONV_FWD] = {sizeof(struct convoy_conv), CONVOY_WITH_BIAS | CONVOY_WITH_RELU, conv_supports, conv_plan},
    [CONVOY_CONV_BWD_DATA] = {sizeof(struct convoy_conv), 0, conv_supports, conv_plan},
    [CONVOY_CONV_BWD_WEIGHTS] = {sizeof(struct convoy_conv), CONVOY_WITH_BIAS, conv_supports, conv_plan},
    [CONVOY_POOL_FWD] = {sizeof(struct convoy_pool), CONVOY_NO_INDEX, pool_supports, pool_plan},
    [CONVOY_POOL_BWD] = {sizeof(struct convoy_pool), 0, pool_supports, pool_plan},
    [CONVOY_BN_TRAIN] = {sizeof(struct convoy_bn), CONVOY_WITH_RELU, bn_supports, bn_plan},
    [CONVOY_BN_INFER] = {sizeof(struct convoy_bn), CONVOY_WITH_RELU, bn_supports, bn_plan},
    [CONVOY_BN_BWD] = {sizeof(struct convoy_bn), 0, bn_supports, bn_plan},
    [CONVOY_ELTWISE] = {sizeof(struct convoy_eltwise), 0, eltwise_supports, eltwise_plan},
};

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem,
                              struct convoy_error *err)
{
    const struct self *self = (const struct self *)instance;
    if (problem->op >= CONVOY_OP_COUNT || !operations[problem->op].supports)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "operation %u is not known here", problem->op);
    const struct operation *operation = &operations[problem->op];
    if (problem->struct_size < operation->problem_bytes)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the problem has %u bytes, operation %u needs %zu",
                           problem->struct_size, problem->op, operation->problem_bytes);
    if (problem->dtype != CONVOY_F32)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DTYPE, "only f32 is implemented, got data type %u",
                           problem->dtype);
    if (problem->layout != CONVOY_NCHW)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_LAYOUT, "only NCHW is implemented, got layout %u",
                           problem->layout);
    if (problem->flags & ~operation->flags)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "operation %u takes flags %#x here, got %#x", problem->op,
                           operation->flags, problem->flags);
    return operation->supports(self, problem, err);
}

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    const struct plan *plan = (const struct plan *)base;
    struct convoy_plan_info mine = {
        .struct_size = out->struct_size,
        .workspace_bytes = plan->workspace_bytes,
        .prepared_bytes = plan->prepared_bytes,
        .numerics = plan->numerics,
    };
    memcpy(mine.algorithm, plan->algorithm, sizeof mine.algorithm);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    const struct plan *plan = (const struct plan *)base;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if ((plan->slots & SLOT_BIT(slot)) && !convoy_slot(args, slot))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "slot %u is needed and empty", slot);
    }
    if (plan->workspace_bytes && !convoy_slot(args, CONVOY_WORKSPACE))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "a workspace of %llu bytes is needed, got none",
                           (unsigned long long)plan->workspace_bytes);
    return plan->run(plan, args, err);
}

static convoy_status prepare(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    const struct plan *plan = (const struct plan *)base;
    if (!convoy_slot(args, CONVOY_W) || !convoy_slot(args, CONVOY_PREPARED))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "preparing needs the slots %d and %d", CONVOY_W,
                           CONVOY_PREPARED);
    return plan->prepare(plan, args, err);
}

static void destroy(struct convoy_plan *base)
{
    implicit_close(((struct plan *)base)->implicit);
    free(base);
}

static const struct convoy_plan_ops plan_ops = {
    .struct_size = sizeof plan_ops,
    .info = info,
    .prepare = NULL, /* OpenBLAS takes no packed operands, so W is read as it is */
    .execute = execute,
    .destroy = destroy,
};
static const struct convoy_plan_ops prepared_plan_ops = {
    .struct_size = sizeof prepared_plan_ops,
    .info = info,
    .prepare = prepare,
    .execute = execute,
    .destroy = destroy,
};

static convoy_status plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                          struct convoy_error *err)
{
    const struct self *self = (const struct self *)instance;
    const convoy_status status = supports(instance, problem, err);
    if (status != CONVOY_OK)
        return status;
    struct plan *made = calloc(1, sizeof *made);
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan of %zu bytes", sizeof *made);
    made->base.ops = &plan_ops;
    made->host = self->host;
    made->loops = self->loops;
    memcpy(&made->problem, problem, operations[problem->op].problem_bytes);
    if (operations[problem->op].plan == conv_plan && self->variant->plan) {
        const convoy_status planned = self->variant->plan(self, made, err);
        if (planned != CONVOY_OK) {
            free(made);
            return planned;
        }
    } else {
        operations[problem->op].plan(self, made);
    }
    if (made->prepared_bytes)
        made->base.ops = &prepared_plan_ops;
    *out = &made->base;
    return CONVOY_OK;
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

static convoy_status open_instance(const struct convoy_host *host, const char *name, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    const struct variant *variant = name && name[0] ? NULL : &variants[0];
    for (size_t at = 0; at < VARIANT_COUNT && !variant; at++) {
        if (!strcmp(variants[at].name, name))
            variant = &variants[at];
    }
    if (!variant)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "there is no variant \"%s\"", name);
    const convoy_status status = blas_open(err);
    if (status != CONVOY_OK)
        return status;
    struct self *self = malloc(sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance of %zu bytes", sizeof *self);
    *self = (struct self){
        .base = {.ops = &instance_ops, .memory = host->memory},
        .host = host,
        .variant = variant,
        .loops = loops_choose(),
    };
    *out = &self->base;
    return CONVOY_OK;
}

const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "im2col",
    .version = "0.1.0",
    .author = "Convoy contributors",
    .summary = "lowering and OpenBLAS: all passes, any stride, dilation, padding and groups",
    .variants = variant_names,
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
};
