#include "batch.h"
#include <string.h>

enum {
    CHAIN = 288,              /* channels of one chain of sums                                                */
    PANEL_FLOATS = 64 * 1024, /* a quarter of L2: the panel is read for each block of output channels */
    SUMS_FLOATS = 64 * 1024,
    LATENCY_ROWS = 4,    /* a tile of fewer rows takes as long as one of these                                */
    GAIN_PERCENT = 90,   /* of the steps of tiles within an image, at most                                     */
    AHEAD_TILES = 2,     /* these fetch the next block's weights, each an equal part                           */
    TASKS_PER_THREAD = 4 /* from here on the last ones to finish do not matter                                 */
};

static int64_t pixels_of(const struct correlate *m)
{
    return (int64_t)m->views[0].h.in * m->views[0].w.in;
}

static int64_t outputs_of(const struct view *view)
{
    return (int64_t)view->h.out * view->w.out;
}

static int64_t most_outputs(const struct correlate *m)
{
    int64_t most = 0;
    for (int32_t v = 0; v < m->view_count; v++)
        most = convoy_max(most, outputs_of(&m->views[v]));
    return most;
}

/* Images of a task; 0: not even as many as lanes fit. */
static int32_t images_of(const struct correlate *m)
{
    const struct mk_family *family = m->isa->family;
    const int64_t most = convoy_min(PANEL_FLOATS / (m->channels * pixels_of(m)),
                                    SUMS_FLOATS / (most_outputs(m) * family->lanes * family->vectors)) /
                         family->lanes * family->lanes;
    return most ? (int32_t)convoy_ceil_div(m->n, convoy_ceil_div(m->n, most)) : 0;
}

static int meets(const struct axis *axis, int64_t output, int32_t tap)
{
    const int64_t at = output * axis->stride + axis->offset[tap];
    return at >= 0 && at < axis->in;
}

static int64_t meetings(const struct axis *axis)
{
    int64_t count = 0;
    for (int32_t output = 0; output < axis->out; output++)
        for (int32_t t = 0; t < axis->taps; t++)
            count += meets(axis, output, t);
    return count;
}

/* The time of tiles over a run of outputs, in rows of one term. */
static int64_t steps(const struct correlate *m, int64_t length)
{
    return convoy_max(length, LATENCY_ROWS * convoy_ceil_div(length, m->isa->family->rows));
}

int batch_suits(const struct correlate *m)
{
    if (m->view_count == 0 || m->x.col != 1)
        return 0;
    for (int32_t v = 0; v < m->view_count; v++)
        if (m->views[v].h.out > CHAIN || m->views[v].w.out > CHAIN || m->x.row != m->views[v].w.in ||
            m->x.channel != pixels_of(m))
            return 0;
    const int32_t images = images_of(m);
    if (images == 0)
        return 0;
    int64_t within = 0, across = 0;
    for (int32_t v = 0; v < m->view_count; v++) {
        const struct view *view = &m->views[v];
        const int flat = view->w.taps == 1 && view->w.stride == 1 && view->h.stride == 1;
        within += m->n * view->h.taps * view->w.taps * (flat ? steps(m, outputs_of(view)) : view->h.out * steps(m, view->w.out));
        across += convoy_ceil_div(m->n, images) * steps(m, images) * meetings(&view->h) * meetings(&view->w);
    }
    return across * 100 < within * GAIN_PERCENT;
}

int batch_plan(struct correlate *m)
{
    const struct mk_family *family = m->isa->family;
    const int64_t threads = (int64_t)m->host->threads;
    correlate_plan_weights(m);
    m->chunk = (int32_t)convoy_ceil_div(m->channels, convoy_ceil_div(m->channels, CHAIN));
    m->chain = m->chunk;
    m->images = images_of(m);
    const int64_t matrices = m->groups * convoy_ceil_div(m->n, m->images);
    int64_t parts = 1;
    while (matrices * parts % threads && matrices * parts < threads * TASKS_PER_THREAD)
        parts++;
    m->task_blocks = (int32_t)convoy_ceil_div(m->blocks, convoy_min(parts, m->blocks));
    m->tasks = (size_t)(matrices * convoy_ceil_div(m->blocks, m->task_blocks));
    m->panel_floats = convoy_round_up(m->channels * pixels_of(m) * convoy_round_up(m->images, family->lanes), 16);
    m->sums_floats = most_outputs(m) * m->images * m->width;
    return 1;
}

struct call {
    const struct correlate *m;
    const float *x, *weights, *bias;
    float *y, *workspace;
};

/* One block of output channels of the images of a task, in one view. */
struct block {
    const struct call *call;
    const struct view *view;
    int64_t group, block, image, images, lanes; /* floats of the panel for one input of a channel: its images  */
    const float *panel;
    float *sums; /* [output][image][width]                                                                     */
};

/* The sums of one output over `channels` channels, tap by tap. A tap is met for the first time where neither neighbour before
 * meets it. */
