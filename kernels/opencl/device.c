#include "device.h"
#include "memory.h"
#include "programs.h"
#include "queue.h"
#include <stdlib.h>
#include <string.h>

convoy_status device_lose(struct device *device, cl_int result, const char *what, struct convoy_error *err)
{
    return gpu_device_lose(&device->base, what, api_result(result), err);
}

/* -9999 is NVIDIA's "illegal access"; the others say that the queue, or what ran in it, is dead. */
convoy_status device_fail(struct device *device, cl_int result, const char *what, struct convoy_error *err)
{
    const bool lost = result == -9999 || result == CL_INVALID_COMMAND_QUEUE || result == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST ||
                      result == CL_DEVICE_NOT_AVAILABLE;
    return lost ? device_lose(device, result, what, err) : api_fail(err, result, what);
}

static cl_ulong least(cl_ulong a, cl_ulong b)
{
    return a < b ? a : b;
}

static void describe_to_planner(struct device *device)
{
    const struct candidate *const c = &device->choice;
    const cl_ulong base_align = c->base_align_bits / 8;
    device->base.planner = (struct gpu_device){
        .cpu_family = device->base.software,
        .specialise = !device->base.software,
        .vector = c->vector >= 16  ? 16
                  : c->vector >= 8 ? 8
                                   : 4,
        .lanes = 1,
        .group_most = (uint32_t)least(c->group_most, INT32_MAX),
        .grid_most = INT32_MAX,
        .shared_bytes = (uint32_t)least(c->shared_bytes, INT32_MAX),
        .align_bytes = base_align > 256 ? (uint32_t)base_align : 256,
        .cores = c->units,
        .range_bytes = least(c->alloc_bytes, (cl_ulong)4 << 30),
        .workspace_bytes = least(c->memory_bytes / 2, c->alloc_bytes),
    };
    gpu_device_overrule(&device->base.planner);
}

static convoy_status create(struct device *device, struct convoy_error *err)
{
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)device->choice.platform, 0};
    cl_int result = CL_SUCCESS;
    device->base.software = choice_is_software(&device->choice);
    snprintf(device->base.name, sizeof device->base.name, "opencl:%.40s%s", device->choice.name,
             device->base.software ? " (software)" : "");
    describe_to_planner(device);
    device->base.tuning = gpu_tuning_open(
        &(struct gpu_tuning_owner){
            .plugin = "opencl", .version = OPENCL_VERSION, .device = device->choice.name, .driver = device->choice.driver},
        device->base.host);
    device->context = device->api.CreateContext(properties, 1, &device->choice.device, NULL, NULL, &result);
    if (result != CL_SUCCESS)
        return api_fail(err, result, "clCreateContext");
    convoy_status status = memory_open(device, err);
    if (status == CONVOY_OK)
        status = queue_open(device, err);
    if (status == CONVOY_OK)
        status = programs_open(device, err);
    return status;
}

convoy_status device_open(struct gpu_opened *opened, struct convoy_error *err)
{
    struct device *const device = (struct device *)opened;
    struct candidate all[DEVICES_MOST];
    const char *name[DEVICES_MOST];
    uint32_t count = 0, chosen = 0;
    convoy_status status = api_open(&device->api, err);
    if (status == CONVOY_OK)
        status = choice_list(&device->api, all, &count, err);
    for (uint32_t d = 0; d < count; d++)
        name[d] = all[d].name;
    if (status == CONVOY_OK)
        status = gpu_device_choose("OpenCL", name, count, &chosen, err);
    if (status == CONVOY_OK) {
        device->choice = all[chosen];
        status = create(device, err);
    }
    return status;
}

void device_close(struct gpu_opened *opened)
{
    struct device *const device = (struct device *)opened;
    if (device->queue)
        queue_close(device);
    if (device->programs)
        programs_close(device);
    if (device->memory)
        memory_close(device);
    if (device->context)
        device->api.ReleaseContext(device->context);
}
