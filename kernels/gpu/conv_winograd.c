/* Fast convolution of 3x3 kernels at stride 1 (Lavin & Gray, arXiv 1509.09308), not fused: transforms of weights (in prepare) and
 * inputs into panels, a product of matrices per point, transform of the outputs. The backward-data pass is the forward pass of dy
 * with the kernel turned round and its channels exchanged; the weight gradient is the adjoint,
 * G^T [sum of (A dy A^T) .* (B^T x B)] G. */
#include "conv.h"

static const struct modules {
    enum gpu_module_id weights, input, output, taps, slopes, gradient;
} modules[] = {
    [2] = {GPU_WINOGRAD_2_WEIGHTS, GPU_WINOGRAD_2_INPUT, GPU_WINOGRAD_2_OUTPUT, GPU_WINOGRAD_2_TAPS, GPU_WINOGRAD_2_SLOPES,
           GPU_WINOGRAD_2_GRADIENT},
    [4] = {GPU_WINOGRAD_4_WEIGHTS, GPU_WINOGRAD_4_INPUT, GPU_WINOGRAD_4_OUTPUT, GPU_WINOGRAD_4_TAPS, GPU_WINOGRAD_4_SLOPES,
           GPU_WINOGRAD_4_GRADIENT},
};

static struct gpu_winograd shape_of(const struct convoy_conv *p, int32_t m)
{
    const bool forward = p->head.op != CONVOY_CONV_BWD_DATA;
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
    if (p->head.op == CONVOY_CONV_FWD)
        s.flags = ((p->head.flags & CONVOY_WITH_BIAS) ? GPU_BIAS : 0) | ((p->head.flags & CONVOY_WITH_RELU) ? GPU_RELU : 0);
    s.tiles_h = (int)convoy_ceil_div(s.oh, m);
    s.tiles_w = (int)convoy_ceil_div(s.ow, m);
    SET_DIVISOR(&s, image, (int64_t)s.tiles_h * s.tiles_w);
    SET_DIVISOR(&s, row, s.tiles_w);
    SET_DIVISOR(&s, c, s.c);
    return s;
}

/* Large tiles, unless the images are so small that more of them would be empty than the small ones multiply more: 36/16 against
 * 16/4 products for an output. A gradient has at least one whole tile: with fewer outputs it would err more than is declared. */
static int32_t choose_tile(const struct convoy_conv *p)
{
    const bool forward = p->head.op != CONVOY_CONV_BWD_DATA;
    const int64_t oh = forward ? p->oh : p->h, ow = forward ? p->ow : p->w;
    if (p->head.op == CONVOY_CONV_BWD_WEIGHTS && (oh < 4 || ow < 4))
        return 2;
    return convoy_ceil_div(oh, 4) * convoy_ceil_div(ow, 4) * 36 <= convoy_ceil_div(oh, 2) * convoy_ceil_div(ow, 2) * 16 ? 4 : 2;
}

bool winograd_declare(struct planner *planner, const struct convoy_conv *p)
{
    struct gpu_program *const program = planner->program;
    const int32_t m = choose_tile(p);
    if (p->kh != 3 || p->kw != 3)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_KERNEL, "winograd takes 3x3 kernels");
    if (p->stride_h != 1 || p->stride_w != 1)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_STRIDE, "winograd takes stride 1");
    if (p->dil_h != 1 || p->dil_w != 1)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_DILATION, "winograd takes dilation 1");
    if (p->head.op == CONVOY_CONV_BWD_WEIGHTS && (p->oh < 2 || p->ow < 2))
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "winograd takes gradients of at least 2x2 outputs");
    program->numerics.kind = CONVOY_NUM_WINOGRAD;
    program->numerics.m = (uint32_t)m;
    program->numerics.r = 3;
    program->numerics.points = CONVOY_POINTS_GOOD;
    snprintf(program->algorithm, sizeof program->algorithm, "F(%dx%d,3x3)", m, m);
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

struct array workspace_array(struct planner *planner, int64_t floats)
{
    const uint64_t bytes = (uint64_t)floats * 4;
    return (struct array){CONVOY_WORKSPACE, planner_workspace(planner, bytes), bytes};
}