static void add_output(const struct block *at, int64_t oh, int64_t ow, int64_t c, int64_t channels)
{
    const struct correlate *m = at->call->m;
    const struct view *view = at->view;
    const struct mk_family *family = m->isa->family;
    const int64_t taps = (int64_t)view->h.taps * view->w.taps, block_floats = m->channels * taps * m->width,
                  plane = pixels_of(m) * at->lanes, tiles = convoy_ceil_div(at->images, family->rows);
    const int64_t valid = convoy_min(m->width, m->outputs - at->block * m->width),
                  vectors = convoy_ceil_div(valid, family->lanes);
    float *const sums = at->sums + (oh * view->w.out + ow) * at->images * m->width;
    struct mk_tile tile = {
        .a_row = 1,
        .a_col = plane,
        .b_row = taps * m->width,
        .c_row = m->width,
        .k = channels,
        .accumulate = c > 0,
        .ahead_row = taps * m->width,
    };
    int met = 0;
    for (int32_t r = 0; r < view->h.taps; r++)
        for (int32_t s = 0; s < view->w.taps; s++) {
            if (!meets(&view->h, oh, r) || !meets(&view->w, ow, s))
                continue;
            const int first = (oh == 0 || !meets(&view->h, oh - 1, r)) && (ow == 0 || !meets(&view->w, ow - 1, s));
            const int64_t input =
                (oh * view->h.stride + view->h.offset[r]) * view->w.in + ow * view->w.stride + view->w.offset[s];
            const float *const a = at->panel + c * plane + input * at->lanes;
            tile.b = at->call->weights + view->weights + (at->group * m->blocks + at->block) * block_floats +
                     (c * taps + r * view->w.taps + s) * m->width;
            for (int64_t t = 0; t < tiles; t++) {
                const int64_t from = t * at->images / tiles, rows = (t + 1) * at->images / tiles - from;
                tile.a = a + from;
                tile.c = sums + from * m->width;
                tile.b_ahead = first && t < AHEAD_TILES ? tile.b + block_floats + t * m->width / AHEAD_TILES : NULL;
                family->tile[rows - 1][vectors - 1](&tile);
            }
            tile.accumulate = met = 1;
        }
    if (!met && c == 0)
        memset(sums, 0, (size_t)(at->images * m->width) * sizeof *sums);
}

/* An image of one pixel: its channels lie as the sums do. */
static void store_pixel(const struct tile_store *store)
{
    for (int32_t j = 0; j < store->channels; j++) {
        const float value = store->tile[j] + (store->bias ? store->bias[j] : 0);
        store->y[j] = store->relu && value < 0 ? 0 : value;
    }
}

static void store_block(const struct block *at)
{
    const struct correlate *m = at->call->m;
    const struct view *view = at->view;
    const int64_t k = at->block * m->width, most = m->isa->store_rows;
    int64_t rows = view->h.out, cols = view->w.out;
    if (view->y_row == cols * view->y_col) {
        cols *= rows;
        rows = 1;
    }
    struct tile_store store = {
        .width = at->images * m->width,
        .y_channel = m->y.channel,
        .y_col = view->y_col,
        .channels = (int32_t)convoy_min(m->width, m->outputs - k),
        .bias = at->call->bias ? at->call->bias + at->group * m->outputs + k : NULL,
        .relu = m->relu,
    };
    for (int64_t image = 0; image < at->images; image++) {
        float *const y =
            at->call->y + (at->image + image) * m->y.image + at->group * m->y.group + k * m->y.channel + view->y_offset;
        for (int64_t oh = 0; oh < rows; oh++)
            for (int64_t ow = 0; ow < cols; ow += most) {
                store.tile = at->sums + ((oh * cols + ow) * at->images + image) * m->width;
                store.rows = (int32_t)convoy_min(most, cols - ow);
                store.y = y + oh * view->y_row + ow * view->y_col;
                (m->y.channel == 1 ? store_pixel : m->isa->store)(&store);
            }
    }
}

static void compute_task(void *context, size_t i, size_t worker)
{
    const struct call *call = context;
    const struct correlate *m = call->m;
    const int64_t parts = convoy_ceil_div(m->blocks, m->task_blocks), image_blocks = convoy_ceil_div(m->n, m->images);
    const int64_t first_block = (int64_t)i % parts * m->task_blocks,
                  last_block = convoy_min(m->blocks, first_block + m->task_blocks);
    float *const panel = call->workspace + (int64_t)worker * (m->panel_floats + m->sums_floats);
    struct block at = {
        .call = call,
        .group = (int64_t)i / parts / image_blocks,
        .image = (int64_t)i / parts % image_blocks * m->images,
        .lanes = convoy_round_up(m->images, m->isa->family->lanes),
        .panel = panel,
        .sums = panel + m->panel_floats,
    };
    at.images = convoy_min(m->images, m->n - at.image);
    const struct transpose turn = {
        .from = call->x + at.image * m->x.image + at.group * m->x.group,
        .channel = m->x.image,
        .pixels = m->channels * pixels_of(m),
        .width = at.lanes,
        .row = at.lanes,
        .channels = (int32_t)at.images,
        .to = panel,
    };
    m->isa->transpose(&turn);
    for (at.block = first_block; at.block < last_block; at.block++)
        for (int32_t v = 0; v < m->view_count; v++) {
            at.view = &m->views[v];
            for (int64_t c = 0; c < m->channels; c += m->chunk)
                for (int64_t oh = 0; oh < at.view->h.out; oh++)
                    for (int64_t ow = 0; ow < at.view->w.out; ow++)
                        add_output(&at, oh, ow, c, convoy_min(m->chunk, m->channels - c));
            store_block(&at);
        }
}

void batch_execute(const struct correlate *m, const float *x, const float *prepared, const float *bias, float *y,
                   float *workspace)
{
    struct call call = {.m = m, .x = x, .weights = prepared, .bias = bias, .y = y, .workspace = workspace};
    m->host->parallel(m->host, compute_task, &call, m->tasks);
}
