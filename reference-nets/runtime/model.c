#include "runtime/model.h"

#include "core/hostmem.h"
#include "layers/layer.h"

#include <convoy/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const suffixes[] = {
    [PARAM_WEIGHT] = "weight",       [PARAM_BIAS] = "bias",    [PARAM_GAMMA] = "weight",
    [PARAM_BETA] = "bias",           [PARAM_SLOPE] = "weight", [PARAM_RUN_MEAN] = "running_mean",
    [PARAM_RUN_VAR] = "running_var",
};

/* Parameters start on cache lines. */
enum { ALIGN_FLOATS = 16 };

static int declare(const struct net *net, size_t layer, struct layer_param declared[PARAMS_PER_LAYER])
{
    const struct layer_kind *kind = &layer_table[net->layer[layer].kind];
    return kind->params ? kind->params(net, &net->layer[layer], declared) : 0;
}

static bool is_learned(enum param_role role)
{
    return role != PARAM_RUN_MEAN && role != PARAM_RUN_VAR;
}

static convoy_status describe(struct model *model, size_t layer, const struct layer_param *declared, struct param *param,
                              struct convoy_error *err)
{
    const char *name = model->net->layer[layer].name;
    *param = (struct param){
        .role = declared->role,
        .learned = is_learned(declared->role),
        .layer = (int32_t)layer,
        .rank = declared->rank,
        .count = 1,
        .fan_in = declared->fan_in,
        .fan_out = declared->fan_out,
        .mask = declared->mask,
        .rate_scale = 1,
        .decays = true,
    };
    for (int32_t axis = 0; axis < declared->rank; axis++) {
        param->extent[axis] = declared->extent[axis];
        param->count *= declared->extent[axis];
    }
    const int length = snprintf(param->name, sizeof param->name, "%s.%s", name, suffixes[declared->role]);
    if (length < 0 || (size_t)length >= sizeof param->name)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "the parameter name %s.%s is too long", name,
                           suffixes[declared->role]);
    int64_t *used = param->learned ? &model->learned_count : &model->state_count;
    param->offset = *used;
    *used += convoy_round_up(param->count, ALIGN_FLOATS);
    return CONVOY_OK;
}

static convoy_status allocate(int64_t floats, struct convoy_buffer **buffer, struct convoy_error *err)
{
    struct convoy_memory *memory = hostmem();
    const uint64_t bytes = (uint64_t)convoy_max(floats, 1) * sizeof(float);
    convoy_status status = memory->alloc(memory, bytes, buffer, err);
    if (!status)
        status = memory->fill(memory, (struct convoy_tensor){.buffer = *buffer}, bytes, 0, err);
    return status;
}

convoy_status model_create(const struct net *net, struct model *model, struct convoy_error *err)
{
    memset(model, 0, sizeof *model);
    model->net = net;
    struct layer_param declared[PARAMS_PER_LAYER];
    size_t params = 0;
    for (size_t layer = 0; layer < net->count; layer++)
        params += (size_t)declare(net, layer, declared);
    model->param = calloc(params + 1, sizeof *model->param);
    model->first = calloc(net->count + 1, sizeof *model->first);
    if (!model->param || !model->first) {
        model_free(model);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for %zu parameters", net->name, params);
    }
    convoy_status status = CONVOY_OK;
    for (size_t layer = 0; !status && layer < net->count; layer++) {
        memset(declared, 0, sizeof declared);
        const int count = declare(net, layer, declared);
        model->first[layer] = (int32_t)model->params;
        for (int index = 0; !status && index < count; index++)
            status = describe(model, layer, &declared[index], &model->param[model->params++], err);
    }
    model->first[net->count] = (int32_t)model->params;
    if (!status)
        status = allocate(model->learned_count, &model->values, err);
    if (!status)
        status = allocate(model->learned_count, &model->grads, err);
    if (!status)
        status = allocate(model->state_count, &model->state, err);
    for (size_t index = 0; !status && index < model->params; index++) {
        struct param *param = &model->param[index];
        const uint64_t offset = (uint64_t)param->offset * sizeof(float);
        const int64_t bytes = param->count * (int64_t)sizeof(float);
        tensor_over(&param->value, param->learned ? model->values : model->state, offset, bytes);
        if (param->learned)
            tensor_over(&param->grad, model->grads, offset, bytes);
    }
    if (status)
        model_free(model);
    return status;
}

void model_free(struct model *model)
{
    for (size_t index = 0; index < model->params; index++) {
        tensor_release(&model->param[index].value);
        tensor_release(&model->param[index].grad);
    }
    struct convoy_buffer *const buffers[] = {model->values, model->grads, model->state};
    for (size_t index = 0; index < sizeof buffers / sizeof *buffers; index++)
        if (buffers[index])
            buffers[index]->memory->free(buffers[index]->memory, buffers[index]);
    free(model->param);
    free(model->first);
    memset(model, 0, sizeof *model);
}

struct param *model_param(struct model *model, int32_t layer, enum param_role role)
{
    for (int32_t index = model->first[layer]; index < model->first[layer + 1]; index++)
        if (model->param[index].role == role)
            return &model->param[index];
    return NULL;
}

struct param *model_find(struct model *model, const char *name)
{
    for (size_t index = 0; index < model->params; index++)
        if (!strcmp(model->param[index].name, name))
            return &model->param[index];
    return NULL;
}

float *model_values(struct model *model, enum tensor_access access, struct convoy_error *err)
{
    for (size_t index = 0; index < model->params; index++)
        if (model->param[index].learned && !tensor_host(&model->param[index].value, access, err))
            return NULL;
    return model->values->host;
}

float *model_grads(struct model *model, enum tensor_access access, struct convoy_error *err)
{
    for (size_t index = 0; index < model->params; index++)
        if (model->param[index].learned && !tensor_host(&model->param[index].grad, access, err))
            return NULL;
    return model->grads->host;
}
