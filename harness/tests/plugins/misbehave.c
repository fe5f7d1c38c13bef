/* A plugin that computes convolutions rightly and then misbehaves in the way that its variant names; the variant "healthy" does
 * not. Each way has the one verdict that the harness must give it (harness/tests/cli_misbehave.sh). */
#define _GNU_SOURCE /* nanosleep */
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <fenv.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum way {
    HEALTHY,
    CRASH,
    ABORT,
    EXIT,
    HANG,
    LIAR,
    FAILS,
    OVERRUN,
    UNDERRUN,
    OVERREAD,
    UNDERREAD,
    OVERRUN_WORKSPACE,
    PARTIAL,
    NAN_RESULT,
    SCRIBBLE,
    REPLAY,
    ROUNDING,
    FLUSH,
    LEAK,
    RANDOM,
    NO_MEMORY,
    SLEEP,
    LAZY,
    WAY_COUNT
};
static const char *const names[WAY_COUNT + 1] = {"healthy", "crash",   "abort",     "exit",     "hang",      "liar",
                                                 "fails",   "overrun", "underrun",  "overread", "underread", "overrun_workspace",
                                                 "partial", "nan",     "scribble",  "replay",   "rounding",  "flush",
                                                 "leak",    "random",  "no_memory", "sleep",    "lazy",      NULL};

struct self {
    struct convoy_instance base;
    const struct convoy_host *host;
    enum way way;
};
struct plan {
    struct convoy_plan base;
    struct convoy_conv p;
    enum way way;
    float *kept;
    uint32_t calls;
};

static size_t elements(const struct convoy_conv *p, convoy_op of)
{
    if (of == CONVOY_CONV_BWD_DATA)
        return (size_t)p->n * (size_t)p->c * (size_t)p->h * (size_t)p->w;
    if (of == CONVOY_CONV_BWD_WEIGHTS)
        return (size_t)p->k * (size_t)(p->c / p->groups) * (size_t)p->kh * (size_t)p->kw;
    return (size_t)p->n * (size_t)p->k * (size_t)p->oh * (size_t)p->ow;
}

/* All three passes in one walk over the multiply-adds: x index, w index, y index of each; `out` gets the sum. */
static void walk(const struct convoy_conv *p, const float *x, const float *w, const float *y, double *out)
{
    const int32_t cg = p->c / p->groups, kg = p->k / p->groups;
    for (int32_t n = 0; n < p->n; n++)
        for (int32_t k = 0; k < p->k; k++)
            for (int32_t oh = 0; oh < p->oh; oh++)
                for (int32_t ow = 0; ow < p->ow; ow++)
                    for (int32_t c = 0; c < cg; c++)
                        for (int32_t r = 0; r < p->kh; r++)
                            for (int32_t s = 0; s < p->kw; s++) {
                                const int64_t h = (int64_t)oh * p->stride_h - p->pad_t + (int64_t)r * p->dil_h;
                                const int64_t v = (int64_t)ow * p->stride_w - p->pad_l + (int64_t)s * p->dil_w;
                                if (h < 0 || h >= p->h || v < 0 || v >= p->w)
                                    continue;
                                const int64_t xi = (((int64_t)n * p->c + (k / kg) * cg + c) * p->h + h) * p->w + v;
                                const int64_t wi = (((int64_t)k * cg + c) * p->kh + r) * p->kw + s;
                                const int64_t yi = (((int64_t)n * p->k + k) * p->oh + oh) * p->ow + ow;
                                if (p->head.op == CONVOY_CONV_FWD)
                                    out[yi] += (double)x[xi] * w[wi];
                                else if (p->head.op == CONVOY_CONV_BWD_DATA)
                                    out[xi] += (double)y[yi] * w[wi];
                                else
                                    out[wi] += (double)x[xi] * y[yi];
                            }
}

static convoy_status compute(struct plan *plan, const struct convoy_args *args, float *result, size_t count,
                             struct convoy_error *err)
{
    const struct convoy_conv *p = &plan->p;
    double *sum = calloc(count, sizeof *sum);
    if (!sum)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    const float *y = p->head.op == CONVOY_CONV_FWD ? NULL : convoy_slot_f32(args, CONVOY_DY);
    walk(p, convoy_slot_f32(args, CONVOY_X), convoy_slot_f32(args, CONVOY_W), y, sum);
    const float *bias = convoy_slot_f32(args, CONVOY_BIAS);
    for (size_t i = 0; i < count; i++) {
        if (bias && p->head.op == CONVOY_CONV_FWD)
            sum[i] += (double)bias[i / ((size_t)p->oh * (size_t)p->ow) % (size_t)p->k];
        result[i] = (float)sum[i];
    }
    free(sum);
    float *dbias = convoy_slot_f32(args, CONVOY_DBIAS);
    const size_t area = (size_t)p->oh * (size_t)p->ow;
    for (int32_t k = 0; dbias && k < p->k; k++) {
        double total = 0;
        for (int32_t n = 0; n < p->n; n++)
            for (size_t i = 0; i < area; i++)
                total += (double)y[((size_t)n * (size_t)p->k + (size_t)k) * area + i];
        dbias[k] = (float)total;
    }
    return CONVOY_OK;
}

