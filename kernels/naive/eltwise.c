/* Element-wise kinds. A derivative is written as a function of y; its D is the sum of the absolute values of the terms that
 * the formula adds or subtracts, |value| where it adds none. XENT's log(S), S = sum exp(x - max) >= 1, turns the relative
 * error of S into an absolute one, hence the 1 in its D. */
#include "naive.h"
#include <math.h>

enum { CHUNK = 4096 };

double eltwise_relu(double v)
{
    return v <= 0 ? 0.0 : v;
}

struct operands {
    double x, x2, dy, y, alpha, beta;
};

static struct convoy_verdict_terms sum(double value, double abs_sum)
{
    return (struct convoy_verdict_terms){.value = value, .abs_sum = abs_sum, .norm = abs_sum};
}

static struct convoy_verdict_terms plain(double value)
{
    return sum(value, fabs(value));
}

static struct convoy_verdict_terms relu(const struct operands *o)
{
    return plain(eltwise_relu(o->x));
}
static struct convoy_verdict_terms leaky(const struct operands *o)
{
    return plain(o->x > 0 ? o->x : o->alpha * o->x);
}
static struct convoy_verdict_terms sigmoid(const struct operands *o)
{
    return plain(1.0 / (1.0 + exp(-o->x)));
}
static struct convoy_verdict_terms scaled_tanh(const struct operands *o)
{
    return plain(o->alpha * tanh(o->beta * o->x));
}
static struct convoy_verdict_terms elu(const struct operands *o)
{
    if (o->x > 0)
        return plain(o->beta * o->x);
    return sum(o->beta * o->alpha * expm1(o->x), fabs(o->beta * o->alpha) * (exp(o->x) + 1.0));
}
/* log(1 + e^x) = max(x,0) + log(1 + e^-|x|), which neither overflows nor loses small values. */
static struct convoy_verdict_terms softplus(const struct operands *o)
{
    return plain(eltwise_relu(o->x) + log1p(exp(-fabs(o->x))));
}
static struct convoy_verdict_terms hardtanh(const struct operands *o)
{
    return plain(o->x < -1 ? -1.0 : o->x > 1 ? 1.0 : o->x);
}
static struct convoy_verdict_terms softsign(const struct operands *o)
{
    return plain(o->x / (1.0 + fabs(o->x)));
}

static struct convoy_verdict_terms relu_bwd(const struct operands *o)
{
    return plain(o->y > 0 ? o->dy : 0.0);
}
static struct convoy_verdict_terms leaky_bwd(const struct operands *o)
{
    return plain(o->y > 0 ? o->dy : o->alpha * o->dy);
}
static struct convoy_verdict_terms sigmoid_bwd(const struct operands *o)
{
    return sum(o->dy * o->y * (1.0 - o->y), fabs(o->dy) * (fabs(o->y) + o->y * o->y));
}
/* y = alpha*tanh(beta*x): dy/dx = alpha*beta*(1 - (y/alpha)^2); a flat line for alpha 0. */
static struct convoy_verdict_terms tanh_bwd(const struct operands *o)
{
    const double t = o->alpha == 0 ? 0.0 : o->y / o->alpha, scale = o->dy * o->alpha * o->beta;
    return sum(scale * (1.0 - t) * (1.0 + t), fabs(scale) * (1.0 + t * t));
}
/* beta*alpha*exp(x) = y + beta*alpha; x > 0 where y has the sign of beta. */
static struct convoy_verdict_terms elu_bwd(const struct operands *o)
{
    if (o->y * o->beta > 0)
        return plain(o->dy * o->beta);
    return sum(o->dy * (o->y + o->beta * o->alpha), fabs(o->dy) * (fabs(o->y) + fabs(o->beta * o->alpha)));
}
/* sigmoid(x) = 1 - exp(-y) */
static struct convoy_verdict_terms softplus_bwd(const struct operands *o)
{
    return sum(-o->dy * expm1(-o->y), fabs(o->dy) * (1.0 + exp(-o->y)));
}
static struct convoy_verdict_terms hardtanh_bwd(const struct operands *o)
{
    return plain(o->y > -1 && o->y < 1 ? o->dy : 0.0);
}
/* 1 - |y| = 1/(1+|x|) */
static struct convoy_verdict_terms softsign_bwd(const struct operands *o)
{
    const double slope = 1.0 - fabs(o->y);
    return plain(o->dy * slope * slope);
}

