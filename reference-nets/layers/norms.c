/* Normalisations beside batch norm: across channels (LRN; Krizhevsky, Sutskever & Hinton 2012, section 3.3), over groups of
 * channels of a sample (group norm; Wu & He, arXiv 1803.08494), and local contrast (LCN; Jarrett et al., ICCV 2009). */
#include "layers/kinds.h"
#include "layers/planes.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- LRN: y = x * s^-beta, s = bias_k + alpha * sum of x^2 over the window of channels around ---- */

static void window_of(const struct planes *p, int32_t c, int32_t *first, int32_t *end)
{
    const int32_t half = p->layer->spec->spec.window / 2;
    *first = c > half ? c - half : 0;
    *end = c + half + 1 < p->in_extent.c ? c + half + 1 : p->in_extent.c;
}

static double lrn_scale(const struct planes *p, int64_t n, int32_t c, int64_t at)
{
    int32_t first, end;
    double sum = 0;
    window_of(p, c, &first, &end);
    for (int32_t other = first; other < end; other++) {
        const double x = p->in[n * p->in_size + other * p->pixels + at];
        sum += x * x;
    }
    return (double)p->layer->spec->spec.bias_k + (double)p->layer->spec->spec.alpha * sum;
}

static void lrn_sample(const struct planes *p, int64_t n)
{
    const double beta = p->layer->spec->spec.beta;
    for (int32_t c = 0; c < p->in_extent.c; c++) {
        for (int64_t at = 0; at < p->pixels; at++) {
            const int64_t i = n * p->in_size + c * p->pixels + at;
            const double s = lrn_scale(p, n, c, at);
            p->y[i] = (float)(p->in[i] * pow(s, -beta));
            if (p->keep[0])
                p->keep[0][i] = (float)s;
        }
    }
}

/* dx[c] = dy[c] s[c]^-beta - 2 alpha beta x[c] sum over windows j that hold c of dy[j] x[j] s[j]^(-beta-1) */
static void lrn_sample_backward(const struct planes *p, int64_t n)
{
    const double alpha = p->layer->spec->spec.alpha, beta = p->layer->spec->spec.beta;
    for (int32_t c = 0; c < p->in_extent.c; c++) {
        int32_t first, end;
        window_of(p, c, &first, &end);
        for (int64_t at = 0; at < p->pixels; at++) {
            const int64_t i = n * p->in_size + c * p->pixels + at;
            double sum = 0;
            for (int32_t j = first; j < end; j++) {
                const int64_t o = n * p->in_size + j * p->pixels + at;
                sum += (double)p->dout[o] * p->in[o] * pow(p->keep[0][o], -beta - 1);
            }
            p->din[i] = (float)(p->dout[i] * pow(p->keep[0][i], -beta) - 2 * alpha * beta * p->in[i] * sum);
        }
    }
}

convoy_status lrn_create(struct layer *layer, struct convoy_error *err)
{
    return layer->mode == EXEC_EVAL ? CONVOY_OK : layer_keep(layer, 0, layer_in_count(layer, 0) * (int64_t)sizeof(float), err);
}

convoy_status lrn_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, lrn_sample, err);
}

convoy_status lrn_backward(struct layer *layer, struct convoy_error *err)
{
    return planes_backward(layer, lrn_sample_backward, err);
}

/* ---- group norm: keep[0] mean and keep[1] 1/deviation of each (sample, group) ---- */

static const double groupnorm_eps = 1e-5;

int groupnorm_params(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER])
{
    return affine_params(net, layer, param);
}

convoy_status groupnorm_create(struct layer *layer, struct convoy_error *err)
{
    const int64_t bytes = (int64_t)layer->batch * layer->spec->spec.window * (int64_t)sizeof(float);
    const convoy_status status = layer_keep(layer, 0, bytes, err);
    return status ? status : layer_keep(layer, 1, bytes, err);
}

