/* queue.h: launches in order. The runtime keeps the order, so nothing here tracks hazards; commands are flushed in batches and waited
 * for only by those who ask. Functions are called under the device's lock. */
#ifndef CONVOY_OPENCL_QUEUE_H
#define CONVOY_OPENCL_QUEUE_H

#include "device.h"

struct range {
    cl_mem buffer;   /* NULL: the kernel does not touch this bind */
    uint64_t offset; /* bytes from its start to the bind's first */
};

convoy_status queue_open(struct device *device, struct convoy_error *err);
void queue_close(struct device *device);
cl_command_queue queue_handle(const struct device *device);

/* Launches follow with or without events that know their times. Waits when that changes. */
convoy_status queue_profile(struct device *device, bool on, struct convoy_error *err);
struct span { /* the launches of a step: the first, and the last if it came in parts */
    cl_event first, last;
};
/* In parts where it would take long. `span` may be NULL; otherwise the queue must be profiling, and the caller releases them. */
convoy_status queue_launch(struct device *device, cl_kernel kernel, const struct gpu_step *step,
                           const struct range range[GPU_BINDS_MOST], struct span *span, struct convoy_error *err);
convoy_status queue_wait(struct device *device, struct convoy_error *err);

#endif
