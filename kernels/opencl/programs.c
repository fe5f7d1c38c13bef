#include "programs.h"
#include "cache.h"
#include "queue.h"
#include "texts.h"
#include <stdlib.h>
#include <string.h>

struct program {
    struct program *next;
    uint32_t group;
    int32_t constant[GPU_CONSTANTS_MOST];
    cl_program program;
    cl_kernel kernel;
    uint64_t warmed; /* the widest grid that it has run with, in invocations; 0: it has not run */
};

struct programs {
    struct cache cache;
    struct program *first[GPU_MODULE_COUNT];
    uint64_t text_hash[GPU_MODULE_COUNT]; /* 0: not yet known */
};

enum { OPTIONS_BYTES = 512, KEY_BYTES = OPTIONS_BYTES + 512 };

static void options_of(const struct device *device, const struct gpu_step *step, char *options)
{
    const struct gpu_module *const module = &gpu_modules[step->module];
    const char *name = module->constants;
    int at = snprintf(options, OPTIONS_BYTES, "-cl-std=CL1.2 -cl-mad-enable -DWIDTH=%u -DGROUP=%u %s",
                      device->base.planner.vector, step->group, module->options);
    for (uint32_t c = 0; *name && at > 0 && at < OPTIONS_BYTES; c++) {
        const size_t length = strcspn(name, " ");
        at += snprintf(options + at, (size_t)(OPTIONS_BYTES - at), " -D%.*s=%d", (int)length, name, step->constant[c]);
        name += length + (name[length] == ' ');
    }
}

static uint64_t text_hash(struct programs *programs, enum gpu_module_id id)
{
    uint64_t hash = programs->text_hash[id];
    for (uint32_t line = 0; !programs->text_hash[id] && line < texts[id].lines; line++)
        hash = cache_hash(hash, texts[id].line[line], strlen(texts[id].line[line]));
    return programs->text_hash[id] = hash;
}

static void key_of(struct device *device, const struct gpu_step *step, const char *options, char *key)
{
    snprintf(key, KEY_BYTES, "%s\n%s\n%016llx\n%s\n", device->choice.driver, device->choice.name,
             (unsigned long long)text_hash(device->programs, step->module), options);
}

static convoy_status build_failure(struct device *device, const struct gpu_step *step, cl_program program, cl_int result,
                                   struct convoy_error *err)
{
    char log[4096];
    const struct convoy_host *const host = device->base.host;
    if (device->api.GetProgramBuildInfo(program, device->choice.device, CL_PROGRAM_BUILD_LOG, sizeof log, log, NULL) == CL_SUCCESS && host->log)
        host->log(host, CONVOY_LOG_ERROR, log);
    return convoy_fail(err, api_is_memory(result) ? CONVOY_NO_MEMORY : CONVOY_FAILED, CONVOY_WHY_HARDWARE,
                       "the driver does not compile kernel %s: %s", gpu_modules[step->module].name, api_result(result));
}

/* NULL: the cache has none, or none that this driver takes. */
static cl_program from_cache(struct device *device, const char *key, const char *options)
{
    size_t bytes;
    unsigned char *const binary = cache_load(&device->programs->cache, key, &bytes);
    const unsigned char *const binaries[] = {binary};
    cl_int state = CL_SUCCESS, result = CL_SUCCESS;
    if (!binary)
        return NULL;
    cl_program program = device->api.CreateProgramWithBinary(device->context, 1, &device->choice.device, &bytes, (const unsigned char **)binaries,
                                                             &state, &result);
    free(binary);
    if (result != CL_SUCCESS || state != CL_SUCCESS || device->api.BuildProgram(program, 1, &device->choice.device, options, NULL, NULL) != CL_SUCCESS) {
        if (result == CL_SUCCESS)
            device->api.ReleaseProgram(program);
        program = NULL;
    }
    return program;
}

static void to_cache(struct device *device, const char *key, cl_program program)
{
    size_t bytes = 0;
    if (device->api.GetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS || !bytes)
        return;
    unsigned char *binary = malloc(bytes);
    if (binary && device->api.GetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        cache_save(&device->programs->cache, key, binary, bytes);
    free(binary);
}

static convoy_status from_source(struct device *device, const struct gpu_step *step, const char *options, cl_program *out, struct convoy_error *err)
{
    const struct text *const text = &texts[step->module];
    cl_int result = CL_SUCCESS;
    const cl_program program = device->api.CreateProgramWithSource(device->context, text->lines, (const char **)text->line, NULL, &result);
    if (result != CL_SUCCESS)
        return device_fail(device, result, "clCreateProgramWithSource", err);
    result = device->api.BuildProgram(program, 1, &device->choice.device, options, NULL, NULL);
    if (result != CL_SUCCESS) {
        const convoy_status status = build_failure(device, step, program, result, err);
        device->api.ReleaseProgram(program);
        return status;
    }
    *out = program;
    return CONVOY_OK;
}

static convoy_status make_kernel(struct device *device, const struct gpu_step *step, struct program *made, struct convoy_error *err)
{
    size_t group_most = 0;
    cl_int result = CL_SUCCESS;
    made->kernel = device->api.CreateKernel(made->program, "kernel_main", &result);
    if (result != CL_SUCCESS)
        return device_fail(device, result, "clCreateKernel", err);
    result = device->api.GetKernelWorkGroupInfo(made->kernel, device->choice.device, CL_KERNEL_WORK_GROUP_SIZE, sizeof group_most, &group_most, NULL);
    if (result == CL_SUCCESS && group_most < step->group)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "kernel %s runs at most %zu invocations to a work-group here, %u are needed",
                           gpu_modules[step->module].name, group_most, step->group);
    return CONVOY_OK;
}

