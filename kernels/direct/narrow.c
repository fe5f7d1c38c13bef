#include "narrow.h"
#include <stdlib.h>

enum {
    FEW_OUTPUTS = 12, /* fewer lanes than this are better spent on pixels                           */
    SHORT_SUM = 64,   /* terms, below which a tile's turn costs as much as its sums                 */
    PANEL_FLOATS = 48 * 1024,
    BAND = 512,           /* outputs of a row that one panel serves                                     */
    STRIP_OUTPUTS = 4096, /* outputs per channel that are worth a task                                  */
    SLACK_FLOATS = 64     /* the last vectors of a row reach beyond it                                  */
};

static int64_t terms_of(const struct correlate *m, const struct view *view)
{
    return (int64_t)m->channels * view->h.taps * view->w.taps;
}

/* Rows of tiles: the most of four vectors if they hold all output channels, else of the widest tile. */
static int32_t tile_vectors(const struct correlate *m)
{
    const struct mk_family *family = m->isa->family;
    return m->outputs <= family->rows && family->tile[m->outputs - 1][MK_MAX_VECTORS - 1] ? MK_MAX_VECTORS : family->vectors;
}

static int32_t row_blocks(const struct correlate *m)
{
    return (int32_t)convoy_ceil_div(m->outputs, m->isa->family->rows);
}

static void plan_block(const struct correlate *m, struct view *view, int32_t *rows, int32_t *cols)
{
    view->bands = (int32_t)convoy_ceil_div(view->w.out, BAND);
    *cols = (int32_t)convoy_ceil_div(view->w.out, view->bands);
    view->bands = (int32_t)convoy_ceil_div(view->w.out, *cols);
    int64_t most = convoy_min(view->h.out, convoy_max(1, STRIP_OUTPUTS / *cols));
    const int64_t width = panel_extent(&view->w, *cols, 1);
    while (most > 1 && panel_extent(&view->h, (int32_t)most, 0) * width * m->channels > PANEL_FLOATS)
        most--;
    *rows = (int32_t)convoy_ceil_div(view->h.out, convoy_ceil_div(view->h.out, most));
    view->strips = (int32_t)convoy_ceil_div(view->h.out, *rows);
}

int narrow_suits(const struct correlate *m)
{
    int64_t floats = 0, terms = 0;
    for (int32_t v = 0; v < m->view_count; v++) {
        struct view view = m->views[v];
        int32_t rows, cols;
        if (view.w.stride > 1 && view.w.taps > 16)
            return 0;
        plan_block(m, &view, &rows, &cols);
        floats = convoy_max(floats, m->channels * panel_extent(&view.h, rows, 0) * panel_extent(&view.w, cols, 1));
        terms = convoy_max(terms, terms_of(m, &view));
    }
    if (m->view_count == 0 || floats > PANEL_FLOATS || m->x.col != 1)
        return 0;
    return (m->outputs < FEW_OUTPUTS && m->outputs * 2 < m->isa->family->lanes * m->isa->family->vectors) || terms <= SHORT_SUM;
}

