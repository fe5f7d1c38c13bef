/* Implicit products of matrices with tiles in shared memory (text/tiles.kernel): nothing is laid out first. */
#include "conv.h"

struct tile {
    int32_t bm, bn, bk, tm, tn, group;
};
/* group = bm*bn/(tm*tn) is a multiple of bn and of bk, and bm*bk and bn*bk are multiples of it. The first ones, largest first, are
 * those that the planner takes by itself; the rest is for tuning. */
static const struct tile tiles[] = {
    {128, 128, 16, 8, 8, 256}, {64, 128, 16, 4, 8, 256}, {32, 128, 16, 4, 4, 256}, {64, 64, 16, 4, 4, 256},
    {32, 32, 16, 4, 4, 64},    {128, 64, 16, 8, 4, 256}, {64, 64, 16, 8, 4, 128},  {64, 64, 16, 8, 8, 64},
    {256, 64, 16, 8, 8, 256},  {64, 256, 16, 8, 8, 256}, {128, 128, 8, 8, 8, 256}, {128, 128, 32, 8, 8, 256},
    {64, 128, 8, 4, 8, 256},   {64, 64, 32, 4, 4, 256},  {32, 256, 16, 4, 8, 256}, {64, 32, 16, 4, 4, 128},
    {32, 64, 16, 4, 4, 128},   {32, 32, 32, 4, 4, 64},   {32, 32, 16, 2, 4, 128},
};
enum { TILE_COUNT = sizeof tiles / sizeof *tiles, TILE_DEFAULTS = 5, PAD = 4 };

static bool fits(const struct gpu_device *device, const struct tile *tile)
{
    const uint32_t bytes = (uint32_t)(tile->bk * (tile->bm + tile->bn + 2 * PAD)) * 4;
    return bytes <= device->shared_bytes && (uint32_t)tile->group <= device->group_most;
}

int32_t tiles_count(void)
{
    return TILE_COUNT;
}

bool tiles_name(const struct gpu_device *device, int32_t index, char *name, size_t size)
{
    if (index < 1 || index > TILE_COUNT || !fits(device, &tiles[index - 1]))
        return false;
    const struct tile *const tile = &tiles[index - 1];
    snprintf(name, size, "%dx%dx%d/%dx%d", tile->bm, tile->bn, tile->bk, tile->tm, tile->tn);
    return true;
}

static const struct tile *chosen(const struct gpu_device *device)
{
    return device->choice && device->choice->tile ? &tiles[device->choice->tile - 1] : NULL;
}

static int64_t tile_count(const struct tile *tile, int64_t rows, int64_t cols)
{
    return convoy_ceil_div(rows, tile->bm) * convoy_ceil_div(cols, tile->bn);
}

/* The largest tile that fills the device at least twice and leaves no more than half of its rows empty; else the last that fits.
 */
static const struct tile *choose(const struct gpu_device *device, int64_t rows, int64_t cols, int64_t products)
{
    const int64_t wanted = 2 * (device->cores ? device->cores : 32);
    const struct tile *last = &tiles[TILE_DEFAULTS - 1];
    if (chosen(device))
        return chosen(device);
    for (int t = 0; t < TILE_DEFAULTS; t++) {
        const bool full = tiles[t].bm < 2 * rows && tiles[t].bn < 2 * cols;
        if (!fits(device, &tiles[t]))
            continue;
        last = &tiles[t];
        if (full && tile_count(last, rows, cols) * products >= wanted)
            return last;
    }
    return last;
}

