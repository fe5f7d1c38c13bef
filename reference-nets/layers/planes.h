/* planes: loops of layers that the runtime computes itself: one task per sample, with the host addresses of the layer's tensors.
 * Layers give a function per sample; gradients of parameters are sums over samples in their order, whatever the number of
 * threads. */
#ifndef CONVOY_NETS_PLANES_H
#define CONVOY_NETS_PLANES_H

#include "layers/layer.h"

struct planes {
    const struct layer *layer;
    struct net_extent in_extent, out_extent;
    int64_t in_size, out_size, pixels; /* of a sample; h*w of the input                                    */
    const float *in, *out, *dout;
    float *din; /* NULL: not wanted                                                 */
    float *y;   /* forward: out to be written                                       */
    const float *param[PARAMS_PER_LAYER];
    float *grad[PARAMS_PER_LAYER];
    float *keep[LAYER_KEEPS];
    void *extra; /* of the caller                                                    */
};

typedef void planes_fn(const struct planes *planes, int64_t n);

/* Every sample once, in parallel. backward: dout, din (and in, out as the kind's table says) instead of y. */
convoy_status planes_forward(struct layer *layer, planes_fn *sample, struct convoy_error *err);
convoy_status planes_backward(struct layer *layer, planes_fn *sample, struct convoy_error *err);

/* After planes_backward: for each channel of the input once, in parallel: sums over samples into grad. */
typedef void channel_fn(const struct planes *planes, int32_t c);
convoy_status planes_channels(struct layer *layer, channel_fn *channel, struct convoy_error *err);

/* The same with no gradients: in and keep (as the last forward left it) only. */
convoy_status planes_statistics(struct layer *layer, channel_fn *channel, struct convoy_error *err);

#endif