static void groupnorm_sample(const struct planes *p, int64_t n)
{
    const int32_t groups = p->layer->spec->spec.window, channels = p->in_extent.c / groups;
    const int64_t size = channels * p->pixels;
    for (int32_t g = 0; g < groups; g++) {
        const float *x = p->in + n * p->in_size + g * size;
        double mean = 0, square = 0;
        for (int64_t i = 0; i < size; i++)
            mean += x[i];
        mean /= (double)size;
        for (int64_t i = 0; i < size; i++)
            square += (x[i] - mean) * (x[i] - mean);
        const double inverse = 1 / sqrt(square / (double)size + groupnorm_eps);
        p->keep[0][n * groups + g] = (float)mean;
        p->keep[1][n * groups + g] = (float)inverse;
        for (int64_t i = 0; i < size; i++) {
            const int64_t c = g * channels + i / p->pixels;
            p->y[n * p->in_size + g * size + i] = (float)((x[i] - mean) * inverse * p->param[0][c] + p->param[1][c]);
        }
    }
}

/* With g = dy*gamma: dx = (g - mean(g) - xhat*mean(g*xhat)) / deviation, as in batch norm with the group as the batch. */
static void groupnorm_sample_backward(const struct planes *p, int64_t n)
{
    const int32_t groups = p->layer->spec->spec.window, channels = p->in_extent.c / groups;
    const int64_t size = channels * p->pixels;
    for (int32_t g = 0; g < groups; g++) {
        const int64_t first = n * p->in_size + g * size;
        const double mean = p->keep[0][n * groups + g], inverse = p->keep[1][n * groups + g];
        double sum = 0, along = 0;
        for (int64_t i = 0; i < size; i++) {
            const double d = (double)p->dout[first + i] * p->param[0][g * channels + i / p->pixels];
            sum += d;
            along += d * (p->in[first + i] - mean) * inverse;
        }
        for (int64_t i = 0; i < size; i++) {
            const double d = (double)p->dout[first + i] * p->param[0][g * channels + i / p->pixels];
            const double hat = (p->in[first + i] - mean) * inverse;
            p->din[first + i] = (float)((d - sum / (double)size - hat * along / (double)size) * inverse);
        }
    }
}

static void groupnorm_channel(const struct planes *p, int32_t c)
{
    const int32_t groups = p->layer->spec->spec.window, g = c / (p->in_extent.c / groups);
    double scale = 0, shift = 0;
    for (int32_t n = 0; n < p->layer->batch; n++) {
        const double mean = p->keep[0][n * groups + g], inverse = p->keep[1][n * groups + g];
        const int64_t first = n * p->in_size + c * p->pixels;
        for (int64_t i = first; i < first + p->pixels; i++) {
            scale += p->dout[i] * (p->in[i] - mean) * inverse;
            shift += p->dout[i];
        }
    }
    p->grad[0][c] = (float)scale;
    p->grad[1][c] = (float)shift;
}

convoy_status groupnorm_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, groupnorm_sample, err);
}

convoy_status groupnorm_backward(struct layer *layer, struct convoy_error *err)
{
    const convoy_status status = planes_channels(layer, groupnorm_channel, err);
    return status ? status : planes_backward(layer, groupnorm_sample_backward, err);
}

/* ---- LCN. With M the mean over all channels and the kernel x kernel window, inside the image:
 *      v = x - M x,  d = max(floor, sqrt(M v^2)),  y = v / d
 * M is linear: its adjoint spreads a value over the window, divided by the elements of the window it came from. keep[0] is v.
 * ---- */

static const float lcn_floor = 1e-2f;

struct lcn_span {
    int32_t h, h_end, w, w_end;
};

static struct lcn_span span_at(const struct planes *p, int32_t h, int32_t w)
{
    const int32_t half = p->layer->spec->spec.kernel / 2;
    const struct lcn_span span = {
        h > half ? h - half : 0,
        h + half + 1 < p->in_extent.h ? h + half + 1 : p->in_extent.h,
        w > half ? w - half : 0,
        w + half + 1 < p->in_extent.w ? w + half + 1 : p->in_extent.w,
    };
    return span;
}

static double span_size(const struct planes *p, struct lcn_span s)
{
    return (double)(s.h_end - s.h) * (s.w_end - s.w) * p->in_extent.c;
}

