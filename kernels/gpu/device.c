/* What the environment says about devices. */
#include "backend.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

static bool contains(const char *text, const char *part)
{
    const size_t length = strlen(part);
    while (*text && strncasecmp(text, part, length) != 0)
        text++;
    return *text != '\0';
}

convoy_status gpu_device_choose(const char *api, const char *const *names, uint32_t count, uint32_t *index,
                                struct convoy_error *err)
{
    const char *const wish = getenv(CONVOY_DEVICE_VARIABLE);
    *index = 0;
    if (!wish || !*wish)
        return CONVOY_OK;
    char *end;
    const unsigned long number = strtoul(wish, &end, 10);
    if (!*end) {
        *index = (uint32_t)number;
        return number < count
                   ? CONVOY_OK
                   : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no %s device %lu, there are %u", api, number, count);
    }
    while (*index < count && !contains(names[*index], wish))
        ++*index;
    return *index < count ? CONVOY_OK
                          : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no %s device is named like \"%s\"", api, wish);
}
