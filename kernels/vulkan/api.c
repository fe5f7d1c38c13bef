#include "api.h"
#include <dlfcn.h>
#include <string.h>

static const struct {
    VkResult code;
    const char *name;
} results[] = {
    {VK_TIMEOUT, "VK_TIMEOUT"},
    {VK_ERROR_OUT_OF_HOST_MEMORY, "VK_ERROR_OUT_OF_HOST_MEMORY"},
    {VK_ERROR_OUT_OF_DEVICE_MEMORY, "VK_ERROR_OUT_OF_DEVICE_MEMORY"},
    {VK_ERROR_INITIALIZATION_FAILED, "VK_ERROR_INITIALIZATION_FAILED"},
    {VK_ERROR_DEVICE_LOST, "VK_ERROR_DEVICE_LOST"},
    {VK_ERROR_MEMORY_MAP_FAILED, "VK_ERROR_MEMORY_MAP_FAILED"},
    {VK_ERROR_LAYER_NOT_PRESENT, "VK_ERROR_LAYER_NOT_PRESENT"},
    {VK_ERROR_EXTENSION_NOT_PRESENT, "VK_ERROR_EXTENSION_NOT_PRESENT"},
    {VK_ERROR_FEATURE_NOT_PRESENT, "VK_ERROR_FEATURE_NOT_PRESENT"},
    {VK_ERROR_INCOMPATIBLE_DRIVER, "VK_ERROR_INCOMPATIBLE_DRIVER"},
    {VK_ERROR_TOO_MANY_OBJECTS, "VK_ERROR_TOO_MANY_OBJECTS"},
    {VK_ERROR_FRAGMENTED_POOL, "VK_ERROR_FRAGMENTED_POOL"},
};

const char *api_result(VkResult result)
{
    for (size_t r = 0; r < sizeof results / sizeof *results; r++) {
        if (results[r].code == result)
            return results[r].name;
    }
    return "an unknown error";
}

convoy_status api_fail(struct convoy_error *err, VkResult result, const char *what)
{
    const bool memory = result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return convoy_fail(err, memory ? CONVOY_NO_MEMORY : CONVOY_FAILED, memory ? CONVOY_WHY_MEMORY : CONVOY_WHY_HARDWARE,
                       "%s: %s (%d)", what, api_result(result), (int)result);
}

static convoy_status load_instance(struct api *api, VkInstance instance, struct convoy_error *err)
{
    bool complete = true;
#define API_LOAD(name) complete = (api->name = (PFN_vk##name)api->GetInstanceProcAddr(instance, "vk" #name)) && complete;
    API_INSTANCE(API_LOAD)
#undef API_LOAD
    return complete ? CONVOY_OK
                    : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "the Vulkan loader lacks functions of version 1.2");
}

convoy_status api_load_device(struct api *api, VkDevice device, struct convoy_error *err)
{
    bool complete = true;
#define API_LOAD(name) complete = (api->name = (PFN_vk##name)api->GetDeviceProcAddr(device, "vk" #name)) && complete;
    API_DEVICE(API_LOAD)
#undef API_LOAD
    return complete ? CONVOY_OK
                    : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "the driver lacks functions of Vulkan 1.2");
}

convoy_status api_open(struct api *api, VkInstance *instance, struct convoy_error *err)
{
    void *const library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no Vulkan loader here (libvulkan.so.1)");
    void *const entry = dlsym(library, "vkGetInstanceProcAddr");
    memcpy(&api->GetInstanceProcAddr, &entry, sizeof entry); /* ISO C has no conversion from void * to a function */
    if (!entry)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "libvulkan.so.1 lacks vkGetInstanceProcAddr");
    bool complete = true;
#define API_LOAD(name) complete = (api->name = (PFN_vk##name)api->GetInstanceProcAddr(NULL, "vk" #name)) && complete;
    API_LOADER(API_LOAD)
#undef API_LOAD
    uint32_t version = 0;
    if (!complete || api->EnumerateInstanceVersion(&version) != VK_SUCCESS || version < VK_API_VERSION_1_2)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "the Vulkan loader is older than version 1.2");
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "convoy",
        .apiVersion = VK_API_VERSION_1_2,
    };
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    const VkResult result = api->CreateInstance(&info, NULL, instance);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no Vulkan driver here");
    if (result != VK_SUCCESS)
        return api_fail(err, result, "vkCreateInstance");
    return load_instance(api, *instance, err);
}