static void release(struct device *device, struct program *program)
{
    if (program->kernel)
        device->api.ReleaseKernel(program->kernel);
    if (program->program)
        device->api.ReleaseProgram(program->program);
    free(program);
}

static convoy_status make(struct device *device, const struct gpu_step *step, struct program **out, struct convoy_error *err)
{
    char options[OPTIONS_BYTES], key[KEY_BYTES];
    struct program *const made = calloc(1, sizeof *made);
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a program");
    made->group = step->group;
    memcpy(made->constant, step->constant, sizeof made->constant);
    options_of(device, step, options);
    key_of(device, step, options, key);
    convoy_status status = CONVOY_OK;
    made->program = from_cache(device, key, options);
    bool fresh = !made->program;
    if (!fresh) {
        status = make_kernel(device, step, made, NULL);
        if (status != CONVOY_OK) { /* it loads and is not what it should be */
            if (made->kernel)
                device->api.ReleaseKernel(made->kernel);
            device->api.ReleaseProgram(made->program);
            made->kernel = NULL;
            made->program = NULL;
            fresh = true;
        }
    }
    if (fresh) {
        status = from_source(device, step, options, &made->program, err);
        if (status == CONVOY_OK)
            status = make_kernel(device, step, made, err);
        if (status == CONVOY_OK)
            to_cache(device, key, made->program);
    }
    if (status == CONVOY_OK)
        *out = made;
    else
        release(device, made);
    return status;
}

/* Parameters with which no invocation finds work: every kernel first asks whether its index is below a count that is 0 here. Divisors
 * that are divided by before that are 1. */
static union gpu_params idle_params(enum gpu_module_id id)
{
    union gpu_params params;
    memset(&params, 0, sizeof params);
    switch (id) {
    case GPU_BN_MOMENTS:
    case GPU_CHANNEL_SUMS:
        params.bn.parts = 1;
        break;
    case GPU_DIRECT_SUMS:
    case GPU_DIRECT_GRADIENT:
    case GPU_TILES_CORRELATE:
    case GPU_TILES_GRADIENT:
    case GPU_TILES_PANELS:
    case GPU_WIDE:
        params.conv.groups = params.conv.m_count = params.conv.rows = params.conv.cols = 1;
        break;
    default:
        break;
    }
    return params;
}

/* PoCL compiles at the first launch, and apart for grids beyond 65535 invocations; GPU drivers load then. */
static convoy_status warm(struct device *device, const struct gpu_step *step, struct program *program, struct convoy_error *err)
{
    const uint64_t width = (uint64_t)step->grid_x * step->group;
    struct gpu_step idle = {.module = step->module, .group = step->group, .grid_x = step->grid_x, .grid_y = step->grid_y};
    const struct range nothing[GPU_BINDS_MOST] = {{0}};
    if (program->warmed && (width <= program->warmed || width <= 65535))
        return CONVOY_OK;
    program->warmed = width;
    idle.params = idle_params(step->module);
    return queue_launch(device, program->kernel, &idle, nothing, NULL, err);
}

convoy_status programs_find(struct device *device, const struct gpu_step *step, cl_kernel *kernel, struct convoy_error *err)
{
    struct programs *const programs = device->programs;
    struct program *found = programs->first[step->module];
    while (found && (found->group != step->group || memcmp(found->constant, step->constant, sizeof found->constant) != 0))
        found = found->next;
    if (!found) {
        const convoy_status status = make(device, step, &found, err);
        if (status != CONVOY_OK)
            return status;
        found->next = programs->first[step->module];
        programs->first[step->module] = found;
    }
    *kernel = found->kernel;
    return warm(device, step, found, err);
}

convoy_status programs_open(struct device *device, struct convoy_error *err)
{
    device->programs = calloc(1, sizeof *device->programs);
    if (!device->programs)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for the programs of a device");
    cache_open(&device->programs->cache);
    return CONVOY_OK;
}

void programs_close(struct device *device)
{
    for (int id = 0; id < GPU_MODULE_COUNT; id++) {
        while (device->programs->first[id]) {
            struct program *const program = device->programs->first[id];
            device->programs->first[id] = program->next;
            release(device, program);
        }
    }
    free(device->programs);
    device->programs = NULL;
}
