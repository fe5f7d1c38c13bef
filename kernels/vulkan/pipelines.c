#include "pipelines.h"
#include "spirv.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pipeline {
    struct pipeline *next;
    enum gpu_module_id module;
    uint32_t group;
    int32_t constant[GPU_CONSTANTS_MOST];
    VkPipeline handle;
};

struct pipelines {
    VkDescriptorSetLayout sets;
    VkPipelineLayout layout;
    VkPipelineCache cache;
    VkShaderModule shader[GPU_MODULE_COUNT]; /* made when first asked for */
    struct pipeline *first[GPU_MODULE_COUNT];
    char path[512]; /* of the cache file; "": none */
    size_t loaded_bytes;
};

/* ---- the cache on disk ---- */

/* The name carries the device, its driver and the driver's own identifier, so that another driver looks for another file; the
 * driver checks the header again. Without a folder there is no file, which is no error. */
static void find_path(const struct device *device, char *path, size_t size)
{
    const VkPhysicalDeviceProperties *const p = &device->properties;
    char folder[400], uuid[2 * VK_UUID_SIZE + 1];
    path[0] = '\0';
    if (!gpu_cache_folder(folder, sizeof folder))
        return;
    for (uint32_t b = 0; b < VK_UUID_SIZE; b++)
        snprintf(uuid + 2 * b, 3, "%02x", p->pipelineCacheUUID[b]);
    const int length =
        snprintf(path, size, "%s/vulkan-%x-%x-%x-%s.bin", folder, p->vendorID, p->deviceID, p->driverVersion, uuid);
    if (length < 0 || (size_t)length >= size)
        path[0] = '\0';
}

/* Whether the file's header names this device and this driver (VkPipelineCacheHeaderVersionOne). */
static bool is_ours(const struct device *device, const unsigned char *data, size_t bytes)
{
    uint32_t header[4];
    if (bytes < sizeof header + VK_UUID_SIZE)
        return false;
    memcpy(header, data, sizeof header);
    return header[0] >= sizeof header + VK_UUID_SIZE && header[0] <= bytes && header[1] == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           header[2] == device->properties.vendorID && header[3] == device->properties.deviceID &&
           !memcmp(data + sizeof header, device->properties.pipelineCacheUUID, VK_UUID_SIZE);
}

enum { CACHE_MOST = 64 << 20 };

static void *load_cache(const struct device *device, const char *path, size_t *bytes)
{
    unsigned char *data = NULL;
    FILE *const file = path[0] ? fopen(path, "rb") : NULL;
    *bytes = 0;
    if (file && fseek(file, 0, SEEK_END) == 0) {
        const long size = ftell(file);
        rewind(file);
        data = size > 0 && size <= CACHE_MOST ? malloc((size_t)size) : NULL;
        if (data && fread(data, 1, (size_t)size, file) == (size_t)size && is_ours(device, data, (size_t)size))
            *bytes = (size_t)size;
    }
    if (file)
        fclose(file);
    return data;
}

static void save_cache(struct device *device)
{
    struct pipelines *const pipelines = device->pipelines;
    char draft[sizeof pipelines->path + 32];
    size_t bytes = 0;
    if (device->base.lost || !pipelines->path[0] ||
        device->api.GetPipelineCacheData(device->handle, pipelines->cache, &bytes, NULL) != VK_SUCCESS ||
        bytes == pipelines->loaded_bytes)
        return;
    void *const data = malloc(bytes);
    snprintf(draft, sizeof draft, "%s.%ld", pipelines->path, (long)getpid());
    FILE *const file = data ? fopen(draft, "wb") : NULL;
    if (file) {
        const bool read = device->api.GetPipelineCacheData(device->handle, pipelines->cache, &bytes, data) == VK_SUCCESS;
        const bool written = read && fwrite(data, 1, bytes, file) == bytes;
        if (fclose(file) != 0 || !written || rename(draft, pipelines->path) != 0)
            unlink(draft);
    }
    free(data);
}

/* ---- open and close ---- */

