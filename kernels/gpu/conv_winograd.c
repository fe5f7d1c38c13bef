/* Fast convolution of 3x3 kernels at stride 1 (Lavin & Gray, arXiv 1509.09308), not fused: transforms of weights (in prepare) and
 * inputs into panels, a product of matrices per point, transform of the outputs. The backward-data pass is the forward pass of dy
 * with the kernel turned round and its channels exchanged. */
#include "conv.h"

struct modules {
    enum gpu_module_id weights, input, output;
};

static struct gpu_winograd shape_of(const struct convoy_conv *p, int32_t m)
{
    const bool forward = p->head.op == CONVOY_CONV_FWD;
    const int32_t c = p->c / p->groups, k = p->k / p->groups;
    struct gpu_winograd s = {
        .c = forward ? c : k,
        .k = forward ? k : c,
        .groups = p->groups,
        .h = forward ? p->h : p->oh,
        .w = forward ? p->w : p->ow,
        .oh = forward ? p->oh : p->h,
        .ow = forward ? p->ow : p->w,
        .off_h = forward ? -p->pad_t : p->pad_t - 2,
        .off_w = forward ? -p->pad_l : p->pad_l - 2,
        .w_m = forward ? c * 9 : 9,
        .w_c = forward ? 9 : c * 9,
        .w_group = k * c * 9,
        .flip = !forward,
    };
    if (forward)
        s.flags = ((p->head.flags & CONVOY_WITH_BIAS) ? GPU_BIAS : 0) | ((p->head.flags & CONVOY_WITH_RELU) ? GPU_RELU : 0);
    s.tiles_h = (int)convoy_ceil_div(s.oh, m);
    s.tiles_w = (int)convoy_ceil_div(s.ow, m);
    SET_DIVISOR(&s, image, (int64_t)s.tiles_h * s.tiles_w);
    SET_DIVISOR(&s, row, s.tiles_w);
    SET_DIVISOR(&s, c, s.c);
    return s;
}

/* Large tiles, unless the images are so small that more of them would be empty than the small ones multiply more: 36/16 against
 * 16/4 products for an output. */
static int32_t choose_tile(const struct convoy_conv *p)
{
    const bool forward = p->head.op == CONVOY_CONV_FWD;
    const int64_t oh = forward ? p->oh : p->h, ow = forward ? p->ow : p->w;
    return convoy_ceil_div(oh, 4) * convoy_ceil_div(ow, 4) * 36 <= convoy_ceil_div(oh, 2) * convoy_ceil_div(ow, 2) * 16 ? 4 : 2;
}

static bool supported(struct planner *planner, const struct convoy_conv *p)
{
    if (p->head.op == CONVOY_CONV_BWD_WEIGHTS)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "winograd has the forward and the backward-data pass here");
    if (p->kh != 3 || p->kw != 3)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_KERNEL, "winograd takes 3x3 kernels");
    if (p->stride_h != 1 || p->stride_w != 1)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_STRIDE, "winograd takes stride 1");
    if (p->dil_h != 1 || p->dil_w != 1)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_DILATION, "winograd takes dilation 1");
    return planner->status == CONVOY_OK;
}

static struct array transform_weights(struct planner *planner, const struct convoy_conv *p, const struct gpu_winograd *whole,
                                      int32_t points, int32_t width, enum gpu_module_id module)
{
    struct gpu_winograd s = *whole;
    s.tiles = (int)convoy_ceil_div(s.k, width);
    s.count = s.groups * s.tiles * s.c * width;
    s.pitch = s.count;
    const struct array u = {CONVOY_PREPARED, planner_prepared(planner, (uint64_t)points * (uint64_t)s.pitch * 4),
                            (uint64_t)points * (uint64_t)s.pitch * 4};
    planner->preparing = true;
    planner->phase = CONVOY_PHASE_WEIGHT_TRANSFORM;
    struct gpu_step *const step = planner_flat(planner, module, s.count);
    step->params.winograd = s;
    step->constant[0] = width;
    planner_bind(planner, step, 0, CONVOY_W, GPU_READ, 0, (uint64_t)p->k * (uint64_t)(p->c / p->groups) * 36);
    planner_bind(planner, step, 1, u.slot, GPU_WRITE, u.offset, u.bytes);
    planner->preparing = false;
    return u;
}

/* Tiles of one launch, in images that one bind reaches. */
struct chunk {
    int64_t image, images; /* those that hold the tiles */
    int64_t tile, tiles;   /* of these images */
};

static struct array workspace_array(struct planner *planner, int64_t floats)
{
    const uint64_t bytes = (uint64_t)floats * 4;
    return (struct array){CONVOY_WORKSPACE, planner_workspace(planner, bytes), bytes};
}

static void bind_tiles(struct planner *planner, struct gpu_step *step, uint32_t at, uint32_t slot, uint32_t access,
                       const struct chunk *chunk, int64_t image)
{
    planner_bind(planner, step, at, slot, access, (uint64_t)(chunk->image * image * 4), (uint64_t)(chunk->images * image * 4));
}

struct fast { /* what is the same for all chunks of a pass */
    const struct modules *modules;
    struct gpu_winograd shape;
    struct panels panels;
    int32_t points;
    int64_t in_image, out_image; /* floats */
    struct array u, v, product;
};

