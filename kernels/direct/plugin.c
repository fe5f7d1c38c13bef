/* The plugin table of the direct backend: the method that each problem takes, and what every plan does alike. */
#include "direct.h"
#include <stdlib.h>
#include <string.h>

struct plan {
    struct convoy_plan base;
    struct method method;
    uint32_t slots; /* bit s: slot s is needed                                                                */
};

static uint32_t bit(uint32_t slot)
{
    return 1u << slot;
}

static uint32_t slots_of(const struct convoy_conv *p, const struct method *method)
{
    const uint32_t weights = method->prepared_bytes ? bit(CONVOY_PREPARED) : bit(CONVOY_W);
    const uint32_t bias = p->head.flags & CONVOY_WITH_BIAS ? bit(p->head.op == CONVOY_CONV_FWD ? CONVOY_BIAS : CONVOY_DBIAS) : 0;
    const uint32_t scratch = method->workspace_bytes ? bit(CONVOY_WORKSPACE) : 0;
    if (p->head.op == CONVOY_CONV_FWD)
        return bit(CONVOY_X) | weights | bias | bit(CONVOY_Y) | scratch;
    if (p->head.op == CONVOY_CONV_BWD_DATA)
        return bit(CONVOY_DY) | weights | bit(CONVOY_DX) | scratch;
    return bit(CONVOY_X) | bit(CONVOY_DY) | bit(CONVOY_DW) | bias | scratch;
}

static convoy_status supports(const struct convoy_instance *self, const struct convoy_problem *problem, struct convoy_error *err)
{
    (void)self;
    if (problem->op != CONVOY_CONV_FWD && problem->op != CONVOY_CONV_BWD_DATA && problem->op != CONVOY_CONV_BWD_WEIGHTS)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "only convolutions, got operation %u", problem->op);
    if (problem->struct_size < sizeof(struct convoy_conv))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "a convolution has %zu bytes, got %u",
                           sizeof(struct convoy_conv), problem->struct_size);
    if (problem->dtype != CONVOY_F32)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DTYPE, "only float tensors, got type %u", problem->dtype);
    if (problem->layout != CONVOY_NCHW)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_LAYOUT, "only layout NCHW, got %u", problem->layout);
    const uint32_t known = problem->op == CONVOY_CONV_FWD           ? CONVOY_WITH_BIAS | CONVOY_WITH_RELU
                           : problem->op == CONVOY_CONV_BWD_WEIGHTS ? CONVOY_WITH_BIAS
                                                                    : 0;
    if (problem->flags & ~known)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "this pass knows no flags 0x%x", problem->flags & ~known);
    const struct convoy_conv *p = (const struct convoy_conv *)problem;
    const int32_t positive[] = {p->n,      p->c,  p->h,  p->w,        p->k,        p->kh,    p->kw,
                                p->groups, p->oh, p->ow, p->stride_h, p->stride_w, p->dil_h, p->dil_w};
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++)
        if (positive[i] < 1)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "an extent, stride or dilation is %d, the least is 1",
                               positive[i]);
    if (p->pad_t < 0 || p->pad_b < 0 || p->pad_l < 0 || p->pad_r < 0)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_PAD, "negative padding");
    if (p->c % p->groups || p->k % p->groups)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_GROUPS, "%d groups do not divide %d input and %d output channels",
                           p->groups, p->c, p->k);
    return CONVOY_OK;
}

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    const struct plan *plan = (const struct plan *)base;
    struct convoy_plan_info mine = {
        .struct_size = out->struct_size,
        .workspace_bytes = plan->method.workspace_bytes,
        .prepared_bytes = plan->method.prepared_bytes,
        .numerics = {.kind = CONVOY_NUM_DIRECT,
                     .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT,
                     .split = plan->method.split},
    };
    snprintf(mine.algorithm, sizeof mine.algorithm, "%s", plan->method.name);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
}

