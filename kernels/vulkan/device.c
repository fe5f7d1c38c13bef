#include "device.h"
#include "memory.h"
#include "pipelines.h"
#include "queue.h"
#include <stdlib.h>
#include <string.h>

enum { DEVICES_MOST = 32 };

convoy_status device_lose(struct device *device, VkResult result, const char *what, struct convoy_error *err)
{
    return gpu_device_lose(&device->base, what, api_result(result), err);
}

/* ---- which device ---- */

struct candidate {
    VkPhysicalDevice physical;
    VkPhysicalDeviceProperties2 properties;
    VkPhysicalDeviceVulkan11Properties limits;
    VkPhysicalDeviceDriverProperties driver;
    uint32_t family, timestamp_bits;
    bool usable;
};

static int rank_of(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return 0;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return 1;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return 2;
    default:
        return 3;
    }
}

static const char *type_name(VkPhysicalDeviceType type)
{
    static const char *const names[] = {"discrete", "integrated", "virtual", "cpu"};
    return names[rank_of(type)];
}

/* A compute queue, with timestamps where one has them. */
static bool find_queue(const struct api *api, struct candidate *candidate)
{
    VkQueueFamilyProperties families[16];
    uint32_t count = 16;
    bool found = false;
    api->GetPhysicalDeviceQueueFamilyProperties(candidate->physical, &count, families);
    for (uint32_t f = 0; f < count; f++) {
        if (!(families[f].queueFlags & VK_QUEUE_COMPUTE_BIT) ||
            (found && !(families[f].timestampValidBits && !candidate->timestamp_bits)))
            continue;
        found = true;
        candidate->family = f;
        candidate->timestamp_bits = families[f].timestampValidBits;
    }
    return found;
}

static void describe(const struct api *api, struct candidate *candidate)
{
    candidate->driver = (VkPhysicalDeviceDriverProperties){.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    candidate->limits = (VkPhysicalDeviceVulkan11Properties){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES,
        .pNext = &candidate->driver,
    };
    candidate->properties = (VkPhysicalDeviceProperties2){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &candidate->limits,
    };
    api->GetPhysicalDeviceProperties2(candidate->physical, &candidate->properties);
    const VkPhysicalDeviceProperties *const p = &candidate->properties.properties;
    candidate->usable = p->apiVersion >= VK_API_VERSION_1_2 && p->limits.maxPerStageDescriptorStorageBuffers >= GPU_BINDS_MOST &&
                        find_queue(api, candidate);
}

/* All devices, best kind first, otherwise in the loader's order. */
static convoy_status find_candidates(const struct api *api, VkInstance instance, struct candidate *list, uint32_t *count,
                                     struct convoy_error *err)
{
    VkPhysicalDevice physical[DEVICES_MOST];
    uint32_t found = DEVICES_MOST;
    const VkResult result = api->EnumeratePhysicalDevices(instance, &found, physical);
    *count = 0;
    if ((result != VK_SUCCESS && result != VK_INCOMPLETE) || !found)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no Vulkan device here");
    struct candidate all[DEVICES_MOST];
    for (uint32_t d = 0; d < found; d++) {
        all[d] = (struct candidate){.physical = physical[d]};
        describe(api, &all[d]);
    }
    for (int rank = 0; rank < 4; rank++) {
        for (uint32_t d = 0; d < found; d++) {
            if (all[d].usable && rank_of(all[d].properties.properties.deviceType) == rank)
                list[(*count)++] = all[d];
        }
    }
    return *count ? CONVOY_OK
                  : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE,
                                "no Vulkan device with version 1.2 and a compute queue here");
}

static uint64_t local_bytes(const VkPhysicalDeviceMemoryProperties *memory)
{
    uint64_t most = 0;
    for (uint32_t h = 0; h < memory->memoryHeapCount; h++) {
        if ((memory->memoryHeaps[h].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) && memory->memoryHeaps[h].size > most)
            most = memory->memoryHeaps[h].size;
    }
    return most;
}

static void describe_candidate(const struct api *api, const struct candidate *candidate, struct convoy_device_info *info)
{
    const VkPhysicalDeviceProperties *const p = &candidate->properties.properties;
    VkPhysicalDeviceMemoryProperties memory;
    api->GetPhysicalDeviceMemoryProperties(candidate->physical, &memory);
    *info = (struct convoy_device_info){
        .software = p->deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU,
        .memory_bytes = local_bytes(&memory),
        .range_bytes = p->limits.maxStorageBufferRange,
        .group_most = p->limits.maxComputeWorkGroupInvocations,
        .shared_bytes = p->limits.maxComputeSharedMemorySize,
        .subgroup = candidate->limits.subgroupSize,
    };
    snprintf(info->name, sizeof info->name, "%.159s", p->deviceName);
    snprintf(info->type, sizeof info->type, "%s", type_name(p->deviceType));
    snprintf(info->driver, sizeof info->driver, "%.60s %.60s, Vulkan %u.%u", candidate->driver.driverName,
             candidate->driver.driverInfo, VK_API_VERSION_MAJOR(p->apiVersion), VK_API_VERSION_MINOR(p->apiVersion));
}

