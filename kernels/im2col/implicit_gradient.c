/* Weight gradient of the implicit variant: dW^T = L * dy^T, lanes are channels of dy. A task owns a block of channels of x and a
 * block of channels of dy, and keeps their sums in the cache while strips of positions go by:
 *
 *                      strip                     block_k                   block_k
 *                  +-----------+             +-----------+             +-----------+
 *   block_c*taps   |     L     |   *  strip  |   dy^T    |   added to  |   dW^T    | block_c*taps
 *                  +-----------+             +-----------+             +-----------+
 *
 * dy is turned over while it is packed and dW when it is done. The rows of a tile are channels of x at one tap, which is why
 * taps can share pieces of the packed strip; where channels are few, they are channels and taps, each with a piece of its own.
 *
 * Where blocks are too few to occupy several cores, a task takes a part of the strips only; part 0 is made in dW, the others in
 * the workspace, and a second round adds them up in their order. */
#include "conv.h"
#include "implicit.h"
#include "lower.h"
#include <convoy/plugin.h>
#include <string.h>

enum {
    STRIP = 784,             /* positions: a strip of one vector pair of dy^T is two thirds of an L1        */
    SUMS_FLOATS = 64 * 1024, /* of a task                                                                   */
    BLOCK_K = 128,
    FEW_CHANNELS = 8,
    ENOUGH_TASKS = 8 /* below this many, sums are split                                                     */
};

struct call {
    const struct plan *plan;
    const struct implicit *m;
    const struct implicit_view *of;
    const float *x, *dy;
    float *dw, *partials, *lanes;
};

/* dy^T of a strip: [block of width][position][width], zero beyond the last channel. */
static void turn_gradient(const struct call *call, int64_t n, int64_t g, int64_t k, int64_t rows, int64_t first, int64_t count,
                          float *turned)
{
    const struct implicit *m = call->m;
    const int64_t pixels = call->of->view.pixels;
    for (int64_t row = 0; row < rows; row += m->width) {
        const int64_t some_rows = convoy_min(m->width, rows - row);
        float *const to = turned + row * call->of->strip_positions;
        if (some_rows < m->width)
            memset(to, 0, (size_t)(count * m->width) * sizeof *to);
        for (int64_t done = 0; done < count;) {
            const int64_t image = n + (first + done) / pixels, q = (first + done) % pixels;
            const int64_t some = convoy_min(count - done, pixels - q);
            m->turn(call->dy + ((image * m->p.groups + g) * m->outputs + k + row) * pixels + q, pixels, some_rows, some,
                    to + done * m->width, m->width);
            done += some;
        }
    }
}

/* Adds a packed strip to the sums: sums[row of L in the block][block_k]. */
static void multiply(const struct implicit *m, const struct implicit_view *of, const float *panel, const float *turned,
                     int64_t channels, int64_t outputs, int64_t count, int accumulate, float *sums)
{
    const struct view *view = &of->view;
    const int64_t taps = (int64_t)view->h.taps * view->w.taps;
    const int apart = m->block_c < FEW_CHANNELS; /* one run of rows: channels and taps */
    const int64_t runs = apart ? 1 : taps, length = apart ? channels * taps : channels;
    const int64_t blocks = convoy_ceil_div(length, m->family->rows);
    struct mk_tile tile = {
        .a_row = of->unpacked ? view->pixels
                 : apart      ? view->piece_floats
                              : view->channel_floats,
        .a_col = 1,
        .b_row = m->width,
        .c_row = (apart ? 1 : taps) * m->block_k,
        .k = count,
        .accumulate = accumulate,
    };
    for (int64_t k = 0; k < outputs; k += m->width) {
        const int64_t vectors = convoy_ceil_div(convoy_min(m->width, outputs - k), m->family->lanes);
        tile.b = turned + k * of->strip_positions;
        for (int64_t block = 0; block < blocks; block++) {
            const int64_t first = block * length / blocks, rows = (block + 1) * length / blocks - first;
            mk_tile_fn *const run = m->family->tile[rows - 1][vectors - 1];
            for (int64_t tap = 0; tap < runs; tap++) {
                tile.a = panel + first * tile.a_row + (apart ? 0 : view_tap(view, tap / view->w.taps, tap % view->w.taps));
                tile.c = sums + first * tile.c_row + tap * m->block_k + k;
                run(&tile);
            }
        }
    }
}

