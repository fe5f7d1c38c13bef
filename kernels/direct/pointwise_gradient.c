/* pointwise_gradient: weight gradients of 1x1 kernels, dW[k][c] = sum over outputs of dy[k] * x[c], as a product of matrices. The
 * inputs that the outputs meet are turned over to [output][channel] rows, which are the vectors; dy gives the scalars as it
 * lies. Lanes are input channels, which are neighbours in dW, so that the sums are in dW itself. A fully connected layer's x
 * is in such rows from the start. */
#include "direct.h"
#include <stdlib.h>
#include <string.h>

enum {
    OUTPUTS = 256, /* of a block, at most: the chain                                                  */
    TURNED_FLOATS = 64 * 1024,
    TASKS_PER_THREAD = 16,
    LINE = 16 /* floats of a cache line                                                              */
};

struct pointwise_gradient {
    const struct convoy_host *host;
    const struct isa *isa;
    struct dims d;
    struct axis h, w;
    struct panel panel;
    ptrdiff_t *gather;             /* [output of a block]: places in dy, where a block has several images     */
    int32_t images, strips, bands; /* images of a block; blocks of an image                                  */
    int32_t in_place, in_rows;     /* x needs no panel; no turn either                                        */
    int64_t width, tiles, task_tiles, tile_parts, row_blocks, row_parts;
    int64_t panel_floats, turned_floats, sums_floats;
};

struct call {
    const struct pointwise_gradient *m;
    const struct tensors *t;
};

/* The outputs of one block: of `images` images, of each `rows` rows of `cols`, which succeed one another in dy. */
struct outputs {
    int64_t n, oh, ow, images, rows, cols, count;
};

static struct outputs outputs_of(const struct pointwise_gradient *m, int64_t block)
{
    const struct dims *d = &m->d;
    struct outputs at = {.ow = block % m->bands * m->panel.cols};
    block /= m->bands;
    at.oh = block % m->strips * m->panel.rows;
    at.n = block / m->strips * m->images;
    at.images = convoy_min(m->images, d->n - at.n);
    at.rows = convoy_min(m->panel.rows, d->oh - at.oh);
    at.cols = convoy_min(m->panel.cols, d->ow - at.ow);
    at.count = at.images * at.rows * at.cols;
    return at;
}

/* The inputs of `channels` channels, to rows of `width`. x: of the first one's first image. */
static void turn(const struct pointwise_gradient *m, const float *x, const struct outputs *at, int64_t channels, float *panel,
                 float *to)
{
    const struct dims *d = &m->d;
    if (m->in_rows) {
        for (int64_t i = 0; i < at->count; i++, to += m->width) {
            memcpy(to, x + (at->ow + i) * d->x.col, (size_t)channels * sizeof *to);
            memset(to + channels, 0, (size_t)(m->width - channels) * sizeof *to);
        }
        return;
    }
    for (int64_t image = 0; image < at->images; image++) {
        const int64_t count = at->rows * at->cols;
        struct transpose job = {.from = x + image * d->x.image + at->oh * d->x.row + at->ow,
                                .channel = d->x.channel,
                                .pixels = count,
                                .width = m->width,
                                .row = m->width,
                                .channels = (int32_t)channels,
                                .to = to + image * count * m->width};
        if (!m->in_place) {
            const struct panel_job fill = {.panel = &m->panel,
                                           .h = &m->h,
                                           .w = &m->w,
                                           .layout = &d->x,
                                           .x = x + image * d->x.image,
                                           .channels = channels,
                                           .oh = at->oh,
                                           .ow = at->ow,
                                           .to = panel};
            m->isa->fill(&fill);
            job.from = panel;
            job.channel = panel_channel_floats(&m->panel);
        }
        m->isa->transpose(&job);
    }
}

/* A tile that ends inside a vector is computed aside. */
static void run_edge(mk_tile_fn *run, struct mk_tile *tile, int64_t rows, int64_t channels, int64_t width, float *sums)
{
    float *const to = tile->c;
    const ptrdiff_t row = tile->c_row;
    tile->c = sums;
    tile->c_row = width;
    for (int64_t r = 0; r < rows && tile->accumulate; r++)
        memcpy(sums + r * width, to + r * row, (size_t)channels * sizeof *to);
    run(tile);
    for (int64_t r = 0; r < rows; r++)
        memcpy(to + r * row, sums + r * width, (size_t)channels * sizeof *to);
}

