#include "memory.h"
#include "queue.h"
#include <stdlib.h>
#include <string.h>

/* Blocks are large, since a driver has few allocations to give (4096 at least); what would take half of one gets its own. */
enum { BLOCK_BYTES = 64 << 20, STAGING_BYTES = 32 << 20 };

struct span { /* a part of a block, free or one tensor's; in the order of offsets */
    struct span *next, *previous;
    struct block *block;
    uint64_t offset, bytes;
    bool free;
};

struct block {
    struct block *next;
    VkBuffer buffer;
    VkDeviceMemory memory;
    void *mapped;
    uint64_t bytes;
    struct span *first;
};

struct memory_pool {
    struct convoy_memory domain; /* first: the domain's functions get it back from here */
    struct device *device;
    struct block *blocks;
    struct block staging; /* opened with the first copy that needs it */
    bool direct;          /* the host reads and writes tensors itself */
};

struct tensor_buffer {
    struct convoy_buffer base;
    struct span *span;
};

static struct memory_pool *pool_of(struct convoy_memory *domain)
{
    return (struct memory_pool *)domain;
}

/* ---- memory types and blocks ---- */

static bool find_type(const struct device *device, uint32_t allowed, VkMemoryPropertyFlags wanted, uint32_t *type)
{
    for (uint32_t t = 0; t < device->memory_types.memoryTypeCount; t++) {
        if ((allowed & (1u << t)) && (device->memory_types.memoryTypes[t].propertyFlags & wanted) == wanted) {
            *type = t;
            return true;
        }
    }
    return false;
}

/* A lost device may still be at work on what would be freed. */
static void destroy_block(struct device *device, struct block *block)
{
    if (block->buffer && !device->base.lost)
        device->api.DestroyBuffer(device->handle, block->buffer, NULL);
    if (block->memory && !device->base.lost)
        device->api.FreeMemory(device->handle, block->memory, NULL);
    *block = (struct block){0};
}

static convoy_status create_block(struct device *device, uint64_t bytes, VkBufferUsageFlags usage, VkMemoryPropertyFlags wanted,
                                  VkMemoryPropertyFlags otherwise, struct block *block, struct convoy_error *err)
{
    const struct api *const api = &device->api;
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = bytes, .usage = usage};
    VkMemoryRequirements needs;
    uint32_t type = 0;
    *block = (struct block){.bytes = bytes};
    VkResult result = api->CreateBuffer(device->handle, &info, NULL, &block->buffer);
    if (result != VK_SUCCESS)
        return api_fail(err, result, "vkCreateBuffer");
    api->GetBufferMemoryRequirements(device->handle, block->buffer, &needs);
    if (!find_type(device, needs.memoryTypeBits, wanted, &type) && !find_type(device, needs.memoryTypeBits, otherwise, &type)) {
        destroy_block(device, block);
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "the device has no memory of the kind that tensors need");
    }
    const uint64_t heap = device->memory_types.memoryHeaps[device->memory_types.memoryTypes[type].heapIndex].size;
    if (needs.size > heap || needs.size > device->buffer_bytes) {
        destroy_block(device, block);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%llu bytes are more than this device can give at a time",
                           (unsigned long long)bytes);
    }
    const VkMemoryAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = needs.size, .memoryTypeIndex = type};
    result = api->AllocateMemory(device->handle, &allocate, NULL, &block->memory);
    if (result == VK_SUCCESS)
        result = api->BindBufferMemory(device->handle, block->buffer, block->memory, 0);
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    if (result == VK_SUCCESS && (wanted & visible) == visible &&
        (device->memory_types.memoryTypes[type].propertyFlags & visible) == visible)
        result = api->MapMemory(device->handle, block->memory, 0, VK_WHOLE_SIZE, 0, &block->mapped);
    if (result != VK_SUCCESS)
        destroy_block(device, block);
    return result == VK_SUCCESS ? CONVOY_OK : api_fail(err, result, "allocating device memory");
}