/* The chunk after *chunk, from {0} on, of `tiles` at most in all `n` images, `images` of which one bind reaches. */
static bool next_chunk(struct chunk *chunk, int64_t n, int64_t images, int64_t image_tiles, int64_t tiles)
{
    const int64_t at = chunk->image * image_tiles + chunk->tile + chunk->tiles, reach = images * image_tiles;
    const int64_t end = convoy_min(n * image_tiles, (at / reach + 1) * reach);
    *chunk = (struct chunk){.image = at / image_tiles, .tile = at % image_tiles, .tiles = convoy_min(tiles, end - at)};
    chunk->images = convoy_ceil_div(chunk->tile + chunk->tiles, image_tiles);
    return chunk->tiles > 0;
}

static void bind_tiles(struct planner *planner, struct gpu_step *step, uint32_t at, uint32_t slot, uint32_t access,
                       const struct chunk *chunk, int64_t image)
{
    planner_bind(planner, step, at, slot, access, (uint64_t)(chunk->image * image * 4), (uint64_t)(chunk->images * image * 4));
}

static int64_t chunk_bytes(const struct planner *planner)
{
    return planner_chunk(planner, planner->device->cpu_family ? (int64_t)32 << 20 : (int64_t)256 << 20);
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
    const int32_t m = choose_tile(p), points = (m + 2) * (m + 2);
    const struct gpu_winograd s = shape_of(p, m);
    struct fast fast = {
        .modules = &modules[m],
        .shape = s,
        .points = points,
        .in_image = (int64_t)s.groups * s.c * s.h * s.w,
        .out_image = (int64_t)s.groups * s.k * s.oh * s.ow,
    };
    const int64_t images = planner_slice(planner, p->n, convoy_max(fast.in_image, fast.out_image) * 4, 1);
    const int64_t image_tiles = (int64_t)s.tiles_h * s.tiles_w, all = images * image_tiles;
    const int64_t room = chunk_bytes(planner);
    fast.panels = planner_panels(planner, s.k, all, (int64_t)points * s.groups);
    const int64_t panel_bytes = (int64_t)points * s.groups * convoy_max(s.c, s.k) * fast.panels.col * 4;
    const int64_t panel_count = convoy_max(1, convoy_min(room / panel_bytes, convoy_ceil_div(all, fast.panels.col)));
    const int64_t tiles = convoy_min(panel_count * fast.panels.col, all);
    fast.u = transform_weights(planner, p, &s, points, fast.panels.row, modules[m].weights);
    fast.v = workspace_array(planner, points * s.groups * panel_count * fast.panels.col * s.c);
    fast.product = workspace_array(planner, points * s.groups * s.k * tiles);
    struct chunk chunk = {0};
    while (planner->status == CONVOY_OK && next_chunk(&chunk, p->n, images, image_tiles, tiles))
        chunk_steps(planner, p, &fast, &chunk);
}

/* ---- weight gradients ---- */

/* Tiles of a partial sum; multiples of the depth of every tile of products. Partial sums are added in order, so that every run
 * gives the same bits. */
enum { PART_TILES = 64, PART_LEAST = 32 };

struct fast_gradient {
    const struct modules *modules;
    struct gpu_winograd shape;
    struct panels panels;
    int32_t points;
    int64_t part; /* tiles */
    struct array z, v, sums;
};

static struct gpu_step *transform_step(struct planner *planner, enum gpu_module_id module, const struct gpu_winograd *chunk,
                                       int32_t channels, int32_t width, const struct array *to)
{
    struct gpu_winograd s = *chunk;
    s.panels = (int)convoy_ceil_div(channels, width);
    s.count = s.groups * s.panels * s.tiles * width;
    s.pitch = s.count;
    SET_DIVISOR(&s, panel, s.panels);
    planner->phase = CONVOY_PHASE_INPUT_TRANSFORM;
    struct gpu_step *const step = planner_flat(planner, module, s.count);
    step->params.winograd = s;
    step->constant[0] = width;
    planner_bind(planner, step, 1, to->slot, GPU_WRITE, to->offset, to->bytes);
    return step;
}