static struct convoy_verdict_terms add(const struct operands *o)
{
    return sum(o->alpha * o->x + o->beta * o->x2, fabs(o->alpha * o->x) + fabs(o->beta * o->x2));
}
static struct convoy_verdict_terms mul(const struct operands *o)
{
    return plain(o->x * o->x2);
}
static struct convoy_verdict_terms scale(const struct operands *o)
{
    return sum(o->alpha * o->x + o->beta, fabs(o->alpha * o->x) + fabs(o->beta));
}

static struct convoy_verdict_terms (*const rule[CONVOY_ELT_COUNT])(const struct operands *) = {
    [CONVOY_ELT_RELU] = relu,
    [CONVOY_ELT_LEAKY] = leaky,
    [CONVOY_ELT_SIGMOID] = sigmoid,
    [CONVOY_ELT_TANH] = scaled_tanh,
    [CONVOY_ELT_ELU] = elu,
    [CONVOY_ELT_SOFTPLUS] = softplus,
    [CONVOY_ELT_HARDTANH] = hardtanh,
    [CONVOY_ELT_SOFTSIGN] = softsign,
    [CONVOY_ELT_RELU_BWD] = relu_bwd,
    [CONVOY_ELT_LEAKY_BWD] = leaky_bwd,
    [CONVOY_ELT_SIGMOID_BWD] = sigmoid_bwd,
    [CONVOY_ELT_TANH_BWD] = tanh_bwd,
    [CONVOY_ELT_ELU_BWD] = elu_bwd,
    [CONVOY_ELT_SOFTPLUS_BWD] = softplus_bwd,
    [CONVOY_ELT_HARDTANH_BWD] = hardtanh_bwd,
    [CONVOY_ELT_SOFTSIGN_BWD] = softsign_bwd,
    [CONVOY_ELT_ADD] = add,
    [CONVOY_ELT_MUL] = mul,
    [CONVOY_ELT_SCALE] = scale,
};

/* ---- softmax cross-entropy: a row of logits at a time ---- */

struct xent_row eltwise_row(const struct job *job, int64_t row)
{
    const struct convoy_eltwise *p = &job->problem->eltwise;
    const float *x = (const float *)job->slot[CONVOY_X] + row * p->classes;
    struct xent_row result = {.max = (double)x[0]};
    for (int32_t c = 1; c < p->classes; c++)
        if ((double)x[c] > result.max)
            result.max = (double)x[c];
    double total = 0;
    for (int32_t c = 0; c < p->classes; c++)
        total += exp((double)x[c] - result.max);
    result.log_sum = log(total);
    return result;
}

static struct convoy_verdict_terms loss(const struct job *job, const struct xent_row *row, int64_t at)
{
    const struct convoy_eltwise *p = &job->problem->eltwise;
    const int32_t label = ((const int32_t *)job->slot[CONVOY_INDEX])[at];
    if (label < 0)
        return plain(0.0);
    const double chosen = (double)((const float *)job->slot[CONVOY_X])[at * p->classes + label];
    return sum(row->log_sum + (row->max - chosen), 1.0 + row->log_sum + fabs(row->max) + fabs(chosen));
}

static struct convoy_verdict_terms loss_gradient(const struct job *job, const struct xent_row *row, int64_t at)
{
    const struct convoy_eltwise *p = &job->problem->eltwise;
    const int32_t label = ((const int32_t *)job->slot[CONVOY_INDEX])[at / p->classes];
    if (label < 0)
        return plain(0.0);
    const double share = exp((double)((const float *)job->slot[CONVOY_X])[at] - row->max - row->log_sum);
    const double target = at % p->classes == label ? 1.0 : 0.0;
    return sum((double)p->alpha * (share - target), fabs((double)p->alpha) * (share + target));
}

/* ---- SGD: one parameter and its velocity ---- */

struct step {
    struct convoy_verdict_terms weight, velocity;
};

