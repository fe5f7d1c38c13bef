/* queue.h: launches in order. They are appended to an open command buffer, with a barrier where the hazard tracker sees a
 * conflict, and submitted when there are many, when they would take long, or when someone waits. Functions are called under the
 * device's lock. */
#ifndef CONVOY_VULKAN_QUEUE_H
#define CONVOY_VULKAN_QUEUE_H

#include "device.h"
#include "memory.h"

struct launch {
    const struct gpu_step *step;
    VkPipeline pipeline;
    struct range range[GPU_BINDS_MOST]; /* of each bind's first byte */
    VkBuffer uniforms;
    uint64_t uniforms_offset;
};

convoy_status queue_open(struct device *device, struct convoy_error *err);
void queue_close(struct device *device);
/* In parts where it would take long. */
convoy_status queue_launch(struct device *device, const struct launch *launch, struct convoy_error *err);
/* Copies and fills take a barrier before and after. */
convoy_status queue_copy(struct device *device, VkBuffer from, uint64_t from_offset, VkBuffer to, uint64_t to_offset,
                         uint64_t bytes, struct convoy_error *err);
convoy_status queue_fill(struct device *device, VkBuffer to, uint64_t offset, uint64_t bytes, uint32_t word,
                         struct convoy_error *err);
/* Writes a timestamp after all that was appended, as query number `query`; resets `count` queries from 0 first where reset > 0.
 */
convoy_status queue_timestamp(struct device *device, VkQueryPool pool, uint32_t reset, uint32_t query, struct convoy_error *err);
/* Submits what is open and waits for everything, at most the time limit; then the device counts as lost. */
convoy_status queue_wait(struct device *device, struct convoy_error *err);

#endif
