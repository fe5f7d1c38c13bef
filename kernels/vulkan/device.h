/* device.h: one Vulkan device of the process: its choice, limits, memory, queue and pipelines. Instances of the plugin share it,
 * so that tensors stay where they are when the variants of a net's layers differ. Knows nothing of convolutions. */
#ifndef CONVOY_VULKAN_DEVICE_H
#define CONVOY_VULKAN_DEVICE_H

#include "api.h"
#include "gpu.h"
#include <pthread.h>

#define VULKAN_VERSION "1.0" /* of the plugin: configurations that were chosen hold for one version */

struct memory_pool;
struct queue;
struct pipelines;

struct device {
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
    bool software;             /* a CPU that plays the device */
    bool debug_barriers;       /* a barrier after every launch */
    struct gpu_tuning *tuning; /* what was chosen for this device */
    struct gpu_device planner; /* what the planner may assume */
    pthread_mutex_t lock;      /* held by every function below memory, queue and pipelines that is called from outside */
    const struct convoy_host *host;
    bool lost; /* sticky: every later call fails at once */
    char lost_text[160];
    struct memory_pool *memory;
    struct queue *queue;
    struct pipelines *pipelines;
    char name[64]; /* "vulkan:llvmpipe (software)" */
    uint32_t users;
    struct device *next_lost;
};

/* The device that the environment asks for (CONVOY_DEVICE: index or part of a name), else the first of discrete, integrated,
 * virtual, CPU. Failure says why there is none. [any] */
convoy_status device_open(const struct convoy_host *host, struct device **device, struct convoy_error *err);
void device_close(struct device *device);

/* The devices of this machine in the order of their indices. [any] */
struct device_summary {
    char name[160], type[16], driver[160];
    bool software;
    uint64_t memory_bytes, range_bytes;
    uint32_t group_most, shared_bytes, subgroup;
};
convoy_status device_list(uint32_t *count, struct device_summary *list, uint32_t most, struct convoy_error *err);

/* Notes that the device is gone and fails. */
convoy_status device_lose(struct device *device, VkResult result, const char *what, struct convoy_error *err);
/* OK, or the failure that a lost device answers with. */
convoy_status device_check(const struct device *device, struct convoy_error *err);

#endif
