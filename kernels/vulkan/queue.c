#include "queue.h"
#include "pipelines.h"
#include <stdlib.h>

enum { RING = 3, LAUNCHES_MOST = 100, POOL_SETS = LAUNCHES_MOST };

struct slot { /* a command buffer, and what it needs while it runs */
    VkCommandBuffer commands;
    VkDescriptorPool sets;
    VkFence fence;
    bool pending;
    struct gpu_batch batch;
};

struct queue {
    VkQueue handle;
    VkCommandPool pool;
    struct slot slot[RING];
    uint32_t current;
    bool open;
    uint32_t launches; /* in the open command buffer */
    struct gpu_hazards *hazards;
    VkQueryPool stamps; /* begin and end of each slot, to know the device's speed */
    struct gpu_pace pace;
    uint64_t timeout_ns;
};

static void barrier(struct device *device, VkCommandBuffer commands, VkPipelineStageFlags to_stage, VkAccessFlags to_access)
{
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = to_access,
    };
    device->api.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, to_stage, 0,
                                   1, &memory, 0, NULL, 0, NULL);
}

static void device_barrier(struct device *device, VkCommandBuffer commands)
{
    barrier(device, commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT);
    gpu_hazards_barrier(device->queue->hazards);
}

/* ---- open and close ---- */

static convoy_status open_slot(struct device *device, struct slot *slot, struct convoy_error *err)
{
    const struct api *const api = &device->api;
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = device->queue->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    const VkDescriptorPoolSize sizes[] = {
        {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, POOL_SETS * GPU_BINDS_MOST},
        {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, POOL_SETS},
    };
    const VkDescriptorPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = POOL_SETS,
        .poolSizeCount = 2,
        .pPoolSizes = sizes,
    };
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkResult result = api->AllocateCommandBuffers(device->handle, &commands, &slot->commands);
    if (result == VK_SUCCESS)
        result = api->CreateDescriptorPool(device->handle, &pool, NULL, &slot->sets);
    if (result == VK_SUCCESS)
        result = api->CreateFence(device->handle, &fence, NULL, &slot->fence);
    return result == VK_SUCCESS ? CONVOY_OK : api_fail(err, result, "making a command buffer");
}

convoy_status queue_open(struct device *device, struct convoy_error *err)
{
    const struct api *const api = &device->api;
    const char *const limit = getenv("CONVOY_GPU_TIMEOUT_S");
    const double seconds = limit ? strtod(limit, NULL) : 0;
    struct queue *const queue = calloc(1, sizeof *queue);
    if (!queue)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a queue");
    device->queue = queue;
    queue->hazards = gpu_hazards_open();
    queue->timeout_ns = (uint64_t)((seconds > 0 ? seconds : 60) * 1e9);
    gpu_pace_open(&queue->pace, device->base.software ? 4 : 20, 0.2);
    if (!queue->hazards)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a queue");
    api->GetDeviceQueue(device->handle, device->family, 0, &queue->handle);
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = device->family,
    };
    const VkQueryPoolCreateInfo stamps = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = 2 * RING,
    };
    VkResult result = api->CreateCommandPool(device->handle, &pool, NULL, &queue->pool);
    if (result == VK_SUCCESS && device->timestamp_bits)
        result = api->CreateQueryPool(device->handle, &stamps, NULL, &queue->stamps);
    if (result != VK_SUCCESS)
        return api_fail(err, result, "making a command pool");
    convoy_status status = CONVOY_OK;
    for (int s = 0; s < RING && status == CONVOY_OK; s++)
        status = open_slot(device, &queue->slot[s], err);
    return status;
}

/* Of a lost device nothing is waited for. */
void queue_close(struct device *device)
{
    struct queue *const queue = device->queue;
    const struct api *const api = &device->api;
    queue_wait(device, NULL);
    for (int s = 0; s < RING; s++) {
        if (queue->slot[s].fence)
            api->DestroyFence(device->handle, queue->slot[s].fence, NULL);
        if (queue->slot[s].sets)
            api->DestroyDescriptorPool(device->handle, queue->slot[s].sets, NULL);
    }
    if (queue->stamps)
        api->DestroyQueryPool(device->handle, queue->stamps, NULL);
    if (queue->pool)
        api->DestroyCommandPool(device->handle, queue->pool, NULL);
    gpu_hazards_close(queue->hazards);
    free(queue);
    device->queue = NULL;
}

/* ---- submissions ---- */

