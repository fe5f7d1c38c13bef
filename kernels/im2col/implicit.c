#include "implicit.h"
#include "conv.h"
#include "lower.h"
#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

/* Positions of an image; below, its ragged last tile, or the short sums of a gradient, cost more than packing every tap apart. */
enum { SMALL_PLANE = 512, SMALL_GRADIENT = 128 };

/* An image under a kernel of its own size is one column of L: its elements become channels, the batch becomes the row. */
static struct convoy_conv folded(const struct convoy_conv *problem)
{
    struct convoy_conv p = *problem;
    if (lower_is_dense(problem) && (int64_t)p.c * p.h * p.w <= INT32_MAX) {
        p.c *= p.h * p.w;
        p.h = p.w = p.kh = p.kw = 1;
        p.stride_h = p.stride_w = p.dil_h = p.dil_w = 1;
        p.pad_t = p.pad_b = p.pad_l = p.pad_r = 0;
    }
    return p;
}

void implicit_close(struct implicit *m)
{
    if (m)
        free(m->views);
    free(m);
}

static void make_views(struct implicit *m)
{
    const struct convoy_conv *p = &m->p;
    if (p->head.op != CONVOY_CONV_BWD_DATA) {
        m->views[0].view.h = axis_forward(p->h, p->oh, p->stride_h, p->kh, p->dil_h, p->pad_t);
        m->views[0].view.w = axis_forward(p->w, p->ow, p->stride_w, p->kw, p->dil_w, p->pad_l);
        return;
    }
    const int32_t phases_w = p->stride_w < p->w ? p->stride_w : p->w;
    for (int32_t v = 0; v < m->view_count; v++) {
        m->views[v].view.h = axis_phase(p->h, p->oh, p->stride_h, p->kh, p->dil_h, p->pad_t, v / phases_w);
        m->views[v].view.w = axis_phase(p->w, p->ow, p->stride_w, p->kw, p->dil_w, p->pad_l, v % phases_w);
    }
}

convoy_status implicit_plan(const struct self *self, struct plan *plan, struct convoy_error *err)
{
    static turn_fn *const turns[] = {
#if defined(__x86_64__)
        [16] = turn_avx512,
        [8] = turn_avx2,
#endif
        [4] = turn_portable,
    };
    (void)self;
    struct implicit *m = calloc(1, sizeof *m);
    if (!m)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan of %zu bytes", sizeof *m);
    m->family = mk_family_select();
    m->turn = turns[m->family->lanes];
    m->p = folded(&plan->problem.conv);
    const struct convoy_conv *p = &m->p;
    const int backward = p->head.op == CONVOY_CONV_BWD_DATA, gradient = p->head.op == CONVOY_CONV_BWD_WEIGHTS;
    m->channels = (backward ? p->k : p->c) / p->groups;
    m->outputs = (backward ? p->c : p->k) / p->groups;
    m->width = (int64_t)m->family->lanes * m->family->vectors;
    const int64_t phases = backward ? convoy_min(p->stride_h, p->h) * convoy_min(p->stride_w, p->w) : 1;
    m->views = phases <= INT32_MAX ? calloc((size_t)phases, sizeof *m->views) : NULL;
    if (!m->views) {
        implicit_close(m);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for %lld phases", (long long)phases);
    }
    m->view_count = (int32_t)phases;
    make_views(m);
    const int64_t positions = (int64_t)m->views[0].view.h.out * m->views[0].view.w.out;
    m->spans = p->n > 1 && positions < (gradient ? SMALL_GRADIENT : SMALL_PLANE) && positions % m->width ? p->n : 1;
    m->images = p->n / m->spans;

    plan->numerics = (struct convoy_numerics){
        .kind = CONVOY_NUM_GEMM,
        .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT,
    };
    snprintf(plan->algorithm, sizeof plan->algorithm, "implicit im2col, %dx%d %s", m->family->rows, (int)m->width,
             m->family->name);
    const convoy_status status = gradient ? implicit_gradient_plan(m, plan, err) : implicit_correlate_plan(m, plan, err);
    if (status != CONVOY_OK) {
        implicit_close(m);
        return status;
    }
    plan->implicit = m;
    return CONVOY_OK;
}

void implicit_pack(const struct implicit *m, const struct loops *loops, const struct view *view, const float *x, int64_t all,
                   int64_t n, int64_t c, int64_t channels, int64_t first, int64_t count, float *packed)
{
    const int64_t plane = (int64_t)view->h.in * view->w.in;
    for (int64_t done = 0; done < count;) {
        const int64_t image = n + (first + done) / view->pixels, q = (first + done) % view->pixels;
        const int64_t some = m->spans == 1 ? count : convoy_min(count - done, view->pixels - q);
        view_pack(view, loops, x + (image * all + c) * plane, channels, q, some, done, packed);
        done += some;
    }
    const int64_t rest = convoy_round_up(count, m->family->lanes) - count;
    if (rest == 0)
        return;
    for (int64_t piece = 0; piece < channels * view->classes * view->w.taps; piece++)
        memset(packed + piece * view->piece_floats + count + view->rows * view->w.out, 0, (size_t)rest * sizeof *packed);
}
