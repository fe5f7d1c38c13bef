/* Batch norm: training, inference and backward (Ioffe & Szegedy, arXiv 1502.03167, section 3). With m = n*h*w per channel,
 * xhat = (x - mean)*istd and the sums over the channel, the chain rule's six formulas fold to
 *     dgamma = sum dy*xhat    dbeta = sum dy    dx = gamma*istd*(dy - dbeta/m - xhat*dgamma/m).
 *
 * D per output, the scale that its rounding errors are measured against:
 *     Y                   |gamma*xhat| + |beta|
 *     SAVE_MEAN           mean|x|
 *     SAVE_ISTD           the value
 *     RUN_MEAN, RUN_VAR   |1-momentum|*|old| + |momentum|*|new|
 *     DGAMMA, DBETA       sum|dy*xhat|, sum|dy|
 *     DX                  |gamma*istd| * (|dy| + mean|dy| + |xhat|*mean|dy*xhat|): dbeta and dgamma are sums that cancel, so
 *                         their errors scale with their absolute sums
 * The norm is D but for DGAMMA, which is the dot product of dy and xhat. */
#include "naive.h"
#include <math.h>

static double relative(const struct job *job, const struct bn_statistics *channel, int64_t at)
{
    return ((double)((const float *)job->slot[CONVOY_X])[at] - channel->mean) * channel->istd;
}

/* Mean and biased variance in two passes, so that a large mean costs no digits. */
static void measure(const struct job *job, int64_t c, struct bn_statistics *channel)
{
    const struct convoy_bn *p = &job->problem->bn;
    const int64_t plane = (int64_t)p->h * p->w;
    const double m = (double)(p->n * plane);
    const float *x = job->slot[CONVOY_X];
    double sum = 0, abs_sum = 0, squares = 0;
    for (int64_t n = 0; n < p->n; n++) {
        for (int64_t at = (n * p->c + c) * plane; at < (n * p->c + c + 1) * plane; at++) {
            sum += (double)x[at];
            abs_sum += fabs((double)x[at]);
        }
    }
    channel->mean = sum / m;
    channel->abs_mean = abs_sum / m;
    for (int64_t n = 0; n < p->n; n++) {
        for (int64_t at = (n * p->c + c) * plane; at < (n * p->c + c + 1) * plane; at++) {
            const double distance = (double)x[at] - channel->mean;
            squares += distance * distance;
        }
    }
    channel->var = squares / m;
}

static void sum_gradients(const struct job *job, int64_t c, struct bn_statistics *channel)
{
    const struct convoy_bn *p = &job->problem->bn;
    const int64_t plane = (int64_t)p->h * p->w;
    double dy_squares = 0, xhat_squares = 0;
    for (int64_t n = 0; n < p->n; n++) {
        for (int64_t at = (n * p->c + c) * plane; at < (n * p->c + c + 1) * plane; at++) {
            const double dy = (double)((const float *)job->slot[CONVOY_DY])[at], xhat = relative(job, channel, at);
            channel->dy += dy;
            channel->dy_xhat += dy * xhat;
            channel->abs_dy += fabs(dy);
            channel->abs_dy_xhat += fabs(dy * xhat);
            dy_squares += dy * dy;
            xhat_squares += xhat * xhat;
        }
    }
    channel->dy_norm = sqrt(dy_squares);
    channel->xhat_norm = sqrt(xhat_squares);
}

struct bn_statistics bn_channel(const struct job *job, int64_t c)
{
    const struct convoy_bn *p = &job->problem->bn;
    struct bn_statistics channel = {0};
    if (p->head.op == CONVOY_BN_BWD) {
        channel.mean = (double)((const float *)job->slot[CONVOY_SAVE_MEAN])[c];
        channel.istd = (double)((const float *)job->slot[CONVOY_SAVE_ISTD])[c];
        sum_gradients(job, c, &channel);
        return channel;
    }
    if (p->head.op == CONVOY_BN_TRAIN) {
        measure(job, c, &channel);
    } else {
        channel.mean = (double)((const float *)job->slot[CONVOY_RUN_MEAN])[c];
        channel.var = (double)((const float *)job->slot[CONVOY_RUN_VAR])[c];
    }
    channel.istd = 1.0 / sqrt(channel.var + (double)p->eps);
    return channel;
}