static void learn_speed(struct device *device, uint32_t number)
{
    struct queue *const queue = device->queue;
    const struct slot *const slot = &queue->slot[number];
    uint64_t stamp[2];
    if (!queue->stamps || device->api.GetQueryPoolResults(device->handle, queue->stamps, number * 2, 2, sizeof stamp, stamp,
                                                          sizeof *stamp, VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
        return;
    const uint64_t mask = device->timestamp_bits >= 64 ? UINT64_MAX : ((uint64_t)1 << device->timestamp_bits) - 1;
    gpu_pace_learn(&queue->pace, &slot->batch,
                   (double)((stamp[1] - stamp[0]) & mask) * (double)device->properties.limits.timestampPeriod);
}

static convoy_status wait_slot(struct device *device, uint32_t number, struct convoy_error *err)
{
    struct slot *const slot = &device->queue->slot[number];
    if (!slot->pending)
        return CONVOY_OK;
    const VkResult result = device->api.WaitForFences(device->handle, 1, &slot->fence, VK_TRUE, device->queue->timeout_ns);
    if (result != VK_SUCCESS)
        return device_lose(device, result, result == VK_TIMEOUT ? "no answer within the time limit" : "waiting", err);
    slot->pending = false;
    learn_speed(device, number);
    return CONVOY_OK;
}

static convoy_status begin(struct device *device, struct convoy_error *err)
{
    struct queue *const queue = device->queue;
    struct slot *const slot = &queue->slot[queue->current];
    const struct api *const api = &device->api;
    if (queue->open)
        return CONVOY_OK;
    convoy_status status = gpu_device_check(&device->base, err);
    if (status == CONVOY_OK)
        status = wait_slot(device, queue->current, err);
    if (status != CONVOY_OK)
        return status;
    const VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    VkResult result = api->ResetFences(device->handle, 1, &slot->fence);
    if (result == VK_SUCCESS)
        result = api->ResetDescriptorPool(device->handle, slot->sets, 0);
    if (result == VK_SUCCESS)
        result = api->BeginCommandBuffer(slot->commands, &info);
    if (result != VK_SUCCESS)
        return result == VK_ERROR_DEVICE_LOST ? device_lose(device, result, "recording", err)
                                              : api_fail(err, result, "recording");
    queue->open = true;
    queue->launches = 0;
    slot->batch = (struct gpu_batch){0};
    if (queue->stamps) {
        api->CmdResetQueryPool(slot->commands, queue->stamps, queue->current * 2, 2);
        api->CmdWriteTimestamp(slot->commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, queue->stamps, queue->current * 2);
    }
    device_barrier(device, slot->commands); /* after everything in earlier command buffers */
    return CONVOY_OK;
}

static convoy_status submit(struct device *device, struct convoy_error *err)
{
    struct queue *const queue = device->queue;
    struct slot *const slot = &queue->slot[queue->current];
    if (!queue->open)
        return CONVOY_OK;
    queue->open = false;
    barrier(device, slot->commands, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    if (queue->stamps)
        device->api.CmdWriteTimestamp(slot->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, queue->stamps,
                                      queue->current * 2 + 1);
    VkResult result = device->api.EndCommandBuffer(slot->commands);
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &slot->commands};
    if (result == VK_SUCCESS)
        result = device->api.QueueSubmit(queue->handle, 1, &info, slot->fence);
    if (result != VK_SUCCESS) /* what was recorded is gone, and callers count on it */
        return device_lose(device, result, "submitting", err);
    slot->pending = true;
    queue->current = (queue->current + 1) % RING;
    return CONVOY_OK;
}

convoy_status queue_wait(struct device *device, struct convoy_error *err)
{
    convoy_status status = gpu_device_check(&device->base, err);
    if (status == CONVOY_OK)
        status = submit(device, err);
    for (uint32_t s = 0; s < RING && status == CONVOY_OK; s++)
        status = wait_slot(device, (device->queue->current + s) % RING, err);
    return status;
}

/* ---- what is recorded ---- */

static convoy_status write_set(struct device *device, const struct launch *launch, VkDescriptorSet *set, int32_t *base,
                               struct convoy_error *err)
{
    const struct gpu_step *const step = launch->step;
    const VkDescriptorSetLayout layout = pipelines_sets(device);
    const uint32_t binds = gpu_modules[step->module].binds;
    const uint64_t align = device->properties.limits.minStorageBufferOffsetAlignment;
    const VkDescriptorSetAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = device->queue->slot[device->queue->current].sets,
        .descriptorSetCount = 1,
        .pSetLayouts = &layout,
    };
    const VkResult result = device->api.AllocateDescriptorSets(device->handle, &info, set);
    if (result != VK_SUCCESS)
        return api_fail(err, result, "vkAllocateDescriptorSets");
    VkDescriptorBufferInfo buffer[GPU_BINDS_MOST + 1];
    VkWriteDescriptorSet write[GPU_BINDS_MOST + 1];
    for (uint32_t b = 0; b <= binds; b++) {
        const bool params = b == binds;
        if (params) {
            buffer[b] =
                (VkDescriptorBufferInfo){launch->uniforms, launch->uniforms_offset, gpu_modules[step->module].params_bytes};
        } else {
            const uint64_t rest = launch->range[b].offset % align;
            base[b] = (int32_t)(rest / 4);
            buffer[b] =
                (VkDescriptorBufferInfo){launch->range[b].buffer, launch->range[b].offset - rest, step->bind[b].bytes + rest};
        }
        write[b] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = *set,
            .dstBinding = params ? BINDING_PARAMS : b,
            .descriptorCount = 1,
            .descriptorType = params ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &buffer[b],
        };
        if (!params && !step->bind[b].bytes) /* nothing there: the kernel does not touch it, but Vulkan wants a buffer */
            buffer[b] = (VkDescriptorBufferInfo){launch->uniforms, 0, 4};
    }
    device->api.UpdateDescriptorSets(device->handle, binds + 1, write, 0, NULL);
    return CONVOY_OK;
}

