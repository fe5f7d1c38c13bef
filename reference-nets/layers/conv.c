/* Convolutions, and fully connected layers, which are convolutions whose kernel equals their input. Weights of a layer with a
 * connection table stay zero where there is no connection, because the gradient is zeroed there. */
#include "layers/kinds.h"

#include <convoy/plugin.h>
#include <string.h>

int conv_params(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER])
{
    (void)net;
    const struct convoy_conv *conv = &layer->problem.conv;
    const int64_t taps = (int64_t)conv->kh * conv->kw;
    param[0] = (struct layer_param){
        .role = PARAM_WEIGHT,
        .rank = layer->kind == NET_FC ? 2 : 4,
        .extent = {conv->k, conv->c / conv->groups, conv->kh, conv->kw},
        .fan_in = conv->c / conv->groups * taps,
        .fan_out = conv->k / conv->groups * taps,
        .mask = layer->spec.mask,
    };
    if (layer->kind == NET_FC)
        param[0].extent[1] *= taps;
    param[1] = (struct layer_param){.role = PARAM_BIAS, .rank = 1, .extent = {conv->k}, .fan_in = param[0].fan_in};
    return layer->spec.bias ? 2 : 1;
}

convoy_status conv_create(struct layer *layer, struct convoy_error *err)
{
    union problem forward, other;
    convoy_status status = layer_problem(layer, &forward, err);
    if (status)
        return status;
    for (enum problem_pass pass = PASS_BWD_DATA; layer->mode != EXEC_EVAL && pass <= PASS_BWD_WEIGHTS; pass++) {
        if (pass == PASS_BWD_DATA && !layer->din[0])
            continue;
        if (!problem_other_pass(&forward, pass, &other))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OP, "%s has no %s", layer->spec->name, pass_name(pass));
        status = layer_op(layer, &other, pass, err);
        if (status)
            return status;
    }
    if (layer->fused_relu)
        forward.head.flags |= CONVOY_WITH_RELU;
    return layer_op(layer, &forward, PASS_FWD, err);
}

static struct tensor *bias_of(struct layer *layer)
{
    return layer->spec->spec.bias ? &layer->param[1]->value : NULL;
}

convoy_status conv_forward(struct layer *layer, struct convoy_error *err)
{
    struct tensor *const slot[CONVOY_NSLOTS] = {
        [CONVOY_X] = layer->in[0],
        [CONVOY_W] = &layer->param[0]->value,
        [CONVOY_BIAS] = bias_of(layer),
        [CONVOY_Y] = layer->out,
    };
    return op_run(layer->op[PASS_FWD], slot, err);
}

static convoy_status mask_gradient(struct layer *layer, struct convoy_error *err)
{
    struct param *weight = layer->param[0];
    if (!weight->mask)
        return CONVOY_OK;
    float *dw = tensor_host(&weight->grad, TENSOR_UPDATE, err);
    if (!dw)
        return CONVOY_FAILED;
    const int64_t taps = weight->extent[2] * weight->extent[3];
    for (int64_t kc = 0; kc < weight->extent[0] * weight->extent[1]; kc++)
        if (!weight->mask[kc])
            memset(dw + kc * taps, 0, (size_t)taps * sizeof *dw);
    return CONVOY_OK;
}

convoy_status conv_backward(struct layer *layer, struct convoy_error *err)
{
    struct tensor *const weights[CONVOY_NSLOTS] = {
        [CONVOY_X] = layer->in[0],
        [CONVOY_DY] = layer->dout,
        [CONVOY_DW] = &layer->param[0]->grad,
        [CONVOY_DBIAS] = layer->spec->spec.bias ? &layer->param[1]->grad : NULL,
    };
    struct tensor *const data[CONVOY_NSLOTS] = {
        [CONVOY_DY] = layer->dout,
        [CONVOY_W] = &layer->param[0]->value,
        [CONVOY_DX] = layer->din[0],
    };
    convoy_status status = op_run(layer->op[PASS_BWD_WEIGHTS], weights, err);
    if (!status)
        status = mask_gradient(layer, err);
    if (!status && layer->op[PASS_BWD_DATA])
        status = op_run(layer->op[PASS_BWD_DATA], data, err);
    return status;
}