static struct convoy_verdict_terms terms(double value, double abs_sum)
{
    return (struct convoy_verdict_terms){.value = value, .abs_sum = abs_sum, .norm = abs_sum};
}

static struct convoy_verdict_terms running(const struct convoy_bn *p, double old, double new)
{
    const double momentum = (double)p->momentum;
    return terms((1.0 - momentum) * old + momentum * new, fabs(1.0 - momentum) * fabs(old) + fabs(momentum) * fabs(new));
}

static struct convoy_verdict_terms normalised(const struct job *job, const struct bn_statistics *channel, int64_t c, int64_t at)
{
    const double scaled = (double)((const float *)job->slot[CONVOY_GAMMA])[c] * relative(job, channel, at);
    const double beta = (double)((const float *)job->slot[CONVOY_BETA])[c], y = scaled + beta;
    return terms((job->problem->head.flags & CONVOY_WITH_RELU) ? eltwise_relu(y) : y, fabs(scaled) + fabs(beta));
}

static struct convoy_verdict_terms input_gradient(const struct job *job, const struct bn_statistics *channel, int64_t c,
                                                  int64_t at)
{
    const struct convoy_bn *p = &job->problem->bn;
    const double m = (double)((int64_t)p->n * p->h * p->w), xhat = relative(job, channel, at);
    const double dy = (double)((const float *)job->slot[CONVOY_DY])[at];
    const double scale = (double)((const float *)job->slot[CONVOY_GAMMA])[c] * channel->istd;
    return terms(scale * (dy - channel->dy / m - xhat * channel->dy_xhat / m),
                 fabs(scale) * (fabs(dy) + channel->abs_dy / m + fabs(xhat) * channel->abs_dy_xhat / m));
}

struct convoy_verdict_terms bn_element(const struct job *job, const struct bn_statistics *channel, uint32_t slot,
                                       uint64_t element)
{
    const struct convoy_bn *p = &job->problem->bn;
    const double m = (double)((int64_t)p->n * p->h * p->w);
    const int64_t at = (int64_t)element;
    switch (slot) {
    case CONVOY_Y:
        return normalised(job, channel, at / ((int64_t)p->h * p->w) % p->c, at);
    case CONVOY_DX:
        return input_gradient(job, channel, at / ((int64_t)p->h * p->w) % p->c, at);
    case CONVOY_SAVE_MEAN:
        return terms(channel->mean, channel->abs_mean);
    case CONVOY_SAVE_ISTD:
        return terms(channel->istd, channel->istd);
    case CONVOY_RUN_MEAN:
        return running(p, (double)((const float *)job->slot[CONVOY_RUN_MEAN])[at], channel->mean);
    case CONVOY_RUN_VAR:
        return running(p, (double)((const float *)job->slot[CONVOY_RUN_VAR])[at],
                       m > 1 ? channel->var * m / (m - 1) : channel->var);
    case CONVOY_DGAMMA:
        return (struct convoy_verdict_terms){channel->dy_xhat, channel->abs_dy_xhat, channel->dy_norm * channel->xhat_norm};
    default:
        return terms(channel->dy, channel->abs_dy);
    }
}

static void execute_channel(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct job *job = context;
    const struct convoy_bn *p = &job->problem->bn;
    const int64_t c = (int64_t)i, plane = (int64_t)p->h * p->w;
    const uint32_t writes = binding_writes(job->problem);
    const struct bn_statistics channel = bn_channel(job, c);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (!(writes & (1u << slot)))
            continue;
        float *out = job->slot[slot];
        if (slot != CONVOY_Y && slot != CONVOY_DX) {
            out[c] = (float)bn_element(job, &channel, slot, (uint64_t)c).value;
            continue;
        }
        for (int64_t n = 0; n < p->n; n++)
            for (int64_t at = (n * p->c + c) * plane; at < (n * p->c + c + 1) * plane; at++)
                out[at] = (float)bn_element(job, &channel, slot, (uint64_t)at).value;
    }
}

void bn_execute(const struct job *job)
{
    struct job shared = *job;
    job->host->parallel(job->host, execute_channel, &shared, (size_t)job->problem->bn.c);
}
