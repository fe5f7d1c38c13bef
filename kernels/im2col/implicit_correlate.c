/* Forward and backward-data of the implicit variant: outputs = weights * L. A task packs a strip of L for a chunk of channels
 * and multiplies it by all blocks of weights that are its own:
 *
 *                chunk                 strip                     strip
 *              +-------+            +-----------+             +-----------+
 *      outputs |   W   |  *  chunk  |     L     |   added to  |     y     | outputs
 *              +-------+            +-----------+             +-----------+
 *
 * Sums are formed in the output itself where consecutive positions are neighbours there, otherwise in the workspace. */
#include "implicit.h"
#include "lower.h"
#include <convoy/plugin.h>
#include <stddef.h>
#include <string.h>

enum {
    CHAIN = 288,               /* terms of one chain of sums                                                */
    WHOLE_CHAIN = 576,         /* a sum this short is not cut                                               */
    CACHE_FLOATS = 208 * 1024, /* of a strip of L with its outputs: most of an L2 of one MiB                */
    STRIP_TILES = 28,
    LINE = 16, /* floats of a cache line                                                    */
    TASKS_PER_THREAD = 4
};

struct call {
    const struct plan *plan;
    const struct implicit *m;
    const float *x, *w, *weights, *bias;
    const ptrdiff_t *tables;
    float *packed, *y, *workspace;
    ptrdiff_t *made_tables;
};

static int64_t first_row(const struct implicit *m, int64_t block)
{
    return block * m->outputs / m->blocks;
}

static int64_t taps_of(const struct view *view)
{
    return (int64_t)view->h.taps * view->w.taps;
}

/* Weights lie as the tiles read them: [group][block of rows][channel][t][s][row of the block]. */
static void pack_weights(void *context, size_t i, size_t worker)
{
    const struct call *call = context;
    const struct implicit *m = call->m;
    const struct convoy_conv *p = &m->p;
    (void)worker;
    int32_t v = m->view_count - 1;
    while (m->views[v].first_pack > i)
        v--;
    const struct view *view = &m->views[v].view;
    const int64_t at = (int64_t)(i - m->views[v].first_pack), g = at / m->blocks, block = at % m->blocks;
    const int64_t first = first_row(m, block), rows = first_row(m, block + 1) - first;
    const int64_t kernel = (int64_t)p->kh * p->kw, group_c = p->c / p->groups, group_k = p->k / p->groups;
    const int backward = p->head.op == CONVOY_CONV_BWD_DATA;
    const int64_t row_step = (backward ? 1 : group_c) * kernel, channel_step = (backward ? group_c : 1) * kernel;
    const float *const w = call->w + g * group_k * group_c * kernel + first * row_step;
    float *to = call->packed + m->views[v].weights + (g * m->outputs + first) * m->channels * taps_of(view);
    for (int64_t c = 0; c < m->channels; c++)
        for (int32_t t = 0; t < view->h.taps; t++)
            for (int32_t s = 0; s < view->w.taps; s++) {
                const float *const from = w + c * channel_step + (view->h.tap_first + t * view->h.tap_step) * p->kw +
                                          view->w.tap_first + s * view->w.tap_step;
                for (int64_t row = 0; row < rows; row++)
                    *to++ = from[row * row_step];
            }
    if (at == 0) {
        ptrdiff_t *entry = call->made_tables + m->views[v].offsets;
        for (int64_t c = 0; c < m->chunk; c++)
            for (int32_t t = 0; t < view->h.taps; t++)
                for (int32_t s = 0; s < view->w.taps; s++)
                    *entry++ =
                        (ptrdiff_t)(m->views[v].unpacked ? c * view->pixels : c * view->channel_floats + view_tap(view, t, s));
    }
}

/* Where a task works. */
struct place {
    const struct implicit_view *of;
    int64_t g, n, first, count; /* positions of the images from n on                                        */
    int64_t block_first, block_last;
    float *panel, *sums;
};