static void set_tile(struct gpu_step *step, const struct tile *tile, const struct gpu_device *device, struct gpu_conv *shape,
                     bool to_planes)
{
    shape->tiles_row = (int)convoy_ceil_div(shape->rows, tile->bm);
    shape->tiles_col = (int)convoy_ceil_div(shape->cols, tile->bn);
    SET_DIVISOR(shape, tiles, (int64_t)shape->tiles_row * shape->tiles_col);
    SET_DIVISOR(shape, inner, shape->tiles_col);
    const int32_t constant[] = {tile->bm,
                                tile->bn,
                                tile->bk,
                                tile->tm,
                                tile->tn,
                                device->specialise ? shape->taps_h : 0,
                                device->specialise ? shape->taps_w : 0,
                                to_planes};
    for (size_t e = 0; e < sizeof constant / sizeof *constant; e++)
        step->constant[e] = constant[e];
    step->params.conv = *shape;
    step->flops = 2.0 * shape->groups * (double)shape->rows * shape->cols * shape->depth;
}

static struct gpu_step *tile_step(struct planner *planner, enum gpu_module_id module, const struct tile *tile,
                                  struct gpu_conv *shape, bool to_planes)
{
    struct gpu_step *const step =
        planner_step(planner, module, (uint32_t)tile->group,
                     (int64_t)shape->splits * shape->groups * tile_count(tile, shape->rows, shape->cols));
    set_tile(step, tile, planner->device, shape, to_planes);
    return step;
}

void tiles_portion(struct planner *planner, const struct pass *pass, const struct portion *portion)
{
    struct gpu_conv shape = portion_shape(pass, portion);
    const struct tile *const tile = choose(planner->device, shape.rows, shape.cols, shape.groups);
    shape.depth_tiles = (int)convoy_ceil_div(shape.depth, tile->bk);
    struct gpu_step *const step = tile_step(planner, GPU_TILES_CORRELATE, tile, &shape, true);
    bind_weights(planner, step, 0, pass, portion);
    bind_input(planner, step, 1, pass, portion);
    bind_bias(planner, step, 2, pass, portion);
    bind_output(planner, step, 3, pass, portion);
}

/* The sum over positions is split until the device is full, in parts of at least 512, and the partial gradients are added
 * afterwards in order: more parallelism, and shorter chains of additions, without atomics. */
enum { SPLIT_DEPTH = 512, SPLITS_MOST = 64, SPLITS_A_CORE = 4 };

void tiles_gradient(struct planner *planner, const struct pass *pass)
{
    const struct convoy_conv *const p = pass->p;
    const struct gpu_device *const device = planner->device;
    struct gpu_conv shape = pass->shape;
    shape.rows = (int)pass->rows;
    shape.cols = shape.c_count * shape.taps_h * shape.taps_w;
    const struct tile *const tile = choose(device, shape.rows, shape.cols, (int64_t)shape.groups * SPLITS_MOST / 4);
    const int64_t images = planner_slice(planner, p->n, convoy_max(pass->in_image, pass->out_image) * 4, 1);
    const int64_t slices = convoy_ceil_div(p->n, images), positions = images * shape.oh * shape.ow;
    const int64_t product = tile_count(tile, shape.rows, shape.cols) * shape.groups, weights = pass->weights;
    const uint64_t room = device->range_bytes < device->workspace_bytes ? device->range_bytes : device->workspace_bytes;
    const int64_t wanted = device->choice && device->choice->parts ? device->choice->parts : SPLITS_A_CORE;
    int64_t splits = convoy_ceil_div(wanted * (int64_t)(device->cores ? device->cores : 32), product);
    splits = convoy_min(convoy_min(splits, SPLITS_MOST), convoy_ceil_div(positions, SPLIT_DEPTH));
    splits = convoy_max(1, convoy_min(splits, (int64_t)room / (weights * slices * 4)));
    shape.depth_tiles = (int)convoy_ceil_div(convoy_ceil_div(positions, tile->bk), splits);
    splits = convoy_ceil_div(positions, (int64_t)shape.depth_tiles * tile->bk);
    const int64_t parts = splits * slices;
    const uint64_t bytes = (uint64_t)(weights * parts * 4), partial = parts > 1 ? planner_workspace(planner, bytes) : 0;
    for (int64_t first = 0; first < p->n && planner->status == CONVOY_OK; first += images) {
        const struct portion portion = {
            .image = first, .images = convoy_min(images, p->n - first), .rows = shape.rows, .channels = shape.c_count};
        shape.depth = (int)(portion.images * shape.oh * shape.ow);
        shape.splits = (int)splits; /* those past the end of a short last slice write zeros */
        shape.split_first = (int)(first / images * splits);
        struct gpu_step *const step = tile_step(planner, GPU_TILES_GRADIENT, tile, &shape, false);
        bind_slopes(planner, step, 0, pass, first, portion.images);
        bind_input(planner, step, 1, pass, &portion);
        if (parts > 1)
            planner_bind(planner, step, 3, CONVOY_WORKSPACE, GPU_WRITE, partial, bytes);
        else
            bind_gradient(planner, step, 3, pass, GPU_WRITE);
    }
    if (parts > 1)
        planner_sum(planner, partial, bytes, CONVOY_DW, (uint64_t)(pass->row * shape.cols * 4), weights, parts, 1, weights);
}

