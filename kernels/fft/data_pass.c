/* Forward and backward-data: for blocks of tiles, transform, multiply with the prepared kernels point by point, transform back
 * (Mathieu, Henaff & LeCun, arXiv 1312.5851), the block's spectra staying in a cache (L3 fusion: Gelashvili et al., arXiv
 * 1912.02165).
 *
 * Few channels: each worker carries its own blocks, whose spectra fit its second-level cache. Many channels: all workers share
 * one larger block and split its tiles, then its points, then its tiles again, so that each reads another part of the kernels'
 * spectra. The order of the sums is the same in both. */
#include "plan.h"
#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

/* A shared block lives in the third-level cache beside the kernels' spectra; where these come from memory anyway, it may be
 * larger, so that they are read less often. */
enum {
    OWN_BLOCK_BYTES = 768 << 10,
    OWN_BLOCK_LEAST = 12,
    SHARED_BLOCK_BYTES = 4 << 20,
    LARGE_BLOCK_BYTES = 20 << 20,
    LARGE_SPECTRA_BYTES = 24 << 20
};

struct pass {
    const struct plan *plan;
    const float *x, *bias, *prepared;
    float *y, *workspace;
    int32_t g;
    int64_t first, tiles; /* of the block */
    float *left, *product;
};

static int64_t chunk_first(const struct plan *plan, int32_t chunk)
{
    const int32_t group = chunk * plan->data.chunk_groups;
    return group >= plan->data.from->groups ? plan->data.from->depth : geometry_group(plan->data.from, group).depth;
}

static int32_t chunk_count(const struct plan *plan)
{
    return (int32_t)convoy_ceil_div(plan->data.from->groups, plan->data.chunk_groups);
}

static bool backward(const struct plan *plan)
{
    return plan->geometry.conv.head.op == CONVOY_CONV_BWD_DATA;
}

static void transform_tile(const struct pass *pass, int64_t row, int32_t group, size_t worker)
{
    const struct plan *plan = pass->plan;
    struct fft_source source;
    (backward(plan) ? geometry_read_y : geometry_read_x)(&plan->geometry, pass->x, pass->g, group, pass->first + row, &source);
    const struct fft_spectrum spectrum = tiles_at(&plan->data.left, pass->left, row, group);
    plan->transform->forward(plan->transform, &source, plan->points.gauss ? FFT_LEFT_GAUSS : FFT_FOUR, &spectrum,
                             plan_scratch(plan, pass->workspace, worker));
}

/* Where a point of an operand begins that holds its complex points first. */
static ptrdiff_t point_offset(const struct plan *plan, int32_t point, ptrdiff_t distance, ptrdiff_t real_first,
                              ptrdiff_t real_distance)
{
    const int32_t complex_points = plan->points.complex_points;
    return point < complex_points ? point * distance : real_first + (point - complex_points) * real_distance;
}

/* While a chunk of one point is multiplied, the same chunk of the next point is fetched. */
static struct product_ahead next_chunk(const struct pass *pass, int32_t point, int32_t chunk)
{
    const struct plan *plan = pass->plan;
    const struct tiles *left = &plan->data.left;
    const struct kernels *right = &plan->data.right;
    const int32_t next = point + 1, chunk_groups = plan->data.chunk_groups, before = chunk * chunk_groups;
    if (next == plan->points.complex_points + plan->points.real_points)
        return (struct product_ahead){0};
    const bool real = next >= plan->points.complex_points;
    const int64_t first = chunk_first(plan, chunk), depth = chunk_first(plan, chunk + 1) - first;
    const int64_t planes = real ? 1 : left->planes, width = (int64_t)right->groups * left->lanes;
    return (struct product_ahead){
        .piece = {pass->left + point_offset(plan, next, left->point, left->real_first, left->real_point) +
                  planes * before * left->lanes},
        .distance = {left->row},
        .pieces = pass->tiles,
        .piece_floats = {planes * convoy_min(chunk_groups, left->groups - before) * left->lanes},
        .stretch = pass->prepared + pass->g * right->floats +
                   point_offset(plan, next, right->point, right->real_first, right->real_point) + planes * first * width,
        .stretch_floats = planes * depth * width,
        .product = chunk == 0,
    };
}

