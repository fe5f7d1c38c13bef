#include "cli/runfile.h"
#include "report/npy.h"
#include "core/error.h"
#include "core/loader.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    struct convoy_memory *memory;
    struct slot_info info[CONVOY_NSLOTS];
    const char *path[CONVOY_NSLOTS];
    struct convoy_tensor tensor[CONVOY_NSLOTS];
};

static bool is_read(enum slot_role role)
{
    return role == SLOT_INPUT || role == SLOT_INOUT;
}
static bool is_written(enum slot_role role)
{
    return role == SLOT_OUTPUT || role == SLOT_INOUT;
}

static convoy_status match_files(struct run *run, const union problem *problem, size_t count, char *const *files,
                                 struct convoy_error *err)
{
    for (size_t f = 0; f < count; f++) {
        char *equals = strchr(files[f], '=');
        if (equals)
            *equals = '\0';
        const int slot = equals ? slot_by_name(files[f]) : -1;
        if (slot < 0 || run->info[slot].role == SLOT_UNUSED)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--%s: %s has no such tensor", files[f],
                               problem_op_name(problem));
        run->path[slot] = equals + 1;
    }
    bool any_output = false;
    for (uint32_t s = 0; s < CONVOY_NSLOTS; s++) {
        if (is_read(run->info[s].role) && !run->path[s])
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s reads %s: give --%s FILE.npy", problem_op_name(problem),
                               slot_name(s), slot_name(s));
        any_output |= is_written(run->info[s].role) && run->path[s];
    }
    if (!any_output)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                           "no output is named, so nothing would be kept (for example --y OUT.npy)");
    return CONVOY_OK;
}

static convoy_status allocate(struct run *run, uint32_t slot, uint64_t bytes, struct convoy_error *err)
{
    struct convoy_buffer *buffer = NULL;
    const convoy_status status = run->memory->alloc(run->memory, bytes, &buffer, err);
    if (status == CONVOY_OK)
        run->tensor[slot] = (struct convoy_tensor){buffer, 0};
    return status;
}

static convoy_status load_slot(struct run *run, uint32_t slot, struct convoy_error *err)
{
    void *data = malloc((size_t)run->info[slot].bytes);
    if (!data)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: %lld bytes do not fit into memory", run->path[slot],
                           (long long)run->info[slot].bytes);
    convoy_status status = npy_read(run->path[slot], &run->info[slot], data, err);
    if (status == CONVOY_OK)
        status = run->memory->upload(run->memory, run->tensor[slot], data, (uint64_t)run->info[slot].bytes, err);
    free(data);
    return status;
}

static convoy_status save_slot(struct run *run, uint32_t slot, struct convoy_error *err)
{
    void *data = malloc((size_t)run->info[slot].bytes);
    if (!data)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: %lld bytes do not fit into memory", run->path[slot],
                           (long long)run->info[slot].bytes);
    convoy_status status = run->memory->download(run->memory, data, run->tensor[slot], (uint64_t)run->info[slot].bytes, err);
    if (status == CONVOY_OK)
        status = npy_write(run->path[slot], &run->info[slot], data, err);
    free(data);
    return status;
}

convoy_status runfile_execute(struct convoy_instance *instance, const union problem *problem, uint64_t mem_limit_bytes,
                              size_t count, char *const *files, char *text, size_t text_size, struct convoy_error *err)
{
    struct run run = {.memory = instance->memory};
    struct convoy_plan *plan = NULL;
    struct convoy_plan_info info = {.struct_size = sizeof info};
    slots_describe(problem, run.info);
    convoy_status status = match_files(&run, problem, count, files, err);
    if (status == CONVOY_OK)
        status = instance->ops->supports(instance, &problem->head, err);
    if (status == CONVOY_OK)
        status = loader_plan(instance, &problem->head, &plan, &info, err);
    if (status != CONVOY_OK)
        goto out;
    if (mem_limit_bytes && info.workspace_bytes + info.prepared_bytes > mem_limit_bytes) {
        status = convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_MEMORY,
                             "needs %llu bytes of workspace and %llu of prepared weights, over --mem-limit %llu",
                             (unsigned long long)info.workspace_bytes, (unsigned long long)info.prepared_bytes,
                             (unsigned long long)mem_limit_bytes);
        goto out;
    }
    for (uint32_t s = 0; s < CONVOY_NSLOTS && status == CONVOY_OK; s++) {
        if (run.info[s].role != SLOT_UNUSED)
            status = allocate(&run, s, (uint64_t)run.info[s].bytes, err);
        if (status == CONVOY_OK && is_read(run.info[s].role))
            status = load_slot(&run, s, err);
    }
    if (status == CONVOY_OK && info.workspace_bytes)
        status = allocate(&run, CONVOY_WORKSPACE, info.workspace_bytes, err);
    if (status == CONVOY_OK && info.prepared_bytes)
        status = allocate(&run, CONVOY_PREPARED, info.prepared_bytes, err);
    const struct convoy_args args = {sizeof args, CONVOY_NSLOTS, run.tensor};
    if (status == CONVOY_OK && info.prepared_bytes)
        status = plan->ops->prepare(plan, &args, err);
    if (status == CONVOY_OK)
        status = plan->ops->execute(plan, &args, err);
    if (status == CONVOY_OK && instance->ops->sync)
        status = instance->ops->sync(instance, err);
    for (uint32_t s = 0; s < CONVOY_NSLOTS && status == CONVOY_OK; s++) {
        if (is_written(run.info[s].role) && run.path[s])
            status = save_slot(&run, s, err);
    }
    if (status == CONVOY_OK)
        snprintf(text, text_size, "%s, workspace %llu bytes, prepared %llu bytes", info.algorithm,
                 (unsigned long long)info.workspace_bytes, (unsigned long long)info.prepared_bytes);
out:
    for (uint32_t s = 0; s < CONVOY_NSLOTS; s++) {
        if (run.tensor[s].buffer)
            run.memory->free(run.memory, run.tensor[s].buffer);
    }
    if (plan)
        plan->ops->destroy(plan);
    return status;
}
