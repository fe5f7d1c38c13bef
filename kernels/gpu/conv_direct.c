/* Direct sums: an invocation per output, and for gradients a work-group per weight. */
#include "conv.h"

void direct_portion(struct planner *planner, const struct pass *pass, const struct portion *portion)
{
    struct gpu_conv shape = portion_shape(pass, portion);
    shape.c_count = pass->shape.c_count;
    const int64_t plane = (int64_t)shape.oh * shape.ow, items = portion->images * shape.groups * portion->rows * plane;
    /* Rows and channels of a portion that is not all of them: m_count and c_count are strides of images as well, so the kernel
     * takes the counts from rows and depth. */
    SET_DIVISOR(&shape, tiles, plane);
    SET_DIVISOR(&shape, inner, portion->rows);
    shape.depth = (int)portion->channels;
    struct gpu_step *const step = planner_flat(planner, GPU_DIRECT_SUMS, items);
    step->params.conv = shape;
    step->flops = 2.0 * (double)items * (double)portion->channels * shape.taps_h * shape.taps_w;
    bind_weights(planner, step, 0, pass, portion);
    bind_input(planner, step, 1, pass, portion);
    bind_bias(planner, step, 2, pass, portion);
    bind_output(planner, step, 3, pass, portion);
}

/* As many lanes as a sum has terms for, at least 8. */
static uint32_t lanes_for(const struct planner *planner, int64_t depth)
{
    uint32_t group = 8;
    while (group < planner_tree_group(planner) && group < depth)
        group *= 2;
    return group;
}

void direct_gradient(struct planner *planner, const struct pass *pass)
{
    const struct convoy_conv *const p = pass->p;
    struct gpu_conv shape = pass->shape;
    const int64_t images = planner_slice(planner, p->n, convoy_max(pass->in_image, pass->out_image) * 4, 1);
    const int64_t slices = convoy_ceil_div(p->n, images), weights = pass->weights;
    const uint64_t bytes = (uint64_t)(weights * slices * 4), partial = slices > 1 ? planner_workspace(planner, bytes) : 0;
    shape.rows = (int)pass->rows;
    shape.cols = shape.c_count * shape.taps_h * shape.taps_w;
    for (int64_t first = 0; first < p->n && planner->status == CONVOY_OK; first += images) {
        const struct portion portion = {
            .image = first, .images = convoy_min(images, p->n - first), .rows = shape.rows, .channels = shape.c_count};
        shape.depth = (int)(portion.images * shape.oh * shape.ow);
        shape.depth_tiles = shape.depth;
        shape.split_first = (int)(first / images);
        struct gpu_step *const step = planner_step(planner, GPU_DIRECT_GRADIENT, lanes_for(planner, shape.depth), weights);
        step->params.conv = shape;
        step->flops = 2.0 * (double)weights * (double)shape.depth;
        bind_slopes(planner, step, 0, pass, first, portion.images);
        bind_input(planner, step, 1, pass, &portion);
        if (slices > 1)
            planner_bind(planner, step, 2, CONVOY_WORKSPACE, GPU_WRITE, partial, bytes);
        else
            bind_gradient(planner, step, 2, pass, GPU_WRITE);
    }
    if (slices > 1)
        planner_sum(planner, partial, bytes, CONVOY_DW, (uint64_t)(pass->row * shape.cols * 4), weights, slices, 1, weights);
}