static void multiply_point(const struct pass *pass, int32_t point)
{
    const struct plan *plan = pass->plan;
    const struct tiles *left = &plan->data.left;
    const struct kernels *right = &plan->data.right;
    const int32_t planes = point >= plan->points.complex_points ? 1 : left->planes;
    const float *a = pass->left + point_offset(plan, point, left->point, left->real_first, left->real_point);
    const float *b =
        pass->prepared + pass->g * right->floats + point_offset(plan, point, right->point, right->real_first, right->real_point);
    const int32_t lanes = left->lanes, chunk_groups = plan->data.chunk_groups, chunks = chunk_count(plan);
    const ptrdiff_t *offset = plan->data.a_offset;
    for (int32_t chunk = 0; chunk < chunks; chunk++) {
        const int64_t first = chunk_first(plan, chunk), depth = chunk_first(plan, chunk + 1) - first;
        const int32_t before = chunk * chunk_groups;
        const struct product_call call = {
            .point = point,
            .a = a + planes * (ptrdiff_t)before * lanes,
            .a_row = left->row,
            .a_col = 1,
            .a_plane = convoy_min(chunk_groups, left->groups - before) * lanes,
            .a_offset = offset ? offset + first : NULL,
            .b = b + planes * first * right->groups * lanes,
            .c = pass->product,
            .product = &plan->product,
            .depth = depth,
            .rows = pass->tiles,
            .accumulate = chunk > 0,
            .ahead = next_chunk(pass, point, chunk),
        };
        product_run(&plan->points, &call);
    }
}

static void restore_tile(const struct pass *pass, int64_t row, int32_t group, size_t worker)
{
    const struct plan *plan = pass->plan;
    struct fft_sink sink;
    if (backward(plan))
        geometry_write_x(&plan->geometry, pass->y, pass->g, group, pass->first + row, &sink);
    else
        geometry_write_y(&plan->geometry, pass->y, pass->bias, pass->g, group, pass->first + row, &sink);
    const struct fft_spectrum spectrum = product_at(&plan->product, pass->product, row, group);
    plan->transform->inverse(plan->transform, &spectrum, plan->points.gauss, &sink, plan_scratch(plan, pass->workspace, worker));
}

static void transform_task(void *context, size_t i, size_t worker)
{
    const struct pass *pass = context;
    const size_t groups = (size_t)pass->plan->data.from->groups;
    transform_tile(pass, (int64_t)(i / groups), (int32_t)(i % groups), worker);
}

static void multiply_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct pass *pass = context;
    const int64_t run = plan_point_run(pass->plan), first = (int64_t)i * run;
    for (int64_t point = first; point < convoy_min(first + run, plan_points(pass->plan)); point++)
        multiply_point(pass, (int32_t)point);
}

static void restore_task(void *context, size_t i, size_t worker)
{
    const struct pass *pass = context;
    const size_t groups = (size_t)pass->plan->data.to->groups;
    restore_tile(pass, (int64_t)(i / groups), (int32_t)(i % groups), worker);
}

static void own_block_task(void *context, size_t i, size_t worker)
{
    struct pass pass = *(const struct pass *)context;
    const struct plan *plan = pass.plan;
    const size_t blocks = (size_t)convoy_ceil_div(plan->geometry.tiles, plan->block);
    pass.g = (int32_t)(i / blocks);
    pass.first = (int64_t)(i % blocks) * plan->block;
    pass.tiles = convoy_min(plan->block, plan->geometry.tiles - pass.first);
    pass.left = pass.workspace + worker * (plan->block_bytes / sizeof(float));
    pass.product = pass.left + plan->data.left.floats;
    for (int64_t row = 0; row < pass.tiles; row++)
        for (int32_t group = 0; group < plan->data.from->groups; group++)
            transform_tile(&pass, row, group, worker);
    for (int64_t point = 0; point < plan_points(plan); point++)
        multiply_point(&pass, (int32_t)point);
    for (int64_t row = 0; row < pass.tiles; row++)
        for (int32_t group = 0; group < plan->data.to->groups; group++)
            restore_tile(&pass, row, group, worker);
}

static void clear_plane_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct pass *pass = context;
    const struct convoy_conv *conv = &pass->plan->geometry.conv;
    const size_t plane = (size_t)conv->h * (size_t)conv->w;
    memset(pass->y + i * plane, 0, plane * sizeof(float));
}

