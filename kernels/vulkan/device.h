/* device.h: the Vulkan device of the process: its instance, limits, memory, queue and pipelines. Knows nothing of convolutions. */
#ifndef CONVOY_VULKAN_DEVICE_H
#define CONVOY_VULKAN_DEVICE_H

#include "api.h"
#include "backend.h"

#define VULKAN_VERSION "1.0" /* of the plugin: configurations that were chosen hold for one version */

struct memory_pool;
struct queue;
struct pipelines;

struct device {
    struct gpu_opened base;
    struct api api;
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice handle;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceDriverProperties driver;
    VkPhysicalDeviceMemoryProperties memory_types;
    uint64_t buffer_bytes; /* the most that one allocation may have */
    uint32_t family;       /* of the queue */
    uint32_t timestamp_bits;
    bool debug_barriers; /* a barrier after every launch */
    struct memory_pool *memory;
    struct queue *queue;
    struct pipelines *pipelines;
};

/* As struct gpu_backend says. */
convoy_status device_open(struct gpu_opened *opened, struct convoy_error *err);
void device_close(struct gpu_opened *opened);

/* As struct convoy_devices says; fills all of *info. */
convoy_status device_describe(uint32_t index, struct convoy_device_info *info, struct convoy_error *err);

convoy_status device_lose(struct device *device, VkResult result, const char *what, struct convoy_error *err);

#endif
