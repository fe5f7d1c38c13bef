/* Batch norm over the batches of all processes. The statistics need two sums over the processes forward and one backward, between
 * loops over the own samples, so that it is computed here and not by a plugin. Formulas: convoy.h, BN_TRAIN and BN_BWD, with m
 * the elements of a channel in all processes. */
#include "layers/kinds.h"
#include "layers/planes.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdlib.h>

enum { GAMMA, BETA, RUN_MEAN, RUN_VAR };
enum { SAVED_MEAN, SAVED_ISTD };

static int64_t first_of(const struct planes *p, int32_t n, int32_t c)
{
    return n * p->in_size + c * p->pixels;
}

static void sum_channel(const struct planes *p, int32_t c)
{
    double sum = 0;
    for (int32_t n = 0; n < p->layer->batch; n++)
        for (int64_t i = first_of(p, n, c); i < first_of(p, n, c) + p->pixels; i++)
            sum += p->in[i];
    ((double *)p->layer->own)[c] = sum;
}

static void square_channel(const struct planes *p, int32_t c)
{
    const double mean = p->keep[SAVED_MEAN][c];
    double sum = 0;
    for (int32_t n = 0; n < p->layer->batch; n++)
        for (int64_t i = first_of(p, n, c); i < first_of(p, n, c) + p->pixels; i++)
            sum += (p->in[i] - mean) * (p->in[i] - mean);
    ((double *)p->layer->own)[c] = sum;
}

static void normalise_sample(const struct planes *p, int64_t n)
{
    for (int32_t c = 0; c < p->in_extent.c; c++) {
        const float scale = p->param[GAMMA][c] * p->keep[SAVED_ISTD][c],
                    shift = p->param[BETA][c] - scale * p->keep[SAVED_MEAN][c];
        const int64_t first = first_of(p, (int32_t)n, c);
        for (int64_t i = first; i < first + p->pixels; i++) {
            const float y = scale * p->in[i] + shift;
            p->y[i] = p->layer->fused_relu && y < 0 ? 0 : y;
        }
    }
}

static void pull_channel(const struct planes *p, int32_t c)
{
    const double mean = p->keep[SAVED_MEAN][c], istd = p->keep[SAVED_ISTD][c];
    double sum = 0, along = 0;
    for (int32_t n = 0; n < p->layer->batch; n++) {
        for (int64_t i = first_of(p, n, c); i < first_of(p, n, c) + p->pixels; i++) {
            sum += p->dout[i];
            along += p->dout[i] * (p->in[i] - mean) * istd;
        }
    }
    ((double *)p->layer->own)[c] = sum;
    ((double *)p->layer->own)[p->in_extent.c + c] = along;
    p->grad[GAMMA][c] = (float)along;
    p->grad[BETA][c] = (float)sum;
}

static void descend_sample(const struct planes *p, int64_t n)
{
    const double *sums = p->layer->own;
    const double m = (double)p->layer->batch * (double)p->pixels * backends_exchange(p->layer->backends)->processes;
    for (int32_t c = 0; c < p->in_extent.c; c++) {
        const double istd = p->keep[SAVED_ISTD][c], mean = p->keep[SAVED_MEAN][c];
        const double pull = sums[c] / m, along = sums[p->in_extent.c + c] / m;
        const int64_t first = first_of(p, (int32_t)n, c);
        for (int64_t i = first; i < first + p->pixels; i++)
            p->din[i] = (float)(p->param[GAMMA][c] * istd * (p->dout[i] - pull - (p->in[i] - mean) * istd * along));
    }
}

convoy_status bn_sync_create(struct layer *layer, struct convoy_error *err)
{
    layer->own = malloc(2 * (size_t)layer->in_extent[0].c * sizeof(double));
    return layer->own ? CONVOY_OK : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory", layer->spec->name);
}

static convoy_status exchange(struct layer *layer, int64_t count, struct convoy_error *err)
{
    const struct exchange *exchange = backends_exchange(layer->backends);
    return exchange->sum(layer->own, count, exchange->context, err);
}

convoy_status bn_sync_forward(struct layer *layer, struct convoy_error *err)
{
    const struct convoy_bn *bn = &layer->spec->problem.bn;
    const int32_t channels = layer->in_extent[0].c;
    const double m = (double)layer_in_count(layer, 0) / channels * backends_exchange(layer->backends)->processes;
    const double *sums = layer->own;
    float *mean = tensor_host(&layer->keep[SAVED_MEAN], TENSOR_WRITE, err),
          *istd = tensor_host(&layer->keep[SAVED_ISTD], TENSOR_WRITE, err);
    float *run_mean = tensor_host(&layer->param[RUN_MEAN]->value, TENSOR_UPDATE, err);
    float *run_var = tensor_host(&layer->param[RUN_VAR]->value, TENSOR_UPDATE, err);
    if (!mean || !istd || !run_mean || !run_var)
        return CONVOY_FAILED;
    convoy_status status = planes_statistics(layer, sum_channel, err);
    if (!status)
        status = exchange(layer, channels, err);
    for (int32_t c = 0; !status && c < channels; c++)
        mean[c] = (float)(sums[c] / m);
    if (!status)
        status = planes_statistics(layer, square_channel, err);
    if (!status)
        status = exchange(layer, channels, err);
    for (int32_t c = 0; !status && c < channels; c++) {
        const double var = sums[c] / m, unbiased = m > 1 ? var * m / (m - 1) : var;
        istd[c] = (float)(1 / sqrt(var + (double)bn->eps));
        run_mean[c] = (1 - bn->momentum) * run_mean[c] + bn->momentum * mean[c];
        run_var[c] = (1 - bn->momentum) * run_var[c] + bn->momentum * (float)unbiased;
    }
    return status ? status : planes_forward(layer, normalise_sample, err);
}

convoy_status bn_sync_backward(struct layer *layer, struct convoy_error *err)
{
    convoy_status status = planes_channels(layer, pull_channel, err);
    if (!status)
        status = exchange(layer, 2 * (int64_t)layer->in_extent[0].c, err);
    return status ? status : planes_backward(layer, descend_sample, err);
}
