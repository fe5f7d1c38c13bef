/* memory.h: the device's memory as a domain of the ABI. Tensors are ranges of a few large blocks, each one buffer of Vulkan; host
 * memory reaches them through a staging buffer, or directly where the device shares the host's memory. */
#ifndef CONVOY_VULKAN_MEMORY_H
#define CONVOY_VULKAN_MEMORY_H

#include "device.h"

convoy_status memory_open(struct device *device, struct convoy_error *err);
void memory_close(struct device *device);

/* A range of device memory; offset counts from the start of `buffer`. */
struct range {
    VkBuffer buffer;
    uint64_t offset;
    void *mapped; /* of the range; NULL: not addressable */
};
/* Where a tensor of this domain is. */
struct range memory_range(struct convoy_tensor tensor);

/* A buffer for the parameters of plans: addressable by the host and bound as uniforms. Under the device's lock. */
struct uniforms {
    VkBuffer buffer;
    VkDeviceMemory memory;
    void *mapped;
};
convoy_status uniforms_open(struct device *device, uint64_t bytes, struct uniforms *uniforms, struct convoy_error *err);
void uniforms_close(struct device *device, struct uniforms *uniforms);

#endif
