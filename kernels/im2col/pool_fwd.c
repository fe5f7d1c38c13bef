/* Pooling, forward. Maxima and averages go by rows, L2 window by window; the mean of whole planes has a loop of its own. */
#include "pool.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <math.h>

struct call {
    const struct pool_loops *loops;
    const struct convoy_pool *p;
    struct pool_axis axis_h, axis_w;
    const float *x;
    float *y;
    void *index; /* NULL: not wanted                                                       */
    int32_t index_bytes;
    int stream;
    struct pool_range inner;    /* output rows with all taps inside x                                    */
    struct pool_range *windows; /* [kw]: output columns whose tap s lies inside x                         */
    int32_t *divisors;          /* averages, [ow]: along w                                                */
    char *lanes;                /* [lane]: two stages, then best [w], taps [w], index [ow]                */
    int64_t lane_bytes;
};

/* What make_planes keeps for a task. */
struct scratch {
    struct pool_stage y_stage, index_stage;
    float *best;
    int32_t *taps, *index;
};

static int64_t lane_bytes(const struct convoy_pool *p)
{
    return convoy_round_up((2 * (int64_t)p->w + p->ow) * (int64_t)sizeof(float), 64) + 2 * POOL_STAGE_BYTES;
}

static int64_t shared_bytes(const struct convoy_pool *p)
{
    return convoy_round_up(p->kw * (int64_t)sizeof(struct pool_range) + p->ow * (int64_t)sizeof(int32_t), 64);
}

uint64_t pool_fwd_workspace_bytes(const struct plan *plan)
{
    const struct convoy_pool *p = &plan->problem.pool;
    return (uint64_t)shared_bytes(p) + (uint64_t)plan->host->threads * (uint64_t)lane_bytes(p);
}

/* Squares of one window; the double keeps the squares of large values finite. */
static double window_squares(const struct call *call, const float *x, int64_t oh, int64_t ow)
{
    const struct convoy_pool *p = call->p;
    int32_t r_first, r_last, s_first, s_last;
    double sum[2] = {0.0, 0.0};
    pool_taps(&call->axis_h, oh, &r_first, &r_last);
    pool_taps(&call->axis_w, ow, &s_first, &s_last);
    for (int64_t r = r_first; r < r_last; r++) {
        for (int64_t s = s_first; s < s_last; s++) {
            const double value = x[pool_tap_offset(p, oh, r, ow, s)];
            sum[s & 1] += value * value; /* two chains: additions wait for each other */
        }
    }
    return sum[0] + sum[1];
}

static void make_windows(const struct call *call, const float *x, int64_t oh, float *y)
{
    for (int64_t ow = 0; ow < call->p->ow; ow++)
        y[ow] = (float)sqrt(window_squares(call, x, oh, ow));
}

/* `rows` rows of y from row `first` of all, whose windows have the same tap rows inside x; x is under the first of them. */
static void make_rows(const struct call *call, struct scratch *scratch, const float *x, int64_t first, int64_t rows, int32_t r_first,
                      int32_t r_last)
{
    const struct convoy_pool *p = call->p;
    const int64_t at = first * p->ow, x_step = (int64_t)p->stride_h * p->w;
    const int narrow = call->index && call->index_bytes == 1;
    struct pool_max_row row = {
        .p = p,
        .windows = call->windows,
        .x = x,
        .r_first = r_first,
        .r_last = r_last,
        .y = call->stream ? pool_stage_room(&scratch->y_stage, call->loops, rows * p->ow * (int64_t)sizeof(float)) : call->y + at,
        .best = scratch->best,
        .taps = scratch->taps,
    };
    if (narrow)
        row.bytes = call->stream ? pool_stage_room(&scratch->index_stage, call->loops, rows * p->ow) : (uint8_t *)call->index + at;
    if (call->index)
        row.index = narrow ? scratch->index : (int32_t *)call->index + at;
    for (int64_t done = 0; done < rows;) {
        int64_t made = 1;
        if (p->kind == CONVOY_POOL_MAX) {
            made = call->loops->max_rows_fast ? call->loops->max_rows_fast(&row, rows - done) : 0;
            if (!made) {
                call->loops->max_row(&row);
                made = 1;
            }
        } else {
            const int64_t oh = (first + done) % p->oh;
            call->loops->mean_row(&row, pool_divisor(&call->axis_h, oh, p->kind), call->divisors);
        }
        row.x += made * x_step;
        row.y += made * p->ow;
        if (narrow)
            row.bytes += made * p->ow;
        else if (row.index)
            row.index += made * p->ow;
        done += made;
    }
}

/* Rows oh..oh+rows-1 of a plane, all taps inside, in pieces that the stages take. */
static void make_inner_rows(const struct call *call, struct scratch *scratch, const float *x, int64_t first, int64_t oh, int64_t rows)
{
    const struct convoy_pool *p = call->p;
    const int64_t most = call->stream ? POOL_STAGE_ROW_BYTES / (p->ow * (int64_t)sizeof(float)) : rows;
    for (int64_t done = 0; done < rows; done += most)
        make_rows(call, scratch, x + ((oh + done) * p->stride_h - p->pad_t) * p->w, first + done, convoy_min(most, rows - done), 0,
                  p->kh);
}

