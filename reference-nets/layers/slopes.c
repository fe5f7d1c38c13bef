/* Rectifiers with slopes below zero: learned per channel (PReLU, He et al., arXiv 1502.01852) or drawn per element (RReLU, Xu et
 * al., arXiv 1505.00853; in evaluation the middle of the range). */
#include "layers/kinds.h"
#include "layers/planes.h"

#include "core/rng.h"

enum { STREAM_RRELU = 0x51000000 };

int prelu_params(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER])
{
    param[0] = (struct layer_param){.role = PARAM_SLOPE, .rank = 1, .extent = {net_output(net, layer->input[0]).c}};
    return 1;
}

static void prelu_sample(const struct planes *p, int64_t n)
{
    for (int64_t i = n * p->in_size; i < (n + 1) * p->in_size; i++) {
        const float slope = p->param[0][i / p->pixels % p->in_extent.c];
        p->y[i] = p->in[i] > 0 ? p->in[i] : slope * p->in[i];
    }
}

static void prelu_sample_backward(const struct planes *p, int64_t n)
{
    for (int64_t i = n * p->in_size; i < (n + 1) * p->in_size; i++)
        p->din[i] = p->in[i] > 0 ? p->dout[i] : p->param[0][i / p->pixels % p->in_extent.c] * p->dout[i];
}

static void prelu_channel(const struct planes *p, int32_t c)
{
    double sum = 0;
    for (int32_t n = 0; n < p->layer->batch; n++) {
        const int64_t first = n * p->in_size + c * p->pixels;
        for (int64_t i = first; i < first + p->pixels; i++)
            sum += p->in[i] > 0 ? 0 : (double)p->in[i] * p->dout[i];
    }
    p->grad[0][c] = (float)sum;
}

convoy_status prelu_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, prelu_sample, err);
}

convoy_status prelu_backward(struct layer *layer, struct convoy_error *err)
{
    const convoy_status status = planes_channels(layer, prelu_channel, err);
    return status ? status : planes_backward(layer, prelu_sample_backward, err);
}

static float drawn_slope(const struct planes *p, int64_t i)
{
    const struct layer *layer = p->layer;
    const double low = layer->spec->spec.alpha, high = layer->spec->spec.beta;
    if (layer->mode == EXEC_EVAL)
        return (float)((low + high) / 2);
    return (float)(low + (high - low) * rng_unit(layer->seed ^ layer->step * 0x9e3779b97f4a7c15u,
                                                 STREAM_RRELU + (uint64_t)layer->index, (uint64_t)i));
}

static void rrelu_sample(const struct planes *p, int64_t n)
{
    for (int64_t i = n * p->in_size; i < (n + 1) * p->in_size; i++)
        p->y[i] = p->in[i] > 0 ? p->in[i] : drawn_slope(p, i) * p->in[i];
}

static void rrelu_sample_backward(const struct planes *p, int64_t n)
{
    for (int64_t i = n * p->in_size; i < (n + 1) * p->in_size; i++)
        p->din[i] = p->in[i] > 0 ? p->dout[i] : drawn_slope(p, i) * p->dout[i];
}

convoy_status rrelu_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, rrelu_sample, err);
}

convoy_status rrelu_backward(struct layer *layer, struct convoy_error *err)
{
    return planes_backward(layer, rrelu_sample_backward, err);
}
