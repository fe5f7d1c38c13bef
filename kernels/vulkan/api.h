/* api.h: Vulkan without linking to it. The loader is opened at run time, so that the plugin loads, and says what is missing, on a
 * machine without one. The only file here that includes Vulkan's header. */
#ifndef CONVOY_VULKAN_API_H
#define CONVOY_VULKAN_API_H

#define VK_NO_PROTOTYPES
#include <convoy/plugin.h>
#include <stdbool.h>
#include <vulkan/vulkan.h>

#define API_LOADER(f) f(EnumerateInstanceVersion) f(CreateInstance)
#define API_INSTANCE(f)                                                                                                          \
    f(DestroyInstance) f(EnumeratePhysicalDevices) f(GetPhysicalDeviceProperties2) f(GetPhysicalDeviceMemoryProperties)          \
        f(GetPhysicalDeviceQueueFamilyProperties) f(EnumerateDeviceExtensionProperties) f(CreateDevice) f(GetDeviceProcAddr)
#define API_DEVICE(f)                                                                                                            \
    f(DestroyDevice) f(GetDeviceQueue) f(QueueSubmit) f(AllocateMemory) f(FreeMemory) f(MapMemory) f(BindBufferMemory)           \
        f(GetBufferMemoryRequirements) f(CreateBuffer) f(DestroyBuffer) f(CreateFence) f(DestroyFence) f(ResetFences)            \
            f(WaitForFences) f(CreateShaderModule) f(DestroyShaderModule) f(CreatePipelineCache) f(GetPipelineCacheData)         \
                f(DestroyPipelineCache) f(CreateComputePipelines) f(DestroyPipeline) f(CreatePipelineLayout)                     \
                    f(DestroyPipelineLayout) f(CreateDescriptorSetLayout) f(DestroyDescriptorSetLayout) f(CreateDescriptorPool)  \
                        f(DestroyDescriptorPool) f(ResetDescriptorPool) f(AllocateDescriptorSets) f(UpdateDescriptorSets)        \
                            f(CreateCommandPool) f(DestroyCommandPool) f(AllocateCommandBuffers) f(BeginCommandBuffer)           \
                                f(EndCommandBuffer) f(CmdPipelineBarrier) f(CmdBindPipeline) f(CmdBindDescriptorSets)            \
                                    f(CmdPushConstants) f(CmdDispatch) f(CmdCopyBuffer) f(CmdFillBuffer) f(CreateQueryPool)      \
                                        f(DestroyQueryPool) f(CmdResetQueryPool) f(CmdWriteTimestamp) f(GetQueryPoolResults)

struct api {
#define API_MEMBER(name) PFN_vk##name name;
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
    API_LOADER(API_MEMBER) API_INSTANCE(API_MEMBER) API_DEVICE(API_MEMBER)
#undef API_MEMBER
};

/* Opens the loader (once per process; it stays) and makes an instance of Vulkan 1.2; the instance's functions are filled. */
convoy_status api_open(struct api *api, VkInstance *instance, struct convoy_error *err);
/* Fills the device's functions. */
convoy_status api_load_device(struct api *api, VkDevice device, struct convoy_error *err);

/* "VK_ERROR_OUT_OF_DEVICE_MEMORY" and so on. */
const char *api_result(VkResult result);
/* CONVOY_NO_MEMORY for the two codes that say so, else CONVOY_FAILED; "what: code". */
convoy_status api_fail(struct convoy_error *err, VkResult result, const char *what);

#endif
