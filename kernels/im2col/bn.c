/* Batch normalisation: what is accepted, how it is planned, and how channels are dealt out as tasks. NCHW keeps a channel's
 * statistics free of partial sums of other tasks, so that results have the same bits for any number of threads. */
#include "bn.h"
#include "im2col.h"
#include <convoy/plugin.h>

enum {
    GROUP_FLOATS = 65536, /* channels are joined in a group up to so many floats, well within the L2         */
    IMAGE_FLOATS = 8192,  /* of one image, so many of input, which an L1 holds: measured faster               */
    THREAD_GROUPS = 4,    /* but every thread is to have so many                                             */
    TASK_FLOATS = 16384,  /* and groups in a task, so that it is worth its start                              */
    STREAM_FLOATS = 256   /* shorter runs are mostly partial lines, which stores past the caches make slow    */
};

struct call {
    struct bn_call channels;
    bn_channels *make;
    int64_t group, per_task; /* channels */
};

static void make_task(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const int64_t last = convoy_min(((int64_t)task + 1) * call->per_task, call->channels.p->c);
    (void)worker;
    for (int64_t c = (int64_t)task * call->per_task; c < last; c += call->group)
        call->make(&call->channels, c, convoy_min(call->group, last - c));
}

static convoy_status run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct convoy_bn *p = &plan->problem.bn;
    const struct bn_loops *loops = plan->loops->bn;
    const convoy_op op = p->head.op;
    const int64_t plane = (int64_t)p->h * p->w, floats = p->n * plane;
    const int64_t most = p->n > 1 ? GROUP_FLOATS : op == CONVOY_BN_BWD ? IMAGE_FLOATS / 2 : IMAGE_FLOATS;
    const int64_t share = plan->host->threads > 1 ? p->c / (THREAD_GROUPS * (int64_t)plan->host->threads) : p->c;
    const int64_t group = convoy_max(1, convoy_min(convoy_min(BN_GROUP, most / floats), share));
    struct call call = {
        .channels =
            {
                .p = p,
                .x = convoy_slot_f32(args, CONVOY_X),
                .dy = convoy_slot_f32(args, CONVOY_DY),
                .gamma = convoy_slot_f32(args, CONVOY_GAMMA),
                .beta = convoy_slot_f32(args, CONVOY_BETA),
                .y = convoy_slot_f32(args, CONVOY_Y),
                .dx = convoy_slot_f32(args, CONVOY_DX),
                .dgamma = convoy_slot_f32(args, CONVOY_DGAMMA),
                .dbeta = convoy_slot_f32(args, CONVOY_DBETA),
                .run_mean = convoy_slot_f32(args, CONVOY_RUN_MEAN),
                .run_var = convoy_slot_f32(args, CONVOY_RUN_VAR),
                .save_mean = convoy_slot_f32(args, CONVOY_SAVE_MEAN),
                .save_istd = convoy_slot_f32(args, CONVOY_SAVE_ISTD),
                .stream = plan->stream,
            },
        .make = op == CONVOY_BN_TRAIN ? loops->train : op == CONVOY_BN_INFER ? loops->infer : loops->backward,
        .group = group,
        .per_task = convoy_max(1, TASK_FLOATS / (floats * group)) * group,
    };
    (void)err;
    plan->host->parallel(plan->host, make_task, &call, (size_t)convoy_ceil_div(p->c, call.per_task));
    return CONVOY_OK;
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
        uint32_t slots;
        const char *algorithm;
    } passes[] = {
        [CONVOY_BN_TRAIN] = {SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_GAMMA) | SLOT_BIT(CONVOY_BETA) | SLOT_BIT(CONVOY_RUN_MEAN) |
                                 SLOT_BIT(CONVOY_RUN_VAR) | SLOT_BIT(CONVOY_Y) | SLOT_BIT(CONVOY_SAVE_MEAN) |
                                 SLOT_BIT(CONVOY_SAVE_ISTD),
                             "corrected two-pass, by strips of a channel"},
        [CONVOY_BN_INFER] = {SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_GAMMA) | SLOT_BIT(CONVOY_BETA) | SLOT_BIT(CONVOY_RUN_MEAN) |
                                 SLOT_BIT(CONVOY_RUN_VAR) | SLOT_BIT(CONVOY_Y),
                             "one multiply-add by channel"},
        [CONVOY_BN_BWD] = {SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_DY) | SLOT_BIT(CONVOY_GAMMA) | SLOT_BIT(CONVOY_SAVE_MEAN) |
                               SLOT_BIT(CONVOY_SAVE_ISTD) | SLOT_BIT(CONVOY_DX) | SLOT_BIT(CONVOY_DGAMMA) |
                               SLOT_BIT(CONVOY_DBETA),
                           "two passes by channel"},
    };
    const convoy_op op = plan->problem.head.op;
    const struct convoy_bn *p = &plan->problem.bn;
    const int64_t plane = (int64_t)p->h * p->w, tensors = op == CONVOY_BN_BWD ? 3 : 2;
    (void)self;
    plan->stream = plane >= STREAM_FLOATS && loops_leave_cache(tensors * p->n * p->c * plane * (int64_t)sizeof(float));
    plan->run = run;
    plan->slots = passes[op].slots;
    plan->numerics = (struct convoy_numerics){
        .kind = CONVOY_NUM_STATS,
        .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT,
    };
    snprintf(plan->algorithm, sizeof plan->algorithm, "%s", passes[op].algorithm);
}
