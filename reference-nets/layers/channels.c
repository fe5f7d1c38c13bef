/* Layers over neighbouring channels: maxout (Goodfellow et al., arXiv 1302.4389), L2 pooling over features, the trainable scale
 * and shift of LeNet-5's pooling, the subsampling shortcut of residual networks, and the distances to codes of LeNet-5's output.
 */
#include "layers/kinds.h"
#include "layers/planes.h"

#include <math.h>
#include <string.h>

/* ---- maxout: the first of equal values wins ---- */

static int32_t winner(const struct planes *p, int64_t n, int32_t group, int64_t at)
{
    const int32_t window = p->layer->spec->spec.window;
    const float *from = p->in + n * p->in_size + (int64_t)group * window * p->pixels + at;
    int32_t best = 0;
    for (int32_t k = 1; k < window; k++)
        if (from[k * p->pixels] > from[best * p->pixels])
            best = k;
    return best;
}

static void maxout_sample(const struct planes *p, int64_t n)
{
    const int32_t window = p->layer->spec->spec.window;
    for (int32_t k = 0; k < p->out_extent.c; k++)
        for (int64_t at = 0; at < p->pixels; at++)
            p->y[n * p->out_size + k * p->pixels + at] =
                p->in[n * p->in_size + ((int64_t)k * window + winner(p, n, k, at)) * p->pixels + at];
}

static void maxout_sample_backward(const struct planes *p, int64_t n)
{
    const int32_t window = p->layer->spec->spec.window;
    memset(p->din + n * p->in_size, 0, (size_t)p->in_size * sizeof *p->din);
    for (int32_t k = 0; k < p->out_extent.c; k++)
        for (int64_t at = 0; at < p->pixels; at++)
            p->din[n * p->in_size + ((int64_t)k * window + winner(p, n, k, at)) * p->pixels + at] =
                p->dout[n * p->out_size + k * p->pixels + at];
}

convoy_status maxout_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, maxout_sample, err);
}

convoy_status maxout_backward(struct layer *layer, struct convoy_error *err)
{
    return planes_backward(layer, maxout_sample_backward, err);
}

/* ---- L2 over features: dx = dy * x / y, 0 where y is 0 ---- */

static void l2features_sample(const struct planes *p, int64_t n)
{
    const int32_t window = p->layer->spec->spec.window;
    for (int32_t k = 0; k < p->out_extent.c; k++) {
        for (int64_t at = 0; at < p->pixels; at++) {
            double sum = 0;
            for (int32_t c = k * window; c < (k + 1) * window; c++) {
                const double x = p->in[n * p->in_size + c * p->pixels + at];
                sum += x * x;
            }
            p->y[n * p->out_size + k * p->pixels + at] = (float)sqrt(sum);
        }
    }
}

static void l2features_sample_backward(const struct planes *p, int64_t n)
{
    const int32_t window = p->layer->spec->spec.window;
    for (int32_t c = 0; c < p->in_extent.c; c++) {
        for (int64_t at = 0; at < p->pixels; at++) {
            const int64_t i = n * p->in_size + c * p->pixels + at, o = n * p->out_size + c / window * p->pixels + at;
            p->din[i] = p->out[o] > 0 ? p->dout[o] * p->in[i] / p->out[o] : 0;
        }
    }
}

convoy_status l2features_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, l2features_sample, err);
}

convoy_status l2features_backward(struct layer *layer, struct convoy_error *err)
{
    return planes_backward(layer, l2features_sample_backward, err);
}

/* ---- affine ---- */

int affine_params(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER])
{
    const int32_t channels = net_output(net, layer->input[0]).c;
    param[0] = (struct layer_param){.role = PARAM_GAMMA, .rank = 1, .extent = {channels}};
    param[1] = (struct layer_param){.role = PARAM_BETA, .rank = 1, .extent = {channels}};
    return 2;
}

static void affine_sample(const struct planes *p, int64_t n)
{
    for (int64_t i = n * p->in_size; i < (n + 1) * p->in_size; i++) {
        const int64_t c = i / p->pixels % p->in_extent.c;
        p->y[i] = p->param[0][c] * p->in[i] + p->param[1][c];
    }
}