/* Memory of a CPU or of a GPU that shares the host's; tests ask for the staging path by the environment. */
static bool is_shared(const struct device *device)
{
    const bool shares = device->base.software || device->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    uint32_t type;
    return shares && !getenv("CONVOY_GPU_STAGING") &&
           find_type(device, UINT32_MAX,
                     VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                     &type);
}

static convoy_status new_tensor_block(struct memory_pool *pool, uint64_t bytes, struct block **out, struct convoy_error *err)
{
    struct block *const block = calloc(1, sizeof *block);
    struct span *const span = calloc(1, sizeof *span);
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkMemoryPropertyFlags direct = local | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    convoy_status status =
        block && span ? CONVOY_OK : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a block");
    if (status == CONVOY_OK)
        status =
            create_block(pool->device, bytes,
                         VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                         pool->direct ? direct : local, local, block, err);
    if (status != CONVOY_OK) {
        free(block);
        free(span);
        return status;
    }
    *span = (struct span){.block = block, .bytes = bytes, .free = true};
    block->first = span;
    block->next = pool->blocks;
    pool->blocks = block;
    *out = block;
    return CONVOY_OK;
}

static bool is_empty(const struct block *block)
{
    return block->first->free && !block->first->next;
}

/* Gives empty blocks back, once nothing that was launched can use them. */
static void release_empty(struct memory_pool *pool)
{
    struct block **at = &pool->blocks;
    queue_wait(pool->device, NULL);
    while (*at) {
        struct block *const block = *at;
        if (!is_empty(block)) {
            at = &block->next;
            continue;
        }
        *at = block->next;
        free(block->first);
        destroy_block(pool->device, block);
        free(block);
    }
}

/* ---- spans ---- */

static struct span *find_span(struct block *block, uint64_t bytes)
{
    struct span *span = block->first;
    while (span && !(span->free && span->bytes >= bytes))
        span = span->next;
    return span;
}

/* Cuts a free span so that its first `bytes` are a tensor's; false: no memory for the rest's description. */
static bool take(struct span *span, uint64_t bytes)
{
    if (span->bytes > bytes) {
        struct span *const rest = malloc(sizeof *rest);
        if (!rest)
            return false;
        *rest = (struct span){span->next, span, span->block, span->offset + bytes, span->bytes - bytes, true};
        if (span->next)
            span->next->previous = rest;
        span->next = rest;
        span->bytes = bytes;
    }
    span->free = false;
    return true;
}

static void join(struct span *span)
{
    struct span *const after = span->next;
    span->bytes += after->bytes;
    span->next = after->next;
    if (after->next)
        after->next->previous = span;
    free(after);
}

static convoy_status find_room(struct memory_pool *pool, uint64_t bytes, struct span **out, struct convoy_error *err)
{
    struct span *span = NULL;
    for (struct block *block = pool->blocks; block && !span; block = block->next)
        span = find_span(block, bytes);
    if (!span) {
        struct block *block;
        const uint64_t wanted = bytes > BLOCK_BYTES / 2 ? bytes : BLOCK_BYTES;
        convoy_status status = new_tensor_block(pool, wanted, &block, err);
        if (status == CONVOY_NO_MEMORY) {
            release_empty(pool);
            status = new_tensor_block(pool, bytes, &block, err);
        }
        if (status != CONVOY_OK)
            return status;
        span = block->first;
    }
    *out = span;
    return take(span, bytes) ? CONVOY_OK
                             : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a tensor's description");
}

/* ---- the domain ---- */