convoy_status device_describe(uint32_t index, struct convoy_device_info *info, struct convoy_error *err)
{
    struct api api;
    VkInstance instance = VK_NULL_HANDLE;
    struct candidate all[DEVICES_MOST];
    uint32_t count = 0;
    convoy_status status = api_open(&api, &instance, err);
    if (status == CONVOY_OK)
        status = find_candidates(&api, instance, all, &count, err);
    if (status == CONVOY_OK && index >= count)
        status = convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "there are %u devices", count);
    if (status == CONVOY_OK)
        describe_candidate(&api, &all[index], info);
    if (instance && api.DestroyInstance)
        api.DestroyInstance(instance, NULL);
    return status;
}

/* ---- the device ---- */

static void describe_to_planner(struct device *device, const struct candidate *chosen)
{
    const VkPhysicalDeviceLimits *const limits = &device->properties.limits;
    struct gpu_device *const planner = &device->base.planner;
    const uint64_t heap = local_bytes(&device->memory_types);
    const uint64_t align = limits->minStorageBufferOffsetAlignment;
    *planner = (struct gpu_device){
        .cpu_family = device->base.software,
        .specialise = !device->base.software,
        .vector = 4,
        .lanes = chosen->limits.subgroupSize,
        .group_most = limits->maxComputeWorkGroupInvocations < limits->maxComputeWorkGroupSize[0]
                          ? limits->maxComputeWorkGroupInvocations
                          : limits->maxComputeWorkGroupSize[0],
        .grid_most = limits->maxComputeWorkGroupCount[0] < limits->maxComputeWorkGroupCount[1]
                         ? limits->maxComputeWorkGroupCount[0]
                         : limits->maxComputeWorkGroupCount[1],
        .shared_bytes = limits->maxComputeSharedMemorySize,
        .align_bytes = align > 256 ? (uint32_t)align : 256,
        .range_bytes = limits->maxStorageBufferRange,
        .workspace_bytes = heap / 2 < device->buffer_bytes ? heap / 2 : device->buffer_bytes,
    };
    gpu_device_overrule(planner);
}

/* The driver by all that tells one from another; the pipeline cache's UUID changes with the compiler too. */
static void open_tuning(struct device *device)
{
    const VkPhysicalDeviceProperties *const p = &device->properties;
    char driver[160];
    int length = snprintf(driver, sizeof driver, "%.40s %.40s %x ", device->driver.driverName, device->driver.driverInfo,
                          p->driverVersion);
    for (uint32_t b = 0; b < VK_UUID_SIZE; b++)
        length += snprintf(driver + length, sizeof driver - (size_t)length, "%02x", p->pipelineCacheUUID[b]);
    device->base.tuning = gpu_tuning_open(
        &(struct gpu_tuning_owner){.plugin = "vulkan", .version = VULKAN_VERSION, .device = p->deviceName, .driver = driver},
        device->base.host);
}

static convoy_status create(struct device *device, const struct candidate *chosen, struct convoy_error *err)
{
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = chosen->family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue};
    device->physical = chosen->physical;
    device->properties = chosen->properties.properties;
    device->driver = chosen->driver;
    device->driver.pNext = NULL;
    device->family = chosen->family;
    device->timestamp_bits = chosen->timestamp_bits;
    device->base.software = device->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    device->debug_barriers = getenv("CONVOY_GPU_BARRIERS") != NULL;
    device->buffer_bytes = chosen->limits.maxMemoryAllocationSize;
    snprintf(device->base.name, sizeof device->base.name, "vulkan:%.40s%s", device->properties.deviceName,
             device->base.software ? " (software)" : "");
    device->api.GetPhysicalDeviceMemoryProperties(device->physical, &device->memory_types);
    describe_to_planner(device, chosen);
    open_tuning(device);
    const VkResult result = device->api.CreateDevice(device->physical, &info, NULL, &device->handle);
    if (result != VK_SUCCESS)
        return api_fail(err, result, "vkCreateDevice");
    convoy_status status = api_load_device(&device->api, device->handle, err);
    if (status == CONVOY_OK)
        status = memory_open(device, err);
    if (status == CONVOY_OK)
        status = queue_open(device, err);
    if (status == CONVOY_OK)
        status = pipelines_open(device, err);
    return status;
}

convoy_status device_open(struct gpu_opened *opened, struct convoy_error *err)
{
    struct device *const device = (struct device *)opened;
    struct candidate all[DEVICES_MOST];
    const char *name[DEVICES_MOST];
    uint32_t count = 0, chosen = 0;
    convoy_status status = api_open(&device->api, &device->instance, err);
    if (status == CONVOY_OK)
        status = find_candidates(&device->api, device->instance, all, &count, err);
    for (uint32_t d = 0; d < count; d++)
        name[d] = all[d].properties.properties.deviceName;
    if (status == CONVOY_OK)
        status = gpu_device_choose("Vulkan", name, count, &chosen, err);
    return status == CONVOY_OK ? create(device, &all[chosen], err) : status;
}

void device_close(struct gpu_opened *opened)
{
    struct device *const device = (struct device *)opened;
    if (device->queue)
        queue_close(device);
    if (device->pipelines)
        pipelines_close(device);
    if (device->memory)
        memory_close(device);
    if (device->handle && device->api.DestroyDevice)
        device->api.DestroyDevice(device->handle, NULL);
    if (device->instance && device->api.DestroyInstance)
        device->api.DestroyInstance(device->instance, NULL);
}
