/* memory.h: the device's memory as a domain of the ABI: a buffer of OpenCL per tensor. Freed ones are kept for the next tensor of
 * their size, since drivers take long to map memory, and given back when memory runs out. */
#ifndef CONVOY_OPENCL_MEMORY_H
#define CONVOY_OPENCL_MEMORY_H

#include "device.h"

convoy_status memory_open(struct device *device, struct convoy_error *err);
void memory_close(struct device *device);
cl_mem memory_handle(const struct convoy_buffer *buffer);

#endif
