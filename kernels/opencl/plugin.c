/* The plugin table of the OpenCL backend: plans are programs of kernels/gpu with their kernels. */
#include "device.h"
#include "memory.h"
#include "programs.h"
#include "queue.h"
#include "tuning.h"
#include <convoy/profile.h>
#include <stdlib.h>
#include <string.h>

struct self {
    struct gpu_instance base;
    struct device *device;
};

struct plan {
    struct convoy_plan base;
    struct device *device;
    struct gpu_program program;
    cl_kernel *kernel;  /* of the steps of prepare, then of execute */
    cl_event *event;    /* of the steps of the last profiled execute; made when profiling is first enabled */
    bool profiling;
};

/* ---- plans ---- */

static void release_events(struct plan *plan)
{
    for (uint32_t s = 0; plan->event && s < plan->program.step_count; s++) {
        if (plan->event[s] && !plan->device->lost)
            plan->device->api.ReleaseEvent(plan->event[s]);
        plan->event[s] = NULL;
    }
}

static void destroy(struct convoy_plan *base)
{
    struct plan *const plan = (struct plan *)base;
    struct device *const device = plan->device;
    pthread_mutex_lock(&device->lock);
    release_events(plan);
    pthread_mutex_unlock(&device->lock);
    gpu_program_free(&plan->program);
    free(plan->kernel);
    free(plan->event);
    free(plan);
}

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    const struct plan *const plan = (const struct plan *)base;
    struct convoy_plan_info mine = {
        .struct_size = out->struct_size,
        .workspace_bytes = plan->program.workspace_bytes,
        .prepared_bytes = plan->program.prepared_bytes,
        .numerics = plan->program.numerics,
    };
    /* Every row of every report names the algorithm, and so says where it did not run on a GPU. */
    gpu_program_label(&plan->program, plan->device->software, mine.algorithm);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
}

static convoy_status check_slots(const struct plan *plan, const struct convoy_args *args, uint32_t needed, struct convoy_error *err)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (!(needed & (1u << slot)))
            continue;
        if (slot >= args->nslots || !args->slot[slot].buffer)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "slot %u is needed and empty", slot);
        if (!memory_owns(plan->device, args->slot[slot].buffer))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "slot %u is in another memory domain", slot);
    }
    return CONVOY_OK;
}

static convoy_status run(const struct plan *plan, const struct gpu_step *steps, uint32_t count, const cl_kernel *kernel, cl_event *event,
                         const struct convoy_args *args, struct convoy_error *err)
{
    struct device *const device = plan->device;
    convoy_status status = queue_profile(device, event != NULL, err);
    for (uint32_t s = 0; s < count && status == CONVOY_OK; s++) {
        struct range range[GPU_BINDS_MOST] = {{0}};
        for (uint32_t b = 0; b < gpu_modules[steps[s].module].binds; b++) {
            const struct gpu_bind *const bind = &steps[s].bind[b];
            if (bind->bytes)
                range[b] = (struct range){memory_handle(args->slot[bind->slot].buffer), args->slot[bind->slot].offset + bind->offset};
        }
        status = queue_launch(device, kernel[s], &steps[s], &steps[s].params, range, event ? &event[s] : NULL, err);
    }
    return status;
}