static convoy_status data_pass_run(const struct plan *plan, const struct convoy_args *args)
{
    const struct convoy_host *host = plan->host;
    const struct geometry *geometry = &plan->geometry;
    const struct convoy_conv *conv = &geometry->conv;
    struct pass pass = {
        .plan = plan,
        .x = convoy_slot_f32(args, backward(plan) ? CONVOY_DY : CONVOY_X),
        .bias = convoy_slot_f32(args, CONVOY_BIAS),
        .prepared = convoy_slot_f32(args, CONVOY_PREPARED),
        .y = convoy_slot_f32(args, backward(plan) ? CONVOY_DX : CONVOY_Y),
        .workspace = convoy_slot_f32(args, CONVOY_WORKSPACE),
    };
    /* Where the stride exceeds the kernel, some phases of dx touch no tap. */
    if (backward(plan) && (geometry->h.phases < conv->stride_h || geometry->w.phases < conv->stride_w))
        host->parallel(host, clear_plane_task, &pass, (size_t)conv->n * (size_t)conv->c);
    const int64_t blocks = convoy_ceil_div(geometry->tiles, plan->block);
    if (!plan->data.shared) {
        host->parallel(host, own_block_task, &pass, (size_t)(blocks * conv->groups));
        return CONVOY_OK;
    }
    pass.left = pass.workspace;
    pass.product = pass.left + plan->data.left.floats;
    for (pass.g = 0; pass.g < conv->groups; pass.g++)
        for (int64_t block = 0; block < blocks; block++) {
            pass.first = block * plan->block;
            pass.tiles = convoy_min(plan->block, geometry->tiles - pass.first);
            host->parallel(host, transform_task, &pass, (size_t)(pass.tiles * plan->data.from->groups));
            host->parallel(host, multiply_task, &pass, (size_t)convoy_ceil_div(plan_points(plan), plan_point_run(plan)));
            host->parallel(host, restore_task, &pass, (size_t)(pass.tiles * plan->data.to->groups));
        }
    return CONVOY_OK;
}

struct preparation {
    const struct plan *plan;
    const float *w;
    float *prepared, *workspace;
};

/* All kernels between one vector of the left side's channels and one vector of the right side's. */
static void prepare_task(void *context, size_t i, size_t worker)
{
    const struct preparation *to = context;
    const struct plan *plan = to->plan;
    const size_t from_groups = (size_t)plan->data.from->groups, to_groups = (size_t)plan->data.to->groups;
    const int32_t g = (int32_t)(i / (from_groups * to_groups));
    const int32_t group = (int32_t)(i / to_groups % from_groups), to_group = (int32_t)(i % to_groups);
    const struct side_group from = geometry_group(plan->data.from, group);
    const int32_t chunk = group / plan->data.chunk_groups;
    const int64_t first = chunk_first(plan, chunk), size = chunk_first(plan, chunk + 1) - first;
    for (int32_t lane = 0; lane < from.lanes; lane++) {
        struct fft_source source;
        if (backward(plan))
            geometry_read_reversed(&plan->geometry, to->w, g, from.channel + lane, to_group, &source);
        else
            geometry_read_kernels(&plan->geometry, to->w, g, from, lane, to_group, &source);
        const struct fft_spectrum spectrum = kernels_at(&plan->data.right, to->prepared + g * plan->data.right.floats, first,
                                                        size, from.depth - first + lane, to_group);
        plan->transform->forward(plan->transform, &source, plan->points.gauss ? FFT_RIGHT_GAUSS : FFT_FOUR, &spectrum,
                                 plan_scratch(plan, to->workspace, worker));
    }
}

convoy_status data_pass_prepare(const struct plan *plan, const struct convoy_args *args)
{
    struct preparation to = {
        .plan = plan,
        .w = convoy_slot_f32(args, CONVOY_W),
        .prepared = convoy_slot_f32(args, CONVOY_PREPARED),
        .workspace = convoy_slot_f32(args, CONVOY_WORKSPACE),
    };
    const size_t tasks = (size_t)plan->geometry.conv.groups * (size_t)plan->data.from->groups * (size_t)plan->data.to->groups;
    plan->host->parallel(plan->host, prepare_task, &to, tasks);
    return CONVOY_OK;
}

