/* Pooling: what is accepted, how it is planned, and the arithmetic of windows along one axis. */
#include "pool.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>

enum { BLOCK_FLOATS = 32768 }; /* of x and y together in one task */

struct pool_axis pool_axis_h(const struct convoy_pool *p)
{
    return (struct pool_axis){p->h, p->oh, p->kh, p->stride_h, p->dil_h, p->pad_t, p->pad_b};
}

struct pool_axis pool_axis_w(const struct convoy_pool *p)
{
    return (struct pool_axis){p->w, p->ow, p->kw, p->stride_w, p->dil_w, p->pad_l, p->pad_r};
}

/* tap*dil + out*stride - pad lies in 0..in-1: convoy_tap_range with taps in the place of output positions. */
static int64_t count_taps(const struct pool_axis *axis, int64_t in, int64_t origin, int32_t *first, int32_t *last)
{
    convoy_tap_range((int32_t)in, axis->kernel, 0, axis->dil, (int32_t)origin, first, last);
    return *last - *first;
}

void pool_taps(const struct pool_axis *axis, int64_t out, int32_t *first, int32_t *last)
{
    count_taps(axis, axis->in, out * axis->stride - axis->pad_before, first, last);
}

int64_t pool_divisor(const struct pool_axis *axis, int64_t out, int32_t kind)
{
    int32_t first, last;
    if (kind == CONVOY_POOL_AVG_PAD)
        return count_taps(axis, (int64_t)axis->in + axis->pad_before + axis->pad_after, out * axis->stride, &first, &last);
    return count_taps(axis, axis->in, out * axis->stride - axis->pad_before, &first, &last);
}

struct pool_range pool_windows(const struct pool_axis *axis, int32_t tap)
{
    struct pool_range range;
    convoy_tap_range(axis->in, axis->out, axis->pad_before, axis->stride, tap * axis->dil, &range.first, &range.last);
    return range;
}

int64_t pool_tap_offset(const struct convoy_pool *p, int64_t oh, int64_t r, int64_t ow, int64_t s)
{
    return (oh * p->stride_h - p->pad_t + r * p->dil_h) * p->w + (ow * p->stride_w - p->pad_l + s * p->dil_w);
}

int64_t pool_block_planes(const struct convoy_pool *p)
{
    const int64_t floats = (int64_t)p->h * p->w + (int64_t)p->oh * p->ow;
    return convoy_min(convoy_max(1, BLOCK_FLOATS / floats), (int64_t)p->n * p->c);
}

int64_t pool_block_count(const struct convoy_pool *p)
{
    return convoy_ceil_div((int64_t)p->n * p->c, pool_block_planes(p));
}

static int64_t padded_end(int64_t in, int64_t before, int64_t after, int64_t out, int64_t stride, int64_t kernel, int64_t dil)
{
    return convoy_max(in + before + after, (out - 1) * stride + (kernel - 1) * dil + 1);
}

convoy_status pool_supports(const struct self *self, const struct convoy_problem *problem, struct convoy_error *err)
{
    const struct convoy_pool *p = (const struct convoy_pool *)problem;
    (void)self;
    if (p->kind < CONVOY_POOL_MAX || p->kind > CONVOY_POOL_L2)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_KERNEL, "pooling kind %d is not known here", p->kind);
    if ((p->head.flags & CONVOY_NO_INDEX) && p->kind != CONVOY_POOL_MAX)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "only maxima have an index to leave out, got kind %d",
                           p->kind);
    if (p->n < 1 || p->c < 1 || p->h < 1 || p->w < 1 || p->kh < 1 || p->kw < 1 || p->oh < 1 || p->ow < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "every extent of a pooling is at least 1");
    if (p->stride_h < 1 || p->stride_w < 1 || p->dil_h < 1 || p->dil_w < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_STRIDE, "strides and dilations are at least 1");
    /* Positions inside the padded image are computed as int32. */
    if (padded_end(p->h, p->pad_t, p->pad_b, p->oh, p->stride_h, p->kh, p->dil_h) > INT32_MAX ||
        padded_end(p->w, p->pad_l, p->pad_r, p->ow, p->stride_w, p->kw, p->dil_w) > INT32_MAX)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_PAD, "the padded image is higher or wider than 2^31 - 1");
    return CONVOY_OK;
}

int pool_is_seamless(const struct convoy_pool *p)
{
    return !p->pad_t && (int64_t)p->oh * p->stride_h == p->h && convoy_span(p->kh, p->dil_h) <= p->stride_h;
}

int pool_is_paired(const struct convoy_pool *p)
{
    return p->stride_w == 2 && p->w <= 16 && p->ow <= 7 &&
           2 * (int64_t)p->oh * p->ow * (int64_t)sizeof(float) <= POOL_STAGE_ROW_BYTES;
}

int pool_is_global_mean(const struct convoy_pool *p)
{
    return (p->kind == CONVOY_POOL_AVG_PAD || p->kind == CONVOY_POOL_AVG_VALID) && p->oh == 1 && p->ow == 1 && p->kh == p->h &&
           p->kw == p->w && p->dil_h == 1 && p->dil_w == 1 && !p->pad_t && !p->pad_l;
}

/* Windows that do not overlap give every element of dx one term at most. */
static int windows_overlap(const struct convoy_pool *p)
{
    return convoy_span(p->kh, p->dil_h) > p->stride_h || convoy_span(p->kw, p->dil_w) > p->stride_w;
}

static int64_t tensor_bytes(const struct convoy_pool *p)
{
    const int64_t index_bytes = p->kind == CONVOY_POOL_MAX && !(p->head.flags & CONVOY_NO_INDEX) ? convoy_index_bytes(p) : 0;
    const int64_t outputs = (int64_t)p->oh * p->ow, floats = (int64_t)p->h * p->w + outputs;
    return (floats * (int64_t)sizeof(float) + outputs * index_bytes) * p->n * p->c;
}

void pool_plan(const struct self *self, struct plan *plan)
{
    static const char *const kinds[] = {
        [CONVOY_POOL_MAX] = "maximum",
        [CONVOY_POOL_AVG_PAD] = "average",
        [CONVOY_POOL_AVG_VALID] = "average",
        [CONVOY_POOL_L2] = "L2",
    };
    const struct convoy_pool *p = &plan->problem.pool;
    const int forward = p->head.op == CONVOY_POOL_FWD, maximum = p->kind == CONVOY_POOL_MAX;
    (void)self;
    plan->run = forward ? pool_fwd_run : pool_bwd_run;
    plan->slots = forward ? SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_Y) : SLOT_BIT(CONVOY_DY) | SLOT_BIT(CONVOY_DX);
    if (maximum && !(p->head.flags & CONVOY_NO_INDEX))
        plan->slots |= SLOT_BIT(CONVOY_INDEX);
    if (!forward && p->kind == CONVOY_POOL_L2)
        plan->slots |= SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_Y);
    plan->stream = p->kind != CONVOY_POOL_L2 && (forward ? p->ow : p->w) <= POOL_STAGE_ROW_BYTES / (int64_t)sizeof(float) &&
                   loops_leave_cache(tensor_bytes(p));
    plan->numerics = (struct convoy_numerics){
        .kind = maximum && (forward || !windows_overlap(p)) ? CONVOY_NUM_EXACT : CONVOY_NUM_STATS,
        .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT,
    };
    plan->workspace_bytes = forward ? pool_fwd_workspace_bytes(plan) : pool_bwd_workspace_bytes(plan);
    snprintf(plan->algorithm, sizeof plan->algorithm, "%s by rows", kinds[p->kind]);
}
