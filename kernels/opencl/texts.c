#include "texts.h"

#define TEXT(id, ...) static const char *const lines_##id[] = {__VA_ARGS__};
#include "text_arrays.h"
#undef TEXT

const struct text texts[GPU_MODULE_COUNT] = {
#define GPU_MODULE(id, text, options, params, binds, constants) [GPU_##id] = {sizeof lines_##id / sizeof *lines_##id, lines_##id},
#include "modules.def"
#undef GPU_MODULE
};
