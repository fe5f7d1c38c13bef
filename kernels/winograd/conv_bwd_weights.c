/* Weight gradients by the adjoint of the forward algorithm: from y = At [(G g Gt) o (Bt d B)] A follows
 *
 *     dg = Gt [ sum over tiles of (Bt d B) o (A dy At) ] G,
 *
 * so the forward transform of x, the expansion of dy from m x m to alpha x alpha points, and for each point one product
 * dU[c][k] += sum over tiles of V[tile][c] M[tile][k] with the tiles as reduction.
 *
 * Many tiles: chunks of them one after another, each added to all of dU. Large filters: all tiles at once, and dU for a few
 * panels of columns at a time, so that it is filtered before it leaves the cache. */
#include "plan.h"
#include <convoy/plugin.h>

struct run {
    const struct plan *plan;
    const struct chunk *chunk;
    const float *x, *dy;
    float *dw, *dbias, *v, *m, *du, *scratch;
    int32_t in_blocks, out_blocks;
    int32_t panel, panel_end; /* those whose part of dU exists now */
};

/* Parts of all boxes of x, then of dy. */
static void transform_task(void *context, size_t i, size_t worker)
{
    const struct run *run = context;
    const struct plan *plan = run->plan;
    const size_t in = (size_t)(run->chunk->box_end - run->chunk->box) * (size_t)run->in_blocks;
    float *scratch = run->scratch + (int64_t)worker * plan->scratch_floats;
    const int64_t box = run->chunk->box;
    if (i < in)
        stage_forward(&plan->windows, run->x, tiling_part(&plan->tiling, box, i, run->in_blocks),
                      tiling_part(&plan->tiling, box, i + 1, run->in_blocks), &plan->v, run->v, scratch);
    else
        stage_forward(&plan->expanded, run->dy, tiling_part(&plan->tiling, box, i - in, run->out_blocks),
                      tiling_part(&plan->tiling, box, i - in + 1, run->out_blocks), &plan->m, run->m, scratch);
}

static void product_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct run *run = context;
    const struct plan *plan = run->plan;
    const struct gradients gradients = {.panels = plan->panels,
                                        .sharing = plan->sharing,
                                        .v = run->v,
                                        .m = run->m,
                                        .u = run->du,
                                        .v_shape = plan->v,
                                        .m_shape = plan->m,
                                        .u_shape = plan->u,
                                        .tiles = run->chunk->tiles,
                                        .channels = plan->layer.in_c,
                                        .accumulate = run->chunk != plan->tiling.chunks,
                                        .first = run->panel,
                                        .end = run->panel_end};
    const size_t panels = (size_t)(run->panel_end - run->panel);
    tuple_gradient(&gradients, (int32_t)(i / panels), run->panel + (int32_t)(i % panels));
}

/* Input channels of a task: neighbours in memory on both sides. */
enum { FILTERED_CHANNELS = 32 };

/* Blocks of columns in which a run of panels lies. */
static int32_t column_blocks(const struct plan *plan, int32_t panel, int32_t end)
{
    return (int32_t)convoy_ceil_div(panel_column(&plan->panels, end) - panel_column(&plan->panels, panel), BLOCK);
}

static void filter_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct run *run = context;
    const struct plan *plan = run->plan;
    const int32_t blocks = column_blocks(plan, run->panel, run->panel_end);
    const int32_t first = (int32_t)i / blocks * FILTERED_CHANNELS, column = (int32_t)i % blocks * BLOCK;
    for (int32_t c = first; c < convoy_min(plan->layer.in_c, first + FILTERED_CHANNELS); c++)
        weights_gradient(&plan->weights, run->du + c * plan->u.row + column, &plan->u, c,
                         panel_column(&plan->panels, run->panel) + column, run->dw);
}

static void bias_task(void *context, size_t k, size_t worker)
{
    (void)worker;
    const struct run *run = context;
    const struct convoy_conv *p = &run->plan->problem;
    const int64_t plane = (int64_t)p->oh * p->ow;
    double sum = 0;
    for (int64_t n = 0; n < p->n; n++) {
        const float *dy = run->dy + (n * p->k + (int64_t)k) * plane;
        double lane[8] = {0};
        int64_t at = 0;
        for (; at + 8 <= plane; at += 8) {
            for (int l = 0; l < 8; l++)
                lane[l] += dy[at + l];
        }
        for (; at < plane; at++)
            lane[0] += dy[at];
        sum += ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
    }
    run->dbias[k] = (float)sum;
}

void conv_gradient_run(const struct plan *plan, const float *x, const float *dy, float *dw, float *dbias, float *workspace)
{
    const struct layer *layer = &plan->layer;
    const struct convoy_host *host = plan->host;
    struct run run = {.plan = plan,
                      .in_blocks = (int32_t)convoy_ceil_div(layer->in_c, BLOCK),
                      .out_blocks = (int32_t)convoy_ceil_div(layer->out_c, BLOCK),
                      .dy = dy,
                      .dbias = dbias,
                      .scratch = workspace,
                      .v = workspace + (int64_t)host->threads * plan->scratch_floats};
    run.m = run.v + plan->v_floats;
    run.du = run.m + plan->m_floats;
    if (dbias)
        host->parallel(host, bias_task, &run, (size_t)plan->problem.k);
    const size_t planes = (size_t)sharing_planes(&plan->sharing), blocks = (size_t)(run.in_blocks + run.out_blocks);
    const size_t filters = (size_t)convoy_ceil_div(layer->in_c, FILTERED_CHANNELS);
    for (int64_t g = 0; g < plan->groups; g++) {
        run.x = x + g * plan->from_floats;
        run.dy = dy + g * plan->to_floats;
        run.dw = dw + g * plan->weight_floats;
        if (plan->fold.stride > 1) {
            float *folded = run.du + plan->du_floats;
            fold_image(host, &plan->fold, run.x, folded);
            run.x = folded;
        }
        for (int64_t c = 0; c < plan->tiling.chunk_count; c++) {
            run.chunk = &plan->tiling.chunks[c];
            host->parallel(host, transform_task, &run, (size_t)(run.chunk->box_end - run.chunk->box) * blocks);
            for (run.panel = 0; run.panel < plan->panels.count; run.panel = run.panel_end) {
                run.panel_end = (int32_t)convoy_min(run.panel + plan->du_panels, plan->panels.count);
                host->parallel(host, product_task, &run, planes * (size_t)(run.panel_end - run.panel));
                if (c == plan->tiling.chunk_count - 1)
                    host->parallel(host, filter_task, &run, filters * (size_t)column_blocks(plan, run.panel, run.panel_end));
            }
        }
    }
}
