/* Batch normalisation, forward (Ioffe & Szegedy, arXiv 1502.03167, algorithms 1 and 2). A task makes one channel, which
 * NCHW stores as n runs of h*w floats: its statistics need no partial sums of other tasks. Two passes, the mean before
 * the squares of the differences, both summed in double. */
#include "bn.h"
#include <convoy/plugin.h>
#include <math.h>

struct call {
    const struct loops *loops;
    const struct convoy_bn *p;
    const float *x, *gamma, *beta;
    float *y, *run_mean, *run_var, *save_mean, *save_istd;
};

static double total(const double sums[LOOPS_LANES])
{
    double total = 0.0;
    for (int lane = 0; lane < LOOPS_LANES; lane++)
        total += sums[lane];
    return total;
}

/* y = (x - mean)*scale + shift. The mean in two floats: x - high is exact where x is near the mean, and low is what
 * rounding it has lost. */
static void normalise(const struct call *call, int64_t c, double mean, double scale, float shift)
{
    const struct convoy_bn *p = call->p;
    const int64_t plane = (int64_t)p->h * p->w;
    const float high = (float)mean, low = (float)(mean - high), factor = (float)scale;
    for (int64_t n = 0; n < p->n; n++) {
        const int64_t at = (n * p->c + c) * plane;
        call->loops->normalise(call->x + at, plane, high, low, factor, shift, (p->head.flags & CONVOY_WITH_RELU) != 0,
                               call->y + at);
    }
}

static void train_channel(void *context, size_t c, size_t worker)
{
    const struct call *call = context;
    const struct convoy_bn *p = call->p;
    const int64_t plane = (int64_t)p->h * p->w;
    const double count = (double)p->n * (double)plane, momentum = p->momentum;
    double sums[LOOPS_LANES] = {0}, squares[LOOPS_LANES] = {0};
    (void)worker;

    for (int64_t n = 0; n < p->n; n++)
        call->loops->sum(call->x + (n * p->c + (int64_t)c) * plane, plane, sums);
    const double mean = total(sums) / count;
    for (int64_t n = 0; n < p->n; n++)
        call->loops->sum_squares(call->x + (n * p->c + (int64_t)c) * plane, plane, mean, squares);
    const double variance = total(squares) / count, istd = 1.0 / sqrt(variance + p->eps);

    call->save_mean[c] = (float)mean;
    call->save_istd[c] = (float)istd;
    const double unbiased = count > 1.0 ? variance * count / (count - 1.0) : variance;
    call->run_mean[c] = (float)((1.0 - momentum) * call->run_mean[c] + momentum * mean);
    call->run_var[c] = (float)((1.0 - momentum) * call->run_var[c] + momentum * unbiased);
    normalise(call, (int64_t)c, mean, call->gamma[c] * istd, call->beta[c]);
}

static void infer_channel(void *context, size_t c, size_t worker)
{
    const struct call *call = context;
    (void)worker;
    normalise(call, (int64_t)c, call->run_mean[c], call->gamma[c] / sqrt((double)call->run_var[c] + call->p->eps), call->beta[c]);
}

static convoy_status run(const struct plan *plan, const struct convoy_args *args, void (*task)(void *, size_t, size_t))
{
    struct call call = {
        .loops = plan->loops,
        .p = &plan->problem.bn,
        .x = convoy_slot_f32(args, CONVOY_X),
        .gamma = convoy_slot_f32(args, CONVOY_GAMMA),
        .beta = convoy_slot_f32(args, CONVOY_BETA),
        .y = convoy_slot_f32(args, CONVOY_Y),
        .run_mean = convoy_slot_f32(args, CONVOY_RUN_MEAN),
        .run_var = convoy_slot_f32(args, CONVOY_RUN_VAR),
        .save_mean = convoy_slot_f32(args, CONVOY_SAVE_MEAN),
        .save_istd = convoy_slot_f32(args, CONVOY_SAVE_ISTD),
    };
    plan->host->parallel(plan->host, task, &call, (size_t)call.p->c);
    return CONVOY_OK;
}

convoy_status bn_train_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    (void)err;
    return run(plan, args, train_channel);
}

convoy_status bn_infer_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    (void)err;
    return run(plan, args, infer_channel);
}

convoy_status bn_supports(const struct self *self, const struct convoy_problem *problem, struct convoy_error *err)
{
    const struct convoy_bn *p = (const struct convoy_bn *)problem;
    (void)self;
    if (p->n < 1 || p->c < 1 || p->h < 1 || p->w < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "every extent of a batch normalisation is at least 1");
    return CONVOY_OK;
}

void bn_plan(const struct self *self, struct plan *plan)
{
    static const struct {
        convoy_status (*run)(const struct plan *, const struct convoy_args *, struct convoy_error *);
        uint32_t slots;
        const char *algorithm;
    } passes[] = {
        [CONVOY_BN_TRAIN] = {bn_train_run,
                             SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_GAMMA) | SLOT_BIT(CONVOY_BETA) | SLOT_BIT(CONVOY_RUN_MEAN) |
                                 SLOT_BIT(CONVOY_RUN_VAR) | SLOT_BIT(CONVOY_Y) | SLOT_BIT(CONVOY_SAVE_MEAN) |
                                 SLOT_BIT(CONVOY_SAVE_ISTD),
                             "two passes by channel, double sums"},
        [CONVOY_BN_INFER] = {bn_infer_run,
                             SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_GAMMA) | SLOT_BIT(CONVOY_BETA) | SLOT_BIT(CONVOY_RUN_MEAN) |
                                 SLOT_BIT(CONVOY_RUN_VAR) | SLOT_BIT(CONVOY_Y),
                             "one multiply-add by channel"},
        [CONVOY_BN_BWD] = {bn_bwd_run,
                           SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_DY) | SLOT_BIT(CONVOY_GAMMA) | SLOT_BIT(CONVOY_SAVE_MEAN) |
                               SLOT_BIT(CONVOY_SAVE_ISTD) | SLOT_BIT(CONVOY_DX) | SLOT_BIT(CONVOY_DGAMMA) |
                               SLOT_BIT(CONVOY_DBETA),
                           "two passes by channel, double sums"},
    };
    const convoy_op op = plan->problem.head.op;
    (void)self;
    plan->run = passes[op].run;
    plan->slots = passes[op].slots;
    plan->numerics = (struct convoy_numerics){
        .kind = CONVOY_NUM_STATS,
        .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT,
    };
    snprintf(plan->algorithm, sizeof plan->algorithm, "%s", passes[op].algorithm);
}