static void misbehave(struct plan *plan, const struct convoy_args *args, float *result, size_t count)
{
    volatile float *out = result, sink;
    static void *volatile lost; /* volatile, or the compiler drops an allocation that nobody uses */
    volatile float *in = convoy_slot_f32(args, plan->p.head.op == CONVOY_CONV_BWD_DATA ? CONVOY_DY : CONVOY_X);
    const size_t in_count = elements(&plan->p, plan->p.head.op == CONVOY_CONV_BWD_DATA ? CONVOY_CONV_FWD : CONVOY_CONV_BWD_DATA);
    switch (plan->way) {
    case CRASH:
        raise(SIGSEGV);
        break;
    case ABORT:
        abort();
    case EXIT:
        exit(3);
    case HANG:
        for (;;)
            pause();
    case OVERRUN:
        out[count] = 1;
        break;
    case UNDERRUN:
        out[-1] = 1;
        break;
    case OVERREAD:
        sink = in[in_count];
        (void)sink;
        break;
    case UNDERREAD:
        sink = in[-1];
        (void)sink;
        break;
    case OVERRUN_WORKSPACE:
        ((volatile char *)convoy_slot(args, CONVOY_WORKSPACE))[100] = 1;
        break;
    case NAN_RESULT:
        out[count / 2] = NAN;
        break;
    case SCRIBBLE:
        in[in_count / 2] = 42;
        break;
    case ROUNDING:
        fesetround(FE_UPWARD);
        break;
#if defined(__x86_64__)
    case FLUSH:
        _mm_setcsr(_mm_getcsr() | 0x8040);
        break;
#endif
    case LEAK:
        lost = malloc(1000);
        (void)lost;
        break;
    case RANDOM: /* like a race between roundings: integers stay exact */
        if (out[count / 2] != rintf(out[count / 2]))
            out[count / 2] = nextafterf(out[count / 2], plan->calls % 2 ? INFINITY : -INFINITY);
        break;
    default:
        break;
    }
}

static void plan_info(const struct convoy_plan *base, struct convoy_plan_info *info)
{
    const struct plan *plan = (const struct plan *)base;
    info->workspace_bytes = plan->way == OVERRUN_WORKSPACE ? 100 : 0;
    info->prepared_bytes = 0;
    info->numerics = (struct convoy_numerics){.kind = CONVOY_NUM_DIRECT, .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT};
    snprintf(info->algorithm, sizeof info->algorithm, "%s", names[plan->way]);
}

static convoy_status plan_execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *plan = (struct plan *)base;
    static const uint32_t output[] = {
        [CONVOY_CONV_FWD] = CONVOY_Y, [CONVOY_CONV_BWD_DATA] = CONVOY_DX, [CONVOY_CONV_BWD_WEIGHTS] = CONVOY_DW};
    const size_t count = elements(&plan->p, plan->p.head.op);
    float *result = convoy_slot_f32(args, output[plan->p.head.op]);
    plan->calls++;
    if (plan->way == LAZY && plan->calls > 100) /* after it was verified */
        return CONVOY_OK;
    if (plan->way == SLEEP)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    if (plan->way == FAILS)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "this plan always fails");
    if (plan->way == REPLAY && plan->kept) {
        memcpy(result, plan->kept, count * sizeof *result);
        return CONVOY_OK;
    }
    float *whole = malloc(count * sizeof *whole);
    if (!whole)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    const convoy_status status = compute(plan, args, whole, count, err);
    const size_t written = plan->way == PARTIAL ? count - count / 4 - 1 : count;
    memcpy(result, whole, written * sizeof *result);
    if (plan->way == REPLAY)
        plan->kept = whole;
    else
        free(whole);
    misbehave(plan, args, result, count);
    return status;
}

static void plan_destroy(struct convoy_plan *base)
{
    free(((struct plan *)base)->kept);
    free(base);
}
static const struct convoy_plan_ops plan_ops = {sizeof plan_ops, 0, plan_info, NULL, plan_execute, plan_destroy};

static convoy_status supports(const struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_error *err)
{
    (void)base;
    if (problem->op < CONVOY_CONV_FWD || problem->op > CONVOY_CONV_BWD_WEIGHTS)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "only convolutions");
    if (problem->dtype != CONVOY_F32 || problem->layout != CONVOY_NCHW)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DTYPE, "only f32 in NCHW");
    if (problem->flags & ~(uint32_t)CONVOY_WITH_BIAS)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "no flag but the bias");
    return CONVOY_OK;
}

static convoy_status make_plan(struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    const enum way way = ((struct self *)base)->way;
    if (way == LIAR)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_STRIDE, "on second thoughts, no");
    struct plan *plan = way == NO_MEMORY ? NULL : calloc(1, sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    plan->base.ops = &plan_ops;
    plan->p = *(const struct convoy_conv *)problem;
    plan->way = way;
    *out = &plan->base;
    return CONVOY_OK;
}

static void close_instance(struct convoy_instance *base)
{
    free(base);
}
static const struct convoy_instance_ops instance_ops = {sizeof instance_ops, 0, supports, make_plan, NULL, close_instance};

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    int way = 0;
    while (variant && *variant && way < WAY_COUNT && strcmp(variant, names[way]))
        way++;
    if (way == WAY_COUNT)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no variant %s", variant);
    struct self *self = calloc(1, sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    self->base = (struct convoy_instance){&instance_ops, host->memory};
    self->host = host;
    self->way = (enum way)way;
    *out = &self->base;
    return CONVOY_OK;
}

const struct convoy_plugin convoy_plugin_v1 = {sizeof convoy_plugin_v1,
                                               CONVOY_ABI_MINOR,
                                               "misbehave",
                                               "1",
                                               "Convoy",
                                               "every way in which a plugin can go wrong",
                                               names,
                                               CONVOY_THREADS_HOST,
                                               0,
                                               open_instance,
                                               NULL};
