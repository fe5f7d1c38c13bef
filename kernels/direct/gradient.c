/* gradient: dW[k][c][r][s] = sum over outputs of dy[k] * x[c] shifted by (r, s). A block of outputs is one chain of sums: the
 * gradient is turned over to [output][channel] rows, which are the vectors, and the image's panel gives the scalars. Lanes are
 * output channels; the tile's rows are input channels at one tap, or the taps of one kernel row where there are few channels. */
#include "direct.h"
#include <stdlib.h>
#include <string.h>

enum {
    OUTPUTS = 256,           /* of a block, at most: the chain                                              */
    SUMS_FLOATS = 64 * 1024, /* of a task, in L2                                                            */
    PANEL_FLOATS = 32 * 1024,
    USUAL_CHANNELS = 64,
    RUN_COST = 5,     /* of a tile's start and end, in terms                                                  */
    LINE = 16,        /* floats of a cache line */
    BARE_IMAGES = 16, /* from here on runs are long without the border */
    TASKS = 8         /* below this many, the outputs are divided too; never by the threads, which would change sums */
};

struct gradient {
    const struct convoy_host *host;
    const struct isa *isa;
    struct dims d;
    struct axis h, w;
    struct panel panel;
    ptrdiff_t *gather,
        *gather_last;              /* [output of a block][image]: places in the panel; of the last block where that is smaller */
    int64_t width, taps;           /* taps of the kernel; the axes have those that meet the image           */
    int32_t images, strips, bands; /* images of a block; blocks of an image                                */
    int32_t channels, channel_blocks; /* of a task; tasks side by side                                       */
    int32_t blocks, task_blocks, block_groups;
    int32_t parts;
    int32_t rows_are_taps;
    int32_t whole;        /* a block has whole images                                                             */
    int32_t bare;         /* images lie in the panel without a border, and tiles leave out what a tap does not meet */
    int32_t in_place;     /* one tap and no edge: the image itself takes the panel's part                         */
    int64_t plane, image; /* floats between the panel's channels, its images                                  */
    int64_t panel_floats, turned_floats, sums_floats;
};

static void plan_outputs(struct gradient *m, int32_t *rows, int32_t *cols)
{
    const struct dims *d = &m->d;
    m->bands = (int32_t)convoy_ceil_div(d->ow, OUTPUTS);
    *cols = (int32_t)convoy_ceil_div(d->ow, m->bands);
    m->bands = (int32_t)convoy_ceil_div(d->ow, *cols);
    const int64_t most = convoy_min(d->oh, convoy_max(1, OUTPUTS / *cols));
    *rows = (int32_t)convoy_ceil_div(d->oh, convoy_ceil_div(d->oh, most));
    m->strips = (int32_t)convoy_ceil_div(d->oh, *rows);
    m->images =
        m->strips == 1 && m->bands == 1 ? (int32_t)convoy_min(d->n, convoy_max(1, OUTPUTS / ((int64_t)*rows * *cols))) : 1;
}

static void plan_channels(struct gradient *m)
{
    const struct dims *d = &m->d;
    m->width = (int64_t)m->isa->family->lanes * m->isa->family->vectors;
    m->blocks = (int32_t)convoy_ceil_div(d->k, m->width);
    const int64_t tile_floats = m->width * m->taps;
    const int64_t most_blocks = convoy_max(1, SUMS_FLOATS / (tile_floats * convoy_min(d->c, USUAL_CHANNELS)));
    m->block_groups = (int32_t)convoy_ceil_div(m->blocks, convoy_min(m->blocks, most_blocks));
    m->task_blocks = (int32_t)convoy_ceil_div(m->blocks, m->block_groups);
    m->block_groups = (int32_t)convoy_ceil_div(m->blocks, m->task_blocks);
    const int64_t fit = convoy_min(SUMS_FLOATS / (tile_floats * m->task_blocks), PANEL_FLOATS / (m->plane * m->images));
    const int64_t most = convoy_max(convoy_min(d->c, m->isa->family->rows), fit);
    m->channels = (int32_t)convoy_ceil_div(d->c, convoy_ceil_div(d->c, most));
    m->channel_blocks = (int32_t)convoy_ceil_div(d->c, m->channels);
}

