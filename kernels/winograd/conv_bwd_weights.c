/* Weight gradients by the adjoint of the forward algorithm: from y = At [(G g Gt) o (Bt d B)] A follows
 *
 *     dg = Gt [ sum over tiles of (Bt d B) o (A dy At) ] G,
 *
 * so the forward transform of x, the expansion of dy from m x m to alpha x alpha points, and for each point one product
 * dU[c][k] += sum over tiles of V[tile][c] M[tile][k] with the tiles as reduction. */
#include "plan.h"
#include <convoy/plugin.h>

struct run {
    const struct plan *plan;
    const struct chunk *chunk;
    const float *x, *dy;
    float *dw, *dbias, *v, *m, *du, *scratch;
    int32_t in_blocks, out_blocks;
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
                                        .accumulate = run->chunk != plan->tiling.chunks};
    tuple_gradient(&gradients, (int32_t)(i / (size_t)plan->panels.count), (int32_t)(i % (size_t)plan->panels.count));
}

/* Input channels of a task: neighbours in memory on both sides. */
enum { FILTERED_CHANNELS = 8 };

static void filter_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct run *run = context;
    const struct plan *plan = run->plan;
    const int32_t first = (int32_t)i / run->out_blocks * FILTERED_CHANNELS, out = (int32_t)i % run->out_blocks * BLOCK;
    for (int32_t c = first; c < convoy_min(plan->layer.in_c, first + FILTERED_CHANNELS); c++)
        weights_gradient(&plan->weights, run->du, &plan->u, c, out, run->dw);
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
            host->parallel(host, product_task, &run, planes * (size_t)plan->panels.count);
        }
        host->parallel(host, filter_task, &run, (size_t)run.out_blocks * (size_t)convoy_ceil_div(layer->in_c, FILTERED_CHANNELS));
    }
}
