/* The plugin table of the OpenCL backend: plans are programs of kernels/gpu with their kernels. */
#include "device.h"
#include "memory.h"
#include "programs.h"
#include "queue.h"
#include <convoy/profile.h>
#include <stdlib.h>
#include <string.h>

struct plan {
    struct gpu_plan base;
    cl_kernel *kernel; /* of the steps of prepare, then of execute */
    struct span *span; /* of the steps of the last profiled execute; made when profiling is first enabled */
};

static struct device *device_of(const struct gpu_plan *plan)
{
    return (struct device *)plan->device;
}

static void release_events(struct plan *plan)
{
    struct device *const device = device_of(&plan->base);
    for (uint32_t s = 0; plan->span && s < plan->base.program.step_count; s++) {
        const cl_event event[] = {plan->span[s].first, plan->span[s].last};
        for (int e = 0; e < 2 && !device->base.lost; e++) {
            if (event[e])
                device->api.ReleaseEvent(event[e]);
        }
        plan->span[s] = (struct span){0};
    }
}

static void destroy(struct gpu_plan *base)
{
    struct plan *const plan = (struct plan *)base;
    release_events(plan);
    free(plan->kernel);
    free(plan->span);
}

static convoy_status build(struct gpu_plan *base, struct convoy_error *err)
{
    struct plan *const plan = (struct plan *)base;
    struct device *const device = device_of(base);
    const uint32_t count = gpu_plan_count(base);
    plan->kernel = calloc(count, sizeof *plan->kernel);
    if (!plan->kernel)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan's kernels");
    convoy_status status = CONVOY_OK;
    for (uint32_t s = 0; s < count && status == CONVOY_OK; s++)
        status = programs_find(device, gpu_plan_step(base, s), &plan->kernel[s], err);
    return status == CONVOY_OK ? queue_wait(device, err) : status;
}

static convoy_status run(struct gpu_plan *base, uint32_t first, uint32_t count, const struct convoy_args *args,
                         struct convoy_error *err)
{
    struct plan *const plan = (struct plan *)base;
    struct device *const device = device_of(base);
    const bool profiled = base->profiling && first == base->program.prepare_count;
    if (profiled)
        release_events(plan);
    convoy_status status = queue_profile(device, profiled, err);
    for (uint32_t s = 0; s < count && status == CONVOY_OK; s++) {
        const struct gpu_step *const step = gpu_plan_step(base, first + s);
        struct range range[GPU_BINDS_MOST] = {{0}};
        for (uint32_t b = 0; b < gpu_modules[step->module].binds; b++) {
            const struct gpu_bind *const bind = &step->bind[b];
            if (bind->bytes)
                range[b] = (struct range){memory_handle(args->slot[bind->slot].buffer), args->slot[bind->slot].offset + bind->offset};
        }
        status = queue_launch(device, plan->kernel[first + s], step, range, profiled ? &plan->span[s] : NULL, err);
    }
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
    const uint32_t count = plan->base.program.step_count;
    pthread_mutex_lock(&plan->base.device->lock);
    release_events(plan);
    if (on && !plan->span)
        plan->span = calloc(count, sizeof *plan->span);
    plan->base.profiling = on && plan->span;
    pthread_mutex_unlock(&plan->base.device->lock);
}

static void profile_read(const struct convoy_plan *base, struct convoy_profile *out)
{
    const struct plan *const plan = (const struct plan *)base;
    struct device *const device = device_of(&plan->base);
    const struct gpu_program *const program = &plan->base.program;
    struct convoy_profile mine = {0};
    pthread_mutex_lock(&device->base.lock);
    for (uint32_t s = 0; plan->span && s < program->step_count && !device->base.lost; s++) {
        const cl_event first = plan->span[s].first, last = plan->span[s].last ? plan->span[s].last : first;
        cl_ulong begin = 0, end = 0;
        if (first &&
            device->api.GetEventProfilingInfo(first, CL_PROFILING_COMMAND_START, sizeof begin, &begin, NULL) == CL_SUCCESS &&
            device->api.GetEventProfilingInfo(last, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) == CL_SUCCESS &&
            end > begin)
            mine.phase_ns[program->step[s].phase] += end - begin;
    }
    pthread_mutex_unlock(&device->base.lock);
    gpu_answer(out, &mine, sizeof mine);
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
    struct convoy_device_info mine = {0};
    choice_describe(&all[index], &mine);
    gpu_answer(out, &mine, sizeof mine);
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