static ptrdiff_t *make_gather(const struct gradient *m, int32_t cols, int32_t images)
{
    const struct panel *p = &m->panel;
    const struct layout *x = &m->d.x;
    const int64_t row = m->bare ? m->h.stride * x->row : p->row_step * p->width,
                  col = m->bare ? m->w.stride * x->col : p->col_step;
    ptrdiff_t *gather = malloc((size_t)images * (size_t)p->rows * (size_t)cols * sizeof *gather), *at = gather;
    if (!gather)
        return NULL;
    for (int32_t oh = 0; oh < p->rows; oh++)
        for (int32_t ow = 0; ow < cols; ow++)
            for (int32_t n = 0; n < images; n++)
                *at++ = (ptrdiff_t)(n * m->image + oh * row + ow * col);
    return gather;
}

static int64_t output_blocks(const struct gradient *m)
{
    return convoy_ceil_div(m->d.n, m->images) * m->strips * m->bands;
}

static int64_t weight_tasks(const struct gradient *m)
{
    return (int64_t)m->d.groups * m->block_groups * m->channel_blocks;
}

static int plan_gradient(struct gradient *m)
{
    const struct dims *d = &m->d;
    int32_t rows, cols;
    m->taps = (int64_t)d->kh * d->kw;
    if (!axis_open(&m->h, d->h, d->oh, d->stride_h, d->kh, d->dil_h, d->pad_t) ||
        !axis_open(&m->w, d->w, d->ow, d->stride_w, d->kw, d->dil_w, d->pad_l))
        return 0;
    axis_keep_met(&m->h);
    axis_keep_met(&m->w);
    plan_outputs(m, &rows, &cols);
    if (!panel_open(&m->panel, &m->h, &m->w, rows, cols, 0))
        return 0;
    m->whole = m->strips == 1 && m->bands == 1;
    m->rows_are_taps = d->kw > d->c && d->c < m->isa->family->rows / 2 && m->w.taps == d->kw;
    m->bare = m->whole && !m->rows_are_taps && m->images >= BARE_IMAGES;
    m->in_place = m->taps == 1 && m->images == 1 && d->h == 1 && d->oh == 1 && d->w == d->ow && d->stride_w == 1 &&
                  d->pad_l == 0 && d->x.col == 1;
    m->plane = m->bare || m->in_place ? d->x.channel : panel_channel_floats(&m->panel);
    plan_channels(m);
    /* An odd number of cache lines: an output's images shall not meet in the same sets of the cache. */
    m->image = convoy_round_up(m->channels * m->plane, 2 * LINE) + LINE;
    m->gather = make_gather(m, cols, m->images);
    m->gather_last = make_gather(m, d->ow - (m->bands - 1) * cols, (d->n - 1) % m->images + 1);
    if (!m->gather || !m->gather_last)
        return 0;
    m->parts = (int32_t)convoy_max(1, convoy_min(convoy_ceil_div(TASKS, weight_tasks(m)), output_blocks(m) / 2));
    m->panel_floats = m->in_place ? 0 : m->images * m->image;
    m->turned_floats = (int64_t)m->task_blocks * m->images * rows * cols * m->width;
    m->sums_floats = (int64_t)m->task_blocks * m->channels * m->taps * m->width;
    return 1;
}

/* The weights of one task. */
struct share {
    int64_t group, first_block, blocks, c, channels;
};

static struct share share_of(const struct gradient *m, int64_t task)
{
    struct share share;
    share.c = task % m->channel_blocks * m->channels;
    share.channels = convoy_min(m->channels, m->d.c - share.c);
    task /= m->channel_blocks;
    share.first_block = task % m->block_groups * m->task_blocks;
    share.blocks = convoy_min(m->task_blocks, m->blocks - share.first_block);
    share.group = task / m->block_groups;
    return share;
}

