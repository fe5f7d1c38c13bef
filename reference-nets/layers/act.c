/* Element-wise activations; their derivatives read the output, so that they may work in place. */
#include "layers/kinds.h"

#include <convoy/plugin.h>

convoy_status act_create(struct layer *layer, struct convoy_error *err)
{
    union problem forward, backward;
    convoy_status status = layer_problem(layer, &forward, err);
    if (!status && layer->mode != EXEC_EVAL && layer->din[0]) {
        if (!problem_other_pass(&forward, PASS_BWD_DATA, &backward))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OP, "%s has no backward pass", layer->spec->name);
        status = layer_op(layer, &backward, PASS_BWD_DATA, err);
    }
    return status ? status : layer_op(layer, &forward, PASS_FWD, err);
}

convoy_status act_forward(struct layer *layer, struct convoy_error *err)
{
    return op_run(layer->op[PASS_FWD], (struct tensor *const[CONVOY_NSLOTS]){[CONVOY_X] = layer->in[0], [CONVOY_Y] = layer->out},
                  err);
}

convoy_status act_backward(struct layer *layer, struct convoy_error *err)
{
    if (!layer->din[0])
        return CONVOY_OK;
    struct tensor *const slot[CONVOY_NSLOTS] = {[CONVOY_DY] = layer->dout, [CONVOY_Y] = layer->out, [CONVOY_DX] = layer->din[0]};
    return op_run(layer->op[PASS_BWD_DATA], slot, err);
}
