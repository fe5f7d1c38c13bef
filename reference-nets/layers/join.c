/* Sums of layers, through plugins so that data stay where they are, and concatenations of channels on the host. */
#include "layers/kinds.h"

#include <convoy/plugin.h>
#include <string.h>

static convoy_status pose(const struct layer *layer, int32_t kind, union problem *problem, struct convoy_error *err)
{
    *problem = (union problem){
        .eltwise = {.head = {.op = CONVOY_ELTWISE}, .count = layer_out_count(layer), .kind = kind, .alpha = 1, .beta = 0}};
    if (kind == CONVOY_ELT_ADD)
        problem->eltwise.beta = 1;
    return problem_complete(problem, err);
}

/* op[PASS_BWD_DATA] copies: y = 1*x + 0. */
convoy_status add_create(struct layer *layer, struct convoy_error *err)
{
    union problem sum, copy;
    convoy_status status = pose(layer, CONVOY_ELT_ADD, &sum, err);
    if (!status)
        status = layer_op(layer, &sum, PASS_FWD, err);
    if (!status && layer->mode != EXEC_EVAL)
        status = pose(layer, CONVOY_ELT_SCALE, &copy, err);
    if (!status && layer->mode != EXEC_EVAL)
        status = layer_op(layer, &copy, PASS_BWD_DATA, err);
    return status;
}

convoy_status add_forward(struct layer *layer, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (int32_t i = 1; !status && i < layer->spec->inputs; i++) {
        struct tensor *const slot[CONVOY_NSLOTS] = {
            [CONVOY_X] = i == 1 ? layer->in[0] : layer->out, [CONVOY_X2] = layer->in[i], [CONVOY_Y] = layer->out};
        status = op_run(layer->op[PASS_FWD], slot, err);
    }
    return status;
}

convoy_status add_backward(struct layer *layer, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (int32_t i = 0; !status && i < layer->spec->inputs; i++) {
        if (!layer->din[i])
            continue;
        struct tensor *const slot[CONVOY_NSLOTS] = {[CONVOY_X] = layer->dout, [CONVOY_Y] = layer->din[i]};
        status = op_run(layer->op[PASS_BWD_DATA], slot, err);
    }
    return status;
}

struct copies {
    const struct layer *layer;
    const float *from[NET_INPUTS];
    float *to[NET_INPUTS];
    bool scatter;
};

static void copy_sample(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct copies *copies = context;
    const struct layer *layer = copies->layer;
    const int64_t whole = net_elements(layer->spec->out);
    int64_t at = (int64_t)i * whole;
    for (int32_t input = 0; input < layer->spec->inputs; input++) {
        const int64_t part = net_elements(layer->in_extent[input]);
        if (!copies->scatter)
            memcpy(copies->to[0] + at, copies->from[input] + (int64_t)i * part, (size_t)part * sizeof(float));
        else if (copies->to[input])
            memcpy(copies->to[input] + (int64_t)i * part, copies->from[0] + at, (size_t)part * sizeof(float));
        at += part;
    }
}

convoy_status cat_forward(struct layer *layer, struct convoy_error *err)
{
    struct copies copies = {.layer = layer};
    for (int32_t i = 0; i < layer->spec->inputs; i++) {
        copies.from[i] = tensor_host(layer->in[i], TENSOR_READ, err);
        if (!copies.from[i])
            return CONVOY_FAILED;
    }
    copies.to[0] = tensor_host(layer->out, TENSOR_WRITE, err);
    if (!copies.to[0])
        return CONVOY_FAILED;
    layer_parallel(layer, copy_sample, &copies, (size_t)layer->batch);
    return CONVOY_OK;
}

convoy_status cat_backward(struct layer *layer, struct convoy_error *err)
{
    struct copies copies = {.layer = layer, .scatter = true};
    copies.from[0] = tensor_host(layer->dout, TENSOR_READ, err);
    if (!copies.from[0])
        return CONVOY_FAILED;
    for (int32_t i = 0; i < layer->spec->inputs; i++) {
        if (!layer->din[i])
            continue;
        copies.to[i] = tensor_host(layer->din[i], TENSOR_WRITE, err);
        if (!copies.to[i])
            return CONVOY_FAILED;
    }
    layer_parallel(layer, copy_sample, &copies, (size_t)layer->batch);
    return CONVOY_OK;
}
