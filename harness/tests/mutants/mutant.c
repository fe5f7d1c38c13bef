/* The wrapping plugin: a plan of the base, with the hooks of one bug around it. */
#include "mutant.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

float *job_data(const struct job *job, uint32_t slot)
{
    return job->slot[slot].buffer ? (float *)(void *)((char *)job->slot[slot].buffer->host + job->slot[slot].offset) : NULL;
}

int64_t job_count(const struct job *job, uint32_t slot)
{
    return job->slot[slot].buffer ? (int64_t)(job->slot[slot].buffer->bytes / sizeof(float)) : 0;
}

float *job_copy(const struct job *job, uint32_t slot)
{
    const size_t bytes = (size_t)job_count(job, slot) * sizeof(float);
    float *copy = malloc(bytes);
    if (copy)
        memcpy(copy, job_data(job, slot), bytes);
    return copy;
}

float *job_redirect(struct job *job, uint32_t slot)
{
    const uint64_t bytes = job->slot[slot].buffer->bytes;
    job->scratch[slot] = (struct convoy_buffer){job->slot[slot].buffer->memory, job_copy(job, slot), bytes};
    job->slot[slot] = (struct convoy_tensor){&job->scratch[slot], 0};
    return job->scratch[slot].host;
}

uint32_t job_main_output(const struct job *job)
{
    const union problem *p = job->p;
    switch (p->head.op) {
    case CONVOY_CONV_FWD:
    case CONVOY_POOL_FWD:
    case CONVOY_BN_TRAIN:
    case CONVOY_BN_INFER:
        return CONVOY_Y;
    case CONVOY_CONV_BWD_WEIGHTS:
        return CONVOY_DW;
    case CONVOY_CONV_BWD_DATA:
    case CONVOY_POOL_BWD:
    case CONVOY_BN_BWD:
        return CONVOY_DX;
    default:
        break;
    }
    const int32_t kind = p->eltwise.kind;
    if (kind == CONVOY_ELT_SGD)
        return CONVOY_W;
    return kind == CONVOY_ELT_XENT_BWD || (kind >= CONVOY_ELT_RELU_BWD && kind <= CONVOY_ELT_SOFTSIGN_BWD) ? CONVOY_DX : CONVOY_Y;
}

uint32_t job_main_input(const struct job *job)
{
    return job->slot[CONVOY_X].buffer ? CONVOY_X : job->slot[CONVOY_DY].buffer ? CONVOY_DY : CONVOY_DW;
}

float *job_output(const struct job *job)
{
    return job_data(job, job_main_output(job));
}

int64_t job_outputs(const struct job *job)
{
    return job_count(job, job_main_output(job));
}

void declare_direct(const struct plan *plan, struct convoy_plan_info *info)
{
    (void)plan;
    info->numerics.kind = plan->problem.head.op <= CONVOY_CONV_BWD_WEIGHTS ? CONVOY_NUM_DIRECT : CONVOY_NUM_STATS;
}

/* ---- plan ---- */

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    const struct plan *plan = (const struct plan *)base;
    plan->inner->ops->info(plan->inner, out);
    if (plan->self->bug->info)
        plan->self->bug->info(plan, out);
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *plan = (struct plan *)base;
    const struct bug *bug = plan->self->bug;
    struct job job = {.plan = plan, .p = &plan->problem};
    if (bug->executed != CONVOY_OK)
        return convoy_fail(err, bug->executed, CONVOY_WHY_OTHER, "this mutant does not execute");
    memcpy(job.slot, args->slot, sizeof job.slot);
    plan->executions++;
    if (bug->before)
        bug->before(&job);
    const struct convoy_args inner = {.struct_size = sizeof inner, .nslots = CONVOY_NSLOTS, .slot = job.slot};
    const convoy_status status = plan->inner->ops->execute(plan->inner, &inner, err);
    if (status == CONVOY_OK && bug->after)
        bug->after(&job);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        free(job.scratch[slot].host);
    free(job.kept);
    return status;
}

static void destroy(struct convoy_plan *base)
{
    struct plan *plan = (struct plan *)base;
    plan->inner->ops->destroy(plan->inner);
    free(plan->memory);
    free(plan);
}

static convoy_status prepare(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    return ((struct plan *)base)->self->bug->prepare(base, args, err);
}

static const struct convoy_plan_ops plan_ops = {
    .struct_size = sizeof plan_ops, .info = info, .execute = execute, .destroy = destroy};
static const struct convoy_plan_ops preparing_ops = {
    .struct_size = sizeof preparing_ops, .info = info, .prepare = prepare, .execute = execute, .destroy = destroy};

/* ---- instance ---- */

static const struct bug no_bug = {.name = "none"};

static const struct bug *find_bug(const char *name)
{
    static const struct bug *const tables[] = {operand_bugs, result_bugs, statistic_bugs, conduct_bugs};
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct bug *bug = tables[t]; bug->name; bug++)
            if (strcmp(bug->name, name) == 0)
                return bug;
    return strcmp(no_bug.name, name) == 0 ? &no_bug : NULL;
}

static convoy_status supports(const struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_error *err)
{
    const struct self *self = (const struct self *)base;
    if (self->bug->silent)
        return self->bug->supports;
    if (self->bug->supports != CONVOY_OK)
        return convoy_fail(err, self->bug->supports, CONVOY_WHY_OTHER, "this mutant refuses");
    return self->inner->ops->supports(self->inner, problem, err);
}

static convoy_status make_plan(struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    struct self *self = (struct self *)base;
    union problem altered;
    if (self->bug->planned != CONVOY_OK)
        return convoy_fail(err, self->bug->planned, CONVOY_WHY_OTHER, "this mutant does not plan");
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    memcpy(&plan->problem, problem, problem->struct_size);
    altered = plan->problem;
    if (self->bug->alter)
        self->bug->alter(&altered);
    plan->self = self;
    plan->base.ops = self->bug->prepare ? &preparing_ops : &plan_ops;
    const convoy_status status = self->inner->ops->plan(self->inner, &altered.head, &plan->inner, err);
    if (status != CONVOY_OK) {
        free(plan);
        return status;
    }
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

static const struct convoy_plugin *base_plugin(struct convoy_error *err)
{
    const char *path = getenv("CONVOY_MUTANT_BASE");
    void *object = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    const struct convoy_plugin *plugin = object ? dlsym(object, "convoy_plugin_v1") : NULL;
    if (!plugin)
        convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "CONVOY_MUTANT_BASE does not name a plugin");
    return plugin;
}

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    const struct bug *bug = variant && *variant ? find_bug(variant) : &no_bug;
    if (!bug)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "there is no bug \"%s\"", variant);
    const struct convoy_plugin *plugin = base_plugin(err);
    if (!plugin)
        return CONVOY_FAILED;
    struct self *self = calloc(1, sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance");
    const convoy_status status = plugin->open(host, NULL, &self->inner, err);
    if (status != CONVOY_OK) {
        free(self);
        return status;
    }
    self->base = (struct convoy_instance){&instance_ops, self->inner->memory};
    self->host = host;
    self->bug = bug;
    *out = &self->base;
    return CONVOY_OK;
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "mutant",
    .version = "1.0",
    .author = "the Convoy authors",
    .summary = "the reference with one known bug, which the verifier must catch",
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
};
