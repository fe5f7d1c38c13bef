/* device.h: one OpenCL device of the process: its context, limits, memory, queue and programs. Instances of the plugin share it, so
 * that tensors stay where they are when the variants of a net's layers differ. Knows nothing of convolutions. */
#ifndef CONVOY_OPENCL_DEVICE_H
#define CONVOY_OPENCL_DEVICE_H

#include "api.h"
#include "choice.h"
#include "gpu.h"
#include <pthread.h>

#define OPENCL_VERSION "1.0" /* of the plugin: configurations that were chosen hold for one version */

struct memory_pool;
struct queue;
struct programs;

struct device {
    struct api api;
    struct candidate choice;
    cl_context context;
    bool software;             /* a CPU that plays the device */
    struct gpu_tuning *tuning; /* what was chosen for this device */
    struct gpu_device planner; /* what the planner may assume */
    pthread_mutex_t lock;      /* held by every function of memory, queue and programs that is called from outside */
    const struct convoy_host *host;
    bool lost;                 /* sticky: every later call fails at once */
    char lost_text[160];
    struct memory_pool *memory;
    struct queue *queue;
    struct programs *programs;
    char name[64];             /* "opencl:pthread-... (software)" */
    uint32_t users;
};

/* The device that the environment asks for. Failure says why there is none. [any] */
convoy_status device_open(const struct convoy_host *host, struct device **device, struct convoy_error *err);
void device_close(struct device *device);

/* Notes that the device is gone and fails. */
convoy_status device_lose(struct device *device, cl_int result, const char *what, struct convoy_error *err);
/* OK, or the failure that a lost device answers with. */
convoy_status device_check(const struct device *device, struct convoy_error *err);
/* The failure of a call on the queue: no memory, a lost device, or another. */
convoy_status device_fail(struct device *device, cl_int result, const char *what, struct convoy_error *err);

#endif
