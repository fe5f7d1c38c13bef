/* Pooling, backward. A task owns whole planes of dx. A row of dx gathers from the rows of dy whose windows meet it, in the order
 * of the taps, so that overlapping windows are summed in one fixed order and nothing is scattered; L2 adds window by window. */
#include "pool.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>

struct call {
    const struct pool_loops *loops;
    const struct convoy_pool *p;
    struct pool_axis axis_h, axis_w;
    const float *dy, *x, *y;
    const void *index; /* maxima */
    int32_t index_bytes;
    float *dx;
    int stream;
    int32_t *divisors; /* averages, [ow]: the divisor along w                                        */
    char *lanes;       /* [lane]: a stage, then phases, then dy over its divisors [oh][ow], then taps [kh] */
    int64_t lane_bytes;
};

static int is_average(const struct convoy_pool *p)
{
    return p->kind == CONVOY_POOL_AVG_PAD || p->kind == CONVOY_POOL_AVG_VALID;
}

/* Windows side by side, what their taps reach beyond the last one, and the columns that no window meets. */
int64_t pool_phase_floats(const struct convoy_pool *p)
{
    const int64_t reached = p->ow + (convoy_span(p->kw, p->dil_w) - 1) / p->stride_w;
    return convoy_max(reached, ((int64_t)p->w - 1 + p->pad_l) / p->stride_w + 1);
}

static int64_t scaled_floats(const struct convoy_pool *p)
{
    return is_average(p) ? (int64_t)p->oh * p->ow : 0;
}

static int64_t lane_bytes(const struct convoy_pool *p)
{
    const int64_t floats = p->stride_w * pool_phase_floats(p) + scaled_floats(p);
    return POOL_STAGE_BYTES + convoy_round_up(floats * (int64_t)sizeof(float), 64) +
           convoy_round_up(p->kh * (int64_t)sizeof(struct pool_back_tap), 64);
}

static int64_t shared_bytes(const struct convoy_pool *p)
{
    return is_average(p) ? convoy_round_up(p->ow * (int64_t)sizeof(int32_t), 64) : 0;
}