static void make_block(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const struct implicit *m = call->m;
    const struct implicit_view *of = call->of;
    const int64_t taps = (int64_t)of->view.h.taps * of->view.w.taps, row = m->channels * taps;
    int64_t rest = (int64_t)task;
    const int64_t part = rest % m->parts;
    rest /= m->parts;
    const int64_t k = rest % m->blocks_k * m->block_k;
    rest /= m->blocks_k;
    const int64_t c = rest % m->blocks_c * m->block_c, g = rest / m->blocks_c;
    const int64_t channels = convoy_min(m->block_c, m->channels - c), outputs = convoy_min(m->block_k, m->outputs - k);
    float *const panel = call->lanes + (int64_t)worker * (m->panel_floats + m->turned_floats + m->sums_floats);
    float *const turned = panel + m->panel_floats, *const sums = turned + m->turned_floats;

    int64_t unit, unit_last;
    tiling_share(m->images * of->strips, m->parts, part, &unit, &unit_last);
    for (int accumulate = 0; unit < unit_last; unit++, accumulate = 1) {
        const int64_t n = unit / of->strips * m->spans, first = unit % of->strips * of->strip_positions;
        const int64_t count = convoy_min(of->strip_positions, m->spans * of->view.pixels - first);
        const float *rows = panel;
        if (of->unpacked)
            rows = call->x + ((n * m->p.groups + g) * m->channels + c) * of->view.pixels + first;
        else
            implicit_pack(m, call->plan->loops, &of->view, call->x, m->channels * m->p.groups, n, g * m->channels + c, channels,
                          first, count, panel);
        turn_gradient(call, n, g, k, outputs, first, count, turned);
        multiply(m, of, rows, turned, channels, outputs, count, accumulate, sums);
    }
    float *const dw = part ? call->partials + (part - 1) * conv_sum_floats(&m->p) : call->dw;
    m->turn(sums, m->block_k, channels * taps, outputs, dw + (g * m->outputs + k) * row + c * taps, row);
}

/* One task: the weights of one output channel. */
static void add_parts(void *context, size_t k, size_t worker)
{
    const struct call *call = context;
    const int64_t sum_floats = conv_sum_floats(&call->m->p), row = sum_floats / call->m->p.k, at = (int64_t)k * row;
    (void)worker;
    for (int64_t part = 1; part < call->m->parts; part++)
        call->plan->loops->add_to(call->partials + (part - 1) * sum_floats + at, row, call->dw + at, 1);
}

static int64_t lanes_floats(const struct plan *plan)
{
    const struct implicit *m = plan->implicit;
    return (m->panel_floats + m->turned_floats + m->sums_floats) * plan->host->threads;
}

static convoy_status run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct implicit *m = plan->implicit;
    float *const workspace = convoy_slot_f32(args, CONVOY_WORKSPACE);
    struct call call = {
        .plan = plan,
        .m = m,
        .of = m->views,
        .x = convoy_slot_f32(args, CONVOY_X),
        .dy = convoy_slot_f32(args, CONVOY_DY),
        .dw = convoy_slot_f32(args, CONVOY_DW),
        .lanes = workspace,
        .partials = m->parts > 1 ? workspace + lanes_floats(plan) : NULL,
    };
    (void)err;
    plan->host->parallel(plan->host, make_block, &call, m->tasks);
    if (m->parts > 1)
        plan->host->parallel(plan->host, add_parts, &call, (size_t)m->p.k);
    if (m->p.head.flags & CONVOY_WITH_BIAS) {
        struct conv_call bias = conv_begin(plan, args);
        plan->host->parallel(plan->host, conv_make_bias, &bias, (size_t)m->p.k);
    }
    return CONVOY_OK;
}

convoy_status implicit_gradient_plan(struct implicit *m, struct plan *plan, struct convoy_error *err)
{
    struct implicit_view *of = m->views;
    const int64_t taps = (int64_t)of->view.h.taps * of->view.w.taps;
    (void)err;
    m->block_k = convoy_min(convoy_round_up(m->outputs, m->width), BLOCK_K);
    m->blocks_k = convoy_ceil_div(m->outputs, m->block_k);
    const int64_t most = convoy_max(1, SUMS_FLOATS / (taps * m->block_k));
    m->blocks_c = convoy_ceil_div(m->channels, most);
    m->block_c = convoy_ceil_div(m->channels, m->blocks_c);
    m->blocks_c = convoy_ceil_div(m->channels, m->block_c);

    const int64_t positions = m->spans * of->view.h.out * of->view.w.out;
    of->strips = convoy_ceil_div(positions, STRIP);
    of->strip_positions = convoy_round_up(convoy_ceil_div(positions, of->strips), m->family->lanes);
    of->strips = convoy_ceil_div(positions, of->strip_positions);
    view_cut(&of->view, of->strip_positions, m->spans == 1 && m->block_c >= FEW_CHANNELS);

    const int64_t tasks = m->p.groups * m->blocks_c * m->blocks_k;
    m->parts = tasks < ENOUGH_TASKS ? convoy_min(convoy_ceil_div(ENOUGH_TASKS, tasks), m->images * of->strips) : 1;
    m->tasks = (size_t)(tasks * m->parts);
    of->unpacked = m->spans == 1 && lower_is_identity(&m->p);
    m->panel_floats = of->unpacked ? 0 : convoy_round_up(m->block_c * of->view.channel_floats, 16);
    m->turned_floats = convoy_round_up(m->block_k * of->strip_positions, 16);
    m->sums_floats = convoy_round_up(m->block_c * taps * m->block_k, 16);

    plan->run = run;
    plan->slots = SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_DY) | SLOT_BIT(CONVOY_DW);
    if (m->p.head.flags & CONVOY_WITH_BIAS)
        plan->slots |= SLOT_BIT(CONVOY_DBIAS);
    const int64_t lanes = (m->panel_floats + m->turned_floats + m->sums_floats) * plan->host->threads;
    plan->workspace_bytes = (uint64_t)(lanes + (m->parts - 1) * conv_sum_floats(&m->p)) * sizeof(float);
    return CONVOY_OK;
}
