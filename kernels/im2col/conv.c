/* Convolution: what is accepted, how it is planned, and where the pieces of the workspace lie. */
#include "conv.h"
#include "blas.h"
#include "lower.h"
#include <convoy/plugin.h>
#include <limits.h>

/* Elements of one lowered matrix; keeps every byte count of a workspace below 2^63. */
static const int64_t LOWERED_LIMIT = INT64_C(1) << 46;

convoy_status conv_supports(const struct self *self, const struct convoy_problem *problem, struct convoy_error *err)
{
    const struct convoy_conv *p = (const struct convoy_conv *)problem;
    (void)self;
    if (p->n < 1 || p->c < 1 || p->h < 1 || p->w < 1 || p->k < 1 || p->kh < 1 || p->kw < 1 || p->oh < 1 || p->ow < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "every extent of a convolution is at least 1");
    if (p->stride_h < 1 || p->stride_w < 1 || p->dil_h < 1 || p->dil_w < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_STRIDE, "strides and dilations are at least 1");
    if (p->groups < 1 || p->c % p->groups || p->k % p->groups)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_GROUPS, "%d groups do not divide c = %d and k = %d", p->groups, p->c,
                           p->k);

    /* Positions inside the padded image are computed as int32. */
    if ((int64_t)p->h + p->pad_t + p->pad_b > INT32_MAX || (int64_t)p->w + p->pad_l + p->pad_r > INT32_MAX)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_PAD, "the padded image is higher or wider than 2^31 - 1");
    const int64_t pixels = (int64_t)p->oh * p->ow, taps = (int64_t)p->kh * p->kw, group_c = p->c / p->groups;
    if (pixels > INT_MAX)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "oh*ow = %lld exceeds the int of the BLAS",
                           (long long)pixels);
    if (taps > INT_MAX / group_c)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "c/groups*kh*kw = %lld*%lld exceeds the int of the BLAS",
                           (long long)group_c, (long long)taps);
    if (group_c * taps > LOWERED_LIMIT / pixels)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_MEMORY,
                           "the lowered matrix of one image has more than 2^46 elements");
    return CONVOY_OK;
}

int64_t conv_sum_floats(const struct convoy_conv *p)
{
    return p->head.op == CONVOY_CONV_FWD ? (int64_t)p->n * p->k * p->oh * p->ow
                                         : (int64_t)p->k * (p->c / p->groups) * p->kh * p->kw;
}

/* Lanes are numbered below host->threads, but with fewer tasks than lanes the task itself is the shorter number. */
static int64_t panel_count(const struct plan *plan)
{
    return convoy_min(plan->host->threads, tiling_tasks(&plan->problem.conv, &plan->tiling));
}

struct conv_call conv_begin(const struct plan *plan, const struct convoy_args *args)
{
    const struct convoy_conv *p = &plan->problem.conv;
    float *const workspace = convoy_slot_f32(args, CONVOY_WORKSPACE);
    const int64_t panels = panel_count(plan) * tiling_panel_floats(p, &plan->tiling);
    const int64_t group_c = p->c / p->groups;
    return (struct conv_call){
        .plan = plan,
        .p = p,
        .tiling = &plan->tiling,
        .group_c = group_c,
        .group_k = p->k / p->groups,
        .rows = group_c * p->kh * p->kw,
        .pixels = (int64_t)p->oh * p->ow,
        .tasks = tiling_tasks(p, &plan->tiling),
        .x = convoy_slot_f32(args, CONVOY_X),
        .w = convoy_slot_f32(args, CONVOY_W),
        .bias = (p->head.flags & CONVOY_WITH_BIAS) ? convoy_slot_f32(args, CONVOY_BIAS) : NULL,
        .dy = convoy_slot_f32(args, CONVOY_DY),
        .y = convoy_slot_f32(args, CONVOY_Y),
        .dx = convoy_slot_f32(args, CONVOY_DX),
        .dw = convoy_slot_f32(args, CONVOY_DW),
        .dbias = (p->head.flags & CONVOY_WITH_BIAS) ? convoy_slot_f32(args, CONVOY_DBIAS) : NULL,
        .panels = workspace,
        .partials = plan->tiling.parts > 1 ? workspace + panels : NULL,
    };
}

float *conv_panel(const struct conv_call *call, size_t task, size_t worker)
{
    const int64_t lane = call->tasks <= call->plan->host->threads ? (int64_t)task : (int64_t)worker;
    const int64_t floats = tiling_panel_floats(call->p, call->tiling);
    return floats ? call->panels + lane * floats : NULL;
}

void conv_make_bias(void *context, size_t k, size_t worker)
{
    const struct conv_call *call = context;
    double sums[LOOPS_LANES] = {0}, total = 0.0;
    (void)worker;
    for (int64_t n = 0; n < call->p->n; n++)
        call->plan->loops->sum(call->dy + (n * call->p->k + (int64_t)k) * call->pixels, call->pixels, sums);
    for (int lane = 0; lane < LOOPS_LANES; lane++)
        total += sums[lane];
    call->dbias[k] = (float)total;
}

void conv_plan(const struct self *self, struct plan *plan)
{
    static const struct {
        convoy_status (*run)(const struct plan *, const struct convoy_args *, struct convoy_error *);
        uint32_t slots;
        uint32_t bias_slot;
    } passes[] = {
        [CONVOY_CONV_FWD] = {conv_fwd_run, SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_W) | SLOT_BIT(CONVOY_Y), SLOT_BIT(CONVOY_BIAS)},
        [CONVOY_CONV_BWD_DATA] = {conv_bwd_data_run, SLOT_BIT(CONVOY_DY) | SLOT_BIT(CONVOY_W) | SLOT_BIT(CONVOY_DX), 0},
        [CONVOY_CONV_BWD_WEIGHTS] = {conv_bwd_weights_run, SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_DY) | SLOT_BIT(CONVOY_DW),
                                     SLOT_BIT(CONVOY_DBIAS)},
    };
    const struct convoy_conv *p = &plan->problem.conv;
    plan->slots = passes[p->head.op].slots | ((p->head.flags & CONVOY_WITH_BIAS) ? passes[p->head.op].bias_slot : 0);
    plan->tiling = self->variant->tile(p);
    plan->run = plan->tiling.dense ? conv_dense_run : passes[p->head.op].run;
    plan->numerics = (struct convoy_numerics){
        .kind = CONVOY_NUM_GEMM,
        .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT,
    };
    const int64_t floats =
        panel_count(plan) * tiling_panel_floats(p, &plan->tiling) + (plan->tiling.parts - 1) * conv_sum_floats(p);
    plan->workspace_bytes = (uint64_t)floats * sizeof(float);
    if (plan->tiling.dense)
        snprintf(plan->algorithm, sizeof plan->algorithm, "dense layer, OpenBLAS %.12s", blas_core());
    else if (lower_is_identity(p))
        snprintf(plan->algorithm, sizeof plan->algorithm, "1x1 not lowered, OpenBLAS %.12s", blas_core());
    else
        snprintf(plan->algorithm, sizeof plan->algorithm, "im2col %.8s, OpenBLAS %.12s", self->variant->name, blas_core());
}
