/* pipelines.h: compiled kernels by module, work-group size and constants, shared by all plans, and their cache on disk. */
#ifndef CONVOY_VULKAN_PIPELINES_H
#define CONVOY_VULKAN_PIPELINES_H

#include "device.h"

enum { BINDING_PARAMS = GPU_BINDS_MOST };
struct push { /* the push constants of every kernel */
    int32_t base[GPU_BINDS_MOST];
    int32_t group_first;
};

convoy_status pipelines_open(struct device *device, struct convoy_error *err);
void pipelines_close(struct device *device);
/* The pipeline of a step, made now if it is new; it lives as long as the device. Under the device's lock. */
convoy_status pipelines_find(struct device *device, const struct gpu_step *step, VkPipeline *pipeline, struct convoy_error *err);
VkPipelineLayout pipelines_layout(const struct device *device);
VkDescriptorSetLayout pipelines_sets(const struct device *device);

#endif
