#include "gpu.h"

const struct gpu_module gpu_modules[GPU_MODULE_COUNT] = {
#define GPU_MODULE(id, file, build, member, buffers, names)                                                                      \
    [GPU_##id] = {                                                                                                               \
        .name = #id,                                                                                                             \
        .text = #file,                                                                                                           \
        .options = build,                                                                                                        \
        .params_bytes = sizeof(((union gpu_params *)0)->member),                                                                 \
        .binds = buffers,                                                                                                        \
        .constants = names,                                                                                                      \
    },
#include "modules.def"
#undef GPU_MODULE
};
