/* Products of operands that are laid out in panels first (im2col): weights once, in prepare, positions in chunks that fit a
 * cache. */
#include "conv.h"

static int64_t chunk_bytes(const struct planner *planner)
{
    return planner_chunk(planner, planner->device->cpu_family ? (int64_t)8 << 20 : (int64_t)128 << 20);
}

static int64_t panels_bytes(int64_t groups, int64_t items, int64_t width, int64_t depth)
{
    return groups * convoy_ceil_div(items, width) * width * depth * 4;
}

/* Lays out `items` per group of an operand with `depth` terms. */
static struct gpu_step *pack_step(struct planner *planner, enum gpu_module_id module, const struct gpu_conv *shape, int32_t width,
                                  int64_t items, uint32_t slot, uint64_t to)
{
    const int64_t lines = shape->groups * convoy_ceil_div(items, width) * shape->depth;
    struct gpu_step *const step = planner_flat(planner, module, lines);
    step->params.conv = *shape;
    SET_DIVISOR(&step->params.conv, inner, shape->depth);
    step->constant[0] = width;
    planner_bind(planner, step, 1, slot, GPU_WRITE, to, (uint64_t)panels_bytes(shape->groups, items, width, shape->depth));
    return step;
}

static void pack_weights(struct planner *planner, const struct pass *pass, const struct portion *portion,
                         const struct gpu_conv *shape)
{
    const struct panels panels = planner_panels(planner, shape->rows, shape->cols, shape->groups);
    struct gpu_conv rows = *shape;
    rows.tiles_row = (int)convoy_ceil_div(shape->rows, panels.row);
    planner->packed.row = panels.row;
    planner->packed.col = panels.col;
    planner->packed.bytes = (uint64_t)panels_bytes(shape->groups, shape->rows, panels.row, shape->depth);
    planner->packed.offset = planner_prepared(planner, planner->packed.bytes);
    planner->preparing = true;
    planner->phase = CONVOY_PHASE_WEIGHT_TRANSFORM;
    struct gpu_step *const step =
        pack_step(planner, GPU_PACK_WEIGHTS, &rows, panels.row, shape->rows, CONVOY_PREPARED, planner->packed.offset);
    bind_weights(planner, step, 0, pass, portion);
    planner->preparing = false;
}

void panels_portion(struct planner *planner, const struct pass *pass, const struct portion *portion)
{
    struct gpu_conv shape = portion_shape(pass, portion);
    if (portion->image == 0) /* weights are the same for the images after */
        pack_weights(planner, pass, portion, &shape);
    const struct panels panels = {planner->packed.row, planner->packed.col};
    const struct array a = {CONVOY_PREPARED, planner->packed.offset, planner->packed.bytes};
    const int64_t line = (int64_t)shape.groups * shape.depth * panels.col * 4, all = shape.cols;
    const int64_t chunk = convoy_max(1, chunk_bytes(planner) / line) * panels.col;
    planner_reuse(planner, 0);
    const struct array room = {.slot = CONVOY_WORKSPACE,
                               .offset = planner_workspace(planner, (uint64_t)panels_bytes(shape.groups, convoy_min(chunk, all),
                                                                                           panels.col, shape.depth))};
    for (int64_t first = 0; first < all && planner->status == CONVOY_OK; first += chunk) {
        shape.cols = (int)convoy_min(chunk, all - first);
        shape.pixels = shape.cols;
        shape.pixel_first = (int)first;
        shape.tiles_col = (int)convoy_ceil_div(shape.cols, panels.col);
        const struct array b = {room.slot, room.offset,
                                (uint64_t)panels_bytes(shape.groups, shape.cols, panels.col, shape.depth)};
        planner->phase = CONVOY_PHASE_INPUT_TRANSFORM;
        struct gpu_step *step = pack_step(planner, GPU_PACK_POSITIONS, &shape, panels.col, shape.cols, b.slot, b.offset);
        bind_input(planner, step, 0, pass, portion);
        planner->phase = CONVOY_PHASE_MULTIPLY;
        step = panels_product(planner, &panels, &shape, true, &a, &b);
        bind_bias(planner, step, 2, pass, portion);
        bind_output(planner, step, 3, pass, portion);
    }
}

/* The sum over positions in chunks, each added to what the ones before it gave. */
void panels_gradient(struct planner *planner, const struct pass *pass)
{
    const struct convoy_conv *const p = pass->p;
    struct gpu_conv shape = pass->shape;
    shape.rows = (int)pass->rows;
    shape.cols = shape.c_count * shape.taps_h * shape.taps_w;
    const struct panels panels = planner_panels(planner, shape.rows, shape.cols, shape.groups);
    shape.tiles_row = (int)convoy_ceil_div(shape.rows, panels.row);
    shape.tiles_col = (int)convoy_ceil_div(shape.cols, panels.col);
    const int64_t images = planner_slice(planner, p->n, convoy_max(pass->in_image, pass->out_image) * 4, 1);
    const int64_t position_bytes =
        panels_bytes(shape.groups, shape.cols, panels.col, 1) + panels_bytes(shape.groups, shape.rows, panels.row, 1);
    const int64_t positions = images * shape.oh * shape.ow;
    const int64_t chunk = convoy_min(positions, convoy_max(16, chunk_bytes(planner) / position_bytes));
    struct array a = {.slot = CONVOY_WORKSPACE, .bytes = (uint64_t)panels_bytes(shape.groups, shape.rows, panels.row, chunk)};
    struct array b = {.slot = CONVOY_WORKSPACE, .bytes = (uint64_t)panels_bytes(shape.groups, shape.cols, panels.col, chunk)};
    a.offset = planner_workspace(planner, a.bytes);
    b.offset = planner_workspace(planner, b.bytes);
    for (int64_t first = 0; first < p->n; first += images) {
        const struct portion portion = {
            .image = first, .images = convoy_min(images, p->n - first), .rows = shape.rows, .channels = shape.c_count};
        const int64_t all = portion.images * shape.oh * shape.ow;
        for (int64_t from = 0; from < all && planner->status == CONVOY_OK; from += chunk) {
            shape.depth = (int)convoy_min(chunk, all - from);
            shape.pixel_first = (int)from;
            shape.flags = first || from ? GPU_ADD : 0;
            planner->phase = CONVOY_PHASE_INPUT_TRANSFORM;
            struct gpu_step *step = pack_step(planner, GPU_PACK_SLOPES, &shape, panels.row, shape.rows, a.slot, a.offset);
            bind_slopes(planner, step, 0, pass, first, portion.images);
            step = pack_step(planner, GPU_PACK_TAPS, &shape, panels.col, shape.cols, b.slot, b.offset);
            bind_input(planner, step, 0, pass, &portion);
            planner->phase = CONVOY_PHASE_MULTIPLY;
            step = panels_product(planner, &panels, &shape, false, &a, &b);
            step->params.conv.pixel_first = 0;
            bind_gradient(planner, step, 3, pass, shape.flags ? GPU_READ | GPU_WRITE : GPU_WRITE);
        }
    }
    planner->program->reads &= ~GPU_SLOT(DW);
}