/* The place of each channel in a plane, from the beginning of its chunk. */
static convoy_status plan_offsets(struct plan *plan, struct convoy_error *err)
{
    const struct side *from = plan->data.from;
    ptrdiff_t *offset = malloc((size_t)from->depth * sizeof *offset);
    if (!offset)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a table of %lld offsets",
                           (long long)from->depth);
    for (int32_t group = 0; group < from->groups; group++) {
        const struct side_group of = geometry_group(from, group);
        const int32_t inside = group % plan->data.chunk_groups;
        for (int32_t lane = 0; lane < of.lanes; lane++)
            offset[of.depth + lane] = (ptrdiff_t)inside * from->lanes + lane;
    }
    plan->data.a_offset = offset;
    return CONVOY_OK;
}

/* Blocks of equal size, at most `most` tiles. */
static int64_t even_block(int64_t tiles, int64_t most)
{
    return convoy_ceil_div(tiles, convoy_ceil_div(tiles, convoy_max(1, most)));
}

static int64_t shared_block(const struct plan *plan, int64_t tile_bytes)
{
    struct kernels right;
    kernels_make(&right, &plan->points, plan->data.to->groups, plan->data.from->depth);
    const bool large = right.floats > LARGE_SPECTRA_BYTES / (int64_t)sizeof(float);
    return even_block(plan->geometry.tiles, (large ? LARGE_BLOCK_BYTES : SHARED_BLOCK_BYTES) / tile_bytes);
}

static void plan_blocks(struct plan *plan)
{
    const struct geometry *geometry = &plan->geometry;
    const int64_t threads = plan->host->threads, tiles = geometry->tiles;
    struct product product;
    struct tiles left;
    plan->points.panel_vectors = points_panel_vectors(&plan->points, tiles); /* for the sizes alone */
    tiles_make(&left, &plan->points, plan->data.from->groups, plan->data.chunk_groups, 1);
    product_make(&product, &plan->points, plan->data.to->groups, 1);
    const int64_t tile_bytes = (left.floats + product.floats) * (int64_t)sizeof(float);
    const int64_t own = OWN_BLOCK_BYTES / tile_bytes;
    plan->data.shared = own < OWN_BLOCK_LEAST && plan->geometry.tiles > 1;
    plan->block = plan->data.shared ? shared_block(plan, tile_bytes) : even_block(tiles, own);
    if (!plan->data.shared && convoy_ceil_div(tiles, plan->block) * geometry->conv.groups < threads) {
        /* Fewer blocks than workers: let them share. */
        plan->data.shared = true;
        plan->block = shared_block(plan, tile_bytes);
    }
}

convoy_status data_pass_plan(struct plan *plan, struct convoy_error *err)
{
    const struct geometry *geometry = &plan->geometry;
    const bool back = backward(plan);
    plan->data.from = back ? &geometry->y : &geometry->x;
    plan->data.to = back ? &geometry->x : &geometry->y;
    const struct side *from = plan->data.from, *to = plan->data.to;
    plan->data.chunk_groups = (int32_t)convoy_max(1, SPLIT_CHANNELS / from->lanes);
    plan_blocks(plan);
    plan->points.panel_vectors = points_panel_vectors(&plan->points, plan->block);
    tiles_make(&plan->data.left, &plan->points, from->groups, plan->data.chunk_groups, plan->block);
    kernels_make(&plan->data.right, &plan->points, to->groups, from->depth);
    product_make(&plan->product, &plan->points, to->groups, plan->block);
    plan->block_bytes = (uint64_t)(plan->data.left.floats + plan->product.floats) * sizeof(float);
    plan->prepared_bytes = (uint64_t)plan->data.right.floats * sizeof(float) * (uint64_t)geometry->conv.groups;
    plan->workspace_bytes = plan->block_bytes * (plan->data.shared ? 1 : plan->host->threads);
    plan->numerics.split = from->depth > SPLIT_CHANNELS ? SPLIT_CHANNELS : 0;
    plan->run = data_pass_run;
    if (from->channels % from->lanes)
        return plan_offsets(plan, err);
    return CONVOY_OK;
}
