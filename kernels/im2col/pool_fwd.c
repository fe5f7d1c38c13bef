/* Pooling, forward. Maxima and averages go tap by tap along whole output rows; averages over windows wider
 * than the output, and L2, go window by window. */
#include "pool.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <math.h>

struct call {
    const struct loops *loops;
    const struct convoy_pool *p;
    struct pool_axis axis_h, axis_w;
    const float *x;
    float *y;
    void *index; /* NULL: not wanted                                                       */
    int32_t index_bytes;
    struct pool_range *windows; /* [kw]: output columns whose tap s lies inside x                         */
    int32_t *columns; /* [ow]: maxima: the first s inside x, what the index starts from; averages: the divisor along w */
    int32_t *rows;    /* [lane][ow]: the index of a row before it is narrowed to bytes          */
};

static int64_t lane_ints(const struct convoy_pool *p)
{
    return convoy_round_up(p->ow, 16);
}

uint64_t pool_fwd_workspace_bytes(const struct plan *plan)
{
    const struct convoy_pool *p = &plan->problem.pool;
    return (uint64_t)p->kw * sizeof(struct pool_range) + (uint64_t)p->ow * sizeof(int32_t) +
           (uint64_t)plan->host->threads * (uint64_t)lane_ints(p) * sizeof(int32_t);
}

static void make_maxima(const struct call *call, const float *x, int64_t plane, int64_t oh, size_t worker)
{
    const struct convoy_pool *p = call->p;
    const int64_t at = (plane * p->oh + oh) * p->ow;
    float *y = call->y + at;
    int32_t *index = NULL;
    int32_t r_first, r_last;
    pool_taps(&call->axis_h, oh, &r_first, &r_last);
    for (int64_t ow = 0; ow < p->ow; ow++)
        y[ow] = -INFINITY;
    if (call->index) {
        index = call->index_bytes == 1 ? call->rows + (int64_t)worker * lane_ints(p) : (int32_t *)call->index + at;
        for (int64_t ow = 0; ow < p->ow; ow++)
            index[ow] = r_first * p->kw + call->columns[ow];
    }
    for (int32_t r = r_first; r < r_last; r++)
        for (int32_t s = 0; s < p->kw; s++) {
            const struct pool_range in = call->windows[s];
            if (in.first < in.last)
                call->loops->maximum(x + pool_tap_offset(p, oh, r, in.first, s), p->stride_w, in.last - in.first, r * p->kw + s,
                                     y + in.first, index ? index + in.first : NULL);
        }
    if (call->index && call->index_bytes == 1) {
        uint8_t *narrow = (uint8_t *)call->index + at;
        for (int64_t ow = 0; ow < p->ow; ow++)
            narrow[ow] = (uint8_t)index[ow];
    }
}

static void make_averages(const struct call *call, const float *x, int64_t plane, int64_t oh)
{
    const struct convoy_pool *p = call->p;
    float *y = call->y + (plane * p->oh + oh) * p->ow;
    const int64_t divisor_h = pool_divisor(&call->axis_h, oh, p->kind);
    int32_t r_first, r_last;
    pool_taps(&call->axis_h, oh, &r_first, &r_last);
    memset(y, 0, (size_t)p->ow * sizeof *y);
    for (int32_t r = r_first; r < r_last; r++)
        for (int32_t s = 0; s < p->kw; s++) {
            const struct pool_range in = call->windows[s];
            if (in.first < in.last)
                call->loops->add_from(x + pool_tap_offset(p, oh, r, in.first, s), p->stride_w, in.last - in.first, y + in.first);
        }
    for (int64_t ow = 0; ow < p->ow; ow++)
        y[ow] /= (float)(divisor_h * call->columns[ow]);
}

/* Sums of one window; the double keeps the squares of large values finite. */
static double window_sum(const struct call *call, const float *x, int64_t oh, int64_t ow, int squares)
{
    const struct convoy_pool *p = call->p;
    int32_t r_first, r_last, s_first, s_last;
    double sum[2] = {0.0, 0.0};
    pool_taps(&call->axis_h, oh, &r_first, &r_last);
    pool_taps(&call->axis_w, ow, &s_first, &s_last);
    for (int64_t r = r_first; r < r_last; r++) {
        for (int64_t s = s_first; s < s_last; s++) {
            const double value = x[pool_tap_offset(p, oh, r, ow, s)];
            sum[s & 1] += squares ? value * value : value; /* two chains: additions wait for each other */
        }
    }
    return sum[0] + sum[1];
}

static void make_windows(const struct call *call, const float *x, int64_t plane, int64_t oh)
{
    const struct convoy_pool *p = call->p;
    float *y = call->y + (plane * p->oh + oh) * p->ow;
    const int root = p->kind == CONVOY_POOL_L2;
    for (int64_t ow = 0; ow < p->ow; ow++) {
        const double sum = window_sum(call, x, oh, ow, root);
        const int64_t divisor = root ? 1 : pool_divisor(&call->axis_h, oh, p->kind) * call->columns[ow];
        y[ow] = (float)(root ? sqrt(sum) : sum / (double)divisor);
    }
}

static void make_planes(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const struct convoy_pool *p = call->p;
    const int64_t per_task = pool_block_planes(p), planes = (int64_t)p->n * p->c;
    for (int64_t plane = (int64_t)task * per_task; plane < convoy_min(((int64_t)task + 1) * per_task, planes); plane++) {
        const float *x = call->x + plane * p->h * p->w;
        for (int64_t oh = 0; oh < p->oh; oh++) {
            if (p->kind == CONVOY_POOL_MAX)
                make_maxima(call, x, plane, oh, worker);
            else if (p->kind == CONVOY_POOL_L2 || p->ow < p->kw)
                make_windows(call, x, plane, oh);
            else
                make_averages(call, x, plane, oh);
        }
    }
}

convoy_status pool_fwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct convoy_pool *p = &plan->problem.pool;
    struct pool_range *windows = convoy_slot(args, CONVOY_WORKSPACE);
    int32_t *columns = (int32_t *)(windows + p->kw);
    struct call call = {
        .loops = plan->loops,
        .p = p,
        .axis_h = pool_axis_h(p),
        .axis_w = pool_axis_w(p),
        .x = convoy_slot_f32(args, CONVOY_X),
        .y = convoy_slot_f32(args, CONVOY_Y),
        .index = (plan->slots & SLOT_BIT(CONVOY_INDEX)) ? convoy_slot(args, CONVOY_INDEX) : NULL,
        .index_bytes = convoy_index_bytes(p),
        .windows = windows,
        .columns = columns,
        .rows = columns + p->ow,
    };
    (void)err;
    for (int32_t s = 0; s < p->kw; s++)
        windows[s] = pool_windows(&call.axis_w, s);
    for (int64_t ow = 0; ow < p->ow; ow++) {
        int32_t s_last;
        if (p->kind == CONVOY_POOL_MAX)
            pool_taps(&call.axis_w, ow, &columns[ow], &s_last);
        else
            columns[ow] = (int32_t)pool_divisor(&call.axis_w, ow, p->kind);
    }
    plan->host->parallel(plan->host, make_planes, &call, (size_t)pool_block_count(p));
    return CONVOY_OK;
}
