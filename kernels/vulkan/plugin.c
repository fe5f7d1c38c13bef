/* The plugin table of the Vulkan backend: plans are programs of kernels/gpu with their pipelines and parameters. */
#include "device.h"
#include "memory.h"
#include "pipelines.h"
#include "queue.h"
#include "tuning.h"
#include <convoy/devices.h>
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
    VkPipeline *pipeline;     /* of the steps of prepare, then of execute */
    struct uniforms uniforms; /* their parameters, in the same order, each at a multiple of pitch */
    uint64_t pitch;
    VkQueryPool stamps; /* one before the first step and one after each; made when profiling is first enabled */
    bool profiling, profiled;
};

/* ---- plans ---- */

static void destroy(struct convoy_plan *base)
{
    struct plan *const plan = (struct plan *)base;
    struct device *const device = plan->device;
    pthread_mutex_lock(&device->lock);
    queue_wait(device, NULL);
    uniforms_close(device, &plan->uniforms);
    if (plan->stamps && !device->lost)
        device->api.DestroyQueryPool(device->handle, plan->stamps, NULL);
    pthread_mutex_unlock(&device->lock);
    gpu_program_free(&plan->program);
    free(plan->pipeline);
    free(plan);
}

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    const struct plan *const plan = (const struct plan *)base;
    const struct gpu_program *const program = &plan->program;
    struct convoy_plan_info mine = {
        .struct_size = out->struct_size,
        .workspace_bytes = program->workspace_bytes,
        .prepared_bytes = program->prepared_bytes,
        .numerics = program->numerics,
    };
    /* Every row of every report names the algorithm, and so says where it did not run on a GPU. */
    gpu_program_label(program, plan->device->software, mine.algorithm);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
}

static convoy_status check_slots(const struct plan *plan, const struct convoy_args *args, uint32_t needed,
                                 struct convoy_error *err)
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

static convoy_status run(struct plan *plan, const struct gpu_step *steps, uint32_t count, uint32_t first,
                         const struct convoy_args *args, struct convoy_error *err)
{
    struct device *const device = plan->device;
    const bool stamps = plan->profiling && plan->stamps && steps == plan->program.step;
    convoy_status status = stamps ? queue_timestamp(device, plan->stamps, count + 1, 0, err) : CONVOY_OK;
    for (uint32_t s = 0; s < count && status == CONVOY_OK; s++) {
        struct launch launch = {
            .step = &steps[s],
            .pipeline = plan->pipeline[first + s],
            .uniforms = plan->uniforms.buffer,
            .uniforms_offset = (first + s) * plan->pitch,
        };
        for (uint32_t b = 0; b < gpu_modules[steps[s].module].binds; b++) {
            const struct gpu_bind *const bind = &steps[s].bind[b];
            if (bind->bytes) {
                const struct convoy_tensor tensor = args->slot[bind->slot];
                launch.range[b] = memory_range((struct convoy_tensor){tensor.buffer, tensor.offset + bind->offset});
            }
        }
        status = queue_launch(device, &launch, err);
        if (status == CONVOY_OK && stamps)
            status = queue_timestamp(device, plan->stamps, 0, s + 1, err);
    }
    if (stamps)
        plan->profiled = status == CONVOY_OK;
    return status;
}

