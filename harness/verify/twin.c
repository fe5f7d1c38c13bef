#include "verify/twin.h"
#include "core/error.h"
#include <convoy/plugin.h>

/* Where the plan names no tile: vectors and register tiles of 4 rows and 32 columns, blocks of 16 channels. */
enum { ROWS = 4, COLUMNS = 32, CHANNELS = 16, GROUPS = 3, IMAGES = 2, TILE_MOST = 32 };

/* The least value from `least` up with the remainder of `value` modulo `step`; value itself if that is not larger. */
static int32_t shrink(int32_t value, int32_t step, int32_t least)
{
    const int32_t small = (int32_t)convoy_round_up(least, step) + value % step;
    return small < value ? small : value;
}

/* Two whole tiles and the remainder, and an input of at least one pixel: the pixels that no window reaches stay. */
static void shrink_axis(int32_t *in, int32_t *out, int32_t stride, int32_t tile)
{
    int32_t small = shrink(*out, tile, 2 * tile);
    while (small < *out && (int64_t)*in - (int64_t)(*out - small) * stride < 1)
        small += tile;
    if (small >= *out)
        return;
    *in -= (*out - small) * stride;
    *out = small;
}

static int32_t tile_of(const struct convoy_numerics *numerics, uint32_t fft_tile, int32_t kernel, int32_t other)
{
    int64_t tile = other;
    if (numerics->kind == CONVOY_NUM_WINOGRAD)
        tile = numerics->m;
    else if (numerics->kind == CONVOY_NUM_FFT)
        tile = (int64_t)fft_tile - kernel + 1;
    return tile >= 1 && tile <= TILE_MOST ? (int32_t)tile : other;
}

bool twin_of(const union problem *problem, const struct convoy_numerics *numerics, union problem *twin)
{
    if (problem_family(problem) != FAMILY_CONV)
        return false;
    *twin = *problem;
    struct convoy_conv *const p = &twin->conv;
    const int32_t split = numerics->split < 1024 ? (int32_t)numerics->split : 0;
    const bool depthwise = p->c == p->groups;
    int32_t group_c = p->c / p->groups, group_k = p->k / p->groups;
    p->n = (int32_t)convoy_min(p->n, IMAGES);
    shrink_axis(&p->h, &p->oh, p->stride_h, tile_of(numerics, numerics->tile_h, p->kh, ROWS));
    shrink_axis(&p->w, &p->ow, p->stride_w, tile_of(numerics, numerics->tile_w, p->kw, COLUMNS));
    p->groups = depthwise ? shrink(p->groups, CHANNELS, CHANNELS) : (int32_t)convoy_min(p->groups, GROUPS);
    /* More channels than one partial sum has. */
    group_c = shrink(group_c, CHANNELS, CHANNELS + split);
    group_k = shrink(group_k, CHANNELS, CHANNELS);
    p->c = group_c * p->groups;
    p->k = group_k * p->groups;
    struct convoy_error err = error_none();
    return problem_complete(twin, &err) == CONVOY_OK && !problem_equal(problem, twin);
}
