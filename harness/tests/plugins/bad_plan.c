/* Plans successfully, but what it hands out breaks the contract: the variant says how. "whole" keeps it. */
#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

enum fault {
    WHOLE, NO_PLAN, NO_OPS, SHORT_OPS, NO_INFO, NO_EXECUTE, NO_DESTROY, ENDLESS_NAME, TOO_LARGE, BYTES_ONLY, PREPARE_ONLY,
    NO_NUMERICS, BAD_STATUS, SILENT, ENDLESS_TEXT, FAULT_COUNT
};

static const char *const variants[] = {
    [WHOLE] = "whole",
    [NO_PLAN] = "no_plan",
    [NO_OPS] = "no_ops",
    [SHORT_OPS] = "short_ops",
    [NO_INFO] = "no_info",
    [NO_EXECUTE] = "no_execute",
    [NO_DESTROY] = "no_destroy",
    [ENDLESS_NAME] = "endless_name",
    [TOO_LARGE] = "too_large",
    [BYTES_ONLY] = "bytes_only",
    [PREPARE_ONLY] = "prepare_only",
    [NO_NUMERICS] = "no_numerics",
    [BAD_STATUS] = "bad_status",
    [SILENT] = "silent",
    [ENDLESS_TEXT] = "endless_text",
    [FAULT_COUNT] = NULL,
};

struct plan;
struct self {
    struct convoy_instance instance;
    enum fault fault;
    int plans;         /* that are not destroyed yet */
    struct plan *last; /* made */
};

struct plan {
    struct convoy_plan plan;
    struct convoy_plan_ops ops;
    struct self *self;
};

static void info(const struct convoy_plan *plan, struct convoy_plan_info *out)
{
    const enum fault fault = ((const struct plan *)plan)->self->fault;
    strcpy(out->algorithm, "nothing");
    out->numerics.kind = fault == NO_NUMERICS ? 0 : CONVOY_NUM_DIRECT;
    out->prepared_bytes = fault == PREPARE_ONLY ? 0 : 64;
    if (fault == TOO_LARGE)
        out->workspace_bytes = UINT64_MAX;
    if (fault == ENDLESS_NAME)
        memset(out->algorithm, 'x', sizeof out->algorithm);
}

static convoy_status compute_nothing(struct convoy_plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    (void)plan, (void)args, (void)err;
    return CONVOY_OK;
}

static void destroy(struct convoy_plan *plan)
{
    struct plan *own = (struct plan *)plan;
    own->self->plans--;
    free(own);
}

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_error *err)
{
    (void)instance, (void)problem, (void)err;
    return CONVOY_OK;
}

static convoy_status plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                          struct convoy_error *err)
{
    (void)problem;
    struct self *self = (struct self *)instance;
    static struct convoy_plan lost; /* without a table nothing can be destroyed */
    switch (self->fault) {
    case NO_PLAN:
        return CONVOY_OK;
    case BAD_STATUS:
        return (convoy_status)-99;
    case SILENT:
        return CONVOY_FAILED;
    case ENDLESS_TEXT:
        if (err)
            memset(err->text, 'x', sizeof err->text);
        return CONVOY_FAILED;
    case NO_OPS:
        *out = &lost;
        return CONVOY_OK;
    default:
        break;
    }
    struct plan *own = malloc(sizeof *own);
    if (!own)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan of bad_plan");
    *own = (struct plan){.ops = {sizeof own->ops, 0, info, compute_nothing, compute_nothing, destroy}, .self = self};
    own->plan.ops = &own->ops;
    switch (self->fault) {
    case SHORT_OPS:
        own->ops.struct_size = offsetof(struct convoy_plan_ops, destroy);
        break;
    case NO_INFO:
        own->ops.info = NULL;
        break;
    case NO_EXECUTE:
        own->ops.execute = NULL;
        break;
    case NO_DESTROY:
        own->ops.destroy = NULL;
        break;
    case BYTES_ONLY:
        own->ops.prepare = NULL;
        break;
    default:
        break;
    }
    self->plans++;
    self->last = own;
    *out = &own->plan;
    return CONVOY_OK;
}

static void close_instance(struct convoy_instance *instance)
{
    struct self *self = (struct self *)instance;
    /* These two cannot be destroyed through their table; every other plan must have been. */
    if (self->fault == SHORT_OPS || self->fault == NO_DESTROY)
        free(self->last);
    else if (self->plans != 0)
        abort();
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
    struct self *self = malloc(sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance of bad_plan");
    *self = (struct self){.instance = {.ops = &instance_ops, .memory = host->memory}};
    for (int fault = WHOLE; variant && fault < FAULT_COUNT; fault++)
        if (strcmp(variant, variants[fault]) == 0)
            self->fault = (enum fault)fault;
    *out = &self->instance;
    return CONVOY_OK;
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof(struct convoy_plugin),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "bad_plan",
    .version = "1",
    .author = "Convoy",
    .summary = "plans that break the contract",
    .variants = variants,
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
};
