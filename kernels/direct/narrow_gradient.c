/* narrow_gradient: weight gradients of groups with few output channels, each one a sum over rows of pixels for every tap. */
#include "direct.h"
#include <stdlib.h>
#include <string.h>

enum { PANEL_FLOATS = 32 * 1024, BAND = 512, STRIP_OUTPUTS = 1024, SLACK_FLOATS = 64 };

struct narrow {
    const struct convoy_host *host;
    const struct isa *isa;
    struct dims d;
    struct axis h, w;
    struct panel panel;
    ptrdiff_t *gather;
    int64_t terms, panel_floats;
    int32_t strips, bands;
};

static int plan_narrow(struct narrow *m)
{
    const struct dims *d = &m->d;
    if (!axis_open(&m->h, d->h, d->oh, d->stride_h, d->kh, d->dil_h, d->pad_t) ||
        !axis_open(&m->w, d->w, d->ow, d->stride_w, d->kw, d->dil_w, d->pad_l))
        return 0;
    m->bands = (int32_t)convoy_ceil_div(d->ow, BAND);
    const int32_t cols = (int32_t)convoy_ceil_div(d->ow, m->bands);
    m->bands = (int32_t)convoy_ceil_div(d->ow, cols);
    int64_t rows = convoy_min(d->oh, convoy_max(1, STRIP_OUTPUTS / cols));
    while (rows > 1 && panel_extent(&m->h, (int32_t)rows, 0) * panel_extent(&m->w, cols, 1) * d->c > PANEL_FLOATS)
        rows--;
    m->strips = (int32_t)convoy_ceil_div(d->oh, rows);
    if (!panel_open(&m->panel, &m->h, &m->w, (int32_t)rows, cols, 1))
        return 0;
    const struct panel *p = &m->panel;
    m->terms = (int64_t)d->c * d->kh * d->kw;
    m->panel_floats = convoy_round_up(d->c * panel_channel_floats(p) + SLACK_FLOATS, 16);
    m->gather = malloc((size_t)m->terms * sizeof *m->gather);
    if (!m->gather)
        return 0;
    ptrdiff_t *at = m->gather;
    for (int32_t c = 0; c < d->c; c++)
        for (int32_t r = 0; r < d->kh; r++)
            for (int32_t s = 0; s < d->kw; s++)
                *at++ = (ptrdiff_t)(c * panel_channel_floats(p) + p->tap_row[r] * p->width + p->tap_col[s]);
    return 1;
}

struct call {
    const struct narrow *m;
    const struct tensors *t;
};

static void compute_group(void *context, size_t group, size_t worker)
{
    const struct call *call = context;
    const struct narrow *m = call->m;
    const struct dims *d = &m->d;
    const struct panel *p = &m->panel;
    float *const panel = call->t->workspace + (int64_t)worker * m->panel_floats;
    float *const dw = call->t->dw + (int64_t)group * d->k * m->terms;
    memset(dw, 0, (size_t)(d->k * m->terms) * sizeof *dw);
    if (call->t->dbias)
        memset(call->t->dbias + (int64_t)group * d->k, 0, (size_t)d->k * sizeof(float));
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t oh = 0; oh < d->oh; oh += p->rows)
            for (int64_t ow = 0; ow < d->ow; ow += p->cols) {
                const struct panel_job fill = {
                    .panel = p,
                    .h = &m->h,
                    .w = &m->w,
                    .layout = &d->x,
                    .x = call->t->x + n * d->x.image + (int64_t)group * d->x.group,
                    .channels = d->c,
                    .oh = oh,
                    .ow = ow,
                    .to = panel,
                };
                m->isa->fill(&fill);
                struct depthwise_gradient job = {
                    .panel = panel,
                    .offset = m->gather,
                    .terms = m->terms,
                    .panel_row = p->row_step * p->width,
                    .dy_row = d->y.row,
                    .rows = convoy_min(p->rows, d->oh - oh),
                    .cols = convoy_min(p->cols, d->ow - ow),
                };
                for (int64_t k = 0; k < d->k; k++) {
                    job.dy = call->t->dy + n * d->y.image + (int64_t)group * d->y.group + k * d->y.channel + oh * d->y.row + ow;
                    job.gradient = dw + k * m->terms;
                    m->isa->depthwise_gradient(&job);
                    if (!call->t->dbias)
                        continue;
                    float sum = 0;
                    for (int64_t row = 0; row < job.rows; row++)
                        for (int64_t col = 0; col < job.cols; col++)
                            sum += job.dy[row * d->y.row + col];
                    call->t->dbias[(int64_t)group * d->k + k] += sum;
                }
            }
}

static void execute(const void *state, const struct tensors *tensors)
{
    const struct narrow *m = state;
    struct call call = {.m = m, .t = tensors};
    m->host->parallel(m->host, compute_group, &call, (size_t)m->d.groups);
}

static void close_narrow(void *state)
{
    struct narrow *m = state;
    axis_close(&m->h);
    axis_close(&m->w);
    panel_close(&m->panel);
    free(m->gather);
    free(m);
}

int narrow_gradient_suits(const struct convoy_conv *p)
{
    return p->groups > 1 && p->k / p->groups <= 2 && (int64_t)p->oh * p->ow > 1;
}

convoy_status narrow_gradient_open(const struct self *self, const struct convoy_conv *problem, struct method *method,
                                   struct convoy_error *err)
{
    struct narrow *m = calloc(1, sizeof *m);
    if (!m)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    m->host = self->host;
    m->isa = self->isa;
    m->d = dims_of(problem);
    if (!plan_narrow(m)) {
        close_narrow(m);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    }
    *method = (struct method){
        .state = m,
        .execute = execute,
        .close = close_narrow,
        .name = "direct depthwise",
        .workspace_bytes = (uint64_t)m->panel_floats * self->host->threads * sizeof(float),
    };
    return CONVOY_OK;
}
