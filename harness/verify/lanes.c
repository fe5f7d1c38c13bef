#include "verify/lanes.h"
#include "core/error.h"
#include "core/loader.h"
#include "verify/compare.h"
#include <stdlib.h>
#include <string.h>

bool lanes_keep(struct rig *rig, void *kept[CONVOY_NSLOTS], struct finding *finding)
{
    memset(kept, 0, CONVOY_NSLOTS * sizeof *kept);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (!slot_is_output(&rig->slots[slot]))
            continue;
        const void *const output = rig_output(rig, slot, finding);
        kept[slot] = output ? malloc((size_t)rig->slots[slot].bytes) : NULL;
        if (!kept[slot]) {
            lanes_drop(kept);
            return finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for a copy of %s", slot_name(slot));
        }
        memcpy(kept[slot], output, (size_t)rig->slots[slot].bytes);
    }
    return true;
}

void lanes_drop(void *kept[CONVOY_NSLOTS])
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        free(kept[slot]);
        kept[slot] = NULL;
    }
}

bool lanes_same_bits(struct rig *rig, void *const kept[CONVOY_NSLOTS], const char *between, struct finding *finding)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        const struct slot_info *const info = &rig->slots[slot];
        if (!kept[slot])
            continue;
        const char *const output = rig_output(rig, slot, finding);
        if (!output)
            return false;
        if (memcmp(output, kept[slot], (size_t)info->bytes) == 0)
            continue;
        const size_t element_bytes = (size_t)(info->bytes / info->elements);
        uint64_t e = 0;
        while (memcmp(output + e * element_bytes, (const char *)kept[slot] + e * element_bytes, element_bytes) == 0)
            e++;
        char name[96];
        compare_element_name(info, slot, e, name, sizeof name);
        return finding_set(finding, VERDICT_NONDETERMINISTIC, "%s has other bits in %s, though the plan declares that it has not",
                           name, between);
    }
    return true;
}

/* A host that forwards everything but the tasks, which it runs on the calling thread. */
struct lane_host {
    struct convoy_host table; /* first: plugins hand back a pointer to it */
    const struct convoy_host *outer;
    bool backwards;
};

static void lane_log(const struct convoy_host *table, uint32_t level, const char *text)
{
    const struct lane_host *const host = (const struct lane_host *)table;
    host->outer->log(host->outer, level, text);
}

static const void *lane_extension(const struct convoy_host *table, const char *id)
{
    const struct lane_host *const host = (const struct lane_host *)table;
    return host->outer->extension(host->outer, id);
}

static void lane_parallel(const struct convoy_host *table, void (*task)(void *context, size_t i, size_t worker), void *context,
                          size_t n)
{
    const struct lane_host *const host = (const struct lane_host *)table;
    for (size_t i = 0; i < n; i++) {
        const size_t number = host->backwards ? n - 1 - i : i;
        task(context, number, number % table->threads);
    }
}

static bool run_with(const struct rig *rig, uint32_t threads, bool backwards, const struct tensors *inputs,
                     void *const kept[CONVOY_NSLOTS], const char *between, struct finding *finding)
{
    const struct verify_subject *const subject = rig->subject;
    struct lane_host host = {.table = *subject->host, .outer = subject->host, .backwards = backwards};
    struct convoy_instance *instance = NULL;
    struct convoy_error err = error_none();
    host.table.struct_size = sizeof host.table;
    host.table.threads = threads;
    host.table.log = lane_log;
    host.table.parallel = lane_parallel;
    host.table.extension = lane_extension;
    const convoy_status status = loader_instance(subject->plugin, &host.table, subject->variant, &instance, &err);
    if (status != CONVOY_OK)
        return finding_status(finding, "opening a second instance", status, &err);
    const struct verify_subject other = {subject->plugin, instance, &host.table, subject->referee, subject->variant};
    struct rig second;
    bool ok = rig_open(&second, &other, &rig->problem, 0, finding);
    if (ok) {
        ok = rig_run(&second, inputs, rig->placement, finding) && lanes_same_bits(&second, kept, between, finding);
        rig_close(&second, finding);
    } else if (finding->verdict == VERDICT_UNSUPPORTED) {
        finding->verdict = VERDICT_CONTRACT; /* the answer may not depend on the threads */
    }
    instance->ops->close(instance);
    return ok && finding_open(finding);
}

bool lanes_check(const struct rig *rig, const struct tensors *inputs, void *const kept[CONVOY_NSLOTS], struct finding *finding)
{
    const struct verify_subject *const subject = rig->subject;
    const bool on_host = subject->instance->memory == subject->host->memory;
    if (!(rig->info.numerics.flags & CONVOY_THREAD_INVARIANT) || !subject->variant || !on_host)
        return true;
    return run_with(rig, 1, false, inputs, kept, "a run with one thread", finding) &&
           run_with(rig, 3, true, inputs, kept, "a run with three workers and tasks in reverse order", finding);
}
