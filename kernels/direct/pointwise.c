/* pointwise: 1x1 kernels of stride 1, forward and backward-data, as a product of matrices. Lanes are pixels,
 * rows of a tile output channels, so that no tile is turned over; the sums are in the output itself. */
#include "direct.h"
#include <stdlib.h>

enum {
    CHAIN = 288,          /* channels of one chain of sums                                                  */
    STRIP_TILES = 8,      /* pixels of a task, in tiles: their panel lies in L2                             */
    TASKS_PER_THREAD = 16 /* from here on the last ones to finish do not matter                         */
};

struct pointwise {
    const struct convoy_host *host;
    const struct isa *isa;
    int32_t n, groups, channels, outputs, backward, relu;
    int64_t pixels, width;
    int64_t weight_k, weight_c; /* distances in W                                                 */
    int32_t chunk, blocks;      /* channels of a chain; blocks of rows                            */
    int32_t strips;
    int64_t panel_floats, sums_floats;
};

static int64_t first_row(const struct pointwise *m, int64_t block)
{
    return block * m->outputs / m->blocks;
}

struct call {
    const struct pointwise *m;
    const float *x, *w, *weights, *bias;
    float *packed, *y, *workspace;
};

/* [group][block of rows][channel][row of the block]: a block begins at its first row times the channels. */
static void pack_block(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct call *call = context;
    const struct pointwise *m = call->m;
    const int64_t g = (int64_t)i / m->blocks, first = first_row(m, (int64_t)i % m->blocks),
                  last = first_row(m, (int64_t)i % m->blocks + 1);
    const float *const w = call->w + g * m->outputs * m->channels;
    float *to = call->packed + (g * m->outputs + first) * m->channels;
    for (int64_t c = 0; c < m->channels; c++)
        for (int64_t k = first; k < last; k++)
            *to++ = w[k * m->weight_k + c * m->weight_c];
}

static void prepare(const void *state, const struct tensors *t)
{
    const struct pointwise *m = state;
    struct call call = {.m = m, .w = t->w, .packed = t->prepared};
    m->host->parallel(m->host, pack_block, &call, (size_t)m->groups * (size_t)m->blocks);
}

/* Part of a tile lies beyond the image: it is computed aside. */
static void run_edge(const struct pointwise *m, struct mk_tile *tile, mk_tile_fn *run, int64_t rows, int64_t count, float *sums)
{
    float *const to = tile->c;
    tile->c = sums;
    tile->c_row = m->width;
    for (int64_t r = 0; r < rows && tile->accumulate; r++)
        for (int64_t j = 0; j < count; j++)
            sums[r * m->width + j] = to[r * m->pixels + j];
    run(tile);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < count; j++)
            to[r * m->pixels + j] = sums[r * m->width + j];
}

static void compute_strip(void *context, size_t i, size_t worker)
{
    const struct call *call = context;
    const struct pointwise *m = call->m;
    const struct mk_family *family = m->isa->family;
    const int64_t strip = (int64_t)i % m->strips, matrix = (int64_t)i / m->strips, group = matrix % m->groups;
    const int64_t tiles = convoy_ceil_div(m->pixels, m->width);
    const int64_t first = strip * tiles / m->strips * m->width,
                  last = convoy_min(m->pixels, (strip + 1) * tiles / m->strips * m->width);
    const float *const x = call->x + matrix * m->channels * m->pixels + first;
    const float *const weights = call->weights + group * m->outputs * m->channels;
    float *const y = call->y + matrix * m->outputs * m->pixels + first;
    float *const panel = call->workspace + (int64_t)worker * (m->panel_floats + m->sums_floats), *const sums =
                                                                                                     panel + m->panel_floats;
    for (int64_t c = 0; c < m->channels; c += m->chunk) {
        const int64_t channels = convoy_min(m->chunk, m->channels - c);
        const int final = c + channels == m->channels;
        const int64_t whole = (last - first) / m->width * m->width;
        const struct columns columns = {.from = x + c * m->pixels + whole,
                                        .row = m->pixels,
                                        .rows = channels,
                                        .count = last - first - whole,
                                        .width = m->width,
                                        .to = panel + whole * channels};
        m->isa->columns(&columns);
        for (int64_t block = 0; block < m->blocks; block++) {
            const int64_t k = first_row(m, block), rows = first_row(m, block + 1) - k;
            for (int64_t p = 0; p < last - first; p += m->width) {
                const int64_t count = convoy_min(m->width, last - first - p), vectors = convoy_ceil_div(count, family->lanes);
                mk_tile_fn *const run = family->tile[rows - 1][vectors - 1];
                struct mk_tile tile = {
                    .a = weights + k * m->channels + c * rows,
                    .a_row = 1,
                    .a_col = rows,
                    .b = panel + p * channels,
                    .b_row = vectors * family->lanes,
                    .c = y + k * m->pixels + p,
                    .c_row = m->pixels,
                    .k = channels,
                    .accumulate = c > 0,
                    .relu = final && m->relu,
                    .row_add = final && call->bias ? call->bias + group * m->outputs + k : NULL,
                };
                if (block == 0 && count == m->width) {
                    tile.b = x + c * m->pixels + p;
                    tile.b_row = tile.ahead_row = m->pixels;
                    tile.b_copy = panel + p * channels;
                    tile.b_ahead = tile.b + m->width;
                }
                if (count == vectors * family->lanes)
                    run(&tile);
                else
                    run_edge(m, &tile, run, rows, count, sums);
            }
        }
    }
}

