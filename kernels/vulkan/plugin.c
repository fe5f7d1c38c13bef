/* The plugin table of the Vulkan backend: plans are programs of kernels/gpu with their pipelines and parameters. */
#include "device.h"
#include "memory.h"
#include "pipelines.h"
#include "queue.h"
#include <stdlib.h>
#include <string.h>

struct plan {
    struct gpu_plan base;
    VkPipeline *pipeline;     /* of the steps of prepare, then of execute */
    struct uniforms uniforms; /* their parameters, in the same order, each at a multiple of pitch */
    uint64_t pitch;
    VkQueryPool stamps; /* one before the first step and one after each; made when profiling is first enabled */
    bool profiled;
};

static struct device *device_of(const struct gpu_plan *plan)
{
    return (struct device *)plan->device;
}

static void destroy(struct gpu_plan *base)
{
    struct plan *const plan = (struct plan *)base;
    struct device *const device = device_of(base);
    queue_wait(device, NULL);
    uniforms_close(device, &plan->uniforms);
    if (plan->stamps && !device->base.lost)
        device->api.DestroyQueryPool(device->handle, plan->stamps, NULL);
    free(plan->pipeline);
}

static convoy_status build(struct gpu_plan *base, struct convoy_error *err)
{
    struct plan *const plan = (struct plan *)base;
    struct device *const device = device_of(base);
    const uint32_t count = gpu_plan_count(base);
    const uint64_t align = device->properties.limits.minUniformBufferOffsetAlignment;
    plan->pitch = (sizeof(union gpu_params) + align - 1) / align * align;
    plan->pipeline = calloc(count, sizeof(VkPipeline));
    if (!plan->pipeline)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan's pipelines");
    convoy_status status = uniforms_open(device, plan->pitch * count, &plan->uniforms, err);
    for (uint32_t s = 0; s < count && status == CONVOY_OK; s++) {
        const struct gpu_step *const step = gpu_plan_step(base, s);
        memcpy((char *)plan->uniforms.mapped + s * plan->pitch, &step->params, sizeof step->params);
        status = pipelines_find(device, step, &plan->pipeline[s], err);
    }
    return status;
}

static convoy_status run(struct gpu_plan *base, uint32_t first, uint32_t count, const struct convoy_args *args,
                         struct convoy_error *err)
{
    struct plan *const plan = (struct plan *)base;
    struct device *const device = device_of(base);
    const bool stamps = base->profiling && plan->stamps && first == base->program.prepare_count;
    convoy_status status = stamps ? queue_timestamp(device, plan->stamps, count + 1, 0, err) : CONVOY_OK;
    for (uint32_t s = 0; s < count && status == CONVOY_OK; s++) {
        const struct gpu_step *const step = gpu_plan_step(base, first + s);
        struct launch launch = {
            .step = step,
            .pipeline = plan->pipeline[first + s],
            .uniforms = plan->uniforms.buffer,
            .uniforms_offset = (first + s) * plan->pitch,
        };
        for (uint32_t b = 0; b < gpu_modules[step->module].binds; b++) {
            const struct gpu_bind *const bind = &step->bind[b];
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

static convoy_status wait(struct gpu_opened *device, struct convoy_error *err)
{
    return queue_wait((struct device *)device, err);
}

static const struct gpu_backend backend = {
    .device_bytes = sizeof(struct device),
    .plan_bytes = sizeof(struct plan),
    .open = device_open,
    .close = device_close,
    .wait = wait,
    .build = build,
    .destroy = destroy,
    .run = run,
};

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    return gpu_instance_open(&backend, host, variant, out, err);
}

/* ---- extensions ---- */

static void profile_enable(struct convoy_plan *base, uint32_t on)
{
    struct plan *const plan = (struct plan *)base;
    struct device *const device = device_of(&plan->base);
    const VkQueryPoolCreateInfo stamps = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = plan->base.program.step_count + 1,
    };
    pthread_mutex_lock(&device->base.lock);
    plan->base.profiling = on != 0;
    plan->profiled = false;
    if (on && !plan->stamps && device->timestamp_bits &&
        device->api.CreateQueryPool(device->handle, &stamps, NULL, &plan->stamps) != VK_SUCCESS)
        plan->stamps = VK_NULL_HANDLE;
    pthread_mutex_unlock(&device->base.lock);
}

static void profile_read(const struct convoy_plan *base, struct convoy_profile *out)
{
    const struct plan *const plan = (const struct plan *)base;
    struct device *const device = device_of(&plan->base);
    const struct gpu_program *const program = &plan->base.program;
    struct convoy_profile mine = {0};
    const uint32_t count = program->step_count + 1;
    uint64_t *const stamp = calloc(count, sizeof *stamp);
    const uint64_t mask = device->timestamp_bits >= 64 ? UINT64_MAX : ((uint64_t)1 << device->timestamp_bits) - 1;
    pthread_mutex_lock(&device->base.lock);
    if (stamp && plan->profiled && queue_wait(device, NULL) == CONVOY_OK &&
        device->api.GetQueryPoolResults(device->handle, plan->stamps, 0, count, count * sizeof *stamp, stamp, sizeof *stamp,
                                        VK_QUERY_RESULT_64_BIT) == VK_SUCCESS) {
        for (uint32_t s = 0; s + 1 < count; s++)
            mine.phase_ns[program->step[s].phase] +=
                (uint64_t)((double)((stamp[s + 1] - stamp[s]) & mask) * (double)device->properties.limits.timestampPeriod);
    }
    pthread_mutex_unlock(&device->base.lock);
    free(stamp);
    gpu_answer(out, &mine, sizeof mine);
}

static const struct convoy_profiler profiler = {
    .struct_size = sizeof profiler,
    .enable = profile_enable,
    .read = profile_read,
};

static convoy_status describe_device(uint32_t index, struct convoy_device_info *out, struct convoy_error *err)
{
    struct convoy_device_info mine;
    const convoy_status status = device_describe(index, &mine, err);
    if (status == CONVOY_OK)
        gpu_answer(out, &mine, sizeof mine);
    return status;
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
    .name = "vulkan",
    .version = VULKAN_VERSION,
    .author = "the Convoy authors",
    .summary = "compute shaders on any Vulkan 1.2 device; every operation",
    .variants = gpu_variants,
    .threading = CONVOY_THREADS_DEVICE,
    .open = open_instance,
    .extension = extension,
};