static struct tensors tensors_of(const struct convoy_args *args)
{
    return (struct tensors){
        .x = convoy_slot_f32(args, CONVOY_X),
        .w = convoy_slot_f32(args, CONVOY_W),
        .bias = convoy_slot_f32(args, CONVOY_BIAS),
        .dy = convoy_slot_f32(args, CONVOY_DY),
        .y = convoy_slot_f32(args, CONVOY_Y),
        .dx = convoy_slot_f32(args, CONVOY_DX),
        .dw = convoy_slot_f32(args, CONVOY_DW),
        .dbias = convoy_slot_f32(args, CONVOY_DBIAS),
        .workspace = convoy_slot_f32(args, CONVOY_WORKSPACE),
        .prepared = convoy_slot_f32(args, CONVOY_PREPARED),
    };
}

static convoy_status check_slots(const struct convoy_args *args, uint32_t slots, struct convoy_error *err)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        if ((slots & bit(slot)) && !convoy_slot(args, slot))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "slot %u is needed and empty", slot);
    return CONVOY_OK;
}

static convoy_status prepare(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    const struct plan *plan = (const struct plan *)base;
    const convoy_status status = check_slots(args, bit(CONVOY_W) | bit(CONVOY_PREPARED), err);
    if (status != CONVOY_OK)
        return status;
    const struct tensors tensors = tensors_of(args);
    plan->method.prepare(plan->method.state, &tensors);
    return CONVOY_OK;
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    const struct plan *plan = (const struct plan *)base;
    const convoy_status status = check_slots(args, plan->slots, err);
    if (status != CONVOY_OK)
        return status;
    struct tensors tensors = tensors_of(args);
    if (!(plan->slots & bit(CONVOY_BIAS)))
        tensors.bias = NULL;
    if (!(plan->slots & bit(CONVOY_DBIAS)))
        tensors.dbias = NULL;
    plan->method.execute(plan->method.state, &tensors);
    return CONVOY_OK;
}

static void destroy(struct convoy_plan *base)
{
    struct plan *plan = (struct plan *)base;
    plan->method.close(plan->method.state);
    free(plan);
}

static const struct convoy_plan_ops plan_ops = {
    .struct_size = sizeof plan_ops,
    .info = info,
    .prepare = prepare,
    .execute = execute,
    .destroy = destroy,
};
static const struct convoy_plan_ops unprepared_ops = {
    .struct_size = sizeof unprepared_ops,
    .info = info,
    .execute = execute,
    .destroy = destroy,
};

static method_open_fn *method_for(const struct self *self, const struct convoy_conv *p)
{
    if (plane_suits(self, p))
        return plane_open;
    if (p->head.op == CONVOY_CONV_BWD_WEIGHTS)
        return narrow_gradient_suits(p)            ? narrow_gradient_open
               : pointwise_gradient_suits(self, p) ? pointwise_gradient_open
                                                   : gradient_open;
    return pointwise_suits(self, p) ? pointwise_open : overlap_suits(self, p) ? overlap_open : tiles_open;
}

static convoy_status make_plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    const struct self *self = (const struct self *)instance;
    convoy_status status = supports(instance, problem, err);
    if (status != CONVOY_OK)
        return status;
    const struct convoy_conv *p = (const struct convoy_conv *)problem;
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    status = method_for(self, p)(self, p, &plan->method, err);
    if (status != CONVOY_OK) {
        free(plan);
        return status;
    }
    plan->base.ops = plan->method.prepared_bytes ? &plan_ops : &unprepared_ops;
    plan->slots = slots_of(p, &plan->method);
    *out = &plan->base;
    return CONVOY_OK;
}

static void close_instance(struct convoy_instance *instance)
{
    free(instance);
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
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "direct has no variants, got \"%s\"", variant);
    struct self *self = malloc(sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance");
    *self = (struct self){.base = {.ops = &instance_ops, .memory = host->memory}, .host = host, .isa = isa_select()};
    *out = &self->base;
    return CONVOY_OK;
}

const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "direct",
    .version = "0.1.0",
    .author = "Convoy contributors",
    .summary = "blocked direct convolution on NCHW: all passes, strides, dilations, paddings and groups",
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
};