static void chunk_steps(struct planner *planner, const struct convoy_conv *p, const struct fast *fast, const struct chunk *chunk)
{
    const bool forward = p->head.op == CONVOY_CONV_FWD;
    const struct panels *const panels = &fast->panels;
    struct gpu_winograd s = fast->shape;
    s.tiles = (int)chunk->tiles;
    s.tile_first = (int)chunk->tile;
    s.panels = (int)convoy_ceil_div(s.tiles, panels->col);
    SET_DIVISOR(&s, tiles, s.tiles);
    SET_DIVISOR(&s, panel, s.panels);

    struct gpu_winograd input = s;
    input.count = s.groups * s.panels * panels->col * s.c;
    input.pitch = input.count;
    planner->phase = CONVOY_PHASE_INPUT_TRANSFORM;
    struct gpu_step *step = planner_flat(planner, fast->modules->input, input.count);
    step->params.winograd = input;
    step->constant[0] = panels->col;
    bind_tiles(planner, step, 0, forward ? CONVOY_X : CONVOY_DY, GPU_READ, chunk, fast->in_image);
    planner_bind(planner, step, 1, fast->v.slot, GPU_WRITE, fast->v.offset, fast->v.bytes);

    struct gpu_conv multiply = {
        .groups = fast->points * s.groups, .rows = s.k, .cols = s.tiles, .depth = s.c, .splits = 1, .oh = 1, .ow = 1};
    SET_DIVISOR(&multiply, plane, 1);
    SET_DIVISOR(&multiply, row, 1);
    planner->phase = CONVOY_PHASE_MULTIPLY;
    step = panels_product(planner, panels, &multiply, false, &fast->u, &fast->v);
    planner_bind(planner, step, 3, fast->product.slot, GPU_WRITE, fast->product.offset, fast->product.bytes);

    struct gpu_winograd output = s;
    output.count = s.groups * s.k * s.tiles;
    output.pitch = output.count;
    planner->phase = CONVOY_PHASE_OUTPUT_TRANSFORM;
    step = planner_flat(planner, fast->modules->output, output.count);
    step->params.winograd = output;
    planner_bind(planner, step, 0, fast->product.slot, GPU_READ, fast->product.offset, fast->product.bytes);
    if (s.flags & GPU_BIAS)
        planner_bind(planner, step, 1, CONVOY_BIAS, GPU_READ, 0, (uint64_t)p->k * 4);
    bind_tiles(planner, step, 2, forward ? CONVOY_Y : CONVOY_DX, GPU_WRITE, chunk, fast->out_image);
}

void winograd_pass(struct planner *planner, const struct convoy_conv *p)
{
    static const struct modules modules[] = {
        [2] = {GPU_WINOGRAD_2_WEIGHTS, GPU_WINOGRAD_2_INPUT, GPU_WINOGRAD_2_OUTPUT},
        [4] = {GPU_WINOGRAD_4_WEIGHTS, GPU_WINOGRAD_4_INPUT, GPU_WINOGRAD_4_OUTPUT},
    };
    if (!supported(planner, p))
        return;
    const int32_t m = choose_tile(p), points = (m + 2) * (m + 2);
    const struct gpu_winograd s = shape_of(p, m);
    struct fast fast = {
        .modules = &modules[m],
        .shape = s,
        .points = points,
        .in_image = (int64_t)s.groups * s.c * s.h * s.w,
        .out_image = (int64_t)s.groups * s.k * s.oh * s.ow,
    };
    planner->program->numerics.kind = CONVOY_NUM_WINOGRAD;
    planner->program->numerics.m = (uint32_t)m;
    planner->program->numerics.r = 3;
    planner->program->numerics.points = CONVOY_POINTS_GOOD;
    snprintf(planner->program->algorithm, sizeof planner->program->algorithm, "F(%dx%d,3x3)", m, m);

    const int64_t images = planner_slice(planner, p->n, convoy_max(fast.in_image, fast.out_image) * 4, 1);
    const int64_t image_tiles = (int64_t)s.tiles_h * s.tiles_w, all = images * image_tiles;
    const int64_t room = planner_chunk(planner, planner->device->cpu_family ? (int64_t)32 << 20 : (int64_t)256 << 20);
    fast.panels = planner_panels(planner, s.k, all);
    const int64_t panel_bytes = (int64_t)points * s.groups * convoy_max(s.c, s.k) * fast.panels.col * 4;
    const int64_t panel_count = convoy_max(1, convoy_min(room / panel_bytes, convoy_ceil_div(all, fast.panels.col)));
    const int64_t tiles = convoy_min(panel_count * fast.panels.col, all);
    fast.u = transform_weights(planner, p, &s, points, fast.panels.row, modules[m].weights);
    fast.v = workspace_array(planner, points * s.groups * panel_count * fast.panels.col * s.c);
    fast.product = workspace_array(planner, points * s.groups * s.k * tiles);
    for (int64_t first = 0; first < p->n; first += images) {
        const int64_t end = convoy_min(images, p->n - first) * image_tiles;
        for (int64_t from = 0; from < end && planner->status == CONVOY_OK; from += tiles) {
            struct chunk chunk = {.image = first + from / image_tiles, .tile = from % image_tiles};
            chunk.tiles = convoy_min(tiles, end - from);
            chunk.images = convoy_ceil_div(chunk.tile + chunk.tiles, image_tiles);
            chunk_steps(planner, p, &fast, &chunk);
        }
    }
}