struct call {
    const struct gradient *m;
    const struct tensors *t;
    float *parts; /* sums of every task and part; NULL: one part, whose sums are the worker's                */
    float *workers;
};

/* The outputs of one block: `images` images from n, of each `rows` rows of `cols` from (oh, ow). */
struct outputs {
    int64_t n, oh, ow, images, rows, cols;
    const ptrdiff_t *gather;
};

/* One image's gradients, to every images-th row. */
static void turn_rows(const struct gradient *m, const struct outputs *at, const float *dy, int32_t channels, float *to)
{
    struct transpose turn = {
        .channel = m->d.y.channel, .pixels = at->cols, .width = m->width, .row = at->images * m->width, .channels = channels};
    int64_t rows = at->rows;
    if (m->d.y.channel == 1) { /* in rows already */
        for (int64_t ow = 0; ow < at->cols; ow++, to += turn.row) {
            memcpy(to, dy + ow * m->d.y.col, (size_t)channels * sizeof *to);
            memset(to + channels, 0, (size_t)(m->width - channels) * sizeof *to);
        }
        return;
    }
    if (at->cols == m->d.ow) {
        turn.pixels = rows * at->cols;
        rows = 1;
    }
    for (int64_t oh = 0; oh < rows; oh++) {
        turn.from = dy + oh * m->d.y.row;
        turn.to = to + oh * at->cols * turn.row;
        m->isa->transpose(&turn);
    }
}

struct span {
    int64_t first, count;
};

/* The outputs at which a tap meets an input. */
static struct span met(const struct axis *axis, int64_t tap)
{
    const int64_t offset = axis->offset[tap], first = offset < 0 ? convoy_ceil_div(-offset, axis->stride) : 0,
                  end = offset < axis->in ? convoy_min(axis->out, (axis->in - offset - 1) / axis->stride + 1) : 0;
    return (struct span){first, convoy_max(0, end - first)};
}

/* One tile, over the outputs that tap (r, s) meets, or r and any of its row where s is -1. Where whole rows meet it they are one
 * run; else a run is a part of a row in all images, if leaving out the border saves more than the runs cost. */
static void add_tile(const struct gradient *m, const struct outputs *at, const float *turned, int64_t r, int64_t s,
                     struct mk_tile tile, mk_tile_fn *run)
{
    struct span rows = {0, at->rows}, cols = {0, at->cols};
    if (m->whole) {
        rows = met(&m->h, r);
        cols = s < 0 ? cols : met(&m->w, s);
    }
    int64_t runs = 1, first = rows.first * at->cols * at->images;
    tile.k = rows.count * at->cols * at->images;
    if (rows.count > 0 && cols.count < at->cols && (m->bare || cols.count * at->images + RUN_COST < at->cols * at->images)) {
        runs = rows.count;
        first += cols.first * at->images;
        tile.k = cols.count * at->images;
    }
    for (int64_t i = 0; i < runs; i++, first += at->cols * at->images) {
        tile.a_offset = at->gather ? at->gather + first : NULL;
        tile.b = turned + first * m->width;
        run(&tile);
        tile.accumulate = 1;
    }
}