static void make_plane(const struct call *call, struct scratch *scratch, int64_t plane)
{
    const struct convoy_pool *p = call->p;
    const float *x = call->x + plane * p->h * p->w;
    for (int64_t oh = 0; oh < p->oh;) {
        int32_t r_first, r_last;
        if (oh == call->inner.first && call->inner.first < call->inner.last) {
            make_inner_rows(call, scratch, x, plane * p->oh + oh, oh, call->inner.last - oh);
            oh = call->inner.last;
            continue;
        }
        pool_taps(&call->axis_h, oh, &r_first, &r_last);
        make_rows(call, scratch, x + (oh * p->stride_h - p->pad_t + (int64_t)r_first * p->dil_h) * p->w, plane * p->oh + oh, 1, r_first,
                  r_last);
        oh++;
    }
}

/* L2 */
static void make_norms(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const struct convoy_pool *p = call->p;
    const int64_t per_task = pool_block_planes(p), first = (int64_t)task * per_task;
    (void)worker;
    for (int64_t plane = first; plane < convoy_min(first + per_task, (int64_t)p->n * p->c); plane++)
        for (int64_t oh = 0; oh < p->oh; oh++)
            make_windows(call, call->x + plane * p->h * p->w, oh, call->y + (plane * p->oh + oh) * p->ow);
}

static void make_planes(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const struct convoy_pool *p = call->p;
    const int64_t per_task = pool_block_planes(p), first = (int64_t)task * per_task;
    const int64_t last = convoy_min(first + per_task, (int64_t)p->n * p->c), at = first * p->oh * p->ow;
    char *const lane = call->lanes + (int64_t)worker * call->lane_bytes;
    struct scratch scratch = {.best = (float *)(void *)(lane + 2 * POOL_STAGE_BYTES)};
    scratch.taps = (int32_t *)(scratch.best + p->w);
    scratch.index = scratch.taps + p->w;
    if (call->stream) {
        pool_stage_open(&scratch.y_stage, lane, call->y + at);
        if (call->index && call->index_bytes == 1)
            pool_stage_open(&scratch.index_stage, lane + POOL_STAGE_BYTES, (uint8_t *)call->index + at);
    }
    if (p->kind == CONVOY_POOL_MAX && pool_is_seamless(p))
        make_inner_rows(call, &scratch, call->x + first * p->h * p->w, first * p->oh, 0, (last - first) * p->oh);
    else
        for (int64_t plane = first; plane < last; plane++)
            make_plane(call, &scratch, plane);
    if (call->stream) {
        pool_stage_close(&scratch.y_stage, call->loops);
        if (call->index && call->index_bytes == 1)
            pool_stage_close(&scratch.index_stage, call->loops);
    }
}

/* Averages of whole planes. */
static void make_means(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const struct convoy_pool *p = call->p;
    const int64_t per_task = pool_block_planes(p), first = (int64_t)task * per_task, plane = (int64_t)p->h * p->w;
    (void)worker;
    call->loops->plane_means(call->x + first * plane, convoy_min(per_task, (int64_t)p->n * p->c - first), plane, call->y + first);
}

convoy_status pool_fwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct convoy_pool *p = &plan->problem.pool;
    char *const workspace = convoy_slot(args, CONVOY_WORKSPACE);
    struct pool_range *windows = (struct pool_range *)(void *)workspace;
    struct call call = {
        .loops = plan->loops->pool,
        .p = p,
        .axis_h = pool_axis_h(p),
        .axis_w = pool_axis_w(p),
        .x = convoy_slot_f32(args, CONVOY_X),
        .y = convoy_slot_f32(args, CONVOY_Y),
        .index = (plan->slots & SLOT_BIT(CONVOY_INDEX)) ? convoy_slot(args, CONVOY_INDEX) : NULL,
        .index_bytes = convoy_index_bytes(p),
        .stream = plan->stream,
        .windows = windows,
        .divisors = (int32_t *)(windows + p->kw),
        .lanes = workspace + shared_bytes(p),
        .lane_bytes = lane_bytes(p),
    };
    (void)err;
    call.inner = pool_windows(&call.axis_h, 0);
    call.inner.last = (int32_t)convoy_min(call.inner.last, pool_windows(&call.axis_h, p->kh - 1).last);
    for (int32_t s = 0; s < p->kw; s++)
        windows[s] = pool_windows(&call.axis_w, s);
    for (int64_t ow = 0; ow < p->ow && p->kind != CONVOY_POOL_MAX; ow++)
        call.divisors[ow] = (int32_t)pool_divisor(&call.axis_w, ow, p->kind);
    plan->host->parallel(plan->host, p->kind == CONVOY_POOL_L2 ? make_norms : pool_is_global_mean(p) ? make_means : make_planes, &call, (size_t)pool_block_count(p));
    return CONVOY_OK;
}
