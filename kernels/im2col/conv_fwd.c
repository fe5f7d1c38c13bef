/* Forward: y = W*L. A task makes all output channels of one panel of pixels, lowering a few channels at a time:
 *
 *        blocks of channels            pixels                     pixels
 *       +-----+-----+-----+           +------+                   +------+
 *     k |     |     |     |    *      | block|  panel     =    k |      |  y, kept in the cache while the blocks go by
 *       +-----+-----+-----+           +------+                   +------+
 *
 * Where panels are too few to occupy several cores, a task takes a part of the channels only; part 0 is made in y, the
 * others in the workspace, and a second round adds them up in their order. */
#include "blas.h"
#include "conv.h"
#include "lower.h"
#include <convoy/plugin.h>

/* Bias and ReLU on `count` pixels of output channel k. */
static void finish(const struct conv_call *call, int64_t k, int64_t count, float *y)
{
    const int rectify = (call->p->head.flags & CONVOY_WITH_RELU) != 0;
    if (call->bias || rectify)
        call->plan->loops->finish(y, count, call->bias ? call->bias[k] : 0.0f, rectify);
}

static void make_tile(void *context, size_t task, size_t worker)
{
    const struct conv_call *call = context;
    const struct convoy_conv *p = call->p;
    const struct tiling *t = call->tiling;
    const int64_t part = (int64_t)task % t->parts, tile = (int64_t)task / t->parts;
    const int64_t first = tile % t->panels * t->pixels, count = convoy_min(t->pixels, call->pixels - first);
    const int64_t matrix = tile / t->panels, n = matrix / p->groups, g = matrix % p->groups; /* k runs through the groups of n */
    const int64_t taps = (int64_t)p->kh * p->kw, plane = (int64_t)p->h * p->w;
    const float *x = call->x + matrix * call->group_c * plane;
    const float *w = call->w + g * call->group_k * call->rows;
    float *panel = conv_panel(call, task, worker);
    float *sum = part ? call->partials + (part - 1) * conv_sum_floats(p) : call->y;
    float *y = sum + (n * p->k + g * call->group_k) * call->pixels + first;

    int64_t block_first, block_last;
    tiling_share(t->blocks, t->parts, part, &block_first, &block_last);
    float beta = 0.0f;
    const int64_t c_last = convoy_min(block_last * t->channels, call->group_c);
    for (int64_t c = block_first * t->channels; c < c_last; c += t->channels) {
        const int64_t channels = convoy_min(t->channels, c_last - c);
        if (panel)
            lower_gather(p, call->plan->loops, x + c * plane, channels, first, count, panel);
        blas_multiply(BLAS_PLAIN, BLAS_PLAIN, call->group_k, count, channels * taps, w + c * taps, call->rows,
                      panel ? panel : x + c * plane + first, panel ? count : plane, beta, y, call->pixels);
        beta = 1.0f;
    }
    if (t->parts == 1)
        for (int64_t k = 0; k < call->group_k; k++)
            finish(call, g * call->group_k + k, count, y + k * call->pixels);
}

/* One task: one output plane (n, k). */
static void add_parts(void *context, size_t task, size_t worker)
{
    const struct conv_call *call = context;
    const int64_t at = (int64_t)task * call->pixels, sum_floats = conv_sum_floats(call->p);
    float *y = call->y + at;
    (void)worker;
    for (int64_t part = 1; part < call->tiling->parts; part++)
        call->plan->loops->add_to(call->partials + (part - 1) * sum_floats + at, call->pixels, y, 1);
    finish(call, (int64_t)task % call->p->k, call->pixels, y);
}

convoy_status conv_fwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    struct conv_call call = conv_begin(plan, args);
    (void)err;
    plan->host->parallel(plan->host, make_tile, &call, (size_t)call.tasks);
    if (plan->tiling.parts > 1)
        plan->host->parallel(plan->host, add_parts, &call, (size_t)call.p->n * (size_t)call.p->k);
    return CONVOY_OK;
}
