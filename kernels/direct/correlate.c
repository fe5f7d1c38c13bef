#include "correlate.h"
#include <string.h>

/* Tiles at the start of a block that fetch the next block's weights from L3, each an equal part. */
enum { AHEAD_TILES = 2 };

/* Floats of an output plane from which on the stores of a tile miss all caches and conflict in them. */
enum { LARGE_PLANE = 32 * 1024 };

/* Of a stack: 144 taps of 32 outputs. */
enum { TURNED_FLOATS = 144 * 32 };

struct call {
    const struct correlate *m;
    const float *x, *w, *weights, *bias;
    float *packed, *y, *workspace;
};

/* The rows of the view's taps, from those of all taps of some channels; one by one where those are too many to turn over. */
static float *pick_taps(const struct correlate *m, const struct view *view, const struct transpose *turned, int64_t channels,
                        float *to)
{
    for (int64_t c = 0; c < channels; c++)
        for (int32_t r = 0; r < view->h.taps; r++)
            for (int32_t s = 0; s < view->w.taps; s++, to += m->width) {
                const int64_t tap = view->h.tap[r] * m->weight.row + view->w.tap[s] * m->weight.col;
                if (turned->pixels) {
                    memcpy(to, turned->to + (c * m->weight.taps + tap) * m->width, (size_t)m->width * sizeof *to);
                    continue;
                }
                struct transpose one = *turned;
                one.from += tap;
                one.pixels = 1;
                one.to = to;
                m->isa->transpose(&one);
            }
    return to;
}

/* Weights lie as the tiles read them: [group][block][channel][tap row][tap column][width], with zeros beyond the last output. */
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
    const int64_t first = block * m->width, taps = (int64_t)view->h.taps * view->w.taps, all = m->weight.taps;
    float *to = call->packed + view->weights + (g * m->blocks + block) * m->channels * taps * m->width;
    float turned[TURNED_FLOATS];
    struct transpose turn = {
        .from = call->w + g * m->weight.group + first * m->weight.k,
        .channel = m->weight.k,
        .width = m->width,
        .row = m->width,
        .channels = (int32_t)convoy_min(m->width, m->outputs - first),
    };
    /* Channels that are neighbours in W are turned over together, with all their taps; then those of the view are picked. */
    const int64_t fit = taps == all ? m->channels : convoy_max(1, TURNED_FLOATS / (all * m->width)),
                  together = m->weight.c == all ? fit : 1;
    for (int64_t c = 0, channels; c < m->channels; c += channels, turn.from += channels * m->weight.c) {
        channels = convoy_min(together, m->channels - c);
        if (taps == all || all * m->width <= TURNED_FLOATS) {
            turn.pixels = channels * all;
            turn.to = taps == all ? to : turned;
            m->isa->transpose(&turn);
        }
        if (taps == all)
            to += channels * all * m->width;
        else
            to = pick_taps(m, view, &turn, channels, to);
    }
}

void correlate_prepare(const struct correlate *m, const float *w, float *prepared)
{
    struct call call = {.m = m, .w = w, .packed = prepared};
    m->host->parallel(m->host, pack_block, &call, m->packs);
}

/* One block of outputs of one image and group, while it is computed. */
struct block {
    const struct call *call;
    const struct view *view;
    int64_t image, group, oh, ow, rows, cols;
    const float *panel;
    float *sums;
};

/* The outputs of a tile begin to come from memory while their sums are computed. */
static void fetch_outputs(const struct tile_store *store, const float *y, int64_t count)
{
    const float *const last = y + (count - 1) * store->y_col;
    for (int32_t j = 0; j < store->channels; j++)
        __builtin_prefetch(last + j * store->y_channel, 1, 2);
}

