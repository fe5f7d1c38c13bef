/* Pooling. A maximum keeps its indices from forward to backward. */
#include "layers/kinds.h"

#include <convoy/plugin.h>
#include <convoy/shape.h>

enum { INDEX };

static bool keeps_index(const struct layer *layer)
{
    return layer->spec->kind == NET_MAXPOOL && layer->mode != EXEC_EVAL;
}

convoy_status pool_create(struct layer *layer, struct convoy_error *err)
{
    union problem forward, backward;
    convoy_status status = layer_problem(layer, &forward, err);
    if (!status && keeps_index(layer))
        status = layer_keep(layer, INDEX, layer_out_count(layer) * convoy_index_bytes(&forward.pool), err);
    if (!status && layer->mode != EXEC_EVAL && layer->din[0]) {
        if (!problem_other_pass(&forward, PASS_BWD_DATA, &backward))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OP, "%s has no backward pass", layer->spec->name);
        status = layer_op(layer, &backward, PASS_BWD_DATA, err);
    }
    if (status)
        return status;
    if (layer->spec->kind == NET_MAXPOOL && !keeps_index(layer))
        forward.head.flags |= CONVOY_NO_INDEX;
    return layer_op(layer, &forward, PASS_FWD, err);
}

convoy_status pool_forward(struct layer *layer, struct convoy_error *err)
{
    struct tensor *const slot[CONVOY_NSLOTS] = {
        [CONVOY_X] = layer->in[0],
        [CONVOY_Y] = layer->out,
        [CONVOY_INDEX] = keeps_index(layer) ? &layer->keep[INDEX] : NULL,
    };
    return op_run(layer->op[PASS_FWD], slot, err);
}

convoy_status pool_backward(struct layer *layer, struct convoy_error *err)
{
    if (!layer->din[0])
        return CONVOY_OK;
    struct tensor *const slot[CONVOY_NSLOTS] = {
        [CONVOY_DY] = layer->dout, [CONVOY_DX] = layer->din[0], [CONVOY_INDEX] = keeps_index(layer) ? &layer->keep[INDEX] : NULL,
        [CONVOY_X] = layer->in[0], [CONVOY_Y] = layer->out,
    };
    return op_run(layer->op[PASS_BWD_DATA], slot, err);
}
