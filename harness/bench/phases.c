#include "bench/phases.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { EXECUTES = 5 };

static const struct {
    const char *name;
    bool moves; /* data only; no arithmetic */
} kinds[] = {
    [CONVOY_PHASE_INPUT_TRANSFORM] = {"input_transform", false},
    [CONVOY_PHASE_WEIGHT_TRANSFORM] = {"weight_transform", false},
    [CONVOY_PHASE_MULTIPLY] = {"multiply", false},
    [CONVOY_PHASE_OUTPUT_TRANSFORM] = {"output_transform", false},
    [CONVOY_PHASE_REORDER] = {"reorder", true},
    [CONVOY_PHASE_UPLOAD] = {"upload", true},
    [CONVOY_PHASE_DOWNLOAD] = {"download", true},
};
_Static_assert(sizeof kinds / sizeof *kinds == CONVOY_PHASE_COUNT, "every phase has its name");

static int64_t total_ns(const struct phases *phases)
{
    int64_t total = 0;
    for (int phase = 0; phase < CONVOY_PHASE_COUNT; phase++)
        total += phases->ns[phase];
    return total;
}

static convoy_status profile_once(const struct convoy_profiler *profiler, struct convoy_instance *instance,
                                  struct convoy_plan *plan, const struct convoy_args *args, struct phases *phases,
                                  struct convoy_error *err)
{
    convoy_status status = plan->ops->execute(plan, args, err);
    if (status == CONVOY_OK && instance->ops->sync)
        status = instance->ops->sync(instance, err);
    if (status != CONVOY_OK)
        return status;
    struct convoy_profile profile = {.struct_size = sizeof profile};
    profiler->read(plan, &profile);
    for (int phase = 0; phase < CONVOY_PHASE_COUNT; phase++)
        phases->ns[phase] = (int64_t)profile.phase_ns[phase];
    return CONVOY_OK;
}

convoy_status phases_measure(const struct convoy_profiler *profiler, struct convoy_instance *instance, struct convoy_plan *plan,
                             const struct convoy_args *args, struct phases *phases, struct convoy_error *err)
{
    struct phases seen[EXECUTES];
    profiler->enable(plan, 1);
    convoy_status status = profile_once(profiler, instance, plan, args, &seen[0], err);
    for (int done = 0; done < EXECUTES && status == CONVOY_OK; done++) {
        struct phases next;
        status = profile_once(profiler, instance, plan, args, &next, err);
        int at = done;
        for (; at > 0 && total_ns(&seen[at - 1]) > total_ns(&next); at--)
            seen[at] = seen[at - 1];
        seen[at] = next;
    }
    profiler->enable(plan, 0);
    if (status == CONVOY_OK)
        *phases = seen[EXECUTES / 2];
    return status;
}

int phases_print(const struct phases *phases, char *buf, size_t size)
{
    int length = 0;
    if (size)
        buf[0] = '\0';
    for (int phase = 0; phase < CONVOY_PHASE_COUNT; phase++) {
        if (!phases->ns[phase])
            continue;
        const size_t at = (size_t)length < size ? (size_t)length : size;
        length += snprintf(buf + at, size - at, "%s%s=%lld", length ? " " : "", kinds[phase].name, (long long)phases->ns[phase]);
    }
    return length;
}

int64_t phases_without_moves_ns(const struct phases *phases)
{
    int64_t total = 0;
    for (int phase = 0; phase < CONVOY_PHASE_COUNT; phase++)
        total += kinds[phase].moves ? 0 : phases->ns[phase];
    return total;
}