static convoy_status prepare(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *const plan = (struct plan *)base;
    convoy_status status = check_slots(plan, args, 1u << CONVOY_W | 1u << CONVOY_PREPARED, err);
    if (status == CONVOY_OK) {
        pthread_mutex_lock(&plan->device->lock);
        status = run(plan, plan->program.prepare, plan->program.prepare_count, 0, args, err);
        pthread_mutex_unlock(&plan->device->lock);
    }
    return status;
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *const plan = (struct plan *)base;
    const struct gpu_program *const program = &plan->program;
    const uint32_t prepared = program->prepared_bytes ? 1u << CONVOY_PREPARED : 0,
                   workspace = program->workspace_bytes ? 1u << CONVOY_WORKSPACE : 0;
    const uint32_t weights = prepared ? 1u << CONVOY_W : 0; /* read by prepare */
    convoy_status status = check_slots(plan, args, ((program->reads & ~weights) | program->writes | prepared | workspace), err);
    if (status == CONVOY_OK) {
        pthread_mutex_lock(&plan->device->lock);
        status = run(plan, program->step, program->step_count, program->prepare_count, args, err);
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

static const struct gpu_step *step_at(const struct plan *plan, uint32_t s)
{
    return s < plan->program.prepare_count ? &plan->program.prepare[s] : &plan->program.step[s - plan->program.prepare_count];
}

/* Pipelines and parameters of all steps: nothing is compiled later. */
static convoy_status build(struct plan *plan, struct convoy_error *err)
{
    struct device *const device = plan->device;
    const uint32_t count = plan->program.prepare_count + plan->program.step_count;
    const uint64_t align = device->properties.limits.minUniformBufferOffsetAlignment;
    plan->pitch = (sizeof(union gpu_params) + align - 1) / align * align;
    plan->pipeline = calloc(count, sizeof(VkPipeline));
    if (!plan->pipeline)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan's pipelines");
    convoy_status status = device_check(device, err);
    if (status == CONVOY_OK)
        status = uniforms_open(device, plan->pitch * count, &plan->uniforms, err);
    for (uint32_t s = 0; s < count && status == CONVOY_OK; s++) {
        const struct gpu_step *const step = step_at(plan, s);
        memcpy((char *)plan->uniforms.mapped + s * plan->pitch, &step->params, sizeof step->params);
        status = pipelines_find(device, step, &plan->pipeline[s], err);
    }
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

static convoy_status open_instance(const struct convoy_host *host, const char *name, struct convoy_instance **out,
                                   struct convoy_error *err)
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
    struct device *const device = plan->device;
    const VkQueryPoolCreateInfo stamps = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = plan->program.step_count + 1,
    };
    pthread_mutex_lock(&device->lock);
    plan->profiling = on != 0;
    plan->profiled = false;
    if (on && !plan->stamps && device->timestamp_bits &&
        device->api.CreateQueryPool(device->handle, &stamps, NULL, &plan->stamps) != VK_SUCCESS)
        plan->stamps = VK_NULL_HANDLE;
    pthread_mutex_unlock(&device->lock);
}

static void profile_read(const struct convoy_plan *base, struct convoy_profile *out)
{
    const struct plan *const plan = (const struct plan *)base;
    struct device *const device = plan->device;
    struct convoy_profile mine = {.struct_size = out->struct_size};
    const uint32_t count = plan->program.step_count + 1;
    uint64_t *const stamp = calloc(count, sizeof *stamp);
    const uint64_t mask = device->timestamp_bits >= 64 ? UINT64_MAX : ((uint64_t)1 << device->timestamp_bits) - 1;
    pthread_mutex_lock(&device->lock);
    if (stamp && plan->profiled && queue_wait(device, NULL) == CONVOY_OK &&
        device->api.GetQueryPoolResults(device->handle, plan->stamps, 0, count, count * sizeof *stamp, stamp, sizeof *stamp,
                                        VK_QUERY_RESULT_64_BIT) == VK_SUCCESS) {
        for (uint32_t s = 0; s + 1 < count; s++)
            mine.phase_ns[plan->program.step[s].phase] +=
                (uint64_t)((double)((stamp[s + 1] - stamp[s]) & mask) * (double)device->properties.limits.timestampPeriod);
    }
    pthread_mutex_unlock(&device->lock);
    free(stamp);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
}

static const struct convoy_profiler profiler = {
    .struct_size = sizeof profiler,
    .enable = profile_enable,
    .read = profile_read,
};

enum { LISTED_MOST = 32 };

static convoy_status list_devices(uint32_t index, struct convoy_device_info *out, struct convoy_error *err)
{
    struct device_summary list[LISTED_MOST];
    uint32_t count;
    const convoy_status status = device_list(&count, list, LISTED_MOST, err);
    if (status != CONVOY_OK)
        return status;
    if (index >= count || index >= LISTED_MOST)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "there are %u devices", count);
    const struct device_summary *const s = &list[index];
    struct convoy_device_info mine = {
        .struct_size = out->struct_size,
        .software = s->software,
        .memory_bytes = s->memory_bytes,
        .range_bytes = s->range_bytes,
        .group_most = s->group_most,
        .shared_bytes = s->shared_bytes,
        .subgroup = s->subgroup,
    };
    memcpy(mine.name, s->name, sizeof mine.name);
    memcpy(mine.type, s->type, sizeof mine.type);
    memcpy(mine.driver, s->driver, sizeof mine.driver);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
    return CONVOY_OK;
}

static const struct convoy_devices devices = {.struct_size = sizeof devices, .describe = list_devices};

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
    .name = "vulkan",
    .version = VULKAN_VERSION,
    .author = "the Convoy authors",
    .summary = "compute shaders on any Vulkan 1.2 device; every operation",
    .variants = gpu_variants,
    .threading = CONVOY_THREADS_DEVICE,
    .open = open_instance,
    .extension = extension,
};
