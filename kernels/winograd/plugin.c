/* The plugin table of the backend winograd: its variants are the output tile sizes, and what it declines. */
#include "plan.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <stdlib.h>
#include <string.h>

static const struct variant {
    const char *name;
    int32_t m;
} variants[] = {{"f4", 4}, {"f2", 2}, {"f6", 6}, {"f5", 5}, {"f7", 7}};
enum { VARIANT_COUNT = sizeof variants / sizeof variants[0] };
static const char *const variant_names[] = {"f4", "f2", "f6", "f5", "f7", NULL};
_Static_assert(sizeof variant_names / sizeof variant_names[0] == VARIANT_COUNT + 1, "one name for each variant");

/* With more, tiles that hold few outputs err more than the declared tolerance allows (harness/tests/test_tolerance.c). */
enum { GRADIENT_TAPS = 3 };

static const uint32_t known_flags[CONVOY_OP_COUNT] = {
    [CONVOY_CONV_FWD] = CONVOY_WITH_BIAS | CONVOY_WITH_RELU,
    [CONVOY_CONV_BWD_WEIGHTS] = CONVOY_WITH_BIAS,
};

static convoy_status judge(const struct convoy_instance *instance, const struct convoy_problem *head, struct route *route,
                           struct convoy_error *err)
{
    const struct self *self = (const struct self *)instance;
    if (head->op != CONVOY_CONV_FWD && head->op != CONVOY_CONV_BWD_DATA && head->op != CONVOY_CONV_BWD_WEIGHTS)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "only the three passes of a convolution, got operation %u",
                           head->op);
    const struct convoy_conv *p = (const struct convoy_conv *)head;
    if (!convoy_has(head, reserved) || head->struct_size < sizeof *p)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the problem has %u bytes, a convolution needs %zu",
                           head->struct_size, sizeof *p);
    if (head->dtype != CONVOY_F32)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DTYPE, "only fp32 is implemented, got dtype %u", head->dtype);
    if (head->layout != CONVOY_NCHW)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_LAYOUT, "only NCHW is implemented, got layout %u", head->layout);
    if (head->flags & ~known_flags[head->op])
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "operation %u takes flags %#x here, got %#x", head->op,
                           known_flags[head->op], head->flags);
    const convoy_status found = route_find(self->transforms, self->m, p, route, err);
    if (found != CONVOY_OK)
        return found;
    if (head->op == CONVOY_CONV_BWD_WEIGHTS && route->transform->r > GRADIENT_TAPS)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_KERNEL,
                           "weight gradients of F(%d,%d) are not accurate enough, only r <= %d", self->m, route->transform->r,
                           GRADIENT_TAPS);
    if (head->op == CONVOY_CONV_BWD_WEIGHTS && (p->oh < self->m || p->ow < self->m))
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE,
                           "weight gradients of F(%d,%d) need a whole tile of outputs, got %dx%d", self->m, p->kh, p->oh, p->ow);
    return CONVOY_OK;
}

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *head, struct convoy_error *err)
{
    struct route route;
    return judge(instance, head, &route, err);
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

/* Slot numbers of an operation: what must be there. */
struct binding {
    uint32_t from, other, to;
};
static const struct binding bindings[CONVOY_OP_COUNT] = {
    [CONVOY_CONV_FWD] = {CONVOY_X, CONVOY_PREPARED, CONVOY_Y},
    [CONVOY_CONV_BWD_DATA] = {CONVOY_DY, CONVOY_PREPARED, CONVOY_DX},
    [CONVOY_CONV_BWD_WEIGHTS] = {CONVOY_X, CONVOY_DY, CONVOY_DW},
};

static convoy_status missing(struct convoy_error *err, uint32_t slot)
{
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "slot %u is needed and empty", slot);
}

static convoy_status prepare(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    const struct plan *plan = (const struct plan *)base;
    const float *w = convoy_slot_f32(args, CONVOY_W);
    float *u = convoy_slot_f32(args, CONVOY_PREPARED);
    if (!w || !u)
        return missing(err, w ? CONVOY_PREPARED : CONVOY_W);
    (plan->stem_transform ? conv_stem_prepare : conv_prepare)(plan, w, u);
    return CONVOY_OK;
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    const struct plan *plan = (const struct plan *)base;
    const struct convoy_problem *head = &plan->problem.head;
    const struct binding *bound = &bindings[head->op];
    const int gradient = head->op == CONVOY_CONV_BWD_WEIGHTS, with_bias = (head->flags & CONVOY_WITH_BIAS) != 0;
    const uint32_t bias_slot = gradient ? CONVOY_DBIAS : CONVOY_BIAS;
    const uint32_t needed[] = {bound->from, bound->other, bound->to, CONVOY_WORKSPACE, with_bias ? bias_slot : bound->to};
    for (size_t s = 0; s < sizeof needed / sizeof needed[0]; s++) {
        if (!convoy_slot(args, needed[s]))
            return missing(err, needed[s]);
    }
    const float *from = convoy_slot_f32(args, bound->from), *other = convoy_slot_f32(args, bound->other);
    float *to = convoy_slot_f32(args, bound->to), *workspace = convoy_slot_f32(args, CONVOY_WORKSPACE);
    float *bias = with_bias ? convoy_slot_f32(args, bias_slot) : NULL;
    if (gradient)
        conv_gradient_run(plan, from, other, to, bias, workspace);
    else
        (plan->stem_transform ? conv_stem_run : conv_run)(plan, from, other, bias, to, workspace);
    return CONVOY_OK;
}

static void destroy(struct convoy_plan *base)
{
    plan_destroy((struct plan *)base);
}

static const struct convoy_plan_ops prepared_ops = {
    .struct_size = sizeof prepared_ops,
    .info = info,
    .prepare = prepare,
    .execute = execute,
    .destroy = destroy,
};

static const struct convoy_plan_ops gradient_ops = {
    .struct_size = sizeof gradient_ops,
    .info = info,
    .execute = execute,
    .destroy = destroy,
};

static convoy_status make_plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    struct route route;
    const convoy_status status = judge(instance, problem, &route, err);
    if (status != CONVOY_OK)
        return status;
    struct plan *plan = plan_make((const struct self *)instance, (const struct convoy_conv *)problem, &route);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    plan->base.ops = problem->op == CONVOY_CONV_BWD_WEIGHTS ? &gradient_ops : &prepared_ops;
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
    const struct mk_family *family = mk_family_select();
    const struct transform_family *transforms = transform_family_find(family->name);
    const struct filter_family *filters = filter_family_find(family->name);
    if (!transforms || !filters)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no transforms for the instruction set %s", family->name);
    struct self *self = malloc(sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance");
    *self = (struct self){.base = {&instance_ops, host->memory},
                          .host = host,
                          .family = family,
                          .transforms = transforms,
                          .filters = filters,
                          .m = variant->m};
    *out = &self->base;
    return CONVOY_OK;
}

const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "winograd",
    .version = "1.0",
    .author = "the Convoy authors",
    .summary = "minimal filtering F(m,r), strides by phases, all three passes; the variant is m",
    .variants = variant_names,
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
};