static void record_hazards(struct device *device, const struct launch *launch, VkCommandBuffer commands)
{
    struct queue *const queue = device->queue;
    bool conflict = device->debug_barriers;
    for (uint32_t b = 0; b < gpu_modules[launch->step->module].binds; b++) {
        const struct gpu_bind *const bind = &launch->step->bind[b];
        if (bind->bytes)
            conflict =
                gpu_hazards_note(queue->hazards, launch->range[b].buffer, launch->range[b].offset, bind->bytes, bind->access) ||
                conflict;
    }
    if (conflict)
        device_barrier(device, commands);
    gpu_hazards_launched(queue->hazards);
}

static convoy_status launch_part(struct device *device, const struct launch *launch, const struct gpu_part *part,
                                 struct convoy_error *err)
{
    struct queue *const queue = device->queue;
    const struct api *const api = &device->api;
    VkDescriptorSet set;
    struct push push = {.group_first = (int32_t)part->first};
    convoy_status status = begin(device, err);
    if (status == CONVOY_OK)
        status = write_set(device, launch, &set, push.base, err);
    if (status != CONVOY_OK)
        return status;
    struct slot *const slot = &queue->slot[queue->current];
    record_hazards(device, launch, slot->commands);
    api->CmdBindPipeline(slot->commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->pipeline);
    api->CmdBindDescriptorSets(slot->commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipelines_layout(device), 0, 1, &set, 0, NULL);
    api->CmdPushConstants(slot->commands, pipelines_layout(device), VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof push, &push);
    api->CmdDispatch(slot->commands, part->grid_x, part->grid_y, 1);
    gpu_batch_add(&slot->batch, &queue->pace, launch->step, gpu_part_share(launch->step, part));
    if (++queue->launches >= LAUNCHES_MOST || slot->batch.ns > queue->pace.batch_ns)
        status = submit(device, err);
    return status;
}

convoy_status queue_launch(struct device *device, const struct launch *launch, struct convoy_error *err)
{
    struct gpu_part part = {0};
    convoy_status status = CONVOY_OK;
    while (status == CONVOY_OK && gpu_part_next(&device->queue->pace, launch->step, &part))
        status = launch_part(device, launch, &part, err);
    return status;
}

convoy_status queue_copy(struct device *device, VkBuffer from, uint64_t from_offset, VkBuffer to, uint64_t to_offset,
                         uint64_t bytes, struct convoy_error *err)
{
    const VkBufferCopy region = {from_offset, to_offset, bytes};
    const convoy_status status = begin(device, err);
    if (status == CONVOY_OK) {
        const VkCommandBuffer commands = device->queue->slot[device->queue->current].commands;
        device_barrier(device, commands);
        device->api.CmdCopyBuffer(commands, from, to, 1, &region);
        device_barrier(device, commands);
    }
    return status;
}

convoy_status queue_fill(struct device *device, VkBuffer to, uint64_t offset, uint64_t bytes, uint32_t word,
                         struct convoy_error *err)
{
    const convoy_status status = begin(device, err);
    if (status == CONVOY_OK) {
        const VkCommandBuffer commands = device->queue->slot[device->queue->current].commands;
        device_barrier(device, commands);
        device->api.CmdFillBuffer(commands, to, offset, bytes, word);
        device_barrier(device, commands);
    }
    return status;
}

convoy_status queue_timestamp(struct device *device, VkQueryPool pool, uint32_t reset, uint32_t query, struct convoy_error *err)
{
    const convoy_status status = begin(device, err);
    if (status == CONVOY_OK) {
        const VkCommandBuffer commands = device->queue->slot[device->queue->current].commands;
        if (reset)
            device->api.CmdResetQueryPool(commands, pool, 0, reset);
        device_barrier(device, commands); /* one launch at a time, so that each has its own time */
        device->api.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool, query);
    }
    return status;
}