static convoy_status domain_alloc(struct convoy_memory *domain, uint64_t bytes, struct convoy_buffer **out,
                                  struct convoy_error *err)
{
    struct memory_pool *const pool = pool_of(domain);
    const uint64_t align = domain->align;
    struct tensor_buffer *const made = calloc(1, sizeof *made);
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a buffer's description");
    convoy_status status = bytes > UINT64_MAX / 2 ? convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY,
                                                                "%llu bytes are no size", (unsigned long long)bytes)
                                                  : CONVOY_OK;
    pthread_mutex_lock(&pool->device->base.lock);
    if (status == CONVOY_OK)
        status = gpu_device_check(&pool->device->base, err);
    if (status == CONVOY_OK)
        status = find_room(pool, (bytes ? bytes + align - 1 : align) / align * align, &made->span, err);
    pthread_mutex_unlock(&pool->device->base.lock);
    if (status != CONVOY_OK) {
        free(made);
        return status;
    }
    made->base = (struct convoy_buffer){.memory = domain, .bytes = bytes};
    *out = &made->base;
    return CONVOY_OK;
}

/* A block that holds nothing stays for the next tensors unless it was one tensor's own. */
static void domain_free(struct convoy_memory *domain, struct convoy_buffer *buffer)
{
    struct memory_pool *const pool = pool_of(domain);
    if (!buffer)
        return;
    pthread_mutex_lock(&pool->device->base.lock);
    struct span *span = ((struct tensor_buffer *)buffer)->span;
    span->free = true;
    if (span->next && span->next->free)
        join(span);
    if (span->previous && span->previous->free) {
        span = span->previous;
        join(span);
    }
    if (is_empty(span->block) && span->block->bytes != BLOCK_BYTES)
        release_empty(pool);
    pthread_mutex_unlock(&pool->device->base.lock);
    free(buffer);
}

struct range memory_range(struct convoy_tensor tensor)
{
    const struct span *const span = ((const struct tensor_buffer *)tensor.buffer)->span;
    const uint64_t offset = span->offset + tensor.offset;
    return (struct range){span->block->buffer, offset, span->block->mapped ? (char *)span->block->mapped + offset : NULL};
}

static convoy_status check_range(const struct memory_pool *pool, struct convoy_tensor tensor, uint64_t bytes,
                                 struct convoy_error *err)
{
    if (!tensor.buffer || tensor.buffer->memory != &pool->domain)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "the buffer is of another memory domain");
    if (tensor.offset > tensor.buffer->bytes || bytes > tensor.buffer->bytes - tensor.offset)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "%llu bytes at %llu reach beyond the buffer's %llu",
                           (unsigned long long)bytes, (unsigned long long)tensor.offset,
                           (unsigned long long)tensor.buffer->bytes);
    return gpu_device_check(&pool->device->base, err);
}

static convoy_status open_staging(struct memory_pool *pool, struct convoy_error *err)
{
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    if (pool->staging.buffer)
        return CONVOY_OK;
    return create_block(pool->device, STAGING_BYTES, VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                        visible | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, visible, &pool->staging, err);
}

/* Copies of Vulkan take any byte count and offset; only fills want words. */
static convoy_status transfer(struct memory_pool *pool, struct convoy_tensor tensor, void *to_host, const void *from_host,
                              uint64_t bytes, struct convoy_error *err)
{
    struct device *const device = pool->device;
    const struct range range = memory_range(tensor);
    convoy_status status = queue_wait(device, err);
    if (status == CONVOY_OK && range.mapped) {
        memcpy(to_host ? to_host : range.mapped, to_host ? range.mapped : from_host, (size_t)bytes);
        return CONVOY_OK;
    }
    if (status == CONVOY_OK)
        status = open_staging(pool, err);
    for (uint64_t at = 0; status == CONVOY_OK && at < bytes; at += STAGING_BYTES) {
        const uint64_t part = bytes - at < STAGING_BYTES ? bytes - at : STAGING_BYTES;
        if (from_host) {
            memcpy(pool->staging.mapped, (const char *)from_host + at, (size_t)part);
            status = queue_copy(device, pool->staging.buffer, 0, range.buffer, range.offset + at, part, err);
        } else {
            status = queue_copy(device, range.buffer, range.offset + at, pool->staging.buffer, 0, part, err);
        }
        if (status == CONVOY_OK)
            status = queue_wait(device, err);
        if (status == CONVOY_OK && to_host)
            memcpy((char *)to_host + at, pool->staging.mapped, (size_t)part);
    }
    return status;
}

