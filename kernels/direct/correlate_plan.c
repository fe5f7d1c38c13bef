#include "correlate.h"
#include <stdlib.h>

/* Measured on VGG-16's and ResNet-50's layers; README.md has the tables. */
enum {
    CHAIN = 288,              /* terms of one chain of sums                                                */
    WHOLE_CHAIN = 576,        /* a sum this short is not cut                                               */
    TILES = 16,               /* of a block of outputs, all of which use a chunk of weights                */
    PANEL_FLOATS = 72 * 1024, /* a bit more than a quarter of a megabyte of L2                             */
    SUMS_FLOATS = 64 * 1024,
    TASKS_PER_THREAD = 4 /* from here on the last ones to finish do not matter                              */
};

static int64_t taps_of(const struct view *view)
{
    return (int64_t)view->h.taps * view->w.taps;
}

static int64_t most_taps(const struct correlate *m)
{
    int64_t most = 1;
    for (int32_t v = 0; v < m->view_count; v++)
        most = convoy_max(most, taps_of(&m->views[v]));
    return most;
}

static void plan_chunks(struct correlate *m)
{
    const int64_t taps = most_taps(m);
    const int64_t most = m->channels * taps <= WHOLE_CHAIN ? m->channels : convoy_max(1, CHAIN / taps);
    const int64_t chunks = convoy_ceil_div(m->channels, most);
    m->chunk = (int32_t)convoy_ceil_div(m->channels, chunks);
    m->chain = m->chunk * taps;
}

/* Rows and columns of outputs that one panel serves. */
static void plan_block(const struct correlate *m, struct view *view, int32_t *rows, int32_t *cols)
{
    const int32_t tile = m->isa->family->rows;
    view->bands = (int32_t)convoy_ceil_div(view->w.out, (int64_t)TILES * tile);
    *cols = (int32_t)convoy_ceil_div(view->w.out, view->bands);
    int64_t most = convoy_max(1, TILES / convoy_ceil_div(*cols, tile));
    if (*cols < tile / 2)
        most = convoy_max(most, (int64_t)TILES * tile / 2 / *cols);
    most = convoy_min(most, view->h.out);
    const int64_t width = panel_extent(&view->w, *cols, 0);
    while (most > 1 && panel_extent(&view->h, (int32_t)most, 0) * width * m->chunk > PANEL_FLOATS)
        most--;
    /* A panel that holds all channels may as well be higher: neighbouring strips copy the same rows. */
    while (most < view->h.out && panel_extent(&view->h, (int32_t)most + 1, 0) * width * m->channels <= PANEL_FLOATS)
        most++;
    view->strips = (int32_t)convoy_ceil_div(view->h.out, most);
    *rows = (int32_t)convoy_ceil_div(view->h.out, view->strips);
    view->strips = (int32_t)convoy_ceil_div(view->h.out, *rows);
}

static int plan_view(struct correlate *m, struct view *view)
{
    const int32_t tile = m->isa->family->rows;
    int32_t rows, cols;
    plan_block(m, view, &rows, &cols);
    if (!panel_open(&view->panel, &view->h, &view->w, rows, cols, 0))
        return 0;
    const struct panel *p = &view->panel;
    view->flat =
        view->bands == 1 && p->width == cols && p->col_step == 1 && p->row_step == 1 && view->y_row == cols * view->y_col;
    view->tiles = (int32_t)(view->flat ? convoy_ceil_div((int64_t)rows * cols, tile) : rows * convoy_ceil_div(cols, tile));
    view->gather = malloc((size_t)(m->chunk * taps_of(view)) * sizeof *view->gather);
    if (!view->gather)
        return 0;
    ptrdiff_t *at = view->gather;
    for (int32_t c = 0; c < m->chunk; c++)
        for (int32_t r = 0; r < view->h.taps; r++)
            for (int32_t s = 0; s < view->w.taps; s++)
                *at++ = (ptrdiff_t)(c * panel_channel_floats(p) + p->tap_row[r] * p->width + p->tap_col[s]);
    return 1;
}

/* Parts that the blocks of output channels are cut into, so that all threads get alike many of the tasks of every view. Each part
 * copies the panel again, so there are no more than that takes. */
