/* choice.h: which OpenCL devices there are. Opens none of them. */
#ifndef CONVOY_OPENCL_CHOICE_H
#define CONVOY_OPENCL_CHOICE_H

#include "api.h"
#include <convoy/devices.h>

enum { DEVICES_MOST = 32 };

struct candidate {
    cl_platform_id platform;
    cl_device_id device;
    int rank; /* discrete, integrated, other accelerators, CPU */
    cl_ulong memory_bytes, alloc_bytes, shared_bytes;
    size_t group_most;
    cl_uint units, vector, base_align_bits;
    char name[160], driver[160];
};

/* All usable devices (OpenCL 1.2, a compiler), best kind first, otherwise in the loader's order. None: a failure that says why. [any] */
convoy_status choice_list(const struct api *api, struct candidate *list, uint32_t *count, struct convoy_error *err);
bool choice_is_software(const struct candidate *candidate);
void choice_describe(const struct candidate *candidate, struct convoy_device_info *info);

#endif