/* The run of outputs that tiles divide: a row, or all rows where they succeed one another. */
static void tile_run(const struct block *at, int64_t row, int64_t length, int64_t block, int64_t first, int64_t channels,
                     float *sums)
{
    const struct correlate *m = at->call->m;
    const struct view *view = at->view;
    const struct mk_family *family = m->isa->family;
    const int64_t taps = (int64_t)view->h.taps * view->w.taps, tiles = convoy_ceil_div(length, family->rows);
    const int64_t k = block * m->width;
    const int32_t valid = (int32_t)convoy_min(m->width, m->outputs - k);
    const int32_t vectors = (valid + family->lanes - 1) / family->lanes;
    const int64_t panel_first = first % m->resident;
    struct mk_tile tile = {
        .a_row = view->panel.col_step,
        .a_offset = view->gather,
        .b = at->call->weights + view->weights + ((at->group * m->blocks + block) * m->channels + first) * taps * m->width,
        .b_row = m->width,
        .c_row = m->width,
        .k = channels * taps,
        .accumulate = first > 0,
        .ahead_row = m->width / AHEAD_TILES,
    };
    struct tile_store store = {
        .width = m->width,
        .y_channel = m->y.channel,
        .y_col = view->y_col,
        .channels = valid,
        .bias = at->call->bias ? at->call->bias + at->group * m->outputs + k : NULL,
        .relu = m->relu,
    };
    const float *const a =
        at->panel + panel_first * panel_channel_floats(&view->panel) + row * view->panel.row_step * view->panel.width;
    float *const y = at->call->y + at->image * m->y.image + at->group * m->y.group + k * m->y.channel + view->y_offset +
                     (at->oh + row) * view->y_row + at->ow * view->y_col;
    for (int64_t t = 0; t < tiles; t++) {
        const int64_t from = t * length / tiles, upto = (t + 1) * length / tiles;
        tile.a = a + from * view->panel.col_step;
        tile.c = sums + t * family->rows * m->width;
        const int64_t turn = row * tiles + t;
        tile.b_ahead = turn < AHEAD_TILES ? tile.b + tile.k * (tile.b_row + turn * tile.ahead_row) : NULL;
        if (first + channels == m->channels && m->y.channel >= LARGE_PLANE)
            fetch_outputs(&store, y + from * view->y_col, upto - from);
        family->tile[upto - from - 1][vectors - 1](&tile);
        if (first + channels == m->channels) {
            store.tile = tile.c;
            store.rows = (int32_t)(upto - from);
            store.y = y + from * view->y_col;
            m->isa->store(&store);
        }
    }
}

static void compute_block(void *context, size_t i, size_t worker)
{
    const struct call *call = context;
    const struct correlate *m = call->m;
    int32_t v = m->view_count - 1;
    while (m->views[v].first_task > i)
        v--;
    const struct view *view = &m->views[v];
    int64_t rest = (int64_t)(i - view->first_task);
    const int64_t parts = convoy_ceil_div(m->blocks, m->task_blocks);
    const int64_t first_block = rest % parts * m->task_blocks, last_block = convoy_min(m->blocks, first_block + m->task_blocks);
    rest /= parts;
    struct block at = {.call = call, .view = view};
    at.ow = rest % view->bands * view->panel.cols;
    rest /= view->bands;
    at.oh = rest % view->strips * view->panel.rows;
    rest /= view->strips;
    at.group = rest % m->groups;
    at.image = rest / m->groups;
    at.rows = convoy_min(view->panel.rows, view->h.out - at.oh);
    at.cols = convoy_min(view->panel.cols, view->w.out - at.ow);
    float *const scratch = call->workspace + (int64_t)worker * (m->panel_floats + m->sums_floats);
    at.panel = scratch;
    at.sums = scratch + m->panel_floats;

    const int64_t row_sums = convoy_ceil_div(view->panel.cols, m->isa->family->rows) * m->isa->family->rows * m->width;
    const int64_t block_sums = m->resident == m->channels ? 0 : view->tiles * m->isa->family->rows * m->width;
    for (int64_t held = 0; held < m->channels; held += m->resident) {
        const int64_t held_channels = convoy_min(m->resident, m->channels - held);
        const struct panel_job fill = {
            .panel = &view->panel,
            .h = &view->h,
            .w = &view->w,
            .layout = &m->x,
            .x = call->x + at.image * m->x.image + at.group * m->x.group + held * m->x.channel,
            .channels = held_channels,
            .oh = at.oh,
            .ow = at.ow,
            .to = scratch,
        };
        m->isa->fill(&fill);
        for (int64_t block = first_block; block < last_block; block++) {
            float *const sums = at.sums + (block - first_block) * block_sums;
            for (int64_t c = held; c < held + held_channels; c += m->chunk) {
                const int64_t channels = convoy_min(m->chunk, m->channels - c);
                if (view->flat)
                    tile_run(&at, 0, at.rows * at.cols, block, c, channels, sums);
                else
                    for (int64_t row = 0; row < at.rows; row++)
                        tile_run(&at, row, at.cols, block, c, channels, sums + row * row_sums);
            }
        }
    }
}

void correlate_execute(const struct correlate *m, const float *x, const float *prepared, const float *bias, float *y,
                       float *workspace)
{
    struct call call = {.m = m, .x = x, .bias = bias, .weights = prepared, .y = y, .workspace = workspace};
    m->host->parallel(m->host, compute_block, &call, m->tasks);
}
