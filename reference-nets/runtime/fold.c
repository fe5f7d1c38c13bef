#include "runtime/fold.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOBODY = -1 };

/* Layers and heads. */
static int32_t readers_of(const struct net *net, int32_t layer)
{
    int32_t readers = 0;
    for (size_t l = 0; l < net->count; l++)
        for (int32_t i = 0; i < net->layer[l].inputs; i++)
            readers += net->layer[l].input[i] == layer;
    for (int32_t head = 0; head < net->heads; head++)
        readers += net->head[head].layer == layer;
    return readers;
}

/* The convolution that a layer folds into, or NOBODY. */
static int32_t taker_of(const struct net *net, int32_t layer)
{
    const int32_t from = net->layer[layer].input[0];
    if (net->layer[layer].kind != NET_BN || from == NET_IMAGE)
        return NOBODY;
    const struct net_layer *before = &net->layer[from];
    return before->posed && problem_family(&before->problem) == FAMILY_CONV && readers_of(net, from) == 1 ? from : NOBODY;
}

static void copy_layer(const struct net_layer *layer, const int32_t *place, struct net *folded)
{
    struct net_layer *copy = &folded->layer[folded->count++];
    *copy = *layer;
    for (int32_t i = 0; i < copy->inputs; i++)
        if (copy->input[i] != NET_IMAGE)
            copy->input[i] = place[copy->input[i]];
}

convoy_status fold_net(const struct net *net, struct net *folded, struct convoy_error *err)
{
    int32_t *place = calloc(net->count, sizeof *place); /* of each layer, or of its taker, in folded */
    *folded = *net;
    memset(folded->kept, 0, sizeof folded->kept); /* masks and codes stay the original's */
    snprintf(folded->name, sizeof folded->name, "%.40s-folded", net->name);
    folded->layer = calloc(net->count, sizeof *folded->layer);
    folded->capacity = net->count;
    folded->count = 0;
    if (!place || !folded->layer) {
        free(place);
        net_free(folded);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for %zu layers", net->name, net->count);
    }
    for (size_t l = 0; l < net->count; l++) {
        const int32_t taker = taker_of(net, (int32_t)l);
        place[l] = taker == NOBODY ? (int32_t)folded->count : place[taker];
        if (taker == NOBODY) {
            copy_layer(&net->layer[l], place, folded);
        } else {
            folded->layer[place[l]].spec.bias = true;
            folded->layer[place[l]].problem.head.flags |= CONVOY_WITH_BIAS;
        }
    }
    for (int32_t head = 0; head < folded->heads; head++)
        folded->head[head].layer = place[folded->head[head].layer];
    free(place);
    return CONVOY_OK;
}

static convoy_status copy_values(struct param *from, struct model *folded, struct convoy_error *err)
{
    const float *x = tensor_host(&from->value, TENSOR_READ, err);
    float *y = x ? tensor_host(&model_find(folded, from->name)->value, TENSOR_WRITE, err) : NULL;
    if (!y)
        return CONVOY_FAILED;
    memcpy(y, x, (size_t)from->count * sizeof *y);
    return CONVOY_OK;
}

/* Scales the weights, which are copied already, and makes the bias. */
static convoy_status fold_into(struct model *from, int32_t conv, int32_t bn, struct model *folded, struct convoy_error *err)
{
    static const enum param_role roles[] = {PARAM_GAMMA, PARAM_BETA, PARAM_RUN_MEAN, PARAM_RUN_VAR};
    enum { GAMMA, BETA, MEAN, VAR, ROLES };
    const float *of[ROLES], *bias = NULL;
    for (int role = GAMMA; role < ROLES; role++)
        if (!(of[role] = tensor_host(&model_param(from, bn, roles[role])->value, TENSOR_READ, err)))
            return CONVOY_FAILED;
    struct param *old_bias = model_param(from, conv, PARAM_BIAS);
    if (old_bias && !(bias = tensor_host(&old_bias->value, TENSOR_READ, err)))
        return CONVOY_FAILED;
    struct param *weight = model_find(folded, model_param(from, conv, PARAM_WEIGHT)->name);
    float *w = tensor_host(&weight->value, TENSOR_UPDATE, err);
    float *b = w ? tensor_host(&model_param(folded, weight->layer, PARAM_BIAS)->value, TENSOR_WRITE, err) : NULL;
    if (!b)
        return CONVOY_FAILED;
    const double eps = from->net->layer[bn].problem.bn.eps;
    const int64_t channels = weight->extent[0], filter = weight->count / channels;
    for (int64_t k = 0; k < channels; k++) {
        const double scale = of[GAMMA][k] / sqrt(of[VAR][k] + eps);
        for (int64_t i = k * filter; i < (k + 1) * filter; i++)
            w[i] = (float)(w[i] * scale);
        b[k] = (float)(of[BETA][k] + ((bias ? (double)bias[k] : 0) - of[MEAN][k]) * scale);
    }
    return CONVOY_OK;
}

/* A convolution's parameters stand before those of a batch norm that reads it. */
convoy_status fold_values(struct model *from, struct model *folded, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (size_t p = 0; !status && p < from->params; p++) {
        struct param *param = &from->param[p];
        const int32_t taker = taker_of(from->net, param->layer);
        if (taker == NOBODY)
            status = copy_values(param, folded, err);
        else if (param->role == PARAM_GAMMA)
            status = fold_into(from, taker, param->layer, folded, err);
    }
    return status;
}