convoy_status pipelines_open(struct device *device, struct convoy_error *err)
{
    const struct api *const api = &device->api;
    struct pipelines *const pipelines = calloc(1, sizeof *pipelines);
    if (!pipelines)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for pipelines");
    device->pipelines = pipelines;
    VkDescriptorSetLayoutBinding binding[GPU_BINDS_MOST + 1];
    for (uint32_t b = 0; b <= GPU_BINDS_MOST; b++) {
        binding[b] = (VkDescriptorSetLayoutBinding){
            .binding = b,
            .descriptorType = b == BINDING_PARAMS ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    }
    const VkDescriptorSetLayoutCreateInfo sets = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = GPU_BINDS_MOST + 1,
        .pBindings = binding,
    };
    const VkPushConstantRange bases = {VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(struct push)};
    find_path(device, pipelines->path, sizeof pipelines->path);
    void *const data = load_cache(device, pipelines->path, &pipelines->loaded_bytes);
    const VkPipelineCacheCreateInfo cache = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = pipelines->loaded_bytes,
        .pInitialData = data,
    };
    VkResult result = api->CreateDescriptorSetLayout(device->handle, &sets, NULL, &pipelines->sets);
    const VkPipelineLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &pipelines->sets,
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &bases,
    };
    if (result == VK_SUCCESS)
        result = api->CreatePipelineLayout(device->handle, &layout, NULL, &pipelines->layout);
    if (result == VK_SUCCESS)
        result = api->CreatePipelineCache(device->handle, &cache, NULL, &pipelines->cache);
    free(data);
    return result == VK_SUCCESS ? CONVOY_OK : api_fail(err, result, "making a pipeline layout");
}

void pipelines_close(struct device *device)
{
    struct pipelines *const pipelines = device->pipelines;
    const struct api *const api = &device->api;
    for (int m = 0; m < GPU_MODULE_COUNT; m++) {
        while (pipelines->first[m]) {
            struct pipeline *const pipeline = pipelines->first[m];
            pipelines->first[m] = pipeline->next;
            api->DestroyPipeline(device->handle, pipeline->handle, NULL);
            free(pipeline);
        }
        if (pipelines->shader[m])
            api->DestroyShaderModule(device->handle, pipelines->shader[m], NULL);
    }
    if (pipelines->cache) {
        save_cache(device);
        api->DestroyPipelineCache(device->handle, pipelines->cache, NULL);
    }
    if (pipelines->layout)
        api->DestroyPipelineLayout(device->handle, pipelines->layout, NULL);
    if (pipelines->sets)
        api->DestroyDescriptorSetLayout(device->handle, pipelines->sets, NULL);
    free(pipelines);
    device->pipelines = NULL;
}

VkPipelineLayout pipelines_layout(const struct device *device)
{
    return device->pipelines->layout;
}

VkDescriptorSetLayout pipelines_sets(const struct device *device)
{
    return device->pipelines->sets;
}

/* ---- pipelines ---- */

static VkResult create_shader(struct device *device, enum gpu_module_id module)
{
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = spirv_modules[module].bytes,
        .pCode = spirv_modules[module].code,
    };
    return device->api.CreateShaderModule(device->handle, &info, NULL, &device->pipelines->shader[module]);
}

/* Constant 0 is the work-group size, 1 the same as GROUP, then the module's own. */
static VkResult create(struct device *device, const struct gpu_step *step, VkPipeline *pipeline)
{
    VkSpecializationMapEntry entry[GPU_CONSTANTS_MOST + 2];
    int32_t value[GPU_CONSTANTS_MOST + 2] = {(int32_t)step->group, (int32_t)step->group};
    for (uint32_t c = 0; c < GPU_CONSTANTS_MOST + 2; c++) {
        entry[c] = (VkSpecializationMapEntry){c, c * (uint32_t)sizeof *value, sizeof *value};
        if (c >= 2)
            value[c] = step->constant[c - 2];
    }
    const VkSpecializationInfo constants = {GPU_CONSTANTS_MOST + 2, entry, sizeof value, value};
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = device->pipelines->shader[step->module],
                .pName = "main",
                .pSpecializationInfo = &constants,
            },
        .layout = device->pipelines->layout,
    };
    return device->api.CreateComputePipelines(device->handle, device->pipelines->cache, 1, &info, NULL, pipeline);
}

convoy_status pipelines_find(struct device *device, const struct gpu_step *step, VkPipeline *pipeline, struct convoy_error *err)
{
    struct pipelines *const pipelines = device->pipelines;
    for (const struct pipeline *at = pipelines->first[step->module]; at; at = at->next) {
        if (at->group == step->group && !memcmp(at->constant, step->constant, sizeof at->constant)) {
            *pipeline = at->handle;
            return CONVOY_OK;
        }
    }
    struct pipeline *const made = calloc(1, sizeof *made);
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a pipeline");
    VkResult result = pipelines->shader[step->module] ? VK_SUCCESS : create_shader(device, step->module);
    if (result == VK_SUCCESS)
        result = create(device, step, &made->handle);
    if (result != VK_SUCCESS) {
        free(made);
        return api_fail(err, result, gpu_modules[step->module].name);
    }
    made->module = step->module;
    made->group = step->group;
    memcpy(made->constant, step->constant, sizeof made->constant);
    made->next = pipelines->first[step->module];
    pipelines->first[step->module] = made;
    *pipeline = made->handle;
    return CONVOY_OK;
}
