#include "verify/sample.h"
#include "core/rng.h"
#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

/* Output tiles of Winograd (2..8), of overlap-save transforms of 8, 16 and 32 points with 3 or 5 taps, and panels of vector
 * kernels. */
static const int32_t seam_steps[] = {2, 3, 4, 5, 6, 7, 8, 12, 14, 16, 28, 30, 32, 48, 64};
enum { STEP_COUNT = sizeof seam_steps / sizeof seam_steps[0], AXIS_MOST = 8 * (STEP_COUNT + 2) + 8 };

struct axis {
    int64_t position[AXIS_MOST];
    size_t count;
};

static void add_position(struct axis *axis, int64_t extent, int64_t position)
{
    if (position < 0 || position >= extent || axis->count == AXIS_MOST)
        return;
    for (size_t i = 0; i < axis->count; i++) {
        if (axis->position[i] == position)
            return;
    }
    axis->position[axis->count++] = position;
}

/* Both sides of the first, a middle and the last seam of tiles of `step`. */
static void add_seams(struct axis *axis, int64_t extent, int64_t step)
{
    if (step < 1 || step >= extent)
        return;
    const int64_t last = (extent - 1) / step * step;
    const int64_t seams[] = {step, extent / step / 2 * step, last};
    for (size_t i = 0; i < sizeof seams / sizeof seams[0]; i++) {
        add_position(axis, extent, seams[i] - 1);
        add_position(axis, extent, seams[i]);
    }
}

static struct axis axis_positions(int64_t extent, int64_t tile)
{
    struct axis axis = {.count = 0};
    const int64_t ends[] = {0, extent - 1, 1, extent - 2, extent / 2};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        add_position(&axis, extent, ends[i]);
    for (size_t i = 0; i < STEP_COUNT; i++)
        add_seams(&axis, extent, seam_steps[i]);
    add_seams(&axis, extent, tile);
    return axis;
}

static int compare_index(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* The output as n x k x h x w; lower ranks fill from the right. */
struct grid {
    int64_t extent[4];
};

static uint64_t element_at(const struct grid *grid, int64_t n, int64_t k, int64_t h, int64_t w)
{
    return (uint64_t)(((n * grid->extent[1] + k) * grid->extent[2] + h) * grid->extent[3] + w);
}

static uint64_t random_below(uint64_t seed, uint64_t *draws, int64_t bound)
{
    return rng_below(seed, 0, (*draws)++, (uint64_t)bound);
}

static uint64_t collect(const struct grid *grid, int64_t tile_h, int64_t tile_w, uint64_t most, uint64_t seed, uint64_t *index)
{
    const struct axis h_axis = axis_positions(grid->extent[2], tile_h), w_axis = axis_positions(grid->extent[3], tile_w);
    const struct axis k_axis = axis_positions(grid->extent[1], 0);
    const uint64_t seams = h_axis.count * w_axis.count + k_axis.count;
    const uint64_t stride = (seams + most / 2) / (most / 2 + 1) + (seams <= most / 2 ? 0 : 1);
    uint64_t count = 0, draws = 0, turn = 0;
    for (int corner = 0; corner < 16; corner++) {
        const int64_t *const extent = grid->extent;
        index[count++] = element_at(grid, corner & 8 ? extent[0] - 1 : 0, corner & 4 ? extent[1] - 1 : 0,
                                    corner & 2 ? extent[2] - 1 : 0, corner & 1 ? extent[3] - 1 : 0);
    }
    for (size_t r = 0; r < h_axis.count; r++) {
        for (size_t s = 0; s < w_axis.count; s++) {
            const int64_t n = (int64_t)random_below(seed, &draws, grid->extent[0]),
                          k = (int64_t)random_below(seed, &draws, grid->extent[1]);
            if (turn++ % (stride ? stride : 1) == 0)
                index[count++] = element_at(grid, n, k, h_axis.position[r], w_axis.position[s]);
        }
    }
    for (size_t i = 0; i < k_axis.count; i++) {
        const int64_t n = (int64_t)random_below(seed, &draws, grid->extent[0]),
                      h = (int64_t)random_below(seed, &draws, grid->extent[2]);
        if (turn++ % (stride ? stride : 1) == 0)
            index[count++] = element_at(grid, n, k_axis.position[i], h, (int64_t)random_below(seed, &draws, grid->extent[3]));
    }
    const int64_t elements = grid->extent[0] * grid->extent[1] * grid->extent[2] * grid->extent[3];
    const uint64_t random = most / 2 < SAMPLE_RANDOM ? most / 2 : SAMPLE_RANDOM;
    for (uint64_t i = 0; i < random; i++)
        index[count++] = random_below(seed, &draws, elements);
    return count;
}

bool sample_open(const struct slot_info *info, int64_t tile_h, int64_t tile_w, uint64_t most, uint64_t seed,
                 struct sample *sample)
{
    struct grid grid = {{1, 1, 1, 1}};
    memset(sample, 0, sizeof *sample);
    for (int32_t axis = 0; axis < info->rank; axis++)
        grid.extent[4 - info->rank + axis] = info->extent[axis];
    const uint64_t elements = (uint64_t)info->elements;
    const bool whole = elements <= most;
    sample->index =
        calloc(whole ? elements : (size_t)AXIS_MOST * AXIS_MOST + AXIS_MOST + SAMPLE_RANDOM + 16, sizeof *sample->index);
    if (!sample->index)
        return false;
    if (whole) {
        for (uint64_t e = 0; e < elements; e++)
            sample->index[e] = e;
        sample->count = elements;
        return true;
    }
    const uint64_t found = collect(&grid, tile_h, tile_w, most, seed, sample->index);
    qsort(sample->index, (size_t)found, sizeof *sample->index, compare_index);
    for (uint64_t i = 0; i < found; i++) {
        if (sample->count == 0 || sample->index[sample->count - 1] != sample->index[i])
            sample->index[sample->count++] = sample->index[i];
    }
    return true;
}

void sample_close(struct sample *sample)
{
    free(sample->index);
    sample->index = NULL;
}
