/* programs.h: modules of kernels/gpu compiled for this device: one program per module, work-group size and constants, kept until the
 * device closes. Functions are called under the device's lock. */
#ifndef CONVOY_OPENCL_PROGRAMS_H
#define CONVOY_OPENCL_PROGRAMS_H

#include "device.h"

convoy_status programs_open(struct device *device, struct convoy_error *err);
void programs_close(struct device *device);
/* The kernel of a step, compiled and run once with nothing to do, so that no later launch compiles. Borrowed. */
convoy_status programs_find(struct device *device, const struct gpu_step *step, cl_kernel *kernel, struct convoy_error *err);

#endif
