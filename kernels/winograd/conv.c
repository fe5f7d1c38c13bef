/* Forward and backward data. V = Bt d B for every tile, M = V U for every transform point, y = At M A.
 *
 * fused:   each task carries one box through all three stages; V and M stay in the second level cache, U is streamed.
 * staged:  each stage is a parallel loop over a chunk of boxes; products are split by plane of U and panel, so that
 *          every worker reads another part of U, and reads it once per chunk. For deep layers with few tiles.
 *
 * lazy:    as staged, but a task makes its panel of U piece by piece, in the memory of its worker, out of weights that are only
 *          packed. For so few tiles that U would be read from memory for little work.
 *
 * Sums do not depend on the schedule, and the problem alone decides whether U is made in float: the bits of the result do not
 * depend on the number of threads. */
#include "plan.h"
#include <convoy/plugin.h>

struct run {
    const struct plan *plan;
    const struct chunk *chunk;
    const float *from, *u, *bias;
    float *to, *v, *m, *scratch, *pieces;
    int32_t in_blocks, out_blocks;
};

static struct products products_of(const struct run *run, const float *v, float *m, int64_t tiles)
{
    const struct plan *plan = run->plan;
    return (struct products){.panels = plan->panels,
                             .sharing = plan->sharing,
                             .v = v,
                             .u = run->u,
                             .m = m,
                             .v_shape = plan->v,
                             .m_shape = plan->m,
                             .u_plane = plan->u_plane,
                             .tiles = tiles,
                             .channels = plan->layer.in_c,
                             .points = plan->layer.alpha * plan->layer.alpha};
}

static void fused_task(void *context, size_t i, size_t worker)
{
    const struct run *run = context;
    const struct plan *plan = run->plan;
    const struct box *box = &plan->tiling.boxes[i];
    const int32_t planes = sharing_planes(&plan->sharing);
    float *scratch = run->scratch + (int64_t)worker * plan->scratch_floats;
    float *v = run->v + (int64_t)worker * (plan->v_floats + plan->m_floats), *m = v + plan->v_floats;
    for (size_t block = 0; block < (size_t)run->in_blocks; block++)
        stage_forward(&plan->windows, run->from, tiling_part(&plan->tiling, (int64_t)i, block, run->in_blocks),
                      tiling_part(&plan->tiling, (int64_t)i, block + 1, run->in_blocks), &plan->v, v, scratch);
    struct products products = products_of(run, v, m, box->tiles);
    /* While multiplying, fetch what this box will write and what the next one will read. */
    const struct box *next = box + ((int64_t)i + 1 < plan->tiling.box_count);
    const struct pixels written = stage_written_pixels(&plan->outputs, run->to, box), nothing = {0};
    const struct pixels fetch[FETCHES] = {plan->outputs.stream ? nothing : written,
                                          stage_read_pixels(&plan->windows, run->from, next)};
    products.fetch = fetch;
    for (int32_t plane = 0; plane < planes; plane++) {
        for (int32_t panel = 0; panel < plan->panels.count; panel++)
            tuple_product(&products, plane, panel);
    }
    for (size_t block = 0; block < (size_t)run->out_blocks; block++)
        stage_inverse(&plan->outputs, run->to, tiling_part(&plan->tiling, (int64_t)i, block, run->out_blocks),
                      tiling_part(&plan->tiling, (int64_t)i, block + 1, run->out_blocks), &plan->m, m, run->bias, scratch);
}

static void forward_task(void *context, size_t i, size_t worker)
{
    const struct run *run = context;
    const struct tiling *tiling = &run->plan->tiling;
    stage_forward(&run->plan->windows, run->from, tiling_part(tiling, run->chunk->box, i, run->in_blocks),
                  tiling_part(tiling, run->chunk->box, i + 1, run->in_blocks), &run->plan->v, run->v,
                  run->scratch + (int64_t)worker * run->plan->scratch_floats);
}

static void product_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct run *run = context;
    const struct products products = products_of(run, run->v, run->m, run->chunk->tiles);
    tuple_product(&products, (int32_t)(i / (size_t)products.panels.count), (int32_t)(i % (size_t)products.panels.count));
}

/* All products of one panel. */
static void lazy_task(void *context, size_t i, size_t worker)
{
    const struct run *run = context;
    const struct plan *plan = run->plan;
    const struct transform *t = plan->transform;
    const int32_t panel = (int32_t)i, in_c = plan->layer.in_c, planes = sharing_planes(&plan->sharing);
    const int32_t column = panel_column(&plan->panels, panel), width = panel_column(&plan->panels, panel + 1) - column;
    const float *taps = run->u + (int64_t)column * in_c * t->r * t->r;
    float *piece = run->pieces + (int64_t)worker * plan->piece_floats;
    struct products products = products_of(run, run->v, run->m, run->chunk->tiles);
    products.u = piece;
    products.first = panel;
    for (int32_t c = 0; c < in_c; c += plan->piece_channels) {
        products.channels = (int32_t)convoy_min(plan->piece_channels, in_c - c);
        products.v = run->v + c;
        products.accumulate = c > 0;
        for (int32_t at = 0; at < products.channels; at++, taps += width * t->r * t->r)
            t->filters(&(struct filters){
                .from = taps, .count = width / BLOCK, .to = piece + at * width, .to_step = BLOCK, .plane = plan->u_plane});
        products.next = taps;
        for (int32_t plane = 0; plane < planes; plane++)
            tuple_product(&products, plane, panel);
    }
}