/* panel: or the image, in place. */
static void add_block(const struct gradient *m, const struct share *share, const struct outputs *at, const float *panel,
                      const float *turned, int32_t accumulate, float *sums)
{
    const struct mk_family *family = m->isa->family;
    const struct panel *p = &m->panel;
    const struct layout *x = &m->d.x;
    for (int64_t b = 0; b < share->blocks; b++) {
        const int64_t valid = convoy_min(m->width, m->d.k - (share->first_block + b) * m->width);
        const int64_t vectors = convoy_ceil_div(valid, family->lanes);
        const float *const gradients = turned + b * at->images * at->rows * at->cols * m->width;
        struct mk_tile tile = {
            .a_col = 1,
            .b_row = m->width,
            .accumulate = accumulate,
            .a_row = m->rows_are_taps ? (m->d.kw > 1 ? p->tap_col[1] - p->tap_col[0] : 0) : m->plane,
            .c_row = m->rows_are_taps ? m->width : m->taps * m->width,
        };
        float *const to = sums + b * m->channels * m->taps * m->width;
        const int64_t length = m->rows_are_taps ? m->d.kw : share->channels, tiles = convoy_ceil_div(length, family->rows);
        for (int64_t i = 0; i < tiles; i++) {
            const int64_t from = i * length / tiles, rows = (i + 1) * length / tiles - from;
            mk_tile_fn *const run = family->tile[rows - 1][vectors - 1];
            for (int64_t r = 0; r < m->h.taps; r++) {
                const float *const row = panel + (m->bare ? m->h.offset[r] * x->row : p->tap_row[r] * p->width);
                float *const to_row = to + m->h.tap[r] * m->d.kw * m->width;
                for (int64_t c = 0; c < share->channels && m->rows_are_taps; c++) {
                    tile.a = row + c * m->plane + p->tap_col[from];
                    tile.c = to_row + (c * m->taps + from) * m->width;
                    add_tile(m, at, gradients, r, -1, tile, run);
                }
                for (int64_t s = 0; s < m->w.taps && !m->rows_are_taps; s++) {
                    tile.a = row + from * m->plane + (m->bare ? m->w.offset[s] * x->col : p->tap_col[s]);
                    tile.c = to_row + (from * m->taps + m->w.tap[s]) * m->width;
                    add_tile(m, at, gradients, r, s, tile, run);
                }
            }
        }
    }
}

static void store_share(const struct gradient *m, const struct share *share, const float *sums, float *dw)
{
    for (int64_t b = 0; b < share->blocks; b++) {
        const int64_t k = (share->first_block + b) * m->width, length = share->channels * m->taps;
        struct tile_store store = {
            .width = m->width,
            .y_channel = m->d.c * m->taps,
            .y_col = 1,
            .channels = (int32_t)convoy_min(m->width, m->d.k - k),
        };
        float *const to = dw + ((share->group * m->d.k + k) * m->d.c + share->c) * m->taps;
        /* Whole cache lines, where the channels' rows begin alike. */
        const int64_t line = m->isa->store_rows, lead = (line - (int64_t)((uintptr_t)to / sizeof(float)) % line) % line;
        for (int64_t j = 0, rows; j < length; j += rows) {
            rows = convoy_min(j == 0 && lead > 0 ? lead : line, length - j);
            store.tile = sums + (b * m->channels * m->taps + j) * m->width;
            store.rows = (int32_t)rows;
            store.y = to + j;
            m->isa->store(&store);
        }
    }
}

