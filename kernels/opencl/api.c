#include "api.h"
#include <dlfcn.h>
#include <string.h>

convoy_status api_open(struct api *api, struct convoy_error *err)
{
    void *const library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "no OpenCL loader: %s", dlerror());
    /* ISO C has no conversion from an object pointer to a function pointer; POSIX has. */
#define API_LOAD(name)                                                                                        \
    {                                                                                                         \
        void *const symbol = dlsym(library, "cl" #name);                                                      \
        if (!symbol)                                                                                          \
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "the OpenCL loader lacks cl" #name);  \
        memcpy(&api->name, &symbol, sizeof symbol);                                                           \
    }
    API_FUNCTIONS(API_LOAD)
#undef API_LOAD
    return CONVOY_OK;
}

const char *api_result(cl_int result)
{
    static const struct {
        cl_int result;
        const char *name;
    } names[] = {
#define NAME(code) {code, #code}
        NAME(CL_DEVICE_NOT_FOUND), NAME(CL_DEVICE_NOT_AVAILABLE), NAME(CL_COMPILER_NOT_AVAILABLE),
        NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE), NAME(CL_OUT_OF_RESOURCES), NAME(CL_OUT_OF_HOST_MEMORY),
        NAME(CL_BUILD_PROGRAM_FAILURE), NAME(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST), NAME(CL_INVALID_VALUE),
        NAME(CL_INVALID_COMMAND_QUEUE), NAME(CL_INVALID_BINARY), NAME(CL_INVALID_BUILD_OPTIONS), NAME(CL_INVALID_PROGRAM_EXECUTABLE),
        NAME(CL_INVALID_KERNEL_ARGS), NAME(CL_INVALID_WORK_GROUP_SIZE), NAME(CL_INVALID_BUFFER_SIZE),
#undef NAME
    };
    static _Thread_local char number[24];
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        if (names[n].result == result)
            return names[n].name;
    }
    snprintf(number, sizeof number, "OpenCL error %d", result);
    return number;
}

bool api_is_memory(cl_int result)
{
    return result == CL_MEM_OBJECT_ALLOCATION_FAILURE || result == CL_OUT_OF_RESOURCES || result == CL_OUT_OF_HOST_MEMORY ||
           result == CL_INVALID_BUFFER_SIZE;
}

convoy_status api_fail(struct convoy_error *err, cl_int result, const char *what)
{
    return api_is_memory(result) ? convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: %s", what, api_result(result))
                                 : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "%s: %s", what, api_result(result));
}