static void execute(const void *state, const struct tensors *t)
{
    const struct pointwise *m = state;
    struct call call = {.m = m,
                        .x = m->backward ? t->dy : t->x,
                        .weights = t->prepared,
                        .bias = t->bias,
                        .y = m->backward ? t->dx : t->y,
                        .workspace = t->workspace};
    m->host->parallel(m->host, compute_strip, &call, (size_t)m->n * (size_t)m->groups * (size_t)m->strips);
}

static void plan_tasks(struct pointwise *m)
{
    const int64_t tiles = convoy_ceil_div(m->pixels, m->width), threads = (int64_t)m->host->threads;
    m->chunk = (int32_t)convoy_ceil_div(m->channels, convoy_ceil_div(m->channels, CHAIN));
    m->blocks = (int32_t)convoy_ceil_div(m->outputs, m->isa->family->rows);
    const int64_t others = (int64_t)m->n * m->groups;
    int64_t strips = convoy_ceil_div(tiles, STRIP_TILES);
    if (others * strips < threads * TASKS_PER_THREAD) /* few tasks: as many for each thread */
        while (others * strips % threads)
            strips++;
    m->strips = (int32_t)convoy_min(tiles, strips);
    m->panel_floats = convoy_ceil_div(tiles, m->strips) * m->chunk * m->width;
    m->sums_floats = m->isa->family->rows * m->width;
}

/* Pixels that fill the vectors of their tiles; images that do not are better served with lanes over channels. */
int pointwise_suits(const struct self *self, const struct convoy_conv *p)
{
    if (p->head.op == CONVOY_CONV_BWD_WEIGHTS || p->kh != 1 || p->kw != 1 || p->stride_h != 1 || p->stride_w != 1 || p->pad_t ||
        p->pad_b || p->pad_l || p->pad_r)
        return 0;
    const int64_t lanes = self->isa->family->lanes, pixels = (int64_t)p->h * p->w;
    const int32_t outputs = (p->head.op == CONVOY_CONV_FWD ? p->k : p->c) / p->groups;
    return pixels >= lanes && pixels * 100 >= convoy_round_up(pixels, lanes) * (outputs < lanes ? 50 : 96);
}

convoy_status pointwise_open(const struct self *self, const struct convoy_conv *problem, struct method *method,
                             struct convoy_error *err)
{
    struct pointwise *m = calloc(1, sizeof *m);
    if (!m)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    const int32_t c = problem->c / problem->groups, k = problem->k / problem->groups;
    const int backward = problem->head.op == CONVOY_CONV_BWD_DATA;
    *m = (struct pointwise){
        .host = self->host,
        .isa = self->isa,
        .n = problem->n,
        .groups = problem->groups,
        .channels = backward ? k : c,
        .outputs = backward ? c : k,
        .backward = backward,
        .relu = (problem->head.flags & CONVOY_WITH_RELU) != 0,
        .pixels = (int64_t)problem->h * problem->w,
        .width = (int64_t)self->isa->family->lanes * self->isa->family->vectors,
        .weight_k = backward ? 1 : c,
        .weight_c = backward ? c : 1,
    };
    plan_tasks(m);
    *method = (struct method){
        .state = m,
        .prepare = prepare,
        .execute = execute,
        .close = free,
        .split = (uint32_t)m->chunk,
        .name = "direct 1x1",
        .workspace_bytes = (uint64_t)(m->panel_floats + m->sums_floats) * sizeof(float) * self->host->threads,
        .prepared_bytes = (uint64_t)m->groups * (uint64_t)m->outputs * (uint64_t)m->channels * sizeof(float),
    };
    return CONVOY_OK;
}
