/* tiles: forward and backward-data as correlations with lanes over output channels. */
#include "batch.h"
#include "narrow.h"
#include <stdlib.h>
#include <string.h>

struct tiles {
    struct correlate correlate;
    int backward, narrow, batch;
    int zero;              /* inputs that no tap meets exist: dx starts as zeros                              */
    uint64_t plane_floats; /* of an image of dx                                                               */
};

static int forward_views(struct correlate *m, const struct dims *d)
{
    m->views = calloc(1, sizeof *m->views);
    if (!m->views)
        return 0;
    struct view *view = m->views;
    m->view_count = 1;
    view->y_row = d->y.row;
    view->y_col = d->y.col;
    if (!axis_open(&view->h, d->h, d->oh, d->stride_h, d->kh, d->dil_h, d->pad_t) ||
        !axis_open(&view->w, d->w, d->ow, d->stride_w, d->kw, d->dil_w, d->pad_l))
        return 0;
    axis_keep_met(&view->h);
    axis_keep_met(&view->w);
    return 1;
}

/* Phases of an axis with outputs and taps; the others are zero. At most as many as the kernel has taps. */
static int axis_phases(int32_t in, int32_t out, int32_t stride, int32_t kernel, int32_t dilation, int32_t pad,
                       struct axis **phases, int32_t **starts, int32_t *count)
{
    *phases = calloc((size_t)kernel, sizeof **phases);
    *starts = calloc((size_t)kernel, sizeof **starts);
    *count = 0;
    if (!*phases || !*starts)
        return 0;
    for (int32_t r = 0; r < kernel; r++) {
        const int64_t at = (int64_t)r * dilation - pad;
        const int32_t phase = (int32_t)((at % stride + stride) % stride);
        int known = phase >= in;
        for (int32_t i = 0; i < *count; i++)
            known |= (*starts)[i] == phase;
        if (known)
            continue;
        if (!axis_open_phase(&(*phases)[*count], in, out, stride, kernel, dilation, pad, phase))
            return 0;
        axis_keep_met(&(*phases)[*count]);
        (*starts)[(*count)++] = phase;
    }
    return 1;
}

static void close_phases(struct axis *phases, int32_t *starts, int32_t count)
{
    for (int32_t i = 0; phases && i < count; i++)
        axis_close(&phases[i]);
    free(phases);
    free(starts);
}

static int copy_axis(struct axis *to, const struct axis *from)
{
    *to = *from;
    to->offset = malloc((size_t)from->taps * sizeof *to->offset);
    to->tap = malloc((size_t)from->taps * sizeof *to->tap);
    if (!to->offset || !to->tap) {
        axis_close(to);
        return 0;
    }
    memcpy(to->offset, from->offset, (size_t)from->taps * sizeof *to->offset);
    memcpy(to->tap, from->tap, (size_t)from->taps * sizeof *to->tap);
    return 1;
}

static int backward_views(struct tiles *tiles, const struct dims *d)
{
    struct correlate *m = &tiles->correlate;
    struct axis *phases_h = NULL, *phases_w = NULL;
    int32_t *starts_h = NULL, *starts_w = NULL, count_h = 0, count_w = 0;
    int done = 0;
    if (!axis_phases(d->h, d->oh, d->stride_h, d->kh, d->dil_h, d->pad_t, &phases_h, &starts_h, &count_h) ||
        !axis_phases(d->w, d->ow, d->stride_w, d->kw, d->dil_w, d->pad_l, &phases_w, &starts_w, &count_w))
        goto out;
    tiles->zero = count_h < convoy_min(d->stride_h, d->h) || count_w < convoy_min(d->stride_w, d->w);
    m->views = calloc((size_t)count_h * (size_t)count_w + 1, sizeof *m->views);
    if (!m->views)
        goto out;
    for (int32_t a = 0; a < count_h; a++)
        for (int32_t b = 0; b < count_w; b++) {
            struct view *view = &m->views[m->view_count++];
            if (!copy_axis(&view->h, &phases_h[a]) || !copy_axis(&view->w, &phases_w[b]))
                goto out;
            view->y_offset = starts_h[a] * d->x.row + starts_w[b] * d->x.col;
            view->y_row = d->stride_h * d->x.row;
            view->y_col = d->stride_w * d->x.col;
        }
    done = 1;
out:
    close_phases(phases_h, starts_h, count_h);
    close_phases(phases_w, starts_w, count_w);
    return done;
}