int narrow_plan(struct correlate *m)
{
    m->width = (int64_t)m->isa->family->lanes * tile_vectors(m);
    m->blocks = row_blocks(m);
    m->chunk = m->resident = m->channels;
    m->chain = m->channels * m->weight.taps;
    m->tasks = m->packs = 0;
    m->panel_floats = 0;
    m->sums_floats = m->isa->family->rows * m->width;
    int64_t weights = 0;
    for (int32_t v = 0; v < m->view_count; v++) {
        struct view *view = &m->views[v];
        int32_t rows, cols;
        plan_block(m, view, &rows, &cols);
        if (!panel_open(&view->panel, &view->h, &view->w, rows, cols, 1))
            return 0;
        const struct panel *p = &view->panel;
        view->gather = malloc((size_t)terms_of(m, view) * sizeof *view->gather);
        if (!view->gather)
            return 0;
        ptrdiff_t *at = view->gather;
        for (int32_t c = 0; c < m->channels; c++)
            for (int32_t r = 0; r < view->h.taps; r++)
                for (int32_t s = 0; s < view->w.taps; s++)
                    *at++ = (ptrdiff_t)(c * panel_channel_floats(p) + p->tap_row[r] * p->width + p->tap_col[s]);
        m->panel_floats = convoy_max(m->panel_floats, convoy_round_up(m->channels * panel_channel_floats(p) + SLACK_FLOATS, 16));
        m->sums_floats = convoy_max(m->sums_floats, convoy_round_up(cols, 16));
        view->weights = weights;
        view->first_task = m->tasks;
        view->first_pack = m->packs;
        weights += (int64_t)m->groups * m->outputs * terms_of(m, view);
        m->tasks += (size_t)m->n * (size_t)m->groups * (size_t)view->strips * (size_t)view->bands;
        m->packs += (size_t)m->groups * (size_t)m->blocks;
    }
    return 1;
}

uint64_t narrow_workspace_bytes(const struct correlate *m)
{
    return (uint64_t)(m->panel_floats + m->sums_floats) * sizeof(float) * m->host->threads;
}

uint64_t narrow_prepared_bytes(const struct correlate *m)
{
    uint64_t floats = 0;
    for (int32_t v = 0; v < m->view_count; v++)
        floats += (uint64_t)m->groups * (uint64_t)m->outputs * (uint64_t)terms_of(m, &m->views[v]);
    return floats * sizeof(float);
}

struct call {
    const struct correlate *m;
    const float *x, *w, *weights, *bias;
    float *packed, *y, *workspace;
};

/* [group][block of tile rows][term][rows of this block], so that a block begins at its first row times the terms. */
static void pack_block(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct call *call = context;
    const struct correlate *m = call->m;
    int32_t v = m->view_count - 1;
    while (m->views[v].first_pack > i)
        v--;
    const struct view *view = &m->views[v];
    const int64_t g = (int64_t)(i - view->first_pack) / m->blocks, block = (int64_t)(i - view->first_pack) % m->blocks;
    const int64_t first = block * m->outputs / m->blocks, last = (block + 1) * m->outputs / m->blocks;
    float *to = call->packed + view->weights + (g * m->outputs + first) * terms_of(m, view);
    for (int64_t c = 0; c < m->channels; c++)
        for (int32_t r = 0; r < view->h.taps; r++)
            for (int32_t s = 0; s < view->w.taps; s++)
                for (int64_t k = first; k < last; k++)
                    *to++ = call->w[g * m->weight.group + k * m->weight.k + c * m->weight.c + view->h.tap[r] * m->weight.row +
                                    view->w.tap[s] * m->weight.col];
}

void narrow_prepare(const struct correlate *m, const float *w, float *prepared)
{
    struct call call = {.m = m, .w = w, .packed = prepared};
    m->host->parallel(m->host, pack_block, &call, m->packs);
}

/* One strip of outputs of one group. */
struct strip {
    const struct call *call;
    const struct view *view;
    int64_t group, rows, cols;
    const float *panel, *weights;
    float *sums, *y;
};

static void compute_one_channel(const struct strip *at)
{
    const struct correlate *m = at->call->m;
    const struct view *view = at->view;
    struct depthwise_rows job = {
        .panel = at->panel,
        .weight = at->weights,
        .offset = view->gather,
        .terms = terms_of(m, view),
        .rows = at->rows,
        .cols = at->cols,
        .panel_row = view->panel.row_step * view->panel.width,
        .y = at->y,
        .y_row = view->y_row,
        .bias = at->call->bias ? at->call->bias[at->group] : 0,
        .relu = m->relu,
    };
    if (view->y_col == 1) {
        m->isa->depthwise(&job);
        return;
    }
    job.rows = 1;
    job.y = at->sums;
    for (int64_t oh = 0; oh < at->rows; oh++) {
        job.panel = at->panel + oh * job.panel_row;
        m->isa->depthwise(&job);
        for (int64_t ow = 0; ow < at->cols; ow++)
            at->y[oh * view->y_row + ow * view->y_col] = at->sums[ow];
    }
}

