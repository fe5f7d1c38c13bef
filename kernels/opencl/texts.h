/* texts.h: the sources of the modules of kernels/gpu as OpenCL C, embedded at build time. */
#ifndef CONVOY_OPENCL_TEXTS_H
#define CONVOY_OPENCL_TEXTS_H

#include "gpu.h"

struct text {
    uint32_t lines;
    const char *const *line; /* each with its newline */
};
extern const struct text texts[GPU_MODULE_COUNT];

#endif
