/* plane: depthwise layers (one input channel per group) of the usual kernels, plane by plane. */
#include "plane.h"
#include "direct.h"
#include <stdlib.h>
#include <string.h>

enum { TASKS_PER_THREAD = 16, OUTPUTS_MOST = 8 }; /* more outputs of a group are better served from one panel */

struct plane {
    const struct convoy_host *host;
    const struct plane_loops *loops;
    struct plane_shape shape;
    struct dims d;
    int32_t backward, relu;
    int64_t taps, tasks;
};

struct call {
    const struct plane *m;
    const struct tensors *t;
};

static int64_t first_of(const struct plane *m, int64_t task, int64_t all)
{
    return task * all / m->tasks;
}

static void forward_plane(const struct plane *m, const struct tensors *t, int64_t i, int64_t k)
{
    m->loops->correlate(&m->shape, t->x + i * m->d.x.channel, t->w + k * m->taps, t->bias ? t->bias[k] : 0, m->relu,
                        t->y + i * m->d.y.channel);
}

/* At stride 1 a correlation of dy with the kernel turned by 180 degrees. */
static void backward_plane(const struct plane *m, const struct tensors *t, int64_t i, int64_t k)
{
    const float *const w = t->w + k * m->taps, *const dy = t->dy + i * m->d.y.channel;
    float *const dx = t->dx + i * m->d.x.channel, turned[64];
    if (m->loops->spread) {
        m->loops->spread(&m->shape, dy, w, dx);
        return;
    }
    for (int64_t at = 0; at < m->taps; at++)
        turned[at] = w[m->taps - 1 - at];
    m->loops->correlate(&m->shape, dy, turned, 0, 0, dx);
}

static void compute_planes(void *context, size_t task, size_t worker)
{
    (void)worker;
    const struct call *call = context;
    const struct plane *m = call->m;
    const int64_t outputs = (int64_t)m->d.groups * m->d.k, all = m->d.n * outputs;
    for (int64_t i = first_of(m, (int64_t)task, all); i < first_of(m, (int64_t)task + 1, all); i++)
        (m->backward ? backward_plane : forward_plane)(m, call->t, i, i % outputs);
}

static void execute(const void *state, const struct tensors *t)
{
    struct call call = {.m = state, .t = t};
    call.m->host->parallel(call.m->host, compute_planes, &call, (size_t)call.m->tasks);
}

static void gradient_planes(void *context, size_t task, size_t worker)
{
    (void)worker;
    const struct call *call = context;
    const struct plane *m = call->m;
    const int64_t outputs = (int64_t)m->d.groups * m->d.k;
    for (int64_t k = first_of(m, (int64_t)task, outputs); k < first_of(m, (int64_t)task + 1, outputs); k++) {
        float *const dw = call->t->dw + k * m->taps;
        memset(dw, 0, (size_t)m->taps * sizeof *dw);
        for (int64_t i = k; i < m->d.n * outputs; i += outputs)
            m->loops->gradient(&m->shape, call->t->x + i / m->d.k * m->d.x.channel, call->t->dy + i * m->d.y.channel, dw);
    }
}

static void execute_gradient(const void *state, const struct tensors *t)
{
    struct call call = {.m = state, .t = t};
    call.m->host->parallel(call.m->host, gradient_planes, &call, (size_t)call.m->tasks);
    if (t->dbias)
        bias_gradient(call.m->host, &call.m->d, t);
}

static const struct plane_loops *find(const struct self *self, const struct dims *d)
{
    for (const struct plane_loops *at = self->isa->planes; at && at->kernel; at++)
        if (at->kernel == d->kh && at->kernel == d->kw && at->stride == d->stride_h && at->stride == d->stride_w)
            return at;
    return NULL;
}

int plane_suits(const struct self *self, const struct convoy_conv *p)
{
    const struct dims d = dims_of(p);
    return d.c == 1 && d.k <= (p->head.op == CONVOY_CONV_BWD_WEIGHTS ? OUTPUTS_MOST : 1) && d.dil_h == 1 && d.dil_w == 1 &&
           find(self, &d) && (p->head.op != CONVOY_CONV_BWD_DATA || (d.pad_t < d.kh && d.pad_l < d.kw));
}

convoy_status plane_open(const struct self *self, const struct convoy_conv *p, struct method *method, struct convoy_error *err)
{
    struct plane *m = malloc(sizeof *m);
    if (!m)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    const int backward = p->head.op == CONVOY_CONV_BWD_DATA, gradient = p->head.op == CONVOY_CONV_BWD_WEIGHTS;
    *m = (struct plane){
        .host = self->host,
        .shape = {.h = p->h, .w = p->w, .oh = p->oh, .ow = p->ow, .pad_t = p->pad_t, .pad_l = p->pad_l},
        .d = dims_of(p),
        .backward = backward,
        .taps = (int64_t)p->kh * p->kw,
        .relu = (p->head.flags & CONVOY_WITH_RELU) != 0,
    };
    m->loops = find(self, &m->d);
    if (backward && !m->loops->spread)
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
