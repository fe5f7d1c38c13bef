/* Direct convolution, forward, stride 1, dilation 1, one group.
 *
 * One task makes one output plane (n, k). The plane starts as the bias; then every tap (c, r, s) adds its weight times
 * a rectangle of input plane c. With stride 1 a tap only shifts that rectangle, so the innermost loop walks along one
 * row of x and one row of y, which the compiler vectorises:
 *
 *     x plane c                    y plane k
 *     +---------------+            +-----------+
 *     |   +-------+   |            | +-------+ |   rows    oh_first .. oh_last-1
 *     |   |   .---+---+-- *w --> + | |       | |   columns ow_first .. ow_last-1
 *     |   +-------+   |            | +-------+ |   (where the tap lies inside x)
 *     +---------------+            +-----------+
 *
 * Taps in the padding are left out by those ranges, so there is no padded copy of x and no workspace. */
#include "conv_fwd.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <stdlib.h>

struct plan {
    struct convoy_plan base;
    const struct convoy_host *host;
    struct convoy_conv problem;
};

struct call {
    const struct convoy_conv *problem;
    const float *x, *w, *bias; /* bias NULL: none */
    float *y;
};

/* y[oh,ow] += weight * x[oh - pad_t + tap_h, ow - pad_l + tap_w] wherever that element of x exists. */
static void add_tap(const struct convoy_conv *p, const float *restrict x, float weight, int32_t tap_h, int32_t tap_w,
                    float *restrict y)
{
    int32_t oh_first, oh_last, ow_first, ow_last;
    convoy_tap_range(p->h, p->oh, p->pad_t, 1, tap_h, &oh_first, &oh_last);
    convoy_tap_range(p->w, p->ow, p->pad_l, 1, tap_w, &ow_first, &ow_last);
    for (int64_t oh = oh_first; oh < oh_last; oh++) {
        const int64_t from = (oh - p->pad_t + tap_h) * p->w - p->pad_l + tap_w;
        const int64_t to = oh * p->ow;
        for (int64_t ow = ow_first; ow < ow_last; ow++)
            y[to + ow] += weight * x[from + ow];
    }
}

static void make_plane(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const struct convoy_conv *p = call->problem;
    const int64_t n = (int64_t)task / p->k, k = (int64_t)task % p->k;
    const int64_t in_plane = (int64_t)p->h * p->w, out_plane = (int64_t)p->oh * p->ow, taps = (int64_t)p->kh * p->kw;
    float *y = call->y + (n * p->k + k) * out_plane;
    const float start = call->bias ? call->bias[k] : 0.0f;
    (void)worker; /* would index scratch memory in the workspace; this kernel needs none */

    for (int64_t out = 0; out < out_plane; out++)
        y[out] = start;
    for (int64_t c = 0; c < p->c; c++) {
        const float *x = call->x + (n * p->c + c) * in_plane;
        const float *w = call->w + (k * p->c + c) * taps;
        for (int32_t r = 0; r < p->kh; r++)
            for (int32_t s = 0; s < p->kw; s++)
                add_tap(p, x, w[(int64_t)r * p->kw + s], r, s, y);
    }
}

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    (void)base;
    out->flags = 0;
    out->workspace_bytes = 0;
    out->prepared_bytes = 0;
    /* One chain of c*kh*kw fp32 additions per output, always in the same order, whoever runs the task. */
    out->numerics = (struct convoy_numerics){
        .kind = CONVOY_NUM_DIRECT,
        .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT,
    };
    snprintf(out->algorithm, sizeof out->algorithm, "direct, one plane per task");
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    const struct plan *plan = (const struct plan *)base;
    const struct convoy_conv *p = &plan->problem;
    struct call call = {
        .problem = p,
        .x = convoy_slot_f32(args, CONVOY_X),
        .w = convoy_slot_f32(args, CONVOY_W),
        .bias = (p->head.flags & CONVOY_WITH_BIAS) ? convoy_slot_f32(args, CONVOY_BIAS) : NULL,
        .y = convoy_slot_f32(args, CONVOY_Y),
    };
    if (!call.x || !call.w || !call.y || ((p->head.flags & CONVOY_WITH_BIAS) && !call.bias))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "a slot of X, W, Y or BIAS is missing");
    plan->host->parallel(plan->host, make_plane, &call, (size_t)p->n * (size_t)p->k);
    return CONVOY_OK;
}

static void destroy(struct convoy_plan *base)
{
    free(base);
}

static const struct convoy_plan_ops plan_ops = {
    .struct_size = sizeof plan_ops,
    .info = info,
    .prepare = NULL, /* W is read as it is */
    .execute = execute,
    .destroy = destroy,
};

convoy_status conv_fwd_plan(const struct convoy_host *host, const struct convoy_conv *problem, struct convoy_plan **plan,
                            struct convoy_error *err)
{
    struct plan *made = malloc(sizeof *made);
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan of %zu bytes", sizeof *made);
    *made = (struct plan){.base.ops = &plan_ops, .host = host, .problem = *problem};
    *plan = &made->base;
    return CONVOY_OK;
}
