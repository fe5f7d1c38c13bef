#include "gpu.h"
#include <stdlib.h>

_Static_assert(GPU_MODULE_COUNT <= 64, "a batch has a bit for every module");

void gpu_pace_open(struct gpu_pace *pace, double first, double least)
{
    const char *const text = getenv("CONVOY_GPU_LAUNCH_S");
    const double seconds = text ? strtod(text, NULL) : 0;
    *pace = (struct gpu_pace){.least = least, .launch_ns = (seconds > 0 ? seconds : 0.5) * 1e9, .batch_ns = 50e6};
    for (int m = 0; m < GPU_MODULE_COUNT; m++)
        pace->speed[m] = first;
}

double gpu_pace_ns(const struct gpu_pace *pace, const struct gpu_step *step)
{
    double work = step->flops;
    for (int b = 0; b < GPU_BINDS_MOST && step->flops <= 0; b++)
        work += (double)step->bind[b].bytes;
    return work / pace->speed[step->module];
}

void gpu_batch_add(struct gpu_batch *batch, const struct gpu_pace *pace, const struct gpu_step *step, double share)
{
    batch->ns += gpu_pace_ns(pace, step) * share;
    batch->modules |= (uint64_t)1 << step->module;
}

void gpu_pace_learn(struct gpu_pace *pace, const struct gpu_batch *batch, double ns)
{
    if (ns < 1000 || batch->ns <= 0)
        return;
    const double faster = batch->ns > 2 * ns ? 2 : batch->ns / ns;
    for (int m = 0; m < GPU_MODULE_COUNT; m++) {
        if (!(batch->modules >> m & 1))
            continue;
        pace->speed[m] *= faster;
        if (pace->speed[m] < pace->least)
            pace->speed[m] = pace->least;
    }
}

bool gpu_part_next(const struct gpu_pace *pace, const struct gpu_step *step, struct gpu_part *part)
{
    const uint32_t next = part->first + part->grid_x * part->grid_y, all = step->grid_x * step->grid_y;
    const double ns = gpu_pace_ns(pace, step), fitting = ns > pace->launch_ns ? all * (pace->launch_ns / ns) : all;
    const uint32_t most = fitting < 1 ? 1 : (uint32_t)fitting;
    const uint32_t x = next % step->grid_x, y = next / step->grid_x, rows = most / step->grid_x;
    if (next >= all)
        return false;
    if (x == 0 && rows > 0)
        *part = (struct gpu_part){next, step->grid_x, rows < step->grid_y - y ? rows : step->grid_y - y};
    else
        *part = (struct gpu_part){next, most < step->grid_x - x ? most : step->grid_x - x, 1};
    return true;
}

double gpu_part_share(const struct gpu_step *step, const struct gpu_part *part)
{
    return (double)part->grid_x * part->grid_y / ((double)step->grid_x * step->grid_y);
}
