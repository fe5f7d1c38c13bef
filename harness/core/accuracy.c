#include "core/accuracy.h"

#include <convoy/plugin.h>
#include <math.h>

/* F4 with good points is strict as long as its sums have at most so many terms. */
#define STRICT_CHAIN 64

/* A strided layer is split into phases, whose kernels have ceil(kernel / stride) taps. */
uint32_t accuracy_tile_points(const struct convoy_conv *p, const struct convoy_numerics *numerics)
{
    const int32_t stride = (int32_t)convoy_max(p->stride_h, p->stride_w);
    const int32_t kernel = (int32_t)convoy_max(p->kh, p->kw);
    const uint32_t taps = stride > 1 ? (uint32_t)convoy_ceil_div(kernel, stride) : numerics->r;
    return numerics->m + taps - 1;
}

int64_t accuracy_tile_count(const struct convoy_conv *p, const struct convoy_numerics *numerics)
{
    int64_t step_h = numerics->m, step_w = numerics->m;
    if (numerics->kind == CONVOY_NUM_FFT) {
        step_h = convoy_max(1, (int64_t)numerics->tile_h - p->kh + 1);
        step_w = convoy_max(1, (int64_t)numerics->tile_w - p->kw + 1);
    }
    return p->n * convoy_ceil_div(p->oh, step_h) * convoy_ceil_div(p->ow, step_w);
}

double accuracy_whole_chain(const struct convoy_conv *p, const struct convoy_numerics *numerics, bool tiled)
{
    const int64_t taps = tiled ? 1 : (int64_t)p->kh * p->kw;
    switch (p->head.op) {
    case CONVOY_CONV_FWD:
        return (double)(p->c / p->groups * taps);
    case CONVOY_CONV_BWD_DATA:
        return (double)(p->k / p->groups * taps);
    default:
        return tiled ? (double)accuracy_tile_count(p, numerics) : (double)((int64_t)p->n * p->oh * p->ow);
    }
}

double accuracy_split_chain(double whole, double part)
{
    return part > 0 && part < whole ? fmax(part, ceil(whole / part)) : whole;
}

const char *accuracy_class(const union problem *problem, const struct convoy_numerics *numerics)
{
    if (numerics->kind == CONVOY_NUM_EXACT)
        return "exact";
    if (numerics->kind != CONVOY_NUM_WINOGRAD || problem_family(problem) != FAMILY_CONV)
        return "strict";
    /* F2 and what is no worse; F4 with good points as long as its sums are short. */
    const uint32_t alpha = accuracy_tile_points(&problem->conv, numerics);
    if (alpha <= 5)
        return "strict";
    const double chain = accuracy_split_chain(accuracy_whole_chain(&problem->conv, numerics, true), numerics->split);
    return alpha == 6 && numerics->points == CONVOY_POINTS_GOOD && chain <= STRICT_CHAIN ? "strict" : "fast";
}
