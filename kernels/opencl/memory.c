#include "memory.h"
#include "queue.h"
#include <stdlib.h>

enum { KEPT_BYTES = 512 << 20 };

struct tensor_buffer {
    struct convoy_buffer base;
    struct tensor_buffer *next; /* while it is kept */
    cl_mem handle;
    uint64_t room_bytes;
};

struct memory_pool {
    struct convoy_memory domain; /* first: the domain's functions get it back from here */
    struct device *device;
    struct tensor_buffer *kept;
    uint64_t kept_bytes;
};

static struct memory_pool *pool_of(struct convoy_memory *domain)
{
    return (struct memory_pool *)domain;
}

static void give_back(struct memory_pool *pool)
{
    while (pool->kept) {
        struct tensor_buffer *const buffer = pool->kept;
        pool->kept = buffer->next;
        pool->device->api.ReleaseMemObject(buffer->handle);
        free(buffer);
    }
    pool->kept_bytes = 0;
}

/* Classes an eighth apart, so that tensors of like size find each other's rooms. */
static uint64_t room_of(const struct device *device, uint64_t bytes)
{
    uint64_t step = 256;
    while (step < bytes / 8)
        step *= 2;
    const uint64_t room = bytes > UINT64_MAX - step ? UINT64_MAX : (bytes + step - 1) / step * step;
    return room > device->choice.alloc_bytes ? (bytes + 3) / 4 * 4 : room ? room : step;
}

static struct tensor_buffer *take_kept(struct memory_pool *pool, uint64_t room)
{
    for (struct tensor_buffer **at = &pool->kept; *at; at = &(*at)->next) {
        struct tensor_buffer *const buffer = *at;
        if (buffer->room_bytes == room) {
            *at = buffer->next;
            pool->kept_bytes -= room;
            return buffer;
        }
    }
    return NULL;
}

static convoy_status create(struct memory_pool *pool, uint64_t room, struct tensor_buffer **out, struct convoy_error *err)
{
    struct device *const device = pool->device;
    cl_int result = CL_SUCCESS;
    struct tensor_buffer *const buffer = calloc(1, sizeof *buffer);
    if (!buffer)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a tensor");
    buffer->room_bytes = room;
    buffer->handle = device->api.CreateBuffer(device->context, CL_MEM_READ_WRITE, (size_t)room, NULL, &result);
    if (api_is_memory(result) && pool->kept) {
        give_back(pool);
        buffer->handle = device->api.CreateBuffer(device->context, CL_MEM_READ_WRITE, (size_t)room, NULL, &result);
    }
    if (result == CL_SUCCESS) {
        *out = buffer;
        return CONVOY_OK;
    }
    free(buffer);
    if (api_is_memory(result))
        return convoy_fail(
            err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%llu MiB do not fit: %s has %llu MiB, at most %llu MiB to a buffer (%s)",
            (unsigned long long)(room >> 20), device->base.name, (unsigned long long)(device->choice.memory_bytes >> 20),
            (unsigned long long)(device->choice.alloc_bytes >> 20), api_result(result));
    return device_fail(device, result, "clCreateBuffer", err);
}

static convoy_status alloc_buffer(struct convoy_memory *domain, uint64_t bytes, struct convoy_buffer **out, struct convoy_error *err)
{
    struct memory_pool *const pool = pool_of(domain);
    struct device *const device = pool->device;
    const uint64_t room = bytes > UINT64_MAX - 4 ? bytes : room_of(device, bytes);
    pthread_mutex_lock(&device->base.lock);
    convoy_status status = gpu_device_check(&device->base, err);
    struct tensor_buffer *buffer = status == CONVOY_OK ? take_kept(pool, room) : NULL;
    if (status == CONVOY_OK && !buffer)
        status = room > device->choice.memory_bytes
                     ? convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%llu MiB exceed the %llu MiB of %s",
                                   (unsigned long long)(room >> 20), (unsigned long long)(device->choice.memory_bytes >> 20),
                                   device->base.name)
                     : create(pool, room, &buffer, err);
    pthread_mutex_unlock(&device->base.lock);
    if (status == CONVOY_OK) {
        buffer->base = (struct convoy_buffer){.memory = domain, .bytes = bytes};
        *out = &buffer->base;
    }
    return status;
}

