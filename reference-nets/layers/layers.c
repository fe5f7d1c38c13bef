#include "layers/layer.h"

#include "layers/kinds.h"

#include "core/hostmem.h"

#include <convoy/plugin.h>

const struct layer_kind layer_table[NET_KIND_COUNT] = {
    [NET_CONV] = {conv_params, conv_create, conv_forward, conv_backward, .backward_reads_in = true, .takes_relu = true},
    [NET_FC] = {conv_params, conv_create, conv_forward, conv_backward, .backward_reads_in = true, .takes_relu = true},
    [NET_BN] = {bn_params, bn_create, bn_forward, bn_backward, bn_destroy, .backward_reads_in = true, .takes_relu = true},
    [NET_MAXPOOL] = {NULL, pool_create, pool_forward, pool_backward},
    [NET_AVGPOOL] = {NULL, pool_create, pool_forward, pool_backward},
    [NET_AVGPOOL_GLOBAL] = {NULL, pool_create, pool_forward, pool_backward},
    [NET_L2POOL] = {NULL, pool_create, pool_forward, pool_backward, .backward_reads_in = true, .backward_reads_out = true},
    [NET_ACT] = {NULL, act_create, act_forward, act_backward, .backward_reads_out = true},
    [NET_ADD] = {NULL, add_create, add_forward, add_backward},
    [NET_CAT] = {NULL, NULL, cat_forward, cat_backward},
    [NET_PRELU] = {prelu_params, NULL, prelu_forward, prelu_backward, .backward_reads_in = true},
    [NET_RRELU] = {NULL, NULL, rrelu_forward, rrelu_backward, .backward_reads_in = true},
    [NET_MAXOUT] = {NULL, NULL, maxout_forward, maxout_backward, .backward_reads_in = true},
    [NET_L2FEATURES] = {NULL, NULL, l2features_forward, l2features_backward, .backward_reads_in = true,
                        .backward_reads_out = true},
    [NET_AFFINE] = {affine_params, NULL, affine_forward, affine_backward, .backward_reads_in = true},
    [NET_GROUPNORM] = {groupnorm_params, groupnorm_create, groupnorm_forward, groupnorm_backward, .backward_reads_in = true},
    [NET_LRN] = {NULL, lrn_create, lrn_forward, lrn_backward, .backward_reads_in = true},
    [NET_LCN] = {NULL, lcn_create, lcn_forward, lcn_backward, lcn_destroy},
    [NET_DROPOUT] = {NULL, NULL, dropout_forward, dropout_backward},
    [NET_NOISE] = {NULL, NULL, noise_forward, noise_backward},
    [NET_SUBSAMPLE] = {NULL, NULL, subsample_forward, subsample_backward},
    [NET_RBF] = {NULL, NULL, rbf_forward, rbf_backward, .backward_reads_in = true},
};

convoy_status layer_problem(const struct layer *layer, union problem *problem, struct convoy_error *err)
{
    return problem_with_batch(&layer->spec->problem, layer->batch, problem, err);
}

convoy_status layer_op(struct layer *layer, const union problem *problem, enum problem_pass pass, struct convoy_error *err)
{
    return op_open(layer->backends, problem, layer->mode == EXEC_EVAL ? OP_WEIGHTS_STAY : OP_WEIGHTS_CHANGE, &layer->op[pass],
                   err);
}

convoy_status layer_keep(struct layer *layer, int place, int64_t bytes, struct convoy_error *err)
{
    const convoy_status status = hostmem()->alloc(hostmem(), (uint64_t)bytes, &layer->keep_buffer[place], err);
    if (!status)
        tensor_over(&layer->keep[place], layer->keep_buffer[place], 0, bytes);
    return status;
}

void layer_keep_free(struct layer *layer)
{
    for (int place = 0; place < LAYER_KEEPS; place++) {
        tensor_release(&layer->keep[place]);
        if (layer->keep_buffer[place])
            hostmem()->free(hostmem(), layer->keep_buffer[place]);
    }
}

int64_t layer_in_count(const struct layer *layer, int32_t input)
{
    return layer->batch * net_elements(layer->in_extent[input]);
}

int64_t layer_out_count(const struct layer *layer)
{
    return layer->batch * net_elements(layer->spec->out);
}

void layer_parallel(const struct layer *layer, void (*task)(void *context, size_t i, size_t worker), void *context, size_t n)
{
    const struct convoy_host *host = backends_host(layer->backends);
    host->parallel(host, task, context, n);
}