uint64_t pool_bwd_workspace_bytes(const struct plan *plan)
{
    const struct convoy_pool *p = &plan->problem.pool;
    if (p->kind == CONVOY_POOL_L2)
        return 0;
    return (uint64_t)shared_bytes(p) + (uint64_t)plan->host->threads * (uint64_t)lane_bytes(p);
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

/* What a plane's rows are made with. */
struct scratch {
    struct pool_stage stage;
    float *phases, *scaled;
    struct pool_back_tap *tap;
};

static void scale_plane(const struct call *call, const float *dy, float *scaled)
{
    const struct convoy_pool *p = call->p;
    for (int64_t oh = 0; oh < p->oh; oh++) {
        const int64_t divisor = pool_divisor(&call->axis_h, oh, p->kind);
        for (int64_t ow = 0; ow < p->ow; ow++)
            scaled[oh * p->ow + ow] = dy[oh * p->ow + ow] / (float)(divisor * call->divisors[ow]);
    }
}

/* The output rows oh with oh*stride_h - pad_t + r*dil_h = h. */
static int32_t find_taps(const struct call *call, int64_t h, const float *dy, int64_t index_at, struct pool_back_tap *tap)
{
    const struct convoy_pool *p = call->p;
    int32_t rows = 0;
    for (int32_t r = 0; r < p->kh; r++) {
        const int64_t start = h + p->pad_t - (int64_t)r * p->dil_h, oh = start / p->stride_h;
        if (start < 0 || start % p->stride_h || oh >= p->oh)
            continue;
        tap[rows++] = (struct pool_back_tap){
            .r = r,
            .dy = dy + oh * p->ow,
            .index = call->index ? (const char *)call->index + (index_at + oh * p->ow) * call->index_bytes : NULL,
        };
    }
    return rows;
}

/* Maxima of common windows: false where the loops have none for them. */
static int gather_fast(const struct call *call, struct scratch *scratch, int64_t plane, int64_t planes)
{
    const struct convoy_pool *p = call->p;
    const int64_t rows = planes * p->h, row_bytes = p->w * (int64_t)sizeof(float), at = plane * p->oh * p->ow;
    const int64_t most = call->stream ? convoy_max(1, POOL_STAGE_ROW_BYTES / row_bytes / 2 * 2) : rows;
    if (!call->index || call->index_bytes != 1 || !call->loops->max_back_rows_fast)
        return 0;
    /* The loops make rows in pairs, from a padded row that is even on. */
    for (int64_t done = 0, now; done < rows; done += now) {
        now = convoy_min(most > 1 && !done ? most - p->pad_t % 2 : most, rows - done);
        const struct pool_back_rows back = {
            .p = p,
            .dy = call->dy + at,
            .index = (const uint8_t *)call->index + at,
            .oh = planes * p->oh,
            .h_first = done,
            .rows = now,
            .dx = call->stream ? pool_stage_room(&scratch->stage, call->loops, now * row_bytes)
                               : call->dx + (plane * p->h + done) * p->w,
        };
        if (!call->loops->max_back_rows_fast(&back)) {
            if (call->stream)
                pool_stage_return(&scratch->stage, now * row_bytes);
            return 0;
        }
    }
    return 1;
}

static void gather_plane(const struct call *call, struct scratch *scratch, int64_t plane)
{
    const struct convoy_pool *p = call->p;
    const int64_t at = plane * p->oh * p->ow;
    const float *dy = call->dy + at;
    if (scratch->scaled) {
        scale_plane(call, dy, scratch->scaled);
        dy = scratch->scaled;
    }
    for (int64_t h = 0; h < p->h; h++) {
        const struct pool_back_row row = {
            .p = p,
            .rows = find_taps(call, h, dy, at, scratch->tap),
            .tap = scratch->tap,
            .phases = scratch->phases,
            .dx = call->stream ? pool_stage_room(&scratch->stage, call->loops, p->w * (int64_t)sizeof(float))
                               : call->dx + (plane * p->h + h) * p->w,
        };
        call->loops->back_row(&row);
    }
}

static void make_planes(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const struct convoy_pool *p = call->p;
    const int64_t per_task = pool_block_planes(p), first = (int64_t)task * per_task, floats = (int64_t)p->h * p->w;
    const int64_t last = convoy_min(first + per_task, (int64_t)p->n * p->c);
    if (p->kind == CONVOY_POOL_L2) {
        for (int64_t plane = first; plane < last; plane++) {
            memset(call->dx + plane * floats, 0, (size_t)floats * sizeof(float));
            spread_l2(call, plane, call->dx + plane * floats);
        }
        return;
    }
    char *const lane = call->lanes + (int64_t)worker * call->lane_bytes;
    struct scratch scratch = {.phases = (float *)(void *)(lane + POOL_STAGE_BYTES)};
    if (is_average(p))
        scratch.scaled = scratch.phases + p->stride_w * pool_phase_floats(p);
    scratch.tap = (struct pool_back_tap *)(void *)(lane + call->lane_bytes -
                                                   convoy_round_up(p->kh * (int64_t)sizeof(struct pool_back_tap), 64));
    if (call->stream)
        pool_stage_open(&scratch.stage, lane, call->dx + first * floats);
    const int64_t joined = pool_is_seamless(p) ? last - first : 1;
    for (int64_t plane = first; plane < last; plane += joined) {
        if (gather_fast(call, &scratch, plane, joined))
            continue;
        for (int64_t each = plane; each < plane + joined; each++)
            gather_plane(call, &scratch, each);
    }
    if (call->stream)
        pool_stage_close(&scratch.stage, call->loops);
}

/* Each element of a plane is in the one window: its dy over the plane. */
static void spread_means(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const struct convoy_pool *p = call->p;
    const int64_t per_task = pool_block_planes(p), first = (int64_t)task * per_task, floats = (int64_t)p->h * p->w;
    (void)worker;
    call->loops->fill_planes(call->dy + first, convoy_min(per_task, (int64_t)p->n * p->c - first), floats,
                             call->dx + first * floats);
}

convoy_status pool_bwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct convoy_pool *p = &plan->problem.pool;
    char *const workspace = convoy_slot(args, CONVOY_WORKSPACE);
    struct call call = {
        .loops = plan->loops->pool,
        .p = p,
        .axis_h = pool_axis_h(p),
        .axis_w = pool_axis_w(p),
        .dy = convoy_slot_f32(args, CONVOY_DY),
        .x = convoy_slot_f32(args, CONVOY_X),
        .y = convoy_slot_f32(args, CONVOY_Y),
        .index = p->kind == CONVOY_POOL_MAX ? convoy_slot(args, CONVOY_INDEX) : NULL,
        .index_bytes = convoy_index_bytes(p),
        .dx = convoy_slot_f32(args, CONVOY_DX),
        .stream = plan->stream,
        .lane_bytes = lane_bytes(p),
    };
    (void)err;
    if (workspace) {
        call.divisors = (int32_t *)(void *)workspace;
        call.lanes = workspace + shared_bytes(p);
    }
    for (int64_t ow = 0; ow < p->ow && is_average(p); ow++)
        call.divisors[ow] = (int32_t)pool_divisor(&call.axis_w, ow, p->kind);
    plan->host->parallel(plan->host, pool_is_global_mean(p) ? spread_means : make_planes, &call, (size_t)pool_block_count(p));
    return CONVOY_OK;
}