static struct step sgd(const struct job *job, int64_t at)
{
    const float *scalars = job->slot[CONVOY_SCALARS];
    const double rate = (double)scalars[0], momentum = (double)scalars[1], decay = (double)scalars[2];
    const double w = (double)((const float *)job->slot[CONVOY_W])[at], old = (double)((const float *)job->slot[CONVOY_X2])[at];
    const double dw = (double)((const float *)job->slot[CONVOY_DW])[at];
    const double g = dw + decay * w, g_scale = fabs(dw) + fabs(decay * w);
    const double v = momentum * old + g, v_scale = fabs(momentum * old) + g_scale;
    const int nesterov = scalars[3] != 0.0f;
    const double direction = nesterov ? g + momentum * v : v;
    const double direction_scale = nesterov ? g_scale + fabs(momentum) * v_scale : v_scale;
    return (struct step){.weight = sum(w - rate * direction, fabs(w) + fabs(rate) * direction_scale),
                         .velocity = sum(v, v_scale)};
}

struct convoy_verdict_terms eltwise_element(const struct job *job, const struct xent_row *row, uint32_t slot, uint64_t element)
{
    const struct convoy_eltwise *p = &job->problem->eltwise;
    const int64_t at = (int64_t)element;
    if (p->kind == CONVOY_ELT_XENT)
        return loss(job, row, at);
    if (p->kind == CONVOY_ELT_XENT_BWD)
        return loss_gradient(job, row, at);
    if (p->kind == CONVOY_ELT_SGD) {
        const struct step step = sgd(job, at);
        return slot == CONVOY_W ? step.weight : step.velocity;
    }
    const float *x = job->slot[CONVOY_X], *x2 = job->slot[CONVOY_X2], *dy = job->slot[CONVOY_DY], *y = job->slot[CONVOY_Y];
    const uint32_t reads = binding_reads(job->problem);
    const struct operands operands = {
        .x = (reads & (1u << CONVOY_X)) ? (double)x[at] : 0.0,
        .x2 = (reads & (1u << CONVOY_X2)) ? (double)x2[at] : 0.0,
        .dy = (reads & (1u << CONVOY_DY)) ? (double)dy[at] : 0.0,
        .y = (reads & (1u << CONVOY_Y)) ? (double)y[at] : 0.0,
        .alpha = (double)p->alpha,
        .beta = (double)p->beta,
    };
    return rule[p->kind](&operands);
}

static void execute_row(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct job *job = context;
    const struct convoy_eltwise *p = &job->problem->eltwise;
    const struct xent_row row = eltwise_row(job, (int64_t)i);
    if (p->kind == CONVOY_ELT_XENT) {
        ((float *)job->slot[CONVOY_Y])[i] = (float)loss(job, &row, (int64_t)i).value;
        return;
    }
    float *dx = job->slot[CONVOY_DX];
    for (int64_t at = (int64_t)i * p->classes; at < ((int64_t)i + 1) * p->classes; at++)
        dx[at] = (float)loss_gradient(job, &row, at).value;
}

static void execute_chunk(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct job *job = context;
    const struct convoy_eltwise *p = &job->problem->eltwise;
    const int64_t first = (int64_t)i * CHUNK, last = convoy_min(first + CHUNK, p->count);
    float *w = job->slot[CONVOY_W], *velocity = job->slot[CONVOY_X2];
    const uint32_t slot = (binding_writes(job->problem) & (1u << CONVOY_DX)) ? CONVOY_DX : CONVOY_Y;
    float *out = job->slot[slot];
    for (int64_t at = first; at < last; at++) {
        if (p->kind == CONVOY_ELT_SGD) {
            const struct step step = sgd(job, at);
            w[at] = (float)step.weight.value;
            velocity[at] = (float)step.velocity.value;
        } else {
            out[at] = (float)eltwise_element(job, NULL, slot, (uint64_t)at).value;
        }
    }
}

void eltwise_execute(const struct job *job)
{
    const struct convoy_eltwise *p = &job->problem->eltwise;
    struct job shared = *job;
    if (p->kind == CONVOY_ELT_XENT || p->kind == CONVOY_ELT_XENT_BWD)
        job->host->parallel(job->host, execute_row, &shared, (size_t)(p->count / p->classes));
    else
        job->host->parallel(job->host, execute_chunk, &shared, (size_t)convoy_ceil_div(p->count, CHUNK));
}