/* to[h,w] = mean over the window around of from[c,h',w'] (squared where square). */
static void window_mean(const struct planes *p, const float *from, bool square, double *to)
{
    for (int32_t h = 0; h < p->in_extent.h; h++) {
        for (int32_t w = 0; w < p->in_extent.w; w++) {
            const struct lcn_span s = span_at(p, h, w);
            double sum = 0;
            for (int32_t c = 0; c < p->in_extent.c; c++)
                for (int32_t y = s.h; y < s.h_end; y++)
                    for (int32_t x = s.w; x < s.w_end; x++) {
                        const double v = from[c * p->pixels + (int64_t)y * p->in_extent.w + x];
                        sum += square ? v * v : v;
                    }
            to[(int64_t)h * p->in_extent.w + w] = sum / span_size(p, s);
        }
    }
}

/* The adjoint of window_mean: what each input of it receives from `from`; the same for every channel. */
static void window_spread(const struct planes *p, const double *from, double *to)
{
    memset(to, 0, (size_t)p->pixels * sizeof *to);
    for (int32_t h = 0; h < p->in_extent.h; h++) {
        for (int32_t w = 0; w < p->in_extent.w; w++) {
            const struct lcn_span s = span_at(p, h, w);
            const double part = from[(int64_t)h * p->in_extent.w + w] / span_size(p, s);
            for (int32_t y = s.h; y < s.h_end; y++)
                for (int32_t x = s.w; x < s.w_end; x++)
                    to[(int64_t)y * p->in_extent.w + x] += part;
        }
    }
}

static double *scratch_of(const struct planes *p, int64_t n)
{
    return (double *)p->layer->own + 3 * n * p->pixels;
}

static void lcn_sample(const struct planes *p, int64_t n)
{
    const float *x = p->in + n * p->in_size;
    float *v = p->keep[0] + n * p->in_size;
    double *mean = scratch_of(p, n), *square = mean + p->pixels;
    window_mean(p, x, false, mean);
    for (int64_t i = 0; i < p->in_size; i++)
        v[i] = (float)(x[i] - mean[i % p->pixels]);
    window_mean(p, v, true, square);
    for (int64_t i = 0; i < p->in_size; i++)
        p->y[n * p->in_size + i] = (float)(v[i] / fmax((double)lcn_floor, sqrt(square[i % p->pixels])));
}

/* dv = dy/d - v * spread(sum_c dy v / d^3) where d is above its floor;  dx = dv - spread(sum_c dv). */
static void lcn_sample_backward(const struct planes *p, int64_t n)
{
    const float *v = p->keep[0] + n * p->in_size, *dy = p->dout + n * p->in_size;
    double *square = scratch_of(p, n), *pull = square + p->pixels, *spread = pull + p->pixels;
    float *dx = p->din + n * p->in_size;
    window_mean(p, v, true, square);
    memset(pull, 0, (size_t)p->pixels * sizeof *pull);
    for (int64_t i = 0; i < p->in_size; i++) {
        const double d = sqrt(square[i % p->pixels]);
        pull[i % p->pixels] += d > (double)lcn_floor ? (double)dy[i] * v[i] / (d * d * d) : 0;
    }
    window_spread(p, pull, spread);
    memset(pull, 0, (size_t)p->pixels * sizeof *pull);
    for (int64_t i = 0; i < p->in_size; i++) {
        const double dv = dy[i] / fmax((double)lcn_floor, sqrt(square[i % p->pixels])) - v[i] * spread[i % p->pixels];
        dx[i] = (float)dv;
        pull[i % p->pixels] += dv;
    }
    window_spread(p, pull, spread);
    for (int64_t i = 0; i < p->in_size; i++)
        dx[i] = (float)(dx[i] - spread[i % p->pixels]);
}

convoy_status lcn_create(struct layer *layer, struct convoy_error *err)
{
    const int64_t pixels = (int64_t)layer->in_extent[0].h * layer->in_extent[0].w;
    layer->own = malloc((size_t)(3 * layer->batch * pixels) * sizeof(double));
    if (!layer->own)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory", layer->spec->name);
    return layer_keep(layer, 0, layer_in_count(layer, 0) * (int64_t)sizeof(float), err);
}

void lcn_destroy(struct layer *layer)
{
    free(layer->own);
}

convoy_status lcn_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, lcn_sample, err);
}

convoy_status lcn_backward(struct layer *layer, struct convoy_error *err)
{
    return planes_backward(layer, lcn_sample_backward, err);
}
