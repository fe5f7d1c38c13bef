/* Element-wise operations: one loop for each kind, over blocks that are dealt out as tasks. Kinds without exp are in
 * eltwise_body.h. Functions with exp and their derivatives are evaluated in double and rounded once; the derivatives near saturation are differences of near values. */
#include "eltwise.h"
#include <convoy/plugin.h>
#include <math.h>

enum { BLOCK_ELEMENTS = 16384 };

#define EACH(at) for (int64_t at = 0; at < b->count; at++)

static void sigmoid(const struct block *b)
{
    EACH(at) b->y[at] = (float)(1.0 / (1.0 + exp(-(double)b->x[at])));
}

static void hyperbolic_tangent(const struct block *b)
{
    EACH(at) b->y[at] = (float)(b->alpha * tanh(b->beta * b->x[at]));
}

static void elu(const struct block *b)
{
    EACH(at) b->y[at] = (float)(b->beta * (b->x[at] > 0.0f ? b->x[at] : b->alpha * expm1(b->x[at])));
}

static void softplus(const struct block *b)
{
    EACH(at)
    {
        const double x = b->x[at];
        b->y[at] = (float)(x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x)));
    }
}

static void softsign(const struct block *b)
{
    EACH(at) b->y[at] = (float)(b->x[at] / (1.0 + fabs((double)b->x[at])));
}

static void sigmoid_bwd(const struct block *b)
{
    EACH(at)
    {
        const double y = b->x2[at];
        b->y[at] = (float)(b->x[at] * (y * (1.0 - y)));
    }
}

/* y = alpha*t, t = tanh(beta*x): dy/dx = alpha*beta*(1 - t*t). */
static void tanh_bwd(const struct block *b)
{
    EACH(at)
    {
        const double t = b->x2[at] / b->alpha;
        b->y[at] = (float)(b->x[at] * (b->alpha * b->beta * (1.0 - t * t)));
    }
}

/* Below 0: y = beta*alpha*(exp(x) - 1), dy/dx = beta*alpha*exp(x) = y + beta*alpha. */
static void elu_bwd(const struct block *b)
{
    EACH(at)
    {
        const double y = b->x2[at];
        b->y[at] = (float)(b->x[at] * (y > 0.0 ? b->beta : y + b->beta * b->alpha));
    }
}

/* y = log(1 + exp(x)): dy/dx = exp(x)/(1 + exp(x)) = 1 - exp(-y). */
static void softplus_bwd(const struct block *b)
{
    EACH(at) b->y[at] = (float)(b->x[at] * -expm1(-(double)b->x2[at]));
}

/* y = x/(1 + |x|): dy/dx = 1/(1 + |x|)^2 = (1 - |y|)^2. */
static void softsign_bwd(const struct block *b)
{
    EACH(at)
    {
        const double rest = 1.0 - fabs((double)b->x2[at]);
        b->y[at] = (float)(b->x[at] * (rest * rest));
    }
}

static eltwise_loop *const functions[CONVOY_ELT_COUNT] = {
    [CONVOY_ELT_SIGMOID] = sigmoid,
    [CONVOY_ELT_TANH] = hyperbolic_tangent,
    [CONVOY_ELT_ELU] = elu,
    [CONVOY_ELT_SOFTPLUS] = softplus,
    [CONVOY_ELT_SOFTSIGN] = softsign,
    [CONVOY_ELT_SIGMOID_BWD] = sigmoid_bwd,
    [CONVOY_ELT_TANH_BWD] = tanh_bwd,
    [CONVOY_ELT_ELU_BWD] = elu_bwd,
    [CONVOY_ELT_SOFTPLUS_BWD] = softplus_bwd,
    [CONVOY_ELT_SOFTSIGN_BWD] = softsign_bwd,
};

static int is_backward(int32_t kind)
{
    return kind >= CONVOY_ELT_RELU_BWD && kind <= CONVOY_ELT_SOFTSIGN_BWD;
}

struct call {
    const struct convoy_eltwise *p;
    const struct eltwise_loops *loops;
    eltwise_loop *function;
    int stream;
    const float *x, *x2, *dw, *scalars;
    float *y, *w, *velocity;
};