static struct place place_of(const struct call *call, size_t i, size_t worker)
{
    const struct implicit *m = call->m;
    int32_t v = m->view_count - 1;
    while (m->views[v].first_task > i)
        v--;
    struct place at = {.of = &m->views[v]};
    int64_t rest = (int64_t)(i - at.of->first_task);
    const int64_t part = rest % m->parts;
    rest /= m->parts;
    at.first = rest % at.of->strips * at.of->strip_positions;
    rest /= at.of->strips;
    at.g = rest % m->p.groups;
    at.n = rest / m->p.groups * m->spans;
    at.count = convoy_min(at.of->strip_positions, m->spans * at.of->view.pixels - at.first);
    at.block_first = part * m->blocks / m->parts;
    at.block_last = (part + 1) * m->blocks / m->parts;
    at.panel = call->workspace + (int64_t)worker * (m->panel_floats + m->sums_floats);
    at.sums = at.panel + m->panel_floats;
    return at;
}

/* A tile of which part lies beyond the image is computed aside. */
static void run_aside(mk_tile_fn *run, struct mk_tile *tile, int64_t rows, int64_t count, int64_t row_floats, float *aside)
{
    float *const to = tile->c;
    const int64_t to_row = tile->c_row;
    for (int64_t row = 0; row < rows && tile->accumulate; row++)
        memcpy(aside + row * row_floats, to + row * to_row, (size_t)count * sizeof *to);
    tile->c = aside;
    tile->c_row = row_floats;
    run(tile);
    for (int64_t row = 0; row < rows; row++)
        memcpy(to + row * to_row, aside + row * row_floats, (size_t)count * sizeof *to);
}

/* Adds the packed chunk of channels from c on to the outputs of a block. */
static void multiply(const struct call *call, const struct place *at, int64_t block, int64_t c, int64_t channels,
                     const float *panel)
{
    const struct implicit *m = call->m;
    const struct mk_family *family = m->family;
    const struct view *view = &at->of->view;
    const int64_t taps = taps_of(view), last = c + channels == m->channels;
    const int64_t row_first = first_row(m, at->block_first);
    const int64_t y_row = at->of->in_place ? view->pixels : convoy_round_up(at->of->strip_positions, m->width);
    float *const y = at->of->in_place
                         ? call->y + ((at->n * m->p.groups + at->g) * m->outputs + row_first) * view->pixels + at->first
                         : at->sums;
    const int64_t first = first_row(m, block), rows = first_row(m, block + 1) - first;
    struct mk_tile tile = {
        .a = call->weights + at->of->weights + ((at->g * m->outputs + first) * m->channels + c * rows) * taps,
        .a_row = 1,
        .a_col = rows,
        .b_offset = call->tables + at->of->offsets,
        .k = channels * taps,
        .accumulate = c > 0,
        .relu = last && (m->p.head.flags & CONVOY_WITH_RELU),
        .row_add = last && call->bias ? call->bias + at->g * m->outputs + first : NULL,
    };
    /* The weights of the next block come from L3; they are asked for a tile's share at a time. */
    const float *next = tile.a + m->channels * taps * rows, *const next_end = next + channels * taps * rows;
    const int64_t ahead = convoy_round_up(convoy_ceil_div(channels * taps * rows * m->width, at->count), LINE);
    for (int64_t q = 0; q < at->count; q += m->width) {
        for (int64_t e = 0; e < ahead && next < next_end; e += LINE, next += LINE)
            __builtin_prefetch(next, 0, 2);
        const int64_t count = convoy_min(m->width, at->count - q), vectors = convoy_ceil_div(count, family->lanes);
        mk_tile_fn *const run = family->tile[rows - 1][vectors - 1];
        tile.b = panel + q;
        tile.c = y + (first - row_first) * y_row + q;
        tile.c_row = y_row;
        if (at->of->in_place && count != vectors * family->lanes)
            run_aside(run, &tile, rows, count, m->width, at->sums);
        else
            run(&tile);
    }
}

static void scatter(const struct call *call, const struct place *at)
{
    const struct implicit *m = call->m;
    const struct axis *h = &at->of->view.h, *w = &at->of->view.w;
    const int backward = m->p.head.op == CONVOY_CONV_BWD_DATA;
    const int64_t height = backward ? m->p.h : m->p.oh, width = backward ? m->p.w : m->p.ow;
    const int64_t sums_row = convoy_round_up(at->of->strip_positions, m->width);
    const int64_t first = first_row(m, at->block_first), last = first_row(m, at->block_last);
    for (int64_t k = first; k < last; k++) {
        const float *from = at->sums + (k - first) * sums_row;
        for (int64_t q = at->first; q < at->first + at->count;) {
            const int64_t n = at->n + q / at->of->view.pixels, o = q % at->of->view.pixels / w->out, p = q % w->out;
            const int64_t count = convoy_min(w->out - p, at->first + at->count - q);
            float *const to =
                call->y + (((n * m->p.groups + at->g) * m->outputs + k) * height + h->place_first + o * h->place_step) * width +
                w->place_first + p * w->place_step;
            if (w->place_step == 1)
                memcpy(to, from, (size_t)count * sizeof *to);
            else
                for (int64_t j = 0; j < count; j++)
                    to[j * w->place_step] = from[j];
            from += count;
            q += count;
        }
    }
}

