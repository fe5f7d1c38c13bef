/* Batch norm, and sums over channels, in slices of images. Statistics take two passes: parts of a channel, then the parts. */
#include "program.h"

enum { PART = 4096, PARTS_MOST = 256 };

struct parts {
    int64_t size, per_slice, total; /* elements of a part; parts of a full slice; of all slices */
    int64_t slice;                  /* images */
};

static struct parts cut(struct planner *planner, int64_t n, int64_t c, int64_t plane)
{
    struct parts parts = {.slice = planner_slice(planner, n, c * plane * 4, 1)};
    const int64_t channel = parts.slice * plane;
    parts.size = convoy_max(PART, convoy_ceil_div(channel, PARTS_MOST));
    parts.per_slice = convoy_ceil_div(channel, parts.size);
    const int64_t rest = n % parts.slice;
    parts.total = n / parts.slice * parts.per_slice + convoy_ceil_div(rest * plane, parts.size);
    return parts;
}

static struct gpu_bn shape_of(int64_t n, int64_t images, int64_t c, int64_t plane)
{
    struct gpu_bn shape = {
        .n = (int)images, .c = (int)c, .plane = (int)plane, .count = (int)(images * c * plane), .elements = (float)(n * plane)};
    SET_DIVISOR(&shape, plane, plane);
    SET_DIVISOR(&shape, c, c);
    return shape;
}

/* One step per slice with parts of that slice; the callers bind x or dy. */
static struct gpu_step *part_step(struct planner *planner, enum gpu_module_id module, const struct parts *parts, int64_t n,
                                  int64_t c, int64_t plane, int64_t first)
{
    const int64_t images = convoy_min(parts->slice, n - first);
    struct gpu_bn shape = shape_of(n, images, c, plane);
    shape.parts = (int)convoy_ceil_div(images * plane, parts->size);
    shape.part_size = (int)parts->size;
    shape.part_first = (int)(first / parts->slice * parts->per_slice);
    shape.part_total = (int)parts->total;
    struct gpu_step *const step = planner_step(planner, module, planner_tree_group(planner), c * shape.parts);
    step->params.bn = shape;
    return step;
}

static void bind_images(struct planner *planner, struct gpu_step *step, uint32_t at, uint32_t slot, uint32_t access,
                        int64_t first)
{
    const struct gpu_bn *const shape = &step->params.bn;
    const uint64_t image = (uint64_t)shape->c * (uint64_t)shape->plane * 4;
    planner_bind(planner, step, at, slot, access, (uint64_t)first * image, (uint64_t)shape->n * image);
}

/* Partial sums of dy, and with a mean of dy*xhat; returns where they are in the workspace. */
static uint64_t partial_sums(struct planner *planner, const struct parts *parts, int64_t n, int64_t c, int64_t plane, uint32_t dy,
                             bool xhat)
{
    const uint64_t bytes = (uint64_t)(c * parts->total * 4 * (xhat ? 2 : 1)), partial = planner_workspace(planner, bytes);
    for (int64_t first = 0; first < n && planner->status == CONVOY_OK; first += parts->slice) {
        struct gpu_step *const step = part_step(planner, GPU_CHANNEL_SUMS, parts, n, c, plane, first);
        step->constant[0] = xhat;
        bind_images(planner, step, 0, dy, GPU_READ, first);
        if (xhat) {
            bind_images(planner, step, 1, CONVOY_X, GPU_READ, first);
            planner_bind(planner, step, 2, CONVOY_SAVE_MEAN, GPU_READ, 0, (uint64_t)c * 4);
            planner_bind(planner, step, 3, CONVOY_SAVE_ISTD, GPU_READ, 0, (uint64_t)c * 4);
        }
        planner_bind(planner, step, 4, CONVOY_WORKSPACE, GPU_WRITE, partial, bytes);
    }
    return partial;
}

void bn_channel_sums(struct planner *planner, int64_t n, int64_t c, int64_t plane, uint32_t dy, uint32_t slot)
{
    const struct parts parts = cut(planner, n, c, plane);
    const uint64_t partial = partial_sums(planner, &parts, n, c, plane, dy, false);
    planner_sum(planner, partial, (uint64_t)(c * parts.total * 4), slot, 0, c, parts.total, parts.total, 1);
}

static void statistics(struct planner *planner, const struct convoy_bn *p, int64_t plane)
{
    const struct parts parts = cut(planner, p->n, p->c, plane);
    const uint64_t bytes = (uint64_t)(p->c * parts.total * 12), partial = planner_workspace(planner, bytes),
                   channel = (uint64_t)p->c * 4;
    for (int64_t first = 0; first < p->n && planner->status == CONVOY_OK; first += parts.slice) {
        struct gpu_step *const step = part_step(planner, GPU_BN_MOMENTS, &parts, p->n, p->c, plane, first);
        bind_images(planner, step, 0, CONVOY_X, GPU_READ, first);
        planner_bind(planner, step, 1, CONVOY_WORKSPACE, GPU_WRITE, partial, bytes);
    }
    struct gpu_step *const step = planner_flat(planner, GPU_BN_STATISTICS, p->c);
    step->params.bn = shape_of(p->n, 0, p->c, plane);
    step->params.bn.part_total = (int)parts.total;
    step->params.bn.eps = p->eps;
    step->params.bn.momentum = p->momentum;
    planner_bind(planner, step, 0, CONVOY_WORKSPACE, GPU_READ, partial, bytes);
    planner_bind(planner, step, 1, CONVOY_RUN_MEAN, GPU_READ | GPU_WRITE, 0, channel);
    planner_bind(planner, step, 2, CONVOY_RUN_VAR, GPU_READ | GPU_WRITE, 0, channel);
    planner_bind(planner, step, 3, CONVOY_SAVE_MEAN, GPU_WRITE, 0, channel);
    planner_bind(planner, step, 4, CONVOY_SAVE_ISTD, GPU_WRITE, 0, channel);
}