static void compute_task(void *context, size_t i, size_t worker)
{
    const struct call *call = context;
    const struct pointwise_gradient *m = call->m;
    const struct dims *d = &m->d;
    const struct mk_family *family = m->isa->family;
    const int64_t part = (int64_t)i % m->row_parts, share = (int64_t)i / m->row_parts % m->tile_parts,
                  group = (int64_t)i / m->row_parts / m->tile_parts;
    const int64_t first_tile = share * m->tiles / m->tile_parts, last_tile = (share + 1) * m->tiles / m->tile_parts;
    const int64_t first_block = part * m->row_blocks / m->row_parts, last_block = (part + 1) * m->row_blocks / m->row_parts;
    float *const panel = call->t->workspace + (int64_t)worker * (m->panel_floats + m->turned_floats + m->sums_floats),
                 *const turned = panel + m->panel_floats, *const sums = turned + m->turned_floats;
    const int64_t blocks = convoy_ceil_div(d->n, m->images) * m->strips * m->bands;
    for (int64_t block = 0; block < blocks; block++) {
        const struct outputs at = outputs_of(m, block);
        const int64_t tile_floats = at.count * m->width;
        for (int64_t t = first_tile; t < last_tile; t++)
            turn(m, call->t->x + at.n * d->x.image + group * d->x.group + t * m->width * d->x.channel, &at,
                 convoy_min(m->width, d->c - t * m->width), panel, turned + (t - first_tile) * tile_floats);
        const float *const dy = call->t->dy + at.n * d->y.image + group * d->y.group + at.oh * d->y.row + at.ow * d->y.col;
        for (int64_t b = first_block; b < last_block; b++) {
            const int64_t k = b * d->k / m->row_blocks, rows = (b + 1) * d->k / m->row_blocks - k;
            int64_t fetched = k + rows;
            for (int64_t t = first_tile; t < last_tile; t++) {
                const int64_t c = t * m->width, channels = convoy_min(m->width, d->c - c),
                              vectors = convoy_ceil_div(channels, family->lanes);
                struct mk_tile tile = {
                    .a = dy + k * d->y.channel,
                    .a_row = d->y.channel,
                    .a_col = d->y.col,
                    .a_offset = at.images > 1 ? m->gather : NULL,
                    .b = turned + (t - first_tile) * tile_floats,
                    .b_row = m->width,
                    .c = call->t->dw + (group * d->k + k) * d->c + c,
                    .c_row = d->c,
                    .k = at.count,
                    .accumulate = block > 0,
                };
                /* The next block's gradients, a few at a time: their rows are too short for the hardware's prefetch. */
                const int64_t upto =
                    k + rows + convoy_min(rows, d->k - k - rows) * (t + 1 - first_tile) / (last_tile - first_tile);
                for (; fetched < upto; fetched++)
                    for (int64_t j = 0; j < at.count; j += LINE)
                        __builtin_prefetch(dy + fetched * d->y.channel + j, 0, 2);
                mk_tile_fn *const run = family->tile[rows - 1][vectors - 1];
                if (channels == vectors * family->lanes)
                    run(&tile);
                else
                    run_edge(run, &tile, rows, channels, m->width, sums);
            }
        }
    }
}

static void execute(const void *state, const struct tensors *tensors)
{
    const struct pointwise_gradient *m = state;
    struct call call = {.m = m, .t = tensors};
    m->host->parallel(m->host, compute_task, &call, (size_t)(m->d.groups * m->tile_parts * m->row_parts));
    if (tensors->dbias)
        bias_gradient(m->host, &m->d, tensors);
}

static void plan_outputs(struct pointwise_gradient *m, int32_t *rows, int32_t *cols)
{
    const struct dims *d = &m->d;
    m->bands = (int32_t)convoy_ceil_div(d->ow, OUTPUTS);
    *cols = (int32_t)convoy_ceil_div(d->ow, m->bands);
    m->bands = (int32_t)convoy_ceil_div(d->ow, *cols);
    const int64_t most = m->bands > 1 ? 1 : convoy_min(d->oh, OUTPUTS / *cols);
    *rows = (int32_t)convoy_ceil_div(d->oh, convoy_ceil_div(d->oh, most));
    m->strips = (int32_t)convoy_ceil_div(d->oh, *rows);
    m->images =
        m->strips == 1 && m->bands == 1 ? (int32_t)convoy_min(d->n, convoy_max(1, OUTPUTS / ((int64_t)*rows * *cols))) : 1;
}

