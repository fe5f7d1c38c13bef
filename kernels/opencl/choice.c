#include "choice.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RANK_DISCRETE, RANK_INTEGRATED, RANK_OTHER, RANK_CPU, RANKS, PLATFORMS_MOST = 16 };

#define DEVICE_INFO(api, id, what, value) ((api)->GetDeviceInfo(id, what, sizeof *(value), value, NULL) == CL_SUCCESS)

static bool describe(const struct api *api, struct candidate *c)
{
    cl_device_type type = 0;
    cl_bool available = CL_FALSE, compiler = CL_FALSE, unified = CL_FALSE;
    char version[256] = "", profile[64] = "", platform[256] = "", driver[256] = "";
    size_t item[16] = {0};
    unsigned major = 0, minor = 0;
    if (!DEVICE_INFO(api, c->device, CL_DEVICE_TYPE, &type) || !DEVICE_INFO(api, c->device, CL_DEVICE_AVAILABLE, &available) ||
        !DEVICE_INFO(api, c->device, CL_DEVICE_COMPILER_AVAILABLE, &compiler) ||
        !DEVICE_INFO(api, c->device, CL_DEVICE_GLOBAL_MEM_SIZE, &c->memory_bytes) ||
        !DEVICE_INFO(api, c->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &c->alloc_bytes) ||
        !DEVICE_INFO(api, c->device, CL_DEVICE_LOCAL_MEM_SIZE, &c->shared_bytes) ||
        !DEVICE_INFO(api, c->device, CL_DEVICE_MAX_WORK_GROUP_SIZE, &c->group_most) ||
        !DEVICE_INFO(api, c->device, CL_DEVICE_MAX_COMPUTE_UNITS, &c->units) ||
        !DEVICE_INFO(api, c->device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, &c->vector) ||
        !DEVICE_INFO(api, c->device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, &c->base_align_bits) ||
        api->GetDeviceInfo(c->device, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof item, item, NULL) != CL_SUCCESS ||
        api->GetDeviceInfo(c->device, CL_DEVICE_NAME, sizeof c->name, c->name, NULL) != CL_SUCCESS ||
        api->GetDeviceInfo(c->device, CL_DEVICE_VERSION, sizeof version, version, NULL) != CL_SUCCESS ||
        api->GetDeviceInfo(c->device, CL_DEVICE_PROFILE, sizeof profile, profile, NULL) != CL_SUCCESS)
        return false;
    if (!DEVICE_INFO(api, c->device, CL_DEVICE_HOST_UNIFIED_MEMORY, &unified)) /* gone in some OpenCL 3 drivers */
        unified = CL_FALSE;
    /* These serve reports and the key of the program cache; a text too long for us is no reason to refuse the device. */
    if (api->GetPlatformInfo(c->platform, CL_PLATFORM_NAME, sizeof platform, platform, NULL) != CL_SUCCESS)
        snprintf(platform, sizeof platform, "unknown platform");
    if (api->GetDeviceInfo(c->device, CL_DRIVER_VERSION, sizeof driver, driver, NULL) != CL_SUCCESS)
        snprintf(driver, sizeof driver, "unknown driver");
    snprintf(c->driver, sizeof c->driver, "%.60s %.60s, %.30s", platform, driver, version);
    if (item[0] < c->group_most)
        c->group_most = item[0];
    c->rank = type & CL_DEVICE_TYPE_CPU ? RANK_CPU : !(type & CL_DEVICE_TYPE_GPU) ? RANK_OTHER : unified ? RANK_INTEGRATED : RANK_DISCRETE;
    return available && compiler && sscanf(version, "OpenCL %u.%u", &major, &minor) == 2 && major * 10 + minor >= 12 &&
           !strcmp(profile, "FULL_PROFILE");
}

convoy_status choice_list(const struct api *api, struct candidate *list, uint32_t *count, struct convoy_error *err)
{
    cl_platform_id platform[PLATFORMS_MOST];
    cl_uint platforms = 0;
    uint32_t found = 0, usable = 0;
    struct candidate all[DEVICES_MOST];
    *count = 0;
    /* A loader without drivers answers with an error (-1001) and not with 0 platforms. */
    if (api->GetPlatformIDs(PLATFORMS_MOST, platform, &platforms) != CL_SUCCESS || platforms == 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no OpenCL driver (ICD) is installed");
    for (cl_uint p = 0; p < platforms && p < PLATFORMS_MOST; p++) {
        cl_device_id device[DEVICES_MOST];
        cl_uint devices = 0;
        if (api->GetDeviceIDs(platform[p], CL_DEVICE_TYPE_ALL, DEVICES_MOST, device, &devices) != CL_SUCCESS)
            continue;
        for (cl_uint d = 0; d < devices && d < DEVICES_MOST && usable < DEVICES_MOST; d++, found++) {
            all[usable] = (struct candidate){.platform = platform[p], .device = device[d]};
            usable += describe(api, &all[usable]);
        }
    }
    for (int rank = 0; rank < RANKS; rank++) {
        for (uint32_t d = 0; d < usable; d++) {
            if (all[d].rank == rank)
                list[(*count)++] = all[d];
        }
    }
    if (!found)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no OpenCL device here (PoCL also shows none if its cache folder cannot be written)");
    return usable ? CONVOY_OK : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no OpenCL device with version 1.2 and a compiler here");
}

bool choice_is_software(const struct candidate *candidate)
{
    return candidate->rank == RANK_CPU;
}

void choice_describe(const struct candidate *candidate, struct convoy_device_info *info)
{
    static const char *const types[RANKS] = {"discrete", "integrated", "accelerator", "cpu"};
    const struct convoy_device_info blank = {
        .struct_size = info->struct_size,
        .software = choice_is_software(candidate),
        .memory_bytes = candidate->memory_bytes,
        .range_bytes = candidate->alloc_bytes,
        .group_most = (uint32_t)candidate->group_most,
        .shared_bytes = (uint32_t)candidate->shared_bytes,
    };
    *info = blank;
    snprintf(info->name, sizeof info->name, "%s", candidate->name);
    snprintf(info->type, sizeof info->type, "%s", types[candidate->rank]);
    snprintf(info->driver, sizeof info->driver, "%s", candidate->driver);
}
