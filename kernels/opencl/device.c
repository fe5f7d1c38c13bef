#include "device.h"
#include "memory.h"
#include "programs.h"
#include "queue.h"
#include "tuning.h"
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct device *shared; /* with users > 0 */

convoy_status device_lose(struct device *device, cl_int result, const char *what, struct convoy_error *err)
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

/* -9999 is NVIDIA's "illegal access"; the others say that the queue, or what ran in it, is dead. */
convoy_status device_fail(struct device *device, cl_int result, const char *what, struct convoy_error *err)
{
    const bool lost = result == -9999 || result == CL_INVALID_COMMAND_QUEUE || result == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST ||
                      result == CL_DEVICE_NOT_AVAILABLE;
    return lost ? device_lose(device, result, what, err) : api_fail(err, result, what);
}

static cl_ulong least(cl_ulong a, cl_ulong b)
{
    return a < b ? a : b;
}

static void describe_to_planner(struct device *device)
{
    const struct candidate *const c = &device->choice;
    const char *const family = getenv("CONVOY_GPU_FAMILY"); /* "gpu", "cpu": whichever kernels a test wants */
    const char *const slice = getenv("CONVOY_GPU_RANGE");   /* bytes: the most of one bind, for tests of slices */
    const cl_ulong base_align = c->base_align_bits / 8;
    device->planner = (struct gpu_device){
        .cpu_family = family ? !strcmp(family, "cpu") : device->software,
        .specialise = !device->software,
        .vector = c->vector >= 16 ? 16 : c->vector >= 8 ? 8 : 4,
        .lanes = 1,
        .group_most = (uint32_t)least(c->group_most, INT32_MAX),
        .grid_most = INT32_MAX,
        .shared_bytes = (uint32_t)least(c->shared_bytes, INT32_MAX),
        .align_bytes = base_align > 256 ? (uint32_t)base_align : 256,
        .cores = c->units,
        .range_bytes = least(c->alloc_bytes, (cl_ulong)4 << 30),
        .workspace_bytes = least(c->memory_bytes / 2, c->alloc_bytes),
    };
    if (slice && strtoull(slice, NULL, 10) >= 1024)
        device->planner.range_bytes = strtoull(slice, NULL, 10);
}

static convoy_status create(struct device *device, struct convoy_error *err)
{
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)device->choice.platform, 0};
    cl_int result = CL_SUCCESS;
    device->software = choice_is_software(&device->choice);
    snprintf(device->name, sizeof device->name, "opencl:%.40s%s", device->choice.name, device->software ? " (software)" : "");
    describe_to_planner(device);
    device->tuning = gpu_tuning_open(&(struct gpu_tuning_owner){.plugin = "opencl",
                                                                .version = OPENCL_VERSION,
                                                                .device = device->choice.name,
                                                                .driver = device->choice.driver},
                                     device->host);
    device->context = device->api.CreateContext(properties, 1, &device->choice.device, NULL, NULL, &result);
    if (result != CL_SUCCESS)
        return api_fail(err, result, "clCreateContext");
    convoy_status status = memory_open(device, err);
    if (status == CONVOY_OK)
        status = queue_open(device, err);
    if (status == CONVOY_OK)
        status = programs_open(device, err);
    return status;
}

/* Of a lost device nothing is waited for and nothing given back: it may still be at work on what would be freed. */
static void destroy(struct device *device)
{
    if (device->lost)
        return;
    if (device->queue)
        queue_close(device);
    if (device->programs)
        programs_close(device);
    if (device->memory)
        memory_close(device);
    if (device->context)
        device->api.ReleaseContext(device->context);
    gpu_tuning_close(device->tuning);
    pthread_mutex_destroy(&device->lock);
    free(device);
}

static convoy_status open_device(const struct convoy_host *host, struct device **out, struct convoy_error *err)
{
    struct device *const device = calloc(1, sizeof *device);
    struct candidate all[DEVICES_MOST];
    const struct candidate *chosen = NULL;
    uint32_t count;
    if (!device)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a device");
    pthread_mutex_init(&device->lock, NULL);
    device->host = host;
    convoy_status status = api_open(&device->api, err);
    if (status == CONVOY_OK)
        status = choice_list(&device->api, all, &count, err);
    if (status == CONVOY_OK)
        status = choice_make(all, count, &chosen, err);
    if (status == CONVOY_OK) {
        device->choice = *chosen;
        status = create(device, err);
    }
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