/* Input channels are divided until their turned block fits, and among threads; then output channels among threads, which share
 * the turning. */
static void plan_tasks(struct pointwise_gradient *m, int64_t outputs)
{
    const struct dims *d = &m->d;
    const int64_t threads = (int64_t)m->host->threads;
    m->tiles = convoy_ceil_div(d->c, m->width);
    const int64_t fit = convoy_max(1, TURNED_FLOATS / (outputs * m->width));
    int64_t parts = convoy_ceil_div(m->tiles, fit);
    if (d->groups * parts < threads * TASKS_PER_THREAD) /* few tasks: as many for each thread */
        while (d->groups * parts % threads)
            parts++;
    m->tile_parts = convoy_min(m->tiles, parts);
    m->task_tiles = convoy_ceil_div(m->tiles, m->tile_parts);
    m->row_blocks = convoy_ceil_div(d->k, m->isa->family->rows);
    m->row_parts = convoy_min(m->row_blocks, convoy_ceil_div(threads, d->groups * m->tile_parts));
    m->turned_floats = m->task_tiles * outputs * m->width;
    m->sums_floats = m->isa->family->rows * m->width;
    m->panel_floats = m->in_place || m->in_rows ? 0 : convoy_round_up(m->width * panel_channel_floats(&m->panel), LINE);
}

static int plan(struct pointwise_gradient *m)
{
    const struct dims *d = &m->d;
    int32_t rows, cols;
    if (!axis_open(&m->h, d->h, d->oh, d->stride_h, 1, d->dil_h, d->pad_t) ||
        !axis_open(&m->w, d->w, d->ow, d->stride_w, 1, d->dil_w, d->pad_l))
        return 0;
    plan_outputs(m, &rows, &cols);
    if (!panel_open(&m->panel, &m->h, &m->w, rows, cols, 0))
        return 0;
    const int64_t pixels = (int64_t)rows * cols;
    m->in_rows = d->x.channel == 1 && d->x.col != 1;
    m->in_place = !m->in_rows && d->x.col == 1 && d->h == 1 && d->oh == 1 && d->w == d->ow && d->stride_w == 1 && d->pad_l == 0;
    m->gather = malloc((size_t)(m->images * pixels) * sizeof *m->gather);
    if (!m->gather)
        return 0;
    for (int64_t i = 0; i < m->images * pixels; i++)
        m->gather[i] = (ptrdiff_t)(i / pixels * d->y.image + i % pixels * d->y.col);
    plan_tasks(m, m->images * pixels);
    return 1;
}

static void close_plan(void *state)
{
    struct pointwise_gradient *m = state;
    axis_close(&m->h);
    axis_close(&m->w);
    panel_close(&m->panel);
    free(m->gather);
    free(m);
}

/* Where input channels fill the lanes about as well as output channels would. */
int pointwise_gradient_suits(const struct self *self, const struct convoy_conv *p)
{
    const struct dims d = dims_of(p);
    const int64_t lanes = self->isa->family->lanes;
    return d.kh == 1 && d.kw == 1 && d.c * 5 >= convoy_round_up(d.c, lanes) * 4 && d.k >= self->isa->family->rows / 2;
}

convoy_status pointwise_gradient_open(const struct self *self, const struct convoy_conv *problem, struct method *method,
                                      struct convoy_error *err)
{
    struct pointwise_gradient *m = calloc(1, sizeof *m);
    if (!m)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    m->host = self->host;
    m->isa = self->isa;
    m->d = dims_of(problem);
    m->width = (int64_t)self->isa->family->lanes * self->isa->family->vectors;
    if (!plan(m)) {
        close_plan(m);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    }
    *method = (struct method){
        .state = m,
        .execute = execute,
        .close = close_plan,
        .workspace_bytes = (uint64_t)(m->panel_floats + m->turned_floats + m->sums_floats) * sizeof(float) * self->host->threads,
        .name = "direct 1x1",
    };
    return CONVOY_OK;
}
