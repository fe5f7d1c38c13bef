#include "gpu.h"
#include <stdlib.h>
#include <string.h>

static void overrule(uint64_t *limit, const char *variable, uint64_t least)
{
    const char *const text = getenv(variable);
    const uint64_t bytes = text ? strtoull(text, NULL, 10) : 0;
    if (bytes >= least)
        *limit = bytes;
}

void gpu_device_overrule(struct gpu_device *device)
{
    const char *const family = getenv("CONVOY_GPU_FAMILY");
    if (family)
        device->cpu_family = !strcmp(family, "cpu");
    overrule(&device->range_bytes, "CONVOY_GPU_RANGE", 1024);
    overrule(&device->workspace_bytes, "CONVOY_GPU_WORKSPACE", 1);
}
