#include "queue.h"
#include <stdlib.h>
#include <time.h>

enum { LAUNCHES_MOST = 64 };

struct queue {
    cl_command_queue plain, profiling, current;
    uint32_t launches; /* since the last flush */
    double unflushed_ns;
    struct gpu_pace pace;
    struct gpu_batch batch; /* since the last wait */
    double batch_began_ns;
    cl_mem nothing;    /* what binds without bytes are set to */
};

struct bases { /* struct gpu_bases of text/prelude.cl */
    cl_int base[GPU_BINDS_MOST], group_first;
};

convoy_status queue_open(struct device *device, struct convoy_error *err)
{
    cl_int result = CL_SUCCESS;
    struct queue *const queue = calloc(1, sizeof *queue);
    if (!queue)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a queue");
    device->queue = queue;
    /* Times are the host's here, with whatever else it did meanwhile, so they never slow the first guess down. */
    gpu_pace_open(&queue->pace, device->base.software ? 4 : 20, device->base.software ? 4 : 20);
    queue->plain = device->api.CreateCommandQueue(device->context, device->choice.device, 0, &result);
    if (result == CL_SUCCESS)
        queue->profiling = device->api.CreateCommandQueue(device->context, device->choice.device, CL_QUEUE_PROFILING_ENABLE, &result);
    if (result == CL_SUCCESS)
        queue->nothing = device->api.CreateBuffer(device->context, CL_MEM_READ_WRITE, 256, NULL, &result);
    queue->current = queue->plain;
    return result == CL_SUCCESS ? CONVOY_OK : api_fail(err, result, "making a queue");
}

void queue_close(struct device *device)
{
    struct queue *const queue = device->queue;
    if (queue->current)
        queue_wait(device, NULL);
    if (queue->nothing)
        device->api.ReleaseMemObject(queue->nothing);
    if (queue->profiling)
        device->api.ReleaseCommandQueue(queue->profiling);
    if (queue->plain)
        device->api.ReleaseCommandQueue(queue->plain);
    free(queue);
    device->queue = NULL;
}

cl_command_queue queue_handle(const struct device *device)
{
    return device->queue->current;
}

convoy_status queue_profile(struct device *device, bool on, struct convoy_error *err)
{
    struct queue *const queue = device->queue;
    const cl_command_queue wanted = on ? queue->profiling : queue->plain;
    if (queue->current == wanted)
        return CONVOY_OK;
    const convoy_status status = queue_wait(device, err);
    queue->current = wanted;
    return status;
}

/* Kernels count words from the start of the buffer in 32-bit integers. Beyond their reach a sub-buffer is bound instead. */
static convoy_status reach(struct device *device, struct range *range, uint64_t bytes, cl_mem *sub, struct convoy_error *err)
{
    const uint64_t align = device->base.planner.align_bytes, start = range->offset / align * align;
    if ((range->offset + bytes) / 4 <= INT32_MAX)
        return CONVOY_OK;
    const cl_buffer_region region = {.origin = (size_t)start, .size = (size_t)(range->offset - start + bytes)};
    cl_int result = CL_SUCCESS;
    *sub = device->api.CreateSubBuffer(range->buffer, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &result);
    if (result != CL_SUCCESS)
        return device_fail(device, result, "clCreateSubBuffer", err);
    *range = (struct range){*sub, range->offset - start};
    return CONVOY_OK;
}

static double now_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static cl_int launch_part(struct queue *queue, const struct device *device, cl_kernel kernel, const struct gpu_step *step,
                          const struct gpu_part *part, struct bases *bases, struct span *span)
{
    const size_t global[2] = {(size_t)part->grid_x * step->group, part->grid_y}, local[2] = {step->group, 1};
    const bool last = part->first + part->grid_x * part->grid_y == step->grid_x * step->grid_y;
    cl_event *const event = !span ? NULL : part->first == 0 ? &span->first : last ? &span->last : NULL;
    const double share = gpu_part_share(step, part);
    bases->group_first = (cl_int)part->first;
    cl_int result = device->api.SetKernelArg(kernel, gpu_modules[step->module].binds + 1, sizeof *bases, bases);
    if (result == CL_SUCCESS)
        result = device->api.EnqueueNDRangeKernel(queue->current, kernel, 2, NULL, global, local, 0, NULL, event);
    if (result != CL_SUCCESS)
        return result;
    if (!queue->batch.modules)
        queue->batch_began_ns = now_ns();
    gpu_batch_add(&queue->batch, &queue->pace, step, share);
    queue->unflushed_ns += gpu_pace_ns(&queue->pace, step) * share;
    if (++queue->launches < LAUNCHES_MOST && queue->unflushed_ns < queue->pace.batch_ns)
        return CL_SUCCESS;
    queue->launches = 0;
    queue->unflushed_ns = 0;
    return device->api.Flush(queue->current);
}

convoy_status queue_launch(struct device *device, cl_kernel kernel, const struct gpu_step *step,
                           const struct range range[GPU_BINDS_MOST], struct span *span, struct convoy_error *err)
{
    struct queue *const queue = device->queue;
    const struct gpu_module *const module = &gpu_modules[step->module];
    cl_mem sub[GPU_BINDS_MOST] = {0};
    struct bases bases = {{0}, 0};
    struct gpu_part part = {0};
    cl_int result = CL_SUCCESS;
    convoy_status status = gpu_device_check(&device->base, err);
    for (uint32_t b = 0; b < module->binds && status == CONVOY_OK && result == CL_SUCCESS; b++) {
        struct range at = range[b].buffer ? range[b] : (struct range){queue->nothing, 0};
        if (range[b].buffer)
            status = reach(device, &at, step->bind[b].bytes, &sub[b], err);
        bases.base[b] = (cl_int)(at.offset / 4);
        if (status == CONVOY_OK)
            result = device->api.SetKernelArg(kernel, b, sizeof at.buffer, &at.buffer);
    }
    if (status == CONVOY_OK && result == CL_SUCCESS)
        result = device->api.SetKernelArg(kernel, module->binds, module->params_bytes, &step->params);
    while (status == CONVOY_OK && result == CL_SUCCESS && gpu_part_next(&queue->pace, step, &part))
        result = launch_part(queue, device, kernel, step, &part, &bases, span);
    for (uint32_t b = 0; b < module->binds; b++) { /* the launch holds its own references */
        if (sub[b])
            device->api.ReleaseMemObject(sub[b]);
    }
    return status != CONVOY_OK || result == CL_SUCCESS ? status : device_fail(device, result, module->name, err);
}

/* What fails only here failed while it ran. */
convoy_status queue_wait(struct device *device, struct convoy_error *err)
{
    const convoy_status status = gpu_device_check(&device->base, err);
    if (status != CONVOY_OK)
        return status;
    struct queue *const queue = device->queue;
    const cl_int result = device->api.Finish(queue->current);
    gpu_pace_learn(&queue->pace, &queue->batch, now_ns() - queue->batch_began_ns);
    queue->batch = (struct gpu_batch){0};
    queue->launches = 0;
    queue->unflushed_ns = 0;
    return result == CL_SUCCESS ? CONVOY_OK : device_lose(device, result, "waiting", err);
}
