/* Pooling, backward. A task owns whole planes of dx. Maxima and L2 add to it in the order of the output pixels, averages
 * collect one row of dx at a time in double, so that overlapping windows are summed in one fixed order. */
#include "pool.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>

struct call {
    const struct convoy_pool *p;
    struct pool_axis axis_h, axis_w;
    const float *dy, *x, *y;
    const void *index;
    int32_t index_bytes;
    float *dx;
    int64_t *offsets;           /* maxima, [kh*kw]: of a tap from the first one of its window                  */
    double *rows;               /* averages, [lane]: a row of dy over its divisors [ow], a row of dx [w]        */
    struct pool_range *windows; /* averages, [kw]: output columns whose tap s lies inside x                    */
    int32_t *divisors;          /* averages, [ow]: the divisor along w                                         */
};

static int64_t lane_doubles(const struct convoy_pool *p)
{
    return convoy_round_up((int64_t)p->ow + p->w, 8);
}

uint64_t pool_bwd_workspace_bytes(const struct plan *plan)
{
    const struct convoy_pool *p = &plan->problem.pool;
    if (p->kind == CONVOY_POOL_MAX)
        return (uint64_t)p->kh * (uint64_t)p->kw * sizeof(int64_t);
    if (p->kind == CONVOY_POOL_L2)
        return 0;
    return (uint64_t)plan->host->threads * (uint64_t)lane_doubles(p) * sizeof(double) +
           (uint64_t)p->kw * sizeof(struct pool_range) + (uint64_t)p->ow * sizeof(int32_t);
}

static void spread_maxima(const struct call *call, int64_t plane, float *dx)
{
    const struct convoy_pool *p = call->p;
    for (int64_t oh = 0; oh < p->oh; oh++) {
        const int64_t at = (plane * p->oh + oh) * p->ow;
        const int64_t corner = (oh * p->stride_h - p->pad_t) * p->w - p->pad_l;
        if (call->index_bytes == 1) {
            const uint8_t *tap = (const uint8_t *)call->index + at;
            for (int64_t ow = 0; ow < p->ow; ow++)
                dx[corner + ow * p->stride_w + call->offsets[tap[ow]]] += call->dy[at + ow];
        } else {
            const int32_t *tap = (const int32_t *)call->index + at;
            for (int64_t ow = 0; ow < p->ow; ow++)
                dx[corner + ow * p->stride_w + call->offsets[tap[ow]]] += call->dy[at + ow];
        }
    }
}

/* What tap row r brings to row h of dx: the output row oh with oh*stride_h - pad_t + r*dil_h = h, if there is one. */
static void collect_tap_row(const struct call *call, const float *dy_plane, int64_t h, int64_t r, double *row, double *sums)
{
    const struct convoy_pool *p = call->p;
    const int64_t start = h + p->pad_t - r * p->dil_h, oh = start / p->stride_h;
    if (start < 0 || start % p->stride_h || oh >= p->oh)
        return;
    const float *dy = dy_plane + oh * p->ow;
    const int64_t divisor_h = pool_divisor(&call->axis_h, oh, p->kind);
    for (int64_t ow = 0; ow < p->ow; ow++)
        row[ow] = dy[ow] / (double)(divisor_h * call->divisors[ow]);
    for (int64_t s = 0; s < p->kw; s++) {
        const int64_t shift = s * p->dil_w - p->pad_l;
        for (int64_t ow = call->windows[s].first; ow < call->windows[s].last; ow++)
            sums[ow * p->stride_w + shift] += row[ow];
    }
}

static void spread_averages(const struct call *call, int64_t plane, size_t worker, float *dx)
{
    const struct convoy_pool *p = call->p;
    double *row = call->rows + (int64_t)worker * lane_doubles(p), *sums = row + p->ow;
    for (int64_t h = 0; h < p->h; h++) {
        for (int64_t w = 0; w < p->w; w++)
            sums[w] = 0.0;
        for (int64_t r = 0; r < p->kh; r++)
            collect_tap_row(call, call->dy + plane * p->oh * p->ow, h, r, row, sums);
        for (int64_t w = 0; w < p->w; w++)
            dx[h * p->w + w] = (float)sums[w];
    }
}

