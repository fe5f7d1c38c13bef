#include "backend.h"
#include <stdlib.h>
#include <string.h>

struct self {
    struct gpu_instance base;
    const struct gpu_backend *backend;
    struct gpu_opened *device;
};

void gpu_answer(void *out, const void *mine, size_t bytes)
{
    uint32_t room;
    memcpy(&room, out, sizeof room);
    room = room < bytes ? room : (uint32_t)bytes;
    if (room > sizeof room)
        memcpy((char *)out + sizeof room, (const char *)mine + sizeof room, room - sizeof room);
}

/* ---- the device ---- */

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct gpu_opened *shared; /* with users > 0 */
static struct gpu_opened *lost;   /* what they hold is not given back */

static void close_device(const struct gpu_backend *backend, struct gpu_opened *device)
{
    if (device->lost) {
        device->next_lost = lost;
        lost = device;
        return;
    }
    backend->close(device);
    gpu_tuning_close(device->tuning);
    pthread_mutex_destroy(&device->lock);
    free(device);
}

static convoy_status open_device(const struct gpu_backend *backend, const struct convoy_host *host, struct convoy_error *err)
{
    struct gpu_opened *const device = calloc(1, backend->device_bytes);
    if (!device)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a device");
    pthread_mutex_init(&device->lock, NULL);
    device->host = host;
    const convoy_status status = backend->open(device, err);
    if (status == CONVOY_OK)
        shared = device;
    else
        close_device(backend, device);
    return status;
}

static convoy_status take_device(const struct gpu_backend *backend, const struct convoy_host *host, struct gpu_opened **out,
                                 struct convoy_error *err)
{
    pthread_mutex_lock(&shared_lock);
    const convoy_status status = shared ? CONVOY_OK : open_device(backend, host, err);
    if (status == CONVOY_OK) {
        shared->users++;
        *out = shared;
    }
    pthread_mutex_unlock(&shared_lock);
    return status;
}

static void give_device(const struct gpu_backend *backend, struct gpu_opened *device)
{
    pthread_mutex_lock(&shared_lock);
    if (--device->users == 0) {
        shared = NULL;
        close_device(backend, device);
    }
    pthread_mutex_unlock(&shared_lock);
}

convoy_status gpu_device_lose(struct gpu_opened *device, const char *what, const char *result, struct convoy_error *err)
{
    if (!device->lost)
        snprintf(device->lost_text, sizeof device->lost_text, "the device is lost: %s: %s", what, result);
    device->lost = true;
    return gpu_device_check(device, err);
}

convoy_status gpu_device_check(const struct gpu_opened *device, struct convoy_error *err)
{
    return device->lost ? convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "%s", device->lost_text) : CONVOY_OK;
}

/* ---- plans ---- */

uint32_t gpu_plan_count(const struct gpu_plan *plan)
{
    return plan->program.prepare_count + plan->program.step_count;
}

const struct gpu_step *gpu_plan_step(const struct gpu_plan *plan, uint32_t at)
{
    const struct gpu_program *const program = &plan->program;
    return at < program->prepare_count ? &program->prepare[at] : &program->step[at - program->prepare_count];
}

static void destroy(struct convoy_plan *base)
{
    struct gpu_plan *const plan = (struct gpu_plan *)base;
    pthread_mutex_lock(&plan->device->lock);
    plan->backend->destroy(plan);
    pthread_mutex_unlock(&plan->device->lock);
    gpu_program_free(&plan->program);
    free(plan);
}

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    const struct gpu_plan *const plan = (const struct gpu_plan *)base;
    const struct gpu_program *const program = &plan->program;
    struct convoy_plan_info mine = {
        .workspace_bytes = program->workspace_bytes,
        .prepared_bytes = program->prepared_bytes,
        .numerics = program->numerics,
    };
    /* Every row of every report names the algorithm, and so says where it did not run on a GPU. */
    gpu_program_label(program, plan->device->software, mine.algorithm);
    gpu_answer(out, &mine, sizeof mine);
}