static int64_t even_parts(const struct correlate *m)
{
    const int64_t threads = (int64_t)m->host->threads;
    int64_t parts = 1;
    for (int32_t v = 0; v < m->view_count; v++) {
        const int64_t tasks = (int64_t)m->n * m->groups * m->views[v].strips * m->views[v].bands;
        int64_t needed = 1;
        while (tasks * needed % threads && tasks * needed < threads * TASKS_PER_THREAD)
            needed++;
        parts = convoy_max(parts, needed);
    }
    return parts;
}

/* Sums of all blocks of a task are kept while the channels pass through the panel; one block's suffice if all channels fit. */
static void plan_tasks(struct correlate *m)
{
    int64_t channel_floats = 1, tiles = 1;
    for (int32_t v = 0; v < m->view_count; v++) {
        channel_floats = convoy_max(channel_floats, panel_channel_floats(&m->views[v].panel));
        tiles = convoy_max(tiles, m->views[v].tiles);
    }
    const int64_t chunks = convoy_ceil_div(m->channels, m->chunk);
    const int64_t fit = convoy_max(1, PANEL_FLOATS / (channel_floats * m->chunk));
    m->resident = (int32_t)convoy_min(m->channels, convoy_ceil_div(chunks, convoy_ceil_div(chunks, fit)) * m->chunk);
    m->panel_floats = convoy_round_up(m->resident * channel_floats, 16);

    const int64_t tile_floats = m->isa->family->rows * m->width * tiles;
    const int64_t held = m->resident == m->channels ? m->blocks : convoy_max(1, SUMS_FLOATS / tile_floats);
    const int64_t even = even_parts(m), parts = convoy_round_up(convoy_ceil_div(m->blocks, held), even);
    m->task_blocks = (int32_t)convoy_ceil_div(m->blocks, convoy_min(parts, m->blocks));
    m->sums_floats = tile_floats * (m->resident == m->channels ? 1 : m->task_blocks);
}

void correlate_plan_weights(struct correlate *m)
{
    m->width = (int64_t)m->isa->family->lanes * m->isa->family->vectors;
    m->blocks = (int32_t)convoy_ceil_div(m->outputs, m->width);
    m->packs = (size_t)m->view_count * (size_t)m->groups * (size_t)m->blocks;
    int64_t weights = 0;
    for (int32_t v = 0; v < m->view_count; v++) {
        m->views[v].weights = weights;
        m->views[v].first_pack = (size_t)v * (size_t)m->groups * (size_t)m->blocks;
        weights += (int64_t)m->groups * m->blocks * m->channels * taps_of(&m->views[v]) * m->width;
    }
}

int correlate_plan(struct correlate *m)
{
    correlate_plan_weights(m);
    plan_chunks(m);
    for (int32_t v = 0; v < m->view_count; v++)
        if (!plan_view(m, &m->views[v]))
            return 0;
    if (m->view_count > 0)
        plan_tasks(m);
    const size_t parts = m->view_count > 0 ? (size_t)convoy_ceil_div(m->blocks, m->task_blocks) : 0;
    m->tasks = 0;
    for (int32_t v = 0; v < m->view_count; v++) {
        struct view *view = &m->views[v];
        view->first_task = m->tasks;
        m->tasks += (size_t)m->n * (size_t)m->groups * (size_t)view->strips * (size_t)view->bands * parts;
    }
    return 1;
}

void correlate_close(struct correlate *m)
{
    for (int32_t v = 0; v < m->view_count; v++) {
        struct view *view = &m->views[v];
        axis_close(&view->h);
        axis_close(&view->w);
        panel_close(&view->panel);
        free(view->gather);
    }
    free(m->views);
}

uint64_t correlate_workspace_bytes(const struct correlate *m)
{
    return (uint64_t)(m->panel_floats + m->sums_floats) * sizeof(float) * m->host->threads;
}

uint64_t correlate_prepared_bytes(const struct correlate *m)
{
    uint64_t floats = 0;
    for (int32_t v = 0; v < m->view_count; v++)
        floats += (uint64_t)m->groups * (uint64_t)m->blocks * (uint64_t)m->channels * (uint64_t)taps_of(&m->views[v]) *
                  (uint64_t)m->width;
    return floats * sizeof(float);
}
