/* Forward through stem.h: the phases of the image first, then each task carries 16 tiles through everything. */
#include "plan.h"
#include <convoy/plugin.h>

struct run {
    const struct plan *plan;
    const float *phases, *u, *bias;
    float *y, *v;
};

static void stem_task(void *context, size_t i, size_t worker)
{
    const struct run *run = context;
    const struct plan *plan = run->plan;
    const struct stem *s = &plan->stem;
    const int64_t runs = stem_runs(s), n = (int64_t)i / runs, place = (int64_t)i % runs * STEM_TILES;
    float *v = run->v + (int64_t)worker * plan->v_floats;
    plan->stem_transform->input(s, run->phases + n * (plan->phases_floats / plan->problem.n), place, v);
    plan->stem_transform->output(s, v, run->u, run->bias, place, run->y + n * plan->outputs.image.image_stride);
}

void conv_stem_run(const struct plan *plan, const float *x, const float *u, const float *bias, float *y, float *workspace)
{
    const struct convoy_host *host = plan->host;
    float *phases = workspace + (int64_t)host->threads * plan->v_floats;
    for (int64_t g = 0; g < plan->groups; g++) {
        struct run run = {.plan = plan, .phases = phases, .u = u + g * plan->u_floats, .v = workspace};
        run.bias = bias ? bias + g * plan->layer.out_c : NULL;
        run.y = y + g * plan->to_floats;
        fold_image(host, &plan->phases, x + g * plan->from_floats, phases);
        host->parallel(host, stem_task, &run, (size_t)(stem_runs(&plan->stem) * plan->problem.n));
    }
}

struct preparation {
    const struct plan *plan;
    const float *w;
    float *u;
};

static void prepare_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct preparation *p = context;
    const struct plan *plan = p->plan;
    const int64_t blocks = convoy_ceil_div(plan->layer.out_c, BLOCK), g = (int64_t)i / blocks;
    const int32_t first = (int32_t)((int64_t)i % blocks) * BLOCK, points = weights_planes(&plan->weights);
    const int32_t last = (int32_t)convoy_min(first + BLOCK, convoy_round_up(plan->layer.out_c, STEM_FILTERS));
    for (int32_t c = 0; c < plan->layer.in_c; c++) {
        float transformed[POINTS_MAX_DENSE * POINTS_MAX_DENSE][BLOCK];
        weights_points(&plan->weights, p->w + g * plan->weight_floats, c, first, transformed[0]);
        for (int32_t k = first; k < last; k++) {
            for (int32_t point = 0; point < points; point++)
                p->u[g * plan->u_floats + stem_place(plan->layer.in_c, plan->layer.alpha, k, c, point)] =
                    transformed[point][k - first];
        }
    }
}

void conv_stem_prepare(const struct plan *plan, const float *w, float *u)
{
    struct preparation preparation = {plan, w, u};
    plan->host->parallel(plan->host, prepare_task, &preparation,
                         (size_t)(convoy_ceil_div(plan->layer.out_c, BLOCK) * plan->groups));
}
