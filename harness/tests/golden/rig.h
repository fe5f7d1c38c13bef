/* rig: opens a backend for a test and runs single problems on it through the ABI, with tensors that the test fills and reads
 * by slot. Static functions, because a test program is linked from one object. Knows no expected value. */
#ifndef CONVOY_GOLDEN_RIG_H
#define CONVOY_GOLDEN_RIG_H

#include "core/error.h"
#include "core/host.h"
#include "core/hostmem.h"
#include "core/loader.h"
#include "core/problem.h"
#include "core/slots.h"
#include <convoy/referee.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct backend {
    const char *name;
    struct host *host;
    const struct convoy_plugin *plugin;
    struct convoy_instance *instance; /* NULL: not built here */
};

/* Opens BUILD_DIR/plugins/convoy_NAME.so; a file that is not there leaves instance NULL. */
static inline void backend_open(struct backend *backend, const char *name, uint32_t threads)
{
    struct convoy_error err = error_none();
    char path[4096];
    int fpenv_changed = 0;
    *backend = (struct backend){.name = name};
    snprintf(path, sizeof path, "%s/plugins/convoy_%s.so", BUILD_DIR, name);
    if (access(path, R_OK) != 0)
        return;
    backend->host = host_open(threads, &err);
    if (!backend->host || loader_open(path, &backend->plugin, &fpenv_changed, &err) != CONVOY_OK ||
        loader_instance(backend->plugin, host_table(backend->host), NULL, &backend->instance, &err) != CONVOY_OK)
        fail_msg("%s: %s", path, err.text);
}

static inline void backend_close(struct backend *backend)
{
    if (backend->instance)
        backend->instance->ops->close(backend->instance);
    if (backend->host)
        host_close(backend->host);
    *backend = (struct backend){.name = backend->name};
}

/* One problem with all its tensors; outputs start as NaN. */
struct trial {
    union problem problem;
    struct slot_info info[CONVOY_NSLOTS];
    struct convoy_buffer buffer[CONVOY_NSLOTS];
    struct convoy_tensor tensor[CONVOY_NSLOTS];
    struct convoy_args args;
};

static inline void *trial_block(uint64_t bytes)
{
    void *block = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64);
    if (!block)
        fail_msg("no memory for %llu bytes", (unsigned long long)bytes);
    return block;
}

static inline struct trial *trial_new(const char *text)
{
    struct convoy_error err = error_none();
    struct trial *trial = trial_block(sizeof *trial);
    memset(trial, 0, sizeof *trial);
    if (problem_parse(text, &trial->problem, &err) != CONVOY_OK)
        fail_msg("%s: %s", text, err.text);
    slots_describe(&trial->problem, trial->info);
    trial->args = (struct convoy_args){.struct_size = sizeof trial->args, .nslots = CONVOY_NSLOTS, .slot = trial->tensor};
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (trial->info[slot].role == SLOT_UNUSED)
            continue;
        void *block = trial_block((uint64_t)trial->info[slot].bytes);
        memset(block, 0xff, (size_t)trial->info[slot].bytes);
        trial->tensor[slot] = hostmem_wrap(&trial->buffer[slot], block, (uint64_t)trial->info[slot].bytes);
    }
    return trial;
}

static inline void trial_free(struct trial *trial)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        free(trial->buffer[slot].host);
    free(trial);
}

static inline double trial_get(const struct trial *trial, uint32_t slot, int64_t element)
{
    const void *block = trial->buffer[slot].host;
    if (trial->info[slot].type == SLOT_F32)
        return (double)((const float *)block)[element];
    if (trial->info[slot].type == SLOT_U8)
        return ((const uint8_t *)block)[element];
    return ((const int32_t *)block)[element];
}

static inline void trial_set(struct trial *trial, uint32_t slot, int64_t element, double value)
{
    void *block = trial->buffer[slot].host;
    if (trial->info[slot].type == SLOT_F32)
        ((float *)block)[element] = (float)value;
    else if (trial->info[slot].type == SLOT_U8)
        ((uint8_t *)block)[element] = (uint8_t)value;
    else
        ((int32_t *)block)[element] = (int32_t)value;
}

/* Plans and runs on fresh workspace and prepared weights. False where the backend declines, with its reason in err. */
static inline bool trial_run(const struct trial *trial, const struct backend *backend, struct convoy_error *err)
{
    struct convoy_instance *instance = backend->instance;
    struct convoy_plan_info info = {.struct_size = sizeof info};
    struct convoy_tensor tensor[CONVOY_NSLOTS];
    struct convoy_buffer scratch[2];
    struct convoy_plan *plan = NULL;
    if (instance->ops->supports(instance, &trial->problem.head, err) != CONVOY_OK)
        return false;
    if (loader_plan(instance, &trial->problem.head, &plan, &info, err) != CONVOY_OK)
        fail_msg("%s: plan: %s", backend->name, err->text);
    memcpy(tensor, trial->tensor, sizeof tensor);
    if (info.workspace_bytes)
        tensor[CONVOY_WORKSPACE] = hostmem_wrap(&scratch[0], trial_block(info.workspace_bytes), info.workspace_bytes);
    if (info.prepared_bytes)
        tensor[CONVOY_PREPARED] = hostmem_wrap(&scratch[1], trial_block(info.prepared_bytes), info.prepared_bytes);
    const struct convoy_args args = {.struct_size = sizeof args, .nslots = CONVOY_NSLOTS, .slot = tensor};
    if ((info.prepared_bytes && plan->ops->prepare(plan, &args, err) != CONVOY_OK) ||
        plan->ops->execute(plan, &args, err) != CONVOY_OK ||
        (instance->ops->sync && instance->ops->sync(instance, err) != CONVOY_OK))
        fail_msg("%s: execute: %s", backend->name, err->text);
    plan->ops->destroy(plan);
    if (info.workspace_bytes)
        free(scratch[0].host);
    if (info.prepared_bytes)
        free(scratch[1].host);
    return true;
}

#endif
