/* Pooling in slices of planes. */
#include "program.h"

static struct gpu_pool shape_of(const struct convoy_pool *p, int64_t planes)
{
    const bool forward = p->head.op == CONVOY_POOL_FWD;
    const int32_t out_h = forward ? p->oh : p->h, out_w = forward ? p->ow : p->w;
    struct gpu_pool shape = {
        .count = (int)(planes * out_h * out_w),
        .h = p->h,
        .w = p->w,
        .oh = p->oh,
        .ow = p->ow,
        .kh = p->kh,
        .kw = p->kw,
        .stride_h = p->stride_h,
        .stride_w = p->stride_w,
        .dil_h = p->dil_h,
        .dil_w = p->dil_w,
        .pad_t = p->pad_t,
        .pad_l = p->pad_l,
        .full_h = p->h + p->pad_t + p->pad_b,
        .full_w = p->w + p->pad_l + p->pad_r,
    };
    SET_DIVISOR(&shape, plane, (int64_t)out_h * out_w);
    SET_DIVISOR(&shape, row, out_w);
    return shape;
}

struct slice {
    uint64_t x, x_bytes, y, y_bytes, index, index_bytes;
};

static void forward(struct planner *planner, const struct convoy_pool *p, const struct gpu_pool *shape, const struct slice *at)
{
    const bool max = p->kind == CONVOY_POOL_MAX, index = max && !(p->head.flags & CONVOY_NO_INDEX);
    struct gpu_step *const step =
        planner_flat(planner, max ? GPU_POOL_MAX : GPU_POOL_SUM, max ? convoy_ceil_div(shape->count, 4) : shape->count);
    step->params.pool = *shape;
    step->constant[0] = !max ? p->kind : index ? convoy_index_bytes(p) : 0;
    planner_bind(planner, step, 0, CONVOY_X, GPU_READ, at->x, at->x_bytes);
    planner_bind(planner, step, 1, CONVOY_Y, GPU_WRITE, at->y, at->y_bytes);
    if (index)
        planner_bind(planner, step, 2, CONVOY_INDEX, GPU_READ | GPU_WRITE, at->index, at->index_bytes);
}

static void backward(struct planner *planner, const struct convoy_pool *p, const struct gpu_pool *shape, const struct slice *at)
{
    struct gpu_step *const step = planner_flat(planner, GPU_POOL_BWD, shape->count);
    step->params.pool = *shape;
    step->constant[0] = p->kind;
    step->constant[1] = convoy_index_bytes(p);
    planner_bind(planner, step, 0, CONVOY_DY, GPU_READ, at->y, at->y_bytes);
    if (p->kind == CONVOY_POOL_MAX)
        planner_bind(planner, step, 1, CONVOY_INDEX, GPU_READ, at->index, at->index_bytes);
    if (p->kind == CONVOY_POOL_L2) {
        planner_bind(planner, step, 2, CONVOY_X, GPU_READ, at->x, at->x_bytes);
        planner_bind(planner, step, 3, CONVOY_Y, GPU_READ, at->y, at->y_bytes);
    }
    planner_bind(planner, step, 4, CONVOY_DX, GPU_WRITE, at->x, at->x_bytes);
}

void pool_program(struct planner *planner, const struct convoy_pool *p)
{
    const int64_t planes = (int64_t)p->n * p->c, x = (int64_t)p->h * p->w, y = (int64_t)p->oh * p->ow,
                  bytes = convoy_index_bytes(p);
    /* Slices of a multiple of 4 planes, so that each begins with a whole word of one-byte indices. */
    const int64_t slice = planner_slice(planner, planes, convoy_max(x, y) * 4, 4);
    const bool exact = p->kind == CONVOY_POOL_MAX && p->head.op == CONVOY_POOL_FWD;
    snprintf(planner->program->algorithm, sizeof planner->program->algorithm, "%s",
             p->head.op == CONVOY_POOL_FWD ? "by windows" : "gather from windows");
    if (exact)
        planner->program->numerics =
            (struct convoy_numerics){.kind = CONVOY_NUM_EXACT, .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT};
    for (int64_t first = 0; first < planes && planner->status == CONVOY_OK; first += slice) {
        const int64_t part = convoy_min(slice, planes - first);
        const struct slice at = {
            .x = (uint64_t)(first * x * 4),
            .x_bytes = (uint64_t)(part * x * 4),
            .y = (uint64_t)(first * y * 4),
            .y_bytes = (uint64_t)(part * y * 4),
            .index = (uint64_t)(first * y * bytes),
            .index_bytes = (uint64_t)(part * y * bytes),
        };
        const struct gpu_pool shape = shape_of(p, part);
        if (p->head.op == CONVOY_POOL_FWD)
            forward(planner, p, &shape, &at);
        else
            backward(planner, p, &shape, &at);
    }
}
