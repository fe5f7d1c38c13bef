#include "program.h"
#include <stdlib.h>
#include <string.h>

void planner_fail(struct planner *planner, convoy_status status, convoy_why why, const char *text)
{
    if (planner->status == CONVOY_OK)
        planner->status = convoy_fail(planner->err, status, why, "%s", text);
}

/* Room for one more step; capacities are powers of two. */
static struct gpu_step *append(struct gpu_step **steps, uint32_t *count)
{
    if ((*count & (*count - 1)) == 0) {
        struct gpu_step *const more = realloc(*steps, (size_t)(*count ? *count * 2 : 1) * sizeof **steps);
        if (!more)
            return NULL;
        *steps = more;
    }
    return &(*steps)[(*count)++];
}

struct gpu_step *planner_step(struct planner *planner, enum gpu_module_id module, uint32_t group, int64_t groups)
{
    struct gpu_program *const program = planner->program;
    const int64_t most = planner->device->grid_most;
    const int64_t x = convoy_min(groups, most), y = convoy_ceil_div(groups, x);
    struct gpu_step *step = &planner->scrap;
    if (y > most || groups * group > INT32_MAX) {
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "one image needs more work-groups than a launch can have");
    } else if (planner->status == CONVOY_OK) {
        struct gpu_step *const made = planner->preparing ? append(&program->prepare, &program->prepare_count)
                                                         : append(&program->step, &program->step_count);
        if (made)
            step = made;
        else
            planner_fail(planner, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a program");
    }
    memset(step, 0, sizeof *step);
    step->module = module;
    step->group = group;
    step->grid_x = (uint32_t)x;
    step->grid_y = (uint32_t)y;
    step->phase = planner->phase;
    return step;
}

struct gpu_step *planner_flat(struct planner *planner, enum gpu_module_id module, int64_t items)
{
    const uint32_t usual = planner->device->cpu_family ? 64 : 256;
    const struct gpu_choice *const choice = planner->device->choice;
    const uint32_t wish = choice && choice->group ? (uint32_t)choice->group : usual;
    const uint32_t group = wish < planner->device->group_most ? wish : planner->device->group_most;
    return planner_step(planner, module, group, convoy_ceil_div(items, group));
}

uint32_t planner_tree_group(const struct planner *planner)
{
    uint32_t group = planner->device->cpu_family ? 8 : 256;
    if (planner->device->choice && planner->device->choice->group)
        group = (uint32_t)planner->device->choice->group;
    while (group > planner->device->group_most)
        group /= 2;
    return group;
}

void planner_bind(struct planner *planner, struct gpu_step *step, uint32_t at, uint32_t slot, uint32_t access,
                  uint64_t offset_bytes, uint64_t bytes)
{
    step->bind[at] = (struct gpu_bind){slot, access, offset_bytes, (bytes + 3) / 4 * 4};
    if (slot == CONVOY_WORKSPACE || slot == CONVOY_PREPARED)
        return;
    if (access & GPU_READ)
        planner->program->reads |= 1u << slot;
    if (access & GPU_WRITE)
        planner->program->writes |= 1u << slot;
}

static uint64_t align_up(const struct planner *planner, uint64_t bytes)
{
    const uint64_t align = planner->device->align_bytes;
    return (bytes + align - 1) / align * align;
}

static void check_room(struct planner *planner, uint64_t bytes)
{
    const struct gpu_device *const device = planner->device;
    const struct gpu_program *const program = planner->program;
    if (planner->status != CONVOY_OK)
        return;
    if (bytes > device->range_bytes)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE,
                     "an intermediate array exceeds what this device can bind at a time");
    else if (program->workspace_bytes > device->workspace_bytes ||
             program->prepared_bytes > device->workspace_bytes - program->workspace_bytes)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_MEMORY,
                     "workspace and prepared weights exceed what this device has for them");
    planner->crowded = planner->status != CONVOY_OK;
}

int64_t planner_chunk(const struct planner *planner, int64_t wish_bytes)
{
    return convoy_min(wish_bytes >> planner->shrink, (int64_t)planner->device->range_bytes);
}

uint64_t planner_workspace(struct planner *planner, uint64_t bytes)
{
    const uint64_t at = planner->workspace_used;
    planner->workspace_used += align_up(planner, bytes);
    if (planner->workspace_used > planner->program->workspace_bytes)
        planner->program->workspace_bytes = planner->workspace_used;
    check_room(planner, bytes);
    return at;
}

void planner_reuse(struct planner *planner, uint64_t from)
{
    planner->workspace_used = from;
}

uint64_t planner_prepared(struct planner *planner, uint64_t bytes)
{
    const uint64_t at = planner->program->prepared_bytes;
    planner->program->prepared_bytes += align_up(planner, bytes);
    check_room(planner, bytes);
    return at;
}

void planner_sum(struct planner *planner, uint64_t from, uint64_t from_bytes, uint32_t slot, uint64_t to, int64_t count,
                 int64_t parts, int64_t stride, int64_t pitch)
{
    struct gpu_step *const step = planner_flat(planner, GPU_SUM, count);
    step->params.flat = (struct gpu_flat){.count = (int)count, .parts = (int)parts, .stride = (int)stride, .pitch = (int)pitch};
    planner_bind(planner, step, 0, CONVOY_WORKSPACE, GPU_READ, from, from_bytes);
    planner_bind(planner, step, 1, slot, GPU_WRITE, to, (uint64_t)count * 4);
}

int64_t planner_slice(struct planner *planner, int64_t count, int64_t unit_bytes, int64_t multiple)
{
    /* A bind begins at a multiple of the device's own alignment, which may be below the tensor's first byte. */
    const int64_t room = (int64_t)planner->device->range_bytes - (int64_t)planner->device->align_bytes;
    int64_t units = room / unit_bytes;
    if (units >= count)
        return count;
    units -= units % multiple;
    if (units < 1) {
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE,
                     "one image of this tensor exceeds what this device can bind at a time");
        units = count;
    }
    return units;
}

/* Granlund & Montgomery, PLDI 1994, figure 4.1, for n below 2^31: shift = ceil(log2 d), mul = floor(2^32*(2^shift - d)/d) + 1. */
struct divisor divisor_of(int64_t d)
{
    struct divisor divisor = {0};
    if (d < 1)
        d = 1;
    while (((uint64_t)1 << divisor.shift) < (uint64_t)d)
        divisor.shift++;
    divisor.mul = (uint32_t)((((((uint64_t)1 << divisor.shift) - (uint64_t)d) << 32) / (uint64_t)d) + 1);
    return divisor;
}
