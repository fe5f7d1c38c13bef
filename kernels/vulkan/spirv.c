/* spirv_arrays.h is generated: SPIRV_ARRAY(id, {words}) for every module. */
#include "spirv.h"

#define SPIRV_ARRAY(id, ...) static const uint32_t code_##id[] = __VA_ARGS__;
#include "spirv_arrays.h"

const struct spirv_module spirv_modules[GPU_MODULE_COUNT] = {
#define GPU_MODULE(id, text, options, params, binds, constants) [GPU_##id] = {code_##id, sizeof code_##id},
#include "modules.def"
#undef GPU_MODULE
};
