/* Backward weights: dW = sum over images and pixels of dy * L^T. A task owns the columns of dW that belong to a block of
 * channels and goes through the panels of all images in their order:
 *
 *                 pixels               c*kh*kw of the block           c*kh*kw of the block
 *               +--------+            +--------+                     +--------+
 *             k |   dy   |    *       | panel^T|  pixels    added to | dW     | k
 *               +--------+            +--------+                     +--------+
 *
 * Where blocks are too few to occupy several cores, a task takes a part of the panels only; part 0 is made in dW, the
 * others in the workspace, and a second round adds them up in their order. */
#include "blas.h"
#include "conv.h"
#include "lower.h"
#include <convoy/plugin.h>

static void make_block(void *context, size_t task, size_t worker)
{
    const struct conv_call *call = context;
    const struct convoy_conv *p = call->p;
    const struct tiling *t = call->tiling;
    const int64_t part = (int64_t)task % t->parts, block = (int64_t)task / t->parts % t->blocks;
    const int64_t g = (int64_t)task / t->parts / t->blocks;
    const int64_t c = block * t->channels, channels = convoy_min(t->channels, call->group_c - c);
    const int64_t taps = (int64_t)p->kh * p->kw, plane = (int64_t)p->h * p->w;
    float *sum = part ? call->partials + (part - 1) * conv_sum_floats(p) : call->dw;
    float *dw = sum + g * call->group_k * call->rows + c * taps;
    float *panel = conv_panel(call, task, worker);

    int64_t unit, unit_last;
    tiling_share(p->n * t->panels, t->parts, part, &unit, &unit_last);
    for (float beta = 0.0f; unit < unit_last; unit++, beta = 1.0f) {
        const int64_t n = unit / t->panels, first = unit % t->panels * t->pixels;
        const int64_t count = convoy_min(t->pixels, call->pixels - first);
        const float *x = call->x + (n * p->c + g * call->group_c + c) * plane;
        const float *dy = call->dy + (n * p->k + g * call->group_k) * call->pixels + first;
        if (panel)
            lower_gather(p, call->plan->loops, x, channels, first, count, panel);
        blas_multiply(BLAS_PLAIN, BLAS_TRANSPOSED, call->group_k, channels * taps, count, dy, call->pixels,
                      panel ? panel : x + first, panel ? count : plane, beta, dw, call->rows);
    }
}

/* One task: the weights of one output channel. */
static void add_parts(void *context, size_t task, size_t worker)
{
    const struct conv_call *call = context;
    const int64_t at = (int64_t)task * call->rows, sum_floats = conv_sum_floats(call->p);
    float *dw = call->dw + at;
    (void)worker;
    for (int64_t part = 1; part < call->tiling->parts; part++)
        call->plan->loops->add_to(call->partials + (part - 1) * sum_floats + at, call->rows, dw, 1);
}

convoy_status conv_bwd_weights_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    struct conv_call call = conv_begin(plan, args);
    const size_t k = (size_t)call.p->k;
    (void)err;
    plan->host->parallel(plan->host, make_block, &call, (size_t)call.tasks);
    if (plan->tiling.parts > 1)
        plan->host->parallel(plan->host, add_parts, &call, k);
    if (call.dbias)
        plan->host->parallel(plan->host, conv_make_bias, &call, k);
    return CONVOY_OK;
}