static void compute_share(void *context, size_t i, size_t worker)
{
    const struct call *call = context;
    const struct gradient *m = call->m;
    const struct dims *d = &m->d;
    const struct panel *p = &m->panel;
    const int64_t part = (int64_t)i % m->parts;
    const struct share share = share_of(m, (int64_t)i / m->parts);
    float *const scratch =
        call->workers + (int64_t)worker * (m->panel_floats + m->turned_floats + (call->parts ? 0 : m->sums_floats));
    float *const panel = scratch, *const turned = panel + m->panel_floats;
    float *const sums = call->parts ? call->parts + (int64_t)i * m->sums_floats : turned + m->turned_floats;
    const int64_t all = output_blocks(m), first = part * all / m->parts, last = (part + 1) * all / m->parts;
    if (m->h.taps * m->w.taps < m->taps)
        memset(sums, 0, (size_t)m->sums_floats * sizeof *sums);
    for (int64_t block = first; block < last; block++) {
        struct outputs at = {.ow = block % m->bands * p->cols,
                             .oh = block / m->bands % m->strips * p->rows,
                             .n = block / m->bands / m->strips * m->images};
        at.images = convoy_min(m->images, d->n - at.n);
        at.rows = convoy_min(p->rows, d->oh - at.oh);
        at.cols = convoy_min(p->cols, d->ow - at.ow);
        if (!m->in_place)
            at.gather = at.cols == p->cols && at.images == m->images ? m->gather : m->gather_last;
        const float *const x = call->t->x + at.n * d->x.image + share.group * d->x.group + share.c * d->x.channel;
        for (int64_t image = 0; image < at.images; image++) {
            const struct panel_job fill = {
                .panel = p,
                .h = &m->h,
                .w = &m->w,
                .layout = &d->x,
                .x = x + image * d->x.image,
                .channels = share.channels,
                .oh = at.oh,
                .ow = at.ow,
                .to = panel + image * m->image,
            };
            if (m->bare)
                memcpy(fill.to, fill.x, (size_t)(share.channels * m->plane) * sizeof *fill.to);
            else if (!m->in_place)
                m->isa->fill(&fill);
            for (int64_t b = 0; b < share.blocks; b++) {
                const int64_t k = (share.first_block + b) * m->width;
                turn_rows(m, &at,
                          call->t->dy + (at.n + image) * d->y.image + share.group * d->y.group + k * d->y.channel +
                              at.oh * d->y.row + at.ow * d->y.col,
                          (int32_t)convoy_min(m->width, d->k - k),
                          turned + (b * at.rows * at.cols * at.images + image) * m->width);
            }
        }
        add_block(m, &share, &at, m->in_place ? x + at.ow : panel, turned, block > first, sums);
    }
    if (!call->parts)
        store_share(m, &share, sums, call->t->dw);
}

/* The parts of a task, in their order. */
static void add_parts(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct call *call = context;
    const struct gradient *m = call->m;
    const struct share share = share_of(m, (int64_t)i);
    float *const sums = call->parts + (int64_t)i * m->parts * m->sums_floats;
    for (int64_t b = 0; b < share.blocks; b++) {
        const int64_t start = b * m->channels * m->taps * m->width, length = share.channels * m->taps * m->width;
        for (int32_t part = 1; part < m->parts; part++) {
            const float *const from = sums + part * m->sums_floats + start;
            for (int64_t j = 0; j < length; j++)
                sums[start + j] += from[j];
        }
    }
    store_share(m, &share, sums, call->t->dw);
}

static void execute(const void *state, const struct tensors *tensors)
{
    const struct gradient *m = state;
    const int64_t tasks = weight_tasks(m);
    struct call call = {.m = m, .t = tensors, .workers = tensors->workspace};
    if (m->parts > 1) {
        call.parts = tensors->workspace;
        call.workers = tensors->workspace + tasks * m->parts * m->sums_floats;
    }
    m->host->parallel(m->host, compute_share, &call, (size_t)(tasks * m->parts));
    if (m->parts > 1)
        m->host->parallel(m->host, add_parts, &call, (size_t)tasks);
    if (tensors->dbias)
        bias_gradient(m->host, &m->d, tensors);
}

static void close_gradient(void *state)
{
    struct gradient *m = state;
    axis_close(&m->h);
    axis_close(&m->w);
    panel_close(&m->panel);
    free(m->gather);
    free(m->gather_last);
    free(m);
}

convoy_status gradient_open(const struct self *self, const struct convoy_conv *problem, struct method *method,
                            struct convoy_error *err)
{
    struct gradient *m = calloc(1, sizeof *m);
    if (!m)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    m->host = self->host;
    m->isa = self->isa;
    m->d = dims_of(problem);
    if (!plan_gradient(m)) {
        close_gradient(m);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    }
    const int64_t worker_floats = m->panel_floats + m->turned_floats + (m->parts > 1 ? 0 : m->sums_floats);
    const int64_t part_floats = m->parts > 1 ? weight_tasks(m) * m->parts * m->sums_floats : 0;
    *method = (struct method){
        .state = m,
        .execute = execute,
        .close = close_gradient,
        .workspace_bytes = (uint64_t)(part_floats + worker_floats * self->host->threads) * sizeof(float),
    };
    snprintf(method->name, sizeof method->name, "direct %dx%d", m->isa->family->rows, (int)m->width);
    return CONVOY_OK;
}
