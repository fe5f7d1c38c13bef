#include "layers/layer.h"

#include "layers/kinds.h"

#include "core/hostmem.h"

#include <convoy/plugin.h>

/* The functions of a kind by its name. */
#define RUNS(kind) .forward = kind##_forward, .backward = kind##_backward
#define MAKES(kind) .create = kind##_create, RUNS(kind)
#define LEARNS(kind) .params = kind##_params

const struct layer_kind layer_table[NET_KIND_COUNT] = {
    [NET_CONV] = {LEARNS(conv), MAKES(conv), .backward_reads_in = true, .takes_relu = true},
    [NET_FC] = {LEARNS(conv), MAKES(conv), .backward_reads_in = true, .takes_relu = true},
    [NET_BN] = {LEARNS(bn), MAKES(bn), .destroy = bn_destroy, .backward_reads_in = true, .takes_relu = true},
    [NET_MAXPOOL] = {MAKES(pool)},
    [NET_AVGPOOL] = {MAKES(pool)},
    [NET_AVGPOOL_GLOBAL] = {MAKES(pool)},
    [NET_AVGPOOL_ADAPTIVE] = {MAKES(pool)},
    [NET_AVGPOOL_UNEVEN] = {RUNS(uneven)},
    [NET_L2POOL] = {MAKES(pool), .backward_reads_in = true, .backward_reads_out = true},
    [NET_ACT] = {MAKES(act), .backward_reads_out = true},
    [NET_ADD] = {MAKES(add)},
    [NET_CAT] = {RUNS(cat)},
    [NET_PRELU] = {LEARNS(prelu), RUNS(prelu), .backward_reads_in = true},
    [NET_RRELU] = {RUNS(rrelu), .backward_reads_in = true},
    [NET_MAXOUT] = {RUNS(maxout), .backward_reads_in = true},
    [NET_L2FEATURES] = {RUNS(l2features), .backward_reads_in = true, .backward_reads_out = true},
    [NET_AFFINE] = {LEARNS(affine), RUNS(affine), .backward_reads_in = true},
    [NET_GROUPNORM] = {LEARNS(groupnorm), MAKES(groupnorm), .backward_reads_in = true},
    [NET_LRN] = {MAKES(lrn), .backward_reads_in = true},
    [NET_LCN] = {MAKES(lcn), .destroy = lcn_destroy},
    [NET_DROPOUT] = {RUNS(dropout)},
    [NET_NOISE] = {RUNS(noise)},
    [NET_SPARSITY] = {RUNS(sparsity), .backward_reads_in = true},
    [NET_SUBSAMPLE] = {RUNS(subsample)},
    [NET_RBF] = {RUNS(rbf), .backward_reads_in = true},
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