static convoy_status domain_upload(struct convoy_memory *domain, struct convoy_tensor to, const void *from, uint64_t bytes,
                                   struct convoy_error *err)
{
    struct memory_pool *const pool = pool_of(domain);
    pthread_mutex_lock(&pool->device->base.lock);
    convoy_status status = check_range(pool, to, bytes, err);
    if (status == CONVOY_OK && bytes)
        status = transfer(pool, to, NULL, from, bytes, err);
    pthread_mutex_unlock(&pool->device->base.lock);
    return status;
}

static convoy_status domain_download(struct convoy_memory *domain, void *to, struct convoy_tensor from, uint64_t bytes,
                                     struct convoy_error *err)
{
    struct memory_pool *const pool = pool_of(domain);
    pthread_mutex_lock(&pool->device->base.lock);
    convoy_status status = check_range(pool, from, bytes, err);
    if (status == CONVOY_OK && bytes)
        status = transfer(pool, from, to, NULL, bytes, err);
    pthread_mutex_unlock(&pool->device->base.lock);
    return status;
}

static convoy_status domain_fill(struct convoy_memory *domain, struct convoy_tensor tensor, uint64_t bytes, uint32_t word,
                                 struct convoy_error *err)
{
    struct memory_pool *const pool = pool_of(domain);
    pthread_mutex_lock(&pool->device->base.lock);
    convoy_status status = check_range(pool, tensor, bytes, err);
    if (status == CONVOY_OK && (bytes % 4 || tensor.offset % 4))
        status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "a fill of %llu bytes at %llu is not made of words",
                             (unsigned long long)bytes, (unsigned long long)tensor.offset);
    if (status == CONVOY_OK && bytes) {
        const struct range range = memory_range(tensor);
        status = queue_fill(pool->device, range.buffer, range.offset, bytes, word, err);
    }
    pthread_mutex_unlock(&pool->device->base.lock);
    return status;
}

convoy_status memory_open(struct device *device, struct convoy_error *err)
{
    struct memory_pool *const pool = calloc(1, sizeof *pool);
    if (!pool)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a memory domain");
    pool->domain = (struct convoy_memory){
        .struct_size = sizeof pool->domain,
        .align = device->base.planner.align_bytes,
        .name = device->base.name,
        .alloc = domain_alloc,
        .free = domain_free,
        .fill = domain_fill,
        .upload = domain_upload,
        .download = domain_download,
    };
    pool->device = device;
    pool->direct = is_shared(device);
    device->memory = pool;
    device->base.memory = &pool->domain;
    return CONVOY_OK;
}

void memory_close(struct device *device)
{
    struct memory_pool *const pool = device->memory;
    while (pool->blocks) {
        struct block *const block = pool->blocks;
        pool->blocks = block->next;
        while (block->first) {
            struct span *const span = block->first;
            block->first = span->next;
            free(span);
        }
        destroy_block(device, block);
        free(block);
    }
    destroy_block(device, &pool->staging);
    free(pool);
    device->memory = NULL;
}

convoy_status uniforms_open(struct device *device, uint64_t bytes, struct uniforms *uniforms, struct convoy_error *err)
{
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    struct block block;
    const convoy_status status =
        create_block(device, bytes, VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT | VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                     visible | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, visible, &block, err);
    if (status == CONVOY_OK)
        *uniforms = (struct uniforms){block.buffer, block.memory, block.mapped};
    return status;
}

void uniforms_close(struct device *device, struct uniforms *uniforms)
{
    struct block block = {.buffer = uniforms->buffer, .memory = uniforms->memory};
    destroy_block(device, &block);
    *uniforms = (struct uniforms){0};
}