static convoy_status prepare(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *const plan = (struct plan *)base;
    convoy_status status = check_slots(plan, args, 1u << CONVOY_W | 1u << CONVOY_PREPARED, err);
    if (status == CONVOY_OK) {
        pthread_mutex_lock(&plan->device->lock);
        status = run(plan, plan->program.prepare, plan->program.prepare_count, plan->kernel, NULL, args, err);
        pthread_mutex_unlock(&plan->device->lock);
    }
    return status;
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *const plan = (struct plan *)base;
    const struct gpu_program *const program = &plan->program;
    const uint32_t prepared = program->prepared_bytes ? 1u << CONVOY_PREPARED : 0, workspace = program->workspace_bytes ? 1u << CONVOY_WORKSPACE : 0;
    const uint32_t weights = prepared ? 1u << CONVOY_W : 0; /* read by prepare */
    convoy_status status = check_slots(plan, args, (program->reads & ~weights) | program->writes | prepared | workspace, err);
    if (status == CONVOY_OK) {
        pthread_mutex_lock(&plan->device->lock);
        release_events(plan);
        status = run(plan, program->step, program->step_count, plan->kernel + program->prepare_count, plan->profiling ? plan->event : NULL,
                     args, err);
        pthread_mutex_unlock(&plan->device->lock);
    }
    return status;
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

/* Kernels of all steps: nothing is compiled later. */
static convoy_status build(struct plan *plan, struct convoy_error *err)
{
    struct device *const device = plan->device;
    const struct gpu_program *const program = &plan->program;
    const uint32_t count = program->prepare_count + program->step_count;
    plan->kernel = calloc(count ? count : 1, sizeof *plan->kernel);
    if (!plan->kernel)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan's kernels");
    convoy_status status = device_check(device, err);
    for (uint32_t s = 0; s < count && status == CONVOY_OK; s++) {
        const struct gpu_step *const step = s < program->prepare_count ? &program->prepare[s] : &program->step[s - program->prepare_count];
        status = programs_find(device, step, &plan->kernel[s], err);
    }
    if (status == CONVOY_OK)
        status = queue_wait(device, err);
    return status;
}

static convoy_status make_plan(struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    struct self *const self = (struct self *)base;
    struct plan *const plan = calloc(1, sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    plan->device = self->device;
    convoy_status status = gpu_instance_program(&self->base, problem, &plan->program, err);
    if (status != CONVOY_OK) {
        free(plan);
        return status;
    }
    plan->base.ops = plan->program.prepared_bytes ? &prepared_plan_ops : &plan_ops;
    pthread_mutex_lock(&self->device->lock);
    status = build(plan, err);
    pthread_mutex_unlock(&self->device->lock);
    if (status == CONVOY_OK)
        *out = &plan->base;
    else
        destroy(&plan->base);
    return status;
}

/* ---- instances ---- */

static convoy_status supports(const struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_error *err)
{
    const struct self *const self = (const struct self *)base;
    return gpu_program_make(self->base.device, self->base.variant, problem, NULL, err);
}

static convoy_status sync_instance(struct convoy_instance *base, struct convoy_error *err)
{
    struct device *const device = ((struct self *)base)->device;
    pthread_mutex_lock(&device->lock);
    const convoy_status status = queue_wait(device, err);
    pthread_mutex_unlock(&device->lock);
    return status;
}

static void close_instance(struct convoy_instance *base)
{
    device_close(((struct self *)base)->device);
    free(base);
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops,
    .supports = supports,
    .plan = make_plan,
    .sync = sync_instance,
    .close = close_instance,
};

static convoy_status open_instance(const struct convoy_host *host, const char *name, struct convoy_instance **out, struct convoy_error *err)
{
    const enum gpu_variant variant = gpu_variant_find(name);
    if (variant == GPU_VARIANT_COUNT)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "there is no variant \"%s\"", name);
    struct self *const self = calloc(1, sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance");
    const convoy_status status = device_open(host, &self->device, err);
    if (status != CONVOY_OK) {
        free(self);
        return status;
    }
    self->base = (struct gpu_instance){
        .base = {&instance_ops, memory_domain(self->device)},
        .host = host,
        .device = &self->device->planner,
        .tuning = self->device->tuning,
        .variant = variant,
        .software = self->device->software,
    };
    *out = &self->base.base;
    return CONVOY_OK;
}

/* ---- extensions ---- */

static void profile_enable(struct convoy_plan *base, uint32_t on)
{
    struct plan *const plan = (struct plan *)base;
    pthread_mutex_lock(&plan->device->lock);
    release_events(plan);
    if (on && !plan->event)
        plan->event = calloc(plan->program.step_count ? plan->program.step_count : 1, sizeof *plan->event);
    plan->profiling = on && plan->event;
    pthread_mutex_unlock(&plan->device->lock);
}

static void profile_read(const struct convoy_plan *base, struct convoy_profile *out)
{
    const struct plan *const plan = (const struct plan *)base;
    struct device *const device = plan->device;
    struct convoy_profile mine = {.struct_size = out->struct_size};
    pthread_mutex_lock(&device->lock);
    for (uint32_t s = 0; plan->event && s < plan->program.step_count && !device->lost; s++) {
        cl_ulong begin = 0, end = 0;
        if (plan->event[s] &&
            device->api.GetEventProfilingInfo(plan->event[s], CL_PROFILING_COMMAND_START, sizeof begin, &begin, NULL) == CL_SUCCESS &&
            device->api.GetEventProfilingInfo(plan->event[s], CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) == CL_SUCCESS && end > begin)
            mine.phase_ns[plan->program.step[s].phase] += end - begin;
    }
    pthread_mutex_unlock(&device->lock);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
}

static const struct convoy_profiler profiler = {
    .struct_size = sizeof profiler,
    .enable = profile_enable,
    .read = profile_read,
};

static convoy_status describe_device(uint32_t index, struct convoy_device_info *out, struct convoy_error *err)
{
    struct api api;
    struct candidate all[DEVICES_MOST];
    uint32_t count;
    convoy_status status = api_open(&api, err);
    if (status == CONVOY_OK)
        status = choice_list(&api, all, &count, err);
    if (status != CONVOY_OK)
        return status;
    if (index >= count)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "there are %u devices", count);
    struct convoy_device_info mine = {.struct_size = out->struct_size};
    choice_describe(&all[index], &mine);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
    return CONVOY_OK;
}

static const struct convoy_devices devices = {.struct_size = sizeof devices, .describe = describe_device};

static const void *extension(const char *id)
{
    if (!strcmp(id, CONVOY_PROFILE_ID))
        return &profiler;
    if (!strcmp(id, CONVOY_TUNE_ID))
        return &gpu_tuner;
    return strcmp(id, CONVOY_DEVICES_ID) == 0 ? &devices : NULL;
}

const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "opencl",
    .version = OPENCL_VERSION,
    .author = "the Convoy authors",
    .summary = "OpenCL C on any OpenCL 1.2 device; every operation",
    .variants = gpu_variants,
    .threading = CONVOY_THREADS_DEVICE,
    .open = open_instance,
    .extension = extension,
};