static void compute_channels(const struct strip *at)
{
    const struct correlate *m = at->call->m;
    const struct view *view = at->view;
    const struct mk_family *family = m->isa->family;
    const int64_t terms = terms_of(m, view), panel_row = view->panel.row_step * view->panel.width;
    for (int64_t block = 0; block < m->blocks; block++) {
        const int64_t first = block * m->outputs / m->blocks, rows = (block + 1) * m->outputs / m->blocks - first;
        struct mk_tile tile = {
            .a = at->weights + first * terms,
            .a_row = 1,
            .a_col = rows,
            .b_offset = view->gather,
            .k = terms,
            .relu = m->relu,
            .row_add = at->call->bias ? at->call->bias + at->group * m->outputs + first : NULL,
        };
        for (int64_t oh = 0; oh < at->rows; oh++) {
            float *const y = at->y + first * m->y.channel + oh * view->y_row;
            for (int64_t ow = 0; ow < at->cols; ow += m->width) {
                const int64_t cols = convoy_min(m->width, at->cols - ow), vectors = convoy_ceil_div(cols, family->lanes);
                const int whole = view->y_col == 1 && cols == vectors * family->lanes;
                tile.b = at->panel + oh * panel_row + ow;
                tile.c = whole ? y + ow : at->sums;
                tile.c_row = whole ? m->y.channel : m->width;
                family->tile[rows - 1][vectors - 1](&tile);
                if (whole)
                    continue;
                for (int64_t k = 0; k < rows; k++)
                    for (int64_t j = 0; j < cols; j++)
                        y[k * m->y.channel + (ow + j) * view->y_col] = at->sums[k * m->width + j];
            }
        }
    }
}

static void compute_strip(void *context, size_t i, size_t worker)
{
    const struct call *call = context;
    const struct correlate *m = call->m;
    int32_t v = m->view_count - 1;
    while (m->views[v].first_task > i)
        v--;
    const struct view *view = &m->views[v];
    int64_t rest = (int64_t)(i - view->first_task);
    const int64_t ow = rest % view->bands * view->panel.cols;
    rest /= view->bands;
    const int64_t oh = rest % view->strips * view->panel.rows;
    rest /= view->strips;
    const int64_t group = rest % m->groups, image = rest / m->groups;
    float *const panel = call->workspace + (int64_t)worker * (m->panel_floats + m->sums_floats);
    const struct panel_job fill = {
        .panel = &view->panel,
        .h = &view->h,
        .w = &view->w,
        .layout = &m->x,
        .x = call->x + image * m->x.image + group * m->x.group,
        .channels = m->channels,
        .oh = oh,
        .ow = ow,
        .to = panel,
    };
    m->isa->fill(&fill);
    const struct strip at = {
        .call = call,
        .view = view,
        .group = group,
        .panel = panel,
        .sums = panel + m->panel_floats,
        .rows = convoy_min(view->panel.rows, view->h.out - oh),
        .cols = convoy_min(view->panel.cols, view->w.out - ow),
        .weights = call->weights + view->weights + group * m->outputs * terms_of(m, view),
        .y = call->y + image * m->y.image + group * m->y.group + view->y_offset + oh * view->y_row + ow * view->y_col,
    };
    if (m->outputs == 1)
        compute_one_channel(&at);
    else
        compute_channels(&at);
}

void narrow_execute(const struct correlate *m, const float *x, const float *prepared, const float *bias, float *y,
                    float *workspace)
{
    struct call call = {.m = m, .x = x, .weights = prepared, .bias = bias, .y = y, .workspace = workspace};
    m->host->parallel(m->host, compute_strip, &call, m->tasks);
}
