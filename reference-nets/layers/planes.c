#include "layers/planes.h"

enum { NEED_FORWARD, NEED_BACKWARD, NEED_INPUT };

static bool address(struct tensor *tensor, enum tensor_access access, float **at, struct convoy_error *err)
{
    if (tensor)
        *at = tensor_host(tensor, access, err);
    return !tensor || *at;
}

static bool addresses(struct layer *layer, int pass, struct planes *planes, struct convoy_error *err)
{
    float *in = NULL, *out = NULL, *dout = NULL, *value;
    *planes = (struct planes){
        .layer = layer,
        .in_extent = layer->in_extent[0],
        .out_extent = layer->spec->out,
        .in_size = net_elements(layer->in_extent[0]),
        .out_size = net_elements(layer->spec->out),
        .pixels = (int64_t)layer->in_extent[0].h * layer->in_extent[0].w,
    };
    if (!address(layer->in[0], TENSOR_READ, &in, err))
        return false;
    for (int p = 0; p < PARAMS_PER_LAYER && layer->param[p]; p++) {
        if (!address(&layer->param[p]->value, TENSOR_READ, &value, err))
            return false;
        planes->param[p] = value;
        if (pass == NEED_BACKWARD && layer->param[p]->learned &&
            !address(&layer->param[p]->grad, TENSOR_WRITE, &planes->grad[p], err))
            return false;
    }
    for (int k = 0; k < LAYER_KEEPS; k++)
        if (layer->keep_buffer[k] &&
            !address(&layer->keep[k], pass == NEED_FORWARD ? TENSOR_UPDATE : TENSOR_READ, &planes->keep[k], err))
            return false;
    planes->in = in;
    if (pass == NEED_INPUT)
        return true;
    if (pass == NEED_FORWARD ? !address(layer->out, TENSOR_WRITE, &planes->y, err)
                             : !address(layer->out, TENSOR_READ, &out, err) || !address(layer->dout, TENSOR_READ, &dout, err) ||
                                   !address(layer->din[0], TENSOR_WRITE, &planes->din, err))
        return false;
    planes->out = out;
    planes->dout = dout;
    return true;
}

struct call {
    struct planes planes;
    planes_fn *sample;
    channel_fn *channel;
};

static void sample_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct call *call = context;
    call->sample(&call->planes, (int64_t)i);
}

static void channel_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct call *call = context;
    call->channel(&call->planes, (int32_t)i);
}

static convoy_status run(struct layer *layer, int pass, planes_fn *sample, channel_fn *channel, struct convoy_error *err)
{
    struct call call = {.sample = sample, .channel = channel};
    if (!addresses(layer, pass, &call.planes, err))
        return CONVOY_FAILED;
    if (sample)
        layer_parallel(layer, sample_task, &call, (size_t)layer->batch);
    else
        layer_parallel(layer, channel_task, &call, (size_t)layer->in_extent[0].c);
    return CONVOY_OK;
}

convoy_status planes_forward(struct layer *layer, planes_fn *sample, struct convoy_error *err)
{
    return run(layer, NEED_FORWARD, sample, NULL, err);
}

convoy_status planes_backward(struct layer *layer, planes_fn *sample, struct convoy_error *err)
{
    return layer->din[0] ? run(layer, NEED_BACKWARD, sample, NULL, err) : CONVOY_OK;
}

convoy_status planes_channels(struct layer *layer, channel_fn *channel, struct convoy_error *err)
{
    return run(layer, NEED_BACKWARD, NULL, channel, err);
}

convoy_status planes_statistics(struct layer *layer, channel_fn *channel, struct convoy_error *err)
{
    return run(layer, NEED_INPUT, NULL, channel, err);
}