static convoy_status check_slots(const struct gpu_plan *plan, const struct convoy_args *args, uint32_t needed,
                                 struct convoy_error *err)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (!(needed & (1u << slot)))
            continue;
        if (slot >= args->nslots || !args->slot[slot].buffer)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "slot %u is needed and empty", slot);
        if (args->slot[slot].buffer->memory != plan->device->memory)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "slot %u is in another memory domain", slot);
    }
    return CONVOY_OK;
}

static convoy_status run(struct gpu_plan *plan, uint32_t needed, uint32_t first, uint32_t count, const struct convoy_args *args,
                         struct convoy_error *err)
{
    convoy_status status = check_slots(plan, args, needed, err);
    if (status == CONVOY_OK) {
        pthread_mutex_lock(&plan->device->lock);
        status = plan->backend->run(plan, first, count, args, err);
        pthread_mutex_unlock(&plan->device->lock);
    }
    return status;
}

static convoy_status prepare(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct gpu_plan *const plan = (struct gpu_plan *)base;
    return run(plan, 1u << CONVOY_W | 1u << CONVOY_PREPARED, 0, plan->program.prepare_count, args, err);
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct gpu_plan *const plan = (struct gpu_plan *)base;
    const struct gpu_program *const program = &plan->program;
    uint32_t needed = program->reads | program->writes;
    if (program->prepared_bytes) /* W was read by prepare */
        needed = (needed & ~(1u << CONVOY_W)) | 1u << CONVOY_PREPARED;
    if (program->workspace_bytes)
        needed |= 1u << CONVOY_WORKSPACE;
    return run(plan, needed, program->prepare_count, program->step_count, args, err);
}

static const struct convoy_plan_ops plan_ops = {
    .struct_size = sizeof plan_ops,
    .info = info,
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

/* ---- instances ---- */

static convoy_status make_plan(struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    struct self *const self = (struct self *)base;
    struct gpu_opened *const device = self->device;
    struct gpu_plan *const plan = calloc(1, self->backend->plan_bytes);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    plan->backend = self->backend;
    plan->device = device;
    convoy_status status = gpu_instance_program(&self->base, problem, &plan->program, err);
    if (status != CONVOY_OK) {
        free(plan);
        return status;
    }
    plan->base.ops = plan->program.prepared_bytes ? &prepared_plan_ops : &plan_ops;
    pthread_mutex_lock(&device->lock);
    status = gpu_device_check(device, err);
    if (status == CONVOY_OK)
        status = self->backend->build(plan, err);
    pthread_mutex_unlock(&device->lock);
    if (status == CONVOY_OK)
        *out = &plan->base;
    else
        destroy(&plan->base);
    return status;
}

static convoy_status supports(const struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_error *err)
{
    const struct self *const self = (const struct self *)base;
    return gpu_program_make(self->base.device, self->base.variant, problem, NULL, err);
}

static convoy_status sync_instance(struct convoy_instance *base, struct convoy_error *err)
{
    const struct self *const self = (const struct self *)base;
    pthread_mutex_lock(&self->device->lock);
    const convoy_status status = self->backend->wait(self->device, err);
    pthread_mutex_unlock(&self->device->lock);
    return status;
}

static void close_instance(struct convoy_instance *base)
{
    struct self *const self = (struct self *)base;
    give_device(self->backend, self->device);
    free(self);
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops,
    .supports = supports,
    .plan = make_plan,
    .sync = sync_instance,
    .close = close_instance,
};

convoy_status gpu_instance_open(const struct gpu_backend *backend, const struct convoy_host *host, const char *variant,
                                struct convoy_instance **out, struct convoy_error *err)
{
    const enum gpu_variant found = gpu_variant_find(variant);
    if (found == GPU_VARIANT_COUNT)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "there is no variant \"%s\"", variant);
    struct self *const self = calloc(1, sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance");
    const convoy_status status = take_device(backend, host, &self->device, err);
    if (status != CONVOY_OK) {
        free(self);
        return status;
    }
    self->base = (struct gpu_instance){
        .base = {&instance_ops, self->device->memory},
        .host = host,
        .device = &self->device->planner,
        .tuning = self->device->tuning,
        .variant = found,
        .software = self->device->software,
    };
    self->backend = backend;
    *out = &self->base.base;
    return CONVOY_OK;
}
