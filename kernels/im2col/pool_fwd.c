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
    struct pool_range *windows; /* [kw]: output columns whose tap s lies inside x                         */
    int32_t *divisors_w, *divisors_h; /* averages, [ow] and [oh]                                         */
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
    return convoy_round_up(p->kw * (int64_t)sizeof(struct pool_range) + ((int64_t)p->ow + p->oh) * (int64_t)sizeof(int32_t), 64);
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

/* One row of y: row `at` of all planes. */
static void make_row(const struct call *call, struct scratch *scratch, int64_t at, float *y, uint8_t *bytes)
{
    const struct convoy_pool *p = call->p;
    const int64_t plane = at / p->oh, oh = at % p->oh;
    struct pool_max_row row = {
        .p = p,
        .windows = call->windows,
        .y = y,
        .index = bytes         ? scratch->index
                 : call->index ? (int32_t *)call->index + at * p->ow
                               : NULL,
        .bytes = bytes,
        .best = scratch->best,
        .taps = scratch->taps,
    };
    pool_taps(&call->axis_h, oh, &row.r_first, &row.r_last);
    row.x = call->x + (plane * p->h + oh * p->stride_h - p->pad_t + (int64_t)row.r_first * p->dil_h) * p->w;
    if (p->kind == CONVOY_POOL_MAX)
        call->loops->max_row(&row);
    else
        call->loops->mean_row(&row, call->divisors_h[oh], call->divisors_w);
}

/* Images are planes, or planes that are joined. */
struct images {
    int64_t plane, joined; /* the first plane, and how many planes make an image */
    int paired, count;
};

static void make_rows(const struct call *call, struct scratch *scratch, const struct images *images, int64_t first, int64_t rows)
{
    const struct convoy_pool *p = call->p;
    const int64_t at = images->plane * p->oh + first, all = rows * images->count;
    float *y = call->stream ? pool_stage_room(&scratch->y_stage, call->loops, all * p->ow * (int64_t)sizeof(float))
                            : call->y + at * p->ow;
    uint8_t *bytes = NULL;
    if (call->index && call->index_bytes == 1)
        bytes =
            call->stream ? pool_stage_room(&scratch->index_stage, call->loops, all * p->ow) : (uint8_t *)call->index + at * p->ow;
    const struct pool_fwd_rows wanted = {
        .p = p,
        .x = call->x + images->plane * p->h * p->w,
        .h = images->joined * p->h,
        .first = first,
        .rows = rows,
        .paired = images->paired,
        .images = images->count,
        .y = y,
        .bytes = bytes,
        .divisors_h = call->divisors_h,
        .divisors_w = call->divisors_w,
    };
    if (call->loops->fwd_rows && (!call->index || bytes) && call->loops->fwd_rows(&wanted))
        return;
    for (int64_t done = 0; done < all; done++)
        make_row(call, scratch, at + done, y + done * p->ow, bytes ? bytes + done * p->ow : NULL);
}

/* The planes that are made together, from `plane` on. */
static struct images next_images(const struct convoy_pool *p, int64_t plane, int64_t last)
{
    struct images images = {.plane = plane, .joined = 1, .paired = pool_is_paired(p), .count = 1};
    const int joins = p->kind == CONVOY_POOL_MAX && pool_is_seamless(p);
    if (images.paired && last - plane > 1) {
        const int64_t most = POOL_STAGE_ROW_BYTES / (2 * (int64_t)p->oh * p->ow * (int64_t)sizeof(float));
        images.count = 2;
        images.joined = joins ? convoy_min(most, (last - plane) / 2) : 1;
    } else if (!images.paired && joins) {
        images.joined = last - plane;
    }
    return images;
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
    /* So many rows of y that they and their x stay in the L1. */
    const int64_t most = convoy_max(1, POOL_STAGE_ROW_BYTES / (p->ow * (int64_t)sizeof(float)));
    for (int64_t plane = first; plane < last;) {
        const struct images images = next_images(p, plane, last);
        const int64_t rows = images.joined * p->oh, step = images.count == 2 ? rows : most;
        for (int64_t done = 0; done < rows; done += step)
            make_rows(call, &scratch, &images, done, convoy_min(step, rows - done));
        plane += images.joined * images.count;
    }
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
        .divisors_w = (int32_t *)(windows + p->kw),
        .divisors_h = (int32_t *)(windows + p->kw) + p->ow,
        .lanes = workspace + shared_bytes(p),
        .lane_bytes = lane_bytes(p),
    };
    (void)err;
    for (int32_t s = 0; s < p->kw; s++)
        windows[s] = pool_windows(&call.axis_w, s);
    for (int64_t ow = 0; ow < p->ow && p->kind != CONVOY_POOL_MAX; ow++)
        call.divisors_w[ow] = (int32_t)pool_divisor(&call.axis_w, ow, p->kind);
    for (int64_t oh = 0; oh < p->oh && p->kind != CONVOY_POOL_MAX; oh++)
        call.divisors_h[oh] = (int32_t)pool_divisor(&call.axis_h, oh, p->kind);
    plan->host->parallel(plan->host, p->kind == CONVOY_POOL_L2 ? make_norms : pool_is_global_mean(p) ? make_means : make_planes, &call, (size_t)pool_block_count(p));
    return CONVOY_OK;
}
