/* Adaptive average pooling where the size of the output does not divide that of the input: windows differ in size and overlap. */
#include "layers/kinds.h"
#include "layers/planes.h"

#include <string.h>

/* The window of an output and the share that each of its elements has in the mean. */
struct window {
    struct net_window rows, columns;
    double share;
};

static struct window window_of(const struct planes *p, int32_t oh, int32_t ow)
{
    const struct net_window rows = net_adaptive_window(p->in_extent.h, p->out_extent.h, oh);
    const struct net_window columns = net_adaptive_window(p->in_extent.w, p->out_extent.w, ow);
    return (struct window){rows, columns, 1.0 / ((double)(rows.end - rows.first) * (columns.end - columns.first))};
}

static void uneven_sample(const struct planes *p, int64_t n)
{
    float *y = p->y + n * p->out_size;
    for (int32_t c = 0; c < p->in_extent.c; c++) {
        const float *x = p->in + n * p->in_size + c * p->pixels;
        for (int32_t oh = 0; oh < p->out_extent.h; oh++) {
            for (int32_t ow = 0; ow < p->out_extent.w; ow++) {
                const struct window window = window_of(p, oh, ow);
                double sum = 0;
                for (int32_t h = window.rows.first; h < window.rows.end; h++)
                    for (int32_t w = window.columns.first; w < window.columns.end; w++)
                        sum += x[(int64_t)h * p->in_extent.w + w];
                *y++ = (float)(sum * window.share);
            }
        }
    }
}

static void uneven_sample_backward(const struct planes *p, int64_t n)
{
    const float *dy = p->dout + n * p->out_size;
    memset(p->din + n * p->in_size, 0, (size_t)p->in_size * sizeof *p->din);
    for (int32_t c = 0; c < p->in_extent.c; c++) {
        float *dx = p->din + n * p->in_size + c * p->pixels;
        for (int32_t oh = 0; oh < p->out_extent.h; oh++) {
            for (int32_t ow = 0; ow < p->out_extent.w; ow++) {
                const struct window window = window_of(p, oh, ow);
                const float part = (float)(*dy++ * window.share);
                for (int32_t h = window.rows.first; h < window.rows.end; h++)
                    for (int32_t w = window.columns.first; w < window.columns.end; w++)
                        dx[(int64_t)h * p->in_extent.w + w] += part;
            }
        }
    }
}

convoy_status uneven_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, uneven_sample, err);
}

convoy_status uneven_backward(struct layer *layer, struct convoy_error *err)
{
    return planes_backward(layer, uneven_sample_backward, err);
}
