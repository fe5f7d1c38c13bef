/* spirv.h: the kernels as glslc compiled them, by module. */
#ifndef CONVOY_VULKAN_SPIRV_H
#define CONVOY_VULKAN_SPIRV_H

#include "gpu.h"

struct spirv_module {
    const uint32_t *code;
    size_t bytes;
};
extern const struct spirv_module spirv_modules[GPU_MODULE_COUNT];

#endif