static void free_buffer(struct convoy_memory *domain, struct convoy_buffer *base)
{
    struct memory_pool *const pool = pool_of(domain);
    struct device *const device = pool->device;
    struct tensor_buffer *const buffer = (struct tensor_buffer *)base;
    if (!base)
        return;
    pthread_mutex_lock(&device->base.lock);
    if (!device->base.lost && pool->kept_bytes + buffer->room_bytes <= KEPT_BYTES) {
        buffer->next = pool->kept;
        pool->kept = buffer;
        pool->kept_bytes += buffer->room_bytes;
    } else {
        if (!device->base.lost)
            device->api.ReleaseMemObject(buffer->handle);
        free(buffer);
    }
    pthread_mutex_unlock(&device->base.lock);
}

/* ---- copies ---- */

static convoy_status check(const struct device *device, struct convoy_tensor tensor, uint64_t bytes, struct convoy_error *err)
{
    if (!tensor.buffer || tensor.buffer->memory != device->base.memory)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "the tensor is in another memory domain");
    if (tensor.offset > tensor.buffer->bytes || bytes > tensor.buffer->bytes - tensor.offset)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "the range reaches beyond the tensor's buffer");
    return CONVOY_OK;
}

static convoy_status fill(struct convoy_memory *domain, struct convoy_tensor to, uint64_t bytes, uint32_t word, struct convoy_error *err)
{
    struct device *const device = pool_of(domain)->device;
    convoy_status status = check(device, to, bytes, err);
    if (status != CONVOY_OK || !bytes)
        return status;
    pthread_mutex_lock(&device->base.lock);
    status = gpu_device_check(&device->base, err);
    if (status == CONVOY_OK) {
        const cl_int result = device->api.EnqueueFillBuffer(queue_handle(device), memory_handle(to.buffer), &word, sizeof word, (size_t)to.offset,
                                                            (size_t)bytes, 0, NULL, NULL);
        if (result != CL_SUCCESS)
            status = device_fail(device, result, "clEnqueueFillBuffer", err);
    }
    pthread_mutex_unlock(&device->base.lock);
    return status;
}

/* The queue is in order, so a blocking copy waits for all before it. */
static convoy_status upload(struct convoy_memory *domain, struct convoy_tensor to, const void *from, uint64_t bytes, struct convoy_error *err)
{
    struct device *const device = pool_of(domain)->device;
    convoy_status status = check(device, to, bytes, err);
    if (status != CONVOY_OK || !bytes)
        return status;
    pthread_mutex_lock(&device->base.lock);
    status = gpu_device_check(&device->base, err);
    if (status == CONVOY_OK) {
        const cl_int result = device->api.EnqueueWriteBuffer(queue_handle(device), memory_handle(to.buffer), CL_TRUE, (size_t)to.offset,
                                                             (size_t)bytes, from, 0, NULL, NULL);
        if (result != CL_SUCCESS)
            status = device_fail(device, result, "clEnqueueWriteBuffer", err);
    }
    pthread_mutex_unlock(&device->base.lock);
    return status;
}

static convoy_status download(struct convoy_memory *domain, void *to, struct convoy_tensor from, uint64_t bytes, struct convoy_error *err)
{
    struct device *const device = pool_of(domain)->device;
    convoy_status status = check(device, from, bytes, err);
    if (status != CONVOY_OK || !bytes)
        return status;
    pthread_mutex_lock(&device->base.lock);
    status = gpu_device_check(&device->base, err);
    if (status == CONVOY_OK) {
        const cl_int result = device->api.EnqueueReadBuffer(queue_handle(device), memory_handle(from.buffer), CL_TRUE, (size_t)from.offset,
                                                            (size_t)bytes, to, 0, NULL, NULL);
        if (result != CL_SUCCESS)
            status = device_fail(device, result, "clEnqueueReadBuffer", err);
    }
    pthread_mutex_unlock(&device->base.lock);
    return status;
}

/* ---- the domain ---- */

convoy_status memory_open(struct device *device, struct convoy_error *err)
{
    struct memory_pool *const pool = calloc(1, sizeof *pool);
    if (!pool)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a memory domain");
    pool->device = device;
    pool->domain = (struct convoy_memory){
        .struct_size = sizeof pool->domain,
        .align = device->base.planner.align_bytes,
        .name = device->base.name,
        .alloc = alloc_buffer,
        .free = free_buffer,
        .fill = fill,
        .upload = upload,
        .download = download,
    };
    device->memory = pool;
    device->base.memory = &pool->domain;
    return CONVOY_OK;
}

void memory_close(struct device *device)
{
    give_back(device->memory);
    free(device->memory);
    device->memory = NULL;
}

cl_mem memory_handle(const struct convoy_buffer *buffer)
{
    return ((const struct tensor_buffer *)buffer)->handle;
}
