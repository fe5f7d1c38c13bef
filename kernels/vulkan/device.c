#include "device.h"
#include "memory.h"
#include "pipelines.h"
#include "queue.h"
#include "tuning.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEVICES_MOST = 32 };

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct device *shared; /* with users > 0 */
static struct device *lost;   /* those that are not given back, see destroy */

convoy_status device_lose(struct device *device, VkResult result, const char *what, struct convoy_error *err)
{
    if (!device->lost)
        snprintf(device->lost_text, sizeof device->lost_text, "the device is lost: %s: %s", what, api_result(result));
    device->lost = true;
    return device_check(device, err);
}

convoy_status device_check(const struct device *device, struct convoy_error *err)
{
    return device->lost ? convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "%s", device->lost_text) : CONVOY_OK;
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

static bool contains(const char *text, const char *part)
{
    const size_t length = strlen(part);
    for (; *text; text++) {
        if (!strncasecmp(text, part, length))
            return true;
    }
    return false;
}

static convoy_status choose(const struct candidate *list, uint32_t count, const struct candidate **chosen,
                            struct convoy_error *err)
{
    const char *const wish = getenv("CONVOY_DEVICE");
    *chosen = &list[0];
    if (!wish || !*wish)
        return CONVOY_OK;
    char *end;
    const unsigned long index = strtoul(wish, &end, 10);
    if (!*end) {
        if (index >= count)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no Vulkan device %lu, there are %u", index, count);
        *chosen = &list[index];
        return CONVOY_OK;
    }
    for (uint32_t d = 0; d < count; d++) {
        if (contains(list[d].properties.properties.deviceName, wish)) {
            *chosen = &list[d];
            return CONVOY_OK;
        }
    }
    return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no Vulkan device is named like \"%s\"", wish);
}

convoy_status device_list(uint32_t *count, struct device_summary *list, uint32_t most, struct convoy_error *err)
{
    struct api api;
    VkInstance instance = VK_NULL_HANDLE;
    struct candidate all[DEVICES_MOST];
    *count = 0;
    convoy_status status = api_open(&api, &instance, err);
    if (status == CONVOY_OK)
        status = find_candidates(&api, instance, all, count, err);
    for (uint32_t d = 0; status == CONVOY_OK && d < *count && d < most; d++) {
        const VkPhysicalDeviceProperties *const p = &all[d].properties.properties;
        VkPhysicalDeviceMemoryProperties memory;
        api.GetPhysicalDeviceMemoryProperties(all[d].physical, &memory);
        struct device_summary *const s = &list[d];
        *s = (struct device_summary){
            .software = p->deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU,
            .range_bytes = p->limits.maxStorageBufferRange,
            .group_most = p->limits.maxComputeWorkGroupInvocations,
            .shared_bytes = p->limits.maxComputeSharedMemorySize,
            .subgroup = all[d].limits.subgroupSize,
        };
        snprintf(s->name, sizeof s->name, "%s", p->deviceName);
        snprintf(s->type, sizeof s->type, "%s", type_name(p->deviceType));
        snprintf(s->driver, sizeof s->driver, "%.60s %.60s, Vulkan %u.%u", all[d].driver.driverName, all[d].driver.driverInfo,
                 VK_API_VERSION_MAJOR(p->apiVersion), VK_API_VERSION_MINOR(p->apiVersion));
        for (uint32_t h = 0; h < memory.memoryHeapCount; h++) {
            if ((memory.memoryHeaps[h].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) && memory.memoryHeaps[h].size > s->memory_bytes)
                s->memory_bytes = memory.memoryHeaps[h].size;
        }
    }
    if (instance && api.DestroyInstance)
        api.DestroyInstance(instance, NULL);
    return status;
}

/* ---- the device ---- */

static void describe_to_planner(struct device *device, const struct candidate *chosen)
{
    const VkPhysicalDeviceLimits *const limits = &device->properties.limits;
    const char *const family = getenv("CONVOY_GPU_FAMILY"); /* "gpu", "cpu": whichever kernels a test wants */
    const char *const slice = getenv("CONVOY_GPU_RANGE");   /* bytes: the most of one bind, for tests of slices */
    struct gpu_device *const planner = &device->planner;
    uint64_t heap = 0;
    for (uint32_t h = 0; h < device->memory_types.memoryHeapCount; h++) {
        if ((device->memory_types.memoryHeaps[h].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) &&
            device->memory_types.memoryHeaps[h].size > heap)
            heap = device->memory_types.memoryHeaps[h].size;
    }
    const uint64_t align = limits->minStorageBufferOffsetAlignment;
    *planner = (struct gpu_device){
        .cpu_family = family ? !strcmp(family, "cpu") : device->software,
        .specialise = !device->software,
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
    if (slice && strtoull(slice, NULL, 10) >= 1024)
        planner->range_bytes = strtoull(slice, NULL, 10);
}

/* The driver by all that tells one from another; the pipeline cache's UUID changes with the compiler too. */
static void open_tuning(struct device *device)
{
    const VkPhysicalDeviceProperties *const p = &device->properties;
    char driver[160];
    int length = snprintf(driver, sizeof driver, "%.40s %.40s %x ", device->driver.driverName, device->driver.driverInfo, p->driverVersion);
    for (uint32_t b = 0; b < VK_UUID_SIZE; b++)
        length += snprintf(driver + length, sizeof driver - (size_t)length, "%02x", p->pipelineCacheUUID[b]);
    device->tuning = gpu_tuning_open(
        &(struct gpu_tuning_owner){.plugin = "vulkan", .version = VULKAN_VERSION, .device = p->deviceName, .driver = driver},
        device->host);
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
    device->software = device->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    device->debug_barriers = getenv("CONVOY_GPU_BARRIERS") != NULL;
    device->buffer_bytes = chosen->limits.maxMemoryAllocationSize;
    snprintf(device->name, sizeof device->name, "vulkan:%.40s%s", device->properties.deviceName,
             device->software ? " (software)" : "");
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

/* Of a device that did not answer nothing is given back: it may still be at work on what would be freed. */
static void destroy(struct device *device)
{
    if (device->lost) {
        device->next_lost = lost;
        lost = device;
        return;
    }
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
    gpu_tuning_close(device->tuning);
    pthread_mutex_destroy(&device->lock);
    free(device);
}

static convoy_status open_device(const struct convoy_host *host, struct device **out, struct convoy_error *err)
{
    struct device *const device = calloc(1, sizeof *device);
    struct candidate all[DEVICES_MOST];
    const struct candidate *chosen;
    uint32_t count;
    if (!device)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a device");
    pthread_mutex_init(&device->lock, NULL);
    device->host = host;
    convoy_status status = api_open(&device->api, &device->instance, err);
    if (status == CONVOY_OK)
        status = find_candidates(&device->api, device->instance, all, &count, err);
    if (status == CONVOY_OK)
        status = choose(all, count, &chosen, err);
    if (status == CONVOY_OK)
        status = create(device, chosen, err);
    if (status == CONVOY_OK)
        *out = device;
    else
        destroy(device);
    return status;
}

convoy_status device_open(const struct convoy_host *host, struct device **device, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    pthread_mutex_lock(&shared_lock);
    if (!shared)
        status = open_device(host, &shared, err);
    if (status == CONVOY_OK) {
        shared->users++;
        *device = shared;
    }
    pthread_mutex_unlock(&shared_lock);
    return status;
}

void device_close(struct device *device)
{
    pthread_mutex_lock(&shared_lock);
    if (--device->users == 0) {
        shared = NULL;
        destroy(device);
    }
    pthread_mutex_unlock(&shared_lock);
}