static void affine_sample_backward(const struct planes *p, int64_t n)
{
    for (int64_t i = n * p->in_size; i < (n + 1) * p->in_size; i++)
        p->din[i] = p->param[0][i / p->pixels % p->in_extent.c] * p->dout[i];
}

static void affine_channel(const struct planes *p, int32_t c)
{
    double scale = 0, shift = 0;
    for (int32_t n = 0; n < p->layer->batch; n++) {
        const int64_t first = n * p->in_size + c * p->pixels;
        for (int64_t i = first; i < first + p->pixels; i++) {
            scale += (double)p->in[i] * p->dout[i];
            shift += p->dout[i];
        }
    }
    p->grad[0][c] = (float)scale;
    p->grad[1][c] = (float)shift;
}

convoy_status affine_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, affine_sample, err);
}

convoy_status affine_backward(struct layer *layer, struct convoy_error *err)
{
    const convoy_status status = planes_channels(layer, affine_channel, err);
    return status ? status : planes_backward(layer, affine_sample_backward, err);
}

/* ---- subsample ---- */

static int32_t stride_of(const struct planes *p)
{
    return p->layer->spec->spec.stride ? p->layer->spec->spec.stride : 1;
}

static void subsample_sample(const struct planes *p, int64_t n)
{
    const int32_t stride = stride_of(p), oh_count = p->out_extent.h, ow_count = p->out_extent.w;
    float *to = p->y + n * p->out_size;
    memset(to, 0, (size_t)p->out_size * sizeof *to);
    for (int32_t c = 0; c < p->in_extent.c; c++)
        for (int32_t oh = 0; oh < oh_count; oh++)
            for (int32_t ow = 0; ow < ow_count; ow++)
                to[((int64_t)c * oh_count + oh) * ow_count + ow] =
                    p->in[n * p->in_size + c * p->pixels + (int64_t)oh * stride * p->in_extent.w + ow * stride];
}

static void subsample_sample_backward(const struct planes *p, int64_t n)
{
    const int32_t stride = stride_of(p), oh_count = p->out_extent.h, ow_count = p->out_extent.w;
    const float *from = p->dout + n * p->out_size;
    memset(p->din + n * p->in_size, 0, (size_t)p->in_size * sizeof *p->din);
    for (int32_t c = 0; c < p->in_extent.c; c++)
        for (int32_t oh = 0; oh < oh_count; oh++)
            for (int32_t ow = 0; ow < ow_count; ow++)
                p->din[n * p->in_size + c * p->pixels + (int64_t)oh * stride * p->in_extent.w + ow * stride] =
                    from[((int64_t)c * oh_count + oh) * ow_count + ow];
}

convoy_status subsample_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, subsample_sample, err);
}

convoy_status subsample_backward(struct layer *layer, struct convoy_error *err)
{
    return planes_backward(layer, subsample_sample_backward, err);
}

/* ---- rbf: y[k] = -sum_c (x[c] - code[k][c])^2, so that the nearest code has the largest output ---- */

static void rbf_sample(const struct planes *p, int64_t n)
{
    const float *codes = p->layer->spec->spec.codes;
    for (int32_t k = 0; k < p->out_extent.c; k++) {
        double sum = 0;
        for (int32_t c = 0; c < p->in_extent.c; c++) {
            const double r = (double)p->in[n * p->in_size + c] - codes[(int64_t)k * p->in_extent.c + c];
            sum += r * r;
        }
        p->y[n * p->out_size + k] = (float)-sum;
    }
}

static void rbf_sample_backward(const struct planes *p, int64_t n)
{
    const float *codes = p->layer->spec->spec.codes;
    for (int32_t c = 0; c < p->in_extent.c; c++) {
        double sum = 0;
        for (int32_t k = 0; k < p->out_extent.c; k++)
            sum -= 2 * (double)p->dout[n * p->out_size + k] *
                   ((double)p->in[n * p->in_size + c] - codes[(int64_t)k * p->in_extent.c + c]);
        p->din[n * p->in_size + c] = (float)sum;
    }
}

convoy_status rbf_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, rbf_sample, err);
}

convoy_status rbf_backward(struct layer *layer, struct convoy_error *err)
{
    return planes_backward(layer, rbf_sample_backward, err);
}