static void apply(struct planner *planner, const struct convoy_bn *p, int64_t plane)
{
    const bool train = p->head.op == CONVOY_BN_TRAIN;
    const int64_t slice = planner_slice(planner, p->n, p->c * plane * 4, 1);
    const uint64_t channel = (uint64_t)p->c * 4;
    for (int64_t first = 0; first < p->n && planner->status == CONVOY_OK; first += slice) {
        const int64_t images = convoy_min(slice, p->n - first);
        struct gpu_step *const step = planner_flat(planner, GPU_BN_APPLY, images * p->c * plane);
        step->params.bn = shape_of(p->n, images, p->c, plane);
        step->params.bn.eps = p->eps;
        step->constant[0] = !train;
        step->constant[1] = (p->head.flags & CONVOY_WITH_RELU) != 0;
        bind_images(planner, step, 0, CONVOY_X, GPU_READ, first);
        planner_bind(planner, step, 1, CONVOY_GAMMA, GPU_READ, 0, channel);
        planner_bind(planner, step, 2, CONVOY_BETA, GPU_READ, 0, channel);
        planner_bind(planner, step, 3, train ? CONVOY_SAVE_MEAN : CONVOY_RUN_MEAN, GPU_READ, 0, channel);
        planner_bind(planner, step, 4, train ? CONVOY_SAVE_ISTD : CONVOY_RUN_VAR, GPU_READ, 0, channel);
        bind_images(planner, step, 5, CONVOY_Y, GPU_WRITE, first);
    }
}

static void backward(struct planner *planner, const struct convoy_bn *p, int64_t plane)
{
    const struct parts parts = cut(planner, p->n, p->c, plane);
    const uint64_t half = (uint64_t)(p->c * parts.total * 4), channel = (uint64_t)p->c * 4;
    const uint64_t partial = partial_sums(planner, &parts, p->n, p->c, plane, CONVOY_DY, true);
    /* A word offset inside an area, which need not be a multiple of the device's alignment: both sums read the whole area. */
    for (int product = 0; product < 2; product++) {
        struct gpu_step *const step = planner_flat(planner, GPU_SUM, p->c);
        step->params.flat = (struct gpu_flat){.count = p->c,
                                              .parts = (int)parts.total,
                                              .stride = (int)parts.total,
                                              .pitch = 1,
                                              .first = product ? (int)(half / 4) : 0};
        planner_bind(planner, step, 0, CONVOY_WORKSPACE, GPU_READ, partial, 2 * half);
        planner_bind(planner, step, 1, product ? CONVOY_DGAMMA : CONVOY_DBETA, GPU_WRITE, 0, channel);
    }
    for (int64_t first = 0; first < p->n && planner->status == CONVOY_OK; first += parts.slice) {
        const int64_t images = convoy_min(parts.slice, p->n - first);
        struct gpu_step *const step = planner_flat(planner, GPU_BN_BWD, images * p->c * plane);
        step->params.bn = shape_of(p->n, images, p->c, plane);
        bind_images(planner, step, 0, CONVOY_X, GPU_READ, first);
        bind_images(planner, step, 1, CONVOY_DY, GPU_READ, first);
        planner_bind(planner, step, 2, CONVOY_GAMMA, GPU_READ, 0, channel);
        planner_bind(planner, step, 3, CONVOY_SAVE_MEAN, GPU_READ, 0, channel);
        planner_bind(planner, step, 4, CONVOY_SAVE_ISTD, GPU_READ, 0, channel);
        planner_bind(planner, step, 5, CONVOY_DGAMMA, GPU_READ, 0, channel);
        planner_bind(planner, step, 6, CONVOY_DBETA, GPU_READ, 0, channel);
        bind_images(planner, step, 7, CONVOY_DX, GPU_WRITE, first);
    }
}

void bn_program(struct planner *planner, const struct convoy_bn *p)
{
    const int64_t plane = (int64_t)p->h * p->w;
    snprintf(planner->program->algorithm, sizeof planner->program->algorithm, "%s",
             p->head.op == CONVOY_BN_INFER ? "element by element" : "two-pass reduction");
    if (p->head.op == CONVOY_BN_BWD) {
        backward(planner, p, plane);
        planner->program->reads &= ~(GPU_SLOT(DGAMMA) | GPU_SLOT(DBETA)); /* its own results */
        return;
    }
    if (p->head.op == CONVOY_BN_TRAIN)
        statistics(planner, p, plane);
    apply(planner, p, plane);
    if (p->head.op == CONVOY_BN_TRAIN)
        planner->program->reads &= ~(GPU_SLOT(SAVE_MEAN) | GPU_SLOT(SAVE_ISTD)); /* its own results */
}