static void inverse_task(void *context, size_t i, size_t worker)
{
    const struct run *run = context;
    const struct tiling *tiling = &run->plan->tiling;
    stage_inverse(&run->plan->outputs, run->to, tiling_part(tiling, run->chunk->box, i, run->out_blocks),
                  tiling_part(tiling, run->chunk->box, i + 1, run->out_blocks), &run->plan->m, run->m, run->bias,
                  run->scratch + (int64_t)worker * run->plan->scratch_floats);
}

void conv_run(const struct plan *plan, const float *from, const float *u, const float *bias, float *to, float *workspace)
{
    const struct layer *layer = &plan->layer;
    const struct convoy_host *host = plan->host;
    struct run run = {.plan = plan,
                      .in_blocks = (int32_t)convoy_ceil_div(layer->in_c, BLOCK),
                      .out_blocks = (int32_t)convoy_ceil_div(layer->out_c, BLOCK),
                      .scratch = workspace,
                      .v = workspace + (int64_t)host->threads * plan->scratch_floats};
    run.m = run.v + plan->v_floats;
    float *folded = run.v + (plan->fused ? host->threads : 1) * (plan->v_floats + plan->m_floats);
    run.pieces = folded + plan->fold_floats;
    const int folds = plan->fold.stride > 1, backward = plan->problem.head.op == CONVOY_CONV_BWD_DATA;
    const size_t planes = (size_t)sharing_planes(&plan->sharing);
    for (int64_t g = 0; g < plan->groups; g++) {
        run.from = from + g * plan->from_floats;
        run.to = to + g * plan->to_floats;
        run.u = u + g * plan->u_floats;
        run.bias = bias ? bias + g * layer->out_c : NULL;
        if (folds && !backward) {
            fold_image(host, &plan->fold, run.from, folded);
            run.from = folded;
        } else if (folds) {
            run.to = folded;
        }
        if (plan->fused)
            host->parallel(host, fused_task, &run, (size_t)plan->tiling.box_count);
        for (int64_t c = 0; !plan->fused && c < plan->tiling.chunk_count; c++) {
            run.chunk = &plan->tiling.chunks[c];
            const size_t boxes = (size_t)(run.chunk->box_end - run.chunk->box);
            host->parallel(host, forward_task, &run, boxes * (size_t)run.in_blocks);
            if (plan->lazy)
                host->parallel(host, lazy_task, &run, (size_t)plan->panels.count);
            else
                host->parallel(host, product_task, &run, planes * (size_t)plan->panels.count);
            host->parallel(host, inverse_task, &run, boxes * (size_t)run.out_blocks);
        }
        if (folds && backward)
            unfold_image(host, &plan->fold, folded, to + g * plan->to_floats);
    }
}

struct preparation {
    const struct plan *plan;
    const float *w;
    float *u;
};

/* Input channels of a task: consecutive ones write consecutive memory. */
enum { PREPARED_CHANNELS = 32 };

/* Packed taps of an input channel and a block of columns: [panel][C][columns of the panel / 16][taps][16]. */
static int64_t taps_offset(const struct plan *plan, int32_t c, int32_t block)
{
    const struct panels *panels = &plan->panels;
    const int32_t panel = block * BLOCK / (panels->vectors * panels->family->lanes), first = panel_column(panels, panel);
    const int64_t width = panel_column(panels, panel + 1) - first;
    return (first * (int64_t)plan->layer.in_c + c * width + block * BLOCK - first) * plan->transform->r * plan->transform->r;
}

static void prepare_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct preparation *p = context;
    const struct plan *plan = p->plan;
    const struct layer *layer = &plan->layer;
    const int64_t runs = convoy_ceil_div(layer->in_c, PREPARED_CHANNELS), blocks = convoy_ceil_div(layer->out_c, BLOCK);
    const int64_t run = (int64_t)i % runs, block = (int64_t)i / runs % blocks, g = (int64_t)i / runs / blocks;
    const float *w = p->w + g * plan->weight_floats;
    float *u = p->u + g * plan->u_floats;
    for (int64_t c = run * PREPARED_CHANNELS; c < convoy_min(layer->in_c, (run + 1) * PREPARED_CHANNELS); c++) {
        if (plan->lazy)
            weights_taps(&plan->weights, w, (int32_t)c, (int32_t)block * BLOCK,
                         u + taps_offset(plan, (int32_t)c, (int32_t)block));
        else
            weights_transform(&plan->weights, w, (int32_t)c, (int32_t)block * BLOCK, &plan->panels, plan->u_plane, u);
    }
}

void conv_prepare(const struct plan *plan, const float *w, float *u)
{
    const int64_t tasks =
        convoy_ceil_div(plan->layer.in_c, PREPARED_CHANNELS) * convoy_ceil_div(plan->layer.out_c, BLOCK) * plan->groups;
    struct preparation preparation = {.plan = plan, .w = w, .u = u};
    plan->host->parallel(plan->host, prepare_task, &preparation, (size_t)tasks);
}
