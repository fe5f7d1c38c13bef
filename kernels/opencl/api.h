/* api.h: OpenCL 1.2 without linking to it. The loader is opened at run time, so that the plugin loads, and says what is missing, on a
 * machine without one. The only file here that includes OpenCL's header. */
#ifndef CONVOY_OPENCL_API_H
#define CONVOY_OPENCL_API_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <convoy/plugin.h>
#include <stdbool.h>

#define API_FUNCTIONS(f)                                                                                                       \
    f(GetPlatformIDs) f(GetPlatformInfo) f(GetDeviceIDs) f(GetDeviceInfo) f(CreateContext) f(ReleaseContext)                   \
    f(CreateCommandQueue) f(ReleaseCommandQueue) f(CreateBuffer) f(CreateSubBuffer) f(ReleaseMemObject)                        \
    f(CreateProgramWithSource) f(CreateProgramWithBinary) f(BuildProgram) f(GetProgramBuildInfo) f(GetProgramInfo)             \
    f(ReleaseProgram) f(CreateKernel) f(ReleaseKernel) f(SetKernelArg) f(GetKernelWorkGroupInfo) f(EnqueueNDRangeKernel)       \
    f(EnqueueReadBuffer) f(EnqueueWriteBuffer) f(EnqueueFillBuffer) f(Flush) f(Finish) f(ReleaseEvent) f(GetEventProfilingInfo)

struct api {
#define API_MEMBER(name) __typeof__(cl##name) *name;
    API_FUNCTIONS(API_MEMBER)
#undef API_MEMBER
};

/* Opens the loader. It stays open for good: drivers leave threads behind. [any] */
convoy_status api_open(struct api *api, struct convoy_error *err);
/* "CL_OUT_OF_RESOURCES", or the number. Valid until the thread's next call. */
const char *api_result(cl_int result);
bool api_is_memory(cl_int result);
/* What a failed call amounts to: no memory, or a failure. */
convoy_status api_fail(struct convoy_error *err, cl_int result, const char *what);

#endif
