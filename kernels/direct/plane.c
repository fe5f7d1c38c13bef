/* plane: depthwise layers (one input channel per group) of the usual kernels, plane by plane. */
#include "plane.h"
#include "direct.h"
#include <stdlib.h>
#include <string.h>

enum { TASKS_PER_THREAD = 16 };

struct plane {
    const struct convoy_host *host;
    const struct plane_loops *loops;
    struct plane_shape shape;
    struct dims d;
    int32_t backward, relu;
    int64_t tasks;
};

struct call {
    const struct plane *m;
    const struct tensors *t;
};

static int64_t first_of(const struct plane *m, int64_t task, int64_t all)
{
    return task * all / m->tasks;
}

static void correlate_planes(void *context, size_t task, size_t worker)
{
    (void)worker;
    const struct call *call = context;
    const struct plane *m = call->m;
    const struct tensors *t = call->t;
    const int64_t taps = (int64_t)m->loops->kernel * m->loops->kernel, outputs = (int64_t)m->d.groups * m->d.k,
                  all = m->d.n * outputs, in = (int64_t)m->shape.h * m->shape.w, out = (int64_t)m->shape.oh * m->shape.ow;
    for (int64_t i = first_of(m, (int64_t)task, all); i < first_of(m, (int64_t)task + 1, all); i++) {
        const float *const w = t->w + i % outputs * taps;
        if (m->backward) {
            float turned[64];
            for (int64_t at = 0; at < taps; at++)
                turned[at] = w[taps - 1 - at];
            m->loops->correlate(&m->shape, t->dy + i * in, turned, 0, 0, t->dx + i * out);
        } else {
            m->loops->correlate(&m->shape, t->x + i / m->d.k * in, w, t->bias ? t->bias[i % outputs] : 0, m->relu, t->y + i * out);
        }
    }
}

static void execute(const void *state, const struct tensors *t)
{
    struct call call = {.m = state, .t = t};
    call.m->host->parallel(call.m->host, correlate_planes, &call, (size_t)call.m->tasks);
}

static void gradient_planes(void *context, size_t task, size_t worker)
{
    (void)worker;
    const struct call *call = context;
    const struct plane *m = call->m;
    const int64_t taps = (int64_t)m->loops->kernel * m->loops->kernel, outputs = (int64_t)m->d.groups * m->d.k,
                  in = (int64_t)m->shape.h * m->shape.w, out = (int64_t)m->shape.oh * m->shape.ow;
    for (int64_t k = first_of(m, (int64_t)task, outputs); k < first_of(m, (int64_t)task + 1, outputs); k++) {
        float *const dw = call->t->dw + k * taps;
        memset(dw, 0, (size_t)taps * sizeof *dw);
        for (int64_t n = 0; n < m->d.n; n++)
            m->loops->gradient(&m->shape, call->t->x + (n * outputs + k) / m->d.k * in, call->t->dy + (n * outputs + k) * out, dw);
    }
}

static void execute_gradient(const void *state, const struct tensors *t)
{
    struct call call = {.m = state, .t = t};
    call.m->host->parallel(call.m->host, gradient_planes, &call, (size_t)call.m->tasks);
    if (t->dbias)
        bias_gradient(call.m->host, &call.m->d, t);
}

static const struct plane_loops *find(const struct self *self, const struct convoy_conv *p)
{
    for (const struct plane_loops *at = self->isa->planes; at && at->kernel; at++)
        if (at->kernel == p->kh && at->kernel == p->kw && at->stride == p->stride_h && at->stride == p->stride_w)
            return at;
    return NULL;
}

int plane_suits(const struct self *self, const struct convoy_conv *p)
{
    const int backward = p->head.op == CONVOY_CONV_BWD_DATA;
    return p->c == p->groups && p->dil_h == 1 && p->dil_w == 1 && find(self, p) &&
           (!backward || (p->k == p->groups && p->stride_h == 1 && p->pad_t < p->kh && p->pad_l < p->kw));
}

convoy_status plane_open(const struct self *self, const struct convoy_conv *p, struct method *method, struct convoy_error *err)
{
    struct plane *m = malloc(sizeof *m);
    if (!m)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    const int backward = p->head.op == CONVOY_CONV_BWD_DATA, gradient = p->head.op == CONVOY_CONV_BWD_WEIGHTS;
    *m = (struct plane){
        .host = self->host,
        .loops = find(self, p),
        .shape = {.h = p->h, .w = p->w, .oh = p->oh, .ow = p->ow, .pad_t = p->pad_t, .pad_l = p->pad_l},
        .d = dims_of(p),
        .backward = backward,
        .relu = (p->head.flags & CONVOY_WITH_RELU) != 0,
    };
    if (backward)
        m->shape = (struct plane_shape){
            .h = p->oh, .w = p->ow, .oh = p->h, .ow = p->w, .pad_t = p->kh - 1 - p->pad_t, .pad_l = p->kw - 1 - p->pad_l};
    m->tasks = convoy_min(p->k * (gradient ? 1 : (int64_t)p->n), (int64_t)self->host->threads * TASKS_PER_THREAD);
    *method = (struct method){
        .state = m,
        .execute = gradient ? execute_gradient : execute,
        .close = free,
        .split = gradient ? 0 : 1,
        .name = "direct depthwise",
    };
    return CONVOY_OK;
}