static void gradient_chunk(struct planner *planner, const struct pass *pass, const struct fast_gradient *fast,
                           const struct chunk *chunk, bool add)
{
    struct gpu_winograd s = fast->shape;
    s.tiles = (int)chunk->tiles;
    s.tile_first = (int)chunk->tile;
    SET_DIVISOR(&s, tiles, s.tiles);
    struct gpu_step *step = transform_step(planner, fast->modules->slopes, &s, s.k, fast->panels.row, &fast->z);
    bind_slopes(planner, step, 0, pass, chunk->image, chunk->images);
    step = transform_step(planner, fast->modules->taps, &s, s.c, fast->panels.col, &fast->v);
    bind_tiles(planner, step, 0, CONVOY_X, GPU_READ, chunk, pass->in_image);

    struct gpu_conv multiply = {
        .groups = fast->points * s.groups,
        .rows = s.k,
        .cols = s.c,
        .depth = s.tiles,
        .depth_tiles = (int)fast->part,
        .splits = (int)convoy_ceil_div(s.tiles, fast->part),
        .oh = 1,
        .ow = 1,
        .flags = add ? GPU_ADD : 0,
    };
    SET_DIVISOR(&multiply, plane, 1);
    SET_DIVISOR(&multiply, row, 1);
    planner->phase = CONVOY_PHASE_MULTIPLY;
    step = panels_product(planner, &fast->panels, &multiply, false, &fast->z, &fast->v);
    planner_bind(planner, step, 3, fast->sums.slot, add ? GPU_READ | GPU_WRITE : GPU_WRITE, fast->sums.offset, fast->sums.bytes);
}

/* A chunk of tiles gives several partial sums, to which the later chunks add theirs. */
void winograd_gradient(struct planner *planner, const struct pass *pass)
{
    const struct convoy_conv *const p = pass->p;
    const int32_t m = choose_tile(p), points = (m + 2) * (m + 2);
    struct gpu_winograd s = shape_of(p, m);
    s.k_image = s.k;
    s.k = (int)pass->rows;
    const int64_t images = planner_slice(planner, p->n, convoy_max(pass->in_image, pass->out_image) * 4, 1);
    const int64_t image_tiles = (int64_t)s.tiles_h * s.tiles_w, all = images * image_tiles, room = chunk_bytes(planner) / 4;
    struct fast_gradient fast = {.modules = &modules[m], .points = points};
    fast.panels = planner_panels(planner, s.k, s.c, (int64_t)points * s.groups * convoy_ceil_div(all, PART_TILES));
    const int64_t z_tile = (int64_t)points * s.groups * convoy_ceil_div(s.k, fast.panels.row) * fast.panels.row;
    const int64_t v_tile = (int64_t)points * s.groups * convoy_ceil_div(s.c, fast.panels.col) * fast.panels.col;
    const int64_t sums = (int64_t)points * s.groups * s.k * s.c, fitting = room / convoy_max(z_tile, v_tile);
    fast.part = convoy_max(PART_LEAST, convoy_min(PART_TILES, fitting / PART_LEAST * PART_LEAST));
    s.parts = (int)convoy_max(1, convoy_min(convoy_min(fitting / fast.part, room / sums), convoy_ceil_div(all, fast.part)));
    fast.shape = s;
    const int64_t tiles = convoy_min(s.parts * fast.part, all);
    fast.z = workspace_array(planner, z_tile * tiles);
    fast.v = workspace_array(planner, v_tile * tiles);
    fast.sums = workspace_array(planner, sums * s.parts);
    planner->program->numerics.split = (uint32_t)fast.part;
    struct chunk chunk = {0};
    for (bool add = false; planner->status == CONVOY_OK && next_chunk(&chunk, p->n, images, image_tiles, tiles); add = true)
        gradient_chunk(planner, pass, &fast, &chunk, add);

    s.count = (int)(s.groups * (int64_t)s.k * s.c);
    s.pitch = s.count;
    planner->phase = CONVOY_PHASE_OUTPUT_TRANSFORM;
    struct gpu_step *const step = planner_flat(planner, fast.modules->gradient, s.count);
    step->params.winograd = s;
    planner_bind(planner, step, 0, fast.sums.slot, GPU_READ, fast.sums.offset, fast.sums.bytes);
    bind_gradient(planner, step, 1, pass, GPU_WRITE);
}
