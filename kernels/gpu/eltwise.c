/* Element-wise kinds, cross-entropy and the step of gradient descent, in slices below the device's limits. */
#include "program.h"

struct operands {
    uint32_t a, b, y;
};

static struct operands operands_of(int32_t kind)
{
    if (kind <= CONVOY_ELT_SOFTSIGN || kind == CONVOY_ELT_SCALE)
        return (struct operands){CONVOY_X, CONVOY_X, CONVOY_Y};
    if (kind <= CONVOY_ELT_SOFTSIGN_BWD)
        return (struct operands){CONVOY_DY, CONVOY_Y, CONVOY_DX};
    return (struct operands){CONVOY_X, CONVOY_X2, CONVOY_Y};
}

static void map(struct planner *planner, const struct convoy_eltwise *p, int64_t first, int64_t count)
{
    const struct operands slots = operands_of(p->kind);
    const uint64_t offset = (uint64_t)first * 4, bytes = (uint64_t)count * 4;
    struct gpu_step *const step = planner_flat(planner, GPU_MAP, count);
    step->params.flat = (struct gpu_flat){.count = (int)count, .alpha = p->alpha, .beta = p->beta};
    step->constant[0] = p->kind;
    planner_bind(planner, step, 0, slots.a, GPU_READ, offset, bytes);
    planner_bind(planner, step, 1, slots.b, GPU_READ, offset, bytes);
    planner_bind(planner, step, 2, slots.y, GPU_WRITE, offset, bytes);
}

static void sgd(struct planner *planner, int64_t first, int64_t count)
{
    const uint64_t offset = (uint64_t)first * 4, bytes = (uint64_t)count * 4;
    struct gpu_step *const step = planner_flat(planner, GPU_SGD, count);
    step->params.flat = (struct gpu_flat){.count = (int)count};
    planner_bind(planner, step, 0, CONVOY_DW, GPU_READ, offset, bytes);
    planner_bind(planner, step, 1, CONVOY_SCALARS, GPU_READ, 0, 16);
    planner_bind(planner, step, 2, CONVOY_W, GPU_READ | GPU_WRITE, offset, bytes);
    planner_bind(planner, step, 3, CONVOY_X2, GPU_READ | GPU_WRITE, offset, bytes);
}

static void xent(struct planner *planner, const struct convoy_eltwise *p, int64_t first, int64_t rows)
{
    const bool gradient = p->kind == CONVOY_ELT_XENT_BWD;
    const uint64_t row_bytes = (uint64_t)p->classes * 4, out_bytes = gradient ? row_bytes : 4;
    struct gpu_step *const step = planner_step(planner, GPU_XENT, planner_tree_group(planner), rows);
    step->params.rows = (struct gpu_rows){.rows = (int)rows, .classes = p->classes, .alpha = p->alpha};
    step->constant[0] = gradient;
    planner_bind(planner, step, 0, CONVOY_X, GPU_READ, (uint64_t)first * row_bytes, (uint64_t)rows * row_bytes);
    planner_bind(planner, step, 1, CONVOY_INDEX, GPU_READ, (uint64_t)first * 4, (uint64_t)rows * 4);
    planner_bind(planner, step, 2, gradient ? CONVOY_DX : CONVOY_Y, GPU_WRITE, (uint64_t)first * out_bytes,
                 (uint64_t)rows * out_bytes);
}

void eltwise_program(struct planner *planner, const struct convoy_eltwise *p)
{
    const bool rows = p->kind == CONVOY_ELT_XENT || p->kind == CONVOY_ELT_XENT_BWD;
    const int64_t count = rows ? p->count / p->classes : p->count;
    const int64_t slice = planner_slice(planner, count, rows ? (int64_t)p->classes * 4 : 4, 1);
    snprintf(planner->program->algorithm, sizeof planner->program->algorithm, rows ? "by rows" : "element by element");
    for (int64_t first = 0; first < count && planner->status == CONVOY_OK; first += slice) {
        const int64_t part = convoy_min(slice, count - first);
        if (rows)
            xent(planner, p, first, part);
        else if (p->kind == CONVOY_ELT_SGD)
            sgd(planner, first, part);
        else
            map(planner, p, first, part);
    }
}
