/* backend.h: what a plugin of this kind is apart from its API: instances and plans in the ABI's terms, the slots that they need,
 * and the one device of the process that all instances share, so that tensors stay where they are when the variants of a net's
 * layers differ. A backend brings the functions of struct gpu_backend and puts the structs here at the start of its own. */
#ifndef CONVOY_GPU_BACKEND_H
#define CONVOY_GPU_BACKEND_H

#include "tuning.h"
#include <convoy/devices.h>
#include <convoy/plugin.h>
#include <pthread.h>

struct gpu_opened {            /* a device */
    struct gpu_device planner; /* what the planner may assume */
    struct convoy_memory *memory;
    struct gpu_tuning *tuning; /* what was chosen for this device; NULL: nothing is */
    const struct convoy_host *host;
    pthread_mutex_t lock; /* held by all that is called from outside */
    bool software;        /* a CPU that plays the device */
    bool lost;            /* sticky: every later call fails at once */
    char lost_text[160];
    char name[64]; /* "vulkan:llvmpipe (software)" */
    uint32_t users;
    struct gpu_opened *next_lost;
};

struct gpu_plan {
    struct convoy_plan base;
    const struct gpu_backend *backend;
    struct gpu_opened *device;
    struct gpu_program program;
    bool profiling;
};

/* Functions for plans run under the device's lock. */
struct gpu_backend {
    size_t device_bytes, plan_bytes; /* of the backend's own structs, which come zeroed */
    /* Opens the device that the environment asks for and fills planner, memory, tuning, software and name. After a failure
     * close() follows. Failure says why there is none. */
    convoy_status (*open)(struct gpu_opened *, struct convoy_error *);
    void (*close)(struct gpu_opened *); /* never of a lost device: it may still be at work on what would be freed */
    convoy_status (*wait)(struct gpu_opened *, struct convoy_error *);
    /* Compiles what the program's steps need: nothing is compiled later. After a failure destroy() follows. */
    convoy_status (*build)(struct gpu_plan *, struct convoy_error *);
    void (*destroy)(struct gpu_plan *);
    /* Launches steps first.. of the program, those of prepare counting first. */
    convoy_status (*run)(struct gpu_plan *, uint32_t first, uint32_t count, const struct convoy_args *, struct convoy_error *);
};

/* The plugin's open(). */
convoy_status gpu_instance_open(const struct gpu_backend *backend, const struct convoy_host *host, const char *variant,
                                struct convoy_instance **out, struct convoy_error *err);

uint32_t gpu_plan_count(const struct gpu_plan *plan);
const struct gpu_step *gpu_plan_step(const struct gpu_plan *plan, uint32_t at);

/* Which of `count` names CONVOY_DEVICE asks for by index or part of the name, else the first. */
convoy_status gpu_device_choose(const char *api, const char *const *names, uint32_t count, uint32_t *index,
                                struct convoy_error *err);
/* Variables that overrule limits: CONVOY_GPU_FAMILY, CONVOY_GPU_RANGE, CONVOY_GPU_WORKSPACE; see README.md. */
void gpu_device_overrule(struct gpu_device *device);
/* Notes that the device is gone and fails. */
convoy_status gpu_device_lose(struct gpu_opened *device, const char *what, const char *result, struct convoy_error *err);
/* OK, or the failure that a lost device answers with. */
convoy_status gpu_device_check(const struct gpu_opened *device, struct convoy_error *err);

/* Copies a struct that begins with its struct_size to a caller whose own may be shorter. */
void gpu_answer(void *out, const void *mine, size_t bytes);

#endif