/* ---- products of panels, for both families ---- */

struct panels planner_panels(const struct planner *planner, int64_t rows, int64_t cols, int64_t products)
{
    const struct gpu_device *const device = planner->device;
    if (device->cpu_family && device->choice && device->choice->row)
        return (struct panels){device->choice->row, device->choice->vectors * (int32_t)device->vector};
    if (device->cpu_family)
        return device->vector == 4 ? (struct panels){4, 16} : (struct panels){8, (int32_t)device->vector};
    const struct tile *const tile = choose(device, rows, cols, products);
    return (struct panels){tile->bm, tile->bn};
}

static const struct tile *tile_of(const struct gpu_device *device, const struct panels *panels)
{
    if (chosen(device))
        return chosen(device);
    for (int t = 0; t < TILE_DEFAULTS; t++) {
        if (tiles[t].bm == panels->row && tiles[t].bn == panels->col)
            return &tiles[t];
    }
    return &tiles[TILE_DEFAULTS - 1];
}

static struct gpu_step *wide_step(struct planner *planner, const struct panels *panels, struct gpu_conv *shape, bool to_planes)
{
    const struct gpu_device *const device = planner->device;
    shape->tiles_row = (int)convoy_ceil_div(shape->rows, panels->row);
    shape->tiles_col = (int)convoy_ceil_div(shape->cols, panels->col);
    if (!shape->depth_tiles)
        shape->depth_tiles = shape->depth;
    SET_DIVISOR(shape, tiles, (int64_t)shape->tiles_row * shape->tiles_col);
    SET_DIVISOR(shape, inner, shape->tiles_row);
    const int64_t tiles_all = (int64_t)shape->splits * shape->groups * shape->tiles_row * shape->tiles_col;
    struct gpu_step *const step = planner_step(planner, GPU_WIDE, device->lanes, convoy_ceil_div(tiles_all, device->lanes));
    step->constant[0] = panels->row;
    step->constant[1] = panels->col / (int32_t)device->vector;
    step->constant[2] = to_planes;
    step->params.conv = *shape;
    step->flops = 2.0 * shape->groups * (double)shape->rows * shape->cols * shape->depth;
    return step;
}

struct gpu_step *panels_product(struct planner *planner, const struct panels *panels, const struct gpu_conv *shape,
                                bool to_planes, const struct array *a, const struct array *b)
{
    struct gpu_conv whole = *shape;
    struct gpu_step *step;
    if (planner->device->cpu_family) {
        step = wide_step(planner, panels, &whole, to_planes);
    } else {
        const struct tile *const tile = tile_of(planner->device, panels);
        whole.depth_tiles = (int)convoy_ceil_div(whole.depth_tiles ? whole.depth_tiles : whole.depth, tile->bk);
        step = tile_step(planner, GPU_TILES_PANELS, tile, &whole, to_planes);
    }
    planner_bind(planner, step, 0, a->slot, GPU_READ, a->offset, a->bytes);
    planner_bind(planner, step, 1, b->slot, GPU_READ, b->offset, b->bytes);
    return step;
}
