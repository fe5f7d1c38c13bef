/* Batch normalisation, backward (Ioffe & Szegedy, arXiv 1502.03167, section 3), with xhat = (x - mu)*istd, m = n*h*w:
 *
 *     dbeta = sum dy      dgamma = sum dy*xhat      dx = gamma*istd * (dy - dbeta/m - xhat*dgamma/m)
 *
 * A task makes one channel: both sums in double, then dx. */
#include "bn.h"
#include <convoy/plugin.h>

struct call {
    const struct loops *loops;
    const struct convoy_bn *p;
    const float *x, *dy, *gamma, *save_mean, *save_istd;
    float *dx, *dgamma, *dbeta;
};

static void make_channel(void *context, size_t c, size_t worker)
{
    const struct call *call = context;
    const struct convoy_bn *p = call->p;
    const int64_t plane = (int64_t)p->h * p->w;
    const double count = (double)p->n * (double)plane;
    const float mean = call->save_mean[c];
    const double istd = call->save_istd[c];
    double sums[LOOPS_LANES] = {0}, products[LOOPS_LANES] = {0}, sum = 0.0, product = 0.0;
    (void)worker;

    for (int64_t n = 0; n < p->n; n++) {
        const int64_t at = (n * p->c + (int64_t)c) * plane;
        call->loops->sum_products(call->x + at, call->dy + at, plane, mean, sums, products);
    }
    for (int64_t lane = 0; lane < LOOPS_LANES; lane++) {
        sum += sums[lane];
        product += products[lane];
    }
    call->dbeta[c] = (float)sum;
    call->dgamma[c] = (float)(product * istd);

    const float scale = (float)(call->gamma[c] * istd), mean_dy = (float)(sum / count),
                slope = (float)(product * istd * istd / count);
    for (int64_t n = 0; n < p->n; n++) {
        const int64_t at = (n * p->c + (int64_t)c) * plane;
        call->loops->normalise_bwd(call->x + at, call->dy + at, plane, mean, mean_dy, slope, scale, call->dx + at);
    }
}

convoy_status bn_bwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    struct call call = {
        .loops = plan->loops,
        .p = &plan->problem.bn,
        .x = convoy_slot_f32(args, CONVOY_X),
        .dy = convoy_slot_f32(args, CONVOY_DY),
        .gamma = convoy_slot_f32(args, CONVOY_GAMMA),
        .save_mean = convoy_slot_f32(args, CONVOY_SAVE_MEAN),
        .save_istd = convoy_slot_f32(args, CONVOY_SAVE_ISTD),
        .dx = convoy_slot_f32(args, CONVOY_DX),
        .dgamma = convoy_slot_f32(args, CONVOY_DGAMMA),
        .dbeta = convoy_slot_f32(args, CONVOY_DBETA),
    };
    (void)err;
    plan->host->parallel(plan->host, make_channel, &call, (size_t)call.p->c);
    return CONVOY_OK;
}