static void make_block(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const int64_t at = (int64_t)task * BLOCK_ELEMENTS;
    const struct block block = {
        .x = call->x + at,
        .x2 = call->x2 ? call->x2 + at : NULL,
        .y = call->y + at,
        .alpha = call->p->alpha,
        .beta = call->p->beta,
        .count = convoy_min(BLOCK_ELEMENTS, call->p->count - at),
        .stream = call->stream,
    };
    (void)worker;
    call->function(&block);
}

static void update_block(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const int64_t at = (int64_t)task * BLOCK_ELEMENTS;
    (void)worker;
    call->loops->update(call->dw + at, call->w + at, call->velocity + at, convoy_min(BLOCK_ELEMENTS, call->p->count - at),
                        call->scalars);
}

static convoy_status run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct convoy_eltwise *p = &plan->problem.eltwise;
    const int backward = is_backward(p->kind), update = p->kind == CONVOY_ELT_SGD;
    const struct eltwise_loops *loops = plan->loops->eltwise;
    struct call call = {
        .p = p,
        .loops = loops,
        .function = loops->kind[p->kind] ? loops->kind[p->kind] : functions[p->kind],
        .stream = plan->stream,
        .x = convoy_slot_f32(args, backward ? CONVOY_DY : CONVOY_X),
        .x2 = convoy_slot_f32(args, backward ? CONVOY_Y : CONVOY_X2),
        .y = convoy_slot_f32(args, backward ? CONVOY_DX : CONVOY_Y),
        .dw = convoy_slot_f32(args, CONVOY_DW),
        .scalars = convoy_slot_f32(args, CONVOY_SCALARS),
        .w = convoy_slot_f32(args, CONVOY_W),
        .velocity = convoy_slot_f32(args, CONVOY_X2),
    };
    (void)err;
    plan->host->parallel(plan->host, update ? update_block : make_block, &call,
                         (size_t)convoy_ceil_div(p->count, BLOCK_ELEMENTS));
    return CONVOY_OK;
}

convoy_status eltwise_supports(const struct self *self, const struct convoy_problem *problem, struct convoy_error *err)
{
    const struct convoy_eltwise *p = (const struct convoy_eltwise *)problem;
    (void)self;
    if (p->kind < CONVOY_ELT_RELU || p->kind >= CONVOY_ELT_COUNT)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_KERNEL, "element-wise kind %d is not known here", p->kind);
    if (p->count < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "an element-wise operation has at least 1 element");
    if ((p->kind == CONVOY_ELT_XENT || p->kind == CONVOY_ELT_XENT_BWD) && (p->classes < 1 || p->count % p->classes))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%d classes do not divide %lld logits", p->classes,
                           (long long)p->count);
    return CONVOY_OK;
}

static uint32_t slots_of(int32_t kind)
{
    switch (kind) {
    case CONVOY_ELT_ADD:
    case CONVOY_ELT_MUL:
        return SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_X2) | SLOT_BIT(CONVOY_Y);
    case CONVOY_ELT_XENT:
        return SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_INDEX) | SLOT_BIT(CONVOY_Y);
    case CONVOY_ELT_XENT_BWD:
        return SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_INDEX) | SLOT_BIT(CONVOY_DX);
    case CONVOY_ELT_SGD:
        return SLOT_BIT(CONVOY_DW) | SLOT_BIT(CONVOY_SCALARS) | SLOT_BIT(CONVOY_W) | SLOT_BIT(CONVOY_X2);
    default:
        return is_backward(kind) ? SLOT_BIT(CONVOY_DY) | SLOT_BIT(CONVOY_Y) | SLOT_BIT(CONVOY_DX)
                                 : SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_Y);
    }
}

/* Tensors of count floats that a kind of the bandwidth-bound loops passes over. */
static int tensors_of(int32_t kind)
{
    return is_backward(kind) || kind == CONVOY_ELT_ADD || kind == CONVOY_ELT_MUL ? 3 : 2;
}

void eltwise_plan(const struct self *self, struct plan *plan)
{
    const int32_t kind = plan->problem.eltwise.kind;
    (void)self;
    plan->run = kind == CONVOY_ELT_XENT || kind == CONVOY_ELT_XENT_BWD ? xent_run : run;
    plan->slots = slots_of(kind);
    plan->stream = loops_leave_cache(plan->problem.eltwise.count * tensors_of(kind) * (int64_t)sizeof(float));
    plan->numerics = (struct convoy_numerics){
        .kind = CONVOY_NUM_STATS,
        .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT,
    };
    snprintf(plan->algorithm, sizeof plan->algorithm, "one loop over the elements");
}
