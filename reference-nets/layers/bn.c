/* Batch normalisation: statistics of the batch in training, running ones in evaluation. */
#include "layers/kinds.h"

#include <convoy/plugin.h>
#include <stdlib.h>

enum { GAMMA, BETA, RUN_MEAN, RUN_VAR };
enum { SAVED_MEAN, SAVED_ISTD };

int bn_params(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER])
{
    (void)net;
    static const enum param_role roles[] = {
        [GAMMA] = PARAM_GAMMA, [BETA] = PARAM_BETA, [RUN_MEAN] = PARAM_RUN_MEAN, [RUN_VAR] = PARAM_RUN_VAR};
    for (int index = GAMMA; index <= RUN_VAR; index++)
        param[index] = (struct layer_param){.role = roles[index], .rank = 1, .extent = {layer->problem.bn.c}};
    return RUN_VAR + 1;
}

static bool is_shared(const struct layer *layer)
{
    return layer->mode != EXEC_EVAL && backends_exchange(layer->backends);
}

void bn_destroy(struct layer *layer)
{
    free(layer->own);
}

convoy_status bn_create(struct layer *layer, struct convoy_error *err)
{
    union problem forward, backward;
    convoy_status status = layer_problem(layer, &forward, err);
    if (status)
        return status;
    if (layer->mode == EXEC_EVAL) {
        forward.head.op = CONVOY_BN_INFER;
    } else {
        const int64_t bytes = forward.bn.c * (int64_t)sizeof(float);
        for (int place = SAVED_MEAN; !status && place <= SAVED_ISTD; place++)
            status = layer_keep(layer, place, bytes, err);
        if (!status && is_shared(layer))
            return bn_sync_create(layer, err);
        if (!status && !problem_other_pass(&forward, PASS_BWD_DATA, &backward))
            status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OP, "%s has no backward pass", layer->spec->name);
        if (!status)
            status = layer_op(layer, &backward, PASS_BWD_DATA, err);
        if (status)
            return status;
    }
    if (layer->fused_relu)
        forward.head.flags |= CONVOY_WITH_RELU;
    return layer_op(layer, &forward, PASS_FWD, err);
}

convoy_status bn_forward(struct layer *layer, struct convoy_error *err)
{
    const bool train = layer->mode != EXEC_EVAL;
    if (is_shared(layer))
        return bn_sync_forward(layer, err);
    struct tensor *const slot[CONVOY_NSLOTS] = {
        [CONVOY_X] = layer->in[0],
        [CONVOY_Y] = layer->out,
        [CONVOY_GAMMA] = &layer->param[GAMMA]->value,
        [CONVOY_BETA] = &layer->param[BETA]->value,
        [CONVOY_RUN_MEAN] = &layer->param[RUN_MEAN]->value,
        [CONVOY_RUN_VAR] = &layer->param[RUN_VAR]->value,
        [CONVOY_SAVE_MEAN] = train ? &layer->keep[SAVED_MEAN] : NULL,
        [CONVOY_SAVE_ISTD] = train ? &layer->keep[SAVED_ISTD] : NULL,
    };
    return op_run(layer->op[PASS_FWD], slot, err);
}

convoy_status bn_backward(struct layer *layer, struct convoy_error *err)
{
    if (!layer->din[0])
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER, "%s: batch norm of the image itself cannot be trained",
                           layer->spec->name);
    if (is_shared(layer))
        return bn_sync_backward(layer, err);
    struct tensor *const slot[CONVOY_NSLOTS] = {
        [CONVOY_X] = layer->in[0],
        [CONVOY_DY] = layer->dout,
        [CONVOY_GAMMA] = &layer->param[GAMMA]->value,
        [CONVOY_SAVE_MEAN] = &layer->keep[SAVED_MEAN],
        [CONVOY_SAVE_ISTD] = &layer->keep[SAVED_ISTD],
        [CONVOY_DX] = layer->din[0],
        [CONVOY_DGAMMA] = &layer->param[GAMMA]->grad,
        [CONVOY_DBETA] = &layer->param[BETA]->grad,
    };
    return op_run(layer->op[PASS_BWD_DATA], slot, err);
}