static void make_strip(void *context, size_t i, size_t worker)
{
    const struct call *call = context;
    const struct implicit *m = call->m;
    const struct place at = place_of(call, i, worker);
    for (int64_t held = 0; held < m->channels; held += at.of->held) {
        const int64_t last = convoy_min(held + at.of->held, m->channels);
        const float *panel = at.panel;
        int64_t channel_floats = at.of->view.channel_floats;
        if (at.of->unpacked) {
            channel_floats = at.of->view.pixels;
            panel = call->x + ((at.n * m->p.groups + at.g) * m->channels + held) * channel_floats + at.first;
        } else {
            implicit_pack(m, call->plan->loops, &at.of->view, call->x, m->channels * m->p.groups, at.n, at.g * m->channels + held,
                          last - held, at.first, at.count, at.panel);
        }
        for (int64_t block = at.block_first; block < at.block_last; block++)
            for (int64_t c = held; c < last; c += m->chunk)
                multiply(call, &at, block, c, convoy_min(m->chunk, last - c), panel + (c - held) * channel_floats);
    }
    if (!at.of->in_place)
        scatter(call, &at);
}

static int64_t table_floats(const struct implicit *m)
{
    return convoy_round_up(m->table_entries * (int64_t)sizeof(ptrdiff_t), 64) / (int64_t)sizeof(float);
}

static convoy_status prepare(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct implicit *m = plan->implicit;
    float *const prepared = convoy_slot_f32(args, CONVOY_PREPARED);
    struct call call = {
        .plan = plan,
        .m = m,
        .w = convoy_slot_f32(args, CONVOY_W),
        .made_tables = (ptrdiff_t *)(void *)prepared,
        .packed = prepared + table_floats(m),
    };
    (void)err;
    plan->host->parallel(plan->host, pack_weights, &call, m->packs);
    return CONVOY_OK;
}

static convoy_status run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct implicit *m = plan->implicit;
    const int backward = m->p.head.op == CONVOY_CONV_BWD_DATA;
    const float *const prepared = convoy_slot_f32(args, CONVOY_PREPARED);
    struct call call = {
        .plan = plan,
        .m = m,
        .x = convoy_slot_f32(args, backward ? CONVOY_DY : CONVOY_X),
        .tables = (const ptrdiff_t *)(const void *)prepared,
        .weights = prepared + table_floats(m),
        .bias = (m->p.head.flags & CONVOY_WITH_BIAS) ? convoy_slot_f32(args, CONVOY_BIAS) : NULL,
        .y = convoy_slot_f32(args, backward ? CONVOY_DX : CONVOY_Y),
        .workspace = convoy_slot_f32(args, CONVOY_WORKSPACE),
    };
    (void)err;
    plan->host->parallel(plan->host, make_strip, &call, m->tasks);
    return CONVOY_OK;
}

/* As many tiles as leave the packed strip and its outputs in the cache. */
static void cut_strips(const struct implicit *m, struct implicit_view *of)
{
    const int64_t positions = m->spans * of->view.h.out * of->view.w.out, tiles = convoy_ceil_div(positions, m->width);
    int64_t most = convoy_min(tiles, STRIP_TILES);
    for (; most > 1; most--) {
        view_cut(&of->view, most * m->width, m->spans == 1);
        const int64_t outputs = of->in_place && m->chunk == m->channels ? 0 : m->outputs;
        if (m->chunk * of->view.channel_floats + outputs * most * m->width <= CACHE_FLOATS)
            break;
    }
    of->strip_positions = convoy_ceil_div(tiles, convoy_ceil_div(tiles, most)) * m->width;
    of->strips = convoy_ceil_div(positions, of->strip_positions);
    if (of->strips == 1)
        of->strip_positions = convoy_round_up(positions, m->family->lanes);
    view_cut(&of->view, of->strip_positions, m->spans == 1);
    const int64_t room = CACHE_FLOATS - (m->chunk == m->channels ? 0 : m->outputs * of->strip_positions);
    const int64_t chunks = convoy_ceil_div(m->channels, m->chunk);
    const int64_t fit = convoy_max(1, room / convoy_max(1, m->chunk * of->view.channel_floats));
    of->held = convoy_min(m->channels, convoy_ceil_div(chunks, convoy_ceil_div(chunks, fit)) * m->chunk);
}

