/* devices.h: the optional extension "convoy.devices/1" of a plugin for devices: which ones there are. The environment variable
 * CONVOY_DEVICE (the harness's --device), an index or a part of a name, chooses the one that open() takes; without it the plugin
 * takes the first of discrete, integrated, virtual, CPU.
 *
 * plugin->extension(CONVOY_DEVICES_ID) returns a struct convoy_devices, or NULL: the plugin has no devices to tell apart. */
#ifndef CONVOY_DEVICES_H
#define CONVOY_DEVICES_H

#include "convoy.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONVOY_DEVICES_ID "convoy.devices/1"
#define CONVOY_DEVICE_VARIABLE "CONVOY_DEVICE"

struct convoy_device_info { /* caller-allocated; the caller sets struct_size                                   */
    uint32_t struct_size;
    uint32_t software; /* 1: a CPU plays the device; its times say nothing about a GPU                    */
    uint64_t memory_bytes;
    uint64_t range_bytes; /* the most that a kernel reaches through one argument                             */
    uint32_t group_most, shared_bytes, subgroup; /* invocations and shared memory of a work-group; 0: unknown  */
    uint32_t reserved;
    char name[160], type[16], driver[160];
};

struct convoy_devices {
    uint32_t struct_size, reserved;
    /* The device of that index, in the order that indices count in; CONVOY_UNSUPPORTED: there is none. Other failures say why
     * there is no device at all. [any] */
    convoy_status (*describe)(uint32_t index, struct convoy_device_info *, struct convoy_error *);
};

#ifdef __cplusplus
}
#endif
#endif