static void prepare(const void *state, const struct tensors *t)
{
    const struct tiles *tiles = state;
    (tiles->narrow ? narrow_prepare : correlate_prepare)(&tiles->correlate, t->w, t->prepared);
}

struct clear {
    float *to;
    uint64_t floats;
};

static void clear_image(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct clear *clear = context;
    memset(clear->to + i * clear->floats, 0, clear->floats * sizeof(float));
}

static void execute(const void *state, const struct tensors *t)
{
    const struct tiles *tiles = state;
    const struct correlate *m = &tiles->correlate;
    if (tiles->zero) {
        struct clear clear = {.to = t->dx, .floats = tiles->plane_floats};
        m->host->parallel(m->host, clear_image, &clear, (size_t)m->n);
    }
    void (*const run)(const struct correlate *, const float *, const float *, const float *, float *, float *) =
        tiles->narrow  ? narrow_execute
        : tiles->batch ? batch_execute
                       : correlate_execute;
    if (tiles->backward)
        run(m, t->dy, t->prepared, NULL, t->dx, t->workspace);
    else
        run(m, t->x, t->prepared, t->bias, t->y, t->workspace);
}

static void close_tiles(void *state)
{
    struct tiles *tiles = state;
    correlate_close(&tiles->correlate);
    free(tiles);
}

convoy_status tiles_open(const struct self *self, const struct convoy_conv *problem, struct method *method,
                         struct convoy_error *err)
{
    const struct dims d = dims_of(problem);
    const int64_t taps = (int64_t)d.kh * d.kw;
    struct tiles *tiles = calloc(1, sizeof *tiles);
    if (!tiles)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    struct correlate *m = &tiles->correlate;
    tiles->backward = problem->head.op == CONVOY_CONV_BWD_DATA;
    tiles->plane_floats = (uint64_t)problem->c * (uint64_t)problem->h * (uint64_t)problem->w;
    *m = (struct correlate){
        .host = self->host,
        .isa = self->isa,
        .n = d.n,
        .groups = d.groups,
        .channels = tiles->backward ? d.k : d.c,
        .outputs = tiles->backward ? d.c : d.k,
        .x = tiles->backward ? d.y : d.x,
        .y = tiles->backward ? d.x : d.y,
        .weight = {.group = (int64_t)d.k * d.c * taps, .k = d.c * taps, .c = taps, .row = d.kw, .col = 1, .taps = taps},
        .relu = (problem->head.flags & CONVOY_WITH_RELU) != 0,
    };
    if (tiles->backward) {
        m->weight.k = taps;
        m->weight.c = d.c * taps;
    }
    int made = tiles->backward ? backward_views(tiles, &d) : forward_views(m, &d);
    if (made) {
        tiles->narrow = narrow_suits(m);
        tiles->batch = !tiles->narrow && batch_suits(m);
        made = tiles->narrow ? narrow_plan(m) : tiles->batch ? batch_plan(m) : correlate_plan(m);
    }
    if (!made) {
        close_tiles(tiles);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    }
    *method = (struct method){
        .state = tiles,
        .prepare = prepare,
        .execute = execute,
        .close = close_tiles,
        .workspace_bytes = tiles->narrow ? narrow_workspace_bytes(m) : correlate_workspace_bytes(m),
        .prepared_bytes = tiles->narrow ? narrow_prepared_bytes(m) : correlate_prepared_bytes(m),
        .split = (uint32_t)convoy_ceil_div(m->chain, taps),
    };
    if (tiles->narrow)
        snprintf(method->name, sizeof method->name, "direct %s", m->outputs == 1 ? "depthwise" : "narrow");
    else
        snprintf(method->name, sizeof method->name, "direct %s%dx%d", tiles->batch ? "batch " : "", m->isa->family->rows,
                 (int)m->width);
    return CONVOY_OK;
}