convoy_status implicit_correlate_plan(struct implicit *m, struct plan *plan, struct convoy_error *err)
{
    const struct convoy_conv *p = &m->p;
    const int backward = p->head.op == CONVOY_CONV_BWD_DATA;
    (void)err;
    int64_t taps = 1;
    for (int32_t v = 0; v < m->view_count; v++)
        taps = convoy_max(taps, taps_of(&m->views[v].view));
    const int64_t most = m->channels * taps <= WHOLE_CHAIN ? m->channels : convoy_max(1, CHAIN / taps);
    m->chunk = convoy_ceil_div(m->channels, convoy_ceil_div(m->channels, most));
    m->blocks = convoy_ceil_div(m->outputs, m->family->rows);

    int64_t strips = 0;
    for (int32_t v = 0; v < m->view_count; v++) {
        struct implicit_view *of = &m->views[v];
        of->unpacked = m->spans == 1 && lower_is_identity(p) &&
                       (int64_t)p->oh * p->ow % m->family->lanes == 0; /* no vector reaches beyond the tensor */
        of->in_place = m->spans == 1 && of->view.h.place_step == 1 && of->view.w.place_step == 1;
        cut_strips(m, of);
        strips += m->images * p->groups * of->strips;
    }
    const int64_t threads = plan->host->threads;
    m->parts = threads == 1 ? 1 : convoy_min(m->blocks, convoy_ceil_div(threads * TASKS_PER_THREAD, strips));
    const int64_t part_rows = convoy_ceil_div(m->blocks, m->parts) * m->family->rows;
    int64_t weights = 0;
    for (int32_t v = 0; v < m->view_count; v++) {
        struct implicit_view *of = &m->views[v];
        of->weights = weights;
        of->offsets = m->table_entries;
        of->first_task = m->tasks;
        of->first_pack = m->packs;
        weights += p->groups * m->outputs * m->channels * taps_of(&of->view);
        m->table_entries += m->chunk * taps_of(&of->view);
        m->tasks += (size_t)(m->images * p->groups * of->strips * m->parts);
        m->packs += (size_t)(p->groups * m->blocks);
        m->panel_floats = convoy_max(m->panel_floats, of->unpacked ? 0 : of->held * of->view.channel_floats);
        m->sums_floats = convoy_max(m->sums_floats, of->in_place ? m->family->rows * m->width
                                                                 : part_rows * convoy_round_up(of->strip_positions, m->width));
    }
    m->panel_floats = convoy_round_up(m->panel_floats, 16);
    m->sums_floats = convoy_round_up(m->sums_floats, 16);

    plan->run = run;
    plan->prepare = prepare;
    plan->slots = backward ? SLOT_BIT(CONVOY_DY) | SLOT_BIT(CONVOY_PREPARED) | SLOT_BIT(CONVOY_DX)
                           : SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_PREPARED) | SLOT_BIT(CONVOY_Y);
    if (p->head.flags & CONVOY_WITH_BIAS)
        plan->slots |= SLOT_BIT(CONVOY_BIAS);
    plan->prepared_bytes = (uint64_t)(table_floats(m) + weights) * sizeof(float);
    plan->workspace_bytes = (uint64_t)(m->panel_floats + m->sums_floats) * sizeof(float) * plan->host->threads;
    /* In channels of the problem, which a dense layer counts by its elements. */
    const int64_t elements = plan->problem.conv.kh * plan->problem.conv.kw / ((int64_t)p->kh * p->kw);
    if (m->chunk < m->channels)
        plan->numerics.split = (uint32_t)convoy_ceil_div(m->chunk, backward ? 1 : elements);
    return CONVOY_OK;
}
