/* Backward data: L = W^T * dy, then dx = col2im(L). A task owns a block of channels of one image, in a strip of input
 * rows, and is the only one to write there; it multiplies the output pixels whose windows touch the strip, a panel at a
 * time, and adds every element of the panel to its place. Pixels at the seam of two strips are multiplied by both. */
#include "blas.h"
#include "conv.h"
#include "lower.h"
#include <convoy/plugin.h>
#include <string.h>

static void make_strip(void *context, size_t task, size_t worker)
{
    const struct conv_call *call = context;
    const struct convoy_conv *p = call->p;
    const struct tiling *t = call->tiling;
    const int64_t strip = (int64_t)task % t->strips, block = (int64_t)task / t->strips % t->blocks;
    const int64_t matrix = (int64_t)task / t->strips / t->blocks, n = matrix / p->groups, g = matrix % p->groups;
    const int64_t c = block * t->channels, channels = convoy_min(t->channels, call->group_c - c);
    const int64_t taps = (int64_t)p->kh * p->kw, plane = (int64_t)p->h * p->w;
    const float *w = call->w + g * call->group_k * call->rows + c * taps;
    const float *dy = call->dy + (n * p->k + g * call->group_k) * call->pixels;
    float *dx = call->dx + (matrix * call->group_c + c) * plane;
    float *panel = conv_panel(call, task, worker);

    int64_t row_first, row_last;
    int32_t oh_first, oh_last;
    tiling_share(p->h, t->strips, strip, &row_first, &row_last);
    lower_touching_rows(p, (int32_t)row_first, (int32_t)row_last, &oh_first, &oh_last);
    if (panel)
        for (int64_t plane_c = 0; plane_c < channels; plane_c++)
            memset(dx + plane_c * plane + row_first * p->w, 0, (size_t)((row_last - row_first) * p->w) * sizeof *dx);

    const int64_t last = (int64_t)oh_last * p->ow;
    for (int64_t first = (int64_t)oh_first * p->ow; first < last; first += t->pixels) {
        const int64_t count = convoy_min(t->pixels, last - first);
        blas_multiply(BLAS_TRANSPOSED, BLAS_PLAIN, channels * taps, count, call->group_k, w, call->rows, dy + first, call->pixels,
                      0.0f, panel ? panel : dx + first, panel ? count : plane);
        if (panel)
            lower_scatter_add(p, call->plan->loops, panel, channels, first, count, (int32_t)row_first, (int32_t)row_last, dx);
    }
}

convoy_status conv_bwd_data_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    struct conv_call call = conv_begin(plan, args);
    (void)err;
    plan->host->parallel(plan->host, make_strip, &call, (size_t)call.tasks);
    return CONVOY_OK;
}