/* dL2/dx = x/y; 0 where y is 0, there every x of the window is 0 as well. In double: dy/y alone may leave the range of a float.
 */
static void spread_l2(const struct call *call, int64_t plane, float *dx)
{
    const struct convoy_pool *p = call->p;
    const float *x = call->x + plane * p->h * p->w;
    for (int64_t oh = 0; oh < p->oh; oh++) {
        int32_t r_first, r_last;
        pool_taps(&call->axis_h, oh, &r_first, &r_last);
        for (int64_t ow = 0; ow < p->ow; ow++) {
            const int64_t at = (plane * p->oh + oh) * p->ow + ow;
            const double factor = call->y[at] == 0.0f ? 0.0 : (double)call->dy[at] / (double)call->y[at];
            int32_t s_first, s_last;
            pool_taps(&call->axis_w, ow, &s_first, &s_last);
            for (int64_t r = r_first; r < r_last; r++)
                for (int64_t s = s_first; s < s_last; s++) {
                    const int64_t at_x = pool_tap_offset(p, oh, r, ow, s);
                    dx[at_x] += (float)(factor * (double)x[at_x]);
                }
        }
    }
}

static void make_planes(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const struct convoy_pool *p = call->p;
    const int64_t per_task = pool_block_planes(p), planes = (int64_t)p->n * p->c;
    for (int64_t plane = (int64_t)task * per_task; plane < convoy_min(((int64_t)task + 1) * per_task, planes); plane++) {
        float *dx = call->dx + plane * p->h * p->w;
        if (p->kind == CONVOY_POOL_AVG_PAD || p->kind == CONVOY_POOL_AVG_VALID) {
            spread_averages(call, plane, worker, dx);
            continue;
        }
        memset(dx, 0, (size_t)p->h * (size_t)p->w * sizeof *dx);
        if (p->kind == CONVOY_POOL_MAX)
            spread_maxima(call, plane, dx);
        else
            spread_l2(call, plane, dx);
    }
}

convoy_status pool_bwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct convoy_pool *p = &plan->problem.pool;
    void *const workspace = convoy_slot(args, CONVOY_WORKSPACE);
    struct call call = {
        .p = p,
        .axis_h = pool_axis_h(p),
        .axis_w = pool_axis_w(p),
        .dy = convoy_slot_f32(args, CONVOY_DY),
        .x = convoy_slot_f32(args, CONVOY_X),
        .y = convoy_slot_f32(args, CONVOY_Y),
        .index = convoy_slot(args, CONVOY_INDEX),
        .index_bytes = convoy_index_bytes(p),
        .dx = convoy_slot_f32(args, CONVOY_DX),
    };
    (void)err;
    if (p->kind == CONVOY_POOL_MAX) {
        call.offsets = workspace;
        for (int64_t r = 0; r < p->kh; r++)
            for (int64_t s = 0; s < p->kw; s++)
                call.offsets[r * p->kw + s] = r * p->dil_h * p->w + s * p->dil_w;
    } else if (p->kind != CONVOY_POOL_L2) {
        call.rows = workspace;
        call.windows = (struct pool_range *)(call.rows + plan->host->threads * lane_doubles(p));
        call.divisors = (int32_t *)(call.windows + p->kw);
        for (int32_t s = 0; s < p->kw; s++)
            call.windows[s] = pool_windows(&call.axis_w, s);
        for (int64_t ow = 0; ow < p->ow; ow++)
            call.divisors[ow] = (int32_t)pool_divisor(&call.axis_w, ow, p->kind);
    }
    plan->host->parallel(plan->host, make_planes, &call, (size_t)pool_block_count(p));
    return CONVOY_OK;
}
