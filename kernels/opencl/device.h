/* device.h: the OpenCL device of the process: its context, limits, memory, queue and programs. Knows nothing of convolutions. */
#ifndef CONVOY_OPENCL_DEVICE_H
#define CONVOY_OPENCL_DEVICE_H

#include "api.h"
#include "choice.h"
#include "backend.h"

#define OPENCL_VERSION "1.0" /* of the plugin: configurations that were chosen hold for one version */

struct memory_pool;
struct queue;
struct programs;

struct device {
    struct gpu_opened base;
    struct api api;
    struct candidate choice;
    cl_context context;
    struct memory_pool *memory;
    struct queue *queue;
    struct programs *programs;
};

/* As struct gpu_backend says. */
convoy_status device_open(struct gpu_opened *opened, struct convoy_error *err);
void device_close(struct gpu_opened *opened);

convoy_status device_lose(struct device *device, cl_int result, const char *what, struct convoy_error *err);
/* The failure of a call on the queue: no memory, a lost device, or another. */
convoy_status device_fail(struct device *device, cl_int result, const char *what, struct convoy_error *err);

#endif
